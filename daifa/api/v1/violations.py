"""Violations: what platforms ruled, points and what they cost next, appeals; and the deposit that answers for them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from daifa.api.caller import Caller, caller
from daifa.api.errors import ERRORS, Problem, not_found
from daifa.api.shapes import (
    After,
    Amount,
    AmountOrNothing,
    At,
    Day,
    Id,
    Limit,
    MoneyOut,
    Number,
    Page,
    Words,
    cursor_of,
    money,
    page_of,
)
from daifa.api.v1.case_files import FileOut, PackOut, file_out, pack_out
from daifa.domain.cases import commands, queries
from daifa.domain.cases.models import Appeal, Violation
from daifa.domain.cases.process import CONSEQUENCES, DEPOSIT_MOVES, VIOLATION, VIOLATION_KINDS

router = Router(tags=["violations"])
State = Literal[("open", *VIOLATION.table)]
Kind = Literal[tuple(VIOLATION_KINDS)]
ConsequenceKind = Literal[tuple(CONSEQUENCES)]
MoveKind = Literal[tuple(DEPOSIT_MOVES)]
Points = Annotated[Decimal, Field(ge=0, max_digits=7, decimal_places=2)]


class ViolationOut(Schema):
    """What a platform ruled. `title` is in its words, empty for those who may not see buyers."""

    id: int
    store_id: int
    reference: str
    kind: str
    state: str
    title: str
    rule: str
    points: Decimal
    points_until: datetime | None
    occurred_at: datetime | None
    notified_at: datetime
    appeal_due_at: datetime | None = Field(description="Null: the rule book does not say; look at the notice.")
    appeal_until: datetime | None = Field(description="Later nothing is taken as an appeal.")


class NamedOrderOut(Schema):
    id: int
    number: str
    placed_at: datetime
    status: str
    total: MoneyOut


class ConsequenceOut(Schema):
    """A limit from when until when (null: until further notice)."""

    id: int
    kind: str
    from_at: datetime
    until_at: datetime | None
    lifted_at: datetime | None
    amount: MoneyOut | None
    note: str


class AppealOut(Schema):
    """Round 0 is a note that came too late for an appeal."""

    id: int
    round: int
    state: str
    text: str
    reference: str
    answer: str
    answer_due_at: datetime | None
    opened_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None


class MoveOut(Schema):
    """Money of a deposit, or a penalty kept from the proceeds."""

    id: int
    store_id: int
    kind: str
    amount: MoneyOut
    from_proceeds: bool
    violation_id: int | None
    reference: str
    note: str
    at: datetime
    by: str


class ViolationDetailOut(ViolationOut):
    note: str
    unknown_orders: list[str] = Field(description="Named in the notice, and no orders here.")
    next: list[str] = Field(description="Where it may go from here.")
    why_not_appeal: str = Field(description="Why no appeal can be made now; empty when one can.")
    orders: list[NamedOrderOut]
    consequences: list[ConsequenceOut]
    appeals: list[AppealOut]
    moves: list[MoveOut]
    files: list[FileOut]
    packs: list[PackOut]


class ConsequenceIn(Schema):
    kind: ConsequenceKind
    from_at: At
    until_at: At | None = None
    note: str = Field("", max_length=200)


class ViolationIn(Schema):
    """`reference` is the platform's: the same one is taken once. What is left out follows from the channel's rules."""

    store_id: Id
    reference: str = Field(min_length=1, max_length=80)
    kind: Kind = "other"
    notified_at: At
    occurred_at: At | None = None
    title: str = Field("", max_length=300)
    rule: str = Field("", max_length=60)
    points: Points = Decimal(0)
    points_until: At | None = None
    appeal_due_at: At | None = Field(None, description="As the notice says; it counts before the rule book's.")
    orders: list[Annotated[str, Field(max_length=80)]] = Field([], max_length=500, description="Order numbers.")
    consequences: list[ConsequenceIn] = Field([], max_length=20)
    money: Amount | None = Field(None, description="Money taken, in the store's currency; needs the role for books.")
    from_proceeds: bool = Field(True, description="False: it was taken from the deposit.")
    note: str = Field("", max_length=2000)


class OrdersIn(Schema):
    orders: list[Annotated[str, Field(max_length=80)]] = Field(min_length=1, max_length=500, description="Order numbers of its store.")


class DeadlineIn(Schema):
    due_at: At


class PointsIn(Schema):
    points: Points
    points_until: At | None = Field(None, description="Null: nobody knows.")
    reason: str = Field(min_length=1, max_length=200, description="Where the platform shows it.")


class LiftIn(Schema):
    reason: str = Field(min_length=1, max_length=300, description="What the platform wrote.")


class AppealIn(Schema):
    text: str = Field(min_length=1, max_length=20_000)
    keep_as_note: bool = Field(False, description="Where it is too late for an appeal: keep the text all the same.")
    handed_in_at: At | None = Field(None, description="It was handed in at the platform already, then; that moment must be in time.")


class SentIn(Schema):
    reference: str = Field("", max_length=80, description="The platform's reference of the appeal.")
    handed_in_at: At | None = Field(None, description="When; now where left out. That moment must be in time.")


class AnswerIn(Schema):
    outcome: Literal["won", "partly_won", "lost"]
    answer: str = Field("", max_length=20_000)
    points: Points | None = Field(None, description="Points left, where it was won in part.")


class RungOut(Schema):
    threshold: Decimal
    consequence: str
    rule: str
    acts: bool


class PointsOut(Schema):
    """The points of a store that count now: what they brought, what comes next, when they fall."""

    store_id: int
    total: Decimal
    reached: RungOut | None
    next: RungOut | None
    left: Decimal | None = Field(description="Points until the next rung.")
    falls_at: datetime | None
    falls: Decimal
    by_kind: dict[str, Decimal]


class LimitOut(Schema):
    """A limit that is in force."""

    id: int
    violation_id: int
    reference: str
    store_id: int
    kind: str
    from_at: datetime
    until_at: datetime | None
    amount: MoneyOut | None
    note: str


class DepositOut(Schema):
    """What the channel holds of a store and what it requires (null: nobody said)."""

    store_id: int
    held: MoneyOut
    required: MoneyOut | None
    short: MoneyOut | None
    due_at: datetime | None
    rule: str
    deducted: MoneyOut
    penalties: MoneyOut


class MoveIn(Schema):
    """`reference` of the platform or the bank makes repeats harmless: the same one is taken once."""

    kind: MoveKind
    amount: Amount = Field(description="In the store's currency.")
    at: At
    reference: str = Field(min_length=1, max_length=80)
    violation_id: Id | None = None
    from_proceeds: bool = False
    note: str = Field("", max_length=200)


class RequireIn(Schema):
    """A second word about the same day replaces the first."""

    amount: AmountOrNothing
    valid_from: Day
    due_at: At | None = None
    rule: str = Field("", max_length=60)
    note: str = Field("", max_length=200)


def _violation(row: dict[str, Any], knows_buyers: bool) -> dict[str, Any]:
    return {**row, "title": row["title"] if knows_buyers else ""}


def _detail(who: Caller, violation_id: int) -> dict[str, Any]:
    found = queries.violation_detail(who.scope, violation_id)
    if found is None:
        raise not_found()
    row, currency = found.violation, found.violation["currency"]
    knows = who.knows_buyers(row["store_id"])
    violation = Violation.objects.select_related("store").get(pk=violation_id)
    return {
        **_violation(row, knows),
        "note": row["note"] if knows else "",
        "next": list(VIOLATION.next(row["state"])),
        "why_not_appeal": commands.why_not_appeal(violation, at=who.at)[1],
        "orders": [{**one, "total": money(one["total_amount"], one["currency"])} for one in found.orders],
        "consequences": [{**one, "amount": money(one["amount"], currency)} for one in found.consequences],
        "appeals": [one if knows else {**one, "text": "", "answer": ""} for one in found.appeals],
        "moves": [_move(one) for one in found.moves],
        "files": [file_out(one) for one in found.files] if knows else [],
        "packs": [pack_out(one) for one in found.packs] if knows else [],
    }


def _move(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "amount": money(row["amount"], row["currency"])}


def _operated(who: Caller, violation_id: int) -> None:
    """404 for a violation she may not see, 403 where her role is short."""
    store = Violation.objects.filter(pk=violation_id).values_list("store_id", flat=True).first()
    who.require(-1 if store is None else store, "operate")


@router.get("/violations", response={200: Page[ViolationOut], **ERRORS})
def list_violations(
    request: HttpRequest,
    state: State | None = None,
    kind: Kind | None = None,
    store_id: Number = None,
    order_id: Number = None,
    q: Words = None,
    after: After = None,
    limit: Limit = 50,
):
    """Violations, newest first. `state` "open": neither lifted nor expired. `q`: reference or its beginning, order number."""
    who = caller(request)
    cursor = cursor_of(queries.NEWEST, ("id",), after)
    rows = queries.violation_page(
        who.seen(store_id), state=state, kind=kind, q=q, order_id=order_id, cursor=cursor, limit=limit + 1
    )
    return page_of(rows, limit, cursor, lambda row: _violation(row, who.knows_buyers(row["store_id"])))


@router.post("/violations", response={200: ViolationDetailOut, 201: ViolationDetailOut, **ERRORS})
def record_violation(request: HttpRequest, given: ViolationIn):
    """Write down what a platform ruled: 201. A known reference answers 200; only money and orders it lacked are added."""
    who = caller(request)
    store = who.store(given.store_id, "operate")
    if given.money:
        who.require(store.pk, "books")
    wanted = given.model_dump(exclude={"store_id", "consequences", "orders"})
    taken = commands.add_violations(
        [
            commands.NewViolation(
                **wanted, orders=tuple(given.orders),
                consequences=tuple(commands.NewConsequence(**one.model_dump()) for one in given.consequences),
            )
        ],
        store=store, source=who.by, whole=True, by=who.by, at=who.at,
    )  # fmt: skip
    if taken.refused:
        raise Problem(409, taken.refused[0].code, taken.refused[0].sentence())
    if taken.added:
        return Status(201, _detail(who, taken.added[0]))
    known = Violation.objects.values_list("pk", flat=True).get(store=store, reference=given.reference.strip())
    return Status(200, _detail(who, known))


@router.get("/violations/{violation_id}", response={200: ViolationDetailOut, **ERRORS})
def get_violation(request: HttpRequest, violation_id: Id):
    """One violation with its orders, limits, appeals, money and papers. Texts only for owners and operators."""
    return _detail(caller(request), violation_id)


@router.post("/violations/{violation_id}/deadline", response={200: ViolationDetailOut, **ERRORS})
def set_deadline(request: HttpRequest, violation_id: Id, given: DeadlineIn):
    """Enter the deadline the notice names; it counts before the rule book's."""
    who = caller(request)
    _operated(who, violation_id)
    commands.set_appeal_deadline(violation_id=violation_id, due_at=given.due_at, by=who.by, at=who.at)
    return _detail(who, violation_id)


@router.post("/violations/{violation_id}/points", response={200: ViolationDetailOut, **ERRORS})
def correct_points(request: HttpRequest, violation_id: Id, given: PointsIn):
    """Enter how many points there are and when they fall, as the platform shows it."""
    who = caller(request)
    _operated(who, violation_id)
    commands.correct_points(violation_id=violation_id, **given.model_dump(), by=who.by, at=who.at)
    return _detail(who, violation_id)


@router.post("/violations/{violation_id}/consequences", response={200: ViolationDetailOut, **ERRORS})
def add_consequence(request: HttpRequest, violation_id: Id, given: ConsequenceIn):
    """A limit that came later."""
    who = caller(request)
    _operated(who, violation_id)
    commands.add_consequences(
        [commands.NewConsequence(**given.model_dump())], violation_id=violation_id, by=who.by, at=who.at
    )
    return _detail(who, violation_id)


@router.post("/violations/{violation_id}/orders", response={200: ViolationDetailOut, **ERRORS})
def name_orders(request: HttpRequest, violation_id: Id, given: OrdersIn):
    """Say which orders are behind it. Repeating changes nothing."""
    who = caller(request)
    _operated(who, violation_id)
    commands.name_orders(violation_id=violation_id, numbers=given.orders, by=who.by, at=who.at)
    return _detail(who, violation_id)


@router.post("/violations/{violation_id}/accept", response={200: ViolationDetailOut, **ERRORS})
def accept_violation(request: HttpRequest, violation_id: Id):
    """Decide not to appeal: the task goes, the violation stays in force. Repeating changes nothing."""
    who = caller(request)
    _operated(who, violation_id)
    commands.accept_violations([violation_id], by=who.by, at=who.at)
    return _detail(who, violation_id)


@router.post("/violations/{violation_id}/lift", response={200: ViolationDetailOut, **ERRORS})
def lift_violation(request: HttpRequest, violation_id: Id, given: LiftIn):
    """The platform took it back: points and limits end. Repeating changes nothing."""
    who = caller(request)
    _operated(who, violation_id)
    commands.lift_violations([violation_id], reason=given.reason, by=who.by, at=who.at)
    return _detail(who, violation_id)


@router.post("/violations/{violation_id}/appeals", response={201: ViolationDetailOut, **ERRORS})
def open_appeal(request: HttpRequest, violation_id: Id, given: AppealIn):
    """Begin an appeal, as a draft. After the deadline it is refused (409), or kept as a note where that is asked for."""
    who = caller(request)
    _operated(who, violation_id)
    commands.open_appeal(violation_id=violation_id, **given.model_dump(), by=who.by, at=who.at)
    return Status(201, _detail(who, violation_id))


def _appeal(who: Caller, appeal_id: int) -> Appeal:
    found = Appeal.objects.filter(pk=appeal_id).select_related("violation").first()
    if found is None:
        raise not_found()
    who.require(found.violation.store_id, "operate")
    return found


@router.post("/appeals/{appeal_id}/send", response={200: ViolationDetailOut, **ERRORS})
def send_appeal(request: HttpRequest, appeal_id: Id, given: SentIn):
    """A person handed the appeal in at the platform."""
    who = caller(request)
    found = _appeal(who, appeal_id)
    commands.send_appeal(appeal_id=appeal_id, **given.model_dump(), by=who.by, at=who.at)
    return _detail(who, found.violation_id)


@router.post("/appeals/{appeal_id}/answer", response={200: ViolationDetailOut, **ERRORS})
def answer_appeal(request: HttpRequest, appeal_id: Id, given: AnswerIn):
    """What the platform answered: won lifts the violation, won in part leaves `points`, lost upholds it."""
    who = caller(request)
    found = _appeal(who, appeal_id)
    commands.answer_appeal(appeal_id=appeal_id, **given.model_dump(), by=who.by, at=who.at)
    return _detail(who, found.violation_id)


@router.post("/appeals/{appeal_id}/withdraw", response={200: ViolationDetailOut, **ERRORS})
def withdraw_appeal(request: HttpRequest, appeal_id: Id):
    """Take a draft, or an appeal that was handed in, back."""
    who = caller(request)
    found = _appeal(who, appeal_id)
    commands.withdraw_appeal(appeal_id=appeal_id, by=who.by, at=who.at)
    return _detail(who, found.violation_id)


@router.get("/stores/{store_id}/points", response={200: PointsOut, **ERRORS})
def points_of_store(request: HttpRequest, store_id: Id):
    """A store's points that count now, by its channel's rules."""
    who = caller(request)
    who.require(store_id, "view")
    found = queries.points(store_id, at=who.at)
    names = ("total", "left", "falls_at", "falls", "by_kind")
    return {
        "store_id": store_id, **{name: getattr(found, name) for name in names},
        **{name: rung._asdict() if (rung := getattr(found, name)) else None for name in ("reached", "next")},
    }  # fmt: skip


@router.get("/limits", response={200: list[LimitOut], **ERRORS})
def limits_in_force(request: HttpRequest, store_id: Number = None):
    """Limits that hold now in the caller's stores, what ends first (or never) first."""
    who = caller(request)
    return [
        {**row, "amount": money(row["amount"], row["currency"])}
        for row in queries.consequences_in_force(who.seen(store_id), at=who.at)
    ]


def _deposit(who: Caller, store_id: int) -> dict[str, Any]:
    found = queries.deposit(store_id, at=who.at)
    return {
        "store_id": store_id, "due_at": found.due_at, "rule": found.rule,
        **{
            name: None if one is None else money(one.amount, one.currency)
            for name in ("held", "required", "short", "deducted", "penalties")
            for one in [getattr(found, name)]
        },
    }  # fmt: skip


@router.get("/stores/{store_id}/deposit", response={200: DepositOut, **ERRORS})
def deposit_of_store(request: HttpRequest, store_id: Id):
    """The deposit of a store: held, required, short, deducted; and penalties that were kept from its proceeds."""
    who = caller(request)
    who.require(store_id, "view")
    return _deposit(who, store_id)


@router.get("/deposit-moves", response={200: Page[MoveOut], **ERRORS})
def list_moves(
    request: HttpRequest, kind: MoveKind | None = None, store_id: Number = None, after: After = None, limit: Limit = 50
):
    """Moves of deposits, newest first. The books post each of them once."""
    cursor = cursor_of(queries.NEWEST, ("id",), after)
    rows = queries.deposit_page(caller(request).seen(store_id), kind=kind, cursor=cursor, limit=limit + 1)
    return page_of(rows, limit, cursor, _move)


@router.post("/stores/{store_id}/deposit/moves", response={200: DepositOut, 201: DepositOut, **ERRORS})
def move_deposit(request: HttpRequest, store_id: Id, given: MoveIn):
    """Enter money of the deposit: 201. A reference that is known answers 200 and changes nothing. Needs `books`."""
    who = caller(request)
    store = who.store(store_id, "books")
    wanted = given.model_dump(exclude={"violation_id"})
    taken = commands.move_deposit(
        [commands.NewMove(**wanted, violation=given.violation_id)], store=store, by=who.by, at=who.at
    )
    if taken.refused:
        raise Problem(409, taken.refused[0].code, taken.refused[0].sentence())
    return Status(201 if taken.added else 200, _deposit(who, store_id))


@router.post("/stores/{store_id}/deposit/requirement", response={200: DepositOut, **ERRORS})
def require_deposit(request: HttpRequest, store_id: Id, given: RequireIn):
    """Enter what the platform requires from a day on. Needs `books`."""
    who = caller(request)
    store = who.store(store_id, "books")
    commands.require_deposit(store=store, **given.model_dump(), by=who.by, at=who.at)
    return _deposit(who, store_id)
