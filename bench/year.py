"""A year of real orders through the whole loop: `python -m bench.year --orders-file orders.csv.gz`.

The file is Online Retail II (or any file with its columns); without one the sample shop's own cut is taken, so that it
runs anywhere. Catalogue, suppliers, price lists, recipients, factories and carriers come from the sample shop's
generator (`docs/sample-shop.md`). The orders are laid into an inbox by their day and replayed in steps of a day: each
day's orders are routed, purchased, answered, tracked, told and posted before the next day comes. Starts its own database
(fsync on, though a replay of sample stores alone does not wait for it at each commit), audits at the end, and prints one JSON line.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.own_database import database_bytes, own_cpu, own_database, peak_rss_mb, server_cpu

LIST_EVERY = 28  # days between price lists
AFTER = 35  # days after the last order in which parcels still arrive
STORE = "sample-gifts"


def lay_out(source: Path, days: int, inbox: Path) -> tuple[date, date, int]:
    """Order files by the day of each invoice's first row; returns first and last day and how many rows.

    Of the file's first `days` days where that is not 0. Streams, so that the memory measured is the program's.
    """
    folder = inbox / "orders" / STORE
    folder.mkdir(parents=True)
    day_of: dict[str, str] = {}
    count, first, last, end = 0, "", "", ""
    opened = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rt", encoding="utf-8", newline="") as file, ExitStack() as files:
        rows = csv.reader(file)
        head = next(rows)
        invoice, when = head.index("Invoice"), head.index("InvoiceDate")
        writers: dict[str, Any] = {}
        for row in rows:
            day = row[when][:10]
            if not first:
                first = day
                end = (date.fromisoformat(first) + timedelta(days=days)).isoformat() if days else "9999"
            if day >= end:
                break
            day = day_of.setdefault(row[invoice], day)
            if day not in writers:
                path = folder / f"{day}T0700.csv"
                writers[day] = csv.writer(files.enter_context(path.open("w", encoding="utf-8", newline="")))
                writers[day].writerow(head)
            writers[day].writerow(row)
            last = max(last, day)
            count += 1
    return date.fromisoformat(first), date.fromisoformat(last), count


def goods_of_inbox(inbox: Path) -> list[Any]:
    """The catalogue that the laid-out orders need, as the importer will read their SKUs."""
    from daifa.connectors.contract import IncomingOrder
    from daifa.connectors.manual.connector import read_file
    from daifa.flows.sample_shop import goods

    def lines() -> Any:
        for path in sorted((inbox / "orders" / STORE).iterdir()):
            for record in read_file("orders", path, store_currency="GBP").records:
                if isinstance(record, IncomingOrder):
                    yield from record.lines

    return goods.goods_of(lines())


def lay_out_lists(goods_found: list[Any], inbox: Path, first: date, last: date) -> None:
    """Price lists every four weeks."""
    from daifa.flows.sample_shop import goods

    for supplier in goods.SUPPLIERS:
        (inbox / "offers" / supplier.code).mkdir(parents=True)
        for week in range(1, (last - first).days // LIST_EVERY + 1):
            day = first + timedelta(days=week * LIST_EVERY)
            content = goods.offers_csv(goods_found, supplier, week)
            (inbox / "offers" / supplier.code / f"{day}.csv").write_bytes(content)


def open_shop(goods_found: list[Any], at: datetime) -> None:
    """Store, suppliers, agreements, catalogue, first price lists."""
    from collections import Counter

    from daifa.domain.stores.commands import ensure_installation
    from daifa.flows.sample_shop import goods
    from daifa.flows.sample_shop.living import read_paper
    from daifa.flows.sample_shop.load import add_suppliers, open_stores

    ensure_installation(at)
    stores: dict[str, Any] = {}
    suppliers: dict[str, Any] = {}
    open_stores(stores, by="bench", at=at)
    add_suppliers(suppliers, stores.values(), by="bench", at=at)
    counts: Counter[str] = Counter()
    read_paper(
        kind="products", name="products.csv", content=goods.products_csv(goods_found, "GBP"), store=stores[STORE],
        supplier=None, options={}, by="bench", at=at, counts=counts,
    )  # fmt: skip
    for code, supplier in suppliers.items():
        read_paper(
            kind="offers", name=f"{code}.csv", content=goods.offers_csv(goods_found, goods.BY_CODE[code], 0), store=None,
            supplier=supplier, options={}, by="bench", at=at, counts=counts,
        )  # fmt: skip


def figures() -> dict[str, Any]:
    from daifa.lib import bulk

    def one(sql: str) -> int:
        return bulk.fetch(sql)[0][0] or 0

    return {
        "orders": one("SELECT count(*) FROM orders_order"),
        "lines": one("SELECT count(*) FROM orders_orderline"),
        "credits": one("SELECT count(*) FROM aftersales_refund"),
        "purchases": one("SELECT count(*) FROM purchasing_purchaseorder"),
        "parcels": one("SELECT count(*) FROM shipping_parcel"),
        "delivered": one("SELECT count(*) FROM shipping_parcel WHERE state = 'delivered'"),
        "messages": one("SELECT count(*) FROM buyer_messages_message"),
        "entries": one("SELECT count(*) FROM books_entry"),
        "statuses": dict(bulk.fetch("SELECT status, count(*) FROM orders_order GROUP BY 1 ORDER BY 2 DESC")),
        "holds": dict(bulk.fetch(
            "SELECT reason, count(*) FROM orders_hold WHERE released_at IS NULL GROUP BY 1 ORDER BY 2 DESC"
        )),
        "rows_refused": one("SELECT sum(rows_refused) FROM imports_importfile"),
        "owed": one("SELECT count(*) FROM history_pendingreaction"),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--orders-file", type=Path, default=None)
    parser.add_argument("--days", type=int, default=0, help="only the first so many days")
    parser.add_argument("--profile", default="", help="write a cProfile file")
    given = parser.parse_args()
    with own_database() as cluster, tempfile.TemporaryDirectory(prefix="daifa-year-") as folder:
        from daifa.flows.audit import audit
        from daifa.flows.replay import replay
        from daifa.flows.sample_shop.cut import DATA
        from daifa.lib import bulk, clock

        inbox = Path(folder)
        first, last, lines_in = lay_out(given.orders_file or DATA, given.days, inbox)
        goods_found = goods_of_inbox(inbox)
        lay_out_lists(goods_found, inbox, first, last)
        begin = datetime.combine(first, datetime.min.time(), UTC)
        end = datetime.combine(last + timedelta(days=AFTER), datetime.min.time(), UTC)
        with clock.moved_to(begin - timedelta(days=1)):
            open_shop(goods_found, begin - timedelta(days=1))
        bulk.execute("ANALYZE")
        profile = None
        if given.profile:
            import cProfile

            profile = cProfile.Profile()
            profile.enable()
        wall, app, server = time.perf_counter(), own_cpu(), server_cpu(cluster)

        def progress(moment: datetime, done: int, total: int, counts: Any) -> None:
            if sys.stderr.isatty() or done % 30 == 0:
                print(
                    f"{moment:%Y-%m-%d} {done}/{total} {time.perf_counter() - wall:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )

        done = replay(
            from_=begin, to=end, step=timedelta(days=1), inbox=inbox, options={"recipients": "generated"}, by="bench",
            progress=progress,
        )  # fmt: skip
        spent = {
            "wall_s": round(time.perf_counter() - wall, 1),
            "app_cpu_s": round(own_cpu() - app, 1),
            "db_cpu_s": round(server_cpu(cluster) - server, 1),
        }
        if profile is not None:
            profile.disable()
            profile.dump_stats(given.profile)
        breaches = audit()
        print(json.dumps({
            "rows_in": lines_in, **figures(), "steps": done.steps, **spent,
            "peak_rss_mb": round(peak_rss_mb()), "db_mb": round(database_bytes() / 1e6),
            "refused_files": len(done.refused),
            "breaches": [{"code": b.code, "count": b.count, "sentence": b.sentence} for b in breaches],
        }))  # fmt: skip
    return 1 if breaches or done.refused else 0


if __name__ == "__main__":
    sys.exit(main())
