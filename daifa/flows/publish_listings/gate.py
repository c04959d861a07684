"""The gate, asked for many listings of one store at once: what would go out, and what stands against it."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from daifa.domain.cases import queries as cases
from daifa.domain.cases.process import INFRINGEMENT
from daifa.domain.catalog import rules
from daifa.domain.catalog.rules import Facts, Hit, Notice, Right, Verdict
from daifa.domain.closing import queries as closing
from daifa.domain.policy import queries as policy
from daifa.domain.policy import words
from daifa.domain.policy.commands import note_lists
from daifa.domain.stores.models import Store
from daifa.flows.screen_texts import held_licences
from daifa.lib import bulk

LISTS = ("terms", "categories", "brands")


@dataclass(slots=True)
class Judged:
    """One listing as it would go out now, and the verdict over it."""

    product: int
    verdict: Verdict
    listings: list[int]
    states: dict[int, str]
    content: dict[str, Any]
    digest: str  # of the words and the picture: what a person's approval is of
    hits: list[Hit]
    lists: int


def judge(store: Store, product_ids: Sequence[int], *, at: datetime, by: str = "job:judge") -> dict[int, Judged]:
    """The gate, asked for many products of one store at once: product → what would go out and what stands against it.

    The same number of statements for one and for a thousand. Products that are not there are left out.
    """
    on = at.astimezone(ZoneInfo(store.timezone)).date()
    own_site = store.kind == "own_site"
    products = bulk.fetch(
        "SELECT id, handle, title, description, brand, category, image, state FROM catalog_product WHERE id = ANY(%s::bigint[]) ORDER BY id",
        (list(product_ids),),
    )
    skus: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for product, *row in bulk.fetch(
        """SELECT v.product_id, l.id, l.sku, l.title, l.price, coalesce(nullif(l.currency, ''), %s), l.state, v.options, v.barcode, v.weight_g,
                  EXISTS (SELECT FROM sourcing_skumapping m JOIN sourcing_supplieroffer o ON o.id = m.offer_id
                          WHERE m.variant_id = v.id AND m.state = 'verified' AND o.state IN ('live', 'unavailable'))
           FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id
           WHERE l.store_id = %s AND v.product_id = ANY(%s::bigint[]) ORDER BY v.product_id, l.id""",
        (store.currency, store.pk, list(product_ids)),
    ):
        skus[product].append(tuple(row))
    lists = note_lists(by=by, at=at)
    said: dict[int, dict[str, str]] = {}
    for pk, _handle, title, description, brand, category, _image, _state in products:
        own = next((row[2] for row in skus[pk] if row[2]), "")
        said[pk] = {"title": own or title, "description": description, "brand": brand, "category": category}
    texts = [text for of_product in said.values() for text in of_product.values()]
    found = iter(policy.screen(texts, lists=LISTS, own_site=own_site))
    hits = {
        pk: [Hit(name, one.term, one.category, one.severity, one.start, one.end) for name in of_product for one in next(found)]
        for pk, of_product in said.items()
    }
    text_digests = {pk: words.digest_of(of_product.values()) for pk, of_product in said.items()}
    digests = {pk: hashlib.sha256(f"{text_digests[pk]}\0{image}".encode()).hexdigest() for pk, *_rest, image, _state in products}
    shared, limit = _shared_facts(store, on=on), _limit(store, at=at)
    approved = policy.approved_words(set(text_digests.values()))
    passed = _let_pass(store.pk, digests)
    notices, rights = notices_of(store.pk, list(said)), rights_of(store.pk, list(said))
    papers = cases.missing_by_category(store, {of_product["category"] for of_product in said.values()}, on)
    goods = {term: one.licence for one in words.shipped().goods for term in one.terms}
    judged = {}
    for pk, handle, _title, _description, brand, category, image, state in products:
        rows = skus[pk]
        allowed, allowed_words = passed.get(pk, (set(), set()))
        is_listed = any(row[5] in ("live", "paused", "taken_down") for row in rows)  # a limit is on new listings: what is there may be mended
        if text_digests[pk] in approved:
            allowed, allowed_words = allowed | {"goods", "brand", "look"}, allowed_words | approved[text_digests[pk]]
        verdict = rules.decide(
            Facts(
                on=on, hits=hits[pk], goods=goods, papers_missing=[one.kinds for one in papers[category] if one.blocks], category=category,
                notices=notices.get(pk, ()), rights=rights.get(pk, ()), has_picture=bool(image), is_retired=state == "retired",
                title=said[pk]["title"], skus=[row[1] for row in rows], without_price=[row[1] for row in rows if row[3] is None],
                without_source=[row[1] for row in rows if not row[9]], allowed=allowed, allowed_words=allowed_words,
                limit="" if is_listed else limit, **shared,
            )
        )  # fmt: skip
        content = {
            "handle": handle, "title": said[pk]["title"], "description": said[pk]["description"], "brand": brand, "category": category,
            "image": image,
            "variants": [
                {"listing": row[0], "sku": row[1], "price": None if row[3] is None else f"{row[3]:f}", "currency": row[4],
                 "options": [list(pair) for pair in json.loads(row[6]).items()], "barcode": row[7], "weight_g": row[8]}
                for row in rows
            ],
        }  # fmt: skip
        judged[pk] = Judged(
            pk, verdict, [row[0] for row in rows], {row[0]: row[5] for row in rows}, content, digests[pk], hits[pk], lists.pk
        )
    return judged


def _limit(store: Store, *, at: datetime) -> str:
    """The violation by which the platform takes no new listings of this store; "" for none."""
    limits = [one for one in cases.consequences_in_force([store.pk], at=at) if one["kind"] == "listing_limit"]
    return limits[0]["reference"] if limits else ""


def _shared_facts(store: Store, *, on: date) -> dict[str, Any]:
    """What holds for every listing of a store: whether it is open, papers held."""
    life, standing = closing.lifecycle(store.pk), closing.standing(store.pk)
    shut = life if life in ("closing", "closed", "archived") else "frozen" if standing == "frozen" else ""
    return {"shut": shut, "held": held_licences(store.pk, on=on)}


def _let_pass(store: int, digests: Mapping[int, str]) -> dict[int, tuple[set[str], set[str]]]:
    """Product → what a person let pass for exactly this text and picture in this store, and the words that stood in it."""
    found: dict[int, tuple[set[str], set[str]]] = {}
    for product, allowed, hits in bulk.fetch(
        """SELECT p.product_id, p.allowed, p.hits FROM catalog_publication p
           JOIN unnest(%s::bigint[], %s::text[]) AS d(product, digest) ON d.product = p.product_id AND d.digest = p.digest
           WHERE p.store_id = %s AND cardinality(p.allowed) > 0""",
        (list(digests), list(digests.values()), store),
    ):
        codes, terms = found.get(product, (set(), set()))
        found[product] = codes | set(allowed), terms | {hit[1] for hit in json.loads(hits)}
    return found


def notices_of(store: int, products: Sequence[int]) -> dict[int, list[Notice]]:
    """Product → the notices against its listings in a store, in the order they came."""
    found: dict[int, list[Notice]] = defaultdict(list)
    for product, reference, right, state in bulk.fetch(
        """SELECT v.product_id, i.reference, i.right, i.state FROM cases_infringement i
           JOIN catalog_listingvariant l ON l.id = i.listing_id JOIN catalog_variant v ON v.id = l.variant_id
           WHERE i.store_id = %s AND v.product_id = ANY(%s::bigint[]) ORDER BY i.id""",
        (store, list(products)),
    ):
        found[product].append(Notice(reference, right, state if INFRINGEMENT.is_final(state) else ""))
    return found


def rights_of(store: int, products: Sequence[int]) -> dict[int, list[Right]]:
    """Product → the rights recorded for its listings in a store."""
    found: dict[int, list[Right]] = defaultdict(list)
    for product, right, first, last in bulk.fetch(
        """SELECT v.product_id, r.right, r.valid_from, r.valid_until FROM cases_listingright r
           JOIN catalog_listingvariant l ON l.id = r.listing_id JOIN catalog_variant v ON v.id = l.variant_id
           WHERE l.store_id = %s AND v.product_id = ANY(%s::bigint[])""",
        (store, list(products)),
    ):
        found[product].append(Right(right, first, last))
    return found
