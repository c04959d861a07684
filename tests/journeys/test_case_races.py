"""A notice that two hands write down at once is one; an order released and paid by a file at once is bought and booked once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from daifa.domain.books.models import Entry
from daifa.domain.cases.commands import NewInfringement, open_infringement
from daifa.domain.cases.models import Infringement
from daifa.domain.orders.models import Hold, Order
from daifa.domain.purchasing.models import PurchaseOrder
from daifa.flows.audit import audit
from daifa.flows.release_holds import release_holds
from daifa.flows.work import work_until_idle
from daifa.lib.refusal import Refused
from tests import cast

pytestmark = pytest.mark.django_db(transaction=True)
AT = cast.MORNING


def at_once(*works) -> list[str]:
    """What became of each, begun together: "done" or the code of the refusal."""
    barrier = Barrier(len(works))

    def run(work) -> str:
        try:
            barrier.wait(10)
            work()
        except Refused as refused:
            return refused.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(works)) as pool:
        return sorted(pool.map(run, works))


def test_a_notice_sent_three_times_at_once():
    shop = cast.open_shop()
    wanted = NewInfringement("I-1", AT, "trademark")
    work = lambda: open_infringement(wanted, store=shop.store, source=cast.BY, by=cast.BY, at=AT)  # noqa: E731
    assert at_once(work, work, work) == ["done", "known", "known"]
    assert Infringement.objects.count() == 1 and audit() == []


def test_released_while_a_file_brings_the_payment():
    shop = cast.open_shop()
    head, *rows = cast.order_file(["U-1"]).decode().splitlines()

    def file(paid: str) -> bytes:
        return "\n".join([f"{head},Paid at", *(f"{row},{paid}" for row in rows if row), ""]).encode()

    cast.read_file(shop, "orders", "orders.csv", file(""), at=AT)
    hold = Hold.objects.get()
    paid = [lambda: cast.read_file(shop, "orders", "orders.csv", file("2026-03-02 10:00:00"), at=AT) for _ in range(2)]
    assert at_once(lambda: release_holds([hold.pk], by=cast.BY, at=AT), *paid) == ["done"] * 3
    work_until_idle(at=AT)
    order = Order.objects.get()
    assert (order.paid_at, order.open_holds) == (AT.replace(hour=10), 0)
    assert PurchaseOrder.objects.filter(order=order).count() == 2
    assert Entry.objects.filter(order_id=order.pk, fact="order_paid").count() == 1
    assert audit() == []
