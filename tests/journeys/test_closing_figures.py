"""Exposure and visits entered or read from files, and stores that ended before: what thresholds and yearly figures count."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from daifa.domain.closing import commands, queries, rules
from daifa.domain.closing.commands import NewPast, NewTraffic
from daifa.domain.closing.models import PastClosing, Traffic
from daifa.flows import close_store
from daifa.flows.read_closing_files import read_past_closings, read_traffic
from daifa.flows.reads.closures import closure_records
from daifa.lib.sheets import SheetRefused
from tests.closing_shop import BY, open_story

pytestmark = pytest.mark.django_db


@pytest.fixture
def story():
    return open_story([])


def test_a_table_of_visits_in_gbk_with_rows_that_cannot_be(story, tmp_path):
    rows = [
        "店铺,日期,曝光量,访客数",
        f"{story.store.name},20260301,1200,80", f"{story.store.name},2026-03-02,\"1,100\",75", "别家店,2026-03-02,10,1",
        f"{story.store.name},2027-03-02,10,1", f"{story.store.name},2026-03-02,1100,75", f"{story.store.name},2026-02-28,5,50",
        f"{story.store.name},2026-02-27,,", f"{story.store.name},2026-02-26,viele,3", f"{story.store.name},,1,1",
    ]  # fmt: skip
    file = tmp_path / "visits.csv"
    file.write_bytes("\n".join(rows).encode("gbk"))
    how = {"name": "visits.csv", "scope": [story.store.pk], "by": BY, "at": story.at}
    done = read_traffic(file, **how)
    assert (done.added, done.changed, done.same) == (2, 0, 0)
    assert [(row.row, row.code) for row in done.refused] == [
        (4, "no_store"), (5, "date_in_future"), (6, "day_twice"), (7, "more_visits"), (8, "nothing_said"), (9, done.refused[5].code),
        (10, "date_missing"),
    ]  # fmt: skip
    assert all(row.sentence() for row in done.refused) and "曝光量" in done.refused[5].sentence()
    assert list(Traffic.objects.order_by("day").values_list("day", "impressions", "visits")) == [
        (date(2026, 3, 1), 1200, 80), (date(2026, 3, 2), 1100, 75),
    ]  # fmt: skip
    again = read_traffic(file, **how)
    assert (again.added, again.changed, again.same) == (0, 0, 2)
    one = [NewTraffic(story.store.pk, date(2026, 3, 1), visits=90)]
    assert commands.record_traffic(one, source="by hand", by=BY, at=story.at).changed == 1
    assert Traffic.objects.get(day="2026-03-01").impressions == 1200
    with pytest.raises(SheetRefused, match="no column for store"):
        (tmp_path / "x.csv").write_text("date,visits\n2026-03-01,4")
        read_traffic(tmp_path / "x.csv", **how)
    assert read_traffic(tmp_path / "x.csv", store=story.store, **how).changed == 1


def test_visits_count_beside_orders(story):
    store = story.store.pk
    story.until("2026-09-01")
    assert close_store.quiet_stores(at=story.at) == [store]  # no order for months
    lines = {line.measure: line.is_below for line in queries.lines_of(store, at=story.at)}
    assert lines == {"orders": True, "visits": None, "impressions": None}
    days = [story.at.date() - timedelta(days=back) for back in range(80)]
    commands.record_traffic([NewTraffic(store, day, 900, 3) for day in days], source="test", by=BY, at=story.at)
    months = queries.months_of(store, at=story.at, months=3)
    assert [month.days for month in months] == [20, 30, 30] and months[-1].visits == 90
    lines = {line.measure: line.is_below for line in queries.lines_of(store, at=story.at)}
    assert lines == {"orders": True, "visits": True, "impressions": False}
    story.closing = close_store.start(store_id=store, scenario="no_traffic", reason="quiet", by=BY, at=story.at)
    facts = story.step("measure").evidence.get().facts
    assert facts["below"] == ["orders", "visits"] and facts["visits_by_30_days"][-1] == 90


def test_past_closings_count_in_the_yearly_figures(story, tmp_path):
    file = tmp_path / "past.csv"
    file.write_text(
        "store,cause,begun,closed,currency,deposit held,deposit returned,deposit on,note\n"
        "Tea & Cups,compliance,2024-03-01,2024-04-12,CNY,2000,1500,2024-07-15,500 kept\n"
        f"{story.store.name},business,2025-01-10,2025-02-20,GBP,300,,,\n"
        "Old shop,bored,2024-03-01,,CNY,,,,\nOld shop,policy,2024-03-01,2024-02-01,CNY,,,,\n"
        "Old shop,users,2024-03-01,2024-03-09,CNY,100,200,2024-06-01,\n",
        encoding="utf-8-sig",
    )
    how = {"name": "past.csv", "scope": [story.store.pk], "by": BY, "at": story.at}
    done = read_past_closings(file, **how)
    assert (done.added, [row.code for row in done.refused]) == (2, ["no_scenario", "date_order", "amount_wrong"])
    assert read_past_closings(file, **how).same == 2 and PastClosing.objects.count() == 2
    records = closure_records([story.store.pk])
    assert [(one.name, one.cause, one.began, one.deposit_held, one.deposit_returned) for one in records] == [
        ("Tea & Cups", "compliance", date(2024, 3, 1), 2000.0, 1500.0), (story.store.name, "business", date(2025, 1, 10), 300.0, None),
    ]  # fmt: skip
    assert closure_records([]) == []  # who sees no store sees none of them
    story.closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="plan", by=BY, at=story.at)
    twice = NewPast(story.store.name, "choice", story.at.date(), store_id=story.store.pk, currency="GBP", deposit_held=Decimal(1))
    done = commands.record_past_closings([twice], source="by hand", by=BY, at=story.at)
    assert [row.code for row in done.refused] == ["closed_here"]
    assert len(closure_records([story.store.pk])) == 3
    assert queries.lifecycle(story.store.pk) == "closing"
    assert rules.LINES.keys() == rules.MEASURES.keys()


def test_one_line_for_the_review_the_closing_and_the_desk():
    from daifa.domain.exit_index.models import ReviewLine
    from daifa.domain.exit_index.rules import ReviewLines
    from tests.shipped_orders import NOON, order, store

    shop = store()
    for day in range(1, 90, 11):  # three in each thirty days
        order(shop, placed_at=NOON - timedelta(days=day))
    assert queries.nobody_comes(shop.pk, at=NOON) and queries.lines_of(shop.pk, at=NOON)[0].line == ReviewLines().quiet_orders + 1
    ReviewLine.objects.create(store=shop, quiet_orders=2)
    assert not queries.nobody_comes(shop.pk, at=NOON), "her own line is lower"
    ReviewLine.objects.update(quiet_orders=0, dormant_days=14)
    assert not queries.nobody_comes(shop.pk, at=NOON)
    assert queries.nobody_comes(shop.pk, at=NOON + timedelta(days=13)), "no order for fourteen days"
