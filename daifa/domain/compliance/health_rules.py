"""Pure decisions about a store's health: how sure a share is, how near a line, and when it will be crossed.

Worked tables: docs/rules/store-health.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import sqrt
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_noop as N_

Z = 1.96  # 95 %
WARN = (70, 85)
"""Percent of the way to a line at which it is warned."""

# Metric of the book → what is counted here for it (see `health._MEASURES`). Several names mean the same thing.
MEASURE_OF = {
    "late_dispatch_rate": "late", "late_shipment_rate": "late", "late_rate": "late", "own_late_dispatch_rate": "late",
    "item_late_dispatch_rate": "item_late", "days_failing_late_rate": "late_days",
    "pre_fulfilment_cancel_rate": "cancelled", "cancellation_rate": "cancelled", "seller_fault_cancel_rate": "cancelled",
    "item_cancellation_rate": "item_cancelled", "non_fulfilment_rate": "unfulfilled",
    "valid_tracking_rate": "invalid", "tracking_uploaded_and_validated_rate": "invalid", "invalid_tracking_rate": "false_tracking",
    "on_time_delivery_rate": "late_delivery", "order_defect_rate": "defects", "transaction_defect_rate": "defects_or_cancelled",
    "cases_closed_without_resolution_rate": "unresolved", "refund_rate": "refunded", "return_rate": "returned",
    "seller_fault_return_refund_rate": "defects", "item_not_received_rate": "not_received",
    "out_of_stock_rate": "out_of_stock", "item_out_of_stock_rate": "item_out_of_stock", "fraud_dispatch_rate": "fraud",
    "dispute_rate": "disputed",
}  # fmt: skip
NOT_MEASURED = {
    "negative_feedback_rate": N_("Reviews are not in daifa: look it up on the channel."),
    "reply_rate": N_("Conversations with buyers are not in daifa: look it up on the channel."),
    "seller_response_rate": N_("Conversations with buyers are not in daifa: look it up on the channel."),
    "conversations_unanswered_24h": N_("Conversations with buyers are not in daifa: look it up on the channel."),
    "passive_service_conversations": N_("Conversations with buyers are not in daifa: look it up on the channel."),
    "reply_within_3min_rate": N_("Conversations with buyers are not in daifa: look it up on the channel."),
    "item_rating_mean": N_("Reviews are not in daifa: look it up on the channel."),
    "shop_score": N_("The platform makes the score by weights it does not publish: look it up on the channel."),
    "chargeback_rate": N_("Chargebacks are not in daifa: look it up at the payment provider."),
    "vamp_ratio": N_("Reports of fraud and chargebacks are not in daifa: look it up at the payment provider."),
}
PARTLY = {
    "defects": N_("Counted: aftersale cases and complaints for goods that did not arrive, were damaged, wrong or not as described. Reviews, guarantee claims and chargebacks only where they came in as such."),
    "defects_or_cancelled": N_("Counted: cancellations by the shop, and aftersale cases and complaints for goods that did not arrive, were damaged, wrong or not as described."),
    "cancelled": N_("A cancellation counts as the shop's own unless its case says that the buyer changed their mind."),
    "invalid": N_("A parcel is valid once a carrier has scanned it after the payment; the youngest (48 hours) are left out until then."),
    "unresolved": N_("Counted: aftersale cases that ran out without an answer."),
    "disputed": N_("Counted: orders with a complaint to the platform, or with an aftersale case that was refused or ran out, against parcels."),
    "not_received": N_("Counted: cases and complaints for goods that did not arrive, and lost parcels."),
    "unfulfilled": N_("Counted: cancelled orders and orders of which something came back."),
}  # fmt: skip

_STOCK = ("spot", "bonded", "direct", "fast_24h", "same_day", "unknown")
ITEMS_OF = {
    "xhs-rate-late-spot-item": _STOCK, "xhs-rate-oos-item": _STOCK,
    "xhs-rate-late-presale-item": ("promised", "presale"), "xhs-rate-oos-presale": ("promised", "presale"),
}  # fmt: skip
"""Rules on single listings that hold for some ways of dispatch only."""

NATURAL = frozenset({"xiaohongshu"})
"""Channels whose windows of 1 and 7 days are calendar days and weeks (Monday to Sunday) by their own clock."""
MARKETS = {"wm-ca-": "CA", "tts-us-": "US"}
"""Rules that begin like this hold in one country's market; a store that names no country is held against them, too."""
LAGS = {"amz-otdr": 7}
"""Days before now at which a rule's window ends."""
NO_WINDOW_DAYS = 30
QUARTER_ORDERS = 400  # eBay: with as many orders in three months these count, otherwise twelve


class Window(NamedTuple):
    """(begin, end]; `natural`: "day", "week" or "" (rolling); `assumed`: the rule names none."""

    begin: datetime
    end: datetime
    natural: str = ""
    assumed: bool = False


def in_market(rules: Sequence[Any], country: str) -> list[Any]:
    """The rules that hold in the market of `country`; where one has its own version of a rule, only that."""
    found, own = [], set()
    for rule in rules:
        prefix = next((one for one in MARKETS if rule.id.startswith(one)), "")
        if not prefix:
            found.append(rule)
        elif country in (MARKETS[prefix], ""):
            found.append(rule)
            own.add(prefix.split("-")[0] + "-" + rule.id.removeprefix(prefix))
    return [rule for rule in found if not country or rule.id not in own]


def window_of(rule: Any, at: datetime, *, zone: str, busy: bool = True) -> Window:
    """The window over which a rule is counted at `at`. `busy`: enough orders in three months (eBay)."""
    days = rule.window_days
    if days in (1, 7) and rule.channel in NATURAL:
        kind = "day" if days == 1 else "week"
        return Window(natural_begin(at, kind, zone), at, kind)
    if days is None and rule.channel == "ebay":
        return Window(at - timedelta(days=90 if busy else 365), at)
    end = at - timedelta(days=LAGS.get(rule.id, 0))
    return Window(end - timedelta(days=days or NO_WINDOW_DAYS), end, assumed=days is None)


def natural_begin(at: datetime, kind: str, zone: str) -> datetime:
    """The midnight that began the day or the week (Monday) of `at` there."""
    there = ZoneInfo(zone)
    day = at.astimezone(there).date()
    if kind == "week":
        day -= timedelta(days=day.weekday())
    return datetime.combine(day, time(), there)


# --- Which text judges ---------------------------------------------------------------------------------------------------

LINE_FIELDS = ("kind", "metric", "comparison", "threshold", "unit", "window_days", "gate", "channel")
"""What makes a line another line: wording, sources and standing do not."""


class Text(NamedTuple):
    """A line as it read on local days of a store, `first` and `last` included; None = open."""

    rule: Any
    first: date | None = None
    last: date | None = None

    def holds_on(self, day: date) -> bool:
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


def texts_over_time(books: Sequence[tuple[date | None, Sequence[Any]]]) -> list[Text]:
    """The texts of lines by the days on which they counted: (first day, or None from ever, lines from that day on), in order.

    A line that reads the same before and after a day is one text, as its newest rule says it.
    """
    done: list[Text] = []
    running: dict[str, Text] = {}
    for first, lines in books:
        now = {rule.id: rule for rule in lines}
        for rule_id, text in list(running.items()):
            rule = now.get(rule_id)
            if rule is not None and all(getattr(rule, name) == getattr(text.rule, name) for name in LINE_FIELDS):
                running[rule_id] = text._replace(rule=rule)
            elif first is not None:
                done.append(running.pop(rule_id)._replace(last=first - timedelta(days=1)))
        for rule_id, rule in now.items():
            running.setdefault(rule_id, Text(rule, first))
    return done + list(running.values())


class Judged(NamedTuple):
    """A text and the part of its window that it judges. `part`: "" = the whole of it; "since" = from its first day on, the
    window began under an earlier text; "under" = the whole window, which began under it, though a later text counts now;
    "days" = its own days in the midst of the window; "ended" = up to its last day, and no text follows.
    `whole`: the window as it is without any change."""

    text: Text
    window: Window
    whole: Window
    part: str = ""


def judging(texts: Sequence[Text], at: datetime, *, zone: str, busy: bool = True) -> list[Judged]:
    """Which texts of one rule judge the figure at `at`, and over what; the newest text first.

    A text holds nothing against what lies before its first day. A window that began under a text is held against it to the
    window's end, as what has begun keeps the text it began under; a later text judges its own days beside it.
    """
    there = ZoneInfo(zone)
    ordered = sorted(texts, key=lambda text: text.first or date.min)
    found = []
    for text, after in zip(ordered, [*ordered[1:], None], strict=True):
        whole = window_of(text.rule, at, zone=zone, busy=busy)
        begin = None if text.first is None else datetime.combine(text.first, time(), there)
        end = None if text.last is None else datetime.combine(text.last + timedelta(days=1), time(), there)
        if end is not None and end <= whole.begin:
            continue
        under = begin is None or begin <= whole.begin
        follows = after is not None and text.last is not None and after.first == text.last + timedelta(days=1)
        first = whole.begin if under or begin is None else min(begin, whole.end)
        last = whole.end if end is None or (under and follows) else max(first, min(end, whole.end))
        part = ("" if under else "since") if end is None else ("under" if under else "days") if follows else "ended"
        found.append(Judged(text, whole._replace(begin=first, end=last), whole, part))
    return found[::-1]


# --- How sure, how near -------------------------------------------------------------------------------------------------


def wilson(events: int, base: int) -> tuple[Decimal, Decimal]:
    """The 95 % interval of a share, in percent; (0, 100) where nothing was counted."""
    if base <= 0:
        return Decimal(0), Decimal(100)
    share, z2 = min(events, base) / base, Z * Z
    middle = (share + z2 / (2 * base)) / (1 + z2 / base)
    half = Z / (1 + z2 / base) * sqrt(share * (1 - share) / base + z2 / (4 * base * base))
    low, high = (Decimal(100 * end).quantize(Decimal("0.01")) for end in (middle - half, middle + half))
    return max(Decimal(0), low), min(Decimal(100), high)


class Standing(NamedTuple):
    """How a count stands against a line. `value` as the book writes it (percent, or a count); `low`, `high` likewise.

    `share`: of the way to the line, 1 = there. `level`: 0, 70, 85 or 100 (the line is crossed and its gate met).
    `sure`: more than bad luck in a small number: the interval's near end is past 70 %, or the rule's own gate says so.
    `left`: so many more events cross it.
    """

    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    share: Decimal | None
    level: int
    sure: bool
    left: int | None


def standing(rule: Any, events: int, base: int, *, counted: int | None = None) -> Standing:
    """Judge `events` bad things out of `base` against a rule; `counted` of its gate's metric (default: the events).

    Where the book limits the good ("valid tracking below 95"), the value is the good share and the way to the line is
    measured by the bad ones.
    """
    line = Decimal(str(rule.threshold))
    if rule.unit != "percent":
        value = Decimal(events)
        level = _level(value / line if line else Decimal(0), rule.triggered(value))
        return Standing(value, None, None, value / line if line else None, level, True, max(0, int(line) - events))
    if base <= 0:
        return Standing(None, None, None, None, 0, False, None)
    low, high = wilson(events, base)
    bad = Decimal(events) * 100 / base
    good = rule.comparison.startswith("<")
    room = 100 - line if good else line
    value = (100 - bad if good else bad).quantize(Decimal("0.01"))
    exact = 100 - bad if good else bad
    share = bad / room if room else Decimal(0)
    gate = rule.gate
    met = True
    if gate is not None:
        reached = Decimal(events if counted is None else counted)
        met = gate.holds(reached)
        needed = gate.threshold + (1 if gate.comparison == ">" else 0)
        share = min(share, reached / needed) if needed else share
    crossed = rule.triggered(exact) and met
    sure = gate is not None or low >= room * WARN[0] / 100
    level = _level(share, crossed)
    return Standing(
        value, 100 - high if good else low, 100 - low if good else high, share.quantize(Decimal("0.001")), level,
        sure or (crossed and events >= 2), _left(rule, events, base, counted),
    )  # fmt: skip


def _level(share: Decimal, crossed: bool) -> int:
    if crossed:
        return 100
    return max((level for level in WARN if share * 100 >= level), default=0)


def _left(rule: Any, events: int, base: int, counted: int | None) -> int | None:
    """How many more of the orders counted may go wrong before the line is crossed: 0 = it is."""
    for more in range(base - events + 1):
        if is_crossed(rule, events + more, base, None if counted is None else counted + more):
            return more
    return None


def is_crossed(rule: Any, events: int, base: int, counted: int | None = None) -> bool:
    """Does the rule trigger at so many bad ones out of `base`?"""
    if base <= 0:
        return False
    bad = Decimal(events) * 100 / base
    value = 100 - bad if rule.comparison.startswith("<") else bad
    met = rule.gate is None or rule.gate.holds(Decimal(events if counted is None else counted))
    return bool(rule.triggered(value) and met)


# --- What breaks next ---------------------------------------------------------------------------------------------------


class Bucket(NamedTuple):
    """What falls due within the hour that ends at `end`: in all, known to be bad, and still open (of those to come)."""

    end: datetime
    base: int
    bad: int
    open: int


@dataclass(frozen=True, slots=True)
class Break:
    """A line that will be crossed at `at` if nothing more is done: then `events` of `base`. `needed`: so many of the
    orders still open have to be shipped in time to stay below it."""

    at: datetime
    events: int
    base: int
    needed: int


def first_break(
    rule: Any, buckets: Sequence[Bucket], at: datetime, begin_of: Callable[[datetime], datetime]
) -> Break | None:
    """The first moment from `at` on at which the rule triggers if every open order goes past its time.

    `begin_of(t)` is where the window of `t` begins.
    """
    ordered = sorted(buckets)
    for end in (bucket.end for bucket in ordered if bucket.end > at and bucket.open):
        begin = begin_of(end)
        inside = [bucket for bucket in ordered if begin < bucket.end <= end]
        base = sum(bucket.base for bucket in inside)
        known = sum(bucket.bad for bucket in inside)
        coming = sum(bucket.open for bucket in inside if bucket.end > at)
        if not is_crossed(rule, known + coming, base):
            continue
        needed = next((n for n in range(coming + 1) if not is_crossed(rule, known + coming - n, base)), coming)
        return Break(end, known + coming, base, needed)
    return None
