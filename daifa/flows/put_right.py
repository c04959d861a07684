"""A person puts right what orders are held for: a source is named, a listing linked, an agreement recorded, a rate entered.

Each of these also lets the orders that were held for it be routed again, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

from django.db import transaction

from daifa.domain.books import commands as books
from daifa.domain.catalog import commands as catalog
from daifa.domain.history.commands import record_facts
from daifa.domain.policy import commands as policy
from daifa.domain.sourcing import commands as sourcing
from daifa.domain.sourcing.models import Agreement, Supplier
from daifa.domain.sourcing.queries import day_in, demands_of
from daifa.domain.sourcing.rules import OWN_KINDS
from daifa.flows.intake import route_held_variants
from daifa.flows.switch_suppliers import finish_switches
from daifa.lib import bulk
from daifa.lib.refusal import Refused


@transaction.atomic
def map_sku(
    *, variant_id: int, offer_id: int, factor: int = 1, rank: int = 1, note: str = "", by: str, at: datetime
) -> int:
    """A person names the offer by which a variant is bought. Returns how many held orders are routed again."""
    sourcing.map_sku(variant_id=variant_id, offer_id=offer_id, factor=factor, rank=rank, note=note, by=by, at=at)
    finish_switches(by=by, at=at)
    return len(route_held_variants([variant_id], at=at))


@transaction.atomic
def verify_mappings(mapping_ids: Sequence[int], *, by: str, at: datetime) -> tuple[list[int], int]:
    """A person confirms proposals; returns (those confirmed, how many held orders are routed again)."""
    verified = sourcing.verify_mappings(mapping_ids, by=by, at=at)
    finish_switches(by=by, at=at)
    variants = bulk.fetch("SELECT DISTINCT variant_id FROM sourcing_skumapping WHERE id = ANY(%s::bigint[])", (verified,))
    return verified, len(route_held_variants([row[0] for row in variants], at=at))


@transaction.atomic
def link_listings(links: Mapping[int, int | None], *, by: str, at: datetime) -> tuple[list[int], int]:
    """Say which variant each listing is; returns (listings changed, how many held orders are routed again)."""
    changed = catalog.link_listings(links, by=by, at=at)
    held = [
        row[0]
        for row in bulk.fetch(
            """SELECT DISTINCT h.order_id FROM catalog_listingvariant g
               JOIN orders_order o ON o.store_id = g.store_id
               JOIN orders_hold h ON h.order_id = o.id AND h.released_at IS NULL AND h.reason = 'mapping_missing'
               JOIN orders_orderline l ON l.id = h.line_id AND l.sku = g.sku
               WHERE g.id = ANY(%s::bigint[]) AND g.variant_id IS NOT NULL ORDER BY 1""",
            (changed,),
        )
    ]
    record_facts("orders_to_route", held, at=at)
    return changed, len(held)


_FOR_WANT_OF_TERMS = ("agreement_missing", "agreement_incomplete", "entrustment_missing", "platform_restricted")


@transaction.atomic
def record_agreement(
    *, supplier_id: int, store_id: int | None, valid_from: date | None = None, by: str, at: datetime,
    papers: Sequence[tuple[str, bytes]] = (), **terms: Any,
) -> tuple[Agreement, int]:  # fmt: skip
    """`sourcing.commands.record_agreement` with its papers (name, bytes); returns it and how many held orders are routed
    again. A paper that cannot be kept refuses the whole."""
    agreement = sourcing.record_agreement(
        supplier_id=supplier_id, store_id=store_id, valid_from=valid_from, by=by, at=at, **terms
    )
    if papers:
        _kept, refused = sourcing.add_documents(agreement_id=agreement.pk, files=papers, by=by, at=at)
        if refused:
            raise Refused(" ".join(refused), code="file_refused", field="papers")
    finish_switches(by=by, at=at)
    return agreement, _route_for_agreement(store_id, at=at)


@transaction.atomic
def edit_agreement(*, agreement_id: int, by: str, at: datetime, **terms: Any) -> tuple[Agreement, int]:
    """`sourcing.commands.edit_agreement`; returns it and how many held orders are routed again."""
    agreement = sourcing.edit_agreement(agreement_id=agreement_id, by=by, at=at, **terms)
    finish_switches(by=by, at=at)
    return agreement, _route_for_agreement(agreement.store_id, at=at)


@transaction.atomic
def record_entrustment(
    *, supplier_id: int, signed_on: date, store_id: int | None = None, by: str, at: datetime
) -> tuple[list[Agreement], int]:
    """`sourcing.commands.record_entrustment`; returns the agreements that say so now and how many held orders are looked
    at again (what lacks something else stays held). What was routed already and withheld at placing goes with the next run."""
    agreements = sourcing.record_entrustment(
        supplier_id=supplier_id, signed_on=signed_on, store_id=store_id, by=by, at=at
    )
    finish_switches(by=by, at=at)
    return agreements, _route_for_agreement(store_id, at=at)


@transaction.atomic
def add_supplier(
    *, entrusted_on: date | None = None, by: str, at: datetime, **facts: Any
) -> Supplier:
    """`sourcing.commands.add_supplier`; with the day on which he signed the entrustment he may ship for all own stores."""
    supplier = sourcing.add_supplier(by=by, at=at, **facts)
    if entrusted_on is not None:
        sourcing.record_entrustment(supplier_id=supplier.pk, signed_on=entrusted_on, by=by, at=at)
    return supplier


@transaction.atomic
def override_rules(rows: Sequence[policy.NewOverride], *, by: str, at: datetime) -> tuple[policy.Overridden, int]:
    """`policy.commands.override_rules`; returns its answer and how many orders held by a closed channel are routed again."""
    done = policy.override_rules(rows, by=by, at=at)
    return done, route_opened(at=at)


def route_opened(*, at: datetime) -> int:
    """Orders held because their channel was closed to suppliers, of stores whose rules open it by now; how many."""
    stores = [
        SimpleNamespace(id=row[0], kind=row[1], channel=row[2], timezone=row[3])
        for row in bulk.fetch(
            """SELECT t.id, t.kind, t.channel, t.timezone FROM stores_store t WHERE EXISTS (
                   SELECT FROM orders_hold h JOIN orders_order o ON o.id = h.order_id
                   WHERE o.store_id = t.id AND h.released_at IS NULL AND h.reason = 'platform_restricted')"""
        )
    ]
    opened = [one.id for one in stores if demands_of(one, on=day_in(one.timezone, at)).opened_by]
    return _route_held("platform_restricted", opened, at=at) if opened else 0


def route_begun(*, at: datetime) -> int:
    """Orders of stores where an agreement begins to count today, or did yesterday, that was recorded before; how many."""
    begun = bulk.fetch(
        """SELECT DISTINCT t.id FROM sourcing_agreement a
           JOIN stores_store t ON t.id = a.store_id OR (a.store_id IS NULL AND t.kind = ANY(%(own)s::text[]))
           WHERE a.valid_from > (a.recorded_at AT TIME ZONE t.timezone)::date
             AND a.valid_from BETWEEN (%(at)s AT TIME ZONE t.timezone)::date - 1 AND (%(at)s AT TIME ZONE t.timezone)::date""",
        {"own": list(OWN_KINDS), "at": at},
    )
    return sum(_route_held(reason, [row[0] for row in begun], at=at) for reason in _FOR_WANT_OF_TERMS) if begun else 0


def _route_for_agreement(store_id: int | None, *, at: datetime) -> int:
    return sum(_route_held(reason, [store_id] if store_id else None, at=at) for reason in _FOR_WANT_OF_TERMS)


@transaction.atomic
def edit_supplier(*, supplier_id: int, by: str, at: datetime, **facts: Any) -> tuple[Supplier, int]:
    """`sourcing.commands.edit_supplier`; a supplier who is active again, or ships to more countries, may serve what was held."""
    before = Supplier.objects.filter(pk=supplier_id).values_list("state", "ships_to", "source").first()
    supplier = sourcing.edit_supplier(supplier_id=supplier_id, by=by, at=at, **facts)
    routed = 0
    if before != (supplier.state, supplier.ships_to, supplier.source):
        routed = sum(
            _route_held(reason, None, at=at) for reason in ("agreement_missing", "consumer_platform", "destination_refused")
        )
    return supplier, routed


@transaction.atomic
def set_fx_rates(rates: Sequence[books.NewRate], *, by: str, at: datetime) -> tuple[books.Written, int]:
    """`books.commands.set_fx_rates`; returns its answer and how many held orders are routed again."""
    written = books.set_fx_rates(rates, by=by, at=at)
    return written, _route_held("exchange_rate_missing", None, at=at) if written.added else 0


def _route_held(reason: str, stores: Sequence[int] | None, *, at: datetime) -> int:
    held = [
        row[0]
        for row in bulk.fetch(
            """SELECT DISTINCT h.order_id FROM orders_hold h JOIN orders_order o ON o.id = h.order_id
               WHERE h.released_at IS NULL AND h.reason = %s AND (%s OR o.store_id = ANY(%s::bigint[])) ORDER BY 1""",
            (reason, stores is None, list(stores or ())),
        )
    ]
    record_facts("orders_to_route", held, at=at)
    return len(held)
