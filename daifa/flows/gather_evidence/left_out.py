"""What a pack says it leaves out, and why."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from daifa.domain.orders.queries import OrderDetail
from daifa.flows.gather_evidence.draft import Draft


def say_what_is_left_out(draft: Draft, orders: Sequence[OrderDetail]) -> None:
    if orders and not draft.reveal:
        draft.left_out.append(
            _("Names, streets, phones and mail addresses of buyers are masked: this case does not need them.")
        )
    if orders and not draft.costs:
        draft.left_out.append(_("What we pay our suppliers is left out: it is a business secret and no matter of the case."))
    if draft.stripped:
        draft.left_out.append(
            _("Place, device and time written into %(count)s photos were taken out of the copies; the originals stay with us.")
            % {"count": draft.stripped}
        )
    if draft.covered:
        draft.left_out.append(
            ngettext(
                "On %(count)s photo parts that tell who the buyer is are covered; the original stays with us, its hash stands in the index.",
                "On %(count)s photos parts that tell who the buyer is are covered; the originals stay with us, their hashes stand in the index.",
                draft.covered,
            )
            % {"count": draft.covered}
        )
    if missing := draft.waiting + draft.dropped:
        draft.left_out.append(
            ngettext("%(count)s photo is left out for the buyer's privacy.", "%(count)s photos are left out for the buyer's privacy.", missing)
            % {"count": missing}
        )
    if draft.waiting:
        draft.gaps.append(
            ngettext(
                "%(count)s photo waits for you: nothing could be read on it, so look whether it tells who the buyer is, then make the pack again.",
                "%(count)s photos wait for you: nothing could be read on them, so look whether they tell who the buyer is, then make the pack again.",
                draft.waiting,
            )
            % {"count": draft.waiting}
        )
    if draft.papers:
        draft.left_out.append(_("Papers (PDF) are put in as they were handed in; nothing in them is covered."))
    if orders:
        draft.left_out.append(_("Other orders of the same buyers are left out."))
        if draft.case_kind:
            draft.left_out.append(_("Other cases about these orders, and checks of our own that are no matter of this one, are left out."))
