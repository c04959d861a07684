"""Pages of listings, as a person uses them: who may do what, what is marked, what is kept."""

from decimal import Decimal

import pytest
from django.urls import reverse

from daifa.domain.catalog import commands as catalog
from daifa.domain.catalog.models import ListingFile, ListingVariant, Product, Publication
from daifa.domain.people.models import User
from daifa.domain.stores.commands import add_store
from daifa.domain.stores.models import StoreAccess
from daifa.flows import publish_listings, screen_texts
from tests import cast

pytestmark = pytest.mark.django_db
AT, BY = cast.MORNING, cast.BY


@pytest.fixture
def shop():
    return cast.open_shop()


def person(client, store, role):
    user = User.objects.create_user(f"{role}-{store.code}", password="x")
    StoreAccess.objects.create(user=user, store=store, role=role)
    client.force_login(user)
    return user


def page(client, name, *args, **query):
    response = client.get(reverse(f"web:{name}", args=args), query)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def waiting(shop) -> Publication:
    mug = Product.objects.get(variants__sku=cast.FROM_FACTORY)
    catalog.edit_product(product_id=mug.pk, title="最大的茶杯", by=BY, at=AT)
    catalog.draft_listings(store_id=shop.store.pk, product_ids=[mug.pk], prices={cast.FROM_FACTORY: Decimal(12)}, by=BY, at=AT)
    publish_listings.publish(store_id=shop.store.pk, product_ids=[mug.pk], by=BY, at=AT)
    return Publication.objects.get()


def test_from_the_catalogue_to_the_channel_by_pages(client, shop):
    user = person(client, shop.store, "operator")
    client.post(reverse("web:listing_add"), {"store": shop.store.pk, "products": "MUG\nlamp", "price": "12.50"})
    assert set(ListingVariant.objects.values_list("sku", "state", "price")) == {("MUG", "draft", Decimal("12.5")), ("LAMP", "draft", Decimal("12.5"))}
    mug = ListingVariant.objects.get(sku="MUG")
    client.post(reverse("web:listing_edit", args=[mug.pk]), {"title": "全国第一的茶杯", f"price_{mug.pk}": "13"})
    html = page(client, "listing", mug.pk)
    assert "<mark>全国第一</mark>" in html and "This stops it" in html
    response = client.post(reverse("web:listings_publish"), {"ids": [mug.pk, ListingVariant.objects.get(sku="LAMP").pk]}, follow=True)
    said = response.content.decode()
    assert "must not be said" in said and "1 may go out" in said
    client.post(reverse("web:listing_edit", args=[mug.pk]), {"title": "Tea mug", f"price_{mug.pk}": "13"})
    client.post(reverse("web:listing_publish", args=[mug.pk]))
    client.post(reverse("web:listing_files_make"))
    file = ListingFile.objects.get()
    got = client.post(reverse("web:listing_file_download", args=[file.pk]))
    assert got.content == bytes(file.content) and "gifts-listings-0001.xlsx" in got["Content-Disposition"]
    client.post(reverse("web:listing_file_settle", args=[file.pk]), {"uploaded": "1"})
    assert set(ListingVariant.objects.values_list("state", flat=True)) == {"live"}
    assert "The channel has it" in page(client, "listing", mug.pk).replace("the channel has it", "The channel has it")
    assert page(client, "listings", state="live").count("MUG") >= 1 and "MUG" not in page(client, "listings", state="draft").split("<tbody")[-1]
    assert Publication.objects.filter(by=f"user:{user.pk}").count() == 3
    client.post(reverse("web:listings_pause"), {"ids": [mug.pk], "reason": "no stock"})
    assert Publication.objects.latest("id").action == "pause"


def test_what_waits_is_shown_with_its_words_and_let_out_by_who_may(client, shop):
    one = waiting(shop)
    person(client, shop.store, "bookkeeper")
    assert "<mark>最大</mark>" in page(client, "publications")
    assert client.post(reverse("web:publications_approve"), {"ids": one.pk, "reason": "x"}).status_code == 403
    one.refresh_from_db()
    assert one.state == "waiting"
    operator = person(client, shop.store, "operator")
    html = page(client, "publication", one.pk)
    assert "<mark>最大</mark>" in html and "What stands against it" in html and "version" in html
    client.post(reverse("web:publications_approve"), {"ids": one.pk, "reason": ""})
    one.refresh_from_db()
    assert one.state == "waiting"
    client.post(reverse("web:publications_approve"), {"ids": one.pk, "reason": "measured"})
    one.refresh_from_db()
    assert (one.state, one.decided_by, one.decision) == ("ready", f"user:{operator.pk}", "measured")
    assert "measured" in page(client, "publication", one.pk)


def test_a_stranger_sees_and_moves_nothing(client, shop):
    one = waiting(shop)
    publish_listings.approve([one.pk], reason="measured", by=BY, at=AT)
    file = publish_listings.make_file(store_id=shop.store.pk, by=BY, at=AT)
    other = add_store(code="o", name="Other", currency="GBP", kind="own_site", by=BY, at=AT)
    person(client, other, "owner")
    listing = ListingVariant.objects.get()
    for name, args in (("listing", [listing.pk]), ("publication", [one.pk]), ("listing_file", [file.pk])):
        assert client.get(reverse(f"web:{name}", args=args)).status_code == 404
    for name, args, data in (
        ("listing_publish", [listing.pk], {}), ("listings_pause", [], {"ids": listing.pk}), ("publications_withdraw", [], {"ids": one.pk}),
        ("listing_file_download", [file.pk], {}), ("listing_file_settle", [file.pk], {"uploaded": "1"}),
    ):  # fmt: skip
        assert client.post(reverse(f"web:{name}", args=args), data).status_code == 404, name
    assert "最大" not in page(client, "publications", state="filed")
    file.refresh_from_db()
    assert file.state == "fixed"


def test_the_page_of_words_says_by_which_version_texts_are_judged(client, shop):
    person(client, shop.store, "owner")
    screen_texts.screen_texts(at=AT)
    waiting(shop)
    assert "2026-11-22" in page(client, "findings") and "version" in page(client, "findings")
    client.post(reverse("web:own_words"), {"term": "stoneware", "severity": "block", "reason": "not true"})
    publish_listings.watch_listings(at=AT)
    assert "new: stoneware" in page(client, "word_lists")


def test_papers_that_the_law_asks_for_are_told_though_they_stop_nothing(client, shop):
    from daifa.domain.stores.models import Store

    Store.objects.filter(pk=shop.store.pk).update(kind="marketplace", channel="xiaohongshu", country="CN")
    mug = Product.objects.get(variants__sku=cast.FROM_FACTORY)
    catalog.edit_product(product_id=mug.pk, title="面霜", category="美妆/护肤", by=BY, at=AT)
    catalog.draft_listings(store_id=shop.store.pk, product_ids=[mug.pk], prices={cast.FROM_FACTORY: Decimal(12)}, by=BY, at=AT)
    person(client, shop.store, "operator")
    listing = ListingVariant.objects.get(sku=cast.FROM_FACTORY, store=shop.store)
    html = page(client, "listing", listing.pk)
    assert "Nothing stands against publishing it" in html and "Papers that such goods need by law" in html and "Cosmetics Regulation" in html
