"""Licences of a store and what they are needed for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from daifa.domain.cases import rules
from daifa.domain.cases.commands.taking import locked
from daifa.domain.cases.models import Qualification, QualificationNeed
from daifa.domain.cases.process import QUALIFICATIONS
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.domain.stores.models import Store
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _


@transaction.atomic
def add_qualification(
    *, store: Store, kind: str, number: str, category: str = "", holder: str = "", valid_from: date,
    valid_until: date | None = None, note: str = "", by: str, at: datetime,
) -> Qualification:  # fmt: skip
    """Enter a licence; the same number again is a renewal and takes the new dates. Raises `Refused`."""
    if kind not in QUALIFICATIONS:
        raise Refused(_("Say which licence it is."), code="kind_unknown", field="kind")
    if not number.strip():
        raise Refused(_("Enter the number that stands on the document."), code="number_missing", field="number")
    if valid_until is not None and valid_until < valid_from:
        raise Refused(_("It ends before it begins."), code="times_crossed", field="valid_until")
    found, _made = Qualification.objects.update_or_create(
        store=store, category=category.strip()[:120], kind=kind, number=number.strip()[:80],
        defaults={
            "holder": holder.strip()[:160], "valid_from": valid_from, "valid_until": valid_until, "note": note.strip()[:300],
            "withdrawn_on": None, "by": by, "at": at,
        },
    )  # fmt: skip
    close_tasks(kind="qualification_ending", thing_kind="qualification", things=[found.pk], by=by, at=at)
    watch_qualifications(by=by, at=at, stores=[store.pk])
    return found


@transaction.atomic
def withdraw_qualification(*, qualification_id: int, on: date, by: str, at: datetime) -> None:
    """It does not count from that day on. Raises `Refused`."""
    found = locked(Qualification, qualification_id)
    found.withdrawn_on = on
    found.save(update_fields=["withdrawn_on"])
    close_tasks(kind="qualification_ending", thing_kind="qualification", things=[qualification_id], by=by, at=at)


@transaction.atomic
def say_need(
    *, channel: str, category: str, kind: str, is_needed: bool, source: str, store: Store | None = None, by: str, at: datetime
) -> QualificationNeed:
    """The owner says that goods of a category need a licence (on a channel, in a store), or do not.

    It then stops publishing, or not. Raises `Refused`.
    """
    if kind not in QUALIFICATIONS:
        raise Refused(_("Say which licence it is."), code="kind_unknown", field="kind")
    if not source.strip():
        raise Refused(_("Say where it stands that it is needed or not."), code="source_missing", field="source")
    found, _made = QualificationNeed.objects.update_or_create(
        store=store, channel="" if store is not None else channel.strip()[:40], category=category.strip().casefold()[:120], kind=kind,
        default="", defaults={"is_needed": is_needed, "source": source.strip()[:200], "by": by, "at": at},
    )  # fmt: skip
    return found


@transaction.atomic
def decide_needs(
    defaults: Sequence[str], *, standing: str, source: str = "", channel: str = "", store: Store | None = None, by: str, at: datetime
) -> int:
    """The owner's word on needs that come with daifa (ids): "must", "not_needed", or "ask" as they came.

    For a store, a channel, or everywhere. A need that is struck out asks for the reason. Returns how many. Raises `Refused`.
    """
    known = {need.id: need for need in rules.default_needs()}
    if standing not in ("must", "ask", "not_needed") or not set(defaults) <= known.keys():
        raise Refused(_("Say whether it is a must, asked for, or not needed."), code="standing_unknown", field="standing")
    if standing == "not_needed" and not source.strip():
        raise Refused(_("Say where it stands that it is needed or not."), code="source_missing", field="source")
    where = {"store": store, "channel": "" if store is not None else channel.strip()[:40]}
    for name in defaults:
        if standing == "ask":
            QualificationNeed.objects.filter(**where, default=name).delete()
            continue
        need = known[name]
        QualificationNeed.objects.update_or_create(
            **where, category="", kind=need.kinds[0], default=name,
            defaults={"is_needed": standing == "must", "source": source.strip()[:200] or need.source[:200], "by": by, "at": at},
        )  # fmt: skip
    return len(defaults)


@transaction.atomic
def forget_needs(ids: Sequence[int]) -> int:
    """Take the owner's words back: what daifa knows counts again. Returns how many were taken."""
    return QualificationNeed.objects.filter(pk__in=list(ids)).delete()[0]


def watch_qualifications(*, by: str, at: datetime, stores: Sequence[int] | None = None) -> int:
    """Open a task for each licence that ends soon or has ended and is not replaced. Returns how many are new."""
    today = at.date()
    found = Qualification.objects.filter(
        valid_until__isnull=False, valid_until__lte=today + timedelta(days=rules.REMIND_DAYS), withdrawn_on=None
    ).select_related("store")
    if stores is not None:
        found = found.filter(store_id__in=list(stores))
    fresh = []
    for one in found:
        replaced = Qualification.objects.filter(
            store_id=one.store_id, kind=one.kind, category=one.category, withdrawn_on=None, valid_until=None
        ) | Qualification.objects.filter(
            store_id=one.store_id, kind=one.kind, category=one.category, withdrawn_on=None, valid_until__gt=one.valid_until
        )
        if replaced.exclude(pk=one.pk).exists():
            continue
        ends = datetime.combine(one.valid_until, datetime.max.time().replace(microsecond=0), ZoneInfo(one.store.timezone))
        fresh.append(
            NewTask(
                kind="qualification_ending", store_id=one.store_id, thing_kind="qualification", thing=one.pk,
                params={"number": one.number, "date": one.valid_until.isoformat()}, due_at=ends,
            )
        )  # fmt: skip
    return open_tasks(fresh, at=at)
