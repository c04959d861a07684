"""Nothing in the product helps to hide or evade: each refusal of docs/refusals.md is asked for, and its sentence read.

They are code. The owner's word about a rule, however far it goes, opens none of them; the last test tries.
"""

from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest

from daifa.domain.closing.models import Closing
from daifa.domain.messages.commands import Words as TemplateWords
from daifa.domain.messages.commands import save_templates
from daifa.domain.messages.rules import Facts, why_not
from daifa.domain.policy import queries, words
from daifa.domain.policy.commands import NewOverride, override_rules
from daifa.domain.policy.models import OwnWord
from daifa.domain.policy.refusals import REFUSALS
from daifa.domain.shipping.models import DispatchNotice
from daifa.domain.sourcing.rules import may_serve
from daifa.domain.stores.commands import add_store
from daifa.flows import close_store
from daifa.lib.refusal import Refused
from tests.house import printed

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
TODAY = AT.date()


def agreement(**terms):
    """One that has everything a marketplace asks for, but for `terms`."""
    whole = {
        "supplier_id": 1, "store_id": 1, "valid_from": date(2026, 1, 1), "valid_until": None, "is_authorised": True,
        "neutral_packing": True, "no_cards": True, "platform_waybill": True, "stock_secured": True, "returns_to": "Yiwu, 1 Factory Rd",
        "entrusted_on": date(2026, 1, 1),
    }  # fmt: skip
    return SimpleNamespace(**{**whole, **terms})


def asked(channel="xiaohongshu", kind="marketplace", source="trade", **terms):
    store = SimpleNamespace(id=1, kind=kind, channel=channel, is_sample=False)
    supplier = SimpleNamespace(id=1, name="Factory", state="active", source=source, is_sample=False)
    return may_serve(store, supplier, [agreement(**terms)], TODAY, channel_rules=queries.rules(channel, on=TODAY))


def test_the_list_is_that_of_the_design_and_stands_on_rules_that_exist():
    assert [one.code for one in REFUSALS] == ["hide_origin", "consumer_platform", "off_platform", "three_days"]
    rules = queries.books.shipped_book().rules
    for one in REFUSALS:
        for said in (one.asked, one.why_not, one.instead):
            assert said.zh and said.en
        assert set(one.rests_on) <= set(rules), one.code
        for place in one.places:
            module, _, name = place.rpartition(".")
            assert getattr(import_module(module), name), place


# --- Hide the origin of a parcel --------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("term", "said"),
    [
        ({"platform_waybill": False}, "the platform's own e-waybill"), ({"neutral_packing": False}, "neutral packing"),
        ({"no_cards": False}, "nobody's cards or leaflets"),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)  # fmt: skip
def test_a_parcel_is_not_hidden_but_agreed_on(term, said):
    assert not asked()
    refused = asked(**term)
    assert refused and said in refused.sentence


def test_what_the_channel_is_told_is_the_number_on_the_parcel():
    """A dispatch notice has no number of its own: only the version of the parcel's."""
    assert {field.name for field in DispatchNotice._meta.get_fields()}.isdisjoint({"number", "tracking", "waybill", "carrier", "origin"})


def test_nothing_in_the_code_is_named_after_hiding():
    """A setting, option or function that hid an origin would have to be called something."""
    files = [path for path in (printed.ROOT / "daifa").rglob("*.py") if "tests" not in path.parts and path.name != "refusals.py"]
    hiding = (
        "hide_origin", "hide_source", "hide_parcel", "hide_waybill", "spoof", "disguise", "relabel", "fake_track", "fake_dispatch",
        "virtual_track", "evade", "bypass_rule", "anti_detect", "proxy_pool", "captcha_solv",
    )  # fmt: skip
    found = {name for name in printed.names_in(files) if any(word in name.lower() for word in hiding)}
    assert not found - set(queries.books.metrics())  # rules speak of what they forbid


# --- Buy on a consumer platform with the buyer's address --------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["marketplace", "own_site", "manual"])
def test_nobody_buys_on_a_consumer_platform(kind):
    refused = asked(kind=kind, source="consumer_platform")
    assert refused == "consumer_platform"
    assert "buying there with a buyer's address is not done here" in refused.sentence


# --- Pull buyers off the platform -------------------------------------------------------------------------------


def test_buyers_of_a_marketplace_get_no_direct_mail():
    facts = Facts("marketplace", True, True, False, 1, 0, 0, "anna@example.com", AT, has_consent=True)
    assert why_not("dispatched", facts, AT) == "marketplace"


@pytest.mark.django_db
@pytest.mark.parametrize("shared", [False, True], ids=["one store", "all stores"])
@pytest.mark.parametrize(
    "text",
    [
        "请加微信 abc123", "扫 码 添 加客服领红包", "五星好评返现，加 Ｖ", "進群領優惠，掃碼添加", "Add our WeChat abc123 for 5 GBP cash back",
        "Scan the QR code in the parcel, contact us at +86 138 1234 5678", "leave a 5 star review and get 3 USD", "ＷｅＣｈａｔ：abc",
        "text me on WhatsApp +44 7700 900123", "order at www.example.com next time", "We refund you outside the platform", "加 wechat abc123",
        "A $5 gift card for your review", "Change your review and we refund 5 GBP",
    ],
)  # fmt: skip
def test_no_template_leads_buyers_away(text, shared):
    store = add_store(code="x", name="X", currency="CNY", channel="xiaohongshu", kind="marketplace", by="user:1", at=AT)
    OwnWord.objects.bulk_create(  # the owner allows everything
        OwnWord(term=one.term, severity="allow", reason="I say so", by="user:1", at=AT) for one in words.shipped().terms
    )
    saved = save_templates([TemplateWords(None if shared else store.pk, "dispatched", "zh", "已发货", text)], by="user:1", at=AT)
    assert not saved.ids and "must not be told to buyers" in saved.refused[0][0]


# --- Close in three days ----------------------------------------------------------------------------------------


@pytest.fixture
def shop(db):
    return add_store(
        code="xhs", name="X", currency="CNY", channel="xiaohongshu", kind="marketplace", country="CN", by="user:1", at=AT - timedelta(days=200)
    )


def close_in_three_days(store) -> str:
    with pytest.raises(Refused) as refused:
        close_store.start(
            store_id=store.pk, scenario="choice", reason="enough", wished_on=TODAY + timedelta(days=3), by="user:1", at=AT
        )  # fmt: skip
    assert not Closing.objects.filter(store_id=store.pk).exists()
    return refused.value.sentence


def test_nobody_closes_in_three_days(shop):
    assert "the law asks for 30 days of public notice" in close_in_three_days(shop)


# --- No word of the owner opens them ----------------------------------------------------------------------------


def test_no_override_opens_what_is_refused(shop):
    lenient = [
        NewOverride(rule.id, "I say so", TODAY, {"threshold": "1"})
        for rule in queries.in_force(on=TODAY).values()
        if rule.metric in ("public_notice_days", "closing_notice_days", "days_request_to_closed", "days_voluntary_close")
    ]
    done = override_rules(lenient, by="user:1", at=AT)
    assert len(done.ids) >= 2, done.refused
    official = {"source": "https://example.com", "source_kind": "official", "as_of": "2026-11-01", "confidence": "high", "status": "superseded"}
    refused = [rule_id for one in REFUSALS for rule_id in one.rests_on]
    override_rules([NewOverride(rule_id, "I say so", TODAY, official) for rule_id in refused], by="user:1", at=AT)

    assert "30 days of public notice" in close_in_three_days(shop)
    assert asked(source="consumer_platform") == "consumer_platform"
    for term in ("neutral_packing", "no_cards"):
        assert asked(**{term: False}), term
    test_buyers_of_a_marketplace_get_no_direct_mail()
