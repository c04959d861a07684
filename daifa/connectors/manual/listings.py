"""The file a person uploads to a channel that daifa cannot speak to: one row a SKU, one layout a platform.

`shopify` is the platform's product CSV (its public column names, the first row of a product carries its words);
`general` is a workbook with plain headings for platforms whose own template has to be filled by copying.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from io import BytesIO
from typing import Any, Literal

from daifa.connectors.contract import OutgoingListing
from daifa.lib.sheets.writer import Column, Table, write_csv, write_xlsx

ListingLayout = Literal["shopify", "general"]
LAYOUTS: tuple[ListingLayout, ...] = ("shopify", "general")
ENDINGS = {"shopify": "csv", "general": "xlsx"}

SHOPIFY = (
    "Handle", "Title", "Body (HTML)", "Vendor", "Type", "Published", "Option1 Name", "Option1 Value", "Option2 Name",
    "Option2 Value", "Option3 Name", "Option3 Value", "Variant SKU", "Variant Grams", "Variant Inventory Policy",
    "Variant Fulfillment Service", "Variant Price", "Variant Requires Shipping", "Variant Taxable", "Variant Barcode",
    "Image Src", "Image Position", "Status",
)  # fmt: skip
"""Columns of the platform's product CSV that daifa fills; the platform leaves alone what a file does not have."""

STATUS = {"publish": ("TRUE", "active"), "pause": ("FALSE", "draft"), "delist": ("FALSE", "archived")}

# (English, 中文, kind)
GENERAL = (
    ("Our reference", "我方编号", "text"), ("What to do", "操作", "text"), ("Product", "商品编码", "text"), ("Title", "标题", "text"),
    ("Description", "描述", "text"), ("Brand", "品牌", "text"), ("Category", "类目", "text"), ("Options", "规格", "text"), ("SKU", "商家编码", "text"),
    ("Price", "价格", "money"), ("Currency", "币种", "text"), ("Barcode", "条码", "text"), ("Weight (g)", "重量（克）", "integer"), ("Picture", "图片", "text"),
)  # fmt: skip
_WORDS = {
    "publish": ("publish", "上架"), "pause": ("pause", "暂停"), "delist": ("take off sale", "下架"),
}  # fmt: skip
_TITLES = ("Listings", "商品")
_WIDTHS = {"Title": 36, "Description": 48, "Picture": 36, "Our reference": 14}


def layout_of(channel: str) -> ListingLayout:
    """The layout of a channel, by its name."""
    return "shopify" if channel.lower() == "shopify" else "general"


def file_name(store_code: str, number: int, layout: str) -> str:
    """The name of a file, the same whenever it is downloaded."""
    return f"{store_code}-listings-{number:04d}.{ENDINGS[layout]}"


def write_listings(listings: Sequence[OutgoingListing], *, layout: ListingLayout, language: str) -> tuple[bytes, str, int]:
    """The bytes of the file, their SHA-256 and the number of rows. The same listings give the same bytes.

    Formulas are escaped: nothing that came in with a product's text runs when the file is opened.
    """
    buffer = BytesIO()
    if layout == "shopify":
        rows = [row for listing in listings for row in _shopify(listing)]
        write_csv(buffer, Table("Products", [Column(name) for name in SHOPIFY], rows))
    else:
        place = 1 if language.lower().startswith("zh") else 0
        rows = [row for listing in listings for row in _general(listing, place)]
        columns = [Column(one[place], kind=one[2], width=_WIDTHS.get(one[0], 0)) for one in GENERAL]  # type: ignore[arg-type]
        write_xlsx(buffer, Table(_TITLES[place], columns, rows))
    content = buffer.getvalue()
    return content, hashlib.sha256(content).hexdigest(), len(rows)


def _shopify(listing: OutgoingListing) -> list[tuple[Any, ...]]:
    published, status = STATUS[listing.action]
    rows = []
    for place, variant in enumerate(listing.variants):
        options = [*variant.options, *([("", "")] * 3)][:3] if variant.options else [("Title", "Default Title"), ("", ""), ("", "")]
        words = (listing.title, listing.description, listing.brand, listing.category, published) if place == 0 else ("",) * 5
        names = [(name if place == 0 else "", value) for name, value in options]
        picture = (listing.image, "1") if place == 0 and listing.image else ("", "")
        rows.append((
            listing.handle, *words, *(cell for pair in names for cell in pair), variant.sku, str(variant.weight_g or ""), "deny", "manual",
            _plain(variant.price), "TRUE", "TRUE", variant.barcode, *picture, status if place == 0 else "",
        ))  # fmt: skip
    return rows


def _general(listing: OutgoingListing, place: int) -> list[tuple[Any, ...]]:
    return [
        (
            listing.reference, _WORDS[listing.action][place], listing.handle, listing.title, listing.description, listing.brand,
            listing.category, " / ".join(f"{name}: {value}" for name, value in variant.options), variant.sku, variant.price,
            variant.currency, variant.barcode, variant.weight_g, listing.image,
        )
        for variant in listing.variants
    ]  # fmt: skip


def _plain(price: Decimal | None) -> str:
    return "" if price is None else f"{price.normalize():f}" if price != price.to_integral() else f"{price:.2f}"
