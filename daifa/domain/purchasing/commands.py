"""Everything that may be done to purchases. The caller holds the transaction and the orders' locks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

from daifa.domain.fulfilment.commands import give_back
from daifa.domain.fulfilment.process import FULFILMENT_ORDER
from daifa.domain.history.commands import move, record_births
from daifa.domain.orders.commands import count_lines, release_holds
from daifa.domain.purchasing import rules
from daifa.domain.purchasing.process import ATTEMPT, PURCHASE_ORDER, PURCHASE_RUN
from daifa.lib import bulk
from daifa.lib.sentences import joined, kept


class Rate(NamedTuple):
    """A frozen exchange rate: units of the store's currency for one of the supplier's, its day and its source."""

    rate: Decimal
    date: date | None
    source: str


def draft_purchases(
    *, fulfilment_orders: Sequence[int], code: str, rate_of: Callable[[str, str], Rate | None], by: str, at: datetime
) -> list[int]:
    """One purchase order per fulfilment order that has none, frozen as routed, `ready` to be placed. Returns their ids.

    `code` begins the references; `rate_of(supplier currency, store currency)` gives the rate to freeze.
    """
    rows = bulk.fetch(
        """SELECT f.id, f.store_id, f.order_id, f.supplier_id, f.address_id, s.currency, t.currency, s.parcel_freight,
                  l.id, l.order_line_id, l.offer_id, l.mapping_id, l.mapping_version, l.supplier_sku, l.factor,
                  (l.quantity - l.superseded - l.cancelled) / l.factor, l.unit_cost, l.unit_freight
           FROM fulfilment_fulfilmentorder f
           JOIN fulfilment_fulfilmentline l ON l.fulfilment_order_id = f.id
           JOIN sourcing_supplier s ON s.id = f.supplier_id JOIN stores_store t ON t.id = f.store_id
           WHERE f.id = ANY(%s::bigint[]) AND f.state = 'released' AND l.quantity > l.superseded + l.cancelled
           ORDER BY f.id, l.id""",  # drafting makes it `assigned` in the same transaction, and one is all there may be
        (list(fulfilment_orders),),
    )
    grouped: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        grouped.setdefault(row[0], []).append(row)
    ids = bulk.next_ids("purchasing_purchaseorder", len(grouped))
    orders, lines = [], []
    for purchase, (fulfilment, group) in zip(ids, grouped.items(), strict=True):
        _, store, order, supplier, address, currency, store_currency, parcel_freight = group[0][:8]
        rate = rate_of(currency, store_currency)
        if rate is None:
            raise ValueError(f"There is no exchange rate from {currency} to {store_currency}.")
        goods = sum((row[15] * row[16] for row in group), Decimal(0))
        freight = parcel_freight + sum((row[15] * row[17] for row in group), Decimal(0))
        orders.append((
            purchase, store, order, supplier, fulfilment, address, rules.reference(code, purchase), "ready", currency,
            rate.rate, rate.date, rate.source, goods, freight, sum(row[15] for row in group), at,
        ))  # fmt: skip
        lines += [(purchase, number, *row[8:]) for number, row in enumerate(group, 1)]
    bulk.copy_rows(
        "purchasing_purchaseorder",
        (
            "id", "store_id", "order_id", "supplier_id", "fulfilment_order_id", "address_id", "reference", "state",
            "currency", "fx_rate", "fx_date", "fx_source", "goods_amount", "freight_amount", "units", "at",
        ),
        orders,
    )  # fmt: skip
    bulk.copy_rows(
        "purchasing_purchaseline",
        (
            "purchase_order_id", "line_no", "fulfilment_line_id", "order_line_id", "offer_id", "mapping_id",
            "mapping_version", "supplier_sku", "factor", "quantity", "unit_cost", "unit_freight",
        ),
        lines,
    )  # fmt: skip
    if ids:
        batch = record_births(PURCHASE_ORDER, ids, "ready", by=by, at=at)
        move(FULFILMENT_ORDER, list(grouped), to="assigned", by=by, at=at, batch=batch)
    return ids


def place(*, purchases: Sequence[int], by: str, at: datetime, batch: int | None = None) -> list[int]:
    """The supplier has them: `placed`, with the day he should ship by; the order lines' `purchased` goes up.

    Returns those that were placed now.
    """
    rows = bulk.fetch(
        f"""SELECT p.id, coalesce(o.lead_days, s.handling_days), l.order_line_id, {_LIVE_UNITS}
            FROM purchasing_purchaseorder p JOIN sourcing_supplier s ON s.id = p.supplier_id
            JOIN purchasing_purchaseline l ON l.purchase_order_id = p.id
            LEFT JOIN sourcing_supplieroffer o ON o.id = l.offer_id WHERE p.id = ANY(%s::bigint[])""",
        (list(purchases),),
    )
    days: dict[int, int] = {}
    for purchase, handling, _line, _units in rows:
        days[purchase] = max(handling, days.get(purchase, 0))  # all of it has to be there
    placed: list[int] = []
    for some in sorted(set(days.values())):
        moved = move(
            PURCHASE_ORDER, [purchase for purchase in purchases if days.get(purchase) == some], to="placed", by=by, at=at,
            batch=batch, set_at="placed_at", sets={"ship_due_at": rules.ship_due(at, some)},
        )  # fmt: skip
        placed += moved.moved
        batch = moved.batch
    now = set(placed)
    _count_purchased([(line, units) for purchase, _, line, units in rows if purchase in now], 1)
    return placed


_LIVE_UNITS = "(l.quantity - l.rejected - l.cancelled) * l.factor"


def count_purchased(purchases: Sequence[int], sign: int) -> None:
    """Add the live units of these purchases to (or take them from) the order lines' `purchased`."""
    rows = bulk.fetch(
        f"""SELECT l.order_line_id, {_LIVE_UNITS} FROM purchasing_purchaseline l
            WHERE l.purchase_order_id = ANY(%s::bigint[])""",
        (list(purchases),),
    )
    _count_purchased(rows, sign)


def _count_purchased(rows: Iterable[tuple[int, int]], sign: int) -> None:
    units: dict[int, int] = {}
    for line, live in rows:
        units[line] = units.get(line, 0) + live
    count_lines({line: {"purchased": sign * live} for line, live in units.items() if live})


def prepare_attempts(rows: Sequence[tuple[int, str, str]], *, at: datetime) -> dict[int, int]:
    """Store attempts for purchases (id, reference, request text) before anything is sent; purchase → attempt id."""
    tries = dict(
        bulk.fetch(
            """SELECT purchase_order_id, count(*) FROM purchasing_placementattempt
               WHERE purchase_order_id = ANY(%s::bigint[]) GROUP BY 1""",
            ([row[0] for row in rows],),
        )
    )
    ids = bulk.next_ids("purchasing_placementattempt", len(rows))
    bulk.copy_rows(
        "purchasing_placementattempt",
        ("id", "purchase_order_id", "key", "request_hash", "state", "at"),
        [
            (attempt, purchase, f"{ref}/{tries.get(purchase, 0) + 1}", digest(request), "prepared", at)
            for attempt, (purchase, ref, request) in zip(ids, rows, strict=True)
        ],
    )
    return {row[0]: attempt for attempt, row in zip(ids, rows, strict=True)}


def prepare_run_attempt(run: int, *, send_number: int, sha256: str, at: datetime) -> int:
    """Store the attempt to send a run before it is sent. A sending the mail server refused is tried under its number again."""
    return bulk.fetch(
        """INSERT INTO purchasing_placementattempt (run_id, key, request_hash, state, at)
           SELECT %(run)s, %(key)s || CASE WHEN count(*) = 0 THEN '' ELSE '/' || (count(*) + 1) END, %(hash)s, 'prepared', %(at)s
           FROM purchasing_placementattempt WHERE run_id = %(run)s AND (key = %(key)s OR key LIKE %(key)s || '/%%')
           RETURNING id""",
        {"run": run, "key": f"run-{run}/{send_number}", "hash": digest(sha256), "at": at},
    )[0][0]


def digest(text: str) -> bytes:
    """16 bytes that say whether two requests were the same."""
    return blake2b(text.encode(), digest_size=16).digest()


def settle_attempts(results: dict[int, tuple[str, str]], *, at: datetime) -> None:
    """Write what became of attempts: {attempt: (state, sentence)}."""
    for state in {state for state, _ in results.values()}:
        ids = [attempt for attempt, result in results.items() if result[0] == state]
        if state not in ATTEMPT.table:
            raise ValueError(state)
        bulk.execute(
            """UPDATE purchasing_placementattempt a
               SET state = %s, result = d.sentence, resolved_at = CASE WHEN %s = 'unknown' THEN NULL ELSE %s END
               FROM unnest(%s::bigint[], %s::text[]) AS d(id, sentence) WHERE a.id = d.id AND a.state = ANY(%s::text[])""",
            (state, state, at, ids, [kept(results[i][1], 300) for i in ids], ATTEMPT.before(state)),
        )


def settle_run_attempts(run: int, state: str, sentence: str, *, at: datetime) -> None:
    """Write what became of the attempts to send a run that are still open."""
    if state not in ATTEMPT.table:
        raise ValueError(state)
    bulk.execute(
        """UPDATE purchasing_placementattempt
           SET state = %s, result = %s, resolved_at = CASE WHEN %s = 'unknown' THEN NULL ELSE %s END
           WHERE run_id = %s AND state IN ('prepared', 'unknown') AND state = ANY(%s::text[])""",
        (state, kept(sentence, 300), state, at, run, ATTEMPT.before(state)),
    )


def write_run(
    *, store: int | None, supplier: int, name_of: Callable[[int], str], content: bytes, sha256: str,
    purchases: Sequence[int], rows: int, by: str, at: datetime,
) -> int:  # fmt: skip
    """Fix a run: its bytes are stored, its purchases are `submitting` and belong to it from now on."""
    number = bulk.fetch(
        "SELECT coalesce(max(number), 0) + 1 FROM purchasing_purchaserun WHERE supplier_id = %s", (supplier,)
    )[0][0]
    run = bulk.fetch(
        """INSERT INTO purchasing_purchaserun (store_id, supplier_id, number, state, name, content, sha256, orders, rows, at)
           VALUES (%s, %s, %s, 'fixed', %s, %s, %s, %s, %s, %s) RETURNING id""",
        (store, supplier, number, name_of(number), content, sha256, len(purchases), rows, at),
    )[0][0]
    batch = record_births(PURCHASE_RUN, [run], "fixed", by=by, at=at, reason=f"run {number}")
    moved = move(PURCHASE_ORDER, purchases, to="submitting", by=by, at=at, batch=batch, sets={"run_id": run})
    if len(moved.moved) != len(purchases):
        raise ValueError("A purchase was taken by another hand while its run was written.")
    return run


def refuse(*, purchases: Sequence[int], reasons: dict[int, str], by: str, at: datetime) -> list[int]:
    """The supplier's system refused whole purchases: every unit is rejected and goes back to be routed.

    Returns the orders that need routing. Also used for purchases `failed` for good.
    """
    moved = move(PURCHASE_ORDER, purchases, to="refused", by=by, at=at, reason=joined("; ", set(reasons.values()), chinese="；")[:300])
    if not moved.moved:
        return []
    rows = bulk.fetch(
        """UPDATE purchasing_purchaseline SET rejected = quantity - cancelled
           WHERE purchase_order_id = ANY(%s::bigint[]) AND accepted = 0
           RETURNING fulfilment_line_id, (quantity - cancelled) * factor""",
        (moved.moved,),
    )
    bulk.execute(
        "UPDATE purchasing_purchaseorder SET rejected = units - cancelled WHERE id = ANY(%s::bigint[])", (moved.moved,)
    )
    give_back({line: units for line, units in rows if units}, column="superseded")
    supersede_fulfilment(moved.moved, by=by, at=at)
    return [
        row[0]
        for row in bulk.fetch(
            "SELECT DISTINCT order_id FROM purchasing_purchaseorder WHERE id = ANY(%s::bigint[])", (moved.moved,)
        )
    ]


def supersede_fulfilment(purchases: Sequence[int], *, by: str, at: datetime) -> None:
    """Fulfilment orders of refused purchases are `superseded`."""
    rows = bulk.fetch(
        "SELECT fulfilment_order_id FROM purchasing_purchaseorder WHERE id = ANY(%s::bigint[])", (list(purchases),)
    )
    move(FULFILMENT_ORDER, [row[0] for row in rows], to="superseded", by=by, at=at)


def cancel_units(wants: dict[int, int], *, by: str, at: datetime) -> dict[int, int]:
    """Cancel up to so many sales units of order lines {line: units} that nobody has been asked to ship yet.

    Open units go first, then units routed but not purchased, then purchases still `ready` outside a run (whole packs
    only). Returns {line: units cancelled}; the order lines' counters follow. What was placed stays: it needs the supplier.
    """
    done: dict[int, int] = {}
    if not wants:
        return done
    open_units = dict(
        bulk.fetch(
            """SELECT id, quantity - cancelled - allocated FROM orders_orderline
               WHERE id = ANY(%s::bigint[]) AND kind = 'goods'""",
            (list(wants),),
        )
    )  # money lines (postage, fees) have no units to cancel: the order counts goods and samples only
    for line, units in wants.items():
        if take := min(units, open_units.get(line, 0)):
            done[line] = take
    left = {line: units - done.get(line, 0) for line, units in wants.items() if units > done.get(line, 0)}
    back: dict[int, int] = {}
    purchase_lines: dict[int, int] = {}
    if left:
        for line, fulfilment_line, live, factor, purchase_line in bulk.fetch(
            """SELECT f.order_line_id, f.id, f.quantity - f.superseded - f.cancelled, f.factor, pl.id
               FROM fulfilment_fulfilmentline f JOIN fulfilment_fulfilmentorder o ON o.id = f.fulfilment_order_id
               LEFT JOIN purchasing_purchaseline pl ON pl.fulfilment_line_id = f.id
               LEFT JOIN purchasing_purchaseorder p ON p.id = pl.purchase_order_id
               WHERE f.order_line_id = ANY(%s::bigint[]) AND f.kind = 'sale'
                 AND (o.state = 'released' OR (p.state = 'ready' AND p.run_id IS NULL))
               ORDER BY f.id DESC""",
            (list(left),),
        ):
            take = min(left.get(line, 0), live) // factor * factor
            if take > 0:
                back[fulfilment_line] = take
                done[line] = done.get(line, 0) + take
                left[line] -= take
                if purchase_line is not None:
                    purchase_lines[purchase_line] = take // factor
    give_back(back, column="cancelled")
    count_lines({line: {"cancelled": units} for line, units in done.items()})
    if purchase_lines:
        _cancel_purchase_lines(purchase_lines, by=by, at=at)
    if back:
        _end_empty_fulfilment(list(back), by=by, at=at)
    _end_holds(list(done), by=by, at=at)
    return done


def _end_holds(lines: Sequence[int], *, by: str, at: datetime) -> None:
    """Lines of which nothing is left to buy hold nothing up any more, nor do orders that are wholly cancelled."""
    held = bulk.fetch(
        """SELECT h.id FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id
           JOIN orders_hold h ON h.order_id = o.id AND h.released_at IS NULL AND h.reason <> 'by_hand'
           WHERE l.id = ANY(%s::bigint[]) AND CASE WHEN h.line_id IS NULL THEN o.cancelled >= o.units
                                                   ELSE h.line_id = l.id AND l.quantity <= l.cancelled + l.allocated END""",
        (list(lines),),
    )
    if held:
        release_holds(ids=sorted({row[0] for row in held}), by=by, at=at)


def _cancel_purchase_lines(units: dict[int, int], *, by: str, at: datetime) -> None:
    rows = bulk.fetch(
        """WITH l AS (
               UPDATE purchasing_purchaseline l SET cancelled = l.cancelled + d.n
               FROM unnest(%s::bigint[], %s::int[]) AS d(id, n) WHERE l.id = d.id
               RETURNING l.purchase_order_id, d.n, d.n * l.unit_cost AS goods, d.n * l.unit_freight AS freight
           ), s AS (SELECT purchase_order_id AS id, sum(n)::int AS n, sum(goods) AS goods, sum(freight) AS freight
                    FROM l GROUP BY 1)
           UPDATE purchasing_purchaseorder p SET cancelled = p.cancelled + s.n, goods_amount = p.goods_amount - s.goods,
                  freight_amount = p.freight_amount - s.freight
           FROM s WHERE p.id = s.id RETURNING p.id, p.units - p.cancelled""",
        (list(units), list(units.values())),
    )
    empty = [purchase for purchase, left in rows if left == 0]
    if empty:
        move(PURCHASE_ORDER, empty, to="cancelled", by=by, at=at)


def _end_empty_fulfilment(fulfilment_lines: Sequence[int], *, by: str, at: datetime) -> None:
    rows = bulk.fetch(
        """SELECT o.id FROM fulfilment_fulfilmentorder o
           WHERE o.id IN (SELECT fulfilment_order_id FROM fulfilment_fulfilmentline WHERE id = ANY(%s::bigint[]))
             AND NOT EXISTS (SELECT 1 FROM fulfilment_fulfilmentline l WHERE l.fulfilment_order_id = o.id
                             AND l.quantity > l.superseded + l.cancelled)""",
        (list(fulfilment_lines),),
    )
    move(FULFILMENT_ORDER, [row[0] for row in rows], to="cancelled", by=by, at=at)
