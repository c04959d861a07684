"""The auditor: recomputes from rows and ledger what must always hold, and names whatever does not.

Each check is one set-based statement over one snapshot of the database; it returns the rows that break the rule. The
numbers in front are those of the invariants in `docs/rules/invariants.md`. Nothing is written.

A reaction that is still owed excuses what it has not done yet: the audit can run beside a living shop.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from django.apps import apps
from django.db import connection, models, transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as N_

from daifa.domain.aftersales.process import AFTERSALE_CASE, REFUND
from daifa.domain.cases.process import APPEAL, COMPLAINT, INFRINGEMENT, VIOLATION
from daifa.domain.catalog.process import LISTING, LISTING_FILE, PUBLICATION
from daifa.domain.closing.process import (
    CLOSING,
    CLOSING_STEP,
    LIFECYCLE,
    PLATFORM_CASE,
    READMISSION,
    STANDING,
)
from daifa.domain.compliance.process import PLAN_STEP, RISK
from daifa.domain.fulfilment.process import FULFILMENT_ORDER
from daifa.domain.imports.process import IMPORT
from daifa.domain.messages.process import MESSAGE
from daifa.domain.orders.queries import PAID
from daifa.domain.purchasing.process import ATTEMPT, PURCHASE_ORDER, PURCHASE_RUN
from daifa.domain.shipping.process import DISPATCH_NOTICE, PARCEL, PARCEL_CHECK
from daifa.domain.sourcing.process import SAMPLE
from daifa.lib import bulk
from daifa.lib.money import decimals_in_sql
from daifa.lib.process import Process

MOST_IDS = 1000
"""So many rows of one breach are kept; `count` says how many there are."""
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Breach:
    """One rule that does not hold: its stable code, a sentence, and the rows (ids of `thing`)."""

    code: str
    invariant: str
    thing: str
    sentence: str
    ids: list[int] = field(default_factory=list)
    count: int = 0


class Check(NamedTuple):
    """`sql` returns (id, detail) of each row that breaks the rule; `[[column]]` stands for the scope of stores."""

    code: str
    invariant: str
    thing: str
    rule: str  # an English msgid: what should hold, said as what does not
    sql: str
    whole: bool = (
        False  # says something about the whole installation: left out when only some stores are asked for
    )


def audit(*, stores: Sequence[int] | None = None) -> list[Breach]:
    """Every breach, in the order of CHECKS; empty when all is well. `stores` limits it to some stores."""
    breaches = []
    with _one_snapshot():
        for check in CHECKS:
            if stores is not None and check.whole:
                continue
            if rows := find(check, stores):
                breaches.append(_breach(check, rows))
    return breaches


def find(check: Check, stores: Sequence[int] | None = None) -> list[tuple[int, str, int]]:
    """The rows that break one rule: (id, detail, how many there are in all), MOST_IDS at most."""
    with bulk.cursor() as cursor:
        cursor.execute(
            f"""SELECT id, detail, count(*) OVER () FROM ({_scoped(check.sql, stores)}) AS found (id, detail)
                ORDER BY id LIMIT {MOST_IDS}""",
            {"stores": list(stores or ())},
        )
        return cursor.fetchall()


def _scoped(sql: str, stores: Sequence[int] | None) -> str:
    # Every % in the checks belongs to format(); the driver wants its own kind doubled.
    parts = sql.replace("%", "%%").split("[[")
    result = parts[0]
    for part in parts[1:]:
        column, _, rest = part.partition("]]")
        result += ("TRUE" if stores is None else f"{column} = ANY(%(stores)s::bigint[])") + rest
    return result


def _breach(check: Check, rows: list[tuple[int, str, int]]) -> Breach:
    count = rows[0][2]
    shown = "; ".join(row[1] for row in rows[:SHOWN])
    sentence = gettext("%(rule)s: %(count)s found (%(shown)s%(more)s).") % {
        "rule": gettext(check.rule), "count": count, "shown": shown, "more": " …" if count > SHOWN else "",
    }  # fmt: skip
    return Breach(check.code, check.invariant, check.thing, sentence, [row[0] for row in rows], count)


@contextmanager
def _one_snapshot():
    """All checks see the same moment, whatever the shop does meanwhile."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            bulk.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for setting in ("work_mem = '96MB'", "jit = off", "statement_timeout = 0"):
            bulk.execute(f"SET LOCAL {setting}")
        yield


# --- What is still owed -------------------------------------------------------------------------------------------


def _owed(*reactions: str) -> str:
    """Things for which one of these reactions is still to come, or was set aside with a reason."""
    names = ", ".join(f"'{name}'" for name in reactions)
    return f"SELECT unnest(things) FROM history_pendingreaction WHERE reaction IN ({names})"


OWED_PARCELS = _owed("post_handed_over", "post_delivered")
OWED_ORDERS = f"""
    {_owed("post_orders")}
    UNION SELECT p.order_id FROM purchasing_purchaseanswer a JOIN purchasing_purchaseorder p ON p.id = a.purchase_order_id
          WHERE a.id IN ({_owed("post_purchases")})
    UNION SELECT p.order_id FROM shipping_parcel p WHERE p.id IN ({OWED_PARCELS})
    UNION SELECT r.order_id FROM aftersales_refund r WHERE r.order_id IS NOT NULL AND r.id IN ({_owed("post_refunds")})
"""
# Amounts are posted in minor units: what is smaller than one posts nothing.
MINOR = f"""(SELECT c.code, {decimals_in_sql("c.code")} AS digits
             FROM (SELECT currency FROM stores_store UNION SELECT currency FROM sourcing_supplier
                   UNION SELECT currency FROM books_expense UNION SELECT currency FROM books_supplierpayment) AS c (code))"""


# --- Orders and what was routed -----------------------------------------------------------------------------------

CHECKS: list[Check] = [
    Check(
        "line_counters",
        "1",
        "order_line",
        N_(
            "Order lines whose counters cannot be: ordered = cancelled + allocated + open, and no more is purchased, accepted or shipped than allocated"
        ),
        """SELECT l.id, format('line %s of order %s: %s ordered, %s cancelled, %s allocated, %s purchased, %s accepted, %s shipped',
                               l.line_no, o.number, l.quantity, l.cancelled, l.allocated, l.purchased, l.accepted, l.shipped)
           FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
           WHERE [[o.store_id]] AND (l.cancelled < 0 OR l.allocated < 0 OR l.quantity < l.cancelled + l.allocated
                 OR l.purchased < 0 OR l.accepted < 0 OR l.shipped < 0
                 OR l.purchased > l.allocated OR l.accepted > l.purchased OR l.shipped > l.accepted)""",
    ),
    Check(
        "order_counters",
        "1",
        "order",
        N_("Orders whose counters are not the sums of their lines"),
        """SELECT o.id, format('order %s: %s units, lines %s; allocated %s, lines %s; shipped %s, lines %s; delivered %s, lines %s',
                               o.number, o.units, s.units, o.allocated, s.allocated, o.shipped, s.shipped, o.delivered, s.delivered)
           FROM orders_order o
           JOIN (SELECT order_id, coalesce(sum(quantity) FILTER (WHERE kind = 'goods'), 0) AS units,
                        sum(cancelled) AS cancelled, sum(allocated) AS allocated, sum(purchased) AS purchased,
                        sum(accepted) AS accepted, sum(shipped) AS shipped, sum(delivered) AS delivered, sum(returned) AS returned
                 FROM orders_orderline GROUP BY order_id) s ON s.order_id = o.id
           WHERE [[o.store_id]] AND (o.units, o.cancelled, o.allocated, o.purchased, o.accepted, o.shipped, o.delivered, o.returned)
                 IS DISTINCT FROM (s.units, s.cancelled, s.allocated, s.purchased, s.accepted, s.shipped, s.delivered, s.returned)""",
    ),
    Check(
        "order_amounts",
        "1",
        "order",
        N_("Orders whose amounts are not the sums of their lines"),
        """SELECT o.id, format('order %s: total %s, lines %s', o.number, o.total_amount, s.total)
           FROM orders_order o
           JOIN (SELECT order_id, sum(amount) AS total,
                        coalesce(sum(amount) FILTER (WHERE kind = 'goods'), 0) AS goods,
                        coalesce(sum(amount) FILTER (WHERE kind = 'shipping'), 0) AS shipping
                 FROM orders_orderline GROUP BY order_id) s ON s.order_id = o.id
           WHERE [[o.store_id]] AND (o.goods_amount <> s.goods OR o.shipping_amount <> s.shipping OR o.total_amount <> s.total
                 OR o.total_amount <> o.goods_amount + o.shipping_amount + o.other_amount)""",
    ),
    Check(
        "allocated",
        "2",
        "order_line",
        N_("Order lines whose allocated units are not those that were routed"),
        """SELECT l.id, format('line %s of order %s: %s allocated, %s routed', l.line_no, o.number, l.allocated, coalesce(f.live, 0))
           FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
           LEFT JOIN (SELECT order_line_id, sum(quantity - superseded - cancelled) AS live FROM fulfilment_fulfilmentline
                      WHERE kind = 'sale' GROUP BY 1) f ON f.order_line_id = l.id
           WHERE [[o.store_id]] AND l.allocated <> coalesce(f.live, 0)""",
    ),
    Check(
        "open_holds",
        "1",
        "order",
        N_("Orders whose count of holds is not that of their open holds"),
        """SELECT o.id, format('order %s: counts %s, has %s', o.number, o.open_holds, coalesce(h.n, 0))
           FROM orders_order o
           LEFT JOIN (SELECT order_id, count(*) AS n FROM orders_hold WHERE released_at IS NULL GROUP BY 1) h ON h.order_id = o.id
           WHERE [[o.store_id]] AND o.open_holds <> coalesce(h.n, 0)""",
    ),
    Check(
        "status",
        "1",
        "order",
        N_("Orders whose status does not follow from their counters"),
        """SELECT o.id, format('order %s: %s', o.number, o.status) FROM orders_order o
           WHERE [[o.store_id]] AND o.status IS DISTINCT FROM CASE
               WHEN o.is_history OR o.units = 0 THEN 'closed'
               WHEN o.cancelled >= o.units THEN 'cancelled'
               WHEN o.delivered >= o.units - o.cancelled THEN 'delivered'
               WHEN o.open_holds > 0 THEN 'on_hold'
               WHEN o.delivered > 0 THEN 'part_delivered'
               WHEN o.shipped >= o.units - o.cancelled THEN 'shipped'
               WHEN o.shipped > 0 THEN 'part_shipped'
               WHEN o.purchased >= o.units - o.cancelled THEN 'purchased'
               WHEN o.purchased > 0 THEN 'part_purchased'
               WHEN o.allocated > 0 THEN 'confirmed'
               ELSE 'new' END""",
    ),
    # --- Purchases ------------------------------------------------------------------------------------------------
    Check(
        "purchase_line_counters",
        "3",
        "purchase_line",
        N_(
            "Purchase lines whose counters cannot be: ordered = accepted + rejected + cancelled + backordered + unanswered, and shipped no more than accepted"
        ),
        """SELECT l.id, format('line %s of %s: %s ordered, %s accepted, %s rejected, %s cancelled, %s backordered, %s shipped',
                               l.line_no, p.reference, l.quantity, l.accepted, l.rejected, l.cancelled, l.backordered, l.shipped)
           FROM purchasing_purchaseline l JOIN purchasing_purchaseorder p ON p.id = l.purchase_order_id
           WHERE [[p.store_id]] AND (least(l.accepted, l.rejected, l.cancelled, l.backordered, l.shipped) < 0
                 OR l.quantity < l.accepted + l.rejected + l.cancelled + l.backordered OR l.shipped > l.accepted)""",
    ),
    Check(
        "purchase_counters",
        "3",
        "purchase_order",
        N_("Purchase orders whose counters or amount are not the sums of their lines"),
        """SELECT p.id, format('%s: %s units, lines %s; accepted %s, lines %s; shipped %s, lines %s; goods %s, lines %s', p.reference,
                               p.units, s.units, p.accepted, s.accepted, p.shipped, s.shipped, p.goods_amount, s.goods)
           FROM purchasing_purchaseorder p
           LEFT JOIN (SELECT purchase_order_id AS id, sum(quantity) AS units, sum(accepted) AS accepted, sum(rejected) AS rejected,
                             sum(cancelled) AS cancelled, sum(backordered) AS backordered, sum(shipped) AS shipped,
                             sum((quantity - cancelled) * unit_cost) AS goods
                      FROM purchasing_purchaseline GROUP BY 1) s ON s.id = p.id
           WHERE [[p.store_id]] AND (p.units, p.accepted, p.rejected, p.cancelled, p.backordered, p.shipped, p.goods_amount)
                 IS DISTINCT FROM (s.units, s.accepted, s.rejected, s.cancelled, s.backordered, s.shipped, s.goods)""",
    ),
    Check(
        "purchased",
        "3",
        "order_line",
        N_("Order lines whose purchased or accepted units are not those of their purchases"),
        """SELECT l.id, format('line %s of order %s: %s purchased, purchases %s; %s accepted, purchases %s', l.line_no, o.number,
                               l.purchased, coalesce(s.purchased, 0), l.accepted, coalesce(s.accepted, 0))
           FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
           LEFT JOIN (SELECT pl.order_line_id, sum(pl.accepted * pl.factor) AS accepted,
                             sum((pl.quantity - pl.rejected - pl.cancelled) * pl.factor)
                                 FILTER (WHERE p.state IN ('placed', 'closed', 'refused')) AS purchased
                      FROM purchasing_purchaseline pl JOIN purchasing_purchaseorder p ON p.id = pl.purchase_order_id
                      JOIN fulfilment_fulfilmentline f ON f.id = pl.fulfilment_line_id AND f.kind = 'sale'
                      GROUP BY 1) s ON s.order_line_id = l.id
           WHERE [[o.store_id]] AND (l.purchased <> coalesce(s.purchased, 0) OR l.accepted <> coalesce(s.accepted, 0))""",
    ),
    Check(
        "purchased_twice",
        "6",
        "order_line",
        N_("Order lines of which more is being bought than was ordered"),
        """SELECT l.id, format('line %s of order %s: %s ordered, %s being bought', l.line_no, o.number, l.quantity, s.live)
           FROM (SELECT pl.order_line_id, sum((pl.quantity - pl.rejected - pl.cancelled) * pl.factor) AS live
                 FROM purchasing_purchaseline pl JOIN purchasing_purchaseorder p ON p.id = pl.purchase_order_id
                 JOIN fulfilment_fulfilmentline f ON f.id = pl.fulfilment_line_id AND f.kind = 'sale'
                 WHERE p.state NOT IN ('refused', 'failed', 'cancelled') GROUP BY 1) s
           JOIN orders_orderline l ON l.id = s.order_line_id JOIN orders_order o ON o.id = l.order_id
           WHERE [[o.store_id]] AND s.live > l.quantity""",
    ),
    Check(
        "fulfilled_twice",
        "6",
        "fulfilment_line",
        N_(
            "Fulfilment lines with more than one live purchase line, or with a purchase for other units than theirs"
        ),
        """SELECT f.id, format('fulfilment line %s: %s units, purchases %s over %s lines', f.id, f.quantity, s.units, s.lines)
           FROM (SELECT pl.fulfilment_line_id AS id, count(*) AS lines, sum(pl.quantity * pl.factor) AS units
                 FROM purchasing_purchaseline pl JOIN purchasing_purchaseorder p ON p.id = pl.purchase_order_id
                 WHERE p.state NOT IN ('refused', 'failed', 'cancelled') GROUP BY 1) s
           JOIN fulfilment_fulfilmentline f ON f.id = s.id JOIN fulfilment_fulfilmentorder fo ON fo.id = f.fulfilment_order_id
           WHERE [[fo.store_id]] AND (s.lines > 1 OR s.units > f.quantity)""",
    ),
    Check(
        "attempts",
        "6",
        "purchase_order",
        N_("Purchase orders accepted in more than one attempt, or with more than one attempt open"),
        """SELECT p.id, format('%s: %s accepted, %s open', p.reference, s.accepted, s.open)
           FROM (SELECT purchase_order_id AS id, count(*) FILTER (WHERE state = 'accepted') AS accepted,
                        count(*) FILTER (WHERE state IN ('prepared', 'unknown')) AS open
                 FROM purchasing_placementattempt WHERE purchase_order_id IS NOT NULL GROUP BY 1) s
           JOIN purchasing_purchaseorder p ON p.id = s.id
           WHERE [[p.store_id]] AND (s.accepted > 1 OR s.open > 1 OR (s.open > 0 AND s.accepted > 0))""",
    ),
    Check(
        "placed_without_proof",
        "6",
        "purchase_order",
        N_(
            "Purchase orders that are placed although no attempt was accepted, no run was sent and no supplier answered"
        ),
        """SELECT p.id, format('%s: %s', p.reference, p.state) FROM purchasing_purchaseorder p
           LEFT JOIN purchasing_purchaserun r ON r.id = p.run_id
           WHERE [[p.store_id]] AND p.state IN ('placed', 'closed') AND r.state IS DISTINCT FROM 'placed'
             AND NOT EXISTS (SELECT FROM purchasing_placementattempt a WHERE a.purchase_order_id = p.id AND a.state = 'accepted')
             AND NOT EXISTS (SELECT FROM purchasing_purchaseanswer a WHERE a.purchase_order_id = p.id)""",
    ),
    Check(
        "accepted_not_placed",
        "6",
        "purchase_order",
        N_("Purchase orders that would be sent again although the supplier has accepted them"),
        """SELECT p.id, format('%s: %s', p.reference, p.state) FROM purchasing_purchaseorder p
           WHERE [[p.store_id]] AND p.state IN ('draft', 'ready')
             AND (EXISTS (SELECT FROM purchasing_placementattempt a WHERE a.purchase_order_id = p.id
                          AND a.state IN ('accepted', 'prepared', 'unknown'))
                  OR p.placed_at IS NOT NULL OR p.accepted > 0 OR p.shipped > 0)""",
    ),
    Check(
        "lost_on_the_way",
        "6",
        "purchase_order",
        N_(
            "Purchase orders being placed that belong to no run and no attempt, so that nobody would ever look at them"
        ),
        """SELECT p.id, format('%s: %s since %s', p.reference, p.state, p.at::date) FROM purchasing_purchaseorder p
           WHERE [[p.store_id]] AND p.state IN ('submitting', 'unknown') AND p.run_id IS NULL
             AND NOT EXISTS (SELECT FROM purchasing_placementattempt a WHERE a.purchase_order_id = p.id
                             AND a.state IN ('prepared', 'unknown'))""",
    ),
    Check(
        "mapping",
        "7",
        "purchase_line",
        N_(
            "Purchase lines that do not name the offer, mapping version and SKU their fulfilment line was frozen with"
        ),
        """SELECT l.id, format('line %s of %s: %s, frozen %s', l.line_no, p.reference, l.supplier_sku, f.supplier_sku)
           FROM purchasing_purchaseline l JOIN purchasing_purchaseorder p ON p.id = l.purchase_order_id
           JOIN fulfilment_fulfilmentline f ON f.id = l.fulfilment_line_id
           JOIN sourcing_skumapping m ON m.id = l.mapping_id
           WHERE [[p.store_id]] AND ((l.offer_id, l.mapping_id, l.mapping_version, l.supplier_sku, l.factor, l.order_line_id)
                 IS DISTINCT FROM (f.offer_id, f.mapping_id, f.mapping_version, f.supplier_sku, f.factor, f.order_line_id)
                 OR m.offer_id <> l.offer_id OR m.version <> l.mapping_version OR m.supplier_sku <> l.supplier_sku)""",
    ),
    Check(
        "ship_to",
        "8",
        "purchase_order",
        N_("Purchase orders whose ship-to is not a stored address of their order"),
        """SELECT p.id, format('%s ships to address %s, which belongs to order %s', p.reference, p.address_id, a.order_id)
           FROM purchasing_purchaseorder p LEFT JOIN orders_addressversion a ON a.id = p.address_id
           WHERE [[p.store_id]] AND (a.order_id IS DISTINCT FROM p.order_id OR length(a.digest) <> 32)""",
    ),
    Check(
        "purchase_of_order",
        "8",
        "purchase_order",
        N_("Purchase orders that do not belong to the order, supplier and store they were routed for"),
        """SELECT p.id, p.reference FROM purchasing_purchaseorder p
           JOIN fulfilment_fulfilmentorder f ON f.id = p.fulfilment_order_id JOIN orders_order o ON o.id = p.order_id
           WHERE [[p.store_id]] AND ((p.order_id, p.supplier_id, p.store_id) <> (f.order_id, f.supplier_id, f.store_id)
                                     OR o.store_id <> p.store_id)
           UNION ALL
           SELECT p.id, format('%s line %s', p.reference, pl.line_no) FROM purchasing_purchaseline pl
           JOIN purchasing_purchaseorder p ON p.id = pl.purchase_order_id JOIN orders_orderline l ON l.id = pl.order_line_id
           JOIN sourcing_supplieroffer s ON s.id = pl.offer_id
           WHERE [[p.store_id]] AND (l.order_id <> p.order_id OR s.supplier_id <> p.supplier_id)""",
    ),
    Check(
        "references",
        "6",
        "purchase_order",
        N_("Purchase references that stand on more than one purchase order"),
        """SELECT min(p.id), format('%s stands on %s purchase orders', p.reference, count(*)) FROM purchasing_purchaseorder p
           WHERE [[p.store_id]] GROUP BY p.reference HAVING count(*) > 1""",
    ),
    # --- Parcels --------------------------------------------------------------------------------------------------
    Check(
        "shipped",
        "5",
        "order_line",
        N_("Order lines whose shipped units are not those in their parcels"),
        """SELECT l.id, format('line %s of order %s: %s shipped, parcels hold %s', l.line_no, o.number, l.shipped, coalesce(s.units, 0))
           FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
           LEFT JOIN (SELECT pl.order_line_id, sum(pl.order_quantity) AS units
                      FROM shipping_parcelline pl JOIN shipping_parcel p ON p.id = pl.parcel_id AND p.state <> 'cancelled'
                      JOIN purchasing_purchaseline b ON b.id = pl.purchase_line_id
                      JOIN fulfilment_fulfilmentline f ON f.id = b.fulfilment_line_id AND f.kind = 'sale'
                      GROUP BY 1) s ON s.order_line_id = l.id
           WHERE [[o.store_id]] AND l.shipped <> coalesce(s.units, 0)""",
    ),
    Check(
        "purchase_shipped",
        "5",
        "purchase_line",
        N_("Purchase lines whose shipped units are not those in their parcels"),
        """SELECT l.id, format('line %s of %s: %s shipped, parcels hold %s', l.line_no, p.reference, l.shipped, coalesce(s.units, 0))
           FROM purchasing_purchaseline l JOIN purchasing_purchaseorder p ON p.id = l.purchase_order_id
           LEFT JOIN (SELECT pl.purchase_line_id AS id, sum(pl.quantity) AS units
                      FROM shipping_parcelline pl JOIN shipping_parcel x ON x.id = pl.parcel_id AND x.state <> 'cancelled'
                      GROUP BY 1) s ON s.id = l.id
           WHERE [[p.store_id]] AND l.shipped <> coalesce(s.units, 0)""",
    ),
    Check(
        "delivered",
        "4",
        "order_line",
        N_(
            "Order lines whose delivered units are not those of delivered parcels, or that were returned or refunded beyond what there was"
        ),
        """SELECT l.id, format('line %s of order %s: %s delivered, parcels %s; %s returned, %s refunded of %s', l.line_no, o.number,
                               l.delivered, coalesce(s.delivered, 0), l.returned, l.refunded, l.quantity)
           FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
           LEFT JOIN (SELECT pl.order_line_id, sum(pl.order_quantity) FILTER (WHERE p.delivered_at IS NOT NULL) AS delivered,
                             sum(pl.order_quantity) FILTER (WHERE p.state = 'returned_to_sender' AND p.delivered_at IS NULL) AS back
                      FROM shipping_parcelline pl JOIN shipping_parcel p ON p.id = pl.parcel_id AND p.state <> 'cancelled'
                      JOIN purchasing_purchaseline b ON b.id = pl.purchase_line_id
                      JOIN fulfilment_fulfilmentline f ON f.id = b.fulfilment_line_id AND f.kind = 'sale'
                      GROUP BY 1) s ON s.order_line_id = l.id
           WHERE [[o.store_id]] AND (l.delivered <> coalesce(s.delivered, 0) OR l.delivered > l.shipped
                 OR l.returned > l.delivered + coalesce(s.back, 0) OR l.refunded > l.quantity
                 OR least(l.delivered, l.returned, l.refunded) < 0)""",
    ),
    Check(
        "parcel_lines",
        "5",
        "parcel",
        N_(
            "Parcels that hold goods of another order, store or supplier, or whose units are not those of their lines"
        ),
        """SELECT p.id, format('parcel %s: %s units, lines %s', p.number, p.units, coalesce(s.units, 0)) FROM shipping_parcel p
           JOIN orders_order o ON o.id = p.order_id
           LEFT JOIN (SELECT pl.parcel_id, sum(pl.quantity) AS units,
                             bool_or(l.order_id <> x.order_id OR b.order_line_id <> pl.order_line_id
                                     OR po.supplier_id <> x.supplier_id OR po.order_id <> x.order_id
                                     OR pl.order_quantity <> pl.quantity * b.factor) AS wrong
                      FROM shipping_parcelline pl JOIN shipping_parcel x ON x.id = pl.parcel_id
                      JOIN orders_orderline l ON l.id = pl.order_line_id
                      JOIN purchasing_purchaseline b ON b.id = pl.purchase_line_id
                      JOIN purchasing_purchaseorder po ON po.id = b.purchase_order_id
                      GROUP BY 1) s ON s.parcel_id = p.id
           WHERE [[p.store_id]] AND (p.units <> coalesce(s.units, 0) OR s.wrong OR o.store_id <> p.store_id)""",
    ),
    Check(
        "parcel_times",
        "4",
        "parcel",
        N_("Parcels whose state and times contradict each other"),
        """SELECT p.id, format('parcel %s: %s, handed over %s, delivered %s', p.number, p.state, p.handed_over_at, p.delivered_at)
           FROM shipping_parcel p
           WHERE [[p.store_id]] AND ((p.state = 'delivered' AND p.delivered_at IS NULL)
                 OR (p.state NOT IN ('delivered', 'returned_to_sender') AND p.delivered_at IS NOT NULL)
                 OR (p.state NOT IN ('announced', 'cancelled', 'lost', 'returned_to_sender', 'delivered') AND p.handed_over_at IS NULL))""",
    ),
    Check(
        "active_number",
        "14",
        "parcel",
        N_("Parcels whose number is not their newest active waybill number, or that have none or several"),
        """SELECT p.id, format('parcel %s: %s active numbers, newest %s', p.number, coalesce(n.active, 0), n.newest)
           FROM shipping_parcel p
           LEFT JOIN (SELECT parcel_id, count(*) FILTER (WHERE is_active) AS active,
                             (array_agg(number ORDER BY version DESC))[1] AS newest,
                             bool_or(is_active AND version < top) AS old_active
                      FROM (SELECT *, max(version) OVER (PARTITION BY parcel_id) AS top FROM shipping_waybillnumber) w
                      GROUP BY 1) n ON n.parcel_id = p.id
           WHERE [[p.store_id]] AND p.state <> 'cancelled'
             AND (coalesce(n.active, 0) <> 1 OR n.old_active OR n.newest IS DISTINCT FROM p.number)""",
    ),
    Check(
        "number_shown",
        "14",
        "parcel",
        N_("Parcels whose buyer holds a number that was replaced, and no correction is queued"),
        f"""SELECT p.id, format('parcel %s, version %s', p.number, w.version) FROM shipping_parcel p
            JOIN (SELECT parcel_id, max(version) AS version FROM shipping_waybillnumber WHERE is_active GROUP BY 1
                  HAVING max(version) > 1) w ON w.parcel_id = p.id
            WHERE [[p.store_id]] AND p.state <> 'cancelled'
              AND EXISTS (SELECT FROM buyer_messages_message m WHERE m.order_id = p.order_id AND m.thing = p.id
                          AND m.kind IN ('dispatched', 'number_changed', 'in_transit', 'delayed') AND m.state IN ('sent', 'sending'))
              AND NOT EXISTS (SELECT FROM buyer_messages_message m WHERE m.order_id = p.order_id AND m.thing = p.id
                              AND ((m.kind = 'number_changed' AND m.version = w.version)
                                   OR (m.kind IN ('dispatched', 'number_changed') AND m.state IN ('sent', 'sending')
                                       AND position(p.number IN m.body) > 0)))
              AND p.id NOT IN ({_owed("tell_number_changed")})""",
    ),
    Check(
        "channel_told",
        "14",
        "parcel",
        N_("Parcels handed over of whose newest number the channel was not told, nor is it queued"),
        f"""SELECT p.id, format('parcel %s', p.number) FROM shipping_parcel p
            LEFT JOIN (SELECT parcel_id, max(version) AS version FROM shipping_waybillnumber WHERE is_active GROUP BY 1) w
              ON w.parcel_id = p.id
            WHERE [[p.store_id]] AND p.state <> 'cancelled' AND p.handed_over_at IS NOT NULL
              AND NOT EXISTS (SELECT FROM shipping_dispatchnotice n WHERE n.parcel_id = p.id AND n.version = coalesce(w.version, 1))
              AND p.id NOT IN ({_owed("queue_notices")})""",
    ),
    # --- Messages -------------------------------------------------------------------------------------------------
    Check(
        "told_once",
        "14",
        "message",
        N_("Messages that went out more than once, or that buyers were told twice"),
        f"""SELECT m.id, format('%s about %s: sent %s times', m.kind, m.thing, s.n) FROM
            (SELECT thing AS id, count(*) AS n FROM history_transition WHERE kind = {MESSAGE.kind} AND state_to = 'sent'
             GROUP BY 1 HAVING count(*) > 1) s
            JOIN buyer_messages_message m ON m.id = s.id WHERE [[m.store_id]]
            UNION ALL
            SELECT min(m.id), format('%s about %s: %s messages', m.kind, m.thing, count(*)) FROM buyer_messages_message m
            WHERE [[m.store_id]] GROUP BY m.kind, m.thing, m.version HAVING count(*) > 1""",
    ),
    Check(
        "messages_sent",
        "14",
        "message",
        N_(
            "Messages whose state and time of sending contradict each other, or that belong to another store than their order"
        ),
        """SELECT m.id, format('%s about %s: %s at %s', m.kind, m.thing, m.state, m.sent_at) FROM buyer_messages_message m
           JOIN orders_order o ON o.id = m.order_id
           WHERE [[m.store_id]] AND ((m.state = 'sent') <> (m.sent_at IS NOT NULL) OR o.store_id <> m.store_id)""",
    ),
    # --- Books ----------------------------------------------------------------------------------------------------
    Check(
        "entry_balance",
        "9",
        "entry",
        N_("Entries that do not balance in each currency, or whose legs are not numbered from 1"),
        """SELECT e.id, format('%s %s: off by %s %s', e.fact, e.fact_id, s.off, s.currency) FROM
           (SELECT entry_id, currency, sum(amount) AS off FROM books_posting GROUP BY 1, 2 HAVING sum(amount) <> 0
            UNION ALL
            SELECT entry_id, '', count(*) FROM books_posting GROUP BY 1 HAVING min(line_no) <> 1 OR max(line_no) <> count(*)) s
           JOIN books_entry e ON e.id = s.entry_id WHERE [[e.store_id]]""",
    ),
    Check(
        "trial_balance",
        "9",
        "account",
        N_("Currencies in which the sum over all accounts is not zero"),
        """SELECT min(p.account_id), format('%s: %s', p.currency, sum(p.amount)) FROM books_posting p
           JOIN books_entry e ON e.id = p.entry_id WHERE [[e.store_id]] GROUP BY p.currency HAVING sum(p.amount) <> 0""",
    ),
    Check(
        "posted_once",
        "9",
        "entry",
        N_("Facts that were posted more than once"),
        """SELECT min(e.id), format('%s %s: %s entries', e.fact, e.fact_id, count(*)) FROM books_entry e
           WHERE [[e.store_id]] GROUP BY e.fact, e.fact_id HAVING count(*) > 1""",
    ),
    Check(
        "orders_posted",
        "9",
        "order",
        N_("Orders received and paid that stand in no books, and no posting is owed"),
        f"""SELECT o.id, format('order %s: %s %s', o.number, o.total_amount, o.currency) FROM orders_order o
            JOIN {MINOR} m ON m.code = o.currency
            WHERE [[o.store_id]] AND NOT o.is_history AND round(o.total_amount, m.digits) <> 0 AND {PAID}
              AND NOT EXISTS (SELECT FROM books_entry e WHERE e.fact = 'order_paid' AND e.fact_id = o.id)
              AND o.id NOT IN ({_owed("post_orders")})""",
    ),
    Check(
        "orders_posted_right",
        "9",
        "order",
        N_("Orders that stand in the books with another total than their own"),
        f"""SELECT o.id, format('order %s: total %s, posted %s', o.number, o.total_amount, -s.amount) FROM
            (SELECT e.fact_id AS id, sum(p.amount) AS amount FROM books_entry e JOIN books_posting p ON p.entry_id = e.id
             JOIN books_account a ON a.id = p.account_id
             WHERE e.fact = 'order_paid' AND a.code NOT IN ('1100', '6100') GROUP BY 1) s
            JOIN orders_order o ON o.id = s.id JOIN {MINOR} m ON m.code = o.currency
            WHERE [[o.store_id]] AND round(o.total_amount, m.digits) <> -s.amount""",
    ),
    Check(
        "answers_posted",
        "9",
        "purchase_answer",
        N_("Acceptances of suppliers that stand in no books, and no posting is owed"),
        f"""SELECT a.id, format('%s: %s %s', p.reference, a.goods_amount + a.freight_amount, p.currency)
            FROM purchasing_purchaseanswer a JOIN purchasing_purchaseorder p ON p.id = a.purchase_order_id
            JOIN {MINOR} m ON m.code = p.currency
            WHERE [[p.store_id]] AND greatest(a.goods_amount, a.freight_amount) >= power(10, -m.digits)::numeric
              AND NOT EXISTS (SELECT FROM books_entry e WHERE e.fact = 'purchase_accepted' AND e.fact_id = a.id)
              AND a.id NOT IN ({_owed("post_purchases")})""",
    ),
    Check(
        "parcels_posted",
        "9",
        "parcel",
        N_("Parcels that left and stand in no books, and no posting is owed"),
        f"""SELECT p.id, format('parcel %s: %s', p.number, p.state) FROM shipping_parcel p
            JOIN stores_store s ON s.id = p.store_id
            JOIN (SELECT parcel_id, max(id) AS line FROM shipping_parcelline GROUP BY 1) l ON l.parcel_id = p.id
            WHERE [[p.store_id]] AND (p.delivered_at IS NOT NULL OR (s.revenue_at = 'handed_over' AND p.handed_over_at IS NOT NULL))
              AND NOT EXISTS (SELECT FROM books_entry e WHERE e.fact = 'parcel_handed_over' AND e.fact_id = l.line)
              AND NOT EXISTS (SELECT FROM books_entry e WHERE e.fact = 'parcel_delivered' AND e.fact_id = l.line)
              AND p.id NOT IN ({OWED_PARCELS})""",
    ),
    Check(
        "refunds_posted",
        "9",
        "refund",
        N_("Confirmed refunds that stand in no books, and no posting is owed"),
        f"""SELECT r.id, format('refund %s: %s %s', r.external_ref, r.amount, r.currency) FROM aftersales_refund r
            LEFT JOIN {MINOR} m ON m.code = r.currency
            WHERE [[r.store_id]] AND r.state = 'confirmed' AND round(r.amount, coalesce(m.digits, 2)) <> 0
              AND NOT EXISTS (SELECT FROM books_entry e WHERE e.fact = 'refund_confirmed' AND e.fact_id = r.id)
              AND r.id NOT IN ({_owed("post_refunds")})""",
    ),
    Check(
        "money_out_posted",
        "9",
        "expense",
        N_("Expenses or payments to suppliers that stand in no books"),
        """SELECT x.id, format('expense %s: %s %s', x.key, x.amount, x.currency) FROM books_expense x
           WHERE [[x.store_id]] AND NOT EXISTS (SELECT FROM books_entry e WHERE e.fact = 'expense' AND e.fact_id = x.id)
           UNION ALL
           SELECT x.id, format('payment %s: %s %s', x.key, x.amount, x.currency) FROM books_supplierpayment x
           WHERE [[x.store_id]] AND NOT EXISTS (SELECT FROM books_entry e WHERE e.fact = 'supplier_paid' AND e.fact_id = x.id)""",
    ),
    Check(
        "deposits_posted",
        "9",
        "deposit_move",
        N_("Moves of deposits that stand in no books, and no posting is owed"),
        f"""SELECT m.id, format('%s of %s %s (%s)', m.kind, m.amount, m.currency, m.reference) FROM cases_depositmove m
            WHERE [[m.store_id]] AND NOT EXISTS (SELECT FROM books_entry e WHERE e.fact = 'deposit_moved' AND e.fact_id = m.id)
              AND m.id NOT IN ({_owed("post_deposits")})""",
    ),
    Check(
        "deposit_ledger",
        "9",
        "store",
        N_("Stores whose deposit in the books is not what their moves of the deposit come to"),
        f"""SELECT s.id, format('%s: moves %s, books %s', s.code, coalesce(m.amount, 0), coalesce(b.amount, 0)) FROM stores_store s
            LEFT JOIN (SELECT store_id, sum(CASE WHEN kind IN ('paid_in', 'topped_up', 'given_back') THEN amount
                                                 WHEN kind IN ('deducted', 'withdrawn', 'returned') THEN -amount ELSE 0 END) AS amount
                       FROM cases_depositmove WHERE id NOT IN ({_owed("post_deposits")}) GROUP BY 1) m ON m.store_id = s.id
            LEFT JOIN (SELECT e.store_id, sum(p.amount) AS amount FROM books_entry e JOIN books_posting p ON p.entry_id = e.id
                       JOIN books_account a ON a.id = p.account_id WHERE a.code = '1200' GROUP BY 1) b ON b.store_id = s.id
            WHERE [[s.id]] AND coalesce(m.amount, 0) <> coalesce(b.amount, 0)""",
    ),
    Check(
        "posted_for_nothing",
        "9",
        "entry",
        N_("Entries whose fact does not exist"),
        """SELECT e.id, format('%s %s', e.fact, e.fact_id) FROM books_entry e
           WHERE [[e.store_id]] AND CASE e.fact
               WHEN 'order_paid' THEN NOT EXISTS (SELECT FROM orders_order x WHERE x.id = e.fact_id)
               WHEN 'purchase_accepted' THEN NOT EXISTS (SELECT FROM purchasing_purchaseanswer x WHERE x.id = e.fact_id)
               WHEN 'parcel_handed_over' THEN NOT EXISTS (SELECT FROM shipping_parcelline x WHERE x.id = e.fact_id)
               WHEN 'parcel_delivered' THEN NOT EXISTS (SELECT FROM shipping_parcelline x WHERE x.id = e.fact_id)
               WHEN 'parcel_lost' THEN NOT EXISTS (SELECT FROM shipping_parcelline x WHERE x.id = e.fact_id)
               WHEN 'refund_confirmed' THEN NOT EXISTS (SELECT FROM aftersales_refund x WHERE x.id = e.fact_id AND x.state = 'confirmed')
               WHEN 'expense' THEN NOT EXISTS (SELECT FROM books_expense x WHERE x.id = e.fact_id)
               WHEN 'supplier_paid' THEN NOT EXISTS (SELECT FROM books_supplierpayment x WHERE x.id = e.fact_id)
               WHEN 'deposit_moved' THEN NOT EXISTS (SELECT FROM cases_depositmove x WHERE x.id = e.fact_id)
               WHEN 'proceeds_settled' THEN NOT EXISTS (SELECT FROM closing_stepevidence x WHERE x.step_id = e.fact_id AND x.what = 'done')
               WHEN 'proceeds_again' THEN NOT EXISTS (SELECT FROM closing_stepevidence x WHERE x.id = e.fact_id AND x.what = 'undone')
               WHEN 'reversal' THEN NOT EXISTS (SELECT FROM books_entry x WHERE x.id = e.fact_id AND x.id = e.reversal_of_id)
               ELSE false END""",
    ),
    Check(
        "entry_of_order",
        "9",
        "entry",
        N_("Entries in the books of another store than their order's"),
        """SELECT e.id, format('%s %s', e.fact, e.fact_id) FROM books_entry e JOIN orders_order o ON o.id = e.order_id
           WHERE [[e.store_id]] AND o.store_id <> e.store_id""",
    ),
    Check(
        "deferred_income",
        "9",
        "order",
        N_("Orders wholly handed over, or paid back for what was cancelled, on which income is still deferred"),
        f"""SELECT o.id, format('order %s: %s %s', o.number, s.amount, s.currency) FROM
            (SELECT e.order_id, p.currency, -sum(p.amount) AS amount FROM books_entry e JOIN books_posting p ON p.entry_id = e.id
             JOIN books_account a ON a.id = p.account_id WHERE a.code = '2100' AND e.order_id IS NOT NULL
             GROUP BY 1, 2 HAVING sum(p.amount) <> 0) s
            JOIN orders_order o ON o.id = s.order_id
            WHERE [[o.store_id]] AND o.shipped + o.cancelled = o.units AND NOT o.is_history
              AND NOT EXISTS (SELECT FROM orders_orderline l
                              LEFT JOIN aftersales_refundline x ON x.order_line_id = l.id
                              LEFT JOIN aftersales_refund r ON r.id = x.refund_id AND r.state = 'confirmed'
                              WHERE l.order_id = o.id AND l.cancelled > 0 GROUP BY l.id
                              HAVING l.cancelled > coalesce(sum(x.cancelled) FILTER (WHERE r.id IS NOT NULL), 0))
              AND NOT EXISTS (SELECT FROM shipping_parcel p JOIN stores_store t ON t.id = p.store_id
                              WHERE p.order_id = o.id AND p.state <> 'cancelled' AND p.delivered_at IS NULL
                                AND (t.revenue_at = 'delivered' OR p.handed_over_at IS NULL))
              AND NOT EXISTS (SELECT FROM books_entry r WHERE r.order_id = o.id AND r.fact = 'reversal')
              AND o.id NOT IN ({OWED_ORDERS})""",
    ),
    Check(
        "goods_cost",
        "10",
        "order",
        N_("Orders of which everything accepted has left, and whose cost of goods is not what was bought"),
        f"""SELECT o.id, format('order %s: %s %s left over', o.number, s.amount, s.currency) FROM
            (SELECT e.order_id, p.currency, sum(p.amount) AS amount FROM books_entry e JOIN books_posting p ON p.entry_id = e.id
             JOIN books_account a ON a.id = p.account_id WHERE a.code = '1300' AND e.order_id IS NOT NULL
             GROUP BY 1, 2 HAVING sum(p.amount) <> 0) s
            JOIN orders_order o ON o.id = s.order_id
            WHERE [[o.store_id]]
              AND NOT EXISTS (SELECT FROM purchasing_purchaseorder p WHERE p.order_id = o.id AND p.accepted <> p.shipped)
              AND NOT EXISTS (SELECT FROM shipping_parcel p JOIN stores_store t ON t.id = p.store_id
                              WHERE p.order_id = o.id AND p.delivered_at IS NULL
                                AND (t.revenue_at = 'delivered' OR p.handed_over_at IS NULL OR p.state = 'cancelled'))
              AND NOT EXISTS (SELECT FROM books_entry r WHERE r.order_id = o.id AND r.fact = 'reversal')
              AND o.id NOT IN ({OWED_ORDERS})""",
    ),
    # --- Refunds --------------------------------------------------------------------------------------------------
    Check(
        "refund_claim",
        "11",
        "refund",
        N_("Refunds to buyers without a claim on the supplier and without a recorded reason why not"),
        """SELECT r.id, format('refund %s: %s %s', r.external_ref, r.amount, r.currency) FROM aftersales_refund r
           WHERE [[r.store_id]] AND r.state = 'confirmed' AND r.no_claim_reason = ''""",
    ),
    Check(
        "refunded",
        "4",
        "order",
        N_("Orders or lines whose refunded units or money are not those of their refunds"),
        """SELECT o.id, format('order %s: refunded %s, refunds %s', o.number, o.refunded_amount, coalesce(s.amount, 0))
           FROM orders_order o
           LEFT JOIN (SELECT order_id, sum(amount) AS amount FROM aftersales_refund WHERE state = 'confirmed' GROUP BY 1) s
             ON s.order_id = o.id
           WHERE [[o.store_id]] AND NOT o.is_history AND o.refunded_amount <> coalesce(s.amount, 0)
           UNION ALL
           SELECT o.id, format('line %s of order %s: refunded %s (%s), refunds %s (%s)', l.line_no, o.number, l.refunded,
                               l.refunded_amount, coalesce(s.units, 0), coalesce(s.amount, 0))
           FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
           LEFT JOIN (SELECT x.order_line_id, sum(x.quantity) AS units, sum(x.amount) AS amount
                      FROM aftersales_refundline x JOIN aftersales_refund r ON r.id = x.refund_id AND r.state = 'confirmed'
                      WHERE x.order_line_id IS NOT NULL GROUP BY 1) s ON s.order_line_id = l.id
           WHERE [[o.store_id]] AND NOT o.is_history
             AND (l.refunded <> coalesce(s.units, 0) OR l.refunded_amount <> coalesce(s.amount, 0))""",
    ),
    Check(
        "refund_of_order",
        "11",
        "refund",
        N_("Refunds in another store than their order's, or on lines of another order"),
        """SELECT r.id, format('refund %s', r.external_ref) FROM aftersales_refund r JOIN orders_order o ON o.id = r.order_id
           WHERE [[r.store_id]] AND o.store_id <> r.store_id
           UNION ALL
           SELECT r.id, format('refund %s', r.external_ref) FROM aftersales_refundline x JOIN aftersales_refund r ON r.id = x.refund_id
           JOIN orders_orderline l ON l.id = x.order_line_id
           WHERE [[r.store_id]] AND (l.order_id IS DISTINCT FROM r.order_id OR x.cancelled > x.quantity)""",
    ),
    # --- Listings -------------------------------------------------------------------------------------------------
    Check(
        "published_unasked",
        "18",
        "publication",
        N_("Publications that went out although something stood against them that nobody let pass"),
        """SELECT p.id, format('publication %s: %s', p.id, p.reasons->0->>0) FROM catalog_publication p
           WHERE [[p.store_id]] AND p.action = 'publish' AND p.state IN ('filed', 'sending', 'unknown', 'done', 'declined')
             AND p.reasons <> '[]'""",
    ),
    # --- Imports and history --------------------------------------------------------------------------------------
    Check(
        "import_rows",
        "13",
        "import",
        N_("Imports whose rows do not add up: rows of the file = rows in = used + not orders + refused"),
        """SELECT f.id, format('%s: %s in the file, %s in, %s used, %s not orders, %s refused', f.name, f.rows_expected,
                               f.rows_in, f.rows_used, f.rows_not_orders, f.rows_refused)
           FROM imports_importfile f
           WHERE (f.store_id IS NULL OR [[f.store_id]]) AND f.state = 'done'
             AND (f.rows_in <> f.rows_used + f.rows_not_orders + f.rows_refused OR f.rows_in <> f.rows_expected)""",
    ),
]


def _history(process: Process, scope: str) -> Check:
    """Transitions of a thing lead from a birth to the state it is in.

    Their order within a moment is not stored and not needed: whatever the order, each state is left as often as it
    was entered, except the first and the last.
    """
    starts = ", ".join(f"hashtext('{start}')::bigint" for start in ("", *process.starts))
    return Check(
        f"history_{process.name}", "13", process.name,
        N_("Things whose recorded history does not end in the state they are in"),
        f"""SELECT t.id, format('{process.name} %s: %s', t.id, t.state) FROM
            (SELECT thing, sum(hashtext(state_to)::bigint - hashtext(state_from)::bigint) AS way
             FROM history_transition WHERE kind = {process.kind} GROUP BY thing) h
            JOIN {process.table_name} t ON t.id = h.thing
            WHERE {scope} AND h.way <> ALL (SELECT hashtext(t.state)::bigint - start FROM unnest(ARRAY[{starts}]) AS start)""",
    )  # fmt: skip


_OF_STORE = "[[t.store_id]]"
CHECKS += [
    *(
        _history(process, _OF_STORE)
        for process in (
            FULFILMENT_ORDER,
            PURCHASE_ORDER,
            PARCEL,
            MESSAGE,
            DISPATCH_NOTICE,
            REFUND,
            AFTERSALE_CASE,
            VIOLATION,
            COMPLAINT,
            INFRINGEMENT,
            LISTING,
            PUBLICATION,
            LISTING_FILE,
        )
    ),
    *(_history(process, f"(t.store_id IS NULL OR {_OF_STORE})") for process in (PURCHASE_RUN, IMPORT)),
    _history(APPEAL, "EXISTS (SELECT FROM cases_violation v WHERE v.id = t.violation_id AND [[v.store_id]])"),
    _history(
        ATTEMPT,
        "(t.purchase_order_id IS NULL OR EXISTS (SELECT FROM purchasing_purchaseorder p "
        "WHERE p.id = t.purchase_order_id AND [[p.store_id]]))",
    ),
]


def _dangling() -> Check:
    """References that the hot tables do without a constraint for, because checking each row would cost too much."""
    parts = []
    for model in apps.get_models():
        if any(column.name == "pgh_id" for column in model._meta.get_fields()):
            continue  # the history of edits outlives what was edited
        for column in model._meta.get_fields():
            if isinstance(column, models.ForeignKey) and not column.db_constraint:
                table, name, target = model._meta.db_table, column.column, column.related_model._meta.db_table
                parts.append(
                    f"""SELECT t."{name}"::bigint, format('{table}.{name} = %s, on %s rows', t."{name}", count(*))
                        FROM "{table}" t LEFT JOIN "{target}" x ON x.id = t."{name}"
                        WHERE t."{name}" IS NOT NULL AND x.id IS NULL GROUP BY 1, t."{name}" """
                )
    return Check(
        "dangling",
        "13",
        "row",
        N_("Rows that refer to something that does not exist"),
        " UNION ALL ".join(parts),
        whole=True,
    )


CHECKS.append(_dangling())

CHECKS.append(
    Check(
        "erased_again",
        "16",
        "order",
        N_("Orders whose buyers were erased and stand there again"),
        """SELECT DISTINCT o.id, format('order %s', o.number) FROM privacy_erasure e
           CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(e.orders -> 'contact', '[]')) AS x (id)
           JOIN orders_order o ON o.id = x.id::bigint JOIN orders_addressversion a ON a.order_id = o.id
           WHERE [[o.store_id]] AND (a.name NOT LIKE 'erased:%' OR a.line1 <> '' OR a.phone <> '' OR a.email <> ''
                                     OR a.raw <> '' OR a.token <> '' OR length(a.digest) <> 32)""",
    )
)


def _closings() -> list[Check]:
    """The life of a store, its closing and its books say the same."""
    return [
        *(_history(process, _OF_STORE) for process in (LIFECYCLE, STANDING, CLOSING, READMISSION, PLATFORM_CASE)),
        _history(
            CLOSING_STEP, "EXISTS (SELECT FROM closing_closing p WHERE p.id = t.closing_id AND [[p.store_id]])"
        ),
        Check(
            "closing_of_life",
            "13",
            "closing",
            N_("Closings that contradict the life of their store"),
            """SELECT c.id, format('closing %s is %s, the store %s', c.id, c.state, l.state)
               FROM closing_closing c JOIN closing_lifecycle l ON l.id = c.lifecycle_id
               WHERE [[c.store_id]] AND NOT CASE c.state
                   WHEN 'running' THEN l.state IN ('closing', 'closed') WHEN 'done' THEN l.state = 'archived'
                   ELSE true END
               UNION ALL
               SELECT l.id, format('store %s is closing, and no closing goes on', l.store_id) FROM closing_lifecycle l
               WHERE [[l.store_id]] AND l.state = 'closing'
                 AND NOT EXISTS (SELECT FROM closing_closing c WHERE c.lifecycle_id = l.id AND c.state = 'running')""",
        ),
        Check(
            "standing_follows",
            "13",
            "store",
            N_("Standings that do not follow from what was said and what violations come to"),
            """SELECT g.store_id, format('%s, said %s, reckoned %s', g.state, g.said, g.reckoned)
               FROM (SELECT *, ARRAY['normal', 'warned', 'restricted', 'frozen'] AS worse FROM closing_standing t WHERE [[t.store_id]]) g
               WHERE g.state <> CASE
                   WHEN g.said = '' THEN g.reckoned
                   WHEN array_position(g.worse, g.reckoned::text) > array_position(g.worse, g.said_over::text)
                       THEN g.worse[greatest(array_position(g.worse, g.said::text), array_position(g.worse, g.reckoned::text))]
                   ELSE g.said END""",
        ),
        Check(
            "archived_books",
            "9",
            "store",
            N_("Archived stores whose books are not locked, or in which money is still open"),
            """SELECT l.store_id, format('store %s is not locked', l.store_id) FROM closing_lifecycle l
               WHERE [[l.store_id]] AND l.state = 'archived' AND l.replaced_at IS NULL
                 AND NOT EXISTS (SELECT FROM books_booklock b WHERE b.store_id = l.store_id)
               UNION ALL
               SELECT l.store_id, format('account %s: %s %s', s.code, s.amount, s.currency)
               FROM closing_lifecycle l JOIN (
                   SELECT e.store_id, a.code, p.currency, sum(p.amount) AS amount FROM books_entry e
                   JOIN books_posting p ON p.entry_id = e.id JOIN books_account a ON a.id = p.account_id
                   WHERE a.code IN ('1100', '2000', '1200') GROUP BY 1, 2, 3 HAVING sum(p.amount) <> 0
               ) s ON s.store_id = l.store_id
               WHERE [[l.store_id]] AND l.state = 'archived' AND l.replaced_at IS NULL""",
        ),
    ]


CHECKS += _closings()


def _sources() -> list[Check]:
    """Addresses of a marketplace's buyers went to whom they may; photos, signs and plans are what their history says."""
    return [
        *(_history(process, _OF_STORE) for process in (PARCEL_CHECK, SAMPLE, RISK, PLAN_STEP)),
        Check(
            "commission",
            "9",
            "affiliate_earning",
            N_("Commission that was recorded and is not in the books: enter the day's figure again"),
            """SELECT e.id, format('%s of %s: %s %s', l.name, e.day, e.amount, e.currency)
               FROM compliance_affiliateearning e JOIN compliance_affiliatelink l ON l.id = e.link_id
               WHERE [[l.store_id]] AND e.amount > 0 AND NOT EXISTS (
                   SELECT FROM books_entry b WHERE b.fact = 'commission_earned' AND b.fact_id = e.id
                   AND NOT EXISTS (SELECT FROM books_entry r WHERE r.reversal_of_id = b.id))""",
        ),
        Check(
            "samples",
            "9",
            "sample",
            N_("Samples that were paid and are not in the books with what they cost, or that passed without a clean photo"),
            """SELECT s.id, format('sample %s of store %s: %s', s.id, s.store_id, s.state) FROM sourcing_sample s
               WHERE [[s.store_id]] AND (
                   (coalesce(s.cost, 0) > 0 AND NOT EXISTS (SELECT FROM books_expense x WHERE x.key = 'sample:' || s.id
                    AND x.store_id = s.store_id AND x.amount = s.cost AND x.currency = s.currency AND x.kind = 'samples'))
                OR (s.state = 'passed' AND NOT EXISTS (SELECT FROM shipping_parcelcheck c WHERE c.sample_id = s.id)))""",
        ),
        Check(
            "told_without_agreement",
            "17",
            "purchase_order",
            N_("Purchases that handed an address of a marketplace's buyer to a supplier without a signed entrustment"),
            """SELECT p.id, format('purchase %s to %s', p.reference, s.code) FROM purchasing_purchaseorder p
               JOIN stores_store t ON t.id = p.store_id JOIN sourcing_supplier s ON s.id = p.supplier_id
               WHERE [[p.store_id]] AND t.kind = 'marketplace' AND p.placed_at IS NOT NULL
                 AND NOT EXISTS (SELECT FROM sourcing_agreement a WHERE a.supplier_id = p.supplier_id
                                 AND a.store_id = p.store_id AND a.entrusted_on <= p.placed_at::date + 1)""",
        ),
        Check(
            "signs",
            "13",
            "risk",
            N_("Signs that are gone and still counted, or counted with nothing behind them"),
            """SELECT r.id, format('%s of store %s: %s', r.kind, r.store_id, r.state) FROM compliance_risk r
               WHERE [[r.store_id]] AND ((r.state = 'gone') <> (r.gone_at IS NOT NULL) OR (
                   r.gone_at IS NULL AND NOT EXISTS (SELECT FROM compliance_riskorder o WHERE o.risk_id = r.id)))""",
        ),
    ]


CHECKS += _sources()

# --- What guards the tables ---------------------------------------------------------------------------------------

GUARDS = (
    "one_order_per_number", "order_counters", "order_line_numbers", "line_counters", "address_versions", "one_open_hold",
    "fulfilment_line_counters", "purchase_line_counters", "purchase_line_numbers", "attempt_of_one_thing",
    "one_open_attempt_per_purchase", "one_open_attempt_per_run", "run_numbers", "posted_once", "told_once",
    "one_notice_per_number", "refund_once", "waybill_versions", "parcel_line_positive", "one_open_task",
    "shipping_trackingevent_once", "one_live_mapping", "mapping_versions", "one_violation_per_reference", "deposit_move_once",
    "one_open_appeal",
)  # fmt: skip
TRIGGERS = ("postings_balance", "postings_are_final", "entries_are_final", "entries_meet_no_lock")

CHECKS.append(
    Check(
        "guards",
        "13",
        "constraint",
        N_("Constraints or triggers that guard the tables and are missing or switched off"),
        f"""SELECT row_number() OVER (ORDER BY g.name), g.name FROM unnest(ARRAY[{", ".join(f"'{name}'" for name in GUARDS)}]) AS g (name)
            WHERE NOT EXISTS (SELECT FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid AND i.indisunique AND i.indisvalid
                              WHERE c.relname = g.name AND c.relnamespace = current_schema()::regnamespace)
              AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conname = g.name AND k.convalidated
                              AND k.connamespace = current_schema()::regnamespace)
            UNION ALL
            SELECT 1000 + row_number() OVER (ORDER BY g.name), g.name
            FROM unnest(ARRAY[{", ".join(f"'{name}'" for name in TRIGGERS)}]) AS g (name)
            WHERE NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                              WHERE t.tgname = g.name AND t.tgenabled = 'O' AND c.relnamespace = current_schema()::regnamespace)
            UNION ALL
            SELECT 2000, 'orders_order.status' WHERE NOT EXISTS (
                SELECT FROM pg_attribute a WHERE a.attrelid = 'orders_order'::regclass AND a.attname = 'status' AND a.attgenerated = 's')
            UNION ALL
            SELECT 3000 + row_number() OVER (ORDER BY c.relname, k.conname), k.conname
            FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
            WHERE NOT k.convalidated AND c.relnamespace = current_schema()::regnamespace""",
        whole=True,
    )
)


def codes() -> Iterable[str]:
    """The stable codes of all checks, in order."""
    return [check.code for check in CHECKS]
