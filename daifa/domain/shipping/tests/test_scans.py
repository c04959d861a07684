"""Runs docs/rules/tracking.md on real rows: in order, backwards, at once, twice."""

from datetime import timedelta

import pytest
from django.db import transaction

from daifa.domain.history.models import Transition
from daifa.domain.orders.models import Order
from daifa.domain.shipping import commands as shipping
from daifa.domain.shipping.models import Parcel, TrackingEvent
from daifa.domain.shipping.process import PARCEL
from tests import bought_orders
from tests.worked_tables import stories

pytestmark = pytest.mark.django_db

STORIES = stories("tracking.md")
START = bought_orders.PAID


def parcel_with_two_units() -> Parcel:
    order = bought_orders.order(bought_orders.store(), [("goods", 2, "10.00")])
    Order.objects.filter(pk=order.pk).update(allocated=2, purchased=2, accepted=2, shipped=2)
    order.lines.update(allocated=2, purchased=2, accepted=2, shipped=2)
    purchase = bought_orders.purchase(order, [(1, 2, "1.00", "0")])
    return bought_orders.parcel(purchase, {1: 2}, handed_over_at=START)


@pytest.mark.parametrize("way", ["as told", "backwards", "at once", "twice", "one by one twice"])
@pytest.mark.parametrize("story", STORIES, ids=[story.title for story in STORIES])
def test_the_stories_of_the_page(story, way):
    parcel = parcel_with_two_units()
    scans = [
        (parcel.pk, START + timedelta(hours=int(row["scan"])), row["status"], row["status"], "Leeds")
        for row in story.tables["scan"]
    ]
    files = {
        "as told": [[scan] for scan in scans],
        "backwards": [[scan] for scan in reversed(scans)],
        "at once": [scans],
        "twice": [scans, scans],
        "one by one twice": [[scan] for scan in [*scans, *reversed(scans)]],
    }[way]
    late = START + timedelta(days=9)
    delivered, returned, moving = [], [], []
    for file in files:
        with transaction.atomic():
            _, changed = shipping.record_scans(file, source="test", by="test", at=late)
        delivered += changed.delivered
        returned += changed.returned
        moving += changed.moving
    parcel.refresh_from_db()
    outcome = story.tables["outcome"][0]
    arrived = None if outcome["delivered after"] == "–" else START + timedelta(hours=int(outcome["delivered after"]))
    assert (parcel.state, parcel.delivered_at) == (outcome["outcome"], arrived)
    units = int(outcome["units delivered"])
    assert (parcel.order.lines.get().delivered, Order.objects.get().delivered) == (units, units)
    assert TrackingEvent.objects.filter(parcel_id=parcel.pk).count() == len(scans)
    # Facts: each at most once, and delivery exactly once where there was one.
    assert len(delivered) == (1 if arrived else 0)
    assert len(returned) == (1 if parcel.state == "returned_to_sender" else 0)
    assert len(moving) <= 1
    ways = list(Transition.objects.filter(kind=PARCEL.kind, thing=parcel.pk).values_list("state_from", "state_to"))
    assert all(after in PARCEL.next(before) for before, after in ways)


def test_a_parcel_lost_by_the_clock_turns_up_with_its_next_scan():
    parcel = parcel_with_two_units()
    Parcel.objects.filter(pk=parcel.pk).update(is_late=True, last_event_at=START)
    with transaction.atomic():
        assert shipping.find_lost(by="test", at=START + timedelta(days=60), limit=10) == [parcel.pk]
    scan = (parcel.pk, START + timedelta(days=61), "out_for_delivery", "", "")
    with transaction.atomic():
        shipping.record_scans([scan], source="test", by="test", at=START + timedelta(days=62))
    parcel.refresh_from_db()
    assert parcel.state == "out_for_delivery"


def test_the_same_scan_twice_in_one_file_is_one_scan():
    parcel = parcel_with_two_units()
    scan = (parcel.pk, START + timedelta(hours=3), "in_transit", "Departed", "Leeds")
    with transaction.atomic():
        fresh, _ = shipping.record_scans([scan, scan], source="test", by="test", at=START + timedelta(days=1))
    assert fresh == 1


def test_a_scan_from_another_year_finds_room():
    parcel = parcel_with_two_units()
    scan = (parcel.pk, START.replace(year=1999), "in_transit", "", "")
    with transaction.atomic():
        assert shipping.record_scans([scan], source="test", by="test", at=START)[0] == 1
