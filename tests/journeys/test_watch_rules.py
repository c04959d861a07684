"""The rule book through half a year: re-checks, a refused file, an announced date that takes effect by itself."""

from datetime import UTC, date, datetime

import pytest

from daifa.domain.cases.models import Qualification, QualificationNeed
from daifa.domain.cases.process import QUALIFICATIONS
from daifa.domain.catalog.models import Product
from daifa.domain.closing.models import Lifecycle
from daifa.domain.policy import book as books
from daifa.domain.policy import commands, queries, words
from daifa.domain.policy.commands import NewOverride
from daifa.domain.policy.models import RuleBook
from daifa.domain.stores.commands import add_store
from daifa.domain.stores.models import Task
from daifa.flows import screen_texts, watch_rules

pytestmark = pytest.mark.django_db
BY = "user:1"


def at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(hour=8, tzinfo=UTC)


def open_tasks() -> dict[str, dict]:
    return {task.kind: task.params for task in Task.objects.filter(closed_at=None)}


@pytest.fixture
def store():
    return add_store(code="xhs", name="X", currency="CNY", channel="xiaohongshu", kind="marketplace", country="CN", by=BY, at=at("2026-08-01"))


def test_old_texts_ask_for_a_re_check_until_somebody_looked(store):
    watch_rules.watch_rules(at=at("2026-09-01"))
    assert RuleBook.objects.count() == 1
    before = open_tasks().get("rule_recheck", {"count": 0})["count"]
    watch_rules.watch_rules(at=at("2026-09-06"))  # 181 days after 2026-03-09
    due = watch_rules.to_recheck(store, on=date(2026, 9, 6))
    assert open_tasks()["rule_recheck"] == {"count": len(due), "channel": "xiaohongshu"}
    assert len(due) > before + 50
    confirm = [NewOverride(rule.id, "compared with its source", date(2026, 9, 6)) for rule in due if not rule.verdict or rule.verdict == "stale"]
    assert len(commands.override_rules(confirm, by=BY, at=at("2026-09-06")).ids) == len(confirm)
    watch_rules.watch_rules(at=at("2026-09-07"))
    left = watch_rules.to_recheck(store, on=date(2026, 9, 7))
    assert len(left) == len(due) - len(confirm)
    assert open_tasks().get("rule_recheck", {"count": 0})["count"] == len(left)


def test_a_shop_without_a_channel_of_the_book_is_left_alone():
    add_store(code="site", name="S", currency="GBP", kind="own_site", country="GB", by=BY, at=at("2026-08-01"))
    watch_rules.watch_rules(at=at("2026-11-22"))
    assert open_tasks() == {}


def test_an_announced_date_takes_effect_by_itself(store):
    watch_rules.watch_rules(at=at("2026-09-01"))
    text = books.shipped_files()["xiaohongshu.yaml"].decode()
    first = text.index("effective: '2026-03-05'")
    text = text[:first] + "effective: '2026-10-01'" + text[first + len("effective: '2026-03-05'") :]
    text = text.replace("threshold: 48\n", "threshold: 36\n", 1)
    commands.take_book(own={"xiaohongshu.yaml": text.encode()}, by=BY, at=at("2026-09-20"))
    watch_rules.watch_rules(at=at("2026-09-24"))
    assert open_tasks()["rules_change"] == {"count": 1, "date": "2026-10-01"}
    assert Task.objects.get(kind="rules_change").due_at == datetime(2026, 10, 1, tzinfo=UTC)
    (change,) = watch_rules.changes_for(store, on=date(2026, 9, 24))
    assert (change.before.threshold, change.after.threshold) == (48, 36)

    def hours(day: str) -> int:
        return int(queries.rule("xhs-ship-spot-domestic", on=date.fromisoformat(day)).threshold)

    assert (hours("2026-09-30"), hours("2026-10-01")) == (48, 36)
    watch_rules.watch_rules(at=at("2026-10-01"))
    assert "rules_change" not in open_tasks()


def test_a_broken_file_of_an_update_asks_for_a_person_and_changes_nothing(store, monkeypatch):
    watch_rules.watch_rules(at=at("2026-09-01"))
    broken = {**books.shipped_files()}
    broken["amazon.yaml"] = broken["amazon.yaml"].replace(b"metric: late_shipment_rate", b"metric: late_shipments", 1)
    monkeypatch.setattr(books, "shipped_files", lambda: broken)
    seen = watch_rules.watch_rules(at=at("2026-09-02"))
    assert seen.new_book is None and "amazon.yaml, line " in seen.problems[0]
    assert open_tasks()["rules_refused"]["file"] == "amazon.yaml"
    assert RuleBook.objects.count() == 1 and len(queries.in_force(on=date(2026, 9, 2))) > 200
    monkeypatch.undo()
    watch_rules.watch_rules(at=at("2026-09-03"))
    assert "rules_refused" not in open_tasks()


def test_a_store_that_has_ended_is_left_alone(store):
    watch_rules.watch_rules(at=at("2026-11-21"))
    assert "rule_recheck" in open_tasks()
    Lifecycle.objects.create(store=store, state="closed", began_at=at("2026-08-01"))
    watch_rules.watch_rules(at=at("2026-11-22"))
    assert open_tasks() == {}


def test_papers_are_those_of_the_register():
    assert {one.licence for one in words.shipped().goods if one.licence} <= set(QUALIFICATIONS)


def test_a_paper_of_the_register_opens_the_gate(store):
    bank = Product.objects.create(handle="bank", title="充电宝 20000 毫安", created_at=at("2026-08-01"))
    found = screen_texts.may_publish_in(store, bank, on=date(2026, 9, 1))
    assert found.waits and found.licences == ("ccc",)
    Qualification.objects.create(
        store=store, category="", kind="ccc", number="2026-1", valid_from=date(2026, 1, 1), valid_until=date(2026, 9, 30), by=BY, at=at("2026-08-01")
    )
    assert screen_texts.may_publish_in(store, bank, on=date(2026, 9, 1)).may
    assert screen_texts.may_publish_in(store, bank, on=date(2026, 10, 1)).waits


def test_a_paper_the_owner_confirmed_as_needed_is_asked_for(store):
    tea = Product.objects.create(handle="cup", title="杯子", category="茶具", created_at=at("2026-08-01"))
    assert screen_texts.may_publish_in(store, tea, on=date(2026, 9, 1)).may
    QualificationNeed.objects.create(channel="", category="茶具", kind="inspection_report", source="letter", by=BY, at=at("2026-08-01"))
    found = screen_texts.may_publish_in(store, tea, on=date(2026, 9, 1))
    assert not found.may and "inspection report" in found.sentence
