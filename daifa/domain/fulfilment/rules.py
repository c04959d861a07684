"""Which supplier delivers which line of one order. Pure; explained with worked tables in docs/rules/routing.md.

Promise: hard gates first, each loser with its reason; then who ships before the order's dispatch runs out, then the
ranked offers; then lines are brought together at fewer suppliers where the freight saved is more than the goods cost extra. Quantities are split only when no single supplier
has enough. Nothing is guessed: a line without a passing offer is held with the most useful reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

RULE_VERSION = 2

# A line that nobody may serve is held for the reason that a person can mend soonest: the later in this list, the later
# the gate, the closer the line was to being served.
_HOLD_ORDER = (
    "mapping_missing", "mapping_broken", "platform_restricted", "consumer_platform", "agreement_missing",
    "agreement_incomplete", "entrustment_missing", "destination_refused",
    "exchange_rate_missing", "part_of_pack", "out_of_stock", "price_above_limit", "supplier_rejected",
)  # fmt: skip


class Candidate(NamedTuple):
    """One offer for one variant. `cost` and `parcel_freight` are in the store's currency (None: no exchange rate).

    `available` supplier units may be promised (None: the supplier does not say). `barred` is "" or why this supplier
    may not serve this store at all. `ships_at`: when he will have shipped if he is asked now (None: as soon as asked).
    """

    offer: int
    mapping: int
    version: int
    supplier_sku: str
    factor: int
    rank: int
    supplier: int
    price: Decimal
    freight: Decimal
    cost: Decimal | None  # goods + freight of one supplier unit
    parcel_freight: Decimal
    available: int | None
    ships_to: Sequence[str]
    barred: str = ""
    sku_changed: bool = False
    ships_at: datetime | None = None


class WantedLine(NamedTuple):
    """An order line with `open` sales units to be served, `amount` for all `quantity` of them."""

    line: int
    variant: int | None
    open: int
    quantity: int
    amount: Decimal
    refused_by: frozenset[int] = frozenset()  # offers that refused this line before


class Pick(NamedTuple):
    line: int
    candidate: Candidate
    quantity: int  # sales units


@dataclass(slots=True)
class Decision:
    picks: list[Pick] = field(default_factory=list)
    holds: list[tuple[int, str, int]] = field(default_factory=list)  # line, reason, units not served
    losers: dict[int, list[tuple[int, str]]] = field(default_factory=dict)  # line → (offer, reason)
    late: set[int] = field(default_factory=set)  # lines with a pick that will not be shipped in time


def decide(
    lines: Sequence[WantedLine],
    candidates: Mapping[int, Sequence[Candidate]],
    *,
    country: str,
    margin_floor: Decimal,
    stock_buffer: int,
    promised: dict[int, int],
    ship_by: datetime | None = None,
) -> Decision:
    """Route the open units of one order.

    `candidates` by variant, best rank first. `promised` counts supplier units per offer promised earlier in this batch
    and is added to, so that two orders of one batch do not both take the last unit. `ship_by`: when the order's time for
    dispatch runs out; None = it has none.
    """
    decision = Decision()
    passing: dict[int, list[Candidate]] = {}
    chosen: dict[int, Candidate] = {}
    for line in lines:
        offers = candidates.get(line.variant, ()) if line.variant is not None else ()
        losers: list[tuple[int, str]] = []
        good: list[Candidate] = []
        short: list[Candidate] = []  # passes every gate but has not enough for the whole line
        for offer in offers:
            reason = gate(line, offer, country=country, margin_floor=margin_floor)
            if not reason:
                room = room_of(offer, stock_buffer, promised)
                if room is None or room * offer.factor >= line.open:
                    good.append(offer)
                    continue
                if room > 0:
                    short.append(offer)
                reason = "out_of_stock"
            losers.append((offer.offer, reason))
        if ship_by is not None:
            good.sort(key=lambda offer: _lateness(offer, ship_by))
            short.sort(key=lambda offer: _lateness(offer, ship_by))
        if losers:
            decision.losers[line.line] = losers
        if good:
            passing[line.line] = good
            chosen[line.line] = good[0]
            _promise(promised, good[0], line.open)
        elif short:
            _split(line, short, decision, stock_buffer, promised)
        else:
            reasons = {reason for _, reason in losers} or {"mapping_missing"}
            decision.holds.append((line.line, max(reasons, key=_HOLD_ORDER.index), line.open))
    if len({c.supplier for c in chosen.values()}) > 1:
        _bring_together(lines, passing, chosen, stock_buffer, promised, ship_by)
    for line in lines:
        if (pick := chosen.get(line.line)) is not None:
            decision.picks.append(Pick(line.line, pick, line.open))
            in_time = not is_late(pick, ship_by)
            others = [
                (c.offer, "ships_too_late" if in_time and is_late(c, ship_by) else "not_first")
                for c in passing[line.line]
                if c.offer != pick.offer
            ]
            if others:
                decision.losers.setdefault(line.line, []).extend(others)
    decision.late = {pick.line for pick in decision.picks if is_late(pick.candidate, ship_by)}
    return decision


def is_late(offer: Candidate, ship_by: datetime | None) -> bool:
    """Would `offer` be shipped after the order's time for dispatch has run out?"""
    return ship_by is not None and offer.ships_at is not None and offer.ships_at > ship_by


def _lateness(offer: Candidate, ship_by: datetime) -> datetime:
    """Sorts those in time first and alike, then the late ones by when they ship; the ranks stand in each."""
    return ship_by if offer.ships_at is None else max(offer.ships_at, ship_by)


def gate(line: WantedLine, offer: Candidate, *, country: str, margin_floor: Decimal) -> str:
    """"" if `offer` may serve `line`, else the reason. Stock is looked at afterwards."""
    if offer.sku_changed:
        return "mapping_broken"
    if offer.barred:
        return offer.barred
    if offer.offer in line.refused_by:
        return "supplier_rejected"
    if offer.ships_to and country and country not in offer.ships_to:
        return "destination_refused"
    if offer.cost is None:
        return "exchange_rate_missing"
    if line.open % offer.factor:
        return "part_of_pack"
    if line.amount > 0:
        cost = offer.cost * line.quantity / offer.factor
        if (line.amount - cost) * 100 < margin_floor * line.amount:
            return "price_above_limit"
    return ""


def room_of(offer: Candidate, stock_buffer: int, promised: Mapping[int, int]) -> int | None:
    """Supplier units that may still be promised; None where the supplier does not tell his stock."""
    if offer.available is None:
        return None
    return max(0, offer.available - stock_buffer - promised.get(offer.offer, 0))


def _promise(promised: dict[int, int], offer: Candidate, units: int) -> None:
    promised[offer.offer] = promised.get(offer.offer, 0) + units // offer.factor


def _split(
    line: WantedLine, offers: Sequence[Candidate], decision: Decision, stock_buffer: int, promised: dict[int, int]
) -> None:
    """Take from each in rank order what it has, whole packs only; the rest is held."""
    left = line.open
    for offer in offers:
        room = room_of(offer, stock_buffer, promised) or 0
        units = min(room, left // offer.factor) * offer.factor
        if units > 0:
            decision.picks.append(Pick(line.line, offer, units))
            _promise(promised, offer, units)
            left -= units
    if left:
        decision.holds.append((line.line, "out_of_stock", left))


def _bring_together(
    lines: Sequence[WantedLine],
    passing: Mapping[int, Sequence[Candidate]],
    chosen: dict[int, Candidate],
    stock_buffer: int,
    promised: dict[int, int],
    ship_by: datetime | None,
) -> None:
    """Drop a supplier from the order when others already in it can take its lines for less than its parcel freight.

    No line goes to somebody who would ship it too late, or later still.
    """
    by_line = {line.line: line for line in lines}
    for supplier in sorted({c.supplier for c in chosen.values()}):
        mine = [line for line, c in chosen.items() if c.supplier == supplier]
        used = {c.supplier for line, c in chosen.items() if c.supplier != supplier}
        if not mine or not used:
            continue
        extra, moves = Decimal(0), {}
        taken = dict(promised)  # with what the lines moved before this one would take
        for line in mine:
            want = by_line[line]
            others = []
            for c in passing[line]:
                room = room_of(c, stock_buffer, taken)
                if c.supplier not in used or (room is not None and room * c.factor < want.open):
                    continue
                if ship_by is None or _lateness(c, ship_by) <= _lateness(chosen[line], ship_by):
                    others.append(c)
            if not others:
                break
            best = min(others, key=lambda c: (_cost(c, want.open), c.rank, c.offer))
            extra += _cost(best, want.open) - _cost(chosen[line], want.open)
            moves[line] = best
            _promise(taken, best, want.open)
        else:
            saved = next(c.parcel_freight for c in chosen.values() if c.supplier == supplier)
            if extra < saved:
                for line, offer in moves.items():
                    _promise(promised, chosen[line], -by_line[line].open)
                    _promise(promised, offer, by_line[line].open)
                    chosen[line] = offer


def _cost(offer: Candidate, units: int) -> Decimal:
    return (offer.cost or Decimal(0)) * units / offer.factor
