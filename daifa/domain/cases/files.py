"""Photos and papers of cases: really what they say they are, kept as they came under their hash.

They lie in `DAIFA_HOME/files/cases/<sha256>`, served by no address of their own.
"""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import NamedTuple

from django.utils.translation import gettext as _

from daifa.lib import keeping
from daifa.lib.pictures import cut_off_is_an_error
from daifa.lib.refusal import Refused

MAX_BYTES = 15 * 1024 * 1024
MAX_PIXELS = 60_000_000
IMAGES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
PDF = "application/pdf"
SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif", PDF: ".pdf"}


class Kept(NamedTuple):
    """A file in the store. `media_type` is what its bytes are, whatever it was called."""

    name: str
    media_type: str
    sha256: str
    size: int


def media_type_of(name: str, content: bytes, *, images_only: bool = False) -> str:
    """What a file really is: one of IMAGES, or a PDF. Raises `Refused` with the sentence for everything else.

    Every pixel is decoded, so that a file that only begins like a picture, or would unpack to a giant, is refused.
    """
    shown = Path(name).name[:80] or "?"
    if not content:
        raise Refused(_("%(name)s is empty.") % {"name": shown}, code="file_empty", field="file")
    if len(content) > MAX_BYTES:
        raise Refused(
            _("%(name)s is larger than %(limit)d MB. Save it smaller and add it again.")
            % {"name": shown, "limit": MAX_BYTES >> 20},
            code="file_too_big", field="file",
        )  # fmt: skip
    if content[:5] == b"%PDF-" and not images_only:
        if b"%%EOF" not in content[-2048:]:
            raise Refused(
                _("%(name)s is no complete PDF: its end is missing.") % {"name": shown}, code="not_a_pdf", field="file"
            )
        return PDF
    kind = _image_format(content)
    if kind is None or kind not in IMAGES:
        raise Refused(
            (
                _("%(name)s is not a picture. Photos must be JPEG, PNG, WebP or GIF.")
                if images_only
                else _("%(name)s is neither a picture (JPEG, PNG, WebP, GIF) nor a PDF.")
            )
            % {"name": shown},
            code="not_an_image", field="file",
        )  # fmt: skip
    return IMAGES[kind]


def _image_format(content: bytes) -> str | None:
    from io import BytesIO

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with cut_off_is_an_error(), Image.open(BytesIO(content), formats=tuple(IMAGES)) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    return None
                found = picture.format
                picture.load()
                return found
    except Exception:  # whatever a hostile file makes the decoder raise, it is no picture
        return None


def keep(name: str, content: bytes, *, images_only: bool = False) -> Kept:
    """Check and store; the same bytes are stored once. Raises `Refused`."""
    media_type = media_type_of(name, content, images_only=images_only)
    return Kept(Path(name).name[:200] or "file", media_type, store(content, "cases"), len(content))


def store(content: bytes, folder: str) -> str:
    """Put bytes into the file store under their hash, in place whole or not at all; returns the SHA-256."""
    return keeping.store(folder, content)


def path_of(sha256: str, folder: str = "cases") -> Path:
    """Where a stored file lies."""
    return keeping.path_of(folder, sha256)


def read(sha256: str, folder: str = "cases") -> bytes | None:
    """The bytes; None where the file is gone or no longer what its hash says."""
    try:
        content = path_of(sha256, folder).read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == sha256 else None
