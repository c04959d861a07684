"""Close a store in good order: each step's check, what daifa does for it, how it is undone, and what proves it.

The steps are declared in `closing/steps.py`; this page knows how to do them. Every step runs in one transaction: where
something refuses, nothing of the step has happened. What leaves the building (messages) is only queued here.
"""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from daifa.domain.books import commands as books
from daifa.domain.books import queries as book_queries
from daifa.domain.books.rules import (
    BANK,
    EXCHANGE,
    EXCHANGE_DIFFERENCES,
    FEES,
    RECEIVABLE,
    merged,
)
from daifa.domain.cases import commands as cases
from daifa.domain.cases import queries as case_queries
from daifa.domain.cases.models import Violation
from daifa.domain.catalog import commands as catalog
from daifa.domain.closing import commands, queries, rules, steps
from daifa.domain.closing.commands import FOLDER, MOST_FILE, Proof
from daifa.domain.closing.models import Closing, ClosingStep, Readmission, StepEvidence
from daifa.domain.closing.queries import BLOCKERS, Blocker
from daifa.domain.messages import commands as messages
from daifa.domain.messages import queries as message_queries
from daifa.domain.orders.commands import lock_orders
from daifa.domain.privacy import queries as privacy_queries
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Store
from daifa.flows import privacy, publish_listings
from daifa.flows.route_lines import route_reopened
from daifa.lib import bulk, keeping
from daifa.lib.alone import alone
from daifa.lib.commas import listed
from daifa.lib.money import rounded
from daifa.lib.refusal import Refused
from daifa.lib.sheets.writer import Column, Table, write_csv

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Given:
    """What a person gives with a step. `amount` is in the store's currency, `amounts` are by currency; `file` = (name, bytes).

    `handed_in_at`: an appeal that is entered later than it was handed in; that moment is asked whether it was in time.
    """

    note: str = ""
    reference: str = ""
    outcome: str = ""
    amount: Decimal | None = None
    file: tuple[str, bytes] | None = None
    amounts: Mapping[str, Decimal] = field(default_factory=dict)
    handed_in_at: datetime | None = None

    def money(self, home: str) -> dict[str, Decimal]:
        """What was paid, by currency; nothing = {}."""
        own = {} if self.amount is None else {home: self.amount}
        return {currency: amount for currency, amount in {**own, **self.amounts}.items() if amount or currency == home}


@dataclass(slots=True)
class Doing:
    """A step while it is being done: what it is about, and what it finds out (`facts` are kept as evidence)."""

    closing: Closing
    row: ClosingStep
    given: Given
    by: str
    at: datetime
    facts: dict[str, Any] = field(default_factory=dict)
    file: tuple[str, str] = ("", "")  # name, sha256
    later: datetime | None = None  # set when the step is to be done by itself at that moment
    stays_open: bool = False

    @property
    def store(self) -> Store:
        return self.closing.store


# --- Beginning and taking back ------------------------------------------------------------------------------------


def pre_check(store_id: int, *, at: datetime) -> list[Blocker]:
    """What is still open in a store: counts and sums, in the order in which they are settled."""
    return queries.blockers(store_id, at=at)


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


# --- The violations behind a removal ------------------------------------------------------------------------------

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


@transaction.atomic
def withdraw(closing_id: int, *, reason: str, by: str, at: datetime) -> Closing:
    """Take a closing back before it was applied for: listings and notice return, the store is open again. Raises `Refused`."""
    closing = commands.withdraw_closing(closing_id=closing_id, reason=reason, by=by, at=at)
    if closing.state == "withdrawn":
        _call_off(closing, by=by, at=at)
        _listings_live(_listings_taken_down(closing), ["delisted", "closed"], by=by, at=at)
        notice = ClosingStep.objects.get(closing=closing, code="shop_notice")
        if notice.state == "done":
            _withdraw_notice(Doing(closing, notice, Given(note=reason), by, at))
    _settle_tasks(closing, by=by, at=at)
    return closing


@transaction.atomic
def avert(closing_id: int, *, reason: str, by: str, at: datetime) -> None:
    """What threatened a store is over, by somebody else's word: it stays. Nothing where the closing is past that."""
    closing = Closing.objects.select_for_update(of=("self",)).select_related("store").get(pk=closing_id)
    if closing.state == "threatened":
        commands.avert_closing(closing, reason=reason, by=by, at=at)
        _settle_tasks(closing, by=by, at=at)


# --- A step -------------------------------------------------------------------------------------------------------


TAKES_LONG = ("shred_personal_data",)
"""What daifa does in strides that commit as they go; a page does not wait for it."""
Progress = Callable[[int, int], None]
"""Called with the orders that are done, and how many there are."""


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
                    _remind([pk], at=at, sentence=refused.sentence)
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
        kept = keeping.keep(FOLDER, given.file[1], kinds=keeping.DOCUMENTS, most=MOST_FILE)
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
            _("Still open: %(what)s.") % {"what": "; ".join(blocker_words(one) for one in blocked)}, code="still_open"
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


def open_now(closing: Closing, *, at: datetime) -> list[Blocker]:
    """What is still open in the store of a closing, its public notice while it runs among it, and unanswered retention."""
    found = queries.blockers(closing.store_id, at=at)
    if running := queries.notice_running(closing, at=at):
        found.append(running)
    if unanswered := privacy.unanswered(closing.store_id):
        found.append(Blocker("retention_unknown", len(unanswered)))
    return found


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
        _settle_tasks(closing, by=doing.by, at=doing.at)
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


def _settle_tasks(closing: Closing, *, by: str, at: datetime) -> None:
    rows = list(ClosingStep.objects.filter(closing=closing).values_list("pk", flat=True))
    close_tasks(kind="closing_step", thing_kind="closing_step", things=rows, by=by, at=at)


def title(code: str) -> str:
    """A step's title in the reader's language."""
    return commands.said(steps.BY_CODE[code].title)


def titles(codes: Iterable[str]) -> str:
    """Titles of steps in one line, in the reader's language."""
    return listed(title(code) for code in codes)


def blocker_words(one: Blocker) -> str:
    """"orders not shipped: 3 (120.00 CNY)", in the reader's language."""
    words = commands.said(BLOCKERS[one.code])
    extra = []
    if one.amount is not None:
        extra.append(f"{rounded(one.amount, one.currency)} {one.currency}")
    if one.until is not None:
        extra.append(_("until %(date)s") % {"date": one.until})
    return f"{words}{commands.said((': ', '：'))}{one.count}" + (f" ({listed(extra, comma='，')})" if extra else "")


# --- What daifa does ----------------------------------------------------------------------------------------------


def _count_open(doing: Doing) -> None:
    found = open_now(doing.closing, at=doing.at)
    doing.facts["open"] = {
        one.code: {"count": one.count, **({"amount": str(one.amount), "currency": one.currency} if one.amount is not None else {})}
        for one in found
    }  # fmt: skip


def _send_appeals(doing: Doing) -> None:
    """The appeals of this round: those of the violations behind the removal, in their time and no more than are allowed."""
    behind = queries.violations_behind(doing.closing)
    doing.facts["appealed"] = send_appeals(
        behind, text=doing.given.note.strip(), reference=doing.given.reference.strip(), file=doing.given.file,
        handed_in_at=doing.given.handed_in_at, by=doing.by, at=doing.at,
    )  # fmt: skip
    handed_in = (doing.given.handed_in_at or doing.at).astimezone(ZoneInfo(doing.store.timezone)).date()
    commands.note_params(doing.closing, appealed_on=handed_in.isoformat())


def _withdraw_appeals(doing: Doing) -> None:
    for one in queries.violations_behind(doing.closing):
        for appeal in one.appeals.filter(state="sent"):
            cases.withdraw_appeal(appeal_id=appeal.pk, by=doing.by, at=doing.at)
    commands.note_params(doing.closing, appealed_on=None)


def _warn_store(doing: Doing) -> None:
    if queries.standing(doing.store.pk) == "normal":
        commands.set_standing(store_id=doing.store.pk, to="warned", reason=doing.given.note, by=doing.by, at=doing.at)


def _hear_ruling(doing: Doing) -> None:
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
        today = _today(doing)
        commands.note_params(doing.closing, rounds=rounds, noticed_on=today.isoformat(), appealed_on=None)
        terms = queries.terms_of(doing.store, on=doing.at.date())
        until = datetime.combine(
            today + timedelta(days=terms.appeal_days.value + 1), time(0), ZoneInfo(doing.store.timezone)
        )
        rule_on(queries.violations_behind(doing.closing), "again", answer=doing.given.note, until=until, by=doing.by, at=doing.at)
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
    commands.note_params(doing.closing, ruled_on=_today(doing).isoformat())
    effect = steps.BY_CODE[doing.row.code].outcomes[outcome][0]
    rule_on(
        queries.violations_behind(doing.closing), outcome, answer=doing.given.note.strip() or title(doing.row.code), by=doing.by, at=doing.at
    )
    commands.reckon_standings([doing.store.pk], by=doing.by, at=doing.at)
    now = queries.standing(doing.store.pk)
    if effect == "avert":  # the notice's word is over; what other violations come to still counts
        commands.set_standing(store_id=doing.store.pk, to="", reason=doing.given.note, by=doing.by, at=doing.at)
    if effect == "wind_up" and doing.closing.scenario == "rule_change" and now == "warned":
        commands.set_standing(store_id=doing.store.pk, to="restricted", reason=doing.given.note, by=doing.by, at=doing.at)


def _freeze_store(doing: Doing) -> None:
    commands.set_standing(
        store_id=doing.store.pk, to="frozen", reason=doing.given.note or doing.closing.reason, by=doing.by, at=doing.at
    )


def _count_listings(doing: Doing) -> None:
    doing.facts["listings"] = dict(
        bulk.fetch("SELECT state, count(*) FROM catalog_listingvariant WHERE store_id = %s GROUP BY 1", (doing.store.pk,))
    )


def _measure(doing: Doing) -> None:
    months = queries.months_of(doing.store.pk, at=doing.at)
    lines = queries.lines_of(doing.store.pk, at=doing.at)
    doing.facts |= {
        "orders_by_30_days": [month.orders for month in months],
        "sales_by_30_days": [str(month.sales) for month in months],
        "quiet": queries.nobody_comes(doing.store.pk, at=doing.at),
        "line": next(line.line for line in lines if line.measure == "orders"),
    }
    for name in ("visits", "impressions"):
        values = [getattr(month, name) for month in months]
        if any(value is not None for value in values):
            doing.facts[f"{name}_by_30_days"] = ["–" if value is None else value for value in values]
    doing.facts["below"] = [line.measure for line in lines if line.is_below]
    _count_listings(doing)
    if doing.row.code == "choose":
        if doing.given.outcome == "stay" and doing.facts["quiet"]:
            raise Refused(
                _("The figures are still below the line, three times thirty days over (%(lines)s): choose another way.")
                % {"lines": _below([line for line in lines if line.is_below])},
                code="still_quiet", field="outcome",
            )  # fmt: skip
        commands.note_params(doing.closing, ruled_on=_today(doing).isoformat())


def _below(lines: Sequence[rules.Line]) -> str:
    return listed(f"{commands.said(rules.MEASURES[one.measure])} < {one.line}" for one in lines)


def _publish_notice(doing: Doing) -> None:
    """The public page is on, and names somebody to whom buyers turn: without that the notice would help nobody."""
    page = queries.status_page(doing.store.pk)
    contact = (page.contact if page else "") or doing.store.reply_to
    if not contact.strip():
        raise Refused(
            _("The notice names nobody to whom buyers turn for after-sales: enter a contact under “Public status page” (or an address for replies in the store), then do this step."),
            code="contact_missing",
        )  # fmt: skip
    doing.facts["was_on"] = bool(page and page.is_on)
    made = commands.set_status_page(store_id=doing.store.pk, is_on=True, contact=contact, by=doing.by, at=doing.at)
    doing.facts["address"] = made.slug


def _withdraw_notice(doing: Doing) -> None:
    last = doing.row.evidence.filter(what="done").order_by("-id").first()
    page = queries.status_page(doing.store.pk)
    if page is not None and last is not None and not last.facts.get("was_on"):
        commands.set_status_page(
            store_id=doing.store.pk, is_on=False, contact=page.contact, by=doing.by, at=doing.at
        )


def _take_listings_down(doing: Doing) -> None:
    """Every live listing down; while buyers have open requests not in the hours in which most of them come."""
    store = doing.store
    busy = rules.busy_hours(queries.orders_by_hour(store.pk, at=doing.at))
    moment = rules.quiet_moment(
        doing.at, busy, ZoneInfo(store.timezone), has_aftersales=queries.has_aftersales(store.pk)
    )
    if moment > doing.at:
        doing.later = moment
        return
    rows = bulk.fetch("SELECT id FROM catalog_listingvariant WHERE store_id = %s AND state IN ('live', 'paused')", (store.pk,))
    on_sale = [row[0] for row in rows]
    # The channel is asked, too: by its system, or by a file that a person uploads.
    asked = publish_listings.withdraw_from_channel(
        store_id=store.pk, product_ids=publish_listings.products_of(on_sale).get(store.pk, []), action="delist", by=doing.by, at=doing.at,
        reason="closing",
    )  # fmt: skip
    sent = [one.publication for one in asked.outcomes.values() if one.state == "ready" and one.publication]
    down = catalog.move_listings(on_sale, to="delisted", by=doing.by, at=doing.at, reason="closing").moved
    doing.facts |= {"listings": len(down), "ids": sorted(down), "busy_hours": sorted(busy), "asked": len(sent), "publications": sent}


def _listings_taken_down(closing: Closing) -> list[int]:
    found = StepEvidence.objects.filter(step__closing=closing, step__code="listings_down", what="done").order_by("-id").first()
    return list(found.facts.get("ids", [])) if found else []


def _listings_live(ids: Sequence[int], states: Sequence[str], *, by: str, at: datetime) -> int:
    """Those of the listings that are in one of `states` are live again; returns how many."""
    rows = bulk.fetch(
        "SELECT id FROM catalog_listingvariant WHERE id = ANY(%s::bigint[]) AND state = ANY(%s::text[])", (list(ids), list(states))
    )
    return len(catalog.move_listings([row[0] for row in rows], to="live", by=by, at=at, reason="closing withdrawn").moved)


def _call_off(closing: Closing, *, by: str, at: datetime) -> None:
    """What was to be taken off sale at the channel and has not gone out yet stays there."""
    found = StepEvidence.objects.filter(step__closing=closing, step__code="listings_down", what="done").order_by("-id").first()
    if found is not None:
        catalog.withdraw_publications(found.facts.get("publications", []), by=by, at=at, reason="closing withdrawn")


def _put_listings_back(doing: Doing) -> None:
    _call_off(doing.closing, by=doing.by, at=doing.at)
    doing.facts["listings"] = _listings_live(_listings_taken_down(doing.closing), ["delisted"], by=doing.by, at=doing.at)


_STALE = ("order_received", "review", "in_transit")
"""Messages that make no sense any more from a store that ends; what tells a buyer of his parcel still goes."""


def _retire_links(doing: Doing) -> None:
    """Listings are closed for good, the list of their links kept as a file; stale messages are not sent."""
    store = doing.store
    ids = [row[0] for row in bulk.fetch("SELECT id FROM catalog_listingvariant WHERE store_id = %s", (store.pk,))]
    ended = catalog.move_listings(ids, to="closed", by=doing.by, at=doing.at, reason="closing").moved
    links = bulk.fetch("SELECT sku, external_id, title FROM catalog_listingvariant WHERE id = ANY(%s::bigint[])", (ended,))
    stale = [
        row[0]
        for row in bulk.fetch(
            """SELECT m.id FROM buyer_messages_message m JOIN orders_order o ON o.id = m.order_id
               WHERE m.store_id = %s AND m.state IN ('queued', 'failed')
                 AND (m.kind = ANY(%s::text[]) OR o.status IN ('delivered', 'cancelled', 'closed') AND m.kind <> 'delivered')
                 AND m.kind <> 'store_closing' ORDER BY m.id FOR NO KEY UPDATE OF m""",
            (store.pk, list(_STALE)),
        )
    ]
    gone = messages.suppress_queued(dict.fromkeys(stale, "store_closing"), by=doing.by, at=doing.at)
    doing.facts |= {"links": len(links), "messages": len(gone.moved)}
    table = _csv(("sku", "external_id", "title"), sorted(links))
    doing.file = (f"{store.code}-links.csv", keeping.store(FOLDER, table))


def _tell_buyers(doing: Doing) -> None:
    """One message for each order that is on its way or within its time for claims, where the channel lets us write."""
    closing, store = doing.closing, doing.store
    days = {day.code: day.on for day in queries.days_of(closing, at=doing.at)}
    terms = queries.terms_of(store, on=doing.at.date())
    commands.note_params(
        closing, closing_date=days["closed"].isoformat(), claims_until=days["claims_until"].isoformat()
    )
    orders = [
        row[0]
        for row in bulk.fetch(
            """SELECT o.id FROM orders_order o
               WHERE o.store_id = %s AND NOT o.is_history AND o.units > o.cancelled
                 AND (o.delivered < o.units - o.cancelled OR EXISTS (
                     SELECT FROM shipping_parcel p WHERE p.order_id = o.id
                     AND p.delivered_at > %s::timestamptz - %s * interval '1 day')) ORDER BY o.id""",
            (store.pk, doing.at, terms.claim_days.value),
        )
    ]
    lock_orders(orders)
    rows = [row._replace(version=closing.number) for row in message_queries.tellings("store_closing", orders)]
    told = messages.queue_messages("store_closing", rows, at=doing.at, by=doing.by)
    why: dict[str, int] = {}
    for reason in told.suppressed.values():
        why[reason] = why.get(reason, 0) + 1
    doing.facts |= {"orders": len(orders), "told": len(told.queued), "not_told": why}


def _apply(doing: Doing) -> None:
    commands.mark_applied(doing.closing, at=doing.at)
    doing.facts["reason"] = doing.given.note.strip()


def _mark_closed(doing: Doing) -> None:
    """The platform has closed the store; before the law's notice is over only a ruling of its own can do that."""
    day = next(day for day in queries.days_of(doing.closing, at=doing.at) if day.code == "closed")
    commands.mark_closed(
        doing.closing, by=doing.by, at=doing.at, reason=doing.given.reference or doing.given.note
    )
    doing.facts["expected"] = day.on.isoformat()
    close_tasks(kind="closing_step", thing_kind="closing_step", things=[doing.row.pk], by=doing.by, at=doing.at)


def _value(doing: Doing, amount: Decimal, currency: str) -> Decimal:
    """What an amount is worth in the store's currency at the books' rate of the day; the rate is kept as a fact."""
    home = doing.store.currency
    if currency == home:
        return rounded(amount, home)
    found = book_queries.rate_on(currency, home, _today(doing))
    if found is None:
        raise Refused(
            _("The books know no rate from %(currency)s to %(home)s for %(date)s: enter it under exchange rates, then do this step.")
            % {"currency": currency, "home": home, "date": _today(doing)},
            code="rate_missing", field=f"amount_{currency}",
        )  # fmt: skip
    doing.facts.setdefault("rates", {})[currency] = f"{found.rate.normalize():f} ({found.source} {found.date})"
    return rounded(amount * found.rate, home)


def _book_proceeds(doing: Doing) -> None:
    """What came in goes to the bank; what the channel kept of what it owed is its fees, and needs a reason.

    What is owed in other currencies passes the exchange account at the day's rate; it may be paid in its own or in the
    store's. Where the step was taken back before, only what has moved since is due: an entry of its own.
    """
    store, home = doing.store, doing.store.currency
    due = {money.currency: money.amount for money in queries.proceeds_due(store.pk) if money.amount}
    paid = doing.given.money(home)
    for currency, amount in paid.items():
        if amount < 0 and amount != due.get(currency):
            raise Refused(_("The amount that was paid is not negative."), code="amount_wrong", field=f"amount_{currency}")
    owed_value = {currency: _value(doing, amount, currency) for currency, amount in due.items()}
    paid_value = sum((_value(doing, amount, currency) for currency, amount in paid.items()), Decimal(0))
    owed = sum(owed_value.values(), Decimal(0))
    kept = owed - paid_value
    if kept and not doing.given.note.strip():
        raise Refused(
            _("The books expect %(owed)s %(currency)s. Say why another amount came in.")
            % {"owed": rounded(owed, home), "currency": home},
            code="note_missing", field="note",
        )  # fmt: skip
    legs = [(BANK, home, paid_value), (FEES, home, kept), (RECEIVABLE, home, -due.get(home, Decimal(0)))]
    for currency, amount in due.items():
        if currency != home:
            legs += [
                (RECEIVABLE, currency, -amount), (EXCHANGE, currency, amount), (EXCHANGE, home, -owed_value[currency]),
            ]  # fmt: skip
    books.post_entries(
        [
            books.NewEntry(store.pk, *_fact_of(doing), doing.at, merged(legs), memo=doing.given.note.strip()[:200])
        ],
        by=doing.by,
    )  # fmt: skip
    doing.facts |= {"owed": str(rounded(owed, home)), "paid": str(rounded(paid_value, home)), "currency": home}
    doing.facts["kept" if kept >= 0 else "more"] = str(rounded(abs(kept), home))
    if foreign := {currency: str(amount) for currency, amount in paid.items() if currency != home}:
        doing.facts["paid_in"] = foreign


def _fact_of(doing: Doing) -> tuple[str, int]:
    """The fact its entry is of: the step, or the last time it was taken back."""
    back = StepEvidence.objects.filter(step=doing.row, what="undone").order_by("-pk").first()
    return ("proceeds_settled", doing.row.pk) if back is None else ("proceeds_again", back.pk)


def _keep_proceeds(_doing: Doing) -> None:
    """The money came all the same: what is booked stays. The step is open again for what has moved since."""


def _return_deposit(doing: Doing) -> None:
    """What of the deposit came back; what did not was kept by the platform, and needs a reason.

    Paid back in another currency it counts at the day's rate; more than was held is an exchange difference.
    """
    store, home = doing.store, doing.store.currency
    paid = doing.given.money(home)
    held = case_queries.deposit(store.pk).held.amount
    amount = sum((_value(doing, one, currency) for currency, one in paid.items()), Decimal(0))
    gain = amount - held if set(paid) - {home} and amount > held else Decimal(0)
    if min(paid.values(), default=Decimal(0)) < 0 or amount - gain > held:
        raise Refused(
            _("Of the deposit %(held)s %(currency)s are held: no more can come back.")
            % {"held": rounded(held, home), "currency": home},
            code="amount_wrong", field=f"amount_{home}",
        )  # fmt: skip
    # When it came is a fact, also where the rule expects it later.
    expected = next(day.on for day in queries.days_of(doing.closing, at=doing.at) if day.code == "deposit")
    returned = amount - gain
    kept = held - returned
    note = doing.given.note.strip()
    moves = [cases.NewMove("returned", returned, doing.at, note=note)] if returned else []
    if kept:
        moves.append(cases.NewMove("deducted", kept, doing.at, note=note))
    done = cases.move_deposit(moves, store=store, by=doing.by, at=doing.at)
    if done.refused:
        raise Refused(done.refused[0].sentence(), code=done.refused[0].code)
    if gain:
        legs = [(BANK, home, gain), (EXCHANGE_DIFFERENCES, home, -gain)]
        books.post_entries([books.NewEntry(store.pk, "proceeds_settled", doing.row.pk, doing.at, legs, memo=note[:200])], by=doing.by)
        doing.facts["gain"] = str(rounded(gain, home))
    commands.note_params(doing.closing, deposit_on=_today(doing).isoformat())
    sums = {"held": held, "returned": returned, "kept": kept}
    doing.facts |= {name: str(rounded(amount, home)) for name, amount in sums.items()} | {"currency": home}
    doing.facts["expected"] = expected.isoformat()
    if foreign := {currency: str(one) for currency, one in paid.items() if currency != home}:
        doing.facts["paid_in"] = foreign


def _today(doing: Doing) -> date:
    return doing.at.astimezone(ZoneInfo(doing.store.timezone)).date()


def _shred(doing: Doing) -> None:
    """Personal data go as far as holds and retention allow. What must be kept longer goes on its day, and only then is
    the step done; what waits for an answer or for a dispute refuses it, and what could go has gone all the same."""
    done = privacy.shred_store(doing.store.pk, by=doing.by, at=doing.at)
    waits = [stay for stay in done.stays if stay.code in ("unknown", "too_early", *privacy.HOLDS)]
    if endless := [stay for stay in waits if stay.until is None]:
        raise Refused(
            _("Not everything may go yet: %(why)s What may go has gone. Do this step again then.")
            % {"why": " ".join(dict.fromkeys(stay.sentence() for stay in endless))},
            code="data_stays",
        )  # fmt: skip
    if waits:
        days = [stay.until for stay in waits if stay.until]
        doing.later = min(days)
        kept_until = max(days).astimezone(ZoneInfo(doing.store.timezone)).date()
        commands.note_params(doing.closing, kept_until=kept_until.isoformat())
        return
    counts, orders, customers = privacy_queries.erased_with_store(doing.store.pk, since=doing.closing.started_at)
    doing.facts |= {
        "erased": counts,
        "orders": orders,
        "customers": customers,
        "stays": [{"data": stay.data, "why": stay.code, "orders": len(stay.orders)} for stay in done.stays],
    }


def _lock_books(doing: Doing) -> None:
    books.lock_books(
        store_id=doing.store.pk, until=books.FOR_GOOD, reason=_("closing %(number)s") % {"number": doing.closing.number},
        by=doing.by, at=doing.at,
    )  # fmt: skip
    balance = book_queries.trial_balance([doing.store.pk])
    doing.facts["balances"] = [[row.code, row.currency, str(row.amount)] for row in balance.rows]


def _unlock_books(doing: Doing) -> None:
    books.unlock_books(store_id=doing.store.pk, until=None, reason=doing.given.note, by=doing.by, at=doing.at)


def _archive(doing: Doing) -> None:
    commands.archive_store(doing.closing, by=doing.by, at=doing.at)


# --- Export -------------------------------------------------------------------------------------------------------

_EXPORTS: dict[str, tuple[tuple[str, ...], str]] = {
    "orders.csv": (
        ("number", "placed_at", "paid_at", "country", "currency", "goods", "shipping", "other", "total", "refunded", "status"),
        """SELECT number, placed_at, paid_at, country, currency, goods_amount, shipping_amount, other_amount, total_amount,
                  refunded_amount, status FROM orders_order WHERE store_id = %s ORDER BY id""",
    ),
    "order_lines.csv": (
        ("order", "line", "kind", "sku", "title", "quantity", "unit_price", "amount", "shipped", "delivered", "refunded"),
        """SELECT o.number, l.line_no, l.kind, l.sku, l.title, l.quantity, l.unit_price, l.amount, l.shipped, l.delivered,
                  l.refunded FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id WHERE o.store_id = %s
           ORDER BY o.id, l.line_no""",
    ),
    "purchases.csv": (
        ("reference", "order", "supplier", "state", "currency", "rate", "goods", "freight", "units", "accepted", "shipped", "at"),
        """SELECT p.reference, o.number, s.code, p.state, p.currency, p.fx_rate, p.goods_amount, p.freight_amount, p.units,
                  p.accepted, p.shipped, p.at FROM purchasing_purchaseorder p JOIN orders_order o ON o.id = p.order_id
           JOIN sourcing_supplier s ON s.id = p.supplier_id WHERE p.store_id = %s ORDER BY p.id""",
    ),
    "parcels.csv": (
        ("order", "carrier", "state", "announced_at", "handed_over_at", "delivered_at", "late"),
        """SELECT o.number, p.carrier, p.state, p.announced_at, p.handed_over_at, p.delivered_at, p.is_late
           FROM shipping_parcel p JOIN orders_order o ON o.id = p.order_id WHERE p.store_id = %s ORDER BY p.id""",
    ),
    "refunds.csv": (
        ("order", "reference", "state", "reason", "no_claim_reason", "amount", "currency", "at", "confirmed_at"),
        """SELECT o.number, r.external_ref, r.state, r.reason, r.no_claim_reason, r.amount, r.currency, r.at, r.confirmed_at
           FROM aftersales_refund r LEFT JOIN orders_order o ON o.id = r.order_id WHERE r.store_id = %s ORDER BY r.id""",
    ),
    "entries.csv": (
        ("entry", "at", "fact", "order", "memo", "account", "currency", "amount"),
        """SELECT e.id, e.at, e.fact, o.number, e.memo, a.code, p.currency, p.amount FROM books_entry e
           JOIN books_posting p ON p.entry_id = e.id JOIN books_account a ON a.id = p.account_id
           LEFT JOIN orders_order o ON o.id = e.order_id WHERE e.store_id = %s ORDER BY e.id, p.line_no""",
    ),
}  # fmt: skip
"""What is kept of a closed store: numbers and sums. Names, addresses, waybills and what buyers wrote are not in it."""


def export_store(store: Store) -> tuple[bytes, dict[str, int]]:
    """A zip of the books and orders of a store, without personal data, and the rows in each file."""
    counts = {}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, transaction.atomic():
        hashes = []
        for name, (columns, sql) in _EXPORTS.items():
            rows = bulk.fetch(sql, (store.pk,))
            _add(archive, name, _csv(columns, rows), hashes)
            counts[name] = len(rows)
        _add(archive, "books.beancount", book_queries.export_beancount([store.pk]).encode(), hashes)
        _add(archive, "SHA256SUMS", "".join(hashes).encode(), [])
    return buffer.getvalue(), counts


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.BytesIO()
    write_csv(text, Table("", [Column(name) for name in columns], rows))
    return text.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes, hashes: list[str]) -> None:
    archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    hashes.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")


def _export_all(doing: Doing) -> None:
    content, counts = export_store(doing.store)
    doing.file = (f"{doing.store.code}-books-and-orders.zip", keeping.store(FOLDER, content))
    doing.facts["rows"] = counts


def file_of(sha256: str) -> Path:
    """Where a file that proves a step lies."""
    return keeping.path_of(FOLDER, sha256)


DO: dict[str, Callable[[Doing], None]] = {
    "count_open": _count_open, "warn_store": _warn_store, "send_appeals": _send_appeals, "hear_ruling": _hear_ruling, "freeze_store": _freeze_store,
    "count_listings": _count_listings, "measure": _measure, "publish_notice": _publish_notice,
    "take_listings_down": _take_listings_down, "retire_links": _retire_links, "tell_buyers": _tell_buyers, "apply": _apply,
    "mark_closed": _mark_closed, "book_proceeds": _book_proceeds, "return_deposit": _return_deposit,
    "export_all": _export_all, "shred_personal_data": _shred, "lock_books": _lock_books, "archive": _archive,
}  # fmt: skip
UNDO: dict[str, Callable[[Doing], None]] = {
    "withdraw_appeals": _withdraw_appeals,
    "withdraw_notice": _withdraw_notice, "put_listings_back": _put_listings_back, "unlock_books": _unlock_books,
    "keep_proceeds": _keep_proceeds,
}  # fmt: skip

# --- By the clock -------------------------------------------------------------------------------------------------

AHEAD = timedelta(days=2)


def sweep(*, at: datetime, by: str = "job:keep_closings") -> dict[str, int]:
    """Do what was planned for a quiet hour or for a day, refresh expected days, remind of steps that are due.

    Returns {"done": steps done now, "due": reminders opened now}.
    """
    done = 0
    with transaction.atomic():
        route_reopened(at=at)
    keep_standings(at=at, by=by)
    follow_appeals(at=at, by=by)
    for pk in ClosingStep.objects.filter(
        state="waiting", not_before__lte=at, closing__state="running", code__in=("listings_down", "shred")
    ).values_list("pk", flat=True):
        try:
            done += do_step(pk, by=by, at=at) is not None
        except Refused as refused:
            if refused.code in ("running", "settled"):
                continue  # another hand is at it this moment, or has just done it: nothing is late, and nobody needs telling
            _remind([pk], at=at, sentence=refused.sentence)
            ClosingStep.objects.filter(pk=pk, code="shred").update(not_before=at + timedelta(days=1))  # not every hour
    for closing in Closing.objects.filter(state__in=("threatened", "running")).select_related("store"):
        with transaction.atomic():
            commands.refresh_days(closing, at=at)
    due = [
        pk
        for pk, code, day, zone in ClosingStep.objects.filter(
            state="waiting", due_on__isnull=False, closing__state__in=("threatened", "running")
        ).values_list("pk", "code", "due_on", "closing__store__timezone")
        if day <= (at + AHEAD).astimezone(ZoneInfo(zone)).date() and not _waits_for_others(pk)
    ]
    return {"done": done, "due": _remind(due, at=at)}


def keep_standings(*, at: datetime, by: str = "job:keep_standings") -> int:
    """Let violations, their end and won appeals move the standing of every store; what a store could not do is routed again.

    Returns how many moved.
    """
    moved = commands.reckon_standings(by=by, at=at)
    if any(before == "frozen" for before, _now in moved.values()):
        with transaction.atomic():
            route_reopened(at=at)
    return len(moved)


def follow_appeals(*, at: datetime, by: str = "job:keep_closings") -> int:
    """What happened on the violations' own pages settles the removal's steps: an appeal that was sent, one that was won.

    Returns how many steps were settled. Where only some of the violations were lifted the ruling is still to come.
    """
    settled = 0
    for closing in Closing.objects.filter(state="threatened", scenario="forced").select_related("store"):
        behind = queries.violations_behind(closing)
        waiting = {row.code: row.pk for row in ClosingStep.objects.filter(closing=closing, state="waiting")}
        if not behind or "ruling" not in waiting or "notice" in waiting:
            continue
        sent = [appeal for one in behind for appeal in one.appeals.filter(state="sent")]
        try:
            with transaction.atomic():
                if "appeal" in waiting and sent:
                    given = Given(_("sent on the page of the violation"), sent[0].reference or behind[0].reference)
                    settled += do_step(waiting["appeal"], given, by=by, at=at) is not None
                if all(one.state == "lifted" for one in behind):
                    if "appeal" in waiting and not sent:
                        leave_out(waiting["appeal"], note=_("lifted"), by=by, at=at)
                    given = Given(_("lifted: %(references)s") % {"references": listed(one.reference for one in behind)}, outcome="reversed")
                    settled += do_step(waiting["ruling"], given, by=by, at=at) is not None
        except Refused as refused:
            _remind([waiting["ruling"]], at=at, sentence=refused.sentence)
    return settled


def _waits_for_others(pk: int) -> bool:
    row = ClosingStep.objects.get(pk=pk)
    states = dict(ClosingStep.objects.filter(closing_id=row.closing_id).values_list("code", "state"))
    return bool(rules.missing_before(row.code, steps.BY_CODE[row.code].after, states))


def _remind(ids: Iterable[int], *, at: datetime, sentence: str = "") -> int:
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


def quiet_stores(*, at: datetime) -> list[int]:
    """Open stores to which nobody comes: three stretches of thirty days below the line, by orders or by what was seen."""
    return [
        store.pk
        for store in Store.objects.filter(created_at__lt=at - timedelta(days=30 * rules.QUIET_MONTHS)).order_by("pk")
        if queries.lifecycle(store.pk) == "open"
        and queries.nobody_comes(store.pk, at=at)
    ]


# --- Coming back --------------------------------------------------------------------------------------------------


@transaction.atomic
def readmit(*, readmission_id: int, admitted: bool, answer: str, by: str, at: datetime) -> Any:
    """The platform's answer; with a yes the books open again from the next day after the old life on. Raises `Refused`."""
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
        _add(archive, "plan.csv", _csv(("step", "title", "due", "proof", "done_at", "papers"), rows), hashes)
        numbers: dict[int, int] = {}
        for one in papers:
            content = keeping.read(FOLDER, one.sha256)
            if content is None:
                raise Refused(_("The bytes of %(name)s are gone from the file store; bring back a backup.") % {"name": one.name}, code="file_gone")
            numbers[one.step_id] = numbers.get(one.step_id, 0) + 1
            _add(archive, f"{one.step.position}-{one.step.code}/{numbers[one.step_id]}-{one.name}", content, hashes)
        _add(archive, "SHA256SUMS", "".join(hashes).encode(), [])
    return buffer.getvalue()
