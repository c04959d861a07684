"""Nobody comes: own figures, time to improve, the choice; and the way back four months later."""

from datetime import date

import pytest

from daifa.domain.books.queries import locked_until
from daifa.domain.closing import commands, queries, rules
from daifa.domain.closing.models import Lifecycle
from daifa.flows import close_store, platform_side
from daifa.flows.audit import audit
from daifa.lib.refusal import Refused
from tests.closing_shop import BY, answer_retention, open_story, places_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]


def test_from_quiet_months_to_deposit_and_back():
    story = open_story(["1001"])
    answer_retention(story)
    assert platform_side.dormancy_review(at=story.at) == []  # too young to be called dormant
    story.until("2026-06-20")
    quiet = platform_side.dormancy_review(at=story.at)
    assert [(one.store.pk, one.orders) for one in quiet] == [(story.store.pk, [0, 0, 0])]
    assert [risk.is_quiet for risk in platform_side.risk_list(at=story.at)] == [True]

    story.closing = close_store.start(
        store_id=story.store.pk, scenario="no_traffic", reason="three quiet months", by=BY, at=story.at
    )
    measured = story.step("measure").evidence.get().facts
    assert measured["quiet"] is True and sum(measured["orders_by_30_days"]) == 1
    assert story.life() == ("open", "normal") and queries.may_take_orders(story.store.pk)
    assert story.days()["improve_until"] == date(2026, 7, 20)
    story.do("improve", note="new pictures, price down, two notes a week")
    story.until("2026-07-20")
    with pytest.raises(Refused, match="still below the line"):
        story.do("choose", note="we hope", outcome="stay")
    story.do("choose", note="no buyer in four months", outcome="leave")
    assert story.life() == ("closing", "normal")

    story.do("shop_notice", "listings_down", "links_retired", "buyers_told", "orders_finished")
    story.do("aftersales_finished")
    story.do("application", note="no traffic", reference="XHS-9")
    story.until(story.days()["notice_ends"])
    story.do("public_notice")
    story.until(story.days()["closed"])
    story.do("closed", reference="XHS-9 closed")
    story.end(returned="1000.00")
    assert story.life() == ("archived", "normal") and places_of("Anna Wood") == []
    assert audit() == []
    old = queries.current_lifecycle(story.store.pk)
    ended = story.at

    # Coming back: every step proved, then a new life linked to the old one.
    plan = commands.plan_readmission(closing_id=story.closing.pk, cause="no traffic: five lines in one store", by=BY, at=story.at)
    due = [step.due_on for step in queries.plan_of(plan.pk)]
    assert len(due) == 6 and due[0] == rules.add_months(ended.date(), 1) and due[-1] == rules.add_months(ended.date(), 4)
    with pytest.raises(Refused, match="already"):
        commands.plan_readmission(closing_id=story.closing.pk, cause="again", by=BY, at=story.at)
    with pytest.raises(Refused, match="Not proved yet: Cause named"):
        commands.apply_for_readmission(readmission_id=plan.pk, healed="all", by=BY, at=story.at)
    for step in queries.plan_of(plan.pk):
        with pytest.raises(Refused, match="what proves it"):
            commands.prove_comeback_step(step_id=step.pk, proof=" ", by=BY, at=story.at)
        story.until(max(step.due_on, story.at.date()))
        commands.prove_comeback_step(step_id=step.pk, proof=f"document of {step.code}", by=BY, at=story.at)
    commands.apply_for_readmission(readmission_id=plan.pk, healed="one line, agreed factory", by=BY, at=story.at)
    close_store.readmit(readmission_id=plan.pk, admitted=False, answer="licence missing", by=BY, at=story.at)
    commands.apply_for_readmission(readmission_id=plan.pk, healed="licence added", by=BY, at=story.at)
    close_store.readmit(readmission_id=plan.pk, admitted=True, answer="welcome back", by=BY, at=story.at)
    new = queries.current_lifecycle(story.store.pk)
    assert (new.state, new.previous_id) == ("preparing", old.pk) and not queries.may_take_orders(story.store.pk)
    assert Lifecycle.objects.filter(store=story.store).count() == 2
    assert locked_until([story.store.pk]) == {story.store.pk: ended.date()}  # the old books stay as they are
    commands.open_store(store_id=story.store.pk, by=BY, at=story.at)
    assert queries.may_take_orders(story.store.pk) and queries.standing(story.store.pk) == "normal"
    assert audit() == []


def test_another_line_or_local_services_let_the_store_stay():
    story = open_story([])
    for outcome in ("change_line", "local_life"):
        story.closing = close_store.start(
            store_id=story.store.pk, scenario="no_traffic", reason="quiet", by=BY, at=story.at
        )
        story.do("improve", note="tried")
        story.do("choose", note="another way", outcome=outcome)
        story.closing.refresh_from_db()
        assert story.closing.state == "averted" and story.life()[0] == "open"
    assert audit() == []
