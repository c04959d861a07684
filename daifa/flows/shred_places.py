"""Erasing by the map (`privacy.places`): rows by what they hang on, free texts and files by the person's marks.

A few orders go in the caller's transaction, which holds their locks (`shred`). Many go in two strides, each of which may
be killed and done again: `look_through` takes the names out of texts and files, one at a time and without locks, while
the orders still tell them; then `shred_rows` empties what hangs on a chunk of orders in its transaction. Files are
changed before it commits: should it fail, they hold less than the rows say, and erasing again finishes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction

from daifa.domain.cases.files import path_of as case_path
from daifa.domain.messages.commands import suppress_queued
from daifa.domain.orders.rules import ADDRESS_FIELDS
from daifa.domain.privacy.commands import forget_sieve, keep_sieve
from daifa.domain.privacy.places import PERSONAL, Place
from daifa.domain.privacy.queries import erased_before, sieves, unknown_uploads
from daifa.domain.shipping.checks import PHOTO_FOLDER
from daifa.lib import bulk, keeping
from daifa.lib.redact import CannotRead, Listener, Marks, TooMuch, blanked_bytes, heads_of
from daifa.lib.secret import keyed_digest
from daifa.lib.sieve import Sieve, Spot, spot
from daifa.lib.spelling import spellings

AT_ONCE = 2000  # texts read at a time
LETTER = b"Subject: ***\r\n\r\nThis letter was erased.\r\n"


@dataclass(slots=True)
class Work:
    """What is to go: orders by class of data, customers, the marks to take out of texts and files.

    `for_real` False counts only: the caller rolls its transaction back, and no file is touched. `left` collects what
    could not go: (place, code, params, orders).
    """

    orders: dict[str, list[int]]
    customers: list[int]
    marks: Marks
    token: str
    by: str
    at: datetime
    whole_store: int | None = None  # a store of which everything goes, its uploads included
    left_for_last: int = 0  # a store whose uploads go as a whole afterwards: they are not read now
    for_real: bool = True
    holds: Callable[[list[int]], Iterable[int]] = tuple  # which of these orders must keep their words
    counts: Counter[str] = field(default_factory=Counter)
    left: list[tuple[str, str, dict[str, Any], list[int]]] = field(default_factory=list)
    wrote: bool = False
    done_with: set[Path] = field(default_factory=set)  # files, so that none counts twice
    letters: dict[int, list[Path]] | None = None  # as `letters_by_message` read them, for many chunks
    bearing: Mapping[str, Sequence[int]] | None = None  # as `may_name_others` found them, for many strides
    named: dict[int, int] = field(default_factory=dict)  # order that keeps words about these people → texts

    def of(self, data: str) -> list[int]:
        return self.orders.get(data, [])

    def count(self, place: str, number: int) -> None:
        if number > 0:
            self.counts[place] += number


def shred(work: Work) -> Work:
    """Do it, or count it. The order matters: marks are taken out of what hangs on orders before that is emptied."""
    _do(work, _contact, _customers, _letters, _rows_of_orders, _rows, _runs, _disputes, _evidence, _texts, _others, _uploads, _mail_folder)
    work.left += told_named(work.named)
    return work


def look_through(work: Work) -> Work:
    """Texts and files, by marks: each on its own, so that nothing waits and what was done is done."""
    _do(work, _rows_of_orders, _rows, _texts, _others, _runs, _uploads, _mail_folder)
    return work


def shred_rows(work: Work) -> Work:
    """What hangs on a chunk of orders, in the caller's transaction; `marks` are of these orders alone."""
    _do(work, _contact, _customers, _letters, _disputes, _evidence)
    return work


def shred_store_papers(work: Work) -> Work:
    """Uploads of a store of which nothing is left to keep, whoever stands in them."""
    _do(work, _whole_uploads)
    return work


def _do(work: Work, *steps: Callable[[Work], None]) -> None:
    passed = 0
    for step in steps:
        before = work.marks.passed
        step(work)
        if step in (_contact, _texts):  # a line of a file that is not theirs is somebody else's
            passed += work.marks.passed - before
    if passed:
        work.left.append(("contact", "same_name", {"count": passed}, []))
    if work.wrote:
        os.sync()  # once for all: a store has many letters
        work.wrote = False


@contextmanager
def _alone() -> Iterator[None]:
    """One erasure at a time rewrites files and workbooks: two would each bring back what the other took out."""
    with transaction.atomic():
        bulk.execute("SELECT pg_advisory_xact_lock(hashtext('daifa.erasing'))")
        yield


# --- Who it is ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Values:
    """What tells who people are: `own` words, and `shared` ones that somebody else bears whose data are kept."""

    own: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)

    def of(self, orders: Sequence[int], customers: Sequence[int]) -> Values:
        """The part that these orders tell: what others bear was found out for all of them at once."""
        part = Values()
        names, towns = _told(orders, part)
        for row in bulk.fetch("SELECT name, email, ref FROM customers_customer WHERE id = ANY(%s::bigint[])", (list(customers),)):
            part.own |= set(row)
        part.own |= names | towns
        part.shared = part.own & self.shared
        part.own &= self.own
        return part

    def marks(self, beside: Iterable[str] = ()) -> Marks:
        return Marks(self.own - self.shared, shared=self.shared, beside=beside if self.shared else ())


def values_of(orders: Sequence[int], customers: Sequence[int], *, kept: Sequence[int] = (), going: Sequence[int] = ()) -> Values:
    """What tells who the people of these orders are. Towns and postcodes only where nobody else here lives there.

    `kept` are orders of the same people that stay; `going` those that go beside these. A name (or a whole address) that
    people of other orders, or their customers, bear too is shared.
    """
    found = Values()
    names, towns = _told(orders, found)
    for name, email, ref in bulk.fetch(
        "SELECT name, email, ref FROM customers_customer WHERE id = ANY(%s::bigint[])", (list(customers),)
    ):
        found.own |= {name, email}
        names.add(name)
        if len(ref) >= 6 and not ref.isdigit():
            found.own.add(ref)  # a short number alone names nobody, and is too easily an amount
    here = list({*orders, *going})
    if towns:
        shared = bulk.fetch(
            """SELECT DISTINCT t FROM orders_addressversion, unnest(ARRAY[city, region, postcode]) AS t
               WHERE t IN (SELECT unnest(%s::text[])) AND order_id NOT IN (SELECT unnest(%s::bigint[]))""",
            (list(towns), here),
        )
        found.own |= towns - {row[0] for row in shared}
    if names:
        found.shared |= {
            row[0]
            for row in bulk.fetch(
                """SELECT DISTINCT n FROM unnest(%s::text[]) AS n JOIN orders_addressversion a ON lower(a.name) = lower(n)
                   WHERE a.order_id NOT IN (SELECT unnest(%s::bigint[]))""",
                (list(names), here),
            )
        }
        found.shared |= {
            row[0]
            for row in bulk.fetch(
                """SELECT DISTINCT n FROM unnest(%s::text[]) AS n JOIN customers_customer c ON lower(c.name) = lower(n)
                   WHERE EXISTS (SELECT FROM orders_order o WHERE o.customer_id = c.id AND o.id NOT IN (SELECT unnest(%s::bigint[])))""",
                (list(names), here),
            )
        }
    if kept:
        stays = Values()
        _told(kept, stays)
        found.shared |= found.own & stays.own
    for values in (found.own, found.shared):
        values -= {value for value in values if not value or value.startswith("erased:")}
    return found


def _told(orders: Sequence[int], found: Values) -> tuple[set[str], set[str]]:
    names: set[str] = set()
    towns: set[str] = set()
    for name, line1, line2, city, region, postcode, phone, email, raw, token in bulk.fetch(
        """SELECT DISTINCT name, line1, line2, city, region, postcode, phone, email, raw, token
           FROM orders_addressversion WHERE order_id = ANY(%s::bigint[])""",
        (list(orders),),
    ):
        names.add(name)
        found.own |= {name, line1, line2, phone, email, raw, token}
        towns |= {city, region, postcode}
    found.own |= {
        note
        for (note,) in bulk.fetch("SELECT note FROM orders_order WHERE id = ANY(%s::bigint[]) AND note <> ''", (list(orders),))
    }
    return names - {""}, towns - {""}


def numbers_of(orders: Sequence[int]) -> list[str]:
    """Numbers under which these orders stand in papers: a row with one of them is theirs. Short ones tell nothing."""
    return [
        number
        for (number,) in bulk.fetch(
            """SELECT number FROM orders_order WHERE id = ANY(%(ids)s::bigint[])
               UNION SELECT reference FROM purchasing_purchaseorder WHERE order_id = ANY(%(ids)s::bigint[])
               UNION SELECT number FROM shipping_parcel WHERE order_id = ANY(%(ids)s::bigint[])""",
            {"ids": list(orders)},
        )
        if len(number) >= 4 or (len(number) >= 2 and not number.isdigit())
    ]


# --- What hangs on orders -----------------------------------------------------------------------------------------


def _contact(work: Work) -> None:
    ids = work.of("contact")
    if not ids:
        return
    _linked_marks(work)
    blank = ", ".join(f"{name} = ''" for name in ADDRESS_FIELDS if name not in ("name", "country"))
    work.count(
        "orders.AddressVersion",
        bulk.execute(
            f"""UPDATE orders_addressversion SET name = %s, {blank}
                WHERE order_id = ANY(%s::bigint[]) AND name NOT LIKE 'erased:%%'""",
            (work.token, ids),
        ),
    )
    work.count(
        "orders.Order",
        bulk.execute("UPDATE orders_order SET note = '' WHERE id = ANY(%s::bigint[]) AND note <> ''", (ids,)),
    )
    _rehash("orders_order", "content_hash", "id = ANY(%s::bigint[])", ids, work)
    _rehash(
        "purchasing_placementattempt", "request_hash",
        "purchase_order_id IN (SELECT id FROM purchasing_purchaseorder WHERE order_id = ANY(%s::bigint[]))", ids, work,
    )  # fmt: skip
    # Without their words and places scans of one moment and status are the same: one of them stays.
    bulk.execute(
        """DELETE FROM shipping_trackingevent e USING shipping_trackingevent k
           WHERE e.parcel_id IN (SELECT id FROM shipping_parcel WHERE order_id = ANY(%s::bigint[]))
             AND k.parcel_id = e.parcel_id AND k.at = e.at AND k.status = e.status
             AND (k.raw_status, k.place) < (e.raw_status, e.place)""",
        (ids,),
    )
    work.count(
        "shipping.TrackingEvent",
        bulk.execute(
            """UPDATE shipping_trackingevent SET raw_status = '', place = '' WHERE (raw_status <> '' OR place <> '')
               AND parcel_id IN (SELECT id FROM shipping_parcel WHERE order_id = ANY(%s::bigint[]))""",
            (ids,),
        ),
    )


def _rehash(table: str, column: str, where: str, ids: list[int], work: Work) -> None:
    """A hash over personal data, made without a key, is made again with one: nobody can try names against it."""
    rows = bulk.fetch(f"SELECT id, {column} FROM {table} WHERE {where} AND length({column}) = 16", (ids,))
    bulk.execute(
        f"""UPDATE {table} t SET {column} = d.h FROM unnest(%s::bigint[], %s::bytea[]) AS d(id, h) WHERE t.id = d.id""",
        ([row[0] for row in rows], [keyed_digest(bytes(row[1]).hex())[:15] for row in rows]),
    )


_OF_PURCHASES = "purchase_order_id IN (SELECT id FROM purchasing_purchaseorder WHERE order_id = ANY(%s::bigint[]))"
_LINKED = {
    "orders_orderline": "order_id = ANY(%s::bigint[])",
    "orders_hold": "order_id = ANY(%s::bigint[])",
    "purchasing_placementattempt": _OF_PURCHASES,
    "purchasing_purchaseanswer": _OF_PURCHASES,
    "shipping_dispatchnotice": "parcel_id IN (SELECT id FROM shipping_parcel WHERE order_id = ANY(%s::bigint[]))",
    "buyer_messages_message": "order_id = ANY(%s::bigint[])",
    "aftersales_refund": "order_id = ANY(%s::bigint[])",
    "aftersales_aftersaleline": "order_line_id IN (SELECT id FROM orders_orderline WHERE order_id = ANY(%s::bigint[]))",
}
"""Big tables whose free texts are looked through for the orders in hand only: table → condition with one place."""


def _linked_marks(work: Work) -> None:
    for place, model, columns in _by_marks():
        if condition := _LINKED.get(model._meta.db_table):
            _take_out(work, place, model, columns, condition, (work.of(place.data),))


def _customers(work: Work) -> None:
    if not work.customers:
        return
    rows = bulk.fetch(
        "SELECT id, store_id, ref FROM customers_customer WHERE id = ANY(%s::bigint[]) AND ref NOT LIKE 'erased:%%'",
        (work.customers,),
    )
    tokens = [f"erased:{keyed_digest(f'{store}/{ref}').hex()[:20]}" for _id, store, ref in rows]
    work.count(
        "customers.Customer",
        bulk.execute(
            """UPDATE customers_customer c SET ref = d.ref, name = %s, email = ''
               FROM unnest(%s::bigint[], %s::text[]) AS d(id, ref) WHERE c.id = d.id""",
            (work.token, [row[0] for row in rows], tokens),
        ),
    )
    proofs = bulk.fetch(
        "SELECT id, proof FROM customers_consent WHERE customer_id = ANY(%s::bigint[]) AND proof NOT LIKE 'erased:%%'",
        (work.customers,),
    )
    work.count(
        "customers.Consent",
        bulk.execute(
            "UPDATE customers_consent c SET proof = d.p FROM unnest(%s::bigint[], %s::text[]) AS d(id, p) WHERE c.id = d.id",
            ([row[0] for row in proofs], [f"erased:{keyed_digest(row[1]).hex()}" for row in proofs]),
        ),
    )


def _letters(work: Work) -> None:
    ids = work.of("letters")
    if not ids:
        return
    waiting = bulk.fetch(
        "SELECT id FROM buyer_messages_message WHERE order_id = ANY(%s::bigint[]) AND state IN ('queued', 'failed')", (ids,)
    )
    suppress_queued({row[0]: "by_hand" for row in waiting}, by=work.by, at=work.at)
    sent = bulk.fetch("SELECT id FROM buyer_messages_message WHERE order_id = ANY(%s::bigint[])", (ids,))
    work.count(
        "buyer_messages.Message",
        bulk.execute(
            """UPDATE buyer_messages_message SET subject = '', body = ''
               WHERE order_id = ANY(%s::bigint[]) AND (subject <> '' OR body <> '')""",
            (ids,),
        ),
    )
    known = work.letters if work.letters is not None else letters_by_message()
    for (message,) in sent:
        for path in known.get(message, ()):
            if path.stat().st_size != len(LETTER):
                work.count("mail", 1)
                work.done_with.add(path)
                _write(work, path, LETTER)


def letters_by_message() -> dict[int, list[Path]]:
    """Letters to buyers in the mail folder, by the message they were: the folder is read once for many orders."""
    found: dict[int, list[Path]] = {}
    for path in _files(Path(settings.EMAIL_FILE_PATH)):
        if named := re.match(r"buyer-(\d+)\.", path.name):
            found.setdefault(int(named[1]), []).append(path)
    return found


# --- Papers -------------------------------------------------------------------------------------------------------


def _rows_of_orders(work: Work) -> None:
    """Rows of uploads that were refused or remarked on and that name an order by its number."""
    if ids := work.of("papers"):
        work.count(
            "imports.ImportRow",
            bulk.execute(
                """UPDATE imports_importrow r SET raw = '[]'
                   FROM imports_importfile f, orders_order o, unnest(%s::bigint[]) AS gone (id)
                   WHERE f.id = r.file_id AND o.id = gone.id AND r.document = o.number AND r.raw <> '[]'
                     AND (f.store_id = o.store_id OR f.store_id IS NULL)""",
                (ids,),
            ),
        )


def _rows(work: Work) -> None:
    """Rows of uploads in which a mark stands."""
    for rows in _read(work, "imports_importrow", "id", "raw", "raw <> '[]'", ()):
        found = []
        for row_id, raw in rows:
            value = json.loads(raw)
            if work.marks.blanked_value(value) != value:
                found.append(row_id)
        work.count(
            "imports.ImportRow",
            bulk.execute("UPDATE imports_importrow SET raw = '[]' WHERE id = ANY(%s::bigint[])", (found,)) if found else 0,
        )


def _runs(work: Work) -> None:
    """Workbooks: the person's cells; the whole content once none of its orders is still needed. The hash stays."""
    ids = work.of("papers")
    for (run,) in bulk.fetch(
        """SELECT DISTINCT p.run_id FROM unnest(%s::bigint[]) AS gone (id) JOIN purchasing_purchaseorder p ON p.order_id = gone.id
           WHERE p.run_id IS NOT NULL ORDER BY 1""",
        (ids,),
    ):
        with _alone():
            ((content, others),) = bulk.fetch(
                """SELECT r.content, EXISTS (
                       SELECT FROM purchasing_purchaseorder x WHERE x.run_id = r.id AND x.order_id NOT IN (SELECT unnest(%s::bigint[]))
                       AND NOT EXISTS (SELECT FROM orders_addressversion a WHERE a.order_id = x.order_id AND a.name LIKE 'erased:%%'))
                   FROM purchasing_purchaserun r WHERE r.id = %s""",
                (ids, run),
            )
            content = bytes(content)
            if not content:
                continue
            after = _blanked(content, work.marks, otherwise=b"") if others else b""
            if after is not content:
                work.count("purchasing.PurchaseRun", 1)
                bulk.execute("UPDATE purchasing_purchaserun SET content = %s WHERE id = %s", (after, run))


def _whole_uploads(work: Work) -> None:
    for (sha256,) in bulk.fetch(
        """SELECT DISTINCT sha256 FROM imports_importfile f WHERE store_id = %s AND NOT EXISTS (
               SELECT FROM imports_importfile o WHERE o.sha256 = f.sha256 AND o.store_id IS DISTINCT FROM f.store_id)""",
        (work.whole_store,),
    ):
        path = keeping.path_of("imports", sha256)
        work.done_with.add(path)
        work.count("files/imports", _delete(work, path))
    work.count(
        "imports.ImportRow",
        bulk.execute(
            """UPDATE imports_importrow r SET raw = '[]' FROM imports_importfile f
               WHERE f.id = r.file_id AND f.store_id = %s AND r.raw <> '[]'""",
            (work.whole_store,),
        ),
    )


def _served_uploads(work: Work, ids: list[int]) -> None:
    """Uploads of orders none of which is still needed: with them go the rows that never became an order."""
    brought = bulk.fetch(
        """WITH brought AS MATERIALIZED (
               SELECT DISTINCT o.source FROM unnest(%s::bigint[]) AS gone (id) JOIN orders_order o ON o.id = gone.id
               WHERE o.source ~ '^import:[0-9]+$'),
           named AS MATERIALIZED (SELECT substr(source, 8)::bigint AS file, source FROM brought)
           SELECT ARRAY[f.id::text, f.sha256], array_agg(o.id) FROM named
           JOIN imports_importfile f ON f.id = named.file JOIN orders_order o ON o.source = named.source
           WHERE f.kind = 'orders' AND NOT EXISTS (SELECT FROM imports_importfile t WHERE t.sha256 = f.sha256 AND t.id <> f.id)
           GROUP BY f.id, f.sha256 ORDER BY f.id""",
        (ids,),
    )
    for file, sha256 in _only_theirs(brought, ids, "papers"):
        path = keeping.path_of("imports", sha256)
        work.done_with.add(path)
        work.count("files/imports", _delete(work, path))
        work.count(
            "imports.ImportRow",
            bulk.execute("UPDATE imports_importrow SET raw = '[]' WHERE file_id = %s AND raw <> '[]'", (int(file),)),
        )


def _uploads(work: Work) -> None:
    """The bytes of uploads, as they lie in the file store."""
    ids = work.of("papers")
    if not ids or not work.marks:
        return
    if work.whole_store is not None:
        _whole_uploads(work)
    _served_uploads(work, ids)
    brought = {
        keeping.path_of("imports", sha256)
        for (sha256,) in bulk.fetch(
            """SELECT DISTINCT f.sha256 FROM unnest(%s::bigint[]) AS gone (id) JOIN orders_order o ON o.id = gone.id
               JOIN imports_importfile f ON o.source = 'import:' || f.id""",
            (ids,),
        )
    }
    others = {  # goods and prices; and what goes as a whole when the store does
        keeping.path_of("imports", sha256)
        for (sha256,) in bulk.fetch(
            """SELECT sha256 FROM imports_importfile GROUP BY 1
               HAVING bool_and(kind IN ('products', 'offers')) OR bool_and(store_id IS NOT DISTINCT FROM %s)""",
            (work.left_for_last,),
        )
    }
    others |= _without(work.marks)
    for path in _files(Path(settings.MEDIA_ROOT) / "imports"):
        if path not in others and path not in work.done_with:
            # What cannot be taken apart goes as a whole where the orders came with it.
            with _alone():
                _blank_file(work, path, "files/imports", otherwise=b"" if path in brought else None)


def _without(marks: Marks) -> set[Path]:
    """Uploads in which these few people certainly do not stand, by the words that were listed for them."""
    if marks.words() is None:
        return set()
    key = sieve_key()
    spots: dict[str, Spot] = {}

    def spot_of(word: str) -> Spot:
        if word not in spots:
            spots[word] = spot(word, key)
        return spots[word]

    found = set()
    for sha256, size, bits in sieves(sieve_digest(key)):
        sieve = Sieve(key, bits)
        if not marks.may_stand_in(lambda word, sieve=sieve: sieve.may_hold_spot(spot_of(word))):
            path = keeping.path_of("imports", sha256)
            try:
                if path.stat().st_size == size:
                    found.add(path)
            except FileNotFoundError:
                continue
    return found


def list_words(*, at: datetime, until: Callable[[], bool] = lambda: False) -> int:
    """List the words of every upload that can hold buyers and that nobody has listed yet; returns how many uploads.

    Goes on until `until()` says so. Nobody is erased from a file while it is read.
    """
    key = sieve_key()
    digest = sieve_digest(key)
    done = 0
    for sha256 in unknown_uploads(digest):
        if until():
            break
        with _alone():
            try:
                content = keeping.path_of("imports", sha256).read_bytes()
            except FileNotFoundError:
                continue  # it was deleted with its buyers
            keep_sieve(sha256, size=len(content), key=digest, bits=_bits_of(content, key), at=at)
            done += 1
    return done


def _bits_of(content: bytes, key: bytes) -> bytes:
    listener = Listener()
    try:
        blanked_bytes(content, listener)
    except (CannotRead, TooMuch):
        return b""
    return bytes(Sieve.of(listener.keys, key).bits)


def sieve_key() -> bytes:
    """With which the words of uploads are hashed."""
    return keyed_digest("words of uploads")


def sieve_digest(key: bytes) -> bytes:
    """By which a sieve of another key is known."""
    return hashlib.sha256(key).digest()[:8]


def _mail_folder(work: Work) -> None:
    """Letters with workbooks, and whatever else in the mail folder bears the marks.

    Letters of other buyers and with other runs cannot; they are not opened.
    """
    ids = sorted({*work.of("letters"), *work.of("papers")})
    if not ids or not work.marks:
        return
    runs = {row[0] for row in bulk.fetch("SELECT DISTINCT run_id FROM purchasing_purchaseorder WHERE order_id = ANY(%s::bigint[])", (ids,))}
    for path in _files(Path(settings.EMAIL_FILE_PATH)):
        found = re.match(r"(run|buyer)-(\d+)[-.]", path.name)
        if not found or (found[1] == "run" and int(found[2]) in runs):
            with _alone():
                _blank_file(work, path, "mail", otherwise=None)


# --- Disputes -----------------------------------------------------------------------------------------------------


def _disputes(work: Work) -> None:
    ids = work.of("disputes")
    if not ids:
        return
    for place, table, columns in (
        ("aftersales.AftersaleCase", "aftersales_aftersalecase", ("note",)),
        ("cases.Complaint", "cases_complaint", ("text", "answer")),
        ("compliance.AgreedDispatch", "compliance_agreeddispatch", ("proof", "said")),
        ("shipping.ParcelCheck", "shipping_parcelcheck", ("note", "name", "reason")),
    ):
        sets = ", ".join(f"{name} = ''" for name in columns)
        full = " OR ".join(f"{name} <> ''" for name in columns)
        work.count(
            place, bulk.execute(f"UPDATE {table} SET {sets} WHERE order_id = ANY(%s::bigint[]) AND ({full})", (ids,))
        )
    bulk.execute("UPDATE cases_complaint SET found = '{}' WHERE order_id = ANY(%s::bigint[]) AND found <> '{}'", (ids,))
    bulk.execute("UPDATE shipping_parcelcheck SET traces = '[]' WHERE order_id = ANY(%s::bigint[]) AND traces <> '[]'", (ids,))
    photos = bulk.fetch(
        """SELECT c.sha256, array_agg(coalesce(o.order_id, 0)) FROM shipping_parcelcheck c
           JOIN shipping_parcelcheck o ON o.sha256 = c.sha256 WHERE c.order_id = ANY(%s::bigint[]) GROUP BY 1""",
        (ids,),
    )
    for sha256 in _only_theirs(photos, ids):
        work.count("files/" + PHOTO_FOLDER, _delete(work, keeping.path_of(PHOTO_FOLDER, sha256)))
    # By what they hang on, not by marks: the names may be gone from the orders long before a dispute's time is over.
    violations = _only_theirs(
        bulk.fetch(
            """SELECT v.violation_id, array_agg(o.order_id) FROM (
                   SELECT DISTINCT violation_id FROM cases_violationorder WHERE order_id = ANY(%s::bigint[])) v
               JOIN cases_violationorder o ON o.violation_id = v.violation_id GROUP BY 1""",
            (ids,),
        ),
        ids,
    )
    work.count(
        "cases.Violation",
        bulk.execute("UPDATE cases_violation SET note = '' WHERE id = ANY(%s::bigint[]) AND note <> ''", (violations,)),
    )
    work.count(
        "cases.Appeal",
        bulk.execute(
            """UPDATE cases_appeal SET text = '', answer = ''
               WHERE violation_id = ANY(%s::bigint[]) AND (text <> '' OR answer <> '')""",
            (violations,),
        ),
    )
    files = bulk.fetch(
        """SELECT f.sha256, array_agg(coalesce(oc.order_id, 0)) FROM cases_casefile f
           JOIN cases_complaint c ON f.thing_kind = 'complaint' AND f.thing = c.id
           JOIN cases_casefile o ON o.sha256 = f.sha256 LEFT JOIN cases_complaint oc ON o.thing_kind = 'complaint' AND o.thing = oc.id
           WHERE c.order_id = ANY(%s::bigint[]) GROUP BY 1""",
        (ids,),
    )
    for sha256 in _only_theirs(files, ids):
        work.count("files/cases", _delete(work, case_path(sha256)))


def _only_theirs(things: Sequence[tuple[Any, Sequence[int]]], ids: Sequence[int], data: str = "disputes") -> list[Any]:
    """Of (thing, orders), the things all of whose orders are among these or gave up this class of data before.

    Order 0 stands for something that hangs on no order, and is never given up.
    """
    gone = set(ids)
    others = {order for _thing, orders in things for order in orders} - gone
    gone |= erased_before(sorted(others), data) if others else set()
    return [thing for thing, orders in things if set(orders) <= gone]


def _evidence(work: Work) -> None:
    """Packs made of these orders alone are deleted; one that serves others too stays with them."""
    ids = work.of("disputes")
    packs = bulk.fetch(
        """SELECT id, name, sha256, orders FROM cases_evidencepack
           WHERE orders && %s::bigint[] AND erased_at IS NULL ORDER BY id""",
        (ids,),
    )
    alone = set(_only_theirs([(pack, orders) for pack, _name, _sha, orders in packs], ids))
    for pack, name, sha256, _orders in packs:
        if pack not in alone:
            work.left.append(("cases.EvidencePack", "pack_of_others", {"name": name}, []))
            continue
        path = case_path(sha256, "evidence")
        shared = bulk.fetch(
            "SELECT 1 FROM cases_evidencepack WHERE sha256 = %s AND id <> %s AND erased_at IS NULL", (sha256, pack)
        )
        if not shared:
            _delete(work, path)
        work.count("cases.EvidencePack", 1)
        bulk.execute("UPDATE cases_evidencepack SET erased_at = %s WHERE id = %s", (work.at, pack))


# --- Free texts ---------------------------------------------------------------------------------------------------


def _texts(work: Work) -> None:
    """Every column that can hold a name by accident: tasks, reasons, jobs, notes, and the history of edits."""
    if not work.marks:
        return
    for place, model, columns in _by_marks():
        if model._meta.db_table not in _LINKED and work.of(place.data):
            with _memos_may_lose_words(model):
                _take_out(work, place, model, columns, "true", ())
    for place in PERSONAL:  # what hangs on no order although it could
        if place.model in _MAY_HANG_LOOSE and work.of(place.data):
            model = apps.get_model(place.model)
            columns = [model._meta.get_field(name) for name in place.fields.split()]
            _take_out(work, place, model, columns, "order_id IS NULL", ())


_OF_PURCHASE = "(SELECT p.order_id FROM purchasing_purchaseorder p WHERE p.id = purchase_order_id)"
_WRITTEN = (
    ("orders.Order", "note", "orders_order.id"),
    ("purchasing.PurchaseAnswer", "rows", _OF_PURCHASE),
    ("purchasing.PlacementAttempt", "result proof", _OF_PURCHASE),
    ("aftersales.AftersaleCase", "note", "order_id"),
    ("aftersales.Refund", "reason no_claim_reason", "order_id"),
    ("cases.Complaint", "text answer", "order_id"),
)
"""What people wrote on orders, with the order it hangs on: (model, columns, order)."""


def _others(work: Work) -> None:
    """Words about these people on other buyers' orders. Those that are not over keep them, and it is told (`named`)."""
    if not work.marks:
        return
    for place, model, columns, text, order in _written():
        if not (mine := work.of(place.data)):
            continue
        table = model._meta.db_table
        if work.bearing is not None:  # of many people each text is read once, not in every stride
            condition, params = f"{table}.id = ANY(%s::bigint[])", [list(work.bearing.get(place.model, ()))]
        elif work.marks.words() is not None:
            condition, params = f"({order} = ANY(%s::bigint[])) IS NOT TRUE", [mine]
        else:
            continue
        bearing = [
            key for rows in _read(work, table, "id", text, condition, params) for key, words in rows if work.marks.are_in(words)
        ]
        if not bearing:
            continue
        hang_on = dict(bulk.fetch(f"SELECT id, {order} FROM {table} WHERE id = ANY(%s::bigint[])", (bearing,)))
        held = set(work.holds(sorted({one for one in hang_on.values() if one})))
        _take_out(work, place, model, columns, f"{table}.id = ANY(%s::bigint[])", ([key for key in bearing if hang_on[key] not in held],))
        for key in bearing:
            if hang_on[key] in held:
                work.named[hang_on[key]] = work.named.get(hang_on[key], 0) + 1


def _written() -> Iterator[tuple[Place, Any, list[Any], str, str]]:
    """Of each of `_WRITTEN`: its place on the map, model, columns, all a row's words as one SQL text, the order's SQL."""
    for label, names, order in _WRITTEN:
        place = next(one for one in PERSONAL if one.model == label and set(names.split()) <= set(one.fields.split()))
        model = apps.get_model(label)
        columns = [model._meta.get_field(name) for name in names.split()]
        yield place, model, columns, "(" + " || ' ' || ".join(f'"{column.column}"::text' for column in columns) + ")", order


def told_named(named: Mapping[int, int]) -> list[tuple[str, str, dict[str, Any], list[int]]]:
    """The sentence about orders that keep words about erased people."""
    if not named:
        return []
    numbers = [row[0] for row in bulk.fetch("SELECT number FROM orders_order WHERE id = ANY(%s::bigint[]) ORDER BY id LIMIT 5", (sorted(named),))]
    told = ", ".join(numbers) + (" …" if len(named) > len(numbers) else "")
    return [("contact", "named_by_others", {"count": sum(named.values()), "orders": told}, sorted(named))]


def may_name_others(strides: Iterable[Sequence[int]], going: Sequence[int]) -> dict[str, list[int]]:
    """Rows in which people wrote something that may name one of these many people: {model: ids}, each text read once.

    `going`: the orders of all strides; their own notes, cases and complaints go as they are, so those are not read. What is
    remembered of the people is a sieve with which their names begin, a few bytes for each.
    """
    sieve = Sieve.for_about(len(going) * _HEADS)
    for stride in strides:
        told = Values()
        names, towns = _told(stride, told)
        sieve.add(heads_of(told.own | names | towns))
    found: dict[str, list[int]] = {}
    for place, model, _columns, text, order in _written():
        table = model._meta.db_table
        # What holds no word of anybody (empty, {}, figures) is not read.
        condition = f"""{text} ~ '[[:alpha:]]{{2}}|[^\\x01-\\x7f]|[0-9][0-9 -]{{5}}'"""
        params: list[Any] = []
        if place.how == "blank":
            condition, params = f"{condition} AND ({order} = ANY(%s::bigint[])) IS NOT TRUE", [list(going)]
        last = 0
        while rows := bulk.fetch(f"SELECT id, {text} FROM {table} WHERE {condition} AND id > %s ORDER BY id LIMIT {AT_ONCE}", (*params, last)):
            for key, words in rows:
                listener = Listener()
                listener.blanked(words)
                if any(map(sieve.may_hold, listener.keys)):
                    found.setdefault(place.model, []).append(key)
            last = rows[-1][0]
    return found


_HEADS = 12  # marks of an order, about


_MAY_HANG_LOOSE = ("cases.Complaint", "shipping.ParcelCheck")


@contextmanager
def _memos_may_lose_words(model: Any) -> Iterator[None]:
    """Entries of the books are final; a trigger lets their memos lose words, and nothing else, while this is said."""
    if model._meta.db_table != "books_entry":
        yield
        return
    with transaction.atomic():
        bulk.execute("SELECT set_config('daifa.erasing', 'yes', true)")
        yield
        bulk.execute("SELECT set_config('daifa.erasing', '', true)")


def _by_marks() -> Iterator[tuple[Place, Any, list[models.Field]]]:
    """Places that are looked through for marks, with the histories of edits of every tracked model."""
    for place in PERSONAL:
        if place.how != "marks":
            continue
        model = apps.get_model(place.model)
        yield place, model, [model._meta.get_field(name) for name in place.fields.split()]
    for model in apps.get_models():
        tracked = getattr(model, "pgh_tracked_model", None)
        if tracked is None:
            continue
        followed = {name for place in PERSONAL if place.model == tracked._meta.label for name in place.fields.split()}
        columns = [one for one in model._meta.concrete_fields if one.name in followed and is_text(one)]
        if columns:
            yield Place(tracked._meta.label, "", "contact", "marks"), model, columns


def is_text(column: models.Field) -> bool:
    """Whether a column can hold words: text, JSON, or a list of texts."""
    if isinstance(column, ArrayField):
        return is_text(column.base_field)
    return isinstance(column, (models.CharField, models.TextField, models.JSONField))


def _take_out(
    work: Work, place: Place, model: Any, columns: Sequence[models.Field], condition: str, params: Sequence[Any]
) -> None:
    """Texts with marks are written back without them; what somebody changed meanwhile is left to him."""
    table, key = model._meta.db_table, model._meta.pk
    for column in columns:
        name, kind = f'"{column.column}"', column.db_type(connection)
        for rows in _read(work, table, key.column, name, f"{name}::text <> '' AND {condition}", params):
            changes: list[tuple[Any, str, str]] = []
            for row_id, text in rows:
                if isinstance(column, models.JSONField):
                    value = json.loads(text)
                    blanked = work.marks.blanked_value(value)
                    if blanked != value:
                        changes.append((row_id, text, json.dumps(blanked, ensure_ascii=False)))
                elif (blanked := work.marks.blanked(text)) != text:
                    most = getattr(column, "max_length", None)
                    changes.append((row_id, text, blanked[:most] if most else blanked))
            if changes:
                ids, old, new = zip(*changes, strict=True)
                work.count(
                    place.model,
                    bulk.execute(
                        f"""UPDATE {table} SET {name} = d.new::{kind}
                            FROM unnest(%s::{key.rel_db_type(connection)}[], %s::text[], %s::text[]) AS d(id, old, new)
                            WHERE {table}.{key.column} = d.id AND {name}::text = d.old""",
                        (list(ids), list(old), list(new)),
                    ),
                )


def _read(
    work: Work, table: str, key: str, text: str, condition: str, params: Sequence[Any]
) -> Iterator[list[tuple[Any, str]]]:
    """(key, text) of rows whose text may hold a mark, some at a time: a coarse sieve by the database, where that pays."""
    if not work.marks:
        return
    words = work.marks.words()
    sieve, sieved = "", ()
    if words is not None:
        # The database knows half width, not accents and traditional characters: those stand in the pattern.
        sieve, sieved = f" AND normalize({text}::text, NFKC) ~* %s", ("|".join(spellings(word) for word in words),)
    query = f"SELECT {key}, {text}::text FROM {table} WHERE {condition}{sieve}"
    rows = bulk.fetch(f"{query} ORDER BY {key} LIMIT {AT_ONCE}", (*params, *sieved))
    while rows:
        yield rows
        if len(rows) < AT_ONCE:
            return
        rows = bulk.fetch(f"{query} AND {key} > %s ORDER BY {key} LIMIT {AT_ONCE}", (*params, *sieved, rows[-1][0]))


# --- Files --------------------------------------------------------------------------------------------------------


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]


def _blanked(content: bytes, marks: Marks, *, otherwise: bytes | None) -> bytes:
    """The content without marks; `otherwise` (None: as it is) where it cannot be taken apart."""
    try:
        return blanked_bytes(content, marks)
    except CannotRead:
        return content if otherwise is None else otherwise


def _blank_file(work: Work, path: Path, place: str, *, otherwise: bytes | None) -> None:
    if path in work.done_with:
        return
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    after = _blanked(content, work.marks, otherwise=otherwise)
    if after is not content and after != content:
        work.count(place, 1)
        _write(work, path, after)


def _write(work: Work, path: Path, content: bytes) -> None:
    """In place whole or not at all, over what was there."""
    if not work.for_real:
        return
    handle, aside = tempfile.mkstemp(prefix=".erase-", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.replace(aside, path)
    _forget(path)
    work.wrote = True


def _delete(work: Work, path: Path) -> int:
    if not path.exists():
        return 0
    if work.for_real:
        path.unlink(missing_ok=True)
        _forget(path)
    return 1


def _forget(path: Path) -> None:
    """What was known of the words of an upload goes with them."""
    if path.parent.parent.name == "imports":
        forget_sieve(path.name)

