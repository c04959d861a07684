"""What a restored copy does before it may act: find out what was placed after its backup was taken.

The other copy may have worked on: sent runs, placed purchases, routed orders the backup knew as new. Nothing here places
anything. What can be asked is asked by our references; what cannot becomes `unknown`, with a task and a list of
questions for the factory; a person settles it and releases the copy. Worked cases: docs/operate/backup.md.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_noop as N_

from daifa.connectors.errors import ConnectorError
from daifa.connectors.registry import ASKABLE_KINDS, supplier_connector
from daifa.domain.history.commands import move, open_batch
from daifa.domain.messages.process import MESSAGE
from daifa.domain.orders.commands import lock_orders
from daifa.domain.purchasing import commands as purchasing
from daifa.domain.purchasing.process import PURCHASE_ORDER, PURCHASE_RUN
from daifa.domain.purchasing.rules import find_reference, reference
from daifa.domain.stores import commands as stores
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Installation
from daifa.domain.stores.queries import installation
from daifa.flows.privacy import erase_again
from daifa.lib import bulk
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _

DOUBT = timedelta(days=7)
"""So long after a restore a purchase for an older order may be one the other copy had placed already."""
PROBE = 1000
"""So many numbers behind the last one of the backup a supplier with a system is asked for, at a time."""
CALL = 200  # references in one question

MAYBE_PLACED = N_("May have been placed after the backup by the copy this one was restored from.")


@dataclass(slots=True)
class ReadBack:
    """What came of asking. Counts are purchase orders, `runs` are workbook runs."""

    placed: int = 0  # the supplier has them: they are placed here too
    absent: int = 0  # he has never heard of them: they wait to be placed
    doubtful: int = 0  # nobody could be asked: `unknown`, for a person
    runs: int = 0  # fixed before the backup, perhaps sent since: `unknown`, for a person
    foreign: dict[str, list[str]] = field(
        default_factory=dict
    )  # supplier → references the backup does not know
    silent: list[str] = field(default_factory=list)  # suppliers that did not answer; ask again


class Question(NamedTuple):
    """Something to ask a factory: did you get this?"""

    supplier: str
    email: str
    reference: str  # of a purchase, or the file name of a run
    order: str
    units: int
    purchase: int  # 0 for a run
    run: int  # 0 for a purchase
    at: datetime


def read_back(*, at: datetime, by: str) -> ReadBack:
    """Ask every supplier that can be asked, mark the rest as unknown. May be repeated; raises `Refused`."""
    here = installation()
    if here is None or here.quarantined_at is None or here.released_at is not None:
        raise Refused(
            _("This copy is not quarantined: there is nothing to read back."), code="not_quarantined"
        )
    result = ReadBack()
    result.runs = _doubt_runs(by=by, at=at)
    result.doubtful += _doubt_purchases(by=by, at=at)
    _ask(result, here, by=by, at=at)
    if not result.silent:
        stores.note_read_back(at=at)  # from now on suppliers who know nothing more are believed
        result.doubtful += doubt_suspects(by=by, at=at)
    return result


def release(*, by: str, at: datetime) -> int:
    """A person lets this copy act again. Raises `Refused`; returns how many purchases and runs are still unknown.

    What is unknown stays so: it is never sent again before it was settled. Messages that wait about orders older than
    the restore are in doubt too: their buyers may have heard already. What was erased since the backup is erased first.
    """
    erase_again(by=by, at=at)
    with transaction.atomic():
        here = installation()
        doubt_suspects(by=by, at=at)
        stores.release_installation(by=by, at=at)
        if here is not None and here.quarantined_at is not None:
            _doubt_messages(here.quarantined_at, by=by, at=at)
    return len(questions())


# --- Purchases the backup knew --------------------------------------------------------------------------------------


def _doubt_runs(*, by: str, at: datetime) -> int:
    """Runs that were fixed but not sent when the backup was taken."""
    with transaction.atomic():
        bulk.fetch(
            """SELECT id FROM orders_order WHERE id IN (
                   SELECT p.order_id FROM purchasing_purchaseorder p JOIN purchasing_purchaserun r ON r.id = p.run_id
                   WHERE r.state IN ('fixed', 'sending')) ORDER BY id FOR NO KEY UPDATE"""
        )
        rows = bulk.fetch(
            """SELECT id, state, sha256, times_sent, store_id, name FROM purchasing_purchaserun
               WHERE state IN ('fixed', 'sending') ORDER BY id FOR NO KEY UPDATE"""
        )
        if not rows:
            return 0
        batch = open_batch(by=by, at=at, reason=_(MAYBE_PLACED))
        for run, state, sha256, times, _store, _name in rows:
            if state == "fixed":
                # Counted as sent, so that sending it once more says REPEAT.
                bulk.execute(
                    "UPDATE purchasing_purchaserun SET times_sent = %s WHERE id = %s", (times + 1, run)
                )
                purchasing.prepare_run_attempt(run, send_number=times + 1, sha256=sha256, at=at)
        runs = [row[0] for row in rows]
        move(
            PURCHASE_RUN,
            [row[0] for row in rows if row[1] == "fixed"],
            to="sending",
            by=by,
            at=at,
            batch=batch,
        )
        move(PURCHASE_RUN, runs, to="unknown", by=by, at=at, batch=batch)
        attempts = bulk.fetch(
            "SELECT id FROM purchasing_placementattempt WHERE run_id = ANY(%s::bigint[]) AND state = 'prepared'",
            (runs,),
        )
        purchasing.settle_attempts({row[0]: ("unknown", _(MAYBE_PLACED)) for row in attempts}, at=at)
        open_tasks([NewTask("run_unknown", row[4], "run", row[0], {"name": row[5]}) for row in rows], at=at)
    return len(rows)


def _doubt_purchases(*, by: str, at: datetime) -> int:
    """Purchases that were not placed when the backup was taken become unknown; returns those nobody can be asked about.

    Those of suppliers with a system are settled by asking, right after.
    """
    rows = bulk.fetch(
        """SELECT p.id, p.order_id, p.state, p.reference, s.kind = ANY(%s::text[]) FROM purchasing_purchaseorder p
           JOIN sourcing_supplier s ON s.id = p.supplier_id, stores_installation i
           WHERE p.run_id IS NULL AND p.state IN ('ready', 'failed', 'submitting') AND p.at < i.quarantined_at
           ORDER BY p.id""",
        (list(ASKABLE_KINDS),),
    )
    for start in range(0, len(rows), 1000):
        part = rows[start : start + 1000]
        with transaction.atomic():
            lock_orders(sorted({row[1] for row in part}))
            _make_unknown([row[0] for row in part], by=by, at=at)
    return sum(not row[4] for row in rows)


def _make_unknown(purchases: Sequence[int], *, by: str, at: datetime) -> list[int]:
    """Move purchases to `unknown`, each with an unknown attempt and a task. The caller has locked their orders."""
    rows = bulk.fetch(
        """SELECT id, state, reference, store_id, goods_amount + freight_amount, currency FROM purchasing_purchaseorder
           WHERE id = ANY(%s::bigint[]) AND state IN ('ready', 'failed', 'submitting') AND run_id IS NULL
           ORDER BY id FOR NO KEY UPDATE""",
        (list(purchases),),
    )
    if not rows:
        return []
    batch = open_batch(by=by, at=at, reason=_(MAYBE_PLACED))
    move(
        PURCHASE_ORDER, [row[0] for row in rows if row[1] == "failed"], to="ready", by=by, at=at, batch=batch
    )
    fresh = [row for row in rows if row[1] != "submitting"]
    move(PURCHASE_ORDER, [row[0] for row in fresh], to="submitting", by=by, at=at, batch=batch)
    open_already = {
        row[0]
        for row in bulk.fetch(
            """SELECT purchase_order_id FROM purchasing_placementattempt
               WHERE purchase_order_id = ANY(%s::bigint[]) AND state IN ('prepared', 'unknown')""",
            ([row[0] for row in rows],),
        )
    }
    purchasing.prepare_attempts(
        [(row[0], row[2], f"restored {row[2]}") for row in rows if row[0] not in open_already], at=at
    )
    ids = [row[0] for row in rows]
    move(PURCHASE_ORDER, ids, to="unknown", by=by, at=at, batch=batch)
    attempts = bulk.fetch(
        """SELECT id FROM purchasing_placementattempt
           WHERE purchase_order_id = ANY(%s::bigint[]) AND state = 'prepared'""",
        (ids,),
    )
    purchasing.settle_attempts({row[0]: ("unknown", _(MAYBE_PLACED)) for row in attempts}, at=at)
    open_tasks(
        [
            NewTask(
                "purchase_unknown", row[3], "purchase_order", row[0], {"reference": row[2]}, row[4], row[5]
            )
            for row in rows
        ],
        at=at,
    )
    return ids


def _ask(result: ReadBack, here: Installation, *, by: str, at: datetime) -> None:
    """Suppliers with a system: our unknown purchases by reference, and the numbers behind the backup's last one."""
    for supplier, kind, code, script in bulk.fetch(
        "SELECT id, kind, code, script FROM sourcing_supplier WHERE kind = ANY(%s::text[]) ORDER BY id",
        (list(ASKABLE_KINDS),),
    ):
        connector: Any = supplier_connector(
            kind=kind, code=code, script=json.loads(script), home=Path(settings.DAIFA_HOME)
        )
        try:
            _ask_about(connector, supplier, result, by=by, at=at)
            if foreign := _probe(connector, here, at=at):
                result.foreign[code] = foreign
        except ConnectorError:
            result.silent.append(code)
    _keep_foreign(result, here, at=at)


def _ask_about(connector: Any, supplier: int, result: ReadBack, *, by: str, at: datetime) -> None:
    last = 0
    while True:
        rows = bulk.fetch(
            """SELECT id, reference, order_id FROM purchasing_purchaseorder
               WHERE supplier_id = %s AND state = 'unknown' AND run_id IS NULL AND id > %s ORDER BY id LIMIT %s""",
            (supplier, last, CALL),
        )
        if not rows:
            return
        last = rows[-1][0]
        found = connector.find([row[1] for row in rows], at=at)
        placed = {row[0]: found[row[1]].their_reference for row in rows if found.get(row[1]) is not None}
        absent = [row[0] for row in rows if row[1] in found and found[row[1]] is None]
        with transaction.atomic():
            lock_orders(sorted({row[2] for row in rows}))
            _placed(placed, _("The supplier knows it by our reference."), by=by, at=at)
            _absent(absent, _("The supplier has never heard of it."), by=by, at=at)
        result.placed += len(placed)
        result.absent += len(absent)


def _placed(theirs: dict[int, str], proof: str, *, by: str, at: datetime) -> None:
    ids = list(theirs)
    _settle_attempts(ids, "accepted", proof, at=at)
    purchasing.place(purchases=ids, by=by, at=at)
    bulk.execute(
        """UPDATE purchasing_purchaseorder p SET their_reference = d.ref
           FROM unnest(%s::bigint[], %s::text[]) AS d(id, ref) WHERE p.id = d.id AND d.ref <> ''""",
        (ids, [ref[:60] for ref in theirs.values()]),
    )
    close_tasks(kind="purchase_unknown", thing_kind="purchase_order", things=ids, by=by, at=at)


def _absent(ids: Sequence[int], proof: str, *, by: str, at: datetime) -> None:
    _settle_attempts(ids, "absent", proof, at=at)
    move(PURCHASE_ORDER, ids, to="ready", by=by, at=at, reason=proof)
    close_tasks(kind="purchase_unknown", thing_kind="purchase_order", things=list(ids), by=by, at=at)


def _settle_attempts(purchases: Sequence[int], state: str, sentence: str, *, at: datetime) -> None:
    rows = bulk.fetch(
        """SELECT id FROM purchasing_placementattempt
           WHERE purchase_order_id = ANY(%s::bigint[]) AND state IN ('prepared', 'unknown')""",
        (list(purchases),),
    )
    purchasing.settle_attempts({row[0]: (state, sentence) for row in rows}, at=at)


# --- Purchases the backup did not know ------------------------------------------------------------------------------


def _probe(connector: Any, here: Installation, *, at: datetime) -> list[str]:
    """References of the former code behind the backup's last one that the supplier knows: placed after the backup."""
    found: list[str] = []
    for code, last in _former_codes(here).items():
        begin = last + 1
        while True:
            hits: list[str] = []
            for start in range(begin, begin + PROBE, CALL):
                asked = [reference(code, number) for number in range(start, min(start + CALL, begin + PROBE))]
                hits += [ref for ref, answer in connector.find(asked, at=at).items() if answer is not None]
            found += hits
            if not hits:
                break
            begin += PROBE
    return found


def _former_codes(here: Installation) -> dict[str, int]:
    """Codes under which purchases were numbered before the restore → the last number of the backup."""
    codes = dict(
        bulk.fetch(
            """SELECT split_part(reference, '-', 1), max(id) FROM purchasing_purchaseorder
               WHERE at < %s GROUP BY 1""",
            (here.quarantined_at,),
        )
    )
    task = bulk.fetch(
        "SELECT params ->> 'former_code' FROM stores_task WHERE kind = 'quarantined' ORDER BY id DESC LIMIT 1"
    )
    if task and task[0][0]:
        # The sequence is shared by all codes this copy ever had: none was numbered beyond the last purchase.
        codes.setdefault(task[0][0], max(codes.values(), default=0))
    codes.pop(here.code, None)
    return codes


def _keep_foreign(result: ReadBack, here: Installation, *, at: datetime) -> None:
    """Remember on a task which purchases of ours a supplier has that this copy does not know."""
    rows = dict(
        bulk.fetch(
            "SELECT code, id FROM sourcing_supplier WHERE code = ANY(%s::text[])", (list(result.foreign),)
        )
    )
    with transaction.atomic():
        open_tasks(
            [
                NewTask(
                    "purchases_unknown_here",
                    None,
                    "supplier",
                    rows[code],
                    {"count": len(refs), "references": refs[:200]},
                )
                for code, refs in result.foreign.items()
            ],
            at=at,
        )


def doubt_suspects(*, by: str, at: datetime) -> int:
    """Ready purchases that this copy drafted after its restore for orders older than that: the other copy may have
    placed the same goods under a reference nobody here knows. They become unknown and wait for a person.

    Suppliers with a system who, asked for the numbers behind the backup, know none of them are believed. Costs one
    read where the copy was never restored; called before anything is placed. Joins the caller's transaction.
    """
    here = installation()
    if here is None or here.quarantined_at is None or at > here.quarantined_at + DOUBT:
        return 0
    rows = bulk.fetch(
        """SELECT p.id, p.order_id FROM purchasing_purchaseorder p JOIN orders_order o ON o.id = p.order_id
           JOIN sourcing_supplier s ON s.id = p.supplier_id
           WHERE p.state = 'ready' AND p.run_id IS NULL AND p.at >= %(since)s AND o.placed_at < %(since)s
             AND NOT EXISTS (SELECT FROM purchasing_placementattempt a WHERE a.purchase_order_id = p.id)
             AND NOT (s.kind = ANY(%(askable)s::text[]) AND %(read_back)s AND NOT EXISTS (
                 SELECT FROM stores_task t WHERE t.kind = 'purchases_unknown_here' AND t.thing = s.id AND t.opened_at >= %(since)s))
           ORDER BY p.id""",
        {
            "since": here.quarantined_at,
            "askable": list(ASKABLE_KINDS),
            "read_back": here.read_back_at is not None,
        },
    )
    if not rows:
        return 0
    with transaction.atomic():
        lock_orders(sorted({row[1] for row in rows}))
        return len(_hold_back([row[0] for row in rows], by=by, at=at))


def _hold_back(purchases: Sequence[int], *, by: str, at: datetime) -> list[int]:
    """Unknown, and for suppliers with a system `failed` at once: asking by a reference they cannot know proves nothing."""
    ids = _make_unknown(purchases, by=by, at=at)
    askable = [
        row[0]
        for row in bulk.fetch(
            """SELECT p.id FROM purchasing_purchaseorder p JOIN sourcing_supplier s ON s.id = p.supplier_id
               WHERE p.id = ANY(%s::bigint[]) AND s.kind = ANY(%s::text[])""",
            (ids, list(ASKABLE_KINDS)),
        )
    ]
    move(PURCHASE_ORDER, askable, to="failed", by=by, at=at, reason=_(MAYBE_PLACED))
    return ids


def settle_purchases(
    purchases: Sequence[int], *, placed: bool, by: str, at: datetime, references: dict[int, str] | None = None
) -> dict[int, str]:
    """A person says whether the supplier has these purchases; returns {purchase: the sentence why not}, if refused.

    `references`: the one under which the supplier knows a purchase where the other copy gave it another number; it
    becomes the purchase's reference, so that his answer finds it.
    """
    refused: dict[int, str] = {}
    with transaction.atomic():
        lock_orders(
            [
                row[0]
                for row in bulk.fetch(
                    "SELECT DISTINCT order_id FROM purchasing_purchaseorder WHERE id = ANY(%s::bigint[])",
                    (list(purchases),),
                )
            ]
        )
        states = dict(
            bulk.fetch(
                """SELECT p.id, p.state FROM purchasing_purchaseorder p WHERE p.id = ANY(%s::bigint[]) AND p.run_id IS NULL
                   AND (p.state = 'unknown' OR (p.state = 'failed' AND EXISTS (
                       SELECT FROM purchasing_placementattempt a WHERE a.purchase_order_id = p.id AND a.state = 'unknown')))""",
                (list(purchases),),
            )
        )
        for purchase in purchases:
            if purchase not in states:
                refused[purchase] = _("This purchase is not in doubt: nothing has to be settled.")
        for purchase, given in (references or {}).items():
            if purchase in states and (sentence := _take_reference(purchase, given)):
                refused[purchase] = sentence
                del states[purchase]
        # A failed one goes the way of one that was sent: the history says what a person said.
        failed = [purchase for purchase, state in states.items() if state == "failed"]
        proof = (
            "A person asked: the supplier has it."
            if placed
            else "A person asked: the supplier does not have it."
        )
        if failed:
            move(PURCHASE_ORDER, failed, to="ready", by=by, at=at, reason=proof)
            if placed:
                move(PURCHASE_ORDER, failed, to="submitting", by=by, at=at, reason=proof)
        if placed:
            _placed(dict.fromkeys(states, ""), proof, by=by, at=at)
        else:
            unknown = [purchase for purchase in states if purchase not in failed]
            _settle_attempts(failed, "absent", proof, at=at)
            _absent(unknown, proof, by=by, at=at)
            close_tasks(kind="purchase_unknown", thing_kind="purchase_order", things=failed, by=by, at=at)
    return refused


def _take_reference(purchase: int, given: str) -> str:
    ours = find_reference(given)
    if not ours:
        return _("“%(given)s” is no reference of ours: look at the first column of the workbook.") % {
            "given": given[:40]
        }
    if bulk.fetch(
        "SELECT 1 FROM purchasing_purchaseorder WHERE reference = %s AND id <> %s", (ours, purchase)
    ):
        return _("The reference %(reference)s belongs to another purchase.") % {"reference": ours}
    bulk.execute("UPDATE purchasing_purchaseorder SET reference = %s WHERE id = %s", (ours, purchase))
    return ""


def questions(scope: Sequence[int] | None = None) -> list[Question]:
    """What to ask the factories: every purchase and run of which nobody knows whether they have it."""
    rows = bulk.fetch(
        """SELECT s.code, s.email, p.reference, o.number, p.units - p.cancelled, p.id, 0::bigint, p.at
           FROM purchasing_purchaseorder p JOIN sourcing_supplier s ON s.id = p.supplier_id
           JOIN orders_order o ON o.id = p.order_id
           WHERE p.run_id IS NULL AND (%(all)s OR p.store_id = ANY(%(scope)s::bigint[])) AND (p.state = 'unknown' OR (
               p.state = 'failed' AND EXISTS (SELECT FROM purchasing_placementattempt a
                                              WHERE a.purchase_order_id = p.id AND a.state = 'unknown')))
           UNION ALL
           SELECT s.code, s.email, r.name, '', r.rows, 0, r.id, r.at
           FROM purchasing_purchaserun r JOIN sourcing_supplier s ON s.id = r.supplier_id
           WHERE r.state = 'unknown' AND (%(all)s OR r.store_id = ANY(%(scope)s::bigint[]))
           ORDER BY 1, 7, 6""",
        {"all": scope is None, "scope": list(scope or ())},
    )
    return [Question(*row) for row in rows]


def _doubt_messages(since: datetime, *, by: str, at: datetime) -> None:
    """Messages that wait about orders older than the restore: the buyer may have had them from the other copy."""
    rows = bulk.fetch(
        """SELECT m.id, m.store_id, m.kind, o.number FROM buyer_messages_message m JOIN orders_order o ON o.id = m.order_id
           WHERE m.state = 'queued' AND o.placed_at < %s ORDER BY m.id FOR NO KEY UPDATE OF m""",
        (since,),
    )
    if not rows:
        return
    ids = [row[0] for row in rows]
    batch = open_batch(by=by, at=at, reason="may have been sent before this copy was restored")
    move(MESSAGE, ids, to="sending", by=by, at=at, batch=batch)
    move(MESSAGE, ids, to="unknown", by=by, at=at, batch=batch)
    bulk.execute("UPDATE buyer_messages_message SET reason = 'restored' WHERE id = ANY(%s::bigint[])", (ids,))
    open_tasks(
        [
            NewTask(
                "message_unknown",
                row[1],
                "message",
                row[0],
                {"order": row[3], "kind": row[2], "reason": "restored"},
            )
            for row in rows
        ],
        at=at,
    )
