"""One process at a time: a lock by name that the database drops when its holder dies, so nobody waits for a dead one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import DatabaseError

from daifa.lib import bulk


@contextmanager
def alone(name: str, thing: int = 0) -> Iterator[bool]:
    """True for one process at a time (for each `thing`, an id), False for those that come meanwhile.

    Outside a transaction.
    """
    got = bulk.fetch("SELECT pg_try_advisory_lock(hashtext(%s), %s)", (name, thing))[0][0]
    try:
        yield got
    finally:
        if got:
            try:
                bulk.execute("SELECT pg_advisory_unlock(hashtext(%s), %s)", (name, thing))
            except (DatabaseError, psycopg.Error):
                pass  # the connection is gone, and the lock with it
