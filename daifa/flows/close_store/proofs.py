"""What proves a closing: the export of books and orders, and files as they lie in the store."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.db import transaction

from daifa.domain.books import queries as book_queries
from daifa.domain.closing.commands import FOLDER
from daifa.domain.stores.models import Store
from daifa.lib import bulk, keeping
from daifa.lib.sentences import told
from daifa.lib.sheets.writer import Column, Table, write_csv

_EXPORTS: dict[str, tuple[tuple[str, ...], str]] = {
    "orders.csv": (
        ("number", "placed_at", "paid_at", "country", "currency", "goods", "shipping", "other", "total", "refunded", "status"),
        """SELECT number, placed_at, paid_at, country, currency, goods_amount, shipping_amount, other_amount, total_amount,
                  refunded_amount, status FROM orders_order WHERE store_id = %s ORDER BY id""",
    ),
    "order_lines.csv": (
        ("order", "line", "kind", "sku", "title", "quantity", "unit_price", "amount", "shipped", "delivered", "refunded"),
        """SELECT o.number, l.line_no, l.kind, l.sku, l.title, l.quantity, l.unit_price, l.amount, l.shipped, l.delivered,
                  l.refunded FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id WHERE o.store_id = %s
           ORDER BY o.id, l.line_no""",
    ),
    "purchases.csv": (
        ("reference", "order", "supplier", "state", "currency", "rate", "goods", "freight", "units", "accepted", "shipped", "at"),
        """SELECT p.reference, o.number, s.code, p.state, p.currency, p.fx_rate, p.goods_amount, p.freight_amount, p.units,
                  p.accepted, p.shipped, p.at FROM purchasing_purchaseorder p JOIN orders_order o ON o.id = p.order_id
           JOIN sourcing_supplier s ON s.id = p.supplier_id WHERE p.store_id = %s ORDER BY p.id""",
    ),
    "parcels.csv": (
        ("order", "carrier", "state", "announced_at", "handed_over_at", "delivered_at", "late"),
        """SELECT o.number, p.carrier, p.state, p.announced_at, p.handed_over_at, p.delivered_at, p.is_late
           FROM shipping_parcel p JOIN orders_order o ON o.id = p.order_id WHERE p.store_id = %s ORDER BY p.id""",
    ),
    "refunds.csv": (
        ("order", "reference", "state", "reason", "no_claim_reason", "amount", "currency", "at", "confirmed_at"),
        """SELECT o.number, r.external_ref, r.state, r.reason, r.no_claim_reason, r.amount, r.currency, r.at, r.confirmed_at
           FROM aftersales_refund r LEFT JOIN orders_order o ON o.id = r.order_id WHERE r.store_id = %s ORDER BY r.id""",
    ),
    "entries.csv": (
        ("entry", "at", "fact", "order", "memo", "account", "currency", "amount"),
        """SELECT e.id, e.at, e.fact, o.number, e.memo, a.code, p.currency, p.amount FROM books_entry e
           JOIN books_posting p ON p.entry_id = e.id JOIN books_account a ON a.id = p.account_id
           LEFT JOIN orders_order o ON o.id = e.order_id WHERE e.store_id = %s ORDER BY e.id, p.line_no""",
    ),
}  # fmt: skip
"""What is kept of a closed store: numbers and sums. Names, addresses, waybills and what buyers wrote are not in it."""


def export_store(store: Store) -> tuple[bytes, dict[str, int]]:
    """A zip of the books and orders of a store, without personal data, and the rows in each file."""
    counts = {}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, transaction.atomic():
        hashes = []
        for name, (columns, sql) in _EXPORTS.items():
            memo = columns.index("memo") if "memo" in columns else None
            rows = bulk.fetch(sql, (store.pk,))
            if memo is not None:
                rows = [(*row[:memo], told(row[memo]), *row[memo + 1 :]) for row in rows]
            add_file(archive, name, csv_bytes(columns, rows), hashes)
            counts[name] = len(rows)
        add_file(archive, "books.beancount", book_queries.export_beancount([store.pk]).encode(), hashes)
        add_file(archive, "SHA256SUMS", "".join(hashes).encode(), [])
    return buffer.getvalue(), counts


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.BytesIO()
    write_csv(text, Table("", [Column(name) for name in columns], rows))
    return text.getvalue()


def add_file(archive: zipfile.ZipFile, name: str, content: bytes, hashes: list[str]) -> None:
    archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    hashes.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")


def file_of(sha256: str) -> Path:
    """Where a file that proves a step lies."""
    return keeping.path_of(FOLDER, sha256)
