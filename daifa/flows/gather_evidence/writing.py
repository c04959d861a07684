"""How a pack writes things: states and amounts in words, names of files, JSON, CSV."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

from daifa.domain.cases import queries
from daifa.lib.money import rounded
from daifa.lib.process import Process
from daifa.lib.sheets import escape_formula


def state_word(process: Process, state: str) -> str:
    return queries.word(dict(process.words), state)


def money(amount: Decimal | None, currency: str) -> str:
    return "" if amount is None else f"{rounded(amount, currency):f} {currency}"


def safe_name(name: str) -> str:
    """A name for a file inside the ZIP: no path, nothing a file system minds."""
    plain = "".join(c if c.isalnum() or c in "._-" else "_" for c in name.replace("\\", "/").rsplit("/", 1)[-1])
    return plain.strip("._")[:80] or "file"


def json_bytes(value: Any) -> bytes:
    def plain(one: Any) -> Any:
        if isinstance(one, Decimal):
            return f"{one:f}"
        if isinstance(one, (datetime, date)):
            return one.isoformat()
        return str(one)

    return json.dumps(value, ensure_ascii=False, indent=1, default=plain).encode()


def csv_bytes(head: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """With a mark that spreadsheets know UTF-8 by, formulas escaped."""
    import csv

    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    for row in rows:
        writer.writerow([escape_formula(str(cell)) for cell in row])
    return b"\xef\xbb\xbf" + out.getvalue().encode()
