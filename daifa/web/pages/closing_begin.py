"""A closing begins: the four ways, and the form of each."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from daifa.domain.cases.process import VIOLATION_KINDS
from daifa.domain.closing import queries
from daifa.domain.closing.commands import said
from daifa.domain.closing.models import SCENARIOS
from daifa.domain.stores.models import Store
from daifa.flows import close_store
from daifa.flows.close_store import Letter
from daifa.web.kit import Column, FormPage, LinkButton, PanelPage, Scope, TablePanel, page
from daifa.web.pages.closing_panels import blockers_panel, load_store, scenario_words, short_calendar_panel

DATE = {"widget": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), "required": False}

BEGINS: dict[str, tuple[Any, Any]] = {
    "choice": (
        gettext_lazy("You decide to end it. It takes no new orders from today on."),
        gettext_lazy("May be withdrawn until the application is signed."),
    ),
    "forced": (
        gettext_lazy("The platform's letter says that it removes the store. It sells on until the ruling."),
        gettext_lazy("Averted by an appeal in time; the number of appeals is limited."),
    ),
    "rule_change": (
        gettext_lazy("A new rule asks for a licence by a day, 7 to 15 days ahead. It sells on until then."),
        gettext_lazy("Averted by the licence, handed in before the day."),
    ),
    "no_traffic": (
        gettext_lazy("Few orders, few visits for months. It sells on while you try to improve."),
        gettext_lazy("Averted by better figures, another line of goods, local-life services."),
    ),
}  # fmt: skip
"""Scenario → how it begins, what averts it."""


def _start_form(scenario: str) -> type[forms.Form]:
    """What a closing of this kind needs to begin."""
    fields: dict[str, Any] = {
        "reason": forms.CharField(
            label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}),
            help_text={
                "choice": _("The application will carry it."), "forced": _("What the letter says: which rule, which goods or notes."),
                "rule_change": _("Which category is newly regulated, and which documents are asked for."),
                "no_traffic": _("What you see, and what you think it comes from."),
            }[scenario],
        )
    }  # fmt: skip
    if scenario == "choice":
        fields["wished_on"] = forms.DateField(label=_("Wished for by"), help_text=_("Leave it empty for the earliest day."), **DATE)
    if scenario in ("forced", "rule_change"):
        fields["noticed_on"] = forms.DateField(label=_("Day of the platform's notice"), help_text=_("Left empty: today."), **DATE)
    if scenario == "rule_change":
        fields["effective_on"] = forms.DateField(
            label=_("The rule takes effect on"), help_text=_("Left empty: seven days after the notice."), **DATE
        )
    if scenario == "forced":
        fields |= {
            "references": forms.CharField(
                label=_("Numbers of the violations"), max_length=400, required=False,
                help_text=_("As the platform's list has them, with commas. Those known here are linked, the others written down; a list that is imported later does not bring them twice."),
            ),
            "kind": forms.ChoiceField(
                label=_("What they are about"), initial="other", choices=[(code, said(words)) for code, words in VIOLATION_KINDS.items()]
            ),
            "appeal_until": forms.DateField(label=_("Last day to appeal"), help_text=_("Where the letter names it; else the channel's rule counts."), **DATE),
            "most_rounds": forms.IntegerField(label=_("Appeals allowed"), initial=1, min_value=1, max_value=5),
        }  # fmt: skip
    return type("StartForm", (forms.Form,), fields)


def references_in(text: str) -> tuple[str, ...]:
    """Numbers that a person wrote in one line, with commas, semicolons or spaces."""
    return tuple(one for one in re.split(r"[,;，；、\s]+", text) if one)


def _start(scenario: str, store: Store, data: dict[str, Any], *, by: str, at: datetime) -> str:
    letter = None
    if scenario == "forced":
        letter = Letter(references_in(data.pop("references")), data.pop("kind"), appeal_until=data.pop("appeal_until"))
    closing = close_store.start(store_id=store.pk, scenario=scenario, letter=letter, by=by, at=at, **data)
    return reverse("web:closing", args=[closing.pk])


def _start_page(scenario: str) -> FormPage:
    return FormPage(
        title=lambda store, scope: _("Close %(name)s") % {"name": store.name},
        pretitle=lambda store, scope: scenario_words(scenario),
        form=lambda scope, store: _start_form(scenario),
        load=lambda scope, pk, scenario: load_store(scope, pk),
        store_id="id",
        needs="own",
        save=lambda scope, store, data, *, by, at: _start(scenario, store, data, by=by, at=at),
        submit=gettext_lazy("Begin"),
        success=gettext_lazy("The closing has begun. The steps say who does what, and by when."),
        intro=lambda store, scope: f"{BEGINS[scenario][0]} {BEGINS[scenario][1]} " + _("What buyers have paid for is still delivered."),
        back=lambda store: (_("Another way"), reverse("web:closing_start", args=[store.pk])),
        panels=lambda scope, store: [
            blockers_panel(close_store.pre_check(store.pk, at=scope.at), store.pk),
            short_calendar_panel(queries.days_if_started(store, scenario, at=scope.at)),
        ],
    )


START_PAGES = {scenario: _start_page(scenario) for scenario in SCENARIOS}


def closing_begin(request: HttpRequest, pk: int, scenario: str) -> HttpResponse:
    """The form of one of the four ways."""
    if scenario not in START_PAGES:
        raise Http404
    return START_PAGES[scenario].view(request, pk=pk, scenario=scenario)


@page("view", methods=("GET", "HEAD"))
def closing_start(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """The four ways a store ends: choose one."""
    store = load_store(scope, pk)
    if store is None:
        raise Http404
    scope.whole.require(pk, "own")
    if queries.running_closing(pk) is not None or queries.lifecycle(pk) in ("closed", "archived"):
        return redirect("web:store_life", pk)  # where the closing that goes on, or has ended, is found
    return PanelPage(
        title=_("Close %(name)s") % {"name": store.name},
        intro=_("Why does it end? Each way has its own steps and days."),
        panels=lambda request, scope: [
            TablePanel(
                _("Four ways"),
                [
                    Column("way", gettext_lazy("Why"), value=scenario_words, link=True, wrap=True),
                    Column("begins", gettext_lazy("How it begins"), value=lambda scenario: BEGINS[scenario][0], wrap=True),
                    Column("averted", gettext_lazy("May it be averted?"), value=lambda scenario: BEGINS[scenario][1], wrap=True),
                ],
                list(SCENARIOS),
                row_url=lambda scenario: reverse("web:closing_begin", args=[pk, scenario]),
            ),
            blockers_panel(close_store.pre_check(pk, at=scope.at), pk),
        ],
        actions=lambda scope: [LinkButton(_("Life of the store"), reverse("web:store_life", args=[pk]), "arrow-left", "ghost")],
    ).respond(request, scope)


urlpatterns = [
    path("stores/<int:pk>/life/close/", closing_start, name="closing_start"),
    path("stores/<int:pk>/life/close/<slug:scenario>/", closing_begin, name="closing_begin"),
]
