"""Templates: which words count, what is refused, that edits are remembered."""

import pytest
from django.apps import apps

from daifa.domain.messages import queries
from daifa.domain.messages.commands import Words, drop_templates, save_templates
from daifa.domain.messages.default_templates import DEFAULTS
from daifa.domain.messages.models import MessageTemplate
from tests.shipped_orders import NOON, store

pytestmark = pytest.mark.django_db

BY = {"by": "user:1", "at": NOON}


def in_use(store_id, kind="dispatched", language="en"):
    [row] = [row for row in queries.templates_of(store_id) if (row.kind, row.language) == (kind, language)]
    return row


def test_the_narrowest_words_count():
    shop = store()
    assert in_use(shop.pk)[2:] == (*DEFAULTS["dispatched", "en"], "built in", None)
    saved = save_templates(
        [
            Words(None, "dispatched", "en", "All: {{ number }}", "x"),
            Words(shop.pk, "dispatched", "en", "Ours: {{ number }}", "y"),
        ],
        **BY,
    )
    assert in_use(shop.pk)[2:] == ("Ours: {{ number }}", "y", "store", saved.ids[1])
    assert in_use(None).source == "common"
    drop_templates([saved.ids[1]], **BY)
    assert in_use(shop.pk).subject == "All: {{ number }}"
    save_templates([Words(None, "dispatched", "en", "All: {{ number }}", "x", is_active=False)], **BY)
    assert in_use(shop.pk).source == "built in"


def test_saving_again_changes_the_same_row_and_is_remembered():
    shop = store()
    first = save_templates([Words(shop.pk, "review", "zh", "一 {{ order_number }}", "甲\r\n乙")], **BY)
    again = save_templates([Words(shop.pk, "review", "zh", "二 {{ order_number }}", "丙")], **BY)
    assert first.ids == again.ids
    row = MessageTemplate.objects.get()
    assert (row.subject, row.body) == ("二 {{ order_number }}", "丙")
    events = apps.get_model("buyer_messages", "MessageTemplateEvent").objects.order_by("pgh_id")
    assert [(event.subject, event.body) for event in events] == [
        ("一 {{ order_number }}", "甲\n乙"),
        (row.subject, row.body),
    ]
    assert events[1].pgh_context.metadata["by"] == "user:1"


def test_a_wrong_one_does_not_stop_the_others():
    saved = save_templates(
        [
            Words(None, "dispatched", "en", "{{ old_number }}", "x"),
            Words(None, "dispatched", "en", "fine", "x"),
            Words(None, "dispatched", "en", "Hi\nBcc: all@example.com", "{{ 1+1 }}"),
        ],
        **BY,
    )
    assert len(saved.ids) == 1
    assert "old_number" in saved.refused[0][0]
    assert len(saved.refused[2]) == 2
    assert MessageTemplate.objects.get().subject == "fine"
