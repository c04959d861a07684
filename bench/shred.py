"""Erasing at size: `python -m bench.shred --orders 100000`, one JSON line for each of six things.

One store with N orders that have ended, and what a year leaves behind: addresses (half of them Chinese), customers,
messages, an upload for each 1,000 orders, a workbook for each 500 purchases, a letter for every tenth order, refused rows,
complaints, cases, reasons and tasks that name buyers; a second store of a tenth that size stays. Measured: what is held on
one person (counted) before the words of uploads are listed, listing them as every night, what is held and erasing that
person after it, the daily sweep of data whose time is over (all of them for the oldest tenth),
and shredding what is left of the store, as a closing does. `wall_s`, `cpu_s` (this process and the server), `rss_mb`
(largest so far). Starts its own database (fsync on).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.own_database import own_cpu, own_database, peak_rss_mb, server_cpu
from bench.stored import DAYS, END, store_orders

AT = END + timedelta(days=200)
ROADS = ["文三路", "凤起路", "解放路", "中山北路", "人民大道"]
UPLOAD, RUN, LETTER_EVERY, ROW_EVERY, CASE_EVERY = 1000, 500, 10, 100, 50


def fill(count: int) -> int:
    """Write everything; returns the id of the store that will be shredded."""
    from django.db import connection, transaction

    store, other = store_orders(count + count // 10, second_store=11, analyse=False)["stores"]
    with transaction.atomic():
        for each in (store, other):
            _people(each)
            _papers(each)
            _words(each)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return store


def _people(store: int) -> None:
    """Everything has ended; every buyer has a name, a street and a phone of his own, half of them Chinese ones."""
    from daifa.lib import bulk

    bulk.execute(
        """UPDATE orders_order SET cancelled = 0, allocated = units, purchased = units, accepted = units, shipped = units,
           delivered = units, open_holds = 0 WHERE store_id = %s""",
        (store,),
    )
    bulk.execute("UPDATE purchasing_purchaseorder SET state = 'closed', accepted = units, shipped = units WHERE store_id = %s", (store,))
    bulk.execute("DELETE FROM orders_hold WHERE order_id IN (SELECT id FROM orders_order WHERE store_id = %s)", (store,))
    bulk.execute(
        """UPDATE orders_addressversion SET country = 'CN', region = '浙江省', city = '杭州市', postcode = '310012',
               name = substr('王李张刘陈杨黄赵周吴', 1 + (id %% 10)::int, 1) || substr('伟芳娜敏静丽强磊军洋勇艳杰涛明超霞平刚桂', 1 + (id / 10 %% 20)::int, 1)
                      || substr('云海山川林森峰雪梅兰竹菊松柏春夏秋冬晨曦', 1 + (id / 200 %% 20)::int, 1),
               line1 = '浙江省杭州市西湖区' || (%s::text[])[1 + (id %% 5)::int] || id || '号', phone = '+86 138' || lpad((id %% 100000000)::text, 8, '0')
           WHERE id %% 2 = 0 AND order_id IN (SELECT id FROM orders_order WHERE store_id = %s)""",
        (ROADS, store),
    )
    bulk.execute(
        """UPDATE orders_addressversion SET name = name || ' ' || chr(65 + (id %% 26)::int) || 'ock' || chr(97 + (id / 26 %% 26)::int) || 'ley',
               line1 = 'Flat ' || id %% 9 || ', High Street ' || id, phone = '+44 7' || lpad((id %% 1000000000)::text, 9, '0')
           WHERE id %% 2 = 1 AND order_id IN (SELECT id FROM orders_order WHERE store_id = %s)""",
        (store,),
    )


_BUYER = "a.name, a.line1, a.city, a.postcode, a.country, a.phone, a.email"


def _papers(store: int) -> None:
    from django.conf import settings

    from daifa.lib import bulk, keeping

    rows = bulk.fetch(
        f"""SELECT o.id, o.number, {_BUYER} FROM orders_order o JOIN orders_addressversion a ON a.order_id = o.id
            WHERE o.store_id = %s ORDER BY o.id""",
        (store,),
    )
    for first in range(0, len(rows), UPLOAD):
        part = rows[first : first + UPLOAD]
        content = _csv(["Order number", "SKU", "Quantity", "Price", *_BUYER.replace("a.", "").split(", ")],
                       [(row[1], "10000A", 2, "12.50", *row[2:]) for row in part])  # fmt: skip
        sha256 = hashlib.sha256(content).hexdigest()
        path = keeping.path_of("imports", sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        (file,) = bulk.write_rows(
            "imports_importfile", ("kind", "store_id", "name", "sha256", "size", "options", "state", "counts", "by", "at"),
            [("orders", store, f"orders-{first}.csv", sha256, len(content), "{}", "done", "{}", "bench", END)],
        )  # fmt: skip
        bulk.execute("UPDATE orders_order SET source = %s WHERE id = ANY(%s::bigint[])", (f"import:{file}", [row[0] for row in part]))
        bulk.copy_rows(
            "imports_importrow", ("file_id", "row", "document", "code", "params", "raw", "state", "at"),
            [(file, n, row[1], "sku_unknown", bulk.json({"name": row[2]}), bulk.json([str(cell) for cell in row[1:]]), "open", END)
             for n, row in enumerate(part) if n % ROW_EVERY == 0],
        )  # fmt: skip
    purchases = bulk.fetch(
        f"""SELECT p.supplier_id, p.id, p.reference, {_BUYER} FROM purchasing_purchaseorder p
            JOIN orders_addressversion a ON a.id = p.address_id WHERE p.store_id = %s ORDER BY 1, 2""",
        (store,),
    )
    from openpyxl import Workbook

    number = store * 100_000
    for first in range(0, len(purchases), RUN):
        part = [row for row in purchases[first : first + RUN] if row[0] == purchases[first][0]]
        book, buffer = Workbook(write_only=True), io.BytesIO()
        sheet = book.create_sheet()
        for row in part:
            sheet.append([str(cell) for cell in row[2:]])
        book.save(buffer)
        number += 1
        (run,) = bulk.write_rows(
            "purchasing_purchaserun",
            ("store_id", "supplier_id", "number", "state", "name", "content", "sha256", "orders", "rows", "at", "placed_at"),
            [(store, part[0][0], number, "sent", f"run-{number}.xlsx", buffer.getvalue(), "0" * 64, len(part), len(part), END, END)],
        )
        bulk.execute("UPDATE purchasing_purchaseorder SET run_id = %s WHERE id = ANY(%s::bigint[])", (run, [row[1] for row in part]))
    folder = Path(settings.EMAIL_FILE_PATH)
    folder.mkdir(parents=True, exist_ok=True)
    for message, email, name in bulk.fetch(
        """SELECT m.id, a.email, a.name FROM buyer_messages_message m JOIN orders_addressversion a ON a.order_id = m.order_id
           WHERE m.store_id = %s AND m.kind = 'order_received' AND m.order_id %% %s = 0""",
        (store, LETTER_EVERY),
    ):
        (folder / f"buyer-{message}.eml").write_text(f"Subject: Thank you\nTo: {email}\nFrom: shop@example.invalid\nMIME-Version: 1.0\n\nDear {name}\n")


def _words(store: int) -> None:
    """What people and the program write down beside the orders, with names in it."""
    from daifa.lib import bulk

    some = bulk.fetch(
        """SELECT o.id, a.name, a.line1, o.placed_at FROM orders_order o JOIN orders_addressversion a ON a.order_id = o.id
           WHERE o.store_id = %s AND o.id %% %s = 0 ORDER BY o.id""",
        (store, CASE_EVERY),
    )
    bulk.copy_rows("history_batch", ("by", "at", "reason"), [("user:1", at, f"returned by {name}, {line}") for _o, name, line, at in some])
    bulk.copy_rows(
        "aftersales_aftersalecase", ("store_id", "order_id", "kind", "state", "reason", "note", "opened_at"),
        [(store, order, "refund", "closed", "damaged", f"{name} writes", at) for order, name, _l, at in some],
    )
    bulk.copy_rows(
        "cases_complaint", ("store_id", "order_id", "kind", "reference", "text", "found", "opened_at", "state", "source", "ended_at"),
        [(store, order, "damaged", f"CP-{order}", f"I am {name}", "{}", at, "refunded", "bench", at) for order, name, _l, at in some[::2]],
    )
    bulk.copy_rows(
        "stores_task", ("kind", "store_id", "thing_kind", "thing", "params", "opened_at", "closed_at"),
        [("purchase_failed", store, "order", order, bulk.json({"name": name}), at, at) for order, name, _l, at in some],
    )


def _csv(heading: list[str], rows: list[tuple]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(heading)
    writer.writerows(rows)
    return text.getvalue().encode()


def measured(server: Any, what: str, orders: int, do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run it and print its line."""
    app, database, began = own_cpu(), server_cpu(server), time.perf_counter()
    told = do()
    print(json.dumps({
        "what": what, "orders": orders, "wall_s": round(time.perf_counter() - began, 2),
        "cpu_s": round(own_cpu() - app + server_cpu(server) - database, 2), "rss_mb": round(peak_rss_mb()), **told,
    }), flush=True)  # fmt: skip
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=100_000, help="orders of the store that ends")
    given = parser.parse_args()
    with own_database() as server:
        from daifa.domain.orders.models import AddressVersion
        from daifa.domain.privacy.commands import Kept, set_retention
        from daifa.domain.privacy.places import CLASSES
        from daifa.flows import privacy, shred_places

        store = fill(given.orders)
        email = AddressVersion.objects.filter(order__store=store).order_by("-order_id").values_list("email", flat=True)[0]
        set_retention([Kept(data, 0, None, "bench") for data in CLASSES if data != "backups"], by="bench", at=AT)

        def held() -> dict[str, Any]:
            found = privacy.what_we_hold(privacy.find_person([store], email=email), at=AT)
            return {"places": len(found.counts), "rows": sum(found.counts.values())}

        def one() -> dict[str, Any]:
            done = privacy.erase_person(privacy.find_person([store], email=email), by="bench", at=AT)
            return {"places": len(done.counts), "rows": sum(done.counts.values())}

        def sweep() -> dict[str, Any]:
            most = (AT - END).days + DAYS * 9 // 10
            set_retention([Kept(data, 0, most, "bench", store) for data in CLASSES if data != "backups"], by="bench", at=AT)
            return privacy.keep_retention(at=AT)

        def whole() -> dict[str, Any]:
            done = privacy.shred_store(store, by="bench", at=AT)
            return {"places": len(done.counts), "rows": sum(done.counts.values()), "stays": len(done.stays)}

        def listed() -> dict[str, Any]:
            return {"uploads": shred_places.list_words(at=AT)}

        for what, do in (("unlisted", held), ("words", listed), ("held", held), ("person", one), ("sweep", sweep), ("store", whole)):
            measured(server, what, given.orders, do)
        left = AddressVersion.objects.filter(order__store=store).exclude(name__startswith="erased:").count()
        if left:
            raise SystemExit(f"{left} addresses are still there.")


if __name__ == "__main__":
    main()
