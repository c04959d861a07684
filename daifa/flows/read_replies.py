"""Reply: a supplier's answer, row by row: accepted, short, refused, shipped under these numbers.

Rows are matched by our reference, never by guess. What does not fit comes back as a problem with its row; the rest is
applied. Refused and short units are routed again, waybills become parcels, acceptance becomes a payable.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_noop as N_

from daifa.connectors.contract import ReplyRow, RowProblem
from daifa.connectors.errors import ConnectorError
from daifa.connectors.registry import ASKABLE_KINDS, supplier_connector
from daifa.domain.fulfilment.commands import give_back
from daifa.domain.fulfilment.process import FULFILMENT_ORDER
from daifa.domain.history.commands import move, record_facts
from daifa.domain.orders.commands import count_lines
from daifa.domain.purchasing import commands as purchasing
from daifa.domain.purchasing.answers import LineState, RowFinding, apply_answer, apply_shipment
from daifa.domain.purchasing.process import PURCHASE_ORDER
from daifa.domain.purchasing.rules import find_reference
from daifa.domain.shipping import commands as shipping
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.flows.carriers import guess_carrier
from daifa.lib import bulk
from daifa.lib.sentences import gettext

SHIPPING_ENDED = timedelta(days=3)  # a shipping date further ahead than this is taken for a slip of the hand


@dataclass(slots=True)
class Applied:
    """What a batch of rows did. `used` counts rows that changed something or repeated what was known."""

    used: int = 0
    repeated: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    parcels: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Purchase:
    id: int
    reference: str
    supplier: int
    store: int
    order: int
    state: str
    currency: str
    parcel_freight: Decimal
    transit_days: int
    accepted_before: int
    lines: list[LineState] = field(default_factory=list)
    costs: dict[int, tuple[Decimal, Decimal]] = field(default_factory=dict)
    parcels: list[tuple[str, str, datetime | None, LineState, int]] = field(default_factory=list)
    theirs: str = ""
    touched: bool = False


def apply_replies(rows: Sequence[ReplyRow], *, supplier: int | None, source: str, by: str, at: datetime) -> Applied:
    """Apply rows of one supplier's answer; atomic with the caller's transaction.

    `supplier` None = trusted source that may speak for several (our own stand-ins); otherwise every row's purchase
    must be his, and foreign rows are problems.
    """
    result = Applied()
    wanted: dict[str, list[ReplyRow]] = {}
    for row in rows:
        reference = find_reference(row.reference)
        if reference:
            wanted.setdefault(reference, []).append(row)
        else:
            result.problems.append(_problem(row, RowFinding(
                "reference_unreadable",
                N_("The reference “%(reference)s” is none of ours: keep the first column of our workbook as it is."),
                {"reference": row.reference[:40]},
            )))  # fmt: skip
    purchases = _load(list(wanted))
    for reference, of_reference in wanted.items():
        purchase = purchases.get(reference)
        refusal = _refusal(purchase, reference, supplier)
        if refusal is not None or purchase is None:
            for row in of_reference:
                if purchase is not None and refusal and refusal.code == "purchase_not_placed" and _says_no_again(purchase, row):
                    result.used += 1
                    result.repeated += 1
                elif refusal:
                    result.problems.append(_problem(row, refusal))
            continue
        for row in of_reference:
            _apply_row(purchase, row, result, at=at)
    touched = [purchase for purchase in purchases.values() if purchase.touched]
    if touched:
        _write(touched, result, source=source, by=by, at=at)
    return result


def _refusal(purchase: _Purchase | None, reference: str, supplier: int | None) -> RowFinding | None:
    if purchase is None:
        return RowFinding(
            "reference_unknown", N_("There is no purchase order %(reference)s here."), {"reference": reference}
        )
    if supplier is not None and purchase.supplier != supplier:
        return RowFinding(
            "reference_of_another_supplier",
            N_("Purchase order %(reference)s was placed with another supplier; nothing was changed."),
            {"reference": reference},
        )
    if purchase.state in ("draft", "ready", "cancelled", "refused", "failed"):
        return RowFinding(
            "purchase_not_placed",
            N_("Purchase order %(reference)s is not placed (%(state)s), so it cannot be answered."),
            {"reference": reference, "state": purchase.state},
        )
    return None


def _says_no_again(purchase: _Purchase, row: ReplyRow) -> bool:
    """The same refusal once more, from a file read twice."""
    return purchase.state == "refused" and row.refused and not row.numbers


def _apply_row(purchase: _Purchase, row: ReplyRow, result: Applied, *, at: datetime) -> None:
    line = _line_of(purchase, row)
    if isinstance(line, RowFinding):
        result.problems.append(_problem(row, line))
        return
    before = (line.accepted, line.rejected, line.shipped)
    finding = apply_answer(line, accepted=row.accepted, refused=row.refused, reason=row.reason)
    parts: list[tuple[str, int]] = []
    if row.numbers:
        replaced = _replacement(purchase, line, row)
        if replaced is None:
            parts, over = apply_shipment(line, numbers=row.numbers, shipped=row.shipped)
            finding = finding or over
    for number, units in parts:
        when = row.shipped_at if row.shipped_at and row.shipped_at <= at + SHIPPING_ENDED else at
        purchase.parcels.append((number, row.carrier, min(when, at), line, units))
    if row.unit_cost is not None and row.unit_cost > purchase.costs[line.id][0]:
        finding = finding or RowFinding(
            "price_raised",
            N_("The supplier now asks %(said)s for %(sku)s; it was bought at %(cost)s and stays booked at that price."),
            {"said": str(row.unit_cost), "sku": line.supplier_sku, "cost": str(purchase.costs[line.id][0])},
        )
    if row.their_reference and not purchase.theirs:
        purchase.theirs = row.their_reference
    changed = (line.accepted, line.rejected, line.shipped) != before or bool(parts)
    if changed or row.their_reference:
        purchase.touched = True
    if finding is not None:
        result.problems.append(_problem(row, finding))
        if changed:
            result.problems[-1] = _problem(row, finding, rows=0)
            result.used += 1
    else:
        result.used += 1
        result.repeated += 0 if changed else 1


def _line_of(purchase: _Purchase, row: ReplyRow) -> LineState | RowFinding:
    """The purchase line a row speaks of: by SKU, by our line number, or the only one there is."""
    by_sku = [line for line in purchase.lines if line.supplier_sku == row.supplier_sku] if row.supplier_sku else []
    numbered = purchase.lines[int(row.line) - 1 : int(row.line)] if row.line.isdigit() and int(row.line) > 0 else []
    if numbered and (not row.supplier_sku or numbered[0].supplier_sku == row.supplier_sku):
        return numbered[0]
    if len(by_sku) == 1:
        return by_sku[0]
    if not row.supplier_sku and not row.line and len(purchase.lines) == 1:
        return purchase.lines[0]
    return RowFinding(
        "line_unknown",
        N_("Purchase order %(reference)s has no line with SKU “%(sku)s”."),
        {"reference": purchase.reference, "sku": row.supplier_sku or row.line},
    )


def _replacement(purchase: _Purchase, line: LineState, row: ReplyRow) -> tuple[str, str] | None:
    """(old, new) when the row names one new number for a line whose single parcel has all of its units."""
    fresh = [number for number in row.numbers if number not in line.parcels]
    if len(row.numbers) == 1 and fresh and len(line.parcels) == 1 and line.shipped and line.unanswered == 0:
        old = next(iter(line.parcels))
        if line.parcels[old] == line.shipped == line.accepted and row.shipped in (None, line.shipped):
            line.parcels[fresh[0]] = line.parcels.pop(old)
            purchase.parcels.append((fresh[0], row.carrier, None, line, 0))  # no units: a replacement
            purchase.touched = True
            return old, fresh[0]
    return None


def _load(references: list[str]) -> dict[str, _Purchase]:
    """Purchases with their lines and the numbers each line already travels under; their orders get locked."""
    bulk.fetch(
        """SELECT id FROM orders_order WHERE id IN (
               SELECT order_id FROM purchasing_purchaseorder WHERE reference = ANY(%s::text[]))
           ORDER BY id FOR NO KEY UPDATE""",
        (references,),
    )
    rows = bulk.fetch(
        """SELECT p.id, p.reference, p.supplier_id, p.store_id, p.order_id, p.state, p.currency,
                  p.freight_amount, p.accepted, t.transit_days,
                  l.id, l.order_line_id, l.fulfilment_line_id, l.supplier_sku, l.factor, l.quantity, l.accepted,
                  l.rejected, l.cancelled, l.backordered, l.shipped, l.unit_cost, l.unit_freight
           FROM purchasing_purchaseorder p JOIN purchasing_purchaseline l ON l.purchase_order_id = p.id
           JOIN stores_store t ON t.id = p.store_id
           WHERE p.reference = ANY(%s::text[]) ORDER BY p.id, l.line_no""",
        (references,),
    )
    purchases: dict[str, _Purchase] = {}
    lines: dict[int, LineState] = {}
    for row in rows:
        purchase = purchases.get(row[1])
        if purchase is None:
            purchase = purchases[row[1]] = _Purchase(
                row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[9], row[8]
            )
        line = LineState(row[10], row[0], row[11], row[12], row[13], *row[14:21])
        lines[line.id] = line
        purchase.lines.append(line)
        purchase.costs[line.id] = (row[21], row[22])
        purchase.parcel_freight -= (line.quantity - line.cancelled) * row[22]
    shipped = [line.id for line in lines.values() if line.shipped]
    if shipped:
        for purchase_line, number, units in bulk.fetch(
            """SELECT l.purchase_line_id, n.number, CASE WHEN n.is_active THEN l.quantity ELSE 0 END
               FROM shipping_parcelline l JOIN shipping_waybillnumber n ON n.parcel_id = l.parcel_id
               WHERE l.purchase_line_id = ANY(%s::bigint[])""",
            (shipped,),
        ):
            lines[purchase_line].parcels[number] = units
    return purchases


def _write(touched: list[_Purchase], result: Applied, *, source: str, by: str, at: datetime) -> None:
    lines = [
        (purchase, line)
        for purchase in touched
        for line in purchase.lines
        if line.new_accepted or line.new_rejected or line.new_shipped
    ]
    unplaced = [purchase.id for purchase in touched if purchase.state in ("submitting", "unknown")]
    if unplaced:  # an answer is the best proof that he has it
        purchasing.place(purchases=unplaced, by=by, at=at)
        attempts = bulk.fetch(
            """SELECT id FROM purchasing_placementattempt
               WHERE purchase_order_id = ANY(%s::bigint[]) AND state IN ('prepared', 'unknown')""",
            (unplaced,),
        )
        purchasing.settle_attempts({row[0]: ("accepted", gettext("The supplier answered it.")) for row in attempts}, at=at)
        close_tasks(kind="purchase_unknown", thing_kind="purchase_order", things=unplaced, by=by, at=at)
    if lines:
        _count_purchases(lines)
    # The order side: what was accepted, and what goes back to be routed.
    counts: dict[int, dict[str, int]] = {}
    back: dict[int, int] = {}
    for _, line in lines:
        counter = counts.setdefault(line.order_line, {"accepted": 0, "purchased": 0})
        counter["accepted"] += line.new_accepted * line.factor
        counter["purchased"] -= line.new_rejected * line.factor
        if line.new_rejected:
            back[line.fulfilment_line] = line.new_rejected * line.factor
    count_lines(counts)
    give_back(back, column="superseded")
    _write_answers(touched, result, source=source, at=at)
    _write_parcels(touched, result, source=source, by=by, at=at)
    _end(touched, by=by, at=at)
    theirs = {p.id: p.theirs for p in touched if p.theirs}
    if theirs:
        bulk.execute(
            """UPDATE purchasing_purchaseorder p SET their_reference = d.ref
               FROM unnest(%s::bigint[], %s::text[]) AS d(id, ref) WHERE p.id = d.id AND p.their_reference <> d.ref""",
            (list(theirs), [ref[:60] for ref in theirs.values()]),
        )
    again = sorted({p.order for p, line in lines if line.new_rejected})
    record_facts("orders_to_route", again, at=at)


def _count_purchases(lines: list[tuple[_Purchase, LineState]]) -> None:
    bulk.execute(
        """WITH d AS (SELECT * FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::int[]) AS d(id, a, r, s)),
           l AS (UPDATE purchasing_purchaseline l SET accepted = l.accepted + d.a, rejected = l.rejected + d.r,
                     shipped = l.shipped + d.s FROM d WHERE l.id = d.id RETURNING l.purchase_order_id, d.a, d.r, d.s),
           t AS (SELECT purchase_order_id, sum(a)::int AS a, sum(r)::int AS r, sum(s)::int AS s FROM l GROUP BY 1)
           UPDATE purchasing_purchaseorder p SET accepted = p.accepted + t.a, rejected = p.rejected + t.r,
                  shipped = p.shipped + t.s FROM t WHERE p.id = t.purchase_order_id""",
        (
            [line.id for _, line in lines],
            [line.new_accepted for _, line in lines],
            [line.new_rejected for _, line in lines],
            [line.new_shipped for _, line in lines],
        ),
    )


def _write_answers(touched: list[_Purchase], result: Applied, *, source: str, at: datetime) -> None:
    rows, payable = [], []
    for purchase in touched:
        goods, freight, told = Decimal(0), Decimal(0), []
        for line in purchase.lines:
            if line.new_accepted or line.new_rejected or line.new_shipped:
                cost, unit_freight = purchase.costs[line.id]
                goods += line.new_accepted * cost
                freight += line.new_accepted * unit_freight
                told.append([line.id, line.new_accepted, line.new_rejected, 0, line.new_shipped, line.reason[:80]])
        if not told:
            continue
        if goods or freight or any(line.new_accepted for line in purchase.lines):
            if not purchase.accepted_before:
                freight += purchase.parcel_freight  # the parcel's own freight falls due with the first acceptance
            payable.append(len(rows))
        rows.append((purchase.id, source, goods, freight, json.dumps(told), at))
    ids = bulk.write_rows(
        "purchasing_purchaseanswer",
        ("purchase_order_id", "source", "goods_amount", "freight_amount", "rows", "at"),
        rows,
    )
    result.answers += ids
    record_facts("purchases_answered", [ids[place] for place in payable], at=at)


def _write_parcels(touched: list[_Purchase], result: Applied, *, source: str, by: str, at: datetime) -> None:
    grouped: dict[tuple[int, int, str], list[tuple[_Purchase, str, datetime | None, LineState, int]]] = {}
    swaps: dict[int, tuple[str, str]] = {}
    for purchase in touched:
        for number, carrier, when, line, units in purchase.parcels:
            if when is None:
                swaps[line.id] = (number, carrier)
            else:
                key = (purchase.order, purchase.supplier, number)
                grouped.setdefault(key, []).append((purchase, carrier, when, line, units))
    new = []
    for (order, _, number), parts in grouped.items():
        purchase, carrier, when = parts[0][0], parts[0][1], parts[0][2]
        confidence = 100
        if not carrier:
            carrier, confidence = guess_carrier(number)
        new.append(
            shipping.NewParcel(
                purchase.store, order, purchase.supplier, carrier, confidence, number,
                tuple((line.id, line.order_line, units, units * line.factor) for _, _, _, line, units in parts if units),
                when, purchase.transit_days,
            )
        )  # fmt: skip
    parcels, grown, grown_delivered = shipping.write_parcels(new, source=source, by=by, at=at)
    result.parcels += parcels
    record_facts("parcels_handed_over", [*parcels, *grown], at=at)
    record_facts("parcels_delivered", grown_delivered, at=at)
    if swaps:
        _swap_numbers(swaps, source=source, by=by, at=at)


def _swap_numbers(swaps: dict[int, tuple[str, str]], *, source: str, by: str, at: datetime) -> None:
    parcels = bulk.fetch(
        "SELECT purchase_line_id, parcel_id FROM shipping_parcelline WHERE purchase_line_id = ANY(%s::bigint[])",
        (list(swaps),),
    )
    rows = {parcel: (parcel, *swaps[line]) for line, parcel in parcels}
    changed = shipping.replace_numbers(list(rows.values()), source=source, by=by, at=at)
    record_facts("numbers_replaced", changed, at=at)


def _end(touched: list[_Purchase], *, by: str, at: datetime) -> None:
    """Purchases with nothing left to say are closed (or refused, if nothing was accepted); so are their fulfilments."""
    closed, refused = [], []
    for purchase in touched:
        if any(line.unanswered for line in purchase.lines):
            continue
        if not any(line.accepted for line in purchase.lines):
            refused.append(purchase.id)
        elif all(line.shipped == line.accepted for line in purchase.lines):
            closed.append(purchase.id)
    if closed:
        moved = move(PURCHASE_ORDER, closed, to="closed", by=by, at=at)
        done = bulk.fetch(
            "SELECT fulfilment_order_id FROM purchasing_purchaseorder WHERE id = ANY(%s::bigint[])", (moved.moved,)
        )
        move(FULFILMENT_ORDER, [row[0] for row in done], to="done", by=by, at=at)
    if refused:
        moved = move(PURCHASE_ORDER, refused, to="refused", by=by, at=at, reason="refused by the supplier")
        purchasing.supersede_fulfilment(moved.moved, by=by, at=at)


def _problem(row: ReplyRow, finding: RowFinding, rows: int = 1) -> RowProblem:
    return RowProblem(
        row=row.row, code=finding.code, message=finding.message, params=finding.params, raw=row.raw,
        document=row.reference[:80], rows=rows,
    )  # fmt: skip


def ask_suppliers(*, at: datetime, by: str = "job:ask_suppliers") -> Applied:
    """Ask suppliers with a system what became of purchases not yet closed, and apply what they say."""
    total = Applied()
    for supplier, kind, code, script in bulk.fetch(
        """SELECT s.id, s.kind, s.code, s.script FROM sourcing_supplier s WHERE s.kind = ANY(%s::text[])
           AND EXISTS (SELECT 1 FROM purchasing_purchaseorder p WHERE p.supplier_id = s.id AND p.state = 'placed')
           ORDER BY s.id""",
        (list(ASKABLE_KINDS),),
    ):
        connector: Any = supplier_connector(kind=kind, code=code, script=json.loads(script), home=settings.DAIFA_HOME)
        last = 0
        while True:
            page = bulk.fetch(
                """SELECT id, reference FROM purchasing_purchaseorder
                   WHERE supplier_id = %s AND state = 'placed' AND id > %s ORDER BY id LIMIT 500""",
                (supplier, last),
            )
            if not page:
                break
            last = page[-1][0]
            try:
                rows = connector.replies([ref for _, ref in page], at=at)
            except ConnectorError:
                break
            with transaction.atomic():
                applied = apply_replies(rows, supplier=supplier, source=by, by=by, at=at)
                if applied.problems:
                    open_tasks(
                        [NewTask(kind="reply_row", thing_kind="supplier", thing=supplier,
                                 params={"sentence": applied.problems[0].sentence(), "count": len(applied.problems)})],
                        at=at,
                    )  # fmt: skip
            total.used += applied.used
            total.problems += applied.problems
            total.parcels += applied.parcels
    return total
