"""Handing a buyer what is held on him: a zip with everything for programs (`data.json`), the same to read, and his files.

Other people's rows are not in it: of uploads only the rows in which this person stands, of workbooks nothing.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from daifa.domain.cases.files import path_of as case_path
from daifa.domain.history.commands import open_batch
from daifa.domain.orders.process import STATUS_WORDS
from daifa.domain.privacy.places import CLASSES, HOW, place_word, said
from daifa.domain.shipping.checks import PHOTO_FOLDER
from daifa.flows.privacy import Person, what_we_hold
from daifa.flows.shred_places import numbers_of, values_of
from daifa.lib import bulk, keeping
from daifa.lib.money import rounded
from daifa.lib.redact import Marks
from daifa.lib.sheets import SheetRefused, read_sheet

MOST_ROWS = 2000  # of one upload

_OF_ORDERS = {
    N_("Orders"): """SELECT s.name AS store, o.number, o.placed_at, o.status, o.total_amount, o.refunded_amount, o.currency, o.note
                     FROM orders_order o JOIN stores_store s ON s.id = o.store_id WHERE o.id = ANY(%s::bigint[]) ORDER BY o.id""",
    N_("Lines"): """SELECT o.number AS "order", l.line_no, l.sku, l.title, l.quantity, l.amount, o.currency FROM orders_orderline l
                    JOIN orders_order o ON o.id = l.order_id WHERE o.id = ANY(%s::bigint[]) ORDER BY o.id, l.line_no""",
    N_("Addresses"): """SELECT o.number AS "order", a.version, a.at, a.name, a.line1, a.line2, a.city, a.region, a.postcode, a.country,
                               a.phone, a.email, a.raw, a.token FROM orders_addressversion a JOIN orders_order o ON o.id = a.order_id
                        WHERE o.id = ANY(%s::bigint[]) ORDER BY o.id, a.version""",
    N_("Parcels"): """SELECT o.number AS "order", p.carrier, p.number, p.state, p.handed_over_at, p.delivered_at FROM shipping_parcel p
                      JOIN orders_order o ON o.id = p.order_id WHERE o.id = ANY(%s::bigint[]) ORDER BY p.id""",
    N_("Scans"): """SELECT p.number, e.at, e.status, e.raw_status, e.place FROM shipping_trackingevent e
                    JOIN shipping_parcel p ON p.id = e.parcel_id WHERE p.order_id = ANY(%s::bigint[]) ORDER BY p.id, e.at""",
    N_("Messages"): """SELECT o.number AS "order", m.kind, m.state, m.sent_at, m.subject, m.body FROM buyer_messages_message m
                       JOIN orders_order o ON o.id = m.order_id WHERE o.id = ANY(%s::bigint[]) ORDER BY m.id""",
    N_("Refunds"): """SELECT o.number AS "order", r.external_ref, r.state, r.reason, r.amount, r.currency, r.at FROM aftersales_refund r
                      JOIN orders_order o ON o.id = r.order_id WHERE o.id = ANY(%s::bigint[]) ORDER BY r.id""",
    N_("Cases"): """SELECT o.number AS "order", c.kind, c.state, c.reason, c.note, c.opened_at FROM aftersales_aftersalecase c
                    JOIN orders_order o ON o.id = c.order_id WHERE o.id = ANY(%s::bigint[]) ORDER BY c.id""",
    N_("Complaints"): """SELECT o.number AS "order", c.reference, c.kind, c.state, c.text, c.answer, c.outcome, c.opened_at FROM cases_complaint c
                         JOIN orders_order o ON o.id = c.order_id WHERE o.id = ANY(%s::bigint[]) ORDER BY c.id""",
    N_("Evidence packs"): """SELECT name, at, sha256, revealed, erased_at FROM cases_evidencepack WHERE orders && %s::bigint[] ORDER BY id""",
}  # fmt: skip
"""Headings and what stands under them, by order ids."""

COLUMNS = {
    "amount": N_("Amount"), "answer": N_("Answer"), "at": N_("When"), "body": N_("Text"), "carrier": N_("Carrier"), "cells": N_("Cells"),
    "city": N_("City"), "count": N_("Rows and files"), "country": N_("Country"), "currency": N_("Currency"),
    "delivered_at": N_("Delivered"), "email": N_("Mail address"), "erased_at": N_("Erased"), "external_ref": N_("Reference"), "file": N_("File"),
    "first_seen_at": N_("First seen"), "granted_at": N_("Given"), "handed_over_at": N_("Handed over"), "kind": N_("Kind"),
    "last_at": N_("Last"), "line1": N_("Address"), "line2": N_("Address, second line"), "line_no": N_("Line number"), "name": N_("Name"),
    "note": N_("Note"), "number": N_("Number"), "opened_at": N_("Opened"), "order": N_("Order"), "orders": N_("Orders"),
    "outcome": N_("Outcome"), "phone": N_("Phone"), "place": N_("Place"), "placed_at": N_("Placed"), "postcode": N_("Postcode"), "proof": N_("Proof"),
    "purpose": N_("Purpose"), "quantity": N_("Quantity"), "raw": N_("As it came"), "raw_status": N_("Words of the carrier"),
    "reason": N_("Reason"), "ref": N_("Reference"), "reference": N_("Reference"), "refunded_amount": N_("Refunded"), "region": N_("Region"),
    "revealed": N_("Names shown"), "row": N_("Row"), "sent_at": N_("Sent"), "sha256": N_("Hash (SHA-256)"), "sku": N_("SKU"), "state": N_("State"),
    "status": N_("State"), "store": N_("Store"), "subject": N_("Subject"), "supplier": N_("Supplier"), "taken_at": N_("Backed up"), "text": N_("Text"),
    "title": N_("Title"), "token": N_("Token of the channel"), "total_amount": N_("Total"), "until": N_("Kept until"),
    "version": N_("Version"), "withdrawn_at": N_("Withdrawn"),
}  # fmt: skip
"""Names in `data.json` → what the page for people calls them."""


def export_person(person: Person, *, by: str, at: datetime) -> tuple[str, bytes]:
    """(file name, zip) of everything held on a person. The hand-over itself is recorded, without a name."""
    told = what_we_hold(person, at=at)
    parts: dict[str, list[dict[str, Any]]] = {
        heading: bulk.fetch_dicts(query, (person.orders,)) for heading, query in _OF_ORDERS.items()
    }
    parts[N_("Customers")] = bulk.fetch_dicts(
        "SELECT ref, name, email, country, first_seen_at FROM customers_customer WHERE id = ANY(%s::bigint[]) ORDER BY id",
        (person.customers,),
    )
    parts[N_("Consents")] = bulk.fetch_dicts(
        """SELECT purpose, granted_at, withdrawn_at, proof FROM customers_consent WHERE customer_id = ANY(%s::bigint[]) ORDER BY id""",
        (person.customers,),
    )
    marks = values_of(person.orders, person.customers).marks(numbers_of(person.orders))
    parts[N_("Rows of uploads")] = list(_rows_of_uploads(person.orders, marks))
    parts[N_("Suppliers who were given the address")] = [
        {"supplier": row["name"], "orders": row["orders"], "last_at": row["last_at"]} for row in told.told
    ]
    parts[N_("Backups that hold it")] = [
        {"taken_at": backup.taken_at, "until": backup.until, "place": backup.place} for backup in told.backups
    ]
    parts[N_("Where it is held")] = [{"place": place_word(place), "count": count} for place, count in sorted(told.counts.items())]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", json.dumps({"at": at, **parts}, default=_plain, ensure_ascii=False, indent=1))
        archive.writestr("read-me.html", _page(parts, at))
        for name, content in _files(person.orders):
            archive.writestr(name, content)
    open_batch(by=by, at=at, reason=f"handed over what is held on the buyer of {len(person.orders)} orders")
    return f"personal-data-{at:%Y%m%d-%H%M}.zip", buffer.getvalue()


def _rows_of_uploads(orders: Sequence[int], marks: Marks) -> Iterable[dict[str, Any]]:
    """Rows of the files these orders came with, in which the person stands."""
    for file, name, sha256, encoding, worksheet in bulk.fetch(
        """SELECT DISTINCT f.id, f.name, f.sha256, f.options ->> 'encoding', f.options ->> 'worksheet'
           FROM imports_importfile f JOIN orders_order o ON o.source = 'import:' || f.id
           WHERE o.id = ANY(%s::bigint[]) ORDER BY f.id""",
        (list(orders),),
    ):
        path = keeping.path_of("imports", sha256)
        if not path.is_file():
            continue
        try:
            sheet = read_sheet(path, name=name, worksheet=worksheet or "", encoding=encoding or "")
            found = 0
            for number, cells in sheet.rows():
                values = [str(cell) for cell in cells]
                if any(marks.are_in(value) for value in values):
                    found += 1
                    yield {"file": f"{file} {name}", "row": number, "cells": " | ".join(values)}
                if found >= MOST_ROWS:
                    break
        except (SheetRefused, OSError):
            yield {"file": f"{file} {name}", "row": "", "cells": ""}


def _files(orders: Sequence[int]) -> Iterable[tuple[str, bytes]]:
    """Photos that belong to the person's complaints and parcels, and letters as they were sent."""
    photos = bulk.fetch(
        """SELECT f.sha256, f.name, 'cases' FROM cases_casefile f JOIN cases_complaint c ON f.thing_kind = 'complaint' AND f.thing = c.id
           WHERE c.order_id = ANY(%s::bigint[])
           UNION SELECT sha256, name, 'photos' FROM shipping_parcelcheck WHERE order_id = ANY(%s::bigint[]) ORDER BY 1""",
        (list(orders), list(orders)),
    )
    for sha256, name, where in photos:
        path = case_path(sha256) if where == "cases" else keeping.path_of(PHOTO_FOLDER, sha256)
        if path.is_file():
            yield f"photos/{sha256[:8]}-{Path(name).name}", path.read_bytes()
    letters = {row[0] for row in bulk.fetch("SELECT id FROM buyer_messages_message WHERE order_id = ANY(%s::bigint[])", (list(orders),))}
    for path in sorted(Path(settings.EMAIL_FILE_PATH).glob("buyer-*.eml")):
        number = path.name.split("-")[1].split(".")[0]
        if number.isdigit() and int(number) in letters:
            yield f"letters/{path.name}", path.read_bytes()


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _to_read(name: str, value: Any, row: dict[str, Any]) -> str:
    """A cell for people: amounts to their smallest coin, moments to the minute, states in words."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, Decimal):
        return str(rounded(value, row["currency"]) if row.get("currency") else value.normalize())
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if name == "status" and value in STATUS_WORDS:
        english, of_chinese = STATUS_WORDS[value]
        return of_chinese if (get_language() or "").startswith("zh") else english
    return str(value)


def _page(parts: dict[str, list[dict[str, Any]]], at: datetime) -> str:
    """The same, to read, in the language of who hands it over: one table a heading, no scripts, nothing from elsewhere."""
    title = _("Personal data held on you")
    as_of = _("As of %(at)s") % {"at": _moment(at)}
    body = [f"<h1>{escape(title)}</h1>", f"<p>{escape(as_of)}</p>"]
    for heading, rows in parts.items():
        if not rows:
            continue
        body.append(f"<h2>{escape(_(heading))}</h2><table><tr>")
        body += [f"<th>{escape(_(COLUMNS[name]))}</th>" for name in rows[0]]
        body.append("</tr>")
        for row in rows:
            cells = (_to_read(name, value, row) for name, value in row.items())
            body.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
        body.append("</table>")
    kinds = "".join(f"<li>{escape(said(words))}</li>" for words in CLASSES.values())
    body.append(f"<h2>{escape(_('Classes of data'))}</h2><ul>{kinds}</ul><p>{escape(said(HOW['copy']))}</p>")
    style = "body{font:15px/1.5 system-ui;margin:2rem;max-width:72rem}table{border-collapse:collapse;margin:0 0 1rem}td,th{border:1px solid #ccc;padding:.25rem .5rem;text-align:left;vertical-align:top}"
    return (
        f'<!doctype html><html lang="{escape(get_language() or "en")}"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{style}</style><body>{''.join(body)}</body></html>"
    )
