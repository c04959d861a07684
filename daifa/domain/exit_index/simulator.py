"""Stores that live and close by a known hazard: what the shipped weights are fitted on, and what they are checked against.

A *market* is one set of true weights; markets differ, because nobody knows in which one a merchant's store stands. Each
store has hidden drives (demand, margin, how late it ships …) that wander about a mean of its own, now and then a shock
(demand collapses, a crackdown brings points), and from them come the months daifa would measure. The true hazard hangs
on the hidden drives, and on one edge that the model does not have (cash below nothing), so the fit is never perfect.
The sizes are assumptions, chosen before fitting and written out here; no real store is in them. Needs numpy (extra `exit`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from daifa.domain.exit_index.needs import need
from daifa.domain.exit_index.rules import FARTHEST, HIGHEST_HAZARD, Month, figures

HAZARD = 0.008
"""A typical store's chance to close in a month (about 9 % a year). Between markets it varies by LEVEL_DEVIATION (log)."""
LEVEL_DEVIATION = 0.45
WEIGHTS = {
    "margin": -0.45, "orders": -0.40, "trend": -0.25, "late": 0.35, "refunds": 0.25, "points": 0.55, "cash": -0.40,
    "activity": -0.35, "age": 0.45, "broke": 0.60,
}  # fmt: skip
"""True log-hazard for one usual spread of each drive; a market's own differ by WEIGHT_DEVIATION of it."""
WEIGHT_DEVIATION = 0.30
LONGEST = 48  # months a store is followed


@dataclass(frozen=True)
class Market:
    """True weights of one market."""

    level: float
    weights: dict[str, float]


def market(rng: Any) -> Market:
    """One market out of many. `rng`: a numpy Generator."""
    return Market(
        float(rng.normal(0, LEVEL_DEVIATION)),
        {name: float(size * (1 + rng.normal(0, WEIGHT_DEVIATION))) for name, size in WEIGHTS.items()},
    )


@dataclass
class Drives:
    """Hidden state of many stores at once: arrays of one length. `own_*`: the mean a drive returns to."""

    own_demand: Any
    own_margin: Any
    own_late: Any
    own_refunds: Any
    care: Any  # draws points: careless stores collect more
    demand: Any  # log of orders a month
    before: Any  # demand, slowly following: what the trend is measured from
    margin: Any
    late: Any  # log-odds
    refunds: Any  # log-odds
    points: Any
    cash: Any  # months of costs in hand
    busy: Any  # log of how often somebody is at it
    age: Any

    def repeated(self, times: int) -> Drives:
        np = need("numpy")
        return Drives(**{name: np.repeat(value, times) for name, value in vars(self).items()})

    def of(self, chosen: Any) -> Drives:
        return Drives(**{name: value[chosen] for name, value in vars(self).items()})


def open_stores(count: int, rng: Any) -> Drives:
    """New stores, some of them months old already."""
    np = need("numpy")
    own_demand = rng.normal(np.log(60), 1.1, count)
    own_margin = rng.normal(0.10, 0.10, count)
    own_late = rng.normal(-2.75, 0.8, count)
    own_refunds = rng.normal(-2.95, 0.6, count)
    demand = own_demand + rng.normal(-0.4, 0.5, count)
    return Drives(
        own_demand, own_margin, own_late, own_refunds, rng.normal(0, 0.7, count), demand, demand.copy(),
        own_margin + rng.normal(0, 0.05, count), own_late + rng.normal(0, 0.4, count),
        own_refunds + rng.normal(0, 0.3, count), np.zeros(count), rng.normal(1.5, 1.0, count),
        rng.normal(0, 0.5, count), np.where(rng.random(count) < 0.5, 0, rng.integers(0, 36, count)).astype(float),
    )  # fmt: skip


def live_a_month(d: Drives, rng: Any) -> None:
    """Move all drives on by a month."""
    np = need("numpy")
    n = len(d.demand)
    d.before = 0.7 * d.before + 0.3 * d.demand
    collapse = rng.random(n) < 0.012
    d.own_demand = d.own_demand - 1.2 * collapse
    d.demand = d.demand + 0.2 * (d.own_demand - d.demand) + rng.normal(0, 0.22, n) - 0.5 * collapse
    d.margin = d.margin + 0.25 * (d.own_margin - d.margin) + rng.normal(0, 0.03, n)
    d.late = d.late + 0.25 * (d.own_late - d.late) + rng.normal(0, 0.35, n)
    d.refunds = d.refunds + 0.25 * (d.own_refunds - d.refunds) + rng.normal(0, 0.25, n)
    crackdown = rng.random(n) < 0.01
    d.points = np.maximum(0, d.points * 0.92 + rng.poisson(0.12 * np.exp(d.care + 2 * _odds(d.late))) + 4 * crackdown)
    d.cash = 0.94 * d.cash + 1.6 * (d.margin - 0.04) + rng.normal(0, 0.2, n)
    d.busy = 0.8 * d.busy + rng.normal(0, 0.3, n)
    d.age = d.age + 1


def hazard(d: Drives, m: Market) -> Any:
    """The true hazard of the month that the drives stand in."""
    np = need("numpy")
    w = m.weights
    logs = (
        np.log(HAZARD) + m.level
        + w["margin"] * np.clip((d.margin - 0.10) / 0.12, -4, 4)
        + w["orders"] * np.clip((d.demand - np.log(50)) / 1.2, -4, 4)
        + w["trend"] * np.clip((d.demand - d.before) / 0.45, -4, 4)
        + w["late"] * np.clip((_odds(d.late) - 0.08) / 0.07, -2, 5)
        + w["refunds"] * np.clip((_odds(d.refunds) - 0.06) / 0.04, -2, 5)
        + w["points"] * np.clip((d.points - 2) / 2.5, -1, 5)
        + w["cash"] * np.clip((d.cash - 1.5) / 1.6, -4, 3)
        + w["activity"] * np.clip(_activity(d), -4, 2)
        + w["age"] * np.clip((12 - d.age) / 8, -1.5, 1.5)
        + w["broke"] * (d.cash < 0)
    )  # fmt: skip
    return np.exp(np.minimum(logs, HIGHEST_HAZARD))


def _odds(value: Any) -> Any:
    np = need("numpy")
    return 1 / (1 + np.exp(-value))


def _active_share(d: Drives) -> Any:
    np = need("numpy")
    return 1 - np.exp(-np.exp(d.demand + 0.5 * d.busy) / 20)


def _activity(d: Drives) -> Any:
    return (_active_share(d) - 0.85) / 0.22


def _months_of(d: Drives, month: date, rng: Any) -> list[Month]:
    """What daifa would have measured of each store in the month just lived."""
    np = need("numpy")
    orders = rng.poisson(np.exp(np.minimum(d.demand, 9)))
    late = rng.binomial(orders, _odds(d.late))
    refunded = rng.binomial(orders, _odds(d.refunds))
    active = rng.binomial(30, np.where(orders > 0, np.maximum(_active_share(d), 1 / 30), _active_share(d) / 3))
    sales = orders * 20.0
    net = sales * (d.margin + rng.normal(0, 0.02, len(orders)))
    outgo = np.maximum(sales - net, 60.0)
    cash = d.cash * np.exp(np.minimum(d.demand, 9)) * 20.0 * np.clip(1 - d.margin, 0.2, 2)
    points = np.floor(d.points) / 12
    return [
        Month(month, int(o), float(s), float(n), float(g), int(o), int(lt), int(r), float(p), float(c), int(a), 30)
        for o, s, n, g, lt, r, p, c, a in zip(orders, sales, net, outgo, late, refunded, points, cash, active, strict=True)
    ]


class Landmark(NamedTuple):
    """A store at the end of a month: its figures, and in which month from then it closed (None: not seen to)."""

    market: int
    store: int
    figures: dict[str, float | None]
    followed: int  # months it was watched from then on, FARTHEST at most
    closed_in: int | None
    place: int  # in `Lives.drives`, where those were kept


@dataclass
class Lives:
    """Simulated stores' landmarks; `drives[place]` = (drives at that moment, index in them) when kept."""

    landmarks: list[Landmark] = field(default_factory=list)
    drives: list[tuple[Drives, int]] = field(default_factory=list)


def live(
    stores: int, *, number: int, m: Market, rng: Any, months: int = LONGEST, every: int = 3, keep_drives: bool = False
) -> Lives:
    """Let stores of one market live for `months`; a landmark each `every` months from the third on, out of step.

    A landmark is taken only where FARTHEST further months are watched, so that nothing is censored within a year.
    """
    np = need("numpy")
    d = open_stores(stores, rng)
    phase = rng.integers(0, every, stores)
    alive = np.ones(stores, dtype=bool)
    closed_at = np.full(stores, -1)
    kept: list[list[Month]] = [[] for _ in range(stores)]
    taken: list[tuple[int, int, dict[str, float | None], int]] = []
    lives = Lives()
    first = date(2020, 1, 1)
    for t in range(months):
        live_a_month(d, rng)
        closing = alive & (rng.random(stores) < 1 - np.exp(-hazard(d, m)))
        closed_at[closing] = t
        alive &= ~closing
        month = date(first.year + t // 12, t % 12 + 1, 1)
        measured = _months_of(d, month, rng)
        moment = None
        for s in np.flatnonzero(alive):
            kept[s].append(measured[s])
            del kept[s][:-6]
            if t >= 2 and (t + phase[s]) % every == 0 and t + FARTHEST < months:
                place = -1
                if keep_drives:
                    moment = moment or d.of(slice(None))
                    place = len(lives.drives)
                    lives.drives.append((moment, int(s)))
                taken.append((int(s), t, figures(kept[s], age=int(d.age[s])), place))
    for s, t, found, place in taken:
        ended = int(closed_at[s])
        inside = ended >= 0 and ended - t <= FARTHEST
        lives.landmarks.append(Landmark(number, s, found, ended - t if inside else FARTHEST, ended - t if inside else None, place))
    return lives


def true_chances(lives: Lives, chosen: Sequence[Landmark], *, m: Market, rng: Any, paths: int = 300) -> list[list[float]]:
    """For each landmark the true chance to be open after 1 … 12 months: the mean over many futures of its drives."""
    np = need("numpy")
    if not chosen:
        return []
    parts = [lives.drives[one.place] for one in chosen]
    d = Drives(**{
        name: np.repeat(np.array([getattr(drives, name)[i] for drives, i in parts]), paths) for name in vars(parts[0][0])
    })  # fmt: skip
    total = np.zeros(len(chosen) * paths)
    result = []
    for _k in range(FARTHEST):
        live_a_month(d, rng)
        total += hazard(d, m)
        result.append(np.exp(-total).reshape(len(chosen), paths).mean(axis=1))
    return np.array(result).T.tolist()
