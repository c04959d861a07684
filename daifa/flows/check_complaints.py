"""Photos of complaints go the way of all parcel photos: read by OCR on this machine, judged; the verdict comes back."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from daifa.domain.cases import files
from daifa.domain.cases.commands import note_findings
from daifa.domain.shipping.checks import NewPhoto
from daifa.flows.check_parcels import add_photos
from daifa.lib import bulk


def check_complaint_photos(things: list[int], *, at: datetime, by: str) -> dict[int, str]:
    """Photos of complaints (ids of `cases.CaseFile`) are put in to be read; what cannot be read there is suppressed."""
    suppressed: dict[int, str] = {}
    for file, store, order, name, sha256 in bulk.fetch(
        """SELECT f.id, f.store_id, c.order_id, f.name, f.sha256 FROM cases_casefile f
           JOIN cases_complaint c ON c.id = f.thing WHERE f.id = ANY(%s::bigint[]) AND f.thing_kind = 'complaint' ORDER BY f.id""",
        (things,),
    ):
        content = files.read(sha256)
        if content is None:
            suppressed[file] = "the file is gone"
            continue
        _ids, refused = add_photos([NewPhoto(store, order, None, "complaint", name, content)], by=by, at=at)
        if refused:
            suppressed[file] = refused[0]
    return suppressed


@transaction.atomic
def note_checked(*, at: datetime, by: str = "job:read_photos") -> list[int]:
    """What the reading of their photos showed is noted on complaints of which nobody has said anything yet.

    A breach on one photo is a breach; clean only once every photo was. Returns the complaints noted.
    """
    found = {}
    for complaint, breach, all_clean, checks in bulk.fetch(
        """SELECT c.id, bool_or(k.state = 'breach'), bool_and(k.state = 'clean'), array_agg(k.id ORDER BY k.id)
           FROM cases_complaint c
           JOIN cases_casefile f ON f.thing_kind = 'complaint' AND f.thing = c.id
           JOIN shipping_parcelcheck k ON k.store_id = f.store_id AND k.sha256 = f.sha256 AND k.order_id IS NOT DISTINCT FROM c.order_id
           WHERE c.finding = '' AND c.state <> 'closed'
           GROUP BY c.id HAVING bool_or(k.state = 'breach') OR bool_and(k.state = 'clean')"""
    ):
        found[complaint] = ("breach" if breach else "clean", {"checks": list(checks), "all_clean": all_clean})
    return note_findings(found, by=by, at=at) if found else []
