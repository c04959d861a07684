"""A closing begins, is taken back before it was applied for, or is over because what threatened the store is."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db import transaction

from daifa.domain.closing import commands, steps
from daifa.domain.closing.models import Closing, ClosingStep
from daifa.flows.close_store.actions import listings
from daifa.flows.close_store.actions.buyers import withdraw_notice
from daifa.flows.close_store.do_steps import do_step
from daifa.flows.close_store.step import Doing, Given
from daifa.flows.close_store.tasks import settle_tasks
from daifa.flows.close_store.violations import OWN_NUMBER, Letter, write_down


@transaction.atomic
def start(
    *, store_id: int, scenario: str, reason: str, wished_on: date | None = None, noticed_on: date | None = None,
    effective_on: date | None = None, most_rounds: int = 1, letter: Letter | None = None, by: str, at: datetime,
) -> Closing:  # fmt: skip
    """Begin a closing and do at once what daifa can do by itself: count what is open. Raises `Refused`.

    A removal writes down (or links) the violations its letter names; a changed rule is no breach and has none.
    """
    params: dict[str, Any] = {"noticed_on": noticed_on and noticed_on.isoformat(),
                              "effective_on": effective_on and effective_on.isoformat()}  # fmt: skip
    if scenario == "forced":
        params["most_rounds"] = most_rounds
    closing = commands.start_closing(
        store_id=store_id, scenario=scenario, reason=reason, wished_on=wished_on, params=params, by=by, at=at
    )
    if scenario == "forced":
        own = f"{OWN_NUMBER}{closing.pk}"
        commands.put_behind(
            closing, write_down(closing.store, letter or Letter(), own=own, reason=reason, on=noticed_on, by=by, at=at)
        )
        commands.refresh_days(closing, at=at)
    first = steps.SCENARIOS[scenario][0]
    rows = {row.code: row for row in ClosingStep.objects.filter(closing=closing)}
    if first.code != "decide":
        do_step(rows[first.code].pk, Given(note=reason), by=by, at=at)
    else:
        do_step(rows["count_open"].pk, by=by, at=at)
    closing.refresh_from_db()
    return closing


@transaction.atomic
def withdraw(closing_id: int, *, reason: str, by: str, at: datetime) -> Closing:
    """Take a closing back before it was applied for: listings and notice return, the store is open again. Raises `Refused`."""
    closing = commands.withdraw_closing(closing_id=closing_id, reason=reason, by=by, at=at)
    if closing.state == "withdrawn":
        listings.call_off(closing, by=by, at=at)
        listings.make_live(listings.taken_down(closing), ["delisted", "closed"], by=by, at=at)
        notice = ClosingStep.objects.get(closing=closing, code="shop_notice")
        if notice.state == "done":
            withdraw_notice(Doing(closing, notice, Given(note=reason), by, at))
    settle_tasks(closing, by=by, at=at)
    return closing


@transaction.atomic
def avert(closing_id: int, *, reason: str, by: str, at: datetime) -> None:
    """What threatened a store is over, by somebody else's word: it stays. Nothing where the closing is past that."""
    closing = Closing.objects.select_for_update(of=("self",)).select_related("store").get(pk=closing_id)
    if closing.state == "threatened":
        commands.avert_closing(closing, reason=reason, by=by, at=at)
        settle_tasks(closing, by=by, at=at)
