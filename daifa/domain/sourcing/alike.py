"""Could this offer be the goods we sell? Pure decisions over titles and measures; worked table in docs/rules/alike.md.

A likeness is a hint for a person, with its reasons. Nothing is mapped by it: she compares, orders a sample, links.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

ENOUGH = 45
"""From so many of 100 points on an offer is shown."""

_STOP = frozenset(
    ["a", "an", "and", "as", "at", "by", "de", "for", "from", "in", "of", "on", "or", "the", "to", "with", "pcs", "pc", "piece", "pieces", "set", "new", "hot", "sale", "wholesale", "free", "shipping", "pack", "factory", "direct", "style", "fashion", "item", "product"]
)
_STOP_ZH = ("厂家直销", "一件代发", "源头工厂", "跨境专供", "新款", "现货", "批发", "包邮", "直销", "工厂", "厂家", "爆款", "外贸", "定制")
# unit → (kind of measure, factor to its base)
_UNITS = {
    "ml": ("ml", 1), "毫升": ("ml", 1), "l": ("ml", 1000), "升": ("ml", 1000), "oz": ("ml", 30),
    "g": ("g", 1), "克": ("g", 1), "kg": ("g", 1000), "公斤": ("g", 1000), "千克": ("g", 1000), "斤": ("g", 500),
    "mm": ("mm", 1), "毫米": ("mm", 1), "cm": ("mm", 10), "厘米": ("mm", 10), "m": ("mm", 1000), "米": ("mm", 1000),
    "inch": ("mm", 25), "寸": ("mm", 25), "w": ("w", 1), "瓦": ("w", 1), "v": ("v", 1), "mah": ("mah", 1), "毫安": ("mah", 1),
    "gb": ("gb", 1), "tb": ("gb", 1024),
}  # fmt: skip
_MEASURE = re.compile(rf"(?<![\w.])(\d+(?:\.\d+)?)\s?({'|'.join(sorted(_UNITS, key=len, reverse=True))})(?![a-z])")
_LATIN = re.compile(r"[a-z][a-z0-9]+|\d{2,}[a-z]*")
_HAN = re.compile(r"[\u3400-\u9fff]+")
_COLOURS = {
    "black": "black", "黑": "black", "white": "white", "白": "white", "red": "red", "红": "red", "blue": "blue", "蓝": "blue",
    "green": "green", "绿": "green", "grey": "grey", "gray": "grey", "灰": "grey", "pink": "pink", "粉": "pink", "yellow": "yellow",
    "黄": "yellow", "brown": "brown", "棕": "brown", "purple": "purple", "紫": "purple", "orange": "orange", "橙": "orange",
}  # fmt: skip


class Looks(NamedTuple):
    """What a title says: words (Chinese ones as pairs of signs), measures by kind (ml, g, mm …), colours."""

    words: frozenset[str]
    measures: dict[str, frozenset[int]]
    colours: frozenset[str]


class Likeness(NamedTuple):
    """`points` of 100. `shared` words, measures and colours in common; `differs`: measures and colours that contradict."""

    points: int
    shared: tuple[str, ...]
    differs: tuple[str, ...]


def looks_of(*texts: str) -> Looks:
    """Of a title with what else is known of the goods: options, barcode words."""
    text = " ".join(unicodedata.normalize("NFKC", one).casefold() for one in texts if one)
    for word in _STOP_ZH:
        text = text.replace(word, " ")
    measures: dict[str, set[int]] = {}
    for number, unit in _MEASURE.findall(text):
        kind, factor = _UNITS[unit]
        measures.setdefault(kind, set()).add(round(float(number) * factor))
    plain = _MEASURE.sub(" ", text)
    colours = {_COLOURS[word] for word in _LATIN.findall(plain) if word in _COLOURS}
    colours |= {_COLOURS[sign] for sign in plain if sign in _COLOURS and f"{sign}色" in plain}
    words = {_singular(word) for word in _LATIN.findall(plain) if word not in _STOP and word not in _COLOURS}
    for run in _HAN.findall(re.sub(r"[\u3400-\u9fff]色", " ", plain)):
        words |= {run[i : i + 2] for i in range(len(run) - 1)} or {run}
    return Looks(frozenset(words), {kind: frozenset(values) for kind, values in measures.items()}, frozenset(colours))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def likeness(ours: Looks, theirs: Looks) -> Likeness:
    """How alike two titles are: shared words against the shorter and against both, measures and colours on top.

    A measure that contradicts halves the points, a colour takes a fifth off: it may be another size of the same goods.
    """
    shared = ours.words & theirs.words
    if not shared:
        return Likeness(0, (), ())
    points = 50 * len(shared) / min(len(ours.words), len(theirs.words)) + 50 * 2 * len(shared) / (len(ours.words) + len(theirs.words))
    if min(len(ours.words), len(theirs.words)) < 2 or len(shared) < 2:
        points *= 0.7  # one word in common is little
    same, differs = [], []
    for kind in sorted(ours.measures.keys() & theirs.measures.keys()):
        if ours.measures[kind] & theirs.measures[kind]:
            same += [f"{value} {kind}" for value in sorted(ours.measures[kind] & theirs.measures[kind])]
            points += 10
        else:
            differs.append(f"{_several(ours.measures[kind], kind)} / {_several(theirs.measures[kind], kind)}")
            points *= 0.5
    if ours.colours and theirs.colours:
        if ours.colours & theirs.colours:
            same += sorted(ours.colours & theirs.colours)
            points += 5
        else:
            differs.append(f"{', '.join(sorted(ours.colours))} / {', '.join(sorted(theirs.colours))}")
            points *= 0.8
    return Likeness(min(100, round(points)), (*sorted(shared), *same), tuple(differs))


def _several(values: Iterable[int], kind: str) -> str:
    return ", ".join(f"{value} {kind}" for value in sorted(values))
