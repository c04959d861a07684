"""One buyer with unmistakable marks goes through everything, is erased, and is then looked for everywhere.

The search here shares nothing with the code that erases: whole tables as text, every file, a fresh backup, taken apart.
"""

import csv
import dataclasses
import io
import json
import re
import zipfile
from datetime import timedelta
from decimal import Decimal
from email import message_from_bytes
from fnmatch import fnmatch
from pathlib import Path

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import translation

from daifa.domain.aftersales.commands import open_case
from daifa.domain.books.commands import NewExpense, add_expenses
from daifa.domain.books.models import Entry, Posting
from daifa.domain.cases.commands import (
    NewComplaint,
    ask_pack,
    attach_files,
    finish_pack,
    open_complaints,
    settle_complaint,
)
from daifa.domain.cases.models import Complaint, EvidencePack
from daifa.domain.imports.models import ImportFile, ImportRow
from daifa.domain.orders.models import AddressVersion, Order
from daifa.domain.privacy.commands import Kept, hold_orders, set_retention
from daifa.domain.privacy.models import BackupTaken, Erasure, LegalHold, UploadSieve
from daifa.domain.privacy.places import FOLDERS
from daifa.domain.purchasing.models import PurchaseRun
from daifa.domain.shipping.commands import record_scans
from daifa.domain.shipping.models import Parcel, TrackingEvent
from daifa.domain.stores.commands import NewTask, open_tasks
from daifa.domain.stores.models import Task
from daifa.flows import privacy, quarantine, shred_places
from daifa.flows.audit import audit
from daifa.flows.backup import restore_backup, write_backup
from daifa.flows.export_person import export_person
from daifa.flows.work import work_until_idle
from daifa.lib import bulk, keeping
from daifa.lib.refusal import Refused
from daifa.lib.sieve import Sieve
from tests import cast, postgres

pytestmark = pytest.mark.django_db(transaction=True)

NAME, PHONE, MAIL = "Zebedee Quillfeather", "+44 7911 555 017", "zebedee.quill@planted.example.invalid"
STREET, HOUSE, TOWN, CODE = "77 Marmalade Mews", "Flat Ypsilon", "Zyxborough", "ZQ9 7XY"
REF, NOTE = "quill-ref-zz99", "Leave it with Mr Zebedee at the marmalade gate"
MARKS = ("zebedee", "quillfeather", "marmalade", "ypsilon", "zyxborough", "zq97xy", "7911555017", "quillref")
"""As they look without spaces, signs and capitals."""

_HEADING = (
    "Order number", "Date", "SKU", "Title", "Quantity", "Unit price", "Currency", "Customer", "Name", "Address", "Address 2",
    "City", "Postcode", "Country", "Phone", "Email", "Note",
)  # fmt: skip


@pytest.fixture
def home(tmp_path, settings):
    top = tmp_path / "home"
    for folder in ("files", "mail"):
        (top / folder).mkdir(parents=True)
    settings.DAIFA_HOME = top
    settings.EMAIL_FILE_PATH = top / "mail"
    settings.MEDIA_ROOT = top / "files"
    return top


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def order_file(*, quantity: str = "2") -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_HEADING)
    for number, buyer in (
        ("Z1", (REF, NAME, STREET, HOUSE, TOWN, CODE, "GB", PHONE, MAIL, NOTE)),
        ("A1", ("anna-1", "Anna Wood", "1 High Street", "", "Leeds", "LS1 4AP", "GB", "+44 7700 900123", "anna@example.invalid", "")),
    ):
        for sku, price in (("MUG", "12.00"), ("LAMP", "30.00")):
            writer.writerow([number, "2026-03-02 08:00:00", sku, sku.title(), quantity, price, "GBP", *buyer])
    return text.getvalue().encode()


def loop(shop):
    """Through the front door to the door of the house, with everything said on the way."""
    at = cast.MORNING
    cast.read_file(shop, "orders", f"orders of {NAME}.csv", order_file(), at=at)
    broken = cast.read_file(shop, "orders", "again.csv", order_file(quantity="some").replace(b"Z1", b"Z2"), at=at)
    assert broken.rows_refused and ImportRow.objects.exclude(raw=[]).exists()
    work_until_idle(at=at)
    at += timedelta(hours=30)
    run = PurchaseRun.objects.get()
    cast.answer_run(shop, run.pk, at=at)
    work_until_idle(at=at)
    at += timedelta(hours=120)
    numbers = bulk.fetch(
        "SELECT p.number, o.number FROM shipping_parcel p JOIN orders_order o ON o.id = p.order_id WHERE p.supplier_id = %s",
        (shop.factory.pk,),
    )
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["Tracking number", "Time", "Status", "Place"])
    for number, order in numbers:
        town, name = (TOWN, NAME) if order == "Z1" else ("Leeds", "Anna Wood")
        for when, status in ((at - timedelta(hours=2), f"In transit to {town}"), (at - timedelta(hours=1), f"Delivered, signed by {name}")):
            writer.writerow([number, when.strftime("%Y-%m-%d %H:%M:%S"), status, town])
    cast.read_file(shop, "tracking", "scans.csv", text.getvalue().encode(), at=at)
    work_until_idle(at=at)
    order = Order.objects.get(number="Z1")
    assert order.status == "delivered", order.status
    line = order.lines.first()
    case = open_case(order_id=order.pk, kind="refund", reason="damaged", lines=[(line.pk, 1)],
                     note=f"{NAME} writes: broken at {STREET}", by=cast.BY, at=at)  # fmt: skip
    bulk.execute("UPDATE aftersales_aftersalecase SET state = 'closed' WHERE id = %s", (case,))
    bulk.execute(
        """INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
           SELECT max(id), 9, %s, 'requested', 'closed', %s FROM history_batch""", (case, at),
    )  # fmt: skip
    open_complaints(
        [NewComplaint("damaged", f"I am {NAME}, call {PHONE}", at, "CP-1", "Z1")], store=shop.store, source=cast.BY, by=cast.BY, at=at
    )
    complaint = Complaint.objects.get()
    attach_files([("a.png", picture(NAME))], store_id=shop.store.pk, thing_kind="complaint", thing=complaint.pk,
                 note=f"from {NAME}", by=cast.BY, at=at)  # fmt: skip
    pack = ask_pack(
        store_id=shop.store.pk, case_kind="complaint", case=complaint.pk, orders=[order.pk], name="pack.zip", language="en",
        revealed=True, reason=f"asked by {NAME}", by=cast.BY, at=at,
    )  # fmt: skip
    finish_pack(
        pack.pk, name="pack.zip", content=b"PK not really, but of " + NAME.encode(), contents=[("order.json", "0" * 64, 1, "order")],
        left_out=[f"the address of {NAME}"], gaps=[f"nobody asked {NAME}"], by=cast.BY, at=at,
    )  # fmt: skip
    # What a program or a person may write down by accident.
    open_tasks([NewTask("supplier_needs_person", shop.store.pk, "supplier", shop.factory.pk, {"sentence": f"Who is {NAME}?"})], at=at)
    bulk.execute("INSERT INTO history_batch (by, at, reason) VALUES ('user:1', %s, %s)", (at, f"returned by {NAME}, {STREET}"))
    bulk.execute(
        """INSERT INTO history_pendingreaction (reaction, things, at, state, reason)
           VALUES ('invite_review', '{1}', %s, 'suppressed', %s)""", (at, f"mail to {MAIL} failed"),
    )  # fmt: skip
    bulk.execute(
        """INSERT INTO procrastinate_jobs (queue_name, task_name, args, status)
           VALUES ('default', 'daifa.odd', jsonb_build_object('to', %s::text), 'failed')""", (MAIL.upper(),),
    )  # fmt: skip
    from daifa.domain.sourcing.models import Agreement

    agreement = Agreement.objects.first()
    agreement.note = f"complained to us about {NAME}"
    agreement.save()  # and once more in the history of edits
    (Path(settings.MEDIA_ROOT) / "imports" / "left.part").write_bytes(order_file())
    return at


def picture(words: str) -> bytes:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Comment", words)
    found = io.BytesIO()
    Image.new("RGB", (20, 20), "white").save(found, "PNG", pnginfo=info)
    return found.getvalue()


# --- The search ---------------------------------------------------------------------------------------------------


def plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text.lower())


def in_text(text: str) -> set[str]:
    squeezed = plain(text)
    return {mark for mark in MARKS if mark in squeezed}


def in_bytes(content: bytes) -> set[str]:
    """Marks in a file: as it is, in what it packs, in what it encodes."""
    found = in_text(content.decode("utf-8", "replace")) | in_text(content.decode("utf-16-le", "replace"))
    if content[:4] == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for name in archive.namelist():
                    found |= in_text(name) | in_bytes(archive.read(name))
        except zipfile.BadZipFile:
            pass
    if b"MIME-Version" in content[:3000]:
        letter = message_from_bytes(content)
        for part in letter.walk():
            body = part.get_payload(decode=True)
            if isinstance(body, bytes):
                found |= in_bytes(body)
    # COPY writes bytea as hexadecimal digits
    for digits in re.findall(rb"\\x((?:[0-9a-f]{2}){8,})", content):
        found |= in_bytes(bytes.fromhex(digits.decode()))
    return found


def in_database() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    tables = [row[0] for row in bulk.fetch("SELECT relname FROM pg_class WHERE relkind IN ('r', 'm') AND relnamespace = 'public'::regnamespace")]
    assert len(tables) > 80
    for table in tables:
        for (row,) in bulk.fetch(f'SELECT t::text FROM "{table}" t'):
            if marks := in_bytes(row.replace('"\\\\x', '"\\x').replace("\\\\", "\\").encode()):
                found.setdefault(table, set()).update(marks)
    return found


def in_files(top: Path) -> dict[str, set[str]]:
    return {
        path.relative_to(top).as_posix(): marks
        for path in top.rglob("*") if path.is_file() and (marks := in_bytes(path.read_bytes()) | in_text(path.name))
    }  # fmt: skip


def books() -> list[tuple]:
    return list(Posting.objects.order_by("entry_id", "line_no").values_list("entry_id", "line_no", "account_id", "currency", "amount"))


def answer_all(at) -> None:
    set_retention([Kept(data, 0, None, "asked our adviser") for data in ("contact", "letters", "papers", "disputes")], by=cast.BY, at=at)


# --- The stories --------------------------------------------------------------------------------------------------


def test_an_erased_buyer_is_nowhere(home, tmp_path):
    shop = cast.open_shop()
    at = loop(shop)
    scope = [shop.store.pk]
    assert len(in_database()) >= 14, in_database().keys()
    assert {name.split("/")[0] for name in in_files(home)} == {"files", "mail"}
    off_the_map = [
        name for path in home.rglob("*") if path.is_file()
        and not any(fnmatch(name := path.relative_to(home).as_posix(), folder.pattern) for folder in FOLDERS)
    ]  # fmt: skip
    assert off_the_map == [], "files in a folder that daifa/domain/privacy/places.py does not know"
    before = write_backup(tmp_path / "before.daifa", by="test", at=at)
    assert in_bytes(before.path.read_bytes()) == set(MARKS)
    money, entries = books(), bulk.fetch("SELECT count(*) FROM books_entry")
    mark = AddressVersion.objects.get(order__number="Z1")
    sent_to = address_of(mark)
    files = {row.sha256: row.rows_in for row in ImportFile.objects.all()}
    run = PurchaseRun.objects.get()

    # The open dispute keeps it, and says why.
    person = privacy.find_person(scope, email=MAIL.upper())
    assert [Order.objects.get(pk=order).number for order in person.orders] == ["Z1"]
    answer_all(at)
    held = privacy.erase_person(person, by=cast.BY, at=at)
    assert held.erasure is None and not Erasure.objects.exists()
    assert [stay.sentence() for stay in held.stays] == [
        "A dispute is open (CP-1), and the original records may be asked for: order Z1."
    ]
    assert AddressVersion.objects.get(order__number="Z1").name == NAME

    settle_complaint(complaint_id=Complaint.objects.get().pk, outcome="refunded", by=cast.BY, at=at)
    told = privacy.what_we_hold(person, at=at)
    assert told.may_go and told.stays == []
    assert {row["code"] for row in told.told} == {"gifts-factory", "gifts-system"}
    assert in_database() and in_files(home), "counting changes nothing"
    done = privacy.erase_person(person, by=cast.BY, at=at)
    assert done.stays == [] and done.erasure is not None
    assert done.counts == told.counts
    assert {backup.place for backup in done.backups} == {str(before.path)}

    assert in_database() == {}
    assert in_files(home) == {}
    after = write_backup(tmp_path / "after.daifa", by="test", at=at)
    assert in_bytes(after.path.read_bytes()) == set()
    assert books() == money and bulk.fetch("SELECT count(*) FROM books_entry") == entries
    assert audit() == []

    # What must outlive: the other buyer, hashes, counts, and where the parcel went.
    assert AddressVersion.objects.get(order__number="A1").name == "Anna Wood"
    assert "anna" in plain("".join(path.read_bytes().decode("utf-8", "replace") for path in (home / "files").rglob("*") if path.is_file()))
    assert {row.sha256: row.rows_in for row in ImportFile.objects.all()} == files
    again = PurchaseRun.objects.get()
    assert (again.sha256, again.rows) == (run.sha256, run.rows) and len(again.content) > 0
    assert privacy.goes_to(mark.order_id, 1, sent_to)
    assert not privacy.goes_to(mark.order_id, 1, sent_to.__class__(name="Somebody Else", line1=STREET, country="GB"))
    order = Order.objects.get(number="Z1")
    assert (order.total_amount, order.country, order.status) == (84, "GB", "delivered")
    assert EvidencePack.objects.get().erased_at == at
    # Asked again, we say when.
    anew = privacy.what_we_hold(privacy.find_person(scope, email=MAIL), at=at)
    assert anew.orders == [] and [erasure.pk for erasure in anew.erased] == [done.erasure.pk]
    # An old file read again brings nobody back.
    rows_before = Order.objects.count()
    cast.read_file(shop, "orders", "old.csv", order_file(), at=at)
    assert Order.objects.count() == rows_before and AddressVersion.objects.get(order__number="Z1").name == done.erasure.token


def address_of(version):
    from daifa.connectors.contract import Address

    return Address(**{name: getattr(version, name) for name in (
        "name", "line1", "line2", "city", "region", "postcode", "country", "phone", "email", "raw", "token")})  # fmt: skip


def test_a_person_is_handed_everything_and_nobody_elses(home):
    shop = cast.open_shop()
    at = loop(shop)
    name, content = export_person(privacy.find_person([shop.store.pk], email=MAIL), by=cast.BY, at=at)
    assert name.endswith(".zip")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        data, page = json.loads(archive.read("data.json")), archive.read("read-me.html").decode()
        assert {member.split("/")[0] for member in archive.namelist()} == {"data.json", "read-me.html", "photos", "letters"}
        assert len([member for member in archive.namelist() if member.startswith("letters/")]) >= 5
    assert data["Orders"][0]["number"] == "Z1" and data["Addresses"][0]["line1"] == STREET
    assert data["Complaints"][0]["text"] == f"I am {NAME}, call {PHONE}"
    assert len(data["Rows of uploads"]) == 2 and MAIL in data["Rows of uploads"][0]["cells"]
    assert {row["supplier"] for row in data["Suppliers who were given the address"]} == {"Factory", "System"}
    assert NAME in page and "<script" not in page
    for other in ("Anna", "A1", "High Street"):
        assert other not in json.dumps(data) and other not in page
    headings = set(re.findall(r"<th>(.*?)</th>", page))
    assert {"Placed", "Total", "Mail address"} <= headings and not [one for one in headings if "_" in one]
    with translation.override("zh-hans"):
        _name, content = export_person(privacy.find_person([shop.store.pk], email=MAIL), by=cast.BY, at=at)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        again, page = json.loads(archive.read("data.json")), archive.read("read-me.html").decode()
    assert list(again) == list(data), "what programs read does not hang on the reader's language"
    assert "<th>下单时间</th>" in page and "截至" in page and "0000</td>" not in page


def test_restoring_an_older_backup_erases_again(home, tmp_path):
    shop = cast.open_shop()
    at = loop(shop)
    settle_complaint(complaint_id=Complaint.objects.get().pk, outcome="refunded", by=cast.BY, at=at)
    answer_all(at)
    write_backup(tmp_path / "old.daifa", by="test", at=at)
    done = privacy.erase_person(privacy.find_person([shop.store.pk], phone="07911 555017"), by=cast.BY, at=at)
    assert done.erasure is not None
    assert (home / "erasures.jsonl").is_file() and (tmp_path / "erasures.jsonl").is_file()
    assert in_files(home) == {} and in_bytes((tmp_path / "erasures.jsonl").read_bytes()) == set()
    postgres.restore_first_rows(connection)
    for path in [path for path in home.rglob("*") if path.is_file()]:
        path.unlink()  # another machine: only the backup and what lies beside it came along
    restored = restore_backup(tmp_path / "old.daifa", by="test", at=at + timedelta(days=1))
    assert restored.warnings == ["1 erasure that was made since the backup was made here as well."]
    assert in_database() == {} and in_files(home) == {}
    assert [(row.uuid, row.kind, row.token) for row in Erasure.objects.all()] == [(done.erasure.uuid, "person", done.erasure.token)]
    assert AddressVersion.objects.get(order__number="A1").name == "Anna Wood"
    assert audit() == []


def test_a_log_that_turns_up_later_is_heeded_before_the_release(home, tmp_path):
    shop = cast.open_shop()
    at = loop(shop)
    settle_complaint(complaint_id=Complaint.objects.get().pk, outcome="refunded", by=cast.BY, at=at)
    answer_all(at)
    write_backup(tmp_path / "old.daifa", by="test", at=at)
    add_expenses([NewExpense(shop.store.pk, "other", Decimal("5"), "GBP", at.date(), f"flowers for {NAME}", "k1", 1)], by=cast.BY, at=at)
    done = privacy.erase_person(privacy.find_person([shop.store.pk], email=MAIL), by=cast.BY, at=at)
    assert done.stays == [] and in_database() == {}
    memo = Entry.objects.get(fact="expense").memo
    assert memo == "flowers for ***", "of the entry only the words are gone"
    with pytest.raises(DatabaseError, match="never edited"), transaction.atomic():
        bulk.execute("UPDATE books_entry SET memo = 'flowers'")
    for wrong in ("memo = 'other words'", "memo = '***', fact_id = fact_id + 1", "at = at + interval '1 day'"):
        with pytest.raises(DatabaseError, match="only words of the memo"), transaction.atomic():
            bulk.execute("SELECT set_config('daifa.erasing', 'yes', true)")
            bulk.execute(f"UPDATE books_entry SET {wrong}")
    kept = (tmp_path / "erasures.jsonl").read_text()
    postgres.restore_first_rows(connection)
    for path in [*home.rglob("*"), tmp_path / "erasures.jsonl"]:
        if path.is_file():
            path.unlink()
    restored = restore_backup(tmp_path / "old.daifa", by="test", at=at + timedelta(days=1))
    assert restored.warnings == [] and in_database() and in_files(home)
    (home / "erasures.jsonl").write_text(kept + "{ this line is damaged\n")
    quarantine.read_back(by="test", at=at + timedelta(days=1))
    quarantine.release(by="test", at=at + timedelta(days=1))
    assert in_database() == {} and in_files(home) == {}
    assert privacy.erase_again(by="test", at=at + timedelta(days=2)) == 0
    assert audit() == []


def test_scans_of_one_moment_that_only_their_words_told_apart_become_one(home):
    shop = cast.open_shop()
    at = loop(shop)
    settle_complaint(complaint_id=Complaint.objects.get().pk, outcome="refunded", by=cast.BY, at=at)
    answer_all(at)
    box = Parcel.objects.filter(order__number="Z1").first()
    scans = [(box.pk, at, "in_transit", words, place) for words, place in (("left", "Leeds"), ("left", "York"), (f"for {NAME}", "York"))]
    record_scans(scans, source="test", by=cast.BY, at=at)
    assert TrackingEvent.objects.filter(parcel=box, at=at).count() == 3
    done = privacy.erase_person(privacy.find_person([shop.store.pk], email=MAIL), by=cast.BY, at=at)
    assert done.stays == [] and in_database() == {}
    assert list(TrackingEvent.objects.filter(parcel=box, at=at).values_list("status", "raw_status", "place")) == [("in_transit", "", "")]
    assert audit() == []


def test_nothing_goes_before_somebody_said_how_long_it_is_kept(home):
    shop = cast.open_shop()
    at = loop(shop)
    settle_complaint(complaint_id=Complaint.objects.get().pk, outcome="refunded", by=cast.BY, at=at)
    person = privacy.find_person([shop.store.pk], name="zebedee  QUILLFEATHER", number="Z1")
    nothing = privacy.erase_person(person, by=cast.BY, at=at)
    assert nothing.erasure is None and {stay.code for stay in nothing.stays} == {"unknown"}
    assert "Nobody has said how long names, addresses, phones and mail are kept in Example Gifts" in nothing.stays[-1].sentence() + "".join(
        stay.sentence() for stay in nothing.stays
    )
    assert Task.objects.filter(kind="retention_unknown", closed_at=None, store=shop.store).count() == 1
    assert privacy.keep_retention(at=at)["erased"] == 0
    set_retention([Kept("contact", 30, 60, "contract"), Kept("letters", 0, None, "x"), Kept("papers", 0, 60, "x"), Kept("disputes", 0, 900, "x")],
                  by=cast.BY, at=at)  # fmt: skip
    assert not Task.objects.filter(kind="retention_unknown", closed_at=None).exists()
    assert {stay.code for stay in privacy.what_we_hold(person, at=at).stays} == {"too_early"}
    # Held by hand, then its time is over.
    hold_orders(person.orders, reason="the carrier investigates", by=cast.BY, at=at)
    late = at + timedelta(days=61)
    assert privacy.keep_retention(at=late)["erased"] == 1, "the other buyer's order has had its time"
    assert AddressVersion.objects.get(order__number="A1").name.startswith("erased:")
    assert AddressVersion.objects.get(order__number="Z1").name == NAME
    LegalHold.objects.update(released_at=late, released_by="user:1")
    privacy.keep_retention(at=late)
    assert AddressVersion.objects.get(order__number="Z1").name.startswith("erased:")
    assert Complaint.objects.get().text, "complaints are kept longer here"
    assert privacy.keep_retention(at=late)["erased"] == 0
    privacy.keep_retention(at=at + timedelta(days=901))
    assert Complaint.objects.get().text == ""
    assert audit() == []


def test_a_closed_store_is_shredded_and_its_books_stay(home):
    shop = cast.open_shop()
    at = loop(shop)
    money = books()
    answer_all(at)
    first = privacy.shred_store(shop.store.pk, by=cast.BY, at=at)
    assert {stay.code for stay in first.stays} == {"dispute_open"}
    assert AddressVersion.objects.get(order__number="Z1").name == NAME
    assert AddressVersion.objects.get(order__number="A1").name.startswith("erased:")
    settle_complaint(complaint_id=Complaint.objects.get().pk, outcome="refunded", by=cast.BY, at=at)
    second = privacy.shred_store(shop.store.pk, by=cast.BY, at=at)
    assert second.stays == []
    assert in_database() == {} and in_files(home) == {}
    assert bytes(PurchaseRun.objects.get().content) == b""
    assert privacy.shred_store(shop.store.pk, by=cast.BY, at=at).counts == {}, "doing it again finds nothing"
    assert books() == money and audit() == []


class Killed(Exception):
    pass


@pytest.mark.parametrize("when", ["after the texts of the first stride", "in the second chunk", "before the uploads"])
def test_a_store_goes_in_strides_and_goes_on_where_it_was_stopped(home, monkeypatch, when):
    shop = cast.open_shop()
    at = loop(shop)
    settle_complaint(complaint_id=Complaint.objects.get().pk, outcome="refunded", by=cast.BY, at=at)
    money = books()
    answer_all(at)
    monkeypatch.setattr(privacy, "AT_ONCE", 1)
    monkeypatch.setattr(privacy, "STRIDE", 1)
    calls = []

    def stopped(name, at_call):
        plain = getattr(privacy, name)

        def doing(work):
            calls.append(name)
            if len(calls) == at_call:
                raise Killed
            return plain(work)

        monkeypatch.setattr(privacy, name, doing)
        return lambda: monkeypatch.setattr(privacy, name, plain)

    again = {
        "after the texts of the first stride": lambda: stopped("shred_rows", 1),
        "in the second chunk": lambda: stopped("shred_rows", 2),
        "before the uploads": lambda: stopped("shred_store_papers", 1),
    }[when]()
    with pytest.raises(Killed):
        privacy.shred_store(shop.store.pk, by=cast.BY, at=at)
    again()
    assert Erasure.objects.count() == {"after the texts of the first stride": 0, "in the second chunk": 1, "before the uploads": 2}[when]
    privacy.shred_store(shop.store.pk, by=cast.BY, at=at)
    assert in_database() == {} and in_files(home) == {}
    erased = [row.orders for row in Erasure.objects.order_by("pk")]
    assert sorted(order for orders in erased for order in orders["contact"]) == sorted(Order.objects.values_list("pk", flat=True))
    assert not any(in_bytes((home / "files/imports" / file.sha256[:2] / file.sha256).read_bytes()) for file in ImportFile.objects.all()
                   if (home / "files/imports" / file.sha256[:2] / file.sha256).exists())  # fmt: skip
    assert (home / "erasures.jsonl").read_text().count("\n") == Erasure.objects.count()
    assert privacy.shred_store(shop.store.pk, by=cast.BY, at=at).counts == {}
    assert books() == money and audit() == []


def test_two_buyers_of_one_name(home):
    """The one goes, the other's rows stay whole; what tells neither apart stays and is told."""
    shop = cast.open_shop()
    at = cast.MORNING
    other = order_file().decode().replace("Z1", "Z7").replace(REF, "another-quill").replace(STREET, "5 Other Road").replace(HOUSE, "")
    other = other.replace(TOWN, "Leeds").replace(CODE, "LS9 9ZZ").replace(PHONE, "+44 7700 900777").replace(MAIL, "second@example.invalid")
    other = other.replace(NOTE, "")
    both = order_file() + other.split("\r\n", 1)[1].replace("A1", "A7").replace("anna", "anne").encode()
    cast.read_file(shop, "orders", "both.csv", both, at=at)
    work_until_idle(at=at)
    answer_all(at)
    bulk.execute("INSERT INTO history_batch (by, at, reason) VALUES ('user:1', %s, %s)", (at, f"called by {NAME}"))
    bulk.execute("INSERT INTO history_batch (by, at, reason) VALUES ('user:1', %s, %s)", (at, f"Z1: called by {NAME}"))
    bulk.execute("UPDATE orders_order SET is_history = true WHERE number = 'Z1'")
    person = privacy.find_person([shop.store.pk], email=MAIL)
    assert [Order.objects.get(pk=order).number for order in person.orders] == ["Z1"]
    _name, content = export_person(person, by=cast.BY, at=at)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert b"Z7" not in archive.read("data.json") and b"second@" not in archive.read("data.json")
    done = privacy.erase_person(person, by=cast.BY, at=at)
    assert [(stay.code, stay.params) for stay in done.stays] == [("same_name", {"count": 1})], "the reason that names nobody's order"
    assert AddressVersion.objects.get(order__number="Z7").name == NAME
    upload = next(path.read_bytes().decode() for path in (home / "files/imports").rglob("*") if path.is_file())
    assert [NAME in line for line in upload.splitlines() if line.startswith(("Z1", "Z7"))] == [False, False, True, True]
    reasons = {row[0] for row in bulk.fetch("SELECT reason FROM history_batch WHERE reason LIKE '%%called by%%'")}
    assert reasons == {f"called by {NAME}", "Z1: called by ***"}
    book = next(bytes(run.content) for run in PurchaseRun.objects.all())
    from python_calamine import CalamineWorkbook

    rows = CalamineWorkbook.from_filelike(io.BytesIO(book)).get_sheet_by_index(0).to_python()
    told = [[str(cell) for cell in row] for row in rows if "***" in map(str, row) or NAME in map(str, row)]
    assert sorted(NAME in row for row in told) == [False, True], (told, "the row of the other buyer can still be shipped")


def test_a_name_that_another_customer_bears_is_shared_too(home):
    """The other one's parcels go to somebody else's name: his rows keep what he is called all the same."""
    shop = cast.open_shop()
    at = cast.MORNING
    text = order_file().decode()
    cast.read_file(shop, "orders", "o.csv", text.encode(), at=at)
    work_until_idle(at=at)
    bulk.execute("UPDATE customers_customer SET name = %s WHERE id = (SELECT customer_id FROM orders_order WHERE number = 'A1')", (NAME,))
    answer_all(at)
    bulk.execute("INSERT INTO history_batch (by, at, reason) VALUES ('user:1', %s, %s)", (at, f"rung by {NAME}"))
    bulk.execute("INSERT INTO history_batch (by, at, reason) VALUES ('user:1', %s, %s)", (at, f"rung by {NAME} about Z1"))
    bulk.execute("UPDATE orders_order SET is_history = true")
    done = privacy.erase_person(privacy.find_person([shop.store.pk], email=MAIL), by=cast.BY, at=at)
    assert [(stay.code, stay.params) for stay in done.stays] == [("same_name", {"count": 1})]
    reasons = {row[0] for row in bulk.fetch("SELECT reason FROM history_batch WHERE reason LIKE 'rung%%'")}
    assert reasons == {f"rung by {NAME}", "rung by *** about Z1"}
    assert bulk.fetch("SELECT count(*) FROM customers_customer WHERE name = %s", (NAME,)) == [(1,)]


def test_other_spellings_of_one_buyer(home):
    """The order tells one way to write it; people, carriers and other systems wrote others."""
    shop = cast.open_shop()
    at = cast.MORNING
    text = order_file().decode().replace(NAME, "張曉明").replace(PHONE, "138 1234 5678").replace(MAIL, "Zhang.XM@planted.example.invalid")
    text = text.replace(STREET, "浙江省杭州市西湖区文三路1号").replace(NOTE, "")
    cast.read_file(shop, "orders", "o.csv", text.encode(), at=at)
    work_until_idle(at=at)
    answer_all(at)
    bulk.execute("UPDATE orders_order SET is_history = true WHERE number = 'Z1'")
    ways = ["张晓明", "張 曉明", "１３８１２３４５６７８", "+86 138-1234-5678", "0086 13812345678", "ＺＨＡＮＧ．ＸＭ＠ＰＬＡＮＴＥＤ．ＥＸＡＭＰＬＥ．ＩＮＶＡＬＩＤ",
            "zhang.xm@PLANTED.example.invalid", "浙江省 杭州市 西湖區 文三路１號"]  # fmt: skip
    for way in ways:
        bulk.execute("INSERT INTO history_batch (by, at, reason) VALUES ('user:1', %s, %s)", (at, f"said ({way}) so"))
    open_tasks([NewTask("supplier_needs_person", shop.store.pk, "supplier", shop.factory.pk, {"sentence": ways})], at=at)
    folder = home / "files/imports"
    for n, encoding in enumerate(("utf-8", "gb18030", "utf-16")):
        (folder / f"{n}.csv").write_bytes("\n".join(["heading,is,long", *ways]).encode(encoding))
    for asked in ({"email": "ＺＨＡＮＧ.xm@planted.example.INVALID"}, {"phone": "+86 １３８-1234-5678"}, {"name": "张 晓明", "number": "Z1"}):
        person = privacy.find_person([shop.store.pk], **asked)
        assert [Order.objects.get(pk=order).number for order in person.orders] == ["Z1"], asked
    done = privacy.erase_person(person, by=cast.BY, at=at)
    assert done.stays == []
    assert {row[0] for row in bulk.fetch("SELECT reason FROM history_batch WHERE reason LIKE 'said%%'")} == {"said (***) so"}
    assert Task.objects.get(kind="supplier_needs_person").params == {"sentence": ["***"] * len(ways)}
    for n, encoding in enumerate(("utf-8", "gb18030", "utf-16")):
        assert (folder / f"{n}.csv").read_bytes().decode(encoding) == "\n".join(["heading,is,long", *["***"] * len(ways)])


def test_what_is_written_about_him_on_other_orders(home):
    """On orders that are over the name goes there too; an order under way keeps its note, and it is told."""
    shop = cast.open_shop()
    at = cast.MORNING
    text = order_file().decode().replace("anna@example.invalid,", f"anna@example.invalid,a gift for {NAME}")
    under_way = text.split("\r\n", 1)[1].replace("A1", "A7").replace("anna", "anne").split("\r\n")
    cast.read_file(shop, "orders", "o.csv", (text + "\r\n".join(row for row in under_way if row.startswith("A7"))).encode(), at=at)
    work_until_idle(at=at)
    answer_all(at)
    assert {note for (note,) in bulk.fetch("SELECT note FROM orders_order WHERE number LIKE 'A%%'")} == {f"a gift for {NAME}"}
    bulk.execute("UPDATE orders_order SET is_history = true WHERE number IN ('Z1', 'A1')")
    bulk.execute(
        """INSERT INTO purchasing_purchaseanswer (purchase_order_id, source, rows, at)
           SELECT p.id, 'user:1', jsonb_build_array(jsonb_build_array(1, 0, 1, 0, 0, %s::text)), %s
           FROM purchasing_purchaseorder p JOIN orders_order o ON o.id = p.order_id WHERE o.number = 'A1'""",
        (f"{NAME.upper()} took it back", at),
    )
    bulk.execute(
        """INSERT INTO aftersales_aftersalecase (order_id, store_id, kind, reason, state, note, opened_at)
           SELECT id, store_id, 'refund', 'damaged', 'closed', %s, %s FROM orders_order WHERE number = 'A1'""",
        (f"{NAME} of {PHONE} rang", at),
    )
    person = privacy.find_person([shop.store.pk], email=MAIL)
    told = privacy.what_we_hold(person, at=at)
    done = privacy.erase_person(person, by=cast.BY, at=at)
    assert done.counts == told.counts
    assert [(stay.code, stay.params) for stay in done.stays] == [("named_by_others", {"count": 1, "orders": "A7"})]
    assert "not over yet: order A7" in done.stays[0].sentence()
    notes = dict(bulk.fetch("SELECT number, note FROM orders_order WHERE number LIKE 'A%%'"))
    assert notes == {"A1": "a gift for ***", "A7": f"a gift for {NAME}"}
    answers = {str(row[0]) for row in bulk.fetch("SELECT rows FROM purchasing_purchaseanswer WHERE source = 'user:1'")}
    assert answers and all("*** took it back" in one for one in answers), answers
    assert bulk.fetch("SELECT note FROM aftersales_aftersalecase") == [("*** of *** rang",)]
    assert in_database().keys() <= {"orders_order"}
    assert AddressVersion.objects.get(order__number="A1").name == "Anna Wood"


@pytest.mark.parametrize("strides", [False, True])
def test_what_is_written_elsewhere_about_buyers_of_a_store_that_goes(home, monkeypatch, strides):
    """Notes, answers and cases of another store's orders, and of the store's own other buyers, lose the names too."""
    shop = cast.open_shop()
    at = cast.MORNING
    cast.read_file(shop, "orders", "o.csv", order_file(), at=at)
    work_until_idle(at=at)
    other = cast.add_store(code="other", name="Other", currency="GBP", by=cast.BY, at=at)
    text = order_file().decode().replace("A1", "K1").replace("anna", "kim").replace("Anna Wood", "Kim Stone")
    text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("Z1")).replace("kim@example.invalid,", f"kim@example.invalid,as for {NAME}")
    for number in ("K1", "K2"):
        cast.read_file(dataclasses.replace(shop, store=other), "orders", f"{number}.csv",
                       text.replace("K1", number).encode(), at=at)  # fmt: skip
    answer_all(at)
    bulk.execute("UPDATE orders_order SET is_history = true WHERE number <> 'K2'")
    said = f"{NAME.upper()} took it back"
    bulk.execute(
        """INSERT INTO purchasing_purchaseanswer (purchase_order_id, source, rows, at)
           SELECT p.id, 'user:1', jsonb_build_array(jsonb_build_array(1, 0, 1, 0, 0, %s::text)), %s
           FROM purchasing_purchaseorder p JOIN orders_order o ON o.id = p.order_id WHERE o.number = 'A1'""", (said, at),
    )  # fmt: skip
    bulk.execute(
        """INSERT INTO aftersales_aftersalecase (order_id, store_id, kind, reason, state, note, opened_at)
           SELECT id, store_id, 'refund', 'damaged', 'closed', %s, %s FROM orders_order WHERE number = 'K1'""", (f"{NAME} of {PHONE} rang", at),
    )  # fmt: skip
    bulk.execute("UPDATE orders_order SET note = note || ' of Leeds' WHERE number = 'K1'")
    open_tasks([NewTask("supplier_needs_person", other.pk, "supplier", shop.factory.pk, {"sentence": f"Who is {NAME}?"})], at=at)
    if strides:
        monkeypatch.setattr(privacy, "AT_ONCE", 1)
        monkeypatch.setattr(privacy, "STRIDE", 1)
    else:
        monkeypatch.setattr(privacy, "A_FEW", 0)
        monkeypatch.setattr("daifa.lib.redact.MOST_SIEVED", 3)  # as with hundreds of buyers
    done = privacy.shred_store(shop.store.pk, by=cast.BY, at=at)
    assert [(stay.code, stay.params) for stay in done.stays if stay.code == "named_by_others"] == [("named_by_others", {"count": 1, "orders": "K2"})]
    notes = dict(bulk.fetch("SELECT number, note FROM orders_order WHERE number LIKE 'K%%'"))
    assert notes == {"K1": "as for *** of Leeds", "K2": f"as for {NAME}"}, "what is not over keeps its words, the rest of a note stays"
    assert bulk.fetch("SELECT note FROM aftersales_aftersalecase") == [("*** of *** rang",)]
    answers = {str(row[0]) for row in bulk.fetch("SELECT rows FROM purchasing_purchaseanswer WHERE source = 'user:1'")}
    assert answers and all("*** took it back" in one for one in answers)
    assert Task.objects.get(kind="supplier_needs_person").params == {"sentence": "Who is ***?"}
    assert AddressVersion.objects.filter(name="Kim Stone").count() == 2 and in_database().keys() <= {"orders_order", "imports_importrow"}


def test_only_uploads_that_can_hold_him_are_opened(home, monkeypatch, settings):
    """The words of uploads are listed at night: a person is looked for where they stand, and wherever nobody listed them."""
    shop = cast.open_shop()
    at = cast.MORNING
    his = cast.read_file(shop, "orders", "his.csv", order_file(), at=at)
    head, *lines = order_file().decode().splitlines(keepends=True)
    book = head + "".join(line for line in lines if line.startswith("A1"))
    others = [
        cast.read_file(shop, "orders", f"{n}.csv", book.replace("A1", f"B{n}").replace("anna", f"ben{n}").replace("Anna", f"Ben{n}").encode(), at=at)
        for n in range(4)
    ]
    work_until_idle(at=at)
    named = cast.read_file(shop, "tracking", "scans.csv", f"Tracking number,Time,Status,Place\nXX1,2026-03-01 10:00:00,signed by {NAME},Leeds\n".encode(), at=at)
    answer_all(at)
    bulk.execute("UPDATE orders_order SET is_history = true")
    assert shred_places.list_words(at=at) == 6 and shred_places.list_words(at=at) == 0, "each once"
    late = cast.read_file(shop, "tracking", "late.csv", f"Tracking number,Time,Status,Place\nXX2,2026-03-01 10:00:00,for {NAME},Leeds\n".encode(), at=at)
    grown = keeping.path_of("imports", others[3].sha256)
    grown.write_bytes(grown.read_bytes() + b"one more line\n")
    read, plain = [], shred_places._blank_file

    def reading(work, path, place, **how):
        read.append(path.name)
        return plain(work, path, place, **how)

    monkeypatch.setattr(shred_places, "_blank_file", reading)
    person = privacy.find_person([shop.store.pk], email=MAIL)
    told = privacy.what_we_hold(person, at=at)
    uploads = {his.sha256, named.sha256, late.sha256, others[3].sha256}
    assert {name for name in read if len(name) == 64} == uploads, "his, the one that names him, the unknown one, the changed one"
    read.clear()
    key, settings.SECRET_KEY = settings.SECRET_KEY, "another key: nothing is known under it"
    privacy.what_we_hold(person, at=at)
    settings.SECRET_KEY = key
    assert {one.sha256 for one in others} < set(read)
    monkeypatch.undo()
    done = privacy.erase_person(person, by=cast.BY, at=at)
    assert done.counts == told.counts and in_files(home) == {} and in_database() == {}
    assert UploadSieve.objects.count() == 4, "what was known of a changed file is not kept"
    assert shred_places.list_words(at=at) == 3 and not any(
        sieve.may_hold("quillfeather") for sieve in (Sieve(shred_places.sieve_key(), bytes(one.bits)) for one in UploadSieve.objects.all())
    )


def test_who_is_meant_must_be_clear(home):
    shop = cast.open_shop()
    cast.read_file(shop, "orders", "o.csv", order_file(), at=cast.MORNING)
    scope = [shop.store.pk]
    with pytest.raises(Refused, match="name together with an order number"):
        privacy.find_person(scope, name=NAME)
    with pytest.raises(Refused, match="seven digits"):
        privacy.find_person(scope, phone="12345")
    assert privacy.find_person(scope, name="Somebody", number="Z1").orders == []
    assert privacy.find_person([], email=MAIL).orders == [], "only the stores one may see"
    assert len(privacy.find_person(scope, name=NAME, number="Z1").orders) == 1
    # Under way: nothing may go.
    answer_all(cast.MORNING)
    kept = privacy.erase_person(privacy.find_person(scope, email=MAIL), by=cast.BY, at=cast.MORNING)
    assert [stay.code for stay in kept.stays] == ["under_way"] and kept.erasure is None
    assert BackupTaken.objects.count() == 0
    json.dumps([stay.params for stay in kept.stays])
