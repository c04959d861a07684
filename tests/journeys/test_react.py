"""What is owed is done once: bad things are found and parked, two workers share the work, a killed one loses none."""

import threading
from datetime import timedelta

import pytest
from django.db import connections

from daifa.domain.history import commands as history
from daifa.domain.history.models import PendingReaction
from daifa.domain.stores.models import Task
from daifa.flows import react as engine
from daifa.flows import reactions
from daifa.flows.react import react
from tests import cast

AT = cast.MORNING


@pytest.fixture
def wire(monkeypatch):
    """Put functions in place of what the fact `orders_to_route` wires."""

    def wire(*runs):
        made = []
        for run in runs:
            reaction = reactions.Reaction(f"nowhere:{run.__name__}", "record")
            made.append(reaction)
        by_name = {reaction.name: reaction for reaction in made}
        functions = {run.__name__: run for run in runs}
        monkeypatch.setattr(reactions.Reaction, "load", lambda self: functions[self.name])
        monkeypatch.setattr(engine, "by_name", lambda: by_name)
        monkeypatch.setattr(history, "_wired", lambda: {"orders_to_route": list(by_name)})

    return wire


def note_in_tasks(kind):
    """A set-based reaction whose work can be seen: one task a thing."""

    def note(things, *, at, by):
        from daifa.domain.stores.commands import NewTask, open_tasks

        if 666 in things:
            raise ValueError("The number of the beast cannot be worked on.")
        assert open_tasks([NewTask(kind=kind, thing_kind="t", thing=thing) for thing in things], at=at) == len(things)
        return {}

    note.__name__ = kind
    return note


@pytest.mark.django_db
def test_one_bad_thing_among_a_thousand(wire):
    wire(note_in_tasks("noted"))
    history.record_facts("orders_to_route", list(range(1, 1001)), at=AT)
    react(at=AT)
    assert Task.objects.filter(kind="noted").count() == 999
    left = PendingReaction.objects.get()
    assert (left.things, left.state, left.attempts) == ([666], "pending", 1)
    assert left.not_before > AT and "beast" in left.reason
    assert react(at=AT) == 0, "not before its time"
    react(at=AT + timedelta(hours=1))
    assert PendingReaction.objects.get().attempts == 2
    react(at=AT + timedelta(hours=2))
    parked = PendingReaction.objects.get()
    assert (parked.things, parked.state) == ([666], "parked") and "beast" in parked.reason
    task = Task.objects.get(kind="reaction_parked")
    assert (task.thing, task.params["reaction"]) == (666, "noted") and "beast" in task.params["reason"]
    react(at=AT + timedelta(days=1))
    assert PendingReaction.objects.get().state == "parked", "it waits for a person"
    assert Task.objects.filter(kind="noted").count() == 999


@pytest.mark.django_db
def test_a_parked_thing_tried_again_is_done(wire):
    wire(note_in_tasks("noted"))
    history.keep_pending("noted", {7: "was broken"}, state="parked", at=AT)
    assert history.retry_parked([PendingReaction.objects.get().pk]) == 1
    react(at=AT)
    assert Task.objects.filter(kind="noted", thing=7).exists() and not PendingReaction.objects.exists()


@pytest.mark.django_db
def test_a_bad_thing_in_one_reaction_does_not_hold_up_another(wire):
    wire(note_in_tasks("first"), note_in_tasks("second"))
    history.record_facts("orders_to_route", [666, 1], at=AT)
    history.record_facts("orders_to_route", [2], at=AT)
    react(at=AT)
    for kind in ("first", "second"):
        assert set(Task.objects.filter(kind=kind).values_list("thing", flat=True)) == {1, 2}


@pytest.mark.django_db
@pytest.mark.parametrize("error", [RuntimeError("odd"), AssertionError("odd"), KeyError("odd"), UnicodeError("odd")])
def test_whatever_a_reaction_raises_it_is_only_its_thing_that_waits(wire, error):
    def odd(things, *, at, by):
        if 3 in things:
            raise error
        return {}

    wire(odd)
    history.record_facts("orders_to_route", [1, 2, 3, 4], at=AT)
    react(at=AT)
    assert PendingReaction.objects.get().things == [3]


@pytest.mark.django_db
def test_what_is_not_wanted_any_more_is_kept_with_its_reason(wire):
    def picky(things, *, at, by):
        return {thing: "no longer wanted" for thing in things if thing % 2}

    wire(picky)
    history.record_facts("orders_to_route", [1, 2, 3], at=AT)
    react(at=AT)
    kept = dict(PendingReaction.objects.values_list("things__0", "reason"))
    assert kept == {1: "no longer wanted", 3: "no longer wanted"}
    assert set(PendingReaction.objects.values_list("state", flat=True)) == {"suppressed"}


@pytest.mark.django_db
def test_a_reaction_that_is_gone_is_parked(wire):
    wire(note_in_tasks("noted"))
    history.keep_pending("forgotten", {5: ""}, state="pending", at=AT)
    react(at=AT)
    assert PendingReaction.objects.get().state == "parked"


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_do_each_thing_once(wire):
    seen: list[int] = []
    together = threading.Barrier(2)

    def slow(things, *, at, by):
        seen.extend(things)
        with engine.transaction.atomic():
            engine.bulk.fetch("SELECT pg_sleep(0.01)")
        return {}

    wire(slow)
    with engine.transaction.atomic():
        for start in range(0, 4000, 50):
            history.record_facts("orders_to_route", list(range(start, start + 50)), at=AT)
    done: list[int] = []

    def worker():
        try:
            together.wait(10)
            done.append(react(at=AT))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=worker) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(seen) == list(range(4000))
    assert sum(done) == 4000 and not PendingReaction.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_in_the_middle_leaves_what_it_took(wire):
    class Killed(BaseException):
        pass

    died = []

    def mortal(things, *, at, by):
        from daifa.domain.stores.commands import NewTask, open_tasks

        open_tasks([NewTask(kind="noted", thing_kind="t", thing=thing) for thing in things], at=at)
        if not died:
            died.append(1)
            raise Killed
        return {}

    wire(mortal)
    history.record_facts("orders_to_route", [1, 2, 3], at=AT)
    with pytest.raises(Killed):
        react(at=AT)
    assert not Task.objects.exists(), "nothing of it was kept"
    react(at=AT)
    assert Task.objects.count() == 3 and not PendingReaction.objects.exists()
