"""Money: minor units, shares by largest remainder, parts of a whole, and two currencies that never meet."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daifa.lib.money import (
    CurrencyMismatch,
    Money,
    convert,
    is_currency,
    minor_unit,
    part_of,
    rounded,
    shares,
)

D = Decimal


@pytest.mark.parametrize(
    ("total", "weights", "currency", "expected"),
    [
        ("10.00", [1, 1, 1], "GBP", ["3.34", "3.33", "3.33"]),
        ("10.00", [0, 0, 0], "GBP", ["3.34", "3.33", "3.33"]),
        ("-10.00", [1, 1, 1], "GBP", ["-3.34", "-3.33", "-3.33"]),
        ("1000", [1, 1, 1], "JPY", ["334", "333", "333"]),
        ("10.000", [1, 1, 1], "BHD", ["3.334", "3.333", "3.333"]),
        ("0.01", [1, 5], "GBP", ["0.00", "0.01"]),
        ("0.05", [3, 3, 4], "EUR", ["0.02", "0.01", "0.02"]),
        ("100.00", [D("19.99"), D("30.01"), D("50.00")], "USD", ["19.99", "30.01", "50.00"]),
        ("0.00", [1, 2], "GBP", ["0.00", "0.00"]),
        ("5.00", [], "GBP", []),
        ("7.00", [0, 1], "GBP", ["0.00", "7.00"]),
    ],
)  # fmt: skip
def test_shares(total, weights, currency, expected):
    assert shares(D(total), weights, currency) == [D(share) for share in expected]


@pytest.mark.parametrize(
    ("currency", "unit"),
    [("GBP", "0.01"), ("JPY", "1"), ("KWD", "0.001"), ("CLF", "0.0001"), ("RSD", "0.01"), ("IQD", "0.001"), ("MMK", "0.01")],
)
def test_the_smallest_amount_is_that_of_iso_4217(currency, unit):
    assert minor_unit(currency) == D(unit)


def test_what_is_no_whole_number_of_minor_units_is_not_shared():
    with pytest.raises(ValueError, match="minor units"):
        shares(D("10.005"), [1, 1], "GBP")
    with pytest.raises(ValueError, match="minor units"):
        shares(D("0.5"), [1, 1], "JPY")


@given(
    st.integers(-(10**9), 10**9),
    st.lists(st.integers(0, 10**6), min_size=1, max_size=12),
    st.sampled_from(["GBP", "JPY", "BHD"]),
)
def test_shares_sum_to_the_total_and_are_less_than_a_unit_off(units, weights, currency):
    total = units * minor_unit(currency)
    parts = shares(total, weights, currency)
    assert sum(parts) == total
    whole = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        assert part == rounded(part, currency)
        exact = total * weight / whole if whole else total / len(weights)
        assert abs(part - exact) < minor_unit(currency)


def test_ten_pounds_in_three_parcels():
    posted = D(0)
    parts = []
    for parcel in (1, 2, 3):
        part = part_of(D("10.00"), parcel, 3, posted, "GBP")
        posted += part
        parts.append(part)
    assert parts == [D("3.33"), D("3.34"), D("3.33")]


@pytest.mark.parametrize(("part", "whole"), [(4, 3), (-1, 3), (0, 0), (1, 0)])
def test_what_is_no_part(part, whole):
    with pytest.raises(ValueError, match="no part"):
        part_of(D(1), part, whole, D(0), "GBP")


@given(st.decimals(-1000, 1000, places=4), st.integers(1, 30), st.data())
def test_parts_in_any_steps_end_at_the_rounded_total(total, whole, data):
    posted, sent = D(0), 0
    while sent < whole:
        sent += data.draw(st.integers(1, whole - sent))
        posted += part_of(total, sent, whole, posted, "GBP")
    assert posted == rounded(total, "GBP")


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [("2.675", "GBP", "2.68"), ("-2.675", "GBP", "-2.68"), ("0.5", "JPY", "1"), ("1.0005", "BHD", "1.001")],
)
def test_rounding_is_half_up(amount, currency, expected):
    assert rounded(D(amount), currency) == D(expected)


def test_two_currencies_do_not_meet():
    pounds, yen = Money(D(1), "GBP"), Money(D(1), "JPY")
    for meet in (lambda: pounds + yen, lambda: pounds - yen, lambda: pounds < yen):
        with pytest.raises(CurrencyMismatch):
            meet()
    assert pounds != yen
    assert pounds + pounds == pounds * 2 and -pounds == Money(D(-1), "GBP")
    assert not Money(D("0.00"), "GBP") and Money(D("1.005"), "GBP").rounded() == Money(D("1.01"), "GBP")


def test_conversion_keeps_four_decimals():
    assert convert(D("28.50"), D("0.10837")) == D("3.0885")


def test_currencies_are_those_of_iso_4217():
    assert is_currency("GBP") and is_currency("CNY")
    assert not any(is_currency(code) for code in ("gbp", "RMB", "XX", "", "POUND"))
