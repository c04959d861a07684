"""Everything that may be done to orders. Many at once; the caller holds the transaction and calls `lock_orders` first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from daifa.domain.history.commands import open_batch, record_births
from daifa.domain.orders import rules
from daifa.domain.orders.process import HOLDS, ORDER
from daifa.lib import bulk
from daifa.lib.secret import keyed_digest


@dataclass(slots=True)
class Received:
    """What `receive_orders` did. `changed` pairs an order id with the record that differs from what we hold."""

    new: list[int] = field(default_factory=list)
    live: list[int] = field(default_factory=list)  # of the new ones: those that are to be fulfilled
    new_numbers: list[str] = field(default_factory=list)  # of the live ones
    history_numbers: list[str] = field(default_factory=list)  # of the new ones that are only kept
    refunded: list[tuple[int, Any]] = field(default_factory=list)  # new live orders the channel already refunded on
    changed: list[tuple[int, Any]] = field(default_factory=list)
    unchanged: list[int] = field(default_factory=list)
    other_currency: list[Any] = field(default_factory=list)


def lock_orders(ids: Sequence[int]) -> list[int]:
    """Lock orders in id order; whoever holds them owns everything below. Returns the ids that exist."""
    return [
        row[0]
        for row in bulk.fetch(
            "SELECT id FROM orders_order WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE", (list(ids),)
        )
    ]


def lock_orders_of(table: str, ids: Sequence[int]) -> None:
    """Lock the orders that rows of `table` (with an order_id) belong to, in id order."""
    bulk.fetch(
        f"""SELECT id FROM orders_order WHERE id IN (SELECT order_id FROM {table} WHERE id = ANY(%s::bigint[]))
            ORDER BY id FOR NO KEY UPDATE""",
        (list(ids),),
    )


def receive_orders(
    *, store: Any, records: Sequence[Any], is_history: Any, by: str, at: datetime, source: str
) -> Received:
    """Store new orders of one store; tell known ones apart by number and content. Idempotent.

    `records`: `connectors.contract.IncomingOrder`, one per number. `is_history(record)` says whether it is only kept.
    Lines of unknown SKU get no variant; orders without a usable ship-to get the hold `buyer_data_missing`, those that
    the channel says are not paid get `not_paid`: nothing of them is worked on or booked before (`mark_paid`).
    """
    result = Received()
    bulk.execute("SELECT pg_advisory_xact_lock(hashtext('receive_orders'), %s)", (store.pk,))
    known = {
        number: (order_id, bytes(digest))
        for order_id, number, digest in bulk.fetch(
            "SELECT id, number, content_hash FROM orders_order WHERE store_id = %s AND number = ANY(%s::text[])",
            (store.pk, [record.number for record in records]),
        )
    }
    fresh: list[tuple[Any, bytes]] = []
    for record in records:
        if record.currency and record.currency != store.currency:
            result.other_currency.append(record)
            continue
        digest = rules.content_hash(record)
        if record.number not in known:
            fresh.append((record, digest))
        elif known[record.number][1] == digest:
            result.unchanged.append(known[record.number][0])
        else:
            result.changed.append((known[record.number][0], record))
    if not fresh:
        return result

    customers = _customers(store.pk, [record for record, _ in fresh])
    variants = find_variants(store.pk, {line.sku for record, _ in fresh for line in record.lines})
    dispatch_time = timedelta(hours=store.dispatch_hours)
    orders, lines, addresses, holds = [], [], [], []
    kept_only, held = [], []
    for record, digest in fresh:
        history = bool(is_history(record))
        units, goods, shipping, other = rules.amounts(record.lines)
        address = record.address
        missing = units > 0 and not history and (address is None or not address.is_complete())
        unpaid = rules.is_unpaid(record) and not history
        kept_only.append(history)
        held.append([reason for reason, is_so in (("buyer_data_missing", missing), ("not_paid", unpaid)) if is_so])
        orders.append((
            store.pk, record.number, customers.get(record.customer_ref), record.placed_at,
            None if unpaid else record.paid_at or record.placed_at, store.currency,
            record.country or (address.country if address else ""), goods, shipping, other, goods + shipping + other,
            # In UTC hours pass; with a zone attached, adding hours would move the wall clock.
            None if unpaid else record.placed_at.astimezone(UTC) + dispatch_time, digest, history, record.note[:500], source,
            1 if address is not None else 0, units, len(held[-1]),
        ))  # fmt: skip
    ids = bulk.write_rows("orders_order", _ORDER_COLUMNS, orders)
    for order_id, (record, _), history, reasons in zip(ids, fresh, kept_only, held, strict=True):
        holds += [(order_id, reason, bulk.json({}), at) for reason in reasons]
        lines += _line_rows(order_id, record, variants)
        if record.address is not None:
            addresses.append(_address_row(order_id, 1, record.address, at))
        result.new.append(order_id)
        if history:
            result.history_numbers.append(record.number)
        else:
            if "not_paid" not in reasons:
                result.live.append(order_id)
            result.new_numbers.append(record.number)
            if record.refunded > 0:
                result.refunded.append((order_id, record))
    bulk.copy_rows("orders_orderline", _LINE_COLUMNS, lines)
    bulk.copy_rows("orders_addressversion", _ADDRESS_COLUMNS, addresses)
    bulk.copy_rows("orders_hold", ("order_id", "reason", "params", "opened_at"), holds)
    record_births(ORDER, ids, "received", by=by, at=at, reason=source)
    return result


_ORDER_COLUMNS = (
    "store_id", "number", "customer_id", "placed_at", "paid_at", "currency", "country", "goods_amount",
    "shipping_amount", "other_amount", "total_amount", "ship_by_at", "content_hash", "is_history", "note", "source",
    "address_version", "units", "open_holds",
)  # fmt: skip
_LINE_COLUMNS = (
    "order_id", "line_no", "external_id", "kind", "sku", "title", "listing_id", "variant_id", "quantity",
    "unit_price", "amount",
)  # fmt: skip
_ADDRESS_COLUMNS = ("order_id", "version", *rules.ADDRESS_FIELDS, "digest", "at")


def _line_rows(order_id: int, record: Any, variants: dict[str, tuple[int | None, int | None]]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for number, line in enumerate(record.lines, 1):
        listing, variant = variants.get(line.sku, (None, None)) if line.kind in rules.BOUGHT_KINDS else (None, None)
        rows.append((
            order_id, number, line.external_id[:60], line.kind, line.sku, line.title[:255], listing, variant,
            line.quantity, line.unit_price, line.amount,
        ))  # fmt: skip
    return rows


def _address_row(order_id: int, version: int, address: Any, at: datetime) -> tuple[Any, ...]:
    values = [getattr(address, name) for name in rules.ADDRESS_FIELDS]
    return (order_id, version, *values, keyed_digest(rules.address_text(address)), at)


def _customers(store_id: int, records: Sequence[Any]) -> dict[str, int]:
    """Reference → id, adding those not seen before. The caller holds the store's intake lock."""
    wanted = {record.customer_ref: record for record in reversed(records) if record.customer_ref}
    if not wanted:
        return {}
    query = "SELECT ref, id FROM customers_customer WHERE store_id = %s AND ref = ANY(%s::text[])"
    found = dict(bulk.fetch(query, (store_id, list(wanted))))
    missing = [record for ref, record in wanted.items() if ref not in found]
    if missing:
        ids = bulk.next_ids("customers_customer", len(missing))
        rows = []
        for customer_id, record in zip(ids, missing, strict=True):
            name = record.address.name if record.address else ""
            email = record.address.email if record.address else ""
            rows.append((customer_id, store_id, record.customer_ref, name, email, record.country, record.placed_at))
            found[record.customer_ref] = customer_id
        bulk.copy_rows(
            "customers_customer", ("id", "store_id", "ref", "name", "email", "country", "first_seen_at"), rows
        )
    return found


def find_variants(store_id: int, skus: Iterable[str]) -> dict[str, tuple[int | None, int | None]]:
    """SKU → (listing, variant). A listing of the store decides; without one our own variant of exactly that SKU does.

    A listing to which nobody has given a variant answers (listing, None): it is not guessed around.
    """
    rows = bulk.fetch(
        """SELECT s.sku, l.id, CASE WHEN l.id IS NULL THEN v.id ELSE l.variant_id END
           FROM unnest(%s::text[]) AS s(sku)
           LEFT JOIN catalog_listingvariant l ON l.store_id = %s AND l.sku = s.sku
           LEFT JOIN catalog_variant v ON v.sku = s.sku
           WHERE l.id IS NOT NULL OR v.id IS NOT NULL""",
        (list(skus), store_id),
    )
    return {sku: (listing, variant) for sku, listing, variant in rows}


def set_addresses(rows: Sequence[tuple[int, Any]], *, by: str, at: datetime) -> list[int]:
    """Add a new address version to each (order id, address); releases `buyer_data_missing` where it is now complete.

    The caller has locked the orders and made sure that nothing was placed with the old one. Returns the order ids.
    """
    if not rows:
        return []
    ids = [order_id for order_id, _ in rows]
    versions = dict(
        bulk.fetch(
            """UPDATE orders_order SET address_version = address_version + 1 WHERE id = ANY(%s::bigint[])
               RETURNING id, address_version""",
            (ids,),
        )
    )
    bulk.copy_rows(
        "orders_addressversion",
        _ADDRESS_COLUMNS,
        [_address_row(order_id, versions[order_id], address, at) for order_id, address in rows],
    )
    complete = [order_id for order_id, address in rows if address.is_complete()]
    release_holds(reasons=["buyer_data_missing", "address_invalid"], order_ids=complete, by=by, at=at)
    open_batch(by=by, at=at, reason=f"new address of {len(rows)} orders")
    return ids


def hold_lines(rows: Sequence[tuple[int, int | None, str, dict[str, Any]]], *, at: datetime) -> list[int]:
    """Open holds (order, line or None, reason, params); those already open stay as they are. Returns new hold ids."""
    if not rows:
        return []
    for _, _, reason, _ in rows:
        if reason not in HOLDS:
            raise ValueError(f"No hold reason {reason}.")
    opened = bulk.fetch(
        """INSERT INTO orders_hold (order_id, line_id, reason, params, opened_at)
           SELECT o, l, r, p::jsonb, %s
           FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[]) AS h(o, l, r, p)
           ON CONFLICT (order_id, line_id, reason) WHERE released_at IS NULL DO NOTHING
           RETURNING id, order_id""",
        (
            at, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows],
            [_json_text(r[3]) for r in rows],
        ),
    )  # fmt: skip
    count_holds([order_id for _, order_id in opened], by_each=1)
    return [hold_id for hold_id, _ in opened]


def release_holds(
    *, by: str, at: datetime, ids: Sequence[int] | None = None, order_ids: Sequence[int] | None = None,
    line_ids: Sequence[int] | None = None, reasons: Sequence[str] | None = None,
) -> list[int]:  # fmt: skip
    """Release open holds by id, or all of some orders or lines (of some reasons). Returns the orders concerned."""
    rows = bulk.fetch(
        """UPDATE orders_hold SET released_at = %(at)s, released_by = %(by)s
           WHERE released_at IS NULL
             AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s::bigint[]))
             AND (%(orders)s::bigint[] IS NULL OR order_id = ANY(%(orders)s::bigint[]))
             AND (%(lines)s::bigint[] IS NULL OR line_id = ANY(%(lines)s::bigint[]))
             AND (%(reasons)s::text[] IS NULL OR reason = ANY(%(reasons)s::text[]))
           RETURNING order_id""",
        {"at": at, "by": by, "ids": _listed(ids), "orders": _listed(order_ids), "lines": _listed(line_ids),
         "reasons": _listed(reasons)},
    )  # fmt: skip
    orders = [row[0] for row in rows]
    count_holds(orders, by_each=-1)
    return sorted(set(orders))


def mark_paid(paid: Sequence[tuple[int, datetime]], *, by: str, at: datetime) -> list[int]:
    """Buyers of held orders (id, when) have paid: the hold goes, the time for dispatch begins. Returns those it is new of.

    Whoever calls it records `orders_received` for them: now they are worked on and booked.
    """
    if not paid:
        return []
    ids = [
        row[0]
        for row in bulk.fetch(
            """UPDATE orders_order o SET paid_at = d.at, ship_by_at = d.at + make_interval(hours => s.dispatch_hours)
               FROM unnest(%s::bigint[], %s::timestamptz[]) AS d(id, at), stores_store s
               WHERE o.id = d.id AND s.id = o.store_id AND o.paid_at IS NULL
                 AND EXISTS (SELECT FROM orders_hold h WHERE h.order_id = o.id AND h.reason = 'not_paid') RETURNING o.id""",
            ([order for order, _ in paid], [moment for _, moment in paid]),
        )
    ]
    if ids:
        release_holds(order_ids=ids, reasons=["not_paid"], by=by, at=at)
    return sorted(ids)


def correct_payment(paid: Sequence[tuple[int, datetime]]) -> None:
    """When orders (id, when) that somebody had released as paid were paid in truth: their time for dispatch began then."""
    if paid:
        bulk.execute(
            """UPDATE orders_order o SET paid_at = d.at, ship_by_at = d.at + make_interval(hours => s.dispatch_hours)
               FROM unnest(%s::bigint[], %s::timestamptz[]) AS d(id, at), stores_store s
               WHERE o.id = d.id AND s.id = o.store_id AND NOT o.is_history AND o.paid_at <> d.at
                 AND EXISTS (SELECT FROM orders_hold h WHERE h.order_id = o.id AND h.reason = 'not_paid')""",
            ([order for order, _ in paid], [moment for _, moment in paid]),
        )


def rewrite_unpaid(changed: Sequence[tuple[int, Any]], *, store: Any) -> list[int]:
    """Lines and amounts of orders that nobody paid yet are what the channel says now: sellers change prices until then.

    `changed`: (order id, record as for `receive_orders`). Orders of which something was cancelled, given back or held by
    line are left as they are. Returns the others; the caller has locked them.
    """
    untouched = {
        row[0]
        for row in bulk.fetch(
            """SELECT o.id FROM orders_order o
               WHERE o.id = ANY(%s::bigint[]) AND o.paid_at IS NULL AND NOT o.is_history AND o.cancelled = 0
                 AND o.allocated = 0 AND o.refunded_amount = 0
                 AND EXISTS (SELECT FROM orders_hold h WHERE h.order_id = o.id AND h.reason = 'not_paid' AND h.released_at IS NULL)
                 AND NOT EXISTS (SELECT FROM orders_hold h WHERE h.order_id = o.id AND h.line_id IS NOT NULL)""",
            ([order for order, _ in changed],),
        )
    }
    records = [(order, record) for order, record in changed if order in untouched]
    if not records:
        return []
    variants = find_variants(store.pk, {line.sku for _, record in records for line in record.lines})
    ids = [order for order, _ in records]
    amounts = [rules.amounts(record.lines) for _, record in records]
    bulk.execute(
        """UPDATE orders_order o SET units = d.units, goods_amount = d.goods, shipping_amount = d.shipping, other_amount = d.other,
                  total_amount = d.goods + d.shipping + d.other
           FROM unnest(%s::bigint[], %s::int[], %s::numeric[], %s::numeric[], %s::numeric[]) AS d(id, units, goods, shipping, other)
           WHERE o.id = d.id""",
        (ids, *([each[n] for each in amounts] for n in range(4))),
    )
    bulk.execute("DELETE FROM orders_orderline WHERE order_id = ANY(%s::bigint[])", (ids,))
    bulk.copy_rows("orders_orderline", _LINE_COLUMNS, [row for order, record in records for row in _line_rows(order, record, variants)])
    return sorted(ids)


def keep_only(paid: Sequence[tuple[int, datetime]], *, by: str, at: datetime) -> list[int]:
    """Orders (id, when paid) that waited for their payment and were dispatched by other hands: history, nothing is bought.

    Returns those of which nothing had been begun; their holds go.
    """
    ids = [
        row[0]
        for row in bulk.fetch(
            """UPDATE orders_order o SET is_history = true, paid_at = d.at
               FROM unnest(%s::bigint[], %s::timestamptz[]) AS d(id, at)
               WHERE o.id = d.id AND o.paid_at IS NULL AND NOT o.is_history AND o.allocated = 0 AND o.refunded_amount = 0
                 AND EXISTS (SELECT FROM orders_hold h WHERE h.order_id = o.id AND h.reason = 'not_paid' AND h.released_at IS NULL)
               RETURNING o.id""",
            ([order for order, _ in paid], [moment for _, moment in paid]),
        )
    ] if paid else []  # fmt: skip
    if ids:
        release_holds(order_ids=ids, by=by, at=at)
    return sorted(ids)


def count_holds(order_ids: Sequence[int], *, by_each: int) -> None:
    """Keep `open_holds` in step; an order named n times moves by n."""
    if order_ids:
        bulk.execute(
            """UPDATE orders_order o SET open_holds = o.open_holds + d.n FROM (
                   SELECT id, count(*) * %s AS n FROM unnest(%s::bigint[]) AS x(id) GROUP BY id
               ) d WHERE o.id = d.id""",
            (by_each, list(order_ids)),
        )


_COUNTERS = ("cancelled", "allocated", "purchased", "accepted", "shipped", "delivered", "returned")


def count_lines(changes: dict[int, dict[str, int]]) -> None:
    """Add to the counters of lines and, in the same breath, of their orders: {line id: {"shipped": 2, …}}.

    One statement a table; the database's constraints refuse what cannot be (a line shipped beyond its allocation).
    """
    if not changes:
        return
    used = [name for name in _COUNTERS if any(change.get(name) for change in changes.values())]
    if not used:
        return
    sets = ", ".join(f"{name} = l.{name} + d.{name}" for name in used)
    order_sets = ", ".join(f"{name} = o.{name} + s.{name}" for name in used)
    arrays = ", ".join("%s::int[]" for _ in used)
    bulk.execute(
        f"""WITH d AS (SELECT * FROM unnest(%s::bigint[], {arrays}) AS d(id, {", ".join(used)})),
            lines AS (UPDATE orders_orderline l SET {sets} FROM d WHERE l.id = d.id RETURNING l.order_id, d.*),
            s AS (SELECT order_id, {", ".join(f"sum({n})::int AS {n}" for n in used)} FROM lines GROUP BY order_id)
            UPDATE orders_order o SET {order_sets} FROM s WHERE o.id = s.order_id""",
        [list(changes), *[[change.get(name, 0) for change in changes.values()] for name in used]],
    )


def count_refunds(lines: Sequence[tuple[int, int, Decimal]], orders: Sequence[tuple[int, Decimal]]) -> None:
    """Add refunded units and money to lines (line id, units, amount) and money to orders (order id, amount)."""
    if lines:
        bulk.execute(
            """UPDATE orders_orderline l SET refunded = l.refunded + d.units, refunded_amount = l.refunded_amount + d.money
               FROM (SELECT id, sum(units) AS units, sum(money) AS money
                     FROM unnest(%s::bigint[], %s::int[], %s::numeric[]) AS x(id, units, money) GROUP BY id) d
               WHERE l.id = d.id""",
            ([r[0] for r in lines], [r[1] for r in lines], [r[2] for r in lines]),
        )
    if orders:
        bulk.execute(
            """UPDATE orders_order o SET refunded_amount = o.refunded_amount + d.money
               FROM (SELECT id, sum(money) AS money FROM unnest(%s::bigint[], %s::numeric[]) AS x(id, money) GROUP BY id) d
               WHERE o.id = d.id""",
            ([r[0] for r in orders], [r[1] for r in orders]),
        )


def remember_content(rows: Sequence[tuple[int, bytes]]) -> None:
    """Store the content hash of changed orders, so that the same change is not met again."""
    if rows:
        bulk.execute(
            """UPDATE orders_order o SET content_hash = d.h
               FROM unnest(%s::bigint[], %s::bytea[]) AS d(id, h) WHERE o.id = d.id""",
            ([r[0] for r in rows], [r[1] for r in rows]),
        )


def _listed(values: Sequence[Any] | None) -> list[Any] | None:
    return None if values is None else list(values)


def _json_text(value: Any) -> str:
    from json import dumps

    return dumps(value, ensure_ascii=False)
