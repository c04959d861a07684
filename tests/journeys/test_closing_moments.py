"""The moments of a closing go forward: nothing is done ahead of time beside the living, nor before what it rests on."""

from datetime import UTC, datetime, timedelta

import pytest

from daifa.cli import closing as closing_words
from daifa.cli import platform_side as desk_words
from daifa.cli.tests.test_words import run
from daifa.domain.closing import queries
from daifa.domain.stores.models import Store
from daifa.flows import close_store
from daifa.flows.close_store import Given
from daifa.lib import bulk, clock
from daifa.lib.refusal import Refused
from tests.closing_shop import BY, open_story

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    settings.DAIFA_PLATFORM_SIDE = True
    found = open_story([])
    found.closing = close_store.start(store_id=found.store.pk, scenario="choice", reason="Change of plan", by=BY, at=found.at)
    return found


def test_nothing_is_done_ahead_of_time_by_the_command_line(story):
    ahead = (clock.now() + timedelta(days=32)).isoformat()
    assert "lies ahead" in run(closing_words.app, "step", "gifts", "listings_down", "--at", ahead, code=1)
    assert "lies ahead" in run(closing_words.app, "withdraw", "gifts", "--reason", "no", "--at", ahead, code=1)
    assert "lies ahead" in run(desk_words.app, "sweep", "--at", ahead, code=1)
    assert "lies ahead" in run(desk_words.app, "notice", "gifts", "--kind", "dormancy", "--reason", "x", "--at", ahead, code=1)
    assert story.state("listings_down") == "waiting"
    assert run(closing_words.app, "calendar", "gifts", "--at", ahead, "--json"), "reading is no acting"
    Store.objects.update(is_sample=True)  # a sample shop may rehearse
    assert "done" in run(closing_words.app, "step", "gifts", "listings_down", "--at", ahead)


@pytest.mark.django_db(transaction=True)
def test_a_moved_moment_and_a_live_worker_exclude_each_other(settings, tmp_path):
    from django.db import connections

    settings.MEDIA_ROOT = tmp_path / "files"
    story = open_story([])
    close_store.start(store_id=story.store.pk, scenario="choice", reason="Change of plan", by=BY, at=story.at)
    worker = connections["default"].copy()
    try:
        with worker.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock_shared(7300)")
        refused = run(closing_words.app, "step", "gifts", "listings_down", "--at", story.at.isoformat(), code=1)
        assert "A worker is running" in refused
    finally:
        worker.close()


def test_steps_are_in_an_order_of_moments(story):
    story.later(days=3)
    story.do("listings_down", "links_retired")
    for act in (
        lambda at: close_store.do_step(story.step("orders_finished").pk, Given(), by=BY, at=at),
        lambda at: close_store.withdraw(story.closing.pk, reason="no", by=BY, at=at),
        lambda at: close_store.undo_step(story.step("count_open").pk, note="no", by=BY, at=at),
    ):
        with pytest.raises(Refused, match="before what happened last") as refused:
            act(story.at - timedelta(days=1))
        assert refused.value.code == "before_the_last"
    story.do("orders_finished")
    assert queries.last_moment(story.closing) == story.at
    assert bulk.fetch("SELECT count(*) FROM closing_stepevidence WHERE at < %s", (datetime(2020, 1, 1, tzinfo=UTC),)) == [(0,)]


def test_the_way_back_goes_forward_too(story):
    from daifa.domain.closing import commands
    from daifa.domain.closing.models import Lifecycle

    Lifecycle.objects.update(state="closed", closed_at=story.at)
    with pytest.raises(Refused, match="before what happened last"):
        commands.plan_readmission(closing_id=story.closing.pk, cause="x", by=BY, at=story.at - timedelta(days=1))
    plan = commands.plan_readmission(closing_id=story.closing.pk, cause="x", by=BY, at=story.at)
    for row in queries.plan_of(plan.pk):
        commands.prove_comeback_step(step_id=row.pk, proof="seen", by=BY, at=story.at + timedelta(days=5))
    with pytest.raises(Refused, match="before what happened last"):
        commands.apply_for_readmission(readmission_id=plan.pk, healed="all", by=BY, at=story.at)
    commands.apply_for_readmission(readmission_id=plan.pk, healed="all", by=BY, at=story.at + timedelta(days=6))
    with pytest.raises(Refused, match="before what happened last"):
        close_store.readmit(readmission_id=plan.pk, admitted=True, answer="yes", by=BY, at=story.at + timedelta(days=5))
