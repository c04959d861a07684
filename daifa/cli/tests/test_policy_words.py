"""`daifa policy`: files are checked, rules explained, the owner's word is kept, words are found."""

import json
from datetime import date, timedelta

import pytest
from typer.testing import CliRunner

from daifa.cli import policy
from daifa.domain.policy import book as books
from daifa.domain.policy.models import RuleBook
from daifa.domain.stores.commands import add_store
from daifa.lib import clock

pytestmark = pytest.mark.django_db


def run(*words, code=0):
    result = CliRunner().invoke(policy.app, [str(word) for word in words])
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    if "--json" in words:
        return json.loads(result.stdout)
    return result.stderr if code else result.stdout


@pytest.fixture
def store():
    return add_store(code="xhs", name="X", currency="CNY", channel="xiaohongshu", kind="marketplace", country="CN", by="user:1", at=clock.now())


@pytest.fixture
def own_file(tmp_path):
    """Xiaohongshu's rules, as the owner corrected them: 40 hours instead of 48."""
    text = books.shipped_files()["xiaohongshu.yaml"].decode().replace("threshold: 48\n", "threshold: 40\n", 1)
    file = tmp_path / "xiaohongshu.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_check_names_file_and_line(own_file):
    assert "292 rules" in run("check") and "nothing is wrong" in run("check", own_file)
    lines = own_file.read_text(encoding="utf-8").splitlines()
    place = lines.index("  metric: hours_payment_to_dispatch")
    lines[place] = "  metric: hours_payment_to_despatch"
    own_file.write_text("\n".join(lines), encoding="utf-8")
    sentence = run("check", own_file, code=1)
    assert f"xiaohongshu.yaml, line {place + 1}: metric: hours_payment_to_despatch is no metric" in sentence
    told = run("check", own_file, "--json", code=1)
    assert told["rules"] == 0 and told["problems"][0]["line"] == place + 1


def test_two_rules_of_one_id_name_the_owners_line_in_one_file_and_across_files(own_file, tmp_path, store):
    text = own_file.read_text(encoding="utf-8")
    own_file.write_text(text.replace("- id: xhs-ship-spot-bonded\n", "- id: xhs-ship-spot-domestic\n", 1), encoding="utf-8")
    here, there = (text[: text.index(f"- id: xhs-ship-spot-{name}")].count("\n") + 1 for name in ("bonded", "domestic"))
    sentence = f"xiaohongshu.yaml, line {here}: There are two rules with the id xhs-ship-spot-domestic; the other one stands in xiaohongshu.yaml, line {there}."
    for command in ("check", "take"):
        assert sentence in run(command, own_file, code=1)
    amazon = tmp_path / "amazon.yaml"
    text = books.shipped_files()["amazon.yaml"].decode()
    first = text.index("- id: ")
    amazon.write_text(text[:first] + "- id: xhs-ship-spot-domestic" + text[text.index("\n", first) :], encoding="utf-8")
    for command in ("check", "take"):
        said = run(command, amazon, code=1)
        assert f"amazon.yaml, line {text[:first].count(chr(10)) + 1}: There are two rules" in said and f"xiaohongshu.yaml, line {there}" in said
    assert not RuleBook.objects.exists()


def test_what_is_no_file_of_rules_is_one_problem(tmp_path, own_file, store):
    from importlib.resources import files

    table = tmp_path / "metrics.yaml"
    table.write_bytes((files("daifa.domain.policy") / "data" / "metrics.yaml").read_bytes())
    (problem,) = run("check", table, "--json", code=1)["problems"]
    assert "has the fields channel, title and rules" in problem["sentence"]
    other = tmp_path / "again"
    other.mkdir()
    (other / own_file.name).write_bytes(own_file.read_bytes())
    assert "Two files are called xiaohongshu.yaml" in run("check", own_file, other / own_file.name, code=1)


def test_what_daifa_brings_already_is_not_taken(tmp_path, store):
    same = tmp_path / "xiaohongshu.yaml"
    same.write_bytes(books.shipped_files()["xiaohongshu.yaml"])
    assert "in use already" in run("take", same) and RuleBook.objects.count() == 1


def test_an_announced_day_is_said_with_what_it_changes_and_nothing_else(store):
    day = max(clock.now().date(), date(2026, 11, 22)) + timedelta(days=9)
    said = run("override", "xhs-ship-spot-domestic", "--reason", "notice", "--set", "threshold=36", "--set", f"effective={day}")
    assert f"line: > 48 hours → > 36 hours; in force from: 2026-03-05 → {day}\n" in said and "informs" not in said
    assert "No open order hangs on it now." in said
    assert f"will change {day}: line: > 48 hours → > 36 hours" in run("explain", "xhs-ship-spot-domestic")
    assert run("explain", "xhs-ship-spot-domestic", "--json")["will_change"][0]["on"] == day.isoformat()


def test_a_refused_file_takes_nothing_away(own_file, store):
    own_file.write_text("channel: xiaohongshu\n", encoding="utf-8")
    assert "last good rule book goes on counting" in run("take", own_file, code=1)
    assert not RuleBook.objects.exists()
    assert "hours" in run("list", "xiaohongshu")


def test_a_new_file_is_seen_before_it_counts(own_file, store):
    day = clock.now().date() + timedelta(days=7)
    taken = run("take", own_file, "--on", day, "--json")
    assert taken["is_new"] and taken["takes_effect_on"] == day.isoformat()
    (change,) = run("changes", "--store", "xhs", "--json")
    assert (change["rule"], change["on"], change["before"], change["after"]) == (
        "xhs-ship-spot-domestic", day.isoformat(), "> 48 hours", "> 40 hours",
    )  # fmt: skip
    assert run("explain", "xhs-ship-spot-domestic", "--json")["threshold"] == "48"
    assert run("explain", "xhs-ship-spot-domestic", "--on", day, "--json")["threshold"] == "40"
    (effect,) = taken["stores"]["xhs"]
    assert (effect["rule"], effect["clocks"], effect["would_be_overdue"]) == ("xhs-ship-spot-domestic", 0, 0)
    assert "already" in run("take", own_file)


def test_take_says_for_each_store_what_changes(own_file, store, tmp_path):
    said = run("take", own_file)
    assert "xhs:\n  xhs-ship-spot-domestic" in said and "> 48 hours → > 40 hours" in said
    other = tmp_path / "amazon.yaml"
    other.write_bytes(books.shipped_files()["amazon.yaml"] + b"# compared with the page\n")
    assert "Nothing changes for any store." in run("take", other, "--on", clock.now().date() + timedelta(days=9))


def test_a_file_under_another_name_is_one_problem(own_file, store):
    wrong = own_file.rename(own_file.with_name("redbook.yaml"))
    lines = run("take", wrong, code=1).strip().splitlines()
    assert len(lines) == 2 and "but the file is called redbook.yaml" in lines[0]
    assert len(run("check", wrong, "--json", code=1)["problems"]) == 1


def test_explain_says_source_standing_and_the_owners_word(store):
    shown = run("explain", "xhs-comp-badtrack")
    for words in ("30 %, at least 5 CNY, at most 200 CNY", "https://school.xiaohongshu.com", "2026-03-09", "counts as: acts"):
        assert words in shown
    assert "Did you mean xhs-comp-badtrack" in run("explain", "xhs-comp-badtrak", code=1)
    number = run("override", "xhs-comp-badtrack", "--reason", "read it today", "--store", "xhs", "--set", "cap=250", "--json")["override"]
    assert "at most 250 CNY" in run("explain", "xhs-comp-badtrack", "--store", "xhs")
    assert "at most 200 CNY" in run("explain", "xhs-comp-badtrack")
    assert "cap" in run("explain", "xhs-comp-badtrack", "--store", "xhs").split("override")[1]
    run("withdraw", number)
    assert "at most 200 CNY" in run("explain", "xhs-comp-badtrack", "--store", "xhs")
    assert "no override" in run("withdraw", number, code=1)


def test_what_is_weak_is_not_confirmed_into_acting(store):
    assert "Confirming cannot make it act" in run("override", "amz-insert", "--reason", "sure", code=1)


def test_words_end_with_one_when_something_must_be_changed():
    assert run("words", "陶瓷茶杯", "--json") == []
    told = run("words", "全国第一", "Nike 鞋", "--json", code=1)
    assert [(one["text"], one["term"], one["severity"]) for one in told] == [(1, "全国第一", "block"), (2, "Nike", "review")]
    assert run("words", "加微信", "--own-site", "--json") == []
