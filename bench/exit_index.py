"""The exit index against stores whose hazard is known: `python -m bench.exit_index [--markets N] [--stores N] [--write]`.

Simulated stores that had no part in the fit live in markets of their own. The index reads each at the end of some month,
and is held against what became of it within the year (calibration, Brier score, concordance) and against its true
chance, which the simulator knows (error, how often the range holds it). A second part lets the index learn from some
stores of each market and reads the others. One JSON line; `--write` draws docs/pictures/exit-index-calibration.svg.

`--fit` makes daifa/domain/exit_index/data/prior.json anew instead. Needs the extra `exit`; no database.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daifa.domain.exit_index import rules
from daifa.domain.exit_index.rules import HORIZONS, Model, Past
from daifa.domain.exit_index.simulator import Landmark, live, market, true_chances

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs/pictures/exit-index-calibration.svg"
SEED = 7  # of the check; the fit has its own
VERSION = "1"
TENTHS = 10
OWN_STORES = 60


def check(model: Model, *, markets: int, stores: int, seed: int = SEED, sample: int = 40, paths: int = 300) -> dict[str, Any]:
    """All figures of the check, and the points of the calibration curve by horizon."""
    import numpy as np
    from lifelines.utils import concordance_index

    rng = np.random.default_rng(seed)
    seen: list[tuple[Landmark, rules.Reading]] = []
    errors, held, learned = [], [], []
    for number in range(markets):
        m = market(rng)
        lives = live(stores, number=number, m=m, rng=rng, keep_drives=True)
        readings = [rules.read(one.figures, model) for one in lives.landmarks]
        seen += zip(lives.landmarks, readings, strict=True)
        chosen = [int(i) for i in rng.choice(len(lives.landmarks), min(sample, len(lives.landmarks)), replace=False)]
        truth = true_chances(lives, [lives.landmarks[i] for i in chosen], m=m, rng=rng, paths=paths)
        for i, true in zip(chosen, truth, strict=True):
            for chance in readings[i].chances:
                errors.append((chance.months, abs(chance.open - true[chance.months - 1])))
                held.append((chance.months, chance.low <= true[chance.months - 1] <= chance.high))
        learned.append(_learn(model, m, lives.landmarks, readings, rng))

    one_each = list({(a.market, a.store): (a, b) for a, b in reversed(seen)}.values())
    found: dict[str, Any] = {
        "version": model.version, "markets": markets, "stores": markets * stores, "landmarks": len(seen),
        "closed_within_a_year": round(sum(a.closed_in is not None for a, _ in seen) / len(seen), 4),
        "concordance": round(
            float(concordance_index(
                [a.followed for a, _ in one_each], [b.year.open for _, b in one_each], [a.closed_in is not None for a, _ in one_each]
            )), 3,
        ),
        "months": {},
    }  # fmt: skip
    curves = {}
    for place, months in enumerate(HORIZONS):
        predicted = np.array([b.chances[place].open for _, b in seen])
        stayed = np.array([a.closed_in is None or a.closed_in > months for a, _ in seen], dtype=float)
        curves[months] = _curve(predicted, stayed)
        found["months"][months] = {
            "said": round(float(predicted.mean()), 4),
            "stayed_open": round(float(stayed.mean()), 4),
            "calibration_error": round(float(np.average([abs(p - o) for p, o, _ in curves[months]], weights=[n for *_, n in curves[months]])), 4),
            "brier": round(float(((predicted - stayed) ** 2).mean()), 4),
            "brier_of_saying_the_mean": round(float(((stayed.mean() - stayed) ** 2).mean()), 4),
            "error_against_true_chance": round(float(np.mean([e for k, e in errors if k == months])), 4),
            "range_holds_true_chance": round(float(np.mean([h for k, h in held if k == months])), 3),
        }  # fmt: skip
    before, after, closings, narrower = (np.array(column) for column in zip(*learned, strict=True))
    found["own"] = {
        "stores": OWN_STORES, "closings": round(float(closings.mean()), 1),
        "calibration_error_before": round(float(before.mean()), 4), "calibration_error_after": round(float(after.mean()), 4),
        "range_narrower_by": round(float(narrower.mean()), 3),
    }  # fmt: skip
    found["curves"] = curves
    return found


def _curve(predicted: Any, stayed: Any) -> list[tuple[float, float, int]]:
    """(said, came true, how many) by tenths of what was said."""
    import numpy as np

    parts = np.array_split(np.argsort(predicted, kind="stable"), TENTHS)
    return [(round(float(predicted[p].mean()), 4), round(float(stayed[p].mean()), 4), len(p)) for p in parts if len(p)]


def _learn(model: Model, m: Any, landmarks: Sequence[Landmark], readings: Sequence[rules.Reading], rng: Any) -> tuple[float, ...]:
    """How far off the year's mean chance is for other stores of the market, before and after learning from some."""
    import numpy as np

    own = live(OWN_STORES, number=0, m=m, rng=rng, every=1).landmarks
    wiser = rules.learn([Past(one.figures, one.closed_in == 1) for one in own], model)
    stayed = np.mean([one.closed_in is None for one in landmarks])
    again = [rules.read(one.figures, wiser) for one in landmarks]
    width = [np.mean([one.year.high - one.year.low for one in some]) for some in (readings, again)]
    return (
        abs(float(np.mean([one.year.open for one in readings])) - stayed),
        abs(float(np.mean([one.year.open for one in again])) - stayed),
        float(wiser.closings),
        1 - width[1] / width[0],
    )


# --- The picture ----------------------------------------------------------------------------------------------------

SIZE, EDGE = 420, 48
TONES = {1: "#0ca678", 3: "#4299e1", 6: "#ae3ec9", 12: "#f76707"}


def drawing(curves: dict[int, list[tuple[float, float, int]]], *, low: float = 0.5) -> str:
    """The calibration curves as SVG: said on the x axis, came true on the y axis, the diagonal is perfect."""

    def x(value: float) -> float:
        return EDGE + (value - low) / (1 - low) * (SIZE - EDGE - 26)

    def y(value: float) -> float:
        return SIZE - EDGE - (value - low) / (1 - low) * (SIZE - EDGE - 26)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" width="{SIZE}" height="{SIZE}" '
        'font-family="sans-serif" font-size="11" fill="#334155">',
        "<title>Calibration of the exit index on simulated stores</title>",
        f'<rect width="{SIZE}" height="{SIZE}" fill="#ffffff"/>',
    ]
    for step in range(round(low * 10), 11):
        value = step / 10
        parts += [
            f'<path d="M{x(value):.1f} {y(low):.1f}V{y(1):.1f}M{x(low):.1f} {y(value):.1f}H{x(1):.1f}" stroke="#e2e8f0" fill="none"/>',
            f'<text x="{x(value):.1f}" y="{y(low) + 16:.1f}" text-anchor="middle">{step * 10} %</text>',
            f'<text x="{x(low) - 6:.1f}" y="{y(value) + 4:.1f}" text-anchor="end">{step * 10} %</text>',
        ]
    parts.append(f'<path d="M{x(low):.1f} {y(low):.1f}L{x(1):.1f} {y(1):.1f}" stroke="#94a3b8" stroke-dasharray="4 4" fill="none"/>')
    for place, (months, curve) in enumerate(curves.items()):
        tone = TONES[months]
        line = " ".join(f"{x(max(said, low)):.1f},{y(max(true, low)):.1f}" for said, true, _ in curve)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{tone}" stroke-width="1.5"/>')
        parts += [
            f'<circle cx="{x(max(said, low)):.1f}" cy="{y(max(true, low)):.1f}" r="3" fill="{tone}"/>' for said, true, _ in curve
        ]
        parts += [
            f'<circle cx="{EDGE + 14}" cy="{24 + 16 * place}" r="4" fill="{tone}"/>',
            f'<text x="{EDGE + 24}" y="{28 + 16 * place}">in {months} month{"s" if months > 1 else ""} · {months} 个月</text>',
        ]
    parts += [
        f'<text x="{SIZE / 2:.0f}" y="{SIZE - 10}" text-anchor="middle">said: chance to be open · 预测仍在营业</text>',
        f'<text x="10" y="{SIZE / 2:.0f}" text-anchor="middle" transform="rotate(-90 10 {SIZE / 2:.0f})">still open · 实际仍在营业</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.exit_index", description=__doc__)
    parser.add_argument("--markets", type=int, default=30)
    parser.add_argument("--stores", type=int, default=300)
    parser.add_argument("--write", action="store_true", help="draw the picture of the documents")
    parser.add_argument("--fit", action="store_true", help="make the shipped weights anew")
    given = parser.parse_args()
    began = time.perf_counter()
    if given.fit:
        from daifa.domain.exit_index import fitting

        landmarks = fitting.simulate()
        told = fitting.as_data(
            fitting.with_unseen(fitting.fit(landmarks, version=VERSION)), landmarks=len(landmarks),
            closings=sum(one.closed_in is not None for one in landmarks),
        )  # fmt: skip
        text = json.dumps(told, indent=1)
        (rules.DATA / "prior.json").write_text(text + "\n", encoding="utf-8")
        print(json.dumps({"fit": VERSION, "landmarks": len(landmarks), "wall_s": round(time.perf_counter() - began, 1)}))
        return
    found = check(rules.shipped(), markets=given.markets, stores=given.stores)
    curves = found.pop("curves")
    if given.write:
        PICTURE.write_text(drawing(curves), encoding="utf-8")
        print(f"wrote {PICTURE}", file=sys.stderr)
    print(json.dumps({**found, "wall_s": round(time.perf_counter() - began, 1)}))


if __name__ == "__main__":
    main()
