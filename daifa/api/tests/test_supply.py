"""What stands between buyers and suppliers, by the API: words that open a channel, who a supplier is, samples."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from daifa.api.tests.test_listings import calls
from daifa.domain.books.queries import trial_balance
from daifa.domain.orders.models import Hold
from daifa.domain.purchasing.models import PurchaseOrder
from daifa.domain.shipping.checks import judge_photos
from daifa.domain.sourcing.models import Agreement, Sample, Supplier
from daifa.domain.stores.models import Store
from daifa.flows.work import work_until_idle
from daifa.lib import clock
from tests import cast, photos

pytestmark = pytest.mark.django_db
AT = cast.MORNING


@pytest.fixture
def shop(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    return cast.open_shop()


def test_a_word_that_opens_the_channel_lets_held_orders_go(client, shop):
    Store.objects.filter(pk=shop.store.pk).update(kind="marketplace", channel="wechat_store")
    Agreement.objects.filter(supplier=shop.factory).update(
        is_authorised=True, neutral_packing=True, no_cards=True, platform_waybill=True, returns_to="Yiwu 3", valid_until=None
    )
    cast.receive_orders(shop, ["E-1"], skus=("MUG",), at=AT)
    work_until_idle(at=AT)
    assert Hold.objects.get(released_at=None).reason == "platform_restricted"
    said = calls(client, shop, "owner")("post", "/rules/wx-supplier-api/words", {"store_id": shop.store.pk, "reason": "read at its source"})
    assert said["acts"]
    work_until_idle(at=clock.now())
    assert not Hold.objects.filter(released_at=None, reason="platform_restricted").exists()
    assert PurchaseOrder.objects.filter(order__number="E-1").exists()


def test_who_a_supplier_is_has_to_be_said(client, shop):
    call = calls(client, shop, "operator")
    given = {"code": "tb", "name": "淘宝 小店 (拼多多代拍)", "currency": "CNY"}
    refused = call("post", "/suppliers", given, 409)
    assert (refused["code"], refused["field"]) == ("trade_unconfirmed", "is_trade") and "淘宝" in refused["sentence"]
    assert call("post", "/suppliers", given | {"source": "consumer_platform"}, 201)["source"] == "consumer_platform"
    assert call("post", "/suppliers", given | {"code": "tb-2", "is_trade": True}, 201)["source"] == "trade"
    assert Supplier.objects.filter(name=given["name"]).count() == 2


def test_a_sample_from_the_wish_to_the_verdict(client, shop):
    call = calls(client, shop, "operator")
    offer = shop.system.offers.get()
    wish = {"store_id": shop.store.pk, "supplier_id": shop.system.pk, "send_to": "Wang Li, 1 Own Road, Leeds", "offer_id": offer.pk}
    assert call("post", "/samples", wish | {"send_to": " "}, 409)["code"] == "sample_refused"
    assert call("post", "/samples", wish | {"quantity": 0}, 422)["field"] == "quantity"
    made = call("post", "/samples", wish, 201)
    assert (made["state"], made["cost"], made["supplier_sku"]) == ("wanted", None, offer.supplier_sku)
    assert made["reference"] in made["letter_subject"] and "1 Own Road" in made["letter"]
    path = f"/samples/{made['id']}"
    ordered = call("post", f"{path}/order", {"cost": "14.50"})
    assert (ordered["state"], ordered["cost"]["amount"]) == ("ordered", "14.50")
    assert {row.code: row.amount for row in trial_balance([shop.store.pk]).rows}["6400"] > 0
    assert call("post", f"{path}/order", {"cost": "14.50"}, 409)["code"] == "no_change", "the cost is booked once"
    assert call("post", f"{path}/ship", {"number": "rm 0000 7GB", "carrier": "Royal Mail"})["number"] == "RM00007GB"
    here = call("post", f"{path}/receive")
    assert here["state"] == "received" and "Add photos" in here["why_not_pass"]
    assert call("post", f"{path}/judge", {"passed": True, "verdict": "fine"}, 409)["code"] == "parcel_not_clean"
    token = call.token
    added = client.post(
        f"/api/v1{path}/photos", {"photos": [SimpleUploadedFile("box.png", photos.photo("Thank you")), SimpleUploadedFile("x.png", b"MZ")]},
        headers={"Authorization": f"Bearer {token}"},
    ).json()  # fmt: skip
    assert len(added["done"]) == 1 and len(added["refused"]) == 1
    judge_photos({added["done"][0]: ["RM00007GB", "Thank you"]}, by=cast.BY, at=clock.now())
    assert [one["state"] for one in call("get", path)["photos"]] == ["clean"]
    assert call("post", f"{path}/judge", {"passed": True, "verdict": "as described"})["state"] == "passed"
    assert [one["id"] for one in call("get", "/samples?state=passed")["items"]] == [made["id"]]
    other = call("post", "/samples", wish, 201)["id"]
    assert call("post", f"/samples/{other}/cancel", {"reason": "Too dear."})["state"] == "cancelled"
    assert Sample.objects.get(pk=other).verdict == "Too dear."


def test_a_viewer_reads_samples_and_moves_none(client, shop):
    sample = calls(client, shop, "operator")("post", "/samples", {
        "store_id": shop.store.pk, "supplier_id": shop.factory.pk, "send_to": "1 Own Road", "title": "Mug",
    }, 201)["id"]  # fmt: skip
    call = calls(client, shop, "viewer")
    assert call("get", f"/samples/{sample}")["state"] == "wanted"
    call("post", f"/samples/{sample}/order", {}, 403)
    call("post", f"/samples/{sample}/cancel", {"reason": "x"}, 403)
