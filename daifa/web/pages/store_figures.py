"""Figures as the platforms show them: entered by a person, read from a file, kept as a history."""

from __future__ import annotations

import tempfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.compliance import figure_commands, figure_queries, figure_rules
from daifa.domain.compliance.figure_rules import Figure
from daifa.domain.compliance.health import value_text, words_of
from daifa.domain.compliance.models import ReportedFigure
from daifa.domain.stores.models import Store
from daifa.flows.read_figures import read_figures, template
from daifa.lib.refusal import Refused
from daifa.lib.sentences import in_words, joined
from daifa.lib.sheets import SheetRefused
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
    FormPanel,
    LinkButton,
    ListPage,
    Panel,
    PanelPage,
    Scope,
    TablePanel,
    after,
    page,
)

LARGEST_FILE = 10 << 20


class About(NamedTuple):
    """The store whose figure is entered, and which."""

    store: Store
    store_id: int
    metric: str


def _about(scope: Scope, pk: int, metric: str = "") -> About | None:
    store = scope.whole.store(pk)
    return About(store, pk, metric) if store else None


# --- Entering one -------------------------------------------------------------------------------------------------------


def _form(scope: Scope, about: About) -> type[forms.Form]:
    known = figure_queries.reportable(about.store, on=figure_commands.today_in(about.store, scope.at))
    units = {"percent": "%", "hour": "h"}

    class FigureForm(forms.Form):
        metric = forms.ChoiceField(
            label=gettext_lazy("Figure"),
            choices=[(one.metric, f"{words_of(one.metric)} ({units[one.unit]})" if one.unit in units else words_of(one.metric)) for one in known.values()],
        )
        value = forms.DecimalField(
            label=gettext_lazy("What it says"), required=False, min_value=0, max_digits=12, decimal_places=4,
            help_text=gettext_lazy("As the platform shows it: 3.2 for 3.2 %. May be left out where both numbers below are given."),
        )
        part = forms.IntegerField(
            label=gettext_lazy("Part"), required=False, min_value=0,
            help_text=gettext_lazy("Where the platform shows “5 of 120”: the 5 …"),
        )
        base = forms.IntegerField(label=gettext_lazy("of the whole"), required=False, min_value=1, help_text=gettext_lazy("… and the 120. With both it is known how sure the figure is."))
        window_days = forms.IntegerField(
            label=gettext_lazy("Over how many days"), required=False, min_value=1, max_value=400,
            help_text=gettext_lazy("Empty: the platform does not say, or the window of the rule."),
        )
        ended_on = forms.DateField(label=gettext_lazy("Last day it covers"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
        seen_in = forms.CharField(
            label=gettext_lazy("Where it stands"), required=False, max_length=200,
            help_text=gettext_lazy("For example: Seller Central, account health."),
        )

    return FigureForm


def _save(scope: Scope, about: About, data: dict[str, Any], *, by: str, at: datetime) -> str:
    value, part, base = data["value"], data["part"], data["base"]
    if value is None and part is not None and base:
        value = Decimal(part) * 100 / base
    if value is None:
        raise Refused(_("Enter the figure, or the part and the whole of it."), code="value_missing", field="value")
    figure = Figure(data["metric"], value, data["ended_on"], data["window_days"], part, base, data["seen_in"].strip())
    done = figure_commands.report_figures([figure], store=about.store, source="page", by=by, at=at)
    if done.refused:
        one = done.refused[0]
        raise Refused(one.sentence(), code=one.code, field=one.code.removesuffix("_invalid"))
    if done.known:
        raise Refused(_("This figure is known already; nothing has changed."), code="known")
    return reverse("web:store_health_of", args=[about.store_id])


def _initial(scope: Scope, about: About) -> dict[str, Any]:
    book = figure_queries.book_of(about.store, on=figure_commands.today_in(about.store, scope.at))
    window = next((rule.window_days for rule in book if rule.metric == about.metric and figure_queries.is_line(rule)), None)
    last = next(iter(figure_queries.figure_page([about.store_id], metric=about.metric or None, limit=1)), None)
    return {
        "metric": about.metric, "window_days": window, "ended_on": figure_commands.today_in(about.store, scope.at),
        "seen_in": last.seen_in if last else "",
    }  # fmt: skip


ADD = FormPage(
    title=lambda about, scope: _("What the platform shows of %(store)s") % {"store": about.store.name},
    form=_form,
    load=_about,
    store_id="store_id",
    initial=_initial,
    save=_save,
    success=gettext_lazy("Kept. It is shown beside what is counted here."),
    intro=gettext_lazy("What daifa cannot count from its own rows, or what you want to compare: look it up on the platform and enter it. Nothing is written over; the history stays."),
    back=lambda about: (_("Health of %(store)s") % {"store": about.store.name}, reverse("web:store_health_of", args=[about.store_id])),
    actions=lambda scope, about: [
        LinkButton(_("Many at once, from a file"), reverse("web:store_figures_read", args=[about.store_id]), icon="file-import")
    ],
)  # fmt: skip


# --- The history --------------------------------------------------------------------------------------------------------


def _rows(store_id: int) -> Any:
    def rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[ReportedFigure]:
        return figure_queries.figure_page(scope.all_store_ids, store_id=store_id, metric=filters.get("metric"), cursor=cursor, limit=limit)

    return rows


def _unit(row: ReportedFigure, known: dict[str, figure_rules.Reportable]) -> str:
    return known[row.metric].unit if row.metric in known else figure_rules.UNIT_OF.get(row.metric, "")


@page("view")
def history(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """All that was said of a store, withdrawn figures too."""
    store = scope.require(pk, "view")
    known = figure_queries.reportable(store, on=figure_commands.today_in(store, scope.at))
    return ListPage(
        title=_("What the platform showed of %(store)s") % {"store": store.name},
        intro=_("As it was entered or read from files, the newest window first. A figure that was corrected or taken back stays, and counts no more."),
        order=figure_queries.NEWEST,
        rows=_rows(pk),
        export="platform-figures",
        columns=[
            Column("metric", _("Figure"), wrap=True, link=True, value=lambda row: words_of(row.metric), hint="metric"),
            Column("value", _("Value"), value=lambda row: value_text(row.value, _unit(row, known)),
                   hint=lambda row: _("%(part)s of %(base)s") % {"part": row.part, "base": row.base} if row.base else ""),
            Column("ended_on", _("Last day it covers"), "date", hint=lambda row: _("%(days)s days") % {"days": row.window_days} if row.window_days else ""),
            Column("seen_in", _("Where it stands"), wrap=True, hint=lambda row: row.source.removeprefix("file:") if row.source.startswith("file:") else ""),
            Column("at", _("Entered"), "ago", phone=False),
            Column("state", "", "badges", export=False, value=lambda row: [Badge(_("counts no more"), "muted")] if row.withdrawn_at else []),
        ],
        row_class=lambda row: "text-secondary" if row.withdrawn_at else "",
        row_url=lambda row: None if row.withdrawn_at else reverse("web:store_figure", args=[row.pk]),
        filters=[Choice("metric", _("Figure"), [(one, words_of(one)) for one in known])],
        actions=lambda scope: [
            LinkButton(_("Enter what the platform shows"), reverse("web:store_figure_add", args=[pk]), icon="plus", style="primary",
                       reason=scope.why_not("operate", pk)),
            LinkButton(_("From a file"), reverse("web:store_figures_read", args=[pk]), icon="file-import", reason=scope.why_not("operate", pk)),
            LinkButton(_("Health"), reverse("web:store_health_of", args=[pk]), icon="arrow-left", style="ghost"),
        ],
        empty=EmptyPanel(_("Nothing entered yet"), _("Enter what the platform's own pages show: scores, replies, reviews, rates."), icon="chart-line"),
    ).respond(request, scope)  # fmt: skip


@page("operate", methods=("POST",))
def withdraw(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    row = figure_queries.figure_with_id(pk)
    scope.require(row.store_id if row else 0, "operate")
    assert row is not None
    figure_commands.withdraw_figures([pk], by=scope.by, at=scope.at)
    return after(request, reverse("web:store_figures", args=[row.store_id]), _("Taken back; it stays in the history."))


# --- From a file --------------------------------------------------------------------------------------------------------


class FileForm(forms.Form):
    file = forms.FileField(label=gettext_lazy("File"), widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx,.xls,.ods"}))


@page("operate")
def read(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """Many figures at once."""
    store = scope.require(pk, "operate")
    here = reverse("web:store_figures_read", args=[pk])
    if request.method == "POST":
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
                done = read_figures(Path(kept.name), name=file.name, store=store, by=scope.by, at=scope.at)
            except SheetRefused as refused:
                return after(request, here, refused=[refused.sentence()])
        return after(
            request, reverse("web:store_figures", args=[pk]) if not done.refused else here, told(done),
            refused=[f"{_('Row %(row)s') % {'row': row.row}}: {row.sentence()}" for row in done.refused[:50]],
        )  # fmt: skip
    return PanelPage(
        title=_("Figures from a file"),
        needs="operate",
        intro=_("CSV or a workbook with a row for each figure: metric, value or numerator and denominator, and the last day it covers. Window, store and where it stands are read where they are there."),
        panels=lambda request, scope: _read_panels(store, scope, here),
        actions=lambda scope: [
            LinkButton(_("Empty table for this store"), reverse("web:store_figures_template", args=[pk]), icon="download", download=True),
            LinkButton(_("History"), reverse("web:store_figures", args=[pk]), icon="arrow-left", style="ghost"),
        ],
    ).respond(request, scope)  # fmt: skip


def _read_panels(store: Store, scope: Scope, here: str) -> list[Panel]:
    known = figure_queries.reportable(store, on=figure_commands.today_in(store, scope.at))
    return [
        FormPanel(_("File"), FileForm(), here, _("Read"), icon="upload"),
        TablePanel(
            _("Figures this store's channel knows"),
            [Column("metric", _("Code"), "code"), Column("words", _("Figure"), wrap=True, value=lambda one: words_of(one.metric)),
             Column("unit", _("Unit"), value=lambda one: "%" if one.unit == "percent" else one.unit)],
            list(known.values()),
        ),
    ]  # fmt: skip


def told(done: Any) -> str:
    """What became of a file, in a sentence or two."""
    if done.is_repeat:
        return _("Every figure of this file is known already; nothing has changed.")
    parts = [ngettext("%(count)d figure is new", "%(count)d figures are new", done.added) % {"count": done.added}]
    if done.replaced:
        parts.append(ngettext("%(count)d takes the place of another", "%(count)d take the place of others", done.replaced) % {"count": done.replaced})
    if done.known:
        parts.append(ngettext("%(count)d was known", "%(count)d were known", done.known) % {"count": done.known})
    if done.refused:
        parts.append(ngettext("%(count)d row was refused", "%(count)d rows were refused", len(done.refused)) % {"count": len(done.refused)})
    return joined("; ", parts, chinese="；") + in_words((".", "。"))


@page("view")
def empty_table(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    store = scope.require(pk, "view")
    answer = HttpResponse(template(store, at=scope.at), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="figures-{store.code}.csv"'
    return answer


def _one(scope: Scope, pk: int) -> ReportedFigure | None:
    return figure_queries.figure_with_id(pk)


def _known(row: ReportedFigure, scope: Scope) -> dict[str, figure_rules.Reportable]:
    store = scope.whole.store(row.store_id)
    return figure_queries.reportable(store, on=figure_commands.today_in(store, scope.at))


FIGURE = DetailPage(
    load=_one,
    store_id="store_id",
    title=lambda row, scope: words_of(row.metric),
    pretitle=lambda row, scope: scope.whole.store(row.store_id).name,
    back=lambda row: (_("History"), reverse("web:store_figures", args=[row.store_id])),
    badges=lambda row, scope: [Badge(_("counts no more"), "muted")] if row.withdrawn_at else [],
    actions=lambda row, scope: [
        ActionButton(_("Take it back"), reverse("web:store_figure_withdraw", args=[row.pk]), icon="arrow-back-up", style="danger",
                     reason=_("It counts no more.") if row.withdrawn_at else scope.why_not("operate", row.store_id))
    ],
    facts=lambda row, scope: [
        Fact(_("Value"), value_text(row.value, _unit(row, _known(row, scope)))),
        Fact(_("Share"), _("%(part)s of %(base)s") % {"part": row.part, "base": row.base} if row.base else ""),
        Fact(_("Over how many days"), row.window_days or _("not said")),
        Fact(_("Last day it covers"), row.ended_on, "date"),
        Fact(_("Where it stands"), row.seen_in),
        Fact(_("How it came"), row.source),
        Fact(_("Entered"), row.at, "datetime", store_id=row.store_id),
        Fact(_("Taken back"), row.withdrawn_at, "datetime", store_id=row.store_id),
    ],
)  # fmt: skip

urlpatterns = [
    path("store-health/<int:pk>/figures/", history, name="store_figures"),
    path("store-health/<int:pk>/figures/add/", ADD.view, name="store_figure_add"),
    path("store-health/<int:pk>/figures/add/<slug:metric>/", ADD.view, name="store_figure_add_of"),
    path("store-health/<int:pk>/figures/read/", read, name="store_figures_read"),
    path("store-health/<int:pk>/figures/table.csv", empty_table, name="store_figures_template"),
    path("store-health/figure/<int:pk>/", FIGURE.view, name="store_figure"),
    path("store-health/figure/<int:pk>/withdraw/", withdraw, name="store_figure_withdraw"),
]
