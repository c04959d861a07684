"""Stores: what each is, its fees, who works it."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _

from daifa.domain.policy import queries as policy
from daifa.domain.stores import commands as stores
from daifa.domain.stores import queries as store_queries
from daifa.domain.stores.models import FeeRule, Store
from daifa.flows import open_store
from daifa.lib import regions
from daifa.web.kit import (
    ActionButton,
    Badge,
    Column,
    DetailPage,
    EmptyPanel,
    Fact,
    FactsPanel,
    FormPage,
    LinkButton,
    ListPage,
    TablePanel,
    after,
    page,
)

LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]

# --- Stores -----------------------------------------------------------------------------------------------------


def _why_not_add_store(scope) -> Any:
    return None if scope.may_shared("own") else _("Only somebody who owns every store may add one.")


STORES = ListPage(
    title=_("Stores"),
    order=("name", "id"),
    rows=lambda scope, filters, cursor, limit: cursor.slice(Store.objects.filter(id__in=scope.all_store_ids), limit),
    columns=[
        Column("name", _("Store"), link=True, hint="code"),
        Column("kind", _("Kind"), value=lambda store: store.get_kind_display()),
        Column("currency", _("Currency"), "code"),
        Column("timezone", _("Time zone"), phone=False),
        Column("dispatch_hours", _("Hours to dispatch"), "quantity", phone=False),
        Column("messages_allowed", _("Messages"), "yes_no", phone=False),
        Column("sample", "", "badges", value=lambda store: [Badge(_("sample shop"), "warning")] if store.is_sample else [], export=False),
    ],
    row_url=lambda store: reverse("web:store", args=[store.id]),
    actions=lambda scope: [LinkButton(_("Add a store"), reverse("web:store_add"), "plus", "primary", reason=_why_not_add_store(scope))],
    empty=lambda scope: EmptyPanel(
        _("No store yet"), _("Add the shop whose orders you want to run: your own site, or one whose files you import by hand."),
        icon="building-store",
        actions=[LinkButton(_("Add a store"), reverse("web:store_add"), "plus", "primary", reason=_why_not_add_store(scope))],
    ),
)  # fmt: skip


def _store(scope, pk: int) -> Store | None:
    return Store.objects.filter(pk=pk).first()


def _store_panels(store, scope):
    denied = scope.why_not("own", store.pk)
    books = scope.why_not("books", store.pk)
    panels: list[Any] = [
        FactsPanel(
            _("Dispatch and tracking"),
            [
                Fact(_("Hours to dispatch"), store.dispatch_hours, "quantity"),
                Fact(_("Days until a parcel is late"), store.transit_days, "quantity"),
                Fact(_("Days without a scan until it is lost"), store.lost_days, "quantity"),
                Fact(_("Lowest margin"), store.margin_floor / 100, "percent"),
                Fact(_("Units a supplier must have left over"), store.stock_buffer, "quantity"),
                Fact(_("Revenue counts"), store.get_revenue_at_display()),
            ],
        ),
        FactsPanel(
            _("Messages to buyers"),
            [
                Fact(_("We may write to buyers"), store.messages_allowed and store.kind != "marketplace", "yes_no",
                     hint=_("Buyers of a marketplace are told by it.") if store.kind == "marketplace" else ""),
                Fact(_("Review invitations"), store.review_invitations, "yes_no"),
                Fact(_("Messages on one order at most"), store.message_cap, "quantity"),
                Fact(_("Language of its buyers"), dict(LANGUAGES).get(store.language, store.language)),
                Fact(_("Answers go to"), store.reply_to),
            ],
            actions=[LinkButton(_("Templates"), f"{reverse('web:templates')}?store={store.pk}", "template")],
        ),
        TablePanel(
            _("Fees"),
            [
                Column("name", _("Fee"), link=True),
                Column("percent", _("Percent of the order's total"), "percent", value=lambda fee: fee.percent / 100),
                Column("fixed", _("Fixed amount an order"), "money", value=lambda fee: _money(fee.fixed, store.currency)),
                Column("valid_from", _("Valid from"), "date"),
                Column("refunded_on_refund", _("Given back on refunds"), "yes_no", phone=False),
            ],
            list(store.fee_rules.all()),
            row_url=lambda fee: reverse("web:fee", args=[fee.pk]),
            empty=_("No fees: the books assume that the channel keeps nothing."),
            note=_("The newest rule of each name counts. Orders already booked keep their fee."),
            actions=[LinkButton(_("Add a fee"), reverse("web:fee_add", args=[store.pk]), "plus", reason=books)],
        ),
        TablePanel(
            _("People"),
            [
                Column("username", _("User name"), value=lambda row: row[1], hint=lambda row: row[2]),
                Column("role", _("Role"), "state", states="role", value=lambda row: row[3]),
            ],
            store_queries.people_of(store.pk),
            row_url=(lambda row: reverse("web:person", args=[row[0]])) if denied is None else None,
            empty=_("Only the owner of the installation works this store."),
            actions=[LinkButton(_("Give access"), reverse("web:access_add"), "plus", reason=denied)],
        ),
    ]  # fmt: skip
    return panels


def _money(amount, currency):
    from daifa.lib.money import Money

    return Money(amount, currency)


STORE = DetailPage(
    load=lambda scope, pk: scope.whole.store(pk),
    store_id="id",
    title=lambda store, scope: store.name,
    pretitle=lambda store, scope: store.code,
    back=(_("Stores"), lambda: reverse("web:stores")),
    badges=lambda store, scope: [Badge(_("sample shop"), "warning")] if store.is_sample else [],
    actions=lambda store, scope: [
        LinkButton(_("Life of the store"), reverse("web:store_life", args=[store.pk]), "calendar-due"),
        LinkButton(_("Edit"), reverse("web:store_edit", args=[store.pk]), "pencil", "primary", reason=scope.why_not("own", store.pk)),
    ],
    facts=lambda store, scope: [
        Fact(_("Kind"), store.get_kind_display()),
        Fact(_("Channel"), policy.channel_word(store.channel), hint=store.channel),
        Fact(_("Currency"), store.currency, "code"),
        Fact(_("Time zone"), store.timezone),
        Fact(_("Country"), regions.country(store.country)),
        Fact(_("Added"), store.created_at, "datetime"),
    ],
    panels=_store_panels,
)  # fmt: skip


def _channels() -> list[tuple[str, str]]:
    """Sales channels to choose from: those with rules in the book by their titles, and those without."""
    return [*WITHOUT_RULES, *((name, str(title)) for name, title in policy.sales_channels().items())]


WITHOUT_RULES = [("manual", _("files by hand")), ("shopify", "Shopify"), ("woocommerce", "WooCommerce")]


class StoreForm(forms.ModelForm):
    channel = forms.ChoiceField(label=_("Channel"), help_text=_("Its rules count for this store."))
    language = forms.ChoiceField(label=_("Language of its buyers"), choices=LANGUAGES)

    class Meta:
        model = Store
        fields = (
            "name", "kind", "channel", "currency", "timezone", "language", "country", "reply_to", "dispatch_hours", "transit_days", "lost_days",
            "margin_floor", "stock_buffer", "revenue_at", "messages_allowed", "review_invitations", "message_cap",
        )  # fmt: skip
        labels = {
            "name": _("Name"), "kind": _("Kind"), "currency": _("Currency"), "timezone": _("Time zone"), "country": _("Country"),
            "reply_to": _("Answers of buyers go to"), "dispatch_hours": _("Hours to dispatch"),
            "transit_days": _("Days until a parcel is late"), "lost_days": _("Days without a scan until it is lost"),
            "margin_floor": _("Lowest margin, percent"), "stock_buffer": _("Units a supplier must have left over"),
            "revenue_at": _("Revenue counts"), "messages_allowed": _("The channel lets us write to buyers"),
            "review_invitations": _("Invite buyers to review after delivery"), "message_cap": _("Messages on one order at most"),
        }  # fmt: skip
        help_texts = {
            "currency": _("Three letters, such as GBP. It stays once there are orders."),
            "kind": _("Marketplaces are closed to drop shipping until their rules are met: their orders are held."),
            "country": _("Two letters, such as GB."),
            "margin_floor": _("Offers that leave less are not taken; the order is held instead."),
            "revenue_at": _("It stays once there are orders."),
            "review_invitations": _("Only buyers who agreed are asked."),
        }
        widgets = {"timezone": forms.TextInput(attrs={"autocomplete": "off"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = _channels()
        now = (kwargs.get("initial") or {}).get("channel") or getattr(self.instance, "channel", "")
        if now and now not in dict(choices):
            choices.append((now, now))  # entered by another door
        self.fields["channel"].choices = choices

    def clean_timezone(self) -> str:
        zone = self.cleaned_data["timezone"].strip()
        if zone not in available_timezones():
            raise forms.ValidationError(_("%(zone)s is no time zone. Use a name such as Europe/London or Asia/Shanghai.") % {"zone": zone})
        return zone

    def _post_clean(self) -> None:
        """The command checks and saves; the form only reads."""


class NewStoreForm(StoreForm):
    code = forms.SlugField(label=_("Code"), max_length=40, help_text=_("Short, for files and programs; it stays."))
    field_order = ("code", "name")


def _addable(scope, **address):
    if sentence := _why_not_add_store(scope):
        raise PermissionDenied(str(sentence))
    return True


def _add_store(scope, thing, data, *, by, at):
    store = open_store.add_store(by=by, at=at, owner_id=None if scope.is_superuser else scope.user.pk, **data)
    return reverse("web:store", args=[store.pk])


STORE_ADD = FormPage(
    title=_("Add a store"),
    form=NewStoreForm,
    load=_addable,
    needs="own",
    initial=lambda scope, thing: {
        "kind": "manual", "channel": "manual", "currency": "GBP", "timezone": "UTC", "language": "en", "dispatch_hours": 48, "transit_days": 14, "lost_days": 30,
        "margin_floor": 0, "stock_buffer": 0, "revenue_at": "handed_over", "messages_allowed": True, "message_cap": 8,
    },
    save=_add_store,
    success=_("Added. Next: import its products and orders, and record agreements with suppliers."),
    submit=_("Add"),
    back=(_("Stores"), lambda: reverse("web:stores")),
)  # fmt: skip


def _edit_store(scope, store, data, *, by, at):
    open_store.edit_store(store=store, by=by, at=at, **data)
    return reverse("web:store", args=[store.pk])


STORE_EDIT = FormPage(
    title=lambda store, scope: _("Edit %(name)s") % {"name": store.name},
    form=StoreForm,
    load=_store,
    store_id="id",
    needs="own",
    initial=lambda scope, store: {name: getattr(store, name) for name in StoreForm.Meta.fields},
    save=_edit_store,
    success=_("Saved."),
    back=lambda store: (store.name, reverse("web:store", args=[store.pk])),
)

# --- Fees -------------------------------------------------------------------------------------------------------


class FeeForm(forms.Form):
    name = forms.CharField(label=_("Fee"), max_length=80, help_text=_("As it stands on the statement of the channel or the payment provider."))
    percent = forms.DecimalField(label=_("Percent of the order's total"), min_value=0, max_value=100, decimal_places=4, initial=0)
    fixed = forms.DecimalField(label=_("Fixed amount an order"), min_value=0, decimal_places=4, max_digits=12, initial=0)
    valid_from = forms.DateField(label=_("Valid from"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    refunded_on_refund = forms.BooleanField(label=_("The percentage is given back on refunds"), required=False)


def _add_fee(scope, store, data, *, by, at):
    stores.add_fee_rule(store_id=store.pk, by=by, at=at, **data)
    return reverse("web:store", args=[store.pk])


FEE_ADD = FormPage(
    title=lambda store, scope: _("Add a fee to %(name)s") % {"name": store.name},
    form=FeeForm,
    load=_store,
    store_id="id",
    needs="books",
    initial=lambda scope, store: {"valid_from": scope.at.astimezone(scope.zone(store.pk)).date(), "percent": 0, "fixed": 0},
    save=_add_fee,
    success=_("Added. Orders booked from now on count with it."),
    submit=_("Add"),
    back=lambda store: (store.name, reverse("web:store", args=[store.pk])),
)

FEE = DetailPage(
    load=lambda scope, pk: FeeRule.objects.select_related("store").filter(pk=pk).first(),
    title=lambda fee, scope: fee.name,
    back=lambda fee: (fee.store.name, reverse("web:store", args=[fee.store_id])),
    actions=lambda fee, scope: [
        ActionButton(
            _("Remove"), reverse("web:fee_remove", args=[fee.pk]), "trash", "danger", reason=scope.why_not("books", fee.store_id),
            confirm=_("Remove this fee? What it booked stays booked."),
        )
    ],
    facts=lambda fee, scope: [
        Fact(_("Store"), fee.store.name, url=reverse("web:store", args=[fee.store_id])),
        Fact(_("Percent of the order's total"), fee.percent / 100, "percent"),
        Fact(_("Fixed amount an order"), _money(fee.fixed, fee.store.currency), "money"),
        Fact(_("Valid from"), fee.valid_from, "date"),
        Fact(_("Given back on refunds"), fee.refunded_on_refund, "yes_no"),
    ],
)


@page("books", methods=("POST",))
def remove_fee(request, scope, pk: int):
    fee = FeeRule.objects.filter(pk=pk).first()
    if fee is None:
        raise Http404
    scope.whole.require(fee.store_id, "books")
    stores.remove_fee_rules([pk], store_id=fee.store_id, by=scope.by, at=scope.at)
    response = after(request, reverse("web:store", args=[fee.store_id]), _("Removed."))
    response["Location"] = reverse("web:store", args=[fee.store_id])
    return response

urlpatterns = [
    path("stores/", STORES.view, name="stores"),
    path("stores/add/", STORE_ADD.view, name="store_add"),
    path("stores/<int:pk>/", STORE.view, name="store"),
    path("stores/<int:pk>/edit/", STORE_EDIT.view, name="store_edit"),
    path("stores/<int:pk>/fees/add/", FEE_ADD.view, name="fee_add"),
    path("stores/fees/<int:pk>/", FEE.view, name="fee"),
    path("stores/fees/<int:pk>/remove/", remove_fee, name="fee_remove"),
]
