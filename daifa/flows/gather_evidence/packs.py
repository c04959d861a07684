"""From the wish to the pack: asked for, written down, told, and gathered by the worker where photos are to be read."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import DatabaseError, transaction
from django.utils import translation

from daifa.domain.cases import commands, queries
from daifa.domain.cases.models import (
    EvidencePack,
)
from daifa.domain.orders.queries import order_detail
from daifa.domain.stores.models import Store
from daifa.flows.gather_evidence.about import case_of, choose, orders_of, subject_of
from daifa.flows.gather_evidence.agreements import tell_agreements
from daifa.flows.gather_evidence.archive import zipped
from daifa.flows.gather_evidence.cases import tell_case, tell_complaints
from daifa.flows.gather_evidence.checks import tell_checks
from daifa.flows.gather_evidence.draft import Draft
from daifa.flows.gather_evidence.left_out import say_what_is_left_out
from daifa.flows.gather_evidence.masking import basis_of, marks_of
from daifa.flows.gather_evidence.orders import tell_order
from daifa.flows.gather_evidence.photos import copy_photo, to_be_read
from daifa.flows.gather_evidence.rules import tell_rules
from daifa.flows.gather_evidence.writing import safe_name
from daifa.lib.alone import alone
from daifa.lib.redact import Marks
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _

MOST_ORDERS = 50
A_FEW_PHOTOS = 5  # so many that were read before are copied while somebody waits
CASE_KINDS = ("violation", "complaint", "infringement")
_LOCK = "daifa.gathering"
Progress = Callable[[int, int], None]
"""Called with the photos that are done, and how many there are."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Gathered:
    """The pack, and sentences about what it lacks: for the person who made it, not in it. None yet while it is being gathered."""

    pack: EvidencePack
    gaps: list[str]


def ask_for_evidence(
    *, store_id: int, order_ids: Sequence[int] = (), case_kind: str = "", case: int = 0, language: str = "en",
    reveal: bool = False, costs: bool = False, reason: str = "", by: str, at: datetime,
) -> Gathered:  # fmt: skip
    """Ask for a pack for orders of a store, or for a case (violation, complaint, infringement) and the orders behind it.

    `reveal` shows buyers' data unmasked and needs the written `reason` why the case needs them; `costs` shows what we
    paid. Made at once where no photo has to be read; else it stands as being gathered. Raises `Refused`.
    """
    pack, draft = _ask(
        store_id=store_id, order_ids=order_ids, case_kind=case_kind, case=case, language=language, reveal=reveal, costs=costs,
        reason=reason, by=by, at=at,
    )  # fmt: skip
    if len(draft.photos) <= A_FEW_PHOTOS and not to_be_read(draft):
        with alone(_LOCK, pack.pk) as mine:
            if mine:
                pack = _finish(pack, draft, by=by, at=at)
    return Gathered(pack, list(pack.gaps))


def gather_evidence(*, at: datetime, by: str, progress: Progress | None = None, **wanted: Any) -> Gathered:
    """Make a pack and wait for it: as `ask_for_evidence`, and some seconds for each photo. Raises `Refused`.

    Killed in the middle, the worker makes it.
    """
    pack, draft = _ask(by=by, at=at, **wanted)
    while pack.state == "gathering":
        with alone(_LOCK, pack.pk) as mine:
            if mine:
                pack = _finish(pack, draft, by=by, at=at, progress=progress)
                continue
        time.sleep(0.3)  # the worker was quicker
        pack.refresh_from_db()
    if pack.state == "failed":
        raise Refused(pack.sentence, code="pack_not_made")
    return Gathered(pack, list(pack.gaps))


def gather_waiting(*, at: datetime, by: str = "job:gather_packs") -> dict[str, int]:
    """Gather what was asked for; counts {"made": …, "failed": …}. Each pack by one process at a time.

    One that cannot be made says why and stops nothing behind it; one that was begun too often without an end is given up.
    """
    counts = {"made": 0, "failed": 0}
    for pk in queries.packs_gathering():
        with alone(_LOCK, pk) as mine:
            if not mine:
                continue
            pack = EvidencePack.objects.get(pk=pk)
            if pack.state != "gathering":
                continue
            with translation.override(pack.language):
                try:
                    if pack.erased_at is not None:
                        raise Refused(_("The data of its buyers were erased meanwhile."), code="erased")
                    if not commands.begin_pack(pk):
                        raise Refused(_("It was begun %(times)s times and never came to its end: one of its photos may be too much for this machine.")
                                      % {"times": commands.MOST_TRIES}, code="tried_often")  # fmt: skip
                    done = _finish(pack, _tell(pack, at=at), by=by, at=at)
                except Refused as refused:
                    done = commands.give_up_pack(pk, sentence=refused.sentence, by=by, at=at)
                except DatabaseError:
                    raise  # no fault of the pack: it is tried again
                except Exception as error:
                    log.warning("Evidence pack %s could not be made: %s", pk, type(error).__name__)
                    done = commands.give_up_pack(
                        pk, sentence=_("Something unexpected happened (%(error)s). Ask for it again.") % {"error": type(error).__name__}, by=by, at=at
                    )
            counts["made" if done.state == "made" else "failed"] += 1
    return counts


def _ask(
    *, store_id: int, order_ids: Sequence[int] = (), case_kind: str = "", case: int = 0, language: str = "en",
    reveal: bool = False, costs: bool = False, reason: str = "", by: str, at: datetime,
) -> tuple[EvidencePack, Draft]:  # fmt: skip
    """Check a wish and write it down, with everything that needs no photo. Raises `Refused`."""
    if reveal and not reason.strip():
        raise Refused(
            _("Write down why this case needs the buyer's data; otherwise they stay masked."), code="reason_missing", field="reason"
        )
    if case_kind and case_kind not in CASE_KINDS:
        raise Refused(_("There is no such case."), code="no_case")
    store = Store.objects.filter(pk=store_id).first()
    if store is None:
        raise Refused(_("There is no such store."), code="no_store")
    thing = case_of(store_id, case_kind, case)
    wanted = list(dict.fromkeys([*order_ids, *orders_of(case_kind, thing)]))
    if len(wanted) > MOST_ORDERS:
        raise Refused(
            _("A pack holds at most %(most)s orders; choose those the case is about.") % {"most": MOST_ORDERS}, code="too_many"
        )
    if not wanted and thing is None:
        raise Refused(_("Say which orders or which case it is for."), code="nothing")
    with transaction.atomic():
        pack = commands.ask_pack(
            store_id=store_id, case_kind=case_kind, case=case, orders=wanted, name=f"{_stem(store, at, thing)}.zip", language=language,
            revealed=reveal, reason=reason, costs=costs, by=by, at=at,
        )  # fmt: skip
        draft = _tell(pack, at=at)
        commands.count_photos(pack.pk, done=0, of=len(draft.photos))
        pack.photos = len(draft.photos)
    return pack, draft


def _stem(store: Store, at: datetime, thing: Any) -> str:
    """What a pack is called: packs of other cases made in the same minute are called otherwise."""
    about = f"-{safe_name(thing.reference)[:40]}" if thing is not None else ""
    return f"evidence-{store.code}{about}-{at.astimezone(ZoneInfo(store.timezone)):%Y%m%d-%H%M}"


def _tell(pack: EvidencePack, *, at: datetime) -> Draft:
    """Everything the pack is to say, in its language; its photos are only named. Raises `Refused`."""
    store = Store.objects.get(pk=pack.store_id)
    thing = case_of(store.pk, pack.case_kind, pack.case)
    details = [order_detail([store.pk], order) for order in pack.orders]
    if any(detail is None for detail in details):
        raise Refused(_("One of the orders is not of this store."), code="no_order")
    orders = [detail for detail in details if detail is not None]
    with translation.override(pack.language):
        who = () if pack.revealed else tuple(dict.fromkeys(marks_of(orders)))
        draft = Draft(
            store, pack.language, pack.revealed, pack.costs, at, Marks(who), ZoneInfo(store.timezone), by=pack.by, who=who,
            basis=basis_of(orders), case_kind=pack.case_kind, case=pack.case, told=orders,
        )  # fmt: skip
        choose(draft, list(pack.orders), thing)
        if thing is not None:
            tell_case(draft, pack.case_kind, thing)
        for detail in orders:
            tell_order(draft, detail)
        tell_agreements(draft, orders)
        tell_complaints(draft, thing)
        tell_checks(draft, orders)
        tell_rules(draft)
        draft.subject = subject_of(pack.case_kind, thing, orders)
    return draft


def _finish(pack: EvidencePack, draft: Draft, *, by: str, at: datetime, progress: Progress | None = None) -> EvidencePack:
    """Copy the photos, reading those nobody has read, and put everything together. Raises `Refused`, having said so on the pack."""
    with translation.override(pack.language):
        try:
            for number, photo in enumerate(draft.photos):
                copy_photo(draft, photo)
                commands.count_photos(pack.pk, done=number + 1, of=len(draft.photos))
                if progress is not None:
                    progress(number + 1, len(draft.photos))
            say_what_is_left_out(draft, draft.told)
            stem = _stem(draft.store, at, case_of(draft.store.pk, draft.case_kind, draft.case) if draft.case else None)
            content, contents = zipped(draft, stem, draft.subject, pack.reason)
        except Refused as refused:
            commands.give_up_pack(pack.pk, sentence=refused.sentence, by=by, at=at)
            raise
        return commands.finish_pack(
            pack.pk, name=f"{stem}.zip", content=content, contents=contents, left_out=draft.left_out, gaps=draft.gaps, by=by, at=at
        )
