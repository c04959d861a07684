"""Clocks: what runs out when and what it costs; what is wrong with parcels; how a store ships."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Field, Router, Schema

from daifa.api.caller import caller
from daifa.api.errors import ERRORS, Problem
from daifa.api.shapes import (
    After,
    Id,
    Limit,
    Moment,
    MoneyOut,
    Number,
    Page,
    Words,
    aware,
    cursor_of,
    money,
    page_of,
)
from daifa.domain.catalog.models import Variant
from daifa.domain.compliance import commands, queries, rules
from daifa.domain.compliance.models import STATES

router = Router(tags=["clocks"])
State = Literal[tuple(state for state, _words in STATES)]
Kind = Literal[tuple(rules.KINDS)]
Thing = Literal["order", "parcel", "case"]
FindingKind = Literal[tuple(rules.FINDINGS)]
Mode = Literal[tuple(mode for mode, _words in rules.MODES)]


class ClockOut(Schema):
    """A deadline that runs. `stake` is what missing it costs, null where no rule puts a figure on it."""

    id: int
    store_id: int
    order_id: int
    order_number: str
    thing_kind: Thing
    thing: int
    thing_number: str
    kind: str
    rule: str = Field(description="Id in the rule book, see /rules/{rule_id}; “own-promise”: the store's own promise to buyers.")
    started_at: datetime
    due_at: datetime
    state: State
    stake: MoneyOut | None
    acts: bool = Field(description="False: its rule only informs, and nobody is reminded by it.")
    sentences: list[str]


class TotalsOut(Schema):
    """Over all running clocks whose rule acts; `informing` counts the others."""

    overdue: int
    within_a_day: int
    informing: int
    stakes: list[MoneyOut] = Field(description="Of what has run out or will within a day, by currency.")


class RunningOutOut(Schema):
    """Clocks of one kind in one store that have run out (`overdue`), or will within a day."""

    store_id: int
    kind: str
    overdue: bool
    count: int
    stake: MoneyOut | None
    due_at: datetime = Field(description="Of the first of them.")


class FindingOut(Schema):
    """Something that is wrong with a parcel and counts against the store; it goes once it is put right."""

    id: int
    store_id: int
    order_id: int
    order_number: str
    parcel_id: int
    parcel_number: str
    kind: str
    sentence: str
    advice: str
    stake: MoneyOut | None
    found_at: datetime


class ReckonedOut(Schema):
    clocks: int = Field(description="That run now.")
    changed: int = Field(description="New, moved or gone since the last reckoning.")
    findings: int = Field(description="New things that are wrong with parcels.")


class DispatchOut(Schema):
    """How a store ships; `mode` null while nobody has said it, then the strictest time that can apply counts."""

    mode: str | None
    hours: int | None = Field(description="Promised to buyers.")
    origin: str = Field(description="Province of China the parcels leave from.")
    variants: list[int] = Field(description="Variants that are shipped in another way.")


class DispatchIn(Schema):
    mode: Mode
    hours: int | None = Field(None, ge=1, le=24 * 365)
    origin: str = Field("", max_length=60)
    variants: list[Id] = Field([], max_length=1000, description="Only these; none: the whole store.")


def _clock(row: queries.ClockRow) -> dict[str, Any]:
    names = [name for name in ClockOut.model_fields if name not in ("stake", "sentences")]
    return {
        **{name: getattr(row, name) for name in names},
        "stake": money(row.stake, row.currency),
        "sentences": [str(sentence) for sentence in row.sentences()],
    }


@router.get("/clocks", response={200: Page[ClockOut], **ERRORS})
def list_clocks(
    request: HttpRequest,
    state: State | None = None,
    kind: Kind | None = None,
    thing_kind: Thing | None = None,
    acts: bool | None = None,
    store_id: Number = None,
    order_id: Number = None,
    q: Words = None,
    until: Moment = None,
    after: After = None,
    limit: Limit = 50,
):
    """Running clocks, soonest first. `q`: an order's number or its beginning; `until`: due by then."""
    who = caller(request)
    cursor = cursor_of(queries.SOONEST, ("moment", "id"), after)
    rows = queries.open_clocks(
        who.seen(store_id), state=state, kind=kind, thing_kind=thing_kind, acts=acts, order_id=order_id, q=q,
        until=aware(until), cursor=cursor, limit=limit + 1,
    )  # fmt: skip
    return page_of(rows, limit, cursor, _clock)


@router.get("/clocks/totals", response={200: TotalsOut, **ERRORS})
def clock_totals(request: HttpRequest, store_id: Number = None):
    """How many clocks have run out and how many will within a day, and the money at stake."""
    who = caller(request)
    who.require_some()
    found = queries.totals(who.seen(store_id), at=who.at)
    return {
        "overdue": found.overdue, "within_a_day": found.soon, "informing": found.informing,
        "stakes": [money(amount, currency) for currency, amount in sorted(found.stakes.items())],
    }  # fmt: skip


@router.get("/clocks/running-out", response={200: list[RunningOutOut], **ERRORS})
def clocks_running_out(request: HttpRequest, store_id: Number = None):
    """What has run out or will within a day, by store and kind; only clocks whose rule acts."""
    who = caller(request)
    return [
        {**row._asdict(), "stake": money(row.stake, row.currency)}
        for row in queries.running_out(who.seen(store_id), at=who.at)
    ]


@router.get("/parcel-findings", response={200: Page[FindingOut], **ERRORS})
def list_findings(
    request: HttpRequest, kind: FindingKind | None = None, store_id: Number = None, after: After = None, limit: Limit = 50
):
    """What is wrong with parcels now, the newest first: no scan, another's number, scanned too early, elsewhere."""
    cursor = cursor_of(("-id",), ("id",), after)
    rows = queries.finding_page(caller(request).seen(store_id), kind=kind, cursor=cursor, limit=limit + 1)
    return page_of(rows, limit, cursor, _finding)


def _finding(row: Any) -> dict[str, Any]:
    sentence, advice = queries.finding_words(row.kind, row.params, zone=row.store.timezone)
    return {
        "id": row.id, "store_id": row.store_id, "order_id": row.order_id, "order_number": row.order.number,
        "parcel_id": row.parcel_id, "parcel_number": row.parcel.number, "kind": row.kind, "sentence": sentence,
        "advice": advice, "stake": money(row.stake, row.currency), "found_at": row.found_at,
    }  # fmt: skip


@router.post("/stores/{store_id}/clocks/reckon", response={200: ReckonedOut, **ERRORS})
def reckon_clocks(request: HttpRequest, store_id: Id):
    """Reckon a store's clocks and findings now instead of in a few minutes. Repeating changes nothing."""
    from daifa.flows.keep_clocks import keep_clocks

    who = caller(request)
    who.require(store_id, "operate")
    done = keep_clocks(at=who.at, by=who.by, stores=[store_id])
    return done


def _dispatch(store_id: int) -> dict[str, Any]:
    found = queries.dispatch_mode(store_id)
    return {
        "mode": found.mode if found else None, "hours": found.hours if found else None, "origin": found.origin if found else "",
        "variants": [one.variant_id for one in queries.dispatch_exceptions(store_id)],
    }  # fmt: skip


@router.get("/stores/{store_id}/dispatch-mode", response={200: DispatchOut, **ERRORS})
def get_dispatch_mode(request: HttpRequest, store_id: Id):
    """How a store ships, as it told its channel."""
    caller(request).require(store_id, "view")
    return _dispatch(store_id)


@router.post("/stores/{store_id}/dispatch-mode", response={200: DispatchOut, **ERRORS})
def set_dispatch_mode(request: HttpRequest, store_id: Id, given: DispatchIn):
    """Say how a store ships, or some variants of it; its clocks are reckoned by it from then on. Only for owners."""
    who = caller(request)
    who.require(store_id, "own")
    if missing := set(given.variants) - set(Variant.objects.filter(pk__in=given.variants).values_list("pk", flat=True)):
        raise Problem(409, "no_variant", _("There is no variant %(id)s.") % {"id": min(missing)}, "variants")
    commands.set_dispatch_mode(
        store_id=store_id, mode=given.mode, hours=given.hours, origin=given.origin, variants=given.variants,
        by=who.by, at=who.at,
    )  # fmt: skip
    return _dispatch(store_id)
