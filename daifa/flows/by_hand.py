"""What a person does by hand to orders, purchases and parcels, each in one transaction under the orders' locks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from daifa.connectors.contract import Address, ReplyRow
from daifa.domain.aftersales import commands as aftersales
from daifa.domain.aftersales import queries as aftersales_queries
from daifa.domain.history import commands as history
from daifa.domain.history.commands import move, open_batch, record_facts
from daifa.domain.orders import commands as orders
from daifa.domain.orders.rules import ADDRESS_FIELDS
from daifa.domain.purchasing import commands as purchasing
from daifa.domain.purchasing.process import PURCHASE_ORDER
from daifa.domain.shipping import commands as shipping
from daifa.domain.stores.commands import close_tasks
from daifa.flows import read_replies
from daifa.lib import bulk
from daifa.lib.refusal import Refused

_NUMBER = re.compile(r"[A-Z0-9][A-Z0-9._/-]{3,59}")
# Purchases the supplier has, or may have: their parcels go to the address they were placed with.
_WITH_SUPPLIER = ("submitting", "unknown", "placed")


@transaction.atomic
def route_again(order_ids: Sequence[int], *, by: str, at: datetime) -> list[int]:
    """Look for suppliers again for what is open of these orders; returns those that have open units."""
    locked = orders.lock_orders(sorted(set(order_ids)))
    open_ones = [
        row[0]
        for row in bulk.fetch(
            """SELECT id FROM orders_order WHERE id = ANY(%s::bigint[]) AND NOT is_history
               AND units > cancelled + allocated ORDER BY id""",
            (locked,),
        )
    ]
    if open_ones:
        open_batch(by=by, at=at, reason=f"{len(open_ones)} orders routed again")
        record_facts("orders_to_route", open_ones, at=at)
    return open_ones


def why_not_readdress(order_id: int) -> str:
    """ "" or the sentence why the address of an order cannot be changed any more."""
    placed = bulk.fetch(
        """SELECT reference FROM purchasing_purchaseorder
           WHERE order_id = %s AND state = ANY(%s::text[]) AND units > rejected + cancelled ORDER BY id LIMIT 1""",
        (order_id, list(_WITH_SUPPLIER)),
    )
    if placed:
        return _(
            "Purchase order %(reference)s already carries this address to the supplier: ask the supplier to change it."
        ) % {"reference": placed[0][0]}
    return ""


@transaction.atomic
def change_address(order_id: int, fields: Mapping[str, str], *, by: str, at: datetime) -> None:
    """A new version of the address of an order of which nothing was placed yet. Raises `Refused`.

    `fields`: any of `ADDRESS_FIELDS`; what is left out becomes empty. What was drafted goes to the new address, what
    waited for one is routed.
    """
    orders.lock_orders([order_id])
    if why := why_not_readdress(order_id):
        raise Refused(why, code="placed_already")
    address = Address(**{name: str(value).strip() for name, value in fields.items() if name in ADDRESS_FIELDS})
    if not address.is_complete():
        missing = next((name for name in ("name", "line1", "country") if not getattr(address, name)), "name")
        raise Refused(
            _("A supplier needs at least a name, a street and a country to ship to."),
            code="address_incomplete",
            field=missing,
        )
    orders.set_addresses([(order_id, address)], by=by, at=at)
    readdress([order_id])
    bulk.execute(
        "UPDATE orders_order SET country = %s WHERE id = %s AND country <> %s",
        (address.country, order_id, address.country),
    )
    record_facts("orders_to_route", [order_id], at=at)


def readdress(order_ids: Sequence[int]) -> None:
    """Fulfilments and purchases that are not placed go to the newest address. The caller holds the orders' locks."""
    for table, states in (
        ("fulfilment_fulfilmentorder", ["released", "assigned"]),
        ("purchasing_purchaseorder", ["draft", "ready", "failed"]),
    ):
        bulk.execute(
            f"""UPDATE {table} t SET address_id = a.id
                FROM orders_order o JOIN orders_addressversion a ON a.order_id = o.id AND a.version = o.address_version
                WHERE t.order_id = o.id AND o.id = ANY(%s::bigint[]) AND t.state = ANY(%s::text[])""",
            (list(order_ids), states),
        )


# --- Taking back --------------------------------------------------------------------------------------------------


@transaction.atomic
def cancel_open(order_id: int, lines: Sequence[tuple[int, int]], *, by: str, at: datetime) -> int:
    """Cancel units [(line, units)] that no supplier was asked for yet; no money moves. Raises `Refused`.

    Returns the units cancelled. What was placed already stays: that needs the supplier.
    """
    orders.lock_orders([order_id])
    wants = {line: units for line, units in _of_order(order_id, lines) if units > 0}
    if not wants:
        raise Refused(_("Say how many units of which line are cancelled."), code="no_lines")
    done = purchasing.cancel_units(wants, by=by, at=at)
    if short := sum(wants.values()) - sum(done.values()):
        raise Refused(
            _("%(count)d of these units were already ordered from a supplier and cannot be cancelled here.")
            % {"count": short},
            code="placed_already",
        )
    _after_taking_back(order_id, by=by, at=at)
    record_facts("units_cancelled", [order_id], at=at)
    return sum(done.values())


@transaction.atomic
def give_back(
    order_id: int, lines: Sequence[tuple[int, int]], *, kind: str, reason: str, note: str, amount: Decimal | None,
    no_claim_reason: str, by: str, at: datetime,
) -> int:  # fmt: skip
    """Open a case about units [(line, units)] and, with an `amount`, refund it at once. Raises `Refused`.

    `kind`: refund or return. Units that no supplier was asked for are cancelled with the refund. Returns the case.
    """
    orders.lock_orders([order_id])
    wanted = _of_order(order_id, lines)
    if amount is not None and aftersales_queries.given_back_just_now(order_id, wanted, kind=kind, amount=amount, at=at):
        raise Refused(
            _("The same was given back on this order a moment ago. If the buyer gets it twice, wait a minute and enter it again."),
            code="given_back_just_now",
        )
    case = aftersales.open_case(order_id=order_id, kind=kind, reason=reason, lines=wanted, note=note, by=by, at=at)
    if amount is not None:
        aftersales.refund_case(case_id=case, amount=amount, no_claim_reason=no_claim_reason, by=by, at=at)
        _after_taking_back(order_id, by=by, at=at)
    return case


@transaction.atomic
def refund_case(case_id: int, amount: Decimal, *, no_claim_reason: str, by: str, at: datetime) -> int:
    """Give money back for an open case and end it. Raises `Refused`; returns the refund."""
    refund = aftersales.refund_case(
        case_id=case_id, amount=amount, no_claim_reason=no_claim_reason, by=by, at=at
    )
    order = bulk.fetch("SELECT order_id FROM aftersales_aftersalecase WHERE id = %s", (case_id,))[0][0]
    _after_taking_back(order, by=by, at=at)
    return refund


def _of_order(order_id: int, lines: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The lines with units, all of which must be of the order."""
    mine = {row[0] for row in bulk.fetch("SELECT id FROM orders_orderline WHERE order_id = %s", (order_id,))}
    if any(line not in mine for line, _units in lines):
        raise Refused(_("That line is not of this order."), code="no_such_line")
    return [(line, units) for line, units in lines if units > 0]


def _after_taking_back(order_id: int, *, by: str, at: datetime) -> None:
    """Lines of which nothing is left to buy hold nothing up any more."""
    settled = [
        row[0]
        for row in bulk.fetch(
            "SELECT id FROM orders_orderline WHERE order_id = %s AND quantity <= cancelled + allocated", (order_id,)
        )
    ]
    if settled:
        orders.release_holds(line_ids=settled, by=by, at=at)


# --- Purchases and parcels ----------------------------------------------------------------------------------------


@transaction.atomic
def settle_purchase(purchase_id: int, placed: bool, *, by: str, at: datetime) -> None:
    """A person asked the supplier about a purchase in doubt: he has it, or it may be placed again. Raises `Refused`."""
    bulk.fetch(
        """SELECT id FROM orders_order WHERE id = (SELECT order_id FROM purchasing_purchaseorder WHERE id = %s)
           FOR NO KEY UPDATE""",
        (purchase_id,),
    )
    row = bulk.fetch("SELECT state, run_id FROM purchasing_purchaseorder WHERE id = %s", (purchase_id,))
    if not row or row[0][0] != "unknown":
        raise Refused(_("Nothing about this purchase order is in doubt."), code="not_unknown")
    if row[0][1] is not None:
        raise Refused(_("It travels in a workbook: settle it on the run."), code="of_a_run")
    attempts = bulk.fetch(
        """SELECT id FROM purchasing_placementattempt
           WHERE purchase_order_id = %s AND state IN ('prepared', 'unknown')""",
        (purchase_id,),
    )
    said = (
        ("accepted", "A person asked: the supplier has it.")
        if placed
        else ("absent", "A person asked: the supplier does not have it.")
    )
    purchasing.settle_attempts({attempt[0]: said for attempt in attempts}, at=at)
    if placed:
        purchasing.place(purchases=[purchase_id], by=by, at=at)
    else:
        move(PURCHASE_ORDER, [purchase_id], to="ready", by=by, at=at, reason=said[1])
    close_tasks(kind="purchase_unknown", thing_kind="purchase_order", things=[purchase_id], by=by, at=at)


def why_not_take_away(purchase_id: int) -> str:
    """ "" or the sentence why what is open of a placed purchase cannot be given to another supplier."""
    row = bulk.fetch("SELECT state, accepted, shipped FROM purchasing_purchaseorder WHERE id = %s", (purchase_id,))
    if not row or row[0][0] != "placed":
        return _("Only what a supplier has can be taken away from him.")
    if row[0][1] > row[0][2]:
        return _("He has accepted units of it and not shipped them: they are owed to him. Agree the cancellation with him and "
                 "import his reply.")  # fmt: skip
    return ""


@transaction.atomic
def take_away(purchase_id: int, reason: str, *, by: str, at: datetime) -> int:
    """The supplier said (not in a file) that he will not ship what is open: as if he had refused it. Raises `Refused`.

    Returns the sales units that are routed again; he is not asked for these lines a second time.
    """
    orders.lock_orders_of("purchasing_purchaseorder", [purchase_id])
    rows = bulk.fetch(
        """SELECT p.reference, p.supplier_id, l.line_no, l.supplier_sku, l.quantity - l.accepted - l.rejected - l.cancelled,
                  l.factor
           FROM purchasing_purchaseorder p JOIN purchasing_purchaseline l ON l.purchase_order_id = p.id
           WHERE p.id = %s ORDER BY l.line_no""",
        (purchase_id,),
    )
    if why := why_not_take_away(purchase_id):
        raise Refused(why, code="not_to_be_taken")
    said = [
        ReplyRow(row=number, reference=reference, supplier_sku=sku, line=str(number), refused=True, reason=reason[:80])
        for reference, _supplier, number, sku, units, _factor in rows
        if units > 0
    ]
    if not said:
        raise Refused(_("Nothing of it is open any more."), code="nothing_open")
    applied = read_replies.apply_replies(said, supplier=rows[0][1], source=by, by=by, at=at)
    if applied.problems:
        raise Refused(applied.problems[0].sentence(), code=applied.problems[0].code)
    return sum(units * factor for *_rest, units, factor in rows if units > 0)


@transaction.atomic
def replace_number(parcel_id: int, number: str, carrier: str, *, by: str, at: datetime) -> None:
    """Give a parcel another waybill number; store and buyer are told once. Raises `Refused`."""
    number = "".join(number.split()).upper()
    if not _NUMBER.fullmatch(number):
        raise Refused(
            _("A waybill number has 4 to 60 letters and digits, no spaces."), code="bad_number", field="number"
        )
    bulk.fetch(
        """SELECT id FROM orders_order WHERE id = (SELECT order_id FROM shipping_parcel WHERE id = %s)
           FOR NO KEY UPDATE""",
        (parcel_id,),
    )
    changed = shipping.replace_numbers([(parcel_id, number, carrier.strip()[:40])], source=by, by=by, at=at)
    if not changed:
        raise Refused(
            _("The parcel has this number already, or has ended: its number stays."),
            code="number_stays",
            field="number",
        )
    record_facts("numbers_replaced", changed, at=at)


# --- What is stuck ------------------------------------------------------------------------------------------------


@transaction.atomic
def retry_parked(reaction: str = "", *, ids: Sequence[int] | None = None, by: str, at: datetime) -> int:
    """Let the parked steps of one reaction ("" = of all), or only these rows, be tried again; returns how many rows."""
    rows = bulk.fetch(
        """SELECT id, reaction, things FROM history_pendingreaction
           WHERE state = 'parked' AND (%s = '' OR reaction = %s) AND (%s OR id = ANY(%s::bigint[])) ORDER BY id FOR UPDATE""",
        (reaction, reaction, ids is None, list(ids or ())),
    )
    count = history.retry_parked([row[0] for row in rows])
    for name in {row[1] for row in rows}:
        things = [thing for row in rows if row[1] == name for thing in row[2]]
        close_tasks(kind="reaction_parked", thing_kind=name, things=things, by=by, at=at)
    return count
