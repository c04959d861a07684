"""The life of a store and its end: what is open, the calendar, a closing step by step, coming back, the public status."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Field, File, Form, Query, Router, Schema, Status
from ninja.files import UploadedFile

from daifa.api.caller import Caller, caller
from daifa.api.errors import ERRORS, not_found
from daifa.api.shapes import (
    AmountOrNothing,
    At,
    Day,
    Id,
    MoneyOut,
    Number,
    a_file,
    contents_of,
    file_answer,
    money,
)
from daifa.domain.cases.process import VIOLATION_KINDS
from daifa.domain.closing import commands, queries, rules, steps
from daifa.domain.closing.commands import said
from daifa.domain.closing.models import SCENARIOS, Closing, ClosingStep, ComebackStep, Readmission
from daifa.domain.closing.process import STANDING
from daifa.domain.closing.queries import BLOCKERS, Blocker
from daifa.flows import close_store

router = Router(tags=["closing"])
Scenario = Literal[tuple(SCENARIOS)]
StandingState = Literal["", *STANDING.table]
About = Literal[tuple(VIOLATION_KINDS)]


class LifeOut(Schema):
    """One life of a store; coming back is a new one."""

    id: int
    state: str
    began_at: datetime
    closed_at: datetime | None
    archived_at: datetime | None


class StoreLifeOut(Schema):
    """Where a store is: its life (preparing, open, closing, closed, archived) and what the platform thinks of it."""

    store_id: int
    lifecycle: str
    standing: str
    standing_since: datetime | None
    standing_reason: str
    takes_orders: bool
    closing_id: int | None = Field(description="The closing that goes on, or threatens it.")
    lives: list[LifeOut]


class StandingIn(Schema):
    standing: StandingState = Field(description="Empty: the word is taken back, and only the violations count.")
    reason: str = Field("", max_length=300)


class BlockerOut(Schema):
    """One thing that is still open; `until` where time alone settles it."""

    code: str
    words: str
    count: int
    amount: MoneyOut | None
    until: date | None


class DayOut(Schema):
    """A day of the calendar and where it comes from; `assumed`: daifa's own figure where no rule says one."""

    code: str
    name: str
    words: str
    on: date
    rule: str
    acts: bool
    happened: bool
    assumed: bool


class ProofOut(Schema):
    """What shows that a step was done, undone or left out. Its file: /closing-evidence/{id}/content.

    `file_name` and `sha256` are empty for those who may not do the step.
    """

    id: int
    what: str
    note: str
    reference: str
    facts: dict[str, Any]
    file_name: str
    sha256: str
    at: datetime
    by: str


class StepOut(Schema):
    """`needs`: what a person gives with it; `outcomes`: how it may end; `blocked_by`: steps that come first."""

    id: int
    code: str
    title: str
    what: str
    who: str
    state: str
    due_on: date | None
    rule: str
    outcome: str
    not_before: datetime | None = Field(description="Planned for this quiet moment; done by itself then.")
    asked_at: datetime | None = Field(description="It takes long: the worker does it since then, `parts_done` of `parts` orders so far.")
    parts: int
    parts_done: int
    stopped: str = Field(description="Why it stands still.")
    done_at: datetime | None
    needs: list[str]
    outcomes: list[str]
    blocked_by: list[str]
    can_be_left_out: bool
    can_be_undone: bool
    evidence: list[ProofOut]


class ClosingOut(Schema):
    id: int
    store_id: int
    number: int
    scenario: str
    state: str
    reason: str
    started_at: datetime
    applied_at: datetime | None
    ended_at: datetime | None


class ClosingDetailOut(ClosingOut):
    steps: list[StepOut]
    calendar: list[DayOut]
    open: list[BlockerOut]


class StartIn(Schema):
    """Begun twice it is refused (409): at most one closing goes on in a store."""

    scenario: Scenario = "choice"
    reason: str = Field(min_length=1, max_length=500, description="The application will carry it.")
    wished_on: Day | None = Field(None, description="Refused where law and channel need longer.")
    noticed_on: Day | None = Field(None, description="Day of the platform's notice.")
    effective_on: Day | None = Field(None, description="Day on which a changed rule takes effect.")
    most_rounds: int = Field(1, ge=1, le=5, description="Appeals allowed.")
    violations: list[Annotated[str, Field(max_length=60)]] = Field(
        [], max_length=50, description="The platform's numbers of the violations behind a removal; unknown ones are written down."
    )
    about: About = Field("other", description="What they are about.")
    points: Decimal = Field(Decimal(0), ge=0, lt=100_000, description="Points of each that is not known yet.")
    appeal_until: Day | None = Field(None, description="Last day to appeal, where the letter says one.")


class ReasonIn(Schema):
    reason: str = Field(min_length=1, max_length=500)


class NoteIn(Schema):
    note: str = Field(min_length=1, max_length=1000)


class DoIn(Schema):
    """What a person gives with a step; the step says which of it it `needs`."""

    note: str = Field("", max_length=1000)
    reference: str = Field("", max_length=120, description="The platform's number or letter.")
    outcome: str = Field("", max_length=20)
    amount: AmountOrNothing | None = Field(None, description="Money that was paid, in the store's currency.")
    amounts: list[Annotated[str, Field(pattern=r"^\d{1,13}(\.\d{1,4})? [A-Z]{3}$")]] = Field(
        [], max_length=20, description="Money that was paid in other currencies, each as `120.00 USD`."
    )
    handed_in_at: At | None = Field(
        None, description="Of an appeal that was handed in at the platform already: when. That moment must be in time."
    )


class StatusOut(Schema):
    """The public page of a store; `word` as buyers see it, null while it is switched off."""

    store_id: int
    is_on: bool
    slug: str
    contact: str
    word: str | None
    notice_ends: date | None
    closes_on: date | None
    claims_until: date | None


class StatusIn(Schema):
    is_on: bool
    slug: str = Field("", max_length=60, description="Empty: an address nobody can guess.")
    contact: str = Field("", max_length=160)


class PaperOut(Schema):
    """A paper that proves a step; its bytes: /comeback-papers/{id}/content. `size` in bytes."""

    id: int
    name: str
    media_type: str
    sha256: str
    size: int
    at: datetime


class PaperTakenOut(Schema):
    """A paper that was kept by mistake and taken away; its bytes are gone where nothing else had them."""

    media_type: str
    sha256: str
    size: int
    recorded_at: datetime
    at: datetime


class ComebackOut(Schema):
    id: int
    code: str
    title: str
    due_on: date
    proof: str
    done_at: datetime | None
    papers: list[PaperOut] = Field(description="Listed for owners of the store only.")
    papers_taken_away: list[PaperTakenOut] = Field(description="Newest first; for owners of the store only.")


class ReadmissionOut(Schema):
    """The way back of a store that was closed."""

    id: int
    store_id: int
    closing_id: int
    state: str
    cause: str
    healed: str
    answer: str
    months: int
    started_at: datetime
    ended_at: datetime | None
    steps: list[ComebackOut]


class PlanIn(Schema):
    cause: str = Field(min_length=1, max_length=500, description="What is to be healed.")
    months: int = Field(rules.COMEBACK_MONTHS, ge=1, le=24)


class ProveIn(Schema):
    proof: str = Field(min_length=1, max_length=1000)


class ApplyIn(Schema):
    healed: str = Field(min_length=1, max_length=5000)


class AdmitIn(Schema):
    admitted: bool
    answer: str = Field("", max_length=500)


# --- The life of a store ------------------------------------------------------------------------------------------


def _life(store_id: int) -> dict[str, Any]:
    standing, running = queries.standing_of(store_id), queries.running_closing(store_id)
    return {
        "store_id": store_id,
        "lifecycle": queries.lifecycle(store_id),
        "standing": queries.standing(store_id),
        "standing_since": standing.since if standing else None,
        "standing_reason": queries.why_words(standing.reason) if standing else "",
        "takes_orders": queries.may_take_orders(store_id),
        "closing_id": running.pk if running else None,
        "lives": [{name: getattr(one, name) for name in LifeOut.model_fields} for one in queries.lives_of(store_id)],
    }


@router.get("/stores/{store_id}/life", response={200: StoreLifeOut, **ERRORS})
def life_of_store(request: HttpRequest, store_id: Id):
    """Where a store is in its life, and its standing with the platform."""
    caller(request).require(store_id, "view")
    return _life(store_id)


@router.post("/stores/{store_id}/standing", response={200: StoreLifeOut, **ERRORS})
def set_standing(request: HttpRequest, store_id: Id, given: StandingIn):
    """What the platform told you. A frozen store takes no new orders. The same again changes nothing. Only for owners."""
    who = caller(request)
    who.require(store_id, "own")
    commands.set_standing(store_id=store_id, to=given.standing, reason=given.reason, by=who.by, at=who.at)
    return _life(store_id)


@router.post("/stores/{store_id}/prepare", response={200: StoreLifeOut, **ERRORS})
def prepare_store(request: HttpRequest, store_id: Id):
    """A new store is not open yet: its orders wait until it is opened. Only for owners."""
    who = caller(request)
    who.require(store_id, "own")
    commands.prepare_store(store_id=store_id, by=who.by, at=who.at)
    return _life(store_id)


@router.post("/stores/{store_id}/open", response={200: StoreLifeOut, **ERRORS})
def open_store(request: HttpRequest, store_id: Id):
    """A store that was being prepared begins to sell. Only for owners."""
    who = caller(request)
    who.require(store_id, "own")
    commands.open_store(store_id=store_id, by=who.by, at=who.at)
    return _life(store_id)


# --- Before a closing ---------------------------------------------------------------------------------------------


def _blocker(one: Blocker) -> dict[str, Any]:
    return {
        "code": one.code, "words": said(BLOCKERS[one.code]), "count": one.count, "until": one.until,
        "amount": money(one.amount, one.currency) if one.amount is not None else None,
    }  # fmt: skip


def _days(found: Sequence[rules.Day]) -> list[dict[str, Any]]:
    return [
        {
            "code": one.code, "name": said(rules.DAY_NAMES[one.code]), "words": _(one.words) % dict(one.params), "on": one.on,
            "rule": one.rule_id, "acts": one.acts, "happened": one.happened, "assumed": one.is_assumed,
        }
        for one in found
    ]  # fmt: skip


@router.get("/stores/{store_id}/closing-check", response={200: list[BlockerOut], **ERRORS})
def check_closing(request: HttpRequest, store_id: Id):
    """What is still open in a store: orders, parcels, after-sales, money, appeals. Empty: it could end today."""
    who = caller(request)
    who.require(store_id, "view")
    return [_blocker(one) for one in close_store.pre_check(store_id, at=who.at)]


@router.get("/stores/{store_id}/closing-calendar", response={200: list[DayOut], **ERRORS})
def closing_calendar(request: HttpRequest, store_id: Id, scenario: Annotated[Scenario, Query("choice")] = "choice"):
    """The days of the closing that goes on; or those one of this kind would have if it began now."""
    who = caller(request)
    store = who.store(store_id)
    running = queries.running_closing(store_id)
    if running is not None:
        return _days(queries.days_of(running, at=who.at))
    return _days(queries.days_if_started(store, scenario, at=who.at))


# --- A closing ----------------------------------------------------------------------------------------------------


def _closing(one: Closing) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ClosingOut.model_fields}


def _step(view: queries.StepView, *, reads: bool) -> dict[str, Any]:
    row, step = view.row, view.step
    unread = {} if reads else {"file_name": "", "sha256": ""}
    names = ("id", "code", "state", "due_on", "outcome", "not_before", "asked_at", "parts", "parts_done", "stopped", "done_at")
    return {
        **{name: getattr(row, name) for name in names},
        "title": said(step.title), "what": said(step.what), "who": view.who, "rule": row.rule_id,
        "needs": list(step.evidence), "outcomes": list(step.outcomes), "blocked_by": view.blocked_by,
        "can_be_left_out": step.optional, "can_be_undone": not step.final,
        "evidence": [{name: getattr(one, name) for name in ProofOut.model_fields} | unread for one in view.evidence],
    }  # fmt: skip


def _detail(who: Caller, closing_id: int) -> dict[str, Any]:
    found = queries.closing_of(who.scope, closing_id)
    if found is None:
        raise not_found()
    goes_on = found.state in ("threatened", "running")
    return {
        **_closing(found),
        "steps": [_step(view, reads=who.may(found.store_id, view.step.need)) for view in queries.steps_of(closing_id)],
        "calendar": _days(queries.days_of(found, at=who.at)),
        "open": [_blocker(one) for one in close_store.open_now(found, at=who.at)] if goes_on else [],
    }


@router.get("/closings", response={200: list[ClosingOut], **ERRORS})
def list_closings(request: HttpRequest, store_id: Number = None):
    """All closings of the caller's stores, newest first."""
    return [_closing(one) for one in queries.closings_of(caller(request).seen(store_id))]


@router.post("/stores/{store_id}/closings", response={201: ClosingDetailOut, **ERRORS})
def start_closing(request: HttpRequest, store_id: Id, given: StartIn):
    """Begin a closing: its steps and days are written. By choice the store takes no new orders from now on. Only for owners."""
    who = caller(request)
    who.require(store_id, "own")
    wanted = given.model_dump()
    letter = close_store.Letter(
        tuple(wanted.pop("violations")), wanted.pop("about"), points=wanted.pop("points"), appeal_until=wanted.pop("appeal_until")
    )
    closing = close_store.start(store_id=store_id, **wanted, letter=letter, by=who.by, at=who.at)
    return Status(201, _detail(who, closing.pk))


@router.get("/closings/{closing_id}", response={200: ClosingDetailOut, **ERRORS})
def get_closing(request: HttpRequest, closing_id: Id):
    """One closing: steps with their evidence, the calendar, what is still open."""
    return _detail(caller(request), closing_id)


@router.post("/closings/{closing_id}/withdraw", response={200: ClosingDetailOut, **ERRORS})
def withdraw_closing(request: HttpRequest, closing_id: Id, given: ReasonIn):
    """Take a closing back, before it was applied for: listings and notice return. Only for owners."""
    who = caller(request)
    found = queries.closing_of(who.scope, closing_id)
    who.require(-1 if found is None else found.store_id, "own")
    close_store.withdraw(closing_id, reason=given.reason, by=who.by, at=who.at)
    return _detail(who, closing_id)


def _owned_step(who: Caller, step_id: int) -> ClosingStep:
    found = queries.step_of(who.scope, step_id)
    if found is None or found.code not in steps.BY_CODE:
        raise not_found()
    who.require(found.closing.store_id, steps.BY_CODE[found.code].need)
    return found


@router.post("/closing-steps/{step_id}/do", response={200: ClosingDetailOut, **ERRORS})
def do_step(request: HttpRequest, step_id: Id, given: Form[DoIn], document: UploadedFile | None = File(None)):
    """Do a step: its check is asked, daifa does its part, the evidence is kept. A form, with a document where there is one.

    Shredding takes long: it is asked for (`asked_at`) and ends by itself.
    """
    who = caller(request)
    row = _owned_step(who, step_id)
    file = contents_of([document], commands.MOST_FILE)[0] if document else None
    wanted = given.model_dump()
    amounts = {currency: Decimal(number) for number, currency in (one.split() for one in wanted.pop("amounts"))}
    close_store.ask_step(row.pk, close_store.Given(**wanted, file=file, amounts=amounts), by=who.by, at=who.at)
    return _detail(who, row.closing_id)


@router.post("/closing-steps/{step_id}/undo", response={200: ClosingDetailOut, **ERRORS})
def undo_step(request: HttpRequest, step_id: Id, given: NoteIn):
    """Take a step back, where it can be; what it did is undone and the evidence of both stays."""
    who = caller(request)
    row = _owned_step(who, step_id)
    close_store.undo_step(row.pk, note=given.note, by=who.by, at=who.at)
    return _detail(who, row.closing_id)


@router.post("/closing-steps/{step_id}/leave-out", response={200: ClosingDetailOut, **ERRORS})
def leave_out_step(request: HttpRequest, step_id: Id, given: NoteIn):
    """Say that an optional step is not needed, and why."""
    who = caller(request)
    row = _owned_step(who, step_id)
    close_store.leave_out(row.pk, note=given.note, by=who.by, at=who.at)
    return _detail(who, row.closing_id)


@router.get(
    "/closing-evidence/{evidence_id}/content", response={200: None, **ERRORS}, openapi_extra=a_file("The document.")
)
def get_closing_evidence(request: HttpRequest, evidence_id: Id):
    """A file that proves a step, for those who may do the step."""
    who = caller(request)
    found = queries.evidence_of(who.scope, evidence_id)
    if found is None or not found.sha256 or found.step.code not in steps.BY_CODE:
        raise not_found()
    who.require(found.step.closing.store_id, steps.BY_CODE[found.step.code].need)
    return file_answer(close_store.file_of(found.sha256), found.file_name, "application/octet-stream")


# --- The public page ----------------------------------------------------------------------------------------------


def _status(store_id: int, at: datetime) -> dict[str, Any]:
    kept = queries.status_page(store_id)
    shown = queries.public_status(kept.slug, at=at) if kept and kept.is_on else None
    return {
        "store_id": store_id, "is_on": bool(kept and kept.is_on), "slug": kept.slug if kept else "",
        "contact": kept.contact if kept else "", "word": shown.word if shown else None,
        **{name: getattr(shown, name) if shown else None for name in ("notice_ends", "closes_on", "claims_until")},
    }  # fmt: skip


@router.get("/stores/{store_id}/status-page", response={200: StatusOut, **ERRORS})
def get_status_page(request: HttpRequest, store_id: Id):
    """The public page of a store. Without a login buyers read /status/{slug}/, programs /status/{slug}.json."""
    who = caller(request)
    who.require(store_id, "view")
    return _status(store_id, who.at)


@router.post("/stores/{store_id}/status-page", response={200: StatusOut, **ERRORS})
def set_status_page(request: HttpRequest, store_id: Id, given: StatusIn):
    """Switch the public page on or off, with its address and where buyers turn to. Only for owners."""
    who = caller(request)
    who.require(store_id, "own")
    commands.set_status_page(store_id=store_id, **given.model_dump(), by=who.by, at=who.at)
    return _status(store_id, who.at)


# --- Coming back --------------------------------------------------------------------------------------------------

_COMEBACK = {step.code: step for step in steps.COMEBACK}


def _readmission(who: Caller, one: Readmission) -> dict[str, Any]:
    names = [name for name in ReadmissionOut.model_fields if name != "steps"]
    owns = who.may(one.store_id, "own")
    papers, taken = (queries.papers_of(one.pk), queries.papers_taken_away(one.pk)) if owns else ([], [])
    return {
        **{name: getattr(one, name) for name in names},
        "steps": [
            {
                "id": row.pk, "code": row.code, "title": said(_COMEBACK[row.code].title), "due_on": row.due_on,
                "proof": row.proof, "done_at": row.done_at,
                "papers": [{name: getattr(paper, name) for name in PaperOut.model_fields} for paper in papers if paper.step_id == row.pk],
                "papers_taken_away": [{name: getattr(paper, name) for name in PaperTakenOut.model_fields} for paper in taken if paper.step_id == row.pk],
            }
            for row in queries.plan_of(one.pk)
        ],
    }  # fmt: skip


def _again(who: Caller, readmission_id: int) -> dict[str, Any]:
    return _readmission(who, Readmission.objects.get(pk=readmission_id))


def _owned_readmission(who: Caller, readmission_id: int) -> None:
    found = queries.readmission_of(who.scope, readmission_id)
    who.require(-1 if found is None else found.store_id, "own")


def _owned_comeback(who: Caller, comeback_id: int) -> ComebackStep:
    row = ComebackStep.objects.filter(pk=comeback_id).first()
    if row is None:
        raise not_found()
    _owned_readmission(who, row.readmission_id)
    return row


@router.get("/readmissions", response={200: list[ReadmissionOut], **ERRORS})
def list_readmissions(request: HttpRequest, store_id: Number = None):
    """Ways back of the caller's stores, newest first, with their plans."""
    who = caller(request)
    return [_readmission(who, one) for one in queries.readmissions_of(who.seen(store_id))]


@router.post("/closings/{closing_id}/readmission", response={201: ReadmissionOut, **ERRORS})
def plan_readmission(request: HttpRequest, closing_id: Id, given: PlanIn):
    """Plan the way back of a store that was closed: what is to be healed, over so many months. Only for owners."""
    who = caller(request)
    found = queries.closing_of(who.scope, closing_id)
    who.require(-1 if found is None else found.store_id, "own")
    made = commands.plan_readmission(closing_id=closing_id, **given.model_dump(), by=who.by, at=who.at)
    return Status(201, _again(who, made.pk))


@router.post("/comeback-steps/{comeback_id}/prove", response={200: ReadmissionOut, **ERRORS})
def prove_comeback_step(request: HttpRequest, comeback_id: Id, given: ProveIn):
    """A step of the plan was done; `proof` says what shows it. Papers that show it go to `…/papers`."""
    who = caller(request)
    row = _owned_comeback(who, comeback_id)
    commands.prove_comeback_step(step_id=comeback_id, proof=given.proof, by=who.by, at=who.at)
    return _again(who, row.readmission_id)


@router.post("/comeback-steps/{comeback_id}/papers", response={200: ReadmissionOut, **ERRORS})
def add_comeback_papers(request: HttpRequest, comeback_id: Id, papers: File[list[UploadedFile]]):
    """Put papers and pictures beside the proof of a step (PDF, picture, DOCX, XLSX; 20 MB each). The same one twice is one."""
    who = caller(request)
    row = _owned_comeback(who, comeback_id)
    commands.add_comeback_papers(step_id=comeback_id, papers=contents_of(papers, commands.MOST_FILE), by=who.by, at=who.at)
    return _again(who, row.readmission_id)


@router.get("/comeback-papers/{comeback_paper_id}/content", response={200: None, **ERRORS}, openapi_extra=a_file("The paper."))
def get_comeback_paper(request: HttpRequest, comeback_paper_id: Id):
    """The bytes of a paper that proves a step. Only for owners."""
    who = caller(request)
    found = queries.paper_of(who.scope, comeback_paper_id)
    who.require(-1 if found is None else found.step.readmission.store_id, "own")
    return file_answer(close_store.file_of(found.sha256), found.name, "application/octet-stream")


@router.post("/comeback-papers/{comeback_paper_id}/take-away", response={200: ReadmissionOut, **ERRORS})
def take_comeback_paper_away(request: HttpRequest, comeback_paper_id: Id):
    """A paper that was kept by mistake goes while the plan is worked on; that it was there stays written down. Only for owners."""
    who = caller(request)
    found = queries.paper_of(who.scope, comeback_paper_id)
    who.require(-1 if found is None else found.step.readmission.store_id, "own")
    commands.take_papers_away(paper_ids=[comeback_paper_id], by=who.by, at=who.at)
    return _again(who, found.step.readmission_id)


@router.get(
    "/readmissions/{readmission_id}/content", response={200: None, **ERRORS}, openapi_extra=a_file("The file.", "application/zip")
)
def get_readmission_file(request: HttpRequest, readmission_id: Id):
    """The plan with its proofs and papers in one ZIP. Only for owners."""
    who = caller(request)
    _owned_readmission(who, readmission_id)
    content = close_store.export_readmission(queries.readmission_of(who.scope, readmission_id))
    return HttpResponse(content, content_type="application/zip", headers={"Content-Disposition": 'attachment; filename="readmission.zip"'})


@router.post("/readmissions/{readmission_id}/apply", response={200: ReadmissionOut, **ERRORS})
def apply_for_readmission(request: HttpRequest, readmission_id: Id, given: ApplyIn):
    """Ask the platform to come back, once every step is proved."""
    who = caller(request)
    _owned_readmission(who, readmission_id)
    commands.apply_for_readmission(readmission_id=readmission_id, healed=given.healed, by=who.by, at=who.at)
    return _again(who, readmission_id)


@router.post("/readmissions/{readmission_id}/answer", response={200: ReadmissionOut, **ERRORS})
def answer_readmission(request: HttpRequest, readmission_id: Id, given: AdmitIn):
    """The platform's answer. Admitted: a new life begins, being prepared, and the books open again."""
    who = caller(request)
    _owned_readmission(who, readmission_id)
    close_store.readmit(readmission_id=readmission_id, **given.model_dump(), by=who.by, at=who.at)
    return _again(who, readmission_id)


@router.post("/readmissions/{readmission_id}/give-up", response={200: ReadmissionOut, **ERRORS})
def give_up_readmission(request: HttpRequest, readmission_id: Id, given: ReasonIn):
    """The plan to come back is dropped."""
    who = caller(request)
    _owned_readmission(who, readmission_id)
    commands.give_up_readmission(readmission_id=readmission_id, reason=given.reason, by=who.by, at=who.at)
    return _again(who, readmission_id)
