"""Answers and holds: what is refused and with which sentence, what stays on record."""

from datetime import timedelta

import pytest
from django.utils import translation

from daifa.domain.orders.models import Order
from daifa.domain.privacy import queries
from daifa.domain.privacy.commands import (
    Kept,
    hold_orders,
    note_backup,
    note_backups_gone,
    release_orders,
    set_retention,
)
from daifa.domain.privacy.models import Retention
from daifa.domain.stores.commands import NewTask, add_store, open_tasks
from daifa.domain.stores.models import Task
from daifa.lib.refusal import Refused
from tests import cast

pytestmark = pytest.mark.django_db
AT, BY = cast.MORNING, cast.BY


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (Kept("gossip", 0, 1, "x"), "data_unknown"),
        (Kept("contact", 0, 1, "x", None, "gb"), "country_wrong"),
        (Kept("contact", -1, 1, "x"), "days_wrong"),
        (Kept("contact", 0, 40_000, "x"), "days_wrong"),
        (Kept("contact", 30, 10, "x"), "days_crossed"),
        (Kept("contact", 0, 10, "  "), "source_missing"),
        (Kept("backups", 0, 10, "x", 1), "backups_shared"),
    ],
)
def test_answers_that_cannot_be_are_refused_whole(row, code):
    with pytest.raises(Refused) as refused:
        set_retention([Kept("letters", 0, 1, "fine"), row], by=BY, at=AT)
    assert refused.value.code == code
    assert not Retention.objects.exists()


def test_the_newest_answer_counts_and_the_task_goes_with_the_last_question():
    store = add_store(code="one", name="One", currency="GBP", by=BY, at=AT)
    open_tasks([NewTask("retention_unknown", store.pk, "store", store.pk, {"store": "One"})], at=AT)
    assert queries.answers().missing(store.pk) == list(queries.OF_ORDERS)
    set_retention([Kept(data, 0, 90, "adviser") for data in ("contact", "letters", "papers")], by=BY, at=AT)
    assert Task.objects.filter(kind="retention_unknown", closed_at=None).exists()
    set_retention([Kept("disputes", 0, 900, "adviser", store.pk)], by=BY, at=AT)
    assert not Task.objects.filter(kind="retention_unknown", closed_at=None).exists()
    set_retention([Kept("contact", 10, 20, "contract", store.pk, "GB")], by=BY, at=AT + timedelta(days=1))
    set_retention([Kept("contact", 11, 21, "contract", store.pk, "GB")], by=BY, at=AT + timedelta(days=2))
    found = queries.answers()
    assert found.of("contact", store.pk, "GB") == (11, 21)
    assert found.of("contact", store.pk, "DE") == (0, 90)
    assert found.of("backups", store.pk, "") is None
    assert Retention.objects.count() == 6, "earlier answers stay on record"
    shown = queries.retentions([store.pk], shared=False)
    assert [(row.data, row.at_most) for row in shown] == [("contact", 21), ("disputes", 900)]


def test_a_hold_is_put_once_and_released():
    shop = cast.open_shop()
    cast.receive_orders(shop, ["1", "2"])
    ids = list(Order.objects.order_by("pk").values_list("pk", flat=True))
    with pytest.raises(Refused, match="why"):
        hold_orders(ids, reason=" ", by=BY, at=AT)
    assert sorted(hold_orders(ids, reason="court", by=BY, at=AT)) == ids
    assert hold_orders(ids[:1], reason="court again", by=BY, at=AT) == []
    assert queries.holds_by_hand(ids)[ids[0]].reason == "court"
    assert release_orders(ids[:1], by=BY, at=AT) == 1
    assert list(queries.holds_by_hand(ids)) == ids[1:]
    assert hold_orders(ids[:1], reason="once more", by=BY, at=AT) == ids[:1]


def test_backups_are_asked_for_by_the_time_they_were_taken():
    first = note_backup(place="/backups/one", sha256="0" * 64, size=1, by=BY, at=AT)
    note_backup(place="/backups/two", sha256="1" * 64, size=1, by=BY, at=AT + timedelta(days=2))
    during = {"since": AT - timedelta(days=1), "until": AT + timedelta(days=1)}
    assert [(row.place, row.until) for row in queries.backups_holding(**during)] == [("/backups/one", None)]
    set_retention([Kept("backups", 0, 30, "plan")], by=BY, at=AT)
    assert queries.backups_holding(**during)[0].until == AT + timedelta(days=30)
    assert note_backups_gone([first], by=BY, at=AT) == 1
    assert queries.backups_holding(**during) == []
