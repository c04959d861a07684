"""Suppliers from a file: code, name, currency, how to reach them, and the day on which each signed the entrustment.

A code that is there already is left as it is, but for the entrustment: a day that is new is recorded. A repeat changes nothing.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_noop as N_

from daifa.domain.sourcing.models import Supplier
from daifa.flows import put_right
from daifa.lib.commas import listed
from daifa.lib.refusal import Refused, RowRefused
from daifa.lib.sheets import CellRefused, SheetRefused, read_sheet
from daifa.lib.sheets.cells import clean_text, parse_datetime, parse_decimal

MOST = 5_000

HEADINGS: dict[str, tuple[str, ...]] = {
    "code": ("code", "supplier code", "编码", "供应商编码", "代码"),
    "name": ("name", "supplier", "名称", "供应商", "供应商名称"),
    "currency": ("currency", "币种", "货币"),
    "source": ("source", "who he is", "供应商类型", "货源类型"),
    "email": ("email", "e-mail", "mail", "邮箱", "电子邮箱"),
    "country": ("country", "国家"),
    "delivery": ("delivery", "交付方式"),
    "language": ("language", "语言"),
    "parcel_freight": ("parcel_freight", "freight per parcel", "freight", "每包运费", "运费"),
    "handling_days": ("handling_days", "working days to ship", "发货天数"),
    "ships_to": ("ships_to", "ships to", "发往国家"),
    "entrusted_on": ("entrusted_on", "entrustment signed on", "entrusted on", "委托协议签署日期", "签署日期"),
}
"""Field → headings by which its column is known, without regard to capitals."""


@dataclass(slots=True)
class SuppliersRead:
    """Ids of suppliers added, how many were there already, for how many a day was recorded, orders routed again, rows refused."""

    added: list[int] = field(default_factory=list)
    known: int = 0
    entrusted: int = 0
    routed: int = 0
    refused: list[RowRefused] = field(default_factory=list)


def read_suppliers(*, name: str, content: bytes, by: str, at: datetime) -> SuppliersRead:
    """Read a file (CSV or workbook). A row that is refused does not stop the others. Raises `Refused` for the whole file."""
    try:
        sheet = read_sheet(io.BytesIO(content), name=name)
        plain = [clean_text(cell).casefold() for cell in sheet.header]
        places = {
            what: found[0] for what, words in HEADINGS.items() if (found := [plain.index(word) for word in words if word in plain])
        }
        for what in ("code", "currency"):
            if what not in places:
                raise SheetRefused(
                    "column_missing", N_("The file has no column for %(column)s; it has: %(found)s."),
                    {"column": HEADINGS[what][0], "found": listed(sheet.header)[:200]},
                )  # fmt: skip
        rows = list(sheet.rows())
    except SheetRefused as no:
        raise Refused(no.sentence(), code=no.code, field="file") from None
    result = SuppliersRead()
    known = dict(Supplier.objects.values_list("code", "id"))
    for number, cells in rows:
        if number - 1 > MOST:
            result.refused.append(RowRefused(number, "", "too_many", N_("A file holds at most %(most)s suppliers."), {"most": MOST}))
            break
        given = {what: clean_text(cells[place]) if place < len(cells) else "" for what, place in places.items()}
        if not any(given.values()):
            continue
        try:
            with transaction.atomic():
                _take(given, known, result, by=by, at=at)
        except Refused as no:
            result.refused.append(RowRefused(number, given["code"][:40], no.code or "refused", "%(sentence)s", {"sentence": no.sentence}))
        except CellRefused as no:
            result.refused.append(RowRefused(number, given["code"][:40], no.code, no.message, no.params))
    return result


def _take(given: Mapping[str, str], known: dict[str, int], result: SuppliersRead, *, by: str, at: datetime) -> None:
    signed_on: date | None = parse_datetime(given["entrusted_on"], UTC).date() if given.get("entrusted_on") else None
    code = given["code"]
    if code in known:
        said = set(Supplier.objects.get(pk=known[code]).agreements.values_list("entrusted_on", flat=True))
        if signed_on is not None and signed_on not in said:
            _agreements, routed = put_right.record_entrustment(supplier_id=known[code], signed_on=signed_on, by=by, at=at)
            result.entrusted += 1
            result.routed += routed
        result.known += 1
        return
    facts: dict[str, Any] = {what: given[what] for what in ("source", "email", "country", "delivery", "language") if given.get(what)}
    if given.get("parcel_freight"):
        facts["parcel_freight"] = parse_decimal(given["parcel_freight"])
    if given.get("handling_days"):
        facts["handling_days"] = _days(parse_decimal(given["handling_days"]))
    if given.get("ships_to"):
        facts["ships_to"] = _countries(given["ships_to"])
    supplier = put_right.add_supplier(
        code=code, name=given.get("name") or code, currency=given["currency"], entrusted_on=signed_on, by=by, at=at,
        **({"country": facts.pop("country").upper()} if "country" in facts else {}), **facts,
    )  # fmt: skip
    known[code] = supplier.pk
    result.added.append(supplier.pk)
    result.entrusted += signed_on is not None


def _days(value: Decimal) -> int:
    if value != int(value) or not 0 <= value <= 365:
        raise CellRefused("days_invalid", N_("“%(value)s” is no number of days from 0 to 365."), {"value": str(value)})
    return int(value)


def _countries(text: str) -> Sequence[str]:
    found = [word.strip().upper() for word in text.replace("，", ",").replace(";", ",").split(",") if word.strip()]
    for word in found:
        if not (len(word) == 2 and word.isascii() and word.isalpha()):
            raise CellRefused("country_unknown", N_("“%(word)s” is no country; write two letters, such as GB."), {"word": word[:40]})
    return found
