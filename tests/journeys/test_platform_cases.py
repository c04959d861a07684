"""What the platform's desk decides on one case reaches the closing that is about it, and no other."""

from datetime import timedelta

import pytest

from daifa.domain.cases.models import Violation
from daifa.domain.closing import queries
from daifa.domain.closing.models import PlatformCase
from daifa.domain.stores.commands import add_store
from daifa.flows import close_store, platform_side
from daifa.flows.audit import audit
from daifa.lib.refusal import Refused
from tests.closing_shop import BY, open_story

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    return open_story([])


def notice(story, kind, **how):
    return platform_side.give_notice(story.store.pk, kind, reason=f"about {kind}", at=story.at, **how)


def going(story):
    found = queries.running_closing(story.store.pk)
    return (found.scenario, found.state) if found else None


def rule(story, case, outcome):
    found = platform_side.rule(case.pk, outcome=outcome, note="as found", at=story.at)
    return found.state


def test_a_ruling_settles_its_own_closing_only(story):
    removal, category = notice(story, "violation"), notice(story, "category")
    assert (removal.closing, category.closing) == (queries.running_closing(story.store.pk), None)
    assert rule(story, category, "reversed") == "dropped"
    assert going(story) == ("forced", "threatened") and story.life() == ("open", "warned")
    assert Violation.objects.get().state == "active"
    story.later(days=3)
    assert rule(story, removal, "upheld") == "executed"
    assert going(story) == ("forced", "running") and story.life() == ("closing", "frozen")
    assert audit() == []


def test_an_upheld_removal_ends_a_store_that_something_else_threatened(story):
    category, removal = notice(story, "category"), notice(story, "violation")
    assert going(story) == ("rule_change", "threatened")
    story.later(days=3)
    assert rule(story, removal, "upheld") == "executed"
    assert going(story) == ("forced", "running") and story.life() == ("closing", "frozen")
    first = category.closing
    first.refresh_from_db()
    assert first.state == "averted" and first.pk != queries.running_closing(story.store.pk).pk
    assert [one.reference for one in queries.violations_behind(queries.running_closing(story.store.pk))] == [removal.reference]
    story.later(days=6)
    assert rule(story, category, "upheld") == "executed"
    assert going(story) == ("forced", "running"), "it winds up already"
    assert audit() == []


def test_an_upheld_ruling_ends_a_store_whose_closing_was_taken_back(story):
    case = notice(story, "dormancy")
    close_store.withdraw(queries.running_closing(story.store.pk).pk, reason="we stay", by=BY, at=story.at)
    story.later(days=31)
    assert rule(story, case, "upheld") == "executed"
    assert going(story) == ("no_traffic", "running") and story.life()[0] == "closing"


def test_a_removal_of_a_store_that_winds_up_by_choice_freezes_it(story):
    close_store.start(store_id=story.store.pk, scenario="choice", reason="Change of plan", by=BY, at=story.at)
    case = notice(story, "violation")
    story.later(days=3)
    assert rule(story, case, "upheld") == "executed"
    assert going(story) == ("choice", "running") and story.life() == ("closing", "frozen")


def test_a_dormancy_that_is_reversed_threatens_nobody(story):
    case = notice(story, "dormancy")
    assert going(story) == ("no_traffic", "threatened")
    assert rule(story, case, "reversed") == "dropped"
    assert going(story) is None and story.life()[0] == "open"
    assert audit() == []


def test_a_request_that_nobody_signed_cannot_be_accepted(story):
    case = platform_side.take_request(story.store.pk, reason="Change of plan", at=story.at)
    with pytest.raises(Refused, match="signed no application") as refused:
        platform_side.review_request(case.pk, accept=True, at=story.at)
    assert refused.value.code == "not_applied"
    # One that was accepted before this was asked, and has nothing behind it, closes nothing.
    PlatformCase.objects.filter(pk=case.pk).update(state="public_notice", due_at=story.at)
    assert platform_side.sweep(at=story.at + timedelta(days=31)) == 1
    case.refresh_from_db()
    assert (case.state, case.events.last().what) == ("dropped", "dropped") and story.life()[0] == "open"


def test_an_appeal_after_its_time_is_refused(story):
    notice(story, "violation")
    story.closing = queries.running_closing(story.store.pk)
    story.later(days=17)
    with pytest.raises(Refused, match="The time to appeal ended"):
        story.do("appeal", note="late", reference="A1")
    assert story.state("appeal") == "waiting"


def test_a_number_is_never_given_twice(story):
    other = add_store(
        code="second", name="Second", currency="CNY", kind="marketplace", channel="xiaohongshu", country="CN",
        timezone="Asia/Shanghai", by=BY, at=story.at,
    )  # fmt: skip
    first = notice(story, "dormancy")
    rule(story, first, "reversed")
    kept = platform_side.take_request(story.store.pk, reason="Change of plan", at=story.at)
    PlatformCase.objects.filter(pk=first.pk).delete()
    # As if another hand had counted at the same moment: so many cases are there, and that number is taken.
    found = platform_side.give_notice(other.pk, "dormancy", reason="quiet", at=story.at)
    assert found.reference not in (first.reference, kept.reference)


def test_a_case_ends_with_a_word_when_the_store_itself_decides_to_leave(story):
    quiet = notice(story, "dormancy")
    assert platform_side.take_in(at=story.at) == 0, "the store still has its time"
    story.closing = queries.running_closing(story.store.pk)
    story.do("improve", note="new pictures")
    story.do("choose", note="nobody comes", outcome="leave")
    assert going(story) == ("no_traffic", "running")
    assert platform_side.take_in(at=story.at) == 1 and platform_side.take_in(at=story.at) == 0
    quiet.refresh_from_db()
    assert (quiet.state, quiet.ended_at) == ("dropped", story.at)
    assert quiet.events.order_by("-pk").first().what == "left"
    assert going(story) == ("no_traffic", "running"), "its closing goes on"
    assert audit() == []


def test_a_changed_rule_is_still_ruled_on_where_a_store_winds_up_for_another_reason(story):
    close_store.start(store_id=story.store.pk, scenario="choice", reason="Change of plan", by=BY, at=story.at)
    category, quiet = notice(story, "category"), notice(story, "dormancy")
    assert platform_side.take_in(at=story.at) == 1
    category.refresh_from_db()
    quiet.refresh_from_db()
    assert (category.state, quiet.state) == ("noticed", "dropped")
