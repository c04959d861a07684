"""Reads of imports and their refused rows.

An import belongs to a store, or (price lists, products, replies for several stores) to none: the latter are `shared`
and shown to those who may see every store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as N_

from daifa.domain.imports.models import ImportFile, ImportRow
from daifa.lib.paging import Cursor

NEWEST = ("-id",)
BY_ROW = ("row", "id")

# Why rows were counted as they were. Codes without a word here are shown as they are.
_REASONS = {
    "order": N_("new orders"), "order_changed": N_("orders that changed"), "order_unchanged": N_("orders known already"),
    "order_history": N_("orders finished before, kept only"), "credit": N_("credit notes and cancellations"),
    "created": N_("new"), "updated": N_("changed"), "unchanged": N_("known already"), "used": N_("used"),
    "reply_row": N_("reply rows applied"), "scan": N_("scans"), "expense": N_("expenses booked"),
    "violation": N_("violations"), "violation_known": N_("violations known already"),
    "violation_completed": N_("violations that lacked money or orders"),
    "expense_known": N_("expenses known already"), "bad_debt": N_("bad debts"), "test_product": N_("test articles"),
    "stock_adjustment_out": N_("stock taken out"), "stock_adjustment_in": N_("stock put in"),
    "total_row": N_("rows of totals"), "repeated_row": N_("rows repeated word for word"),
    "picture_row": N_("rows that only hold a picture"), "not_an_order": N_("not orders"),
}  # fmt: skip


def reason_words(code: str) -> str:
    """Why rows were counted as they were, in the reader's language."""
    return gettext(_REASONS[code]) if code in _REASONS else code.replace("_", " ")


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
    params: dict[str, Any] = row.params or {}
    try:
        return gettext(row.message) % params if params else gettext(row.message)
    except (KeyError, TypeError, ValueError):
        return gettext(row.message)
