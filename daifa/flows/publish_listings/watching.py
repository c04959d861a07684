"""What is on sale: may it stay there?"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from daifa.domain.cases import queries as cases
from daifa.domain.catalog import commands, rules
from daifa.domain.catalog.rules import GRAVE, Reason
from daifa.domain.policy import queries as policy
from daifa.domain.policy.commands import note_lists
from daifa.domain.stores.models import Store
from daifa.flows.publish_listings.gate import LISTS, judge
from daifa.flows.publish_listings.tasks import AGAINST, one_task_a_store
from daifa.lib import bulk


def watch_listings(*, at: datetime, by: str = "job:watch_listings") -> dict[str, int]:
    """Look whether what is on sale may stay there: new words, papers that ended, open notices. Counts what was found.

    Words come from the last look at all texts (`screen_texts`); only listings with something to look at are judged.
    """
    note_lists(by=by, at=at)
    rows: list[tuple[Any, ...]] = []
    grave: dict[int, int] = {}
    for store in Store.objects.all():
        candidates = _candidates(store, at=at)
        for product, one in (judge(store, candidates, at=at, by=by) if candidates else {}).items():
            reasons = [reason for reason in one.verdict.reasons if reason[0] in (*GRAVE, "brand", "look")]
            if reasons:
                is_grave = any(code in GRAVE for code, _params in reasons)
                rows.append((store.pk, product, is_grave, [list(reason) for reason in reasons], one.lists, at))
                grave[store.pk] = grave.get(store.pk, 0) + is_grave
        for product, reasons in _shown_otherwise(store, {row[1] for row in rows if row[0] == store.pk}).items():
            rows.append((store.pk, product, True, [list(reason) for reason in reasons], None, at))
            grave[store.pk] = grave.get(store.pk, 0) + 1
    grave = {store: count for store, count in grave.items() if count}
    with transaction.atomic():
        commands.replace_concerns(rows)
        known = [row[0] for row in bulk.fetch("SELECT thing FROM stores_task WHERE kind = %s AND closed_at IS NULL", (AGAINST,))]
        one_task_a_store("listings_against_rules", [*known, *grave], grave, by=by, at=at)
    return {"looked_at": len(rows), "grave": sum(grave.values())}


def _shown_otherwise(store: Store, known: set[int]) -> dict[int, list[Reason]]:
    """Words that must not be said in what a channel still shows, although our own text was changed since it was published."""
    shown = [
        (product, json.loads(content))
        for product, content in bulk.fetch(
            """SELECT u.product_id, u.content FROM (
                   SELECT DISTINCT ON (q.product_id) q.product_id, q.content FROM catalog_publication q
                   WHERE q.store_id = %(store)s AND q.state = 'done' AND q.action = 'publish' ORDER BY q.product_id, q.id DESC) u
               JOIN catalog_product p ON p.id = u.product_id
               WHERE u.product_id <> ALL(%(known)s::bigint[])
                 AND EXISTS (SELECT FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id
                             WHERE l.store_id = %(store)s AND l.state = 'live' AND v.product_id = p.id)
                 AND (u.content->>'title', u.content->>'description', u.content->>'brand', u.content->>'category') IS DISTINCT FROM
                     (coalesce((SELECT nullif(l.title, '') FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id
                                WHERE l.store_id = %(store)s AND v.product_id = p.id AND l.title <> '' ORDER BY l.id LIMIT 1), p.title),
                      p.description, p.brand, p.category)""",
            {"store": store.pk, "known": list(known)},
        )
    ]
    names = ("title", "description", "brand", "category")
    texts = [content[name] for _product, content in shown for name in names]
    found = iter(policy.screen(texts, lists=LISTS, own_site=store.kind == "own_site"))
    result: dict[int, list[Reason]] = {}
    for product, _content in shown:
        said = [[name, hit.term, hit.category] for name in names for hit in next(found) if hit.severity == "block"]
        if said:
            result[product] = [("words", {"words": said})]
    return result


def _candidates(store: Store, *, at: datetime) -> list[int]:
    """Products on sale in a store in whose words something was found, whose category lacks a paper, or with an open notice."""
    on = at.astimezone(ZoneInfo(store.timezone)).date()
    by_category = dict(
        bulk.fetch(
            """SELECT p.category, array_agg(DISTINCT p.id) FROM catalog_listingvariant l
               JOIN catalog_variant v ON v.id = l.variant_id JOIN catalog_product p ON p.id = v.product_id
               WHERE l.store_id = %s AND l.state = 'live' GROUP BY 1""",
            (store.pk,),
        )
    )
    if not by_category:
        return []
    missing = cases.missing_by_category(store, by_category, on)
    found = {product for category, needs in missing.items() if any(need.blocks for need in needs) for product in by_category[category]}
    found |= {
        row[0]
        for row in bulk.fetch(
            """SELECT DISTINCT v.product_id FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id
               WHERE l.store_id = %(store)s AND l.state = 'live' AND (
                 EXISTS (SELECT FROM policy_textfinding f WHERE f.severity <> 'hint'
                         AND (f.kind = 'product' AND f.thing = v.product_id OR f.kind = 'listing' AND f.thing = l.id)
                         AND NOT (%(own_site)s AND f.category = 'off_platform_contact'))
                 OR EXISTS (SELECT FROM cases_infringement i WHERE i.listing_id = l.id AND i.state = ANY(%(notices)s::text[])))""",
            {"store": store.pk, "own_site": store.kind == "own_site", "notices": [*cases.OPEN_INFRINGEMENT, *rules.GONE]},
        )
    }
    return sorted(found)
