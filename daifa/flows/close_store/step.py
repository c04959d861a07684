"""A step while it is being done: what a person gives with it, what is found out, how it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from daifa.domain.closing import commands, steps
from daifa.domain.closing.models import Closing, ClosingStep
from daifa.domain.stores.models import Store
from daifa.lib.commas import listed

Progress = Callable[[int, int], None]
"""Called with the orders that are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a person gives with a step. `amount` is in the store's currency, `amounts` are by currency; `file` = (name, bytes).

    `handed_in_at`: an appeal that is entered later than it was handed in; that moment is asked whether it was in time.
    """

    note: str = ""
    reference: str = ""
    outcome: str = ""
    amount: Decimal | None = None
    file: tuple[str, bytes] | None = None
    amounts: Mapping[str, Decimal] = field(default_factory=dict)
    handed_in_at: datetime | None = None

    def money(self, home: str) -> dict[str, Decimal]:
        """What was paid, by currency; nothing = {}."""
        own = {} if self.amount is None else {home: self.amount}
        return {currency: amount for currency, amount in {**own, **self.amounts}.items() if amount or currency == home}


@dataclass(slots=True)
class Doing:
    """A step while it is being done: what it is about, and what it finds out (`facts` are kept as evidence)."""

    closing: Closing
    row: ClosingStep
    given: Given
    by: str
    at: datetime
    facts: dict[str, Any] = field(default_factory=dict)
    file: tuple[str, str] = ("", "")  # name, sha256
    later: datetime | None = None  # set when the step is to be done by itself at that moment
    stays_open: bool = False

    @property
    def store(self) -> Store:
        return self.closing.store

    @property
    def today(self) -> date:
        return self.at.astimezone(ZoneInfo(self.store.timezone)).date()


def title(code: str) -> str:
    """A step's title in the reader's language."""
    return commands.said(steps.BY_CODE[code].title)


def titles(codes: Iterable[str]) -> str:
    """Titles of steps in one line, in the reader's language."""
    return listed(title(code) for code in codes)
