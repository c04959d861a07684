"""Pure decisions about exceptions: what a platform announced or granted, and what a buyer agreed to, move clocks.

A platform extends a deadline for a season, lets clocks stand still, waives what a miss costs in a region, or leaves days
out of its scores. Worked tables: docs/rules/clocks.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_noop as N_

from daifa.lib import regions

EFFECTS = [
    ("extend", N_("the deadline is longer")), ("pause", N_("the clock stands still")), ("waive", N_("a miss costs nothing")),
    ("none", N_("clocks stay; only the figures change")),
]  # fmt: skip
LEAVES_OUT = [("", N_("nothing")), ("score", N_("the parts of the score")), ("lines", N_("lines and score"))]
SIDES = [("either", N_("to or from there")), ("destination", N_("to there")), ("origin", N_("from there"))]
GOES_BY = [("start", N_("what began on these days (paid, dispatched, asked)")), ("due", N_("what falls due on these days"))]
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "dispatch": (N_("dispatch"), ("dispatch", "carrier_scan", "ship_by", "out_of_stock", "auto_close")),
    "scans": (N_("pickup and scans"), ("pickup", "hub", "stall", "pickup_out_of_stock", "pickup_fraud", "hub_fraud", "stall_fraud")),
    "answers": (N_("answers to buyers"), ("answer_unshipped", "answer_shipped", "return_sent", "return_received")),
}
"""Kinds of clocks that announcements speak of together."""
SECOND = frozenset({"out_of_stock", "auto_close", "pickup_out_of_stock", "pickup_fraud", "hub_fraud", "stall_fraud"})
"""Kinds that begin where another clock has run out."""
ORDER = {"extend": 0, "pause": 1, "waive": 2, "none": 3}

AGREED_BY: dict[str, frozenset[str]] = {
    "xhs-late-rate-formula": frozenset({"dispatch"}),
    "us-mailorder-delay": frozenset({"ship_by_law"}),
}
"""Rule of the book that lets a buyer's consent move a deadline → kinds of clocks."""
AGREED_ON_OWN_SITES = frozenset({"ship_by", "deliver_by_law"})
"""What one's own promise and the law "where nothing else was agreed" leave to the parties."""


@dataclass(frozen=True, slots=True)
class Announced:
    """An exception. `first` to `last`: local days. `seconds` and `until` belong to `extend`: at least so long, or until
    the end of that day. `regions`: "浙江", "浙江/杭州", "US-CA"; `countries` and `regions` empty = everywhere.

    `leaves_out`: what it takes out of the store's figures. `id` 0: it ships with daifa.
    """

    kinds: tuple[str, ...]
    first: date
    last: date
    effect: str = "extend"
    seconds: int | None = None
    until: date | None = None
    countries: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    side: str = "either"
    goes_by: str = "start"
    leaves_out: str = ""
    channel: str = ""
    store_id: int | None = None
    rule: str = ""
    title: str = ""
    id: int = 0

    @property
    def code(self) -> str:
        """What a clock says that was moved by it."""
        return f"announced:{self.id}" if self.id else "holiday"

    @property
    def is_everywhere(self) -> bool:
        return not self.countries and not self.regions


@cache
def shipped() -> tuple[Announced, ...]:
    """Those of data/extensions.yaml; each names the rule of the book that tells of it."""
    import yaml

    rows = yaml.safe_load((Path(__file__).parent / "data" / "extensions.yaml").read_text(encoding="utf-8"))["extensions"]
    return tuple(
        Announced(
            tuple(row.get("kind", "").split()), _day(row["from"]), _day(row["to"]), row.get("effect", "extend"),
            seconds=row["hours"] * 3600 if "hours" in row else None, until=_day(row["until"]) if "until" in row else None,
            leaves_out=row.get("leaves_out", ""), channel=row["channel"], rule=row["rule"],
        )
        for row in rows
    )  # fmt: skip


def _day(text: str | date) -> date:
    return text if isinstance(text, date) else date.fromisoformat(text)


def in_order(found: Iterable[Announced]) -> list[Announced]:
    """The order in which they move a clock: longer deadlines, then pauses from the earliest on, then what is waived."""
    return sorted(found, key=lambda one: (ORDER[one.effect], one.first, one.last, one.id))


def is_there(one: Announced, *, country: str, region: str = "", city: str = "", postcode: str = "", origin: str = "") -> bool:
    """Does it hold for a buyer there, or for parcels that leave from the province `origin`?"""
    if one.is_everywhere:
        return True
    if one.side in ("origin", "either") and origin and any(_names(entry, "CN", regions.province(origin), "") for entry in one.regions):
        return True
    if one.side == "origin":
        return False
    country = country.upper()
    if country in one.countries:
        return True
    state = regions.state_of(country or "CN", region, postcode)
    return any(_names(entry, country or "CN", state, city) for entry in one.regions)


def _names(entry: str, country: str, state: str, city: str) -> bool:
    named, _slash, town = entry.partition("/")
    wanted = regions.region_named(named)
    if wanted is None or not state or (wanted.country, wanted.state) != (country, state):
        return False
    return not town or town.casefold() in city.casefold()


def begins(one: Announced, zone: Any) -> datetime:
    """The midnight with which its first day begins."""
    return datetime(one.first.year, one.first.month, one.first.day, tzinfo=zone)


def ends(one: Announced, zone: Any) -> datetime:
    """The midnight with which its last day ends."""
    after = one.last + timedelta(days=1)
    return datetime(after.year, after.month, after.day, tzinfo=zone)


def paused(due: datetime, ran_from: datetime, one: Announced, zone: Any) -> datetime:
    """When a clock of hours runs out that stood still meanwhile; `ran_from`: its start, or the end of a pause before."""
    first, last = begins(one, zone), ends(one, zone)
    if due <= first or ran_from >= last:
        return due
    return due + (last - max(ran_from, first))


def days_of(one: Announced) -> frozenset[date]:
    """The days on which nothing is counted."""
    return frozenset(one.first + timedelta(days=n) for n in range((one.last - one.first).days + 1))


def agreed_kinds(book: Mapping[str, Any], *, own_site: bool) -> frozenset[str]:
    """Kinds of clocks that a buyer's consent moves under these rules (id → rule); a rule that only informs moves none."""
    found: frozenset[str] = frozenset().union(*(kinds for rule, kinds in AGREED_BY.items() if rule in book and book[rule].acts))
    return found | AGREED_ON_OWN_SITES | AGREED_BY["us-mailorder-delay"] if own_site else found
