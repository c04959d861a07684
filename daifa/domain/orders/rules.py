"""Pure decisions about orders: what a record says, whether it changed, whether it can be shipped."""

from __future__ import annotations

from dataclasses import astuple
from decimal import Decimal
from hashlib import blake2b
from typing import Any

BOUGHT_KINDS = ("goods",)
"""Kinds of line that a supplier has to ship; every other kind is money only (a `sample` line names no article)."""

ADDRESS_FIELDS = ("name", "line1", "line2", "city", "region", "postcode", "country", "phone", "email", "raw", "token")


def is_unpaid(record: Any) -> bool:
    """The channel says that nothing was paid. Who got money back has paid, whatever the file leaves out."""
    return record.paid_at is None and not record.refunded > 0


def content_hash(record: Any) -> bytes:
    """16 bytes over what may not change unseen: lines, amounts, payment, cancellation, refunds, ship-to; of unpaid ones the dispatch.

    `record` has the shape of `connectors.contract.IncomingOrder`. Row numbers and status words do not count.
    """
    parts: list[str] = [record.currency, str(record.cancelled_at or ""), _plain(record.refunded)]
    if record.paid_at is None:
        parts.append("not paid, dispatched" if record.dispatched_at is not None else "not paid")
    for line in record.lines:
        parts += (line.sku, line.kind, str(line.quantity), _plain(line.unit_price), _plain(line.amount))
    if record.address is not None:
        parts += astuple(record.address)
    return blake2b("\x1f".join(parts).encode(), digest_size=16).digest()


def address_text(address: Any) -> str:
    """All fields of an address in one text, for its keyed digest."""
    return "\x1f".join(getattr(address, name) for name in ADDRESS_FIELDS)


def amounts(lines: Any) -> tuple[int, Decimal, Decimal, Decimal]:
    """(units to ship, goods, shipping, other) over incoming lines."""
    units, goods, shipping, other = 0, Decimal(0), Decimal(0), Decimal(0)
    for line in lines:
        if line.kind in BOUGHT_KINDS:
            units += line.quantity
            goods += line.amount
        elif line.kind == "shipping":
            shipping += line.amount
        else:
            other += line.amount
    return units, goods, shipping, other


def _plain(amount: Decimal) -> str:
    return format(amount.normalize(), "f")


