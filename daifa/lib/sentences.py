"""Sentences that are kept and told again, each time in the language of whoever reads.

`gettext` gives a sentence as Django's does, in today's language, and remembers how it was made. `kept` turns it into what
a column of text holds, `told` turns that back for a reader. What a person wrote passes through both as it is, and so do
rows from before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils import translation

How = dict[str, Any]
"""How a sentence was made: {"say": msgid, "with": {name: value}}, with "many" and "n" for a plural; {"en": …, "zh": …} for
words declared in both languages; {"list": […], "by": …} for several in a row. A value is text, a number, or a How."""


class Sentence(str):
    """Text in the language of the moment it was made in, with how to say it in another."""

    how: How

    def __new__(cls, text: str, how: How) -> Sentence:
        made = super().__new__(cls, text)
        made.how = how
        return made

    def __mod__(self, places: Any) -> str:
        text = super().__mod__(places)
        if not isinstance(places, Mapping) or "say" not in self.how or "with" in self.how:
            return text
        named = {name for msgid in (self.how["say"], self.how.get("many", "")) for name in _NAMES.findall(msgid)}
        return Sentence(text, self.how | {"with": {name: _part(places[name]) for name in sorted(named)}})

    def strip(self, chars: str | None = None, /) -> str:
        """Itself: a sentence has no blanks around it."""
        return self if chars is None else super().strip(chars)

    def __getitem__(self, place: Any, /) -> str:
        """Itself where a cut would leave it whole."""
        text = super().__getitem__(place)
        return self if len(text) == len(self) and isinstance(place, slice) and (place.step or 1) == 1 else text

    def __reduce__(self) -> tuple[Any, ...]:
        return Sentence, (str(self), self.how)


_NAMES = re.compile(r"%\((\w+)\)")


def gettext(msgid: str) -> str:
    """The sentence in today's language; filled with `%` it still knows how it was made."""
    return Sentence(translation.gettext(msgid), {"say": msgid})


def ngettext(one: str, many: str, count: int) -> str:
    """As `gettext`, for what counts something."""
    return Sentence(translation.ngettext(one, many, count), {"say": one, "many": many, "n": int(count)})


def in_words(words: Sequence[str]) -> str:
    """Words declared as (English, 中文), in today's language."""
    return Sentence(words[_chinese()], {"en": words[0], "zh": words[1]})


def joined(by: str, parts: Iterable[object], *, chinese: str | None = None) -> str:
    """Parts in a row; `by` stands between them, or `chinese` where Chinese is read."""
    found = list(parts)
    if len(found) < 2:
        return found[0] if found and isinstance(found[0], str) else "".join(map(str, found))
    if chinese is None and not any(isinstance(part, Sentence) for part in found):
        return by.join(map(str, found))
    how: How = {"list": [_part(part) for part in found], "by": by}
    if chinese is not None:
        how["zh_by"] = chinese
    between = chinese if chinese is not None and _chinese() else by
    return Sentence(between.join(map(str, found)), how)


def kept(text: str, most: int | None = None) -> str:
    """What a column holds: how the sentence was made, or the text as it is where it was made by hand.

    `most`: how many characters the column takes. The longest value gives way; what is still too long stays in today's words.
    """
    if not isinstance(text, Sentence):
        return text.strip()[:most]
    whole = _written(text.how)
    if most is not None and len(whole) > most:
        whole = _written(_shorter(text.how, len(whole) - most))
    return whole if most is None or len(whole) <= most else str(text)[:most]


def told(text: str) -> str:
    """What `kept` kept, in the reader's language, and able to be kept again; any other text as it is."""
    if isinstance(text, Sentence):
        return Sentence(_said(text.how), text.how)
    if not text.startswith(_BEGINNINGS):
        return text
    try:
        how = json.loads(text)
        return Sentence(_said(how), how)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return text


def kept_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Params of something that is told later: sentences among them as `kept`, the rest as it is."""
    return {name: kept(value) if isinstance(value, Sentence) else value for name, value in params.items()}


def told_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """What `kept_params` kept, in the reader's language."""
    return {name: told(value) if isinstance(value, str) else value for name, value in params.items()}


_BEGINNINGS = ('{"say":', '{"en":', '{"list":')


def _chinese() -> int:
    return int((translation.get_language() or "").startswith("zh"))


def _part(value: object) -> Any:
    if isinstance(value, Sentence):
        return value.how
    return value if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _written(how: How) -> str:
    return json.dumps(how, ensure_ascii=False, separators=(",", ":"))


def _said(how: Any) -> str:
    if not isinstance(how, dict):
        return str(how)
    if "say" in how:
        msgid, many = how["say"], how.get("many")
        words = translation.ngettext(msgid, many, how["n"]) if many else translation.gettext(msgid)
        return _filled(words, how["with"]) if "with" in how else words
    if "list" in how:
        by = how["zh_by"] if "zh_by" in how and _chinese() else how["by"]
        return str(by).join(_said(part) for part in how["list"])
    return str((how["en"], how["zh"])[_chinese()])


# Not by `%`: a person may have typed what looks like a kept sentence, and `%` would obey any width that stands in it.
_PLACE = re.compile(r"%(?:\((\w+)\)[sd]|%)")


def _filled(words: str, values: Mapping[str, Any]) -> str:
    return _PLACE.sub(lambda place: _said(values[place[1]]) if place[1] else "%", words)


def _shorter(how: How, by: int) -> How:
    """The same with its longest value cut by so many characters, and a mark that something is missing."""
    longest = max(_leaves(how), key=len, default="")
    if len(longest) < by + 20:
        return how
    return _replaced(how, longest, longest[: -by - 1] + "…")


def _leaves(how: Any) -> list[str]:
    """Values in it that are text, no matter how deep; never the words themselves."""
    if not isinstance(how, dict):
        return [how] if isinstance(how, str) else []
    inside = [*how.get("with", {}).values(), *how.get("list", [])]
    return [leaf for part in inside for leaf in _leaves(part)]


def _replaced(how: Any, old: str, new: str) -> Any:
    if not isinstance(how, dict):
        return new if how == old else how
    made = dict(how)
    if "with" in how:
        made["with"] = {name: _replaced(part, old, new) for name, part in how["with"].items()}
    if "list" in how:
        made["list"] = [_replaced(part, old, new) for part in how["list"]]
    return made
