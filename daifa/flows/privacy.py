"""What do we hold on this person, hand it over, erase it; and what must stay, until when and why.

The same code counts and erases: a count is an erasure that is rolled back. Erasing reaches rows, texts, files and mail
(`flows/shred_places.py`); the books, amounts, countries, numbers and keyed hashes stay. Backups cannot be edited: each
erasure stands in `erasures.jsonl` beside the database, and restoring an older backup does it again.

A person's orders go in one transaction. A store's go in strides: names are taken out of texts and files for `STRIDE`
orders at a time, then rows are emptied in chunks of `AT_ONCE`, each in its own transaction and written into the record
with it. Killed at any moment, the next run goes on where orders still tell a name.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import unicodedata
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import formats, timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_noop as N_

from daifa.connectors.contract import Address
from daifa.domain.cases.queries import orders_on_hold
from daifa.domain.history.commands import open_batch
from daifa.domain.orders.commands import hold_lines, lock_orders
from daifa.domain.orders.rules import address_text
from daifa.domain.privacy import commands, queries
from daifa.domain.privacy.models import Erasure
from daifa.domain.privacy.places import CLASSES, place_word, said
from daifa.domain.privacy.queries import OF_ORDERS, OldBackup
from daifa.domain.privacy.rules import Verdict, verdict
from daifa.domain.stores.commands import NewTask, open_tasks
from daifa.domain.stores.models import Store
from daifa.flows.shred_places import (
    Values,
    Work,
    letters_by_message,
    look_through,
    may_name_others,
    numbers_of,
    shred,
    shred_rows,
    shred_store_papers,
    told_named,
    values_of,
)
from daifa.lib import bulk
from daifa.lib.commas import listed
from daifa.lib.redact import Marks, is_same_phone
from daifa.lib.refusal import Refused
from daifa.lib.secret import keyed_digest
from daifa.lib.sentences import gettext as _
from daifa.lib.sentences import joined
from daifa.lib.spelling import folded

ENDED = ("delivered", "closed", "cancelled")
LOG = "erasures.jsonl"
SWEPT = 5000  # orders of a store and class the daily sweep erases at most
AT_ONCE = 1000  # orders a transaction
A_FEW = 20  # orders whose words the database itself looks for
STRIDE = 20_000  # orders for which texts and files are walked through once
_WITH_SUPPLIER = ("ready", "submitting", "unknown", "placed", "failed")

WHY_STAYS: dict[str, str] = {
    "under_way": N_("It is still under way: order %(orders)s."),
    "message_open": N_("Nobody knows yet whether a message about it was sent: order %(orders)s."),
    "aftersale_open": N_("An after-sale case is open: order %(orders)s."),
    "refund_open": N_("A refund is not settled: order %(orders)s."),
    "dispute_open": N_("A dispute is open (%(cases)s), and the original records may be asked for: order %(orders)s."),
    "kept_by_hand": N_("A person put a hold on it (%(reason)s): order %(orders)s."),
    "unknown": N_("Nobody has said how long %(data)s are kept in %(store)s: answer it in the privacy settings."),
    "too_early": N_("%(data)s must be kept until %(until)s: order %(orders)s."),
    "papers_first": N_("Names go together with the papers they stand in, and those must be kept: order %(orders)s."),
    "pack_of_others": N_("The evidence pack %(name)s also serves orders that are kept."),
    "named_by_others": N_("%(count)s notes, answers or cases of other buyers' orders speak of this person; those orders are not over yet: order %(orders)s."),
    "same_name": N_("%(count)s texts bear a name or address that stands on kept orders too, and nothing in them says whose they are: they stay."),
}
"""Why something was not erased."""
WHY_THEIRS: dict[str, str] = {
    "email": N_("the mail address asked for stands on it"),
    "phone": N_("the phone asked for stands on it"),
    "named": N_("it has the number and the name asked for"),
    "customer": N_("the same customer of the store placed it"),
    "same_email": N_("a mail address of this person's other orders stands on it"),
}
"""Why an order belongs to a person."""
HOLDS = ("under_way", "message_open", "aftersale_open", "refund_open", "dispute_open", "kept_by_hand")


# --- Shapes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stay:
    """Something that was not erased: class of data or place, why (a key of WHY_STAYS), until when, of which orders."""

    data: str
    code: str
    params: dict[str, Any]
    until: datetime | None = None
    orders: tuple[int, ...] = ()

    def sentence(self) -> str:
        """Ready to be shown, in the language in force."""
        params = dict(self.params)
        params["data"] = data_word(self.data)
        if self.until:
            params["until"] = formats.date_format(timezone.localtime(self.until), "DATE_FORMAT" if (get_language() or "").startswith("zh") else "j M Y")
        return _(WHY_STAYS[self.code]) % params


@dataclass(slots=True)
class Person:
    """Who is asked about: the orders and customers found for them (all of stores in the caller's scope), and the keyed
    hashes under which an erasure of this person is found again. No names: it may lie in a session."""

    orders: list[int] = field(default_factory=list)
    customers: list[int] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    why: dict[int, list[str]] = field(default_factory=dict)  # order → keys of WHY_THEIRS

    def why_theirs(self, order: int) -> str:
        """Why an order belongs to this person, in the language in force."""
        return joined("; ", (_(WHY_THEIRS[code]) for code in self.why.get(order, ())), chinese="；")


@dataclass(slots=True)
class Holding:
    """What is held on a person: counts by place, the person's orders, what may go now and what stays."""

    person: Person
    orders: list[dict[str, Any]]
    counts: dict[str, int]
    stays: list[Stay]
    may_go: bool
    told: list[dict[str, Any]]  # suppliers that were given the address
    backups: list[OldBackup]
    erased: list[Erasure]  # earlier erasures of the same person


@dataclass(slots=True)
class Erased:
    """What an erasure did. `erasure` is None where nothing could go."""

    orders: dict[str, list[int]]
    customers: list[int]
    counts: dict[str, int]
    stays: list[Stay]
    backups: list[OldBackup]
    erasure: Erasure | None = None


def data_word(data: str) -> str:
    """A class of data, or a place, in the language in force."""
    return said(CLASSES[data]) if data in CLASSES else place_word(data)


# --- Who is it ----------------------------------------------------------------------------------------------------


def find_person(
    scope: Sequence[int], *, email: str = "", phone: str = "", name: str = "", number: str = ""
) -> Person:
    """The orders and customers of a person in the stores of `scope`: by mail, by phone, or by name and order number.

    Other orders of the same customer or mail come along. Raises `Refused` where too little is said to tell people apart.
    """
    email, phone, name, number = (unicodedata.normalize("NFKC", one).strip() for one in (email, phone, name, number))
    if not (email or phone or (name and number)):
        raise Refused(_("Give a mail address, a phone number, or a name together with an order number."), code="who_missing")
    if phone and len(_digits(phone)) < 7:
        raise Refused(_("A phone number has at least seven digits."), code="phone_short", field="phone")
    digests = _digests(email, phone, name if number else "", number)
    found: dict[str, set[int]] = {}
    customers: set[int] = set()
    if email:
        found["email"] = _ids(
            """SELECT a.order_id FROM orders_addressversion a JOIN orders_order o ON o.id = a.order_id
               WHERE lower(normalize(a.email, NFKC)) = lower(%s) AND o.store_id = ANY(%s::bigint[])""",
            email, list(scope),
        )  # fmt: skip
        customers |= _ids(
            """SELECT id FROM customers_customer WHERE (lower(email) = lower(%s) OR lower(ref) = lower(%s))
               AND store_id = ANY(%s::bigint[])""",
            email, email, list(scope),
        )  # fmt: skip
    if phone:
        found["phone"] = {
            order
            for order, known in bulk.fetch(
                r"""SELECT a.order_id, a.phone FROM orders_addressversion a JOIN orders_order o ON o.id = a.order_id
                    WHERE right(regexp_replace(normalize(a.phone, NFKC), '\D', '', 'g'), 7) = %s AND a.phone <> ''
                    AND o.store_id = ANY(%s::bigint[])""",
                (_digits(phone)[-7:], list(scope)),
            )
            if is_same_phone(unicodedata.normalize("NFKC", known), phone)
        }
    if name and number:
        found["named"] = {
            order
            for order, *names in bulk.fetch(
                """SELECT o.id, a.name, c.name FROM orders_order o LEFT JOIN orders_addressversion a ON a.order_id = o.id
                   LEFT JOIN customers_customer c ON c.id = o.customer_id
                   WHERE o.number = %s AND o.store_id = ANY(%s::bigint[])""",
                (number, list(scope)),
            )
            if _spelled(name) in {_spelled(one or "") for one in names}
        }
    customers = _extend(found, customers, list(scope))
    why: dict[int, list[str]] = {}
    for code in WHY_THEIRS:
        for order in found.get(code, ()):
            why.setdefault(order, []).append(code)
    return Person(sorted(why), sorted(customers), digests, why)


def within(person: Person, scope: Sequence[int]) -> Person:
    """The person as far as the stores of `scope` go, and as things stand now."""
    orders = _ids("SELECT id FROM orders_order WHERE id = ANY(%s::bigint[]) AND store_id = ANY(%s::bigint[])", person.orders, list(scope))
    customers = _ids(
        "SELECT id FROM customers_customer WHERE id = ANY(%s::bigint[]) AND store_id = ANY(%s::bigint[])", person.customers, list(scope)
    )
    return Person(sorted(orders), sorted(customers), list(person.digests), {order: person.why.get(order, []) for order in orders})


def _digests(email: str, phone: str, name: str = "", number: str = "") -> list[str]:
    """Keyed hashes of what tells who somebody is."""
    texts = []
    if email:
        texts.append(f"email:{email.lower()}")
    if phone:
        texts.append(f"phone:{_digits(phone)[-9:]}")
    if name:
        texts.append(f"name:{_plain(name)}/{number}")
    return [keyed_digest(text).hex() for text in texts]


def _extend(found: dict[str, set[int]], customers: set[int], scope: list[int]) -> set[int]:
    """Add the same customer's and the same mail's other orders to what was `found`; returns all customers."""
    orders: set[int] = set().union(*found.values())
    for _round in range(3):
        before = len(orders), len(customers)
        customers = customers | _ids(
            "SELECT customer_id FROM orders_order WHERE id = ANY(%s::bigint[]) AND customer_id IS NOT NULL", list(orders)
        )
        theirs = _ids(
            "SELECT id FROM orders_order WHERE customer_id = ANY(%s::bigint[]) AND store_id = ANY(%s::bigint[])",
            list(customers), scope,
        )  # fmt: skip
        found.setdefault("customer", set()).update(theirs - orders)
        orders |= theirs
        theirs = _ids(
            """SELECT a.order_id FROM orders_addressversion a JOIN orders_order o ON o.id = a.order_id
               WHERE lower(a.email) IN (SELECT lower(email) FROM orders_addressversion
                                        WHERE order_id = ANY(%s::bigint[]) AND email <> '')
                 AND a.email <> '' AND o.store_id = ANY(%s::bigint[])""",
            list(orders), scope,
        )  # fmt: skip
        found.setdefault("same_email", set()).update(theirs - orders)
        orders |= theirs
        if (len(orders), len(customers)) == before:
            break
    return customers


def _ids(query: str, *params: Any) -> set[int]:
    return {row[0] for row in bulk.fetch(query, params)}


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _plain(name: str) -> str:
    return " ".join(name.lower().split())


def _spelled(name: str) -> str:
    """As names are compared: no spaces, capitals, accents; simplified characters."""
    return "".join(folded(name).casefold().split())


# --- What must stay -----------------------------------------------------------------------------------------------


class Held(NamedTuple):
    """Why an order's data may not go: a key of HOLDS, and its params."""

    code: str
    params: dict[str, Any]


def _in(values: Sequence[str]) -> str:
    return "(" + ", ".join(f"'{value}'" for value in values) + ")"


_HOLDING = {
    "under_way": f"""NOT o.is_history AND (o.status NOT IN {_in(ENDED)} OR EXISTS (
        SELECT FROM purchasing_purchaseorder p WHERE p.order_id = o.id AND p.state IN {_in(_WITH_SUPPLIER)}
        AND p.units > p.rejected + p.cancelled))""",
    "message_open": """EXISTS (SELECT FROM buyer_messages_message m WHERE m.order_id = o.id AND m.state IN ('sending', 'unknown'))""",
    "aftersale_open": """EXISTS (SELECT FROM aftersales_aftersalecase c WHERE c.order_id = o.id
        AND c.state IN ('requested', 'approved', 'in_transit', 'received'))""",
    "refund_open": """EXISTS (SELECT FROM aftersales_refund r WHERE r.order_id = o.id AND r.state <> 'confirmed')""",
}
"""What of an order `o` holds its data; open disputes and holds by hand come from their own subjects."""


def holds_of(order_ids: Sequence[int], *, at: datetime) -> dict[int, list[Held]]:
    """Legal holds by order: open disputes, refunds and cases, what is still under way, what a person holds."""
    found: dict[int, list[Held]] = {}
    ids = list(order_ids)
    for code, holding in _HOLDING.items():
        for (order,) in bulk.fetch(f"SELECT o.id FROM orders_order o WHERE o.id = ANY(%s::bigint[]) AND {holding} ORDER BY 1", (ids,)):
            found.setdefault(order, []).append(Held(code, {}))
    for order, open_cases in orders_on_hold(order_ids=ids).items():
        cases = listed(case.reference for case in open_cases[:3])
        found.setdefault(order, []).append(Held("dispute_open", {"cases": cases}))
    for order, hold in queries.holds_by_hand(ids).items():
        found.setdefault(order, []).append(Held("kept_by_hand", {"reason": hold.reason}))
    return found


class _Order(NamedTuple):
    id: int
    store: int
    country: str
    number: str
    ended_at: datetime


_ENDED_AT = """greatest(o.placed_at,
    (SELECT max(p.delivered_at) FROM shipping_parcel p WHERE p.order_id = o.id),
    (SELECT max(coalesce(r.confirmed_at, r.at)) FROM aftersales_refund r WHERE r.order_id = o.id),
    (SELECT max(c.opened_at) FROM aftersales_aftersalecase c WHERE c.order_id = o.id),
    (SELECT max(coalesce(x.ended_at, x.opened_at)) FROM cases_complaint x WHERE x.order_id = o.id))"""
"""The time from which an order's data are counted: the last thing that happened to it."""


def _orders(ids: Sequence[int]) -> list[_Order]:
    return [
        _Order(*row)
        for row in bulk.fetch(
            f"""SELECT o.id, o.store_id, o.country, o.number, {_ENDED_AT}
                FROM orders_order o WHERE o.id = ANY(%s::bigint[]) ORDER BY o.id""",
            (list(ids),),
        )
    ]


_PAPERS_FIRST = sorted(OF_ORDERS, key=lambda data: (data != "papers", data))


def _sort(ids: Sequence[int], *, at: datetime, asked: bool) -> tuple[dict[str, list[int]], list[Stay]]:
    """(class → orders of which it may go, what stays and why)."""
    held, answers = holds_of(ids, at=at), queries.answers()
    names = dict(bulk.fetch("SELECT id, name FROM stores_store"))
    allowed: dict[str, list[int]] = {data: [] for data in OF_ORDERS}
    grouped: dict[tuple[str, str, str, datetime | None], list[_Order]] = {}
    papers: set[int] = set()
    holding = {data: _ids(f"SELECT o.id FROM orders_order o WHERE o.id = ANY(%s::bigint[]) AND {_HELD[data]}", list(ids))
               for data in ("letters", "disputes")}  # fmt: skip
    for order in _orders(ids):
        reasons = held.get(order.id, [])
        for reason in reasons:
            said = reason.params.get("reason") or reason.params.get("cases") or ""
            grouped.setdefault(("", reason.code, said, None), []).append(order)
        for data in _PAPERS_FIRST:
            found: Verdict = verdict(
                answers.of(data, order.store, order.country), ended_at=order.ended_at, at=at, asked=asked,
                holds=bool(reasons),
            )  # fmt: skip
            if found.may and data == "contact" and order.id not in papers:
                # Without the names on the order nobody would find them in uploads and workbooks later.
                grouped.setdefault((data, "papers_first", "", None), []).append(order)
            elif found.may:
                allowed[data].append(order.id)
                if data == "papers":
                    papers.add(order.id)
            elif data in holding and order.id not in holding[data]:
                continue  # of this class there is nothing that could stay
            elif found.code == "unknown":
                grouped.setdefault((data, "unknown", names[order.store], None), []).append(order)
            elif found.code == "too_early":
                grouped.setdefault((data, "too_early", "", found.until), []).append(order)
    stays = []
    for (data, code, said, until), orders in grouped.items():
        params = {"orders": _listed(order.number for order in orders), "reason": said, "store": said, "cases": said}
        stays.append(Stay(data, code, params, until, tuple(order.id for order in orders)))
    return allowed, stays


def _listed(numbers: Iterable[str]) -> str:
    found = list(dict.fromkeys(numbers))
    return listed(found[:5]) + (" …" if len(found) > 5 else "")


# --- Erasing ------------------------------------------------------------------------------------------------------


def erase_person(person: Person, *, by: str, at: datetime) -> Erased:
    """Erase what may go of a person's data, everywhere; what stays comes back with the reason."""
    stores = _ids("SELECT DISTINCT store_id FROM orders_order WHERE id = ANY(%s::bigint[])", person.orders)
    store = stores.pop() if len(stores) == 1 else None
    return _erase(person.orders, person.customers, kind="person", store_id=store, people=person.digests, by=by, at=at)


def shred_store(store_id: int, *, by: str, at: datetime, progress: Callable[[int, int], None] | None = None) -> Erased:
    """Erase the buyers' data of a whole store as far as holds and the time they must be kept allow.

    Safe to repeat: what stayed the first time goes once nothing holds it any more. Commits as it goes unless the caller
    is in a transaction. `progress` is called with the orders that are done, and how many may go.
    """
    left = " OR ".join(f"({held})" for held in _HELD.values())
    orders = sorted(_ids(f"SELECT o.id FROM orders_order o WHERE o.store_id = %s AND ({left})", store_id))
    customers = sorted(
        _ids("SELECT id FROM customers_customer WHERE store_id = %s AND ref NOT LIKE 'erased:%%'", store_id)
    )
    done = _erase(orders, customers, kind="store", store_id=store_id, people=[], by=by, at=at, progress=progress)
    _finish_store(done, store_id, by=by, at=at)
    return done


def _finish_store(done: Erased, store_id: int, *, by: str, at: datetime) -> None:
    """What goes with the last name of a store: its uploads, whoever stands in them."""
    kept = bulk.fetch(f"SELECT 1 FROM orders_order o WHERE o.store_id = %s AND {_HELD['contact']} LIMIT 1", (store_id,))
    if kept or queries.answers().of("papers", store_id, "") is None:
        return
    with transaction.atomic():
        work = Work({}, [], Marks(()), "", by, at, whole_store=store_id)
        shred_store_papers(work)
        done.counts = dict(Counter(done.counts) + work.counts)
        if done.erasure is not None:
            done.erasure = commands.add_to_erasure(done.erasure.uuid, counts=work.counts)


def unanswered(store_id: int) -> list[str]:
    """Classes of a store's data that are there, and of which nobody has said how long they are kept."""
    known = queries.answers()
    found = []
    for data, held in _HELD.items():
        countries = [country for of, country in known.known.get(data, {}) if of in (None, store_id)]
        if "" not in countries and bulk.fetch(
            f"SELECT 1 FROM orders_order o WHERE o.store_id = %s AND o.country <> ALL(%s::text[]) AND {held} LIMIT 1", (store_id, countries)
        ):
            found.append(data)
    return found


def keep_retention(*, at: datetime, by: str = "job:keep_retention") -> dict[str, int]:
    """The daily sweep: ask where nobody answered, erase what has had its time. Returns {"erased": orders, "asked": stores}."""
    asked = _ask(at=at)
    erased: set[int] = set()
    for store, data, ids in _overdue(at=at):
        done = _erase(ids, None, kind="retention", store_id=store, people=[], by=by, at=at, classes=[data])
        erased |= {order for orders in done.orders.values() for order in orders}
    return {"erased": len(erased), "asked": asked}


def _ask(*, at: datetime) -> int:
    """Open a task for the owner of every store that has ended orders and an unanswered class."""
    answers = queries.answers()
    rows = bulk.fetch(
        """SELECT s.id, s.name FROM stores_store s WHERE NOT s.is_sample AND EXISTS (
               SELECT FROM orders_order o WHERE o.store_id = s.id AND o.status = ANY(%s::text[])) ORDER BY 1""",
        (list(ENDED),),
    )
    wanted = [(store, name) for store, name in rows if answers.missing(store)]
    with transaction.atomic():
        return _open_questions(wanted, at=at)


def _open_questions(stores: Sequence[tuple[int, str]], *, at: datetime) -> int:
    return open_tasks(
        [NewTask(kind="retention_unknown", store_id=store, thing_kind="store", thing=store, params={"store": name})
         for store, name in stores],
        at=at,
    )  # fmt: skip


_HELD = {
    "contact": """EXISTS (SELECT FROM orders_addressversion a WHERE a.order_id = o.id AND a.name NOT LIKE 'erased:%%')""",
    "letters": """EXISTS (SELECT FROM buyer_messages_message m WHERE m.order_id = o.id AND (m.body <> '' OR m.subject <> ''))""",
    "papers": """(EXISTS (SELECT FROM purchasing_purchaseorder p JOIN purchasing_purchaserun r ON r.id = p.run_id
                          WHERE p.order_id = o.id AND length(r.content) > 0)
                  OR EXISTS (SELECT FROM orders_addressversion a WHERE a.order_id = o.id AND a.name NOT LIKE 'erased:%%'))""",
    "disputes": """(EXISTS (SELECT FROM aftersales_aftersalecase c WHERE c.order_id = o.id AND c.note <> '')
                    OR EXISTS (SELECT FROM cases_complaint x WHERE x.order_id = o.id AND (x.text <> '' OR x.answer <> ''))
                    OR EXISTS (SELECT FROM shipping_parcelcheck k WHERE k.order_id = o.id AND (k.note <> '' OR k.name <> ''))
                    OR o.id IN (SELECT unnest(e.orders) FROM cases_evidencepack e WHERE e.erased_at IS NULL))""",
}
"""What an order still has of a class."""


def _overdue(*, at: datetime) -> list[tuple[int, str, list[int]]]:
    """(store, class, orders) whose time is over. Papers go before contact: they are found by the names on the orders."""
    answers = queries.answers()
    found = []
    disputed: list[int] | None = None
    for store in Store.objects.order_by("pk"):
        for data in ("papers", "letters", "disputes", "contact"):
            days = _days_by_country(answers, data, store.pk)
            if all(number is None for number in days.values()):
                continue
            if disputed is None:
                disputed = sorted(orders_on_hold())
            if ids := _due(store.pk, data, days, but=disputed, at=at):
                found.append((store.pk, data, ids))
    return found


def _days_by_country(answers: queries.Answers, data: str, store: int) -> dict[str, int | None]:
    """Buyer's country ("": every other) → days after which a class of this store's data goes by itself; None: it does not."""
    together = ("contact", "papers") if data == "contact" else (data,)  # names wait for the papers they stand in
    countries = {"", *(country for one in together for of, country in answers.known.get(one, {}) if of in (None, store))}
    found: dict[str, int | None] = {}
    for country in countries:
        known = [answer.at_most if (answer := answers.of(one, store, country)) else None for one in together]
        days = [number for number in known if number is not None]
        found[country] = max(days) if len(days) == len(together) else None
    return found


def _due(store: int, data: str, days: dict[str, int | None], *, but: Sequence[int], at: datetime) -> list[int]:
    """At most SWEPT orders, by number, of which a class goes by itself now. `days` as `_days_by_country` says them.

    What must stay is left out by the database, or it would stand before the rest day after day; should the rules keep
    more than that, the search goes on behind it.
    """
    free = " AND ".join(f"NOT ({holding})" for holding in _HOLDING.values())
    query = f"""
        WITH done AS MATERIALIZED (
            SELECT x::bigint AS id FROM privacy_erasure e
            CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(e.orders -> '{data}', '[]')) AS x),
        kept AS MATERIALIZED (SELECT * FROM unnest(%(countries)s::text[], %(days)s::int[]) AS k (country, days))
        SELECT o.id FROM orders_order o LEFT JOIN kept k ON k.country = o.country
        CROSS JOIN LATERAL (SELECT %(at)s::timestamptz - interval '24 hours'
            * CASE WHEN k.country IS NULL THEN %(others)s::int ELSE k.days END AS before) AS time
        WHERE o.store_id = %(store)s AND o.status = ANY(%(ended)s::text[]) AND o.id > %(last)s AND o.placed_at <= time.before
        AND {_HELD[data]} AND {_ENDED_AT} <= time.before AND {free}
        AND NOT EXISTS (SELECT FROM unnest(%(but)s::bigint[]) AS b (id) WHERE b.id = o.id)
        AND NOT EXISTS (SELECT FROM privacy_legalhold h WHERE h.order_id = o.id AND h.released_at IS NULL)
        AND NOT EXISTS (SELECT FROM done WHERE done.id = o.id) ORDER BY o.id LIMIT %(limit)s"""
    countries = sorted(country for country in days if country)
    params = {
        "countries": countries, "days": [days[country] for country in countries], "others": days[""], "at": at, "store": store,
        "ended": list(ENDED), "but": list(but), "limit": SWEPT,
    }  # fmt: skip
    found: list[int] = []
    last = 0
    while len(found) < SWEPT:
        ids = [row[0] for row in bulk.fetch(query, {**params, "last": last})]
        found += _sort(ids, at=at, asked=False)[0][data]
        if len(ids) < SWEPT:
            break
        last = ids[-1]
    return found[:SWEPT]


def _erase(
    orders: Sequence[int], customers: Sequence[int] | None, *, kind: str, store_id: int | None, people: Sequence[str],
    by: str, at: datetime, classes: Sequence[str] = OF_ORDERS, progress: Callable[[int, int], None] | None = None,
) -> Erased:  # fmt: skip
    if len(orders) > AT_ONCE:
        return _erase_many(orders, customers, kind=kind, store_id=store_id, by=by, at=at, classes=classes, progress=progress)
    bearing = None
    if kind == "store" and len(orders) > A_FEW:  # read before anything is locked
        may, _stays = _sort(orders, at=at, asked=True)
        going = sorted({order for ids in may.values() for order in ids})
        bearing = may_name_others([going], going)
    with transaction.atomic():
        locked = lock_orders(sorted(orders))
        allowed, stays = _sort(locked, at=at, asked=kind != "retention")
        allowed = {data: ids for data, ids in allowed.items() if data in classes}
        erased = _shred(locked, customers, allowed, kind=kind, store_id=store_id, people=people, by=by, at=at, bearing=bearing)
        erased.stays = stays + erased.stays
        _ask_about(stays, kind, at=at)
        if erased.erasure is not None:
            transaction.on_commit(write_log)
    return erased


def _ask_about(stays: Sequence[Stay], kind: str, *, at: datetime) -> None:
    if kind != "retention":
        names = {stay.params["store"] for stay in stays if stay.code == "unknown"}
        _open_questions(bulk.fetch("SELECT id, name FROM stores_store WHERE name = ANY(%s::text[])", (list(names),)), at=at)


def _erase_many(
    orders: Sequence[int], customers: Sequence[int] | None, *, kind: str, store_id: int | None, by: str, at: datetime,
    classes: Sequence[str], progress: Callable[[int, int], None] | None = None,
) -> Erased:  # fmt: skip
    """In strides, each of which is kept as one erasure. The last one's record comes back."""
    allowed, stays = _sort(orders, at=at, asked=kind != "retention")
    allowed = {data: ids for data, ids in allowed.items() if data in classes}
    union = sorted({order for ids in allowed.values() for order in ids})
    kept = sorted(set(orders) - set(union))
    since = bulk.fetch("SELECT min(at) FROM orders_addressversion WHERE order_id = ANY(%s::bigint[])", (union,))[0][0]
    done = Erased({}, [], {}, stays, [])
    counts: Counter[str] = Counter()
    passed: dict[tuple[str, str], Stay] = {}
    folder = letters_by_message()
    strides = [union[first : first + STRIDE] for first in range(0, len(union), STRIDE)]
    bearing = may_name_others(strides, union) if kind == "store" else None
    named: dict[int, int] = {}
    if progress is not None:
        progress(0, len(union))
    for first in range(0, len(union), STRIDE):
        going = union[first : first + STRIDE]
        here = set(going)
        may = {data: [order for order in ids if order in here] for data, ids in allowed.items()}
        # Names first: once they are gone from the orders nobody could look for them.
        values = _values(going, kept=kept, also_going=union)
        look = Work(may, [], _marks(values, going), "", by, at, left_for_last=0 if kept or kind != "store" else store_id or 0,
                        holds=lambda ids: holds_of(ids, at=at), bearing=bearing, named=named)  # fmt: skip
        look_through(look)
        counts += look.counts
        token, number = f"erased:{os.urandom(5).hex()}", str(uuid.uuid4())
        for place in range(0, len(going), AT_ONCE):
            chunk = set(going[place : place + AT_ONCE])
            with transaction.atomic():
                locked = set(lock_orders(sorted(chunk)))
                still, _why = _sort(sorted(locked), at=at, asked=kind != "retention")  # a dispute may have come up
                now = {data: [order for order in ids if order in locked and order in set(still[data])] for data, ids in may.items()}
                gone = _customers_free(customers if place + AT_ONCE >= len(going) else [], now.get("contact", []))
                work = Work(now, gone, _marks(values.of(sorted(chunk), gone), sorted(chunk)), token, by, at, letters=folder)
                people = _people_of(now.get("contact", []))
                shred_rows(work)
                done.erasure = commands.add_to_erasure(
                    uuid.UUID(number), kind=kind, store_id=store_id, token=token, orders=now, customers=gone,
                    people=sorted(people), counts=work.counts + (look.counts if not place else Counter()), by=by, at=at,
                )  # fmt: skip
            if progress is not None:
                progress(first + min(place + AT_ONCE, len(going)), len(union))
            counts += work.counts
            done.customers += gone
            for data, ids in now.items():
                done.orders.setdefault(data, []).extend(ids)
            for of, code, params, ids in (*look.left, *work.left):
                passed[of, code + str(params)] = Stay(of, code, params, None, tuple(ids))
            look.left = []
        with transaction.atomic():
            open_batch(by=by, at=at, reason=f"erased the buyers' data of {len(going)} orders")
        write_log()
    with transaction.atomic():
        _ask_about(stays, kind, at=at)
    for of, code, params, ids in told_named(named):
        passed[of, code] = Stay(of, code, params, None, tuple(ids))
    done.stays = [*stays, *passed.values()]
    done.counts = dict(counts)
    done.backups = queries.backups_holding(since=since or at, until=at)
    return done


def _values(
    orders: Sequence[int], *, customers: Sequence[int] = (), kept: Sequence[int] = (), also_going: Sequence[int] = ()
) -> Values:
    """What tells who these orders' people are."""
    known = _ids("SELECT customer_id FROM orders_order WHERE id = ANY(%s::bigint[]) AND customer_id IS NOT NULL", list(orders))
    return values_of(orders, sorted({*known, *customers}), kept=kept, going=also_going)


def _marks(values: Values, orders: Sequence[int]) -> Marks:
    """Ready to be looked for."""
    return values.marks(numbers_of(orders) if values.shared else ())


def _shred(
    orders: Sequence[int], customers: Sequence[int] | None, allowed: dict[str, list[int]], *, kind: str,
    store_id: int | None, people: Sequence[str], by: str, at: datetime, again: dict[str, Any] | None = None,
    for_real: bool = True, bearing: Mapping[str, Sequence[int]] | None = None,
) -> Erased:  # fmt: skip
    """Erase these orders' classes of data now. `again`: the log line of an erasure that is done once more."""
    union = sorted({order for ids in allowed.values() for order in ids})
    gone = _customers_free(customers, allowed.get("contact", []))
    if not union and not gone:
        return Erased({}, [], {}, [], [])
    kept = sorted(set(orders) - set(union))
    number = again["uuid"] if again else ""
    token = again["token"] if again else f"erased:{os.urandom(5).hex()}"
    everything = store_id if kind == "store" and not kept and set(allowed.get("papers", ())) >= set(orders) else None
    marks = _marks(_values(union, customers=gone, kept=kept), union)
    work = Work(allowed, gone, marks, token, by, at, whole_store=everything, for_real=for_real, holds=lambda ids: holds_of(ids, at=at),
                bearing=bearing)  # fmt: skip
    since = bulk.fetch("SELECT min(at) FROM orders_addressversion WHERE order_id = ANY(%s::bigint[])", (union,))[0][0]
    people = sorted({*people, *_people_of(allowed.get("contact", []))})
    shred(work)
    stays = [Stay(place, code, params, None, tuple(ids)) for place, code, params, ids in work.left]
    made = None
    if for_real:
        made = commands.record_erasure(
            kind=kind, store_id=store_id, token=token, orders=allowed, customers=gone, people=people,
            counts=dict(work.counts), stays=[[stay.data, stay.code, stay.params, str(stay.until or "")] for stay in stays],
            by=by, at=at, number=number,
        )  # fmt: skip
        open_batch(by=by, at=at, reason=f"erased the buyers' data of {len(union)} orders")
    backups = queries.backups_holding(since=since or at, until=at)
    return Erased(allowed, gone, dict(work.counts), stays, backups, made)


def _people_of(orders: Sequence[int]) -> set[str]:
    """Keyed hashes of the mails and phones on these orders, so that an erasure is found again by them."""
    found = set()
    for email, phone in bulk.fetch(
        "SELECT DISTINCT email, phone FROM orders_addressversion WHERE order_id = ANY(%s::bigint[])", (list(orders),)
    ):
        found |= set(_digests(email, phone if len(_digits(phone)) >= 7 else ""))
    return found


def _customers_free(customers: Sequence[int] | None, contact: Sequence[int]) -> list[int]:
    """Customers of whom no order is kept. None: those of the orders in hand."""
    return sorted(
        _ids(
            """SELECT c.id FROM customers_customer c
               WHERE (c.id = ANY(%s::bigint[]) OR c.id IN (SELECT customer_id FROM orders_order WHERE id = ANY(%s::bigint[])))
                 AND c.ref NOT LIKE 'erased:%%' AND NOT EXISTS (
                     SELECT FROM orders_order o WHERE o.customer_id = c.id AND NOT o.id = ANY(%s::bigint[])
                     AND EXISTS (SELECT FROM orders_addressversion a WHERE a.order_id = o.id AND a.name NOT LIKE 'erased:%%'))""",
            list(customers or ()), list(contact), list(contact),
        )
    )  # fmt: skip


# --- Asking -------------------------------------------------------------------------------------------------------


class _Rollback(Exception):
    pass


def what_we_hold(person: Person, *, at: datetime) -> Holding:
    """Everything that is held on a person, counted by place by an erasure that is rolled back."""
    with transaction.atomic():
        every = dict.fromkeys(OF_ORDERS, person.orders)
        counts: dict[str, int] = {}
        try:
            with transaction.atomic():
                done = _shred(
                    person.orders, person.customers, every, kind="person", store_id=None, people=[], by="job:count", at=at,
                    for_real=False,
                )  # fmt: skip
                counts = done.counts
                raise _Rollback
        except _Rollback:
            pass
        allowed, stays = _sort(person.orders, at=at, asked=True)
    since = bulk.fetch("SELECT min(at) FROM orders_addressversion WHERE order_id = ANY(%s::bigint[])", (person.orders,))[0][0]
    return Holding(
        person,
        bulk.fetch_dicts(
            """SELECT o.id, o.store_id, s.name AS store, o.number, o.status, o.placed_at, o.country, o.total_amount, o.currency
               FROM orders_order o JOIN stores_store s ON s.id = o.store_id WHERE o.id = ANY(%s::bigint[]) ORDER BY o.placed_at""",
            (person.orders,),
        ),
        counts,
        stays,
        any(allowed.values()) or bool(person.customers and not person.orders),
        _told(person.orders),
        queries.backups_holding(since=since, until=at) if since else [],
        list(Erasure.objects.filter(people__overlap=person.digests).order_by("at")) if person.digests else [],
    )


def _told(orders: Sequence[int]) -> list[dict[str, Any]]:
    """Suppliers that were given the address of these orders: they have to be told as well."""
    return bulk.fetch_dicts(
        """SELECT s.id, s.code, s.name, s.email, count(DISTINCT p.order_id) AS orders, max(p.placed_at) AS last_at
           FROM purchasing_purchaseorder p JOIN sourcing_supplier s ON s.id = p.supplier_id
           WHERE p.order_id = ANY(%s::bigint[]) AND p.placed_at IS NOT NULL GROUP BY s.id ORDER BY s.code""",
        (list(orders),),
    )


def goes_to(order_id: int, version: int, address: Address) -> bool:
    """Whether an order went to this address: true or false even after the address was erased, by its keyed hash."""
    rows = bulk.fetch(
        "SELECT digest FROM orders_addressversion WHERE order_id = %s AND version = %s", (order_id, version)
    )
    return bool(rows) and bytes(rows[0][0]) == keyed_digest(address_text(address))


# --- The log beside the database ----------------------------------------------------------------------------------


def log_path() -> Path:
    return Path(settings.DAIFA_HOME) / LOG


def write_log() -> None:
    """Write every erasure into `erasures.jsonl`, together with those of lines that are there and not in the database.

    It holds numbers and keyed hashes, no names. Copies lie beside every backup whose folder is still there.
    """
    lines = {line["uuid"]: line for line in read_log(log_path())}
    lines |= {line["uuid"]: line for line in queries.log_lines()}
    text = "".join(json.dumps(line, sort_keys=True) + "\n" for line in sorted(lines.values(), key=lambda one: one["at"]))
    folders = {Path(row.place).parent for row in queries.all_backups() if row.gone_at is None}
    for folder in {log_path().parent, *folders}:
        if folder.is_dir() and os.access(folder, os.W_OK):
            handle, aside = tempfile.mkstemp(prefix=f".{LOG}.", dir=folder)
            with os.fdopen(handle, "w") as file:
                file.write(text)
            os.replace(aside, folder / LOG)


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; damaged ones are left out."""
    found = []
    try:
        text = path.read_text()
    except OSError:
        return []
    for line in text.splitlines():
        try:
            one = json.loads(line)
            if isinstance(one, dict) and {"uuid", "kind", "token", "orders", "customers", "at"} <= one.keys():
                found.append(one)
        except ValueError:
            continue
    return found


def erase_again(*, by: str, at: datetime, beside: Path | None = None) -> int:
    """After a restore: do again every erasure that this copy does not know. Returns how many. Safe to repeat.

    `beside` is a further folder to look for `erasures.jsonl` in. Orders that the backup knew as open wait for a person:
    they have nobody to be sent to any more.
    """
    lines = {line["uuid"]: line for folder in {log_path().parent, beside} if folder for line in read_log(folder / LOG)}
    known = {str(row) for row in Erasure.objects.values_list("uuid", flat=True)}
    done = 0
    for line in sorted(lines.values(), key=lambda one: one["at"]):
        if line["uuid"] in known:
            continue
        with transaction.atomic():
            classes = {data: ids for data, ids in line["orders"].items() if data in OF_ORDERS}
            orders = lock_orders(sorted({order for ids in classes.values() for order in ids}))
            here = set(orders)
            allowed = {data: [order for order in ids if order in here] for data, ids in classes.items()}
            customers = sorted(_ids("SELECT id FROM customers_customer WHERE id = ANY(%s::bigint[])", line["customers"]))
            if here or customers:
                store = Store.objects.filter(pk=line.get("store")).values_list("pk", flat=True).first()
                _shred(orders, customers, allowed, kind=line["kind"], store_id=store, people=line.get("people", []),
                       by=by, at=datetime.fromisoformat(line["at"]), again=line)  # fmt: skip
                _hold_unplaced(allowed.get("contact", []), at=at)
                done += 1
    if done:
        write_log()
    return done


def _hold_unplaced(orders: Sequence[int], *, at: datetime) -> None:
    open_ones = bulk.fetch(
        """SELECT id FROM orders_order WHERE id = ANY(%s::bigint[]) AND NOT is_history AND units > cancelled + shipped""",
        (list(orders),),
    )
    hold_lines([(row[0], None, "buyer_data_missing", {}) for row in open_ones], at=at)
