"""One clock at a time: a moved clock and live workers exclude each other, through the database both work on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
