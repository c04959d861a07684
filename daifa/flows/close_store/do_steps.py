"""Do a step, ask the worker for it, take it back, leave it out: what is checked before, and what follows.

What daifa does in each is in `actions`. A step runs in one transaction: where something refuses, nothing of it has happened.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction

from daifa.domain.cases import commands as cases
from daifa.domain.closing import commands, queries, rules, steps
from daifa.domain.closing.commands import Proof
from daifa.domain.closing.models import Closing, ClosingStep, StepEvidence
from daifa.domain.stores.commands import close_tasks
from daifa.flows import privacy
from daifa.flows.close_store.actions import DO, UNDO
from daifa.flows.close_store.step import Doing, Given, Progress, title, titles
from daifa.flows.close_store.still_open import blocker_words, open_now
from daifa.flows.close_store.tasks import remind, settle_tasks
from daifa.lib import keeping
from daifa.lib.alone import alone
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _
from daifa.lib.sentences import joined

log = logging.getLogger(__name__)

TAKES_LONG = ("shred_personal_data",)
"""What daifa does in strides that commit as they go; a page does not wait for it."""


def ask_step(step_id: int, given: Given | None = None, *, by: str, at: datetime) -> Proof | None:
    """Do a step as a page does: what takes long is only asked for, and the worker does it (`do_asked`). Raises `Refused`.

    None where the step is not done yet, as in `do_step`. Asked for twice it is done once.
    """
    row = ClosingStep.objects.filter(pk=step_id).first()
    if row is None or row.code not in steps.BY_CODE or steps.BY_CODE[row.code].do not in TAKES_LONG:
        return do_step(step_id, given, by=by, at=at)
    given = given or Given()
    with transaction.atomic():
        closing, row, _step = _ready(step_id, given, at=at)
        if commands.ask_step(row, by=by, at=at):
            if given.note.strip() or given.reference.strip() or given.file is not None:
                doing = _doing(closing, row, given, by=by, at=at)
                name, sha256 = doing.file
                StepEvidence.objects.create(
                    step=row, what="note", note=given.note.strip()[:1000], reference=given.reference.strip()[:120], file_name=name[:160],
                    sha256=sha256, at=at, by=by,
                )  # fmt: skip
            close_tasks(kind="closing_step", thing_kind="closing_step", things=[row.pk], by=by, at=at)
    return None


def do_asked(*, at: datetime) -> int:
    """Do the steps that were asked for and take long, each by one process at a time; returns how many were done.

    Killed, the next run goes on. What refuses stands still and says why; what nobody foresaw is tried again.
    """
    done = 0
    for pk, by in ClosingStep.objects.filter(asked_at__isnull=False, state="waiting").order_by("asked_at", "pk").values_list("pk", "asked_by"):
        try:
            done += do_step(pk, by=by, at=at) is not None
        except Refused as refused:
            if refused.code != "running":
                with transaction.atomic():
                    commands.stop_step(pk, sentence=refused.sentence)
                    remind([pk], at=at, sentence=refused.sentence)
        except Exception as error:
            log.warning("Step %s of a closing stopped: %s", pk, type(error).__name__)
            commands.stop_step(
                pk, sentence=_("Something unexpected happened (%(error)s); it is tried again.") % {"error": type(error).__name__}, goes_on=True
            )
    return done


def _shred_in_strides(closing: Closing, row: ClosingStep, *, by: str, at: datetime, progress: Progress | None) -> None:
    """Before the step's own transaction: commits as it goes, and what a kill leaves is done when the step is done again."""
    begun = row.parts

    def told(done: int, of: int) -> None:
        before = max(0, begun - of)  # by an earlier run
        commands.count_parts(row.pk, done=before + done, of=before + of)
        if progress is not None:
            progress(before + done, before + of)

    with alone("daifa.shredding", closing.store_id) as mine:
        if not mine:
            raise Refused(_("It is running already: the page of the step says how far it has come."), code="running")
        privacy.shred_store(closing.store_id, by=by, at=at, progress=told)


def do_step(
    step_id: int, given: Given | None = None, *, by: str, at: datetime, progress: Progress | None = None
) -> Proof | None:
    """Do a step: ask its check, do what daifa does for it, keep the evidence. Raises `Refused` with the sentence.

    None where the step is not done yet: planned for a quiet hour or for the day on which data may go, or a further
    round was allowed.
    """
    given = given or Given()
    with transaction.atomic():
        closing, row, step = _ready(step_id, given, at=at)
    if step.do in TAKES_LONG:
        _shred_in_strides(closing, row, by=by, at=at, progress=progress)
    with transaction.atomic():
        closing, row, step = _ready(step_id, given, at=at)
        doing = _doing(closing, row, given, by=by, at=at)
        if step.do:
            DO[step.do](doing)
        if doing.later is not None:
            commands.plan_step(row, not_before=doing.later)
            _reckon_days(closing, at=at)
            return None
        if doing.stays_open:
            return None
        proof = Proof(given.note.strip(), given.reference.strip(), doing.facts, *doing.file)
        commands.settle_step(row, what="done", proof=proof, outcome=given.outcome, by=by, at=at)
        _after(doing, step)
        _reckon_days(closing, at=at)
        return proof


def _doing(closing: Closing, row: ClosingStep, given: Given, *, by: str, at: datetime) -> Doing:
    """The step about to be done, the file that was given kept. Raises `Refused`."""
    doing = Doing(closing, row, given, by, at)
    if given.file is not None:
        kept = commands.keep_file(given.file[1])
        doing.file = (keeping.named(given.file[0], kept.media_type), kept.sha256)
    return doing


def _reckon_days(closing: Closing, *, at: datetime) -> None:
    """A step that was settled (or taken back) may move the days of those that follow."""
    closing.refresh_from_db()
    if closing.state in ("threatened", "running"):
        commands.refresh_days(closing, at=at)


def _ready(step_id: int, given: Given, *, at: datetime) -> tuple[Closing, ClosingStep, steps.Step]:
    """The step under its lock, when it may be done now. Raises `Refused`."""
    closing, row, step = _locked(step_id, at=at)
    if row.state != "waiting":
        raise Refused(_("This step is settled already."), code="settled")
    states = dict(ClosingStep.objects.filter(closing=closing).values_list("code", "state"))
    if before := rules.missing_before(row.code, step.after, states):
        raise Refused(_("First: %(steps)s.") % {"steps": titles(before)}, code="steps_before")
    blocked = [one for one in open_now(closing, at=at) if one.code in step.check] if step.check else []
    if blocked:
        raise Refused(
            _("Still open: %(what)s.") % {"what": joined("; ", (blocker_words(one) for one in blocked), chinese="；")}, code="still_open"
        )
    _check_given(step, given)
    return closing, row, step


def undo_step(step_id: int, *, note: str, by: str, at: datetime) -> None:
    """Take a step back, where it can be; what it did is undone and the evidence of both stays. Raises `Refused`."""
    with transaction.atomic():
        closing, row, step = _locked(step_id, at=at)
        if row.state == "waiting":
            raise Refused(_("This step has not been done."), code="not_done")
        if step.final or (step.do and not step.undo and step.do not in ("count_open", "count_listings", "measure", "export_all")):
            raise Refused(_("“%(step)s” cannot be taken back.") % {"step": title(row.code)}, code="final")
        later = [
            other.code
            for other in steps.SCENARIOS[closing.scenario]
            if row.code in other.after
            and ClosingStep.objects.filter(closing=closing, code=other.code, state="done").exists()
        ]
        if later:
            raise Refused(
                _("Take back first what rests on it: %(steps)s.") % {"steps": titles(later)},
                code="steps_after",
            )
        if not note.strip():
            raise Refused(_("Say why the step is taken back."), code="note_missing", field="note")
        doing = Doing(closing, row, Given(note=note), by, at)
        if step.undo:
            UNDO[step.undo](doing)
        commands.settle_step(
            row, what="undone", proof=Proof(note=note.strip(), facts=doing.facts), by=by, at=at
        )
        _reckon_days(closing, at=at)


def leave_out(step_id: int, *, note: str, by: str, at: datetime) -> None:
    """Say that an optional step is not needed, and why (no appeal is made …). Raises `Refused`."""
    with transaction.atomic():
        closing, row, step = _locked(step_id, at=at)
        if not step.optional:
            raise Refused(_("“%(step)s” cannot be left out.") % {"step": title(row.code)}, code="not_optional")
        if not note.strip():
            raise Refused(_("Say why it is left out."), code="note_missing", field="note")
        if row.code == "appeal":  # nobody appeals: those violations are accepted
            cases.accept_violations([one.pk for one in queries.violations_behind(closing)], by=by, at=at)
        commands.settle_step(row, what="not_needed", proof=Proof(note=note.strip()), by=by, at=at)


def _locked(step_id: int, *, at: datetime) -> tuple[Closing, ClosingStep, steps.Step]:
    row = ClosingStep.objects.filter(pk=step_id).first()
    if row is None:
        raise Refused(_("There is no such step."), code="not_found")
    closing = Closing.objects.select_for_update(of=("self",)).select_related("store").get(pk=row.closing_id)
    if closing.state not in ("threatened", "running"):
        raise Refused(_("This closing has ended: nothing is left to be done."), code="ended")
    commands.refuse_before(queries.last_moment(closing), at=at)
    return closing, ClosingStep.objects.select_for_update().get(pk=step_id), steps.BY_CODE[row.code]


def _check_given(step: steps.Step, given: Given) -> None:
    if step.outcomes and given.outcome not in step.outcomes:
        raise Refused(_("Say how it ended."), code="outcome_missing", field="outcome")
    wanted = {"note": given.note.strip(), "reference": given.reference.strip(), "amount": given.amount is not None or bool(given.amounts),
              "file": given.file is not None}  # fmt: skip
    sentences = {
        "note": _("This step needs a few words as evidence."),
        "reference": _("Enter the platform's number or letter for this step."),
        "amount": _("Enter the amount that was paid; 0 when there was none."),
        "file": _("This step needs a file as evidence."),
    }
    for name in step.evidence:
        if not wanted[name]:
            raise Refused(sentences[name], code=f"{name}_missing", field=name)


def _after(doing: Doing, step: steps.Step) -> None:
    """What a settled step means for the closing: averted, winding up, new days."""
    closing, given = doing.closing, doing.given
    effect = step.outcomes[given.outcome][0] if given.outcome in step.outcomes else "go_on"
    if effect == "avert":
        commands.avert_closing(closing, reason=given.note, by=doing.by, at=doing.at)
        settle_tasks(closing, by=doing.by, at=doing.at)
        return
    if effect == "wind_up":
        commands.begin_winding_up(closing, by=doing.by, at=doing.at)
        count = ClosingStep.objects.filter(closing=closing, code="count_open", state="waiting").first()
        if count is not None:  # daifa can do that by itself, as at the start of a closing by choice
            do_step(count.pk, by=doing.by, at=doing.at)
    closing.refresh_from_db()
    if closing.state == "running" or closing.state == "threatened":
        commands.refresh_days(closing, at=doing.at)
    close_tasks(kind="closing_step", thing_kind="closing_step", things=[doing.row.pk], by=doing.by, at=doing.at)
