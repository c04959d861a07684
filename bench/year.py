"""A year of real orders through the whole loop: `python -m bench.year --orders-file orders.csv.gz`.

The file is Online Retail II (or any file with its columns); without one the sample shop's own cut is taken, so that it
runs anywhere. Catalogue, suppliers, price lists, recipients, factories and carriers come from the sample shop's
generator (`docs/sample-shop.md`). The orders are laid into an inbox by their day and replayed in steps of a day: each
day's orders are routed, purchased, answered, tracked, told and posted before the next day comes. Starts its own database
(fsync on), audits at the end, and prints one JSON line.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.own_database import database_bytes, own_cpu, own_database, peak_rss_mb, server_cpu

LIST_EVERY = 28  # days between price lists
AFTER = 35  # days after the last order in which parcels still arrive
STORE = "sample-gifts"


def read_rows(path: Path, days: int) -> list[dict[str, str]]:
    """Rows of the file; of its first `days` days where that is not 0."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if days:
        end = (min(date.fromisoformat(row["InvoiceDate"][:10]) for row in rows) + timedelta(days=days)).isoformat()
        rows = [row for row in rows if row["InvoiceDate"] < end]
    return rows


def lay_out(rows: list[dict[str, str]], goods_found: list[Any], inbox: Path) -> tuple[date, date]:
    """Order files by the day of each invoice's first row, price lists every four weeks; returns first and last day."""
    from daifa.flows.sample_shop import goods
    from daifa.flows.sample_shop.load import csv_of

    day_of: dict[str, str] = {}
    for row in rows:
        day = row["InvoiceDate"][:10]
        day_of[row["Invoice"]] = min(day, day_of.get(row["Invoice"], day))
    days: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        days[day_of[row["Invoice"]]].append(row)
    folder = inbox / "orders" / STORE
    folder.mkdir(parents=True)
    for day, members in days.items():
        (folder / f"{day}T0700.csv").write_bytes(csv_of(members))
    first, last = date.fromisoformat(min(days)), date.fromisoformat(max(days))
    for supplier in goods.SUPPLIERS:
        (inbox / "offers" / supplier.code).mkdir(parents=True)
        for week in range(1, (last - first).days // LIST_EVERY + 1):
            day = first + timedelta(days=week * LIST_EVERY)
            content = goods.offers_csv(goods_found, supplier, week)
            (inbox / "offers" / supplier.code / f"{day}.csv").write_bytes(content)
    return first, last


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
        from daifa.flows.sample_shop.load import goods_of_rows
        from daifa.lib import bulk, clock

        rows = read_rows(given.orders_file or DATA, given.days)
        goods_found = goods_of_rows(rows)
        inbox = Path(folder)
        first, last = lay_out(rows, goods_found, inbox)
        lines_in = len(rows)
        del rows
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
                print(f"{moment:%Y-%m-%d} {done}/{total} {time.perf_counter() - wall:.0f} s", file=sys.stderr, flush=True)

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
