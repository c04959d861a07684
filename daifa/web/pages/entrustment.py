"""The entrustment of personal data of a supplier: when it was signed, and its text ready to be signed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.sourcing import queries
from daifa.domain.sourcing.models import Agreement, Supplier
from daifa.flows import put_right
from daifa.flows.entrustment import as_pdf, as_text, file_name
from daifa.lib.refusal import Refused
from daifa.web.kit import (
    Badge,
    Column,
    DetailPage,
    FormPanel,
    LinkButton,
    NotePanel,
    Panel,
    Scope,
    TablePanel,
    after,
    page,
)

LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
ENDINGS = [("pdf", gettext_lazy("PDF, to be printed")), ("txt", gettext_lazy("text, to be sent"))]


def _stores(scope: Scope, supplier: Supplier) -> list[Any]:
    """The stores the reader sees that this supplier could ship for: the sample shop stays among itself."""
    return [store for store in scope.stores if store.is_sample == supplier.is_sample]


def signed_form(scope: Scope, supplier: Supplier, data: Any = None) -> forms.Form:
    """One day; for whom is asked only of those who may say it for a single store only, or have several."""
    choices = [("", _("all stores he ships for"))] if scope.may_shared("operate") else []
    choices += [(str(store.id), store.name) for store in _stores(scope, supplier)]

    class SignedForm(forms.Form):
        signed_on = forms.DateField(
            label=_("Signed on"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        )
        if len(choices) > 1:
            store = forms.ChoiceField(label=_("For"), choices=choices, required=False)

    return SignedForm(data)


def signed_panel(scope: Scope, supplier: Supplier) -> Panel:
    """The short way: the day, and everything that was held for it goes on."""
    return FormPanel(
        _("Entrustment of personal data signed?"),
        signed_form(scope, supplier),
        reverse("web:entrustment_signed", args=[supplier.pk]),
        _("Record"),
        "pencil",
        intro=_("Enter the day on which he signed. What is held for it goes on by itself."),
        reason=scope.why_not("operate"),
    )


def why_unsigned(supplier: Supplier, scope: Scope) -> str:
    """The sentence of the gate where only the signature is missing for some store the reader sees; else ""."""
    refused = queries.refusals([(store.id, supplier.pk) for store in _stores(scope, supplier)], at=scope.at)
    return next((one.sentence for one in refused.values() if one == "entrustment_missing"), "")


@page("operate", methods=("POST",))
def signed(request, scope: Scope, pk: int):
    supplier = queries.supplier_with_id(pk)
    if supplier is None:
        raise Http404
    form = signed_form(scope, supplier, request.POST)
    back = reverse("web:supplier", args=[pk])
    if not form.is_valid():
        return after(request, back, refused=[sentence for some in form.errors.values() for sentence in some])
    store = form.cleaned_data.get("store") or (None if scope.may_shared("operate") else _only(scope, supplier))
    if store is None:
        scope.require_shared("operate")
    else:
        scope.whole.require(int(store), "operate")
    try:
        _agreements, routed = put_right.record_entrustment(
            supplier_id=pk, signed_on=form.cleaned_data["signed_on"], store_id=int(store) if store else None,
            by=scope.by, at=scope.at,
        )  # fmt: skip
    except Refused as no:
        return after(request, back, refused=[no.sentence])
    return after(
        request, back,
        ngettext(
            "Recorded; %(n)d held order is looked at again. If it lacks something else it stays held and says what.",
            "Recorded; %(n)d held orders are looked at again. Those that lack something else stay held and say what.",
            routed,
        ) % {"n": routed}
        if routed else _("Recorded."),
    )  # fmt: skip


def _only(scope: Scope, supplier: Supplier) -> int | None:
    return next((store.id for store in _stores(scope, supplier)), None)


class PaperForm(forms.Form):
    our_name = forms.CharField(
        label=gettext_lazy("Your name, as on the licence"), max_length=120, required=False,
        help_text=gettext_lazy("Empty: a line to fill in."),
    )  # fmt: skip
    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=LANGUAGES)
    ending = forms.ChoiceField(label=gettext_lazy("As"), choices=ENDINGS)


@page("operate", methods=("POST",))
def paper(request, scope: Scope, pk: int):
    supplier = queries.supplier_with_id(pk)
    if supplier is None:
        raise Http404
    form = PaperForm(request.POST)
    if not form.is_valid():
        return after(request, reverse("web:entrustment", args=[pk]), refused=[str(form.errors)])
    given = form.cleaned_data
    asked = {
        "supplier_id": pk, "store_ids": [store.id for store in _stores(scope, supplier)], "language": given["language"],
        "our_name": given["our_name"], "at": scope.at,
    }  # fmt: skip
    try:
        content = as_pdf(**asked) if given["ending"] == "pdf" else as_text(**asked).encode()
    except Refused as no:
        return after(request, reverse("web:entrustment", args=[pk]), refused=[no.sentence])
    kind = "application/pdf" if given["ending"] == "pdf" else "text/plain; charset=utf-8"
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{file_name(supplier.code, given["language"], given["ending"])}"'
    return response


def _agreements(supplier: Supplier, scope: Scope) -> list[Agreement]:
    seen = {store.id for store in scope.stores}
    return [
        one
        for one in Agreement.objects.filter(supplier=supplier).select_related("store").order_by("-valid_from", "-id")
        if one.store_id is None or one.store_id in seen
    ]


def _panels(supplier: Supplier, scope: Scope) -> list[Panel]:
    panels: list[Panel] = []
    if sentence := why_unsigned(supplier, scope):
        panels.append(NotePanel(sentence, tone="warning"))
    return [
        *panels,
        FormPanel(
            _("Have it signed"),
            PaperForm(initial={"language": supplier.language, "ending": "pdf"}),
            reverse("web:entrustment_paper", args=[supplier.pk]),
            _("Get the text"),
            "download",
            intro=_("Both names and the data he is given are filled in. It says what the law asks such a paper to say: purpose, duration, kind of data, "
                    "protection, no further entrusting, return and deletion, supervision. Read it before you sign: it is a draft, no legal advice."),
            reason=scope.why_not("operate"),
        ),
        signed_panel(scope, supplier),
        TablePanel(
            _("What is recorded"),
            [
                Column("store", _("For"), value=lambda one: one.store.name if one.store else str(_("all own stores")), link=True),
                Column("entrusted_on", _("Signed on"), "date"),
                Column("signed", "", "badge", value=lambda one: Badge(_("signed"), "success") if one.entrusted_on else Badge(_("not signed"), "warning")),
            ],
            _agreements(supplier, scope),
            row_url=lambda one: reverse("web:agreement", args=[one.pk]),
            empty=_("No agreement is recorded. Entering the day records one for all own stores."),
            note=_("Keep the signed paper with the agreement."),
        ),
    ]  # fmt: skip


ENTRUSTMENT = DetailPage(
    load=lambda scope, pk: queries.supplier_with_id(pk),
    store_id=None,
    title=lambda supplier, scope: _("Entrustment of personal data"),
    back=lambda supplier: (supplier.name, reverse("web:supplier", args=[supplier.pk])),
    actions=lambda supplier, scope: [
        LinkButton(_("Record an agreement"), reverse("web:supplier_agreement", args=[supplier.pk]), "file-text", reason=scope.why_not("operate")),
    ],
    facts=lambda supplier, scope: [],
    panels=_panels,
)  # fmt: skip

urlpatterns = [
    path("suppliers/<int:pk>/entrustment/", ENTRUSTMENT.view, name="entrustment"),
    path("suppliers/<int:pk>/entrustment/signed/", signed, name="entrustment_signed"),
    path("suppliers/<int:pk>/entrustment/paper/", paper, name="entrustment_paper"),
]
