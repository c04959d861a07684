"""Agreements with suppliers: what lets a supplier ship for a store, and what is still missing before he may."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from django.db.models import Q
from django.http import HttpRequest
from ninja import Field, File, Router, Schema, Status
from ninja.files import UploadedFile

from daifa.api.caller import Caller, caller
from daifa.api.errors import ERRORS, not_found
from daifa.api.shapes import (
    After,
    Day,
    Done,
    Id,
    Limit,
    Number,
    Page,
    a_file,
    contents_of,
    cursor_of,
    file_answer,
    page_of,
)
from daifa.domain.sourcing import commands, queries
from daifa.domain.sourcing.models import Agreement
from daifa.flows import put_right
from daifa.lib import keeping

router = Router(tags=["agreements"])
NEWEST = ("-id",)
Payer = Literal[("", *(code for code, _words in Agreement.PAYERS))]


class PaperOut(Schema):
    """A signed paper; its bytes are under /agreements/{agreement_id}/papers/{id}."""

    id: int
    name: str
    media_type: str
    sha256: str
    size: int
    by: str
    at: datetime


class TermsIn(Schema):
    """What was agreed. A channel's rules say which of it a store there needs: see /suppliers/{id}/may-serve/{store}."""

    valid_from: Day
    valid_until: Day | None = Field(None, description="Null: until it is ended.")
    is_authorised: bool = Field(False, description="He is authorised to ship for us.")
    neutral_packing: bool = True
    no_cards: bool = Field(False, description="No cards or leaflets in the parcel.")
    platform_waybill: bool = Field(False, description="He ships with the platform's own e-waybill.")
    stock_secured: bool = Field(False, description="The goods are bought or reserved for us.")
    ships_from: str = Field("", max_length=120)
    returns_to: str = Field("", max_length=300)
    returns_paid_by: Payer = ""
    claim_days: int | None = Field(None, ge=0, le=3650)
    entrusted_on: Day | None = Field(None, description="When the entrustment of personal data was signed.")
    note: str = Field("", max_length=2000)
    remind_days: int = Field(30, ge=0, le=365)


class AgreementIn(TermsIn):
    valid_from: Day | None = Field(None, description="Null: from today on the store's clock; of all own stores where the day begins last.")
    supplier_id: Id
    store_id: Id | None = Field(None, description="Null: all own stores; a store on a marketplace has to be named.")


class AgreementOut(Schema):
    id: int
    supplier_id: int
    store_id: int | None
    valid_from: date
    valid_until: date | None
    is_authorised: bool
    neutral_packing: bool
    no_cards: bool
    platform_waybill: bool
    stock_secured: bool
    ships_from: str
    returns_to: str
    returns_paid_by: str
    claim_days: int | None
    entrusted_on: date | None
    note: str
    remind_days: int
    recorded_by: str
    recorded_at: datetime


class AgreementDetailOut(AgreementOut):
    papers: list[PaperOut]


class EndIn(Schema):
    last_day: Day


class MayServeOut(Schema):
    """Whether buyers' addresses of a store may go to a supplier today; `missing`: terms the agreement lacks."""

    may: bool
    code: str
    sentence: str
    missing: list[str]


def _row(one: Agreement) -> dict[str, Any]:
    return {name: getattr(one, name) for name in AgreementOut.model_fields}


def _out(one: Agreement) -> dict[str, Any]:
    return {**_row(one), "papers": queries.documents_of(one.pk)}


def _visible(who: Caller, agreement_id: int) -> Agreement:
    """An agreement about a store she may see, or about all of them."""
    found = Agreement.objects.filter(pk=agreement_id).first()
    if found is None:
        raise not_found()
    if found.store_id is None:
        who.require_some()
    else:
        who.require(found.store_id, "view")
    return found


def _workable(who: Caller, agreement_id: int) -> Agreement:
    found = _visible(who, agreement_id)
    who.require(found.store_id, "operate")
    return found


@router.get("/agreements", response={200: Page[AgreementOut], **ERRORS})
def list_agreements(
    request: HttpRequest, supplier_id: Number = None, store_id: Number = None, after: After = None, limit: Limit = 50
):
    """Agreements, newest first: those that name one of the caller's stores, and those for all own stores."""
    who = caller(request)
    who.require_some()
    found = Agreement.objects.filter(Q(store_id=None) | Q(store_id__in=who.scope))
    if supplier_id is not None:
        found = found.filter(supplier_id=supplier_id)
    if store_id is not None:
        found = found.filter(store_id=store_id)
    cursor = cursor_of(NEWEST, ("id",), after)
    return page_of(cursor.slice(found, limit + 1), limit, cursor, _row)


@router.post("/agreements", response={201: AgreementDetailOut, **ERRORS})
def record_agreement(request: HttpRequest, given: AgreementIn):
    """Record that a supplier ships for a store; orders that were held for want of it are routed again."""
    who = caller(request)
    who.require(given.store_id, "operate")
    if queries.supplier_with_id(given.supplier_id) is None:
        raise not_found()
    made, _routed = put_right.record_agreement(**given.model_dump(), by=who.by, at=who.at)
    return Status(201, _out(made))


@router.get("/agreements/{agreement_id}", response={200: AgreementDetailOut, **ERRORS})
def get_agreement(request: HttpRequest, agreement_id: Id):
    """One agreement with its papers."""
    return _out(_visible(caller(request), agreement_id))


@router.post("/agreements/{agreement_id}", response={200: AgreementDetailOut, **ERRORS})
def edit_agreement(request: HttpRequest, agreement_id: Id, given: TermsIn):
    """Change what was agreed; what it said before stays in its history."""
    who = caller(request)
    _workable(who, agreement_id)
    changed, _routed = put_right.edit_agreement(agreement_id=agreement_id, **given.model_dump(), by=who.by, at=who.at)
    return _out(changed)


@router.post("/agreements/{agreement_id}/end", response={200: AgreementDetailOut, **ERRORS})
def end_agreement(request: HttpRequest, agreement_id: Id, given: EndIn):
    """It holds until its last day; a day before it began means never. What is placed already goes on."""
    who = caller(request)
    _workable(who, agreement_id)
    return _out(
        commands.end_agreement(agreement_id=agreement_id, last_day=given.last_day, by=who.by, at=who.at)
    )


@router.post("/agreements/{agreement_id}/papers", response={200: Done, **ERRORS})
def add_papers(request: HttpRequest, agreement_id: Id, papers: File[list[UploadedFile]]):
    """Keep signed papers with an agreement (PDF, picture, DOCX, XLSX; 20 MB each). The same paper twice is one."""
    who = caller(request)
    _workable(who, agreement_id)
    kept, refused = commands.add_documents(
        agreement_id=agreement_id, files=contents_of(papers, commands.MOST_DOCUMENT), by=who.by, at=who.at
    )
    return {"done": [one.pk for one in kept], "refused": refused}


@router.get(
    "/agreements/{agreement_id}/papers/{paper_id}", response={200: None, **ERRORS}, openapi_extra=a_file("The paper.")
)
def get_paper(request: HttpRequest, agreement_id: Id, paper_id: Id):
    """The bytes of a signed paper."""
    _visible(caller(request), agreement_id)
    found = next((one for one in queries.documents_of(agreement_id) if one.pk == paper_id), None)
    if found is None:
        raise not_found()
    return file_answer(keeping.path_of(commands.DOCUMENT_FOLDER, found.sha256), found.name, found.media_type)


@router.get("/suppliers/{supplier_id}/may-serve/{store_id}", response={200: MayServeOut, **ERRORS})
def may_serve(request: HttpRequest, supplier_id: Id, store_id: Id):
    """May this supplier ship for this store today? What routing asks, with the sentence an order is held with."""
    who = caller(request)
    who.require(store_id, "view")
    if queries.supplier_with_id(supplier_id) is None:
        raise not_found()
    refusal = queries.refusals([(store_id, supplier_id)], at=who.at).get((store_id, supplier_id))
    return {
        "may": not refusal, "code": str(refusal or ""), "sentence": refusal.sentence if refusal else "",
        "missing": list(refusal.missing) if refusal else [],
    }  # fmt: skip
