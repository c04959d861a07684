"""The platform's side of closings as a stand-in: one page, there only where `DAIFA_PLATFORM_SIDE` is on, for its owner."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import wraps
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from daifa.domain.cases.process import VIOLATION_KINDS
from daifa.domain.closing import commands
from daifa.domain.closing.models import PlatformCase, PlatformEvent
from daifa.domain.closing.process import LIFECYCLE, PLATFORM_CASE, STANDING
from daifa.flows import platform_side
from daifa.flows.close_store import Letter
from daifa.web.kit import (
    ActionButton,
    Badge,
    Column,
    DetailPage,
    Event,
    Fact,
    FormPage,
    LinkButton,
    NotePanel,
    Panel,
    PanelPage,
    Refused,
    Scope,
    TablePanel,
    after,
    page,
    states,
)
from daifa.web.kit.format import is_chinese
from daifa.web.pages.closing_begin import references_in
from daifa.web.pages.closing_panels import violations_panel


def only_here(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """404 where the stand-in is switched off, or for anybody but the owner of the installation."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **address: Any) -> HttpResponse:
        if not platform_side.is_on() or not request.user.is_superuser:
            raise Http404
        return view(request, *args, **address)

    return guarded


def kind_words(kind: str) -> str:
    return PlatformCase.KINDS[kind][int(is_chinese())]


def _what(event: PlatformEvent) -> str:
    return _(platform_side.EVENTS[event.what]) if event.what in platform_side.EVENTS else event.what


def _panels(request: HttpRequest, scope: Scope) -> list[Panel]:
    at, ids = scope.at, scope.all_store_ids
    return [
        NotePanel(_("This is a stand-in for training and demonstrations. No real platform decides here, and nothing leaves this installation."), tone="warning"),
        TablePanel(
            _("Open cases"),
            [
                Column("reference", gettext_lazy("File number"), "code", link=True),
                Column("store", gettext_lazy("Store"), value=lambda one: one.store.name),
                Column("kind", gettext_lazy("Kind"), value=lambda one: kind_words(one.kind), wrap=True),
                Column("state", gettext_lazy("State"), "state", states=PLATFORM_CASE),
                Column("due_at", gettext_lazy("Due"), "due"),
            ],
            platform_side.open_cases(ids),
            row_url=lambda one: reverse("web:platform_case", args=[one.pk]),
            empty=_("No case is open."),
        ),
        TablePanel(
            _("Risk list"),
            [
                Column("store", gettext_lazy("Store"), value=lambda one: one.store.name),
                Column("standing", gettext_lazy("Standing"), "state", states=STANDING),
                Column("lifecycle", gettext_lazy("Life"), "state", states=LIFECYCLE, phone=False),
                Column("points", gettext_lazy("Points"), "quantity"),
                Column("open_cases", gettext_lazy("Open cases"), "quantity"),
                Column("is_quiet", gettext_lazy("Dormant"), "yes_no"),
            ],
            platform_side.risk_list(ids, at=at),
            empty=_("No store stands out."),
        ),
        TablePanel(
            _("Dispute history"),
            [
                Column("at", gettext_lazy("When"), "datetime"),
                Column("case", gettext_lazy("File number"), "code", value=lambda row: row["event"].case.reference,
                       url=lambda row: reverse("web:platform_case", args=[row["event"].case_id])),
                Column("store", gettext_lazy("Store"), value=lambda row: row["event"].case.store.name, phone=False),
                Column("what", gettext_lazy("What"), value=lambda row: _what(row["event"])),
                Column("note", gettext_lazy("Grounds"), value=lambda row: row["event"].note, wrap=True),
            ],
            [{"at": one.at, "store_id": one.case.store_id, "event": one} for one in platform_side.dispute_history(ids, limit=50)],
            empty=_("Nothing was decided yet."),
        ),
    ]  # fmt: skip


PLATFORM = PanelPage(
    title=gettext_lazy("The platform's side"),
    panels=_panels,
    needs="own",
    actions=lambda scope: [
        LinkButton(_("New case"), reverse("web:platform_new"), "plus", "primary"),
        ActionButton(_("Read the post, carry out what is due"), reverse("web:platform_sweep"), "player-play"),
    ],
)


class NewCaseForm(forms.Form):
    store = forms.ChoiceField(label=gettext_lazy("Store"))
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=lambda: [(kind, kind_words(kind)) for kind in PlatformCase.KINDS])
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}))
    most_appeals = forms.IntegerField(label=gettext_lazy("Appeals allowed"), initial=1, min_value=0, max_value=5)
    days_until_effect = forms.IntegerField(label=gettext_lazy("Days until a new rule takes effect"), required=False)
    references = forms.CharField(
        label=gettext_lazy("Numbers of the violations"), max_length=400, required=False,
        help_text=gettext_lazy("For a removal, with commas. Left empty the case itself is the violation."),
    )  # fmt: skip
    about = forms.ChoiceField(
        label=gettext_lazy("What they are about"), required=False, initial="other",
        choices=lambda: [(code, commands.said(words)) for code, words in VIOLATION_KINDS.items()],
    )  # fmt: skip
    points = forms.DecimalField(label=gettext_lazy("Points for each"), min_value=0, max_digits=7, decimal_places=2, required=False)


def _new_form(scope: Scope, thing: Any) -> type[forms.Form]:
    choices = [(str(store.pk), store.name) for store in scope.stores]
    return type("NewCase", (NewCaseForm,), {"store": forms.ChoiceField(label=gettext_lazy("Store"), choices=choices)})


def _new(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: datetime) -> str:
    store_id = scope.require(int(data["store"]), "own").pk
    if data["kind"] == "request":
        case = platform_side.take_request(store_id, reason=data["reason"], at=at, by=f"platform:{by}")
    else:
        case = platform_side.give_notice(
            store_id, data["kind"], reason=data["reason"], most_appeals=data["most_appeals"],
            days_until_effect=data["days_until_effect"],
            letter=Letter(references_in(data["references"]), data["about"] or "other", points=data["points"] or Decimal(0)),
            at=at, by=f"platform:{by}",
        )  # fmt: skip
    return reverse("web:platform_case", args=[case.pk])


PLATFORM_NEW = FormPage(
    title=gettext_lazy("New case"),
    form=_new_form,
    needs="own",
    save=_new,
    submit=gettext_lazy("Open the case"),
    success=gettext_lazy("The case is open, and the shop has heard of it."),
    back=(gettext_lazy("The platform's side"), lambda: reverse("web:platform")),
)


def _load(scope: Scope, pk: int) -> PlatformCase | None:
    return PlatformCase.objects.filter(pk=pk, store_id__in=scope.whole.all_store_ids).select_related("store").first()


_DOES = {
    "received": ("accept", "refuse"), "public_notice": ("object",), "objected": ("accept", "refuse"),
    "noticed": ("appeal", "upheld", "reversed"), "appealed": ("upheld", "again", "reversed"),
}  # fmt: skip


def _actions(case: PlatformCase, scope: Scope) -> list[Any]:
    labels = {
        "accept": (_("Accept the request"), "check", None), "refuse": (_("Refuse the request"), "x", _("Reason")),
        "object": (_("Objection"), "alert-triangle", _("Who objects, and why?")), "appeal": (_("Appeal arrives"), "mail", _("What does the store say?")),
        "upheld": (_("Uphold"), "ban", _("Grounds")), "reversed": (_("Reverse it"), "arrow-back-up", _("Grounds")),
        "again": (_("Allow one more appeal"), "refresh", _("Grounds")),
    }  # fmt: skip
    return [
        ActionButton(labels[what][0], reverse("web:platform_do", args=[case.pk]), labels[what][1], ask=labels[what][2], fields={"what": what})
        for what in _DOES.get(case.state, ())
    ]


PLATFORM_CASE_PAGE = DetailPage(
    load=_load,
    store_id="store_id",
    needs="own",
    title=lambda case, scope: case.reference,
    pretitle=lambda case, scope: kind_words(case.kind),
    back=(gettext_lazy("The platform's side"), lambda: reverse("web:platform")),
    badges=lambda case, scope: [Badge(states.word(PLATFORM_CASE, case.state), states.tone(PLATFORM_CASE, case.state))],
    actions=_actions,
    facts=lambda case, scope: [
        Fact(_("Store"), case.store.name, url=reverse("web:store_life", args=[case.store_id])),
        Fact(_("Reason"), case.reason),
        Fact(_("Opened"), case.opened_at, "datetime", store_id=case.store_id),
        Fact(_("Due"), case.due_at, "datetime", store_id=case.store_id),
        *([Fact(_("Appeals"), _("%(made)s of %(most)s") % {"made": case.appeals, "most": case.most_appeals})] if case.kind == "violation" else []),
    ],
    panels=lambda case, scope: [violations_panel(case.violations.order_by("pk"), ruled=case.state != "noticed", reads=True)] if case.kind == "violation" else [],
    timeline=lambda case, scope: [
        Event(event.at, _what(event), by=event.by.removeprefix("platform:"), why=event.note) for event in case.events.order_by("-id")
    ],
)


@page("own", methods=("POST",))
def do(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """One decision of the desk."""
    case = _load(scope, pk)
    if case is None:
        raise Http404
    what, note = request.POST.get("what", ""), request.POST.get("reason", "")
    act = {
        "accept": lambda how: platform_side.review_request(pk, accept=True, note=note, **how),
        "refuse": lambda how: platform_side.review_request(pk, accept=False, note=note, **how),
        "object": lambda how: platform_side.object_to_request(pk, note=note, **how),
        "appeal": lambda how: platform_side.take_appeal(pk, note=note, **how),
    }.get(what, lambda how: platform_side.rule(pk, outcome=what, note=note, **how))  # fmt: skip
    try:
        act({"at": scope.at, "by": f"platform:{scope.by}"})
    except Refused as refused:
        return after(request, reverse("web:platform_case", args=[pk]), refused=[refused.sentence])
    return after(request, reverse("web:platform_case", args=[pk]), _("Decided, and on record."))


@page("own", methods=("POST",))
def sweep(request: HttpRequest, scope: Scope) -> HttpResponse:
    by = f"platform:{scope.by}"
    taken = platform_side.take_in(at=scope.at, by=by)
    count = platform_side.sweep(at=scope.at, by=by)
    told = _("Letters taken in: %(taken)s; cases carried out: %(count)s.") % {"taken": taken, "count": count}
    return after(request, reverse("web:platform"), told)


urlpatterns = [
    path("platform/", only_here(PLATFORM.view), name="platform"),
    path("platform/new/", only_here(PLATFORM_NEW.view), name="platform_new"),
    path("platform/sweep/", only_here(sweep), name="platform_sweep"),
    path("platform/<int:pk>/", only_here(PLATFORM_CASE_PAGE.view), name="platform_case"),
    path("platform/<int:pk>/do/", only_here(do), name="platform_do"),
]
