"""Catalogue, suppliers and offers, imports, books: they open, hide, refuse and do what they say."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from daifa.connectors.contract import IncomingOffer, IncomingProduct
from daifa.domain.books.models import Entry, Expense, FxRate, SupplierPayment
from daifa.domain.books.queries import balances_of_suppliers, trial_balance
from daifa.domain.catalog.commands import import_products
from daifa.domain.catalog.models import ListingVariant, Product, Variant
from daifa.domain.imports.models import ImportFile, ImportRow
from daifa.domain.orders.models import Hold
from daifa.domain.people.models import User
from daifa.domain.sourcing.commands import end_agreement, import_offers
from daifa.domain.sourcing.models import Agreement, SkuMapping, Supplier, SupplierOffer
from daifa.domain.stores.commands import add_store
from daifa.domain.stores.models import Store, StoreAccess
from daifa.flows.work import work_until_idle
from daifa.lib import bulk, clock
from daifa.web.pages import imports as import_pages
from tests import cast

NOW = cast.MORNING + timedelta(days=12)
ROLES = ("owner", "operator", "bookkeeper", "viewer")
BROKEN_FILE = cast.order_file(["BAD-1"], skus=("MUG",), at=NOW).replace(b",2,", b",ten,")


@pytest.fixture
def loop(db):
    """An order that went all the way, a file with a refused row; people in every role, and of another store."""
    with clock.moved_to(NOW):
        shop = cast.open_shop()
        cast.whole_loop(shop, ["DONE-71"])
        cast.read_file(shop, "orders", "broken.csv", BROKEN_FILE, at=NOW)
        other = add_store(code="other", name="Other shop", currency="GBP", by="user:1", at=NOW)
        people = {role: User.objects.create_user(role) for role in ROLES}
        StoreAccess.objects.bulk_create(StoreAccess(user=u, store=shop.store, role=r) for r, u in people.items())
        neighbour = User.objects.create_user("neighbour")
        StoreAccess.objects.create(user=neighbour, store=other, role="owner")
        yield SimpleNamespace(
            shop=shop, store=shop.store, people=people, neighbour=neighbour, other=other,
            root=User.objects.create_superuser("root"), file=ImportFile.objects.get(name="broken.csv"),
            row=ImportRow.objects.get(state="open"), mug=Variant.objects.get(sku="MUG"),
        )  # fmt: skip


LISTS = (
    "catalogue", "listings", "suppliers", "offers", "imports", "imports_add", "books", "books_trial", "books_entries",
    "books_expenses", "books_payments", "books_rates",
)  # fmt: skip


def shared_details() -> list[str]:
    """Pages of things that belong to no single store: everybody with a store may look."""
    return [
        reverse("web:variant", args=[Variant.objects.first().pk]),
        reverse("web:mapping", args=[SkuMapping.objects.first().pk]),
        *(reverse("web:supplier", args=[pk]) for pk in Supplier.objects.values_list("pk", flat=True)),
        reverse("web:offer", args=[SupplierOffer.objects.first().pk]),
    ]


def own_details(loop) -> list[str]:
    """Pages of things of the one store."""
    return [
        reverse("web:listing", args=[ListingVariant.objects.filter(store=loop.store).first().pk]),
        reverse("web:agreement", args=[Agreement.objects.filter(store=loop.store).first().pk]),
        *(reverse("web:import", args=[pk]) for pk in ImportFile.objects.filter(store=loop.store).values_list("pk", flat=True)),
        reverse("web:import_progress", args=[loop.file.pk]),
        *(reverse("web:books_entry", args=[pk]) for pk in Entry.objects.values_list("pk", flat=True)[:3]),
    ]


@pytest.fixture(autouse=True)
def listed(request):
    """A listing of the store, so that there is one to look at."""
    if "loop" in request.fixturenames:
        loop = request.getfixturevalue("loop")
        ListingVariant.objects.get_or_create(
            store=loop.store, sku="MUG", defaults={"variant": loop.mug, "created_at": NOW, "price": Decimal("12"), "currency": "GBP"}
        )


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("role", ROLES)
def test_every_page_opens_for_every_role(loop, as_, role, language):
    client = as_(loop.people[role], language)
    for url in [*(reverse(f"web:{name}") for name in LISTS), *shared_details(), *own_details(loop)]:
        assert client.get(url).status_code == 200, url


def test_a_stranger_finds_nothing(loop, as_):
    client = as_(loop.neighbour)
    for url in own_details(loop):
        assert client.get(url).status_code == 404, url
    for url in (
        reverse("web:import_row", args=[loop.row.pk]), reverse("web:import_refused", args=[loop.file.pk]),
        reverse("web:listing_link", args=[ListingVariant.objects.get(store=loop.store, sku="MUG").pk]),
        reverse("web:agreement_end", args=[Agreement.objects.filter(store=loop.store).first().pk]),
    ):  # fmt: skip
        assert client.get(url).status_code == 404, url
    for name, pk in (
        ("import_dismiss_all", loop.file.pk), ("import_retry_all", loop.file.pk), ("import_read", loop.file.pk),
        ("import_row_dismiss", loop.row.pk), ("books_reverse", Entry.objects.first().pk),
    ):  # fmt: skip
        assert client.post(reverse(f"web:{name}", args=[pk])).status_code == 404, name
    for name in LISTS:
        text = client.get(reverse(f"web:{name}")).content.decode()
        assert "DONE-71" not in text and "broken.csv" not in text and "Example Gifts" not in text, name
    assert "<tr data-href" not in client.get(reverse("web:books_entries") + "?q=DONE-71").content.decode()
    assert client.get(reverse("web:books_beancount")).getvalue().decode().count("order:") == 0


def test_nobody_gets_in_without_login(loop, client):
    for url in [*(reverse(f"web:{name}") for name in LISTS), *shared_details(), *own_details(loop)]:
        answer = client.get(url)
        assert answer.status_code == 302 and "/account/login/" in answer["Location"], url


def test_what_is_shared_needs_the_right_in_every_store(loop, as_):
    """The operator works one of two stores: he sees why, and a post says the same."""
    client = as_(loop.people["operator"])
    page = client.get(reverse("web:variant", args=[loop.mug.pk])).content.decode()
    assert "belongs to all stores" in page
    for url in (reverse("web:variant_map", args=[loop.mug.pk]), reverse("web:supplier_add"), reverse("web:import_add", args=["offers"])):
        assert client.get(url).status_code == 403, url
    offer = SupplierOffer.objects.first()
    assert client.post(reverse("web:offers_unavailable"), {"ids": offer.pk}).status_code == 403
    assert SupplierOffer.objects.get(pk=offer.pk).state == "live"


@pytest.mark.parametrize(("role", "operates", "keeps"), [("operator", True, False), ("bookkeeper", False, True), ("viewer", False, False)])
def test_roles_decide_who_may_hand_in(loop, as_, role, operates, keeps):
    client = as_(loop.people[role])
    for kind, allowed in (("orders", operates), ("expenses", keeps)):
        assert client.get(reverse("web:import_add", args=[kind])).status_code == (200 if allowed else 403), kind
    assert client.get(reverse("web:books_expense_add")).status_code == (200 if keeps else 403)
    page = client.get(reverse("web:import", args=[loop.file.pk])).content.decode()
    assert ("Anna Wood" in page) is operates  # cells hold addresses
    assert client.get(reverse("web:import_row", args=[loop.row.pk])).status_code == (200 if operates else 403)
    assert client.get(reverse("web:import_refused", args=[loop.file.pk])).status_code == (200 if operates else 403)


# --- Catalogue ----------------------------------------------------------------------------------------------------


def test_the_catalogue_is_searched_and_filtered(loop, as_):
    import_products([IncomingProduct(row=1, handle="vase", title="Blue vase 100%", sku="VASE_1")], by="user:1", at=NOW)
    client = as_(loop.root)

    def found(query: str) -> set[str]:
        text = client.get(reverse("web:catalogue") + query).content.decode()
        return {sku for sku in ("MUG", "LAMP", "VASE_1") if f">{sku}<" in text}

    assert found("") == {"MUG", "LAMP", "VASE_1"}
    assert found("?q=blue+vase") == {"VASE_1"} and found("?q=100%25") == {"VASE_1"} and found("?q=_") == set()
    assert found("?q=gifts-factory-") == {"MUG"}  # the supplier's SKU
    assert found("?sources=missing") == {"VASE_1"} and found("?sources=single") == {"MUG", "LAMP"}


def test_mapping_an_offer_routes_what_was_held(loop, as_):
    """A SKU nobody mapped is held; the person names the offer, and the order goes on."""
    import_products([IncomingProduct(row=1, handle="vase", title="Vase", sku="VASE")], by="user:1", at=NOW)
    import_offers(loop.shop.factory, [IncomingOffer(row=1, supplier_sku="F-VASE", price=Decimal("20"), stock=50)], by="user:1", at=NOW)
    cast.receive_orders(loop.shop, ["V-1"], skus=("VASE",), at=NOW)
    work_until_idle(at=NOW)
    assert Hold.objects.filter(order__number="V-1", released_at=None, reason="mapping_missing").exists()
    vase = Variant.objects.get(sku="VASE")
    client = as_(loop.root)
    url = reverse("web:variant_map", args=[vase.pk])
    wrong = client.post(url, {"supplier": loop.shop.factory.pk, "supplier_sku": "NO-SUCH", "factor": 1, "rank": 1})
    assert wrong.status_code == 422 and "has no offer NO-SUCH" in wrong.content.decode()
    client.post(url, {"supplier": loop.shop.factory.pk, "supplier_sku": "F-VASE", "factor": 1, "rank": 1, "note": "sample seen"})
    mapping = SkuMapping.objects.get(variant=vase)
    assert (mapping.state, mapping.by, mapping.evidence) == ("verified", f"user:{loop.root.pk}", {"note": "sample seen"})
    work_until_idle(at=NOW)
    assert not Hold.objects.filter(order__number="V-1", released_at=None).exists()

    client.post(reverse("web:mapping_break", args=[mapping.pk]), {"reason": "another colour"})
    mapping.refresh_from_db()
    assert mapping.state == "broken"
    again = client.post(reverse("web:mapping_break", args=[mapping.pk]), follow=True)
    assert "does not hold any more" in again.content.decode()


def test_a_proposal_is_confirmed_once(loop, as_):
    import_products([IncomingProduct(row=1, handle="vase", title="Vase", sku="VASE")], by="user:1", at=NOW)
    import_offers(loop.shop.factory, [IncomingOffer(row=1, supplier_sku="VASE", price=Decimal("20"))], by="user:1", at=NOW)
    mapping = SkuMapping.objects.get(supplier_sku="VASE")
    assert mapping.state == "proposed"
    client = as_(loop.root)
    page = client.get(reverse("web:variant", args=[mapping.variant_id])).content.decode()
    assert "Compare the goods" in page
    client.post(reverse("web:mappings_verify"), {"ids": mapping.pk})
    mapping.refresh_from_db()
    assert mapping.state == "verified"
    again = client.post(reverse("web:mappings_verify"), {"ids": mapping.pk}, follow=True)
    assert "Only a proposed mapping" in again.content.decode()


def test_linking_a_listing_routes_what_was_held(loop, as_):
    listing = ListingVariant.objects.create(store=loop.store, sku="SHOP-MUG", created_at=NOW)
    cast.receive_orders(loop.shop, ["L-1"], skus=("SHOP-MUG",), at=NOW)
    work_until_idle(at=NOW)
    assert Hold.objects.filter(order__number="L-1", released_at=None).exists()
    client = as_(loop.people["operator"])
    url = reverse("web:listing_link", args=[listing.pk])
    assert client.post(url, {"sku": "mug"}).status_code == 422  # capitals matter
    client.post(url, {"sku": "MUG"})
    listing.refresh_from_db()
    assert listing.variant == loop.mug
    work_until_idle(at=NOW)
    assert not Hold.objects.filter(order__number="L-1", released_at=None).exists()
    assert as_(loop.people["viewer"]).post(url, {"sku": ""}).status_code == 403


def test_retiring_a_product_takes_its_listings_down(loop, as_):
    as_(loop.root).post(reverse("web:product_retire", args=[loop.mug.product_id]))
    assert Product.objects.get(pk=loop.mug.product_id).state == "retired"
    assert ListingVariant.objects.get(store=loop.store, sku="MUG").state == "delisted"


# --- Suppliers ----------------------------------------------------------------------------------------------------


def test_a_supplier_is_added_edited_and_refused_in_sentences(loop, as_):
    client = as_(loop.root)
    given = {
        "code": "newone", "name": "New One", "source": "trade", "state": "active", "kind": "workbook", "delivery": "mail", "email": "a@example.invalid",
        "language": "zh-hans", "currency": "CNY", "country": "CN", "parcel_freight": "6", "handling_days": 2, "ships_to": "gb， fr",
    }  # fmt: skip
    url = reverse("web:supplier_add")
    assert client.post(url, {**given, "currency": "XXZ"}).status_code == 422
    wrong = client.post(url, {**given, "ships_to": "GBR"})
    assert wrong.status_code == 422 and "“GBR” is no country" in wrong.content.decode()
    client.post(url, given)
    supplier = Supplier.objects.get(code="newone")
    assert supplier.ships_to == ["FR", "GB"] and supplier.parcel_freight == 6
    taken = client.post(url, given)
    assert taken.status_code == 422 and "already" in taken.content.decode()
    client.post(reverse("web:supplier_edit", args=[supplier.pk]), {**given, "name": "Other name", "state": "suspended"})
    supplier.refresh_from_db()
    assert (supplier.name, supplier.state, supplier.code) == ("Other name", "suspended", "newone")
    named = {**given, "code": "tb", "name": "淘宝 小店 (拼多多代拍)"}
    assert "is_trade" not in client.get(url).content.decode(), "nobody else is asked"
    asked = client.post(url, named)
    assert asked.status_code == 422 and 'name="is_trade"' in asked.content.decode() and "speaks of a consumer platform" in asked.content.decode()
    client.post(url, {**named, "is_trade": "on"})
    assert Supplier.objects.get(code="tb").source == "trade"


def test_an_agreement_lets_held_orders_go_on(loop, as_):
    for agreement in Agreement.objects.filter(store=loop.store):
        end_agreement(agreement_id=agreement.pk, last_day=date(2026, 3, 3), by="user:1", at=NOW)
    cast.receive_orders(loop.shop, ["A-1"], skus=("MUG",), at=NOW)
    work_until_idle(at=NOW)
    held = Hold.objects.filter(order__number="A-1", released_at=None, reason="agreement_missing")
    assert held.exists()
    factory = loop.shop.factory
    client = as_(loop.people["operator"])
    assert "no valid agreement" in client.get(reverse("web:supplier", args=[factory.pk])).content.decode()
    url = reverse("web:supplier_agreement", args=[factory.pk])
    assert client.post(url, {"store": loop.other.pk, "valid_from": "2026-03-01"}).status_code == 422  # not his store
    assert client.post(url, {"store": "", "valid_from": "2026-03-01"}).status_code == 422  # nor all of them
    client.post(url, {"store": loop.store.pk, "valid_from": "2026-03-01", "neutral_packing": "on", "note": "by phone"})
    agreement = Agreement.objects.get(supplier=factory, note="by phone")
    assert agreement.recorded_by == f"user:{loop.people['operator'].pk}"
    work_until_idle(at=NOW)
    assert not held.exists()
    client.post(reverse("web:agreement_end", args=[agreement.pk]), {"last_day": "2026-03-20"})
    agreement.refresh_from_db()
    assert agreement.valid_until == date(2026, 3, 20)


def test_an_agreement_begins_on_the_day_of_the_store_it_is_for(loop, as_):
    Store.objects.filter(pk=loop.store.pk).update(timezone="Asia/Shanghai")
    client = as_(loop.people["operator"])
    url = reverse("web:supplier_agreement", args=[loop.shop.factory.pk])
    with clock.moved_to(datetime(2026, 3, 5, 20, tzinfo=UTC)):
        page = client.get(url).content.decode()
        client.post(url, {"store": loop.store.pk, "valid_from": "", "note": "no day"})
    assert "empty: today" in page
    assert Agreement.objects.get(note="no day").valid_from == date(2026, 3, 6)


def test_papers_of_an_agreement_are_kept_and_given_to_those_who_may_see_them(loop, as_, tmp_path, settings):
    from django.core.files.uploadedfile import SimpleUploadedFile

    settings.MEDIA_ROOT = tmp_path / "files"
    client = as_(loop.people["operator"])
    url = reverse("web:supplier_agreement", args=[loop.shop.factory.pk])
    given = {"store": loop.store.pk, "valid_from": "2026-03-01", "note": "with paper", "entrusted_on": "2026-02-27"}
    refused = client.post(url, {**given, "papers": SimpleUploadedFile("virus.pdf", b"MZ\x90\x00")})
    assert refused.status_code == 422 and "none of the kinds kept here" in refused.content.decode()
    assert not Agreement.objects.filter(note="with paper").exists(), "all or nothing"
    client.post(url, {**given, "papers": SimpleUploadedFile("../../contract.exe", b"%PDF-1.7 signed")})
    agreement = Agreement.objects.get(note="with paper")
    assert (agreement.entrusted_on, agreement.is_authorised, agreement.remind_days) == (date(2026, 2, 27), False, 30)
    kept = agreement.documents.get()
    assert (kept.name, kept.media_type) == ("contract.pdf", "application/pdf")
    client.post(reverse("web:agreement_papers", args=[agreement.pk]), {"paper": SimpleUploadedFile("again.pdf", b"%PDF-1.7 signed")})
    assert agreement.documents.count() == 1, "the same paper twice is one"
    page = client.get(reverse("web:agreement", args=[agreement.pk])).content.decode()
    assert "contract.pdf" in page
    got = client.get(reverse("web:agreement_paper", args=[agreement.pk, kept.pk]))
    assert b"".join(got.streaming_content) == b"%PDF-1.7 signed"
    assert got["X-Content-Type-Options"] == "nosniff" and "attachment" in got["Content-Disposition"]
    agreement.store = loop.other
    agreement.save()
    assert client.get(reverse("web:agreement_paper", args=[agreement.pk, kept.pk])).status_code == 404
    assert client.post(reverse("web:agreement_papers", args=[agreement.pk]), {}).status_code == 404


def test_the_supplier_page_says_what_a_marketplace_still_asks_for(loop, as_):
    loop.store.kind, loop.store.channel = "marketplace", "xiaohongshu"
    loop.store.save()
    client = as_(loop.people["operator"])
    factory = loop.shop.factory
    page = client.get(reverse("web:supplier", args=[factory.pk])).content.decode()
    assert "Record: that he is authorised to ship for this store" in page
    assert "he ships with the platform&#x27;s own e-waybill" in page
    agreement = Agreement.objects.get(supplier=factory, store=loop.store)
    client.post(
        reverse("web:agreement_change", args=[agreement.pk]),
        {"valid_from": "2026-03-01", "is_authorised": "on", "neutral_packing": "on", "no_cards": "on", "platform_waybill": "on",
         "returns_to": "Yiwu, 3 Fuyuan Road", "entrusted_on": "2026-03-01"},
    )  # fmt: skip
    agreement.refresh_from_db()
    assert agreement.is_authorised and agreement.platform_waybill
    assert "may ship" in client.get(reverse("web:supplier", args=[factory.pk])).content.decode()
    assert "he may ship for the store" in client.get(reverse("web:agreement", args=[agreement.pk])).content.decode()


def test_an_agreement_is_offered_for_the_store_that_waits_for_it(loop, as_):
    loop.other.kind, loop.other.channel = "marketplace", "xiaohongshu"
    loop.other.save()
    sample = add_store(code="sample", name="Sample shop", currency="GBP", by="user:1", at=NOW)
    Store.objects.filter(pk=sample.pk).update(is_sample=True)
    client = as_(loop.root)
    where = reverse("web:supplier_agreement", args=[loop.shop.factory.pk])
    page = client.get(where).content.decode()
    assert f'<option value="{loop.other.pk}" selected>' in page, "the marketplace that lacks it, not all own stores"
    assert f'<option value="{sample.pk}"' not in page, "the sample shop stays among itself"
    assert "Sample shop" not in client.get(reverse("web:supplier", args=[loop.shop.factory.pk])).content.decode().split("Whom he may ship for")[1]


def test_a_shop_on_a_consumer_platform_is_led_to_no_agreement(loop, as_):
    Supplier.objects.filter(pk=loop.shop.factory.pk).update(source="consumer_platform")
    client = as_(loop.root)
    page = client.get(reverse("web:supplier", args=[loop.shop.factory.pk])).content.decode()
    assert "Look for the factory behind it" in page and "no valid agreement" not in page
    assert reverse("web:sample_add_supplier", args=[loop.shop.factory.pk]) not in page
    assert "Look for the factory behind it" in client.get(reverse("web:supplier_agreement", args=[loop.shop.factory.pk])).content.decode()


def test_offers_are_marked_unavailable_in_bulk(loop, as_):
    ids = list(SupplierOffer.objects.values_list("pk", flat=True))
    answer = as_(loop.root).post(reverse("web:offers_unavailable"), {"ids": ids}, follow=True)
    assert set(SupplierOffer.objects.values_list("state", flat=True)) == {"unavailable"}
    assert f"{len(ids)} offers are not bought from" in answer.content.decode()


def test_performance_comes_from_the_counters(loop, as_):
    page = as_(loop.people["viewer"]).get(reverse("web:supplier", args=[loop.shop.factory.pk])).content.decode()
    assert "100.0%" in page and "2 of 2 units answered" in page


# --- Imports ------------------------------------------------------------------------------------------------------


def upload(client, kind: str, name: str, content: bytes, **fields):
    url = reverse("web:import_add", args=[kind])
    return client.post(url, {"file": SimpleUploadedFile(name, content), **fields}, follow=True)


def test_a_file_is_handed_in_and_accounted_for(loop, as_):
    client = as_(loop.people["operator"])
    content = cast.order_file(["UP-1", "UP-2"], at=NOW) + BROKEN_FILE.splitlines()[1] + b"\r\n"
    answer = upload(client, "orders", "march.csv", content, store=loop.store.pk, treat_as="auto")
    file = ImportFile.objects.get(name="march.csv")
    assert answer.redirect_chain[-1][0] == reverse("web:import", args=[file.pk])
    assert (file.state, file.rows_in, file.rows_used, file.rows_refused) == ("done", 5, 4, 1)
    assert file.by == f"user:{loop.people['operator'].pk}"
    text = answer.content.decode()
    assert "new orders" in text and "Rows in" in text and "is not a number" in text


def test_history_is_kept_and_not_bought(loop, as_):
    upload(as_(loop.people["operator"]), "orders", "old.csv", cast.order_file(["OLD-1"], at=NOW), store=loop.store.pk, treat_as="history")
    assert ImportFile.objects.get(name="old.csv").counts["used"] == {"order_history": 2}


def test_the_store_must_be_ones_own(loop, as_):
    answer = upload(as_(loop.people["operator"]), "orders", "x.csv", cast.order_file(["X-1"], at=NOW), store=loop.other.pk, treat_as="auto")
    assert answer.status_code == 422 and not ImportFile.objects.filter(name="x.csv").exists()


def test_a_file_nobody_can_read_says_so(loop, as_):
    answer = upload(as_(loop.people["operator"]), "orders", "empty.csv", b" ", store=loop.store.pk, treat_as="auto")
    assert ImportFile.objects.get(name="empty.csv").state == "refused"
    assert "The file could not be used" in answer.content.decode()


STRANGE = "Bestellung;Tag;Artikel;Stück;Preis\n{0};03/04/2026;MUG;2;12,50\n"


def test_columns_are_chosen_after_a_look_and_remembered(loop, as_):
    client = as_(loop.people["operator"])
    content = STRANGE.format("ODD-1").replace("MUG", "<b>MUG</b>").encode()
    answer = upload(client, "orders", "odd.csv", content, store=loop.store.pk, treat_as="history", look="on")
    file = ImportFile.objects.get(name="odd.csv")
    url = reverse("web:import_columns", args=[file.pk])
    assert answer.redirect_chain[-1][0] == url and file.state == "received"
    body = answer.content.decode()
    assert "Bestellung" in body and "&lt;b&gt;MUG" in body and "<b>MUG" not in body and "A needed column is missing" in body
    said = {f"column{place}": name for place, name in enumerate(("number", "placed_at", "sku", "quantity", ""))}
    said |= {"shown": "|", "day_first": "yes", "decimal_mark": ","}
    assert "column is missing" in client.post(url, said).content.decode()
    response = client.post(url, said | {"column4": "unit_price"})
    assert response["Location"] == reverse("web:import", args=[file.pk])
    file.refresh_from_db()
    assert (file.state, file.rows_used) == ("done", 1), file.sentence
    assert client.get(url).status_code == 404, "it was read"
    upload(client, "orders", "next.csv", STRANGE.format("ODD-2").encode(), store=loop.store.pk, treat_as="history")
    following = ImportFile.objects.get(name="next.csv")
    assert (following.state, following.rows_used) == ("done", 1), following.sentence


def test_other_characters_are_shown_first(loop, as_):
    client = as_(loop.people["operator"])
    answer = upload(client, "orders", "odd.csv", "订单号,日期,SKU,数量,单价\n1,2026-03-01,MUG,1,5\n".encode("gb18030"),
                    store=loop.store.pk, treat_as="history", look="on")  # fmt: skip
    file = ImportFile.objects.get(name="odd.csv")
    url = reverse("web:import_columns", args=[file.pk])
    assert "订单号" in answer.content.decode()
    response = client.post(url, {"shown": "|", "encoding": "cp1252"})
    assert response["Location"] == url
    assert "¶©µ¥ºÅ" in client.get(url).content.decode()
    assert client.post(url, {"shown": "|cp1252", "encoding": ""})["Location"] == url
    refused = client.post(url, {"shown": "|", "encoding": "utf-16"})
    assert refused.status_code == 422 and "cannot be read as utf-16" in refused.content.decode()


def test_a_refused_file_is_not_lost(loop, as_):
    client = as_(loop.people["operator"])
    body = upload(client, "orders", "odd.csv", STRANGE.format("ODD-1").encode(), store=loop.store.pk, treat_as="history").content.decode()
    file = ImportFile.objects.get(name="odd.csv")
    url = reverse("web:import_columns", args=[file.pk])
    assert file.state == "refused" and url in body
    for role in ("viewer", "bookkeeper"):
        assert as_(loop.people[role]).get(url).status_code == 403
    assert as_(loop.people["operator"], "zh-hans").get(url).status_code == 200


def test_a_price_list_makes_offers(loop, as_):
    content = "供应商货号,名称,单价,库存\nP-1,杯子,12.50,40\n".encode("gb18030")
    upload(as_(loop.root), "offers", "list.csv", content, supplier=loop.shop.factory.pk)
    offer = SupplierOffer.objects.get(supplier_sku="P-1")
    assert (offer.price, offer.stock, offer.supplier) == (Decimal("12.50"), 40, loop.shop.factory)


def test_a_large_file_is_left_to_the_worker(loop, as_, monkeypatch):
    monkeypatch.setattr(import_pages, "AT_ONCE", 10)
    client = as_(loop.people["operator"])
    answer = upload(client, "orders", "large.csv", cast.order_file(["BIG-1"], at=NOW), store=loop.store.pk, treat_as="auto")
    file = ImportFile.objects.get(name="large.csv")
    assert file.state == "received"
    assert bulk.fetch("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'daifa.read_file' AND args ->> 'import_id' = %s",
                      (str(file.pk),)) == [(1,)]  # fmt: skip
    assert "Waits for the worker" in answer.content.decode() and "hx-trigger" in answer.content.decode()
    polled = client.get(reverse("web:import_progress", args=[file.pk]))
    assert polled.status_code == 200 and "HX-Refresh" not in polled
    assert "large.csv" in client.get(reverse("web:imports")).content.decode()
    monkeypatch.setattr(import_pages, "AT_ONCE", 1 << 20)
    client.post(reverse("web:import_read", args=[file.pk]))
    file.refresh_from_db()
    assert file.state == "done"
    assert client.get(reverse("web:import_progress", args=[file.pk]))["HX-Refresh"] == "true"


def test_a_refused_row_is_mended(loop, as_):
    client = as_(loop.people["operator"])
    url = reverse("web:import_row", args=[loop.row.pk])
    page = client.get(url).content.decode()
    assert "Quantity" in page and 'value="ten"' in page
    cells = {f"cell{i}": cell for i, cell in enumerate(loop.row.raw)}
    still = client.post(url, {**cells, "cell4": "eleven"})
    assert still.status_code == 422 and "eleven" in still.content.decode()
    assert ImportRow.objects.filter(state="open").count() == 1  # the second reading asks for nobody
    answer = client.post(url, {**cells, "cell4": "3"})
    assert answer.status_code == 302
    loop.row.refresh_from_db()
    assert loop.row.state == "retried"
    assert bulk.fetch("SELECT quantity FROM orders_orderline l JOIN orders_order o ON o.id = l.order_id WHERE o.number = 'BAD-1'") == [(3,)]
    settled = client.post(url, {**cells, "cell4": "3"})
    assert settled.status_code == 422 and "settled already" in settled.content.decode()


def test_rows_are_retried_and_dismissed_together(loop, as_):
    client = as_(loop.people["operator"])
    answer = client.post(reverse("web:import_retry_all", args=[loop.file.pk]), follow=True)
    assert "is not a number" in answer.content.decode()
    client.post(reverse("web:import_dismiss_all", args=[loop.file.pk]))
    loop.row.refresh_from_db()
    assert loop.row.state == "dismissed"
    assert "No refused row waits" in client.get(reverse("web:import", args=[loop.file.pk])).content.decode()


def test_refused_rows_come_as_a_file_without_formulas(loop, as_):
    ImportRow.objects.filter(pk=loop.row.pk).update(raw=["=1+1", *loop.row.raw[1:]])
    answer = as_(loop.people["operator"]).get(reverse("web:import_refused", args=[loop.file.pk]))
    lines = list(csv.reader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))
    assert lines[0][:4] == ["Row", "About", "Why, and what to do", "Order number"]
    assert lines[1][3] == "'=1+1" and "is not a number" in lines[1][2]


# --- Books --------------------------------------------------------------------------------------------------------


def test_the_profit_and_loss_of_a_month(loop, as_):
    page = as_(loop.people["bookkeeper"]).get(reverse("web:books")).content.decode()
    assert "£84.00" in page and "Profit and loss of Mar 2026" in page  # 2 × 12 + 2 × 30
    assert "£84.00" not in as_(loop.neighbour).get(reverse("web:books")).content.decode()
    empty = as_(loop.people["viewer"]).get(reverse("web:books") + "?month=2025-01").content.decode()
    assert "Profit and loss of Jan 2025" in empty and "£84.00" not in empty
    assert as_(loop.people["viewer"]).get(reverse("web:books") + "?month=nonsense").status_code == 200


def test_the_trial_balance_is_even(loop, as_):
    page = as_(loop.people["viewer"]).get(reverse("web:books_trial")).content.decode()
    assert "The books do not balance" not in page and "Payable to suppliers" in page
    assert trial_balance([loop.store.pk]).off == {}


def test_an_expense_is_booked_once_however_often_it_is_sent(loop, as_):
    client = as_(loop.people["bookkeeper"])
    url = reverse("web:books_expense_add")
    given = {"store": loop.store.pk, "kind": "advertising", "amount": "12.50", "currency": "", "date": "2026-03-10", "note": "clicks",
             "key": "7f0c6a0e-0000-4000-8000-000000000001"}  # fmt: skip
    for _again in range(2):
        assert client.post(url, given).status_code == 302
    expense = Expense.objects.get()
    assert (expense.amount, expense.currency, expense.by) == (Decimal("12.50"), "GBP", f"user:{loop.people['bookkeeper'].pk}")
    assert Entry.objects.filter(fact="expense").count() == 1
    late = client.post(url, {**given, "date": "2026-04-01", "key": "7f0c6a0e-0000-4000-8000-000000000002"})
    assert late.status_code == 422 and "lies ahead" in late.content.decode()
    foreign = client.post(url, {**given, "store": loop.other.pk})
    assert foreign.status_code == 422 and Expense.objects.count() == 1
    assert as_(loop.people["operator"]).post(url, given).status_code == 403


def test_an_entry_made_by_hand_is_reversed_with_a_reason(loop, as_):
    client = as_(loop.people["bookkeeper"])
    client.post(reverse("web:books_expense_add"), {"store": loop.store.pk, "kind": "tools", "amount": "5", "date": "2026-03-10",
                                                   "key": "7f0c6a0e-0000-4000-8000-000000000003"})  # fmt: skip
    entry = Entry.objects.get(fact="expense")
    url = reverse("web:books_reverse", args=[entry.pk])
    assert as_(loop.people["viewer"]).post(url, {"reason": "x"}).status_code == 403
    client = as_(loop.people["bookkeeper"])
    assert "needs a reason" in client.post(url, {"reason": " "}, follow=True).content.decode()
    client.post(url, {"reason": "typed twice"})
    assert Entry.objects.get(reversal_of=entry).memo == "typed twice"
    paid = Entry.objects.filter(fact="order_paid").first()
    assert "follows from what happened" in client.post(reverse("web:books_reverse", args=[paid.pk]), {"reason": "x"}, follow=True).content.decode()
    assert not Entry.objects.filter(reversal_of=paid).exists()


def test_paying_a_supplier_lowers_what_is_owed(loop, as_):
    factory = loop.shop.factory
    owed = {supplier: amount for supplier, _currency, amount in balances_of_suppliers([loop.store.pk])}[factory.pk]
    client = as_(loop.people["bookkeeper"])
    page = client.get(reverse("web:books_pay_to", args=[factory.pk])).content.decode()
    assert f'value="{owed}"' in page
    client.post(reverse("web:books_pay"), {"supplier": factory.pk, "store": loop.store.pk, "kind": "paid", "amount": str(owed), "date": "2026-03-12",
                                           "key": "7f0c6a0e-0000-4000-8000-000000000004"})  # fmt: skip
    assert SupplierPayment.objects.get().currency == "CNY"
    assert factory.pk not in {supplier for supplier, *_rest in balances_of_suppliers([loop.store.pk])}
    assert trial_balance([loop.store.pk]).off == {}


def test_entries_are_found_by_order_supplier_and_day(loop, as_):
    client = as_(loop.people["viewer"])

    def rows(query: str) -> int:
        return client.get(reverse("web:books_entries") + query).content.decode().count("<tr data-href")

    whole = Entry.objects.count()
    assert rows("") == whole and rows("?q=DONE-71") == Entry.objects.exclude(order_id=None).count()
    assert rows(f"?supplier={loop.shop.factory.pk}") == Entry.objects.filter(supplier_id=loop.shop.factory.pk).count()
    assert rows("?fact=order_paid") == 1 and rows("?day_from=2026-03-02&day_to=2026-03-02") == Entry.objects.filter(at__date="2026-03-02").count()
    assert rows("?day_to=2026-03-01") == 0


def test_a_rate_is_entered_by_who_may_in_every_store(loop, as_):
    url = reverse("web:books_rate_add")
    assert as_(loop.people["bookkeeper"]).get(url).status_code == 403
    client = as_(loop.root)
    given = {"date": "2026-03-10", "base": "cny", "quote": "GBP", "rate": "0.12"}
    assert client.post(url, {**given, "quote": "CNY"}).status_code == 422
    client.post(url, given)
    rate = FxRate.objects.get()
    assert (rate.base, rate.quote, rate.rate, rate.source) == ("CNY", "GBP", Decimal("0.12"), "hand")
    assert "entered by you" in client.get(reverse("web:books_rates")).content.decode()


def test_beancount_holds_the_books_of_the_stores_one_keeps(loop, as_):
    answer = as_(loop.people["bookkeeper"]).get(reverse("web:books_beancount"))
    text = answer.getvalue().decode()
    assert 'option "operating_currency" "GBP"' in text and text.count('store: "gifts"') == Entry.objects.count()
    assert as_(loop.people["viewer"]).get(reverse("web:books_beancount")).status_code == 403


# --- Cost ---------------------------------------------------------------------------------------------------------


def test_lists_ask_as_much_for_many_rows_as_for_few(loop, as_, monkeypatch):
    client = as_(loop.people["owner"])
    asked = []
    fetch = bulk.fetch
    monkeypatch.setattr(bulk, "fetch", lambda *args, **kwargs: asked.append(args[0]) or fetch(*args, **kwargs))

    def cost(name: str) -> int:
        asked.clear()
        with CaptureQueriesContext(connection) as captured:
            assert client.get(reverse(f"web:{name}")).status_code == 200
        return len(captured) + len(asked)

    names = [name for name in LISTS if name != "imports_add"]
    before = {name: cost(name) for name in names}
    import_products(
        [IncomingProduct(row=i, handle=f"h{i}", title=f"Thing {i}", sku=f"S{i}", price=Decimal(1)) for i in range(40)],
        by="user:1", at=NOW, store=loop.store,
    )  # fmt: skip
    import_offers(loop.shop.factory, [IncomingOffer(row=i, supplier_sku=f"O{i}", sku=f"S{i}", price=Decimal(1)) for i in range(40)], by="user:1", at=NOW)
    cast.receive_orders(loop.shop, [f"MANY-{i}" for i in range(20)], at=NOW)
    for i in range(8):
        cast.read_file(loop.shop, "orders", f"again{i}.csv", cast.order_file([f"F-{i}"], at=NOW), at=NOW)
    work_until_idle(at=NOW)
    assert {name: cost(name) for name in names} == before
    assert max(before.values()) <= 20


def test_the_short_way_to_an_entrustment(loop, as_):
    factory = loop.shop.factory
    Agreement.objects.filter(supplier=factory).update(entrusted_on=None)
    cast.receive_orders(loop.shop, ["A-1"], skus=("MUG",), at=NOW)
    work_until_idle(at=NOW)
    held = Hold.objects.filter(order__number="A-1", released_at=None, reason="entrustment_missing")
    client = as_(loop.people["operator"])
    url, there = reverse("web:supplier", args=[factory.pk]), reverse("web:entrustment", args=[factory.pk])
    order = client.get(reverse("web:order", args=[held.get().order_id])).content.decode()
    assert "still missing" in order and there in order, "the order says which term is missing and where it is recorded"
    assert "Entrustment of personal data signed?" in client.get(url).content.decode()
    assert client.post(reverse("web:entrustment_signed", args=[factory.pk]), {"signed_on": "2026-03-03", "store": loop.other.pk}).status_code in (302, 403, 404)
    assert held.exists(), "nobody signs for a store he does not work in"
    client.post(reverse("web:entrustment_signed", args=[factory.pk]), {"signed_on": "2026-03-03", "store": loop.store.pk})
    work_until_idle(at=NOW)
    assert not held.exists()
    assert "Entrustment of personal data signed?" not in client.get(url).content.decode()
    got = client.post(reverse("web:entrustment_paper", args=[factory.pk]), {"our_name": "Gift Ltd", "language": "en", "ending": "txt"})
    text = got.content.decode()
    assert "Gift Ltd" in text and factory.name in text and "the recipient's name" in text
    assert "attachment" in got["Content-Disposition"]
