"""Suppliers' answers: our own run filled in, and what factories send of their own."""

import io
from datetime import datetime
from decimal import Decimal

import openpyxl
import pytest

from daifa.connectors.contract import NotAnOrder, ReplyRow, RowProblem
from daifa.connectors.manual.workbook import RunRow, write_run

from .files import LONDON, opened, records

HEAD = "订单号,货号,数量,实发数量,快递公司,运单号,备注"


def replies(text, **options):
    found = records("replies", text, **options)
    assert all(isinstance(row, ReplyRow) for row in found), found
    return found


def problem(text):
    (found,) = [row for row in records("replies", text) if isinstance(row, RowProblem)]
    assert found.sentence() and "%(" not in found.sentence()
    return found


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_our_own_run_filled_in_and_sent_back(language):
    rows = [
        RunRow(
            f"P-000{n}",
            1,
            f"F-{n}",
            "杯子",
            3,
            Decimal("8.50"),
            "Ann",
            "",
            "GB",
            "",
            "London",
            "1 Road",
            "E1",
            "no invoice inside",
        )
        for n in range(1, 6)
    ]
    content, _ = write_run(rows, language=language)
    book = openpyxl.load_workbook(io.BytesIO(content))
    sheet = book.active
    head = next(row for row in sheet.iter_rows() if row[0].value in ("Our reference", "我方单号"))
    at = {cell.value: cell.column for cell in head}
    name = dict(zip(("accepted", "shipped", "carrier", "numbers", "reason"), list(at)[-5:], strict=True))
    first = head[0].row + 1

    def fill(row, **values):
        for field, value in values.items():
            sheet.cell(first + row, at[name[field]], value)

    fill(0, carrier="圆通", numbers="YT1234567890123")
    fill(1, accepted=2, shipped=2, numbers="YT1234567890124, YT1234567890125", reason="缺一件")
    fill(2, accepted=0, reason="缺货")
    fill(3, accepted=3)
    buffer = io.BytesIO()
    book.save(buffer)
    found = records("replies", buffer.getvalue(), name="reply.xlsx")
    whole, short, refused, accepted, untouched = found
    assert (whole.reference, whole.line, whole.supplier_sku) == ("P-0001", "1", "F-1")
    assert (whole.carrier, whole.numbers, whole.shipped, whole.accepted) == (
        "圆通",
        ("YT1234567890123",),
        None,
        None,
    )
    assert (short.accepted, short.shipped, short.reason) == (2, 2, "缺一件")
    assert short.numbers == ("YT1234567890124", "YT1234567890125")
    assert (refused.refused, refused.accepted, refused.reason) == (True, 0, "缺货")
    assert (accepted.accepted, accepted.numbers) == (3, ())
    assert isinstance(untouched, NotAnOrder) and (untouched.reason, untouched.document) == (
        "no_answer",
        "P-0005",
    )


def test_the_plain_quantity_counts_only_where_the_file_has_no_better_column():
    (row,) = replies("订单号,货号,数量,快递公司,运单号\nP-1,F-1,3,顺丰,SF1234567890123\n")
    assert (row.shipped, row.accepted, row.carrier) == (3, None, "顺丰")
    (row,) = replies(f"{HEAD}\nP-1,F-1,3,,顺丰,SF1234567890123,\n")
    assert row.shipped is None
    (row,) = replies("PO number,Item no,Qty,Status\nP-1,F-1,3,confirmed\n")
    assert (row.accepted, row.shipped) == (3, None)


@pytest.mark.parametrize(
    ("cell", "numbers"),
    [
        ("YT1234567890123 YT1234567890124", ("YT1234567890123", "YT1234567890124")),
        ("YT1234567890123、YT1234567890124", ("YT1234567890123", "YT1234567890124")),
        (
            "YT1234567890123/YT1234567890124；yt1234567890125",
            ("YT1234567890123", "YT1234567890124", "YT1234567890125"),
        ),
        ('"YT1234567890123,YT1234567890124"', ("YT1234567890123", "YT1234567890124")),
        ('"YT1234567890123\nYT1234567890124"', ("YT1234567890123", "YT1234567890124")),
        ("YT1234567890123 YT1234567890123", ("YT1234567890123",)),
        ("\tYT1234567890123", ("YT1234567890123",)),
        ("'0012345678", ("0012345678",)),
        ("RR 123 456 785 CN", ("RR123456785CN",)),
        ("1Z999AA10123456784", ("1Z999AA10123456784",)),
    ],
)
def test_several_numbers_in_one_cell(cell, numbers):
    (row,) = replies(f"{HEAD}\nP-1,F-1,3,3,圆通,{cell},\n")
    assert (row.numbers, row.shipped, row.carrier) == (numbers, 3, "圆通")


@pytest.mark.parametrize(
    "cell", ["圆通 YT1234567890123", "圆通:YT1234567890123", "圆通：YT1234567890123", "圆通YT1234567890123"]
)
def test_the_carrier_may_stand_before_the_number(cell):
    (row,) = replies(f"{HEAD}\nP-1,F-1,3,3,,{cell},\n")
    assert (row.carrier, row.numbers) == ("圆通", ("YT1234567890123",))


@pytest.mark.parametrize(
    "cell",
    [
        "YT1234567890123*2、YT1234567890124*1",
        "YT1234567890123(2件) / YT1234567890124(1)",
        "YT1234567890123:2;YT1234567890124：1",
    ],
)
def test_a_cell_that_splits_the_quantity(cell):
    first, second = replies(f"{HEAD}\nP-1,F-1,3,3,圆通,{cell},\n")
    assert (first.numbers, first.shipped, first.row) == (("YT1234567890123",), 2, 2)
    assert (second.numbers, second.shipped, second.row) == (("YT1234567890124",), 1, 2)
    assert problem(f"{HEAD}\nP-1,F-1,3,4,圆通,{cell},\n").code == "split_differs"


def test_several_rows_a_line_and_several_lines_a_number():
    found = replies(
        f"{HEAD}\nP-1,F-1,3,2,圆通,YT1234567890123,\nP-1,F-1,3,1,圆通,YT1234567890124,\nP-1,F-2,1,1,圆通,YT1234567890124,\n"
    )
    assert [(row.supplier_sku, row.shipped, row.numbers[0][-1]) for row in found] == [
        ("F-1", 2, "3"),
        ("F-1", 1, "4"),
        ("F-2", 1, "4"),
    ]


@pytest.mark.parametrize("word", ["缺货", "拒单", "无货", "out of stock", "Refused", "暂时缺货"])
def test_words_of_refusal(word):
    (row,) = replies(f"参考号,货号,状态,原因\nP-1,F-1,{word},下周到\n")
    assert (row.refused, row.accepted, row.reason) == (True, 0, "下周到")


def test_prices_dates_and_their_own_number():
    (row,) = replies("参考号,货号,接单数量,单价,预计发货,厂家单号\nP-1,F-1,3,￥9.10,2026/1/9,X-77\n")
    assert (row.unit_cost, row.ship_date, row.their_reference) == (
        Decimal("9.10"),
        datetime(2026, 1, 9, tzinfo=LONDON),
        "X-77",
    )


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (",F-1,3,3,圆通,YT1234567890123,", "reference_missing"),
        ("P-1,F-1,3,-1,圆通,YT1234567890123,", "quantity_not_positive"),
        ("P-1,F-1,3,1000000000,圆通,YT1234567890123,", "quantity_too_large"),
        ("P-1,F-1,3,3,圆通,7.73123E+14,", "scientific_notation"),
        ("P-1,F-1,3,3,圆通,773123456789.0,", "decimal_id"),
        ("P-1,F-1,3,3,圆通,12,", "tracking_number_odd"),
        ("P-1,F-1,3,three,圆通,YT1234567890123,", "not_a_number"),
        ("P-1,F-1,3,3,圆通,YT1234567890123*2、YT1234567890124,", "split_unclear"),
        ("1.23E+10,F-1,3,3,圆通,YT1234567890123,", "scientific_notation"),
    ],
)
def test_rows_refused(row, code):
    told = problem(f"{HEAD}\nP-0,F-1,3,3,圆通,YT1234567890120,\n{row}\n")
    assert (told.code, told.row) == (code, 3)


def test_answers_that_contradict_themselves():
    head = "参考号,货号,状态,实发数量,运单号\n"
    assert problem(head + "P-1,F-1,缺货,,YT1234567890123\n").code == "answer_contradicts"
    assert problem(head + "P-1,F-1,缺货,2,\n").code == "answer_contradicts_quantity"
    assert problem(head + "P-1,F-1,vielleicht,,\n").code == "answer_unknown"


def test_merged_cells_of_a_factorys_workbook():
    book = openpyxl.Workbook()
    for row in (["订单号", "货号", "实发数量", "运单号"], ["P-1", "F-1", 2, "YT1234567890123"], [None, "F-2", 1, "YT1234567890123"],
                ["P-2", "F-1", 1, "YT1234567890125"]):  # fmt: skip
        book.active.append(row)
    book.active.merge_cells("A2:A3")
    buffer = io.BytesIO()
    book.save(buffer)
    assert [(row.reference, row.supplier_sku) for row in replies(buffer.getvalue(), name="回单.xlsx")] == [
        ("P-1", "F-1"), ("P-1", "F-2"), ("P-2", "F-1"),
    ]  # fmt: skip


def test_a_number_the_workbook_holds_as_a_number():
    book = openpyxl.Workbook()
    book.active.append(["订单号", "货号", "实发数量", "运单号"])
    book.active.append([1001, 123, 2, 773123456789012])
    book.active.append([1002, 123, 2, 773123456789012345])
    buffer = io.BytesIO()
    book.save(buffer)
    good, lost = records("replies", buffer.getvalue(), name="回单.xlsx")
    assert (good.reference, good.numbers) == ("1001", ("773123456789012",))
    assert (lost.code, lost.row) == ("scientific_notation", 3)


def test_a_gbk_file_with_a_title_line():
    text = "义乌某某厂 发货清单,,,,,,\n\n" + HEAD + "\nP-1,F-1,3,3,中通,ZT1234567890123,谢谢\n"
    file = opened("replies", text.encode("gbk"))
    (row,) = list(file.records)
    assert (row.row, row.carrier, row.reason, file.sheet.encoding) == (4, "中通", "谢谢", "gb18030")
