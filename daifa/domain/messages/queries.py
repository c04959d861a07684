"""Reads of messages. `scope` (ids of the stores the caller may see) comes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import F

from daifa.domain.messages.models import Message
from daifa.domain.messages.process import KINDS, MESSAGE
from daifa.lib.paging import Cursor

NEWEST = ("-id",)


def message_page(
    scope: Sequence[int],
    *,
    state: str | None = None,
    kind: str | None = None,
    store_id: int | None = None,
    order_id: int | None = None,
    cursor: Cursor | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """At most `limit` messages, newest first, without their text; with `order_number`. Unknown words match nothing."""
    if (state and state not in MESSAGE.table) or (kind and kind not in KINDS):
        return []
    found = Message.objects.filter(store_id__in=[store for store in scope if store_id in (None, store)])
    for name, value in (("state", state), ("kind", kind), ("order_id", order_id)):
        if value:
            found = found.filter(**{name: value})
    return (cursor or Cursor(NEWEST)).slice(
        found.annotate(order_number=F("order__number")).values(
            "id", "store_id", "order_id", "order_number", "kind", "thing", "version", "state", "reason", "subject",
            "at", "sent_at",
        ),
        limit,
    )  # fmt: skip


def message_detail(scope: Sequence[int], message_id: int) -> dict[str, Any] | None:
    """One message with its text as it was sent; None when it is not there or not in scope."""
    return (
        Message.objects.filter(id=message_id, store_id__in=list(scope))
        .annotate(order_number=F("order__number"))
        .values()
        .first()
    )
