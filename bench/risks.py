"""Signs of no source of one's own, looked for in all stores: `python -m bench.risks --orders 100000`, one JSON line.

The orders of `bench.stored` in two stores on channels with rules (Xiaohongshu, TikTok Shop): one parcel in ten with a number
that another order had, one in three of the platform's own e-waybills, one complaint in 200 orders whose words name another
platform. The first look finds everything (`wall_s`, `cpu_s`: this process and the server); `again_s` is the next hour's.
Starts its own database (fsync on).
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import timedelta

from bench.own_database import own_cpu, own_database, peak_rss_mb, server_cpu
from bench.stored import END, store_orders

AT = END + timedelta(hours=1)


def fill(count: int) -> list[int]:
    """Write everything; returns the ids of the two stores."""
    from django.db import connection

    from daifa.lib import bulk

    stores = store_orders(count, analyse=False)["stores"]
    for store, channel, country in zip(stores, ("xiaohongshu", "tiktok_shop"), ("CN", "US"), strict=True):
        bulk.execute("UPDATE stores_store SET kind = 'marketplace', channel = %s, country = %s WHERE id = %s", (channel, country, store))
    bulk.execute(
        """INSERT INTO shipping_platformwaybill (store_id, order_id, number, source, at)
           SELECT store_id, id, 'PW' || id, 'bench', placed_at FROM orders_order WHERE id %% 3 = 0"""
    )
    bulk.execute(
        """UPDATE shipping_parcel p SET number = o.number FROM shipping_parcel o
           WHERE p.id %% 10 = 0 AND o.id = p.id - 5 AND o.order_id <> p.order_id"""
    )
    bulk.execute(
        """INSERT INTO cases_complaint (store_id, order_id, kind, reference, text, found, opened_at, state, source)
           SELECT store_id, id, 'foreign_card', 'CP' || id, '包裹里有一张拼多多的卡片,还收到了拼多多的短信', '{}', placed_at + interval '9 days', 'open', 'bench'
           FROM orders_order WHERE id %% 200 = 0"""
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return stores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=100_000, help="orders in both stores together")
    given = parser.parse_args()
    with own_database() as server:
        from daifa.flows.find_risks import find_risks
        from daifa.lib import bulk

        fill(given.orders)
        app, database, began = own_cpu(), server_cpu(server), time.perf_counter()
        counts = find_risks(at=AT)
        wall = time.perf_counter() - began
        cpu = own_cpu() - app + server_cpu(server) - database
        began = time.perf_counter()
        find_risks(at=AT + timedelta(hours=1))
        again = time.perf_counter() - began
        behind = bulk.fetch("SELECT count(*) FROM compliance_riskorder")[0][0]
        print(json.dumps({
            "orders": given.orders, "counts": counts, "behind": behind, "wall_s": round(wall, 2), "cpu_s": round(cpu, 2),
            "again_s": round(again, 2), "rss_mb": round(peak_rss_mb()),
        }))  # fmt: skip


if __name__ == "__main__":
    main()
