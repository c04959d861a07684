"""Which connector speaks to a supplier. Flows ask here; a new platform adds a line."""

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
