"""The whole loop, order file to delivered parcel, and what it costs: `python -m bench.loop --orders 1000 --batch 100`.

Two-line orders, each line from another supplier, in batches: the order file is imported, lines are routed, purchases go
into workbook runs and out by mail, the factories' reply workbooks are imported, the store's dispatch file is exported,
tracking files bring the parcels to the door, messages are queued, books are posted, transitions kept. CPU of this
process and of all PostgreSQL processes counts; building the factories' and carriers' files is theirs, not ours, and is
taken off. Starts its own database (fsync on) and prints one JSON line.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from bench.own_database import database_bytes, own_cpu, own_database, peak_rss_mb, server_cpu

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
SUPPLIERS = 10
VARIANTS = 400
HEADING = [
    "Order number", "Date", "SKU", "Title", "Quantity", "Unit price", "Currency", "Customer", "Name", "Address",
    "City", "Postcode", "Country", "Email",
]  # fmt: skip


class Meter:
    """Seconds of CPU, ours and the server's, without what happens inside `off()`."""

    def __init__(self, cluster: Any) -> None:
        self.cluster = cluster
        self.app = self.server = 0.0
        self.wall = 0.0
        self._start()

    def _start(self) -> None:
        self._server = server_cpu(self.cluster)  # reading it costs CPU of ours, which must not count
        self._app, self._wall = own_cpu(), time.perf_counter()

    def stop(self) -> None:
        self.wall += time.perf_counter() - self._wall
        self.app += own_cpu() - self._app
        self.server += server_cpu(self.cluster) - self._server

    def off(self) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def paused() -> Any:
            self.stop()
            yield
            self._start()

        return paused()


def set_up() -> Any:
    """A store, ten workbook factories served by mail, 400 variants with two offers each, agreements."""
    from daifa.connectors.contract import IncomingOffer, IncomingProduct
    from daifa.domain.catalog.commands import import_products
    from daifa.domain.history.commands import ensure_months
    from daifa.domain.sourcing.commands import add_supplier, import_offers, record_agreement
    from daifa.domain.stores.commands import add_fee_rule, add_store, ensure_installation

    by, at = "bench", START - timedelta(days=1)
    ensure_installation(at)
    ensure_months(at.date(), (at + timedelta(days=400)).date())
    store = add_store(code="bench", name="Bench", currency="GBP", kind="own_site", country="GB", by=by, at=at)
    add_fee_rule(store_id=store.pk, name="fees", percent="2.9", fixed="0.30", valid_from=at.date(), by=by, at=at)
    import_products(
        [
            IncomingProduct(row=i, handle=f"p{i}", title=f"Product {i}", sku=f"SKU{i:04d}", price=Decimal("12.00"))
            for i in range(VARIANTS)
        ],
        by=by, at=at,
    )  # fmt: skip
    for number in range(SUPPLIERS):
        supplier = add_supplier(
            code=f"f{number}", name=f"Factory {number}", kind="workbook", delivery="mail", currency="GBP", language="en",
            email=f"f{number}@example.invalid", parcel_freight=Decimal("1.50"), by=by, at=at,
        )  # fmt: skip
        record_agreement(supplier_id=supplier.pk, store_id=store.pk, valid_from=at.date(), entrusted_on=at.date(), by=by, at=at)
        import_offers(
            supplier,
            [
                IncomingOffer(
                    row=i, supplier_sku=f"F{number}-{i:04d}", sku=f"SKU{i:04d}", price=Decimal("4.00"),
                    stock=10_000_000, lead_days=3, rank=1 if i % SUPPLIERS == number else 2,
                )
                for i in range(VARIANTS)
                if i % SUPPLIERS in (number, (number + 5) % SUPPLIERS)
            ],
            by=by, at=at,
        )  # fmt: skip
    return store


def order_file(first: int, count: int, at: datetime) -> bytes:
    """Orders `first` … as a store would export them: two lines, from two suppliers."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADING)
    for number in range(first, first + count):
        for line in (0, 1):
            sku = (number * 7 + line * 3) % VARIANTS  # two SKUs whose first suppliers differ
            writer.writerow([
                f"B{number:07d}", at.strftime("%Y-%m-%d %H:%M:%S"), f"SKU{sku:04d}", f"Product {sku}", 1 + line, "12.00",
                "GBP", f"C{number % 5000}", f"Buyer {number % 5000}", f"{number % 300 + 1} High Street", "Leeds",
                "LS1 4AP", "GB", f"c{number % 5000}@example.invalid",
            ])  # fmt: skip
    return text.getvalue().encode()


def answer_runs(runs: list[int]) -> list[tuple[int, bytes, list[tuple[str, str]]]]:
    """What the factories send back: the workbook filled in, one waybill a purchase. (supplier, file, numbers)."""
    from python_calamine import CalamineWorkbook

    from daifa.lib import bulk
    from daifa.lib.sheets import Column, Table, write_xlsx

    answers = []
    for run, supplier, content in bulk.fetch(
        "SELECT id, supplier_id, content FROM purchasing_purchaserun WHERE id = ANY(%s::bigint[]) ORDER BY id", (runs,)
    ):
        rows = CalamineWorkbook.from_filelike(io.BytesIO(bytes(content))).get_sheet_by_index(0).to_python()
        heading, numbers = rows[0], []
        filled = []
        for row in rows[1:]:
            reference = str(row[0])
            number = "BX" + reference.replace("-", "") + "X"
            numbers.append((reference, number))
            filled.append([row[0], str(int(row[1])), *(str(c) for c in row[2:14]), int(row[4]), int(row[4]), "Royal Mail", number, ""])
        buffer = io.BytesIO()
        write_xlsx(buffer, Table("Sheet1", [Column(str(title)) for title in heading], filled))
        answers.append((supplier, buffer.getvalue(), numbers))
        del run
    return answers


def tracking_file(numbers: list[str], events: list[tuple[datetime, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["Tracking number", "Time", "Status", "Place"])
    for number in numbers:
        for when, status in events:
            writer.writerow([number, when.strftime("%Y-%m-%d %H:%M:%S"), status, "Leeds"])
    return text.getvalue().encode()


def run_batch(store: Any, first: int, count: int, at: datetime, meter: Meter | None) -> None:
    """One batch through the whole loop."""
    from contextlib import nullcontext

    from daifa.domain.sourcing.models import Supplier
    from daifa.flows import dispatch, intake, place_purchases
    from daifa.flows.react import react
    from daifa.lib import bulk

    def off() -> Any:
        return meter.off() if meter else nullcontext()

    def read(kind: str, name: str, content: bytes, **whose: Any) -> None:
        file = intake.receive_file(kind=kind, name=name, content=content, by="bench", at=at, **whose)
        file = intake.read_file(file.pk, by="bench", at=at)
        if file.state != "done" or file.rows_refused:
            sentence = file.sentence or [row.message % row.params for row in file.rows.all()[:3]]
            raise SystemExit(f"{kind}: {file.state}, {file.rows_refused} rows refused: {sentence}")

    with off():
        content = order_file(first, count, at)
    read("orders", "orders.csv", content, store=store)
    react(at=at)
    runs = place_purchases.fix_runs(at=at, by="bench", delivery="mail")
    place_purchases.send_runs(at=at)
    at += timedelta(hours=20)
    with off():
        answers = answer_runs(runs)
        suppliers = {supplier.pk: supplier for supplier in Supplier.objects.all()}
    for supplier, workbook, _ in answers:
        read("replies", "reply.xlsx", workbook, supplier=suppliers[supplier])
    react(at=at)
    dispatch.export_dispatches(store, by="bench", at=at)
    numbers = sorted({number for _, _, pairs in answers for _, number in pairs})
    for hours, status in ((30, "In transit"), (60, "Delivered")):
        at += timedelta(hours=hours)
        with off():
            content = tracking_file(numbers, [(at - timedelta(hours=1), status)])
        read("tracking", "tracking.csv", content, store=store)
        react(at=at)
    del bulk


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=1000, help="orders measured")
    parser.add_argument("--batch", type=int, default=100, help="orders in one file")
    parser.add_argument("--stored", type=int, default=0, help="orders that went through the loop before")
    parser.add_argument("--profile", default="", help="write a cProfile file of the measured part")
    given = parser.parse_args()
    with own_database() as cluster:
        from django.db import connection

        from daifa.lib import bulk, clock
        from daifa.lib.clock import moved_to

        store = set_up()
        first, at = 0, START
        with moved_to(START):
            size = 1000
            while first < given.stored:
                count = min(size, given.stored - first)
                run_batch(store, first, count, at, None)
                first, at = first + count, at + timedelta(hours=1)
            if given.stored == 0:  # warm: imports, prepared statements, caches
                run_batch(store, 9_000_000, min(given.batch, 20), at, None)
            else:  # an installation of that size has been analysed; a new one has not
                bulk.execute("ANALYZE")
            connection.commit() if not connection.get_autocommit() else None
            before, rows_before = database_bytes(), _rows()
            profile = None
            if given.profile:
                import cProfile

                profile = cProfile.Profile()
                profile.enable()
            meter = Meter(cluster)
            done = 0
            while done < given.orders:
                count = min(given.batch, given.orders - done)
                run_batch(store, first + done, count, at, meter)
                done, at = done + count, at + timedelta(minutes=10)
            meter.stop()
            if profile:
                profile.disable()
                profile.dump_stats(given.profile)
            _check(given.orders, first)
        del clock
        print(json.dumps({
            "orders": given.orders, "batch": given.batch, "stored_orders": given.stored,
            "app_cpu_ms_per_order": round(meter.app * 1000 / given.orders, 3),
            "db_cpu_ms_per_order": round(meter.server * 1000 / given.orders, 3),
            "cpu_ms_per_order": round((meter.app + meter.server) * 1000 / given.orders, 3),
            "orders_per_s": round(given.orders / meter.wall, 1),
            "peak_rss_mb": round(peak_rss_mb(), 1),
            "db_bytes_per_order": (database_bytes() - before) // given.orders,
            "rows_per_order": round((_rows() - rows_before) / given.orders, 1),
        }))  # fmt: skip
        sys.stdout.flush()


def _rows() -> int:
    """Rows in all tables of the subjects."""
    from daifa.lib import bulk

    tables = [
        row[0]
        for row in bulk.fetch(
            """SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                 AND c.relname NOT LIKE 'procrastinate%%' AND c.relname NOT LIKE 'django%%'"""
        )
    ]
    return sum(bulk.fetch(f'SELECT count(*) FROM "{table}"')[0][0] for table in tables)


def _check(orders: int, first: int) -> None:
    """The work was really done: every measured order is delivered and its books are closed."""
    from daifa.lib import bulk

    done = bulk.fetch(
        "SELECT count(*) FROM orders_order WHERE status = 'delivered' AND number >= %s AND number < 'B9'", (f"B{first:07d}",)
    )[0][0]
    if done != orders:
        states = bulk.fetch("SELECT status, count(*) FROM orders_order GROUP BY 1")
        held = bulk.fetch("SELECT reason, count(*) FROM orders_hold WHERE released_at IS NULL GROUP BY 1")
        owed = bulk.fetch("SELECT reaction, state, reason, count(*) FROM history_pendingreaction GROUP BY 1, 2, 3")
        raise SystemExit(f"Only {done} of {orders} orders were delivered: {states} {held} {owed}")


if __name__ == "__main__":
    main()
