"""Online Retail II: the answer key of a cut that holds every odd class, and the year's table as documented."""

import csv
import gzip
import io
import json
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from daifa.connectors.contract import IncomingCredit, IncomingOrder, NotAnOrder, RowProblem
from daifa.connectors.manual.account import main
from daifa.connectors.manual.connector import read_file
from daifa.connectors.manual.online_retail import stock_code

from .files import DATA, LONDON, records

CUT = DATA / "online-retail-ii" / "cut.csv.gz"
KEY = json.loads((DATA / "online-retail-ii" / "expected.json").read_text())
RULES = Path(__file__).resolve().parents[4] / "docs" / "rules" / "online-retail-ii.md"
HEAD = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"


@pytest.fixture(scope="module")
def cut():
    file = read_file("orders", CUT, store_currency="GBP", tz=LONDON)
    return file, list(file.account.watch(file.records))


def test_every_row_goes_where_the_answer_key_says(cut):
    file, _ = cut
    assert file.layout.name == "online_retail_ii"
    assert file.account.balances() and file.account.rows_in == KEY["rows"]
    found = {line.reason: {"documents": line.documents, "rows": line.rows} for line in file.account.table()}
    assert found == KEY["by_reason"]


def test_lines_are_what_they_are(cut):
    file, _ = cut
    for document in ("order", "credit"):
        found = {
            kind: {"rows": line.rows, "amount": str(line.amount)}
            for (what, kind), line in file.account.money.items() if what == document
        }  # fmt: skip
        assert found == KEY["lines"][document]


def test_no_row_is_lost_or_used_twice_and_the_money_is_the_files(cut):
    """Recounted from the file with nothing but the csv module."""
    _, found = cut
    rows = [
        row
        for record in found
        for row in (getattr(record, "rows", ()) if not isinstance(record, RowProblem) else (record.row,))
    ]
    assert sorted(rows) == list(range(2, KEY["rows"] + 2))
    with gzip.open(CUT, "rt", newline="") as file:
        lines = list(csv.DictReader(file))
    by_document = Counter()
    for line in lines:
        by_document[line["Invoice"]] += Decimal(line["Price"]) * int(line["Quantity"])
    for record in found:
        if isinstance(record, (IncomingOrder, IncomingCredit)):
            sign = 1 if isinstance(record, IncomingOrder) else -1
            told = sum(line.amount for line in record.lines)
            assert abs(told * sign - by_document[record.number]) < Decimal("0.005"), record.number
            assert all(line.quantity > 0 and line.amount >= 0 for line in record.lines)
            assert [line.row for line in record.lines] == list(record.rows)


def test_several_timestamps_rows_apart_and_customers(cut):
    _, found = cut
    orders = {record.number: record for record in found if isinstance(record, IncomingOrder)}
    noted = [order for order in orders.values() if "several_timestamps" in order.notes]
    assert len(noted) == KEY["several_timestamps"]
    assert orders["492807"].placed_at == datetime(2009, 12, 20, 12, 28, tzinfo=LONDON)
    assert any(order.rows[-1] - order.rows[0] >= len(order.rows) for order in orders.values()), (
        "rows that stand apart"
    )
    assert orders["489434"].customer_ref == "13085"
    assert any(order.customer_ref == "" for order in orders.values())
    assert all(
        order.address is None and order.currency == "" and order.paid_at == order.placed_at
        for order in orders.values()
    )


def test_countries(cut):
    _, found = cut
    codes = {record.country for record in found if isinstance(record, IncomingOrder)}
    assert codes >= {"GB", "IE", "ZA", "KR", "US", ""}
    unclear = [r for r in found if isinstance(r, IncomingOrder) and "country_unclear" in r.notes]
    assert len(unclear) == 3 and {r.country for r in unclear} == {""}


def test_the_refused_credit_note_is_told(cut):
    _, found = cut
    (problem,) = [record for record in found if isinstance(record, RowProblem)]
    assert (problem.document, problem.code) == ("C496350", "credit_line_not_negative")
    assert "C496350" in problem.sentence() and problem.raw[5] == "373.57"


@pytest.mark.parametrize(
    ("code", "sku", "kind"),
    [
        ("15056bl", "15056BL", "goods"),
        ("47503J ", "47503J", "goods"),
        ("85048", "85048", "goods"),
        ("DCGSSBOY", "DCGSSBOY", "goods"),
        ("PADS", "PADS", "goods"),
        ("POST", "POST", "shipping"),
        ("DOT", "DOT", "shipping"),
        ("C2", "C2", "shipping"),
        ("C3", "C3", "shipping"),
        ("D", "D", "discount"),
        ("m", "M", "manual"),
        ("ADJUST2", "ADJUST2", "manual"),
        ("BANK CHARGES", "BANK CHARGES", "fee"),
        ("AMAZONFEE", "AMAZONFEE", "fee"),
        ("CRUK", "CRUK", "fee"),
        ("S", "S", "sample"),
        ("gift_0001_10", "gift_0001_10", "gift_card"),
    ],
)
def test_codes(code, sku, kind):
    assert stock_code(code) == (sku, kind)


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ("A1,B,Adjust bad debt,1,2010-04-29 13:36:00,-53594.36,,United Kingdom\n", "bad_debt"),
        ("1,21733,85123a mixed,-96,2009-12-01 10:52:00,0.0,,United Kingdom\n", "stock_adjustment_out"),
        ("1,21314,?,1146,2009-12-01 10:52:00,0.0,,United Kingdom\n", "stock_adjustment_in"),
        (
            "C1,TEST001,This is a test product.,-1,2009-12-01 10:52:00,4.5,12345,United Kingdom\n",
            "test_product",
        ),
    ],
)
def test_what_is_no_order(rows, what):
    (record,) = records("orders", HEAD + rows)
    assert isinstance(record, NotAnOrder) and (record.reason, record.rows) == (what, (2,))


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ("1,21733,Mug,-3,2009-12-01 10:52:00,1.5,12345,United Kingdom\n", "quantity_not_positive"),
        ("1,21733,Mug,3,2009-12-01 10:52:00,-1.5,12345,United Kingdom\n", "quantity_not_positive"),
        ("1,21733,Mug,3,2009-12-01 10:52:00,,12345,United Kingdom\n", "empty"),
        ("1,21733,Mug,3,soon,1.5,12345,United Kingdom\n", "not_a_date"),
        ("1,2.2E+05,Mug,3,2009-12-01 10:52:00,1.5,12345,United Kingdom\n", "scientific_notation"),
        ("X1,21733,Mug,3,2009-12-01 10:52:00,1.5,12345,United Kingdom\n", "invoice_prefix"),
        (",21733,Mug,3,2009-12-01 10:52:00,1.5,12345,United Kingdom\n", "number_missing"),
        (
            "1,1,Mug,3,2009-12-01 10:52:00,1.5,1,UK\n1,2,Mug,3,2009-12-01 10:52:00,1.5,2,UK\n",
            "order_rows_disagree",
        ),
    ],
)
def test_what_is_refused(rows, code):
    (record,) = records("orders", HEAD + rows)
    assert (record.code, record.rows) == (code, rows.count("\n"))
    assert record.sentence()


def test_a_free_article_on_a_paid_invoice_is_shipped_like_the_others():
    rows = "1,22076,RIBBONS,12,2009-12-02 13:34:00,0.0,16126,UK\n1,22077,MUG,1,2009-12-02 13:34:00,2.5,16126,UK\n"
    (order,) = records("orders", HEAD + rows)
    assert [(line.kind, line.amount) for line in order.lines] == [
        ("goods", Decimal("0.00")),
        ("goods", Decimal("2.50")),
    ]


def test_the_table_is_printed_for_people(capsys):
    main([str(CUT), "--currency", "GBP", "--tz", "Europe/London"])
    printed = capsys.readouterr().out
    assert (
        f"| used | `order` | {KEY['by_reason']['order']['documents']} | {KEY['by_reason']['order']['rows']:,} |"
        in printed
    )
    assert "| **all** | balances | | 4,409 of 4,409 | |" in printed


def test_the_documented_year_adds_up():
    """The year's file is not part of the repository; its table in the rules must at least agree with itself."""
    text = RULES.read_text(encoding="utf-8")
    used = [
        line.split("|")
        for line in text.splitlines()
        if line.startswith(("| used", "| not orders", "| refused"))
    ]
    assert sum(int(cells[4].replace(",", "")) for cells in used) == 502_938
    assert sum(int(cells[3].replace(",", "")) for cells in used) == 27_728
    kinds = list(csv.reader(io.StringIO("\n".join(
        line.replace(",", "").replace(" | ", ",").strip("| ") for line in text.splitlines() if line.startswith(("| order |", "| credit |"))
    ))))  # fmt: skip
    for what, rows, amount in (("order", 489_848, "9866813.36"), ("credit", 9_872, "568842.24")):
        assert sum(int(row[2]) for row in kinds if row[0] == what) == rows
        assert sum(Decimal(row[3]) for row in kinds if row[0] == what) == Decimal(amount)
