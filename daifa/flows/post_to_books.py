"""Books: what each fact posts, many at once. Reads the documents, lets `domain.books.rules` decide, writes one batch.

A fact posts once, whatever state its thing has reached since. Entries of parcels are keyed by the last parcel line they
cover, because a parcel may get further lines after it was posted: those post as an entry of their own.

Where a batch of ids is looked up, `LATERAL … OFFSET 0` asks for one index probe each: a prepared plan made while a table
was small must not read all of it later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from daifa.domain.books import rules
from daifa.domain.books.commands import NewEntry, post_entries
from daifa.domain.books.queries import posted_facts
from daifa.domain.books.rules import NOTHING, Cost, Fee, Leg, Line, LineRevenue
from daifa.domain.orders.commands import lock_orders
from daifa.lib import bulk

# What left the building and became income.
EARNING = ("parcel_handed_over", "parcel_delivered")

# --- Orders -----------------------------------------------------------------------------------------------------


def post_orders(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Orders that were paid: receivable less the channel's fee, deferred income."""
    rows = bulk.fetch(
        """SELECT o.id, o.store_id, o.currency, o.total_amount, o.units, coalesce(o.paid_at, o.placed_at), s.timezone
           FROM orders_order o JOIN stores_store s ON s.id = o.store_id
           WHERE o.id = ANY(%s::bigint[]) AND NOT o.is_history ORDER BY o.id""",
        (things,),
    )
    fees = _fees({row[1] for row in rows})
    without_goods = {row[0]: (row[3], row[2]) for row in rows if row[4] == 0}
    lines = _order_lines(list(without_goods))
    entries = []
    for order, store, currency, total, units, paid_at, zone in rows:
        at_once: rules.Parts = ()
        if units == 0:
            _, at_once = rules.income_of([line for line, _ in lines.get(order, ())], *without_goods[order])
        fee = NOTHING
        if store in fees:
            fee = rules.fee_of(rules.fees_on(fees[store], _day(paid_at, zone)), total, currency)
        entries.append(
            NewEntry(
                store, "order_paid", order, paid_at, rules.order_paid(total, fee, currency, at_once), order
            )
        )
    post_entries(entries, by=by, at=at)
    return {}


def _fees(stores: Iterable[int]) -> dict[int, list[Fee]]:
    found: dict[int, list[Fee]] = {}
    for store, *rule in bulk.fetch(
        """SELECT store_id, name, percent, fixed, valid_from, refunded_on_refund FROM stores_feerule
           WHERE store_id = ANY(%s::bigint[]) ORDER BY valid_from, id""",
        (list(stores),),
    ):
        found.setdefault(store, []).append(Fee(*rule))
    return found


def _day(at: datetime, zone: str):
    return at.astimezone(ZoneInfo(zone)).date()


def _order_lines(orders: Sequence[int]) -> dict[int, list[tuple[Line, int]]]:
    """Order → its lines, each with the units cancelled so far."""
    found: dict[int, list[tuple[Line, int]]] = {}
    if orders:
        for order, line, kind, quantity, amount, cancelled in bulk.fetch(
            """SELECT o.id, l.id, l.kind, l.quantity, l.amount, l.cancelled
               FROM unnest(%s::bigint[]) AS o(id) CROSS JOIN LATERAL (
                   SELECT id, kind, quantity, amount, cancelled, line_no FROM orders_orderline
                   WHERE order_id = o.id OFFSET 0
               ) l ORDER BY o.id, l.line_no""",
            (orders,),
        ):
            found.setdefault(order, []).append((Line(line, kind, quantity, amount), cancelled))
    return found


# --- Purchases --------------------------------------------------------------------------------------------------


def post_purchases(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Suppliers' answers that accept something: goods bought, payable to the supplier at the frozen rate."""
    rows = bulk.fetch(
        """SELECT a.id, a.at, a.goods_amount, a.freight_amount, p.store_id, p.order_id, p.supplier_id, p.currency,
                  p.fx_rate, s.currency, coalesce(b.goods, 0), coalesce(b.freight, 0)
           FROM purchasing_purchaseanswer a
           JOIN purchasing_purchaseorder p ON p.id = a.purchase_order_id
           JOIN stores_store s ON s.id = p.store_id
           LEFT JOIN LATERAL (
               SELECT sum(x.goods_amount) AS goods, sum(x.freight_amount) AS freight FROM purchasing_purchaseanswer x
               WHERE x.purchase_order_id = a.purchase_order_id AND x.id < a.id
           ) b ON true
           WHERE a.id = ANY(%s::bigint[]) ORDER BY a.id""",
        (things,),
    )
    entries = []
    for (
        answer,
        answered_at,
        goods,
        freight,
        store,
        order,
        supplier,
        currency,
        rate,
        home,
        before_goods,
        before_freight,
    ) in rows:
        before = Cost(before_goods, before_freight)
        after = Cost(before_goods + goods, before_freight + freight)
        legs = rules.purchase_accepted(before, after, currency, home, rate)
        entries.append(NewEntry(store, "purchase_accepted", answer, answered_at, legs, order, supplier))
    post_entries(entries, by=by, at=at)
    return {}


# --- Parcels ----------------------------------------------------------------------------------------------------


class _Parcel(NamedTuple):
    id: int
    order: int
    store: int
    supplier: int
    handed_over_at: datetime | None
    delivered_at: datetime | None
    revenue_at: str
    home: str


class _ParcelLine(NamedTuple):
    id: int
    purchase_line: int
    order_line: int
    units: int  # the supplier's
    sales_units: int


class _PurchaseLine(NamedTuple):
    purchase: int
    is_sale: bool
    unit_cost: Decimal
    unit_freight: Decimal


@dataclass(slots=True)
class _Purchase:
    """How far the cost of a purchase has been posted."""

    rate: Decimal
    parcel_freight: Decimal  # due once, with its first unit
    posted: Cost = field(default_factory=Cost)


@dataclass(slots=True)
class _Orders:
    """What the books need of some orders: income by line and cost by purchase, moved on to what has been posted."""

    currency: dict[int, str] = field(default_factory=dict)
    total: dict[int, Decimal] = field(default_factory=dict)
    income: dict[int, dict[int, LineRevenue]] = field(default_factory=dict)
    facts: dict[int, set[tuple[str, int]]] = field(default_factory=dict)
    parcel_lines: dict[int, list[_ParcelLine]] = field(
        default_factory=dict
    )  # by parcel, in the order they came
    purchase_lines: dict[int, _PurchaseLine] = field(default_factory=dict)
    purchases: dict[int, _Purchase] = field(default_factory=dict)
    earned: dict[int, int] = field(default_factory=dict)  # parcel → last line posted as income
    cost: dict[int, int] = field(default_factory=dict)  # parcel → last line posted as cost
    # Only of orders with posted refunds:
    deferred: dict[int, Decimal] = field(default_factory=dict)
    refunded: dict[int, Decimal] = field(default_factory=dict)
    unnamed: dict[int, Decimal] = field(default_factory=dict)  # of it, what was paid for goods without naming units
    # Refunds not posted yet → (line, units they cancelled, other units).
    waiting: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    waiting_unnamed: dict[int, Decimal] = field(default_factory=dict)  # by refund


def post_handed_over(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Parcels handed over: income and cost of their units, in stores whose revenue counts then."""
    return _post_parcels(things, at=at, by=by)


def post_delivered(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Parcels delivered: the same, in stores whose revenue counts then; also what was never seen handed over."""
    return _post_parcels(things, at=at, by=by)


def post_lost(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Parcels lost or sent back before they became income: what they cost is cost, and what was refunded for them
    before comes out of deferred income. Elsewhere nothing changes.
    """
    parcels = [
        parcel for parcel in _unposted(things) if parcel.revenue_at == "delivered" and not parcel.delivered_at
    ]
    books = _load(parcels)
    refunds = _balances(list(books.deferred), rules.REFUNDS)
    entries = []
    for parcel in parcels:
        lines = _left(books, parcel, books.cost)
        if lines:
            legs = rules.merged(_cost_legs(books, lines, parcel.home))
            if refunds.get(parcel.order):
                back = rules.over_after_refund(
                    books.income[parcel.order], books.currency[parcel.order], deferred=books.deferred[parcel.order],
                    refunds=refunds[parcel.order], unnamed=books.unnamed.get(parcel.order, NOTHING),
                )  # fmt: skip
                books.deferred[parcel.order] -= _sum_of(back, rules.DEFERRED)
                refunds[parcel.order] += _sum_of(back, rules.REFUNDS)
                legs += back
            entries.append(
                NewEntry(
                    parcel.store, "parcel_lost", lines[-1].id, at, legs, parcel.order, parcel.supplier,
                    even_if_empty=True,
                )
            )  # fmt: skip
    post_entries(entries, by=by, at=at)
    return {}


def _post_parcels(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    parcels = [
        parcel
        for parcel in _unposted(things)
        if parcel.delivered_at or (parcel.revenue_at == "handed_over" and parcel.handed_over_at)
    ]
    books = _load(parcels)
    entries = []
    for parcel in parcels:
        lines = _left(books, parcel, books.earned)
        if not lines:
            continue
        on_hand_over = parcel.revenue_at == "handed_over"
        happened = (on_hand_over and parcel.handed_over_at) or parcel.delivered_at or at
        sales = [
            (line.order_line, line.sales_units)
            for line in lines
            if books.purchase_lines[line.purchase_line].is_sale  # replacements were paid for once
        ]
        currency = books.currency[parcel.order]
        legs = rules.handed_over(
            books.income[parcel.order], sales, currency, deferred=books.deferred.get(parcel.order),
            unnamed=books.unnamed.get(parcel.order, NOTHING),
        )  # fmt: skip
        if parcel.order in books.deferred:
            books.deferred[parcel.order] -= _sum_of(legs, rules.DEFERRED)
        legs += rules.merged(_cost_legs(books, _left(books, parcel, books.cost), parcel.home))
        entries.append(
            NewEntry(
                parcel.store, EARNING[0] if on_hand_over else EARNING[1], lines[-1].id, happened, legs, parcel.order,
                parcel.supplier, even_if_empty=True,
            )
        )  # fmt: skip
    post_entries(entries, by=by, at=at)
    return {}


def _unposted(things: Sequence[int]) -> list[_Parcel]:
    """Those of the parcels whose newest line has not become income yet, by id."""
    rows = bulk.fetch(
        # max(id + 0): plain max(id) would walk the primary key backwards to find the newest line of each parcel.
        """SELECT p.id, p.order_id, p.store_id, p.supplier_id, p.handed_over_at, p.delivered_at, s.revenue_at, s.currency,
                  (SELECT max(l.id + 0) FROM shipping_parcelline l WHERE l.parcel_id = p.id)
           FROM shipping_parcel p JOIN stores_store s ON s.id = p.store_id
           WHERE p.id = ANY(%s::bigint[]) ORDER BY p.id""",
        (list(things),),
    )
    newest = [row[8] for row in rows if row[8] is not None]
    posted = {line for _, line in posted_facts((fact, line) for fact in EARNING for line in newest)}
    return [_Parcel(*row[:8]) for row in rows if row[8] is not None and row[8] not in posted]


def _left(books: _Orders, parcel: _Parcel, posted: dict[int, int]) -> list[_ParcelLine]:
    """The parcel's lines after the last posted one; counts them as posted."""
    last = posted.get(parcel.id, 0)
    lines = [line for line in books.parcel_lines.get(parcel.id, ()) if line.id > last]
    if lines:
        posted[parcel.id] = lines[-1].id
    return lines


def _cost_legs(books: _Orders, lines: Sequence[_ParcelLine], home: str) -> list[Leg]:
    before: dict[int, Cost] = {}
    for line in lines:
        purchase = books.purchase_lines[line.purchase_line].purchase
        before.setdefault(purchase, books.purchases[purchase].posted)
        _add_cost(books, line)
    legs: list[Leg] = []
    for purchase, cost in before.items():
        of = books.purchases[purchase]
        legs += rules.goods_left(cost, of.posted, home, of.rate)
    return legs


def _add_cost(books: _Orders, line: _ParcelLine) -> None:
    of = books.purchase_lines[line.purchase_line]
    purchase = books.purchases[of.purchase]
    freight = purchase.posted.freight + line.units * of.unit_freight
    if purchase.parcel_freight:
        freight += purchase.parcel_freight
        purchase.parcel_freight = NOTHING
    purchase.posted = Cost(purchase.posted.goods + line.units * of.unit_cost, freight)


def _load(parcels: Sequence[_Parcel]) -> _Orders:
    """Lock the parcels' orders and read what has been posted of them."""
    return _load_orders(sorted({parcel.order for parcel in parcels}))


def _load_orders(orders: list[int], *, for_refunds: bool = False) -> _Orders:
    books = _Orders()
    if not orders:
        return books
    lock_orders(orders)
    for order, currency, total in bulk.fetch(
        "SELECT id, currency, total_amount FROM orders_order WHERE id = ANY(%s::bigint[])", (orders,)
    ):
        books.currency[order], books.total[order] = currency, total
    for order, lines in _order_lines(orders).items():
        income, _ = rules.income_of([line for line, _ in lines], books.total[order], books.currency[order])
        for line, cancelled in lines:
            if line.id in income:
                income[line.id].cancelled = cancelled
        books.income[order] = income
    for order, fact, fact_id in bulk.fetch(
        """SELECT o.id, e.fact, e.fact_id FROM unnest(%s::bigint[]) AS o(id) CROSS JOIN LATERAL (
               SELECT fact, fact_id FROM books_entry WHERE order_id = o.id OFFSET 0
           ) e WHERE e.fact <> 'purchase_accepted'""",
        (orders,),
    ):
        books.facts.setdefault(order, set()).add((fact, fact_id))
    _load_purchases(books, orders)
    dead = _load_parcel_lines(books, orders)
    _count_posted(books, dead)
    refunded = [
        order for order, facts in books.facts.items() if any(fact == "refund_confirmed" for fact, _ in facts)
    ]
    if wanted := orders if for_refunds else refunded:
        books.deferred = _deferred(books, wanted)
        _count_refunds(books, wanted)
    return books


def _load_purchases(books: _Orders, orders: list[int]) -> None:
    for purchase, rate, freight, line, kind, live, cost, unit_freight in bulk.fetch(
        """SELECT p.id, p.fx_rate, p.freight_amount, l.id, f.kind, l.live, l.unit_cost, l.unit_freight
           FROM unnest(%s::bigint[]) AS o(id) CROSS JOIN LATERAL (
               SELECT id, fx_rate, freight_amount FROM purchasing_purchaseorder WHERE order_id = o.id OFFSET 0
           ) p CROSS JOIN LATERAL (
               SELECT id, quantity - cancelled AS live, unit_cost, unit_freight, fulfilment_line_id
               FROM purchasing_purchaseline WHERE purchase_order_id = p.id OFFSET 0
           ) l CROSS JOIN LATERAL (
               SELECT kind FROM fulfilment_fulfilmentline WHERE id = l.fulfilment_line_id OFFSET 0
           ) f""",
        (orders,),
    ):
        if purchase not in books.purchases:
            books.purchases[purchase] = _Purchase(rate, freight)
        # What the lines do not explain of a purchase's freight is the parcel's own.
        books.purchases[purchase].parcel_freight -= live * unit_freight
        books.purchase_lines[line] = _PurchaseLine(purchase, kind == "sale", cost, unit_freight)


def _load_parcel_lines(books: _Orders, orders: list[int]) -> dict[int, int]:
    """Fills `parcel_lines`; returns the parcels that will not arrive, with their orders."""
    dead: dict[int, int] = {}
    for order, parcel, state, *line in bulk.fetch(
        """SELECT o.id, p.id, p.state, l.id, l.purchase_line_id, l.order_line_id, l.quantity, l.order_quantity
           FROM unnest(%s::bigint[]) AS o(id) CROSS JOIN LATERAL (
               SELECT id, state FROM shipping_parcel WHERE order_id = o.id OFFSET 0
           ) p CROSS JOIN LATERAL (
               SELECT id, purchase_line_id, order_line_id, quantity, order_quantity FROM shipping_parcelline
               WHERE parcel_id = p.id OFFSET 0
           ) l ORDER BY l.id""",
        (orders,),
    ):
        books.parcel_lines.setdefault(parcel, []).append(_ParcelLine(*line))
        if state in ("lost", "returned_to_sender"):
            dead[parcel] = order
    return dead


def _count_posted(books: _Orders, dead: dict[int, int]) -> None:
    """Move income and cost on to what the ledger holds; count the units of dead parcels that never became income."""
    order_of_line = {line: order for order, income in books.income.items() for line in income}
    facts = {fact for each in books.facts.values() for fact in each}
    for parcel, lines in books.parcel_lines.items():
        earned = max((line.id for line in lines if any((f, line.id) in facts for f in EARNING)), default=0)
        cost = max((line.id for line in lines if ("parcel_lost", line.id) in facts), default=0)
        if earned:
            books.earned[parcel] = earned
        if cost or earned:
            books.cost[parcel] = max(cost, earned)
        for line in lines:
            if line.id <= books.cost.get(parcel, 0):
                _add_cost(books, line)
            order = order_of_line.get(line.order_line)
            if order is None or not books.purchase_lines[line.purchase_line].is_sale:
                continue
            of_line = books.income[order][line.order_line]
            if line.id <= earned:
                of_line.handed = min(of_line.handed + line.sales_units, of_line.quantity)
            elif parcel in dead:
                of_line.lost += line.sales_units


def _deferred(books: _Orders, orders: Sequence[int]) -> dict[int, Decimal]:
    """Deferred income of orders; a payment not posted yet counts as if it were."""
    found = {order: -amount for order, amount in _balances(orders, rules.DEFERRED).items()}
    for order in orders:
        if ("order_paid", order) not in books.facts.get(order, ()) and books.income.get(order):
            paid = rules.order_paid(books.total[order], NOTHING, books.currency[order])
            found[order] = found.get(order, NOTHING) - _sum_of(paid, rules.DEFERRED)
    return {order: found.get(order, NOTHING) for order in orders}


def _balances(orders: Sequence[int], account: str) -> dict[int, Decimal]:
    """What an account holds of orders, in their own currency: debit positive; orders without a leg there are left out."""
    if not orders:
        return {}
    return dict(
        bulk.fetch(
            """SELECT e.order_id, sum(p.amount) FROM books_entry e JOIN books_posting p ON p.entry_id = e.id
               JOIN orders_order o ON o.id = e.order_id AND o.currency = p.currency
               WHERE e.order_id = ANY(%s::bigint[]) AND p.account_id = (SELECT id FROM books_account WHERE code = %s)
               GROUP BY 1""",
            (list(orders), account),
        )
    )


def _sum_of(legs: Iterable[Leg], account: str) -> Decimal:
    return sum((amount for code, _, amount in legs if code == account), NOTHING)


# --- Refunds ----------------------------------------------------------------------------------------------------


def post_refunds(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Refunds confirmed: out of deferred income for units that will not be handed over, the rest against sales.

    One without an order, or of an order that was history when it came, is against sales altogether.
    """
    refunds = bulk.fetch(
        """SELECT r.id, r.store_id, r.order_id, r.amount, r.currency, coalesce(r.confirmed_at, r.at),
                  o.is_history, o.currency, o.total_amount, coalesce(o.paid_at, o.placed_at), s.timezone
           FROM aftersales_refund r JOIN stores_store s ON s.id = r.store_id
           LEFT JOIN orders_order o ON o.id = r.order_id
           WHERE r.id = ANY(%s::bigint[]) ORDER BY r.id""",
        (things,),
    )
    known = {refund for _, refund in posted_facts(("refund_confirmed", row[0]) for row in refunds)}
    refunds = [row for row in refunds if row[0] not in known]
    live = sorted({row[2] for row in refunds if row[2] is not None and not row[6] and row[4] == row[7]})
    books = _load_orders(live, for_refunds=True)
    fees = _fees({row[1] for row in refunds})
    entries = []
    for refund, store, order, amount, currency, confirmed_at, _, _, total, paid_at, zone in refunds:
        if order not in books.currency:
            legs = rules.refund_confirmed(amount, currency)
        elif ("refund_confirmed", refund) in books.facts.get(
            order, ()
        ):  # posted while we waited for the order
            continue
        else:
            fee_back = NOTHING
            if store in fees:
                in_force = rules.fees_on(fees[store], _day(paid_at, zone))
                fee_back = rules.fee_given_back(
                    in_force, total, books.refunded.get(order, NOTHING), amount, currency
                )
            units = books.waiting.get(refund, ())
            unnamed = books.unnamed.get(order, NOTHING) + books.waiting_unnamed.get(refund, NOTHING)
            books.unnamed[order] = unnamed
            legs = rules.refund_confirmed(
                amount, currency, lines=books.income.get(order), cancelled=[(line, gone) for line, gone, _ in units if gone],
                others=[(line, other) for line, _, other in units], deferred=books.deferred[order], unnamed=unnamed,
                fee_back=fee_back,
            )  # fmt: skip
            books.deferred[order] -= _sum_of(legs, rules.DEFERRED)
            books.refunded[order] = books.refunded.get(order, NOTHING) + amount
        # One that gives nothing back for its units counts too: the next one of the line takes the units before them.
        entries.append(
            NewEntry(
                store, "refund_confirmed", refund, confirmed_at, legs, order, even_if_empty=refund in books.waiting
            )
        )  # fmt: skip
    post_entries(entries, by=by, at=at)
    return {}


def post_cancelled(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Orders of which units were cancelled and whose buyer had his money before: once nothing of them is to come, what the
    refund had to leave deferred while the units were awaited is settled. Elsewhere nothing changes.
    """
    books = _load_orders(sorted(things))
    refunds = _balances(list(books.deferred), rules.REFUNDS)
    entries = []
    stores = dict(bulk.fetch("SELECT id, store_id FROM orders_order WHERE id = ANY(%s::bigint[])", (list(books.deferred),))) if books.deferred else {}
    for order, deferred in books.deferred.items():
        lines = books.income[order].values()
        if ("order_over", order) in books.facts[order] or any(
            line.handed + line.lost + line.cancelled < line.quantity for line in lines
        ):
            continue
        legs = rules.over_after_refund(
            books.income[order], books.currency[order], deferred=deferred, refunds=refunds.get(order, NOTHING),
            unnamed=books.unnamed.get(order, NOTHING),
        )  # fmt: skip
        entries.append(NewEntry(stores[order], "order_over", order, at, legs, order))
    post_entries(entries, by=by, at=at)
    return {}


def _count_refunds(books: _Orders, orders: list[int]) -> None:
    """Money and units of posted refunds; the units of those that wait are kept aside.

    A refund that names no units of goods is one of goods all the same, but for what it names of money lines (postage).
    """
    seen: set[int] = set()
    for order, refund, amount, unnamed, line, gone, other in bulk.fetch(
        """SELECT r.order_id, r.id, r.amount, CASE WHEN u.named THEN 0 ELSE r.amount - coalesce(u.money, 0) END,
                  l.order_line_id, l.cancelled, l.quantity - l.cancelled FROM aftersales_refund r
           CROSS JOIN LATERAL (
               SELECT coalesce(bool_or(o.kind = 'goods' AND x.quantity > 0), false) AS named,
                      sum(x.amount) FILTER (WHERE o.kind <> 'goods') AS money
               FROM aftersales_refundline x JOIN orders_orderline o ON o.id = x.order_line_id WHERE x.refund_id = r.id
           ) u
           LEFT JOIN aftersales_refundline l ON l.refund_id = r.id AND l.quantity > 0
           WHERE r.order_id = ANY(%s::bigint[]) ORDER BY r.id, l.id""",
        (orders,),
    ):
        posted = ("refund_confirmed", refund) in books.facts.get(order, ())
        if refund not in seen:
            if posted:
                books.refunded[order] = books.refunded.get(order, NOTHING) + amount
                books.unnamed[order] = books.unnamed.get(order, NOTHING) + unnamed
            else:
                books.waiting_unnamed[refund] = unnamed
        seen.add(refund)
        of_line = books.income.get(order, {}).get(line)
        if of_line is None:
            continue
        if not posted:
            books.waiting.setdefault(refund, []).append((line, gone, other))
        else:
            of_line.settled += gone
            of_line.paid_back += other
