"""All checks in their order, over one snapshot: what does not hold, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.utils.translation import gettext

from daifa.flows.audit import (
    books,
    closings,
    histories,
    imports,
    listings,
    messages,
    orders,
    parcels,
    privacy,
    purchases,
    refunds,
    sources,
    tables,
)
from daifa.flows.audit.check import Check, find
from daifa.lib import bulk

CHECKS: list[Check] = [
    *orders.CHECKS,
    *purchases.CHECKS,
    *parcels.CHECKS,
    *messages.CHECKS,
    *books.CHECKS,
    *refunds.CHECKS,
    *listings.CHECKS,
    *imports.CHECKS,
    *histories.CHECKS,
    tables.dangling(),
    *privacy.CHECKS,
    *closings.CHECKS,
    *sources.CHECKS,
    tables.guards(),
]
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Breach:
    """One rule that does not hold: its stable code, a sentence, and the rows (ids of `thing`)."""

    code: str
    invariant: str
    thing: str
    sentence: str
    ids: list[int] = field(default_factory=list)
    count: int = 0


def audit(*, stores: Sequence[int] | None = None) -> list[Breach]:
    """Every breach, in the order of CHECKS; empty when all is well. `stores` limits it to some stores."""
    breaches = []
    with _one_snapshot():
        for check in CHECKS:
            if stores is not None and check.whole:
                continue
            if rows := find(check, stores):
                breaches.append(_breach(check, rows))
    return breaches


def _breach(check: Check, rows: list[tuple[int, str, int]]) -> Breach:
    count = rows[0][2]
    shown = "; ".join(row[1] for row in rows[:SHOWN])
    sentence = gettext("%(rule)s: %(count)s found (%(shown)s%(more)s).") % {
        "rule": gettext(check.rule), "count": count, "shown": shown, "more": " …" if count > SHOWN else "",
    }  # fmt: skip
    return Breach(check.code, check.invariant, check.thing, sentence, [row[0] for row in rows], count)


@contextmanager
def _one_snapshot():
    """All checks see the same moment, whatever the shop does meanwhile."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            bulk.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for setting in ("work_mem = '96MB'", "jit = off", "statement_timeout = 0"):
            bulk.execute(f"SET LOCAL {setting}")
        yield


def codes() -> Iterable[str]:
    """The stable codes of all checks, in order."""
    return [check.code for check in CHECKS]
