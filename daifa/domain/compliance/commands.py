"""What may be done here: reckon the clocks anew, note what is wrong with parcels, say how a store ships.

Clocks are a function of the rows and the rule book: reckoning them again at the same moment changes nothing, and nobody
edits them. Work is set-based: the rules of a store become a small table of lines, and a handful of statements join it
with what is open. `rules.due_at` says the same for one; a test compares both on random orders.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pghistory
from django.db import transaction
from django.utils.translation import gettext as _

from daifa.domain.aftersales.process import AFTERSALE_CASE
from daifa.domain.compliance import moving, rules
from daifa.domain.compliance.health_rules import in_market
from daifa.domain.compliance.models import DispatchMode
from daifa.domain.orders.queries import PAID
from daifa.domain.policy import queries as policy
from daifa.domain.shipping.queries import NUMBER_FOR_OTHERS
from daifa.lib import bulk, regions
from daifa.lib.money import decimals_in_sql
from daifa.lib.refusal import Refused

ENDED_PARCELS = ("delivered", "lost", "returned_to_sender", "cancelled")
NO_SCAN = ("announced", "unknown")
"""Words of a carrier that are no scan of the parcel."""
NO_SCAN_HOURS = 72
"""A number without a scan for so long is found where the channel's rules name no time."""


@dataclass(frozen=True, slots=True)
class Reckoned:
    """What a reckoning left: clocks that run, and how many of them are new, changed or gone since the last one."""

    clocks: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0


# --- Clocks -------------------------------------------------------------------------------------------------------------


@transaction.atomic
def reckon_clocks(
    *, at: datetime, stores: Sequence[int] | None = None, orders: Sequence[int] | None = None
) -> Reckoned:
    """Reckon the clocks of everything open in these stores (all), as of `at`; or those of some orders only.

    One hand at a time.
    """
    bulk.execute("SELECT pg_advisory_xact_lock(hashtext('reckon_clocks'))")
    if orders is not None:
        of_orders = bulk.fetch("SELECT DISTINCT store_id FROM orders_order WHERE id = ANY(%s::bigint[])", (list(orders),))
        stores = [row[0] for row in of_orders]
    for setting in ("work_mem = '64MB'", "jit = off"):
        bulk.execute(f"SET LOCAL {setting}")
    asked = _stores(stores)
    if not asked:
        return Reckoned()
    lay_out(asked, at=at, orders=orders)
    new, changed, gone = _keep([store.id for store in asked], orders)
    clocks = bulk.fetch("SELECT count(*) FROM clock_now")[0][0]
    for table in _TABLES:
        bulk.execute(f"DROP TABLE {table}")
    return Reckoned(clocks, new, changed, gone)


class _Store(NamedTuple):
    id: int
    channel: str
    kind: str
    country: str
    currency: str
    zone: str
    dispatch_hours: int


def _stores(ids: Sequence[int] | None) -> list[_Store]:
    return [
        _Store(*row)
        for row in bulk.fetch(
            """SELECT id, channel, kind, country, currency, timezone, dispatch_hours FROM stores_store
               WHERE %s::bigint[] IS NULL OR id = ANY(%s::bigint[]) ORDER BY id""",
            (None if ids is None else list(ids), None if ids is None else list(ids)),
        )
    ]


LAW_ONLY = ("own_site", "manual")
"""Kinds of stores that no platform rules: there the law's own times are shown. A marketplace's are shorter."""


def store_lines(store: Any, *, at: datetime, as_set: bool = False) -> list[rules.ClockLine]:
    """Every line for what begins at `at` in a store (`id, channel, kind, country, currency`), for each way it ships.

    Money as the store's currency lets it be reckoned; `as_set`: as the rules set it, whatever the store's currency is.
    """
    today = local_day(store, at)
    return [line for line in lines_since(store, at=at, as_set=as_set) if line.holds_on(today)]


def lines_since(store: Any, *, at: datetime, as_set: bool = False) -> list[rules.ClockLine]:
    """The same with the lines of earlier texts: each holds for what began on its days (`first`, `last`)."""
    ways = DispatchMode.objects.filter(store_id=store.id).values_list("variant_id", "mode", "hours", "ships_on")
    return lines_for(store, ways_of(ways), today=local_day(store, at), currency="" if as_set else store.currency)


def local_day(store: Any, at: datetime) -> date:
    """The day by which rules and deadlines of a store (`channel`, `zone` or `timezone`) are counted."""
    return at.astimezone(ZoneInfo(zone_of(store.channel, getattr(store, "zone", None) or store.timezone))).date()


def ways_of(modes: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The ways a store ships (mode, hours, presale day), each with its variant before it: "unknown" where none is for all."""
    modes = list(modes)
    ways = list(dict.fromkeys(tuple(mode[1:]) for mode in modes))
    return ways if any(mode[0] is None for mode in modes) else [*ways, ("unknown", None, None)]


def lines_for(
    store: Any, ways: Sequence[tuple[Any, ...]], *, today: date, currency: str = ""
) -> list[rules.ClockLine]:
    """Every line that runs in a store (`id, channel, kind, country`) for these ways of dispatch, by the period of its text.

    The text in force when something began decides about it, whatever is read later; texts of days after `today` are not
    asked. `currency`: what money is reckoned in; "" = as the rules set it.
    """
    changes = {
        day for book in books_of(store) for day in policy.days_of_change(book, kinds=rules.LINE_KINDS, until=today, store_id=store.id)
    }
    # Before the first day on which anything changed the book reads as on the day before.
    days = [min(changes) - timedelta(days=1), *sorted(changes)] if changes else [today]
    return rules.over_time(
        [(None if day == days[0] else day, _lines_on(store, ways, on=day, today=today, currency=currency)) for day in days]
    )


def _lines_on(store: Any, ways: Sequence[tuple[Any, ...]], *, on: date, today: date, currency: str) -> list[rules.ClockLine]:
    texts = {book: policy.texts_of(book, on=on, today=today, store_id=store.id) for book in books_of(store)}
    return lines_under(store, ways, texts, currency=currency)


def books_of(store: Any) -> list[str]:
    """The books whose deadlines run in a store (`channel, kind`): its channel's, and where no platform rules it the laws."""
    return [policy.book_name(store.channel), *(rules.LAW_COUNTRIES if store.kind in LAW_ONLY else ())]


def lines_under(
    store: Any, ways: Sequence[tuple[Any, ...]], texts: Mapping[str, Sequence[Any]], *, currency: str = ""
) -> list[rules.ClockLine]:
    """The lines of a store (`channel, kind, country`) under these texts (book → rules), whatever began when."""
    own = texts.get(policy.book_name(store.channel), ())
    found = rules.lines_of(in_market(own, store.country), ways, country=store.country, currency=currency)
    if store.kind in LAW_ONLY:
        for law, countries in rules.LAW_COUNTRIES.items():
            for line in rules.lines_of(texts.get(law, ()), ways, currency=currency):
                if line.kind in ("deliver_by_law", "ship_by_law"):
                    found.append(rules.for_buyers_in(line, countries))
    return found


def zone_of(channel: str, zone: str) -> str:
    """The clock by which days are counted: the platform's where it has one, else the store's."""
    return rules.PLATFORM_ZONES.get(policy.book_name(channel), zone)


def lay_out(
    asked: Sequence[_Store], *, at: datetime, orders: Sequence[int] | None = None,
    lines: dict[int, list[rules.ClockLine]] | None = None, readings: Mapping[rules.ClockLine, int] | None = None,
) -> None:  # fmt: skip
    """Reckon into the temporary table `clock_now`, for all that is open or for some orders. Inside a transaction.

    `lines` by store: as if these had always run there. `readings`: line → bits of the readings of the rule book it stands
    in, where several are reckoned in one go; each clock then has the bits of the readings in which it runs.
    """
    scope = [store.id for store in asked]
    lines = lines or {store.id: lines_since(store, at=at, as_set=True) for store in asked}
    _write_lines(asked, lines, readings)
    kinds = {line.kind for found in lines.values() for line in found}
    _open_orders(scope, orders, unshipped=kinds <= _UNSHIPPED_KINDS)
    _open_parcels(asked, lines, at)
    _working_days(at)
    bulk.execute(_NOW_TABLE)
    bulk.execute("CREATE TEMP TABLE clock_at ON COMMIT DROP AS SELECT %s::timestamptz AS now_at", (at,))
    before, few = rules.SAME_DAY_BEFORE, orders is not None
    join_lines(_FIRST_ROUND, {"before": before}, few=few)
    if not kinds.isdisjoint(_CASE_KINDS):
        given = {} if orders is None else {"orders": list(orders)}
        bulk.execute(_cases_sql(some=few), {"before": before, **given})
    exceptions = moving.exceptions_of(asked, on=at.date())
    moving.move(exceptions)
    join_lines(_SECOND_ROUND, {"at": at, "before": before}, few=few)
    moving.move(exceptions, second=True)


def join_lines(query: str, given: dict[str, Any], *, few: bool = False) -> None:
    """Join what runs with its lines. Nobody has counted the temporary tables, and a loop over them looks cheap: for more
    than a `few` orders it never is."""
    if few:
        bulk.execute(query, given)
        return
    bulk.execute("SET LOCAL enable_nestloop = off")
    bulk.execute(query, given)
    bulk.execute("SET LOCAL enable_nestloop = on")


_CASE_KINDS = frozenset(kind for kind, one in rules.KINDS.items() if one.thing == "case")
_TABLES = ("clock_now", "clock_line", "clock_store", "clock_order", "clock_parcel", "clock_day", "clock_at")


def _write_lines(
    asked: Sequence[_Store], lines: dict[int, list[rules.ClockLine]], readings: Mapping[rules.ClockLine, int] | None = None
) -> None:
    bulk.execute(
        """CREATE TEMP TABLE clock_line (store_id bigint, mode text, rule text, kind text, zone text, seconds bigint,
               days int, calendar text, by_end boolean, acts boolean, loss text, percent numeric, floor numeric,
               cap numeric, step numeric, whole boolean, countries text[], why text, hours int, until date, limits text,
               begins timestamptz, ends timestamptz, readings bigint) ON COMMIT DROP"""
    )
    bulk.execute(
        """CREATE TEMP TABLE clock_store (store_id bigint PRIMARY KEY, zone text, dispatch_hours int, origin text,
               mode text) ON COMMIT DROP"""
    )
    zones = {store.id: zone_of(store.channel, store.zone) for store in asked}
    bulk.copy_rows(
        "clock_line",
        ("store_id", "mode", "rule", "kind", "zone", "seconds", "days", "calendar", "by_end", "acts", "loss", "percent",
         "floor", "cap", "step", "whole", "countries", "why", "hours", "until", "limits",
         "begins", "ends", "readings"),
        [
            (
                store, line.mode, line.rule, line.kind, line.zone, line.seconds, line.days, line.calendar,
                line.by_end_of_day, line.acts, rules.KINDS[line.kind].loss, *_penalty(line.penalty),
                None if line.countries is None else sorted(line.countries), line.why, line.hours, line.until,
                line.penalty.currency if line.penalty else "",
                None if line.first is None else rules.end_of_day(line.first - timedelta(days=1), zones[store]),
                None if line.last is None else rules.end_of_day(line.last, zones[store]),
                1 if readings is None else readings[line],
            )
            for store, found in lines.items()
            for line in found
        ],
    )  # fmt: skip
    settings = {
        store: (mode, hours, ships_on, origin)
        for store, mode, hours, ships_on, origin in DispatchMode.objects.filter(
            store_id__in=[one.id for one in asked], variant=None
        ).values_list("store_id", "mode", "hours", "ships_on", "origin")
    }
    bulk.copy_rows(
        "clock_store",
        ("store_id", "zone", "dispatch_hours", "origin", "mode"),
        [
            (
                store.id, zone_of(store.channel, store.zone), store.dispatch_hours,
                settings.get(store.id, ("", None, None, ""))[3],
                rules.mode_key(*settings[store.id][:3]) if store.id in settings else "unknown",
            )
            for store in asked
        ],
    )  # fmt: skip


def _penalty(penalty: rules.Penalty | None) -> tuple[Any, ...]:
    if penalty is None:
        return (None, None, None, None, False)
    return (penalty.percent, penalty.floor, penalty.cap, penalty.step, penalty.whole)


# What a channel that pays whole yuan takes its percentage of: with the discounts; nothing where it is a top-up.
_BASE = f"""CASE WHEN o.total_amount <= o.refunded_amount THEN 0
    WHEN o.total_amount - o.refunded_amount <= 1 AND NOT EXISTS (
        SELECT FROM orders_orderline t WHERE t.order_id = o.id AND t.kind IN ('goods', 'sample') AND t.title !~ '{rules.TOP_UP}')
    THEN 0 ELSE o.total_amount - o.refunded_amount + greatest(-o.other_amount, 0) END"""


_UNSHIPPED_KINDS = frozenset({"dispatch", "ship_by", "ship_by_law", "out_of_stock", "auto_close"})
"""Clocks that run only while something of an order is still to go out."""


def _open_orders(scope: Sequence[int], orders: Sequence[int] | None, *, unshipped: bool = False) -> None:
    """`clock_order`: every order that has not ended (of which something is `unshipped`), with the way it ships and what a
    percentage is taken of."""
    still_open = "o.status NOT IN ('delivered', 'closed', 'cancelled')"
    if unshipped:
        still_open += " AND o.units > o.cancelled + o.shipped"
    if orders is None:
        _orders(scope, still_open, ())
    else:
        _orders(scope, f"{still_open} AND o.id = ANY(%s::bigint[])", (list(orders),))


def _orders_since(store_id: int, since: datetime) -> None:
    """`clock_order` with every order placed since, ended or not: for the metrics."""
    _orders([store_id], "o.placed_at > %s AND NOT o.is_history AND o.units > 0", (since,))


def _orders(scope: Sequence[int], which: str, params: Sequence[Any]) -> None:
    by_variant = bulk.fetch(
        "SELECT EXISTS (SELECT FROM compliance_dispatchmode WHERE variant_id IS NOT NULL AND store_id = ANY(%s::bigint[]))",
        (list(scope),),
    )[0][0]
    mode, join = "s.mode", ""
    several = "false"
    if by_variant:
        # The strictest of its lines' ways: the one with the shortest time for dispatch in this store.
        mode, several = "coalesce(m.mode, s.mode)", "coalesce(m.several, false)"
        join = """
            LEFT JOIN LATERAL (
                SELECT (array_agg(w.mode ORDER BY w.hours, w.mode))[1] AS mode, count(DISTINCT w.mode) > 1 AS several
                FROM (
                    SELECT coalesce(v.mode, s.mode) AS mode,
                           (SELECT min(k.hours) FROM clock_line k WHERE k.store_id = o.store_id AND k.kind = 'dispatch'
                              AND k.mode = coalesce(v.mode, s.mode)
                              AND (k.begins IS NULL OR coalesce(o.paid_at, o.placed_at) >= k.begins)
                              AND (k.ends IS NULL OR coalesce(o.paid_at, o.placed_at) < k.ends)) AS hours
                    FROM orders_orderline l
                    LEFT JOIN (SELECT store_id, variant_id, CASE WHEN ships_on IS NOT NULL
                                                                   THEN mode || ':' || coalesce(hours, 0) || '@' || ships_on
                                                                 WHEN mode = 'promised' THEN mode || ':' || hours
                                                                 WHEN hours IS NOT NULL THEN mode || '<' || hours
                                                                 ELSE mode END AS mode
                               FROM compliance_dispatchmode WHERE variant_id IS NOT NULL) v
                      ON v.store_id = o.store_id AND v.variant_id = l.variant_id
                    WHERE l.order_id = o.id AND l.kind IN ('goods', 'sample') AND l.quantity > l.cancelled) AS w
            ) AS m ON true"""
    bulk.execute(
        f"""CREATE TEMP TABLE clock_order ON COMMIT DROP AS
            SELECT o.id, o.store_id, {mode} AS mode, coalesce(o.paid_at, o.placed_at) AS started_at, o.placed_at,
                   coalesce(o.ship_by_at, o.placed_at + make_interval(hours => s.dispatch_hours)) AS ship_by_at,
                   o.total_amount - o.refunded_amount AS amount, {_BASE} AS base, o.currency, o.country, s.zone,
                   o.units > o.cancelled + o.shipped AS unshipped, o.address_version,
                   concat_ws(',', CASE WHEN o.paid_at IS NULL THEN 'no_payment_time' END,
                                  CASE WHEN {several} THEN 'several_modes' END) AS why
            FROM orders_order o JOIN clock_store s ON s.store_id = o.store_id{join}
            WHERE o.store_id = ANY(%s::bigint[]) AND {which} AND {PAID}""",
        (list(scope), *params),
    )
    bulk.execute("ANALYZE clock_order (id, store_id, mode)")


_PARCEL_KINDS = frozenset(kind for kind, one in rules.KINDS.items() if one.thing == "parcel") | {"carrier_scan"}
"""Clocks that are reckoned from parcels; `carrier_scan` runs on an order until a parcel of it is scanned."""


def _open_parcels(asked: Sequence[_Store], lines: dict[int, list[rules.ClockLine]], at: datetime) -> None:
    """`clock_parcel`: parcels on their way, with their first, first moving and last scan since the payment.

    Of stores in which a clock runs on parcels.
    """
    stores = [store.id for store in asked if any(line.kind in _PARCEL_KINDS for line in lines[store.id])]
    zoned = [store.id for store in asked if any(line.zone for line in lines[store.id])]
    zone, join, zones = "'near'::text AS zone, 'origin_unknown'::text AS zone_why", "", {}
    if zoned:
        zone = "coalesce(j.zone, 'near') AS zone, coalesce(j.why, 'origin_unknown') AS zone_why"
        join = """
           LEFT JOIN orders_addressversion a ON a.order_id = open.order_id AND a.version = open.address_version
           LEFT JOIN unnest(%(zoned)s::bigint[], %(regions)s::text[], %(zones)s::text[], %(zone_whys)s::text[])
                     AS j (store_id, region, zone, why) ON j.store_id = open.store_id AND j.region = a.region"""
        zones = dict(zip(("zoned", "regions", "zones", "zone_whys"), _zones(zoned), strict=True))
    bulk.execute(
        f"""CREATE TEMP TABLE clock_parcel ON COMMIT DROP AS
           WITH open AS (
               SELECT p.id, p.store_id, p.order_id, p.announced_at, o.mode, o.started_at AS paid_at, o.amount, o.base, o.currency,
                      o.country, o.zone AS clock, o.why, o.address_version
               FROM shipping_parcel p JOIN clock_order o ON o.id = p.order_id
               WHERE p.delivered_at IS NULL AND p.state <> ALL(%(ended)s::text[]) AND o.store_id = ANY(%(stores)s::bigint[])),
           scan AS (
               SELECT e.parcel_id, min(e.at) FILTER (WHERE e.at >= open.paid_at) AS first,
                      min(e.at) FILTER (WHERE e.at >= open.paid_at AND e.status <> 'handed_over') AS moved,
                      min(e.at) FILTER (WHERE e.at >= open.paid_at AND e.status = 'handed_over') AS picked,
                      max(e.at) FILTER (WHERE e.at >= open.paid_at AND e.at <= %(at)s) AS last,
                      bool_or(e.at < open.paid_at) AS older
               FROM shipping_trackingevent e JOIN open ON open.id = e.parcel_id
               WHERE e.status <> ALL(%(no_scan)s::text[]) GROUP BY 1),
           told AS (
               SELECT n.parcel_id, min(n.sent_at) AS at FROM shipping_dispatchnotice n JOIN open ON open.id = n.parcel_id
               WHERE n.sent_at IS NOT NULL GROUP BY 1)
           SELECT open.*, coalesce(told.at, open.announced_at) AS dispatched_at, scan.first, scan.moved, scan.last,
                  concat_ws(',', nullif(open.why, ''), CASE WHEN told.at IS NULL AND scan.first IS NULL THEN 'not_told' END,
                            CASE WHEN scan.older THEN 'scans_before_payment' END,
                            CASE WHEN scan.moved < scan.picked THEN 'scans_contradict' END) AS whys,
                  {zone}
           FROM open LEFT JOIN scan ON scan.parcel_id = open.id LEFT JOIN told ON told.parcel_id = open.id{join}""",
        {"ended": list(ENDED_PARCELS), "no_scan": list(NO_SCAN), "at": at, "stores": stores, **zones},
    )
    bulk.execute("ANALYZE clock_parcel (id, store_id, order_id, mode)")


def _zones(stores: Sequence[int]) -> list[list[Any]]:
    """How far what leaves these stores goes, by the region of the address: columns of store, region, zone, why.

    By the province it leaves from and the one it goes to: few pairs, judged once each.
    """
    pairs = bulk.fetch(
        """SELECT DISTINCT s.store_id, s.origin, a.region FROM clock_order o JOIN clock_store s USING (store_id)
           JOIN orders_addressversion a ON a.order_id = o.id AND a.version = o.address_version
           WHERE o.store_id = ANY(%s::bigint[]) AND a.region IS NOT NULL""",
        (list(stores),),
    )
    judged = [(store, there, *rules.zone_between(origin, there)) for store, origin, there in pairs]
    return [[row[i] for row in judged] for i in range(4)]


def _working_days(at: datetime) -> None:
    """`clock_day`: for each line in working days and each day on which something open started, when it is due."""
    bulk.execute(
        """CREATE TEMP TABLE clock_day (calendar text, days int, zone text, day date, due_at timestamptz, why text)
           ON COMMIT DROP"""
    )
    rows = []
    for calendar, days, zone, first, last in bulk.fetch(
        """SELECT l.calendar, l.days, s.zone, min(o.started_at AT TIME ZONE s.zone)::date,
                  max(o.started_at AT TIME ZONE s.zone)::date
           FROM clock_line l JOIN clock_store s USING (store_id) JOIN clock_order o USING (store_id)
           WHERE l.days IS NOT NULL GROUP BY 1, 2, 3"""
    ):
        day = first
        while day <= last:
            due = rules.nth_working_day(day, days, calendar)
            why = rules.why_not_exact(calendar, day, due)
            rows.append((calendar, days, zone, day, rules.end_of_day(due, zone), why))
            day += timedelta(days=1)
    bulk.copy_rows("clock_day", ("calendar", "days", "zone", "day", "due_at", "why"), rows)


_NOW_TABLE = """
CREATE TEMP TABLE clock_now (store_id bigint, order_id bigint, thing_kind text, thing bigint, rule text, kind text,
    started_at timestamptz, due_at timestamptz, stake numeric(19, 4), currency text, acts boolean, why text,
    mode text, amount numeric, base numeric, zone text, since timestamptz, readings bigint, ran_from timestamptz) ON COMMIT DROP"""

# What runs (r: store, order, thing, mode, kind, zone, started_at, since, amount, base, currency, country, why, fixed due,
# readings of the book; -1 = in all) and the lines that hold for it become clocks. The text in force at `since` counts: the payment, the dispatch, the opening.
_CLOCKS = f"""
INSERT INTO clock_now
SELECT r.store_id, r.order_id, r.thing_kind, r.thing, l.rule, l.kind, r.started_at,
       greatest(d.due_at, p.until),
       CASE WHEN l.loss IN ('order', 'case') THEN r.amount
            WHEN l.percent IS NULL THEN NULL
            WHEN l.limits NOT IN ('', r.currency) THEN round(greatest(b.base, 0) * l.percent * 0.01, {decimals_in_sql("r.currency")})
            WHEN b.base <= 0 THEN 0
            ELSE round(least(greatest(b.base * l.percent * 0.01, l.floor), l.cap), scale(l.step)) END,
       r.currency, l.acts,
       concat_ws(',', nullif(r.why, ''), nullif(l.why, ''), nullif(w.why, ''), CASE WHEN p.until > d.due_at THEN 'presale' END,
                 CASE WHEN l.percent IS NOT NULL AND l.limits NOT IN ('', r.currency) THEN 'limits_in_other_currency' END,
                 CASE WHEN l.percent IS NOT NULL AND b.base > r.amount THEN 'discounts_counted' END,
                 CASE WHEN l.zone <> '' THEN nullif(r.zone_why, '') END),
       r.mode, r.amount, r.base, r.zone, r.since, l.readings & r.readings
FROM running r
JOIN clock_line l ON l.store_id = r.store_id AND l.mode = r.mode AND l.kind = r.kind
     AND (l.zone = '' OR l.zone = r.zone) AND (l.countries IS NULL OR r.country = ANY(l.countries))
     AND (l.begins IS NULL OR r.since >= l.begins) AND (l.ends IS NULL OR r.since < l.ends) AND l.readings & r.readings <> 0
LEFT JOIN clock_day w ON l.days IS NOT NULL AND w.calendar = l.calendar AND w.days = l.days AND w.zone = r.clock
     AND w.day = (r.started_at AT TIME ZONE r.clock)::date
CROSS JOIN LATERAL (SELECT CASE WHEN l.whole THEN r.base ELSE r.amount END AS base) AS b
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN l.kind = 'ship_by' THEN r.fixed_at
        WHEN l.by_end THEN (date_trunc('day', r.started_at AT TIME ZONE r.clock) + interval '1 day' * (
            1 + (extract(hour FROM r.started_at AT TIME ZONE r.clock) >= %(before)s)::int)) AT TIME ZONE r.clock
        WHEN l.days IS NOT NULL THEN w.due_at
        ELSE r.started_at + l.seconds * interval '1 second' END AS due_at
) AS d
CROSS JOIN LATERAL (SELECT (l.until + 1)::timestamp AT TIME ZONE r.clock AS until) AS p"""

_FIRST_ROUND = (
    """WITH running AS (
    SELECT o.store_id, o.id AS order_id, 'order' AS thing_kind, o.id AS thing, o.mode,
           k.kind, '' AS zone, '' AS zone_why, o.started_at, o.started_at AS since, o.amount, o.base, o.currency, o.country, o.why,
           o.zone AS clock, o.ship_by_at AS fixed_at, -1::bigint AS readings
    FROM clock_order o
    LEFT JOIN (SELECT order_id, bool_or(first IS NULL) AS unscanned FROM clock_parcel GROUP BY 1) u ON u.order_id = o.id
    JOIN (SELECT DISTINCT store_id, mode, kind FROM clock_line
          WHERE kind IN ('dispatch', 'ship_by', 'carrier_scan', 'ship_by_law', 'deliver_by_law')) k
      ON k.store_id = o.store_id AND k.mode = o.mode
     AND (o.unshipped OR k.kind = 'deliver_by_law' OR (k.kind = 'carrier_scan' AND u.unscanned))
    UNION ALL
    SELECT p.store_id, p.order_id, 'parcel', p.id, p.mode,
           CASE WHEN p.first IS NULL THEN 'pickup' WHEN p.moved IS NULL THEN 'hub' ELSE 'stall' END,
           p.zone, p.zone_why,
           CASE WHEN p.first IS NULL THEN p.dispatched_at WHEN p.moved IS NULL THEN p.first
                ELSE coalesce(p.last, p.first) END,
           p.dispatched_at, p.amount, p.base, p.currency, p.country, p.whys, p.clock, NULL, -1
    FROM clock_parcel p)"""
    + _CLOCKS
)

# The next step of the ladder, where the one before has run out: late, then out of stock, then closed; and so on.
_SECOND_ROUND = (
    """WITH running AS (
    SELECT n.store_id, n.order_id, n.thing_kind, n.thing, n.mode, n.zone, ''::text AS zone_why, n.since, n.amount,
           n.base, n.currency, ''::text AS country, n.why, s.zone AS clock, NULL::timestamptz AS fixed_at, n.readings, step.kind,
           CASE WHEN step.from_due THEN n.due_at ELSE n.started_at END AS started_at
    FROM clock_now n JOIN clock_store s USING (store_id)
    JOIN (VALUES ('dispatch', 'out_of_stock', true, interval '0'), ('dispatch', 'auto_close', true, interval '3 days'),
                 ('pickup', 'pickup_out_of_stock', false, interval '0'), ('pickup', 'pickup_fraud', true, interval '0'),
                 ('hub', 'hub_fraud', true, interval '0'), ('stall', 'stall_fraud', false, interval '0')
    ) AS step (of, kind, from_due, after) ON step.of = n.kind AND (n.due_at < %(at)s - step.after OR step.after = interval '0')
    WHERE n.due_at <= %(at)s)"""
    + _CLOCKS
)


FOR_DISPATCH = ("dispatch", "ship_by", "carrier_scan")
"""Clocks that say when an order has to be on its way."""

# The time for dispatch of every order laid out, whatever became of it since: by the lines for dispatch, which alone stand there.
_DUE_OF_ALL = (
    """WITH running AS (
    SELECT o.store_id, o.id AS order_id, 'order' AS thing_kind, o.id AS thing, o.mode,
           k.kind, '' AS zone, '' AS zone_why, o.started_at,
           o.started_at AS since, o.amount, o.base, o.currency, o.country, o.why, o.zone AS clock, o.ship_by_at AS fixed_at, -1::bigint AS readings
    FROM clock_order o
    JOIN (SELECT DISTINCT store_id, mode, kind FROM clock_line) k ON k.store_id = o.store_id AND k.mode = o.mode)"""
    + _CLOCKS
)


def _cases_sql(*, some: bool) -> str:
    """Aftersale cases that wait for us (of `some` orders only); a return's clock starts where the case reached its state."""
    of_orders = "AND c.order_id = ANY(%(orders)s::bigint[])" if some else ""
    return (
        f"""WITH running AS (
    SELECT o.store_id, o.id AS order_id, 'case' AS thing_kind, c.id AS thing, o.mode,
           CASE c.state WHEN 'requested' THEN CASE WHEN c.kind = 'refund' AND x.shipped = 0 THEN 'answer_unshipped'
                                                   ELSE 'answer_shipped' END
                        WHEN 'in_transit' THEN 'return_sent' ELSE 'return_received' END AS kind,
           '' AS zone, '' AS zone_why,
           CASE WHEN c.state = 'requested' THEN c.opened_at ELSE coalesce(t.at, c.opened_at) END AS started_at,
           c.opened_at AS since, coalesce(m.amount, o.amount) AS amount, o.amount AS base, o.currency, o.country,
           CASE WHEN c.state <> 'requested' AND t.at IS NULL THEN 'no_started_at' ELSE '' END AS why,
           o.zone AS clock, NULL::timestamptz AS fixed_at, -1::bigint AS readings
    FROM aftersales_aftersalecase c JOIN orders_order x ON x.id = c.order_id
    JOIN LATERAL (SELECT x.id, x.store_id, s.mode, s.zone, x.currency, x.country, x.total_amount - x.refunded_amount AS amount
                  FROM clock_store s WHERE s.store_id = x.store_id) AS o ON true
    LEFT JOIN LATERAL (SELECT max(h.at) AS at FROM history_transition h
                       WHERE h.kind = {AFTERSALE_CASE.kind} AND h.thing = c.id AND h.state_to = c.state
                         AND h.at >= c.opened_at - interval '1 day') AS t ON c.state <> 'requested'
    LEFT JOIN LATERAL (SELECT sum(round(g.amount * l.quantity / nullif(g.quantity, 0), 4)) AS amount
                       FROM aftersales_aftersaleline l JOIN orders_orderline g ON g.id = l.order_line_id
                       WHERE l.case_id = c.id) AS m ON true
    WHERE c.state IN ('requested', 'in_transit', 'received') AND c.store_id IN (SELECT store_id FROM clock_store) {of_orders})"""
        + _CLOCKS
    )


def _keep(scope: Sequence[int], orders: Sequence[int] | None) -> tuple[int, int, int]:
    """Make the stored clocks of these stores equal to `clock_now`; (new, changed, gone)."""
    bulk.execute("CREATE UNIQUE INDEX ON clock_now (order_id, thing_kind, thing, rule)")
    bulk.execute("ANALYZE clock_now (order_id, thing, rule)")
    which, of = "c.store_id = ANY(%s::bigint[])", scope
    if orders is not None:
        which, of = "c.order_id = ANY(%s::bigint[])", orders
    else:
        # A table that was empty when it was last counted looks as if a loop over it were cheap: it never is here.
        bulk.execute("SET LOCAL enable_nestloop = off")
    gone = bulk.execute(
        f"""DELETE FROM compliance_clock c WHERE {which}
            AND NOT EXISTS (SELECT FROM clock_now n WHERE n.order_id = c.order_id AND n.thing_kind = c.thing_kind
                                                      AND n.thing = c.thing AND n.rule = c.rule)""",
        (list(of),),
    )
    changed = bulk.execute(
        """UPDATE compliance_clock c
           SET kind = n.kind, started_at = n.started_at, due_at = n.due_at, stake = n.stake, currency = n.currency,
               state = n.state, acts = n.acts, why = n.why
           FROM (SELECT *, CASE WHEN due_at <= now_at THEN 'overdue' ELSE 'running' END AS state FROM clock_now, clock_at) n
           WHERE n.order_id = c.order_id AND n.thing_kind = c.thing_kind AND n.thing = c.thing AND n.rule = c.rule
             AND (c.kind, c.started_at, c.due_at, c.stake, c.currency, c.state, c.acts, c.why)
                 IS DISTINCT FROM (n.kind, n.started_at, n.due_at, n.stake, n.currency, n.state, n.acts, n.why)"""
    )
    new = bulk.execute(
        """INSERT INTO compliance_clock (store_id, order_id, thing_kind, thing, rule, kind, started_at, due_at, stake,
                                         currency, state, acts, why)
           SELECT n.store_id, n.order_id, n.thing_kind, n.thing, n.rule, n.kind, n.started_at, n.due_at, n.stake, n.currency,
                  CASE WHEN n.due_at <= now_at THEN 'overdue' ELSE 'running' END, n.acts, n.why
           FROM clock_now n CROSS JOIN clock_at
           WHERE NOT EXISTS (SELECT FROM compliance_clock c WHERE n.order_id = c.order_id AND n.thing_kind = c.thing_kind
                                                              AND n.thing = c.thing AND n.rule = c.rule)"""
    )
    bulk.execute("SET LOCAL enable_nestloop = on")
    return new, changed, gone


# --- Findings -----------------------------------------------------------------------------------------------------------

FOUND_DAYS = 60
"""Parcels announced within so many days are looked at."""


@transaction.atomic
def find_parcel_faults(*, at: datetime, stores: Sequence[int] | None = None) -> dict[str, int]:
    """Note what is wrong with parcels (kinds: rules.FINDINGS), end what is so no longer. Returns new ones by kind.

    A number is reused where its parcels go to different addresses; several orders of one buyer in a box are none.
    Another destination is only said where no way of reading the carrier's place fits the address.
    """
    bulk.execute("SELECT pg_advisory_xact_lock(hashtext('find_parcel_faults'))")
    asked = _stores(stores)
    scope = [store.id for store in asked]
    since = at - timedelta(days=FOUND_DAYS)
    given = {"stores": scope, "at": at, "since": since, "no_scan": list(NO_SCAN), "hours": NO_SCAN_HOURS}
    found: list[tuple[str, int, str]] = []  # kind, parcel, further params as json
    for kind, query in _FAULTS.items():
        found += [(kind, row[0], "{}") for row in bulk.fetch(query, {k: v for k, v in given.items() if f"%({k})" in query})]
    found += _contradictions(scope, since)
    found += _elsewhere(scope, since)
    found += _two_places(scope, since)
    penalties = [row for store in asked for row in _penalties(store, "bad_tracking", at)]
    wanted = {(kind, parcel) for kind, parcel, _params in found}
    known = {
        (kind, parcel): finding
        for finding, kind, parcel in bulk.fetch(
            "SELECT id, kind, parcel_id FROM compliance_finding WHERE gone_at IS NULL AND store_id = ANY(%s::bigint[])", (scope,)
        )
    }
    bulk.execute(
        "UPDATE compliance_finding SET gone_at = %s WHERE id = ANY(%s::bigint[])",
        (at, [finding for key, finding in known.items() if key not in wanted]),
    )
    found = [row for row in found if row[:2] not in known]
    if not found:
        return {}
    rows = bulk.fetch(
        f"""INSERT INTO compliance_finding (store_id, order_id, parcel_id, kind, params, stake, currency, found_at)
           SELECT p.store_id, p.order_id, p.id, n.kind,
                  jsonb_build_object('number', p.number, 'order', o.number) || n.params::jsonb,
                  CASE WHEN t.percent IS NULL THEN NULL
                       WHEN t.limits NOT IN ('', o.currency) THEN round(greatest(b.base, 0) * t.percent / 100, {decimals_in_sql("o.currency")})
                       WHEN b.base <= 0 THEN 0
                       ELSE round(least(greatest(b.base * t.percent / 100, t.floor), t.cap) / t.step) * t.step END,
                  o.currency, %s
           FROM unnest(%s::text[], %s::bigint[], %s::text[]) AS n (kind, parcel, params)
           JOIN shipping_parcel p ON p.id = n.parcel JOIN orders_order o ON o.id = p.order_id
           LEFT JOIN unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::numeric[], %s::numeric[], %s::numeric[],
                            %s::numeric[], %s::boolean[], %s::text[])
                     AS t (store_id, begins, ends, percent, floor, cap, step, whole, limits)
             ON t.store_id = p.store_id AND (t.begins IS NULL OR p.announced_at >= t.begins) AND (t.ends IS NULL OR p.announced_at < t.ends)
           CROSS JOIN LATERAL (SELECT CASE WHEN t.whole THEN {_BASE} ELSE o.total_amount - o.refunded_amount END AS base) AS b
           ON CONFLICT (kind, parcel_id) WHERE gone_at IS NULL DO NOTHING RETURNING kind""",
        (
            at, [row[0] for row in found], [row[1] for row in found], [row[2] for row in found],
            *([one[i] for one in penalties] for i in range(9)),
        ),
    )  # fmt: skip
    counts: dict[str, int] = {}
    for (kind,) in rows:
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def _penalties(store: _Store, loss: str, at: datetime) -> list[tuple[Any, ...]]:
    """(store, begins, ends, percent, floor, cap, step, whole, currency) of what a loss costs, by the period of the text."""
    channel, today, zone = policy.book_name(store.channel), local_day(store, at), zone_of(store.channel, store.zone)
    changes = policy.days_of_change(channel, kinds={"compensation"}, until=today, store_id=store.id)
    days = [changes[0] - timedelta(days=1), *changes] if changes else [today]
    midnights = [None, *(rules.end_of_day(day - timedelta(days=1), zone) for day in days[1:]), None]
    found = []
    for day, begins, ends in zip(days, midnights, midnights[1:], strict=False):
        book = {rule.id: rule for rule in policy.texts_of(channel, on=day, today=today, store_id=store.id)}
        if (penalty := rules.penalty_for(loss, 48, book)) is not None:
            found.append((store.id, begins, ends, *_penalty(penalty), penalty.currency))
    return found


_FAULTS = {
    # Only where a platform counts it: an own site may well sell without tracking.
    "parcel_without_scan": """
        SELECT p.id FROM shipping_parcel p JOIN stores_store s ON s.id = p.store_id AND s.kind = 'marketplace'
        WHERE p.store_id = ANY(%(stores)s::bigint[]) AND p.announced_at >= %(since)s AND p.delivered_at IS NULL
          AND p.state NOT IN ('cancelled', 'lost', 'returned_to_sender')
          AND p.announced_at <= %(at)s - make_interval(hours => coalesce(
              (SELECT (extract(epoch FROM min(c.due_at - c.started_at)) / 3600)::int FROM compliance_clock c
               WHERE c.order_id = p.order_id AND c.thing_kind = 'parcel' AND c.thing = p.id AND c.kind = 'pickup'),
              %(hours)s))
          AND NOT EXISTS (SELECT FROM shipping_trackingevent e WHERE e.parcel_id = p.id AND e.status <> ALL(%(no_scan)s::text[]))""",
    "number_reused": f"""
        SELECT p.id FROM shipping_parcel p
        WHERE p.store_id = ANY(%(stores)s::bigint[]) AND p.announced_at >= %(since)s AND p.is_shared_number
          AND p.state <> 'cancelled' AND {NUMBER_FOR_OTHERS.format(more="")}""",
    "pickup_before_payment": """
        SELECT p.id FROM shipping_parcel p JOIN orders_order o ON o.id = p.order_id
        WHERE p.store_id = ANY(%(stores)s::bigint[]) AND p.announced_at >= %(since)s AND p.state <> 'cancelled'
          AND o.paid_at IS NOT NULL
          AND (p.handed_over_at < o.paid_at
               OR EXISTS (SELECT FROM shipping_trackingevent e
                          WHERE e.parcel_id = p.id AND e.at < o.paid_at AND e.status <> ALL(%(no_scan)s::text[])))""",
}  # fmt: skip


PICKED_UP_AFTER_HOURS, MOVED_AFTER_HOURS = 6, 24
"""Carriers' clocks and late readings lie apart: from how many hours on two scans contradict each other."""


def _contradictions(scope: Sequence[int], since: datetime) -> list[tuple[str, int, str]]:
    """Scans that cannot both be true, and numbers that two carriers are said to have. Nothing is left out or changed."""
    scans = bulk.fetch(
        """SELECT x.kind, x.parcel, to_char(x.first AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'),
                  to_char(x.later AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')
           FROM (SELECT p.id AS parcel, d.at AS first, m.picked, m.moved FROM shipping_parcel p
                 JOIN LATERAL (SELECT min(at) AS at FROM shipping_trackingevent e WHERE e.parcel_id = p.id AND e.status = 'delivered') d ON true
                 JOIN LATERAL (SELECT min(at) FILTER (WHERE status = 'handed_over') AS picked,
                                      max(at) FILTER (WHERE status IN ('in_transit', 'out_for_delivery')) AS moved
                               FROM shipping_trackingevent e WHERE e.parcel_id = p.id) m ON true
                 WHERE p.store_id = ANY(%(stores)s::bigint[]) AND p.announced_at >= %(since)s AND p.delivered_at IS NOT NULL
                   AND p.state = 'delivered'
                   AND NOT EXISTS (SELECT FROM aftersales_aftersalecase c WHERE c.order_id = p.order_id AND c.kind = 'return')) AS s
           CROSS JOIN LATERAL (VALUES
               ('delivered_before_pickup', s.parcel, s.first, s.picked, make_interval(hours => %(picked)s::int)),
               ('moved_after_delivery', s.parcel, s.first, s.moved, make_interval(hours => %(moved)s::int))
           ) AS x (kind, parcel, first, later, apart)
           WHERE x.later >= x.first + x.apart""",
        {"stores": list(scope), "since": since, "picked": PICKED_UP_AFTER_HOURS, "moved": MOVED_AFTER_HOURS},
    )
    found = [(kind, parcel, json.dumps({"first": first, "then": then})) for kind, parcel, first, then in scans]
    carriers = bulk.fetch(
        """SELECT p.id, p.carrier, min(q.carrier) FROM shipping_parcel p
           JOIN shipping_parcel q ON q.number = p.number AND q.id <> p.id AND q.state <> 'cancelled' AND q.carrier <> ''
                AND lower(q.carrier) <> lower(p.carrier)
           WHERE p.store_id = ANY(%s::bigint[]) AND p.announced_at >= %s AND p.is_shared_number AND p.state <> 'cancelled'
             AND p.carrier <> '' AND q.store_id = ANY(%s::bigint[]) GROUP BY 1, 2""",
        (list(scope), since, list(scope)),
    )
    found += [
        ("two_carriers", parcel, json.dumps({"carrier": carrier, "other": other}, ensure_ascii=False)) for parcel, carrier, other in carriers
    ]
    return found


def _elsewhere(scope: Sequence[int], since: datetime) -> list[tuple[str, int, str]]:
    """Parcels delivered in another country or state than the order goes to, where both are known without doubt."""
    found = []
    judged: dict[tuple[str, ...], str] = {}
    for parcel, place, country, there, postcode in bulk.fetch(
        """SELECT p.id, e.place, coalesce(nullif(a.country, ''), o.country), a.region, a.postcode
           FROM shipping_parcel p JOIN orders_order o ON o.id = p.order_id
           JOIN orders_addressversion a ON a.order_id = o.id AND a.version = o.address_version
           JOIN shipping_trackingevent e ON e.parcel_id = p.id AND e.status = 'delivered' AND e.place <> ''
           WHERE p.store_id = ANY(%s::bigint[]) AND p.announced_at >= %s AND p.delivered_at IS NOT NULL
           ORDER BY p.id, e.at""",
        (list(scope), since),
    ):
        key = place, country, there, postcode[:4]
        if key not in judged:
            apart = regions.lies_elsewhere(place, country=country, region=there, postcode=postcode)
            judged[key] = ""
            if apart is not None:
                wanted = regions.Reading(country or "CN", apart[1])
                judged[key] = json.dumps({"place": regions.names([apart[0]]), "region": regions.names([wanted])}, ensure_ascii=False)
        if judged[key]:
            found.append(("other_destination", parcel, judged[key]))
    return list({row[1]: row for row in found}.values())


def _two_places(scope: Sequence[int], since: datetime) -> list[tuple[str, int, str]]:
    """Parcels scanned within one minute at two places that lie in different countries or states without doubt."""
    found: dict[int, tuple[str, int, str]] = {}
    judged: dict[tuple[str, ...], tuple[regions.Reading, regions.Reading] | None] = {}
    for parcel, at, one, other, country in bulk.fetch(
        """SELECT p.id, to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), a.place, b.place, o.country
           FROM shipping_parcel p JOIN orders_order o ON o.id = p.order_id
           JOIN shipping_trackingevent a ON a.parcel_id = p.id AND a.place <> '' AND a.at >= %s
           JOIN shipping_trackingevent b ON b.parcel_id = p.id AND b.place NOT IN ('', a.place)
                AND b.at >= a.at AND b.at < a.at + interval '1 minute' AND (b.at > a.at OR b.place > a.place)
           WHERE p.store_id = ANY(%s::bigint[]) AND p.announced_at >= %s AND p.state <> 'cancelled' ORDER BY p.id, a.at""",
        (since - timedelta(days=FOUND_DAYS), list(scope), since),
    ):
        key = one, other, country
        if key not in judged:
            judged[key] = regions.lie_apart(one, other, wanted=country)
        if (apart := judged[key]) is not None and parcel not in found:
            params = {"first": at, "place": regions.names([apart[0]]), "region": regions.names([apart[1]])}
            found[parcel] = ("two_places_at_once", parcel, json.dumps(params, ensure_ascii=False))
    return list(found.values())


# --- How a store ships --------------------------------------------------------------------------------------------------


@transaction.atomic
def set_dispatch_mode(
    *, store_id: int, mode: str, hours: int | None = None, origin: str = "", variants: Sequence[int] = (),
    ships_on: date | None = None, by: str, at: datetime,
) -> None:  # fmt: skip
    """Say how a store ships: everything, or these variants. `hours` promised to buyers; `origin` a province of China;
    `ships_on` the day by which goes out what is on presale.

    "unknown" takes what was said back. Raises `Refused`. The clocks follow with the next reckoning.
    """
    if mode not in dict(rules.MODES):
        raise Refused(_("There is no way of dispatch called %(mode)s.") % {"mode": mode}, code="mode_unknown", field="mode")
    if mode == "promised" and not hours:
        raise Refused(
            _("Goods made or bought to order need the hours you promise to buyers."), code="hours_missing", field="hours"
        )
    if mode == "presale" and ships_on is None:
        raise Refused(_("What is on presale needs the day by which it ships."), code="day_missing", field="ships_on")
    if mode != "presale" and ships_on is not None:
        raise Refused(_("Only what is on presale has a day by which it ships."), code="day_unexpected", field="ships_on")
    today = local_day(_stores([store_id])[0], at)
    if ships_on is not None and not 0 <= (ships_on - today).days <= 90:
        raise Refused(_("The day of a presale lies within the next 90 days."), code="day_invalid", field="ships_on")
    if ships_on is not None:
        hours = max(24, (ships_on - today).days * 24)
    if hours is not None and not 1 <= hours <= 24 * 90:
        raise Refused(
            _("Promised hours lie between 1 and 2160 (90 days)."), code="hours_invalid", field="hours"
        )
    if origin and not rules.region(origin):
        raise Refused(
            _("%(place)s is no province of China that is known here; write for example 浙江 or Zhejiang.")
            % {"place": origin},
            code="origin_unknown", field="origin",
        )  # fmt: skip
    with pghistory.context(by=by):
        wanted: Iterable[int | None] = variants or (None,)
        for variant in wanted:
            if mode == "unknown" and (variant is not None or not origin):
                DispatchMode.objects.filter(store_id=store_id, variant_id=variant).delete()
            else:
                DispatchMode.objects.update_or_create(
                    store_id=store_id, variant_id=variant,
                    defaults={"mode": mode, "hours": hours, "origin": origin.strip(), "ships_on": ships_on},
                )
