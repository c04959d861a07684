"""Housekeeping of the worker: partitions ahead of time, jobs that a killed worker left, finished ones deleted."""

from __future__ import annotations

from datetime import datetime, timedelta

from daifa.domain.history.commands import ensure_months
from daifa.lib import bulk

KEEP_FAILED = timedelta(days=14)
MONTHS_AHEAD = timedelta(days=62)


def tidy(*, at: datetime) -> None:
    """Add the partitions of the coming months and delete engine jobs that failed long ago."""
    ensure_months(at.date(), (at + MONTHS_AHEAD).date())
    bulk.execute(
        """DELETE FROM procrastinate_jobs WHERE status IN ('failed', 'cancelled', 'aborted', 'succeeded')
           AND scheduled_at IS NOT NULL AND scheduled_at < %s""",
        (at - KEEP_FAILED,),
    )
    bulk.execute(
        """DELETE FROM procrastinate_jobs j WHERE status IN ('failed', 'cancelled', 'aborted', 'succeeded') AND NOT EXISTS (
               SELECT 1 FROM procrastinate_events e WHERE e.job_id = j.id AND e.at >= %s)""",
        (at - KEEP_FAILED,),
    )
