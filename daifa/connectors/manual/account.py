"""Where every row of a file went: rows in = rows used + rows not orders + rows refused, each with its reason.

The table an importer prints when it is done, and the answer key its tests hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from daifa.connectors.contract import IncomingCredit, IncomingOrder, NotAnOrder, ReplyRow, RowProblem


@dataclass
class AccountLine:
    """`what` is used, not_order or refused; `reason` the kind of document or the stable code; `documents` ≤ `rows`."""

    what: str
    reason: str
    documents: int = 0
    rows: int = 0
    amount: Decimal = Decimal(0)


@dataclass
class Account:
    """Counts records as they pass. `watch(reading)` hands them on; afterwards `table()` and `balances()`."""

    rows_in: int = 0
    lines: dict[tuple[str, str], AccountLine] = field(default_factory=dict)
    money: dict[tuple[str, str], AccountLine] = field(
        default_factory=dict
    )  # (order | credit, line kind): rows, amount
    _last_row: int = 0

    def watch(self, reading: Iterable[Any]) -> Iterator[Any]:
        self.rows_in += getattr(reading, "rows_in", 0)
        for record in reading:
            self.add(record)
            yield record

    def add(self, record: Any) -> None:
        if isinstance(record, (IncomingOrder, IncomingCredit)):
            reason = "order" if isinstance(record, IncomingOrder) else "credit"
            total = Decimal(0)
            for line in record.lines:
                total += line.amount
                kind = self.money.setdefault((reason, line.kind), AccountLine(reason, line.kind))
                kind.rows += 1
                kind.amount += line.amount
            self._count("used", reason, 1, len(record.rows), total)
        elif isinstance(record, NotAnOrder):
            self._count("not_order", record.reason, 1, len(record.rows))
        elif isinstance(record, RowProblem):
            self._count("refused", record.code, 1, record.rows)
        else:
            again = isinstance(record, ReplyRow) and record.row == self._last_row
            self._last_row = getattr(record, "row", 0)
            if not again:  # one row may answer for several parcels
                self._count("used", type(record).__name__.removeprefix("Incoming").casefold(), 1, 1)

    def _count(self, what: str, reason: str, documents: int, rows: int, amount: Decimal = Decimal(0)) -> None:
        line = self.lines.setdefault((what, reason), AccountLine(what, reason))
        line.documents += documents
        line.rows += rows
        line.amount += amount

    def rows(self, what: str) -> int:
        return sum(line.rows for line in self.lines.values() if line.what == what)

    def balances(self) -> bool:
        """True when every row of the file ended in exactly one place."""
        return self.rows_in == sum(line.rows for line in self.lines.values())

    def table(self) -> list[AccountLine]:
        """Used first, then not orders, then refused; the largest first."""
        order = {"used": 0, "not_order": 1, "refused": 2}
        return sorted(self.lines.values(), key=lambda line: (order[line.what], -line.rows, line.reason))


def main(arguments: list[str] | None = None) -> None:
    """`python -m daifa.connectors.manual.account FILE [--currency GBP] [--tz Europe/London]`: the table of an orders file."""
    import argparse
    from zoneinfo import ZoneInfo

    from daifa.lib.sheets import read_sheet

    from .columns import recognise
    from .translate import read_orders

    parser = argparse.ArgumentParser(description="Where every row of an orders file goes.")
    parser.add_argument("file")
    parser.add_argument("--currency", default="")
    parser.add_argument("--tz", default="UTC")
    given = parser.parse_args(arguments)
    sheet = read_sheet(given.file)
    layout = recognise(sheet.header, kind="orders")
    account = Account()
    for _ in account.watch(
        read_orders(sheet, layout=layout, store_currency=given.currency, tz=ZoneInfo(given.tz))
    ):
        pass
    print("| rows went to | reason | documents | rows | amount |\n|---|---|---:|---:|---:|")
    for line in account.table():
        amount = f"{line.amount:,.2f}" if line.amount else ""
        print(f"| {line.what} | `{line.reason}` | {line.documents:,} | {line.rows:,} | {amount} |")
    total = sum(line.rows for line in account.lines.values())
    print(
        f"| **all** | {'balances' if account.balances() else 'DOES NOT BALANCE'} | | {total:,} of {account.rows_in:,} | |"
    )
    print("\n| on | kind of line | rows | amount |\n|---|---|---:|---:|")
    for line in sorted(account.money.values(), key=lambda line: (line.what != "order", -line.rows)):
        print(f"| {line.what} | `{line.reason}` | {line.rows:,} | {line.amount:,.2f} |")


if __name__ == "__main__":
    main()
