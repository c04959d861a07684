"""Notices of infringement and the rights to pictures and brands that answer them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction

from daifa.domain.cases import queries, rules
from daifa.domain.cases.commands.taking import locked, must_have_moved
from daifa.domain.cases.models import Infringement, ListingRight
from daifa.domain.cases.process import BASES, INFRINGEMENT, RIGHTS
from daifa.domain.history.commands import move, record_births, record_facts
from daifa.domain.policy import queries as policy
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Store
from daifa.lib import bulk
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _


class NewInfringement(NamedTuple):
    """A notice that a listing breaches a right. `taken_down`: the platform has acted already."""

    reference: str
    notified_at: datetime
    right: str
    complainant: str = ""
    listing: int | None = None
    right_number: str = ""
    claim: str = ""
    answer_due_at: datetime | None = None
    taken_down: bool = False


@transaction.atomic
def open_infringement(wanted: NewInfringement, *, store: Store, source: str, by: str, at: datetime) -> Infringement:
    """Write a notice down, each reference once. Raises `Refused`."""
    reference = wanted.reference.strip()
    if not reference or len(reference) > 80:
        raise Refused(
            _("It has no reference of the platform; without one it could be taken twice."), code="reference_missing", field="reference"
        )
    if wanted.right not in RIGHTS:
        raise Refused(_("Say which right is said to be breached."), code="right_unknown", field="right")
    if wanted.notified_at > at + timedelta(days=1):
        raise Refused(
            _("%(date)s lies ahead; enter it on the day it happens.") % {"date": wanted.notified_at.date()},
            code="date_in_future", field="notified_at",
        )  # fmt: skip
    if wanted.answer_due_at is not None and wanted.answer_due_at <= wanted.notified_at:
        raise Refused(_("The deadline is before the notice arrived."), code="times_crossed", field="answer_due_at")
    title = ""
    if wanted.listing is not None:
        row = bulk.fetch(
            "SELECT coalesce(nullif(title, ''), sku) FROM catalog_listingvariant WHERE id = %s AND store_id = %s",
            (wanted.listing, store.pk),
        )
        if not row:
            raise Refused(_("This store has no such listing."), code="no_listing", field="listing")
        title = row[0][0]
    # One hand at a time writes notices of a store down: of the same one, sent twice, the second finds the first.
    bulk.execute("SELECT pg_advisory_xact_lock(hashtext('open_infringement'), %s)", (store.pk,))
    if known := Infringement.objects.filter(store=store, reference=reference).first():
        raise Refused(
            _("This notice is known already, as case %(id)s.") % {"id": known.pk}, code="known", field="reference"
        )
    state = "taken_down" if wanted.taken_down else "notified"
    case = Infringement.objects.create(
        store=store, reference=reference, listing_id=wanted.listing, title=title[:255], complainant=wanted.complainant.strip()[:160],
        right=wanted.right, right_number=wanted.right_number.strip()[:80], claim=wanted.claim.strip(), state=state,
        notified_at=wanted.notified_at, answer_due_at=wanted.answer_due_at, source=source[:60],
    )  # fmt: skip
    record_births(INFRINGEMENT, [case.pk], state, by=by, at=at, reason=source)
    record_facts("infringements_moved", [case.pk], at=at)
    open_tasks(
        [
            NewTask(
                kind="infringement_to_answer", store_id=store.pk, thing_kind="infringement", thing=case.pk,
                params={"reference": reference}, due_at=wanted.answer_due_at,
            )
        ],
        at=at,
    )  # fmt: skip
    return case


@transaction.atomic
def step_infringement(
    *, case_id: int, to: str, text: str = "", happened_at: datetime | None = None, by: str, at: datetime
) -> Infringement:
    """Move a case on. A counter-notice needs its words and a proof; forwarding it starts the complainant's 15 days.

    Raises `Refused`.
    """
    case = locked(Infringement, case_id)
    when = min(happened_at or at, at)
    if to == "countered":
        if not text.strip():
            raise Refused(_("Say why nothing is infringed: that is the counter-notice."), code="text_missing", field="text")
        if not queries.has_proof(case):
            raise Refused(
                _("A counter-notice needs a first proof (E-Commerce Law 43): record the right on the listing, or add the document here."),
                code="proof_missing",
            )
        case.counter = text.strip()
        case.countered_at = when
    if to == "restored" and case.state == "forwarded" and case.restore_due_at and at < case.restore_due_at and not text.strip():
        raise Refused(
            _("The complainant's time runs until %(until)s. If the platform restored it earlier, write down what it said.")
            % {"until": case.restore_due_at.astimezone(ZoneInfo(case.store.timezone)).date()},
            code="too_early", field="text",
        )  # fmt: skip
    must_have_moved(move(INFRINGEMENT, [case_id], to=to, by=by, at=at, reason=text.strip()[:300]))
    record_facts("infringements_moved", [case_id], at=at)
    if to == "forwarded":
        book = queries.book(case.store, on=when.astimezone(ZoneInfo(case.store.timezone)).date())
        found = rules.restore_deadline(when, book, case.store.timezone, policy.country_of(case.store))
        case.forwarded_at = when
        case.restore_due_at, case.rule = (found.until, found.rule) if found else (None, "")
    if INFRINGEMENT.is_final(to):
        case.ended_at = when
    case.save(update_fields=["counter", "countered_at", "forwarded_at", "restore_due_at", "rule", "ended_at"])
    close_tasks(kind="infringement_to_answer", thing_kind="infringement", things=[case_id], by=by, at=at)
    close_tasks(kind="infringement_restore_due", thing_kind="infringement", things=[case_id], by=by, at=at)
    if to == "taken_down":
        open_tasks(
            [
                NewTask(
                    kind="infringement_to_answer", store_id=case.store_id, thing_kind="infringement", thing=case_id,
                    params={"reference": case.reference}, due_at=case.answer_due_at,
                )
            ],
            at=at,
        )  # fmt: skip
    case.refresh_from_db()
    return case


@transaction.atomic
def record_right(
    *, listing_ids: Sequence[int], store: Store, right: str, basis: str, valid_from: date, valid_until: date | None = None,
    holder: str = "", number: str = "", note: str = "", by: str, at: datetime,
) -> list[int]:  # fmt: skip
    """Record for listings of a store by what right their pictures, brand or design are used. Raises `Refused`."""
    if right not in RIGHTS:
        raise Refused(_("Say which right it is."), code="right_unknown", field="right")
    if basis not in BASES:
        raise Refused(_("Say by what it may be used."), code="basis_unknown", field="basis")
    if valid_until is not None and valid_until < valid_from:
        raise Refused(_("It ends before it begins."), code="times_crossed", field="valid_until")
    if basis in ("licence", "supplier") and not holder.strip():
        raise Refused(_("Say who gave the right."), code="holder_missing", field="holder")
    own = {row[0] for row in bulk.fetch(
        "SELECT id FROM catalog_listingvariant WHERE store_id = %s AND id = ANY(%s::bigint[])", (store.pk, list(listing_ids))
    )}  # fmt: skip
    if own != set(listing_ids) or not own:
        raise Refused(_("This store has no such listing."), code="no_listing", field="listing")
    return [
        ListingRight.objects.create(
            listing_id=listing, right=right, basis=basis, holder=holder.strip()[:160], number=number.strip()[:80],
            note=note.strip()[:300], valid_from=valid_from, valid_until=valid_until, by=by, at=at,
        ).pk
        for listing in sorted(own)
    ]  # fmt: skip
