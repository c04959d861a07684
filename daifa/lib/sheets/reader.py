"""Reads any table a merchant or a factory sends: CSV, TSV, semicolon and pipe files, gzip, XLSX, XLS, ODS.

A `Sheet` is opened once (encoding, delimiter and header row are found, the whole stream is proved decodable) and can
then be read through as often as needed without being held in memory. Row numbers are those a person sees in a
spreadsheet program: 1-based, title lines, blank lines and the header included. Cells are text, exactly as written;
`cells.py` turns them into values.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import re
import zlib
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from . import guard
from .cells import clean_text
from .problems import N_, SheetRefused

SAMPLE_BYTES = 256 * 1024
HEADER_WITHIN = 30  # rows in which the header must stand
MAX_COLUMNS = 2_000
MAX_CELL = 1_000_000  # characters
MAX_MERGED_ROWS = 5_000
MAX_LINES_A_ROW = 2_000  # a quoted cell may hold line ends; more than this is a quote that was never closed
_DELIMITERS = (",", ";", "\t", "|")
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Sheet:
    """A table with a header. `rows()` yields `(row number, cells)`; cells are padded to the header's length.

    A row may be longer than the header: then a delimiter stood unquoted in a cell, and the reader of the row must
    refuse it. Blank rows are left out. A file object (not a path) allows one iteration at a time.
    """

    name: str
    kind: str  # csv, xlsx, xls, xlsb, ods
    header: tuple[str, ...]
    header_row: int
    preamble: tuple[str, ...] = ()  # title lines above the header, for people
    encoding: str = ""  # csv only
    delimiter: str = ""  # csv only
    worksheet: str = ""
    other_worksheets: tuple[str, ...] = ()
    _source: Any = field(default=None, repr=False, compare=False)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """All rows below the header that hold anything. Raises `SheetRefused` where the file breaks off."""
        width = len(self.header)
        for number, cells in self._source.records():
            if number <= self.header_row:
                continue
            if len(cells) < width:
                if not any(cell and not cell.isspace() for cell in cells):
                    continue
                cells = cells + [""] * (width - len(cells))
            elif not cells[0] and not any(cell and not cell.isspace() for cell in cells):
                continue
            yield number, cells

    def sample(self, count: int = 200) -> list[tuple[int, list[str]]]:
        """The first `count` rows."""
        found = []
        for row in self.rows():
            found.append(row)
            if len(found) >= count:
                break
        return found

    def column(self, name: str) -> int:
        """Index of the header `name`; raises KeyError."""
        try:
            return self.header.index(name)
        except ValueError:
            raise KeyError(name) from None


def read_sheet(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    name: str = "",
    worksheet: str = "",
    encoding: str = "",
    delimiter: str = "",
) -> Sheet:
    """Opens a table. `name` is what the person called the file (its ending is checked against the content).

    `worksheet`, `encoding` and `delimiter` override what would be found. Raises `SheetRefused`: `empty`,
    `header_only`, `no_header`, `not_a_table`, `wrong_extension`, `web_page`, `encoding_unknown`, `file_too_big`,
    `archive_bomb`, `quote_not_closed`, `cell_too_long`, `worksheet_missing` and the `workbook_…` codes of `guard`.
    """
    if not name:
        name = (
            Path(os.fspath(source)).name
            if isinstance(source, (str, os.PathLike))
            else str(getattr(source, "name", "file"))
        )
        name = Path(name).name
    opened = _Bytes(source)
    size = opened.size()
    if size == 0:
        raise SheetRefused("empty", N_("“%(file)s” is empty."), {"file": name})
    if size > guard.MAX_FILE_BYTES:
        raise SheetRefused(
            "file_too_big",
            N_("“%(file)s” is larger than %(limit)s MB. Split it and import the parts one by one."),
            {"file": name, "limit": guard.MAX_FILE_BYTES // guard.MIB},
        )
    with opened.open() as file:
        head = file.read(4096)
    kind = guard.kind_of(head)
    _check_extension(kind, name)
    if kind in ("zip", "ole"):
        return _read_workbook(opened, kind=kind, name=name, worksheet=worksheet)
    if kind == "html":
        raise SheetRefused(
            "web_page",
            N_(
                "“%(file)s” is a web page, although it may be named like a workbook. Open it in a spreadsheet program, "
                "save it as XLSX or CSV and import that."
            ),
            {"file": name},
        )
    if kind == "gzip":
        opened.unpack(name)
        with opened.open() as file:
            inner = guard.kind_of(file.read(4096))
        if inner != "text":
            raise SheetRefused(
                "not_a_table",
                N_("“%(file)s” is not a table (it looks like %(found)s)."),
                {"file": name, "found": inner},
            )
    elif kind != "text":
        raise SheetRefused(
            "not_a_table",
            N_("“%(file)s” is not a table (it looks like %(found)s)."),
            {"file": name, "found": kind.upper() if kind == "xml" else kind},
        )
    return _read_text(opened, name=name, encoding=encoding, delimiter=delimiter)


def _check_extension(kind: str, name: str) -> None:
    lower = name.lower()
    ending = lower.rpartition(".")[2] if "." in lower else ""
    workbook_name = ending in ("xlsx", "xlsm", "xls", "xlsb", "ods")
    if workbook_name and kind in ("text", "gzip"):
        raise SheetRefused(
            "wrong_extension",
            N_(
                "“%(file)s” is named like a workbook but holds plain text. Rename it to end in .csv and try again."
            ),
            {"file": name},
        )
    if ending in ("csv", "tsv", "txt", "tab", "gz") and kind in ("zip", "ole"):
        raise SheetRefused(
            "wrong_extension",
            N_(
                "“%(file)s” is named like a text file but is a workbook or archive. Rename it to end in .xlsx and try again."
            ),
            {"file": name},
        )


# ---------------------------------------------------------------------------------------------------------- bytes


class _Bytes:
    """A path or a seekable file that can be opened again and again, unpacked where it is gzip."""

    def __init__(self, source: str | os.PathLike[str] | BinaryIO) -> None:
        self.path = os.fspath(source) if isinstance(source, (str, os.PathLike)) else None
        self.file = None if self.path is not None else source
        self.packed_name = ""

    def size(self) -> int:
        if self.path is not None:
            return os.stat(self.path).st_size
        self.file.seek(0, os.SEEK_END)
        return self.file.tell()

    def unpack(self, name: str) -> None:
        self.packed_name = name

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        if self.path is not None:
            with open(self.path, "rb") as file:
                yield self._unpacked(file)
        else:
            self.file.seek(0)
            yield self._unpacked(self.file)

    def _unpacked(self, file: BinaryIO) -> BinaryIO:
        if not self.packed_name:
            return file
        return _Gunzip(file, name=self.packed_name, packed=max(self.size_quietly(file), 1))

    def size_quietly(self, file: BinaryIO) -> int:
        position = file.tell()
        file.seek(0, os.SEEK_END)
        size = file.tell()
        file.seek(position)
        return size


class _Gunzip(io.RawIOBase):
    """A gzip stream with a running total, so that a bomb stops early; a damaged one is refused with a sentence."""

    def __init__(self, file: BinaryIO, *, name: str, packed: int) -> None:
        self._stream = gzip.GzipFile(fileobj=file, mode="rb")
        self._name = name
        self._packed = packed
        self._total = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except (OSError, EOFError, zlib.error) as error:
            raise SheetRefused(
                "archive_damaged",
                N_("“%(file)s” is damaged: it cannot be unpacked to its end."),
                {"file": self._name},
            ) from error
        self._total += len(data)
        if self._total > guard.MAX_TEXT_BYTES or (
            self._total > guard.RATIO_FREE_BYTES and self._total > self._packed * guard.MAX_TEXT_RATIO
        ):
            raise SheetRefused(
                "archive_bomb",
                N_(
                    "“%(file)s” would unpack to far more than a table of its size can hold and was not read further."
                ),
                {"file": self._name},
            )
        buffer[: len(data)] = data
        return len(data)


# ----------------------------------------------------------------------------------------------------------- text


def _read_text(opened: _Bytes, *, name: str, encoding: str, delimiter: str) -> Sheet:
    encoding = _find_encoding(opened, name=name, wanted=encoding)
    with opened.open() as file:
        sample = codecs.getincrementaldecoder(encoding)().decode(_read_full(file, SAMPLE_BYTES))
    if not sample.strip("\ufeff \t\r\n\0"):
        raise SheetRefused("empty", N_("“%(file)s” is empty."), {"file": name})
    skip = 0
    if announced := re.match(r"\ufeff?sep=(.)\r?\n", sample):  # Excel's own announcement of a delimiter
        delimiter = delimiter or announced[1]
        skip = 1
    delimiter = delimiter or _find_delimiter(sample)
    source = _TextRows(opened, name=name, encoding=encoding, delimiter=delimiter, skip=skip)
    return _with_header(source, name=name, kind="csv", encoding=encoding, delimiter=delimiter)


def _read_full(file: BinaryIO, size: int) -> bytes:
    parts, total = [], 0
    while total < size and (part := file.read(size - total)):
        parts.append(part)
        total += len(part)
    return b"".join(parts)


def _find_encoding(opened: _Bytes, *, name: str, wanted: str) -> str:
    """Proposes an encoding from the first bytes and proves it on the whole stream."""
    if wanted:
        if _decodes(opened, wanted):
            return wanted
        raise SheetRefused(
            "encoding_wrong",
            N_("“%(file)s” cannot be read as %(encoding)s."),
            {"file": name, "encoding": wanted},
        )
    with opened.open() as file:
        head = _read_full(file, SAMPLE_BYTES)
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        candidates: tuple[str, ...] = ("utf-32",)
    elif head.startswith(codecs.BOM_UTF8):
        candidates = ("utf-8-sig",)
    elif head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = ("utf-16",)
    elif utf16 := _bare_utf16(head):
        candidates = (utf16,)
    else:
        control = len(head) - len(
            head.translate(None, bytes([*range(9), 11, *range(14, 27), *range(28, 32)]))
        )
        if control > len(head) * 0.01 + 2:
            raise SheetRefused(
                "not_a_table",
                N_("“%(file)s” is not a table (it looks like %(found)s)."),
                {"file": name, "found": "binary data"},
            )
        candidates = ("utf-8",)
    for candidate in candidates:
        if _decodes(opened, candidate):
            return candidate
    if candidates == ("utf-8",):
        if _looks_chinese(opened) and _decodes(opened, "gb18030"):
            return "gb18030"
        if _decodes(opened, "cp1252"):
            return "cp1252"
    raise SheetRefused(
        "encoding_unknown",
        N_(
            "The characters in “%(file)s” cannot be read: it is neither UTF-8, UTF-16, GBK nor Windows-1252 throughout. "
            "Save it as “CSV UTF-8” and try again."
        ),
        {"file": name},
    )


def _bare_utf16(head: bytes) -> str:
    if len(head) < 4 or b"\0" not in head[:2000]:
        return ""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > half * 0.4 and even < odd * 0.1:
        return "utf-16-le"
    if even > half * 0.4 and odd < even * 0.1:
        return "utf-16-be"
    return ""


def _decodes(opened: _Bytes, encoding: str) -> bool:
    try:
        found = codecs.lookup(encoding)
    except (LookupError, ValueError):
        return False
    if not found._is_text_encoding or found.incrementaldecoder is None:  # base64, zip: of bytes, not of text
        return False
    decoder = found.incrementaldecoder()
    plain = encoding in ("utf-8", "gb18030", "cp1252")
    pending = False
    try:
        with opened.open() as file:
            while chunk := file.read(_CHUNK):
                if plain and not pending and chunk.isascii():
                    continue
                decoder.decode(chunk)
                pending = decoder.getstate()[0] != b""
            decoder.decode(b"", True)
    except UnicodeError:
        return False
    return True


def _looks_chinese(opened: _Bytes) -> bool:
    """GBK against Windows-1252: Chinese text is pairs of high bytes with a frequent lead, European text is single ones."""
    high = pairs = 0
    ascii_bytes = bytes(range(128))
    with opened.open() as file:
        while (chunk := file.read(_CHUNK)) and high < 100_000:
            if not chunk.isascii():
                high += len(chunk.translate(None, ascii_bytes))
                pairs += len(re.findall(rb"[\xa1-\xa3\xb0-\xd7][\xa1-\xfe]", chunk))
    return high > 0 and pairs * 2 >= high * 0.5


# A quoted cell, where one may begin and end. What stands in it separates nothing.
_QUOTED = re.compile(r"""(?:(?<=[,;\t|\r\n])|\A)"(?:[^"]|"")*+"(?=[,;\t|\r\n]|\Z)""")


def _find_delimiter(sample: str) -> str:
    """The character that cuts most rows into the same number of cells, the headings first among them.

    Counted outside quotes. One that begins to cut only below a row which another one cuts as it cuts the rest stands
    inside cells: `red;big;new` in a file of commas, `0,85` in a file of semicolons.
    """
    sample = sample.lstrip("\ufeff")
    if (cut := sample.rfind("\n")) > 0 and len(sample) > 1000:
        sample = sample[:cut]
    lines = [line for line in _QUOTED.sub("_", sample).splitlines()[:300] if line.strip(" \t,;|")]
    found: dict[str, tuple[int, float, int]] = {}  # delimiter → first row it cuts as most, share of rows, cuts
    for delimiter in _DELIMITERS:
        cuts = [line.count(delimiter) for line in lines]
        if any(cuts):
            usual, hits = max(Counter(n for n in cuts if n).items(), key=lambda item: (item[1], item[0]))
            found[delimiter] = cuts.index(usual), hits / len(lines), usual
    begins = min((first for first, share, _cuts in found.values() if share >= 0.3), default=0)

    def worth(delimiter: str) -> float:
        first, share, cuts = found[delimiter]
        return share - (0.5 if first > begins else 0) + min(cuts + 1, 50) / 1000

    return max(found, key=worth, default=",")


class _TextRows:
    """The records of a text table, numbered as a spreadsheet program numbers them."""

    def __init__(self, opened: _Bytes, *, name: str, encoding: str, delimiter: str, skip: int = 0) -> None:
        self.opened, self.name, self.encoding, self.delimiter, self.skip = (
            opened,
            name,
            encoding,
            delimiter,
            skip,
        )

    def records(self) -> Iterator[tuple[int, list[str]]]:
        csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL))
        last_lines: deque[str] = deque(maxlen=MAX_LINES_A_ROW + 1)
        with self.opened.open() as file:
            buffered = file if not isinstance(file, _Gunzip) else io.BufferedReader(file, _CHUNK)
            text = io.TextIOWrapper(buffered, encoding=self.encoding, newline="")
            try:
                yield from self._records(text, last_lines)
            except UnicodeDecodeError as error:
                raise SheetRefused(
                    "encoding_unknown",
                    N_(
                        "The characters in “%(file)s” cannot be read: it is neither UTF-8, UTF-16, GBK nor Windows-1252 "
                        "throughout. Save it as “CSV UTF-8” and try again."
                    ),
                    {"file": self.name},
                ) from error
            finally:
                text.detach()

    def _records(self, text: io.TextIOWrapper, last_lines: deque[str]) -> Iterator[tuple[int, list[str]]]:
        remember = last_lines.append

        def lines() -> Iterator[str]:
            first = True
            for line in text:
                if first:
                    line, first = line.lstrip("\ufeff"), False
                remember(line)
                yield line

        reader = csv.reader(lines(), delimiter=self.delimiter)
        number = before = 0
        span = 1
        try:
            for number, cells in enumerate(reader, start=1):
                span = reader.line_num - before
                before = reader.line_num
                if span > MAX_LINES_A_ROW:
                    raise self._not_closed(number)
                if number > self.skip:
                    yield number, cells
        except csv.Error as error:
            if "field larger" in str(error):
                raise SheetRefused(
                    "cell_too_long",
                    N_(
                        "Row %(row)s of “%(file)s” holds a cell of more than %(limit)s characters; probably a quotation mark "
                        "is not closed there."
                    ),
                    {"file": self.name, "row": number + 1, "limit": f"{MAX_CELL:,}"},
                ) from error
            raise SheetRefused(
                "row_unreadable",
                N_("Row %(row)s of “%(file)s” cannot be read as a table row."),
                {"file": self.name, "row": number + 1},
            ) from error
        if number and self._breaks_off(list(last_lines)[-span:]):
            raise self._not_closed(number)

    def _breaks_off(self, lines: list[str]) -> bool:
        """True when the last record ends inside a quoted cell. (An inch mark inside a plain cell is no quotation mark.)"""
        try:
            list(csv.reader(lines, delimiter=self.delimiter, strict=True))
        except csv.Error as error:
            return "unexpected end" in str(error)
        return False

    def _not_closed(self, row: int) -> SheetRefused:
        return SheetRefused(
            "quote_not_closed",
            N_(
                "A quotation mark opened in row %(row)s of “%(file)s” is never closed, so the rows after it run together. "
                "The file may have been cut off; export it again."
            ),
            {"file": self.name, "row": row},
        )


# ------------------------------------------------------------------------------------------------------ workbooks


def _read_workbook(opened: _Bytes, *, kind: str, name: str, worksheet: str) -> Sheet:
    with opened.open() as file:
        if kind == "zip":
            kind = guard.check_zip(file, name=name)
        else:
            guard.check_ole(file, name=name)
            kind = "xls"
    import python_calamine

    try:
        if opened.path is not None:
            book = python_calamine.load_workbook(opened.path)
        else:
            opened.file.seek(0)
            book = python_calamine.load_workbook(opened.file)
        visible = [
            meta.name
            for meta in book.sheets_metadata
            if meta.visible == python_calamine.SheetVisibleEnum.Visible
            and meta.typ == python_calamine.SheetTypeEnum.WorkSheet
        ] or list(book.sheet_names)
        if worksheet and worksheet not in book.sheet_names:
            raise SheetRefused(
                "worksheet_missing",
                N_("“%(file)s” has no worksheet “%(worksheet)s”; it has: %(found)s."),
                {"file": name, "worksheet": worksheet, "found": ", ".join(book.sheet_names)},
            )
        tables = []
        for title in [worksheet] if worksheet else visible:
            table = book.get_sheet_by_name(title)
            if table.total_height and table.start is not None:
                tables.append((title, table))
                break
    except python_calamine.PasswordError as error:
        raise SheetRefused(
            "workbook_encrypted",
            N_("“%(file)s” is protected with a password. Save it without a password and try again."),
            {"file": name},
        ) from error
    except (python_calamine.CalamineError, ValueError, OSError) as error:
        raise SheetRefused(
            "workbook_damaged", N_("“%(file)s” is damaged: the workbook cannot be unpacked."), {"file": name}
        ) from error
    if not tables:
        raise SheetRefused("empty", N_("“%(file)s” is empty."), {"file": name})
    title, table = tables[0]
    others = tuple(other for other in visible if other != title)
    return _with_header(_BookRows(table), name=name, kind=kind, worksheet=title, other_worksheets=others)


class _BookRows:
    """The rows of a worksheet as text. A cell merged downwards counts for each of its rows."""

    def __init__(self, table: Any) -> None:
        self.table = table
        self.merged: dict[int, list[tuple[int, int]]] = {}  # row → [(column, first row)]
        left = table.start[1]
        for (top, first), (bottom, _) in table.merged_cell_ranges or ():
            for row in range(top + 1, min(bottom, top + MAX_MERGED_ROWS) + 1):
                self.merged.setdefault(row, []).append((first - left, top))

    def records(self) -> Iterator[tuple[int, list[str]]]:
        above: dict[tuple[int, int], str] = {}
        firsts = {(column, top) for places in self.merged.values() for column, top in places}
        tops = {top for _, top in firsts}
        for number, cells in enumerate(self.table.iter_rows()):
            texts = [cell if cell.__class__ is str else as_text(cell) for cell in cells]
            if number in tops:
                above.update(
                    {(c, top): texts[c] for c, top in firsts if top == number and 0 <= c < len(texts)}
                )
            for column, top in self.merged.get(number, ()):
                if 0 <= column < len(texts) and not texts[column]:
                    texts[column] = above.get((column, top), "")
            yield number + 1, texts


def as_text(value: Any) -> str:
    """A workbook cell as the text a person means: 489434.0 is `489434`, a date is ISO, 1.2E17 stays `1.2…E+17`.

    Numbers of 16 digits and more keep their exponent on purpose: a spreadsheet holds only 15, so the rest is lost.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**15 else f"{value:.14E}"
    if isinstance(value, float):
        if abs(value) >= 1e15:
            return f"{value:.14E}"
        if value == int(value):
            return str(int(value))
        text = repr(value)
        return format(Decimal(text), "f") if "e" in text else text
    if isinstance(value, datetime):
        if not (value.hour or value.minute or value.second or value.microsecond):
            return value.strftime("%Y-%m-%d")
        return value.replace(microsecond=0).isoformat(" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return str(value)


# --------------------------------------------------------------------------------------------------------- header

_VALUE = re.compile(r"^[\W_]*\d[\d\s.,:/\-+()%年月日TZ]*[\W_]*$")


def _with_header(source: Any, *, name: str, kind: str, **facts: Any) -> Sheet:
    first: list[tuple[int, list[str]]] = []
    widths: Counter[int] = Counter()
    for number, cells in source.records():
        if filled := sum(1 for cell in cells if cell and not cell.isspace()):
            first.append((number, cells))
            widths[filled] += 1
            if len(first) >= HEADER_WITHIN + 20:
                break
    if not first:
        raise SheetRefused("empty", N_("“%(file)s” is empty."), {"file": name})
    usual = max(widths.items(), key=lambda item: (item[1], item[0]))[0] if len(first) > 2 else max(widths)
    at = None
    for place in range(min(len(first), HEADER_WITHIN)):
        number, cells = first[place]
        first[place] = (number, [clean_text(cell) for cell in cells])
        if _is_header(first[place][1], usual):
            at = place
            break
    if at is None:
        raise SheetRefused(
            "no_header",
            N_(
                "“%(file)s” has no heading row: the first row must name the columns (its first row reads: %(found)s)."
            ),
            {"file": name, "found": ", ".join(c for c in first[0][1] if c)[:120]},
        )
    header_row, header = first[at]
    while header and not header[-1]:
        header.pop()
    if len(header) > MAX_COLUMNS:
        raise SheetRefused(
            "not_a_table",
            N_("“%(file)s” is not a table (it looks like %(found)s)."),
            {"file": name, "found": f"{len(header)} columns"},
        )
    if at == len(first) - 1:
        raise SheetRefused(
            "header_only", N_("“%(file)s” has headings but no rows below them."), {"file": name}
        )
    preamble = tuple(" ".join(c for c in cells if c) for _, cells in first[:at])
    return Sheet(
        name=name,
        kind=kind,
        header=tuple(header),
        header_row=header_row,
        preamble=preamble,
        _source=source,
        **facts,
    )


def _is_header(cells: list[str], usual: int) -> bool:
    filled = [cell for cell in cells if cell]
    if len(filled) < max(1, min(2, usual), usual * 0.5):
        return False
    values = sum(1 for cell in filled if _VALUE.match(cell) or len(cell) > 200)
    return values <= len(filled) * 0.25
