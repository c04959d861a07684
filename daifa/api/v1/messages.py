"""What was told to buyers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from django.http import HttpRequest
from ninja import Router, Schema

from daifa.api.caller import caller
from daifa.api.errors import ERRORS, not_found
from daifa.api.shapes import After, Id, Limit, Number, Page, cursor_of, page_of
from daifa.domain.messages import queries
from daifa.domain.messages.process import KINDS, MESSAGE

router = Router(tags=["messages"])
State = Literal[tuple(MESSAGE.table)]
Kind = Literal[tuple(KINDS)]


class MessageOut(Schema):
    """A message to a buyer; `reason` says why it was not sent."""

    id: int
    store_id: int
    order_id: int
    order_number: str
    kind: str
    state: str
    reason: str
    subject: str
    at: datetime
    sent_at: datetime | None


class MessageDetailOut(MessageOut):
    body: str


@router.get("/messages", response={200: Page[MessageOut], **ERRORS})
def list_messages(
    request: HttpRequest,
    state: State | None = None,
    kind: Kind | None = None,
    store_id: Number = None,
    order_id: Number = None,
    after: After = None,
    limit: Limit = 50,
):
    """Messages, newest first, without their text; subjects only for owners and operators."""
    who = caller(request)
    cursor = cursor_of(queries.NEWEST, ("id",), after)
    rows = queries.message_page(
        who.scope, state=state, kind=kind, store_id=store_id, order_id=order_id, cursor=cursor,
        limit=limit + 1,
    )  # fmt: skip
    # A template may greet the buyer by name in the subject, too.
    return page_of(rows, limit, cursor, lambda row: row if who.knows_buyers(row["store_id"]) else {**row, "subject": ""})


@router.get("/messages/{message_id}", response={200: MessageDetailOut, **ERRORS})
def get_message(request: HttpRequest, message_id: Id):
    """One message with its text as it was sent; the text only for owners and operators."""
    who = caller(request)
    found = queries.message_detail(who.scope, message_id)
    if found is None:
        raise not_found()
    if not who.knows_buyers(found["store_id"]):
        # It greets the buyer by name.
        found["subject"] = found["body"] = ""
    return found
