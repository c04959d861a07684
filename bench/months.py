"""Store-months measured, said and reviewed: `python -m bench.months --stores 20 --months 50`, one JSON line.

Each store has 100 orders a month (`--orders`) with their parcels, purchases and messages. The first run measures every
month (`wall_s`, `cpu_s`: this process and the server); `again_s` is the next night's, when all but the last are final.
Starts its own database (fsync on). No ledger: sales and margin are nought.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import timedelta

from bench.own_database import own_cpu, own_database, peak_rss_mb, server_cpu
from bench.stored import END, store_orders


def fill(stores: int, months: int, orders: int) -> None:
    """A year of two stores, dealt out to so many stores and stretched over so many months."""
    from django.db import connection

    from daifa.domain.stores.models import Store
    from daifa.lib import bulk

    first = store_orders(stores * months * orders, analyse=False)["stores"]
    began = END - timedelta(days=30 * months)
    more = [
        Store.objects.create(code=f"bench-{n}", name=f"Bench {n}", currency="GBP", created_at=began).pk for n in range(3, stores + 1)
    ]
    ids = (first + more)[:stores]
    bulk.execute("UPDATE stores_store SET created_at = %s", (began,))
    stretched = "%s::timestamptz - (%s::timestamptz - {0}) * %s"
    factor = 30 * months / 365
    for table, columns in (
        ("orders_order", ("placed_at", "ship_by_at")), ("shipping_parcel", ("handed_over_at",)),
        ("purchasing_purchaseorder", ("placed_at",)), ("buyer_messages_message", ("sent_at",)),
    ):  # fmt: skip
        key = "id" if table == "orders_order" else "order_id"
        sets = ", ".join(f"{name} = {stretched.format(name)}" for name in columns)
        params = [value for _name in columns for value in (END, END, factor)]
        bulk.execute(
            f"UPDATE {table} SET {sets}, store_id = (%s::bigint[])[1 + ({key} %% %s)::int] WHERE store_id = ANY(%s::bigint[])",
            (*params, ids, len(ids), first),
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stores", type=int, default=20)
    parser.add_argument("--months", type=int, default=50, help="of each store, 60 at most")
    parser.add_argument("--orders", type=int, default=100, help="of each store in each month")
    given = parser.parse_args()
    with own_database() as server:
        from daifa.domain.exit_index.models import StoreMonth
        from daifa.flows.measure_months import measure_months

        fill(given.stores, given.months, given.orders)
        app, database, began = own_cpu(), server_cpu(server), time.perf_counter()
        counts = measure_months(at=END + timedelta(days=5))
        wall = time.perf_counter() - began
        cpu = own_cpu() - app + server_cpu(server) - database
        began = time.perf_counter()
        measure_months(at=END + timedelta(days=6))
        again = time.perf_counter() - began
        print(json.dumps({
            "stores": given.stores, "orders": given.stores * given.months * given.orders, "store_months": StoreMonth.objects.count(),
            "counts": counts, "wall_s": round(wall, 2), "cpu_s": round(cpu, 2), "again_s": round(again, 2), "rss_mb": round(peak_rss_mb()),
        }))  # fmt: skip


if __name__ == "__main__":
    main()
