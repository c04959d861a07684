"""What other texts would make of what is open in a store, as if it had begun under them: for looking ahead only.

The readings of the book are laid out as the clocks are (`commands.lay_out`) and compared; nothing is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

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


class Turn(NamedTuple):
    """A day on which texts change: the books that run clocks as they read before it and from it on (book → rules), and
    the rules that change on it and bear on clocks."""

    before: Mapping[str, Sequence[Any]]
    after: Mapping[str, Sequence[Any]]
    changed: Collection[Any]


@transaction.atomic
def as_if(store_id: int, turns: Sequence[Turn], *, at: datetime) -> list[dict[str, Touched]]:
    """What the changed rules of each turn would do to what is open in a store at `at`: by turn, by rule id.

    All readings are reckoned in one go, and of each only the kinds of clocks that hang on what changes. Reads only.
    """
    found = [{rule.id: Touched() for rule in turn.changed} for turn in turns]
    for first in range(0, len(turns), _AT_ONCE):
        _compare(store_id, turns[first : first + _AT_ONCE], found[first : first + _AT_ONCE], at)
    for turn, touched in zip(turns, found, strict=True):
        for rule in turn.changed:
            if rule.id in {one[0] for one in rules.COMPENSATIONS["bad_tracking"]}:
                books = [{one.id: one for texts in side.values() for one in texts} for side in (turn.before, turn.after)]
                _of_findings(store_id, books, touched[rule.id])
    return found


_AT_ONCE = 30  # turns have two readings each, and those are the bits of a number


class _Compared(NamedTuple):
    """A turn as it is compared: the bits of its two readings, the kinds of clocks it is about, and for each changed
    compensation the (rule, mode, kind) it is lost by."""

    before: int
    after: int
    kinds: frozenset[str]
    pairs: frozenset[tuple[str, str, str]]


def _compare(store_id: int, turns: Sequence[Turn], found: Sequence[dict[str, Touched]], at: datetime) -> None:
    (store,) = commands._stores([store_id])
    modes = list(DispatchMode.objects.filter(store_id=store_id).values_list("variant_id", "mode", "hours", "ships_on"))
    ways, by_goods = commands.ways_of(modes), any(mode[0] is not None for mode in modes)
    readings: dict[tuple[rules.ClockLine, ...], int] = {}
    compared = []
    for turn in turns:
        sides = [commands.lines_under(store, ways, texts) for texts in (turn.before, turn.after)]
        before, after = (readings.setdefault(tuple(map(_plain, side)), 1 << len(readings)) for side in sides)
        pairs = _pairs([rule.id for rule in turn.changed if is_money(rule)], sides, (turn.before, turn.after))
        compared.append(_Compared(before, after, _kinds(sides, turn.changed, pairs), pairs))
    wanted: dict[int, set[str]] = {}  # bit of a reading → the kinds in which a turn looks at it
    for one in compared:
        kinds = one.kinds | {parent for parent, child in _STEPS if child in one.kinds}
        for bit in (one.before, one.after):
            wanted.setdefault(bit, set()).update(kinds)
    if not any(wanted.values()):
        return
    for setting in ("work_mem = '64MB'", "jit = off"):
        bulk.execute(f"SET LOCAL {setting}")
    # What ships in several ways goes by the strictest of them: readings with other times for dispatch are reckoned apart.
    groups: dict[Any, dict[tuple[rules.ClockLine, ...], int]] = {}
    for lines, bit in readings.items():
        hours = frozenset((line.mode, line.hours) for line in lines if line.kind == "dispatch") if by_goods else None
        groups.setdefault(hours, {})[lines] = bit
    for number, group in enumerate(groups.values()):
        bits: dict[rules.ClockLine, int] = {}
        for lines, bit in group.items():
            for line in lines:
                if line.kind in wanted[bit] or (by_goods and line.kind == "dispatch"):
                    bits[line] = bits.get(line, 0) | bit
        commands.lay_out([store], at=at, lines={store_id: list(bits)}, readings=bits)
        if number:
            bulk.execute("INSERT INTO clock_seen SELECT * FROM clock_now")
            bulk.execute("DROP TABLE clock_now")
        else:
            bulk.execute("ALTER TABLE clock_now RENAME TO clock_seen")
        for table in commands._TABLES:
            if table != "clock_now":
                bulk.execute(f"DROP TABLE {table}")
    for turn, one, touched in zip(turns, compared, found, strict=True):
        _deadlines(one, [rule.id for rule in turn.changed if not is_money(rule)], touched, at)
        _money(one, touched, at)
    bulk.execute("DROP TABLE clock_seen")


def _plain(line: rules.ClockLine) -> rules.ClockLine:
    """Without what makes no other clock."""
    return replace(line, promised_hours=0, why="")


_STEPS = (
    ("dispatch", "out_of_stock"), ("dispatch", "auto_close"), ("pickup", "pickup_out_of_stock"), ("pickup", "pickup_fraud"),
    ("hub", "hub_fraud"), ("stall", "stall_fraud"),
)  # fmt: skip
"""Clocks that begin where another has run out: (that one, the next)."""


def _kinds(
    sides: Sequence[Sequence[rules.ClockLine]], changed: Collection[Any], pairs: Collection[tuple[str, str, str]]
) -> frozenset[str]:
    """The kinds of clocks that hang on a changed rule in either reading, or whose loss it pays: what is told is about these."""
    ids = {rule.id for rule in changed if not is_money(rule)}
    found = {line.kind for side in sides for line in side if line.rule in ids} | {pair[2] for pair in pairs}
    # A promise of the store stands where a rule on dispatch does not.
    return frozenset(found | (_DISPATCH if found & _DISPATCH else set()))


_DISPATCH = {"dispatch", "ship_by"}

_DEADLINES = """
    WITH places AS (  -- a promise of the store stands where a rule on dispatch does not: one place on the ladder
        SELECT order_id, thing_kind, thing, CASE kind WHEN 'ship_by' THEN 'dispatch' ELSE kind END AS place, max(currency) AS currency,
               array_agg(rule) FILTER (WHERE rule = ANY(%(rules)s::text[])) AS rules, min(due_at) FILTER (WHERE acts AND {after}) AS due_at,
               coalesce(bool_or(due_at <= %(at)s) FILTER (WHERE acts AND {before}), false) AS was,
               coalesce(bool_or(due_at <= %(at)s) FILTER (WHERE acts AND {after}), false) AS would,
               coalesce(max(stake) FILTER (WHERE acts AND {before}), 0) AS was_stake,
               coalesce(max(stake) FILTER (WHERE acts AND {after}), 0) AS would_stake
        FROM clock_seen WHERE kind = ANY(%(kinds)s::text[]) AND ({before} OR {after}) GROUP BY 1, 2, 3, 4),
    orders AS (
        SELECT h.rule, p.order_id, p.currency, count(*) AS clocks, min(p.due_at) AS due_at,
               count(*) FILTER (WHERE would AND NOT was) AS overdue, max(would_stake) FILTER (WHERE would AND NOT was) AS overdue_stake,
               count(*) FILTER (WHERE was AND NOT would) AS relaxed, max(was_stake) FILTER (WHERE was AND NOT would) AS relaxed_stake
        FROM places p CROSS JOIN LATERAL (SELECT DISTINCT rule FROM unnest(p.rules) AS u (rule)) AS h
        WHERE p.rules IS NOT NULL GROUP BY 1, 2, 3)
    SELECT rule, currency, sum(clocks)::int, count(*), sum(overdue)::int, coalesce(sum(overdue_stake), 0), sum(relaxed)::int,
           coalesce(sum(relaxed_stake), 0), (array_agg(order_id ORDER BY overdue + relaxed = 0, due_at NULLS LAST, order_id))[1:%(named)s]
    FROM orders GROUP BY 1, 2 ORDER BY 1, 2"""


def _deadlines(one: _Compared, ids: Sequence[str], found: dict[str, Touched], at: datetime) -> None:
    if not ids or not one.kinds:
        return
    query = _DEADLINES.format(before=f"readings & {one.before} <> 0", after=f"readings & {one.after} <> 0")
    given = {"rules": list(ids), "kinds": sorted(one.kinds), "at": at, "named": NAMED}
    for rule, currency, clocks, orders, overdue, overdue_stake, relaxed, relaxed_stake, soonest in bulk.fetch(query, given):
        touched = found[rule]
        touched.clocks += clocks
        touched.orders += orders
        touched.overdue += overdue
        touched.relaxed += relaxed
        touched.named = [*touched.named, *_numbers(soonest)][:NAMED]
        for money, amount in ((touched.overdue_money, overdue_stake), (touched.relaxed_money, relaxed_stake)):
            if amount:
                money[currency] = amount


def _numbers(orders: Sequence[int]) -> list[str]:
    query = """SELECT o.number FROM unnest(%s::bigint[]) WITH ORDINALITY AS u (id, place) JOIN orders_order o USING (id) ORDER BY u.place"""
    return [row[0] for row in bulk.fetch(query, (list(orders),))]


_STAKES = """
    WITH rows AS (
        SELECT p.rule, c.order_id, c.thing_kind, c.currency, c.due_at <= %(at)s AS late,
               CASE WHEN {before} THEN coalesce(c.stake, 0) END AS before, CASE WHEN {after} THEN coalesce(c.stake, 0) END AS after
        FROM clock_seen c JOIN unnest(%(rules)s::text[], %(modes)s::text[], %(kinds)s::text[]) AS p (rule, mode, kind) USING (mode, kind)
        WHERE c.acts AND ({before} OR {after})),
    losses AS (  -- the steps of a ladder, and the scans of all parcels of an order, are paid once
        SELECT rule, order_id, thing_kind, currency, coalesce(max(before), 0) AS before, coalesce(max(after), 0) AS after,
               coalesce(max(before) FILTER (WHERE late), 0) AS owed_before, coalesce(max(after) FILTER (WHERE late), 0) AS owed_after,
               bool_or(late) AS late
        FROM rows GROUP BY 1, 2, 3, 4)
    SELECT rule, currency, count(DISTINCT order_id), sum(before), sum(after), count(DISTINCT order_id) FILTER (WHERE late),
           sum(owed_before), sum(owed_after) FROM losses GROUP BY 1, 2 ORDER BY 1, 2"""


def _money(one: _Compared, found: dict[str, Touched], at: datetime) -> None:
    if not one.pairs:
        return
    query = _STAKES.format(before=f"c.readings & {one.before} <> 0", after=f"c.readings & {one.after} <> 0")
    columns = zip(*sorted(one.pairs), strict=True)
    given = {"at": at, **dict(zip(("rules", "modes", "kinds"), map(list, columns), strict=True))}
    for rule, currency, staked, before, after, owed, owed_before, owed_after in bulk.fetch(query, given):
        touched = found[rule]
        touched.staked += staked
        touched.owed += owed
        touched.before[currency], touched.after[currency] = before, after
        if owed:
            touched.owed_before[currency], touched.owed_after[currency] = owed_before, owed_after


def _pairs(
    ids: Sequence[str], sides: Sequence[Sequence[rules.ClockLine]], texts: Sequence[Mapping[str, Sequence[Any]]]
) -> frozenset[tuple[str, str, str]]:
    """(compensation, mode, kind of clock) for each of these compensations and the clocks whose loss it pays, in either reading."""
    pairs: set[tuple[str, str, str]] = set()
    for side, books in zip(sides, texts, strict=True) if ids else ():
        known = {rule.id for book in books.values() for rule in book}
        for line in side:
            by = rules.compensation_rule(rules.KINDS[line.kind].loss, line.promised_hours, known)
            pairs |= {(rule, line.mode, line.kind) for rule in ids if by and rule in (by, rules.WHOLE_YUAN)}
    return frozenset(pairs)


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
