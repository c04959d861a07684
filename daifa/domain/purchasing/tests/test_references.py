"""Our references survive a factory's spreadsheet; promised days skip weekends; the process tables say what may follow."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daifa.domain.purchasing.process import ATTEMPT, PURCHASE_ORDER, PURCHASE_RUN
from daifa.domain.purchasing.rules import find_reference, reference, ship_due


@given(st.text("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", min_size=4, max_size=4), st.integers(0, 10**12 - 1))
def test_a_reference_is_found_however_it_was_typed(code, number):
    made = reference(code, number)
    assert find_reference(made) == made
    for typed in (made.lower(), made.replace("-", ""), f"  {made} ", f"our ref: {made}", made.replace("-", " - ")):
        assert find_reference(typed) == made, typed


@given(st.integers(0, 10**9), st.data())
def test_one_wrong_digit_or_two_swapped_are_noticed(number, data):
    made = reference("K7VB", number)
    digits = made.split("-")[1]
    at = data.draw(st.integers(0, len(digits) - 1))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != digits[at]]))
    assert find_reference(f"K7VB-{digits[:at]}{other}{digits[at + 1 :]}-{made[-1]}") == ""
    if at + 1 < len(digits) and digits[at] != digits[at + 1]:
        swapped = digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :]
        assert find_reference(f"K7VB-{swapped}-{made[-1]}") == ""


@pytest.mark.parametrize("text", ["", "K7VB", "12345678", "K7VB-12-3", "=1+1", "K7VB-000123-0-0-0"])
def test_what_is_none_is_not_made_into_one(text):
    assert find_reference(text) == ""


@pytest.mark.parametrize(
    ("placed", "days", "due"),
    [
        ("2026-03-02 09:30", 0, "2026-03-02 09:30"),
        ("2026-03-02 09:30", 3, "2026-03-05 09:30"),  # Monday → Thursday
        ("2026-03-05 09:30", 2, "2026-03-09 09:30"),  # Thursday → Monday
        ("2026-03-06 18:00", 1, "2026-03-09 18:00"),  # Friday → Monday
        ("2026-03-07 08:00", 1, "2026-03-09 08:00"),  # Saturday → Monday
        ("2026-02-27 08:00", 10, "2026-03-13 08:00"),
    ],
)
def test_promised_days_are_working_days(placed, days, due):
    at, expected = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (placed, due))
    assert ship_due(at, days) == expected


def test_ship_due_never_lies_on_a_weekend():
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for day in range(40):
        for days in range(1, 12):
            assert ship_due(start + timedelta(days=day), days).weekday() < 5


def test_what_is_unknown_is_never_sent_again_before_it_was_asked_for():
    assert "submitting" not in PURCHASE_ORDER.next("unknown")
    assert PURCHASE_ORDER.before("submitting") == ["ready"]
    assert "sending" not in PURCHASE_RUN.next("unknown")
    assert PURCHASE_RUN.before("sending") == ["fixed"]
    for final in ("placed",):
        assert PURCHASE_RUN.is_final(final)
    assert {state for state in ATTEMPT.table if ATTEMPT.is_final(state)} == {"accepted", "refused", "absent"}
