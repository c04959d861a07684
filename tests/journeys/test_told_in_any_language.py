"""What daifa writes down by itself is told in the language of whoever reads it, whoever (or whatever worker) did it."""

import io
import zipfile
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import translation

from daifa.cli import platform_side as command_line
from daifa.cli.tests.test_words import run
from daifa.domain.books import commands as books
from daifa.domain.books.models import Entry
from daifa.domain.books.queries import export_beancount
from daifa.domain.cases.commands import NewMove, move_deposit
from daifa.domain.closing import commands, queries
from daifa.domain.closing.models import ClosingStep, PlatformEvent
from daifa.domain.history.commands import move
from daifa.domain.purchasing.commands import settle_attempts
from daifa.domain.purchasing.models import PurchaseOrder
from daifa.domain.purchasing.process import PURCHASE_ORDER
from daifa.flows import close_store, platform_side, post_deposits
from daifa.flows.close_store.proofs import export_store
from daifa.flows.react import react
from daifa.flows.reads import installation, ledger
from daifa.flows.reads.timeline import timeline
from daifa.flows.reads.today import today
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext
from tests.cast import MORNING as AT
from tests.cast import open_shop, receive_orders, whole_loop
from tests.closing_shop import BY, open_story

pytestmark = pytest.mark.django_db
BOTH = ("en", "zh-hans")


@pytest.fixture
def story(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    settings.DAIFA_PLATFORM_SIDE = True
    return open_story([])


def in_both(read):
    """What `read` gives to an English and to a Chinese reader."""
    found = []
    for language in BOTH:
        with translation.override(language):
            found.append(read())
    return tuple(found)


@pytest.mark.parametrize("language", BOTH)
def test_the_desks_notes(story, language):
    receive_orders(story.shop, ["S-1"], at=story.at)
    with translation.override(language):
        case = platform_side.take_request(story.store.pk, reason="我们转行", at=story.at)
    assert in_both(lambda: PlatformEvent.objects.get(case=case, what="opened").note) == ("我们转行",) * 2, "as typed"
    english, chinese = in_both(lambda: PlatformEvent.objects.get(case=case, what="refused").note)
    assert english.startswith("orders not shipped: 1 (") and "; " in english + "; " and "：" not in english
    assert chinese.startswith("未发货订单：1（") and ": " not in chinese
    asked = in_both(lambda: run(command_line.app, "history"))
    assert "refused" in asked[0] and "orders not shipped" in asked[0]
    assert "已拒绝" in asked[1] and "未发货订单" in asked[1] and "refused" not in asked[1]


@pytest.mark.parametrize("language", BOTH)
def test_why_a_step_stands_still(story, language):
    close_store.start(store_id=story.store.pk, scenario="choice", reason="enough", by=BY, at=story.at)
    step = ClosingStep.objects.get(code="shred")
    with translation.override(language), pytest.raises(Refused) as refused:
        close_store.do_step(step.pk, by=BY, at=story.at)
    commands.stop_step(step.pk, sentence=refused.value.sentence)
    english, chinese = in_both(lambda: ClosingStep.objects.get(pk=step.pk).stopped)
    assert english.startswith("First: Export, Deposit back, ") and "：" not in english
    assert chinese.startswith("请先完成：导出存档、保证金退回、") and ", " not in chinese


@pytest.mark.parametrize("language", BOTH)
def test_a_removal_overtaken_and_steps_left_out(story, language):
    with translation.override(language):
        platform_side.give_notice(story.store.pk, "category", reason="r", at=story.at)
        removal = platform_side.give_notice(story.store.pk, "violation", reason="r", at=story.at)
        platform_side.rule(removal.pk, outcome="upheld", note="as found", at=story.at + timedelta(days=4))
    left = ClosingStep.objects.get(closing=queries.running_closing(story.store.pk), code="appeal")
    assert in_both(lambda: left.evidence.get().note) == ("not done before the ruling", "裁定前未办理")


@pytest.mark.parametrize("language", BOTH)
def test_memos_of_the_books(language):
    shop = open_shop()
    store = shop.store
    with translation.override(language):
        move_deposit([NewMove("paid_in", Decimal(1000), AT, note="先交 a half")], store=store, by=BY, at=AT)
        react(at=AT)
        credit = books.NewPayment(store.pk, shop.factory.pk, Decimal(3), store.currency, AT.date(), "faulty", "k", kind="credited")
        assert len(books.pay_suppliers([credit], by=BY, at=AT).added) == 1
    entries = Entry.objects.order_by("id").values_list("pk", flat=True)
    seen = in_both(lambda: [ledger.entry([store.pk], pk).memo for pk in entries])
    assert [memo.split(" · ")[0] for memo in seen[0]] == ["paid in", "credit note"]
    assert [memo.split(" · ")[0] for memo in seen[1]] == ["缴存", "贷项"]
    assert all(memos[0].endswith(" · 先交 a half") and memos[1].endswith(" · faulty") for memos in seen)
    texts = in_both(lambda: export_beancount([store.pk]))
    assert "credit note · faulty" in texts[0] and "贷项 · faulty" in texts[1]


def test_the_file_of_a_closed_store_tells_memos_as_the_pages_do(story):
    react(at=story.at)
    csv, chinese = (zipfile.ZipFile(io.BytesIO(export_store(story.store)[0])).read("entries.csv").decode("utf-8-sig") for _ in in_one_after_the_other())
    assert "paid in · D-1" in csv and "缴存" not in csv
    assert "缴存 · D-1" in chinese and "{" not in csv + chinese


def in_one_after_the_other():
    for language in BOTH:
        with translation.override(language):
            yield language


@pytest.mark.parametrize("language", BOTH)
def test_what_became_of_a_purchase(story, language):
    whole_loop(story.shop, ["S-2"], at=story.at)
    purchase = PurchaseOrder.objects.filter(run=None).get()
    PurchaseOrder.objects.filter(pk=purchase.pk).update(state="placed")
    purchase.attempts.update(state="prepared")
    with translation.override(language), transaction.atomic():
        settle_attempts({purchase.attempts.get().pk: ("unknown", gettext("The program ended in the middle of the call."))}, at=story.at)
        move(PURCHASE_ORDER, [purchase.pk], to="closed", by=BY, at=story.at, reason=gettext("The supplier answered it."))
    assert in_both(lambda: purchase.attempts.get().result) == ("The program ended in the middle of the call.", "调用途中程序中断。")
    seen = in_both(lambda: {one.why for one in timeline([story.store.pk], purchase.order_id)})
    words = ("The supplier answered it.", "供应商已回复。")
    assert all(word in whys and other not in whys for whys, word, other in zip(seen, words, words[::-1], strict=True))


@pytest.mark.parametrize("language", BOTH)
def test_what_the_worker_could_not_do(monkeypatch, language):
    """A refusal inside a reaction is parked as what it says, not as the name of a class; anything else keeps its name."""
    monkeypatch.setattr(post_deposits, "post_entries", lambda *_entries, **_how: books.reverse_entry(entry_id=7, by=BY, at=AT, reason="x"))
    store = open_shop().store
    with translation.override(language):
        move_deposit([NewMove("paid_in", Decimal(1000), AT)], store=store, by=BY, at=AT)
        for days in range(4):
            react(at=AT + timedelta(days=days))
    words = ("There is no entry 7.", "没有编号为 7 的凭证。")
    assert in_both(lambda: installation.reaction_list()[0].reason) == words
    for told, word, other in zip(in_both(lambda: [one.sentence for one in today([store.pk], shared=True, at=AT)]), words, words[::-1], strict=True):
        assert sum(word in one for one in told) == 2, "the step and its task"
        assert not any(other in one for one in told)
