"""Products, variants and listings: repeats change nothing, empty values wipe nothing."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest

from daifa.domain.catalog import commands
from daifa.domain.catalog.models import ListingVariant, Product, Variant
from daifa.domain.stores.models import Store

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
BY = "import:1"


def product(sku, title="Mug", handle="mug", **facts):
    """A row of a product file, with the fields of the connectors' record."""
    given = {
        "row": 2, "price": Decimal("4.50"), "currency": "GBP", "options": (), "barcode": "", "weight_g": None,
        "description": "", "brand": "", "category": "", "image": "", "cost": None, "stock": None,
    }  # fmt: skip
    return SimpleNamespace(sku=sku, title=title, handle=handle, **{**given, **facts})


def shop():
    return Store.objects.create(code="gifts", name="Gifts", currency="GBP", created_at=AT)


def test_variants_of_one_handle_are_one_product():
    rows = [product("M-R", options=(("Colour", "Red"), ("Size", "L"))), product("M-B", row=3)]
    result = commands.import_products(rows, by=BY, at=AT)
    assert (result.created, result.updated, result.unchanged) == (2, 0, 0)
    assert Product.objects.get().variants.count() == 2
    red = Variant.objects.get(sku="M-R")
    assert (red.title, red.options) == ("Red / L", {"Colour": "Red", "Size": "L"})


def test_a_repeat_changes_nothing_and_an_empty_value_wipes_nothing():
    commands.import_products(
        [product("M", brand="Acme", weight_g=300, options=(("Size", "L"),))], by=BY, at=AT
    )
    again = commands.import_products([product("M", title="")], by=BY, at=AT)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 1)
    kept = Variant.objects.select_related("product").get()
    assert (kept.weight_g, kept.options, kept.product.brand, kept.product.title) == (
        300,
        {"Size": "L"},
        "Acme",
        "mug",
    )


def test_a_change_is_taken():
    commands.import_products([product("M")], by=BY, at=AT)
    result = commands.import_products([product("M", title="Big mug", barcode="123")], by=BY, at=AT)
    assert (result.created, result.updated) == (0, 1)
    assert Product.objects.get().title == "Big mug"


def test_a_sku_stays_with_the_product_that_had_it_first():
    commands.import_products([product("M")], by=BY, at=AT)
    commands.import_products([product("M", handle="other", title="Other")], by=BY, at=AT)
    assert list(Product.objects.values_list("handle", flat=True)) == ["mug"]


def test_one_sku_twice_with_other_content_is_refused_from_the_second_row_on():
    result = commands.import_products(
        [product("M"), product("M", row=3, price=Decimal(9)), product("", row=4)], by=BY, at=AT
    )
    assert result.created == 1
    assert [(r.row, r.code) for r in result.refused] == [(3, "duplicate_sku"), (4, "sku_missing")]
    assert (
        result.refused[0].sentence()
        == "SKU M stands in row 2 already, with other content; keep one of the two."
    )


def test_listing_links_only_the_exact_sku():
    commands.import_products([product("M-1")], by=BY, at=AT)
    store = shop()
    listed = commands.list_in_store(store=store, skus=["M-1", "m-1", "X"], by=BY, at=AT)
    assert set(listed.ids) == {"M-1", "m-1", "X"}
    linked = {row.sku: row.variant_id for row in ListingVariant.objects.all()}
    assert linked == {"M-1": Variant.objects.get().pk, "m-1": None, "X": None}


def test_a_listing_finds_its_variant_later_and_says_so():
    store = shop()
    first = commands.list_in_store(store=store, skus=["M-1"], by=BY, at=AT)
    assert first.newly_linked == []
    commands.import_products([product("M-1")], by=BY, at=AT)
    again = commands.list_in_store(store=store, skus=["M-1"], by=BY, at=AT)
    assert again.newly_linked == [first.ids["M-1"]]
    assert commands.list_in_store(store=store, skus=["M-1"], by=BY, at=AT).changed == 0


def test_products_imported_for_a_store_are_listed_there_at_their_price():
    store = shop()
    result = commands.import_products([product("M-1", price=Decimal("4.50"))], by=BY, at=AT, store=store)
    assert result.listings == 1
    listing = ListingVariant.objects.get()
    assert (listing.price, listing.currency, listing.variant.sku, listing.title) == (
        Decimal("4.5"),
        "GBP",
        "M-1",
        "Mug",
    )


def test_a_person_links_a_listing_and_it_is_kept():
    commands.import_products([product("M-1"), product("M-2", row=3)], by=BY, at=AT)
    store = shop()
    listed = commands.list_in_store(store=store, skus=["M-1"], by=BY, at=AT)
    second = Variant.objects.get(sku="M-2")
    assert commands.link_listings({listed.ids["M-1"]: second.pk}, by=BY, at=AT) == [listed.ids["M-1"]]
    assert commands.link_listings({listed.ids["M-1"]: second.pk}, by=BY, at=AT) == []
    commands.list_in_store(store=store, skus=["M-1"], by=BY, at=AT)
    assert ListingVariant.objects.get().variant == second


def test_retired_products_leave_the_shelves():
    store = shop()
    commands.import_products([product("M-1")], by=BY, at=AT, store=store)
    ids = list(Product.objects.values_list("pk", flat=True))
    assert commands.retire_products(ids, by=BY, at=AT) == ids
    assert commands.retire_products(ids, by=BY, at=AT) == []
    assert ListingVariant.objects.get().state == "delisted"
