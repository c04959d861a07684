"""What a rule of the book is, and whether it may act. Pure: values in, verdict out; the book is read in `book`.

The worked table is docs/rules/rule-book.md.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

STALE_DAYS = 180
"""A text read by nobody for longer than this is due for a re-check."""

KINDS = {
    "metric_limit": ("limit of a metric", "指标红线"),
    "deadline": ("deadline", "时限"),
    "compensation": ("compensation to the buyer", "对买家赔付"),
    "penalty_points": ("penalty points", "扣分"),
    "score_component": ("part of the shop score", "店铺分构成"),
    "prohibition": ("prohibition", "禁止"),
    "obligation": ("duty", "义务"),
    "eligibility": ("condition of entry", "准入"),
    "process": ("step of a procedure", "流程条件"),
    "deposit": ("deposit", "保证金"),
    "fee": ("fee", "费用"),
    "payout_delay": ("payout delay", "结算滞后"),
    "chargeback": ("chargeback line", "拒付线"),
    "transit_time": ("time in transit", "运输区间"),
    "claim_rule": ("claims and disputes", "理赔纠纷窗口"),
    "seasonal_window": ("season", "季节窗口"),
    "benchmark": ("reference value", "参考值或口径定义"),
}
COMPARISONS = (">", ">=", "<", "<=", "between", "value", "occurs", "missing")
UNVALUED = ("occurs", "missing")
"""Comparisons without a figure: what triggers is that something happens, or is not there."""
UNITS = (
    "percent", "percentage_point", "count", "point", "score", "multiple", "clock_hour", "hour", "day", "working_day",
    "business_day", "month", "year", "date",
)  # fmt: skip
SOURCE_KINDS = {
    "official": N_("official page"),
    "official_mirror": N_("copy of an official text"),
    "law_text": N_("text of the law"),
    "regulator": N_("authority"),
    "news": N_("news"),
    "third_party": N_("third party"),
    "seed": N_("hearsay of the trade"),
}
OFFICIAL = ("official", "official_mirror", "law_text", "regulator")
CONFIDENCES = {"high": N_("high"), "medium": N_("medium"), "low": N_("low")}
STATUSES = {
    "consultation_text": N_("draft for consultation"),
    "unverified": N_("not verified"),
    "contradicted": N_("sources contradict each other"),
    "superseded": N_("superseded"),
    "product_default": N_("daifa's own default"),
}
INFORMS_ONLY = ("unverified", "contradicted", "superseded")


class Words(NamedTuple):
    """The same said in Chinese and in English; `str()` is what the reader understands."""

    zh: str
    en: str

    def __str__(self) -> str:
        return self.zh if (get_language() or "").startswith("zh") else self.en


class Gate(NamedTuple):
    """A second condition that must hold as well: the metric, compared as said, with the threshold."""

    metric: str
    comparison: str
    threshold: Decimal

    def holds(self, value: Decimal | float) -> bool:
        return COMPARE[self.comparison](value, self.threshold)


COMPARE = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}

Threshold = Decimal | tuple[Decimal, Decimal] | tuple[date, date] | None


@dataclass(frozen=True, slots=True)
class Applied:
    """An owner's word about a rule that counts here: who, when (a day), why, and what it changed (empty = confirmed)."""

    id: int
    by: str
    on: date
    reason: str
    store_id: int | None
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it counts on a day for a store: the text of the book with the owner's overrides applied.

    `comparison` and `threshold` say what TRIGGERS it. Percent are in points of 100 (4 = 4 %); `threshold` is a pair
    where the comparison is "between" and None where it is "occurs" or "missing". `as_of` is the date of the source
    text as it was given (a year, a month or a day; None = undated). `acts` False = it only informs, see `why_not`.
    """

    id: str
    channel: str
    kind: str
    metric: str
    comparison: str
    threshold: Threshold
    unit: str | None
    window_days: int | None
    consequence: Words
    note: Words
    source: str
    source_kind: str
    as_of: str | None
    read_on: date
    confidence: str
    gate: Gate | None = None
    applies_when: Gate | None = None
    floor: Decimal | None = None
    cap: Decimal | None = None
    currency: str | None = None
    effective: date | None = None
    status: str | None = None
    cross_check: str | None = None
    mirror: str | None = None
    overrides: tuple[Applied, ...] = ()
    verdict: str = ""
    """"" = it acts; else the code of the reason why it only informs: see `WHY_NOT`."""
    recheck: bool = False
    """Read longer ago than STALE_DAYS, so that a person should look again."""

    @property
    def acts(self) -> bool:
        """May daifa act on it (count, warn, hold) without asking? False = it is only shown."""
        return not self.verdict

    @property
    def why_not(self) -> str:
        """ "" or the sentence why it only informs, in the reader's language."""
        return _(WHY_NOT[self.verdict]) if self.verdict else ""

    @property
    def confirmed(self) -> Applied | None:
        """The latest word of the owner about it, if there is one."""
        return max(self.overrides, key=lambda one: (one.on, one.id), default=None)

    def triggered(self, value: Decimal | float | date) -> bool:
        """Does `value` of the metric trigger the rule? Its gate is asked apart. Not for "value" and unvalued ones."""
        if self.comparison == "between":
            low, high = self.threshold  # type: ignore[misc]
            return bool(low <= value <= high)
        return bool(COMPARE[self.comparison](value, self.threshold))


WHY_NOT = {
    "low": N_("Its source is weak: to be checked. It is shown, and neither counts nor holds anything."),
    "unverified": N_("Nobody has verified it: to be checked. It is shown, and neither counts nor holds anything."),
    "contradicted": N_("Its sources contradict each other: to be checked. It neither counts nor holds anything."),
    "superseded": N_("An older text, kept as history only."),
    "default": N_("daifa's own default: it informs until the owner confirms or changes it."),
    "draft": N_("A draft for consultation: it informs until the final text is out."),
    "undated": N_("Its source bears no date: it informs until the owner confirms that it still reads like this."),
    "stale": N_("It is older than 180 days and no official text of high confidence: it informs until somebody re-checks it."),
    "not_yet": N_("It takes effect later."),
}


def judge(rule: Rule, on: date) -> Rule:
    """The rule with its verdict for that day: may it act, and is a re-check due?

    - low, unverified, contradicted or superseded: informs, whatever the owner confirms;
    - a draft for consultation: informs;
    - daifa's own default: informs until the owner adopts it;
    - undated: informs until the owner confirms it;
    - not in force yet: informs;
    - official and law texts of high confidence act, after 180 days too; then a re-check is due;
    - what else is dated acts for 180 days after its date or its confirmation, then informs until re-checked.
    """
    checked = last_checked(rule)
    stale = checked is not None and on - checked > timedelta(days=STALE_DAYS)
    return replace(rule, verdict=_verdict(rule, on, checked, stale), recheck=stale)


def _verdict(rule: Rule, on: date, checked: date | None, stale: bool) -> str:
    if rule.status in INFORMS_ONLY:
        return rule.status
    if rule.status == "product_default":
        return "" if rule.overrides else "default"
    if rule.confidence == "low":
        return "low"
    if rule.status == "consultation_text":
        return "draft"
    if rule.effective and rule.effective > on:
        return "not_yet"
    if checked is None:
        return "undated"
    if stale and not (rule.confidence == "high" and rule.source_kind in OFFICIAL):
        return "stale"
    return ""


def last_checked(rule: Rule) -> date | None:
    """The day of the text itself or of the owner's latest word on it, whichever is later; None = undated."""
    days = [one.on for one in rule.overrides]
    if rule.as_of:
        days.append(first_day(rule.as_of))
    return max(days, default=None)


def first_day(as_of: str) -> date:
    """The first day a date as coarse as "2026", "2026-03" or "2026-03-09" can mean: the staler reading counts."""
    return date.fromisoformat(as_of + "-01-01"[(len(as_of) - 4) :] if len(as_of) < 10 else as_of)


# --- The owner's overrides --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Override:
    """What the owner says instead of the file, or that it still reads like this (`changes` empty).

    Counts for `store_id` (None = all stores) on the days from `begins` to `valid_until` (None = open): a word that
    names the day a rule takes effect counts from that day, and until then the rule reads as before.
    """

    id: int
    rule_id: str
    store_id: int | None
    changes: Mapping[str, Any]
    by: str
    on: date
    reason: str
    valid_from: date
    valid_until: date | None = None

    @property
    def begins(self) -> date:
        return max(self.valid_from, self.changes.get("effective") or self.valid_from)

    def counts(self, store_id: int | None, on: date) -> bool:
        """A store's own word counts for that store alone; a word about all stores counts everywhere."""
        return (
            self.store_id in (None, store_id)
            and self.begins <= on
            and (self.valid_until is None or on <= self.valid_until)
        )


CHANGEABLE = (
    "comparison", "threshold", "window_days", "gate", "floor", "cap", "effective", "source", "source_kind", "as_of",
    "confidence", "status",
)  # fmt: skip
"""Fields an owner may override. What raises the standing of a rule (`STANDING`) asks for the source and its date."""
STANDING = ("source_kind", "confidence", "status")


def apply(rule: Rule, overrides: list[Override]) -> Rule:
    """The rule with these overrides (all about it, all counting), those of all stores first, then by age."""
    for one in sorted(overrides, key=lambda one: (one.store_id is not None, one.id)):
        applied = Applied(one.id, one.by, one.on, one.reason, one.store_id, tuple(sorted(one.changes)))
        rule = replace(rule, overrides=(*rule.overrides, applied), **dict(one.changes))
    return rule


# --- Differences ------------------------------------------------------------------------------------------------

COMPARED = (
    "kind", "metric", "comparison", "threshold", "unit", "window_days", "gate", "applies_when", "floor", "cap",
    "currency", "consequence", "effective", "confidence", "status", "verdict",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a rule on a day: `before` None = new, `after` None = gone; `fields` of COMPARED that differ."""

    rule_id: str
    on: date
    before: Rule | None
    after: Rule | None
    fields: tuple[str, ...] = field(default=())

    @property
    def rule(self) -> Rule:
        return self.after or self.before  # type: ignore[return-value]


def difference(before: Mapping[str, Rule], after: Mapping[str, Rule], on: date) -> list[Change]:
    """The rules that differ between two states of the book, by id."""
    changes = []
    for rule_id in sorted(before.keys() | after.keys()):
        old, new = before.get(rule_id), after.get(rule_id)
        if old is None or new is None:
            changes.append(Change(rule_id, on, old, new))
        elif fields := tuple(name for name in COMPARED if getattr(old, name) != getattr(new, name)):
            changes.append(Change(rule_id, on, old, new, fields))
    return changes
