"""Money that moved after an archived store's books were locked: what waits, and booking it as of today."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.stores.models import Store
from daifa.flows.book_late import book_late
from daifa.flows.reads.late_entries import Late, waiting
from daifa.lib.money import Money
from daifa.web.kit import (
    ActionButton,
    Column,
    DetailPage,
    LinkButton,
    NotePanel,
    Panel,
    Scope,
    TablePanel,
    page,
)
from daifa.web.pages import places, words
from daifa.web.pages.closing_panels import acted, load_store

_FACT_OF = {
    "post_refunds": "refund_confirmed", "post_orders": "order_paid", "post_cancelled": "order_over",
    "post_handed_over": "parcel_handed_over", "post_delivered": "parcel_delivered", "post_lost": "parcel_lost",
}  # fmt: skip


def late_note(store_id: int, scope: Scope) -> list[Panel]:
    """On the pages of an archived store: what waits there, with the way to it; nothing where nothing does."""
    count = len(waiting([store_id]))
    if not count:
        return []
    return [
        NotePanel(
            ngettext(
                "%(count)d movement of money was heard of after the books were locked, and is not booked.",
                "%(count)d movements of money were heard of after the books were locked, and are not booked.", count,
            ) % {"count": count},
            tone="warning",
            actions=[LinkButton(_("Open"), reverse("web:late_entries", args=[store_id]), "book-2", reason=scope.why_not("books", store_id))],
        )
    ]  # fmt: skip


def _panels(store: Store, scope: Scope) -> list[Panel]:
    rows = waiting([store.pk])
    return [
        TablePanel(
            _("Not booked yet"),
            [
                Column("reaction", gettext_lazy("What"), value=lambda row: words.entry(_FACT_OF[row.reaction])),
                Column("order_number", gettext_lazy("Order"), "code", url=lambda row: places.order(row.order_id)),
                Column("amount", gettext_lazy("Amount"), "money", value=_amount),
                Column("heard_at", gettext_lazy("Heard of"), "datetime"),
            ],
            rows,
            empty=_("Nothing waits to be booked in this store."),
            note=_("Booked, it counts for the day you book it, with your reason; nothing that stands in the books changes. What it leaves between the channel and you goes through the bank, then the books are locked again. Where the store comes back it is booked by itself."),
        )
    ]  # fmt: skip


def _amount(row: Late) -> Money | None:
    return None if row.amount is None else Money(row.amount, row.currency)


LATE = DetailPage(
    load=load_store,
    store_id="id",
    needs="books",
    title=lambda store, scope: _("Heard of after the archive"),
    back=lambda store: (_("Life of the store"), reverse("web:store_life", args=[store.pk])),
    actions=lambda store, scope: [
        ActionButton(_("Book as of today"), reverse("web:late_entries_book", args=[store.pk]), "book-2", style="primary",
                     reason=scope.why_not("own", store.pk) or (None if waiting([store.pk]) else _("Nothing waits to be booked in this store.")),
                     ask=_("Why is it booked now? The reason stands in the books."))
    ],
    panels=_panels,
)  # fmt: skip


@page("own", methods=("POST",))
def book(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    if load_store(scope, pk) is None:
        raise Http404
    scope.whole.require(pk, "own")
    return acted(
        request, reverse("web:late_entries", args=[pk]), _("Booked as of today; the books are locked again."),
        lambda: book_late(store_id=pk, reason=request.POST.get("reason", ""), by=scope.by, at=scope.at),
    )  # fmt: skip


urlpatterns: list[Any] = [
    path("stores/<int:pk>/life/late/", LATE.view, name="late_entries"),
    path("stores/<int:pk>/life/late/book/", book, name="late_entries_book"),
]
