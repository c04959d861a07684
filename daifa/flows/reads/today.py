"""Today: what needs a person, by time and money at stake. The first page, and `tasks/today` of the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from daifa.domain.orders.process import HOLDS
from daifa.domain.stores.queries import open_tasks_of
from daifa.lib import bulk

# What a task says, and what to do about it. `%(…)s` are filled from the task's params; a missing one stays a dash.
TASKS: dict[str, tuple[str, str]] = {
    "purchase_unknown": (
        N_("Nobody knows whether purchase order %(reference)s reached the supplier"),
        N_("Ask the supplier, then say on the purchase order whether it was placed. Nothing is sent again by itself."),
    ),
    "run_unknown": (
        N_("Nobody knows whether workbook %(name)s was sent"),
        N_("Look in the mail account or ask the supplier, then say on the run whether it was sent."),
    ),
    "run_refused": (
        N_("Workbook %(name)s was refused by the mail server"),
        N_("Correct the supplier's address or download the workbook and send it yourself."),
    ),
    "run_without_address": (
        N_("Workbook %(name)s has no address to go to"),
        N_("Enter the supplier's e-mail for purchases, or download the workbook and confirm it."),
    ),
    "supplier_needs_person": (
        N_("A supplier's system asks for a person: %(sentence)s"),
        N_("Log in there, put right what it asks for, then let the purchases be placed again."),
    ),
    "order_changed": (
        N_("The channel changed order %(number)s after it was purchased"),
        N_("Compare both versions on the order and tell the supplier if it is not too late."),
    ),
    "order_cancelled": (
        N_("Order %(number)s was cancelled after it was purchased"),
        N_("Ask the supplier to stop it; what cannot be stopped comes back as a return."),
    ),
    "parcel_late": (N_("Parcel %(number)s is late"), N_("Ask the carrier or the supplier where it is.")),
    "parcel_lost": (
        N_("Parcel %(number)s counts as lost"),
        N_("Claim it from the supplier or the carrier, then refund the buyer or send it again."),
    ),
    "parcel_returned": (
        N_("Parcel %(number)s went back to the sender"),
        N_("Ask the buyer for a better address, or refund."),
    ),
    "message_unknown": (
        N_("Nobody knows whether a message to the buyer of order %(number)s was sent"),
        N_("Look in the mail account, then say on the message whether it was sent."),
    ),
    "message_failed": (
        N_("A message to the buyer of order %(number)s could not be delivered"),
        N_("Correct the address on the order and send it again, or leave it."),
    ),
    "mapping_broken": (
        N_("The link of %(sku)s to a supplier's SKU is broken"),
        N_("Name the right supplier SKU; until then its orders are held."),
    ),
    "refund_unmatched": (
        N_("Credit %(number)s matches no order"),
        N_("Look at the refund and name its order if there is one."),
    ),
    "reply_row": (
        N_("A row of a supplier's reply matches nothing"),
        N_("Open the import and correct the row, or leave it out."),
    ),
    "import_stopped": (N_("The import of %(name)s stopped half-way"), N_("Open it and let it go on.")),
    "quarantined": (
        N_("This copy is quarantined: nothing leaves it"),
        N_("Ask the suppliers by our references first, then release it on the page of this installation."),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Todo:
    """Something a person must look at. `count` things of one kind in one store; `stake` in `currency` where known.

    `task_id` is set for single tasks (which a person may dismiss); groups end when their things do.
    """

    kind: str
    sentence: str
    advice: str
    store_id: int | None
    opened_at: datetime
    count: int = 1
    stake: Decimal | None = None
    currency: str = ""
    due_at: datetime | None = None
    thing_kind: str = ""
    thing: int = 0
    task_id: int | None = None


class _Dashes(dict):
    def __missing__(self, key: str) -> str:
        return "–"


def task_words(kind: str, params: dict[str, Any]) -> tuple[str, str]:
    """(sentence, advice) of a task in the reader's language; a kind without words says its name."""
    sentence, advice = TASKS.get(kind, ("", ""))
    if not sentence:
        return kind.replace("_", " "), ""
    return _(sentence) % _Dashes(params), _(advice)


def today(scope: Sequence[int], *, shared: bool = False, at: datetime, limit: int = 200) -> list[Todo]:
    """What needs a person in these stores: what is due soonest first, then by money, then the oldest.

    `shared` adds what belongs to no single store: ask it only for people who may see all of them.
    """
    todos = []
    for task in open_tasks_of(scope, also_shared=shared, limit=limit):
        sentence, advice = task_words(task.kind, task.params)
        todos.append(
            Todo(
                kind=task.kind,
                sentence=sentence,
                advice=advice,
                store_id=task.store_id,
                opened_at=task.opened_at,
                stake=task.stake,
                currency=task.currency,
                due_at=task.due_at,
                thing_kind=task.thing_kind,
                thing=task.thing,
                task_id=task.id,
            )
        )
    todos += _held(scope)
    todos += _to_download(scope)
    todos += _refused_rows(scope, shared)
    if shared:
        todos += _parked()
    far = datetime.max.replace(tzinfo=at.tzinfo)
    todos.sort(key=lambda todo: (todo.due_at or far, -(todo.stake or 0), todo.opened_at))
    return todos[:limit]


def _held(scope: Sequence[int]) -> list[Todo]:
    chinese = int((get_language() or "").startswith("zh"))
    return [
        Todo(
            kind="held",
            sentence=_("%(count)d orders held: %(reason)s")
            % {"count": count, "reason": HOLDS.get(reason, (reason, reason))[chinese]},
            advice=_("Open them, put right what is missing, and release them."),
            store_id=store,
            opened_at=since,
            count=count,
            stake=stake,
            currency=currency,
            due_at=due,
            thing_kind="hold",
            thing=0,
        )
        for store, reason, currency, count, stake, due, since in bulk.fetch(
            """SELECT o.store_id, h.reason, o.currency, count(DISTINCT o.id), sum(o.total_amount), min(o.ship_by_at),
                      min(h.opened_at)
               FROM (SELECT order_id, reason, min(opened_at) AS opened_at FROM orders_hold WHERE released_at IS NULL
                     GROUP BY 1, 2) h
               JOIN orders_order o ON o.id = h.order_id WHERE o.store_id = ANY(%s::bigint[])
               GROUP BY 1, 2, 3""",
            (list(scope),),
        )
    ]


def _to_download(scope: Sequence[int]) -> list[Todo]:
    return [
        Todo(
            kind="run_to_send",
            sentence=_("Workbook %(name)s for %(supplier)s waits for you")
            % {"name": name, "supplier": supplier},
            advice=_("Download it, send it to the supplier, and confirm."),
            store_id=store,
            opened_at=at,
            count=orders,
            thing_kind="run",
            thing=run,
        )
        for run, store, name, supplier, orders, at in bulk.fetch(
            """SELECT r.id, r.store_id, r.name, s.name, r.orders, r.at FROM purchasing_purchaserun r
               JOIN sourcing_supplier s ON s.id = r.supplier_id
               WHERE r.state = 'fixed' AND s.delivery = 'download' AND r.store_id = ANY(%s::bigint[])""",
            (list(scope),),
        )
    ]


def _refused_rows(scope: Sequence[int], shared: bool) -> list[Todo]:
    return [
        Todo(
            kind="rows_refused",
            sentence=_("%(count)d rows of %(name)s were refused") % {"count": rows, "name": name},
            advice=_("Open the import: each row says why. Correct and retry it, or dismiss it."),
            store_id=store,
            opened_at=at,
            count=rows,
            thing_kind="import",
            thing=file,
        )
        for file, store, name, at, rows in bulk.fetch(
            """SELECT f.id, f.store_id, f.name, f.at, sum(r.rows) FROM imports_importfile f
               JOIN imports_importrow r ON r.file_id = f.id AND r.state = 'open'
               WHERE f.rows_refused > 0 AND (f.store_id = ANY(%s::bigint[]) OR (%s AND f.store_id IS NULL))
               GROUP BY f.id""",
            (list(scope), shared),
        )
    ]


def _parked() -> list[Todo]:
    return [
        Todo(
            kind="parked",
            sentence=_("%(count)d steps (%(name)s) could not be done: %(reason)s")
            % {"count": count, "name": reaction, "reason": reason},
            advice=_("Put right what the reason names, then let them be tried again."),
            store_id=None,
            opened_at=at,
            count=count,
            thing_kind="reaction",
        )
        for reaction, reason, count, at in bulk.fetch(
            """SELECT reaction, reason, sum(cardinality(things)), min(at) FROM history_pendingreaction
               WHERE state = 'parked' GROUP BY 1, 2"""
        )
    ]
