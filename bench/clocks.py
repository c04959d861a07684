"""The clocks of all open orders, reckoned anew: `python -m bench.clocks --orders 100000`, one JSON line.

Five stores on five channels; two in five orders wait for dispatch (some late), the others are on their way with one to
four scans, some stalled, some never scanned; one in fifty has an aftersale request. The first reckoning writes every
clock and is what counts (`wall_s`, `cpu_s`: this process and the server); `again_s` is the next one a quarter of an
hour later, as it happens every few minutes. Starts its own database (fsync on).
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bench.own_database import own_cpu, own_database, server_cpu

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
CHANNELS = [
    ("xiaohongshu", "CN", "CNY", "Asia/Shanghai"), ("amazon", "US", "USD", "America/New_York"),
    ("ebay", "GB", "GBP", "Europe/London"), ("shopee", "SG", "SGD", "Asia/Singapore"),
    ("tiktok_shop", "US", "USD", "America/Los_Angeles"),
]  # fmt: skip
REGIONS = ["浙江省", "上海市", "广东省", "新疆维吾尔自治区", "北京市", "四川省", ""]
CHUNK = 10_000


def fill(count: int, channels: Sequence[tuple[str, str, str, str]] = CHANNELS) -> None:
    """Write `count` open orders and what hangs on them by COPY, in a store on each of these channels. Seeded."""
    from django.db import connection, transaction

    from daifa.domain.compliance.commands import set_dispatch_mode
    from daifa.domain.history.commands import ensure_months
    from daifa.domain.sourcing.models import Supplier
    from daifa.domain.stores.models import Store
    from daifa.lib import bulk

    rng = random.Random(11)
    ensure_months((NOW - timedelta(days=60)).date(), (NOW + timedelta(days=31)).date())
    stores = [
        Store.objects.create(
            code=f"bench-{channel}", name=channel, channel=channel, kind="marketplace", currency=currency,
            timezone=zone, country=country, created_at=NOW,
        )
        for channel, country, currency, zone in channels
    ]  # fmt: skip
    set_dispatch_mode(store_id=stores[0].pk, mode="spot", origin="浙江", by="bench", at=NOW)
    supplier = Supplier.objects.create(code="factory", name="Factory", currency="CNY", created_at=NOW)
    for first in range(0, count, CHUNK):
        size = min(CHUNK, count - first)
        orders, lines, addresses, parcels, scans, cases, notices = [], [], [], [], [], [], []
        ids = bulk.next_ids("orders_order", size)
        boxes = iter(bulk.next_ids("shipping_parcel", size))
        for n, order in enumerate(ids, first):
            store = stores[n % len(stores)]
            shipped = rng.random() < 0.6
            paid = NOW - timedelta(hours=rng.uniform(24, 400) if shipped else rng.uniform(0, 80))
            amount = Decimal(rng.randrange(900, 30_000)) / 100
            orders.append((
                order, store.pk, f"C{n:07d}", paid, paid, store.currency, store.country, amount, amount, b"0" * 16, "import:1", 1,
                2, 2, 2, 2, 2 if shipped else 0, paid + timedelta(hours=48),
            ))  # fmt: skip
            lines.append((order, 1, f"SKU{n % 500}", 2, amount / 2, amount, 2, 2, 2, 2 if shipped else 0))
            addresses.append((order, 1, "–", rng.choice(REGIONS), store.country, b"0" * 32, paid))
            if rng.random() < 0.02:
                cases.append((store.pk, order, "refund", "requested", "changed_mind", NOW - timedelta(hours=rng.uniform(0, 60))))
            if not shipped:
                continue
            box, said = next(boxes), paid + timedelta(hours=rng.uniform(4, 60))
            at = min(said, NOW)
            parcels.append((box, store.pk, order, supplier.pk, f"YT{n:012d}", "in_transit", 2, at, at, at + timedelta(days=14)))
            notices.append((store.pk, box, 1, "sent", at, at))
            for status in ("handed_over", "in_transit", "in_transit", "out_for_delivery")[: rng.randrange(5)]:
                at += timedelta(hours=rng.uniform(2, 90))
                if at >= NOW:
                    break
                scans.append((box, at, status, status, "", at, "import:2"))
        with transaction.atomic():
            bulk.copy_rows("orders_order", _ORDER, orders)
            bulk.copy_rows("orders_orderline", _LINE, lines)
            bulk.copy_rows("orders_addressversion", ("order_id", "version", "name", "region", "country", "digest", "at"), addresses)
            bulk.copy_rows("shipping_parcel", _PARCEL, parcels)
            bulk.copy_rows("shipping_dispatchnotice", ("store_id", "parcel_id", "version", "state", "at", "sent_at"), notices)
            bulk.copy_rows("shipping_trackingevent", ("parcel_id", "at", "status", "raw_status", "place", "seen_at", "source"), scans)
            bulk.copy_rows("aftersales_aftersalecase", ("store_id", "order_id", "kind", "state", "reason", "opened_at"), cases)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


_ORDER = (
    "id", "store_id", "number", "placed_at", "paid_at", "currency", "country", "goods_amount", "total_amount", "content_hash",
    "source", "address_version", "units", "allocated", "purchased", "accepted", "shipped", "ship_by_at",
)  # fmt: skip
_LINE = (
    "order_id", "line_no", "sku", "quantity", "unit_price", "amount", "allocated", "purchased", "accepted", "shipped",
)  # fmt: skip
_PARCEL = (
    "id", "store_id", "order_id", "supplier_id", "number", "state", "units", "announced_at", "last_event_at", "late_at",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=100_000, help="open orders")
    given = parser.parse_args()
    with own_database() as server:
        from daifa.domain.compliance.commands import reckon_clocks
        from daifa.domain.policy.queries import rules

        fill(given.orders)
        rules("xiaohongshu", on=NOW.date())  # the book is read once in a process
        app, database, began = own_cpu(), server_cpu(server), time.perf_counter()
        first = reckon_clocks(at=NOW)
        wall = time.perf_counter() - began
        cpu = own_cpu() - app + server_cpu(server) - database
        began = time.perf_counter()
        reckon_clocks(at=NOW + timedelta(minutes=15))
        again = time.perf_counter() - began
        if first.clocks < given.orders * 0.7:
            raise SystemExit(f"Only {first.clocks} clocks for {given.orders} open orders.")
        print(json.dumps({
            "orders": given.orders, "clocks": first.clocks, "wall_s": round(wall, 3), "cpu_s": round(cpu, 3),
            "again_s": round(again, 3),
        }))  # fmt: skip


if __name__ == "__main__":
    main()
