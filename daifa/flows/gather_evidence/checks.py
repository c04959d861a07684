"""Parcels that were looked into, and test orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from daifa.domain.cases import files
from daifa.domain.orders.queries import OrderDetail
from daifa.domain.shipping.checks import PHOTO_FOLDER
from daifa.domain.shipping.models import ParcelCheck
from daifa.domain.shipping.process import PARCEL_CHECK
from daifa.domain.sourcing.models import Sample
from daifa.domain.sourcing.process import SAMPLE
from daifa.flows.gather_evidence.draft import Draft, Section
from daifa.flows.gather_evidence.photos import add_photo
from daifa.flows.gather_evidence.writing import json_bytes, state_word
from daifa.lib import bulk

MOST_TESTS = 40  # test orders, and photos of them


def tell_checks(draft: Draft, orders: Sequence[OrderDetail]) -> None:
    """All photos of these orders' parcels that were read, and the newest test orders of the same suppliers."""
    ids = [detail.order["id"] for detail in orders]
    suppliers = [row[0] for row in bulk.fetch(
        "SELECT DISTINCT supplier_id FROM purchasing_purchaseorder WHERE order_id = ANY(%s::bigint[])", (ids,)
    )]  # fmt: skip
    own = ParcelCheck.objects.filter(store=draft.store, order_id__in=ids)
    tests = ParcelCheck.objects.filter(store=draft.store, supplier_id__in=suppliers, about__in=("test_order", "sample")).exclude(order_id__in=ids)
    samples = Sample.objects.filter(store=draft.store, supplier_id__in=suppliers).exclude(ordered_at=None)
    section = Section(_("Parcels checked"))
    rows = []
    if draft.case_kind:  # a test order that failed is our matter with the supplier
        own = own.exclude(pk__in=draft.breaches).exclude(about__in=("test_order", "sample"), state="breach")
        tests, samples = tests.exclude(state="breach"), samples.exclude(state="failed")
    for one in sorted([*own.select_related("supplier"), *_newest(draft, tests, "at")], key=lambda one: (one.at, one.pk)):
        rows.append([
            draft.when(one.at), str(one.get_about_display()), one.supplier.name if one.supplier else "", state_word(PARCEL_CHECK, one.state),
            draft.words(one.reason),
        ])  # fmt: skip
        if one.sha256 not in draft.shown and files.path_of(one.sha256, PHOTO_FOLDER).is_file():
            name = f"parcel-checks/{one.pk}-{draft.file_name(one.name)}"
            add_photo(draft, section, name, one.sha256, PHOTO_FOLDER, f"{draft.when(one.at)} · {state_word(PARCEL_CHECK, one.state)}")
    if rows:
        section.tables.append(("", [_("Time"), _("What for"), _("Supplier"), _("Result"), _("Why")], rows))
    _tell_samples(draft, section, _newest(draft, samples, "ordered_at"))
    if section.tables:
        draft.sections.append(section)


def _newest(draft: Draft, found: QuerySet[Any], by: str) -> list[Any]:
    """The newest MOST_TESTS of them, the oldest first; how many more there are is told in the pack."""
    older = found.count() - MOST_TESTS
    if older > 0:
        draft.left_out.append(
            ngettext(
                "%(count)s older test order (or photo of one) of the same suppliers is left out.",
                "%(count)s older test orders (or photos of them) of the same suppliers are left out.",
                older,
            )
            % {"count": older}
        )
    return list(found.select_related("supplier").order_by(f"-{by}", "-id")[:MOST_TESTS])[::-1]


def _tell_samples(draft: Draft, section: Section, found: Sequence[Sample]) -> None:
    """Test orders from the same suppliers to our own address, and what came of them."""
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
