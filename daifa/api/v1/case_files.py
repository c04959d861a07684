"""Photos and papers of cases, for those who may see buyers; and the shapes every case shares."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, File, Router, Schema
from ninja.files import UploadedFile

from daifa.api.caller import caller
from daifa.api.errors import ERRORS, not_found
from daifa.api.shapes import Done, Id, a_file, contents_of, file_answer
from daifa.domain.cases import commands, queries
from daifa.domain.cases.files import MAX_BYTES, path_of
from daifa.domain.cases.models import Appeal, Complaint, Infringement, ListingRight, Qualification, Violation
from daifa.domain.cases.process import EVIDENCE_PACK

router = Router(tags=["case files"])

OWNERS: dict[str, tuple[Any, str]] = {
    "violation": (Violation, "store_id"),
    "appeal": (Appeal, "violation__store_id"),
    "complaint": (Complaint, "store_id"),
    "infringement": (Infringement, "store_id"),
    "listing_right": (ListingRight, "listing__store_id"),
    "qualification": (Qualification, "store_id"),
}
"""What a file can belong to: its rows, and where their store stands."""
Owner = Literal[tuple(OWNERS)]
PackState = Literal[tuple(EVIDENCE_PACK.table)]


class FileOut(Schema):
    """A photo or paper of a case; its bytes are under /case-files/{id}."""

    id: int
    thing_kind: str
    thing: int
    name: str
    media_type: str
    sha256: str
    size: int
    note: str
    by: str
    at: datetime


class PackOut(Schema):
    """An evidence pack; its bytes are under /evidence/{id}/file once its state is `made`."""

    id: int
    store_id: int
    case_kind: str
    case: int
    orders: list[int]
    state: PackState = Field(description="`gathering`: photos are read first, some seconds each; `failed`: `sentence` says why.")
    sentence: str
    photos: int
    photos_done: int
    name: str
    sha256: str
    size: int
    language: str
    revealed: bool
    erased_at: datetime | None
    by: str
    at: datetime = Field(description="When it was asked for.")
    made_at: datetime | None


def file_out(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in FileOut.model_fields}


def pack_out(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in PackOut.model_fields}


@router.post("/case-files/{kind}/{thing_id}", response={200: Done, **ERRORS})
def add_case_files(request: HttpRequest, kind: Owner, thing_id: Id, files: File[list[UploadedFile]]):
    """Add photos and papers to a case (JPEG, PNG, WebP, GIF, PDF; to a complaint pictures only).

    `done`: ids of the files kept; `refused`: a sentence for each that is not what it says. The same file twice is one.
    """
    who = caller(request)
    model, column = OWNERS[kind]
    store = model.objects.filter(pk=thing_id).values_list(column, flat=True).first()
    who.require(-1 if store is None else store, "operate")
    kept, refused = commands.attach_files(
        contents_of(files, MAX_BYTES), store_id=store, thing_kind=kind, thing=thing_id, by=who.by, at=who.at
    )
    return {"done": kept, "refused": refused}


@router.get("/case-files/{file_id}", response={200: None, **ERRORS}, openapi_extra=a_file("The photo or paper."))
def get_case_file(request: HttpRequest, file_id: Id):
    """The bytes of a photo or paper, for owners and operators of its store."""
    who = caller(request)
    found = queries.case_file(who.scope, file_id)
    if found is None:
        raise not_found()
    who.require(found.store_id, "operate")
    return file_answer(path_of(found.sha256), found.name, found.media_type)
