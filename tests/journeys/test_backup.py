"""A backup holds everything, a restored copy is the same shop, and a damaged or foreign file changes nothing."""

import json
import shutil
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection

from daifa.domain.orders.models import Order
from daifa.domain.people.models import LoginToken, User
from daifa.domain.stores.models import Installation, Store, Task
from daifa.domain.stores.queries import is_quarantined, may_act_outward
from daifa.flows.audit import audit
from daifa.flows.backup import GAP, restore_backup, write_backup
from daifa.lib import bulk
from daifa.lib.refusal import Refused
from daifa.lib.secret import decrypt, encrypt
from tests import cast, postgres

AT = cast.MORNING + timedelta(days=20)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def home(tmp_path, settings):
    """A home of its own for files and mail."""
    top = tmp_path / "home"
    for folder in ("files", "mail"):
        (top / folder).mkdir(parents=True)
    settings.DAIFA_HOME = top
    settings.EMAIL_FILE_PATH = top / "mail"
    settings.MEDIA_ROOT = top / "files"
    return top


def contents() -> dict[str, tuple[int, str]]:
    """Table → rows and a hash over them in whatever order, of everything a backup should hold."""
    tables = [
        row[0]
        for row in bulk.fetch(
            """SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace
               AND relname !~ '^(procrastinate_|django_session|django_migrations|people_logintoken|stores_installation)'"""
        )
    ]
    return {
        table: bulk.fetch(
            f'SELECT count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM "{table}" t'
        )[0]
        for table in tables
    }


def emptied() -> None:
    postgres.restore_first_rows(connection)


def as_it_was(before: dict, *, but: tuple[str, ...] = ("stores_task", "stores_store")) -> None:
    after = contents()
    assert {t: v for t, v in after.items() if t not in but} == {
        t: v for t, v in before.items() if t not in but
    }


def shop_with_odd_rows() -> cast.Shop:
    """A finished loop, and values that a careless copy would lose: tabs, backslashes, 中文, jsonb, bytes, months."""
    shop = cast.open_shop()
    cast.whole_loop(shop, ["B1", "B2", "B3"])
    User.objects.create(username="boss", is_superuser=True, email="boss@example.invalid", date_joined=AT)
    Order.objects.filter(number="B1").update(
        note="tab\there, \\N and \\. and 引号“”\nsecond line, 'quoted' \"twice\""
    )
    Task.objects.create(
        kind="odd", params={"text": 'a\\b"c\n中文', "number": 1.5, "none": None}, opened_at=AT
    )
    bulk.execute("UPDATE sourcing_supplier SET ships_to = '{GB,US}' WHERE kind = 'fake'")
    bulk.execute(
        """INSERT INTO history_transition (batch_id, kind, thing, state_from, state_to, at)
           SELECT max(id), 1, 987654321, '', 'received', '2019-07-04 10:00:00+00' FROM history_batch"""
    )
    return shop


def test_a_restored_copy_holds_the_same_rows(home, tmp_path):
    shop_with_odd_rows()
    before = contents()
    assert audit() == []
    written = write_backup(tmp_path / "shop.daifa", by="test", at=AT)
    assert written.path.stat().st_mode & 0o077 == 0, "it holds people's addresses"
    assert (
        written.rows == sum(count for count, _hash in before.values()) + 1
    )  # and the row of the installation
    emptied()
    assert not Order.objects.exists()
    restored = restore_backup(tmp_path / "shop.daifa", by="test", at=AT + timedelta(hours=1))
    assert restored.rows == written.rows
    as_it_was(before, but=("stores_task",))
    assert restored.warnings == []
    assert audit() == [], "constraints, triggers and references are back as well"


def test_the_copy_is_quarantined_and_numbers_go_on_behind_a_gap(home, tmp_path):
    shop = shop_with_odd_rows()
    old = Installation.objects.get()
    highest = max(Order.objects.values_list("pk", flat=True))
    write_backup(tmp_path / "shop.daifa", by="test", at=AT)
    emptied()
    restored = restore_backup(tmp_path / "shop.daifa", by="test", at=AT + timedelta(hours=1))
    here = Installation.objects.get()
    assert (here.uuid, here.backup_taken_at, here.quarantined_at) == (old.uuid, AT, AT + timedelta(hours=1))
    assert here.code == restored.code != old.code == restored.former_code
    assert is_quarantined() and not may_act_outward(AT + timedelta(hours=2))
    assert Task.objects.filter(kind="quarantined", closed_at=None).exists()
    cast.receive_orders(shop, ["B9"], at=AT)
    assert Order.objects.get(number="B9").pk > highest + GAP
    store = Store.objects.create(code="new", name="New", currency="EUR", created_at=AT)
    assert store.pk > GAP


def test_triggers_and_references_work_after_a_restore(home, tmp_path):
    shop_with_odd_rows()
    write_backup(tmp_path / "shop.daifa", by="test", at=AT)
    events = bulk.fetch("SELECT count(*) FROM stores_storeevent")[0][0]
    emptied()
    restore_backup(tmp_path / "shop.daifa", by="test", at=AT)
    assert bulk.fetch("SELECT count(*) FROM stores_storeevent")[0][0] == events, "restoring is no edit"
    Store.objects.update(name="Renamed")
    assert bulk.fetch("SELECT count(*) FROM stores_storeevent")[0][0] == events + 1
    with pytest.raises(Exception, match="never edited"):
        bulk.execute("UPDATE books_posting SET amount = 0")
    with pytest.raises(Exception, match="violates foreign key"):
        bulk.execute(
            "INSERT INTO orders_hold (order_id, reason, params, opened_at) VALUES (-1, 'by_hand', '{}', now())"
        )
        bulk.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_rows_of_old_months_come_back_into_their_months(home, tmp_path):
    shop_with_odd_rows()
    in_rest = bulk.fetch("SELECT count(*) FROM history_transition_rest")[0][0]
    in_march = bulk.fetch("SELECT count(*) FROM history_transition_202603")[0][0]
    assert in_march > 0
    write_backup(tmp_path / "shop.daifa", by="test", at=AT)
    emptied()
    bulk.execute("DROP TABLE history_transition_202603")
    restore_backup(tmp_path / "shop.daifa", by="test", at=AT)
    assert bulk.fetch("SELECT count(*) FROM history_transition_202603")[0][0] == in_march
    assert bulk.fetch("SELECT count(*) FROM history_transition_rest")[0][0] == in_rest


def test_uploads_and_mail_come_back_sessions_do_not(home, tmp_path):
    shop_with_odd_rows()
    (home / "files" / "evidence").mkdir()
    (home / "files" / "evidence" / "照片.bin").write_bytes(bytes(range(256)) * 5000)
    kept = {
        p.relative_to(home): p.read_bytes() for p in home.rglob("*") if p.is_file() and p.parts[-2] != "fake"
    }
    user = User.objects.get()
    LoginToken.objects.create(user=user, digest=b"1" * 32, expires_at=AT + timedelta(days=1))
    write_backup(tmp_path / "shop.daifa", by="test", at=AT)
    emptied()
    for folder in ("files", "mail"):
        shutil.rmtree(home / folder)
    restored = restore_backup(tmp_path / "shop.daifa", by="test", at=AT)
    expected = {name: content for name, content in kept.items() if name.parts[0] in ("files", "mail")}
    assert restored.files == len(expected) > 3
    assert {
        p.relative_to(home): p.read_bytes()
        for f in ("files", "mail")
        for p in (home / f).rglob("*")
        if p.is_file()
    } == expected
    assert not LoginToken.objects.exists()


def test_a_backup_is_one_moment_although_the_shop_works_on(home, tmp_path, monkeypatch):
    """Rows written while tables are being copied are not in it, so nothing in it refers to what is missing."""
    from daifa.flows import backup

    shop = cast.open_shop()
    cast.receive_orders(shop, ["B1"])
    plain, done = backup._write_table, []

    def write_table(archive, cursor, table):
        if not done and table.name > "orders":
            done.append(True)
            cast.receive_orders(shop, ["B2"])  # commits on the shop's own connection
        return plain(archive, cursor, table)

    monkeypatch.setattr(backup, "_write_table", write_table)
    write_backup(tmp_path / "shop.daifa", by="test", at=AT)
    assert done and Order.objects.count() == 2
    emptied()
    for path in (home / "files").rglob("*"):
        if path.is_file():
            path.unlink()
    restore_backup(tmp_path / "shop.daifa", by="test", at=AT)
    assert [order.number for order in Order.objects.all()] == ["B1"]
    assert audit() == []


def refused(source: Path, code: str, **more) -> str:
    before = contents()
    with pytest.raises(Refused) as error:
        restore_backup(source, by="test", at=AT, **more)
    assert error.value.code == code
    assert contents() == before, "a refusal changes nothing"
    return error.value.sentence


def rewritten(source: Path, target: Path, change) -> Path:
    """The same zip with members passed through `change(name, bytes) -> bytes | None`."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


def test_what_cannot_be_restored_is_refused_with_a_sentence(home, tmp_path):
    shop = cast.open_shop()
    cast.receive_orders(shop, ["B1"])
    good = tmp_path / "shop.daifa"
    write_backup(good, by="test", at=AT)
    assert "holds rows" in refused(good, "not_empty")
    with pytest.raises(Refused, match="never overwrites"):
        write_backup(good, by="test", at=AT)
    with pytest.raises(Refused, match="no folder"):
        write_backup(tmp_path / "nowhere" / "x", by="test", at=AT)
    assert list(tmp_path.glob(".shop*")) == [], "nothing half written stays behind"
    emptied()

    (tmp_path / "text").write_text("hello")
    assert "no zip file" in refused(tmp_path / "text", "not_a_backup")
    assert "No such file" in refused(tmp_path / "missing", "not_a_backup")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "hello")
    assert "no backup of daifa" in refused(tmp_path / "other.zip", "not_a_backup")

    def manifest(**changes):
        return lambda name, content: (
            json.dumps(json.loads(content) | changes).encode() if name == "manifest.json" else content
        )

    newer = rewritten(good, tmp_path / "newer", manifest(format=99, version="9.9"))
    assert "Use daifa 9.9" in refused(newer, "other_format")
    steps = json.loads(zipfile.ZipFile(good).read("manifest.json"))["migrations"]
    other = rewritten(good, tmp_path / "other", manifest(migrations=[*steps, ["orders", "0099_future"]]))
    assert "orders.0099_future" in refused(other, "other_tables")

    flipped = rewritten(
        good, tmp_path / "flipped",
        lambda name, content: content.replace(b"Anna", b"Otto") if "addressversion" in name else content,
    )  # fmt: skip
    assert "tables/orders_addressversion.copy" in refused(flipped, "damaged")
    short = rewritten(good, tmp_path / "short", lambda n, c: None if n == "tables/orders_order.copy" else c)
    assert "damaged at tables/orders_order.copy" in refused(short, "damaged")
    cut = tmp_path / "cut"
    cut.write_bytes(good.read_bytes()[:-400])
    refused(cut, "not_a_backup")

    restore_backup(good, by="test", at=AT)
    assert Order.objects.count() == 1


def test_a_backup_cannot_write_outside_its_folders(home, tmp_path):
    cast.open_shop()
    good = tmp_path / "shop.daifa"
    write_backup(good, by="test", at=AT)
    emptied()
    for name in ("files/../../escaped", "secret.key", "files/a/../../../x", "/etc/x"):

        def add(member, content, name=name):
            if member != "manifest.json":
                return content
            read = json.loads(content)
            import hashlib

            read["files"].append({"name": name, "sha256": hashlib.sha256(b"evil").hexdigest(), "bytes": 4})
            return json.dumps(read).encode()

        forged = rewritten(good, tmp_path / "forged", add)
        with zipfile.ZipFile(forged, "a") as archive:
            archive.writestr(name, "evil")
        assert "outside its folders" in refused(forged, "damaged")
    assert not (tmp_path / "escaped").exists() and not (home / "secret.key").exists()


def test_the_key_travels_only_under_a_passphrase(home, tmp_path, settings, monkeypatch):
    for name in ("DAIFA_SECRET_KEY", "DAIFA_SECRET_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    settings.SECRET_KEY = "the key of the first machine"
    stored = encrypt("token of the channel")
    cast.open_shop()
    write_backup(tmp_path / "without", by="test", at=AT)
    write_backup(tmp_path / "with", by="test", at=AT, passphrase="correct horse battery")
    for name in ("without", "with"):
        with zipfile.ZipFile(tmp_path / name) as archive:
            assert not any(b"first machine" in archive.read(member) for member in archive.namelist())
    emptied()

    settings.SECRET_KEY = "the key of the second machine"
    (home / "secret.key").write_text(settings.SECRET_KEY)
    assert "does not open the key" in refused(tmp_path / "with", "wrong_passphrase", passphrase="wrong")
    assert "no key in this backup" in refused(
        tmp_path / "without", "no_key", passphrase="correct horse battery"
    )
    assert "another key" in restore_backup(tmp_path / "without", by="test", at=AT).warnings[0]
    emptied()
    restored = restore_backup(tmp_path / "with", by="test", at=AT, passphrase="correct horse battery")
    assert restored.warnings == []
    assert (home / "secret.key.before-restore").read_text() == settings.SECRET_KEY
    assert (home / "secret.key").stat().st_mode & 0o077 == 0
    settings.SECRET_KEY = (home / "secret.key").read_text().strip()
    assert decrypt(stored) == "token of the channel"


def test_a_key_from_the_environment_is_never_replaced(home, tmp_path, settings, monkeypatch):
    cast.open_shop()
    write_backup(tmp_path / "with", by="test", at=AT, passphrase="correct horse battery")
    emptied()
    settings.SECRET_KEY = "another"
    monkeypatch.setenv("DAIFA_SECRET_KEY", "another")
    restored = restore_backup(tmp_path / "with", by="test", at=AT, passphrase="correct horse battery")
    assert "DAIFA_SECRET_KEY" in restored.warnings[0]
    assert not (home / "secret.key").exists()


def test_an_unbalanced_entry_is_not_restored(home, tmp_path):
    import hashlib

    cast.whole_loop(cast.open_shop(), ["B1"])
    write_backup(tmp_path / "shop.daifa", by="test", at=AT)
    emptied()
    with zipfile.ZipFile(tmp_path / "shop.daifa") as archive:
        rows = archive.read("tables/books_posting.copy").splitlines(keepends=True)
        manifest = json.loads(archive.read("manifest.json"))
    columns = next(t["columns"] for t in manifest["tables"] if t["table"] == "books_posting")
    cells = rows[0].rstrip(b"\n").split(b"\t")
    cells[columns.index("amount")] = b"77.0000"
    changed = b"".join([b"\t".join(cells) + b"\n", *rows[1:]])

    def forge(name, content):
        if name == "tables/books_posting.copy":
            return changed
        if name == "manifest.json":
            read = json.loads(content)
            entry = next(t for t in read["tables"] if t["table"] == "books_posting")
            entry |= {"sha256": hashlib.sha256(changed).hexdigest(), "bytes": len(changed)}
            return json.dumps(read).encode()
        return content

    assert "does not balance" in refused(
        rewritten(tmp_path / "shop.daifa", tmp_path / "forged", forge), "unbalanced"
    )


def test_the_home_used_here_is_not_a_real_one():
    assert str(django_settings.DAIFA_HOME).startswith("/tmp/")
