"""The pages of clocks and of store health, in both languages; who may say how a store ships."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from daifa.domain.catalog.models import Product, Variant
from daifa.domain.compliance.commands import set_dispatch_mode
from daifa.domain.compliance.models import Clock, DispatchMode, MetricDay
from daifa.domain.compliance.queries import near_lines
from daifa.domain.people.models import User
from daifa.domain.stores.models import Store, StoreAccess
from daifa.flows.keep_clocks import keep_clocks, keep_metrics
from daifa.lib import clock
from tests import bought_orders

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    """A store on Xiaohongshu with twelve orders that fall due in nine hours, and one that is late."""
    at = clock.now()
    row = bought_orders.store("red", channel="xiaohongshu", kind="marketplace", country="CN", currency="CNY", timezone="Asia/Shanghai")
    for hours in (39,) * 12 + (50,):
        paid = at - timedelta(hours=hours)
        bought_orders.order(row, [("goods", 1, "790.10")], placed_at=paid, paid_at=paid, currency="CNY")
    keep_clocks(at=at)
    keep_metrics(at=at)
    return row


@pytest.fixture
def enter(client, shop):
    def as_role(role: str, language: str = "en"):
        user = User.objects.create_user(f"{role}-{language}", language=language)
        StoreAccess.objects.create(user=user, store=shop, role=role)
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        client.cookies["django_language"] = language
        return client

    return as_role


def body(response, status: int = 200) -> str:
    assert response.status_code == status
    return response.content.decode()


def test_the_list_says_what_runs_out_and_what_it_costs(enter, shop):
    page = body(enter("viewer").get(reverse("web:clocks")))
    assert "Nobody has said how Example Gifts ships" in page
    assert "CN¥104.00" in page, "eight yuan for each of thirteen"
    assert "the strictest time that can apply is taken" in page
    page = body(enter("operator", "zh-hans").get(reverse("web:clocks") + "?state=overdue&sort=stake"))
    assert "已超时" in page and "发货" in page
    assert f'<a href="{reverse("web:rule", args=["xhs-ship-spot-domestic"])}" class="">按超期发货赔付消费者' in page, "the title leads"
    assert '<div class="text-secondary small"><span class="code">xhs-ship-spot-domestic</span></div>' in page, "the id is the hint"
    answer = enter("owner").get(reverse("web:clocks") + "?format=csv")
    exported = b"".join(answer.streaming_content).decode()
    assert exported.count("counts in the late rate (xhs-ship-spot-domestic)") == 13, "files keep the id"


def test_the_page_of_an_order_shows_its_clocks(enter, shop):
    late = Clock.objects.filter(store=shop, state="overdue").first()
    page = body(enter("viewer").get(reverse("web:order", args=[late.order_id])))
    assert "Clocks" in page and "CN¥8.00" in page
    assert f'<a href="{reverse("web:rule", args=["xhs-ship-spot-domestic"])}" class="">Late-dispatch compensation to the buyer' in page
    assert '<span class="code">xhs-ship-spot-domestic</span>' in page


def test_health_shows_lines_what_breaks_next_and_what_cannot_be_measured(enter, shop):
    page = body(enter("viewer").get(reverse("web:store_health_of", args=[shop.pk])))
    assert "What breaks next" in page and "late dispatch" in page
    assert "Conversations with buyers are not in daifa" in page
    assert "店铺" in body(enter("operator", "zh-hans").get(reverse("web:store_health")))
    assert MetricDay.objects.filter(store=shop, rule="xhs-rate-late-day").get().breaks_at is not None


def test_rules_are_read_once_for_a_whole_table(enter, shop):
    client = enter("viewer")
    url = reverse("web:clocks")
    body(client.get(url))

    def statements(address: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            body(client.get(address))
        return len(asked)

    assert statements(url) == statements(url + "?q=" + Clock.objects.filter(store=shop).first().order.number)


def test_days_and_moments_of_health_are_those_of_the_store(enter, shop):
    midnight = {(one.since.hour, one.since.utcoffset()) for one in near_lines([shop.pk], at=clock.now())}
    assert midnight == {(0, timedelta(hours=8))}, "the day of Shanghai"
    Store.objects.filter(pk=shop.pk).update(channel="shopify", kind="own_site", timezone="America/New_York")
    moment = datetime(2026, 3, 2, 2, 30, tzinfo=UTC)
    MetricDay.objects.filter(store=shop).update(breaks_at=moment, day=date(2026, 3, 1))
    with clock.moved_to(moment - timedelta(hours=2)):
        page = body(enter("viewer").get(reverse("web:store_health")))
    assert re.search(r'<time datetime="2026-03-02T02:30:00\+00:00" title="[^"]*21:30', page), "the clock of New York"


def test_only_the_owner_says_how_it_ships_and_the_clocks_follow(enter, shop):
    url = reverse("web:clocks_dispatch", args=[shop.pk])
    said = {"mode": "bonded", "hours": "", "origin": "浙江", "skus": ""}
    assert enter("operator").post(url, said).status_code == 403
    owner = enter("owner")
    assert owner.post(url, said).status_code == 302
    assert not Clock.objects.filter(state="overdue").exists(), "72 hours now"
    assert set(Clock.objects.values_list("rule", "stake")) == {("xhs-ship-spot-bonded", Decimal(24))}
    assert "浙江" in body(owner.get(url))
    assert "No article is known under NOPE." in body(owner.post(url, {**said, "skus": "NOPE"}), 422)
    assert "is no province of China" in body(owner.post(url, {**said, "origin": "Mars"}), 422)
    assert "need the hours you promise" in body(owner.post(url, {**said, "mode": "promised"}), 422)
    product = Product.objects.create(handle="milk", title="Milk", created_at=clock.now())
    Variant.objects.create(product=product, sku="MILK", created_at=clock.now())
    assert owner.post(url, {**said, "mode": "direct", "skus": "MILK"}).status_code == 302
    assert DispatchMode.objects.get(variant__sku="MILK").mode == "direct"


def test_an_operator_has_it_counted_again_a_viewer_not(enter, shop):
    url = reverse("web:store_health_count", args=[shop.pk])
    assert enter("viewer").post(url).status_code == 403
    assert enter("operator").post(url).status_code == 302
    assert enter("owner").post(reverse("web:clocks_reckon")).status_code == 302


def test_today_leads_there(enter, shop):
    page = body(enter("owner").get(reverse("web:today")))
    assert "1 clock has run out: dispatch" in page
    assert reverse("web:store_health_of", args=[shop.pk]) in page


def test_one_click_of_the_owner_lets_an_undated_line_act(enter, client):
    at = clock.now()
    row = bought_orders.store("az", channel="amazon", kind="marketplace", country="US", currency="USD")
    for hours in (50,) * 30:
        paid = at - timedelta(hours=hours)
        bought_orders.order(row, [("goods", 1, "20.00")], placed_at=paid, paid_at=paid, ship_by_at=paid + timedelta(hours=24))
    keep_clocks(at=at)
    keep_metrics(at=at)
    assert near_lines([row.pk], at=at) == []
    url = reverse("web:store_health_confirm", args=[row.pk])
    for role in ("operator", "owner"):
        user = User.objects.create_user(f"az-{role}")
        StoreAccess.objects.create(user=user, store=row, role=role)
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        page = body(client.get(reverse("web:store_health_of", args=[row.pk])))
        assert "Lines that wait for your word" in page and "late shipment (from 4 % on · 10 days)</button>" in page
        assert client.post(url, {"rules": "amz-late-10,amz-late-30"}).status_code == (403 if role == "operator" else 302)
    assert {one.rule: one.level for one in near_lines([row.pk], at=clock.now())} == {"amz-late-10": 100, "amz-late-30": 100}
    page = body(client.get(reverse("web:store_health_of", args=[row.pk])))
    assert "late shipment (from 4 % on · 10 days)</button>" not in page and 'value="amz-cancel"' in page
    assert client.post(url, {"rules": "nonsense"}).status_code == 302
    other = bought_orders.store("az2", channel="amazon", kind="marketplace", country="US", currency="USD")
    assert client.post(reverse("web:store_health_confirm", args=[other.pk]), {"rules": "amz-late-10"}).status_code == 404


def test_money_at_stake_says_what_it_is_made_of(enter, shop):
    set_dispatch_mode(store_id=shop.pk, mode="spot", by="user:1", at=clock.now())
    keep_clocks(at=clock.now())
    assert "1 %, at least CN¥3.00, at most CN¥30.00" in body(enter("viewer").get(reverse("web:clocks")))


def test_a_store_without_anything_to_count_is_not_said_to_be_in_order(enter, shop):
    empty = bought_orders.store("empty", channel="amazon", kind="marketplace", country="US", currency="USD")
    keep_metrics(at=clock.now(), stores=[empty.pk])
    client = enter("owner", "zh-hans")
    StoreAccess.objects.get_or_create(store=empty, user=User.objects.get(), defaults={"role": "owner"})
    page = body(client.get(reverse("web:store_health")))
    assert "暂无数据" in page and "平台红线" in page and "商品行" not in page
