"""Coming back: the plan, its proofs and papers, the application and the platform's answer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from daifa.domain.closing import commands, queries, rules, steps
from daifa.domain.closing.commands import said
from daifa.domain.closing.models import (
    Closing,
    ComebackPaper,
    ComebackStep,
    PaperTakenAway,
    Readmission,
)
from daifa.domain.closing.process import READMISSION
from daifa.flows import close_store
from daifa.lib import keeping
from daifa.web.kit import (
    ActionButton,
    Badge,
    Column,
    DetailPage,
    Event,
    Fact,
    FactsPanel,
    FormPage,
    LinkButton,
    PanelPage,
    Refused,
    Scope,
    TablePanel,
    after,
    page,
    states,
)
from daifa.web.kit import format as fmt
from daifa.web.pages.cases_evidence import SeveralFiles, in_groups
from daifa.web.pages.closing_panels import acted, kept_file, load_closing, scenario_words
from daifa.web.pages.runs import attachment


class PlanForm(forms.Form):
    cause = forms.CharField(label=gettext_lazy("What is to be healed"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}))
    months = forms.IntegerField(label=gettext_lazy("Months of the plan"), initial=rules.COMEBACK_MONTHS, min_value=1, max_value=24)


def _plan(scope: Scope, closing: Closing, data: dict[str, Any], *, by: str, at: datetime) -> str:
    made = commands.plan_readmission(closing_id=closing.pk, by=by, at=at, **data)
    return reverse("web:readmission", args=[made.pk])


READMISSION_PLAN = FormPage(
    title=lambda closing, scope: _("Come back with %(name)s") % {"name": closing.store.name},
    form=PlanForm,
    load=load_closing,
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


def _worked_on(found: Readmission) -> bool:
    return found.state in ("planned", "refused")


def _size(one: ComebackPaper | PaperTakenAway) -> str:
    return _("%(count)s KB") % {"count": -(-one.size // 1024)}


def _kind(one: ComebackPaper | PaperTakenAway) -> str:
    """PDF · 12 KB."""
    return f"{keeping.named('', one.media_type).rpartition('.')[2].upper()} · {_size(one)}"


def _papers_panel(papers: Iterable[ComebackPaper], *, worked_on: bool, of_one_step: bool = False) -> TablePanel:
    """What lies beside the proofs; for owners, as the papers may name people. One kept by mistake may go while the plan is `worked_on`."""
    step = Column("step", gettext_lazy("Step"), value=lambda one: said(_COMEBACK[one.step.code].title), wrap=True)
    away = Column("away", "", "html", value=lambda one: format_html('<span class="text-nowrap">{}</span>', _("Take away")), url=lambda one: reverse("web:comeback_paper_away", args=[one.pk]))
    return TablePanel(
        _("Papers"),
        [
            *([] if of_one_step else [step]),
            Column("name", gettext_lazy("File"), url=lambda one: reverse("web:comeback_paper", args=[one.pk]), hint=_size, wrap=True),
            Column("at", gettext_lazy("When"), "datetime"),
            *([away] if worked_on else []),
        ],
        list(papers),
        empty=_("No paper yet."),
    )  # fmt: skip


def _readmission_events(found: Readmission) -> list[Event]:
    """What was proved, taken away, asked for and answered, newest first."""
    proved = [
        Event(row.done_at, said(_COMEBACK[row.code].title), by=row.done_by, detail=row.proof, icon="circle-check", tone="success")
        for row in queries.plan_of(found.pk)
        if row.done_at
    ]
    taken = [
        Event(
            one.at, _("a paper was taken away"), by=one.by, icon="trash",
            detail=f"{said(_COMEBACK[one.step.code].title)} · {_kind(one)} · SHA-256 {one.sha256[:12]}…",
            why=_("kept on %(date)s") % {"date": fmt.date_text(one.recorded_at)},
        )
        for one in queries.papers_taken_away(found.pk)
    ]  # fmt: skip
    moved = [
        Event(one.at, states.word(READMISSION, one.state), by=one.by, why=one.reason, tone=states.tone(READMISSION, one.state))
        for one in queries.readmission_moves(found.pk)
    ]
    return sorted([*moved, *taken, *reversed(proved)], key=lambda event: event.at, reverse=True)


def _readmission_actions(found: Readmission, scope: Scope) -> list[Any]:
    denied = scope.why_not("own", found.store_id)
    address = lambda name: reverse(f"web:{name}", args=[found.pk])  # noqa: E731
    taken = LinkButton(_("Plan and papers"), address("readmission_file"), "download", reason=denied, download=True)
    if _worked_on(found):
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
        *([_papers_panel(queries.papers_of(found.pk), worked_on=_worked_on(found))] if scope.may("own", found.store_id) else []),
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
    panels=lambda scope, row: [_papers_panel(row.papers.select_related("step").order_by("id"), worked_on=_worked_on(row.readmission), of_one_step=True)],
)


@page("own", methods=("GET", "HEAD"))
def comeback_paper(request: HttpRequest, scope: Scope, pk: int) -> FileResponse:
    """One paper that proves a step of a plan."""
    found = queries.paper_of(scope.whole.all_store_ids, pk)
    if found is None:
        raise Http404
    scope.whole.require(found.step.readmission.store_id, "own")
    return kept_file(found.sha256, found.name)


@page("own", methods=("GET", "HEAD", "POST"))
def paper_away(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """A paper that was kept by mistake: looked at once more, and taken away."""
    found = queries.paper_of(scope.whole.all_store_ids, pk)
    if found is None:
        raise Http404
    scope.whole.require(found.step.readmission.store_id, "own")
    back = reverse("web:comeback_step", args=[found.step_id])
    if request.method == "POST":
        return acted(
            request, back, _("Taken away. That it was there stays written down."),
            lambda: commands.take_papers_away(paper_ids=[pk], by=scope.by, at=scope.at),
        )  # fmt: skip
    closed = None if _worked_on(found.step.readmission) else _("The plan is not being worked on any more.")
    return PanelPage(
        title=found.name,
        pretitle=said(_COMEBACK[found.step.code].title),
        panels=lambda request, scope: [
            FactsPanel(
                _("A paper beside a proof"),
                [
                    Fact(_("File"), found.name, url=reverse("web:comeback_paper", args=[pk])),
                    Fact(_("Kind"), _kind(found)),
                    Fact("SHA-256", in_groups(found.sha256)),
                    Fact(_("When"), found.at, "datetime", store_id=found.step.readmission.store_id),
                    Fact(_("Entered by"), fmt.actor_names([found.by])[found.by]),
                ],
                note=_("Taken away, the file is gone for good where nothing else has it. When it was kept and taken away, by whom, and its hash stay in the history."),
            )
        ],
        actions=lambda scope: [
            LinkButton(said(_COMEBACK[found.step.code].title), back, "arrow-left", "ghost"),
            ActionButton(_("Take away"), reverse("web:comeback_paper_away", args=[pk]), "trash", "danger", reason=closed,
                         confirm=_("Was it kept by mistake?"), fields={"next": back}),  # this page goes with it
        ],
    ).respond(request, scope)  # fmt: skip


@page("own", methods=("GET", "HEAD"))
def readmission_file(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """The plan with its proofs and papers in one file."""
    found = _readmission(scope, pk)
    try:
        content = close_store.export_readmission(found)
    except Refused as refused:
        return after(request, reverse("web:readmission", args=[pk]), refused=[refused.sentence])
    return attachment(f"{found.store.code}-readmission.zip", content, "application/zip")


def _readmission(scope: Scope, pk: int) -> Readmission:
    found = _load_readmission(scope, pk)
    if found is None:
        raise Http404
    scope.whole.require(found.store_id, "own")
    return found


@page("own", methods=("POST",))
def apply_back(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    _readmission(scope, pk)
    return acted(
        request, reverse("web:readmission", args=[pk]), _("Applied for."),
        lambda: commands.apply_for_readmission(readmission_id=pk, healed=request.POST.get("reason", ""), by=scope.by, at=scope.at),
    )  # fmt: skip


@page("own", methods=("POST",))
def answer_back(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    _readmission(scope, pk)
    return acted(
        request, reverse("web:readmission", args=[pk]), _("Written down."),
        lambda: close_store.readmit(
            readmission_id=pk, admitted=request.POST.get("admitted") == "yes", answer=request.POST.get("reason", ""),
            by=scope.by, at=scope.at,
        ),
    )  # fmt: skip


@page("own", methods=("POST",))
def give_up_back(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    _readmission(scope, pk)
    return acted(
        request, reverse("web:readmission", args=[pk]), _("Given up."),
        lambda: commands.give_up_readmission(readmission_id=pk, reason=request.POST.get("reason", ""), by=scope.by, at=scope.at),
    )  # fmt: skip


urlpatterns = [
    path("closings/<int:pk>/come-back/", READMISSION_PLAN.view, name="readmission_plan"),
    path("closings/back/<int:pk>/", READMISSION_PAGE.view, name="readmission"),
    path("closings/back/<int:pk>/apply/", apply_back, name="readmission_apply"),
    path("closings/back/<int:pk>/answer/", answer_back, name="readmission_answer"),
    path("closings/back/<int:pk>/give-up/", give_up_back, name="readmission_give_up"),
    path("closings/back/<int:pk>/file/", readmission_file, name="readmission_file"),
    path("closings/back/papers/<int:pk>/", comeback_paper, name="comeback_paper"),
    path("closings/back/papers/<int:pk>/away/", paper_away, name="comeback_paper_away"),
    path("closings/back/steps/<int:pk>/", COMEBACK_STEP.view, name="comeback_step"),
]
