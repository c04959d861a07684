"""Suppliers, what they offer, what was agreed with them, how they do, and what they are owed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.http import FileResponse, Http404
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from daifa.domain.books.queries import balances_of_suppliers
from daifa.domain.sourcing import commands as sourcing
from daifa.domain.sourcing import queries, rules
from daifa.domain.sourcing.models import Agreement, SkuMapping, Supplier, SupplierOffer
from daifa.domain.sourcing.samples import sample_page
from daifa.flows import put_right
from daifa.flows.reads import goods
from daifa.flows.supplier_files import read_suppliers
from daifa.lib import keeping, regions
from daifa.lib.commas import listed
from daifa.lib.money import Money
from daifa.lib.refusal import Refused
from daifa.web.kit import (
    ActionButton,
    Badge,
    BulkAction,
    Choice,
    Column,
    DetailPage,
    EmptyPanel,
    Fact,
    FactsPanel,
    FormPage,
    FormPanel,
    Kpi,
    KpiPanel,
    LinkButton,
    ListPage,
    NotePanel,
    TablePanel,
    Toggle,
    after,
    chosen_ids,
    page,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import samples as samples_page
from daifa.web.pages import words
from daifa.web.pages.entrustment import signed_panel, why_unsigned

PERFORMANCE_DAYS = 90

# --- The list ---------------------------------------------------------------------------------------------------


def _rows(scope, filters, cursor, limit):
    owed = {supplier: amount for supplier, _currency, amount in balances_of_suppliers(scope.store_ids)}
    return goods.supplier_list(
        scope.store_ids, q=filters.get("q"), state=filters.get("state"), owed=owed, cursor=cursor, limit=limit
    )


def _way(row) -> str:
    if row.kind == "fake":
        return _("his system (scripted stand-in)")
    return _("workbook by mail") if row.delivery == "mail" else _("workbook to download")


SUPPLIERS = ListPage(
    title=_("Suppliers"),
    search=_("Code or name"),
    order=goods.BY_CODE,
    rows=_rows,
    columns=[
        Column("name", _("Supplier"), link=True, hint="code"),
        Column("state", _("State"), "state", states="supplier"),
        Column("way", _("Purchases go as"), value=_way),
        Column("country", _("Country"), "code", phone=False),
        Column("offers", _("Offers"), "quantity", phone=False),
        Column("orders", _("Purchases placed"), "quantity", phone=False),
        Column("owed", _("We owe"), "money", currency="currency"),
        Column("sample", "", "badges", value=lambda row: [Badge(_("sample"), "warning")] if row.is_sample else [], export=False, phone=False),
    ],
    filters=[Choice("state", _("State"), Supplier.STATES)],
    row_url=lambda row: reverse("web:supplier", args=[row.id]),
    actions=lambda scope: [
        LinkButton(_("All offers"), reverse("web:offers"), "list"),
        LinkButton(_("Samples"), reverse("web:samples"), "package"),
        LinkButton(_("From a file"), reverse("web:suppliers_file"), "file-import", reason=scope.why_not_shared("operate")),
        LinkButton(_("Add a supplier"), reverse("web:supplier_add"), "plus", "primary", reason=scope.why_not_shared("operate")),
    ],
    empty=lambda scope: EmptyPanel(
        _("No supplier yet"),
        _("Add the factories you buy from; then import their price lists and record what was agreed."),
        icon="building-factory-2",
        actions=[LinkButton(_("Add a supplier"), reverse("web:supplier_add"), "plus", "primary", reason=scope.why_not_shared("operate"))],
    ),
    export="suppliers",
)  # fmt: skip

CONSUMER = "consumer_platform"

# --- One supplier -----------------------------------------------------------------------------------------------


def _supplier(scope, pk: int) -> Supplier | None:
    return queries.supplier_with_id(pk)


def _agreement_state(agreement, on) -> Badge:
    if agreement.valid_from > on:
        return Badge(_("not yet valid"), "info")
    if agreement.valid_until is not None and agreement.valid_until < on:
        return Badge(_("ended"), "muted")
    return Badge(_("valid"), "success")


def _agreements(supplier, scope) -> list[Agreement]:
    """What was agreed for all stores or for those the reader may see, newest first."""
    visible = set(scope.all_store_ids)
    return [
        one
        for one in Agreement.objects.filter(supplier=supplier).select_related("store").order_by("-valid_from", "-id")
        if one.store_id is None or one.store_id in visible
    ]


def _why_not_agreement(supplier, scope):
    return None if scope.may("operate") else scope.why_not("operate")


def _consumer_note(supplier, scope) -> NotePanel:
    return NotePanel(
        _("A shop on a consumer platform: nothing is bought here for a buyer, and no agreement changes that. Look for the factory behind it."),
        tone="warning",
        actions=[
            LinkButton(_("Who could take over"), reverse("web:substitutes", args=[supplier.pk]), "switch-horizontal"),
            LinkButton(_("Add a supplier"), reverse("web:supplier_add"), "plus", reason=scope.why_not_shared("operate")),
        ],
    )


def _panels(supplier, scope):
    on = scope.at.astimezone(scope.zone()).date()
    done = goods.performance_of(
        scope.store_ids, supplier.pk, since=scope.at - timedelta(days=PERFORMANCE_DAYS), at=scope.at
    )
    agreements = _agreements(supplier, scope)
    offers = goods.offer_list(supplier_id=supplier.pk, limit=10)
    panels: list[Any] = []
    if supplier.source == CONSUMER:
        panels.append(_consumer_note(supplier, scope))
    elif not any(_agreement_state(one, on).tone == "success" for one in agreements):
        panels.append(
            NotePanel(
                _("Nothing is bought here: no valid agreement to ship for your stores is recorded."),
                tone="warning",
                actions=[LinkButton(_("Record an agreement"), reverse("web:supplier_agreement", args=[supplier.pk]), "file-text",
                                    reason=_why_not_agreement(supplier, scope)),
                         LinkButton(_("Text to be signed"), reverse("web:entrustment", args=[supplier.pk]), "shield-lock")],
            )
        )  # fmt: skip
        panels.append(signed_panel(scope, supplier))
    elif sentence := why_unsigned(supplier, scope):
        panels.append(
            NotePanel(sentence, tone="warning", actions=[
                LinkButton(_("Text to be signed"), reverse("web:entrustment", args=[supplier.pk]), "file-text"),
            ])
        )  # fmt: skip
        panels.append(signed_panel(scope, supplier))
    if supplier.kind == "workbook" and supplier.delivery == "mail" and not supplier.email:
        panels.append(NotePanel(_("Workbooks go by mail, but there is no e-mail address: enter one."), tone="warning"))
    panels.append(
        KpiPanel(
            [
                Kpi(_("Purchases placed"), fmt.quantity_text(done.placed), _("in %(n)d days") % {"n": PERFORMANCE_DAYS}, icon="clipboard-list"),
                Kpi(_("Accepted"), fmt.percent_text(done.accepted_share) or "–",
                    _("%(accepted)s of %(answered)s units answered") % {
                        "accepted": fmt.quantity_text(done.accepted), "answered": fmt.quantity_text(done.accepted + done.rejected)},
                    tone="red" if done.accepted_share is not None and done.accepted_share < Decimal("0.9") else "", icon="circle-check"),
                Kpi(_("Refused"), fmt.quantity_text(done.rejected), _("units"), icon="circle-x"),
                Kpi(_("Shipping overdue"), fmt.quantity_text(done.overdue), _("purchases past the promised day"),
                    tone="red" if done.overdue else "", icon="clock"),
                Kpi(_("Late or lost"), fmt.percent_text(done.late_share) or "–",
                    _("%(late)s late, %(lost)s lost of %(parcels)s parcels") % {
                        "late": fmt.quantity_text(done.late), "lost": fmt.quantity_text(done.lost), "parcels": fmt.quantity_text(done.parcels)},
                    icon="truck-delivery"),
            ]
        )
    )  # fmt: skip
    panels.append(_may_serve_panel(supplier, scope))
    panels.append(
        TablePanel(
            _("Samples"),
            samples_page.columns(of_supplier=True),
            sample_page(scope.store_ids, supplier_id=supplier.pk, limit=10),
            row_url=lambda row: reverse("web:sample", args=[row["id"]]),
            empty=_("None ordered yet. Before he ships to your buyers, let him ship to you once."),
            actions=[] if supplier.source == CONSUMER else [samples_page.add_button(scope, supplier=supplier.pk)],
        )
    )  # fmt: skip
    panels.append(
        TablePanel(
            _("Offers"),
            OFFER_COLUMNS[:6],
            offers,
            row_url=lambda row: reverse("web:offer", args=[row.id]),
            empty=_("No offers yet. Import the supplier's price list."),
            actions=[
                LinkButton(
                    _("Import a price list"), reverse("web:import_add_for", args=["offers", supplier.pk]), "file-import",
                    reason=scope.why_not_shared("operate"),
                )
            ],
            more=LinkButton(_("All offers of %(supplier)s") % {"supplier": supplier.name}, f"{reverse('web:offers')}?supplier={supplier.pk}"),
        )
    )  # fmt: skip
    return panels


def _aside(supplier, scope):
    on = scope.at.astimezone(scope.zone()).date()
    balances = [
        Fact(_("We owe") if amount > 0 else _("Paid ahead"), Money(abs(amount), currency), "money")
        for of, currency, amount in balances_of_suppliers(scope.store_ids)
        if of == supplier.pk
    ]
    return [
        FactsPanel(
            _("Balance"),
            balances or [Fact(_("We owe"), Money(Decimal(0), supplier.currency), "money")],
            actions=[
                LinkButton(
                    _("Pay"), reverse("web:books_pay_to", args=[supplier.pk]), "wallet",
                    reason=scope.why_not("books"),
                ),
                LinkButton(_("Entries"), f"{reverse('web:books_entries')}?supplier={supplier.pk}", "list"),
            ],
        ),
        TablePanel(
            _("Agreements"),
            [
                Column("store", _("For"), value=_for_whom, link=True, hint=lambda one: _period(one)),
                Column("state", _("State"), "badge", value=lambda one: _agreement_state(one, on)),
            ],
            _agreements(supplier, scope),
            row_url=lambda one: reverse("web:agreement", args=[one.pk]),
            empty=_("None recorded. Without one, nothing is routed here."),
            actions=[
                LinkButton(
                    _("Record"), reverse("web:supplier_agreement", args=[supplier.pk]), "plus",
                    reason=_why_not_agreement(supplier, scope),
                )
            ],
        ),
    ]  # fmt: skip


def _for_whom(one) -> str:
    return one.store.name if one.store else str(_("all own stores"))


def stores_for(supplier, scope) -> list[Any]:
    """Stores the reader works in now that he could ship for: the sample shop stays among itself."""
    seen = set(scope.store_ids)
    return [store for store in scope.stores if store.id in seen and store.is_sample == supplier.is_sample]


def _may_serve_panel(supplier, scope) -> TablePanel:
    """Every store the reader sees and what stands between it and this supplier, in a sentence."""
    refused = queries.refusals(
        [(store.id, supplier.pk) for store in stores_for(supplier, scope)], at=scope.at,
    )  # fmt: skip
    rows = [{"store": store.name, "verdict": refused.get((store.id, supplier.pk))} for store in stores_for(supplier, scope)]
    return TablePanel(
        _("Whom he may ship for"),
        [
            Column("store", _("Store")),
            Column("verdict", "", "badge", value=lambda row: Badge(words.hold_short(str(row["verdict"])), "warning")
                   if row["verdict"] else Badge(_("may ship"), "success")),
            Column("why", _("What is missing"), value=lambda row: row["verdict"].sentence if row["verdict"] else "", wrap=True),
        ],
        rows,
    )  # fmt: skip


def _period(one) -> str:
    start = fmt.date_text(one.valid_from)
    if one.valid_until is None:
        return _("from %(day)s") % {"day": start}
    return f"{start} – {fmt.date_text(one.valid_until)}"


SUPPLIER = DetailPage(
    load=_supplier,
    store_id=None,
    title=lambda supplier, scope: supplier.name,
    pretitle=lambda supplier, scope: supplier.code,
    back=(_("Suppliers"), lambda: reverse("web:suppliers")),
    badges=lambda supplier, scope: [
        fmt.state_badge("supplier", supplier.state),
        *([fmt.badge(_("sample"), "warning")] if supplier.is_sample else []),
    ],
    actions=lambda supplier, scope: [
        LinkButton(_("Purchase orders"), f"{reverse('web:purchases')}?supplier={supplier.pk}", "clipboard-list"),
        LinkButton(_("Entrustment"), reverse("web:entrustment", args=[supplier.pk]), "shield-lock"),
        LinkButton(_("Reminders"), f"{reverse('web:reminders')}?supplier={supplier.pk}", "clock"),
        LinkButton(_("How he is reminded"), reverse("web:supplier_chasing", args=[supplier.pk]), "settings",
                   reason=scope.why_not_shared("operate")),
        LinkButton(_("Edit"), reverse("web:supplier_edit", args=[supplier.pk]), "pencil", reason=scope.why_not_shared("operate")),
    ],
    facts=lambda supplier, scope: [
        Fact(_("Who he is"), supplier.get_source_display()),
        Fact(_("Purchases go as"), _way(supplier)),
        Fact(_("E-mail for purchases"), supplier.email),
        Fact(_("Language of workbooks"), dict(LANGUAGES).get(supplier.language, supplier.language)),
        Fact(_("Currency"), supplier.currency, "code"),
        Fact(_("Country"), regions.country(supplier.country)),
        Fact(_("Freight per parcel"), Money(supplier.parcel_freight, supplier.currency), "money"),
        Fact(_("Working days to ship"), supplier.handling_days, "quantity"),
        Fact(_("Ships to"), listed(supplier.ships_to) or _("everywhere")),
        Fact(_("Added"), supplier.created_at, "datetime"),
    ],
    panels=_panels,
    aside=_aside,
)  # fmt: skip


# --- Adding and editing -----------------------------------------------------------------------------------------

LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]


class SupplierForm(forms.ModelForm):
    ships_to = forms.CharField(
        label=_("Ships to"), required=False, max_length=800,
        help_text=_("Countries as two letters with commas between, such as GB, FR, DE. Empty: everywhere."),
    )  # fmt: skip
    language = forms.ChoiceField(label=_("Language of workbooks"), choices=LANGUAGES)
    is_trade = forms.BooleanField(label=_("He is a factory or wholesaler who agrees to ship for us, whatever his name says"), required=False)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not (self.is_bound and rules.consumer_words(str(self.data.get("name", "")))):
            del self.fields["is_trade"]  # nobody else is asked

    class Meta:
        model = Supplier
        fields = (
            "name", "source", "state", "kind", "delivery", "email", "language", "currency", "country", "parcel_freight", "handling_days",
            "ships_to",
        )  # fmt: skip
        labels = {
            "name": _("Name"), "source": _("Who he is"), "state": _("State"), "kind": _("How purchases reach him"), "delivery": _("Workbooks go"),
            "email": _("E-mail for purchases"), "currency": _("Currency"), "country": _("Country"),
            "parcel_freight": _("Freight per parcel"), "handling_days": _("Working days to ship"),
        }  # fmt: skip
        help_texts = {
            "source": _("Nothing is bought for a buyer at a shop on a consumer platform."),
            "currency": _("Three letters, such as CNY, USD or GBP: he is priced and paid in it."),
            "country": _("Two letters, such as CN."),
            "parcel_freight": _("Once for each parcel, in his currency."),
        }

    def clean_ships_to(self) -> list[str]:
        return [word.strip().upper() for word in self.cleaned_data["ships_to"].replace("，", ",").split(",") if word.strip()]

    def clean(self):
        found = super().clean()
        wrong = [code for code in found.get("ships_to") or [] if not (len(code) == 2 and code.isascii() and code.isalpha())]
        if wrong:
            self.add_error("ships_to", _("“%(word)s” is no country; write two letters, such as GB.") % {"word": wrong[0]})
        return found

    def _post_clean(self) -> None:
        """The command checks and saves; the form only reads."""


class NewSupplierForm(SupplierForm):
    code = forms.SlugField(label=_("Code"), max_length=40, help_text=_("Short, for files and programs; it stays."))
    entrusted_on = forms.DateField(
        label=_("Entrustment of personal data signed on"), required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("If it is signed already, he may ship for all own stores from then on. Empty: his page has the text to be signed; "
                    "until then no buyer's address goes to him."),
    )  # fmt: skip
    field_order = ("code", "name")


def _add(scope, thing, data, *, by, at):
    supplier = put_right.add_supplier(by=by, at=at, **data)
    return reverse("web:supplier", args=[supplier.pk])


def _nothing(scope, **address):
    scope.require_shared("operate")
    return True


def _editable(scope, pk: int):
    scope.require_shared("operate")
    return queries.supplier_with_id(pk)


ADD = FormPage(
    title=_("Add a supplier"),
    form=NewSupplierForm,
    load=_nothing,
    initial=lambda scope, thing: {"source": "trade", "kind": "workbook", "delivery": "mail", "language": "zh-hans", "currency": "CNY", "country": "CN",
                                  "parcel_freight": 0, "handling_days": 2, "state": "active"},
    save=_add,
    success=_("Added. Next: record what was agreed, and import the price list."),
    submit=_("Add"),
    back=(_("Suppliers"), lambda: reverse("web:suppliers")),
)  # fmt: skip


class SuppliersFileForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV or a workbook with the columns code, name, currency, and perhaps email, country, parcel_freight, handling_days, ships_to, entrusted_on."),
    )


def _read_file(scope, thing, data, *, by, at):
    done = read_suppliers(name=data["file"].name, content=data["file"].read(), by=by, at=at)
    if done.refused:
        raise Refused(
            now("%(added)d suppliers were added, %(n)d rows were not. Row %(row)d: %(sentence)s")
            % {"added": len(done.added), "n": len(done.refused), "row": done.refused[0].row, "sentence": done.refused[0].sentence()},
            code="rows_refused", field="file",
        )  # fmt: skip
    return reverse("web:suppliers")


FROM_FILE = FormPage(
    title=_("Suppliers from a file"),
    form=SuppliersFileForm,
    load=_nothing,
    save=_read_file,
    submit=_("Read"),
    success=_("Read. Suppliers that were there already stay as they are, but for the day of the entrustment."),
    intro=_("With the day in entrusted_on a supplier may ship for all own stores from then on; without it no buyer's address goes to him."),
    back=(_("Suppliers"), lambda: reverse("web:suppliers")),
)


def _edit(scope, supplier, data, *, by, at):
    put_right.edit_supplier(supplier_id=supplier.pk, by=by, at=at, **data)
    return reverse("web:supplier", args=[supplier.pk])


EDIT = FormPage(
    title=lambda supplier, scope: _("Edit %(name)s") % {"name": supplier.name},
    form=SupplierForm,
    load=_editable,
    initial=lambda scope, supplier: {
        **{name: getattr(supplier, name) for name in SupplierForm.Meta.fields if name != "ships_to"},
        "parcel_freight": supplier.parcel_freight.normalize() if supplier.parcel_freight else 0,
        "ships_to": ", ".join(supplier.ships_to),
    },
    save=_edit,
    success=_("Saved."),
    back=lambda supplier: (supplier.name, reverse("web:supplier", args=[supplier.pk])),
)

# --- Agreements -------------------------------------------------------------------------------------------------


class TermsForm(forms.Form):
    valid_from = forms.DateField(label=_("Valid from"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    valid_until = forms.DateField(
        label=_("Valid until"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Empty: until it is ended."),
    )  # fmt: skip
    remind_days = forms.IntegerField(
        label=_("Remind so many days before it ends"), required=False, min_value=0, max_value=365, initial=30
    )
    is_authorised = forms.BooleanField(label=_("He is authorised to ship for this store"), required=False)
    neutral_packing = forms.BooleanField(label=_("Neutral packing, no other shop's labels"), required=False)
    no_cards = forms.BooleanField(label=_("No cards or leaflets of anybody in the parcel"), required=False)
    platform_waybill = forms.BooleanField(label=_("He ships with the platform's own e-waybill"), required=False)
    stock_secured = forms.BooleanField(label=_("The goods are bought or reserved for us in advance"), required=False)
    ships_from = forms.CharField(
        label=_("Ships from"), required=False, max_length=120,
        help_text=_("The places your buyers are told, with commas between: the first scan of a parcel is compared with them."),
    )  # fmt: skip
    returns_to = forms.CharField(label=_("Return address"), required=False, max_length=300)
    returns_paid_by = forms.ChoiceField(label=_("Who pays for returns"), choices=[("", "–"), *Agreement.PAYERS], required=False)
    claim_days = forms.IntegerField(
        label=_("Days in which a claim can be made"), required=False, min_value=0, max_value=365,
        help_text=_("Counted from delivery."),
    )  # fmt: skip
    entrusted_on = forms.DateField(
        label=_("Entrustment of personal data signed on"), required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Without it no buyer's address goes to him (Personal Information Protection Law art. 21, GDPR art. 28). Its text is ready on his page."),
    )  # fmt: skip
    note = forms.CharField(
        label=_("What was agreed, with whom, when"), required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 3})
    )


    def clean_remind_days(self) -> int:
        days = self.cleaned_data["remind_days"]
        return 30 if days is None else days


TERMS = tuple(TermsForm.base_fields)


def _agreement_form(scope, thing):
    choices = [(str(store.id), store.name) for store in scope.stores if store.is_sample == thing.is_sample]
    if scope.may_shared("operate"):
        choices.insert(0, ("", _("all own stores, those to come too")))

    class AgreementForm(TermsForm):
        valid_from = forms.DateField(
            label=_("Valid from"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            help_text=_("In the store's zone; empty: today."),
        )  # fmt: skip
        store = forms.ChoiceField(
            label=_("For which store"), choices=choices, required=not scope.may_shared("operate"),
            help_text=_("A store on a marketplace needs an agreement that names it."),
        )  # fmt: skip
        papers = forms.FileField(
            label=_("Signed paper"), required=False, help_text=_("A PDF, a picture, DOCX or XLSX, up to 20 MB. More can be added later."),
        )  # fmt: skip
        field_order = ("store", *TERMS, "papers")

    return AgreementForm


def _record(scope, supplier, data, *, by, at):
    store_id = int(data["store"]) if data["store"] else None
    if store_id is None:
        scope.require_shared("operate")
    else:
        scope.whole.require(store_id, "operate")
    paper = data["papers"]
    agreement, _routed = put_right.record_agreement(
        supplier_id=supplier.pk, store_id=store_id, by=by, at=at, **{name: data[name] for name in TERMS},
        papers=[(paper.name, paper.read(sourcing.MOST_DOCUMENT + 1))] if paper else [],
    )  # fmt: skip
    return reverse("web:agreement", args=[agreement.pk])


def _waiting_store(scope, supplier) -> str:
    """For whom it is most likely meant: the store worked in now, else the marketplace that lacks it; "" = all own stores."""
    if scope.current is not None:
        return str(scope.current.id)
    market = [store for store in stores_for(supplier, scope) if store.kind not in rules.OWN_KINDS]
    refused = queries.refusals([(store.id, supplier.pk) for store in market], at=scope.at)
    return next((str(store.id) for store in market if refused.get((store.id, supplier.pk)) == "agreement_missing"), "")


AGREE = FormPage(
    title=lambda supplier, scope: _("Agreement with %(name)s") % {"name": supplier.name},
    form=_agreement_form,
    load=_supplier,
    initial=lambda scope, supplier: {"store": _waiting_store(scope, supplier), "remind_days": 30},
    panels=lambda scope, supplier: [_consumer_note(supplier, scope)] if supplier.source == CONSUMER else [],
    save=_record,
    success=_("Recorded. Orders that were held for want of it are looked at again."),
    submit=_("Record"),
    intro=_("Buyers' addresses go to a supplier only with a recorded agreement that he ships for the store. What a "
            "marketplace asks for besides stands in the rule book; the supplier's page says what is still missing."),
    back=lambda supplier: (supplier.name, reverse("web:supplier", args=[supplier.pk])),
)  # fmt: skip


def _change(scope, agreement, data, *, by, at):
    put_right.edit_agreement(agreement_id=agreement.pk, by=by, at=at, **{name: data[name] for name in TERMS})
    return reverse("web:agreement", args=[agreement.pk])


def _changeable(scope, pk: int):
    return _endable(scope, pk)


CHANGE = FormPage(
    title=lambda one, scope: _("Change the agreement with %(name)s") % {"name": one.supplier.name},
    form=TermsForm,
    load=_changeable,
    initial=lambda scope, one: {name: getattr(one, name) for name in TERMS},
    save=_change,
    success=_("Saved. Orders that were held for want of it are looked at again."),
    intro=_("What it said before stays in its history. Something agreed anew is better recorded as a new agreement."),
    back=lambda one: (one.supplier.name, reverse("web:agreement", args=[one.pk])),
)  # fmt: skip


def _agreement(scope, pk: int) -> Agreement | None:
    found = Agreement.objects.select_related("supplier", "store").filter(pk=pk).first()
    if found is not None and found.store_id is not None and scope.whole.store(found.store_id) is None:
        return None
    return found


def _why_not_end(agreement, scope):
    return scope.why_not("operate", agreement.store_id) if agreement.store_id else scope.why_not_shared("operate")


def _papers(agreement, scope) -> list[Any]:
    class PaperForm(forms.Form):
        paper = forms.FileField(label=_("A PDF, a picture, DOCX or XLSX, up to 20 MB"))

    return [
        TablePanel(
            _("Papers"),
            [
                Column("name", _("File"), link=True, hint=lambda one: f"{one.sha256[:16]}…"),
                Column("size", _("Size"), value=lambda one: f"{max(1, one.size // 1024):,} kB"),
                Column("at", _("Added"), "datetime"),
            ],
            queries.documents_of(agreement.pk),
            row_url=lambda one: reverse("web:agreement_paper", args=[agreement.pk, one.pk]),
            empty=_("No signed paper is kept here yet."),
        ),
        FormPanel(_("Add a paper"), PaperForm(), reverse("web:agreement_papers", args=[agreement.pk]), _("Add"), "upload",
                  reason=_why_not_end(agreement, scope)),
    ]  # fmt: skip


def _lacks(agreement, scope) -> list[Any]:
    """What the store's channel asks for and this agreement does not say."""
    if agreement.store is None or agreement.store.kind in rules.OWN_KINDS:
        return []
    refused = queries.refusals([(agreement.store_id, agreement.supplier_id)], at=scope.at)
    verdict = refused.get((agreement.store_id, agreement.supplier_id))
    if verdict:
        return [NotePanel(verdict.sentence, tone="warning")]
    return [NotePanel(_("With this agreement he may ship for the store."), tone="success")]


AGREEMENT = DetailPage(
    load=_agreement,
    store_id=None,
    title=lambda one, scope: _("Agreement with %(name)s") % {"name": one.supplier.name},
    back=lambda one: (one.supplier.name, reverse("web:supplier", args=[one.supplier_id])),
    badges=lambda one, scope: [_agreement_state(one, scope.at.astimezone(scope.zone(one.store_id)).date())],
    actions=lambda one, scope: [
        LinkButton(_("Change"), reverse("web:agreement_change", args=[one.pk]), "pencil", reason=_why_not_end(one, scope)),
        LinkButton(_("End it"), reverse("web:agreement_end", args=[one.pk]), "ban", "danger", reason=_why_not_end(one, scope)),
    ],
    facts=lambda one, scope: [
        Fact(_("Supplier"), one.supplier.name, url=reverse("web:supplier", args=[one.supplier_id])),
        Fact(_("For"), _for_whom(one)),
        Fact(_("Valid from"), one.valid_from, "date"),
        Fact(_("Valid until"), one.valid_until, "date", hint="" if one.valid_until else _("until it is ended")),
        Fact(_("Authorised to ship for us"), one.is_authorised, "yes_no"),
        Fact(_("Neutral packing"), one.neutral_packing, "yes_no"),
        Fact(_("No cards or leaflets"), one.no_cards, "yes_no"),
        Fact(_("The platform's own e-waybill"), one.platform_waybill, "yes_no"),
        Fact(_("Goods bought or reserved in advance"), one.stock_secured, "yes_no"),
        Fact(_("Entrustment of personal data"), one.entrusted_on, "date", hint="" if one.entrusted_on else _("not signed")),
        Fact(_("Ships from"), one.ships_from),
        Fact(_("Return address"), one.returns_to),
        Fact(_("Who pays for returns"), one.get_returns_paid_by_display() if one.returns_paid_by else None),
        Fact(_("Days in which a claim can be made"), one.claim_days, "quantity"),
        Fact(_("Note"), one.note),
        Fact(_("Recorded"), one.recorded_at, "datetime", hint=fmt.actor_names([one.recorded_by])[one.recorded_by]),
    ],
    panels=lambda one, scope: [*_lacks(one, scope), *_papers(one, scope)],
)  # fmt: skip


@page("operate", methods=("POST",))
def add_paper(request, scope, pk: int):
    agreement = _endable(scope, pk)
    if agreement is None:
        raise Http404
    files = [(one.name, one.read(sourcing.MOST_DOCUMENT + 1)) for one in request.FILES.getlist("paper")]
    kept, refused = sourcing.add_documents(agreement_id=pk, files=files, by=scope.by, at=scope.at)
    return after(
        request, reverse("web:agreement", args=[pk]), _("Kept.") if kept else None,
        refused=refused or ([] if files else [str(_("Choose a file first."))]),
    )  # fmt: skip


@page("view")
def paper(request, scope, pk: int, document: int):
    agreement = _agreement(scope, pk)
    found = next((one for one in queries.documents_of(pk) if one.pk == document), None) if agreement else None
    path = keeping.path_of(sourcing.DOCUMENT_FOLDER, found.sha256) if found else None
    if path is None or not path.is_file():
        raise Http404
    response = FileResponse(path.open("rb"), as_attachment=True, filename=found.name, content_type=found.media_type)
    response["X-Content-Type-Options"] = "nosniff"
    return response


class EndForm(forms.Form):
    last_day = forms.DateField(label=_("Last day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))


def _endable(scope, pk: int):
    found = _agreement(scope, pk)
    if found is not None:
        if found.store_id is None:
            scope.require_shared("operate")
        else:
            scope.whole.require(found.store_id, "operate")
    return found


def _end(scope, agreement, data, *, by, at):
    sourcing.end_agreement(agreement_id=agreement.pk, last_day=data["last_day"], by=by, at=at)
    return reverse("web:agreement", args=[agreement.pk])


END = FormPage(
    title=lambda one, scope: _("End the agreement with %(name)s") % {"name": one.supplier.name},
    form=EndForm,
    load=_endable,
    initial=lambda scope, one: {"last_day": scope.at.astimezone(scope.zone(one.store_id)).date()},
    save=_end,
    success=_("The agreement ends on that day. What is placed already goes on."),
    submit=_("End it"),
    intro=_("After its last day nothing is routed here any more; a day before it began means never."),
    back=lambda one: (one.supplier.name, reverse("web:supplier", args=[one.supplier_id])),
)

# --- Offers -----------------------------------------------------------------------------------------------------


def _mapped(row) -> Any:
    if not row.variants:
        return fmt.badge(_("not mapped"), "muted")
    tones = {"verified": "success", "proposed": "info", "broken": "danger"}
    return format_html_join(
        " ", '<a href="{}" class="badge tone-{}">{}</a>',
        ((reverse("web:variant", args=[variant]), tones.get(state, "neutral"), sku) for variant, sku, state in row.variants[:4]),
    )  # fmt: skip


def _stock(row):
    if row.stock is None:
        return None
    if not row.stock_at:
        return fmt.quantity_text(row.stock)
    return format_html(
        '<span class="num">{}</span><div class="text-secondary small">{}</div>', fmt.quantity_text(row.stock), fmt.ago(row.stock_at)
    )


OFFER_COLUMNS = [
    Column("supplier_sku", _("Supplier's SKU"), "code", link=True),
    Column("title", _("Title"), wrap=True),
    Column("price", _("Price"), "money", currency="currency"),
    Column("stock", _("Stock told"), "html", value=_stock, export=False, phone=False),
    Column("variants", _("Our SKU"), "html", value=_mapped, export=False),
    Column("state", _("State"), "state", states="offer"),
    Column("freight", _("Freight"), "money", currency="currency", phone=False),
    Column("lead_days", _("Days to ship"), "quantity", phone=False),
    Column("read_at", _("Read"), "ago", phone=False),
]

OFFERS = ListPage(
    title=_("Offers"),
    search=_("Supplier's SKU, our SKU, words of the title"),
    order=goods.BY_SUPPLIER,
    rows=lambda scope, filters, cursor, limit: goods.offer_list(
        q=filters.get("q"), supplier_id=int(filters["supplier"]) if "supplier" in filters else None, state=filters.get("state"),
        unmapped=filters.get("unmapped", False), cursor=cursor, limit=limit,
    ),
    columns=[OFFER_COLUMNS[0], OFFER_COLUMNS[1], Column("supplier_name", _("Supplier"), hint="supplier_code"), *OFFER_COLUMNS[2:]],
    filters=[
        Choice("supplier", _("Supplier"), lambda scope: list(Supplier.objects.order_by("name").values_list("id", "name"))),
        Choice("state", _("State"), SupplierOffer.STATES),
        Toggle("unmapped", _("Not mapped only")),
    ],
    row_url=lambda row: reverse("web:offer", args=[row.id]),
    bulk=[BulkAction(_("Mark as unavailable"), lambda: reverse("web:offers_unavailable"), "ban",
                     confirm=_("Buy none of the chosen offers until a list names them again?"))],
    actions=lambda scope: [
        LinkButton(_("Suppliers"), reverse("web:suppliers"), "arrow-left"),
        LinkButton(_("Import a price list"), reverse("web:import_add", args=["offers"]), "file-import", "primary",
                   reason=scope.why_not_shared("operate")),
    ],
    empty=lambda scope: EmptyPanel(
        _("No offers yet"), _("Import the price list of a supplier: CSV or a workbook, as he sends it."), icon="tags",
        actions=[LinkButton(_("Import a price list"), reverse("web:import_add", args=["offers"]), "file-import", "primary",
                            reason=scope.why_not_shared("operate"))],
    ),
    export="offers",
)  # fmt: skip


@page("operate", methods=("POST",))
def unavailable(request, scope):
    scope.require_shared("operate")
    ids = chosen_ids(request)
    changed = sourcing.set_offers_unavailable(ids, by=scope.by, at=scope.at)
    done = ngettext("%(n)d offer is not bought from any more.", "%(n)d offers are not bought from any more.", len(changed))
    left = len(ids) - len(changed)
    return after(
        request, reverse("web:offers"), done % {"n": len(changed)} if changed else None,
        refused=[ngettext("%(n)d was unavailable already.", "%(n)d were unavailable already.", left) % {"n": left}] if left else [],
    )  # fmt: skip


def _offer(scope, pk: int) -> SupplierOffer | None:
    return SupplierOffer.objects.select_related("supplier").filter(pk=pk).first()


OFFER = DetailPage(
    load=_offer,
    store_id=None,
    title=lambda offer, scope: offer.supplier_sku,
    pretitle=lambda offer, scope: offer.title,
    back=(_("Offers"), lambda: reverse("web:offers")),
    badges=lambda offer, scope: [fmt.state_badge("offer", offer.state)],
    actions=lambda offer, scope: [
        samples_page.add_button(scope, offer=offer.pk),
        ActionButton(
            _("Mark as unavailable"), reverse("web:offers_unavailable"), "ban", fields={"ids": offer.pk},
            reason=scope.why_not_shared("operate") or (None if offer.state in ("live", "stale") else _("It is not bought from already.")),
            confirm=_("Buy none of it until a list names it again?"),
        )
    ],
    facts=lambda offer, scope: [
        Fact(_("Supplier"), offer.supplier.name, url=reverse("web:supplier", args=[offer.supplier_id])),
        Fact(_("Price"), Money(offer.price, offer.supplier.currency), "money"),
        Fact(_("Freight"), Money(offer.freight, offer.supplier.currency), "money"),
        Fact(_("Stock told"), offer.stock, "quantity", hint=fmt.ago(offer.stock_at) if offer.stock_at else ""),
        Fact(_("Days to ship"), offer.lead_days if offer.lead_days is not None else offer.supplier.handling_days, "quantity"),
        Fact(_("Ships to"), listed(offer.ships_to or offer.supplier.ships_to) or _("everywhere")),
        Fact(_("Known from"), {"list": _("a price list"), "hand": _("entered by hand"), "sample": _("the sample shop")}.get(offer.source, offer.source)),
        Fact(_("Read"), offer.read_at, "datetime"),
    ],
    panels=lambda offer, scope: [
        TablePanel(
            _("Mapped to"),
            [
                Column("sku", _("Our SKU"), "code", value="variant__sku", link=True),
                Column("title", _("Product"), value="variant__product__title", wrap=True),
                Column("version", _("Version"), "quantity"),
                Column("rank", _("Rank"), "quantity"),
                Column("factor", _("Pieces in a pack"), "quantity"),
                Column("state", _("State"), "state", states="mapping"),
            ],
            SkuMapping.objects.filter(offer=offer).exclude(state="superseded").select_related("variant__product").order_by("variant__sku", "-version")[:100],
            row_url=lambda one: reverse("web:variant", args=[one.variant_id]),
            empty=_("No variant is bought by this offer. Open the variant in the catalogue and map it."),
        )
    ],
)  # fmt: skip

urlpatterns = [
    path("suppliers/", SUPPLIERS.view, name="suppliers"),
    path("suppliers/add/", ADD.view, name="supplier_add"),
    path("suppliers/file/", FROM_FILE.view, name="suppliers_file"),
    path("suppliers/<int:pk>/", SUPPLIER.view, name="supplier"),
    path("suppliers/<int:pk>/edit/", EDIT.view, name="supplier_edit"),
    path("suppliers/<int:pk>/agreements/add/", AGREE.view, name="supplier_agreement"),
    path("suppliers/agreements/<int:pk>/", AGREEMENT.view, name="agreement"),
    path("suppliers/agreements/<int:pk>/change/", CHANGE.view, name="agreement_change"),
    path("suppliers/agreements/<int:pk>/papers/", add_paper, name="agreement_papers"),
    path("suppliers/agreements/<int:pk>/papers/<int:document>/", paper, name="agreement_paper"),
    path("suppliers/agreements/<int:pk>/end/", END.view, name="agreement_end"),
    path("suppliers/offers/", OFFERS.view, name="offers"),
    path("suppliers/offers/unavailable/", unavailable, name="offers_unavailable"),
    path("suppliers/offers/<int:pk>/", OFFER.view, name="offer"),
]
