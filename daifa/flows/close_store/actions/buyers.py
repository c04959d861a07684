"""What daifa tells buyers of a store that ends: the public notice, and a message for each open order."""

from __future__ import annotations

from daifa.domain.closing import commands, queries
from daifa.domain.messages import commands as messages
from daifa.domain.messages import queries as message_queries
from daifa.domain.orders.commands import lock_orders
from daifa.domain.orders.queries import PAID
from daifa.flows.close_store.step import Doing
from daifa.lib import bulk
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _


def publish_notice(doing: Doing) -> None:
    """The public page is on, and names somebody to whom buyers turn: without that the notice would help nobody."""
    page = queries.status_page(doing.store.pk)
    contact = (page.contact if page else "") or doing.store.reply_to
    if not contact.strip():
        raise Refused(
            _("The notice names nobody to whom buyers turn for after-sales: enter a contact under “Public status page” (or an address for replies in the store), then do this step."),
            code="contact_missing",
        )  # fmt: skip
    doing.facts["was_on"] = bool(page and page.is_on)
    made = commands.set_status_page(store_id=doing.store.pk, is_on=True, contact=contact, by=doing.by, at=doing.at)
    doing.facts["address"] = made.slug


def withdraw_notice(doing: Doing) -> None:
    last = doing.row.evidence.filter(what="done").order_by("-id").first()
    page = queries.status_page(doing.store.pk)
    if page is not None and last is not None and not last.facts.get("was_on"):
        commands.set_status_page(
            store_id=doing.store.pk, is_on=False, contact=page.contact, by=doing.by, at=doing.at
        )


def tell_buyers(doing: Doing) -> None:
    """One message for each order that is on its way or within its time for claims, where the channel lets us write."""
    closing, store = doing.closing, doing.store
    days = {day.code: day.on for day in queries.days_of(closing, at=doing.at)}
    terms = queries.terms_of(store, on=doing.at.date())
    commands.note_params(
        closing, closing_date=days["closed"].isoformat(), claims_until=days["claims_until"].isoformat()
    )
    orders = [
        row[0]
        for row in bulk.fetch(
            f"""SELECT o.id FROM orders_order o
               WHERE o.store_id = %s AND NOT o.is_history AND o.units > o.cancelled AND {PAID}
                 AND (o.delivered < o.units - o.cancelled OR EXISTS (
                     SELECT FROM shipping_parcel p WHERE p.order_id = o.id
                     AND p.delivered_at > %s::timestamptz - %s * interval '1 day')) ORDER BY o.id""",
            (store.pk, doing.at, terms.claim_days.value),
        )
    ]
    lock_orders(orders)
    rows = [row._replace(version=closing.number) for row in message_queries.tellings("store_closing", orders)]
    told = messages.queue_messages("store_closing", rows, at=doing.at, by=doing.by)
    why: dict[str, int] = {}
    for reason in told.suppressed.values():
        why[reason] = why.get(reason, 0) + 1
    doing.facts |= {"orders": len(orders), "told": len(told.queued), "not_told": why}
