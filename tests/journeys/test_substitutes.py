"""A substitute for a supplier: offers nobody linked are found by what they are called, each with its reason."""

from decimal import Decimal

import pytest

from daifa.connectors.contract import IncomingOffer, IncomingProduct
from daifa.domain.catalog.commands import import_products
from daifa.domain.catalog.models import Variant
from daifa.domain.sourcing.commands import (
    add_supplier,
    edit_supplier,
    import_offers,
    map_sku,
    set_offers_unavailable,
)
from daifa.domain.sourcing.models import SkuMapping, SupplierOffer
from daifa.flows.find_substitutes import alike_offers
from tests import cast

pytestmark = pytest.mark.django_db
AT, BY = cast.MORNING, cast.BY


def offers(supplier, *rows):
    import_offers(
        supplier,
        [IncomingOffer(row=n, supplier_sku=sku, title=title, price=Decimal(price)) for n, (sku, title, price) in enumerate(rows, 1)],
        by=BY, at=AT,
    )  # fmt: skip


@pytest.fixture
def shop():
    shop = cast.open_shop()
    import_products(
        [IncomingProduct(row=1, handle="bottle", title="Steel bottle 500 ml", sku="BOTTLE-5", price=Decimal(20))], by=BY, at=AT
    )
    offers(shop.factory, ("F-B", "不锈钢水杯 500ml", "20"))
    map_sku(
        variant_id=Variant.objects.get(sku="BOTTLE-5").pk, offer_id=SupplierOffer.objects.get(supplier_sku="F-B").pk, by=BY, at=AT
    )
    return shop


def other(code, currency="CNY", **facts):
    return add_supplier(code=code, name=code.title(), currency=currency, by=BY, at=AT, **facts)


def test_offers_that_nobody_linked_are_found_with_their_reason(shop):
    kiln = other("kiln")
    offers(
        kiln, ("K-1", "ceramic mugs wholesale", "25"), ("K-2", "Steel bottles 0.5L", "18.00"), ("K-3", "Steel bottle 750ml", "19"),
        ("K-4", "Garden hose", "3"), ("BOTTLE-5", "客户指定款", "30"),
    )  # fmt: skip
    found = {(hit.sku, hit.supplier_sku): hit for hit in alike_offers(shop.factory.pk, on=AT.date())}
    assert set(found) == {("MUG", "K-1"), ("BOTTLE-5", "K-2"), ("BOTTLE-5", "K-3")}
    best = found["BOTTLE-5", "K-2"]
    assert (best.points, best.shared, best.differs, best.than_now) == (100, ("bottle", "steel", "500 ml"), (), Decimal("-10.0"))
    assert found["BOTTLE-5", "K-3"].differs == ("500 ml / 750 ml",)
    assert not SkuMapping.objects.filter(offer__supplier=kiln, state="verified").exists(), "nothing is linked by it"
    assert SkuMapping.objects.get(offer__supplier_sku="BOTTLE-5").state == "proposed", "the same SKU is proposed by the list already"


def test_the_same_code_in_a_title_needs_no_likeness(shop):
    offers(other("kiln"), ("K-9", "同款 BOTTLE-5 现货", "30"))
    [hit] = alike_offers(shop.factory.pk, on=AT.date())
    assert (hit.points, hit.shared) == (100, ("bottle-5",))


def test_who_is_not_searched(shop):
    rows = (("X-1", "Steel bottle 500 ml", "18"),)
    for code, facts in (("retail", {"source": "consumer_platform"}), ("gone", {}), ("empty", {}), ("linked", {})):
        offers(other(code, **facts), *rows)
    edit_supplier(supplier_id=SupplierOffer.objects.get(supplier__code="gone").supplier_id, state="ended", by=BY, at=AT)
    set_offers_unavailable([SupplierOffer.objects.get(supplier__code="empty").pk], by=BY, at=AT)
    variant = Variant.objects.get(sku="BOTTLE-5").pk
    map_sku(variant_id=variant, offer_id=SupplierOffer.objects.get(supplier__code="linked").pk, rank=2, by=BY, at=AT)
    offers(shop.factory, ("F-C", "Steel bottle 500 ml", "17"))
    assert alike_offers(shop.factory.pk, on=AT.date()) == []


def test_only_what_is_asked_for_and_at_most_five_a_variant(shop):
    kiln = other("kiln")
    offers(kiln, *((f"K-{n}", f"Steel bottle 500ml no {n}", str(30 - n)) for n in range(9)), ("K-M", "ceramic mug", "9"))
    bottle = Variant.objects.get(sku="BOTTLE-5").pk
    hits = alike_offers(shop.factory.pk, on=AT.date(), variant_ids=[bottle])
    assert [hit.variant_id for hit in hits] == [bottle] * 5
    assert hits[0].price == Decimal(22), "as alike, the cheapest first"


def test_without_a_rate_or_goods(shop):
    offers(other("far", currency="XAF"), ("K-2", "Steel bottle 500 ml", "9000"))
    [hit] = alike_offers(shop.factory.pk, on=AT.date())
    assert hit.than_now is None
    assert alike_offers(other("new").pk, on=AT.date()) == []


def test_a_sku_that_is_a_word_is_no_code(shop):
    """MUG is our SKU: an offer of a "mug rack" bears the word, not the code."""
    import_products([IncomingProduct(row=1, handle="cream", title="祛痘面霜", sku="CREAM", price=Decimal(20))], by=BY, at=AT)
    offers(shop.factory, ("F-C", "面霜 50g", "20"))
    map_sku(variant_id=Variant.objects.get(sku="CREAM").pk, offer_id=SupplierOffer.objects.get(supplier_sku="F-C").pk, by=BY, at=AT)
    offers(other("kiln"), ("K-1", "Cream felt Easter basket", "3"))
    assert "CREAM" not in {hit.sku for hit in alike_offers(shop.factory.pk, on=AT.date())}


def test_the_sample_shop_stays_among_itself(shop):
    from daifa.domain.sourcing.models import Supplier
    from daifa.flows.find_risks import substitutes_for

    kiln = other("kiln")
    offers(kiln, ("K-1", "ceramic mugs wholesale", "25"), ("K-2", "other", "4"))
    assert [hit.supplier_sku for hit in alike_offers(shop.factory.pk, on=AT.date())] == ["K-1"]
    map_sku(
        variant_id=Variant.objects.get(sku="BOTTLE-5").pk, offer_id=SupplierOffer.objects.get(supplier_sku="K-2").pk, by=BY, at=AT
    )
    assert [row["supplier_sku"] for row in substitutes_for(shop.factory.pk)] == ["K-2"]
    Supplier.objects.filter(pk=kiln.pk).update(is_sample=True)
    assert alike_offers(shop.factory.pk, on=AT.date()) == [] and substitutes_for(shop.factory.pk) == []
