"""Proceeds and deposit in other currencies at the end of a store: at the books' rates, refused where there is none."""

from datetime import timedelta
from decimal import Decimal

import pytest

from daifa.domain.books import commands as books
from daifa.domain.books.models import Entry
from daifa.domain.books.queries import trial_balance
from daifa.domain.books.rules import EXCHANGE, RECEIVABLE, SALES
from daifa.domain.cases.commands import NewMove, move_deposit
from daifa.domain.closing import queries
from daifa.flows import close_store
from daifa.flows.audit import CHECKS, find
from daifa.lib.refusal import Refused
from tests.closing_shop import BY, open_story

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]


@pytest.fixture
def story():
    """A store in pounds to which its channel owes 20.00 pounds, 100.00 dollars and 1 000.00 of a money nobody publishes."""
    story = open_story([])
    legs = [
        leg
        for currency, amount in (("GBP", 20), ("USD", 100), ("KWD", 10))
        for leg in ((RECEIVABLE, currency, Decimal(amount)), (SALES, currency, Decimal(-amount)))
    ]
    books.post_entries([books.NewEntry(story.store.pk, "expense", 1, story.at, legs)], by=BY)
    rate = books.NewRate(story.at.date(), "USD", "GBP", Decimal("0.75"))
    assert not books.set_fx_rates([rate], by=BY, at=story.at).refused
    story.closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="plan", by=BY, at=story.at)
    story.do("shop_notice", "listings_down", "links_retired", "buyers_told", "orders_finished", "aftersales_finished")
    return story


def balances(story) -> dict[tuple[str, str], Decimal]:
    return {(row.code, row.currency): row.amount for row in trial_balance([story.store.pk]).rows if row.amount}


def test_proceeds_in_three_currencies(story):
    given = {"GBP": Decimal("20.00"), "USD": Decimal("98.00"), "KWD": Decimal("10.00")}
    with pytest.raises(Refused, match="no rate from KWD to GBP") as refused:
        story.do("settlement", amounts=given)
    assert refused.value.code == "rate_missing" and story.state("settlement") == "waiting"
    books.set_fx_rates([books.NewRate(story.at.date(), "KWD", "GBP", Decimal("2.50"))], by=BY, at=story.at)
    with pytest.raises(Refused, match=r"expect 120\.00 GBP"):
        story.do("settlement", amounts=given)
    before = balances(story)
    story.do("settlement", amounts=given, note="two dollars for the transfer")
    after = balances(story)
    assert not [key for key in after if key[0] == RECEIVABLE] and queries.proceeds_due(story.store.pk) == []
    assert after["1000", "GBP"] - before.get(("1000", "GBP"), 0) == Decimal("118.50")
    assert after["6100", "GBP"] - before.get(("6100", "GBP"), 0) == Decimal("1.50")
    assert (after[EXCHANGE, "USD"], after[EXCHANGE, "KWD"], after[EXCHANGE, "GBP"]) == (100, 10, Decimal("-100.00"))
    assert trial_balance([story.store.pk]).off == {}
    facts = story.step("settlement").evidence.get().facts
    assert facts["rates"]["USD"].startswith("0.75 (hand") and facts["paid_in"] == {"USD": "98.00", "KWD": "10.00"}


def test_everything_owed_is_paid_in_the_stores_own_currency(story):
    books.set_fx_rates([books.NewRate(story.at.date(), "KWD", "GBP", Decimal("2.50"))], by=BY, at=story.at)
    story.do("settlement", amount=Decimal("120.00"))
    assert queries.proceeds_due(story.store.pk) == []
    assert story.step("settlement").evidence.get().facts["kept"] in ("0", "0.00")


def test_a_deposit_that_comes_back_in_dollars(story):
    story.do("application", note="plan", reference="X-1")
    story.until(story.days()["notice_ends"])
    story.do("public_notice")
    story.until(story.days()["closed"])
    story.do("closed", reference="X-1")
    story.until(story.days()["deposit"])
    with pytest.raises(Refused, match="no rate from KWD"):
        story.do("deposit_back", note="paid", amounts={"KWD": Decimal("400.00")})
    with pytest.raises(Refused, match="no more can come back"):
        story.do("deposit_back", note="paid", amount=Decimal("1000.01"))
    story.do("deposit_back", note="paid in dollars", amount=Decimal(0), amounts={"USD": Decimal("1340.00")})  # 1 005.00
    facts = story.step("deposit_back").evidence.get().facts
    assert (facts["returned"], facts["gain"], Decimal(facts["kept"])) == ("1000.00", "5.00", 0)
    after = balances(story)
    assert ("1200", "GBP") not in after and after["7000", "GBP"] == Decimal("-5.00")


def test_what_moves_after_the_proceeds_came_in_is_settled_anew():
    story = open_story([])
    legs = [(RECEIVABLE, "GBP", Decimal("20.00")), (SALES, "GBP", Decimal("-20.00"))]
    books.post_entries([books.NewEntry(story.store.pk, "expense", 1, story.at, legs)], by=BY)
    story.closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="plan", by=BY, at=story.at)
    story.do("shop_notice", "listings_down", "links_retired", "buyers_told", "orders_finished", "aftersales_finished")
    story.do("settlement", amount=Decimal("20.00"))
    for times, penalty in enumerate(("6.00", "1.50"), 1):
        late = NewMove("penalty", Decimal(penalty), story.at, f"late {times}")
        assert move_deposit([late], store=story.store, by=BY, at=story.at).added
        story.until(story.at.date() + timedelta(days=1))
        assert [(due.amount, due.currency) for due in queries.proceeds_due(story.store.pk)] == [(-Decimal(penalty), "GBP")]
        bank = balances(story)["1000", "GBP"]
        close_store.undo_step(story.step("settlement").pk, note="a penalty came after", by=BY, at=story.at)
        assert story.state("settlement") == "waiting" and balances(story)["1000", "GBP"] == bank, "what came in came in"
        story.do("settlement", amount=-Decimal(penalty))
        assert queries.proceeds_due(story.store.pk) == []
        assert balances(story)["1000", "GBP"] == bank - Decimal(penalty)
    assert trial_balance([story.store.pk]).off == {}
    [unfounded] = [check for check in CHECKS if check.code == "posted_for_nothing"]
    assert [detail for _entry, detail, _count in find(unfounded) if "proceeds" in detail] == []
    assert list(Entry.objects.filter(fact__startswith="proceeds").order_by("id").values_list("fact", flat=True)) == [
        "proceeds_settled", "proceeds_again", "proceeds_again",
    ]  # fmt: skip
