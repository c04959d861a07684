"""Who could take over from a supplier, besides those who are linked to his goods already: offers that look alike.

They are found by title and measures (`sourcing.alike`), with the reason for each; a person links what fits.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from daifa.domain.books.queries import rate_on
from daifa.domain.sourcing.alike import ENOUGH, Likeness, Looks, likeness, looks_of
from daifa.lib import bulk

MOST_VARIANTS = 50
MOST_OFFERS = 20_000
"""So many offers that share a word are compared at most, those read last first."""
LATELY = 100_000
"""So many of the newest order lines say what sells."""
A_VARIANT = 5
"""Hits shown for each variant."""


class Alike(NamedTuple):
    """An offer that could be the goods of a variant, and why. `than_now`: its price against the present one in percent."""

    variant_id: int
    sku: str
    offer_id: int
    supplier_id: int
    supplier: str
    supplier_state: str
    supplier_sku: str
    title: str
    price: Decimal
    currency: str
    points: int
    shared: tuple[str, ...]
    differs: tuple[str, ...]
    than_now: Decimal | None


class _Wanted(NamedTuple):
    variant_id: int
    sku: str
    codes: tuple[str, ...]  # our SKU and barcode, as an offer may bear them; one without a figure is a word like others
    looks: Looks
    price: Decimal
    currency: str


def alike_offers(supplier_id: int, *, on: date, variant_ids: Sequence[int] | None = None) -> list[Alike]:
    """Unlinked offers of others that look like what this supplier serves (or like `variant_ids` only): by SKU, best first.

    Two statements: the goods that sold most lately, and the offers that share a word with one of them.
    """
    wanted = _wanted(supplier_id, variant_ids)
    if not wanted:
        return []
    by_word: dict[str, set[int]] = defaultdict(set)
    for place, one in enumerate(wanted):
        for word in one.looks.words:
            by_word[word].add(place)
    found: dict[int, list[Alike]] = defaultdict(list)
    for offer, supplier, name, state, their_sku, title, price, currency, linked in _offers(supplier_id, wanted, by_word):
        looks = looks_of(title)
        places = set().union(*(by_word[word] for word in looks.words if word in by_word)) if looks.words else set()
        plain = f" {their_sku} {title} ".casefold()
        places |= {place for place, one in enumerate(wanted) if any(f" {code} " in plain for code in one.codes)}
        for place in places:
            one = wanted[place]
            if one.variant_id in linked:
                continue
            code = next((code for code in one.codes if f" {code} " in plain), "")
            like = Likeness(100, (code,), ()) if code else likeness(one.looks, looks)
            if like.points >= ENOUGH:
                found[place].append(
                    Alike(
                        one.variant_id, one.sku, offer, supplier, name, state, their_sku, title, price, currency, like.points,
                        like.shared, like.differs, _than_now(one, price, currency, on),
                    )
                )  # fmt: skip
    return [
        hit
        for place in range(len(wanted))
        for hit in sorted(found[place], key=lambda hit: (-hit.points, hit.than_now is None, hit.than_now or 0, hit.offer_id))[:A_VARIANT]
    ]


def _wanted(supplier_id: int, variant_ids: Sequence[int] | None) -> list[_Wanted]:
    """What the supplier serves, what sold most lately first."""
    rows = bulk.fetch(
        """WITH sold AS (
               SELECT variant_id, count(*) AS n FROM orders_orderline
               WHERE id > (SELECT max(id) FROM orders_orderline) - %(lately)s AND variant_id IS NOT NULL GROUP BY 1)
           SELECT v.id, v.sku, v.barcode, p.title, v.title, v.options::text, o.title, o.price, s.currency, coalesce(x.n, 0) AS sold
           FROM sourcing_skumapping m JOIN sourcing_supplieroffer o ON o.id = m.offer_id
           JOIN sourcing_supplier s ON s.id = o.supplier_id
           JOIN catalog_variant v ON v.id = m.variant_id JOIN catalog_product p ON p.id = v.product_id
           LEFT JOIN sold x ON x.variant_id = v.id
           WHERE o.supplier_id = %(supplier)s AND m.state IN ('verified', 'broken')
             AND (%(only)s::bigint[] IS NULL OR v.id = ANY(%(only)s::bigint[]))
           ORDER BY sold DESC, v.sku, o.id LIMIT %(most)s""",
        {"supplier": supplier_id, "only": None if variant_ids is None else list(variant_ids), "most": MOST_VARIANTS,
         "lately": LATELY},
    )
    found: dict[int, _Wanted] = {}
    for variant, sku, barcode, product, title, options, theirs, price, currency, _sold in rows:
        said = [str(value) for value in json.loads(options or "{}").values()] if options else []
        ours = looks_of(product, title, *said)
        words = ours if ours.words else looks_of(theirs)
        codes = tuple(code.casefold() for code in (sku, barcode) if len(code) > 3 and any(sign.isdigit() for sign in code))
        found.setdefault(variant, _Wanted(variant, sku, codes, words, price, currency))
    return sorted(found.values(), key=lambda one: one.sku)


def _offers(supplier_id: int, wanted: Sequence[_Wanted], words: dict[str, set[int]]) -> list[tuple]:
    """Live offers of others whose title or SKU bears one of the words or codes, with the variants they are linked to."""
    # One expression for all words: a list of patterns would be tried one after the other on every offer.
    asked = sorted({*words, *(code for one in wanted for code in one.codes)})
    if not asked:
        return []
    return bulk.fetch(
        """SELECT o.id, s.id, s.name, s.state, o.supplier_sku, o.title, o.price, s.currency,
                  coalesce((SELECT array_agg(m.variant_id) FROM sourcing_skumapping m
                            WHERE m.offer_id = o.id AND m.state IN ('verified', 'proposed')), '{}')
           FROM sourcing_supplieroffer o JOIN sourcing_supplier s ON s.id = o.supplier_id
           WHERE o.state = 'live' AND o.supplier_id <> %(supplier)s AND s.source <> 'consumer_platform' AND s.state <> 'ended'
             AND s.is_sample = (SELECT is_sample FROM sourcing_supplier WHERE id = %(supplier)s)
             AND lower(o.title || ' ' || o.supplier_sku) ~ %(words)s
           ORDER BY o.read_at DESC, o.id LIMIT %(most)s""",
        {"supplier": supplier_id, "words": "|".join(map(_escaped, asked)), "most": MOST_OFFERS},
    )


def _escaped(word: str) -> str:
    return "".join(sign if sign.isalnum() else f"\\{sign}" for sign in word)


def _than_now(one: _Wanted, price: Decimal, currency: str, on: date) -> Decimal | None:
    """How much dearer (+) or cheaper (−) in percent; None without a rate, or where the present price is nothing."""
    rate = rate_on(currency, one.currency, on)
    if rate is None or not one.price:
        return None
    return ((price * rate.rate / one.price - 1) * 100).quantize(Decimal("0.1"))
