"""What is wrong with parcels: found once, gone when it is put right."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from daifa.domain.compliance.commands import find_parcel_faults, reckon_clocks, set_dispatch_mode
from daifa.domain.compliance.models import Clock, Finding
from daifa.domain.compliance.queries import finding_words, open_clocks, open_findings
from daifa.domain.history.commands import ensure_months
from daifa.domain.orders.models import AddressVersion, Order
from daifa.domain.shipping.commands import record_scans
from daifa.domain.shipping.models import Parcel
from daifa.lib import bulk
from tests import bought_orders
from tests.worked_tables import stories

from .test_reckoning import HOUR, PAID, order, parcel_of, xhs

pytestmark = pytest.mark.django_db
STORIES = {story.title: story for story in stories("clocks.md")}


def kinds(parcel=None):
    found = Finding.objects.filter(gone_at=None)
    return sorted(found.filter(parcel=parcel).values_list("kind", flat=True) if parcel else found.values_list("kind", flat=True))


def test_a_parcel_nobody_scanned_counts_and_costs_until_it_is_scanned():
    shop = xhs()
    box = parcel_of(order(shop, "128.30"), said=PAID + HOUR)
    reckon_clocks(at=PAID + 20 * HOUR)
    assert find_parcel_faults(at=PAID + 20 * HOUR) == {}
    at = PAID + 30 * HOUR
    reckon_clocks(at=at)
    assert find_parcel_faults(at=at) == {"parcel_without_scan": 1}
    assert find_parcel_faults(at=at) == {}
    (found,) = open_findings([shop.pk])
    assert (found.stake, found.currency, found.parcel_id) == (Decimal(38), "CNY", box.pk)
    assert box.number in finding_words(found.kind, found.params, zone="Asia/Shanghai")[0]
    bulk.execute(
        """INSERT INTO shipping_trackingevent (parcel_id, at, status, raw_status, place, seen_at, source)
           VALUES (%s, %s, 'handed_over', '', '', %s, 'test')""", (box.pk, at, at)
    )  # fmt: skip
    find_parcel_faults(at=at + HOUR)
    assert kinds() == []
    assert Finding.objects.get().gone_at == at + HOUR


def test_one_number_for_two_buyers_is_not_one_box_for_one_buyer():
    shop = xhs()
    boxes = [parcel_of(order(shop), said=PAID + HOUR, scans=[(1, "handed_over")]) for _ in range(4)]
    Parcel.objects.filter(pk__in=[boxes[0].pk, boxes[1].pk]).update(number="SAME1", is_shared_number=True)
    Parcel.objects.filter(pk__in=[boxes[2].pk, boxes[3].pk]).update(number="SAME2", is_shared_number=True)
    AddressVersion.objects.filter(order=boxes[1].order).update(digest=b"y" * 32)
    find_parcel_faults(at=PAID + 9 * HOUR)
    assert [kinds(box) for box in boxes] == [["number_reused"], ["number_reused"], [], []]


def test_scanned_before_it_was_paid():
    shop = xhs()
    older = parcel_of(order(shop), said=PAID + HOUR, scans=[(-30, "handed_over")])
    parcel_of(order(shop), said=PAID + HOUR, scans=[(3, "handed_over")])
    find_parcel_faults(at=PAID + 9 * HOUR)
    assert kinds(older) == kinds() == ["pickup_before_payment"]


def test_delivered_in_another_province():
    shop = xhs()
    right = parcel_of(order(shop), said=PAID, region="浙江省")
    wrong = parcel_of(order(shop), said=PAID, region="广东省")
    unknown = parcel_of(order(shop), said=PAID, region="Leeds")
    for box in (right, wrong, unknown):
        bulk.execute(
            """INSERT INTO shipping_trackingevent (parcel_id, at, status, raw_status, place, seen_at, source)
               VALUES (%s, %s, 'delivered', '', '浙江省杭州市', %s, 'test')""", (box.pk, PAID + HOUR, PAID + HOUR)
        )  # fmt: skip
    Parcel.objects.update(delivered_at=PAID + HOUR, state="delivered")
    find_parcel_faults(at=PAID + 9 * HOUR)
    (found,) = open_findings([shop.pk])
    assert (found.kind, found.parcel_id, found.params["place"], found.params["region"]) == ("other_destination", wrong.pk, "浙江", "广东")
    with translation.override("en"):
        assert "was delivered in Zhejiang, China, the order goes to Guangdong, China" in finding_words(found.kind, found.params, zone="UTC")[0]
    with translation.override("zh-hans"):
        assert finding_words(found.kind, {**found.params, "place": "FR"}, zone="UTC")[0].count("法国") == 1


def test_an_own_site_may_sell_without_tracking():
    shop = bought_orders.store("own", kind="own_site")
    parcel_of(order(shop), said=PAID)
    find_parcel_faults(at=PAID + timedelta(days=5))
    assert kinds() == []


def test_only_the_clocks_of_the_orders_asked_for_are_reckoned():
    shop = xhs()
    soon, later = order(shop), order(shop, paid=PAID + 30 * HOUR)
    at = PAID + 36 * HOUR
    reckon_clocks(at=at, orders=[soon.pk])
    assert {one.order_id for one in open_clocks([shop.pk])} == {soon.pk}
    reckon_clocks(at=at, orders=[later.pk])
    (first,) = open_clocks([shop.pk], kind="dispatch", order_id=soon.pk)
    (second,) = open_clocks([shop.pk], kind="dispatch", order_id=later.pk)
    assert (first.due_at - at, first.stake) == (12 * HOUR, Decimal(3))
    assert second.rule == "xhs-ship-spot-domestic"


@pytest.mark.parametrize("row", STORIES["Scans that cannot be true"].tables["scans"], ids=lambda row: row["scans"])
def test_scans_that_cannot_be_true(row):
    """What is found and what a running clock makes of it; every scan stays."""
    shop = xhs()
    set_dispatch_mode(store_id=shop.pk, mode="spot", origin="浙江", by="user:1", at=PAID)
    ensure_months(PAID.date() - timedelta(days=31), PAID.date() + timedelta(days=62))
    of = order(shop)
    box = parcel_of(of, said=PAID + 2 * HOUR, region="浙江省", told=PAID + 2 * HOUR)
    told = [one.rsplit(" ", 1) for one in row["scans"].split(", ")]
    for hours, status in told:
        at = PAID + int(hours) * HOUR
        bulk.execute(
            """INSERT INTO shipping_trackingevent (parcel_id, at, status, raw_status, place, seen_at, source)
               VALUES (%s, %s, %s, %s, '', %s, 'test')""", (box.pk, at, status, status, at)
        )  # fmt: skip
    delivered = [int(hours) for hours, status in told if status == "delivered"]
    back = any(status == "returned_to_sender" for _hours, status in told)
    if delivered:
        Parcel.objects.filter(pk=box.pk).update(
            delivered_at=PAID + delivered[0] * HOUR, state="returned_to_sender" if back else "delivered", handed_over_at=None
        )
    at = PAID + 71 * HOUR
    reckon_clocks(at=at)
    find_parcel_faults(at=at)
    assert [kind for kind in kinds(box) if kind != "parcel_without_scan"] == ([row["found"]] if row["found"] else [])
    for one in open_findings([shop.pk]):
        sentence, advice = finding_words(one.kind, one.params, zone="Asia/Shanghai")
        assert "%(" not in sentence and "–" not in sentence and advice
    clock = Clock.objects.filter(thing_kind="parcel", kind__in=("pickup", "hub", "stall")).first()
    assert (clock.kind if clock else "") == row["clock"]
    if clock:
        assert clock.started_at == PAID + int(row["starts"]) * HOUR and set(clock.why.split(",")) - {""} == set(row["says"].split(",")) - {""}
    assert bulk.fetch("SELECT count(*) FROM shipping_trackingevent WHERE parcel_id = %s", (box.pk,))[0][0] == len(told)


@pytest.mark.parametrize(("zone", "first", "then"), [
    ("Asia/Shanghai", "2026-03-29 08:30", "2026-03-29 17:15"),
    ("Europe/London", "2026-03-29 00:30", "2026-03-29 10:15"),  # the clocks went forward between the two
    ("America/New_York", "2026-03-28 20:30", "2026-03-29 05:15"),
])  # fmt: skip
def test_times_of_scans_are_told_on_the_stores_clock(zone, first, then):
    params = {"number": "YT1", "order": "A-1", "first": "2026-03-29 00:30", "then": "2026-03-29 09:15"}
    sentence, _advice = finding_words("delivered_before_pickup", params, zone=zone)
    assert sentence == f"Parcel YT1 of order A-1 was delivered at {first}, before a carrier picked it up at {then}"


@pytest.mark.parametrize("row", STORIES["Two places at once"].tables["place"], ids=lambda row: f"{row['place']} {row['other place']} {row['seconds apart']}")
def test_two_places_at_once(row):
    shop = xhs()
    ensure_months(PAID.date() - timedelta(days=31), PAID.date() + timedelta(days=62))
    of = order(shop)
    Order.objects.filter(pk=of.pk).update(country="GB")
    box = parcel_of(of, said=PAID + 2 * HOUR)
    moment = PAID + 5 * HOUR
    scans = [
        (box.pk, moment, "in_transit", "arrived", row["place"]),
        (box.pk, moment + timedelta(seconds=int(row["seconds apart"])), "in_transit", "arrived", row["other place"]),
    ]
    fresh, _changed = record_scans(scans, source="test", by="user:1", at=moment)
    assert fresh == 2, "nothing is lost"
    assert record_scans([*scans, (box.pk, moment, "in_transit", "arrived", "")], source="test", by="user:1", at=moment)[0] == 0
    find_parcel_faults(at=moment + HOUR)
    told = [one.params for one in open_findings([shop.pk], kind="two_places_at_once")]
    assert [" · ".join(sorted((one["place"], one["region"]), key=row["found"].find)) for one in told] == ([row["found"]] if row["found"] else [])
    for params in told:
        sentence, advice = finding_words("two_places_at_once", params, zone="Asia/Shanghai")
        assert "within the same minute" in sentence and "–" not in sentence and "Both scans are kept" in advice


def test_one_number_with_two_carriers():
    shop = xhs()
    first, second = (parcel_of(order(shop), said=PAID) for _ in range(2))
    Parcel.objects.filter(pk=first.pk).update(carrier="YTO", is_shared_number=True, number="SAME1")
    Parcel.objects.filter(pk=second.pk).update(carrier="ZTO", is_shared_number=True, number="SAME1")
    find_parcel_faults(at=PAID + HOUR)
    assert kinds(first) == kinds(second) == ["two_carriers"]
    sentence, _advice = finding_words("two_carriers", open_findings([shop.pk])[-1].params, zone="Asia/Shanghai")
    assert "with YTO, another parcel of this number with ZTO" in sentence
    Parcel.objects.filter(pk=second.pk).update(carrier="yto")
    find_parcel_faults(at=PAID + 2 * HOUR)
    assert kinds(first) == []
