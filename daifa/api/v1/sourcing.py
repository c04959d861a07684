"""Suppliers, their offers, and what we sell: shared by all stores, shown to everybody who works in one."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from daifa.api.caller import caller
from daifa.api.errors import ERRORS, not_found
from daifa.api.shapes import After, Id, Limit, MoneyOut, Number, Page, Words, cursor_of, money, page_of
from daifa.domain.catalog import queries as catalog
from daifa.domain.sourcing import queries
from daifa.domain.sourcing.models import Supplier, SupplierOffer
from daifa.flows import put_right

router = Router(tags=["sourcing"])
SupplierState = Literal[tuple(state for state, _words in Supplier.STATES)]
Source = Literal[tuple(code for code, _words in Supplier.SOURCES)]
OfferState = Literal[tuple(state for state, _words in SupplierOffer.STATES)]


class SupplierOut(Schema):
    id: int
    code: str
    name: str
    source: str = Field(description="trade, or consumer_platform: nothing is bought there for a buyer.")
    kind: str
    delivery: str
    email: str
    language: str
    currency: str
    country: str
    parcel_freight: MoneyOut
    handling_days: int
    ships_to: list[str] = Field(description="ISO 3166 codes; empty: everywhere.")
    state: str
    is_sample: bool


class SupplierIn(Schema):
    code: str = Field(max_length=40)
    name: str = Field(max_length=160)
    currency: str = Field(min_length=3, max_length=3)
    source: Source = "trade"
    is_trade: bool = Field(False, description="He is a factory or wholesaler though his name speaks of a consumer platform.")
    kind: Literal["workbook", "fake"] = "workbook"
    delivery: Literal["mail", "download"] = "mail"
    email: str = Field("", max_length=254)
    language: Literal["zh-hans", "en"] = "zh-hans"
    country: str = Field("CN", max_length=2)
    parcel_freight: Decimal = Field(Decimal(0), ge=0, max_digits=12, decimal_places=4)
    handling_days: int = Field(2, ge=0, le=365)
    ships_to: list[str] = Field([], max_length=250)
    entrusted_on: date | None = Field(
        None, description="Day on which he signed the entrustment of personal data: he may ship for all own stores from then on."
    )


class EntrustmentIn(Schema):
    signed_on: date
    store_id: int | None = Field(None, description="Of which store; null: of every agreement with him.")


class EntrustmentOut(Schema):
    agreement_ids: list[int]
    routed_again: int = Field(description="Orders held for want of it that are looked at again; those that lack something else stay held.")


class OfferOut(Schema):
    """What a supplier will sell us under his SKU. `stock` is his estimate as of `stock_at`, null where not told."""

    id: int
    supplier_id: int
    supplier: str
    supplier_sku: str
    title: str
    price: MoneyOut
    freight: MoneyOut
    stock: int | None
    stock_at: datetime | None
    lead_days: int | None
    ships_to: list[str]
    state: str
    read_at: datetime


class VariantOut(Schema):
    id: int
    sku: str
    title: str
    options: Any
    barcode: str
    weight_g: int | None
    product_id: int
    product_title: str
    product_state: str


class MappingOut(Schema):
    """A version of the link from a variant to a supplier's SKU."""

    id: int
    offer_id: int
    supplier: str
    supplier_sku: str
    version: int
    factor: int
    rank: int
    state: str
    by: str
    at: datetime


class ListingOut(Schema):
    id: int
    store_id: int
    sku: str
    title: str
    price: MoneyOut | None
    state: str


class VariantDetailOut(VariantOut):
    mappings: list[MappingOut]
    listings: list[ListingOut] = Field(description="In the stores the caller may see.")


def supplier_out(row: Supplier) -> dict[str, Any]:
    names = (
        "id", "code", "name", "source", "kind", "delivery", "email", "language", "currency", "country", "handling_days", "ships_to",
        "state", "is_sample",
    )  # fmt: skip
    return {
        **{name: getattr(row, name) for name in names},
        "parcel_freight": money(Decimal(row.parcel_freight), row.currency),
    }


def _offer_out(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "supplier": row["supplier_code"],
        "price": money(row["price"], row["currency"]),
        "freight": money(row["freight"], row["currency"]),
    }


@router.get("/suppliers", response={200: Page[SupplierOut], **ERRORS})
def list_suppliers(
    request: HttpRequest, state: SupplierState | None = None, after: After = None, limit: Limit = 50
):
    """Suppliers, by code."""
    caller(request).require_some()
    cursor = cursor_of(("code",), ("text",), after)
    rows = queries.supplier_page(state=state, cursor=cursor, limit=limit + 1)
    return page_of(rows, limit, cursor, supplier_out)


@router.get("/suppliers/{supplier_id}", response={200: SupplierOut, **ERRORS})
def get_supplier(request: HttpRequest, supplier_id: Id):
    """One supplier."""
    caller(request).require_some()
    found = queries.supplier_with_id(supplier_id)
    if found is None:
        raise not_found()
    return supplier_out(found)


@router.post("/suppliers", response={201: SupplierOut, **ERRORS})
def add_supplier(request: HttpRequest, given: SupplierIn):
    """A new supplier. He is shared: it needs the role of operator in every store."""
    who = caller(request)
    who.require(None, "operate")
    return Status(201, supplier_out(put_right.add_supplier(**given.model_dump(), by=who.by, at=who.at)))


@router.post("/suppliers/{supplier_id}/entrustment", response={200: EntrustmentOut, **ERRORS})
def record_entrustment(request: HttpRequest, supplier_id: Id, given: EntrustmentIn):
    """He signed the entrustment of personal data: without it no buyer's address goes to him."""
    who = caller(request)
    who.require(given.store_id, "operate")
    agreements, routed = put_right.record_entrustment(
        supplier_id=supplier_id, signed_on=given.signed_on, store_id=given.store_id, by=who.by, at=who.at
    )
    return {"agreement_ids": [one.pk for one in agreements], "routed_again": routed}


@router.get("/offers", response={200: Page[OfferOut], **ERRORS})
def list_offers(
    request: HttpRequest,
    supplier_id: Number = None,
    variant_id: Number = None,
    state: OfferState | None = None,
    q: Words = None,
    after: After = None,
    limit: Limit = 50,
):
    """Offers, by supplier and his SKU. `q`: the beginning of his SKU, or a word of the title."""
    caller(request).require_some()
    cursor = cursor_of(("supplier_id", "supplier_sku"), ("id", "text"), after)
    rows = queries.offer_page(
        supplier_id=supplier_id, variant_id=variant_id, state=state, q=q, cursor=cursor, limit=limit + 1
    )
    return page_of(rows, limit, cursor, _offer_out)


@router.get("/variants", response={200: Page[VariantOut], **ERRORS})
def list_variants(
    request: HttpRequest, product_id: Number = None, q: Words = None, after: After = None, limit: Limit = 50
):
    """Variants, by SKU. `q`: the beginning of a SKU or barcode, or a word of the product's title."""
    caller(request).require_some()
    cursor = cursor_of(catalog.BY_SKU, ("text",), after)
    rows = catalog.variant_page(q=q, product_id=product_id, cursor=cursor, limit=limit + 1)
    return page_of(rows, limit, cursor, lambda row: row)


@router.get("/variants/{variant_id}", response={200: VariantDetailOut, **ERRORS})
def get_variant(request: HttpRequest, variant_id: Id):
    """One variant, its links to suppliers' SKUs (all versions), and as what it is listed."""
    who = caller(request)
    who.require_some()
    found = catalog.variant_detail(variant_id)
    if found is None:
        raise not_found()
    return {
        **found,
        "mappings": [{**row, "supplier": row["supplier_code"]} for row in queries.mappings_of(variant_id)],
        "listings": [
            {**row, "price": money(row["price"], row["currency"]) if row["currency"] else None}
            for row in catalog.listings_of(who.scope, variant_id)
        ],
    }
