"""Place: turn fulfilment orders into purchases and bring them to the supplier, each exactly once.

Two ways. Suppliers with a system: a stored attempt, commit, the call, the answer; an answer that did not arrive leaves
`unknown`, and nothing is sent again before the supplier has been asked by our reference. Plain factories: a workbook
run, fixed when it is committed; it goes by mail, or a person downloads it and that is the placing.

One process at a time speaks to a supplier (an advisory lock held for the length of the call), so that whatever stands
in `submitting` while we hold the lock was left behind by a crash, and is unknown.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from daifa.connectors.contract import Address, PurchaseAnswer, PurchaseRequest, PurchaseRequestLine
from daifa.connectors.errors import AnswerMissing, ConnectorError, NeedsPerson, NotSupported, TryLater
from daifa.connectors.errors import Refused as RefusedThere
from daifa.connectors.manual import workbook
from daifa.connectors.registry import ASKABLE_KINDS, supplier_connector
from daifa.domain.books.queries import rate_on
from daifa.domain.history.commands import move, record_facts
from daifa.domain.orders.commands import lock_orders_of
from daifa.domain.purchasing import commands as purchasing
from daifa.domain.purchasing.process import PURCHASE_ORDER, PURCHASE_RUN
from daifa.domain.sourcing.queries import may_not_be_told
from daifa.domain.sourcing.rules import Refusal
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.queries import installation, may_act_outward, why_not_outward
from daifa.flows.quarantine import doubt_suspects
from daifa.lib import bulk, mail
from daifa.lib.alone import alone
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _

CALL_SIZE = 50  # purchases in one call to a supplier's system
RUN_SIZE = 2000  # purchases in one workbook
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_LOCK = "daifa.supplier"  # the right to speak to one
_RUNS_LOCK = "daifa.runs"
TRIES_A_CALL = 3  # how often one purchase is sent in one go when it proved absent after each

log = logging.getLogger(__name__)


# --- Drafting -----------------------------------------------------------------------------------------------------


def draft_purchases(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Reaction to `fulfilment_released`: one `ready` purchase for each fulfilment order still released."""
    lock_orders_of("fulfilment_fulfilmentorder", things)
    here = installation()
    if here is None:
        raise LookupError("This installation has no code yet: run `daifa up` once.")
    purchasing.draft_purchases(fulfilment_orders=things, code=here.code, rate_of=_rates(at), by=by, at=at)
    released = bulk.fetch(
        "SELECT id FROM fulfilment_fulfilmentorder WHERE id = ANY(%s::bigint[]) AND state IN ('superseded', 'cancelled')",
        (things,),
    )
    return {row[0]: "no longer wanted" for row in released}


def _rates(at: datetime) -> Callable[[str, str], purchasing.Rate | None]:
    known: dict[tuple[str, str], purchasing.Rate | None] = {}

    def rate_of(source: str, target: str) -> purchasing.Rate | None:
        if source == target:
            return purchasing.Rate(Decimal(1), None, "")
        if (source, target) not in known:
            found = rate_on(source, target, at.date())
            known[source, target] = found and purchasing.Rate(found.rate, found.date, found.source)
        return known[source, target]

    return rate_of


# --- Who may be told an address -----------------------------------------------------------------------------------


def _withheld(pairs: Sequence[tuple[int, int]], *, by: str, at: datetime) -> dict[tuple[int, int], Refusal]:
    """(store, supplier) → why no address goes to him now, although it was routed: the gate is asked again at the door.

    What is withheld stays `ready`; a task says why, and goes once he may be told.
    """
    refused = may_not_be_told(pairs, at=at)
    with transaction.atomic():
        open_tasks(
            [
                NewTask(kind="address_withheld", store_id=store, thing_kind="supplier", thing=supplier,
                        params={"sentence": verdict.sentence})
                for (store, supplier), verdict in refused.items()
            ],
            at=at,
        )  # fmt: skip
        held = {supplier for _store, supplier in refused}
        allowed = sorted({supplier for _store, supplier in pairs} - held)
        close_tasks(kind="address_withheld", thing_kind="supplier", things=allowed, by=by, at=at)
    return refused


# --- Suppliers with a system --------------------------------------------------------------------------------------


def submit_purchases(*, at: datetime, by: str = "job:submit_purchases") -> dict[str, int]:
    """Send every `ready` purchase to suppliers with a system; ask about what is unknown first. Counts by outcome."""
    counts = {"placed": 0, "refused": 0, "unknown": 0, "later": 0}
    if not may_act_outward(at):
        return counts
    doubt_suspects(by=by, at=at)
    for supplier, kind, code, script in _suppliers_with_work(ASKABLE_KINDS):
        with alone(_LOCK, supplier) as mine:
            if not mine:
                continue
            withheld = [store for store, _supplier in _withheld(_pairs_ready(supplier), by=by, at=at)]
            connector = supplier_connector(kind=kind, code=code, script=script, home=Path(settings.DAIFA_HOME))
            _own_leftovers(supplier, by=by, at=at)
            _ask(connector, supplier, counts, by=by, at=at)
            tried: Counter[int] = Counter()
            settled, barren = counts["placed"] + counts["refused"], 0
            while barren < TRIES_A_CALL and (requests := _prepare(supplier, code, tried, withheld, by=by, at=at)):
                tried.update(purchase for purchase, _, _ in requests)
                go_on = _send(connector, requests, counts, by=by, at=at)
                barren = barren + 1 if counts["placed"] + counts["refused"] == settled else 0
                settled = counts["placed"] + counts["refused"]
                if not go_on:
                    break
            _report_waiting(supplier, list(tried), by=by, at=at)
    return counts


def _report_waiting(supplier: int, tried: list[int], *, by: str, at: datetime) -> None:
    """Purchases that were sent and did not arrive are sent again later; until then a person can see that they wait."""
    if not tried:
        return
    with transaction.atomic():
        waiting = bulk.fetch(
            """SELECT count(*), min(store_id) FROM purchasing_purchaseorder WHERE id = ANY(%s::bigint[]) AND state = 'ready'""",
            (tried,),
        )[0]
        if waiting[0]:
            sentence = _("%(count)s purchase orders did not get through; they are tried again.") % {"count": waiting[0]}
            task = NewTask(kind="supplier_needs_person", store_id=waiting[1], thing_kind="supplier", thing=supplier,
                           params={"sentence": sentence})  # fmt: skip
            open_tasks([task], at=at)
        else:
            close_tasks(kind="supplier_needs_person", thing_kind="supplier", things=[supplier], by=by, at=at)


def ask_unknown(*, at: datetime, by: str = "job:ask_unknown") -> dict[str, int]:
    """Ask suppliers with a system about purchases whose fate is unknown, without sending anything."""
    counts = {"placed": 0, "refused": 0, "unknown": 0, "later": 0}
    for supplier, kind, code, script in _suppliers_with_work(ASKABLE_KINDS):
        with alone(_LOCK, supplier) as mine:
            if mine:
                connector = supplier_connector(kind=kind, code=code, script=script, home=Path(settings.DAIFA_HOME))
                _own_leftovers(supplier, by=by, at=at)
                _ask(connector, supplier, counts, by=by, at=at)
    return counts


def _suppliers_with_work(kinds: Sequence[str]) -> list[tuple[int, str, str, dict[str, Any]]]:
    import json

    return [
        (row[0], row[1], row[2], json.loads(row[3]))
        for row in bulk.fetch(
            """SELECT s.id, s.kind, s.code, s.script FROM sourcing_supplier s WHERE s.kind = ANY(%s::text[])
               AND EXISTS (SELECT 1 FROM purchasing_purchaseorder p WHERE p.supplier_id = s.id
                           AND p.state IN ('ready', 'submitting', 'unknown')) ORDER BY s.id""",
            (list(kinds),),
        )
    ]


def _own_leftovers(supplier: int, *, by: str, at: datetime) -> None:
    """What a crash left in `submitting` (we hold the supplier's lock) is unknown from now on."""
    with transaction.atomic():
        left = [
            row[0]
            for row in bulk.fetch(
                """SELECT id FROM purchasing_purchaseorder WHERE supplier_id = %s AND state = 'submitting'
                   AND run_id IS NULL ORDER BY id""",
                (supplier,),
            )
        ]
        if left:
            _mark_unknown(left, _("The program ended in the middle of the call."), by=by, at=at)


def _mark_unknown(purchases: Sequence[int], sentence: str, *, by: str, at: datetime) -> None:
    """Nobody knows whether the supplier has them: nothing is sent again, and a person hears of it until he was asked."""
    purchases = move(PURCHASE_ORDER, purchases, to="unknown", by=by, at=at, reason=sentence).moved
    open_tasks(
        [
            NewTask(kind="purchase_unknown", store_id=row[1], thing_kind="purchase_order", thing=row[0],
                    params={"reference": row[2]}, stake=row[3], currency=row[4])
            for row in bulk.fetch(
                """SELECT id, store_id, reference, goods_amount + freight_amount, currency
                   FROM purchasing_purchaseorder WHERE id = ANY(%s::bigint[])""", (list(purchases),))
        ],
        at=at,
    )  # fmt: skip
    attempts = bulk.fetch(
        """SELECT id FROM purchasing_placementattempt WHERE purchase_order_id = ANY(%s::bigint[]) AND state = 'prepared'""",
        (list(purchases),),
    )
    purchasing.settle_attempts({row[0]: ("unknown", sentence) for row in attempts}, at=at)


def _ask(connector: Any, supplier: int, counts: dict[str, int], *, by: str, at: datetime) -> None:
    """Resolve unknown purchases by asking: known there → placed; never heard of → ready to be sent again."""
    unknown = bulk.fetch(
        """SELECT p.id, p.reference FROM purchasing_purchaseorder p
           WHERE p.supplier_id = %s AND p.state = 'unknown' AND p.run_id IS NULL ORDER BY p.id""",
        (supplier,),
    )
    if not unknown:
        return
    try:
        found = connector.find([ref for _, ref in unknown], at=at)
    except ConnectorError:
        return
    except Exception as error:  # a bug or a broken answer: as good as none
        log.warning("Asking supplier %s failed: %s", supplier, type(error).__name__, exc_info=error)
        return
    known = {purchase: found[ref] for purchase, ref in unknown if found.get(ref) is not None}
    placed = [purchase for purchase, answer in known.items() if answer.accepted]
    refused = {p: answer.sentence or answer.code for p, answer in known.items() if not answer.accepted}
    absent = [purchase for purchase, ref in unknown if ref in found and found[ref] is None]
    theirs = {purchase: known[purchase].their_reference for purchase in placed}
    with transaction.atomic():
        lock_orders_of("purchasing_purchaseorder", [*known, *absent])
        attempts = dict(
            bulk.fetch(
                """SELECT purchase_order_id, id FROM purchasing_placementattempt
                   WHERE purchase_order_id = ANY(%s::bigint[]) AND state = 'unknown'""",
                ([*known, *absent],),
            )
        )
        purchasing.settle_attempts(
            {attempts[p]: ("accepted", _("The supplier knows it by our reference.")) for p in placed if p in attempts}
            | {attempts[p]: ("refused", sentence) for p, sentence in refused.items() if p in attempts}
            | {attempts[p]: ("absent", _("The supplier has never heard of it.")) for p in absent if p in attempts},
            at=at,
        )
        purchasing.place(purchases=placed, by=by, at=at)
        _keep_theirs(theirs)
        move(PURCHASE_ORDER, absent, to="ready", by=by, at=at, reason="proved absent")
        _refuse(refused, by=by, at=at)
        close_tasks(kind="purchase_unknown", thing_kind="purchase_order", things=[*known, *absent], by=by, at=at)
    counts["placed"] += len(placed)
    counts["refused"] += len(refused)


def _refuse(refused: dict[int, str], *, by: str, at: datetime) -> None:
    if refused:
        again = purchasing.refuse(purchases=list(refused), reasons=refused, by=by, at=at)
        record_facts("orders_to_route", again, at=at)


def _pairs_ready(supplier: int) -> list[tuple[int, int]]:
    """(store, supplier) of what is ready for him."""
    return bulk.fetch(
        """SELECT DISTINCT store_id, supplier_id FROM purchasing_purchaseorder
           WHERE supplier_id = %s AND state = 'ready' AND run_id IS NULL""",
        (supplier,),
    )


def _prepare(
    supplier: int, code: str, tried: Counter[int], withheld: Sequence[int], *, by: str, at: datetime
) -> list[tuple[int, int, PurchaseRequest]]:
    """Claim the next ready purchases and store their attempts: (purchase, attempt, request). Commits.

    `tried`: how often each was sent in this go; those that failed too often wait for the next one. `withheld`: stores
    whose buyers' addresses this supplier may not have now.
    """
    with transaction.atomic():
        enough = [purchase for purchase, times in tried.items() if times >= TRIES_A_CALL]
        ids = [
            row[0]
            for row in bulk.fetch(
                """SELECT id FROM purchasing_purchaseorder WHERE supplier_id = %s AND state = 'ready' AND run_id IS NULL
                   AND id <> ALL(%s::bigint[]) AND store_id <> ALL(%s::bigint[]) ORDER BY id LIMIT %s""",
                (supplier, enough, list(withheld), CALL_SIZE),
            )
        ]
        if not ids:
            return []
        lock_orders_of("purchasing_purchaseorder", ids)
        claimed = move(PURCHASE_ORDER, ids, to="submitting", by=by, at=at).moved
        requests = _requests(claimed, code)
        attempts = purchasing.prepare_attempts(
            [(purchase, request.reference, repr(request)) for purchase, request in requests.items()], at=at
        )
    return [(purchase, attempts[purchase], request) for purchase, request in requests.items()]


def _send(
    connector: Any, requests: list[tuple[int, int, PurchaseRequest]], counts: dict[str, int], *, by: str, at: datetime
) -> bool:
    """The call, outside any transaction, one purchase at a time where it fails. False = stop for now."""
    try:
        answers = connector.place([request for _, _, request in requests], at=at)
    except TryLater as later:
        return _after_partial(connector, requests, later.sentence, counts, by=by, at=at, go_on=False)
    except AnswerMissing as missing:
        return _after_partial(connector, requests, missing.sentence, counts, by=by, at=at, go_on=True)
    except NeedsPerson as need:
        _after_partial(connector, requests, need.sentence, counts, by=by, at=at, go_on=False)
        _call_person(requests, need.sentence, at=at)
        return False
    except (RefusedThere, NotSupported) as no:
        if len(requests) > 1:  # one of them is not wanted: each alone shows which
            outcomes = [_send(connector, [request], counts, by=by, at=at) for request in requests]
            return all(outcomes)
        answers = [PurchaseAnswer(requests[0][2].reference, False, code=no.code, sentence=no.sentence)]
    except Exception as error:  # a bug in the connector is no reason to buy twice, nor to stop the other suppliers
        log.warning("Placing failed: %s", type(error).__name__, exc_info=error)
        sentence = _("The program failed in the middle of the call (%(error)s).") % {"error": type(error).__name__}
        return _after_partial(connector, requests, sentence, counts, by=by, at=at, go_on=False)
    _settle_answers(requests, {answer.reference: answer for answer in answers}, counts, by=by, at=at)
    return True


def _after_partial(
    connector: Any, requests: list[tuple[int, int, PurchaseRequest]], sentence: str, counts: dict[str, int], *,
    by: str, at: datetime, go_on: bool,
) -> bool:  # fmt: skip
    """The call broke somewhere in the batch: everything in it is unknown until asked, at once."""
    with transaction.atomic():
        purchases = [purchase for purchase, _, _ in requests]
        lock_orders_of("purchasing_purchaseorder", purchases)
        _mark_unknown(purchases, sentence, by=by, at=at)
    supplier = bulk.fetch("SELECT supplier_id FROM purchasing_purchaseorder WHERE id = %s", (purchases[0],))[0][0]
    _ask(connector, supplier, counts, by=by, at=at)
    left = dict(
        bulk.fetch(
            "SELECT state, count(*) FROM purchasing_purchaseorder WHERE id = ANY(%s::bigint[]) GROUP BY 1", (purchases,)
        )
    )
    counts["unknown"] += left.get("unknown", 0)
    counts["later"] += left.get("ready", 0)
    return go_on


def _settle_answers(
    requests: list[tuple[int, int, PurchaseRequest]], answers: dict[str, PurchaseAnswer], counts: dict[str, int], *,
    by: str, at: datetime,
) -> None:  # fmt: skip
    placed, refused, silent, theirs, results = [], {}, [], {}, {}
    for purchase, attempt, request in requests:
        answer = answers.get(request.reference)
        if answer is None:  # a 200 that says nothing about one of ours
            silent.append(purchase)
        elif answer.accepted:
            placed.append(purchase)
            theirs[purchase] = answer.their_reference
            results[attempt] = ("accepted", answer.their_reference)
        else:
            refused[purchase] = answer.sentence or answer.code
            results[attempt] = ("refused", answer.sentence or answer.code)
    with transaction.atomic():
        lock_orders_of("purchasing_purchaseorder", [purchase for purchase, _, _ in requests])
        purchasing.settle_attempts(results, at=at)
        purchasing.place(purchases=placed, by=by, at=at)
        _keep_theirs(theirs)
        if silent:
            _mark_unknown(silent, _("The supplier's answer did not mention it."), by=by, at=at)
        _refuse(refused, by=by, at=at)
    counts["placed"] += len(placed)
    counts["refused"] += len(refused)
    counts["unknown"] += len(silent)


def _call_person(requests: list[tuple[int, int, PurchaseRequest]], sentence: str, *, at: datetime) -> None:
    """A person must act first (login expired); whatever was taken before that has been asked for."""
    with transaction.atomic():
        row = bulk.fetch("SELECT supplier_id, store_id FROM purchasing_purchaseorder WHERE id = %s", (requests[0][0],))[0]
        open_tasks(
            [NewTask(kind="supplier_needs_person", store_id=row[1], thing_kind="supplier", thing=row[0],
                     params={"sentence": sentence})],
            at=at,
        )  # fmt: skip


def _keep_theirs(theirs: dict[int, str]) -> None:
    if theirs:
        bulk.execute(
            """UPDATE purchasing_purchaseorder p SET their_reference = d.ref
               FROM unnest(%s::bigint[], %s::text[]) AS d(id, ref) WHERE p.id = d.id""",
            (list(theirs), [ref[:60] for ref in theirs.values()]),
        )


def _requests(purchases: Sequence[int], code: str) -> dict[int, PurchaseRequest]:
    rows = _rows_of(purchases)
    result: dict[int, PurchaseRequest] = {}
    grouped: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        grouped.setdefault(row[0], []).append(row)
    for purchase, group in grouped.items():
        first = group[0]
        result[purchase] = PurchaseRequest(
            reference=first[1], supplier_code=code, currency=first[2],
            address=Address(
                name=first[9], line1=first[10], line2=first[11], city=first[12], region=first[13], postcode=first[14],
                country=first[15], phone=first[16], token=first[17],
            ),
            lines=tuple(
                PurchaseRequestLine(str(row[3]), row[4], row[5], row[6], row[7]) for row in group
            ),
            note=first[8],
        )  # fmt: skip
    return result


def _rows_of(purchases: Sequence[int], *, only_ready: bool = False) -> list[tuple[Any, ...]]:
    """Everything a supplier is told, a row a purchase line, in order; of those only that are `ready` and in no run."""
    return bulk.fetch(
        """SELECT p.id, p.reference, p.currency, l.line_no, l.supplier_sku, l.quantity - l.cancelled, l.unit_cost,
                  o.title, so.note, a.name, a.line1, a.line2, a.city, a.region, a.postcode, a.country, a.phone, a.token,
                  coalesce((SELECT string_agg(w.number, ', ' ORDER BY w.id) FROM shipping_platformwaybill w WHERE w.order_id = p.order_id), '')
           FROM purchasing_purchaseorder p JOIN purchasing_purchaseline l ON l.purchase_order_id = p.id
           JOIN orders_orderline o ON o.id = l.order_line_id JOIN orders_order so ON so.id = p.order_id
           JOIN orders_addressversion a ON a.id = p.address_id
           WHERE p.id = ANY(%s::bigint[]) AND l.quantity > l.cancelled
             AND (NOT %s OR (p.state = 'ready' AND p.run_id IS NULL)) ORDER BY p.id, l.line_no""",
        (list(purchases), only_ready),
    )


# --- Plain factories: workbook runs -------------------------------------------------------------------------------


def fix_runs(
    *, at: datetime, by: str, supplier_id: int | None = None, store_id: int | None = None, delivery: str | None = None
) -> list[int]:
    """Put the ready purchases of workbook suppliers into runs, one a supplier and store. Returns the new runs' ids.

    `delivery` limits it to suppliers served by "mail" or by "download". Each run commits on its own. A quarantined copy
    fixes none: the other one may have.
    """
    if not may_act_outward(at):
        return []
    doubt_suspects(by=by, at=at)
    pairs = bulk.fetch(
        """SELECT DISTINCT p.supplier_id, p.store_id, s.code, s.language
           FROM purchasing_purchaseorder p JOIN sourcing_supplier s ON s.id = p.supplier_id
           WHERE p.state = 'ready' AND s.kind = 'workbook' AND (%(supplier)s::bigint IS NULL OR s.id = %(supplier)s)
             AND (%(store)s::bigint IS NULL OR p.store_id = %(store)s)
             AND (%(delivery)s::text IS NULL OR s.delivery = %(delivery)s)
           ORDER BY 1, 2""",
        {"supplier": supplier_id, "store": store_id, "delivery": delivery},
    )
    withheld = _withheld([(store, supplier) for supplier, store, *_rest in pairs], by=by, at=at) if pairs else {}
    runs = []
    for supplier, store, code, language in pairs:
        if (store, supplier) in withheld:
            continue
        while True:
            with transaction.atomic():
                # One writer of runs a supplier: run numbers follow each other without a gap or a clash.
                bulk.fetch("SELECT pg_advisory_xact_lock(hashtext(%s), %s)", (_RUNS_LOCK, supplier))
                found = [
                    row[0]
                    for row in bulk.fetch(
                        """WITH ready AS MATERIALIZED (
                               SELECT id, order_id FROM purchasing_purchaseorder
                               WHERE supplier_id = %s AND store_id = %s AND state = 'ready' ORDER BY id LIMIT %s
                           ), locked AS MATERIALIZED (
                               SELECT id FROM orders_order WHERE id IN (SELECT order_id FROM ready)
                               ORDER BY id FOR NO KEY UPDATE
                           )
                           SELECT id FROM ready WHERE (SELECT count(*) FROM locked) >= 0 ORDER BY id""",
                        (supplier, store, RUN_SIZE),
                    )
                ]
                if not found:
                    break
                # Read anew, now that the orders are ours: some may have been taken or cancelled while we waited.
                rows = _rows_of(found, only_ready=True)
                ids = sorted({row[0] for row in rows})
                if not ids:
                    break
                content, sha256 = workbook.write_run(
                    [
                        workbook.RunRow(
                            row[1], row[3], row[4], row[7], row[5], row[6], row[9], row[16], row[15], row[13],
                            row[12], ", ".join(part for part in (row[10], row[11]) if part), row[14], row[8], row[17], row[18],
                        )
                        for row in rows
                    ],
                    language=language,
                )  # fmt: skip
                runs.append(
                    purchasing.write_run(
                        store=store, supplier=supplier, name_of=lambda n, code=code: workbook.run_name(code, n),
                        content=content, sha256=sha256, purchases=ids, rows=len(rows), by=by, at=at,
                    )
                )  # fmt: skip
            if len(found) < RUN_SIZE:
                break
    return runs


def confirm_run(run_id: int, *, by: str, at: datetime) -> int:
    """A person has the workbook and hands it on: the run and its purchases are placed. Repeating changes nothing.

    Returns how many purchases were placed now; counts the sending, so that the next export says REPEAT. Raises
    `Refused` in a quarantined copy.
    """
    if sentence := why_not_outward(at):
        raise Refused(sentence, code="quarantined")
    if verdict := run_withheld(run_id, at=at):
        raise Refused(verdict.sentence, code=str(verdict))
    with transaction.atomic():
        _lock_run(run_id)
        bulk.execute("UPDATE purchasing_purchaserun SET times_sent = times_sent + 1 WHERE id = %s", (run_id,))
        return _place_run(run_id, by=by, at=at, proof="downloaded")


def run_withheld(run: int, *, at: datetime) -> Refusal | None:
    """Why the addresses of a run may not be handed over (any more); None = they may."""
    pairs = bulk.fetch(
        "SELECT DISTINCT store_id, supplier_id FROM purchasing_purchaseorder WHERE run_id = %s ORDER BY 1, 2", (run,)
    )
    return next(iter(may_not_be_told(pairs, at=at).values()), None)


def _supplier_of(run: int) -> int:
    return bulk.fetch("SELECT supplier_id FROM purchasing_purchaserun WHERE id = %s", (run,))[0][0]


def settle_run(run_id: int, sent: bool, *, by: str, at: datetime) -> int:
    """A person says what became of a run whose sending is unknown: it arrived, or it did not and may be sent again."""
    with transaction.atomic():
        _lock_run(run_id)
        if sent:
            count = _place_run(run_id, by=by, at=at, proof="a person asked the factory")
        else:
            count = 0
            purchasing.settle_run_attempts(run_id, "absent", _("A person asked: the factory does not have it."), at=at)
            move(PURCHASE_RUN, [run_id], to="fixed", by=by, at=at, reason="the factory does not have it")
            # Still `submitting`: the purchases stay in this fixed run and go out with it.
        close_tasks(kind="run_unknown", thing_kind="run", things=[run_id], by=by, at=at)
        return count


def send_runs(*, at: datetime, by: str = "job:send_runs") -> dict[str, int]:
    """Mail the fixed runs of suppliers served by mail. A crash in the middle leaves `unknown` and a task."""
    counts = {"placed": 0, "unknown": 0, "later": 0}
    if not may_act_outward(at):
        return counts
    for run, supplier, email, store_sample in bulk.fetch(
        """SELECT r.id, r.supplier_id, s.email, coalesce(t.is_sample, true) FROM purchasing_purchaserun r
           JOIN sourcing_supplier s ON s.id = r.supplier_id LEFT JOIN stores_store t ON t.id = r.store_id
           WHERE r.state IN ('fixed', 'sending') AND s.delivery = 'mail' ORDER BY r.id"""
    ):
        with alone(_LOCK, supplier) as mine:
            if mine:
                outcome = _mail_run(run, email, local=store_sample, by=by, at=at)
                counts[outcome] = counts.get(outcome, 0) + 1
    return counts


def _mail_run(run: int, email: str, *, local: bool, by: str, at: datetime) -> str:
    with transaction.atomic():
        row = _lock_run(run)
        if row[1] == "sending":  # we hold the supplier's lock: a crash left it
            _run_unknown(run, _("The program ended while the mail was being sent."), by=by, at=at)
            return "unknown"
        if row[1] != "fixed":
            return "done"
        if row[7] and not row[4]:  # answered although we never sent it: he has it from elsewhere
            bulk.execute("UPDATE purchasing_purchaserun SET times_sent = 1 WHERE id = %s", (run,))  # the next says REPEAT
            if not row[6]:
                _place_run(run, by=by, at=at, proof="the supplier answered it")
                return "answered"
            _run_unknown(run, _("The supplier answered a part of it, although it was not sent."), by=by, at=at)
            return "unknown"
        if verdict := run_withheld(run, at=at):
            open_tasks(
                [NewTask(kind="address_withheld", store_id=row[5], thing_kind="supplier", thing=_supplier_of(run),
                         params={"sentence": verdict.sentence})],
                at=at,
            )  # fmt: skip
            return "later"
        if not email:
            open_tasks(
                [NewTask(kind="run_without_address", store_id=row[5], thing_kind="run", thing=run, params={"name": row[2]})],
                at=at,
            )  # fmt: skip
            return "later"
        times = row[4] + 1
        purchasing.prepare_run_attempt(run, send_number=times, sha256=row[3], at=at)
        move(PURCHASE_RUN, [run], to="sending", by=by, at=at, sets={"times_sent": times})
    name = repeat_name(row[2], times)
    letter = mail.Letter(
        key=f"run-{run}-{times}", to=email, subject=name.removesuffix(".xlsx"), text=f"{name}\nSHA-256 {row[3]}\n", at=at,
        attachments=[(name, XLSX_TYPE, bytes(row[8]))],
    )  # fmt: skip
    try:
        with mail.Folder() if local or not mail.has_server() else mail.Smtp() as way:
            way.send(letter)
    except mail.NoAnswer as error:
        with transaction.atomic():
            _lock_run(run)
            _run_unknown(run, str(error), by=by, at=at)
        return "unknown"
    except mail.MailError as error:  # certainly not sent
        with transaction.atomic():
            _lock_run(run)
            purchasing.settle_run_attempts(run, "refused", str(error), at=at)
            bulk.execute("UPDATE purchasing_purchaserun SET times_sent = times_sent - 1 WHERE id = %s", (run,))
            move(PURCHASE_RUN, [run], to="fixed", by=by, at=at, reason=str(error))
            if not isinstance(error, mail.TryLater):
                open_tasks(
                    [NewTask(kind="run_refused", store_id=row[5], thing_kind="run", thing=run,
                             params={"name": row[2], "sentence": str(error)})],
                    at=at,
                )  # fmt: skip
        return "later"
    with transaction.atomic():
        _lock_run(run)
        _place_run(run, by=by, at=at, proof="mail accepted")
    return "placed"


def repeat_name(name: str, times_sent: int) -> str:
    """The file name to send under: from the second time on it says REPEAT, so that nobody ships twice."""
    return name if times_sent <= 1 else f"REPEAT-{times_sent}-{name}"


def _lock_run(run: int) -> tuple[Any, ...]:
    """Lock the orders of the run, then the run.

    (id, state, name, sha256, times_sent, store, whether purchases of it wait for an answer, whether some were answered,
    content).
    """
    bulk.fetch(
        """SELECT id FROM orders_order WHERE id IN (SELECT order_id FROM purchasing_purchaseorder WHERE run_id = %s)
           ORDER BY id FOR NO KEY UPDATE""",
        (run,),
    )
    rows = bulk.fetch(
        """SELECT id, state, name, sha256, times_sent, store_id,
                  EXISTS (SELECT FROM purchasing_purchaseorder p WHERE p.run_id = r.id AND p.state IN ('submitting', 'unknown')),
                  EXISTS (SELECT FROM purchasing_purchaseorder p WHERE p.run_id = r.id AND p.state IN ('placed', 'refused', 'closed')),
                  content
           FROM purchasing_purchaserun r WHERE id = %s FOR NO KEY UPDATE""",
        (run,),
    )
    if not rows:
        raise LookupError(f"There is no run {run}.")
    return rows[0]


def _place_run(run: int, *, by: str, at: datetime, proof: str) -> int:
    moved = move(PURCHASE_RUN, [run], to="placed", by=by, at=at, reason=proof, set_at="placed_at")
    purchasing.settle_run_attempts(run, "accepted", proof, at=at)
    if not moved.moved:
        return 0
    close_tasks(kind=("run_unknown", "run_refused", "run_without_address"), thing_kind="run", things=[run], by=by, at=at)
    purchases = [
        row[0]
        for row in bulk.fetch(
            """SELECT id FROM purchasing_purchaseorder WHERE run_id = %s AND state IN ('submitting', 'unknown') ORDER BY id""",
            (run,),
        )
    ]
    return len(purchasing.place(purchases=purchases, by=by, at=at))


def _run_unknown(run: int, sentence: str, *, by: str, at: datetime) -> None:
    move(PURCHASE_RUN, [run], to="unknown", by=by, at=at, reason=sentence)
    purchasing.settle_run_attempts(run, "unknown", sentence, at=at)
    row = bulk.fetch("SELECT store_id, name FROM purchasing_purchaserun WHERE id = %s", (run,))[0]
    open_tasks(
        [NewTask(kind="run_unknown", store_id=row[0], thing_kind="run", thing=run, params={"name": row[1]})], at=at
    )
