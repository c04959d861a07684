"""The violations behind a removal: a letter writes them down, appeals and rulings reach each of them once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction

from daifa.domain.cases import commands as cases
from daifa.domain.cases.models import Violation
from daifa.domain.closing import commands, queries
from daifa.domain.closing.models import Closing
from daifa.domain.stores.models import Store
from daifa.lib.commas import listed
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _


@dataclass(frozen=True, slots=True)
class Letter:
    """What the platform's letter says about the violations behind a removal.

    `references`: the platform's numbers; those known here are linked, the others written down. None given = one
    violation under a number of our own, which `name_violation` replaces once the platform's is known.
    """

    references: tuple[str, ...] = ()
    kind: str = "other"
    rule: str = ""
    points: Decimal = Decimal(0)
    appeal_until: date | None = None
    orders: tuple[str, ...] = ()


OWN_NUMBER = "daifa-closing-"
"""How a violation is numbered whose number at the platform nobody knows yet."""


@transaction.atomic
def write_down(
    store: Store, letter: Letter, *, own: str, reason: str, on: date | None = None, by: str, at: datetime
) -> list[int]:
    """The violations a letter names: known ones are found by their number, the rest is written down. Raises `Refused`."""
    zone = ZoneInfo(store.timezone)
    notified = at if on is None or on == at.astimezone(zone).date() else datetime.combine(on, time(12), zone)
    until = letter.appeal_until
    references = tuple(dict.fromkeys(one.strip() for one in letter.references if one.strip())) or (own,)
    taken = cases.add_violations(
        [
            cases.NewViolation(
                reference, notified, letter.kind, reason[:300], letter.rule, letter.points, orders=letter.orders,
                appeal_due_at=datetime.combine(until + timedelta(days=1), time(0), zone) if until else None,
            )
            for reference in references
        ],
        store=store, source="notice", by=by, at=at,
    )  # fmt: skip
    if taken.refused:
        raise Refused(taken.refused[0].sentence(), code=taken.refused[0].code, field="references")
    found = list(Violation.objects.filter(store=store, reference__in=references).order_by("pk"))
    # The letter opens a time to appeal for what was known before, too.
    days = queries.terms_of(store, on=at.date()).appeal_days.value
    last = until or notified.astimezone(zone).date() + timedelta(days=days)
    ends = datetime.combine(last + timedelta(days=1), time(0), zone)
    for one in found:
        if one.pk not in taken.added and one.state in ("active", "upheld", "reduced") and (one.appeal_until is None or one.appeal_until < ends):
            cases.set_appeal_deadline(violation_id=one.pk, due_at=ends, by=by, at=at)
    if over := [one.reference for one in found if one.state in ("lifted", "expired")]:
        raise Refused(
            _("%(references)s is settled: it cannot be behind a removal.") % {"references": listed(over)},
            code="violation_settled", field="references",
        )  # fmt: skip
    return [one.pk for one in found]


@transaction.atomic
def name_violation(closing_id: int, violation_id: int, *, by: str, at: datetime) -> None:
    """Another violation is behind the removal. One under a number of our own gives way to it, where nothing hangs on it.

    So a letter that was entered by hand and then came with the platform's list stays one violation. Raises `Refused`.
    """
    closing = Closing.objects.select_for_update(of=("self",)).select_related("store").get(pk=closing_id)
    if closing.scenario != "forced" or closing.state not in ("threatened", "running"):
        raise Refused(_("Only a removal that goes on has violations behind it."), code="not_forced")
    named = Violation.objects.filter(pk=violation_id, store_id=closing.store_id).first()
    if named is None or named.state in ("lifted", "expired"):
        raise Refused(_("There is no such violation of this store in force."), code="no_violation", field="violation")
    own = [
        one
        for one in queries.violations_behind(closing)
        if one.reference.startswith(OWN_NUMBER) and one.pk != named.pk and one.state == "active" and not one.appeals.exists()
    ]
    commands.put_behind(closing, [named.pk])
    for one in own:
        closing.violations.remove(one)
        cases.lift_violations(
            [one.pk], reason=_("It is violation %(reference)s.") % {"reference": named.reference}, by=by, at=at
        )
    commands.reckon_standings([closing.store_id], by=by, at=at)
    commands.refresh_days(closing, at=at)


def send_appeals(
    violations: Iterable[Violation], *, text: str, reference: str, file: tuple[str, bytes] | None = None,
    handed_in_at: datetime | None = None, by: str, at: datetime,
) -> list[str]:  # fmt: skip
    """Appeal against each of them; one that is appealed already is not appealed twice. Their references.

    Raises `Refused` after the time to appeal (`handed_in_at`, where it was handed in before), and where no round is left.
    """
    appealed = []
    for one in violations:
        if one.state in ("lifted", "expired"):
            continue
        if one.state != "appealed":
            draft = one.appeals.filter(state="draft").first()
            draft = draft or cases.open_appeal(
                violation_id=one.pk, text=text, by_letter=True, reference=reference, handed_in_at=handed_in_at, by=by, at=at
            )
            if draft.state == "draft":
                cases.send_appeal(appeal_id=draft.pk, reference=reference, handed_in_at=handed_in_at, by=by, at=at)
            if file is not None:
                cases.attach_files([file], store_id=one.store_id, thing_kind="appeal", thing=draft.pk, by=by, at=at)
        appealed.append(one.reference)
    return appealed


def rule_on(violations: Iterable[Violation], outcome: str, *, answer: str, until: datetime | None = None, by: str, at: datetime) -> None:
    """A ruling reaches the violations behind a removal: reversed lifts them, upheld ends their appeals, again opens one more.

    What was answered before stays as it was answered: a ruling moves each of them once. `until`: end of a further round.
    """
    for one in violations:
        if one.state in ("lifted", "expired"):
            continue
        sent = one.appeals.filter(state="sent").first()
        if outcome == "reversed":
            if sent is not None:
                cases.answer_appeal(appeal_id=sent.pk, outcome="won", answer=answer, by=by, at=at)
            else:
                cases.lift_violations([one.pk], reason=answer, by=by, at=at)
            continue
        if sent is not None:
            cases.answer_appeal(appeal_id=sent.pk, outcome="lost", answer=answer, by=by, at=at)
        for draft in one.appeals.filter(state="draft") if outcome == "upheld" else ():
            cases.withdraw_appeal(appeal_id=draft.pk, by=by, at=at)
        if outcome == "again" and until is not None:
            cases.set_appeal_deadline(violation_id=one.pk, due_at=until, by=by, at=at)
        if outcome == "upheld":
            cases.accept_violations([one.pk], by=by, at=at)
