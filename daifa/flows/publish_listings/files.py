"""By file: everything that may go out, fixed, and what a person says became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from daifa.connectors.manual import listings as upload
from daifa.connectors.registry import LISTING_KINDS
from daifa.domain.catalog import commands
from daifa.domain.catalog.models import ListingFile
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Store
from daifa.flows.publish_listings.door import at_the_door, rows_of
from daifa.flows.publish_listings.outcomes import settle
from daifa.flows.publish_listings.outgoing import outgoing
from daifa.flows.publish_listings.tasks import UPLOAD
from daifa.lib import bulk
from daifa.lib.commas import listed
from daifa.lib.refusal import Refused

FILE_SIZE = 5000  # listings in one file


def speaks_for_itself(store_id: int) -> bool:
    """Whether the store's channel takes listings by a connector; else a person uploads a file."""
    return bool(bulk.fetch("SELECT FROM stores_channelaccount WHERE store_id = %s AND connector = ANY(%s::text[])", (store_id, list(LISTING_KINDS))))


def make_file(*, store_id: int, by: str, at: datetime, layout: str = "") -> ListingFile | None:
    """The file with everything that may go out in a store: fixed, kept, and the same whenever it is downloaded.

    `layout` "" = as its channel takes it. None = nothing may go out now. What is in it stays there until a person says
    whether it was uploaded. Raises `Refused` for a store whose channel is spoken to directly.
    """
    store = Store.objects.get(pk=store_id)
    if speaks_for_itself(store_id):
        raise Refused(_("The channel of %(store)s is told directly; it needs no file.") % {"store": store.name}, code="connected")
    if layout and layout not in upload.LAYOUTS:
        raise Refused(_("Files are laid out as one of: %(known)s.") % {"known": listed(upload.LAYOUTS)}, code="layout_unknown", field="layout")
    chosen: Any = layout or upload.layout_of(store.channel)
    with transaction.atomic():
        number = commands.take_number(store_id)
        ids = [
            row[0]
            for row in bulk.fetch(
                "SELECT id FROM catalog_publication WHERE store_id = %s AND state = 'ready' ORDER BY id LIMIT %s FOR NO KEY UPDATE",
                (store_id, FILE_SIZE),
            )
        ]
        rows, _counts = at_the_door(rows_of(ids, states=("ready",)), at=at, by=by)
        if not rows:
            return None
        content, sha256, count = upload.write_listings(outgoing(rows), layout=chosen, language=store.language)
        file = commands.fix_file(
            [row.pk for row in rows], store_id=store_id, number=number, layout=chosen,
            name=upload.file_name(store.code, number, chosen), content=content, sha256=sha256, rows=count, by=by, at=at,
        )  # fmt: skip
        open_tasks([NewTask("listings_to_upload", store_id, "listing_file", file.pk, {"name": file.name, "count": len(rows)})], at=at)
    return file


@transaction.atomic
def settle_file(*, file_id: int, uploaded: bool, by: str, at: datetime) -> list[int]:
    """A person says whether she uploaded a file: then its listings are on sale (or off), else they are ready again.

    Returns the publications it settled. Raises `Refused` where somebody said so before.
    """
    ids = commands.close_file(file_id, to="uploaded" if uploaded else "dropped", by=by, at=at)
    settle(dict.fromkeys(ids, ("done" if uploaded else "ready", "")), by=by, at=at, reason="uploaded" if uploaded else "not uploaded")
    close_tasks(kind=UPLOAD, thing_kind="listing_file", things=[file_id], by=by, at=at)
    return ids
