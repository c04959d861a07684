"""Store-months and what the index reads from them. Every query takes the ids of the stores its reader may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from daifa.domain.exit_index import rules
from daifa.domain.exit_index.models import BaseRate, Learned, ReviewLine, Said, StoreMonth, StoreReview
from daifa.domain.exit_index.rules import Model, Month, Reading, ReviewLines

MOST_MONTHS = 60


def store_months(scope: Sequence[int], *, complete: bool = True) -> dict[int, list[StoreMonth]]:
    """Store → its months, oldest first, MOST_MONTHS at most; `complete` leaves out the one that goes on."""
    found: dict[int, list[StoreMonth]] = {}
    rows = StoreMonth.objects.filter(store_id__in=list(scope)).order_by("store_id", "month")
    for row in rows.filter(is_complete=True) if complete else rows:
        found.setdefault(row.store_id, []).append(row)
    return {store: months[-MOST_MONTHS:] for store, months in found.items()}


def as_month(row: StoreMonth) -> Month:
    """The row as the rules want it."""
    return Month(
        row.month, row.orders, float(row.sales), float(row.net), float(row.outgo), row.due, row.late, row.refunded,
        None if row.points is None or not row.points_full else float(row.points / row.points_full),
        float(row.cash), row.active_days, row.days,
    )  # fmt: skip


def base_rate() -> BaseRate | None:
    """The base rate an owner entered, if one counts now."""
    newest = BaseRate.objects.order_by("-id").first()
    return newest if newest is not None and newest.yearly is not None else None


def prior() -> Model:
    """The weights before own closings: the shipped ones, at the base rate an owner entered."""
    entered = base_rate()
    if entered is None or entered.yearly is None:
        return rules.shipped()
    return rules.with_base_rate(rules.shipped(), entered.yearly, entered.pk)


def model() -> Model:
    """The weights that count now: those of `prior`, moved by own closings where there were enough of them."""
    shipped = prior()
    newest = Learned.objects.filter(version=shipped.version).order_by("-id").first()
    if newest is None:
        return shipped
    if newest.uses != "own":
        return replace(shipped, closings=newest.closings, expected=newest.expected)
    return replace(
        shipped, mean=tuple(newest.mean), spread=tuple(tuple(row) for row in newest.spread), closings=newest.closings,
        expected=newest.expected, uses="own",
    )  # fmt: skip


def months_between(earlier: date, later: date) -> int:
    return (later.year - earlier.year) * 12 + later.month - earlier.month


@dataclass(frozen=True)
class Stand:
    """A store at the end of a month: the row, its figures, what the index says."""

    row: StoreMonth
    figures: dict[str, float | None]
    reading: Reading


def stands(months: Sequence[StoreMonth], using: Model, *, last: int = 13) -> list[Stand]:
    """What the index says at the end of each of the last months of a store (oldest first, complete ones), with one model."""
    found = []
    plain = [as_month(row) for row in months]
    for place in range(max(0, len(months) - last), len(months)):
        figures = rules.figures(plain[: place + 1], age=months_between(months[0].month, months[place].month))
        found.append(Stand(months[place], figures, rules.read(figures, using)))
    return found


def said(scope: Sequence[int]) -> dict[int, list[Said]]:
    """Store → what was said of it after each month, oldest first."""
    found: dict[int, list[Said]] = {}
    for row in Said.objects.filter(store_id__in=list(scope)).order_by("store_id", "month"):
        found.setdefault(row.store_id, []).append(row)
    return {store: rows[-MOST_MONTHS:] for store, rows in found.items()}


def said_for(months: Sequence[date]) -> set[tuple[int, date]]:
    """(store, month) of what was said already."""
    return set(Said.objects.filter(month__in=list(months)).values_list("store_id", "month"))


def reviews_of(store_id: int, *, last: int = 12) -> list[StoreReview]:
    """Its monthly reviews, newest first."""
    return list(StoreReview.objects.filter(store_id=store_id).order_by("-month")[:last])


def review_lines(scope: Sequence[int]) -> dict[int, ReviewLines]:
    """Store → from when on it counts as quiet or dormant."""
    own = {row.store_id: row for row in ReviewLine.objects.filter(store_id__in=list(scope))}
    return {
        store: ReviewLines(row.dormant_days, row.quiet_orders, row.quiet_active_days) if (row := own.get(store)) else ReviewLines()
        for store in scope
    }


def has_own_lines(store_id: int) -> bool:
    """Did a merchant set the lines of the review for this store? Else they are daifa's own."""
    return ReviewLine.objects.filter(store_id=store_id).exists()


def newest_reviews(scope: Sequence[int]) -> dict[int, StoreReview]:
    """Store → its newest verdict; stores never reviewed are left out."""
    rows = StoreReview.objects.filter(store_id__in=list(scope)).order_by("store_id", "-month").distinct("store_id")
    return {row.store_id: row for row in rows}


def reviewed_for(month: date) -> set[int]:
    """Stores that were reviewed after `month`."""
    return set(StoreReview.objects.filter(month=month).values_list("store_id", flat=True))
