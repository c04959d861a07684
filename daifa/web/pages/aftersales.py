"""Aftersales: buyers' requests from opening to outcome, and the money given back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.aftersales import commands, queries
from daifa.domain.aftersales.models import AftersaleCase, AftersaleLine
from daifa.domain.aftersales.process import AFTERSALE_CASE, REFUND
from daifa.flows import by_hand
from daifa.flows.reads.timeline import timeline
from daifa.lib.money import Money
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
    Event,
    Fact,
    FormPage,
    LinkButton,
    ListPage,
    NotePanel,
    Panel,
    Scope,
    TablePanel,
    Toggle,
    after,
    chosen_ids,
    page,
    states,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import places, private, words
from daifa.web.pages.orders import stores_in_view

KINDS = dict(AftersaleCase.KINDS)
OUTCOMES = dict(AftersaleLine.OUTCOMES)


def _chosen(scope: Scope, filters: dict[str, Any]) -> list[int]:
    """The stores whose rows are listed: the one of the filter, or all in view."""
    return [pk for pk in scope.store_ids if "store" not in filters or pk == int(filters["store"])]


def case_rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[dict[str, Any]]:
    return queries.case_page(
        _chosen(scope, filters), state=filters.get("state"), q=filters.get("q"), cursor=cursor, limit=limit
    )


CASES = ListPage(
    title=gettext_lazy("Cases"),
    search=gettext_lazy("Order number"),
    order=queries.NEWEST,
    rows=case_rows,
    export="cases",
    columns=[
        Column("id", gettext_lazy("Case"), "code", link=True, hint=lambda row: KINDS.get(row["kind"], "")),
        Column("order_number", gettext_lazy("Order"), "code", url=lambda row: places.order(row["order_id"])),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("state", gettext_lazy("State"), "state", states=AFTERSALE_CASE),
        Column("reason", gettext_lazy("Reason"), value=lambda row: words.case_reason(row["reason"])),
        Column("units", gettext_lazy("Units"), "quantity"),
        Column("opened_at", gettext_lazy("Opened"), "datetime"),
        Column("due_at", gettext_lazy("Due"), "due"),
    ],
    filters=[
        Choice("state", gettext_lazy("State"), lambda scope: states.choices(AFTERSALE_CASE), tabs=True),
        Choice("store", gettext_lazy("Store"), stores_in_view),
    ],
    actions=lambda scope: [LinkButton(_("Refunds"), reverse("web:aftersales"), icon="cash")],
    bulk=[
        BulkAction(gettext_lazy("Approve"), lambda: reverse("web:cases_step", args=["approved"]), icon="check"),
        BulkAction(gettext_lazy("Refuse"), lambda: reverse("web:cases_step", args=["refused"]), icon="ban",
                   ask=gettext_lazy("Why is it refused? The buyer will ask.")),
        BulkAction(gettext_lazy("Close"), lambda: reverse("web:cases_step", args=["closed"]), icon="lock"),
    ],
    row_url=lambda row: reverse("web:case", args=[row["id"]]),
    empty=EmptyPanel(
        gettext_lazy("No cases"),
        gettext_lazy("A case is opened on its order: “Cancel or refund”."),
        icon="receipt-refund",
    ),
)  # fmt: skip


def refund_rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[dict[str, Any]]:
    return queries.refund_page(
        _chosen(scope, filters), state=filters.get("state"), unmatched=bool(filters.get("unmatched")), q=filters.get("q"),
        cursor=cursor, limit=limit,
    )  # fmt: skip


REFUNDS = ListPage(
    title=gettext_lazy("Aftersales"),
    intro=gettext_lazy("Money given back: by the channel, by credit notes, or for a case."),
    search=gettext_lazy("Credit or order number"),
    order=queries.NEWEST,
    rows=refund_rows,
    export="refunds",
    columns=[
        Column("external_ref", gettext_lazy("Refund"), "code", link=True),
        Column("order_number", gettext_lazy("Order"), "code", url=lambda row: places.order(row["order_id"])),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("state", gettext_lazy("State"), "state", states=REFUND),
        Column("reason", gettext_lazy("Reason"), value=lambda row: words.case_reason(row["reason"])),
        Column("at", gettext_lazy("Date"), "datetime"),
        Column("amount", gettext_lazy("Amount"), "money", currency="currency"),
    ],
    filters=[
        Choice("state", gettext_lazy("State"), lambda scope: states.choices(REFUND), tabs=True),
        Choice("store", gettext_lazy("Store"), stores_in_view),
        Toggle("unmatched", gettext_lazy("Without an order only")),
    ],
    actions=lambda scope: [LinkButton(_("Cases"), reverse("web:cases"), icon="receipt-refund")],
    row_url=lambda row: reverse("web:refund", args=[row["id"]]),
    empty=EmptyPanel(
        gettext_lazy("Nothing was refunded yet"),
        gettext_lazy("Credit notes come with the store's files; a refund of your own is begun on its order."),
        icon="receipt-refund",
    ),
)  # fmt: skip


# --- One ----------------------------------------------------------------------------------------------------------


def _case_panels(found: queries.CaseDetail, scope: Scope) -> list[Panel]:
    return [
        TablePanel(
            _("What it is about"),
            [
                Column("sku", gettext_lazy("SKU"), "code", hint="title"),
                Column("quantity", gettext_lazy("Units"), "quantity"),
                Column("received", gettext_lazy("Came back"), "quantity", value=lambda row: row["received"] or None),
                Column("outcome", gettext_lazy("Condition"), value=lambda row: OUTCOMES.get(row["outcome"], row["outcome"])),
            ],
            found.lines,
        ),
        TablePanel(
            _("Refunds"),
            [
                Column("external_ref", gettext_lazy("Refund"), "code", link=True),
                Column("state", gettext_lazy("State"), "state", states=REFUND),
                Column("no_claim_reason", gettext_lazy("Why no claim"), wrap=True),
                Column("at", gettext_lazy("Date"), "datetime"),
                Column("amount", gettext_lazy("Amount"), "money", currency="currency"),
            ],
            found.refunds,
            row_url=lambda row: reverse("web:refund", args=[row["id"]]),
            empty=_("Nothing was refunded yet."),
        ),
    ]


def _case_actions(found: queries.CaseDetail, scope: Scope) -> list[Any]:
    """A button for every step the case may take from where it stands; what comes back only where goods do."""
    pk, goods = found.case["id"], found.case["kind"] == "return"
    short = scope.why_not("operate", found.case["store_id"])

    def step(to: str, label: str, **more: Any) -> ActionButton:
        return ActionButton(label, reverse("web:case_step", args=[pk, to]), reason=short, **more)

    def form(name: str, label: str, icon: str, style: str = "") -> LinkButton:
        return LinkButton(label, reverse(f"web:{name}", args=[pk]), icon=icon, style=style, reason=short)

    state = found.case["state"]
    owed = state == "received" or (state == "approved" and not goods)
    buttons = {
        "approved": lambda: step("approved", _("Approve"), icon="check", style="primary" if state == "requested" else ""),
        "received": lambda: form("case_received", _("Goods came back"), "package", "primary"),
        "in_transit": lambda: form("case_returning", _("On its way back"), "truck-delivery"),
        "refunded": lambda: form("case_refund", _("Refund"), "cash", "primary" if owed else ""),
        "expired": lambda: step("expired", _("Never came back"), icon="hourglass",
                                confirm=_("The case ends without money. Did nothing come back?")),
        "refused": lambda: step("refused", _("Refuse"), icon="ban", style="danger",
                                ask=_("Why is it refused? The buyer will ask.")),
        "closed": lambda: step("closed", _("Close"), icon="lock"),
    }  # fmt: skip
    following = AFTERSALE_CASE.next(state)
    return [
        make() for to, make in buttons.items()
        if to in following and (goods or to not in ("in_transit", "received", "expired"))
    ]  # fmt: skip


def _case_timeline(found: queries.CaseDetail, scope: Scope) -> list[Event]:
    refunds = {refund["id"] for refund in found.refunds}
    return [
        Event(one.at, one.sentence, by=one.by, why=words.why(one.why), detail=one.detail, icon="receipt-refund",
              tone=states.tone(one.subject, one.state))
        for one in timeline([found.case["store_id"]], found.case["order_id"])
        if (one.subject == "aftersale_case" and one.thing == found.case["id"])
        or (one.subject == "refund" and one.thing in refunds)
    ]  # fmt: skip


CASE = DetailPage(
    load=lambda scope, pk: queries.case_detail(scope.all_store_ids, pk),
    store_id="case__store_id",
    title=lambda found, scope: _("Case %(id)s") % {"id": found.case["id"]},
    back=(gettext_lazy("Cases"), lambda: reverse("web:cases")),
    badges=lambda found, scope: [
        Badge(states.word(AFTERSALE_CASE, found.case["state"]), states.tone(AFTERSALE_CASE, found.case["state"]))
    ],
    actions=_case_actions,
    facts=lambda found, scope: [
        Fact(_("Order"), found.case["order_number"], "code", url=places.order(found.case["order_id"])),
        Fact(_("Kind"), KINDS.get(found.case["kind"], found.case["kind"])),
        Fact(_("Reason"), words.case_reason(found.case["reason"])),
        Fact(_("Opened"), found.case["opened_at"], "datetime", store_id=found.case["store_id"]),
        Fact(_("Goods expected until"), found.case["due_at"], "due", store_id=found.case["store_id"]),
        Fact(_("Return number"), found.case["return_number"], "code"),
        Fact(
            _("Note"),
            found.case["note"]
            if private.may_read(scope, found.case["store_id"]) or not found.case["note"]
            else private.DOTS,
        ),
    ],
    panels=_case_panels,
    timeline=_case_timeline,
)


# --- Steps --------------------------------------------------------------------------------------------------------


def _take(scope: Scope, ids: list[int], to: str, reason: str) -> commands.Stepped:
    match to:
        case "approved":
            return commands.approve_cases(ids, by=scope.by, at=scope.at)
        case "refused":
            return commands.refuse_cases(ids, reason=reason, by=scope.by, at=scope.at)
        case "expired":
            return commands.expire_cases(ids, by=scope.by, at=scope.at)
    return commands.close_cases(ids, by=scope.by, at=scope.at)


@page("operate", methods=("POST",))
def take_step(request: HttpRequest, scope: Scope, to: str, pk: int | None = None) -> HttpResponse:
    """Move cases on: `to` is approved, refused, expired or closed."""
    ids = [pk] if pk else chosen_ids(request)
    home = reverse("web:case", args=[pk]) if pk else reverse("web:cases")
    scope.whole.require_all(queries.stores_of_cases(ids), "operate")
    if to not in ("approved", "refused", "expired", "closed"):
        return after(request, home, refused=[_("There is no such step.")])
    try:
        done = _take(scope, ids, to, request.POST.get("reason", ""))
    except Refused as refused:
        return after(request, home, refused=[refused.sentence])
    count = len(done.moved)
    said = ngettext("%(count)d case moved on.", "%(count)d cases moved on.", count) % {"count": count}
    return after(request, home, said if count else None, refused=list(done.refused.values()))


class ReturningForm(forms.Form):
    number = forms.CharField(
        label=gettext_lazy("Return number"), max_length=60, required=False,
        help_text=gettext_lazy("The waybill number the buyer named; leave it empty if nobody knows it."),
    )  # fmt: skip


def _one(done: commands.Stepped, pk: int) -> str:
    if pk in done.refused:
        raise Refused(done.refused[pk], code="wrong_state")
    return reverse("web:case", args=[pk])


def _save_returning(scope: Scope, found: queries.CaseDetail, data: dict[str, Any], *, by: str, at: datetime) -> str:
    pk = found.case["id"]
    return _one(commands.record_returns({pk: data["number"]}, by=by, at=at), pk)


CASE_RETURNING = FormPage(
    title=lambda found, scope: _("Case %(id)s: goods on their way back") % {"id": found.case["id"]},
    form=ReturningForm,
    load=lambda scope, pk: queries.case_detail(scope.whole.all_store_ids, pk),
    store_id="case__store_id",
    save=_save_returning,
    back=(gettext_lazy("Cases"), lambda: reverse("web:cases")),
)


def received_form(scope: Scope, found: queries.CaseDetail) -> type[forms.Form]:
    fields: dict[str, forms.Field] = {}
    for line in found.lines:
        named = f"{line['sku']} {line['title']}".strip()
        fields[f"units_{line['id']}"] = forms.IntegerField(
            label=named, min_value=0, max_value=line["quantity"], initial=line["quantity"],
            help_text=_("of %(most)d asked back") % {"most": line["quantity"]},
        )  # fmt: skip
        fields[f"outcome_{line['id']}"] = forms.ChoiceField(label=_("Condition"), choices=AftersaleLine.OUTCOMES)
    fields["note"] = forms.CharField(
        label=_("Note"), required=False, max_length=300, widget=forms.Textarea(attrs={"rows": 2})
    )
    return type("ReceivedForm", (forms.Form,), fields)


def _save_received(scope: Scope, found: queries.CaseDetail, data: dict[str, Any], *, by: str, at: datetime) -> str:
    pk = found.case["id"]
    lines = [(line["id"], data[f"units_{line['id']}"], data[f"outcome_{line['id']}"]) for line in found.lines]
    return _one(commands.receive_returns({pk: lines}, note=data["note"], by=by, at=at), pk)


CASE_RECEIVED = FormPage(
    title=lambda found, scope: _("Case %(id)s: goods came back") % {"id": found.case["id"]},
    form=received_form,
    load=lambda scope, pk: queries.case_detail(scope.whole.all_store_ids, pk),
    store_id="case__store_id",
    save=_save_received,
    back=(gettext_lazy("Cases"), lambda: reverse("web:cases")),
    intro=gettext_lazy("Look at the goods or ask whoever received them; what came back decides what is refunded."),
)


class RefundForm(forms.Form):
    amount = forms.DecimalField(label=gettext_lazy("Amount"), max_digits=15, decimal_places=4, min_value=0)
    no_claim_reason = forms.CharField(
        label=gettext_lazy("Why no claim is made on the supplier"), max_length=60
    )


def _save_refund(scope: Scope, found: queries.CaseDetail, data: dict[str, Any], *, by: str, at: datetime) -> str:
    by_hand.refund_case(found.case["id"], data["amount"], no_claim_reason=data["no_claim_reason"], by=by, at=at)
    return reverse("web:case", args=[found.case["id"]])


CASE_REFUND = FormPage(
    title=lambda found, scope: _("Refund case %(id)s") % {"id": found.case["id"]},
    form=RefundForm,
    load=lambda scope, pk: queries.case_detail(scope.whole.all_store_ids, pk),
    store_id="case__store_id",
    initial=lambda scope, found: {"amount": found.worth},
    save=_save_refund,
    submit=gettext_lazy("Refund"),
    success=gettext_lazy("The refund is booked; pay it out where the buyer paid."),
    intro=lambda found, scope: _("At most %(left)s can still be refunded on this order.")
    % {"left": fmt.money_text(found.case["left"], found.case["currency"])},
    back=(gettext_lazy("Cases"), lambda: reverse("web:cases")),
)


def _refund_panels(found: queries.RefundDetail, scope: Scope) -> list[Panel]:
    currency = found.refund["currency"]
    panels: list[Panel] = []
    if found.refund["order_id"] is None:
        panels.append(NotePanel(_("This credit matches no order; it lowers the income of the store all the same."),
                                tone="warning"))  # fmt: skip
    panels.append(
        TablePanel(
            _("Lines"),
            [
                Column("sku", gettext_lazy("SKU"), "code", hint="title"),
                Column("quantity", gettext_lazy("Units"), "quantity"),
                Column("cancelled", gettext_lazy("Of these not shipped"), "quantity", value=lambda row: row["cancelled"] or None),
                Column("amount", gettext_lazy("Amount"), "money", value=lambda row: Money(row["amount"], currency)),
            ],
            found.lines,
            empty=_("It is not divided among lines."),
        )
    )  # fmt: skip
    return panels


REFUND_PAGE = DetailPage(
    load=lambda scope, pk: queries.refund_detail(scope.all_store_ids, pk),
    store_id="refund__store_id",
    title=lambda found, scope: _("Refund %(number)s") % {"number": found.refund["external_ref"]},
    back=(gettext_lazy("Aftersales"), lambda: reverse("web:aftersales")),
    badges=lambda found, scope: [
        Badge(states.word(REFUND, found.refund["state"]), states.tone(REFUND, found.refund["state"]))
    ],
    facts=lambda found, scope: [
        Fact(_("Amount"), Money(found.refund["amount"], found.refund["currency"]), "money"),
        Fact(_("Order"), found.refund["order_number"], "code", url=places.order(found.refund["order_id"])),
        Fact(_("Reason"), words.case_reason(found.refund["reason"])),
        Fact(_("Date"), found.refund["at"], "datetime", store_id=found.refund["store_id"]),
        Fact(_("Why no claim"), words.case_reason(found.refund["no_claim_reason"]) if found.refund["no_claim_reason"] else None),
        Fact(_("Case"), found.refund["case_id"], "code",
             url=places.place("case", found.refund["case_id"]) if found.refund["case_id"] else None),
    ],
    panels=_refund_panels,
)  # fmt: skip

urlpatterns = [
    path("aftersales/", REFUNDS.view, name="aftersales"),
    path("aftersales/cases/", CASES.view, name="cases"),
    path("aftersales/cases/<int:pk>/", CASE.view, name="case"),
    path("aftersales/cases/step/<slug:to>/", take_step, name="cases_step"),
    path("aftersales/cases/<int:pk>/step/<slug:to>/", take_step, name="case_step"),
    path("aftersales/cases/<int:pk>/returning/", CASE_RETURNING.view, name="case_returning"),
    path("aftersales/cases/<int:pk>/received/", CASE_RECEIVED.view, name="case_received"),
    path("aftersales/cases/<int:pk>/refund/", CASE_REFUND.view, name="case_refund"),
    path("aftersales/refunds/<int:pk>/", REFUND_PAGE.view, name="refund"),
]
