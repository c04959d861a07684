"""The tables of docs/rules/rule-book.md, and what happens to files, versions and the owner's word."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from daifa.domain.policy import book as books
from daifa.domain.policy import commands, queries, rules
from daifa.domain.policy.commands import NewOverride
from daifa.domain.policy.models import RuleBook, RuleFile, RuleOverride
from daifa.domain.policy.rules import Applied, Rule, Words
from daifa.domain.stores.commands import add_store
from daifa.lib.refusal import Refused
from tests.worked_tables import stories

TODAY = date(2026, 11, 22)
JUNE = datetime(2026, 6, 1, 9, tzinfo=UTC)
STORIES = {story.title: story.tables for story in stories("rule-book.md")}

PLAIN = Rule(
    id="x-1", channel="amazon", kind="metric_limit", metric="late_shipment_rate", comparison=">=", threshold=4, unit="percent",
    window_days=30, consequence=Words("后果", "what"), note=Words("注", "note"), source="s", source_kind="official", as_of="2026-09-01",
    read_on=TODAY, confidence="high",
)  # fmt: skip


def said(cell: str) -> str | None:
    return None if cell == "–" else cell


@pytest.mark.parametrize("row", STORIES["Does it act?"]["confidence"], ids=lambda row: " ".join(row.values()))
def test_does_it_act(row):
    word = said(row["confirmed on"])
    rule = replace(
        PLAIN, confidence=row["confidence"], source_kind=row["source kind"], as_of=said(row["as of"]), status=said(row["status"]),
        effective=date.fromisoformat(row["effective"]) if said(row["effective"]) else None,
        overrides=(Applied(1, "user:1", date.fromisoformat(word), "read it", None),) if word else (),
    )  # fmt: skip
    judged = rules.judge(rule, TODAY)
    assert (judged.verdict or "acts", "yes" if judged.recheck else "no") == (row["verdict"], row["re-check"])
    assert judged.acts == (row["verdict"] == "acts")
    assert bool(judged.why_not) != judged.acts


RULE = """channel: amazon
title: {zh: 亚马逊, en: Amazon}
rules:
- id: amz-late
  channel: amazon
  kind: metric_limit
  metric: late_shipment_rate
  comparison: '>='
  threshold: 4
  unit: percent
  window_days: 30
  consequence: {zh: 后果, en: what follows}
  source: https://sellercentral.amazon.com/help
  source_kind: official
  as_of: '2026-01-29'
  read_on: '2026-11-22'
  confidence: high
  note: {zh: 注, en: a note}
"""


def changed(change: str) -> str:
    """RULE with one change of the table."""
    if change.startswith("without "):
        name = change.removeprefix("without ")
        return "".join(line for line in RULE.splitlines(True) if not line.startswith(f"  {name}:"))
    if change == "the same id again":
        return RULE + RULE.split("rules:\n")[1]
    if change == "metric written twice":
        return RULE + "  metric: late_shipment_rate\n"
    if change == "consequence: one language":
        return RULE.replace("consequence: {zh: 后果, en: what follows}", "consequence: {en: what follows}")
    name = change.split(":")[0]
    lines = RULE.splitlines(True)
    if not any(line.startswith(f"  {name}:") for line in lines):
        return RULE + f"  {change}\n"
    return "".join(f"  {change}\n" if line.startswith(f"  {name}:") else line for line in lines)


@pytest.mark.parametrize("row", STORIES["What a file is refused for"]["change"], ids=lambda row: row["change"])
def test_what_a_file_is_refused_for(row):
    text = changed(row["change"])
    book = books.read_book({"amazon.yaml": text.encode()})
    assert not book.rules
    sentences = [problem.sentence() for problem in book.problems]
    assert any(row["sentence"] in sentence for sentence in sentences), sentences
    lines = text.splitlines()
    for problem in book.problems:
        assert 4 <= problem.line <= len(lines)
        assert problem.sentence().startswith(f"amazon.yaml, line {problem.line}: ")


def test_the_line_is_the_line():
    text = RULE.replace("metric: late_shipment_rate", "metric: what_rate")
    (problem,) = books.read_book({"amazon.yaml": text.encode()}).problems
    assert text.splitlines()[problem.line - 1] == "  metric: what_rate"
    assert books.read_book({"amazon.yaml": RULE.encode()}).problems == ()


@pytest.mark.parametrize(("rules", "line", "sentence"), [
    ("rules: none\n", 3, "Below “rules:” stand the rules one after another, each beginning with “- id: …”"),
    ("rules:\n", 3, "Below “rules:” stand the rules one after another, each beginning with “- id: …”"),
    ("rules:\n  one: {id: a}\n", 4, "Below “rules:” stand the rules one after another, each beginning with “- id: …”"),
    ("rules:\n- late\n", 4, "A rule begins with “- id: …” and has its fields below, one a line"),
])  # fmt: skip
def test_a_file_of_another_shape_is_told_how_to_be_written(rules, line, sentence):
    content = "channel: amazon\ntitle: {zh: 亚马逊, en: Amazon}\n" + rules
    (problem,) = books.read_book({"amazon.yaml": content.encode()}).problems
    assert (problem.line, sentence in problem.sentence()) == (line, True), problem.sentence()


@pytest.mark.parametrize(
    "content", [b"", b"- a\n- b\n", b"rules: [\n", b"\xff\xfe\x00\x00", b"a: &a [*a]\n", b"channel: amazon\ntitle: x\nrules: 3\n", b"[" * 9000]
)  # fmt: skip
def test_rubbish_is_refused_with_a_sentence(content):
    book = books.read_book({"amazon.yaml": content})
    assert book.problems and not book.rules
    assert all(problem.sentence() for problem in book.problems)


def test_what_ships_is_whole():
    book = books.shipped_book()
    assert book.problems == ()
    assert len(book.rules) == 292 and len(book.titles) == 20
    assert {rule.channel for rule in book.rules.values()} == set(book.titles)
    spoken_of = {rule.metric for rule in book.rules.values()}
    spoken_of |= {gate.metric for rule in book.rules.values() for gate in (rule.gate, rule.applies_when) if gate}
    assert spoken_of == set(books.metrics()), "metrics.yaml declares what the rules speak of, and nothing else"
    for metric in books.metrics().values():
        assert metric.words.zh and metric.words.en


def test_nobody_acts_on_what_is_not_sure():
    judged = [rules.judge(rule, TODAY) for rule in books.shipped_book().rules.values()]
    for rule in judged:
        if rule.confidence == "low" or rule.status in rules.INFORMS_ONLY or rule.as_of is None:
            assert not rule.acts, rule.id
    assert sum(rule.acts for rule in judged) > 100


# --- Versions and overrides -------------------------------------------------------------------------------------


def amazon(threshold: str, extra: str = "") -> dict[str, bytes]:
    return {"amazon.yaml": (RULE.replace("threshold: 4", f"threshold: {threshold}") + extra).encode()}


def at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(hour=9, tzinfo=UTC)


def line(day: str, store_id: int | None = None) -> str:
    found = queries.in_force(on=date.fromisoformat(day), store_id=store_id).get("amz-late")
    return "" if found is None else f"{found.threshold:f}"


@pytest.fixture
def store(db):
    return add_store(code="a", name="A", currency="USD", channel="amazon", kind="marketplace", country="US", by="user:1", at=JUNE)


@pytest.fixture
def first_book(db, monkeypatch):
    """The book begins with one rule of 4 percent, as if daifa shipped just that."""
    monkeypatch.setattr(books, "shipped_files", lambda: amazon("4"))
    return commands.take_book(by="job:test", at=at("2026-01-01")).book


def test_which_line_counts_on_which_day(first_book, store):
    second = commands.take_book(own=amazon("3"), by="user:1", at=at("2026-06-01")).book
    third = commands.take_book(own=amazon("2", "  effective: '2026-07-01'\n"), by="user:1", at=at("2026-06-10")).book
    assert first_book.takes_effect_on is None
    assert (second.takes_effect_on, third.takes_effect_on) == (date(2026, 6, 2), date(2026, 6, 11))
    done = commands.override_rules(
        [
            NewOverride("amz-late", "letter", date(2026, 6, 20), {"threshold": "5"}, valid_until=date(2026, 6, 25)),
            NewOverride("amz-late", "agreed", date(2026, 6, 22), {"threshold": "6"}, store_id=store.pk),
        ],
        by="user:1", at=at("2026-06-12"),
    )  # fmt: skip
    assert not done.refused
    for row in STORIES["Which line counts on which day"]["on"]:
        assert (line(row["on"], store.pk), line(row["on"])) == (row["store A"], row["other stores"]), row["on"]


def test_what_will_change_is_known_before(first_book, store):
    commands.take_book(own=amazon("2", "  effective: '2026-07-01'\n"), by="user:1", at=at("2026-06-10"))
    (change,) = queries.announced(on=date(2026, 6, 12), store_id=store.pk)
    assert (change.on, change.before.threshold, change.after.threshold) == (date(2026, 7, 1), 4, 2)
    assert change.fields == ("threshold", "effective")
    assert queries.announced(on=date(2026, 7, 1), store_id=store.pk) == []
    commands.override_rules([NewOverride("amz-late", "letter", date(2026, 8, 1), {"threshold": "3"}, store.pk)], by="user:1", at=at("2026-07-02"))
    assert [(one.on, one.after.threshold) for one in queries.announced(on=date(2026, 7, 2), store_id=store.pk)] == [(date(2026, 8, 1), 3)]
    assert queries.announced(on=date(2026, 7, 2)) == []  # nothing for other stores


def test_a_word_with_a_day_of_its_own_leaves_the_rule_as_it_is_until_then(first_book, store):
    word = NewOverride("amz-late", "letter of 1 June", date(2026, 6, 1), {"threshold": "3", "effective": "2026-06-20"})
    assert not commands.override_rules([word], by="user:1", at=JUNE).refused
    assert (line("2026-06-01"), line("2026-06-19"), line("2026-06-20")) == ("4", "4", "3")
    assert [(one.on, one.before.threshold, one.after.threshold) for one in queries.announced(on=date(2026, 6, 1))] == [(date(2026, 6, 20), 4, 3)]


def test_a_renewed_file_of_ours_is_said_where_the_owner_has_her_own(first_book, monkeypatch):
    commands.take_book(own=amazon("3"), by="user:1", at=at("2026-02-01"))
    assert queries.overtaken_files() == []
    monkeypatch.setattr(books, "shipped_files", lambda: amazon("5"))
    assert not commands.take_book(by="job:test", at=at("2026-03-01")).is_new  # hers goes on counting
    assert queries.overtaken_files() == ["amazon.yaml"] and line("2026-03-02") == "3"
    commands.keep_own_file(name="amazon.yaml", by="user:1", at=at("2026-03-02"))
    assert queries.overtaken_files() == []
    dropped = commands.drop_own_file(name="amazon.yaml", by="user:1", at=at("2026-03-03"))
    assert dropped.is_new and (line("2026-03-03"), line("2026-03-04")) == ("3", "5")
    with pytest.raises(Refused, match="There is no own file"):
        commands.drop_own_file(name="amazon.yaml", by="user:1", at=at("2026-03-04"))


def test_a_bad_file_leaves_the_last_good_book(first_book):
    bad = {"amazon.yaml": RULE.replace("late_shipment_rate", "late_shipment").encode()}
    taken = commands.take_book(own=bad, by="user:1", at=JUNE)
    assert [problem.line for problem in taken.problems] == [7]
    assert not taken.is_new and taken.book == first_book
    assert RuleBook.objects.count() == 1 and line("2026-06-09") == "4"


def test_the_same_files_make_no_new_version(first_book):
    again = commands.take_book(by="job:test", at=JUNE)
    assert again.book == first_book and not again.is_new
    assert RuleFile.objects.count() == 1


def test_a_book_that_waits_can_be_moved_or_taken_back(first_book):
    waiting = commands.take_book(own=amazon("3"), by="user:1", at=JUNE).book
    moved = commands.move_book(book_id=waiting.pk, takes_effect_on=date(2026, 6, 20), by="user:1", at=JUNE)
    assert (line("2026-06-19"), line("2026-06-20")) == ("4", "3")
    commands.withdraw_book(book_id=moved.pk, by="user:1", at=JUNE)
    assert line("2026-06-21") == "4"
    with pytest.raises(Refused, match="counts already"):
        commands.withdraw_book(book_id=first_book.pk, by="user:1", at=JUNE)


@pytest.mark.django_db
def test_without_a_stored_book_what_ships_counts():
    assert not RuleBook.objects.exists()
    found = queries.rules("xiaohongshu", metric="hours_payment_to_dispatch", on=TODAY)
    assert [rule.id for rule in found][:2] == ["xhs-ship-spot-domestic", "xhs-ship-spot-bonded"]
    assert queries.rules("nowhere", on=TODAY) == []
    with pytest.raises(KeyError):
        queries.rule("no-such-rule")


@pytest.mark.django_db
def test_a_confirmed_rule_acts_and_is_said_by_whom(store):
    undated = next(rule for rule in queries.rules("amazon", on=TODAY) if rule.verdict == "undated")
    done = commands.override_rules([NewOverride(undated.id, "read it in Seller Central", TODAY)], by="user:7", at=at("2026-11-22"))
    assert not done.refused
    now = queries.rule(undated.id, on=TODAY)
    assert now.acts and (now.confirmed.by, now.confirmed.on) == ("user:7", TODAY)
    assert commands.withdraw_overrides(done.ids, by="user:7", at=at("2026-11-22")) == 1
    assert not queries.rule(undated.id, on=TODAY).acts
    assert RuleOverride.objects.get().withdrawn_by == "user:7"


REFUSED = [
    (NewOverride("no-such", "x", TODAY), "There is no rule no-such."),
    (NewOverride("amz-insert", " ", TODAY), "Say why"),
    (NewOverride("amz-insert", "I think so", TODAY), "Confirming cannot make it act"),
    (NewOverride("xhs-comp-badtrack", "x", TODAY, {"threshold": "much"}), "threshold: much is no number."),
    (NewOverride("xhs-comp-badtrack", "x", TODAY, {"metric": "late_rate"}), "metric cannot be overridden"),
    (NewOverride("xhs-comp-badtrack", "x", TODAY, {"cap": "3"}), "The highest amount is below the lowest."),
    (NewOverride("amz-insert", "x", TODAY, {"confidence": "high"}), "enter the source you read and the date"),
    (NewOverride("amz-insert", "x", TODAY, {"status": ""}), "enter the source you read and the date"),
    (NewOverride("xhs-comp-badtrack", "x", TODAY, {"threshold": "31"}, valid_until=date(2026, 1, 1)), "It ends before it begins."),
    (NewOverride("xhs-comp-badtrack", "x", TODAY, {"threshold": "31"}, store_id=10**9), "There is no such store."),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("word", "sentence"), REFUSED, ids=lambda one: one if isinstance(one, str) else "")
def test_a_wrong_word_is_refused_and_stops_nobody(word, sentence):
    good = NewOverride("xhs-comp-badtrack", "new text of 1 November", TODAY, {"threshold": "31", "cap": "250"})
    done = commands.override_rules([word, good], by="user:1", at=at("2026-11-22"))
    assert len(done.ids) == 1 and sentence in done.refused[0]
    assert (queries.rule("xhs-comp-badtrack", on=TODAY).threshold, queries.rule("xhs-comp-badtrack", on=TODAY).cap) == (31, 250)


@pytest.mark.django_db
def test_an_official_text_lifts_a_weak_rule():
    row = NewOverride(
        "amz-insert", "Seller Central, page G1801", TODAY,
        {"source": "https://sellercentral.amazon.com/G1801", "source_kind": "official", "as_of": "2026-10-01", "confidence": "high", "status": ""},
    )  # fmt: skip
    assert not commands.override_rules([row], by="user:1", at=at("2026-11-22")).refused
    assert queries.rule("amz-insert", on=TODAY).acts
