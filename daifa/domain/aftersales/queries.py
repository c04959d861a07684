"""Reads of cases and refunds. `scope` (ids of the stores the caller may see) comes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Sum

from daifa.domain.aftersales.models import AftersaleCase, AftersaleLine, Refund, RefundLine
from daifa.domain.aftersales.process import AFTERSALE_CASE, REFUND
from daifa.lib.paging import Cursor

NEWEST = ("-id",)


def case_page(
    scope: Sequence[int], *, state: str | None = None, q: str | None = None, order_id: int | None = None,
    cursor: Cursor | None = None, limit: int = 50,
) -> list[dict[str, Any]]:  # fmt: skip
    """At most `limit` cases, newest first, with the order's number and currency, units and money refunded.

    `q`: the order's number or its beginning.
    """
    if state and state not in AFTERSALE_CASE.table:
        return []
    found = AftersaleCase.objects.filter(store_id__in=list(scope))
    if state:
        found = found.filter(state=state)
    if order_id is not None:
        found = found.filter(order_id=order_id)
    if q and q.strip():
        found = found.filter(order__number__startswith=q.strip())
    return (cursor or Cursor(NEWEST)).slice(
        found.annotate(
            order_number=F("order__number"), currency=F("order__currency"), units=Sum("lines__quantity")
        ).values(
            "id", "store_id", "order_id", "order_number", "kind", "state", "reason", "units", "currency", "opened_at",
            "due_at",
        ),
        limit,
    )  # fmt: skip


@dataclass(frozen=True)
class CaseDetail:
    """A case as plain rows: itself (with `order_number`, `currency`), its lines (with `sku`, `title`), its refunds."""

    case: dict[str, Any]
    lines: list[dict[str, Any]]
    refunds: list[dict[str, Any]]


def case_detail(scope: Sequence[int], case_id: int) -> CaseDetail | None:
    """One case; None when it is not there or not in scope."""
    case = (
        AftersaleCase.objects.filter(id=case_id, store_id__in=list(scope))
        .annotate(
            order_number=F("order__number"),
            currency=F("order__currency"),
            left=F("order__total_amount") - F("order__refunded_amount"),
        )
        .values()
        .first()
    )
    if case is None:
        return None
    return CaseDetail(
        case=case,
        lines=list(
            AftersaleLine.objects.filter(case_id=case_id)
            .annotate(sku=F("order_line__sku"), title=F("order_line__title"))
            .order_by("id")
            .values()
        ),
        refunds=list(Refund.objects.filter(case_id=case_id).order_by("id").values()),
    )


def refund_page(
    scope: Sequence[int], *, state: str | None = None, unmatched: bool = False, q: str | None = None,
    cursor: Cursor | None = None, limit: int = 50,
) -> list[dict[str, Any]]:  # fmt: skip
    """At most `limit` refunds, newest first, with `order_number`. `unmatched`: those that belong to no order.

    `q`: the number of the credit or of the order, or its beginning.
    """
    if state and state not in REFUND.table:
        return []
    found = Refund.objects.filter(store_id__in=list(scope))
    if state:
        found = found.filter(state=state)
    if unmatched:
        found = found.filter(order=None)
    if q and (q := q.strip()):
        found = found.filter(external_ref__startswith=q) | found.filter(order__number__startswith=q)
    return (cursor or Cursor(NEWEST)).slice(
        found.annotate(order_number=F("order__number")).values(
            "id", "store_id", "order_id", "order_number", "case_id", "external_ref", "state", "reason", "amount",
            "currency", "at", "confirmed_at",
        ),
        limit,
    )  # fmt: skip


@dataclass(frozen=True)
class RefundDetail:
    """A refund as plain rows: itself (with `order_number`) and its lines (with the order line's `title`)."""

    refund: dict[str, Any]
    lines: list[dict[str, Any]]


def refund_detail(scope: Sequence[int], refund_id: int) -> RefundDetail | None:
    """One refund; None when it is not there or not in scope."""
    refund = (
        Refund.objects.filter(id=refund_id, store_id__in=list(scope))
        .annotate(order_number=F("order__number"))
        .values()
        .first()
    )
    if refund is None:
        return None
    return RefundDetail(
        refund=refund,
        lines=list(
            RefundLine.objects.filter(refund_id=refund_id)
            .annotate(title=F("order_line__title"))
            .order_by("id")
            .values()
        ),
    )
