"""Reads of exceptions: what was announced for which stores, and what buyers agreed to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from django.db.models import Q

from daifa.domain.compliance import announced
from daifa.domain.compliance.announced import Announced
from daifa.domain.compliance.models import AgreedDispatch, Announcement
from daifa.domain.policy import queries as policy
from daifa.lib import bulk
from daifa.lib.paging import Cursor

NEWEST = ("-id",)
OWN_SITES = ("own_site", "manual")


def read(row: Announcement) -> Announced:
    """A row as the decisions take it."""
    return Announced(
        tuple(row.kinds.split()), row.first, row.last, row.effect, seconds=None if row.hours is None else row.hours * 3600,
        until=row.until, countries=tuple(row.countries.split()), regions=tuple(row.regions.split()), side=row.side,
        goes_by=row.goes_by, leaves_out=row.leaves_out, channel=row.channel, store_id=row.store_id, rule=row.rule,
        title=row.title, id=row.pk,
    )  # fmt: skip


def in_stores(asked: Sequence[Any], *, on: date) -> list[tuple[Announced, list[int]]]:
    """Each exception that counts, in the order in which they move clocks, with the stores (`id, channel`) it holds in."""
    channels = {store.id: policy.book_name(store.channel) for store in asked}
    named = sorted(set(channels.values()))
    rows = bulk.fetch_dicts(
        "SELECT * FROM compliance_announcement WHERE withdrawn_at IS NULL AND channel = ANY(%s::text[]) ORDER BY id", (named,)
    )
    known = [read(Announcement(**row)) for row in rows]
    if shipped := [one for one in announced.shipped() if one.channel in named]:
        book = policy.in_force(on=on)
        known += [one for one in shipped if one.rule in book]
    found = []
    for one in announced.in_order(known):
        stores = [store for store, channel in channels.items() if channel == one.channel and one.store_id in (None, store)]
        if stores:
            found.append((one, stores))
    return found


@lru_cache(maxsize=512)
def title_of(announcement_id: int) -> str:
    """The title of an announcement; it is never edited."""
    return Announcement.objects.filter(pk=announcement_id).values_list("title", flat=True).first() or "–"


def announcement_page(
    scope: Sequence[int], *, channel: str | None = None, cursor: Cursor | None = None, limit: int = 50
) -> list[Announcement]:
    """What was entered: of whole channels, and of the stores one may see; withdrawn ones too (order NEWEST)."""
    found = Announcement.objects.filter(Q(store=None) | Q(store__in=list(scope))).select_related("store")
    if channel:
        found = found.filter(channel=channel)
    return (cursor or Cursor(NEWEST)).slice(found, limit)


def announcement(announcement_id: int) -> Announcement | None:
    return Announcement.objects.filter(pk=announcement_id).select_related("store").first()


def agreed_of(order_id: int) -> list[AgreedDispatch]:
    """What the buyer of an order agreed to, newest first; withdrawn ones too."""
    return list(AgreedDispatch.objects.filter(order_id=order_id).order_by("-id"))
