"""What do we hold on this person? Look, hand over, erase; how long data are kept. Only for owners, in their own stores.

Who is looked for stands in the body, never in an address: addresses get into logs.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from ninja import Field, Router, Schema

from daifa.api.caller import Caller, caller
from daifa.api.errors import ERRORS, Problem
from daifa.api.shapes import Id, MoneyOut, a_file, money
from daifa.domain.privacy import commands, queries
from daifa.domain.privacy.places import place_word
from daifa.flows import privacy

router = Router(tags=["privacy"])


class PersonIn(Schema):
    """By mail address, by phone, or by name together with the number of one of the person's orders."""

    email: str = Field("", max_length=254)
    phone: str = Field("", max_length=40)
    name: str = Field("", max_length=160)
    order_number: str = Field("", max_length=80)


class EraseIn(PersonIn):
    confirm: bool = Field(description="True: it cannot be undone, not even by restoring a backup.")


class HoldIn(PersonIn):
    reason: str = Field(min_length=1, max_length=300)


class HeldOrderOut(Schema):
    """`why`: email, phone, named (number and name), customer (the same one), same_email (as on the person's other orders)."""

    id: int
    store_id: int
    number: str
    status: str
    placed_at: datetime
    total: MoneyOut
    why: list[str]
    why_words: str


class PlaceOut(Schema):
    """A place where something is held, with how many rows or files."""

    place: str
    words: str
    count: int


class StayOut(Schema):
    """What does not go, why, and until when where that is known."""

    data: str
    code: str
    sentence: str
    until: datetime | None


class ToldOut(Schema):
    """A supplier who was given the address: what he was sent cannot be taken back from here."""

    supplier_id: int
    name: str
    orders: int
    last_at: datetime | None


class BackupOut(Schema):
    """A backup that still holds it; restoring it does the erasure again."""

    taken_at: datetime
    until: datetime | None


class ErasureOut(Schema):
    """An erasure that was done; `token` stands in the place of the names."""

    id: int
    kind: str
    store_id: int | None
    token: str
    orders: int
    rows: int
    by: str
    at: datetime


class HoldingOut(Schema):
    """`may_go`: whether anything of it may be erased now. `customers`: their numbers."""

    orders: list[HeldOrderOut]
    customers: list[int]
    places: list[PlaceOut]
    may_go: bool
    stays: list[StayOut]
    told: list[ToldOut]
    backups: list[BackupOut]
    erased: list[ErasureOut]


class ErasedOut(Schema):
    """`erased` false: nothing could go, and `stays` says why."""

    erased: bool
    token: str
    places: list[PlaceOut]
    stays: list[StayOut]
    backups: list[BackupOut]


class HeldOut(Schema):
    orders: list[int]


class RetentionOut(Schema):
    """How long a class of data is kept, in days from the end of an order; `at_most` null: until somebody asks."""

    data: str
    store_id: int | None
    country: str
    at_least: int
    at_most: int | None
    source: str
    by: str
    at: datetime


class UnansweredOut(Schema):
    """Classes of data of a store of which nobody said how long they are kept: nothing of them is erased."""

    store_id: int
    data: list[str]


class RetentionsOut(Schema):
    answers: list[RetentionOut]
    unanswered: list[UnansweredOut]


class RetentionIn(Schema):
    """Answers as of now; earlier ones stay on record."""

    data: list[str] = Field(min_length=1, max_length=10, description="contact, letters, papers, disputes.")
    at_least: int = Field(ge=0, le=commands.MOST_DAYS)
    at_most: int | None = Field(None, ge=0, le=commands.MOST_DAYS)
    source: str = Field(min_length=1, max_length=200, description="On what it rests: a rule, a contract, your adviser.")
    store_id: Id | None = Field(None, description="Only for this store; else for all.")
    country: str = Field("", pattern="^([A-Z]{2})?$", description="Only for buyers of this country.")


def _find(who: Caller, given: PersonIn) -> privacy.Person:
    return privacy.find_person(
        who.stores_for("own"), email=given.email, phone=given.phone, name=given.name, number=given.order_number
    )


def _somebody(who: Caller, given: PersonIn) -> privacy.Person:
    found = _find(who, given)
    if not found.orders and not found.customers:
        raise Problem(409, "nobody", _("Nothing is held on this person."))
    return found


def _places(counts: dict[str, int]) -> list[dict[str, Any]]:
    return [{"place": place, "words": place_word(place), "count": count} for place, count in sorted(counts.items())]


def _stays(stays: list[privacy.Stay]) -> list[dict[str, Any]]:
    return [{"data": one.data, "code": one.code, "sentence": one.sentence(), "until": one.until} for one in stays]


def _backups(found: list[queries.OldBackup]) -> list[dict[str, Any]]:
    return [{"taken_at": one.taken_at, "until": one.until} for one in found]


def _erasure(row: Any) -> dict[str, Any]:
    return {
        "id": row.pk, "kind": row.kind, "store_id": row.store_id, "token": row.token,
        "orders": len({order for ids in row.orders.values() for order in ids}), "rows": sum(row.counts.values()),
        "by": row.by, "at": row.at,
    }  # fmt: skip


@router.post("/privacy/look", response={200: HoldingOut, **ERRORS})
def look_for_person(request: HttpRequest, given: PersonIn):
    """What is held on a person in the caller's stores: orders, places with counts, what stays and why. Changes nothing."""
    who = caller(request)
    found = privacy.what_we_hold(_find(who, given), at=who.at)
    return {
        "orders": [
            {
                **{name: row[name] for name in ("id", "store_id", "number", "status", "placed_at")},
                "total": money(row["total_amount"], row["currency"]),
                "why": found.person.why.get(row["id"], []), "why_words": found.person.why_theirs(row["id"]),
            }
            for row in found.orders
        ],
        "customers": found.person.customers, "places": _places(found.counts), "may_go": found.may_go,
        "stays": _stays(found.stays),
        "told": [
            {"supplier_id": row["id"], "name": row["name"], "orders": row["orders"], "last_at": row["last_at"]}
            for row in found.told
        ],
        "backups": _backups(found.backups), "erased": [_erasure(row) for row in found.erased],
    }  # fmt: skip


@router.post(
    "/privacy/export", response={200: None, **ERRORS}, openapi_extra=a_file("Everything held, as a ZIP.", "application/zip")
)
def export_person(request: HttpRequest, given: PersonIn):
    """Everything held on a person in one ZIP, to be handed over. That it was handed over is recorded, without a name."""
    from daifa.flows.export_person import export_person as export

    who = caller(request)
    name, content = export(_somebody(who, given), by=who.by, at=who.at)
    response = HttpResponse(content, content_type="application/zip")
    response["Content-Disposition"] = content_disposition_header(True, name)
    response["Cache-Control"] = "private, no-store"
    return response


@router.post("/privacy/erase", response={200: ErasedOut, **ERRORS})
def erase_person(request: HttpRequest, given: EraseIn):
    """Erase a person everywhere, as far as holds and the time data must be kept allow. The books stay whole."""
    who = caller(request)
    person = _somebody(who, given)
    if not given.confirm:
        raise Problem(422, "not_confirmed", _("Say `confirm`: true. An erasure cannot be undone."), "confirm")
    done = privacy.erase_person(person, by=who.by, at=who.at)
    return {
        "erased": done.erasure is not None, "token": done.erasure.token if done.erasure else "",
        "places": _places(done.counts), "stays": _stays(done.stays), "backups": _backups(done.backups),
    }  # fmt: skip


@router.post("/privacy/hold", response={200: HeldOut, **ERRORS})
def hold_person(request: HttpRequest, given: HoldIn):
    """Keep a person's data whatever their time, until released. Answers the orders newly held."""
    who = caller(request)
    person = _somebody(who, given)
    return {"orders": commands.hold_orders(person.orders, reason=given.reason, by=who.by, at=who.at)}


@router.post("/privacy/release", response={200: HeldOut, **ERRORS})
def release_person(request: HttpRequest, given: PersonIn):
    """End the holds that were put on a person's data by hand. Answers the person's orders."""
    who = caller(request)
    person = _somebody(who, given)
    commands.release_orders(person.orders, by=who.by, at=who.at)
    return {"orders": person.orders}


@router.get("/privacy/erasures", response={200: list[ErasureOut], **ERRORS})
def list_erasures(request: HttpRequest):
    """The last fifty erasures, newest first, without names."""
    who = caller(request)
    scope = who.stores_for("own")
    return [_erasure(row) for row in queries.erasures(scope, shared=_owns_all(who))]


def _owns_all(who: Caller) -> bool:
    from daifa.domain.stores.queries import may

    return may(who.user, None, "own")


def _retentions(who: Caller) -> dict[str, Any]:
    scope = who.stores_for("own")
    answers = queries.answers()
    names = list(RetentionOut.model_fields)
    return {
        "answers": [{name: getattr(row, name) for name in names} for row in queries.retentions(scope, shared=True)],
        "unanswered": [
            {"store_id": store, "data": missing} for store in sorted(scope) if (missing := list(answers.missing(store)))
        ],
    }


@router.get("/privacy/retention", response={200: RetentionsOut, **ERRORS})
def list_retention(request: HttpRequest):
    """How long each class of buyers' data is kept, and what nobody has answered yet."""
    return _retentions(caller(request))


@router.post("/privacy/retention", response={200: RetentionsOut, **ERRORS})
def set_retention(request: HttpRequest, given: RetentionIn):
    """Say how long classes of data are kept, for a store or for all."""
    who = caller(request)
    who.require(given.store_id, "own")
    commands.set_retention(
        [
            commands.Kept(data, given.at_least, given.at_most, given.source, given.store_id, given.country)
            for data in given.data
        ],
        by=who.by, at=who.at,
    )  # fmt: skip
    return _retentions(who)
