"""The deposit over generated sequences of moves: rows, books and auditor always say the same, whatever is tried."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daifa.domain.books import commands as books
from daifa.domain.books import queries as book_queries
from daifa.domain.books.models import Entry
from daifa.domain.books.queries import trial_balance
from daifa.domain.books.rules import DEPOSIT, PENALTIES
from daifa.domain.cases import commands, queries
from daifa.domain.cases.commands import NewMove, NewViolation
from daifa.domain.cases.models import DepositMove, Violation
from daifa.domain.history.models import PendingReaction
from daifa.domain.stores.commands import add_store, edit_store
from daifa.flows.audit import audit
from daifa.flows.react import react
from daifa.lib.money import minor_unit
from daifa.lib.refusal import Refused

pytestmark = pytest.mark.django_db
BY = "user:1"
AT = datetime(2026, 8, 3, 4, tzinfo=UTC)
DAY = timedelta(days=1)


def a_store(currency="CNY", code="shop"):
    return add_store(
        code=code, name="Shop", currency=currency, timezone="Asia/Shanghai", channel="xiaohongshu", country="CN", by=BY, at=AT
    )


def balance(store, code):
    return sum((row.amount for row in trial_balance([store.pk]).rows if row.code == code), Decimal(0))


# --- Over generated sequences --------------------------------------------------------------------------------------

COINS = st.sampled_from([1, 2, 99, 100, 1_000, 100_000])
MOVES = st.tuples(
    st.just("move"), st.sampled_from(["paid_in", "paid_in", "topped_up", "deducted", "withdrawn", "returned", "given_back", "penalty", "penalty_back"]),
    COINS, st.sampled_from(["", "", "R-1", " R-1", "R-2"]), st.sampled_from([None, 0, 1]), st.booleans(), st.integers(0, 40),
)  # fmt: skip
HAPPENINGS = (
    MOVES
    | st.tuples(st.just("violation"), st.sampled_from(["V-1", "V-2", "V-2 "]), COINS | st.none(), st.booleans())
    | st.tuples(st.just("won"), st.sampled_from([0, 1]))
    | st.tuples(st.just("require"), COINS)
    | st.tuples(st.just("lock"), st.integers(1, 30))
    | st.tuples(st.just("lock for good"))
    | st.tuples(st.just("post"))
)


class Life:
    """A store's deposit in the hands of chance; what must always hold is asked after every step."""

    def __init__(self, currency):
        self.store, self.unit = a_store(currency), minor_unit(currency)
        self.at, self.violations, self.refused = AT, [], Counter()
        self.told = Decimal(0)

    def amount(self, coins):
        return coins * self.unit

    def move(self, kind, coins, reference, violation, from_proceeds, days_ago):
        about = self.violations[violation] if violation is not None and violation < len(self.violations) else None
        before = queries.deposit(self.store.pk).held.amount
        one = NewMove(kind, self.amount(coins), self.at - days_ago * DAY, reference, about, from_proceeds)
        done = commands.move_deposit([one, one] if reference else [one], store=self.store, by=BY, at=self.at)
        assert len(done.added) + len(done.known) + len(done.refused) == (2 if reference else 1)
        self.refused.update(row.code for row in done.refused)
        assert all(row.sentence() and "%(" not in row.sentence() for row in done.refused)
        after = queries.deposit(self.store.pk).held.amount
        signs = {"paid_in": 1, "topped_up": 1, "given_back": 1, "deducted": -1, "withdrawn": -1, "returned": -1}
        assert after - before == signs.get(kind, 0) * self.amount(coins) * len(done.added)

    def violation(self, reference, coins, from_proceeds):
        moves = DepositMove.objects.count()
        money = None if coins is None else self.amount(coins)
        one = NewViolation(reference, self.at, money=money, from_proceeds=from_proceeds)
        commands.add_violations([one, one], store=self.store, source=BY, by=BY, at=self.at)
        assert DepositMove.objects.count() - moves <= 1, "its money is taken once"
        self.violations = list(Violation.objects.filter(store=self.store).order_by("id").values_list("id", flat=True))

    def won(self, number):
        if number >= len(self.violations):
            return
        try:
            appeal = commands.open_appeal(violation_id=self.violations[number], text="proof", by=BY, at=self.at)
            commands.send_appeal(appeal_id=appeal.pk, by=BY, at=self.at)
            commands.answer_appeal(appeal_id=appeal.pk, outcome="won", answer="ok", by=BY, at=self.at)
        except Refused as refused:
            assert str(refused)

    def require(self, coins):
        commands.require_deposit(
            store=self.store, amount=self.amount(coins), valid_from=self.at.date(), by=BY, at=self.at
        )

    def lock(self, days_ago):
        self._lock(self.at.date() - days_ago * DAY)

    def _lock(self, until):
        self.post()
        try:
            books.lock_books(store_id=self.store.pk, until=until, reason="checked", by=BY, at=self.at)
        except Refused as refused:
            assert refused.code == "locked_further" and "9999" not in str(refused)

    def post(self):
        react(at=self.at)

    def happen(self, step):
        name, *given = step
        with transaction.atomic():
            self._lock(books.FOR_GOOD) if name == "lock for good" else getattr(self, name)(*given)
        self.at += timedelta(hours=7)
        found = queries.deposit(self.store.pk)
        assert found.held.amount >= 0
        assert found.deducted.amount >= 0 and found.penalties.amount >= 0

    def settled(self):
        self.post()
        assert not PendingReaction.objects.filter(state="parked").exists()
        found = queries.deposit(self.store.pk)
        assert balance(self.store, DEPOSIT) == found.held.amount
        assert balance(self.store, PENALTIES) == found.deducted.amount + found.penalties.amount
        assert trial_balance([self.store.pk]).off == {}
        assert audit() == []


@given(st.lists(HAPPENINGS, min_size=3, max_size=14), st.sampled_from(["CNY", "JPY", "KWD"]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_rows_books_and_auditor_say_the_same_whatever_is_tried(steps, currency):
    with transaction.atomic():
        life = Life(currency)
        locked = {}
        for step in steps:
            life.happen(step)
            if "lock" in step[0]:
                locked = {entry.pk for entry in Entry.objects.filter(store=life.store)}
                until = book_queries.locked_until([life.store.pk])[life.store.pk]
        life.settled()
        if locked:
            later = Entry.objects.filter(store=life.store).exclude(pk__in=locked)
            zone = timedelta(hours=8)
            assert all((entry.at + zone).date() > until for entry in later), "locked days stay as they were"
        transaction.set_rollback(True)


# --- What was found, one by one ------------------------------------------------------------------------------------


def test_a_reference_is_the_same_with_spaces_around_it_and_however_long_it_is():
    store = a_store()
    for reference in ("B-1", " B-1", "B-1 ", "B" * 90, "B" * 80):
        commands.move_deposit([NewMove("paid_in", Decimal(5), AT, reference)], store=store, by=BY, at=AT)
    assert queries.deposit(store.pk).held.amount == 10


def test_two_violations_whose_long_references_begin_alike_each_cost_their_money():
    store = a_store()
    long = "2026-08-03/late-dispatch/" + "0" * 54
    two = [NewViolation(f"{long}{n}", AT, money=Decimal(15)) for n in (1, 2)]
    for _ in range(2):
        commands.add_violations(two, store=store, source=BY, by=BY, at=AT)
    assert queries.deposit(store.pk).penalties.amount == 30
    assert DepositMove.objects.count() == 2


def test_a_deposit_that_was_written_off_may_come_back_after_all():
    store = a_store()
    moves = [NewMove("paid_in", Decimal(1000), AT, "in"), NewMove("deducted", Decimal(1000), AT, "kept by the ruling")]
    assert len(commands.move_deposit(moves, store=store, by=BY, at=AT).added) == 2
    back = [NewMove("given_back", Decimal(amount), AT, f"back-{amount}") for amount in (1001, 400, 601)]
    done = commands.move_deposit(back, store=store, by=BY, at=AT)
    assert [row.code for row in done.refused] == ["more_than_taken", "more_than_taken"]
    commands.move_deposit([NewMove("returned", Decimal(400), AT, "out")], store=store, by=BY, at=AT)
    react(at=AT)
    assert balance(store, DEPOSIT) == 0 and balance(store, PENALTIES) == 600 and balance(store, "1000") == -600
    other = a_store(code="other")
    done = commands.move_deposit([NewMove("given_back", Decimal(1), AT)], store=other, by=BY, at=AT)
    assert [row.code for row in done.refused] == ["violation_missing"]


def test_books_that_are_locked_for_good_take_no_move_and_say_what_to_do():
    store = a_store()
    commands.move_deposit([NewMove("paid_in", Decimal(10), AT, "in")], store=store, by=BY, at=AT)
    react(at=AT)
    books.lock_books(store_id=store.pk, until=books.FOR_GOOD, reason="closed", by=BY, at=AT)
    done = commands.move_deposit([NewMove("withdrawn", Decimal(10), AT, "out")], store=store, by=BY, at=AT)
    assert [row.code for row in done.refused] == ["books_locked"]
    assert "its closing" in done.refused[0].sentence() and "9999" not in done.refused[0].sentence()
    one = NewViolation("V-1", AT, money=Decimal(5))
    kept = commands.add_violations([one], store=store, source=BY, by=BY, at=AT)
    assert kept.added and [note.code for note in kept.notes] == ["books_locked"]
    books.unlock_books(store_id=store.pk, until=None, reason="the platform paid", by=BY, at=AT)
    assert commands.move_deposit([NewMove("withdrawn", Decimal(10), AT, "out")], store=store, by=BY, at=AT).added
    again = commands.add_violations([one], store=store, source=BY, by=BY, at=AT)
    assert again.completed == ["V-1"], "its money is booked once it can be"
    react(at=AT)
    assert audit() == []


def test_the_currency_of_a_store_with_a_deposit_stays():
    store = a_store()
    commands.require_deposit(store=store, amount=Decimal(1000), valid_from=AT.date(), by=BY, at=AT)
    with pytest.raises(Refused, match="currency cannot change") as refused:
        edit_store(store_id=store.pk, currency="USD", by=BY, at=AT)
    assert refused.value.code == "fixed_by_money"
    edit_store(store_id=a_store(code="empty").pk, currency="USD", by=BY, at=AT)
