"""A store comes back: the platform's answer, and the plan with its proofs and papers as one file."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from daifa.domain.books import commands as books
from daifa.domain.books import queries as book_queries
from daifa.domain.closing import commands, queries, steps
from daifa.domain.closing.commands import FOLDER
from daifa.domain.closing.models import Readmission
from daifa.flows.book_late import let_go
from daifa.flows.close_store.proofs import add_file, csv_bytes
from daifa.flows.reads.late_entries import waiting
from daifa.lib import keeping
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _


@transaction.atomic
def readmit(*, readmission_id: int, admitted: bool, answer: str, by: str, at: datetime) -> Any:
    """The platform's answer; with a yes the books open again from the next day after the old life on. Raises `Refused`."""
    late = waiting(list(Readmission.objects.filter(pk=readmission_id).values_list("store_id", flat=True))) if admitted else []
    found = commands.answer_readmission(
        readmission_id=readmission_id, admitted=admitted, answer=answer, by=by, at=at
    )
    if admitted:
        old = found.closing.lifecycle
        old.refresh_from_db()
        ended = (old.archived_at or at).astimezone(ZoneInfo(found.store.timezone)).date()
        if book_queries.locked_until([found.store_id]):
            books.unlock_books(
                store_id=found.store_id, until=ended, reason=_("readmitted: %(answer)s") % {"answer": answer or "–"}, by=by, at=at
            )
            let_go(late, by=by, at=at)
    return found


def export_readmission(found: Readmission) -> bytes:
    """A zip of a way back, as it may be handed in: the plan with its proofs, and the papers in a folder for each step."""
    plan = queries.plan_of(found.pk)
    titles_of = {step.code: commands.said(step.title) for step in steps.COMEBACK}
    papers = queries.papers_of(found.pk)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        hashes: list[str] = []
        rows = [
            (row.position, titles_of[row.code], row.due_on, row.proof, row.done_at, sum(one.step_id == row.pk for one in papers)) for row in plan
        ]
        add_file(archive, "plan.csv", csv_bytes(("step", "title", "due", "proof", "done_at", "papers"), rows), hashes)
        numbers: dict[int, int] = {}
        for one in papers:
            content = keeping.read(FOLDER, one.sha256)
            if content is None:
                raise Refused(_("The bytes of %(name)s are gone from the file store; bring back a backup.") % {"name": one.name}, code="file_gone")
            numbers[one.step_id] = numbers.get(one.step_id, 0) + 1
            add_file(archive, f"{one.step.position}-{one.step.code}/{numbers[one.step_id]}-{one.name}", content, hashes)
        add_file(archive, "SHA256SUMS", "".join(hashes).encode(), [])
    return buffer.getvalue()
