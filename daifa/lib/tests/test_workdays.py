"""Working days: China's made-up weekends, holidays observed on another day, years nobody has announced yet."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from daifa.lib.workdays import WHYS, is_known, is_working_day, nth_working_day, why_not_exact


@pytest.mark.parametrize(
    ("country", "day", "works"),
    [
        ("CN", date(2026, 2, 14), True),  # a Saturday worked for Spring Festival
        ("CN", date(2026, 2, 16), False),
        ("CN", date(2026, 2, 23), False),  # the last day of the nine
        ("CN", date(2026, 2, 24), True),
        ("CN", date(2026, 10, 7), False),
        ("CN", date(2026, 10, 10), True),  # the Saturday worked for National Day
        ("US", date(2026, 7, 3), False),  # the fourth is a Saturday
        ("US", date(2026, 11, 26), False),
        ("US", date(2018, 6, 19), True),  # no holiday before 2021
        ("GB", date(2026, 12, 28), False),  # Boxing Day is a Saturday
        ("GB", date(2026, 11, 26), True),
        ("SA", date(2026, 11, 20), False),  # a Friday
        ("", date(2026, 12, 25), True),
        ("cn", date(2026, 10, 1), False),
    ],
)
def test_days(country: str, day: date, works: bool) -> None:
    assert is_working_day(day, country) is works


def test_counting_leaps_over_the_holidays() -> None:
    # Friday 13 February 2026: Saturday is worked, then nine days are free.
    assert nth_working_day(date(2026, 2, 13), 1, "CN") == date(2026, 2, 14)
    assert nth_working_day(date(2026, 2, 13), 3, "CN") == date(2026, 2, 25)
    assert nth_working_day(date(2026, 2, 13), 3, "GB") == date(2026, 2, 18)
    assert nth_working_day(date(2026, 2, 13), 0, "CN") == date(2026, 2, 13)


def test_what_is_not_exact_is_said() -> None:
    assert why_not_exact("CN", date(2026, 1, 1), date(2026, 12, 31)) == ""
    assert why_not_exact("CN", date(2026, 12, 30), date(2040, 1, 5)) == "not_announced"
    assert why_not_exact("US", date(2026, 12, 30), date(2040, 1, 5)) == ""
    assert why_not_exact("XX", date(2026, 1, 1), date(2026, 1, 5)) == "weekends_only"
    assert why_not_exact("", date(2026, 1, 1), date(2026, 1, 5)) == "weekends_only"
    assert why_not_exact("MY", date(2035, 1, 1), date(2035, 12, 31)) == "estimated"
    assert why_not_exact("GB", date(1700, 1, 1), date(1700, 1, 5)) == "not_announced"
    assert set(WHYS) == {"weekends_only", "not_announced", "estimated"}


def test_a_year_without_an_announcement_has_weekends_only() -> None:
    days = [date(2040, 1, 1) + timedelta(days=n) for n in range(366)]
    assert [day for day in days if is_working_day(day, "CN") != (day.weekday() < 5)] == []


def test_the_countries_of_our_channels_are_known() -> None:
    for country in (
        "CN",
        "US",
        "GB",
        "DE",
        "FR",
        "SG",
        "MY",
        "TH",
        "VN",
        "PH",
        "ID",
        "TW",
        "BR",
        "MX",
        "JP",
        "KR",
    ):
        assert is_known(country), country
