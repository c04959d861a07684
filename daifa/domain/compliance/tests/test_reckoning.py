"""Clocks of real rows: the statements agree with the pure rules, and say what they did not know."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Min

from daifa.domain.aftersales.models import AftersaleCase, AftersaleLine
from daifa.domain.catalog.models import Product, Variant
from daifa.domain.compliance import announced, rules
from daifa.domain.compliance.commands import (
    find_parcel_faults,
    lines_since,
    reckon_clocks,
    set_dispatch_mode,
    zone_of,
)
from daifa.domain.compliance.dispatch_times import KINDS, Placed, dispatch_times
from daifa.domain.compliance.models import Clock, DispatchMode, Finding
from daifa.domain.compliance.queries import findings_by_kind, running_out, totals
from daifa.domain.orders.models import AddressVersion, Order
from daifa.domain.policy import queries as policy
from daifa.domain.shipping.models import DispatchNotice, Parcel, TrackingEvent
from daifa.domain.stores.models import Store
from daifa.lib import bulk
from daifa.lib.refusal import Refused
from tests import bought_orders
from tests.worked_tables import stories

pytestmark = pytest.mark.django_db

PAID = datetime(2026, 6, 1, 2, tzinfo=UTC)  # ten in the morning in China
HOUR = timedelta(hours=1)


def xhs(code="red", **fields):
    return bought_orders.store(
        code, channel="xiaohongshu", kind="marketplace", country="CN", currency="CNY", timezone="Europe/London", **fields
    )  # fmt: skip


def order(shop, amount="100.00", paid=PAID, **fields):
    return bought_orders.order(
        shop, [("goods", 2, amount)], placed_at=paid or PAID, paid_at=paid, currency=shop.currency, country=shop.country, **fields
    )  # fmt: skip


def parcel_of(of, *, said, told=None, scans=(), region=""):
    """A parcel with the whole order in it, scanned at (hours after `said`, status)."""
    Order.objects.filter(pk=of.pk).update(allocated=2, purchased=2, accepted=2, shipped=2)
    AddressVersion.objects.filter(order=of).update(region=region)
    box = Parcel.objects.create(
        store=of.store, order=of, supplier=bought_orders.supplier(), number=f"YT{of.pk:010d}", state="announced", announced_at=said
    )  # fmt: skip
    if told:
        DispatchNotice.objects.create(store=of.store, parcel=box, state="sent", at=told, sent_at=told)
    for hours, status in scans:
        at = said + hours * HOUR
        bulk.execute(
            """INSERT INTO shipping_trackingevent (parcel_id, at, status, raw_status, place, seen_at, source)
               VALUES (%s, %s, %s, %s, '', %s, 'test')""", (box.pk, at, status, status, at)
        )  # fmt: skip
    return box


def clocks(**where):
    return {one.kind: one for one in Clock.objects.filter(**where)}


def test_a_late_order_costs_and_goes_down_the_ladder():
    shop = xhs()
    set_dispatch_mode(store_id=shop.pk, mode="spot", by="user:1", at=PAID)
    order(shop, "790.10")
    reckon_clocks(at=PAID + 47 * HOUR)
    assert {k: (c.state, c.stake, c.due_at) for k, c in clocks().items()} == {
        "dispatch": ("running", Decimal(8), PAID + 48 * HOUR)
    }
    reckon_clocks(at=PAID + 49 * HOUR)
    assert {k: (c.state, c.stake) for k, c in clocks().items()} == {
        "dispatch": ("overdue", Decimal(8)), "out_of_stock": ("running", Decimal(40))
    }  # fmt: skip
    assert clocks()["out_of_stock"].due_at == PAID + 120 * HOUR
    reckon_clocks(at=PAID + 121 * HOUR)
    closing = clocks()["auto_close"]
    assert (closing.stake, closing.due_at) == (Decimal("790.10"), PAID + 48 * HOUR + timedelta(days=180))


def test_a_parcel_that_nobody_scans_then_stalls():
    shop = xhs()
    set_dispatch_mode(store_id=shop.pk, mode="spot", origin="浙江", by="user:1", at=PAID)
    said = PAID + 20 * HOUR
    silent = parcel_of(order(shop), said=said, told=said + HOUR)
    far = parcel_of(order(shop), said=said, scans=[(1, "handed_over"), (9, "in_transit")], region="广东省")
    remote = parcel_of(order(shop), said=said, scans=[(1, "handed_over"), (9, "in_transit")], region="新疆")
    fresh = parcel_of(order(shop), said=said, scans=[(1, "handed_over")], region="浙江")
    at = said + 100 * HOUR
    reckon_clocks(at=at)
    assert Clock.objects.filter(thing_kind="order").count() == 0, "everything has been announced"
    found = clocks(thing=silent.pk)
    assert {k: (c.due_at - said, c.state) for k, c in found.items()} == {
        "pickup": (25 * HOUR, "overdue"), "pickup_out_of_stock": (73 * HOUR, "overdue"), "pickup_fraud": (121 * HOUR, "running")
    }  # fmt: skip
    assert [found[k].stake for k in ("pickup", "pickup_out_of_stock", "pickup_fraud")] == [3, 5, 30]
    assert {k: c.due_at - said for k, c in clocks(thing=far.pk).items()} == {"stall": 81 * HOUR, "stall_fraud": 153 * HOUR}
    assert {k: c.due_at - said for k, c in clocks(thing=remote.pk).items()} == {"stall": 129 * HOUR}
    assert {k: c.due_at - said for k, c in clocks(thing=fresh.pk).items()} == {"hub": 25 * HOUR, "hub_fraud": 121 * HOUR}, "it was picked up"


def test_reckoning_again_changes_nothing_and_what_is_settled_goes():
    shop = xhs()
    first, second = order(shop), order(shop)
    at = PAID + 50 * HOUR
    assert reckon_clocks(at=at).new == 4
    again = reckon_clocks(at=at)
    assert (again.clocks, again.new, again.changed, again.gone) == (4, 0, 0, 0)
    Order.objects.filter(pk=first.pk).update(cancelled=2)
    Order.objects.filter(pk=second.pk).update(total_amount=Decimal("900"))
    after = reckon_clocks(at=at)
    assert (after.clocks, after.new, after.changed, after.gone) == (2, 0, 2, 2)


def test_another_stores_clocks_are_left_alone():
    one, two = xhs(), xhs("blue")
    order(one), order(two)
    reckon_clocks(at=PAID)
    assert reckon_clocks(at=PAID, stores=[one.pk]).gone == 0
    assert Clock.objects.count() == 2


def test_what_is_not_known_is_said_and_the_strictest_counts():
    shop = xhs()
    box = parcel_of(order(shop, paid=None), said=PAID + HOUR)
    unpaid = order(shop, paid=None)
    reckon_clocks(at=PAID + 2 * HOUR)
    (dispatch,) = Clock.objects.filter(order=unpaid)
    assert (dispatch.due_at - PAID, dispatch.why) == (48 * HOUR, "no_payment_time,mode_unknown")
    (pickup,) = Clock.objects.filter(thing_kind="parcel", thing=box.pk)
    assert (pickup.due_at - PAID, pickup.why) == (25 * HOUR, "no_payment_time,not_told,mode_unknown")


def test_scans_that_cannot_be_true_lose_nothing():
    shop = xhs()
    set_dispatch_mode(store_id=shop.pk, mode="spot", by="user:1", at=PAID)
    older = parcel_of(order(shop), said=PAID + HOUR, scans=[(-100, "handed_over"), (-90, "in_transit")])
    crossed = parcel_of(order(shop), said=PAID + HOUR, scans=[(5, "in_transit"), (7, "handed_over")])
    coming = parcel_of(order(shop), said=PAID + HOUR, scans=[(2, "handed_over"), (3, "in_transit"), (900, "in_transit")])
    reckon_clocks(at=PAID + 10 * HOUR)
    (pickup,) = Clock.objects.filter(thing=older.pk)
    assert (pickup.kind, pickup.why) == ("pickup", "not_told,scans_before_payment")
    (stall,) = Clock.objects.filter(thing=crossed.pk)
    assert (stall.kind, stall.due_at - PAID, stall.why) == ("stall", 56 * HOUR, "scans_contradict,origin_unknown")
    (stall,) = Clock.objects.filter(thing=coming.pk)
    assert stall.due_at - PAID == 52 * HOUR, "a scan from the future does not stop the clock"


def test_cases_wait_for_an_answer():
    shop = xhs()
    waiting = order(shop, "80.00")
    gone = order(shop, "80.00")
    Order.objects.filter(pk=gone.pk).update(allocated=2, purchased=2, accepted=2, shipped=2)
    for of, kind in ((waiting, "refund"), (gone, "return")):
        case = AftersaleCase.objects.create(store=shop, order=of, kind=kind, state="requested", reason="other", opened_at=PAID)
        AftersaleLine.objects.create(case=case, order_line=of.lines.get(), quantity=1)
    reckon_clocks(at=PAID + HOUR)
    found = {c.kind: (c.due_at - PAID, c.stake) for c in Clock.objects.filter(thing_kind="case")}
    assert found == {"answer_unshipped": (24 * HOUR, Decimal(40)), "answer_shipped": (36 * HOUR, Decimal(40))}


def test_a_variant_shipped_another_way():
    shop = xhs()
    product = Product.objects.create(handle="milk", title="Milk", created_at=PAID)
    milk = Variant.objects.create(product=product, sku="MILK", created_at=PAID)
    set_dispatch_mode(store_id=shop.pk, mode="direct", by="user:1", at=PAID)
    set_dispatch_mode(store_id=shop.pk, mode="bonded", variants=[milk.pk], by="user:1", at=PAID)
    plain, bonded = order(shop), order(shop)
    bonded.lines.update(variant=milk)
    reckon_clocks(at=PAID)
    due = {c.order_id: (c.due_at - PAID, c.why) for c in Clock.objects.filter(kind="dispatch")}
    assert due == {plain.pk: (120 * HOUR, ""), bonded.pk: (72 * HOUR, "")}


def test_an_own_site_lives_under_the_law_of_its_buyers():
    shop = bought_orders.store("own", kind="own_site")
    order(shop)
    Order.objects.update(country="US", ship_by_at=PAID + 40 * HOUR)
    order(shop)
    Order.objects.filter(country="").update(country="GB")
    german = order(shop)
    Order.objects.filter(pk=german.pk).update(country="DE")
    reckon_clocks(at=PAID + HOUR)
    found = sorted((c.order.country, c.kind, c.due_at - PAID) for c in Clock.objects.all())
    assert found == [
        ("DE", "deliver_by_law", timedelta(days=30)), ("DE", "ship_by", 48 * HOUR),
        ("GB", "deliver_by_law", timedelta(days=30)), ("GB", "ship_by", 48 * HOUR),
        ("US", "ship_by", 40 * HOUR), ("US", "ship_by_law", timedelta(days=30)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("channel", "country", "zone"),
    [("xiaohongshu", "CN", "UTC"), ("tiktok_shop", "US", "America/New_York"), ("wechat_store", "CN", "Europe/London")],
)
def test_the_statements_say_what_the_rules_say(channel, country, zone):
    """Random orders over a year of clock changes and holidays, each way of dispatch: due time and reasons are the same."""
    rng = random.Random(channel)
    shop = bought_orders.store("any", channel=channel, kind="marketplace", country=country, currency="CNY", timezone=zone)
    zone = zone_of(channel, zone)
    extensions = [one for one in announced.shipped() if one.channel == channel]
    compared = 0
    for mode, _word in rules.MODES:
        hours = 150 if mode == "promised" else rng.choice([None, 30])
        ships_on = date(2026, 7, 20) if mode == "presale" else None
        set_dispatch_mode(
            store_id=shop.pk, mode=mode, hours=None if mode == "unknown" else hours, ships_on=ships_on, by="user:1", at=PAID
        )
        Order.objects.update(cancelled=2)
        paid = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=rng.randrange(500_000)) for _ in range(12)]
        orders = {order(shop, paid=moment).pk: moment for moment in paid}
        at = datetime(2026, 12, 24, tzinfo=UTC)
        reckon_clocks(at=at)
        lines = lines_since(shop, at=at)
        for clock in Clock.objects.filter(kind__in=("dispatch", "carrier_scan")):
            day = orders[clock.order_id].astimezone(ZoneInfo(zone)).date()
            (line,) = [one for one in lines if one.rule == clock.rule and one.kind == clock.kind and one.holds_on(day)]
            moment, why = rules.due_at(line, orders[clock.order_id], zone=zone, exceptions=extensions)
            assert (clock.due_at, clock.why) == (moment, rules.joined(line.why, why))
            if line.penalty is not None:
                assert clock.stake == rules.compensation(clock.order.total_amount, line.penalty)
            compared += 1
    assert compared >= 7 * 12


def due_before_any_clock(store, *, at):
    """What `dispatch_times` says of every order of a store, without a clock."""
    rows = list(Order.objects.filter(store=store).prefetch_related("lines"))
    placed = [
        Placed(one.pk, store.pk, one.paid_at, one.placed_at, one.ship_by_at, one.country, [x.variant_id for x in one.lines.all()])
        for one in rows
    ]
    return dispatch_times({store.pk: store}, placed, at=at)


@pytest.mark.parametrize(
    ("channel", "kind", "country"),
    [("xiaohongshu", "marketplace", "CN"), ("tiktok_shop", "marketplace", "US"), ("amazon", "marketplace", "US"), ("own", "own_site", "GB")],
)
def test_routing_hears_what_the_clocks_will_say(channel, kind, country):
    """Before a reckoning the times for dispatch are those of the tightest clock after it, in every way of dispatch."""
    rng = random.Random(channel)
    shop = bought_orders.store("any", channel=channel, kind=kind, country=country, currency="CNY", timezone="Asia/Shanghai")
    product = Product.objects.create(handle="milk", title="Milk", created_at=PAID)
    milk = Variant.objects.create(product=product, sku="MILK", created_at=PAID)
    at = datetime(2026, 2, 20, tzinfo=UTC)
    compared = 0
    for mode, _word in rules.MODES:
        hours = 150 if mode == "promised" else rng.choice([None, 30])
        set_dispatch_mode(
            store_id=shop.pk, mode=mode, hours=None if mode == "unknown" else hours,
            ships_on=date(2026, 3, 1) if mode == "presale" else None, by="user:1", at=at,
        )  # fmt: skip
        set_dispatch_mode(store_id=shop.pk, mode="bonded", variants=[milk.pk], by="user:1", at=PAID)
        Order.objects.all().delete()
        for number in range(8):
            moment = at - timedelta(minutes=rng.randrange(20_000))
            one = order(shop, paid=moment if number % 3 else None)
            Order.objects.filter(pk=one.pk).update(
                placed_at=moment - HOUR, country=rng.choice(["US", "DE", "CN", ""]),
                ship_by_at=rng.choice([None, moment + 20 * HOUR]),
            )  # fmt: skip
            if number % 2:
                one.lines.update(variant=milk)
        before = due_before_any_clock(shop, at=at)
        reckon_clocks(at=at)
        clocks = Clock.objects.filter(thing_kind="order", acts=True, kind__in=KINDS)
        after = dict(clocks.values_list("order_id").annotate(due_at=Min("due_at")))
        assert {one: due for one, (due, _rule) in before.items()} == after
        compared += len(after)
    assert compared >= 8 * 5


def test_a_way_of_dispatch_that_cannot_be():
    shop = xhs()
    for wrong in ({"mode": "teleport"}, {"mode": "promised"}, {"mode": "spot", "hours": 0}, {"mode": "spot", "origin": "Mars"}):
        with pytest.raises(Refused):
            set_dispatch_mode(store_id=shop.pk, by="user:1", at=PAID, **wrong)
    assert not DispatchMode.objects.exists()
    set_dispatch_mode(store_id=shop.pk, mode="spot", by="user:1", at=PAID)
    set_dispatch_mode(store_id=shop.pk, mode="unknown", by="user:1", at=PAID)
    assert not DispatchMode.objects.exists()
    assert Store.objects.get(pk=shop.pk) and not TrackingEvent.objects.exists()


def test_floor_and_cap_count_for_orders_in_their_own_currency_only():
    shop = xhs()
    set_dispatch_mode(store_id=shop.pk, mode="spot", by="user:1", at=PAID)
    home, abroad = order(shop, "100.00"), order(shop, "100.00")
    Order.objects.filter(pk=abroad.pk).update(currency="GBP")
    other = xhs("pounds")
    Store.objects.filter(pk=other.pk).update(currency="GBP")
    set_dispatch_mode(store_id=other.pk, mode="spot", by="user:1", at=PAID)
    yuan = order(other, "100.00")
    Order.objects.filter(pk=yuan.pk).update(currency="CNY")
    reckon_clocks(at=PAID)
    found = {c.order_id: (c.stake, c.currency, c.why) for c in Clock.objects.filter(kind="dispatch")}
    assert found == {
        home.pk: (Decimal(3), "CNY", ""), abroad.pk: (Decimal(1), "GBP", "limits_in_other_currency"), yuan.pk: (Decimal(3), "CNY", "")
    }  # fmt: skip


@pytest.mark.parametrize(("currency", "paid", "late", "tracking"), [
    ("JPY", "1250", "13", "375"), ("JPY", "149", "1", "45"), ("GBP", "12.50", "0.13", "3.75"), ("KWD", "12.550", "0.126", "3.765"),
])  # fmt: skip
def test_compensation_is_told_to_the_smallest_coin(currency, paid, late, tracking):
    shop = xhs()
    Store.objects.filter(pk=shop.pk).update(currency=currency)
    set_dispatch_mode(store_id=shop.pk, mode="spot", by="user:1", at=PAID)
    one = order(shop, paid)
    Order.objects.filter(pk=one.pk).update(currency=currency)
    reckon_clocks(at=PAID)
    assert Clock.objects.get(kind="dispatch").stake == Decimal(late)
    box = parcel_of(one, said=PAID)
    find_parcel_faults(at=PAID + 90 * HOUR)
    assert Finding.objects.get(parcel=box).stake == Decimal(tracking)
    book = {rule.id: rule for rule in policy.rules("xiaohongshu", on=PAID.date())}
    for loss, told in (("late", late), ("bad_tracking", tracking)):
        penalty, _why = rules.in_currency(rules.penalty_for(loss, 48, book), currency)
        assert rules.compensation(Decimal(paid), penalty) == Decimal(told), "one rule for one order and for all"


@pytest.mark.parametrize(
    "row", {story.title: story for story in stories("clocks.md")}["What it is taken of"].tables["goods"], ids=lambda row: " ".join(row.values())
)
def test_what_compensation_is_taken_of(row):
    shop = xhs()
    set_dispatch_mode(store_id=shop.pk, mode="spot", by="user:1", at=PAID)
    paid, discounts, names = Decimal(row["paid"]), Decimal(row["discounts"]), row["goods"].split(", ")
    one = bought_orders.order(
        shop, [("goods", 1, str(paid + discounts))] * len(names), placed_at=PAID, paid_at=PAID, currency="CNY", country="CN",
        total_amount=paid, other_amount=-discounts, units=2,
    )  # fmt: skip
    for number, name in enumerate(names, 1):
        one.lines.filter(line_no=number).update(title=name)
    reckon_clocks(at=PAID)
    clock = Clock.objects.get(kind="dispatch")
    assert (clock.stake, clock.why) == (Decimal(row["compensation"]), "discounts_counted" if paid and discounts else "")
    box = parcel_of(one, said=PAID)
    find_parcel_faults(at=PAID + 90 * HOUR)
    penalty = rules.penalty_for("bad_tracking", 48, {rule.id: rule for rule in policy.rules("xiaohongshu", on=PAID.date())})
    assert Finding.objects.get(parcel=box).stake == rules.compensation(paid, penalty, discounts=discounts, titles=names)


def test_sums_count_each_loss_of_an_order_once():
    shop = xhs()
    set_dispatch_mode(store_id=shop.pk, mode="spot", by="user:1", at=PAID)
    order(shop, "790.10")  # late costs 8, out of stock 40: whoever is out of stock does not pay for being late as well
    at = PAID + 100 * HOUR
    reckon_clocks(at=at)
    assert totals([shop.pk], at=at).stakes == {"CNY": Decimal(40)}
    assert {due.kind: due.stake for due in running_out([shop.pk], at=at)} == {"dispatch": None, "out_of_stock": Decimal(40)}
    assert totals([shop.pk], at=PAID + 30 * HOUR).stakes == {"CNY": Decimal(8)}, "while only the first runs out, that one"
    Order.objects.update(cancelled=2)
    two = order(shop, "790.10")
    for number in ("A", "B"):  # two parcels of one order, never scanned: one compensation for the order
        box = parcel_of(two, said=PAID)
        Parcel.objects.filter(pk=box.pk).update(number=number)
    reckon_clocks(at=at)
    find_parcel_faults(at=at)
    (only,) = {one.stake for one in Clock.objects.filter(kind="pickup_out_of_stock")}
    assert totals([shop.pk], at=at).stakes == {"CNY": max(one.stake for one in Clock.objects.filter(due_at__lte=at + 24 * HOUR))}
    assert only == Decimal(40)
    (found,) = findings_by_kind([shop.pk])
    assert (found[3], found[4]) == (2, Decimal(200)), "two parcels, 30 % at most 200 once"
