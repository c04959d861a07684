"""Erasing by the map (`privacy.places`): rows by what they hang on, free texts and files by the person's marks.

Everything runs in the caller's transaction, which holds the orders' locks. Files are changed before it commits: should
it fail, they hold less than the rows say, and erasing again finishes it.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models

from daifa.domain.cases.files import path_of as case_path
from daifa.domain.messages.commands import suppress_queued
from daifa.domain.orders.rules import ADDRESS_FIELDS
from daifa.domain.privacy.places import PERSONAL, Place
from daifa.domain.shipping.checks import PHOTO_FOLDER
from daifa.lib import bulk, keeping
from daifa.lib.redact import CannotRead, Marks, blanked_bytes
from daifa.lib.secret import keyed_digest

MOST_WORDS = 300  # beyond so many words the database's sieve costs more than reading everything
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
    for_real: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    left: list[tuple[str, str, dict[str, Any], list[int]]] = field(default_factory=list)
    wrote: bool = False
    done_with: set[Path] = field(default_factory=set)  # files, so that none counts twice

    def of(self, data: str) -> list[int]:
        return self.orders.get(data, [])

    def count(self, place: str, number: int) -> None:
        if number > 0:
            self.counts[place] += number


def shred(work: Work) -> Work:
    """Do it, or count it. The order matters: marks are taken out of what hangs on orders before that is emptied."""
    for step in (
        _contact, _customers, _letters, _rows, _runs, _disputes, _evidence, _texts, _uploads, _mail_folder,
    ):  # fmt: skip
        step(work)
    if work.wrote:
        os.sync()  # once for all: a store has many letters
    return work


def values_of(orders: Sequence[int], customers: Sequence[int]) -> set[str]:
    """What tells who the people of these orders are. Towns and postcodes only where nobody else here lives there."""
    found: set[str] = set()
    towns: set[str] = set()
    for name, line1, line2, city, region, postcode, phone, email, raw, token in bulk.fetch(
        """SELECT DISTINCT name, line1, line2, city, region, postcode, phone, email, raw, token
           FROM orders_addressversion WHERE order_id = ANY(%s::bigint[])""",
        (list(orders),),
    ):
        found |= {name, line1, line2, phone, email, raw, token}
        towns |= {city, region, postcode}
    found |= {
        note
        for (note,) in bulk.fetch("SELECT note FROM orders_order WHERE id = ANY(%s::bigint[]) AND note <> ''", (list(orders),))
    }
    for name, email, ref in bulk.fetch(
        "SELECT name, email, ref FROM customers_customer WHERE id = ANY(%s::bigint[])", (list(customers),)
    ):
        found |= {name, email}
        if len(ref) >= 6 and not ref.isdigit():
            found.add(ref)  # a short number alone names nobody, and is too easily an amount
    towns -= {""}
    if towns:
        shared = bulk.fetch(
            """SELECT DISTINCT t FROM orders_addressversion, unnest(ARRAY[city, region, postcode]) AS t
               WHERE t = ANY(%s::text[]) AND NOT order_id = ANY(%s::bigint[])""",
            (list(towns), list(orders)),
        )
        found |= towns - {row[0] for row in shared}
    return {value for value in found if value and not value.startswith("erased:")}


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
    rows = bulk.fetch("SELECT id FROM buyer_messages_message WHERE order_id = ANY(%s::bigint[])", (ids,))
    work.count(
        "buyer_messages.Message",
        bulk.execute(
            """UPDATE buyer_messages_message SET subject = '', body = ''
               WHERE order_id = ANY(%s::bigint[]) AND (subject <> '' OR body <> '')""",
            (ids,),
        ),
    )
    folder = Path(settings.EMAIL_FILE_PATH)
    letters = {row[0] for row in rows}
    for path in _files(folder):
        found = re.match(r"buyer-(\d+)\.", path.name)
        if found and int(found[1]) in letters and path.stat().st_size != len(LETTER):
            work.count("mail", 1)
            work.done_with.add(path)
            _write(work, path, LETTER)


# --- Papers -------------------------------------------------------------------------------------------------------


def _rows(work: Work) -> None:
    """Rows of uploads that were refused or remarked on: those of the orders, and those in which a mark stands."""
    if ids := work.of("papers"):
        work.count(
            "imports.ImportRow",
            bulk.execute(
                """UPDATE imports_importrow r SET raw = '[]' FROM imports_importfile f, orders_order o
                   WHERE f.id = r.file_id AND o.id = ANY(%s::bigint[]) AND r.document = o.number AND r.raw <> '[]'
                     AND (f.store_id = o.store_id OR f.store_id IS NULL)""",
                (ids,),
            ),
        )
    found = [
        row_id
        for row_id, raw in _sieved(work, "SELECT id, raw::text FROM imports_importrow WHERE raw <> '[]'", "raw::text")
        if work.marks.blanked_value(json.loads(raw)) != json.loads(raw)
    ]
    work.count(
        "imports.ImportRow",
        bulk.execute("UPDATE imports_importrow SET raw = '[]' WHERE id = ANY(%s::bigint[])", (found,)),
    )


def _runs(work: Work) -> None:
    """Workbooks: the person's cells; the whole content once none of its orders is still needed. The hash stays."""
    ids = work.of("papers")
    for run, others in bulk.fetch(
        """SELECT r.id, EXISTS (SELECT FROM purchasing_purchaseorder x WHERE x.run_id = r.id AND NOT x.order_id = ANY(%s::bigint[])
                                AND NOT EXISTS (SELECT FROM orders_addressversion a WHERE a.order_id = x.order_id
                                                AND a.name LIKE 'erased:%%'))
           FROM purchasing_purchaserun r WHERE length(r.content) > 0 AND EXISTS (
               SELECT FROM purchasing_purchaseorder p WHERE p.run_id = r.id AND p.order_id = ANY(%s::bigint[]))
           ORDER BY r.id""",
        (ids, ids),
    ):
        content = bytes(bulk.fetch("SELECT content FROM purchasing_purchaserun WHERE id = %s", (run,))[0][0])
        after = _blanked(content, work.marks, otherwise=b"") if others else b""
        if after is not content:
            work.count("purchasing.PurchaseRun", 1)
            bulk.execute("UPDATE purchasing_purchaserun SET content = %s WHERE id = %s", (after, run))


def _uploads(work: Work) -> None:
    """The bytes of uploads, as they lie in the file store."""
    ids = work.of("papers")
    gone: set[Path] = set()
    if work.whole_store is not None and ids:
        for (sha256,) in bulk.fetch(
            """SELECT DISTINCT sha256 FROM imports_importfile f WHERE store_id = %s AND NOT EXISTS (
                   SELECT FROM imports_importfile o WHERE o.sha256 = f.sha256 AND o.store_id IS DISTINCT FROM f.store_id)""",
            (work.whole_store,),
        ):
            gone.add(keeping.path_of("imports", sha256))
        bulk.execute(
            """UPDATE imports_importrow r SET raw = '[]' FROM imports_importfile f
               WHERE f.id = r.file_id AND f.store_id = %s AND r.raw <> '[]'""",
            (work.whole_store,),
        )
    brought = {
        keeping.path_of("imports", sha256)
        for (sha256,) in bulk.fetch(
            """SELECT DISTINCT f.sha256 FROM imports_importfile f JOIN orders_order o ON o.source = 'import:' || f.id
               WHERE o.id = ANY(%s::bigint[])""",
            (ids,),
        )
    }
    lists = {
        keeping.path_of("imports", sha256)
        for (sha256,) in bulk.fetch(
            """SELECT sha256 FROM imports_importfile GROUP BY 1 HAVING bool_and(kind IN ('products', 'offers'))"""
        )
    }
    for path in _files(Path(settings.MEDIA_ROOT) / "imports"):
        if path in lists:
            continue  # goods and prices
        if path in gone:
            work.count("files/imports", 1)
            _delete(work, path)
        elif ids and work.marks:
            # What cannot be taken apart goes as a whole where the orders came with it.
            _blank_file(work, path, "files/imports", otherwise=b"" if path in brought else None)


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
            _blank_file(work, path, "mail", otherwise=None)


# --- Disputes -----------------------------------------------------------------------------------------------------


def _disputes(work: Work) -> None:
    ids = work.of("disputes")
    if not ids:
        return
    for place, table, columns in (
        ("aftersales.AftersaleCase", "aftersales_aftersalecase", ("note",)),
        ("cases.Complaint", "cases_complaint", ("text", "answer")),
        ("shipping.ParcelCheck", "shipping_parcelcheck", ("note", "name", "reason")),
    ):
        sets = ", ".join(f"{name} = ''" for name in columns)
        full = " OR ".join(f"{name} <> ''" for name in columns)
        work.count(
            place, bulk.execute(f"UPDATE {table} SET {sets} WHERE order_id = ANY(%s::bigint[]) AND ({full})", (ids,))
        )
    bulk.execute("UPDATE cases_complaint SET found = '{}' WHERE order_id = ANY(%s::bigint[]) AND found <> '{}'", (ids,))
    bulk.execute("UPDATE shipping_parcelcheck SET traces = '[]' WHERE order_id = ANY(%s::bigint[]) AND traces <> '[]'", (ids,))
    for (sha256,) in bulk.fetch(
        """SELECT DISTINCT sha256 FROM shipping_parcelcheck c WHERE order_id = ANY(%(ids)s::bigint[]) AND NOT EXISTS (
               SELECT FROM shipping_parcelcheck o WHERE o.sha256 = c.sha256
               AND (o.order_id IS NULL OR NOT o.order_id = ANY(%(ids)s::bigint[])))""",
        {"ids": ids},
    ):
        work.count("files/" + PHOTO_FOLDER, _delete(work, keeping.path_of(PHOTO_FOLDER, sha256)))
    # By what they hang on, not by marks: the names may be gone from the orders long before a dispute's time is over.
    violations = [
        row[0]
        for row in bulk.fetch(
            """SELECT violation_id FROM cases_violationorder GROUP BY 1 HAVING bool_and(order_id = ANY(%s::bigint[]))""",
            (ids,),
        )
    ]
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
    for (sha256,) in bulk.fetch(
        """SELECT DISTINCT f.sha256 FROM cases_casefile f JOIN cases_complaint c ON f.thing_kind = 'complaint' AND f.thing = c.id
           WHERE c.order_id = ANY(%(ids)s::bigint[]) AND NOT EXISTS (
               SELECT FROM cases_casefile o LEFT JOIN cases_complaint oc ON o.thing_kind = 'complaint' AND o.thing = oc.id
               WHERE o.sha256 = f.sha256 AND (oc.id IS NULL OR oc.order_id IS NULL OR NOT oc.order_id = ANY(%(ids)s::bigint[])))""",
        {"ids": ids},
    ):
        work.count("files/cases", _delete(work, case_path(sha256)))


def _evidence(work: Work) -> None:
    """Packs made of these orders alone are deleted; one that serves others too stays with them."""
    ids = work.of("disputes")
    for pack, name, sha256, alone in bulk.fetch(
        """SELECT id, name, sha256, orders <@ %(ids)s::bigint[] FROM cases_evidencepack
           WHERE orders && %(ids)s::bigint[] AND erased_at IS NULL ORDER BY id""",
        {"ids": ids},
    ):
        if not alone:
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
            _take_out(work, place, model, columns, "true", ())
    for place in PERSONAL:  # what hangs on no order although it could
        if place.model in _MAY_HANG_LOOSE and work.of(place.data):
            model = apps.get_model(place.model)
            columns = [model._meta.get_field(name) for name in place.fields.split()]
            _take_out(work, place, model, columns, "order_id IS NULL", ())
    if work.of("contact"):
        _look_into_books(work)


_MAY_HANG_LOOSE = ("cases.Complaint", "shipping.ParcelCheck")


def _look_into_books(work: Work) -> None:
    """Entries are final: a name that somebody wrote into a memo stays, and is told."""
    rows = _sieved(work, "SELECT id, memo FROM books_entry WHERE memo <> ''", "memo")
    if found := sum(1 for _entry, memo in rows if work.marks.are_in(memo)):
        work.left.append(("books", "books_final", {"count": found}, []))


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
    """Distinct texts are read, and those with marks written back without them, wherever they stand."""
    table = model._meta.db_table
    for column in columns:
        name = f'"{column.column}"'
        rows = _sieved(
            work, f"SELECT DISTINCT 0, {name}::text FROM {table} WHERE {condition}", f"{name}::text", params
        )
        changes: dict[str, str] = {}
        for _zero, text in rows:
            if text is None:
                continue
            if isinstance(column, models.JSONField):
                value = json.loads(text)
                blanked = work.marks.blanked_value(value)
                if blanked != value:
                    changes[text] = json.dumps(blanked, ensure_ascii=False)
            else:
                blanked = work.marks.blanked(text)
                if blanked != text:
                    most = getattr(column, "max_length", None)
                    changes[text] = blanked[:most] if most else blanked
        if changes:
            kind = column.db_type(connection)
            work.count(
                place.model,
                bulk.execute(
                    f"""UPDATE {table} SET {name} = d.new::{kind} FROM unnest(%s::text[], %s::text[]) AS d(old, new)
                        WHERE {name}::text = d.old AND {condition}""",
                    (list(changes), list(changes.values()), *params),
                ),
            )


def _sieved(work: Work, query: str, text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Rows of `query` whose `text` may hold a mark: a coarse sieve by the database, where that pays."""
    if not work.marks:
        return []
    words = work.marks.words()
    if len(words) > MOST_WORDS:
        return bulk.fetch(query, params)
    return bulk.fetch(f"{query} AND {text} ~* %s", (*params, "|".join(words)))


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
    work.wrote = True


def _delete(work: Work, path: Path) -> int:
    if not path.exists():
        return 0
    if work.for_real:
        path.unlink(missing_ok=True)
    return 1

