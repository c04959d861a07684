"""Workbooks and CSV files out: no formulas, the same bytes twice, ids stay text."""

import csv
import hashlib
import io
import time
import zipfile
from datetime import date, datetime
from decimal import Decimal

import openpyxl

from daifa.lib.sheets import Column, Table, escape_formula, read_id, read_sheet, write_csv, write_xlsx

COLUMNS = [Column("参考号"), Column("数量", "integer"), Column("单价", "money"), Column("备注", fill=True)]
ROWS = [
    ("PO-0001", 3, Decimal("1.50"), None),
    ("00123", 12, Decimal("0.85"), "=cmd|' /C calc'!A0"),
    ("+4420", 1, Decimal("99.99"), "@SUM(A1)"),
    ("-1+1", 1, Decimal("0"), "http://example.invalid/"),
]


def written(rows=ROWS, **options):
    buffer = io.BytesIO()
    write_xlsx(buffer, Table("采购单", COLUMNS, rows, **options))
    return buffer.getvalue()


def test_the_same_rows_give_the_same_bytes():
    first = hashlib.sha256(written()).hexdigest()
    time.sleep(2.1)  # zip archives keep time to two seconds
    assert hashlib.sha256(written()).hexdigest() == first
    assert hashlib.sha256(written(ROWS[:3])).hexdigest() != first


def test_large_workbooks_too_whatever_the_rows_come_from():
    many = [(f"PO-{n}", n, Decimal("1.50"), None) for n in range(2_100)]
    assert written(many) == written(iter(many))
    assert len(list(read_sheet(io.BytesIO(written(many)), name="run.xlsx").rows())) == 2_100


def test_a_path_and_a_buffer_get_the_same_bytes(tmp_path):
    write_xlsx(tmp_path / "run.xlsx", Table("采购单", COLUMNS, ROWS))
    assert (tmp_path / "run.xlsx").read_bytes() == written()


def test_nothing_is_a_formula_or_a_link_and_ids_are_text():
    content = written()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    assert b"<f>" not in sheet and b"hyperlink" not in sheet
    cells = list(openpyxl.load_workbook(io.BytesIO(content)).active.iter_rows())
    assert [cell.value for cell in cells[2]] == ["00123", 12, 0.85, "=cmd|' /C calc'!A0"]
    assert cells[2][0].data_type == "s" and cells[2][1].data_type == "n"
    assert cells[2][3].data_type in ("s", "inlineStr")
    assert cells[3][0].value == "+4420"


def test_the_heading_row_stays_in_sight_and_asked_columns_differ():
    sheet = openpyxl.load_workbook(io.BytesIO(written(notes=["请填写黄色列"]))).active
    assert sheet.freeze_panes == "A3"
    assert sheet["A1"].value == "请填写黄色列"
    assert sheet["A2"].value == "参考号" and sheet["A2"].font.bold
    assert sheet["D2"].fill.fgColor.rgb != sheet["A2"].fill.fgColor.rgb


def test_what_is_written_is_read_back():
    sheet = read_sheet(io.BytesIO(written(notes=["note"])), name="run.xlsx")
    assert sheet.header == ("参考号", "数量", "单价", "备注")
    rows = list(sheet.rows())
    assert rows[0] == (3, ["PO-0001", "3", "1.5", ""])
    assert rows[3][1][0] == "-1+1"


def test_several_sheets_dates_and_characters_xml_cannot_hold():
    buffer = io.BytesIO()
    text = [Column("a"), Column("b")]
    write_xlsx(buffer, [Table("x/y:z" * 9, text, [("a\x0bb", date(2026, 1, 2))]),
                        Table("second", text, [(datetime(2026, 1, 2, 3, 4), "字" * 40_000)])])  # fmt: skip
    book = openpyxl.load_workbook(io.BytesIO(buffer.getvalue()))
    assert len(book.sheetnames) == 2 and len(book.sheetnames[0]) <= 31
    assert [c.value for c in book.worksheets[0][2]] == ["a b", "2026-01-02"]
    assert book.worksheets[1]["A2"].value == "2026-01-02 03:04"
    assert len(book.worksheets[1]["B2"].value) == 32_767


def test_csv_is_escaped_and_read_back_by_both_sides():
    buffer = io.BytesIO()
    write_csv(buffer, Table("x", COLUMNS, ROWS))
    content = buffer.getvalue()
    assert content.startswith(b"\xef\xbb\xbf"), "Excel reads Chinese only with it"
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert rows[2] == ["00123", "12", "0.85", "'=cmd|' /C calc'!A0"]
    assert rows[4][0] == "'-1+1" and read_id(rows[4][0])[0] == "-1+1"
    assert read_sheet(io.BytesIO(content), name="x.csv").header == ("参考号", "数量", "单价", "备注")


def test_what_counts_as_a_formula():
    for bad in ("=1", "+1+1", "-1-1", "@a", "\t=1", "\r=1", "\n=1", " =1", "＝1", "+86 10 1234"):
        assert escape_formula(bad) == "'" + bad
    for good in ("-5.00", "+44", "abc", "a=b", "", "5-3"):
        assert escape_formula(good) == good


def test_writing_is_quick_and_uses_little_memory():
    import tracemalloc

    tracemalloc.start()
    written((f"PO-{n}", n, Decimal("1.50"), None) for n in range(5_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000
