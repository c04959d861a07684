"""The pages of the rule book and of words: what is shown, who may say something, and that the gate is a person's."""

from datetime import timedelta

import pytest
from django.urls import reverse

from daifa.domain.catalog.models import Product
from daifa.domain.people.models import User
from daifa.domain.policy import book as books
from daifa.domain.policy import commands, queries
from daifa.domain.policy.models import RuleOverride, TextApproval, TextFinding
from daifa.domain.stores.commands import add_store
from daifa.domain.stores.models import StoreAccess, Task
from daifa.flows import screen_texts, watch_rules
from daifa.lib import clock
from tests import bought_orders

pytestmark = pytest.mark.django_db


@pytest.fixture
def store():
    return add_store(code="xhs", name="Red shop", currency="CNY", channel="xiaohongshu", kind="marketplace", country="CN", by="user:1", at=clock.now())


def person(client, store, role):
    user = User.objects.create_user(role, password="x")
    StoreAccess.objects.create(user=user, store=store, role=role)
    client.force_login(user)
    return user


def page(client, name, *args, **query):
    response = client.get(reverse(f"web:{name}", args=args), query)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def test_a_channels_rules_with_source_and_standing(client, store):
    person(client, store, "viewer")
    shown = page(client, "rules")
    assert "Late-dispatch compensation to the buyer" in shown and "&gt; 48 hours" in shown
    assert "Amazon" not in shown.split("<table")[1].split("</table")[0]  # not a channel of this store
    assert "item cancellation" not in page(client, "rules", channel="amazon", state="informs", q="nothing like it")
    one = page(client, "rule", "xhs-comp-badtrack")
    for words in ("https://school.xiaohongshu.com/rule/detail/35/119702", "2026-03-09", "copy of an official text", "Red shop", "at least 5 CNY"):
        assert words in one
    weak = page(client, "rule", "xhs-nosource-definition")
    assert "It informs, and does not act" in weak and "Nobody has verified it" in weak
    assert client.get(reverse("web:rule", args=["no-such-rule"])).status_code == 404


def test_the_owners_word_is_hers(client, store):
    person(client, store, "operator")
    address = reverse("web:rule_override", args=["xhs-comp-badtrack"])
    said = {"store": store.pk, "reason": "read on 22 November", "cap": "250", "valid_from": clock.now().date().isoformat()}
    assert client.post(address, said).status_code == 403
    client.logout()
    owner = person(client, store, "owner")
    wrong = client.post(address, {**said, "cap": "much"})
    assert wrong.status_code in (200, 422) and "much is no number" in wrong.content.decode()
    assert client.post(address, said).status_code == 302
    word = RuleOverride.objects.get()
    assert (word.by, word.changes, word.store_id) == (f"user:{owner.pk}", {"cap": "250"}, store.pk)
    assert "at most 250 CNY" in page(client, "rule", "xhs-comp-badtrack")
    assert "read on 22 November" in page(client, "rule_override", "xhs-comp-badtrack")
    assert client.post(reverse("web:rule_withdraw", args=[word.pk])).status_code == 302
    assert "at most 200 CNY" in page(client, "rule", "xhs-comp-badtrack")


def test_strangers_words_are_not_shown_and_not_taken_back(client, store):
    other = add_store(code="o", name="Other", currency="CNY", channel="xiaohongshu", kind="marketplace", by="user:1", at=clock.now())
    done = commands.override_rules(
        [commands.NewOverride("xhs-comp-badtrack", "a secret of theirs", clock.now().date(), {"cap": "250"}, other.pk)], by="user:9", at=clock.now()
    )
    person(client, store, "owner")
    assert "a secret of theirs" not in page(client, "rule", "xhs-comp-badtrack")
    assert client.post(reverse("web:rule_withdraw", args=[done.ids[0]])).status_code == 404
    assert RuleOverride.objects.get().withdrawn_at is None


def test_a_compensation_is_an_amount_and_triggers_nothing(client, store):
    person(client, store, "owner")
    paid = page(client, "rule", "xhs-comp-late-le48")
    assert "Amount or figure" in paid and "What triggers it" not in paid
    line = page(client, "rule", "xhs-ship-spot-domestic")
    assert "What triggers it" in line and "Amount or figure" not in line


def test_the_rules_stand_by_channel_and_fold(client, store):
    person(client, store, "owner")
    shown = page(client, "rules")
    assert shown.count('class="list-fold"') == len(queries.channels_of(store)) and "checkbox" in shown
    searched = client.get(reverse("web:rules"), {"q": "refund"}).content.decode()
    assert 'class="visually-hidden" checked' in searched
    one = client.get(reverse("web:rules"), {"channel": "xiaohongshu"}).content.decode()
    assert "list-fold" not in one and "xhs-comp-badtrack" in one


def test_what_will_change_is_shown_with_its_day(client, store):
    text = books.shipped_files()["xiaohongshu.yaml"].decode().replace("threshold: 48\n", "threshold: 40\n", 1)
    now = clock.now()
    book = commands.take_book(own={"xiaohongshu.yaml": text.encode()}, by="user:1", at=now, takes_effect_on=now.date() + timedelta(days=7)).book
    watch_rules.watch_rules(at=now)
    assert Task.objects.get(kind="rules_change").params["count"] == 1
    paid = now - timedelta(hours=44)
    bought = bought_orders.order(store, [("goods", 1, "100.00")], placed_at=paid, paid_at=paid, currency="CNY", country="CN")
    person(client, store, "owner")
    shown = page(client, "rules_changes")
    assert f"1 of 1 open clocks would be overdue (3.00 CNY at stake). Orders: {bought.number}." in shown
    assert "&gt; 48 hours" in shown and "&gt; 40 hours" in shown and "A version of the rule book waits" in shown
    assert "1 rule changes" in page(client, "rules")
    assert client.post(reverse("web:rules_book", args=[book.pk, "now"])).status_code == 302
    assert queries.rule("xhs-ship-spot-domestic", on=now.date()).threshold == 40
    assert "Nothing is announced" in page(client, "rules_changes")
    watch_rules.watch_rules(at=now)
    assert not Task.objects.filter(kind="rules_change", closed_at=None).exists()


def test_publishing_waits_for_a_person(client, store):
    product = Product.objects.create(handle="shoe", title="Nike <b>跑鞋</b>", state="active", created_at=clock.now())
    bad = Product.objects.create(handle="cup", title="全国第一的杯子", state="active", created_at=clock.now())
    assert screen_texts.screen_texts(at=clock.now()) == 2
    assert Task.objects.get(kind="words_found").params == {"count": 1}
    person(client, store, "owner")
    found = page(client, "findings")
    assert "全国第一" in found and "Nike" in found and "absolute claim" in found
    shown = page(client, "product_words", product.pk)
    assert "<mark>Nike</mark> &lt;b&gt;" in shown and "A person must look before this is published" in shown
    assert "must be changed before this is published" in page(client, "product_words", bad.pk)

    approve = reverse("web:product_words_approve", args=[product.pk])
    digest = screen_texts.may_publish_product(product).digest
    client.post(approve, {"digest": "of older words", "reason": "licence"})
    client.post(approve, {"digest": digest, "reason": " "})
    assert not TextApproval.objects.exists()
    client.post(reverse("web:product_words_approve", args=[bad.pk]), {"digest": screen_texts.may_publish_product(bad).digest, "reason": "mine"})
    assert not TextApproval.objects.exists()
    client.post(approve, {"digest": digest, "reason": "licence of 2026-03-01"})
    assert TextApproval.objects.get().reason == "licence of 2026-03-01"
    assert screen_texts.may_publish_product(product).may

    bad.title = "杯子"
    bad.save()
    screen_texts.screen_texts(at=clock.now())
    assert not Task.objects.filter(kind="words_found", closed_at=None).exists()
    assert not TextFinding.objects.filter(thing=bad.pk).exists()


def test_a_file_is_checked_line_by_line_and_counts_from_its_day(client, store):
    from django.core.files.uploadedfile import SimpleUploadedFile

    person(client, store, "owner")
    text = books.shipped_files()["xiaohongshu.yaml"].decode()
    broken = text.replace("metric: hours_payment_to_dispatch", "metric: hours_to_nowhere", 1)
    line = broken[: broken.index("hours_to_nowhere")].count("\n") + 1
    address = reverse("web:rules_file")
    shown = client.post(address, {"files": SimpleUploadedFile("xiaohongshu.yaml", broken.encode())}).content.decode()
    assert f"xiaohongshu.yaml, line {line}: metric: hours_to_nowhere is no metric" in shown
    shown = client.post(address, {"files": SimpleUploadedFile("brands.yaml", b"brands: []")}).content.decode()
    assert "is no file of rules" in shown
    good = text.replace("threshold: 48\n", "threshold: 40\n", 1)
    day = clock.now().date() + timedelta(days=3)
    assert client.post(address, {"files": SimpleUploadedFile("xiaohongshu.yaml", good.encode()), "day": day.isoformat()}).status_code == 302
    assert queries.rule("xhs-ship-spot-domestic", on=day).threshold == 40
    shown = page(client, "rules_changes")
    assert "&gt; 40 hours" in shown and "Own file xiaohongshu.yaml" in shown
    client.post(reverse("web:rules_own_file", args=["drop"]), {"file": "xiaohongshu.yaml"})
    assert queries.rule("xhs-ship-spot-domestic", on=day).threshold == 48 and not queries.own_files()


def test_own_words_are_added_and_taken_back(client, store):
    Product.objects.create(handle="shoe", title="Nike 跑鞋 秘方", state="active", created_at=clock.now())
    screen_texts.screen_texts(at=clock.now())
    person(client, store, "owner")
    for term, severity in (("nike", "allow"), ("秘方", "block")):
        assert client.post(reverse("web:own_words"), {"term": term, "severity": severity, "reason": "licence"}).status_code == 302
    assert [(one.term, one.severity) for one in TextFinding.objects.all()] == [("秘方", "block")]
    assert "our own list" in page(client, "findings")
    word = queries.own_words()[0]
    client.post(reverse("web:own_word_withdraw", args=[word.pk]))
    assert len(queries.own_words()) == 1
