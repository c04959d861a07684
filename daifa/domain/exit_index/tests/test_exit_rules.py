"""The worked tables of docs/rules/exit-index.md, and what has to hold for any store."""

from __future__ import annotations

from datetime import date
from math import exp
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daifa.domain.exit_index import rules
from daifa.domain.exit_index.rules import FIGURES, ClosureRecord, Month, Past, ReviewLines
from tests.worked_tables import stories

STORIES = {story.title: story for story in stories("exit-index.md")}


def number(text: str) -> float | None:
    return None if text in ("unknown", "–", "") else float(text)


def month_of(row: dict[str, str]) -> Month:
    return Month(
        date.fromisoformat(row["month"] + "-01"), int(row["orders"]), float(row["sales"]), float(row["net"]), float(row["outgo"]),
        int(row["due"]), int(row["late"]), int(row["refunded"]), number(row["points"]), float(row["cash"]), int(row["active"]), 30,
    )  # fmt: skip


@pytest.mark.parametrize("title", ["Figures", "Nothing sold, nothing spent"])
def test_figures(title):
    months = [month_of(row) for row in STORIES[title].tables["month"]]
    for row in STORIES[title].tables["after"]:
        upto = [m for m in months if m.month <= date.fromisoformat(row["after"] + "-01")]
        found = rules.figures(upto, age=14)
        for name in FIGURES:
            assert found[name] == pytest.approx(number(row[name]), abs=5e-5), (row["after"], name)


def test_readings_with_the_shipped_weights():
    story = STORIES["Readings with the shipped weights, version 1"]
    model = rules.shipped()
    assert f"version {model.version}" in story.title
    stores = {row["store"]: {name: number(row[name]) for name in FIGURES} for row in story.tables["store"]}
    assert len(story.tables["reading"]) == len(stores)
    for row in story.tables["reading"]:
        reading = rules.read(stores[row["reading"]], model)
        said = [chance.open for chance in reading.chances]
        assert said == pytest.approx([float(row[f"in {k}"]) for k in rules.HORIZONS], abs=5e-4), row
        assert [reading.year.low, reading.year.high] == pytest.approx([float(row["from"]), float(row["to"])], abs=5e-4)
        assert reading.band == row["band"]
        first = reading.drivers[0] if reading.drivers else None
        assert (first.figure if first else "") == row["first driver"]
        if first:
            assert first.times == pytest.approx(float(row["times"]), abs=5e-3)
        assert set(reading.unknown) == {name for name, value in stores[row["reading"]].items() if value is None}


def test_own_closings():
    for row in STORIES["Own closings move the level"].tables["closings"]:
        nothing = dict.fromkeys(FIGURES)
        past = [Past(nothing, place < int(row["closings"])) for place in range(20 * 24)]
        model = rules.learn(past, rules.shipped())
        assert model.uses == row["uses"]
        assert model.closings == int(row["closings"])
        assert model.expected == pytest.approx(float(row["expected"]), abs=0.005)
        assert rules.read(nothing, model).year.open == pytest.approx(float(row["in 12"]), abs=5e-4)


def test_reviews():
    for row in STORIES["Review of dormant stores"].tables["case"]:
        pairs = zip(row["orders"].split(","), row["active"].split(","), strict=True)
        months = [
            Month(date(2026, 1, 1), int(orders), 0, 0, 0, 0, 0, 0, None, 0, int(active), 30) for orders, active in pairs
        ]
        found = rules.review(
            months, days_open=int(row["open for"]), days_without_order=int(row["without order"]), lines=ReviewLines()
        )
        assert found.verdict == row["verdict"], row
        assert ", ".join(f"{code} {value}" for code, value in found.reasons) == row["reasons"], row


def test_closures_by_year():
    story = STORIES["Closings by year"]

    def day(text: str) -> date | None:
        return date.fromisoformat(text) if text else None

    records = [
        ClosureRecord(
            int(row["store"]), row["scenario"], row["cause"], date.fromisoformat(row["began"]), day(row["closed"]),
            float(row["held"]), number(row["returned"]), day(row["deposit on"]), "CNY",
        )
        for row in story.tables["store"]
    ]  # fmt: skip
    found = rules.closures_by_year(records)
    assert [one.year for one in found] == [int(row["year"]) for row in story.tables["year"]]
    for one, row in zip(found, story.tables["year"], strict=True):
        assert one.began == int(row["began"])
        assert one.by_cause == {cause: int(row[cause]) for cause in rules.CAUSES}
        assert one.closed == int(row["ended"])
        assert one.median_days == number(row["median days"])
        assert one.median_days_to_deposit == number(row["days to deposit"])
        assert one.held.get("CNY", 0) == float(row["held"])
        assert one.returned.get("CNY", 0) == float(row["returned"])
    assert rules.closures_by_year([]) == []


# --- What has to hold for any store ------------------------------------------------------------------------------

values = st.one_of(st.none(), st.floats(-50, 50, allow_nan=False))


@settings(max_examples=150, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(FIGURES, values)))
def test_chances_fall_with_the_months_and_lie_in_their_range(found):
    reading = rules.read(found, rules.shipped())
    said = [chance.open for chance in reading.chances]
    assert said == sorted(said, reverse=True)
    for chance in reading.chances:
        assert 0 <= chance.low <= chance.high <= 1
        assert 0 <= chance.open <= 1
    assert reading.chances[0].open > 0.6, "no month is read with a chance to close of much more than 30 %"


@pytest.mark.parametrize(
    ("figure", "worse"),
    [("margin", -0.2), ("late", 0.4), ("refunds", 0.3), ("points", 0.9), ("cash", -2.0), ("activity", 0.1), ("orders", 0.5)],
)
def test_what_is_worse_reads_worse(figure, worse):
    typical = dict.fromkeys(FIGURES)
    model = rules.shipped()
    assert rules.read({**typical, figure: worse}, model).year.open < rules.read(typical, model).year.open
    driver = rules.read({**typical, figure: worse}, model).drivers[0]
    assert driver.figure == figure
    assert driver.times > 1


def test_learning_follows_the_closings_and_knows_more_afterwards():
    nothing = dict.fromkeys(FIGURES)
    prior = rules.shipped()
    many = rules.learn([Past(nothing, place % 25 == 0) for place in range(5000)], prior)
    # 4 % a month with thousands of store-months: the data win over the shipped level.
    assert exp(many.log_hazard(many.standing(nothing), 1)) == pytest.approx(0.04, abs=0.003)
    assert many.spread[0][0] < prior.spread[0][0] / 4
    late = {**nothing, "late": 0.35}
    harmless = rules.learn([Past(late if place % 2 else nothing, place % 50 == 0) for place in range(3000)], prior)
    assert harmless.mean[1 + FIGURES.index("late")] < prior.mean[1 + FIGURES.index("late")], "late stores did not close here"


def test_what_the_trade_says_is_there_and_unverified():
    said = rules.said_by_the_trade()
    assert [(one.year, one.closed, one.rate) for one in said] == [
        (2020, 2300, None), (2021, 4500, 0.032), (2022, 8100, 0.048), (2023, 11600, 0.061)
    ]  # fmt: skip
    assert {group for one in said for group, *_ in one.causes} <= {*rules.CAUSES, "other"}
    assert '"confidence": "unverified"' in (rules.DATA / "said_by_the_trade.json").read_text()


# --- Base rates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("yearly", [0.02, 0.09, 0.4])
def test_an_entered_base_rate_is_what_a_typical_store_is_read_with(yearly):
    model = rules.with_base_rate(rules.shipped(), yearly, 7)
    assert model.version == f"{rules.shipped().version}/r7" and model.full_version == model.version
    assert rules.shipped_base_rate(model) == pytest.approx(yearly)
    typical = dict(zip(rules.FIGURES, model.typical, strict=True))
    year = rules.read(typical, model).year
    assert year.low < 1 - yearly < year.high
    weak = typical | {"late": 0.5}
    assert rules.read(weak, model).year.open < year.open, "the order of stores does not depend on the level"


@pytest.mark.parametrize(
    ("closings", "months", "yearly", "low", "high"),
    [(0, 120, 0.0, 0.0, 0.2589), (5, 600, 0.0952, 0.0387, 0.1896), (6, 400, 0.1647, 0.0755, 0.2990)],
)
def test_what_own_closings_alone_say(closings, months, yearly, low, high):
    """Exact Poisson limits at 90 %: 0 → 0 … 2.996, 5 → 1.970 … 10.513, 6 → 2.613 … 11.842 closings."""
    own = rules.own_rate(closings, months)
    assert (own.yearly, own.low, own.high) == pytest.approx((yearly, low, high), abs=0.003)
    assert own.is_enough is (closings >= 5)
    assert rules.own_rate(0, 0) is None


def test_the_document_names_the_shipped_base_rate():
    text = (Path(__file__).parents[4] / "docs/rules/exit-index.md").read_text()
    assert f"({rules.shipped_base_rate(rules.shipped()):.1%}".replace("%", " % of typical stores close within a year)") in text
