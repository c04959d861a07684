"""Samples: what is ordered from a supplier to one's own address, its cost, its parcel, and the verdict."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import quote

from django import forms
from django.http import Http404
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from daifa.domain.shipping.process import PARCEL_CHECK
from daifa.domain.shipping.queries import checks_of_sample
from daifa.domain.sourcing import samples
from daifa.domain.sourcing.models import Sample, Supplier, SupplierOffer
from daifa.domain.sourcing.process import SAMPLE
from daifa.flows import order_samples
from daifa.lib import ocr
from daifa.lib.money import Money
from daifa.lib.refusal import Refused
from daifa.web.kit import (
    Badge,
    Choice,
    Column,
    DetailPage,
    EmptyPanel,
    Fact,
    FormPage,
    FormPanel,
    HtmlPanel,
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
from daifa.web.pages.parcel_checks import what_was_found


def columns(*, of_supplier: bool = False) -> list[Column]:
    """Columns of samples, for the list and for the supplier's page."""
    return [
        Column("id", gettext_lazy("Sample"), "code", value=lambda row: samples.number_of(row["id"]), link=True),
        *([] if of_supplier else [Column("supplier_name", gettext_lazy("Supplier"))]),
        Column("title", gettext_lazy("Goods"), value=lambda row: row["title"] or row["supplier_sku"], hint=lambda row: row["sku"] or "", wrap=True),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("state", gettext_lazy("State"), "state", states=SAMPLE),
        Column("cost", gettext_lazy("Cost"), "money", currency="currency"),
        Column("at", gettext_lazy("Since"), "datetime", phone=False),
    ]


def add_button(scope: Scope, style: str = "", *, supplier: int | None = None, offer: int | None = None) -> LinkButton:
    """To the form of a new sample, with what is known already."""
    url = (
        reverse("web:sample_add_offer", args=[offer]) if offer
        else reverse("web:sample_add_supplier", args=[supplier]) if supplier else reverse("web:sample_add")
    )  # fmt: skip
    return LinkButton(_("Order a sample"), url, "package", style, reason=scope.why_not("operate"))


SAMPLES = ListPage(
    title=gettext_lazy("Samples"),
    intro=gettext_lazy("Goods ordered to your own address, as a buyer would get them: the goods, the time, and what lies in the parcel."),
    order=samples.NEWEST,
    rows=lambda scope, filters, cursor, limit: samples.sample_page(
        scope.store_ids, state=filters.get("state"), cursor=cursor, limit=limit
    ),
    columns=columns(),
    filters=[Choice("state", gettext_lazy("State"), lambda scope: states.choices(SAMPLE), tabs=True)],
    row_url=lambda row: reverse("web:sample", args=[row["id"]]),
    actions=lambda scope: [LinkButton(_("Suppliers"), reverse("web:suppliers"), "arrow-left"), add_button(scope, "primary")],
    empty=lambda scope: EmptyPanel(
        _("No sample was ordered yet"),
        _("Before a supplier ships to your buyers, let him ship to you once."),
        icon="package",
        actions=[add_button(scope, "primary")],
    ),
    export="samples",
)  # fmt: skip


# --- A new one ----------------------------------------------------------------------------------------------------


def _form(scope: Scope, thing: Any) -> type[forms.Form]:
    class SampleForm(forms.Form):
        store = forms.ChoiceField(label=gettext_lazy("Whose books bear it"), choices=[(str(one.id), one.name) for one in scope.stores])
        supplier = forms.ModelChoiceField(
            label=gettext_lazy("Supplier"), queryset=Supplier.objects.exclude(source="consumer_platform").exclude(state="ended").order_by("name")
        )
        supplier_sku = forms.CharField(
            label=gettext_lazy("His SKU"), required=False, max_length=80, help_text=gettext_lazy("As in his price list; or write below what it is."),
        )
        title = forms.CharField(label=gettext_lazy("Goods"), required=False, max_length=255)
        quantity = forms.IntegerField(label=gettext_lazy("Pieces"), min_value=1, max_value=samples.MOST, initial=1)
        send_to = forms.CharField(
            label=gettext_lazy("Your own address"), max_length=300, widget=forms.Textarea(attrs={"rows": 2}),
            help_text=gettext_lazy("Name, street, city, postcode, phone: as a buyer would write it. Never a buyer's."),
        )
        note = forms.CharField(label=gettext_lazy("Besides"), required=False, max_length=500)

    return SampleForm


def _last_address(scope: Scope) -> str:
    newest = Sample.objects.filter(store_id__in=scope.all_store_ids).order_by("-id").values_list("send_to", flat=True).first()
    return newest or ""


def _wish(scope: Scope, **address: Any) -> dict[str, Any]:
    return {"address": _last_address(scope)}


def _initial(scope: Scope, thing: dict[str, Any]) -> dict[str, Any]:
    return {"store": scope.current.id if scope.current else None, "quantity": 1, "send_to": thing["address"], **thing.get("known", {})}


def _offer_wish(scope: Scope, offer: int) -> dict[str, Any] | None:
    found = SupplierOffer.objects.filter(pk=offer).first()
    if found is None:
        return None
    return _wish(scope) | {"known": {"supplier": found.supplier_id, "supplier_sku": found.supplier_sku, "title": found.title}}


def _supplier_wish(scope: Scope, supplier: int) -> dict[str, Any] | None:
    if not Supplier.objects.filter(pk=supplier).exists():
        return None
    return _wish(scope) | {"known": {"supplier": supplier}}


def _want(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: Any) -> str:
    store = scope.require(int(data["store"]), "operate")
    supplier = data["supplier"]
    offer = SupplierOffer.objects.filter(supplier=supplier, supplier_sku=data["supplier_sku"].strip()).first() if data["supplier_sku"] else None
    variant = offer.mappings.filter(state__in=("verified", "proposed")).values_list("variant_id", flat=True).first() if offer else None
    title = data["title"] or ("" if offer else data["supplier_sku"])
    sample = order_samples.want_sample(
        samples.NewSample(
            store.id, supplier.pk, data["send_to"], offer.pk if offer else None, variant, title, data["quantity"], data["note"]
        ),
        by=by, at=at,
    )  # fmt: skip
    return reverse("web:sample", args=[sample])


def _adding(load: Any) -> FormPage:
    return FormPage(
        title=gettext_lazy("Order a sample"),
        form=_form,
        load=load,
        initial=_initial,
        save=_want,
        submit=gettext_lazy("Note it"),
        success=gettext_lazy("Noted. Next: send him the order below, and say what it cost."),
        intro=gettext_lazy("daifa writes the order to the supplier; you send it. Its cost goes to the books as a sample, photos of the parcel are read like those of a complaint."),
        back=(gettext_lazy("Samples"), lambda: reverse("web:samples")),
    )


ADD, ADD_OFFER, ADD_SUPPLIER = _adding(_wish), _adding(_offer_wish), _adding(_supplier_wish)

# --- One ----------------------------------------------------------------------------------------------------------


class OrderedForm(forms.Form):
    cost = forms.DecimalField(
        label=gettext_lazy("Paid for goods and freight"), required=False, min_value=0, max_digits=15, decimal_places=2,
        help_text=gettext_lazy("Empty: it is free. What was paid goes to the books as a sample."),
    )  # fmt: skip
    currency = forms.CharField(label=gettext_lazy("Currency"), max_length=3)


class ShippedForm(forms.Form):
    number = forms.CharField(label=gettext_lazy("Waybill number"), max_length=60, required=False)
    carrier = forms.CharField(label=gettext_lazy("Carrier"), max_length=40, required=False)


class PhotosForm(forms.Form):
    photo = forms.FileField(
        label=gettext_lazy("Photo"),
        help_text=gettext_lazy("The label outside, the opened parcel, everything that lay in it. JPEG, PNG or WebP, up to 12 MB each."),
    )


class VerdictForm(forms.Form):
    passed = forms.ChoiceField(
        label=gettext_lazy("Verdict"), choices=[("yes", gettext_lazy("passed: he may ship to buyers")), ("no", gettext_lazy("failed"))]
    )
    verdict = forms.CharField(
        label=gettext_lazy("What you saw"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Goods as described? Packing neutral? How many days? Any card or other name?"),
    )  # fmt: skip


class CancelForm(forms.Form):
    refunded = forms.BooleanField(label=gettext_lazy("The money came back: reverse its entry"), required=False)
    reason = forms.CharField(label=gettext_lazy("Why"), max_length=300)


class NumberForm(forms.Form):
    number = forms.CharField(label=gettext_lazy("Waybill number"), max_length=60)
    carrier = forms.CharField(label=gettext_lazy("Carrier"), max_length=40, required=False)


STEPS = {"ordered": OrderedForm, "shipped": ShippedForm, "number": NumberForm, "received": forms.Form, "judged": VerdictForm, "cancelled": CancelForm}


def _load(scope: Scope, pk: int) -> Sample | None:
    return samples.sample_with_id(scope.all_store_ids, pk)


def _language(sample: Sample) -> str:
    return "zh-hans" if sample.supplier.language.startswith("zh") else "en"


def _letter(sample: Sample) -> Panel:
    subject, text = samples.letter(sample, _language(sample))
    return HtmlPanel("web/pages/sample_letter.html", {"subject": subject, "text": text}, _("The order, to copy or mail"))


def _mail(sample: Sample) -> str:
    subject, text = samples.letter(sample, _language(sample))
    return f"mailto:{quote(sample.supplier.email, safe='@')}?subject={quote(subject)}&body={quote(text)}"


def _step(sample: Sample, step: str, title: str, submit: str, icon: str, scope: Scope, intro: str = "", **initial: Any) -> FormPanel:
    return FormPanel(title, STEPS[step](initial=initial), reverse("web:sample_step", args=[sample.pk, step]), submit, icon, intro,
                     scope.why_not("operate", sample.store_id))  # fmt: skip


def _panels(sample: Sample, scope: Scope) -> list[Panel]:
    may = SAMPLE.next(sample.state)
    found: list[Panel] = []
    if sample.verdict:
        found.append(NotePanel(sample.verdict, tone="success" if sample.state == "passed" else "warning", title=states.word(SAMPLE, sample.state)))
    if sample.state == "wanted":
        found += [_letter(sample), _step(sample, "ordered", _("Ordered and paid?"), _("Ordered"), "shopping-cart", scope, currency=sample.currency)]
    if "shipped" in may:
        found.append(_step(sample, "shipped", _("Has it left?"), _("On its way"), "truck-delivery", scope))
    if sample.state in samples.NUMBERED:
        title = _("Another waybill number?") if sample.number else _("Do you know its waybill number by now?")
        found.append(_step(sample, "number", title, _("Note the number"), "barcode", scope, number=sample.number, carrier=sample.carrier))
    if "received" in may:
        found.append(_step(sample, "received", _("Is it here?"), _("Received"), "inbox", scope))
    if sample.state in ("received", "passed", "failed"):
        found += [_photos(sample), *_judging(sample, scope)]
    if "cancelled" in may:
        found.append(_step(sample, "cancelled", _("It does not come?"), _("Cancel it"), "ban", scope))
    return found


def _photos(sample: Sample) -> Panel:
    return TablePanel(
        _("Photos of the parcel"),
        [
            Column("id", _("Check"), "code", link=True, hint="name"),
            Column("state", _("Verdict"), "state", states=PARCEL_CHECK),
            Column("traces", _("What was found"), value=what_was_found, wrap=True),
            Column("at", _("Taken in"), "datetime"),
        ],
        checks_of_sample(sample.pk),
        row_url=lambda row: reverse("web:parcel_check", args=[row["id"]]),
        empty=_("None yet. Without one the sample cannot pass."),
        note=ocr.why_not() or _("Photos are read on this machine, like those of complaints."),
    )


def _judging(sample: Sample, scope: Scope) -> list[Panel]:
    stops = samples.why_not_pass(order_samples.photos_of(sample.pk))
    return [
        FormPanel(_("Add a photo"), PhotosForm(), reverse("web:sample_photos", args=[sample.pk]), _("Add"), "upload",
                  reason=scope.why_not("operate", sample.store_id)),
        *([NotePanel(stops, tone="info")] if stops and sample.state != "passed" else []),
        _step(sample, "judged", _("How is it?"), _("Judge"), "clipboard-check", scope, passed="no" if stops or sample.state == "passed" else "yes"),
    ]  # fmt: skip


SAMPLE_PAGE = DetailPage(
    load=_load,
    store_id="store_id",
    title=lambda sample, scope: _("Sample %(number)s") % {"number": samples.number_of(sample.pk)},
    pretitle=lambda sample, scope: sample.title or sample.supplier_sku,
    back=(gettext_lazy("Samples"), lambda: reverse("web:samples")),
    badges=lambda sample, scope: [Badge(states.word(SAMPLE, sample.state), states.tone(SAMPLE, sample.state))],
    actions=lambda sample, scope: [
        *([LinkButton(_("Mail it"), _mail(sample), "mail")] if sample.state == "wanted" and sample.supplier.email else []),
        *([LinkButton(_("Entrustment"), reverse("web:entrustment", args=[sample.supplier_id]), "shield-lock")] if sample.state == "passed" else []),
    ],
    facts=lambda sample, scope: [
        Fact(_("Supplier"), sample.supplier.name, url=reverse("web:supplier", args=[sample.supplier_id])),
        Fact(_("His SKU"), sample.supplier_sku, "code", url=reverse("web:offer", args=[sample.offer_id]) if sample.offer_id else None),
        Fact(_("Our SKU"), sample.variant.sku if sample.variant else "", "code", url=reverse("web:variant", args=[sample.variant_id]) if sample.variant_id else None),
        Fact(_("Pieces"), sample.quantity, "quantity"),
        Fact(_("Goes to"), sample.send_to),
        Fact(_("Besides"), sample.note),
        Fact(_("Cost"), Money(sample.cost or Decimal(0), sample.currency) if sample.ordered_at else None, "money",
             url=reverse("web:books_expenses") if sample.cost else None),
        Fact(_("Waybill number"), sample.number, "code", hint=sample.carrier),
        Fact(_("Ordered"), sample.ordered_at, "datetime", store_id=sample.store_id),
        Fact(_("On its way"), sample.shipped_at, "datetime", store_id=sample.store_id),
        Fact(_("Received"), sample.received_at, "datetime", store_id=sample.store_id),
        Fact(_("Judged"), sample.judged_at, "datetime", store_id=sample.store_id),
    ],
    panels=_panels,
)  # fmt: skip


@page("operate", methods=("POST",))
def step(request, scope: Scope, pk: int, step: str):
    sample = _load(scope, pk)
    if sample is None or step not in STEPS:
        raise Http404
    scope.require(sample.store_id, "operate")
    form = STEPS[step](request.POST)
    back = reverse("web:sample", args=[pk])
    if not form.is_valid():
        return after(request, back, refused=[sentence for some in form.errors.values() for sentence in some])
    try:
        _take(step, pk, form.cleaned_data, by=scope.by, at=scope.at)
    except Refused as no:
        return after(request, back, refused=[no.sentence])
    return after(request, back, _("Noted."))


def _take(step: str, pk: int, data: dict[str, Any], *, by: str, at: Any) -> None:
    match step:
        case "ordered":
            order_samples.order_sample(sample_id=pk, cost=data["cost"], currency=data["currency"], by=by, at=at)
        case "shipped":
            samples.ship_sample(sample_id=pk, number=data["number"], carrier=data["carrier"], by=by, at=at)
        case "number":
            samples.number_sample(sample_id=pk, number=data["number"], carrier=data["carrier"], by=by, at=at)
        case "received":
            samples.receive_sample(sample_id=pk, by=by, at=at)
        case "judged":
            order_samples.judge_sample(sample_id=pk, passed=data["passed"] == "yes", verdict=data["verdict"], by=by, at=at)
        case _:
            samples.cancel_sample(sample_id=pk, refunded=data["refunded"], reason=data["reason"], by=by, at=at)


@page("operate", methods=("POST",))
def photos(request, scope: Scope, pk: int):
    sample = _load(scope, pk)
    if sample is None:
        raise Http404
    scope.require(sample.store_id, "operate")
    files = [(one.name, one.read(ocr.MOST_BYTES + 1)) for one in request.FILES.getlist("photo")]
    kept, refused = order_samples.add_sample_photos(pk, files, by=scope.by, at=scope.at)
    return after(
        request, reverse("web:sample", args=[pk]), _("Kept. It is read within a minute or two.") if kept else None,
        refused=refused or ([] if files else [_("Choose a file first.")]),
    )  # fmt: skip


urlpatterns = [
    path("suppliers/samples/", SAMPLES.view, name="samples"),
    path("suppliers/samples/add/", ADD.view, name="sample_add"),
    path("suppliers/samples/add/offer/<int:offer>/", ADD_OFFER.view, name="sample_add_offer"),
    path("suppliers/samples/add/supplier/<int:supplier>/", ADD_SUPPLIER.view, name="sample_add_supplier"),
    path("suppliers/samples/<int:pk>/", SAMPLE_PAGE.view, name="sample"),
    path("suppliers/samples/<int:pk>/photos/", photos, name="sample_photos"),
    path("suppliers/samples/<int:pk>/<slug:step>/", step, name="sample_step"),
]
