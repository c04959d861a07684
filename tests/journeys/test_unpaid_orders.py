"""An order that the buyer has not paid: nothing is bought, booked, counted or told before he has."""

import csv
import io
from datetime import timedelta

import pytest

from daifa.domain.books.models import Entry
from daifa.domain.compliance.models import Clock
from daifa.domain.messages.models import Message
from daifa.domain.orders.models import Hold, Order
from daifa.domain.purchasing.models import PurchaseOrder
from daifa.flows import keep_clocks
from daifa.flows.audit import audit
from daifa.flows.release_holds import release_holds
from daifa.flows.work import work_until_idle
from tests import cast

pytestmark = pytest.mark.django_db
AT = cast.MORNING
LATER = AT + timedelta(hours=30)


def file_of(orders: dict[str, tuple[str, str]]) -> bytes:
    """Number → (paid at, cancelled at), "" where it was not."""
    rows = list(csv.reader(io.StringIO(cast.order_file(list(orders)).decode())))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*rows[0], "Paid at", "Cancelled at"])
    for row in rows[1:]:
        writer.writerow([*row, *orders[row[0]]])
    return text.getvalue().encode()


def receive(shop: cast.Shop, orders: dict[str, tuple[str, str]], *, at):
    file = cast.read_file(shop, "orders", "orders.csv", file_of(orders), at=at)
    assert (file.state, file.rows_refused) == ("done", 0)
    work_until_idle(at=at)
    keep_clocks.keep_clocks(at=at)


def held() -> dict[str, str]:
    return dict(Hold.objects.filter(released_at=None).values_list("order__number", "reason"))


def test_it_waits_for_its_payment_and_goes_on_by_itself():
    shop = cast.open_shop()
    receive(shop, {"U-1": ("", ""), "U-2": ("", ""), "P-1": ("2026-03-02 09:00:00", "")}, at=AT)
    assert held() == {"U-1": "not_paid", "U-2": "not_paid"}
    unpaid = list(Order.objects.filter(number__startswith="U-").values_list("pk", flat=True))
    bought = Order.objects.get(number="P-1")
    for model in (PurchaseOrder, Entry, Message, Clock):
        assert not model.objects.filter(order_id__in=unpaid).exists(), model
        assert model is Clock or model.objects.filter(order_id=bought.pk).exists(), model
    assert not Order.objects.filter(number__startswith="U-").exclude(paid_at=None, ship_by_at=None).exists()
    assert audit() == []

    receive(shop, {"U-1": ("2026-03-03 14:00:00", ""), "U-2": ("", "2026-03-03 10:00:00")}, at=LATER)
    assert held() == {}
    paid = Order.objects.get(number="U-1")
    assert paid.paid_at == AT.replace(day=3, hour=14)
    assert paid.ship_by_at - paid.paid_at == timedelta(hours=shop.store.dispatch_hours)
    assert PurchaseOrder.objects.filter(order=paid).count() == 2
    assert Entry.objects.get(order_id=paid.pk, fact="order_paid").at == paid.paid_at
    gone = Order.objects.get(number="U-2")
    assert (gone.status, gone.paid_at) == ("cancelled", None)
    assert not Entry.objects.filter(order_id=gone.pk).exists() and not PurchaseOrder.objects.filter(order=gone).exists()
    assert audit() == []


def test_the_same_file_twice_changes_nothing():
    shop = cast.open_shop()
    for _ in range(2):
        receive(shop, {"U-1": ("", "")}, at=AT)
    assert held() == {"U-1": "not_paid"} and Order.objects.get().open_holds == 1


def test_whoever_releases_it_says_that_it_was_paid():
    shop = cast.open_shop()
    receive(shop, {"U-1": ("", "")}, at=AT)
    hold = Hold.objects.get()
    assert release_holds([hold.pk], by=cast.BY, at=LATER) == [hold.order_id]
    work_until_idle(at=LATER)
    order = Order.objects.get()
    assert (order.paid_at, order.open_holds) == (LATER, 0)
    assert PurchaseOrder.objects.filter(order=order).count() == 2
    assert Entry.objects.get(order_id=order.pk, fact="order_paid").at == LATER
    assert audit() == []
