"""The scripted channel: `PublishesListings`.

`script` (settings of the store's channel account) tells how it behaves; what it decides depends only on our reference
and its seed.

    {"seed": 7, "decline": 0.02, "timeout": 0.01, "timeout_before": 0.0, "busy": 0.0, "silent": 0.0}

`timeout`: it took the listing and the answer got lost. `timeout_before`: the call never reached it. `busy`: try later.
Each fails once a reference; asked again it behaves. `silent`: it answers, but not about this one.
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

from daifa.connectors.contract import ListingAnswer, OutgoingListing
from daifa.connectors.errors import AnswerMissing, TryLater


class FakeChannel:
    """One scripted channel. `memory` is the file in which it remembers what it shows (created when missing)."""

    def __init__(self, *, code: str, script: Mapping[str, Any], memory: Path) -> None:
        self.code = code
        self.script = script
        memory.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(memory, timeout=30, isolation_level=None)
        os.chmod(memory, 0o600)
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute(
            """CREATE TABLE IF NOT EXISTS request (channel TEXT, reference TEXT, handle TEXT, action TEXT, skus TEXT,
               at TEXT, times INTEGER, PRIMARY KEY (channel, reference))"""
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS failed_once (channel TEXT, reference TEXT, how TEXT, PRIMARY KEY (channel, reference, how))")

    def publish(self, listings: Sequence[OutgoingListing], *, at: datetime) -> list[ListingAnswer]:
        """Take listings. A reference it knows already is the same request, not a second one."""
        answers = []
        for listing in listings:
            if self._fails(listing.reference, "busy"):
                raise TryLater("The channel is busy.", not_before=at + timedelta(minutes=5))
            if self._fails(listing.reference, "timeout_before"):
                raise AnswerMissing("The channel did not answer.")
            if self._chance(listing.reference, "decline"):
                answers.append(ListingAnswer(listing.reference, False, code="declined", sentence="The channel declined it."))
                continue
            skus = [variant.sku for variant in listing.variants]
            self._db.execute(
                """INSERT INTO request VALUES (?, ?, ?, ?, ?, ?, 1)
                   ON CONFLICT (channel, reference) DO UPDATE SET times = times + 1""",
                (self.code, listing.reference, listing.handle, listing.action, json.dumps(skus), at.isoformat()),
            )
            if self._fails(listing.reference, "timeout"):
                raise AnswerMissing("The channel did not answer.")
            if not self._chance(listing.reference, "silent"):
                answers.append(self._answer(listing.reference, skus))
        return answers

    def find_listings(self, references: Sequence[str], *, at: datetime) -> dict[str, ListingAnswer | None]:
        """What it knows under our references; None = never heard of it."""
        found: dict[str, ListingAnswer | None] = {}
        for reference in references:
            row = self._db.execute(
                "SELECT skus FROM request WHERE channel = ? AND reference = ?", (self.code, reference)
            ).fetchone()
            found[reference] = self._answer(reference, json.loads(row[0])) if row else None
        return found

    def shown(self) -> dict[str, str]:
        """Handle → the last action taken on it: what buyers see."""
        return dict(
            self._db.execute("SELECT handle, action FROM request WHERE channel = ? ORDER BY rowid", (self.code,)).fetchall()
        )

    def times_taken(self, reference: str) -> int:
        """How often it was sent this reference."""
        row = self._db.execute(
            "SELECT times FROM request WHERE channel = ? AND reference = ?", (self.code, reference)
        ).fetchone()
        return row[0] if row else 0

    def _answer(self, reference: str, skus: Sequence[str]) -> ListingAnswer:
        return ListingAnswer(reference, True, {sku: f"C{int.from_bytes(self._hash(sku, 'id')[:5], 'big'):013d}" for sku in skus})

    def _hash(self, key: str, what: str) -> bytes:
        return blake2b(f"{self.script.get('seed', 0)}/{self.code}/{key}/{what}".encode(), digest_size=16).digest()

    def _chance(self, reference: str, what: str) -> bool:
        share = float(self.script.get(what, 0))
        return share > 0 and int.from_bytes(self._hash(reference, what)[:4], "big") / 2**32 < share

    def _fails(self, reference: str, how: str) -> bool:
        if not self._chance(reference, how):
            return False
        done = self._db.execute("INSERT OR IGNORE INTO failed_once VALUES (?, ?, ?)", (self.code, reference, how))
        return done.rowcount == 1
