"""One step of a closing: what it asks for, how far it is, its evidence, taken back, left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from daifa.domain.closing import queries, rules, steps
from daifa.domain.closing.commands import said
from daifa.domain.closing.models import ClosingStep
from daifa.domain.closing.process import CLOSING_STEP
from daifa.domain.closing.queries import BLOCKERS
from daifa.flows import close_store
from daifa.flows.close_store import Given
from daifa.flows.privacy import data_word
from daifa.lib.commas import listed
from daifa.lib.money import rounded
from daifa.web.kit import (
    ActionButton,
    Badge,
    Column,
    DetailPage,
    Fact,
    FormPage,
    NotePanel,
    Panel,
    ProgressPanel,
    Scope,
    TablePanel,
    page,
    scope_of,
    states,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import private, words
from daifa.web.pages.closing_figures import lines_panel
from daifa.web.pages.closing_panels import WHO, acted, blockers_panel, kept_file, violations_panel, who_may
from daifa.web.pages.moments import Moment, moment


def _load_step(scope: Scope, pk: int) -> ClosingStep | None:
    found = queries.step_of(scope.whole.all_store_ids, pk)
    return found if found is not None and found.code in steps.BY_CODE else None


def parts_words(row: ClosingStep) -> str:
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
        sentence=_("%(parts)s. It ends by itself; you may leave this page.") % {"parts": parts_words(row)} if running else "", name=f"step-{row.pk}",
    )  # fmt: skip


@page("view", methods=("GET", "HEAD"))
def step_progress(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """How far a step has come; loads its page again once it is over."""
    row = _load_step(scope, pk)
    if row is None:
        raise Http404
    return _step_progress(row).respond(request)


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
        fields["handed_in_at"] = Moment(
            label=_("Handed in at the platform"), required=False,
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
        panels.append(violations_panel(queries.violations_behind(row.closing), ruled=row.closing.state != "threatened", reads=False, short=True))
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


def step_said(row: ClosingStep) -> str:
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
    success=lambda row: step_said(ClosingStep.objects.select_related("closing__store").get(pk=row.pk)),
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
    return acted(
        request, reverse("web:closing_step", args=[pk]), _("Taken back."),
        lambda: close_store.undo_step(row.pk, note=request.POST.get("reason", ""), by=scope.by, at=scope.at),
    )  # fmt: skip


@page("view", methods=("POST",))
def leave(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    row = _own_step(scope, pk)
    return acted(
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
    return kept_file(found.sha256, found.file_name)


urlpatterns = [
    path("closings/steps/<int:pk>/", closing_step, name="closing_step"),
    path("closings/steps/<int:pk>/progress/", step_progress, name="closing_step_progress"),
    path("closings/steps/<int:pk>/undo/", undo, name="closing_step_undo"),
    path("closings/steps/<int:pk>/leave-out/", leave, name="closing_step_leave"),
    path("closings/evidence/<int:pk>/", evidence, name="closing_evidence"),
]
