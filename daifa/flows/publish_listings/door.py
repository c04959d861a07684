"""What has not gone out is judged again: when something changed, and at the door."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction

from daifa.domain.catalog import commands
from daifa.domain.stores.models import Store
from daifa.flows.publish_listings.gate import Judged, judge
from daifa.flows.publish_listings.tasks import count_waiting
from daifa.lib import bulk


class Row(NamedTuple):
    """A publication as it stands."""

    pk: int
    store: int
    product: int
    state: str
    action: str
    digest: str
    content: dict[str, Any]


def rows_of(ids: Sequence[int], *, states: Sequence[str]) -> list[Row]:
    """Those of the publications that are in one of `states`."""
    return [
        Row(*row[:6], json.loads(row[6]))
        for row in bulk.fetch(
            """SELECT id, store_id, product_id, state, action, digest, content FROM catalog_publication
               WHERE id = ANY(%s::bigint[]) AND state = ANY(%s::text[]) ORDER BY id""",
            (list(ids), list(states)),
        )
    ]


def judged_rows(rows: Sequence[Row], *, at: datetime, by: str) -> list[tuple[Row, Judged | None]]:
    """The publications with what would go out now; None where the product is gone."""
    of_store: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        of_store[row.store].append(row.product)
    stores = Store.objects.in_bulk(list(of_store))
    verdicts = {store: judge(stores[store], products, at=at, by=by) for store, products in of_store.items()}
    return [(row, verdicts[row.store].get(row.product)) for row in rows]


def judge_again(*, at: datetime, by: str = "job:judge", store_id: int | None = None) -> dict[str, int]:
    """Look anew at what waits: a paper that came lets it go on, a new word may stop it. Returns how many, by new state."""
    ids = [
        row[0]
        for row in bulk.fetch(
            "SELECT id FROM catalog_publication WHERE state = 'waiting' AND (%s::bigint IS NULL OR store_id = %s::bigint) ORDER BY id",
            (store_id, store_id),
        )
    ]
    if not ids:
        return {}
    with transaction.atomic():
        counts = at_the_door(rows_of(ids, states=("waiting",)), at=at, by=by)[1]
    return counts


def at_the_door(rows: Sequence[Row], *, at: datetime, by: str) -> tuple[list[Row], dict[str, int]]:
    """(those that may go out as they were judged, how many went elsewhere). Pausing and taking off sale need no gate."""
    free = [row for row in rows if row.action != "publish"]
    asked = judged_rows([row for row in rows if row.action == "publish"], at=at, by=by)
    changed = [row.pk for row, one in asked if one is None or one.digest != row.digest or one.content != row.content]
    commands.withdraw_publications(changed, by=by, at=at, reason="changed meanwhile: to be published anew")
    verdicts = {
        row.pk: (one.verdict.state, one.verdict.reasons, one.hits, one.lists)
        for row, one in asked
        if one is not None and row.pk not in set(changed)
    }
    moved = commands.judge_anew(verdicts, by=by, at=at)
    may = {pk for pk, verdict in verdicts.items() if verdict[0] == "ready"}
    counts = {state: len(ids) for state, ids in moved.items() if ids} | ({"withdrawn": len(changed)} if changed else {})
    count_waiting(sorted({row.store for row in rows}), by=by, at=at)
    return [*free, *(row for row, _one in asked if row.pk in may)], counts
