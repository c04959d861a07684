"""A backup taken before fifty placements and restored places none of them twice."""

import shutil
import sqlite3
from collections import Counter
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from django.db import connection

from daifa.domain.orders.models import Order
from daifa.domain.purchasing.models import PurchaseOrder, PurchaseRun
from daifa.domain.stores.models import Task
from daifa.domain.stores.queries import may_act_outward
from daifa.flows import place_purchases, quarantine
from daifa.flows.audit import audit
from daifa.flows.backup import restore_backup, write_backup
from daifa.flows.react import react
from daifa.flows.work import work_until_idle
from daifa.lib.refusal import Refused
from tests import cast, postgres

pytestmark = pytest.mark.django_db(transaction=True)

KNOWN = [f"K{n:02d}" for n in range(30)]  # routed when the backup is taken, not yet placed
NEW = [f"N{n:02d}" for n in range(20)]  # received when the backup is taken, not yet routed
BACKUP = cast.MORNING + timedelta(hours=2)
CRASH = cast.MORNING + timedelta(hours=40)
AFTER = cast.MORNING + timedelta(hours=42)


@pytest.fixture
def move_to(tmp_path, settings):
    """Work in another home; what the supplier with a system remembers goes along, for it is not ours."""

    def move(name: str):
        top = tmp_path / name
        for folder in ("files", "mail"):
            (top / folder).mkdir(parents=True)
        memory = settings.DAIFA_HOME / "fake"
        if memory.is_dir() and memory.is_relative_to(tmp_path):
            shutil.copytree(memory, top / "fake")
        settings.DAIFA_HOME, settings.EMAIL_FILE_PATH, settings.MEDIA_ROOT = top, top / "mail", top / "files"
        return top

    return move


def taken_by_system(home) -> Counter:
    """Reference → how often the supplier with a system was sent it, by his own memory."""
    with sqlite3.connect(home / "fake" / "suppliers.sqlite3") as memory:
        return Counter(dict(memory.execute("SELECT reference, times FROM purchase")))


def workbooks_mailed(home) -> list[str]:
    """Names of the workbooks that went out by mail."""
    names = []
    for path in sorted((home / "mail").glob("*.eml")):
        letter = message_from_bytes(path.read_bytes(), policy=policy.default)
        names += [part.get_filename() for part in letter.iter_attachments() if part.get_filename()]
    return names


def test_nothing_is_placed_twice(move_to, tmp_path):
    first = move_to("first")
    shop = cast.open_shop()
    cast.receive_orders(shop, KNOWN)
    react(at=cast.MORNING)
    cast.receive_orders(shop, NEW, at=cast.MORNING + timedelta(hours=1))
    assert PurchaseOrder.objects.filter(state="ready").count() == 2 * len(KNOWN)
    write_backup(tmp_path / "shop.daifa", by="test", at=BACKUP)

    # The shop works on: everything is placed, and only then the machine is lost.
    at = cast.MORNING + timedelta(hours=3)
    work_until_idle(at=at)
    placed = dict(PurchaseOrder.objects.values_list("reference", "order__number"))
    assert PurchaseOrder.objects.filter(state="placed").count() == 100
    of_system = taken_by_system(first)
    assert len(of_system) == 50 and set(of_system.values()) == {1}
    sent = workbooks_mailed(first)
    assert len(sent) == 1
    run = PurchaseRun.objects.get()
    workbook = bytes(run.content)
    factory_refs = {
        number: ref
        for ref, number in PurchaseOrder.objects.filter(supplier=shop.factory).values_list(
            "reference", "order__number"
        )
    }
    system_refs = {
        number: ref
        for ref, number in PurchaseOrder.objects.filter(supplier=shop.system).values_list(
            "reference", "order__number"
        )
    }
    postgres.restore_first_rows(connection)

    second = move_to("second")
    restore_backup(tmp_path / "shop.daifa", by="test", at=CRASH)
    assert not may_act_outward(AFTER)
    assert work_until_idle(at=AFTER)["reacted"] > 0, "inside, the copy may work"
    assert place_purchases.fix_runs(at=AFTER, by=cast.BY) == []
    assert PurchaseOrder.objects.filter(state="ready").count() == 100
    assert taken_by_system(second) == of_system and workbooks_mailed(second) == []
    with pytest.raises(Refused, match="Ask the suppliers first"):
        quarantine.release(by=cast.BY, at=AFTER)

    result = quarantine.read_back(at=AFTER, by=cast.BY)
    assert (result.placed, result.absent, result.silent) == (30, 0, [])
    known_here = set(PurchaseOrder.objects.values_list("reference", flat=True))
    foreign = set(of_system) - known_here
    assert len(foreign) == 20 and set(result.foreign) == {shop.system.code}
    assert foreign <= set(result.foreign[shop.system.code])
    assert result.doubtful == 30 + 20 + 20, (
        "the factory's thirty, and both suppliers' share of the twenty new orders"
    )
    assert not may_act_outward(AFTER), "only a person lets it act"
    assert quarantine.release(by=cast.BY, at=AFTER) == 70
    assert may_act_outward(AFTER)

    for hours in range(1, 4):
        work_until_idle(at=AFTER + timedelta(hours=hours))
        place_purchases.fix_runs(at=AFTER + timedelta(hours=hours), by=cast.BY)
    assert taken_by_system(second) == of_system, "nobody was sent anything a second time"
    assert workbooks_mailed(second) == [] and not PurchaseRun.objects.exists()
    assert audit() == []

    # A person asks the factory and the supplier; both have everything, the twenty under references of the lost copy.
    asked = quarantine.questions()
    assert len(asked) == 70
    theirs = {shop.factory.code: factory_refs, shop.system.code: system_refs}
    references = {q.purchase: theirs[q.supplier][q.order] for q in asked}
    at = AFTER + timedelta(hours=5)
    assert (
        quarantine.settle_purchases(list(references), placed=True, by=cast.BY, at=at, references=references)
        == {}
    )
    assert quarantine.questions() == []
    assert dict(PurchaseOrder.objects.values_list("reference", "order__number")) == placed
    assert not Task.objects.filter(kind="purchase_unknown", closed_at=None).exists()

    # So the factory's answer to the workbook it got from the lost copy fits.
    assert answered_by_factory(shop, workbook, at=at) == 50
    work_until_idle(at=at + timedelta(days=6))
    assert taken_by_system(second) == of_system
    assert audit() == []
    assert not Order.objects.exclude(purchased=4).exists(), "every unit was bought once"

    # And the shop goes on: a new order is placed under the new code.
    at += timedelta(days=7)
    cast.receive_orders(shop, ["Z1"], at=at)
    work_until_idle(at=at)
    fresh = PurchaseOrder.objects.filter(order__number="Z1")
    assert {p.state for p in fresh} == {"placed"}
    assert not {p.reference.split("-")[0] for p in fresh} & {ref.split("-")[0] for ref in placed}
    assert audit() == []


def answered_by_factory(shop, workbook: bytes, *, at) -> int:
    """The factory accepts every row of the workbook it was sent; returns how many rows were used."""
    import io

    from python_calamine import CalamineWorkbook

    from daifa.lib.sheets import Column, Table, write_xlsx

    sheet = CalamineWorkbook.from_filelike(io.BytesIO(workbook)).get_sheet_by_index(0).to_python()
    rows = [
        [row[0], str(int(row[1])), *map(str, row[2:14]), int(row[4]), "", "", "", ""] for row in sheet[1:]
    ]
    buffer = io.BytesIO()
    write_xlsx(buffer, Table("Sheet1", [Column(str(title)) for title in sheet[0]], rows))
    return cast.read_file(
        shop, "replies", "reply.xlsx", buffer.getvalue(), at=at, supplier=shop.factory
    ).rows_used


def test_what_the_suppliers_never_got_is_placed_after_all(move_to, tmp_path):
    """The other side: the machine was lost right after the backup, nothing had been placed."""
    move_to("first")
    shop = cast.open_shop()
    cast.receive_orders(shop, KNOWN[:3])
    react(at=cast.MORNING)
    cast.receive_orders(shop, NEW[:2], at=cast.MORNING + timedelta(hours=1))
    write_backup(tmp_path / "shop.daifa", by="test", at=BACKUP)
    postgres.restore_first_rows(connection)

    second = move_to("second")
    restore_backup(tmp_path / "shop.daifa", by="test", at=CRASH)
    work_until_idle(at=AFTER)
    result = quarantine.read_back(at=AFTER, by=cast.BY)
    assert (result.placed, result.absent, result.foreign) == (0, 3, {})
    assert result.doubtful == 3 + 2, "only the factory cannot be asked; the system is believed"
    quarantine.release(by=cast.BY, at=AFTER)
    work_until_idle(at=AFTER)
    assert PurchaseOrder.objects.filter(supplier=shop.system, state="placed").count() == 5
    assert set(taken_by_system(second).values()) == {1}
    assert workbooks_mailed(second) == []
    asked = [question.purchase for question in quarantine.questions()]
    assert quarantine.settle_purchases(asked, placed=False, by=cast.BY, at=AFTER) == {}
    work_until_idle(at=AFTER + timedelta(hours=1))
    assert PurchaseOrder.objects.filter(supplier=shop.factory, state="placed").count() == 5
    assert len(workbooks_mailed(second)) == 1
    assert audit() == []


def test_a_run_that_was_fixed_but_not_sent_is_in_doubt(move_to, tmp_path):
    move_to("first")
    shop = cast.open_shop()
    cast.receive_orders(shop, KNOWN[:3], skus=(cast.FROM_FACTORY,))
    react(at=cast.MORNING)
    [run] = place_purchases.fix_runs(at=cast.MORNING, by=cast.BY)
    content = bytes(PurchaseRun.objects.get(pk=run).content)
    write_backup(tmp_path / "shop.daifa", by="test", at=BACKUP)
    postgres.restore_first_rows(connection)

    second = move_to("second")
    restore_backup(tmp_path / "shop.daifa", by="test", at=CRASH)
    assert place_purchases.send_runs(at=AFTER)["placed"] == 0
    with pytest.raises(Refused, match="quarantined"):
        place_purchases.confirm_run(run, by=cast.BY, at=AFTER)
    assert quarantine.read_back(at=AFTER, by=cast.BY).runs == 1
    quarantine.release(by=cast.BY, at=AFTER)
    work_until_idle(at=AFTER)
    assert workbooks_mailed(second) == []
    [question] = quarantine.questions()
    assert question.run == run
    place_purchases.settle_run(run, False, by=cast.BY, at=AFTER)
    work_until_idle(at=AFTER)
    [name] = workbooks_mailed(second)
    assert name.startswith("REPEAT"), "had it gone out after all, the factory can tell"
    assert bytes(PurchaseRun.objects.get(pk=run).content) == content
    assert audit() == []


def letters_to_buyers(home) -> Counter:
    """(to, subject) of every letter to a buyer."""
    found: Counter = Counter()
    for path in sorted((home / "mail").glob("buyer-*.eml")):
        letter = message_from_bytes(path.read_bytes(), policy=policy.default)
        found[letter["To"], letter["Subject"]] += 1
    return found


def test_buyers_are_not_told_twice_by_what_is_imported_after_the_release(move_to, tmp_path, monkeypatch):
    """The lost copy told the buyers of an order the backup does not know; its file comes in again after the release."""
    from daifa.connectors.fake.connector import FakeSupplier
    from daifa.domain.messages import commands as messages
    from daifa.domain.messages.models import Message

    # Shipped after 20 hours and moved after 35, both before the release, whatever the reference's chance would say.
    monkeypatch.setattr(FakeSupplier, "_hours", lambda self, _reference, what, default: float(self.script.get(what, default)))
    first = move_to("first")
    shop = cast.open_shop()
    cast.receive_orders(shop, ["K00"], skus=(cast.FROM_SYSTEM,))
    work_until_idle(at=cast.MORNING)
    write_backup(tmp_path / "shop.daifa", by="test", at=BACKUP)
    late = cast.MORNING + timedelta(hours=3)
    cast.receive_orders(shop, ["N00"], skus=(cast.FROM_SYSTEM,), at=late)
    work_until_idle(at=late)
    told = letters_to_buyers(first)
    assert len(told) == 2 and set(told.values()) == {1}, "both were told that their order was received"
    postgres.restore_first_rows(connection)

    second = move_to("second")
    restore_backup(tmp_path / "shop.daifa", by="test", at=CRASH)
    quarantine.read_back(at=AFTER, by=cast.BY)
    quarantine.release(by=cast.BY, at=AFTER)
    again = AFTER + timedelta(hours=1)
    cast.read_file(shop, "orders", "orders.csv", cast.order_file(["N00"], skus=(cast.FROM_SYSTEM,), at=late), at=again)
    cast.read_file(shop, "orders", "new.csv", cast.order_file(["Z00"], skus=(cast.FROM_SYSTEM,), at=again), at=again)
    work_until_idle(at=again)
    held = Message.objects.get(order__number="N00", kind="order_received")
    assert (held.state, held.reason) == ("suppressed", "restored")
    assert Message.objects.get(order__number="Z00", kind="order_received").state == "sent", "the shop goes on"
    # The letter about K00 came back with the backup; only the new order was written to.
    assert {to for to, _subject in letters_to_buyers(second)} == {"annaK00@example.invalid", "annaZ00@example.invalid"}
    [task] = Task.objects.filter(kind="messages_held_back", closed_at=None)
    assert (task.store_id, task.thing_kind) == (shop.store.pk, "store")

    # Handed over before the release: told or not, a person looks. Delivered after it: nobody else can have told it.
    of_known = dict(Message.objects.filter(order__number="K00").values_list("kind", "reason"))
    assert of_known == {"order_received": "", "dispatched": "restored", "in_transit": "restored"}
    at = again + timedelta(days=4)
    work_until_idle(at=at)
    assert Message.objects.get(order__number="K00", kind="delivered").state == "sent"
    # A person looked at the sent mail: this one never went out.
    assert messages.retry_messages([held.pk], by=cast.BY, at=at) == {}
    sent = Message.objects.filter(state="sent").first()
    assert messages.retry_messages([sent.pk], by=cast.BY, at=at), "only what failed or was held back"
    held.refresh_from_db()
    assert held.state == "queued"
    work_until_idle(at=at)
    assert audit() == []


def test_a_supplier_that_does_not_answer_keeps_the_copy_closed(move_to, tmp_path, monkeypatch):
    from daifa.connectors.errors import TryLater
    from daifa.connectors.fake.connector import FakeSupplier

    move_to("first")
    shop = cast.open_shop()
    cast.receive_orders(shop, KNOWN[:2], skus=(cast.FROM_SYSTEM,))
    react(at=cast.MORNING)
    write_backup(tmp_path / "shop.daifa", by="test", at=BACKUP)
    postgres.restore_first_rows(connection)
    move_to("second")
    restore_backup(tmp_path / "shop.daifa", by="test", at=CRASH)

    def busy(self, references, *, at):
        raise TryLater("Busy.")

    with monkeypatch.context() as patch:
        patch.setattr(FakeSupplier, "find", busy)
        assert quarantine.read_back(at=AFTER, by=cast.BY).silent == [shop.system.code]
    with pytest.raises(Refused, match="Ask the suppliers first"):
        quarantine.release(by=cast.BY, at=AFTER)
    assert {p.state for p in PurchaseOrder.objects.all()} == {"unknown"}
    assert quarantine.read_back(at=AFTER, by=cast.BY).absent == 2
    quarantine.release(by=cast.BY, at=AFTER)
    assert audit() == []
    with pytest.raises(Refused, match="not quarantined"):
        quarantine.read_back(at=AFTER, by=cast.BY)


def test_a_purchase_that_is_not_in_doubt_is_not_settled(move_to):
    move_to("first")
    shop = cast.open_shop()
    cast.receive_orders(shop, KNOWN[:1])
    work_until_idle(at=cast.MORNING)
    ids = list(PurchaseOrder.objects.values_list("pk", flat=True))
    refused = quarantine.settle_purchases(ids, placed=False, by=cast.BY, at=AFTER)
    assert set(refused) == set(ids) and all("not in doubt" in sentence for sentence in refused.values())
    assert {p.state for p in PurchaseOrder.objects.all()} == {"placed"}
