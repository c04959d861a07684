"""Runs: the workbooks suppliers get. Downloading one that a person hands on is placing it; a second time says REPEAT."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.purchasing import queries
from daifa.domain.purchasing.models import PlacementAttempt
from daifa.domain.purchasing.process import PURCHASE_RUN
from daifa.domain.sourcing.queries import supplier_with_id
from daifa.flows import file_shapes, intake
from daifa.flows.place_purchases import (
    XLSX_TYPE,
    confirm_run,
    fix_runs,
    repeat_name,
    run_withheld,
    settle_run,
)
from daifa.lib.refusal import Refused
from daifa.web.kit import (
    ActionButton,
    Badge,
    Choice,
    Column,
    Cursor,
    DetailPage,
    EmptyPanel,
    Fact,
    FormPage,
    LinkButton,
    ListPage,
    NotePanel,
    Panel,
    Scope,
    TablePanel,
    after,
    page,
    states,
)
from daifa.web.pages import places
from daifa.web.pages.orders import purchase_columns
from daifa.web.pages.purchases import SUPPLIER, attempts_panel

READ_AT_ONCE = 1_000_000  # bytes: larger replies are read by the worker
PURCHASES_SHOWN = 200


def run_rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[dict[str, Any]]:
    return queries.run_page(
        scope.store_ids,
        state=filters.get("state"),
        supplier_id=int(filters["supplier"]) if "supplier" in filters else None,
        cursor=cursor,
        limit=limit,
    )


RUNS = ListPage(
    title=gettext_lazy("Runs"),
    intro=gettext_lazy("A workbook for one supplier, fixed when it was made: every download has the same bytes."),
    order=queries.NEWEST,
    rows=run_rows,
    export="runs",
    columns=[
        Column("name", gettext_lazy("Workbook"), "code", link=True),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("supplier_code", gettext_lazy("Supplier"), url=lambda row: places.place("supplier", row["supplier_id"])),
        Column("state", gettext_lazy("State"), "state", states=PURCHASE_RUN),
        Column("orders", gettext_lazy("Purchase orders"), "quantity"),
        Column("rows", gettext_lazy("Rows"), "quantity", phone=False),
        Column("times_sent", gettext_lazy("Times sent"), "quantity", phone=False),
        Column("at", gettext_lazy("Made"), "datetime"),
        Column("placed_at", gettext_lazy("Sent"), "datetime"),
    ],
    filters=[
        Choice("state", gettext_lazy("State"), lambda scope: states.choices(PURCHASE_RUN), tabs=True),
        SUPPLIER,
    ],
    actions=lambda scope: [
        ActionButton(_("Make workbooks now"), reverse("web:runs_fix"), icon="file-spreadsheet",
                     reason=scope.why_not("operate"))
    ],
    row_url=lambda row: reverse("web:run", args=[row["id"]]),
    empty=EmptyPanel(
        gettext_lazy("No workbooks yet"),
        gettext_lazy("Purchases for suppliers who work with workbooks are gathered here, one file a supplier and store."),
        icon="file-spreadsheet",
    ),
)  # fmt: skip


# --- One run ------------------------------------------------------------------------------------------------------


def _load(scope: Scope, pk: int) -> dict[str, Any] | None:
    run = queries.run_row(scope.whole.all_store_ids, pk)
    if run is None:
        return None
    return {**run, "supplier": supplier_with_id(run["supplier_id"]), "stores": queries.stores_of_run(pk)}


def _why_not(run: dict[str, Any], scope: Scope) -> str | None:
    """None, or why this person may not work the run: it needs the role in every store of it."""
    for store in run["stores"]:
        if sentence := scope.whole.why_not("operate", store):
            return sentence
    return None


def _by_download(run: dict[str, Any]) -> bool:
    return run["supplier"] is not None and run["supplier"].delivery == "download"


def _actions(run: dict[str, Any], scope: Scope) -> list[Any]:
    reason = _why_not(run, scope)
    download = reverse("web:run_download", args=[run["id"]])
    settle = reverse("web:run_settle", args=[run["id"]])
    actions: list[Any] = []
    if run["state"] == "unknown":
        actions += [
            ActionButton(_("The supplier has it"), settle, icon="check", style="primary", reason=reason,
                         fields={"sent": "1"}, confirm=_("Did the supplier confirm that he has this workbook?")),
            ActionButton(_("He does not have it"), settle, icon="x", style="warning", reason=reason,
                         fields={"sent": "0"},
                         confirm=_("Did the supplier say that he does not have it? It will be sent again.")),
        ]  # fmt: skip
    elif run["state"] == "fixed" and _by_download(run):
        actions.append(
            ActionButton(_("Download and place"), download, icon="download", style="primary", reason=reason,
                         fields={"place": "1"},
                         confirm=_("You hand this workbook to the supplier yourself. Its purchase orders count as placed "
                                   "from now on."))
        )  # fmt: skip
    elif run["state"] == "fixed":
        actions.append(
            ActionButton(_("Send it myself"), download, icon="download", reason=reason, fields={"place": "1"},
                         confirm=_("It waits to be mailed. If you hand it over yourself, it is not mailed any more."))
        )  # fmt: skip
    elif run["state"] == "placed" and _by_download(run):
        actions.append(
            ActionButton(_("Download again"), download, icon="download", reason=reason, fields={"place": "1"},
                         confirm=_("It was handed over before. The file will be named REPEAT, so that nobody ships twice."))
        )  # fmt: skip
    actions.append(ActionButton(_("A copy to look at"), download, icon="eye", reason=reason))
    if run["state"] == "placed":
        actions.append(
            LinkButton(_("Upload the reply"), reverse("web:run_reply", args=[run["id"]]), icon="upload",
                       reason=reason or scope.whole.why_not_shared("operate"))
        )  # fmt: skip
    return actions


def _panels(run: dict[str, Any], scope: Scope) -> list[Panel]:
    panels: list[Panel] = []
    if run["state"] == "unknown":
        panels.append(
            NotePanel(
                _("The mail server did not say whether it took the workbook. Nothing is sent again by itself: look in "
                  "the mail account or ask the supplier, then say here what you found."),
                tone="danger", title=_("Nobody knows whether it was sent"),
            )
        )  # fmt: skip
    if erased := queries.erased_from(run["id"]):
        panels.append(
            NotePanel(
                _("Its content was erased with its buyers' data. Its hash is that of the file as it was sent.")
                if erased == "whole"
                else _("Buyers were erased from it: their cells are blank. Its hash is that of the file as it was sent."),
                tone="info",
            )
        )
    if run["state"] == "fixed" and _by_download(run):
        panels.append(NotePanel(_("It waits for you: download it, hand it to the supplier."), tone="warning"))
    purchases = queries.purchase_page(scope.whole.all_store_ids, run_id=run["id"], limit=PURCHASES_SHOWN)
    columns = [c for c in purchase_columns() if c.name not in ("supplier_code", "store_id")]
    panels.append(
        TablePanel(
            _("Purchase orders"), columns, purchases, row_url=lambda row: reverse("web:purchase", args=[row.id]),
            note=_("The first %(count)d.") % {"count": PURCHASES_SHOWN} if run["orders"] > PURCHASES_SHOWN else "",
        )
    )  # fmt: skip
    attempts = PlacementAttempt.objects.filter(run_id=run["id"]).order_by("id")
    panels.append(attempts_panel(list(attempts.values()), run["store_id"]))
    return panels


RUN = DetailPage(
    load=_load,
    store_id=None,
    title=lambda run, scope: run["name"],
    back=(gettext_lazy("Runs"), lambda: reverse("web:runs")),
    badges=lambda run, scope: [
        Badge(states.word(PURCHASE_RUN, run["state"]), states.tone(PURCHASE_RUN, run["state"])),
        *([Badge(_("handed over %(count)d times") % {"count": run["times_sent"]}, "warning")]
          if run["times_sent"] > 1 else []),
    ],
    actions=_actions,
    facts=lambda run, scope: [
        Fact(_("Supplier"), run["supplier"].name, url=places.place("supplier", run["supplier_id"])),
        Fact(_("Goes"), run["supplier"].get_delivery_display(), hint=run["supplier"].email),
        Fact(_("Purchase orders"), run["orders"], "quantity"),
        Fact(_("Rows"), run["rows"], "quantity"),
        Fact(_("Made"), run["at"], "datetime", store_id=run["store_id"]),
        Fact(_("Sent"), run["placed_at"], "datetime", store_id=run["store_id"]),
        Fact("SHA-256", run["sha256"][:16] + "…", "code"),
    ],
    panels=_panels,
)  # fmt: skip


def _mine(scope: Scope, pk: int) -> dict[str, Any]:
    """The run, for somebody who may work every store of it."""
    run = _load(scope, pk)
    if run is None:
        raise Http404
    scope.whole.require_all(run["stores"], "operate")
    return run


def attachment(name: str, content: bytes, content_type: str = XLSX_TYPE) -> HttpResponse:
    """A file that the browser keeps."""
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = content_disposition_header(True, name)
    response["X-Content-Type-Options"] = "nosniff"
    return response


@page("operate", methods=("POST",))
def download(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """The workbook. With `place` it is handed on and its purchases are placed; without, it is a copy to look at."""
    run = _mine(scope, pk)
    back = reverse("web:run", args=[pk])
    try:
        name, content = queries.run_file(scope.whole.all_store_ids, pk) or ("", b"")
    except Refused as refused:
        return after(request, back, refused=[refused.sentence])
    if verdict := run_withheld(pk, at=scope.at):
        return after(request, back, refused=[verdict.sentence])
    if request.POST.get("place"):
        if run["state"] not in ("fixed", "placed"):
            return after(request, back, refused=[_("First say what became of it: nobody knows whether it was sent.")])
        try:
            confirm_run(pk, by=scope.by, at=scope.at)
        except Refused as refused:
            return after(request, back, refused=[refused.sentence])
        run = queries.run_row(scope.whole.all_store_ids, pk) or run
        return attachment(repeat_name(name, run["times_sent"]), content)
    return attachment(f"COPY-{repeat_name(name, run['times_sent'])}", content)


@page("operate", methods=("POST",))
def settle(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """A person says whether a run in doubt arrived."""
    run = _mine(scope, pk)
    back = reverse("web:run", args=[pk])
    if run["state"] != "unknown":
        return after(request, back, refused=[_("What became of this run is known; there is nothing to settle.")])
    sent = request.POST.get("sent") == "1"
    count = settle_run(pk, sent, by=scope.by, at=scope.at)
    said = ngettext("%(count)d purchase order is placed.", "%(count)d purchase orders are placed.", count)
    return after(request, back, said % {"count": count} if sent else _("It waits to be sent again."))


@page("operate", methods=("POST",))
def fix(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Put what is ready now into workbooks, for the stores in view."""
    made = [run for store in scope.store_ids for run in fix_runs(at=scope.at, by=scope.by, store_id=store)]
    said = ngettext("%(count)d workbook made.", "%(count)d workbooks made.", len(made)) % {"count": len(made)}
    return after(
        request, reverse("web:runs"), said if made else None,
        warning=None if made else _("Nothing is ready to be put into a workbook."),
    )  # fmt: skip


# --- The reply ----------------------------------------------------------------------------------------------------


class ReplyForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("The workbook as it came back"),
        help_text=gettext_lazy("XLSX or CSV, with our references; numbers, shortfalls and refusals in any order."),
    )


def _save_reply(scope: Scope, run: dict[str, Any], data: dict[str, Any], *, by: str, at: datetime) -> str:
    scope.whole.require_all(run["stores"], "operate")
    if sentence := scope.whole.why_not_shared("operate"):
        raise Refused(sentence)
    file = data["file"]
    received = intake.receive_file(
        kind="replies", name=file.name, content=file.read(), supplier=run["supplier"], by=by, at=at
    )
    file_shapes.recall(received.id)
    if file.size <= READ_AT_ONCE:
        received = intake.read_file(received.id, by=by, at=at)
        if received.state == "refused":
            raise Refused(received.sentence, field="file")
    else:
        intake.read_later(received.id)
    return places.place("import", received.id) or reverse("web:run", args=[run["id"]])


REPLY = FormPage(
    title=lambda run, scope: _("Reply to %(name)s") % {"name": run["name"]},
    form=ReplyForm,
    load=lambda scope, pk: _mine(scope, pk),
    save=_save_reply,
    submit=gettext_lazy("Read it"),
    success=gettext_lazy("The reply is in. What could not be used stands in the import, row by row."),
    back=(gettext_lazy("Runs"), lambda: reverse("web:runs")),
)

urlpatterns = [
    path("runs/", RUNS.view, name="runs"),
    path("runs/fix/", fix, name="runs_fix"),
    path("runs/<int:pk>/", RUN.view, name="run"),
    path("runs/<int:pk>/download/", download, name="run_download"),
    path("runs/<int:pk>/settle/", settle, name="run_settle"),
    path("runs/<int:pk>/reply/", REPLY.view, name="run_reply"),
]
