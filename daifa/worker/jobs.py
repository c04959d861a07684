"""Jobs: three lines each, a door that calls one flow with the present moment.

Arguments hold ids only: a failing job is logged with its arguments. Every job may run twice (the engine promises at
least once); the flows lock their rows and look again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import close_old_connections
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from daifa.lib import clock


def job(name: str, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A task that leaves no dead connection behind."""

    def made(function: Callable[..., Any]) -> Any:
        def run(*args: Any, timestamp: int = 0, **kwargs: Any) -> None:  # the schedule passes the tick's timestamp
            close_old_connections()
            try:
                function(*args, **kwargs)
            finally:
                close_old_connections()

        return app.task(name=f"daifa.{name}", **options)(functools.update_wrapper(run, function))

    return made


@job("react", queueing_lock="react", retry=RetryStrategy(max_attempts=3, wait=10))
def react() -> None:
    from daifa.flows.react import react as run

    run(at=clock.now())


@job("submit_purchases", queueing_lock="submit_purchases")
def submit_purchases() -> None:
    from daifa.domain.stores.commands import hold_lease
    from daifa.flows import place_purchases

    hold_lease(at=clock.now())
    place_purchases.submit_purchases(at=clock.now())


@job("send_runs", queueing_lock="send_runs")
def send_runs() -> None:
    from daifa.flows import place_purchases

    place_purchases.fix_runs(at=clock.now(), by="job:send_runs", delivery="mail")
    place_purchases.send_runs(at=clock.now())


@job("ask_suppliers", queueing_lock="ask_suppliers")
def ask_suppliers() -> None:
    from daifa.flows import read_replies

    read_replies.ask_suppliers(at=clock.now())


@job("track_parcels", queueing_lock="track_parcels")
def track_parcels() -> None:
    from daifa.flows import track_parcels as flow

    flow.poll_tracking(at=clock.now())
    flow.watch_parcels(at=clock.now())


@job("send_messages", queueing_lock="send_messages")
def send_messages() -> None:
    from daifa.flows import tell_customers

    tell_customers.send_messages(at=clock.now(), by="job:send_messages")


@job("read_file", queue="imports", retry=RetryStrategy(max_attempts=3, wait=5))
def read_file(import_id: int) -> None:
    from daifa.flows import intake

    intake.read_file(import_id, by=f"import:{import_id}", at=clock.now())


@job("read_photos", queueing_lock="read_photos")
def read_photos() -> None:
    from daifa.flows import check_complaints, check_parcels

    check_parcels.read_photos(at=clock.now())
    check_complaints.note_checked(at=clock.now())


@job("gather_packs", queueing_lock="gather_packs")
def gather_packs() -> None:
    from daifa.flows import gather_evidence

    gather_evidence.gather_waiting(at=clock.now())


@job("find_risks", queueing_lock="find_risks")
def find_risks() -> None:
    from daifa.flows import find_risks as flow

    flow.find_risks(at=clock.now())


@job("watch_cases", queueing_lock="watch_cases")
def watch_cases() -> None:
    from daifa.domain.cases import commands

    commands.watch_cases(by="job:watch_cases", at=clock.now())


@job("sample_factories", queueing_lock="sample_factories")
def sample_factories() -> None:
    from daifa.flows.sample_shop.living import answer_sample_runs

    answer_sample_runs(at=clock.now())


@job("keep_retention", queueing_lock="keep_retention")
def keep_retention() -> None:
    from daifa.flows import privacy

    privacy.keep_retention(at=clock.now())


@job("list_words", queueing_lock="list_words")
def list_words() -> None:
    from daifa.flows import shred_places

    ends = clock.now() + timedelta(minutes=30)
    shred_places.list_words(at=clock.now(), until=lambda: clock.now() >= ends)


@job("keep_clocks", queueing_lock="keep_clocks")
def keep_clocks() -> None:
    from daifa.flows import keep_clocks as flow

    flow.keep_clocks(at=clock.now())


@job("chase_suppliers", queueing_lock="chase_suppliers")
def chase_suppliers() -> None:
    from daifa.flows import chase_suppliers as flow

    flow.chase_suppliers(at=clock.now())


@job("keep_metrics", queueing_lock="keep_metrics")
def keep_metrics() -> None:
    from daifa.flows import keep_clocks as flow

    flow.keep_metrics(at=clock.now())


@job("keep_closings", queueing_lock="keep_closings")
def keep_closings() -> None:
    from daifa.flows import close_store, platform_side

    close_store.sweep(at=clock.now())
    if platform_side.is_on():  # training: the desk reads its post and takes down in its quiet hour
        platform_side.take_in(at=clock.now())
        platform_side.sweep(at=clock.now())


@job("do_asked_steps", queueing_lock="do_asked_steps")
def do_asked_steps() -> None:
    from daifa.flows import close_store

    close_store.do_asked(at=clock.now())


@job("keep_standings", queueing_lock="keep_standings")
def keep_standings() -> None:
    from daifa.flows import close_store

    close_store.keep_standings(at=clock.now())


@job("tidy", queueing_lock="tidy")
def tidy() -> None:
    from daifa.worker import keeping

    keeping.tidy(at=clock.now())


@job("measure_months", queueing_lock="measure_months")
def measure_months() -> None:
    from daifa.flows import measure_months as flow

    flow.measure_months(at=clock.now())


@job("watch_rules", queueing_lock="watch_rules")
def watch_rules() -> None:
    from daifa.flows import publish_listings, screen_texts, watch_rules

    watch_rules.watch_rules(at=clock.now())
    screen_texts.screen_texts(at=clock.now())
    publish_listings.judge_again(at=clock.now())
    publish_listings.watch_listings(at=clock.now())


@job("send_listings", queueing_lock="send_listings")
def send_listings() -> None:
    from daifa.flows import publish_listings

    publish_listings.send_listings(at=clock.now())
