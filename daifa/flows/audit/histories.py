"""Histories: what was recorded of a thing leads to the state it is in."""

from __future__ import annotations

from django.utils.translation import gettext_noop as N_

from daifa.domain.aftersales.process import AFTERSALE_CASE, REFUND
from daifa.domain.cases.process import APPEAL, COMPLAINT, EVIDENCE_PACK, INFRINGEMENT, VIOLATION
from daifa.domain.catalog.process import LISTING, LISTING_FILE, PUBLICATION
from daifa.domain.fulfilment.process import FULFILMENT_ORDER
from daifa.domain.imports.process import IMPORT
from daifa.domain.messages.process import MESSAGE
from daifa.domain.purchasing.process import ATTEMPT, PURCHASE_ORDER, PURCHASE_RUN, REMINDER
from daifa.domain.shipping.process import DISPATCH_NOTICE, PARCEL
from daifa.flows.audit.check import Check
from daifa.lib.process import Process

OF_STORE = "[[t.store_id]]"


def history(process: Process, scope: str) -> Check:
    """Transitions of a thing lead from a birth to the state it is in.

    Their order within a moment is not stored and not needed: whatever the order, each state is left as often as it
    was entered, except the first and the last.
    """
    starts = ", ".join(f"hashtext('{start}')::bigint" for start in ("", *process.starts))
    return Check(
        f"history_{process.name}", "13", process.name,
        N_("Things whose recorded history does not end in the state they are in"),
        f"""SELECT t.id, format('{process.name} %s: %s', t.id, t.state) FROM
            (SELECT thing, sum(hashtext(state_to)::bigint - hashtext(state_from)::bigint) AS way
             FROM history_transition WHERE kind = {process.kind} GROUP BY thing) h
            JOIN {process.table_name} t ON t.id = h.thing
            WHERE {scope} AND h.way <> ALL (SELECT hashtext(t.state)::bigint - start FROM unnest(ARRAY[{starts}]) AS start)""",
    )  # fmt: skip


CHECKS: list[Check] = [
    *(
        history(process, OF_STORE)
        for process in (
            FULFILMENT_ORDER,
            PURCHASE_ORDER,
            PARCEL,
            MESSAGE,
            DISPATCH_NOTICE,
            REFUND,
            AFTERSALE_CASE,
            VIOLATION,
            COMPLAINT,
            INFRINGEMENT,
            LISTING,
            PUBLICATION,
            LISTING_FILE,
            EVIDENCE_PACK,
            REMINDER,
        )
    ),
    *(history(process, f"(t.store_id IS NULL OR {OF_STORE})") for process in (PURCHASE_RUN, IMPORT)),
    history(APPEAL, "EXISTS (SELECT FROM cases_violation v WHERE v.id = t.violation_id AND [[v.store_id]])"),
    history(
        ATTEMPT,
        "(t.purchase_order_id IS NULL OR EXISTS (SELECT FROM purchasing_purchaseorder p "
        "WHERE p.id = t.purchase_order_id AND [[p.store_id]]))",
    ),
]
