"""Reads of cases and refunds. `scope` (ids of the stores the caller may see) comes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import F, Sum
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as N_

from daifa.domain.aftersales.models import AftersaleCase, AftersaleLine, Refund, RefundLine
from daifa.domain.aftersales.process import AFTERSALE_CASE, REFUND
from daifa.lib import bulk
from daifa.lib.money import rounded
from daifa.lib.paging import Cursor

NEWEST = ("-id",)

# Why a buyer asks, and why money went back.
REASONS = {
    "changed_mind": N_("changed their mind"),
    "not_arrived": N_("did not arrive"),
    "damaged": N_("damaged"),
    "wrong_item": N_("wrong article"),
    "not_as_described": N_("not as described"),
    "cannot_deliver": N_("cannot be delivered"),
    "other": N_("another reason"),
    # Of refunds.
    "credit_note": N_("credit note of the channel"),
    "channel_refund": N_("refunded by the channel"),
    "no_original": N_("matches no order"),
    "case": N_("aftersale case"),
    "imported_credit": N_("came with a file"),
}


def reason_words(reason: str) -> str:
    """The reason of a case or refund in the reader's language; what a person wrote stays as it is."""
    return gettext(REASONS[reason]) if reason in REASONS else reason


def case_page(
    scope: Sequence[int], *, state: str | None = None, q: str | None = None, order_id: int | None = None,
    cursor: Cursor | None = None, limit: int = 50,
) -> list[dict[str, Any]]:  # fmt: skip
    """At most `limit` cases, newest first, with the order's number and currency, and units asked back.

    `q`: the order's number or its beginning.
    """
    if state and state not in AFTERSALE_CASE.table:
        return []
    if order_id is not None and not bulk.fetch("SELECT 1 FROM aftersales_aftersalecase WHERE order_id = %s LIMIT 1", (order_id,)):
        return []  # as of most orders, whose page asks
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
    """A case as plain rows: itself (with `order_number`, `currency`, `left` to refund on the order), its lines (with

    `sku`, `title` and the order line's `line_amount` for `line_quantity` units), its refunds.
    """

    case: dict[str, Any]
    lines: list[dict[str, Any]]
    refunds: list[dict[str, Any]]

    @property
    def worth(self) -> Decimal:
        """What the buyer paid for the units that came back, or before that for those asked back; at most what is left."""
        came = any(line["received"] for line in self.lines)
        paid = sum(
            (line["line_amount"] * line["received" if came else "quantity"] / (line["line_quantity"] or 1)
             for line in self.lines), Decimal(0),
        )  # fmt: skip
        return rounded(min(paid, self.case["left"]), self.case["currency"])


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
            .annotate(
                sku=F("order_line__sku"),
                title=F("order_line__title"),
                line_amount=F("order_line__amount"),
                line_quantity=F("order_line__quantity"),
            )
            .order_by("id")
            .values()
        ),
        refunds=list(Refund.objects.filter(case_id=case_id).order_by("id").values()),
    )


class Waiting(NamedTuple):
    """Cases of one store that wait for the same step of a person. `what`: answer, goods (overdue), money."""

    store_id: int
    what: str
    currency: str
    count: int
    stake: Decimal
    due_at: datetime | None
    since: datetime
    case: int  # the oldest of them


def cases_waiting(scope: Sequence[int], *, at: datetime) -> list[Waiting]:
    """Requests nobody answered; goods that should have come back; money owed after goods came back or a yes was said."""
    return [
        Waiting(*row)
        for row in bulk.fetch(
            """SELECT store_id, what, currency, count(*), sum(worth), min(due_at), min(opened_at), min(id) FROM (
                   SELECT c.id, c.store_id, o.currency, c.due_at, c.opened_at,
                          CASE WHEN c.state = 'requested' THEN 'answer'
                               WHEN c.state = 'received' OR (c.state = 'approved' AND c.kind = 'refund') THEN 'money'
                               ELSE 'goods' END AS what,
                          (SELECT coalesce(sum(l.quantity * ol.amount / nullif(ol.quantity, 0)), 0)
                           FROM aftersales_aftersaleline l JOIN orders_orderline ol ON ol.id = l.order_line_id
                           WHERE l.case_id = c.id) AS worth
                   FROM aftersales_aftersalecase c JOIN orders_order o ON o.id = c.order_id
                   WHERE c.store_id = ANY(%s::bigint[])
                     AND (c.state IN ('requested', 'received') OR (c.state = 'approved' AND c.kind = 'refund')
                          OR (c.state IN ('approved', 'in_transit') AND c.due_at < %s))) AS waiting
               GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
            (list(scope), at),
        )
    ]


def stores_of_cases(case_ids: Sequence[int]) -> list[int]:
    """The stores the cases belong to, for whoever must be allowed in each; -1 where one is not there."""
    found = dict(AftersaleCase.objects.filter(id__in=list(case_ids)).values_list("id", "store_id"))
    return sorted({found.get(case, -1) for case in case_ids})


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


def given_back_just_now(order_id: int, lines: Sequence[tuple[int, int]], *, kind: str, amount: Decimal, at: datetime) -> bool:
    """Whether the same units [(line, units)] of an order were given back with the same money within the last minute: a form sent twice."""
    return bulk.fetch(
        """SELECT EXISTS (
               SELECT FROM aftersales_aftersalecase c JOIN aftersales_refund r ON r.case_id = c.id AND r.amount = %s
               WHERE c.order_id = %s AND c.kind = %s AND c.opened_at > %s::timestamptz - interval '1 minute'
                 AND ARRAY(SELECT (l.order_line_id, l.quantity)::text FROM aftersales_aftersaleline l WHERE l.case_id = c.id ORDER BY 1)
                   = ARRAY(SELECT (w.line, w.units)::text FROM unnest(%s::bigint[], %s::int[]) AS w(line, units) ORDER BY 1))""",
        (amount, order_id, kind, at, [line for line, _ in lines], [units for _, units in lines]),
    )[0][0]
