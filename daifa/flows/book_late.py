"""Money that moves after an archived store's books were locked for good.

A refund, a parcel or a cancellation that is heard of then is set aside (`flows.react`) and becomes a task of the store.
Its owner books it as of today, with a reason: for that moment the books are open from today on, so that nothing that
stands in them changes; what it leaves between us and the channel goes through the bank; then they are locked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from daifa.domain.books import commands as books
from daifa.domain.books import queries as book_queries
from daifa.domain.books.rules import BANK, EXCHANGE, RECEIVABLE, Leg, merged
from daifa.domain.closing import queries as closing_queries
from daifa.domain.stores.commands import NewTask, close_tasks
from daifa.domain.stores.models import Store
from daifa.flows import by_hand
from daifa.flows.reactions import by_name
from daifa.flows.reads.late_entries import REACTIONS, Late, waiting
from daifa.lib import bulk
from daifa.lib.money import rounded
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _


@transaction.atomic
def book_late(*, store_id: int, reason: str, by: str, at: datetime) -> int:
    """Book what waits in an archived store as of today. Raises `Refused`; returns how many facts were booked."""
    if not reason.strip():
        raise Refused(_("Say why it is booked now: the reason stands in the books."), code="reason_missing", field="reason")
    store = Store.objects.select_for_update(of=("self",)).get(pk=store_id)
    rows = waiting([store_id])
    # A row that another hand takes back into line meanwhile is not ours.
    ours = {
        row[0]
        for row in bulk.fetch(
            "SELECT id FROM history_pendingreaction WHERE id = ANY(%s::bigint[]) AND state = 'parked' ORDER BY id FOR UPDATE",
            ([row.pending_id for row in rows],),
        )
    }
    rows = [row for row in rows if row.pending_id in ours]
    if not rows:
        raise Refused(_("Nothing waits to be booked in this store."), code="nothing_waits")
    today = at.astimezone(ZoneInfo(store.timezone)).date()
    books.unlock_books(store_id=store_id, until=today - timedelta(days=1), reason=reason, by=by, at=at)
    bulk.execute("DELETE FROM history_pendingreaction WHERE id = ANY(%s::bigint[])", (sorted(ours),))
    for name in REACTIONS:
        if things := [row.thing for row in rows if row.reaction == name]:
            by_name()[name].load()(things, at=at, by=by)
    _settle(store, reason.strip(), by=by, at=at)
    books.lock_books(store_id=store_id, until=books.FOR_GOOD, reason=reason, by=by, at=at)
    _close(rows, by=by, at=at)
    return len(rows)


def _settle(store: Store, reason: str, *, by: str, at: datetime) -> None:
    """What the late facts leave owed between the channel and us is paid through the bank: there is nobody to wait for."""
    home, today = store.currency, at.astimezone(ZoneInfo(store.timezone)).date()
    legs: list[Leg] = []
    for due in closing_queries.proceeds_due(store.pk):
        if not due.amount:
            continue
        value = due.amount
        if due.currency != home:
            rate = book_queries.rate_on(due.currency, home, today)
            if rate is None:
                raise Refused(
                    _("The books know no rate from %(currency)s to %(home)s for %(date)s: enter it under exchange rates, then book it.")
                    % {"currency": due.currency, "home": home, "date": today},
                    code="rate_missing",
                )  # fmt: skip
            value = rounded(due.amount * rate.rate, home)
            legs += [(EXCHANGE, due.currency, due.amount), (EXCHANGE, home, -value)]
        legs += [(RECEIVABLE, due.currency, -due.amount), (BANK, home, value)]
    if not legs:
        return
    newest = bulk.fetch("SELECT max(id) FROM books_entry WHERE store_id = %s", (store.pk,))[0][0]
    books.post_entries([books.NewEntry(store.pk, "late_settled", newest, at, merged(legs), memo=reason[:200])], by=by)


def let_go(rows: Sequence[Late], *, by: str, at: datetime) -> int:
    """The books are open again: what waited is tried by itself. Returns how many."""
    if not rows:
        return 0
    count = by_hand.retry_parked(ids=[row.pending_id for row in rows], by=by, at=at)
    _close(rows, by=by, at=at)
    return count


def _close(rows: Sequence[Late], *, by: str, at: datetime) -> None:
    for name in {row.reaction for row in rows}:
        things = [row.thing for row in rows if row.reaction == name]
        close_tasks(kind=("late_money", "reaction_parked"), thing_kind=name, things=things, by=by, at=at)


def task_of(row: Late, store: str) -> NewTask:
    """What the owner is asked when a fact could not be booked any more."""
    return NewTask(
        "late_money", store_id=row.store_id, thing_kind=row.reaction, thing=row.thing, stake=row.amount, currency=row.currency,
        params={"store": store, "number": row.order_number},
    )  # fmt: skip
