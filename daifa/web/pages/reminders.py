"""Reminders: what suppliers were asked for, in which words, and what still has to be passed on by a person."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from daifa.domain.purchasing import reminders
from daifa.domain.purchasing.models import Chasing, Reminder
from daifa.domain.purchasing.process import PURCHASE_ORDER, REMINDER
from daifa.domain.sourcing.models import Supplier
from daifa.domain.sourcing.queries import supplier_with_id
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
    HtmlPanel,
    ListPage,
    NotePanel,
    Panel,
    Scope,
    TablePanel,
    after,
    page,
    states,
)
from daifa.web.pages import places
from daifa.web.pages.purchases import STEPS, SUPPLIER, reminder_columns


def reminder_rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[dict[str, Any]]:
    return reminders.reminder_page(
        scope.store_ids, state=filters.get("state"),
        supplier_id=int(filters["supplier"]) if "supplier" in filters else None, cursor=cursor, limit=limit,
    )  # fmt: skip


REMINDERS = ListPage(
    title=gettext_lazy("Reminders"),
    intro=gettext_lazy("Suppliers are asked for what they have not shipped, before an order's time for dispatch runs out and after. No buyer is named."),
    order=reminders.NEWEST,
    rows=reminder_rows,
    export="reminders",
    columns=reminder_columns(),
    filters=[Choice("state", gettext_lazy("State"), lambda scope: states.choices(REMINDER), tabs=True), SUPPLIER],
    row_url=lambda row: reverse("web:reminder", args=[row["id"]]),
    empty=EmptyPanel(
        gettext_lazy("Nobody had to be reminded"),
        gettext_lazy("Half a day before an order's time for dispatch runs out its supplier is asked, and again when it has."),
        icon="clock",
    ),
)  # fmt: skip


# --- One ------------------------------------------------------------------------------------------------------------------


def _actions(reminder: Reminder, scope: Scope) -> list[Any]:
    reason = scope.why_not("operate", reminder.store_id)
    settle = reverse("web:reminder_settle", args=[reminder.pk])
    if reminder.state not in ("due", "unknown"):
        return []
    said = _("I have passed it on") if reminder.state == "due" else _("The supplier has it")
    return [
        ActionButton(said, settle, icon="check", style="primary", reason=reason, fields={"sent": "1"}),
        ActionButton(_("Drop it"), settle, icon="x", reason=reason, fields={"sent": "0"}),
    ]


def _panels(reminder: Reminder, scope: Scope) -> list[Panel]:
    panels: list[Panel] = []
    if reminder.state == "due" and not reminder.email:
        panels.append(
            NotePanel(
                _("It waits for you: copy the text, send it to the supplier (chat, telephone, mail), and say so here."),
                tone="warning", title=reminder.answer,
            )
        )  # fmt: skip
    elif reminder.state == "unknown":
        panels.append(
            NotePanel(reminder.answer, tone="danger", title=_("Nobody knows whether it was sent"))
        )
    panels.append(HtmlPanel("web/pages/letter.html", {"subject": reminder.subject, "body": reminder.text}, _("The letter")))
    currency = reminder.store.currency
    panels.append(
        TablePanel(
            _("Purchase orders"),
            [
                Column("reference", _("Purchase order"), "code", value=lambda line: line.purchase_order.reference, link=True),
                Column("order", _("Order"), "code", value=lambda line: line.purchase_order.order.number,
                       url=lambda line: places.order(line.purchase_order.order_id)),
                Column("state", _("State"), "state", value=lambda line: line.purchase_order.state, states=PURCHASE_ORDER),
                Column("units", _("Missing then"), "quantity"),
                Column("now", _("Missing now"), "quantity", value=_missing),
                Column("step", _("Why"), value=lambda line: STEPS[line.step]),
                Column("due_at", _("Dispatch by"), "due"),
                Column("stake", _("At stake"), "money",
                       value=lambda line: None if line.stake is None else Money(line.stake, currency)),
            ],
            reminders.lines_of(reminder.pk),
            row_url=lambda line: reverse("web:purchase", args=[line.purchase_order_id]),
            note=_("What a supplier will not ship is given to another from the page of the purchase order."),
        )
    )  # fmt: skip
    return panels


def _missing(line: Any) -> int:
    purchase = line.purchase_order
    return purchase.units - purchase.shipped - purchase.rejected - purchase.cancelled


REMINDER_PAGE = DetailPage(
    load=lambda scope, pk: reminders.reminder_with(scope.all_store_ids, pk),
    store_id="store_id",
    title=lambda reminder, scope: reminder.subject,
    back=(gettext_lazy("Reminders"), lambda: reverse("web:reminders")),
    badges=lambda reminder, scope: [
        Badge(states.word(REMINDER, reminder.state), states.tone(REMINDER, reminder.state))
    ],
    actions=_actions,
    facts=lambda reminder, scope: [
        Fact(_("Supplier"), reminder.supplier.name, url=places.place("supplier", reminder.supplier_id)),
        Fact(_("Goes to"), reminder.email or _("a person passes it on")),
        Fact(_("Written"), reminder.at, "datetime", store_id=reminder.store_id),
        Fact(_("Sent"), reminder.sent_at, "datetime", store_id=reminder.store_id),
        Fact(_("Dispatch by"), reminder.due_at, "datetime", store_id=reminder.store_id),
        Fact(_("At stake"), None if reminder.stake is None else Money(reminder.stake, reminder.store.currency), "money"),
    ],
    panels=_panels,
)  # fmt: skip


@page("operate", methods=("POST",))
def settle(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """A person has passed a reminder on, or it is not needed."""
    reminder = reminders.reminder_with(scope.whole.all_store_ids, pk)
    scope.whole.require(reminder.store_id if reminder else None, "operate")
    back = reverse("web:reminder", args=[pk])
    if request.POST.get("sent") == "1":
        done, said = reminders.pass_on([pk], by=scope.by, at=scope.at), _("It counts as sent.")
    else:
        done, said = reminders.drop([pk], by=scope.by, at=scope.at, reason="by hand"), _("It is dropped.")
    return after(request, back, said) if done else after(request, back, refused=[_("It was settled before.")])


# --- How a supplier is reminded ---------------------------------------------------------------------------------------------


class ChasingForm(forms.ModelForm):
    class Meta:
        model = Chasing
        fields = ["way", "hours_before"]


def _save(scope: Scope, supplier: Supplier, data: dict[str, Any], *, by: str, at: Any) -> str:
    if why := scope.why_not_shared("operate"):
        raise Refused(why, code="not_allowed")
    reminders.set_chasing(supplier_id=supplier.pk, way=data["way"], hours_before=data["hours_before"], by=by, at=at)
    return reverse("web:supplier", args=[supplier.pk])


CHASING = FormPage(
    title=gettext_lazy("How he is reminded"),
    form=ChasingForm,
    load=lambda scope, pk: supplier_with_id(pk),
    initial=lambda scope, supplier: {
        "way": reminders.chasing_of(supplier).way, "hours_before": reminders.chasing_of(supplier).hours_before,
    },
    save=_save,
    success=gettext_lazy("Saved."),
    back=lambda supplier: (supplier.name, reverse("web:supplier", args=[supplier.pk])),
    intro=gettext_lazy(
        "By mail works for suppliers who get their workbooks by mail and have an address. At most three letters about a purchase order, a day apart; then you are asked to call."
    ),
)  # fmt: skip


urlpatterns = [
    path("reminders/", REMINDERS.view, name="reminders"),
    path("reminders/<int:pk>/", REMINDER_PAGE.view, name="reminder"),
    path("reminders/<int:pk>/settle/", settle, name="reminder_settle"),
    path("suppliers/<int:pk>/reminders/", CHASING.view, name="supplier_chasing"),
]
