"""Hostile workbooks: refused before anything opens them, quickly and in little memory."""

import io
import zipfile

import openpyxl
import pytest

from daifa.lib.sheets import SheetRefused, guard, read_sheet

WORKBOOK = (
    '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>'
)


def archive(entries, *, compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in entries:
            file.writestr(name, content)
    return buffer.getvalue()


def xlsx(sheet, *more):
    return archive([("xl/workbook.xml", WORKBOOK), ("xl/worksheets/sheet1.xml", sheet), *more])


def refusal(content, name="orders.xlsx"):
    with pytest.raises(SheetRefused) as caught:
        read_sheet(io.BytesIO(content), name=name)
    assert name in caught.value.sentence()
    return caught.value.code


def test_a_zip_bomb_dressed_as_a_workbook():
    bomb = xlsx(b"<worksheet>" + b" " * (guard.RATIO_FREE_BYTES + 5 * guard.MIB))
    assert len(bomb) < 100_000
    assert refusal(bomb) == "workbook_bomb"


def test_a_bomb_is_found_although_the_archive_lies_about_its_size(monkeypatch):
    monkeypatch.setattr(guard, "MAX_WORKBOOK_BYTES", 2 * guard.MIB)
    content = bytearray(xlsx(b"<worksheet>" + b"abcdefgh" * guard.MIB))
    monkeypatch.undo()
    monkeypatch.setattr(guard, "MAX_WORKBOOK_BYTES", 2 * guard.MIB)
    assert refusal(bytes(content)) == "workbook_bomb"
    true_size = (11 + 8 * guard.MIB).to_bytes(4, "little")
    lying = bytes(content).replace(true_size, (1000).to_bytes(4, "little"))
    assert lying != bytes(content)
    assert refusal(lying) in ("workbook_bomb", "workbook_damaged")


def test_too_many_entries():
    assert (
        refusal(archive([("xl/workbook.xml", WORKBOOK), *((f"a{n}", "") for n in range(2_001))]))
        == "workbook_bomb"
    )


def test_an_archive_inside_the_workbook():
    inner = archive([("a", b"x" * 1000)])
    assert refusal(xlsx("<worksheet/>", ("xl/media/image1.bin", inner))) == "workbook_bomb"


def test_entries_that_share_their_bytes():
    content = archive(
        [("xl/workbook.xml", WORKBOOK), ("xl/worksheets/sheet1.xml", b"<worksheet/>" + b"x" * 500)]
    )
    # The second entry of the directory is pointed at the first one's bytes.
    directory = content.rindex(b"PK\x01\x02")
    content = content[: directory + 42] + b"\0\0\0\0" + content[directory + 46 :]
    assert refusal(content) == "workbook_bomb"


def test_xml_that_declares_entities():
    billion = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><worksheet>&a;</worksheet>'
    assert refusal(xlsx(billion)) == "workbook_entities"
    hidden = b"<worksheet>" + b" " * (guard.MIB - 14) + b"<!DOCTYPE x><a/></worksheet>"
    assert refusal(xlsx(hidden)) == "workbook_entities", "also where it lies across two pieces"
    assert refusal(xlsx("<worksheet/>".encode("utf-16"))) == "workbook_entities"


def test_one_cell_in_the_last_corner_of_a_sheet():
    corner = b'<worksheet><sheetData><row r="1"><c r="A1"/></row><row r="1048576"><c r="ZZ1048576"/></row></sheetData></worksheet>'
    assert refusal(xlsx(corner)) == "workbook_too_big"
    wide = b'<worksheet><sheetData><row r="1"><c r="XFD1"/></row></sheetData></worksheet>'
    assert refusal(xlsx(wide)) == "workbook_too_big"


def test_a_long_shared_text_in_very_many_cells():
    text = b"<sst><si><t>" + b"x" * 32_000 + b"</t></si></sst>"
    cells = b"".join(b'<row r="%d"><c r="A%d" t="s"><v>0</v></c></row>' % (n, n) for n in range(1, 20_000))
    content = xlsx(b"<worksheet>" + cells + b"</worksheet>", ("xl/sharedStrings.xml", text))
    assert refusal(content) == "workbook_bomb"


def test_repeated_cells_of_an_open_document():
    def ods(table):
        head = '<office:document-content xmlns:office="o" xmlns:table="t" xmlns:text="x">'
        return archive([("mimetype", "application/vnd.oasis.opendocument.spreadsheet"),
                        ("content.xml", head + table + "</office:document-content>")])  # fmt: skip

    filled = '<table:table-cell office:value-type="string" table:number-columns-repeated="900"><text:p>x</text:p></table:table-cell>'
    assert (
        refusal(
            ods(f'<table:table-row table:number-rows-repeated="1000000">{filled}</table:table-row>'), "a.ods"
        )
        == "workbook_too_big"
    )
    assert refusal(ods('<!DOCTYPE x [<!ENTITY a "b">]>'), "a.ods") in (
        "workbook_entities",
        "workbook_damaged",
    )


def test_protected_workbooks():
    ole = bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 1000 + "EncryptedPackage".encode("utf-16-le")
    assert refusal(ole) == "workbook_encrypted"
    content = bytearray(xlsx("<worksheet/>"))
    at = 0
    while (at := content.find(b"PK\x01\x02", at)) >= 0:
        content[at + 8] |= 1
        at += 4
    assert refusal(bytes(content)) == "workbook_encrypted"


def test_an_archive_that_is_no_workbook_and_a_broken_one():
    assert refusal(archive([("orders.csv", "a,b\n1,2\n")]), "orders.xlsx") == "not_a_workbook"
    whole = xlsx("<worksheet/>")
    assert refusal(whole[:-30]) == "workbook_damaged"
    assert refusal(whole) == "workbook_damaged", "no content types: no library can open it"


def test_a_real_workbook_passes_and_its_blank_tail_does_not_count():
    book = openpyxl.Workbook()
    book.active.append(["Order", "Quantity"])
    for n in range(3000):
        book.active.append([f"A-{n}", n])
    buffer = io.BytesIO()
    book.save(buffer)
    buffer.seek(0)
    assert guard.check_zip(buffer, name="orders.xlsx") == "xlsx"
    assert sum(1 for _ in read_sheet(buffer, name="orders.xlsx").rows()) == 3000
