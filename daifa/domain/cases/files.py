"""Photos and papers of cases: really what they say they are, kept as they came under their hash.

They lie in `DAIFA_HOME/files/cases/<sha256>`, served by no address of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from django.utils.translation import gettext as _

from daifa.lib import keeping, pictures
from daifa.lib.refusal import Refused

FOLDER = "cases"
MAX_BYTES = 15 * 1024 * 1024
PDF = "application/pdf"


class Kept(NamedTuple):
    """A file in the store. `media_type` is what its bytes are, whatever it was called."""

    name: str
    media_type: str
    sha256: str
    size: int


def media_type_of(name: str, content: bytes, *, images_only: bool = False) -> str:
    """What a file really is: a picture, or a PDF. Raises `Refused` with a sentence that names it for everything else.

    Every dot of a picture is decoded, so that a file that only begins like one, or would unpack to a giant, is refused.
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
    if keeping.media_type(content) == PDF and not images_only:
        if b"%%EOF" not in content[-2048:]:
            raise Refused(
                _("%(name)s is no complete PDF: its end is missing.") % {"name": shown}, code="not_a_pdf", field="file"
            )
        return PDF
    try:
        return pictures.check(content).media_type
    except pictures.NoPicture:
        raise Refused(
            (
                _("%(name)s is not a picture. Photos must be JPEG, PNG or WebP.")
                if images_only
                else _("%(name)s is neither a picture (JPEG, PNG, WebP) nor a PDF.")
            )
            % {"name": shown},
            code="not_an_image", field="file",
        ) from None  # fmt: skip


def keep(name: str, content: bytes, *, images_only: bool = False) -> Kept:
    """Check and store; the same bytes are stored once. Raises `Refused`."""
    media_type = media_type_of(name, content, images_only=images_only)
    return Kept(Path(name).name[:200] or "file", media_type, keeping.store(FOLDER, content), len(content))


def path_of(sha256: str, folder: str = FOLDER) -> Path:
    """Where a stored file lies."""
    return keeping.path_of(folder, sha256)


def read(sha256: str, folder: str = FOLDER) -> bytes | None:
    """The bytes; None where the file is gone or no longer what its hash says."""
    return keeping.read(folder, sha256)
