"""Appeals against violations: opened in time, edited, sent, answered, withdrawn."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext_noop as N_

from daifa.domain.cases import queries, rules
from daifa.domain.cases.commands.taking import locked, must_have_moved
from daifa.domain.cases.commands.violations import after_lifting
from daifa.domain.cases.models import Appeal, Violation
from daifa.domain.cases.process import APPEAL, VIOLATION
from daifa.domain.history.commands import move, record_births
from daifa.domain.policy import queries as policy
from daifa.domain.stores.commands import close_tasks
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _

_WHY_NOT_APPEAL = {
    "settled": N_("This violation is settled: there is nothing left to appeal."),
    "open": N_("An appeal is under way already; wait for its answer or withdraw it."),
    "rounds": N_("Appeals against it are used up: the channel allows %(rounds)s (rule %(rule)s). What is still to be said can be kept as a note."),
    "late": N_("The time to appeal ended on %(until)s. It is not taken as an appeal any more, but can be kept as a note. "
               "Was it handed in before? Then say when."),
}


def why_not_appeal(violation: Violation, *, by_letter: bool = False, at: datetime) -> tuple[str, str]:
    """(code, sentence) why no appeal can be made now; ("", "") when one can.

    `by_letter`: a letter of the platform opened this round, so the rule about how many there are does not count.
    """
    used = Appeal.objects.filter(violation=violation, sent_at__isnull=False).count()
    terms = _terms(violation)
    code = rules.why_not_appeal(
        state=violation.state, until=violation.appeal_until, rounds_used=used, rounds_allowed=None if by_letter else terms.most, at=at,
        has_open=Appeal.objects.filter(violation=violation, state__in=("draft", "sent")).exists(),
    )  # fmt: skip
    return (code, _appeal_sentence(code, violation, terms.rounds)) if code else ("", "")


def _terms(violation: Violation) -> rules.AppealTerms:
    """The rules about appeals as they read on the day of the notice."""
    zone = ZoneInfo(violation.store.timezone)
    return queries.appeal_terms(violation.store, kind=violation.kind, on=violation.notified_at.astimezone(zone).date())


def _appeal_sentence(code: str, violation: Violation, rounds: Any = None) -> str:
    until = ""
    if violation.appeal_until is not None:
        zone = ZoneInfo(violation.store.timezone)
        until = violation.appeal_until.astimezone(zone).strftime("%Y-%m-%d %H:%M")
    told = {"rounds": int(rounds.threshold), "rule": rounds.id} if rounds is not None else {"rounds": "", "rule": ""}
    return _(_WHY_NOT_APPEAL[code]) % {"until": until, **told}


@transaction.atomic
def open_appeal(
    *, violation_id: int, text: str, keep_as_note: bool = False, by_letter: bool = False, handed_in_at: datetime | None = None,
    reference: str = "", by: str, at: datetime,
) -> Appeal:  # fmt: skip
    """Begin an appeal, as a draft. After the deadline it is refused; with `keep_as_note` the text is kept all the same.

    `by_letter` as in `why_not_appeal`. `handed_in_at`: a person handed it in at the platform already; that moment is asked
    whether it was in time, and the appeal counts as sent since then, under the platform's `reference`.

    Raises `Refused` (codes settled, open, rounds, late, times_crossed).
    """
    violation = locked(Violation, violation_id)
    if not text.strip():
        raise Refused(_("Say why the violation is wrong."), code="text_missing", field="text")
    if handed_in_at is not None:
        _check_handed_in(violation, handed_in_at, at=at)
    code, sentence = why_not_appeal(violation, by_letter=by_letter, at=handed_in_at or at)
    if code and not (keep_as_note and code in ("late", "rounds", "settled")):
        raise Refused(sentence, code=code)
    state = "note" if code else "draft"
    last = max(Appeal.objects.filter(violation=violation).values_list("round", flat=True), default=0)
    appeal = Appeal.objects.create(
        violation=violation, round=0 if code else last + 1, state=state, text=text.strip(), opened_at=handed_in_at or at, by=by
    )
    record_births(APPEAL, [appeal.pk], state, by=by, at=at, reason=sentence)
    if handed_in_at is not None and not code:
        return send_appeal(appeal_id=appeal.pk, reference=reference, handed_in_at=handed_in_at, by=by, at=at)
    return appeal


def _check_handed_in(violation: Violation, handed_in_at: datetime, *, at: datetime) -> None:
    if handed_in_at > at:
        raise Refused(_("It cannot have been handed in later than now."), code="times_crossed", field="handed_in_at")
    if handed_in_at < violation.notified_at:
        raise Refused(_("It cannot have been handed in before the notice."), code="times_crossed", field="handed_in_at")


@transaction.atomic
def edit_appeal(*, appeal_id: int, text: str, by: str, at: datetime) -> None:
    """Change the words of a draft. Raises `Refused` once it was sent."""
    appeal = locked(Appeal, appeal_id)
    if appeal.state != "draft":
        raise Refused(_("What was sent stays as it was sent."), code="sent")
    if not text.strip():
        raise Refused(_("Say why the violation is wrong."), code="text_missing", field="text")
    appeal.text = text.strip()
    appeal.save(update_fields=["text"])


@transaction.atomic
def send_appeal(
    *, appeal_id: int, reference: str = "", handed_in_at: datetime | None = None, by: str, at: datetime
) -> Appeal:
    """A person handed the appeal in at the platform, now or at `handed_in_at`: that moment must lie before the deadline.

    Raises `Refused` (late, times_crossed).
    """
    appeal = locked(Appeal, appeal_id)
    violation = locked(Violation, appeal.violation_id)
    sent = handed_in_at or at
    if handed_in_at is not None:
        _check_handed_in(violation, handed_in_at, at=at)
    if violation.appeal_until is not None and sent >= violation.appeal_until:
        raise Refused(_appeal_sentence("late", violation), code="late", field="handed_in_at")
    must_have_moved(move(APPEAL, [appeal_id], to="sent", by=by, at=at, set_at="sent_at"))
    must_have_moved(move(VIOLATION, [violation.pk], to="appealed", by=by, at=at))
    Appeal.objects.filter(pk=appeal_id).update(sent_at=sent)
    due = rules.answer_deadline(_terms(violation), sent, violation.store.timezone, policy.country_of(violation.store))
    Appeal.objects.filter(pk=appeal_id).update(reference=reference.strip()[:80], answer_due_at=due)
    close_tasks(kind="violation_to_appeal", thing_kind="violation", things=[violation.pk], by=by, at=at)
    appeal.refresh_from_db()
    return appeal


@transaction.atomic
def answer_appeal(
    *, appeal_id: int, outcome: str, answer: str = "", points: Decimal | None = None, by: str, at: datetime
) -> Violation:
    """What the platform answered: won lifts the violation, partly_won leaves `points`, lost upholds it. Raises `Refused`."""
    if outcome not in ("won", "partly_won", "lost"):
        raise Refused(_("Say whether it was won, won in part or lost."), code="outcome_unknown", field="outcome")
    appeal = locked(Appeal, appeal_id)
    violation = locked(Violation, appeal.violation_id)
    if outcome == "partly_won" and (points is None or not 0 <= points <= violation.points):
        raise Refused(
            _("Say how many of the %(points)s points are left.") % {"points": f"{violation.points.normalize():f}"},
            code="points_missing", field="points",
        )  # fmt: skip
    must_have_moved(move(APPEAL, [appeal_id], to=outcome, by=by, at=at, set_at="answered_at"))
    Appeal.objects.filter(pk=appeal_id).update(answer=answer.strip())
    to = {"won": "lifted", "partly_won": "reduced", "lost": "upheld"}[outcome]
    reason = f"{violation.points:f} → {points:f}" if outcome == "partly_won" else ""
    must_have_moved(move(VIOLATION, [violation.pk], to=to, by=by, at=at, reason=reason))
    close_tasks(kind="appeal_unanswered", thing_kind="violation", things=[violation.pk], by=by, at=at)
    if outcome == "partly_won":
        Violation.objects.filter(pk=violation.pk).update(points=points)
    if outcome == "won":
        after_lifting([violation.pk], by=by, at=at)
    violation.refresh_from_db()
    return violation


@transaction.atomic
def withdraw_appeal(*, appeal_id: int, by: str, at: datetime) -> None:
    """Take a draft or a sent appeal back. Raises `Refused` where it was answered."""
    appeal = locked(Appeal, appeal_id)
    was_sent = appeal.state == "sent"
    must_have_moved(move(APPEAL, [appeal_id], to="withdrawn", by=by, at=at))
    if was_sent:
        move(VIOLATION, [appeal.violation_id], to="active", by=by, at=at)
