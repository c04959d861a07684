"""Which order lines a credit note gives back. Pure; worked rows in docs/rules/credits.md.

A credit line belongs to lines of the same customer with the same SKU and unit price, bought before it, newest first;
its quantity is split over as many as it takes. What is left over matches nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from daifa.lib.money import STORED

# Buyers send goods back within a fortnight once it is agreed (distance selling, EU and UK), unless another day is named.
RETURN_TIME = timedelta(days=14)


@dataclass(slots=True)
class SoldLine:
    """A line that may be given back: `left` units not refunded yet."""

    line: int
    order: int
    sku: str
    unit_price: Decimal
    placed_at: datetime
    left: int


class Match(NamedTuple):
    line: int
    order: int
    quantity: int
    amount: Decimal


def match_credit(
    sku: str, unit_price: Decimal, quantity: int, amount: Decimal, at: datetime, sold: Sequence[SoldLine]
) -> tuple[list[Match], int, Decimal]:
    """(matches, units left over, money left over). `sold` is newest first and gets its `left` lowered."""
    matches: list[Match] = []
    left, money = quantity, amount
    for line in sold:
        if left == 0:
            break
        if line.sku != sku or line.unit_price != unit_price or line.left <= 0 or line.placed_at > at:
            continue
        units = min(left, line.left)
        part = money if units == left else (amount * units / quantity).quantize(STORED)
        matches.append(Match(line.line, line.order, units, part))
        line.left -= units
        left -= units
        money -= part
    return matches, left, money
