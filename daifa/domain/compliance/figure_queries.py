"""Reads of figures that platforms show: which may be said, what was said, how it stands against the lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from daifa.domain.compliance import commands, figure_rules, health_rules
from daifa.domain.compliance.figure_rules import Figure, Reportable
from daifa.domain.compliance.health_rules import Text
from daifa.domain.compliance.models import ReportedFigure
from daifa.domain.policy import queries as policy
from daifa.domain.policy.book import metrics as metric_words
from daifa.lib import bulk
from daifa.lib.paging import Cursor

STEP = Decimal("0.0001")
NEWEST = ("-ended_on", "-id")


def book_of(store: Any, *, on: date, today: date | None = None) -> list[Any]:
    """The rules whose figures may be said of a store (`id, channel, kind, country`): its channel's, and of card payments
    where the store takes them itself. `today`: as they read on a past day, with what is known of that text today."""
    known = policy.texts_of if today is not None else policy.rules
    given = {"on": on, "store_id": store.id} | ({"today": today} if today is not None else {})
    book = health_rules.in_market(known(policy.book_name(store.channel), **given), store.country)
    if store.kind in commands.LAW_ONLY:
        book = book + [rule for rule in known("payments", **given) if rule.kind == "chargeback"]
    return book


LINE_KINDS = frozenset({"metric_limit", *figure_rules.KINDS})
LONGEST = timedelta(days=460)
"""The longest window and what lies before it: earlier texts judge nothing any more."""


def texts_of(store: Any, *, today: date) -> list[Text]:
    """The lines of a store (`id, channel, kind, country`) by the days on which each text of them counted, up to `today`."""
    books = [policy.book_name(store.channel), *(["payments"] if store.kind in commands.LAW_ONLY else [])]
    changes = {day for one in books for day in policy.days_of_change(one, kinds=LINE_KINDS, until=today, store_id=store.id)}
    late = sorted(day for day in changes if day > today - LONGEST)
    days = [late[0] - timedelta(days=1), *late] if late else [today]
    return health_rules.texts_over_time(
        [
            (None if day == days[0] else day, [rule for rule in book_of(store, on=day, today=today) if is_line(rule)])
            for day in days
        ]
    )


def text_on(texts: Iterable[Text], rule_id: str, day: date) -> Any:
    """The line as it read on that day; None = there was none."""
    return next((text.rule for text in texts if text.rule.id == rule_id and text.holds_on(day)), None)


def reportable(store: Any, *, on: date) -> dict[str, Reportable]:
    """`figure_rules.reportable` of a store."""
    return figure_rules.reportable(book_of(store, on=on))


def words_in_both(metrics: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The names of metrics in Chinese and English, for reading files."""
    known = metric_words()
    return {one: tuple(known[one].words) for one in metrics if one in known}


def _figure(row: ReportedFigure) -> Figure:
    return Figure(
        row.metric, row.value, row.ended_on, row.window_days, row.part, row.base, row.seen_in, row.source, row.pk, row.store_id
    )


def latest_figures(store_id: int) -> list[Figure]:
    """The newest figure of each metric and window of a store."""
    rows = ReportedFigure.objects.filter(store_id=store_id, withdrawn_at=None)
    return [_figure(row) for row in rows.order_by("metric", "window_days", "-ended_on", "-id").distinct("metric", "window_days")]


def figure_page(
    scope: Sequence[int], *, store_id: int | None = None, metric: str | None = None, cursor: Cursor | None = None, limit: int = 50
) -> list[ReportedFigure]:
    """All that was ever said, withdrawn ones too, the newest window first (order NEWEST)."""
    found = ReportedFigure.objects.filter(store_id__in=list(scope))
    if store_id:
        found = found.filter(store_id=store_id)
    if metric:
        found = found.filter(metric=metric)
    return (cursor or Cursor(NEWEST)).slice(found, limit)


def figure_with_id(figure_id: int) -> ReportedFigure | None:
    return ReportedFigure.objects.filter(pk=figure_id).first()


def said_trend(store_id: int, metric: str, window_days: int | None, *, since: date) -> list[tuple[date, Decimal]]:
    """(day, value) of what the platform showed for a line, oldest first."""
    rows = ReportedFigure.objects.filter(store_id=store_id, metric=metric, withdrawn_at=None, ended_on__gte=since)
    if window_days is not None:
        rows = rows.filter(window_days=window_days) if rows.filter(window_days=window_days).exists() else rows.filter(window_days=None)
    return list(rows.order_by("ended_on", "id").values_list("ended_on", "value"))


class StoreSaid(NamedTuple):
    """A figure of the platform against a line of a store. `age` in days; `is_stale`: too old to go by."""

    store_id: int
    rule: Any
    figure: Figure
    said: figure_rules.Said
    age: int
    is_stale: bool
    zone: str  # by whose clock its days are counted


def said_lines(scope: Sequence[int], *, at: datetime) -> list[StoreSaid]:
    """Each line of these stores for which the platform's figure is known, with how it stands. Few rows, a few statements.

    A figure is held against the line as it read on the figure's last day; one from before there was a line against none.
    """
    known: dict[int, list[Figure]] = {}
    for row in (
        ReportedFigure.objects.filter(store_id__in=list(scope), withdrawn_at=None, ended_on__gte=at.date() - timedelta(days=400))
        .order_by("store_id", "metric", "window_days", "-ended_on", "-id")
        .distinct("store_id", "metric", "window_days")
    ):
        known.setdefault(row.store_id, []).append(_figure(row))
    if not known:
        return []
    found = []
    for store in commands._stores(sorted(known)):
        today = commands.local_day(store, at)
        texts = texts_of(store, today=today)
        for text in texts:
            if text.last is not None:
                continue
            if figure := figure_rules.latest(known[store.id], text.rule.metric, text.rule.window_days):
                rule = text_on(texts, text.rule.id, figure.ended_on)
                if rule is None:
                    continue
                age = (today - figure.ended_on).days
                stale = age >= figure_rules.stale_after(figure.window_days or rule.window_days)
                found.append(StoreSaid(store.id, rule, figure, figure_rules.standing(rule, figure), age, stale, commands.zone_of(store.channel, store.zone)))
    return found


def is_line(rule: Any) -> bool:
    """Is this rule a line for a figure of a store, reckoned here or said by the platform?"""
    if rule.status == "superseded" or rule.comparison not in (">", ">=", "<", "<=") or not isinstance(rule.threshold, Decimal):
        return False
    if rule.metric in health_rules.MEASURE_OF:
        return rule.kind in ("metric_limit", "eligibility")
    return rule.metric in health_rules.NOT_MEASURED and rule.kind in figure_rules.KINDS


class Stale(NamedTuple):
    """Figures of a store that somebody looked up once and that are too old now: how many, and the oldest's last day."""

    store_id: int
    count: int
    metric: str
    ended_on: date
    age: int
    zone: str  # by whose clock its days are counted


def stale_figures(scope: Sequence[int], *, at: datetime) -> list[Stale]:
    """By store, the figures to look up again; those given up for long are left out."""
    rows = bulk.fetch(
        """SELECT store_id, metric, min(window_days), max(ended_on) FROM compliance_reportedfigure
           WHERE withdrawn_at IS NULL AND store_id = ANY(%s::bigint[]) GROUP BY 1, 2""",
        (list(scope),),
    )
    stores = {store.id: store for store in commands._stores(sorted({row[0] for row in rows}))} if rows else {}
    today = {store: commands.local_day(row, at) for store, row in stores.items()}
    by_store: dict[int, list[tuple[date, str]]] = {}
    for store, metric, window, ended_on in rows:
        age = (today[store] - ended_on).days
        if figure_rules.stale_after(window) <= age <= figure_rules.FORGOTTEN_AFTER:
            by_store.setdefault(store, []).append((ended_on, metric))
    return [
        Stale(
            store, len(those), min(those)[1], min(those)[0], (today[store] - min(those)[0]).days,
            commands.zone_of(stores[store].channel, stores[store].zone),
        )
        for store, those in sorted(by_store.items())
    ]  # fmt: skip
