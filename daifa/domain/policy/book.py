"""Reads files of rules: strict, each problem with its file and line. A file with a problem is refused as a whole.

Nothing is stored here; `commands.take_book` does that. Fields are explained in `data/README.md`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from daifa.domain.policy import rules
from daifa.domain.policy.rules import Gate, Rule, Words
from daifa.lib.commas import listed
from daifa.lib.money import is_currency

MOST_BYTES = 4_000_000
NOT_RULES = ("restricted_terms.yaml", "metrics.yaml", "categories.yaml", "brands.yaml")
"""Data files beside the rules: each has a reader of its own."""


class Problem(NamedTuple):
    """Why a file is refused: which file, which line (1 = the first; 0 = the whole file), what to do."""

    file: str
    line: int
    message: str

    def sentence(self) -> str:
        if not self.line:
            return f"{self.file}: {self.message}"
        return _("%(file)s, line %(line)d: %(message)s") % self._asdict()


class Metric(NamedTuple):
    """A quantity rules speak of, with its name for people."""

    name: str
    words: Words


@dataclass(frozen=True, slots=True)
class Book:
    """What some files say: rules by id, the titles of the channels; or the problems (then nothing of it counts)."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    titles: Mapping[str, Words] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    digest: str = ""


def digest_of(contents: Mapping[str, bytes]) -> str:
    """The same files in the same words have the same digest."""
    whole = hashlib.sha256()
    for name in sorted(contents):
        whole.update(name.encode() + b"\0" + hashlib.sha256(contents[name]).digest())
    return whole.hexdigest()


def shipped_files() -> dict[str, bytes]:
    """The files of rules that come with daifa: name → content."""
    folder = files("daifa.domain.policy") / "data"
    return {
        one.name: one.read_bytes()
        for one in sorted(folder.iterdir(), key=lambda one: one.name)
        if one.name.endswith(".yaml") and one.name not in NOT_RULES
    }


@cache
def shipped_book() -> Book:
    """The book that comes with daifa."""
    return read_book(shipped_files())


@cache
def metrics() -> dict[str, Metric]:
    """The declared table of quantities: a rule about anything else is refused."""
    import yaml

    text = (files("daifa.domain.policy") / "data" / "metrics.yaml").read_text(encoding="utf-8")
    return {
        name: Metric(name, Words(zh, en))
        for name, (en, zh) in yaml.safe_load(text).items()
    }


def read_book(contents: Mapping[str, bytes], *, own: Collection[str] = ()) -> Book:
    """Read files (name → content). With problems the book is empty and names them all, in the order of the files.

    Names in `own` are read last: of two rules with one id, one of them daifa's, the owner's is the one that is in the way.
    """
    found: dict[str, Rule] = {}
    places: dict[str, tuple[str, int]] = {}
    titles: dict[str, Words] = {}
    problems: list[Problem] = []
    for name in sorted(contents, key=lambda name: (name in own, name)):
        reader = _Reader(name)
        title, of_file = reader.file(contents[name])
        for rule, line in of_file:
            if rule.id in places:
                other, there = places[rule.id]
                reader.problem(
                    line,
                    _("There are two rules with the id %(id)s; the other one stands in %(file)s, line %(line)d. Give one of them another id.")
                    % {"id": rule.id, "file": other, "line": there},
                )  # fmt: skip
                continue
            places[rule.id] = name, line
            found[rule.id] = rule
        if title:
            titles[name.removesuffix(".yaml")] = title
        problems += sorted(reader.problems, key=lambda one: one.line)
    if problems:
        return Book(problems=tuple(problems), digest=digest_of(contents))
    return Book(found, titles, (), digest_of(contents))


# --- One file ---------------------------------------------------------------------------------------------------

REQUIRED = (
    "id", "channel", "kind", "metric", "comparison", "threshold", "unit", "window_days", "consequence", "source",
    "source_kind", "as_of", "read_on", "confidence", "note",
)  # fmt: skip
OPTIONAL = ("effective", "gate", "applies_when", "floor", "cap", "currency", "cross_check", "mirror", "status")


class _Wrong(Exception):
    """A value that cannot be read; where it stands is known to the caller."""


class _Reader:
    """Reads one file and collects its problems."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.channel = name.removesuffix(".yaml")
        self.problems: list[Problem] = []

    def problem(self, line: int, message: str) -> None:
        self.problems.append(Problem(self.name, line, message))

    def file(self, content: bytes) -> tuple[Words | None, list[tuple[Rule, int]]]:
        import yaml

        nothing: tuple[None, list[tuple[Rule, int]]] = None, []
        if len(content) > MOST_BYTES:
            self.problem(0, _("The file is larger than 4 MB; a file of rules is a few pages of text."))
            return nothing
        try:
            root = yaml.compose(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.problem(mark.line + 1 if mark else 0, _("This is no YAML: %(problem)s.") % {"problem": error.problem or error.context})
            return nothing
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
            self.problem(0, _("The file cannot be read as text in UTF-8."))
            return nothing
        if root is None or root.id != "mapping":
            self.problem(0, _("A file of rules has the fields channel, title and rules."))
            return nothing
        if not {key.value for key, _value in root.value} & {"channel", "title", "rules"}:
            self.problem(_line(root), _("A file of rules has the fields channel, title and rules."))
            return nothing
        fields = self.fields(root, ("channel", "title", "rules"), (), root)
        title = None
        if "channel" in fields and (said := self.text(fields["channel"])) != self.channel:
            # Nothing in the file is looked at under a wrong name: each rule would say the same again.
            self.problem(_line(fields["channel"]), _("The channel is %(channel)s, but the file is called %(file)s; both must be the same.") % {"channel": said or "—", "file": self.name})  # fmt: skip
            return nothing
        if "title" in fields:
            title = self.value(fields["title"], _words)
        listed = fields.get("rules")
        if listed is None:
            return title, []
        if listed.id != "sequence":
            self.problem(
                _line(listed),
                _("Below “rules:” stand the rules one after another, each beginning with “- id: …” on a line of its own. Something else stands here."),
            )
            return title, []
        return title, [(rule, _line(node)) for node in listed.value if (rule := self.rule(node))]

    def fields(self, node: Any, required: Iterable[str], optional: Iterable[str], where: Any) -> dict[str, Any]:
        """name → node, after saying which fields are missing, unknown or written twice."""
        found: dict[str, Any] = {}
        known = {*required, *optional}
        for key, value in node.value:
            name = key.value if key.id == "scalar" else "?"
            if name in found:
                self.problem(_line(key), _("The field %(field)s is written twice.") % {"field": name})
            elif name not in known:
                near = get_close_matches(name, known, 1)
                self.problem(
                    _line(key),
                    _("There is no field %(field)s; did you mean %(near)s?") % {"field": name, "near": near[0]}
                    if near
                    else _("There is no field %(field)s.") % {"field": name},
                )
            else:
                found[name] = value
        for name in required:
            if name not in found:
                self.problem(_line(where), _("The field %(field)s is missing.") % {"field": name})
        return found

    def text(self, node: Any) -> str | None:
        return node.value.strip() if node.id == "scalar" and node.tag != _NULL and node.value.strip() else None

    def value(self, node: Any, read: Callable[[Any], Any]) -> Any:
        try:
            return read(node)
        except _Wrong as wrong:
            self.problem(_line(node), str(wrong))
            return None

    def rule(self, node: Any) -> Rule | None:
        if node.id != "mapping":
            self.problem(
                _line(node), _("A rule begins with “- id: …” and has its fields below, one a line, as “kind: deadline”. Something else stands here.")
            )
            return None
        before = len(self.problems)
        fields = self.fields(node, REQUIRED, OPTIONAL, node)
        got: dict[str, Any] = {}
        for name, one in fields.items():
            try:
                got[name] = FIELDS[name](one)
            except _Wrong as wrong:
                self.problem(_line(one), f"{name}: {wrong}")
        if len(self.problems) > before:
            return None
        for name, sentence in check_whole(got, self.channel):
            self.problem(_line(fields.get(name, node)), f"{name}: {sentence}")
        return Rule(**got) if len(self.problems) == before else None


_NULL = "tag:yaml.org,2002:null"


def _line(node: Any) -> int:
    return node.start_mark.line + 1


def _scalar(node: Any) -> str:
    if node.id != "scalar" or node.tag == _NULL or not node.value.strip():
        raise _Wrong(_("A value is missing."))
    return node.value.strip()


def _or_none(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda node: None if node.id == "scalar" and (node.tag == _NULL or not node.value.strip()) else read(node)


def _id(node: Any) -> str:
    text = _scalar(node)
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,58}", text):
        raise _Wrong(_("An id has small letters, digits and -, at most 59."))
    return text


def one_of(known: Iterable[str], text: str) -> str:
    if text not in known:
        near = get_close_matches(text, list(known), 1)
        raise _Wrong(
            _("%(value)s is not known; did you mean %(near)s?") % {"value": text, "near": near[0]}
            if near
            else _("%(value)s is not known; there are: %(known)s.") % {"value": text, "known": listed(known)}
        )
    return text


def _choice(known: Iterable[str]) -> Callable[[Any], str]:
    return lambda node: one_of(known, _scalar(node))


def known_metric(text: str) -> str:
    if text not in metrics():
        near = get_close_matches(text, metrics(), 1)
        raise _Wrong(
            _("%(value)s is no metric that is known; did you mean %(near)s?") % {"value": text, "near": near[0]}
            if near
            else _("%(value)s is no metric that is known.") % {"value": text}
        )
    return text


def number(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise _Wrong(_("%(value)s is no number.") % {"value": text})
    return found


def day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _Wrong(_("%(value)s is no date; write it as 2026-03-09.") % {"value": text}) from None


def dated(text: str) -> str:
    """A day, a month or a year, as a source text is dated."""
    if not re.fullmatch(r"\d{4}(-\d\d(-\d\d)?)?", text):
        raise _Wrong(_("%(value)s is no date; write it as 2026-03-09, 2026-03 or 2026.") % {"value": text})
    day(text + "-01-01"[(len(text) - 4) :] if len(text) < 10 else text)
    return text


def _either(node: Any) -> Decimal | date:
    text = _scalar(node)
    return day(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else number(text)


def _threshold(node: Any) -> Any:
    if node.id == "sequence":
        if len(node.value) != 2:
            raise _Wrong(_("A range has two values."))
        low, high = (_either(one) for one in node.value)
        if type(low) is not type(high) or low > high:  # type: ignore[operator]
            raise _Wrong(_("A range goes from the lower to the higher value."))
        return low, high
    return number(_scalar(node))


def _whole(node: Any) -> int:
    found = number(_scalar(node))
    if found != found.to_integral_value() or not 0 < found <= 3660:
        raise _Wrong(_("%(value)s is no number of days.") % {"value": node.value})
    return int(found)


def _words(node: Any) -> Words:
    if node.id == "mapping":
        said = {key.value: one.value.strip() for key, one in node.value if key.id == one.id == "scalar"}
        if set(said) == {"zh", "en"} and all(said.values()):
            return Words(**said)
    raise _Wrong(_("It has to be said in Chinese (zh) and in English (en)."))


def _gate(node: Any) -> Gate:
    said = {key.value: one for key, one in node.value} if node.id == "mapping" else {}
    if set(said) != {"metric", "comparison", "threshold"}:
        raise _Wrong(_("It has the fields metric, comparison and threshold."))
    return Gate(
        known_metric(_scalar(said["metric"])),
        one_of(rules.COMPARE, _scalar(said["comparison"])),
        number(_scalar(said["threshold"])),
    )


def _unit(node: Any) -> str:
    text = _scalar(node)
    return text if is_currency(text) else one_of(rules.UNITS, text)


def _currency(node: Any) -> str:
    text = _scalar(node)
    if not is_currency(text):
        raise _Wrong(_("%(value)s is no currency.") % {"value": text})
    return text


FIELDS: dict[str, Callable[[Any], Any]] = {
    "id": _id,
    "channel": _scalar,
    "kind": _choice(rules.KINDS),
    "metric": lambda node: known_metric(_scalar(node)),
    "comparison": _choice(rules.COMPARISONS),
    "threshold": _or_none(_threshold),
    "unit": _or_none(_unit),
    "window_days": _or_none(_whole),
    "consequence": _words,
    "note": _words,
    "source": _scalar,
    "source_kind": _choice(rules.SOURCE_KINDS),
    "as_of": _or_none(lambda node: dated(_scalar(node))),
    "read_on": lambda node: day(_scalar(node)),
    "confidence": _choice(rules.CONFIDENCES),
    "effective": _or_none(lambda node: day(_scalar(node))),
    "gate": _or_none(_gate),
    "applies_when": _or_none(_gate),
    "floor": _or_none(lambda node: number(_scalar(node))),
    "cap": _or_none(lambda node: number(_scalar(node))),
    "currency": _or_none(_currency),
    "cross_check": _or_none(_scalar),
    "mirror": _or_none(_scalar),
    "status": _or_none(_choice(rules.STATUSES)),
}


def check_whole(got: Mapping[str, Any], channel: str) -> list[tuple[str, str]]:
    """What is wrong with a rule whose single fields are right: (field, sentence)."""
    wrong = []
    comparison, threshold = got["comparison"], got["threshold"]
    if got["channel"] != channel:
        wrong.append(("channel", _("The rule says %(rule)s, its file %(file)s.") % {"rule": got["channel"], "file": channel}))
    if comparison in rules.UNVALUED:
        if threshold is not None:
            wrong.append(("threshold", _("Nothing is compared (%(comparison)s): leave the threshold empty.") % {"comparison": comparison}))
    elif threshold is None:
        wrong.append(("threshold", _("A figure is missing for the comparison %(comparison)s.") % {"comparison": comparison}))
    elif comparison == "between" and not isinstance(threshold, tuple):
        wrong.append(("threshold", _("between needs two values, the lower one first.")))
    elif comparison in rules.COMPARE and isinstance(threshold, tuple):
        wrong.append(("threshold", _("%(comparison)s needs one value.") % {"comparison": comparison}))
    if (threshold is None) != (got["unit"] is None):
        wrong.append(("unit", _("A figure needs a unit, and a unit a figure.")))
    floor, cap = got.get("floor"), got.get("cap")
    if (floor is not None or cap is not None) and not got.get("currency"):
        wrong.append(("currency", _("A lowest or highest amount needs its currency.")))
    if floor is not None and cap is not None and floor > cap:
        wrong.append(("cap", _("The highest amount is below the lowest.")))
    if got["as_of"] and rules.first_day(got["as_of"]) > got["read_on"]:
        wrong.append(("as_of", _("The text is dated after the day it was read.")))
    return wrong


# --- Overrides, as they are stored -------------------------------------------------------------------------------


def changes_read(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Stored changes of an override (field → text, or None) as the values of a Rule. They were checked when stored."""
    return {name: None if text is None else _change(name, text) for name, text in changes.items()}


def _change(name: str, text: str) -> Any:
    import yaml

    return FIELDS[name](yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def check_changes(rule: Rule, changes: Mapping[str, str | None]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """(values of a Rule, problems as (field, sentence)) of what an owner wants to read otherwise in this rule."""
    import yaml

    values: dict[str, Any] = {}
    wrong: list[tuple[str, str]] = []
    for name, text in changes.items():
        if name not in rules.CHANGEABLE:
            wrong.append((name, _("%(field)s cannot be overridden; what can is: %(known)s.") % {"field": name, "known": listed(rules.CHANGEABLE)}))
            continue
        try:
            values[name] = FIELDS[name](yaml.compose(text)) if text not in (None, "") else FIELDS[name](_EMPTY)
        except _Wrong as problem:
            wrong.append((name, str(problem)))
        except (yaml.YAMLError, AttributeError):
            wrong.append((name, _("%(value)s cannot be read.") % {"value": text}))
    if not wrong:
        whole = {name: getattr(rule, name) for name in FIELDS} | values
        wrong = check_whole(whole, rule.channel)
    return values, wrong


class _EMPTY:
    id, tag, value = "scalar", _NULL, ""
