"""Books: moves of deposits, and penalties kept from the proceeds. Each posts once, on the day it happened."""

from __future__ import annotations

from datetime import datetime

from daifa.domain.books import rules
from daifa.domain.books.commands import NewEntry, post_entries
from daifa.domain.cases.process import DEPOSIT_MOVES
from daifa.lib import bulk
from daifa.lib.sentences import in_words, joined, told


def post_deposits(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Deposit moves (ids of `cases.DepositMove`): see docs/rules/posting.md."""
    post_entries(
        [
            NewEntry(
                store, "deposit_moved", move, moved_at,
                rules.deposit_moved(kind, amount, currency, from_proceeds=from_proceeds),
                memo=joined(" · ", filter(None, (in_words(DEPOSIT_MOVES[kind]), reference, told(note)))),
            )
            for move, store, kind, amount, currency, from_proceeds, reference, note, moved_at in bulk.fetch(
                """SELECT id, store_id, kind, amount, currency, from_proceeds, reference, note, at
                   FROM cases_depositmove WHERE id = ANY(%s::bigint[]) ORDER BY id""",
                (things,),
            )
        ],
        by=by, at=at,
    )  # fmt: skip
    return {}
