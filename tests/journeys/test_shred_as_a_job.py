"""Shredding a closing store is asked for on a page and done by the worker: it says how far it is, and survives a kill."""

import signal
import subprocess
import sys
import time

import psycopg
import pytest
from django.urls import reverse

from daifa.domain.closing import commands
from daifa.domain.closing.models import ClosingStep, StepEvidence
from daifa.domain.orders.models import AddressVersion
from daifa.domain.people.models import User
from daifa.domain.privacy.commands import Kept, set_retention
from daifa.domain.privacy.places import CLASSES
from daifa.domain.stores.models import Task
from daifa.flows import close_store, privacy
from daifa.flows.audit import audit
from daifa.flows.close_store import Given
from daifa.flows.work import work_until_idle
from daifa.lib.refusal import Refused
from daifa.lib.sentences import told
from tests.closing_shop import BY, open_story
from tests.journeys.test_kill import ROOT, apart, run  # noqa: F401


def closing_of(numbers):
    """A store whose closing has come to the shredding."""
    story = open_story(numbers)
    kept = [Kept(data, 0, None, "our adviser", story.store.pk) for data in CLASSES if data != "backups"]
    set_retention(kept, by=BY, at=story.at)
    story.closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="Change of plan", by=BY, at=story.at)
    ClosingStep.objects.filter(closing=story.closing).exclude(code__in=("shred", "books_locked", "archive")).update(state="done")
    return story


def names():
    return AddressVersion.objects.exclude(name__startswith="erased:").count()


@pytest.mark.django_db
def test_it_is_asked_for_and_ends_by_itself(client, monkeypatch):
    story = closing_of(["1001", "1002", "1003"])
    monkeypatch.setattr(privacy, "AT_ONCE", 1)
    root = User.objects.create_superuser("root")
    client.force_login(root)
    step = story.step("shred")
    here, progress = (reverse(f"web:{name}", args=[step.pk]) for name in ("closing_step", "closing_step_progress"))
    answer = client.post(here, follow=True)
    page = answer.content.decode()
    assert answer.redirect_chain[-1][0] == here and "the worker does it" in page and progress in page and "It ends by itself" in page
    assert "Do this step" not in page
    assert (names(), story.state("shred")) == (3, "waiting"), "nobody waited for it"
    assert "the worker begins in a moment" in client.get(reverse("web:closing", args=[story.closing.pk])).content.decode()
    asked = story.step("shred")
    assert close_store.ask_step(step.pk, Given(note="once more"), by="user:99", at=story.at) is None
    assert (story.step("shred").asked_at, story.step("shred").asked_by) == (asked.asked_at, f"user:{root.pk}")
    seen = []
    count = commands.count_parts
    monkeypatch.setattr(commands, "count_parts", lambda pk, **how: seen.append((how["done"], how["of"])) or count(pk, **how))
    later = asked.asked_at
    assert work_until_idle(at=later)["shredded"] == 1
    assert seen[:4] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    done = story.step("shred")
    assert (done.state, done.done_by, done.asked_at, names()) == ("done", f"user:{root.pk}", None, 0)
    assert StepEvidence.objects.get(step=done, what="done").facts["orders"] == 3
    assert client.get(progress)["HX-Refresh"] == "true"
    assert "shredded" not in work_until_idle(at=later), "once"
    assert {one.code for one in audit()} <= {"history_closing_step"}, "the steps before were skipped by hand"


@pytest.mark.django_db
def test_what_stops_it_is_said_and_it_can_be_asked_for_again(client, monkeypatch):
    story = closing_of(["1001"])
    client.force_login(User.objects.create_superuser("root"))
    step = story.step("shred")
    close_store.ask_step(step.pk, by=BY, at=story.at)
    ClosingStep.objects.filter(closing=story.closing, code="export").update(state="waiting")
    assert close_store.do_asked(at=story.at) == 0
    stopped = story.step("shred")
    assert stopped.asked_at is None and stopped.stopped.startswith("First: ") and names() == 1
    assert stopped.stopped in client.get(reverse("web:closing_step", args=[step.pk])).content.decode()
    assert told(Task.objects.get(kind="closing_step", thing=step.pk, closed_at=None).params["why"]) == stopped.stopped
    ClosingStep.objects.filter(closing=story.closing, code="export").update(state="done")
    close_store.ask_step(step.pk, by=BY, at=story.at)
    assert not Task.objects.filter(kind="closing_step", thing=step.pk, closed_at=None).exists()

    def broken(*args, **how):
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(privacy, "shred_store", broken)
        assert close_store.do_asked(at=story.at) == 0
    assert "tried again" in story.step("shred").stopped and story.step("shred").asked_at
    assert close_store.do_asked(at=story.at) == 1 and story.state("shred") == "done"


@pytest.mark.django_db(transaction=True)
def test_two_at_once_are_one(monkeypatch):
    story = closing_of(["1001"])
    step = story.step("shred")
    shred = privacy.shred_store
    second = []

    def beside(*args, **how):
        from threading import Thread

        from django.db import connection

        def other():
            try:
                close_store.do_step(step.pk, by=BY, at=story.at)
            except Refused as refused:
                second.append(refused.code)
            finally:
                connection.close()

        if not second:
            thread = Thread(target=other)
            thread.start()
            thread.join()
        return shred(*args, **how)

    monkeypatch.setattr(privacy, "shred_store", beside)
    assert close_store.do_step(step.pk, by=BY, at=story.at) is not None
    assert second == ["running"]


@pytest.mark.django_db(transaction=True)
def test_a_planned_shredding_that_meets_another_hand_is_not_put_off():
    from datetime import timedelta

    from django.db import connection

    story = closing_of(["1001"])
    step = story.step("shred")
    ClosingStep.objects.filter(pk=step.pk).update(not_before=story.at - timedelta(minutes=1))
    other = connection.copy()
    with other.cursor() as cursor:  # the command line is at it
        cursor.execute("SELECT pg_advisory_lock(hashtext('daifa.shredding'), %s)", [story.store.pk])
        assert close_store.sweep(at=story.at)["done"] == 0
    other.close()
    waiting = story.step("shred")
    assert waiting.not_before < story.at, "it is asked again at the next sweep, not tomorrow"
    assert not Task.objects.filter(kind="closing_step", thing=step.pk, closed_at=None).exclude(params__why="").exists()
    assert close_store.sweep(at=story.at)["done"] == 1 and story.state("shred") == "done"


ASK = """
import django; django.setup()
from tests.journeys.test_shred_as_a_job import closing_of
from tests.closing_shop import BY
from daifa.flows import close_store
story = closing_of([str(n) for n in range(1000, 1030)])
close_store.ask_step(story.step("shred").pk, by=BY, at=story.at)
"""
WORK = """
import django; django.setup()
from daifa.domain.closing.models import Closing
from daifa.flows import close_store, privacy
from datetime import timedelta
privacy.AT_ONCE = 1
close_store.do_asked(at=Closing.objects.get().started_at + timedelta(hours=1))
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_it_goes_on_and_counts_on(apart):  # noqa: F811
    subprocess.run([sys.executable, "-c", ASK], env=apart, cwd=ROOT, check=True, timeout=90)
    with psycopg.connect(apart["DATABASE_URL"], autocommit=True) as watch:

        def row():
            return watch.execute("SELECT state, parts_done, parts FROM closing_closingstep WHERE code = 'shred'").fetchone()

        def named():
            return watch.execute("SELECT count(*) FROM orders_addressversion WHERE name NOT LIKE 'erased:%'").fetchone()[0]

        for least in (3, 12):
            process = run(apart, "-c", WORK)
            ends = time.monotonic() + 60
            while row()[1] < least:
                assert process.poll() is None and time.monotonic() < ends
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            state, done, of = row()
            assert state == "waiting" and of == 30 and least <= done < 30 and 0 < named() <= 30 - least
        subprocess.run([sys.executable, "-c", WORK], env=apart, cwd=ROOT, check=True, timeout=60)
        assert row() == ("done", 30, 30) and named() == 0
        [orders] = watch.execute("SELECT (facts ->> 'orders')::int FROM closing_stepevidence WHERE what = 'done' AND facts ? 'erased'").fetchone()
        assert orders == 30
        erased = watch.execute("SELECT count(*), count(DISTINCT o) FROM privacy_erasure e, jsonb_array_elements(e.orders -> 'contact') AS o").fetchone()
        assert erased == (30, 30), "no order was erased twice"
