"""What may be done with figures that platforms show: keep them, take one back. Nothing is ever written over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_noop as N_

from daifa.domain.compliance import commands, figure_queries, figure_rules
from daifa.domain.compliance.figure_rules import Figure
from daifa.domain.compliance.models import ReportedFigure
from daifa.domain.stores.models import Store
from daifa.lib import bulk
from daifa.lib.refusal import RowRefused


@dataclass(slots=True)
class Reported:
    """What became of figures: in = added + replaced + known + refused. `replaced`: another value for the same window."""

    added: list[int] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)
    known: int = 0
    refused: list[RowRefused] = field(default_factory=list)


@transaction.atomic
def report_figures(
    figures: Sequence[Figure], *, store: Store, source: str, by: str, at: datetime, rows: Sequence[int] = ()
) -> Reported:
    """Keep what the platform shows of a store. The same figure again changes nothing; another value for the same metric,
    window and day withdraws the one before. `rows`: numbers to name in refusals (default: 1, 2, …).
    """
    bulk.execute("SELECT pg_advisory_xact_lock(hashtext('report_figures'), %s::int)", (store.pk % 2**31,))
    today = today_in(store, at)
    known = figure_queries.reportable(store, on=today)
    result = Reported()
    wanted: dict[tuple[str, int | None, date], Figure] = {}
    for number, one in zip(rows or range(1, len(figures) + 1), figures, strict=True):
        about = known.get(one.metric)
        if about is None:
            result.refused.append(
                RowRefused(number, one.metric, "metric_unknown", N_("The rules of this store's channel know no figure “%(metric)s”."), {"metric": one.metric})
            )  # fmt: skip
            continue
        one = replace(one, value=one.value.quantize(figure_queries.STEP) if abs(one.value) < 10**8 else one.value)
        if wrong := figure_rules.wrong_with(one, about, today):
            result.refused.append(RowRefused(number, one.metric, f"{wrong[0]}_invalid", wrong[1], wrong[2]))
            continue
        key = one.metric, one.window_days, one.ended_on
        if (before := wanted.get(key)) is not None and (before.value, before.part, before.base) != (one.value, one.part, one.base):
            result.refused.append(
                RowRefused(
                    number, one.metric, "said_twice",
                    N_("Another row says something else for the same figure, window and day: %(value)s. Leave one of them."),
                    {"value": f"{before.value.normalize():f}"},
                )
            )  # fmt: skip
            continue
        result.known += before is not None
        wanted.setdefault(key, one)
    there = {
        (one.metric, one.window_days, one.ended_on): one
        for one in ReportedFigure.objects.filter(
            store=store, withdrawn_at=None, metric__in={key[0] for key in wanted}, ended_on__in={key[2] for key in wanted}
        )
    }
    fresh: list[Figure] = []
    old: list[int] = []
    for key, one in wanted.items():
        before = there.get(key)
        if before is not None and (before.value, before.part, before.base) == (one.value, one.part, one.base):
            result.known += 1
            continue
        if before is not None:
            old.append(before.pk)
        fresh.append(one)
    ReportedFigure.objects.filter(pk__in=old).update(withdrawn_at=at, withdrawn_by=by)
    made = ReportedFigure.objects.bulk_create(
        ReportedFigure(
            store=store, metric=one.metric, window_days=one.window_days, ended_on=one.ended_on, value=one.value, part=one.part,
            base=one.base, seen_in=one.seen_in[:200], source=source[:200], at=at, by=by,
        )
        for one in fresh
    )  # fmt: skip
    for row in made:
        (result.replaced if (row.metric, row.window_days, row.ended_on) in there else result.added).append(row.pk)
    return result


def withdraw_figures(ids: Sequence[int], *, by: str, at: datetime) -> int:
    """These count no more; they stay in the history. Returns how many."""
    return ReportedFigure.objects.filter(pk__in=list(ids), withdrawn_at=None).update(withdrawn_at=at, withdrawn_by=by)


def today_in(store: Any, at: datetime) -> date:
    """The day by which the store's channel counts."""
    return commands.local_day(store, at)
