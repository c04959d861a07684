"""When orders have to be shipped by, before any clock of theirs was reckoned: what routing compares suppliers with.

The same lines and the same `rules.due_at` as the clocks, for a batch in memory: two statements, however many orders. A
test compares it with the clocks after a reckoning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from daifa.domain.compliance import announced_queries, commands, rules
from daifa.domain.policy import queries as policy
from daifa.lib import bulk

KINDS = ("dispatch", "ship_by", "carrier_scan", "ship_by_law")
"""Clocks that a supplier keeps by shipping."""


class Placed(NamedTuple):
    """What the time for dispatch of an order hangs on. `variants` of its open lines; `ship_by_at` if the channel told one."""

    id: int
    store_id: int
    paid_at: datetime | None
    placed_at: datetime
    ship_by_at: datetime | None
    country: str
    variants: Sequence[int | None]


_Mode = tuple[Any, ...]  # (mode, hours promised, presale day)


class _Store(NamedTuple):
    """As the lines of a store are reckoned from it; a key of what is kept in memory."""

    id: int
    channel: str
    kind: str
    country: str
    currency: str


def dispatch_times(stores: Mapping[int, Any], orders: Iterable[Placed], *, at: datetime) -> dict[int, tuple[datetime, str]]:
    """Order → (the tightest time it has to be shipped by, id of the rule). Only lines that act, as their text read then.

    What was announced for some regions only, and what buyers agreed to, is left out: who ships sooner than he must does
    no harm.
    `stores` by id, each with `id, channel, kind, country, currency, timezone, dispatch_hours`.
    """
    modes = _modes(list(stores))
    stamp = policy.version_stamp()
    exceptions = announced_queries.in_stores(list(stores.values()), on=at.date())
    found: dict[int, tuple[datetime, str]] = {}
    for order in orders:
        store = stores[order.store_id]
        of_variant = modes.get(order.store_id, {})
        zone = commands.zone_of(store.channel, store.timezone)
        lines = _lines(
            stamp, commands.local_day(store, at),
            _Store(store.id, store.channel, store.kind, store.country, store.currency),
            tuple(commands.ways_of((variant, *mode) for variant, mode in of_variant.items())),
        )  # fmt: skip
        moving = [one for one, there in exceptions if one.is_everywhere and store.id in there]
        started = order.paid_at or order.placed_at
        due: list[tuple[datetime, str]] = []
        day = started.astimezone(ZoneInfo(zone)).date()
        for line in lines[_way(lines, of_variant, order.variants, day)]:
            if not line.holds_on(day) or (line.countries is not None and order.country not in line.countries):
                continue
            fixed = None
            if line.kind == "ship_by":
                fixed = order.ship_by_at or order.placed_at + timedelta(hours=store.dispatch_hours)
            due.append((rules.due_at(line, started, zone=zone, exceptions=moving, fixed=fixed)[0], line.rule))
        if due:
            found[order.id] = min(due)
    return found


def _way(
    lines: Mapping[str, Sequence[rules.ClockLine]], of_variant: Mapping[int | None, _Mode],
    variants: Sequence[int | None], day: date,
) -> str:  # fmt: skip
    """The strictest of the ways in which its variants are shipped: the one with the shortest time for dispatch that day."""
    usual = rules.mode_key(*of_variant[None]) if None in of_variant else "unknown"
    if len(of_variant) <= (None in of_variant):
        return usual
    ways = {rules.mode_key(*of_variant[one]) if one in of_variant else usual for one in variants} or {usual}

    def strict(way: str) -> tuple[float, str]:
        return min((line.hours for line in lines[way] if line.kind == "dispatch" and line.holds_on(day)), default=float("inf")), way

    return min(ways, key=strict)


def _modes(stores: Sequence[int]) -> dict[int, dict[int | None, _Mode]]:
    found: dict[int, dict[int | None, _Mode]] = {}
    for store, variant, *mode in bulk.fetch(
        "SELECT store_id, variant_id, mode, hours, ships_on FROM compliance_dispatchmode WHERE store_id = ANY(%s::bigint[])",
        (stores,),
    ):
        found.setdefault(store, {})[variant] = tuple(mode)
    return found


@lru_cache(maxsize=256)
def _lines(
    _stamp: tuple[Any, ...], day: date, store: _Store, ways: tuple[_Mode, ...]
) -> dict[str, list[rules.ClockLine]]:
    """The lines for dispatch of a store by way of dispatch, of all texts. Kept as long as the book (`_stamp`) stays as it is."""
    found: dict[str, list[rules.ClockLine]] = {rules.mode_key(*way): [] for way in ways}
    for line in commands.lines_for(store, ways, today=day):
        if line.acts and line.kind in KINDS:
            found[line.mode].append(line)
    return found
