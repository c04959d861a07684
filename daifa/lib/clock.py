"""Time is an input. Doors ask `now()` once and pass it on as `at`; nothing below a door looks at the clock.

A replay moves the clock for one process with `moved_to`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_moved: ContextVar[datetime | None] = ContextVar("daifa_clock", default=None)


def now() -> datetime:
    """The present moment, aware, in UTC; the moved one inside `moved_to`."""
    return _moved.get() or datetime.now(UTC)


def is_moved() -> bool:
    return _moved.get() is not None


@contextmanager
def moved_to(at: datetime) -> Iterator[None]:
    """Within the block `now()` is `at` (aware)."""
    if at.tzinfo is None:
        raise ValueError("A moved clock needs a time with its zone.")
    token = _moved.set(at)
    try:
        yield
    finally:
        _moved.reset(token)
