"""Everything that may be done about how long data are kept. Erasing itself reaches into every subject: `flows/privacy.py`."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from daifa.domain.history.commands import open_batch
from daifa.domain.privacy.models import BackupTaken, Erasure, LegalHold, Retention
from daifa.domain.privacy.places import CLASSES
from daifa.domain.privacy.queries import answers
from daifa.domain.stores.commands import close_tasks
from daifa.lib import bulk
from daifa.lib.refusal import Refused

MOST_DAYS = 36_500


class Kept(NamedTuple):
    """An answer: how long a class of data is kept, for a store (None: all) and buyers of a country ("": any)."""

    data: str
    at_least: int
    at_most: int | None
    source: str
    store_id: int | None = None
    country: str = ""


@transaction.atomic
def set_retention(rows: Iterable[Kept], *, by: str, at: datetime) -> list[int]:
    """Store answers; earlier ones stay on record. Closes the questions that are answered by them. Raises `Refused`."""
    rows = list(rows)
    if not rows:
        raise Refused(
            _("Say for which class of data the answer is: contact, letters, papers, disputes or backups."),
            code="data_missing", field="data",
        )  # fmt: skip
    for row in rows:
        if row.data not in CLASSES:
            raise Refused(_("There is no class of data “%(data)s”.") % {"data": row.data}, code="data_unknown", field="data")
        if row.country and not (len(row.country) == 2 and row.country.isascii() and row.country.isupper()):
            raise Refused(_("Write the country as two capital letters, such as CN or GB."), code="country_wrong", field="country")
        if not 0 <= row.at_least <= MOST_DAYS or (row.at_most is not None and not 0 <= row.at_most <= MOST_DAYS):
            raise Refused(_("Days are a whole number from 0 to 36,500."), code="days_wrong", field="at_least")
        if row.at_most is not None and row.at_most < row.at_least:
            raise Refused(
                _("Data that must be kept %(least)s days cannot be erased after %(most)s.")
                % {"least": row.at_least, "most": row.at_most},
                code="days_crossed", field="at_most",
            )  # fmt: skip
        if not row.source.strip():
            raise Refused(
                _("Say on what the answer rests: a rule, a contract, your adviser."), code="source_missing", field="source"
            )
        if row.data == "backups" and (row.store_id is not None or row.country):
            raise Refused(_("A backup holds every store: its time is the same for all."), code="backups_shared", field="store")
    made = Retention.objects.bulk_create(
        Retention(
            store_id=row.store_id, country=row.country, data=row.data, at_least=row.at_least, at_most=row.at_most,
            source=row.source.strip()[:200], by=by, at=at,
        )
        for row in rows
    )  # fmt: skip
    known = answers()
    stores = [row[0] for row in bulk.fetch("SELECT id FROM stores_store")]
    close_tasks(
        kind="retention_unknown", thing_kind="store", things=[store for store in stores if not known.missing(store)],
        by=by, at=at,
    )  # fmt: skip
    return [row.pk for row in made]


@transaction.atomic
def hold_orders(order_ids: Sequence[int], *, reason: str, by: str, at: datetime) -> list[int]:
    """Keep the data of these orders whatever their time, until released. Returns those newly held. Raises `Refused`."""
    if not reason.strip():
        raise Refused(_("Say why the data must be kept."), code="reason_missing", field="reason")
    held = bulk.fetch(
        """INSERT INTO privacy_legalhold (order_id, reason, by, at, released_by)
           SELECT id, %s, %s, %s, '' FROM unnest(%s::bigint[]) AS o(id)
           ON CONFLICT (order_id) WHERE released_at IS NULL DO NOTHING RETURNING order_id""",
        (reason.strip()[:200], by, at, list(order_ids)),
    )
    open_batch(by=by, at=at, reason=f"data of {len(held)} orders held")
    return [row[0] for row in held]


@transaction.atomic
def release_orders(order_ids: Sequence[int], *, by: str, at: datetime) -> int:
    """End holds that a person has put; returns how many."""
    return LegalHold.objects.filter(order_id__in=list(order_ids), released_at=None).update(released_at=at, released_by=by)


def record_erasure(
    *, kind: str, store_id: int | None, token: str, orders: dict[str, list[int]], customers: Sequence[int],
    people: Sequence[str], counts: dict[str, int], stays: Sequence[Any], by: str, at: datetime, number: str = "",
) -> Erasure:  # fmt: skip
    """Keep what was erased, by number and keyed hash. `number` is the uuid of an erasure that is done once more."""
    found, _made = Erasure.objects.get_or_create(
        uuid=uuid.UUID(number) if number else uuid.uuid4(),
        defaults={
            "kind": kind, "store_id": store_id, "token": token, "orders": {k: sorted(v) for k, v in orders.items() if v},
            "customers": sorted(customers), "people": sorted(people), "counts": counts, "stays": list(stays), "by": by,
            "at": at,
        },
    )  # fmt: skip
    return found


def add_to_erasure(
    number: uuid.UUID, *, kind: str = "", store_id: int | None = None, token: str = "",
    orders: dict[str, list[int]] | None = None, customers: Sequence[int] = (), people: Sequence[str] = (),
    counts: Mapping[str, int] | None = None, by: str = "", at: datetime | None = None,
) -> Erasure:  # fmt: skip
    """Write down a further part of an erasure that goes in chunks; the first part begins the record. `stays` are told by the caller."""
    found = Erasure.objects.select_for_update().only("uuid", "counts").filter(uuid=number).first()
    if found is None:
        assert at is not None
        return record_erasure(
            kind=kind, store_id=store_id, token=token, orders=orders or {}, customers=customers, people=people,
            counts=dict(counts or {}), stays=[], by=by, at=at, number=str(number),
        )  # fmt: skip
    # Only what is new goes to the database: a store's record holds tens of thousands of numbers.
    for data, ids in (orders or {}).items():
        if ids:
            bulk.execute(
                """UPDATE privacy_erasure SET orders = jsonb_set(orders, ARRAY[%s::text], coalesce(orders -> %s, '[]') || %s::jsonb)
                   WHERE id = %s""",
                (data, data, bulk.json(list(ids)), found.pk),
            )
    found.counts = dict(Counter(found.counts) + Counter(counts or {}))
    bulk.execute(
        """UPDATE privacy_erasure SET customers = customers || %s::bigint[], people = people || %s::text[]::varchar[], counts = %s::jsonb
           WHERE id = %s""",
        (list(customers), list(people), bulk.json(found.counts), found.pk),
    )
    return found


def note_backup(*, place: str, sha256: str, size: int, by: str, at: datetime) -> int:
    """A backup was written: from now on it is asked about when something older is erased."""
    return BackupTaken.objects.create(place=place[:500], sha256=sha256, size=size, by=by, taken_at=at).pk


@transaction.atomic
def note_backups_gone(ids: Sequence[int], *, by: str, at: datetime) -> int:
    """A person says that every copy of these backups is deleted. Returns how many."""
    return BackupTaken.objects.filter(pk__in=list(ids), gone_at=None).update(gone_at=at, gone_by=by)


def keep_sieve(sha256: str, *, size: int, key: bytes, bits: bytes, at: datetime) -> None:
    """Remember which words stand in an upload (`bits` empty: that cannot be told)."""
    bulk.execute(
        """INSERT INTO privacy_uploadsieve (sha256, size, key, bits, at) VALUES (%s, %s, %s, %s, %s)
           ON CONFLICT (sha256) DO UPDATE SET size = excluded.size, key = excluded.key, bits = excluded.bits, at = excluded.at""",
        (sha256, size, key, bits, at),
    )


def forget_sieve(sha256: str) -> None:
    """An upload was changed or is gone: what was known of its words is not kept."""
    bulk.execute("DELETE FROM privacy_uploadsieve WHERE sha256 = %s", (sha256,))
