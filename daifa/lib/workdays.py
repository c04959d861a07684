"""Working days by country: its weekend and its public holidays, in China with the weekend days worked to make up for them.

The days come from the package `holidays`, in which a year may be missing, or be an estimate: `why_not_exact` says so.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext_noop as N_

WHYS = {
    "weekends_only": N_("Public holidays of this country are not known here; only weekends are left out."),
    "not_announced": N_(
        "The holidays of that year have not been announced, or not here yet; only weekends are left out."
    ),
    "estimated": N_(
        "Some of the holidays go by the moon and are estimated; they may fall a day earlier or later."
    ),
}
"""Why a date counted in working days may be off, as sentences to show."""

_ANNOUNCED_EACH_YEAR = ("CN",)
"""Here the government says each autumn which days are free and which weekends are worked: without its word nobody knows."""


def is_known(country: str) -> bool:
    """Whether the public holidays of a country (two letters, as "CN") are known at all."""
    return bool(country) and country.upper() in _countries()


def is_working_day(day: date, country: str) -> bool:
    """Whether people work there on that day; Monday to Friday where nothing is known of the country or the year."""
    free, worked = _days(country.upper(), day.year)
    return day in worked or (day not in free and day.weekday() not in _weekend(country.upper()))


def nth_working_day(day: date, n: int, country: str) -> date:
    """The `n`-th working day after `day`; `day` itself for 0."""
    while n > 0:
        day += timedelta(days=1)
        n -= is_working_day(day, country)
    return day


def why_not_exact(country: str, first: date, last: date) -> str:
    """A code of WHYS that holds for a count from `first` to `last`; "" when the days are as they were announced."""
    country = country.upper()
    if not is_known(country):
        return "weekends_only"
    if any(not _is_announced(country, year) for year in range(first.year, last.year + 1)):
        return "not_announced"
    return (
        "estimated"
        if any(
            first <= day <= last
            for year in range(first.year, last.year + 1)
            for day in _estimated(country, year)
        )
        else ""
    )


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    import holidays

    return frozenset(holidays.list_supported_countries())


@lru_cache(maxsize=512)
def _book(country: str, year: int) -> Any:
    """The library's days of one year; None where it has none."""
    import holidays

    if not is_known(country):
        return None
    made = holidays.country_holidays(country)
    language = "en_US" if "en_US" in (made.supported_languages or ()) else None
    return holidays.country_holidays(country, years=year, expand=False, language=language)


def _is_announced(country: str, year: int) -> bool:
    book = _book(country, year)
    if book is None or not book.start_year <= year <= book.end_year:
        return False
    return country not in _ANNOUNCED_EACH_YEAR or year in book.special_public_holidays


@lru_cache(maxsize=512)
def _days(country: str, year: int) -> tuple[frozenset[date], frozenset[date]]:
    """(free beside the weekend, worked though it is the weekend)."""
    if not is_known(country) or not _is_announced(country, year):
        return frozenset(), frozenset()
    book = _book(country, year)
    return frozenset(book), frozenset(getattr(book, "weekend_workdays", ()))


@lru_cache(maxsize=512)
def _estimated(country: str, year: int) -> tuple[date, ...]:
    return tuple(day for day, name in _book(country, year).items() if "estimated" in name)


@lru_cache(maxsize=256)
def _weekend(country: str) -> frozenset[int]:
    book = _book(country, 2025)
    return frozenset({5, 6} if book is None else book.weekend)
