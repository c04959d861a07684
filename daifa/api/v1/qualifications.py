"""The register of licences: by store and category, with documents and dates; which ones are missing before publishing."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status

from daifa.api.caller import Caller, caller
from daifa.api.errors import ERRORS, not_found
from daifa.api.shapes import After, Day, Id, Limit, Number, Page, cursor_of, page_of
from daifa.api.v1.case_files import FileOut, file_out
from daifa.domain.cases import commands, queries
from daifa.domain.cases.models import Qualification
from daifa.domain.cases.process import QUALIFICATIONS

router = Router(tags=["qualifications"])
Kind = Literal[tuple(QUALIFICATIONS)]


class QualificationOut(Schema):
    """A licence as on its document; `category` empty: for the store as a whole; `valid_until` null: without an end."""

    id: int
    store_id: int
    category: str
    kind: str
    number: str
    holder: str
    note: str
    valid_from: date
    valid_until: date | None
    withdrawn_on: date | None
    by: str
    at: datetime


class QualificationDetailOut(QualificationOut):
    files: list[FileOut] = Field(description="For owners and operators.")


class QualificationIn(Schema):
    """The same kind, category and number again is a renewal and takes the new dates."""

    store_id: Id
    kind: Kind
    number: str = Field(min_length=1, max_length=80)
    category: str = Field("", max_length=120)
    holder: str = Field("", max_length=160)
    valid_from: Day
    valid_until: Day | None = None
    note: str = Field("", max_length=300)


class WithdrawIn(Schema):
    on: Day = Field(description="From that day on it does not count.")


class MissingOut(Schema):
    """A licence goods of a category need; any of `kinds` will do. `blocks`: publishing waits for it."""

    kinds: list[str]
    category: str
    source: str
    blocks: bool
    ended_on: date | None


def _detail(who: Caller, qualification_id: int) -> dict[str, Any]:
    found = queries.qualification_detail(who.scope, qualification_id)
    if found is None:
        raise not_found()
    knows = who.knows_buyers(found["store_id"])
    return {**found, "files": [file_out(one) for one in found["files"]] if knows else []}


@router.get("/qualifications", response={200: Page[QualificationOut], **ERRORS})
def list_qualifications(
    request: HttpRequest, kind: Kind | None = None, store_id: Number = None, after: After = None, limit: Limit = 50
):
    """Licences, newest first."""
    cursor = cursor_of(queries.NEWEST, ("id",), after)
    rows = queries.qualification_page(caller(request).seen(store_id), kind=kind, cursor=cursor, limit=limit + 1)
    return page_of(rows, limit, cursor, lambda row: row)


@router.post("/qualifications", response={201: QualificationDetailOut, **ERRORS})
def add_qualification(request: HttpRequest, given: QualificationIn):
    """Enter a licence, or renew it. Its documents: /case-files/qualification/{id}."""
    who = caller(request)
    store = who.store(given.store_id, "operate")
    made = commands.add_qualification(store=store, **given.model_dump(exclude={"store_id"}), by=who.by, at=who.at)
    return Status(201, _detail(who, made.pk))


@router.get("/stores/{store_id}/missing-qualifications", response={200: list[MissingOut], **ERRORS})
def missing_qualifications(
    request: HttpRequest, store_id: Id, category: Annotated[str, Query(min_length=1, max_length=120)]
):
    """Licences that goods of a category need in this store today and it does not have. Empty: publish."""
    who = caller(request)
    who.require(store_id, "view")
    return [
        {**one._asdict(), "kinds": list(one.kinds)}
        for one in queries.missing_qualifications(store_id, category, who.at.date())
    ]


@router.get("/qualifications/{qualification_id}", response={200: QualificationDetailOut, **ERRORS})
def get_qualification(request: HttpRequest, qualification_id: Id):
    """One licence with its documents."""
    return _detail(caller(request), qualification_id)


@router.post("/qualifications/{qualification_id}/withdraw", response={200: QualificationDetailOut, **ERRORS})
def withdraw_qualification(request: HttpRequest, qualification_id: Id, given: WithdrawIn):
    """It does not count from that day on."""
    who = caller(request)
    store = Qualification.objects.filter(pk=qualification_id).values_list("store_id", flat=True).first()
    who.require(-1 if store is None else store, "operate")
    commands.withdraw_qualification(qualification_id=qualification_id, on=given.on, by=who.by, at=who.at)
    return _detail(who, qualification_id)
