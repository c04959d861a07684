"""What follows from a platform's rule and a date: deadlines, points and what they cost next, the deposit, licences.

Pure; `docs/rules/violations.md` explains each rule with worked tables that the tests run. A rule of the rule book is
taken as it is (`policy.rules.Rule`): its text decides, nothing here repeats a figure that the book has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from daifa.lib.workdays import nth_working_day

NOTHING = Decimal(0)

REMIND_DAYS = 30
"""A licence that ends within so many days is a task."""


# --- Deadlines ----------------------------------------------------------------------------------------------------


class Deadline(NamedTuple):
    """`due_at`: the stricter reading, for warnings. `until`: the wider one, after which it is refused. `rule`: its id."""

    due_at: datetime
    until: datetime
    rule: str


def deadline(
    start: datetime, amount: int | Decimal, unit: str, zone: str, rule: str = "", country: str = ""
) -> Deadline | None:
    """So long after `start`; None for a unit that is no time. Working days are those of `country` (`lib.workdays`).

    "One day after the notice" may mean 24 hours or the end of the next day where the store is: the first is warned of,
    the second is when it is over.
    """
    start = start.astimezone(UTC)  # with a zone attached, adding hours would move the wall clock
    if unit in ("hour", "clock_hour"):
        end = start + timedelta(hours=float(amount))
        return Deadline(end, end, rule)
    whole = int(amount)
    if unit == "day":
        return Deadline(start + timedelta(days=whole), _end_of_day(_day(start, zone) + timedelta(days=whole), zone), rule)
    if unit in WORKING:
        last = nth_working_day(_day(start, zone), whole, country)
        end = _end_of_day(last, zone)
        return Deadline(datetime.combine(last, _clock(start, zone), ZoneInfo(zone)), end, rule)
    return None


WORKING = ("working_day", "business_day")


def _day(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()


def _clock(at: datetime, zone: str) -> time:
    return at.astimezone(ZoneInfo(zone)).timetz().replace(tzinfo=None)


def _end_of_day(day: date, zone: str) -> datetime:
    """The first moment of the day after, where the store is."""
    return datetime.combine(day + timedelta(days=1), time(0), ZoneInfo(zone))


class AppealTerms(NamedTuple):
    """The rules about appeals that act: until when, how often, within what time it is answered. None = the book is silent."""

    within: Any = None
    rounds: Any = None
    answer: Any = None

    @property
    def most(self) -> int | None:
        """How many appeals there may be; None = as many as one likes."""
        return int(self.rounds.threshold) if self.rounds is not None else None


_TERMS = {
    "within": ("days_to_appeal_penalty", "days_to_appeal_compensation"),
    "rounds": ("appeals_against_penalty", "appeals_against_compensation"),
    "answer": ("days_to_answer_penalty_appeal", "days_to_answer_compensation_appeal"),
}
"""Metrics of the rule book for a penalty and for a compensation to a buyer."""


def appeal_terms(kind: str, book: Iterable[Any]) -> AppealTerms:
    """What the rules of a book say about appeals against a violation of this kind."""
    wanted = {metrics[kind == "compensation"]: name for name, metrics in _TERMS.items()}
    found: dict[str, Any] = {}
    for rule in book:
        if rule.metric in wanted and rule.acts and isinstance(rule.threshold, Decimal):
            found.setdefault(wanted[rule.metric], rule)
    return AppealTerms(**found)


def appeal_deadline(terms: AppealTerms, notified_at: datetime, zone: str, country: str = "") -> Deadline | None:
    """By when a violation must be appealed; None where the rules do not say."""
    rule = terms.within
    return None if rule is None else deadline(notified_at, rule.threshold, rule.unit or "", zone, rule.id, country)


def answer_deadline(terms: AppealTerms, sent_at: datetime, zone: str, country: str = "") -> datetime | None:
    """By when the platform should have answered an appeal; None where the rules do not say."""
    rule = terms.answer
    found = None if rule is None else deadline(sent_at, rule.threshold, rule.unit or "", zone, rule.id, country)
    return found.until if found else None


def why_not_appeal(
    *, state: str, until: datetime | None, rounds_used: int, rounds_allowed: int | None, has_open: bool, at: datetime
) -> str:
    """"" or the code why an appeal cannot be made now: settled, open, rounds, late."""
    if state in ("lifted", "expired"):
        return "settled"
    if has_open:
        return "open"
    if rounds_allowed is not None and rounds_used >= rounds_allowed:
        return "rounds"
    if until is not None and at >= until:
        return "late"
    return ""


def complaint_deadline(opened_at: datetime, book: Iterable[Any], zone: str, country: str = "") -> Deadline | None:
    """By when a complaint must be answered, by the channel's rule for tickets; None where the book does not say."""
    return _by_metric("hours_to_answer_ticket", opened_at, book, zone, country)


def restore_deadline(forwarded_at: datetime, book: Iterable[Any], zone: str, country: str = "") -> Deadline | None:
    """When the platform must end its measure unless the complainant has sued or complained; None: no law here says so."""
    return _by_metric("counter_notice_days", forwarded_at, book, zone, country)


def _by_metric(metric: str, start: datetime, book: Iterable[Any], zone: str, country: str) -> Deadline | None:
    for rule in book:
        if rule.metric == metric and rule.acts and isinstance(rule.threshold, Decimal):
            return deadline(start, rule.threshold, rule.unit or "day", zone, rule.id, country)
    return None


# --- Points -------------------------------------------------------------------------------------------------------


class Rung(NamedTuple):
    """From so many points on this happens. `acts` False: shown only, `why_not` says why."""

    threshold: Decimal
    consequence: str
    rule: str
    acts: bool = True
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Points:
    """A store's points at a moment: what counts, what it has brought, what comes next and when they fall."""

    total: Decimal
    reached: Rung | None = None
    next: Rung | None = None
    left: Decimal | None = None  # points until the next rung
    ladder: tuple[Rung, ...] = ()
    falls_at: datetime | None = None  # the next moment when points fall away
    falls: Decimal = NOTHING  # how many then
    violations: tuple[int, ...] = ()
    by_kind: Mapping[str, Decimal] = field(default_factory=dict)


def ladder(book: Iterable[Any]) -> tuple[Rung, ...]:
    """The rungs of a channel, lowest first: its rules of penalty points that begin at a number."""
    rungs = [
        Rung(rule.threshold, str(rule.consequence), rule.id, rule.acts, "" if rule.acts else rule.why_not)
        for rule in book
        if rule.kind == "penalty_points" and rule.comparison in (">=", ">") and rule.threshold is not None
    ]
    return tuple(sorted(rungs, key=lambda rung: (rung.threshold, rung.rule)))


class Fall(NamedTuple):
    """When points fall away by a rule; one that does not act only informs: the points count until a person says so."""

    at: datetime
    rule: str
    acts: bool


def points_fall(book: Iterable[Any], notified_at: datetime, zone: str) -> Fall | None:
    """When points of a violation fall away; None where no rule says: then they count until somebody knows.

    Where the channel resets all points every so many months, it is on the first Monday of such a month; else a window of
    so many days runs from the notice, the longest there is.
    """
    windows = []
    for rule in book:
        if rule.metric == "months_between_points_resets" and isinstance(rule.threshold, Decimal):
            monday = _reset_after(_day(notified_at, zone), int(rule.threshold))
            return Fall(datetime.combine(monday, time(0), ZoneInfo(zone)), rule.id, rule.acts)
        if rule.kind == "penalty_points" and rule.window_days and rule.comparison in (">=", ">"):
            windows.append(rule)
    if not windows:
        return None
    longest = max(windows, key=lambda rule: (rule.window_days, rule.acts))
    return Fall(notified_at + timedelta(days=longest.window_days), longest.id, longest.acts)


def _reset_after(day: date, months: int) -> date:
    """The first Monday after `day` that is the first of its month, in January or a multiple of `months` after it."""
    month = (day.month - 1) // months * months
    while True:  # points of the days before this period's first Monday fall on it
        first = date(day.year + month // 12, month % 12 + 1, 1)
        monday = first + timedelta(days=-first.weekday() % 7)
        if monday > day:
            return monday
        month += months


def standing(
    violations: Iterable[tuple[int, str, Decimal, datetime, datetime | None]], rungs: Sequence[Rung], at: datetime
) -> Points:
    """Points that count at `at`. `violations`: (id, kind, points, from, until) of those not lifted."""
    counting = [row for row in violations if row[2] > 0 and row[3] <= at and (row[4] is None or at < row[4])]
    total = sum((row[2] for row in counting), NOTHING)
    reached = next((rung for rung in reversed(rungs) if total >= rung.threshold), None)
    following = next((rung for rung in rungs if total < rung.threshold), None)
    falls_at = min((row[4] for row in counting if row[4] is not None), default=None)
    by_kind: dict[str, Decimal] = {}
    for row in counting:
        by_kind[row[1]] = by_kind.get(row[1], NOTHING) + row[2]
    return Points(
        total, reached, following, following.threshold - total if following else None, tuple(rungs), falls_at,
        sum((row[2] for row in counting if row[4] == falls_at and falls_at is not None), NOTHING),
        tuple(row[0] for row in counting), by_kind,
    )  # fmt: skip


# --- Deposit ------------------------------------------------------------------------------------------------------

INTO = ("paid_in", "topped_up", "given_back")
OUT_OF = ("deducted", "withdrawn", "returned")
BESIDE = ("penalty", "penalty_back")
"""Kinds of moves that raise the deposit, lower it, or pass it by (kept from the proceeds)."""


def held(moves: Iterable[tuple[str, Decimal]]) -> Decimal:
    """The deposit after these moves (kind, amount)."""
    return sum(
        (amount if kind in INTO else -amount for kind, amount in moves if kind not in BESIDE), NOTHING
    )


def why_not_move(
    kind: str, amount: Decimal, *, deposit: Decimal, required: Decimal | None, taken: Decimal, has_open_cases: bool
) -> str:
    """"" or the code why a move cannot be: too_much_out, below_required, more_than_taken, open_cases.

    `taken`: what the violation it belongs to has cost so far in the same way (deducted, or kept from the proceeds).
    """
    if kind in OUT_OF and amount > deposit:
        return "too_much_out"
    if kind == "withdrawn" and required is not None and deposit - amount < required:
        return "below_required"
    if kind in ("given_back", "penalty_back") and amount > taken:
        return "more_than_taken"
    if kind == "returned" and has_open_cases:
        return "open_cases"
    return ""


# --- Licences -----------------------------------------------------------------------------------------------------


class Need(NamedTuple):
    """Any of `kinds` will do for goods of a category. `words` = () every category; `channels` = () every channel.

    `blocks`: the owner made it a must, so publishing waits for it. What comes with daifa (`id`) only asks, because the
    channel's own list was not read: `source`, `as_of` and `confidence` say where it stands and how sure it is.
    """

    kinds: tuple[str, ...]
    words: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    source: str = ""
    blocks: bool = False
    unless: tuple[str, ...] = ()
    id: str = ""
    source_zh: str = ""
    as_of: str = ""
    confidence: str = ""


@cache
def default_needs() -> tuple[Need, ...]:
    """What papers goods need by law, as far as daifa knows: data/needs.yaml. The owner decides on each."""
    import yaml

    told = yaml.safe_load((Path(__file__).parent / "data" / "needs.yaml").read_text(encoding="utf-8"))
    return tuple(
        Need(
            tuple(row["kinds"]), tuple(row["words"]), tuple(row.get("channels", told["channels"])), row["source"]["en"],
            unless=tuple(row.get("unless", ())), id=row["id"], source_zh=row["source"]["zh"], as_of=row["as_of"], confidence=row["confidence"],
        )
        for row in told["needs"]
    )  # fmt: skip


class Said(NamedTuple):
    """The owner's word: about one of daifa's needs (`default` its id), or about a paper for a category (`kind`).

    `store` None: for all stores; `channel` "" : everywhere. `is_needed` False: not needed.
    """

    kind: str
    category: str
    is_needed: bool
    source: str
    channel: str = ""
    store: int | None = None
    default: str = ""


def needs_of(category: str, said: Iterable[Said]) -> list[Need]:
    """What goods of a category need: what the owner made a must, and what daifa asks for where he said nothing.

    The nearer word counts: a store's before its channel's before that about everything.
    """
    nearest: dict[tuple[str, str, str], Said] = {}
    for one in sorted(said, key=lambda one: (one.store is not None, one.channel != "")):
        if fits(category, (one.category,) if one.category else ()):
            nearest[one.default, one.kind, one.category] = one
    own = [
        Need((one.kind,), (one.category,) if one.category else (), (), one.source, blocks=True)
        for one in nearest.values()
        if one.is_needed and not one.default
    ]
    about = {one.kind for one in nearest.values() if not one.default}
    decided = {one.default: one for one in nearest.values() if one.default}
    for need in default_needs():
        word = decided.get(need.id)
        if word is None and not about & set(need.kinds):
            own.append(need)
        elif word is not None and word.is_needed:
            own.append(need._replace(channels=(), source=word.source or need.source, source_zh=word.source or need.source_zh, blocks=True))
    return own


class Missing(NamedTuple):
    """A licence that is not there, or has ended. `blocks`: publishing waits for it; else it is asked for."""

    kinds: tuple[str, ...]
    category: str
    source: str
    blocks: bool
    ended_on: date | None = None
    source_zh: str = ""


class Licence(NamedTuple):
    """A licence of a store; `category` "" covers all."""

    kind: str
    category: str
    valid_from: date
    valid_until: date | None = None
    withdrawn_on: date | None = None

    def counts_on(self, day: date) -> bool:
        return (
            self.valid_from <= day
            and (self.valid_until is None or day <= self.valid_until)
            and (self.withdrawn_on is None or day < self.withdrawn_on)
        )


def fits(category: str, words: Sequence[str], unless: Sequence[str] = ()) -> bool:
    """Whether a category's name speaks of one of the words; none given fits all. `unless`: names that only look so."""
    plain = " ".join(category.casefold().split())
    if any(word in plain for word in unless):
        return False
    return not words or any(word in plain for word in words)


def missing(
    channel: str, category: str, needs: Iterable[Need], licences: Iterable[Licence], on: date
) -> list[Missing]:
    """Which needs of a category no licence of the store meets on that day."""
    own = [one for one in licences if not one.category or one.category.casefold() in category.casefold()]
    found = []
    for need in needs:
        if need.channels and channel not in need.channels:
            continue
        if not fits(category, need.words, need.unless):
            continue
        of_kind = [one for one in own if one.kind in need.kinds]
        if any(one.counts_on(on) for one in of_kind):
            continue
        ended = [one.valid_until for one in of_kind if one.valid_until is not None and one.valid_until < on]
        found.append(Missing(need.kinds, category, need.source, need.blocks, max(ended, default=None), need.source_zh))
    return found


# --- Words of files -----------------------------------------------------------------------------------------------

KIND_WORDS: dict[str, tuple[str, ...]] = {
    "late_dispatch": ("late dispatch", "late shipment", "延迟发货", "发货超时", "超时发货", "晚发货"),
    "late_tracking": ("tracking overdue", "no scan", "物流超时", "揽收超时", "轨迹超时", "物流停滞"),
    "invalid_tracking": ("invalid tracking", "fake tracking", "虚假发货", "虚假单号", "无效单号", "运单号异常", "虚假物流"),
    "out_of_stock": ("out of stock", "缺货"),
    "no_source": ("no source", "reselling", "dropshipping", "无货源", "店群", "铺货"),
    "wrong_goods": ("wrong item", "missing item", "错发", "漏发", "货不对板"),
    "counterfeit": ("counterfeit", "fake goods", "售假", "假冒", "假货"),
    "infringement": ("infringement", "intellectual property", "ip violation", "侵权", "盗图", "知识产权"),
    "false_claims": ("false advertising", "forbidden word", "false claim", "虚假宣传", "违禁词", "极限词", "夸大宣传"),
    "diversion": ("diversion", "steering", "off-platform", "引流", "站外", "导流"),
    "service": ("service", "reply", "客服", "服务态度", "回复率"),
    "qualification": ("qualification", "licence", "license", "资质"),
    "compensation": ("compensation", "赔付", "赔偿"),
}  # fmt: skip


def kind_of_words(text: str) -> str:
    """Our kind for what a platform writes; "other" where nothing is recognised, "" where nothing is written."""
    plain = " ".join(text.casefold().split())
    if not plain:
        return ""
    if plain.replace(" ", "_") in KIND_WORDS:
        return plain.replace(" ", "_")
    return next((kind for kind, words in KIND_WORDS.items() if any(word in plain for word in words)), "other")
