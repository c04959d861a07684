"""The numbers beside the sections: what waits for a person there. Asked on every page, in one statement."""

from __future__ import annotations

from collections import Counter

from daifa.flows.reads.waiting import waiting
from daifa.web.kit import Scope, navigation

# Kind of task → section in which it is settled; what is not here goes by the kind of thing it is about.
OF_KIND = {
    "deposit_short": "deposit", "reply_row": "purchases", "rule_recheck": "rules", "rules_change": "rules",
    "rules_refused": "rules", "rules_overtaken": "rules", "words_found": "findings", "retention_unknown": "privacy",
    "photos_unread": "parcel_checks", "mapping_broken": "catalogue", "messages_held_back": "messages",
    "mail_not_working": "messages", "reaction_parked": "today", "quarantined": "installation",
    "purchases_unknown_here": "installation", "channel_needs_person": "stores", "held": "orders", "clock": "clocks",
}  # fmt: skip
OF_THING = {
    "order": "orders", "purchase_order": "purchases", "run": "runs", "parcel": "parcels", "message": "messages",
    "supplier": "suppliers", "agreement": "suppliers", "parcel_check": "parcel_checks", "risk": "risks",
    "violation": "violations", "complaint": "complaints", "infringement": "infringements", "qualification": "qualifications",
    "closing_step": "closings", "standing": "closings", "store_review": "exit_index", "listings": "listings",
    "listing_file": "listings", "publication": "listings", "picture_cover": "infringements",
    "evidence_pack": "evidence",
}  # fmt: skip


def section_of(kind: str, thing_kind: str) -> str:
    """The section of a task; "today" for what is settled on Today itself."""
    return OF_KIND.get(kind) or OF_THING.get(thing_kind, "today")


def by_section(scope: Scope) -> dict[str, int]:
    """Section → how many things wait there, of the stores in view."""
    found: Counter[str] = Counter()
    for (kind, thing_kind), count in waiting(scope.store_ids, shared=scope.may_shared("view"), at=scope.at).items():
        section = section_of(kind, thing_kind)
        if section != "today":
            found[section] += count
    return found


navigation.counts(by_section)
