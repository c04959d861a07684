"""Closing stores: where each is in its life, and one closing with its days, steps and violations."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.cases import queries as case_queries
from daifa.domain.cases.process import VIOLATION_KINDS
from daifa.domain.closing import queries, rules
from daifa.domain.closing.commands import said
from daifa.domain.closing.models import Closing, ClosingStep
from daifa.domain.closing.process import CLOSING, CLOSING_STEP, LIFECYCLE, READMISSION, STANDING
from daifa.flows import close_store, platform_side
from daifa.web.kit import (
    ActionButton,
    Badge,
    Column,
    DetailPage,
    Fact,
    FormPage,
    Kpi,
    KpiPanel,
    LinkButton,
    NotePanel,
    Panel,
    PanelPage,
    Scope,
    TablePanel,
    page,
    states,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import private
from daifa.web.pages.closing_late import late_note
from daifa.web.pages.closing_panels import (
    WHO,
    acted,
    blockers_panel,
    calendar_panel,
    load_closing,
    scenario_words,
    violations_panel,
    who_may,
)
from daifa.web.pages.closing_steps import parts_words
from daifa.web.pages.rule_links import rule_link, rule_sentences


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
    load=load_closing,
    store_id="store_id",
    needs="own",
    save=_put_behind,
    submit=gettext_lazy("Link"),
    success=gettext_lazy("Linked: it is one with the letter now."),
    intro=gettext_lazy("A letter that was entered without the platform's number gives way to the violation of the platform's list, so that it counts once."),
    back=lambda closing: (closing.store.name, reverse("web:closing", args=[closing.pk])),
)  # fmt: skip


def _steps_panel(closing: Closing, zone: Any) -> TablePanel:
    steps = queries.steps_of(closing.pk)
    titles = rule_sentences(view.row.rule_id for view in steps)
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


def _step_hint(view: queries.StepView, zone: Any) -> str:
    if view.row.state == "waiting" and view.row.asked_at:
        return parts_words(view.row)
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
    if closing.lifecycle.state == "archived":
        panels += late_note(closing.store_id, scope)
    days = queries.days_of(closing, at=scope.at)
    panels.append(_cards(closing, days, today))
    panels.append(_steps_panel(closing, scope.zone(closing.store_id)))
    if closing.scenario == "forced":
        link = LinkButton(_("Link another"), reverse("web:closing_violation", args=[closing.pk]), "link", reason=scope.why_not("own", closing.store_id))
        going = closing.state in ("threatened", "running")
        panels.append(violations_panel(queries.violations_behind(closing), ruled=closing.state != "threatened", reads=private.may_read(scope, closing.store_id), actions=[link] if going else ()))
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
    load=load_closing,
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
    closing = load_closing(scope, pk)
    if closing is None:
        raise Http404
    scope.whole.require(closing.store_id, "own")
    return acted(
        request, reverse("web:closing", args=[pk]), _("Withdrawn: the store stays, its listings are back."),
        lambda: close_store.withdraw(pk, reason=request.POST.get("reason", ""), by=scope.by, at=scope.at),
    )  # fmt: skip


urlpatterns = [
    path("closings/", CLOSINGS.view, name="closings"),
    path("closings/<int:pk>/", CLOSING_PAGE.view, name="closing"),
    path("closings/<int:pk>/withdraw/", withdraw, name="closing_withdraw"),
    path("closings/<int:pk>/violations/", CLOSING_VIOLATION.view, name="closing_violation"),
]
