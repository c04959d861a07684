"""Runs the tables of docs/rules/violations.md against the rule book that ships."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from daifa.domain.cases import rules
from daifa.domain.policy import queries as policy
from tests.worked_tables import stories

pytestmark = pytest.mark.django_db
STORIES = {story.title: story for story in stories("violations.md")}
SHANGHAI = "Asia/Shanghai"


def rows(title, table):
    return STORIES[title].tables[table]


def moment(text, zone=SHANGHAI):
    if text in ("unknown", "never", "–"):
        return None
    found = re.search(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d)?", text)[0]
    return datetime.fromisoformat(found).replace(tzinfo=ZoneInfo(zone))


def book(channel, on):
    names = policy.channels_of(SimpleNamespace(channel=channel, country=""))
    return [rule for name in names for rule in policy.rules(name, on=on)]


def test_the_page_has_its_stories():
    assert len(STORIES) >= 10


def test_until_when():
    for row in rows("Until when", "rule"):
        rule = policy.rule(row["rule"])
        start = moment(row["start"], row["zone"])
        found = rules.deadline(start, rule.threshold, rule.unit, row["zone"], rule.id, "CN")
        assert found == (moment(row["due"], row["zone"]), moment(row["over"], row["zone"]), row["rule"]), row


def test_when_a_violation_must_be_appealed():
    for row in rows("When a violation must be appealed", "channel"):
        notice = moment(row["notice"])
        terms = rules.appeal_terms(row["kind"], book(row["channel"], notice.date()))
        found = rules.appeal_deadline(terms, notice, SHANGHAI, "CN")
        expected = moment(row["due"]) and (moment(row["due"]), moment(row["over"]), row["by rule"])
        assert found == expected, row


def test_when_the_platform_answers():
    for row in rows("When the platform answers", "channel"):
        sent = moment(row["sent"])
        terms = rules.appeal_terms(row["kind"], book(row["channel"], sent.date()))
        found = rules.answer_deadline(terms, sent, SHANGHAI, "CN" if row["channel"] == "xiaohongshu" else "SG")
        assert found == moment(row["answer over"]), row
        assert (terms.answer.id if terms.answer else "–") == row["by rule"].strip("`"), row
        assert (str(terms.most) if terms.most else "any") == row["rounds"], row


def test_figures_of_notes_are_what_the_notes_say():
    for rule_id, rounds, days in (("xhs-appeal-penalty", 1, 3), ("xhs-appeal-comp", 1, 5)):
        note, count, answer = (policy.rule(rule_id + end) for end in ("", "-rounds", "-answer"))
        assert (count.threshold, answer.threshold, answer.unit) == (rounds, days, "working_day")
        assert str(days) in note.note.en and ("one attempt" in note.note.en or "once" in note.note.en)
        assert (note.source, note.as_of, note.confidence) == (answer.source, answer.as_of, answer.confidence)
    assert "first Monday of a quarter" in policy.rule("shopee-points-3").note.en
    assert policy.rule("shopee-points-reset").threshold == 3


def test_may_it_be_appealed():
    for row in rows("May it be appealed", "state"):
        allowed = row["rounds allowed"]
        found = rules.why_not_appeal(
            state=row["state"], until=moment(row["over"]), rounds_used=int(row["rounds used"]),
            rounds_allowed=None if allowed == "any" else int(allowed), has_open=row["one open"] == "yes", at=moment(row["at"]),
        )  # fmt: skip
        assert (found or "yes") == row["answer"], row


def test_when_points_fall():
    for row in rows("When points fall", "channel"):
        notice = moment(row["notice"])
        found = rules.points_fall(book(row["channel"], notice.date()), notice, SHANGHAI)
        assert (found.at if found else None) == moment(row["fall"]), row
        assert (found.rule if found else "–") == row["by rule"].strip("`"), row
        assert ("acts" if found and found.acts else "informs" if found else "–") == row["it"], row


def test_what_points_cost_next():
    title = "What points cost next on Shopee"
    violations = [
        (int(row["violation"]), "late_dispatch", Decimal(row["points"]), moment(row["notice"]), moment(row["until"]))
        for row in rows(title, "violation")
    ]
    ladder = rules.ladder(policy.rules("shopee", on=date(2026, 5, 1)))
    for row in rows(title, "at"):
        found = rules.standing(violations, ladder, moment(row["at"]))
        told = (
            str(found.total), str(found.reached.threshold) if found.reached else "–", str(found.next.threshold),
            str(found.left), found.falls_at.date().isoformat() if found.falls_at else "–", str(found.falls),
        )  # fmt: skip
        assert told == tuple(row[name] for name in ("total", "reached", "next", "left", "fall at", "how many")), row


def test_a_ladder_says_which_rungs_only_inform():
    for rung in rules.ladder(policy.rules("xiaohongshu", on=date(2026, 5, 1))):
        assert not rung.acts and rung.why_not


def test_may_the_deposit_move_so():
    for row in rows("May the deposit move so", "move"):
        found = rules.why_not_move(
            row["move"], Decimal(row["amount"]), deposit=Decimal(row["held"]), required=Decimal(row["required"]),
            taken=Decimal(row["taken"]), has_open_cases=row["open cases"] == "yes",
        )  # fmt: skip
        assert (found or "yes") == row["answer"], row


def test_what_is_held():
    for row in rows("What is held after these moves", "moves"):
        moves = [(one.split()[0], Decimal(one.split()[1])) for one in row["moves"].split(", ")]
        assert rules.held(moves) == Decimal(row["held"]), row


def test_which_licence_is_missing():
    licences = [
        rules.Licence("business_licence", "", date(2020, 1, 1)),
        rules.Licence("food_licence", "Tea", date(2024, 1, 1), date(2026, 6, 30)),
    ]
    for row in rows("Which licence is missing", "category"):
        found = rules.missing("xiaohongshu", row["category"], rules.default_needs(), licences, date.fromisoformat(row["on"]))
        told = "; ".join(
            " or ".join(one.kinds) + (f" (ended {one.ended_on})" if one.ended_on else "") for one in found
        )
        assert (told or "–") == row["missing"], row
        assert not any(one.blocks for one in found), "what nobody confirmed only asks"


def test_kinds_in_a_platforms_words():
    for row in rows("Kinds in a platform's words", "words"):
        assert rules.kind_of_words(row["words"]) == row["kind"], row
    assert rules.kind_of_words("  ") == ""


def test_an_elsewhere_store_is_not_asked_for_chinese_papers():
    assert rules.missing("shopify", "Tea", rules.default_needs(), [], date(2026, 5, 1)) == []


def test_whose_word_counts():
    """What the owner said about daifa's needs, from far to near."""
    for row in rows("Whose word counts", "said"):
        said = []
        for word in filter(None, (one.strip() for one in row["said"].split(";"))):
            where, what = word.split(": ")
            store, channel = (7, "") if where == "store" else (None, "" if where == "all" else where)
            said.append(rules.Said("food_licence", "", what == "must", "read", channel, store, "food"))
        found = rules.missing("xiaohongshu", "Tea", rules.needs_of("Tea", said), [rules.Licence("business_licence", "", date(2020, 1, 1))], date(2026, 5, 1))
        told = "; ".join(f"{one.kinds[0]} {'must' if one.blocks else 'asked'}" for one in found)
        assert (told or "–") == row["missing"], row


def test_each_default_says_where_it_stands():
    needs = rules.default_needs()
    assert len({need.id for need in needs}) == len(needs) >= 10
    for need in needs:
        assert need.source and need.source_zh and need.confidence in ("medium", "low") and date.fromisoformat(need.as_of) and not need.blocks


@pytest.mark.parametrize(("zone", "start", "hours", "due"), [
    ("America/New_York", "2026-03-07 10:00", 24, "2026-03-08 11:00"),
    ("America/New_York", "2026-10-31 10:00", 24, "2026-11-01 09:00"),
    ("Europe/London", "2026-10-24 10:00", 48, "2026-10-26 09:00"),
])  # fmt: skip
def test_hours_pass_over_a_change_of_clocks_whatever_zone_the_start_bears(zone, start, hours, due):
    local = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone))
    for one in (local, local.astimezone(UTC)):
        found = rules.deadline(one, hours, "hour", zone)
        assert found.due_at == found.until == datetime.fromisoformat(due).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        day = rules.deadline(one, 1, "day", zone)
        assert day.due_at == local.astimezone(UTC) + timedelta(days=1), "the stricter reading: 24 hours"
        assert day.until.astimezone(ZoneInfo(zone)).strftime("%H:%M") == "00:00" and (day.until.astimezone(ZoneInfo(zone)).date() - local.date()).days == 2
