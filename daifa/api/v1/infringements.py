"""Notices that a listing breaches somebody's right, and the proof by what right listings use pictures and brands."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Field, Router, Schema, Status

from daifa.api.caller import Caller, caller
from daifa.api.errors import ERRORS, Problem, not_found
from daifa.api.shapes import After, At, Day, Done, Id, Limit, Number, Page, Words, cursor_of, page_of
from daifa.api.v1.case_files import FileOut, PackOut, file_out, pack_out
from daifa.domain.cases import commands, queries
from daifa.domain.cases.models import Infringement
from daifa.domain.cases.process import BASES, INFRINGEMENT, RIGHTS
from daifa.domain.catalog.models import ListingVariant
from daifa.lib.commas import listed

router = Router(tags=["infringements"])
State = Literal[("open", *INFRINGEMENT.table)]
Step = Literal[tuple(state for state in INFRINGEMENT.table if state not in ("notified",))]
Right = Literal[tuple(RIGHTS)]
Basis = Literal[tuple(BASES)]


class InfringementOut(Schema):
    id: int
    store_id: int
    reference: str
    listing_id: int | None
    title: str = Field(description="Of the listing, as it was.")
    complainant: str
    right: str
    state: str
    notified_at: datetime
    answer_due_at: datetime | None
    restore_due_at: datetime | None = Field(description="By when the platform must end its measure.")
    ended_at: datetime | None


class RightOut(Schema):
    """By what right a listing uses its pictures, brand or design."""

    id: int
    listing_id: int
    sku: str
    right: str
    basis: str
    holder: str
    number: str
    note: str
    valid_from: date
    valid_until: date | None


class InfringementDetailOut(InfringementOut):
    """Texts and files only for owners and operators."""

    right_number: str
    claim: str
    counter: str
    countered_at: datetime | None
    forwarded_at: datetime | None
    next: list[str] = Field(description="Where the case may go from here.")
    rights: list[RightOut]
    files: list[FileOut]
    packs: list[PackOut]


class InfringementIn(Schema):
    """`reference` of the platform: the same one is taken once."""

    store_id: Id
    reference: str = Field(min_length=1, max_length=80)
    right: Right
    notified_at: At
    sku: str = Field("", max_length=80, description="SKU of the listing.")
    right_number: str = Field("", max_length=80)
    complainant: str = Field("", max_length=160)
    claim: str = Field("", max_length=20_000)
    answer_due_at: At | None = None
    taken_down: bool = False


class StepIn(Schema):
    """`to` "countered" needs its words and a proof; "forwarded" starts the complainant's fifteen days."""

    to: Step
    text: str = Field("", max_length=20_000)
    happened_at: At | None = Field(None, description="Now where left out.")


class RightIn(Schema):
    store_id: Id
    skus: list[str] = Field(min_length=1, max_length=500, description="Of the store's listings.")
    right: Right
    basis: Basis
    valid_from: Day
    valid_until: Day | None = None
    holder: str = Field("", max_length=160)
    number: str = Field("", max_length=80)
    note: str = Field("", max_length=300)


def _detail(who: Caller, case_id: int) -> dict[str, Any]:
    found = queries.infringement_detail(who.scope, case_id)
    if found is None:
        raise not_found()
    row = found.case
    knows = who.knows_buyers(row["store_id"])
    return {
        **row,
        "claim": row["claim"] if knows else "",
        "counter": row["counter"] if knows else "",
        "next": list(INFRINGEMENT.next(row["state"])),
        "rights": found.rights,
        "files": [file_out(one) for one in found.files] if knows else [],
        "packs": [pack_out(one) for one in found.packs] if knows else [],
    }


def _listings(store_id: int, skus: list[str]) -> list[int]:
    wanted = list(dict.fromkeys(sku.strip() for sku in skus))
    found = dict(ListingVariant.objects.filter(store_id=store_id, sku__in=wanted).values_list("sku", "pk"))
    if missing := [sku for sku in wanted if sku not in found]:
        raise Problem(
            409, "no_listing", _("This store has no listing %(skus)s.") % {"skus": listed(missing[:10])}, "skus"
        )
    return [found[sku] for sku in wanted]


@router.get("/infringements", response={200: Page[InfringementOut], **ERRORS})
def list_infringements(
    request: HttpRequest, state: State | None = None, store_id: Number = None, q: Words = None, after: After = None,
    limit: Limit = 50,
):  # fmt: skip
    """Cases, newest first. `state` "open": not ended. `q`: reference or its beginning, words of the listing."""
    cursor = cursor_of(queries.NEWEST, ("id",), after)
    rows = queries.infringement_page(caller(request).seen(store_id), state=state, q=q, cursor=cursor, limit=limit + 1)
    return page_of(rows, limit, cursor, lambda row: row)


@router.post("/infringements", response={200: InfringementDetailOut, 201: InfringementDetailOut, **ERRORS})
def open_infringement(request: HttpRequest, given: InfringementIn):
    """Write a notice down: 201. A reference that is known answers 200 with what is there and changes nothing."""
    who = caller(request)
    store = who.store(given.store_id, "operate")
    known = Infringement.objects.filter(store=store, reference=given.reference.strip()).values_list("pk", flat=True).first()
    if known is not None:
        return Status(200, _detail(who, known))
    listing = _listings(store.pk, [given.sku])[0] if given.sku.strip() else None
    case = commands.open_infringement(
        commands.NewInfringement(**given.model_dump(exclude={"store_id", "sku"}), listing=listing),
        store=store, source=who.by, by=who.by, at=who.at,
    )  # fmt: skip
    return Status(201, _detail(who, case.pk))


@router.get("/infringements/{infringement_id}", response={200: InfringementDetailOut, **ERRORS})
def get_infringement(request: HttpRequest, infringement_id: Id):
    """One case with the rights recorded on its listing, its papers and packs."""
    return _detail(caller(request), infringement_id)


@router.post("/infringements/{infringement_id}/step", response={200: InfringementDetailOut, **ERRORS})
def step_infringement(request: HttpRequest, infringement_id: Id, given: StepIn):
    """Move a case on: taken down, countered, forwarded … or how it ended."""
    who = caller(request)
    store = Infringement.objects.filter(pk=infringement_id).values_list("store_id", flat=True).first()
    who.require(-1 if store is None else store, "operate")
    commands.step_infringement(case_id=infringement_id, **given.model_dump(), by=who.by, at=who.at)
    return _detail(who, infringement_id)


@router.post("/listing-rights", response={201: Done, **ERRORS})
def record_right(request: HttpRequest, given: RightIn):
    """Record by what right listings are sold; `done`: ids of the rights. Papers: /case-files/listing_right/{id}."""
    who = caller(request)
    store = who.store(given.store_id, "operate")
    ids = commands.record_right(
        listing_ids=_listings(store.pk, given.skus), store=store, **given.model_dump(exclude={"store_id", "skus"}),
        by=who.by, at=who.at,
    )  # fmt: skip
    return Status(201, {"done": ids})
