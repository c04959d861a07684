"""An order from payment to delivery: purchases, parcels and scans, messages, refunds, and everything that happened."""

from __future__ import annotations

from django.utils.translation import gettext as _

from daifa.domain.aftersales.process import REFUND
from daifa.domain.cases import queries
from daifa.domain.customers.rules import masked_address
from daifa.domain.messages.process import KINDS as MESSAGE_KINDS
from daifa.domain.orders.queries import OrderDetail
from daifa.domain.shipping.process import PARCEL
from daifa.flows.gather_evidence.draft import Draft, Section
from daifa.flows.gather_evidence.writing import csv_bytes, json_bytes, money, safe_name, state_word
from daifa.flows.reads.timeline import timeline
from daifa.lib import bulk
from daifa.lib.commas import listed


def tell_order(draft: Draft, detail: OrderDetail) -> None:
    order = detail.order
    folder = f"orders/{safe_name(order['number'])}"
    address = detail.addresses[0] if detail.addresses else {}
    if address and not draft.reveal:
        address = masked_address(address)
    where = listed(
        (str(address[name]) for name in ("name", "line1", "line2", "city", "region", "postcode", "country", "phone") if address.get(name)),
        comma="，",
    )
    section = Section(
        _("Order %(number)s") % {"number": order["number"]},
        [
            (_("Placed"), draft.when(order["placed_at"])),
            (_("Paid"), draft.when(order["paid_at"])),
            (_("To be dispatched by"), draft.when(order["ship_by_at"])),
            (_("Total"), money(order["total_amount"], order["currency"])),
            (_("Ship to"), where),
        ],
    )
    section.tables.append((
        _("Lines"),
        [_("SKU"), _("Title"), _("Quantity"), _("Amount")],
        [
            [line["sku"], draft.words(line["title"]), str(line["quantity"]), money(line["amount"], order["currency"])]
            for line in detail.lines
        ],
    ))  # fmt: skip
    told = {
        "number": order["number"], "placed_at": order["placed_at"], "paid_at": order["paid_at"], "ship_by_at": order["ship_by_at"],
        "currency": order["currency"], "total": order["total_amount"], "status": order["status"],
        "lines": [
            {name: line[name] for name in ("line_no", "kind", "sku", "quantity", "unit_price", "amount", "shipped", "delivered")}
            | {"title": draft.words(line["title"])}
            for line in detail.lines
        ],
        "ship_to": {
            name: address.get(name, "")
            for name in ("version", "name", "line1", "line2", "city", "region", "postcode", "country", "phone", "email")
        },
    }  # fmt: skip
    draft.add(f"{folder}/order.json", json_bytes(told), _("the order as the channel gave it"))
    _tell_purchases(draft, section, order["id"], folder)
    _tell_parcels(draft, section, order["id"], folder)
    _tell_messages(draft, section, order["id"], folder)
    _tell_aftersales(draft, section, order["id"])
    happened = sorted((one for one in timeline([draft.store.pk], order["id"]) if draft.serves(one.subject, one.thing)), key=lambda one: one.at)
    rows = [
        [draft.when(one.at), draft.words(one.sentence), draft.words(" · ".join(part for part in (one.detail, one.why) if part))]
        for one in happened
    ]
    if rows:
        draft.add(
            f"{folder}/timeline.csv",
            csv_bytes([_("Time"), _("What happened"), _("Details"), _("Who did it")], [[*row, _whose(one.by)] for row, one in zip(rows, happened, strict=True)]),
            _("everything that happened to the order"),
        )
        section.tables.append((_("What happened"), [_("Time"), _("What happened"), _("Details")], rows))
    draft.sections.append(section)


def _whose(by: str) -> str:
    """Who did something, as far as it concerns others: no names and no numbers of accounts."""
    kind = by.partition(":")[0]
    if kind == "import":
        return _("a file")
    return (_("daifa") if kind == "job" else _("a person")) if by else ""


def _tell_purchases(draft: Draft, section: Section, order: int, folder: str) -> None:
    purchases = bulk.fetch_dicts(
        """SELECT p.reference, p.their_reference, s.name AS supplier, p.state, p.units, p.accepted, p.shipped, p.at, p.placed_at,
                  p.ship_due_at, p.goods_amount, p.freight_amount, p.currency
           FROM purchasing_purchaseorder p JOIN sourcing_supplier s ON s.id = p.supplier_id WHERE p.order_id = %s ORDER BY p.id""",
        (order,),
    )
    if not any(one["placed_at"] for one in purchases):  # one that nobody placed bought nothing
        draft.gaps.append(_("%(order)s has no purchase behind it.") % {"order": section.title})
    if not purchases:
        return
    if not draft.costs:
        for one in purchases:
            del one["goods_amount"], one["freight_amount"], one["currency"]
    draft.add(f"{folder}/purchases.json", json_bytes(purchases), _("what was bought for it, from whom and when"))
    section.tables.append((
        _("Purchase orders"),
        [_("Our reference"), _("Supplier"), _("Units"), _("Placed"), _("Promised"), _("Shipped")],
        [
            [one["reference"], one["supplier"], str(one["units"]), draft.when(one["placed_at"]), draft.when(one["ship_due_at"]),
             str(one["shipped"])]
            for one in purchases
        ],
    ))  # fmt: skip


def _tell_parcels(draft: Draft, section: Section, order: int, folder: str) -> None:
    parcels = bulk.fetch_dicts(
        """SELECT id, carrier, number, state, announced_at, handed_over_at, delivered_at, is_late
           FROM shipping_parcel WHERE order_id = %s ORDER BY id""",
        (order,),
    )
    if not parcels:
        draft.gaps.append(_("%(order)s has no parcel.") % {"order": section.title})
    for parcel in parcels:
        versions = bulk.fetch(
            "SELECT version, number, carrier, is_active, at FROM shipping_waybillnumber WHERE parcel_id = %s ORDER BY version",
            (parcel["id"],),
        )
        scans = bulk.fetch(
            """SELECT at, status, raw_status, place, source, seen_at FROM shipping_trackingevent
               WHERE parcel_id = %s ORDER BY at, seen_at""",
            (parcel["id"],),
        )
        if not scans:
            draft.gaps.append(_("Parcel %(number)s was never scanned.") % {"number": parcel["number"]})
        heading = _("Parcel %(number)s, %(carrier)s, %(state)s") % {
            "number": parcel["number"], "carrier": parcel["carrier"] or "–", "state": state_word(PARCEL, parcel["state"]),
        }  # fmt: skip
        section.tables.append((
            heading,
            [_("Scanned"), _("Status"), _("In the carrier's words"), _("Place")],
            [[draft.when(at), state_word(PARCEL, status), draft.words(raw), draft.words(place)] for at, status, raw, place, _s, _t in scans],
        ))  # fmt: skip
        draft.add(
            f"{folder}/parcel-{safe_name(parcel['number'])}.csv",
            csv_bytes(
                ["scanned_at", "status", "carriers_words", "place", "source", "seen_at"],
                [[at.isoformat(), status, draft.words(raw), draft.words(place), source, seen.isoformat()]
                 for at, status, raw, place, source, seen in scans],
            ),
            _("scans of the parcel, each with where it came from"),
        )  # fmt: skip
        if len(versions) > 1:
            section.tables.append((
                _("Numbers it has had"), [_("Number"), _("Carrier"), _("Since")],
                [[number, carrier, draft.when(at)] for _v, number, carrier, _active, at in versions],
            ))  # fmt: skip


def _tell_messages(draft: Draft, section: Section, order: int, folder: str) -> None:
    messages = bulk.fetch(
        """SELECT kind, subject, body, sent_at FROM buyer_messages_message WHERE order_id = %s AND state = 'sent'
           ORDER BY sent_at, id""",
        (order,),
    )
    if not messages:
        return
    told = [
        f"{draft.when(sent)}  {queries.word(MESSAGE_KINDS, kind)}\n{draft.words(subject)}\n\n{draft.words(body)}"
        for kind, subject, body, sent in messages
    ]
    draft.add(f"{folder}/messages.txt", ("\n\n" + "-" * 60 + "\n\n").join(told).encode(), _("what the buyer was told"))
    section.tables.append((
        _("Messages to the buyer"), [_("Sent"), _("Message"), _("Subject")],
        [[draft.when(sent), queries.word(MESSAGE_KINDS, kind), draft.words(subject)] for kind, subject, _body, sent in messages],
    ))  # fmt: skip


def _tell_aftersales(draft: Draft, section: Section, order: int) -> None:
    refunds = bulk.fetch(
        "SELECT external_ref, state, amount, currency, coalesce(confirmed_at, at) FROM aftersales_refund WHERE order_id = %s ORDER BY id", (order,)
    )
    if refunds:
        section.tables.append((
            _("Refunds"), [_("Refund"), _("Date"), _("Amount"), _("State")],
            [[ref, draft.when(at), money(amount, currency), state_word(REFUND, state)] for ref, state, amount, currency, at in refunds],
        ))  # fmt: skip
