"""Reads of clocks, findings and metrics. `scope` (ids of the stores the caller may see) comes first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from daifa.domain.compliance import announced_queries, rules
from daifa.domain.compliance.health import Complained, Health, Metric, health, near_lines, trend, whole_health
from daifa.domain.compliance.health_rules import MEASURE_OF
from daifa.domain.compliance.models import DispatchMode, Finding
from daifa.domain.policy import queries as policy
from daifa.lib import bulk, regions
from daifa.lib.paging import Cursor

__all__ = ["Complained", "Health", "Metric", "health", "near_lines", "trend", "whole_health"]  # reads too; the rest is below

SOONEST = ("due_at", "id")
DEAREST = ("-at_stake", "-id")


class ClockRow(NamedTuple):
    """A running clock with the order it is about. `why` are codes; `sentences()` says them."""

    id: int
    store_id: int
    order_id: int
    order_number: str
    thing_kind: str
    thing: int
    thing_number: str
    rule: str
    kind: str
    started_at: datetime
    due_at: datetime
    stake: Decimal | None
    currency: str
    state: str
    acts: bool
    why: str

    @property
    def at_stake(self) -> Decimal:
        """`stake` to sort by: nothing counts as 0."""
        return self.stake or Decimal(0)

    def sentences(self) -> list[str]:
        return why_sentences(self.why)


def why_sentences(why: str) -> list[str]:
    """The codes of a clock (with commas) as sentences; what moved it by its title."""
    found = []
    for one in filter(None, why.split(",")):
        if one in rules.WHYS:
            found.append(_(rules.WHYS[one]))
        elif one.startswith("announced:"):
            found.append(_("Moved by what the platform announced: %(title)s") % {"title": announced_queries.title_of(int(one[10:]))})
    return found


def open_clocks(
    scope: Sequence[int], *, state: str | None = None, kind: str | None = None, thing_kind: str | None = None,
    acts: bool | None = None, order_id: int | None = None, q: str | None = None, until: datetime | None = None,
    moved: int | None = None, cursor: Cursor | None = None, limit: int = 50,
) -> list[ClockRow]:  # fmt: skip
    """Clocks that run, soonest first. `q`: an order's number or its beginning; `until`: due by then; `moved`: by that
    announcement."""
    cursor = cursor or Cursor(SOONEST)
    page, params, order = cursor.sql({"due_at": "c.due_at", "id": "c.id", "at_stake": "coalesce(c.stake, 0)"})
    where = ["c.store_id = ANY(%s::bigint[])"]
    values: list[Any] = [list(scope)]
    for condition, value in (
        ("c.state = %s", state), ("c.kind = %s", kind), ("c.thing_kind = %s", thing_kind), ("c.acts = %s", acts),
        ("c.order_id = %s", order_id), ("o.number LIKE %s", f"{q}%" if q else None), ("c.due_at <= %s", until),
        ("',' || c.why || ',' LIKE %s", None if moved is None else f"%,announced:{moved},%"),
    ):  # fmt: skip
        if value is not None:
            where.append(condition)
            values.append(value)
    rows = bulk.fetch(
        f"""SELECT c.id, c.store_id, c.order_id, o.number, c.thing_kind, c.thing,
                   CASE c.thing_kind WHEN 'parcel' THEN coalesce(p.number, '') WHEN 'case' THEN c.thing::text ELSE o.number END,
                   c.rule, c.kind, c.started_at, c.due_at, c.stake, c.currency, c.state, c.acts, c.why
            FROM compliance_clock c JOIN orders_order o ON o.id = c.order_id
            LEFT JOIN shipping_parcel p ON c.thing_kind = 'parcel' AND p.id = c.thing
            WHERE {" AND ".join(where)} AND {page} ORDER BY {order} LIMIT %s""",
        [*values, *params, limit],
    )
    return cursor.forwards([ClockRow(*row) for row in rows])


# Losses of which only one is ever paid: the steps of an order's ladder (late, out of stock, closed), the scans of all its
# parcels, each case. In sums the highest of those that are looked at counts, the others nothing.
_COUNTS = """row_number() OVER (PARTITION BY order_id, thing_kind, CASE WHEN thing_kind = 'case' THEN thing END, acts
                                 ORDER BY stake DESC NULLS LAST, due_at, id) = 1 AS counts"""


class Totals(NamedTuple):
    """Clocks that have run out, and those that will within a day: how many, and the money by currency."""

    overdue: int
    soon: int
    stakes: dict[str, Decimal]
    informing: int


def totals(scope: Sequence[int], *, at: datetime) -> Totals:
    """The figures over the list of clocks; money of what has run out or will within a day, of rules that act, each loss once."""
    rows = bulk.fetch(
        f"""SELECT currency, count(*) FILTER (WHERE acts AND due_at <= %(at)s), count(*) FILTER (WHERE acts AND due_at > %(at)s),
                  coalesce(sum(stake) FILTER (WHERE acts AND counts), 0), count(*) FILTER (WHERE NOT acts)
           FROM (SELECT *, {_COUNTS} FROM compliance_clock WHERE store_id = ANY(%(scope)s::bigint[]) AND due_at <= %(soon)s) AS c
           GROUP BY 1""",
        {"at": at, "scope": list(scope), "soon": at + timedelta(days=1)},
    )
    return Totals(
        sum(row[1] for row in rows), sum(row[2] for row in rows), {row[0]: row[3] for row in rows if row[3]},
        sum(row[4] for row in rows),
    )  # fmt: skip


class Due(NamedTuple):
    """Clocks of one kind in one store that run out or have: how many, what they cost, which is first.

    What another clock's loss contains (out of stock: late dispatch) is counted there: the stakes may be added up.
    """

    store_id: int
    kind: str
    currency: str
    overdue: bool
    count: int
    stake: Decimal | None
    due_at: datetime


def running_out(scope: Sequence[int], *, at: datetime, within: timedelta = timedelta(days=1)) -> list[Due]:
    """What has run out and what will within a day, by store and kind. Only clocks whose rule acts."""
    rows = bulk.fetch(
        f"""SELECT store_id, kind, currency, due_at <= %s, count(*), sum(stake) FILTER (WHERE counts), min(due_at)
            FROM (SELECT *, {_COUNTS} FROM compliance_clock WHERE store_id = ANY(%s::bigint[]) AND acts AND due_at <= %s) AS c
            GROUP BY 1, 2, 3, 4 ORDER BY 4 DESC, 7""",
        (at, list(scope), at + within),
    )
    return [Due(*row) for row in rows]


# --- Findings -----------------------------------------------------------------------------------------------------------


def open_findings(
    scope: Sequence[int], *, kind: str | None = None, store_id: int | None = None, limit: int = 200
) -> list[Finding]:
    """What is wrong with parcels now, the newest first, with orders, parcels and stores loaded."""
    found = Finding.objects.filter(store_id__in=list(scope), gone_at=None).select_related("order", "parcel", "store")
    if kind:
        found = found.filter(kind=kind)
    if store_id:
        found = found.filter(store_id=store_id)
    return list(found.order_by("-id")[:limit])


def findings_of_order(order_id: int) -> list[tuple[str, dict[str, Any]]]:
    """(kind, params) of what is wrong with an order's parcels now, the newest first; the caller has seen the order."""
    return list(Finding.objects.filter(order_id=order_id, gone_at=None).order_by("-id").values_list("kind", "params"))


def finding_words(kind: str, params: dict[str, Any], *, zone: str) -> tuple[str, str]:
    """(sentence, advice) of a finding in the reader's language, times by the clock of `zone`: the store's."""
    sentence, advice = rules.FINDINGS.get(kind, (kind, ""))
    told = dict.fromkeys(("number", "order", "place", "region", "first", "then", "carrier", "other"), "–") | params
    for moment in ("first", "then"):
        if moment in params:  # kept as UTC, "2026-03-29 00:30"
            at = datetime.fromisoformat(params[moment]).replace(tzinfo=UTC)
            told[moment] = f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
    for place in ("place", "region"):
        told[place] = regions.told(told[place])
    return _(sentence) % told, _(advice) if advice else ""


def finding_page(
    scope: Sequence[int], *, kind: str | None = None, cursor: Cursor | None = None, limit: int = 50
) -> list[Finding]:
    """Open findings, page by page, the newest first (order ("-id",))."""
    found = Finding.objects.filter(store_id__in=list(scope), gone_at=None).select_related("order", "parcel", "store")
    return (cursor or Cursor(("-id",))).slice(found.filter(kind=kind) if kind else found, limit)


def findings_by_kind(scope: Sequence[int]) -> list[tuple[int, str, str, int, Decimal | None, datetime]]:
    """(store, kind, currency, count, stake, since) of open findings; an order's compensation is counted once."""
    return bulk.fetch(
        """SELECT store_id, kind, currency, count(*), sum(stake) FILTER (WHERE counts), min(found_at)
           FROM (SELECT *, row_number() OVER (PARTITION BY order_id ORDER BY stake DESC NULLS LAST, id) = 1 AS counts
                 FROM compliance_finding WHERE gone_at IS NULL AND store_id = ANY(%s::bigint[])) AS f
           GROUP BY 1, 2, 3 ORDER BY 1, 2""",
        (list(scope),),
    )


# --- How a store ships --------------------------------------------------------------------------------------------------


def dispatch_mode(store_id: int) -> DispatchMode | None:
    """How the store ships what no exception is made for; None while nobody has said it."""
    return DispatchMode.objects.filter(store_id=store_id, variant=None).first()


def dispatch_exceptions(store_id: int) -> list[DispatchMode]:
    """Variants that are shipped in another way than the rest of the store."""
    return list(
        DispatchMode.objects.filter(store_id=store_id)
        .exclude(variant=None)
        .select_related("variant")
        .order_by("variant__sku")
    )


def latest_figures(scope: Sequence[int]) -> list[tuple[int, date, int, int, datetime | None, bool]]:
    """(store, day, lines crossed, lines near, first to break, was anything counted) of each store's last kept figures."""
    of_days = [metric for metric, measure in MEASURE_OF.items() if measure == "late_days"]  # counted out of seven days, always
    return bulk.fetch(
        """SELECT m.store_id, m.day, count(*) FILTER (WHERE m.level = 100 AND m.is_sure),
                  count(*) FILTER (WHERE m.level IN (70, 85) AND m.is_sure), min(m.breaks_at),
                  bool_or(m.base > 0 AND m.metric <> ALL(%s::text[]))
           FROM compliance_metricday m
           JOIN (SELECT store_id, max(day) AS day FROM compliance_metricday WHERE store_id = ANY(%s::bigint[]) GROUP BY 1) n
             ON n.store_id = m.store_id AND n.day = m.day
           WHERE m.rule <> '' GROUP BY 1, 2 ORDER BY 1""",
        (of_days, list(scope)),
    )


def deadlines_not_kept(channel: str, *, on: date) -> list[tuple[Any, str]]:
    """(rule, why) of a channel's deadlines for which no row here says when they start."""
    return [
        (rule, _(rules.NOT_OURS[rule.metric]))
        for rule in policy.rules(policy.book_name(channel), on=on)
        if rule.kind == "deadline" and rule.metric in rules.NOT_OURS
    ]
