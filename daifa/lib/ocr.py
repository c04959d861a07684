"""Words from photos, read on this machine: nothing is sent anywhere and no model is fetched, they are in the package.

The reader is the extra `ocr`; without it a sentence names it. A picture is measured before it is unpacked.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from daifa.lib import pictures
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _

MOST_BYTES = 12 << 20
LONGEST_SIDE = 2_000
"""Larger pictures are made smaller before they are read: letters stay large enough, and time stays short."""
SURE = 0.6
"""Lines read with less confidence are left out."""


class Line(NamedTuple):
    """A line of text on a picture: how sure the reader is (0 to 1), and where it stands on the upright picture."""

    text: str
    sure: float
    box: pictures.Box


def measure(content: bytes, *, field: str = "photo") -> pictures.Measured:
    """Size and kind of a picture by its head; raises `Refused` for what is none, or would unpack to too much."""
    if len(content) > MOST_BYTES:
        raise Refused(
            _("The photo has %(size)s MB; at most %(limit)s MB are taken. Send a smaller one.")
            % {"size": (len(content) + (1 << 20) - 1) >> 20, "limit": MOST_BYTES >> 20},
            code="photo_too_big", field=field,
        )  # fmt: skip
    try:
        return pictures.measure(content)
    except pictures.TooManyDots:
        raise _too_many(field) from None
    except pictures.NoPicture:
        raise Refused(
            _("This file is no photo that can be read: use a JPEG, PNG or WebP picture."), code="not_a_photo", field=field
        ) from None


def look_whole(content: bytes, *, field: str = "photo") -> pictures.Measured:
    """As `measure`, after every dot was decoded: a photo whose end is missing is refused where it is handed in."""
    found = measure(content, field=field)
    try:
        pictures.check(content)
    except pictures.NoPicture:
        raise Refused(_("The photo is damaged and cannot be read; send it again."), code="photo_damaged", field=field) from None
    return found


def _too_many(field: str) -> Refused:
    return Refused(
        _("The photo would unpack to more than %(limit)s million dots; it is not opened. Send a smaller one.")
        % {"limit": pictures.MOST_PIXELS // 1_000_000},
        code="photo_too_many_dots", field=field,
    )  # fmt: skip


def read_lines(content: bytes) -> list[str]:
    """Lines of text on a picture, from top to bottom; [] where there is none. Raises `Refused`."""
    return [line.text for line in read_places(content) if line.sure >= SURE]


def read_places(content: bytes) -> list[Line]:
    """Lines of text on a picture with their places, unsure ones too, from top to bottom. Raises `Refused`."""
    measure(content)
    reader = _reader()
    import numpy

    try:
        upright = pictures.upright(content)
    except pictures.NoPicture:
        raise Refused(_("The photo is damaged and cannot be read; send it again."), code="photo_damaged") from None
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    found = reader(numpy.asarray(upright)[:, :, ::-1])  # the reader takes blue first
    if found is None or not found.txts:
        return []
    lines = []
    for text, sure, corners in zip(found.txts, found.scores, found.boxes, strict=True):
        if text.strip():
            across = [float(x) * 1000 / upright.width for x, _y in corners]
            down = [float(y) * 1000 / upright.height for _x, y in corners]
            lines.append(Line(text, float(sure), (min(across), min(down), max(across), max(down))))
    return lines


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
