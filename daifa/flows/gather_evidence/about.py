"""What a pack is about: its case, the orders behind it, and which of our own findings are no matter of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from daifa.domain.cases.models import (
    CaseFile,
    Complaint,
    Infringement,
    Violation,
)
from daifa.domain.orders.queries import OrderDetail
from daifa.domain.shipping.models import ParcelCheck
from daifa.flows.gather_evidence.draft import Draft
from daifa.lib.commas import listed
from daifa.lib.refusal import Refused


def case_of(store_id: int, kind: str, case: int) -> Any:
    """The violation, complaint or infringement of the store; None where the pack is about orders only. Raises `Refused`."""
    if not kind:
        return None
    model: Any = {"violation": Violation, "complaint": Complaint, "infringement": Infringement}[kind]
    found = model.objects.filter(pk=case, store_id=store_id).first()
    if found is None:
        raise Refused(_("There is no such case."), code="no_case")
    return found


def choose(draft: Draft, orders: Sequence[int], thing: Any) -> None:
    """Which complaints are told, and which of our own findings are not: they serve no case but that of the complaint itself."""
    complaints = Complaint.objects.filter(store=draft.store, order_id__in=orders)
    if isinstance(thing, Complaint):
        complaints = Complaint.objects.filter(pk=thing.pk)
    draft.complaints = set(complaints.values_list("pk", flat=True))
    if draft.case_kind:
        found = ParcelCheck.objects.filter(store=draft.store, order_id__in=orders, state="breach")
        if isinstance(thing, Complaint):  # its own photos are the matter of the case
            own = CaseFile.objects.filter(thing_kind="complaint", thing=thing.pk).values_list("sha256", flat=True)
            found = found.exclude(sha256__in=list(own))
        draft.breaches = set(found.values_list("pk", flat=True))
        if draft.breaches:
            draft.gaps.append(
                ngettext(
                    "%(count)s check of these parcels found something foreign. It is no matter of this case and not in the pack; see to the supplier.",
                    "%(count)s checks of these parcels found something foreign. They are no matter of this case and not in the pack; see to the supplier.",
                    len(draft.breaches),
                )
                % {"count": len(draft.breaches)}
            )


def orders_of(kind: str, thing: Any) -> list[int]:
    """Orders that stand behind a case."""
    if kind == "violation":
        return list(thing.orders.order_by("order_id").values_list("order_id", flat=True))
    if kind == "complaint" and thing.order_id:
        return [thing.order_id]
    return []


def subject_of(kind: str, thing: Any, orders: Sequence[OrderDetail]) -> str:
    """The reference of the case, or the numbers of the orders."""
    if thing is not None:
        return str(thing.reference)
    return listed(str(detail.order["number"]) for detail in orders)
