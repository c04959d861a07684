"""Runs docs/rules/store-health.md: the pure tables, and one history told to stores on five channels."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from daifa.domain.aftersales.models import AftersaleCase
from daifa.domain.compliance import health, health_rules
from daifa.domain.compliance.commands import reckon_clocks, set_dispatch_mode
from daifa.domain.compliance.models import MetricDay
from daifa.domain.history.commands import ensure_months
from daifa.domain.policy import queries as policy_queries
from daifa.domain.policy.book import shipped_book, shipped_files
from daifa.domain.policy.commands import NewOverride, override_rules, take_book, withdraw_overrides
from daifa.domain.policy.models import RuleOverride
from daifa.domain.policy.rules import judge
from daifa.lib import bulk
from tests import bought_orders
from tests.worked_tables import stories

STORIES = {story.title: story for story in stories("store-health.md")}
CHINA = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 6, 30, 12, tzinfo=UTC)
CHANNELS = {"amazon": "US", "ebay": "GB", "shopee": "SG", "tiktok_shop": "US", "xiaohongshu": "CN"}


def rule(name):
    return judge(shipped_book().rules[name], date(2026, 6, 30))


@pytest.mark.parametrize("row", STORIES["Wilson"].tables["bad"], ids=lambda row: f"{row['bad']} of {row['of']}")
def test_wilson(row):
    assert health_rules.wilson(int(row["bad"]), int(row["of"])) == (Decimal(row["low"]), Decimal(row["high"]))


@pytest.mark.parametrize("row", STORIES["Against a line"].tables["line"], ids=lambda row: " ".join(row.values()))
def test_against_a_line(row):
    stood = health_rules.standing(rule(row["line"]), int(row["bad"]), int(row["of"]))
    told = (stood.value, stood.share, stood.level, "yes" if stood.sure else "no", "none" if stood.left is None else str(stood.left))
    assert told == (Decimal(row["value"]), Decimal(row["way"]), int(row["level"]), row["sure"], row["left"])
    assert stood.low <= stood.value <= stood.high


def tell(channel, country):
    """The history of the page as rows of a store on this channel."""
    shop = bought_orders.store(
        f"s-{channel}", channel=channel, kind="marketplace", country=country, currency="USD",
        timezone="America/New_York" if country == "US" else "UTC",
    )  # fmt: skip
    if channel == "xiaohongshu":
        set_dispatch_mode(store_id=shop.pk, mode="spot", by="user:1", at=NOON)
    supplier = bought_orders.supplier()
    for told, row in enumerate(STORIES["One history, five channels"].tables["orders"]):
        placed = NOON - timedelta(days=float(row["placed days ago"]))
        count, fate = int(row["orders"]), row["what became of them"]
        ids = bulk.next_ids("orders_order", count)
        sent = row["dispatched after hours"] != "–"
        gone = fate.startswith("cancelled")
        bulk.copy_rows(
            "orders_order",
            ("id", "store_id", "number", "placed_at", "paid_at", "currency", "country", "total_amount", "content_hash", "source",
             "units", "cancelled", "allocated", "purchased", "accepted", "shipped", "delivered", "ship_by_at"),
            [(i, shop.pk, f"{told}-{i}", placed, placed, "USD", country, Decimal(20), b"x" * 16, "test", 1, int(gone), int(sent),
              int(sent), int(sent), int(sent), int(fate in ("delivered", "damaged")), placed + timedelta(hours=48)) for i in ids],
        )  # fmt: skip
        bulk.copy_rows(
            "orders_orderline", ("order_id", "line_no", "sku", "quantity", "unit_price", "amount"),
            [(i, 1, f"SKU{told}", 1, Decimal(20), Decimal(20)) for i in ids],
        )  # fmt: skip
        if fate == "damaged":
            for i in ids:
                AftersaleCase.objects.create(store=shop, order_id=i, kind="refund", state="closed", reason="damaged", opened_at=NOON)
        if not sent:
            continue
        out = placed + timedelta(hours=int(row["dispatched after hours"]))
        boxes = bulk.next_ids("shipping_parcel", count)
        arrived = out + timedelta(days=6) if fate in ("delivered", "damaged") else None
        bulk.copy_rows(
            "shipping_parcel",
            ("id", "store_id", "order_id", "supplier_id", "number", "state", "units", "announced_at", "delivered_at", "late_at"),
            [(b, shop.pk, i, supplier.pk, f"N{b}", "in_transit" if not arrived else "delivered", 1, out, arrived,
              out + timedelta(days=14)) for b, i in zip(boxes, ids, strict=True)],
        )  # fmt: skip
        if fate != "never scanned":
            at = out + timedelta(hours=6)
            bulk.copy_rows(
                "shipping_trackingevent", ("parcel_id", "at", "status", "raw_status", "place", "seen_at", "source"),
                [(b, at, "in_transit", "", "", at, "test") for b in boxes],
            )  # fmt: skip
    # The lines above carry no units in parcels: every parcel holds its whole order.
    bulk.execute(
        """WITH p AS (SELECT b.id, b.order_id FROM shipping_parcel b WHERE b.store_id = %s)
           INSERT INTO shipping_parcelline (parcel_id, purchase_line_id, order_line_id, quantity, order_quantity)
           SELECT p.id, x.id, l.id, 1, 1 FROM p JOIN orders_orderline l ON l.order_id = p.order_id,
                  (SELECT min(id) AS id FROM purchasing_purchaseline) x""",
        (shop.pk,),
    )
    return shop


@pytest.fixture
def shops(db):
    ensure_months(date(2026, 5, 1), date(2026, 7, 1))
    any_order = bought_orders.order(bought_orders.store("other"), [("goods", 1, "1.00")])
    bought_orders.purchase(any_order, [(1, 1, "1.00", "0")])
    return {channel: tell(channel, country) for channel, country in CHANNELS.items()}


def test_one_history_on_five_channels(shops):
    story = STORIES["One history, five channels"]
    found = {
        channel: {one.rule or one.metric: one for one in health.health(shop.pk, at=NOON)} for channel, shop in shops.items()
    }
    for row in story.tables["line"]:
        one = found[row["channel"]][row["line"]]
        value = None if row["value"] == "–" else Decimal(row["value"])
        assert (one.rule, one.events, one.base, one.value, one.level) == (
            row["line"], int(row["bad"]), int(row["of"]), value, int(row["level"])
        )  # fmt: skip
        assert len(one.orders) == min(one.events, 50) or row["line"] == "xhs-rate-late-week"
    for row in story.tables["breaks"]:
        one = found[row["channel"]][row["breaks"]].breaks
        assert (one.at - NOON, one.events, one.base, one.needed) == (
            timedelta(hours=int(row["after hours"]) + 1), int(row["bad"]), int(row["of"]), int(row["to ship in time"])
        )  # fmt: skip
    missing = {one.rule for one in found["xiaohongshu"].values() if one.missing}
    assert missing >= {"xhs-service-unanswered", "xhs-reply-week"}


@pytest.mark.parametrize("row", STORIES["Which text judges"].tables["window"], ids=lambda row: " ".join(row.values()))
def test_which_text_judges(row):
    """The figures are thresholds; "–" is a book without the line."""
    days = {"day": 1, "week": 7}.get(row["window"]) or int(row["window"])
    books = []
    for text in row["texts"].split(", "):
        line, _from, day = text.partition(" from ")
        rule = SimpleNamespace(
            id="line", channel="xiaohongshu" if row["window"] in ("day", "week") else "amazon", kind="metric_limit", metric="late_rate",
            comparison=">=", threshold=line, unit="percent", window_days=days, gate=None,
        )  # fmt: skip
        books.append((date.fromisoformat(day) if day else None, [] if line == "–" else [rule]))
    at = datetime.fromisoformat(row["at"] + "T12:00+08:00")
    texts = [text for text in health_rules.texts_over_time(books) if text.first is None or text.first <= at.date()]
    texts = [text._replace(last=None) if text.last and text.last >= at.date() else text for text in texts]
    said = []
    for one in health_rules.judging(texts, at, zone="Asia/Shanghai"):
        day = {"since": one.text.first, "days": one.text.first, "ended": one.text.last}.get(one.part)
        said.append(" ".join(filter(None, (one.text.rule.threshold, one.part or "whole", day and day.isoformat()))))
        begin, end = (moment.astimezone(CHINA).date() for moment in one.window[:2])
        assert begin == (one.text.first if one.part in ("since", "days") else one.whole.begin.astimezone(CHINA).date())
        assert end == (at.date() if one.part in ("", "since", "under") else one.text.last + timedelta(days=1))
    assert ", ".join(said) == row["judged by"]


def test_a_line_that_changes_while_the_window_runs(shops):
    shop, rows = shops["amazon"], STORIES["One history, five channels"].tables["before"]
    for case in {(row["before"], row["changed"], row["to"]): None for row in rows}:
        before, changed, to = case
        first, second = (
            NewOverride("amz-late-30", "read", day, {"threshold": line}, store_id=shop.pk)
            for day, line in ((date(2026, 1, 1), before), (date.fromisoformat(changed), to))
        )
        words = override_rules([first, second], by="user:1", at=NOON)
        assert not words.refused
        told = [one for one in health.health(shop.pk, at=NOON) if one.rule == "amz-late-30"]
        found = {f"{one.line:f}": (one.events, one.base, one.level) for one in told}
        mine = [row for row in rows if (row["before"], row["changed"], row["to"]) == case]
        assert found == {row["text"]: (int(row["bad"]), int(row["of"]), int(row["level"])) for row in mine}
        for one in told:
            whole = next(row["over the whole window"] for row in mine if row["text"] == f"{one.line:f}")
            assert (f"Over the whole window it would be crossed: {whole}" in one.note) == bool(whole)
            assert bool(one.text_note) == (len(told) == 2) and one.text_note in one.note
        health.keep_metrics(store_id=shop.pk, at=NOON)
        kept = MetricDay.objects.get(store=shop, rule="amz-late-30")
        worst = max(told, key=lambda one: (one.level, one.share_of_line or 0))
        assert (kept.line, kept.level) == (worst.line, worst.level), "once in the chart and on Today, as it stands worst"
        withdraw_overrides(words.ids, by="user:1", at=NOON)


def test_a_line_that_is_new_or_has_ended(shops):
    """A line from a day on judges nothing before it; one that ended is shown up to its last day and warns of nothing."""
    shop, rule = shops["shopee"], "shopee-lsr-points"
    text = shipped_files()["shopee.yaml"].decode()
    start = text.index(f"- id: {rule}\n")
    end = text.find("\n- id: ", start) + 1 or len(text)
    take_book(by="user:1", at=NOON - timedelta(days=300), own={})
    without = take_book(by="user:1", at=NOON - timedelta(days=20), own={"shopee.yaml": (text[:start] + text[end:]).encode()}, takes_effect_on=date(2026, 6, 28))
    assert without.is_new
    (gone,) = [one for one in health.health(shop.pk, at=NOON) if one.rule == rule]
    assert (gone.text_until, gone.acts, gone.verdict, gone.events, gone.base) == (date(2026, 6, 27), False, "ended", 3, 34)
    assert "warns of nothing" in gone.note and "ended on 2026-06-27" in gone.why_not and gone.breaks is None
    health.keep_metrics(store_id=shop.pk, at=NOON)
    kept = MetricDay.objects.get(store=shop, rule=rule)
    assert (kept.level, kept.is_sure, kept.events) == (0, False, 3), "in the chart, and crossed for nobody"
    assert rule not in {one.rule for one in health.near_lines([shop.pk], at=NOON)}
    take_book(by="user:1", at=NOON - timedelta(days=1), own={}, takes_effect_on=date(2026, 6, 29))
    old, new = sorted((one for one in health.health(shop.pk, at=NOON) if one.rule == rule), key=lambda one: one.text_until is None)
    assert (new.text_from, new.base, new.window.begin.date()) == (date(2026, 6, 29), 0, date(2026, 6, 29)) and new.breaks is not None
    assert (old.verdict, old.base) == ("ended", 34)


def test_who_adds_what(shops):
    told = health.whole_health(shops["amazon"].pk, at=NOON)
    assert [(one.key, one.late, one.share) for one in told.listings] == [
        ("SKU2", 4, Decimal("0.571")), ("SKU6", 3, Decimal("0.429"))
    ]  # fmt: skip
    assert told.next_break is None, "its lines are crossed already"
    assert health.whole_health(shops["xiaohongshu"].pk, at=NOON).next_break.rule == "xhs-rate-late-day"


def test_the_days_figures_are_kept_once_and_near_lines_are_those_that_act(shops):
    for shop in shops.values():
        first = health.keep_metrics(store_id=shop.pk, at=NOON)
        assert health.keep_metrics(store_id=shop.pk, at=NOON + timedelta(minutes=5)) == first
        assert MetricDay.objects.filter(store=shop).count() == first
    assert [value for _day, value in health.trend(shops["amazon"].pk, "amz-late-10", since=date(2026, 6, 1))] == [Decimal("8.8235").quantize(Decimal("0.01"))]
    near = {one.rule: one.level for one in health.near_lines([shop.pk for shop in shops.values()], at=NOON)}
    assert near["xhs-rate-late-day"] == 0, "it breaks tomorrow"
    assert not any(name.startswith("amz-") for name in near), "undated rules inform until the owner confirms them"
    assert health.near_lines([], at=NOON) == []


@pytest.mark.django_db
def test_a_store_without_orders_and_one_without_a_platform():
    empty = bought_orders.store("empty", channel="amazon", kind="marketplace", country="US")
    assert all(one.level == 0 and one.value is None for one in health.health(empty.pk, at=NOON) if one.rule and not one.missing)
    own = bought_orders.store("own", kind="own_site")
    assert [(one.rule, one.acts) for one in health.health(own.pk, at=NOON) if one.rule and not one.missing] == [
        ("own-health-default", False)
    ]
    assert {one.rule for one in health.health(own.pk, at=NOON) if one.missing} >= {"mc-ecm", "visa-vamp-2026"}, "its buyers' cards"
    word = NewOverride("own-health-default", "my line", NOON.date(), {"threshold": "6"}, own.pk)
    assert not override_rules([word], by="user:1", at=NOON).refused
    (mine,) = [one for one in health.health(own.pk, at=NOON) if one.rule == "own-health-default"]
    assert (mine.line, mine.acts) == (Decimal(6), True)
    health.keep_metrics(store_id=own.pk, at=NOON)
    assert MetricDay.objects.get(store=own, rule="own-health-default").line == Decimal(6)


@pytest.mark.django_db
def test_no_store_is_held_against_a_line_of_another_channel():
    for number, (channel, kind) in enumerate((("manual", "manual"), ("bigcommerce", "own_site"), ("woocommerce", "own_site"), ("shopify", "own_site"))):
        shop = bought_orders.store(f"own{number}", channel=channel, kind=kind, country="DE")
        known = policy_queries.in_force(on=NOON.date())
        shown = {known[one.rule].channel for one in health.health(shop.pk, at=NOON) if one.rule}
        assert shown <= {channel, "payments", *([] if channel in ("woocommerce", "shopify") else ["own_site"])}, channel
        assert ("own_site" in policy_queries.channels_of(shop)) == (channel in ("manual", "bigcommerce"))


@pytest.mark.django_db
def test_figures_kept_under_another_channels_name_are_moved():
    own, woo = bought_orders.store("own", kind="own_site", channel="manual"), bought_orders.store("woo", kind="own_site", channel="woocommerce")
    for shop in (own, woo):
        MetricDay.objects.create(store=shop, metric="own_late_dispatch_rate", rule="woo-health-own", day=NOON.date(), value=Decimal(3))
    rows = [NewOverride("woo-health-own", "adopted", NOON.date()), NewOverride("woo-health-own", "mine", NOON.date(), {"threshold": "5"}, own.pk)]
    assert not override_rules(rows, by="user:1", at=NOON).refused
    for statement in import_module("daifa.domain.compliance.migrations.0006_own_line").STATEMENTS:
        bulk.execute(statement)
    assert dict(MetricDay.objects.values_list("store__code", "rule")) == {"own": "own-health-default", "woo": "woo-health-own"}
    assert set(RuleOverride.objects.values_list("rule_id", "store__code", "reason")) == {
        ("woo-health-own", None, "adopted"), ("own-health-default", None, "adopted"), ("own-health-default", "own", "mine"),
    }  # fmt: skip


@pytest.mark.django_db
def test_markets_have_their_own_lines():
    canada = bought_orders.store("ca", channel="walmart", kind="marketplace", country="CA")
    states = bought_orders.store("us", channel="walmart", kind="marketplace", country="US")
    lines = {shop.code: {one.rule for one in health.health(shop.pk, at=NOON) if one.rule} for shop in (canada, states)}
    assert "wm-ca-cancel" in lines["ca"] and "wm-cancel" not in lines["ca"] and "wm-inr" in lines["ca"]
    assert "wm-cancel" in lines["us"] and not any(name.startswith("wm-ca-") for name in lines["us"])


def test_clocks_and_health_read_the_same_hours(shops):
    reckon_clocks(at=NOON)
    shop = shops["xiaohongshu"]
    late = bulk.fetch("SELECT count(*) FROM compliance_clock WHERE store_id = %s AND kind = 'dispatch'", (shop.pk,))[0][0]
    assert late == 12


def test_every_line_of_the_book_is_counted_or_says_why_not():
    limits = [one for one in shipped_book().rules.values() if one.kind == "metric_limit" and one.channel not in ("payments",)]
    assert len(limits) > 40
    left = {one.metric for one in limits} - set(health_rules.MEASURE_OF) - set(health_rules.NOT_MEASURED)
    assert left == set()
    assert set(health_rules.PARTLY) <= set(health_rules.MEASURE_OF.values())
