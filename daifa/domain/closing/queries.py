"""Reads about the life of stores: where each is, what blocks its end, its days, its closings, what its buyers may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Count, Max, Q
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from daifa.domain.aftersales.process import AFTERSALE_CASE
from daifa.domain.books import queries as books
from daifa.domain.books.rules import RECEIVABLE
from daifa.domain.cases import queries as cases
from daifa.domain.cases.models import Violation
from daifa.domain.cases.process import CONSEQUENCES
from daifa.domain.closing import rules, steps
from daifa.domain.closing.models import (
    Closing,
    ClosingStep,
    ComebackPaper,
    ComebackStep,
    Lifecycle,
    PaperTakenAway,
    PastClosing,
    Readmission,
    Standing,
    StatusPage,
    StepEvidence,
    Traffic,
)
from daifa.domain.closing.process import READMISSION, STANDING
from daifa.domain.compliance.rules import calendar_of
from daifa.domain.exit_index.queries import review_lines
from daifa.domain.exit_index.rules import ReviewLines
from daifa.domain.orders.queries import PAID
from daifa.domain.policy import queries as policy
from daifa.domain.privacy import queries as privacy
from daifa.domain.privacy.queries import OF_ORDERS
from daifa.domain.stores.models import Store
from daifa.lib import bulk
from daifa.lib.money import Money, decimals_in_sql, rounded
from daifa.lib.sentences import told
from daifa.lib.workdays import is_working_day

# --- The life of a store ------------------------------------------------------------------------------------------


def lifecycle(store_id: int) -> str:
    """preparing, open, closing, closed or archived; a store about which nothing was ever written down is open."""
    return lifecycles([store_id])[store_id]


def lifecycles(scope: Sequence[int]) -> dict[int, str]:
    """Store → its state of life, as `lifecycle`."""
    found = dict(
        bulk.fetch(
            "SELECT store_id, state FROM closing_lifecycle WHERE replaced_at IS NULL AND store_id = ANY(%s::bigint[])",
            (list(scope),),
        )
    )
    return {store: found.get(store, "open") for store in scope}


def standing(store_id: int) -> str:
    """normal, warned, restricted or frozen, in the store's present life."""
    return standings([store_id])[store_id]


def standings(scope: Sequence[int]) -> dict[int, str]:
    """Store → its standing, as `standing`."""
    found = dict(
        bulk.fetch(
            """SELECT s.store_id, s.state FROM closing_standing s JOIN closing_lifecycle l ON l.id = s.lifecycle_id
               WHERE l.replaced_at IS NULL AND s.store_id = ANY(%s::bigint[])""",
            (list(scope),),
        )
    )
    return {store: found.get(store, "normal") for store in scope}


def may_take_orders(store_id: int) -> bool:
    """False for a store that is being prepared, closing, closed, archived or frozen: new orders are not bought for."""
    return lifecycle(store_id) == "open" and standing(store_id) != "frozen"


def shut_since(scope: Sequence[int]) -> dict[int, datetime]:
    """Store → the moment from which it takes no new orders; stores that take them are not in it. One cheap statement.

    Orders paid before that moment go on as ever: they are owed.
    """
    return dict(
        bulk.fetch(
            """SELECT l.store_id, least(l.shut_at, CASE WHEN s.state = 'frozen' THEN s.since END,
                                        CASE WHEN l.state = 'preparing' THEN l.began_at END)
               FROM closing_lifecycle l LEFT JOIN closing_standing s ON s.lifecycle_id = l.id
               WHERE l.replaced_at IS NULL AND l.store_id = ANY(%s::bigint[])
                 AND (l.shut_at IS NOT NULL OR s.state = 'frozen' OR l.state = 'preparing')""",
            (list(scope),),
        )
    )


def current_lifecycle(store_id: int) -> Lifecycle | None:
    return Lifecycle.objects.filter(store_id=store_id, replaced_at=None).first()


def has_orders(store_id: int) -> bool:
    """True once an order of this store came in."""
    return bulk.fetch("SELECT EXISTS (SELECT FROM orders_order WHERE store_id = %s)", (store_id,))[0][0]


def lives_of(store_id: int) -> list[Lifecycle]:
    """All lives of a store, newest first."""
    return list(Lifecycle.objects.filter(store_id=store_id).order_by("-id"))


def standing_of(store_id: int) -> Standing | None:
    return Standing.objects.filter(store_id=store_id, lifecycle__replaced_at=None).first()


def causes_of_standing(store_id: int, *, at: datetime) -> list[rules.Cause]:
    """What violations in force make of a store's standing: lines of points that are reached, limits that hold.

    Those whose rule only informs are among them, marked. After a readmission only what came since counts.
    """
    life = current_lifecycle(store_id)
    since = life.began_at if life is not None and life.previous_id else None
    points = cases.points(store_id, at=at)
    counting = Violation.objects.in_bulk(points.violations)
    new = [one for one in counting.values() if since is None or one.notified_at >= since]
    total = sum((one.points for one in new), Decimal(0))
    falls_at = min((one.points_until for one in new if one.points_until), default=None)
    found = []
    for rung in points.ladder:
        if total >= rung.threshold:
            rule = cases.rule(rung.rule, on=at.date())
            words = (rule.consequence.en, rule.consequence.zh) if rule is not None else (rung.consequence,)
            why = f"{_plain(total)} ≥ {_plain(rung.threshold)} · {rung.rule}"
            found.append(rules.Cause(rules.standing_of_line(*words), why, rung.rule, falls_at, rung.acts, rung.why_not))
    limits = [
        one
        for one in cases.consequences_in_force([store_id], at=at)
        if one["kind"] in rules.STANDING_OF_LIMIT and (since is None or one["from_at"] >= since)
    ]
    behind = dict(Violation.objects.filter(pk__in=[one["violation_id"] for one in limits]).values_list("pk", "rule"))
    found += [
        rules.Cause(
            rules.STANDING_OF_LIMIT[one["kind"]], rules.why_kept("limit", kind=one["kind"], reference=one["reference"]),
            behind[one["violation_id"]], one["until_at"],
        )
        for one in limits
    ]
    return found


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def why_words(text: str) -> str:
    """Why a standing moved, in the reader's language; what a person wrote is given as written."""
    if (read := rules.why_read(text)) is None:
        return told(text)
    code, params = read
    if code == "over":
        return _("points and limits are over or were lifted")
    words = CONSEQUENCES.get(params["kind"], (params["kind"], params["kind"]))
    return " · ".join(filter(None, (params["reference"], words[(get_language() or "").startswith("zh")])))


class StandingMove(NamedTuple):
    """One move of a standing: from where to where, when, who, why (in words)."""

    state_from: str
    state: str
    at: datetime
    by: str
    reason: str


def standing_moves(store_id: int, *, limit: int = 20) -> list[StandingMove]:
    """How the standing of a store moved, newest first."""
    return [
        StandingMove(*row, why_words(reason))
        for *row, reason in bulk.fetch(
            """SELECT t.state_from, t.state_to, t.at, b.by, b.reason FROM history_transition t
               JOIN history_batch b ON b.id = t.batch_id
               JOIN closing_standing s ON s.id = t.thing
               WHERE t.kind = %s AND s.store_id = %s AND t.state_from <> '' ORDER BY t.at DESC, t.batch_id DESC LIMIT %s""",
            (STANDING.kind, store_id, limit),
        )
    ]


class ReadmissionMove(NamedTuple):
    """One move of a plan to come back."""

    state: str
    at: datetime
    by: str
    reason: str


def readmission_moves(readmission_id: int) -> list[ReadmissionMove]:
    """How a plan to come back went on after it was made, newest first."""
    return [
        ReadmissionMove(*row, told(reason))
        for *row, reason in bulk.fetch(
            """SELECT t.state_to, t.at, b.by, b.reason FROM history_transition t JOIN history_batch b ON b.id = t.batch_id
               WHERE t.kind = %s AND t.thing = %s AND t.state_from <> '' ORDER BY t.at DESC, t.batch_id DESC""",
            (READMISSION.kind, readmission_id),
        )
    ]


def stores_to_reckon(*, at: datetime) -> list[int]:
    """Stores whose standing violations bear on, or did: what a sweep looks at. Few, whatever the number of stores."""
    return [
        row[0]
        for row in bulk.fetch(
            """SELECT s.id FROM stores_store s
               WHERE (EXISTS (SELECT FROM cases_violation v WHERE v.store_id = s.id AND v.state NOT IN ('lifted', 'expired')
                              AND v.notified_at <= %(at)s)
                      OR EXISTS (SELECT FROM closing_standing g JOIN closing_lifecycle l ON l.id = g.lifecycle_id
                                 WHERE g.store_id = s.id AND l.replaced_at IS NULL AND g.reckoned <> 'normal'))
                 AND NOT EXISTS (SELECT FROM closing_lifecycle l WHERE l.store_id = s.id AND l.replaced_at IS NULL
                                 AND l.state IN ('closed', 'archived'))
               ORDER BY s.id""",
            {"at": at},
        )
    ]


# --- What blocks --------------------------------------------------------------------------------------------------

BLOCKERS: dict[str, tuple[str, str]] = {
    "unshipped": ("orders not shipped", "未发货订单"),
    "in_transit": ("parcels on their way", "在途包裹"),
    "lost_unsettled": ("lost or returned parcels not refunded", "丢件或退回未退款"),
    "not_paid_back": ("orders with cancelled goods not refunded", "已取消商品未退款的订单"),
    "open_aftersales": ("open after-sales requests", "未结售后"),
    "unpaid_refunds": ("refunds not paid", "未付退款"),
    "in_return_time": ("orders that may still be returned", "仍在无理由退货期的订单"),
    "supplier_balances": ("suppliers not settled", "未结清的供应商"),
    "settlement_due": ("proceeds not settled with the channel", "平台货款未结清"),
    "deposit_held": ("deposit not returned", "保证金未退回"),
    "appeals": ("open appeals, complaints or notices of rights", "未结申诉、投诉或侵权通知"),
    "live_listings": ("listings still live", "仍在售商品"),
    "postings_owed": ("postings still to be made", "待入账"),
    "notice_running": ("days of public notice left", "公示剩余天数"),
    "retention_unknown": ("kinds of buyers' data of which nobody has said how long they are kept", "未说明保留期限的买家数据类别"),
}
"""What may stand between a store and its end: code → (English, 中文)."""

_OPEN_CASE = [
    state for state in AFTERSALE_CASE.table if state not in ("refunded", "refused", "expired", "closed")
]
_GONE = ("delivered", "returned_to_sender", "lost", "cancelled")


class Blocker(NamedTuple):
    """One thing that is still open. `amount` in `currency` where it is money; `until` where time alone settles it."""

    code: str
    count: int
    amount: Decimal | None = None
    currency: str = ""
    until: date | None = None


def blockers(store_id: int, *, at: datetime, terms: rules.Terms | None = None) -> list[Blocker]:
    """Everything that is still open in a store, in the order of BLOCKERS; empty when it could end today.

    Days of a running public notice are not among them: see `notice_running`.
    """
    store = Store.objects.get(pk=store_id)
    terms = terms or terms_of(store, on=at.date())
    found = _open_orders(store, at, terms) + _open_money(store)
    live = bulk.fetch(
        "SELECT count(*) FROM catalog_listingvariant WHERE store_id = %s AND state IN ('live', 'paused')", (store_id,)
    )[0][0]
    owed = bulk.fetch(_POSTINGS_OWED, (store_id,))[0][0]
    open_cases = cases.open_cases(store_id)
    found += [
        Blocker("appeals", len(open_cases)),
        Blocker("live_listings", live),
        Blocker("postings_owed", int(owed)),
    ]
    order = list(BLOCKERS)
    counted = [
        one if one.amount is None else one._replace(amount=rounded(one.amount, one.currency)) for one in found if one.count
    ]
    return sorted(counted, key=lambda one: order.index(one.code))


_POSTINGS_OWED = """
    WITH owed AS (SELECT reaction, unnest(things) AS thing FROM history_pendingreaction
                  WHERE reaction LIKE 'post\\_%%' AND state <> 'suppressed')
    SELECT count(*) FROM owed w
    LEFT JOIN orders_order o ON w.reaction = 'post_orders' AND o.id = w.thing
    LEFT JOIN purchasing_purchaseanswer a ON w.reaction = 'post_purchases' AND a.id = w.thing
    LEFT JOIN purchasing_purchaseorder b ON b.id = a.purchase_order_id
    LEFT JOIN shipping_parcel p ON w.reaction IN ('post_handed_over', 'post_delivered', 'post_lost') AND p.id = w.thing
    LEFT JOIN aftersales_refund r ON w.reaction = 'post_refunds' AND r.id = w.thing
    LEFT JOIN cases_depositmove d ON w.reaction = 'post_deposits' AND d.id = w.thing
    WHERE coalesce(o.store_id, b.store_id, p.store_id, r.store_id, d.store_id) = %s"""
"""Postings that this store still owes; what others owe is theirs."""

_LOST_UNSETTLED = f"""
    WITH dead AS (SELECT p.id, p.order_id, l.order_line_id, l.order_quantity FROM shipping_parcel p
                  JOIN shipping_parcelline l ON l.parcel_id = p.id
                  WHERE p.store_id = %(store)s AND p.state IN ('lost', 'returned_to_sender')),
    again AS (SELECT l.order_line_id, sum(l.order_quantity) AS units FROM shipping_parcelline l
              JOIN shipping_parcel p ON p.id = l.parcel_id AND p.state NOT IN ('lost', 'returned_to_sender', 'cancelled')
              JOIN purchasing_purchaseline b ON b.id = l.purchase_line_id
              JOIN fulfilment_fulfilmentline f ON f.id = b.fulfilment_line_id AND f.kind <> 'sale'
              WHERE l.order_line_id IN (SELECT order_line_id FROM dead) GROUP BY 1),
    owed AS (SELECT d.order_id, d.order_line_id, sum(d.order_quantity) - coalesce(max(a.units), 0) AS units
             FROM dead d LEFT JOIN again a ON a.order_line_id = d.order_line_id GROUP BY 1, 2),
    due AS (SELECT w.order_id, sum(greatest(w.units, 0) * l.amount / nullif(l.quantity, 0)) AS worth
            FROM owed w JOIN orders_orderline l ON l.id = w.order_line_id GROUP BY 1)
    SELECT count(DISTINCT d.id) FROM dead d JOIN due u ON u.order_id = d.order_id JOIN orders_order o ON o.id = d.order_id
    WHERE o.refunded_amount < trunc(least(u.worth * least(1, o.total_amount / nullif(o.goods_amount, 0)), o.total_amount),
                                    {decimals_in_sql("o.currency")})"""
"""Parcels that did not arrive, of orders whose goods in them were neither sent again nor paid back in full.

Goods count with their share of what was paid; a replacement on its way is found among the parcels on their way.
"""

_NOT_PAID_BACK = f"""
    WITH named AS (SELECT r.order_id, x.order_line_id, sum(x.cancelled) AS units FROM aftersales_refund r
                   JOIN aftersales_refundline x ON x.refund_id = r.id AND x.cancelled > 0
                   WHERE r.store_id = %(store)s AND r.state = 'confirmed' GROUP BY 1, 2),
    spent AS (SELECT r.order_id, sum(r.amount) AS amount FROM aftersales_refund r
              WHERE r.store_id = %(store)s AND r.state = 'confirmed'
                AND EXISTS (SELECT FROM aftersales_refundline x WHERE x.refund_id = r.id AND x.cancelled > 0) GROUP BY 1),
    due AS (SELECT o.id, o.currency, o.refunded_amount - coalesce(max(s.amount), 0) AS back,
                   sum((l.cancelled - coalesce(n.units, 0)) * l.amount / nullif(l.quantity, 0))
                   * least(1, o.total_amount / nullif(o.goods_amount, 0)) AS worth
            FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id AND l.cancelled > 0
            LEFT JOIN named n ON n.order_line_id = l.id LEFT JOIN spent s ON s.order_id = o.id
            WHERE o.store_id = %(store)s AND o.cancelled > 0 AND NOT o.is_history AND {PAID} GROUP BY o.id)
    SELECT count(*), sum(coins - back) FROM (SELECT back, trunc(worth, {decimals_in_sql("currency")}) AS coins FROM due) d
    WHERE back < coins"""
"""Orders of which units were cancelled, and what their buyers have not got back: their share of what was paid.

A refund that names cancelled units settles them, whatever it paid.
"""


def _open_orders(store: Store, at: datetime, terms: rules.Terms) -> list[Blocker]:
    unshipped, worth = bulk.fetch(
        f"""SELECT count(*), sum(o.total_amount - o.refunded_amount) FILTER (WHERE {PAID}) FROM orders_order o
            WHERE o.store_id = %s AND NOT o.is_history AND o.units > o.cancelled + o.shipped""",
        (store.pk,),
    )[0]
    moving = bulk.fetch(
        "SELECT count(*) FROM shipping_parcel WHERE store_id = %s AND NOT state = ANY(%s::text[])", (store.pk, list(_GONE))
    )[0][0]
    lost = bulk.fetch(_LOST_UNSETTLED, {"store": store.pk})[0][0]
    kept, kept_sum = bulk.fetch(_NOT_PAID_BACK, {"store": store.pk})[0]
    requests = bulk.fetch(
        "SELECT count(*) FROM aftersales_aftersalecase WHERE store_id = %s AND state = ANY(%s::text[])",
        (store.pk, _OPEN_CASE),
    )[0][0]
    refunds, refund_sum = bulk.fetch(
        "SELECT count(*), sum(amount) FROM aftersales_refund WHERE store_id = %s AND state <> 'confirmed'", (store.pk,)
    )[0]
    # The day of delivery does not count; the last day counts to its end, where the store is.
    abroad = _return_days_abroad(store, terms, on=at.date())
    returnable, until = bulk.fetch(
        """SELECT count(DISTINCT order_id), max(until) FROM (
               SELECT p.order_id, (p.delivered_at AT TIME ZONE %(zone)s)::date + coalesce(c.days, %(days)s) AS until
               FROM shipping_parcel p JOIN orders_order o ON o.id = p.order_id
               LEFT JOIN unnest(%(countries)s::text[], %(theirs)s::int[]) AS c (country, days) ON c.country = o.country
               WHERE p.store_id = %(store)s AND p.state = 'delivered' AND o.refunded_amount < o.total_amount) r
           WHERE until > (%(at)s::timestamptz AT TIME ZONE %(zone)s)::date""",
        {
            "zone": store.timezone, "store": store.pk, "days": terms.return_days.value, "at": at, "countries": list(abroad),
            "theirs": [term.value for term in abroad.values()],
        },
    )[0]  # fmt: skip
    return [
        Blocker("unshipped", unshipped, worth, store.currency),
        Blocker("in_transit", moving),
        Blocker("lost_unsettled", lost),
        Blocker("not_paid_back", kept, kept_sum, store.currency),
        Blocker("open_aftersales", requests),
        Blocker("unpaid_refunds", refunds, refund_sum, store.currency),
        Blocker("in_return_time", returnable, until=until),
    ]


def _open_money(store: Store) -> list[Blocker]:
    owed: dict[str, list[Decimal]] = {}
    for _supplier, currency, amount in books.balances_of_suppliers([store.pk]):
        owed.setdefault(currency, []).append(amount)
    found = [
        Blocker("supplier_balances", len(amounts), sum(amounts, Decimal(0)), currency) for currency, amounts in owed.items()
    ]
    found += [
        Blocker("settlement_due", 1, due.amount, due.currency) for due in proceeds_due(store.pk) if due.amount
    ]
    held = cases.deposit(store.pk).held
    if held.amount:
        found.append(Blocker("deposit_held", 1, held.amount, held.currency))
    return found


def proceeds_due(store_id: int) -> list[Money]:
    """What the books say the channel still owes this store, by currency; negative = it was paid too much."""
    return [
        Money(row.amount, row.currency) for row in books.trial_balance([store_id]).rows if row.code == RECEIVABLE
    ]


def has_aftersales(store_id: int) -> bool:
    """True while a buyer has a request open."""
    return bulk.fetch(
        "SELECT EXISTS (SELECT FROM aftersales_aftersalecase WHERE store_id = %s AND state = ANY(%s::text[]))",
        (store_id, _OPEN_CASE),
    )[0][0]


def orders_by_hour(store_id: int, *, at: datetime, days: int = 90) -> list[int]:
    """Orders placed in each hour of the day (0–23, the store's time) over the last days."""
    found = dict(
        bulk.fetch(
            """SELECT extract(hour FROM o.placed_at AT TIME ZONE s.timezone)::int, count(*)
               FROM orders_order o JOIN stores_store s ON s.id = o.store_id
               WHERE o.store_id = %s AND o.placed_at > %s AND o.placed_at <= %s GROUP BY 1""",
            (store_id, at - timedelta(days=days), at),
        )
    )
    return [found.get(hour, 0) for hour in range(24)]


class Month(NamedTuple):
    """A stretch of thirty days of a store: orders placed, sales, and what was said of its exposure on `days` of them."""

    until: date
    orders: int
    sales: Decimal
    impressions: int | None = None
    visits: int | None = None
    days: int = 0

    @property
    def stretch(self) -> rules.Stretch:
        """What thresholds are held against: exposure counts only where it was said on enough days."""
        return rules.Stretch(self.orders, self.visits, self.impressions)


def months_of(store_id: int, *, at: datetime, months: int = 6) -> list[Month]:
    """The last stretches of thirty days, oldest first; exposure is None where it was said on too few of the days."""
    rows = {
        row[0]: row[1:]
        for row in bulk.fetch(
            f"""SELECT floor(extract(epoch FROM %(at)s::timestamptz - o.placed_at) / 2592000)::int, count(*), sum(o.total_amount)
                FROM orders_order o WHERE o.store_id = %(store)s AND o.placed_at <= %(at)s
                  AND o.placed_at > %(at)s::timestamptz - %(days)s * interval '1 day' AND {PAID} GROUP BY 1""",
            {"at": at, "store": store_id, "days": months * 30},
        )
    }
    shown = {
        row[0]: row[1:]
        for row in bulk.fetch(
            """SELECT (((%(at)s::timestamptz AT TIME ZONE s.timezone)::date - t.day) / 30)::int,
                      CASE WHEN count(t.impressions) >= %(enough)s THEN sum(t.impressions) END,
                      CASE WHEN count(t.visits) >= %(enough)s THEN sum(t.visits) END, count(*)
               FROM closing_traffic t JOIN stores_store s ON s.id = t.store_id
               WHERE t.store_id = %(store)s AND t.day <= (%(at)s::timestamptz AT TIME ZONE s.timezone)::date
                 AND t.day > (%(at)s::timestamptz AT TIME ZONE s.timezone)::date - %(days)s GROUP BY 1""",
            {"at": at, "store": store_id, "days": months * 30, "enough": rules.ENOUGH_DAYS},
        )
    }
    found = []
    for back in range(months - 1, -1, -1):
        impressions, visits, days = shown.get(back) or (None, None, 0)
        found.append(
            Month(
                (at - timedelta(days=30 * back)).date(), *(rows.get(back) or (0, Decimal(0))),
                None if impressions is None else int(impressions), None if visits is None else int(visits), days,
            )
        )  # fmt: skip
    return found


def lines_of(store_id: int, *, at: datetime) -> list[rules.Line]:
    """The thresholds of a store that nobody comes to, against its last three stretches of thirty days.

    A stretch in which the store did not sell yet, or was closed before it came back, says nothing about it.
    """
    stretches = [month.stretch for month in months_of(store_id, at=at, months=rules.QUIET_MONTHS)]
    first = came_back([store_id]).get(store_id) or bulk.fetch(
        """SELECT least(s.created_at, (SELECT min(placed_at) FROM orders_order o WHERE o.store_id = s.id))
           FROM stores_store s WHERE s.id = %s""",
        (store_id,),
    )[0][0]
    for back, stretch in enumerate(reversed(stretches), start=1):
        if at - timedelta(days=30 * back) < first and not stretch.orders:
            stretches[-back] = stretch._replace(orders=None)
    return rules.lines_of(stretches, orders=_review_lines(store_id).quiet_orders + 1)


def came_back(scope: Sequence[int]) -> dict[int, datetime]:
    """Store → when its present life began, of those that were readmitted."""
    return dict(
        bulk.fetch(
            """SELECT store_id, began_at FROM closing_lifecycle
               WHERE replaced_at IS NULL AND previous_id IS NOT NULL AND store_id = ANY(%s::bigint[])""",
            (list(scope),),
        )
    )


def nobody_comes(store_id: int, *, at: datetime) -> bool:
    """True for a store whose figures are below the line for three stretches, see `rules.nobody_comes`.

    A store that came back is given those three stretches first.
    """
    back = came_back([store_id]).get(store_id)
    if back is not None and at - back < timedelta(days=30 * rules.QUIET_MONTHS):
        return False
    stretches = [month.stretch for month in months_of(store_id, at=at, months=rules.QUIET_MONTHS)]
    lines = _review_lines(store_id)
    newest = bulk.fetch(f"SELECT max(o.placed_at) FROM orders_order o WHERE o.store_id = %s AND o.placed_at <= %s AND {PAID}", (store_id, at))[0][0]
    since = newest or Store.objects.values_list("created_at", flat=True).get(pk=store_id)
    return rules.nobody_comes(stretches, orders=lines.quiet_orders + 1, is_dormant=(at - since).days >= lines.dormant_days)


def _review_lines(store_id: int) -> ReviewLines:
    """The lines of the monthly review, which count here too: one store is not quiet here and busy there."""
    return review_lines([store_id])[store_id]


def traffic_of(store_id: int, *, days: int = 90) -> list[Traffic]:
    """What was said of the last days, newest first."""
    return list(Traffic.objects.filter(store_id=store_id).order_by("-day")[:days])


def past_closings(scope: Sequence[int], *, all_stores: bool = False) -> list[PastClosing]:
    """Stores that ended before daifa closed any, newest first; those never kept here only with `all_stores`."""
    mine = Q(store_id__in=list(scope)) | Q(store=None) if all_stores else Q(store_id__in=list(scope))
    return list(PastClosing.objects.filter(mine).select_related("store").order_by("-began_on", "-pk"))


# --- Terms and days -----------------------------------------------------------------------------------------------


PLATFORMS = (
    *policy.DOMESTIC, "amazon", "ebay", "shopee", "walmart", "tiktok_shop", "aliexpress", "wish",
)  # fmt: skip


def has_platform(store: Store) -> bool:
    """True where somebody else keeps the shop: an application, a deposit, a public notice are theirs."""
    return store.kind == "marketplace" or policy.book_name(store.channel) in PLATFORMS


_TERMS = {
    "notice_days": ("public_notice_days", "closing_notice_days"),
    "total_days": ("days_request_to_closed",),
    "deposit_months": ("months_after_termination",),
    "return_days": ("no_reason_return_days", "withdrawal_days"),
    "claim_days": ("days_after_receipt",),
    "appeal_days": ("days_to_appeal_penalty",),
    "rule_notice_days": ("platform_rule_notice_days",),
    "forced": ("removed_for_violation",),
}


def terms_of(store: Store, *, on: date) -> rules.Terms:
    """What the store's channel and law say about its end on that day; what nobody says is daifa's own assumption."""
    known: dict[str, Any] = {}
    for channel in policy.channels_of(store):
        for rule in policy.rules(channel, on=on, store_id=store.pk):
            if rule.unit in (None, "day", "month") and rule.metric not in known:
                known[rule.metric] = rule
    found = {}
    for name, metrics in _TERMS.items():
        rule = next((known[metric] for metric in metrics if metric in known), None)
        if rule is not None:
            value = int(rule.threshold) if isinstance(rule.threshold, Decimal) else rules.Terms()._asdict()[name].value
            found[name] = rules.Term(value, rule.id, rule.acts)
    return rules.Terms(**found)


def _return_days_abroad(store: Store, terms: rules.Terms, *, on: date) -> dict[str, rules.Term]:
    """Country → the days in which its buyers may return goods, where their own law gives them more than the store's.

    On a domestic platform its rules count for every buyer.
    """
    if policy.channel_of(store) in policy.DOMESTIC:
        return {}
    by_law: dict[str, rules.Term] = {}
    found = {}
    for country, law in policy.LAWS.items():
        if law not in by_law:
            kept = {rule.metric: rule for rule in policy.rules(law, on=on, store_id=store.pk) if rule.unit in (None, "day")}
            rule = next((kept[metric] for metric in _TERMS["return_days"] if metric in kept), None)
            days = int(rule.threshold) if rule is not None and isinstance(rule.threshold, Decimal) else 0
            by_law[law] = rules.Term(days, rule.id, rule.acts) if rule is not None else rules.Term(0)
        if by_law[law].value > terms.return_days.value:
            found[country] = by_law[law]
    return found


def _last_return(store: Store, terms: rules.Terms, *, at: datetime) -> tuple[date | None, rules.Term]:
    """Until when a buyer may return goods, by the last delivery in each country, and the rule that says so."""
    abroad = _return_days_abroad(store, terms, on=at.date())
    ends = [
        (last + timedelta(days=(term := abroad.get(country, terms.return_days)).value), term)
        for country, last in expected_deliveries(store, at=at).items()
    ]
    return max(ends, key=lambda end: end[0], default=(None, terms.return_days))


def working_days(store: Store) -> rules.Working:
    """Whether a day is a working day where the store's platform sits."""
    home = "CN" if store.channel.lower() in policy.DOMESTIC or store.country == "CN" else store.country
    return partial(_is_working, calendar=calendar_of(home)[0])


def _is_working(day: date, calendar: str) -> bool:
    return is_working_day(day, calendar)


def expected_last_delivery(store: Store, *, at: datetime) -> date | None:
    """When the last parcel is, or is expected to be, with its buyer; None = nothing is or was on its way."""
    return max(expected_deliveries(store, at=at).values(), default=None)


def expected_deliveries(store: Store, *, at: datetime) -> dict[str, date]:
    """Country of buyers → when the last parcel there is, or is expected to be, with its buyer.

    What is not shipped yet counts with its promised day and the store's days in transit.
    """
    zone = ZoneInfo(store.timezone)
    rows = bulk.fetch(
        """SELECT country, max(arrives) FROM (
               SELECT o.country, greatest(coalesce(o.ship_by_at, %(at)s), %(at)s::timestamptz) + %(transit)s * interval '1 day' AS arrives
               FROM orders_order o WHERE o.store_id = %(store)s AND NOT o.is_history AND o.units > o.cancelled + o.shipped
               UNION ALL
               SELECT o.country, CASE WHEN p.state = 'delivered' THEN p.delivered_at
                                      ELSE greatest(p.announced_at + %(transit)s * interval '1 day', %(at)s) END
               FROM shipping_parcel p JOIN orders_order o ON o.id = p.order_id
               WHERE p.store_id = %(store)s AND p.state NOT IN ('lost', 'returned_to_sender', 'cancelled')) a
           WHERE arrives IS NOT NULL GROUP BY 1""",
        {"at": at, "store": store.pk, "transit": store.transit_days},
    )
    return {country: moment.astimezone(zone).date() for country, moment in rows}


def _day(value: Any) -> date | None:
    return date.fromisoformat(value) if value else None


def violations_behind(closing: Closing) -> list[Violation]:
    """The violations behind a removal, oldest first; empty for the other ways."""
    return list(closing.violations.order_by("notified_at", "pk"))


def _last_day_to_appeal(closing: Closing, zone: ZoneInfo) -> date | None:
    """The latest day on which one of the violations may still be appealed; None where no notice said."""
    ends = [one.appeal_until for one in violations_behind(closing) if one.appeal_until and one.state not in ("lifted", "expired")]
    return (max(ends).astimezone(zone) - timedelta(seconds=1)).date() if ends else None


def facts_of(closing: Closing, *, at: datetime) -> rules.Facts:
    """What the days of a closing are computed from, at this moment."""
    store = closing.store
    zone = ZoneInfo(store.timezone)
    params = closing.params
    last_delivery = expected_last_delivery(store, at=at)
    return rules.Facts(
        scenario=closing.scenario,
        started_on=closing.started_at.astimezone(zone).date(),
        has_platform=has_platform(store),
        last_delivery_on=last_delivery,
        noticed_on=_day(params.get("noticed_on")),
        appeal_until=_last_day_to_appeal(closing, zone) if closing.scenario == "forced" else None,
        appealed_on=_day(params.get("appealed_on")),
        ruled_on=_day(params.get("ruled_on")),
        effective_on=_day(params.get("effective_on")),
        improve_until=_day(params.get("improve_until")),
        winding_up_on=_day(params.get("winding_up_on")),
        applied_on=closing.applied_at.astimezone(zone).date() if closing.applied_at else None,
        closed_on=_day(params.get("closed_on")),
        deposit_on=_day(params.get("deposit_on")),
        kept_until=_day(params.get("kept_until")) or _kept_until(store, last_delivery),
        today=at.astimezone(zone).date(),
        done=_days_done(closing, zone),
    )


def _kept_until(store: Store, last_delivery: date | None) -> date | None:
    """Until when the data of the last order's buyer must be kept, as far as that was answered; None: nothing keeps them."""
    if last_delivery is None:
        return None
    known = privacy.answers()
    least = [answer.at_least for data in OF_ORDERS if (answer := known.of(data, store.pk, "")) is not None]
    return last_delivery + timedelta(days=max(least)) if least else None


_DONE_BY = {
    "self_check": "self_check", "frozen": "freeze", "listings_down": "listings_down", "orders_finished": "orders_finished",
    "aftersales_finished": "aftersales_finished", "shred": "shred", "archive": "archive",
}  # fmt: skip
"""Days of the calendar whose thing is done with a step: day → step."""


def _days_done(closing: Closing, zone: ZoneInfo) -> dict[str, date]:
    """Day of the calendar → when its step was done; nothing for a closing that is only thought of."""
    if closing.pk is None:
        return {}
    done = dict(ClosingStep.objects.filter(closing=closing, state="done", done_at__isnull=False).values_list("code", "done_at"))
    return {day: done[step].astimezone(zone).date() for day, step in _DONE_BY.items() if step in done}


def days_of(closing: Closing, *, at: datetime) -> list[rules.Day]:
    """The calendar of a closing as it stands now. One that has ended keeps the days it had."""
    store = closing.store
    at = min(at, closing.ended_at) if closing.ended_at else at
    terms = terms_of(store, on=closing.started_at.date())
    until, term = _last_return(store, terms, at=at)
    facts = replace(facts_of(closing, at=at), returns_until=until)
    return rules.calendar(facts, terms._replace(return_days=term), working_days(store))


def days_if_started(store: Store, scenario: str, *, at: datetime, **params: date | None) -> list[rules.Day]:
    """The calendar a closing would have if it began now: shown before anybody decides."""
    today = at.astimezone(ZoneInfo(store.timezone)).date()
    last_delivery = expected_last_delivery(store, at=at)
    facts = rules.Facts(
        scenario=scenario, started_on=today, today=today, has_platform=has_platform(store),
        last_delivery_on=last_delivery, kept_until=_kept_until(store, last_delivery), **params,
    )  # fmt: skip
    terms = terms_of(store, on=at.date())
    until, term = _last_return(store, terms, at=at)
    return rules.calendar(replace(facts, returns_until=until), terms._replace(return_days=term), working_days(store))


# --- Closings -----------------------------------------------------------------------------------------------------


def closing_of(scope: Sequence[int], closing_id: int) -> Closing | None:
    return Closing.objects.filter(pk=closing_id, store_id__in=list(scope)).select_related("store", "lifecycle").first()


def running_closing(store_id: int) -> Closing | None:
    """The closing that goes on in a store, or threatens it."""
    return (
        Closing.objects.filter(store_id=store_id, state__in=("threatened", "running"))
        .select_related("store", "lifecycle")
        .first()
    )


def last_closing(store_id: int) -> Closing | None:
    """The closing in which the present life of a store ended."""
    return Closing.objects.filter(lifecycle__store_id=store_id, lifecycle__replaced_at=None, state__in=("running", "done")).order_by("-pk").first()


def closings_of(scope: Sequence[int]) -> list[Closing]:
    """All closings of these stores, newest first."""
    return list(Closing.objects.filter(store_id__in=list(scope)).select_related("store").order_by("-id"))


@dataclass(frozen=True, slots=True)
class StepView:
    """A step with its declaration and what proves it, newest first; `blocked_by` codes of steps that come first.

    `who`: who does it in this store (merchant, daifa, platform).
    """

    row: ClosingStep
    step: steps.Step
    evidence: list[StepEvidence]
    blocked_by: list[str]
    who: steps.Who


def steps_of(closing_id: int) -> list[StepView]:
    """The steps of a closing in order."""
    rows = list(ClosingStep.objects.filter(closing_id=closing_id).order_by("position"))
    platform = has_platform(Store.objects.get(pk=Closing.objects.values_list("store_id", flat=True).get(pk=closing_id)))
    kept: dict[int, list[StepEvidence]] = {}
    for one in StepEvidence.objects.filter(step__closing_id=closing_id).order_by("-id"):
        kept.setdefault(one.step_id, []).append(one)
    states = {row.code: row.state for row in rows}
    return [
        StepView(
            row, step, kept.get(row.pk, []), rules.missing_before(row.code, step.after, states),
            steps.who_does(step, has_platform=platform),
        )
        for row in rows
        if (step := steps.BY_CODE.get(row.code)) is not None
    ]


def last_moment(closing: Closing) -> datetime:
    """When the last thing happened in a closing: nothing happens in it before that any more."""
    newest = StepEvidence.objects.filter(step__closing=closing).aggregate(at=Max("at"))["at"]
    return max(moment for moment in (closing.started_at, closing.applied_at, newest) if moment is not None)


def step_of(scope: Sequence[int], step_id: int) -> ClosingStep | None:
    return (
        ClosingStep.objects.filter(pk=step_id, closing__store_id__in=list(scope))
        .select_related("closing", "closing__store")
        .first()
    )


def evidence_of(scope: Sequence[int], evidence_id: int) -> StepEvidence | None:
    return (
        StepEvidence.objects.filter(pk=evidence_id, step__closing__store_id__in=list(scope))
        .select_related("step__closing")
        .first()
    )


def notice_running(closing: Closing, *, at: datetime) -> Blocker | None:
    """The public notice of this closing while it runs; None before and after."""
    if closing.applied_at is None:
        return None
    ends = next((day.on for day in days_of(closing, at=at) if day.code == "notice_ends"), None)
    today = at.astimezone(ZoneInfo(closing.store.timezone)).date()
    if ends is None or today >= ends:
        return None
    return Blocker("notice_running", (ends - today).days, until=ends)


# --- Coming back --------------------------------------------------------------------------------------------------


def readmission_of(scope: Sequence[int], readmission_id: int) -> Readmission | None:
    return (
        Readmission.objects.filter(pk=readmission_id, store_id__in=list(scope)).select_related("store", "closing").first()
    )


def readmissions_of(scope: Sequence[int]) -> list[Readmission]:
    return list(Readmission.objects.filter(store_id__in=list(scope)).select_related("store").order_by("-id"))


def papers_of(readmission_id: int) -> list[ComebackPaper]:
    """The papers of a plan in the order of its steps."""
    found = ComebackPaper.objects.filter(step__readmission_id=readmission_id).select_related("step")
    return list(found.order_by("step__position", "id"))


def papers_taken_away(readmission_id: int) -> list[PaperTakenAway]:
    """What was put beside steps of a plan by mistake, newest first."""
    return list(PaperTakenAway.objects.filter(step__readmission_id=readmission_id).select_related("step").order_by("-at", "-id"))


def paper_of(scope: Sequence[int], paper_id: int) -> ComebackPaper | None:
    """A paper of a plan, with its step; None when it is not there or not in scope."""
    found = ComebackPaper.objects.filter(pk=paper_id, step__readmission__store_id__in=list(scope))
    return found.select_related("step__readmission").first()


def plan_of(readmission_id: int) -> list[ComebackStep]:
    """Its steps in order, each with its `paper_count`."""
    found = ComebackStep.objects.filter(readmission_id=readmission_id).annotate(paper_count=Count("papers"))
    return list(found.order_by("position"))


def last_moment_of_plan(readmission: Readmission) -> datetime:
    """When the last thing happened on the way back: begun, a step proved, applied for or answered."""
    proved = ComebackStep.objects.filter(readmission=readmission).aggregate(at=Max("done_at"))["at"]
    moved = bulk.fetch(
        "SELECT max(at) FROM history_transition WHERE kind = %s AND thing = %s", (READMISSION.kind, readmission.pk)
    )[0][0]
    return max(moment for moment in (readmission.started_at, proved, moved) if moment is not None)


# --- Public status ------------------------------------------------------------------------------------------------


class Status(NamedTuple):
    """What the public may know of a store: never a person, never a sum.

    `word`: open, limited, closing or closed. Days are empty where they do not apply. A limited store may still take orders.
    """

    name: str
    slug: str
    word: str
    since: date | None
    notice_ends: date | None
    closes_on: date | None
    claims_until: date | None
    contact: str
    changed_at: datetime
    language: str
    takes_orders: bool


def status_page(store_id: int) -> StatusPage | None:
    return StatusPage.objects.filter(store_id=store_id).first()


def public_status(slug: str, *, at: datetime) -> Status | None:
    """The status of the store at a public address; None where no such page is switched on."""
    page = StatusPage.objects.filter(slug=slug, is_on=True).select_related("store").first()
    return _status(page, at=at) if page is not None else None


def _status(page: StatusPage, *, at: datetime) -> Status:
    store = page.store
    zone = ZoneInfo(store.timezone)
    life = current_lifecycle(store.pk)
    state = life.state if life else "open"
    word = {"preparing": "limited", "open": "open", "closing": "closing"}.get(state, "closed")
    now_standing = standing_of(store.pk)
    if word == "open" and now_standing is not None and now_standing.state in ("restricted", "frozen"):
        word = "limited"
    changed = [page.changed_at, *([now_standing.since] if now_standing else [])]
    notice = closes = claims = since = None
    if life is not None and word in ("closing", "closed"):
        closing = Closing.objects.filter(lifecycle=life, state__in=("running", "done")).select_related("store").last()
        if closing is not None:
            days = {day.code: day.on for day in days_of(closing, at=at)}
            closes, claims = days["closed"], days["claims_until"]
            if closing.applied_at is not None:  # before that no notice runs, and no day of its end is known
                notice = days.get("notice_ends")
            if word == "closing" and closes <= at.astimezone(zone).date():
                closes = None  # ruled, and only waiting for what buyers are owed: no day can be promised
        begun = life.shut_at or life.closed_at
        since = begun.astimezone(zone).date() if begun else None
        changed += [moment for moment in (life.shut_at, closing and closing.applied_at, life.closed_at, life.archived_at) if moment]
    return Status(
        store.name, page.slug, word, since, notice, closes, claims, page.contact, max(changed).astimezone(zone), store.language,
        state == "open" and (now_standing is None or now_standing.state != "frozen"),
    )
