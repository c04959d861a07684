"""A merchant ends her store: from the decision to the deposit, on a simulated calendar."""

import io
import zipfile
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from daifa.domain.aftersales.commands import open_case, refund_case
from daifa.domain.books.commands import FOR_GOOD, NewExpense, add_expenses
from daifa.domain.books.models import Entry
from daifa.domain.books.queries import locked_until
from daifa.domain.catalog.models import ListingVariant
from daifa.domain.closing import queries
from daifa.domain.closing.models import StepEvidence
from daifa.domain.history.models import PendingReaction
from daifa.domain.messages.models import Message
from daifa.domain.orders.models import Order
from daifa.flows import close_store
from daifa.flows.audit import audit
from daifa.flows.close_store import Given
from daifa.flows.work import work_until_idle
from daifa.lib.refusal import Refused
from tests.closing_shop import BY, answer_retention, open_story, places_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]


def test_from_decision_to_deposit():
    story = open_story(["1001", "1002"])
    answer_retention(story)
    order = Order.objects.get(number="1001")
    line = order.lines.first()
    case = open_case(
        order_id=order.pk, kind="refund", reason="damaged", lines=[(line.pk, 1)], note="Anna Wood writes", by=BY, at=story.at
    )
    live = ListingVariant.objects.create(store=story.store, sku="OLD-1", title="Old", state="live", created_at=story.at)

    # Three days are not enough for anybody.
    with pytest.raises(Refused, match="30 days of public notice") as refused:
        close_store.start(
            store_id=story.store.pk, scenario="choice", reason="Change of plan",
            wished_on=(story.at + timedelta(days=3)).date(), by=BY, at=story.at,
        )  # fmt: skip
    assert refused.value.code == "too_soon" and story.life() == ("open", "normal")

    story.closing = close_store.start(
        store_id=story.store.pk, scenario="choice", reason="Change of plan", by=BY, at=story.at
    )
    assert story.life() == ("closing", "normal")
    assert not queries.may_take_orders(story.store.pk)
    assert queries.shut_since([story.store.pk]) == {story.store.pk: story.at}
    counted = story.step("count_open").evidence.get().facts["open"]
    assert counted["open_aftersales"] == {"count": 1} and counted["live_listings"] == {"count": 1}
    assert {"supplier_balances", "settlement_due", "deposit_held", "in_return_time"} <= set(counted)
    with pytest.raises(Refused, match="going on since"):
        close_store.start(store_id=story.store.pk, scenario="no_traffic", reason="again", by=BY, at=story.at)

    # 8 March, 23:00 in China: while a buyer has a request open, listings go down outside the busy hours.
    story.until("2026-03-10", hour=12)  # eight in the evening
    story.do("listings_down")
    assert story.state("listings_down") == "waiting" and story.step("listings_down").not_before.hour == 15
    assert ListingVariant.objects.get(pk=live.pk).state == "live"
    story.until("2026-03-10", hour=16)
    assert story.state("listings_down") == "done"
    assert ListingVariant.objects.get(pk=live.pk).state == "delisted"

    story.do("shop_notice", "links_retired", "buyers_told")
    told = Message.objects.filter(kind="store_closing")
    assert {message.state for message in told} == {"sent"} and told.count() == 2
    assert "Our store closes" in told.first().body or "our store closes on" in told.first().body
    with pytest.raises(Refused, match="cannot be taken back"):
        close_store.undo_step(story.step("links_retired").pk, note="x", by=BY, at=story.at)

    # What is open blocks, with its number.
    story.do("orders_finished")
    with pytest.raises(Refused, match="open after-sales requests: 1"):
        story.do("aftersales_finished")
    refund_case(case_id=case, amount=Decimal("6.00"), no_claim_reason="goodwill", by=BY, at=story.at)
    work_until_idle(at=story.at)
    with pytest.raises(Refused, match=r"may still be returned.*until 2026-03-15"):
        story.do("aftersales_finished")
    story.until("2026-03-16")
    story.do("aftersales_finished")
    with pytest.raises(Refused, match="platform's number"):
        story.do("application", note="Change of plan")
    story.do("application", note="Change of plan", reference="XHS-77")
    assert story.closing.pk and story.days()["notice_ends"] == date(2026, 4, 15)
    assert story.days()["closed"] == date(2026, 4, 25)
    with pytest.raises(Refused, match="cannot be taken back"):
        close_store.withdraw(story.closing.pk, reason="no", by=BY, at=story.at)

    # Thirty days of notice; about forty in all.
    with pytest.raises(Refused, match="days of public notice left: 30"):
        story.do("public_notice")
    story.until("2026-04-15")
    story.do("public_notice")
    story.until("2026-04-25")
    story.do("closed", reference="XHS-77 closed")
    assert story.life() == ("closed", "normal")
    assert story.days()["deposit"] == date(2026, 7, 27)  # 25 July 2026 is a Saturday

    # Money: what is open is refused with its sentence, then settled.
    with pytest.raises(Refused, match="suppliers not settled"):
        story.do("suppliers_settled")
    story.pay_suppliers()
    story.do("suppliers_settled")
    with pytest.raises(Refused, match="another amount"):
        story.do("settlement", amount=Decimal("100.00"))
    story.do("settlement", amount=story.proceeds() - 5, note="kept for a coupon")
    story.do("export")
    with pytest.raises(Refused, match="First: "):
        story.do("archive")
    story.until("2026-07-01")
    assert story.days()["deposit"] == date(2026, 7, 27)
    story.do("deposit_back", note="paid to the bank, earlier than the rule says", amount=Decimal("1000.00"))
    assert story.days()["deposit"] == date(2026, 7, 1), "when it came is a fact"
    assert story.step("deposit_back").evidence.get().facts["expected"] == "2026-07-27"

    # The end: shredded, locked, archived.
    assert places_of("Anna Wood")
    story.do("shred", "books_locked", "archive")
    assert story.life() == ("archived", "normal")
    story.closing.refresh_from_db()
    assert story.closing.state == "done"
    assert places_of("Anna Wood") == [] and places_of("anna1001@example.invalid") == []
    assert locked_until([story.store.pk]) == {story.store.pk: FOR_GOOD}
    entries = Entry.objects.count()
    expense = NewExpense(story.store.pk, "tools", Decimal("5"), "GBP", story.at.date(), "", "late")
    assert add_expenses([expense], by=BY, at=story.at).refused[0].code == "books_locked"
    assert Entry.objects.count() == entries
    assert not PendingReaction.objects.filter(state__in=["pending", "parked"]).exists()
    assert audit() == []

    # Every step left its evidence; the export holds the books and no buyer.
    done = [row.code for row in story.closing.steps.filter(state="done")]
    assert set(done) == set(StepEvidence.objects.filter(what="done").values_list("step__code", flat=True))
    proof = story.step("export").evidence.get()
    with zipfile.ZipFile(io.BytesIO(close_store.file_of(proof.sha256).read_bytes())) as archive:
        assert {"orders.csv", "entries.csv", "books.beancount", "SHA256SUMS"} <= set(archive.namelist())
        assert b"1001" in archive.read("orders.csv")
        assert not any(b"Anna" in archive.read(name) for name in archive.namelist())
    with pytest.raises(Refused, match="ended already"):
        close_store.start(store_id=story.store.pk, scenario="choice", reason="again", by=BY, at=story.at)


def test_a_closing_may_be_withdrawn_before_it_is_applied_for():
    story = open_story([])
    live = ListingVariant.objects.create(store=story.store, sku="A", title="A", state="live", created_at=story.at)
    story.closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="tired", by=BY, at=story.at)
    story.do("shop_notice", "listings_down")
    close_store.undo_step(story.step("listings_down").pk, note="one more day", by=BY, at=story.at)
    live.refresh_from_db()
    assert live.state == "live" and story.state("listings_down") == "waiting"
    story.do("listings_down", "links_retired")
    assert queries.status_page(story.store.pk).is_on
    close_store.withdraw(story.closing.pk, reason="a buyer for the shop was found", by=BY, at=story.at)
    live.refresh_from_db()
    story.closing.refresh_from_db()
    assert (live.state, story.closing.state, story.life()) == ("live", "withdrawn", ("open", "normal"))
    assert queries.shut_since([story.store.pk]) == {} and not queries.status_page(story.store.pk).is_on
    again = close_store.start(store_id=story.store.pk, scenario="choice", reason="after all", by=BY, at=story.at)
    assert again.number == 2
    assert audit() == []


def test_a_step_that_fails_has_not_happened():
    story = open_story([])
    story.closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="r", by=BY, at=story.at)
    with pytest.raises(Refused), transaction.atomic():
        close_store.do_step(story.step("count_open").pk, Given(), by=BY, at=story.at)  # it was counted at the start
    with pytest.raises(Refused, match="First: Listings down"):
        story.do("orders_finished")
    assert story.state("orders_finished") == "waiting"
