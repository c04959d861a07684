"""Locked books: no command and no statement posts into them."""

from dataclasses import asdict
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import transaction

from daifa.domain.books import commands, queries
from daifa.domain.books.models import Entry
from daifa.domain.stores.commands import add_store
from daifa.lib.refusal import Refused

pytestmark = pytest.mark.django_db
BY = "user:1"
AT = datetime(2026, 8, 3, 12, tzinfo=UTC)


@pytest.fixture
def store():
    return add_store(code="s", name="S", currency="GBP", timezone="Asia/Shanghai", by=BY, at=AT)


def _entry(store, at, number=1):
    return commands.NewEntry(
        store.pk, "expense", number, at, [("6900", "GBP", Decimal(5)), ("1000", "GBP", Decimal(-5))]
    )


def test_nothing_is_posted_up_to_the_day_of_the_lock(store):
    other = add_store(code="o", name="O", currency="GBP", by=BY, at=AT)
    commands.post_entries([_entry(store, AT)], by=BY)
    commands.lock_books(store_id=store.pk, until=date(2026, 8, 3), reason="closed", by=BY, at=AT)
    assert queries.locked_until([store.pk, other.pk]) == {store.pk: date(2026, 8, 3)}

    with pytest.raises(Refused, match="locked") as refused, transaction.atomic():
        commands.post_entries([_entry(store, AT, 2)], by=BY)
    assert refused.value.code == "books_locked"
    with pytest.raises(Refused), transaction.atomic():
        commands.reverse_entry(entry_id=Entry.objects.get().pk, by=BY, at=AT, reason="wrong")
    expense = commands.NewExpense(store.pk, "tools", Decimal(5), "GBP", date(2026, 8, 3), "", "k")
    assert [r.code for r in commands.add_expenses([expense], by=BY, at=AT).refused] == ["books_locked"]
    commands.post_entries([_entry(other, AT, 3)], by=BY)
    assert Entry.objects.count() == 2


def test_the_day_is_that_of_the_store(store):
    commands.lock_books(store_id=store.pk, until=date(2026, 8, 3), reason="closed", by=BY, at=AT)
    commands.post_entries([_entry(store, datetime(2026, 8, 3, 16, tzinfo=UTC))], by=BY)  # the fourth, in Shanghai
    with pytest.raises(Refused), transaction.atomic():
        commands.post_entries([_entry(store, datetime(2026, 8, 3, 15, 59, tzinfo=UTC), 2)], by=BY)


def test_a_lock_moves_forward_unless_it_is_opened_with_a_reason(store):
    commands.lock_books(store_id=store.pk, until=commands.FOR_GOOD, reason="archived", by=BY, at=AT)
    with pytest.raises(Refused, match="for good"):
        commands.lock_books(store_id=store.pk, until=date(2026, 8, 3), reason="x", by=BY, at=AT)
    with pytest.raises(Refused, match="reason"):
        commands.unlock_books(store_id=store.pk, until=None, reason=" ", by=BY, at=AT)
    commands.unlock_books(store_id=store.pk, until=date(2026, 8, 1), reason="readmitted", by=BY, at=AT)
    commands.post_entries([_entry(store, AT)], by=BY)
    assert queries.locked_until([store.pk]) == {store.pk: date(2026, 8, 1)}


def test_a_fact_of_a_locked_day_that_is_heard_of_later_is_dated_on_the_first_open_day(store):
    commands.lock_books(store_id=store.pk, until=date(2026, 8, 3), reason="checked", by=BY, at=AT)
    late = commands.NewEntry(**{**asdict(_entry(store, AT)), "memo": "a refund"})
    with pytest.raises(Refused, match="locked"), transaction.atomic():
        commands.post_entries([late], by=BY, at=AT)  # the first open day is still to come
    heard = datetime(2026, 8, 9, 12, tzinfo=UTC)
    commands.post_entries([late, _entry(store, heard, 2)], by=BY, at=heard)
    first, second = Entry.objects.order_by("fact_id")
    assert first.at == datetime(2026, 8, 3, 16, tzinfo=UTC), "the fourth begins, in Shanghai"
    assert first.memo == "a refund · 2026-08-03"
    assert (second.at, second.memo) == (heard, "")


def test_books_locked_for_good_take_no_late_fact_and_the_sentence_says_what_to_do(store):
    commands.lock_books(store_id=store.pk, until=commands.FOR_GOOD, reason="archived", by=BY, at=AT)
    with pytest.raises(Refused, match="locked for good") as refused, transaction.atomic():
        commands.post_entries([_entry(store, AT)], by=BY, at=datetime(2026, 8, 9, 12, tzinfo=UTC))
    assert refused.value.code == "books_locked"
    expense = commands.NewExpense(store.pk, "tools", Decimal(5), "GBP", date(2026, 8, 3), "", "k")
    assert "9999" not in commands.add_expenses([expense], by=BY, at=AT).refused[0].sentence()
