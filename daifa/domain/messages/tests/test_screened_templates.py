"""What buyers are told is read for words that must not be said, the words that ship included."""

from datetime import UTC, datetime

import pytest

from daifa.domain.messages.commands import Words as TemplateWords
from daifa.domain.messages.commands import save_templates
from daifa.domain.messages.default_templates import DEFAULTS
from daifa.domain.policy import queries, words
from daifa.domain.stores.commands import add_store

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.mark.django_db
def test_a_template_with_a_word_that_must_be_changed_cannot_be_saved():
    shop = add_store(code="xhs", name="X", currency="CNY", channel="xiaohongshu", kind="marketplace", by="user:1", at=AT)
    site = add_store(code="site", name="S", currency="CNY", kind="own_site", by="user:1", at=AT)
    contact = "请加微信领取售后服务 {{ order_number }}"
    rows = [
        TemplateWords(shop.pk, "dispatched", "zh", "已发货", contact),
        TemplateWords(None, "dispatched", "zh", "已发货", contact),
        TemplateWords(site.pk, "dispatched", "zh", "已发货", contact),
        TemplateWords(site.pk, "delivered", "zh", "全国第一的店", "您好 {{ order_number }}"),
        TemplateWords(site.pk, "delivered", "zh", "已签收", "最新状态 {{ order_number }}"),
    ]
    saved = save_templates(rows, by="user:1", at=AT)
    assert sorted(saved.refused) == [0, 1, 3]
    assert "加微信" in saved.refused[0][0] and "must not be told to buyers" in saved.refused[0][0]
    assert len(saved.ids) == 2


@pytest.mark.django_db
def test_the_built_in_words_hold_nothing_that_must_be_changed():
    for subject, body in DEFAULTS.values():
        assert not words.refusal_of([hit for hits in queries.screen([subject, body]) for hit in hits])
