"""A closed store in a backup: its steps, its files and the lock of its books come back as they were."""

from decimal import Decimal

import pytest
from django.db import transaction

from daifa.domain.books.commands import NewEntry, post_entries
from daifa.domain.closing import queries
from daifa.flows import close_store
from daifa.flows.audit import audit
from daifa.flows.backup import restore_backup, write_backup
from daifa.lib.refusal import Refused
from tests.closing_shop import BY, open_story
from tests.journeys.test_backup import as_it_was, contents, emptied, home  # noqa: F401  the fixture

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_closed_store_comes_back_locked_with_its_evidence(home, tmp_path):  # noqa: F811
    story = open_story([])
    story.closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="Change of plan", by=BY, at=story.at)
    story.do("shop_notice", "listings_down", "links_retired", "buyers_told", "orders_finished", "aftersales_finished")
    story.do("application", note="Change of plan", reference="X-1")
    story.until(story.days()["notice_ends"])
    story.do("public_notice")
    story.until(story.days()["closed"])
    story.do("closed", reference="X-1")
    story.do("suppliers_settled", "export")
    story.do("settlement", amount=Decimal(0))
    story.until(story.days()["deposit"])
    story.do("deposit_back", note="paid", amount=Decimal("1000.00"))
    story.do("shred", "books_locked", "archive")
    export = story.step("export").evidence.get()
    content = close_store.file_of(export.sha256).read_bytes()
    assert audit() == []

    before = contents()
    write_backup(tmp_path / "shop.daifa", by=BY, at=story.at)
    emptied()
    close_store.file_of(export.sha256).unlink()
    restore_backup(tmp_path / "shop.daifa", by=BY, at=story.at)
    as_it_was(before, but=("stores_task", "stores_store", "privacy_backuptaken"))
    assert close_store.file_of(export.sha256).read_bytes() == content
    assert queries.lifecycle(story.store.pk) == "archived" and not queries.may_take_orders(story.store.pk)
    entry = NewEntry(story.store.pk, "expense", 77, story.at, [("6900", "GBP", Decimal(5)), ("1000", "GBP", Decimal(-5))])
    with pytest.raises(Refused, match="locked"), transaction.atomic():
        post_entries([entry], by=BY)
    assert audit() == []
