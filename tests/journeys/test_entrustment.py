"""No buyer's address goes to a supplier who signed no entrustment, whatever the store; once it is signed all goes on."""

import io
from datetime import timedelta

import pytest
from django.core import mail
from django.urls import reverse

from daifa.domain.catalog.models import Variant
from daifa.domain.orders.models import Hold
from daifa.domain.people.models import User
from daifa.domain.policy.commands import NewOverride
from daifa.domain.privacy.places import PERSONAL
from daifa.domain.purchasing.models import PurchaseOrder
from daifa.domain.sourcing.commands import add_supplier
from daifa.domain.sourcing.models import Agreement, Supplier
from daifa.domain.sourcing.queries import standing_between
from daifa.domain.stores.models import Store, StoreAccess, Task
from daifa.flows import entrustment, put_right, watch_rules
from daifa.flows.place_purchases import fix_runs
from daifa.flows.supplier_files import read_suppliers
from daifa.flows.work import work_until_idle
from daifa.lib.refusal import Refused
from tests import cast

pytestmark = pytest.mark.django_db
AT = cast.MORNING


def test_no_route_before_it_is_signed_and_by_itself_after():
    shop = cast.open_shop()
    Agreement.objects.update(entrusted_on=None)
    cast.receive_orders(shop, ["E-1", "E-2"], at=AT)
    work_until_idle(at=AT)
    assert set(Hold.objects.filter(released_at=None).values_list("reason", flat=True)) == {"entrustment_missing"}
    assert not PurchaseOrder.objects.exists() and not mail.outbox
    for supplier in (shop.factory, shop.system):
        put_right.record_entrustment(supplier_id=supplier.pk, signed_on=AT.date(), by=cast.BY, at=AT)
    work_until_idle(at=AT)
    assert not Hold.objects.filter(released_at=None).exists()
    assert set(PurchaseOrder.objects.values_list("state", flat=True)) == {"placed"}


def test_orders_that_lack_something_else_stay_held_and_the_note_does_not_call_them_routed(client):
    shop = cast.open_shop()
    Agreement.objects.update(entrusted_on=None)
    cast.receive_orders(shop, ["E-1"], skus=("MUG",), at=AT)
    work_until_idle(at=AT)
    Supplier.objects.filter(pk=shop.factory.pk).update(ships_to=["FR"])
    owner = User.objects.create_user("owner")
    StoreAccess.objects.create(user=owner, store=shop.store, role="owner")
    client.force_login(owner, backend="allauth.account.auth_backends.AuthenticationBackend")
    told = client.post(
        reverse("web:entrustment_signed", args=[shop.factory.pk]), {"signed_on": "2026-01-02", "store": shop.store.pk}, follow=True
    ).content.decode()
    assert "1 held order is looked at again" in told and "stays held" in told and "routed again" not in told
    work_until_idle(at=AT)
    assert [hold.reason for hold in Hold.objects.filter(released_at=None)] == ["destination_refused"]


def test_what_was_routed_before_is_withheld_at_placing():
    shop = cast.open_shop()
    cast.receive_orders(shop, ["E-1"], skus=("MUG",), at=AT)
    from daifa.flows.react import react

    react(at=AT)
    purchase = PurchaseOrder.objects.get()
    assert purchase.state == "ready"
    Agreement.objects.update(entrusted_on=None)
    assert fix_runs(at=AT, by=cast.BY) == []
    task = Task.objects.get(kind="address_withheld", closed_at=None)
    assert "entrustment of personal data" in task.params["sentence"]
    put_right.record_entrustment(supplier_id=shop.factory.pk, signed_on=AT.date(), by=cast.BY, at=AT)
    assert len(fix_runs(at=AT, by=cast.BY)) == 1
    assert not Task.objects.filter(kind="address_withheld", closed_at=None).exists()


# --- The paper ----------------------------------------------------------------------------------------------------


def test_every_field_of_the_map_that_a_supplier_sees_is_named_in_the_paper():
    seen_by = {(place.model, name): place.who for place in PERSONAL for name in place.fields.split()}
    assert {field for field, who in seen_by.items() if who == "supplier"} <= set(entrustment.FIELDS)
    assert set(entrustment.FIELDS) <= set(seen_by), "what else goes to him is on the map, whoever sees it here"
    for language, words in (("en", "province or region"), ("zh-hans", "定制字样")):
        assert any(words in said for said in entrustment.handed_over(language)), "in his workbooks, too"


@pytest.mark.parametrize(
    ("language", "points"),
    [
        ("en", ("Purpose", "Duration", "kind of data", "Protection", "No further entrusting", "Return and deletion", "Supervision", "45 days")),
        ("zh-hans", ("处理目的", "委托期限", "个人信息种类", "保护措施", "不得转委托", "返还与删除", "监督", "满45日")),
    ],
)  # fmt: skip
def test_the_paper_says_what_the_law_asks_for(language, points):
    shop = cast.open_shop()
    Agreement.objects.update(claim_days=45)
    asked = {"supplier_id": shop.factory.pk, "store_ids": [shop.store.pk], "language": language, "at": AT}
    text = entrustment.as_text(**asked, our_name="Example Ltd")
    for words in (*points, "Example Ltd", shop.factory.name, shop.store.name, *entrustment.handed_over(language)):
        assert words in text
    assert {"en": "Place of processing: China\n", "zh-hans": "处理地点：中国\n"}[language] in text
    assert "%(" not in text and entrustment.BLANK in text, "the names are filled in, what is signed is left open"
    assert entrustment.BLANK in entrustment.as_text(**asked).split("\n")[2], "a line for our name where nobody gives it"


def test_the_paper_as_a_pdf():
    shop = cast.open_shop()
    try:
        pdf = entrustment.as_pdf(supplier_id=shop.factory.pk, store_ids=[shop.store.pk], language="zh-hans", at=AT, our_name="某某商贸")
    except Refused as no:
        pytest.skip(no.sentence)
    assert pdf.startswith(b"%PDF") and len(io.BytesIO(pdf).getvalue()) > 5_000


def test_there_is_no_paper_for_a_shop_on_a_consumer_platform():
    shop = cast.open_shop()
    retail = add_supplier(code="retail", name="Retail", currency="CNY", source="consumer_platform", by=cast.BY, at=AT)
    with pytest.raises(Refused, match="consumer platform"):
        entrustment.as_text(supplier_id=retail.pk, store_ids=[shop.store.pk], language="en", at=AT)


# --- Channels whose rule waits for the owner ----------------------------------------------------------------------


@pytest.mark.parametrize(("channel", "rule"), [("wechat_store", "wx-supplier-api"), ("pinduoduo", "pdd-factory-waybill")])
def test_the_owners_confirmation_opens_the_channel_and_what_was_held_goes_on(channel, rule):
    shop = cast.open_shop()
    Store.objects.filter(pk=shop.store.pk).update(kind="marketplace", channel=channel)
    agreement = Agreement.objects.get(supplier=shop.factory)
    cast.receive_orders(shop, ["E-1"], skus=("MUG",), at=AT)
    work_until_idle(at=AT)
    assert Hold.objects.get(released_at=None).reason == "platform_restricted"
    put_right.edit_agreement(
        agreement_id=agreement.pk, is_authorised=True, neutral_packing=True, no_cards=True, platform_waybill=True, by=cast.BY, at=AT
    )
    work_until_idle(at=AT)
    assert Hold.objects.get(released_at=None).reason == "platform_restricted", "no agreement opens a closed channel"
    variant = Variant.objects.get(sku="MUG").pk
    [between] = standing_between(shop.store.pk, [variant], at=AT)
    assert between.verdict.rules == (rule,) and rule in between.verdict.sentence
    done, again = put_right.override_rules([NewOverride(rule, "read at its source", AT.date(), {})], by=cast.BY, at=AT)
    assert done.ids and again == 1
    work_until_idle(at=AT)
    assert not Hold.objects.filter(released_at=None).exists()
    assert PurchaseOrder.objects.get().state == "placed"


def test_a_word_of_a_later_day_opens_the_channel_on_that_day():
    shop = cast.open_shop()
    Store.objects.filter(pk=shop.store.pk).update(kind="marketplace", channel="wechat_store")
    Agreement.objects.filter(supplier=shop.factory).update(
        is_authorised=True, neutral_packing=True, no_cards=True, platform_waybill=True, returns_to="Yiwu 3"
    )
    cast.receive_orders(shop, ["E-1"], skus=("MUG",), at=AT)
    work_until_idle(at=AT)
    begins = AT + timedelta(days=2)
    done, again = put_right.override_rules([NewOverride("wx-supplier-api", "read at its source", begins.date(), {})], by=cast.BY, at=AT)
    assert done.ids and again == 0
    for at, routed in ((AT + timedelta(days=1), 0), (begins, 1)):
        assert watch_rules.watch_rules(at=at, by=cast.BY).routed == routed
        work_until_idle(at=at)
        assert Hold.objects.filter(released_at=None).exists() is (not routed)
    assert PurchaseOrder.objects.get().state == "placed"
    assert watch_rules.watch_rules(at=begins + timedelta(hours=1), by=cast.BY).routed == 0, "a repeat finds nothing held"


def test_an_agreement_of_a_later_day_lets_go_on_that_day():
    shop = cast.open_shop()
    begins = AT + timedelta(days=2)
    Agreement.objects.filter(supplier=shop.factory).update(valid_from=begins.date(), recorded_at=AT)
    cast.receive_orders(shop, ["E-1"], skus=("MUG",), at=AT)
    work_until_idle(at=AT)
    assert Hold.objects.get(released_at=None).reason == "agreement_missing"
    for at, routed in ((AT + timedelta(days=1), 0), (begins, 1)):
        assert watch_rules.watch_rules(at=at, by=cast.BY).routed == routed
        work_until_idle(at=at)
        assert Hold.objects.filter(released_at=None).exists() is (not routed)


# --- A file of suppliers ------------------------------------------------------------------------------------------


def test_a_file_of_suppliers_brings_their_days(tmp_path):
    shop = cast.open_shop()
    Agreement.objects.update(entrusted_on=None)
    cast.receive_orders(shop, ["E-1"], skus=("MUG",), at=AT)
    work_until_idle(at=AT)
    text = (
        "编码,名称,币种,邮箱,运费,发货天数,发往国家,委托协议签署日期\n"
        f"{shop.factory.code},,CNY,,,,,2026-03-01\n"
        "kiln,窑厂,cny,kiln@example.invalid,6.5,3,\"GB, DE\",2026-02-20\n"
        "later,Later,USD,,,,,\n"
        "late,Late,USD,,,,,2030-01-01\n"
        "bad code,Bad,USD,,,,,\n"
        "many,Many,USD,,,1.5,,\n"
        "far,Far,USD,,,,Narnia,\n"
    ).encode()
    done = read_suppliers(name="suppliers.csv", content=text, by=cast.BY, at=AT)
    assert (len(done.added), done.known, done.entrusted, done.routed) == (2, 1, 2, 1)
    assert [(one.row, one.code) for one in done.refused] == [
        (5, "date_in_future"), (6, "code_invalid"), (7, "days_invalid"), (8, "country_unknown")
    ]  # fmt: skip
    assert all(one.sentence() for one in done.refused)
    kiln = Supplier.objects.get(code="kiln")
    assert (kiln.name, kiln.currency, kiln.ships_to, kiln.handling_days) == ("窑厂", "CNY", ["DE", "GB"], 3)
    assert kiln.agreements.get().store_id is None
    assert not Supplier.objects.get(code="later").agreements.exists()
    work_until_idle(at=AT)
    assert not Hold.objects.filter(released_at=None).exists()
    again = read_suppliers(name="suppliers.csv", content=text, by=cast.BY, at=AT)
    assert (again.added, again.known, again.entrusted) == ([], 3, 0), "a repeat changes nothing"


def test_a_file_without_codes_is_refused():
    with pytest.raises(Refused, match="no column for code"):
        read_suppliers(name="suppliers.csv", content=b"name,currency\nKiln,CNY\n", by=cast.BY, at=AT)


def test_a_file_does_not_take_a_shop_on_a_consumer_platform_for_a_factory():
    cast.open_shop()
    text = "编码,名称,币种,供应商类型\ntb,淘宝 小店,CNY,\npdd,拼多多小店,CNY,consumer_platform\nodd,Odd,CNY,pigeon\n".encode()
    done = read_suppliers(name="suppliers.csv", content=text, by=cast.BY, at=AT)
    assert [(one.row, one.code) for one in done.refused] == [(2, "trade_unconfirmed"), (4, "choice_invalid")]
    assert "淘宝" in done.refused[0].sentence()
    assert Supplier.objects.get(code="pdd").source == "consumer_platform"
