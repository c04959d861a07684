"""Rows to records: orders, products, offers, suppliers' replies and tracking events of any layout `columns` knows.

Every reader returns a `Reading`: the file was looked through once (so a broken file is refused before anything is
handed out, and number and date styles are decided by whole columns), then records come as a stream. Nothing is lost:
each row of the file ends in exactly one record, problem or `NotAnOrder`. An order with one bad row is withheld whole,
because an order without that row would be a different order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from daifa.connectors.contract import (
    Address,
    IncomingCredit,
    IncomingLine,
    IncomingOffer,
    IncomingOrder,
    IncomingProduct,
    NotAnOrder,
    ReplyRow,
    RowProblem,
    TrackingRow,
)
from daifa.lib.regions import province
from daifa.lib.sheets import (
    CellRefused,
    Sheet,
    clean_id,
    clean_text,
    infer_day_first,
    infer_decimal_mark,
    parse_datetime,
    parse_decimal,
    parse_quantity,
    read_id,
    recognise_currency,
    shown,
)
from daifa.lib.sheets.problems import N_

from .codes import REFUND_DONE, REFUND_NONE, country_code, order_status, reply_status, tracking_status
from .columns import FIELDS, KNOWN_BY_NAME, Layout

Row = tuple[int, list[str]]
OrderRecord = IncomingOrder | IncomingCredit | RowProblem | NotAnOrder
_DISTINCT = 50_000  # different cells of a column looked at to decide its style
_CENT = Decimal("0.01")
_UNIT = Decimal("0.000001")
_TOTALS = frozenset(
    {"合计", "总计", "小计", "总数", "total", "totals", "grand total", "sum", "summe", "gesamt"}
)


class Reading:
    """A file read with a layout. Iterate it for its records; `rows_in` is how many rows the file holds."""

    def __init__(
        self,
        sheet: Sheet,
        layout: Layout,
        records: Callable[[_Cells], Iterator[Any]],
        *,
        key: str = "",
        tz: tzinfo | None = None,
        store_currency: str = "",
    ) -> None:
        self.sheet = sheet
        self.layout = layout
        self._records = records
        self._cells = _Cells(sheet, layout, key=key, tz=tz, store_currency=store_currency)
        self.rows_in = self._cells.rows_in

    def __iter__(self) -> Iterator[Any]:
        return self._records(self._cells)

    @property
    def last_row(self) -> int:
        return self._cells.last_row

    def rows_of(self, document: str) -> Iterator[Row]:
        """The rows of one document: (row number, cells). Files whose rows stand alone have none."""
        key = self._cells.key
        if key is not None:
            names = {raw: _key(raw) for raw in self._cells.last}
            if self.layout.name == "taobao_suborders":
                names = {raw: _suborder_number(raw) for raw in names} if key == self._cells.at.get("line_id") else names
            yield from (row for row in self.sheet.rows() if names[row[1][key]] == document)


class _Cells:
    """Reads cells of a file by field, in the style found for each column over the whole file."""

    def __init__(
        self, sheet: Sheet, layout: Layout, *, key: str, tz: tzinfo | None, store_currency: str
    ) -> None:
        self.sheet, self.layout, self.tz, self.store_currency = sheet, layout, tz, store_currency
        self.at = dict(layout.columns)
        self.width = len(layout.header)
        self.key = self.at.get(key)
        self.last: dict[str, int] = {}
        self.rows_in = self.last_row = 0
        self._look_through()

    def _look_through(self) -> None:
        kinds = _kinds(self.layout)
        numbers = [
            self.at[name]
            for name, kind in kinds.items()
            if kind in ("amount", "quantity") and name in self.at
        ]
        times = [self.at[name] for name, kind in kinds.items() if kind == "time" and name in self.at]
        seen: list[tuple[int, set[str]]] = [(at, set()) for at in (*numbers, *times)]
        key, last = self.key, self.last
        count = number = 0
        for number, cells in self.sheet.rows():
            count += 1
            for at, distinct in seen:
                distinct.add(cells[at])
            if key is not None:
                last[cells[key]] = number
            if not count % 100_000:
                seen = [(at, distinct) for at, distinct in seen if len(distinct) < _DISTINCT]
        self.rows_in, self.last_row = count, number
        found = dict(seen)
        marks = {at: infer_decimal_mark(found[at]) for at in numbers if at in found}
        whole = {mark for mark in marks.values() if mark}
        fallback = whole.pop() if len(whole) == 1 else None
        chosen = self.layout.decimal_mark
        self.marks = {at: chosen or marks.get(at) or fallback for at in numbers}
        self.days = {at: infer_day_first(found[at]) if at in found else None for at in times}
        for at, day in self.days.items():
            if self.layout.day_first is not None and not isinstance(day, bool):
                self.days[at] = self.layout.day_first

    # -- one cell each; all raise CellRefused naming the column

    def text(self, name: str, cells: Sequence[str], *, lines: bool = False) -> str:
        at = self.at.get(name)
        return clean_text(cells[at], lines=lines) if at is not None and cells[at] else ""

    def id(self, name: str, cells: Sequence[str]) -> str:
        at = self.at.get(name)
        if at is None:
            return ""
        try:
            return clean_id(cells[at])
        except CellRefused as error:
            raise error.in_column(self.layout.heading(name)) from None

    def odd_id(self, name: str, cells: Sequence[str], notes: list[str]) -> str:
        """An id whose lost `.0` is only noted."""
        at = self.at.get(name)
        if at is None:
            return ""
        try:
            value, odd = read_id(cells[at])
        except CellRefused as error:
            raise error.in_column(self.layout.heading(name)) from None
        if odd and odd not in notes:
            notes.append(odd)
        return value

    def amount(self, name: str, cells: Sequence[str]) -> Decimal | None:
        at = self.at.get(name)
        if at is None or not cells[at] or cells[at].isspace():
            return None
        try:
            return parse_decimal(cells[at], self.marks[at])
        except CellRefused as error:
            raise error.in_column(self.layout.heading(name)) from None

    def quantity(self, name: str, cells: Sequence[str], *, signed: bool = False) -> int | None:
        at = self.at.get(name)
        if at is None or not cells[at] or cells[at].isspace():
            return None
        try:
            return parse_quantity(cells[at], self.marks[at], signed)
        except CellRefused as error:
            raise error.in_column(self.layout.heading(name)) from None

    def time(self, name: str, cells: Sequence[str]) -> datetime | None:
        at = self.at.get(name)
        if at is None or not cells[at] or cells[at].isspace():
            return None
        try:
            return parse_datetime(cells[at], self.tz, self.days[at])
        except CellRefused as error:
            raise error.in_column(self.layout.heading(name)) from None

    def needed(self, name: str, value: Any) -> Any:
        if value is None or value == "":
            raise CellRefused(
                "empty", N_("Column “%(column)s”: the cell is empty."), {"column": self.layout.heading(name)}
            )
        return value

    def currency(self, cells: Sequence[str], *amounts: str) -> str:
        """The row's currency: its own column, the sign in a cell, the price heading; `""` = not said."""
        stated = ""
        at = self.at.get("currency")
        if at is not None and (word := clean_text(cells[at])):
            stated = recognise_currency(word, self.store_currency)
            if not stated:
                raise CellRefused(
                    "currency_unknown",
                    N_("Column “%(column)s”: “%(value)s” is not a currency (write GBP, CNY, EUR …)."),
                    {"column": self.layout.heading("currency"), "value": shown(word)},
                )
        for name in amounts:
            at = self.at.get(name)
            if at is None or cells[at].isdigit():
                continue
            signed = recognise_currency(cells[at], stated or self.layout.currency or self.store_currency)
            if signed and stated and signed != stated:
                raise CellRefused(
                    "currency_conflict",
                    N_("Column “%(column)s”: “%(value)s” is in %(found)s, but the row says %(stated)s."),
                    {
                        "column": self.layout.heading(name),
                        "value": shown(cells[at]),
                        "found": signed,
                        "stated": stated,
                    },
                )
            stated = stated or signed
        return stated or self.layout.currency

    def checked(self, cells: Sequence[str]) -> None:
        """Refuses a row that is longer than the header: its cells may stand in the wrong columns."""
        if len(cells) > self.width and any(clean_text(cell) for cell in cells[self.width :]):
            raise CellRefused(
                "cells_beyond_header",
                N_(
                    "The row has %(found)s cells but the heading row only %(expected)s, so cells may stand in the wrong column. "
                    "Put quotation marks around the cell that holds the separator."
                ),
                {"found": len(cells), "expected": self.width},
            )

    def problem(
        self, row: int, cells: Sequence[str], error: CellRefused, *, document: str = "", rows: int = 1
    ) -> RowProblem:
        return RowProblem(
            row=row,
            code=error.code,
            message=error.message,
            params=error.params,
            raw=tuple(cells),
            document=document,
            rows=rows,
        )

    def is_total(self, cells: Sequence[str]) -> bool:
        first = next((clean_text(cell) for cell in cells if cell and not cell.isspace()), "")
        return first.casefold().strip(":： ") in _TOTALS

    def groups(self, clean: Callable[[str], str]) -> Iterator[tuple[str, list[Row]]]:
        """Rows by document, each handed out as soon as its last row was read. Rows without a key come as `("", [row])`."""
        last: dict[str, int] = {}
        names: dict[str, str] = {}
        for raw, number in self.last.items():
            name = names[raw] = clean(raw)
            last[name] = max(number, last.get(name, 0))
        self.last_by_name = last
        open_groups: dict[str, list[Row]] = {}
        key = self.key
        for row in self.sheet.rows():
            name = names[row[1][key]]
            if not name:
                yield "", [row]
                continue
            group = open_groups.get(name)
            if group is None:
                group = open_groups[name] = []
            group.append(row)
            if row[0] == last[name]:
                del open_groups[name]
                yield name, group


def _kinds(layout: Layout) -> dict[str, str]:
    kinds = {one.name: one.kind for one in FIELDS[layout.kind]}
    if layout.name in KNOWN_BY_NAME:
        kinds |= {"subtotal": "amount", "total": "amount", "line_discount": "amount"}
    return kinds


def _key(raw: str) -> str:
    """A grouping key; what cannot be an id keeps its raw form so that its rows stay together and are refused together."""
    try:
        return read_id(raw)[0]
    except CellRefused:
        return raw


def _sorted_problems(problems: list[RowProblem], rows: Sequence[Row]) -> Iterator[RowProblem]:
    """The problems of one withheld order; together they stand for all of its rows."""
    bad = {problem.row for problem in problems}
    first, *others = problems
    innocent = sum(1 for number, _ in rows if number not in bad)
    yield replace(first, rows=1 + innocent)
    yield from others


# --------------------------------------------------------------------------------------------------------- orders


def read_orders(sheet: Sheet, *, layout: Layout, store_currency: str, tz: tzinfo) -> Reading:
    """Orders and credit notes of a file, grouped by number over the whole file.

    Yields `IncomingOrder | IncomingCredit | RowProblem | NotAnOrder`. An order's amounts add up to what the buyer paid:
    discounts are lines with a negative amount. `store_currency` is the only currency accepted (`""` = any). `paid_at` is
    None only where the file says that it is not paid; a file that says nothing of payment holds paid orders.
    """
    if layout.name == "online_retail_ii":
        from .online_retail import read_invoices

        records: Callable[[_Cells], Iterator[OrderRecord]] = read_invoices
    elif layout.name == "shopify_orders":
        records = _shopify_orders
    elif layout.name == "taobao_suborders":
        records = _taobao_orders
    else:
        records = _generic_orders
    key = "line_id" if layout.name == "taobao_suborders" and "number" not in layout.columns else "number"
    return Reading(sheet, layout, records, key=key, tz=tz, store_currency=store_currency)


@dataclass
class _Draft:
    """An order while its rows are read."""

    number: str
    rows: list[Row]
    lines: list[IncomingLine] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    first_row: dict[str, int] = field(default_factory=dict)
    per_line: frozenset[str] = frozenset()  # fields that this layout says of each line, not of the order

    def note(self, code: str) -> None:
        if code not in self.notes:
            self.notes.append(code)


def _orders(
    cells: _Cells, clean: Callable[[str], str], build: Callable[[_Cells, _Draft], IncomingOrder]
) -> Iterator[OrderRecord]:
    """The frame of every order layout: groups rows, builds, and turns refusals into problems."""
    for number, rows in cells.groups(clean):
        if not number:
            row, values = rows[0]
            if cells.is_total(values):
                yield NotAnOrder("", (row,), "total_row")
            else:
                yield RowProblem(
                    row=row,
                    code="number_missing",
                    raw=tuple(values),
                    message=N_("Column “%(column)s”: the row has no order number."),
                    params={"column": cells.layout.heading("number")},
                )
            continue
        if number.casefold().strip(":： ") in _TOTALS:
            yield NotAnOrder("", tuple(row for row, _ in rows), "total_row")
            continue
        draft = _Draft(number, rows)
        try:
            for _, values in rows:
                cells.checked(values)
            order = build(cells, draft)
        except CellRefused as error:
            draft.problems.append(cells.problem(*_row_of(cells, draft, error), error, document=number))
            order = None
        if draft.problems:
            yield from _sorted_problems(draft.problems, rows)
        elif order is not None:
            if cells.store_currency and order.currency and order.currency != cells.store_currency:
                yield RowProblem(
                    row=rows[0][0],
                    code="currency_not_store",
                    document=number,
                    rows=len(rows),
                    raw=tuple(rows[0][1]),
                    message=N_(
                        "The order is in %(found)s, but the store sells in %(expected)s. Check that the file belongs to this store."
                    ),
                    params={"found": order.currency, "expected": cells.store_currency},
                )
            else:
                yield order


def _row_of(cells: _Cells, draft: _Draft, error: CellRefused) -> Row:
    if error.code == "cells_beyond_header":
        return next((row for row in draft.rows if len(row[1]) > cells.width), draft.rows[0])
    return draft.rows[0]


_ORDER_FACTS = ("placed_at", "paid_at", "cancelled_at", "dispatched_at")
_ORDER_AMOUNTS = ("shipping", "discount", "tax", "refunded")
_ORDER_TEXTS = (
    "customer_ref",
    "status",
    "token",
    "email",
    "name",
    "phone",
    "line1",
    "line2",
    "city",
    "region",
    "postcode",
    "country",
    "address",
    "note",
)


def _disagree(cells: _Cells, draft: _Draft, row: Row, name: str, value: Any, first: Any) -> None:
    error = CellRefused(
        "order_rows_disagree",
        N_(
            "Column “%(column)s”: rows of the same order %(number)s say different things (row %(first_row)s: “%(first)s”, "
            "here: “%(value)s”)."
        ),
        {
            "column": cells.layout.heading(name),
            "number": draft.number,
            "first": shown(str(first)),
            "value": shown(str(value)),
            "first_row": draft.first_row[name],
        },
    )
    draft.problems.append(cells.problem(*row, error, document=draft.number))


def _gather(cells: _Cells, draft: _Draft, row: Row) -> None:
    """Order facts of one row: the first that says something counts, a later one must not contradict it."""
    number, values = row
    for name in _ORDER_FACTS:
        if (value := cells.time(name, values)) is not None:
            if name not in draft.facts:
                draft.facts[name], draft.first_row[name] = value, number
            elif draft.facts[name] != value:
                draft.facts[name] = min(value, draft.facts[name])
                if name == "placed_at":
                    draft.note("several_timestamps")
    for name in _ORDER_AMOUNTS:
        if name not in draft.per_line and (value := cells.amount(name, values)) is not None:
            if name not in draft.facts:
                draft.facts[name], draft.first_row[name] = value, number
            elif draft.facts[name] != value and value != 0:
                if draft.facts[name] == 0:
                    draft.facts[name], draft.first_row[name] = value, number
                else:
                    _disagree(cells, draft, row, name, value, draft.facts[name])
    for name in _ORDER_TEXTS:
        if name not in draft.per_line and (
            value := cells.text(name, values, lines=name in ("note", "address"))
        ):
            if name not in draft.facts:
                draft.facts[name], draft.first_row[name] = value, number
            elif draft.facts[name] != value and name not in ("note", "status"):
                _disagree(cells, draft, row, name, value, draft.facts[name])


# 浙江省 杭州市 西湖区 文三路 1 号: province or municipality, then a town of its own, then the rest.
_IN_CHINA = re.compile(
    r"(?P<region>(?:内蒙古|广西壮族|西藏|宁夏回族|新疆维吾尔)自治区|\w{2,3}?省|(?:北京|上海|天津|重庆)市?)\s*"
    r"(?P<city>\w{2,8}?(?:市(?!场)|自治州|地区|盟))?\s*(?P<street>\S.*)"
)


def _whole_address(text: str) -> tuple[str, str, str]:
    """(province, town, street) of an address in one cell; in China they are told apart, elsewhere all of it is the street."""
    line = _one_line(text)
    found = _IN_CHINA.fullmatch(line)
    if found is None or not province(found["region"]):
        return "", "", line
    region = found["region"]
    return region, found["city"] or (region if region[:2] in _MUNICIPALITIES else ""), found["street"].lstrip(", ")


_MUNICIPALITIES = ("北京", "上海", "天津", "重庆")


def _one_line(text: str) -> str:
    return ", ".join(part.strip() for part in text.splitlines() if part.strip())


def _postcode(text: str) -> str:
    return text.removesuffix(".0").lstrip("'")


def _address(cells: _Cells, draft: _Draft) -> tuple[Address | None, str]:
    """The recipient and the country; None where the file tells neither name, street nor token."""
    facts = draft.facts
    raw_country = facts.get("country", "")
    country = country_code(raw_country)
    if raw_country and not country:
        draft.note("country_unclear")
    if not any(facts.get(name) for name in ("name", "line1", "address", "token")):
        return None, country
    raw = facts.get("address", "")
    line1, city, region = facts.get("line1", ""), facts.get("city", ""), facts.get("region", "")
    if not line1 and raw:
        if city or facts.get("postcode"):
            line1 = _one_line(raw)  # a single address cell beside columns of its own for town or postcode is the street
        else:
            region_there, city, line1 = _whole_address(raw)
            region = region or region_there
            country = country or ("CN" if region_there else "")
    return Address(
        name=facts.get("name", ""),
        line1=line1,
        line2=facts.get("line2", ""),
        city=city,
        region=region,
        postcode=_postcode(facts.get("postcode", "")),
        country=country,
        phone=facts.get("phone", "").lstrip("'"),
        email=facts.get("email", ""),
        raw=raw,
        token=facts.get("token", ""),
    ), country


def _line_amounts(cells: _Cells, values: Sequence[str], quantity: int) -> tuple[Decimal, Decimal]:
    """(unit price, line total): the total counts where both are given, the other is worked out."""
    amount, unit = cells.amount("amount", values), cells.amount("unit_price", values)
    if amount is None and unit is None:
        cells.needed("amount" if "amount" in cells.at else "unit_price", None)
    if amount is None:
        amount = unit * quantity
    if amount < 0 or (unit is not None and unit < 0):
        raise CellRefused(
            "amount_negative",
            N_("Column “%(column)s”: the amount of an order line is negative (%(value)s)."),
            {
                "column": cells.layout.heading("amount" if "amount" in cells.at else "unit_price"),
                "value": str(amount),
            },
        )
    if unit is None:
        unit = _share(amount, quantity)
    return unit, amount


def _share(amount: Decimal, quantity: int) -> Decimal:
    unit = amount / quantity
    return unit if unit.as_tuple().exponent >= -6 else unit.quantize(_UNIT, rounding=ROUND_HALF_UP)


def _money_lines(row: int, facts: Mapping[str, Any]) -> list[IncomingLine]:
    lines = []
    for name, kind, sign, title in (
        ("shipping", "shipping", 1, "Shipping"),
        ("discount", "discount", -1, "Discount"),
        ("tax", "tax", 1, "Tax"),
    ):
        value = facts.get(name)
        if value:
            value = abs(value) * sign if kind == "discount" else value
            lines.append(
                IncomingLine(
                    row=row, sku="", title=title, quantity=1, unit_price=value, amount=value, kind=kind
                )
            )
    return lines


def _lines(cells: _Cells, draft: _Draft, one_line: Callable[[Row], IncomingLine | None]) -> None:
    """Reads the lines of an order row by row, collecting problems; a repeated line id must have the same content."""
    by_id: dict[str, list[str]] = {}
    for row in draft.rows:
        number, values = row
        try:
            _gather(cells, draft, row)
            line = one_line(row)
        except CellRefused as error:
            draft.problems.append(cells.problem(number, values, error, document=draft.number))
            continue
        if line is None:
            continue
        if line.external_id:
            if line.external_id in by_id:
                if [clean_text(v) for v in by_id[line.external_id]] == [clean_text(v) for v in values]:
                    draft.note("repeated_line_ignored")
                else:
                    error = CellRefused(
                        "line_repeated",
                        N_(
                            "Line %(line)s of order %(number)s stands in the file twice with different content."
                        ),
                        {"line": line.external_id, "number": draft.number},
                    )
                    draft.problems.append(cells.problem(number, values, error, document=draft.number))
                continue
            by_id[line.external_id] = values
        draft.lines.append(line)


def _currency_of(cells: _Cells, draft: _Draft, *amounts: str) -> str:
    found = ""
    for number, values in draft.rows:
        try:
            currency = cells.currency(values, *amounts)
        except CellRefused as error:
            draft.problems.append(cells.problem(number, values, error, document=draft.number))
            continue
        if currency and found and currency != found:
            error = CellRefused(
                "order_rows_disagree",
                N_("The rows of order %(number)s are in different currencies (%(first)s and %(value)s)."),
                {"number": draft.number, "first": found, "value": currency},
            )
            draft.problems.append(cells.problem(number, values, error, document=draft.number))
        found = found or currency
    return found


def _finish(
    cells: _Cells, draft: _Draft, *, currency: str, status: str | None = None, **more: Any
) -> IncomingOrder | None:
    facts = draft.facts
    if draft.problems:
        return None
    cells.needed("placed_at", facts.get("placed_at"))
    status = order_status(facts.get("status", "")) if status is None else status
    if status == "unknown":
        draft.note("status_unknown")
    placed_at = facts["placed_at"]
    paid_at = facts.get("paid_at")
    if (
        paid_at is None
        and status != "unpaid"
        and (status in ("paid", "dispatched", "completed") or "paid_at" not in cells.at)
    ):
        paid_at = placed_at
    cancelled_at = facts.get("cancelled_at")
    if cancelled_at is None and status == "cancelled":
        cancelled_at = placed_at
        draft.note("cancel_time_unknown")
    dispatched_at = facts.get("dispatched_at")
    if dispatched_at is None and status in ("dispatched", "completed"):
        dispatched_at = placed_at
        draft.note("dispatch_time_unknown")
    address, country = _address(cells, draft)
    values = {
        "number": draft.number,
        "placed_at": placed_at,
        "lines": tuple(draft.lines),
        "rows": tuple(n for n, _ in draft.rows),
        "currency": currency,
        "paid_at": paid_at,
        "cancelled_at": cancelled_at,
        "dispatched_at": dispatched_at,
        "customer_ref": _customer(facts),
        "country": country,
        "address": address,
        "refunded": facts.get("refunded") or Decimal(0),
        "note": facts.get("note", ""),
        "notes": tuple(draft.notes),
    }
    return IncomingOrder(**(values | more))


def _customer(facts: Mapping[str, Any]) -> str:
    return str(facts.get("customer_ref") or facts.get("email", "")).removesuffix(".0")


def _number_note(cells: _Cells, draft: _Draft) -> None:
    """Raises for a number that a spreadsheet shortened, notes one that it gave a `.0`."""
    cells.odd_id("number" if "number" in cells.at else "line_id", draft.rows[0][1], draft.notes)


def _generic_orders(cells: _Cells) -> Iterator[OrderRecord]:
    def build(cells: _Cells, draft: _Draft) -> IncomingOrder | None:
        _number_note(cells, draft)

        def one_line(row: Row) -> IncomingLine:
            number, values = row
            quantity = cells.needed("quantity", cells.quantity("quantity", values))
            unit, amount = _line_amounts(cells, values, quantity)
            return IncomingLine(
                row=number,
                sku=cells.needed("sku", cells.id("sku", values)),
                title=cells.text("title", values),
                quantity=quantity,
                unit_price=unit,
                amount=amount,
                external_id=cells.id("line_id", values),
            )

        _lines(cells, draft, one_line)
        currency = _currency_of(cells, draft, "unit_price", "amount")
        if not draft.problems:
            draft.lines += _money_lines(draft.rows[0][0], draft.facts)
        return _finish(cells, draft, currency=currency)

    return _orders(cells, _key, build)


def _suborder_number(raw: str) -> str:
    """490138002 is line 2 of order 490138: order number × 1000 + line number."""
    key = _key(raw)
    return key[:-3] if key.isdigit() and len(key) > 3 else key


def _taobao_orders(cells: _Cells) -> Iterator[OrderRecord]:
    has_number = "number" in cells.at

    def build(cells: _Cells, draft: _Draft) -> IncomingOrder | None:
        refunded = Decimal(0)
        statuses: set[str] = set()
        draft.per_line = frozenset({"refunded", "status"})

        def one_line(row: Row) -> IncomingLine:
            nonlocal refunded
            number, values = row
            line_id = cells.needed("line_id", cells.id("line_id", values))
            if not has_number and not (line_id.isdigit() and len(line_id) > 3):
                raise CellRefused(
                    "suborder_number",
                    N_(
                        "Column “%(column)s”: “%(value)s” is not a sub-order number (order number and three digits)."
                    ),
                    {"column": cells.layout.heading("line_id"), "value": shown(line_id)},
                )
            quantity = cells.needed("quantity", cells.quantity("quantity", values))
            unit, amount = _line_amounts(cells, values, quantity)
            back = cells.amount("refunded", values) or Decimal(0)
            word = cells.text("refund_status", values)
            if word in REFUND_DONE or ("refund_status" not in cells.at and back):
                refunded += back
            elif word not in REFUND_NONE:
                draft.note("refund_pending")
            status = order_status(cells.text("status", values))
            statuses.add(status)
            return IncomingLine(
                row=number,
                sku=cells.needed("sku", cells.id("sku", values)),
                title=cells.text("title", values),
                quantity=quantity,
                unit_price=unit,
                amount=amount,
                external_id=line_id,
                kind="manual" if status == "cancelled" else "goods",
            )

        _number_note(cells, draft)
        _lines(cells, draft, one_line)
        # Sub-orders end one by one: the order stands where its least advanced line stands.
        status = next(
            (
                s
                for s in ("unknown", "unpaid", "paid", "", "dispatched", "completed", "cancelled")
                if s in statuses
            ),
            "",
        )
        if len(statuses) > 1:
            draft.note("lines_differ_in_status")
        if status == "cancelled":  # the whole order is off: its lines are what was ordered
            draft.lines = [replace(line, kind="goods") for line in draft.lines]
        return _finish(
            cells, draft, currency=_currency_of(cells, draft, "amount"), status=status, refunded=refunded
        )

    return _orders(cells, _key if has_number else _suborder_number, build)


_SHOPIFY_GONE = frozenset({"cancelled", "canceled", "restocked"})


def _shopify_orders(cells: _Cells) -> Iterator[OrderRecord]:
    def build(cells: _Cells, draft: _Draft) -> IncomingOrder | None:
        goods = Decimal(0)

        def one_line(row: Row) -> IncomingLine:
            nonlocal goods
            number, values = row
            quantity = cells.needed("quantity", cells.quantity("quantity", values))
            unit, amount = _line_amounts(cells, values, quantity)
            amount -= cells.amount("line_discount", values) or Decimal(0)
            title = cells.text("title", values)
            goods += amount
            kind = "goods"
            if cells.text("line_status", values).casefold() in _SHOPIFY_GONE:
                kind = "manual"
                draft.note("line_cancelled")
            elif cells.text("requires_shipping", values).casefold() == "false":
                kind = "gift_card" if "gift card" in title.casefold() else "manual"
            sku = cells.id("sku", values)
            if not sku and kind == "goods":
                draft.note("sku_missing")
            return IncomingLine(
                row=number, sku=sku, title=title, quantity=quantity, unit_price=unit, amount=amount, kind=kind
            )

        _number_note(cells, draft)
        _lines(cells, draft, one_line)
        currency = _currency_of(cells, draft)
        if draft.problems:
            return None
        facts, first = draft.facts, draft.rows[0][1]
        if not facts.get("line1"):
            facts["line1"] = cells.text("street", first)
        if company := cells.text("company", first):
            facts["line2"] = ", ".join(part for part in (company, facts.get("line2", "")) if part)
        facts["postcode"] = _postcode(facts.get("postcode", ""))
        total, subtotal = cells.amount("total", first), cells.amount("subtotal", first)
        shipping, tax = facts.get("shipping") or Decimal(0), facts.get("tax") or Decimal(0)
        if total is not None and subtotal is not None:
            if total == subtotal + shipping:
                facts["tax"] = Decimal(0)  # prices include the tax
            elif total != subtotal + shipping + tax:
                draft.note("total_differs")
            if subtotal == goods:
                facts["discount"] = Decimal(0)  # no discount, or it is already in the lines
            elif subtotal != goods - (facts.get("discount") or Decimal(0)):
                draft.note("subtotal_differs")
        draft.lines += _money_lines(draft.rows[0][0], facts)
        marketing = cells.text("accepts_marketing", first).casefold() in ("yes", "true")
        status = order_status(facts.get("status", ""))
        done = cells.text("fulfilment_status", first).casefold() == "fulfilled"
        return _finish(
            cells,
            draft,
            currency=currency,
            accepts_marketing=marketing,
            status="dispatched" if done and status in ("paid", "") else status,
        )

    return _orders(cells, _key, build)


# ------------------------------------------------------------------------------------------------------- products


def read_products(sheet: Sheet, *, layout: Layout, store_currency: str = "") -> Reading:
    """Products of a file, one record a variant. Yields `IncomingProduct | RowProblem | NotAnOrder` (`picture_row`,
    `repeated_row`, `total_row`)."""
    records = {"shopify_products": _shopify_products, "vendure_products": _vendure_products}.get(
        layout.name, _generic_products
    )
    return Reading(sheet, layout, records, store_currency=store_currency)


class _Seen:
    """Rows that repeat an id: the same content is left out, other content is a problem."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, ...], tuple[int, int]] = {}

    def check(self, key: tuple[str, ...], row: int, values: Sequence[str]) -> bool:
        """True for an exact repetition; raises for one with different content."""
        content = hash(tuple(clean_text(value) for value in values))
        first = self.rows.setdefault(key, (row, content))
        if first[0] == row:
            return False
        if first[1] == content:
            return True
        raise CellRefused(
            "duplicate_row",
            N_("“%(value)s” already stands in row %(first_row)s with different content."),
            {"value": key[0], "first_row": first[0]},
        )


def _simple_rows(cells: _Cells, build: Callable[[int, list[str]], Any], *, document: str) -> Iterator[Any]:
    """One record a row; `build` raises `CellRefused` or returns a record (or several)."""
    for number, values in cells.sheet.rows():
        try:
            if cells.is_total(values):
                yield NotAnOrder("", (number,), "total_row")
                continue
            cells.checked(values)
            built = build(number, values)
        except CellRefused as error:
            at = cells.at.get(document)
            yield cells.problem(
                number, values, error, document=clean_text(values[at]) if at is not None else ""
            )
            continue
        if isinstance(built, list):
            yield from built
        else:
            yield built


def _not_negative(cells: _Cells, name: str, values: Sequence[str]) -> Decimal | None:
    value = cells.amount(name, values)
    if value is not None and value < 0:
        raise CellRefused(
            "amount_negative",
            N_("Column “%(column)s”: the amount is negative (%(value)s)."),
            {"column": cells.layout.heading(name), "value": str(value)},
        )
    return value


_NO_STOCK = frozenset(
    {"缺货", "无货", "断货", "售罄", "没货", "无", "sold out", "out of stock", "none", "no"}
)


def _stock(cells: _Cells, values: Sequence[str]) -> int | None:
    """Pieces in stock; words mean 0 (缺货) or not known (有货, plenty); `>100` and `100+` count as 100."""
    at = cells.at.get("stock")
    if at is None or not (word := clean_text(values[at])):
        return None
    if word.casefold() in _NO_STOCK:
        return 0
    if not any(letter.isdigit() for letter in word):
        return None
    word = word.lstrip("><≥≤~约 ").rstrip("+ ")
    try:
        return max(parse_quantity(word, cells.marks[at], True), 0)
    except CellRefused as error:
        raise error.in_column(cells.layout.heading("stock")) from None


def _weight(cells: _Cells, values: Sequence[str]) -> int | None:
    grams = _not_negative(cells, "weight_g", values)
    return int(grams.to_integral_value(rounding=ROUND_HALF_UP)) or None if grams is not None else None


def _options(text: str) -> tuple[tuple[str, str], ...]:
    """`颜色:红;尺码:M` → pairs; a text without colons is one option."""
    if not text:
        return ()
    pairs = []
    for part in re.split(r"[;；|/]", text):
        name, colon, value = part.replace("：", ":").partition(":")
        if value.strip() or part.strip():
            pairs.append((name.strip(), value.strip()) if colon else ("", part.strip()))
    return tuple(pairs)


def _generic_products(cells: _Cells) -> Iterator[Any]:
    seen = _Seen()

    def build(number: int, values: list[str]) -> Any:
        sku = cells.needed("sku", cells.id("sku", values))
        if seen.check((sku,), number, values):
            return NotAnOrder(sku, (number,), "repeated_row")
        return IncomingProduct(
            row=number,
            handle=cells.id("handle", values) or sku,
            title=cells.needed("title", cells.text("title", values)),
            sku=sku,
            price=_not_negative(cells, "price", values),
            currency=cells.currency(values, "price"),
            options=_options(cells.text("option", values)),
            barcode=cells.id("barcode", values),
            weight_g=_weight(cells, values),
            description=cells.text("description", values, lines=True),
            brand=cells.text("brand", values),
            category=cells.text("category", values),
            image=cells.text("image", values),
            cost=_not_negative(cells, "cost", values),
            stock=_stock(cells, values),
        )

    return _simple_rows(cells, build, document="sku")


def _shopify_products(cells: _Cells) -> Iterator[Any]:
    seen = _Seen()
    product: dict[str, Any] = {}
    text = cells.text

    def build(number: int, values: list[str]) -> Any:
        handle = cells.needed("handle", cells.id("handle", values))
        if product.get("handle") != handle:
            product.clear()
            product.update(
                handle=handle,
                title=text("title", values),
                description=text("description", values, lines=True),
                brand=text("brand", values),
                category=text("category", values),
                image=text("image", values),
                names=[text(f"option{i}_name", values) for i in (1, 2, 3)],
            )
            cells.needed("title", product["title"])
        price = _not_negative(cells, "price", values)
        options = [text(f"option{i}", values) for i in (1, 2, 3)]
        if price is None and not any(options):
            return NotAnOrder(handle, (number,), "picture_row")
        named = tuple(
            (name, value)
            for name, value in zip(product["names"], options, strict=True)
            if value and (name, value) != ("Title", "Default Title")
        )
        sku = cells.id("sku", values) or "/".join([handle, *(value for _, value in named)])
        if seen.check((sku,), number, values):
            return NotAnOrder(sku, (number,), "repeated_row")
        return IncomingProduct(
            row=number,
            handle=handle,
            title=product["title"],
            sku=sku,
            price=cells.needed("price", price),
            currency=cells.layout.currency,
            options=named,
            barcode=cells.id("barcode", values),
            weight_g=_weight(cells, values),
            description=product["description"],
            brand=product["brand"],
            category=product["category"],
            image=text("variant_image", values) or product["image"],
            cost=_not_negative(cells, "cost", values),
            stock=_stock(cells, values),
        )

    return _simple_rows(cells, build, document="handle")


def _vendure_products(cells: _Cells) -> Iterator[Any]:
    seen = _Seen()
    product: dict[str, Any] = {}
    text = cells.text

    def build(number: int, values: list[str]) -> Any:
        if title := text("title", values):
            facets = [
                facet.partition(":")[::2] for facet in text("facets", values).split("|") if ":" in facet
            ]
            product.clear()
            product.update(
                handle=text("handle", values) or title,
                title=title,
                description=text("description", values, lines=True),
                image=text("image", values).split("|")[0],
                names=_list(text("option_groups", values)),
                brand=next((value.strip() for name, value in facets if name == "brand"), ""),
                category=" / ".join(value.strip() for name, value in facets if name == "category"),
            )
        elif not product:
            raise CellRefused(
                "product_missing", N_("The row is a further variant, but no product stands above it.")
            )
        sku = cells.needed("sku", cells.id("sku", values))
        if seen.check((sku,), number, values):
            return NotAnOrder(sku, (number,), "repeated_row")
        chosen = _list(text("option_values", values))
        names = product["names"]
        if len(chosen) != len(names):
            raise CellRefused(
                "options_differ",
                N_("The product has %(expected)s options (%(names)s) but the row names %(found)s values."),
                {"expected": len(names), "names": ", ".join(names), "found": len(chosen)},
            )
        return IncomingProduct(
            row=number,
            handle=product["handle"],
            title=product["title"],
            sku=sku,
            price=cells.needed("price", _not_negative(cells, "price", values)),
            currency=cells.layout.currency,
            options=tuple(zip(names, chosen, strict=True)),
            description=product["description"],
            brand=product["brand"],
            category=product["category"],
            image=text("variant_image", values).split("|")[0] or product["image"],
            stock=_stock(cells, values),
        )

    return _simple_rows(cells, build, document="sku")


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split("|")] if text else []


# --------------------------------------------------------------------------------------------------------- offers


def read_offers(sheet: Sheet, *, layout: Layout, currency: str = "") -> Reading:
    """A supplier's price list. Yields `IncomingOffer | RowProblem | NotAnOrder` (`repeated_row`, `total_row`).

    `currency` is the supplier's usual one; it settles signs that several currencies share (¥, $) and nothing else.
    """
    return Reading(sheet, layout, _offers, store_currency=currency)


def _offers(cells: _Cells) -> Iterator[Any]:
    seen = _Seen()

    def build(number: int, values: list[str]) -> Any:
        supplier_sku = cells.needed("supplier_sku", cells.id("supplier_sku", values))
        sku = cells.id("sku", values)
        destinations = _countries(cells, values)
        if seen.check((supplier_sku, sku, *destinations), number, values):
            return NotAnOrder(supplier_sku, (number,), "repeated_row")
        price = cells.needed("price", cells.amount("price", values))
        if price <= 0:
            raise CellRefused(
                "price_not_positive",
                N_("Column “%(column)s”: the price is %(value)s; an offer needs a price above zero."),
                {"column": cells.layout.heading("price"), "value": str(price)},
            )
        return IncomingOffer(
            row=number,
            supplier_sku=supplier_sku,
            price=price,
            currency=cells.currency(values, "price"),
            sku=sku,
            title=cells.text("title", values),
            freight=_not_negative(cells, "freight", values),
            stock=_stock(cells, values),
            lead_days=_days(cells, values),
            pack=cells.quantity("pack", values) or 1,
            rank=cells.quantity("rank", values),
            ships_to=destinations,
        )

    return _simple_rows(cells, build, document="supplier_sku")


def _days(cells: _Cells, values: Sequence[str]) -> int | None:
    """`3`, `3-5天`, `5 days`, `当天` (0), `48小时` (2): the longest counts."""
    word = cells.text("lead_days", values)
    if not word:
        return None
    if "当天" in word or "当日" in word or "same day" in word.casefold():
        return 0
    numbers = [int(digits) for digits in re.findall(r"\d{1,4}", word)]
    if not numbers or "." in word:
        raise CellRefused(
            "not_a_number",
            N_("Column “%(column)s”: “%(value)s” is not a number."),
            {"column": cells.layout.heading("lead_days"), "value": shown(word)},
        )
    longest = max(numbers)
    lower = word.casefold()
    if "小时" in word or "hour" in lower:
        longest = -(-longest // 24)
    elif "周" in word or "week" in lower or "woche" in lower:
        longest *= 7
    if longest > 365:
        raise CellRefused(
            "quantity_too_large",
            N_("Column “%(column)s”: the quantity “%(value)s” is larger than %(limit)s; check the cell."),
            {"column": cells.layout.heading("lead_days"), "value": shown(word), "limit": "365"},
        )
    return longest


_EVERYWHERE = frozenset({"worldwide", "all", "全球", "everywhere", "*"})


def _countries(cells: _Cells, values: Sequence[str]) -> tuple[str, ...]:
    word = cells.text("ships_to", values)
    if not word or word.casefold() in _EVERYWHERE:
        return ()
    whole = country_code(word)
    parts = [word] if whole else [part for part in re.split(r"[,;/、，；|]+", word) if part.strip()]
    if not whole and len(parts) == 1:
        parts = word.split()
    codes = []
    for part in parts:
        code = country_code(part)
        if not code:
            raise CellRefused(
                "country_unknown",
                N_("Column “%(column)s”: “%(value)s” is not a country that is known here."),
                {"column": cells.layout.heading("ships_to"), "value": shown(part)},
            )
        codes.append(code)
    return tuple(sorted(set(codes)))


# -------------------------------------------------------------------------------------------------------- replies


def read_replies(sheet: Sheet, *, layout: Layout, tz: tzinfo) -> Reading:
    """A supplier's answer: our own run workbook filled in, or his own table. Yields `ReplyRow | RowProblem | NotAnOrder`.

    A row that says nothing yet is `NotAnOrder` with reason `no_answer`. `shipped` and `accepted` are None where the row
    does not say; the plain quantity column counts as the answer only where the file has neither an accepted nor a
    shipped column. Several numbers in a cell stay together in `numbers`; where the cell splits the quantity
    (`YT1*3, YT2*2`) each becomes a row of its own with the same `row`.
    """
    return Reading(sheet, layout, _replies, tz=tz)


def _replies(cells: _Cells) -> Iterator[Any]:
    own_quantities = "accepted" not in cells.at and "shipped" not in cells.at and "line" not in cells.at

    def build(number: int, values: list[str]) -> Any:
        reference = cells.id("reference", values)
        status = reply_status(cells.text("status", values))
        accepted = cells.quantity("accepted", values, signed=True)
        shipped = cells.quantity("shipped", values, signed=True)
        for name, value in (("accepted", accepted), ("shipped", shipped)):
            if value is not None and value < 0:
                raise CellRefused(
                    "quantity_not_positive",
                    N_("Column “%(column)s”: the quantity is “%(value)s”; it must be 1 or more."),
                    {"column": cells.layout.heading(name), "value": str(value)},
                )
        reason = cells.text("reason", values)
        carrier = cells.text("carrier", values)
        parcels, carrier = _parcels(cells, values, carrier)
        unit_cost = None
        if "unit_cost" in cells.at:
            unit_cost = _not_negative(cells, "unit_cost", values)
        ship_date, shipped_at = cells.time("ship_date", values), cells.time("shipped_at", values)
        refused = status == "refused" or accepted == 0
        if own_quantities and not refused and (parcels or status == "accepted"):
            ordered = cells.quantity("ordered", values)
            if parcels and len(parcels) == 1 and parcels[0][1] is None:
                shipped = ordered
            elif not parcels:
                accepted = ordered
        said = (
            parcels
            or status
            or reason
            or accepted is not None
            or shipped is not None
            or ship_date
            or shipped_at
            or (own_quantities and unit_cost is not None)
        )
        if not said:
            return NotAnOrder(reference, (number,), "no_answer")
        if not reference:
            raise CellRefused(
                "reference_missing",
                N_("Column “%(column)s”: the row has no reference of ours, so it belongs to no purchase."),
                {"column": cells.layout.heading("reference")},
            )
        if status == "unknown":
            raise CellRefused(
                "answer_unknown",
                N_("Column “%(column)s”: “%(value)s” is not understood; write accepted, refused or shipped."),
                {"column": cells.layout.heading("status"), "value": shown(cells.text("status", values))},
            )
        if refused and parcels:
            raise CellRefused(
                "answer_contradicts",
                N_("The row is refused but carries a tracking number (%(numbers)s)."),
                {"numbers": ", ".join(n for names, _ in parcels for n in names)},
            )
        if refused and shipped:
            raise CellRefused(
                "answer_contradicts_quantity",
                N_("The row is refused but says that %(shipped)s pieces were shipped."),
                {"shipped": shipped},
            )
        common = {
            "row": number,
            "reference": reference,
            "supplier_sku": cells.id("supplier_sku", values),
            "line": cells.id("line", values),
            "reason": reason,
            "unit_cost": unit_cost,
            "shipped_at": shipped_at,
            "ship_date": ship_date,
            "their_reference": cells.id("their_reference", values),
            "raw": tuple(values),
        }
        if refused:
            return ReplyRow(**common, accepted=0, refused=True)
        if not parcels:
            return ReplyRow(**common, accepted=accepted, carrier=carrier, shipped=shipped)
        if len(parcels) == 1:
            names, count = parcels[0]
            return ReplyRow(
                **common,
                accepted=accepted,
                carrier=carrier,
                numbers=names,
                shipped=count if count is not None else shipped,
            )
        split = sum(count or 0 for _, count in parcels)
        if shipped is not None and split != shipped:
            raise CellRefused(
                "split_differs",
                N_("The parcels hold %(split)s pieces together, but the row says %(shipped)s."),
                {"split": split, "shipped": shipped},
            )
        return [
            ReplyRow(
                **common,
                accepted=accepted if at == 0 else None,
                carrier=carrier,
                numbers=names,
                shipped=count,
            )
            for at, (names, count) in enumerate(parcels)
        ]

    return _simple_rows(cells, build, document="reference")


_SEPARATORS = re.compile(r"[,;/、，；|\n]+")
_SPLIT = re.compile(
    r"^(.*?[0-9A-Za-z])\s*(?:[*x×X:：]\s*(\d{1,6})(?:件|pcs?)?|[(（](\d{1,6})(?:件|pcs?)?[)）])$"
)
_NUMBERS_CELL = 4_000  # characters; room for about 200 numbers
_NUMBER_SHAPE = re.compile(r"^[0-9A-Za-z][0-9A-Za-z-]{4,39}$")


def _parcels(
    cells: _Cells, values: Sequence[str], carrier: str
) -> tuple[list[tuple[tuple[str, ...], int | None]], str]:
    """([(numbers, pieces or None), …], carrier). Parcels with pieces stand alone; all others share one entry."""
    at = cells.at.get("numbers")
    if at is None:
        return [], carrier
    heading = cells.layout.heading("numbers")
    cell = clean_text(values[at], lines=True)
    if not cell:
        return [], carrier
    if len(cell) > _NUMBERS_CELL:
        raise CellRefused(
            "tracking_number_odd",
            N_("Column “%(column)s”: “%(value)s” is not a tracking number."),
            {"column": heading, "value": shown(cell)},
        )
    tokens: list[tuple[str, int | None]] = []
    for part in _SEPARATORS.split(cell):
        part = part.strip()
        if not part:
            continue
        pieces = None
        if (split := _SPLIT.match(part)) and _looks_like_number(split[1]):
            part, pieces = split[1], int(split[2] or split[3])
        words = part.split()
        if len(words) > 1 and all(len(word) < 8 for word in words) and _NUMBER_SHAPE.match("".join(words)):
            words = ["".join(words)]  # RR 123 456 785 CN is one number
        for word in words:
            head, colon, tail = word.replace("：", ":").partition(":")
            if colon and not any(letter.isdigit() for letter in head):
                carrier, word = carrier or head, tail
            if not word:
                continue
            if not any(letter.isdigit() for letter in word):
                carrier = carrier or word.strip("()（）:")
                continue
            tokens.append((word, pieces if len(words) == 1 or word == words[-1] else None))
    found: list[tuple[str, int | None]] = []
    for word, pieces in tokens:
        if match := re.match(r"^([\u4e00-\u9fff]+)([0-9A-Za-z].*)$", word):
            carrier, word = carrier or match[1], match[2]
        word = re.sub(r"^[^0-9A-Za-z]+|[^0-9A-Za-z]+$", "", word)
        try:
            word = clean_id(word)
        except CellRefused as error:
            raise error.in_column(heading) from None
        if not _NUMBER_SHAPE.match(word):
            raise CellRefused(
                "tracking_number_odd",
                N_("Column “%(column)s”: “%(value)s” is not a tracking number."),
                {"column": heading, "value": shown(word)},
            )
        word = word.upper()
        if word not in [name for name, _ in found]:
            found.append((word, pieces))
    plain = tuple(name for name, pieces in found if pieces is None)
    parcels: list[tuple[tuple[str, ...], int | None]] = [
        ((name,), pieces) for name, pieces in found if pieces is not None
    ]
    if plain and parcels:
        raise CellRefused(
            "split_unclear",
            N_(
                "Column “%(column)s”: some numbers carry a quantity and others (%(numbers)s) do not; write it for each."
            ),
            {"column": heading, "numbers": ", ".join(plain)},
        )
    return ([(plain, None)] if plain else parcels), carrier


def _looks_like_number(text: str) -> bool:
    return bool(re.search(r"\d{4}", text))


# ------------------------------------------------------------------------------------------------------- tracking


def read_tracking(sheet: Sheet, *, layout: Layout, tz: tzinfo) -> Reading:
    """Tracking events. Yields `TrackingRow | RowProblem | NotAnOrder` (`total_row`). Unknown words are status `unknown`."""
    return Reading(sheet, layout, _tracking, tz=tz)


def _tracking(cells: _Cells) -> Iterator[Any]:
    def build(number: int, values: list[str]) -> Any:
        waybill = cells.needed("number", cells.id("number", values)).upper().replace(" ", "")
        words = cells.needed("status", cells.text("status", values))
        return TrackingRow(
            row=number,
            number=waybill,
            at=cells.needed("at", cells.time("at", values)),
            status=tracking_status(words),
            raw_status=words,
            place=cells.text("place", values),
            carrier=cells.text("carrier", values),
        )

    return _simple_rows(cells, build, document="number")


__all__ = [
    "OrderRecord",
    "Reading",
    "read_offers",
    "read_orders",
    "read_products",
    "read_replies",
    "read_tracking",
]
