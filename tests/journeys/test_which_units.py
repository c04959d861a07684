"""Which units a refund is for: those cancelled before come first, and goods that came back were shipped."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from daifa.domain.aftersales.models import AftersaleCase, RefundLine
from daifa.flows import by_hand
from daifa.lib.refusal import Refused
from tests import bought_orders

BY = "user:7"
NOON = datetime(2026, 3, 7, 12, tzinfo=UTC)


def bought_order(shipped=0):
    """Three mugs at 8.00 of which so many were shipped; the rest is not routed."""
    of = bought_orders.order(bought_orders.store(), [("goods", 3, "24.00")])
    if shipped:
        counts = dict.fromkeys(("allocated", "purchased", "accepted", "shipped"), shipped)
        of.lines.update(**counts)
        type(of).objects.filter(pk=of.pk).update(**counts)
    return of, of.lines.get()


def give(of, line, units, amount, kind="refund"):
    by_hand.give_back(
        of.pk, [(line.pk, units)], kind=kind, reason="damaged", note="", amount=Decimal(amount), no_claim_reason="small", by=BY, at=NOON
    )  # fmt: skip
    line.refresh_from_db()
    return line.cancelled


@pytest.mark.django_db
def test_a_unit_that_was_cancelled_by_hand_and_is_paid_back_then_is_not_cancelled_twice():
    of, line = bought_order()
    by_hand.cancel_open(of.pk, [(line.pk, 1)], by=BY, at=NOON)
    assert give(of, line, 1, "8.00") == 1, "two are still to be shipped"
    assert RefundLine.objects.get().cancelled == 1, "the books know which unit was paid back"
    assert give(of, line, 2, "16.00") == 3
    assert sum(RefundLine.objects.values_list("cancelled", flat=True)) == 3


@pytest.mark.django_db
def test_a_unit_that_came_back_does_not_cancel_one_that_is_still_to_be_shipped():
    of, line = bought_order(shipped=2)
    assert give(of, line, 1, "8.00", kind="return") == 0
    assert give(of, line, 2, "16.00", kind="return") == 1, "one more came back; the third was never shipped"
    assert list(RefundLine.objects.order_by("id").values_list("quantity", "cancelled")) == [(1, 0), (2, 1)]


@pytest.mark.django_db
def test_a_refund_sent_twice_is_given_once():
    of, line = bought_order()
    assert give(of, line, 1, "8.00") == 1
    with pytest.raises(Refused, match="a moment ago"):
        give(of, line, 1, "8.00")
    assert (RefundLine.objects.count(), AftersaleCase.objects.count()) == (1, 1)
    by_hand.give_back(
        of.pk, [(line.pk, 1)], kind="refund", reason="damaged", note="", amount=Decimal("8.00"), no_claim_reason="small", by=BY,
        at=NOON + timedelta(minutes=1),
    )  # fmt: skip
    assert RefundLine.objects.count() == 2
