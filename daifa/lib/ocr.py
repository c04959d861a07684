"""Words from photos, read on this machine: nothing is sent anywhere and no model is fetched, they are in the package.

The reader is the extra `ocr`; without it a sentence names it. A picture is measured before it is unpacked.
"""

from __future__ import annotations

import io
import warnings
from functools import cache
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from daifa.lib.pictures import cut_off_is_an_error
from daifa.lib.refusal import Refused

MOST_BYTES = 12 << 20
MOST_PIXELS = 40_000_000
LONGEST_SIDE = 2_000
"""Larger pictures are made smaller before they are read: letters stay large enough, and time stays short."""
SURE = 0.6
"""Lines read with less confidence are left out."""


class Measured(NamedTuple):
    """A picture before it is unpacked."""

    width: int
    height: int
    media_type: str


def measure(content: bytes, *, field: str = "photo") -> Measured:
    """Size and kind of a picture by its head; raises `Refused` for what is none, or would unpack to too much."""
    from PIL import Image

    if len(content) > MOST_BYTES:
        raise Refused(
            _("The photo has %(size)s MB; at most %(limit)s MB are taken. Send a smaller one.")
            % {"size": (len(content) + (1 << 20) - 1) >> 20, "limit": MOST_BYTES >> 20},
            code="photo_too_big", field=field,
        )  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP")) as picture:
                width, height = picture.size
                kind = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}[picture.format or ""]
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many(field) from None
    except Exception:  # whatever a reader of pictures stumbles over: it is no picture
        raise Refused(
            _("This file is no photo that can be read: use a JPEG, PNG or WebP picture."), code="not_a_photo", field=field
        ) from None
    if width * height > MOST_PIXELS:
        raise _too_many(field)
    return Measured(width, height, kind)


def _too_many(field: str) -> Refused:
    return Refused(
        _("The photo would unpack to more than %(limit)s million dots; it is not opened. Send a smaller one.")
        % {"limit": MOST_PIXELS // 1_000_000},
        code="photo_too_many_dots", field=field,
    )  # fmt: skip


def read_lines(content: bytes) -> list[str]:
    """Lines of text on a picture, from top to bottom; [] where there is none. Raises `Refused`."""
    measure(content)
    reader = _reader()
    import numpy
    from PIL import Image, ImageOps

    try:
        with cut_off_is_an_error(), Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP")) as picture:
            upright = ImageOps.exif_transpose(picture).convert("RGB")
            upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            dots = numpy.asarray(upright)[:, :, ::-1]  # the reader takes blue first
    except Exception:
        raise Refused(_("The photo is damaged and cannot be read; send it again."), code="photo_damaged") from None
    found = reader(dots)
    if found is None or not found.txts:
        return []
    return [text for text, sure in zip(found.txts, found.scores, strict=True) if sure >= SURE and text.strip()]


def why_not() -> str:
    """"" where photos can be read, else the sentence that says what is missing."""
    from importlib.util import find_spec

    if find_spec("rapidocr") and find_spec("onnxruntime"):
        return ""
    return _("Photos cannot be read here: the extra “ocr” is not installed. Run “make ocr”, or install daifa[ocr].")


@cache
def _reader() -> Any:
    if sentence := why_not():
        raise Refused(sentence, code="ocr_missing")
    from rapidocr import RapidOCR

    return RapidOCR(params={"Global.log_level": "warning"})
