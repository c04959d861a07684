"""Before a rule changes each store is told what it would do to its open orders, its money and its lines: docs/rules/rule-book.md."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from daifa.domain.compliance.commands import find_parcel_faults, reckon_clocks, set_dispatch_mode
from daifa.domain.compliance.figure_commands import report_figures
from daifa.domain.compliance.figure_rules import Figure
from daifa.domain.compliance.models import Clock
from daifa.domain.policy import book as books
from daifa.domain.policy import commands
from daifa.domain.policy.commands import NewOverride
from daifa.domain.shipping.models import Parcel
from daifa.flows import foresee_rules, watch_rules
from tests import bought_orders
from tests.worked_tables import stories

pytestmark = pytest.mark.django_db
BY = "user:1"
NOW = datetime(2026, 6, 20, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = date(2026, 7, 1)
ROWS = {story.title: story for story in stories("rule-book.md")}["What a change would mean"].tables["change"]
OPEN = (("100.00", 10), ("100.00", 37), ("500.00", 40), ("790.10", 60))

RULE = """- id: {id}
  channel: {channel}
  kind: {kind}
  metric: {metric}
  comparison: '{comparison}'
  threshold: {threshold}
  unit: {unit}
  window_days: {window}
  consequence: {{zh: 新规则, en: A new rule}}
  source: https://example.org/new
  source_kind: official
  as_of: '2026-06-18'
  confidence: high
  note: {{zh: 新, en: new}}
  read_on: '2026-06-18'
"""


def shop(code="red", channel="xiaohongshu", **fields):
    given = {"channel": channel, "kind": "marketplace", "country": "CN", "currency": "CNY", "timezone": "Europe/London"} | fields
    return bought_orders.store(code, **given)


def order(store, amount, hours, **fields):
    paid = NOW - hours * HOUR
    given = {"placed_at": paid, "paid_at": paid, "currency": store.currency, "country": store.country} | fields
    return bought_orders.order(store, [("goods", 2, amount)], **given)


@pytest.fixture
def store():
    found = shop()
    set_dispatch_mode(store_id=found.pk, mode="spot", by=BY, at=NOW)
    for amount, hours in OPEN:
        order(found, amount, hours)
    watch_rules.watch_rules(at=NOW - timedelta(days=30))
    return found


def file_with(channel, *rules, without=""):
    text = books.shipped_files()[f"{channel}.yaml"].decode()
    if without:
        start = text.index(f"- id: {without}\n")
        end = text.find("\n- id: ", start) + 1 or len(text)
        text = text[:start] + text[end:]
    return {f"{channel}.yaml": (text.rstrip("\n") + "\n" + "".join(rules)).encode()}


def new_rule(rule_id, metric, threshold, *, channel="xiaohongshu", kind="deadline", comparison=">", unit="hour", window="null"):
    return RULE.format(
        id=rule_id, channel=channel, kind=kind, metric=metric, threshold=threshold, comparison=comparison, unit=unit, window=window
    )


def take(files):
    taken = commands.take_book(own=files, by=BY, at=NOW, takes_effect_on=DAY)
    assert taken.is_new, taken.problems


def effects(store):
    return foresee_rules.effects_of(watch_rules.changes_for(store, on=NOW.date()), store, at=NOW)


def changed(rule, **fields):
    text = books.shipped_files()["xiaohongshu.yaml"].decode()
    start = text.index(f"- id: {rule}\n")
    end = text.find("\n- id: ", start) + 1 or len(text)
    mine = text[start:end]
    for name, value in fields.items():
        line = next(line for line in mine.splitlines() if line.strip().startswith(f"{name}:"))
        mine = mine.replace(line, f"  {name}: {value}", 1)
    return {"xiaohongshu.yaml": (text[:start] + mine + text[end:]).encode()}


def make(row):
    how = row["how"].split()
    if row["change"] == "word":
        fields = dict(one.split("=") for one in how)
        done = commands.override_rules([NewOverride(row["rule"], "letter", DAY, fields)], by=BY, at=NOW)
        assert not done.refused, done.refused
    elif how == ["gone"]:
        take(file_with("xiaohongshu", without=row["rule"]))
    elif how[0] == "new":
        limit = {"kind": "metric_limit", "comparison": ">=", "unit": "percent", "window": how[4]} if "over" in how else {}
        take(file_with("xiaohongshu", new_rule(row["rule"], how[1], how[2], **limit)))
    else:
        take(changed(row["rule"], **dict(one.split("=") for one in how)))


def sums(money):
    return {"CNY": Decimal(money)} if money else {}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row.values())[:60])
def test_what_a_change_would_mean(store, row):
    make(row)
    (effect,) = effects(store)
    told = foresee_rules.as_data(effect)
    assert effect.change.rule_id == row["rule"]
    assert (told["orders"], told["would_be_overdue"], told["would_be_relaxed"]) == (int(row["orders"]), int(row["overdue"]), int(row["relaxed"]))
    assert (told["overdue_money"], told["relaxed_money"]) == (sums(row["money"]), sums(row["money then"]))
    assert (told["at_stake_before"], told["at_stake_after"]) == (sums(row["before"]), sums(row["after"]))
    owed = row["run out"].split(" to ") if row["run out"] else ("", "")
    assert (told["owed_before"], told["owed_after"]) == tuple(map(sums, owed))
    assert told["line"] == row["line"] and told["means"]
    assert not Clock.objects.exists(), "a foresight keeps nothing"


def test_a_foresight_is_what_is_reckoned_when_the_text_had_counted_all_along(store):
    """Promised and kept: the clocks under a word from long ago turn as the foresight of that word said."""
    word = NewOverride("xhs-ship-spot-domestic", "letter", DAY, {"threshold": "36"})
    done = commands.override_rules([word], by=BY, at=NOW)
    (effect,) = effects(store)
    commands.withdraw_overrides(done.ids, by=BY, at=NOW)
    reckon_clocks(at=NOW)
    before = set(Clock.objects.filter(kind="dispatch", state="overdue").values_list("order__number", flat=True))
    commands.override_rules([word._replace(valid_from=date(2026, 6, 1))], by=BY, at=NOW)
    reckon_clocks(at=NOW)
    after = set(Clock.objects.filter(kind="dispatch", state="overdue").values_list("order__number", flat=True))
    assert effect.touched.overdue == len(after - before) == 2
    assert set(effect.touched.named[:2]) == after - before, "those that turn are named first"


def test_it_is_said_in_words_in_both_languages(store):
    make({"change": "word", "rule": "xhs-comp-late-le48", "how": "cap=6"})
    (effect,) = effects(store)
    assert effect.sentences() == [
        "4 open orders can come to it: 19.00 CNY at stake by the text of before, 17.00 CNY by the new one.",
        "For 1 of them the time has run out: 8.00 CNY, and 6.00 CNY.",
    ]
    with translation.override("zh-hans"):
        assert "19.00 CNY" in effect.sentences()[0] and "open order" not in " ".join(effect.sentences())


def test_a_new_deadline_names_the_orders_it_would_touch(store):
    make({"change": "file", "rule": "xhs-ship-new", "how": "new hours_payment_to_dispatch 24"})
    (effect,) = effects(store)
    first, second = effect.touched.named[:2]
    assert effect.sentences()[:2] == ["It would touch 4 open orders.", "2 of 4 open clocks would be overdue (8.00 CNY at stake)."]
    assert effect.sentences()[2].startswith(f"Orders: {first}, {second},")


def test_a_new_rule_that_only_informs_says_so_and_turns_nothing(store):
    take(file_with("xiaohongshu", new_rule("xhs-ship-new", "hours_payment_to_dispatch", 24).replace("confidence: high", "confidence: low")))
    (effect,) = effects(store)
    assert (effect.touched.orders, effect.touched.overdue) == (4, 0) and "It would only inform." in foresee_rules.means(effect)


def test_a_new_line_says_how_far_the_store_is_on_the_way(store):
    take(file_with("xiaohongshu", new_rule("xhs-oos-new", "out_of_stock_rate", 5, kind="metric_limit", comparison=">=", unit="percent", window=30)))
    (effect,) = effects(store)
    assert (effect.line, effect.stands.metric) == ("", "out_of_stock_rate")
    assert foresee_rules.means(effect) == "The line would not be crossed: you stand at 0 %, 0 % of the way."
    empty = shop("blue")
    (effect,) = effects(empty)
    assert foresee_rules.means(effect) == "Nothing was counted yet: the line would not be crossed."


def test_a_line_that_only_the_platform_measures_goes_by_what_it_showed(store):
    make({"change": "word", "rule": "xhs-service-unanswered", "how": "threshold=6"})
    (effect,) = effects(store)
    assert "Where you stand is not known here. Conversations" in foresee_rules.means(effect)
    figure = Figure("conversations_unanswered_24h", Decimal(8), NOW.date() - timedelta(days=1), None)
    assert not report_figures([figure], store=store, source="page", by=BY, at=NOW).refused
    (effect,) = effects(store)
    assert (effect.line, effect.value) == ("crossed", Decimal(8))


def test_rules_that_nothing_here_is_counted_by_are_left_to_the_reader(store):
    new = [
        new_rule("xhs-comp-new", "share_of_amount_receivable", 2, kind="compensation", comparison="value", unit="percent"),
        new_rule("xhs-ban-new", "off_platform_steering", "null", kind="prohibition", comparison="occurs", unit="null"),
    ]
    take(file_with("xiaohongshu", *new))
    assert [foresee_rules.means(one) for one in effects(store)] == ["Nothing here is counted by it: read what follows from it."] * 2


def test_false_tracking_is_reckoned_from_open_findings(store):
    bought = order(store, "790.10", 20)
    Parcel.objects.create(
        store=store, order=bought, supplier=bought_orders.supplier(), number="YT1", state="announced", announced_at=NOW - timedelta(days=9), units=2
    )
    find_parcel_faults(at=NOW)
    make({"change": "word", "rule": "xhs-comp-badtrack", "how": "threshold=10"})
    (effect,) = effects(store)
    assert (effect.touched.owed_before, effect.touched.owed_after) == ({"CNY": Decimal(200)}, {"CNY": Decimal(79)})


def test_changes_of_one_day_are_reckoned_together_and_of_another_day_apart(store):
    words = [
        NewOverride("xhs-ship-spot-domestic", "letter", DAY, {"threshold": "72"}),
        NewOverride("xhs-comp-late-48to168", "letter", DAY, {"threshold": "10"}),
        NewOverride("xhs-comp-late-48to168", "letter", DAY + timedelta(days=5), {"threshold": "1"}),
    ]
    assert not commands.override_rules(words, by=BY, at=NOW).refused
    money, hours, later = effects(store)
    assert hours.touched.relaxed == 1
    # Promised within 72 hours another compensation follows: with its own text of that day (10 %, at most 60).
    assert money.touched.after == {"CNY": Decimal(10 + 10 + 50 + 60)}
    assert (later.touched.before, later.touched.after) == (money.touched.after, {"CNY": Decimal(3 + 3 + 5 + 8)})


def test_the_law_of_own_sites_and_other_channels():
    site = shop("site", channel="manual", kind="own_site", country="US", currency="USD")
    other = shop("dy", channel="douyin")
    for one in (site, other):
        order(one, "50.00", 24 * 20, country="US")
    watch_rules.watch_rules(at=NOW - timedelta(days=30))
    law = next(rule for rule in books.shipped_book().rules.values() if rule.channel == "law_us" and rule.metric == "days_to_ship_if_unstated")
    assert not commands.override_rules([NewOverride(law.id, "letter", DAY, {"threshold": "10"})], by=BY, at=NOW).refused
    found = foresee_rules.effects_of(watch_rules.changes_for(site, on=NOW.date()), site, at=NOW)
    assert [(one.change.rule_id, one.touched.overdue) for one in found] == [(law.id, 1)]
    assert not commands.override_rules([NewOverride("own-health-default", "my line", DAY + timedelta(days=1), {"threshold": "3"}, site.pk)], by=BY, at=NOW).refused
    line = foresee_rules.effects_of(watch_rules.changes_for(site, on=NOW.date()), site, at=NOW)[-1]
    assert (line.line, line.value) == ("crossed", Decimal(100)), "its only order was late"
    assert effects(other) == [], "another platform's and another country's rules mean nothing there"
