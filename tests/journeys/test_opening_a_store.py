"""A store is opened by its doors: a slip in the channel's name is no new channel."""

import pytest
from django.urls import reverse

from daifa.config import home
from daifa.domain.stores.models import Store
from daifa.flows import open_store
from daifa.lib import clock
from daifa.lib.refusal import Refused


@pytest.mark.parametrize(
    ("kind", "channel", "meant"),
    [
        ("marketplace", "xiaohongsu", "xiaohongshu"), ("marketplace", "Shoppee", "shopee"), ("marketplace", "tik-tok", "tiktok_shop"),
        ("marketplace", "xiaohongshu", ""), ("marketplace", "RED", ""), ("marketplace", "etsy", ""), ("own_site", "xiaohongsu", ""),
    ],
)  # fmt: skip
@pytest.mark.django_db
def test_channels_and_slips(kind, channel, meant):
    assert open_store.meant_channel(kind, channel) == meant


@pytest.mark.django_db
def test_a_misspelt_channel_is_refused_at_every_door(client, django_user_model):
    facts = {"code": "red", "name": "Red", "currency": "CNY", "kind": "marketplace", "channel": "xiaohongsu"}
    with pytest.raises(Refused, match="xiaohongshu"):
        open_store.add_store(**facts, by="user:1", at=clock.now())
    client.force_login(django_user_model.objects.create_superuser("owner@example.invalid", password="x"))
    form = {
        **facts, "timezone": "Asia/Shanghai", "language": "zh-hans", "country": "CN", "dispatch_hours": 48, "transit_days": 14,
        "lost_days": 30, "margin_floor": 0, "stock_buffer": 0, "revenue_at": "handed_over", "message_cap": 8,
    }  # fmt: skip
    assert client.post(reverse("web:store_add"), form).status_code == 422, "no such choice"
    assert client.post(reverse("web:store_add"), {**form, "channel": "manual"}).status_code == 422, "a marketplace is one of them"
    assert not Store.objects.exists()
    client.post(reverse("web:store_add"), {**form, "channel": "xiaohongshu"})
    store = Store.objects.get()
    assert store.channel == "xiaohongshu"
    with pytest.raises(Refused):
        open_store.edit_store(store=store, channel="xiaohongshuu", by="user:1", at=clock.now())


def test_addresses_lead_to_where_it_was_started(monkeypatch, tmp_path):
    monkeypatch.setenv("DAIFA_HOME", str(tmp_path))
    monkeypatch.delenv("DAIFA_BASE_URL", raising=False)
    assert home.base_url() == "http://127.0.0.1:8000"
    home.remember_base_url("http://127.0.0.1:8471/")
    assert home.base_url() == "http://127.0.0.1:8471"
    monkeypatch.setenv("DAIFA_BASE_URL", "https://shop.example.org")
    assert home.base_url() == "https://shop.example.org"
