"""Fills a database with orders in every stage, by COPY: what the benchmarks of pages stand on.

Two stores, four suppliers, 2,000 variants (a few sell a lot, most seldom), customers who come back. Each order has two
lines for two suppliers, with fulfilment, purchases, parcels, scans, messages and history as the loop would have left
them. Seeded: the same count gives the same rows. No ledger: the pages measured here do not read it.
"""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

CHUNK = 5_000
END = datetime(2026, 6, 30, 18, tzinfo=UTC)
DAYS = 365
STAGES = [
    # (share, allocated, purchased, accepted, shipped, delivered, cancelled): of the units of each line
    ("delivered", 0.80, 1, 1, 1, 1, 1, 0),
    ("shipped", 0.08, 1, 1, 1, 1, 0, 0),
    ("purchased", 0.05, 1, 1, 0, 0, 0, 0),
    ("on_hold", 0.03, 0, 0, 0, 0, 0, 0),
    ("new", 0.02, 0, 0, 0, 0, 0, 0),
    ("cancelled", 0.02, 0, 0, 0, 0, 0, 1),
]
HOLDS = ["mapping_missing", "out_of_stock", "buyer_data_missing", "agreement_missing", "price_above_limit"]
FIRST = [
    "Ada",
    "Ben",
    "Carla",
    "Dmitri",
    "Elif",
    "Femi",
    "Grace",
    "Hiro",
    "Ines",
    "Jonas",
    "Mei",
    "Nora",
    "Omar",
    "Wei",
]
LAST = [
    "Smith",
    "Jones",
    "García",
    "Müller",
    "Okafor",
    "Tanaka",
    "Rossi",
    "Kowalski",
    "Nguyen",
    "Lindqvist",
    "Brown",
]


def store_orders(count: int, *, variants_sold: int = 2_000, analyse: bool = True, second_store: int = 2) -> dict[str, Any]:
    """Write `count` orders and what hangs on them; returns {"stores": […], "skus": […], "orders": […]}.

    `analyse` False leaves out the VACUUM ANALYZE, which cannot run inside a transaction. One customer in `second_store`
    buys in the second store, the others in the first.
    """
    from django.db import connection, transaction

    from daifa.domain.catalog.models import Product, Variant
    from daifa.domain.customers.models import Customer
    from daifa.domain.history.commands import ensure_months, open_batch
    from daifa.domain.sourcing.models import Agreement, SkuMapping, Supplier, SupplierOffer
    from daifa.domain.stores.models import Store

    rng = random.Random(7)
    begin = END - timedelta(days=DAYS)
    stores = [
        Store.objects.create(code=f"bench-{i}", name=f"Bench {i}", currency="GBP", created_at=begin)
        for i in (1, 2)
    ]
    suppliers = [
        Supplier.objects.create(code=f"factory-{i}", name=f"Factory {i}", currency="CNY", created_at=begin)
        for i in range(4)
    ]
    Agreement.objects.bulk_create(
        Agreement(supplier=one, valid_from=begin.date(), entrusted_on=begin.date(), recorded_by="bench", recorded_at=begin)
        for one in suppliers
    )
    product = Product.objects.create(handle="bench", title="Bench", created_at=begin)
    variants = Variant.objects.bulk_create(
        Variant(product=product, sku=f"{10000 + i}{'ABC'[i % 3]}", created_at=begin)
        for i in range(variants_sold)
    )
    offers = SupplierOffer.objects.bulk_create(
        SupplierOffer(
            supplier=suppliers[i % 4],
            supplier_sku=f"F-{v.sku}",
            price=Decimal("9.5"),
            stock=1000,
            read_at=begin,
        )
        for i, v in enumerate(variants)
    )
    mappings = SkuMapping.objects.bulk_create(
        SkuMapping(variant=v, offer=o, supplier_sku=o.supplier_sku, by="bench", at=begin)
        for v, o in zip(variants, offers, strict=True)
    )
    customers = Customer.objects.bulk_create(
        (
            Customer(
                store=stores[i % second_store == second_store - 1], ref=str(12_000 + i), name=f"{rng.choice(FIRST)} {rng.choice(LAST)}",
                country="GB", first_seen_at=begin,
            )
            for i in range(max(2, count // 3))
        ),
        batch_size=5_000,
    )  # fmt: skip
    ensure_months(begin.date(), END.date() + timedelta(days=31))
    with transaction.atomic():
        batch = open_batch(by="job:bench", at=begin)
    # A few variants make most of the sales: weight 1/rank.
    weights = [1 / (rank + 1) for rank in range(len(variants))]
    ids: list[int] = []
    written = 0
    while written < count:
        size = min(CHUNK, count - written)
        with transaction.atomic():
            ids += _chunk(
                rng,
                written,
                size,
                count,
                stores,
                customers,
                variants,
                offers,
                mappings,
                weights,
                begin,
                batch,
            )
        written += size
    if analyse:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    return {"stores": [store.id for store in stores], "skus": [v.sku for v in variants], "orders": ids}


def _chunk(
    rng, first, size, count, stores, customers, variants, offers, mappings, weights, begin, batch
) -> list[int]:
    from daifa.domain.orders.process import ORDER
    from daifa.domain.purchasing.process import PURCHASE_ORDER
    from daifa.domain.shipping.process import PARCEL
    from daifa.lib import bulk

    order_ids = bulk.next_ids("orders_order", size)
    line_ids = iter(bulk.next_ids("orders_orderline", 2 * size))
    address_ids = bulk.next_ids("orders_addressversion", size)
    fo_ids = iter(bulk.next_ids("fulfilment_fulfilmentorder", 2 * size))
    fl_ids = iter(bulk.next_ids("fulfilment_fulfilmentline", 2 * size))
    po_ids = iter(bulk.next_ids("purchasing_purchaseorder", 2 * size))
    pl_ids = iter(bulk.next_ids("purchasing_purchaseline", 2 * size))
    parcel_ids = iter(bulk.next_ids("shipping_parcel", 2 * size))
    rows: dict[str, list] = {
        name: []
        for name in (
            "orders_order", "orders_orderline", "orders_addressversion", "orders_hold", "fulfilment_fulfilmentorder",
            "fulfilment_fulfilmentline", "purchasing_purchaseorder", "purchasing_purchaseline", "shipping_parcel",
            "shipping_parcelline", "shipping_waybillnumber", "shipping_trackingevent", "buyer_messages_message",
            "history_transition",
        )
    }  # fmt: skip
    money = Decimal
    for i in range(size):
        n = first + i
        at = begin + timedelta(days=DAYS) * (n / count) + timedelta(minutes=rng.randrange(600))
        # The newest are still under way; holds and cancellations are found at any age.
        share = rng.random()
        if n < count * 0.8 and share < 0.95:
            stage = STAGES[0]
        else:
            stage = rng.choices(STAGES, [s[1] for s in STAGES])[0]
        name, _, allocated, purchased, accepted, shipped, delivered, cancelled = stage
        customer = customers[rng.randrange(len(customers))]
        store = customer.store_id
        order, address = order_ids[i], address_ids[i]
        picks = rng.choices(range(len(variants)), weights, k=2)
        quantities = [rng.randint(1, 4) for _ in picks]
        units = sum(quantities)
        total = money("12.50") * units
        rows["orders_order"].append(
            (
                order, store, f"{500_000 + n}", customer.id, at, at, "GBP", "GB", total, total, hashlib.md5(b"%d" % n).digest(),
                "import:1", 1, units, cancelled * units, allocated * units, purchased * units, accepted * units,
                shipped * units, delivered * units, int(name == "on_hold"), at + timedelta(hours=48),
            )
        )  # fmt: skip
        rows["orders_addressversion"].append(
            (address, order, 1, customer.name, f"{n} High Street", "Leeds", "LS1 1AA", "GB", f"c{n}@example.invalid",
             hashlib.sha256(b"%d" % n).digest(), at)
        )  # fmt: skip
        rows["history_transition"].append((batch, ORDER.kind, order, "", "received", at))
        if name == "on_hold":
            rows["orders_hold"].append((order, rng.choice(HOLDS), "{}", at))
        rows["buyer_messages_message"].append(
            (store, order, "order_received", order, "sent", "Thank you", "…", at, at)
        )
        for line_no, (pick, quantity) in enumerate(zip(picks, quantities, strict=True), 1):
            line, variant, offer, mapping = next(line_ids), variants[pick], offers[pick], mappings[pick]
            rows["orders_orderline"].append(
                (line, order, line_no, variant.sku, "A thing", variant.id, quantity, money("12.50"),
                 money("12.50") * quantity, *(flag * quantity for flag in (cancelled, allocated, purchased, accepted, shipped, delivered)))
            )  # fmt: skip
            if not allocated:
                continue
            fo, fl, po, pl = next(fo_ids), next(fl_ids), next(po_ids), next(pl_ids)
            rows["fulfilment_fulfilmentorder"].append(
                (fo, store, order, offer.supplier_id, address, "assigned", at)
            )
            rows["fulfilment_fulfilmentline"].append(
                (fl, fo, line, offer.id, mapping.id, 1, offer.supplier_sku, quantity, offer.price)
            )
            rows["purchasing_purchaseorder"].append(
                (po, store, order, offer.supplier_id, fo, address, f"BN{po:08d}", "placed", "CNY",
                 offer.price * quantity, quantity, accepted * quantity, shipped * quantity, at, at)
            )  # fmt: skip
            rows["history_transition"] += [
                (batch, PURCHASE_ORDER.kind, po, "", "ready", at),
                (batch, PURCHASE_ORDER.kind, po, "ready", "submitting", at + timedelta(minutes=5)),
                (batch, PURCHASE_ORDER.kind, po, "submitting", "placed", at + timedelta(minutes=6)),
            ]
            rows["purchasing_purchaseline"].append(
                (pl, po, 1, fl, line, offer.id, mapping.id, 1, offer.supplier_sku, quantity, offer.price,
                 accepted * quantity, shipped * quantity)
            )  # fmt: skip
            if not shipped:
                continue
            parcel, number = next(parcel_ids), f"YT{8_800_000_000_000 + po}"
            handed = at + timedelta(days=2)
            arrived = at + timedelta(days=9) if delivered else None
            rows["shipping_parcel"].append(
                (parcel, store, order, offer.supplier_id, "yto", number, "delivered" if delivered else "in_transit",
                 quantity, handed, handed, arrived, arrived or handed, at + timedelta(days=16))
            )  # fmt: skip
            rows["shipping_parcelline"].append((parcel, pl, line, quantity, quantity))
            rows["shipping_waybillnumber"].append((parcel, 1, number, "yto", "import:2", handed))
            rows["buyer_messages_message"].append(
                (store, order, "dispatched", parcel, "sent", "On its way", "…", handed, handed)
            )
            rows["history_transition"].append((batch, PARCEL.kind, parcel, "", "handed_over", handed))
            for hours, status in [(0, "handed_over"), (30, "in_transit"), (160, "delivered")][
                : 3 if delivered else 2
            ]:
                moment = handed + timedelta(hours=hours)
                rows["shipping_trackingevent"].append(
                    (parcel, moment, status, status, "Yiwu", moment, "import:3")
                )
    for table, written in rows.items():
        bulk.copy_rows(table, _COLUMNS[table], written)
    return order_ids


_COLUMNS = {
    "orders_order": (
        "id", "store_id", "number", "customer_id", "placed_at", "paid_at", "currency", "country", "goods_amount", "total_amount",
        "content_hash", "source", "address_version", "units", "cancelled", "allocated", "purchased", "accepted", "shipped",
        "delivered", "open_holds", "ship_by_at",
    ),
    "orders_addressversion": (
        "id", "order_id", "version", "name", "line1", "city", "postcode", "country", "email", "digest", "at",
    ),
    "orders_hold": ("order_id", "reason", "params", "opened_at"),
    "orders_orderline": (
        "id", "order_id", "line_no", "sku", "title", "variant_id", "quantity", "unit_price", "amount", "cancelled",
        "allocated", "purchased", "accepted", "shipped", "delivered",
    ),
    "fulfilment_fulfilmentorder": ("id", "store_id", "order_id", "supplier_id", "address_id", "state", "at"),
    "fulfilment_fulfilmentline": (
        "id", "fulfilment_order_id", "order_line_id", "offer_id", "mapping_id", "mapping_version", "supplier_sku",
        "quantity", "unit_cost",
    ),
    "purchasing_purchaseorder": (
        "id", "store_id", "order_id", "supplier_id", "fulfilment_order_id", "address_id", "reference", "state", "currency",
        "goods_amount", "units", "accepted", "shipped", "at", "placed_at",
    ),
    "purchasing_purchaseline": (
        "id", "purchase_order_id", "line_no", "fulfilment_line_id", "order_line_id", "offer_id", "mapping_id",
        "mapping_version", "supplier_sku", "quantity", "unit_cost", "accepted", "shipped",
    ),
    "shipping_parcel": (
        "id", "store_id", "order_id", "supplier_id", "carrier", "number", "state", "units", "announced_at",
        "handed_over_at", "delivered_at", "last_event_at", "late_at",
    ),
    "shipping_parcelline": ("parcel_id", "purchase_line_id", "order_line_id", "quantity", "order_quantity"),
    "shipping_waybillnumber": ("parcel_id", "version", "number", "carrier", "source", "at"),
    "shipping_trackingevent": ("parcel_id", "at", "status", "raw_status", "place", "seen_at", "source"),
    "buyer_messages_message": ("store_id", "order_id", "kind", "thing", "state", "subject", "body", "at", "sent_at"),
    "history_transition": ("batch_id", "kind", "thing", "state_from", "state_to", "at"),
}  # fmt: skip
