"""The pages of announcements and of what a buyer agreed to."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone

from daifa.domain.compliance.commands import set_dispatch_mode
from daifa.domain.compliance.models import AgreedDispatch, Announcement, Clock
from daifa.domain.people.models import User
from daifa.domain.stores.models import StoreAccess
from daifa.flows.keep_clocks import keep_clocks
from daifa.lib import clock
from tests import bought_orders

pytestmark = pytest.mark.django_db


@pytest.fixture
def order():
    at = clock.now()
    shop = bought_orders.store("red", channel="xiaohongshu", kind="marketplace", country="CN", currency="CNY", timezone="Asia/Shanghai")
    set_dispatch_mode(store_id=shop.pk, mode="spot", by="user:1", at=at)
    paid = at - timedelta(hours=10)
    row = bought_orders.order(shop, [("goods", 1, "790.10")], placed_at=paid, paid_at=paid, currency="CNY")
    keep_clocks(at=at)
    return row


@pytest.fixture
def enter(client, order):
    def as_role(role: str, language: str = "en"):
        user = User.objects.create_user(f"{role}-{language}", language=language)
        StoreAccess.objects.create(user=user, store=order.store, role=role)
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        client.cookies["django_language"] = language
        return client

    return as_role


def body(response, status: int = 200) -> str:
    assert response.status_code == status
    return response.content.decode()


def test_an_owner_enters_what_was_announced_and_the_clock_says_so(enter, order):
    today = clock.now().date()
    said = {
        "holds_for": f"store:{order.store_id}", "title": "Storm in the east", "source": "https://example.com/notice", "effect": "extend",
        "groups": ["dispatch"], "first": str(today - timedelta(days=2)), "last": str(today + timedelta(days=2)), "hours": "96", "side": "either",
        "goes_by": "start", "leaves_out": "", "regions": "",
    }  # fmt: skip
    add = reverse("web:announcement_add")
    assert enter("operator").post(add, said).status_code == 403
    owner = enter("owner")
    assert "It holds for" in body(owner.get(add))
    assert "no region that is known here" in body(owner.post(add, {**said, "regions": "Atlantis"}), 422)
    assert "needs its hours" in body(owner.post(add, {**said, "hours": ""}), 422)
    assert owner.post(add, said).status_code == 302
    row = Announcement.objects.get()
    one = Clock.objects.get(kind="dispatch")
    assert (one.due_at - one.started_at, one.why) == (timedelta(hours=96), f"announced:{row.pk}")
    page = body(owner.get(reverse("web:clocks") + f"?moved={row.pk}"))
    assert "Moved by what the platform announced: Storm in the east" in page
    assert "https://example.com/notice" in body(owner.get(reverse("web:announcement", args=[row.pk])))
    assert "Storm in the east" in body(owner.get(reverse("web:announcements")))
    assert "平台公告" in body(enter("viewer", "zh-hans").get(reverse("web:announcements")))
    owner = enter("owner", "zh-hans")
    assert owner.post(reverse("web:announcement_withdraw", args=[row.pk])).status_code == 302
    assert Clock.objects.get(kind="dispatch").why == ""


def test_what_a_buyer_agreed_to_stands_with_the_order(enter, order):
    url = reverse("web:order_agreed", args=[order.pk])
    local = timezone.localtime(clock.now(), timezone=ZoneInfo("Asia/Shanghai"))
    said = {
        "until": (local + timedelta(days=5)).strftime("%Y-%m-%dT%H:%M"), "agreed_at": (local - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M"),
        "proof": "chat", "said": "no hurry",
    }  # fmt: skip
    assert enter("viewer").post(url, said).status_code == 403
    operator = enter("operator")
    assert "agrees to a later dispatch" in body(operator.get(reverse("web:order", args=[order.pk])))
    assert "after the agreement" in body(operator.post(url, {**said, "until": said["agreed_at"]}), 422)
    assert operator.post(url, said).status_code == 302
    assert Clock.objects.get(kind="dispatch").why == "agreed"
    assert "no hurry" in body(operator.get(url))
    assert "The buyer agreed to a later dispatch" in body(operator.get(reverse("web:order", args=[order.pk])))
    assert operator.post(reverse("web:order_agreed_withdraw", args=[order.pk])).status_code == 302
    assert Clock.objects.get(kind="dispatch").why == "" and AgreedDispatch.objects.get().withdrawn_at


def test_a_presale_is_said_on_the_page(enter, order):
    owner = enter("owner")
    url = reverse("web:clocks_dispatch", args=[order.store_id])
    said = {"mode": "presale", "hours": "", "origin": "", "skus": "", "ships_on": ""}
    assert "needs the day" in body(owner.post(url, said), 422)
    day = str(clock.now().date() + timedelta(days=20))
    assert owner.post(url, {**said, "ships_on": day}).status_code == 302
    assert Clock.objects.get(kind="dispatch").why == "presale"
    assert day in body(owner.get(url))
