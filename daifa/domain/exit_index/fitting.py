"""Fits the shipped weights from simulated stores, with lifelines' Cox model for covariates that change in time.

Each landmark (a store at the end of a month) is followed for a year, one row a month; a figure's weight may fade with
the months, which is why its product with ln k is a covariate too. One fit over all markets gives how weights fade and
the base hazard; one fit for each market gives its weights, and these give the mean and how far markets differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp, log
from typing import Any

from daifa.domain.exit_index.needs import need
from daifa.domain.exit_index.rules import FARTHEST, FIGURES, HORIZONS, NINETY, Model, log_cumulative
from daifa.domain.exit_index.simulator import Landmark, live, market, true_chances

SEED = 20_260_101
MARKETS, STORES = 48, 600
_STEADY = 0.0


def simulate(*, seed: int = SEED, markets: int = MARKETS, stores: int = STORES) -> list[Landmark]:
    """Landmarks of so many markets."""
    np = need("numpy")
    rng = np.random.default_rng(seed)
    found: list[Landmark] = []
    for number in range(markets):
        found += live(stores, number=number, m=market(rng), rng=rng).landmarks
    return found


def fit(landmarks: Sequence[Landmark], *, version: str) -> Model:
    """The weights that these landmarks show, and how far they differ between their markets."""
    np, lifelines = need("numpy"), need("lifelines")
    columns = {name: [one.figures[name] for one in landmarks] for name in FIGURES}
    typical = [float(np.mean([v for v in columns[name] if v is not None])) for name in FIGURES]
    scale = [float(np.std([v for v in columns[name] if v is not None])) for name in FIGURES]
    bare = Model(version, tuple(typical), tuple(scale), (0.0,) * FARTHEST, (0.0,) * len(FIGURES), (), ())
    table = _rows(landmarks, [bare.standing(one.figures) for one in landmarks])

    fading_names = [f"{name}_k" for name in FIGURES]
    pooled = lifelines.CoxTimeVaryingFitter()
    pooled.fit(table, id_col="id", event_col="event", start_col="start", stop_col="stop", strata=["market"])
    weights, slopes = pooled.params_[list(FIGURES)], pooled.params_[fading_names]
    # weight · (1 − fading · ln k / ln 12); a figure neither turns round nor grows with the distance.
    fading = [
        float(min(max(-slope * log(FARTHEST) / weight, 0.0), 1.0)) if abs(weight) > 0.02 else 0.0
        for weight, slope in zip(weights, slopes, strict=True)
    ]
    for j, name in enumerate(FIGURES):
        table[name] = table[name] * (1 - fading[j] * np.log(table["stop"]) / log(FARTHEST))
    table = table.drop(columns=fading_names)

    # Two halves of a market's stores know the same market and nothing of each other's luck: what their weights have in
    # common from market to market is how markets differ, without the noise of either fit.
    half = np.array([one.store % 2 for one in landmarks])[table["id"].to_numpy()]
    halves: list[list[list[float]]] = [[], []]
    shapes = []
    for (_market, side), one in table.groupby([table["market"], half]):
        cox = lifelines.CoxTimeVaryingFitter()
        cox.fit(one.drop(columns="market"), id_col="id", event_col="event", start_col="start", stop_col="stop")
        weights_here = [float(cox.params_[name]) for name in FIGURES]
        base = _increments(one, weights_here)
        halves[side].append([log(sum(base)), *weights_here])
        shapes.append([part / sum(base) for part in base])
    one_side, other_side = np.array(halves[0]), np.array(halves[1])
    both = (one_side + other_side) / 2
    level, shape = float(np.mean(both[:, 0])), np.mean(shapes, axis=0)
    common = (one_side - one_side.mean(0)).T @ (other_side - other_side.mean(0)) / (len(both) - 1)
    # The nearest matrix that is a covariance, and never quite sure of anything.
    values, vectors = np.linalg.eigh((common + common.T) / 2)
    spread = vectors @ np.diag(np.maximum(values, 1e-3)) @ vectors.T
    return Model(
        version=version,
        typical=tuple(typical),
        scale=tuple(scale),
        base=tuple(float(log(part) + level) for part in shape),
        fading=tuple(fading),
        mean=(0.0, *(float(value) for value in np.mean(both, axis=0)[1:])),
        spread=tuple(tuple(float(value) for value in row) for row in spread),
    )


def with_unseen(model: Model, *, seed: int = SEED + 1, markets: int = 48, stores: int = 60, sample: int = 30) -> Model:
    """The same with what no figure shows: the scatter of true log hazards about the read ones, beyond that of the weights."""
    np = need("numpy")
    rng = np.random.default_rng(seed)
    off: list[list[float]] = [[] for _ in HORIZONS]
    known: list[list[float]] = [[] for _ in HORIZONS]
    for number in range(markets):
        m = market(rng)
        lives = live(stores, number=number, m=m, rng=rng, keep_drives=True)
        chosen = [lives.landmarks[int(i)] for i in rng.choice(len(lives.landmarks), sample, replace=False)]
        for one, true in zip(chosen, true_chances(lives, chosen, m=m, rng=rng), strict=True):
            for place, months in enumerate(HORIZONS):
                middle, deviation = log_cumulative(model.standing(one.figures), months, model)
                off[place].append(log(-log(min(true[months - 1], 1 - 1e-9))) - middle)
                known[place].append(deviation**2)
    # So much that the range holds nine true chances of ten: the scatter is no bell, its deviation would fall short.
    unseen = []
    for wide, sure in zip(off, known, strict=True):
        needed = (np.array(wide) / NINETY) ** 2 - np.array(sure)
        unseen.append(float(np.sqrt(max(np.quantile(needed, 0.9), 0.0))))
    return replace(model, unseen=tuple(unseen))


def _rows(landmarks: Sequence[Landmark], standing: Sequence[Sequence[float]]) -> Any:
    """One row for each month a landmark was followed: (k − 1, k], closed in it or not."""
    np, pd = need("numpy"), need("pandas")
    followed = np.array([one.followed for one in landmarks])
    index = np.repeat(np.arange(len(landmarks)), followed)
    stop = np.concatenate([np.arange(1, n + 1) for n in followed])
    closed_in = np.array([one.closed_in or 0 for one in landmarks])[index]
    table = pd.DataFrame(np.array(standing)[index], columns=list(FIGURES))
    for name in FIGURES:
        table[f"{name}_k"] = table[name] * np.log(stop)
    return table.assign(
        id=index, market=np.array([one.market for one in landmarks])[index], start=stop - 1, stop=stop, event=closed_in == stop
    )  # fmt: skip


def _increments(table: Any, weights: Sequence[float]) -> list[float]:
    """Breslow's base hazard of month 1 … 12 at typical figures."""
    np = need("numpy")
    risk = np.exp(table[list(FIGURES)].to_numpy() @ np.array(weights))
    stop, event = table["stop"].to_numpy(), table["event"].to_numpy()
    return [float((event[stop == k].sum() + 0.5) / (risk[stop == k].sum() + 0.5 / exp(-5))) for k in range(1, FARTHEST + 1)]


def as_data(model: Model, *, landmarks: int, closings: int) -> dict[str, Any]:
    """What data/prior.json holds."""

    def short(value: float) -> float:
        return float(f"{value:.6g}")

    return {
        "version": model.version,
        "made_by": "python -m bench.exit_index --fit",
        "from": {"simulated_markets": MARKETS, "stores_each": STORES, "seed": SEED, "landmarks": landmarks, "closings": closings},
        "figures": list(FIGURES),
        "typical": [short(v) for v in model.typical],
        "scale": [short(v) for v in model.scale],
        "base": [short(v) for v in model.base],
        "fading": [short(v) for v in model.fading],
        "mean": [short(v) for v in model.mean],
        "unseen": [short(v) for v in model.unseen],
        "spread": [[short(v) for v in row] for row in model.spread],
    }
