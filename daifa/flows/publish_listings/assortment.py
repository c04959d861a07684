"""What a store sells: products listed in it, and products taken out of use everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from daifa.domain.catalog import commands
from daifa.flows.publish_listings.asking import withdraw_from_channel
from daifa.lib import bulk
from daifa.lib.commas import listed
from daifa.lib.refusal import Refused


def draft(*, store_id: int, names: Sequence[str], price: Decimal | None = None, by: str, at: datetime) -> list[int]:
    """List products in a store, not published yet, named by a SKU or their handle; returns the listing variants made.

    `price` is for every SKU of them. Raises `Refused` where a name is unknown or nothing is new.
    """
    found = dict(
        bulk.fetch(
            """SELECT n.name, p.id FROM unnest(%s::text[]) AS n(name)
               LEFT JOIN catalog_variant v ON v.sku = n.name
               JOIN catalog_product p ON p.id = v.product_id OR (v.id IS NULL AND p.handle = n.name)""",
            (list(names),),
        )
    )
    if unknown := [name for name in dict.fromkeys(names) if name not in found]:
        raise Refused(
            _("The catalogue has no %(names)s. Import the products first; capitals matter.") % {"names": listed(unknown[:10])},
            code="not_found", field="products",
        )  # fmt: skip
    products = sorted(set(found.values()))
    skus = [row[0] for row in bulk.fetch("SELECT sku FROM catalog_variant WHERE product_id = ANY(%s::bigint[])", (products,))]
    made = commands.draft_listings(
        store_id=store_id, product_ids=products, prices=dict.fromkeys(skus, price) if price is not None else None, by=by, at=at
    )
    if not made:
        raise Refused(_("All of it is listed in this store already."), code="known", field="products")
    return made


def retire(product_ids: Sequence[int], *, by: str, at: datetime, reason: str = "") -> list[int]:
    """Take products out of use: their listings go off sale, and the channels are told. Returns those retired."""
    with transaction.atomic():
        for store, products in _stores_selling(product_ids).items():
            withdraw_from_channel(store_id=store, product_ids=products, action="delist", by=by, at=at, reason=reason or "retired")
        return commands.retire_products(product_ids, by=by, at=at, reason=reason)


def _stores_selling(product_ids: Sequence[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for store, product in bulk.fetch(
        """SELECT DISTINCT l.store_id, v.product_id FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id
           WHERE v.product_id = ANY(%s::bigint[]) AND l.state IN ('live', 'paused') ORDER BY 1, 2""",
        (list(product_ids),),
    ):
        found.setdefault(store, []).append(product)
    return found


def products_of(listing_ids: Sequence[int]) -> dict[int, list[int]]:
    """Store → products to which these listing variants belong; those linked to no variant are left out."""
    found: dict[int, list[int]] = {}
    for store, product in bulk.fetch(
        """SELECT DISTINCT l.store_id, v.product_id FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id
           WHERE l.id = ANY(%s::bigint[]) ORDER BY 1, 2""",
        (list(listing_ids),),
    ):
        found.setdefault(store, []).append(product)
    return found
