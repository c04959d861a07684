"""What a supplier's row means for one purchase line. Pure; the worked rows stand in docs/rules/replies.md.

`accepted` in a row is the line's total so far, so that a file read twice changes nothing. Fewer than asked is short:
the rest counts as refused and is routed again. A waybill for a quantity implies its acceptance. What exceeds the
purchase is a finding and is never counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.translation import gettext_noop as N_


@dataclass(slots=True)
class LineState:
    """A purchase line while rows are applied to it. Quantities in supplier units; the deltas collect what is new."""

    id: int
    purchase: int
    order_line: int
    fulfilment_line: int
    supplier_sku: str
    factor: int
    quantity: int
    accepted: int
    rejected: int
    cancelled: int
    backordered: int
    shipped: int
    parcels: dict[str, int] = field(default_factory=dict)  # number → units already in that parcel
    new_accepted: int = 0
    new_rejected: int = 0
    new_shipped: int = 0
    reason: str = ""

    @property
    def unanswered(self) -> int:
        return self.quantity - self.accepted - self.rejected - self.cancelled - self.backordered

    def accept(self, units: int) -> None:
        self.accepted += units
        self.new_accepted += units

    def reject(self, units: int) -> None:
        self.rejected += units
        self.new_rejected += units


@dataclass(frozen=True, slots=True)
class RowFinding:
    """Why a row, or a part of it, was not applied."""

    code: str
    message: str
    params: dict


def apply_answer(line: LineState, *, accepted: int | None, refused: bool, reason: str) -> RowFinding | None:
    """Acceptance or refusal said in a row."""
    if reason:
        line.reason = reason
    if refused and not accepted:
        if line.accepted and not line.rejected and not line.unanswered:
            return _taken_back(line, 0)
        line.reject(line.unanswered)
        return None
    if accepted is None:
        return None
    room = line.quantity - line.cancelled - line.rejected
    if accepted > room:
        line.accept(min(line.unanswered, max(0, room - line.accepted)))
        return RowFinding(
            "accepted_too_many",
            N_("The supplier accepted %(said)s of %(sku)s, but only %(room)s were asked for; the rest is not counted."),
            {"said": accepted, "sku": line.supplier_sku, "room": room},
        )
    if accepted < line.accepted:
        return _taken_back(line, accepted)
    line.accept(accepted - line.accepted)
    line.reject(line.unanswered)  # short: what was not accepted goes to somebody else
    return None


def _taken_back(line: LineState, said: int) -> RowFinding:
    return RowFinding(
        "accepted_taken_back",
        N_("The supplier had accepted %(before)s of %(sku)s and now says %(said)s. Ask which is true; nothing was changed."),
        {"before": line.accepted, "sku": line.supplier_sku, "said": said},
    )


def apply_shipment(
    line: LineState, *, numbers: tuple[str, ...], shipped: int | None
) -> tuple[list[tuple[str, int]], RowFinding | None]:
    """Units per waybill number named in a row: [(number, units)], and a finding where something was not counted.

    Numbers already in this line's parcels are repeats and change nothing, unless the row now says more units under
    them. Without a quantity everything accepted (or, if nothing was said, everything asked for) that has not shipped is
    meant; several numbers share it evenly.
    """
    fresh = [number for number in dict.fromkeys(numbers) if number not in line.parcels]
    known = sum(line.parcels.get(number, 0) for number in dict.fromkeys(numbers))
    if not fresh and (shipped is None or len(numbers) > 1 or shipped <= known or not known):
        return [], None
    fresh = fresh or [numbers[0]]
    room = line.accepted + line.unanswered - line.shipped
    said = room if shipped is None else shipped - known
    finding = None
    if said > room:
        finding = RowFinding(
            "over_shipped",
            N_("%(said)s of %(sku)s were shipped, but only %(room)s are left to ship; the rest is not counted."),
            {"said": said, "sku": line.supplier_sku, "room": room},
        )
        said = room
    if said <= 0:
        return [], finding or RowFinding(
            "nothing_left_to_ship",
            N_("%(sku)s has already shipped in full under another number. If the number changed, replace it on the parcel."),
            {"sku": line.supplier_sku},
        )
    if said > line.accepted - line.shipped:
        line.accept(said - (line.accepted - line.shipped))
    line.shipped += said
    line.new_shipped += said
    share, rest = divmod(said, len(fresh))
    parts = [(number, share + (1 if at < rest else 0)) for at, number in enumerate(fresh)]
    for number, units in parts:
        line.parcels[number] = line.parcels.get(number, 0) + units
    return parts, finding
