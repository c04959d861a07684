"""What was answered, held, erased and backed up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from daifa.domain.privacy import rules
from daifa.domain.privacy.models import BackupTaken, Erasure, LegalHold, Retention
from daifa.domain.privacy.places import CLASSES
from daifa.domain.privacy.rules import Answer
from daifa.lib import bulk

OF_ORDERS = tuple(code for code in CLASSES if code != "backups")
"""Classes whose time runs from the end of an order."""


@dataclass(slots=True)
class Answers:
    """Everything that was answered about how long data are kept: class → (store or None, country or "") → answer."""

    known: dict[str, dict[tuple[int | None, str], Answer]] = field(default_factory=dict)

    def of(self, data: str, store: int, country: str) -> Answer | None:
        return rules.nearest(self.known.get(data, {}), store, country)

    def missing(self, store: int) -> list[str]:
        """Classes nobody has answered for a store, its buyers' countries aside."""
        return [data for data in OF_ORDERS if self.of(data, store, "") is None]


def answers() -> Answers:
    found = Answers()
    for data, store, country, at_least, at_most in bulk.fetch(
        """SELECT DISTINCT ON (data, store_id, country) data, store_id, country, at_least, at_most
           FROM privacy_retention ORDER BY data, store_id, country, id DESC"""
    ):
        found.known.setdefault(data, {})[store, country] = Answer(at_least, at_most)
    return found


def retentions(scope: Sequence[int], *, shared: bool) -> list[Retention]:
    """The newest answer each (store, country, class) has, of the stores in `scope`; `shared` adds those for all stores."""
    ids = [
        row[0]
        for row in bulk.fetch(
            """SELECT DISTINCT ON (data, store_id, country) id FROM privacy_retention
               WHERE store_id = ANY(%s::bigint[]) OR (%s AND store_id IS NULL)
               ORDER BY data, store_id, country, id DESC""",
            (list(scope), shared),
        )
    ]
    order = {code: place for place, code in enumerate(CLASSES)}
    found = Retention.objects.filter(pk__in=ids).select_related("store")
    return sorted(found, key=lambda row: (order[row.data], row.store.name if row.store else "", row.country))


def holds_by_hand(order_ids: Sequence[int]) -> dict[int, LegalHold]:
    """Order → the hold a person has put on its data."""
    return {hold.order_id: hold for hold in LegalHold.objects.filter(order_id__in=list(order_ids), released_at=None)}


def erased_before(order_ids: Sequence[int], data: str = "contact") -> set[int]:
    """Of these orders, those of which this class was erased already."""
    rows = bulk.fetch(
        """SELECT DISTINCT o.id FROM privacy_erasure e
           CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(e.orders -> %s, '[]')) AS x(id)
           JOIN unnest(%s::bigint[]) AS o(id) ON o.id = x.id::bigint""",
        (data, list(order_ids)),
    )
    return {row[0] for row in rows}


def erasures(scope: Sequence[int], *, shared: bool, limit: int = 50) -> list[Erasure]:
    """Newest first. Those of no single store are for whoever may see what is shared."""
    found = Erasure.objects.filter(store_id__in=list(scope))
    if shared:
        found = found | Erasure.objects.filter(store=None)
    return list(found.select_related("store").order_by("-id")[:limit])


def erased_with_store(store_id: int, *, since: datetime) -> tuple[dict[str, int], int, int]:
    """(place → rows and files, orders, customers) of everything that went because the store ended."""
    counts: Counter[str] = Counter()
    orders: set[int] = set()
    customers: set[int] = set()
    for one in Erasure.objects.filter(store=store_id, kind="store", at__gte=since):
        counts += Counter(one.counts)
        orders |= {order for ids in one.orders.values() for order in ids}
        customers |= set(one.customers)
    return dict(counts), len(orders), len(customers)


@dataclass(frozen=True, slots=True)
class OldBackup:
    """A backup that still holds what was erased after it. `until` None: nobody has said how long backups are kept."""

    id: int
    place: str
    taken_at: datetime
    until: datetime | None


def backups_holding(*, since: datetime, until: datetime) -> list[OldBackup]:
    """Backups taken from `since` (when the data came) to `until` (when they were erased) that are not said to be gone."""
    answer = answers().known.get("backups", {}).get((None, ""))
    days = answer.at_most if answer else None
    return [
        OldBackup(row.pk, row.place, row.taken_at, row.taken_at + timedelta(days=days) if days is not None else None)
        for row in BackupTaken.objects.filter(taken_at__gte=since, taken_at__lte=until, gone_at=None).order_by("taken_at")
    ]


def backups() -> QuerySet[BackupTaken]:
    return BackupTaken.objects.all()


def all_backups(limit: int = 100) -> list[BackupTaken]:
    return list(BackupTaken.objects.order_by("-taken_at")[:limit])


def log_lines() -> list[dict[str, Any]]:
    """Every erasure as it stands in the log outside the database, oldest first."""
    return [
        {
            "uuid": str(row.uuid), "kind": row.kind, "store": row.store_id, "token": row.token, "orders": row.orders,
            "customers": row.customers, "people": row.people, "by": row.by, "at": row.at.isoformat(),
        }
        for row in Erasure.objects.order_by("id").iterator()
    ]  # fmt: skip


def sieves(key: bytes) -> Iterator[tuple[str, int, bytes]]:
    """(sha256, size, bits) of the uploads whose words are known under this key, some at a time."""
    last = ""
    while rows := bulk.fetch(
        """SELECT sha256, size, bits FROM privacy_uploadsieve WHERE key = %s AND length(bits) > 0 AND sha256 > %s
           ORDER BY sha256 LIMIT 100""",
        (key, last),
    ):
        for sha256, size, bits in rows:
            yield sha256, size, bytes(bits)
        last = rows[-1][0]


def unknown_uploads(key: bytes) -> list[str]:
    """Uploads that can hold buyers and whose words nobody has listed under this key. Lists of goods and prices hold none."""
    rows = bulk.fetch(
        """SELECT f.sha256 FROM imports_importfile f GROUP BY 1 HAVING NOT bool_and(f.kind IN ('products', 'offers'))
           AND NOT EXISTS (SELECT FROM privacy_uploadsieve s WHERE s.sha256 = f.sha256 AND s.key = %s) ORDER BY max(f.id)""",
        (key,),
    )
    return [row[0] for row in rows]
