"""Which parts of a photo tell who a buyer is: decided from the lines read on it, before a copy leaves in an evidence pack.

Pure; `docs/rules/evidence-pictures.md` holds the worked table. A waybill's number, a shop's name, the words on a card stay:
they are the evidence. In doubt a part is covered, and a picture on which nothing can be read is shown to a person.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from daifa.lib.pictures import Box
from daifa.lib.redact import Marks


class Read(Protocol):
    """A line that was read: `lib.ocr.Line`."""

    @property
    def text(self) -> str: ...

    @property
    def box(self) -> Box: ...


class Part(NamedTuple):
    """A part to be covered, and what stands there: a key of PRIVATE."""

    kind: str
    box: Box


PRIVATE: dict[str, tuple[str, str]] = {
    "buyer": ("the buyer's name or address", "买家姓名或地址"),
    "phone": ("phone number", "电话号码"),
    "mail": ("mail address", "电子邮箱"),
    "receiver": ("receiver's block of a label", "面单收件人栏"),
    "address": ("street address", "街道地址"),
    "hand": ("part chosen by a person", "人工遮盖"),
}

DECISIONS: dict[str, tuple[str, str]] = {
    "waiting": ("somebody has to look", "待人工查看"),
    "read": ("read", "已识别"),
    "as_is": ("shown as it is", "原样使用"),
    "boxed": ("parts covered by a person", "人工遮盖"),
    "left_out": ("left out", "不放入"),
}

WHY_WAITING: dict[str, tuple[str, str]] = {
    "ocr_missing": ("photos cannot be read here", "本机未安装文字识别"),
    "no_text": ("nothing can be read on it", "未识别到文字"),
    "unreadable": ("the reader stumbled over it", "识别失败"),
}

# --- What tells who somebody is -----------------------------------------------------------------------------------

_MOBILE = re.compile(r"(?<![\dA-Za-z])(?:\+?86[ -]?)?1[3-9]\d(?:[ -]?\d){8}(?!\d)")
_ABROAD = re.compile(r"\+\d{1,3}[ ().-]{0,2}\d(?:[ ().-]{0,2}\d){6,13}")
_FIXED = re.compile(r"(?<!\d)0\d{2,4}[ -]\d{3,4}[ -]?\d{3,4}(?!\d)")
_CALLED = re.compile(r"(?:\btel\b|\bphone\b|\bmob(?:ile)?\b|\bcall\b|电话|手机|联系方式)\W{0,4}(?:\d[ ().-]?){6,}", re.I)
_MAIL = re.compile(r"[\w.+-]+\s?@\s?[\w-]+(?:\s?\.\s?[\w-]+)+")
_STREET = re.compile(
    r"(?:\d+\s*(?:号|弄|室|栋|幢|单元|楼)|[\u4e00-\u9fff]{2,}(?:省|市|区|县|镇|街道|村)[\u4e00-\u9fff\d]{2,}(?:路|街|道|巷|号|弄|室|村|小区|大厦))"
    r"|\b\d+\w?\s+(?:[A-Z][\w']+\s+){1,4}(?:street|st|road|rd|lane|ln|avenue|ave|drive|close|way|court|square|place|terrace|boulevard|blvd)\b"
    r"|\b[A-Z]{1,2}\d[A-Z\d]?\s*\d[A-Z]{2}\b",
    re.I,
)
_RECEIVER = re.compile(r"^\W*(?:收件人?|收货人?|收方|收)(?![\u4e00-\u9fff]*(?:款|银|入|藏|到|据))|\b(?:ship|deliver(?:ed)?|send)\s*to\b|\b(?:recipient|receiver|consignee|addressee)\b|^\W*to\s*:", re.I)
_SENDER = re.compile(r"^\W*(?:寄件人?|发件人?|发货人|寄方|寄)(?![语存望])|\b(?:sender|shipper|ship\s*from|return\s*to)\b|^\W*from\s*:", re.I)
_NUMBER = re.compile(r"^\W*(?:[A-Z]{1,4}[ -]?\d[\d -]{8,}|\d[\d -]{11,})\W*$", re.I)
BELOW = 5
"""A receiver's block has at most so many lines under its heading."""


def private_parts(lines: Iterable[Read], known: Iterable[str]) -> list[Part]:
    """The parts of a picture to be covered. `known`: names, streets, phones and mail addresses of buyers it may show."""
    known = [one for one in known if one.strip()]
    marks = Marks(known)
    read = sorted(lines, key=lambda line: (line.box[1], line.box[0]))
    block = _receivers(read)
    sender = _senders(read)
    plain = [_plain(one) for one in known]
    parts = []
    for place, line in enumerate(read):
        kind = _kind(line.text, marks, plain, in_block=place in block, of_sender=place in sender)
        if kind:
            parts.append(Part(kind, _wider(line.box)))
    return parts


def _kind(text: str, marks: Marks, plain: Sequence[str], *, in_block: bool, of_sender: bool) -> str:
    if marks.are_in(text) or _looks_like(text, plain):
        return "buyer"
    if _MAIL.search(text):
        return "mail"
    if _MOBILE.search(text) or _ABROAD.search(text) or _FIXED.search(text) or _CALLED.search(text):
        return "phone"
    if in_block:
        return "receiver"
    return "address" if not of_sender and _STREET.search(text) else ""


def _plain(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def _looks_like(text: str, marks: Sequence[str]) -> bool:
    """Whether a mark stands in a line though spaces were lost, or a letter or two of a longer one misread."""
    line = _plain(text)
    for mark in marks:
        if len(mark) >= (2 if not mark.isascii() else 5) and mark in line:
            return True
        letters = sum(not c.isdigit() for c in mark)
        if len(mark) >= 8 and letters * 2 > len(mark) and len(line) >= 6 and _nearly(mark, line):
            return True
    return False


def _nearly(mark: str, line: str) -> bool:
    from difflib import SequenceMatcher

    shorter, longer = sorted((mark, line), key=len)
    same = sum(match.size for match in SequenceMatcher(None, shorter, longer, autojunk=False).get_matching_blocks() if match.size > 2)
    return same >= 0.7 * len(shorter) and len(shorter) >= 0.5 * len(mark)


def _receivers(read: Sequence[Read]) -> set[int]:
    """The lines of receivers' blocks: from the heading down, until the sender's, a number or a gap."""
    found: set[int] = set()
    for place, line in enumerate(read):
        if not _RECEIVER.search(line.text) or _SENDER.search(line.text):
            continue
        found.add(place)
        left, _top, right, bottom = line.box
        height = line.box[3] - line.box[1]
        for later in range(place + 1, len(read)):
            box = read[later].box
            if len(found) > BELOW * 4 or box[1] > bottom + 2.2 * height or _SENDER.search(read[later].text):
                break
            same_row = box[1] < line.box[3] - 0.3 * height
            beside = box[2] < left - 60 or (box[0] > right + 60 and not same_row)
            if beside or _NUMBER.search(read[later].text):
                continue
            found.add(later)
            left, right, bottom = min(left, box[0]), max(right, box[2]), max(bottom, box[3])
    return found


def _senders(read: Sequence[Read]) -> set[int]:
    """The sender's heading and the three lines under it: whoever sent it is no buyer."""
    found: set[int] = set()
    for place, line in enumerate(read):
        if _SENDER.search(line.text) and not _RECEIVER.search(line.text):
            found |= {n for n in range(place, min(place + 4, len(read))) if not _RECEIVER.search(read[n].text)}
    return found


def _wider(box: Box) -> Box:
    """A little more than the letters, so that no stroke looks out."""
    up = max(4.0, (box[3] - box[1]) * 0.15)
    return (max(0.0, box[0] - 6), max(0.0, box[1] - up), min(1000.0, box[2] + 6), min(1000.0, box[3] + up))


def counted(parts: Iterable[Part]) -> dict[str, int]:
    """How many parts of each kind."""
    return dict(Counter(part.kind for part in parts))


# --- A person's boxes ---------------------------------------------------------------------------------------------

COLUMNS, ROWS = 16, 20
"""A person covers fields of a grid over the picture."""


def box_of(field: int) -> Box:
    """The part of the picture under a field of the grid, counted by rows from the upper left."""
    row, column = divmod(field, COLUMNS)
    return (column * 1000 / COLUMNS, row * 1000 / ROWS, (column + 1) * 1000 / COLUMNS, (row + 1) * 1000 / ROWS)


def fields_under(boxes: Iterable[Box]) -> set[int]:
    """The fields of the grid that these parts touch."""
    found = set()
    for left, top, right, bottom in boxes:
        for row in range(int(top * ROWS / 1000), min(ROWS, -int(-bottom * ROWS // 1000))):
            for column in range(int(left * COLUMNS / 1000), min(COLUMNS, -int(-right * COLUMNS // 1000))):
                found.add(row * COLUMNS + column)
    return found
