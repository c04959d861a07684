"""Waking a worker when a reaction is owed. Called after the commit that owes it."""

from __future__ import annotations

import logging

from django.db import Error as DatabaseError

from daifa.lib import bulk, clock

log = logging.getLogger(__name__)


def wake() -> None:
    """Queue `react` unless it waits already. Nothing where the clock is moved: that process does the work itself.

    After the commit, not in it: a job that starts before our commit would not see our rows. If we die in between, the
    sweep of the schedule finds them.
    """
    if clock.is_moved():
        return
    try:
        waits = bulk.fetch("SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = 'react' AND status = 'todo' LIMIT 1")
        if waits:
            return
        from procrastinate.exceptions import AlreadyEnqueued

        from daifa.worker.jobs import react

        try:
            react.defer()
        except AlreadyEnqueued:
            return
    except DatabaseError:
        log.warning("The worker could not be woken; the next sweep will find what is owed.")


def read_file(import_id: int) -> None:
    """Queue the reading of an uploaded file."""
    from daifa.worker.jobs import read_file as job

    job.defer(import_id=import_id)
