"""Files that were handed in, and how far reading them got. The caller holds the transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from daifa.domain.history.commands import move, record_births
from daifa.domain.imports.models import ImportFile
from daifa.domain.imports.process import IMPORT
from daifa.lib import bulk
from daifa.lib.sentences import kept, kept_params


def receive(
    *, kind: str, store: int | None, supplier_code: str, name: str, sha256: str, size: int, options: dict[str, Any],
    by: str, at: datetime,
) -> ImportFile:  # fmt: skip
    """A file is here; nothing has been read yet."""
    file = bulk.insert(
        ImportFile,
        {
            "kind": kind, "store_id": store, "supplier_code": supplier_code, "name": name[:255], "sha256": sha256,
            "size": size, "options": bulk.json(options), "state": "received", "by": by, "at": at,
            "counts": bulk.json({}),
        },
    )  # fmt: skip
    record_births(IMPORT, [file.pk], "received", by=by, at=at, reason=name)
    return file


class ReadElsewhere(Exception):
    """Another reader of the same file was quicker: what was done here is to be rolled back."""


def begin(file_id: int, *, by: str, at: datetime) -> None:
    """Reading begins or goes on and will take more than one transaction. Raises `ReadElsewhere` if it has ended."""
    if not move(IMPORT, [file_id], to="reading", by=by, at=at).moved:
        raise ReadElsewhere(file_id)


def add_progress(
    file: ImportFile, *, documents: int, counts: dict[str, dict[str, int]], notes: Sequence[Any], at: datetime
) -> dict[str, Any]:
    """Some documents were applied in this transaction. Raises `ReadElsewhere` if `file` is not up to date.

    `counts`: {"used" | "not_orders" | "refused": {reason: rows}, "documents": {what became of them: documents}}.
    `notes`: `connectors.contract.RowProblem`; those with rows = 0 are remarks on rows that were used. Returns the
    fields as they are once this commits: the caller keeps them on `file` then.
    """
    stored = {what: dict(reasons) for what, reasons in file.counts.items()}
    for what, reasons in counts.items():
        mine = stored.setdefault(what, {})
        for reason, number in reasons.items():
            mine[reason] = mine.get(reason, 0) + number
    sums = {what: sum(counts.get(what, {}).values()) for what in ("used", "not_orders", "refused")}
    fields = {
        "layout": file.layout, "rows_expected": file.rows_expected, "counts": stored,
        "documents_done": file.documents_done + documents, "rows_in": file.rows_in + sum(sums.values()),
        "rows_used": file.rows_used + sums["used"], "rows_not_orders": file.rows_not_orders + sums["not_orders"],
        "rows_refused": file.rows_refused + sums["refused"],
    }  # fmt: skip
    mine = bulk.execute(
        f"""UPDATE imports_importfile SET {", ".join(f"{name} = %s" for name in fields)}
            WHERE id = %s AND documents_done = %s AND state IN ('received', 'reading', 'stopped')""",
        [*(bulk.json(value) if name == "counts" else value for name, value in fields.items()), file.pk, file.documents_done],
    )
    if not mine:
        raise ReadElsewhere(file.pk)
    bulk.copy_rows(
        "imports_importrow",
        ("file_id", "row", "rows", "document", "code", "message", "params", "raw", "state", "at"),
        [
            (
                file.pk, note.row, note.rows, note.document[:80], note.code[:40], note.message,
                bulk.json(_plain(note.params)), bulk.json(list(note.raw)), "open" if note.rows else "note", at,
            )
            for note in notes
        ],
    )  # fmt: skip
    return fields


def finish(file_id: int, *, by: str, at: datetime) -> None:
    """Every row was dealt with."""
    move(IMPORT, [file_id], to="done", by=by, at=at, set_at="finished_at")


def refuse(file_id: int, sentence: str, *, by: str, at: datetime) -> None:
    """The file as a whole cannot be used."""
    if move(IMPORT, [file_id], to="refused", by=by, at=at, reason=sentence[:300], set_at="finished_at").moved:
        bulk.execute("UPDATE imports_importfile SET sentence = %s WHERE id = %s", (kept(sentence), file_id))


def stop(file_id: int, sentence: str, *, by: str, at: datetime) -> None:
    """Reading broke off; what was applied stays, and it can go on behind it."""
    if move(IMPORT, [file_id], to="stopped", by=by, at=at, reason=sentence[:300]).moved:
        bulk.execute("UPDATE imports_importfile SET sentence = %s WHERE id = %s", (kept(sentence), file_id))


def settle_rows(ids: Sequence[int], *, state: str) -> int:
    """Mark refused rows as `retried` or `dismissed`."""
    if state not in ("retried", "dismissed"):
        raise ValueError(state)
    return bulk.execute(
        "UPDATE imports_importrow SET state = %s WHERE id = ANY(%s::bigint[]) AND state = 'open'", (state, list(ids))
    )


def _plain(params: Any) -> dict[str, Any]:
    return kept_params({key: value if isinstance(value, (int, str, float, bool)) else str(value) for key, value in params.items()})
