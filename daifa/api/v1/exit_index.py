"""The exit index: how likely stores are to stay open, why, what to try. Advice; nothing acts on it."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpRequest
from ninja import Field, Router, Schema

from daifa.api.caller import caller
from daifa.api.errors import ERRORS
from daifa.api.shapes import Id, Number
from daifa.domain.exit_index import queries, rules
from daifa.flows.reads import closures
from daifa.flows.reads import exit_index as reads

router = Router(tags=["exit index"])


class ChanceOut(Schema):
    """0 to 1; the true chance lies between `low` and `high` in nine cases of ten."""

    chance: float
    low: float
    high: float


class DriverOut(Schema):
    """A figure that makes closing so many `times` as likely as a typical value of it would."""

    figure: str
    value: float
    typical: float
    times: float
    sentence: str


class WeightsOut(Schema):
    """Which weights were used; `own_closings`: of this merchant, that have moved the shipped ones."""

    version: str
    uses: str
    own_closings: int


class TrendOut(Schema):
    month: date
    chance_12: float


class ReviewOut(Schema):
    """The verdict of the monthly review: young, active, quiet or dormant."""

    month: date
    verdict: str
    reasons: Any


class StoreIndexOut(Schema):
    """A store's reading at the end of its last complete month. Without one, `why_not` is the sentence."""

    store_id: int
    store: str
    state: str
    why_not: str
    month: date | None = None
    band: str | None = Field(None, description="steady, watch or endangered.")
    open_in: dict[str, ChanceOut] = Field({}, description="Months (1, 3, 6, 12) → chance to be open then.")
    figures: dict[str, float | None] = {}
    drivers: list[DriverOut] = []
    unknown: list[str] = Field([], description="Figures that were not there and counted as typical.")
    advice: list[str] = []
    weights: WeightsOut | None = None
    trend: list[TrendOut] = []
    review: ReviewOut | None = None
    is_advice: bool = True


class MeasuredOut(Schema):
    months: int


class YearOut(Schema):
    """Closings that began in a year: by cause, how long they took, what became of deposits (by currency)."""

    year: int
    began: int
    closed: int
    by_cause: dict[str, int]
    median_days: float | None
    median_days_to_deposit: float | None
    held: dict[str, float]
    returned: dict[str, float]


def _index(one: reads.StoreIndex, using: Any) -> dict[str, Any]:
    told = reads.as_told(one, using)
    if told.get("weights"):
        told["weights"] = {name: str(value) if name != "own_closings" else value for name, value in told["weights"].items()}
    return {"store_id": one.store.pk, **told}


@router.get("/exit-index", response={200: list[StoreIndexOut], **ERRORS})
def list_exit_indices(request: HttpRequest):
    """The index of each of the caller's stores, the most endangered first, those that cannot be read last."""
    using = queries.model()
    return [_index(one, using) for one in reads.exit_indices(caller(request).scope, using=using)]


@router.get("/stores/{store_id}/exit-index", response={200: StoreIndexOut, **ERRORS})
def exit_index_of_store(request: HttpRequest, store_id: Id):
    """Chances, drivers in words, advice and the trend of one store."""
    caller(request).require(store_id, "view")
    using = queries.model()
    return _index(reads.exit_indices([store_id], using=using)[0], using)


@router.post("/stores/{store_id}/exit-index/measure", response={200: MeasuredOut, **ERRORS})
def measure_store(request: HttpRequest, store_id: Id):
    """Measure a store's months now instead of tonight. Months that are final stay as they are."""
    from daifa.flows.measure_months import measure_months

    who = caller(request)
    who.require(store_id, "operate")
    return {"months": measure_months(store_ids=[store_id], by=who.by, at=who.at)["months"]}


@router.get("/closures", response={200: list[YearOut], **ERRORS})
def closures_by_year(request: HttpRequest, store_id: Number = None):
    """Closings of the caller's stores by year, oldest first."""
    records = closures.closure_records(caller(request).seen(store_id))
    return [one._asdict() for one in rules.closures_by_year(records)]
