"""Chance that is always the same: every choice of the sample shop is a hash of a fixed seed and a name.

So the same order has the same recipient, the same factory answer and the same journey in every run, whatever else is
loaded beside it and in whichever order.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

SEED = "daifa sample shop 1"
T = TypeVar("T")


def number(*names: object) -> int:
    """A 64-bit number for these names."""
    text = "\x1f".join((SEED, *map(str, names)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def share(*names: object) -> float:
    """A number from 0 up to, not including, 1."""
    return (number(*names) >> 11) / (1 << 53)


def choice(options: Sequence[T], *names: object) -> T:
    return options[number(*names) % len(options)]


def between(low: int, high: int, *names: object) -> int:
    """A whole number from `low` to `high`, both included."""
    return low + number(*names) % (high - low + 1)


def digits(count: int, *names: object) -> str:
    return str(number(*names) % 10**count).zfill(count)
