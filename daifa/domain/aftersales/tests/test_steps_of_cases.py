"""The steps of a case: agreed to or refused, on its way back, received, never sent, closed; many at once."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import translation

from daifa.domain.aftersales import commands, queries
from daifa.domain.aftersales.models import AftersaleCase, AftersaleLine
from daifa.domain.aftersales.process import AFTERSALE_CASE
from daifa.domain.history.models import Transition
from daifa.lib.refusal import Refused
from tests import shipped_orders

BY = "user:7"
NOON = shipped_orders.NOON


@pytest.fixture
def shop(db):
    return shipped_orders.store()


def a_case(shop, kind="return", quantity=2):
    order = shipped_orders.order(shop, goods=(("MUG", "Ceramic mug", 3), ("LAMP", "Desk lamp", 1)))
    with transaction.atomic():
        return commands.open_case(
            order_id=order.pk, kind=kind, reason="damaged", lines=[(order.lines.get(sku="MUG").pk, quantity)], note="",
            by=BY, at=NOON,
        )  # fmt: skip


def state(case: int) -> str:
    return AftersaleCase.objects.get(pk=case).state


def test_a_return_from_request_to_refund(shop):
    case, at = a_case(shop), NOON + timedelta(days=1)
    assert commands.approve_cases([case], by=BY, at=at).moved == [case]
    assert AftersaleCase.objects.get(pk=case).due_at == at + timedelta(days=14)
    assert commands.record_returns({case: " RM 123 456 785 GB "}, by=BY, at=at).moved == [case]
    line = AftersaleLine.objects.get(case=case)
    assert commands.receive_returns({case: [(line.pk, 1, "damaged")]}, by=BY, at=at).refused == {}
    row, line = AftersaleCase.objects.get(pk=case), AftersaleLine.objects.get(case=case)
    assert (row.state, row.return_number, row.due_at) == ("received", "RM 123 456 785 GB", None)
    assert (line.quantity, line.received, line.outcome) == (2, 1, "damaged")
    assert queries.case_detail([shop.pk], case).worth == Decimal("10.00")  # one mug of two came back
    with transaction.atomic():
        commands.refund_case(case_id=case, amount=Decimal("10"), no_claim_reason="goodwill", by=BY, at=at)
    assert commands.close_cases([case], by=BY, at=at).moved == [case]
    steps = dict(Transition.objects.filter(kind=AFTERSALE_CASE.kind, thing=case).values_list("state_from", "state_to"))
    assert steps == {
        "": "requested", "requested": "approved", "approved": "in_transit", "in_transit": "received",
        "received": "refunded", "refunded": "closed",
    }  # fmt: skip


def test_many_at_once_and_those_that_stand_elsewhere_say_so(shop):
    first, second, settled = a_case(shop), a_case(shop, kind="refund"), a_case(shop)
    commands.refuse_cases([settled], reason="worn", by=BY, at=NOON)
    commands.close_cases([settled], by=BY, at=NOON)
    done = commands.approve_cases([settled, second, first, 10**9], return_by=NOON + timedelta(days=3), by=BY, at=NOON)
    assert sorted(done.moved) == [first, second]
    assert done.refused[settled] == f"Case {settled} is “closed”: it cannot become “approved”."
    assert done.refused[10**9] == "There is no such case."
    assert AftersaleCase.objects.get(pk=first).due_at == NOON + timedelta(days=3)
    assert AftersaleCase.objects.get(pk=second).due_at is None  # money only: nothing is expected back
    with translation.override("zh-hans"):
        assert "已关闭" in commands.approve_cases([settled], by=BY, at=NOON).refused[settled]


def test_a_refusal_is_written_down_and_can_be_taken_back(shop):
    case = a_case(shop)
    with pytest.raises(Refused):
        commands.refuse_cases([case], reason="  ", by=BY, at=NOON)
    assert state(case) == "requested"
    commands.refuse_cases([case], reason="Used for a year.", by=BY, at=NOON)
    move = Transition.objects.select_related("batch").get(kind=AFTERSALE_CASE.kind, thing=case, state_to="refused")
    assert (move.batch.reason, move.batch.by) == ("Used for a year.", BY)
    assert commands.approve_cases([case], by=BY, at=NOON).moved == [case]


def test_nothing_comes_back_where_only_money_was_asked_for(shop):
    case = a_case(shop, kind="refund")
    commands.approve_cases([case], by=BY, at=NOON)
    line = AftersaleLine.objects.get(case=case)
    for done in (
        commands.record_returns({case: "X1"}, by=BY, at=NOON),
        commands.receive_returns({case: [(line.pk, 1, "damaged")]}, by=BY, at=NOON),
        commands.expire_cases([case], by=BY, at=NOON),
    ):
        assert done.moved == [] and "money only" in done.refused[case]
    assert state(case) == "approved"


@pytest.mark.parametrize(
    "units, outcome, says",
    [(3, "damaged", "At most 2 units"), (-1, "damaged", "At most 2 units"), (0, "damaged", "how many units"),
     (1, "eaten", "condition")],
)  # fmt: skip
def test_what_cannot_have_come_back_is_refused(shop, units, outcome, says):
    case, other = a_case(shop), a_case(shop)
    commands.approve_cases([case, other], by=BY, at=NOON)
    mine, theirs = (AftersaleLine.objects.get(case=one) for one in (case, other))
    done = commands.receive_returns(
        {case: [(mine.pk, units, outcome)], other: [(theirs.pk, 2, "resellable")]}, by=BY, at=NOON
    )
    assert done.moved == [other]
    assert says in done.refused[case]
    foreign = commands.receive_returns({case: [(theirs.pk, 1, "damaged")]}, by=BY, at=NOON)
    assert "not of this case" in foreign.refused[case]
    twice = commands.receive_returns({case: [(mine.pk, 1, "damaged"), (mine.pk, 2, "damaged")]}, by=BY, at=NOON)
    assert "once" in twice.refused[case]
    assert AftersaleLine.objects.get(case=case).received == 0


def test_goods_that_never_came_end_the_case_without_money(shop):
    case = a_case(shop)
    commands.approve_cases([case], by=BY, at=NOON)
    assert commands.expire_cases([case], by=BY, at=NOON + timedelta(days=20)).moved == [case]
    with pytest.raises(Refused), transaction.atomic():
        commands.refund_case(case_id=case, amount=Decimal(1), no_claim_reason="x", by=BY, at=NOON)


def test_what_waits_for_a_person(shop):
    asked, agreed, back, overdue, moving = (a_case(shop, kind=kind) for kind in ("return", "refund", "return", "return", "return"))
    later = NOON + timedelta(days=20)
    commands.approve_cases([agreed, back, overdue], by=BY, at=NOON)
    commands.approve_cases([moving], return_by=later + timedelta(days=1), by=BY, at=NOON)
    line = AftersaleLine.objects.get(case=back)
    commands.receive_returns({back: [(line.pk, 2, "resellable")]}, by=BY, at=NOON)
    waiting = {one.what: one for one in queries.cases_waiting([shop.pk], at=later)}
    assert {what: one.count for what, one in waiting.items()} == {"answer": 1, "goods": 1, "money": 2}
    assert waiting["goods"].case == overdue and waiting["goods"].due_at == NOON + timedelta(days=14)
    assert waiting["answer"].stake == Decimal("20")
    assert queries.cases_waiting([shop.pk + 1], at=later) == []
    assert queries.stores_of_cases([asked, 10**9]) == [-1, shop.pk]
