"""How often a store is seen, against the lines of a store that nobody comes to; and stores that ended before daifa."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from daifa.domain.closing import commands, queries, rules
from daifa.domain.closing.commands import NewPast, NewTraffic, Written, said
from daifa.domain.closing.models import SCENARIOS
from daifa.domain.exit_index.queries import has_own_lines, review_lines
from daifa.domain.stores.models import Store
from daifa.flows import read_closing_files
from daifa.lib.money import Money
from daifa.lib.sheets import SheetRefused
from daifa.web.kit import (
    ActionButton,
    Badge,
    ChartPanel,
    Column,
    EmptyPanel,
    FormPage,
    FormPanel,
    LinkButton,
    NotePanel,
    Panel,
    PanelPage,
    Refused,
    Scope,
    Series,
    TablePanel,
    after,
    page,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import places

LARGEST_FILE = 10 << 20
DATE = {"widget": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")}


class FileForm(forms.Form):
    file = forms.FileField(label=gettext_lazy("File"), widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx,.xls,.ods"}))


def _read_file(request: HttpRequest, here: str, read: Callable[[Path, str], Written]) -> HttpResponse:
    """Hand an uploaded table to its reader and say what became of its rows."""
    form = FileForm(request.POST, request.FILES)
    if not form.is_valid():
        return after(request, here, refused=[_("Choose a file first.")])
    file = form.cleaned_data["file"]
    if file.size > LARGEST_FILE:
        return after(request, here, refused=[_("The file is larger than %(limit)s MB. Split it and import the parts.") % {"limit": LARGEST_FILE >> 20}])
    with tempfile.NamedTemporaryFile(suffix=Path(file.name).suffix[:10]) as kept:
        for chunk in file.chunks():
            kept.write(chunk)
        kept.flush()
        try:
            done = read(Path(kept.name), file.name)
        except SheetRefused as refused:
            return after(request, here, refused=[refused.sentence()])
    return after(
        request, here, told(done), refused=[f"{_('Row %(row)s') % {'row': row.row}}: {row.sentence()}" for row in done.refused[:50]]
    )


def told(done: Written) -> str:
    """What became of the rows of a file, in one line."""
    return _("Rows: %(added)s new, %(changed)s changed, %(same)s as before, %(refused)s refused.") % {
        "added": done.added, "changed": done.changed, "same": done.same, "refused": len(done.refused),
    }  # fmt: skip


# --- How often a store is seen ------------------------------------------------------------------------------------


def lines_panel(store_id: int, scope: Scope) -> TablePanel:
    """The thresholds, each with its figures and where the line comes from."""

    def values(line: rules.Line) -> str:
        return " · ".join("–" if value is None else fmt.quantity_text(value) for value in line.values)

    own = has_own_lines(store_id)

    def source(line: rules.Line) -> str:
        if line.measure != "orders":
            return _("daifa's own assumption")
        return _("monthly review, set for this store") if own else _("monthly review, daifa's own assumption")

    def verdict(line: rules.Line) -> list[Badge]:
        if line.is_below is None:
            return [Badge(_("not measured"), "neutral")]
        return [Badge(_("below the line"), "danger") if line.is_below else Badge(_("above the line"), "success")]

    return TablePanel(
        _("Does anybody come?"),
        [
            Column("measure", gettext_lazy("Figure"), value=lambda line: said(rules.MEASURES[line.measure])),
            Column("values", gettext_lazy("Last three times 30 days"), value=values, wrap=True),
            Column("line", gettext_lazy("Threshold"), "quantity"),
            Column("source", gettext_lazy("Where it comes from"), value=source, wrap=True, phone=False,
                   url=lambda line: places.place("exit_index_lines", store_id) if line.measure == "orders" and scope.may("operate", store_id) else None),
            Column("below", "", "badges", value=verdict),
        ],
        queries.lines_of(store_id, at=scope.at),
        note=_("A store is called quiet when its orders are below the line three times over, or none came for %(days)s days; or visits or impressions are, while the last 30 days brought few orders too. Visits and impressions count where they were entered for 20 of the 30 days. No platform publishes its line.")
        % {"days": review_lines([store_id])[store_id].dormant_days},
    )  # fmt: skip


def _traffic_panels(store: Store, scope: Scope) -> list[Panel]:
    panels: list[Panel] = [lines_panel(store.pk, scope)]
    rows = queries.traffic_of(store.pk)
    if not rows:
        panels.append(
            EmptyPanel(_("Nothing was entered yet"), _("Enter a day, or hand in the table that the platform's back office exports."), icon="chart-line")
        )
    else:
        days = [fmt.date_text(row.day) for row in reversed(rows)]
        for name, title in (("visits", _("Visits")), ("impressions", _("Impressions"))):
            values = [getattr(row, name) for row in reversed(rows)]
            if any(value is not None for value in values):
                panels.append(ChartPanel(title, days, [Series(title, values)], name=f"traffic-{name}"))
    here = reverse("web:traffic", args=[store.pk])
    panels.append(
        FormPanel(
            _("From a file"), FileForm(), here, _("Read the file"), icon="upload", reason=scope.why_not("operate", store.pk),
            intro=_("CSV or a workbook with a row a day: date, impressions, visits; a column for the store where it holds several. The same file again changes nothing."),
        )
    )  # fmt: skip
    if rows:
        panels.append(
            TablePanel(
                _("Days"),
                [
                    Column("day", gettext_lazy("Day"), "date"),
                    Column("impressions", gettext_lazy("Impressions"), "quantity"),
                    Column("visits", gettext_lazy("Visits"), "quantity"),
                    Column("source", gettext_lazy("How it came"), phone=False),
                ],
                rows[:31],
            )
        )
    return panels


@page("view", methods=("GET", "HEAD", "POST"))
def traffic(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """The figures of a store, its thresholds, and a file of them handed in."""
    store = scope.whole.store(pk)
    if store is None:
        raise Http404
    if request.method == "POST":
        scope.whole.require(pk, "operate")
        mine = [one for one in scope.whole.all_store_ids if scope.whole.may("operate", one)]
        return _read_file(
            request, reverse("web:traffic", args=[pk]),
            lambda file, name: read_closing_files.read_traffic(file, name=name, scope=mine, store=store, by=scope.by, at=scope.at),
        )  # fmt: skip
    return PanelPage(
        title=_("Exposure and visits of %(store)s") % {"store": store.name},
        panels=lambda request, scope: _traffic_panels(store, scope),
        actions=lambda scope: [
            LinkButton(_("Life of the store"), reverse("web:store_life", args=[pk]), "arrow-left", "ghost"),
            LinkButton(_("Enter a day"), reverse("web:traffic_enter", args=[pk]), "plus", "primary", reason=scope.why_not("operate", pk)),
        ],
    ).respond(request, scope)


class DayForm(forms.Form):
    day = forms.DateField(label=gettext_lazy("Day"), **DATE)
    impressions = forms.IntegerField(label=gettext_lazy("Impressions"), min_value=0, required=False)
    visits = forms.IntegerField(label=gettext_lazy("Visits"), min_value=0, required=False)


def _enter(scope: Scope, store: Store, data: dict[str, Any], *, by: str, at: datetime) -> str:
    done = commands.record_traffic([NewTraffic(store.pk, data["day"], data["impressions"], data["visits"])], source="by hand", by=by, at=at)
    if done.refused:
        raise Refused(done.refused[0].sentence(), code=done.refused[0].code)
    return reverse("web:traffic", args=[store.pk])


TRAFFIC_ENTER = FormPage(
    title=lambda store, scope: _("Exposure and visits of %(store)s") % {"store": store.name},
    form=DayForm,
    load=lambda scope, pk: scope.whole.store(pk),
    store_id="id",
    needs="operate",
    save=_enter,
    success=gettext_lazy("Saved."),
    intro=gettext_lazy("As the platform's back office shows them. A day that is there is corrected; an empty field leaves its figure as it was."),
    back=lambda store: (_("Exposure and visits"), reverse("web:traffic", args=[store.pk])),
)  # fmt: skip


# --- Stores that ended before -------------------------------------------------------------------------------------


def _sees_all(scope: Scope) -> bool:
    return scope.whole.may_shared("own")


def _past_panels(scope: Scope) -> list[Panel]:
    rows = queries.past_closings(scope.store_ids, all_stores=_sees_all(scope))
    own = scope.why_not("own")
    panels: list[Panel] = [
        NotePanel(_("For the figures of closings by year, and for what the exit index learns from them: the life of no store changes."), tone="info"),
        TablePanel(
            _("Past closings"),
            [
                Column("name", gettext_lazy("Store")),
                Column("scenario", gettext_lazy("Why"), value=lambda one: said(SCENARIOS[one.scenario])),
                Column("began_on", gettext_lazy("Begun"), "date"),
                Column("closed_on", gettext_lazy("Closed"), "date"),
                Column("held", gettext_lazy("Deposit held"), "money", value=lambda one: Money(one.deposit_held, one.currency)),
                Column("returned", gettext_lazy("Given back"), "money",
                       value=lambda one: None if one.deposit_returned is None else Money(one.deposit_returned, one.currency)),
                Column("note", gettext_lazy("Note"), wrap=True, phone=False, hint=lambda one: one.source),
            ],
            rows,
            row_url=lambda one: reverse("web:past_closing", args=[one.pk]),
            empty=_("None is recorded."),
        ),
        FormPanel(
            _("From a file"), FileForm(), reverse("web:past_closings"), _("Read the file"), icon="upload", reason=own,
            intro=_("CSV or a workbook with a row a store: store, cause (compliance, business, policy, users), begun, closed, currency, deposit held, deposit returned, deposit on, note."),
        ),
    ]  # fmt: skip
    return panels


@page("view", methods=("GET", "HEAD", "POST"))
def past(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Stores that ended before daifa closed any."""
    if request.method == "POST":
        if not scope.may("own"):
            return after(request, reverse("web:past_closings"), refused=[str(scope.why_not("own"))])
        mine = [one for one in scope.whole.all_store_ids if scope.whole.may("own", one)]
        return _read_file(
            request, reverse("web:past_closings"),
            lambda file, name: read_closing_files.read_past_closings(
                file, name=name, scope=mine, unknown=_sees_all(scope), by=scope.by, at=scope.at
            ),
        )  # fmt: skip
    return PanelPage(
        title=_("Past closings"),
        intro=_("Stores that ended before daifa closed any, so that the figures by year count them."),
        panels=lambda request, scope: _past_panels(scope),
        actions=lambda scope: [
            LinkButton(_("Closings by year"), reverse("web:closures"), "chart-bar", "ghost"),
            LinkButton(_("Record one"), reverse("web:past_closing_enter"), "plus", "primary", reason=scope.why_not("own")),
        ],
    ).respond(request, scope)


def _past_form(scope: Scope, thing: Any) -> type[forms.Form]:
    stores = [(str(one.pk), one.name) for one in scope.stores if scope.may("own", one.pk)]
    if _sees_all(scope):
        stores.insert(0, ("", _("a store that was never kept here")))

    class PastForm(forms.Form):
        store = forms.ChoiceField(label=_("Store"), choices=stores, required=not _sees_all(scope))
        name = forms.CharField(label=_("Its name"), max_length=120, required=False, help_text=_("For a store that was never kept here."))
        scenario = forms.ChoiceField(label=_("Why it ended"), choices=[(code, said(words)) for code, words in SCENARIOS.items()])
        began_on = forms.DateField(label=_("Took no new orders from"), **DATE)
        closed_on = forms.DateField(label=_("Closed on"), required=False, **DATE)
        currency = forms.CharField(label=_("Currency"), max_length=3, initial="CNY")
        deposit_held = forms.DecimalField(label=_("Deposit held then"), min_value=0, max_digits=15, decimal_places=2, required=False)
        deposit_returned = forms.DecimalField(label=_("Of it given back"), min_value=0, max_digits=15, decimal_places=2, required=False)
        deposit_on = forms.DateField(label=_("Given back on"), required=False, **DATE)
        note = forms.CharField(label=_("Note"), max_length=300, required=False)

    return PastForm


def _record(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: datetime) -> str:
    store = scope.require(int(data["store"]), "own") if data["store"] else None
    done = commands.record_past_closings(
        [
            NewPast(
                store.name if store else data["name"], data["scenario"], data["began_on"], data["closed_on"], data["currency"].upper(),
                data["deposit_held"] or Decimal(0), data["deposit_returned"], data["deposit_on"], data["note"], store.pk if store else None,
            )
        ],
        source="by hand", by=by, at=at,
    )  # fmt: skip
    if done.refused:
        raise Refused(done.refused[0].sentence(), code=done.refused[0].code)
    if done.same:
        raise Refused(_("A closing of this store from that day on is recorded already."), code="known")
    return reverse("web:past_closings")


PAST_ENTER = FormPage(
    title=gettext_lazy("A past closing"),
    form=_past_form,
    needs="own",
    save=_record,
    success=gettext_lazy("Recorded: the figures by year count it."),
    back=(gettext_lazy("Past closings"), lambda: reverse("web:past_closings")),
)


@page("own", methods=("GET", "HEAD", "POST"))
def past_closing(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """One past closing: looked at, or taken back where it was recorded by mistake."""
    mine = [one for one in scope.whole.all_store_ids if scope.whole.may("own", one)]
    found = next((one for one in queries.past_closings(mine, all_stores=_sees_all(scope)) if one.pk == pk), None)
    if found is None:
        raise Http404
    if request.method == "POST":
        commands.drop_past_closings([pk], scope=mine, all_stores=_sees_all(scope))
        return after(request, reverse("web:past_closings"), _("Taken back."))
    return PanelPage(
        title=found.name,
        pretitle=_("Past closing"),
        panels=lambda request, scope: [
            TablePanel(
                said(SCENARIOS[found.scenario]),
                [Column("what", "", value=lambda row: row[0]), Column("value", "", value=lambda row: row[1], wrap=True)],
                [
                    (_("Took no new orders from"), fmt.date_text(found.began_on)),
                    (_("Closed on"), fmt.date_text(found.closed_on) if found.closed_on else "–"),
                    (_("Deposit held"), fmt.money_text(found.deposit_held, found.currency)),
                    (_("Given back"), "–" if found.deposit_returned is None else fmt.money_text(found.deposit_returned, found.currency)),
                    (_("Given back on"), fmt.date_text(found.deposit_on) if found.deposit_on else "–"),
                    (_("Note"), found.note or "–"),
                    (_("How it came"), found.source),
                ],
            )
        ],
        actions=lambda scope: [
            LinkButton(_("Past closings"), reverse("web:past_closings"), "arrow-left", "ghost"),
            ActionButton(_("Take it back"), reverse("web:past_closing", args=[pk]), "trash", "danger", confirm=_("Was it recorded by mistake?"),
                         fields={"next": reverse("web:past_closings")}),  # this page goes with it
        ],
    ).respond(request, scope)  # fmt: skip


urlpatterns = [
    path("stores/<int:pk>/life/traffic/", traffic, name="traffic"),
    path("stores/<int:pk>/life/traffic/enter/", TRAFFIC_ENTER.view, name="traffic_enter"),
    path("closings/past/", past, name="past_closings"),
    path("closings/past/record/", PAST_ENTER.view, name="past_closing_enter"),
    path("closings/past/<int:pk>/", past_closing, name="past_closing"),
]
