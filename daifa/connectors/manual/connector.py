"""The door of the manual connector: a file and what it is meant to be in, its records out.

opened = read_file("orders", path, store_currency="GBP", tz=ZoneInfo("Europe/London"))
opened.layout.unknown      # headings nobody asked for, to be shown
for record in opened.account.watch(opened.records): ...
opened.account.table()     # where every row went
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import BinaryIO

from daifa.lib.sheets import Sheet, read_sheet

from .account import Account
from .columns import FileKind, Layout, recognise
from .translate import Reading, read_offers, read_orders, read_products, read_replies, read_tracking

READS: tuple[FileKind, ...] = ("orders", "products", "offers", "replies", "tracking")


@dataclass(frozen=True)
class OpenedFile:
    """A file whose layout is known. `records` can be iterated more than once; `account` counts what it watched."""

    sheet: Sheet
    layout: Layout
    records: Reading
    account: Account = field(default_factory=Account)


def read_file(
    kind: FileKind,
    source: str | os.PathLike[str] | BinaryIO,
    *,
    name: str = "",
    store_currency: str = "",
    tz: tzinfo = UTC,
    mapping: Mapping[str, str] | None = None,
    layout: str = "",
    worksheet: str = "",
    encoding: str = "",
    delimiter: str = "",
    day_first: bool | None = None,
    decimal_mark: str | None = None,
) -> OpenedFile:
    """Opens, recognises and looks through a file; raises `SheetRefused` before any record is handed out.

    `store_currency` is the store's (orders: the only one accepted), the shop's (products) or the supplier's (offers: it
    settles ¥ and $ only). `mapping`, `layout`, `worksheet`, `encoding`, `delimiter`, `day_first`, `decimal_mark` are the
    person's choices and go before what would be found.
    """
    sheet = read_sheet(source, name=name, worksheet=worksheet, encoding=encoding, delimiter=delimiter)
    found = recognise(
        sheet.header,
        kind=kind,
        mapping=mapping,
        layout=layout,
        day_first=day_first,
        decimal_mark=decimal_mark,
    )
    if kind == "orders":
        records = read_orders(sheet, layout=found, store_currency=store_currency, tz=tz)
    elif kind == "products":
        records = read_products(sheet, layout=found, store_currency=store_currency)
    elif kind == "offers":
        records = read_offers(sheet, layout=found, currency=store_currency)
    elif kind == "replies":
        records = read_replies(sheet, layout=found, tz=tz)
    else:
        records = read_tracking(sheet, layout=found, tz=tz)
    return OpenedFile(sheet=sheet, layout=found, records=records)
