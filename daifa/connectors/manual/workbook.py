"""The workbook a plain factory gets: one row a purchase line, and the columns it is asked to fill in and send back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from io import BytesIO
from typing import Any, NamedTuple

from daifa.lib.sheets.writer import Column, Table, write_xlsx


class RunRow(NamedTuple):
    """One purchase line of a run. `reference` is our purchase order's, `line` its line number.

    `token` and `waybill` are what a platform gives in place of a recipient: its code for him, its own e-waybill's number.
    """

    reference: str
    line: int
    supplier_sku: str
    title: str
    quantity: int
    unit_cost: Any
    recipient: str
    phone: str
    country: str
    region: str
    city: str
    address: str
    postcode: str
    note: str
    token: str = ""
    waybill: str = ""


# (English, 中文, kind, to be filled in by the factory)
COLUMNS = (
    ("Our reference", "我方单号", "text", False),
    ("Line", "行号", "integer", False),
    ("Supplier SKU", "货号", "text", False),
    ("Item", "商品名称", "text", False),
    ("Quantity", "数量", "integer", False),
    ("Unit price", "单价", "money", False),
    ("Recipient", "收件人", "text", False),
    ("Phone", "电话", "text", False),
    ("Country", "国家", "text", False),
    ("Region", "省/州", "text", False),
    ("City", "城市", "text", False),
    ("Address", "地址", "text", False),
    ("Postcode", "邮编", "text", False),
    ("Note", "备注", "text", False),
    ("Recipient token", "收件人密文", "text", False),
    ("Platform e-waybill", "平台电子面单号", "text", False),
    ("Accepted quantity", "接单数量", "integer", True),
    ("Shipped quantity", "实发数量", "integer", True),
    ("Carrier", "快递公司", "text", True),
    ("Tracking numbers", "运单号", "text", True),
    ("Reason", "原因", "text", True),
)
WHERE_MASKED = ("Recipient token", "Platform e-waybill")
"""Columns that are there only where a row of the run has something in them."""
_WIDTHS = {
    "Our reference": 16,
    "Item": 36,
    "Address": 36,
    "Recipient": 20,
    "Tracking numbers": 24,
    "Supplier SKU": 16,
}
_TITLES = {"en": "Purchases", "zh": "采购单"}


def language_of(language: str) -> str:
    """ "zh" for any Chinese, else "en": the languages the workbook is written in."""
    return "zh" if language.lower().startswith("zh") else "en"


def run_name(supplier_code: str, number: int) -> str:
    """The file name of a run, the same whenever it is exported."""
    return f"{supplier_code}-run-{number:04d}.xlsx"


def write_run(rows: Sequence[RunRow], *, language: str) -> tuple[bytes, str]:
    """The workbook's bytes and their SHA-256. The same rows give the same bytes."""
    chosen = language_of(language)
    place = 1 if chosen == "zh" else 0
    shown = [n for n, c in enumerate(COLUMNS) if c[0] not in WHERE_MASKED or any(row[n] for row in rows)]
    columns = [Column(c[place], kind=c[2], width=_WIDTHS.get(c[0], 0), fill=c[3]) for c in (COLUMNS[n] for n in shown)]  # type: ignore[arg-type]
    told = len(RunRow._fields)
    buffer = BytesIO()
    write_xlsx(buffer, Table(_TITLES[chosen], columns, [[row[n] if n < told else None for n in shown] for row in rows]))
    content = buffer.getvalue()
    return content, hashlib.sha256(content).hexdigest()
