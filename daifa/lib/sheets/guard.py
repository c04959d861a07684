"""Looks at a file's bytes before anything opens them: what it is, and whether it is safe to unpack.

Workbooks are zip archives of XML, so a file of a few kilobytes can unpack to terabytes, or name one cell in the last
corner of a sheet and make a reader allocate all the others. Every entry is inflated here once, in pieces and with a
running total, because the sizes written in the archive need not be true. Nothing is written to disk.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from typing import BinaryIO

from .problems import N_, SheetRefused

MIB = 1024 * 1024
MAX_FILE_BYTES = 1024 * MIB  # as it lies on the disk
MAX_TEXT_BYTES = 2048 * MIB  # a CSV, unpacked
MAX_TEXT_RATIO = 250  # unpacked / packed of a .gz; real exports reach about 25
MAX_WORKBOOK_BYTES = 400 * MIB  # all entries together, unpacked
MAX_WORKBOOK_RATIO = 150  # of all entries together; sheets of equal rows reach about 60
RATIO_FREE_BYTES = 20 * MIB  # below this unpacked size no ratio is suspicious
MAX_WORKBOOK_ENTRIES = 2_000
MAX_WORKBOOK_COLUMNS = 1_000
MAX_WORKBOOK_CELLS = (
    5_000_000  # rows × columns of one sheet as a reader would allocate it (about 100 bytes each)
)
MAX_SHARED_TEXT = 512 * MIB  # text cells after shared strings are filled in

_ZIP = b"PK\x03\x04"
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x7fELF", "ELF"),
    (b"MZ\x90", "EXE"),
    (b"SQLite format 3", "SQLite"),
    (b"BZh9", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PAR1", "Parquet"),
)


def kind_of(head: bytes) -> str:
    """`zip`, `ole`, `gzip`, `html`, `xml`, `text`, or the name of a known foreign format (`PDF` …)."""
    if head.startswith((_ZIP, b"PK\x05\x06")):
        return "zip"
    if head.startswith(_OLE):
        return "ole"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<table", b"<meta", b"<head", b"<style")):
        return "html"
    if start.startswith(b"<?xml"):
        return "html" if b"<html" in start else "xml"
    return "text"


def check_ole(file: BinaryIO, *, name: str) -> None:
    """Refuses an encrypted workbook and OLE files that are no spreadsheet. The file is read from its start."""
    file.seek(0)
    data = file.read(4 * MIB)
    if "EncryptedPackage".encode("utf-16-le") in data:
        raise SheetRefused(
            "workbook_encrypted",
            N_("“%(file)s” is protected with a password. Save it without a password and try again."),
            {"file": name},
        )
    if "Workbook".encode("utf-16-le") not in data and "Book".encode("utf-16-le") not in data:
        raise SheetRefused(
            "not_a_workbook", N_("“%(file)s” is an Office file but not a spreadsheet."), {"file": name}
        )


def check_zip(file: BinaryIO, *, name: str) -> str:
    """Checks a zip archive before a spreadsheet library opens it; returns `xlsx`, `xlsb` or `ods`.

    Refuses (`SheetRefused`): what is no readable archive or no spreadsheet, encrypted entries, too many entries,
    overlapping entries, archives inside, too much content unpacked or a ratio no real workbook has, XML that declares
    entities, and sheets that would make a reader allocate more cells than `MAX_WORKBOOK_CELLS`.
    """
    try:
        file.seek(0)
        archive = zipfile.ZipFile(file)
        entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, NotImplementedError) as error:
        raise SheetRefused(
            "workbook_damaged",
            N_("“%(file)s” is damaged: the workbook cannot be unpacked."),
            {"file": name},
        ) from error
    if len(entries) > MAX_WORKBOOK_ENTRIES:
        raise _bomb(name)
    names = {entry.filename for entry in entries}
    if "xl/workbook.xml" in names:
        kind = "xlsx"
    elif "xl/workbook.bin" in names:
        kind = "xlsb"
    elif "content.xml" in names and "mimetype" in names:
        kind = "ods"
    else:
        raise SheetRefused(
            "not_a_workbook",
            N_(
                "“%(file)s” is an archive but not a workbook. Unpack it and import the files inside one by one."
            ),
            {"file": name},
        )
    if len(names) != len(entries):
        raise _bomb(name)
    _check_overlap(entries, name=name)
    packed = max(sum(entry.compress_size for entry in entries), 1)
    unpacked = 0
    shared = _SharedStrings()
    for entry in sorted(entries, key=lambda e: e.filename != "xl/sharedStrings.xml"):
        if entry.flag_bits & 0x1:
            raise SheetRefused(
                "workbook_encrypted",
                N_("“%(file)s” is protected with a password. Save it without a password and try again."),
                {"file": name},
            )
        unpacked = _check_entry(archive, entry, unpacked=unpacked, packed=packed, shared=shared, name=name)
    return kind


def _bomb(name: str) -> SheetRefused:
    return SheetRefused(
        "workbook_bomb",
        N_(
            "“%(file)s” would unpack to far more than a workbook of its size can hold and was not opened. "
            "If it is a real file, save it as CSV."
        ),
        {"file": name},
    )


def _too_big(name: str) -> SheetRefused:
    return SheetRefused(
        "workbook_too_big",
        N_(
            "The sheet in “%(file)s” is too large to open: more than %(limit)s cells. Save it as CSV, which has no such limit."
        ),
        {"file": name, "limit": f"{MAX_WORKBOOK_CELLS:,}"},
    )


def _check_overlap(entries: list[zipfile.ZipInfo], *, name: str) -> None:
    """Entries that share bytes are the trick by which 10 MB become 281 TB."""
    end = 0
    for entry in sorted(entries, key=lambda e: e.header_offset):
        if entry.header_offset < end:
            raise _bomb(name)
        end = entry.header_offset + 30 + len(entry.orig_filename.encode()) + entry.compress_size


_CELL = re.compile(rb"\br\s*=\s*[\"']([A-Z]{1,4})(\d{1,9})[\"']")
_ROW = re.compile(rb"<(?:\w+:)?row\b[^>]*?\br\s*=\s*[\"'](\d{1,9})[\"']")
_SHARED_CELL = re.compile(rb"\bt\s*=\s*[\"']s[\"'][^>]*>\s*<(?:\w+:)?v>(\d{1,9})<")
_TAIL = 512


def _check_entry(
    archive: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    *,
    unpacked: int,
    packed: int,
    shared: _SharedStrings,
    name: str,
) -> int:
    lower = entry.filename.lower()
    is_xml = lower.endswith((".xml", ".rels", ".vml"))
    is_sheet = is_xml and lower.startswith("xl/worksheets/")
    is_shared = lower == "xl/sharedstrings.xml"
    sheet = _Extent() if is_sheet else None
    ods = _OdsExtent(name) if lower == "content.xml" else None
    tail = b""
    first = True
    try:
        with archive.open(entry) as stream:
            while chunk := stream.read(MIB):
                unpacked += len(chunk)
                if unpacked > MAX_WORKBOOK_BYTES or (
                    unpacked > RATIO_FREE_BYTES and unpacked > packed * MAX_WORKBOOK_RATIO
                ):
                    raise _bomb(name)
                if first:
                    first = False
                    if (
                        chunk.startswith((_ZIP, b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf"))
                        and "embeddings/" not in lower
                    ):
                        raise _bomb(name)
                    if is_xml and chunk[:2] in (b"\xff\xfe", b"\xfe\xff"):
                        raise _entities(name)
                if not is_xml:
                    continue
                window = tail + chunk
                if b"<!DOCTYPE" in window or b"<!ENTITY" in window:
                    raise _entities(name)
                if sheet:
                    sheet.feed(window, tail_length=len(tail))
                    if sheet.cells() > MAX_WORKBOOK_CELLS or sheet.columns > MAX_WORKBOOK_COLUMNS:
                        raise _too_big(name)
                    if shared.add_use(window, tail_length=len(tail)) > MAX_SHARED_TEXT:
                        raise _bomb(name)
                elif is_shared:
                    shared.feed(chunk)
                elif ods:
                    ods.feed(chunk)
                tail = window[-_TAIL:]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise SheetRefused(
            "workbook_damaged",
            N_("“%(file)s” is damaged: the workbook cannot be unpacked."),
            {"file": name},
        ) from error
    return unpacked


def _entities(name: str) -> SheetRefused:
    return SheetRefused(
        "workbook_entities",
        N_(
            "“%(file)s” holds declarations that no spreadsheet program writes and was not opened. "
            "Save it again with a spreadsheet program."
        ),
        {"file": name},
    )


class _Extent:
    """The corner cell of a sheet as its XML names it."""

    def __init__(self) -> None:
        self.columns = 0
        self.rows = 0
        self.row_marks = 0
        self.cell_marks = 0

    def feed(self, window: bytes, *, tail_length: int) -> None:
        found = _CELL.findall(window)
        if found:
            for letters in {letters for letters, _ in found}:
                self.columns = max(self.columns, _column_number(letters))
            self.rows = max(self.rows, max(int(number) for _, number in found))
        for number in _ROW.findall(window):
            self.rows = max(self.rows, int(number))
        # Cells without references stand one after the other; the marks bound how many there can be.
        self.row_marks += window.count(b"<row", max(tail_length - 3, 0))

    def cells(self) -> int:
        return max(self.rows, self.row_marks) * max(self.columns, 1)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


class _SharedStrings:
    """How much text the cells hold once each shared string is copied into every cell that names it."""

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.rest = b""
        self.total = 0

    def feed(self, chunk: bytes) -> None:
        parts = (self.rest + chunk).split(b"</si>")
        self.rest = parts.pop()
        self.lengths.extend(len(part) for part in parts)

    def add_use(self, window: bytes, *, tail_length: int) -> int:
        if self.lengths and max(self.lengths, default=0) > 1000:
            count = len(self.lengths)
            lengths = self.lengths
            for match in _SHARED_CELL.finditer(window):
                if match.end() > tail_length and (index := int(match[1])) < count:
                    self.total += lengths[index]
        return self.total


class _OdsExtent:
    """Cells an OpenDocument sheet unpacks to, its repeat counts included; runs of empty ones at the end do not count."""

    def __init__(self, name: str) -> None:
        from xml.parsers import expat

        self.name = name
        self.cells = self.width = self.pending = self.row_repeat = self.pending_rows = 0
        self.repeat = 1
        self.filled = False
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.EntityDeclHandler = self._entity

    def feed(self, chunk: bytes) -> None:
        from xml.parsers import expat

        try:
            self.parser.Parse(chunk, False)
        except expat.ExpatError as error:
            raise SheetRefused(
                "workbook_damaged",
                N_("“%(file)s” is damaged: the workbook cannot be unpacked."),
                {"file": self.name},
            ) from error

    def _entity(self, *_args: object) -> None:
        raise _entities(self.name)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "table:table-row":
            self.row_repeat = _repeat(attributes.get("table:number-rows-repeated"))
            self.width = self.pending = 0
        elif tag in ("table:table-cell", "table:covered-table-cell"):
            self.repeat = _repeat(attributes.get("table:number-columns-repeated"))
            self.filled = "office:value-type" in attributes
        elif tag == "text:p":
            self.filled = True

    def _end(self, tag: str) -> None:
        if tag in ("table:table-cell", "table:covered-table-cell"):
            self.pending += self.repeat
            if self.filled:
                self.width, self.filled = self.pending, False
        elif tag == "table:table-row":
            if self.width:
                self.cells += (self.pending_rows + self.row_repeat) * self.width
                self.pending_rows = 0
                if self.width > MAX_WORKBOOK_COLUMNS or self.cells > MAX_WORKBOOK_CELLS:
                    raise _too_big(self.name)
            else:
                self.pending_rows += self.row_repeat


def _repeat(text: str | None) -> int:
    return min(int(text), 10**9) if text and text.isdigit() else 1
