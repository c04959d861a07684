"""Everything that may be done to the life of a store: closings and their steps, standing, status page, coming back.

What a step does outside this subject (listings, messages, books, files) is `flows/close_store/`, which calls these.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pghistory
from django.db import IntegrityError, transaction
from django.db.models import Max, Q
from django.utils.translation import gettext_noop as N_

from daifa.domain.closing import queries, rules, steps
from daifa.domain.closing.models import (
    SCENARIOS,
    Closing,
    ClosingStep,
    ComebackPaper,
    ComebackStep,
    Lifecycle,
    PaperTakenAway,
    PastClosing,
    Readmission,
    Standing,
    StatusPage,
    StepEvidence,
)
from daifa.domain.closing.process import CLOSING, CLOSING_STEP, LIFECYCLE, READMISSION, STANDING
from daifa.domain.history.commands import move, record_births
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Store
from daifa.lib import bulk, keeping, pictures
from daifa.lib.commas import listed
from daifa.lib.refusal import Refused, RowRefused
from daifa.lib.sentences import gettext as _
from daifa.lib.sentences import in_words

# --- Life and standing --------------------------------------------------------------------------------------------


def ensure_lifecycle(store_id: int, *, by: str, at: datetime, state: str = "open") -> Lifecycle:
    """The present life of a store, written down if nobody has yet; locked. Joins the caller's transaction."""
    found = Lifecycle.objects.select_for_update().filter(store_id=store_id, replaced_at=None).first()
    if found is not None:
        return found
    began = Store.objects.values_list("created_at", flat=True).get(pk=store_id) if state == "open" else at
    made = bulk.fetch(
        """INSERT INTO closing_lifecycle (store_id, state, began_at) VALUES (%s, %s, %s)
           ON CONFLICT (store_id) WHERE replaced_at IS NULL DO NOTHING RETURNING id""",
        (store_id, state, began),
    )
    if made:  # otherwise another hand wrote it down just now
        record_births(LIFECYCLE, [made[0][0]], state, by=by, at=at)
    return Lifecycle.objects.select_for_update().get(store_id=store_id, replaced_at=None)


@transaction.atomic
def prepare_store(*, store_id: int, by: str, at: datetime) -> Lifecycle:
    """A store that is not open yet: its orders wait until `open_store`. Raises `Refused` where it sells already."""
    if queries.has_orders(store_id):
        raise Refused(_("This store has orders already: it is open."), code="has_orders")
    if Lifecycle.objects.filter(store_id=store_id).exists():
        raise Refused(_("This store has a life already; only a new one can be prepared."), code="has_lifecycle")
    return ensure_lifecycle(store_id, by=by, at=at, state="preparing")


@transaction.atomic
def open_store(*, store_id: int, by: str, at: datetime, reason: str = "") -> None:
    """A store that was being prepared begins to sell. Raises `Refused`."""
    life = ensure_lifecycle(store_id, by=by, at=at)
    _move_life(life, "open", by=by, at=at, reason=reason)


def _move_life(life: Lifecycle, to: str, *, by: str, at: datetime, reason: str = "", set_at: str = "") -> None:
    if life.state == to:
        return
    if not move(LIFECYCLE, [life.pk], to=to, by=by, at=at, reason=reason, set_at=set_at).moved:
        words = LIFECYCLE.words
        raise Refused(
            _("The store is “%(state)s” and cannot become “%(to)s”.")
            % {"state": said(words[life.state]), "to": said(words[to])},
            code="wrong_state",
        )
    life.state = to


@transaction.atomic
def set_standing(*, store_id: int, to: str, reason: str, by: str, at: datetime) -> Standing:
    """What a notice, a ruling or a person says the platform thinks of the store, from now on. Raises `Refused`.

    It holds against what violations come to at present; when they come to worse, the worse counts. `to` "" takes the
    word back: then only the violations count. The same again changes nothing.
    """
    if to and to not in STANDING.table:
        raise Refused(_("There is no standing “%(to)s”.") % {"to": to}, code="no_standing", field="standing")
    found = _ensure_standing(store_id, by=by, at=at)
    if (found.said, found.state) == (to, to or found.reckoned):
        return found
    if not reason.strip():
        raise Refused(_("Say why the standing changes."), code="reason_missing", field="reason")
    found.said, found.said_over = to, found.reckoned
    found.save(update_fields=["said", "said_over"])
    _settle_standing(found, reason=reason.strip(), rule_id="", by=by, at=at)
    return found


def _ensure_standing(store_id: int, *, by: str, at: datetime) -> Standing:
    life = ensure_lifecycle(store_id, by=by, at=at)
    found = Standing.objects.select_for_update().filter(lifecycle=life).first()
    if found is None:
        found = Standing.objects.create(store_id=store_id, lifecycle=life, state="normal", since=at)
        record_births(STANDING, [found.pk], "normal", by=by, at=at)
        found.refresh_from_db()
    return found


@transaction.atomic
def reckon_standings(store_ids: Sequence[int] | None = None, *, by: str, at: datetime) -> dict[int, tuple[str, str]]:
    """Let points and limits in force move the standing of stores (None = all that have any): forward when a line is
    crossed or a limit put, back when points fall or an appeal is won. Returns {store: (before, now)} of those moved.

    What brought a store down is a task; rules that only inform move nothing.
    """
    moved = {}
    for store_id in queries.stores_to_reckon(at=at) if store_ids is None else store_ids:
        cause = rules.worst(queries.causes_of_standing(store_id, at=at))
        to = cause.standing if cause else "normal"
        before = queries.standing_of(store_id)
        if to == (before.reckoned if before else "normal"):
            continue
        found = _ensure_standing(store_id, by=by, at=at)
        was = found.state
        fell = rules.STANDINGS.index(to) < rules.STANDINGS.index(found.reckoned)
        found.reckoned = to
        if rules.STANDINGS.index(found.said_over) > rules.STANDINGS.index(to):
            found.said_over = to  # a line that is crossed again later counts again
        found.save(update_fields=["reckoned", "said_over"])
        reason = cause.why if cause else rules.why_kept("over")
        _settle_standing(found, reason=reason, rule_id=cause.rule_id if cause else "", by=by, at=at)
        if found.state != was:
            moved[store_id] = (was, found.state)
            if not fell:
                _tell_of_standing(found, at=at)
    return moved


def _settle_standing(found: Standing, *, reason: str, rule_id: str, by: str, at: datetime) -> None:
    """Move a standing to where what was said and what was reckoned lead; tasks about another standing are over."""
    to = rules.standing_now(found.said, found.said_over, found.reckoned)
    if to == found.state:
        return
    move(STANDING, [found.pk], to=to, by=by, at=at, reason=reason, set_at="since")
    Standing.objects.filter(pk=found.pk).update(reason=reason[:300], rule_id=rule_id)
    found.refresh_from_db()
    for kind in ("store_warned", "store_restricted", "store_frozen"):
        close_tasks(kind=kind, thing_kind="standing", things=[found.store_id], by=by, at=at)


def _tell_of_standing(found: Standing, *, at: datetime) -> None:
    told = {"store_id": found.store_id, "thing_kind": "standing", "thing": found.store_id,
            "params": {"store": found.store.name, "why": found.reason}}  # fmt: skip
    tasks = {
        "warned": NewTask("store_warned", **told), "restricted": NewTask("store_restricted", **told),
        "frozen": NewTask("store_frozen", **told),
    }  # fmt: skip
    if found.state in tasks:
        open_tasks([tasks[found.state]], at=at)


# --- Moments ------------------------------------------------------------------------------------------------------

HANDS_APART = timedelta(minutes=1)
"""So far apart may two hands be who act at once; the later one to be done is not refused for it."""


def refuse_before(last: datetime | None, *, at: datetime) -> None:
    """What happens has a moment, and moments go forward. Raises `Refused` where `at` lies before what happened `last`."""
    if last is not None and at < last - HANDS_APART:
        raise Refused(
            _("%(at)s UTC lies before what happened last here (%(last)s UTC): say when it really was.")
            % {"at": f"{at.astimezone(UTC):%Y-%m-%d %H:%M}", "last": f"{last.astimezone(UTC):%Y-%m-%d %H:%M}"},
            code="before_the_last",
        )


# --- A closing ----------------------------------------------------------------------------------------------------


@transaction.atomic
def start_closing(
    *, store_id: int, scenario: str, reason: str, wished_on: date | None = None, params: Mapping[str, Any] | None = None,
    by: str, at: datetime,
) -> Closing:  # fmt: skip
    """Begin a closing: its steps with their days are written; a decision of one's own begins to wind up at once.

    `params`: noticed_on, effective_on, improve_until (ISO days), rule, rounds … Raises `Refused`: one that goes on
    already, a store that has ended, a day before the calendar's.
    """
    if scenario not in SCENARIOS:
        raise Refused(_("There is no such way to close a store: %(scenario)s.") % {"scenario": scenario}, code="no_scenario")
    if not reason.strip():
        raise Refused(_("Say why the store is to be closed."), code="reason_missing", field="reason")
    life = ensure_lifecycle(store_id, by=by, at=at)
    going = queries.running_closing(store_id)
    if going is not None:
        raise Refused(
            _("A closing of this store has been going on since %(date)s (%(scenario)s). Go on with that one, or withdraw it.")
            % {"date": going.started_at.date(), "scenario": said(SCENARIOS[going.scenario])},
            code="already_closing",
        )  # fmt: skip
    if life.state not in ("open", "preparing"):
        raise Refused(
            _("This store has ended already: it is “%(state)s”. What comes next is its readmission.")
            % {"state": said(LIFECYCLE.words[life.state])},
            code="already_closed",
        )
    refuse_before(Closing.objects.filter(store_id=store_id).aggregate(at=Max("ended_at"))["at"], at=at)
    store = Store.objects.get(pk=store_id)
    params = {name: value for name, value in (params or {}).items() if value not in (None, "")}
    _check_params(store, scenario, params, at=at)
    closing = Closing(
        store=store, lifecycle=life, scenario=scenario, reason=reason.strip()[:500], params=params, started_at=at,
        started_by=by, number=Closing.objects.filter(store_id=store_id).count() + 1,
        state="running" if steps.opening(scenario) == ("decide",) else "threatened",
    )  # fmt: skip
    if wished_on is not None:
        refuse_too_soon(closing, wished_on, at=at)
        closing.params["wished_on"] = wished_on.isoformat()
    try:
        with transaction.atomic():
            closing.save(force_insert=True)
    except IntegrityError:
        raise Refused(_("Somebody else has just begun to close this store."), code="already_closing") from None
    record_births(CLOSING, [closing.pk], closing.state, by=by, at=at, reason=reason)
    _write_steps(closing, by=by, at=at)
    if closing.state == "running":
        begin_winding_up(closing, by=by, at=at)
        settle_step(
            ClosingStep.objects.get(closing=closing, code="decide"), what="done", note=reason, by=by, at=at
        )
    return closing


def said(words: Sequence[str]) -> str:
    """Words declared as (English, 中文), in the reader's language."""
    return in_words(words)


def _check_params(store: Store, scenario: str, params: dict[str, Any], *, at: datetime) -> None:
    today = at.astimezone(ZoneInfo(store.timezone)).date()
    noticed = params.get("noticed_on")
    if scenario in ("forced", "rule_change"):
        params.setdefault("noticed_on", today.isoformat())
        if noticed and date.fromisoformat(noticed) > today:
            raise Refused(_("The notice cannot lie ahead."), code="date_in_future", field="noticed_on")
    if scenario == "forced":
        params.setdefault("rounds", 0)
        params.setdefault("most_rounds", 1)
    if scenario == "rule_change":
        effective = params.get("effective_on")
        if effective and date.fromisoformat(effective) < date.fromisoformat(params["noticed_on"]):
            raise Refused(
                _("The rule cannot take effect before it was announced."), code="date_order", field="effective_on"
            )


def refuse_too_soon(closing: Closing, wished_on: date, *, at: datetime) -> None:
    """Raises `Refused` where somebody wants to be closed before law and channel allow it."""
    days = queries.days_of(closing, at=at)
    if not rules.too_soon(wished_on, days):
        return
    by_code = {day.code: day for day in days}
    notice = by_code.get("notice_ends")
    raise Refused(
        _(
            "This store cannot be closed by %(wished)s: the law asks for %(days)s days of public notice "
            "(E-Commerce Law of China art. 16; daifa keeps to it everywhere), and what is open comes first. "
            "The earliest day is %(closed)s."
        )
        % {
            "wished": wished_on,
            "days": notice.params["days"] if notice else rules.LEGAL_NOTICE_DAYS,
            "closed": by_code["closed"].on,
        },
        code="too_soon",
        field="wished_on",
    )


def _write_steps(closing: Closing, *, by: str, at: datetime) -> None:
    kept = {day.code: day for day in queries.days_of(closing, at=at)}
    side = "platform" if queries.has_platform(closing.store) else "own"
    rows = [
        ClosingStep(
            closing=closing, code=step.code, position=place, state="waiting" if step.only in ("", side) else "not_needed"
        )
        for place, step in enumerate(steps.SCENARIOS[closing.scenario], 1)
    ]
    _set_days(rows, kept)
    ClosingStep.objects.bulk_create(rows)
    for state in ("waiting", "not_needed"):
        record_births(CLOSING_STEP, [row.pk for row in rows if row.state == state], state, by=by, at=at)


def _set_days(rows: Sequence[ClosingStep], kept: Mapping[str, rules.Day]) -> None:
    """Each step's day by the calendar; never before a step that has to be settled first."""
    due: dict[str, tuple[date, str]] = {}
    for row in rows:
        step = steps.BY_CODE[row.code]
        days = [due[code] for code in step.after if code in due]
        if step.due in kept:
            days.insert(0, (kept[step.due].on, kept[step.due].rule_id))
        if days:
            row.due_on, row.rule_id = max(days, key=lambda day: day[0])
        if row.state == "waiting" and days:
            due[row.code] = (row.due_on, row.rule_id)


def refresh_days(closing: Closing, *, at: datetime) -> None:
    """Write the days of the calendar, as it is now, on the steps that still wait."""
    kept = {day.code: day for day in queries.days_of(closing, at=at)}
    rows = list(ClosingStep.objects.filter(closing=closing, state="waiting").order_by("position"))
    _set_days(rows, kept)
    ClosingStep.objects.bulk_update(rows, ["due_on", "rule_id"])


def begin_winding_up(closing: Closing, *, by: str, at: datetime) -> None:
    """The store is closing: from now on it takes no new orders. Joins the caller's transaction."""
    if closing.state == "threatened":
        move(CLOSING, [closing.pk], to="running", by=by, at=at)
    today = at.astimezone(ZoneInfo(closing.store.timezone)).date()
    closing.params["winding_up_on"] = today.isoformat()
    Closing.objects.filter(pk=closing.pk).update(params=closing.params)
    closing.state = "running"
    life = ensure_lifecycle(closing.store_id, by=by, at=at)
    if life.state == "preparing":
        _move_life(life, "open", by=by, at=at)
    _move_life(life, "closing", by=by, at=at, reason=closing.reason, set_at="shut_at")


def avert_closing(closing: Closing, *, reason: str, by: str, at: datetime) -> None:
    """What threatened the store is over: it stays. Steps left are not needed."""
    move(CLOSING, [closing.pk], to="averted", by=by, at=at, reason=reason, set_at="ended_at")
    _leave_out(closing, by=by, at=at)
    closing.refresh_from_db()


@transaction.atomic
def withdraw_closing(*, closing_id: int, reason: str, by: str, at: datetime) -> Closing:
    """A closing is taken back: only before it was asked for, and only one's own. Raises `Refused`."""
    closing = Closing.objects.select_for_update().get(pk=closing_id)
    if closing.state not in ("running", "threatened"):
        raise Refused(_("This closing has ended; there is nothing to withdraw."), code="ended")
    if closing.applied_at is not None:
        raise Refused(
            _("It was applied for on %(date)s: a signed application cannot be taken back.")
            % {"date": closing.applied_at.date()},
            code="irrevocable",
        )
    if closing.scenario == "forced":
        raise Refused(_("The platform closes this store: only its ruling can end that."), code="not_ours")
    refuse_before(queries.last_moment(closing), at=at)
    if not reason.strip():
        raise Refused(_("Say why the store stays after all."), code="reason_missing", field="reason")
    if closing.state == "threatened":
        avert_closing(closing, reason=reason, by=by, at=at)
        return closing
    move(CLOSING, [closing.pk], to="withdrawn", by=by, at=at, reason=reason, set_at="ended_at")
    _leave_out(closing, by=by, at=at)
    _move_life(Lifecycle.objects.get(pk=closing.lifecycle_id), "open", by=by, at=at, reason=reason)
    Lifecycle.objects.filter(pk=closing.lifecycle_id).update(shut_at=None)
    closing.refresh_from_db()
    return closing


def _leave_out(closing: Closing, *, by: str, at: datetime) -> None:
    left = list(ClosingStep.objects.filter(closing=closing, state="waiting").values_list("pk", flat=True))
    move(CLOSING_STEP, left, to="not_needed", by=by, at=at)


# --- Its steps ----------------------------------------------------------------------------------------------------


class Proof(NamedTuple):
    """What is kept of a step: words, the platform's number, counts and sums, a file's name and hash."""

    note: str = ""
    reference: str = ""
    facts: Mapping[str, Any] = {}
    file_name: str = ""
    sha256: str = ""


def settle_step(
    row: ClosingStep, *, what: str, by: str, at: datetime, proof: Proof | None = None, note: str = "", outcome: str = ""
) -> StepEvidence:
    """Move a step to where `what` (done, undone, not_needed) leads and keep what proves it. Joins the transaction."""
    proof = proof or Proof(note=note)
    to = {"done": "done", "undone": "waiting", "not_needed": "not_needed"}[what]
    if not move(CLOSING_STEP, [row.pk], to=to, by=by, at=at, reason=proof.note).moved:
        raise Refused(
            _("This step is “%(state)s” already.") % {"state": said(CLOSING_STEP.words[row.state])}, code="wrong_state"
        )
    ClosingStep.objects.filter(pk=row.pk).update(
        done_at=at if to == "done" else None, done_by=by if to == "done" else "", outcome=outcome, not_before=None,
        asked_at=None, asked_by="", stopped="",
    )  # fmt: skip
    row.refresh_from_db()
    return StepEvidence.objects.create(
        step=row, what=what, note=proof.note[:1000], reference=proof.reference[:120], facts=dict(proof.facts),
        file_name=proof.file_name[:160], sha256=proof.sha256, at=at, by=by,
    )  # fmt: skip


def plan_step(row: ClosingStep, *, not_before: datetime) -> None:
    """The step is done by itself from then on."""
    ClosingStep.objects.filter(pk=row.pk).update(not_before=not_before, asked_at=None, asked_by="", stopped="")
    row.not_before = not_before


def ask_step(row: ClosingStep, *, by: str, at: datetime) -> bool:
    """The worker is to do the step, for whom asked; False where somebody has asked before. Joins the transaction."""
    made = ClosingStep.objects.filter(pk=row.pk, state="waiting", asked_at=None).update(
        asked_at=at, asked_by=by, parts=0, parts_done=0, stopped=""
    )
    row.refresh_from_db()
    return bool(made)


def count_parts(step_id: int, *, done: int, of: int) -> None:
    """How far a step has come that takes long."""
    ClosingStep.objects.filter(pk=step_id).update(parts_done=done, parts=of)


def stop_step(step_id: int, *, sentence: str, goes_on: bool = False) -> None:
    """A step that was asked for stands still, and why; `goes_on`: it is tried again by itself, else a person asks again."""
    ClosingStep.objects.filter(pk=step_id, state="waiting").update(
        stopped=sentence, **({} if goes_on else {"asked_at": None, "asked_by": ""})
    )


def put_behind(closing: Closing, violations: Sequence[int]) -> None:
    """These violations are behind the removal; those that are already stay once."""
    closing.violations.add(*violations)


def note_params(closing: Closing, **changed: Any) -> None:
    """Keep facts of a closing (days in ISO form) and recompute nothing: the caller refreshes the days."""
    closing.params.update(changed)
    Closing.objects.filter(pk=closing.pk).update(params=closing.params)


def mark_applied(closing: Closing, *, at: datetime) -> None:
    """The application was signed: from here on it cannot be taken back."""
    Closing.objects.filter(pk=closing.pk).update(applied_at=at)
    closing.applied_at = at


def mark_closed(closing: Closing, *, by: str, at: datetime, reason: str) -> None:
    """The platform has closed the store (an own shop was switched off)."""
    life = ensure_lifecycle(closing.store_id, by=by, at=at)
    _move_life(life, "closed", by=by, at=at, reason=reason, set_at="closed_at")
    note_params(closing, closed_on=at.astimezone(ZoneInfo(closing.store.timezone)).date().isoformat())


def archive_store(closing: Closing, *, by: str, at: datetime) -> None:
    """The life of the store ends, and its closing with it."""
    life = ensure_lifecycle(closing.store_id, by=by, at=at)
    _move_life(life, "archived", by=by, at=at, set_at="archived_at")
    move(CLOSING, [closing.pk], to="done", by=by, at=at, set_at="ended_at")


# --- Files that prove something -----------------------------------------------------------------------------------

FOLDER = "closing"
"""Where files lie that prove steps of a closing and of a way back, under their hashes: the same bytes twice are one file."""
MOST_FILE = 20 * keeping.MEGABYTE


def keep_file(content: bytes, *, field: str = "file") -> keeping.Kept:
    """Keep a document or picture, in the transaction that points at it: nobody takes the same bytes away meanwhile. Raises `Refused`."""
    _hold([hashlib.sha256(content).hexdigest()])
    return keeping.keep(FOLDER, content, kinds=keeping.DOCUMENTS, most=MOST_FILE, field=field)


def keep_made(content: bytes) -> str:
    """Keep what daifa made itself (an export, a list), as `keep_file` does; returns its SHA-256."""
    _hold([hashlib.sha256(content).hexdigest()])
    return keeping.store(FOLDER, content)


def drop_files(hashes: Iterable[str]) -> None:
    """Take kept files away at which nobody points any more. Once the transaction that took the rows is committed."""
    for sha256 in sorted(set(hashes)):
        with transaction.atomic():
            _hold([sha256])
            if not any(model.objects.filter(sha256=sha256).exists() for model in (StepEvidence, ComebackPaper)):
                keeping.path_of(FOLDER, sha256).unlink(missing_ok=True)


def _hold(hashes: Iterable[str]) -> None:
    """Until this transaction ends nobody else keeps or takes away these files. In one order, so that two never wait for each other."""
    for sha256 in sorted(set(hashes)):
        bulk.execute("SELECT pg_advisory_xact_lock(hashtext('closing_files'), hashtext(%s))", (sha256,))


# --- Coming back --------------------------------------------------------------------------------------------------

MOST_PAPERS = 20


@transaction.atomic
def plan_readmission(
    *, closing_id: int, cause: str, months: int = rules.COMEBACK_MONTHS, by: str, at: datetime
) -> Readmission:
    """A plan to come back: what is to be healed, step by step, over so many months. Raises `Refused`."""
    closing = Closing.objects.select_related("store", "lifecycle").get(pk=closing_id)
    if closing.lifecycle.state not in ("closed", "archived"):
        raise Refused(_("This store has not ended: there is nothing to come back from."), code="not_ended")
    if not cause.strip():
        raise Refused(_("Name the cause that is to be healed."), code="cause_missing", field="cause")
    if not 1 <= months <= 24:
        raise Refused(_("A plan runs for 1 to 24 months."), code="months_wrong", field="months")
    if closing.lifecycle.replaced_at is not None:
        raise Refused(_("This store has begun a new life already."), code="already_back")
    refuse_before(max(queries.last_moment(closing), closing.lifecycle.closed_at or closing.started_at), at=at)
    try:
        with transaction.atomic():
            made = Readmission.objects.create(
                store=closing.store, closing=closing, state="planned", cause=cause.strip()[:500], months=months,
                started_at=at, started_by=by,
            )  # fmt: skip
    except IntegrityError:
        raise Refused(_("There is a plan to come back already; go on with that one."), code="already_planned") from None
    record_births(READMISSION, [made.pk], "planned", by=by, at=at, reason=cause)
    today = at.astimezone(ZoneInfo(closing.store.timezone)).date()
    due = rules.comeback_days(today, [step.month for step in steps.COMEBACK], months)
    ComebackStep.objects.bulk_create(
        ComebackStep(readmission=made, code=step.code, position=place, due_on=day)
        for place, (step, day) in enumerate(zip(steps.COMEBACK, due, strict=True), 1)
    )
    return made


@transaction.atomic
def prove_comeback_step(
    *, step_id: int, proof: str, papers: Sequence[tuple[str, bytes]] = (), by: str, at: datetime
) -> None:
    """A step of the plan was done; `proof` says what shows it, `papers` (name, bytes) show it. Raises `Refused`."""
    row = _step_worked_on(step_id, at=at)
    if not proof.strip():
        raise Refused(_("Say what proves it: a document, an order, a screening."), code="proof_missing", field="proof")
    row.proof, row.done_at, row.done_by = proof.strip()[:1000], at, by
    row.save(update_fields=["proof", "done_at", "done_by"])
    _keep_papers(row, papers, by=by, at=at)


@transaction.atomic
def add_comeback_papers(*, step_id: int, papers: Sequence[tuple[str, bytes]], by: str, at: datetime) -> None:
    """Papers and pictures (name, bytes) are put beside a step of the plan. Refused when one of them is: then none is kept."""
    _keep_papers(_step_worked_on(step_id, at=at), papers, by=by, at=at)


@transaction.atomic
def take_papers_away(*, paper_ids: Sequence[int], by: str, at: datetime) -> int:
    """Papers that were put beside steps by mistake go while the plan is worked on, their bytes with them where nothing else has these.

    That they were there stays written down, without their names. Returns how many went; what is gone counts nothing. Raises `Refused`.
    """
    papers = ComebackPaper.objects.filter(pk__in=list(paper_ids))
    for step_id in sorted(set(papers.values_list("step_id", flat=True))):
        _step_worked_on(step_id, at=at)
    found = list(papers.order_by("pk"))  # as they are now, under their steps' locks
    refuse_before(max((one.at for one in found), default=None), at=at)
    PaperTakenAway.objects.bulk_create(
        PaperTakenAway(
            step_id=one.step_id, media_type=one.media_type, sha256=one.sha256, size=one.size, recorded_by=one.by, recorded_at=one.at, by=by, at=at
        )
        for one in found
    )
    ComebackPaper.objects.filter(pk__in=[one.pk for one in found]).delete()
    transaction.on_commit(lambda: drop_files(one.sha256 for one in found))
    return len(found)


def _step_worked_on(step_id: int, *, at: datetime) -> ComebackStep:
    """The step and its plan under their locks, so that nothing changes beside an application that goes out. Raises `Refused`."""
    row = ComebackStep.objects.select_for_update().select_related("readmission").get(pk=step_id)
    if row.readmission.state not in ("planned", "refused"):
        raise Refused(_("The plan is not being worked on any more."), code="wrong_state")
    refuse_before(row.readmission.started_at, at=at)
    return row


def _keep_papers(row: ComebackStep, papers: Sequence[tuple[str, bytes]], *, by: str, at: datetime) -> None:
    """Each really what it is said to be, a picture decoded to its last dot; the same bytes twice are one."""
    if ComebackPaper.objects.filter(step=row).count() + len(papers) > MOST_PAPERS:
        raise Refused(
            _("A step keeps at most %(count)s papers. Put several pages into one PDF.") % {"count": MOST_PAPERS},
            code="too_many_papers", field="papers",
        )  # fmt: skip
    _hold(hashlib.sha256(content).hexdigest() for _name, content in papers)
    for name, content in papers:
        shown = keeping.named(name, "")
        try:
            if keeping.media_type(content) in keeping.PICTURES:
                pictures.check(content)
            kept = keep_file(content, field="papers")
        except pictures.NoPicture:
            raise Refused(
                _("%(name)s is a picture that cannot be read to its end: save it again.") % {"name": shown},
                code="not_an_image", field="papers",
            ) from None  # fmt: skip
        except Refused as refused:
            raise Refused(f"{shown}: {refused.sentence}", code=refused.code, field="papers") from None
        ComebackPaper.objects.get_or_create(
            step=row, sha256=kept.sha256,
            defaults={"name": keeping.named(name, kept.media_type)[:160], "media_type": kept.media_type, "size": kept.size, "by": by, "at": at},
        )  # fmt: skip


@transaction.atomic
def apply_for_readmission(*, readmission_id: int, healed: str, by: str, at: datetime) -> None:
    """Ask the platform to come back: what was healed, with every step of the plan proved. Raises `Refused`."""
    open_steps = list(
        ComebackStep.objects.filter(readmission_id=readmission_id, done_at=None).values_list("code", flat=True)
    )
    if open_steps:
        titles = {step.code: said(step.title) for step in steps.COMEBACK}
        raise Refused(
            _("Not proved yet: %(steps)s.") % {"steps": listed(titles[code] for code in open_steps)}, code="not_proved"
        )
    if not healed.strip():
        raise Refused(_("Say what was healed."), code="healed_missing", field="healed")
    refuse_before(ComebackStep.objects.filter(readmission_id=readmission_id).aggregate(at=Max("done_at"))["at"], at=at)
    _move_readmission(readmission_id, "applied", by=by, at=at, reason=healed.strip())
    Readmission.objects.filter(pk=readmission_id).update(healed=healed.strip())


@transaction.atomic
def answer_readmission(*, readmission_id: int, admitted: bool, answer: str, by: str, at: datetime) -> Readmission:
    """The platform's answer. Admitted: a new life begins, being prepared, linked to the old one. Raises `Refused`."""
    found = Readmission.objects.select_for_update().select_related("closing", "store").get(pk=readmission_id)
    refuse_before(queries.last_moment_of_plan(found), at=at)
    _move_readmission(readmission_id, "readmitted" if admitted else "refused", by=by, at=at, reason=answer)
    Readmission.objects.filter(pk=readmission_id).update(answer=answer.strip()[:500])
    if admitted:
        old = Lifecycle.objects.select_for_update().get(pk=found.closing.lifecycle_id)
        Lifecycle.objects.filter(pk=old.pk).update(replaced_at=at)
        new = Lifecycle.objects.create(store_id=found.store_id, state="preparing", previous=old, began_at=at)
        record_births(LIFECYCLE, [new.pk], "preparing", by=by, at=at, reason=answer)
        Readmission.objects.filter(pk=readmission_id).update(lifecycle=new, ended_at=at)
    found.refresh_from_db()
    return found


@transaction.atomic
def give_up_readmission(*, readmission_id: int, reason: str, by: str, at: datetime) -> None:
    """The plan to come back is dropped. Raises `Refused`."""
    _move_readmission(readmission_id, "given_up", by=by, at=at, reason=reason)
    Readmission.objects.filter(pk=readmission_id).update(ended_at=at)


def _move_readmission(readmission_id: int, to: str, *, by: str, at: datetime, reason: str = "") -> None:
    if not move(READMISSION, [readmission_id], to=to, by=by, at=at, reason=reason).moved:
        raise Refused(_("The plan to come back is not at that point."), code="wrong_state")


# --- How often a store is seen ------------------------------------------------------------------------------------

MOST_A_DAY = 10**12


class NewTraffic(NamedTuple):
    """How often a store was shown and visited on a day; None = not said."""

    store_id: int
    day: date
    impressions: int | None = None
    visits: int | None = None
    row: int = 0


@dataclass(slots=True)
class Written:
    """What a command with many rows did: rows new, changed, the same as before, refused with their reason."""

    added: int = 0
    changed: int = 0
    same: int = 0
    refused: list[RowRefused] = field(default_factory=list)


@transaction.atomic
def record_traffic(rows: Sequence[NewTraffic], *, source: str, by: str, at: datetime) -> Written:
    """Write down how often stores were seen. A day that is there is corrected; what is not said of it now stays as it was."""
    result = Written()
    zones = dict(Store.objects.values_list("pk", "timezone"))
    usable: dict[tuple[int, date], NewTraffic] = {}
    for wanted in rows:
        problem = _traffic_problem(wanted, zones, at)
        if problem is None and (wanted.store_id, wanted.day) in usable:
            problem = RowRefused(
                wanted.row, str(wanted.day), "day_twice", N_("%(date)s stands twice in it for this store; the first row was taken."),
                {"date": str(wanted.day)},
            )  # fmt: skip
        if problem is not None:
            result.refused.append(problem)
        else:
            usable[wanted.store_id, wanted.day] = wanted
    for start in range(0, len(chosen := list(usable.values())), 500):
        chunk = chosen[start : start + 500]
        done = bulk.fetch(
            f"""INSERT INTO closing_traffic AS t (store_id, day, impressions, visits, source, by, at)
                VALUES {", ".join(["(%s, %s, %s, %s, %s, %s, %s)"] * len(chunk))}
                ON CONFLICT (store_id, day) DO UPDATE SET impressions = coalesce(EXCLUDED.impressions, t.impressions),
                    visits = coalesce(EXCLUDED.visits, t.visits), source = EXCLUDED.source, by = EXCLUDED.by, at = EXCLUDED.at
                WHERE coalesce(EXCLUDED.impressions, t.impressions) IS DISTINCT FROM t.impressions
                   OR coalesce(EXCLUDED.visits, t.visits) IS DISTINCT FROM t.visits
                RETURNING xmax = 0""",
            [value for one in chunk for value in (one.store_id, one.day, one.impressions, one.visits, source[:60], by, at)],
        )
        new = sum(1 for (is_new,) in done if is_new)
        result.added += new
        result.changed += len(done) - new
        result.same += len(chunk) - len(done)
    return result


def _traffic_problem(wanted: NewTraffic, zones: Mapping[int, str], at: datetime) -> RowRefused | None:
    def refused(code: str, message: str, **params: Any) -> RowRefused:
        return RowRefused(wanted.row, str(wanted.day), code, message, params)

    if wanted.store_id not in zones:
        return refused("no_store", N_("There is no such store."))
    if wanted.day > at.astimezone(ZoneInfo(zones[wanted.store_id])).date():
        return refused("date_in_future", N_("%(date)s lies ahead; enter it on the day it happens."), date=str(wanted.day))
    if wanted.impressions is None and wanted.visits is None:
        return refused("nothing_said", N_("The row says neither impressions nor visits."))
    if any(number is not None and not 0 <= number < MOST_A_DAY for number in (wanted.impressions, wanted.visits)):
        return refused("number_wrong", N_("A number of impressions or visits cannot be right."))
    if wanted.impressions is not None and wanted.visits is not None and wanted.visits > wanted.impressions:
        return refused(
            "more_visits", N_("%(visits)s visits and only %(impressions)s impressions: are the columns swapped?"),
            visits=wanted.visits, impressions=wanted.impressions,
        )  # fmt: skip
    return None


# --- Stores that ended before -------------------------------------------------------------------------------------


class NewPast(NamedTuple):
    """A store that ended before daifa closed any. `store_id` None = it was never kept here; its `name` stands for it."""

    name: str
    scenario: str
    began_on: date
    closed_on: date | None = None
    currency: str = "CNY"
    deposit_held: Decimal = Decimal(0)
    deposit_returned: Decimal | None = None
    deposit_on: date | None = None
    note: str = ""
    store_id: int | None = None
    row: int = 0


@transaction.atomic
def record_past_closings(rows: Sequence[NewPast], *, source: str, by: str, at: datetime) -> Written:
    """Write down how stores ended before; the same store and day again changes nothing. The analytics count them.

    Nothing else does: the life of a store that is kept here is not touched.
    """
    result = Written()
    for wanted in rows:
        problem = _past_problem(wanted, at)
        if problem is not None:
            result.refused.append(problem)
            continue
        held = wanted.deposit_held or wanted.deposit_returned or Decimal(0)
        _found, made = PastClosing.objects.get_or_create(
            name=" ".join(wanted.name.split())[:120], began_on=wanted.began_on,
            defaults={
                "store_id": wanted.store_id, "scenario": wanted.scenario, "closed_on": wanted.closed_on, "currency": wanted.currency,
                "deposit_held": held, "deposit_returned": wanted.deposit_returned, "deposit_on": wanted.deposit_on,
                "note": wanted.note.strip()[:300], "source": source[:60], "by": by, "at": at,
            },
        )  # fmt: skip
        result.added += made
        result.same += not made
    return result


def _past_problem(wanted: NewPast, at: datetime) -> RowRefused | None:
    def refused(code: str, message: str, **params: Any) -> RowRefused:
        return RowRefused(wanted.row, wanted.name, code, message, params)

    if not wanted.name.strip():
        return refused("name_missing", N_("It does not say which store ended."))
    if wanted.scenario not in SCENARIOS:
        return refused("no_scenario", N_("It does not say in one of the four ways why the store ended."))
    days = [day for day in (wanted.began_on, wanted.closed_on, wanted.deposit_on) if day is not None]
    if max(days) > at.date() + timedelta(days=1):
        return refused("date_in_future", N_("%(date)s lies ahead: a closing that goes on is not a past one."), date=str(max(days)))
    if days != sorted(days) or wanted.began_on < date(1995, 1, 1):
        return refused("date_order", N_("The days are not in order: begun, closed, deposit back."))
    if not re.fullmatch(r"[A-Z]{3}", wanted.currency):
        return refused("no_currency", N_("%(currency)s is no currency."), currency=wanted.currency or "?")
    amounts = [amount for amount in (wanted.deposit_held, wanted.deposit_returned) if amount is not None]
    if any(not amount.is_finite() or not 0 <= amount < 10**13 for amount in amounts):
        return refused("amount_wrong", N_("An amount of the deposit cannot be right."))
    if wanted.deposit_held and (wanted.deposit_returned or 0) > wanted.deposit_held:
        return refused("amount_wrong", N_("More of the deposit is said to have come back than was held."))
    if wanted.store_id is not None:
        near = Closing.objects.filter(
            store_id=wanted.store_id, state__in=("running", "done"), started_at__date__gte=wanted.began_on - timedelta(days=31),
            started_at__date__lte=(wanted.closed_on or wanted.began_on) + timedelta(days=31),
        )  # fmt: skip
        if near.exists():
            return refused("closed_here", N_("The closing of this store at that time was done here: it counts already."))
    return None


@transaction.atomic
def drop_past_closings(ids: Sequence[int], *, scope: Sequence[int], all_stores: bool = False) -> int:
    """Take back what was recorded by mistake, of these stores (and of those never kept here). Returns how many."""
    mine = Q(store_id__in=list(scope)) | Q(store=None) if all_stores else Q(store_id__in=list(scope))
    return PastClosing.objects.filter(mine, pk__in=list(ids)).delete()[0]


# --- Public status ------------------------------------------------------------------------------------------------


@transaction.atomic
def set_status_page(
    *, store_id: int, is_on: bool, slug: str = "", contact: str = "", by: str, at: datetime
) -> StatusPage:
    """Switch the public page of a store on or off. Without a `slug` it gets an address nobody can guess. Raises `Refused`."""
    slug = slug.strip().lower()
    if slug and not re.fullmatch(r"[a-z0-9][a-z0-9-]{2,59}", slug):
        raise Refused(
            _("The address has 3 to 60 small letters, digits or hyphens."), code="slug_invalid", field="slug"
        )
    if len(contact) > 160:
        raise Refused(_("The contact has at most 160 characters."), code="contact_long", field="contact")
    found = StatusPage.objects.select_for_update().filter(store_id=store_id).first()
    if found is None:
        found = StatusPage(store_id=store_id, slug=secrets.token_hex(10), changed_at=at)
    if slug:
        found.slug = slug
    found.is_on, found.contact, found.changed_at = is_on, " ".join(contact.split()), at
    try:
        with transaction.atomic(), pghistory.context(by=by):
            found.save()
    except IntegrityError:
        raise Refused(_("This address is taken; choose another."), code="slug_taken", field="slug") from None
    return found


def steps_named(closing: Closing, codes: Sequence[str]) -> dict[str, ClosingStep]:
    """Steps of a closing by code, locked."""
    rows = ClosingStep.objects.select_for_update().filter(closing=closing, code__in=list(codes)).order_by("pk")
    return {row.code: row for row in rows}
