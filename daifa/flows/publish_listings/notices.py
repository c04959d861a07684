"""Notices of rights: a takedown takes a listing down, a notice that is lost or taken back lets it go up through the gate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from daifa.domain.catalog import commands
from daifa.domain.stores.models import Store
from daifa.flows.publish_listings.asking import earlier_of, hold, on_sale, publish
from daifa.flows.publish_listings.gate import judge
from daifa.lib import bulk

DOWN = ("taken_down", "upheld", "conceded")
UP = ("restored", "retracted")


def follow_infringements(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Reaction to `infringements_moved`: a takedown takes its listing down; one that is restored goes up through the gate."""
    rows = bulk.fetch(
        """SELECT i.id, i.state, i.store_id, i.reference, v.product_id FROM cases_infringement i
           JOIN catalog_listingvariant l ON l.id = i.listing_id LEFT JOIN catalog_variant v ON v.id = l.variant_id
           WHERE i.id = ANY(%s::bigint[]) ORDER BY i.id""",
        (things,),
    )
    down: dict[int, list[tuple[int, str]]] = defaultdict(list)
    up: dict[int, list[int]] = defaultdict(list)
    for _case, state, store, reference, product in rows:
        if product is not None and state in DOWN:
            down[store].append((product, reference))
        elif product is not None and state in UP:
            up[store].append(product)
    for store, found in down.items():
        notices: dict[int, list[str]] = defaultdict(list)
        for product, reference in found:
            notices[product].append(reference)
        of_notices: dict[str, set[int]] = defaultdict(set)  # so that each listing's history names its own
        for product, (listings, _states, _content) in on_sale(store, list(notices)).items():
            of_notices[" · ".join(dict.fromkeys(notices[product]))] |= set(listings)
        for references, listings in of_notices.items():
            commands.move_listings(sorted(listings), to="taken_down", by=by, at=at, reason=references)
    for store, products in up.items():
        _restore(store, products, by=by, at=at)
    return {}


def _restore(store_id: int, products: Sequence[int], *, by: str, at: datetime) -> None:
    """The platform put listings back: what passes the gate as it was is live; the rest is asked for like any other."""
    hold(store_id, products)
    judged = judge(Store.objects.get(pk=store_id), products, at=at, by=by)
    _open, last = earlier_of(store_id, products)
    back, again = [], []
    for product, one in judged.items():
        down = [listing for listing, state in one.states.items() if state == "taken_down"]
        known = last.get(product)
        if not down:
            continue
        if one.verdict.state == "ready" and (known is None or known.digest in ("", one.digest)):
            back += down
        else:
            again.append(product)
    commands.move_listings(back, to="live", by=by, at=at, reason="restored by the platform")
    if again:
        publish(store_id=store_id, product_ids=again, by=by, at=at)
