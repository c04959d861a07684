"""Buyers' complaints: taken, what was found in them, answered, brought before the platform, settled."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext_noop as N_

from daifa.domain.cases import queries, rules
from daifa.domain.cases.commands.taking import Taken, insert_new, must_have_moved, orders_named
from daifa.domain.cases.models import Complaint
from daifa.domain.cases.process import COMPLAINT, COMPLAINT_KINDS, OUTCOMES
from daifa.domain.history.commands import move, record_births, record_facts
from daifa.domain.policy import queries as policy
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Store
from daifa.lib import bulk
from daifa.lib.refusal import Refused, RowRefused
from daifa.lib.sentences import gettext as _


class NewComplaint(NamedTuple):
    """What a buyer complains about. `reference` "" gets one of ours; `order` is the number of the order, "" = none."""

    kind: str
    text: str
    opened_at: datetime
    reference: str = ""
    order: str = ""
    aftersale_case: int | None = None
    due_at: datetime | None = None
    row: int = 0


def _own_reference(wanted: NewComplaint, store: Store) -> str:
    """A reference of ours: the same words about the same order on the same day are the same complaint, sent twice."""
    if not (wanted.order.strip() or wanted.text.strip() or wanted.aftersale_case):
        return f"C-{uuid.uuid4().hex[:10].upper()}"
    day = wanted.opened_at.astimezone(ZoneInfo(store.timezone)).date()
    told = "\x1f".join((wanted.kind, wanted.order.strip(), str(wanted.aftersale_case or ""), wanted.text.strip(), day.isoformat()))
    return f"C-{hashlib.sha256(told.encode()).hexdigest()[:10].upper()}"


@transaction.atomic
def open_complaints(
    complaints: Sequence[NewComplaint], *, store: Store, source: str, by: str, at: datetime
) -> Taken:
    """Write complaints down, each reference once, with the time to answer that the channel allows. Fact: complaints_opened."""
    result = Taken()
    usable: dict[str, NewComplaint] = {}
    orders = orders_named(store, {c.order.strip() for c in complaints if c.order.strip()})
    cases = {c.aftersale_case for c in complaints if c.aftersale_case is not None}
    known_cases = dict(
        bulk.fetch(
            "SELECT id, order_id FROM aftersales_aftersalecase WHERE store_id = %s AND id = ANY(%s::bigint[])",
            (store.pk, sorted(cases)),
        )
        if cases
        else []
    )
    for wanted in complaints:

        def refused(code: str, message: str, wanted: NewComplaint = wanted, **params: Any) -> RowRefused:
            return RowRefused(wanted.row, wanted.reference or wanted.order, code, message, params)

        number = wanted.order.strip()
        if wanted.kind not in COMPLAINT_KINDS:
            problem = refused("unknown_kind", N_("%(kind)s is no kind of complaint."), kind=wanted.kind or "?")
        elif wanted.opened_at > at + timedelta(days=1):
            problem = refused("date_in_future", N_("%(date)s lies ahead; enter it on the day it happens."), date=str(wanted.opened_at.date()))
        elif number and number not in orders:
            problem = refused("no_order", N_("This store has no order %(number)s."), number=number)
        elif wanted.aftersale_case is not None and wanted.aftersale_case not in known_cases:
            problem = refused("no_case", N_("There is no such aftersale case in this store."))
        elif number and wanted.aftersale_case is not None and known_cases[wanted.aftersale_case] != orders[number]:
            problem = refused("case_of_other_order", N_("The aftersale case is about another order than %(number)s."), number=number)
        elif wanted.due_at is not None and wanted.due_at <= wanted.opened_at:
            problem = refused("times_crossed", N_("The deadline is before the complaint arrived."))
        elif len(wanted.reference.strip()) > 80:
            problem = refused("reference_too_long", N_("The reference is longer than 80 characters."))
        else:
            reference = wanted.reference.strip() or _own_reference(wanted, store)
            if reference in usable:
                result.known.append(reference)
            else:
                usable[reference] = wanted
            continue
        result.refused.append(problem)
    if not usable:
        return result
    books: dict[date, list[Any]] = {}
    rows, dues = [], {}
    for reference, wanted in usable.items():
        day = wanted.opened_at.astimezone(ZoneInfo(store.timezone)).date()
        if day not in books:
            books[day] = queries.book(store, on=day)
        found = rules.complaint_deadline(wanted.opened_at, books[day], store.timezone, policy.country_of(store))
        dues[reference] = wanted.due_at or (found.due_at if found else None)
        order = orders.get(wanted.order.strip()) or known_cases.get(wanted.aftersale_case)
        rows.append((
            store.pk, reference, order, wanted.aftersale_case, wanted.kind, "open", wanted.text.strip(),
            dues[reference], found.rule if found and wanted.due_at is None else "", wanted.opened_at, source[:60], bulk.json({}),
        ))  # fmt: skip
    added = insert_new("cases_complaint", _COMPLAINT, rows, "(store_id, reference)", "reference")
    result.known += [reference for reference in usable if reference not in added]
    result.added = list(added.values())
    record_births(COMPLAINT, result.added, "open", by=by, at=at, reason=source)
    open_tasks(
        [
            NewTask(
                kind="complaint_to_answer", store_id=store.pk, thing_kind="complaint", thing=complaint,
                params={"reference": reference, "kind": usable[reference].kind}, due_at=dues[reference],
            )
            for reference, complaint in added.items()
        ],
        at=at,
    )  # fmt: skip
    record_facts("complaints_opened", result.added, at=at)
    return result


_COMPLAINT = (
    "store_id", "reference", "order_id", "aftersale_case_id", "kind", "state", "text", "due_at", "rule", "opened_at",
    "source", "found",
)  # fmt: skip


@transaction.atomic
def note_findings(findings: Mapping[int, tuple[str, Mapping[str, Any]]], *, by: str, at: datetime) -> list[int]:
    """What a look at the parcel or its photos showed: complaint → ("clean" | "breach" | "", details). Returns those noted."""
    noted = []
    for complaint, (finding, found) in sorted(findings.items()):
        if finding not in ("", "clean", "breach"):
            raise ValueError(finding)
        if Complaint.objects.filter(pk=complaint).update(finding=finding, found={**found, "by": by, "at": at.isoformat()}):
            noted.append(complaint)
    return noted


@transaction.atomic
def answer_complaint(*, complaint_id: int, answer: str, by: str, at: datetime) -> None:
    """The buyer (or the platform) was answered. Raises `Refused`."""
    if not answer.strip():
        raise Refused(_("Write down what was answered."), code="answer_missing", field="answer")
    must_have_moved(move(COMPLAINT, [complaint_id], to="answered", by=by, at=at, set_at="answered_at"))
    Complaint.objects.filter(pk=complaint_id).update(answer=answer.strip())
    close_tasks(kind="complaint_to_answer", thing_kind="complaint", things=[complaint_id], by=by, at=at)


@transaction.atomic
def escalate_complaint(*, complaint_id: int, due_at: datetime | None = None, by: str, at: datetime) -> None:
    """The platform was called in: it has to be answered again, by `due_at` where it says so. Raises `Refused`."""
    complaint = Complaint.objects.get(pk=complaint_id)
    if due_at is not None and due_at <= complaint.opened_at:
        raise Refused(_("The deadline is before the complaint arrived."), code="times_crossed", field="due_at")
    must_have_moved(move(COMPLAINT, [complaint_id], to="escalated", by=by, at=at))
    Complaint.objects.filter(pk=complaint_id).update(due_at=due_at, rule="", ended_at=None, outcome="")
    close_tasks(kind="complaint_to_answer", thing_kind="complaint", things=[complaint_id], by=by, at=at)
    open_tasks(
        [
            NewTask(
                kind="complaint_to_answer", store_id=complaint.store_id, thing_kind="complaint", thing=complaint_id,
                params={"reference": complaint.reference, "kind": complaint.kind}, due_at=due_at,
            )
        ],
        at=at,
    )  # fmt: skip


@transaction.atomic
def settle_complaint(*, complaint_id: int, outcome: str, by: str, at: datetime) -> None:
    """How it ended. "unfounded" ends it as not upheld, everything else as settled. Raises `Refused`."""
    if outcome not in OUTCOMES:
        raise Refused(_("Say how the complaint ended."), code="outcome_unknown", field="outcome")
    to = "rejected" if outcome == "unfounded" else "resolved"
    must_have_moved(move(COMPLAINT, [complaint_id], to=to, by=by, at=at, set_at="ended_at", reason=outcome))
    Complaint.objects.filter(pk=complaint_id).update(outcome=outcome)
    close_tasks(kind="complaint_to_answer", thing_kind="complaint", things=[complaint_id], by=by, at=at)


@transaction.atomic
def close_complaints(ids: Sequence[int], *, by: str, at: datetime) -> list[int]:
    """Put ended complaints away; those still open stay. Returns the closed ones."""
    return move(COMPLAINT, list(ids), to="closed", by=by, at=at).moved
