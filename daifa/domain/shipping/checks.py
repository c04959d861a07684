"""Commands of parcel checks and of the platform's own waybill numbers. Many at once; the caller holds the transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from django.utils.translation import gettext_noop as N_

from daifa.domain.history.commands import move, open_batch, record_births
from daifa.domain.shipping.models import ParcelCheck
from daifa.domain.shipping.process import PARCEL_CHECK
from daifa.domain.shipping.rules import Trace, find_traces, verdict
from daifa.lib import bulk, keeping, ocr
from daifa.lib.refusal import Refused, RowRefused
from daifa.lib.sentences import gettext as _
from daifa.lib.sentences import kept

PHOTO_FOLDER = "photos"


class NewPhoto(NamedTuple):
    """A photo as it was handed in. `order` and `supplier` where known; `about`: complaint, test_order, sample."""

    store: int
    order: int | None
    supplier: int | None
    about: str
    name: str
    content: bytes
    note: str = ""
    sample: int | None = None


def add_photos(photos: Sequence[NewPhoto], *, by: str, at: datetime) -> tuple[list[int], list[str]]:
    """Keep photos to be read: (the checks, old ones for photos known already; a sentence for each photo refused)."""
    ids: list[int] = []
    refused: list[str] = []
    fresh: list[int] = []
    for photo in photos:
        try:
            if photo.about not in dict(ParcelCheck.ABOUTS):
                raise Refused(_("Say what the photo is about: a complaint, a test order or a sample."), code="about_unknown")
            measured = ocr.look_whole(photo.content)
            kept = keeping.keep(PHOTO_FOLDER, photo.content, kinds=keeping.PICTURES, most=ocr.MOST_BYTES, field="photo")
        except Refused as no:
            refused.append(f"{Path(photo.name).name[:80] or '?'}: {no.sentence}")
            continue
        rows = bulk.fetch(
            """INSERT INTO shipping_parcelcheck (store_id, order_id, supplier_id, sample_id, about, state, name, media_type,
                                                 sha256, size, width, height, note, traces, by, at)
               VALUES (%s, %s, %s, %s, %s, 'received', %s, %s, %s, %s, %s, %s, %s, '[]', %s, %s)
               ON CONFLICT (store_id, order_id, sample_id, sha256) DO NOTHING RETURNING id""",
            (
                photo.store, photo.order, photo.supplier, photo.sample, photo.about, keeping.named(photo.name, kept.media_type),
                kept.media_type, kept.sha256, kept.size, measured.width, measured.height, photo.note[:500], by, at,
            ),
        )  # fmt: skip
        if rows:
            fresh.append(rows[0][0])
        else:
            rows = bulk.fetch(
                """SELECT id FROM shipping_parcelcheck
                   WHERE store_id = %s AND order_id IS NOT DISTINCT FROM %s AND sample_id IS NOT DISTINCT FROM %s
                     AND sha256 = %s""",
                (photo.store, photo.order, photo.sample, kept.sha256),
            )
        ids.append(rows[0][0])
    record_births(PARCEL_CHECK, fresh, "received", by=by, at=at)
    return ids, refused


def judge_photos(texts: Mapping[int, Sequence[str]], *, by: str, at: datetime) -> dict[int, list[Trace]]:
    """What was read from each photo (check → lines) becomes breach, clean or unreadable. Returns the traces found."""
    found: dict[int, list[Trace]] = {}
    states: dict[str, list[int]] = {}
    rows = bulk.fetch(
        """SELECT c.id, t.channel, coalesce(array_agg(w.number) FILTER (WHERE w.number IS NOT NULL), '{}')
           FROM shipping_parcelcheck c JOIN stores_store t ON t.id = c.store_id
           LEFT JOIN shipping_parcel p ON p.order_id = c.order_id
           LEFT JOIN LATERAL (
               SELECT number FROM shipping_waybillnumber WHERE parcel_id = p.id
               UNION SELECT number FROM sourcing_sample WHERE id = c.sample_id AND number <> '') w ON true
           WHERE c.id = ANY(%s::bigint[]) AND c.state = 'received' GROUP BY c.id, t.channel""",
        (list(texts),),
    )
    for check, channel, numbers in rows:
        traces = find_traces("\n".join(texts[check]), channel=channel, numbers=numbers)
        found[check] = traces
        states.setdefault(verdict(traces, len(texts[check])), []).append(check)
    for state, checks in states.items():
        moved = move(PARCEL_CHECK, checks, to=state, by=by, at=at, set_at="read_at").moved
        bulk.execute(
            """UPDATE shipping_parcelcheck c SET traces = d.traces::jsonb, lines = d.lines
               FROM unnest(%s::bigint[], %s::text[], %s::int[]) AS d(id, traces, lines) WHERE c.id = d.id""",
            (moved, [_json(found[check]) for check in moved], [len(texts[check]) for check in moved]),
        )
    return found


def _json(traces: Sequence[Trace]) -> str:
    import json

    return json.dumps([list(trace) for trace in traces], ensure_ascii=False)


def give_up_photos(reasons: Mapping[int, str], *, by: str, at: datetime) -> list[int]:
    """Photos that cannot be read (damaged, gone): a person looks at them. Returns those that were still waiting."""
    moved = move(PARCEL_CHECK, list(reasons), to="unreadable", by=by, at=at, set_at="read_at").moved
    bulk.execute(
        """UPDATE shipping_parcelcheck c SET reason = d.reason FROM unnest(%s::bigint[], %s::text[]) AS d(id, reason)
           WHERE c.id = d.id""",
        (moved, [kept(reasons[check], 300) for check in moved]),
    )
    return moved


def judge_by_hand(*, check_id: int, state: str, reason: str, by: str, at: datetime) -> None:
    """A person looked: breach or clean, and why. The traces that were read stay. Raises `Refused`."""
    if state not in ("breach", "clean"):
        raise Refused(_("A photo shows a breach or it is clean; choose one."), code="choice_invalid")
    if not reason.strip():
        raise Refused(_("Write down what the photo shows."), code="no_reason", field="reason")
    if not move(PARCEL_CHECK, [check_id], to=state, by=by, at=at, reason=reason.strip(), set_at="read_at").moved:
        raise Refused(_("This photo is judged so already."), code="no_change")
    bulk.execute("UPDATE shipping_parcelcheck SET reason = %s WHERE id = %s", (reason.strip()[:300], check_id))


# --- The platform's own waybills ----------------------------------------------------------------------------------


def record_platform_waybills(
    store: int, rows: Sequence[tuple[int, str, str]], *, by: str, at: datetime
) -> tuple[int, list[RowRefused]]:
    """Numbers the platform issued: rows of (row, order number, waybill number). Repeats change nothing.

    Returns (how many are new, the rows refused).
    """
    orders = dict(
        bulk.fetch(
            "SELECT number, id FROM orders_order WHERE store_id = %s AND number = ANY(%s::text[])",
            (store, [number for _row, number, _waybill in rows]),
        )
    )
    refused, wanted = [], {}
    for row, number, waybill in rows:
        waybill = "".join(waybill.split()).upper()
        if number not in orders:
            refused.append(
                RowRefused(row, number, "order_unknown", N_("There is no order %(number)s in this store."), {"number": number})
            )
        elif not 4 <= len(waybill) <= 60:
            refused.append(
                RowRefused(row, number, "number_invalid", N_("“%(waybill)s” is no waybill number."), {"waybill": waybill[:60]})
            )
        else:
            wanted[orders[number], waybill] = row
    new = bulk.execute(
        """INSERT INTO shipping_platformwaybill (store_id, order_id, number, source, at)
           SELECT %s, d.order_id, d.number, %s, %s FROM unnest(%s::bigint[], %s::text[]) AS d(order_id, number)
           ON CONFLICT (order_id, number) DO NOTHING""",
        (store, by, at, [order for order, _number in wanted], [number for _order, number in wanted]),
    )
    if new:
        open_batch(by=by, at=at, reason=f"record_platform_waybills: {new}")
    return new, refused
