"""Reads about messages: what decides whether a buyer is told, what the message then says, which words are in use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import F

from daifa.domain.messages import rules
from daifa.domain.messages.commands import TABLE, Telling
from daifa.domain.messages.models import Message
from daifa.domain.messages.process import KINDS, MESSAGE
from daifa.lib import bulk
from daifa.lib.paging import Cursor

# --- Whether to tell --------------------------------------------------------------------------------------------

_ADDRESSEE = """
    LEFT JOIN orders_addressversion a ON a.order_id = o.id AND a.version = o.address_version
    LEFT JOIN customers_customer c ON c.id = o.customer_id"""
_EMAIL = "coalesce(nullif(a.email, ''), c.email, '')"
_CONSENT = """EXISTS (SELECT FROM customers_consent k WHERE k.customer_id = o.customer_id AND k.purpose = 'review'
                      AND k.withdrawn_at IS NULL)"""
_STILL_COMING = """(SELECT count(*) FROM shipping_parcel q WHERE q.order_id = o.id AND q.delivered_at IS NULL
                     AND q.state NOT IN ('lost', 'returned_to_sender', 'cancelled'))"""
_HAPPENED = {
    "order_received": "greatest(o.placed_at, o.paid_at)",
    "dispatched": "coalesce(p.handed_over_at, p.announced_at)",
    "in_transit": "p.last_event_at",
    "delayed": "NULL::timestamptz",
    "delivered": "p.delivered_at",
    "number_changed": "NULL::timestamptz",
    "review": "NULL::timestamptz",
    "store_closing": "NULL::timestamptz",
}


# When it became news. What became news before a restored copy was released may have been told by the lost one.
_NEWS_SINCE = _HAPPENED | {
    "order_received": "o.placed_at",
    "in_transit": """(SELECT min(e.at) FROM shipping_trackingevent e
                      WHERE e.parcel_id = p.id AND e.status NOT IN ('announced', 'handed_over'))""",
    "delayed": "p.late_at",
    "review": "(SELECT max(d.delivered_at) FROM shipping_parcel d WHERE d.order_id = o.id)",
}
_RELEASED_AT = "(SELECT i.released_at FROM stores_installation i WHERE i.id = 1)"


class _Store(NamedTuple):
    kind: str
    messages_allowed: bool
    review_invitations: bool
    cap: int
    is_sample: bool
    name: str
    language: str
    timezone: str
    reply_to: str


def _stores(ids: Iterable[int]) -> dict[int, _Store]:
    return {
        row[0]: _Store(*row[1:])
        for row in bulk.fetch(
            """SELECT id, kind, messages_allowed, review_invitations, message_cap, is_sample, name, language, timezone,
                      reply_to FROM stores_store WHERE id = ANY(%s::bigint[])""",
            (list(set(ids)),),
        )
    }  # fmt: skip


def tellings(kind: str, things: Sequence[int]) -> list[Telling]:
    """What decides whether `things` (parcels for what is told of a parcel, else orders) are told, in id order."""
    consent = _CONSENT if kind == "review" else "false"
    held = f"CASE WHEN {_RELEASED_AT} IS NULL THEN false ELSE coalesce({_NEWS_SINCE[kind]} < {_RELEASED_AT}, false) END"
    facts = f"""o.id, o.store_id, s.message_cap, s.kind, s.messages_allowed, s.review_invitations, o.is_history, o.units,
                o.cancelled, o.delivered, {_EMAIL}, {_HAPPENED[kind]}, {consent}"""
    if kind in rules.PARCEL_KINDS:
        reserve = _STILL_COMING if kind == "in_transit" else "0"
        rows = bulk.fetch(
            f"""SELECT p.id, p.state, {reserve}, {held}, {facts} FROM shipping_parcel p JOIN orders_order o ON o.id = p.order_id
                JOIN stores_store s ON s.id = o.store_id {_ADDRESSEE} WHERE p.id = ANY(%s::bigint[]) ORDER BY p.id""",
            (list(things),),
        )
    else:
        rows = bulk.fetch(
            f"""SELECT o.id, '', 0, {held}, {facts} FROM orders_order o JOIN stores_store s ON s.id = o.store_id {_ADDRESSEE}
                WHERE o.id = ANY(%s::bigint[]) ORDER BY o.id""",
            (list(things),),
        )
    return [
        Telling(order, thing, rules.Facts(*facts, state), store, cap, reserve=reserve, held="restored" if held else "")
        for thing, state, reserve, held, order, store, cap, *facts in rows
    ]


class Correction(NamedTuple):
    """The newest number of a parcel, and why its buyer need not be corrected ("" = he does)."""

    version: int
    unwanted: str


def corrections(parcels: Sequence[int]) -> dict[int, Correction]:
    """Parcel → its correction, for parcels whose number was replaced. The caller has locked their orders.

    Locks the messages about these parcels: one that is just being claimed for sending is waited for, so that it is
    known which number it carries.
    """
    newest: dict[int, tuple[int, str]] = {
        parcel: (version, number)
        for parcel, version, number in bulk.fetch(
            """SELECT DISTINCT ON (parcel_id) parcel_id, version, number FROM shipping_waybillnumber
               WHERE parcel_id = ANY(%s::bigint[]) AND is_active ORDER BY parcel_id, version DESC""",
            (list(parcels),),
        )
        if version > 1
    }
    told: dict[int, list[tuple[str, str]]] = {}
    for parcel, state, body in bulk.fetch(
        f"""SELECT m.thing, m.state, m.body FROM {TABLE} m
            WHERE m.kind IN ('dispatched', 'number_changed') AND m.thing = ANY(%s::bigint[]) AND m.state <> 'suppressed'
            ORDER BY m.id FOR NO KEY UPDATE""",
        (list(newest),),
    ):
        told.setdefault(parcel, []).append((state, body))
    result = {}
    for parcel, (version, number) in newest.items():
        messages = told.get(parcel, [])
        if not messages:
            unwanted = "not_told_yet"
        elif any(state in ("queued", "failed") for state, _body in messages):
            unwanted = "dispatch_carries_it"
        elif any(number in body for _state, body in messages):
            unwanted = "already_told"
        else:
            unwanted = ""
        result[parcel] = Correction(version, unwanted)
    return result


def fully_delivered_orders(parcels: Sequence[int]) -> list[int]:
    """The orders of these parcels of which nothing is left to deliver."""
    return [
        row[0]
        for row in bulk.fetch(
            """SELECT o.id FROM orders_order o
               WHERE o.id IN (SELECT order_id FROM shipping_parcel WHERE id = ANY(%s::bigint[]))
                 AND o.units > 0 AND o.delivered > 0 AND o.delivered >= o.units - o.cancelled ORDER BY o.id""",
            (list(parcels),),
        )
    ]


# --- What it says -----------------------------------------------------------------------------------------------


class Ready(NamedTuple):
    """A message as it would be sent now; `unwanted` says why it should not be, "" if it should."""

    id: int
    unwanted: str
    to: str
    subject: str
    body: str
    from_name: str
    reply_to: str
    language: str
    is_sample: bool
    reason: str  # as stored, to count tries


def written(ids: Sequence[int], *, at: datetime) -> list[Ready]:
    """Write the messages `ids` with what is true now: the newest number, the present address, the words in use."""
    rows = bulk.fetch(
        f"""
        SELECT m.id, m.kind, m.thing, m.version, m.store_id, m.reason, m.order_id,
               o.is_history, o.units, o.cancelled, o.delivered, {_EMAIL},
               CASE m.kind WHEN 'order_received' THEN {_HAPPENED["order_received"]}
                           WHEN 'dispatched' THEN {_HAPPENED["dispatched"]} WHEN 'in_transit' THEN {_HAPPENED["in_transit"]}
                           WHEN 'delivered' THEN {_HAPPENED["delivered"]} END,
               m.kind = 'review' AND {_CONSENT}, coalesce(p.state, ''),
               o.number, o.placed_at, o.total_amount, o.currency, coalesce(nullif(a.name, ''), c.name, ''),
               p.carrier, p.number, coalesce(p.handed_over_at, p.announced_at), p.delivered_at,
               CASE WHEN m.kind = 'number_changed' THEN (SELECT w.number FROM shipping_waybillnumber w
                                                        WHERE w.parcel_id = p.id AND w.version = m.version - 1) END,
               -- Closings stand above messages; the version of such a message is the closing's number in its store.
               CASE WHEN m.kind = 'store_closing' THEN (SELECT k.params FROM closing_closing k
                                                        WHERE k.store_id = m.store_id AND k.number = m.version) END
        FROM {TABLE} m JOIN orders_order o ON o.id = m.order_id
        LEFT JOIN shipping_parcel p ON p.id = m.thing AND m.kind NOT IN ('order_received', 'review', 'store_closing') {_ADDRESSEE}
        WHERE m.id = ANY(%s::bigint[]) ORDER BY m.id
        """,
        (list(ids),),
    )
    stores = _stores(row[4] for row in rows)
    words = words_in_use(stores)
    of_orders = _goods_of_orders([row[6] for row in rows if row[1] not in rules.PARCEL_KINDS])
    of_parcels = _goods_of_parcels([row[2] for row in rows if row[1] in rules.PARCEL_KINDS])
    result = []
    for (
        id_, kind, thing, _version, store_id, reason, order, is_history, units, cancelled, delivered, email, happened, consents,
        state, order_number, placed_at, total, currency, name, carrier, number, dispatched_at, delivered_at, old_number, closing,
    ) in rows:  # fmt: skip
        store = stores[store_id]
        language = rules.language_of(store.language)
        facts = rules.Facts(
            store.kind, store.messages_allowed, store.review_invitations, is_history, units, cancelled, delivered, email,
            happened, consents, state,
        )  # fmt: skip
        values = {
            "store_name": store.name,
            "order_number": order_number,
            "order_date": rules.day(placed_at, store.timezone, language),
            "buyer_name": name,
            "total": f"{total:.2f} {currency}",
        }
        if kind in rules.PARCEL_KINDS:
            values |= {
                "items": rules.items(of_parcels.get(thing, [])),
                "carrier": carrier or "",
                "number": number or "",
                "old_number": old_number or "",
                "tracking_url": rules.tracking_url(number or "", language),
                "dispatch_date": rules.day(dispatched_at, store.timezone, language),
                "delivery_date": rules.day(delivered_at, store.timezone, language),
            }
        else:
            values["items"] = rules.items(of_orders.get(order, []))
        if kind == "store_closing":
            said = json.loads(closing) if isinstance(closing, str) else closing or {}
            values |= {name: _plain_day(said.get(name), language) for name in ("closing_date", "claims_until")}
        subject, body = rules.render(*words[store_id, kind], values, language)
        result.append(
            Ready(
                id_, rules.why_not(kind, facts, at), email, subject, body, " ".join(store.name.split()), store.reply_to,
                "zh-CN" if language == "zh" else "en", store.is_sample, reason,
            )
        )  # fmt: skip
    return result


def _plain_day(text: str | None, language: str) -> str:
    return rules.day(datetime.fromisoformat(f"{text}T12:00+00:00"), "UTC", language) if text else ""


def _goods_of_orders(orders: list[int]) -> dict[int, list[tuple[str, int]]]:
    """Order → (title, sales units still wanted) of its goods."""
    result: dict[int, list[tuple[str, int]]] = {}
    if orders:
        for order, title, quantity in bulk.fetch(
            """SELECT order_id, coalesce(nullif(title, ''), sku), quantity - cancelled FROM orders_orderline
               WHERE order_id = ANY(%s::bigint[]) AND kind = 'goods' AND quantity > cancelled
               ORDER BY order_id, line_no""",
            (list(set(orders)),),
        ):
            result.setdefault(order, []).append((title, quantity))
    return result


def _goods_of_parcels(parcels: list[int]) -> dict[int, list[tuple[str, int]]]:
    """Parcel → (title, sales units) of what is in it."""
    result: dict[int, list[tuple[str, int]]] = {}
    if parcels:
        for parcel, title, quantity in bulk.fetch(
            """SELECT i.parcel_id, coalesce(nullif(l.title, ''), l.sku), sum(i.order_quantity)
               FROM shipping_parcelline i JOIN orders_orderline l ON l.id = i.order_line_id
               WHERE i.parcel_id = ANY(%s::bigint[]) GROUP BY i.parcel_id, l.id, l.title, l.sku, l.line_no
               ORDER BY i.parcel_id, l.line_no""",
            (list(set(parcels)),),
        ):
            result.setdefault(parcel, []).append((title, quantity))
    return result


# --- Words ------------------------------------------------------------------------------------------------------


def words_in_use(stores: dict[int, _Store]) -> dict[tuple[int, str], tuple[str, str]]:
    """(store, kind) → subject and text in the store's language: its own template, else the common one, else built in."""
    found: dict[tuple[int | None, str, str], tuple[str, str]] = {
        (store, kind, language): (subject, body)
        for store, kind, language, subject, body in bulk.fetch(
            """SELECT store_id, kind, language, subject, body FROM buyer_messages_messagetemplate
               WHERE is_active AND (store_id IS NULL OR store_id = ANY(%s::bigint[]))""",
            (list(stores),),
        )
    }
    result = {}
    for store_id, store in stores.items():
        language = rules.language_of(store.language)
        for kind in rules.PLACEHOLDERS:
            result[store_id, kind] = (
                found.get((store_id, kind, language))
                or found.get((None, kind, language))
                or rules.default_words(kind, language)
            )
    return result


class TemplateInUse(NamedTuple):
    """The words that count for one kind and language. `source`: "store", "common" or "built in"; `id` of the row, if any."""

    kind: str
    language: str
    subject: str
    body: str
    source: str
    id: int | None


def templates_of(store_id: int | None) -> list[TemplateInUse]:
    """Every kind in every language with the words that count for a store; None = those common to all stores."""
    found = {
        (store, kind, language): (id_, subject, body)
        for id_, store, kind, language, subject, body in bulk.fetch(
            """SELECT id, store_id, kind, language, subject, body FROM buyer_messages_messagetemplate
               WHERE is_active AND (store_id IS NULL OR store_id = %s)""",
            (store_id,),
        )
    }
    result = []
    for kind in rules.PLACEHOLDERS:
        for language in rules.LANGUAGES:
            for owner, source in ((store_id, "store" if store_id else "common"), (None, "common")):
                if row := found.get((owner, kind, language)):
                    result.append(TemplateInUse(kind, language, row[1], row[2], source, row[0]))
                    break
            else:
                result.append(
                    TemplateInUse(kind, language, *rules.default_words(kind, language), "built in", None)
                )
    return result


# --- Lists ------------------------------------------------------------------------------------------------------

NEWEST = ("-id",)


def message_page(
    scope: Sequence[int],
    *,
    state: str | None = None,
    kind: str | None = None,
    reason: str | None = None,
    store_id: int | None = None,
    order_id: int | None = None,
    cursor: Cursor | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """At most `limit` messages, newest first, without their text; with `order_number`. Unknown words match nothing."""
    if (state and state not in MESSAGE.table) or (kind and kind not in KINDS):
        return []
    found = Message.objects.filter(store_id__in=[store for store in scope if store_id in (None, store)])
    for name, value in (("state", state), ("kind", kind), ("reason", reason), ("order_id", order_id)):
        if value:
            found = found.filter(**{name: value})
    return (cursor or Cursor(NEWEST)).slice(
        found.annotate(order_number=F("order__number")).values(
            "id", "store_id", "order_id", "order_number", "kind", "thing", "version", "state", "reason", "subject",
            "at", "sent_at",
        ),
        limit,
    )  # fmt: skip


def message_detail(scope: Sequence[int], message_id: int) -> dict[str, Any] | None:
    """One message with its text as it was sent; None when it is not there or not in scope."""
    return (
        Message.objects.filter(id=message_id, store_id__in=list(scope))
        .annotate(order_number=F("order__number"))
        .values()
        .first()
    )
