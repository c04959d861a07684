"""What is on a parcel that should not be there: another platform's name, a card, another waybill. Pure.

Worked tables in docs/rules/parcel-check.md. The words stand in data/traces.csv. A trace asks a person to look; it is
found so that the supplier can be held to his word, never so that it can be hidden better.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

TRACES = Path(__file__).parent / "data" / "traces.csv"
EXCERPT = 12
"""Signs of text kept on either side of a trace; digits in it are masked."""

# Where a platform was met, by words beside its name; the first that fits.
_WHERE = (
    ("sms", ("短信", "信息通知", "sms", "text message")),
    ("waybill", ("面单", "快递单", "运单", "电子面单", "waybill", "shipping label")),
    ("card", ("卡片", "小卡", "好评", "返现", "感谢您", "thank you", "card")),
)
# Shapes by which a waybill number is known; bare digits could be a telephone or an order number.
_NUMBERS = re.compile(
    r"(?<![A-Z0-9])(?:SF\d{12,13}|YT\d{16}|YT\d{13}|JD[A-Z]{1,3}\d{9,13}|4PX\d{12,15}[A-Z]{0,2}|(?:LP|CNG|CAINIAO)\d{14,18}"
    r"|ZTO\d{12,14}|STO\d{12,13}|JT\d{13}|1Z[A-Z0-9]{16}|[A-Z]{2}\d{9}[A-Z]{2})(?![A-Z0-9])"
)


# Numbers that only one platform gives: those of its orders, and of its own vans. Bare digits prove nothing.
_SHAPES = (
    ("amazon", "order_number", re.compile(r"(?<![\dA-Z-])\d{3}-\d{7}-\d{7}(?![\d-])")),
    ("amazon", "waybill", re.compile(r"(?<![A-Z0-9])TB[ACM]\d{12}(?![A-Z0-9])")),
    ("ebay", "order_number", re.compile(r"(?<![\dA-Z-])\d{2}-\d{5}-\d{5}(?![\d-])")),
    ("pinduoduo", "order_number", re.compile(r"(?<![\dA-Z-])2\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-\d{15}(?!\d)")),
)


class Trace(NamedTuple):
    """Something that should not be there. `kind`: sms, waybill, card, name (of a platform), order_number, other_number.

    `platform` is "" where none is named; `excerpt` shows it with digits masked.
    """

    kind: str
    platform: str
    term: str
    excerpt: str


class _Term(NamedTuple):
    platform: str
    term: str
    pattern: re.Pattern[str]
    exceptions: tuple[str, ...]


@cache
def terms() -> tuple[_Term, ...]:
    """The words of data/traces.csv."""
    with TRACES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = []
    for row in rows:
        term = row["term"].casefold()
        # Latin words and figures stand alone; Chinese ones anywhere.
        pattern = rf"(?<![a-z0-9]){re.escape(term)}(?![a-z0-9])" if term.isascii() else re.escape(term)
        found.append(
            _Term(row["platform"], term, re.compile(pattern), tuple(w for w in row["except"].split("|") if w))
        )
    return tuple(found)


def find_traces(text: str, *, channel: str, numbers: Iterable[str] = ()) -> list[Trace]:
    """Traces in a buyer's words or in what was read from a photo, in the order of the table, each term once.

    `channel` is the store's: its own name is no trace. `numbers` are the waybill numbers the parcel may carry; where
    some are known, another number in the shape of a waybill is a trace.
    """
    lines = [_plain(line) for line in re.split(r"[\n。;；]", text)]
    found: dict[tuple[str, str], Trace] = {}
    for line in lines:
        for one in terms():
            if one.platform == channel or (one.platform, one.term) in found:
                continue
            match = next((m for m in one.pattern.finditer(line) if not _excepted(line, m, one.exceptions)), None)
            if match is None:
                continue
            is_card = one.platform == "card"
            signed = line[max(0, match.start() - 1) : match.start()] in ("【", "[")  # as senders of SMS sign
            kind = "card" if is_card else "sms" if signed else _where(line) or _where(" ".join(lines)) or "name"
            found[one.platform, one.term] = Trace(
                kind, "" if is_card else one.platform, one.term, _excerpt(line, match.start(), match.end())
            )
    plain = unicodedata.normalize("NFKC", text).upper()
    for platform, kind, shape in _SHAPES:
        match = shape.search(plain) if platform != channel else None
        if match is not None:
            shown = _masked(match[0], keep=4)
            found[platform, kind] = Trace(kind, platform, shown, shown)
    known = {_bare(number) for number in numbers if number}
    if known:
        seen = list(dict.fromkeys(_NUMBERS.findall(plain)))
        if seen and not any(_bare(number) in known for number in seen):
            found["", "number"] = Trace("other_number", "", _masked(seen[0], keep=4), _masked(seen[0], keep=4))
    return list(found.values())


def verdict(traces: Sequence[Trace], lines: int) -> str:
    """State of a check by what was found in so many lines of text: breach, clean, or unreadable where none was read."""
    if traces:
        return "breach"
    return "clean" if lines else "unreadable"


def _plain(text: str) -> str:
    text = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return re.sub(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff])", "", text)  # "拼 多 多"


def _excepted(line: str, match: re.Match[str], exceptions: Sequence[str]) -> bool:
    return any(
        other.start() <= match.start() and match.end() <= other.end()
        for word in exceptions
        for other in re.finditer(re.escape(word), line)
    )


def _where(text: str) -> str:
    return next((kind for kind, words in _WHERE if any(word in text for word in words)), "")


def _excerpt(line: str, start: int, end: int) -> str:
    return _masked(line[max(0, start - EXCERPT) : end + EXCERPT].strip(), keep=0, but=line[start:end])


def _masked(text: str, *, keep: int, but: str = "") -> str:
    """Digits as dots, but the last `keep`; the word found is left as it is."""
    if but and but in text:
        before, _word, after = text.partition(but)
        return _masked(before, keep=0) + but + _masked(after, keep=0)
    split = len(text) - keep if keep else len(text)
    return re.sub(r"\d", "•", text[:split]) + text[split:]


def _bare(number: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", number.upper())
