"""The method: published figures come out, the fit finds the hazard it was given, the shipped weights hold on strangers."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from daifa.domain.exit_index import rules
from daifa.domain.exit_index.needs import need
from daifa.lib.refusal import Refused

DATA = Path(__file__).parents[4] / "tests/data/survival-method-check"
EXPECTED = json.loads((DATA / "expected.json").read_text())


def table(name: str):
    with (DATA / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    return need("pandas").DataFrame(rows)


def test_rossi():
    lifelines = need("lifelines")
    rows = table("rossi.csv").astype(int)
    expected = EXPECTED["rossi.csv"]
    cox = lifelines.CoxPHFitter().fit(rows, "week", "arrest")
    assert (len(rows), int(rows["arrest"].sum())) == (expected["n"], expected["events"])
    assert cox.params_.round(4).to_dict() == expected["cox_coef"]
    assert cox.standard_errors_.round(4).to_dict() == expected["cox_se"]
    assert round(cox.log_likelihood_, 3) == expected["log_likelihood"]
    assert round(cox.concordance_index_, 4) == expected["concordance"]


def test_the_fitter_the_index_uses_agrees_on_rossi():
    """Told week by week, as store-months are, the same people give the same coefficients."""
    lifelines, pd = need("lifelines"), need("pandas")
    rows = table("rossi.csv").astype(int)
    weeks = [
        {**person, "id": place, "start": week - 1, "stop": week, "event": week == person["week"] and person["arrest"] == 1}
        for place, person in enumerate(rows.to_dict("records"))
        for week in range(1, person["week"] + 1)
    ]
    cox = lifelines.CoxTimeVaryingFitter()
    cox.fit(
        pd.DataFrame(weeks).drop(columns=["week", "arrest"]), id_col="id", event_col="event", start_col="start", stop_col="stop"
    )
    assert cox.params_.to_dict() == pytest.approx(EXPECTED["rossi.csv"]["cox_coef"], abs=1e-4)


def test_waltons():
    lifelines = need("lifelines")
    rows = table("waltons_dataset.csv").astype({"T": float, "E": int})
    expected = EXPECTED["waltons_dataset.csv"]
    assert (len(rows), int(rows["E"].sum())) == (expected["n"], expected["events"])

    def median(part):
        return lifelines.KaplanMeierFitter().fit(part["T"], part["E"]).median_survival_time_

    assert median(rows) == expected["km_median_all"]
    assert median(rows[rows["group"] == "control"]) == expected["km_median_control"]
    assert median(rows[rows["group"] == "miR-137"]) == expected["km_median_miR-137"]


@pytest.mark.slow
def test_a_small_fit_finds_the_known_weights():
    """A few markets only, so loosely: signs as in the simulator, and the shipped weights within reach."""
    from daifa.domain.exit_index import fitting

    landmarks = fitting.simulate(seed=5, markets=4, stores=300)
    again = fitting.simulate(seed=5, markets=4, stores=300)
    assert landmarks == again, "the simulator is seeded"
    model = fitting.fit(landmarks, version="test")
    shipped = rules.shipped()
    for name, mine, theirs in zip(rules.FIGURES, model.mean[1:], shipped.mean[1:], strict=True):
        assert mine == pytest.approx(theirs, abs=0.35), name
        if abs(theirs) > 0.3:
            assert mine * theirs > 0, name
    assert set(fitting.as_data(model, landmarks=1, closings=1)) == set(json.loads((rules.DATA / "prior.json").read_text()))


@pytest.mark.slow
def test_the_shipped_weights_hold_on_stores_they_never_saw():
    from bench.exit_index import check, drawing

    found = check(rules.shipped(), markets=8, stores=60, seed=11, sample=15, paths=80)
    assert found["concordance"] > 0.7
    for months, said in found["months"].items():
        assert said["calibration_error"] < 0.05, months
        assert said["brier"] <= said["brier_of_saying_the_mean"] * 1.05, months
        assert said["range_holds_true_chance"] > 0.75, months
    assert found["months"][12]["brier"] < found["months"][12]["brier_of_saying_the_mean"]
    assert found["own"]["range_narrower_by"] > 0
    assert drawing(found["curves"]).count("<polyline") == len(rules.HORIZONS)


def test_without_the_extra_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lifelines", None)
    with pytest.raises(Refused, match=r"pip install 'daifa\[exit\]'"):
        need("lifelines")


def test_reading_needs_no_heavy_library(monkeypatch):
    for name in ("numpy", "pandas", "scipy", "lifelines"):
        monkeypatch.setitem(sys.modules, name, None)
    rules.shipped.cache_clear()
    assert rules.read(dict.fromkeys(rules.FIGURES), rules.shipped()).year.open > 0.5
