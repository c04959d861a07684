"""The scripted supplier: `PlacesPurchases`, `AnswersPurchases`, `TracksParcels`.

`script` (from the supplier's page) tells how it behaves; what it decides about a purchase depends only on our
reference and its seed, so that a story told twice is the same story.

    {"seed": 7, "refuse": 0.02, "short": 0.03, "timeout": 0.01, "timeout_before": 0.0, "busy": 0.0,
     "ship_hours": 30, "transit_hours": 96, "lost": 0.003, "returned": 0.004, "carrier": "YunExpress"}

`timeout`: it took the order and the answer got lost. `timeout_before`: the call never reached it. `busy`: try later.
Each fails once a reference; asked again it behaves.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

from daifa.connectors.contract import PurchaseAnswer, PurchaseRequest, ReplyRow, TrackingRow
from daifa.connectors.errors import AnswerMissing, TryLater


class FakeSupplier:
    """One scripted supplier. `memory` is the file in which it remembers what it was asked (created when missing)."""

    def __init__(self, *, code: str, script: Mapping[str, Any], memory: Path) -> None:
        self.code = code
        self.script = script
        memory.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(memory, timeout=30, isolation_level=None)
        os.chmod(memory, 0o600)
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute(
            """CREATE TABLE IF NOT EXISTS purchase (supplier TEXT, reference TEXT, at TEXT, request TEXT,
               times INTEGER, PRIMARY KEY (supplier, reference))"""
        )
        self._db.execute(
            """CREATE TABLE IF NOT EXISTS waybill (supplier TEXT, number TEXT, reference TEXT,
               PRIMARY KEY (supplier, number))"""
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS failed_once (supplier TEXT, reference TEXT, how TEXT, PRIMARY KEY (supplier, reference, how))")

    # --- what it is asked ---------------------------------------------------------------------------------------

    def place(self, requests: Sequence[PurchaseRequest], *, at: datetime) -> list[PurchaseAnswer]:
        """Take purchases. A reference it knows already is taken for what it is: the same order, not a second one."""
        answers = []
        for request in requests:
            if self._fails(request.reference, "busy"):
                raise TryLater("The supplier's system is busy.", not_before=at + timedelta(minutes=5))
            if self._fails(request.reference, "timeout_before"):
                raise AnswerMissing("The supplier's system did not answer.")
            if self._chance(request.reference, "refuse"):
                answers.append(PurchaseAnswer(request.reference, False, code="out_of_stock", sentence="Out of stock."))
                continue
            self._take(request, at=at)
            if self._fails(request.reference, "timeout"):
                raise AnswerMissing("The supplier's system did not answer.")
            answers.append(PurchaseAnswer(request.reference, True, their_reference=self._theirs(request.reference)))
        return answers

    def _take(self, request: PurchaseRequest, *, at: datetime) -> None:
        """Remember a purchase and its waybill together: a process killed in between must not leave it never shipped."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute(
                """INSERT INTO purchase VALUES (?, ?, ?, ?, 1)
                   ON CONFLICT (supplier, reference) DO UPDATE SET times = times + 1""",
                (self.code, request.reference, at.isoformat(), _as_json(request)),
            )
            self._db.execute(
                "INSERT OR IGNORE INTO waybill VALUES (?, ?, ?)",
                (self.code, self.number_of(request.reference), request.reference),
            )
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def find(self, references: Sequence[str], *, at: datetime) -> dict[str, PurchaseAnswer | None]:
        """What it knows under our references; None = never heard of it."""
        return {
            ref: PurchaseAnswer(ref, True, their_reference=self._theirs(ref)) if self._known(ref) else None
            for ref in references
        }

    def replies(self, references: Sequence[str], *, at: datetime) -> list[ReplyRow]:
        """Acceptance at once, shortage where the script says so, waybills once it has shipped."""
        rows = []
        for reference in references:
            known = self._known(reference)
            if known is None:
                continue
            asked, request = known
            shipped_at = asked + timedelta(hours=self._hours(reference, "ship_hours", 30))
            for line in request["lines"]:
                quantity = line["quantity"]
                short = quantity > 1 and self._chance(f"{reference}/{line['line']}", "short")
                accepted = quantity // 2 if short else quantity
                shipped = shipped_at <= at
                rows.append(
                    ReplyRow(
                        row=0, reference=reference, supplier_sku=line["supplier_sku"], line=line["line"],
                        accepted=accepted, reason="short_stock" if short else "",
                        carrier=str(self.script.get("carrier", "YunExpress")) if shipped else "",
                        numbers=(self.number_of(reference),) if shipped else (),
                        shipped=accepted if shipped else None, shipped_at=shipped_at if shipped else None,
                        their_reference=self._theirs(reference),
                    )
                )  # fmt: skip
        return rows

    def track(self, numbers: Sequence[str], *, at: datetime) -> list[TrackingRow]:
        """Scans of its own numbers up to `at`."""
        rows: list[TrackingRow] = []
        for reference, asked, number in self._purchases_under(numbers):
            shipped = datetime.fromisoformat(asked) + timedelta(hours=self._hours(reference, "ship_hours", 30))
            transit = timedelta(hours=self._hours(reference, "transit_hours", 96))
            story = [(shipped, "handed_over"), (shipped + transit / 4, "in_transit")]
            if self._chance(reference, "returned"):
                story.append((shipped + transit * 2, "returned_to_sender"))
            elif not self._chance(reference, "lost"):
                story.append((shipped + transit, "delivered"))
            rows += [TrackingRow(0, number, when, status, status) for when, status in story if when <= at]  # type: ignore[arg-type]
        return rows

    def _purchases_under(self, numbers: Sequence[str]) -> list[tuple[str, str, str]]:
        """(reference, when asked, number) of those of our numbers that are ours."""
        found = []
        for first in range(0, len(numbers), 500):
            part = numbers[first : first + 500]
            found += self._db.execute(
                f"""SELECT p.reference, p.at, w.number FROM waybill w JOIN purchase p USING (supplier, reference)
                    WHERE w.supplier = ? AND w.number IN ({", ".join("?" * len(part))}) ORDER BY p.rowid""",
                (self.code, *part),
            ).fetchall()
        return found

    def times_taken(self, reference: str) -> int:
        """How often it was sent this reference: the test of tests."""
        row = self._db.execute(
            "SELECT times FROM purchase WHERE supplier = ? AND reference = ?", (self.code, reference)
        ).fetchone()
        return row[0] if row else 0

    # --- how it decides -----------------------------------------------------------------------------------------

    def number_of(self, reference: str) -> str:
        return f"YT{int.from_bytes(self._hash(reference, 'number')[:6], 'big') % 10**16:016d}"

    def _theirs(self, reference: str) -> str:
        return f"F{int.from_bytes(self._hash(reference, 'theirs')[:4], 'big'):010d}"

    def _known(self, reference: str) -> tuple[datetime, dict[str, Any]] | None:
        row = self._db.execute(
            "SELECT at, request FROM purchase WHERE supplier = ? AND reference = ?", (self.code, reference)
        ).fetchone()
        return (datetime.fromisoformat(row[0]), json.loads(row[1])) if row else None

    def _hash(self, reference: str, what: str) -> bytes:
        return blake2b(f"{self.script.get('seed', 0)}/{self.code}/{reference}/{what}".encode(), digest_size=16).digest()

    def _chance(self, reference: str, what: str) -> bool:
        share = float(self.script.get(what, 0))
        return share > 0 and int.from_bytes(self._hash(reference, what)[:4], "big") / 2**32 < share

    def _hours(self, reference: str, what: str, default: float) -> float:
        spread = 0.5 + int.from_bytes(self._hash(reference, what)[:2], "big") / 2**16
        return float(self.script.get(what, default)) * spread

    def _fails(self, reference: str, how: str) -> bool:
        if not self._chance(reference, how):
            return False
        done = self._db.execute("INSERT OR IGNORE INTO failed_once VALUES (?, ?, ?)", (self.code, reference, how))
        return done.rowcount == 1


def _as_json(request: PurchaseRequest) -> str:
    return json.dumps(
        {"lines": [{"line": x.line, "supplier_sku": x.supplier_sku, "quantity": x.quantity} for x in request.lines]}
    )
