"""The audit over N orders with all subjects: `python -m bench.audit --orders 100000`, one JSON line.

The orders of `bench.shred`: stored by COPY, without a ledger, so that the rules about books find their breaches: reading
them is part of what is measured. Starts its own database (fsync on).
"""

from __future__ import annotations

import argparse
import json
import time

from bench.own_database import own_cpu, own_database, peak_rss_mb, server_cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=100_000)
    given = parser.parse_args()
    with own_database() as server:
        from bench.shred import fill
        from daifa.flows.audit import audit

        fill(given.orders)
        app, database, began = own_cpu(), server_cpu(server), time.perf_counter()
        found = audit()
        print(json.dumps({
            "orders": given.orders, "wall_s": round(time.perf_counter() - began, 2),
            "cpu_s": round(own_cpu() - app + server_cpu(server) - database, 2), "rss_mb": round(peak_rss_mb()),
            "rules_with_breaches": len({breach.code for breach in found}),
        }))  # fmt: skip


if __name__ == "__main__":
    main()
