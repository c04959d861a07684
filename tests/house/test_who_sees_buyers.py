"""The map says who sees buyers' data; here every page and every address of the API is asked in each role.

Each field of the map that a page could show is filled with a word of its own, so that a leak names its field.
"""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection, models
from django.urls import URLPattern, URLResolver, get_resolver

from daifa.domain.people.models import User
from daifa.domain.privacy.places import PERSONAL
from daifa.domain.stores.models import StoreAccess
from daifa.lib import bulk
from tests.house import test_strangers
from tests.house.test_strangers import OPEN, PAGES, address, body

foreign = test_strangers.foreign  # everything a store can have
pytestmark = pytest.mark.django_db

HIDDEN = {
    "viewer": ("operators", "supplier", "buyer", "platform", "owner", "step"),
    "bookkeeper": ("operators", "supplier", "buyer", "platform", "owner", "step"),
    "operator": ("owner", "step"),
}
"""Role → fields of which readers (places.WHO) it must not see; the step of the closing asked here is the owner's."""
WORDS = {
    f"{place.model}.{name}": f"Zq{number}x{place_number}y"
    for place_number, place in enumerate(PERSONAL) if place.who in HIDDEN["viewer"] and place.data != ""
    for number, name in enumerate(place.fields.split())
}


def plant() -> dict[str, str]:
    """Fill every text column of the map that can take a word; returns column → word."""
    planted = {}
    bulk.execute("SET LOCAL session_replication_role = replica")
    for place in PERSONAL:
        if place.who not in HIDDEN["viewer"]:
            continue
        model = apps.get_model(place.model)
        for name in place.fields.split():
            column = model._meta.get_field(name)
            if not isinstance(column, (models.CharField, models.TextField)) or column.choices or column.unique:
                continue
            word = WORDS[f"{place.model}.{name}"]
            if (column.max_length or 99) < len(word) or (place.model, name) in NOT_PLANTED:
                continue
            with connection.cursor() as c:
                c.execute(f'UPDATE "{model._meta.db_table}" SET "{column.column}" = %s', [word])
                if c.rowcount:
                    planted[f"{place.model}.{name}"] = word
    bulk.execute("SET LOCAL session_replication_role = origin")
    return planted


NOT_PLANTED = {("customers.Customer", "ref"), ("imports.ImportRow", "message"), ("imports.ImportFile", "sentence")}


def api() -> list[str]:
    found = []

    def walk(resolver: URLResolver, path: str) -> None:
        for one in resolver.url_patterns:
            if isinstance(one, URLResolver):
                walk(one, path + str(one.pattern))
            elif isinstance(one, URLPattern) and path.startswith("/api/"):
                found.append(path + str(one.pattern))

    walk(get_resolver(), "/")
    return found


@pytest.mark.parametrize("role", ["viewer", "bookkeeper", "operator"])
def test_each_role_sees_what_the_map_says(client, foreign, role):
    _stranger, things = foreign
    planted = plant()
    assert len(planted) > 15, planted
    person = User.objects.create_user("someone", password="x")
    store = things["store"]
    StoreAccess.objects.create(user=person, store_id=store, role=role)
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    client.raise_request_exception = False
    shown: dict[str, set[str]] = {}
    asked = 0
    urls = [address(path, name, things) for path, name in PAGES if name not in OPEN and name != "logout"]
    urls += ["/api/v1" + address(path.removeprefix("/api/v1"), "", things) for path in api()]
    for url in urls:
        response = client.get(url)
        if response.status_code != 200:
            continue
        asked += 1
        text = body(response)
        for field, word in planted.items():
            if word in text:
                shown.setdefault(field, set()).add(url)
    assert asked > 40
    readers = {f"{place.model}.{name}": place.who for place in PERSONAL for name in place.fields.split()}
    leaks = {field: sorted(where) for field, where in sorted(shown.items()) if readers[field] in HIDDEN[role]}
    assert leaks == {}
    if role == "operator":
        assert {"orders.AddressVersion.name", "orders.AddressVersion.phone", "orders.Order.note", "cases.Violation.title"} <= shown.keys()
