"""A changed rule decides about what begins from its day on, and about nothing before: docs/rules/clocks.md, 0."""

import random
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from daifa.domain.aftersales.models import AftersaleCase
from daifa.domain.compliance import health, rules
from daifa.domain.compliance.commands import in_market, reckon_clocks, set_dispatch_mode
from daifa.domain.compliance.dispatch_times import Placed, dispatch_times
from daifa.domain.compliance.models import Clock
from daifa.domain.orders.models import Order
from daifa.domain.policy import queries as policy
from daifa.domain.policy.book import shipped_files
from daifa.domain.policy.commands import NewOverride, override_rules, take_book
from daifa.domain.shipping.models import DispatchNotice, Parcel
from daifa.lib import bulk
from tests import bought_orders
from tests.worked_tables import stories

pytestmark = pytest.mark.django_db
CHINA = ZoneInfo("Asia/Shanghai")
ROWS = {story.title: story for story in stories("clocks.md")}["When a rule changes"].tables["rule"]
LONG_AGO = datetime(2026, 3, 1, tzinfo=UTC)


def local(text):
    return datetime.strptime(text if " " in text else f"{text} 12:00", "%Y-%m-%d %H:%M").replace(tzinfo=CHINA)


def shop(code="red"):
    found = bought_orders.store(code, channel="xiaohongshu", kind="marketplace", country="CN", currency="CNY", timezone="Europe/London")
    set_dispatch_mode(store_id=found.pk, mode="spot", by="user:1", at=LONG_AGO)
    return found


def order(store, paid, **fields):
    return bought_orders.order(store, [("goods", 2, "100.00")], placed_at=paid, paid_at=paid, currency="CNY", country="CN", **fields)


def parcel(of, told):
    Order.objects.filter(pk=of.pk).update(allocated=2, purchased=2, accepted=2, shipped=2)
    box = Parcel.objects.create(
        store=of.store, order=of, supplier=bought_orders.supplier(), number=f"YT{of.pk:010d}", state="announced", announced_at=told
    )
    DispatchNotice.objects.create(store=of.store, parcel=box, state="sent", at=told, sent_at=told)
    return box


def word(rule, hours, first, last=None, store=None):
    done = override_rules(
        [NewOverride(rule, "read it", first, {"threshold": str(hours)}, store_id=store, valid_until=last)], by="user:1", at=LONG_AGO
    )
    assert not done.refused, done.refused


def book(rule, hours, first):
    """A next version of the book that says so from that day on."""
    text = shipped_files()["xiaohongshu.yaml"].decode()
    changed = re.sub(rf"(- id: {rule}\n(?:  .*\n)*?  threshold: )\d+", rf"\g<1>{hours}", text)
    assert changed != text
    take_book(by="user:1", at=LONG_AGO, own={})
    taken = take_book(by="user:1", at=LONG_AGO, own={"xiaohongshu.yaml": changed.encode()}, takes_effect_on=first)
    assert taken.is_new and not taken.problems


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row.values()))
def test_the_text_of_its_time(row):
    store, start, at = shop(), local(row["start"]), local(row["reckoned"])
    if row["change"]:
        how, hours, _from, first, *last = row["change"].split()
        days = [date.fromisoformat(first), *map(date.fromisoformat, last[1:])]
        {"word": word, "book": book}[how](row["rule"], hours, *days)
    if row["clock"] == "pickup":
        parcel(order(store, start - timedelta(hours=20)), start)
    elif row["clock"] == "answer_unshipped":
        AftersaleCase.objects.create(
            store=store, order=order(store, start - timedelta(hours=20)), kind="refund", state="requested", reason="changed_mind", opened_at=start
        )
    else:
        one = order(store, start)
        told = dispatch_times({store.pk: store}, [Placed(one.pk, store.pk, start, start, one.ship_by_at, "CN", [])], at=at)
        assert told[one.pk][0] == local(row["due"])
    reckon_clocks(at=at)
    assert Clock.objects.get(kind=row["clock"]).due_at == local(row["due"])
    assert row["clock"] == "ship_by" or Clock.objects.filter(rule=row["rule"]).exists()


def test_any_words_and_books_at_any_time():
    """Random words about all or one store, and a book: each order is judged by the book of its own day, whenever it is reckoned."""
    rng = random.Random(8)
    store, other = shop(), shop("blue")
    book("xhs-ship-spot-domestic", 60, date(2026, 6, 14))
    for _ in range(12):
        first = date(2026, 6, 1) + timedelta(days=rng.randrange(40))
        word(
            rng.choice(["xhs-ship-spot-domestic", "xhs-ship-spot-domestic", "xhs-comp-late-le48", "xhs-comp-late-48to168"]),
            rng.randrange(20, 90), first, rng.choice([None, first + timedelta(days=rng.randrange(6))]), rng.choice([None, store.pk, other.pk]),
        )  # fmt: skip
    orders = {}
    for _ in range(80):
        paid = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(minutes=rng.randrange(45 * 1440))
        orders[order(rng.choice([store, other]), paid).pk] = paid
    before = {}
    for at in (datetime(2026, 7, 20, tzinfo=UTC), datetime(2026, 8, 30, tzinfo=UTC)):
        reckon_clocks(at=at)
        found = {clock.order_id: clock for clock in Clock.objects.filter(kind="dispatch")}
        assert found.keys() == orders.keys()
        for one, clock in found.items():
            day = orders[one].astimezone(CHINA).date()
            text = in_market(policy.rules("xiaohongshu", on=day, store_id=clock.store_id), "CN")
            (line,) = [line for line in rules.lines_of(text, [("spot", None)], country="CN") if line.kind == "dispatch"]
            assert clock.due_at == rules.due_at(line, orders[one], zone="Asia/Shanghai")[0]
            assert clock.stake == rules.compensation(Decimal(100), line.penalty)
        assert not before or {one: (c.due_at, c.stake) for one, c in found.items()} == before
        before = {one: (c.due_at, c.stake) for one, c in found.items()}
        placed = [Placed(one, c.store_id, orders[one], orders[one], None, "CN", []) for one, c in found.items()]
        told = dispatch_times({store.pk: store, other.pk: other}, placed, at=at)
        assert {one: due for one, (due, _rule) in told.items()} == {one: due for one, (due, _stake) in before.items()}
    assert len({(due - orders[one]) for one, (due, _stake) in before.items()}) > 4


def test_a_confirmation_of_today_lets_the_same_text_act_for_what_began_before():
    store = shop()
    order(store, local("2026-09-09 10:00"))
    rule = policy.rule("xhs-ship-spot-domestic", on=date(2026, 6, 9))
    unread = NewOverride(rule.id, "a copy", date(2026, 6, 1), {"confidence": "medium", "source": "x", "as_of": "2025-11-01"})
    assert not override_rules([unread], by="user:1", at=LONG_AGO).refused
    reckon_clocks(at=local("2026-09-10"))
    assert not Clock.objects.get(kind="dispatch").acts, "older than half a year and nobody looked"
    done = override_rules([NewOverride(rule.id, "still so", date(2026, 9, 10))], by="user:1", at=local("2026-09-10"))
    assert not done.refused
    reckon_clocks(at=local("2026-09-10"))
    assert Clock.objects.get(kind="dispatch").acts


def late(store, at):
    return next((one.events, one.base) for one in health.health(store.pk, at=at) if one.rule == "xhs-rate-late-day")


def filled(box):
    bulk.execute(
        """INSERT INTO shipping_parcelline (parcel_id, purchase_line_id, order_line_id, quantity, order_quantity)
           SELECT %s, (SELECT min(id) FROM purchasing_purchaseline), l.id, 2, 2 FROM orders_orderline l WHERE l.order_id = %s""",
        (box.pk, box.order_id),
    )


@pytest.fixture
def bought():
    bought_orders.purchase(bought_orders.order(bought_orders.store("other"), [("goods", 1, "1.00")]), [(1, 1, "1.00", "0")])


def test_health_judges_each_order_by_its_own_text(bought):
    store = shop()
    filled(parcel(order(store, local("2026-06-09 10:00")), local("2026-06-11 02:00")))  # after 40 hours
    word("xhs-ship-spot-domestic", 24, date(2026, 6, 10))
    assert late(store, local("2026-06-11 20:00")) == (0, 1)
    filled(parcel(order(store, local("2026-06-10 10:00")), local("2026-06-11 16:00")))
    assert late(store, local("2026-06-11 20:00")) == (1, 2)


def test_replacing_a_lost_parcel_makes_no_order_late(bought):
    store = shop()
    one = order(store, local("2026-06-09 10:00"))
    box = parcel(one, local("2026-06-10 10:00"))
    filled(box)
    assert late(store, local("2026-06-11 20:00")) == (0, 1)
    Parcel.objects.filter(pk=box.pk).update(state="lost")
    again = Parcel.objects.create(
        store=store, order=one, supplier=box.supplier, number="YT2", state="announced", announced_at=local("2026-06-11 15:00")
    )
    filled(again)
    assert late(store, local("2026-06-11 20:00")) == (0, 1)
    # A second parcel with the rest of the goods is a dispatch: only the whole order counts.
    bulk.execute("UPDATE shipping_parcelline SET order_quantity = 1, quantity = 1 WHERE parcel_id IN (%s, %s)", (box.pk, again.pk))
    assert late(store, local("2026-06-11 20:00")) == (1, 1)
