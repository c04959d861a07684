"""Our purchase references, when a supplier should have shipped, and when he is reminded. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import NamedTuple

_REFERENCE = re.compile(r"\b([A-Z2-9]{4})-?(\d{6,12})-?([0-9X])\b")


def reference(code: str, number: int) -> str:
    """`K7VB-000123-7`: the installation's code, a number, a check digit (ISO 7064 MOD 11-2 over the number).

    The dashes keep spreadsheets from taking it for a number; the check digit catches a slip of the hand.
    """
    digits = f"{number:06d}"
    return f"{code}-{digits}-{_check(digits)}"


def find_reference(text: str) -> str:
    """The reference standing in `text` (case, spaces and missing dashes forgiven), or "" if none checks out."""
    match = _REFERENCE.search(text.upper().replace(" ", ""))
    if match and _check(match[2]) == match[3]:
        return f"{match[1]}-{match[2]}-{match[3]}"
    return ""


def _check(digits: str) -> str:
    total = 0
    for digit in digits:
        total = (total + int(digit)) * 2 % 11
    rest = (12 - total) % 11
    return "X" if rest == 10 else str(rest)


def ship_due(placed_at: datetime, handling_days: int) -> datetime:
    """When the supplier should have shipped: so many working days (Monday to Friday) later, same hour."""
    due = placed_at
    left = handling_days
    while left > 0:
        due += timedelta(days=1)
        if due.weekday() < 5:
            left -= 1
    return due


# --- Reminding suppliers --------------------------------------------------------------------------------------------

STEPS = ("soon", "promise", "late")
"""Why a supplier is reminded, the most pressing last: the order's time runs out soon; he promised to have shipped by
now; the order's time has run out."""
AGAIN_AFTER = timedelta(hours=24)
MOST_REMINDERS = 3
FIRST_AFTER = timedelta(hours=2)
"""A purchase so fresh is not asked for: he may just be packing it."""


class Waiting(NamedTuple):
    """A placed purchase that is not shipped whole. `due_at`: its order's tightest time for dispatch, None = it has none;
    `promised_at`: the supplier's; `reminded` so many times, last at `last_at`."""

    placed_at: datetime
    promised_at: datetime | None
    due_at: datetime | None
    reminded: int = 0
    last_at: datetime | None = None


def next_step(waiting: Waiting, *, at: datetime, before: timedelta = timedelta(hours=12)) -> str:
    """The reminder that is due now: of `STEPS`, "" = none, "silent" = he was asked often enough, a person is needed.

    Explained with worked tables in docs/rules/chasing.md.
    """
    if at - waiting.placed_at < FIRST_AFTER:
        return ""
    last = waiting.last_at
    if waiting.reminded >= MOST_REMINDERS:
        return "silent" if last is None or at - last >= AGAIN_AFTER else ""
    if waiting.due_at is not None and at >= waiting.due_at:
        step, since = "late", waiting.due_at
    elif waiting.promised_at is not None and at >= waiting.promised_at:
        step, since = "promise", waiting.promised_at
    elif waiting.due_at is not None and at >= waiting.due_at - before:
        step, since = "soon", waiting.due_at - before
    else:
        return ""
    # What has happened since the last letter is said at once; the same again only a day later.
    return step if last is None or last < since or at - last >= AGAIN_AFTER else ""

