"""Asking for listings to be published, paused or taken off sale: judged, written down, and an earlier wish replaced."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from daifa.domain.catalog import commands
from daifa.domain.catalog.commands import NewPublication
from daifa.domain.stores.models import Store
from daifa.flows.publish_listings.gate import judge
from daifa.flows.publish_listings.reasons import sentences
from daifa.flows.publish_listings.tasks import count_waiting
from daifa.lib import bulk

ON_THEIR_WAY = ("filed", "sending", "unknown")
"""States of a publication that the channel has, or may have."""


class Outcome(NamedTuple):
    """What became of one product: `state` ready, waiting, refused, unchanged or busy; `sentences` in the reader's language."""

    state: str
    sentences: list[str]
    publication: int | None = None


@dataclass(slots=True)
class Published:
    """Products by what became of them. `busy`: an earlier publication of it is on its way to the channel."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)

    def of(self, state: str) -> list[int]:
        return [product for product, outcome in self.outcomes.items() if outcome.state == state]


def publish(*, store_id: int, product_ids: Sequence[int], by: str, at: datetime) -> Published:
    """Ask for listings of a store to be published, or published anew: each is judged and written down with its verdict.

    Ready ones go out with the next call or file; waiting ones appear on Today; refused ones say what to change. One
    that reads as the channel has it already is unchanged. One that was asked for before and has not gone out is replaced.
    """
    store = Store.objects.get(pk=store_id)
    result = Published()
    with transaction.atomic():
        hold(store_id, product_ids)
        judged = judge(store, product_ids, at=at, by=by)
        open_now, last = earlier_of(store_id, list(judged))
        wanted = []
        for product, one in judged.items():
            same = last.get(product)
            if (
                one.verdict.state == "ready" and product not in open_now and same is not None and same.action == "publish"
                and same.content == one.content and set(one.states.values()) == {"live"}
            ):  # fmt: skip
                result.outcomes[product] = Outcome("unchanged", [_("The channel has it like this already.")], same.pk)
                continue
            wanted.append(product)
        busy = _take_back(open_now, wanted, by=by, at=at, reason="asked for anew")
        result.outcomes |= busy
        fresh = [judged[product] for product in wanted if product not in busy]
        ids = commands.add_publications(
            [
                NewPublication(store_id, one.product, "publish", one.verdict.state, one.listings, one.content, one.digest, one.lists,
                               one.verdict.reasons, one.hits)
                for one in fresh
            ],
            by=by, at=at,
        )  # fmt: skip
        for pk, one in zip(ids, fresh, strict=True):
            result.outcomes[one.product] = Outcome(one.verdict.state, sentences(one.verdict.reasons), pk)
        count_waiting([store_id], by=by, at=at)
    return result


def withdraw_from_channel(
    *, store_id: int, product_ids: Sequence[int], action: Literal["pause", "delist"], by: str, at: datetime, reason: str = ""
) -> Published:
    """Ask the channel to pause listings or to take them off sale. No gate stands before that; drafts are simply dropped."""
    result = Published()
    with transaction.atomic():
        hold(store_id, product_ids)
        rows = on_sale(store_id, product_ids)
        open_now, last = earlier_of(store_id, list(rows))
        busy = _take_back(open_now, list(rows), by=by, at=at, reason=reason or "asked for anew")
        result.outcomes |= busy
        fresh: list[NewPublication] = []
        for product, (listings, states, content) in rows.items():
            if product in busy:
                continue
            if not set(states) & ({"live"} if action == "pause" else {"live", "paused", "taken_down"}):
                result.outcomes[product] = Outcome("unchanged", [_("It is not on sale.")])
                continue
            known = last.get(product)
            fresh.append(NewPublication(store_id, product, action, "ready", listings, known.content if known else content, "", None))
        drafts = [
            listing for listings, states, _content in rows.values() for listing, state in zip(listings, states, strict=True)
            if state == "draft"
        ]  # fmt: skip
        if action == "delist":
            commands.move_listings(drafts, to="delisted", by=by, at=at, reason=reason)
        for pk, one in zip(commands.add_publications(fresh, by=by, at=at, reason=reason), fresh, strict=True):
            result.outcomes[one.product] = Outcome("ready", [], pk)
        count_waiting([store_id], by=by, at=at)
    return result


def _take_back(open_now: Mapping[int, Earlier], products: Sequence[int], *, by: str, at: datetime, reason: str) -> dict[int, Outcome]:
    """Withdraw earlier wishes for these products; those of which one is on its way, or was claimed this moment, are busy."""
    found = {product: open_now[product] for product in products if product in open_now}
    others = commands.withdraw_publications(
        [one.pk for one in found.values() if one.state not in ON_THEIR_WAY], by=by, at=at, reason=reason
    ).others
    return {
        product: Outcome("busy", [_("An earlier version is on its way to the channel: say first what became of it.")], one.pk)
        for product, one in found.items()
        if one.state in ON_THEIR_WAY or others.get(one.pk) in ON_THEIR_WAY
    }


def hold(store_id: int, product_ids: Sequence[int]) -> None:
    """Whoever touches the same listings waits: rows are locked in id order."""
    commands.lock_listings(
        [
            row[0]
            for row in bulk.fetch(
                """SELECT l.id FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id
                   WHERE l.store_id = %s AND v.product_id = ANY(%s::bigint[])""",
                (store_id, list(product_ids)),
            )
        ]
    )


def on_sale(store_id: int, product_ids: Sequence[int]) -> dict[int, tuple[list[int], list[str], dict[str, Any]]]:
    """Product → its listing variants in a store, their states, and enough content to name it to the channel."""
    found = {}
    for product, handle, title, listings, states, variants in bulk.fetch(
        """SELECT p.id, p.handle, p.title, array_agg(l.id ORDER BY l.id), array_agg(l.state ORDER BY l.id),
                  jsonb_agg(jsonb_build_object('listing', l.id, 'sku', l.sku, 'price', l.price::text, 'currency', l.currency,
                                               'options', '[]'::jsonb, 'barcode', v.barcode, 'weight_g', v.weight_g) ORDER BY l.id)
           FROM catalog_listingvariant l JOIN catalog_variant v ON v.id = l.variant_id JOIN catalog_product p ON p.id = v.product_id
           WHERE l.store_id = %s AND p.id = ANY(%s::bigint[]) GROUP BY p.id ORDER BY p.id""",
        (store_id, list(product_ids)),
    ):
        content = {"handle": handle, "title": title, "description": "", "brand": "", "category": "", "image": "", "variants": json.loads(variants)}
        found[product] = (listings, states, content)
    return found


class Earlier(NamedTuple):
    """A publication that was asked for before."""

    pk: int
    state: str
    action: str
    digest: str
    content: dict[str, Any]


def earlier_of(store_id: int, products: Sequence[int]) -> tuple[dict[int, Earlier], dict[int, Earlier]]:
    """(product → the one that is open, product → the last one the channel took)."""
    open_now: dict[int, Earlier] = {}
    last: dict[int, Earlier] = {}
    for product, pk, state, action, digest, content in bulk.fetch(
        """SELECT DISTINCT ON (product_id, state = 'done') product_id, id, state, action, digest, content FROM catalog_publication
           WHERE store_id = %s AND product_id = ANY(%s::bigint[])
             AND state IN ('waiting', 'ready', 'filed', 'sending', 'unknown', 'done')
           ORDER BY product_id, state = 'done', id DESC""",
        (store_id, list(products)),
    ):
        (last if state == "done" else open_now)[product] = Earlier(pk, state, action, digest, json.loads(content))
    return open_now, last
