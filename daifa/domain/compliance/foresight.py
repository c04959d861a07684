"""What other texts would make of what is open in a store, as if it had begun under them: for looking ahead only.

Both readings are laid out as the clocks are (`commands.lay_out`) and compared; nothing is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from daifa.domain.compliance import commands, rules
from daifa.domain.compliance.models import DispatchMode
from daifa.lib import bulk

NAMED = 50  # orders named
Money = dict[str, Decimal]


@dataclass(slots=True)
class Touched:
    """What a rule does to open clocks under the other text. Money by currency, of each order once.

    `clocks` hang on it before or after, of `orders` (`named`: the numbers of some, the soonest first); `overdue` would be
    overdue and are not, `relaxed` are and would not be. Of a compensation: `staked` orders for which it can fall due cost
    `before` and would cost `after`; for `owed` of them a time has run out already (`owed_before`, `owed_after`).
    """

    clocks: int = 0
    orders: int = 0
    named: list[str] = field(default_factory=list)
    overdue: int = 0
    overdue_money: Money = field(default_factory=dict)
    relaxed: int = 0
    relaxed_money: Money = field(default_factory=dict)
    staked: int = 0
    before: Money = field(default_factory=dict)
    after: Money = field(default_factory=dict)
    owed: int = 0
    owed_before: Money = field(default_factory=dict)
    owed_after: Money = field(default_factory=dict)


def bears_on_clocks(rule: Any) -> bool:
    """Does a rule make a clock, or the money at stake on one?"""
    if rule.kind == "compensation":
        return rule.id == rules.WHOLE_YUAN or any(rule.id == one[0] for ladder in rules.COMPENSATIONS.values() for one in ladder)
    return rule.kind in rules.LINE_KINDS and (bool(rules.kind_of(rule)) or rule.id == rules.PROMISE)


def is_money(rule: Any) -> bool:
    return rule.kind == "compensation"


@transaction.atomic
def as_if(
    store_id: int, before: Mapping[str, Sequence[Any]], after: Mapping[str, Sequence[Any]], changed: Collection[Any], *, at: datetime
) -> dict[str, Touched]:
    """What the `changed` rules would do to what is open in a store at `at`; `before`, `after`: book → rules. By rule id."""
    (store,) = commands._stores([store_id])
    ways = commands.ways_of(DispatchMode.objects.filter(store_id=store_id).values_list("variant_id", "mode", "hours", "ships_on"))
    lines = [commands.lines_under(store, ways, texts) for texts in (before, after)]
    for setting in ("work_mem = '64MB'", "jit = off"):
        bulk.execute(f"SET LOCAL {setting}")
    for reading, name in zip(lines, ("clock_before", "clock_after"), strict=True):
        commands.lay_out([store], at=at, lines={store_id: reading})
        # A promise of the store stands where a rule on dispatch does not: one place on the ladder.
        bulk.execute(
            f"""CREATE TEMP TABLE {name} ON COMMIT DROP AS
                SELECT order_id, thing_kind, thing, mode, kind, CASE kind WHEN 'ship_by' THEN 'dispatch' ELSE kind END AS place,
                       rule, due_at, due_at <= %s AS late, coalesce(stake, 0) AS stake, currency, acts FROM clock_now""",
            (at,),
        )
        for table in commands._TABLES:
            bulk.execute(f"DROP TABLE {table}")
    found = {rule.id: Touched() for rule in changed}
    _deadlines([rule.id for rule in changed if not is_money(rule)], found)
    _money([rule.id for rule in changed if is_money(rule)], lines, (before, after), found)
    bulk.execute("DROP TABLE clock_before, clock_after")
    for rule in changed:
        if rule.id in {one[0] for one in rules.COMPENSATIONS["bad_tracking"]}:
            _of_findings(store_id, [{one.id: one for texts in side.values() for one in texts} for side in (before, after)], found[rule.id])
    return found


_DEADLINES = """
    WITH hangs AS (
        SELECT rule, order_id, thing_kind, thing, place FROM clock_before WHERE rule = ANY(%(rules)s::text[])
        UNION SELECT rule, order_id, thing_kind, thing, place FROM clock_after WHERE rule = ANY(%(rules)s::text[])),
    was AS (SELECT order_id, thing_kind, thing, place, bool_or(late) AS late, max(stake) AS stake
            FROM clock_before WHERE acts GROUP BY 1, 2, 3, 4),
    would AS (SELECT order_id, thing_kind, thing, place, bool_or(late) AS late, max(stake) AS stake, min(due_at) AS due_at
              FROM clock_after WHERE acts GROUP BY 1, 2, 3, 4),
    orders AS (
        SELECT h.rule, h.order_id, o.number, o.currency, count(*) AS clocks, min(n.due_at) AS due_at,
               count(*) FILTER (WHERE n.late AND NOT coalesce(w.late, false)) AS overdue,
               max(n.stake) FILTER (WHERE n.late AND NOT coalesce(w.late, false)) AS overdue_stake,
               count(*) FILTER (WHERE w.late AND NOT coalesce(n.late, false)) AS relaxed,
               max(w.stake) FILTER (WHERE w.late AND NOT coalesce(n.late, false)) AS relaxed_stake
        FROM hangs h JOIN orders_order o ON o.id = h.order_id
        LEFT JOIN was w USING (order_id, thing_kind, thing, place) LEFT JOIN would n USING (order_id, thing_kind, thing, place)
        GROUP BY 1, 2, 3, 4)
    SELECT rule, currency, sum(clocks)::int, count(*), sum(overdue)::int, coalesce(sum(overdue_stake), 0), sum(relaxed)::int,
           coalesce(sum(relaxed_stake), 0), (array_agg(number ORDER BY overdue + relaxed = 0, due_at NULLS LAST, order_id))[1:%(named)s]
    FROM orders GROUP BY 1, 2 ORDER BY 1, 2"""


def _deadlines(ids: Sequence[str], found: dict[str, Touched]) -> None:
    if not ids:
        return
    for rule, currency, clocks, orders, overdue, overdue_stake, relaxed, relaxed_stake, named in bulk.fetch(
        _DEADLINES, {"rules": list(ids), "named": NAMED}
    ):
        one = found[rule]
        one.clocks += clocks
        one.orders += orders
        one.overdue += overdue
        one.relaxed += relaxed
        one.named = [*one.named, *named][:NAMED]
        for money, amount in ((one.overdue_money, overdue_stake), (one.relaxed_money, relaxed_stake)):
            if amount:
                money[currency] = amount


_STAKES = """
    WITH rows AS (
        SELECT p.rule, c.order_id, c.thing_kind, c.currency, c.stake AS before, NULL::numeric AS after, c.late
        FROM clock_before c JOIN clock_pair p USING (mode, kind) WHERE c.acts
        UNION ALL SELECT p.rule, c.order_id, c.thing_kind, c.currency, NULL, c.stake, c.late
        FROM clock_after c JOIN clock_pair p USING (mode, kind) WHERE c.acts),
    losses AS (  -- the steps of a ladder, and the scans of all parcels of an order, are paid once
        SELECT rule, order_id, thing_kind, currency, coalesce(max(before), 0) AS before, coalesce(max(after), 0) AS after,
               coalesce(max(before) FILTER (WHERE late), 0) AS owed_before, coalesce(max(after) FILTER (WHERE late), 0) AS owed_after,
               bool_or(late) AS late
        FROM rows GROUP BY 1, 2, 3, 4)
    SELECT rule, currency, count(DISTINCT order_id), sum(before), sum(after), count(DISTINCT order_id) FILTER (WHERE late),
           sum(owed_before), sum(owed_after) FROM losses GROUP BY 1, 2 ORDER BY 1, 2"""


def _money(
    ids: Sequence[str], lines: Sequence[Sequence[rules.ClockLine]], texts: Sequence[Mapping[str, Sequence[Any]]], found: dict[str, Touched]
) -> None:
    pairs: set[tuple[str, str, str]] = set()
    for reading, books in zip(lines, texts, strict=True):
        known = {rule.id for book in books.values() for rule in book}
        for line in reading:
            by = rules.compensation_rule(rules.KINDS[line.kind].loss, line.promised_hours, known)
            pairs |= {(rule, line.mode, line.kind) for rule in ids if by and rule in (by, rules.WHOLE_YUAN)}
    if not pairs:
        return
    bulk.execute("CREATE TEMP TABLE clock_pair (rule text, mode text, kind text) ON COMMIT DROP")
    bulk.copy_rows("clock_pair", ("rule", "mode", "kind"), sorted(pairs))
    for rule, currency, staked, before, after, owed, owed_before, owed_after in bulk.fetch(_STAKES):
        one = found[rule]
        one.staked += staked
        one.owed += owed
        one.before[currency], one.after[currency] = before, after
        if owed:
            one.owed_before[currency], one.owed_after[currency] = owed_before, owed_after
    bulk.execute("DROP TABLE clock_pair")


def _of_findings(store_id: int, books: Sequence[Mapping[str, Any]], touched: Touched) -> None:
    """What false tracking costs: each order with an open finding once."""
    rows = bulk.fetch(
        """SELECT o.currency, o.total_amount - o.refunded_amount, greatest(-o.other_amount, 0),
                  (SELECT array_agg(l.title) FROM orders_orderline l WHERE l.order_id = o.id AND l.kind IN ('goods', 'sample'))
           FROM orders_order o WHERE o.id IN (SELECT order_id FROM compliance_finding WHERE gone_at IS NULL AND store_id = %s)""",
        (store_id,),
    )
    for currency, paid, discounts, titles in rows:
        for book, money in zip(books, (touched.owed_before, touched.owed_after), strict=True):
            penalty = rules.penalty_for("bad_tracking", 48, book)
            amount = Decimal(0)
            if penalty is not None:
                penalty, _why = rules.in_currency(penalty, currency)
                amount = rules.compensation(paid, penalty, discounts=discounts, titles=titles or [""])
            money[currency] = money.get(currency, Decimal(0)) + amount
    touched.owed += len(rows)
    touched.staked += len(rows)
    touched.before, touched.after = dict(touched.owed_before), dict(touched.owed_after)
