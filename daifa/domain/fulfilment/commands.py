"""Writing routing decisions, and giving units back. The caller holds the transaction and the orders' locks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from daifa.domain.fulfilment.process import FULFILMENT_ORDER
from daifa.domain.fulfilment.rules import RULE_VERSION, Decision, Pick
from daifa.domain.history.commands import record_births
from daifa.domain.orders.commands import count_lines
from daifa.lib import bulk


class RoutedOrder(NamedTuple):
    order: int
    store: int
    address: int  # AddressVersion id
    decision: Decision
    predecessors: dict[int, int]  # order line → the fulfilment line whose units come back


def write_fulfilment(routed: Sequence[RoutedOrder], *, by: str, at: datetime) -> list[int]:
    """Fulfilment orders (one a supplier and order) with their lines, and the decisions. Returns the new orders' ids.

    Reserves the units: `allocated` of the order lines goes up, the estimated stock of the offers goes down.
    """
    groups: list[tuple[RoutedOrder, int, list[Pick]]] = []
    decisions: list[tuple[Any, ...]] = []
    allocated: dict[int, dict[str, int]] = {}
    stock: dict[int, int] = {}
    for one in routed:
        by_supplier: dict[int, list[Pick]] = {}
        for pick in one.decision.picks:
            by_supplier.setdefault(pick.candidate.supplier, []).append(pick)
            counter = allocated.setdefault(pick.line, {"allocated": 0})
            counter["allocated"] += pick.quantity
            if pick.candidate.available is not None:
                stock[pick.candidate.offer] = stock.get(pick.candidate.offer, 0) + pick.quantity // pick.candidate.factor
        groups += [(one, supplier, picks) for supplier, picks in by_supplier.items()]
        decisions.append((one.order, RULE_VERSION, bulk.json(decision_record(one.decision)), at))
    ids = bulk.write_rows(
        "fulfilment_fulfilmentorder",
        ("store_id", "order_id", "supplier_id", "address_id", "state", "at"),
        [(one.store, one.order, supplier, one.address, "released", at) for one, supplier, _ in groups],
    )
    bulk.copy_rows(
        "fulfilment_fulfilmentline",
        (
            "fulfilment_order_id", "order_line_id", "offer_id", "mapping_id", "mapping_version", "supplier_sku",
            "factor", "quantity", "unit_cost", "unit_freight", "predecessor_id",
        ),
        [
            (
                fo, pick.line, c.offer, c.mapping, c.version, c.supplier_sku, c.factor, pick.quantity, c.price, c.freight,
                one.predecessors.get(pick.line),
            )
            for fo, (one, _, picks) in zip(ids, groups, strict=True)
            for pick in picks
            for c in (pick.candidate,)
        ],
    )  # fmt: skip
    bulk.copy_rows("fulfilment_routingdecision", ("order_id", "rule_version", "decision", "at"), decisions)
    count_lines(allocated)
    take_stock(stock)
    if ids:
        record_births(FULFILMENT_ORDER, ids, "released", by=by, at=at)
    return ids


def take_stock(units: dict[int, int]) -> None:
    """Lower the estimated stock of offers (negative gives back). The next reading of the supplier replaces it."""
    if units:
        bulk.execute(
            """UPDATE sourcing_supplieroffer s SET stock = greatest(0, s.stock - d.n)
               FROM unnest(%s::bigint[], %s::int[]) AS d(id, n) WHERE s.id = d.id AND s.stock IS NOT NULL""",
            (list(units), list(units.values())),
        )


def give_back(units: dict[int, int], *, column: str) -> None:
    """Take sales units out of fulfilment lines {fulfilment line: units} as `superseded` or `cancelled`.

    The order lines' `allocated` follows; estimated stock is not given back: the supplier just said he has not got it,
    or the buyer no longer wants it and the next reading will tell.
    """
    if column not in ("superseded", "cancelled"):
        raise ValueError(column)
    if not units:
        return
    rows = bulk.fetch(
        f"""UPDATE fulfilment_fulfilmentline f SET {column} = f.{column} + d.n
            FROM unnest(%s::bigint[], %s::int[]) AS d(id, n) WHERE f.id = d.id
            RETURNING f.order_line_id, d.n, f.kind""",
        (list(units), list(units.values())),
    )
    back: dict[int, dict[str, int]] = {}
    for line, n, kind in rows:
        if kind == "sale":
            counter = back.setdefault(line, {"allocated": 0})
            counter["allocated"] -= n
    count_lines(back)


def decision_record(decision: Decision) -> list[dict[str, Any]]:
    """The decision as it is stored: per line what won, what was held, every loser with its reason, and whether it is late."""
    record: dict[int, dict[str, Any]] = {}
    for pick in decision.picks:
        record.setdefault(pick.line, {"line": pick.line, "won": []})["won"].append([pick.candidate.offer, pick.quantity])
    for line, reason, units in decision.holds:
        entry = record.setdefault(line, {"line": line, "won": []})
        entry["held"] = [reason, units]
    for line, losers in decision.losers.items():
        if line in record:
            record[line]["lost"] = [list(loser) for loser in losers]
    for line in decision.late:
        record[line]["late"] = True
    return list(record.values())
