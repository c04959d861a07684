"""Marks are found however they are written, and what stands around them stays."""

import gzip
import io
import zipfile
from email.message import EmailMessage

import pytest

from daifa.lib.redact import GONE, CannotRead, Marks, blanked_bytes, is_same_phone

ANNA = Marks(["Anna O'Wood", "12 High Street", "+44 7700 900123", "anna@example.invalid", "王小明", "Li", "LS1 4AP"])


@pytest.mark.parametrize(
    ("text", "blanked"),
    [
        ("Dear Anna O'Wood, hello", f"Dear {GONE}, hello"),
        ("ANNA  O'WOOD", GONE),
        ("Anna O&apos;Wood", GONE),
        ("call +447700900123 now", f"call {GONE} now"),
        ("07700 900123", GONE),
        ("anna@example.invalid", GONE),
        ("anna%40example.invalid", GONE),
        ("买家王小明已签收", f"买家{GONE}已签收"),
        ("给王小明的", f"给{GONE}的"),
        ("Linen from Li Ning", "Linen from Li Ning"),
        ("1001,Li,Leeds", f"1001,{GONE},Leeds"),
        ("112 High Streets", "112 High Streets"),
        ("LS1-4AP", GONE),
        ("order 1001 of 24.00", "order 1001 of 24.00"),
        ("", ""),
    ],
)
def test_texts(text, blanked):
    assert ANNA.blanked(text) == blanked


@pytest.mark.parametrize(
    ("text", "blanked"),
    [
        ("you may return it in May", "you may return it in May"),
        ("1001,May,Reading", f"1001,{GONE},{GONE}"),
        ("1001,MAY,reading", f"1001,{GONE},{GONE}"),
        ("keep on reading", "keep on reading"),
        ("in transit to Reading", f"in transit to {GONE}"),
        ("AT READING DEPOT", f"AT {GONE} DEPOT"),
        ("Readings", "Readings"),
    ],
)
def test_a_name_that_is_a_word_of_the_language(text, blanked):
    assert Marks(["May", "Reading"]).blanked(text) == blanked


def test_values_of_json_at_any_depth():
    value = {"a": ["Anna O'Wood", 3, None], "b": {"c": "12 High Street"}, "n": 447700900123, "yes": True}
    assert ANNA.blanked_value(value) == {"a": [GONE, 3, None], "b": {"c": GONE}, "n": GONE, "yes": True}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_uploads_in_their_own_encoding(encoding):
    text = "单号,姓名\n1001,王小明\n1002,李四\n"
    assert blanked_bytes(text.encode(encoding), ANNA).decode(encoding) == f"单号,姓名\n1001,{GONE}\n1002,李四\n"


def test_a_file_without_marks_stays_as_it_is():
    content = "1002,李四,Café".encode("cp1252", "replace")
    assert blanked_bytes(content, ANNA) is content


def test_workbooks_archives_and_letters():
    from daifa.lib.sheets import Column, Table, read_sheet, write_xlsx

    book = io.BytesIO()
    write_xlsx(book, Table("Orders", [Column("No"), Column("Name")], [("1001", "Anna O'Wood"), ("1002", "Ben")]))
    blanked = blanked_bytes(book.getvalue(), ANNA)
    rows = [[str(cell) for cell in row[1]] for row in _rows(read_sheet, blanked)]
    assert rows == [["1001", GONE], ["1002", "Ben"]]
    assert gzip.decompress(blanked_bytes(gzip.compress(b"to Anna O'Wood"), ANNA)) == f"to {GONE}".encode()
    letter = EmailMessage()
    letter["Subject"], letter["From"], letter["To"] = "您好 王小明", "shop@example.com", "anna@example.invalid"
    letter.set_content("王小明,您好")
    letter.add_attachment(book.getvalue(), maintype="application", subtype="octet-stream", filename="a.xlsx")
    after = blanked_bytes(letter.as_bytes(), ANNA)
    from email import message_from_bytes

    parts = [part.get_payload(decode=True) for part in message_from_bytes(after).walk() if not part.is_multipart()]
    assert b"anna@example" not in after and "王小明".encode() not in parts[0]
    with zipfile.ZipFile(io.BytesIO(parts[1])) as archive:
        assert not any(b"Wood" in archive.read(name) for name in archive.namelist())


def _rows(read_sheet, content):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book"
        path.write_bytes(content)
        return list(read_sheet(path, name="book.xlsx").rows())


@pytest.mark.parametrize("content", [b"%PDF-1.7 ...", b"\x89PNG\r\n\x1a\n", b"abc\0def"])
def test_what_cannot_be_taken_apart_is_said(content):
    with pytest.raises(CannotRead):
        blanked_bytes(content, ANNA)


OTHER_WAYS = Marks(["張曉明", "Zoë García-Núñez", "138 1234 5678", "zoe@example.invalid", "浙江省杭州市西湖区文三路1号"])


@pytest.mark.parametrize(
    ("text", "blanked"),
    [
        ("买家张晓明已签收", f"买家{GONE}已签收"),
        ("張 曉 明", GONE),
        ("寄：浙江省 杭州市 西湖區文三路１號 收", f"寄：{GONE} 收"),
        ("ZOE GARCIA NUNEZ", GONE),
        ("Zoe\u0308 Garci\u0301a-Nu\u0301n\u0303ez", GONE),
        ("Ｚｏë　Ｇａｒｃíａ－Ｎúñｅｚ", GONE),
        ("ＺＯＥ＠ＥＸＡＭＰＬＥ．ＩＮＶＡＬＩＤ", GONE),
        ("ZOE@Example.Invalid", GONE),
        ("电话１３８１２３４５６７８", f"电话{GONE}"),
        ("+86 138-1234-5678", GONE),
        ("0086 13812345678", GONE),
        ("call 138‑1234‑5678 2 pieces", f"call {GONE} 2 pieces"),
        ("name=%E5%BC%A0%E6%99%93%E6%98%8E&n=1", f"name={GONE}&n=1"),
        (r'{"name": "\u5f20\u6653\u660e"}', f'{{"name": "{GONE}"}}'),
        ("&#24352;&#26195;&#26126;", GONE),
        ("张晓阳", "张晓阳"),
        ("order 138123456789", "order 138123456789"),
        ("1,381,234,567.8", "1,381,234,567.8"),
    ],
)
def test_other_spellings(text, blanked):
    assert OTHER_WAYS.blanked(text) == blanked


def test_what_others_bear_too_goes_only_beside_a_number_or_a_mark():
    marks = Marks(["5 Own Road"], shared=["Ben Wood"], beside=["A-1001"])
    text = "A-1001,Ben Wood\nA-1002,Ben Wood\n5 Own Road; ben wood\n"
    assert marks.blanked(text) == f"A-1001,{GONE}\nA-1002,Ben Wood\n{GONE}; {GONE}\n" and marks.passed == 1
    assert marks.blanked_value({"a": ["Ben Wood", "A-1001"]}) == {"a": [GONE, "A-1001"]}
    assert marks.blanked_value(["Ben Wood", "A-1002"]) == ["Ben Wood", "A-1002"] and marks.passed == 2


@pytest.mark.parametrize("small", [True, False])
def test_rows_of_a_workbook(small):
    from openpyxl import Workbook

    book, buffer = Workbook(write_only=not small), io.BytesIO()
    sheet = book.create_sheet("S")
    for row in (["A-1001", "Ben Wood", "a < b"], ["A-1002", "Ben Wood", "x"], ["A-1003", "Ben Wood", "5 Own Road"]):
        sheet.append(row)
    book.active = 0
    book.save(buffer)
    after = blanked_bytes(buffer.getvalue(), Marks(["5 Own Road"], shared=["Ben Wood"], beside=["A-1001"]))
    from python_calamine import CalamineWorkbook

    read = CalamineWorkbook.from_filelike(io.BytesIO(after)).get_sheet_by_name("S").to_python()
    assert read == [["A-1001", GONE, "a < b"], ["A-1002", "Ben Wood", "x"], ["A-1003", GONE, GONE]]


def test_many_marks_are_one_walk():
    """Ten thousand addresses of one street: each text is walked through once, not once a mark."""
    import time

    marks = Marks([f"浙江省杭州市西湖区文三路{n}号" for n in range(10_000)])
    text = "\n".join(f"{n},浙江省杭州市西湖區文三路{n}號" for n in range(9_990, 10_010))
    began = time.process_time()
    assert marks.blanked(text).count(GONE) == 10
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("138 1234 5678", "+86 138-1234-5678", True),
        ("0086 13812345678", "13812345678", True),
        ("13812345678", "15812345678", False),
        ("+1 212 555 0177", "2125550177", True),
        ("(212) 555-0177", "312-555-0177", False),
        ("+44 (0)7911 555017", "+447911555017", True),
        ("+44 07911 555017", "+44 7911 555017", True),
        ("07911 555017", "7911 555017", True),
        ("+39 06 1234567", "06 1234567", True),
        ("+852 2345 6789", "2345 6789", True),
        ("+86 2345 6789", "2345 6789", False),
        ("555 0123", "5550123", True),
        ("555 0123", "212 555 0123", False),
        ("", "", False),
    ],
)
def test_two_ways_of_writing_one_phone(one, other, same):
    assert is_same_phone(one, other) is same and is_same_phone(other, one) is same


@pytest.mark.parametrize(
    ("known", "text", "blanked"),
    [
        ("+44 7911 555017", "07 911 555 017", GONE),
        ("+44 7911 555017", "+44 (0)7911 555 017", GONE),
        ("+44 7911 555017", "+44 (0) 79 11 55 50 17", GONE),
        ("07911 555017", "tel. +44 7911 555017.", f"tel. {GONE}."),
        ("07911 555017", "447911555017", GONE),
        ("07911 555017", "2 07911555017", f"2 {GONE}"),
        ("7911555017", "1001 7911555017", f"1001 {GONE}"),
        ("13812345678", "15812345678", "15812345678"),
        ("13812345678", "158 1234 5678", "158 1234 5678"),
        ("212-555-0177", "+1 (312) 555-0177", "+1 (312) 555-0177"),
        ("212-555-0177", "+1 (212) 555-0177", GONE),
        ("+852 2345 6789", "call 2345 6789", f"call {GONE}"),
        ("2345 6789", "call +85223456789", f"call {GONE}"),
    ],
)
def test_a_phone_goes_whole_and_nobody_elses(known, text, blanked):
    assert Marks([known]).blanked(text) == blanked
