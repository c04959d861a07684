"""What runs out stands on Today, by time and money; what only informs does not."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from daifa.domain.compliance.commands import set_dispatch_mode
from daifa.domain.orders.models import Order
from daifa.domain.shipping.models import Parcel
from daifa.flows.keep_clocks import keep_clocks, keep_metrics
from daifa.flows.reads.today import today
from tests import bought_orders

pytestmark = pytest.mark.django_db
PAID = datetime(2026, 6, 1, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def shop(channel="xiaohongshu", **fields):
    row = bought_orders.store(channel, channel=channel, kind="marketplace", country="CN", currency="CNY", **fields)
    if channel == "xiaohongshu":
        set_dispatch_mode(store_id=row.pk, mode="spot", by="user:1", at=PAID)
    return row


def order(of, amount, paid=PAID):
    return bought_orders.order(of, [("goods", 1, amount)], placed_at=paid, paid_at=paid, currency="CNY")


def todos(*stores, at):
    return [one for one in today([store.pk for store in stores], at=at) if one.kind in ("clocks_due", "parcel_faults", "metric_near")]


def test_what_runs_out_and_what_has_with_the_money():
    red = shop()
    order(red, "1000.00"), order(red, "2000.00"), order(red, "500.00", PAID + 10 * HOUR), order(red, "9.00", PAID + 90 * HOUR)
    at = PAID + 50 * HOUR
    counts = keep_clocks(at=at)
    assert counts == {"clocks": 6, "changed": 6, "findings": 0}
    assert [(one.name, one.count, one.stake, one.due_at) for one in todos(red, at=at)] == [
        ("dispatch", 2, Decimal(30), PAID + 48 * HOUR),  # has run out
        ("dispatch", 1, Decimal(5), PAID + 58 * HOUR),  # within a day
    ]
    Order.objects.update(cancelled=1)
    assert keep_clocks(at=at)["clocks"] == 0
    assert todos(red, at=at) == []


def test_findings_and_lines_stand_there_too():
    red = shop()
    for _number in range(12):
        order(red, "100.00")
    box = Parcel.objects.create(
        store=red, order=order(red, "100.00"), supplier=bought_orders.supplier(), number="YT1", state="announced", announced_at=PAID
    )  # fmt: skip
    Order.objects.filter(pk=box.order_id).update(allocated=1, purchased=1, accepted=1, shipped=1)
    at = PAID + 49 * HOUR
    keep_clocks(at=at)
    assert keep_metrics(at=at) > 10
    found = {one.kind: one for one in todos(red, at=at)}
    assert set(found) == {"clocks_due", "parcel_faults", "metric_near"}
    assert found["metric_near"].name == "xhs-rate-late-day"
    assert found["parcel_faults"].stake == Decimal(30)


def test_a_rule_that_only_informs_stays_off_today():
    tiktok = shop("tiktok_shop")
    order(tiktok, "100.00")
    at = PAID + timedelta(days=400)  # the third party's text is older than 180 days by then
    keep_clocks(at=at)
    assert {one.name for one in todos(tiktok, at=at)} == {"ship_by"}
