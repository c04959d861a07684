"""Who the buyers are, and free texts without them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from daifa.domain.orders.queries import OrderDetail
from daifa.lib.redact import Marks

# Chinese mobile numbers and mail addresses in free text, also of people who are not the buyer of the order.
_NUMBERS = re.compile(r"(?<!\d)1[3-9]\d(?:[ -]?\d){8}(?!\d)")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
GONE = "***"


def marks_of(orders: Sequence[OrderDetail]) -> Iterable[str]:
    """What tells who the buyers of these orders are, by every version of their addresses."""
    for detail in orders:
        for address in detail.addresses:
            yield from (address[name] for name in ("name", "line1", "line2", "phone", "email", "raw") if address[name])
        if detail.customer:
            yield from (detail.customer[name] for name in ("ref", "name", "email") if detail.customer[name])


def basis_of(orders: Sequence[OrderDetail]) -> str:
    """Names the addresses the buyers are known by, without telling them."""
    ids = sorted(f"{detail.order['id']}.{address['version']}" for detail in orders for address in detail.addresses)
    return hashlib.sha256(" ".join(["1", *ids]).encode()).hexdigest()


def blanked(text: str, marks: Marks) -> str:
    """A free text without what tells who the buyers are, and without numbers and addresses of anybody else."""
    return _MAIL.sub(GONE, _NUMBERS.sub(GONE, marks.blanked(text)))
