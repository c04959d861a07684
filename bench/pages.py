"""How fast the order pages answer: `python -m bench.pages --stored 100000`, one JSON line a page.

Starts its own database, fills it by COPY, and asks through the whole of Django (middleware, session or token, scope,
query, rendering), as the owner of two stores. `door` says which: the API, or the console's pages where they are there. Times are server time in this process, the network left out; each page is asked with a different value
each time, and twice before it counts.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from bench.own_database import own_cpu, own_database, server_cpu

ROUNDS = 60


def pages(orders: list[int], skus: list[str]) -> dict[str, Callable[[int], str]]:
    """Page → address of its n-th request, without the door's own beginning."""
    from datetime import timedelta

    from bench.stored import END

    def days(n: int) -> str:
        day = END.date() - timedelta(days=7 + n * 5)
        return f"since={day}T00:00:00Z&until={day + timedelta(days=7)}T00:00:00Z"

    statuses = ["new", "on_hold", "purchased", "shipped", "delivered", "cancelled", "open"]
    holds = ["mapping_missing", "out_of_stock", "buyer_data_missing"]
    names = ["smith", "Wei Nguyen", "Mei", "okafor", "Grace Rossi"]
    some = [orders[i * len(orders) // ROUNDS] for i in range(ROUNDS)]
    return {
        "order list": lambda n: "orders",
        "order list, one store": lambda n: f"orders?store_id={{store}}&_={n}",
        "order list by status": lambda n: f"orders?status={statuses[n % len(statuses)]}",
        "order list by hold": lambda n: f"orders?hold={holds[n % len(holds)]}",
        "order list by date": lambda n: f"orders?{days(n)}",
        "order list by status and date": lambda n: f"orders?status={statuses[n % len(statuses)]}&{days(n)}",
        "search by number": lambda n: f"orders?q={500_000 + n * 97}",
        "search by beginning of number": lambda n: f"orders?q={5_000 + n}",
        "search by SKU": lambda n: f"orders?q={skus[(n * n) % len(skus)]}",
        "search by waybill number": lambda n: f"orders?q=YT{8_800_000_000_001 + n * 31}",
        "search by name": lambda n: f"orders?q={names[n % len(names)]}",
        "search without a match": lambda n: f"orders?q=nobody{n}",
        "order detail": lambda n: f"orders/{some[n % len(some)]}",
    }


def measured(server: Any, count: int, rounds: int, only: str) -> Iterator[dict]:
    from django.test import Client
    from django.utils import timezone

    from bench.stored import store_orders
    from daifa.domain.people.commands import issue_api_token
    from daifa.domain.people.models import User
    from daifa.domain.stores.models import StoreAccess

    made = store_orders(count)
    owner = User.objects.create_user("bench")
    for store in made["stores"]:
        StoreAccess.objects.create(user=owner, store_id=store, role="owner")
    _row, token = issue_api_token(owner, name="bench", by="job:bench", at=timezone.now())
    api = Client(headers={"Authorization": f"Bearer {token}"})
    console = Client()
    console.force_login(owner)
    for name, address in pages(made["orders"], made["skus"]).items():
        for door, client, beginning in (("api", api, "/api/v1/"), ("console", console, "/")):
            if only and door != only:
                continue
            times, app, database = [], own_cpu(), server_cpu(server)
            for n in range(-2, rounds):
                path = beginning + address(abs(n)).replace("{store}", str(made["stores"][0]))
                if door == "console":
                    path = in_console(path)
                began = time.perf_counter()
                answer = client.get(path)
                spent = (time.perf_counter() - began) * 1000
                if answer.status_code == 404 and door == "console":
                    break  # this page is not there
                if answer.status_code != 200:
                    raise SystemExit(f"{path} answered {answer.status_code}")
                if n >= 0:
                    times.append(spent)
            if times:
                yield {
                    "page": name, "door": door, "stored_orders": count, "requests": len(times),
                    "p50_ms": round(statistics.median(times), 1),
                    "p95_ms": round(statistics.quantiles(times, n=20)[18], 1),
                    # What it costs whoever else is at work on the machine: CPU of this process and of the server.
                    "app_cpu_ms": round((own_cpu() - app) * 1000 / (rounds + 2), 1),
                    "db_cpu_ms": round((server_cpu(server) - database) * 1000 / (rounds + 2), 1),
                }  # fmt: skip


def in_console(path: str) -> str:
    """The console's address of the same page: a slash before the question, its own words for dates, no store in it."""
    place, question, asked = path.partition("?")
    asked = re.sub(
        r"since=([\d-]+)T00:00:00Z&until=([\d-]+)T00:00:00Z", r"placed_from=\1&placed_to=\2", asked
    )
    return f"{place}/{question}{re.sub(r'store_id=', '_store=', asked)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stored", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--door", choices=["api", "console"], default="")
    given = parser.parse_args()
    with own_database() as server:
        from django.conf import settings

        settings.ALLOWED_HOSTS.append("testserver")
        for line in measured(server, given.stored, given.rounds, given.door):
            print(json.dumps(line))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
