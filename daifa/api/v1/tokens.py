"""A person's own API tokens. Given out and taken back by session only: a token makes no further ones."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from daifa.api.caller import SessionAuth, caller
from daifa.api.errors import ERRORS, not_found
from daifa.api.shapes import Done, Id, aware
from daifa.domain.people import commands, queries

router = Router(tags=["tokens"], auth=SessionAuth())


class TokenIn(Schema):
    name: str = Field(min_length=1, max_length=80)
    expires_at: datetime | None = None


class TokenOut(Schema):
    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


class NewTokenOut(TokenOut):
    token: str = Field(description="Shown this once; keep it. Send it as `Authorization: Bearer …`.")


@router.get("/tokens", response={200: list[TokenOut], **ERRORS})
def list_tokens(request: HttpRequest):
    """The caller's tokens, newest first."""
    return queries.api_tokens_of(request.user)


@router.post("/tokens", response={201: NewTokenOut, **ERRORS})
def add_token(request: HttpRequest, given: TokenIn):
    """A new token that acts as the caller."""
    who = caller(request)
    row, token = commands.issue_api_token(
        who.user, name=given.name, by=who.by, at=who.at, expires_at=aware(given.expires_at)
    )
    return Status(201, {**{name: getattr(row, name) for name in TokenOut.model_fields}, "token": token})


@router.post("/tokens/{token_id}/revoke", response={200: Done, **ERRORS})
def revoke_token(request: HttpRequest, token_id: Id):
    """This token stops working now. Empty `done`: it did before."""
    who = caller(request)
    if token_id not in {row.id for row in queries.api_tokens_of(who.user)}:
        raise not_found()
    return {"done": [token_id] if commands.revoke_api_tokens([token_id], by=who.by, at=who.at) else []}
