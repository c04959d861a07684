"""Moving things: the table is kept, what was elsewhere is reported, each move leaves one transition; races lose nothing."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection, connections, transaction

from daifa.domain.history import commands as history
from daifa.domain.history.models import Batch, Transition
from daifa.domain.orders.models import Order
from daifa.domain.purchasing.models import PurchaseOrder
from daifa.domain.purchasing.process import PURCHASE_ORDER
from tests import bought_orders

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def purchases(count: int, state: str = "ready") -> list[int]:
    order = bought_orders.order(bought_orders.store(), [("goods", 1, "10.00")])
    with transaction.atomic():
        made = [bought_orders.purchase(order, [(1, 1, "1.00", "0")]).pk for _ in range(count)]
    PurchaseOrder.objects.filter(pk__in=made).update(state=state)
    return made


def moves_of(thing: int) -> list[tuple[str, str]]:
    rows = Transition.objects.filter(kind=PURCHASE_ORDER.kind, thing=thing).values_list("state_from", "state_to")
    return list(rows)


@pytest.mark.django_db
def test_what_may_go_goes_and_the_rest_is_reported():
    ready, placed, cancelled = purchases(3)
    PurchaseOrder.objects.filter(pk=placed).update(state="placed")
    PurchaseOrder.objects.filter(pk=cancelled).update(state="cancelled")
    moved = history.move(PURCHASE_ORDER, [cancelled, ready, placed, 10**9], to="submitting", by="user:1", at=AT, reason="why")
    assert moved.moved == [ready]
    assert moved.others == {placed: "placed", cancelled: "cancelled", 10**9: ""}
    assert moves_of(ready) == [("ready", "submitting")] and not moves_of(placed) and not moves_of(cancelled)
    batch = Batch.objects.get(pk=Transition.objects.get(thing=ready, kind=PURCHASE_ORDER.kind).batch_id)
    assert (batch.by, batch.at, batch.reason) == ("user:1", AT, "why")


@pytest.mark.django_db
def test_moving_twice_moves_once():
    (ready,) = purchases(1)
    assert history.move(PURCHASE_ORDER, [ready, ready], to="submitting", by="t", at=AT).moved == [ready]
    assert history.move(PURCHASE_ORDER, [ready], to="submitting", by="t", at=AT).others == {ready: "submitting"}
    assert len(moves_of(ready)) == 1


@pytest.mark.django_db
def test_a_state_nobody_may_enter_takes_nobody():
    (ready,) = purchases(1)
    assert history.move(PURCHASE_ORDER, [ready], to="draft", by="t", at=AT).others == {ready: "ready"}
    assert history.move(PURCHASE_ORDER, [], to="placed", by="t", at=AT).moved == []


@pytest.mark.django_db
def test_the_time_of_a_move_is_kept_where_it_is_asked_for():
    submitting, ready = purchases(2)
    PurchaseOrder.objects.filter(pk=submitting).update(state="submitting")
    history.move(PURCHASE_ORDER, [submitting, ready], to="placed", by="t", at=AT, set_at="placed_at")
    assert dict(PurchaseOrder.objects.values_list("pk", "placed_at")) == {submitting: AT, ready: None}


@pytest.mark.django_db
def test_births_only_where_the_process_begins():
    with pytest.raises(ValueError, match="No purchase_order begins as placed"):
        history.record_births(PURCHASE_ORDER, [1], "placed", by="t", at=AT)
    history.record_births(PURCHASE_ORDER, [7, 8], "ready", by="t", at=AT, reason="because")
    assert moves_of(7) == moves_of(8) == [("", "ready")]
    assert Batch.objects.filter(by="t", reason="because").count() == 1


@pytest.mark.django_db
def test_an_unknown_fact_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="No such fact: dreams_came_true"):
        history.record_facts("dreams_came_true", [1], at=AT)


# --- On purpose ---------------------------------------------------------------------------------------------------


def in_threads(*jobs) -> None:
    """Run jobs at once, each on a connection of its own; the first error is raised."""
    failed: list[BaseException] = []

    def run(job):
        try:
            job()
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
    if failed:
        raise failed[0]


@pytest.mark.django_db(transaction=True)
def test_two_batches_in_opposite_order_neither_deadlock_nor_lose_anything():
    ids = purchases(200)
    gate, moved = threading.Barrier(2), {}

    def mover(name, mine):
        def job():
            gate.wait(10)
            for _ in range(3):  # the second and third find everything moved
                got = history.retried(lambda: history.move(PURCHASE_ORDER, mine, to="submitting", by=name, at=AT))
                moved.setdefault(name, []).append(got)

        return job

    in_threads(mover("up", ids), mover("down", list(reversed(ids))))
    first = [thing for tries in moved.values() for got in tries for thing in got.moved]
    assert sorted(first) == ids, "each moved exactly once"
    for tries in moved.values():
        assert all(len(got.moved) + len(got.others) == len(ids) for got in tries)
    assert Transition.objects.filter(kind=PURCHASE_ORDER.kind, state_to="submitting").count() == len(ids)


@pytest.mark.django_db(transaction=True)
def test_rivals_for_different_states_take_each_thing_once():
    ids = purchases(120)
    gate = threading.Barrier(2)
    won: dict[str, list[int]] = {}

    def mover(to, mine):
        def job():
            gate.wait(10)
            for start in range(0, len(mine), 10):
                part = mine[start : start + 10]
                got = history.retried(lambda part=part: history.move(PURCHASE_ORDER, part, to=to, by=to, at=AT))
                won.setdefault(to, []).extend(got.moved)
                assert set(got.others.values()) <= {"submitting", "cancelled"}

        return job

    in_threads(mover("submitting", ids), mover("cancelled", list(reversed(ids))))
    assert sorted(won.get("submitting", []) + won.get("cancelled", [])) == ids
    for state, things in won.items():
        assert set(PurchaseOrder.objects.filter(state=state).values_list("pk", flat=True)) == set(things)


@pytest.mark.django_db(transaction=True)
def test_a_deadlock_is_tried_again():
    """Two transactions lock two orders crosswise, past the house's lock order; one is chosen to lose and comes back."""
    shop = bought_orders.store()
    one, two = (bought_orders.order(shop, [("goods", 1, "1.00")]).pk for _ in range(2))
    gate = threading.Barrier(2)
    tries: list[str] = []

    def crossing(name, first, second):
        def work():
            tries.append(name)
            time.sleep(0.1 * (tries.count(name) - 1))  # whoever won goes first
            Order.objects.filter(pk=first).update(note=name)
            if tries.count(name) == 1:
                gate.wait(10)
            Order.objects.filter(pk=second).update(note=name)

        return lambda: history.retried(work)

    in_threads(crossing("a", one, two), crossing("b", two, one))
    assert sorted(set(tries)) == ["a", "b"] and len(tries) == 3, "one of them was tried twice"


@pytest.mark.django_db(transaction=True)
def test_three_tries_are_enough():
    tries = []

    def work():
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$")

    with pytest.raises(OperationalError):
        history.retried(work)
    assert len(tries) == history.TRIES


@pytest.mark.django_db(transaction=True)
def test_what_failed_half_way_left_nothing():
    (ready,) = purchases(1)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        history.move(PURCHASE_ORDER, [ready], to="submitting", by="t", at=AT + timedelta(hours=1))
        history.record_facts("fulfilment_released", [1], at=AT)
        1 / 0  # noqa: B018
    assert PurchaseOrder.objects.get(pk=ready).state == "ready" and not moves_of(ready)
    assert history.take_due(at=AT + timedelta(days=1), limit=10) == ([], True)
