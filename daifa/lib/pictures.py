"""Pictures that people hand in: whether they are ones, which way up, without what cameras write into them, parts covered.

What a file is called does not count. A picture is measured before it is unpacked, and decoded to the last dot.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from threading import Lock
from typing import Any, NamedTuple

KINDS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
"""The kinds of pictures taken here: as Pillow names them, and as media types."""
MOST_PIXELS = 40_000_000

_ONE_AT_A_TIME = Lock()


class NoPicture(Exception):
    """These bytes are no picture of `KINDS`, or one that is damaged or cut off."""


class TooManyDots(NoPicture):
    """It would unpack to more than `MOST_PIXELS`."""


class Measured(NamedTuple):
    """A picture before it is unpacked."""

    width: int
    height: int
    media_type: str


Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of the upright picture, in thousandths of its width and height."""


@contextmanager
def cut_off_is_an_error() -> Iterator[None]:
    """Inside, a picture whose end is missing is refused by the decoder.

    The library that writes PDF files tells the decoder, for the whole process, to fill what is missing with grey.
    """
    from PIL import ImageFile

    with _ONE_AT_A_TIME:
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


@contextmanager
def _opened(content: bytes) -> Iterator[Any]:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(content), formats=tuple(KINDS)) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise TooManyDots
                yield picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooManyDots from None
    except NoPicture:
        raise
    except Exception:  # whatever a hostile file makes the decoder raise, it is no picture
        raise NoPicture from None


def measure(content: bytes) -> Measured:
    """Size and kind of a picture by its head alone. Raises `NoPicture`."""
    with _opened(content) as picture:
        return Measured(*picture.size, KINDS[picture.format or ""])


def check(content: bytes) -> Measured:
    """The same after every dot was decoded: a file that only begins like a picture is none. Raises `NoPicture`."""
    with cut_off_is_an_error(), _opened(content) as picture:
        found = Measured(*picture.size, KINDS[picture.format or ""])
        picture.load()
        return found


def upright(content: bytes) -> Any:
    """The picture (of Pillow, in RGB) the way it was held. Raises `NoPicture`."""
    from PIL import ImageOps

    with cut_off_is_an_error(), _opened(content) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")


def covered(content: bytes, boxes: Iterable[Box]) -> bytes:
    """A copy with these parts filled black, of the same kind, with nothing in it but its dots. Raises `NoPicture`."""
    from PIL import ImageDraw

    kind = {media: name for name, media in KINDS.items()}[measure(content).media_type]
    picture = upright(content)
    pen = ImageDraw.Draw(picture)
    for left, top, right, bottom in boxes:
        pen.rectangle(
            (left * picture.width / 1000, top * picture.height / 1000, right * picture.width / 1000, bottom * picture.height / 1000),
            fill="black",
        )
    out = BytesIO()
    picture.save(out, kind, **({} if kind == "PNG" else {"quality": 90}))
    return out.getvalue()


def small(content: bytes, longest: int) -> bytes:
    """An upright JPEG no longer than `longest` dots on either side. Raises `NoPicture`."""
    picture = upright(content)
    picture.thumbnail((longest, longest))
    out = BytesIO()
    picture.save(out, "JPEG", quality=80)
    return out.getvalue()


# --- What cameras write into pictures -----------------------------------------------------------------------------


def without_metadata(content: bytes, media_type: str) -> bytes:
    """The picture without place, device, time, comments and what hangs behind its end; every dot stays as it was.

    Cut by segments, nothing is encoded anew. What cannot be taken apart stays as it is: `check` it first.
    """
    try:
        if media_type == "image/jpeg":
            return _jpeg_without(content)
        if media_type == "image/png":
            return _png_without(content)
        if media_type == "image/webp":
            return _webp_without(content)
    except (struct.error, IndexError, ValueError):
        return content
    return content


def _jpeg_without(content: bytes) -> bytes:
    kept, place = [content[:2]], 2
    turned = b""
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xD9:  # the end; phones hang films and further pictures behind it
            kept.append(content[place : place + 2])
            return b"".join([kept[0], turned, *kept[1:]])
        size = struct.unpack(">H", content[place + 2 : place + 4])[0]
        segment = content[place : place + 2 + size]
        # Application data other than JFIF and Adobe's colour mark, and comments: Exif, XMP, maker's notes.
        if marker in (0xE0, 0xEE) or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(segment)
        elif segment[4:10] == b"Exif\0\0":
            turned = _orientation(content)
        elif marker == 0xE2 and segment[4:15] == b"ICC_PROFILE":
            kept.append(segment)
        place += 2 + size
        if marker == 0xDA:  # what follows is the scan itself, up to the next mark
            end = place
            while end + 1 < len(content) and not (content[end] == 0xFF and content[end + 1] not in (0, *range(0xD0, 0xD8))):
                end = max(content.find(b"\xff", end + 1), 0) or len(content)
            kept.append(content[place:end])
            place = end
    return b"".join([kept[0], turned, *kept[1:], content[place:]])


def _orientation(content: bytes) -> bytes:
    """Which side is up is kept: without it the photo would lie on its side."""
    from PIL import Image

    with Image.open(BytesIO(content)) as photo:
        turned = photo.getexif().get(0x0112, 1)
    if turned == 1:
        return b""
    exif = Image.Exif()
    exif[0x0112] = turned
    body = exif.tobytes()
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def _png_without(content: bytes) -> bytes:
    kept, place = [content[:8]], 8
    while place + 8 <= len(content):
        size = struct.unpack(">I", content[place : place + 4])[0]
        kind = content[place + 4 : place + 8]
        if kind not in (b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME"):
            kept.append(content[place : place + 12 + size])
        place += 12 + size
        if kind == b"IEND":
            break
    return b"".join(kept)


def _webp_without(content: bytes) -> bytes:
    kept, place = [], 12
    end = min(len(content), 8 + struct.unpack("<I", content[4:8])[0])
    while place + 8 <= end:
        kind = content[place : place + 4]
        size = struct.unpack("<I", content[place + 4 : place + 8])[0]
        whole = content[place : place + 8 + size + size % 2]
        if kind == b"VP8X":
            whole = whole[:8] + bytes([whole[8] & ~0x0C]) + whole[9:]  # no Exif, no XMP any more
        if kind not in (b"EXIF", b"XMP "):
            kept.append(whole)
        place += 8 + size + size % 2
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body
