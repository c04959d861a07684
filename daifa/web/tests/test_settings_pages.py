"""Stores, people, templates, the profile, this installation: they open, hide, refuse and do what they say."""

import re
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.test import Client
from django.urls import reverse

from daifa.domain.history.commands import keep_pending
from daifa.domain.history.models import PendingReaction
from daifa.domain.messages.models import MessageTemplate
from daifa.domain.people.commands import user_of_api_token
from daifa.domain.people.models import ApiToken, User
from daifa.domain.stores.commands import NewTask, add_fee_rule, add_store, ensure_installation, open_tasks
from daifa.domain.stores.models import FeeRule, Installation, Store, StoreAccess, Task
from daifa.flows import sample_shop
from daifa.lib import clock

ROLES = ("owner", "operator", "bookkeeper", "viewer")
BY = "user:1"


@pytest.fixture
def house(db):
    """Two stores; people in every role of the first, the owner of the second, and the owner of the installation."""
    at = clock.now()
    ensure_installation(at)
    gifts = add_store(code="gifts", name="Example Gifts", currency="GBP", kind="own_site", timezone="Europe/London", by=BY, at=at)
    other = add_store(code="other", name="Other shop", currency="CNY", language="zh-hans", by=BY, at=at)
    add_fee_rule(store_id=gifts.pk, name="card", percent="2.9", fixed="0.30", valid_from=at.date(), by=BY, at=at)
    people = {role: User.objects.create_user(role) for role in ROLES}
    StoreAccess.objects.bulk_create(StoreAccess(user=user, store=gifts, role=role) for role, user in people.items())
    neighbour = User.objects.create_user("neighbour")
    StoreAccess.objects.create(user=neighbour, store=other, role="owner")
    return SimpleNamespace(gifts=gifts, other=other, people=people, neighbour=neighbour, root=User.objects.create_superuser("root"))


def pages_of(house) -> dict[str, str]:
    """Address → what one needs in the first store to open it; "root" = to own the installation."""
    fee = FeeRule.objects.get()
    return {
        reverse("web:stores"): "view",
        reverse("web:store", args=[house.gifts.pk]): "view",
        reverse("web:fee", args=[fee.pk]): "view",
        reverse("web:templates"): "view",
        reverse("web:template", args=[str(house.gifts.pk), "dispatched", "zh"]): "view",
        reverse("web:template", args=["all", "dispatched", "en"]): "view",
        reverse("web:profile"): "view",
        reverse("web:token_add"): "view",
        reverse("web:fee_add", args=[house.gifts.pk]): "books",
        reverse("web:store_edit", args=[house.gifts.pk]): "own",
        reverse("web:people"): "own",
        reverse("web:person", args=[house.people["viewer"].pk]): "own",
        reverse("web:person_roles", args=[house.people["viewer"].pk]): "own",
        reverse("web:person_add"): "own",
        reverse("web:access_add"): "own",
        reverse("web:store_add"): "root",
        reverse("web:installation"): "root",
        reverse("web:reactions"): "root",
    }


MAY = {"owner": {"view", "books", "own"}, "operator": {"view"}, "bookkeeper": {"view", "books"}, "viewer": {"view"}}


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("role", [*ROLES, "root"])
def test_pages_open_for_who_may(house, as_, role, language):
    client = as_(house.root if role == "root" else house.people[role], language)
    for url, need in pages_of(house).items():
        allowed = role == "root" or need in MAY[role]
        assert client.get(url).status_code == (200 if allowed else 403), url


def test_a_stranger_finds_nothing(house, as_):
    client = as_(house.neighbour)
    gifts, viewer = house.gifts.pk, house.people["viewer"].pk
    for url in (
        reverse("web:store", args=[gifts]), reverse("web:store_edit", args=[gifts]), reverse("web:fee_add", args=[gifts]),
        reverse("web:fee", args=[FeeRule.objects.get().pk]), reverse("web:template", args=[str(gifts), "dispatched", "en"]),
        reverse("web:person", args=[viewer]), reverse("web:person_roles", args=[viewer]),
    ):  # fmt: skip
        assert client.get(url).status_code == 404, url
    for url in (
        reverse("web:fee_remove", args=[FeeRule.objects.get().pk]),
        reverse("web:template_preview", args=[str(gifts), "dispatched", "en"]),
        reverse("web:template_drop", args=[str(gifts), "dispatched", "en"]),
    ):
        assert client.post(url).status_code == 404, url
    assert client.get(reverse("web:templates") + f"?store={gifts}").status_code == 404
    for name in ("stores", "people", "templates"):
        text = client.get(reverse(f"web:{name}")).content.decode()
        assert "Example Gifts" not in text and reverse("web:person", args=[viewer]) not in text, name
    assert FeeRule.objects.count() == 1


def test_nobody_gets_in_without_login(house, client):
    for url in pages_of(house):
        answer = client.get(url)
        assert answer.status_code == 302 and "/account/login/" in answer["Location"], url


# --- Stores -------------------------------------------------------------------------------------------------------

STORE = {
    "code": "third", "name": "Third", "kind": "manual", "currency": "EUR", "timezone": "Europe/Paris", "language": "en", "country": "FR",
    "channel": "shopify", "reply_to": "", "dispatch_hours": 24, "transit_days": 10, "lost_days": 30, "margin_floor": "5", "stock_buffer": 0,
    "revenue_at": "delivered", "messages_allowed": "on", "message_cap": 8,
}  # fmt: skip


def test_a_store_is_added_and_edited(house, as_):
    client = as_(house.root)
    url = reverse("web:store_add")
    for wrong, words in (({"currency": "XXZ"}, "no currency code"), ({"timezone": "Mars/Base"}, "no time zone"), ({"code": "gifts"}, "already")):
        answer = client.post(url, {**STORE, **wrong})
        assert answer.status_code == 422 and words in answer.content.decode()
    client.post(url, STORE)
    store = Store.objects.get(code="third")
    assert (store.revenue_at, store.messages_allowed, store.review_invitations, store.margin_floor) == ("delivered", True, False, 5)
    changed = {key: value for key, value in STORE.items() if key not in ("code", "messages_allowed")}
    client.post(reverse("web:store_edit", args=[store.pk]), {**changed, "dispatch_hours": 72, "review_invitations": "on"})
    store.refresh_from_db()
    assert (store.dispatch_hours, store.messages_allowed, store.review_invitations) == (72, False, True)


def test_fees_belong_to_who_keeps_the_books(house, as_):
    url = reverse("web:fee_add", args=[house.gifts.pk])
    given = {"name": "channel", "percent": "15", "fixed": "0", "valid_from": "2026-01-01", "refunded_on_refund": "on"}
    assert as_(house.people["operator"]).post(url, given).status_code == 403
    client = as_(house.people["bookkeeper"])
    client.post(url, given)
    fee = FeeRule.objects.get(name="channel")
    assert (fee.percent, fee.refunded_on_refund, fee.store) == (Decimal(15), True, house.gifts)
    answer = client.post(reverse("web:fee_remove", args=[fee.pk]))
    assert answer["Location"] == reverse("web:store", args=[house.gifts.pk]) and not FeeRule.objects.filter(pk=fee.pk).exists()


# --- People -------------------------------------------------------------------------------------------------------


def secret_of(answer) -> str:
    found = re.search(r'<textarea id="secret"[^>]*>([^<]+)</textarea>', answer.content.decode())
    assert found, "nothing was shown"
    return found[1]


def test_a_person_is_added_and_comes_in_by_the_link_once(house, as_):
    client = as_(house.people["owner"])
    given = {"username": "mei", "email": "mei@example.invalid", "language": "zh-hans", "store": house.gifts.pk, "role": "operator"}
    answer = client.post(reverse("web:person_add"), given)
    link = secret_of(answer)
    assert answer["Cache-Control"] == "no-store" and "/login/once/" in link
    mei = User.objects.get(username="mei")
    assert mei.store_access.get().role == "operator" and not mei.has_usable_password()
    assert not any(link.rsplit("/", 2)[1] in str(value) for value in client.session.values())
    visitor = Client()
    path = "/" + link.split("/", 3)[3]
    assert visitor.post(path).status_code == 302 and visitor.get(reverse("web:profile")).status_code == 200
    assert reverse("account_set_password") in visitor.get(reverse("web:profile")).content.decode()
    assert Client().post(path).status_code == 403
    assert client.post(reverse("web:person_add"), given).status_code == 422  # the name is taken


def test_an_owner_gives_only_what_is_hers(house, as_):
    client = as_(house.people["owner"])
    foreign = {"username": "spy", "store": house.other.pk, "role": "owner"}
    assert client.post(reverse("web:person_add"), foreign).status_code == 422
    assert not User.objects.filter(username="spy").exists()
    access = reverse("web:access_add")
    assert client.post(access, {"who": "neighbour", "store": house.other.pk, "role": "viewer"}).status_code == 422
    assert client.post(access, {"who": "nobody", "store": house.gifts.pk, "role": "viewer"}).status_code == 422
    client.post(access, {"who": "neighbour", "store": house.gifts.pk, "role": "viewer"})
    assert StoreAccess.objects.get(user=house.neighbour, store=house.gifts).role == "viewer"
    assert StoreAccess.objects.get(user=house.neighbour, store=house.other).role == "owner"


def test_roles_are_changed_and_a_store_keeps_an_owner(house, as_):
    client = as_(house.people["owner"])
    viewer = house.people["viewer"]
    client.post(reverse("web:person_roles", args=[viewer.pk]), {f"store{house.gifts.pk}": "bookkeeper"})
    assert viewer.store_access.get().role == "bookkeeper"
    client.post(reverse("web:person_roles", args=[viewer.pk]), {f"store{house.gifts.pk}": ""})
    assert not viewer.store_access.exists()
    User.objects.filter(is_superuser=True).update(is_active=False)
    answer = client.post(reverse("web:person_roles", args=[house.people["owner"].pk]), {f"store{house.gifts.pk}": "viewer"})
    assert answer.status_code == 422 and "needs an owner" in answer.content.decode()
    assert house.people["owner"].store_access.get().role == "owner"


def test_only_the_owner_of_the_installation_switches_people_off_and_makes_links(house, as_):
    viewer = house.people["viewer"]
    switch, link = reverse("web:person_switch", args=[viewer.pk]), reverse("web:person_link", args=[viewer.pk])
    client = as_(house.people["owner"])
    assert client.post(switch).status_code == 403 and client.post(link).status_code == 403
    client = as_(house.root)
    assert "/login/once/" in secret_of(client.post(link))
    client.post(switch)
    viewer.refresh_from_db()
    assert not viewer.is_active
    assert "switched off" in client.post(link, follow=True).content.decode()
    client.post(switch, {"is_active": "1"})
    viewer.refresh_from_db()
    assert viewer.is_active
    client.post(reverse("web:person_switch", args=[house.root.pk]))
    house.root.refresh_from_db()
    assert house.root.is_active


def test_a_token_is_shown_once_and_revoked(house, as_):
    viewer = house.people["viewer"]
    client = as_(viewer)
    token = secret_of(client.post(reverse("web:token_add"), {"name": "till", "days": "30"}))
    row = ApiToken.objects.get()
    assert row.user == viewer and row.expires_at - row.created_at == timedelta(days=30)
    assert user_of_api_token(token=token, at=clock.now()) == viewer
    assert token not in client.get(reverse("web:profile")).content.decode()
    assert as_(house.root).get(reverse("web:token", args=[row.pk])).status_code == 404  # somebody else's
    assert as_(house.root).post(reverse("web:token_revoke", args=[row.pk])).status_code == 404
    as_(viewer).post(reverse("web:token_revoke", args=[row.pk]))
    assert user_of_api_token(token=token, at=clock.now()) is None


# --- Templates ----------------------------------------------------------------------------------------------------


def test_a_template_is_previewed_saved_and_dropped(house, as_):
    where = [str(house.gifts.pk), "dispatched", "en"]
    url, preview, drop = (reverse(f"web:{name}", args=where) for name in ("template", "template_preview", "template_drop"))
    client = as_(house.people["owner"])
    shown = client.post(preview, {"subject": "Off it goes: {{ order_number }}", "body": "Dear {{ buyer_name }},\n<b>bye</b>"}).content.decode()
    assert "Off it goes: E-10042" in shown and "Dear Alex Example" in shown and "&lt;b&gt;" in shown and 'id="preview"' in shown
    wrong = client.post(preview, {"subject": "x", "body": "{{ password }}"}).content.decode()
    assert "There is no placeholder {{ password }}" in wrong
    refused = client.post(url, {"subject": "x", "body": "{{ password }}"})
    assert refused.status_code == 422 and not MessageTemplate.objects.exists()
    client.post(url, {"subject": "Gone", "body": "Number {{ number }}"})
    template = MessageTemplate.objects.get()
    assert (template.store, template.kind, template.language, template.subject) == (house.gifts, "dispatched", "en", "Gone")
    page = client.get(url).content.decode()
    assert "Number LX123456785CN" in page and "中文" in page  # both languages stand beside the form
    for role in ("operator", "viewer"):
        assert as_(house.people[role]).post(url, {"subject": "Mine", "body": "x"}).status_code == 403
        assert as_(house.people[role]).post(drop).status_code == 403
    as_(house.people["owner"]).post(drop)
    assert not MessageTemplate.objects.exists()


def test_common_words_need_the_right_in_every_store(house, as_):
    url = reverse("web:template", args=["all", "review", "zh"])
    assert as_(house.people["owner"]).post(url, {"subject": "评价", "body": "请评价"}).status_code == 403
    as_(house.root).post(url, {"subject": "评价", "body": "请评价"})
    assert MessageTemplate.objects.get().store is None


@pytest.mark.parametrize("where", [["nowhere", "dispatched", "en"], ["all", "birthday", "en"], ["all", "dispatched", "fr"]])
def test_templates_that_do_not_exist(house, as_, where):
    assert as_(house.root).get(reverse("web:template", args=where)).status_code == 404


# --- This installation --------------------------------------------------------------------------------------------


def test_only_its_owner_acts_on_the_installation(house, as_):
    client = as_(house.people["owner"])
    for name in ("installation_read_back", "installation_release", "sample_remove", "reactions_retry"):
        assert client.post(reverse(f"web:{name}")).status_code == 403, name
    assert reverse("web:installation") not in client.get(reverse("web:stores")).content.decode()
    assert reverse("web:installation") in as_(house.root).get(reverse("web:stores")).content.decode()


def test_a_quarantined_copy_is_asked_about_and_released(house, as_):
    Installation.objects.update(quarantined_at=clock.now(), backup_taken_at=clock.now() - timedelta(days=1))
    client = as_(house.root)
    assert "This copy is quarantined" in client.get(reverse("web:installation")).content.decode()
    early = client.post(reverse("web:installation_release"), follow=True).content.decode()
    assert "Ask the suppliers first" in early and Installation.objects.get().released_at is None
    client.post(reverse("web:installation_read_back"))
    client.post(reverse("web:installation_release"))
    assert Installation.objects.get().released_by == f"user:{house.root.pk}"
    assert "This copy is quarantined" not in client.get(reverse("web:installation")).content.decode()


def test_parked_steps_are_tried_again(house, as_):
    keep_pending("post_orders", {7: "ValueError: no rate"}, state="parked", at=clock.now())
    open_tasks([NewTask(kind="reaction_parked", thing_kind="post_orders", thing=7)], at=clock.now())
    client = as_(house.root)
    assert "no rate" in client.get(reverse("web:reactions") + "?state=parked").content.decode()
    row = PendingReaction.objects.get()
    client.post(reverse("web:reactions_retry"), {"ids": row.pk})
    row.refresh_from_db()
    assert row.state == "pending" and not Task.objects.filter(closed_at=None).exists()
    again = client.post(reverse("web:reactions_retry"), {"ids": row.pk}, follow=True)
    assert "None of them waits" in again.content.decode()


def test_the_sample_shop_goes_with_one_button(house, as_):
    at = clock.now()
    add_store(code="sample-x", name="Sample x", currency="GBP", is_sample=True, by=BY, at=at)
    client = as_(house.root)
    assert "Remove the sample shop" in client.get(reverse("web:installation")).content.decode()
    client.post(reverse("web:sample_remove"))
    assert not sample_shop.has_sample_shop() and Store.objects.filter(code="gifts").exists()
    assert "Remove the sample shop" not in client.get(reverse("web:installation")).content.decode()
