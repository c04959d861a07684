"""Offers, mappings that refuse to guess, agreements, and the gate."""

import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from daifa.domain.catalog.models import Product, Variant
from daifa.domain.sourcing import commands, queries
from daifa.domain.sourcing.models import SkuMapping, Supplier, SupplierOffer
from daifa.domain.sourcing.rules import may_serve
from daifa.domain.stores.models import Store, Task
from daifa.lib.refusal import Refused

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
NOON = AT + timedelta(hours=3)
BY = "user:1"
SIGNED = date(2026, 3, 1)


def offer(supplier_sku, price="10", **facts):
    """A row of a price list, with the fields of the connectors' record."""
    given = {
        "row": 2, "currency": "", "sku": "", "title": "", "freight": None, "stock": None, "lead_days": None, "pack": 1,
        "rank": None, "ships_to": (),
    }  # fmt: skip
    return SimpleNamespace(supplier_sku=supplier_sku, price=Decimal(price), **{**given, **facts})


@pytest.fixture
def supplier(db):
    return commands.add_supplier(code="yiwu", name="Yiwu Gifts", currency="CNY", by=BY, at=AT)


@pytest.fixture
def mug(db):
    product = Product.objects.create(handle="mug", title="Mug", created_at=AT)
    return Variant.objects.create(product=product, sku="MUG-1", created_at=AT)


def mappings(variant):
    return list(
        SkuMapping.objects.filter(variant=variant).order_by("id").values_list("state", "version", "factor")
    )


def test_a_list_that_names_our_sku_verifies_the_mapping(supplier, mug):
    result = commands.import_offers(supplier, [offer("Y-9", sku="MUG-1", pack=6, stock=40)], by=BY, at=AT)
    assert (result.created, result.verified, result.proposed) == (1, 1, 0)
    (found,) = queries.offers_for_variants([mug.pk], date(2026, 3, 4))
    assert (found.supplier_sku, found.factor, found.rank, found.stock, found.stock_age_days) == (
        "Y-9",
        6,
        1,
        40,
        2,
    )
    assert (found.price, found.currency, found.supplier_kind, found.blocked) == (
        Decimal(10),
        "CNY",
        "workbook",
        "",
    )


def test_an_equal_sku_alone_is_only_proposed_and_is_not_bought_by(supplier, mug):
    result = commands.import_offers(supplier, [offer("MUG-1")], by=BY, at=AT)
    assert (result.verified, result.proposed) == (0, 1)
    assert queries.offers_for_variants([mug.pk], AT.date()) == []
    (mapping,) = SkuMapping.objects.all()
    assert commands.verify_mappings([mapping.pk], by="user:7", at=AT) == [mapping.pk]
    assert [c.mapping_id for c in queries.offers_for_variants([mug.pk], AT.date())] == [mapping.pk]


def test_capitals_matter(supplier, mug):
    result = commands.import_offers(supplier, [offer("Y-9", sku="mug-1")], by=BY, at=AT)
    assert (result.verified, result.proposed) == (0, 0)
    assert [note.code for note in result.notes] == ["sku_unknown"]


def test_the_same_list_twice_changes_nothing(supplier, mug):
    rows = [offer("Y-9", sku="MUG-1", stock=4), offer("Y-10", "3.5", row=3)]
    commands.import_offers(supplier, rows, by=BY, at=AT)
    before = list(SkuMapping.objects.values())
    again = commands.import_offers(supplier, rows, by=BY, at=AT + timedelta(days=1))
    assert (again.created, again.updated, again.unchanged, again.verified) == (0, 0, 2, 0)
    assert list(SkuMapping.objects.values()) == before


def test_another_pack_is_a_new_version_and_the_old_one_stays_on_record(supplier, mug):
    commands.import_offers(supplier, [offer("Y-9", sku="MUG-1", pack=6)], by=BY, at=AT)
    commands.import_offers(supplier, [offer("Y-9", sku="MUG-1", pack=12)], by=BY, at=AT)
    assert mappings(mug) == [("superseded", 1, 6), ("verified", 2, 12)]


def test_a_list_that_names_another_sku_breaks_the_mapping_and_asks_a_person(supplier, mug):
    cup = Variant.objects.create(product=mug.product, sku="CUP-1", created_at=AT)
    commands.import_offers(supplier, [offer("Y-9", sku="MUG-1")], by=BY, at=AT)
    for day in (1, 2):  # however often the list repeats it
        result = commands.import_offers(
            supplier, [offer("Y-9", sku="CUP-1")], by=BY, at=AT + timedelta(days=day)
        )
    assert mappings(mug) == [("broken", 1, 1)]
    assert mappings(cup) == [("proposed", 1, 1)]
    assert result.verified == 0
    assert queries.offers_for_variants([mug.pk], AT.date())[0].blocked == "mapping_broken"
    task = Task.objects.get(kind="mapping_broken")
    assert task.params == {"sku": "MUG-1", "supplier": "Yiwu Gifts", "supplier_sku": "Y-9"}
    commands.map_sku(variant_id=mug.pk, offer_id=task.thing, by="user:7", at=AT + timedelta(days=3))
    task.refresh_from_db()
    assert task.closed_by == "user:7"
    assert mappings(mug) == [("superseded", 1, 1), ("verified", 2, 1)]


def test_what_a_full_list_lacks_goes_stale_then_is_removed_and_breaks_its_mapping(supplier, mug):
    rows = [offer("Y-9", sku="MUG-1"), offer("Y-10", row=3), offer("Y-11", row=4)]
    commands.import_offers(supplier, rows, by=BY, at=AT, full=True)
    first = commands.import_offers(supplier, rows[1:], by=BY, at=AT + timedelta(days=1), full=True)
    assert (first.stale, first.removed, first.broken) == (1, 0, 0)
    assert queries.offers_for_variants([mug.pk], AT.date())[0].blocked == "offer_stale"
    second = commands.import_offers(supplier, rows[1:], by=BY, at=AT + timedelta(days=2), full=True)
    assert (second.stale, second.removed, second.broken) == (0, 1, 1)
    assert Task.objects.filter(kind="mapping_broken", closed_at=None).count() == 1
    back = commands.import_offers(supplier, rows, by=BY, at=AT + timedelta(days=3), full=True)
    assert back.verified == 1
    assert mug.pk in back.variants
    assert queries.offers_for_variants([mug.pk], AT.date())[0].blocked == ""
    assert not Task.objects.filter(kind="mapping_broken", closed_at=None).exists()


def test_a_list_cut_off_takes_nothing_out(supplier):
    commands.import_offers(supplier, [offer(f"Y-{n}", row=n) for n in range(40)], by=BY, at=AT)
    result = commands.import_offers(supplier, [offer("Y-1")], by=BY, at=AT + timedelta(days=1), full=True)
    assert (result.stale, result.removed) == (0, 0)
    assert [note.code for note in result.notes] == ["list_too_short"]


def test_bad_rows_are_refused_with_a_sentence_and_the_rest_is_used(supplier):
    rows = [
        offer("Y-1"), offer("Y-2", "0", row=3), offer("Y-3", currency="USD", row=4), offer("Y-1", "11", row=5),
        offer("", row=6), offer("Y-5", pack=0, row=7),
    ]  # fmt: skip
    result = commands.import_offers(supplier, rows, by=BY, at=AT)
    assert result.created == 1
    assert [(r.row, r.code) for r in result.refused] == [
        (3, "price_not_positive"), (4, "currency_differs"), (5, "duplicate_sku"), (6, "supplier_sku_invalid"),
        (7, "pack_invalid"),
    ]  # fmt: skip
    assert result.refused[1].sentence() == (
        "The price is in USD, but Yiwu Gifts sells in CNY; correct the list or the supplier."
    )


def test_what_a_list_does_not_tell_stays(supplier):
    commands.import_offers(supplier, [offer("Y-1", freight=Decimal(2), stock=9, lead_days=3)], by=BY, at=AT)
    commands.import_offers(supplier, [offer("Y-1", "12")], by=BY, at=AT + timedelta(days=1))
    kept = SupplierOffer.objects.get()
    assert (kept.price, kept.freight, kept.stock, kept.stock_at, kept.lead_days) == (12, 2, 9, AT, 3)


def test_ranks_follow_the_order_in_which_suppliers_came(supplier, mug):
    other = commands.add_supplier(code="leeds", name="Leeds", currency="GBP", by=BY, at=AT)
    commands.import_offers(supplier, [offer("Y-9", sku="MUG-1")], by=BY, at=AT)
    commands.import_offers(other, [offer("L-1", sku="MUG-1")], by=BY, at=AT)
    found = queries.offers_for_variants([mug.pk], AT.date())
    assert [(c.rank, c.supplier_sku) for c in found] == [(1, "Y-9"), (2, "L-1")]


def test_five_thousand_offers_within_a_second(supplier):
    Product.objects.create(handle="p", title="p", created_at=AT)
    product = Product.objects.get(handle="p")
    Variant.objects.bulk_create([Variant(product=product, sku=f"S-{n}", created_at=AT) for n in range(5000)])
    rows = [offer(f"Y-{n}", sku=f"S-{n}", stock=n, row=n + 2) for n in range(5000)]
    for day in (0, 1):
        began = time.process_time(), time.monotonic()
        result = commands.import_offers(supplier, rows, by=BY, at=AT + timedelta(days=day), full=True)
        assert time.process_time() - began[0] < 1
        assert time.monotonic() - began[1] < 4, "the machine may be busy, but not that busy"
    assert result.unchanged == 5000
    assert SkuMapping.objects.filter(state="verified").count() == 5000


def test_map_skus_refuses_with_sentences(supplier, mug):
    commands.import_offers(supplier, [offer("Y-9")], by=BY, at=AT)
    there = SupplierOffer.objects.get()
    gone, wrong = commands.MappingWish(mug.pk, 999_999), commands.MappingWish(mug.pk, there.pk, factor=0)
    refused = commands.map_skus([gone, wrong], by=BY, at=AT)
    assert refused == {
        gone: "The variant or the offer is not there any more.", wrong: "A pack holds at least one piece."
    }  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"code": "a b"}, "code_invalid"), ({"code": "yiwu"}, "code_taken"), ({"currency": "XYZ"}, "currency_unknown"),
        ({"name": " "}, "name_missing"), ({"kind": "pigeon"}, "choice_invalid"),
    ],
)  # fmt: skip
def test_a_supplier_is_refused_with_a_sentence(supplier, facts, code):
    with pytest.raises(Refused) as refused:
        commands.add_supplier(**{"code": "new", "name": "New", "currency": "USD", **facts}, by=BY, at=AT)
    assert refused.value.code == code
    assert refused.value.sentence.endswith((".", "offers"))


def test_who_is_named_after_a_consumer_platform_is_asked(supplier):
    named = {"code": "tb", "name": "淘宝 小店 (拼多多代拍)", "currency": "CNY", "by": BY, "at": AT}
    with pytest.raises(Refused, match="淘宝, 拼多多, 代拍") as refused:
        commands.add_supplier(**named)
    assert (refused.value.code, refused.value.field) == ("trade_unconfirmed", "is_trade")
    assert commands.add_supplier(**named, source="consumer_platform").source == "consumer_platform", "who says so is not asked"
    confirmed = commands.add_supplier(**named | {"code": "tb-2"}, is_trade=True)
    assert commands.edit_supplier(supplier_id=confirmed.pk, email="a@example.invalid", by=BY, at=AT).source == "trade", "asked once"
    for facts in ({"name": "拼多多旗舰店"}, {"name": "Taobao shop"}):
        with pytest.raises(Refused) as refused:
            commands.edit_supplier(supplier_id=supplier.pk, **facts, by=BY, at=AT)
        assert refused.value.code == "trade_unconfirmed"
    with pytest.raises(Refused):
        commands.edit_supplier(supplier_id=Supplier.objects.get(code="tb").pk, source="trade", by=BY, at=AT)
    assert commands.edit_supplier(supplier_id=supplier.pk, name="Taobao shop", is_trade=True, by=BY, at=AT).name == "Taobao shop"


def test_a_supplier_with_offers_keeps_his_currency(supplier):
    commands.import_offers(supplier, [offer("Y-1")], by=BY, at=AT)
    assert commands.edit_supplier(supplier_id=supplier.pk, name="Yiwu 2", by=BY, at=AT).name == "Yiwu 2"
    with pytest.raises(Refused, match="cannot be changed"):
        commands.edit_supplier(supplier_id=supplier.pk, currency="USD", by=BY, at=AT)


def store(kind, **facts):
    return Store.objects.create(code=kind, name=kind, kind=kind, currency="GBP", created_at=AT, **facts)


def test_who_may_serve_which_store(supplier):
    own, manual, market = store("own_site"), store("manual"), store("marketplace")
    day = date(2026, 3, 2)

    def asked(shop, on=day):
        return may_serve(shop, supplier, queries.agreements_for([own.pk, manual.pk, market.pk]), on)

    assert asked(own) == "agreement_missing"
    agreed = commands.record_agreement(supplier_id=supplier.pk, store_id=own.pk, valid_from=day, entrusted_on=SIGNED, by=BY, at=AT)
    assert asked(own) == ""
    assert not asked(own)
    assert asked(own, day - timedelta(days=1)) == "agreement_missing"
    assert asked(manual) == "agreement_missing", "an agreement for one store is none for another"
    commands.record_agreement(supplier_id=supplier.pk, store_id=None, valid_from=day, entrusted_on=SIGNED, by=BY, at=AT)
    assert asked(manual) == ""
    assert asked(market) == "platform_restricted"
    assert "marketplace" in asked(market).sentence
    commands.edit_supplier(supplier_id=supplier.pk, state="suspended", by=BY, at=AT)
    supplier.refresh_from_db()
    assert "not an active supplier" in asked(own).sentence
    commands.edit_supplier(supplier_id=supplier.pk, state="active", by=BY, at=AT)
    supplier.refresh_from_db()
    commands.end_agreement(agreement_id=agreed.pk, last_day=day, by=BY, at=AT)
    assert asked(own, day + timedelta(days=1)) == "", "the agreement for all stores still stands"


def test_an_agreement_without_a_day_begins_today_where_it_holds(supplier):
    evening = datetime(2026, 3, 2, 20, tzinfo=UTC)
    east, west = store("own_site", timezone="Asia/Shanghai"), store("manual", timezone="America/Los_Angeles")
    night = datetime(2026, 3, 3, 3, tzinfo=UTC)

    def begins(store_id, at):
        made = commands.record_agreement(supplier_id=supplier.pk, store_id=store_id, entrusted_on=SIGNED, by=BY, at=at)
        return made.valid_from

    assert begins(east.pk, evening) == date(2026, 3, 3), "it is tomorrow in Shanghai"
    assert begins(west.pk, night) == date(2026, 3, 2), "and still yesterday in Los Angeles"
    assert begins(None, night) == date(2026, 3, 2), "for all stores it counts in each of them at once"
    pairs = [(one.pk, supplier.pk) for one in (east, west)]
    assert queries.refusals(pairs, at=night) == {}


def test_an_ended_agreement_says_so(supplier):
    own, day = store("own_site"), date(2026, 3, 2)
    agreed = commands.record_agreement(supplier_id=supplier.pk, store_id=own.pk, valid_from=day, entrusted_on=SIGNED, by=BY, at=AT)
    commands.end_agreement(agreement_id=agreed.pk, last_day=day, by=BY, at=AT)
    verdict = may_serve(own, supplier, queries.agreements_for([own.pk]), day + timedelta(days=1))
    assert verdict == "agreement_missing"
    assert "is not valid on this day" in verdict.sentence
    with pytest.raises(Refused):
        commands.record_agreement(
            supplier_id=supplier.pk,
            store_id=None,
            valid_from=day,
            valid_until=day - timedelta(days=1),
            by=BY,
            at=AT,
        )


def test_the_sample_shop_and_the_real_one_do_not_mix(supplier):
    day = date(2026, 3, 2)
    sample = store("manual", is_sample=True)
    commands.record_agreement(supplier_id=supplier.pk, store_id=None, valid_from=day, entrusted_on=SIGNED, by=BY, at=AT)
    verdict = may_serve(sample, supplier, queries.agreements_for([sample.pk]), day)
    assert verdict == "agreement_missing"
    assert "sample shop" in verdict.sentence


# --- Marketplaces -----------------------------------------------------------------------------------------------

EVERYTHING = {
    "is_authorised": True, "no_cards": True, "platform_waybill": True, "returns_to": "Yiwu, 3 Fuyuan Road",
    "entrusted_on": date(2026, 3, 1),
}  # fmt: skip


def test_a_marketplace_opens_by_the_channels_rules_and_the_agreement(supplier):
    own, red = store("own_site"), store("marketplace", channel="xiaohongshu")
    day = date(2026, 3, 2)
    pairs = [(own.pk, supplier.pk), (red.pk, supplier.pk)]
    commands.record_agreement(supplier_id=supplier.pk, store_id=None, valid_from=day, by=BY, at=AT, **EVERYTHING)
    found = queries.refusals(pairs, at=NOON)
    assert list(found) == [(red.pk, supplier.pk)] and "names this store" in found[red.pk, supplier.pk].sentence
    agreed = commands.record_agreement(
        supplier_id=supplier.pk, store_id=red.pk, valid_from=day, by=BY, at=AT, **{**EVERYTHING, "entrusted_on": None}
    )
    assert queries.may_not_be_told(pairs, at=NOON) == {(red.pk, supplier.pk): "entrustment_missing"}
    commands.edit_agreement(agreement_id=agreed.pk, entrusted_on=day, by=BY, at=AT)
    assert queries.refusals(pairs, at=NOON) == {}
    commands.edit_supplier(supplier_id=supplier.pk, source="consumer_platform", by=BY, at=AT)
    assert set(queries.may_not_be_told(pairs, at=NOON).values()) == {"consumer_platform"}
    with pytest.raises(Refused, match="consumer platform"):
        commands.record_agreement(supplier_id=supplier.pk, store_id=red.pk, valid_from=day, by=BY, at=AT)


def test_no_address_goes_to_a_supplier_who_signed_no_entrustment(supplier):
    own = store("own_site")
    pair = [(own.pk, supplier.pk)]
    commands.record_agreement(supplier_id=supplier.pk, store_id=own.pk, valid_from=SIGNED, by=BY, at=AT)
    for asked in (queries.refusals, queries.may_not_be_told):
        refused = asked(pair, at=NOON)
        assert refused == {pair[0]: "entrustment_missing"}
        assert "enter the day there" in refused[pair[0]].sentence
        assert refused[pair[0]].missing == ("entrustment",)
    [written] = commands.record_entrustment(supplier_id=supplier.pk, signed_on=date(2026, 3, 2), by=BY, at=AT)
    assert written.store_id == own.pk, "what was agreed stays for whom it was agreed"
    assert queries.refusals(pair, at=NOON) == queries.may_not_be_told(pair, at=NOON) == {}
    commands.end_agreement(agreement_id=written.pk, last_day=date(2026, 3, 2), by=BY, at=AT)
    later = NOON + timedelta(days=2)
    assert queries.refusals(pair, at=later) == {pair[0]: "agreement_missing"}
    assert queries.may_not_be_told(pair, at=later) == {}, "what was drafted for an own store goes on"


def test_an_entrustment_without_an_agreement_records_one_for_own_stores(supplier):
    own, red = store("own_site"), store("marketplace", channel="xiaohongshu")
    [made] = commands.record_entrustment(supplier_id=supplier.pk, signed_on=SIGNED, by=BY, at=AT)
    assert (made.store_id, made.valid_from, made.entrusted_on) == (None, SIGNED, SIGNED)
    assert list(queries.refusals([(own.pk, supplier.pk), (red.pk, supplier.pk)], at=NOON)) == [(red.pk, supplier.pk)]
    commands.record_entrustment(supplier_id=supplier.pk, signed_on=date(2026, 3, 2), by=BY, at=AT)
    assert supplier.agreements.get().entrusted_on == date(2026, 3, 2), "told again it corrects the day"
    with pytest.raises(Refused, match="in the future"):
        commands.record_entrustment(supplier_id=supplier.pk, signed_on=date(2026, 3, 9), by=BY, at=AT)
    commands.edit_supplier(supplier_id=supplier.pk, source="consumer_platform", by=BY, at=AT)
    commands.end_agreement(agreement_id=made.pk, last_day=date(2026, 2, 1), by=BY, at=AT)
    with pytest.raises(Refused, match="consumer platform"):
        commands.record_entrustment(supplier_id=supplier.pk, signed_on=SIGNED, by=BY, at=AT)


def test_an_agreement_of_today_counts_from_the_stores_own_morning(supplier):
    red = store("own_site", timezone="Asia/Shanghai")
    dawn = datetime(2026, 3, 1, 23, tzinfo=UTC)  # seven in the morning of the second
    commands.record_entrustment(supplier_id=supplier.pk, signed_on=date(2026, 3, 2), by=BY, at=dawn)
    for asked in (queries.refusals, queries.may_not_be_told):
        assert asked([(red.pk, supplier.pk)], at=dawn) == {}


def test_the_gate_asks_as_often_for_many_as_for_one(supplier):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    stores = [store("marketplace", channel="xiaohongshu")] + [
        Store.objects.create(code=f"m{n}", name="m", kind="marketplace", channel="amazon", currency="GBP", created_at=AT)
        for n in range(5)
    ]
    queries.refusals([(stores[0].pk, supplier.pk)], at=NOON)
    with CaptureQueriesContext(connection) as one:
        queries.refusals([(stores[0].pk, supplier.pk)], at=NOON)
    with CaptureQueriesContext(connection) as many:
        queries.refusals([(one.pk, supplier.pk) for one in stores], at=NOON)
    assert len(many) <= len(one) + len(stores), "at most one look at the rule book's stamp a store"


def test_ending_agreements_are_told_until_they_are_renewed(supplier):
    day = date(2026, 3, 2)
    ends = commands.record_agreement(
        supplier_id=supplier.pk, store_id=None, valid_from=day, valid_until=date(2026, 6, 30), by=BY, at=AT
    )
    assert queries.ending_agreements(date(2026, 5, 30)) == []
    assert [row["id"] for row in queries.ending_agreements(date(2026, 5, 31))] == [ends.pk]
    commands.record_agreement(supplier_id=supplier.pk, store_id=None, valid_from=date(2026, 7, 1), by=BY, at=AT)
    assert queries.ending_agreements(date(2026, 5, 31)) == []


@pytest.mark.parametrize(
    ("terms", "code"),
    [({"entrusted_on": date(2027, 1, 1)}, "date_in_future"), ({"returns_paid_by": "nobody"}, "choice_invalid")],
)
def test_terms_that_cannot_be_are_refused(supplier, terms, code):
    with pytest.raises(Refused) as refused:
        commands.record_agreement(supplier_id=supplier.pk, store_id=None, valid_from=date(2026, 3, 2), by=BY, at=AT, **terms)
    assert refused.value.code == code


def test_papers_are_checked_by_their_content(supplier, settings, tmp_path):
    import io
    import zipfile

    settings.MEDIA_ROOT = tmp_path
    agreed = commands.record_agreement(supplier_id=supplier.pk, store_id=None, valid_from=date(2026, 3, 2), by=BY, at=AT)
    office = io.BytesIO()
    with zipfile.ZipFile(office, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    macro = io.BytesIO()
    with zipfile.ZipFile(macro, "w") as archive:
        archive.writestr("xl/workbook.xml", "<w/>")
        archive.writestr("xl/vbaProject.bin", "x")
    kept, refused = commands.add_documents(
        agreement_id=agreed.pk, by=BY, at=AT,
        files=[("a.txt", b"%PDF-1.4"), ("b.docx", office.getvalue()), ("c.xlsx", macro.getvalue()), ("d.pdf", b"<html>"),
               ("e.pdf", b""), ("f.pdf", b"%PDF-" + b"x" * commands.MOST_DOCUMENT)],
    )  # fmt: skip
    assert [one.name for one in kept] == ["a.pdf", "b.docx"]
    assert [sentence.split(":")[0] for sentence in refused] == ["c.xlsx", "d.pdf", "e.pdf", "f.pdf"]
    assert "at most 20 MB" in refused[3] and "empty" in refused[2]
