"""A store that is closing buys what was paid before, and nothing that is paid after; open again, it goes on."""

from datetime import timedelta

import pytest

from daifa.domain.orders.models import Hold, Order
from daifa.domain.purchasing.models import PurchaseOrder
from daifa.flows import close_store
from daifa.flows.audit import audit
from daifa.flows.react import react
from daifa.flows.work import work_until_idle
from tests import cast

pytestmark = pytest.mark.django_db(transaction=True)


def bought() -> set[str]:
    return set(PurchaseOrder.objects.values_list("order__number", flat=True))


def test_new_orders_wait_while_the_store_closes_and_go_on_when_it_stays():
    shop = cast.open_shop()
    cast.receive_orders(shop, ["before"], at=cast.MORNING)  # paid before, routed after
    closes = cast.MORNING + timedelta(hours=1)
    closing = close_store.start(store_id=shop.store.pk, scenario="choice", reason="too small", by=cast.BY, at=closes)
    later = closes + timedelta(hours=1)
    cast.receive_orders(shop, ["after"], at=later)
    while react(at=later):
        pass
    assert bought() == {"before"}
    held = Hold.objects.filter(order__number="after", released_at=None)
    assert set(held.values_list("reason", flat=True)) == {"store_closing"}
    assert Order.objects.get(number="after").status == "on_hold"

    close_store.withdraw(closing.pk, reason="we stay", by=cast.BY, at=later)
    close_store.sweep(at=later)
    work_until_idle(at=later + timedelta(minutes=1))
    assert bought() == {"before", "after"} and not held.exists()
    assert audit() == []
