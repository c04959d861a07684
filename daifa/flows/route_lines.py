"""Route: choose for every open unit of an order the offer that will serve it, or hold the line with the reason.

Reads orders, catalogue, sourcing and rates in a handful of statements for the whole batch, lets
`fulfilment.rules.decide` decide purely, writes fulfilment orders and holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from types import SimpleNamespace

from daifa.domain.books.queries import rate_on
from daifa.domain.closing.queries import shut_since
from daifa.domain.compliance.dispatch_times import Placed, dispatch_times
from daifa.domain.fulfilment.commands import RoutedOrder, write_fulfilment
from daifa.domain.fulfilment.rules import Candidate, WantedLine, decide
from daifa.domain.history.commands import record_facts
from daifa.domain.orders import commands as orders
from daifa.domain.purchasing.rules import ship_due
from daifa.domain.sourcing import queries as sourcing
from daifa.domain.sourcing.rules import may_serve
from daifa.lib import bulk

_ROUTING_HOLDS = (
    "mapping_missing", "mapping_broken", "platform_restricted", "consumer_platform", "agreement_missing",
    "agreement_incomplete", "entrustment_missing", "store_closing", "destination_refused",
    "exchange_rate_missing", "part_of_pack", "out_of_stock", "price_above_limit", "supplier_rejected",
)  # fmt: skip
_BLOCKED = {
    "mapping_broken": "mapping_broken", "offer_removed": "mapping_broken", "offer_stale": "mapping_broken",
    "offer_unavailable": "out_of_stock",
}  # fmt: skip


def route_orders(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Reaction to `orders_received` and `orders_to_route`: route all open units of these orders.

    Orders on an order-wide hold (no address, held by a person) wait; releasing the hold asks for routing again.
    """
    waiting = {
        row[0]: row[1]
        for row in bulk.fetch(
            """WITH locked AS MATERIALIZED (
                   SELECT id FROM orders_order WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE)
               SELECT o.id, h.reason FROM locked o LEFT JOIN orders_hold h
                 ON h.order_id = o.id AND h.line_id IS NULL AND h.released_at IS NULL""",
            (things,),
        )
    }
    ready = [order for order, hold in waiting.items() if hold is None]
    rows = bulk.fetch(
        """SELECT o.id, o.store_id, o.country, a.id, a.country, l.id, l.sku, l.variant_id,
                  l.quantity - l.cancelled - l.allocated, l.quantity, l.amount, o.paid_at, o.placed_at, o.ship_by_at
           FROM orders_order o
           JOIN orders_addressversion a ON a.order_id = o.id AND a.version = o.address_version
           JOIN orders_orderline l ON l.order_id = o.id
           WHERE o.id = ANY(%s::bigint[]) AND NOT o.is_history AND l.kind = 'goods'
             AND l.quantity > l.cancelled + l.allocated
           ORDER BY o.id, l.id""",
        (ready,),
    )
    if not rows:
        return {}
    variants = _late_variants(rows)
    line_ids = [row[5] for row in rows]
    before = _before(line_ids)
    stores = _stores({row[1] for row in rows})
    found = _candidates(rows, variants, stores, at=at)
    shut = shut_since(list(stores))

    grouped: dict[int, list[tuple]] = {}
    for row in rows:
        grouped.setdefault(row[0], []).append(row)
    routed: list[RoutedOrder] = []
    holds: list[tuple[int, int | None, str, dict]] = []
    promised: dict[int, int] = {}
    times = dispatch_times(
        stores,
        (
            Placed(
                order, group[0][1], *group[0][11:], group[0][4] or group[0][2],
                [row[7] or variants.get(row[5]) for row in group],
            )
            for order, group in grouped.items()
        ),
        at=at,
    )  # fmt: skip
    for order, group in grouped.items():
        store = stores[group[0][1]]
        paid_at = group[0][11] or group[0][12]
        if store.id in shut and paid_at >= shut[store.id]:  # what was paid before is owed and goes on
            holds += [(order, row[5], "store_closing", {"sku": row[6], "units": row[8]}) for row in group]
            continue
        decision = decide(
            [
                WantedLine(
                    row[5], row[7] or variants.get(row[5]), row[8], row[9], row[10],
                    before[row[5]][1] if row[5] in before else frozenset(),
                )
                for row in group
            ],
            found[store.id],
            country=group[0][4] or group[0][2],
            margin_floor=store.margin_floor,
            stock_buffer=store.stock_buffer,
            promised=promised,
            ship_by=times[order][0] if order in times else None,
        )  # fmt: skip
        predecessors = {row[5]: before[row[5]][0] for row in group if row[5] in before}
        routed.append(RoutedOrder(order, store.id, group[0][3], decision, predecessors))
        skus = {row[5]: row[6] for row in group}
        holds += [(order, line, reason, {"sku": skus[line], "units": units}) for line, reason, units in decision.holds]
    _settle_holds(line_ids, holds, by=by, at=at)
    released = write_fulfilment(routed, by=by, at=at)
    record_facts("fulfilment_released", released, at=at)
    return {}


def route_reopened(*, at: datetime) -> int:
    """Orders held because their store was shut are routed once it is open again; how many."""
    held: dict[int, list[int]] = {}
    for order, store in bulk.fetch(
        """SELECT DISTINCT o.id, o.store_id FROM orders_hold h JOIN orders_order o ON o.id = h.order_id
           WHERE h.released_at IS NULL AND h.reason = 'store_closing' ORDER BY 1"""
    ):
        held.setdefault(store, []).append(order)
    shut = shut_since(list(held)) if held else {}
    again = [order for store, waiting in held.items() if store not in shut for order in waiting]
    record_facts("orders_to_route", again, at=at)
    return len(again)


def _settle_holds(line_ids: list[int], holds: list[tuple], *, by: str, at: datetime) -> None:
    """Line holds that routing itself opened are decided afresh: those that still stand stay as old as they are."""
    standing = {(line, reason) for _, line, reason, _ in holds}
    open_now = bulk.fetch(
        """SELECT id, line_id, reason FROM orders_hold
           WHERE released_at IS NULL AND line_id = ANY(%s::bigint[]) AND reason = ANY(%s::text[])""",
        (line_ids, list(_ROUTING_HOLDS)),
    )
    gone = [hold for hold, line, reason in open_now if (line, reason) not in standing]
    if gone:
        orders.release_holds(ids=gone, by=by, at=at)
    orders.hold_lines(holds, at=at)


def _late_variants(rows: Sequence[tuple]) -> dict[int, int]:
    """Lines whose SKU was unknown when they came in: look again, and keep what is found on the line."""
    missing: dict[int, dict[str, list[int]]] = {}
    for row in rows:
        if row[7] is None:
            missing.setdefault(row[1], {}).setdefault(row[6], []).append(row[5])
    result: dict[int, int] = {}
    for store, skus in missing.items():
        for sku, (_listing, variant) in orders.find_variants(store, skus).items():
            if variant is not None:
                result.update(dict.fromkeys(skus[sku], variant))
    if result:
        bulk.execute(
            """UPDATE orders_orderline l SET variant_id = d.variant
               FROM unnest(%s::bigint[], %s::bigint[]) AS d(id, variant) WHERE l.id = d.id""",
            (list(result), list(result.values())),
        )
    return result


def _before(line_ids: list[int]) -> dict[int, tuple[int, frozenset[int]]]:
    """Lines routed before: the last fulfilment line that gave units back, and the offers that did not serve them."""
    seen: dict[int, tuple[int, set[int]]] = {}
    for line, fulfilment_line, offer in bulk.fetch(
        """SELECT order_line_id, id, offer_id FROM fulfilment_fulfilmentline
           WHERE order_line_id = ANY(%s::bigint[]) AND superseded > 0 ORDER BY id""",
        (line_ids,),
    ):
        seen[line] = (fulfilment_line, seen[line][1] | {offer} if line in seen else {offer})
    return {line: (last, frozenset(offers)) for line, (last, offers) in seen.items()}


def _stores(ids: set[int]) -> dict[int, SimpleNamespace]:
    names = (
        "id", "kind", "channel", "country", "currency", "timezone", "dispatch_hours", "margin_floor", "stock_buffer",
        "is_sample",
    )  # fmt: skip
    rows = bulk.fetch(f"SELECT {', '.join(names)} FROM stores_store WHERE id = ANY(%s::bigint[])", (list(ids),))
    return {row[0]: SimpleNamespace(**dict(zip(names, row, strict=True))) for row in rows}


def _candidates(
    rows: Sequence[tuple], late: dict[int, int], stores: dict[int, SimpleNamespace], *, at: datetime
) -> dict[int, dict[int, list[Candidate]]]:
    """Store → variant → what may serve it, best rank first, costs in the store's currency.

    Offers that tell their stock are locked in id order, so that two batches do not both promise the last unit.
    """
    wanted: dict[int, set[int]] = {}
    for row in rows:
        variant = row[7] or late.get(row[5])
        if variant is not None:
            wanted.setdefault(row[1], set()).add(variant)
    all_variants = set().union(*wanted.values()) if wanted else set()
    offers = sourcing.offers_for_variants(sorted(all_variants), at.date())
    counted = sorted({o.offer_id for o in offers if o.stock is not None and not o.blocked})
    stock = (
        dict(bulk.fetch(
            """SELECT id, stock FROM sourcing_supplieroffer WHERE id = ANY(%s::bigint[])
               ORDER BY id FOR NO KEY UPDATE""", (counted,),
        ))
        if counted
        else {}
    )  # fmt: skip
    agreements = sourcing.agreements_for(list(stores))
    today = {store.id: sourcing.day_in(store.timezone, at) for store in stores.values()}
    demands = {store.id: sourcing.demands_of(store, on=today[store.id]) for store in stores.values()}
    suppliers = {
        row[0]: SimpleNamespace(id=row[0], name=row[1], state=row[2], is_sample=row[3], source=row[4])
        for row in bulk.fetch(
            "SELECT id, name, state, is_sample, source FROM sourcing_supplier WHERE id = ANY(%s::bigint[])",
            (list({o.supplier_id for o in offers}),),
        )
    }
    rates: dict[tuple[str, str], Decimal | None] = {}
    shipped_in: dict[int, datetime] = {}
    barred: dict[tuple[int, int], str] = {}
    result: dict[int, dict[int, list[Candidate]]] = {store: {} for store in stores}
    for offer in offers:
        for store_id, variants in wanted.items():
            if offer.variant_id not in variants:
                continue
            store = stores[store_id]
            pair = (store_id, offer.supplier_id)
            if pair not in barred:
                supplier = suppliers[offer.supplier_id]
                barred[pair] = str(may_serve(store, supplier, agreements, today[store_id], demands[store_id]))
            days = offer.handling_days if offer.lead_days is None else offer.lead_days
            if days not in shipped_in:
                shipped_in[days] = ship_due(at, days)
            rate = rate_to(offer.currency, store.currency, at.date(), rates)
            reason = barred[pair] or _BLOCKED.get(offer.blocked, "agreement_missing" if offer.blocked else "")
            result[store_id].setdefault(offer.variant_id, []).append(
                Candidate(
                    offer=offer.offer_id, mapping=offer.mapping_id, version=offer.mapping_version,
                    supplier_sku=offer.supplier_sku, factor=offer.factor, rank=offer.rank, supplier=offer.supplier_id,
                    price=offer.price, freight=offer.freight,
                    cost=None if rate is None else (offer.price + offer.freight) * rate,
                    parcel_freight=offer.parcel_freight * (rate or 0), available=stock.get(offer.offer_id, offer.stock),
                    ships_to=offer.ships_to, barred="" if reason == "mapping_broken" else reason,
                    sku_changed=reason == "mapping_broken", ships_at=shipped_in[days],
                )
            )  # fmt: skip
    return result


def rate_to(source: str, target: str, on: date, known: dict[tuple[str, str], Decimal | None]) -> Decimal | None:
    """Units of `target` for one of `source`, remembered in `known`; None when nobody has given a rate."""
    if source == target:
        return Decimal(1)
    if (source, target) not in known:
        rate = rate_on(source, target, on)
        known[source, target] = None if rate is None else getattr(rate, "rate", rate)
    return known[source, target]
