"""Today: what needs a person, by time and money at stake. The first page, and `tasks/today` of the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import get_language, ngettext, ngettext_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from daifa.domain.aftersales.queries import cases_waiting
from daifa.domain.closing.queries import why_words
from daifa.domain.closing.steps import BY_CODE as STEPS
from daifa.domain.compliance.signals import BY_KIND
from daifa.domain.orders.process import HOLDS
from daifa.domain.stores.queries import open_tasks_of
from daifa.lib import bulk
from daifa.lib.sentences import told, told_params

# What a task says, and what to do about it. `%(…)s` are filled from the task's params; a missing one stays a dash.
TASKS: dict[str, tuple[Any, str]] = {
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
    "reminder_to_send": (
        ngettext_lazy(
            "%(supplier)s is to be reminded of %(count)s purchase order",
            "%(supplier)s is to be reminded of %(count)s purchase orders",
            "count",
        ),
        N_("Copy the text, send it to the supplier, and say so."),
    ),
    "reminder_unknown": (
        N_("Nobody knows whether %(supplier)s got a reminder"),
        N_("Look in the mail account or ask the supplier, then say so on the reminder."),
    ),
    "supplier_silent": (
        ngettext_lazy(
            "%(supplier)s was reminded three times and has not shipped %(count)s purchase order",
            "%(supplier)s was reminded three times and has not shipped %(count)s purchase orders",
            "count",
        ),
        N_("Call the supplier. What he will not ship goes to another from the page of the purchase order."),
    ),
    "supplier_needs_person": (
        N_("A supplier's system asks for a person: %(sentence)s"),
        N_("Log in there, put right what it asks for, then let the purchases be placed again."),
    ),
    "order_changed": (
        N_("The channel changed order %(number)s after it was purchased"),
        N_("Compare both versions on the order and tell the supplier if it is not too late."),
    ),
    "order_unpaid": (
        N_("The channel says now that order %(number)s is not paid; it was taken as paid before"),
        N_("Look there: what is not bought yet can be held or cancelled. An older file read late may be all it is."),
    ),
    "order_paid_after": (
        N_("Order %(number)s was paid after it had been cancelled"),
        N_("Nothing of it is bought. Give the money back, or take the order up again in the channel under a new number."),
    ),
    "parcel_lost": (
        N_("Parcel %(number)s counts as lost"),
        N_("Claim it from the supplier or the carrier, then refund the buyer or send it again."),
    ),
    "message_unknown": (
        N_("Nobody knows whether a message to the buyer of order %(number)s was sent"),
        N_("Look in the mail account, then say on the message whether it was sent."),
    ),
    "message_failed": (
        N_("A message to the buyer of order %(number)s could not be delivered"),
        N_("Correct the address on the order and send it again, or leave it."),
    ),
    "mail_not_working": (
        N_("Mail cannot be sent: the server does not take it (%(code)s)"),
        N_("Check the mail settings. What waits is sent by itself once the server takes it."),
    ),
    "messages_held_back": (
        N_("Messages to buyers were held back: the copy this one was restored from may have sent them"),
        N_("Look at the sent mail; let those go that never went out, and leave the others."),
    ),
    "purchases_unknown_here": (
        ngettext_lazy(
            "A supplier has %(count)s purchase of ours that this copy does not know",
            "A supplier has %(count)s purchases of ours that this copy does not know",
            "count",
        ),
        N_("They were placed after the backup was taken. Compare them with the orders before anything is placed again."),
    ),
    "mapping_broken": (
        N_("The link of %(sku)s to a supplier's SKU is broken"),
        N_("Name the right supplier SKU; until then its orders are held."),
    ),
    "parcel_breach": (
        N_("A photo of the parcel of order %(number)s shows what should not be there"),
        N_("Look at the photo, hold the supplier to the agreement, and answer the buyer."),
    ),
    "photo_unreadable": (
        N_("A photo of the parcel of order %(number)s could not be read"),
        N_("Look at it yourself and say what it shows."),
    ),
    "photos_unread": (
        ngettext_lazy(
            "%(count)s photo of a parcel waits to be read: %(sentence)s",
            "%(count)s photos of parcels wait to be read: %(sentence)s",
            "count",
        ),
        N_("Install the extra, or judge them by eye."),
    ),
    "address_withheld": (
        N_("Purchases are not handed to a supplier: %(sentence)s"),
        N_("Record what is missing; they go out by themselves then. Or give the orders to another supplier."),
    ),
    "agreement_ending": (
        N_("The agreement with %(supplier)s ends on %(day)s"),
        N_("Agree anew and record it; after that day nothing is routed to him."),
    ),
    "no_source_risk": (
        N_("A sign of selling without a source: %(signal)s (%(count)s)"),
        N_("Open it: it shows the orders behind it and what helps."),
    ),
    "reply_row": (
        ngettext_lazy(
            "%(count)s row of a supplier's answer cannot be used: %(sentence)s",
            "%(count)s rows of a supplier's answer cannot be used: %(sentence)s",
            "count",
        ),
        N_("Look at the purchase orders they name, and ask the supplier."),
    ),
    "reaction_parked": (
        N_("A step (%(reaction)s) could not be done: %(reason)s"),
        N_("Put right what the reason names, then let it be tried again."),
    ),
    "late_money": (
        N_("Money of order %(number)s moved after the books of %(store)s were locked: it is not booked"),
        N_("Open it: book it as of today with your reason. Where the store comes back, it is booked by itself."),
    ),
    "violation_to_appeal": (
        N_("Violation %(reference)s can be appealed"),
        N_("Look at the orders behind it; appeal with evidence before the time ends, or accept it."),
    ),
    "pack_not_made": (
        N_("An evidence pack could not be made: %(sentence)s"),
        N_("Mend what the sentence says, then ask for the pack again."),
    ),
    "picture_to_look_at": (
        N_("A photo for an evidence pack waits for your eyes"),
        N_("Nothing could be read on it. Look whether it tells who the buyer is: show it, cover parts of it, or leave it out."),
    ),
    "appeal_unanswered": (
        N_("The appeal against violation %(reference)s was not answered in time"),
        N_("Ask the platform; then enter what it answered."),
    ),
    "deduction_to_get_back": (
        N_("Money taken for violation %(reference)s has not come back, though it was lifted"),
        N_("Ask the platform for it; enter it under the deposit once it is there."),
    ),
    "deposit_short": (
        N_("The deposit of %(store)s is %(short)s %(currency)s short"),
        N_("Top it up and enter it under the deposit: a shortfall limits listing and withdrawal."),
    ),
    "complaint_to_answer": (
        N_("Complaint %(reference)s waits for an answer"),
        N_("Read what the buyer says, check the parcel's photos, answer, and settle it."),
    ),
    "infringement_to_answer": (
        N_("Notice %(reference)s says a listing breaches somebody's right"),
        N_("Take it down and concede, or answer with a counter-notice and proof."),
    ),
    "infringement_restore_due": (
        N_("Notice %(reference)s: the complainant's time is over, the listing has to be restored"),
        N_("Ask the platform whether it was sued or complained of; if not, it must end its measure."),
    ),
    "qualification_ending": (
        N_("Licence %(number)s ends on %(date)s"),
        N_("Renew it and enter the new dates: without it goods of its category may not be published."),
    ),
    "rule_recheck": (
        ngettext_lazy(
            "%(count)s rule of %(channel)s was read more than 180 days ago",
            "%(count)s rules of %(channel)s were read more than 180 days ago",
            "count",
        ),
        N_("Open the channel's rules, compare each with its source, and confirm it or enter what reads otherwise."),
    ),
    "rules_change": (
        ngettext_lazy(
            "%(count)s rule changes for this store, on %(date)s",
            "%(count)s rules change for this store, the first on %(date)s",
            "count",
        ),
        N_("Look at what will be asked from that day on, before it counts."),
    ),
    "rules_refused": (
        N_("A file of rules was refused: %(file)s, line %(line)s; the last good rule book goes on counting"),
        N_("See all problems with: daifa policy check. Correct the file and put it in again."),
    ),
    "rules_overtaken": (
        N_("daifa brings newer rules in %(file)s than your own file has"),
        N_("Compare both, then keep yours or use daifa's."),
    ),
    "words_found": (
        ngettext_lazy(
            "%(count)s text holds words that must be changed before publishing",
            "%(count)s texts hold words that must be changed before publishing",
            "count",
        ),
        N_("Open the list of findings and change the texts."),
    ),
    "listings_wait": (
        ngettext_lazy(
            "%(count)s listing waits for a person before it is published",
            "%(count)s listings wait for a person before they are published",
            "count",
        ),
        N_("Look at the words marked; let them out with your reason, or give them back."),
    ),
    "listings_to_upload": (
        ngettext_lazy(
            "%(count)s listing is in the file %(name)s, to be uploaded",
            "%(count)s listings are in the file %(name)s, to be uploaded",
            "count",
        ),
        N_("Download it, upload it to the channel, then say on the file that you did."),
    ),
    "publication_unknown": (
        N_("Nobody knows whether the channel has the listing “%(title)s” as it was sent"),
        N_("Look at the channel, then say on the publication whether it is there. Nothing is sent again by itself."),
    ),
    "listings_against_rules": (
        ngettext_lazy(
            "%(count)s listing on sale is against the rules as they stand now",
            "%(count)s listings on sale are against the rules as they stand now",
            "count",
        ),
        N_("A word, a rule or a paper changed. Mend and publish them anew, record the paper, or pause them."),
    ),
    "channel_needs_person": (
        N_("A channel's system asks for a person: %(sentence)s"),
        N_("Log in there and put right what it asks for; the listings go out by themselves then."),
    ),
    "retention_unknown": (
        N_("Nobody has said how long buyers' data of %(store)s are kept"),
        N_("Answer it in the privacy settings: until then nothing is erased by itself, nor when a buyer asks."),
    ),
    "closing_step": (
        N_("%(title)s: this step of closing %(store)s is due"),
        N_("Open it: it says what has to be there, and what daifa does for it."),
    ),
    "store_warned": (
        N_("%(store)s is warned (%(why)s)"),
        N_("Look at the violations behind it, appeal what is wrong, and put right what is not."),
    ),
    "store_restricted": (
        N_("%(store)s is restricted (%(why)s)"),
        N_("See what it may not do and until when; appeal what is wrong. Buyers see it as limited."),
    ),
    "store_frozen": (
        N_("%(store)s is frozen (%(why)s)"),
        N_("It takes no new orders. See the violations behind it and appeal in time; what was paid is still delivered."),
    ),
    "store_quiet": (
        N_("%(store)s is quiet: few orders or few active days in the months up to %(month)s"),
        N_("Look at its exit index: what keeps it down, and what to try before you end it in good order."),
    ),
    "store_dormant": (
        N_("%(store)s is dormant: no order for %(no_orders)s days"),
        N_("Bring it back to life, or begin its closing while everything is settled: a platform may end it otherwise."),
    ),
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
    name: str = ""  # of what a group is about: the reason of holds, the reaction of parked steps
    is_serious: bool = False  # platforms end stores for it, whatever it is worth by itself


class _Dashes(dict):
    """Params of a task; what is missing is shown as a dash, or as 0 where a number is wanted."""

    def __missing__(self, key: str) -> str | int:
        return 0 if key == "count" else "–"


def task_words(kind: str, params: dict[str, Any]) -> tuple[str, str]:
    """(sentence, advice) of a task in the reader's language; a kind without words says its name."""
    sentence, advice = TASKS.get(kind, ("", ""))
    if not sentence:
        return kind.replace("_", " "), ""
    params = {"number": params.get("order"), **told_params(params)}  # a restored copy names the order so
    if kind == "no_source_risk" and params.get("kind") in BY_KIND:
        params["signal"] = BY_KIND[params["kind"]].words[int((get_language() or "").startswith("zh"))]
    if kind == "closing_step" and params.get("step") in STEPS:
        params["title"] = STEPS[params["step"]].title[int((get_language() or "").startswith("zh"))]
    if kind in ("store_warned", "store_restricted", "store_frozen") and params.get("why"):
        params["why"] = why_words(params["why"])
    words = _(sentence) if isinstance(sentence, str) else sentence  # what counts something has two forms
    return str(words % _Dashes({name: value for name, value in params.items() if value is not None})), _(advice)


def today(scope: Sequence[int], *, shared: bool = False, at: datetime, limit: int = 200) -> list[Todo]:
    """What needs a person in these stores: doubts and what is serious first, then overdue, then due soon, each by money.

    `shared` adds what belongs to no single store: ask it only for people who may see all of them.
    """
    from daifa.flows.reads.clocks import clock_todos  # which makes Todos, too

    todos = []
    # What stands on top has no sum and no date: among many others it would not be read at all.
    tasks = {
        task.id: task for task in open_tasks_of(scope, also_shared=shared, kinds=(*_FIRST, *_SERIOUS), limit=MOST_ON_TOP)
    }
    tasks |= {task.id: task for task in open_tasks_of(scope, also_shared=shared, limit=limit)}
    for task in tasks.values():
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
                is_serious=task.kind in _SERIOUS and task.params.get("level", "act") == "act",
            )
        )
    todos += _held(scope)
    todos += _to_download(scope)
    todos += _refused_rows(scope, shared)
    todos += _overdue_purchases(scope, at)
    todos += _late_parcels(scope, at)
    todos += clock_todos(scope, at)
    todos += _cases(scope, at)
    if shared:
        todos += _parked()
    todos.sort(key=lambda todo: urgency(todo, at))
    return todos[:limit]


# What may happen twice or not at all until somebody looks, whatever it is worth.
_FIRST = (
    "quarantined",
    "purchases_unknown_here",
    "run_unknown",
    "purchase_unknown",
    "mail_not_working",
    "parked",
)
# What costs a store its existence, without a sum or a date: signs of selling without a source (those that are serious),
# and a parcel that showed the buyer another shop's card or label.
_SERIOUS = ("no_source_risk", "parcel_breach")
MOST_ON_TOP = 50


def urgency(todo: Todo, at: datetime) -> tuple[int, float, Decimal, datetime]:
    """What todos are sorted by; its first part: 0 in doubt or serious, 1 overdue, 2 due within a day, 3 the rest."""
    stake = -(todo.stake or Decimal(0))
    if todo.kind in _FIRST:
        return 0, 0, stake, todo.opened_at
    if todo.is_serious:
        return 0, 1, stake, todo.opened_at
    if todo.due_at is None:
        return 3, 0, stake, todo.opened_at
    left = (todo.due_at - at).total_seconds()
    if left < 0:
        return 1, 0, stake, todo.opened_at
    return (2 if left < 86_400 else 3), (left if left < 86_400 else 0), stake, todo.opened_at


def _held(scope: Sequence[int]) -> list[Todo]:
    chinese = int((get_language() or "").startswith("zh"))
    return [
        Todo(
            kind="held",
            sentence=ngettext("%(count)d order held: %(reason)s", "%(count)d orders held: %(reason)s", count)
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
            name=reason,
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
            stake=stake,
            currency=currency,
            due_at=due,
            thing_kind="run",
            thing=run,
        )
        for run, store, name, supplier, orders, at, currency, stake, due in bulk.fetch(
            """SELECT r.id, r.store_id, r.name, s.name, r.orders, r.at, s.currency,
                      sum(p.goods_amount + p.freight_amount), min(o.ship_by_at)
               FROM purchasing_purchaserun r JOIN sourcing_supplier s ON s.id = r.supplier_id
               JOIN purchasing_purchaseorder p ON p.run_id = r.id JOIN orders_order o ON o.id = p.order_id
               WHERE r.state = 'fixed' AND s.delivery = 'download' AND r.store_id = ANY(%s::bigint[])
               GROUP BY r.id, s.id HAVING bool_or(p.state = 'submitting')""",
            (list(scope),),
        )
    ]


def _overdue_purchases(scope: Sequence[int], at: datetime) -> list[Todo]:
    return [
        Todo(
            kind="purchases_overdue",
            sentence=ngettext(
                "%(count)d purchase order should have been shipped by %(supplier)s",
                "%(count)d purchase orders should have been shipped by %(supplier)s",
                count,
            )
            % {"count": count, "supplier": name},
            advice=_(
                "Ask the supplier for numbers; what he cannot ship he should refuse, so that it goes elsewhere."
            ),
            store_id=store,
            opened_at=due,
            count=count,
            stake=stake,
            currency=currency,
            due_at=due,
            thing_kind="supplier",
            thing=supplier,
        )
        for store, supplier, name, currency, count, stake, due in bulk.fetch(
            """SELECT p.store_id, s.id, s.name, p.currency, count(*), sum(p.goods_amount + p.freight_amount),
                      min(p.ship_due_at)
               FROM purchasing_purchaseorder p JOIN sourcing_supplier s ON s.id = p.supplier_id
               WHERE p.state = 'placed' AND p.ship_due_at < %s AND p.units > p.shipped + p.rejected + p.cancelled
                 AND p.store_id = ANY(%s::bigint[])
               GROUP BY 1, 2, 3, 4""",
            (at, list(scope)),
        )
    ]


def _late_parcels(scope: Sequence[int], at: datetime) -> list[Todo]:
    return [
        Todo(
            kind="parcels_late",
            sentence=ngettext("%(count)d parcel is late", "%(count)d parcels are late", count)
            % {"count": count},
            advice=_("Ask the carrier or the supplier where they are; buyers were told of the delay."),
            store_id=store,
            opened_at=since,
            count=count,
            stake=stake,
            currency=currency,
            due_at=since,
            thing_kind="parcel",
        )
        for store, currency, count, stake, since in bulk.fetch(
            """SELECT p.store_id, o.currency, count(DISTINCT p.id), sum(l.order_quantity * ol.unit_price),
                      min(p.late_at)
               FROM shipping_parcel p JOIN orders_order o ON o.id = p.order_id
               LEFT JOIN shipping_parcelline l ON l.parcel_id = p.id
               LEFT JOIN orders_orderline ol ON ol.id = l.order_line_id
               WHERE p.is_late AND p.delivered_at IS NULL AND p.state NOT IN ('lost', 'returned_to_sender', 'cancelled')
                 AND p.store_id = ANY(%s::bigint[])
               GROUP BY 1, 2""",
            (list(scope),),
        )
    ]


def _cases(scope: Sequence[int], at: datetime) -> list[Todo]:
    found = []
    for waiting in cases_waiting(scope, at=at):
        sentence, advice = {
            "answer": (
                ngettext("%(count)d buyer asks for money back", "%(count)d buyers ask for money back", waiting.count),
                _("Approve or refuse: a buyer without an answer asks the channel to judge."),
            ),
            "goods": (
                ngettext(
                    "The goods of %(count)d case should have come back",
                    "The goods of %(count)d cases should have come back",
                    waiting.count,
                ),
                _("Ask the buyer for the number; when nothing comes, end the case."),
            ),
            "money": (
                ngettext(
                    "%(count)d buyer waits for an agreed refund",
                    "%(count)d buyers wait for an agreed refund",
                    waiting.count,
                ),
                _("Pay it out where the buyer paid, and enter it on the case."),
            ),
        }[waiting.what]
        found.append(
            Todo(
                kind=f"cases_{waiting.what}",
                sentence=sentence % {"count": waiting.count},
                advice=advice,
                store_id=waiting.store_id,
                opened_at=waiting.since,
                count=waiting.count,
                stake=waiting.stake,
                currency=waiting.currency,
                due_at=waiting.due_at,
                thing_kind="aftersale_case",
                thing=waiting.case if waiting.count == 1 else 0,
            )
        )
    return found


def _refused_rows(scope: Sequence[int], shared: bool) -> list[Todo]:
    return [
        Todo(
            kind="rows_refused",
            sentence=ngettext(
                "%(count)d row of %(name)s was refused", "%(count)d rows of %(name)s were refused", rows
            )
            % {"count": rows, "name": name},
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
            sentence=ngettext(
                "%(count)d step (%(name)s) could not be done: %(reason)s",
                "%(count)d steps (%(name)s) could not be done: %(reason)s",
                count,
            )
            % {"count": count, "name": reaction, "reason": told(reason)},
            advice=_("Put right what the reason names, then let them be tried again."),
            store_id=None,
            opened_at=at,
            count=count,
            thing_kind="reaction",
            name=reaction,
        )
        for reaction, reason, count, at in bulk.fetch(
            """SELECT reaction, reason, sum(cardinality(things)), min(at) FROM history_pendingreaction
               WHERE state = 'parked' AND NOT EXISTS (
                   SELECT FROM stores_task t WHERE t.kind = 'late_money' AND t.closed_at IS NULL
                     AND t.thing_kind = reaction AND t.thing = ANY(things))
               GROUP BY 1, 2"""
        )
    ]


# --- Figures ------------------------------------------------------------------------------------------------------


class Figures(NamedTuple):
    """How things stand: orders that have not ended, to ship within a day or overdue; parcels on their way, late."""

    open_orders: int
    held_orders: int
    to_ship: int
    overdue: int
    in_transit: int
    late: int


def figures(scope: Sequence[int], *, at: datetime) -> Figures:
    """The cards over the list. An order counts as to be shipped while units of it are neither shipped nor cancelled."""
    orders = bulk.fetch(
        """SELECT count(*), count(*) FILTER (WHERE status = 'on_hold'),
                  count(*) FILTER (WHERE units > cancelled + shipped AND ship_by_at < %(soon)s AND ship_by_at >= %(at)s),
                  count(*) FILTER (WHERE units > cancelled + shipped AND ship_by_at < %(at)s)
           FROM orders_order
           WHERE store_id = ANY(%(scope)s::bigint[]) AND status NOT IN ('delivered', 'closed', 'cancelled')""",
        {"scope": list(scope), "at": at, "soon": at + timedelta(days=1)},
    )[0]
    parcels = bulk.fetch(
        """SELECT count(*), count(*) FILTER (WHERE is_late) FROM shipping_parcel
           WHERE store_id = ANY(%s::bigint[]) AND delivered_at IS NULL
             AND state NOT IN ('announced', 'lost', 'returned_to_sender', 'cancelled')""",
        (list(scope),),
    )[0]
    return Figures(*orders, *parcels)


def last_days(
    scope: Sequence[int], *, at: datetime, zone: str, days: int = 30
) -> list[tuple[date, int, int]]:
    """(day, orders placed, parcels handed over) of the last `days` days up to `at`, in `zone`, oldest first."""
    return bulk.fetch(
        """WITH day AS (
               SELECT (date_trunc('day', %(at)s::timestamptz AT TIME ZONE %(zone)s) - n * interval '1 day') AS d
               FROM generate_series(0, %(days)s - 1) AS n),
           since AS (SELECT min(d) AT TIME ZONE %(zone)s AS t FROM day),
           placed AS (SELECT date_trunc('day', o.placed_at AT TIME ZONE %(zone)s) AS d, count(*) AS n FROM orders_order o
                      WHERE o.store_id = ANY(%(scope)s::bigint[]) AND o.placed_at >= (SELECT t FROM since) GROUP BY 1),
           sent AS (SELECT date_trunc('day', p.handed_over_at AT TIME ZONE %(zone)s) AS d, count(*) AS n
                    FROM shipping_parcel p
                    WHERE p.store_id = ANY(%(scope)s::bigint[]) AND p.handed_over_at >= (SELECT t FROM since) GROUP BY 1)
           SELECT day.d::date, coalesce(placed.n, 0), coalesce(sent.n, 0)
           FROM day LEFT JOIN placed USING (d) LEFT JOIN sent USING (d) ORDER BY 1""",
        {"scope": list(scope), "at": at, "zone": zone, "days": days},
    )


def open_holds(scope: Sequence[int], reason: str, limit: int = 1_000) -> list[int]:
    """Ids of the open holds of one reason in these stores, the oldest first."""
    rows = bulk.fetch(
        """SELECT h.id FROM orders_hold h JOIN orders_order o ON o.id = h.order_id
           WHERE h.reason = %s AND h.released_at IS NULL AND o.store_id = ANY(%s::bigint[]) ORDER BY h.id LIMIT %s""",
        (reason, list(scope), limit),
    )
    return [row[0] for row in rows]
