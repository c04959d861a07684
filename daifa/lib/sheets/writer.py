"""Writes workbooks and CSV files that are safe to open and the same bytes every time.

Nothing that a person or a platform typed can become a formula: workbooks hold it as a string, CSV files get an
apostrophe before it. Exporting the same rows twice gives the same file, so that a purchase run can be proved unchanged.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any, BinaryIO, Literal

_WRITTEN_AT = datetime(2020, 1, 1)
_SMALL = 2_000  # rows up to which a workbook is put together in memory
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
MAX_CELL = 32_767  # what a workbook cell holds
_BAD_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_BAD_TITLE = re.compile(r"[\[\]:*?/\\]")


@dataclass(frozen=True)
class Column:
    """A column of a workbook. `text` is for ids and words and never becomes a number; `integer` and `money` are numbers.

    `fill` marks a column the receiver is asked to fill in (drawn in another colour).
    """

    title: str
    kind: Literal["text", "integer", "money"] = "text"
    width: int = 0  # characters; 0 = by the title
    fill: bool = False


@dataclass(frozen=True)
class Table:
    """One worksheet: a title (31 characters at most), columns, rows. `notes` are lines above the heading row."""

    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Any]]
    notes: Sequence[str] = ()


def write_xlsx(target: str | os.PathLike[str] | BinaryIO, sheets: Table | Sequence[Table]) -> None:
    """Writes a workbook to a path or a binary buffer, the same bytes for the same rows, large ones in constant memory.

    Cells: None is left blank; in `integer` and `money` columns numbers stay numbers; everything else, and everything
    in `text` columns, is a string cell. Formulas and links are never written.
    """
    import xlsxwriter

    tables = [sheets] if isinstance(sheets, Table) else list(sheets)
    rows_of = [iter(table.rows) for table in tables]
    heads = [list(islice(rows, _SMALL + 1)) for rows in rows_of]
    # The way of writing depends on the number of rows alone, so that equal rows give equal bytes.
    small = sum(len(head) for head in heads) <= _SMALL
    book = xlsxwriter.Workbook(
        target if not isinstance(target, os.PathLike) else os.fspath(target),
        {
            "constant_memory": not small,
            "in_memory": small,  # saves nine temporary files, half the cost of a workbook of 40 rows
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )
    book.set_properties({"created": _WRITTEN_AT, "author": "daifa"})
    heading = book.add_format(
        {"bold": True, "bg_color": "#E9EEF5", "bottom": 1, "valign": "top", "text_wrap": True}
    )
    asked = book.add_format(
        {"bold": True, "bg_color": "#FFF1CC", "bottom": 1, "valign": "top", "text_wrap": True}
    )
    text = book.add_format({"num_format": "@"})
    note = book.add_format({"italic": True, "font_color": "#555555"})
    money = book.add_format({"num_format": "#,##0.00"})
    integer = book.add_format({"num_format": "0"})
    for table, head, rest in zip(tables, heads, rows_of, strict=True):
        sheet = book.add_worksheet(_BAD_TITLE.sub(" ", table.title)[:31] or None)
        for at, column in enumerate(table.columns):
            style = {"money": money, "integer": integer}.get(column.kind, text)
            sheet.set_column(at, at, column.width or max(10, min(40, _width(column.title) + 2)), style)
        line = 0
        for words in table.notes:
            sheet.write_string(line, 0, _cell(words), note)
            line += 1
        for at, column in enumerate(table.columns):
            sheet.write_string(line, at, _cell(column.title), asked if column.fill else heading)
        sheet.freeze_panes(line + 1, 0)
        kinds = [column.kind for column in table.columns]
        write_string, write_number = sheet.write_string, sheet.write_number
        for row in chain(head, rest):
            line += 1
            for at, value in enumerate(row):
                if value is None or value == "":
                    continue
                kind = kinds[at]
                if (
                    kind != "text"
                    and isinstance(value, (int, float, Decimal))
                    and not isinstance(value, bool)
                ):
                    write_number(line, at, value, money if kind == "money" else integer)
                else:
                    write_string(line, at, _cell(value), text)
    book.close()


def write_csv(target: str | os.PathLike[str] | BinaryIO, table: Table) -> None:
    """Writes UTF-8 with a byte order mark (so that Excel reads Chinese) and formulas escaped; `notes` are left out."""
    if isinstance(target, (str, os.PathLike)):
        with open(target, "wb") as file:
            return write_csv(file, table)
    stream = io.TextIOWrapper(target, encoding="utf-8-sig", newline="")
    try:
        writer = csv.writer(stream)
        writer.writerow([escape_formula(column.title) for column in table.columns])
        for row in table.rows:
            writer.writerow(
                [
                    ""
                    if value is None
                    else escape_formula(_plain(value))
                    if not isinstance(value, (int, Decimal))
                    else value
                    for value in row
                ]
            )
        stream.flush()
    finally:
        stream.detach()
    return None


def escape_formula(text: str) -> str:
    """Text that no spreadsheet program runs as a formula: a leading `= + - @`, tab or line end gets an apostrophe.

    Plain signed numbers (`-5.00`) stay as they are. `cells.read_id` takes the apostrophe off again.
    """
    start = text.lstrip(" ")
    if start.startswith(_FORMULA_START) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(" ", timespec="minutes")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _cell(value: Any) -> str:
    return _BAD_XML.sub(" ", _plain(value))[:MAX_CELL]


def _width(title: str) -> int:
    return sum(2 if ord(letter) > 0x2E7F else 1 for letter in title)
