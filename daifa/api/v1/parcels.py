"""Parcels and their scans."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from ninja import Field, Router, Schema

from daifa.api.caller import Caller, caller
from daifa.api.errors import ERRORS, not_found
from daifa.api.shapes import After, Id, Limit, Number, Page, Words, cursor_of, page_of
from daifa.domain.shipping import queries
from daifa.domain.shipping.process import PARCEL

router = Router(tags=["parcels"])
State = Literal[tuple(PARCEL.table)]


class ParcelOut(Schema):
    """One box with one waybill. `units` are the supplier's."""

    id: int
    store_id: int
    order_id: int
    order_number: str
    supplier: str
    carrier: str
    number: str
    state: str
    units: int
    is_late: bool
    is_shared_number: bool
    announced_at: datetime
    handed_over_at: datetime | None
    delivered_at: datetime | None
    last_event_at: datetime | None
    late_at: datetime | None = Field(description="From when on it counts as late.")


class ParcelLineOut(Schema):
    id: int
    sku: str
    supplier_sku: str
    quantity: int = Field(description="Supplier units.")
    order_quantity: int = Field(description="Sales units.")


class NumberOut(Schema):
    """A version of the waybill number."""

    version: int
    number: str
    carrier: str
    confidence: int
    is_active: bool
    source: str
    at: datetime


class ScanOut(Schema):
    at: datetime
    status: str
    raw_status: str
    place: str
    source: str


class NoticeOut(Schema):
    """What the store was told."""

    version: int
    state: str
    answer: str
    at: datetime
    sent_at: datetime | None


class ParcelDetailOut(ParcelOut):
    lines: list[ParcelLineOut]
    numbers: list[NumberOut]
    scans: list[ScanOut]
    notices: list[NoticeOut]


def parcel_out(row: queries.ParcelRow) -> dict[str, Any]:
    return {**row._asdict(), "supplier": row.supplier_code}


@router.get("/parcels", response={200: Page[ParcelOut], **ERRORS})
def list_parcels(
    request: HttpRequest,
    state: State | None = None,
    store_id: Number = None,
    supplier_id: Number = None,
    order_id: Number = None,
    late: bool | None = None,
    q: Words = None,
    after: After = None,
    limit: Limit = 50,
):
    """Parcels, newest first. `q`: a waybill number or its first four characters at least; replaced numbers count."""
    cursor = cursor_of(queries.NEWEST, ("moment", "id"), after)
    rows = queries.parcel_page(
        caller(request).scope, state=state, store_id=store_id, supplier_id=supplier_id, order_id=order_id, late=late,
        q=q, cursor=cursor, limit=limit + 1,
    )  # fmt: skip
    return page_of(rows, limit, cursor, parcel_out)


@router.get("/parcels/{parcel_id}", response={200: ParcelDetailOut, **ERRORS})
def get_parcel(request: HttpRequest, parcel_id: Id):
    """One parcel with its lines, versions of its number, scans (newest first) and what the store was told.

    Words and places of scans ("signed by …") only for owners and operators.
    """
    who = caller(request)
    found = queries.parcel_detail(who.scope, parcel_id)
    if found is None:
        raise not_found()
    return {
        **found.parcel,
        "supplier": found.parcel["supplier_code"],
        "lines": found.lines,
        "numbers": found.numbers,
        "scans": found.events if who.knows_buyers(found.parcel["store_id"]) else [{**one, "raw_status": "", "place": ""} for one in found.events],
        "notices": found.notices,
    }


# --- Dispatch files -----------------------------------------------------------------------------------------------

_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_FILE = {
    "responses": {
        200: {
            "description": "The file; X-Rows says how many rows it holds.",
            "content": {
                kind.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}} for kind in _TYPES.values()
            },
        }
    }
}


class DispatchFileOut(Schema):
    """A file in which a store was told its waybill numbers."""

    number: int
    store_id: int
    at: datetime
    parcels: int


def _dispatch_file(who: Caller, store_id: int, form: str, again: int | None) -> HttpResponse:
    from daifa.domain.stores.queries import stores_of
    from daifa.flows.dispatch import export_dispatches

    who.require(store_id, "operate")
    store = stores_of(who.user).get(pk=store_id)
    name, content, rows = export_dispatches(store, by=who.by, at=who.at, again=again, form="csv" if form == "csv" else "xlsx")
    response = HttpResponse(content, content_type=_TYPES[form])
    response["Content-Disposition"] = content_disposition_header(True, name)
    response["X-Rows"] = str(rows)
    return response


@router.get("/stores/{store_id}/dispatch-files", response={200: list[DispatchFileOut], **ERRORS})
def list_dispatch_files(request: HttpRequest, store_id: Id):
    """The newest fifty files of a store, newest first."""
    who = caller(request)
    who.require(store_id, "view")
    return queries.dispatch_files([store_id])


@router.post("/stores/{store_id}/dispatch-files", response={200: None, **ERRORS}, openapi_extra=_FILE)
def take_dispatch_file(request: HttpRequest, store_id: Id, form: Literal["csv", "xlsx"] = "csv"):
    """Take what the store has not been told about its parcels. Taking it counts as telling; headings only = nothing new."""
    return _dispatch_file(caller(request), store_id, form, None)


@router.get("/stores/{store_id}/dispatch-files/{number}/file", response={200: None, **ERRORS}, openapi_extra=_FILE)
def get_dispatch_file(request: HttpRequest, store_id: Id, number: Id, form: Literal["csv", "xlsx"] = "csv"):
    """An earlier file once more, with the rows it had."""
    return _dispatch_file(caller(request), store_id, form, number)
