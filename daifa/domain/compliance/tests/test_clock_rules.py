"""Runs docs/rules/clocks.md against the rules that are shipped."""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from daifa.domain.compliance import announced, rules
from daifa.domain.policy.book import shipped_book
from daifa.domain.policy.rules import judge
from daifa.lib import regions
from tests.worked_tables import stories

STORIES = {story.title: story for story in stories("clocks.md")}
CHINA = "Asia/Shanghai"


def book(channel, on=date(2026, 7, 1)):
    return [judge(rule, on) for rule in shipped_book().rules.values() if rule.channel == channel]


def rows(title, head):
    found = STORIES[title].tables[head]
    assert found
    return [pytest.param(row, id=" ".join(row.values())[:70]) for row in found]


def local(text, zone):
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo(zone))


def way(text):
    mode, _, hours = text.replace("<", ":").partition(":")
    return mode, int(hours) if hours else None


def lines(channel, mode, hours=None, **facts):
    return rules.lines_of(book(channel), [(mode, hours)], **facts)


def due(line, start, zone, since=None):
    extensions = [one for one in announced.shipped() if one.channel == "xiaohongshu"]
    moment, why = rules.due_at(line, start, zone=zone, since=since, exceptions=extensions)
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M"), rules.joined(line.why, why)


@pytest.mark.parametrize("row", rows("Dispatch on Xiaohongshu", "paid"))
def test_dispatch(row):
    (line,) = [one for one in lines("xiaohongshu", *way(row["way"])) if one.kind == "dispatch"]
    assert (*due(line, local(row["paid"], CHINA), CHINA), line.rule) == (row["due"], row["why"], row["rule"])


@pytest.mark.parametrize("row", rows("Parcels on Xiaohongshu", "clock"))
def test_parcels(row):
    (line,) = [
        one
        for one in lines("xiaohongshu", *way(row["way"]))
        if one.kind == row["clock"] and one.zone in ("", row["zone"])
    ]
    found = due(line, local(row["start"], CHINA), CHINA, since=local(row["since"], CHINA))
    assert (*found, line.rule) == (row["due"], row["why"], row["rule"])


@pytest.mark.parametrize("row", rows("What it costs on Xiaohongshu", "loss"))
def test_compensation(row):
    by_id = {rule.id: rule for rule in book("xiaohongshu")}
    penalty = rules.penalty_for(row["loss"], int(row["promised hours"]), by_id)
    assert penalty.currency == "CNY"
    assert rules.compensation(Decimal(row["amount"]), penalty) == Decimal(row["compensation"])


@pytest.mark.parametrize("row", rows("What it is taken of", "goods"))
def test_what_compensation_is_taken_of(row):
    penalty = rules.penalty_for("late", 48, {rule.id: rule for rule in book("xiaohongshu")})
    given = rules.compensation(
        Decimal(row["paid"]), penalty, discounts=Decimal(row["discounts"]), titles=row["goods"].split(", ")
    )
    assert given == Decimal(row["compensation"])


@pytest.mark.parametrize("row", rows("Answers to buyers on Xiaohongshu", "answer"))
def test_answers(row):
    (line,) = [one for one in lines("xiaohongshu", *way(row["way"])) if one.kind == row["answer"]]
    assert (due(line, local(row["start"], CHINA), CHINA)[0], line.rule) == (row["due"], row["rule"])


@pytest.mark.parametrize("row", rows("The same order on other channels", "channel"))
def test_the_same_order_elsewhere(row):
    zone = rules.PLATFORM_ZONES.get(row["channel"], "America/New_York" if row["country"] == "US" else "UTC")
    paid = local("2026-07-03 10:00", zone)
    told = []
    for line in sorted(lines(row["channel"], "spot", country=row["country"]), key=lambda one: one.kind):
        if line.kind == "ship_by":
            told.append("ship_by own")
        elif line.kind in ("dispatch", "carrier_scan"):
            told.append(f"{line.kind} {due(line, paid, zone)[0]}")
    assert ", ".join(told) == row["clocks"]


@pytest.mark.parametrize("row", rows("Sold to order, and shorter promises", "channel"))
def test_by_whose_word_a_promise_runs(row):
    (line,) = [one for one in lines(row["channel"], *way(row["way"]), country="CN") if one.kind == "dispatch"]
    assert (line.hours, line.rule, line.why) == (int(row["hours"]), row["by"], row["why"])


def test_no_channel_is_shown_a_rule_of_another():
    for channel in {rule.channel for rule in shipped_book().rules.values()}:
        for mode, _word in rules.MODES:
            for hours in (None, 12, 36, 240):
                named = {one.rule for one in lines(channel, mode, hours)} - {rules.OWN_PROMISE}
                assert {shipped_book().rules[rule].channel for rule in named} <= {channel}, (channel, mode, hours)


def test_what_one_channel_says_in_a_note_is_not_made_of_another_channels_rules():
    elsewhere = [
        replace(rule, id=rule.id.replace("xhs", "dy"), channel="douyin")
        for rule in book("xiaohongshu") if rule.metric in ("hours_after_return_signed", "hours_after_pickup_overdue")
    ]  # fmt: skip
    kinds = {line.kind for line in rules.lines_of(elsewhere, [("spot", None)])}
    assert kinds == {"return_received", "pickup_fraud", "ship_by"}
    assert {"return_sent", "hub_fraud"} <= {line.kind for line in lines("xiaohongshu", "spot")}


@pytest.mark.parametrize("row", rows("Clock changes", "zone"))
def test_clock_changes(row):
    line = rules.ClockLine("x", "dispatch", "spot", int(row["hours"]) * 3600)
    assert due(line, local(row["paid"], row["zone"]), row["zone"])[0] == row["due"]


@pytest.mark.parametrize("row", rows("Working days", "from"))
def test_working_days(row):
    calendar = row["calendar"].replace("none", "")
    assert rules.nth_working_day(date.fromisoformat(row["from"]), int(row["days"]), calendar) == date.fromisoformat(
        row["due day"]
    )


@pytest.mark.parametrize("row", rows("Near, far, remote", "origin"))
def test_zones(row):
    assert rules.zone_between(row["origin"], row["destination"]) == (row["zone"], row["why"])


def test_limits_in_another_currency_are_left_out_and_said():
    (line,) = [one for one in lines("xiaohongshu", "spot", currency="USD") if one.kind == "dispatch"]
    assert line.why == "limits_in_other_currency"
    assert rules.compensation(Decimal("50.00"), line.penalty) == Decimal("0.50")


def test_every_deadline_of_the_book_makes_a_clock_or_says_why_not():
    deadlines = [rule for rule in shipped_book().rules.values() if rule.kind == "deadline"]
    assert len(deadlines) > 25
    assert [rule.id for rule in deadlines if not rules.kind_of(rule) and rule.metric not in rules.NOT_OURS] == []


def test_what_is_written_here_about_rules_names_rules_of_the_book():
    known = set(shipped_book().rules)
    named = {*rules.MODES_OF, *rules.ZONES_OF, *rules.SAYS_TOO, rules.WHOLE_YUAN, rules.PROMISE, *(one.rule for one in announced.shipped())}
    named |= {rule for ladder in rules.COMPENSATIONS.values() for rule, _above, _up_to in ladder}
    assert named - known == set()


def test_every_reason_of_a_clock_has_words():
    used = {"holiday", "several_modes", "no_payment_time", "not_told", "scans_before_payment", "scans_contradict"}
    for channel in ("xiaohongshu", "tiktok_shop", "amazon", "douyin"):
        for mode, _word in rules.MODES:
            for line in lines(channel, mode, 240 if mode == "promised" else None, currency="USD"):
                used |= set(filter(None, line.why.split(",")))
    assert used <= set(rules.WHYS)


@pytest.mark.parametrize("row", STORIES["Delivered elsewhere"].tables["place"], ids=lambda row: " ".join(row.values()))
def test_delivered_elsewhere(row):
    found = regions.lies_elsewhere(row["place"], country=row["country"], region=row["region"], postcode=row["postcode"])
    assert (regions.names([found[0]]) if found else "") == row["found"]


def test_every_state_has_its_postcodes():
    told = set(regions._zips().values())
    assert told == set(regions.STATES["US"]), "each state, district, territory and army post of the United States"
    assert {regions.state_of("AU", "", code) for code in ("0800", "2000", "2601", "3000", "4000", "5000", "6000", "7000")} == set(regions.STATES["AU"])
    assert regions.readings("") == regions.readings("12345") == regions.readings("Out for delivery") == []
