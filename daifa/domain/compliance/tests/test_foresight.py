"""A foresight is the clocks under the new book less the clocks under the old one: on generated histories, the slow way."""

import random
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from daifa.domain.aftersales.models import AftersaleCase
from daifa.domain.catalog.models import Product, Variant
from daifa.domain.compliance import announced_commands, commands, foresight, rules
from daifa.domain.compliance.announced_commands import NewAnnouncement
from daifa.domain.compliance.commands import set_dispatch_mode
from daifa.domain.compliance.foresight import NAMED, Touched, Turn
from daifa.domain.compliance.models import Clock, DispatchMode
from daifa.domain.orders.models import AddressVersion, Order
from daifa.domain.policy import queries as policy
from daifa.domain.shipping.models import DispatchNotice, Parcel
from daifa.lib import bulk
from tests import bought_orders

pytestmark = pytest.mark.django_db
AT = datetime(2026, 6, 20, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLACES = ("浙江省", "广东省", "新疆维吾尔自治区", "")
SHOPS = [
    {"channel": "xiaohongshu", "country": "CN", "currency": "CNY", "kind": "marketplace"},
    {"channel": "xiaohongshu", "country": "CN", "currency": "CNY", "kind": "marketplace"},
    {"channel": "tiktok_shop", "country": "US", "currency": "USD", "kind": "marketplace"},
    {"channel": "manual", "country": "US", "currency": "USD", "kind": "own_site"},
]


def shop_of(rng):
    """A store that ships in one way, in none it has said, or in several by what it sells."""
    shop = bought_orders.store("any", timezone="Europe/London", **rng.choice(SHOPS))
    product = Product.objects.create(handle="milk", title="Milk", created_at=AT)
    milk = Variant.objects.create(product=product, sku="MILK", created_at=AT)
    if mode := rng.choice(["", "spot", "spot", "bonded", "fast_24h", "same_day", "promised"]):
        set_dispatch_mode(store_id=shop.pk, mode=mode, hours=100 if mode == "promised" else None, origin=rng.choice(["浙江", ""]), by="user:1", at=AT)
    if rng.random() < 0.4:
        set_dispatch_mode(store_id=shop.pk, mode=rng.choice(["direct", "bonded"]), variants=[milk.pk], by="user:1", at=AT)
    return shop, milk


def fill(rng, shop, milk):
    """Orders, parcels with scans or none, cases, what a platform announced and what buyers agreed to."""
    for _number in range(rng.randrange(12, 30)):
        paid = AT - rng.uniform(0, 250) * HOUR
        bought = bought_orders.order(
            shop, [("goods", 1, f"{rng.choice([1, 33, 250, 700, 4000])}.{rng.randrange(100):02}"), ("goods", 1, "0.50")], placed_at=paid - HOUR,
            paid_at=rng.choice([paid, paid, None]), currency=rng.choice([shop.currency, shop.currency, "GBP"]),
            country=rng.choice([shop.country, "DE", "US"]), other_amount=rng.choice([0, 0, Decimal(-5)]),
        )  # fmt: skip
        AddressVersion.objects.filter(order=bought).update(region=rng.choice(PLACES))
        if rng.random() < 0.6:
            bought.lines.filter(line_no__lte=rng.choice([1, 2])).update(variant=milk)
        if rng.random() < 0.15:
            AftersaleCase.objects.create(
                store=shop, order=bought, kind="refund", state=rng.choice(["requested", "received"]), reason="changed_mind",
                opened_at=AT - rng.uniform(0, 80) * HOUR,
            )  # fmt: skip
        if rng.random() < 0.15:
            announced_commands.agree_dispatch(
                order_id=bought.pk, until=AT + rng.randrange(50) * HOUR, agreed_at=AT - rng.uniform(0, (AT - paid) / HOUR) * HOUR, proof="chat",
                by="user:1", at=AT,
            )  # fmt: skip
        if rng.random() < 0.5:
            continue
        Order.objects.filter(pk=bought.pk).update(allocated=2, purchased=2, accepted=2, shipped=2)
        said = paid + rng.uniform(0, 60) * HOUR
        box = Parcel.objects.create(
            store=shop, order=bought, supplier=bought_orders.supplier(), number=f"YT{bought.pk:010d}", state="announced", announced_at=said, units=2
        )
        if rng.random() < 0.8:
            DispatchNotice.objects.create(store=shop, parcel=box, state="sent", at=said, sent_at=said)
        for status in ("handed_over", "in_transit", "in_transit")[: rng.randrange(4)]:
            said += rng.uniform(1, 60) * HOUR
            bulk.execute(
                """INSERT INTO shipping_trackingevent (parcel_id, at, status, raw_status, place, seen_at, source)
                   VALUES (%s, %s, %s, %s, '', %s, 'test')""", (box.pk, said, status, status, said)
            )  # fmt: skip
    if shop.kind == "marketplace" and rng.random() < 0.7:
        first = (AT - timedelta(days=rng.randrange(1, 8))).date()
        given = {"effect": "pause"} if rng.random() < 0.7 else {"effect": "extend", "hours": 90}
        announced_commands.announce(
            NewAnnouncement(
                channel=shop.channel, title="Storm", source="notice 1", first=first, last=first + timedelta(days=2), kinds=["dispatch", "carrier_scan", "stall"],
                regions=rng.choice([(), ("广东",)]), **given,
            ), by="user:1", at=AT,
        )  # fmt: skip


def changed_texts(rng, texts, heard):
    """The texts after a day of change, and the rules that changed (most of them `heard` of in lines): other figures, other
    standing, gone, or new."""
    after, changed = {name: list(found) for name, found in texts.items()}, {}
    for _again in range(rng.randrange(1, 4)):
        name = rng.choice(sorted(after))
        able = [one for one in after[name] if foresight.bears_on_clocks(one) and one.id not in changed]
        if not able:
            continue
        rule = rng.choice([one for one in able if one.id in heard and rng.random() < 0.9] or able)
        how = rng.choice(["threshold", "threshold", "threshold", "cap" if foresight.is_money(rule) else "threshold", "informs", "gone", "new"])
        place = after[name].index(rule)
        if how == "gone":
            after[name].pop(place)
        elif how == "new":
            if rule.kind == "compensation":
                continue
            rule = replace(rule, id=f"{rule.id}-new", threshold=rule.threshold and rule.threshold * Decimal(rng.choice(["0.5", "2"])))
            after[name].append(rule)
        elif how == "informs":
            after[name][place] = replace(rule, verdict="" if rule.verdict else "unverified")
        elif how == "cap":
            after[name][place] = replace(rule, cap=Decimal(rng.choice([4, 20])), floor=Decimal(2))
        elif isinstance(rule.threshold, Decimal):
            after[name][place] = replace(rule, threshold=max(Decimal(1), (rule.threshold * Decimal(rng.choice(["0.25", "0.5", "0.75", "2"]))).quantize(Decimal(1))))
        else:
            continue
        changed[rule.id] = rule
    return after, list(changed.values())


def clocks_under(store, ways, texts):
    """Every clock of the store as if these texts had always counted: (lines, clocks)."""
    lines = commands.lines_under(store, ways, texts)
    commands.lay_out([store], at=AT, lines={store.id: lines})
    rows = bulk.fetch("SELECT order_id, thing_kind, thing, mode, kind, rule, due_at, coalesce(stake, 0), currency, acts FROM clock_now")
    for table in commands._TABLES:
        bulk.execute(f"DROP TABLE {table}")
    return lines, rows


def slowly(turn, sides):
    """What the changed rules of a turn do, clock by clock."""
    found = {rule.id: Touched() for rule in turn.changed}
    for rule in turn.changed:
        if foresight.is_money(rule):
            stakes_of(rule, turn, sides, found[rule.id])
        else:
            deadlines_of(rule, sides, found[rule.id])
    return found


def deadlines_of(rule, sides, one):
    places, hangs = (defaultdict(list), defaultdict(list)), {}
    for side, (_lines, clocks) in enumerate(sides):
        for order, thing_kind, thing, _mode, kind, by, due, stake, currency, acts in clocks:
            place = order, thing_kind, thing, "dispatch" if kind == "ship_by" else kind
            if acts:
                places[side][place].append((due, stake))
            if by == rule.id:
                hangs[place] = currency
    orders = defaultdict(lambda: [Counter(), None, {}, {}, ""])
    for place, currency in hangs.items():
        counts, soonest, overdue, relaxed, _currency = mine = orders[place[0]]
        was, would = (any(due <= AT for due, _stake in side[place]) for side in places)
        counts.update(clocks=1, overdue=would and not was, relaxed=was and not would)
        if after := places[1][place]:
            mine[1] = min([due for due, _stake in after] + ([soonest] if soonest else []))
        if would and not was:
            overdue[place] = max(stake for _due, stake in places[1][place])
        if was and not would:
            relaxed[place] = max(stake for _due, stake in places[0][place])
        mine[4] = currency
    numbers = dict(Order.objects.values_list("pk", "number"))
    by_currency = defaultdict(list)
    for order, (counts, soonest, overdue, relaxed, currency) in orders.items():
        one.orders += 1
        one.clocks += counts["clocks"]
        one.overdue += counts["overdue"]
        one.relaxed += counts["relaxed"]
        for money, stakes in ((one.overdue_money, overdue), (one.relaxed_money, relaxed)):
            if any(stakes.values()):
                money[currency] = money.get(currency, Decimal(0)) + max(stakes.values())
        by_currency[currency].append((not (counts["overdue"] or counts["relaxed"]), soonest is None, soonest or AT, order))
    for _currency, rows in sorted(by_currency.items()):
        one.named += [numbers[row[-1]] for row in sorted(rows)]
    one.named = one.named[:NAMED]


def stakes_of(rule, turn, sides, one):
    if rule.id in {found[0] for found in rules.COMPENSATIONS["bad_tracking"]}:
        return
    paid_by = set()
    for (lines, _clocks), books in zip(sides, (turn.before, turn.after), strict=True):
        known = {found.id for book in books.values() for found in book}
        for line in lines:
            by = rules.compensation_rule(rules.KINDS[line.kind].loss, line.promised_hours, known)
            if by and rule.id in (by, rules.WHOLE_YUAN):
                paid_by.add((line.mode, line.kind))
    losses = defaultdict(lambda: ([], [], [], []))  # before, after, and of those what has run out
    for side, (_lines, clocks) in enumerate(sides):
        for order, thing_kind, _thing, mode, kind, _by, due, stake, currency, acts in clocks:
            if acts and (mode, kind) in paid_by:
                losses[order, thing_kind, currency][side].append(stake)
                if due <= AT:
                    losses[order, thing_kind, currency][side + 2].append(stake)
    one.staked = len({key[0] for key in losses})
    one.owed = len({key[0] for key, found in losses.items() if found[2] or found[3]})
    owing = {key[2] for key, found in losses.items() if found[2] or found[3]}
    for key, found in losses.items():
        currency = key[2]
        for money, stakes, counts in (
            (one.before, found[0], True), (one.after, found[1], True), (one.owed_before, found[2], currency in owing), (one.owed_after, found[3], currency in owing),
        ):  # fmt: skip
            if counts:
                money[currency] = money.get(currency, Decimal(0)) + max(stakes, default=Decimal(0))


@pytest.mark.parametrize("seed", range(30))
def test_a_foresight_is_the_difference_of_the_clocks_under_both_books(seed):
    rng = random.Random(seed)
    shop, milk = shop_of(rng)
    fill(rng, shop, milk)
    (store,) = commands._stores([shop.pk])
    ways = commands.ways_of(DispatchMode.objects.filter(store_id=shop.pk).values_list("variant_id", "mode", "hours", "ships_on"))
    texts = {name: policy.rules(name, on=AT.date()) for name in commands.books_of(store)}
    turns = []
    for _day in range(rng.randrange(1, 5)):
        heard = {line.rule for line in commands.lines_under(store, ways, texts)}
        after, changed = changed_texts(rng, texts, heard | {one[0] for ladder in rules.COMPENSATIONS.values() for one in ladder})
        if changed:
            turns.append(Turn(texts, after, changed))
            texts = after
    found = foresight.as_if(shop.pk, turns, at=AT)
    for turn, touched in zip(turns, found, strict=True):
        assert touched == slowly(turn, [clocks_under(store, ways, side) for side in (turn.before, turn.after)])
    assert not Clock.objects.exists(), "a foresight keeps nothing"


def test_days_beyond_what_is_reckoned_at_once():
    """Many announced days in one go say the same as each by itself."""
    rng = random.Random(7)
    shop = bought_orders.store("any", timezone="Europe/London", **SHOPS[0])
    milk = Variant.objects.create(product=Product.objects.create(handle="milk", title="Milk", created_at=AT), sku="MILK", created_at=AT)
    fill(rng, shop, milk)
    texts = {"xiaohongshu": policy.rules("xiaohongshu", on=AT.date())}
    turns = []
    for hours in range(20, 20 + 3 * foresight._AT_ONCE // 2):
        rule = next(one for one in texts["xiaohongshu"] if one.id == "xhs-hub-scan")
        after = {"xiaohongshu": [replace(one, threshold=Decimal(hours)) if one is rule else one for one in texts["xiaohongshu"]]}
        turns.append(Turn(texts, after, [rule]))
        texts = after
    found = foresight.as_if(shop.pk, turns, at=AT)
    assert found == [foresight.as_if(shop.pk, [turn], at=AT)[0] for turn in turns]
    assert any(one["xhs-hub-scan"].clocks for one in found)


@pytest.mark.parametrize(("before", "after"), [(1, 4), (4, 1)])
def test_a_pause_leaves_out_the_days_of_each_reading_by_itself(before, after):
    """Two readings of a line that counts days, in one go: each clock goes by the days of its own."""
    shop = bought_orders.store("any", timezone="Europe/London", **SHOPS[2])
    for hours in range(0, 400, 20):
        paid = AT - hours * HOUR
        bought_orders.order(shop, [("goods", 2, "10.00")], placed_at=paid, paid_at=paid, currency="USD", country="US")
    given = {"first": (AT - timedelta(days=10)).date(), "last": (AT - timedelta(days=4)).date(), "kinds": ["carrier_scan"], "effect": "pause"}
    announced_commands.announce(NewAnnouncement(channel=shop.channel, title="Storm", source="notice 1", **given), by="user:1", at=AT)
    texts = policy.rules("tiktok_shop", on=AT.date())
    rule = next(one for one in texts if one.metric == "business_days_to_carrier_scan")
    sides = [{"tiktok_shop": [replace(one, threshold=Decimal(days)) if one is rule else one for one in texts]} for days in (before, after)]
    turn = Turn(*sides, [rule])
    (store,) = commands._stores([shop.pk])
    both = [clocks_under(store, commands.ways_of([]), side) for side in sides]
    (found,) = foresight.as_if(shop.pk, [turn], at=AT)
    assert found == slowly(turn, both) and found[rule.id].clocks == 20
    assert found[rule.id].overdue + found[rule.id].relaxed > 0
