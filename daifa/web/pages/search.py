"""The box in the top bar: whatever number one has in hand, over all stores one may see."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext as _

from daifa.domain.purchasing.queries import purchase_page
from daifa.domain.shipping.queries import parcel_page
from daifa.flows.reads.orders import order_list
from daifa.web.kit import (
    Column,
    EmptyPanel,
    LinkButton,
    Panel,
    PanelPage,
    Scope,
    TablePanel,
    navigation,
    page,
)
from daifa.web.pages import places, private
from daifa.web.pages.orders import ORDERS, order_url, parcel_columns, purchase_columns

SHOWN = 20
_SHORT = ("number", "store_id", "status", "placed_at", "total_amount")


def _panels(q: str, scope: Scope) -> list[Panel]:
    stores = scope.all_store_ids
    orders = order_list(stores, q=q, limit=SHOWN + 1)
    orders = [
        row if private.may_read(scope, row.store_id) else row._replace(name=private.masked(row.name)) for row in orders
    ]
    purchases = purchase_page(stores, q=q, limit=SHOWN + 1) if len(q) >= 4 else []
    parcels = parcel_page(stores, q=q, limit=SHOWN + 1) if len(q) >= 4 else []
    found: list[Panel] = []
    if sections := navigation.named(q, scope):
        found.append(
            TablePanel(_("Sections"), [Column("label", _("Section"), value=lambda row: row[0], link=True)], sections,
                       row_url=lambda row: row[1])
        )  # fmt: skip
    for title, columns, rows, url, name in (
        (_("Orders"), [c for c in ORDERS.columns if c.name in _SHORT], orders, order_url, "orders"),
        (_("Purchase orders"), purchase_columns(), purchases, lambda row: reverse("web:purchase", args=[row.id]), "purchases"),
        (_("Parcels"), parcel_columns(), parcels, lambda row: reverse("web:parcel", args=[row.id]), "parcels"),
    ):
        if rows:
            more = places.place(name, q=q)
            found.append(
                TablePanel(title, columns, rows[:SHOWN], row_url=url,
                           more=LinkButton(_("All of them"), more) if more and len(rows) > SHOWN else None)
            )  # fmt: skip
    return found


def _one(panels: list[Panel]) -> str | None:
    """The address of the only thing found."""
    if len(panels) != 1 or not isinstance(panels[0], TablePanel) or len(panels[0].rows) != 1:
        return None
    return panels[0].row_url(panels[0].rows[0]) if panels[0].row_url else None


@page("view", methods=("GET", "HEAD"))
def search(request: HttpRequest, scope: Scope) -> HttpResponse:
    """What matches `q`; straight to it when it is one thing."""
    q: Any = request.GET.get("q", "").replace("\x00", "").strip()[:200]
    panels = _panels(q, scope) if q else []
    if url := _one(panels):
        return redirect(url)
    if not panels:
        panels = [
            EmptyPanel(
                _("Nothing found for “%(q)s”") % {"q": q} if q else _("What are you looking for?"),
                _("Try an order number, a waybill number, our purchase reference, a SKU or the beginning of a name."),
                icon="search",
            )
        ]
    title = _("Search: %(q)s") % {"q": q} if q else _("Search")
    return PanelPage(title=title, panels=lambda request, scope: panels).respond(request, scope)


urlpatterns = [path("search/", search, name="search")]
