"""Cells to values. The tables are what merchants really write."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from daifa.lib.sheets import (
    CellRefused,
    clean_id,
    clean_text,
    infer_day_first,
    infer_decimal_mark,
    parse_datetime,
    parse_decimal,
    parse_quantity,
    read_id,
    recognise_currency,
)

LONDON = ZoneInfo("Europe/London")
SHANGHAI = ZoneInfo("Asia/Shanghai")


def refusal(call, *arguments, **named):
    with pytest.raises(CellRefused) as caught:
        call(*arguments, **named)
    return caught.value.code


@pytest.mark.parametrize(
    ("text", "mark", "value"),
    [
        ("216", None, "216"),
        ("-4.5", None, "-4.5"),
        ("1,234.56", None, "1234.56"),
        ("1.234,56", None, "1234.56"),
        ("1,234,567", None, "1234567"),
        ("1.234.567", None, "1234567"),
        ("￡216.00", None, "216.00"),
        (" ￡216.00 ", None, "216.00"),
        ("£ 0,85", ",", "0.85"),
        ("£ 0,85", None, "0.85"),
        ("1.672", ",", "1672"),
        ("1.672", ".", "1.672"),
        ("1,672", ".", "1672"),
        ("1,672", None, "1672"),
        ("0,851", None, "0.851"),
        ("CN¥12", None, "12"),
        ("¥12.00元", None, "12.00"),
        ("12元", None, "12"),
        ("US$1,000", None, "1000"),
        ("5.00 GBP", None, "5.00"),
        ("EUR 5,00", None, "5.00"),
        ("kr 99,50", None, "99.50"),
        ("1\u00a0234,56", ",", "1234.56"),
        ("1\u202f234,56", ",", "1234.56"),
        ("1'234.50", None, "1234.50"),
        ("１２．５", None, "12.5"),
        ("(3.00)", None, "-3.00"),
        ("3.00-", None, "-3.00"),
        ("-£5.00", None, "-5.00"),
        ("£-5.00", None, "-5.00"),
        ("−5.00", None, "-5.00"),
        ("+3", None, "3"),
        (".5", None, "0.5"),
        ("9.90  ", None, "9.90"),
    ],
)
def test_amounts(text, mark, value):
    assert parse_decimal(text, mark) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "mark", "code"),
    [
        ("", None, "empty"),
        ("\t", None, "empty"),
        ("abc", None, "not_a_number"),
        ("12abc", None, "not_a_number"),
        ("1.2.3", None, "not_a_number"),
        ("1,23,4", ".", "not_a_number"),
        ("=1+1", None, "not_a_number"),
        ("12 / 13", None, "not_a_number"),
        ("NaN", None, "not_a_number"),
        ("Infinity", None, "not_a_number"),
        ("1E+05", None, "scientific_notation"),
        ("1,234", "mixed", "ambiguous_number"),
        ("0,85", ".", "not_a_number"),
        ("99999999999999", None, "amount_too_large"),
    ],
)
def test_amounts_refused(text, mark, code):
    assert refusal(parse_decimal, text, mark) == code


@pytest.mark.parametrize(
    ("column", "mark"),
    [
        (["964", "1.672", "£ 0,85"], ","),
        (["1.672", "964", "10.643"], None),
        (["1,234.56", "12.00"], "."),
        (["1,234", "0.5"], "."),
        (["1.234.567"], ","),
        (["0,85", "1,234.56"], "mixed"),
        (["", "abc"], None),
    ],
)
def test_the_decimal_mark_is_the_columns(column, mark):
    assert infer_decimal_mark(column) == mark


def test_quantities():
    assert parse_quantity("12") == 12
    assert parse_quantity("１２") == 12
    assert parse_quantity("12.0") == 12
    assert parse_quantity("1.672", ",") == 1672
    assert parse_quantity("12件") == 12
    assert parse_quantity("3 pcs") == 3
    assert parse_quantity("-4", None, True) == -4
    assert parse_quantity("1000000") == 1_000_000


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0", "quantity_not_positive"),
        ("-1", "quantity_not_positive"),
        ("1000001", "quantity_too_large"),
        ("1000000000", "quantity_too_large"),
        ("10" * 12, "amount_too_large"),
        ("1.5", "quantity_not_whole"),
        ("1E+05", "scientific_notation"),
        ("twelve", "not_a_number"),
        ("", "empty"),
    ],
)
def test_quantities_refused(text, code):
    assert refusal(parse_quantity, text) == code


def test_a_refusal_names_the_column_in_its_sentence():
    with pytest.raises(CellRefused) as caught:
        parse_quantity("0")
    told = caught.value.in_column("购买数量")
    assert "购买数量" in str(told) and "“0”" in str(told)
    assert (told.code, told.params["value"]) == ("quantity_not_positive", "0")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2009-12-03 19:23:00", datetime(2009, 12, 3, 19, 23, tzinfo=SHANGHAI)),
        ("2009/12/03 19:23", datetime(2009, 12, 3, 19, 23, tzinfo=SHANGHAI)),
        ("2009年12月03日 19:23:00", datetime(2009, 12, 3, 19, 23, tzinfo=SHANGHAI)),
        ("2009年12月3日19时23分", datetime(2009, 12, 3, 19, 23, tzinfo=SHANGHAI)),
        ("2009/12/1 下午 7:05", datetime(2009, 12, 1, 19, 5, tzinfo=SHANGHAI)),
        ("\t2009-12-03", datetime(2009, 12, 3, tzinfo=SHANGHAI)),
        ("２００９-12-03", datetime(2009, 12, 3, tzinfo=SHANGHAI)),
        ("20091203", datetime(2009, 12, 3, tzinfo=SHANGHAI)),
        ("3.12.2009", datetime(2009, 12, 3, tzinfo=SHANGHAI)),
        ("25/11/2009", datetime(2009, 11, 25, tzinfo=SHANGHAI)),
        ("11/25/2009 7:45 PM", datetime(2009, 11, 25, 19, 45, tzinfo=SHANGHAI)),
        ("3 Dec 2009", datetime(2009, 12, 3, tzinfo=SHANGHAI)),
        ("December 3, 2009 12:04 AM", datetime(2009, 12, 3, 0, 4, tzinfo=SHANGHAI)),
        ("40150.80763888889", datetime(2009, 12, 3, 19, 23, tzinfo=SHANGHAI)),
        ("2009-12-01 07:45:00 +0000", datetime(2009, 12, 1, 7, 45, tzinfo=UTC)),
        ("2009-12-01T07:45:00Z", datetime(2009, 12, 1, 7, 45, tzinfo=UTC)),
        (
            "2009-12-01T07:45:00.123-05:30",
            datetime(2009, 12, 1, 7, 45, tzinfo=timezone(-timedelta(hours=5, minutes=30))),
        ),
    ],
)
def test_times(text, moment):
    found = parse_datetime(text, SHANGHAI)
    assert found == moment
    assert found.utcoffset() == moment.utcoffset()


def test_a_naive_time_is_the_stores_summer_time_included():
    assert parse_datetime("2010-07-01 12:00", LONDON).astimezone(UTC).hour == 11


@pytest.mark.parametrize(
    ("column", "answer"),
    [
        (["03/12/2009", "25/11/2009"], True),
        (["03/12/2009", "11/25/2009"], False),
        (["03/12/2009"], None),
        (["25/11/2009", "11/25/2009"], "mixed"),
        (["2009-12-03", "3.12.2009", ""], None),
    ],
)
def test_day_or_month_first_is_the_columns(column, answer):
    assert infer_day_first(column) == answer


def test_an_ambiguous_date_is_refused_until_the_column_or_a_person_decides():
    assert refusal(parse_datetime, "03/12/2009", LONDON) == "ambiguous_date"
    assert refusal(parse_datetime, "03/12/2009", LONDON, "mixed") == "ambiguous_date"
    assert parse_datetime("03/12/2009", LONDON, True).month == 12
    assert parse_datetime("03/12/2009", LONDON, False).month == 3
    assert parse_datetime("03/03/2009", LONDON).month == 3


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("soon", "not_a_date"),
        ("2009-13-01", "not_a_date"),
        ("2009-02-30", "not_a_date"),
        ("31/02/2009", "not_a_date"),
        ("1899-12-31", "date_out_of_range"),
        ("9999-12-31 00:00:00", "date_out_of_range"),
        ("12", "not_a_date"),
    ],
)
def test_times_refused(text, code):
    assert refusal(parse_datetime, text, LONDON) == code


def test_text_loses_what_nobody_can_see():
    assert clean_text("\t22197") == "22197"
    assert clean_text("\u00a0RED\u200b MUG\u00a0") == "RED MUG"
    assert clean_text("ROSES  DOORMAT ") == "ROSES  DOORMAT"
    assert clean_text("a\x00b\x07c") == "a b c"
    assert clean_text("第一行\r\n第二行", lines=True) == "第一行\n第二行"
    assert clean_text("浙江省，杭州市") == "浙江省，杭州市"


def test_ids_stay_text():
    assert read_id("'0012") == ("0012", "")
    assert read_id("\t489725001") == ("489725001", "")
    assert read_id('="00123"') == ("00123", "")
    assert read_id("８５１２３Ａ") == ("85123A", "")
    assert read_id("84899E") == ("84899E", "")
    assert read_id("12E5") == ("12E5", "")
    assert read_id("404.038.96") == ("404.038.96", "")


def test_ids_a_spreadsheet_spoiled_are_never_used_silently():
    assert read_id("489434.0") == ("489434", "decimal_id")
    assert refusal(clean_id, "489434.0") == "decimal_id"
    for spoiled in ("4.89725E+17", "1E+05", "1.2e+17", "4,89725E+17"):
        assert refusal(read_id, spoiled) == "scientific_notation"


@pytest.mark.parametrize(
    ("text", "hint", "currency"),
    [
        ("UVP (£)", "", "GBP"),
        ("￡216.00", "", "GBP"),
        ("£ 0,85", "", "GBP"),
        ("CN¥12", "", "CNY"),
        ("金额(元)", "", "CNY"),
        ("GBP", "", "GBP"),
        ("gbp", "", "GBP"),
        ("RMB 5", "", "CNY"),
        ("Price USD", "", "USD"),
        ("$5", "", ""),
        ("$5", "CAD", "CAD"),
        ("¥5", "JPY", "JPY"),
        ("¥5", "GBP", ""),
        ("US$5", "CAD", "USD"),
        ("Ukraine", "SEK", ""),
        ("买家实付金额", "", ""),
        ("12.50", "GBP", ""),
    ],
)
def test_currencies(text, hint, currency):
    assert recognise_currency(text, hint) == currency
