"""A shop that lives through ten days in a process of its own, so that a test can kill it: `python -m tests.living_shop live`.

It may be killed anywhere and started again; it goes on where it stopped. What a person would do after a crash, it does:
runs in doubt are settled by looking whether the mail lies in the folder. `check` prints what came of it as JSON.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from datetime import timedelta
from pathlib import Path

ORDERS = 40  # a file
FILES = 6
STEP = timedelta(hours=12)
STEPS = 20


def open_now(home: Path) -> None:
    from daifa.lib import clock
    from tests import cast

    cast.open_shop(at=clock.now())


def live(home: Path) -> None:
    from daifa.domain.purchasing.models import PurchaseRun
    from daifa.domain.shipping.models import Parcel
    from daifa.domain.sourcing.models import Supplier
    from daifa.domain.stores.models import Store
    from daifa.flows import place_purchases
    from daifa.flows.work import work_until_idle
    from tests import cast

    if not Store.objects.exists():
        cast.open_shop()
    shop = cast.Shop(Store.objects.get(), Supplier.objects.get(kind="workbook"), Supplier.objects.get(kind="fake"))
    reached = home / "reached"
    print("alive", flush=True)
    while (step := int(reached.read_text()) if reached.exists() else 0) < STEPS:
        at = cast.MORNING + step * STEP
        finish_files(at)
        if step < FILES:
            cast.receive_orders(shop, [f"{step}-{n}" for n in range(ORDERS)], at=at)
        work_until_idle(at=at)
        for run in PurchaseRun.objects.filter(state="unknown"):
            sent = any((home / "mail").glob(f"run-{run.pk}-*.eml"))
            place_purchases.settle_run(run.pk, sent, by=cast.BY, at=at)
        answerable = PurchaseRun.objects.filter(state="placed", at__lt=at, purchase_orders__state="placed").distinct()
        for run in answerable.order_by("pk"):
            cast.answer_run(shop, run.pk, at=at)
        moving = Parcel.objects.filter(
            supplier=shop.factory, delivered_at=None, announced_at__lt=at - timedelta(hours=60)
        )
        numbers = list(moving.order_by("pk").values_list("number", flat=True))
        if numbers:
            cast.tell_tracking(shop, [(n, at - timedelta(hours=1), "Delivered") for n in numbers], at=at)
        work_until_idle(at=at)
        aside = home / "reached.part"
        aside.write_text(str(step + 1))
        os.replace(aside, reached)
        print("step", step, flush=True)
    finish_files(cast.MORNING + STEPS * STEP)


def finish_files(at) -> None:
    """Go on with what a killed reader left; its lock may still be held until the server misses it."""
    from daifa.domain.imports.models import ImportFile
    from daifa.flows import intake

    for _ in range(100):
        left = ImportFile.objects.exclude(state__in=["done", "refused"])
        if not left:
            return
        for file in left:
            intake.read_file(file.pk, by="test", at=at)
        time.sleep(0.05)
    raise SystemExit("A file cannot be finished.")


def check(home: Path) -> None:
    from collections import Counter

    from daifa.domain.books.models import Entry
    from daifa.domain.imports.models import ImportFile
    from daifa.domain.messages.models import Message
    from daifa.domain.orders.models import Order
    from daifa.domain.purchasing.models import PurchaseOrder, PurchaseRun
    from daifa.domain.shipping.models import DispatchNotice, Parcel
    from daifa.flows.audit import audit

    with sqlite3.connect(home / "fake" / "suppliers.sqlite3") as memory:
        taken = dict(memory.execute("SELECT reference, times FROM purchase"))
    print(json.dumps({
        "audit": [breach.sentence for breach in audit()],
        "imports": Counter(ImportFile.objects.values_list("state", flat=True)),
        "orders": Counter(Order.objects.values_list("status", flat=True)),
        "purchases": Counter(PurchaseOrder.objects.values_list("state", flat=True)),
        "purchases_of_order": Counter(Counter(PurchaseOrder.objects.values_list("order_id", flat=True)).values()),
        "runs": Counter(PurchaseRun.objects.values_list("state", flat=True)),
        "run_mails": Counter(path.name.split("-")[1] for path in (home / "mail").glob("run-*.eml")),
        "taken": len(taken), "taken_at_most": max(taken.values()),
        "unknown_there": len(set(taken) - set(PurchaseOrder.objects.values_list("reference", flat=True))),
        "parcels": Counter(Parcel.objects.values_list("state", flat=True)),
        "parcels_of_order": Counter(Counter(Parcel.objects.values_list("order_id", flat=True)).values()),
        "numbers": Parcel.objects.values("number").distinct().count(),
        "notices": Counter(Counter(DispatchNotice.objects.values_list("parcel_id", flat=True)).values()),
        "messages": Counter(f"{kind} {state}" for kind, state in Message.objects.values_list("kind", "state")),
        "letters": sum(1 for path in (home / "mail").glob("*.eml") if not path.name.startswith("run-")),
        "entries": Counter(Entry.objects.values_list("fact", flat=True)),
    }))  # fmt: skip


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "daifa.config.settings")
    import django

    django.setup()
    {"open": open_now, "live": live, "check": check}[sys.argv[1]](Path(os.environ["DAIFA_HOME"]))
