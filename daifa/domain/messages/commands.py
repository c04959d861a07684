"""Everything that may be done to messages and their templates. Telling a fact is `daifa.flows.tell_customers`.

Commands about messages of the loop join the caller's transaction, which holds the orders' locks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import pghistory
from django.db import transaction
from django.utils.translation import gettext as _

from daifa.domain.history.commands import Moved, move, record_births
from daifa.domain.messages import rules
from daifa.domain.messages.models import MessageTemplate
from daifa.domain.messages.process import KINDS, MESSAGE
from daifa.domain.policy.queries import screen
from daifa.domain.policy.words import Hit, refusal_of
from daifa.domain.stores.commands import close_tasks
from daifa.domain.stores.models import Store
from daifa.lib import bulk

TABLE = MESSAGE.table_name

# --- Queueing ---------------------------------------------------------------------------------------------------


class Telling(NamedTuple):
    """Tell the buyer of `order` about `thing` (the order or a parcel). `unwanted` = the reason not to, if there is one.

    `reserve` = so many messages of the order's cap are kept free for what matters more. `held` = the reason why a person
    must say first whether an otherwise good message goes.
    """

    order: int
    thing: int
    facts: rules.Facts
    store: int
    cap: int
    version: int = 1
    unwanted: str = ""
    reserve: int = 0
    held: str = ""


@dataclass(slots=True)
class Queued:
    """`queued` and `known` are things; `known` had been told or suppressed before. `suppressed`: thing → reason code."""

    queued: list[int] = field(default_factory=list)
    known: list[int] = field(default_factory=list)
    suppressed: dict[int, str] = field(default_factory=dict)


def queue_messages(kind: str, rows: Sequence[Telling], *, at: datetime, by: str) -> Queued:
    """Queue one message per row, or store why it is not sent. Each (kind, thing, version) is told once, ever.

    The caller has locked the orders, so nobody else writes messages about them meanwhile. Three statements, however
    many rows. The cap counts every message of an order that was not suppressed; a corrected tracking number is sent
    above it all the same, because the buyer holds a dead one.
    """
    if kind not in KINDS:
        raise ValueError(f"There is no message of the kind {kind}.")
    result = Queued()
    if not rows:
        return result
    told: set[tuple[int, int]] = set()
    count: Counter[int] = Counter()
    for order, of_kind, thing, version, state in bulk.fetch(
        f"SELECT order_id, kind, thing, version, state FROM {TABLE} WHERE order_id = ANY(%s::bigint[])",
        (list({row.order for row in rows}),),
    ):
        if of_kind == kind:
            told.add((thing, version))
        if state != "suppressed":
            count[order] += 1
    new: list[tuple[Telling, str, str]] = []
    for row in rows:
        key = (row.thing, row.version)
        if key in told:
            result.known.append(row.thing)
            continue
        told.add(key)
        reason = row.unwanted or rules.why_not(kind, row.facts, at)
        if not reason and count[row.order] + row.reserve >= row.cap and kind != "number_changed":
            reason = "cap"
        reason = reason or row.held
        if reason:
            result.suppressed[row.thing] = reason
            new.append((row, "suppressed", reason))
        else:
            count[row.order] += 1
            result.queued.append(row.thing)
            new.append((row, "queued", ""))
    if not new:
        return result
    ids = bulk.write_rows(
        TABLE,
        ("store_id", "order_id", "kind", "thing", "version", "state", "reason", "at"),
        [(row.store, row.order, kind, row.thing, row.version, state, reason, at) for row, state, reason in new],
    )
    for born in ("queued", "suppressed"):
        of_state = [id_ for id_, (_row, state, _reason) in zip(ids, new, strict=True) if state == born]
        record_births(MESSAGE, of_state, born, by=by, at=at)
    return result


# --- On their way -----------------------------------------------------------------------------------------------


def lock_queued(*, at: datetime, limit: int, local: bool | None) -> list[int]:
    """Lock up to `limit` queued messages that are due at `at`, oldest first; rows another hand holds are skipped.

    `local` True takes those of sample stores only, False those of all others, None both.
    """
    return [
        row[0]
        for row in bulk.fetch(
            f"""
            SELECT m.id FROM {TABLE} m JOIN stores_store s ON s.id = m.store_id
            WHERE m.state = 'queued' AND m.at <= %(at)s
              AND (%(local)s::boolean IS NULL OR s.is_sample = %(local)s::boolean)
            ORDER BY m.id LIMIT %(limit)s FOR NO KEY UPDATE OF m SKIP LOCKED
            """,
            {"at": at, "local": local, "limit": limit},
        )
    ]


def note(rows: Iterable[tuple[int, str]], *, due_at: dict[int, datetime | None] | None = None) -> None:
    """Store reasons (id, reason) of messages this transaction has moved; `due_at` says when to try again."""
    rows = list(rows)
    if not rows:
        return
    due_at = due_at or {}
    bulk.execute(
        f"""UPDATE {TABLE} m SET reason = n.reason, at = coalesce(n.due_at, m.at)
            FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[]) AS n (id, reason, due_at) WHERE m.id = n.id""",
        (
            [id_ for id_, _reason in rows],
            [reason[:200] for _id, reason in rows],
            [due_at.get(id_) for id_, _reason in rows],
        ),
    )


def start_sending(words: dict[int, tuple[str, str]], *, by: str, at: datetime) -> Moved:
    """Keep what is about to be sent (id → subject, text) and move to `sending`; commit before the call."""
    if not words:
        return Moved()
    bulk.execute(
        f"""UPDATE {TABLE} m SET subject = w.subject, body = w.body, reason = ''
            FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS w (id, subject, body) WHERE m.id = w.id""",
        (
            list(words),
            [subject for subject, _body in words.values()],
            [body for _subject, body in words.values()],
        ),
    )
    return move(MESSAGE, list(words), to="sending", by=by, at=at)


def suppress_queued(reasons: dict[int, str], *, by: str, at: datetime) -> Moved:
    """Queued or failed messages that are no longer wanted: id → reason."""
    if not reasons:
        return Moved()
    result = move(MESSAGE, list(reasons), to="suppressed", by=by, at=at)
    note((id_, reasons[id_]) for id_ in result.moved)
    return result


# --- By a person ------------------------------------------------------------------------------------------------


@transaction.atomic
def settle_messages(ids: Sequence[int], *, sent: bool, by: str, at: datetime) -> dict[int, str]:
    """A person says whether unknown messages went out. Not sent: they wait again. Returns id → why not, if refused."""
    wrong = _not_in(ids, ("unknown",), _("This message is not in doubt: nothing has to be settled."))
    moved = move(
        MESSAGE, [i for i in ids if i not in wrong], to="sent" if sent else "queued", by=by, at=at,
        set_at="sent_at" if sent else "at",
    )  # fmt: skip
    note([(id_, "was_sent" if sent else "not_sent") for id_ in moved.moved])
    close_tasks(kind="message_unknown", thing_kind="message", things=moved.moved, by=by, at=at)
    return wrong


@transaction.atomic
def retry_messages(ids: Sequence[int], *, by: str, at: datetime) -> dict[int, str]:
    """Put messages back in line that failed, or were held back after a restore. Returns id → why not, if refused."""
    held = {
        row[0]
        for row in bulk.fetch(
            f"""SELECT id FROM {TABLE} WHERE id = ANY(%s::bigint[]) AND state = 'suppressed' AND reason = 'restored'
                ORDER BY id FOR NO KEY UPDATE""",
            (list(ids),),
        )
    }
    wrong = _not_in(
        [id_ for id_ in ids if id_ not in held], ("failed",), _("Only a message that failed can be put back in line.")
    )
    moved = move(MESSAGE, [i for i in ids if i not in wrong], to="queued", by=by, at=at, set_at="at")
    note([(id_, "again") for id_ in moved.moved])
    close_tasks(kind="message_failed", thing_kind="message", things=moved.moved, by=by, at=at)
    return wrong


@transaction.atomic
def stop_messages(ids: Sequence[int], *, by: str, at: datetime) -> dict[int, str]:
    """Stop messages that wait or failed, for good. Returns id → why not, if refused."""
    wrong = _not_in(
        ids, ("queued", "failed"), _("This message does not wait any more and cannot be stopped.")
    )
    stopped = suppress_queued({id_: "by_hand" for id_ in ids if id_ not in wrong}, by=by, at=at)
    close_tasks(kind="message_failed", thing_kind="message", things=stopped.moved, by=by, at=at)
    return wrong


def _not_in(ids: Sequence[int], states: tuple[str, ...], sentence: str) -> dict[int, str]:
    """Lock the messages; id → `sentence` for each one that is in none of `states`."""
    right = {
        row[0]
        for row in bulk.fetch(
            f"SELECT id, state FROM {TABLE} WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE",
            (list(ids),),
        )
        if row[1] in states
    }
    return {id_: sentence for id_ in ids if id_ not in right}


# --- Templates --------------------------------------------------------------------------------------------------


class Words(NamedTuple):
    """A template to save. `store` None = for every store that has none of its own."""

    store: int | None
    kind: str
    language: str
    subject: str
    body: str
    is_active: bool = True


@dataclass(slots=True)
class Saved:
    """`ids` of the templates now stored; `refused`: place in the list given → sentences."""

    ids: list[int] = field(default_factory=list)
    refused: dict[int, list[str]] = field(default_factory=dict)


@transaction.atomic
def save_templates(rows: Sequence[Words], *, by: str, at: datetime) -> Saved:
    """Store templates, new or changed; a wrong one is refused with its sentences and does not stop the others."""
    result = Saved()
    with pghistory.context(by=by):
        for place, row in enumerate(rows):
            body = row.body.replace("\r\n", "\n")
            if wrong := rules.check_words(row.kind, row.language, row.subject, body) or restricted_words(row):
                result.refused[place] = wrong
                continue
            template, _made = MessageTemplate.objects.update_or_create(
                store_id=row.store, kind=row.kind, language=row.language,
                defaults={"subject": row.subject.strip(), "body": body, "is_active": row.is_active},
            )  # fmt: skip
            result.ids.append(template.pk)
    return result


def restricted_words(row: Words) -> list[str]:
    """The sentence why these words must not be told to buyers, if there is one: they go out by themselves."""
    return [sentence] if (sentence := refusal_of(hits_in(row))) else []


def hits_in(row: Words) -> list[Hit]:
    """Every restricted word in a template, also those that only ask a person to look."""
    own_site = row.store is not None and Store.objects.filter(pk=row.store, kind="own_site").exists()
    return [hit for of_text in screen([row.subject, row.body], own_site=own_site) for hit in of_text]


@transaction.atomic
def drop_templates(ids: Sequence[int], *, by: str, at: datetime) -> int:
    """Forget templates: the next wider one, in the end the built-in words, counts again. Returns how many."""
    with pghistory.context(by=by):
        return MessageTemplate.objects.filter(pk__in=list(ids)).delete()[0]
