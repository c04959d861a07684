"""What became of publications at their channel, and their listings with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from daifa.domain.catalog import commands, rules
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Store
from daifa.flows.publish_listings.asking import withdraw_from_channel
from daifa.flows.publish_listings.gate import notices_of, rights_of
from daifa.flows.publish_listings.tasks import UNKNOWN
from daifa.lib import bulk


def settle(outcomes: Mapping[int, tuple[str, str]], *, by: str, at: datetime, reason: str = "") -> dict[str, list[int]]:
    """Write down what became of publications, and move their listings with them.

    What came to its channel although it is not to be sold there any more (retired, or its store ends) is taken off again.
    """
    settled = commands.settle_publications(outcomes, by=by, at=at, reason=reason)
    done = _done(settled.get("done", []), at=at)
    for action, to in (("publish", "live"), ("pause", "paused"), ("delist", "delisted")):
        listings = [listing for one in done if one.action == action for listing in one.listings]
        commands.move_listings(listings, to=to, by=by, at=at, reason=reason or "the channel has it")
    close_tasks(kind=UNKNOWN, thing_kind="publication", things=[pk for pk, (state, _a) in outcomes.items() if state != "unknown"], by=by, at=at)
    late: dict[int, list[int]] = defaultdict(list)
    for one in done:
        if one.action == "publish" and one.is_over:
            late[one.store].append(one.product)
    for store, products in late.items():
        withdraw_from_channel(store_id=store, product_ids=products, action="delist", by=by, at=at, reason="not to be sold there any more")
    return settled


class _Done(NamedTuple):
    """A publication the channel took. `is_over`: its product is retired meanwhile, or its store ends."""

    store: int
    product: int
    action: str
    listings: list[int]
    is_over: bool
    was_taken_down: bool


def _done(ids: Sequence[int], *, at: datetime) -> list[_Done]:
    """Publications the channel took. What a notice has taken down since, and keeps down, is left out."""
    done = [
        _Done(*row)
        for row in bulk.fetch(
            """SELECT p.store_id, p.product_id, p.action, p.listings,
                      c.state = 'retired' OR EXISTS (SELECT FROM closing_lifecycle f WHERE f.store_id = p.store_id AND f.replaced_at IS NULL
                                                     AND f.state IN ('closing', 'closed', 'archived')),
                      EXISTS (SELECT FROM catalog_listingvariant l WHERE l.id = ANY(p.listings) AND l.state = 'taken_down')
               FROM catalog_publication p JOIN catalog_product c ON c.id = p.product_id WHERE p.id = ANY(%s::bigint[]) ORDER BY p.id""",
            (list(ids),),
        )
    ]
    kept: set[tuple[int, int]] = set()
    down = [one for one in done if one.action == "publish" and one.was_taken_down]
    for store in Store.objects.filter(pk__in={one.store for one in down}):
        products = [one.product for one in down if one.store == store.pk]
        notices, rights, on = notices_of(store.pk, products), rights_of(store.pk, products), at.astimezone(ZoneInfo(store.timezone)).date()
        kept |= {(store.pk, one) for one in products if rules.notices_against(notices.get(one, ()), rights.get(one, ()), on)}
    return [one for one in done if one.action != "publish" or (one.store, one.product) not in kept]


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
    """What the channel calls the SKUs it took: publication → SKU → its number."""
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
