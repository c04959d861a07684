"""Complaint cases: what buyers complain about, from arrival to outcome, with their photos."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.cases import commands, queries
from daifa.domain.cases.models import Complaint
from daifa.domain.cases.process import COMPLAINT, COMPLAINT_KINDS, OUTCOMES
from daifa.domain.shipping import queries as shipping
from daifa.domain.shipping.process import PARCEL_CHECK
from daifa.lib.refusal import Refused
from daifa.web.kit import (
    ActionButton,
    Badge,
    BulkAction,
    Choice,
    Column,
    Cursor,
    DetailPage,
    EmptyPanel,
    Fact,
    FormPage,
    LinkButton,
    ListPage,
    NotePanel,
    Panel,
    Scope,
    TablePanel,
    after,
    chosen_ids,
    page,
    states,
)
from daifa.web.pages import cases_evidence as evidence
from daifa.web.pages import places, private
from daifa.web.pages.moments import NOW_IF_EMPTY, Moment, moment, now_there, past_moment
from daifa.web.pages.parcel_checks import what_was_found
from daifa.web.pages.rule_links import rule_link


def words_of(words: dict[str, tuple[str, str]]) -> list[tuple[str, str]]:
    """A closed list as choices in the reader's language."""
    return [(code, queries.word(words, code)) for code in words]


def finding_words(finding: str) -> str:
    return {"clean": _("nothing foreign in the parcel"), "breach": _("something foreign in the parcel")}.get(finding, "")


def _rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[dict[str, Any]]:
    return queries.complaint_page(
        scope.store_ids, state=filters.get("state"), kind=filters.get("kind"), q=filters.get("q"), cursor=cursor, limit=limit
    )


COMPLAINTS = ListPage(
    title=gettext_lazy("Complaint cases"),
    intro=gettext_lazy("What buyers complain about, to us or to the platform. Each runs to an outcome; its photos are evidence."),
    search=gettext_lazy("Reference or order number"),
    order=queries.NEWEST,
    rows=_rows,
    export="complaints",
    columns=[
        Column("reference", gettext_lazy("Complaint"), "code", link=True),
        Column("kind", gettext_lazy("Complains of"), value=lambda row: queries.word(COMPLAINT_KINDS, row["kind"]), wrap=True),
        Column("order_number", gettext_lazy("Order"), "code", url=lambda row: places.order(row["order_id"])),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("state", gettext_lazy("State"), "state", states=COMPLAINT),
        Column("finding", gettext_lazy("Finding"), value=lambda row: finding_words(row["finding"]), phone=False),
        Column("opened_at", gettext_lazy("Opened"), "datetime"),
        Column("due_at", gettext_lazy("Due"), "due", value=lambda row: row["due_at"] if row["state"] in ("open", "escalated") else None),
    ],
    filters=[
        Choice("state", gettext_lazy("State"), lambda scope: [("open", _("not settled")), *((s, w) for s, w in states.choices(COMPLAINT) if s != "open")], tabs=True),
        Choice("kind", gettext_lazy("Complains of"), lambda scope: words_of(COMPLAINT_KINDS)),
    ],
    bulk=[BulkAction(gettext_lazy("Close what is settled"), lambda: reverse("web:complaints_close"), icon="check")],
    actions=lambda scope: [LinkButton(_("Enter a complaint"), reverse("web:complaint_add"), "plus", "primary", reason=scope.why_not("operate"))],
    row_url=lambda row: reverse("web:complaint", args=[row["id"]]),
    empty=EmptyPanel(
        gettext_lazy("No complaints"), gettext_lazy("Enter what a buyer or the platform complains about, with the photos."), icon="inbox"
    ),
)  # fmt: skip


@page("operate", methods=("POST",))
def close(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Put settled complaints away."""
    ids = list(Complaint.objects.filter(pk__in=chosen_ids(request), store_id__in=scope.all_store_ids).values_list("pk", flat=True))
    closed = commands.close_complaints(ids, by=scope.by, at=scope.at)
    left = len(ids) - len(closed)
    return after(
        request, reverse("web:complaints"), ngettext("%(count)d closed.", "%(count)d closed.", len(closed)) % {"count": len(closed)} if closed else None,
        refused=[_("Settle a complaint before it is closed.")] * min(left, 1),
    )  # fmt: skip


# --- One ----------------------------------------------------------------------------------------------------------


def _actions(found: queries.ComplaintDetail, scope: Scope) -> list[Any]:
    row = found.complaint
    following = COMPLAINT.next(row["state"])
    why = scope.why_not("operate", row["store_id"])
    buttons: list[Any] = []
    if "answered" in following:
        buttons.append(LinkButton(_("Answer"), reverse("web:complaint_answer", args=[row["id"]]), "message-2", "primary", reason=why))
    if "resolved" in following:
        buttons.append(LinkButton(_("Settle"), reverse("web:complaint_settle", args=[row["id"]]), "check", reason=why))
    if "escalated" in following:
        buttons.append(LinkButton(_("The platform steps in"), reverse("web:complaint_escalate", args=[row["id"]]), "building-bank", reason=why))
    return buttons


def _finding_button(row: dict[str, Any], finding: str, label: str, why: str | None) -> ActionButton:
    return ActionButton(
        label, reverse("web:complaint_finding", args=[row["id"]]), icon="eye", reason=why, fields={"finding": finding}
    )


def _panels(found: queries.ComplaintDetail, scope: Scope) -> list[Panel]:
    row = found.complaint
    panels: list[Panel] = []
    if private.may_read(scope, row["store_id"]):
        if row["text"]:
            panels.append(NotePanel(row["text"], title=_("In the buyer's words")))
        if row["answer"]:
            panels.append(NotePanel(row["answer"], title=_("Our answer"), tone="success"))
    panels += evidence.files_panel(found.files, scope, store_id=row["store_id"], kind="complaint", thing=row["id"])
    why = scope.why_not("operate", row["store_id"])
    panels.append(
        NotePanel(
            finding_words(row["finding"]) or _("Nobody has said yet what the parcel held. Photos are read by themselves; your own word goes before."),
            title=_("What was in the parcel"), tone={"breach": "danger", "clean": "success"}.get(row["finding"], "info"),
            actions=[
                _finding_button(row, finding, label, why)
                for finding, label in (("breach", _("Something foreign was in it")), ("clean", _("Nothing foreign was in it")))
                if row["finding"] != finding
            ],
        )
    )
    panels += _read_on_photos(found, scope)
    if private.may_read(scope, row["store_id"]):
        panels.append(evidence.packs_panel(found.packs, scope, store_id=row["store_id"], kind="complaint", case=row["id"]))
    return panels


def _read_on_photos(found: queries.ComplaintDetail, scope: Scope) -> list[Panel]:
    """What the machine read on the photos, whose parcel it was, and where it is put right."""
    row = found.complaint
    checks = shipping.checks_of_photos(row["store_id"], row["order_id"], [one["sha256"] for one in found.files])
    if not checks:
        return []
    return [
        TablePanel(
            _("Read on the photos"),
            [
                Column("id", _("Check"), "code", link=True, hint="name" if private.may_read(scope, row["store_id"]) else None),
                Column("state", _("Verdict"), "state", states=PARCEL_CHECK),
                Column("traces", _("What was found"), value=what_was_found, wrap=True),
                Column("supplier_name", _("Supplier"),
                       url=lambda one: reverse("web:supplier", args=[one["supplier_id"]]) if one["supplier_id"] else None),
            ],
            checks,
            row_url=lambda one: reverse("web:parcel_check", args=[one["id"]]),
            actions=[LinkButton(_("No-source risk"), reverse("web:risks"), "alert-triangle")] if row["finding"] == "breach" else [],
        )
    ]  # fmt: skip


def _load(scope: Scope, pk: int) -> queries.ComplaintDetail | None:
    return queries.complaint_detail(scope.all_store_ids, pk)


COMPLAINT_PAGE = DetailPage(
    load=_load,
    store_id="complaint__store_id",
    title=lambda found, scope: _("Complaint %(reference)s") % {"reference": found.complaint["reference"]},
    back=(gettext_lazy("Complaint cases"), lambda: reverse("web:complaints")),
    badges=lambda found, scope: [
        Badge(states.word(COMPLAINT, found.complaint["state"]), states.tone(COMPLAINT, found.complaint["state"])),
        *([Badge(_("breach"), "danger")] if found.complaint["finding"] == "breach" else []),
    ],
    actions=_actions,
    facts=lambda found, scope: [
        Fact(_("Complains of"), queries.word(COMPLAINT_KINDS, found.complaint["kind"])),
        Fact(_("Order"), found.complaint["order_number"], "code", url=places.order(found.complaint["order_id"])),
        Fact(_("Aftersale case"), found.complaint["aftersale_case_id"], "code",
             url=places.place("case", found.complaint["aftersale_case_id"]) if found.complaint["aftersale_case_id"] else None),
        Fact(_("Opened"), found.complaint["opened_at"], "datetime", store_id=found.complaint["store_id"]),
        Fact(_("Due"), found.complaint["due_at"] if found.complaint["state"] in ("open", "escalated") else None, "due",
             store_id=found.complaint["store_id"], hint=rule_link(found.complaint["rule"])),
        Fact(_("Finding"), finding_words(found.complaint["finding"])),
        Fact(_("Outcome"), queries.word(OUTCOMES, found.complaint["outcome"]) if found.complaint["outcome"] else None),
        Fact(_("Ended"), found.complaint["ended_at"], "datetime", store_id=found.complaint["store_id"]),
    ],
    panels=_panels,
)  # fmt: skip


@page("operate", methods=("POST",))
def finding(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """A person looked at the parcel's photos."""
    found = _load(scope, pk)
    scope.whole.require(found.complaint["store_id"] if found else None, "operate")
    wanted = request.POST.get("finding", "")
    if wanted not in ("clean", "breach"):
        return after(request, reverse("web:complaint", args=[pk]), refused=[_("Say what was found.")])
    commands.note_findings({pk: (wanted, {"hand": True})}, by=scope.by, at=scope.at)
    return after(request, reverse("web:complaint", args=[pk]), _("Noted."))


# --- Forms --------------------------------------------------------------------------------------------------------


def _add_form(scope: Scope, thing: Any) -> type[forms.Form]:
    class ComplaintForm(forms.Form):
        store = forms.TypedChoiceField(label=gettext_lazy("Store"), coerce=int, choices=[(one.id, one.name) for one in scope.stores])
        kind = forms.ChoiceField(label=gettext_lazy("Complains of"), choices=words_of(COMPLAINT_KINDS))
        order = forms.CharField(label=gettext_lazy("Order number"), required=False, max_length=80)
        reference = forms.CharField(label=gettext_lazy("Reference of the platform"), required=False, max_length=80, help_text=gettext_lazy("Empty: one of ours."))
        opened_at = Moment(label=gettext_lazy("Arrived"), required=False, help_text=NOW_IF_EMPTY)
        text = forms.CharField(label=gettext_lazy("In the buyer's words"), widget=forms.Textarea(attrs={"rows": 5}), required=False)
        photos = evidence.SeveralFiles(label=gettext_lazy("Photos"), required=False)

    return ComplaintForm


def _refuse(taken: commands.Taken) -> None:
    if taken.refused:
        raise Refused(taken.refused[0].sentence(), code=taken.refused[0].code)
    if taken.known:
        raise Refused(_("%(reference)s is known already.") % {"reference": taken.known[0]}, code="known", field="reference")


def _add(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: datetime) -> str:
    store = scope.require(data["store"], "operate")
    files = evidence.contents(data["photos"])
    from daifa.domain.cases.files import media_type_of

    for name, content in files:  # before anything is written: a person can correct the form
        media_type_of(name, content, images_only=True)
    if not (files or data["text"].strip() or data["order"].strip()):
        raise Refused(_("Say what is complained of: the buyer's words, an order or a photo."), code="nothing_said", field="text")
    opened_at = past_moment(data["opened_at"], scope, store.id, "opened_at")
    taken = commands.open_complaints(
        [commands.NewComplaint(data["kind"], data["text"], opened_at, data["reference"], data["order"])],
        store=store, source=by, by=by, at=at,
    )  # fmt: skip
    _refuse(taken)
    if files:
        commands.attach_files(files, store_id=store.id, thing_kind="complaint", thing=taken.added[0], by=by, at=at)
    return reverse("web:complaint", args=[taken.added[0]])


ADD = FormPage(
    title=gettext_lazy("Enter a complaint"), form=_add_form, save=_add, success=gettext_lazy("The complaint is open."),
    initial=lambda scope, thing: {
        "store": scope.current.id if scope.current else None, "kind": "foreign_card", "opened_at": now_there(scope),
    },
    back=(gettext_lazy("Complaint cases"), lambda: reverse("web:complaints")),
)  # fmt: skip


class AnswerForm(forms.Form):
    answer = forms.CharField(label=gettext_lazy("What was answered"), widget=forms.Textarea(attrs={"rows": 5}))


def _load_whole(scope: Scope, pk: int) -> queries.ComplaintDetail | None:
    return queries.complaint_detail(scope.whole.all_store_ids, pk)


def _back(found: queries.ComplaintDetail) -> tuple[str, str]:
    return found.complaint["reference"], reverse("web:complaint", args=[found.complaint["id"]])


def _answer(scope: Scope, found: queries.ComplaintDetail, data: dict[str, Any], *, by: str, at: datetime) -> str:
    commands.answer_complaint(complaint_id=found.complaint["id"], answer=data["answer"], by=by, at=at)
    return reverse("web:complaint", args=[found.complaint["id"]])


ANSWER = FormPage(
    title=gettext_lazy("Answer the complaint"), form=AnswerForm, load=_load_whole, store_id="complaint__store_id", save=_answer, back=_back,
    intro=gettext_lazy("Answer where the buyer wrote, on the platform; keep here what was said."), success=gettext_lazy("Kept."),
)  # fmt: skip


def _settle_form(scope: Scope, found: Any) -> type[forms.Form]:
    class SettleForm(forms.Form):
        outcome = forms.ChoiceField(label=gettext_lazy("How it ended"), choices=words_of(OUTCOMES))

    return SettleForm


def _settle(scope: Scope, found: queries.ComplaintDetail, data: dict[str, Any], *, by: str, at: datetime) -> str:
    commands.settle_complaint(complaint_id=found.complaint["id"], outcome=data["outcome"], by=by, at=at)
    return reverse("web:complaint", args=[found.complaint["id"]])


SETTLE = FormPage(
    title=gettext_lazy("Settle the complaint"), form=_settle_form, load=_load_whole, store_id="complaint__store_id", save=_settle, back=_back,
    success=gettext_lazy("Settled."),
)  # fmt: skip


class EscalateForm(forms.Form):
    due_at = Moment(label=gettext_lazy("To be answered by"), required=False, help_text=gettext_lazy("As the platform says; on the clock of the store."))


def _escalate(scope: Scope, found: queries.ComplaintDetail, data: dict[str, Any], *, by: str, at: datetime) -> str:
    row = found.complaint
    commands.escalate_complaint(complaint_id=row["id"], due_at=moment(data["due_at"], scope, row["store_id"], "due_at"), by=by, at=at)
    return reverse("web:complaint", args=[row["id"]])


ESCALATE = FormPage(
    title=gettext_lazy("The platform steps in"), form=EscalateForm, load=_load_whole, store_id="complaint__store_id", save=_escalate, back=_back,
    success=gettext_lazy("Kept."),
)  # fmt: skip

urlpatterns = [
    path("complaints/", COMPLAINTS.view, name="complaints"),
    path("complaints/add/", ADD.view, name="complaint_add"),
    path("complaints/close/", close, name="complaints_close"),
    path("complaints/<int:pk>/", COMPLAINT_PAGE.view, name="complaint"),
    path("complaints/<int:pk>/answer/", ANSWER.view, name="complaint_answer"),
    path("complaints/<int:pk>/settle/", SETTLE.view, name="complaint_settle"),
    path("complaints/<int:pk>/escalate/", ESCALATE.view, name="complaint_escalate"),
    path("complaints/<int:pk>/finding/", finding, name="complaint_finding"),
]
