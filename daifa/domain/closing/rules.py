"""Decides days and readiness of a closing: the calendar, busy hours, whether a store is quiet, the refusals. Pure.

Worked tables: docs/rules/closing.md.
"""

from __future__ import annotations

import json
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_noop as N_

from daifa.domain.exit_index.rules import ReviewLines

LEGAL_NOTICE_DAYS = 30
"""E-Commerce Law art. 16: thirty days of public notice before ceasing. Code, not a setting: no rule's age changes it."""
REVIEW_DAYS = 10  # a platform takes about 40 days in all, 30 of them the notice
DEPOSIT_MONTHS = 3
RETURN_DAYS = 7
CLAIM_DAYS = 30
APPEAL_DAYS = 1
APPEAL_ANSWER_DAYS = 3  # working days
RULE_NOTICE_DAYS = 7
BUFFER_DAYS = (7, 15)
SELF_CHECK_DAYS = 3
IMPROVE_DAYS = 30
COMEBACK_MONTHS = 4
"""Used where no rule of the channel says otherwise; shown as daifa's own assumption."""

# --- Terms: what rules say ----------------------------------------------------------------------------------------


class Term(NamedTuple):
    """A figure and the rule it comes from; `rule_id` "" = daifa's own assumption. `acts` False = to be checked."""

    value: int
    rule_id: str = ""
    acts: bool = True


class Terms(NamedTuple):
    """What the channel and the law say about ending a store. Days and months as whole numbers."""

    notice_days: Term = Term(LEGAL_NOTICE_DAYS)
    total_days: Term = Term(LEGAL_NOTICE_DAYS + REVIEW_DAYS)
    deposit_months: Term = Term(DEPOSIT_MONTHS)
    return_days: Term = Term(RETURN_DAYS)
    claim_days: Term = Term(CLAIM_DAYS)
    appeal_days: Term = Term(APPEAL_DAYS)
    rule_notice_days: Term = Term(RULE_NOTICE_DAYS)
    forced: Term = Term(1)  # carries the rule about deposits after a removal


# --- The calendar -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Facts:
    """What the days are computed from. Days that have happened replace expectations.

    `last_delivery_on`: when the last parcel is, or will be, with its buyer; None = nothing is on its way.
    `done`: code of a day → when what belongs to it was done.
    """

    scenario: str
    started_on: date
    has_platform: bool = True
    last_delivery_on: date | None = None
    returns_until: date | None = None  # where buyers in several countries have different times
    noticed_on: date | None = None
    appeal_until: date | None = None  # as the letter says, where it says so
    appealed_on: date | None = None
    ruled_on: date | None = None
    effective_on: date | None = None
    improve_until: date | None = None
    winding_up_on: date | None = None
    applied_on: date | None = None
    closed_on: date | None = None
    deposit_on: date | None = None
    kept_until: date | None = None  # how long buyers' data must be kept, as was answered
    today: date | None = None  # what has not happened is not expected before it
    done: Mapping[str, date] = field(default_factory=dict)


class Day(NamedTuple):
    """One day of the calendar. `happened` False = expected. `words` is an English msgid, its places filled by `params`.

    `rule_id` "": it follows from other days, or (`is_assumed`) from a figure of daifa's own.
    """

    code: str
    on: date
    rule_id: str
    words: str
    params: Mapping[str, object]
    acts: bool
    happened: bool
    is_assumed: bool


Working = Callable[[date], bool]


def monday_to_friday(day: date) -> bool:
    return day.weekday() < 5


def next_working_day(day: date, is_working: Working = monday_to_friday) -> date:
    """`day` itself or the first working day after it."""
    while not is_working(day):
        day += timedelta(days=1)
    return day


def add_working_days(day: date, count: int, is_working: Working = monday_to_friday) -> date:
    """The `count`-th working day after `day`."""
    for _each in range(count):
        day = next_working_day(day + timedelta(days=1), is_working)
    return day


def add_months(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    month += 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def calendar(facts: Facts, terms: Terms, is_working: Working = monday_to_friday) -> list[Day]:
    """Every day of a closing, in order, each with where it comes from."""
    days = _Days(facts, terms)
    start = facts.started_on
    days.add("started", start, N_("The closing is begun."), happened=True)
    wind_up = _opening_days(days, facts, terms, is_working)

    begun = facts.winding_up_on or wind_up
    down = days.add(
        "listings_down", begun + timedelta(days=1), N_("Listings down, buyers told: the day after, in a quiet hour.")
    )
    delivered = days.add(
        "orders_finished", max(begun, facts.last_delivery_on or begun), N_("The last parcel is with its buyer.")
    )
    if facts.last_delivery_on is not None:
        until = facts.returns_until or facts.last_delivery_on + timedelta(days=terms.return_days.value)
        returned = max(begun, delivered, until)
        returned = days.add(
            "aftersales_finished", returned, N_("%(days)s days in which buyers may return goods."), terms.return_days
        )
    else:
        returned = days.add("aftersales_finished", delivered, N_("No buyer may still return goods."))

    if facts.scenario == "forced":
        closed = facts.closed_on or max(facts.ruled_on or begun, begun, facts.today or begun)
        days.add(
            "closed", closed, N_("The platform closes the store by its ruling."), terms.forced,
            happened=facts.closed_on is not None,
        )  # fmt: skip
    else:
        applied = facts.applied_on or max(returned, down, facts.today or down)
        days.add(
            "application", applied, N_("Applied for, once nothing is open."), happened=facts.applied_on is not None
        )
        notice_days = max(terms.notice_days.value, LEGAL_NOTICE_DAYS)
        notice = terms.notice_days._replace(value=notice_days)
        ends = applied + timedelta(days=notice_days)
        days.add("notice_ends", ends, N_("%(days)s days of public notice."), notice, passes=True)
        if facts.has_platform:
            expected = max(ends, applied + timedelta(days=terms.total_days.value), facts.today or ends)
            days.add(
                "closed", facts.closed_on or expected, N_("About %(days)s days from application to closed."),
                terms.total_days, happened=facts.closed_on is not None,
            )  # fmt: skip
        else:
            days.add(
                "closed", facts.closed_on or max(ends, facts.today or ends), N_("An own shop ends with its notice."), notice,
                happened=facts.closed_on is not None,
            )  # fmt: skip
        closed = days.on("closed")

    claims = max(closed, (facts.last_delivery_on or begun) + timedelta(days=terms.claim_days.value))
    days.add("claims_until", claims, N_("Buyers may claim for %(days)s days after they have the goods."), terms.claim_days, passes=True)
    end = claims
    if facts.has_platform:
        due = add_months(closed, terms.deposit_months.value)
        due = facts.deposit_on or next_working_day(max(due, facts.today or due), is_working)
        words = (
            N_("The deposit, if the notice of removal lets any of it come back: %(days)s months after.")
            if facts.scenario == "forced"
            else N_("The deposit comes back %(days)s months after the end, with nothing open; the next working day.")
        )
        days.add("deposit", due, words, terms.deposit_months, happened=facts.deposit_on is not None)
        end = max(end, due)
    if facts.kept_until is not None and facts.kept_until > end:
        shredded = days.add("shred", facts.kept_until, N_("Personal data go when the time they must be kept is over."))
    else:
        shredded = days.add("shred", end, N_("Personal data go when claims and deposit are settled."))
    days.add("archive", max(end, shredded), N_("Books locked, store archived."))
    return sorted(days.found, key=lambda day: (day.on, _ORDER.index(day.code)))


def _opening_days(days: _Days, facts: Facts, terms: Terms, is_working: Working) -> date:
    """The days before the winding up; returns the day on which that would begin."""
    start = facts.started_on
    if facts.scenario == "forced":
        noticed = facts.noticed_on or start
        days.add("noticed", noticed, N_("The platform's notice."), happened=True)
        until = noticed + timedelta(days=terms.appeal_days.value)
        if facts.appeal_until in (None, until):
            days.add("appeal_until", until, N_("Days after the notice in which an appeal is possible: %(days)s."), terms.appeal_days, passes=True)
        else:
            until = facts.appeal_until
            days.add("appeal_until", until, N_("An appeal is possible until the day the letter names."), passes=True)
        ruled = facts.ruled_on or add_working_days(facts.appealed_on or until, APPEAL_ANSWER_DAYS, is_working)
        ruled = days.add(
            "ruling_by", ruled, N_("Answered within %(days)s working days."),
            terms.appeal_days._replace(value=APPEAL_ANSWER_DAYS), happened=facts.ruled_on is not None,
        )  # fmt: skip
        days.add("frozen", ruled, N_("Frozen with the ruling, if it is upheld."))
        return ruled
    if facts.scenario == "rule_change":
        noticed = facts.noticed_on or start
        days.add("noticed", noticed, N_("The rule is announced."), happened=True)
        days.add(
            "self_check", noticed + timedelta(days=SELF_CHECK_DAYS), N_("Checked in the first %(days)s days."),
            Term(SELF_CHECK_DAYS),
        )  # fmt: skip
        effective = facts.effective_on or noticed + timedelta(days=BUFFER_DAYS[0])
        days.add(
            "effective", effective, N_("The rule takes effect: licensed by then, or taken down."), terms.rule_notice_days,
            passes=True,
        )  # fmt: skip
        return facts.ruled_on or days.not_past(effective)
    if facts.scenario == "no_traffic":
        until = facts.improve_until or start + timedelta(days=IMPROVE_DAYS)
        days.add("improve_until", until, N_("%(days)s days to improve."), Term((until - start).days), passes=True)
        return facts.ruled_on or days.not_past(until)
    return start


_ORDER = (
    "noticed", "started", "self_check", "appeal_until", "ruling_by", "frozen", "effective", "improve_until", "listings_down",
    "orders_finished", "aftersales_finished", "application", "notice_ends", "closed", "claims_until", "deposit", "shred",
    "archive",
)  # fmt: skip
DAY_NAMES: dict[str, tuple[str, str]] = {
    "noticed": ("Notice", "收到通知"),
    "started": ("Closing begun", "开始闭店"),
    "self_check": ("Self-check", "自查"),
    "appeal_until": ("Last day to appeal", "申诉截止"),
    "ruling_by": ("Ruling", "裁定"),
    "frozen": ("Account frozen", "账户冻结"),
    "effective": ("Rule takes effect", "规则生效"),
    "improve_until": ("Time to improve ends", "改进期满"),
    "listings_down": ("Listings down, buyers told", "下架并告知买家"),
    "orders_finished": ("Last order delivered", "最后订单送达"),
    "aftersales_finished": ("Returns over", "退货期满"),
    "application": ("Application", "提交申请"),
    "notice_ends": ("Public notice ends", "公示期满"),
    "closed": ("Store closed", "店铺关闭"),
    "claims_until": ("Last claims of buyers", "买家售后截止"),
    "deposit": ("Deposit back", "保证金退回"),
    "shred": ("Personal data shredded", "个人信息删除"),
    "archive": ("Archived", "归档"),
}


@dataclass(slots=True)
class _Days:
    facts: Facts
    terms: Terms
    found: list[Day] = field(default_factory=list)

    def add(
        self, code: str, on: date, words: str, term: Term | None = None, *, happened: bool = False, passes: bool = False
    ) -> date:
        """Add a day and return when it is: what was done has its day, what is still to be done is not expected before
        today. `passes`: a time that runs out by itself stays where it is."""
        if code in self.facts.done:
            on, happened = self.facts.done[code], True
        elif passes:
            happened = happened or (self.facts.today is not None and on < self.facts.today)
        elif not happened:
            on = self.not_past(on)
        params = {"days": term.value} if term else {}
        rule_id, acts = (term.rule_id, term.acts) if term else ("", True)
        self.found.append(Day(code, on, rule_id, words, params, acts, happened, term is not None and not rule_id))
        return on

    def not_past(self, on: date) -> date:
        return max(on, self.facts.today or on)

    def on(self, code: str) -> date:
        return next(day.on for day in self.found if day.code == code)


def too_soon(wished_on: date, days: Sequence[Day]) -> bool:
    """True when somebody wants to be closed before the calendar allows it."""
    return wished_on < next(day.on for day in days if day.code == "closed")


# --- Busy hours ---------------------------------------------------------------------------------------------------

USUAL_BUSY = frozenset({11, 12, 19, 20, 21, 22})
ENOUGH_ORDERS = 50


def busy_hours(orders_by_hour: Sequence[int]) -> frozenset[int]:
    """Hours of the day (0–23, the store's time) in which half as many orders again as on average come in.

    With fewer than 50 orders nobody knows: lunch and evening are taken.
    """
    total = sum(orders_by_hour)
    if total < ENOUGH_ORDERS:
        return USUAL_BUSY
    return frozenset(hour for hour, count in enumerate(orders_by_hour) if count * 24 * 2 > total * 3)


def quiet_moment(at: datetime, busy: frozenset[int], zone: ZoneInfo, *, has_aftersales: bool) -> datetime:
    """`at` itself, or while buyers have open after-sales the next full hour outside the busy ones."""
    if not has_aftersales or len(busy) >= 24:
        return at
    here = at.astimezone(zone)
    if here.hour not in busy:
        return at
    moment = here.replace(minute=0, second=0, microsecond=0)
    while moment.hour in busy:
        moment = (moment.astimezone(ZoneInfo("UTC")) + timedelta(hours=1)).astimezone(zone)
    return moment.astimezone(at.tzinfo)


# --- Quiet stores -------------------------------------------------------------------------------------------------

QUIET_ORDERS = ReviewLines().quiet_orders + 1  # the monthly review's line, which a merchant may set for each store
QUIET_VISITS = 100
QUIET_IMPRESSIONS = 1000
QUIET_MONTHS = 3
ENOUGH_DAYS = 20
"""Lines of thirty days, three times over; figures on fewer than twenty of them say nothing. daifa's own assumptions."""

MEASURES: dict[str, tuple[str, str]] = {
    "orders": ("Orders", "订单"), "visits": ("Visits", "访问"), "impressions": ("Impressions", "曝光"),
}  # fmt: skip
LINES = {"orders": QUIET_ORDERS, "visits": QUIET_VISITS, "impressions": QUIET_IMPRESSIONS}


class Stretch(NamedTuple):
    """Thirty days of a store. `visits` and `impressions` None = said on fewer than ENOUGH_DAYS of them; `orders` None =
    the store was not there yet."""

    orders: int | None
    visits: int | None = None
    impressions: int | None = None


class Line(NamedTuple):
    """One threshold against the last stretches (oldest first): `is_below` False = reached in one of them, None = not
    reached, and not measured in each of them."""

    measure: str
    line: int
    values: tuple[int | None, ...]
    is_below: bool | None


def is_quiet(orders_by_month: Sequence[int], *, line: int = QUIET_ORDERS, months: int = QUIET_MONTHS) -> bool:
    """True when each of the last `months` months (newest last) brought fewer orders than `line`."""
    last = orders_by_month[-months:]
    return len(last) >= months and all(count < line for count in last)


def lines_of(stretches: Sequence[Stretch], *, months: int = QUIET_MONTHS, orders: int = QUIET_ORDERS) -> list[Line]:
    """Each threshold against the last stretches (newest last); `orders`: the store's own line."""
    last = stretches[-months:]
    found = []
    for measure, line in (LINES | {"orders": orders}).items():
        values = tuple(getattr(stretch, measure) for stretch in last)
        known = len(values) >= months and None not in values
        reached = any(value is not None and value >= line for value in values)
        found.append(Line(measure, line, values, False if reached else True if known else None))
    return found


def nobody_comes(
    stretches: Sequence[Stretch], *, months: int = QUIET_MONTHS, orders: int = QUIET_ORDERS, is_dormant: bool = False
) -> bool:
    """True when orders are below their line in each of the last stretches, or visits or impressions are and the newest
    stretch brought few orders too: with orders coming in, low visits only say that figures are missing. `is_dormant`: no order for as long as the monthly
    review asks for."""
    lines = {line.measure: line for line in lines_of(stretches, months=months, orders=orders)}
    if is_dormant or lines["orders"].is_below:
        return True
    newest = (stretches[-1].orders if stretches else 0) or 0
    return newest < orders and any(lines[measure].is_below for measure in ("visits", "impressions"))


# --- Standing -----------------------------------------------------------------------------------------------------

STANDINGS = ("normal", "warned", "restricted", "frozen")
"""From good to bad."""

STANDING_OF_LIMIT = {
    "warning": "warned", "listing_removed": "warned", "deposit_raised": "warned",
    "listing_limit": "restricted", "traffic_limit": "restricted", "order_limit": "restricted",
    "withdrawal_limit": "restricted", "funds_frozen": "restricted", "store_frozen": "frozen",
}  # fmt: skip
"""What a limit that the platform put on the store makes of its standing; what is not named leaves it as it is."""

_FREEZES = (
    "account frozen", "shop frozen", "store frozen", "account suspen", "shop suspen", "store suspen", "permanent closure",
    "removal", "terminat", "deactivat", "账户冻结", "店铺冻结", "账号冻结", "清退", "关店", "封店", "停业",
)  # fmt: skip
_WARNS = ("warning", "reminder", "警告", "提醒")


def standing_of_line(*consequence: str) -> str:
    """The standing that reaching a line of points brings, by the words of its rule (in any of its languages).

    Frozen or removed = frozen; a mere warning = warned; any other limit = restricted.
    """
    words = " ".join(consequence).casefold()
    if any(word in words for word in _FREEZES):
        return "frozen"
    return "warned" if any(word in words for word in _WARNS) else "restricted"


WHYS = {"limit": ("kind", "reference"), "over": ()}
"""Why a standing moved by itself, where that takes words: code → what is told with it. Said by `queries.why_words`."""


def why_kept(code: str, **told: str) -> str:
    """A code of WHYS with what is told, as it is kept where a reason is kept; the words are made when somebody reads it."""
    return json.dumps({"why": code} | {name: told[name] for name in WHYS[code]}, ensure_ascii=False)


def why_read(text: str) -> tuple[str, dict[str, str]] | None:
    """(code, what is told) of a kept reason; None = these are words of a person, or figures, to be shown as they are."""
    if not text.startswith('{"why"'):
        return None
    try:
        told = json.loads(text)
    except ValueError:
        return None
    code = told.pop("why")
    return (code, told) if code in WHYS and set(told) == set(WHYS[code]) else None


class Cause(NamedTuple):
    """Something that bears on the standing: `why` as a reason is kept, `until` when it falls away by itself.

    `acts` False: its rule only informs, `why_not` says why; it is shown and moves nothing.
    """

    standing: str
    why: str
    rule_id: str = ""
    until: datetime | None = None
    acts: bool = True
    why_not: str = ""


def worst(causes: Sequence[Cause]) -> Cause | None:
    """The cause that decides: the worst standing among those that act, of equal ones the one that lasts longest."""
    acting = [one for one in causes if one.acts and one.standing != "normal"]
    ages = {one: (STANDINGS.index(one.standing), one.until is None, one.until.timestamp() if one.until else 0.0) for one in acting}
    return max(acting, key=lambda one: ages[one], default=None)


def standing_now(said: str, said_over: str, reckoned: str) -> str:
    """The standing that counts: `said` by a notice, a ruling or a person ("" = nobody) and `reckoned` from violations.

    A word holds against what was reckoned when it was spoken (`said_over`), for better or worse; what is reckoned to be
    worse than it was then counts beside it, and the worse of both is the standing.
    """
    if not said:
        return reckoned
    if STANDINGS.index(reckoned) > STANDINGS.index(said_over):
        return max(said, reckoned, key=STANDINGS.index)
    return said


# --- What a step allows -------------------------------------------------------------------------------------------


def missing_before(code: str, after: Sequence[str], states: Mapping[str, str]) -> list[str]:
    """Steps that must be settled (done or not needed) before this one and are not; those not in the closing do not count."""
    return [other for other in after if states.get(other) == "waiting" and other != code]


def comeback_days(started_on: date, months: Sequence[int], total: int = COMEBACK_MONTHS) -> list[date]:
    """Due days of a plan whose steps lie in these months of four, stretched or pressed to `total` months."""
    return [add_months(started_on, max(1, round(month * total / COMEBACK_MONTHS))) for month in months]
