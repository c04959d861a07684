"""Files as they arrive: encodings, delimiters, headers, and what is refused with a sentence."""

import gzip
import io
import subprocess
import sys
import textwrap
import zipfile
from datetime import datetime

import openpyxl
import pytest

from daifa.lib.sheets import SheetRefused, read_sheet
from daifa.lib.sheets.reader import as_text

TABLE = "订单号,商品编码,数量,备注\n1001,00123,2,红色\n1002,A-7,1,蓝色\n"


def sheet_of(content, name="orders.csv", **options):
    return read_sheet(io.BytesIO(content), name=name, **options)


def refusal(content, name="orders.csv", **options):
    with pytest.raises(SheetRefused) as caught:
        sheet = sheet_of(content, name=name, **options)
        list(sheet.rows())
    assert name in caught.value.sentence() or caught.value.code == "worksheet_missing"
    return caught.value.code


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("gbk", "gb18030"),
        ("gb18030", "gb18030"),
    ],
)
def test_chinese_in_any_encoding(encoding, found):
    # Without a byte order mark UTF-16 shows by the zero bytes of plain letters, so the file needs some.
    text = TABLE + "".join(f"{n},SKU-{n},1,plain\n" for n in range(2000, 2040))
    sheet = sheet_of(text.encode(encoding))
    assert sheet.encoding == found
    assert sheet.header == ("订单号", "商品编码", "数量", "备注")
    assert next(sheet.rows()) == (2, ["1001", "00123", "2", "红色"])


def test_western_european_text_is_not_taken_for_chinese():
    text = "Artikel;Größe;Preis\n1;Übergröße;£ 0,85\n2;Äpfel;£ 1,20\n"
    sheet = sheet_of(text.encode("cp1252"))
    assert (sheet.encoding, sheet.delimiter) == ("cp1252", ";")
    assert next(sheet.rows()) == (2, ["1", "Übergröße", "£ 0,85"])


def test_the_encoding_is_proved_on_the_whole_stream_not_on_its_beginning():
    plain = b"number,title\n" + b"1,plain\n" * 60_000  # far beyond the sample
    assert sheet_of(plain + "2,红色大号\n".encode("gbk")).encoding == "gb18030"
    assert sheet_of(plain + "2,café £5\n".encode("cp1252")).encoding == "cp1252"
    assert sheet_of(plain + "2,红色\n".encode()).encoding == "utf-8"


def test_a_file_of_two_encodings_is_refused():
    broken = "number,title\n1,红色大号\n".encode("gbk") + b"2,\x81\x20\xff\n"
    assert refusal(broken) == "encoding_unknown"
    assert refusal(TABLE.encode("gbk"), encoding="utf-8") == "encoding_wrong"
    assert refusal("a,b\n1,2\n".encode("utf-16")[:-1]) == "encoding_unknown"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter):
    lines = [
        ["number", "price", "title"],
        ["1", "0,85" if delimiter != "," else "0.85", "a"],
        ["2", "3", "b"],
    ]
    sheet = sheet_of("\r\n".join(delimiter.join(line) for line in lines).encode())
    assert sheet.delimiter == delimiter
    assert [cells for _, cells in sheet.rows()] == lines[1:]


@pytest.mark.parametrize(
    "delimiter, lines",
    [
        # One quoted cell of many lines, each with as many semicolons.
        (",", ["Orders of May", "sku,title,notes", 'A,Mug,"' + "\r\n".join(f"line {n}; left; right" for n in range(80)) + '"', "B,Lamp,"]),
        # Semicolons in a cell of every row, and titles whose commas nobody quoted.
        (",", ["sku,title,tags,price", "A,Mug,red;big;new,3", "B,Lamp, tall,blue;small;old,4", "C,Jug, blue, old,a;b;c,5", "D,Cup,x;y;z,6"]),
        # One row, one cell with more semicolons than the table has columns.
        (",", ["sku,title", "A," + ";".join("abcdefghijklmnopqrstuvwxyz")]),
        # Decimal commas, two a row, in a file of semicolons with two columns fewer commas in its headings.
        (";", ["sku;price;freight", "A;0,85;1,20", "B;1,10;2,00", "C;3,50;0,99"]),
        (";", ["Report, May, 2026", "sku;price", "A;0,85", "B;1,10"]),
        ("\t", ["sku\ttitle", "A\tred, green; blue | white", "B\tred, green; blue | white", "C\tx"]),
        # An inch mark opens no quotation.
        (",", ["sku,title,size", '1,19" rack;black,2', '2,21" rack;white,3']),
    ],
)  # fmt: skip
def test_what_stands_in_cells_is_no_delimiter(delimiter, lines):
    sheet = sheet_of("\r\n".join(lines).encode())
    assert sheet.delimiter == delimiter
    assert "sku" in sheet.header


@pytest.mark.parametrize("encoding", ["base64", "zip", "rot13", "undefined", "nonsense", "idna", "utf-16"])
def test_an_encoding_that_does_not_fit_is_a_sentence(encoding):
    with pytest.raises(SheetRefused) as refused:
        sheet_of(b"sku,title\nA,\xff\xfe\xfd\n", encoding=encoding)
    assert refused.value.code == "encoding_wrong"


def test_excels_announced_delimiter_counts_as_a_row():
    sheet = sheet_of(b"sep=;\r\nnumber;title\r\n1;a,b\r\n")
    assert (sheet.delimiter, sheet.header_row) == (";", 2)
    assert list(sheet.rows()) == [(3, ["1", "a,b"])]


def test_row_numbers_are_those_of_a_spreadsheet_program():
    text = 'Export of 2009-12-01\n\n订单号,数量,备注\n1001,2,"one\nline, two"\n\n1002,1,\n,,\n'
    sheet = sheet_of(text.encode())
    assert (sheet.header_row, sheet.preamble) == (3, ("Export of 2009-12-01",))
    assert list(sheet.rows()) == [(4, ["1001", "2", "one\nline, two"]), (6, ["1002", "1", ""])]
    assert list(sheet.rows()) == list(sheet.rows()), "a sheet can be read again"


def test_short_rows_are_padded_and_long_ones_kept():
    sheet = sheet_of(b"a,b,c\n1\n1,2,3,4\n")
    assert [cells for _, cells in sheet.rows()] == [["1", "", ""], ["1", "2", "3", "4"]]


def test_gzip_and_old_line_ends():
    assert [c for _, c in sheet_of(gzip.compress(TABLE.encode(), mtime=0), "orders.csv.gz").rows()][1][1] == "A-7"
    assert [c for _, c in sheet_of(b"a,b\r1,2\r3,4\r").rows()] == [["1", "2"], ["3", "4"]]


def test_one_column_is_a_table_too():
    sheet = sheet_of(b"Tracking number\nYT1234567890123\nYT1234567890124\n")
    assert sheet.header == ("Tracking number",)
    assert len(list(sheet.rows())) == 2


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"", "orders.csv", "empty"),
        (b"\n \r\n", "orders.csv", "empty"),
        (b"\xef\xbb\xbf", "orders.csv", "empty"),
        (b"number,title,quantity\n", "orders.csv", "header_only"),
        (
            b"1001,85123A,12,2009-12-01\n1002,85123A,3,2009-12-02\n1003,1,1,2009-12-02\n",
            "orders.csv",
            "no_header",
        ),
        (bytes(range(256)) * 40, "orders.csv", "not_a_table"),
        (b"%PDF-1.7 and so on", "orders.csv", "not_a_table"),
        (b"\x89PNG\r\n\x1a\n....", "orders.xlsx", "not_a_table"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "orders.xls", "web_page"),
        (b"number,title\n1,a\n", "orders.xlsx", "wrong_extension"),
        (gzip.compress(b"number,title\n1,a\n", mtime=0)[:-12], "orders.csv.gz", "archive_damaged"),
        (gzip.compress(b"%PDF-1.7", mtime=0), "orders.csv.gz", "not_a_table"),
        (b'number,title\n1,"never closed\n2,b\n3,c\n', "orders.csv", "quote_not_closed"),
        (b'number,title\n1,"' + b"line\n" * 2500, "orders.csv", "quote_not_closed"),
        (b'number,title\n1,"' + b"x" * 1_100_000 + b'"\n', "orders.csv", "cell_too_long"),
        (b"PK\x03\x04 no archive at all", "orders.xlsx", "workbook_damaged"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600, "orders.xls", "not_a_workbook"),
    ],
)
def test_what_is_refused(content, name, code):
    assert refusal(content, name) == code


def test_a_gzip_bomb_stops_early():
    assert refusal(gzip.compress(b"a,b\n" + b"1,2\n" * 15_000_000, mtime=0), "orders.csv.gz") == "archive_bomb"


def workbook(*rows, title="Orders", change=None):
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    if change:
        change(book)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_a_workbook_gives_the_text_a_person_means():
    content = workbook(
        ["December orders"],
        [],
        ["Order", "SKU", "Qty", "Price", "Date", "Paid"],
        [489434, "00123", 2, 0.1 + 0.2, datetime(2009, 12, 1, 7, 45), True],
        [123456789012345678, 85048.0, 1, 12, datetime(2009, 12, 1), False],
    )
    sheet = sheet_of(content, "orders.xlsx")
    assert (sheet.kind, sheet.worksheet, sheet.header_row, sheet.preamble) == (
        "xlsx",
        "Orders",
        3,
        ("December orders",),
    )
    rows = list(sheet.rows())
    assert rows[0] == (4, ["489434", "00123", "2", "0.3", "2009-12-01 07:45:00", "true"])
    assert rows[1][1][:2] == ["1.23456789012346E+17", "85048"], (
        "an id of 18 digits lost digits in the spreadsheet"
    )
    assert list(sheet.rows()) == rows


def test_numbers_of_workbooks():
    assert [as_text(v) for v in (1.0, 1e-05, -0.5, 999999999999999.0, 1e15, 0.1, None, True, 7)] == [
        "1", "0.00001", "-0.5", "999999999999999", "1.00000000000000E+15", "0.1", "", "true", "7",
    ]  # fmt: skip


def test_a_formula_is_never_run():
    sheet = sheet_of(workbook(["Order", "Qty"], ["1001", "=1+1"], ["1002", "3"]), "orders.xlsx")
    assert [cells for _, cells in sheet.rows()] == [["1001", ""], ["1002", "3"]]
    text = sheet_of(b"Order,Title\n1001,=HYPERLINK(0)\n")
    assert next(text.rows())[1] == ["1001", "=HYPERLINK(0)"]


def test_cells_merged_downwards_count_for_each_row():
    def merge(book):
        book.active.merge_cells("A2:A3")

    sheet = sheet_of(
        workbook(
            ["Reference", "Tracking number"], ["P-1", "YT1"], [None, "YT2"], ["P-2", "YT3"], change=merge
        ),
        "reply.xlsx",
    )
    assert [cells for _, cells in sheet.rows()] == [["P-1", "YT1"], ["P-1", "YT2"], ["P-2", "YT3"]]


def test_worksheets():
    def second(book):
        book.create_sheet("Hidden").append(["x"])
        book["Hidden"].sheet_state = "hidden"
        other = book.create_sheet("Other")
        other.append(["a", "b"])
        other.append(["1", "2"])

    content = workbook(["Order", "Qty"], ["1001", "1"], change=second)
    sheet = sheet_of(content, "orders.xlsx")
    assert (sheet.worksheet, sheet.other_worksheets) == ("Orders", ("Other",))
    assert sheet_of(content, "orders.xlsx", worksheet="Other").header == ("a", "b")
    assert refusal(content, "orders.xlsx", worksheet="None") == "worksheet_missing"
    assert refusal(workbook(), "orders.xlsx") == "empty"
    assert refusal(content, "orders.csv") == "wrong_extension"


def test_an_open_document():
    cells = "".join(
        f'<table:table-row>{"".join(cell)}</table:table-row>'
        for cell in (
            ['<table:table-cell office:value-type="string"><text:p>订单号</text:p></table:table-cell>',
             '<table:table-cell office:value-type="string"><text:p>数量</text:p></table:table-cell>'],
            ['<table:table-cell office:value-type="string"><text:p>00123</text:p></table:table-cell>',
             '<table:table-cell office:value-type="float" office:value="2"><text:p>2</text:p></table:table-cell>'],
        )
    )  # fmt: skip
    blank = '<table:table-row table:number-rows-repeated="1048570"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    content = (
        '<?xml version="1.0" encoding="UTF-8"?><office:document-content '
        'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>'
        f'<table:table table:name="T">{cells}{blank}</table:table></office:spreadsheet></office:body></office:document-content>'
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        )
        archive.writestr("content.xml", content)
    sheet = sheet_of(buffer.getvalue(), "orders.ods")
    assert (sheet.kind, sheet.header) == ("ods", ("订单号", "数量"))
    assert list(sheet.rows()) == [(2, ["00123", "2"])]


@pytest.mark.slow
def test_a_file_of_200_mb_streams_in_little_memory(tmp_path):
    path = tmp_path / "orders.csv"
    title = "字" * 130
    with open(path, "w", encoding="utf-8") as file:
        file.write("Order number,Order date,SKU,Title,Quantity,Price\n")
        for n in range(440_000):
            file.write(f"{n},2009-12-01 07:45:00,SKU-{n % 900},{title},2,1.25\n")
    assert path.stat().st_size > 190_000_000
    script = textwrap.dedent(f"""
        from datetime import UTC
        from daifa.connectors.manual.connector import read_file
        opened = read_file("orders", {str(path)!r}, store_currency="GBP", tz=UTC)
        assert sum(1 for _ in opened.account.watch(opened.records)) == 440_000
        assert opened.account.balances()
        # Of this program alone: the kernel's maxrss would count the process that forked it, too.
        print(next(int(row.split()[1]) // 1024 for row in open("/proc/self/status") if row.startswith("VmHWM")))
    """)
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=240
    )
    assert int(answer.stdout) < 150
