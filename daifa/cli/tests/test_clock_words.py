"""`daifa clocks …` and `daifa health`: for eyes in both languages, and for programs."""

from datetime import timedelta

import pytest
from django.utils import translation

from daifa.cli import clocks
from daifa.cli.health import health
from daifa.cli.tests.test_words import run
from daifa.domain.orders.models import Order
from daifa.domain.shipping.models import Parcel
from daifa.lib import clock
from tests import bought_orders

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    row = bought_orders.store("red", channel="xiaohongshu", kind="marketplace", country="CN", currency="CNY")
    paid = clock.now() - timedelta(hours=50)
    bought_orders.order(row, [("goods", 1, "790.10")], placed_at=paid, paid_at=paid, currency="CNY")
    return row


def test_reckon_list_and_say_how_it_ships(shop):
    counts = run(clocks.app, "reckon", "--store", "red", "--json")
    assert counts["clocks"] == 2 and counts["metrics"] > 10
    rows = run(clocks.app, "list", "--hours", "1", "--json")
    assert [(row["rule"], row["stake"], row["state"]) for row in rows] == [("xhs-ship-spot-domestic", "8.0000", "overdue")]
    assert "8.00 CNY" in run(clocks.app, "list")
    run(clocks.app, "dispatch", "--store", "red", "--mode", "direct")
    run(clocks.app, "reckon")
    assert run(clocks.app, "list", "--json")[0]["rule"] == "xhs-ship-spot-direct"
    assert "NOPE" in run(clocks.app, "dispatch", "--store", "red", "--mode", "direct", "--sku", "NOPE", code=1)
    with translation.override("zh-hans"):
        assert "发货" in run(clocks.app, "list")


def test_what_is_wrong_with_parcels(shop):
    order = Order.objects.get()
    Parcel.objects.create(
        store=shop, order=order, supplier=bought_orders.supplier(), number="YT1", carrier="圆通", state="handed_over", announced_at=order.paid_at + timedelta(minutes=30)
    )
    assert run(clocks.app, "parcels") == "Nothing here.\n"
    run(clocks.app, "reckon")
    (row,) = run(clocks.app, "parcels", "--store", "red", "--json")
    assert (row["kind"], row["order"], row["parcel"], row["stake"]) == ("parcel_without_scan", order.number, "YT1", "200.0000")
    assert row["sentence"] == f"Parcel YT1 of order {order.number} has not been scanned by any carrier"
    assert run(clocks.app, "parcels", "--kind", "number_reused", "--json") == []
    assert "there are: parcel_without_scan" in run(clocks.app, "parcels", "--kind", "lost", code=1)
    with translation.override("zh-hans"):
        assert f"订单 {order.number} 的包裹 YT1" in run(clocks.app, "parcels")


def test_health(shop):
    import typer

    app = typer.Typer()
    app.command()(health)
    told = run(app, "--store", "red", "--keep", "--json")
    assert (told["store"], told["channel"]) == ("red", "xiaohongshu")
    assert {one["rule"] for one in told["metrics"]} >= {"xhs-rate-late-day", "xhs-rate-badtrack"}
    assert "xhs-rate-late-day" in run(app, "--store", "red")
    assert "There is no store" in run(app, "--store", "nope", code=1)
