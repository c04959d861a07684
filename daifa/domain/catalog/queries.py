"""Reads of products and variants. They are shared by all stores."""

from __future__ import annotations

from typing import Any

from django.db.models import F, Q

from daifa.domain.catalog.models import ListingVariant, Variant
from daifa.lib.paging import Cursor

BY_SKU = ("sku",)


def variant_page(
    *, q: str | None = None, product_id: int | None = None, cursor: Cursor | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """At most `limit` variants by SKU, with `product_title` and `product_state`.

    `q`: the beginning of a SKU or barcode, or a word of the product's title.
    """
    found = Variant.objects.all()
    if product_id is not None:
        found = found.filter(product_id=product_id)
    if q and (q := q.strip()):
        found = found.filter(Q(sku__startswith=q) | Q(barcode__startswith=q) | Q(product__title__icontains=q))
    return (cursor or Cursor(BY_SKU)).slice(
        found.annotate(product_title=F("product__title"), product_state=F("product__state")).values(
            "id",
            "sku",
            "title",
            "options",
            "barcode",
            "weight_g",
            "product_id",
            "product_title",
            "product_state",
        ),
        limit,
    )


def variant_detail(variant_id: int) -> dict[str, Any] | None:
    """One variant with its product's words."""
    return (
        Variant.objects.filter(id=variant_id)
        .annotate(product_title=F("product__title"), product_state=F("product__state"))
        .values()
        .first()
    )


def listings_of(scope: list[int], variant_id: int) -> list[dict[str, Any]]:
    """As what a variant is listed in the stores of `scope`."""
    return list(
        ListingVariant.objects.filter(variant_id=variant_id, store_id__in=scope)
        .order_by("store_id", "sku")
        .values("id", "store_id", "sku", "title", "price", "currency", "state")
    )
