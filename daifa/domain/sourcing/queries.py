"""Reads of suppliers, offers, mappings and agreements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Exists, F, OuterRef, Q

from daifa.domain.policy import queries as policy
from daifa.domain.sourcing.models import AgreementDocument, SkuMapping, Supplier, SupplierOffer
from daifa.domain.sourcing.rules import OWN, OWN_KINDS, ChannelDemands, Refusal, channel_demands, may_serve
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
    neutral_packing: bool = False
    is_authorised: bool = False
    no_cards: bool = False
    platform_waybill: bool = False
    stock_secured: bool = False
    returns_to: str = ""
    entrusted_on: date | None = None


def agreements_for(store_ids: Sequence[int]) -> list[AgreementRow]:
    """Agreements that name one of these stores, or all stores; past and future ones too: `rules.may_serve` decides."""
    rows = bulk.fetch(
        """SELECT supplier_id, store_id, valid_from, valid_until, neutral_packing, is_authorised, no_cards,
                  platform_waybill, stock_secured, returns_to, entrusted_on
           FROM sourcing_agreement WHERE store_id IS NULL OR store_id = ANY(%s::bigint[]) ORDER BY id""",
        (list(store_ids),),
    )
    return list(map(AgreementRow._make, rows))


def demands_of(store: Any, *, on: date) -> ChannelDemands:
    """What is asked of agreements for this store that day: the rule book's terms, or of own stores the entrustment alone.

    Rules stay in memory.

    `store` needs `id`, `kind`, `channel`.
    """
    if store.kind in OWN_KINDS:
        return OWN
    channel = policy.book_name(store.channel)
    return channel_demands(channel, policy.rules(channel, on=on, store_id=store.id))


def day_in(timezone: str, at: datetime) -> date:
    """The day there at that moment: agreements begin and end by the store's own calendar."""
    return at.astimezone(ZoneInfo(timezone)).date()


def refusals(pairs: Iterable[tuple[Any, ...]], *, at: datetime) -> dict[tuple[int, int], Refusal]:
    """(store, supplier) → why no address of the store's buyers may go to him now; those that may are left out.

    Days are the store's own. Three statements, however many pairs.
    """
    wanted = set(pairs)
    if not wanted:
        return {}
    stores = {
        row[0]: SimpleNamespace(id=row[0], kind=row[1], channel=row[2], is_sample=row[3], today=day_in(row[4], at))
        for row in bulk.fetch(
            "SELECT id, kind, channel, is_sample, timezone FROM stores_store WHERE id = ANY(%s::bigint[])",
            ([store for store, _supplier in wanted],),
        )
    }
    suppliers = {
        row[0]: SimpleNamespace(id=row[0], name=row[1], state=row[2], is_sample=row[3], source=row[4])
        for row in bulk.fetch(
            "SELECT id, name, state, is_sample, source FROM sourcing_supplier WHERE id = ANY(%s::bigint[])",
            ([supplier for _store, supplier in wanted],),
        )
    }
    agreements = agreements_for(list(stores))
    found = {}
    demands: dict[int, ChannelDemands] = {}
    for pair in sorted(wanted):
        store, supplier = stores.get(pair[0]), suppliers.get(pair[1])
        if store is None or supplier is None:
            continue
        if store.id not in demands:
            demands[store.id] = demands_of(store, on=store.today)
        if verdict := may_serve(store, supplier, agreements, store.today, demands[store.id]):
            found[pair] = verdict
    return found


def may_not_be_told(pairs: Iterable[tuple[int, int]], *, at: datetime) -> dict[tuple[int, int], Refusal]:
    """The same gate at the moment of placing: (store, supplier) → why nothing may be handed to him now.

    For stores on marketplaces, shops on consumer platforms, and suppliers who never signed the entrustment; an own
    store's agreement that ended after routing lets what is drafted go on.
    """
    wanted = set(pairs)
    closed = bulk.fetch(
        """SELECT t.id, s.id FROM unnest(%s::bigint[], %s::bigint[]) AS x(store, supplier)
           JOIN stores_store t ON t.id = x.store JOIN sourcing_supplier s ON s.id = x.supplier
           WHERE t.kind = 'marketplace' OR s.source = 'consumer_platform'
              OR NOT EXISTS (SELECT FROM sourcing_agreement a WHERE a.supplier_id = s.id
                             AND (a.store_id IS NULL OR a.store_id = t.id)
                             AND a.entrusted_on <= (%s::timestamptz AT TIME ZONE t.timezone)::date)""",
        ([store for store, _supplier in wanted], [supplier for _store, supplier in wanted], at),
    )
    return refusals(closed, at=at)


class Between(NamedTuple):
    """What stands between a store and a supplier who has goods for it. `agreement_id`: the one to complete; None = record one."""

    supplier_id: int
    supplier: str
    verdict: Refusal
    agreement_id: int | None


def standing_between(store_id: int, variant_ids: Sequence[int], *, at: datetime) -> list[Between]:
    """The suppliers mapped to these variants who may not serve the store now, by name, each with the gate's verdict."""
    rows = bulk.fetch(
        """SELECT DISTINCT s.id, s.name,
                  (SELECT a.id FROM sourcing_agreement a WHERE a.supplier_id = s.id AND (a.store_id = %(store)s OR a.store_id IS NULL)
                   AND (a.valid_until IS NULL OR a.valid_until >= %(at)s::date) ORDER BY a.store_id NULLS LAST, a.id DESC LIMIT 1)
           FROM sourcing_skumapping m JOIN sourcing_supplieroffer o ON o.id = m.offer_id JOIN sourcing_supplier s ON s.id = o.supplier_id
           WHERE m.variant_id = ANY(%(ids)s::bigint[]) AND m.state = 'verified' ORDER BY s.name, s.id""",
        {"store": store_id, "ids": list(variant_ids), "at": at},
    )
    refused = refusals([(store_id, supplier) for supplier, _name, _agreement in rows], at=at)
    return [
        Between(supplier, name, refused[store_id, supplier], agreement)
        for supplier, name, agreement in rows if (store_id, supplier) in refused
    ]  # fmt: skip


def ending_agreements(on: date) -> list[dict[str, Any]]:
    """Agreements within their days of reminder that no later one follows: id, supplier, store, valid_until …"""
    return bulk.fetch_dicts(
        """SELECT a.id, a.supplier_id, s.name AS supplier, a.store_id, t.name AS store, a.valid_until
           FROM sourcing_agreement a JOIN sourcing_supplier s ON s.id = a.supplier_id
           LEFT JOIN stores_store t ON t.id = a.store_id
           WHERE a.valid_until >= %(on)s AND a.valid_until - a.remind_days <= %(on)s AND s.state <> 'ended'
             AND NOT EXISTS (SELECT FROM sourcing_agreement b WHERE b.supplier_id = a.supplier_id AND b.id <> a.id
                             AND b.store_id IS NOT DISTINCT FROM a.store_id AND b.valid_from <= a.valid_until + 1
                             AND (b.valid_until IS NULL OR b.valid_until > a.valid_until))
           ORDER BY a.valid_until, a.id""",
        {"on": on},
    )


def documents_of(agreement_id: int) -> list[AgreementDocument]:
    """The papers of an agreement, newest first."""
    return list(AgreementDocument.objects.filter(agreement_id=agreement_id).order_by("-at", "-id"))


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
