"""Reads of suppliers, offers, mappings and agreements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Exists, F, OuterRef, Q

from daifa.domain.sourcing.models import SkuMapping, Supplier, SupplierOffer
from daifa.lib import bulk
from daifa.lib.paging import Cursor


class Candidate(NamedTuple):
    """One way to buy a variant: a mapping, its offer and the supplier, as they stand now.

    `price` and `freight` are per supplier unit, `parcel_freight` per parcel, all in `currency`; `factor` sales units
    are one supplier unit; `stock` is in supplier units and None where the supplier does not tell. `ships_to` is the
    offer's list or else the supplier's, [] = everywhere. `blocked` is "" for a usable one, else why it is not:
    mapping_broken, offer_stale, offer_unavailable, offer_removed, supplier_prospect, supplier_suspended,
    supplier_ended.
    """

    variant_id: int
    offer_id: int
    mapping_id: int
    mapping_version: int
    supplier_sku: str  # as frozen in the mapping
    factor: int
    rank: int
    supplier_id: int
    price: Decimal
    freight: Decimal
    currency: str
    stock: int | None
    stock_at: datetime | None
    stock_age_days: int | None  # on the day asked for
    lead_days: int | None
    ships_to: list[str]
    parcel_freight: Decimal
    supplier_kind: str
    handling_days: int
    supplier_state: str
    blocked: str


_OFFERS = """
SELECT m.variant_id, o.id, m.id, m.version, m.supplier_sku, m.factor, m.rank, s.id,
       o.price, o.freight, s.currency, o.stock, o.stock_at, %(on)s::date - o.stock_at::date, o.lead_days,
       CASE WHEN cardinality(o.ships_to) > 0 THEN o.ships_to ELSE s.ships_to END,
       s.parcel_freight, s.kind, s.handling_days, s.state,
       CASE WHEN m.state = 'broken' OR m.supplier_sku <> o.supplier_sku THEN 'mapping_broken'
            WHEN o.state <> 'live' THEN 'offer_' || o.state
            WHEN s.state IN ('prospect', 'suspended', 'ended') THEN 'supplier_' || s.state
            ELSE '' END
FROM sourcing_skumapping m
JOIN sourcing_supplieroffer o ON o.id = m.offer_id
JOIN sourcing_supplier s ON s.id = o.supplier_id
WHERE m.variant_id = ANY(%(ids)s::bigint[]) AND m.state IN ('verified', 'broken')
ORDER BY m.variant_id, m.rank, o.id, m.version
"""


def offers_for_variants(variant_ids: Sequence[int], on: date) -> list[Candidate]:
    """Everything routing may choose from for these variants, by variant and rank, in one prepared statement.

    Proposed and superseded mappings are not offered; broken ones are, with `blocked` set, so that a hold can say
    whether nobody ever mapped the variant or its source has gone.
    """
    if not variant_ids:
        return []
    rows = bulk.fetch(_OFFERS, {"ids": list(variant_ids), "on": on})
    return list(map(Candidate._make, rows))


class AgreementRow(NamedTuple):
    """A recorded agreement. `store_id` None = all own-site and manual stores; `valid_until` None = open end."""

    supplier_id: int
    store_id: int | None
    valid_from: date
    valid_until: date | None
    neutral_packing: bool


def agreements_for(store_ids: Sequence[int]) -> list[AgreementRow]:
    """Agreements that name one of these stores, or all stores; past and future ones too: `rules.may_serve` decides."""
    rows = bulk.fetch(
        """SELECT supplier_id, store_id, valid_from, valid_until, neutral_packing FROM sourcing_agreement
           WHERE store_id IS NULL OR store_id = ANY(%s::bigint[]) ORDER BY id""",
        (list(store_ids),),
    )
    return list(map(AgreementRow._make, rows))


# --- Lists --------------------------------------------------------------------------------------------------------


def supplier_page(
    *, state: str | None = None, cursor: Cursor | None = None, limit: int = 50
) -> list[Supplier]:
    """At most `limit` suppliers, by code. Suppliers are shared by all stores."""
    found = Supplier.objects.all()
    return (cursor or Cursor(("code",))).slice(found.filter(state=state) if state else found, limit)


def supplier_with_code(code: str) -> Supplier | None:
    return Supplier.objects.filter(code=code).first()


def supplier_with_id(supplier_id: int) -> Supplier | None:
    return Supplier.objects.filter(id=supplier_id).first()


def offer_page(
    *,
    supplier_id: int | None = None,
    variant_id: int | None = None,
    state: str | None = None,
    q: str | None = None,
    cursor: Cursor | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """At most `limit` offers, by supplier and SKU, with `supplier_code` and the supplier's `currency`.

    `q`: the beginning of the supplier's SKU, or a word of the title.
    """
    found = SupplierOffer.objects.all()
    if supplier_id is not None:
        found = found.filter(supplier_id=supplier_id)
    if variant_id is not None:
        live = SkuMapping.objects.filter(offer=OuterRef("pk"), variant_id=variant_id).exclude(
            state="superseded"
        )
        found = found.filter(Exists(live))
    if state:
        found = found.filter(state=state)
    if q and (q := q.strip()):
        found = found.filter(Q(supplier_sku__startswith=q) | Q(title__icontains=q))
    return (cursor or Cursor(("supplier_id", "supplier_sku"))).slice(
        found.annotate(supplier_code=F("supplier__code"), currency=F("supplier__currency")).values(
            "id", "supplier_id", "supplier_code", "supplier_sku", "title", "price", "freight", "currency", "stock",
            "stock_at", "lead_days", "ships_to", "state", "read_at",
        ),
        limit,
    )  # fmt: skip


def mappings_of(variant_id: int) -> list[dict[str, Any]]:
    """Every version of a variant's mappings, by rank, newest version first."""
    return list(
        SkuMapping.objects.filter(variant_id=variant_id)
        .annotate(supplier_code=F("offer__supplier__code"))
        .order_by("rank", "offer_id", "-version")
        .values(
            "id", "offer_id", "supplier_code", "supplier_sku", "version", "factor", "rank", "state", "evidence", "by",
            "at",
        )
    )  # fmt: skip
