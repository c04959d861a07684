"""Runs docs/rules/chasing.md."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daifa.domain.purchasing.rules import AGAIN_AFTER, MOST_REMINDERS, STEPS, Waiting, next_step
from tests.worked_tables import stories

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ROWS = [(story.title, row) for story in stories("chasing.md") for row in story.tables["placed"]]


def hours(text: str, sign: int = 1) -> datetime | None:
    return NOW + sign * timedelta(hours=int(text)) if text else None


@pytest.mark.parametrize(("title", "row"), ROWS, ids=[f"{title} {number}" for number, (title, _) in enumerate(ROWS)])
def test_the_tables_of_the_page(title, row):
    waiting = Waiting(
        hours(row["placed"], -1), hours(row["promise"]), hours(row["due"]), int(row["letters"]), hours(row["last"], -1)
    )
    assert next_step(waiting, at=NOW, before=timedelta(hours=int(row["lead"]))) == row["step"]


moments = st.none() | st.integers(-200, 200).map(lambda n: NOW + timedelta(hours=n))


@given(moments, moments, st.integers(1, 48))
def test_a_supplier_who_says_nothing_gets_three_letters_and_then_a_call(promised, due, lead):
    """Followed hour by hour for three weeks: never two letters of one step within a day, three in all, then silence."""
    placed = NOW - timedelta(days=10)
    sent: list[tuple[datetime, str]] = []
    silent = None
    for hour in range(24 * 21):
        at = NOW + timedelta(hours=hour - 24 * 10)
        step = next_step(
            Waiting(placed, promised, due, len(sent), sent[-1][0] if sent else None), at=at, before=timedelta(hours=lead)
        )
        if step == "silent":
            silent = silent or at
        elif step:
            assert silent is None
            assert not sent or sent[-1][1] != step or at - sent[-1][0] >= AGAIN_AFTER
            sent.append((at, step))
    assert len(sent) <= MOST_REMINDERS and {step for _, step in sent} <= set(STEPS)
    if promised is None and due is None:
        assert not sent
    if silent:
        assert len(sent) == MOST_REMINDERS and silent - sent[-1][0] >= AGAIN_AFTER
