"""Listings: what each store sells, asking for it to be published, what waits for a person, and files for the channels.

A listing is named by the id of its first SKU in the store.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from ninja import Field, Router, Schema, Status

from daifa.api.caller import Caller, caller
from daifa.api.errors import ERRORS, Problem, not_found
from daifa.api.shapes import After, Done, Id, Limit, MoneyOut, Number, Page, Words, cursor_of, money, page_of
from daifa.connectors.manual.listings import ENDINGS
from daifa.domain.catalog import commands, queries
from daifa.domain.catalog.models import ListingVariant, Publication
from daifa.domain.catalog.process import LISTING, LISTING_FILE, PUBLICATION
from daifa.flows import publish_listings
from daifa.lib.commas import listed

router = Router(tags=["listings"])
ListingState = Literal[tuple(LISTING.table)]
PublicationState = Literal[tuple(PUBLICATION.table)]
FileState = Literal[tuple(LISTING_FILE.table)]


class ListingsOut(Schema):
    """A product as one store sells it."""

    id: int = Field(description="Of its first SKU in the store.")
    store_id: int
    product_id: int | None = Field(description="Null: linked to no variant, so its orders are held.")
    sku: str
    skus: int
    title: str
    price: MoneyOut | None = Field(description="The lowest of its SKUs.")
    state: str
    publication_id: int | None
    publication_state: str
    against_rules: bool | None = Field(description="On sale: true = should not be as it is, false = a person should look.")


class SkuOut(Schema):
    id: int
    sku: str
    variant_id: int | None
    price: MoneyOut | None
    state: str
    external_id: str


class ListingDetailOut(ListingsOut):
    variants: list[SkuOut]
    verdict: str = Field(description="What publishing it now would come to: ready, waiting, refused; empty where it cannot be judged.")
    sentences: list[str] = Field(description="What stands against it.")


class PublicationOut(Schema):
    """What a listing is to be on its channel."""

    id: int
    store_id: int
    product_id: int
    action: str
    state: str
    title: str
    sentences: list[str] = Field(description="What stood against it when it was judged last.")
    lists_version: int | None = Field(description="The version of the lists of words it was judged by.")
    decided_by: str
    decided_at: datetime | None
    decision: str
    file_id: int | None
    answer: str
    by: str
    at: datetime


class FileOut(Schema):
    id: int
    store_id: int
    number: int
    state: str
    layout: str
    name: str
    sha256: str
    listings: int
    rows: int
    at: datetime


class ChosenIn(Schema):
    """Listings by their ids, in stores where the caller may work."""

    ids: list[Id] = Field(min_length=1, max_length=1000)


class DraftIn(Schema):
    store_id: Id
    products: list[str] = Field(min_length=1, max_length=1000, description="SKUs, or handles of products.")
    price: Decimal | None = Field(None, gt=0, max_digits=15, decimal_places=4, description="For every SKU of them.")


class EditIn(Schema):
    title: str | None = Field(None, max_length=255, description="Of its own in this store; empty: the product's.")
    prices: dict[str, Decimal] = Field({}, description="SKU → price in the store's currency.")


class WithdrawIn(ChosenIn):
    action: Literal["pause", "delist"]
    reason: str = Field("", max_length=300)


class DecisionIn(Schema):
    ids: list[Id] = Field(min_length=1, max_length=1000)
    reason: str = Field(min_length=1, max_length=500)


class IdsIn(Schema):
    ids: list[Id] = Field(min_length=1, max_length=1000)


class OutcomeOut(Schema):
    store_id: int
    product_id: int
    state: str = Field(description="ready, waiting, refused, unchanged, or busy: an earlier one is on its way.")
    sentences: list[str]
    publication_id: int | None


def _listing_out(row: queries.ListingRow) -> dict[str, Any]:
    return {
        "id": row.id, "store_id": row.store_id, "product_id": row.product_id, "sku": row.sku, "skus": row.skus, "title": row.title,
        "price": money(row.price, row.currency) if row.currency else None, "state": row.state, "publication_id": row.publication,
        "publication_state": row.publication_state, "against_rules": row.concern,
    }  # fmt: skip


def _publication_out(row: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "store_id", "product_id", "action", "state", "title", "decided_by", "decided_at", "decision", "file_id", "answer", "by", "at")
    return {
        **{name: row[name] for name in names}, "sentences": publish_listings.sentences(row["reasons"]), "lists_version": row["lists_id"],
    }  # fmt: skip


def _file_out(row: Any) -> dict[str, Any]:
    get = row.get if isinstance(row, dict) else lambda name: getattr(row, name)
    names = ("id", "store_id", "number", "state", "layout", "name", "sha256", "rows", "at")
    return {**{name: get(name) for name in names}, "listings": get("listing_count")}


@router.get("/listings", response={200: Page[ListingsOut], **ERRORS})
def list_listings(
    request: HttpRequest, store_id: Number = None, state: ListingState | None = None, publication: PublicationState | None = None,
    against_rules: bool = False, q: Words = None, after: After = None, limit: Limit = 50,
):  # fmt: skip
    """Listings, newest first. `q`: the beginning of a SKU, or words of the title."""
    who = caller(request)
    cursor = cursor_of(queries.NEWEST, ("id",), after)
    rows = queries.listing_page(
        _scope(who, store_id), q=q, state=state, publication=publication, against=against_rules, cursor=cursor, limit=limit + 1
    )
    return page_of(rows, limit, cursor, _listing_out)


def _scope(who: Caller, store_id: int | None) -> list[int]:
    if store_id is None:
        return who.scope
    who.require(store_id, "view")
    return [store_id]


@router.post("/listings", response={201: Done, **ERRORS})
def draft_listings(request: HttpRequest, given: DraftIn):
    """List products in a store, not published yet. Answers the ids of the SKUs made."""
    who = caller(request)
    who.require(given.store_id, "operate")
    made = publish_listings.draft(store_id=given.store_id, names=given.products, price=given.price, by=who.by, at=who.at)
    return Status(201, {"done": made, "refused": []})


def _products(who: Caller, ids: list[int]) -> dict[int, list[int]]:
    """Store → products of the listings; 404 where one is not the caller's, 403 where his role is short."""
    stores = set(ListingVariant.objects.filter(pk__in=ids).values_list("store_id", flat=True))
    if not stores or ListingVariant.objects.filter(pk__in=ids, store_id__in=who.scope).count() != len(set(ids)):
        raise not_found()
    for store in stores:
        who.require(store, "operate")
    return publish_listings.products_of(ids)


def _outcomes(store: int, published: publish_listings.Published) -> list[dict[str, Any]]:
    return [
        {"store_id": store, "product_id": product, "state": one.state, "sentences": one.sentences, "publication_id": one.publication}
        for product, one in published.outcomes.items()
    ]


@router.post("/listings/publish", response={200: list[OutcomeOut], **ERRORS})
def ask_to_publish(request: HttpRequest, given: ChosenIn):
    """Ask for listings to be published, many at once. Each is judged; what is ready goes out by connector or in the next file."""
    who = caller(request)
    return [
        one
        for store, products in _products(who, given.ids).items()
        for one in _outcomes(store, publish_listings.publish(store_id=store, product_ids=products, by=who.by, at=who.at))
    ]


@router.post("/listings/withdraw", response={200: list[OutcomeOut], **ERRORS})
def withdraw_listings(request: HttpRequest, given: WithdrawIn):
    """Pause listings or take them off sale: the channel is asked by connector or in the next file."""
    who = caller(request)
    return [
        one
        for store, products in _products(who, given.ids).items()
        for one in _outcomes(
            store,
            publish_listings.withdraw_from_channel(
                store_id=store, product_ids=products, action=given.action, reason=given.reason, by=who.by, at=who.at
            ),
        )
    ]


@router.get("/listings/{listing_id}", response={200: ListingDetailOut, **ERRORS})
def get_listing(request: HttpRequest, listing_id: Id):
    """One listing with its SKUs, and what publishing it now would come to."""
    who = caller(request)
    variants = queries.listing_variants(who.scope, listing_id)
    if not variants:
        raise not_found()
    listing = ListingVariant.objects.select_related("store", "variant").get(pk=listing_id)
    product = listing.variant.product_id if listing.variant else None
    found = queries.listing_page([listing.store_id], product_id=product, limit=1) if product else []
    judged = publish_listings.judge(listing.store, [product], at=who.at, by=who.by).get(product) if product else None
    row = found[0] if found else queries.ListingRow(
        listing.pk, listing.store_id, None, listing.sku, 1, listing.title, listing.price, listing.currency, listing.state, None, "", "", None
    )  # fmt: skip
    return {
        **_listing_out(row),
        "variants": [
            {**{name: one[name] for name in ("id", "sku", "variant_id", "state", "external_id")},
             "price": money(one["price"], one["currency"]) if one["currency"] else None}
            for one in variants
        ],
        "verdict": judged.verdict.state if judged else "",
        "sentences": publish_listings.sentences(judged.verdict.reasons) if judged else [],
    }  # fmt: skip


@router.post("/listings/{listing_id}/edit", response={200: Done, **ERRORS})
def edit_listing(request: HttpRequest, listing_id: Id, given: EditIn):
    """Give a listing a title of its own and its SKUs prices. The channel shows it once it is published anew."""
    who = caller(request)
    variants = queries.listing_variants(who.scope, listing_id)
    if not variants:
        raise not_found()
    who.require(variants[0]["store_id"], "operate")
    known = {one["sku"]: one["id"] for one in variants}
    if unknown := sorted(given.prices.keys() - known.keys()):
        raise Problem(422, "sku_unknown", _("This listing has no SKU %(skus)s.") % {"skus": listed(unknown[:10])}, "prices")
    changes = {pk: (given.title, given.prices.get(sku)) for sku, pk in known.items()}
    return {"done": commands.edit_listings(changes, store_id=variants[0]["store_id"], by=who.by, at=who.at), "refused": []}


# --- Publications -------------------------------------------------------------------------------------------------


@router.get("/publications", response={200: Page[PublicationOut], **ERRORS})
def list_publications(
    request: HttpRequest, store_id: Number = None, state: PublicationState | None = None, after: After = None, limit: Limit = 50
):
    """Publications, newest first. `state=waiting`: what a person has to look at."""
    who = caller(request)
    cursor = cursor_of(queries.NEWEST, ("id",), after)
    rows = queries.publication_page(_scope(who, store_id), state=state, cursor=cursor, limit=limit + 1)
    return page_of(rows, limit, cursor, _publication_out)


def _mine(who: Caller, ids: list[int]) -> list[int]:
    found = dict(Publication.objects.filter(pk__in=ids, store_id__in=who.scope).values_list("pk", "store_id"))
    if len(found) != len(set(ids)):
        raise not_found()
    for store in set(found.values()):
        who.require(store, "operate")
    return ids


def _done(decided: publish_listings.Decided) -> dict[str, Any]:
    return {"done": decided.done, "refused": list(decided.refused.values())}


@router.post("/publications/approve", response={200: Done, **ERRORS})
def approve_publications(request: HttpRequest, given: DecisionIn):
    """Let out what waits, with the reason. A missing paper or a word that must be changed is not waved through."""
    who = caller(request)
    return _done(publish_listings.approve(_mine(who, given.ids), reason=given.reason, by=who.by, at=who.at))


@router.post("/publications/return", response={200: Done, **ERRORS})
def return_publications(request: HttpRequest, given: DecisionIn):
    """Give back what waits, saying what has to be changed."""
    who = caller(request)
    return _done(publish_listings.send_back(_mine(who, given.ids), reason=given.reason, by=who.by, at=who.at))


@router.post("/publications/withdraw", response={200: Done, **ERRORS})
def withdraw_publications(request: HttpRequest, given: IdsIn):
    """Take back what has not gone out."""
    who = caller(request)
    return _done(publish_listings.withdraw(_mine(who, given.ids), by=who.by, at=who.at))


@router.get("/publications/{publication_id}", response={200: PublicationOut, **ERRORS})
def get_publication(request: HttpRequest, publication_id: Id):
    """One publication."""
    found = queries.publication_detail(caller(request).scope, publication_id)
    if found is None:
        raise not_found()
    return _publication_out(found)


# --- Files --------------------------------------------------------------------------------------------------------


@router.get("/listing-files", response={200: Page[FileOut], **ERRORS})
def list_listing_files(request: HttpRequest, store_id: Number = None, state: FileState | None = None, after: After = None, limit: Limit = 50):
    """Files for channels that are not connected, newest first."""
    who = caller(request)
    cursor = cursor_of(queries.NEWEST, ("id",), after)
    rows = queries.file_page(_scope(who, store_id), state=state, cursor=cursor, limit=limit + 1)
    return page_of(rows, limit, cursor, _file_out)


class StoreIn(Schema):
    store_id: Id


@router.post("/listing-files", response={201: FileOut, 204: None, **ERRORS})
def make_listing_file(request: HttpRequest, given: StoreIn):
    """Put what may go out in a store into a file; 204 where nothing may."""
    who = caller(request)
    who.require(given.store_id, "operate")
    file = publish_listings.make_file(store_id=given.store_id, by=who.by, at=who.at)
    return Status(204, None) if file is None else Status(201, _file_out(file))


def _file(who: Caller, file_id: int) -> Any:
    file = queries.listing_file(who.scope, file_id)
    if file is None:
        raise not_found()
    return file


@router.get("/listing-files/{listing_file_id}/content", response={200: None, **ERRORS})
def download_listing_file(request: HttpRequest, listing_file_id: Id):
    """The file, the same bytes each time."""
    file = _file(caller(request), listing_file_id)
    kind = "text/csv; charset=utf-8" if ENDINGS[file.layout] == "csv" else "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    response = HttpResponse(bytes(file.content), content_type=kind)
    response["Content-Disposition"] = content_disposition_header(True, file.name)
    response["X-Content-Type-Options"] = "nosniff"
    return response


class SettleIn(Schema):
    uploaded: bool


@router.post("/listing-files/{listing_file_id}/settle", response={200: Done, **ERRORS})
def settle_listing_file(request: HttpRequest, listing_file_id: Id, given: SettleIn):
    """Say whether a file was uploaded: then its listings are as it says, else they come into the next one."""
    who = caller(request)
    file = _file(who, listing_file_id)
    who.require(file.store_id, "operate")
    return {"done": publish_listings.settle_file(file_id=file.pk, uploaded=given.uploaded, by=who.by, at=who.at), "refused": []}
