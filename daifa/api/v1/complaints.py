"""Complaint cases: what buyers complain about, with their photos, from arrival to an outcome."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from daifa.api.caller import Caller, caller
from daifa.api.errors import ERRORS, Problem, not_found
from daifa.api.shapes import After, At, Done, Id, Limit, Number, Page, Words, cursor_of, page_of
from daifa.api.v1.case_files import FileOut, PackOut, file_out, pack_out
from daifa.domain.cases import commands, queries
from daifa.domain.cases.models import Complaint
from daifa.domain.cases.process import COMPLAINT, COMPLAINT_KINDS, OUTCOMES

router = Router(tags=["complaints"])
State = Literal[tuple(COMPLAINT.table)]
Kind = Literal[tuple(COMPLAINT_KINDS)]
Outcome = Literal[tuple(OUTCOMES)]


class ComplaintOut(Schema):
    """`finding`: what a look at the parcel showed (clean, breach; empty: nobody looked)."""

    id: int
    store_id: int
    reference: str
    order_id: int | None
    order_number: str | None
    kind: str
    state: str
    finding: str
    outcome: str
    opened_at: datetime
    due_at: datetime | None
    ended_at: datetime | None


class ComplaintDetailOut(ComplaintOut):
    """Texts and files only for owners and operators."""

    text: str = Field(description="In the buyer's words.")
    answer: str
    aftersale_case_id: int | None
    rule: str = Field(description="From which `due_at` comes.")
    next: list[str] = Field(description="Where it may go from here.")
    files: list[FileOut]
    packs: list[PackOut]


class ComplaintIn(Schema):
    """`reference` of the platform: the same one is taken once. Left empty it gets one of ours, and a repeat is a new case."""

    store_id: Id
    kind: Kind
    text: str = Field("", max_length=20_000)
    opened_at: At
    reference: str = Field("", max_length=80)
    order: str = Field("", max_length=80, description="Order number.")
    aftersale_case: Id | None = None
    due_at: At | None = None


class AnswerIn(Schema):
    answer: str = Field(min_length=1, max_length=20_000)


class EscalateIn(Schema):
    due_at: At | None = Field(None, description="As the platform says.")


class SettleIn(Schema):
    outcome: Outcome


class FindingIn(Schema):
    finding: Literal["clean", "breach"]


class CloseIn(Schema):
    complaint_ids: list[Id] = Field(min_length=1, max_length=1000)


def _detail(who: Caller, complaint_id: int) -> dict[str, Any]:
    found = queries.complaint_detail(who.scope, complaint_id)
    if found is None:
        raise not_found()
    row = found.complaint
    knows = who.knows_buyers(row["store_id"])
    return {
        **row,
        "text": row["text"] if knows else "",
        "answer": row["answer"] if knows else "",
        "next": list(COMPLAINT.next(row["state"])),
        "files": [file_out(one) for one in found.files] if knows else [],
        "packs": [pack_out(one) for one in found.packs] if knows else [],
    }


def _operated(who: Caller, complaint_ids: list[int]) -> None:
    stores = dict(Complaint.objects.filter(pk__in=complaint_ids).values_list("pk", "store_id"))
    for complaint in complaint_ids:
        who.require(stores.get(complaint, -1), "operate")


@router.get("/complaints", response={200: Page[ComplaintOut], **ERRORS})
def list_complaints(
    request: HttpRequest,
    state: State | None = None,
    kind: Kind | None = None,
    store_id: Number = None,
    order_id: Number = None,
    q: Words = None,
    after: After = None,
    limit: Limit = 50,
):
    """Complaints, newest first. `state` "open": without an outcome. `q`: reference or order number, or its beginning."""
    cursor = cursor_of(queries.NEWEST, ("id",), after)
    rows = queries.complaint_page(
        caller(request).seen(store_id), state=state, kind=kind, q=q, order_id=order_id, cursor=cursor, limit=limit + 1
    )
    return page_of(rows, limit, cursor, lambda row: row)


@router.post("/complaints", response={200: ComplaintDetailOut, 201: ComplaintDetailOut, **ERRORS})
def open_complaint(request: HttpRequest, given: ComplaintIn):
    """Open a complaint: 201. A reference that is known answers 200 with what is there. Photos: /case-files/complaint/{id}."""
    who = caller(request)
    store = who.store(given.store_id, "operate")
    taken = commands.open_complaints(
        [commands.NewComplaint(**given.model_dump(exclude={"store_id"}))], store=store, source=who.by, by=who.by, at=who.at
    )
    if taken.refused:
        raise Problem(409, taken.refused[0].code, taken.refused[0].sentence())
    if taken.added:
        return Status(201, _detail(who, taken.added[0]))
    known = Complaint.objects.values_list("pk", flat=True).get(store=store, reference=given.reference.strip())
    return Status(200, _detail(who, known))


@router.post("/complaints/close", response={200: Done, **ERRORS})
def close_complaints(request: HttpRequest, given: CloseIn):
    """Put settled complaints away; those still open are not in `done`."""
    who = caller(request)
    _operated(who, given.complaint_ids)
    return {"done": commands.close_complaints(given.complaint_ids, by=who.by, at=who.at)}


@router.get("/complaints/{complaint_id}", response={200: ComplaintDetailOut, **ERRORS})
def get_complaint(request: HttpRequest, complaint_id: Id):
    """One complaint with its text, photos and packs."""
    return _detail(caller(request), complaint_id)


@router.post("/complaints/{complaint_id}/answer", response={200: ComplaintDetailOut, **ERRORS})
def answer_complaint(request: HttpRequest, complaint_id: Id, given: AnswerIn):
    """Keep what was answered where the buyer wrote. It is not sent from here."""
    who = caller(request)
    _operated(who, [complaint_id])
    commands.answer_complaint(complaint_id=complaint_id, answer=given.answer, by=who.by, at=who.at)
    return _detail(who, complaint_id)


@router.post("/complaints/{complaint_id}/escalate", response={200: ComplaintDetailOut, **ERRORS})
def escalate_complaint(request: HttpRequest, complaint_id: Id, given: EscalateIn):
    """The platform steps in: it has to be answered again."""
    who = caller(request)
    _operated(who, [complaint_id])
    commands.escalate_complaint(complaint_id=complaint_id, due_at=given.due_at, by=who.by, at=who.at)
    return _detail(who, complaint_id)


@router.post("/complaints/{complaint_id}/settle", response={200: ComplaintDetailOut, **ERRORS})
def settle_complaint(request: HttpRequest, complaint_id: Id, given: SettleIn):
    """How it ended."""
    who = caller(request)
    _operated(who, [complaint_id])
    commands.settle_complaint(complaint_id=complaint_id, outcome=given.outcome, by=who.by, at=who.at)
    return _detail(who, complaint_id)


@router.post("/complaints/{complaint_id}/finding", response={200: ComplaintDetailOut, **ERRORS})
def note_finding(request: HttpRequest, complaint_id: Id, given: FindingIn):
    """What a person saw on the photos: something foreign in the parcel, or nothing."""
    who = caller(request)
    _operated(who, [complaint_id])
    commands.note_findings({complaint_id: (given.finding, {"hand": True})}, by=who.by, at=who.at)
    return _detail(who, complaint_id)
