"""Listings by the API: asked for, let out by who may, filed and settled; nothing for the others."""

import json
from decimal import Decimal

import pytest

from daifa.domain.catalog.models import ListingVariant, Product, Publication
from daifa.domain.people.commands import issue_api_token
from daifa.domain.people.models import User
from daifa.domain.stores.models import StoreAccess
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return cast.open_shop()


def calls(client, shop, role):
    user = User.objects.create_user(f"{role}", password="x")
    StoreAccess.objects.create(user=user, store=shop.store, role=role)
    _row, token = issue_api_token(user, name="t", by="user:0", at=cast.MORNING)

    def call(method, path, body=None, status=200):
        answer = getattr(client, method)(
            f"/api/v1{path}", json.dumps(body) if body is not None else None, content_type="application/json",
            headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content and answer["Content-Type"].startswith("application/json") else answer.content

    call.token = token
    return call


def test_from_the_draft_to_the_channel(client, shop):
    call = calls(client, shop, "operator")
    made = call("post", "/listings", {"store_id": shop.store.pk, "products": ["MUG", "LAMP"], "price": "12.5"}, 201)["done"]
    Product.objects.filter(variants__sku="MUG").update(title="最大的茶杯")
    mug, lamp = (ListingVariant.objects.get(sku=sku).pk for sku in ("MUG", "LAMP"))
    assert sorted(made) == sorted([mug, lamp])
    shown = call("get", f"/listings/{mug}")
    assert (shown["verdict"], shown["state"], shown["price"]["amount"]) == ("waiting", "draft", "12.50")
    assert "最大" in shown["sentences"][0] and [one["sku"] for one in shown["variants"]] == ["MUG"]
    outcomes = call("post", "/listings/publish", {"ids": [mug, lamp]})
    assert sorted(one["state"] for one in outcomes) == ["ready", "waiting"]
    [waiting] = call("get", "/publications?state=waiting")["items"]
    assert call("post", "/publications/approve", {"ids": [waiting["id"]], "reason": "measured"})["done"] == [waiting["id"]]
    assert call("get", f"/publications/{waiting['id']}")["decision"] == "measured"
    file = call("post", "/listing-files", {"store_id": shop.store.pk}, 201)
    assert file["listings"] == 2 and call("get", f"/listing-files/{file['id']}/content")[:2] == b"PK"
    call("post", "/listing-files", {"store_id": shop.store.pk}, 204)
    assert len(call("post", f"/listing-files/{file['id']}/settle", {"uploaded": True})["done"]) == 2
    assert call("post", f"/listing-files/{file['id']}/settle", {"uploaded": True}, 409)["code"] == "moved_on"
    assert {one["sku"] for one in call("get", "/listings?state=live")["items"]} == {"MUG", "LAMP"}
    call("post", f"/listings/{mug}/edit", {"title": "Mug", "prices": {"MUG": "14"}})
    assert ListingVariant.objects.get(pk=mug).price == Decimal(14)
    call("post", f"/listings/{mug}/edit", {"prices": {"X": "14"}}, 422)
    assert call("post", "/listings/withdraw", {"ids": [lamp], "action": "pause"})[0]["state"] == "ready"


def test_a_role_that_only_looks_lets_nothing_out(client, shop):
    operator = calls(client, shop, "operator")
    operator("post", "/listings", {"store_id": shop.store.pk, "products": ["MUG"], "price": "12"}, 201)
    Product.objects.filter(variants__sku="MUG").update(title="最大的茶杯")
    mug = ListingVariant.objects.get().pk
    [waiting] = operator("post", "/listings/publish", {"ids": [mug]})
    for role in ("viewer", "bookkeeper"):
        call = calls(client, shop, role)
        assert call("get", f"/listings/{mug}")["verdict"] == "waiting"
        call("post", "/publications/approve", {"ids": [waiting["publication_id"]], "reason": "x"}, 403)
        call("post", "/listings/publish", {"ids": [mug]}, 403)
    assert Publication.objects.get().state == "waiting"
