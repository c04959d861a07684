"""What a sieve of words leaves out is certainly not there: neither in a text nor in anything packed into a file."""

import gzip
import io
import random
import zipfile
from email.message import EmailMessage
from functools import cache

import pytest
from openpyxl import Workbook

from daifa.lib.redact import CannotRead, Listener, Marks, TooMuch, blanked_bytes, heads_of
from daifa.lib.sieve import Sieve, spot

KEY = b"k" * 32
VALUES = [
    "Anna O'Wood", "12 High Street", "+44 7700 900123", "anna@example.invalid", "王小明", "Li", "LS1 4AP", "138 1234 5678", "浙江省杭州市文三路1号",
    "Zoë Ångström", "852 1234 5678", "6123 4567", "张晓明", "Reading", "O'Neil",
]  # fmt: skip
WRITTEN = [
    "Dear Anna O'Wood, hello", "ANNA  O'WOOD", "Anna O&apos;Wood", "call +447700900123 now", "07700 900123", "anna%40example.invalid",
    "买家王小明已签收", "1001,Li,Leeds", "LS1-4AP", "+86 138-1234-5678", "0086 13812345678", "１３８１２３４５６７８", "浙江省 杭州市 文三路１号",
    "ZOE ANGSTROM", "Zoe\u0308 A\u030angstro\u0308m", "+852 12345678", "12345678", "61234567", "張曉明", "张 晓明", "in Reading today", "\\u738b\\u5c0f\\u660e",
    "O-Neil", "tel 0044 (0) 7700 900 123",
]  # fmt: skip


@cache
def heard(content: bytes) -> set[str]:
    listener = Listener()
    assert blanked_bytes(content, listener) is content
    return listener.keys


def stands_whole(marks: Marks, keys: set[str]) -> bool:
    return marks.may_stand_in(keys.__contains__)


@cache
def packed(text: str) -> dict[str, bytes]:
    """The same words in everything that is taken apart."""
    found = {encoding: f"a,b,c\n{text},x\n".encode(encoding, "replace") for encoding in ("utf-8", "utf-8-sig", "gb18030", "utf-16")}
    book, out = Workbook(), io.BytesIO()
    book.active.append(["x", text, 5])
    book.save(out)
    found["xlsx"] = out.getvalue()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", found["utf-8"])
        archive.writestr("sheet.xml", f"<is><t>{text}</t></is>".encode())
    found["zip"] = out.getvalue()
    found["gzip"] = gzip.compress(found["gb18030"])
    letter = EmailMessage()
    letter["Subject"], letter["To"], letter["From"] = f"about {text}", "x@example.invalid", "y@example.invalid"
    letter.set_content("see the workbook")
    letter.add_attachment(found["xlsx"], maintype="application", subtype="octet-stream", filename="a.xlsx")
    found["mail"] = letter.as_bytes()
    return found


@pytest.mark.parametrize("text", WRITTEN)
def test_whatever_is_found_leaves_its_trail(text):
    for value in VALUES:
        for shared in ((), (value,)):
            marks = Marks([value] if not shared else ["12345-only-theirs"], shared=shared, beside=["1001"])
            for name, content in packed(f"1001 {text}" if shared else text).items():
                try:
                    found = blanked_bytes(content, marks) != content
                except CannotRead:
                    continue
                if found:
                    assert stands_whole(marks, heard(content)), (value, text, name)
                    if not shared:
                        assert heads_of([value]) & heard(content), (value, text, name)


def test_what_is_not_there_leaves_none():
    keys = heard(packed("Ben Stone of 13 Low Road, +44 7700 900124, ben@example.invalid, 李小明")["xlsx"])
    for value in VALUES:
        assert not stands_whole(Marks([value]), keys), value


def test_of_hundreds_of_marks_no_trail_is_kept():
    assert Marks([f"Name{n} Person" for n in range(300)]).may_stand_in(lambda key: False)


def test_what_others_bear_too_needs_a_number_of_theirs():
    marks = Marks(["anna@example.invalid"], shared=["Anna Wood"], beside=["A-1001"])
    assert not stands_whole(marks, heard(b"B-7,Anna Wood,Leeds"))
    assert stands_whole(marks, heard(b"A-1001,Anna Wood,Leeds")) and stands_whole(marks, heard(b"anna@example.invalid"))
    assert not stands_whole(marks, heard(b"A-1001,somebody else"))


def test_a_text_of_too_many_words_is_given_up(monkeypatch):
    monkeypatch.setattr("daifa.lib.redact.MOST_HEARD", 10)
    with pytest.raises(TooMuch):
        Listener().blanked("one two three four five six seven eight nine ten eleven")


def test_a_sieve_lets_pass_what_was_put_in_and_hardly_more():
    dice = random.Random(7)
    words = {f"{dice.random()} {n}" for n in range(5000)}
    sieve = Sieve.of(words, KEY)
    assert all(sieve.may_hold(word) for word in words)
    assert sum(sieve.may_hold(f"other {n}") for n in range(5000)) < 50
    assert len(sieve.bits) == 7500
    # Stored and read back; under another key nothing can be told.
    again = Sieve(KEY, bytes(sieve.bits))
    assert all(again.may_hold_spot(spot(word, KEY)) for word in words)
    assert sum(Sieve(b"x" * 32, bytes(sieve.bits)).may_hold(word) for word in words) < 50
    here = Sieve.for_about(len(words))
    here.add(words)
    assert all(map(here.may_hold, words)) and sum(here.may_hold(f"other {n}") for n in range(5000)) < 50
    empty = Sieve.of((), KEY)
    assert not empty.may_hold("anything")
