"""What may be done to products, variants and listings. Many at once; a repeat changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction
from django.utils.translation import gettext_noop as N_

from daifa.domain.history.commands import open_batch
from daifa.lib import bulk
from daifa.lib.refusal import RowRefused

LONGEST_SKU, LONGEST_HANDLE, LONGEST_TITLE = 80, 160, 255


@dataclass(slots=True)
class ProductsImported:
    """Variants by what became of them, and the rows refused. `listings` counts those made or changed in the store."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    listings: int = 0
    refused: list[RowRefused] = field(default_factory=list)


class ListingFacts(NamedTuple):
    """What a store says of one SKU; empty values leave what is known."""

    title: str = ""
    price: Decimal | None = None
    currency: str = ""
    external_id: str = ""


@transaction.atomic
def import_products(records: Sequence[Any], *, by: str, at: datetime, store: Any = None) -> ProductsImported:
    """Make or update products and variants from `IncomingProduct` records, by handle and SKU.

    Empty values never wipe what is known. A variant stays with the product that had it first. With `store` the SKUs
    are listed there too, at the records' prices. A SKU that stands in the list twice with different content is
    refused from the second row on.
    """
    result = ProductsImported()
    usable: dict[str, Any] = {}
    for record in records:
        problem = _product_problem(record, usable.get(record.sku))
        if problem is not None:
            result.refused.append(problem)
        else:
            usable.setdefault(record.sku, record)
    if not usable:
        return result
    _copy_incoming(usable.values())
    bulk.execute(
        """
        INSERT INTO catalog_product (handle, title, description, brand, category, image, state, created_at)
        SELECT DISTINCT ON (i.handle) i.handle, i.title, i.description, i.brand, i.category, i.image, 'active',
               %(at)s::timestamptz
        FROM incoming_product i
        LEFT JOIN catalog_variant v ON v.sku = i.sku LEFT JOIN catalog_product p ON p.id = v.product_id
        WHERE p.id IS NULL OR p.handle = i.handle
        ORDER BY i.handle, i.row
        ON CONFLICT (handle) DO UPDATE SET
            title = coalesce(nullif(EXCLUDED.title, ''), catalog_product.title),
            description = coalesce(nullif(EXCLUDED.description, ''), catalog_product.description),
            brand = coalesce(nullif(EXCLUDED.brand, ''), catalog_product.brand),
            category = coalesce(nullif(EXCLUDED.category, ''), catalog_product.category),
            image = coalesce(nullif(EXCLUDED.image, ''), catalog_product.image)
        WHERE (EXCLUDED.title NOT IN ('', catalog_product.title))
           OR (EXCLUDED.description NOT IN ('', catalog_product.description))
           OR (EXCLUDED.brand NOT IN ('', catalog_product.brand))
           OR (EXCLUDED.category NOT IN ('', catalog_product.category))
           OR (EXCLUDED.image NOT IN ('', catalog_product.image))
        """,
        {"at": at},
    )
    touched = bulk.fetch(
        """
        INSERT INTO catalog_variant (product_id, sku, title, options, barcode, weight_g, created_at)
        SELECT coalesce(v.product_id, p.id), i.sku, i.variant_title, i.options, i.barcode, i.weight_g,
               %(at)s::timestamptz
        FROM incoming_product i
        LEFT JOIN catalog_variant v ON v.sku = i.sku LEFT JOIN catalog_product p ON p.handle = i.handle
        ORDER BY i.row
        ON CONFLICT (sku) DO UPDATE SET
            title = coalesce(nullif(EXCLUDED.title, ''), catalog_variant.title),
            options = CASE WHEN EXCLUDED.options = '{}' THEN catalog_variant.options ELSE EXCLUDED.options END,
            barcode = coalesce(nullif(EXCLUDED.barcode, ''), catalog_variant.barcode),
            weight_g = coalesce(EXCLUDED.weight_g, catalog_variant.weight_g)
        WHERE (EXCLUDED.title NOT IN ('', catalog_variant.title))
           OR (EXCLUDED.options <> '{}' AND EXCLUDED.options <> catalog_variant.options)
           OR (EXCLUDED.barcode NOT IN ('', catalog_variant.barcode))
           OR (EXCLUDED.weight_g IS NOT NULL AND EXCLUDED.weight_g IS DISTINCT FROM catalog_variant.weight_g)
        RETURNING (xmax = 0)
        """,
        {"at": at},
    )
    result.created = sum(new for (new,) in touched)
    result.updated = len(touched) - result.created
    result.unchanged = len(usable) - len(touched)
    if touched:
        open_batch(by=by, at=at, reason=f"import_products: {result.created} new, {result.updated} changed")
    if store is not None:
        facts = {r.sku: ListingFacts(r.title, r.price, r.currency) for r in usable.values()}
        listed = list_in_store(store=store, skus=facts, by=by, at=at)
        result.listings = listed.changed
    return result


def _product_problem(record: Any, seen: Any) -> RowRefused | None:
    if not record.sku:
        return RowRefused(
            record.row, record.handle, "sku_missing", N_("The row has no SKU; give the variant one.")
        )
    if len(record.sku) > LONGEST_SKU or len(record.handle) > LONGEST_HANDLE:
        return RowRefused(
            record.row, record.sku[:LONGEST_SKU], "sku_too_long",
            N_("The SKU is longer than %(most)s characters, or the handle longer than %(handle)s; shorten it."),
            {"most": LONGEST_SKU, "handle": LONGEST_HANDLE},
        )  # fmt: skip
    if seen is not None and _content(seen) != _content(record):
        return RowRefused(
            record.row, record.sku, "duplicate_sku",
            N_("SKU %(sku)s stands in row %(first)s already, with other content; keep one of the two."),
            {"sku": record.sku, "first": seen.row},
        )  # fmt: skip
    return None


def _content(record: Any) -> tuple[Any, ...]:
    return (
        record.handle, record.title, record.price, record.currency, record.options, record.barcode, record.weight_g
    )  # fmt: skip


def _copy_incoming(records: Iterable[Any]) -> None:
    bulk.execute("DROP TABLE IF EXISTS incoming_product")
    bulk.execute(
        """CREATE TEMP TABLE incoming_product (
               row int, handle text, title text, description text, brand text, category text, image text,
               sku text, variant_title text, options jsonb, barcode text, weight_g int) ON COMMIT DROP"""
    )
    bulk.copy_rows(
        "incoming_product",
        ("row", "handle", "title", "description", "brand", "category", "image", "sku", "variant_title", "options",
         "barcode", "weight_g"),
        [
            (
                r.row, r.handle or r.sku, (r.title or r.handle or r.sku)[:LONGEST_TITLE], r.description, r.brand[:120],
                r.category[:255], r.image[:500], r.sku, " / ".join(v for _, v in r.options)[:LONGEST_TITLE],
                bulk.json(dict(r.options)), r.barcode[:40], r.weight_g,
            )
            for r in records
        ],
    )  # fmt: skip


@transaction.atomic
def retire_products(product_ids: Sequence[int], *, by: str, at: datetime, reason: str = "") -> list[int]:
    """Take products out of use; returns those that were in use. Orders already taken go on; listings are delisted."""
    retired = bulk.fetch(
        "UPDATE catalog_product SET state = 'retired' WHERE id = ANY(%s::bigint[]) AND state <> 'retired' RETURNING id",
        (list(product_ids),),
    )
    if retired:
        bulk.execute(
            """UPDATE catalog_listingvariant l SET state = 'delisted' FROM catalog_variant v
               WHERE v.id = l.variant_id AND v.product_id = ANY(%s::bigint[]) AND l.state IN ('draft', 'live', 'paused')""",
            ([row[0] for row in retired],),
        )
        open_batch(by=by, at=at, reason=reason or f"retire_products: {len(retired)}")
    return [row[0] for row in retired]


@dataclass(slots=True)
class Listed:
    """Listing ids by SKU (of every SKU asked for), and those that found their variant only now."""

    ids: dict[str, int] = field(default_factory=dict)
    newly_linked: list[int] = field(default_factory=list)
    changed: int = 0


@transaction.atomic
def list_in_store(
    *, store: Any, skus: Iterable[str] | Mapping[str, ListingFacts], by: str, at: datetime
) -> Listed:
    """Make the listings of these SKUs in `store` (a Store, or its id), or bring their facts up to date.

    A listing is linked to the variant whose SKU is exactly the same, capitals included; where there is none it stays
    unlinked and its order lines are held. A link that stands is never changed here: `link_listings` does that.
    """
    facts = dict(skus) if isinstance(skus, Mapping) else {sku: ListingFacts() for sku in skus}
    facts = {sku: told for sku, told in facts.items() if sku and len(sku) <= LONGEST_SKU}
    if not facts:
        return Listed()
    store_id = getattr(store, "pk", store)
    bulk.execute("DROP TABLE IF EXISTS incoming_listing")
    bulk.execute(
        """CREATE TEMP TABLE incoming_listing (
               sku text, external_id text, title text, price numeric, currency text) ON COMMIT DROP"""
    )
    bulk.copy_rows(
        "incoming_listing",
        ("sku", "external_id", "title", "price", "currency"),
        [
            (s, f.external_id[:80], f.title[:LONGEST_TITLE], f.price, f.currency)
            for s, f in sorted(facts.items())
        ],
    )
    unlinked = {
        row[0]
        for row in bulk.fetch(
            """SELECT l.id FROM catalog_listingvariant l JOIN incoming_listing i USING (sku)
               WHERE l.store_id = %s AND l.variant_id IS NULL""",
            (store_id,),
        )
    }
    touched = bulk.fetch(
        """
        INSERT INTO catalog_listingvariant
            (store_id, sku, external_id, title, variant_id, price, currency, state, created_at)
        SELECT %(store)s::bigint, i.sku, i.external_id, coalesce(nullif(i.title, ''), p.title, ''), v.id, i.price,
               i.currency, 'live', %(at)s::timestamptz
        FROM incoming_listing i
        LEFT JOIN catalog_variant v ON v.sku = i.sku LEFT JOIN catalog_product p ON p.id = v.product_id
        ORDER BY i.sku
        ON CONFLICT (store_id, sku) DO UPDATE SET
            external_id = coalesce(nullif(EXCLUDED.external_id, ''), catalog_listingvariant.external_id),
            title = coalesce(nullif(EXCLUDED.title, ''), catalog_listingvariant.title),
            variant_id = coalesce(catalog_listingvariant.variant_id, EXCLUDED.variant_id),
            price = coalesce(EXCLUDED.price, catalog_listingvariant.price),
            currency = coalesce(nullif(EXCLUDED.currency, ''), catalog_listingvariant.currency)
        WHERE (catalog_listingvariant.variant_id IS NULL AND EXCLUDED.variant_id IS NOT NULL)
           OR (EXCLUDED.price IS NOT NULL AND EXCLUDED.price IS DISTINCT FROM catalog_listingvariant.price)
           OR EXCLUDED.external_id NOT IN ('', catalog_listingvariant.external_id)
           OR EXCLUDED.currency NOT IN ('', catalog_listingvariant.currency)
        RETURNING id, variant_id
        """,
        {"store": store_id, "at": at},
    )
    ids = dict(
        bulk.fetch(
            "SELECT l.sku, l.id FROM catalog_listingvariant l JOIN incoming_listing USING (sku) WHERE l.store_id = %s",
            (store_id,),
        )
    )
    linked = [listing for listing, variant in touched if variant is not None and listing in unlinked]
    return Listed(ids=ids, newly_linked=linked, changed=len(touched))


@transaction.atomic
def link_listings(links: Mapping[int, int | None], *, by: str, at: datetime) -> list[int]:
    """Say which variant each listing is (listing id → variant id, None takes the link off); returns those changed.

    Order lines keep the variant they were taken with; lines that are held for want of one are routed again by the
    flow that calls this.
    """
    if not links:
        return []
    changed = bulk.fetch(
        """UPDATE catalog_listingvariant l SET variant_id = t.variant
           FROM unnest(%s::bigint[], %s::bigint[]) AS t(listing, variant)
           WHERE l.id = t.listing AND l.variant_id IS DISTINCT FROM t.variant RETURNING l.id""",
        (list(links), list(links.values())),
    )
    if changed:
        open_batch(by=by, at=at, reason=f"link_listings: {len(changed)}")
    return [row[0] for row in changed]
