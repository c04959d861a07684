"""One clock at a time: a moved clock and live workers exclude each other, through the database both work on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.utils.translation import gettext as _

from daifa.lib import bulk
from daifa.lib.refusal import Refused

_LOCK = 7300  # session advisory lock: workers share it, a moved clock holds it alone


@contextmanager
def live_clock() -> Iterator[None]:
    """Held by a worker for its life. Raises `Refused` while a replay runs."""
    if not bulk.fetch("SELECT pg_try_advisory_lock_shared(%s)", (_LOCK,))[0][0]:
        raise Refused(
            _("A replay with a moved clock is running on this database. Start the worker when it has ended."),
            code="clock_moved",
        )
    try:
        yield
    finally:
        bulk.fetch("SELECT pg_advisory_unlock_shared(%s)", (_LOCK,))


@contextmanager
def moved_clock() -> Iterator[None]:
    """Held by whoever works at another time than now. Raises `Refused` while a worker lives."""
    if not bulk.fetch("SELECT pg_try_advisory_lock(%s)", (_LOCK,))[0][0]:
        raise Refused(
            _("A worker is running on this database. Stop it first: it would work at the present time."),
            code="worker_alive",
        )
    try:
        yield
    finally:
        bulk.fetch("SELECT pg_advisory_unlock(%s)", (_LOCK,))


@contextmanager
def unhurried_commits() -> Iterator[None]:
    """Commits do not wait for the disk, where every store is of the sample shop; elsewhere they do.

    After a power cut the last moments may be missing, whole transactions at a time. That is harmless only where nobody
    outside was told anything: so never with a real store.
    """
    ((real,),) = bulk.fetch("SELECT EXISTS (SELECT FROM stores_store WHERE NOT is_sample)")
    if real or connection.in_atomic_block:
        yield
        return
    bulk.execute("SET synchronous_commit = off")
    try:
        yield
    finally:
        bulk.execute("RESET synchronous_commit")
