"""Parcels that were looked into, and test orders."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from daifa.domain.cases import files
from daifa.domain.orders.queries import OrderDetail
from daifa.domain.shipping.checks import PHOTO_FOLDER
from daifa.domain.shipping.models import ParcelCheck
from daifa.domain.shipping.process import PARCEL_CHECK
from daifa.domain.sourcing.models import Sample
from daifa.domain.sourcing.process import SAMPLE
from daifa.flows.gather_evidence.draft import Draft, Section
from daifa.flows.gather_evidence.photos import MOST_PHOTOS, add_photo
from daifa.flows.gather_evidence.writing import json_bytes, safe_name, state_word
from daifa.lib import bulk


def tell_checks(draft: Draft, orders: Sequence[OrderDetail]) -> None:
    """Photos of these orders' parcels that were read, and test orders of the same suppliers."""
    ids = [detail.order["id"] for detail in orders]
    suppliers = [row[0] for row in bulk.fetch(
        "SELECT DISTINCT supplier_id FROM purchasing_purchaseorder WHERE order_id = ANY(%s::bigint[])", (ids,)
    )]  # fmt: skip
    found = ParcelCheck.objects.filter(store=draft.store, order_id__in=ids) | ParcelCheck.objects.filter(
        store=draft.store, supplier_id__in=suppliers, about__in=("test_order", "sample")
    )
    section = Section(_("Parcels checked"))
    rows = []
    if draft.case_kind:  # a test order that failed is our matter with the supplier
        found = found.exclude(pk__in=draft.breaches).exclude(about__in=("test_order", "sample"), state="breach")
    for one in found.select_related("supplier").order_by("at", "id")[:MOST_PHOTOS]:
        rows.append([
            draft.when(one.at), str(one.get_about_display()), one.supplier.name if one.supplier else "", state_word(PARCEL_CHECK, one.state),
            draft.words(one.reason),
        ])  # fmt: skip
        if one.sha256 not in draft.shown and files.path_of(one.sha256, PHOTO_FOLDER).is_file():
            name = f"parcel-checks/{one.pk}-{safe_name(one.name)}"
            add_photo(draft, section, name, one.sha256, PHOTO_FOLDER, f"{draft.when(one.at)} · {state_word(PARCEL_CHECK, one.state)}")
    if rows:
        section.tables.append(("", [_("Time"), _("What for"), _("Supplier"), _("Result"), _("Why")], rows))
    _tell_samples(draft, section, suppliers)
    if section.tables:
        draft.sections.append(section)


def _tell_samples(draft: Draft, section: Section, suppliers: Sequence[int]) -> None:
    """Test orders from the same suppliers to our own address, and what came of them."""
    found = list(
        Sample.objects.filter(store=draft.store, supplier_id__in=suppliers).exclude(ordered_at=None).select_related("supplier")
        .order_by("ordered_at", "id")[:MOST_PHOTOS]
    )  # fmt: skip
    if not found:
        return
    told = [
        {
            "supplier": one.supplier.name, "article": one.supplier_sku or one.title, "quantity": one.quantity, "ordered_at": one.ordered_at,
            "received_at": one.received_at, "carrier": one.carrier, "number": one.number, "result": one.state,
            "why": draft.words(one.verdict), "judged_at": one.judged_at,
        }
        | ({"cost": one.cost, "currency": one.currency} if draft.costs else {})
        for one in found
    ]  # fmt: skip
    draft.add("test-orders.json", json_bytes(told), _("test orders from the same suppliers, and what came of them"))
    section.tables.append((
        _("Test orders"),
        [_("Supplier"), _("Article"), _("Ordered"), _("Received"), _("Result"), _("Why")],
        [
            [one.supplier.name, one.supplier_sku or one.title, draft.when(one.ordered_at), draft.when(one.received_at),
             state_word(SAMPLE, one.state), draft.words(one.verdict)]
            for one in found
        ],
    ))  # fmt: skip
