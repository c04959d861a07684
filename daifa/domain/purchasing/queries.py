"""Reads of purchase orders, runs and attempts. `scope` (ids of the stores the caller may see) comes first.

A run that merges several stores is seen by those who may see all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from daifa.domain.purchasing.models import (
    PlacementAttempt,
    PurchaseAnswer,
    PurchaseLine,
    PurchaseOrder,
    PurchaseRun,
)
from daifa.domain.purchasing.process import PURCHASE_ORDER, PURCHASE_RUN
from daifa.lib import bulk
from daifa.lib.paging import Cursor
from daifa.lib.refusal import Refused

NEWEST = ("-id",)
OPEN_STATES = ("ready", "submitting", "unknown", "failed")


class PurchaseRow(NamedTuple):
    """A purchase order in a list. Amounts in the supplier's `currency`, counters in his units."""

    id: int
    store_id: int
    order_id: int
    order_number: str
    supplier_id: int
    supplier_code: str
    reference: str
    their_reference: str
    state: str
    run_id: int | None
    currency: str
    goods_amount: Decimal
    freight_amount: Decimal
    units: int
    accepted: int
    rejected: int
    cancelled: int
    backordered: int
    shipped: int
    at: datetime
    placed_at: datetime | None
    ship_due_at: datetime | None


_COLUMNS = """
p.id, p.store_id, p.order_id, o.number, p.supplier_id, s.code, p.reference, p.their_reference, p.state, p.run_id,
p.currency, p.goods_amount, p.freight_amount, p.units, p.accepted, p.rejected, p.cancelled, p.backordered, p.shipped,
p.at, p.placed_at, p.ship_due_at
"""


def purchase_page(
    scope: Sequence[int],
    *,
    state: str | None = None,
    store_id: int | None = None,
    supplier_id: int | None = None,
    order_id: int | None = None,
    run_id: int | None = None,
    overdue_at: datetime | None = None,
    q: str | None = None,
    cursor: Cursor | None = None,
    limit: int = 50,
) -> list[PurchaseRow]:
    """At most `limit` purchase orders, newest first. `q`: our reference or the beginning of one.

    `overdue_at`: only those placed of which something should have been shipped before that time.

    `state`: one of the process, or "open" for those still to be placed. An unknown state matches nothing.
    """
    stores = [store for store in scope if store_id in (None, store)]
    if not stores or (state and state != "open" and state not in PURCHASE_ORDER.table):
        return []
    conditions, params = ["p.store_id = ANY(%s::bigint[])"], [stores]
    if state == "open":
        conditions.append(f"p.state IN {OPEN_STATES}")
    elif state:
        # Written out, so that the planner can choose the partial index of the open ones.
        conditions.append(f"p.state = '{state}'")
    for column, value in (("supplier_id", supplier_id), ("order_id", order_id), ("run_id", run_id)):
        if value is not None:
            conditions.append(f"p.{column} = %s")
            params.append(value)
    if overdue_at is not None:
        conditions.append("p.state = 'placed' AND p.ship_due_at < %s AND p.units > p.shipped + p.rejected + p.cancelled")
        params.append(overdue_at)
    if q and (q := q.strip().upper()):
        conditions.append("p.reference ~>=~ %s AND p.reference ~<~ %s")
        params += [q, q + "\U0010ffff"]
    cursor = cursor or Cursor(NEWEST)
    beyond, key, order_by = cursor.sql({"id": "p.id"})
    # Bound by the client: which index serves best depends on the values, so the planner must see them.
    with connection.cursor() as c:
        c.execute(
            f"""SELECT {_COLUMNS} FROM purchasing_purchaseorder p
                JOIN orders_order o ON o.id = p.order_id JOIN sourcing_supplier s ON s.id = p.supplier_id
                WHERE {" AND ".join(conditions)} AND {beyond} ORDER BY {order_by} LIMIT %s""",
            [*params, *key, limit],
        )
        return cursor.forwards([PurchaseRow(*row) for row in c.fetchall()])


def orders_of_references(scope: Sequence[int], q: str, most: int = 1_000) -> set[int]:
    """Ids of the orders one of whose purchases has our reference `q`, or one that begins with it."""
    q = q.strip().upper()
    if len(q) < 4:
        return set()
    rows = bulk.fetch(
        """SELECT order_id FROM purchasing_purchaseorder
           WHERE reference ~>=~ %s AND reference ~<~ %s AND store_id = ANY(%s::bigint[]) LIMIT %s""",
        (q, q + "\U0010ffff", list(scope), most),
    )
    return {row[0] for row in rows}


@dataclass(frozen=True)
class PurchaseDetail:
    """A purchase order as plain rows: itself, its lines (with `sku`, ours), attempts and answers, oldest first."""

    purchase: dict[str, Any]
    lines: list[dict[str, Any]]
    attempts: list[dict[str, Any]]
    answers: list[dict[str, Any]]


def purchase_detail(scope: Sequence[int], purchase_id: int) -> PurchaseDetail | None:
    """One purchase order; None when it is not there or not in scope."""
    purchase = (
        PurchaseOrder.objects.filter(id=purchase_id, store_id__in=list(scope))
        .annotate(order_number=F("order__number"), supplier_code=F("supplier__code"))
        .values()
        .first()
    )
    if purchase is None:
        return None
    attempts = PlacementAttempt.objects.filter(
        Q(purchase_order_id=purchase_id) | Q(run_id=purchase["run_id"], run_id__isnull=False)
    )
    return PurchaseDetail(
        purchase=purchase,
        lines=list(
            PurchaseLine.objects.filter(purchase_order_id=purchase_id)
            .annotate(sku=F("order_line__sku"), title=F("order_line__title"))
            .order_by("line_no")
            .values()
        ),
        attempts=list(
            attempts.order_by("id").values("id", "key", "state", "result", "proof", "at", "resolved_at")
        ),
        answers=list(
            PurchaseAnswer.objects.filter(purchase_order_id=purchase_id)
            .order_by("id")
            .values("id", "source", "goods_amount", "freight_amount", "rows", "at")
        ),
    )


def purchase_named(scope: Sequence[int], reference: str) -> int | None:
    """Id of the purchase order with our reference."""
    found = PurchaseOrder.objects.filter(reference=reference.strip().upper(), store_id__in=list(scope))
    return found.values_list("id", flat=True).first()


# --- Runs ---------------------------------------------------------------------------------------------------------


def runs_in(scope: Sequence[int]) -> QuerySet[PurchaseRun]:
    """Runs all of whose stores are in scope."""
    elsewhere = PurchaseOrder.objects.filter(run=OuterRef("pk")).exclude(store_id__in=list(scope))
    inside = PurchaseOrder.objects.filter(run=OuterRef("pk"), store_id__in=list(scope))
    return PurchaseRun.objects.filter(
        Q(store_id__in=list(scope)) | (Q(store=None) & Exists(inside) & ~Exists(elsewhere))
    )


def run_page(
    scope: Sequence[int],
    *,
    state: str | None = None,
    supplier_id: int | None = None,
    cursor: Cursor | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """At most `limit` runs, newest first, without their content; with `supplier_code`."""
    runs = runs_in(scope)
    if state:
        if state not in PURCHASE_RUN.table:
            return []
        runs = runs.filter(state=state)
    if supplier_id is not None:
        runs = runs.filter(supplier_id=supplier_id)
    return (cursor or Cursor(NEWEST)).slice(_rows(runs), limit)


def _rows(runs: QuerySet[PurchaseRun]) -> QuerySet[Any]:
    return runs.annotate(supplier_code=F("supplier__code")).values(
        "id", "store_id", "supplier_id", "supplier_code", "number", "state", "name", "sha256", "orders", "rows",
        "times_sent", "at", "placed_at",
    )  # fmt: skip


def run_row(scope: Sequence[int], run_id: int) -> dict[str, Any] | None:
    """One run as in `run_page`; None when it is not there or not in scope."""
    return _rows(runs_in(scope).filter(id=run_id)).first()


def stores_of_run(run_id: int) -> list[int]:
    """The stores whose purchase orders are in the run; [] when there is none."""
    rows = bulk.fetch(
        """SELECT store_id FROM purchasing_purchaserun WHERE id = %(id)s AND store_id IS NOT NULL
           UNION SELECT store_id FROM purchasing_purchaseorder WHERE run_id = %(id)s""",
        {"id": run_id},
    )
    return [row[0] for row in rows]


def run_file(scope: Sequence[int], run_id: int) -> tuple[str, bytes] | None:
    """(name, bytes) of a run's workbook exactly as it was fixed, but for buyers who were erased since (`erased_from`).

    Raises `Refused` where nothing of it is left.
    """
    row = runs_in(scope).filter(id=run_id).values_list("name", "content").first()
    if row and not row[1]:
        raise Refused(
            _("The content of this workbook was erased with its buyers' data; its hash and its rows are still on record."),
            code="erased",
        )
    return (row[0], bytes(row[1])) if row else None


def erased_from(run_id: int) -> str:
    """"" = the workbook is as it was fixed; "part" = buyers were erased from it; "whole" = nothing of it is left."""
    rows = bulk.fetch(
        """SELECT CASE WHEN length(content) = 0 THEN 'whole' WHEN encode(sha256(content), 'hex') <> sha256 THEN 'part'
                       ELSE '' END FROM purchasing_purchaserun WHERE id = %s""",
        (run_id,),
    )
    return rows[0][0] if rows else ""
