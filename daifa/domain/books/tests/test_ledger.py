"""The guards of the ledger: balance, completeness, no edits; one path for writing; reversal."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from daifa.domain.books import commands, queries, rules
from daifa.domain.books.commands import NewEntry, post_entries, reverse_entry
from daifa.domain.books.models import Account, Entry, Posting
from daifa.domain.stores.models import Store
from daifa.lib import bulk
from daifa.lib.refusal import Refused

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
BY = "user:1"


@pytest.fixture
def shop():
    return Store.objects.create(code="gifts", name="Gifts", currency="GBP", created_at=AT)


def entry(shop, number=1, legs=(("1100", "GBP", "10"), ("2100", "GBP", "-10")), **more):
    return NewEntry(
        shop.pk, "test", number, AT, [(code, currency, Decimal(a)) for code, currency, a in legs], **more
    )


def legs_of(entry_id):
    return [
        (leg.account.code, leg.currency, leg.amount)
        for leg in Posting.objects.filter(entry_id=entry_id).select_related("account").order_by("line_no")
    ]


def test_entries_and_their_legs_are_written_together(shop):
    done = post_entries([entry(shop, n, order_id=7, memo="m" * 300) for n in range(1, 9)], by=BY)
    assert list(done.posted) == [("test", n) for n in range(1, 9)]
    assert (done.already, done.empty) == ([], [])
    written = Entry.objects.get(pk=done.posted["test", 8])
    assert (written.by, written.at, written.order_id, len(written.memo)) == (BY, AT, 7, 200)
    assert legs_of(written.pk) == [("1100", "GBP", 10), ("2100", "GBP", -10)]


def test_a_fact_that_was_posted_is_left_alone(shop):
    first = post_entries([entry(shop, 1)], by=BY).posted["test", 1]
    again = post_entries(
        [entry(shop, 1, legs=[("1100", "GBP", "99"), ("2100", "GBP", "-99")]), entry(shop, 2)], by=BY
    )
    assert again.already == [("test", 1)]
    assert list(again.posted) == [("test", 2)]
    assert legs_of(first)[0][2] == 10


def test_zero_legs_go_and_an_entry_of_nothing_is_left_out_unless_it_counts(shop):
    legs = [("1100", "GBP", "5"), ("6100", "GBP", "0.001"), ("2100", "GBP", "-5")]
    nothing = [("1100", "GBP", "0")]
    done = post_entries(
        [entry(shop, 1, legs), entry(shop, 2, nothing), entry(shop, 3, nothing, even_if_empty=True)], by=BY
    )
    assert [code for code, *_ in legs_of(done.posted["test", 1])] == ["1100", "2100"]
    assert done.empty == [("test", 2)]
    assert legs_of(done.posted["test", 3]) == []


@pytest.mark.parametrize(
    "legs",
    [
        [("1100", "GBP", "10"), ("2100", "GBP", "-9.99")],
        [("1100", "GBP", "10"), ("2100", "EUR", "-10")],
        [
            ("1100", "GBP", "3.333"),
            ("1300", "GBP", "3.333"),
            ("1000", "GBP", "3.334"),
            ("2100", "GBP", "-10"),
        ],
    ],
    ids=["a penny off", "two currencies", "parts that do not round to their sum"],
)
def test_what_does_not_balance_is_refused_with_everything_beside_it(shop, legs):
    with pytest.raises(IntegrityError, match="does not balance"), transaction.atomic():
        post_entries([entry(shop, n) for n in range(1, 6)] + [entry(shop, 9, legs)], by=BY)
    assert not Entry.objects.exists()


def test_a_later_leg_is_refused_even_if_it_balances(shop):
    written = post_entries([entry(shop)], by=BY).posted["test", 1]
    bank, cash = (Account.objects.get(code=code).pk for code in ("1000", "1100"))
    columns = ("entry_id", "line_no", "account_id", "currency", "amount")
    with pytest.raises(IntegrityError, match="must arrive together"), transaction.atomic():
        bulk.copy_rows(
            "books_posting",
            columns,
            [(written, 3, bank, "GBP", Decimal(1)), (written, 4, cash, "GBP", Decimal(-1))],
        )
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk.copy_rows(
            "books_posting",
            columns,
            [(written, 1, bank, "GBP", Decimal(1)), (written, 2, cash, "GBP", Decimal(-1))],
        )
    assert len(legs_of(written)) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE books_posting SET amount = amount",
        "DELETE FROM books_posting",
        "UPDATE books_entry SET memo = 'better'",
        "DELETE FROM books_entry",
    ],
)
def test_nothing_is_edited_or_deleted(shop, statement):
    post_entries([entry(shop)], by=BY)
    with pytest.raises(IntegrityError, match="never edited or deleted"), transaction.atomic():
        bulk.execute(statement)


def test_a_reversal_is_the_exact_opposite_once(shop):
    wrong = post_entries([entry(shop, supplier_id=4)], by=BY).posted["test", 1]
    back = reverse_entry(entry_id=wrong, by="user:2", at=AT, reason="entered twice")
    assert legs_of(back) == [("1100", "GBP", -10), ("2100", "GBP", 10)]
    reversal = Entry.objects.get(pk=back)
    assert (reversal.fact, reversal.reversal_of_id, reversal.supplier_id, reversal.memo) == (
        "reversal",
        wrong,
        4,
        "entered twice",
    )
    assert queries.trial_balance([shop.pk]).rows == []
    with pytest.raises(Refused, match=f"already reversed by entry {back}"):
        reverse_entry(entry_id=wrong, by=BY, at=AT, reason="again")
    with pytest.raises(Refused, match="itself a reversal"):
        reverse_entry(entry_id=back, by=BY, at=AT, reason="no")
    with pytest.raises(Refused, match="no entry"):
        reverse_entry(entry_id=10**9, by=BY, at=AT, reason="no")


def test_a_reversal_needs_a_reason(shop):
    wrong = post_entries([entry(shop)], by=BY).posted["test", 1]
    with pytest.raises(Refused, match="needs a reason"):
        reverse_entry(entry_id=wrong, by=BY, at=AT, reason="  ")


def test_missing_accounts_are_added_again(shop):
    Account.objects.all().delete()
    commands.ensure_accounts()
    assert Account.objects.count() == len(rules.CHART)
    post_entries([entry(shop)], by=BY)
