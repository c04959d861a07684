"""Telling buyers: the reactions queue a message when a fact asks for one, `send_messages` carries the queue out.

A reaction writes a narrow row and no words: what the message says is decided when it leaves, with the newest number and
address. Sending keeps an intent, commits, sends, keeps the result. What was being sent when a process died is in doubt:
a person settles it, it is never sent again by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from daifa.domain.history.commands import move
from daifa.domain.messages import commands, queries, rules
from daifa.domain.messages.process import MESSAGE
from daifa.domain.orders.commands import lock_orders, lock_orders_of
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.queries import installation, why_not_outward
from daifa.lib import bulk, mail
from daifa.lib.alone import alone

# --- Reactions --------------------------------------------------------------------------------------------------


def tell_order_received(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Orders that were received and paid."""
    lock_orders(things)
    _queue("order_received", queries.tellings("order_received", things), at=at, by=by)
    return {}


def tell_dispatched(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Parcels that were handed over."""
    return _tell_of_parcels("dispatched", things, at=at, by=by)


def tell_in_transit(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Parcels that moved for the first time."""
    return _tell_of_parcels("in_transit", things, at=at, by=by)


def tell_delayed(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Parcels that count as late."""
    return _tell_of_parcels("delayed", things, at=at, by=by)


def tell_delivered(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Parcels that were delivered."""
    return _tell_of_parcels("delivered", things, at=at, by=by)


def tell_number_changed(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Parcels whose number was replaced: one correction for each new number, unless the buyer never saw the old one."""
    lock_orders_of("shipping_parcel", things)
    corrections = queries.corrections(things)
    rows = [
        row._replace(version=corrections[row.thing].version, unwanted=corrections[row.thing].unwanted)
        for row in queries.tellings("number_changed", list(corrections))
    ]
    commands.queue_messages("number_changed", rows, at=at, by=by)
    return {}


def invite_review(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Parcels that were delivered: one invitation for each order of which nothing is left to deliver."""
    lock_orders_of("shipping_parcel", things)
    orders = queries.fully_delivered_orders(things)
    _queue("review", queries.tellings("review", orders), at=at, by=by)
    return {}


def _tell_of_parcels(kind: str, things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    # What is suppressed is kept as a message with its reason, so the engine has nothing of its own to keep.
    lock_orders_of("shipping_parcel", things)
    _queue(kind, queries.tellings(kind, things), at=at, by=by)
    return {}


def _queue(kind: str, rows: list[commands.Telling], *, at: datetime, by: str) -> None:
    """Queue; where a restored copy holds messages back, one task a store asks a person to let them go or leave them."""
    done = commands.queue_messages(kind, rows, at=at, by=by)
    stores = {row.store for row in rows if done.suppressed.get(row.thing) == "restored"}
    if stores:
        open_tasks([NewTask("messages_held_back", store, "store", store) for store in sorted(stores)], at=at)


# --- Sending ----------------------------------------------------------------------------------------------------

CLAIM_SERVER = 20  # so many may be in doubt when a process dies
CLAIM_FOLDER = 200  # a folder can be asked afterwards
_LOCK = "daifa.send_messages"


@dataclass(slots=True)
class Sweep:
    """What one sweep did. `stopped` is "" or the sentence why it ended before the queue was empty."""

    sent: int = 0
    failed: int = 0
    later: int = 0  # the server asked to be tried later
    unknown: int = 0
    suppressed: int = 0
    stopped: str = ""

    @property
    def done(self) -> int:
        """How many messages came further; 0 = there was nothing to do, or nothing could be done."""
        return self.sent + self.failed + self.later + self.unknown + self.suppressed


def send_messages(*, at: datetime, by: str = "job:send_messages", limit: int = 1000) -> int:
    """Send up to `limit` queued messages that are due; returns how many messages moved. See `sweep_messages`."""
    return sweep_messages(at=at, by=by, limit=limit).done


def sweep_messages(*, at: datetime, by: str = "job:send_messages", limit: int = 1000) -> Sweep:
    """Send up to `limit` queued messages that are due. Never call it inside a transaction.

    One sweep at a time, on one connection to the mail server. Sample stores, addresses that nobody can have, and every
    store where SMTP_HOST is not set get their letters in the local mail folder.
    """
    sweep = Sweep(stopped=why_not_outward(at))
    if sweep.stopped:
        return sweep
    with alone(_LOCK) as mine:
        if not mine:
            sweep.stopped = _("Another process is sending messages.")
            return sweep
        try:
            with mail.Folder() as folder:
                _doubt_interrupted(folder, sweep, by=by, at=at)
                if not mail.has_server():
                    _send_all(folder, folder, None, sweep, by=by, at=at, limit=limit)
                    return sweep
                _send_all(folder, folder, True, sweep, by=by, at=at, limit=limit)
                if _is_waiting(at):  # connect before anything is claimed
                    with mail.Smtp() as server:
                        _send_all(server, folder, False, sweep, by=by, at=at, limit=limit)
                    close_tasks(kind="mail_not_working", things=[0], by=by, at=at)
        except mail.Unusable as error:
            sweep.stopped = _in_words(error)
            if not sweep.sent:
                open_tasks([NewTask(kind="mail_not_working", params={"code": error.code})], at=at)
    return sweep


def _in_words(error: mail.Unusable) -> str:
    return _("Mail cannot be sent now: %(why)s") % {
        "why": f"{error} ({error.code})" if error.code else str(error)
    }


def _is_waiting(at: datetime) -> bool:
    return bulk.fetch(
        f"""SELECT EXISTS (SELECT FROM {commands.TABLE} m JOIN stores_store s ON s.id = m.store_id
            WHERE m.state = 'queued' AND m.at <= %s AND NOT s.is_sample)""",
        (at,),
    )[0][0]  # fmt: skip


def _key(id_: int, copy: str) -> str:
    return f"buyer-{id_}.{copy}"


def _copy() -> str:
    """Ten characters of this installation's own id: two installations never make the same Message-ID."""
    row = installation()
    return row.uuid.hex[:10] if row else "local"


def _doubt_interrupted(folder: mail.Folder, sweep: Sweep, *, by: str, at: datetime) -> None:
    """Nobody else sends now, so whatever is in `sending` was left by a process that died.

    A letter that lies in the folder was sent. Of the others nobody knows.
    """
    with transaction.atomic(durable=True):
        left = [
            row[0]
            for row in bulk.fetch(
                f"""SELECT id FROM {commands.TABLE} WHERE state = 'sending'
                    ORDER BY id FOR NO KEY UPDATE"""
            )
        ]
        if left:
            copy = _copy()
            found = [id_ for id_ in left if folder.has(_key(id_, copy))]
            sweep.sent += len(move(MESSAGE, found, to="sent", by=by, at=at, set_at="sent_at").moved)
            _doubt([id_ for id_ in left if id_ not in set(found)], "interrupted", sweep, by=by, at=at)


def _doubt(ids: list[int], reason: str, sweep: Sweep, *, by: str, at: datetime) -> None:
    """Messages being sent become unknown, each with a task for a person."""
    moved = move(MESSAGE, ids, to="unknown", by=by, at=at).moved
    if not moved:
        return
    commands.note((id_, reason) for id_ in moved)
    _ask_a_person("message_unknown", moved, at=at)
    sweep.unknown += len(moved)


def _ask_a_person(task: str, ids: list[int], *, at: datetime) -> None:
    """A task about each message. It names the order and the kind of message, never the buyer."""
    rows = bulk.fetch(
        f"""SELECT m.id, m.store_id, m.kind, m.reason, o.number FROM {commands.TABLE} m
            JOIN orders_order o ON o.id = m.order_id WHERE m.id = ANY(%s::bigint[])""",
        (ids,),
    )
    open_tasks(
        (
            NewTask(
                kind=task, store_id=store, thing_kind="message", thing=id_,
                params={"number": number, "kind": kind, "reason": reason},
            )
            for id_, store, kind, reason, number in rows
        ),
        at=at,
    )  # fmt: skip


def _send_all(
    transport: mail.Folder | mail.Smtp, folder: mail.Folder, local: bool | None, sweep: Sweep, *, by: str, at: datetime,
    limit: int,
) -> None:  # fmt: skip
    """Claim, send, keep the result, until nothing is due or `limit` messages are done."""
    copy = _copy()
    size = CLAIM_SERVER if isinstance(transport, mail.Smtp) else CLAIM_FOLDER
    while (room := limit - sweep.done) > 0:
        with transaction.atomic(durable=True):
            ids = commands.lock_queued(at=at, limit=min(size, room), local=local)
            if not ids:
                return
            ready = queries.written(ids, at=at)
            commands.suppress_queued({row.id: row.unwanted for row in ready if row.unwanted}, by=by, at=at)
            ready = [row for row in ready if not row.unwanted]
            commands.start_sending({row.id: (row.subject, row.body) for row in ready}, by=by, at=at)
        sweep.suppressed += len(ids) - len(ready)
        _send_claimed(ready, copy, transport, folder, sweep, by=by, at=at)


def _send_claimed(
    ready: list[queries.Ready], copy: str, transport: mail.Folder | mail.Smtp, folder: mail.Folder, sweep: Sweep, *,
    by: str, at: datetime,
) -> None:  # fmt: skip
    """Send what has been claimed and keep what became of it. Raises Unusable after keeping it."""
    sent: list[int] = []
    doubtful: list[int] = []
    failed: dict[int, str] = {}
    later: dict[int, tuple[str, datetime | None]] = {}
    broken: mail.Unusable | None = None
    for place, row in enumerate(ready):
        letter = mail.Letter(
            _key(row.id, copy), row.to, row.subject, row.body, at, row.from_name, row.reply_to, row.language
        )
        # Whatever the caller chose: a sample store or an address that nobody can have never reaches a mail server.
        way = transport if not row.is_sample and mail.is_reachable(row.to) else folder
        try:
            way.send(letter)
            sent.append(row.id)
        except mail.Refused as error:
            failed[row.id] = f"refused:{error.code}" if error.code else "refused"
        except mail.TryLater:
            tries = rules.tries_in(row.reason) + 1
            due = rules.next_try(tries, at)
            if due is None:
                failed[row.id] = "gave_up"
            else:
                later[row.id] = (f"later:{tries}", due)
        except mail.NoAnswer as error:
            doubtful.append(row.id)
            broken = mail.Unusable(str(error))
        except mail.Unusable as error:
            broken = error
        if broken:
            # This one (unless in doubt) and the rest were certainly not sent.
            later |= {left.id: (left.reason, None) for left in ready[place:] if left.id not in doubtful}
            break
    with transaction.atomic(durable=True):
        sweep.sent += len(move(MESSAGE, sent, to="sent", by=by, at=at, set_at="sent_at").moved)
        refused = move(MESSAGE, list(failed), to="failed", by=by, at=at).moved
        waiting = move(MESSAGE, list(later), to="queued", by=by, at=at).moved
        commands.note(
            [*((id_, failed[id_]) for id_ in refused), *((id_, later[id_][0]) for id_ in waiting)],
            due_at={id_: later[id_][1] for id_ in waiting},
        )
        if refused:
            _ask_a_person("message_failed", refused, at=at)
        sweep.failed += len(refused)
        sweep.later += sum(1 for id_ in waiting if later[id_][1])
        _doubt(doubtful, "no_answer", sweep, by=by, at=at)
    if broken:
        raise broken
