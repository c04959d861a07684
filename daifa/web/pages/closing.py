"""Closing stores: where each is in its life, one closing with its days and steps, coming back, the public status page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.cases import queries as case_queries
from daifa.domain.cases.models import Violation
from daifa.domain.cases.process import VIOLATION, VIOLATION_KINDS
from daifa.domain.closing import commands, queries, rules, steps
from daifa.domain.closing.commands import said
from daifa.domain.closing.models import (
    SCENARIOS,
    Closing,
    ClosingStep,
    ComebackPaper,
    ComebackStep,
    Readmission,
    StatusPage,
)
from daifa.domain.closing.process import CLOSING, CLOSING_STEP, LIFECYCLE, READMISSION, STANDING
from daifa.domain.closing.queries import BLOCKERS, Blocker
from daifa.domain.stores.models import Store
from daifa.flows import close_store, platform_side
from daifa.flows.close_store import Given, Letter
from daifa.flows.privacy import data_word
from daifa.lib.commas import listed
from daifa.lib.money import Money, rounded
from daifa.web.kit import (
    ActionButton,
    Badge,
    Column,
    DetailPage,
    Event,
    Fact,
    FactsPanel,
    FormPage,
    HtmlPanel,
    Kpi,
    KpiPanel,
    LinkButton,
    NotePanel,
    Panel,
    PanelPage,
    ProgressPanel,
    Refused,
    Scope,
    TablePanel,
    TimelinePanel,
    after,
    page,
    scope_of,
    states,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import places, private, words
from daifa.web.pages.cases_complaints import MOMENT, moment
from daifa.web.pages.cases_evidence import SeveralFiles
from daifa.web.pages.closing_figures import lines_panel
from daifa.web.pages.rule_links import rule_code, rule_link, rule_title, rule_titles

WHO = {"merchant": gettext_lazy("you"), "daifa": "daifa", "platform": gettext_lazy("the platform")}


def who_may(code: str) -> str:
    """Which people of a store may do (or enter) this step."""
    return said(steps.WHO_MAY[steps.BY_CODE[code].need])


def scenario_words(scenario: str) -> str:
    return said(SCENARIOS[scenario])


# --- All stores ---------------------------------------------------------------------------------------------------


def _store_rows(scope: Scope) -> list[dict[str, Any]]:
    ids = scope.store_ids
    lives, standings = queries.lifecycles(ids), queries.standings(ids)
    rows = []
    for store_id in ids:
        store, closing = scope.store(store_id), queries.running_closing(store_id)
        done: tuple[int, int] | None = None
        following: ClosingStep | None = None
        if closing is not None:
            views = queries.steps_of(closing.pk)
            done = (sum(view.row.state != "waiting" for view in views), len(views))
            following = next((view.row for view in views if view.row.state == "waiting" and not view.blocked_by), None)
        rows.append(
            {
                "store_id": store_id, "name": store.name, "life": lives[store_id], "standing": standings[store_id],
                "closing": closing, "done": done,
                "next": close_store.title(following.code) if following else "", "due": following.due_on if following else None,
            }
        )  # fmt: skip
    return rows


def _row_url(row: dict[str, Any]) -> str:
    if row["closing"] is not None:
        return reverse("web:closing", args=[row["closing"].pk])
    return reverse("web:store_life", args=[row["store_id"]])


def _overview(request: HttpRequest, scope: Scope) -> list[Panel]:
    panels: list[Panel] = [
        TablePanel(
            _("Stores"),
            [
                Column("name", gettext_lazy("Store"), link=True),
                Column("life", gettext_lazy("Life"), "state", states=LIFECYCLE),
                Column("standing", gettext_lazy("Standing"), "state", states=STANDING),
                Column("scenario", gettext_lazy("Closing"), value=lambda row: scenario_words(row["closing"].scenario) if row["closing"] else ""),
                Column("done", gettext_lazy("Steps"), "progress", phone=False),
                Column("next", gettext_lazy("Next step"), wrap=True),
                Column("due", gettext_lazy("Due"), "date"),
            ],
            _store_rows(scope),
            row_url=_row_url,
            empty=_("No store yet."),
        )
    ]  # fmt: skip
    ended = [one for one in queries.closings_of(scope.store_ids) if one.ended_at]
    if ended:
        panels.append(
            TablePanel(
                _("Closings that ended"),
                [
                    Column("store", gettext_lazy("Store"), value=lambda one: one.store.name, link=True),
                    Column("scenario", gettext_lazy("Why"), value=lambda one: scenario_words(one.scenario)),
                    Column("state", gettext_lazy("State"), "state", states=CLOSING),
                    Column("started_at", gettext_lazy("Begun"), "datetime", phone=False),
                    Column("ended_at", gettext_lazy("Ended"), "datetime"),
                ],
                ended,
                row_url=lambda one: reverse("web:closing", args=[one.pk]),
            )
        )
    back = queries.readmissions_of(scope.store_ids)
    if back:
        panels.append(
            TablePanel(
                _("Coming back"),
                [
                    Column("store", gettext_lazy("Store"), value=lambda one: one.store.name, link=True),
                    Column("state", gettext_lazy("State"), "state", states=READMISSION),
                    Column("cause", gettext_lazy("Cause"), wrap=True),
                    Column("started_at", gettext_lazy("Begun"), "datetime", phone=False),
                ],
                back,
                row_url=lambda one: reverse("web:readmission", args=[one.pk]),
            )
        )
    return panels


CLOSINGS = PanelPage(
    title=gettext_lazy("Closing"),
    intro=gettext_lazy("Where each store is in its life. A store that ends in good order keeps its deposit and its buyers' trust."),
    panels=_overview,
    actions=lambda scope: [
        LinkButton(_("Closings by year"), reverse("web:closures"), "chart-bar", "ghost"),
        LinkButton(_("Past closings"), reverse("web:past_closings"), "history", "ghost"),
        *([LinkButton(_("The platform's side"), reverse("web:platform"), "building-bank", "ghost")] if platform_side.is_on() and scope.is_superuser else []),
    ],
)  # fmt: skip


# --- The life of one store ----------------------------------------------------------------------------------------


def blocker_url(code: str, store_id: int) -> str | None:
    """Where what blocks is settled."""
    name, query = {
        "unshipped": ("orders", {"store": store_id}), "in_transit": ("parcels", {"store": store_id}),
        "lost_unsettled": ("parcels", {"state": "lost", "store": store_id}), "not_paid_back": ("orders", {"store": store_id, "status": "cancelled"}),
        "open_aftersales": ("cases", {"store": store_id}), "unpaid_refunds": ("aftersales", {"store": store_id}), "in_return_time": ("orders", {"store": store_id}),
        "supplier_balances": ("books_pay", {}), "settlement_due": ("books", {}), "deposit_held": ("deposit", {}),
        "appeals": ("violations", {}), "live_listings": ("listings", {}), "postings_owed": ("reactions", {}),
        "retention_unknown": ("privacy_retention", {}),
    }.get(code, ("", {}))  # fmt: skip
    return places.place(name, **query) if name else None


def blockers_panel(found: list[Blocker], store_id: int) -> TablePanel:
    return TablePanel(
        _("What is still open"),
        [
            Column("code", gettext_lazy("What"), value=lambda one: said(BLOCKERS[one.code]), url=lambda one: blocker_url(one.code, store_id)),
            Column("count", gettext_lazy("How many"), "quantity"),
            Column("amount", gettext_lazy("Amount"), "money", value=lambda one: Money(one.amount, one.currency) if one.amount is not None else None),
            Column("until", gettext_lazy("Until"), "date"),
        ],
        found,
        empty=_("Nothing is open: nothing stands in the way of an orderly end."),
    )  # fmt: skip


def calendar_panel(days: list[rules.Day], *, today: date, title: str = "") -> TablePanel:
    """The days of a closing, each with the rule it comes from. With a `title` of its own nothing has begun yet."""
    rule_pages, titles = "rule", rule_titles(day.rule_id for day in days)

    def source(day: rules.Day) -> str:
        if day.rule_id:
            title = rule_title(day.rule_id, titles)
            return title if day.acts else _("%(rule)s (to be checked)") % {"rule": title}
        return _("daifa's own assumption") if day.is_assumed else ""

    return TablePanel(
        title or _("Calendar"),
        [
            Column("on", gettext_lazy("Day"), "date"),
            Column("name", gettext_lazy("What"), value=lambda day: said(rules.DAY_NAMES[day.code]),
                   hint=lambda day: _(day.words) % dict(day.params)),
            Column("source", gettext_lazy("By which rule"), value=source, hint=lambda day: rule_code(day.rule_id, titles), wrap=True,
                   url=lambda day: places.place(rule_pages, day.rule_id) if day.rule_id else None),
            Column("state", "", "badges", value=lambda day: [
                Badge(_("happened"), "success") if day.happened and not title else Badge(_("past"), "warning") if day.on < today
                else Badge(_("expected"), "neutral")]),
        ],
        days,
        note=_("Expected days move with what is delivered and settled. Nobody can be promised an earlier one."),
    )  # fmt: skip


def _load_store(scope: Scope, pk: int) -> Store | None:
    return scope.whole.store(pk)


def _rule_url(rule_id: str) -> str | None:
    return places.place("rule", rule_id) if rule_id else None


def _standing_panels(store: Store, scope: Scope) -> list[Panel]:
    """What the standing is, why and since when; what bears on it; how it moved."""
    found = queries.standing_of(store.pk)
    causes = queries.causes_of_standing(store.pk, at=scope.at)
    titles = rule_titles(one.rule_id for one in causes)
    denied = scope.why_not("own", store.pk)
    facts = [Fact(_("Standing"), found.state if found else "normal", "state", states=STANDING)]
    if found is not None:
        facts.append(Fact(_("Since"), found.since, "datetime", store_id=store.pk))
        if found.reason:
            facts.append(Fact(_("Why"), queries.why_words(found.reason)))
        if found.rule_id:
            facts.append(Fact(_("By which rule"), rule_link(found.rule_id)))
        if found.said:
            facts.append(Fact(_("Said by a notice, a ruling or a person"), found.said, "state", states=STANDING))
        facts.append(Fact(_("What violations come to"), found.reckoned, "state", states=STANDING))
    panels: list[Panel] = [
        FactsPanel(
            _("Standing"), facts,
            actions=[LinkButton(_("Change"), reverse("web:standing_edit", args=[store.pk]), "pencil", reason=denied)],
            note=_("It moves by itself when points cross a line of the channel's rules or the platform puts a limit on the store, and back when they end or an appeal is won. A word of a person holds until violations come to worse."),
        )
    ]  # fmt: skip
    if causes:
        panels.append(
            TablePanel(
                _("What bears on it"),
                [
                    Column("standing", gettext_lazy("Standing"), "state", states=STANDING),
                    Column("why", gettext_lazy("Why"), value=lambda one: queries.why_words(one.why), wrap=True, hint="why_not"),
                    Column("rule_id", gettext_lazy("By which rule"), value=lambda one: rule_title(one.rule_id, titles), hint=lambda one: rule_code(one.rule_id, titles),
                           url=lambda one: _rule_url(one.rule_id), phone=False, wrap=True),
                    Column("until", gettext_lazy("Until"), "datetime"),
                    *(
                        []
                        if all(one.acts for one in causes)
                        else [Column("acts", "", "badges", value=lambda one: [] if one.acts else [Badge(_("informs only"), "neutral")])]
                    ),
                ],
                causes,
            )
        )
    moves = queries.standing_moves(store.pk)
    if moves:
        panels.append(
            TimelinePanel(
                _("How it moved"),
                [
                    Event(
                        one.at, f"{states.word(STANDING, one.state_from)} → {states.word(STANDING, one.state)}", by=one.by.removeprefix("platform:"), why=one.reason,
                        tone=states.tone(STANDING, one.state),
                    )
                    for one in moves
                ],
                store_id=store.pk,
            )
        )
    return panels


def _status_panels(store: Store, scope: Scope) -> list[Panel]:
    """What buyers may see, its addresses, and what to paste into the shop's own pages."""
    status = queries.status_page(store.pk)
    facts = [
        Fact(_("Switched on"), bool(status and status.is_on), "yes_no"),
        Fact(_("Where buyers turn to"), status.contact if status else ""),
    ]
    pasted: list[Panel] = []
    if status is not None and status.is_on:
        address, badge, data = (reverse(name, args=[status.slug]) for name in ("status_page", "status_badge", "status_json"))
        base = settings.BASE_URL
        facts += [
            Fact(_("Address"), _("what buyers see"), url=address),
            Fact(_("Badge"), _("a small picture of it"), url=badge),
            Fact(_("For programs"), "JSON", url=data),
        ]
        alternative = _("state of the store")
        snippet = f'<a href="{base}{address}"><img src="{base}{badge}" alt="{alternative}"></a>'
        pasted = [HtmlPanel("web/pages/status_snippet.html", {"snippet": snippet}, title=_("To paste into the shop's pages"))]
    return [
        FactsPanel(
            _("Public status page"), facts,
            actions=[LinkButton(_("Change"), reverse("web:status_edit", args=[store.pk]), "pencil", reason=scope.why_not("own", store.pk))],
            note=_("Buyers see without a login whether the store is open, limited or closing, until when, and how after-sales go on. It names no person and no sum."),
        ),
        *pasted,
    ]  # fmt: skip


def _life_panels(store: Store, scope: Scope) -> list[Panel]:
    today = scope.at.astimezone(scope.zone(store.pk)).date()
    panels: list[Panel] = _standing_panels(store, scope)
    if queries.lifecycle(store.pk) in ("open", "preparing"):
        panels.append(lines_panel(store.pk, scope))
        panels.append(blockers_panel(close_store.pre_check(store.pk, at=scope.at), store.pk))
        days = queries.days_if_started(store, "choice", at=scope.at)
        panels.append(calendar_panel(days, today=today, title=_("Calendar, if a closing by choice began today")))
    panels += _status_panels(store, scope)
    lives = queries.lives_of(store.pk)
    if lives:
        panels.append(
            TablePanel(
                _("Lives"),
                [
                    Column("state", gettext_lazy("Life"), "state", states=LIFECYCLE),
                    Column("began_at", gettext_lazy("Begun"), "datetime"),
                    Column("closed_at", gettext_lazy("Closed"), "datetime"),
                    Column("archived_at", gettext_lazy("Archived"), "datetime", phone=False),
                ],
                lives,
            )
        )
    return panels


def _life_actions(store: Store, scope: Scope) -> list[Any]:
    denied = scope.why_not("own", store.pk)
    life = queries.lifecycle(store.pk)
    running = queries.running_closing(store.pk)
    last = queries.last_closing(store.pk) if life in ("closed", "archived") else None
    actions: list[Any] = [LinkButton(_("Exposure and visits"), reverse("web:traffic", args=[store.pk]), "chart-line", "ghost")]
    if not queries.lives_of(store.pk) and not queries.has_orders(store.pk):
        actions.append(
            ActionButton(
                _("Not open yet"), reverse("web:store_prepare", args=[store.pk]), "tools", reason=denied,
                confirm=_("Is this store still being prepared? Its orders then wait until you open it."),
            )
        )
    if life == "preparing":
        actions.append(ActionButton(_("Open"), reverse("web:store_open", args=[store.pk]), "player-play", "primary", reason=denied))
    if running is not None:
        actions.append(LinkButton(_("The closing"), reverse("web:closing", args=[running.pk]), "list", "primary"))
    elif last is not None:
        actions.append(LinkButton(_("The closing"), reverse("web:closing", args=[last.pk]), "list"))
    elif life in ("open", "preparing"):
        actions.append(LinkButton(_("Begin a closing"), reverse("web:closing_start", args=[store.pk]), "calendar-due", reason=denied))
    if last is not None:
        actions.append(LinkButton(_("Come back"), reverse("web:readmission_plan", args=[last.pk]), "refresh", reason=denied))
    return actions


STORE_LIFE = DetailPage(
    load=_load_store,
    store_id="id",
    title=lambda store, scope: store.name,
    pretitle=lambda store, scope: _("Life of the store"),
    back=(gettext_lazy("Closing"), lambda: reverse("web:closings")),
    badges=lambda store, scope: [
        Badge(states.word(LIFECYCLE, life := queries.lifecycle(store.pk)), states.tone(LIFECYCLE, life)),
        Badge(states.word(STANDING, standing := queries.standing(store.pk)), states.tone(STANDING, standing)),
    ],
    actions=_life_actions,
    panels=_life_panels,
)


class StandingForm(forms.Form):
    standing = forms.ChoiceField(
        label=gettext_lazy("Standing"), required=False, choices=lambda: [("", _("as the violations have it")), *states.choices(STANDING)]
    )
    reason = forms.CharField(label=gettext_lazy("Why"), max_length=300, required=False)


def _save_standing(scope: Scope, store: Store, data: dict[str, Any], *, by: str, at: datetime) -> str:
    commands.set_standing(store_id=store.pk, to=data["standing"], reason=data["reason"], by=by, at=at)
    return reverse("web:store_life", args=[store.pk])


STANDING_EDIT = FormPage(
    title=lambda store, scope: _("Standing of %(name)s") % {"name": store.name},
    form=StandingForm,
    load=_load_store,
    store_id="id",
    needs="own",
    initial=lambda scope, store: {"standing": found.said if (found := queries.standing_of(store.pk)) else ""},
    save=_save_standing,
    success=gettext_lazy("Saved."),
    intro=gettext_lazy("What the platform has told you, beyond what its violations come to. A frozen store takes no new orders."),
    back=lambda store: (store.name, reverse("web:store_life", args=[store.pk])),
)


@page("own", methods=("POST",))
def prepare_store(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    scope.whole.require(pk, "own")
    return _acted(
        request, reverse("web:store_life", args=[pk]), _("The store is being prepared; its orders wait until you open it."),
        lambda: commands.prepare_store(store_id=pk, by=scope.by, at=scope.at),
    )  # fmt: skip


@page("own", methods=("POST",))
def open_store(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    scope.whole.require(pk, "own")
    return _acted(
        request, reverse("web:store_life", args=[pk]), _("The store is open."),
        lambda: commands.open_store(store_id=pk, by=scope.by, at=scope.at),
    )  # fmt: skip


def _acted(request: HttpRequest, url: str, done: str, act: Any) -> HttpResponse:
    try:
        act()
    except Refused as refused:
        return after(request, url, refused=[refused.sentence])
    return after(request, url, done)


# --- Beginning ----------------------------------------------------------------------------------------------------

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
        load=lambda scope, pk, scenario: _load_store(scope, pk),
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


def short_calendar_panel(days: list[rules.Day]) -> TablePanel:
    """The days of a closing beside a form: each with its rule under it."""
    titles = rule_titles(day.rule_id for day in days)
    return TablePanel(
        _("Calendar, if it began today"),
        [
            Column("on", gettext_lazy("Day"), "date"),
            Column("name", gettext_lazy("What"), value=lambda day: said(rules.DAY_NAMES[day.code]), hint=lambda day: rule_link(day.rule_id, titles), wrap=True),
        ],
        days,
    )


@page("view", methods=("GET", "HEAD"))
def closing_start(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """The four ways a store ends: choose one."""
    store = _load_store(scope, pk)
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


# --- The violations behind a removal ------------------------------------------------------------------------------


def violations_panel(
    behind: Sequence[Violation], *, ruled: bool, actions: Sequence[Any] = (), short: bool = False
) -> TablePanel:
    """Which violations a removal is about: their appeals are the removal's. `ruled`: there is nothing left to appeal.

    `short` where there is little room.
    """
    still = () if ruled else ("active", "upheld", "reduced")
    columns = [
        Column("reference", gettext_lazy("Violation"), "code", link=True, hint=lambda one: said(VIOLATION_KINDS[one.kind]) if short else one.title),
        Column("kind", gettext_lazy("Kind"), value=lambda one: said(VIOLATION_KINDS[one.kind]), wrap=True, phone=False),
        Column("state", gettext_lazy("State"), "state", states=VIOLATION),
        Column("points", gettext_lazy("Points"), "quantity"),
        Column("appeal_until", gettext_lazy("Appeal until"), "due", value=lambda one: one.appeal_until if one.state in still else None),
    ]  # fmt: skip
    return TablePanel(
        _("Violations behind it"),
        [column for column in columns if not short or column.name in ("reference", "state", "appeal_until")],
        list(behind),
        row_url=lambda one: reverse("web:violation", args=[one.pk]),
        empty=_("None is written down."),
        actions=list(actions),
        note=_("An appeal sent here is sent against each of them, and one sent on their own page counts here. A ruling moves both, once."),
    )  # fmt: skip


def _behind_form(scope: Scope, closing: Closing) -> type[forms.Form]:
    known = {one.pk for one in queries.violations_behind(closing)}
    rows = case_queries.violation_page([closing.store_id], state="open", limit=100)
    choices = [
        (row["id"], f"{row['reference']} · {said(VIOLATION_KINDS[row['kind']])} · {row['notified_at']:%Y-%m-%d}") for row in rows if row["id"] not in known
    ]
    return type("BehindForm", (forms.Form,), {
        "violation": forms.TypedChoiceField(label=_("Violation"), choices=choices, coerce=int,
                                            help_text=_("Of this store, in force. It is not there? Enter or import it under the violations first.")),
    })  # fmt: skip


def _put_behind(scope: Scope, closing: Closing, data: dict[str, Any], *, by: str, at: datetime) -> str:
    close_store.name_violation(closing.pk, data["violation"], by=by, at=at)
    return reverse("web:closing", args=[closing.pk])


CLOSING_VIOLATION = FormPage(
    title=gettext_lazy("A violation behind it"),
    form=_behind_form,
    load=lambda scope, pk: _load_closing(scope, pk),
    store_id="store_id",
    needs="own",
    save=_put_behind,
    submit=gettext_lazy("Link"),
    success=gettext_lazy("Linked: it is one with the letter now."),
    intro=gettext_lazy("A letter that was entered without the platform's number gives way to the violation of the platform's list, so that it counts once."),
    back=lambda closing: (closing.store.name, reverse("web:closing", args=[closing.pk])),
)  # fmt: skip


# --- One closing --------------------------------------------------------------------------------------------------


def _load_closing(scope: Scope, pk: int) -> Closing | None:
    return queries.closing_of(scope.whole.all_store_ids, pk)


def _steps_panel(closing: Closing, zone: Any) -> TablePanel:
    steps = queries.steps_of(closing.pk)
    titles = rule_titles(view.row.rule_id for view in steps)
    return TablePanel(
        _("Steps"),
        [
            Column("position", "", "quantity", value=lambda view: view.row.position, phone=False),
            Column("title", gettext_lazy("Step"), value=lambda view: said(view.step.title), link=True,
                   hint=lambda view: _step_hint(view, zone), wrap=True),
            Column("who", gettext_lazy("Who"), value=lambda view: WHO[view.who], phone=False,
                   hint=lambda view: who_may(view.row.code)),
            Column("due", gettext_lazy("Due"), "date", value=lambda view: view.row.due_on,
                   hint=lambda view: rule_link(view.row.rule_id, titles)),
            Column("state", gettext_lazy("State"), "state", states=CLOSING_STEP, value=lambda view: view.row.state),
        ],
        steps,
        row_url=lambda view: reverse("web:closing_step", args=[view.row.pk]),
        row_class=lambda view: "text-secondary" if view.row.state == "not_needed" else "",
    )  # fmt: skip


def _parts(row: ClosingStep) -> str:
    """How far a step has come that the worker does."""
    if row.stopped:
        return row.stopped
    if not row.parts:
        return _("asked for: the worker begins in a moment")
    return _("running, %(done)s of %(all)s orders") % {"done": fmt.quantity_text(row.parts_done), "all": fmt.quantity_text(row.parts)}


def _step_progress(row: ClosingStep) -> ProgressPanel:
    running = row.state == "waiting" and row.asked_at is not None
    return ProgressPanel(
        said(steps.BY_CODE[row.code].title), reverse("web:closing_step_progress", args=[row.pk]), row.parts_done, row.parts or None, running,
        sentence=_("%(parts)s. It ends by itself; you may leave this page.") % {"parts": _parts(row)} if running else "", name=f"step-{row.pk}",
    )  # fmt: skip


@page("view", methods=("GET", "HEAD"))
def step_progress(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """How far a step has come; loads its page again once it is over."""
    row = _load_step(scope, pk)
    if row is None:
        raise Http404
    return _step_progress(row).respond(request)


def _step_hint(view: queries.StepView, zone: Any) -> str:
    if view.row.state == "waiting" and view.row.asked_at:
        return _parts(view.row)
    if view.row.state == "waiting" and view.row.stopped:
        return view.row.stopped
    if view.row.state == "waiting" and view.row.not_before:
        return _("planned: %(when)s") % {"when": fmt.short_text(view.row.not_before, zone)}
    if view.row.state == "waiting" and view.blocked_by:
        return _("after: %(steps)s") % {"steps": close_store.titles(view.blocked_by)}
    return ""


def _cards(closing: Closing, days: list[rules.Day], today: date) -> KpiPanel:
    views = queries.steps_of(closing.pk)
    settled = sum(view.row.state != "waiting" for view in views)
    following = next((view for view in views if view.row.state == "waiting" and not view.blocked_by), None)
    on = {day.code: day.on for day in days}

    def left(day: date) -> str:
        count = (day - today).days
        return ngettext("in %(count)d day", "in %(count)d days", count) % {"count": count} if count > 0 else ""

    cards = [
        Kpi(_("Steps settled"), f"{settled} / {len(views)}", icon="checklist",
            hint=said(following.step.title) if following else "",
            url=reverse("web:closing_step", args=[following.row.pk]) if following else None),
        Kpi(_("Store closed"), fmt.date_text(on["closed"]), left(on["closed"]), icon="calendar-due"),
    ]  # fmt: skip
    if "deposit" in on:
        cards.append(Kpi(_("Deposit back"), fmt.date_text(on["deposit"]), left(on["deposit"]), icon="wallet"))
    cards.append(Kpi(_("Last claims of buyers"), fmt.date_text(on["claims_until"]), left(on["claims_until"]), icon="users"))
    return KpiPanel(cards)


def _closing_panels(closing: Closing, scope: Scope) -> list[Panel]:
    today = scope.at.astimezone(scope.zone(closing.store_id)).date()
    panels: list[Panel] = []
    if closing.state == "threatened":
        panels.append(NotePanel(_("The store still sells: this closing may be averted."), tone="info"))
    days = queries.days_of(closing, at=scope.at)
    panels.append(_cards(closing, days, today))
    panels.append(_steps_panel(closing, scope.zone(closing.store_id)))
    if closing.scenario == "forced":
        link = LinkButton(_("Link another"), reverse("web:closing_violation", args=[closing.pk]), "link", reason=scope.why_not("own", closing.store_id))
        going = closing.state in ("threatened", "running")
        panels.append(violations_panel(queries.violations_behind(closing), ruled=closing.state != "threatened", actions=[link] if going else ()))
    panels.append(calendar_panel(days, today=today))
    if closing.state in ("threatened", "running"):
        panels.append(blockers_panel(close_store.open_now(closing, at=scope.at), closing.store_id))
    return panels


def _closing_actions(closing: Closing, scope: Scope) -> list[Any]:
    denied = scope.why_not("own", closing.store_id)
    actions: list[Any] = []
    if closing.state in ("threatened", "running"):
        reason = denied
        if reason is None and closing.applied_at is not None:
            reason = _("It was applied for: a signed application cannot be taken back.")
        if reason is None and closing.scenario == "forced":
            reason = _("The platform closes this store: only its ruling can end that.")
        actions.append(
            ActionButton(_("Withdraw"), reverse("web:closing_withdraw", args=[closing.pk]), "arrow-back-up", reason=reason,
                         ask=_("Why does the store stay?"))
        )  # fmt: skip
    if closing.lifecycle.state in ("closed", "archived") and closing.lifecycle.replaced_at is None:
        actions.append(LinkButton(_("Come back"), reverse("web:readmission_plan", args=[closing.pk]), "refresh", reason=denied))
    return actions


CLOSING_PAGE = DetailPage(
    load=_load_closing,
    store_id="store_id",
    title=lambda closing, scope: closing.store.name,
    pretitle=lambda closing, scope: scenario_words(closing.scenario),
    back=(gettext_lazy("Closing"), lambda: reverse("web:closings")),
    badges=lambda closing, scope: [
        Badge(states.word(CLOSING, closing.state), states.tone(CLOSING, closing.state)),
        Badge(states.word(STANDING, standing := queries.standing(closing.store_id)), states.tone(STANDING, standing)),
    ],
    actions=_closing_actions,
    facts=lambda closing, scope: [
        Fact(_("Reason"), closing.reason),
        Fact(_("Begun"), closing.started_at, "datetime", store_id=closing.store_id),
        Fact(_("Applied for"), closing.applied_at, "datetime", store_id=closing.store_id),
        Fact(_("Ended"), closing.ended_at, "datetime", store_id=closing.store_id),
        Fact(_("Store"), _("life of the store"), url=reverse("web:store_life", args=[closing.store_id])),
    ],
    panels=_closing_panels,
)


@page("own", methods=("POST",))
def withdraw(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    closing = _load_closing(scope, pk)
    if closing is None:
        raise Http404
    scope.whole.require(closing.store_id, "own")
    return _acted(
        request, reverse("web:closing", args=[pk]), _("Withdrawn: the store stays, its listings are back."),
        lambda: close_store.withdraw(pk, reason=request.POST.get("reason", ""), by=scope.by, at=scope.at),
    )  # fmt: skip


# --- One step -----------------------------------------------------------------------------------------------------


def _load_step(scope: Scope, pk: int) -> ClosingStep | None:
    found = queries.step_of(scope.whole.all_store_ids, pk)
    return found if found is not None and found.code in steps.BY_CODE else None


def _step_form(scope: Scope, row: ClosingStep) -> type[forms.Form]:
    """The fields a step asks for."""
    step = steps.BY_CODE[row.code]
    fields: dict[str, Any] = {}
    if step.outcomes:
        fields["outcome"] = forms.ChoiceField(
            label=_("How it ended"), choices=[(code, said(words[1:])) for code, words in step.outcomes.items()]
        )
    if "amount" in step.evidence:
        for currency, expected in _expected_amounts(row).items():
            fields[f"amount_{currency}"] = forms.DecimalField(
                label=_("Amount that was paid, in %(currency)s") % {"currency": currency}, max_digits=15, decimal_places=2,
                initial=expected, required=currency == row.closing.store.currency,
            )  # fmt: skip
        if row.code == "deposit_back":
            others = [(code, code) for code in CURRENCIES if code != row.closing.store.currency]
            fields["other_amount"] = forms.DecimalField(
                label=_("… or in another currency"), max_digits=15, decimal_places=2, required=False, min_value=0,
                help_text=_("It counts at the books' rate of the day; then enter 0 above."),
            )  # fmt: skip
            fields["other_currency"] = forms.ChoiceField(label=_("Currency"), choices=others, required=False)
    if "reference" in step.evidence:
        fields["reference"] = forms.CharField(label=_("The platform's number or letter"), max_length=120)
    if row.code == "appeal":
        fields["handed_in_at"] = forms.DateTimeField(
            label=_("Handed in at the platform"), widget=MOMENT, required=False,
            help_text=_("Only where it is handed in already: when, on the clock of the store."),
        )  # fmt: skip
    if step.who != "daifa" or "note" in step.evidence:
        fields["note"] = forms.CharField(
            label=_("In words"), max_length=1000, required="note" in step.evidence, widget=forms.Textarea(attrs={"rows": 3})
        )
        fields["file"] = forms.FileField(label=_("Document"), required=False, help_text=_("PDF, picture, DOCX or XLSX. It stays when personal data is deleted: no buyer's name may be in it."))
    return type("StepForm", (forms.Form,), fields)


CURRENCIES = ("CNY", "USD", "EUR", "GBP", "HKD", "JPY", "SGD", "MYR", "THB", "VND", "IDR", "PHP", "TWD", "BRL", "MXN", "CAD", "AUD")


def _expected_amounts(row: ClosingStep) -> dict[str, Decimal]:
    """What the books expect, by currency, the store's own first."""
    from daifa.domain.cases.queries import deposit

    home = row.closing.store.currency
    if row.code == "settlement":
        due = {money.currency: money.amount for money in queries.proceeds_due(row.closing.store_id) if money.amount}
        return {currency: rounded(amount, currency) for currency, amount in {home: due.pop(home, Decimal(0)), **due}.items()}
    return {home: rounded(deposit(row.closing.store_id).held.amount, home)}


def _do_step(scope: Scope, row: ClosingStep, data: dict[str, Any], *, by: str, at: datetime) -> str:
    scope.whole.require(row.closing.store_id, steps.BY_CODE[row.code].need)
    file = data.get("file")
    amounts = {name.removeprefix("amount_"): value for name, value in data.items() if name.startswith("amount_") and value is not None}
    if data.get("other_amount"):
        amounts[data["other_currency"]] = data["other_amount"]
    given = Given(
        note=data.get("note", ""), reference=data.get("reference", ""), outcome=data.get("outcome", ""), amounts=amounts,
        file=(file.name, file.read()) if file else None, handed_in_at=moment(data.get("handed_in_at"), scope, row.closing.store_id),
    )  # fmt: skip
    close_store.ask_step(row.pk, given, by=by, at=at)
    row.refresh_from_db()
    return reverse("web:closing_step" if row.asked_at else "web:closing", args=[row.pk if row.asked_at else row.closing_id])


def _step_panels(scope: Scope, row: ClosingStep) -> list[Panel]:
    step = steps.BY_CODE[row.code]
    reads = scope.may(step.need, row.closing.store_id)
    panels: list[Panel] = []
    if row.state == "waiting" and row.asked_at:
        return [_step_progress(row)]
    if row.state == "waiting" and row.stopped:
        panels.append(NotePanel(row.stopped, title=_("It stopped"), tone="danger"))
    if row.state == "waiting" and not reads:
        panels.append(NotePanel(_("This step may be done by: %(who)s.") % {"who": who_may(row.code)}, tone="info"))
    if row.state == "waiting":
        states_now = {view.row.code: view.row.state for view in queries.steps_of(row.closing_id)}
        if before := rules.missing_before(row.code, step.after, states_now):
            panels.append(NotePanel(_("First: %(steps)s.") % {"steps": close_store.titles(before)}, tone="warning"))
        blocked = [one for one in close_store.open_now(row.closing, at=scope.at) if one.code in step.check]
        if blocked:
            panels.append(blockers_panel(blocked, row.closing.store_id))
        if step.final:
            panels.append(NotePanel(_("This step cannot be taken back."), tone="warning"))
        if row.not_before:
            why = (
                _("Buyers have open requests: daifa takes the goods down by itself in the next quiet hour, %(when)s.")
                if row.code == "listings_down"
                else _("Some data must be kept longer: daifa goes on by itself, %(when)s.")
            )
            panels.append(NotePanel(why % {"when": fmt.short_text(row.not_before, scope.zone(row.closing.store_id))}, tone="info"))
    if row.code in ("measure", "improve", "choose"):
        panels.append(lines_panel(row.closing.store_id, scope))
    if row.code in ("notice", "appeal", "ruling"):
        panels.append(violations_panel(queries.violations_behind(row.closing), ruled=row.closing.state != "threatened", short=True))
    panels.append(
        TablePanel(
            _("Evidence"),
            [
                Column("at", gettext_lazy("When"), "datetime"),
                Column("what", gettext_lazy("What"), value=lambda one: {"done": _("done"), "undone": _("taken back"),
                       "not_needed": _("left out"), "note": _("note")}.get(one.what, one.what)),
                Column("note", gettext_lazy("In words"), wrap=True, hint=lambda one: one.reference),
                Column("facts", gettext_lazy("Figures"), value=lambda one: figures(one.facts), wrap=True),
                Column("file_name", gettext_lazy("File"), value=lambda one: one.file_name if reads else private.DOTS if one.file_name else "",
                       url=lambda one: reverse("web:closing_evidence", args=[one.pk]) if one.sha256 and reads else None),
            ],
            list(row.evidence.order_by("-id")),
            empty=_("Nothing yet."),
        )
    )  # fmt: skip
    return panels


def figures(facts: Mapping[str, Any]) -> str:
    """Counts of a step in one line; ids and long lists stay out."""
    shown = []
    for name, value in facts.items():
        if name in ("ids", "balances", "publications"):
            continue
        if isinstance(value, dict):
            inner = listed(
                f"{words.message_reason(key) if name == 'not_told' else _name_of(key)}: {item.get('count') if isinstance(item, dict) else item}"
                for key, item in value.items()
            )
            shown.append(f"{_name_of(name)} ({inner})" if inner else f"{_name_of(name)}: 0")
        elif isinstance(value, bool):
            shown.append(f"{_name_of(name)}: {_('yes') if value else _('no')}")
        elif name == "stays" and value:
            shown.append(f"{_name_of(name)} ({listed(dict.fromkeys(data_word(one['data']) for one in value))})")
        elif isinstance(value, list) and not value:
            shown.append(f"{_name_of(name)}: –")
        elif isinstance(value, list):
            shown.append(f"{_name_of(name)}: {listed(one for one in value[:12] if not isinstance(one, dict)) or len(value)}")
        else:
            shown.append(f"{_name_of(name)}: {value}")
    return " · ".join(shown)


def _name_of(key: str) -> str:
    if key in BLOCKERS:
        return said(BLOCKERS[key])
    if "." in key:
        return key  # a file
    names = {
        "more": _("more than owed"), "open": _("open"), "listings": _("listings"), "links": _("links"), "messages": _("messages not sent"), "orders": _("orders"),
        "told": _("told"), "not_told": _("not told"), "owed": _("owed"), "paid": _("paid"), "kept": _("kept"), "held": _("held"),
        "returned": _("returned"), "rates": _("rates"), "paid_in": _("paid in"), "gain": _("exchange difference"),
        "appealed": _("appealed"), "asked": _("asked of the channel"),  "rows": _("rows"), "erased": _("erased"), "customers": _("customers"), "stays": _("stays"),
        "reason": _("reason"), "address": _("address"), "currency": _("currency"), "quiet": _("quiet"), "line": _("line"),
        "busy_hours": _("busy hours"), "orders_by_30_days": _("orders in 30 days"), "sales_by_30_days": _("sales in 30 days"), "visits_by_30_days": _("visits in 30 days"),
        "impressions_by_30_days": _("impressions in 30 days"), "below": _("below the line"),
        "expected": _("expected"), "rounds": _("rounds"), "was_on": _("was on"), "live": _("live"),
    }  # fmt: skip
    return names.get(key, key.replace("_", " "))


def _step_actions(scope: Scope, row: ClosingStep) -> list[Any]:
    step = steps.BY_CODE[row.code]
    denied = scope.why_not(step.need, row.closing.store_id)
    actions: list[Any] = []
    if row.state == "waiting" and step.optional:
        actions.append(ActionButton(_("Leave out"), reverse("web:closing_step_leave", args=[row.pk]), "x", reason=denied, ask=_("Why is it not needed?")))
    if row.state != "waiting" and not step.final and row.closing.state in ("threatened", "running"):
        actions.append(ActionButton(_("Take back"), reverse("web:closing_step_undo", args=[row.pk]), "arrow-back-up", reason=denied, ask=_("Why is it taken back?")))
    return actions  # fmt: skip


STEP_SHOWN = DetailPage(
    load=_load_step,
    store_id="closing__store_id",
    title=lambda row, scope: said(steps.BY_CODE[row.code].title),
    back=lambda row: (_("The closing"), reverse("web:closing", args=[row.closing_id])),
    badges=lambda row, scope: [Badge(states.word(CLOSING_STEP, row.state), states.tone(CLOSING_STEP, row.state))],
    actions=lambda row, scope: _step_actions(scope, row),
    facts=lambda row, scope: [
        Fact(_("What it is for"), said(steps.BY_CODE[row.code].what)),
        Fact(_("Who"), WHO[steps.who_does(steps.BY_CODE[row.code], has_platform=queries.has_platform(row.closing.store))]),
        Fact(_("Who may enter it"), who_may(row.code)),
        Fact(_("Due"), row.due_on, "date"),
        Fact(_("How it ended"), said(steps.BY_CODE[row.code].outcomes[row.outcome][1:]) if row.outcome else ""),
    ],
    panels=lambda row, scope: _step_panels(scope, row),
)


def closing_step(request: HttpRequest, pk: int) -> HttpResponse:
    """A step that waits is a form for those who may do it; settled, or for others, it is shown."""
    need = "own"
    if request.user.is_authenticated:
        scope = scope_of(request)
        row = _load_step(scope, pk)
        if row is not None:
            need = steps.BY_CODE[row.code].need
            if request.method != "POST" and (row.state != "waiting" or row.asked_at or not scope.may(need, row.closing.store_id)):
                return STEP_SHOWN.view(request, pk=pk)
    return STEP_FORMS[need].view(request, pk=pk)


def _step_said(row: ClosingStep) -> str:
    if row.state == "done":
        return _("Done, and kept as evidence.")
    if row.asked_at:
        return _("Asked for: the worker does it, and it ends by itself.")
    if row.not_before is None:
        return _("Written down; a further round is open.")
    when = fmt.short_text(row.not_before, ZoneInfo(row.closing.store.timezone))
    return _("Planned: daifa does it by itself, %(when)s.") % {"when": when}


STEP_FORM = FormPage(
    title=lambda row, scope: said(steps.BY_CODE[row.code].title),
    form=_step_form,
    load=_load_step,
    store_id="closing__store_id",
    needs="own",
    save=_do_step,
    submit=gettext_lazy("Do this step"),
    success=lambda row: _step_said(ClosingStep.objects.select_related("closing__store").get(pk=row.pk)),
    intro=lambda row, scope: said(steps.BY_CODE[row.code].what),
    back=lambda row: (row.closing.store.name, reverse("web:closing", args=[row.closing_id])),
    panels=_step_panels,
    actions=_step_actions,
    pretitle=lambda row, scope: f"{states.word(CLOSING_STEP, row.state)} · {who_may(row.code)}",
)  # fmt: skip
STEP_FORMS = {need: replace(STEP_FORM, needs=need) for need in steps.WHO_MAY}


@page("view", methods=("POST",))
def undo(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    row = _own_step(scope, pk)
    return _acted(
        request, reverse("web:closing_step", args=[pk]), _("Taken back."),
        lambda: close_store.undo_step(row.pk, note=request.POST.get("reason", ""), by=scope.by, at=scope.at),
    )  # fmt: skip


@page("view", methods=("POST",))
def leave(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    row = _own_step(scope, pk)
    return _acted(
        request, reverse("web:closing_step", args=[pk]), _("Left out."),
        lambda: close_store.leave_out(row.pk, note=request.POST.get("reason", ""), by=scope.by, at=scope.at),
    )  # fmt: skip


def _own_step(scope: Scope, pk: int) -> ClosingStep:
    row = _load_step(scope, pk)
    if row is None:
        raise Http404
    scope.whole.require(row.closing.store_id, steps.BY_CODE[row.code].need)
    return row


@page("view", methods=("GET", "HEAD"))
def evidence(request: HttpRequest, scope: Scope, pk: int) -> FileResponse:
    """A file that proves a step, for those who may do it: a letter of the platform can name a buyer."""
    found = queries.evidence_of(scope.whole.all_store_ids, pk)
    if found is None or not found.sha256 or found.step.code not in steps.BY_CODE:
        raise Http404
    store_id = found.step.closing.store_id
    scope.whole.require(store_id, steps.BY_CODE[found.step.code].need)
    file = close_store.file_of(found.sha256)
    if not file.is_file():
        raise Http404
    response = FileResponse(file.open("rb"), content_type="application/octet-stream")
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(found.file_name)}"
    return response


# --- Coming back --------------------------------------------------------------------------------------------------


class PlanForm(forms.Form):
    cause = forms.CharField(label=gettext_lazy("What is to be healed"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}))
    months = forms.IntegerField(label=gettext_lazy("Months of the plan"), initial=rules.COMEBACK_MONTHS, min_value=1, max_value=24)


def _plan(scope: Scope, closing: Closing, data: dict[str, Any], *, by: str, at: datetime) -> str:
    made = commands.plan_readmission(closing_id=closing.pk, by=by, at=at, **data)
    return reverse("web:readmission", args=[made.pk])


READMISSION_PLAN = FormPage(
    title=lambda closing, scope: _("Come back with %(name)s") % {"name": closing.store.name},
    form=PlanForm,
    load=_load_closing,
    store_id="store_id",
    needs="own",
    save=_plan,
    submit=gettext_lazy("Make the plan"),
    success=gettext_lazy("The plan stands; each step asks for its proof."),
    intro=gettext_lazy("A store that healed its cause and proves it can come back: a new life begins, linked to the old one."),
    initial=lambda scope, closing: {"cause": closing.reason, "months": rules.COMEBACK_MONTHS},
    back=lambda closing: (closing.store.name, reverse("web:closing", args=[closing.pk])),
)  # fmt: skip

_COMEBACK = {step.code: step for step in steps.COMEBACK}


def _load_readmission(scope: Scope, pk: int) -> Readmission | None:
    return queries.readmission_of(scope.whole.all_store_ids, pk)


def _plan_panel(found: Readmission) -> TablePanel:
    return TablePanel(
        _("Plan"),
        [
            Column("code", gettext_lazy("Step"), value=lambda row: said(_COMEBACK[row.code].title), link=True,
                   hint=lambda row: said(_COMEBACK[row.code].what), wrap=True),
            Column("due_on", gettext_lazy("Due"), "date"),
            Column("proof", gettext_lazy("Proof"), wrap=True),
            Column("papers", gettext_lazy("Papers"), "quantity", value=lambda row: row.paper_count or None),
            Column("done_at", gettext_lazy("Done"), "datetime", phone=False),
        ],
        queries.plan_of(found.pk),
        row_url=lambda row: reverse("web:comeback_step", args=[row.pk]),
    )  # fmt: skip


def _papers_panel(papers: Iterable[ComebackPaper]) -> TablePanel:
    """What lies beside the proofs; for owners, as the papers may name people."""
    return TablePanel(
        _("Papers"),
        [
            Column("step", gettext_lazy("Step"), value=lambda one: said(_COMEBACK[one.step.code].title), wrap=True),
            Column("name", gettext_lazy("File"), url=lambda one: reverse("web:comeback_paper", args=[one.pk]), wrap=True),
            Column("size", gettext_lazy("Size"), value=lambda one: _("%(count)s KB") % {"count": -(-one.size // 1024)}, phone=False),
            Column("at", gettext_lazy("When"), "datetime"),
        ],
        list(papers),
        empty=_("No paper yet."),
    )  # fmt: skip


def _readmission_events(found: Readmission) -> list[Event]:
    """What was proved, asked for and answered, newest first."""
    proved = [
        Event(row.done_at, said(_COMEBACK[row.code].title), by=row.done_by, detail=row.proof, icon="circle-check", tone="success")
        for row in queries.plan_of(found.pk)
        if row.done_at
    ]
    moved = [
        Event(one.at, states.word(READMISSION, one.state), by=one.by, why=one.reason, tone=states.tone(READMISSION, one.state))
        for one in queries.readmission_moves(found.pk)
    ]
    return sorted([*moved, *reversed(proved)], key=lambda event: event.at, reverse=True)


def _readmission_actions(found: Readmission, scope: Scope) -> list[Any]:
    denied = scope.why_not("own", found.store_id)
    address = lambda name: reverse(f"web:{name}", args=[found.pk])  # noqa: E731
    taken = LinkButton(_("Plan and papers"), address("readmission_file"), "download", reason=denied, download=True)
    if found.state in ("planned", "refused"):
        return [
            taken,
            ActionButton(_("Apply"), address("readmission_apply"), "send", "primary", reason=denied, ask=_("What was healed?")),
            ActionButton(_("Give up"), address("readmission_give_up"), "x", reason=denied, ask=_("Why?")),
        ]
    if found.state == "applied":
        return [
            taken,
            ActionButton(_("Admitted"), address("readmission_answer"), "check", "primary", reason=denied,
                         ask=_("What did the platform say?"), fields={"admitted": "yes"}),
            ActionButton(_("Refused"), address("readmission_answer"), "x", reason=denied, ask=_("What did the platform say?")),
        ]  # fmt: skip
    return [taken]


READMISSION_PAGE = DetailPage(
    load=_load_readmission,
    store_id="store_id",
    title=lambda found, scope: found.store.name,
    pretitle=lambda found, scope: _("Coming back"),
    back=(gettext_lazy("Closing"), lambda: reverse("web:closings")),
    badges=lambda found, scope: [Badge(states.word(READMISSION, found.state), states.tone(READMISSION, found.state))],
    actions=_readmission_actions,
    facts=lambda found, scope: [
        Fact(_("Cause"), found.cause),
        Fact(_("Healed"), found.healed),
        Fact(_("The platform's answer"), found.answer),
        Fact(_("Months of the plan"), found.months, "quantity"),
        Fact(_("Former closing"), scenario_words(found.closing.scenario), url=reverse("web:closing", args=[found.closing_id])),
    ],
    panels=lambda found, scope: [
        _plan_panel(found),
        *([_papers_panel(queries.papers_of(found.pk))] if scope.may("own", found.store_id) else []),
    ],
    timeline=lambda found, scope: _readmission_events(found),
)  # fmt: skip


class SeveralPapers(SeveralFiles):
    """Office papers too, which a browser is not to hide."""

    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        self.widget.attrs.pop("accept", None)


class ProofForm(forms.Form):
    proof = forms.CharField(label=gettext_lazy("What proves it"), max_length=1000, widget=forms.Textarea(attrs={"rows": 3}))
    papers = SeveralPapers(
        label=gettext_lazy("Papers and pictures"), required=False,
        help_text=gettext_lazy("PDF, picture, DOCX or XLSX, 20 MB each at most. They are kept beside those that are there."),
    )  # fmt: skip


def _load_comeback(scope: Scope, pk: int) -> ComebackStep | None:
    return (
        ComebackStep.objects.filter(pk=pk, readmission__store_id__in=scope.whole.all_store_ids)
        .select_related("readmission__store")
        .first()
    )


def _prove(scope: Scope, row: ComebackStep, data: dict[str, Any], *, by: str, at: datetime) -> str:
    papers = [(file.name, file.read(commands.MOST_FILE + 1)) for file in data["papers"]]
    commands.prove_comeback_step(step_id=row.pk, proof=data["proof"], papers=papers, by=by, at=at)
    return reverse("web:readmission", args=[row.readmission_id])


COMEBACK_STEP = FormPage(
    title=lambda row, scope: said(_COMEBACK[row.code].title),
    form=ProofForm,
    load=_load_comeback,
    store_id="readmission__store_id",
    needs="own",
    initial=lambda scope, row: {"proof": row.proof},
    save=_prove,
    success=gettext_lazy("Proved."),
    intro=lambda row, scope: said(_COMEBACK[row.code].what),
    back=lambda row: (row.readmission.store.name, reverse("web:readmission", args=[row.readmission_id])),
    panels=lambda scope, row: [_papers_panel(row.papers.select_related("step").order_by("id"))],
)


@page("own", methods=("GET", "HEAD"))
def comeback_paper(request: HttpRequest, scope: Scope, pk: int) -> FileResponse:
    """One paper that proves a step of a plan."""
    found = queries.paper_of(scope.whole.all_store_ids, pk)
    if found is None:
        raise Http404
    scope.whole.require(found.step.readmission.store_id, "own")
    file = close_store.file_of(found.sha256)
    if not file.is_file():
        raise Http404
    response = FileResponse(file.open("rb"), content_type="application/octet-stream")
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(found.name)}"
    return response


@page("own", methods=("GET", "HEAD"))
def readmission_file(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """The plan with its proofs and papers in one file."""
    found = _readmission(scope, pk)
    try:
        content = close_store.export_readmission(found)
    except Refused as refused:
        return after(request, reverse("web:readmission", args=[pk]), refused=[refused.sentence])
    response = HttpResponse(content, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{found.store.code}-readmission.zip"'
    return response


def _readmission(scope: Scope, pk: int) -> Readmission:
    found = _load_readmission(scope, pk)
    if found is None:
        raise Http404
    scope.whole.require(found.store_id, "own")
    return found


@page("own", methods=("POST",))
def apply_back(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    _readmission(scope, pk)
    return _acted(
        request, reverse("web:readmission", args=[pk]), _("Applied for."),
        lambda: commands.apply_for_readmission(readmission_id=pk, healed=request.POST.get("reason", ""), by=scope.by, at=scope.at),
    )  # fmt: skip


@page("own", methods=("POST",))
def answer_back(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    _readmission(scope, pk)
    return _acted(
        request, reverse("web:readmission", args=[pk]), _("Written down."),
        lambda: close_store.readmit(
            readmission_id=pk, admitted=request.POST.get("admitted") == "yes", answer=request.POST.get("reason", ""),
            by=scope.by, at=scope.at,
        ),
    )  # fmt: skip


@page("own", methods=("POST",))
def give_up_back(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    _readmission(scope, pk)
    return _acted(
        request, reverse("web:readmission", args=[pk]), _("Given up."),
        lambda: commands.give_up_readmission(readmission_id=pk, reason=request.POST.get("reason", ""), by=scope.by, at=scope.at),
    )  # fmt: skip


# --- The public page, switched on by the owner --------------------------------------------------------------------


class StatusForm(forms.Form):
    is_on = forms.BooleanField(label=gettext_lazy("Anybody may see it"), required=False)
    slug = forms.SlugField(
        label=gettext_lazy("Address"), max_length=60, required=False,
        help_text=gettext_lazy("Small letters, digits, hyphens. Left empty it gets an address nobody can guess."),
    )  # fmt: skip
    contact = forms.CharField(
        label=gettext_lazy("Where buyers turn to"), max_length=160, required=False,
        help_text=gettext_lazy("A shop address or a service page. It is public: no person's name or number."),
    )  # fmt: skip


def _status_initial(scope: Scope, store: Store) -> dict[str, Any]:
    found = queries.status_page(store.pk) or StatusPage(slug="", is_on=False, contact=store.reply_to)
    return {"is_on": found.is_on, "slug": found.slug, "contact": found.contact}


def _save_status(scope: Scope, store: Store, data: dict[str, Any], *, by: str, at: datetime) -> str:
    commands.set_status_page(store_id=store.pk, by=by, at=at, **data)
    return reverse("web:store_life", args=[store.pk])


STATUS_EDIT = FormPage(
    title=lambda store, scope: _("Public status page of %(name)s") % {"name": store.name},
    form=StatusForm,
    load=_load_store,
    store_id="id",
    needs="own",
    initial=_status_initial,
    save=_save_status,
    success=gettext_lazy("Saved."),
    back=lambda store: (store.name, reverse("web:store_life", args=[store.pk])),
)

urlpatterns = [
    path("closings/", CLOSINGS.view, name="closings"),
    path("closings/<int:pk>/", CLOSING_PAGE.view, name="closing"),
    path("closings/<int:pk>/withdraw/", withdraw, name="closing_withdraw"),
    path("closings/<int:pk>/violations/", CLOSING_VIOLATION.view, name="closing_violation"),
    path("closings/<int:pk>/come-back/", READMISSION_PLAN.view, name="readmission_plan"),
    path("closings/steps/<int:pk>/", closing_step, name="closing_step"),
    path("closings/steps/<int:pk>/progress/", step_progress, name="closing_step_progress"),
    path("closings/steps/<int:pk>/undo/", undo, name="closing_step_undo"),
    path("closings/steps/<int:pk>/leave-out/", leave, name="closing_step_leave"),
    path("closings/evidence/<int:pk>/", evidence, name="closing_evidence"),
    path("closings/back/<int:pk>/", READMISSION_PAGE.view, name="readmission"),
    path("closings/back/<int:pk>/apply/", apply_back, name="readmission_apply"),
    path("closings/back/<int:pk>/answer/", answer_back, name="readmission_answer"),
    path("closings/back/<int:pk>/give-up/", give_up_back, name="readmission_give_up"),
    path("closings/back/<int:pk>/file/", readmission_file, name="readmission_file"),
    path("closings/back/papers/<int:pk>/", comeback_paper, name="comeback_paper"),
    path("closings/back/steps/<int:pk>/", COMEBACK_STEP.view, name="comeback_step"),
    path("stores/<int:pk>/life/", STORE_LIFE.view, name="store_life"),
    path("stores/<int:pk>/life/open/", open_store, name="store_open"),
    path("stores/<int:pk>/life/prepare/", prepare_store, name="store_prepare"),
    path("stores/<int:pk>/life/standing/", STANDING_EDIT.view, name="standing_edit"),
    path("stores/<int:pk>/life/close/", closing_start, name="closing_start"),
    path("stores/<int:pk>/life/close/<slug:scenario>/", closing_begin, name="closing_begin"),
    path("stores/<int:pk>/life/status/", STATUS_EDIT.view, name="status_edit"),
]
