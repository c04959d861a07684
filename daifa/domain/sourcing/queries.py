"""Reads of suppliers, offers, mappings and agreements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from daifa.lib import bulk


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
