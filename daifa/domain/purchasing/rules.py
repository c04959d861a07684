"""Our purchase references, and when a supplier should have shipped. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

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
