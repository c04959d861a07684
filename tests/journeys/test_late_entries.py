"""A refund that is heard of after a store was archived: seen, booked as of today, the books locked again."""

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from daifa.domain.aftersales.models import Refund
from daifa.domain.books.commands import FOR_GOOD
from daifa.domain.books.models import BookLock, Entry, Posting
from daifa.domain.books.queries import locked_until, trial_balance
from daifa.domain.history.commands import record_facts
from daifa.domain.history.models import PendingReaction
from daifa.domain.orders.models import Order
from daifa.domain.people.models import User
from daifa.domain.stores.models import StoreAccess, Task
from daifa.flows import close_store
from daifa.flows.audit import audit
from daifa.flows.book_late import book_late
from daifa.flows.reads.late_entries import waiting
from daifa.flows.reads.today import today
from daifa.flows.work import work_until_idle
from daifa.lib import clock
from daifa.lib.refusal import Refused
from tests.bought_orders import refund
from tests.closing_shop import BY, answer_retention, open_story

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]


@pytest.fixture
def story():
    """An archived store, and a refund of six pounds that its platform tells of a month later."""
    story = open_story(["1001", "1002"])
    answer_retention(story)
    story.closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="plan", by=BY, at=story.at)
    story.do("shop_notice")
    story.until("2026-03-10", hour=16)
    story.do("listings_down", "links_retired", "buyers_told", "orders_finished")
    story.until("2026-03-16")
    story.do("aftersales_finished")
    story.do("application", note="plan", reference="XHS-77")
    story.until(story.days()["notice_ends"])
    story.do("public_notice")
    story.until(story.days()["closed"])
    story.do("closed", reference="XHS-77")
    story.end(returned="1000.00")
    assert story.life()[0] == "archived" and audit() == []
    story.until("2026-09-01")
    tell_refund(story, "6.00")
    return story


def tell_refund(story, amount):
    of = Order.objects.get(number="1001")
    given = refund(story.store, of, amount, at=story.at)
    Refund.objects.filter(pk=given).update(no_claim_reason="goodwill")
    Order.objects.filter(pk=of.pk).update(refunded_amount=Decimal(amount))
    record_facts("refunds_confirmed", [given], at=story.at)
    for _try in range(4):
        story.later(minutes=10)
        work_until_idle(at=story.at)
    return given


def balances(story):
    return {row.code: row.amount for row in trial_balance([story.store.pk]).rows}


def test_it_waits_in_sight_and_is_booked_as_of_today(story):
    before, entries = balances(story), Entry.objects.count()
    assert before.get("1100", 0) == 0
    (row,) = waiting([story.store.pk])
    assert (row.order_number, row.amount, row.reaction) == ("1001", Decimal("6.00"), "post_refunds")
    task = Task.objects.get(kind="late_money", closed_at=None)
    assert (task.store_id, task.stake) == (story.store.pk, Decimal("6.00"))
    told = [one for one in today([story.store.pk], shared=True, at=story.at) if one.kind in ("late_money", "parked", "reaction_parked")]
    assert [one.kind for one in told] == ["late_money"], "told once, to those of the store"
    assert "Money of order 1001 moved after the books" in told[0].sentence

    with pytest.raises(Refused, match="Say why"):
        book_late(store_id=story.store.pk, reason=" ", by=BY, at=story.at)
    assert book_late(store_id=story.store.pk, reason="the platform's letter of 1 September", by="user:3", at=story.at) == 1
    assert Entry.objects.count() == entries + 2
    first, second = Entry.objects.order_by("id")[entries:]
    assert (first.fact, second.fact, second.memo) == ("refund_confirmed", "late_settled", "the platform's letter of 1 September")
    assert {one.at.astimezone(ZoneInfo("Asia/Shanghai")).date() for one in (first, second)} == {date(2026, 9, 1)}
    assert {one.by for one in (first, second)} == {"user:3"}
    assert list(Posting.objects.filter(entry=second).order_by("line_no").values_list("account__code", "amount")) == [
        ("1100", Decimal("6.00")), ("1000", Decimal("-6.00")),
    ]  # fmt: skip
    after = balances(story)
    assert after["1000"] == before["1000"] - 6 and after.get("1100", 0) == 0
    assert locked_until([story.store.pk]) == {story.store.pk: FOR_GOOD}
    assert BookLock.objects.get().reason == "the platform's letter of 1 September"
    assert not PendingReaction.objects.filter(state__in=["pending", "parked"]).exists()
    assert not Task.objects.filter(kind="late_money", closed_at=None).exists()
    assert audit() == []
    with pytest.raises(Refused, match="Nothing waits"):
        book_late(store_id=story.store.pk, reason="again", by=BY, at=story.at)


def test_a_store_that_comes_back_books_it_by_itself(story):
    from daifa.domain.closing import commands

    plan = commands.plan_readmission(closing_id=story.closing.pk, cause="tired", months=1, by=BY, at=story.at)
    for row in plan.steps.order_by("position"):
        commands.prove_comeback_step(step_id=row.pk, proof="done", by=BY, at=story.at)
    commands.apply_for_readmission(readmission_id=plan.pk, healed="all", by=BY, at=story.at)
    close_store.readmit(readmission_id=plan.pk, admitted=True, answer="welcome", by=BY, at=story.at)
    assert not Task.objects.filter(kind="late_money", closed_at=None).exists()
    work_until_idle(at=story.at)
    assert Entry.objects.filter(fact="refund_confirmed").count() == 1
    assert waiting() == []


def test_the_page_shows_it_and_only_the_owner_books_it(story, client):
    url, book = (reverse(f"web:late_entries{end}", args=[story.store.pk]) for end in ("", "_book"))
    with clock.moved_to(story.at):
        for role, status in (("bookkeeper", 403), ("owner", 302)):
            user = User.objects.create_user(role, language="en")
            StoreAccess.objects.create(user=user, store=story.store, role=role)
            client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
            for page in (reverse("web:store_life", args=[story.store.pk]), reverse("web:closing", args=[story.closing.pk])):
                assert "1 movement of money was heard of after the books were locked" in client.get(page).content.decode()
            assert "£6.00" in client.get(url).content.decode()
            assert client.post(book, {"reason": "letter"}).status_code == status
        assert "Nothing waits to be booked" in client.get(url).content.decode()
    assert Entry.objects.filter(fact="late_settled").count() == 1
