"""Figures the platforms show: the worked tables of docs/rules/store-health.md, and what becomes of them in the rows."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from daifa.domain.compliance import figure_queries, figure_rules, health, health_rules
from daifa.domain.compliance.figure_commands import report_figures, withdraw_figures
from daifa.domain.compliance.figure_rules import Figure
from daifa.domain.compliance.models import ReportedFigure
from daifa.domain.policy.book import shipped_book
from daifa.domain.policy.commands import NewOverride, override_rules
from daifa.domain.policy.rules import judge
from tests import bought_orders
from tests.worked_tables import stories

STORIES = {story.title: story for story in stories("store-health.md")}
NOON = datetime(2026, 6, 30, 12, tzinfo=UTC)
TODAY = date(2026, 6, 30)


def rule(name):
    return judge(shipped_book().rules[name], TODAY)


def number(text):
    return int(text) if text else None


@pytest.mark.parametrize("row", STORIES["What the platform says, against a line"].tables["line"], ids=lambda row: " ".join(row.values()))
def test_what_it_says_against_a_line(row):
    figure = Figure(rule(row["line"]).metric, Decimal(row["value"]), TODAY, None, number(row["part"]), number(row["of"]))
    said = figure_rules.standing(rule(row["line"]), figure)
    assert (said.share, said.level, said.is_sure, said.gate_open) == (
        Decimal(row["way"]), int(row["level"]), row["sure"] == "yes", row["gate open"] == "yes"
    )  # fmt: skip


@pytest.mark.parametrize("row", STORIES["What may be said"].tables["metric"], ids=lambda row: " ".join(row.values()))
def test_what_may_be_said(row):
    known = figure_rules.reportable(shipped_book().rules.values())[row["metric"]]
    figure = Figure(
        row["metric"], Decimal(row["value"]), date.fromisoformat(row["until"]), number(row["window"]), number(row["part"]), number(row["of"])
    )  # fmt: skip
    wrong = figure_rules.wrong_with(figure, known, TODAY)
    assert (wrong[0] if wrong else "") == row["because"]
    if wrong:
        assert wrong[1] % wrong[2]


@pytest.mark.parametrize("row", STORIES["How old it may be"].tables["window"], ids=lambda row: row["window"])
def test_how_old_it_may_be(row):
    assert figure_rules.stale_after(None if row["window"] == "none" else int(row["window"])) == int(row["after days"])


@pytest.mark.django_db
@pytest.mark.parametrize("row", STORIES["Eight figures on every channel"].tables["channel"], ids=lambda row: row["channel"])
def test_eight_figures_on_every_channel(row):
    kind = {"shopify": "own_site", "woocommerce": "own_site", "manual": "manual"}.get(row["channel"], "marketplace")
    country = {"ebay": "GB", "shopee": "SG", "woocommerce": "DE", "manual": ""}.get(row["channel"]) or (
        "CN" if row["channel"] in figure_queries.policy.DOMESTIC else "US"
    )
    store = bought_orders.store("one", channel=row["channel"], kind=kind, country="" if row["channel"] == "manual" else country)
    book = figure_queries.book_of(SimpleNamespace(id=store.pk, channel=store.channel, kind=kind, country=store.country), on=TODAY)
    lines = [one for one in book if figure_queries.is_line(one)]
    sayable = figure_rules.reportable(book)
    found = {one.rule or one.metric: one for one in health.health(store.pk, at=NOON)}
    for measure, told in ((one, row[one]) for one in figure_rules.WANTED):
        mine = [one for one in lines if figure_rules.metric_for(measure, [one.metric])]
        if told not in ("counted", "platform"):
            assert told == ", ".join(one.id if one.metric in health_rules.MEASURE_OF else f"[{one.id}]" for one in mine)
            assert all(one.id in found and one.metric in sayable for one in mine)
            continue
        metric = "category_focus" if measure == "focus" else figure_rules.metric_for(measure, sayable)
        if measure == "late" and kind != "marketplace" and {"woo-health-own", "own-health-default"} & found.keys():
            continue  # its own default is the line
        assert not mine and bool(found[metric].missing) == (told == "platform")
        assert measure == "focus" or metric in sayable


def said(store, metric, value, *, until=TODAY, at=NOON, window=7, **more):
    return report_figures([Figure(metric, Decimal(value), until, window, **more)], store=store, source="page", by="user:1", at=at)


@pytest.mark.django_db
def test_the_same_again_changes_nothing_and_a_correction_keeps_the_history():
    shop = bought_orders.store("red", channel="xiaohongshu", kind="marketplace", country="CN")
    assert len(said(shop, "reply_rate", "85").added) == 1
    assert (again := said(shop, "reply_rate", "85.0")).known == 1 and not again.added
    assert len(said(shop, "reply_rate", "79").replaced) == 1
    assert [(one.value, one.withdrawn_at is None) for one in ReportedFigure.objects.order_by("id")] == [(85, False), (79, True)]
    assert withdraw_figures([ReportedFigure.objects.last().pk], by="user:1", at=NOON) == 1
    assert not figure_queries.latest_figures(shop.pk)
    refused = said(shop, "chargeback_rate", "1").refused
    assert "know no figure “chargeback_rate”" in refused[0].sentence()
    twice = [Figure("reply_rate", Decimal(one), TODAY, 7) for one in (80, 81, 80)]
    done = report_figures(twice, store=shop, source="file:x.csv", by="user:1", at=NOON)
    assert (len(done.added), done.known, [one.row for one in done.refused]) == (1, 1, [2])


@pytest.mark.django_db
def test_it_stands_beside_what_is_counted_and_warns_while_it_is_fresh():
    shop = bought_orders.store("red", channel="xiaohongshu", kind="marketplace", country="CN")
    said(shop, "conversations_unanswered_24h", "12")
    said(shop, "days_failing_late_rate", "4")
    found = {one.rule or one.metric: one for one in health.health(shop.pk, at=NOON)}
    unanswered, days = found["xhs-service-unanswered"], found["xhs-rate-late-week"]
    assert unanswered.missing and unanswered.platform.said.level == unanswered.worst == 100
    assert (days.value, days.level, days.platform.apart, days.worst) == (0, 0, 4, 100), "the difference is shown"
    near = {one.rule: (one.level, one.is_said) for one in health.near_lines([shop.pk], at=NOON)}
    assert near == {"xhs-service-unanswered": (100, True), "xhs-rate-late-week": (100, True)}
    assert figure_queries.stale_figures([shop.pk], at=NOON + timedelta(days=6)) == []
    later = NOON + timedelta(days=12)
    ((store, count, _metric, until, age, zone),) = figure_queries.stale_figures([shop.pk], at=later)
    assert zone == "Asia/Shanghai"
    assert (store, count, until, age) == (shop.pk, 2, TODAY, 12)
    assert health.near_lines([shop.pk], at=later) == [], "an old figure warns of nothing"
    old = {one.rule: one for one in health.health(shop.pk, at=later) if one.rule}["xhs-service-unanswered"]
    assert old.platform.is_stale and old.worst == 0
    assert figure_queries.stale_figures([shop.pk], at=NOON + timedelta(days=91)) == []


@pytest.mark.django_db
def test_a_figure_of_another_window_says_nothing_about_a_line():
    shop = bought_orders.store("az", channel="amazon", kind="marketplace", country="US")
    said(shop, "late_shipment_rate", "5", window=10)
    found = {one.rule: one.platform for one in health.health(shop.pk, at=NOON) if one.rule}
    assert found["amz-late-10"].figure.value == 5 and found["amz-late-30"] is None
    assert health.near_lines([shop.pk], at=NOON) == [], "undated rules inform until the owner confirms them"
    said(shop, "late_shipment_rate", "2", window=None)
    found = {one.rule: one.platform for one in health.health(shop.pk, at=NOON) if one.rule}
    assert (found["amz-late-10"].figure.value, found["amz-late-30"].figure.value) == (5, 2)


@pytest.mark.django_db
def test_complaints_count_into_defects_and_disputes():
    shop = bought_orders.store("az", channel="amazon", kind="marketplace", country="US", currency="USD")
    when = NOON - timedelta(days=10)
    orders = [bought_orders.order(shop, [("goods", 1, "20.00")], placed_at=when, paid_at=when) for _ in range(4)]
    complaints = [health.Complained(orders[0].pk, "wrong_item", NOON - timedelta(days=1)), health.Complained(orders[1].pk, "late", NOON - timedelta(days=2))]
    found = {one.rule or one.metric: one for one in health.health(shop.pk, at=NOON, complaints=complaints)}
    assert (found["amz-odr"].events, found["amz-odr"].base) == (1, 4)
    assert found["dispute_rate"].events == 2, "against parcels: here none has left, so there is no share"
    assert {one.rule or one.metric: one for one in health.health(shop.pk, at=NOON)}["amz-odr"].events == 0


@pytest.mark.django_db
def test_what_the_platform_shows_is_held_against_the_line_of_its_day():
    shop = bought_orders.store("red", channel="xiaohongshu", kind="marketplace", country="CN", timezone="Asia/Shanghai")
    said(shop, "conversations_unanswered_24h", "8", until=TODAY - timedelta(days=1))
    word = NewOverride("xhs-service-unanswered", "notice", TODAY, {"threshold": "6"})
    assert not override_rules([word], by="user:1", at=NOON).refused
    (line,) = [one for one in health.health(shop.pk, at=NOON) if one.rule == "xhs-service-unanswered"]
    assert (line.line, line.platform.said.level, line.platform.line_then) == (Decimal(6), 70, "above 10")
    (near,) = health.near_lines([shop.pk], at=NOON)
    assert (near.level, near.line_text) == (70, "10")
    said(shop, "conversations_unanswered_24h", "8", until=TODAY)
    (line,) = [one for one in health.health(shop.pk, at=NOON) if one.rule == "xhs-service-unanswered"]
    assert (line.platform.said.level, line.platform.line_then) == (100, "")
