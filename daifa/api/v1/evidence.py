"""Evidence packs: what a case needs in one PDF and a ZIP with the hash of every file. For owners and operators."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Field, Router, Schema, Status

from daifa.api.caller import caller
from daifa.api.errors import ERRORS, Problem, not_found
from daifa.api.shapes import After, Id, Limit, Number, Page, a_file, cursor_of, file_answer, page_of
from daifa.api.v1.case_files import PackOut, pack_out
from daifa.domain.cases import commands, files, queries
from daifa.domain.orders.queries import order_named

router = Router(tags=["evidence"])
CaseKind = Literal["violation", "complaint", "infringement"]


class PackedFileOut(Schema):
    name: str
    sha256: str
    size: int
    what: str


class PackDetailOut(PackOut):
    reason: str = Field(description="Why buyers' data stand in it unmasked; empty where they do not.")
    left_out: list[str]
    contents: list[PackedFileOut]
    lacks: list[str] = Field([], description="What would make the case stronger; it does not stand in the pack.")


class PackIn(Schema):
    """For a case, for orders, or both. Buyers are masked unless `reveal` says for which reason the case needs them."""

    store_id: Id
    case_kind: CaseKind | None = None
    case_id: Id | None = None
    orders: list[str] = Field([], max_length=50, description="Order numbers.")
    language: Literal["zh-hans", "en"] = "zh-hans"
    reveal: str = Field("", max_length=300)
    costs: bool = Field(False, description="Show what was paid to suppliers.")


def _detail(found: Any) -> dict[str, Any]:
    return {
        **{name: getattr(found, name) for name in PackOut.model_fields},
        "reason": found.reason if found.revealed else "",
        "left_out": found.left_out,
        "contents": [
            {"name": name, "sha256": sha256, "size": size, "what": what} for name, sha256, size, what in found.contents
        ],
        "lacks": found.gaps,
    }


@router.get("/evidence", response={200: Page[PackOut], **ERRORS})
def list_packs(request: HttpRequest, store_id: Number = None, after: After = None, limit: Limit = 50):
    """Evidence packs, newest first."""
    cursor = cursor_of(queries.NEWEST, ("id",), after)
    rows = queries.pack_page(caller(request).stores_for("operate", store_id), cursor=cursor, limit=limit + 1)
    return page_of(rows, limit, cursor, pack_out)


@router.post("/evidence", response={201: PackDetailOut, **ERRORS})
def make_pack(request: HttpRequest, given: PackIn):
    """Gather order, agreement, purchase, waybill trail, messages, photos and the rules as they read then. Takes seconds.

    Where photos have to be read first it answers 201 with the state `gathering`; ask /evidence/{id} until it is `made`.
    """
    from daifa.flows.gather_evidence import ask_for_evidence

    who = caller(request)
    who.require(given.store_id, "operate")
    if (given.case_kind is None) != (given.case_id is None):
        raise Problem(422, "case_incomplete", _("Give the kind of the case and its number, or neither."), "case_id")
    ids: list[int] = []
    for number in given.orders:
        found = order_named([given.store_id], number)
        if not found:
            raise Problem(409, "no_order", _("This store has no order %(number)s.") % {"number": number}, "orders")
        ids += found
    done = ask_for_evidence(
        store_id=given.store_id, order_ids=ids, case_kind=given.case_kind or "", case=given.case_id or 0,
        language=given.language, reveal=bool(given.reveal.strip()), reason=given.reveal.strip(), costs=given.costs,
        by=who.by, at=who.at,
    )  # fmt: skip
    return Status(201, _detail(done.pack))


@router.get("/evidence/{pack_id}", response={200: PackDetailOut, **ERRORS})
def get_pack(request: HttpRequest, pack_id: Id):
    """One pack: what is in it, under which hash."""
    who = caller(request)
    found = queries.pack(who.scope, pack_id)
    if found is None:
        raise not_found()
    who.require(found.store_id, "operate")
    return _detail(found)


@router.post("/evidence/{pack_id}/again", response={200: PackDetailOut, **ERRORS})
def ask_pack_again(request: HttpRequest, pack_id: Id):
    """Ask again for a pack that could not be made; 409 for any other."""
    who = caller(request)
    found = queries.pack(who.scope, pack_id)
    if found is None:
        raise not_found()
    who.require(found.store_id, "operate")
    return _detail(commands.ask_pack_again(pack_id, by=who.by, at=who.at))


@router.get(
    "/evidence/{pack_id}/file", response={200: None, **ERRORS}, openapi_extra=a_file("The ZIP.", "application/zip")
)
def get_pack_file(request: HttpRequest, pack_id: Id):
    """The ZIP as it was made; 409 where it was erased with the data of its buyers."""
    who = caller(request)
    found = queries.pack(who.scope, pack_id)
    if found is None:
        raise not_found()
    who.require(found.store_id, "operate")
    if found.erased_at:
        raise Problem(409, "erased", _("It was erased."))
    if found.state != "made":
        raise Problem(409, "not_made", found.sentence or _("It is not made yet."))
    return file_answer(files.path_of(found.sha256, "evidence"), found.name, "application/zip")
