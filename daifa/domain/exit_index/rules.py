"""How likely a store is to stay open, from its months: pure figures. `docs/rules/exit-index.md` has the worked tables.

A store stands at the end of a month. What its last three months say becomes nine figures (`figures`), each measured
from that of a typical store. The chance to close in the k-th month from then is

    1 − exp(−exp(base[k] + level + Σ weight[j] · figure[j] · lasting[j, k]))

`lasting` says how much of what is seen today still counts k months later. Weights, base and how far both differ from
one market to the next come from simulated stores (`simulator`, `fitting`) and lie in data/prior.json; a merchant's own
closings move them once there are FEWEST_CLOSINGS (`learn`). It is advice: nothing in daifa acts on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from math import exp, log, log1p, sqrt
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).parent / "data"

WINDOW = 3  # months a figure looks back on
HORIZONS = (1, 3, 6, 12)
FARTHEST = 12
FEWEST_CLOSINGS = 5
"""With fewer closings of the merchant's own than this the shipped weights stand alone."""

FIGURES = ("margin", "orders", "trend", "late", "refunds", "points", "cash", "activity", "age")
TYPICAL_LATE, TYPICAL_REFUNDS = 0.06, 0.05
HIGHEST_HAZARD = log(0.36)
"""No month is read with a chance to close of more than 30 %: a simulated store has none either."""
STEADIED_BY = 10  # so many typical orders are added to a share, so that one late order of two is not 50 %
BANDS = ((0.80, "steady"), (0.55, "watch"), (0.0, "endangered"))
"""Lower bounds of the chance to be open in twelve months."""


class Month(NamedTuple):
    """What a store did in a month. Amounts in the store's currency.

    `points`: at its end, as a share of those with which the channel's gravest step comes; None = nobody keeps them.    `due`: orders that had to leave in it, `late`: those that did not in time. `refunded`: orders with a refund in it.
    `cash`: bank + receivable − payable at its end. `outgo`: all costs of it. `days`: measured days of it.
    """

    month: date
    orders: int
    sales: float
    net: float
    outgo: float
    due: int
    late: int
    refunded: int
    points: float | None
    cash: float
    active_days: int
    days: int


def figures(months: Sequence[Month], *, age: int) -> dict[str, float | None]:
    """The nine figures at the end of the last of `months` (oldest first, complete ones); `age` in months.

    None = cannot be said: such a figure counts as typical. Shares are steadied with STEADIED_BY typical orders.
    """
    if not months:
        return dict.fromkeys(FIGURES)
    last, recent = months[-1], months[-WINDOW:]
    before = months[-WINDOW - 3 : -1]
    sales = sum(m.sales for m in recent)
    orders = sum(m.orders for m in recent)
    outgo = sum(m.outgo for m in recent) / len(recent)
    days = sum(m.days for m in recent)
    found: dict[str, float | None] = {
        "margin": _between(sum(m.net for m in recent) / sales, -1.0, 0.6) if sales > 0 else None,
        "orders": log1p(orders / len(recent)),
        "trend": None,
        "late": _steadied(sum(m.late for m in recent), sum(m.due for m in recent), TYPICAL_LATE),
        "refunds": _steadied(sum(m.refunded for m in recent), orders, TYPICAL_REFUNDS),
        "points": None if last.points is None else _between(last.points, 0.0, 1.5),
        "cash": _between(last.cash / outgo, -3.0, 6.0) if outgo > 0 else None,
        "activity": sum(m.active_days for m in recent) / days if days else None,
        "age": log1p(max(age, 0)),
    }
    if before:
        usual = sum(m.orders for m in before) / len(before)
        found["trend"] = _between(log((last.orders + 1) / (usual + 1)), -2.0, 2.0)
    return found


def _steadied(part: int, whole: int, typical: float) -> float:
    return min((part + typical * STEADIED_BY) / (whole + STEADIED_BY), 1.0)


def _between(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


# --- The model ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Model:
    """`mean` and `spread` (covariance) of (level, weight of each figure); `closings` of the merchant's own in it."""

    version: str
    typical: tuple[float, ...]
    scale: tuple[float, ...]
    base: tuple[float, ...]  # log hazard of a typical store in month 1 … 12 from now
    fading: tuple[float, ...]  # a figure's weight in month k is 1 − fading · ln k / ln 12
    mean: tuple[float, ...]
    spread: tuple[tuple[float, ...], ...]
    unseen: tuple[float, ...] = (0.0,) * len(HORIZONS)  # deviation of a store's log hazard that no figure shows
    closings: int = 0
    expected: float = 0.0  # closings the shipped weights had expected in the same store-months
    uses: str = "prior"  # prior, own
    base_rate: float | None = None  # share of typical stores that close within a year, where an owner entered it

    @property
    def full_version(self) -> str:
        """What tells these weights from all others: shipped version, entered base rate, own closings in them."""
        return self.version + (f"+{self.closings}" if self.uses == "own" else "")

    def lasting(self, figure: int, k: int) -> float:
        return 1 - self.fading[figure] * log(k) / log(FARTHEST)

    def standing(self, found: Mapping[str, float | None]) -> tuple[float, ...]:
        """Each figure as its distance from the typical one, in its usual spread; unknown = typical = 0."""
        return tuple(
            0.0 if (value := found[name]) is None else _between((value - self.typical[i]) / self.scale[i], -3.0, 3.0)
            for i, name in enumerate(FIGURES)
        )

    def log_hazard(self, standing: Sequence[float], k: int) -> float:
        moved = sum(self.mean[1 + j] * z * self.lasting(j, k) for j, z in enumerate(standing))
        return min(self.base[k - 1] + self.mean[0] + moved, HIGHEST_HAZARD)


@lru_cache(maxsize=1)
def shipped() -> Model:
    """The weights that come with daifa, fitted on simulated stores."""
    told = json.loads((DATA / "prior.json").read_text(encoding="utf-8"))
    if tuple(told["figures"]) != FIGURES:
        raise ValueError("data/prior.json was made for other figures: run `python -m bench.exit_index --fit`.")
    return Model(
        version=told["version"],
        typical=tuple(told["typical"]),
        scale=tuple(told["scale"]),
        base=tuple(told["base"]),
        fading=tuple(told["fading"]),
        mean=tuple(told["mean"]),
        spread=tuple(tuple(row) for row in told["spread"]),
        unseen=tuple(told["unseen"]),
    )


def with_base_rate(model: Model, yearly: float, number: int) -> Model:
    """The model with its level moved so that of typical stores the share `yearly` closes within a year.

    `number` tells one entered rate from the next; it becomes part of the version.
    """
    hazard = sum(exp(one + model.mean[0]) for one in model.base)
    move = log(-log1p(-yearly) / hazard)
    return replace(model, mean=(model.mean[0] + move, *model.mean[1:]), version=f"{model.version}/r{number}", base_rate=yearly)


def shipped_base_rate(model: Model) -> float:
    """The share of typical stores that close within a year by these weights."""
    return 1 - exp(-sum(exp(one + model.mean[0]) for one in model.base))


class OwnRate(NamedTuple):
    """What own closings alone say: closings, store-months they came in, the yearly share and its range (nine in ten)."""

    closings: int
    store_months: int
    yearly: float
    low: float
    high: float
    is_enough: bool


def own_rate(closings: int, store_months: int) -> OwnRate | None:
    """The share of the merchant's own stores that close within a year, exact for Poisson counts; None without months."""
    if store_months <= 0:
        return None

    def yearly(count: float) -> float:
        return 1 - exp(-12 * count / store_months)

    return OwnRate(
        closings, store_months, yearly(closings), yearly(_chi2(2 * closings, -NINETY) / 2), yearly(_chi2(2 * closings + 2, NINETY) / 2),
        closings >= FEWEST_CLOSINGS,
    )  # fmt: skip


def _chi2(freedom: int, deviation: float) -> float:
    """The quantile of chi squared at a normal deviation (Wilson and Hilferty); within 1 % from two degrees on."""
    if freedom == 0:
        return 0.0
    part = 2 / (9 * freedom)
    return max(freedom * (1 - part + deviation * sqrt(part)) ** 3, 0.0)


class Chance(NamedTuple):
    """The chance to be open so many months from now, and the range that holds the true one in nine cases of ten."""

    months: int
    open: float
    low: float
    high: float


class Driver(NamedTuple):
    """A figure's share in the reading: `times` the hazard of a store for which it is typical (1.5 = half as much again)."""

    figure: str
    value: float
    typical: float
    times: float


@dataclass(frozen=True)
class Reading:
    """What the index says at the end of a month. `drivers`: the strongest first, in either direction."""

    chances: tuple[Chance, ...]
    drivers: tuple[Driver, ...]
    unknown: tuple[str, ...]
    band: str
    version: str
    uses: str
    closings: int

    @property
    def year(self) -> Chance:
        return self.chances[-1]


# Nodes and weights of the normal distribution (Gauss–Hermite, 7 points): the mean of a curve over its uncertainty.
_NODES = (-3.750439717725742, -2.366759410734541, -1.154405394739968, 0.0, 1.154405394739968, 2.366759410734541, 3.750439717725742)
_SHARES = (0.000548268855972, 0.030757123967586, 0.240123178605013, 0.457142857142857, 0.240123178605013, 0.030757123967586, 0.000548268855972)
NINETY = 1.6448536269514722


def read(found: Mapping[str, float | None], model: Model) -> Reading:
    """The chances of a store with these figures."""
    standing = model.standing(found)
    chances = []
    for months in HORIZONS:
        middle, deviation = log_cumulative(standing, months, model)
        wide = NINETY * sqrt(deviation**2 + model.unseen[HORIZONS.index(months)] ** 2)
        chances.append(
            Chance(
                months,
                sum(share * exp(-exp(middle + node * deviation)) for node, share in zip(_NODES, _SHARES, strict=True)),
                exp(-exp(middle + wide)),
                exp(-exp(middle - wide)),
            )
        )
    # Over the year: a figure that fades counts for less than it does next month.
    mean_lasting = [sum(model.lasting(j, k) for k in range(1, FARTHEST + 1)) / FARTHEST for j in range(len(FIGURES))]
    drivers = [
        Driver(name, found[name] or 0.0, model.typical[j], exp(model.mean[1 + j] * standing[j] * mean_lasting[j]))
        for j, name in enumerate(FIGURES)
        if found[name] is not None
    ]
    drivers.sort(key=lambda one: -abs(log(one.times)))
    year = chances[-1].open
    return Reading(
        chances=tuple(chances),
        drivers=tuple(drivers),
        unknown=tuple(name for name in FIGURES if found[name] is None),
        band=next(name for bound, name in BANDS if year >= bound),
        version=model.version,
        uses=model.uses,
        closings=model.closings,
    )


def log_cumulative(standing: Sequence[float], months: int, model: Model) -> tuple[float, float]:
    """Log of the hazard summed over the months, and its standard deviation (first order in the weights)."""
    logs = [model.log_hazard(standing, k) for k in range(1, months + 1)]
    total = sum(exp(one) for one in logs)
    slope = [1.0] + [
        z * sum(exp(one) * model.lasting(j, k) for k, one in enumerate(logs, 1)) / total for j, z in enumerate(standing)
    ]
    variance = sum(a * b * model.spread[i][j] for i, a in enumerate(slope) for j, b in enumerate(slope))
    return log(total), sqrt(max(variance, 0.0))


# --- Own closings --------------------------------------------------------------------------------------------------


class Past(NamedTuple):
    """A store at the end of a month, and whether it closed in the month after."""

    figures: Mapping[str, float | None]
    closed: bool


def learn(past: Iterable[Past], prior: Model) -> Model:
    """The shipped weights moved by the merchant's own store-months; `prior` unchanged below FEWEST_CLOSINGS.

    The number of closings is taken as Poisson around the expected one; the shipped mean and spread are what was known
    before. Few closings move little, and mostly the level.
    """
    rows = [(prior.standing(one.figures), one.closed) for one in past]
    closings = sum(closed for _, closed in rows)
    expected = sum(exp(prior.log_hazard(standing, 1)) for standing, _ in rows)
    if closings < FEWEST_CLOSINGS:
        return replace(prior, closings=closings, expected=expected)
    size = len(prior.mean)
    precision = _inverse(prior.spread)
    mean = list(prior.mean)
    designs = [(1.0, *standing) for standing, _ in rows]
    for _step in range(50):
        slope = [-sum(precision[i][j] * (mean[j] - prior.mean[j]) for j in range(size)) for i in range(size)]
        curve = [list(row) for row in precision]
        for design, (_, closed) in zip(designs, rows, strict=True):
            hazard = exp(min(prior.base[0] + sum(m * d for m, d in zip(mean, design, strict=True)), HIGHEST_HAZARD))
            for i in range(size):
                slope[i] += ((1.0 if closed else 0.0) - hazard) * design[i]
                for j in range(i + 1):
                    curve[i][j] += hazard * design[i] * design[j]
                    curve[j][i] = curve[i][j]
        spread = _inverse(curve)
        move = [sum(spread[i][j] * slope[j] for j in range(size)) for i in range(size)]
        longest = max(abs(one) for one in move)
        mean = [m + step * min(1.0, 1.0 / longest) for m, step in zip(mean, move, strict=True)] if longest else mean
        if longest < 1e-8:
            break
    return replace(
        prior, mean=tuple(mean), spread=tuple(tuple(row) for row in spread), closings=closings, expected=expected, uses="own"
    )  # fmt: skip


def _inverse(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """Gauss–Jordan; the matrices here are ten by ten, symmetric and positive."""
    size = len(matrix)
    rows = [[*row, *(1.0 if i == j else 0.0 for j in range(size))] for i, row in enumerate(matrix)]
    for i in range(size):
        best = max(range(i, size), key=lambda r: abs(rows[r][i]))
        rows[i], rows[best] = rows[best], rows[i]
        pivot = rows[i][i]
        rows[i] = [value / pivot for value in rows[i]]
        for r in range(size):
            if r != i and (factor := rows[r][i]):
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[size:] for row in rows]


# --- Dormant stores ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReviewLines:
    """From when on a store counts as quiet or dormant. The figures are a merchant's own to set."""

    dormant_days: int = 60  # without an order
    quiet_orders: int = 3  # a month or fewer, over WINDOW months
    quiet_active_days: int = 4  # a month or fewer, over WINDOW months
    young_days: int = 60  # a store younger than this is not reviewed


class Review(NamedTuple):
    """`verdict`: young, active, quiet, dormant. `reasons`: no_orders (days), few_orders (a month), few_days (a month)."""

    verdict: str
    reasons: tuple[tuple[str, float], ...]


def review(months: Sequence[Month], *, days_open: int, days_without_order: int, lines: ReviewLines) -> Review:
    """Whether a store is dormant. `months`: complete ones, oldest first; `days_without_order` from the opening on."""
    if days_open < lines.young_days:
        return Review("young", ())
    recent = months[-WINDOW:]
    reasons: list[tuple[str, float]] = []
    if recent:
        orders = sum(m.orders for m in recent) / len(recent)
        active = sum(m.active_days for m in recent) / len(recent)
        if orders <= lines.quiet_orders:
            reasons.append(("few_orders", round(orders, 1)))
        if active <= lines.quiet_active_days:
            reasons.append(("few_days", round(active, 1)))
    if days_without_order >= lines.dormant_days:
        return Review("dormant", (("no_orders", float(days_without_order)), *reasons))
    return Review("quiet", tuple(reasons)) if reasons else Review("active", ())


# --- Closures ------------------------------------------------------------------------------------------------------

CAUSES = ("compliance", "business", "policy", "users")
"""The four groups of causes: rules broken; the merchant's own decision or money; the platform changed; buyers stayed away."""


class ClosureRecord(NamedTuple):
    """One store's end, as the analytics want it. Amounts in `currency`; what has not happened yet is None.

    `began`: the closing was decided or the notice came; `closed`: the platform ended it; `deposit_on`: the deposit came back.
    """

    store_id: int
    scenario: str
    cause: str
    began: date
    closed: date | None
    deposit_held: float
    deposit_returned: float | None
    deposit_on: date | None
    currency: str
    name: str = ""  # of a store that was never kept here


class YearOfClosures(NamedTuple):
    """Closings that began in a year: how many by cause, the median days to close, what became of deposits by currency."""

    year: int
    began: int
    by_cause: dict[str, int]
    closed: int
    median_days: float | None
    median_days_to_deposit: float | None
    held: dict[str, float]
    returned: dict[str, float]


def closures_by_year(records: Iterable[ClosureRecord]) -> list[YearOfClosures]:
    """Oldest year first; years without a closing in between are left in, so that a chart has no gap."""
    by_year: dict[int, list[ClosureRecord]] = {}
    for one in records:
        by_year.setdefault(one.began.year, []).append(one)
    if not by_year:
        return []
    return [_year(year, by_year.get(year, [])) for year in range(min(by_year), max(by_year) + 1)]


def _year(year: int, records: Sequence[ClosureRecord]) -> YearOfClosures:
    held: dict[str, float] = {}
    returned: dict[str, float] = {}
    for one in records:
        if one.deposit_held:
            held[one.currency] = held.get(one.currency, 0.0) + one.deposit_held
        if one.deposit_returned is not None:
            returned[one.currency] = returned.get(one.currency, 0.0) + one.deposit_returned
    return YearOfClosures(
        year,
        len(records),
        {cause: sum(one.cause == cause for one in records) for cause in CAUSES},
        sum(one.closed is not None for one in records),
        _median([(one.closed - one.began).days for one in records if one.closed]),
        _median([(one.deposit_on - one.began).days for one in records if one.deposit_on]),
        held,
        returned,
    )


def _median(values: Sequence[int]) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    middle = len(ordered) // 2
    return float(ordered[middle]) if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


class SaidOfAYear(NamedTuple):
    """What the trade says about a year on one platform. Unverified: shown beside, never acted on."""

    year: int
    closed: int
    rate: float | None  # of all stores
    causes: tuple[tuple[str, float, str, str], ...]  # cause group, share, its name in English, 中文
    measures: tuple[str, str]  # English, 中文


@lru_cache(maxsize=1)
def said_by_the_trade() -> tuple[SaidOfAYear, ...]:
    """The comparison series, oldest first."""
    told = json.loads((DATA / "said_by_the_trade.json").read_text(encoding="utf-8"))
    return tuple(
        SaidOfAYear(
            one["year"], one["closed"], one["rate"],
            tuple((c["group"], c["share"], c["en"], c["zh"]) for c in one["causes"]),
            (one["measures"]["en"], one["measures"]["zh"]),
        )
        for one in told["years"]
    )  # fmt: skip
