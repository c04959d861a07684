"""What daifa does with the listings of a store that ends: down, back again, closed for good."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from daifa.domain.catalog import commands as catalog
from daifa.domain.closing import commands, queries, rules
from daifa.domain.closing.models import Closing, StepEvidence
from daifa.domain.messages import commands as messages
from daifa.flows import publish_listings
from daifa.flows.close_store.proofs import csv_bytes
from daifa.flows.close_store.step import Doing
from daifa.lib import bulk


def take_listings_down(doing: Doing) -> None:
    """Every live listing down; while buyers have open requests not in the hours in which most of them come."""
    store = doing.store
    busy = rules.busy_hours(queries.orders_by_hour(store.pk, at=doing.at))
    moment = rules.quiet_moment(
        doing.at, busy, ZoneInfo(store.timezone), has_aftersales=queries.has_aftersales(store.pk)
    )
    if moment > doing.at:
        doing.later = moment
        return
    rows = bulk.fetch("SELECT id FROM catalog_listingvariant WHERE store_id = %s AND state IN ('live', 'paused')", (store.pk,))
    on_sale = [row[0] for row in rows]
    # The channel is asked, too: by its system, or by a file that a person uploads.
    asked = publish_listings.withdraw_from_channel(
        store_id=store.pk, product_ids=publish_listings.products_of(on_sale).get(store.pk, []), action="delist", by=doing.by, at=doing.at,
        reason="closing",
    )  # fmt: skip
    sent = [one.publication for one in asked.outcomes.values() if one.state == "ready" and one.publication]
    down = catalog.move_listings(on_sale, to="delisted", by=doing.by, at=doing.at, reason="closing").moved
    doing.facts |= {"listings": len(down), "ids": sorted(down), "busy_hours": sorted(busy), "asked": len(sent), "publications": sent}


def taken_down(closing: Closing) -> list[int]:
    found = StepEvidence.objects.filter(step__closing=closing, step__code="listings_down", what="done").order_by("-id").first()
    return list(found.facts.get("ids", [])) if found else []


def make_live(ids: Sequence[int], states: Sequence[str], *, by: str, at: datetime) -> int:
    """Those of the listings that are in one of `states` are live again; returns how many."""
    rows = bulk.fetch(
        "SELECT id FROM catalog_listingvariant WHERE id = ANY(%s::bigint[]) AND state = ANY(%s::text[])", (list(ids), list(states))
    )
    return len(catalog.move_listings([row[0] for row in rows], to="live", by=by, at=at, reason="closing withdrawn").moved)


def call_off(closing: Closing, *, by: str, at: datetime) -> None:
    """What was to be taken off sale at the channel and has not gone out yet stays there."""
    found = StepEvidence.objects.filter(step__closing=closing, step__code="listings_down", what="done").order_by("-id").first()
    if found is not None:
        catalog.withdraw_publications(found.facts.get("publications", []), by=by, at=at, reason="closing withdrawn")


def put_listings_back(doing: Doing) -> None:
    call_off(doing.closing, by=doing.by, at=doing.at)
    doing.facts["listings"] = make_live(taken_down(doing.closing), ["delisted"], by=doing.by, at=doing.at)


_STALE = ("order_received", "review", "in_transit")
"""Messages that make no sense any more from a store that ends; what tells a buyer of his parcel still goes."""


def retire_links(doing: Doing) -> None:
    """Listings are closed for good, the list of their links kept as a file; stale messages are not sent."""
    store = doing.store
    ids = [row[0] for row in bulk.fetch("SELECT id FROM catalog_listingvariant WHERE store_id = %s", (store.pk,))]
    ended = catalog.move_listings(ids, to="closed", by=doing.by, at=doing.at, reason="closing").moved
    links = bulk.fetch("SELECT sku, external_id, title FROM catalog_listingvariant WHERE id = ANY(%s::bigint[])", (ended,))
    stale = [
        row[0]
        for row in bulk.fetch(
            """SELECT m.id FROM buyer_messages_message m JOIN orders_order o ON o.id = m.order_id
               WHERE m.store_id = %s AND m.state IN ('queued', 'failed')
                 AND (m.kind = ANY(%s::text[]) OR o.status IN ('delivered', 'cancelled', 'closed') AND m.kind <> 'delivered')
                 AND m.kind <> 'store_closing' ORDER BY m.id FOR NO KEY UPDATE OF m""",
            (store.pk, list(_STALE)),
        )
    ]
    gone = messages.suppress_queued(dict.fromkeys(stale, "store_closing"), by=doing.by, at=doing.at)
    doing.facts |= {"links": len(links), "messages": len(gone.moved)}
    table = csv_bytes(("sku", "external_id", "title"), sorted(links))
    doing.file = (f"{store.code}-links.csv", commands.keep_made(table))
