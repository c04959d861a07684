"""Listings from the first try to the sale: what the gate says, who lets it out, how it goes, what takes it down again."""

from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from daifa.connectors.contract import IncomingProduct
from daifa.connectors.fake.channel import FakeChannel
from daifa.domain.cases import commands as cases
from daifa.domain.cases.commands import NewInfringement
from daifa.domain.catalog import commands as catalog
from daifa.domain.catalog.models import ListingConcern, ListingVariant, Product, Publication
from daifa.domain.closing.commands import begin_winding_up
from daifa.domain.policy.commands import add_own_words, approve_texts
from daifa.domain.policy.models import TextApproval, WordLists
from daifa.domain.stores.models import ChannelAccount, Task
from daifa.flows import close_store, publish_listings, screen_texts
from daifa.flows.audit import audit
from daifa.flows.publish_listings import channels
from daifa.flows.publish_listings.door import rows_of
from daifa.flows.publish_listings.outgoing import outgoing
from daifa.flows.work import work_until_idle
from daifa.lib import bulk
from daifa.lib.refusal import Refused
from tests import cast

pytestmark = pytest.mark.django_db
AT, BY = cast.MORNING, cast.BY


@pytest.fixture
def shop():
    return cast.open_shop()


def product_of(sku: str) -> Product:
    return Product.objects.get(variants__sku=sku)


def draft(shop, *skus: str, price: str = "12.00") -> list[int]:
    """Products of the catalogue put into the store, to be published; their ids."""
    ids = [product_of(sku).pk for sku in skus]
    catalog.draft_listings(
        store_id=shop.store.pk, product_ids=ids, prices=dict.fromkeys(skus, Decimal(price)), by=BY, at=AT
    )
    return ids


def ask(shop, ids, at=AT) -> dict[int, publish_listings.Outcome]:
    return publish_listings.publish(store_id=shop.store.pk, product_ids=ids, by=BY, at=at).outcomes


def states(shop, *skus: str) -> list[str]:
    return list(ListingVariant.objects.filter(store=shop.store, sku__in=skus).order_by("sku").values_list("state", flat=True))


def upload(shop, at=AT):
    file = publish_listings.make_file(store_id=shop.store.pk, by=BY, at=at)
    assert file is not None
    publish_listings.settle_file(file_id=file.pk, uploaded=True, by=BY, at=at)
    return file


def tasks(kind: str) -> list[Task]:
    return list(Task.objects.filter(kind=kind, closed_at=None))


def test_a_word_that_must_not_be_said_is_refused_mended_and_published(shop):
    [mug] = draft(shop, cast.FROM_FACTORY)
    catalog.edit_product(product_id=mug, title="全国第一的茶杯", by=BY, at=AT)
    outcome = ask(shop, [mug])[mug]
    assert outcome.state == "refused" and "全国第一" in outcome.sentences[0] and "change the text" in outcome.sentences[0]
    kept = Publication.objects.get(pk=outcome.publication)
    assert kept.hits[0][:2] == ["title", "全国第一"] and kept.lists == WordLists.objects.get()
    with pytest.raises(Refused):
        publish_listings.approve([kept.pk], reason="", by=BY, at=AT)
    assert publish_listings.approve([kept.pk], reason="I like it", by=BY, at=AT).done == []
    catalog.edit_product(product_id=mug, title="Ceramic mug", by=BY, at=AT)
    assert ask(shop, [mug])[mug].state == "ready"
    file = upload(shop)
    assert states(shop, cast.FROM_FACTORY) == ["live"]
    assert file.name == "gifts-listings-0001.xlsx" and not tasks("listings_to_upload")
    assert ask(shop, [mug])[mug].state == "unchanged"
    assert audit() == []


def test_a_limit_stops_new_listings_and_lets_what_is_on_sale_be_mended(shop):
    mug, lamp = draft(shop, cast.FROM_FACTORY, cast.FROM_SYSTEM)
    assert ask(shop, [mug])[mug].state == "ready"
    upload(shop)
    limited = cases.NewViolation("V-9", AT, "late_dispatch", consequences=(cases.NewConsequence("listing_limit", AT),))
    cases.add_violations([limited], store=shop.store, source="test", by=BY, at=AT)
    catalog.edit_product(product_id=mug, title="Ceramic mug, blue", by=BY, at=AT)
    outcomes = ask(shop, [mug, lamp])
    assert outcomes[mug].state == "ready"
    assert outcomes[lamp].state == "refused" and "V-9" in outcomes[lamp].sentences[0]
    assert audit() == []


def test_a_word_to_look_at_waits_is_approved_once_and_asks_again_when_the_text_changes(shop):
    [mug] = draft(shop, cast.FROM_FACTORY)
    catalog.edit_product(product_id=mug, title="最大的茶杯", by=BY, at=AT)
    waiting = ask(shop, [mug])[mug]
    assert waiting.state == "waiting"
    assert [(task.thing, task.params) for task in tasks("listings_wait")] == [(shop.store.pk, {"count": 1})]
    assert publish_listings.make_file(store_id=shop.store.pk, by=BY, at=AT) is None
    done = publish_listings.approve([waiting.publication], reason="measured it: 900 ml", by="user:7", at=AT)
    assert done.done == [waiting.publication] and not tasks("listings_wait")
    kept = Publication.objects.get(pk=waiting.publication)
    assert (kept.state, kept.decided_by, kept.decision, kept.allowed) == ("ready", "user:7", "measured it: 900 ml", ["look"])
    assert not TextApproval.objects.exists(), "what she let out in this store she let out in this store"
    upload(shop)
    assert states(shop, cast.FROM_FACTORY) == ["live"]
    # The same words again need nobody; other words do.
    catalog.edit_listings({ListingVariant.objects.get().pk: (None, Decimal("13.00"))}, store_id=shop.store.pk, by=BY, at=AT)
    assert ask(shop, [mug])[mug].state == "ready"
    catalog.edit_listings({ListingVariant.objects.get().pk: ("最大最重的茶杯", None)}, store_id=shop.store.pk, by=BY, at=AT)
    again = ask(shop, [mug])[mug]
    assert again.state == "waiting"
    # Changed once more behind her back: the approval is of the text she saw.
    catalog.edit_listings({ListingVariant.objects.get().pk: ("最大最好的茶杯", None)}, store_id=shop.store.pk, by=BY, at=AT)
    refused = publish_listings.approve([again.publication], reason="measured it", by=BY, at=AT).refused
    assert "changed meanwhile" in refused[again.publication]
    back = publish_listings.send_back([again.publication], reason="say it without 最大", by=BY, at=AT)
    assert back.done and Publication.objects.get(pk=again.publication).decision == "say it without 最大"
    assert audit() == []


@pytest.mark.parametrize("looked_at", ["publication", "product"])
def test_a_word_that_came_into_the_lists_since_asks_again(shop, looked_at):
    """Whoever let it pass has not seen that word."""
    [mug] = draft(shop, cast.FROM_FACTORY)
    catalog.edit_product(product_id=mug, title="最大的陶艺茶杯", by=BY, at=AT)
    waiting = ask(shop, [mug])[mug]
    if looked_at == "publication":
        assert publish_listings.approve([waiting.publication], reason="measured it", by="user:7", at=AT).done
    else:
        found = screen_texts.may_publish_product(product_of(cast.FROM_FACTORY))
        assert found.waits
        approve_texts([found.digest], reason="measured it", by="user:7", at=AT)
        assert screen_texts.may_publish_product(product_of(cast.FROM_FACTORY)).may
    assert ask(shop, [mug])[mug].state == "ready"
    later = AT + timedelta(days=1)
    add_own_words([("陶艺", "review", "is it really made by hand?")], by=BY, at=later)
    asked = ask(shop, [mug], at=later)[mug]
    assert asked.state == "waiting" and "陶艺" in asked.sentences[0] and "最大" not in asked.sentences[0]
    if looked_at == "product":
        found = screen_texts.may_publish_product(product_of(cast.FROM_FACTORY))
        assert found.waits and "陶艺" in found.sentence and "最大" not in found.sentence
        approve_texts([found.digest], reason="it is", by="user:7", at=later)
        assert screen_texts.may_publish_product(product_of(cast.FROM_FACTORY)).may
        assert ask(shop, [mug], at=later)[mug].state == "ready"


def test_what_is_let_out_in_one_store_waits_in_another(shop):
    other = cast.add_store(code="other", name="Other", currency="GBP", kind="own_site", channel="other", by=BY, at=AT)
    [mug] = draft(shop, cast.FROM_FACTORY)
    catalog.draft_listings(store_id=other.pk, product_ids=[mug], prices={cast.FROM_FACTORY: Decimal(9)}, by=BY, at=AT)
    catalog.edit_product(product_id=mug, title="最大的茶杯", by=BY, at=AT)
    waiting = ask(shop, [mug])[mug]
    assert publish_listings.approve([waiting.publication], reason="measured it", by="user:7", at=AT).done
    there = publish_listings.publish(store_id=other.pk, product_ids=[mug], by=BY, at=AT).outcomes[mug]
    assert there.state == "waiting"


def test_a_missing_paper_waits_until_it_is_recorded_and_nobody_waves_it_through(shop):
    [mug] = draft(shop, cast.FROM_FACTORY)
    catalog.edit_product(product_id=mug, category="Tea and snacks", by=BY, at=AT)
    cases.say_need(channel="", category="snacks", kind="food_licence", is_needed=True, source="law", by=BY, at=AT)
    waiting = ask(shop, [mug])[mug]
    assert waiting.state == "waiting" and "food business licence" in waiting.sentences[0]
    refused = publish_listings.approve([waiting.publication], reason="never mind", by=BY, at=AT).refused
    assert "food business licence" in refused[waiting.publication]
    assert publish_listings.judge_again(at=AT) == {}
    paper = cases.add_qualification(
        store=shop.store, kind="food_licence", number="JY1", valid_from=AT.date(), valid_until=date(2026, 6, 1), by=BY, at=AT
    )
    assert publish_listings.judge_again(at=AT) == {"ready": 1}
    upload(shop)
    assert states(shop, cast.FROM_FACTORY) == ["live"]
    # The day after it ended the listing is on the list of what should not be on sale.
    assert publish_listings.watch_listings(at=AT) == {"looked_at": 0, "grave": 0}
    late = AT + timedelta(days=100)
    assert paper.valid_until < late.date()
    assert publish_listings.watch_listings(at=late)["grave"] == 1
    assert [task.params for task in tasks("listings_against_rules")] == [{"count": 1}]
    assert ListingConcern.objects.get().reasons[0][0] == "paper"
    publish_listings.withdraw_from_channel(store_id=shop.store.pk, product_ids=[mug], action="pause", by=BY, at=late)
    upload(shop, at=late)
    assert states(shop, cast.FROM_FACTORY) == ["paused"]
    publish_listings.watch_listings(at=late)
    assert not tasks("listings_against_rules")
    assert audit() == []


def test_a_new_word_of_our_own_reaches_what_is_on_sale(shop):
    ids = draft(shop, cast.FROM_FACTORY, cast.FROM_SYSTEM)
    ask(shop, ids)
    upload(shop)
    before = WordLists.objects.count()
    add_own_words([("Ceramic", "block", "the factory says it is not")], by=BY, at=AT)
    screen_texts.screen_texts(at=AT)
    assert publish_listings.watch_listings(at=AT) == {"looked_at": 1, "grave": 1}
    assert WordLists.objects.count() == before + 1
    assert ListingConcern.objects.get().product == product_of(cast.FROM_FACTORY)
    # The text is mended here, the channel still shows the old one until it is published anew.
    mug = product_of(cast.FROM_FACTORY).pk
    catalog.edit_product(product_id=mug, title="Stone mug", by=BY, at=AT)
    screen_texts.screen_texts(at=AT)
    assert publish_listings.watch_listings(at=AT)["grave"] == 1
    ask(shop, [mug])
    upload(shop)
    assert publish_listings.watch_listings(at=AT) == {"looked_at": 0, "grave": 0}
    # What was ready before the word came does not go out by its old verdict.
    catalog.edit_listings(
        {ListingVariant.objects.get(sku=cast.FROM_SYSTEM).pk: ("A lamp", None)}, store_id=shop.store.pk, by=BY, at=AT
    )
    ask(shop, [ids[1]])
    add_own_words([("lamp", "block", "we stop selling lamps")], by=BY, at=AT)
    assert publish_listings.make_file(store_id=shop.store.pk, by=BY, at=AT) is None
    assert Publication.objects.latest("id").state == "refused"


def test_a_notice_takes_it_down_and_a_won_counter_notice_brings_it_back(shop):
    [mug] = draft(shop, cast.FROM_FACTORY)
    ask(shop, [mug])
    upload(shop)
    listing = ListingVariant.objects.get()
    case = cases.open_infringement(
        NewInfringement("N-1", AT, "copyright", "Kiln", listing.pk, claim="our picture", taken_down=True),
        store=shop.store, source=BY, by=BY, at=AT,
    )  # fmt: skip
    work_until_idle(at=AT)
    assert states(shop, cast.FROM_FACTORY) == ["taken_down"]
    refused = ask(shop, [mug])[mug]
    assert refused.state == "refused" and "N-1" in refused.sentences[0]
    cases.record_right(
        listing_ids=[listing.pk], store=shop.store, right="copyright", basis="supplier", holder="Factory", valid_from=AT.date(), by=BY, at=AT
    )
    later = AT + timedelta(days=20)
    for to, text in (("countered", "it is our own picture"), ("forwarded", ""), ("restored", "")):
        cases.step_infringement(case_id=case.pk, to=to, text=text, by=BY, at=later if to == "restored" else AT)
        work_until_idle(at=later if to == "restored" else AT)
        assert states(shop, cast.FROM_FACTORY) == (["live"] if to == "restored" else ["taken_down"])
    assert audit() == []


def test_what_is_restored_goes_through_the_gate(shop):
    [mug] = draft(shop, cast.FROM_FACTORY)
    ask(shop, [mug])
    upload(shop)
    listing = ListingVariant.objects.get()
    case = cases.open_infringement(
        NewInfringement("N-2", AT, "trademark", "Kiln", listing.pk, taken_down=True), store=shop.store, source=BY, by=BY, at=AT
    )
    work_until_idle(at=AT)
    catalog.edit_product(product_id=mug, title="最大的茶杯", by=BY, at=AT)
    cases.step_infringement(case_id=case.pk, to="retracted", by=BY, at=AT)
    work_until_idle(at=AT)
    assert states(shop, cast.FROM_FACTORY) == ["taken_down"]
    assert Publication.objects.latest("id").state == "waiting"


def test_a_conceded_notice_keeps_it_down_until_there_is_a_right(shop):
    [mug] = draft(shop, cast.FROM_FACTORY)
    ask(shop, [mug])
    upload(shop)
    listing = ListingVariant.objects.get()
    case = cases.open_infringement(NewInfringement("N-3", AT, "trademark", "Kiln", listing.pk), store=shop.store, source=BY, by=BY, at=AT)
    work_until_idle(at=AT)
    assert states(shop, cast.FROM_FACTORY) == ["live"]  # a notice is not yet a takedown
    publish_listings.watch_listings(at=AT)
    assert len(tasks("listings_against_rules")) == 1
    cases.step_infringement(case_id=case.pk, to="conceded", by=BY, at=AT)
    work_until_idle(at=AT)
    assert states(shop, cast.FROM_FACTORY) == ["taken_down"]
    assert "stays down" in ask(shop, [mug])[mug].sentences[0]
    cases.record_right(
        listing_ids=[listing.pk], store=shop.store, right="trademark", basis="licence", holder="Kiln", valid_from=AT.date(), by=BY, at=AT
    )
    assert ask(shop, [mug])[mug].state == "ready"


@pytest.mark.parametrize("end", ["retired", "closing"])
def test_what_comes_to_its_channel_after_its_end_is_taken_off_again(shop, end):
    """It was in a file already when the product was retired or the store began to close; then the file was uploaded."""
    [mug] = draft(shop, cast.FROM_FACTORY)
    ask(shop, [mug])
    file = publish_listings.make_file(store_id=shop.store.pk, by=BY, at=AT)
    if end == "retired":
        publish_listings.retire([mug], by=BY, at=AT)
    else:
        closing = close_store.start(store_id=shop.store.pk, scenario="choice", reason="Change of plan", by=BY, at=AT)
        begin_winding_up(closing, by=BY, at=AT)
        assert publish_listings.withdraw_from_channel(
            store_id=shop.store.pk, product_ids=[mug], action="delist", by=BY, at=AT
        ).of("busy") == [mug]  # fmt: skip
    publish_listings.settle_file(file_id=file.pk, uploaded=True, by=BY, at=AT)
    assert states(shop, cast.FROM_FACTORY) == ["live"], "the channel has it"
    off = Publication.objects.latest("id")
    assert (off.action, off.state, off.product_id) == ("delist", "ready", mug)
    upload(shop)
    assert states(shop, cast.FROM_FACTORY) == ["delisted"]
    assert audit() == []


def test_each_listing_is_taken_down_for_its_own_notice(shop):
    ids = draft(shop, cast.FROM_FACTORY, cast.FROM_SYSTEM)
    ask(shop, ids)
    upload(shop)
    for number, sku in (("N-5", cast.FROM_FACTORY), ("N-6", cast.FROM_SYSTEM)):
        cases.open_infringement(
            NewInfringement(number, AT, "trademark", "Kiln", ListingVariant.objects.get(sku=sku).pk, taken_down=True),
            store=shop.store, source=BY, by=BY, at=AT,
        )  # fmt: skip
    work_until_idle(at=AT)
    told = dict(bulk.fetch(
        """SELECT l.sku, b.reason FROM history_transition t JOIN history_batch b ON b.id = t.batch_id
           JOIN catalog_listingvariant l ON l.id = t.thing WHERE t.kind = 34 AND t.state_to = 'taken_down'"""
    ))  # fmt: skip
    assert told == {cast.FROM_FACTORY: "N-5", cast.FROM_SYSTEM: "N-6"}


@pytest.mark.parametrize("with_right", [False, True])
def test_what_was_lost_while_it_was_on_its_way_stays_down(shop, with_right):
    [mug] = draft(shop, cast.FROM_FACTORY)
    ask(shop, [mug])
    upload(shop)
    listing = ListingVariant.objects.get()
    catalog.edit_listings({listing.pk: (None, Decimal("13.00"))}, store_id=shop.store.pk, by=BY, at=AT)
    ask(shop, [mug])
    file = publish_listings.make_file(store_id=shop.store.pk, by=BY, at=AT)
    case = cases.open_infringement(
        NewInfringement("N-4", AT, "trademark", "Kiln", listing.pk, taken_down=True), store=shop.store, source=BY, by=BY, at=AT
    )
    cases.step_infringement(case_id=case.pk, to="conceded", by=BY, at=AT)
    work_until_idle(at=AT)
    if with_right:
        cases.record_right(
            listing_ids=[listing.pk], store=shop.store, right="trademark", basis="licence", holder="Kiln", valid_from=AT.date(), by=BY, at=AT
        )
    publish_listings.settle_file(file_id=file.pk, uploaded=True, by=BY, at=AT)
    assert states(shop, cast.FROM_FACTORY) == (["live"] if with_right else ["taken_down"])


def test_what_is_missing_is_named(shop):
    [mug] = draft(shop, cast.FROM_FACTORY)
    ListingVariant.objects.update(price=None)
    bulk.execute("UPDATE sourcing_skumapping SET state = 'broken'")
    said = " ".join(ask(shop, [mug])[mug].sentences)
    assert "No price in this store: MUG" in said and "No supplier's offer is mapped: MUG" in said
    assert ask(shop, [product_of(cast.FROM_SYSTEM).pk]).popitem()[1].sentences == [
        "No SKU of it is listed in this store: add it to the store first."
    ]


# --- Files --------------------------------------------------------------------------------------------------------


def test_a_file_is_fixed_read_back_and_settled_once(shop):
    from daifa.connectors.manual import connector

    shop.store.channel = "shopify"
    shop.store.save()
    ids = draft(shop, cast.FROM_FACTORY, cast.FROM_SYSTEM)
    catalog.edit_product(product_id=ids[0], title='=HYPERLINK("http://x","mug")', description="<p>Stoneware</p>", by=BY, at=AT)
    ask(shop, ids)
    file = publish_listings.make_file(store_id=shop.store.pk, by=BY, at=AT)
    assert (file.layout, file.name, file.rows, file.listing_count) == ("shopify", "gifts-listings-0001.csv", 2, 2)
    content = bytes(file.content)
    assert b"'=HYPERLINK" in content and b",=HYPERLINK" not in content and b',"=HYPERLINK' not in content
    read = list(connector.read_file("products", BytesIO(content), name=file.name, store_currency="GBP").records)
    assert sorted((one.sku, one.price, one.handle) for one in read) == [("LAMP", Decimal("12.00"), "lamp"), ("MUG", Decimal("12.00"), "mug")]
    assert next(one.description for one in read if one.sku == "MUG") == "<p>Stoneware</p>"
    assert publish_listings.make_file(store_id=shop.store.pk, by=BY, at=AT) is None  # it is in a file already
    assert {one.state for one in ask(shop, ids).values()} == {"busy"}
    publish_listings.settle_file(file_id=file.pk, uploaded=False, by=BY, at=AT)
    assert states(shop, "MUG", "LAMP") == ["draft", "draft"]
    again = publish_listings.make_file(store_id=shop.store.pk, by=BY, at=AT)
    assert again.sha256 == file.sha256 and again.number == 2
    publish_listings.settle_file(file_id=again.pk, uploaded=True, by=BY, at=AT)
    with pytest.raises(Refused, match="said before"):
        publish_listings.settle_file(file_id=again.pk, uploaded=False, by=BY, at=AT)
    assert states(shop, "MUG", "LAMP") == ["live", "live"]
    assert audit() == []


# --- By the channel's connector -----------------------------------------------------------------------------------


def channel(shop, **script) -> FakeChannel:
    ChannelAccount.objects.create(store=shop.store, connector="fake", settings=script)
    memory = Path(settings.DAIFA_HOME) / "fake" / "channels.sqlite3"
    return FakeChannel(code=shop.store.code, script=script, memory=memory)


@pytest.fixture
def _home(settings, tmp_path):
    settings.DAIFA_HOME = tmp_path


@pytest.mark.parametrize("trouble", ["timeout", "timeout_before", "busy", "silent"])
def test_a_channel_gets_each_listing_once_whatever_goes_wrong(shop, _home, trouble):
    fake = channel(shop, **{trouble: 1.0})
    ids = draft(shop, cast.FROM_FACTORY, cast.FROM_SYSTEM)
    ask(shop, ids)
    with pytest.raises(Refused, match="needs no file"):
        publish_listings.make_file(store_id=shop.store.pk, by=BY, at=AT)
    for minutes in range(0, 60, 10):
        publish_listings.send_listings(at=AT + timedelta(minutes=minutes))
    assert states(shop, "MUG", "LAMP") == ["live", "live"]
    references = list(publish_listings.references_of(Publication.objects.values_list("pk", flat=True)).values())
    assert [fake.times_taken(reference) for reference in references] == [1, 1]
    assert not tasks("publication_unknown") and audit() == []
    assert all(ListingVariant.objects.values_list("external_id", flat=True))


def test_what_a_channel_declines_is_told_and_what_it_never_heard_of_is_unknown(shop, _home, monkeypatch):
    channel(shop, decline=1.0)
    [mug] = draft(shop, cast.FROM_FACTORY)
    ask(shop, [mug])
    assert publish_listings.send_listings(at=AT)["declined"] == 1
    assert states(shop, "MUG") == ["draft"] and Publication.objects.get().answer == "The channel declined it."
    ChannelAccount.objects.update(settings={"timeout": 1.0})
    ask(shop, [mug])

    def deaf(self, references, *, at):
        from daifa.connectors.errors import AnswerMissing

        raise AnswerMissing("no answer")

    monkeypatch.setattr(FakeChannel, "find_listings", deaf)
    publish_listings.send_listings(at=AT)
    unknown = Publication.objects.latest("id")
    assert unknown.state == "unknown" and len(tasks("publication_unknown")) == 1
    publish_listings.settle_unknown([unknown.pk], there=True, by=BY, at=AT)
    assert states(shop, "MUG") == ["live"] and not tasks("publication_unknown")


def test_a_call_that_was_cut_off_is_asked_about_not_sent_again(shop, _home):
    from daifa.domain.catalog.process import PUBLICATION
    from daifa.domain.history.commands import move

    fake = channel(shop)
    [mug] = draft(shop, cast.FROM_FACTORY)
    publication = ask(shop, [mug])[mug].publication
    row = rows_of([publication], states=("ready",))[0]
    move(PUBLICATION, [publication], to="sending", by=BY, at=AT)
    fake.publish(outgoing([row]), at=AT)  # it arrived, and the program ended
    publish_listings.send_listings(at=AT)
    assert states(shop, "MUG") == ["live"] and fake.times_taken(publish_listings.references_of([publication])[publication]) == 1


def test_a_restored_copy_asks_before_it_publishes_what_was_ready(shop, _home):
    from daifa.domain.stores.models import Installation

    fake = channel(shop)
    ids = draft(shop, cast.FROM_FACTORY, cast.FROM_SYSTEM)
    outcomes = ask(shop, ids)
    gone_out = rows_of([outcomes[ids[0]].publication], states=("ready",))[0]
    fake.publish(outgoing([gone_out]), at=AT)  # by the first copy, after the backup was taken
    Installation.objects.update(backup_taken_at=AT + timedelta(minutes=1))
    publish_listings.send_listings(at=AT + timedelta(minutes=5))
    assert states(shop, "MUG", "LAMP") == ["live", "live"]
    references = publish_listings.references_of([outcomes[pk].publication for pk in ids])
    assert [fake.times_taken(one) for one in references.values()] == [1, 1]
    assert audit() == []


def test_what_is_refused_together_is_sent_alone_until_the_channel_asks_to_wait(shop, _home, monkeypatch):
    from daifa.connectors.errors import Refused as RefusedThere
    from daifa.connectors.errors import TryLater

    channel(shop)
    ids = draft(shop, cast.FROM_FACTORY, cast.FROM_SYSTEM)
    ask(shop, ids)
    calls, publish = [], FakeChannel.publish

    def picky(self, listings, *, at):
        calls.append(len(listings))
        if len(listings) > 1:
            raise RefusedThere("One of them is not wanted.", code="no")
        if len(calls) == 2:
            raise TryLater("The channel is busy.", not_before=at)
        return publish(self, listings, at=at)

    monkeypatch.setattr(FakeChannel, "publish", picky)
    counts = publish_listings.send_listings(at=AT)
    assert calls == [2, 1] and (counts["later"], counts["done"]) == (2, 0)
    assert set(Publication.objects.values_list("state", flat=True)) == {"ready"}
    publish_listings.send_listings(at=AT + timedelta(minutes=5))
    assert states(shop, "MUG", "LAMP") == ["live", "live"] and calls == [2, 1, 2, 1, 1]
    assert audit() == []


def test_many_stopped_at_the_door_are_written_down_call_by_call(shop, _home, monkeypatch):
    channel(shop)
    monkeypatch.setattr(channels, "CALL_SIZE", 1)
    catalog.import_products(
        [IncomingProduct(row=n, handle=f"m{n}", title=f"Great mug {n}", sku=f"M{n}", price=Decimal(5)) for n in range(4)], by=BY, at=AT
    )
    bulk.execute(
        """INSERT INTO sourcing_skumapping (variant_id, offer_id, supplier_sku, version, rank, factor, state, evidence, by, at)
           SELECT v.id, m.offer_id, m.supplier_sku, 1, 1, 1, 'verified', '{}', m.by, m.at FROM catalog_variant v,
                  (SELECT * FROM sourcing_skumapping LIMIT 1) m WHERE v.sku LIKE 'M%%' AND v.sku <> 'MUG'"""
    )
    ask(shop, draft(shop, "M0", "M1", "M2", "M3", cast.FROM_FACTORY))
    add_own_words([("Great", "block", "says nothing")], by=BY, at=AT)
    depths, door = [], channels.at_the_door

    def watched(rows, **how):
        depths.append(len(connection.savepoint_ids))
        return door(rows, **how)

    monkeypatch.setattr(channels, "at_the_door", watched)
    assert publish_listings.send_listings(at=AT)["done"] == 1
    assert states(shop, cast.FROM_FACTORY) == ["live"] and Publication.objects.filter(state="refused").count() == 4
    assert len(depths) > 4 and len(set(depths)) == 1, "each round in a transaction of its own"


@pytest.mark.parametrize("again", ["publish", "delist"])
def test_what_is_claimed_at_the_same_moment_is_not_asked_for_twice(shop, _home, monkeypatch, again):
    from daifa.domain.catalog.process import PUBLICATION
    from daifa.domain.history.commands import move

    [mug] = draft(shop, cast.FROM_FACTORY)
    first = ask(shop, [mug])[mug].publication
    withdraw = catalog.withdraw_publications

    def claimed_first(ids, **how):
        move(PUBLICATION, [first], to="sending", by=BY, at=AT)  # by the worker, after we looked
        return withdraw(ids, **how)

    monkeypatch.setattr(catalog, "withdraw_publications", claimed_first)
    if again == "publish":
        outcome = ask(shop, [mug])[mug]
    else:
        outcome = publish_listings.withdraw_from_channel(
            store_id=shop.store.pk, product_ids=[mug], action="delist", by=BY, at=AT
        ).outcomes[mug]  # fmt: skip
    assert (outcome.state, outcome.publication) == ("busy", first) and Publication.objects.count() == 1


# --- Many ---------------------------------------------------------------------------------------------------------


def test_publishing_many_asks_as_little_of_the_database_as_publishing_one(shop):
    catalog.import_products(
        [IncomingProduct(row=n, handle=f"m{n}", title=f"Mug {n}", sku=f"M{n}", price=Decimal(5)) for n in range(200)], by=BY, at=AT
    )
    bulk.execute(
        """INSERT INTO sourcing_skumapping (variant_id, offer_id, supplier_sku, version, rank, factor, state, evidence, by, at)
           SELECT v.id, m.offer_id, m.supplier_sku, 1, 1, 1, 'verified', '{}', m.by, m.at FROM catalog_variant v,
                  (SELECT * FROM sourcing_skumapping LIMIT 1) m WHERE v.sku LIKE 'M%%' AND v.sku <> 'MUG'"""
    )
    counts = []
    for skus in (["M0"], [f"M{n}" for n in range(1, 200)]):
        with CountStatements() as counted:
            ids = draft(shop, *skus)
        with CountStatements() as counted:
            outcomes = ask(shop, ids)
        assert {one.state for one in outcomes.values()} == {"ready"}
        counts.append(counted.count)
    assert counts[1] <= counts[0] + 1 and counts[1] < 45
    with CountStatements() as counted:
        file = publish_listings.make_file(store_id=shop.store.pk, by=BY, at=AT)
    assert file.listing_count == 200 and counted.count < 45
    publish_listings.settle_file(file_id=file.pk, uploaded=True, by=BY, at=AT)
    assert ListingVariant.objects.filter(state="live").count() == 200


class CountStatements:
    """Statements sent, by Django and by the bulk writer."""

    def __enter__(self):
        self.own = 0
        self.run, self.copy = bulk._run, bulk.copy_rows
        bulk._run = self._counted(bulk._run)
        self.django = CaptureQueriesContext(connection)
        self.django.__enter__()
        return self

    def _counted(self, run):
        def counted(*args, **kwargs):
            self.own += 1
            return run(*args, **kwargs)

        return counted

    def __exit__(self, *wrong):
        bulk._run = self.run
        self.django.__exit__(*wrong)
        self.count = self.own + len(self.django.captured_queries)
