"""Buyers' data on the console: owners only, no name in an address or a session, and nothing of foreign stores."""

import io
import json
import zipfile

import pytest
from django.contrib.sessions.models import Session

from daifa.domain.orders.models import AddressVersion, Order
from daifa.domain.people.models import User
from daifa.domain.privacy.commands import note_backup
from daifa.domain.privacy.models import BackupTaken, Erasure, Retention
from daifa.domain.stores.models import Store, StoreAccess
from tests import cast

pytestmark = pytest.mark.django_db
MAIL = "anna77@example.invalid"


@pytest.fixture
def shop():
    shop = cast.open_shop()
    cast.whole_loop(shop, ["77", "78"])
    return shop


@pytest.fixture
def as_role(client, shop):
    def sign_in(role, language="en"):
        user = User.objects.create_user(f"{role}-{language}", is_superuser=role == "root")
        if role not in ("root", "stranger"):
            StoreAccess.objects.create(user=user, store=shop.store, role=role)
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        client.cookies["django_language"] = language
        return client

    return sign_in


PAGES = ("/privacy/", "/privacy/person/", "/privacy/retention/", "/privacy/retention/answer/", "/privacy/map/")


@pytest.mark.parametrize("role", ["operator", "bookkeeper", "viewer"])
def test_only_owners_get_in(as_role, role):
    client = as_role(role)
    for page in (*PAGES, "/privacy/backups/"):
        assert client.get(page).status_code == 403, page
    for action in ("look/", "person/erase/", "person/export/", "person/hold/", "retention/answer/"):
        assert client.post(f"/privacy/{action}", {"email": MAIL}).status_code == 403
    assert not Erasure.objects.exists()


def test_look_hand_over_hold_erase(as_role, shop):
    client = as_role("owner")
    for page in PAGES:
        assert client.get(page).status_code == 200, page
    assert "Nobody has said yet" in client.get("/privacy/").content.decode()
    answer = client.post("/privacy/look/", {"name": "Anna Wood"}, follow=True).content.decode()
    assert "a name together with an order number" in answer
    response = client.post("/privacy/look/", {"email": MAIL})
    assert response.status_code == 302 and MAIL not in response["Location"]
    assert not any(MAIL in json.dumps(session.get_decoded()) for session in Session.objects.all())
    page = client.get("/privacy/person/").content.decode()
    assert "addresses of orders" in page and "Factory" in page and ">77<" in page.replace("\n", "").replace(" ", "")
    assert "Nobody has said how long" in page and MAIL not in page
    assert "Why it is theirs" in page and "the mail address asked for stands on it" in page
    handed = client.post("/privacy/person/export/")
    with zipfile.ZipFile(io.BytesIO(handed.content)) as archive:
        assert json.loads(archive.read("data.json"))["Orders"][0]["number"] == "77"
    refused = client.post("/privacy/person/erase/", follow=True).content.decode()
    assert "Nobody has said how long" in refused and not Erasure.objects.exists()

    wrong = client.post("/privacy/retention/answer/", {"data": ["contact"], "store": shop.store.pk, "at_least": 9, "at_most": 1, "source": "x"})
    assert wrong.status_code == 422 and not Retention.objects.exists()
    everything = ["contact", "letters", "papers", "disputes"]
    given = {"data": everything, "store": shop.store.pk, "country": "gb", "at_least": 0, "at_most": 10_000, "source": "our adviser"}
    assert client.post("/privacy/retention/answer/", given).status_code == 302
    assert Retention.objects.filter(store=shop.store, country="GB").count() == 4
    assert "our adviser" in client.get("/privacy/retention/").content.decode()

    client.post("/privacy/person/hold/", {"reason": "the police asked"})
    assert "the police asked" in client.get("/privacy/person/").content.decode()
    client.post("/privacy/person/erase/")
    assert not Erasure.objects.exists()
    client.post("/privacy/person/release/")
    done = client.post("/privacy/person/erase/", follow=True).content.decode()
    assert "Erased:" in done and "This person was erased on" in done
    assert AddressVersion.objects.get(order__number="77").name.startswith("erased:")
    assert AddressVersion.objects.get(order__number="78").name == "Anna Wood"
    order = client.get(f"/orders/{Order.objects.get(number='77').pk}/").content.decode()
    assert "High Street" not in order and "erased:" in order


def test_an_owner_of_another_store_finds_nobody(as_role, shop):
    from daifa.domain.stores.commands import add_store

    other = add_store(code="other", name="Other", currency="GBP", by=cast.BY, at=cast.MORNING)
    client = as_role("stranger")
    StoreAccess.objects.create(user=User.objects.get(username="stranger-en"), store=other, role="owner")
    page = client.post("/privacy/look/", {"email": MAIL}, follow=True).content.decode()
    assert "Nothing is held on this person" in page
    # A session made up by hand leads nowhere either.
    session = client.session
    session["daifa_person"] = {"orders": [Order.objects.get(number="77").pk], "customers": [], "digests": []}
    session.save()
    assert "Nothing is held on this person" in client.get("/privacy/person/").content.decode()
    client.post("/privacy/person/erase/")
    assert not Erasure.objects.exists()
    client.post("/privacy/retention/answer/", {"data": ["contact"], "store": "", "at_least": 0, "source": "x"})
    client.post("/privacy/retention/answer/", {"data": ["contact"], "store": shop.store.pk, "at_least": 0, "source": "x"})
    assert not Retention.objects.exists()
    assert client.get("/privacy/backups/").status_code == 403


def test_backups_are_the_installations_and_speak_chinese(as_role):
    note_backup(place="/backups/one.daifa", sha256="0" * 64, size=12, by=cast.BY, at=cast.MORNING)
    client = as_role("root", "zh-hans")
    assert "/backups/one.daifa" in client.get("/privacy/").content.decode()
    assert "/backups/one.daifa" in client.get("/privacy/backups/").content.decode()
    client.post("/privacy/backups/gone/", {"ids": [BackupTaken.objects.get().pk]})
    assert BackupTaken.objects.get().gone_at is not None
    for page in PAGES:
        text = client.get(page).content.decode()
        assert ("买家数据" in text) and "Buyers' data" not in text and "Buyers&#x27; data" not in text, page


def test_only_rules_of_laws_and_of_the_channels_sold_on_are_to_be_read(as_role, shop):
    client = as_role("owner")
    page = client.get("/privacy/retention/").content.decode()
    assert "cn-pi-47" in page and "xhs-privacy" not in page, "nobody here sells on Xiaohongshu"
    Store.objects.filter(pk=shop.store.pk).update(channel="xiaohongshu", kind="marketplace")
    assert "xhs-privacy-no-plaintext" in client.get("/privacy/retention/").content.decode()
