"""Money: a `Decimal` and its currency, rounding, shares, conversion. No float ever.

Rounding to the currency's minor unit happens only on posting (`rounded`); everything before keeps four decimals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

STORED = Decimal("0.0001")  # what numeric(19, 4) columns hold


# Decimals of a currency's smallest amount where they are not two (ISO 4217). What people commonly write is another
# matter (few write the para of a dinar): platforms settle, and banks pay, to these.
DECIMALS = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}  # fmt: skip


class CurrencyMismatch(ValueError):
    """Two currencies met where one was expected."""


@lru_cache(maxsize=256)
def minor_unit(currency: str) -> Decimal:
    """Smallest amount of `currency` (ISO 4217): 0.01 for GBP, 1 for JPY, 0.001 for BHD."""
    return Decimal(1).scaleb(-DECIMALS.get(currency, 2))


def decimals_in_sql(column: str) -> str:
    """An SQL expression: how many decimals the currency in `column` has."""
    by_number: dict[int, list[str]] = {}
    for code, digits in DECIMALS.items():
        by_number.setdefault(digits, []).append(f"'{code}'")
    cases = " ".join(f"WHEN {column} IN ({', '.join(codes)}) THEN {digits}" for digits, codes in by_number.items())
    return f"(CASE {cases} ELSE 2 END)"


@lru_cache(maxsize=256)
def is_currency(code: str) -> bool:
    """True for a known ISO 4217 code in capitals."""
    from babel import Locale

    return len(code) == 3 and code.isupper() and code in Locale("en").currencies


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Half up to the minor unit of `currency`."""
    return amount.quantize(minor_unit(currency), rounding=ROUND_HALF_UP)


def shares(total: Decimal, weights: Sequence[Decimal | int], currency: str) -> list[Decimal]:
    """Split `total` by `weights` in minor units, largest remainder first; the shares always sum to `total`.

    `total` must already be rounded. All-zero weights share equally. Ties go to the earlier share.
    """
    if not weights:
        return []
    unit = minor_unit(currency)
    if total != rounded(total, currency):
        raise ValueError(f"{total} {currency} is not a whole number of minor units.")
    sum_of_weights = sum(weights)
    if sum_of_weights == 0:
        weights = [1] * len(weights)
        sum_of_weights = len(weights)
    units = int(total / unit)
    exact = [Decimal(units) * Decimal(w) / Decimal(sum_of_weights) for w in weights]
    whole = [int(e // 1) if e >= 0 else -int(-e // 1) for e in exact]
    missing = units - sum(whole)
    step = 1 if missing >= 0 else -1
    by_remainder = sorted(range(len(exact)), key=lambda i: (-abs(exact[i] - whole[i]), i))
    for i in by_remainder[: abs(missing)]:
        whole[i] += step
    return [Decimal(w) * unit for w in whole]


def part_of(total: Decimal, part: int, whole: int, already: Decimal, currency: str) -> Decimal:
    """What to post for `part` of `whole` units in all, when `already` has been posted: round(total·k/n) − already."""
    if not 0 <= part <= whole or whole == 0:
        raise ValueError(f"{part} of {whole} is no part.")
    return rounded(total * part / whole, currency) - already


def convert(amount: Decimal, rate: Decimal) -> Decimal:
    """`amount` at `rate` (units of the target per unit of the source), kept to four decimals."""
    return (amount * rate).quantize(STORED, rounding=ROUND_HALF_UP)


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount and its currency. Adds and compares only within one currency."""

    amount: Decimal
    currency: str

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __mul__(self, factor: int | Decimal) -> Money:
        return Money(self.amount * factor, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.amount < other.amount

    def __bool__(self) -> bool:
        return self.amount != 0

    def rounded(self) -> Money:
        return Money(rounded(self.amount, self.currency), self.currency)

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} cannot be added without an exchange rate.")

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"
