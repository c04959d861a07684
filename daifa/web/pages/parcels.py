"""Parcels: where the goods are; and the dispatch files that tell manual stores their waybill numbers."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from daifa.domain.shipping import queries
from daifa.domain.shipping.process import DISPATCH_NOTICE, PARCEL
from daifa.flows import by_hand, dispatch
from daifa.lib import regions
from daifa.lib.refusal import Refused
from daifa.web.kit import (
    ActionButton,
    Badge,
    Choice,
    Column,
    Cursor,
    DetailPage,
    EmptyPanel,
    Event,
    Fact,
    FormPage,
    LinkButton,
    ListPage,
    NotePanel,
    Panel,
    PanelPage,
    Scope,
    TablePanel,
    Toggle,
    after,
    page,
    states,
)
from daifa.web.pages import places, private
from daifa.web.pages.orders import parcel_columns, parcel_marks, stores_in_view
from daifa.web.pages.purchases import SUPPLIER
from daifa.web.pages.runs import attachment

ENDED = ("delivered", "returned_to_sender", "cancelled")


def parcel_rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[queries.ParcelRow]:
    return queries.parcel_page(
        scope.store_ids,
        state=filters.get("state"),
        supplier_id=int(filters["supplier"]) if "supplier" in filters else None,
        store_id=int(filters["store"]) if "store" in filters else None,
        late=True if filters.get("late") else None,
        q=filters.get("q"),
        cursor=cursor,
        limit=limit,
    )


PARCELS = ListPage(
    title=gettext_lazy("Parcels"),
    search=gettext_lazy("Waybill number"),
    order=queries.NEWEST,
    rows=parcel_rows,
    export="parcels",
    columns=parcel_columns(),
    filters=[
        Choice("state", gettext_lazy("State"), lambda scope: states.choices(PARCEL), tabs=True),
        SUPPLIER,
        Choice("store", gettext_lazy("Store"), stores_in_view),
        Toggle("late", gettext_lazy("Late only")),
    ],
    actions=lambda scope: [
        LinkButton(_("Dispatch files"), reverse("web:dispatch_files"), icon="file-export", reason=scope.why_not("operate"))
    ],
    row_url=lambda row: reverse("web:parcel", args=[row.id]),
    empty=EmptyPanel(
        gettext_lazy("No parcels yet"),
        gettext_lazy("A parcel appears with its waybill number, from a supplier's reply or his system."),
        icon="truck-delivery",
    ),
)  # fmt: skip


# --- One ----------------------------------------------------------------------------------------------------------


def _badges(found: queries.ParcelDetail, scope: Scope) -> list[Any]:
    parcel = found.parcel
    return [
        Badge(states.word(PARCEL, parcel["state"]), states.tone(PARCEL, parcel["state"])),
        *parcel_marks(SimpleNamespace(**parcel)),
    ]


def _facts(found: queries.ParcelDetail, scope: Scope) -> list[Fact]:
    parcel = found.parcel
    store = parcel["store_id"]
    return [
        Fact(_("Order"), parcel["order_number"], "code", url=places.order(parcel["order_id"])),
        Fact(_("Supplier"), parcel["supplier_code"], url=places.place("supplier", parcel["supplier_id"])),
        Fact(_("Carrier"), parcel["carrier"]),
        Fact(_("Announced"), parcel["announced_at"], "datetime", store_id=store),
        Fact(_("Handed over"), parcel["handed_over_at"], "datetime", store_id=store),
        Fact(_("Last scan"), parcel["last_event_at"], "datetime", store_id=store),
        Fact(_("Delivered"), parcel["delivered_at"], "datetime", store_id=store)
        if parcel["delivered_at"]
        else Fact(_("Late from"), parcel["late_at"], "due", store_id=store),
        Fact(_("Units"), parcel["units"], "quantity"),
    ]


def _actions(found: queries.ParcelDetail, scope: Scope) -> list[Any]:
    parcel = found.parcel
    ended = _("The parcel has ended: its number stays.") if parcel["state"] in ENDED else None
    return [
        LinkButton(_("Replace the number"), reverse("web:parcel_number", args=[parcel["id"]]), icon="switch-horizontal",
                   reason=scope.why_not("operate", parcel["store_id"]) or ended)
    ]  # fmt: skip


def _panels(found: queries.ParcelDetail, scope: Scope) -> list[Panel]:
    parcel = found.parcel
    store = parcel["store_id"]
    panels: list[Panel] = []
    if parcel["state"] == "lost":
        panels.append(
            NotePanel(
                _("No scan for too long. Claim it from the supplier or the carrier, then refund the buyer."),
                tone="danger", title=_("It counts as lost"),
                actions=[
                    LinkButton(_("Refund the buyer"), reverse("web:order_give_back", args=[parcel["order_id"]]),
                               icon="receipt-refund", reason=scope.why_not("operate", store))
                ],
            )
        )  # fmt: skip
    panels.append(
        TablePanel(
            _("What is in it"),
            [
                Column("sku", gettext_lazy("SKU"), "code"),
                Column("supplier_sku", gettext_lazy("Supplier's SKU"), "code"),
                Column("order_quantity", gettext_lazy("Units sold"), "quantity"),
                Column("quantity", gettext_lazy("Supplier's units"), "quantity"),
            ],
            found.lines,
        )
    )
    if len(found.numbers) > 1:
        panels.append(
            TablePanel(
                _("Its numbers"),
                [
                    Column("version", gettext_lazy("Version"), "quantity"),
                    Column("number", gettext_lazy("Waybill number"), "code"),
                    Column("carrier", gettext_lazy("Carrier")),
                    Column("state", gettext_lazy("State"), "badge",
                           value=lambda row: Badge(_("in force"), "success") if row["is_active"]
                           else Badge(_("replaced"), "muted")),
                    Column("at", gettext_lazy("Since"), "datetime"),
                ],
                [{**row, "store_id": store} for row in found.numbers],
            )
        )  # fmt: skip
    panels.append(
        TablePanel(
            _("What the store was told"),
            [
                Column("version", gettext_lazy("Version of the number"), "quantity"),
                Column("state", gettext_lazy("State"), "state", states=DISPATCH_NOTICE,
                       hint=lambda row: _notice_answer(row["answer"])),
                Column("at", gettext_lazy("Arose"), "datetime"),
                Column("sent_at", gettext_lazy("Told"), "datetime"),
            ],
            [{**row, "store_id": store} for row in found.notices],
            empty=_("Nothing yet: the store is told when the parcel is handed over."),
        )
    )  # fmt: skip
    return panels


def _notice_answer(answer: str) -> str:
    kind, _colon, number = answer.partition(":")
    return _("dispatch file %(number)s") % {"number": number} if kind == "file" else answer


def _events(found: queries.ParcelDetail, scope: Scope) -> list[Event]:
    return [
        Event(
            event["at"], states.word(PARCEL, event["status"]), by=event["source"],
            # "signed by …" and the place of delivery tell who the buyer is
            detail=" · ".join(part for part in (regions.scanned(event["place"]), event["raw_status"]) if part) if private.may_read(scope, found.parcel["store_id"]) else "",
            icon="truck-delivery", tone=states.tone(PARCEL, event["status"]), url=places.of_import(event["source"]),
        )
        for event in found.events
    ]  # fmt: skip


PARCEL_PAGE = DetailPage(
    load=lambda scope, pk: queries.parcel_detail(scope.all_store_ids, pk),
    store_id="parcel__store_id",
    title=lambda found, scope: _("Parcel %(number)s") % {"number": found.parcel["number"]},
    back=(gettext_lazy("Parcels"), lambda: reverse("web:parcels")),
    badges=_badges,
    actions=_actions,
    facts=_facts,
    panels=_panels,
    timeline=_events,
)


class NumberForm(forms.Form):
    number = forms.CharField(label=gettext_lazy("New waybill number"), max_length=60)
    carrier = forms.CharField(
        label=gettext_lazy("Carrier"), max_length=40, required=False,
        help_text=gettext_lazy("Leave it empty if it stays the same."),
    )  # fmt: skip


def _save_number(scope: Scope, found: queries.ParcelDetail, data: dict[str, Any], *, by: str, at: datetime) -> str:
    by_hand.replace_number(found.parcel["id"], data["number"], data["carrier"], by=by, at=at)
    return reverse("web:parcel", args=[found.parcel["id"]])


NUMBER = FormPage(
    title=lambda found, scope: _("Replace %(number)s") % {"number": found.parcel["number"]},
    form=NumberForm,
    load=lambda scope, pk: queries.parcel_detail(scope.whole.all_store_ids, pk),
    store_id="parcel__store_id",
    save=_save_number,
    submit=gettext_lazy("Replace"),
    success=gettext_lazy("The new number is in force. The store and, if need be, the buyer are told once."),
    intro=gettext_lazy("The old number stays on record."),
    back=(gettext_lazy("Parcels"), lambda: reverse("web:parcels")),
)


# --- Dispatch files -----------------------------------------------------------------------------------------------


def _file_panels(request: HttpRequest, scope: Scope) -> list[Panel]:
    waiting = queries.notices_waiting(scope.store_ids)
    stores = [store for store in scope.stores if store.id in scope.store_ids and store.channel != "sample"]
    rows = [
        {"store_id": store.id, "store": store, "waiting": waiting.get(store.id, 0)}
        for store in sorted(stores, key=lambda store: (-waiting.get(store.id, 0), store.name))
    ]
    panels: list[Panel] = [
        TablePanel(
            _("Waybill numbers to be told"),
            [
                Column("store_id", gettext_lazy("Store"), "store"),
                Column("waiting", gettext_lazy("Parcels waiting"), "quantity"),
                Column("act", "", "html", value=lambda row: _download_form(request, row)),
            ],
            rows,
            empty=_("There is no store that takes files."),
            note=_("The download is the confirmation: what is in the file counts as told. It can be taken again."),
        )
    ]
    panels.append(
        TablePanel(
            _("Earlier files"),
            [
                Column("number", gettext_lazy("Number"), "code"),
                Column("store_id", gettext_lazy("Store"), "store"),
                Column("at", gettext_lazy("Taken"), "datetime"),
                Column("parcels", gettext_lazy("Parcels"), "quantity"),
                Column("act", "", "html", value=lambda row: _download_form(request, row)),
            ],
            queries.dispatch_files(scope.store_ids),
            empty=_("No file was taken yet."),
        )
    )
    return panels


def _download_form(request: HttpRequest, row: dict[str, Any]) -> Any:
    from django.template.loader import render_to_string

    again = row.get("number")
    forms_ = [
        ActionButton(
            form.upper() if again is None else _("%(form)s again") % {"form": form.upper()},
            reverse("web:dispatch_file", args=[row["store_id"]]),
            icon="download",
            style="primary" if again is None and form == "xlsx" and row["waiting"] else "",
            reason=_("Nothing waits.") if again is None and not row["waiting"] else None,
            fields={"form": form, **({"again": again} if again is not None else {})},
        )
        for form in ("xlsx", "csv")
    ]
    return render_to_string("web/pages/buttons.html", {"buttons": forms_, "request": request}, request)


DISPATCH = PanelPage(
    title=gettext_lazy("Dispatch files"),
    intro=gettext_lazy("For stores without a connection: give the file to the store, and its buyers see their numbers."),
    needs="operate",
    panels=_file_panels,
    actions=lambda scope: [LinkButton(_("Parcels"), reverse("web:parcels"), icon="arrow-left", style="ghost")],
)


@page("operate", methods=("POST",))
def dispatch_file(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """The file of what a store has not been told, or an earlier one again."""
    store = scope.whole.require(pk, "operate")
    again = request.POST.get("again", "")
    form = "csv" if request.POST.get("form") == "csv" else "xlsx"
    back = reverse("web:dispatch_files")
    if again and not (again.isascii() and again.isdigit() and len(again) < 19):
        return after(request, back, refused=[_("That is not the number of a file.")])
    try:
        name, content, _rows = dispatch.export_dispatches(
            store, by=scope.by, at=scope.at, again=int(again) if again else None, form=form
        )
    except Refused as refused:
        return after(request, back, refused=[refused.sentence])
    if form == "csv":
        return attachment(name, content, "text/csv; charset=utf-8")
    return attachment(name, content)


urlpatterns = [
    path("parcels/", PARCELS.view, name="parcels"),
    path("parcels/dispatch/", DISPATCH.view, name="dispatch_files"),
    path("parcels/dispatch/<int:pk>/", dispatch_file, name="dispatch_file"),
    path("parcels/<int:pk>/", PARCEL_PAGE.view, name="parcel"),
    path("parcels/<int:pk>/number/", NUMBER.view, name="parcel_number"),
]
