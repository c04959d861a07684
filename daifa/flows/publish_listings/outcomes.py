"""What became of publications at their channel, and their listings with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from daifa.domain.cases import queries as cases
from daifa.domain.catalog import commands
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.flows.publish_listings.tasks import (
    UNKNOWN,
)
from daifa.lib import bulk


def settle(outcomes: Mapping[int, tuple[str, str]], *, by: str, at: datetime, reason: str = "") -> dict[str, list[int]]:
    """Write down what became of publications, and move their listings with them."""
    settled = commands.settle_publications(outcomes, by=by, at=at, reason=reason)
    done = _done(settled.get("done", []))
    for action, to in (("publish", "live"), ("pause", "paused"), ("delist", "delisted")):
        listings = [listing for of_action, of_publication in done if of_action == action for listing in of_publication]
        commands.move_listings(listings, to=to, by=by, at=at, reason=reason or "the channel has it")
    close_tasks(kind=UNKNOWN, thing_kind="publication", things=[pk for pk, (state, _a) in outcomes.items() if state != "unknown"], by=by, at=at)
    return settled


def _done(ids: Sequence[int]) -> list[tuple[str, list[int]]]:
    """(action, listing variants) of publications the channel took. What a notice has taken down since stays down."""
    return bulk.fetch(
        """SELECT p.action, p.listings FROM catalog_publication p WHERE p.id = ANY(%s::bigint[])
           AND (p.action <> 'publish' OR NOT EXISTS (
               SELECT FROM cases_infringement i JOIN catalog_listingvariant l ON l.id = i.listing_id
               JOIN catalog_variant v ON v.id = l.variant_id
               WHERE i.store_id = p.store_id AND v.product_id = p.product_id AND l.state = 'taken_down'
                 AND i.state = ANY(%s::text[])))""",
        (list(ids), list(cases.OPEN_INFRINGEMENT)),
    )


def mark_unknown(ids: Sequence[int], sentence: str, *, by: str, at: datetime) -> None:
    """Nobody knows whether the channel has them: nothing is sent again, and a person hears of it until it was asked."""
    marked = commands.settle_publications(dict.fromkeys(ids, ("unknown", sentence)), by=by, at=at, reason=sentence).get("unknown", [])
    open_tasks(
        [
            NewTask("publication_unknown", store, "publication", pk, {"title": title})
            for pk, store, title in bulk.fetch(
                "SELECT id, store_id, content->>'title' FROM catalog_publication WHERE id = ANY(%s::bigint[])", (marked,)
            )
        ],
        at=at,
    )


def keep_numbers(numbers: Mapping[int, Mapping[str, str]]) -> None:
    given = {pk: dict(of_skus) for pk, of_skus in numbers.items() if of_skus}
    if not given:
        return
    found = {}
    for pk, listing, sku in bulk.fetch(
        """SELECT p.id, l.id, l.sku FROM catalog_publication p JOIN catalog_listingvariant l ON l.id = ANY(p.listings)
           WHERE p.id = ANY(%s::bigint[])""",
        (list(given),),
    ):
        if number := given[pk].get(sku):
            found[listing] = number
    commands.keep_external_ids(found)
