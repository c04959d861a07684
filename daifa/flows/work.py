"""Everything that is due now, in one process, until nothing is left: what `daifa work --until-idle` and a replay run.

The live worker runs the same functions from `worker/jobs.py`; this is their order when one hand does all of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from daifa.domain.history.commands import ensure_months
from daifa.flows import place_purchases, read_replies, track_parcels
from daifa.flows.react import react

MOST_ROUNDS = 50
BARREN_ROUNDS = 3  # rounds in which a supplier only said later


def work_until_idle(
    *, at: datetime, by: str = "job:work", progress: Callable[[str, int], None] | None = None, ask: bool = True
) -> dict[str, int]:
    """React, place, send, ask, watch, until a round changes nothing. Returns counts by kind of work.

    `ask` False leaves suppliers with a system alone (they are asked once a round otherwise).
    """
    counts: Counter[str] = Counter()
    ensure_months(at.date(), at.date())
    _count(counts, progress, "closing_steps", _keep_closings(at))
    _count(counts, progress, "shredded", _do_asked(at))
    _watch_cases(at)
    _count(counts, progress, "listings", _send_listings(at))
    _count(counts, progress, "packs", _gather_packs(at))
    barren = 0
    for _ in range(MOST_ROUNDS):
        before = sum(counts.values())
        _count(counts, progress, "reacted", react(at=at))
        placed = place_purchases.submit_purchases(at=at)
        _count(counts, progress, "placed", placed["placed"])
        _count(counts, progress, "refused", placed["refused"])
        _count(counts, progress, "runs", len(place_purchases.fix_runs(at=at, by=by, delivery="mail")))
        _count(counts, progress, "runs_sent", place_purchases.send_runs(at=at)["placed"])
        if ask:
            _count(counts, progress, "parcels", len(read_replies.ask_suppliers(at=at).parcels))
            track_parcels.poll_tracking(at=at)
        watched = track_parcels.watch_parcels(at=at)
        _count(counts, progress, "late", watched["late"])
        _count(counts, progress, "lost", watched["lost"])
        _count(counts, progress, "reacted", react(at=at))
        _count(counts, progress, "messages", _send_messages(at))
        _count(counts, progress, "notices", _confirm_notices(at))
        if sum(counts.values()) == before:
            barren += 1
            if not placed["later"] or barren >= BARREN_ROUNDS:
                break
        else:
            barren = 0
    _count(counts, progress, "photos", _read_photos(at))
    return dict(counts)


def _count(counts: Counter[str], progress: Callable[[str, int], None] | None, name: str, number: int) -> None:
    if number:
        counts[name] += number
        if progress is not None:
            progress(name, counts[name])


def _keep_closings(at: datetime) -> int:
    from daifa.flows import close_store

    return close_store.sweep(at=at)["done"]


def _do_asked(at: datetime) -> int:
    from daifa.flows import close_store

    return close_store.do_asked(at=at)


def _watch_cases(at: datetime) -> None:
    from daifa.domain.cases.commands import watch_cases

    watch_cases(by="job:watch_cases", at=at)


def _send_listings(at: datetime) -> int:
    from daifa.flows import publish_listings

    publish_listings.judge_again(at=at)
    return publish_listings.send_listings(at=at)["done"]


def _gather_packs(at: datetime) -> int:
    from daifa.flows import gather_evidence

    return gather_evidence.gather_waiting(at=at)["made"]


def _read_photos(at: datetime) -> int:
    """Photos of parcels and complaints that were read; without the extra `ocr` they wait, and a task says so."""
    from daifa.flows import check_complaints, check_parcels

    read = 0
    for _go in range(MOST_ROUNDS):
        counts = check_parcels.read_photos(at=at)
        done = counts["breach"] + counts["clean"] + counts["unreadable"]
        read += done
        if done < check_parcels.A_GO:
            break
    if read:
        check_complaints.note_checked(at=at)
    return read


def _send_messages(at: datetime) -> int:
    from daifa.flows import tell_customers

    return tell_customers.send_messages(at=at, by="job:send_messages")


def _confirm_notices(at: datetime) -> int:
    from daifa.flows import dispatch

    return dispatch.confirm_automatically(at=at)
