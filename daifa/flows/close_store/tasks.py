"""The tasks on Today that remind of steps."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from daifa.domain.closing.models import Closing, ClosingStep
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks


def remind(ids: Iterable[int], *, at: datetime, sentence: str = "") -> int:
    """Remind of these steps; `sentence` says what stands in the way. Returns how many tasks are new."""
    rows = ClosingStep.objects.filter(pk__in=list(ids)).select_related("closing__store")
    return open_tasks(
        [
            NewTask(
                kind="closing_step", store_id=row.closing.store_id, thing_kind="closing_step", thing=row.pk,
                params={"store": row.closing.store.name, "step": row.code, "why": sentence},
                due_at=datetime.combine(row.due_on, datetime.max.time(), ZoneInfo(row.closing.store.timezone)) if row.due_on else None,
            )
            for row in rows
        ],
        at=at,
    )  # fmt: skip


def settle_tasks(closing: Closing, *, by: str, at: datetime) -> None:
    """No step of this closing needs anybody any more."""
    rows = list(ClosingStep.objects.filter(closing=closing).values_list("pk", flat=True))
    close_tasks(kind="closing_step", thing_kind="closing_step", things=rows, by=by, at=at)
