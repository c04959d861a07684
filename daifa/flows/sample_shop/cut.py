"""Cuts the sample shop's orders out of Online Retail II: `python -m daifa.flows.sample_shop.cut ORDERS.csv.gz`.

Kept are invoices of the last six weeks with at most 24 lines: of every fourth customer, of every second one outside
the United Kingdom, and every tenth invoice that names no customer. Of the credit notes those stay of which a line can
be matched to a kept invoice (same customer, SKU and price), and one in eight of the others.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections import defaultdict
from pathlib import Path

from daifa.flows.sample_shop.seed import share

FROM = "2010-10-20"
MOST_LINES = 24
DATA = Path(__file__).parent / "data" / "orders.csv.gz"


def cut(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The kept rows, in the order of the file."""
    invoices: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        if row["InvoiceDate"] >= FROM:
            invoices[row["Invoice"]].append(row)
    kept: set[str] = set()
    sold: set[tuple[str, str, str]] = set()
    for number, lines in invoices.items():
        customer, country = lines[0]["Customer ID"], lines[0]["Country"]
        part = 0.10 if not customer else 0.25 if country == "United Kingdom" else 0.5
        if len(lines) > MOST_LINES or share("cut", customer or number) >= part:
            continue
        if number.startswith("C"):
            matches = any((customer, line["StockCode"], line["Price"]) in sold for line in lines)
            if not matches and share("cut credit", number) >= 1 / 8:
                continue
        else:
            sold.update((customer, line["StockCode"], line["Price"]) for line in lines)
        kept.add(number)
    return [row for row in rows if row["Invoice"] in kept]


def main(source: str) -> None:
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(cut(rows))
    DATA.write_bytes(gzip.compress(out.getvalue().encode(), 9, mtime=0))


if __name__ == "__main__":
    main(sys.argv[1])
