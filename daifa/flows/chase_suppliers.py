"""Chase: suppliers are asked for what they have not shipped before an order's time for dispatch runs out, and after.

One letter a supplier and store, with our references only: no buyer is in it. Who is asked when says
`purchasing.rules.next_step`; one who stays silent becomes a task for a person. The same letter is never sent twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from daifa.domain.compliance.dispatch_times import KINDS
from daifa.domain.history.commands import retried
from daifa.domain.purchasing import reminders
from daifa.domain.purchasing.rules import STEPS, Waiting, next_step
from daifa.domain.stores.commands import NewTask, open_tasks
from daifa.domain.stores.queries import installation, may_act_outward
from daifa.lib import bulk, mail
from daifa.lib.alone import alone

LOCK = "daifa.chase_suppliers"
MOST_IN_A_LETTER = 500


class _Open(NamedTuple):
    """A placed purchase that is not shipped whole, with what has been asked about it."""

    id: int
    store: int
    supplier: int
    reference: str
    theirs: str
    units: int
    placed_at: datetime
    promised_at: datetime | None
    due_at: datetime | None
    stake: Decimal | None
    reminded: int
    last_at: datetime | None
    last: int | None
    unsent: bool


def chase_suppliers(*, at: datetime, by: str = "job:chase_suppliers") -> dict[str, int]:
    """Write what is due now, send what goes by mail. Never call it inside a transaction.

    Returns counts: purchases asked for (`asked`), letters `sent`, `unknown`, `by_person`, and suppliers `silent`.
    """
    counts: Counter[str] = Counter()
    if not may_act_outward(at):
        return dict(counts)
    with alone(LOCK) as mine:
        if mine:
            _own_leftovers(by=by, at=at)
            retried(lambda: reminders.end_settled(by=by, at=at))
            retried(lambda: _write(counts, by=by, at=at))
            _send(counts, by=by, at=at)
    return dict(counts)


def _own_leftovers(*, by: str, at: datetime) -> None:
    """Nobody else sends now: whatever is in `sending` was left by a process that died. What lies in the folder was sent."""
    left = [row[0] for row in bulk.fetch("SELECT id FROM purchasing_reminder WHERE state = 'sending' ORDER BY id")]
    if not left:
        return
    with mail.Folder() as folder, transaction.atomic():
        sent = [id_ for id_ in left if folder.has(_key(id_))]
        reminders.settle(sent, "sent", "", by=by, at=at)
        doubtful = [id_ for id_ in left if id_ not in sent]
        reminders.settle(doubtful, "unknown", _("The program ended while the letter was being sent."), by=by, at=at)


def _key(id_: int) -> str:
    copy = installation()
    return f"reminder-{id_}.{copy.uuid.hex[:10] if copy else 'local'}"


# --- What is due ----------------------------------------------------------------------------------------------------------

# Purchases whose order's time runs out within the lead of their supplier, and those past the supplier's own promise.
_WAITING = """
WITH due AS (
    SELECT p.id FROM compliance_clock c JOIN purchasing_purchaseorder p ON p.order_id = c.order_id
    LEFT JOIN purchasing_chasing h ON h.supplier_id = p.supplier_id
    WHERE c.acts AND c.thing_kind = 'order' AND c.kind = ANY(%(kinds)s::text[])
      AND c.due_at <= %(at)s + coalesce(h.hours_before, %(usual)s) * interval '1 hour'
      AND p.state = 'placed' AND p.units > p.shipped + p.rejected + p.cancelled
    UNION
    SELECT p.id FROM purchasing_purchaseorder p
    WHERE p.state = 'placed' AND p.ship_due_at <= %(at)s AND p.units > p.shipped + p.rejected + p.cancelled)
SELECT p.id, p.store_id, p.supplier_id, p.reference, p.their_reference, p.units - p.shipped - p.rejected - p.cancelled,
       p.placed_at, p.ship_due_at, c.due_at, c.stake, coalesce(r.count, 0), r.last_at, r.last, coalesce(r.unsent, false)
FROM due JOIN purchasing_purchaseorder p ON p.id = due.id
LEFT JOIN LATERAL (
    SELECT c.due_at, c.stake FROM compliance_clock c
    WHERE c.order_id = p.order_id AND c.acts AND c.thing_kind = 'order' AND c.kind = ANY(%(kinds)s::text[])
    ORDER BY c.due_at, c.stake DESC NULLS LAST LIMIT 1) c ON true
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE m.state <> 'dropped') AS count, max(coalesce(m.sent_at, m.at)) AS last_at,
           max(m.id) AS last, bool_or(m.state = 'due') AS unsent
    FROM purchasing_reminderline l JOIN purchasing_reminder m ON m.id = l.reminder_id
    WHERE l.purchase_order_id = p.id) r ON true
WHERE p.placed_at IS NOT NULL
ORDER BY p.store_id, p.supplier_id, c.due_at NULLS LAST, p.id"""


def _write(counts: Counter[str], *, by: str, at: datetime) -> None:
    usual = reminders.Chasing._meta.get_field("hours_before").default
    rows = [_Open(*row) for row in bulk.fetch(_WAITING, {"kinds": list(KINDS), "at": at, "usual": usual})]
    if not rows:
        return
    suppliers = _suppliers(sorted({row.supplier for row in rows}))
    stores = _stores(sorted({row.store for row in rows}))
    asked: dict[tuple[int, int], list[tuple[_Open, str]]] = {}
    silent: set[int] = set()
    for row in rows:
        supplier = suppliers[row.supplier]
        if supplier["way"] == "off" or row.unsent:
            continue
        step = next_step(
            Waiting(row.placed_at, row.promised_at, row.due_at, row.reminded, row.last_at), at=at,
            before=timedelta(hours=supplier["hours_before"]),
        )  # fmt: skip
        if step == "silent" and row.last is not None:
            silent.add(row.last)
        elif step in STEPS:
            asked.setdefault((row.store, row.supplier), []).append((row, step))
    letters = [
        _letter(stores[store], suppliers[supplier], found[start : start + MOST_IN_A_LETTER])
        for (store, supplier), found in asked.items()
        for start in range(0, len(found), MOST_IN_A_LETTER)
    ]
    reminders.write_reminders(letters, by=by, at=at)
    counts["asked"] += sum(len(one.asked) for one in letters)
    counts["by_person"] += sum(not one.email for one in letters)
    counts["silent"] += reminders.call_person(sorted(silent), at=at) if silent else 0


def _suppliers(ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    usual = reminders.Chasing._meta.get_field("hours_before").default
    return {
        row["id"]: row
        for row in bulk.fetch_dicts(
            """SELECT s.id, s.name, s.email, s.delivery, s.language, coalesce(h.way, 'mail') AS way,
                      coalesce(h.hours_before, %s) AS hours_before
               FROM sourcing_supplier s LEFT JOIN purchasing_chasing h ON h.supplier_id = s.id
               WHERE s.id = ANY(%s::bigint[])""",
            (usual, list(ids)),
        )
    }


def _stores(ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    rows = bulk.fetch_dicts("SELECT id, name, timezone FROM stores_store WHERE id = ANY(%s::bigint[])", (list(ids),))
    return {row["id"]: row for row in rows}


def _letter(store: dict[str, Any], supplier: dict[str, Any], found: list[tuple[_Open, str]]) -> reminders.NewReminder:
    """The letter in the supplier's language. Times are the store's; the buyers are nobody's business here."""
    by_mail = supplier["way"] == "mail" and supplier["delivery"] == "mail" and supplier["email"]
    zone = ZoneInfo(store["timezone"])
    with translation.override(supplier["language"] or "zh-hans"):
        said = {
            "soon": _("the time for dispatch runs out on %(when)s"),
            "promise": _("you promised to ship it by %(when)s"),
            "late": _("the time for dispatch ran out on %(when)s"),
        }
        lines = []
        for row, step in found:
            when = row.promised_at if step == "promise" else row.due_at
            name = f"{row.reference} ({row.theirs})" if row.theirs else row.reference
            units = ngettext("%(count)d unit missing", "%(count)d units missing", row.units) % {"count": row.units}
            why = said[step] % {"when": f"{when.astimezone(zone):%Y-%m-%d %H:%M}" if when else "–"}
            lines.append(f"{name}: {units}; {why}")
        subject = ngettext(
            "%(store)s: please ship %(count)d purchase order", "%(store)s: please ship %(count)d purchase orders", len(found)
        ) % {"store": store["name"], "count": len(found)}
        text = "\n".join([
            _("Hello %(supplier)s,") % {"supplier": supplier["name"]}, "",
            _("please ship these purchase orders and send us the tracking numbers. What you cannot ship, refuse at once, so "
              "that it can be ordered elsewhere."), "",
            *lines, "",
            _("Times are those of %(zone)s.") % {"zone": store["timezone"]}, "", store["name"], "",
        ])  # fmt: skip
    return reminders.NewReminder(
        store["id"], supplier["id"], supplier["email"] if by_mail else "", subject, text,
        [reminders.Asked(row.id, step, row.units, row.due_at, row.stake) for row, step in found],
    )


# --- Sending --------------------------------------------------------------------------------------------------------------


def _send(counts: Counter[str], *, by: str, at: datetime) -> None:
    """Mail what waits. Sample stores and addresses that nobody can have go into the local mail folder."""
    waiting = bulk.fetch(
        """SELECT r.id, r.email, r.subject, r.text, t.name, t.is_sample, s.language
           FROM purchasing_reminder r JOIN stores_store t ON t.id = r.store_id JOIN sourcing_supplier s ON s.id = r.supplier_id
           WHERE r.state = 'due' AND r.email <> '' ORDER BY r.id"""
    )
    if not waiting:
        return
    try:
        with ExitStack() as open_ways:
            folder = open_ways.enter_context(mail.Folder())
            server = None
            for id_, email, subject, text, name, is_sample, language in waiting:
                local = is_sample or not mail.has_server() or not mail.is_reachable(email)
                if not local and server is None:
                    server = open_ways.enter_context(mail.Smtp())  # before anything is said to be on its way
                with transaction.atomic():
                    if not reminders.start_sending([id_], by=by, at=at):
                        continue
                letter = mail.Letter(_key(id_), email, subject, text, at, name, language=language)
                _send_one(id_, folder if local else server, letter, counts, by=by, at=at)
    except mail.Unusable as error:
        open_tasks([NewTask(kind="mail_not_working", params={"code": error.code})], at=at)


def _send_one(
    id_: int, way: mail.Folder | mail.Smtp, letter: mail.Letter, counts: Counter[str], *, by: str, at: datetime
) -> None:
    """Send one letter and keep what became of it. Raises Unusable after keeping it."""
    state, answer, broken, refused = "sent", "", None, False
    try:
        way.send(letter)
    except mail.NoAnswer as error:
        state, answer, broken = "unknown", str(error), mail.Unusable(str(error))
    except mail.Unusable as error:
        state, answer, broken = "due", str(error), error
    except mail.MailError as error:
        state, answer, refused = "due", str(error), isinstance(error, mail.Refused)
    with transaction.atomic():
        reminders.settle([id_], state, answer, by=by, at=at)
        if refused:
            reminders.give_to_person([id_], answer, at=at)
    counts["by_person" if refused else "later" if state == "due" else state] += 1
    if broken:
        raise broken
