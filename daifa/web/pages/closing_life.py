"""The life of one store: its standing and what bears on it, whether it is open, its public status page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from daifa.domain.closing import commands, queries
from daifa.domain.closing.models import StatusPage
from daifa.domain.closing.process import LIFECYCLE, STANDING
from daifa.domain.stores.models import Store
from daifa.flows import close_store
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
    LinkButton,
    Panel,
    Scope,
    TablePanel,
    TimelinePanel,
    page,
    states,
)
from daifa.web.pages import places
from daifa.web.pages.closing_figures import lines_panel
from daifa.web.pages.closing_late import late_note
from daifa.web.pages.closing_panels import acted, blockers_panel, calendar_panel, load_store
from daifa.web.pages.rule_links import rule_code, rule_link, rule_title, rule_titles


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
    life = queries.lifecycle(store.pk)
    panels: list[Panel] = [*(late_note(store.pk, scope) if life == "archived" else []), *_standing_panels(store, scope)]
    if life in ("open", "preparing"):
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
    load=load_store,
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
    load=load_store,
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
    return acted(
        request, reverse("web:store_life", args=[pk]), _("The store is being prepared; its orders wait until you open it."),
        lambda: commands.prepare_store(store_id=pk, by=scope.by, at=scope.at),
    )  # fmt: skip


@page("own", methods=("POST",))
def open_store(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    scope.whole.require(pk, "own")
    return acted(
        request, reverse("web:store_life", args=[pk]), _("The store is open."),
        lambda: commands.open_store(store_id=pk, by=scope.by, at=scope.at),
    )  # fmt: skip


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
    load=load_store,
    store_id="id",
    needs="own",
    initial=_status_initial,
    save=_save_status,
    success=gettext_lazy("Saved."),
    back=lambda store: (store.name, reverse("web:store_life", args=[store.pk])),
)


urlpatterns = [
    path("stores/<int:pk>/life/", STORE_LIFE.view, name="store_life"),
    path("stores/<int:pk>/life/open/", open_store, name="store_open"),
    path("stores/<int:pk>/life/prepare/", prepare_store, name="store_prepare"),
    path("stores/<int:pk>/life/standing/", STANDING_EDIT.view, name="standing_edit"),
    path("stores/<int:pk>/life/status/", STATUS_EDIT.view, name="status_edit"),
]
