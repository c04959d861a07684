"""The agreements by which was bought."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.utils.translation import gettext as _

from daifa.domain.cases import files
from daifa.domain.orders.queries import OrderDetail
from daifa.domain.sourcing.commands import DOCUMENT_FOLDER
from daifa.domain.sourcing.models import Agreement, AgreementDocument
from daifa.domain.sourcing.queries import demands_of
from daifa.domain.sourcing.rules import OWN_KINDS, missing_terms
from daifa.domain.stores.models import Store
from daifa.flows.gather_evidence.draft import Draft, Section
from daifa.flows.gather_evidence.writing import safe_name
from daifa.lib import bulk, pictures


def tell_agreements(draft: Draft, orders: Sequence[OrderDetail]) -> None:
    """The agreement that counted when each purchase was made: of those valid for the store that day the one that asked for nothing more."""
    days: dict[tuple[int, str], list[date]] = {}
    for supplier, name, day in bulk.fetch(
        """SELECT DISTINCT p.supplier_id, s.name, (p.at AT TIME ZONE %s)::date
           FROM purchasing_purchaseorder p JOIN sourcing_supplier s ON s.id = p.supplier_id
           WHERE p.order_id = ANY(%s::bigint[]) AND p.placed_at IS NOT NULL ORDER BY 2, 3""",
        (draft.store.timezone, [detail.order["id"] for detail in orders]),
    ):
        days.setdefault((supplier, name), []).append(day)
    section = Section(_("Agreements with the suppliers"))
    for (supplier, name), bought in days.items():
        recorded = list(Agreement.objects.filter(supplier_id=supplier).order_by("-valid_from", "-id"))
        found, lacking = [], False
        for day in bought:
            one = _counted(draft.store, recorded, day)
            lacking = lacking or one is None
            if one is not None and one not in found:
                found.append(one)
        if lacking:
            draft.gaps.append(_("No agreement with %(supplier)s counted when it was bought from.") % {"supplier": name})
        for one in found:
            yes, no = _("yes"), _("no")
            section.facts += [
                (_("Supplier"), name),
                (_("Valid"), f"{one.valid_from} – {one.valid_until or ''}"),
                (_("Authorised to ship for us"), yes if one.is_authorised else no),
                (_("Neutral packing"), yes if one.neutral_packing else no),
                (_("No cards in the parcel"), yes if one.no_cards else no),
                (_("Platform's own e-waybill"), yes if one.platform_waybill else no),
                (_("Entrusted with buyers' data since"), str(one.entrusted_on or "–")),
            ]
            for paper in AgreementDocument.objects.filter(agreement=one).order_by("id"):
                content = files.read(paper.sha256, DOCUMENT_FOLDER)
                if content is None:
                    draft.gaps.append(_("The paper %(name)s cannot be read any more.") % {"name": paper.name})
                else:
                    draft.papers += paper.media_type == files.PDF
                    plain = pictures.without_metadata(content, paper.media_type)
                    draft.stripped += plain != content
                    draft.add(
                        f"agreements/{safe_name(name)}-{draft.file_name(paper.name)}", plain,
                        _("paper of the agreement; SHA-256 as received %(hash)s") % {"hash": paper.sha256},
                    )  # fmt: skip
    if section.facts:
        draft.sections.append(section)


def _counted(store: Store, recorded: Sequence[Agreement], day: date) -> Agreement | None:
    """The agreement by which could be bought for the store that day, the newest where several would do; as `may_serve` asks."""
    demands = demands_of(store, on=day)
    for one in recorded:
        named = one.store_id == store.pk or (one.store_id is None and store.kind in OWN_KINDS)
        if named and one.valid_from <= day and (one.valid_until is None or day <= one.valid_until) and not missing_terms(one, demands, day):
            return one
    return None
