"""Stores, who I am in them, what needs a person today."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Field, Router, Schema, Status

from daifa.api.caller import caller
from daifa.api.errors import ERRORS, forbidden, not_found
from daifa.api.shapes import Done, Id, MoneyOut, money
from daifa.domain.stores import commands, queries
from daifa.domain.stores.models import Store
from daifa.flows import open_store

router = Router(tags=["stores"])


class StoreOut(Schema):
    """A store and the caller's role in it."""

    id: int
    code: str
    name: str
    kind: str
    channel: str
    currency: str
    timezone: str
    language: str
    country: str
    is_sample: bool
    role: str


class StoreIn(Schema):
    code: str = Field(max_length=40)
    name: str = Field(max_length=120)
    currency: str = Field(min_length=3, max_length=3, examples=["GBP"])
    kind: Literal["own_site", "manual", "marketplace"] = "manual"
    channel: str = Field("manual", max_length=40)
    timezone: str = Field("UTC", max_length=40)
    language: str = Field("en", max_length=10)
    country: str = Field("", max_length=2)
    margin_floor: Decimal = Field(Decimal(0), ge=0, le=99)


class MeOut(Schema):
    id: int
    username: str
    is_owner_of_all: bool
    stores: list[StoreOut]


class TodoOut(Schema):
    """Something a person must look at; `task_id` for single tasks, which may be dismissed."""

    kind: str
    sentence: str
    advice: str
    store_id: int | None
    count: int
    stake: MoneyOut | None
    due_at: datetime | None
    opened_at: datetime
    thing_kind: str
    thing: int
    task_id: int | None


def store_out(store: Store, role: str) -> dict[str, Any]:
    names = (
        "id",
        "code",
        "name",
        "kind",
        "channel",
        "currency",
        "timezone",
        "language",
        "country",
        "is_sample",
    )
    return {**{name: getattr(store, name) for name in names}, "role": role}


def _mine(who) -> list[dict[str, Any]]:
    roles = queries.roles_of(who.user)
    return [store_out(store, roles.get(store.id, "")) for store in queries.stores_of(who.user)]


@router.get("/me", response={200: MeOut, **ERRORS})
def who_am_i(request: HttpRequest):
    """The person behind this session or token, and her stores."""
    who = caller(request)
    return {
        "id": who.user.pk,
        "username": who.user.get_username(),
        "is_owner_of_all": who.user.is_superuser,
        "stores": _mine(who),
    }


@router.get("/stores", response={200: list[StoreOut], **ERRORS})
def list_stores(request: HttpRequest):
    """The stores the caller may see."""
    return _mine(caller(request))


@router.get("/stores/{store_id}", response={200: StoreOut, **ERRORS})
def get_store(request: HttpRequest, store_id: Id):
    """One store."""
    found = next((store for store in _mine(caller(request)) if store["id"] == store_id), None)
    if found is None:
        raise not_found()
    return found


@router.post("/stores", response={201: StoreOut, **ERRORS})
def add_store(request: HttpRequest, given: StoreIn):
    """A new store. Only for the owner of the installation."""
    who = caller(request)
    if not who.user.is_superuser:
        raise forbidden(_("Only the owner of this installation adds stores."))
    return Status(201, store_out(open_store.add_store(**given.model_dump(), by=who.by, at=who.at), "owner"))


@router.get("/tasks/today", response={200: list[TodoOut], **ERRORS})
def today(request: HttpRequest):
    """What needs a person: what is due first, then by money at stake."""
    from daifa.flows.reads.today import today as ask

    who = caller(request)
    return [
        {
            **{name: getattr(todo, name) for name in TodoOut.model_fields if name != "stake"},
            "stake": money(todo.stake, todo.currency) if todo.currency else None,
        }
        for todo in ask(who.scope, shared=who.sees_all, at=who.at)
    ]


@router.post("/tasks/{task_id}/dismiss", response={200: Done, **ERRORS})
def dismiss_task(request: HttpRequest, task_id: Id):
    """A person says this task is settled. Empty `done`: it was closed before."""
    who = caller(request)
    store = queries.store_of_task(task_id)
    if store is None:
        raise not_found()
    who.require(store, "operate")
    count = commands.dismiss_tasks([task_id], scope=who.scope_for("operate"), by=who.by, at=who.at)
    return {"done": [task_id] if count else []}
