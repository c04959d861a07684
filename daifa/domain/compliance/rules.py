"""Pure decisions about clocks: which deadline applies, when it is due, and what missing it costs.

A rule of the rule book says "more than 48 hours from payment to dispatch"; what is written here is only what the files
cannot say: from which fact such a metric runs, to which way of dispatch a rule belongs, and which compensation follows.
All figures come from the rules themselves, so that a corrected file or an override changes the clocks.
Worked tables: docs/rules/clocks.md.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from daifa.domain.compliance import announced
from daifa.domain.compliance.announced import Announced
from daifa.lib import workdays
from daifa.lib.money import minor_unit
from daifa.lib.regions import province as region

# --- Ways of dispatch -------------------------------------------------------------------------------------------------

MODES = [
    ("unknown", N_("not said")), ("spot", N_("in stock, from the same country")), ("bonded", N_("from a bonded warehouse")),
    ("direct", N_("straight from abroad")), ("fast_24h", N_("in stock, promised within 24 hours")),
    ("same_day", N_("in stock, promised the same day")), ("promised", N_("to order, within promised hours")),
    ("presale", N_("on presale, until a promised day")),
]  # fmt: skip
_STOCK = frozenset({"spot", "fast_24h", "same_day", "promised", "presale"})
_GUESSES = ("spot", "bonded", "direct")
"""What an order may be while nobody has said it: the quick promises and presales exist only where they were opened."""

# Rules that hold for some ways of dispatch only; the files say it in their notes, for people. A rule without a line
# here holds for all of them.
MODES_OF: dict[str, frozenset[str]] = {
    "xhs-ship-spot-domestic": frozenset({"spot", "presale"}),
    "xhs-ship-spot-bonded": frozenset({"bonded"}),
    "xhs-ship-spot-direct": frozenset({"direct"}),
    "xhs-ship-fast-24h": frozenset({"fast_24h"}),
    "xhs-ship-fast-sameday": frozenset({"same_day"}),
    "xhs-pickup-domestic": _STOCK | {"bonded"},
    "xhs-pickup-direct": frozenset({"direct"}),
}
ZONES_OF: dict[str, str] = {
    "xhs-stall-near": "near", "xhs-stall-far": "far", "xhs-stall-remote": "remote",
    "xhs-fraud-stall-near": "near", "xhs-fraud-stall-far": "far", "xhs-fraud-stall-remote": "remote",
}  # fmt: skip

# --- Kinds of clocks ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """`thing`: what it runs on. `loss`: which compensation follows, or `order` / `case`: that money goes back."""

    thing: str
    words: str
    loss: str = ""


KINDS: dict[str, Kind] = {
    "dispatch": Kind("order", N_("dispatch"), "late"),
    "ship_by": Kind("order", N_("dispatch, as promised"), ""),
    "carrier_scan": Kind("order", N_("first scan by the carrier"), ""),
    "out_of_stock": Kind("order", N_("counts as out of stock"), "oos"),
    "auto_close": Kind("order", N_("the platform closes and refunds"), "order"),
    "ship_by_law": Kind("order", N_("dispatch, by law"), "order"),
    "deliver_by_law": Kind("order", N_("delivery, by law"), "order"),
    "pickup": Kind("parcel", N_("first scan of the parcel"), "track"),
    "pickup_out_of_stock": Kind("parcel", N_("never picked up: counts as out of stock"), "oos"),
    "pickup_fraud": Kind("parcel", N_("never picked up: counts as fraud"), "fraud"),
    "hub": Kind("parcel", N_("first scan on the way"), "track"),
    "hub_fraud": Kind("parcel", N_("no scan on the way: counts as fraud"), "fraud"),
    "stall": Kind("parcel", N_("next scan"), "track"),
    "stall_fraud": Kind("parcel", N_("no scan: counts as fraud"), "fraud"),
    "answer_unshipped": Kind("case", N_("answer: refund before dispatch"), "case"),
    "answer_shipped": Kind("case", N_("answer: refund or return"), "case"),
    "return_sent": Kind("case", N_("returned goods on their way"), "case"),
    "return_received": Kind("case", N_("returned goods have arrived"), "case"),
}

# Metric of a deadline rule → kind of clock.
_KIND_OF = {
    "hours_payment_to_dispatch": "dispatch",
    "default_dispatch_hours": "dispatch",
    "dispatch_by_local_hour_for_orders_before_16h": "dispatch",
    "business_days_to_carrier_scan": "carrier_scan",
    "hours_after_promised_dispatch_unshipped": "out_of_stock",
    "days_past_promise_unshipped": "auto_close",
    "hours_dispatch_to_first_pickup_scan": "pickup",
    "hours_after_pickup_overdue": "pickup_fraud",
    "hours_pickup_to_first_hub_scan": "hub",
    "hours_between_scans": "stall",
    "hours_to_answer_refund_before_dispatch": "answer_unshipped",
    "hours_to_answer_refund_or_return": "answer_shipped",
    "hours_after_return_signed": "return_received",
    "days_to_deliver_if_unstated": "deliver_by_law",
    "days_to_ship_if_unstated": "ship_by_law",
}
_KIND_OF_RULE = {
    "xhs-oos-no-pickup": "pickup_out_of_stock",
    "xhs-fraud-stall-near": "stall_fraud", "xhs-fraud-stall-far": "stall_fraud", "xhs-fraud-stall-remote": "stall_fraud",
}  # fmt: skip
NOT_OURS = {
    "hours_to_answer_ticket": N_("the platform's tickets are not in daifa"),
    "working_days_to_issue_invoice": N_("requests for invoices are not in daifa"),
    "hours_to_prove_authenticity": N_("questions about authenticity are kept with the cases"),
    "working_days_to_refund": N_("the books show what is still to be refunded"),
}
"""Deadlines of which no start is recorded here: the page names them, no clock runs."""

HOURS_IN = {"hour": 1, "day": 24}
SAYS_TOO = {"xhs-aftersale-return-received": "return_sent", "xhs-fraud-no-pickup": "hub_fraud"}
"""Rules whose note names a second clock beside their own: of goods on their way back, and "the same for the hub scan"."""
RETURN_SENT_DAYS = {"direct": 10, "bonded": 10}  # otherwise 7: the second half of the rule on received returns
PLATFORM_ZONES = dict.fromkeys(("xiaohongshu", "douyin", "pinduoduo", "taobao", "wechat_store"), "Asia/Shanghai")
"""These count days by their own clock, wherever the shop is."""
LAW_COUNTRIES: dict[str, frozenset[str]] = {
    "law_eu_uk": frozenset({
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT",
        "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
    }),
    "law_us": frozenset({"US"}),
}  # fmt: skip
"""Whose buyers a law protects, wherever the shop is."""

OWN_PROMISE, PROMISE = "own-promise", "xhs-ship-shortest-promise"
"""The clock without a rule of the book: the hours to dispatch that the store promises. And the rule on such promises, where a
channel's book has it."""


def source_words(rule_id: str) -> str:
    """By what a clock runs, as it is shown: the id of a rule, or "your own promise"."""
    return _("your own promise") if rule_id == OWN_PROMISE else rule_id

FINDINGS: dict[str, tuple[str, str]] = {
    "parcel_without_scan": (
        N_("Parcel %(number)s of order %(order)s has not been scanned by any carrier"),
        N_("Ask the supplier whether it has left. A number without a scan counts as invalid; replace it if it is wrong."),
    ),
    "number_reused": (
        N_("The number of parcel %(number)s (order %(order)s) stands on parcels to other buyers"),
        N_("Ask the supplier for the right number: one number for several buyers counts as false tracking."),
    ),
    "pickup_before_payment": (
        N_("Parcel %(number)s was scanned before order %(order)s was paid"),
        N_("It is probably another parcel's number. Ask the supplier and replace it."),
    ),
    "other_destination": (
        N_("Parcel %(number)s of order %(order)s was delivered in %(place)s, the order goes to %(region)s"),
        N_("Ask the carrier and the buyer; if it is another parcel's number, replace it and send the goods."),
    ),
    "delivered_before_pickup": (
        N_("Parcel %(number)s of order %(order)s was delivered at %(first)s, before a carrier picked it up at %(then)s"),
        N_("Both scans are kept; the delivery counts. It is probably another parcel's number: ask the carrier, and the buyer whether it is there."),
    ),
    "moved_after_delivery": (
        N_("Parcel %(number)s of order %(order)s was delivered at %(first)s and scanned on its way again at %(then)s"),
        N_("Both scans are kept; the delivery counts. Ask the carrier whether it comes back, and the buyer whether it is there."),
    ),
    "two_places_at_once": (
        N_("Parcel %(number)s of order %(order)s was scanned in %(place)s and within the same minute in %(region)s, at %(first)s"),
        N_("Both scans are kept and count. It is probably another parcel's number: ask the carrier or the supplier which one is yours."),
    ),
    "two_carriers": (
        N_("Parcel %(number)s of order %(order)s is said to be with %(carrier)s, another parcel of this number with %(other)s"),
        N_("Ask the supplier which carrier has it; correct the other parcel's number or carrier."),
    ),
}  # fmt: skip
"""What can be wrong with a parcel → (sentence, advice)."""

# --- Money at stake -----------------------------------------------------------------------------------------------------

# What is lost → (compensation rule, promised hours from (exclusive), to (inclusive)).
COMPENSATIONS: dict[str, tuple[tuple[str, int, int | None], ...]] = {
    "late": (("xhs-comp-late-le48", 0, 48), ("xhs-comp-late-48to168", 48, 168), ("xhs-comp-late-gt168", 168, None)),
    "track": (("xhs-comp-track-le48", 0, 48), ("xhs-comp-track-gt48", 48, None)),
    "oos": (("xhs-comp-oos-le48", 0, 48), ("xhs-comp-oos-gt48", 48, None)),
    "bad_tracking": (("xhs-comp-badtrack", 0, None),),
    "fraud": (("xhs-comp-fraudship", 0, None),),
    "wrong_item": (("xhs-comp-wrongitem", 0, None),),
}
WHOLE_YUAN = "xhs-comp-rounding"
"""While this rule is in the book, its channel rounds to whole yuan, counts the platform's discounts into what a percentage is
taken of, and pays nothing on top-ups and freight of one yuan or less."""
TOP_UP = "补差|差价|补邮|邮费|补运|运费"
"""Titles of what is sold to make up a difference in price or freight."""


def is_top_up(paid: Decimal, titles: Iterable[str]) -> bool:
    """Is an order nothing but a top-up or freight of one yuan or less?"""
    return paid <= 1 and all(re.search(TOP_UP, title) for title in titles)


@dataclass(frozen=True, slots=True)
class Penalty:
    """What a buyer gets for a missed deadline: `percent` of the amount, at least `floor`, at most `cap`.

    `step` is what it is rounded to, half up. `whole`: as WHOLE_YUAN says.
    """

    percent: Decimal
    floor: Decimal | None = None
    cap: Decimal | None = None
    currency: str = ""
    step: Decimal = Decimal("0.01")
    whole: bool = False


def compensation(paid: Decimal, penalty: Penalty, *, discounts: Decimal = Decimal(0), titles: Iterable[str] = ("",)) -> Decimal:
    """What `penalty` costs on an order of which so much is still paid (same currency as the penalty's limits).

    `discounts` of the order, whoever gave them: no file says which were the platform's. `titles` of its goods.
    """
    if paid <= 0 or (penalty.whole and is_top_up(paid, titles)):
        return Decimal(0)
    base = paid + discounts if penalty.whole else paid
    amount = base * penalty.percent / 100
    if penalty.floor is not None:
        amount = max(amount, penalty.floor)
    if penalty.cap is not None:
        amount = min(amount, penalty.cap)
    return (amount / penalty.step).quantize(Decimal(1), ROUND_HALF_UP) * penalty.step


def compensation_rule(loss: str, promised_hours: int, book: Collection[str]) -> str:
    """Id of the compensation that follows `loss` where dispatch was promised within so many hours; "" = the book has none."""
    for rule_id, above, up_to in COMPENSATIONS.get(loss, ()):
        if rule_id in book and promised_hours > above and (up_to is None or promised_hours <= up_to):
            return rule_id
    return ""


def penalty_for(loss: str, promised_hours: int, book: Mapping[str, Any]) -> Penalty | None:
    """The compensation that follows `loss` where dispatch was promised within so many hours; None: the book has none."""
    if not (rule_id := compensation_rule(loss, promised_hours, book)):
        return None
    rule, whole = book[rule_id], WHOLE_YUAN in book
    return Penalty(
        percent=Decimal(str(rule.threshold)),
        floor=None if rule.floor is None else Decimal(str(rule.floor)),
        cap=None if rule.cap is None else Decimal(str(rule.cap)),
        currency=rule.currency or "",
        step=Decimal(1) if whole else minor_unit(rule.currency or "USD"),
        whole=whole,
    )


def in_currency(penalty: Penalty, currency: str) -> tuple[Penalty, str]:
    """The same for orders in another currency, and why it is not exact: floor and cap cannot be applied there."""
    if not penalty.currency or penalty.currency == currency:
        return penalty, ""
    return replace(penalty, floor=None, cap=None, currency=currency, step=minor_unit(currency)), "limits_in_other_currency"


# --- Lines of a store: what runs there ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClockLine:
    """One deadline as it runs in one store for one way of dispatch. Either `seconds` or `days` of `calendar` is set.

    `by_end_of_day`: due at the end of the local day on which it starts, for what was paid before 16:00.
    """

    rule: str
    kind: str
    mode: str
    seconds: int | None
    days: int | None = None
    calendar: str = ""
    zone: str = ""
    by_end_of_day: bool = False
    acts: bool = True
    promised_hours: int = 48
    penalty: Penalty | None = None
    why: str = ""
    countries: frozenset[str] | None = None
    """Only for buyers there; None = all."""
    until: date | None = None
    """At least until the end of that day: what is on presale."""
    first: date | None = None
    last: date | None = None
    """The local days on which its text was in force: it holds for what began on them. None = open."""

    def holds_on(self, day: date) -> bool:
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)

    @property
    def hours(self) -> int:
        """How strict it is, to compare: a day for the same day, days as days."""
        if self.until is not None:
            return 24 * 365  # an order's other lines are always stricter
        if self.by_end_of_day:
            return 24
        return self.days * 24 if self.days is not None else (self.seconds or 0) // 3600


SAME_DAY_BEFORE = 16  # o'clock, of the platform's day

WHYS = {
    "no_payment_time": N_("The order has no time of payment: it counts from when it was placed."),
    "mode_unknown": N_("Nobody has said how this store ships; the strictest time that can apply is taken."),
    "several_modes": N_("Its lines are shipped in different ways; the strictest counts."),
    "holiday": N_("Extended for the holidays."),
    "presale": N_("Sold on presale: the day that was promised counts."),
    "agreed": N_("The buyer agreed to a later dispatch; the agreement is kept with the order."),
    "agreed_too_late": N_("The buyer agreed to a later dispatch only after the time had run out: it does not count."),
    "agreed_not_counted": N_("The buyer agreed to a later dispatch, but the rules of this channel do not go by that."),
    "origin_unknown": N_("Nobody has said where parcels leave from; the shortest time between scans is taken."),
    "not_told": N_("The channel has not been told yet; it counts from when the number was announced."),
    "scans_before_payment": N_("Scans older than the payment are left out: they belong to another parcel."),
    "scans_contradict": N_("Its scans contradict each other (moving before it was picked up); the earliest counts."),
    "limits_in_other_currency": N_("Floor and cap are set in another currency; only the percentage is reckoned."),
    "discounts_counted": N_("The platform's discounts are part of what the compensation is taken of; nothing says whose the order's discounts were, so all are counted."),
    "own_promise": N_("No rule of this channel that may act names a time; it is what the store promises."),
    "to_order": N_("Sold to order: the hours promised to buyers count."),
    "shorter_promise": N_("The order promises less than the rule allows; the shorter promise counts."),
    **workdays.WHYS,
    "no_started_at": N_("The moment it starts from is not recorded; it counts from the opening of the case."),
}


def kind_of(rule: Any) -> str:
    """The kind of clock a rule makes; "" = none."""
    if rule.id in _KIND_OF_RULE:
        return _KIND_OF_RULE[rule.id]
    return _KIND_OF.get(rule.metric, "")


def lines_of(
    book: Sequence[Any], modes: Iterable[Sequence[Any]], *, country: str = "", currency: str = ""
) -> list[ClockLine]:
    """The clocks that rules set going in a store, for each way of dispatch: (mode, hours promised to buyers or None), and
    of what is on presale the day by which it ships.

    `country` chooses the calendar of working days; amounts are in `currency`. Where the book has no time for dispatch,
    the order's own ship-by stands in. Of several rules for one thing that can apply the strictest counts.
    """
    by_id = {rule.id: rule for rule in book}
    found: list[ClockLine] = []
    for mode, hours, *more in dict.fromkeys(map(tuple, modes)):
        until = more[0] if more else None
        key = mode_key(mode, hours, until)
        mine = [line for rule in book if (line := _line(rule, key, mode, country)) is not None]
        dispatch = _dispatch_of(mine, key, mode, None if until else hours, by_id.get(PROMISE))
        promised = hours if until and hours else dispatch.hours if dispatch is not None else (hours or 48)
        if dispatch is not None:
            dispatch = replace(dispatch, until=until)
        lines = [line for line in mine if line.kind not in ("dispatch", "pickup")]
        if pickup := [line for line in mine if line.kind == "pickup"]:
            lines.append(min(pickup, key=lambda line: line.hours))
        for line in [line for line in mine if line.rule in SAYS_TOO]:
            if SAYS_TOO[line.rule] == "return_sent":
                lines.append(replace(line, kind="return_sent", seconds=RETURN_SENT_DAYS.get(mode, 7) * 86_400))
            else:
                lines.append(replace(line, kind=SAYS_TOO[line.rule]))
        if dispatch is not None:
            lines.append(dispatch)
        if dispatch is None or not dispatch.acts:
            lines.append(ClockLine(OWN_PROMISE, "ship_by", key, None, why="own_promise", until=until))
        for line in lines:
            penalty, why = penalty_for(KINDS[line.kind].loss, promised, by_id), ""
            if penalty is not None and currency:
                penalty, why = in_currency(penalty, currency)
            found.append(
                replace(line, promised_hours=promised, penalty=penalty, why=joined(line.why, why))
            )
    return found


LINE_KINDS = frozenset({"deadline", "obligation", "compensation"})
"""Kinds of rules that lines are made of."""


def over_time(texts: Sequence[tuple[date | None, Sequence[ClockLine]]]) -> list[ClockLine]:
    """Lines of one store by the period of their text: (first day, or None from ever, lines from that day on), in order.

    A line that reads the same before and after a day is one line; the last text is open to the future.
    """
    done: list[ClockLine] = []
    running: dict[ClockLine, date | None] = {}
    for first, lines in texts:
        ended = first - timedelta(days=1) if first is not None else None
        now = dict.fromkeys(lines)
        done += [replace(line, first=began, last=ended) for line, began in running.items() if line not in now]
        running = {line: running.get(line, first) for line in now}
    return done + [replace(line, first=began) for line, began in running.items()]


def for_buyers_in(line: ClockLine, countries: frozenset[str]) -> ClockLine:
    """The same line, only for buyers there."""
    return replace(line, countries=countries)


def _line(rule: Any, key: str, mode: str, country: str) -> ClockLine | None:
    kind = kind_of(rule)
    if not kind or rule.kind not in ("deadline", "obligation") or not isinstance(rule.threshold, Decimal | int | float):
        return None
    modes = MODES_OF.get(rule.id)
    if modes is not None and mode not in modes and not (mode == "unknown" and modes & set(_GUESSES)):
        return None
    line = ClockLine(
        rule.id, kind, key, None, zone=ZONES_OF.get(rule.id, ""), acts=rule.acts,
        why="mode_unknown" if mode == "unknown" and modes is not None else "",
    )  # fmt: skip
    if rule.unit == "clock_hour":
        return replace(line, by_end_of_day=True)
    if rule.unit in ("business_day", "working_day"):
        calendar, not_exact = calendar_of(country)
        return replace(line, days=int(rule.threshold), calendar=calendar, why=joined(line.why, not_exact))
    if rule.unit not in HOURS_IN:
        return None
    return replace(line, seconds=int(Decimal(str(rule.threshold)) * HOURS_IN[rule.unit] * 3600))


def _dispatch_of(mine: Sequence[ClockLine], key: str, mode: str, hours: int | None, promise: Any) -> ClockLine | None:
    """Of all lines for dispatch that can apply the shortest; a promise to buyers goes before it where it is shorter,
    and where it was made to order (`promised`) always. A longer promise runs by the channel's own rule on promises
    (`promise`, None = its book has none) or by the store's word alone."""
    lines = [line for line in mine if line.kind == "dispatch"]
    shortest = min(lines, key=lambda line: line.hours, default=None)
    if hours is None or not mine or (shortest is not None and mode != "promised" and shortest.hours <= hours):
        return shortest
    if shortest is not None and hours <= shortest.hours:
        return replace(shortest, seconds=hours * 3600, by_end_of_day=False, why="shorter_promise" if hours < shortest.hours else shortest.why)
    if promise is not None:
        return ClockLine(PROMISE, "dispatch", key, hours * 3600, acts=promise.acts)
    return ClockLine(OWN_PROMISE, "dispatch", key, hours * 3600, why="to_order" if mode == "promised" else "own_promise")


def mode_key(mode: str, hours: int | None, until: date | None = None) -> str:
    """How a way of dispatch is named where it is joined: "spot", "spot<36" (a shorter promise), "promised:120",
    "presale:240@2026-12-01"."""
    if until is not None:
        return f"{mode}:{hours or 0}@{until.isoformat()}"
    if hours is None:
        return mode
    return f"promised:{hours}" if mode == "promised" else f"{mode}<{hours}"


def joined(*whys: str) -> str:
    """Reasons, once each, with commas between them."""
    return ",".join(dict.fromkeys(one for why in whys for one in why.split(",") if one))


# --- Due times ----------------------------------------------------------------------------------------------------------


def due_at(
    line: ClockLine, started_at: datetime, *, zone: str, since: datetime | None = None, exceptions: Sequence[Announced] = (),
    fixed: datetime | None = None,
) -> tuple[datetime, str]:  # fmt: skip
    """When `line` runs out for something that started then, and why it is not the plain figure (codes of WHYS).

    Hours are hours that pass: a change to summer time moves nothing but the wall clock. Days end at local midnight.
    `since` (default: the start) is the moment by which exceptions go: of a parcel, its dispatch. `fixed`: when it runs
    out by itself, where that was told with the order.
    """
    started_at = started_at.astimezone(UTC)  # with a zone attached, adding hours would move the wall clock
    local = started_at.astimezone(ZoneInfo(zone))
    day = (since or started_at).astimezone(ZoneInfo(zone)).date()
    whys: list[str] = []
    if fixed is not None:
        due = fixed
    elif line.by_end_of_day:
        due = end_of_day(local.date() + timedelta(days=local.hour >= SAME_DAY_BEFORE), zone)
    elif line.days is not None:
        last = nth_working_day(local.date(), line.days, line.calendar)
        due = end_of_day(last, zone)
        whys.append(why_not_exact(line.calendar, local.date(), last))
    else:
        due = started_at + timedelta(seconds=line.seconds or 0)
    if line.until is not None and (promised := end_of_day(line.until, zone)) > due:
        due = promised
        whys.append("presale")
    ran_from = started_at
    for one in announced.in_order(exceptions):
        if line.kind not in one.kinds:
            continue
        before = due
        began = one.first <= day <= one.last
        if one.effect == "extend" and began:
            if one.seconds is not None:
                due = max(due, started_at + timedelta(seconds=one.seconds))
            if one.until is not None:
                due = max(due, end_of_day(one.until, zone))
        elif one.effect == "pause":
            moved = announced.paused(due, ran_from, one, ZoneInfo(zone))
            if moved > due and line.seconds is None:
                moved = paused_days(line, local, one, zone)  # of several pauses the longest counts here
            if moved > due:
                due, ran_from = moved, announced.ends(one, ZoneInfo(zone))
        elif one.effect == "waive":
            fell = (due - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()
            if began if one.goes_by == "start" else one.first <= fell <= one.last:
                whys.append(one.code)
        if due > before:
            whys.append(one.code)
    return due, joined(*whys)


def noon(day: date, zone: str, *, after: bool) -> datetime:
    """A moment of that local day, before or after the hour up to which things go out the same day."""
    return datetime.combine(day, time(23 if after else 12), ZoneInfo(zone))


def paused_days(line: ClockLine, local: datetime, one: Announced, zone: str) -> datetime:
    """When a clock that counts days runs out if the days of a pause do not count."""
    if line.by_end_of_day:
        day = local.date() + timedelta(days=local.hour >= SAME_DAY_BEFORE)
        return end_of_day(one.last + timedelta(days=1) if one.first <= day <= one.last else day, zone)
    return end_of_day(nth_working_day(local.date(), line.days or 0, line.calendar, announced.days_of(one)), zone)


def end_of_day(day: date, zone: str) -> datetime:
    """The midnight that ends `day` there."""
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone))


# --- Working days -------------------------------------------------------------------------------------------------------

def calendar_of(country: str) -> tuple[str, str]:
    """(calendar of working days, why it is not exact)."""
    return (country.upper(), "") if workdays.is_known(country) else ("", "weekends_only")


def nth_working_day(day: date, n: int, calendar: str, off: frozenset[date] = frozenset()) -> date:
    """The n-th working day after `day`, without the days of `off`."""
    if not off:
        return workdays.nth_working_day(day, n, calendar)
    while n > 0:
        day += timedelta(days=1)
        n -= workdays.is_working_day(day, calendar) and day not in off
    return day


def why_not_exact(calendar: str, first: date, last: date) -> str:
    """A code of WHYS for a count of working days in a known calendar; "" = as announced."""
    return workdays.why_not_exact(calendar, first, last) if calendar else ""


# --- How far a parcel goes ----------------------------------------------------------------------------------------------

_REMOTE = frozenset({"新疆", "西藏", "内蒙", "青海", "宁夏", "甘肃"})
_NEAR = (frozenset({"江苏", "浙江", "上海", "安徽"}), frozenset({"北京", "天津", "河北"}))


def zone_between(origin: str, destination: str) -> tuple[str, str]:
    """near, far or remote between two regions, and why it is only the strictest guess ("" or "origin_unknown").

    Remote where either end is; where an end is not known and the other is not remote, near: the shortest time.
    """
    here, there = region(origin), region(destination)
    if here in _REMOTE or there in _REMOTE:
        return "remote", ""
    if not here or not there:
        return "near", "origin_unknown"
    return ("near" if here == there or any({here, there} <= group for group in _NEAR) else "far"), ""
