"""One timeline of everything that happened to an order: what, when, who, why. Newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from daifa.domain.aftersales.process import AFTERSALE_CASE, REFUND
from daifa.domain.cases.process import COMPLAINT, OUTCOMES, VIOLATION
from daifa.domain.fulfilment.process import FULFILMENT_ORDER
from daifa.domain.messages.process import KINDS, MESSAGE
from daifa.domain.messages.rules import reason_words
from daifa.domain.orders.process import HOLDS, ORDER
from daifa.domain.purchasing.process import PURCHASE_ORDER, PURCHASE_RUN
from daifa.domain.shipping.process import DISPATCH_NOTICE, PARCEL, PARCEL_CHECK
from daifa.lib import bulk, regions
from daifa.lib.commas import listed
from daifa.lib.process import Process
from daifa.lib.sentences import told

_PROCESSES = {
    p.kind: p
    for p in (
        ORDER, FULFILMENT_ORDER, PURCHASE_ORDER, PURCHASE_RUN, PARCEL, DISPATCH_NOTICE, MESSAGE, AFTERSALE_CASE, REFUND,
        PARCEL_CHECK, COMPLAINT, VIOLATION,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened. `subject` and `thing` name the row it happened to, `state` the state it is in since.

    `sentence` is in the language of the reader; `by` an actor ("user:3", "job:route_lines", "" = not recorded),
    `why` the reason given, `detail` more of it (counts, places).
    """

    at: datetime
    subject: str  # a process's name, or hold, address, answer, scan
    thing: int
    sentence: str
    state: str = ""
    by: str = ""
    why: str = ""
    detail: str = ""


def timeline(scope: Sequence[int], order_id: int) -> list[Happening]:
    """Newest first; [] when the order is not there or not in scope."""
    order = bulk.fetch(
        "SELECT placed_at, number FROM orders_order WHERE id = %s AND store_id = ANY(%s::bigint[])",
        (order_id, list(scope)),
    )
    if not order:
        return []
    placed_at, number = order[0]
    things = _things(order_id, number)
    happened = _moves(things, since=placed_at)
    happened += _holds(order_id)
    happened += _addresses(order_id)
    happened += _answers(order_id)
    happened += _scans(order_id)
    return sorted(happened, key=_place, reverse=True)


# What one run of the worker does happens at one moment: then the steps of the loop say what came first.
_ORDER_OF_LOOP = {
    subject: place
    for place, subject in enumerate(
        (
            "order", "address", "hold", "fulfilment_order", "purchase_order", "purchase_run", "answer", "parcel", "scan",
            "dispatch_notice", "parcel_check", "aftersale_case", "refund", "message", "complaint", "violation",
        )
    )
}  # fmt: skip
_STEPS = {
    process.name: {state: step for step, state in enumerate(process.table)} for process in _PROCESSES.values()
}


def _place(one: Happening) -> tuple[datetime, int, int, int]:
    step = _STEPS.get(one.subject, {}).get(one.state, 0)
    return one.at, _ORDER_OF_LOOP[one.subject], one.thing, step


def word(process: Process, state: str) -> str:
    """The state in the reader's language."""
    words = process.words.get(state, (state, state))
    return words[_chinese()]


def _chinese() -> int:
    return int((get_language() or "").startswith("zh"))


_THINGS = """
SELECT %(order_kind)s::int AS kind, %(id)s::bigint AS thing, %(number)s::text AS name, '' AS other
UNION ALL
SELECT %(fulfilment_kind)s, f.id, s.name, '' FROM fulfilment_fulfilmentorder f
    JOIN sourcing_supplier s ON s.id = f.supplier_id WHERE f.order_id = %(id)s
UNION ALL
SELECT %(purchase_kind)s, p.id, p.reference, s.name FROM purchasing_purchaseorder p
    JOIN sourcing_supplier s ON s.id = p.supplier_id WHERE p.order_id = %(id)s
UNION ALL
SELECT DISTINCT %(run_kind)s, r.id, r.name, s.name FROM purchasing_purchaseorder p
    JOIN purchasing_purchaserun r ON r.id = p.run_id JOIN sourcing_supplier s ON s.id = r.supplier_id
    WHERE p.order_id = %(id)s
UNION ALL
SELECT %(parcel_kind)s, p.id, p.number, p.carrier FROM shipping_parcel p WHERE p.order_id = %(id)s
UNION ALL
SELECT %(notice_kind)s, n.id, p.number, n.answer FROM shipping_dispatchnotice n
    JOIN shipping_parcel p ON p.id = n.parcel_id WHERE p.order_id = %(id)s
UNION ALL
SELECT %(message_kind)s, m.id, m.kind, m.reason FROM buyer_messages_message m WHERE m.order_id = %(id)s
UNION ALL
SELECT %(case_kind)s, c.id, c.reason, c.kind || ':' || c.return_number FROM aftersales_aftersalecase c WHERE c.order_id = %(id)s
UNION ALL
SELECT %(refund_kind)s, r.id, r.external_ref, r.amount || ' ' || r.currency FROM aftersales_refund r
    WHERE r.order_id = %(id)s
UNION ALL
SELECT %(check_kind)s, c.id, c.about, '' FROM shipping_parcelcheck c WHERE c.order_id = %(id)s
UNION ALL
SELECT %(complaint_kind)s, c.id, c.reference, '' FROM cases_complaint c WHERE c.order_id = %(id)s
UNION ALL
SELECT %(violation_kind)s, v.id, v.reference, '' FROM cases_violationorder o
    JOIN cases_violation v ON v.id = o.violation_id WHERE o.order_id = %(id)s
"""


def _things(order_id: int, number: str) -> dict[tuple[int, int], tuple[str, str]]:
    """(kind of process, id) → (its name, something more about it) of everything that hangs on the order."""
    rows = bulk.fetch(
        _THINGS,
        {
            "id": order_id, "number": number, "order_kind": ORDER.kind, "fulfilment_kind": FULFILMENT_ORDER.kind,
            "purchase_kind": PURCHASE_ORDER.kind, "run_kind": PURCHASE_RUN.kind, "parcel_kind": PARCEL.kind,
            "notice_kind": DISPATCH_NOTICE.kind, "message_kind": MESSAGE.kind, "case_kind": AFTERSALE_CASE.kind,
            "refund_kind": REFUND.kind, "check_kind": PARCEL_CHECK.kind,
            "complaint_kind": COMPLAINT.kind, "violation_kind": VIOLATION.kind,
        },
    )  # fmt: skip
    return {(kind, thing): (name, other) for kind, thing, name, other in rows}


def _moves(things: dict[tuple[int, int], tuple[str, str]], *, since: datetime) -> list[Happening]:
    rows = bulk.fetch(
        """
        SELECT t.kind, t.thing, t.state_to, t.at, coalesce(b.by, ''), coalesce(b.reason, '')
        FROM unnest(%s::int[], %s::bigint[]) AS asked(kind, thing)
        JOIN history_transition t ON t.thing = asked.thing AND t.kind = asked.kind AND t.at >= %s
        LEFT JOIN history_batch b ON b.id = t.batch_id
        """,
        # Nothing happens to an order before it was placed; the day is for clocks that differ. Older months stay shut.
        ([kind for kind, _thing in things], [thing for _kind, thing in things], since - timedelta(days=1)),
    )
    found = []
    for kind, thing, state, at, by, why in rows:
        process = _PROCESSES[kind]
        name, other = things[kind, thing]
        found.append(
            Happening(
                at=at,
                subject=process.name,
                thing=thing,
                sentence=_told(process, state, name, other),
                state=state,
                by=by,
                why=_in_words(why),
            )
        )
    return found


WHY = {
    "downloaded": N_("downloaded by a person"),
    "mail accepted": N_("taken by the mail server"),
    "the supplier answered it": N_("the supplier answered it"),
    "refused by the supplier": N_("refused by the supplier"),
    "The supplier answered a part of it, although it was not sent.": N_("The supplier answered a part of it, although it was not sent."),
    "proved absent": N_("the supplier does not have it"),
    "the factory does not have it": N_("the supplier does not have it"),
    "may have been sent before this copy was restored": N_("may have been sent before this copy was restored"),
    "dispatch file": N_("in a file for the store"),
    "no scan for too long": N_("no scan for too long"),
    "points and limits are over": N_("points and limits are over"),
}
"""Reasons that the loop writes down as short words of its own, as they stand in the history: the words for a reader."""


def _in_words(reason: str) -> str:
    """A stored reason as a person reads it: the file it came with has a number of its own, an outcome its word."""
    source, _colon, number = reason.partition(":")
    if source == "import" and number.isdigit():
        return _("with import %(number)s") % {"number": number}
    if source in ("user", "job", "cli", "api", "token") and " " not in reason:
        return ""  # who did it stands beside it already
    if reason in OUTCOMES:
        return OUTCOMES[reason][_chinese()]
    if source.startswith("run ") and source[4:].isdigit():
        return ""  # the workbook is named
    return _(WHY[reason]) if reason in WHY else told(reason)


def _told(process: Process, state: str, name: str, other: str) -> str:
    said = {"name": name, "other": other, "state": word(process, state)}
    if process is ORDER:
        return _("Order %(name)s received") % said
    if process is FULFILMENT_ORDER:
        if state == "released":
            return _("Routed to %(name)s") % said
        return _("The part for %(name)s: %(state)s") % said
    if process is PURCHASE_ORDER:
        return _("Purchase order %(name)s to %(other)s: %(state)s") % said
    if process is PURCHASE_RUN:
        return _("Workbook %(name)s to %(other)s: %(state)s") % said
    if process is PARCEL:
        return _("Parcel %(name)s: %(state)s") % said
    if process is DISPATCH_NOTICE:
        return _("Number %(name)s to the store: %(state)s") % said
    if process is MESSAGE:
        said["name"] = KINDS.get(name, (name, name))[_chinese()]
        said["other"] = reason_words(other, get_language() or "en")
        return (
            _("Message “%(name)s” to the buyer: %(state)s (%(other)s)")
            if state in ("suppressed", "failed") and other
            else _("Message “%(name)s” to the buyer: %(state)s")
        ) % said
    if process is PARCEL_CHECK:
        return _("Photo of the parcel: %(state)s") % said
    if process is REFUND:
        return _("Refund %(name)s: %(state)s") % said
    if process is COMPLAINT:
        return _("Complaint %(name)s: %(state)s") % said
    if process is VIOLATION:
        return _("Violation %(name)s: %(state)s") % said
    return _case_told(state, said)


def _case_told(state: str, said: dict[str, str]) -> str:
    goods = said["other"].startswith("return:")
    said["other"] = said["other"].partition(":")[2]
    match state:
        case "requested":
            return _("The buyer asks for money back and returns goods") if goods else _("The buyer asks for money back")
        case "approved":
            return _("Return agreed to") if goods else _("Refund agreed to")
        case "in_transit":
            return _("Goods are on their way back (%(other)s)") % said if said["other"] else _("Goods are on their way back")
        case "received":
            return _("The goods came back")
        case "refused":
            return _("The buyer's request was refused")
        case "refunded":
            return _("The case ends with a refund")
        case "expired":
            return _("The goods never came back: the case ends without money")
    return _("Aftersale case: %(state)s") % said


def _holds(order_id: int) -> list[Happening]:
    found = []
    for hold, reason, sku, opened_at, released_at, released_by in bulk.fetch(
        """SELECT h.id, h.reason, l.sku, h.opened_at, h.released_at, h.released_by
           FROM orders_hold h LEFT JOIN orders_orderline l ON l.id = h.line_id WHERE h.order_id = %s""",
        (order_id,),
    ):
        said = {"reason": HOLDS.get(reason, (reason, reason))[_chinese()], "sku": sku}
        on = _("Held, %(sku)s: %(reason)s") if sku else _("Held: %(reason)s")
        found.append(Happening(opened_at, "hold", hold, on % said, state="on_hold"))
        if released_at:
            off = _("No longer held, %(sku)s: %(reason)s") if sku else _("No longer held: %(reason)s")
            found.append(Happening(released_at, "hold", hold, off % said, state="released", by=released_by))
    return found


def _addresses(order_id: int) -> list[Happening]:
    # The first came with the order.
    return [
        Happening(
            at, "address", row, _("The delivery address changed (version %(version)d)") % {"version": version}
        )
        for row, version, at in bulk.fetch(
            "SELECT id, version, at FROM orders_addressversion WHERE order_id = %s AND version > 1",
            (order_id,),
        )
    ]


def _answers(order_id: int) -> list[Happening]:
    import json

    found = []
    for answer, source, rows, at, reference, supplier in bulk.fetch(
        """SELECT a.id, a.source, a.rows, a.at, p.reference, s.name FROM purchasing_purchaseanswer a
           JOIN purchasing_purchaseorder p ON p.id = a.purchase_order_id
           JOIN sourcing_supplier s ON s.id = p.supplier_id WHERE p.order_id = %s""",
        (order_id,),
    ):
        counted: list[Any] = json.loads(rows) if isinstance(rows, str) else rows
        sums = [sum(row[i] for row in counted) for i in range(1, 5)]
        words = (
            ngettext("%d accepted", "%d accepted", sums[0]),
            ngettext("%d refused", "%d refused", sums[1]),
            ngettext("%d to follow", "%d to follow", sums[2]),
            ngettext("%d shipped", "%d shipped", sums[3]),
        )
        reasons = dict.fromkeys(row[5] for row in counted if len(row) > 5 and row[5])
        found.append(
            Happening(
                at,
                "answer",
                answer,
                _("%(supplier)s answered on %(reference)s") % {"supplier": supplier, "reference": reference},
                by=source,
                why="; ".join(reasons),
                detail=listed(text % n for text, n in zip(words, sums, strict=True) if n),
            )
        )
    return found


def _scans(order_id: int) -> list[Happening]:
    return [
        Happening(
            at,
            "scan",
            parcel,
            _("Scan of %(number)s: %(status)s") % {"number": number, "status": word(PARCEL, status)},
            state=status,
            by=source,
            detail=" · ".join(part for part in (regions.scanned(place), raw if raw != status else "") if part),
        )
        for parcel, number, at, status, raw, place, source in bulk.fetch(
            """SELECT p.id, p.number, e.at, e.status, e.raw_status, e.place, e.source
               FROM shipping_parcel p JOIN shipping_trackingevent e ON e.parcel_id = p.id AND e.at >= p.announced_at - interval '60 days'
               WHERE p.order_id = %s""",
            (order_id,),
        )
    ]
