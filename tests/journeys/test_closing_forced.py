"""The platform removes a store: letter, appeals, ruling, takedown in a quiet hour, and an orderly end all the same."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from daifa.domain.aftersales.commands import open_case, refund_case
from daifa.domain.books.commands import FOR_GOOD
from daifa.domain.books.queries import locked_until
from daifa.domain.cases import commands as cases
from daifa.domain.cases.models import Violation
from daifa.domain.cases.queries import open_cases
from daifa.domain.catalog.models import ListingVariant
from daifa.domain.closing import queries
from daifa.domain.closing.models import PlatformCase
from daifa.domain.orders.models import Order
from daifa.domain.stores.models import Task
from daifa.flows import close_store, platform_side
from daifa.flows.audit import audit
from daifa.flows.close_store import Letter
from daifa.flows.work import work_until_idle
from daifa.lib.refusal import Refused
from tests.closing_shop import BY, answer_retention, open_story, places_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]


def sent(violation: Violation) -> list[tuple[int, str]]:
    return list(violation.appeals.order_by("round").values_list("round", "state"))


def test_from_letter_to_deposit():
    story = open_story(["1001"])
    answer_retention(story)
    order = Order.objects.get()
    line = order.lines.first()
    open_case(order_id=order.pk, kind="refund", reason="damaged", lines=[(line.pk, 1)], note="", by=BY, at=story.at)
    ListingVariant.objects.create(store=story.store, sku="A", title="A", state="live", created_at=story.at)

    story.until("2026-03-09", hour=2)
    case = platform_side.give_notice(
        story.store.pk, "violation", reason="Aesthetic-medicine words in 31 notes", most_appeals=2, at=story.at
    )
    story.closing = queries.running_closing(story.store.pk)
    assert (story.closing.scenario, story.closing.state) == ("forced", "threatened")
    assert story.life() == ("open", "warned") and queries.may_take_orders(story.store.pk)
    assert story.days()["appeal_until"] == date(2026, 3, 10)
    assert [day.rule_id for day in queries.days_of(story.closing, at=story.at) if day.code == "appeal_until"] == [
        "xhs-appeal-penalty"
    ]
    behind = queries.violations_behind(story.closing)
    assert [(one.reference, one.state, one.appeal_until) for one in behind] == [(case.reference, "active", case.due_at)]
    with pytest.raises(Refused, match="open already"):
        platform_side.give_notice(story.store.pk, "violation", reason="again", at=story.at)
    with pytest.raises(Refused, match="may appeal until 2026-03-10"):
        platform_side.rule(case.pk, outcome="upheld", note="clear", at=story.at)

    # Two appeals are allowed, each in time; a third is not taken.
    story.later(hours=20)
    story.do("appeal", note="24 notes are corrected, proof attached", reference=case.reference)
    assert platform_side.take_in(at=story.at) == 1 and platform_side.take_in(at=story.at) == 0
    case.refresh_from_db()
    assert (case.state, case.appeals) == ("appealed", 1) and sent(behind[0]) == [(1, "sent")]
    assert Violation.objects.get().state == "appealed"
    story.until("2026-03-12")
    platform_side.rule(case.pk, outcome="again", note="seven notes are left", at=story.at)
    assert story.state("appeal") == "waiting" and story.state("ruling") == "waiting"
    assert sent(behind[0]) == [(1, "lost")] and Violation.objects.get().state == "upheld"
    assert story.days()["appeal_until"] == date(2026, 3, 13)
    with pytest.raises(Refused, match="ended on 2026-03-13"):
        platform_side.take_appeal(case.pk, note="late", at=story.at + timedelta(days=2))
    story.later(hours=3)
    platform_side.take_appeal(case.pk, note="all are corrected", at=story.at)
    assert story.state("appeal") == "done" and sent(behind[0]) == [(1, "lost"), (2, "sent")]
    with pytest.raises(Refused, match="2 appeals are allowed"):
        platform_side.rule(case.pk, outcome="again", note="x", at=story.at)

    # Upheld in the evening, while a buyer has a request open: goods stay up until the quiet hour.
    story.until("2026-03-16", hour=12)
    platform_side.rule(case.pk, outcome="upheld", note="repeated", at=story.at)
    case.refresh_from_db()
    assert case.state == "ruled" and case.due_at.hour == 15
    assert sent(behind[0]) == [(1, "lost"), (2, "lost")] and Violation.objects.get().state == "upheld"
    assert open_cases(story.store.pk) == []
    assert story.life() == ("closing", "warned")
    assert ListingVariant.objects.get(sku="A").state == "live"
    story.until("2026-03-16", hour=16)
    case.refresh_from_db()
    assert case.state == "executed" and ListingVariant.objects.get(sku="A").state == "delisted"
    assert story.life() == ("closing", "frozen") and not queries.may_take_orders(story.store.pk)
    with pytest.raises(Refused, match="only its ruling"):
        close_store.withdraw(story.closing.pk, reason="we stay", by=BY, at=story.at)

    # What buyers are owed is done all the same.
    story.do("shop_notice", "links_retired", "buyers_told")
    refund_case(
        case_id=order.aftersale_cases.get().pk, amount=Decimal("6.00"), no_claim_reason="goodwill", by=BY, at=story.at
    )
    work_until_idle(at=story.at)
    story.do("orders_finished", "aftersales_finished")
    story.do("closed", reference="letter of 16 March")
    assert story.life() == ("closed", "frozen")
    story.closing.refresh_from_db()
    deposit = next(day for day in queries.days_of(story.closing, at=story.at) if day.code == "deposit")
    assert deposit.on == date(2026, 6, 17) and "lets any of it come back" in deposit.words
    story.end(returned="400.00")  # six hundred are kept
    assert story.step("deposit_back").evidence.get().facts["kept"] == "600.00"
    assert story.life() == ("archived", "frozen")
    assert locked_until([story.store.pk]) == {story.store.pk: FOR_GOOD}
    assert places_of("Anna Wood") == []
    assert audit() == []
    said = [event.what for event in reversed(platform_side.dispute_history([story.store.pk]))]
    assert said == [
        "opened", "notice", "appeal", "appeal_allowed", "appeal", "upheld", "takedown_waits", "taken_down",
    ]  # fmt: skip


def test_a_ruling_reversed_lets_the_store_stay():
    story = open_story([])
    case = platform_side.give_notice(story.store.pk, "violation", reason="counterfeit", at=story.at)
    story.closing = queries.running_closing(story.store.pk)
    platform_side.take_appeal(case.pk, note="authorisation of the brand attached", at=story.at)
    platform_side.rule(case.pk, outcome="reversed", note="authorised", at=story.at)
    story.closing.refresh_from_db()
    assert story.closing.state == "averted" and story.life() == ("open", "normal")
    assert Violation.objects.get().state == "lifted" and sent(Violation.objects.get()) == [(1, "won")]
    assert not story.closing.steps.filter(state="waiting").exists()
    assert audit() == []


def test_a_letter_about_a_violation_that_is_known_does_not_bring_a_second_one():
    story = open_story([])
    known = cases.NewViolation("V-77", story.at, "no_source", points=Decimal(20))
    cases.add_violations([known], store=story.store, source="file:list.csv", by=BY, at=story.at)
    story.later(days=10)  # its own time to appeal is over, the letter opens one
    case = platform_side.give_notice(
        story.store.pk, "violation", reason="reselling", letter=Letter(("V-77", "V-78"), "no_source"), at=story.at
    )
    story.closing = queries.running_closing(story.store.pk)
    assert [one.reference for one in queries.violations_behind(story.closing)] == ["V-77", "V-78"]
    cases.add_violations([known], store=story.store, source="file:list.csv", by=BY, at=story.at)
    assert Violation.objects.count() == 2

    # Appealed and won on the violation's own page: the removal's steps follow, once.
    for one in Violation.objects.all():
        appeal = cases.open_appeal(violation_id=one.pk, text="agreement attached", by=BY, at=story.at)
        cases.send_appeal(appeal_id=appeal.pk, reference="A-1", by=BY, at=story.at)
    assert close_store.follow_appeals(at=story.at) == 1 and close_store.follow_appeals(at=story.at) == 0
    assert story.state("appeal") == "done" and story.state("ruling") == "waiting"
    assert platform_side.take_in(at=story.at) == 1
    first, second = Violation.objects.order_by("pk")
    cases.answer_appeal(appeal_id=first.appeals.get().pk, outcome="won", by=BY, at=story.at)
    assert close_store.follow_appeals(at=story.at) == 0 and story.life() == ("open", "warned")
    cases.answer_appeal(appeal_id=second.appeals.get().pk, outcome="won", by=BY, at=story.at)
    assert close_store.follow_appeals(at=story.at) == 1
    story.closing.refresh_from_db()
    assert story.closing.state == "averted" and story.life() == ("open", "normal")
    platform_side.rule(case.pk, outcome="reversed", note="agreement seen", at=story.at)
    assert [sent(one) for one in Violation.objects.order_by("pk")] == [[(1, "won")], [(1, "won")]]
    assert audit() == []


def test_a_letter_without_a_number_gives_way_to_the_violation_of_the_list():
    story = open_story([])
    story.until("2026-03-09")
    story.closing = close_store.start(store_id=story.store.pk, scenario="forced", reason="letter", by=BY, at=story.at)
    (own,) = queries.violations_behind(story.closing)
    assert own.reference.startswith(close_store.OWN_NUMBER)
    cases.add_violations(
        [cases.NewViolation("V-5", story.at, "no_source")], store=story.store, source="file:list.csv", by=BY, at=story.at
    )
    listed = Violation.objects.get(reference="V-5")
    close_store.name_violation(story.closing.pk, listed.pk, by=BY, at=story.at)
    assert queries.violations_behind(story.closing) == [listed]
    own.refresh_from_db()
    assert own.state == "lifted"
    story.later(days=3)
    with pytest.raises(Refused, match="The time to appeal ended on 2026-03-11"):
        story.do("appeal", note="too late", reference="A-9")
    close_store.leave_out(story.step("appeal").pk, note="nobody noticed the letter", by=BY, at=story.at)
    assert open_cases(story.store.pk) == []
    story.do("ruling", note="as the letter says", outcome="upheld")
    listed.refresh_from_db()
    assert listed.state == "active" and story.life()[0] == "closing"
    assert not Task.objects.filter(kind="violation_to_appeal", closed_at=None).exists()
    assert audit() == []


def test_a_request_with_open_orders_is_refused_and_one_without_ends_after_the_notice():
    story = open_story(["1001"])
    ListingVariant.objects.create(store=story.store, sku="A", title="A", state="live", created_at=story.at)
    refused = platform_side.take_request(story.store.pk, reason="Change of plan", at=story.at)
    assert refused.state == "refused" and "listings still live" in refused.events.last().note
    story.closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="Change of plan", by=BY, at=story.at)
    story.do("shop_notice", "listings_down", "links_retired", "buyers_told", "orders_finished")
    story.until("2026-03-16")
    story.do("aftersales_finished")
    case = platform_side.take_request(story.store.pk, reason="Change of plan", at=story.at)
    story.do("application", note="Change of plan", reference=case.reference)
    platform_side.review_request(case.pk, accept=True, at=story.at)
    platform_side.object_to_request(case.pk, note="a buyer asks for her refund", at=story.at + timedelta(days=3))
    platform_side.review_request(case.pk, accept=True, note="refunded", at=story.at + timedelta(days=5))
    story.until("2026-04-14", hour=4)
    assert PlatformCase.objects.get(pk=case.pk).state == "public_notice"
    story.until("2026-04-15", hour=4)
    assert story.state("public_notice") == "done" and story.life()[0] == "closing"  # forty days in all
    story.until("2026-04-25", hour=4)
    assert PlatformCase.objects.get(pk=case.pk).state == "executed"
    assert story.life()[0] == "closed"
    assert audit() == []
