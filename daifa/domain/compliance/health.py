"""A store's health: every metric its channel counts, from its own rows, against the lines of the rule book.

Reads, and one write a day for the chart (`keep_metrics`). A store's orders and parcels of the longest window are laid
out once in two temporary tables; each metric is then a count over them. What decides is in `health_rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from daifa.domain.compliance import commands, figure_queries, figure_rules, health_rules, moving, rules
from daifa.domain.compliance.figure_rules import Figure
from daifa.domain.compliance.health_rules import Break, Bucket, Judged, Text, Window
from daifa.domain.compliance.moving import LeftOut
from daifa.domain.policy import queries as policy
from daifa.domain.policy.book import metrics as metric_words
from daifa.domain.policy.book import shipped_book
from daifa.domain.policy.rules import judge
from daifa.lib import bulk

SHOWN = 50  # orders named behind a metric
FORECAST_DAYS = 14


@dataclass(frozen=True, slots=True)
class Platform:
    """What the platform itself says of a figure, beside what is reckoned here. `said` None: there is no line.

    `apart`: by how much its value lies above the one reckoned here; None where both are alike or only one is known.
    `line_then`: the line as it read on the figure's last day, where that is another than today's.
    """

    figure: Figure
    age: int  # days
    is_stale: bool
    said: figure_rules.Said | None = None
    apart: Decimal | None = None
    line_then: str = ""


class Complained(NamedTuple):
    """A complaint to the platform about an order: from where it is kept, which is above here."""

    order_id: int
    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a store, with the line it is held against where the book has one.

    Percent in points of 100. `events` are the bad ones out of `base`; `orders` some of the orders behind them.
    `acts` False: the line only informs (`verdict`, `why_not`). `missing`: why it cannot be measured here. `platform`: what the
    platform shows, where somebody looked it up; `daifa.flows.read_figures` and the page of figures bring it.
    """

    store_id: int
    metric: str
    words: str
    rule: str = ""
    value: Decimal | None = None
    unit: str = "percent"
    low: Decimal | None = None
    high: Decimal | None = None
    events: int = 0
    base: int = 0
    comparison: str = ""
    line: Decimal | None = None
    share_of_line: Decimal | None = None
    level: int = 0
    is_sure: bool = False
    left: int | None = None
    gate: str = ""
    window: Window | None = None
    acts: bool = True
    verdict: str = ""
    why_not: str = ""
    consequence: str = ""
    note: str = ""
    missing: str = ""
    about: str = ""
    breaks: Break | None = None
    orders: list[int] = field(default_factory=list)
    platform: Platform | None = None
    text_from: date | None = None
    """Where its text came while the window ran: its first day. Two texts of a line are two figures, each over its part."""
    text_until: date | None = None
    """The last day of a text that counts no more, though the window began under it."""
    text_note: str = ""

    @property
    def worst(self) -> int:
        """The level by both: what is reckoned here and what the platform shows, while that is fresh."""
        said = self.platform
        return max(self.level, said.said.level if said and said.said and not said.is_stale else 0)


class Share(NamedTuple):
    """How much a supplier or a listing adds: orders due, late ones, parcels, invalid ones."""

    key: str
    name: str
    due: int
    late: int
    share: Decimal | None  # of all late orders, 0 to 1


@dataclass(frozen=True, slots=True)
class Health:
    """All of it at one moment: lines first by how near they are, then figures without a line, then who adds what."""

    store_id: int
    at: datetime
    channel: str
    metrics: list[Metric]
    suppliers: list[Share]
    listings: list[Share]
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def next_break(self) -> Metric | None:
        """The line that is crossed first if nothing more is shipped; only of rules that act, else of any."""
        coming = [one for one in self.metrics if one.breaks is not None]
        acting = [one for one in coming if one.acts]
        return min(acting or coming, key=lambda one: one.breaks.at, default=None)  # type: ignore[union-attr]


def health(store_id: int, *, at: datetime, complaints: Sequence[Complained] = ()) -> list[Metric]:
    """The metrics of a store as of `at`: nearest to their line first."""
    return whole_health(store_id, at=at, complaints=complaints).metrics


@transaction.atomic
def whole_health(store_id: int, *, at: datetime, complaints: Sequence[Complained] = ()) -> Health:
    """`health`, with what each supplier and each listing adds. Reads only; temporary tables go with the transaction.

    `complaints` to the platform count into defects and disputes: `flows.reads.store_health` brings them along.
    """
    (store,) = commands._stores([store_id])
    channel, zone = policy.book_name(store.channel), commands.zone_of(store.channel, store.zone)
    today = commands.local_day(store, at)
    book, texts = figure_queries.book_of(store, on=today), figure_queries.texts_of(store, today=today)
    if store.kind in commands.LAW_ONLY and not any(text.rule.metric in health_rules.MEASURE_OF for text in texts):
        texts = [Text(_own_line(store, on=today)), *texts]
    lines = [text.rule for text in texts if text.last is None]
    longest = max([400 if text.rule.channel == "ebay" else text.rule.window_days or 30 for text in texts], default=60)
    left_out = _lay_out(store, at, longest, complaints)
    reader = _Reader(store, zone, at, texts)
    found = [metric for rule_id in dict.fromkeys(text.rule.id for text in texts) for metric in reader.of_line(rule_id)]
    found.sort(
        key=lambda one: (
            bool(one.missing) and one.platform is None, not one.acts, -_way(one), one.rule, -(one.text_from or date.max).toordinal()
        )
    )  # fmt: skip
    found += reader.figures(book, [rule.metric for rule in lines])
    result = Health(store_id, at, channel, found, reader.suppliers(), reader.listings(), left_out)
    for table in (*commands._TABLES, "health_order", "health_parcel", "health_complaint", "clock_order_of"):
        bulk.execute(f"DROP TABLE {table}")
    return result


@transaction.atomic
def stand_under(store_id: int, lines: Sequence[Any], *, at: datetime, complaints: Sequence[Complained] = ()) -> list[Metric]:
    """Where a store would stand under each of these lines over the whole of its window, as if it had read like this all along.

    For looking ahead: a line that is no figure (`figure_queries.is_line`) is not to be given. Reads only.
    """
    (store,) = commands._stores([store_id])
    texts = figure_queries.texts_of(store, today=commands.local_day(store, at))
    _lay_out(store, at, max([400 if rule.channel == "ebay" else rule.window_days or 30 for rule in lines], default=60), complaints)
    zone = commands.zone_of(store.channel, store.zone)
    found = []
    for rule in lines:
        # The line of a single day stays as it is while another rule counts the days on which it is crossed.
        others = [text for text in texts if text.rule.id != rule.id]
        reader = _Reader(store, zone, at, [Text(rule), *others])
        window = health_rules.window_of(rule, at, zone=zone, busy=reader.busy)
        found.append(reader.metric(Judged(Text(rule), window, window)))
    for table in (*commands._TABLES, "health_order", "health_parcel", "health_complaint", "clock_order_of"):
        bulk.execute(f"DROP TABLE {table}")
    return found


def _way(one: Metric) -> Decimal:
    said = one.platform.said if one.platform and not one.platform.is_stale else None
    return max(one.share_of_line or Decimal(0), (said.share if said else None) or Decimal(0))


OWN_LINE = "own-health-default"


def _own_line(store: Any, *, on: date) -> Any:
    """Stores that no platform watches are held against daifa's own default, which only informs until the owner confirms it."""
    try:
        return policy.rule(OWN_LINE, on=on, store_id=store.id)
    except KeyError:  # the book of this version was not read yet
        return judge(shipped_book().rules[OWN_LINE], on)


# --- Laying out ---------------------------------------------------------------------------------------------------------

DEFECTS = ("not_arrived", "damaged", "wrong_item", "not_as_described")
DEFECT_COMPLAINTS = (*DEFECTS, "quality")


def _lay_out(store: Any, at: datetime, days: int, complaints: Sequence[Complained]) -> list[LeftOut]:
    """`health_order` and `health_parcel`: what each order and parcel of the window did, with its own time for dispatch."""
    for setting in ("work_mem = '64MB'", "jit = off"):
        bulk.execute(f"SET LOCAL {setting}")
    lines = [line for line in commands.lines_since(store, at=at) if line.kind in commands.FOR_DISPATCH]
    commands._write_lines([store], {store.id: lines})
    since = at - timedelta(days=days + 45)
    commands._orders_since(store.id, since)
    commands._working_days(at)
    bulk.execute(commands._NOW_TABLE)
    bulk.execute("CREATE TEMP TABLE clock_parcel (id bigint) ON COMMIT DROP")
    bulk.execute("CREATE TEMP TABLE clock_at ON COMMIT DROP AS SELECT %s::timestamptz AS now_at", (at,))
    commands.join_lines(commands._DUE_OF_ALL, {"before": rules.SAME_DAY_BEFORE})
    exceptions = moving.exceptions_of([store], on=commands.local_day(store, at))
    moving.move(exceptions)
    bulk.execute("CREATE TEMP TABLE health_complaint (order_id bigint, kind text, at timestamptz) ON COMMIT DROP")
    bulk.copy_rows("health_complaint", ("order_id", "kind", "at"), [one for one in complaints if one.at <= at])
    bulk.execute(
        """CREATE TEMP TABLE health_parcel ON COMMIT DROP AS
           SELECT p.id, p.order_id, p.supplier_id, p.announced_at, coalesce(n.at, p.announced_at) AS told_at, s.first,
                  p.late_at, p.delivered_at, p.state, false AS excused, false AS unscored,
                  EXISTS (SELECT FROM compliance_finding f WHERE f.parcel_id = p.id AND f.gone_at IS NULL) AS faulty,
                  EXISTS (SELECT FROM compliance_clock c WHERE c.order_id = p.order_id AND c.thing_kind = 'parcel'
                          AND c.thing = p.id AND c.kind IN ('pickup_fraud', 'hub_fraud', 'stall_fraud') AND c.due_at <= %(at)s) AS fraud
           FROM shipping_parcel p JOIN clock_order o ON o.id = p.order_id
           LEFT JOIN (SELECT e.parcel_id, min(e.at) AS first FROM shipping_trackingevent e
                      JOIN shipping_parcel q ON q.id = e.parcel_id JOIN clock_order x ON x.id = q.order_id
                      WHERE e.at >= x.started_at AND e.at <= %(at)s AND e.status NOT IN ('announced', 'unknown') GROUP BY 1) s
             ON s.parcel_id = p.id
           LEFT JOIN LATERAL (SELECT min(sent_at) AS at FROM shipping_dispatchnotice WHERE parcel_id = p.id) n ON true
           WHERE p.state <> 'cancelled' AND p.announced_at <= %(at)s""",
        {"at": at},
    )
    bulk.execute(
        # Dispatched when the parcels told so far (or scanned, where the channel goes by that) held all of it: one that was
        # lost on the way left in time all the same, and its replacement is no second dispatch.
        """CREATE TEMP TABLE health_order ON COMMIT DROP AS
            SELECT o.id, o.placed_at, regexp_replace(o.mode, '[:<].*', '') AS mode, d.due_at, s.shipped_at, (x.units > 0 AND x.cancelled >= x.units) AS gone,
                   CASE WHEN x.cancelled > 0 AND NOT coalesce(c.changed_mind, false) THEN true ELSE false END AS cancelled,
                   x.cancelled < x.units AND s.shipped_at IS NULL AS unshipped,
                   coalesce(c.defect, false) OR coalesce(k.defect, false) AS defect, coalesce(c.unresolved, false) AS unresolved,
                   coalesce(c.missing, false) OR coalesce(k.missing, false) OR coalesce(b.lost, false) AS missing,
                   least(k.at, c.disputed_at) AS disputed_at,
                   x.returned > 0 OR coalesce(c.returned, false) AS returned, x.refunded_amount > 0 AS refunded,
                   x.customer_id, r.at AS refunded_at, false AS excused, false AS unscored
            FROM clock_order o JOIN orders_order x ON x.id = o.id
            LEFT JOIN (SELECT order_id, bool_or(kind = 'carrier_scan') AS by_scan,
                              (array_agg(due_at ORDER BY array_position(ARRAY['dispatch', 'carrier_scan', 'ship_by'], kind)))[1] AS due_at
                       FROM clock_now GROUP BY 1) d ON d.order_id = o.id
            LEFT JOIN (SELECT order_id, bool_or(lost) AS lost, min(told_at) FILTER (WHERE told >= wanted) AS told_at,
                              min(first) FILTER (WHERE scanned >= wanted) AS first
                       FROM (SELECT q.order_id, q.state = 'lost' AS lost, q.told_at, q.first, y.units - y.cancelled AS wanted,
                                    sum(l.units) OVER (PARTITION BY q.order_id ORDER BY q.told_at, q.id) AS told,
                                    sum(l.units) OVER (PARTITION BY q.order_id ORDER BY q.first NULLS LAST, q.id) AS scanned
                             FROM health_parcel q JOIN orders_order y ON y.id = q.order_id
                             CROSS JOIN LATERAL (SELECT sum(order_quantity) AS units FROM shipping_parcelline
                                                 WHERE parcel_id = q.id) AS l) AS told GROUP BY 1) b ON b.order_id = o.id
            CROSS JOIN LATERAL (SELECT CASE WHEN d.by_scan THEN b.first ELSE b.told_at END AS shipped_at) s
            LEFT JOIN (SELECT order_id, bool_or(reason = 'changed_mind') AS changed_mind, bool_or(reason = ANY(%(defects)s::text[])) AS defect,
                              bool_or(state = 'expired') AS unresolved, bool_or(reason = 'not_arrived') AS missing,
                              bool_or(kind = 'return') AS returned,
                              min(opened_at) FILTER (WHERE state IN ('refused', 'expired')) AS disputed_at
                       FROM aftersales_aftersalecase WHERE store_id = %(store)s AND opened_at <= %(at)s GROUP BY 1) c
              ON c.order_id = o.id
            LEFT JOIN (SELECT order_id, min(at) AS at, bool_or(kind = ANY(%(complaints)s::text[])) AS defect,
                              bool_or(kind = 'not_arrived') AS missing FROM health_complaint GROUP BY 1) k
              ON k.order_id = o.id
            LEFT JOIN (SELECT order_id, min(at) AS at FROM aftersales_refund WHERE store_id = %(store)s GROUP BY 1) r
              ON r.order_id = o.id""",
        {"at": at, "store": store.id, "defects": list(DEFECTS), "complaints": list(DEFECT_COMPLAINTS)},
    )
    bulk.execute(
        "CREATE TEMP TABLE clock_order_of ON COMMIT DROP AS SELECT id AS order_id, store_id, started_at AS since FROM clock_order"
    )
    return moving.leave_out(exceptions)


# Late: not dispatched when its time ran out. Orders that were cancelled before then do not count; those given up after do.
_DUE = "NOT h.excused AND NOT (h.gone AND (h.refunded_at IS NULL OR h.refunded_at <= h.due_at))"
_LATE = "(h.due_at <= %(at)s AND (h.gone OR h.unshipped OR h.shipped_at > h.due_at))"
_OUT = "(h.due_at + interval '72 hours' <= %(at)s AND (h.gone OR h.unshipped OR h.shipped_at > h.due_at + interval '72 hours'))"

# Measure → (table h, moment by which the window goes, what is counted, what is bad, order).
_MEASURES: dict[str, tuple[str, str, str, str]] = {
    "late": ("health_order", "h.due_at", _DUE, _LATE),
    "out_of_stock": ("health_order", "h.due_at", _DUE, _OUT),
    "cancelled": ("health_order", "h.placed_at", "true", "h.cancelled"),
    "unfulfilled": ("health_order", "h.placed_at", "true", "(h.cancelled OR h.returned)"),
    "defects": ("health_order", "h.placed_at", "true", "h.defect"),
    "defects_or_cancelled": ("health_order", "h.placed_at", "true", "(h.defect OR h.cancelled)"),
    "unresolved": ("health_order", "h.placed_at", "true", "h.unresolved"),
    "refunded": ("health_order", "h.placed_at", "true", "h.refunded"),
    "returned": ("health_order", "h.placed_at", "true", "h.returned"),
    "not_received": ("health_order", "h.placed_at", "true", "h.missing"),
    "invalid": ("health_parcel", "h.announced_at", "NOT h.excused AND (h.first IS NOT NULL OR h.announced_at <= %(at)s - interval '48 hours')",
                "(h.first IS NULL OR h.faulty)"),
    "false_tracking": ("health_parcel", "h.announced_at", "NOT h.excused", "h.faulty"),
    "fraud": ("health_parcel", "h.announced_at", "NOT h.excused", "h.fraud"),
    "disputed": ("health_order", "h.disputed_at", "true", "true"),
    "late_delivery": ("health_parcel", "h.late_at", "NOT h.excused", "(h.delivered_at IS NULL OR h.delivered_at > h.late_at)"),
}  # fmt: skip
_ITEMS = {"item_late": "late", "item_out_of_stock": "out_of_stock", "item_cancelled": "cancelled"}


class _Reader:
    """Counts over the two tables of one store."""

    def __init__(self, store: Any, zone: str, at: datetime, texts: Sequence[Text]) -> None:
        self.store, self.zone, self.at, self.texts = store, zone, at, texts
        quarter = {"at": at, "since": at - timedelta(days=90)}
        count = bulk.fetch("SELECT count(*) FROM health_order WHERE placed_at > %(since)s AND placed_at <= %(at)s", quarter)
        self.busy = count[0][0] >= health_rules.QUARTER_ORDERS
        self._late: list[Bucket] | None = None
        self.said = figure_queries.latest_figures(store.id)
        self.today = at.astimezone(ZoneInfo(zone)).date()

    def platform(self, metric: str, window_days: int | None, value: Decimal | None, unit: str, rule: Any = None) -> Platform | None:
        """What the platform says of this, where somebody looked it up."""
        figure = figure_rules.latest(self.said, metric, window_days)
        if figure is None:
            return None
        age = (self.today - figure.ended_on).days
        then = None if rule is None else figure_queries.text_on(self.texts, rule.id, figure.ended_on)
        other = then is not None and (then.comparison, then.threshold) != (rule.comparison, rule.threshold)
        return Platform(
            figure, age, age >= figure_rules.stale_after(figure.window_days or window_days),
            figure_rules.standing(then, figure) if then is not None else None, figure_rules.differs(value, figure.value, unit),
            line_words(then.comparison, value_text(then.threshold, then.unit)) if other else "",
        )  # fmt: skip

    def of_line(self, rule_id: str) -> list[Metric]:
        """A line of the book as each text of it judges now, the newest first: one figure, while the window runs over no change."""
        texts = [text for text in self.texts if text.rule.id == rule_id]
        return [
            self.metric(one)
            for one in health_rules.judging(texts, self.at, zone=self.zone, busy=self.busy)
            if one.text.last is None or one.text.rule.metric not in health_rules.NOT_MEASURED
        ]

    def metric(self, judged: Judged) -> Metric:
        """One text of a line: counted, judged, projected."""
        rule, window, text = judged.text.rule, judged.window, judged.text
        ended = judged.part == "ended"
        about = Metric(
            self.store.id, rule.metric, words_of(rule.metric), rule.id, unit=rule.unit or "", comparison=rule.comparison,
            line=Decimal(str(rule.threshold)), window=window, acts=rule.acts and not ended, verdict="ended" if ended else rule.verdict,
            why_not=_("The line ended on %(day)s.") % {"day": text.last} if ended else rule.why_not,
            consequence=str(rule.consequence), gate=_gate_words(rule), text_until=text.last,
            text_from=text.first if judged.part in ("since", "days") else None, text_note=_text_words(judged),
        )  # fmt: skip
        if rule.metric in health_rules.NOT_MEASURED:
            return _with(
                about, missing=_(health_rules.NOT_MEASURED[rule.metric]), text_from=None, text_note="",
                platform=self.platform(rule.metric, rule.window_days, None, rule.unit or "", rule),
            )  # fmt: skip
        sku, events, base, counted, orders = self._counted(rule, window)
        stood = health_rules.standing(rule, events, base, counted=counted)
        measure = health_rules.MEASURE_OF[rule.metric]
        notes = [about.text_note] if about.text_note else []
        if judged.part == "since":
            notes += self._over_the_whole(judged, stood.level)
        notes += [_(health_rules.PARTLY[measure])] if measure in health_rules.PARTLY else []
        if measure in _ITEMS:
            notes.append(str(rule.note))
        if window.assumed:
            notes.append(_("The rule names no window; 30 days are taken."))
        breaks = None
        if measure in ("late", "out_of_stock") and rule.unit == "percent" and stood.level < 100 and judged.part in ("", "since", "under"):
            breaks = self._break(judged, timedelta(hours=72 if measure == "out_of_stock" else 0))
        return _with(
            about, value=stood.value, low=stood.low, high=stood.high, events=events, base=base,
            share_of_line=stood.share, level=stood.level, is_sure=stood.sure, left=stood.left, about=sku, orders=orders,
            note=" ".join(notes), breaks=breaks,
            platform=self.platform(rule.metric, rule.window_days, stood.value, rule.unit or "", rule) if text.last is None else None,
        )  # fmt: skip

    def _over_the_whole(self, judged: Judged, level: int) -> list[str]:
        """What a new text would say of the whole window, where that is worse: some platforms may count it so."""
        rule = judged.text.rule
        _sku, events, base, counted, _orders = self._counted(rule, judged.whole)
        stood = health_rules.standing(rule, events, base, counted=counted)
        if stood.level <= level:
            return []
        given = {"value": value_text(stood.value, rule.unit), "bad": events, "base": base}
        if stood.level == 100:
            return [_("Over the whole window it would be crossed: %(value)s (%(bad)s of %(base)s). No text says whether the platform counts the days before.") % given]
        return [_("Over the whole window it would be near: %(value)s (%(bad)s of %(base)s). No text says whether the platform counts the days before.") % given]

    def _counted(self, rule: Any, window: Window) -> tuple[str, int, int, int | None, list[int]]:
        """(listing it is about, bad ones, out of so many, count of its gate, some orders behind it)."""
        measure = health_rules.MEASURE_OF[rule.metric]
        counted, sku, orders = None, "", []
        if measure == "late_days":
            events, base = self._failing_days(window), 7
        elif measure in _ITEMS:
            sku, events, base = self._worst_item(_ITEMS[measure], window, rule)
            orders = self._behind(_ITEMS[measure], window, sku) if sku else []
        elif measure == "disputed":
            events, base = self._disputes(window)
            orders = self._behind(measure, window)
        else:
            events, base = self._count(measure, window)
            orders = self._behind(measure, window)
            if rule.gate is not None and rule.gate.metric == "unique_buyers_with_defects":
                counted = self._buyers(measure, window)
        return sku, events, base, counted, orders

    def _count(self, measure: str, window: Window) -> tuple[int, int]:
        table, moment, counts, bad = _MEASURES[measure]
        query = f"""SELECT count(*) FILTER (WHERE {bad}), count(*) FROM {table} h
                    WHERE {moment} > %(begin)s AND {moment} <= %(end)s AND {counts}"""
        row = bulk.fetch(query, self._given(query, window))[0]
        return row[0], row[1]

    def _disputes(self, window: Window) -> tuple[int, int]:
        """(orders that came to a dispute in the window, parcels announced in it)."""
        query = """SELECT count(*) FROM health_order h WHERE h.disputed_at > %(begin)s AND h.disputed_at <= %(end)s"""
        return bulk.fetch(query, self._given(query, window))[0][0], self._count("false_tracking", window)[1]

    def _given(self, query: str, window: Window, **more: Any) -> dict[str, Any]:
        # Each placeholder of the statement and no other: the driver refuses what it cannot type.
        given = {"at": self.at, "begin": window.begin, "end": window.end, **more}
        return {name: value for name, value in given.items() if f"%({name})" in query}

    def _behind(self, measure: str, window: Window, sku: str = "") -> list[int]:
        table, moment, counts, bad = _MEASURES[measure]
        order = "h.id" if table == "health_order" else "h.order_id"
        of_item = (
            f"AND EXISTS (SELECT FROM orders_orderline l WHERE l.order_id = {order} AND l.sku = %(sku)s)" if sku else ""
        )
        query = f"""SELECT DISTINCT {order} FROM {table} h WHERE {moment} > %(begin)s AND {moment} <= %(end)s
                    AND {counts} AND {bad} {of_item} ORDER BY 1 DESC LIMIT {SHOWN}"""
        return [row[0] for row in bulk.fetch(query, self._given(query, window, sku=sku))]

    def _buyers(self, measure: str, window: Window) -> int:
        table, moment, counts, bad = _MEASURES[measure]
        query = f"""SELECT count(DISTINCT coalesce(h.customer_id, -h.id)) FROM {table} h
                    WHERE {moment} > %(begin)s AND {moment} <= %(end)s AND {counts} AND {bad}"""
        return bulk.fetch(query, self._given(query, window))[0][0]

    def _worst_item(self, measure: str, window: Window, rule: Any) -> tuple[str, int, int]:
        """The listing that stands worst against the rule: (SKU, bad orders, orders)."""
        table, moment, counts, bad = _MEASURES[measure]
        of_mode = "AND h.mode = ANY(%(modes)s::text[])" if rule.id in health_rules.ITEMS_OF else ""
        query = f"""SELECT l.sku, count(DISTINCT h.id) FILTER (WHERE {bad}), count(DISTINCT h.id)
                    FROM {table} h JOIN orders_orderline l ON l.order_id = h.id AND l.kind IN ('goods', 'sample')
                    WHERE {moment} > %(begin)s AND {moment} <= %(end)s AND {counts} {of_mode} GROUP BY 1
                    HAVING count(DISTINCT h.id) FILTER (WHERE {bad}) > 0"""
        rows = bulk.fetch(query, self._given(query, window, modes=list(health_rules.ITEMS_OF.get(rule.id, ()))))
        stand = lambda row: health_rules.standing(rule, row[1], row[2]).share or Decimal(0)  # noqa: E731
        worst = max(rows, key=lambda row: (stand(row), row[1]), default=None)
        return worst or ("", 0, 0)

    def _failing_days(self, window: Window) -> int:
        """Days of the window on which the day's own line was crossed, as it read on that day."""
        daily = [text for text in self.texts if text.rule.metric == "late_dispatch_rate" and text.rule.window_days == 1]
        if not daily:
            return 0
        query = f"""SELECT (h.due_at AT TIME ZONE %(zone)s)::date, count(*) FILTER (WHERE {_LATE}), count(*)
                    FROM health_order h WHERE h.due_at > %(begin)s AND h.due_at <= %(end)s AND {_DUE} GROUP BY 1"""
        rows = bulk.fetch(query, self._given(query, window, zone=self.zone))
        return sum(
            any(text.holds_on(day) and health_rules.is_crossed(text.rule, late, base) for text in daily) for day, late, base in rows
        )

    def _buckets(self) -> list[Bucket]:
        if self._late is None:
            query = f"""SELECT date_trunc('hour', h.due_at) + interval '1 hour', count(*), count(*) FILTER (WHERE {_LATE}),
                               count(*) FILTER (WHERE h.due_at > %(at)s AND h.unshipped AND NOT h.gone)
                        FROM health_order h WHERE h.due_at > %(begin)s AND h.due_at <= %(end)s AND {_DUE} GROUP BY 1"""
            span = Window(self.at - timedelta(days=90), self.at + timedelta(days=FORECAST_DAYS))
            self._late = [Bucket(*row) for row in bulk.fetch(query, self._given(query, span))]
        return self._late

    def _break(self, judged: Judged, later: timedelta) -> Break | None:
        buckets = [Bucket(one.end + later, one.base, one.bad, one.open) for one in self._buckets()]
        window, length = judged.window, judged.whole.end - judged.whole.begin
        since = window.begin if judged.part == "since" else None

        def begin_of(moment: datetime) -> datetime:
            if window.natural:
                begin = health_rules.natural_begin(moment - timedelta(seconds=1), window.natural, self.zone)
            else:
                begin = moment - length
            return begin if since is None else max(begin, since)

        if judged.part == "under" and judged.text.last is not None:
            # Windows that begin after its last day are not judged by this text.
            ended = rules.end_of_day(judged.text.last, self.zone)
            buckets = [one for one in buckets if one.end <= self.at or begin_of(one.end) < ended]
        return health_rules.first_break(judged.text.rule, buckets, self.at, begin_of)

    # --- Figures without a line, and who adds what ----------------------------------------------------------------------

    def figures(self, book: Sequence[Any], lines: Sequence[str]) -> list[Metric]:
        """What counts into platforms' scores without a line in the book, then what every channel is asked for and this
        one's rules name no line for, then what else the platform showed."""
        found = [self._beside(one) for one in [*self._scores(), *self._wanted(book, lines)]]
        known = {one.metric for one in found} | set(lines)
        for metric, about in figure_rules.reportable(book).items():
            if metric not in known and (said := self.platform(metric, None, None, about.unit)):
                found.append(Metric(self.store.id, metric, words_of(metric), unit=about.unit, missing=_missing(metric), platform=said))
        return found

    def _beside(self, one: Metric) -> Metric:
        return _with(one, platform=self.platform(one.metric, None, one.value, one.unit))

    def _wanted(self, book: Sequence[Any], lines: Sequence[str]) -> list[Metric]:
        """Late, cancelled, valid tracking, defects, on time, replies: where no line of the channel is about it."""
        month = Window(self.at - timedelta(days=30), self.at)
        found = []
        for measure, metric in figure_rules.WANTED.items():
            if measure in ("focus", "dispute") or figure_rules.metric_for(measure, lines) is not None:
                continue
            # Its own name for the figure where its rules know it without a line, for example as a part of its score.
            metric = figure_rules.metric_for(measure, figure_rules.reportable(book)) or metric
            if measure == "reply":
                found.append(Metric(self.store.id, metric, words_of(metric), missing=_missing(metric)))
                continue
            bad, base = self._count(measure, month)
            value = _good(bad, base) if metric in figure_rules.GOOD else _share(bad, base)
            one = self._figure(metric, value, "percent", bad, base, month)
            found.append(_with(one, note=_(health_rules.PARTLY[measure]) if measure in health_rules.PARTLY else ""))
        return found

    def _scores(self) -> list[Metric]:
        month = Window(self.at - timedelta(days=30), self.at)
        found = []
        query = """SELECT round(avg(extract(epoch FROM delivered_at - told_at) / 3600), 1), count(*) FROM health_parcel h
                   WHERE h.delivered_at > %(begin)s AND h.delivered_at <= %(end)s AND h.delivered_at > h.told_at AND NOT h.unscored"""
        hours, parcels = bulk.fetch(query, self._given(query, month))[0]
        found.append(self._figure("hours_dispatch_to_signature", hours, "hour", 0, parcels, month))
        query = """SELECT count(*) FILTER (WHERE first IS NULL OR first > told_at + interval '24 hours'), count(*)
                   FROM health_parcel h WHERE h.told_at > %(begin)s AND h.told_at <= %(at)s - interval '24 hours' AND NOT h.unscored"""
        late, parcels = bulk.fetch(query, self._given(query, month))[0]
        found.append(self._figure("pickup_on_time_rate", _good(late, parcels), "percent", late, parcels, month))
        query = """SELECT c.kind, round(avg(extract(epoch FROM r.confirmed_at - c.opened_at) / 3600), 1), count(*)
                   FROM aftersales_refund r JOIN aftersales_aftersalecase c ON c.id = r.case_id
                   WHERE r.store_id = %(store)s AND r.confirmed_at > %(begin)s AND r.confirmed_at <= %(end)s GROUP BY 1"""
        times = {kind: (value, n) for kind, value, n in bulk.fetch(query, self._given(query, month, store=self.store.id))}
        for name, kind in (("refund_only_hours", "refund"), ("return_refund_hours", "return")):
            value, n = times.get(kind, (None, 0))
            found.append(self._figure(name, value, "hour", 0, n, month))
        two = Window(self.at - timedelta(days=60), self.at)
        disputed, parcels = self._disputes(two)
        found.append(self._figure("dispute_rate", _share(disputed, parcels), "percent", disputed, parcels, two))
        query = """SELECT coalesce(nullif(split_part(p.category, '>', 1), ''), '–'), count(DISTINCT h.id)
                   FROM health_order h JOIN orders_orderline l ON l.order_id = h.id AND l.kind = 'goods'
                   LEFT JOIN catalog_variant v ON v.id = l.variant_id LEFT JOIN catalog_product p ON p.id = v.product_id
                   WHERE h.placed_at > %(begin)s AND h.placed_at <= %(end)s GROUP BY 1 ORDER BY 2 DESC"""
        rows = bulk.fetch(query, self._given(query, month))
        total = sum(n for _name, n in rows)
        name = rows[0][0].strip() if rows else ""
        one = self._figure("category_focus", _share(rows[0][1], total) if rows else None, "percent", 0, total, month)
        found.append(_with(one, about=name))
        return found

    def _figure(self, name: str, value: Decimal | None, unit: str, events: int, base: int, window: Window) -> Metric:
        value = None if not base else value
        return Metric(self.store.id, name, words_of(name), value=value, unit=unit, events=events, base=base, window=window)

    def suppliers(self) -> list[Share]:
        """Which suppliers the late orders of 30 days come from; an order of two counts for both."""
        query = f"""SELECT s.code, s.name, count(DISTINCT h.id), count(DISTINCT h.id) FILTER (WHERE {_LATE})
                    FROM health_order h JOIN purchasing_purchaseorder p ON p.order_id = h.id
                         AND p.state NOT IN ('refused', 'failed', 'cancelled')
                    JOIN sourcing_supplier s ON s.id = p.supplier_id
                    WHERE h.due_at > %(begin)s AND h.due_at <= %(end)s AND {_DUE}
                      AND (p.units > p.shipped OR NOT {_LATE} OR EXISTS (
                          SELECT FROM health_parcel q WHERE q.order_id = h.id AND q.supplier_id = s.id AND q.told_at > h.due_at))
                    GROUP BY 1, 2 ORDER BY 4 DESC, 3 DESC LIMIT 10"""
        return self._shares(query)

    def listings(self) -> list[Share]:
        """Which listings the late orders of 30 days are about."""
        query = f"""SELECT l.sku, max(l.title), count(DISTINCT h.id), count(DISTINCT h.id) FILTER (WHERE {_LATE})
                    FROM health_order h JOIN orders_orderline l ON l.order_id = h.id AND l.kind IN ('goods', 'sample')
                    WHERE h.due_at > %(begin)s AND h.due_at <= %(end)s AND {_DUE}
                    GROUP BY 1 ORDER BY 4 DESC, 3 DESC LIMIT 10"""
        return self._shares(query)

    def _shares(self, query: str) -> list[Share]:
        month = Window(self.at - timedelta(days=30), self.at)
        late = self._count("late", month)[0]
        return [
            Share(key, name, due, bad, (Decimal(bad) / late).quantize(Decimal("0.001")) if late else None)
            for key, name, due, bad in bulk.fetch(query, self._given(query, month))
            if bad
        ]


def _text_words(judged: Judged) -> str:
    """Why a line is judged by this text over this part of its window; "" where nothing changed meanwhile."""
    if judged.part in ("since", "days"):
        text = _("This text counts from %(day)s on: only what fell since is held against it.")
        if judged.part == "days":
            text = _("This text counted from %(day)s until %(last)s: only what fell on these days is held against it.")
        return text % {"day": judged.text.first, "last": judged.text.last}
    if judged.part == "under":
        return _("The window began under this text, which counted until %(day)s: it is judged by it as a whole; the text of today stands beside it.") % {"day": judged.text.last}
    return _("What fell until the line ended is shown, and warns of nothing.") if judged.part == "ended" else ""


def _with(metric: Metric, **changes: Any) -> Metric:
    from dataclasses import replace

    return replace(metric, **changes)


def _share(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) * 100 / whole).quantize(Decimal("0.01")) if whole else None


def _good(bad: int, whole: int) -> Decimal | None:
    return None if not whole else 100 - (_share(bad, whole) or Decimal(0))


def words_of(metric: str) -> str:
    """The metric's name in the reader's language."""
    if metric in _OWN_WORDS:
        return _(_OWN_WORDS[metric])
    found = metric_words().get(metric)
    return str(found.words) if found else metric.replace("_", " ")


def _missing(metric: str) -> str:
    return _(health_rules.NOT_MEASURED[metric]) if metric in health_rules.NOT_MEASURED else ""


_OWN_WORDS = {"category_focus": N_("share of the main category")}


def _gate_words(rule: Any) -> str:
    if rule.gate is None:
        return ""
    return f"{words_of(rule.gate.metric)}: {line_words(rule.gate.comparison, f'{rule.gate.threshold:f}')}"


_COMPARED = {">": N_("above %(line)s"), ">=": N_("from %(line)s on"), "<": N_("below %(line)s"), "<=": N_("up to %(line)s")}


def line_words(comparison: str, line: str) -> str:
    """What triggers a rule, as it is said: "from 4 % on", "below 95 %"."""
    return _(_COMPARED[comparison]) % {"line": line} if comparison in _COMPARED else f"{comparison} {line}"


# --- The chart, and what is near ----------------------------------------------------------------------------------------


def keep_metrics(*, store_id: int, at: datetime, complaints: Sequence[Complained] = ()) -> int:
    """Reckon a store and keep its figures as those of the day; returns how many."""
    found = _worst_texts(one for one in health(store_id, at=at, complaints=complaints) if not one.missing)
    (store,) = commands._stores([store_id])
    day = commands.local_day(store, at)
    rows = [
        (
            store_id, one.metric, one.rule, day, one.value, one.events, one.base, one.line, one.level, one.is_sure,
            one.breaks.at if one.breaks else None,
        )
        for one in found
    ]  # fmt: skip
    with transaction.atomic():
        bulk.execute("DELETE FROM compliance_metricday WHERE store_id = %s AND day = %s", (store_id, day))
        return bulk.copy_rows(
            "compliance_metricday",
            ("store_id", "metric", "rule", "day", "value", "events", "base", "line", "level", "is_sure", "breaks_at"),
            rows,
        )


def _worst_texts(found: Iterable[Metric]) -> list[Metric]:
    """Of the texts of a line the one that stands worst, with the first moment at which any of them breaks."""
    by_line: dict[tuple[str, str], list[Metric]] = {}
    for one in found:
        by_line.setdefault((one.metric, one.rule), []).append(one)
    kept = []
    for texts in by_line.values():
        worst = max(texts, key=lambda one: (one.acts, one.level if one.is_sure else 0, one.level, one.share_of_line or Decimal(0), one.text_until is None))
        if worst.verdict == "ended":
            worst = _with(worst, level=0, is_sure=False)  # it stays in the chart, and is near nothing
        breaks = [one.breaks for one in texts if one.breaks is not None and one.acts == worst.acts]
        kept.append(_with(worst, breaks=min(breaks, key=lambda one: one.at)) if breaks and worst.level < 100 else worst)
    return kept


def trend(store_id: int, rule: str, *, since: date, metric: str = "") -> list[tuple[date, Decimal | None]]:
    """(day, value) of a line (or of a metric without one) since a day, oldest first."""
    return bulk.fetch(
        """SELECT day, value FROM compliance_metricday
           WHERE store_id = %s AND rule = %s AND (%s::text = '' OR metric = %s) AND day >= %s ORDER BY day""",
        (store_id, rule, metric, metric, since),
    )


class Near(NamedTuple):
    """A line that acts and is near or crossed: as of the last reckoning, or (`is_said`) as the platform shows it."""

    store_id: int
    rule: str
    words: str
    value_text: str
    line_text: str
    level: int
    consequence: str
    since: datetime
    breaks_at: datetime | None
    is_said: bool = False


def near_lines(scope: Sequence[int], *, at: datetime) -> list[Near]:
    """Lines at 70 % or more, or soon to break, of rules that act; small numbers alone make none.

    One entry for a line: where the platform's own figure, while it is fresh, stands worse, that one.
    """
    rows = bulk.fetch(
        """SELECT m.store_id, m.rule, m.metric, m.value, m.line, m.level, m.day, m.breaks_at, s.channel, s.timezone
           FROM compliance_metricday m JOIN stores_store s ON s.id = m.store_id
           JOIN (SELECT store_id, max(day) AS day FROM compliance_metricday WHERE store_id = ANY(%s::bigint[]) AND day >= %s
                 GROUP BY 1) n ON n.store_id = m.store_id AND n.day = m.day
           WHERE m.rule <> '' AND ((m.level >= 70 AND m.is_sure) OR m.breaks_at BETWEEN %s AND %s)
           ORDER BY m.level DESC, m.store_id, m.rule""",
        (list(scope), at.date() - timedelta(days=2), at, at + timedelta(days=3)),
    )
    found: dict[tuple[int, str], Near] = {}
    for store, rule_id, metric, value, line, level, day, breaks_at, channel, zone in rows:
        there = ZoneInfo(commands.zone_of(channel, zone))
        rule = policy.in_force(on=max(day, at.astimezone(there).date()), store_id=store).get(rule_id)
        if rule is None or not rule.acts:
            continue
        since = datetime.combine(day, datetime.min.time(), there)
        found[store, rule_id] = Near(
            store, rule_id, words_of(metric), value_text(value, rule.unit), value_text(line, rule.unit), level,
            str(rule.consequence), since, breaks_at,
        )  # fmt: skip
    for one in figure_queries.said_lines(scope, at=at):
        key = one.store_id, one.rule.id
        if one.is_stale or not one.rule.acts or one.said.level < 70 or not one.said.is_sure:
            continue
        if key not in found or found[key].level < one.said.level:
            found[key] = Near(
                one.store_id, one.rule.id, words_of(one.rule.metric), value_text(one.figure.value, one.rule.unit),
                value_text(one.rule.threshold, one.rule.unit), one.said.level, str(one.rule.consequence),
                datetime.combine(one.figure.ended_on, datetime.min.time(), ZoneInfo(one.zone)),
                found[key].breaks_at if key in found else None, True,
            )  # fmt: skip
    return sorted(found.values(), key=lambda one: (-one.level, one.store_id, one.rule))


def value_text(value: Decimal | None, unit: str | None) -> str:
    """A figure as it is read: 3.2 %, 48 h, 4."""
    if value is None:
        return "–"
    number = f"{value.normalize():f}"
    return {"percent": f"{number} %", "hour": f"{number} h"}.get(unit or "", number)
