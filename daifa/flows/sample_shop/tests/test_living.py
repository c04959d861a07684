"""The sample shop and replay, lived through with the real flows."""

import csv
import gzip
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from daifa.domain.books.queries import trial_balance
from daifa.domain.history.commands import open_batch
from daifa.domain.orders.models import Hold, Order
from daifa.domain.people.models import User
from daifa.domain.purchasing.models import PurchaseOrder, PurchaseRun
from daifa.domain.shipping.models import Parcel
from daifa.domain.stores.models import Store, Task
from daifa.flows import one_clock, sample_shop
from daifa.flows.audit import audit
from daifa.flows.replay import find_files, replay
from daifa.flows.sample_shop import goods
from daifa.flows.sample_shop.cut import DATA
from daifa.flows.sample_shop.living import answer_sample_runs, read_paper
from daifa.flows.sample_shop.load import add_suppliers, csv_of, goods_of_rows, open_stores
from daifa.lib import bulk, clock
from daifa.lib.refusal import Refused

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 5, 20, 14, 30, tzinfo=UTC)
LEFT_ALONE = {
    "django_migrations", "django_content_type", "auth_permission", "books_account", "stores_installation",
    "history_batch", "pghistory_context",
}  # fmt: skip


def rows_by_table() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename !~ '_(rest|[0-9]{6})$'"
        )
        tables = [name for (name,) in cursor.fetchall() if name not in LEFT_ALONE]
        # Who was a user here stays on record.
        tables = [name for name in tables if not name.startswith(("procrastinate", "people_userusername"))]
        found = {}
        for table in tables:
            cursor.execute(f'SELECT count(*) FROM "{table}"')
            found[table] = cursor.fetchone()[0]
    return found


@pytest.mark.slow
def test_the_sample_shop_shows_every_stage_balances_and_goes_again_without_a_trace(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9  # were it called, nothing would answer
    before = rows_by_table()
    assert sample_shop.is_empty_database()
    sample_shop.load_sample_shop(by="cli:test", at=NOW)

    assert audit() == []
    newest = Order.objects.order_by("-placed_at").first().placed_at
    assert NOW - timedelta(hours=24) < newest <= NOW, "its last day is today, and nothing lies in the future"
    assert 400 <= Order.objects.count() <= 800
    statuses = set(Order.objects.values_list("status", flat=True))
    assert statuses >= {
        "on_hold", "part_purchased", "purchased", "part_shipped", "shipped", "part_delivered", "delivered", "cancelled",
        "closed",
    }  # fmt: skip
    holds = set(Hold.objects.filter(released_at=None).values_list("reason", flat=True))
    assert holds >= {
        "platform_restricted", "mapping_missing", "mapping_broken", "agreement_missing", "part_of_pack", "by_hand",
        "price_above_limit", "exchange_rate_missing", "buyer_data_missing", "supplier_rejected",
    }  # fmt: skip
    parcels = set(Parcel.objects.values_list("state", flat=True))
    assert parcels >= {"handed_over", "in_transit", "delivered", "lost", "returned_to_sender"}
    assert Parcel.objects.filter(is_late=True).exists()
    assert set(PurchaseRun.objects.values_list("state", flat=True)) == {"fixed", "unknown", "placed"}
    assert PurchaseOrder.objects.filter(state="closed").count() > 500
    tasks = set(Task.objects.filter(closed_at=None).values_list("kind", flat=True))
    assert tasks >= {"run_unknown", "parcel_lost", "mapping_broken", "order_changed"}
    refused = bulk.fetch("SELECT name, rows_refused FROM imports_importfile WHERE rows_refused > 0")
    assert refused == [("orders typed by hand.csv", 4)]
    assert Order.objects.filter(store__kind="marketplace", allocated__gt=0).count() == 0
    stores = list(Store.objects.values_list("pk", flat=True))
    assert trial_balance(stores).off == {}
    assert "mail_not_working" not in tasks, "no mail server was spoken to"
    assert len(list((tmp_path / "mail").glob("*.eml"))) > 1000, "letters lie in the local folder"

    with pytest.raises(Refused, match="empty database"):
        sample_shop.load_sample_shop(by="cli:test", at=NOW)

    deleted = sample_shop.remove_sample_shop(by="cli:test", at=NOW)
    assert deleted["orders_order"] > 400
    assert {table: count for table, count in rows_by_table().items() if count != before[table]} == {}
    assert not [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    assert not User.objects.exists()
    assert sample_shop.remove_sample_shop(by="cli:test", at=NOW) == {}


# --- Replay -----------------------------------------------------------------------------------------------------

FIRST = date(2010, 11, 1)


@pytest.fixture
def opened(settings, tmp_path):
    """The sample's stores and suppliers, and a small inbox of five days of orders."""
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    with gzip.open(DATA, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if "2010-11-01" <= row["InvoiceDate"] < "2010-11-03"]
    at = datetime(2010, 10, 31, tzinfo=UTC)
    found = goods_of_rows(rows)
    stores, suppliers = {}, {}
    with clock.moved_to(at):
        open_stores(stores, by="t", at=at)
        add_suppliers(suppliers, stores.values(), by="t", at=at)
        from collections import Counter

        counts = Counter()
        read_paper(kind="products", name="p.csv", content=goods.products_csv(found, "GBP"), store=stores["sample-gifts"],
                   supplier=None, options={}, by="t", at=at, counts=counts)  # fmt: skip
        for code, supplier in suppliers.items():
            read_paper(kind="offers", name="o.csv", content=goods.offers_csv(found, goods.BY_CODE[code], 0), store=None,
                       supplier=supplier, options={}, by="t", at=at, counts=counts)  # fmt: skip
    inbox = tmp_path / "inbox"
    folder = inbox / "orders" / "sample-gifts"
    folder.mkdir(parents=True)
    for day in ("2010-11-01", "2010-11-02"):
        (folder / f"{day}T0800 shop.csv").write_bytes(
            csv_of([r for r in rows if r["InvoiceDate"].startswith(day)])
        )
    return inbox


def run(inbox, first=FIRST, last=date(2010, 11, 25), **options):
    return replay(
        from_=datetime(first.year, first.month, first.day, tzinfo=UTC),
        to=datetime(last.year, last.month, last.day, tzinfo=UTC), step=timedelta(days=1), inbox=inbox, by="t",
        options={"recipients": "generated"}, **options,
    )  # fmt: skip


def test_a_replayed_period_ends_with_parcels_delivered_and_books_that_balance(opened):
    done = run(opened)
    assert (done.steps, done.refused) == (24, [])
    orders = Order.objects.filter(units__gt=0)
    assert orders.count() > 15
    assert orders.filter(status="delivered").count() > 0.3 * orders.count(), (
        "the others have a line that is held"
    )
    assert Parcel.objects.filter(state="delivered").count() > 0.85 * Parcel.objects.count() > 30
    assert orders.latest("placed_at").placed_at.date() == date(2010, 11, 2)
    first_run = PurchaseRun.objects.order_by("at").first()
    assert first_run.at.date() <= date(2010, 11, 2), "a day's orders are placed that day"
    assert audit() == []
    again = run(opened)
    assert again.refused == []
    assert Order.objects.filter(units__gt=0).count() == orders.count(), "the same files again change nothing"
    assert audit() == []


def test_without_the_generator_orders_wait_for_an_address(opened):
    replay(
        from_=datetime(2010, 11, 1, tzinfo=UTC), to=datetime(2010, 11, 4, tzinfo=UTC), step=timedelta(days=1),
        inbox=opened, by="t",
    )  # fmt: skip
    waiting = (
        Hold.objects.filter(reason="buyer_data_missing", released_at=None).values("order").distinct().count()
    )
    assert waiting == Order.objects.filter(units__gt=0).count() > 15
    assert not PurchaseOrder.objects.exists()


def test_a_replay_is_refused_beside_a_worker_and_a_worker_beside_a_replay(opened):
    # A worker is another process: another connection holds its lock.
    with psycopg.connect(_dsn()) as other:
        other.execute("SELECT pg_advisory_lock_shared(%s)", (one_clock._LOCK,))
        with pytest.raises(Refused, match="worker is running"):
            run(opened)
        other.execute("SELECT pg_advisory_unlock_shared(%s)", (one_clock._LOCK,))
        with one_clock.moved_clock():
            (got,) = other.execute("SELECT pg_try_advisory_lock_shared(%s)", (one_clock._LOCK,)).fetchone()
            assert got is False


def _dsn() -> str:
    params = connection.get_connection_params()
    known = {
        name: params[name] for name in ("dbname", "user", "password", "host", "port") if params.get(name)
    }
    return psycopg.conninfo.make_conninfo(**known)


def test_files_are_placed_by_folder_and_dated_by_name(opened):
    (opened / "replies" / "yiwu-craft").mkdir(parents=True)
    (opened / "replies" / "yiwu-craft" / "2010-11-01.csv").write_text("PO,Confirmed quantity\nX,1\n")
    (opened / "tracking").mkdir()
    (opened / "tracking" / "2010-11-01T0800.csv").write_text("Tracking number,Time,Status\n")
    (opened / "tracking" / ".part").write_text("")
    found = find_files(opened)
    assert [
        (f.at.isoformat(), f.kind, f.store and f.store.code, f.supplier and f.supplier.code) for f in found
    ] == [
        ("2010-11-01T00:00:00+00:00", "replies", None, "yiwu-craft"),
        ("2010-11-01T08:00:00+00:00", "orders", "sample-gifts", None),
        ("2010-11-01T08:00:00+00:00", "tracking", None, None),
        ("2010-11-02T08:00:00+00:00", "orders", "sample-gifts", None),
    ]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("2010-11-01.csv", "lies in no folder of the inbox"),
        ("letters/2010-11-01.csv", "lies in no folder of the inbox"),
        ("orders/sample-gifts/november.csv", "does not begin with a day"),
        ("orders/sample-gifts/2010-13-01.csv", "begins with no real day"),
        ("orders/2010-11-01.csv", "a folder named like its store; there are: sample-gifts"),
        ("orders/nobody/2010-11-01.csv", "a folder named like its store"),
        ("replies/2010-11-01.csv", "a folder named like its supplier"),
    ],
)
def test_a_file_that_cannot_be_placed_is_named(opened, path: str, sentence: str):
    file: Path = opened / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("x")
    with pytest.raises(Refused, match=sentence):
        find_files(opened)


def test_a_refused_file_is_reported_and_the_replay_goes_on(opened):
    (opened / "orders" / "sample-gifts" / "2010-11-01T0900 empty.csv").write_text("")
    done = run(opened, last=date(2010, 11, 4))
    assert [(path.name, "is empty" in sentence) for path, sentence in done.refused] == [
        ("2010-11-01T0900 empty.csv", True)
    ]
    assert done.steps == 3
    assert Order.objects.exists()


def test_steps_and_dates_that_make_no_sense_are_refused(opened):
    with pytest.raises(Refused, match="end before it begins"):
        run(opened, first=date(2010, 11, 5), last=date(2010, 11, 1))
    with pytest.raises(Refused, match="longer than nothing"):
        replay(from_=NOW, to=NOW + timedelta(days=1), step=timedelta(0), by="t")


def test_in_a_live_shop_the_factories_answer_what_they_have_not_answered_yet(opened):
    evening = datetime(2010, 11, 1, 20, tzinfo=UTC)
    with clock.moved_to(evening):
        run(opened, last=date(2010, 11, 2))  # placed, and nothing answered yet
        before = Parcel.objects.count()
        later = evening + timedelta(days=6)
        told = answer_sample_runs(at=later)
        assert told["files"] > 1
        assert told["rows_refused"] == 0
        assert Parcel.objects.count() > before
        assert answer_sample_runs(at=later) == {}, "they do not say it twice"


def test_a_loading_that_was_killed_is_taken_out_before_the_next(opened):
    assert not sample_shop.is_half_loaded()
    open_batch(
        by="t", at=NOW, reason=sample_shop.LOADING
    )  # the last that a killed loading wrote of this kind
    assert sample_shop.is_half_loaded()
    sample_shop.remove_sample_shop(by="t", at=NOW)
    assert not sample_shop.is_half_loaded()
    assert sample_shop.is_empty_database()
    open_batch(by="t", at=NOW, reason=sample_shop.LOADING)  # killed before it made a store
    sample_shop.remove_sample_shop(by="t", at=NOW)
    assert not sample_shop.is_half_loaded()
