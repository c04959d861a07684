"""What changes of the rule book would mean for N open orders of a store: `python -m bench.foresight --orders 30000`.

A store on Xiaohongshu, its orders as in `bench.clocks`. Owner's words change a time for dispatch, a compensation, times between scans
and lines of the store, each from a day of its own; one JSON line for each set of changes, as the page, the command line and the API
ask for it. `cpu_s`: this process and the server. Starts its own database (fsync on).
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import date
from typing import Any

from bench.clocks import CHANNELS, NOW, fill
from bench.own_database import own_cpu, own_database, server_cpu

WORDS = [
    ("xhs-ship-spot-domestic", "threshold", "36"), ("xhs-comp-late-le48", "threshold", "2"), ("xhs-pickup-domestic", "threshold", "36"),
    ("xhs-comp-track-le48", "threshold", "2"), ("xhs-stall-near", "threshold", "36"), ("xhs-hub-scan", "threshold", "12"),
    ("xhs-oos-after-late", "threshold", "24"), ("xhs-rate-late-day", "threshold", "20"), ("xhs-rate-badtrack", "threshold", "2"),
    ("xhs-rate-oos-shop", "threshold", "2"),
]  # fmt: skip
CLOCKS, LINES = [word[0] for word in WORDS[:7]], [word[0] for word in WORDS[7:]]
SETS = {"a day": CLOCKS[:1], "3 days": CLOCKS[:3], "7 days": CLOCKS, "3 lines": LINES, "all": CLOCKS + LINES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=30_000, help="open orders")
    given = parser.parse_args()
    with own_database() as server:
        from daifa.domain.policy.commands import NewOverride, override_rules
        from daifa.domain.stores.models import Store
        from daifa.flows import foresee_rules, watch_rules

        fill(given.orders, CHANNELS[:1])
        words = [NewOverride(rule, "bench", date(2026, 7, 1 + number), {field: to}) for number, (rule, field, to) in enumerate(WORDS)]
        if refused := override_rules(words, by="bench", at=NOW).refused:
            raise SystemExit(f"Not taken: {refused}")
        store = Store.objects.get()
        changes = watch_rules.changes_for(store, on=NOW.date())
        for name, ids in SETS.items():
            asked = [change for change in changes if change.rule_id in ids]
            foresee_rules.effects_of(asked[:1], store, at=NOW)  # the book is read once in a process
            app, database, began = own_cpu(), server_cpu(server), time.perf_counter()
            found: list[Any] = foresee_rules.effects_of(asked, store, at=NOW)
            wall = time.perf_counter() - began
            cpu = own_cpu() - app + server_cpu(server) - database
            if len(found) != len(ids) or not all(foresee_rules.means(one) for one in found):
                raise SystemExit(f"{name}: of {len(ids)} changes {len(found)} were told.")
            print(json.dumps({
                "orders": given.orders, "changes": name, "clocks": sum(one.clocks or 0 for one in found), "wall_s": round(wall, 3), "cpu_s": round(cpu, 3),
            }), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
