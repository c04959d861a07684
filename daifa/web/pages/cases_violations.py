"""Violations: what platforms ruled, points and what they cost next, appeals; and the deposit that answers for them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from daifa.domain.cases import commands, queries
from daifa.domain.cases.models import Appeal, Violation
from daifa.domain.cases.process import APPEAL, CONSEQUENCES, DEPOSIT_MOVES, VIOLATION, VIOLATION_KINDS
from daifa.lib.commas import listed
from daifa.lib.money import Money
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
    Kpi,
    KpiPanel,
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
from daifa.web.kit import format as fmt
from daifa.web.pages import cases_evidence as evidence
from daifa.web.pages import places, private
from daifa.web.pages.cases_complaints import words_of
from daifa.web.pages.moments import (
    NOW_IF_EMPTY,
    TODAY_IF_EMPTY,
    Moment,
    moment,
    now_there,
    past_moment,
    today_there,
)
from daifa.web.pages.rule_links import rule_link, rule_title

STORES_SHOWN = 4


def points_text(points: Decimal) -> str:
    return f"{points.normalize():f}"


# --- The list -----------------------------------------------------------------------------------------------------


def _store_cards(store: Any, scope: Scope, *, always: bool) -> KpiPanel | None:
    """Points and what they cost next, and the deposit, of one store; None where there is neither."""
    points = queries.points(store.id, at=scope.at)
    deposit = queries.deposit(store.id, at=scope.at)
    if not (always or points.total or deposit.held or deposit.required):
        return None
    name = store.name + ("：" if fmt.is_chinese() else ": ") if len(scope.stores) > 1 and scope.current is None else ""
    following = _following(points)
    cards = [
        Kpi(name + _("Violation points"), points_text(points.total), hint=following, tone="danger" if points.reached else "", icon="flag"),
        Kpi(
            _("Deposit held"), fmt.money_text(deposit.held), icon="wallet", url=reverse("web:deposit"), tone="danger" if deposit.short else "",
            hint=_("%(amount)s short of what is required") % {"amount": fmt.money_text(deposit.short)} if deposit.short
            else _("of %(amount)s required") % {"amount": fmt.money_text(deposit.required)} if deposit.required else _("nobody said what is required"),
        ),
    ]  # fmt: skip
    if points.falls_at is not None:
        cards.insert(1, Kpi(
            _("Points fall next"), fmt.date_text(points.falls_at, scope.zone(store.id)),
            hint=_("%(points)s of them") % {"points": points_text(points.falls)}, icon="calendar-due",
        ))  # fmt: skip
    return KpiPanel(cards)


def _other_stores(stores: list[Any], scope: Scope) -> TablePanel:
    """The stores that have no cards of their own, a row each."""
    return TablePanel(
        _("Other stores"),
        [
            Column("store_id", gettext_lazy("Store"), "store"),
            Column("points", gettext_lazy("Violation points"), value=lambda row: points_text(row["points"].total)),
            Column("next", gettext_lazy("What they cost next"), wrap=True, value=lambda row: _following(row["points"])),
            Column("held", gettext_lazy("Deposit held"), "money"),
            Column("short", gettext_lazy("short"), "money"),
        ],
        [
            {"store_id": store.id, "points": queries.points(store.id, at=scope.at), "held": found.held, "short": found.short}
            for store in stores for found in [queries.deposit(store.id, at=scope.at)]
        ],
    )  # fmt: skip


def _following(points: Any) -> str:
    """What the next points cost, or what was reached; says where a rule is still to be checked."""
    if points.next is not None:
        told = _("%(left)s more: %(what)s") % {"left": points_text(points.left or Decimal(0)), "what": points.next.consequence}
        return told if points.next.acts else _("%(what)s (to be checked)") % {"what": told}
    return points.reached.consequence if points.reached is not None else _("no rung of a ladder is known")


def _over_list(scope: Scope, filters: dict[str, Any]) -> list[Panel]:
    if filters:
        return []
    if scope.current or len(scope.stores) == 1:
        stores = [scope.current or scope.stores[0]]
    else:
        by_id = {store.id: store for store in scope.stores}
        stores = [by_id[one] for one in queries.stores_on_record(scope.store_ids)]
    panels: list[Panel] = [
        cards for store in stores[:STORES_SHOWN] if (cards := _store_cards(store, scope, always=len(stores) == 1)) is not None
    ]
    if len(stores) > STORES_SHOWN:
        panels.append(_other_stores(stores[STORES_SHOWN:], scope))
    limits = queries.consequences_in_force(scope.store_ids, at=scope.at)
    if limits:
        panels.append(
            TablePanel(
                _("Limits in force"),
                [
                    Column("kind", gettext_lazy("What"), value=lambda row: queries.word(CONSEQUENCES, row["kind"]), link=True,
                           hint=lambda row: row["note"] if private.may_read(scope, row["store_id"]) else ""),
                    Column("reference", gettext_lazy("Violation"), "code"),
                    Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
                    Column("from_at", gettext_lazy("Begins"), "datetime"),
                    Column("until_at", gettext_lazy("Ends"), "datetime"),
                ],
                limits[:20],
                row_url=lambda row: reverse("web:violation", args=[row["violation_id"]]),
                note=_("No date: until further notice."),
            )
        )
    return panels


def shown_reference(row: dict[str, Any]) -> str:
    """The number of the platform or the bank; what daifa calls a move that came without one is nobody's business."""
    reference = row["reference"]
    if reference.startswith("violation ") and row["violation_id"]:
        return ""
    return "" if re.fullmatch(rf"{row['kind']} [0-9a-f]{{12}}", reference) else reference


def _rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[dict[str, Any]]:
    rows = queries.violation_page(
        scope.store_ids, state=filters.get("state"), kind=filters.get("kind"), q=filters.get("q"), cursor=cursor, limit=limit
    )
    for row in rows:  # what cannot be appealed any more is not due
        over = row["appeal_until"] is not None and row["appeal_until"] <= scope.at
        row["appeal_by"] = row["appeal_due_at"] if row["state"] == "active" and not over else None
        row["said"] = row["title"] if private.may_read(scope, row["store_id"]) else ""
    return rows


VIOLATIONS = ListPage(
    title=gettext_lazy("Violations"),
    intro=gettext_lazy("What platforms ruled against your stores, by when to appeal, and what the points cost next."),
    search=gettext_lazy("Reference or order number"),
    order=queries.NEWEST,
    rows=_rows,
    panels=_over_list,
    export="violations",
    columns=[
        Column("reference", gettext_lazy("Violation"), "code", link=True, hint="said"),
        Column("kind", gettext_lazy("Kind"), value=lambda row: queries.word(VIOLATION_KINDS, row["kind"]), wrap=True),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("state", gettext_lazy("State"), "state", states=VIOLATION),
        Column("points", gettext_lazy("Points"), value=lambda row: points_text(row["points"])),
        Column("points_until", gettext_lazy("Points until"), "date", phone=False),
        Column("notified_at", gettext_lazy("Notice"), "datetime"),
        Column("appeal_due_at", gettext_lazy("Appeal by"), "due", value=lambda row: row["appeal_by"]),
    ],
    filters=[
        Choice("state", gettext_lazy("State"), lambda scope: [("open", _("not settled")), *states.choices(VIOLATION)], tabs=True),
        Choice("kind", gettext_lazy("Kind"), lambda scope: words_of(VIOLATION_KINDS)),
    ],
    actions=lambda scope: [
        LinkButton(_("Enter a violation"), reverse("web:violation_add"), "plus", "primary", reason=scope.why_not("operate")),
        LinkButton(_("Import the platform's list"), reverse("web:import_add", args=["violations"]), "file-import", reason=scope.why_not("operate")),
        LinkButton(_("Deposit"), reverse("web:deposit"), "wallet"),
    ],
    row_url=lambda row: reverse("web:violation", args=[row["id"]]),
    empty=EmptyPanel(
        gettext_lazy("No violations"), gettext_lazy("Enter what the platform ruled, or import its list. May it stay empty."), icon="flag"
    ),
)  # fmt: skip


# --- One ----------------------------------------------------------------------------------------------------------


def _load(scope: Scope, pk: int) -> queries.ViolationDetail | None:
    found = queries.violation_detail(scope.all_store_ids, pk)
    if found is None:
        return None
    violation = Violation.objects.select_related("store").get(pk=pk)
    return replace(found, why_not_appeal=commands.why_not_appeal(violation, at=scope.at)[0])


def _load_whole(scope: Scope, pk: int) -> queries.ViolationDetail | None:
    return queries.violation_detail(scope.whole.all_store_ids, pk)


def _actions(found: queries.ViolationDetail, scope: Scope) -> list[Any]:
    row = found.violation
    why = scope.why_not("operate", row["store_id"])
    pk = row["id"]
    buttons: list[Any] = []
    if not VIOLATION.is_final(row["state"]):
        open_ = [one for one in found.appeals if one["state"] in ("draft", "sent")]
        if not open_:
            too_late = found.why_not_appeal in ("late", "rounds")
            buttons.append(
                LinkButton(_("Keep a note") if too_late else _("Appeal"), reverse("web:violation_appeal", args=[pk]),
                           "pencil" if too_late else "flag", "" if too_late else "primary", reason=why)
            )  # fmt: skip
        for one in open_:
            if one["state"] == "draft":
                buttons.append(LinkButton(_("Change its words"), reverse("web:appeal_edit", args=[one["id"]]), "pencil", reason=why))
                buttons.append(LinkButton(_("Handed in at the platform"), reverse("web:appeal_send", args=[one["id"]]), "send", "primary", reason=why))
            else:
                buttons.append(LinkButton(_("Enter the answer"), reverse("web:appeal_answer", args=[one["id"]]), "message-2", "primary", reason=why))
            buttons.append(ActionButton(_("Withdraw the appeal"), reverse("web:appeal_withdraw", args=[one["id"]]), "arrow-back-up", reason=why,
                                        confirm=_("Withdraw the appeal?")))  # fmt: skip
    if row["state"] == "active" and found.why_not_appeal != "late":
        buttons.append(ActionButton(_("Accept it"), reverse("web:violation_accept", args=[pk]), "check", reason=why,
                                    confirm=_("Not appeal this violation? The task goes; the violation stays in force.")))  # fmt: skip
    if "lifted" in VIOLATION.next(row["state"]):
        buttons.append(ActionButton(_("The platform lifted it"), reverse("web:violation_lift", args=[pk]), "circle-check", reason=why,
                                    ask=_("What the platform wrote")))  # fmt: skip
    return buttons


def _panels(found: queries.ViolationDetail, scope: Scope) -> list[Panel]:
    row, currency = found.violation, found.violation["currency"]
    may, why = private.may_read(scope, row["store_id"]), scope.why_not("operate", row["store_id"])
    panels: list[Panel] = []
    violation = Violation.objects.select_related("store").get(pk=row["id"])
    code, sentence = commands.why_not_appeal(violation, at=scope.at)
    if code in ("late", "rounds") and row["state"] in ("active", "upheld", "reduced"):
        panels.append(NotePanel(sentence, tone="warning"))
    elif row["appeal_due_at"] is None and row["state"] == "active":
        panels.append(NotePanel(_("The rule book does not say until when this can be appealed. Look at the notice and enter it."), tone="warning"))
    panels.append(
        TablePanel(
            _("Appeals"),
            [
                Column("round", gettext_lazy("Round"), value=lambda one: one["round"] or "–"),
                Column("state", gettext_lazy("State"), "state", states=APPEAL),
                Column("text", gettext_lazy("What we say"), value=lambda one: one["text"] if may else private.DOTS, wrap=True),
                Column("answer", gettext_lazy("Answer"), value=lambda one: one["answer"] if may else private.DOTS, wrap=True),
                Column("sent_at", gettext_lazy("Sent"), "datetime"),
                Column("answer_due_at", gettext_lazy("Answer due"), "due", value=lambda one: one["answer_due_at"] if one["state"] == "sent" else None,
                       hint=lambda one: _not_exact(violation, one)),
            ],
            found.appeals,
            empty=_("Nothing was said against it yet."),
            actions=[LinkButton(_("Deadline on the notice"), reverse("web:violation_deadline", args=[row["id"]]), "clock", reason=why)]
            if row["state"] == "active" else [],
        )
    )
    panels.append(
        TablePanel(
            _("Orders behind it"),
            [
                Column("number", gettext_lazy("Order"), "code", link=True), Column("placed_at", gettext_lazy("Placed"), "datetime"),
                Column("status", gettext_lazy("State"), "state", states="order"), Column("total_amount", gettext_lazy("Total"), "money", currency="currency"),
            ],
            found.orders,
            row_url=lambda one: places.order(one["id"]),
            actions=[LinkButton(_("Name orders"), reverse("web:violation_orders", args=[row["id"]]), "plus", reason=why)],
            empty=_("No order is named."),
            note=_("Not known here: %(numbers)s") % {"numbers": listed(row["unknown_orders"][:20])} if row["unknown_orders"] else "",
        )
    )
    panels.append(
        TablePanel(
            _("Consequences"),
            [
                Column("kind", gettext_lazy("What"), value=lambda one: queries.word(CONSEQUENCES, one["kind"]), hint=lambda one: one["note"] if may else ""),
                Column("from_at", gettext_lazy("Begins"), "datetime"), Column("until_at", gettext_lazy("Ends"), "datetime"),
                Column("lifted_at", gettext_lazy("Lifted"), "datetime"),
                Column("amount", gettext_lazy("Amount"), "money", value=lambda one: Money(one["amount"], currency) if one["amount"] is not None else None),
            ],
            found.consequences,
            empty=_("None is recorded."),
            actions=[
                *([LinkButton(_("Correct the points"), reverse("web:violation_points", args=[row["id"]]), "pencil", reason=why)]
                  if row["state"] in queries.OPEN_VIOLATION else []),
                LinkButton(_("Add"), reverse("web:violation_consequence", args=[row["id"]]), "plus", reason=why),
            ],
        )
    )
    panels.append(
        TablePanel(
            _("Money"),
            [
                Column("kind", gettext_lazy("What"), value=lambda one: queries.word(DEPOSIT_MOVES, one["kind"]), hint=shown_reference),
                Column("at", gettext_lazy("Date"), "date"), Column("amount", gettext_lazy("Amount"), "money", currency="currency"),
            ],
            found.moves,
            empty=_("Nothing was taken."),
            actions=[LinkButton(_("Enter money"), f"{reverse('web:deposit_move')}?violation={row['id']}", "plus", reason=scope.why_not("books", row["store_id"]))],
        )
    )
    panels += evidence.files_panel(found.files, scope, store_id=row["store_id"], kind="violation", thing=row["id"])
    if may:
        panels.append(evidence.packs_panel(found.packs, scope, store_id=row["store_id"], kind="violation", case=row["id"]))
    return panels


def _not_exact(violation: Violation, appeal: dict[str, Any]) -> str:
    if appeal["state"] != "sent":
        return ""
    zone = violation.store.timezone
    terms = queries.appeal_terms(violation.store, kind=violation.kind, on=violation.notified_at.astimezone(ZoneInfo(zone)).date())
    return queries.why_not_exact(violation.store, terms.answer.id if terms.answer else "", appeal["sent_at"], appeal["answer_due_at"])


def _fall_words(found: queries.ViolationDetail, scope: Scope) -> str:
    """By which rule the points fall; where it only informs, when they would."""
    row = found.violation
    if not row["points_rule"] or not row["points"]:
        return ""
    if row["points_until"] is not None:
        return rule_link(row["points_rule"])
    fall = queries.points_fall(row["id"])
    if fall is None:
        return ""
    return _("%(rule)s says %(day)s, but only informs: confirm the rule, or correct the points as the platform shows them.") % {
        "rule": f"“{rule_title(fall.rule)}” ({fall.rule})", "day": fmt.date_text(fall.at, scope.zone(row["store_id"])),
    }  # fmt: skip


VIOLATION_PAGE = DetailPage(
    load=_load,
    store_id="violation__store_id",
    title=lambda found, scope: _("Violation %(reference)s") % {"reference": found.violation["reference"]},
    back=(gettext_lazy("Violations"), lambda: reverse("web:violations")),
    badges=lambda found, scope: [
        Badge(states.word(VIOLATION, found.violation["state"]), states.tone(VIOLATION, found.violation["state"])),
        *([Badge(_("%(points)s points") % {"points": points_text(found.violation["points"])}, "danger")] if found.violation["points"] and found.violation["state"] != "lifted" else []),
    ],
    actions=_actions,
    facts=lambda found, scope: [
        Fact(_("Kind"), queries.word(VIOLATION_KINDS, found.violation["kind"])),
        Fact(_("In the platform's words"), found.violation["title"] if private.may_read(scope, found.violation["store_id"]) else private.DOTS),
        Fact(_("Rule"), rule_link(found.violation["rule"])),
        Fact(_("Happened"), found.violation["occurred_at"], "datetime", store_id=found.violation["store_id"]),
        Fact(_("Notice"), found.violation["notified_at"], "datetime", store_id=found.violation["store_id"]),
        Fact(_("Appeal by"), found.violation["appeal_due_at"], "datetime", store_id=found.violation["store_id"], hint=rule_link(found.violation["appeal_rule"])),
        Fact(_("Taken as an appeal until"), found.violation["appeal_until"], "datetime", store_id=found.violation["store_id"]),
        Fact(_("Points until"), found.violation["points_until"] or (_("nobody knows") if found.violation["points"] else None),
             "datetime" if found.violation["points_until"] else "text", store_id=found.violation["store_id"], hint=_fall_words(found, scope)),
        Fact(_("Note"), found.violation["note"] if private.may_read(scope, found.violation["store_id"]) else None),
    ],
    panels=_panels,
)  # fmt: skip


# --- What may be done ---------------------------------------------------------------------------------------------


def _violation(scope: Scope, pk: int) -> dict[str, Any]:
    found = _load_whole(scope, pk)
    if found is None:
        raise Http404
    scope.whole.require(found.violation["store_id"], "operate")
    return found.violation


@page("operate", methods=("POST",))
def accept(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """Not to be appealed."""
    row = _violation(scope, pk)
    commands.accept_violations([row["id"]], by=scope.by, at=scope.at)
    return after(request, reverse("web:violation", args=[pk]), _("It will not be appealed."))


@page("operate", methods=("POST",))
def lift(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """The platform took it back."""
    row = _violation(scope, pk)
    lifted = commands.lift_violations([row["id"]], reason=request.POST.get("reason", ""), by=scope.by, at=scope.at)
    return after(
        request, reverse("web:violation", args=[pk]), _("It counts no more.") if lifted else None,
        refused=[] if lifted else [_("This case is not where it was: look at it again.")],
    )  # fmt: skip


def _appeal(scope: Scope, pk: int) -> Appeal:
    found = Appeal.objects.filter(pk=pk, violation__store_id__in=scope.whole.all_store_ids).select_related("violation").first()
    if found is None:
        raise Http404
    scope.whole.require(found.violation.store_id, "operate")
    return found


def _step(request: HttpRequest, appeal: Appeal, step: Any, done: str) -> HttpResponse:
    back = reverse("web:violation", args=[appeal.violation_id])
    try:
        step()
    except Refused as refused:
        return after(request, back, refused=[refused.sentence])
    return after(request, back, done)


@page("operate", methods=("POST",))
def withdraw_appeal(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """Take an appeal back."""
    appeal = _appeal(scope, pk)
    return _step(request, appeal, lambda: commands.withdraw_appeal(appeal_id=pk, by=scope.by, at=scope.at), _("Withdrawn."))


def _late_words(found: queries.ViolationDetail, scope: Scope) -> str:
    """The sentence why only a note is possible; "" where an appeal is."""
    violation = Violation.objects.select_related("store").get(pk=found.violation["id"])
    code, sentence = commands.why_not_appeal(violation, at=scope.at)
    return sentence if code in ("late", "rounds", "settled") else ""


def _appeal_form(scope: Scope, found: queries.ViolationDetail) -> type[forms.Form]:
    violation = Violation.objects.select_related("store").get(pk=found.violation["id"])
    code, _sentence = commands.why_not_appeal(violation, at=scope.at)

    class AppealForm(forms.Form):
        text = forms.CharField(label=gettext_lazy("Why the violation is wrong"), widget=forms.Textarea(attrs={"rows": 8}))
        handed_in_at = Moment(
            label=gettext_lazy("Handed in at the platform"), required=False,
            help_text=gettext_lazy("Only where it is handed in already: when, on the clock of the store."),
        )  # fmt: skip

    class NoteForm(AppealForm):
        keep_as_note = forms.BooleanField(label=gettext_lazy("Keep it as a note: it is too late for an appeal"), required=False, initial=True)

    return NoteForm if code in ("late", "rounds", "settled") else AppealForm


def _save_appeal(scope: Scope, found: queries.ViolationDetail, data: dict[str, Any], *, by: str, at: datetime) -> str:
    pk = found.violation["id"]
    commands.open_appeal(
        violation_id=pk, text=data["text"], keep_as_note=data.get("keep_as_note", False) and not data["handed_in_at"],
        handed_in_at=moment(data["handed_in_at"], scope, found.violation["store_id"], "handed_in_at"), by=by, at=at,
    )  # fmt: skip
    return reverse("web:violation", args=[pk])


def _back(found: queries.ViolationDetail) -> tuple[str, str]:
    return found.violation["reference"], reverse("web:violation", args=[found.violation["id"]])


APPEAL_FORM = FormPage(
    title=gettext_lazy("Appeal"), form=_appeal_form, load=_load_whole, store_id="violation__store_id", save=_save_appeal, back=_back,
    intro=lambda found, scope: _late_words(found, scope) or gettext_lazy("Write what happened and what proves it; make an evidence pack, hand both in at the platform, then say so here."),
    success=gettext_lazy("Kept."),
)  # fmt: skip


class WordsForm(forms.Form):
    text = forms.CharField(label=gettext_lazy("Why the violation is wrong"), widget=forms.Textarea(attrs={"rows": 8}))


def _save_words(scope: Scope, appeal: Appeal, data: dict[str, Any], *, by: str, at: datetime) -> str:
    commands.edit_appeal(appeal_id=appeal.pk, text=data["text"], by=by, at=at)
    return reverse("web:violation", args=[appeal.violation_id])


def _load_appeal(scope: Scope, pk: int) -> Appeal | None:
    return Appeal.objects.filter(pk=pk).select_related("violation").first()


def _back_from_appeal(appeal: Appeal) -> tuple[str, str]:
    return appeal.violation.reference, reverse("web:violation", args=[appeal.violation_id])


EDIT_APPEAL = FormPage(
    title=gettext_lazy("Words of the appeal"), form=WordsForm, save=_save_words, load=_load_appeal, store_id="violation__store_id",
    initial=lambda scope, appeal: {"text": appeal.text}, back=_back_from_appeal, success=gettext_lazy("Kept."),
)  # fmt: skip


class SentForm(forms.Form):
    handed_in_at = Moment(label=gettext_lazy("Handed in"), required=False, help_text=NOW_IF_EMPTY)
    reference = forms.CharField(label=gettext_lazy("The platform's reference of the appeal"), max_length=80, required=False)


def _save_sent(scope: Scope, appeal: Appeal, data: dict[str, Any], *, by: str, at: datetime) -> str:
    handed_in = moment(data["handed_in_at"], scope, appeal.violation.store_id, "handed_in_at")
    commands.send_appeal(appeal_id=appeal.pk, reference=data["reference"], handed_in_at=handed_in, by=by, at=at)
    return reverse("web:violation", args=[appeal.violation_id])


SENT = FormPage(
    title=gettext_lazy("Handed in at the platform"), form=SentForm, save=_save_sent,
    load=_load_appeal, store_id="violation__store_id", back=_back_from_appeal,
    success=gettext_lazy("The appeal is handed in."),
)  # fmt: skip


class AnswerForm(forms.Form):
    outcome = forms.ChoiceField(
        label=gettext_lazy("Outcome"),
        choices=[("won", gettext_lazy("won")), ("partly_won", gettext_lazy("won in part")), ("lost", gettext_lazy("lost"))],
    )
    points = forms.DecimalField(label=gettext_lazy("Points left"), required=False, min_value=0, max_digits=7, decimal_places=2,
                                help_text=gettext_lazy("Only where it was won in part."))  # fmt: skip
    answer = forms.CharField(label=gettext_lazy("What the platform wrote"), widget=forms.Textarea(attrs={"rows": 5}), required=False)


def _save_answer(scope: Scope, appeal: Appeal, data: dict[str, Any], *, by: str, at: datetime) -> str:
    commands.answer_appeal(appeal_id=appeal.pk, outcome=data["outcome"], answer=data["answer"], points=data["points"], by=by, at=at)
    return reverse("web:violation", args=[appeal.violation_id])


ANSWER = FormPage(
    title=gettext_lazy("The platform's answer"), form=AnswerForm, save=_save_answer,
    load=_load_appeal, store_id="violation__store_id", back=_back_from_appeal, success=gettext_lazy("Kept."),
)  # fmt: skip


class DeadlineForm(forms.Form):
    due_at = Moment(label=gettext_lazy("Appeal by"), help_text=gettext_lazy("As the notice says; on the clock of the store."))


def _save_deadline(scope: Scope, found: queries.ViolationDetail, data: dict[str, Any], *, by: str, at: datetime) -> str:
    row = found.violation
    due = moment(data["due_at"], scope, row["store_id"], "due_at")
    commands.set_appeal_deadline(violation_id=row["id"], due_at=due, by=by, at=at)  # type: ignore[arg-type]
    return reverse("web:violation", args=[row["id"]])


DEADLINE = FormPage(
    title=gettext_lazy("Deadline on the notice"), form=DeadlineForm, load=_load_whole, store_id="violation__store_id", save=_save_deadline,
    back=_back, success=gettext_lazy("Kept."),
)  # fmt: skip


class PointsForm(forms.Form):
    points = forms.DecimalField(label=gettext_lazy("Points"), min_value=0, max_digits=7, decimal_places=2)
    points_until = Moment(label=gettext_lazy("Points until"), required=False, help_text=gettext_lazy("Empty: nobody knows."))
    reason = forms.CharField(label=gettext_lazy("Where the platform shows it"), max_length=200)


def _save_points(scope: Scope, found: queries.ViolationDetail, data: dict[str, Any], *, by: str, at: datetime) -> str:
    row = found.violation
    until = moment(data["points_until"], scope, row["store_id"], "points_until")
    commands.correct_points(violation_id=row["id"], points=data["points"], points_until=until, reason=data["reason"], by=by, at=at)
    return reverse("web:violation", args=[row["id"]])


POINTS = FormPage(
    title=gettext_lazy("Correct the points"), form=PointsForm, load=_load_whole, store_id="violation__store_id", save=_save_points, back=_back,
    initial=lambda scope, found: {
        "points": points_text(found.violation["points"]),
        "points_until": found.violation["points_until"].astimezone(scope.whole.zone(found.violation["store_id"])).replace(tzinfo=None)
        if found.violation["points_until"] else None,
    },
    success=gettext_lazy("Kept."),
)  # fmt: skip


def _consequence_form(scope: Scope, found: Any) -> type[forms.Form]:
    class ConsequenceForm(forms.Form):
        kind = forms.ChoiceField(label=gettext_lazy("What"), choices=words_of(CONSEQUENCES))
        from_at = Moment(label=gettext_lazy("Begins"))
        until_at = Moment(label=gettext_lazy("Ends"), required=False, help_text=gettext_lazy("Empty: until further notice."))
        note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=200)

    return ConsequenceForm


def _save_consequence(scope: Scope, found: queries.ViolationDetail, data: dict[str, Any], *, by: str, at: datetime) -> str:
    row = found.violation
    begins = moment(data["from_at"], scope, row["store_id"], "from_at")
    ends = moment(data["until_at"], scope, row["store_id"], "until_at")
    commands.add_consequences(
        [commands.NewConsequence(data["kind"], begins, ends, note=data["note"])], violation_id=row["id"], by=by, at=at  # type: ignore[arg-type]
    )  # fmt: skip
    return reverse("web:violation", args=[row["id"]])


CONSEQUENCE = FormPage(
    title=gettext_lazy("A consequence"), form=_consequence_form, load=_load_whole, store_id="violation__store_id", save=_save_consequence,
    back=_back, success=gettext_lazy("Kept."),
)  # fmt: skip


class OrdersForm(forms.Form):
    orders = forms.CharField(label=gettext_lazy("Order numbers"), max_length=2000, help_text=gettext_lazy("Separated by commas or spaces."))


def _save_orders(scope: Scope, found: queries.ViolationDetail, data: dict[str, Any], *, by: str, at: datetime) -> str:
    commands.name_orders(violation_id=found.violation["id"], numbers=numbers_in(data["orders"]), by=by, at=at)
    return reverse("web:violation", args=[found.violation["id"]])


ORDERS = FormPage(
    title=gettext_lazy("Orders behind it"), form=OrdersForm, load=_load_whole, store_id="violation__store_id", save=_save_orders, back=_back,
    initial=lambda scope, found: {"orders": ", ".join(found.violation["unknown_orders"])},
    success=gettext_lazy("Kept."),
)  # fmt: skip


def numbers_in(text: str) -> tuple[str, ...]:
    """Order numbers as a person writes several."""
    return tuple(dict.fromkeys(filter(None, re.split(r"[,;，；、\s]+", text))))


def _add_form(scope: Scope, thing: Any) -> type[forms.Form]:
    class ViolationForm(forms.Form):
        store = forms.TypedChoiceField(label=gettext_lazy("Store"), coerce=int, choices=[(one.id, one.name) for one in scope.stores])
        reference = forms.CharField(label=gettext_lazy("Reference of the platform"), max_length=80)
        kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=words_of(VIOLATION_KINDS))
        title = forms.CharField(label=gettext_lazy("In the platform's words"), max_length=300, required=False)
        rule = forms.CharField(label=gettext_lazy("Rule"), max_length=60, required=False, help_text=gettext_lazy("Its id in the rule book, where you know it."))
        notified_at = Moment(label=gettext_lazy("Notice"), required=False, help_text=NOW_IF_EMPTY)
        points = forms.DecimalField(label=gettext_lazy("Points"), min_value=0, max_digits=7, decimal_places=2, initial=0)
        orders = forms.CharField(label=gettext_lazy("Order numbers"), required=False, max_length=2000, help_text=gettext_lazy("Separated by commas or spaces."))
        money = forms.DecimalField(label=gettext_lazy("Money taken"), required=False, min_value=0, max_digits=15, decimal_places=4)
        taken_from = forms.ChoiceField(
            label=gettext_lazy("Taken from"), choices=[("proceeds", gettext_lazy("what the platform owes us")), ("deposit", gettext_lazy("the deposit"))]
        )

    return ViolationForm


def _add(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: datetime) -> str:
    store = scope.require(data["store"], "operate")
    if data["money"]:
        scope.whole.require(store.id, "books")
    notified = past_moment(data["notified_at"], scope, store.id, "notified_at")
    taken = commands.add_violations(
        [
            commands.NewViolation(
                data["reference"], notified, data["kind"], data["title"], data["rule"].strip(), data["points"],
                orders=numbers_in(data["orders"]), money=data["money"] or None,
                from_proceeds=data["taken_from"] == "proceeds",
            )
        ],
        store=store, source=by, whole=True, by=by, at=at,
    )  # fmt: skip
    if taken.refused:
        raise Refused(taken.refused[0].sentence(), code=taken.refused[0].code)
    if taken.completed:
        return reverse("web:violation", args=[Violation.objects.values_list("pk", flat=True).get(store=store, reference=taken.completed[0])])
    if taken.known:
        raise Refused(_("%(reference)s is known already.") % {"reference": taken.known[0]}, code="known", field="reference")
    return reverse("web:violation", args=[taken.added[0]])


ADD = FormPage(
    title=gettext_lazy("Enter a violation"), form=_add_form, save=_add, success=gettext_lazy("Kept."),
    initial=lambda scope, thing: {
        "store": scope.current.id if scope.current else None,
        "notified_at": now_there(scope),
    },
    back=(gettext_lazy("Violations"), lambda: reverse("web:violations")),
)  # fmt: skip


# --- The deposit --------------------------------------------------------------------------------------------------


def _deposit_panels(scope: Scope, filters: dict[str, Any]) -> list[Panel]:
    if scope.current is None and len(scope.stores) > 1:
        return _deposits_of_all(scope)
    panels: list[Panel] = []
    for store in [scope.current or next(iter(scope.stores), None)]:
        if store is None:
            continue
        found = queries.deposit(store.id, at=scope.at)
        panels.append(
            KpiPanel([
                Kpi(_("held"), fmt.money_text(found.held), icon="wallet"),
                Kpi(_("required"), fmt.money_text(found.required) if found.required else "–", hint=rule_link(found.rule) or (_("nobody said") if not found.required else "")),
                Kpi(_("short"), fmt.money_text(found.short) if found.short else "–", tone="danger" if found.short else "",
                    hint=_("by %(day)s") % {"day": found.due_at.astimezone(scope.zone(store.id)).date()} if found.short and found.due_at else ""),
                Kpi(_("deducted"), fmt.money_text(found.deducted)),
                Kpi(_("penalties from proceeds"), fmt.money_text(found.penalties)),
            ])
        )  # fmt: skip
    return panels


def _deposits_of_all(scope: Scope) -> list[Panel]:
    """One row for each store of which a deposit is known."""
    rows = [{"store_id": store.id, **queries.deposit(store.id, at=scope.at)._asdict()} for store in scope.stores]
    rows = [row for row in rows if row["held"] or row["required"] or row["deducted"] or row["penalties"]]
    if not rows:
        return []
    return [
        TablePanel(
            _("By store"),
            [
                Column("store_id", gettext_lazy("Store"), "store"), Column("held", gettext_lazy("held"), "money"),
                Column("required", gettext_lazy("required"), "money"), Column("short", gettext_lazy("short"), "money"),
                Column("due_at", gettext_lazy("To be paid by"), "due", value=lambda row: row["due_at"] if row["short"] else None),
                Column("deducted", gettext_lazy("deducted"), "money"), Column("penalties", gettext_lazy("penalties from proceeds"), "money"),
            ],
            rows,
        )
    ]  # fmt: skip


DEPOSIT = ListPage(
    title=gettext_lazy("Deposit"),
    intro=gettext_lazy("What the channel holds of you. Every move is posted to the books: what is held here is account 1200 there."),
    order=queries.NEWEST,
    rows=lambda scope, filters, cursor, limit: [
        {**row, "told": row["note"] if private.may_read(scope, row["store_id"]) else ""}
        for row in queries.deposit_page(scope.store_ids, kind=filters.get("kind"), cursor=cursor, limit=limit)
    ],
    panels=_deposit_panels,
    export="deposit",
    columns=[
        Column("kind", gettext_lazy("What"), value=lambda row: queries.word(DEPOSIT_MOVES, row["kind"]), hint="told"),
        Column("reference", gettext_lazy("Number or reference"), "code", value=shown_reference, phone=False),
        Column("violation_reference", gettext_lazy("Violation"), "code",
               url=lambda row: reverse("web:violation", args=[row["violation_id"]]) if row["violation_id"] else None),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("at", gettext_lazy("Date"), "date"),
        Column("amount", gettext_lazy("Amount"), "money", currency="currency"),
    ],
    filters=[Choice("kind", gettext_lazy("What"), lambda scope: words_of(DEPOSIT_MOVES))],
    actions=lambda scope: [
        LinkButton(_("Enter money"), reverse("web:deposit_move"), "plus", "primary", reason=scope.why_not("books")),
        LinkButton(_("What is required"), reverse("web:deposit_require"), "pencil", reason=scope.why_not("books")),
        LinkButton(_("Violations"), reverse("web:violations"), "arrow-left", "ghost"),
    ],
    empty=EmptyPanel(gettext_lazy("No money has moved"), gettext_lazy("Enter the deposit you paid in, and what the platform requires."), icon="wallet"),
)  # fmt: skip


def _move_form(scope: Scope, thing: Any) -> type[forms.Form]:
    class MoveForm(forms.Form):
        store = forms.TypedChoiceField(label=gettext_lazy("Store"), coerce=int, choices=[(one.id, f"{one.name} · {one.currency}") for one in scope.stores])
        kind = forms.ChoiceField(label=gettext_lazy("What"), choices=words_of(DEPOSIT_MOVES))
        amount = forms.DecimalField(label=gettext_lazy("Amount"), min_value=0, max_digits=15, decimal_places=4)
        date = forms.DateField(
            label=gettext_lazy("Date"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), required=False, help_text=TODAY_IF_EMPTY
        )
        violation = forms.CharField(label=gettext_lazy("Reference of the violation"), required=False, max_length=80)
        from_proceeds = forms.BooleanField(label=gettext_lazy("Out of the proceeds, not from the bank"), required=False)
        reference = forms.CharField(label=gettext_lazy("Number or reference"), required=False, max_length=80, help_text=gettext_lazy("Of the platform or the bank; the same one is taken once."))
        note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=200)

    return MoveForm


def _save_move(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: datetime) -> str:
    store = scope.require(data["store"], "books")
    violation = None
    if data["violation"].strip():
        violation = Violation.objects.filter(store=store, reference=data["violation"].strip()).values_list("pk", flat=True).first()
        if violation is None:
            raise Refused(_("There is no such violation of this store."), code="no_violation", field="violation")
    today = at.astimezone(scope.whole.zone(store.id)).date()
    day = data["date"] or today
    noon = datetime.combine(day, datetime.min.time().replace(hour=12), scope.whole.zone(store.id))
    if day > today:
        raise Refused(_("%(date)s lies ahead; enter it on the day it happens.") % {"date": day}, code="date_in_future", field="date")
    taken = commands.move_deposit(
        [commands.NewMove(data["kind"], data["amount"], min(noon, at), data["reference"], violation, data["from_proceeds"], data["note"])],
        store=store, by=by, at=at,
    )  # fmt: skip
    if taken.refused:
        raise Refused(taken.refused[0].sentence(), code=taken.refused[0].code, field="amount")
    if taken.known:
        raise Refused(_("%(reference)s is known already.") % {"reference": taken.known[0]}, code="known", field="reference")
    return reverse("web:violation", args=[violation]) if violation else reverse("web:deposit")


@page("books")
def move(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Money of the deposit; the violation may be named by the address."""
    asked = request.GET.get("violation", "")
    about = None
    if asked.isascii() and asked.isdigit() and len(asked) < 19:
        about = Violation.objects.filter(pk=int(asked), store_id__in=scope.all_store_ids).first()
    return FormPage(
        title=gettext_lazy("Money of the deposit"), form=_move_form, save=_save_move, needs="books", success=gettext_lazy("Kept; the books post it."),
        initial=lambda scope, thing: {
            "store": about.store_id if about else scope.current.id if scope.current else None, "violation": about.reference if about else "",
            "date": today_there(scope), "kind": "penalty" if about else "paid_in",
        },
        intro=gettext_lazy("In the store's currency. What was kept from the proceeds is a penalty: it leaves the deposit alone."),
        back=(gettext_lazy("Deposit"), lambda: reverse("web:deposit")),
    ).respond(request, scope)  # fmt: skip


def _require_form(scope: Scope, thing: Any) -> type[forms.Form]:
    class RequireForm(forms.Form):
        store = forms.TypedChoiceField(label=gettext_lazy("Store"), coerce=int, choices=[(one.id, f"{one.name} · {one.currency}") for one in scope.stores])
        amount = forms.DecimalField(label=gettext_lazy("Required"), min_value=0, max_digits=15, decimal_places=4)
        valid_from = forms.DateField(
            label=gettext_lazy("Begins"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), required=False, help_text=TODAY_IF_EMPTY
        )
        due_at = Moment(label=gettext_lazy("To be paid by"), required=False)
        rule = forms.CharField(label=gettext_lazy("Rule"), required=False, max_length=60)
        note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=200)

    return RequireForm


def _save_requirement(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: datetime) -> str:
    store = scope.require(data["store"], "books")
    due = moment(data["due_at"], scope, store.id, "due_at")
    valid_from = data["valid_from"] or at.astimezone(scope.whole.zone(store.id)).date()
    commands.require_deposit(
        store=store, amount=data["amount"], valid_from=valid_from, due_at=due, rule=data["rule"].strip(), note=data["note"], by=by, at=at
    )
    return reverse("web:deposit")


REQUIRE = FormPage(
    title=gettext_lazy("What is required"), form=_require_form, save=_save_requirement, needs="books", success=gettext_lazy("Kept."),
    initial=lambda scope, thing: {"store": scope.current.id if scope.current else None, "valid_from": today_there(scope)},
    back=(gettext_lazy("Deposit"), lambda: reverse("web:deposit")),
)  # fmt: skip

urlpatterns = [
    path("violations/", VIOLATIONS.view, name="violations"),
    path("violations/add/", ADD.view, name="violation_add"),
    path("violations/deposit/", DEPOSIT.view, name="deposit"),
    path("violations/deposit/move/", move, name="deposit_move"),
    path("violations/deposit/require/", REQUIRE.view, name="deposit_require"),
    path("violations/<int:pk>/", VIOLATION_PAGE.view, name="violation"),
    path("violations/<int:pk>/appeal/", APPEAL_FORM.view, name="violation_appeal"),
    path("violations/<int:pk>/deadline/", DEADLINE.view, name="violation_deadline"),
    path("violations/<int:pk>/consequence/", CONSEQUENCE.view, name="violation_consequence"),
    path("violations/<int:pk>/orders/", ORDERS.view, name="violation_orders"),
    path("violations/<int:pk>/points/", POINTS.view, name="violation_points"),
    path("violations/<int:pk>/accept/", accept, name="violation_accept"),
    path("violations/<int:pk>/lift/", lift, name="violation_lift"),
    path("violations/appeals/<int:pk>/edit/", EDIT_APPEAL.view, name="appeal_edit"),
    path("violations/appeals/<int:pk>/send/", SENT.view, name="appeal_send"),
    path("violations/appeals/<int:pk>/answer/", ANSWER.view, name="appeal_answer"),
    path("violations/appeals/<int:pk>/withdraw/", withdraw_appeal, name="appeal_withdraw"),
]
