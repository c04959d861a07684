"""What may be done to products, variants and listings. Many at once; a repeat changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from daifa.domain.catalog.models import ListingFile, Product
from daifa.domain.catalog.process import LISTING, LISTING_FILE, PUBLICATION
from daifa.domain.history.commands import Moved, move, open_batch, record_births
from daifa.lib import bulk
from daifa.lib.refusal import Refused, RowRefused

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
        reason = reason or f"retire_products: {len(retired)}"
        batch = open_batch(by=by, at=at, reason=reason)
        listed = bulk.fetch(
            """SELECT l.id FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id
               WHERE v.product_id = ANY(%s::bigint[]) AND l.state IN ('draft', 'live', 'paused')""",
            ([row[0] for row in retired],),
        )
        move(LISTING, [row[0] for row in listed], to="delisted", by=by, at=at, batch=batch)
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


# --- The life of a listing ----------------------------------------------------------------------------------------


@transaction.atomic
def draft_listings(
    *, store_id: int, product_ids: Sequence[int], prices: Mapping[str, Decimal] | None = None, by: str, at: datetime
) -> list[int]:
    """Make listings of products in a store, not published yet; returns the ids of the new listing variants.

    Each variant is listed under our SKU. Its price is the one given for its SKU, else that of another store in the same
    currency, else empty: then it has to be entered before publishing. Variants that are listed there already stay.
    """
    prices = prices or {}
    made = bulk.fetch(
        """INSERT INTO catalog_listingvariant (store_id, sku, external_id, title, variant_id, price, currency, state, created_at)
           SELECT s.id, v.sku, '', '', v.id, coalesce(g.price, (
                      SELECT o.price FROM catalog_listingvariant o JOIN stores_store t ON t.id = o.store_id
                      WHERE o.variant_id = v.id AND t.id <> s.id AND t.currency = s.currency AND o.price IS NOT NULL
                      ORDER BY o.id DESC LIMIT 1)),
                  s.currency, 'draft', %(at)s
           FROM stores_store s
           JOIN catalog_variant v ON v.product_id = ANY(%(products)s::bigint[])
           JOIN catalog_product p ON p.id = v.product_id AND p.state <> 'retired'
           LEFT JOIN unnest(%(skus)s::text[], %(prices)s::numeric[]) AS g(sku, price) ON g.sku = v.sku
           WHERE s.id = %(store)s
             AND NOT EXISTS (SELECT FROM catalog_listingvariant l WHERE l.store_id = s.id AND l.variant_id = v.id)
           ORDER BY v.id
           ON CONFLICT (store_id, sku) DO NOTHING RETURNING id""",
        {"store": store_id, "products": list(product_ids), "skus": list(prices), "prices": list(prices.values()), "at": at},
    )
    ids = [row[0] for row in made]
    record_births(LISTING, ids, "draft", by=by, at=at, reason="draft_listings")
    return ids


@transaction.atomic
def edit_listings(
    changes: Mapping[int, tuple[str | None, Decimal | None]], *, store_id: int, by: str, at: datetime
) -> list[int]:
    """Give listing variants of a store a title of their own ("" = the product's) and a price; None leaves what is there.

    Returns those changed. What a channel shows changes with the next publication only. Raises `Refused`.
    """
    for title, price in changes.values():
        if price is not None and not 0 < price < Decimal(10) ** 11:
            raise Refused(_("A price is above zero."), code="price_invalid", field="price")
        if title is not None and len(title.strip()) > LONGEST_TITLE:
            raise Refused(
                _("A title has at most %(most)s characters; shorten it.") % {"most": LONGEST_TITLE}, code="title_too_long", field="title"
            )
    changed = bulk.fetch(
        """UPDATE catalog_listingvariant l
           SET title = coalesce(c.title, l.title), price = coalesce(c.price, l.price),
               currency = CASE WHEN l.currency = '' THEN s.currency ELSE l.currency END
           FROM unnest(%s::bigint[], %s::text[], %s::numeric[]) AS c(id, title, price), stores_store s
           WHERE l.id = c.id AND l.store_id = %s AND s.id = l.store_id
             AND (l.title <> coalesce(c.title, l.title) OR l.price IS DISTINCT FROM coalesce(c.price, l.price)) RETURNING l.id""",
        (
            list(changes), [None if title is None else title.strip() for title, _price in changes.values()],
            [price for _title, price in changes.values()], store_id,
        ),
    )  # fmt: skip
    if changed:
        open_batch(by=by, at=at, reason=f"edit_listings: {len(changed)}")
    return [row[0] for row in changed]


PRODUCT_WORDS = ("title", "description", "brand", "category", "image")


@transaction.atomic
def edit_product(*, product_id: int, by: str, at: datetime, **words: str) -> Product:
    """Change words of a product (fields of PRODUCT_WORDS), which all stores share. Raises `Refused`."""
    product = Product.objects.select_for_update(no_key=True).filter(pk=product_id).first()
    if product is None:
        raise Refused(_("There is no such product."), code="not_found")
    for name, text in words.items():
        if name not in PRODUCT_WORDS:
            raise ValueError(f"A product has no words {name}.")
        most = Product._meta.get_field(name).max_length
        if most and len(text.strip()) > most:
            raise Refused(_("This has at most %(most)s characters; shorten it.") % {"most": most}, code="too_long", field=name)
        setattr(product, name, text.strip())
    if not product.title:
        raise Refused(_("A product has a title."), code="title_missing", field="title")
    product.save(update_fields=list(words))
    open_batch(by=by, at=at, reason=f"edit_product: {product.handle}")
    return product


def lock_listings(ids: Sequence[int]) -> None:
    """Lock listing variants in id order: whoever publishes, pauses or takes down a listing does this first."""
    bulk.fetch("SELECT id FROM catalog_listingvariant WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE", (list(ids),))


@transaction.atomic
def move_listings(ids: Sequence[int], *, to: str, by: str, at: datetime, reason: str = "", batch: int | None = None) -> Moved:
    """Move listing variants to `to` where the process allows it, with history; the others are reported.

    This is what happened (a platform took it down, a closing took it off sale): asking a channel to do it is a publication.
    """
    return move(LISTING, ids, to=to, by=by, at=at, reason=reason, batch=batch)


# --- Publications -------------------------------------------------------------------------------------------------


class NewPublication(NamedTuple):
    """What a listing is to be on its channel. `content`, `reasons`, `hits`: see `models.Publication`."""

    store: int
    product: int
    action: str
    state: str
    listings: Sequence[int]
    content: Mapping[str, Any]
    digest: str
    lists: int | None
    reasons: Sequence[Any] = ()
    hits: Sequence[Any] = ()


@transaction.atomic
def add_publications(rows: Sequence[NewPublication], *, by: str, at: datetime, reason: str = "") -> list[int]:
    """Write publications down as they begin; returns their ids in the order given. The caller holds their listings."""
    ids = bulk.write_rows(
        "catalog_publication",
        ("store_id", "product_id", "action", "state", "listings", "content", "digest", "lists_id", "reasons", "hits", "allowed", "by", "at",
         "ended_at"),
        [
            (
                one.store, one.product, one.action, one.state, list(one.listings), bulk.json(one.content), one.digest, one.lists,
                bulk.json([list(reason) for reason in one.reasons]), bulk.json([list(hit) for hit in one.hits]), [], by, at,
                at if one.state == "refused" else None,
            )
            for one in rows
        ],
    )  # fmt: skip
    batch = open_batch(by=by, at=at, reason=reason) if rows else None
    for state in sorted({one.state for one in rows}):
        record_births(
            PUBLICATION, [pk for pk, one in zip(ids, rows, strict=True) if one.state == state], state, batch=batch, at=at
        )
    return ids


@transaction.atomic
def judge_anew(
    verdicts: Mapping[int, tuple[str, Sequence[Any], Sequence[Any], int | None]], *, by: str, at: datetime
) -> dict[str, list[int]]:
    """Keep the newest verdict on publications that have not gone out: id → (state, reasons, hits, version of the lists).

    Returns those that changed their state, by the new one.
    """
    if not verdicts:
        return {}
    bulk.execute(
        """UPDATE catalog_publication p SET reasons = v.reasons::jsonb, hits = v.hits::jsonb, lists_id = v.lists
           FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[]) AS v(id, reasons, hits, lists)
           WHERE p.id = v.id AND p.state IN ('waiting', 'ready')""",
        (
            list(verdicts), [_text([list(one) for one in v[1]]) for v in verdicts.values()],
            [_text([list(one) for one in v[2]]) for v in verdicts.values()], [v[3] for v in verdicts.values()],
        ),
    )  # fmt: skip
    return {
        state: move(
            PUBLICATION, [pk for pk, verdict in verdicts.items() if verdict[0] == state], to=state, by=by, at=at,
            reason="judged anew", set_at="ended_at" if PUBLICATION.is_final(state) else "",
        ).moved
        for state in sorted({verdict[0] for verdict in verdicts.values()})
    }  # fmt: skip


def _text(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


@transaction.atomic
def approve_publications(allowed: Mapping[int, Sequence[str]], *, reason: str, by: str, at: datetime) -> Moved:
    """A person looked at waiting publications and lets them out: id → codes of the reasons she answers for."""
    if not reason.strip():
        raise Refused(_("Say why it may be published: what you looked at, or which proof you hold."), code="reason_missing", field="reason")
    moved = move(PUBLICATION, list(allowed), to="ready", by=by, at=at, reason=reason, set_at="decided_at",
                 sets={"decided_by": by, "decision": reason.strip()[:500]})  # fmt: skip
    bulk.execute(
        """UPDATE catalog_publication p SET allowed = string_to_array(nullif(a.codes, ''), ',')
           FROM unnest(%s::bigint[], %s::text[]) AS a(id, codes) WHERE p.id = a.id AND a.codes <> ''""",
        (moved.moved, [",".join(allowed[pk]) for pk in moved.moved]),
    )
    return moved


@transaction.atomic
def return_publications(ids: Sequence[int], *, reason: str, by: str, at: datetime) -> Moved:
    """Give waiting publications back to be changed, with the reason. What is asked for anew is judged anew."""
    if not reason.strip():
        raise Refused(_("Say what has to be changed."), code="reason_missing", field="reason")
    sets = {"decided_by": by, "decision": reason.strip()[:500], "ended_at": at}
    return move(PUBLICATION, ids, to="returned", by=by, at=at, reason=reason, set_at="decided_at", sets=sets)


@transaction.atomic
def withdraw_publications(ids: Sequence[int], *, by: str, at: datetime, reason: str = "") -> Moved:
    """Take back what has not gone out."""
    return move(PUBLICATION, ids, to="withdrawn", by=by, at=at, reason=reason, set_at="ended_at")


@transaction.atomic
def settle_publications(
    outcomes: Mapping[int, tuple[str, str]], *, by: str, at: datetime, reason: str = ""
) -> dict[str, list[int]]:
    """What became of publications on their channel: id → (done, declined, unknown or ready; the answer). Those moved, by state."""
    settled = {}
    for state in sorted({state for state, _answer in outcomes.values()}):
        ids = [pk for pk, outcome in outcomes.items() if outcome[0] == state]
        settled[state] = move(
            PUBLICATION, ids, to=state, by=by, at=at, reason=reason, set_at="ended_at" if PUBLICATION.is_final(state) else ""
        ).moved
    told = {pk: answer[:300] for pk, (_state, answer) in outcomes.items() if answer}
    if told:
        bulk.execute(
            """UPDATE catalog_publication p SET answer = a.answer FROM unnest(%s::bigint[], %s::text[]) AS a(id, answer)
               WHERE p.id = a.id""",
            (list(told), list(told.values())),
        )
    return settled


def take_number(store_id: int) -> int:
    """The number of a store's next file of listings; the store's row is locked until the transaction ends."""
    bulk.fetch("SELECT id FROM stores_store WHERE id = %s FOR NO KEY UPDATE", (store_id,))
    return bulk.fetch("SELECT coalesce(max(number), 0) + 1 FROM catalog_listingfile WHERE store_id = %s", (store_id,))[0][0]


@transaction.atomic
def fix_file(
    ids: Sequence[int], *, store_id: int, number: int, layout: str, name: str, content: bytes, sha256: str, rows: int, by: str,
    at: datetime,
) -> ListingFile:  # fmt: skip
    """Keep the file that holds these ready publications; they wait in it for the person who uploads it."""
    file = ListingFile.objects.create(
        store_id=store_id, number=number, state="fixed", layout=layout, name=name, content=content, sha256=sha256,
        listing_count=len(ids), rows=rows, by=by, at=at,
    )  # fmt: skip
    record_births(LISTING_FILE, [file.pk], "fixed", by=by, at=at, reason=name)
    moved = move(PUBLICATION, ids, to="filed", by=by, at=at, reason=name, sets={"file_id": file.pk})
    if moved.others:
        raise Refused(_("Some of these were changed meanwhile; make the file again."), code="moved_on")
    return file


@transaction.atomic
def close_file(file_id: int, *, to: str, by: str, at: datetime) -> list[int]:
    """The file was uploaded, or was not (`dropped`); returns the publications in it. Raises `Refused`."""
    if not move(LISTING_FILE, [file_id], to=to, by=by, at=at, set_at="settled_at", sets={"settled_by": by}).moved:
        raise Refused(_("Somebody has said before what became of this file."), code="moved_on")
    return [
        row[0]
        for row in bulk.fetch("SELECT id FROM catalog_publication WHERE file_id = %s AND state = 'filed' ORDER BY id", (file_id,))
    ]


@transaction.atomic
def keep_external_ids(numbers: Mapping[int, str]) -> None:
    """What the channel calls listing variants: id → its number."""
    bulk.execute(
        """UPDATE catalog_listingvariant l SET external_id = n.number FROM unnest(%s::bigint[], %s::text[]) AS n(id, number)
           WHERE l.id = n.id AND n.number <> ''""",
        (list(numbers), [number[:80] for number in numbers.values()]),
    )


CONCERN = ("store_id", "product_id", "is_grave", "reasons", "lists_id", "found_at")


@transaction.atomic
def replace_concerns(rows: Sequence[tuple[Any, ...]]) -> int:
    """What the last look at everything on sale found, instead of what the one before did: tuples of CONCERN."""
    bulk.execute("DELETE FROM catalog_listingconcern")
    return bulk.copy_rows("catalog_listingconcern", CONCERN, [(*row[:3], bulk.json(row[3]), *row[4:]) for row in rows])
