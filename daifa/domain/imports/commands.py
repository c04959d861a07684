"""Files that were handed in, and how far reading them got. The caller holds the transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from daifa.domain.history.commands import move, record_births
from daifa.domain.imports.models import ImportFile
from daifa.domain.imports.process import IMPORT
from daifa.lib import bulk


def receive(
    *, kind: str, store: int | None, supplier_code: str, name: str, sha256: str, size: int, options: dict[str, Any],
    by: str, at: datetime,
) -> ImportFile:  # fmt: skip
    """A file is here; nothing has been read yet."""
    found = ImportFile.objects.create(
        kind=kind, store_id=store, supplier_code=supplier_code, name=name[:255], sha256=sha256, size=size,
        options=options, state="received", by=by, at=at, counts={},
    )  # fmt: skip
    record_births(IMPORT, [found.pk], "received", by=by, at=at, reason=name)
    return found


def documents_done(file_id: int) -> int:
    """How many documents of the file were applied before."""
    return bulk.fetch("SELECT documents_done FROM imports_importfile WHERE id = %s", (file_id,))[0][0]


def begin(file_id: int, *, layout: str, rows_expected: int, by: str, at: datetime) -> None:
    """Reading begins or goes on. Raises LookupError if it has ended."""
    moved = move(IMPORT, [file_id], to="reading", by=by, at=at)
    if not moved.moved:
        raise LookupError(f"Import {file_id} is {moved.others.get(file_id) or 'gone'}.")
    bulk.execute(
        "UPDATE imports_importfile SET layout = %s, rows_expected = %s WHERE id = %s", (layout[:40], rows_expected, file_id)
    )


def add_progress(
    file_id: int, *, documents: int, counts: dict[str, dict[str, int]], notes: Sequence[Any], at: datetime
) -> None:
    """Some documents were applied in this transaction.

    `counts`: {"used" | "not_orders" | "refused": {reason: rows}, "documents": {what became of them: documents}}.
    `notes`: `connectors.contract.RowProblem`; those with rows = 0 are remarks on rows that were used.
    """
    stored = json.loads(bulk.fetch("SELECT counts::text FROM imports_importfile WHERE id = %s FOR UPDATE", (file_id,))[0][0])
    for what, reasons in counts.items():
        mine = stored.setdefault(what, {})
        for reason, number in reasons.items():
            mine[reason] = mine.get(reason, 0) + number
    sums = {what: sum(counts.get(what, {}).values()) for what in ("used", "not_orders", "refused")}
    bulk.execute(
        """UPDATE imports_importfile SET documents_done = documents_done + %s, counts = %s,
               rows_in = rows_in + %s, rows_used = rows_used + %s, rows_not_orders = rows_not_orders + %s,
               rows_refused = rows_refused + %s WHERE id = %s""",
        (documents, bulk.json(stored), sum(sums.values()), sums["used"], sums["not_orders"], sums["refused"], file_id),
    )
    bulk.copy_rows(
        "imports_importrow",
        ("file_id", "row", "rows", "document", "code", "message", "params", "raw", "state", "at"),
        [
            (
                file_id, note.row, note.rows, note.document[:80], note.code[:40], note.message,
                bulk.json(_plain(note.params)), bulk.json(list(note.raw)), "open" if note.rows else "note", at,
            )
            for note in notes
        ],
    )  # fmt: skip


def finish(file_id: int, *, by: str, at: datetime) -> None:
    """Every row was dealt with."""
    move(IMPORT, [file_id], to="done", by=by, at=at, set_at="finished_at")


def refuse(file_id: int, sentence: str, *, by: str, at: datetime) -> None:
    """The file as a whole cannot be used."""
    if move(IMPORT, [file_id], to="refused", by=by, at=at, reason=sentence[:300], set_at="finished_at").moved:
        bulk.execute("UPDATE imports_importfile SET sentence = %s WHERE id = %s", (sentence, file_id))


def stop(file_id: int, sentence: str, *, by: str, at: datetime) -> None:
    """Reading broke off; what was applied stays, and it can go on behind it."""
    if move(IMPORT, [file_id], to="stopped", by=by, at=at, reason=sentence[:300]).moved:
        bulk.execute("UPDATE imports_importfile SET sentence = %s WHERE id = %s", (sentence, file_id))


def settle_rows(ids: Sequence[int], *, state: str) -> int:
    """Mark refused rows as `retried` or `dismissed`."""
    if state not in ("retried", "dismissed"):
        raise ValueError(state)
    return bulk.execute(
        "UPDATE imports_importrow SET state = %s WHERE id = ANY(%s::bigint[]) AND state = 'open'", (state, list(ids))
    )


def _plain(params: Any) -> dict[str, Any]:
    return {key: value if isinstance(value, (int, str, float, bool)) else str(value) for key, value in params.items()}
