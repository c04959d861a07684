"""Runs docs/rules/replies.md, and what must hold for whatever a supplier writes."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daifa.domain.purchasing.answers import LineState, apply_answer, apply_shipment
from tests.worked_tables import stories

STORIES = stories("replies.md")


def line_of(quantity: int, cancelled: int = 0) -> LineState:
    return LineState(1, 1, 1, 1, "F-MUG", 1, quantity, 0, 0, cancelled, 0, 0)


def apply(line: LineState, accepted, refused, numbers, shipped):
    finding = apply_answer(line, accepted=accepted, refused=refused, reason="")
    parts = []
    if numbers:
        parts, over = apply_shipment(line, numbers=numbers, shipped=shipped)
        finding = finding or over
    return parts, finding


@pytest.mark.parametrize("story", STORIES, ids=[story.title for story in STORIES])
def test_the_stories_of_the_page(story):
    rows = story.tables["row"]
    quantity = int(rows[0]["line after"].split("/")[0])
    line = line_of(quantity, 1 if story.said("(One unit was cancelled)", "") else 0)
    for row in rows:
        accepted, shipped = (int(row[name]) if row[name] else None for name in ("accepted", "shipped"))
        parts, finding = apply(line, accepted, row["refused"] == "yes", tuple(row["numbers"].split()), shipped)
        where = f"row {row['row']}"
        after = [line.quantity, line.accepted, line.rejected, line.shipped]
        assert after == [int(cell) for cell in row["line after"].split("/")], where
        assert ", ".join(f"{number} {units}" for number, units in parts) == row["parcels"], where
        assert (finding.code if finding else "") == row["finding"], where
        if finding:
            assert finding.message % finding.params


numbers = st.lists(st.sampled_from(["YT1", "YT2", "YT3"]), unique=True, max_size=3).map(tuple)
said = st.tuples(st.none() | st.integers(0, 12), st.booleans(), numbers, st.none() | st.integers(0, 12))


@given(st.integers(1, 9), st.integers(0, 2), st.lists(said, max_size=8))
@settings(max_examples=300, deadline=None)
def test_whatever_is_said_the_counters_stay_possible(quantity, cancelled, rows):
    line = line_of(quantity, min(cancelled, quantity))
    held: dict[str, int] = {}
    for row in rows:
        before = (line.accepted, line.rejected, line.shipped)
        parts, _ = apply(line, *row)
        assert min(line.accepted, line.rejected, line.shipped, line.unanswered) >= 0
        assert line.shipped <= line.accepted <= line.quantity - line.cancelled - line.rejected
        assert all(after >= old for after, old in zip((line.accepted, line.rejected, line.shipped), before, strict=True))
        assert all(units >= 0 for _, units in parts)
        for number, units in parts:
            held[number] = held.get(number, 0) + units
    assert sum(held.values()) == line.shipped
    assert (line.new_accepted, line.new_rejected, line.new_shipped) == (line.accepted, line.rejected, line.shipped)


@given(st.integers(1, 9), st.data())
@settings(max_examples=200, deadline=None)
def test_a_truthful_answer_in_any_order_and_repeated_ends_the_same(quantity, data):
    """The supplier accepts some, ships all of it in up to three parcels, and says each of it one to three times."""
    accepted = data.draw(st.integers(1, quantity))
    cuts = sorted(data.draw(st.lists(st.integers(1, accepted), max_size=2, unique=True)))
    bounds = [0, *[cut for cut in cuts if cut < accepted], accepted]
    told = [(accepted, False, (), None)]
    told += [
        (accepted, False, (f"YT{n}",), right - left) for n, (left, right) in enumerate(pairwise(bounds))
    ]
    rows = [row for row in told for _ in range(data.draw(st.integers(1, 3)))]
    line = line_of(quantity)
    for row in data.draw(st.permutations(rows)):
        _, finding = apply(line, *row)
        assert finding is None
    assert (line.accepted, line.rejected, line.shipped) == (accepted, quantity - accepted, accepted)
    assert line.parcels == {numbers[0]: shipped for _, _, numbers, shipped in told if numbers}
