"""Expenses from a file: a date, a kind, an amount, perhaps a currency and a note, under English or Chinese headings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from daifa.connectors.contract import RowProblem
from daifa.domain.books.commands import import_expenses
from daifa.lib.commas import listed
from daifa.lib.refusal import RowRefused
from daifa.lib.sheets import CellRefused, SheetRefused, read_sheet
from daifa.lib.sheets.cells import clean_text, parse_datetime, parse_decimal
from daifa.lib.sheets.problems import N_

HEADINGS = {
    "date": ("date", "day", "日期", "时间"),
    "kind": ("kind", "type", "category", "类别", "类型", "费用类型"),
    "amount": ("amount", "cost", "total", "金额", "费用"),
    "currency": ("currency", "币种", "货币"),
    "note": ("note", "description", "memo", "备注", "说明"),
}
NEEDED = ("date", "kind", "amount")


class IncomingExpense(NamedTuple):
    """One row of an expenses file; `currency` "" = the store's."""

    row: int
    date: date
    kind: str
    amount: Decimal
    currency: str
    note: str


def find_columns(header: Sequence[str], mapping: Mapping[str, str] | None = None) -> dict[str, int]:
    """Field → column. `mapping`: {field: heading} of a person, "" takes the field out."""
    plain = [clean_text(cell).casefold() for cell in header]
    places: dict[str, int] = {}
    for what, words in HEADINGS.items():
        wanted = [mapping[what].casefold()] if mapping and what in mapping else words
        found = [plain.index(word) for word in wanted if word and word in plain]
        if found:
            places[what] = found[0]
    return places


def check_columns(header: Sequence[str], places: Mapping[str, int]) -> None:
    """Raises `SheetRefused` naming a column that is needed and not there."""
    for what in NEEDED:
        if what not in places:
            raise SheetRefused(
                "column_missing",
                N_("The file has no column for %(column)s; it has: %(found)s."),
                {"column": HEADINGS[what][0], "found": listed(header)[:200]},
            )


class ExpenseReading:
    """A file of expenses; iterate it for `IncomingExpense` and `RowProblem`. Raises `SheetRefused` when opened."""

    def __init__(self, path: Path, *, name: str, mapping: Mapping[str, str] | None = None) -> None:
        self.sheet = read_sheet(path, name=name)
        self.places = find_columns(self.sheet.header, mapping)
        check_columns(self.sheet.header, self.places)
        self.rows_in = sum(1 for _ in self.sheet.rows())

    def __iter__(self) -> Iterator[IncomingExpense | RowProblem]:
        for number, cells in self.sheet.rows():
            try:
                moment: datetime = parse_datetime(self._cell("date", cells), UTC)
                yield IncomingExpense(
                    number, moment.date(), self._cell("kind", cells), parse_decimal(self._cell("amount", cells)),
                    self._cell("currency", cells).upper(), self._cell("note", cells),
                )  # fmt: skip
            except CellRefused as error:
                yield RowProblem(number, error.code, error.message, error.params, tuple(cells))

    def _cell(self, what: str, cells: list[str]) -> str:
        place = self.places.get(what, -1)
        return clean_text(cells[place]) if 0 <= place < len(cells) else ""


def apply_expenses(batch: Any, file: Any, *, by: str, at: datetime) -> None:
    """Book one batch of an import of expenses."""
    records = []
    for record in batch.records:
        if isinstance(record, RowProblem):
            batch.refuse(record)
        else:
            records.append(record)
    written = import_expenses(records, store=file.store, source=f"import:{file.pk}", by=by, at=at)
    row: RowRefused
    for row in written.refused:
        batch.refuse(RowProblem(row.row, row.code, row.message, row.params, document=row.document))
    if written.added:
        batch.used("expense", len(written.added), len(written.added))
    if known := len(records) - len(written.added) - len(written.refused):
        batch.used("expense_known", known, known)
