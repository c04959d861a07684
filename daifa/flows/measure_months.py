"""Store-months: what each store did in each month, from its orders, parcels, refunds and books; then what follows.

Measured every night, each month until a fortnight after its end: then it stays as it is, so that what was said about it
can be read again. Once a month is complete, own closings teach the exit index and every open store is reviewed for
dormancy. Repeating changes nothing. Nothing here acts on a store: it measures, and opens a task for a person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from daifa.domain.books import queries as books
from daifa.domain.books.rules import BANK, EXCHANGE, PAYABLE, RECEIVABLE
from daifa.domain.cases import queries as cases
from daifa.domain.cases.models import Violation
from daifa.domain.closing.queries import came_back
from daifa.domain.exit_index import commands, queries, rules
from daifa.domain.exit_index.commands import Measured
from daifa.domain.exit_index.rules import OwnRate, Past
from daifa.domain.orders.queries import PAID
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Store
from daifa.domain.stores.queries import whole_scope
from daifa.flows.reads import closures
from daifa.lib import bulk

FINAL_AFTER = timedelta(days=14)
LOOK_BACK = timedelta(days=120)  # an order that has to leave in a month was placed no longer before it
REVIEW_TASKS = {"quiet": "store_quiet", "dormant": "store_dormant"}


def measure_months(
    *, at: datetime, by: str = "job:measure_months", store_ids: Sequence[int] | None = None, again: bool = False
) -> dict[str, int]:
    """Measure every month that is not final (`again`: all), learn, review. Returns counts: months, learned, said, reviewed.

    `at` decides which months there are; a month is one of the store's time zone.
    """
    stores = list(Store.objects.filter(pk__in=list(store_ids) if store_ids is not None else whole_scope()).order_by("id"))
    counts = {"months": 0, "learned": 0, "said": 0, "reviewed": 0}
    for store in stores:
        with transaction.atomic():
            rows = measure_store(store, at=at, again=again)
            counts["months"] += commands.record_months(rows, at=at, again=again)
    counts["learned"] = int(learn_own(at=at))
    counts["said"] = say(stores, at=at)
    counts["reviewed"] = review_stores(stores, at=at, by=by)
    return counts


# --- Measuring ----------------------------------------------------------------------------------------------------


def measure_store(store: Store, *, at: datetime, again: bool = False) -> list[Measured]:
    """The months of a store up to `at` that are still to be measured, oldest first; none after the month it ended in."""
    zone = ZoneInfo(store.timezone)
    began = _began(store, zone)
    first = began.replace(day=1)
    last = at.astimezone(zone).date().replace(day=1)
    shut = closures.shut_on([store.pk]).get(store.pk)
    if shut is not None:
        last = min(last, shut.replace(day=1))
    final = set() if again else _final_months(store.pk)
    wanted = [month for month in _months(first, last) if month not in final]
    if not wanted:
        return []
    starts = {month: _midnight(month, zone) for month in _months(wanted[0], _after(wanted[-1]))}
    statements = {one.month: one for one in books.pnl_by_month(
        [store.pk], store.currency, last=wanted[-1], months=queries.months_between(wanted[0], wanted[-1]) + 1
    )}  # fmt: skip
    counted = _counts(store, wanted[0], wanted[-1], starts[wanted[0]], min(starts[_after(wanted[-1])], at), at)
    cash = _cash(store, zone)
    keeps_points = Violation.objects.filter(store_id=store.pk).exists()
    found = []
    for month in wanted:
        ends = starts[_after(month)]
        statement = statements[month]
        orders, due, late, refunded, active = counted.get(month, (0, 0, 0, 0, 0))
        points, full = _points(store.pk, min(ends, at)) if keeps_points else (None, None)
        until = _after(month) if at >= ends else at.astimezone(zone).date() + timedelta(days=1)
        days = (until - max(month, began)).days
        found.append(
            Measured(
                store_id=store.pk, month=month, currency=store.currency, orders=orders,
                sales=statement.sales, net=statement.net,
                outgo=statement.goods_and_freight + statement.costs, due=due, late=late, refunded=refunded,
                points=points, points_full=full, cash=_upto(cash, month), active_days=min(active, days), days=days,
                is_complete=at >= ends, is_final=at >= ends + FINAL_AFTER,
            )
        )  # fmt: skip
    return found


def _began(store: Store, zone: ZoneInfo) -> date:
    """The day of its first order, or on which it was added: a store may bring a past with it."""
    first = bulk.fetch("SELECT min(placed_at) FROM orders_order WHERE store_id = %s", (store.pk,))[0][0]
    began = min(store.created_at, first) if first else store.created_at
    return began.astimezone(zone).date()


def _final_months(store_id: int) -> set[date]:
    return {
        row[0] for row in bulk.fetch("SELECT month FROM exit_index_storemonth WHERE store_id = %s AND is_final", (store_id,))
    }


def _after(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _months(first: date, last: date) -> list[date]:
    found = []
    while first <= last:
        found.append(first)
        first = _after(first)
    return found[-queries.MOST_MONTHS :]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _counts(
    store: Store, first: date, last: date, since: datetime, until: datetime, at: datetime
) -> dict[date, tuple[int, int, int, int, int]]:
    """Month → orders placed, due to leave, late, refunded, active days; from `since` to `until`.

    Due is an order that had to leave by then: what the channel said, else so many hours after it was placed. It is late
    unless all of it was handed over in time. What was dispatched before daifa saw it is neither.
    """
    rows = bulk.fetch(
        f"""
        WITH placed AS (
            SELECT o.id, (o.placed_at AT TIME ZONE %(zone)s)::date AS day, o.placed_at >= %(since)s AND o.placed_at < %(until)s AS here,
                   coalesce(o.ship_by_at, o.placed_at + make_interval(hours => %(hours)s)) AS leave_by,
                   NOT o.is_history AND o.units > o.cancelled AS is_due, o.shipped >= o.units - o.cancelled AS is_shipped
            FROM orders_order o
            WHERE o.store_id = %(store)s AND o.placed_at >= %(since)s - %(back)s AND o.placed_at < %(until)s AND {PAID}
        ), left_at AS (
            SELECT p.order_id, max(coalesce(p.handed_over_at, 'infinity')) AS at FROM shipping_parcel p
            JOIN placed ON placed.id = p.order_id WHERE p.state <> 'cancelled' GROUP BY 1
        ), due AS (
            SELECT date_trunc('month', d.leave_by AT TIME ZONE %(zone)s)::date AS month, count(*) AS due,
                   count(*) FILTER (WHERE NOT d.is_shipped OR l.at IS NULL OR l.at > d.leave_by) AS late
            FROM placed d LEFT JOIN left_at l ON l.order_id = d.id
            WHERE d.is_due AND d.leave_by >= %(since)s AND d.leave_by < %(until)s AND d.leave_by <= %(at)s GROUP BY 1
        ), orders AS (
            SELECT date_trunc('month', day)::date AS month, count(*) AS orders FROM placed WHERE here GROUP BY 1
        ), refunds AS (
            SELECT date_trunc('month', coalesce(confirmed_at, at) AT TIME ZONE %(zone)s)::date AS month,
                   count(DISTINCT coalesce(order_id, -id)) AS refunded
            FROM aftersales_refund
            WHERE store_id = %(store)s AND state = 'confirmed' AND coalesce(confirmed_at, at) >= %(since)s
              AND coalesce(confirmed_at, at) < %(until)s GROUP BY 1
        ), days AS (
            SELECT day FROM placed WHERE here
            UNION SELECT (p.handed_over_at AT TIME ZONE %(zone)s)::date FROM shipping_parcel p JOIN placed ON placed.id = p.order_id
                  WHERE p.handed_over_at >= %(since)s AND p.handed_over_at < %(until)s
            UNION SELECT (b.placed_at AT TIME ZONE %(zone)s)::date FROM purchasing_purchaseorder b JOIN placed ON placed.id = b.order_id
                  WHERE b.placed_at >= %(since)s AND b.placed_at < %(until)s
            UNION SELECT (m.sent_at AT TIME ZONE %(zone)s)::date FROM buyer_messages_message m JOIN placed ON placed.id = m.order_id
                  WHERE m.sent_at >= %(since)s AND m.sent_at < %(until)s
        ), active AS (
            SELECT date_trunc('month', day)::date AS month, count(*) AS days FROM days GROUP BY 1
        )
        SELECT m.month::date, coalesce(o.orders, 0), coalesce(d.due, 0), coalesce(d.late, 0), coalesce(r.refunded, 0), coalesce(a.days, 0)
        FROM generate_series(%(first)s::timestamp, %(last)s::timestamp, interval '1 month') AS m (month)
        LEFT JOIN orders o ON o.month = m.month LEFT JOIN due d ON d.month = m.month
        LEFT JOIN refunds r ON r.month = m.month LEFT JOIN active a ON a.month = m.month
        """,
        {
            "store": store.pk, "zone": store.timezone, "hours": store.dispatch_hours, "since": since, "until": until,
            "back": LOOK_BACK, "at": at, "first": first, "last": last,
        },
    )  # fmt: skip
    return {row[0]: tuple(row[1:]) for row in rows}


def _cash(store: Store, zone: ZoneInfo) -> list[tuple[date, Decimal]]:
    """Bank + receivable − payable at the end of each month with entries, oldest first; in the store's currency.

    What is owed in another currency counts as it was booked: the home side of the exchange account.
    """
    rows = bulk.fetch(
        """SELECT date_trunc('month', e.at AT TIME ZONE %s)::date, sum(p.amount)
           FROM books_entry e JOIN books_posting p ON p.entry_id = e.id AND p.currency = %s
           WHERE e.store_id = %s AND p.account_id = ANY(ARRAY(SELECT id FROM books_account WHERE code = ANY(%s::text[])))
           GROUP BY 1 ORDER BY 1""",
        (zone.key, store.currency, store.pk, [BANK, RECEIVABLE, PAYABLE, EXCHANGE]),
    )
    total, found = Decimal(0), []
    for month, moved in rows:
        total += moved
        found.append((month, total))
    return found


def _upto(cash: list[tuple[date, Decimal]], month: date) -> Decimal:
    return next((amount for of_month, amount in reversed(cash) if of_month <= month), Decimal(0))


def _points(store_id: int, at: datetime) -> tuple[Decimal | None, Decimal | None]:
    """Points that count at `at`, and the number with which the channel's gravest step comes."""
    points = cases.points(store_id, at=at)
    return (points.total, points.ladder[-1].threshold) if points.ladder else (None, None)


# --- Learning -----------------------------------------------------------------------------------------------------


def learn_own(*, at: datetime) -> bool:
    """Let the merchant's own closings move the shipped weights, where there are enough. True when something changed."""
    past = own_past()
    model = rules.learn(past, queries.prior())
    return commands.record_learned(model, store_months=len(past), at=at)


def own_base_rate() -> OwnRate | None:
    """What the merchant's own closings alone say of how many stores close within a year."""
    past = own_past()
    return rules.own_rate(sum(one.closed for one in past), len(past))


def own_past() -> list[Past]:
    """Every complete month of every store with what came in the month after, sample stores left out."""
    scope = list(Store.objects.filter(is_sample=False).values_list("id", flat=True))
    ended: dict[int, set[date]] = defaultdict(set)
    for record in closures.closure_records(scope):
        ended[record.store_id].add(record.began.replace(day=1))
    past = []
    for store_id, months in queries.store_months(scope).items():
        plain = [queries.as_month(row) for row in months]
        known = {row.month for row in months}
        for place, row in enumerate(months):
            following = _after(row.month)
            closed = following in ended[store_id]
            if row.month in ended[store_id] or not (closed or following in known):
                continue  # it was ending already, or nobody knows yet what came
            figures = rules.figures(plain[: place + 1], age=queries.months_between(months[0].month, row.month))
            past.append(Past(figures, closed))
    return past


def say(stores: Sequence[Store], *, at: datetime) -> int:
    """Keep what the index says of each open store after its last complete month, with the weights of that day."""
    scope = [store.pk for store in stores]
    is_open, using = closures.open_stores(scope), queries.model()
    months = {store: rows for store, rows in queries.store_months(scope).items() if store in is_open}
    known = queries.said_for(sorted({rows[-1].month for rows in months.values()}))
    readings = {
        store: (rows[-1].month, queries.stands(rows, using, last=1)[0].reading)
        for store, rows in months.items() if (store, rows[-1].month) not in known
    }
    return commands.record_said(readings, version=using.full_version, at=at)


# --- The monthly review -------------------------------------------------------------------------------------------


def review_stores(stores: Sequence[Store], *, at: datetime, by: str) -> int:
    """Review open stores after their last complete month, once for each month. Returns how many were reviewed.

    A quiet or dormant store becomes a task, with what to try; it closes when the store comes back to life.
    """
    scope = [store.pk for store in stores]
    is_open = closures.open_stores(scope)
    months = queries.store_months(scope)
    lines = queries.review_lines(scope)
    last_order = dict(
        bulk.fetch(
            f"""SELECT s.id, (SELECT max(o.placed_at) FROM orders_order o WHERE o.store_id = s.id AND o.placed_at <= %s AND {PAID})
               FROM unnest(%s::bigint[]) AS s (id)""",
            (at, scope),
        )
    )
    done: dict[date, set[int]] = {}
    found: dict[date, dict[int, rules.Review]] = defaultdict(dict)
    back = came_back(scope)
    for store in stores:
        rows = months.get(store.pk, [])
        if store.pk in back:  # what was before it came back is another life's
            rows = [row for row in rows if row.month >= back[store.pk].date().replace(day=1)]
        if store.pk not in is_open or not rows:
            continue
        month = rows[-1].month
        if month not in done:
            done[month] = queries.reviewed_for(month)
        if store.pk in done[month]:
            continue
        began = back.get(store.pk) or min(store.created_at, _midnight(rows[0].month, ZoneInfo(store.timezone)))
        found[month][store.pk] = rules.review(
            [queries.as_month(row) for row in rows],
            days_open=(at - began).days,
            days_without_order=(at - max(last_order.get(store.pk) or began, began)).days,
            lines=lines[store.pk],
        )
    with transaction.atomic():
        for month, reviews in found.items():
            commands.record_reviews(reviews, month=month, at=at)
            _tell(reviews, {store.pk: store for store in stores}, month, at=at, by=by)
    return sum(len(reviews) for reviews in found.values())


def _tell(reviews: dict[int, rules.Review], stores: dict[int, Store], month: date, *, at: datetime, by: str) -> None:
    for verdict, kind in REVIEW_TASKS.items():
        over = [store for store, review in reviews.items() if review.verdict != verdict]
        close_tasks(kind=kind, thing_kind="store_review", things=over, by=by, at=at)

    def about(store: int, review: rules.Review) -> dict[str, Any]:
        said = {code: int(value) if value == int(value) else value for code, value in review.reasons}
        return {"store_id": store, "thing_kind": "store_review", "thing": store,
                "params": {"store": stores[store].name, "month": f"{month:%Y-%m}", **said}}  # fmt: skip

    open_tasks(
        [
            NewTask(kind="store_dormant", **about(store, review)) if review.verdict == "dormant"
            else NewTask(kind="store_quiet", **about(store, review))
            for store, review in reviews.items() if review.verdict in REVIEW_TASKS
        ],
        at=at,
    )  # fmt: skip
