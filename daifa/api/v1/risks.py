"""Signs of selling without a source, the orders behind them, and the plans that answer them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from django.http import HttpRequest
from django.utils.translation import get_language
from ninja import Field, Router, Schema, Status

from daifa.api.caller import caller
from daifa.api.errors import ERRORS, not_found
from daifa.api.shapes import After, Done, Id, Limit, MoneyOut, Number, Page, cursor_of, money, page_of
from daifa.domain.compliance import risk_commands, risk_queries
from daifa.domain.compliance.models import Risk
from daifa.domain.compliance.process import PLAN_STEP, RISK
from daifa.domain.compliance.signals import BY_KIND, REMEDIES, STEPS, affiliate_answers
from daifa.domain.sourcing.queries import supplier_with_id
from daifa.flows import find_risks, switch_suppliers

router = Router(tags=["risks"])
State = Literal[tuple(RISK.table)]
Kind = Literal[tuple(BY_KIND)]
StepState = Literal[tuple(PLAN_STEP.table)]
StepKind = Literal[tuple(STEPS)]
Situation = Literal["orders", "no_orders"]


class RiskOut(Schema):
    """A sign, counted from own data: `count` of `base` looked at, serious from `line` on (in `unit`)."""

    id: int
    store_id: int
    kind: str
    words: str
    state: str
    level: str
    count: int
    base: int
    line: Decimal
    unit: str = Field(description="%, orders or groups (kinds of goods).")
    days: int = Field(description="Counted over so many days.")
    rule: str = Field(description="Where the line comes from a rule of the book; empty: daifa's own.")
    found_at: datetime
    seen_at: datetime


class BehindOut(Schema):
    """An order behind a risk and what was seen on it."""

    order_id: int | None
    order_number: str | None
    supplier_id: int | None
    supplier_name: str | None
    thing_kind: str
    thing: int
    seen: str
    at: datetime


class RemedyOut(Schema):
    code: str
    words: str


class RiskDetailOut(RiskOut):
    note: str
    remedies: list[RemedyOut] = Field(description="The first helps most. None makes a sign disappear while its cause stays.")
    behind: list[BehindOut]


class SettleIn(Schema):
    state: Literal["explained", "acted"]
    note: str = Field(min_length=1, max_length=500, description="Which explanation, or which remedy was begun.")


class EligibilityIn(Schema):
    """What was looked up about an account. `is_clean` is refused where violations stand on its record here."""

    followers: int = Field(ge=0)
    is_adult: bool = Field(description="Of age, with the real name confirmed.")
    is_clean: bool = Field(description="No violation on record.")


class EligibilityOut(Schema):
    id: int
    missing: list[Literal["followers", "adult", "clean"]] = Field(description="What still stands between the account and commission links.")
    needed: int | None = Field(description="Followers the rule book asks for; null: it names no line for this channel.")


class CountedOut(Schema):
    counts: dict[str, int]


class StepOut(Schema):
    """A step on the way out: with orders coming in, or with none yet."""

    id: int
    store_id: int
    situation: Situation
    kind: str
    words: str
    state: str
    supplier_id: int | None
    supplier_name: str | None
    note: str
    due_on: date | None
    at: datetime
    moved_at: datetime


class StepIn(Schema):
    kind: StepKind
    supplier_id: Id | None = None
    note: str = Field("", max_length=500)


class MoveIn(Schema):
    state: StepState
    note: str = Field("", max_length=500)


class TakesOverOut(Schema):
    """Another supplier linked to the goods. `why_not`: why he may not ship for the store, empty = he may; `sample`: how the
    last one judged did, empty = none; `is_first`: nobody is asked before him."""

    supplier_id: int
    supplier: str
    why_not: str
    sample: str
    is_first: bool


class ToSwitchOut(Schema):
    """A good of a supplier who is to be replaced."""

    variant_id: int
    sku: str
    title: str
    replaced_id: int
    replaced: str
    is_switched: bool
    candidates: list[TakesOverOut]


class SwitchIn(Schema):
    supplier_id: int


class SwitchedOut(Schema):
    goods: int


class SubstituteOut(Schema):
    """Another supplier's offer of the same variant."""

    supplier_id: int
    supplier: str
    supplier_state: str
    variant_id: int
    sku: str
    supplier_sku: str
    price: MoneyOut
    mapping_state: str


class LinkOut(Schema):
    """A commission link: how many posts carry it and what it earned by the platform's statements."""

    id: int
    store_id: int
    name: str
    url: str
    percent: Decimal | None
    posts: int
    orders: int | None
    earned: MoneyOut | None


def _side(words: tuple[str, str]) -> str:
    return words[int((get_language() or "").startswith("zh"))]


def _risk(risk: Risk) -> dict[str, Any]:
    sign = BY_KIND[risk.kind]
    names = [name for name in RiskOut.model_fields if name not in ("words", "unit", "days")]
    return {
        **{name: getattr(risk, name) for name in names},
        "words": _side(sign.words), "unit": sign.unit, "days": sign.days,
    }  # fmt: skip


def _detail(scope: list[int], risk_id: int) -> dict[str, Any]:
    risk = risk_queries.risk_detail(scope, risk_id)
    if risk is None:
        raise not_found()
    return {
        **_risk(risk), "note": "" if risk.note == find_risks.PLANNED else risk.note,
        "remedies": [{"code": code, "words": _side(REMEDIES[code])} for code in BY_KIND[risk.kind].remedies],
        "behind": risk_queries.behind(risk_id),
    }  # fmt: skip


def _step(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "words": _side(STEPS[row["kind"]])}


@router.get("/risks", response={200: Page[RiskOut], **ERRORS})
def list_risks(
    request: HttpRequest, state: State | None = None, kind: Kind | None = None, store_id: Number = None,
    after: After = None, limit: Limit = 50,
):  # fmt: skip
    """Signs that stand, the serious ones first; those that are gone only with `state` "gone"."""
    cursor = cursor_of(risk_queries.NEWEST, ("id", "id"), after)
    rows = risk_queries.risk_page(caller(request).seen(store_id), state=state, kind=kind, cursor=cursor, limit=limit + 1)
    return page_of(rows, limit, cursor, _risk)


@router.get("/risks/{risk_id}", response={200: RiskDetailOut, **ERRORS})
def get_risk(request: HttpRequest, risk_id: Id):
    """One sign: what is behind it, newest first, and what helps."""
    return _detail(caller(request).scope, risk_id)


@router.post("/stores/{store_id}/risks/count", response={200: CountedOut, **ERRORS})
def count_risks(request: HttpRequest, store_id: Id):
    """Count a store's signs now instead of within the hour. A repeat changes nothing."""
    who = caller(request)
    who.require(store_id, "operate")
    return {"counts": find_risks.find_risks(at=who.at, by=who.by, stores=[store_id])}


def _operated(who: Any, risk_id: int) -> None:
    risk = risk_queries.risk_detail(who.scope, risk_id)
    who.require(-1 if risk is None else risk.store_id, "operate")


@router.post("/risks/{risk_id}/settle", response={200: RiskDetailOut, **ERRORS})
def settle_risk(request: HttpRequest, risk_id: Id, given: SettleIn):
    """Explain a sign, or say which remedy is begun. It stays counted and opens again when there is more of it."""
    who = caller(request)
    _operated(who, risk_id)
    find_risks.settle_risk(risk_id=risk_id, state=given.state, note=given.note, by=who.by, at=who.at)
    return _detail(who.scope, risk_id)


@router.post("/risks/{risk_id}/plan", response={200: Done, **ERRORS})
def plan_against_risk(request: HttpRequest, risk_id: Id):
    """Plan what helps: a negotiation with each supplier behind it, e-waybills, focus. `done`: new steps; a repeat adds none."""
    who = caller(request)
    _operated(who, risk_id)
    return {"done": find_risks.begin_plan(risk_id=risk_id, by=who.by, at=who.at)}


@router.get("/plan-steps", response={200: list[StepOut], **ERRORS})
def list_steps(request: HttpRequest, situation: Situation, store_id: Number = None):
    """Steps of the plans of the caller's stores in one situation, in the order of planning."""
    return [_step(row) for row in risk_queries.steps_of(caller(request).seen(store_id), situation)]


@router.post("/stores/{store_id}/plan-steps", response={200: Done, **ERRORS})
def plan_step(request: HttpRequest, store_id: Id, given: StepIn):
    """Add a step to a store's plan. Empty `done`: it stands there already."""
    who = caller(request)
    who.require(store_id, "operate")
    if given.supplier_id is not None and supplier_with_id(given.supplier_id) is None:
        raise not_found()
    step = risk_commands.Step(given.kind, given.supplier_id, given.note)
    return {"done": risk_commands.plan_steps(store_id=store_id, steps=[step], by=who.by, at=who.at)}


@router.post("/plan-steps/{plan_step_id}/move", response={200: Done, **ERRORS})
def move_step(request: HttpRequest, plan_step_id: Id, given: MoveIn):
    """A step goes on. Where a supplier does not agree, the search for a substitute is planned: `done` names the new steps."""
    who = caller(request)
    step = risk_queries.step_of(who.scope, plan_step_id)
    who.require(-1 if step is None else step.store_id, "operate")
    return {
        "done": risk_commands.move_step(step_id=plan_step_id, state=given.state, note=given.note, by=who.by, at=who.at)
    }


@router.get("/stores/{store_id}/goods-to-switch", response={200: list[ToSwitchOut], **ERRORS})
def list_goods_to_switch(request: HttpRequest, store_id: Id):
    """While the step "switch" is open: good by good who could take over and what he lacks. The step ends by itself."""
    who = caller(request)
    who.require(store_id, "view")
    return [
        {
            **{name: getattr(good, name) for name in ("variant_id", "sku", "title", "replaced_id", "replaced", "is_switched")},
            "candidates": [one._asdict() for one in good.candidates],
        }
        for good in switch_suppliers.goods_to_switch([store_id], at=who.at)
    ]


@router.post("/stores/{store_id}/goods-to-switch/ask-first", response={200: SwitchedOut, **ERRORS})
def ask_first(request: HttpRequest, store_id: Id, given: SwitchIn):
    """A supplier who may ship for the store and whose sample passed is asked first for all of it, in every store that sells it."""
    who = caller(request)
    who.require(store_id, "operate")
    who.require(None, "operate")
    return {"goods": switch_suppliers.ask_first(store_id=store_id, supplier_id=given.supplier_id, by=who.by, at=who.at)}


@router.get("/suppliers/{supplier_id}/substitutes", response={200: list[SubstituteOut], **ERRORS})
def list_substitutes(request: HttpRequest, supplier_id: Id):
    """Who could take over from a supplier: other suppliers' live offers of the variants he serves."""
    caller(request).require_some()
    if supplier_with_id(supplier_id) is None:
        raise not_found()
    return [{**row, "price": money(row["price"], row["currency"])} for row in find_risks.substitutes_for(supplier_id)]


@router.get("/affiliate-links", response={200: list[LinkOut], **ERRORS})
def list_affiliate_links(request: HttpRequest, store_id: Number = None):
    """Commission links of the caller's stores: the way without orders of one's own."""
    return [
        {**row, "earned": None if row["amount"] is None else money(row["amount"], row["currency"])}
        for row in risk_queries.affiliate_links(caller(request).seen(store_id))
    ]


@router.post("/stores/{store_id}/affiliate-checks", response={201: EligibilityOut, **ERRORS})
def record_affiliate_check(request: HttpRequest, store_id: Id, given: EligibilityIn):
    """Note what was looked up: may the account earn commission? With nothing missing the plan's step is done."""
    who = caller(request)
    who.require(store_id, "operate")
    made = find_risks.record_affiliate_check(store_id=store_id, **given.model_dump(), by=who.by, at=who.at)
    line = risk_queries.followers_line(made.store.channel, on=who.at.date(), store_id=store_id)
    missing = affiliate_answers(made.followers, is_adult=made.is_adult, is_clean=made.is_clean, needed=line.needed)
    return Status(201, {"id": made.pk, "missing": list(missing), "needed": line.needed})
