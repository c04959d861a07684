"""Runs the worked tables of docs/rules/closing.md."""

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from daifa.domain.closing import rules, steps
from daifa.domain.closing.rules import Facts, Term, Terms
from daifa.lib.workdays import is_working_day
from tests.worked_tables import Story, stories

PLATFORM = Terms(
    notice_days=Term(30, "xhs-close-notice"), total_days=Term(40, "xhs-close-total"),
    deposit_months=Term(3, "xhs-close-deposit"), return_days=Term(7, "cn-cp-25"),
    claim_days=Term(30, "xhs-aftersale-window"), appeal_days=Term(1, "xhs-appeal-penalty"),
    rule_notice_days=Term(7, "cn-ec-34"), forced=Term(1, "xhs-close-forced", acts=False),
)  # fmt: skip
CHINA = ZoneInfo("Asia/Shanghai")
STORIES = {story.title: story for story in stories("closing.md")}


def calendar(story: Story) -> list[rules.Day]:
    def day(name: str) -> date | None:
        found = story.said(rf"{name} (\d{{4}}-\d{{2}}-\d{{2}})", "")
        return date.fromisoformat(found) if found else None

    own = "Own shop" in story.prose
    facts = Facts(
        scenario=story.said(r"Scenario (\w+)", ""), started_on=day("Begun"), has_platform=not own,
        last_delivery_on=day("Last delivery"), noticed_on=day("Noticed"), effective_on=day("Effective"), today=day("Today"),
        applied_on=day("Applied"), winding_up_on=day("Wound up from"), kept_until=day("Kept until"),
        done={code: on for code in rules.DAY_NAMES if (on := day(f"{code} done"))},
    )  # fmt: skip
    terms = PLATFORM._replace(notice_days=Term(30, "cn-ec-16")) if own else PLATFORM
    return rules.calendar(facts, terms, lambda one: is_working_day(one, "CN"))


@pytest.mark.parametrize("story", [s for s in STORIES.values() if "day" in s.tables], ids=lambda s: s.title)
def test_days(story):
    found = {day.code: day for day in calendar(story)}
    assert len(story.tables["day"]) > 1
    for row in story.tables["day"]:
        if row["on"] == "–":
            assert row["day"] not in found
            continue
        assert (str(found[row["day"]].on), found[row["day"]].rule_id) == (row["on"], row["rule"]), row["day"]


def test_days_are_in_order_and_have_names():
    for story in STORIES.values():
        if "day" in story.tables:
            days = calendar(story)
            assert [day.on for day in days] == sorted(day.on for day in days)
            assert {day.code for day in days} <= set(rules.DAY_NAMES)
            assert all(day.words % day.params for day in days)


@pytest.mark.parametrize("scenario", ["choice", "forced", "rule_change", "no_traffic"])
def test_nothing_that_is_to_be_done_lies_before_today(scenario):
    today = date(2027, 2, 1)
    days = rules.calendar(Facts(scenario, date(2026, 11, 10), noticed_on=date(2026, 11, 10), today=today), PLATFORM)
    assert [day.code for day in days if day.on < today and not day.happened] == []


def test_no_rule_and_no_wish_makes_the_notice_shorter():
    terms = PLATFORM._replace(notice_days=Term(3, "an-override"), total_days=Term(3, "an-override"))
    days = {day.code: day.on for day in rules.calendar(Facts("choice", date(2026, 3, 8)), terms)}
    assert (days["closed"] - days["application"]).days == 30


@pytest.mark.parametrize("row", STORIES["A day that was wished for"].tables["wished"], ids=lambda r: r["wished"])
def test_a_wish(row):
    days = calendar(STORIES["A day that was wished for"])
    assert rules.too_soon(date.fromisoformat(row["wished"]), days) == (row["too soon"] == "yes")


@pytest.mark.parametrize("row", STORIES["Busy hours"].tables["orders"], ids=lambda r: r["orders"])
def test_busy_hours(row):
    counts = [10 if row["orders"] == "10 at each" else 0] * 24
    for count, hour in re.findall(r"(\d+) at (\d+)", row["orders"]):
        counts[int(hour)] = int(count)
    assert sorted(rules.busy_hours(counts)) == [int(hour) for hour in row["busy"].split()]


@pytest.mark.parametrize("row", STORIES["When goods may go down"].tables["now"], ids=" ".join)
def test_quiet_moments(row):
    at = datetime.fromisoformat(row["now"]).replace(tzinfo=CHINA)
    found = rules.quiet_moment(at, rules.USUAL_BUSY, CHINA, has_aftersales=row["open requests"] == "yes")
    assert found == datetime.fromisoformat(row["then"]).replace(tzinfo=CHINA)


@pytest.mark.parametrize("row", STORIES["Quiet stores"].tables["months"], ids=lambda r: r["months"])
def test_quiet_stores(row):
    assert rules.is_quiet([int(count) for count in row["months"].split()]) == (row["quiet"] == "yes")


@pytest.mark.parametrize("row", STORIES["Where nobody comes"].tables["orders"], ids=lambda r: " / ".join(r.values()))
def test_where_nobody_comes(row):
    orders, visits, impressions = (
        [None if value == "–" else int(value) for value in row[name].split()] for name in ("orders", "visits", "impressions")
    )
    stretches = [rules.Stretch(*values) for values in zip(orders, visits, impressions, strict=True)]
    assert " ".join(line.measure for line in rules.lines_of(stretches) if line.is_below) == row["below"]
    assert rules.nobody_comes(stretches) == (row["nobody comes"] == "yes")


@pytest.mark.parametrize("row", STORIES["A comeback plan"].tables["months of the plan"], ids=lambda r: r["months of the plan"])
def test_comeback_days(row):
    months = [step.month for step in steps.COMEBACK]
    found = rules.comeback_days(date(2026, 8, 31), months, int(row["months of the plan"]))
    assert [str(day) for day in found] == row["due"].split()


@pytest.mark.parametrize("row", STORIES["What a line of points brings"].tables["consequence"], ids=lambda r: r["consequence"])
def test_standing_of_a_line(row):
    assert rules.standing_of_line(*row["consequence"].split(" / ")) == row["standing"]


@pytest.mark.parametrize("row", STORIES["What counts of several causes"].tables["causes"], ids=lambda r: r["causes"])
def test_the_worst_cause(row):
    causes = []
    for standing, informs, until in re.findall(r"(\w+)(\*?) (–|\d{4}-\d\d-\d\d)", row["causes"]):
        ends = None if until == "–" else datetime.fromisoformat(until).replace(tzinfo=CHINA)
        causes.append(rules.Cause(standing, "why", "rule", ends, acts=not informs))
    decides = rules.worst(causes)
    assert (decides.standing if decides else "normal") == row["standing"]


@pytest.mark.parametrize("row", STORIES["What was said and what is reckoned"].tables["said"], ids=lambda r: " ".join(r.values()))
def test_said_and_reckoned(row):
    said = "" if row["said"] == "–" else row["said"]
    assert rules.standing_now(said, row["reckoned when it was said"], row["reckoned now"]) == row["standing"]


def test_every_limit_a_platform_puts_has_its_standing_or_none():
    from daifa.domain.cases.process import CONSEQUENCES

    assert set(rules.STANDING_OF_LIMIT) <= set(CONSEQUENCES)
    assert set(CONSEQUENCES) - set(rules.STANDING_OF_LIMIT) == {"money_taken", "other"}
    assert set(rules.STANDING_OF_LIMIT.values()) <= set(rules.STANDINGS)
