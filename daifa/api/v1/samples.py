"""Samples: goods ordered from a supplier to one's own address, their cost, the photos of the parcel, and the verdict."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, File, Router, Schema, Status
from ninja.files import UploadedFile

from daifa.api.caller import Caller, caller
from daifa.api.errors import ERRORS, not_found
from daifa.api.shapes import (
    After,
    Done,
    Id,
    Limit,
    MoneyOut,
    Number,
    Page,
    contents_of,
    cursor_of,
    money,
    page_of,
)
from daifa.domain.shipping.queries import checks_of_sample
from daifa.domain.sourcing import samples
from daifa.domain.sourcing.models import Sample
from daifa.domain.sourcing.process import SAMPLE
from daifa.flows import order_samples
from daifa.lib import ocr

router = Router(tags=["samples"])
State = Literal[tuple(SAMPLE.table)]


class SampleOut(Schema):
    """A sample; `number` is its waybill's, `reference` how letters and the books name it. `cost` null: not ordered yet."""

    id: int
    reference: str
    store_id: int
    supplier_id: int
    offer_id: int | None
    variant_id: int | None
    supplier_sku: str
    title: str
    quantity: int
    state: str
    note: str
    cost: MoneyOut | None
    carrier: str
    number: str
    verdict: str
    by: str
    at: datetime
    ordered_at: datetime | None
    shipped_at: datetime | None
    received_at: datetime | None
    judged_at: datetime | None
    cancelled_at: datetime | None


class PhotoOut(Schema):
    """A photo of the parcel: received (not read yet), clean, breach or unreadable."""

    id: int
    name: str
    state: str
    at: datetime


class SampleDetailOut(SampleOut):
    send_to: str
    next: list[str] = Field(description="States it may go to.")
    photos: list[PhotoOut]
    why_not_pass: str = Field(description="Why its parcel is not proved clean yet; empty where it is.")
    letter_subject: str
    letter: str = Field(description="The order to the supplier, in his language, to be sent.")


class SampleIn(Schema):
    """Either an offer of his, or what it is in `title`. `send_to` is one's own address, never a buyer's."""

    store_id: Id = Field(description="Whose books bear it.")
    supplier_id: Id
    send_to: str = Field(min_length=1, max_length=300)
    offer_id: Id | None = None
    variant_id: Id | None = None
    title: str = Field("", max_length=255)
    quantity: int = Field(1, ge=1, le=samples.MOST)
    note: str = Field("", max_length=500)


class OrderedIn(Schema):
    cost: Decimal | None = Field(None, ge=0, max_digits=15, decimal_places=2, description="Goods and freight; null: it is free.")
    currency: str = Field("", max_length=3, description="The supplier's where left out.")


class ShippedIn(Schema):
    number: str = Field("", max_length=60)
    carrier: str = Field("", max_length=40)


class NumberIn(Schema):
    number: str = Field(min_length=1, max_length=60)
    carrier: str = Field("", max_length=40, description="Left out: the one that stands there stays.")


class VerdictIn(Schema):
    passed: bool
    verdict: str = Field(min_length=1, max_length=500, description="What was seen: goods, packing, how long it took.")


class CancelIn(Schema):
    reason: str = Field(min_length=1, max_length=300)
    refunded: bool = Field(False, description="The money came back: its entry is reversed.")


_PLAIN = [name for name in SampleOut.model_fields if name not in ("reference", "cost")]


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: row[name] for name in _PLAIN}, "reference": samples.number_of(row["id"]), "cost": money(row["cost"], row["currency"]),
    }  # fmt: skip


def _seen(who: Caller, sample_id: int, need: Literal["view", "operate"] = "view") -> Sample:
    found = samples.sample_with_id(who.scope, sample_id)
    if found is None:
        raise not_found()
    who.require(found.store_id, need)
    return found


def _detail(who: Caller, sample_id: int) -> dict[str, Any]:
    one = _seen(who, sample_id)
    subject, text = samples.letter(one, "zh-hans" if one.supplier.language.startswith("zh") else "en")
    return {
        **_row({name: getattr(one, name) for name in (*_PLAIN, "cost", "currency")}),
        "send_to": one.send_to, "next": sorted(SAMPLE.next(one.state)), "photos": checks_of_sample(one.pk),
        "why_not_pass": samples.why_not_pass(order_samples.photos_of(one.pk)), "letter_subject": subject, "letter": text,
    }  # fmt: skip


@router.get("/samples", response={200: Page[SampleOut], **ERRORS})
def list_samples(
    request: HttpRequest, state: State | None = None, supplier_id: Number = None, store_id: Number = None, after: After = None,
    limit: Limit = 50,
):  # fmt: skip
    """Samples, newest first."""
    cursor = cursor_of(samples.NEWEST, ("id",), after)
    rows = samples.sample_page(caller(request).seen(store_id), supplier_id=supplier_id, state=state, cursor=cursor, limit=limit + 1)
    return page_of(rows, limit, cursor, _row)


@router.post("/samples", response={201: SampleDetailOut, **ERRORS})
def want_sample(request: HttpRequest, given: SampleIn):
    """Note a sample to be ordered; `letter` is the order to the supplier. Nothing is sent by itself."""
    who = caller(request)
    who.require(given.store_id, "operate")
    made = order_samples.want_sample(
        samples.NewSample(
            given.store_id, given.supplier_id, given.send_to, given.offer_id, given.variant_id, given.title, given.quantity, given.note
        ),
        by=who.by, at=who.at,
    )  # fmt: skip
    return Status(201, _detail(who, made))


@router.get("/samples/{sample_id}", response={200: SampleDetailOut, **ERRORS})
def get_sample(request: HttpRequest, sample_id: Id):
    """One sample with its order to the supplier and the photos of its parcel."""
    return _detail(caller(request), sample_id)


@router.post("/samples/{sample_id}/order", response={200: SampleDetailOut, **ERRORS})
def order_sample(request: HttpRequest, sample_id: Id, given: OrderedIn):
    """It was ordered and paid: the cost is posted today; the plan's step "order a sample" is under way."""
    who = caller(request)
    _seen(who, sample_id, "operate")
    order_samples.order_sample(sample_id=sample_id, cost=given.cost, currency=given.currency, by=who.by, at=who.at)
    return _detail(who, sample_id)


@router.post("/samples/{sample_id}/ship", response={200: SampleDetailOut, **ERRORS})
def ship_sample(request: HttpRequest, sample_id: Id, given: ShippedIn):
    """It is on its way."""
    who = caller(request)
    _seen(who, sample_id, "operate")
    samples.ship_sample(sample_id=sample_id, number=given.number, carrier=given.carrier, by=who.by, at=who.at)
    return _detail(who, sample_id)


@router.post("/samples/{sample_id}/number", response={200: SampleDetailOut, **ERRORS})
def number_sample(request: HttpRequest, sample_id: Id, given: NumberIn):
    """The waybill number of a sample that has left already, or another one where it was mistyped; until it is judged."""
    who = caller(request)
    _seen(who, sample_id, "operate")
    samples.number_sample(sample_id=sample_id, number=given.number, carrier=given.carrier, by=who.by, at=who.at)
    return _detail(who, sample_id)


@router.post("/samples/{sample_id}/receive", response={200: SampleDetailOut, **ERRORS})
def receive_sample(request: HttpRequest, sample_id: Id):
    """It is here."""
    who = caller(request)
    _seen(who, sample_id, "operate")
    samples.receive_sample(sample_id=sample_id, by=who.by, at=who.at)
    return _detail(who, sample_id)


@router.post("/samples/{sample_id}/photos", response={200: Done, **ERRORS})
def add_sample_photos(request: HttpRequest, sample_id: Id, photos: File[list[UploadedFile]]):
    """Photos of the parcel (JPEG, PNG, WebP; 12 MB each): `done` are the checks, read within a minute or two."""
    who = caller(request)
    _seen(who, sample_id, "operate")
    kept, refused = order_samples.add_sample_photos(sample_id, contents_of(photos, ocr.MOST_BYTES), by=who.by, at=who.at)
    return {"done": kept, "refused": refused}


@router.post("/samples/{sample_id}/judge", response={200: SampleDetailOut, **ERRORS})
def judge_sample(request: HttpRequest, sample_id: Id, given: VerdictIn):
    """Passed or failed. It passes only with photos that prove its parcel clean (`why_not_pass`)."""
    who = caller(request)
    _seen(who, sample_id, "operate")
    order_samples.judge_sample(sample_id=sample_id, passed=given.passed, verdict=given.verdict, by=who.by, at=who.at)
    return _detail(who, sample_id)


@router.post("/samples/{sample_id}/cancel", response={200: SampleDetailOut, **ERRORS})
def cancel_sample(request: HttpRequest, sample_id: Id, given: CancelIn):
    """It does not come."""
    who = caller(request)
    _seen(who, sample_id, "operate")
    samples.cancel_sample(sample_id=sample_id, refunded=given.refunded, reason=given.reason, by=who.by, at=who.at)
    return _detail(who, sample_id)
