"""Photos of parcels: kept, read by OCR on this machine, judged. Complaints and test orders alike.

Reading takes seconds a photo, so a job does it; what is read outside a transaction is judged inside one.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from daifa.domain.shipping import checks, queries
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.lib import bulk, keeping, ocr
from daifa.lib.refusal import Refused, RowRefused
from daifa.lib.sheets import SheetRefused, read_sheet
from daifa.lib.sheets.cells import clean_text

A_GO = 20  # photos at a time

log = logging.getLogger(__name__)


@transaction.atomic
def add_photos(photos: Sequence[checks.NewPhoto], *, by: str, at: datetime) -> tuple[list[int], list[str]]:
    """`shipping.checks.add_photos`; the supplier is found from the order's parcels where nobody names him."""
    found = dict(
        bulk.fetch(
            """SELECT order_id, min(supplier_id) FROM shipping_parcel WHERE order_id = ANY(%s::bigint[])
               GROUP BY 1 HAVING count(DISTINCT supplier_id) = 1""",
            ([photo.order for photo in photos if photo.order],),
        )
    )
    named = [photo._replace(supplier=photo.supplier or found.get(photo.order)) for photo in photos]
    return checks.add_photos(named, by=by, at=at)


def read_photos(*, at: datetime, by: str = "job:read_photos", limit: int = A_GO) -> dict[str, int]:
    """Read what waits: counts by outcome. Without the extra `ocr` they wait, and a task says so."""
    counts = {"breach": 0, "clean": 0, "unreadable": 0, "waiting": 0}
    waiting = queries.photos_waiting(limit)
    if not waiting:
        return counts
    if sentence := ocr.why_not():
        with transaction.atomic():
            open_tasks([NewTask(kind="photos_unread", params={"count": len(waiting), "sentence": sentence})], at=at)
        return counts | {"waiting": len(waiting)}
    for check, sha256 in waiting:
        try:
            with translation.override("en"):  # what is kept is said in each reader's own language
                lines = ocr.read_lines(keeping.path_of(checks.PHOTO_FOLDER, sha256).read_bytes())
        except FileNotFoundError:
            _give_up(check, N_("The photo's file is not there any more."), counts, by=by, at=at)
        except Refused as no:
            _give_up(check, no.sentence, counts, by=by, at=at)
        except Exception as error:  # a photo that upsets the reader must not stop those behind it
            log.warning("Reading photo %s failed: %s", check, type(error).__name__)
            _give_up(check, N_("The reader stumbled over this photo; look at it yourself."), counts, by=by, at=at)
        else:
            with transaction.atomic():
                traces = checks.judge_photos({check: lines}, by=by, at=at)
                if check in traces:
                    _tell(check, at=at)
                    counts["breach" if traces[check] else "clean" if lines else "unreadable"] += 1
    with transaction.atomic():
        close_tasks(kind="photos_unread", things=[0], by=by, at=at)
    return counts


def _give_up(check: int, sentence: str, counts: dict[str, int], *, by: str, at: datetime) -> None:
    with transaction.atomic():
        checks.give_up_photos({check: sentence}, by=by, at=at)
        _tell(check, at=at)
    counts["unreadable"] += 1


def _tell(check: int, *, at: datetime) -> None:
    """A breach, and a photo that a person has to look at, stand on Today."""
    open_tasks(
        [
            NewTask(kind="parcel_breach" if state == "breach" else "photo_unreadable", store_id=store,
                    thing_kind="parcel_check", thing=check, params={"number": number or "–"})
            for store, state, number in bulk.fetch(
                """SELECT c.store_id, c.state, o.number FROM shipping_parcelcheck c LEFT JOIN orders_order o ON o.id = c.order_id
                   WHERE c.id = %s AND c.state IN ('breach', 'unreadable')""", (check,))
        ],
        at=at,
    )  # fmt: skip


@transaction.atomic
def judge_by_hand(*, check_id: int, state: str, reason: str, by: str, at: datetime) -> None:
    """A person's word on a photo; its task goes, and a breach found by eye is told as one."""
    checks.judge_by_hand(check_id=check_id, state=state, reason=reason, by=by, at=at)
    for kind in ("photo_unreadable", "parcel_breach"):
        close_tasks(kind=kind, thing_kind="parcel_check", things=[check_id], by=by, at=at)
    _tell(check_id, at=at)


# --- The platform's own waybills ----------------------------------------------------------------------------------

_ORDER_HEADINGS = ("order number", "order", "order no", "订单号", "订单编号", "包裹订单号")
_NUMBER_HEADINGS = ("waybill", "waybill number", "tracking number", "运单号", "快递单号", "面单号", "物流单号")


def read_issued_numbers(
    *, store_id: int, name: str, content: bytes, by: str, at: datetime
) -> tuple[int, list[RowRefused]]:
    """Read a table of waybill numbers the platform issued: (how many are new, the rows refused). Raises `Refused`.

    Columns are known by their headings; else the first is the order's number and the second the waybill's.
    """
    try:
        sheet = read_sheet(io.BytesIO(content), name=name)
        plain = [clean_text(cell).casefold() for cell in sheet.header]
        order = next((plain.index(word) for word in _ORDER_HEADINGS if word in plain), 0)
        number = next((plain.index(word) for word in _NUMBER_HEADINGS if word in plain), 1)
        if len(plain) < 2 or order == number:
            raise Refused(_("The file needs two columns: order number and waybill number."), code="column_missing", field="file")
        rows = [(row, clean_text(cells[order]), clean_text(cells[number])) for row, cells in sheet.rows()]
    except SheetRefused as no:
        raise Refused(no.sentence(), code=no.code, field="file") from None
    with transaction.atomic():
        return checks.record_platform_waybills(store_id, rows, by=by, at=at)
