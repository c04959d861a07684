"""A category is newly regulated: notice, self-check, licence; without one the store ends."""

from datetime import date

import pytest

from daifa.domain.catalog.models import ListingVariant
from daifa.domain.closing import queries
from daifa.flows import close_store, platform_side
from daifa.flows.audit import audit
from daifa.lib.refusal import Refused
from tests.closing_shop import BY, answer_retention, open_story, places_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]


def test_from_notice_to_deposit():
    story = open_story(["1001"])
    answer_retention(story)
    ListingVariant.objects.create(store=story.store, sku="A", title="Beauty device", state="live", created_at=story.at)
    with pytest.raises(Refused, match="7 to 15 days ahead"):
        platform_side.give_notice(
            story.store.pk, "category", reason="aesthetic devices", days_until_effect=3, at=story.at
        )
    story.until("2026-03-09")
    platform_side.give_notice(
        story.store.pk, "category", reason="Aesthetic devices need a medical device licence", days_until_effect=10, at=story.at
    )
    story.closing = queries.running_closing(story.store.pk)
    assert (story.closing.scenario, story.closing.state, story.life()) == ("rule_change", "threatened", ("open", "warned"))
    days = {day.code: day for day in queries.days_of(story.closing, at=story.at)}
    assert days["effective"].on == date(2026, 3, 19) and days["effective"].rule_id == "cn-ec-34"
    assert days["self_check"].on == date(2026, 3, 12)

    with pytest.raises(Refused, match="First: Self-check"):
        story.do("licence", note="none", outcome="not_asked")
    story.do("self_check", note="one listing falls under it; no licence")
    assert story.step("self_check").evidence.get().facts["listings"]["live"] == 1
    with pytest.raises(Refused, match="how it ended"):
        story.do("licence", note="applied")
    story.until("2026-03-19")
    story.do("licence", note="the licence takes four months", outcome="not_asked")
    assert story.life() == ("closing", "restricted")

    story.do("shop_notice", "listings_down", "links_retired", "buyers_told", "orders_finished")
    story.do("aftersales_finished")
    story.do("application", note="The category needs a licence we do not have", reference="XHS-1")
    assert story.days()["closed"] == date(2026, 4, 28)
    story.until("2026-04-28")
    story.do("public_notice")
    story.do("closed", reference="XHS-1 closed")
    story.end(returned="1000.00")
    assert story.at.date() == date(2026, 7, 28)
    assert story.life() == ("archived", "restricted") and places_of("Anna Wood") == []
    assert audit() == []


def test_a_licence_in_time_averts_it():
    story = open_story([])
    story.closing = close_store.start(
        store_id=story.store.pk, scenario="rule_change", reason="goods for minors", noticed_on=date(2026, 3, 1),
        effective_on=date(2026, 3, 12), by=BY, at=story.at,
    )  # fmt: skip
    assert story.life() == ("open", "warned")
    story.do("self_check", note="four listings")
    with pytest.raises(Refused, match="proved by its document"):
        story.do("licence", note="licence CN-4711, valid to 2029", outcome="granted")
    story.do("licence", note="valid to 2029", outcome="granted", file=("licence.pdf", b"%PDF-1.7 CN-4711"))
    assert story.step("licence").evidence.get().file_name == "licence.pdf"
    story.closing.refresh_from_db()
    assert story.closing.state == "averted" and story.life() == ("open", "normal")
    assert audit() == []
