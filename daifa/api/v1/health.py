"""Store health: a store's figures against its channel's lines, what is near one, how it went."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from daifa.api.caller import caller
from daifa.api.errors import ERRORS
from daifa.api.shapes import Id, Number
from daifa.domain.compliance import health
from daifa.domain.compliance.health import Metric, Share, value_text
from daifa.flows.reads.store_health import whole_health

router = Router(tags=["store health"])
BEHIND = 50


class WindowOut(Schema):
    begin: datetime
    end: datetime
    assumed: bool = Field(description="The rule names no window.")


class BreakOut(Schema):
    """If nothing more is done the line is crossed then; `needed` open orders must be shipped in time to stay below it."""

    at: datetime
    events: int
    base: int
    needed: int


class MetricOut(Schema):
    """A figure with the line it is held against. Percent in points of 100; `low` and `high` are the 95 % interval."""

    metric: str
    words: str
    rule: str = Field(description="Id in the rule book; empty for a figure without a line.")
    value: Decimal | None
    unit: str
    text: str = Field(description="The value as it is read.")
    low: Decimal | None
    high: Decimal | None
    events: int
    base: int
    comparison: str
    line: Decimal | None
    share_of_line: Decimal | None = Field(description="1 = the line is reached.")
    level: int = Field(description="0, 70, 85 or 100: percent of the way to the line.")
    is_sure: bool = Field(description="False: so few orders that chance alone may have made it.")
    left: int | None = Field(description="So many more bad ones until the line.")
    gate: str
    window: WindowOut | None
    acts: bool
    why_not: str
    consequence: str
    note: str
    text_from: date | None = Field(description="First day of its text, where that came while the window ran: only what fell since is held against it.")
    text_until: date | None = Field(description="Last day of a text that counts no more; the window began under it. The text of today is a figure of its own.")
    missing: str = Field(description="Why it cannot be measured here.")
    breaks: BreakOut | None
    orders: list[int] = Field(description="Some of the orders behind the bad ones.")


class ShareOut(Schema):
    """What a supplier or a listing adds to late orders; `share` of all late ones, 0 to 1."""

    key: str
    name: str
    due: int
    late: int
    share: Decimal | None


class HealthOut(Schema):
    store_id: int
    at: datetime
    channel: str
    metrics: list[MetricOut] = Field(description="Nearest to its line first; then figures without a line.")
    suppliers: list[ShareOut]
    listings: list[ShareOut]
    breaks_next: str = Field(description="Rule whose line is crossed first if nothing more is shipped; empty: none.")


class NearOut(Schema):
    """A line at 70 % or more, or about to break, by the figures last kept; only of rules that act."""

    store_id: int
    rule: str
    words: str
    value: str
    line: str
    level: int
    consequence: str
    since: datetime
    breaks_at: datetime | None


class TrendPoint(Schema):
    day: date
    value: Decimal | None


class KeptOut(Schema):
    figures: int


def _metric(one: Metric) -> dict[str, Any]:
    names = [name for name in MetricOut.model_fields if name not in ("text", "window", "breaks", "orders")]
    return {
        **{name: getattr(one, name) for name in names},
        "text": value_text(one.value, one.unit),
        "window": one.window._asdict() if one.window else None,
        "breaks": one.breaks and {name: getattr(one.breaks, name) for name in BreakOut.model_fields},
        "orders": one.orders[:BEHIND],
    }


def _share(one: Share) -> dict[str, Any]:
    return one._asdict()


@router.get("/stores/{store_id}/health", response={200: HealthOut, **ERRORS})
def store_health(request: HttpRequest, store_id: Id):
    """Every figure of a store against its line as of now, what breaks next, and who adds what to it."""
    who = caller(request)
    who.require(store_id, "view")
    found = whole_health(store_id, at=who.at)
    first = found.next_break
    return {
        "store_id": store_id, "at": found.at, "channel": found.channel,
        "metrics": [_metric(one) for one in found.metrics],
        "suppliers": [_share(one) for one in found.suppliers],
        "listings": [_share(one) for one in found.listings],
        "breaks_next": first.rule if first else "",
    }  # fmt: skip


@router.get("/stores/{store_id}/health/trend", response={200: list[TrendPoint], **ERRORS})
def health_trend(
    request: HttpRequest,
    store_id: Id,
    rule: Annotated[str, Query("", max_length=60)] = "",
    metric: Annotated[str, Query("", max_length=60)] = "",
    days: Annotated[int, Query(60, ge=1, le=730)] = 60,
):
    """How a line went, day by day, oldest first; a figure without a line by its `metric`. Empty before it was first kept."""
    who = caller(request)
    who.require(store_id, "view")
    return [
        {"day": day, "value": value}
        for day, value in health.trend(store_id, rule, since=who.at.date() - timedelta(days=days), metric=metric)
    ]


@router.get("/near-lines", response={200: list[NearOut], **ERRORS})
def near_lines(request: HttpRequest, store_id: Number = None):
    """Lines of the caller's stores that are near or crossed, the furthest gone first."""
    who = caller(request)
    return [
        {
            "store_id": one.store_id, "rule": one.rule, "words": one.words, "value": one.value_text, "line": one.line_text,
            "level": one.level, "consequence": one.consequence, "since": one.since, "breaks_at": one.breaks_at,
        }
        for one in health.near_lines(who.seen(store_id), at=who.at)
    ]  # fmt: skip


@router.post("/stores/{store_id}/health/keep", response={200: KeptOut, **ERRORS})
def keep_figures(request: HttpRequest, store_id: Id):
    """Reckon a store's clocks and figures now and keep them as the day's. Repeating replaces the day's."""
    from daifa.flows.keep_clocks import keep_clocks, keep_metrics

    who = caller(request)
    who.require(store_id, "operate")
    keep_clocks(at=who.at, by=who.by, stores=[store_id])
    return {"figures": keep_metrics(at=who.at, stores=[store_id])}
