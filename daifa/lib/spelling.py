"""One spelling for what may be written in several: half width, simplified characters, no accents, plain signs.

Each character becomes exactly one, so that what is found in the folded text stands at the same place in the text itself.
Capitals are left: compare without regard to them.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

_PAIRS = Path(__file__).with_name("data") / "simplified.txt"
_SIGNS = {**dict.fromkeys("‐‑‒–—―−﹣－", "-"), **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f\u3000", " "), "。": ".", "’": "'", "＇": "'"}


class _Table(dict[int, str]):
    """For `str.translate`: each character is looked at once, then remembered."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        made = _SIGNS.get(character) or _simplified().get(character) or character
        if made == character and code > 0x7F:
            plain = unicodedata.normalize("NFKD", character)
            # é → e, １ → 1; a ligature or a fraction is several characters and stays.
            bare = "".join(one for one in plain if not unicodedata.combining(one))
            if len(bare) == 1:
                made = _simplified().get(bare, bare)
        self[code] = made
        return made


_TABLE = _Table()


@cache
def _simplified() -> dict[str, str]:
    text = "".join(line for line in _PAIRS.read_text("utf-8").splitlines() if not line.startswith("#"))
    return dict(zip(text[::2], text[1::2], strict=True))


def folded(text: str) -> str:
    """The text in one spelling, of the same length."""
    return text if text.isascii() else text.translate(_TABLE)


def composed(text: str) -> str:
    """The text with letters and their accents in one character each: only so can it be folded in place."""
    return text if text.isascii() or unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


@cache
def _others() -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for traditional, simplified in _simplified().items():
        found.setdefault(simplified, []).append(traditional)
    for code in range(0xC0, 0x250):
        if (bare := folded(chr(code))) != chr(code):
            found.setdefault(bare, []).append(chr(code))
    return {one: "".join(others) for one, others in found.items()}


def spellings(word: str) -> str:
    """A folded word as a pattern that finds its other spellings too, in a text of half width."""
    import re

    parts = []
    for one in word:
        others = "".join({*_others().get(one, ""), *_others().get(one.lower(), ""), *_others().get(one.upper(), "")})
        parts.append(f"[{one}{''.join(sorted(others))}]" if others and one.isalpha() else re.escape(one))
    return "".join(parts)
