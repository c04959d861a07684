"""What daifa does while a closing may still be averted: warnings, appeals, rulings, freezing."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from daifa.domain.cases import commands as cases
from daifa.domain.closing import commands, queries, steps
from daifa.domain.closing.models import StepEvidence
from daifa.flows.close_store import violations
from daifa.flows.close_store.step import Doing, title
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _


def warn_store(doing: Doing) -> None:
    if queries.standing(doing.store.pk) == "normal":
        commands.set_standing(store_id=doing.store.pk, to="warned", reason=doing.given.note, by=doing.by, at=doing.at)


def send_appeals(doing: Doing) -> None:
    """The appeals of this round: those of the violations behind the removal, in their time and no more than are allowed."""
    behind = queries.violations_behind(doing.closing)
    doing.facts["appealed"] = violations.send_appeals(
        behind, text=doing.given.note.strip(), reference=doing.given.reference.strip(), file=doing.given.file,
        handed_in_at=doing.given.handed_in_at, by=doing.by, at=doing.at,
    )  # fmt: skip
    handed_in = (doing.given.handed_in_at or doing.at).astimezone(ZoneInfo(doing.store.timezone)).date()
    commands.note_params(doing.closing, appealed_on=handed_in.isoformat())


def withdraw_appeals(doing: Doing) -> None:
    for one in queries.violations_behind(doing.closing):
        for appeal in one.appeals.filter(state="sent"):
            cases.withdraw_appeal(appeal_id=appeal.pk, by=doing.by, at=doing.at)
    commands.note_params(doing.closing, appealed_on=None)


def hear_ruling(doing: Doing) -> None:
    """A ruling, or the answer about a licence: it ends the threat, allows one more round, or begins the end."""
    outcome, params = doing.given.outcome, doing.closing.params
    if outcome == "again":
        rounds = int(params.get("rounds", 0)) + 1
        most = int(params.get("most_rounds", 1))
        if rounds >= most:
            raise Refused(
                _("This channel allows %(most)s appeals: there is no further one. Enter the ruling.") % {"most": most},
                code="no_more_appeals", field="outcome",
            )  # fmt: skip
        appeal = commands.steps_named(doing.closing, ["appeal"])["appeal"]
        if appeal.state != "waiting":
            commands.settle_step(appeal, what="undone", note=doing.given.note, by=doing.by, at=doing.at)
        today = doing.today
        commands.note_params(doing.closing, rounds=rounds, noticed_on=today.isoformat(), appealed_on=None)
        terms = queries.terms_of(doing.store, on=doing.at.date())
        until = datetime.combine(
            today + timedelta(days=terms.appeal_days.value + 1), time(0), ZoneInfo(doing.store.timezone)
        )
        violations.rule_on(queries.violations_behind(doing.closing), "again", answer=doing.given.note, until=until, by=doing.by, at=doing.at)
        doing.facts["rounds"] = rounds
        doing.stays_open = True  # the ruling itself is still to come
        StepEvidence.objects.create(
            step=doing.row, what="note", note=doing.given.note[:1000], facts=doing.facts, at=doing.at, by=doing.by
        )
        commands.refresh_days(doing.closing, at=doing.at)
        return
    if outcome == "granted" and doing.given.file is None and not doing.given.reference.strip():
        raise Refused(
            _("A licence is proved by its document: attach it, or name the platform's confirmation."),
            code="file_missing", field="file",
        )  # fmt: skip
    commands.note_params(doing.closing, ruled_on=doing.today.isoformat())
    effect = steps.BY_CODE[doing.row.code].outcomes[outcome][0]
    violations.rule_on(
        queries.violations_behind(doing.closing), outcome, answer=doing.given.note.strip() or title(doing.row.code), by=doing.by, at=doing.at
    )
    commands.reckon_standings([doing.store.pk], by=doing.by, at=doing.at)
    now = queries.standing(doing.store.pk)
    if effect == "avert":  # the notice's word is over; what other violations come to still counts
        commands.set_standing(store_id=doing.store.pk, to="", reason=doing.given.note, by=doing.by, at=doing.at)
    if effect == "wind_up" and doing.closing.scenario == "rule_change" and now == "warned":
        commands.set_standing(store_id=doing.store.pk, to="restricted", reason=doing.given.note, by=doing.by, at=doing.at)


def freeze_store(doing: Doing) -> None:
    commands.set_standing(
        store_id=doing.store.pk, to="frozen", reason=doing.given.note or doing.closing.reason, by=doing.by, at=doing.at
    )
