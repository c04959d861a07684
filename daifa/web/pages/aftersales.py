"""Aftersales: buyers' requests from opening to outcome, and the money given back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from daifa.domain.aftersales import queries
from daifa.domain.aftersales.models import AftersaleCase
from daifa.domain.aftersales.process import AFTERSALE_CASE, REFUND
from daifa.flows import by_hand
from daifa.lib.money import Money
from daifa.web.kit import (
    Badge,
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
    Toggle,
    states,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import places, private, words

KINDS = dict(AftersaleCase.KINDS)


def case_rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[dict[str, Any]]:
    return queries.case_page(
        scope.store_ids, state=filters.get("state"), q=filters.get("q"), cursor=cursor, limit=limit
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
    filters=[Choice("state", gettext_lazy("State"), lambda scope: states.choices(AFTERSALE_CASE), tabs=True)],
    actions=lambda scope: [LinkButton(_("Refunds"), reverse("web:aftersales"), icon="cash")],
    row_url=lambda row: reverse("web:case", args=[row["id"]]),
    empty=EmptyPanel(
        gettext_lazy("No cases"),
        gettext_lazy("A case is opened on its order: “Cancel or refund”."),
        icon="receipt-refund",
    ),
)  # fmt: skip


def refund_rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[dict[str, Any]]:
    return queries.refund_page(
        scope.store_ids, state=filters.get("state"), unmatched=bool(filters.get("unmatched")), q=filters.get("q"),
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
                Column("outcome", gettext_lazy("Condition")),
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
    if "refunded" not in AFTERSALE_CASE.next(found.case["state"]):
        return []
    return [
        LinkButton(_("Refund"), reverse("web:case_refund", args=[found.case["id"]]), icon="cash", style="primary",
                   reason=scope.why_not("operate", found.case["store_id"]))
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
        Fact(_("Return number"), found.case["return_number"], "code"),
        Fact(
            _("Note"),
            found.case["note"]
            if private.may_read(scope, found.case["store_id"]) or not found.case["note"]
            else private.DOTS,
        ),
    ],
    panels=_case_panels,
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
    path("aftersales/cases/<int:pk>/refund/", CASE_REFUND.view, name="case_refund"),
    path("aftersales/refunds/<int:pk>/", REFUND_PAGE.view, name="refund"),
]
