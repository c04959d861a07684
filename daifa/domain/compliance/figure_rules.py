"""Pure decisions about figures that platforms show of a store: what may be said, how it stands, when it is too old.

A figure is kept as the platform writes it: percent in points of 100, counts, hours, scores. Worked tables:
docs/rules/store-health.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext_noop as N_

from daifa.domain.compliance import health_rules

UNITS = ("percent", "count", "score", "hour", "day", "point")
KINDS = ("metric_limit", "eligibility", "score_component", "chargeback")
"""Kinds of rules whose quantity a platform shows."""
UNIT_OF = {
    "pickup_on_time_rate": "percent", "reply_within_3min_rate": "percent", "dispute_rate": "percent", "vamp_ratio": "percent",
    "item_rating_mean": "score", "refund_only_hours": "hour", "return_refund_hours": "hour", "hours_dispatch_to_signature": "hour",
}  # fmt: skip
"""Units of quantities that the book names without a figure."""
NOT_SHOWN = frozenset({"experience_score_parts", "shop_score_dimensions", "company_age"})
"""Metrics of such rules that are no figure of a dashboard."""
STALE_AFTER = ((7, 7), (30, 14))
"""(windows up to so many days, the figure is too old after so many days); longer windows and unknown ones: 30."""
STALE_MOST = 30
FORGOTTEN_AFTER = 90
"""Days after which nobody is asked to look again: who stopped long ago has other means."""

# What every channel is asked for: measure → the metric where the channel's own rules name none.
WANTED: dict[str, str] = {
    "late": "late_dispatch_rate", "cancelled": "cancellation_rate", "invalid": "valid_tracking_rate", "defects": "order_defect_rate",
    "late_delivery": "on_time_delivery_rate", "reply": "reply_rate", "dispute": "dispute_rate", "focus": "category_focus",
}  # fmt: skip
SAME_AS = {
    "late": ("late", "late_days"), "cancelled": ("cancelled", "unfulfilled"), "invalid": ("invalid", "false_tracking"),
    "defects": ("defects", "defects_or_cancelled"), "late_delivery": ("late_delivery",), "reply": (), "dispute": ("disputed",),
    "focus": (),
}  # fmt: skip
REPLIES = ("reply_rate", "seller_response_rate", "conversations_unanswered_24h", "reply_within_3min_rate")
DISPUTES = ("dispute_rate", "chargeback_rate", "cases_closed_without_resolution_rate")


class Reportable(NamedTuple):
    """A figure that may be said of a store: the metric, its unit, and whether more of it is better."""

    metric: str
    unit: str
    is_good: bool


GOOD = frozenset({
    "valid_tracking_rate", "tracking_uploaded_and_validated_rate", "on_time_delivery_rate", "reply_rate", "seller_response_rate",
    "pickup_on_time_rate", "reply_within_3min_rate", "item_rating_mean", "shop_score", "followers", "category_focus",
})  # fmt: skip


def reportable(book: Iterable[Any]) -> dict[str, Reportable]:
    """What may be said of a store that lives under these rules: metric → what it is. Its own lines come first."""
    found: dict[str, Reportable] = {}
    for rule in book:
        unit = rule.unit if rule.unit in UNITS else UNIT_OF.get(rule.metric)
        if rule.kind in KINDS and unit and rule.metric not in NOT_SHOWN and rule.status != "superseded":
            found.setdefault(rule.metric, Reportable(rule.metric, unit, rule.metric in GOOD))
    for measure, metric in WANTED.items():
        if measure != "focus" and metric_for(measure, found) is None:
            found[metric] = Reportable(metric, "percent", metric in GOOD)
    return found


def metric_for(measure: str, known: Iterable[str]) -> str | None:
    """The metric among `known` by which a channel counts this; None = it has no name for it."""
    others = {"reply": REPLIES, "dispute": DISPUTES}.get(measure, ())
    return next((one for one in known if health_rules.MEASURE_OF.get(one) in SAME_AS[measure] or one in others), None)


@dataclass(frozen=True, slots=True)
class Figure:
    """What a platform shows: `value` in the unit of its metric; `part` of `base`, as the platform counts, where it says so.

    `window_days` None: it does not say over how many days. `seen_in`: where it stands, in the words of who looked.
    """

    metric: str
    value: Decimal
    ended_on: date
    window_days: int | None = None
    part: int | None = None
    base: int | None = None
    seen_in: str = ""
    source: str = ""
    id: int = 0
    store_id: int = 0


TOLERANCE = Decimal("0.51")
"""Dashboards round to whole percent: so far value and counts may lie apart."""


def wrong_with(figure: Figure, known: Reportable, today: date) -> tuple[str, str, dict[str, Any]] | None:
    """(field, msgid, params) of what cannot be; None = it may be kept."""
    part, base, value = figure.part, figure.base, figure.value
    if (part is None) != (base is None):
        return "base", N_("Give both numbers of the share, the part and the whole, or neither."), {}
    if part is not None and base is not None:
        if base <= 0 or part < 0 or part > base:
            return "base", N_("%(part)s of %(base)s cannot be: the part is at most the whole, and the whole at least 1."), {"part": part, "base": base}
        if known.unit == "percent" and abs(Decimal(part) * 100 / base - value) > TOLERANCE:
            return "value", N_("%(part)s of %(base)s is %(share)s %%, but the figure says %(value)s %%. Correct one of them."), {
                "part": part, "base": base, "share": f"{Decimal(part) * 100 / base:.2f}", "value": f"{value.normalize():f}",
            }  # fmt: skip
    if value < 0 or (known.unit == "percent" and value > 100):
        return "value", N_("%(value)s is no possible figure here: percent lie between 0 and 100, everything else is 0 or more."), {
            "value": f"{value.normalize():f}"
        }  # fmt: skip
    if value >= 10**8:
        return "value", N_("%(value)s is no possible figure here: percent lie between 0 and 100, everything else is 0 or more."), {"value": f"{value:f}"}
    if known.unit in ("count", "point") and value != value.to_integral_value():
        return "value", N_("This is counted in whole numbers."), {}
    if figure.ended_on > today:
        return "ended_on", N_("%(day)s lies in the future. Enter the last day that the figure covers."), {"day": figure.ended_on}
    if (today - figure.ended_on).days > 3660:
        return "ended_on", N_("%(day)s is more than ten years ago."), {"day": figure.ended_on}
    if figure.window_days is not None and not 1 <= figure.window_days <= 400:
        return "window_days", N_("A window has between 1 and 400 days."), {}
    return None


def stale_after(window_days: int | None) -> int:
    """Days after the end of its window from which a figure is too old to go by."""
    return next((days for most, days in STALE_AFTER if window_days is not None and window_days <= most), STALE_MOST)


def latest(figures: Iterable[Figure], metric: str, window_days: int | None) -> Figure | None:
    """The newest figure for a line: of the same window before one that names none; for a line without a window any.

    A figure of another window says nothing about this line.
    """
    mine = [one for one in figures if one.metric == metric]
    if window_days is not None:
        mine = [one for one in mine if one.window_days == window_days] or [one for one in mine if one.window_days is None]
    return max(mine, key=lambda one: (one.ended_on, one.id), default=None)


class Said(NamedTuple):
    """How a figure of the platform stands against a line. `share`, `level` and `is_sure` as of `health_rules.standing`.

    `gate_open`: the line has a second condition and the figure does not say whether it is met: then at most "near".
    """

    share: Decimal | None
    level: int
    is_sure: bool
    low: Decimal | None = None
    high: Decimal | None = None
    gate_open: bool = False


def standing(rule: Any, figure: Figure) -> Said:
    """Judge what the platform says against a line of the book."""
    good = rule.comparison.startswith("<")
    line = Decimal(str(rule.threshold))
    if rule.unit == "percent" and figure.base:
        bad = figure.base - (figure.part or 0) if good else (figure.part or 0)
        stood = health_rules.standing(rule, bad, figure.base)
        crossed = bool(rule.triggered(figure.value)) and (rule.gate is None or stood.level == 100)
        level = 100 if crossed else min(stood.level, 85)
        # What the platform shows is no sample: only the way up to the line may still be bad luck.
        return Said(stood.share, level, stood.sure or crossed, stood.low, stood.high)
    crossed = bool(rule.triggered(figure.value))
    if rule.unit == "percent" and good:
        share = (100 - figure.value) / (100 - line) if line != 100 else Decimal(0)
    elif good:
        share = line / figure.value if figure.value else Decimal(9)
    else:
        share = figure.value / line if line else Decimal(1 if crossed else 0)
    level = 100 if crossed else max((one for one in health_rules.WARN if share * 100 >= one), default=0)
    gate_open = rule.gate is not None and level > 0
    return Said(share.quantize(Decimal("0.001")), min(level, 85) if gate_open else level, True, gate_open=gate_open)


def differs(reckoned: Decimal | None, said: Decimal, unit: str) -> Decimal | None:
    """By how much the platform's figure lies above the one reckoned here (negative: below); None = alike, or none is."""
    if reckoned is None:
        return None
    apart = said - reckoned
    return apart if abs(apart) >= (Decimal("0.1") if unit == "percent" else Decimal(1)) else None


def resolve(text: str, known: Sequence[str], words: dict[str, tuple[str, ...]]) -> str | None:
    """The metric that a cell names: its code, or its name in one of the languages; None = none of these."""
    plain = " ".join(text.casefold().replace("_", " ").split())
    for metric in known:
        if plain in (metric.replace("_", " "), *(word.casefold() for word in words.get(metric, ()))):
            return metric
    return None
