"""What may be written down about store-months: their figures, what own closings taught, reviews and their lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import pghistory
from django.db import transaction
from django.utils.translation import gettext as _

from daifa.domain.exit_index.models import BaseRate, Learned, ReviewLine
from daifa.domain.exit_index.rules import Model, Reading, Review
from daifa.lib import bulk
from daifa.lib.refusal import Refused


@dataclass(frozen=True, slots=True)
class Measured:
    """A store-month as measured; see `StoreMonth`."""

    store_id: int
    month: date
    currency: str
    orders: int
    sales: Decimal
    net: Decimal
    outgo: Decimal
    due: int
    late: int
    refunded: int
    points: Decimal | None
    points_full: Decimal | None
    cash: Decimal
    active_days: int
    days: int
    is_complete: bool
    is_final: bool


_FIELDS = tuple(Measured.__slots__)


@transaction.atomic
def record_months(rows: Sequence[Measured], *, at: datetime, again: bool = False) -> int:
    """Write store-months, once for each store and month; a final one stays as it is unless `again`. Returns how many."""
    if not rows:
        return 0
    columns = ", ".join(_FIELDS)
    changed = ", ".join(f"{name} = excluded.{name}" for name in (*_FIELDS[2:], "measured_at"))
    return bulk.execute(
        f"""INSERT INTO exit_index_storemonth ({columns}, measured_at)
            SELECT {columns}, %s FROM jsonb_populate_recordset(NULL::exit_index_storemonth, %s::jsonb)
            ON CONFLICT (store_id, month) DO UPDATE SET {changed}
            WHERE %s::boolean OR NOT exit_index_storemonth.is_final""",
        (at, bulk.json([_plain(row) for row in rows]), again),
    )


def _plain(row: Measured) -> dict[str, object]:
    values = {name: getattr(row, name) for name in _FIELDS}
    return {name: str(value) if isinstance(value, date | Decimal) else value for name, value in values.items()}


@transaction.atomic
def record_learned(model: Model, *, store_months: int, at: datetime) -> bool:
    """Keep what own closings taught, unless it is what was known already. True when something new was written."""
    newest = Learned.objects.filter(version=model.version).order_by("-id").first()
    known = (newest.closings, newest.store_months) if newest else (0, 0)
    if known == (model.closings, store_months) or (newest is None and not model.closings):
        return False
    Learned.objects.create(
        version=model.version, uses=model.uses, store_months=store_months, closings=model.closings, expected=model.expected,
        mean=list(model.mean), spread=[list(row) for row in model.spread], at=at,
    )  # fmt: skip
    return True


@transaction.atomic
def set_base_rate(*, yearly: Decimal | float | None, source: str, by: str, at: datetime) -> BaseRate:
    """How many of a hundred typical stores close within a year (a share; None: as shipped), and on what that rests. Raises `Refused`."""
    share = None if yearly is None else float(yearly)
    if share is not None and not 0.001 <= share <= 0.95:
        raise Refused(_("A base rate lies between 0.1 and 95 percent a year."), code="number_invalid", field="yearly")
    if not source.strip():
        raise Refused(_("Say on what it rests: a report, the platform's figures, your own count."), code="source_missing", field="source")
    return BaseRate.objects.create(yearly=share, source=source.strip()[:200], by=by, at=at)


@transaction.atomic
def record_said(readings: dict[int, tuple[date, Reading]], *, version: str, at: datetime) -> int:
    """What the index says of stores after a month, once for each; what was said before stays. Returns how many were new."""
    rows = [
        {"store_id": store, "month": str(month), "chances": [[c.months, round(c.open, 4), round(c.low, 4), round(c.high, 4)] for c in one.chances]}
        for store, (month, one) in readings.items()
    ]
    if not rows:
        return 0
    return bulk.execute(
        """INSERT INTO exit_index_said (store_id, month, version, chances, at)
           SELECT store_id, month, %s, chances, %s FROM jsonb_populate_recordset(NULL::exit_index_said, %s::jsonb)
           ON CONFLICT (store_id, month) DO NOTHING""",
        (version, at, bulk.json(rows)),
    )


@transaction.atomic
def record_reviews(found: dict[int, Review], *, month: date, at: datetime) -> int:
    """The verdicts after `month`, by store; a store reviewed for that month already gets the new one. Returns how many."""
    rows = [
        {"store_id": store, "month": str(month), "verdict": one.verdict, "reasons": [list(reason) for reason in one.reasons]}
        for store, one in found.items()
    ]
    if not rows:
        return 0
    return bulk.execute(
        """INSERT INTO exit_index_storereview (store_id, month, verdict, reasons, at)
           SELECT store_id, month, verdict, reasons, %s
           FROM jsonb_populate_recordset(NULL::exit_index_storereview, %s::jsonb)
           ON CONFLICT (store_id, month) DO UPDATE SET verdict = excluded.verdict, reasons = excluded.reasons, at = excluded.at""",
        (at, bulk.json(rows)),
    )


@transaction.atomic
def set_review_lines(
    *, store_ids: Sequence[int], dormant_days: int, quiet_orders: int, quiet_active_days: int, by: str, at: datetime
) -> int:
    """From when on these stores count as quiet or dormant. Raises `Refused`; returns how many were set."""
    for name, value, low, high in (
        ("dormant_days", dormant_days, 14, 365), ("quiet_orders", quiet_orders, 0, 1000), ("quiet_active_days", quiet_active_days, 0, 31),
    ):  # fmt: skip
        if not low <= value <= high:
            raise Refused(
                _("It lies between %(low)s and %(high)s.") % {"low": low, "high": high}, code="number_invalid", field=name
            )
    with pghistory.context(by=by):
        for store_id in store_ids:
            ReviewLine.objects.update_or_create(
                store_id=store_id,
                defaults={"dormant_days": dormant_days, "quiet_orders": quiet_orders, "quiet_active_days": quiet_active_days},
            )
    return len(store_ids)
