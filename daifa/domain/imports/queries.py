"""Reads of imports and their refused rows.

An import belongs to a store, or (price lists, products, replies for several stores) to none: the latter are `shared`
and shown to those who may see every store.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q, QuerySet
from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_noop as N_

from daifa.domain.imports.models import ImportFile, ImportRow
from daifa.lib.paging import Cursor
from daifa.lib.sentences import told_params

NEWEST = ("-id",)
BY_ROW = ("row", "id")

# Why rows were counted as they were; a house test holds it against the codes in the code.
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
    # why rows were refused
    "accepted_taken_back": N_("acceptance taken back"),
    "accepted_too_many": N_("more accepted than asked for"),
    "ambiguous_date": N_("dates that can be read in two ways"),
    "ambiguous_number": N_("numbers that can be read in two ways"),
    "amount_negative": N_("negative amounts"),
    "amount_not_positive": N_("amounts that are not above 0"),
    "amount_too_fine": N_("amounts with more decimals than the currency has"),
    "amount_too_large": N_("amounts too large"),
    "answer_contradicts": N_("answers that contradict themselves"),
    "answer_contradicts_quantity": N_("answers that contradict their quantity"),
    "answer_unknown": N_("answers that are not understood"),
    "books_locked": N_("days that are locked in the books"),
    "cells_beyond_header": N_("more cells than headings"),
    "country_unknown": N_("unknown countries"),
    "currency_conflict": N_("two currencies in one row"),
    "currency_differs": N_("another currency than the supplier's"),
    "currency_not_of_store": N_("another currency than the store's"),
    "currency_not_store": N_("another currency than the store's"),
    "currency_unknown": N_("unknown currencies"),
    "date_in_future": N_("dates in the future"),
    "date_missing": N_("without a date"),
    "date_out_of_range": N_("dates too far away"),
    "date_too_early": N_("dates too early"),
    "decimal_id": N_("numbers of things that came as decimals"),
    "duplicate_row": N_("rows repeated with other content"),
    "duplicate_sku": N_("SKUs that stand there twice"),
    "empty": N_("needed cells that are empty"),
    "exchange_rate_missing": N_("without an exchange rate"),
    "invoice_prefix": N_("invoice numbers of an unknown kind"),
    "key_missing": N_("without a key of their own"),
    "line_repeated": N_("order lines that stand there twice"),
    "line_unknown": N_("lines the purchase does not have"),
    "list_too_short": N_("a list much shorter than the last one"),
    "kind_unknown": N_("kinds not known here, recorded as other"),
    "money_not_booked": N_("amounts left to whoever keeps the books"),
    "no_answer": N_("rows without an answer"),
    "no_order": N_("orders this store does not have"),
    "no_store": N_("stores that are not known"),
    "not_a_date": N_("not a date"),
    "not_a_number": N_("not a number"),
    "not_applied": N_("could not be used"),
    "nothing_left_to_ship": N_("shipped in full before"),
    "number_missing": N_("without an order number"),
    "number_unknown": N_("waybill numbers no parcel has"),
    "options_differ": N_("options that do not fit the product"),
    "order_rows_disagree": N_("rows of one order that disagree"),
    "over_shipped": N_("more shipped than asked for"),
    "pack_invalid": N_("pack sizes that cannot be"),
    "points_wrong": N_("points that cannot be"),
    "price_not_positive": N_("prices that are not above 0"),
    "price_raised": N_("prices that were raised"),
    "product_missing": N_("without a product"),
    "purchase_not_placed": N_("purchases that are not with the supplier"),
    "quantity_not_positive": N_("quantities below 1"),
    "quantity_not_whole": N_("quantities that are not whole"),
    "quantity_too_large": N_("quantities too large"),
    "rate_not_positive": N_("rates that are not above 0"),
    "reference_missing": N_("without a reference"),
    "reference_of_another_supplier": N_("references of another supplier"),
    "reference_too_long": N_("references too long"),
    "reference_unknown": N_("unknown references"),
    "reference_unreadable": N_("references that cannot be read"),
    "rows_disagree": N_("rows that contradict another one"),
    "same_currency": N_("a rate of a currency to itself"),
    "scan_in_future": N_("scans in the future"),
    "scientific_notation": N_("numbers shortened by a spreadsheet (1.2E+10)"),
    "sku_missing": N_("without a SKU"),
    "sku_too_long": N_("SKUs too long"),
    "sku_unknown": N_("unknown SKUs"),
    "split_differs": N_("parts that do not add up"),
    "split_unclear": N_("parts that are not clear"),
    "suborder_number": N_("numbers of sub-orders in place of orders"),
    "supplier_sku_invalid": N_("supplier's SKUs that cannot be"),
    "times_crossed": N_("times in the wrong order"),
    "times_crossed_appeal": N_("appeals due before the notice"),
    "times_crossed_consequence": N_("measures that end before they begin"),
    "times_crossed_points": N_("points that expire before they count"),
    "tracking_number_odd": N_("odd waybill numbers"),
    "unknown_consequence": N_("unknown measures"),
    "unknown_currency": N_("unknown currencies"),
    "unknown_kind": N_("unknown kinds"),
    "unknown_rule": N_("rules that are not in the rule book"),
}  # fmt: skip

_COUNTED = {
    "order": ngettext_lazy("%(shown)s new order", "%(shown)s new orders", "n"),
    "order_changed": ngettext_lazy("%(shown)s order that changed", "%(shown)s orders that changed", "n"),
    "order_unchanged": ngettext_lazy("%(shown)s order known already", "%(shown)s orders known already", "n"),
    "order_history": ngettext_lazy("%(shown)s order finished before, kept only", "%(shown)s orders finished before, kept only", "n"),
    "credit": ngettext_lazy("%(shown)s credit note or cancellation", "%(shown)s credit notes and cancellations", "n"),
    "not_an_order": ngettext_lazy("%(shown)s that is no order", "%(shown)s that are no orders", "n"),
}


def reason_words(code: str) -> str:
    """Why rows were counted as they were, in the reader's language."""
    return gettext(_REASONS[code]) if code in _REASONS else code.replace("_", " ")


def counted_words(code: str, n: int) -> str:
    """So many of a kind, in the reader's language: "1 new order", "1,200 new orders"."""
    shown = f"{n:,}"
    return str(_COUNTED[code] % {"n": n, "shown": shown}) if code in _COUNTED else f"{shown} {reason_words(code)}"


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
    params = told_params(row.params or {})
    try:
        return gettext(row.message) % params if params else gettext(row.message)
    except (KeyError, TypeError, ValueError):
        return gettext(row.message)
