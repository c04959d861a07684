"""The case itself: a violation with its appeals, a notice of a right, complaints."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from daifa.domain.cases import queries
from daifa.domain.cases.models import (
    Appeal,
    Complaint,
    Infringement,
    Violation,
)
from daifa.domain.cases.process import (
    APPEAL,
    BASES,
    COMPLAINT,
    COMPLAINT_KINDS,
    CONSEQUENCES,
    INFRINGEMENT,
    OUTCOMES,
    RIGHTS,
    VIOLATION,
    VIOLATION_KINDS,
)
from daifa.flows.gather_evidence.draft import Draft, Section
from daifa.flows.gather_evidence.photos import add_files
from daifa.flows.gather_evidence.writing import money, safe_name, state_word


def tell_case(draft: Draft, kind: str, thing: Any) -> None:
    if kind == "violation":
        _tell_violation(draft, thing)
    elif kind == "infringement":
        _tell_infringement(draft, thing)


def _tell_violation(draft: Draft, violation: Violation) -> None:
    section = Section(
        _("The violation"),
        [
            (_("Reference of the platform"), violation.reference),
            (_("Kind"), queries.word(VIOLATION_KINDS, violation.kind)),
            (_("In the platform's words"), draft.words(violation.title)),
            (_("Happened"), draft.when(violation.occurred_at)),
            (_("Notice"), draft.when(violation.notified_at)),
            (_("Points"), f"{violation.points.normalize():f}"),
            (_("To be appealed by"), draft.when(violation.appeal_due_at)),
            (_("State"), state_word(VIOLATION, violation.state)),
        ],
    )
    consequences = [
        [queries.word(CONSEQUENCES, one.kind), draft.when(one.from_at), draft.when(one.until_at), money(one.amount, draft.store.currency)]
        for one in violation.consequences.order_by("from_at", "id")
    ]
    if consequences:
        section.tables.append((_("Consequences"), [_("What"), _("Begins"), _("Ends"), _("Amount")], consequences))
    appeals = list(Appeal.objects.filter(violation=violation).exclude(state__in=("note", "withdrawn")).order_by("round"))
    for appeal in appeals:
        heading = _("Appeal %(round)s (%(state)s)") % {"round": appeal.round, "state": state_word(APPEAL, appeal.state)}
        section.texts.append((heading, draft.words(appeal.text)))
        if appeal.answer:
            section.texts.append((_("The platform's answer"), draft.words(appeal.answer)))
    if not appeals:
        draft.gaps.append(_("No appeal has been written yet: its words are missing in the pack."))
    add_files(draft, section, "violation", [violation.pk], "case")
    add_files(draft, section, "appeal", [appeal.pk for appeal in appeals], "case")
    for number in violation.unknown_orders:
        draft.gaps.append(_("Order %(number)s of the notice is not known here.") % {"number": number})
    draft.rule(violation.rule, violation.occurred_at or violation.notified_at)
    terms = queries.appeal_terms(draft.store, kind=violation.kind, on=violation.notified_at.astimezone(draft.zone).date())
    for rule in terms:
        draft.rule(rule.id if rule is not None else "", violation.notified_at)
    draft.sections.append(section)


def _tell_infringement(draft: Draft, case: Infringement) -> None:
    section = Section(
        _("The notice of a right"),
        [
            (_("Reference of the platform"), case.reference),
            (_("Listing"), case.title),
            (_("Complainant"), case.complainant),
            (_("Right"), f"{queries.word(RIGHTS, case.right)} {case.right_number}".strip()),
            (_("Notice"), draft.when(case.notified_at)),
            (_("Counter-notice sent"), draft.when(case.countered_at)),
            (_("Forwarded by the platform"), draft.when(case.forwarded_at)),
            (_("Complainant's time ends"), draft.when(case.restore_due_at)),
            (_("State"), state_word(INFRINGEMENT, case.state)),
        ],
    )
    if case.claim:
        section.texts.append((_("What is claimed"), draft.words(case.claim)))
    if case.counter:
        section.texts.append((_("Our counter-notice"), draft.words(case.counter)))
    rights = queries.rights_of([case.listing_id]) if case.listing_id else []
    if rights:
        section.tables.append((
            _("Rights recorded on the listing"),
            [_("Right"), _("By"), _("From whom"), _("Number"), _("Valid")],
            [
                [
                    queries.word(RIGHTS, one["right"]), queries.word(BASES, one["basis"]), one["holder"], one["number"],
                    f"{one['valid_from']} – {one['valid_until'] or ''}",
                ]
                for one in rights
            ],
        ))  # fmt: skip
    else:
        draft.gaps.append(_("No right is recorded on the listing."))
    add_files(draft, section, "infringement", [case.pk], "case")
    add_files(draft, section, "listing_right", [one["id"] for one in rights], "rights")
    notified = case.notified_at.astimezone(draft.zone).date()
    for rule in queries.book(draft.store, on=notified):
        if rule.metric == "counter_notice_days":
            draft.rule(rule.id, case.notified_at)
    draft.sections.append(section)


def tell_complaints(draft: Draft, thing: Any) -> None:
    for one in Complaint.objects.filter(pk__in=draft.complaints).order_by("id"):
        tells_finding = not (draft.case_kind and one.finding == "breach") or one == thing
        section = Section(
            _("Complaint %(reference)s") % {"reference": one.reference},
            [
                (_("Kind"), queries.word(COMPLAINT_KINDS, one.kind)),
                (_("Opened"), draft.when(one.opened_at)),
                (_("Answered"), draft.when(one.answered_at)),
                (_("State"), state_word(COMPLAINT, one.state)),
                (_("Outcome"), queries.word(OUTCOMES, one.outcome)),
                (_("Finding"), {"clean": _("nothing foreign in the parcel"), "breach": _("something foreign in the parcel")}.get(one.finding, "")
                 if tells_finding else ""),
            ],
        )  # fmt: skip
        if one.text:
            section.texts.append((_("In the buyer's words"), draft.words(one.text)))
        if one.answer:
            section.texts.append((_("Our answer"), draft.words(one.answer)))
        add_files(draft, section, "complaint", [one.pk], f"complaints/{safe_name(one.reference)}")
        draft.rule(one.rule, one.opened_at)
        draft.sections.append(section)
