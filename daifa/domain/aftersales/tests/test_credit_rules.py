"""Runs docs/rules/credits.md, and what must hold for every credit note."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daifa.domain.aftersales.rules import SoldLine, match_credit
from tests.worked_tables import stories

STORIES = stories("credits.md")


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("story", STORIES, ids=[story.title for story in STORIES])
def test_the_stories_of_the_page(story):
    sold = [
        SoldLine(int(r["sold"]), 1, r["sku"], Decimal(r["price"]), day(r["placed"]), int(r["left"]))
        for r in story.tables["sold"]
    ]
    for row in story.tables["credit"]:
        matches, units, money = match_credit(
            row["sku"], Decimal(row["price"]), int(row["quantity"]), Decimal(row["amount"]), day(row["at"]), sold
        )
        told = ", ".join(f"{m.quantity} of {m.line} for {m.amount.normalize():f}" for m in matches)
        expected = ", ".join(
            f"{part.split(' for ')[0]} for {Decimal(part.split(' for ')[1]).normalize():f}"
            for part in row["matches"].split(", ")
            if part
        )
        assert (told, units, money) == (expected, int(row["units over"]), Decimal(row["money over"]))


START = day("2026-03-01")
sold_lines = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.sampled_from(["1.00", "3.33"]), st.integers(0, 9), st.integers(0, 5)), max_size=6
)
credits = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.sampled_from(["1.00", "3.33"]), st.integers(1, 9), st.integers(0, 9)), max_size=5
)


@given(sold_lines, credits)
@settings(max_examples=200, deadline=None)
def test_units_and_money_are_neither_lost_nor_given_twice(lines, notes):
    sold = [
        SoldLine(n, n, sku, Decimal(price), START + timedelta(days=age), left) for n, (sku, price, age, left) in enumerate(lines)
    ]
    sold.sort(key=lambda line: line.placed_at, reverse=True)
    had = {line.line: line.left for line in sold}
    given_back = dict.fromkeys(had, 0)
    for sku, price, quantity, age in notes:
        at, amount = START + timedelta(days=age), Decimal(price) * quantity
        matches, units, money = match_credit(sku, Decimal(price), quantity, amount, at, sold)
        assert sum(m.quantity for m in matches) + units == quantity
        assert sum((m.amount for m in matches), Decimal(0)) + money == amount
        assert (units == 0) == (money == 0)
        for match in matches:
            line = next(line for line in sold if line.line == match.line)
            assert (line.sku, line.unit_price) == (sku, Decimal(price)) and line.placed_at <= at
            given_back[match.line] += match.quantity
    assert all(given_back[line] <= had[line] for line in had)
