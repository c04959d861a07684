"""All benchmarks, one after the other: `make bench`, or `python -m bench [--quick] [--full] [--only NAME]`.

Each runs in a process of its own (memory and prepared statements of one do not help the next) and prints its JSON lines;
what it says beside that goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from importlib.util import find_spec

QUICK = [
    ("loop", "--orders", "20", "--batch", "1"),
    ("loop", "--orders", "200", "--batch", "100"),
    ("pages", "--stored", "2000", "--rounds", "20"),
    ("year", "--days", "7"),
    ("words", "--texts", "10000"),
    ("exit_index", "--markets", "4", "--stores", "60"),
    ("clocks", "--orders", "2000"),
    ("foresight", "--orders", "2000"),
    ("shred", "--orders", "1000"),
    ("risks", "--orders", "2000"),
    ("months", "--stores", "4", "--months", "12", "--orders", "20"),
    ("audit", "--orders", "1000"),
]
USUAL = [
    ("loop", "--orders", "100", "--batch", "1"),
    ("loop", "--orders", "1000", "--batch", "100"),
    ("loop", "--orders", "3000", "--batch", "1000"),
    ("pages", "--stored", "100000"),
    ("year",),
    ("clocks", "--orders", "100000"),
    ("foresight", "--orders", "30000"),
    ("words",),
    ("exit_index",),
    ("shred", "--orders", "100000"),
    ("risks", "--orders", "100000"),
    ("months",),
    ("audit", "--orders", "100000"),
]
FULL = [
    ("loop", "--orders", "1000", "--batch", "100", "--stored", "1000"),
    ("loop", "--orders", "1000", "--batch", "100", "--stored", "100000"),
]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Run all benchmarks; see bench/README.md.")
    parser.add_argument("--quick", action="store_true", help="small figures: does it still run?")
    parser.add_argument("--full", action="store_true", help="also with 100,000 orders stored before")
    parser.add_argument("--only", choices=sorted({run[0] for run in USUAL}), default="")
    parser.add_argument("--orders-file", default="", help="the year's orders (Online Retail II) instead of the sample's")
    given = parser.parse_args()
    runs = [*(QUICK if given.quick else USUAL), *(FULL if given.full else [])]
    failed = 0
    for name, *words in runs:
        if (given.only and name != given.only) or find_spec(f"bench.{name}") is None:
            continue
        if name == "year" and given.orders_file:
            words += ["--orders-file", given.orders_file]
        failed += not _run(name, words)
    return 1 if failed else 0


def _run(name: str, words: list[str]) -> bool:
    """Run one benchmark and pass its lines on; True when it ended well."""
    shown = " ".join([f"bench.{name}", *words])
    print(f"# {shown}", file=sys.stderr, flush=True)
    began, lines = time.monotonic(), 0
    with subprocess.Popen([sys.executable, "-m", f"bench.{name}", *words], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            try:
                told = json.loads(line)
            except ValueError:
                print(line, end="", file=sys.stderr)
                continue
            lines += 1
            print(json.dumps({"bench": name, **told}), flush=True)
    seconds = time.monotonic() - began
    if process.returncode or not lines:
        print(f"# {shown} failed (exit code {process.returncode}) after {seconds:.0f} s", file=sys.stderr, flush=True)
        return False
    print(f"# {seconds:.0f} s", file=sys.stderr, flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
