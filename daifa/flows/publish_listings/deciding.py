"""A person's word: let out, given back, taken back, and what she saw at the channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from daifa.domain.catalog import commands, rules
from daifa.flows.publish_listings.door import judged_rows, rows_of
from daifa.flows.publish_listings.outcomes import settle
from daifa.flows.publish_listings.reasons import sentences
from daifa.flows.publish_listings.tasks import count_waiting


@dataclass(slots=True)
class Decided:
    """Publications a person decided on, and a sentence for each one that could not be."""

    done: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


@transaction.atomic
def approve(ids: Sequence[int], *, reason: str, by: str, at: datetime) -> Decided:
    """A person looked at these waiting publications and lets them out, with the reason, kept as evidence.

    The approval is of this text and picture in this store. A paper that is missing is not waved through, nor a word that must be
    changed; where the words were changed meanwhile, it has to be asked for anew.
    """
    result = Decided()
    rows = rows_of(ids, states=("waiting",))
    for missed in set(ids) - {row.pk for row in rows}:
        result.refused[missed] = _("It does not wait for a person any more.")
    allowed: dict[int, list[str]] = {}
    for row, one in judged_rows(rows, at=at, by=by):
        if one is None or one.digest != row.digest:
            result.refused[row.pk] = _("The words were changed meanwhile: publish it again.")
        elif one.verdict.state == "refused" or not (one.verdict.approvable or one.verdict.state == "ready"):
            stops = [reason for reason in one.verdict.reasons if reason[0] not in rules.APPROVABLE]
            result.refused[row.pk] = " ".join(sentences(stops))
        else:
            allowed[row.pk] = [code for code, _params in one.verdict.reasons]
    if allowed:
        result.done = commands.approve_publications(allowed, reason=reason, by=by, at=at).moved
    elif not reason.strip():
        commands.approve_publications({}, reason=reason, by=by, at=at)
    count_waiting(sorted({row.store for row in rows}), by=by, at=at)
    return result


@transaction.atomic
def send_back(ids: Sequence[int], *, reason: str, by: str, at: datetime) -> Decided:
    """A person looked and wants it changed first; the reason says what."""
    stores = sorted({row.store for row in rows_of(ids, states=("waiting",))})
    moved = commands.return_publications(ids, reason=reason, by=by, at=at)
    count_waiting(stores, by=by, at=at)
    return Decided(moved.moved, {pk: _("It does not wait for a person any more.") for pk in moved.others})


@transaction.atomic
def withdraw(ids: Sequence[int], *, by: str, at: datetime) -> Decided:
    """Take back what waits or is ready and has not gone out."""
    stores = sorted({row.store for row in rows_of(ids, states=("waiting", "ready"))})
    moved = commands.withdraw_publications(ids, by=by, at=at, reason="withdrawn by a person")
    count_waiting(stores, by=by, at=at)
    return Decided(moved.moved, {pk: _("It has gone out or is over already.") for pk in moved.others})


@transaction.atomic
def settle_unknown(ids: Sequence[int], *, there: bool, by: str, at: datetime) -> Decided:
    """A person looked at the channel: it is there, or it is not and goes out again."""
    settled = settle(dict.fromkeys(ids, ("done" if there else "ready", "")), by=by, at=at, reason="a person looked")
    moved = [pk for of_state in settled.values() for pk in of_state]
    return Decided(moved, {pk: _("It is known what became of it.") for pk in set(ids) - set(moved)})
