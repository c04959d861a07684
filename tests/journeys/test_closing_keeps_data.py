"""Buyers' data of a store that ends: nothing is called shredded that is still there, and nothing stays after its time."""

from datetime import timedelta
from decimal import Decimal

import pytest

from daifa.domain.privacy.commands import Kept, set_retention
from daifa.domain.privacy.places import CLASSES
from daifa.flows import close_store
from daifa.flows.audit import audit
from daifa.lib.refusal import Refused
from tests.closing_shop import BY, answer_retention, open_story, places_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]


def up_to_the_deposit():
    story = open_story(["1001"])
    story.closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="Change of plan", by=BY, at=story.at)
    story.until("2026-03-10", hour=16)
    story.do("shop_notice", "listings_down", "links_retired", "buyers_told", "orders_finished")
    story.until("2026-03-16")
    story.do("aftersales_finished")
    story.do("application", note="Change of plan", reference="XHS-77")
    story.until("2026-04-25")
    story.do("public_notice")
    story.do("closed", reference="XHS-77 closed")
    story.pay_suppliers()
    story.do("suppliers_settled")
    story.do("settlement", amount=story.proceeds())
    story.do("export")
    story.until("2026-07-27")
    story.do("deposit_back", note="paid to the bank", amount=Decimal("1000.00"))
    return story


def test_nobody_has_said_how_long_data_are_kept():
    story = up_to_the_deposit()
    with pytest.raises(Refused, match="nobody has said how long they are kept: 3"):
        story.do("shred")
    with pytest.raises(Refused, match="nobody has said how long"):  # said at once, before the worker is asked
        close_store.ask_step(story.step("shred").pk, by=BY, at=story.at)
    assert story.step("shred").asked_at is None
    assert story.state("shred") == "waiting" and places_of("Anna Wood")
    story.do("books_locked")
    with pytest.raises(Refused, match="First: Personal data shredded"):
        story.do("archive")
    answer_retention(story)
    story.do("shred", "archive")
    assert places_of("Anna Wood") == [] and story.life() == ("archived", "normal")
    assert audit() == []


def test_data_that_must_be_kept_longer_go_on_their_day_by_themselves():
    story = up_to_the_deposit()
    set_retention(
        [Kept(data, {"letters": 180, "contact": 400, "papers": 400}.get(data, 0), None, "our adviser", story.store.pk) for data in CLASSES if data != "backups"],
        by=BY, at=story.at,
    )  # fmt: skip
    expected = story.days()["shred"]
    assert expected.year == 2027, "known before anybody tries"
    story.do("shred")
    step = story.step("shred")
    assert step.state == "waiting" and step.not_before.date().isoformat() == "2026-09-04", "letters go first, of 8 March"
    assert story.days()["shred"] == story.days()["archive"] == expected == step.due_on
    assert places_of("Anna Wood")
    story.do("books_locked")
    with pytest.raises(Refused, match="First: Personal data shredded"):
        story.do("archive")
    story.until("2026-09-05")
    assert story.step("shred").not_before.date().year == 2027 and "buyer_messages_message" not in places_of("Anna Wood")
    story.until(expected + timedelta(days=1))
    assert story.state("shred") == "done" and places_of("Anna Wood") == []
    story.do("archive")
    assert story.life() == ("archived", "normal") and audit() == []
