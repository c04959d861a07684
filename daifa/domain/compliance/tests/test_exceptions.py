"""What platforms announce and buyers agree to: worked tables of docs/rules/clocks.md, and the statements against the rules."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from daifa.domain.compliance import announced, announced_queries, health, rules
from daifa.domain.compliance.announced import Announced
from daifa.domain.compliance.announced_commands import (
    NewAnnouncement,
    agree_dispatch,
    announce,
    withdraw_agreed,
    withdraw_announcements,
)
from daifa.domain.compliance.commands import reckon_clocks, set_dispatch_mode, store_lines, zone_of
from daifa.domain.compliance.models import AgreedDispatch, Announcement, Clock
from daifa.domain.compliance.queries import open_clocks
from daifa.domain.compliance.tests.test_reckoning import HOUR, PAID, order, parcel_of, xhs
from daifa.domain.orders.models import AddressVersion, Order
from daifa.domain.policy.book import shipped_book
from daifa.domain.policy.rules import judge
from daifa.lib.refusal import Refused
from tests import bought_orders
from tests.worked_tables import stories

STORIES = {story.title: story for story in stories("clocks.md")}
CHINA = "Asia/Shanghai"
DISPATCH = announced.GROUPS["dispatch"][1]


def local(text):
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo(CHINA))


def day(text):
    return date.fromisoformat(text)


LINES = {
    "48 h": rules.ClockLine("r", "dispatch", "spot", 48 * 3600), "same day": rules.ClockLine("r", "dispatch", "same_day", None, by_end_of_day=True),
    "2 days": rules.ClockLine("r", "dispatch", "spot", None, days=2, calendar="CN"),
    "presale": rules.ClockLine("r", "dispatch", "presale", 48 * 3600, until=date(2026, 6, 20)),
}  # fmt: skip


@pytest.mark.parametrize("row", STORIES["What was announced"].tables["line"], ids=lambda row: " ".join(row.values()))
def test_what_was_announced(row):
    found = []
    for number, entry in enumerate(filter(None, row["announced"].split("; ")), 1):
        effect, days, *more = entry.split(" ")
        first, _dots, last = days.partition("..")
        found.append(
            Announced(
                ("dispatch",), day(first), day(last), effect, id=number, goes_by="due" if "due" in more else "start",
                until=next((day(one[6:]) for one in more if one.startswith("until=")), None),
                seconds=next((int(one[6:]) * 3600 for one in more if one.startswith("hours=")), None),
            )
        )  # fmt: skip
    due, why = rules.due_at(LINES[row["line"]], local(row["paid"]), zone=CHINA, exceptions=found)
    assert (due, why) == (local(row["due"]), row["why"])


@pytest.mark.parametrize("row", STORIES["Where it holds"].tables["regions"], ids=lambda row: " ".join(row.values()))
def test_where_it_holds(row):
    one = Announced(
        ("dispatch",), day("2026-06-01"), day("2026-06-02"), countries=tuple(row["countries"].split()), regions=tuple(row["regions"].split()),
        side=row["side"],
    )  # fmt: skip
    country, region, city = [*row["buyer"].split(" "), "", "", ""][:3]
    assert announced.is_there(one, country=country.strip("-"), region=region, city=city, origin=row["from"]) == (row["holds"] == "yes")


def test_rules_that_let_a_buyer_agree_are_in_the_book():
    book = {one.id: judge(one, date(2026, 6, 1)) for one in shipped_book().rules.values()}
    assert set(announced.AGREED_BY) <= set(book)
    assert announced.agreed_kinds({"xhs-late-rate-formula": book["xhs-late-rate-formula"]}, own_site=False) == {"dispatch"}
    assert announced.agreed_kinds({}, own_site=False) == frozenset()
    assert announced.agreed_kinds({}, own_site=True) == {"ship_by", "ship_by_law", "deliver_by_law"}


def entered(**fields):
    given = {
        "channel": "xiaohongshu", "title": "Typhoon", "source": "notice 17", "kinds": DISPATCH, "effect": "pause",
        "first": day("2026-06-02"), "last": day("2026-06-04"),
    } | fields  # fmt: skip
    return announce(NewAnnouncement(**given), by="user:1", at=PAID)


def clock_of(of, kind="dispatch"):
    return Clock.objects.get(order=of, kind=kind, thing_kind="order")


@pytest.mark.django_db
def test_a_pause_in_a_region_moves_its_orders_and_the_clock_says_why():
    shop = xhs()
    set_dispatch_mode(store_id=shop.pk, mode="spot", by="user:1", at=PAID)
    there, elsewhere = order(shop), order(shop)
    AddressVersion.objects.filter(order=there).update(region="浙江省", country="CN")
    AddressVersion.objects.filter(order=elsewhere).update(region="广东省", country="CN")
    row = entered(regions=["Zhejiang"], side="destination")
    assert row.regions == "浙江"
    reckon_clocks(at=PAID)
    assert (clock_of(there).due_at - PAID, clock_of(elsewhere).due_at - PAID) == (120 * HOUR, 48 * HOUR)
    assert clock_of(there).why == f"announced:{row.pk}"
    (told,) = [one for one in open_clocks([shop.pk]) if one.order_id == there.pk]
    assert told.sentences() == ["Moved by what the platform announced: Typhoon"]
    before = reckon_clocks(at=PAID)
    assert (before.changed, before.new, before.gone) == (0, 0, 0)
    assert withdraw_announcements([row.pk], by="user:1", at=PAID) == 1
    reckon_clocks(at=PAID, orders=[there.pk])
    assert clock_of(there).due_at - PAID == 48 * HOUR


@pytest.mark.django_db
def test_what_leaves_from_there_and_what_is_of_one_store():
    one, two = xhs(), xhs("blue")
    for shop in (one, two):
        set_dispatch_mode(store_id=shop.pk, mode="spot", origin="浙江" if shop == one else "广东", by="user:1", at=PAID)
    first, second = order(one), order(two)
    entered(regions=["浙江/杭州"], side="origin")
    entered(effect="extend", hours=72, store_id=two.pk, first=day("2026-06-01"), title="Granted")
    reckon_clocks(at=PAID)
    assert (clock_of(first).due_at - PAID, clock_of(second).due_at - PAID) == (48 * HOUR, 72 * HOUR), "of a city nobody said we are in"
    entered(regions=["浙江"], side="origin")
    reckon_clocks(at=PAID)
    assert clock_of(first).due_at - PAID == 120 * HOUR


@pytest.mark.django_db
def test_what_is_waived_costs_nothing_and_leaves_the_figures():
    shop = xhs()
    set_dispatch_mode(store_id=shop.pk, mode="spot", by="user:1", at=PAID)
    late = [order(shop, "790.10") for _ in range(12)]
    at = PAID + 50 * HOUR
    reckon_clocks(at=at)
    assert clock_of(late[0]).stake == 8 and health_of(shop, at)["xhs-rate-late-day"].events == 12
    entered(effect="waive", first=day("2026-06-03"), last=day("2026-06-03"), goes_by="due", leaves_out="lines")
    reckon_clocks(at=at)
    one = clock_of(late[0])
    assert (one.stake, one.due_at - PAID, one.state, one.why.startswith("announced:")) == (Decimal(0), 48 * HOUR, "overdue", True)
    assert Clock.objects.filter(kind="out_of_stock").count() == 12, "it falls due later: that is not waived"
    assert Clock.objects.filter(kind="out_of_stock", stake=0).count() == 0
    found = health.whole_health(shop.pk, at=at)
    assert {one.rule: one for one in found.metrics}["xhs-rate-late-day"].base == 0
    assert [(one.title, one.orders, one.leaves_out) for one in found.left_out] == [("Typhoon", 12, "lines")]


def health_of(shop, at):
    return {one.rule: one for one in health.health(shop.pk, at=at) if one.rule}


@pytest.mark.django_db
def test_parcels_of_the_days_left_out():
    shop = xhs()
    said = PAID + 2 * HOUR
    parcel_of(order(shop), said=said)
    at = PAID + 90 * HOUR
    assert health_of(shop, at)["xhs-rate-badtrack"].base == 1
    entered(kinds=announced.GROUPS["scans"][1], effect="none", leaves_out="lines", first=day("2026-06-01"), last=day("2026-06-01"))
    assert health_of(shop, at)["xhs-rate-badtrack"].base == 0


@pytest.mark.django_db
def test_a_buyer_agrees_to_a_later_dispatch():
    shop = xhs()
    set_dispatch_mode(store_id=shop.pk, mode="spot", by="user:1", at=PAID)
    one, late = order(shop), order(shop)
    until = PAID + 100 * HOUR
    agree_dispatch(order_id=one.pk, until=until, agreed_at=PAID + HOUR, proof="chat", said="fine with me", by="user:1", at=PAID + HOUR)
    agree_dispatch(order_id=late.pk, until=until, agreed_at=PAID + 60 * HOUR, proof="chat", by="user:1", at=PAID + 60 * HOUR)
    reckon_clocks(at=PAID + 60 * HOUR)
    assert (clock_of(one).due_at, clock_of(one).why, clock_of(one).state) == (until, "agreed", "running")
    assert (clock_of(late).due_at - PAID, clock_of(late).why) == (48 * HOUR, "agreed_too_late")
    assert not Clock.objects.filter(order=one, kind="out_of_stock").exists()
    assert {m.rule: m for m in health.health(shop.pk, at=PAID + 60 * HOUR) if m.rule}["xhs-rate-late-day"].base == 1, "it is not due yet"
    again = agree_dispatch(order_id=one.pk, until=until + HOUR, agreed_at=PAID + 2 * HOUR, proof="chat", by="user:1", at=PAID + 60 * HOUR)
    assert AgreedDispatch.objects.filter(order=one, withdrawn_at=None).get() == again
    withdraw_agreed([again.pk], by="user:1", at=PAID + 61 * HOUR)
    reckon_clocks(at=PAID + 61 * HOUR)
    assert clock_of(one).due_at - PAID == 48 * HOUR
    for wrong in (
        {"proof": " "}, {"until": PAID}, {"agreed_at": PAID + 100 * HOUR}, {"agreed_at": PAID - HOUR}, {"until": PAID + 5000 * HOUR}, {"order_id": 10**9},
    ):  # fmt: skip
        given = {"order_id": one.pk, "until": until, "agreed_at": PAID + HOUR, "proof": "chat"} | wrong
        with pytest.raises(Refused):
            agree_dispatch(**given, by="user:1", at=PAID + 61 * HOUR)
    Order.objects.filter(pk=one.pk).update(cancelled=2)
    with pytest.raises(Refused, match="has ended"):
        agree_dispatch(order_id=one.pk, until=until, agreed_at=PAID + HOUR, proof="chat", by="user:1", at=PAID + 61 * HOUR)


@pytest.mark.django_db
def test_where_rules_know_no_such_agreement_the_clock_says_so():
    shop = bought_orders.store("dy", channel="douyin", kind="marketplace", country="CN", currency="CNY")
    own = bought_orders.store("own", kind="own_site")
    one, two = order(shop), order(own)
    Order.objects.filter(pk=two.pk).update(country="US", ship_by_at=PAID + 40 * HOUR)
    for of in (one, two):
        agree_dispatch(order_id=of.pk, until=PAID + 900 * HOUR, agreed_at=PAID, proof="mail", by="user:1", at=PAID)
    reckon_clocks(at=PAID + HOUR)
    assert "agreed_not_counted" in clock_of(one).why and clock_of(one).due_at - PAID == 48 * HOUR
    assert {c.kind: (c.due_at - PAID, c.why) for c in Clock.objects.filter(order=two)} == {
        "ship_by": (900 * HOUR, "own_promise,agreed"), "ship_by_law": (900 * HOUR, "agreed")
    }  # fmt: skip


@pytest.mark.django_db
def test_a_presale_ships_by_its_day_and_the_strictest_line_counts():
    shop = xhs()
    set_dispatch_mode(store_id=shop.pk, mode="presale", ships_on=day("2026-06-20"), by="user:1", at=PAID)
    one, last = order(shop, "1000.00"), order(shop, paid=local("2026-06-20 20:00"))
    reckon_clocks(at=PAID)
    assert (clock_of(one).due_at, clock_of(one).why, clock_of(one).rule) == (local("2026-06-21 00:00"), "presale", "xhs-ship-spot-domestic")
    assert clock_of(one).stake == 50, "promised for 456 hours: five percent"
    assert (clock_of(last).due_at, clock_of(last).why) == (local("2026-06-22 20:00"), "")
    for wrong in ({"ships_on": None}, {"ships_on": day("2026-05-01")}, {"mode": "spot", "ships_on": day("2026-06-20")}):
        with pytest.raises(Refused):
            set_dispatch_mode(**{"store_id": shop.pk, "mode": "presale", "by": "user:1", "at": PAID} | wrong)


@pytest.mark.django_db
@pytest.mark.parametrize(("channel", "country"), [("xiaohongshu", "CN"), ("tiktok_shop", "US")])
def test_the_statements_move_clocks_as_the_rules_do(channel, country):
    """Random orders, announcements of all effects, places and lengths: due time, reasons and money are the same."""
    rng = random.Random(channel)
    shop = bought_orders.store("any", channel=channel, kind="marketplace", country=country, currency="CNY", timezone="America/New_York")
    zone = zone_of(channel, "America/New_York")
    places = [("CN", "浙江省", "杭州市"), ("CN", "广东省", "深圳"), ("US", "CA", "Los Angeles"), ("US", "", "Austin"), ("DE", "", "")]
    start = datetime(2026, 3, 1, tzinfo=UTC)
    for number in range(10):
        first = (start + timedelta(days=rng.randrange(60))).date()
        effect = rng.choice(["extend", "pause", "pause", "waive"])
        announce(
            NewAnnouncement(
                channel, f"n{number}", "x", DISPATCH, effect, first, first + timedelta(days=rng.randrange(9)),
                hours=rng.randrange(24, 200) if effect == "extend" else None,
                until=first + timedelta(days=rng.randrange(12)) if effect == "extend" else None, goes_by=rng.choice(["start", "due"]),
                countries=rng.choice([(), (), ("DE",), ("US",)]), regions=rng.choice([(), (), ("浙江/杭州",), ("US-CA", "广东")]), side="destination",
            ), by="user:1", at=PAID,
        )  # fmt: skip
    known = announced_queries.in_stores([shop], on=date(2026, 6, 1))
    compared = moved = 0
    for mode in ("spot", "same_day", "unknown"):
        set_dispatch_mode(store_id=shop.pk, mode=mode, by="user:1", at=PAID)
        Order.objects.update(cancelled=2)
        orders = {}
        for _ in range(40):
            paid = start + timedelta(minutes=rng.randrange(90_000))
            row = order(shop, paid=paid)
            country_, region, city = rng.choice(places)
            Order.objects.filter(pk=row.pk).update(country=country_)
            AddressVersion.objects.filter(order=row).update(country=country_, region=region, city=city, postcode="78701" if city == "Austin" else "")
            orders[row.pk] = paid, [one for one, _stores in known if announced.is_there(one, country=country_, region=region, city=city, postcode="78701" if city == "Austin" else "")]
        at = datetime(2026, 12, 24, tzinfo=UTC)
        reckon_clocks(at=at)
        lines = {line.rule: line for line in store_lines(shop, at=at)}
        for clock in Clock.objects.filter(kind__in=("dispatch", "carrier_scan"), order_id__in=list(orders)):
            paid, mine = orders[clock.order_id]
            line = lines[clock.rule]
            due, why = rules.due_at(line, paid, zone=zone, exceptions=mine)
            assert (clock.due_at, clock.why) == (due, rules.joined(line.why, why)), (paid, line, [one for one in mine if one.id])
            compared += 1
            moved += "announced" in why
    assert compared >= 60 and moved >= 15, (compared, moved)


def test_what_cannot_be_announced(db):
    for wrong in (
        {"channel": "mars"}, {"title": " "}, {"source": ""}, {"effect": "magic"}, {"kinds": ["nap"]}, {"kinds": []}, {"effect": "none"},
        {"last": day("2026-06-01")}, {"last": day("2028-06-01")}, {"effect": "extend"}, {"hours": 5}, {"effect": "extend", "hours": 9999},
        {"effect": "extend", "until": day("2026-05-01")}, {"countries": ["Atlantis"]}, {"regions": ["Atlantis"]}, {"side": "above"}, {"goes_by": "x"},
    ):  # fmt: skip
        with pytest.raises(Refused) as refused:
            entered(**wrong)
        assert refused.value.sentence and refused.value.field
    assert not Announcement.objects.exists()
