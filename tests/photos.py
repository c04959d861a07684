"""Photos as buyers send them: a card with lines on it, drawn with a font of the machine."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")


def photo(*lines: str, kind: str = "PNG") -> bytes:
    """A card with these lines on it, as somebody would print it."""
    from PIL import Image, ImageDraw, ImageFont

    if lines and not FONT.is_file():
        pytest.skip("no Noto CJK font on this machine (Debian: fonts-noto-cjk)")
    picture = Image.new("RGB", (900, 120 + 110 * len(lines)), "white")
    draw = ImageDraw.Draw(picture)
    for place, line in enumerate(lines):
        draw.text((50, 60 + place * 110), line, fill="black", font=ImageFont.truetype(str(FONT), 44, index=2))
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()
