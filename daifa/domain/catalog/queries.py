"""Reads of products and variants, which all stores share, and of listings and their publications, which belong to one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from json import loads
from typing import Any, NamedTuple

from django.db.models import F, Q

from daifa.domain.catalog.models import ListingFile, ListingVariant, Publication, Variant
from daifa.domain.catalog.process import LISTING, PUBLICATION
from daifa.lib import bulk
from daifa.lib.paging import Cursor
from daifa.lib.sentences import told

BY_SKU = ("sku",)
NEWEST = ("-id",)


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


# --- Listings -----------------------------------------------------------------------------------------------------


class ListingRow(NamedTuple):
    """A listing: the listing variants of one product in one store. `id` is that of the first of them.

    `state` is the one that matters most among its SKUs. `publication` and `publication_state` are those of the newest
    publication; `concern`: None, False = a person should look, True = it should not be on sale as it is.
    """

    id: int
    store_id: int
    product_id: int | None
    sku: str
    skus: int
    title: str
    price: Decimal | None
    currency: str
    state: str
    publication: int | None
    publication_state: str
    publication_action: str
    concern: bool | None


_STATES = ("taken_down", "live", "paused", "draft", "delisted", "closed")
# The first SKU of each product in each store, in the order asked for; only what is shown is looked at closer. OFFSET 0 keeps
# the database from comparing all with all before it knows how few are wanted.
_LEADS = """
    SELECT l.id, v.product_id, p.title FROM catalog_listingvariant l
    LEFT JOIN catalog_variant v ON v.id = l.variant_id LEFT JOIN catalog_product p ON p.id = v.product_id
    WHERE l.store_id = ANY(%s::bigint[])
      AND NOT EXISTS (SELECT FROM catalog_variant w JOIN catalog_listingvariant m ON m.variant_id = w.id
                      WHERE w.product_id = v.product_id AND m.store_id = l.store_id AND m.id < l.id OFFSET 0)"""
_HAS_STATE = """(l.state = ANY(%s::text[]) OR EXISTS (
    SELECT FROM catalog_variant w JOIN catalog_listingvariant m ON m.variant_id = w.id
    WHERE w.product_id = v.product_id AND m.store_id = l.store_id AND m.state = ANY(%s::text[]) OFFSET 0))"""
_WITH_STATE = """l.id = ANY(ARRAY(
    SELECT coalesce((SELECT min(k.id) FROM catalog_variant w2 JOIN catalog_listingvariant k ON k.variant_id = w2.id AND k.store_id = m.store_id
                     WHERE w2.product_id = w.product_id), m.id)
    FROM catalog_listingvariant m LEFT JOIN catalog_variant w ON w.id = m.variant_id
    WHERE m.store_id = ANY(%s::bigint[]) AND m.state = %s AND m.state <> 'live'))"""
_NEWEST_OF = """SELECT q.id, q.state, q.action FROM catalog_publication q WHERE q.product_id = v.product_id AND q.store_id = l.store_id
                ORDER BY q.id DESC LIMIT 1"""
_LISTINGS = f"""
    SELECT l.id, l.store_id, v.product_id, l.sku, coalesce(g.skus, 1), coalesce(nullif(l.title, ''), lead.title, ''),
           coalesce(g.price, l.price), l.currency, coalesce(g.state, l.state), u.id, coalesce(u.state, ''), coalesce(u.action, ''), c.is_grave
    FROM lead JOIN catalog_listingvariant l ON l.id = lead.id
    CROSS JOIN LATERAL (SELECT lead.product_id) v
    LEFT JOIN LATERAL (
        SELECT count(*)::int AS skus, min(m.price) AS price, (array_agg(m.state ORDER BY array_position(%s::text[], m.state::text)))[1] AS state
        FROM catalog_variant w JOIN catalog_listingvariant m ON m.variant_id = w.id AND m.store_id = l.store_id
        WHERE w.product_id = v.product_id) g ON v.product_id IS NOT NULL
    LEFT JOIN LATERAL ({_NEWEST_OF}) u ON v.product_id IS NOT NULL
    LEFT JOIN catalog_listingconcern c ON c.store_id = l.store_id AND c.product_id = v.product_id"""


def listing_page(
    scope: Sequence[int], *, q: str | None = None, state: str | None = None, publication: str | None = None, against: bool = False,
    unlinked: bool = False, product_id: int | None = None, cursor: Cursor | None = None, limit: int = 50,
) -> list[ListingRow]:  # fmt: skip
    """At most `limit` listings of these stores, newest first.

    `state`: of any of its SKUs. `publication`: state of its newest publication. `against`: only what should not be on
    sale as it is, or should be looked at. `q`: the beginning of a SKU, or words of the title.
    """
    cursor = cursor or Cursor(NEWEST)
    beyond, params, order_by = cursor.sql({"id": "l.id"})
    where = [beyond]
    if q and (q := q.strip()):
        like = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        where.append("(l.sku LIKE %s OR l.title ILIKE %s OR p.title ILIKE %s)")
        params += [f"{like}%", f"%{like}%", f"%{like}%"]
    if state:
        known = state if state in LISTING.table else ""
        above = list(_STATES[: _STATES.index(known)]) if known else []
        where += [_HAS_STATE, f"NOT {_HAS_STATE}"]
        params += [[known], [known], above, above]
        if known != "live":  # of which there are few: begin with those
            where.append(_WITH_STATE)
            params += [list(scope), known]
    if publication:
        known = publication if publication in PUBLICATION.table else ""
        where.append(
            f"""v.product_id IN (SELECT q.product_id FROM catalog_publication q WHERE q.store_id = ANY(%s::bigint[]) AND q.state = %s)
                AND (SELECT u.state FROM ({_NEWEST_OF}) u) = %s"""
        )
        params += [list(scope), known, known]
    if against:
        where.append("EXISTS (SELECT FROM catalog_listingconcern c WHERE c.store_id = l.store_id AND c.product_id = v.product_id)")
    if unlinked:
        where.append("l.variant_id IS NULL")
    if product_id is not None:
        where.append("v.product_id = %s")
        params.append(product_id)
    # The number stands in the text: statements are planned without their values, and a plan for many rows is a slow one for fifty.
    rows = bulk.fetch(
        f"""WITH lead AS MATERIALIZED ({_LEADS} AND {" AND ".join(where)} ORDER BY {order_by} LIMIT {int(limit)})
            {_LISTINGS} ORDER BY {order_by}""",
        [list(scope), *params, list(_STATES)],
    )
    return cursor.forwards([ListingRow(*row) for row in rows])


def listing_variants(scope: Sequence[int], listing_id: int) -> list[dict[str, Any]]:
    """The listing variants of the listing to which one of them belongs, first first; [] when it is not in scope."""
    return [
        dict(zip(("id", "store_id", "sku", "title", "price", "currency", "state", "external_id", "variant_id", "variant_sku", "created_at"), row, strict=True))
        for row in bulk.fetch(
            """SELECT m.id, m.store_id, m.sku, m.title, m.price, m.currency, m.state, m.external_id, m.variant_id, w.sku, m.created_at
               FROM catalog_listingvariant l LEFT JOIN catalog_variant v ON v.id = l.variant_id
               JOIN catalog_listingvariant m ON m.store_id = l.store_id
                    AND (m.id = l.id OR m.variant_id IN (SELECT w.id FROM catalog_variant w WHERE w.product_id = v.product_id))
               LEFT JOIN catalog_variant w ON w.id = m.variant_id
               WHERE l.id = %s AND l.store_id = ANY(%s::bigint[]) ORDER BY m.id""",
            (listing_id, list(scope)),
        )
    ]  # fmt: skip


def listings_named(scope: Sequence[int], skus: Sequence[str]) -> dict[str, list[int]]:
    """SKU → listing variants of these stores that bear it."""
    found: dict[str, list[int]] = {}
    for sku, pk in ListingVariant.objects.filter(store_id__in=list(scope), sku__in=list(skus)).order_by("id").values_list("sku", "pk"):
        found.setdefault(sku, []).append(pk)
    return found


_PUBLICATION = (
    "id", "store_id", "product_id", "action", "state", "listings", "content", "digest", "lists_id", "reasons", "hits", "allowed",
    "decided_by", "decided_at", "decision", "file_id", "answer", "by", "at", "ended_at",
)  # fmt: skip


def publication_page(
    scope: Sequence[int], *, state: str | None = None, product_id: int | None = None, file_id: int | None = None,
    cursor: Cursor | None = None, limit: int = 50,
) -> list[dict[str, Any]]:  # fmt: skip
    """At most `limit` publications, newest first, with `title` and `handle` as they are to be published."""
    found = Publication.objects.filter(store_id__in=list(scope))
    if state:
        found = found.filter(state=state)
    if product_id is not None:
        found = found.filter(product_id=product_id)
    if file_id is not None:
        found = found.filter(file_id=file_id)
    rows = (cursor or Cursor(NEWEST)).slice(found.values(*_PUBLICATION), limit)
    return [{**row, "title": row["content"].get("title", ""), "handle": row["content"].get("handle", "")} for row in rows]


def publication_detail(scope: Sequence[int], publication_id: int) -> dict[str, Any] | None:
    """One publication with the version of the lists (`lists_at`) and the file's name; None when it is not in scope."""
    row = (
        Publication.objects.filter(pk=publication_id, store_id__in=list(scope))
        .annotate(lists_at=F("lists__at"), lists_digest=F("lists__digest"), file_name=F("file__name"))
        .values(*_PUBLICATION, "lists_at", "lists_digest", "file_name")
        .first()
    )
    return row and {**row, "title": row["content"].get("title", ""), "handle": row["content"].get("handle", "")}


def concern_of(store_id: int, product_id: int | None) -> dict[str, Any] | None:
    """Why a listing that is on sale should be looked at, as of the last look; None where nothing was found."""
    rows = bulk.fetch(
        "SELECT is_grave, reasons, found_at FROM catalog_listingconcern WHERE store_id = %s AND product_id = %s", (store_id, product_id)
    )
    return {"is_grave": rows[0][0], "reasons": loads(rows[0][1]), "found_at": rows[0][2]} if rows else None


class Happening(NamedTuple):
    """A change of state of a listing variant or a publication: `kind` listing or publication."""

    at: datetime
    kind: str
    thing: int
    state_from: str
    state_to: str
    by: str
    reason: str


def history_of(listing_ids: Sequence[int], publication_ids: Sequence[int], limit: int = 100) -> list[Happening]:
    """What happened to a listing, newest first; SKUs that moved together are told once."""
    return [
        Happening(*row, told(reason))
        for *row, reason in bulk.fetch(
            """SELECT t.at, CASE t.kind WHEN %(listing)s THEN 'listing' ELSE 'publication' END, min(t.thing), t.state_from, t.state_to, b.by, b.reason
               FROM history_transition t JOIN history_batch b ON b.id = t.batch_id
               WHERE (t.kind = %(listing)s AND t.thing = ANY(%(listings)s::bigint[]))
                  OR (t.kind = %(publication)s AND t.thing = ANY(%(publications)s::bigint[]))
               GROUP BY t.at, t.kind, t.state_from, t.state_to, b.by, b.reason, t.batch_id, CASE WHEN t.kind = %(publication)s THEN t.thing END
               ORDER BY t.at DESC, t.batch_id DESC LIMIT %(limit)s""",
            {
                "listing": LISTING.kind, "publication": PUBLICATION.kind, "listings": list(listing_ids),
                "publications": list(publication_ids), "limit": limit,
            },
        )
    ]  # fmt: skip


_FILE = ("id", "store_id", "number", "state", "layout", "name", "sha256", "listing_count", "rows", "by", "at", "settled_by", "settled_at")


def file_page(
    scope: Sequence[int], *, state: str | None = None, cursor: Cursor | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """At most `limit` files of listings, newest first, without their content."""
    found = ListingFile.objects.filter(store_id__in=list(scope))
    return (cursor or Cursor(NEWEST)).slice((found.filter(state=state) if state else found).values(*_FILE), limit)


def listing_file(scope: Sequence[int], file_id: int) -> ListingFile | None:
    """One file; None when it is not there or not in scope."""
    return ListingFile.objects.filter(pk=file_id, store_id__in=list(scope)).first()


def waiting_count(scope: Sequence[int]) -> int:
    """How many publications wait for a person: the number beside the section."""
    return bulk.fetch(
        "SELECT count(*) FROM catalog_publication WHERE state = 'waiting' AND store_id = ANY(%s::bigint[])", (list(scope),)
    )[0][0]


def products_to_list(scope: Sequence[int], store_id: int, *, q: str = "", limit: int = 200) -> list[dict[str, Any]]:
    """Products a store does not list yet, by title, with how many variants they have."""
    if store_id not in scope:
        return []
    return [
        {"id": pk, "title": title, "handle": handle, "variants": variants}
        for pk, title, handle, variants in bulk.fetch(
            """SELECT p.id, p.title, p.handle, count(v.id)::int FROM catalog_product p JOIN catalog_variant v ON v.product_id = p.id
               WHERE p.state <> 'retired' AND (p.title ILIKE %(like)s OR p.handle ILIKE %(like)s)
                 AND NOT EXISTS (SELECT FROM catalog_listingvariant l JOIN catalog_variant w ON w.id = l.variant_id
                                 WHERE l.store_id = %(store)s AND w.product_id = p.id)
               GROUP BY p.id ORDER BY p.title, p.id LIMIT %(limit)s""",
            {"store": store_id, "like": f"%{q.strip()}%", "limit": limit},
        )
    ]
