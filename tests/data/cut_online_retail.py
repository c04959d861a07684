"""Cuts tests/data/online-retail-ii/cut.csv.gz out of the year's file: `python tests/data/cut_online_retail.py orders.csv.gz`.

Whole documents only, in the file's order: every odd document of the rare classes, the first three of each special
code on invoices and on credit notes, three with gift vouchers, one of each unusual country word, and a systematic sample of the rest (every 170th invoice, every 70th credit note,
every 60th stock movement). No randomness, so the same file always gives the same cut.
"""

import csv
import gzip
import io
import re
import sys
from collections import Counter
from pathlib import Path

TARGET = Path(__file__).parent / "online-retail-ii" / "cut.csv.gz"
ARTICLE = re.compile(r"\d{5}[A-Za-z]{0,3}")


def main(source: str) -> None:
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    documents: dict[str, list[list[str]]] = {}
    apart: dict[str, str] = {}  # document → the one that interrupts it
    last = ""
    for row in rows:
        if row[0] != last and row[0] in documents:
            apart.setdefault(row[0], last)
        last = row[0]
        documents.setdefault(row[0], []).append(row)
    chosen: set[str] = set()
    codes: Counter[tuple[str, str]] = Counter()
    classes: Counter[str] = Counter()
    for number, lines in documents.items():
        small = len(lines) <= 60
        side = number[0] if number[0] in "AC" else "0"
        for code in {line[1] for line in lines if not ARTICLE.fullmatch(line[1])} if small else ():
            codes[side, code] += 1
            if codes[side, code] <= 3:
                chosen.add(number)
        free = all(float(line[5]) == 0 for line in lines) and not lines[0][6]
        for code in {line[1] for line in lines if line[1].startswith("gift_")} if len(lines) <= 250 else ():
            codes["gift", code] += 1
            if codes["gift", code] <= 1 and classes["gift"] < 3:
                classes["gift"] += 1
                chosen.add(number)
        if small and lines[0][7] in (
            "Channel Islands",
            "Unspecified",
            "West Indies",
            "EIRE",
            "RSA",
            "Korea",
            "USA",
        ):
            codes["country", lines[0][7]] += 1
            if codes["country", lines[0][7]] <= 1:
                chosen.add(number)
        several = len({line[4] for line in lines}) > 1
        kind = (
            "bad debt"
            if side == "A"
            else "test"
            if all(line[1].startswith("TEST") for line in lines)
            else "positive credit"
            if side == "C" and any(int(line[3]) > 0 for line in lines)
            else "credit"
            if side == "C"
            else "movement of several"
            if free and len(lines) > 1
            else "movement in"
            if free and int(lines[0][3]) > 0
            else "movement out"
            if free
            else "several times"
            if several and small
            else "rows apart"
            if number in apart and small
            else "partly free"
            if small and any(float(line[5]) == 0 for line in lines)
            else "order"
        )
        classes[kind] += 1
        every = {
            "credit": 70,
            "movement in": 60,
            "movement out": 60,
            "order": 170,
            "several times": 4,
            "rows apart": 60,
            "partly free": 8,
        }.get(kind, 1)
        if classes[kind] % every == 1 % every and len(lines) <= 200:
            chosen.add(number)
            if kind == "rows apart" and len(documents[apart[number]]) <= 60:
                chosen.add(apart[number])
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    kept = [row for row in rows if row[0] in chosen]
    writer.writerows(kept)
    TARGET.parent.mkdir(exist_ok=True)
    with open(TARGET, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as packed:
        packed.write(text.getvalue().encode())
    print(f"{len(kept)} rows, {len(chosen)} documents, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
