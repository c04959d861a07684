"""Reads of imports and their refused rows.

An import belongs to a store, or (price lists, products, replies for several stores) to none: the latter are `shared`
and shown to those who may see every store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet

from daifa.domain.imports.models import ImportFile, ImportRow
from daifa.lib.paging import Cursor

NEWEST = ("-id",)
BY_ROW = ("row", "id")


def imports_in(scope: Sequence[int], *, shared: bool) -> QuerySet[ImportFile]:
    """Imports of these stores, with `shared` also those of no store."""
    mine = Q(store_id__in=list(scope))
    return ImportFile.objects.filter(mine | Q(store=None) if shared else mine)


def import_page(
    scope: Sequence[int],
    *,
    shared: bool,
    kind: str | None = None,
    state: str | None = None,
    cursor: Cursor | None = None,
    limit: int = 50,
) -> list[ImportFile]:
    """At most `limit` imports, newest first."""
    found = imports_in(scope, shared=shared)
    if kind:
        found = found.filter(kind=kind)
    if state:
        found = found.filter(state=state)
    return (cursor or Cursor(NEWEST)).slice(found, limit)


def import_file(scope: Sequence[int], import_id: int, *, shared: bool) -> ImportFile | None:
    """One import; None when it is not there or not in scope."""
    return imports_in(scope, shared=shared).filter(id=import_id).first()


def row_page(
    import_id: int, *, state: str | None = None, cursor: Cursor | None = None, limit: int = 50
) -> list[ImportRow]:
    """Refused and remarked rows of an import the caller may see, in the order of the file."""
    rows = ImportRow.objects.filter(file_id=import_id)
    if state:
        rows = rows.filter(state=state)
    return (cursor or Cursor(BY_ROW)).slice(rows, limit)


def row_of(scope: Sequence[int], row_id: int, *, shared: bool) -> ImportRow | None:
    """One row with its file; None when it is not there or not in scope."""
    return (
        ImportRow.objects.select_related("file")
        .filter(id=row_id, file__in=imports_in(scope, shared=shared).values("id"))
        .first()
    )


def sentence_of(row: ImportRow) -> str:
    """Why the row was refused and what to do, in the reader's language: the row's msgid filled from its params."""
    from django.utils.translation import gettext

    params: dict[str, Any] = row.params or {}
    try:
        return gettext(row.message) % params if params else gettext(row.message)
    except (KeyError, TypeError, ValueError):
        return gettext(row.message)
