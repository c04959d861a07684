"""The step "switch" on the way out of selling without a source: who replaces a supplier, good by good, and is he asked first?

Nobody has to say when it is done. It is, once every good of a supplier for whom a substitute was looked for is asked first of
another who may ship for the store and whose last sample passed. A person may let a substitute be asked first for all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from daifa.domain.compliance import risk_commands
from daifa.domain.sourcing import commands as sourcing
from daifa.domain.sourcing import queries as sourcing_queries
from daifa.flows.intake import route_held_variants
from daifa.lib import bulk
from daifa.lib.refusal import Refused


class Candidate(NamedTuple):
    """Another supplier linked to a good. `why_not`: why he may not ship for the store, "" = he may; `sample`: state of
    the last one judged ("" = none); `is_first`: nobody is asked before him."""

    supplier_id: int
    supplier: str
    why_not: str
    sample: str
    is_first: bool

    @property
    def is_ready(self) -> bool:
        return not self.why_not and self.sample == "passed"


class Good(NamedTuple):
    """A good of a supplier who is to be replaced, as one store sells it."""

    store_id: int
    variant_id: int
    sku: str
    title: str
    replaced_id: int
    replaced: str
    candidates: list[Candidate]

    @property
    def is_switched(self) -> bool:
        return any(one.is_ready and one.is_first for one in self.candidates)


def goods_to_switch(stores: Sequence[int] | None, *, at: datetime) -> list[Good]:
    """What of suppliers for whom these stores (None = all) look or looked for a substitute is to be bought elsewhere, where
    the step "switch" is open. Goods the store has on sale, or all of them where none of its listings is linked."""
    rows = bulk.fetch(
        """WITH open AS (
               SELECT DISTINCT s.store_id, r.supplier_id FROM compliance_planstep s
               JOIN compliance_planstep r ON r.store_id = s.store_id AND r.kind = 'substitute' AND r.state <> 'dropped'
               WHERE s.kind = 'switch' AND s.state IN ('todo', 'doing') AND r.supplier_id IS NOT NULL
                 AND (%(stores)s::bigint[] IS NULL OR s.store_id = ANY(%(stores)s::bigint[])))
           SELECT DISTINCT p.store_id, v.id, v.sku, coalesce(nullif(v.title, ''), g.title), x.id, x.name,
                  EXISTS (SELECT FROM catalog_listingvariant l WHERE l.store_id = p.store_id AND l.variant_id = v.id AND l.state = 'live')
           FROM open p JOIN sourcing_supplier x ON x.id = p.supplier_id
           JOIN sourcing_supplieroffer o ON o.supplier_id = x.id JOIN sourcing_skumapping m ON m.offer_id = o.id AND m.state <> 'proposed'
           JOIN catalog_variant v ON v.id = m.variant_id JOIN catalog_product g ON g.id = v.product_id
           ORDER BY 1, 3, 5""",
        {"stores": None if stores is None else list(stores)},
    )
    on_sale = {row[0] for row in rows if row[6]}
    rows = [row for row in rows if row[6] or row[0] not in on_sale]
    return _with_candidates(rows, at=at) if rows else []


def _with_candidates(rows: list[tuple], *, at: datetime) -> list[Good]:
    linked: dict[int, list[tuple[int, str, int]]] = {}
    for variant, supplier, name, rank in bulk.fetch(
        """SELECT m.variant_id, s.id, s.name, min(m.rank) FROM sourcing_skumapping m JOIN sourcing_supplieroffer o ON o.id = m.offer_id
           JOIN sourcing_supplier s ON s.id = o.supplier_id
           WHERE m.variant_id = ANY(%s::bigint[]) AND m.state = 'verified' AND o.state <> 'removed' AND s.state <> 'ended'
           GROUP BY 1, 2, 3 ORDER BY 1, 4, 3""",
        (sorted({row[1] for row in rows}),),
    ):
        linked.setdefault(variant, []).append((supplier, name, rank))
    pairs = {(row[0], supplier) for row in rows for supplier, _name, _rank in linked.get(row[1], ())}
    refused = sourcing_queries.refusals(pairs, at=at)
    samples = {
        (store, supplier): state
        for store, supplier, state in bulk.fetch(
            """SELECT DISTINCT ON (store_id, supplier_id) store_id, supplier_id, state FROM sourcing_sample
               WHERE store_id = ANY(%s::bigint[]) AND judged_at IS NOT NULL ORDER BY store_id, supplier_id, judged_at DESC, id DESC""",
            (sorted({row[0] for row in rows}),),
        )
    }
    found = []
    for store, variant, sku, title, replaced, name, _on_sale in rows:
        first = min((rank for _supplier, _name, rank in linked.get(variant, ())), default=0)
        ranks = {supplier: rank for supplier, _name, rank in linked.get(variant, ())}
        candidates = [
            Candidate(
                supplier, who, refused[store, supplier].sentence if (store, supplier) in refused else "",
                samples.get((store, supplier), ""), rank == first and ranks.get(replaced) != first,
            )
            for supplier, who, rank in linked.get(variant, ()) if supplier != replaced
        ]  # fmt: skip
        found.append(Good(store, variant, sku, title, replaced, name, candidates))
    return found


@transaction.atomic
def finish_switches(*, stores: Sequence[int] | None = None, by: str, at: datetime) -> list[int]:
    """Steps "switch" whose goods are all bought elsewhere by now are done. Returns them; cheap where none is open."""
    by_store: dict[int, list[Good]] = {}
    for good in goods_to_switch(stores, at=at):
        by_store.setdefault(good.store_id, []).append(good)
    done = [store for store, goods in by_store.items() if all(good.is_switched for good in goods)]
    return risk_commands.finish_switches(done, by=by, at=at) if done else []


@transaction.atomic
def ask_first(*, store_id: int, supplier_id: int, by: str, at: datetime) -> int:
    """This supplier is asked first from now on for all that is to be switched in a store and that he is linked to; whom he
    replaces comes after him. Raises `Refused`. Returns for how many goods; links are shared by all stores."""
    goods = [good for good in goods_to_switch([store_id], at=at) for one in good.candidates if one.supplier_id == supplier_id]
    if not goods:
        raise Refused(_("He is linked to none of these goods: link his offers first."), code="not_linked")
    ready = next(one for one in goods[0].candidates if one.supplier_id == supplier_id)
    if ready.why_not:
        raise Refused(ready.why_not, code="may_not_serve")
    if ready.sample != "passed":
        raise Refused(_("No sample of his has passed yet: order one and judge its parcel."), code="sample_missing")
    variants = sorted({good.variant_id for good in goods})
    wishes = []
    for variant, offer, factor, rank, supplier in bulk.fetch(
        """SELECT m.variant_id, m.offer_id, m.factor, m.rank, o.supplier_id FROM sourcing_skumapping m
           JOIN sourcing_supplieroffer o ON o.id = m.offer_id
           WHERE m.variant_id = ANY(%s::bigint[]) AND m.state = 'verified' AND o.state <> 'removed' ORDER BY m.variant_id, m.rank, m.id""",
        (variants,),
    ):
        wanted = 1 if supplier == supplier_id else max(rank, 2)
        if wanted != rank:
            wishes.append(sourcing.MappingWish(variant, offer, factor, wanted))
    if refused := sourcing.map_skus(wishes, by=by, at=at):
        raise Refused(next(iter(refused.values())), code="mapping_refused")
    route_held_variants(variants, at=at)
    finish_switches(stores=[store_id], by=by, at=at)
    return len(variants)
