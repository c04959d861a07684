"""A shop of two stores with forty orders in every stage, and somebody in each role."""

import io
from types import SimpleNamespace

import pytest
from django.test import Client
from django.utils import timezone

from bench.stored import store_orders
from daifa.domain.people.commands import issue_api_token
from daifa.domain.people.models import User
from daifa.domain.stores.models import StoreAccess


def photo() -> bytes:
    """A small real picture."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (60, 40), "white").save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def shop(db):
    made = store_orders(40, variants_sold=20, analyse=False)
    first, second = made["stores"]
    people = {}
    for name, role in (
        ("owner", "owner"),
        ("operator", "operator"),
        ("bookkeeper", "bookkeeper"),
        ("viewer", "viewer"),
        ("stranger", None),
    ):
        user = User.objects.create_user(name, password="correct horse battery staple")
        if role:
            StoreAccess.objects.create(user=user, store_id=first, role=role)
        people[name] = user
    people["boss"] = User.objects.create_superuser("boss", password="correct horse battery staple")
    neighbour = User.objects.create_user("neighbour", password="correct horse battery staple")
    StoreAccess.objects.create(user=neighbour, store_id=second, role="owner")
    people["neighbour"] = neighbour
    return SimpleNamespace(
        first=first, second=second, orders=made["orders"], skus=made["skus"], people=people
    )


@pytest.fixture
def as_user(shop):
    """as_user("viewer") → a client that sends that person's token."""

    def client(name: str) -> Client:
        _row, token = issue_api_token(shop.people[name], name="test", by="user:0", at=timezone.now())
        return Client(headers={"Authorization": f"Bearer {token}"})

    return client
