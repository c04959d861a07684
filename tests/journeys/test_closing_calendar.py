"""The calendar of a closing knows today, and the public page says no day that cannot be."""

from datetime import date, timedelta

import pytest

from daifa.domain.closing import commands, queries
from daifa.domain.stores.commands import edit_store
from daifa.flows import close_store
from daifa.flows.close_store import Given
from daifa.lib.refusal import Refused
from tests.closing_shop import BY, open_story

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    return open_story([])


def start(story, scenario="choice", **params):
    story.closing = close_store.start(store_id=story.store.pk, scenario=scenario, reason="Change of plan", by=BY, at=story.at, **params)


def past(story):
    today = story.at.astimezone().date()
    return [day.code for day in queries.days_of(story.closing, at=story.at) if day.on < today - timedelta(days=1) and not day.happened]


def test_what_is_still_to_be_done_never_lies_behind(story):
    commands.set_status_page(store_id=story.store.pk, is_on=True, slug="gifts-status", contact="help@example.com", by=BY, at=story.at)
    start(story)
    began = story.at
    story.later(days=70)
    close_store.sweep(at=story.at)
    assert past(story) == []
    today = date(2026, 5, 11)
    assert story.days()["application"] >= today and story.days()["closed"] >= today + timedelta(days=40)
    shown = queries.public_status("gifts-status", at=story.at)
    assert shown.notice_ends is None, "no notice runs before the application"
    assert shown.closes_on >= today + timedelta(days=40)
    story.do("shop_notice", "listings_down", "links_retired", "buyers_told", "orders_finished", "aftersales_finished")
    assert story.days()["listings_down"] == story.at.astimezone().date() > began.date()
    story.do("application", note="Change of plan", reference="A-1")
    shown = queries.public_status("gifts-status", at=story.at)
    assert shown.notice_ends == story.days()["notice_ends"] and shown.closes_on > shown.notice_ends


@pytest.mark.parametrize("scenario", ["forced", "no_traffic"])
def test_a_threat_that_drags_on(story, scenario):
    start(story, scenario)
    story.later(days=70)
    assert past(story) == []


def test_a_rule_that_has_taken_effect_already(story):
    start(story, "rule_change", noticed_on=date(2026, 2, 20), effective_on=date(2026, 2, 27))
    assert story.days()["effective"] == date(2026, 2, 27), "a day that was said stays"
    assert story.days()["application"] > story.at.date()


def test_before_a_closing_is_begun_nothing_lies_behind_either(story):
    days = queries.days_if_started(story.store, "rule_change", at=story.at, noticed_on=date(2026, 1, 2), effective_on=date(2026, 1, 12))
    assert {day.code: day.on for day in days}["application"] > story.at.date()


def test_a_notice_names_somebody_to_turn_to(story):
    edit_store(store_id=story.store.pk, reply_to="", by=BY, at=story.at)
    start(story)
    with pytest.raises(Refused, match="names nobody") as refused:
        close_store.do_step(story.step("shop_notice").pk, Given(), by=BY, at=story.at)
    assert refused.value.code == "contact_missing" and queries.status_page(story.store.pk) is None
    commands.set_status_page(store_id=story.store.pk, is_on=False, contact="help@example.com", by=BY, at=story.at)
    story.do("shop_notice")
    assert queries.status_page(story.store.pk).is_on
