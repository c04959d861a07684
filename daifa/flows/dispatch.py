"""Telling the store that goods have left: notices are queued by facts, and taken by a person as a file.

The download is the confirmation. What a file held is fixed: taking it again gives the same rows.
"""

from __future__ import annotations

import io
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from daifa.domain.history.commands import open_batch
from daifa.domain.orders.commands import lock_orders_of
from daifa.domain.shipping import notices
from daifa.domain.stores.models import Store
from daifa.lib.refusal import Refused
from daifa.lib.sheets import Column, Table, write_csv, write_xlsx

# --- Reactions --------------------------------------------------------------------------------------------------


def queue_notices(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Parcels that were handed over, or whose number was replaced: the channel is owed one notice for each number."""
    lock_orders_of("shipping_parcel", things)
    return notices.queue_notices(things, at=at, by=by).unwanted


# --- By file ----------------------------------------------------------------------------------------------------

_HEADINGS = {
    "en": ("Dispatches", "Order number", "SKU", "Quantity", "Carrier", "Tracking number", "Shipped at", "Replaces number"),
    "zh": ("发货", "订单号", "商家编码", "数量", "快递公司", "运单号", "发货时间", "替换原单号"),
}  # fmt: skip


def export_dispatches(
    store: Store, *, by: str, at: datetime, again: int | None = None, form: Literal["xlsx", "csv"] = "xlsx"
) -> tuple[str, bytes, int]:
    """The file of everything a store has not been told: (file name, bytes, rows); the notices in it are confirmed.

    `again` is the number in the name of an earlier file: it is written once more, with the rows it had. Where nothing
    waits the file has its headings only and no number. Times are the store's. Raises Refused where that file is
    not this store's.
    """
    with transaction.atomic():
        if again is None:
            ids = notices.queued_notices([store.pk])
            if ids:
                again = open_batch(by=by, at=at, reason="dispatch file")
                ids = notices.confirm_notices(ids, batch=again, answer=_answer(again), by=by, at=at)
        else:
            ids = notices.notices_with_answer(store.pk, _answer(again))
            if not ids:
                raise Refused(
                    _("There is no dispatch file %(number)s of the store %(store)s.")
                    % {"number": again, "store": store.name},
                    code="no_such_file",
                    field="again",
                )
        rows = notices.rows_of_notices(ids)
    zone = ZoneInfo(store.timezone)
    title, *headings = _HEADINGS["zh" if store.language.startswith("zh") else "en"]
    table = Table(
        title,
        [Column(heading, "integer" if place == 2 else "text") for place, heading in enumerate(headings)],
        [
            (
                row.order_number, row.sku, row.quantity, row.carrier, row.number,
                row.shipped_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S") if row.shipped_at else "", row.replaces,
            )
            for row in rows
        ],
    )  # fmt: skip
    buffer = io.BytesIO()
    (write_csv if form == "csv" else write_xlsx)(buffer, table)
    number = f"-{again}" if again is not None else ""
    return f"dispatches-{store.code}{number}.{form}", buffer.getvalue(), len(rows)


def _answer(batch: int) -> str:
    return f"file:{batch}"


# --- By itself --------------------------------------------------------------------------------------------------


def confirm_automatically(*, at: datetime, by: str = "job:dispatch") -> int:
    """Confirm what stores can take by themselves; returns how many notices.

    Today these are the stores of the sample channel, which stand for a shop that listens. A channel whose connector
    can `ConfirmsShipments` gets its place here; until then its stores are told by file.
    """
    stores = list(Store.objects.filter(channel="sample").values_list("pk", flat=True))
    if not stores:
        return 0
    with transaction.atomic():
        ids = notices.queued_notices(stores)
        if not ids:
            return 0
        batch = open_batch(by=by, at=at)
        return len(notices.confirm_notices(ids, batch=batch, answer="sample", by=by, at=at))
