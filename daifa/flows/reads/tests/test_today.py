"""Every task that any part of the program opens can be read by a person, in both languages."""

import re
from pathlib import Path

import pytest
from django.utils import timezone, translation

import daifa
from daifa.domain.stores.commands import NewTask, open_tasks
from daifa.domain.stores.models import Store
from daifa.flows.reads.today import TASKS, task_words, today

PACKAGE = Path(daifa.__file__).parent
OPENED = re.compile(
    r"""NewTask\(\s*(?:kind=)?"(\w+)"(?: if \w+ == "\w+" else "(\w+)")?|_ask_a_person\(\s*"(\w+)"|INTO stores_task[^;]*?SELECT '(\w+)'""",
    re.S,
)


def kinds_opened() -> set[str]:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        if "tests" not in path.parts:
            for groups in OPENED.findall(path.read_text()):
                found.update(kind for kind in groups if kind)
    return found


def test_every_kind_of_task_has_words():
    opened = kinds_opened()
    assert {"purchase_unknown", "mapping_broken", "message_unknown", "quarantined"} <= opened
    assert opened - set(TASKS) == set()
    assert set(TASKS) - opened == set(), "words for tasks that nobody opens"


def test_a_task_without_its_params_is_still_a_sentence():
    for kind in TASKS:
        sentence, advice = task_words(kind, {})
        assert sentence, kind
        assert advice, kind
        assert "%(" not in sentence


@pytest.mark.parametrize(
    ("kind", "one", "many"),
    [
        ("rule_recheck", "1 rule of amazon was read", "2 rules of amazon were read"),
        ("listings_wait", "1 listing waits for a person before it is", "2 listings wait for a person before they are"),
        ("reminder_to_send", "reminded of 1 purchase order", "reminded of 2 purchase orders"),
    ],
)
def test_one_thing_is_not_told_as_many(kind, one, many):
    params = {"channel": "amazon", "supplier": "Lin"}
    with translation.override("en"):
        assert one in task_words(kind, {**params, "count": 1})[0] and not task_words(kind, {**params, "count": 1})[0].endswith("orders")
        assert many in task_words(kind, {**params, "count": 2})[0]
    with translation.override("zh-hans"):
        assert re.search("[\u4e00-\u9fff]", task_words(kind, {**params, "count": 1})[0])


@pytest.mark.django_db
def test_what_is_due_first_stands_first_and_other_stores_stay_out():
    at = timezone.now()
    mine, other = (Store.objects.create(code=c, name=c, currency="GBP", created_at=at) for c in ("mine", "other"))
    open_tasks(
        [
            NewTask("parcel_lost", mine.pk, "parcel", 1, {"number": "YT1"}, stake=5, currency="GBP"),
            NewTask("parcel_lost", mine.pk, "parcel", 2, {"number": "YT2"}, stake=50, currency="GBP"),
            NewTask("order_changed", mine.pk, "order", 3, {"number": "1001"}, due_at=at),
            NewTask("parcel_lost", other.pk, "parcel", 4, {"number": "YT4"}),
            NewTask("mail_not_working", None, params={"code": "refused"}),
        ],
        at=at,
    )
    assert [todo.thing for todo in today([mine.pk], at=at)] == [3, 2, 1]
    assert "mail_not_working" in [todo.kind for todo in today([mine.pk], shared=True, at=at)]
    with translation.override("zh-hans"):
        assert "YT2" in today([mine.pk], at=at)[1].sentence


@pytest.mark.django_db
def test_what_ends_a_store_stands_on_top_though_it_carries_no_sum():
    at = timezone.now()
    mine = Store.objects.create(code="mine", name="mine", currency="GBP", created_at=at)
    lost = [NewTask("parcel_lost", mine.pk, "parcel", n, {"number": f"YT{n}"}, stake=101 + n, currency="GBP", due_at=at) for n in range(40)]
    risk = {"signal": "bought from a shop on a consumer platform", "kind": "consumer_purchase", "count": 2}
    open_tasks(
        [
            *lost,
            NewTask("purchase_unknown", mine.pk, "purchase_order", 1, {"reference": "P-1"}),
            NewTask("no_source_risk", mine.pk, "risk", 1, risk | {"level": "warn"}),
            NewTask("no_source_risk", mine.pk, "risk", 2, risk | {"level": "act"}),
            NewTask("parcel_breach", mine.pk, "parcel_check", 3, {"number": "1001"}),
        ],
        at=at,
    )
    found = today([mine.pk], at=at, limit=20)
    assert found[0].kind == "purchase_unknown", "what may happen twice still comes first"
    assert {(todo.kind, todo.thing) for todo in found[1:3]} == {("no_source_risk", 2), ("parcel_breach", 3)}
    assert {todo.kind for todo in found[3:]} == {"parcel_lost"}
    assert today([mine.pk], at=at)[-1].thing == 1, "a warning waits its turn"
    with translation.override("zh-hans"):
        assert "从消费平台采购" in next(todo.sentence for todo in today([mine.pk], at=at) if todo.thing == 2)
