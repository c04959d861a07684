"""Which connector speaks to a supplier or a channel. Flows ask here; a new platform adds a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ASKABLE_KINDS = ("fake",)
"""Kinds of supplier whose system takes purchases and can be asked about them by our reference."""


def supplier_connector(*, kind: str, code: str, script: dict[str, Any], home: Path) -> Any:
    """The connector of a supplier of one of ASKABLE_KINDS. Workbook suppliers have none: nobody can be asked."""
    if kind == "fake":
        from daifa.connectors.fake.connector import FakeSupplier

        return FakeSupplier(code=code, script=script, memory=home / "fake" / "suppliers.sqlite3")
    raise LookupError(f"Suppliers of kind {kind} cannot be asked.")


LISTING_KINDS = ("fake",)
"""Connectors of channels that take listings by themselves; the others get a file that a person uploads."""


def channel_connector(*, kind: str, code: str, script: dict[str, Any], home: Path) -> Any:
    """The connector of a store whose channel account names one of LISTING_KINDS."""
    if kind == "fake":
        from daifa.connectors.fake.channel import FakeChannel

        return FakeChannel(code=code, script=script, memory=home / "fake" / "channels.sqlite3")
    raise LookupError(f"Channels of kind {kind} take no listings.")
