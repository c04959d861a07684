"""Reminders of suppliers: what was written, sent, passed on or dropped. Who is reminded when: rules.next_step.

The caller holds the transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from daifa.domain.history.commands import move, record_births
from daifa.domain.purchasing.models import Chasing, Reminder, ReminderLine
from daifa.domain.purchasing.process import REMINDER
from daifa.domain.purchasing.rules import STEPS
from daifa.domain.sourcing.models import Supplier
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.lib import bulk
from daifa.lib.paging import Cursor
from daifa.lib.refusal import Refused

NEWEST = ("-id",)
OPEN_TASKS = ("reminder_to_send", "reminder_unknown")


class Asked(NamedTuple):
    """A purchase to ask for: the step, supplier units missing, its order's time for dispatch and what missing it costs."""

    purchase: int
    step: str
    units: int
    due_at: datetime | None
    stake: Decimal | None


@dataclass(frozen=True, slots=True)
class NewReminder:
    """A letter to be written down. `email` "" = a person passes it on."""

    store: int
    supplier: int
    email: str
    subject: str
    text: str
    asked: list[Asked] = field(default_factory=list)

    @property
    def due_at(self) -> datetime | None:
        return min((one.due_at for one in self.asked if one.due_at), default=None)

    @property
    def stake(self) -> Decimal | None:
        known = [one.stake for one in self.asked if one.stake is not None]
        return sum(known, Decimal(0)) if known else None


# --- Commands -----------------------------------------------------------------------------------------------------------


def write_reminders(letters: Sequence[NewReminder], *, by: str, at: datetime) -> list[int]:
    """Write letters down, to be sent; each that a person has to pass on becomes a task. Returns their ids."""
    if not letters:
        return []
    ids = bulk.write_rows(
        "purchasing_reminder",
        ("store_id", "supplier_id", "state", "step", "email", "subject", "text", "due_at", "stake", "at"),
        [
            (
                one.store, one.supplier, "due", max((x.step for x in one.asked), key=STEPS.index), one.email,
                one.subject[:160], one.text, one.due_at, one.stake, at,
            )
            for one in letters
        ],
    )  # fmt: skip
    bulk.copy_rows(
        "purchasing_reminderline",
        ("reminder_id", "purchase_order_id", "step", "units", "due_at", "stake"),
        [
            (id_, asked.purchase, asked.step, asked.units, asked.due_at, asked.stake)
            for id_, one in zip(ids, letters, strict=True)
            for asked in one.asked
        ],
    )
    record_births(REMINDER, ids, "due", by=by, at=at)
    by_hand = [id_ for id_, one in zip(ids, letters, strict=True) if not one.email]
    open_tasks([NewTask("reminder_to_send", **about) for about in _about(by_hand)], at=at)
    return ids


def start_sending(ids: Sequence[int], *, by: str, at: datetime) -> list[int]:
    """Those that go out now: said before they do, so that a crash in between is known."""
    return move(REMINDER, ids, to="sending", by=by, at=at).moved


def settle(ids: Sequence[int], state: str, answer: str, *, by: str, at: datetime) -> None:
    """What became of letters being sent: "sent", "unknown", or "due" (certainly not sent; `answer` says why)."""
    done = move(REMINDER, ids, to=state, by=by, at=at, reason=answer, set_at="sent_at" if state == "sent" else "").moved
    bulk.execute("UPDATE purchasing_reminder SET answer = %s WHERE id = ANY(%s::bigint[])", (answer[:300], done))
    if state == "unknown":
        open_tasks([NewTask("reminder_unknown", **about) for about in _about(done)], at=at)


def give_to_person(ids: Sequence[int], answer: str, *, at: datetime) -> None:
    """Letters that mail will not take: a person passes them on. `answer` says why."""
    bulk.execute(
        "UPDATE purchasing_reminder SET email = '', answer = %s WHERE id = ANY(%s::bigint[]) AND state = 'due'",
        (answer[:300], list(ids)),
    )
    open_tasks([NewTask("reminder_to_send", **about) for about in _about(ids)], at=at)


def pass_on(ids: Sequence[int], *, by: str, at: datetime) -> list[int]:
    """A person has passed them on, or knows that they arrived. Returns those that were still open."""
    done = move(REMINDER, ids, to="sent", by=by, at=at, set_at="sent_at").moved
    close_tasks(kind=OPEN_TASKS, thing_kind="reminder", things=done, by=by, at=at)
    return done


def drop(ids: Sequence[int], *, by: str, at: datetime, reason: str = "") -> list[int]:
    """They are not needed any more. Returns those that were still open."""
    done = move(REMINDER, ids, to="dropped", by=by, at=at, reason=reason).moved
    close_tasks(kind=OPEN_TASKS, thing_kind="reminder", things=done, by=by, at=at)
    return done


def call_person(ids: Sequence[int], *, at: datetime) -> int:
    """The supplier stays silent: a task about each of these (his last) reminders. Returns how many are new."""
    return open_tasks([NewTask("supplier_silent", **about) for about in _about(ids)], at=at)


def end_settled(*, by: str, at: datetime) -> int:
    """What nothing is missing of any more: letters not sent are dropped, their tasks closed. Returns how many dropped."""
    settled = """NOT EXISTS (
        SELECT FROM purchasing_reminderline l JOIN purchasing_purchaseorder p ON p.id = l.purchase_order_id
        WHERE l.reminder_id = r.id AND p.state = 'placed' AND p.units > p.shipped + p.rejected + p.cancelled)"""
    unsent = bulk.fetch(f"SELECT r.id FROM purchasing_reminder r WHERE r.state IN ('due', 'unknown') AND {settled}")
    dropped = drop([row[0] for row in unsent], by=by, at=at, reason="shipped or answered") if unsent else []
    tasks = bulk.fetch(
        f"""SELECT r.id FROM stores_task t JOIN purchasing_reminder r ON r.id = t.thing
            WHERE t.closed_at IS NULL AND t.thing_kind = 'reminder' AND t.kind = 'supplier_silent' AND {settled}"""
    )
    close_tasks(kind="supplier_silent", thing_kind="reminder", things=[row[0] for row in tasks], by=by, at=at)
    return len(dropped)


def set_chasing(*, supplier_id: int, way: str, hours_before: int, by: str, at: datetime) -> None:
    """Say how a supplier is reminded. Raises `Refused`."""
    if way not in dict(Chasing.WAYS):
        raise Refused(_("There is no way of reminding called %(way)s.") % {"way": way}, code="way_unknown", field="way")
    if not 1 <= hours_before <= 24 * 14:
        raise Refused(
            _("Hours before the time runs out lie between 1 and 336 (14 days)."), code="hours_invalid", field="hours_before"
        )
    Chasing.objects.update_or_create(supplier_id=supplier_id, defaults={"way": way, "hours_before": hours_before})


def _about(ids: Sequence[int]) -> list[dict[str, Any]]:
    """What a task about each of these reminders says."""
    return [
        {
            "store_id": store, "thing_kind": "reminder", "thing": id_, "params": {"supplier": name, "count": count},
            "stake": stake, "currency": currency if stake is not None else "", "due_at": due,
        }
        for id_, store, due, stake, currency, name, count in bulk.fetch(
            """SELECT r.id, r.store_id, r.due_at, r.stake, t.currency, s.name,
                      (SELECT count(*) FROM purchasing_reminderline l WHERE l.reminder_id = r.id)
               FROM purchasing_reminder r JOIN sourcing_supplier s ON s.id = r.supplier_id
               JOIN stores_store t ON t.id = r.store_id WHERE r.id = ANY(%s::bigint[]) ORDER BY r.id""",
            (list(ids),),
        )
    ]  # fmt: skip


# --- Queries ------------------------------------------------------------------------------------------------------------


def reminder_page(
    scope: Sequence[int], *, state: str | None = None, supplier_id: int | None = None, purchase_id: int | None = None,
    reminder_id: int | None = None, cursor: Cursor | None = None, limit: int = 50,
) -> list[dict[str, Any]]:  # fmt: skip
    """Reminders, newest first, with the number of purchases in each."""
    page, params, order = (cursor or Cursor(NEWEST)).sql({"id": "r.id"})
    where, values = ["r.store_id = ANY(%s::bigint[])"], [list(scope)]
    for condition, value in (
        ("r.state = %s", state), ("r.supplier_id = %s", supplier_id), ("r.id = %s", reminder_id),
        ("r.id IN (SELECT reminder_id FROM purchasing_reminderline WHERE purchase_order_id = %s)", purchase_id),
    ):  # fmt: skip
        if value is not None:
            where.append(condition)
            values.append(value)
    rows = bulk.fetch_dicts(
        f"""SELECT r.id, r.store_id, r.supplier_id, s.name AS supplier, s.code AS supplier_code, r.state, r.step, r.email,
                   r.subject, r.text, r.due_at, r.stake, t.currency, r.at, r.sent_at,
                   (SELECT count(*) FROM purchasing_reminderline l WHERE l.reminder_id = r.id) AS purchases
            FROM purchasing_reminder r JOIN sourcing_supplier s ON s.id = r.supplier_id
            JOIN stores_store t ON t.id = r.store_id
            WHERE {" AND ".join(where)} AND {page} ORDER BY {order} LIMIT %s""",
        [*values, *params, limit],
    )
    return (cursor or Cursor(NEWEST)).forwards(rows)


def reminder_with(scope: Sequence[int], reminder_id: int) -> Reminder | None:
    """One reminder with its supplier; None outside the scope."""
    return Reminder.objects.filter(store_id__in=list(scope), pk=reminder_id).select_related("supplier", "store").first()


def lines_of(reminder_id: int) -> list[ReminderLine]:
    """The purchases named in a reminder, the soonest due first."""
    return list(
        ReminderLine.objects.filter(reminder_id=reminder_id)
        .select_related("purchase_order__order")
        .order_by("due_at", "purchase_order__reference")
    )


def chasing_of(supplier: Supplier) -> Chasing:
    """How a supplier is reminded: as somebody said, else by mail half a day before (not stored)."""
    return Chasing.objects.filter(supplier=supplier).first() or Chasing(supplier=supplier)
