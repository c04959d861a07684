"""Online Retail II: an accounting export of a British gift shop, read for what each row is.

It holds invoices (six digits), credit notes (`C…`), bad-debt entries (`A…`) and stock movements under invoice numbers.
Every class and its figures for the whole year stand in `docs/rules/online-retail-ii.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from daifa.connectors.contract import (
    IncomingCredit,
    IncomingLine,
    IncomingOrder,
    LineKind,
    NotAnOrder,
    RowProblem,
)
from daifa.lib.sheets import CellRefused, clean_text, read_id
from daifa.lib.sheets.problems import N_

from .codes import country_code

if TYPE_CHECKING:
    from .translate import OrderRecord, Row, _Cells

_CENT = Decimal("0.01")
KINDS: dict[str, LineKind] = {
    "POST": "shipping",
    "DOT": "shipping",
    "C2": "shipping",
    "C3": "shipping",
    "D": "discount",
    "M": "manual",
    "ADJUST": "manual",
    "ADJUST2": "manual",
    "BANK CHARGES": "fee",
    "AMAZONFEE": "fee",
    "CRUK": "fee",
    "S": "sample",
}
TEST_CODES = frozenset({"TEST001", "TEST002"})
_LETTERED = re.compile(r"\d{5}[A-Za-z]{1,3}")


@lru_cache(maxsize=16_384)
def stock_code(raw: str) -> tuple[str, LineKind]:
    """(SKU, kind). Small and capital letters are one article (`15056bl` = `15056BL`: same description, other till)."""
    code, _ = read_id(raw)
    if _LETTERED.fullmatch(code) or code == "m":
        code = code.upper()
    if code.startswith("gift_"):
        return code, "gift_card"
    return code, KINDS.get(code, "goods")


def read_invoices(cells: _Cells) -> Iterator[OrderRecord]:
    """Every invoice of the file as an order, a credit, `NotAnOrder` (bad_debt, stock_adjustment_in,
    stock_adjustment_out, test_product) or a problem."""
    from .translate import _key

    for number, rows in cells.groups(_key):
        if not number:
            row, values = rows[0]
            yield RowProblem(
                row=row,
                code="number_missing",
                raw=tuple(values),
                params={"column": cells.layout.heading("number")},
                message=N_("Column “%(column)s”: the row has no order number."),
            )
            continue
        yield from _document(cells, number, rows)


def _document(cells: _Cells, number: str, rows: Sequence[Row]) -> Iterator[OrderRecord]:
    at = cells.at
    sku_at, customer_at, country_at, title_at = (
        at["sku"],
        at.get("customer_ref"),
        at.get("country"),
        at.get("title"),
    )
    lines: list[IncomingLine] = []
    problems: list[RowProblem] = []
    notes: list[str] = []
    customer = country = ""
    placed_at = None
    prefix = number[0]
    sign = -1 if prefix == "C" else 1
    free = True
    movement = 0
    tests = 0
    for row, values in rows:
        try:
            if len(values) > cells.width:
                cells.checked(values)
            moment = cells.needed("placed_at", cells.time("placed_at", values))
            quantity = cells.needed("quantity", cells.quantity("quantity", values, signed=True))
            price = cells.needed("unit_price", cells.amount("unit_price", values))
            if not values[sku_at]:
                cells.needed("sku", "")
            sku, kind = stock_code(values[sku_at])
            if customer_at is not None and values[customer_at]:
                found = cells.odd_id("customer_ref", values, notes)
                if customer and found != customer:
                    raise CellRefused(
                        "order_rows_disagree",
                        N_(
                            "Column “%(column)s”: rows of the same order %(number)s say different things (row %(first_row)s: “%(first)s”, "
                            "here: “%(value)s”)."
                        ),
                        {
                            "column": cells.layout.heading("customer_ref"),
                            "number": number,
                            "first": customer,
                            "value": found,
                            "first_row": rows[0][0],
                        },
                    )
                customer = found
        except CellRefused as error:
            problems.append(cells.problem(row, values, error, document=number))
            continue
        if placed_at is None:
            placed_at = moment
        elif moment != placed_at:
            placed_at = min(placed_at, moment)
            if "several_timestamps" not in notes:
                notes.append("several_timestamps")
        if price:
            free = False
        if quantity < 0:
            movement = -1
        if sku in TEST_CODES:
            tests += 1
        if country_at is not None:
            country = values[country_at]
        quantity *= sign
        amount = price * quantity
        exact = amount.quantize(_CENT, rounding=ROUND_HALF_UP)
        if exact != amount and "amount_rounded" not in notes:
            notes.append("amount_rounded")
        lines.append(
            IncomingLine(
                row=row,
                sku=sku,
                title=clean_text(values[title_at]) if title_at is not None else "",
                quantity=quantity,
                unit_price=price,
                amount=exact,
                kind=kind,
            )
        )
    numbers = tuple(row for row, _ in rows)
    if problems:
        from .translate import _sorted_problems

        yield from _sorted_problems(problems, rows)
        return
    if prefix == "A":
        yield NotAnOrder(number, numbers, "bad_debt")
        return
    if prefix not in "C0123456789":
        yield _problem(
            cells,
            rows,
            number,
            "invoice_prefix",
            N_("“%(number)s” is neither an invoice, a credit note (C…) nor a bad debt (A…)."),
            {"number": number},
        )
        return
    if tests == len(rows):
        yield NotAnOrder(number, numbers, "test_product")
        return
    if free and not customer and prefix != "C":
        yield NotAnOrder(number, numbers, "stock_adjustment_out" if movement < 0 else "stock_adjustment_in")
        return
    wrong = next((line for line in lines if line.quantity <= 0 or line.amount < 0), None)
    if wrong is not None:
        if prefix == "C":
            message = N_(
                "Credit note %(number)s holds a line that is not a credit (quantity %(quantity)s). "
                "Enter it by hand for what it is."
            )
            code, shown_quantity = "credit_line_not_negative", -wrong.quantity
        else:
            message = N_("Order %(number)s holds a line with quantity %(quantity)s; it must be 1 or more.")
            code, shown_quantity = "quantity_not_positive", wrong.quantity
        yield _problem(
            cells, rows, number, code, message, {"number": number, "quantity": shown_quantity}, row=wrong.row
        )
        return
    code = country_code(country)
    if country and not code:
        notes.append("country_unclear")
    if prefix == "C":
        yield IncomingCredit(
            number=number, at=placed_at, lines=tuple(lines), rows=numbers, customer_ref=customer, country=code
        )
        return
    if tests:
        notes.append("test_product_inside")
    yield IncomingOrder(
        number=number,
        placed_at=placed_at,
        lines=tuple(lines),
        rows=numbers,
        paid_at=placed_at,
        customer_ref=customer,
        country=code,
        notes=tuple(notes),
    )


def _problem(
    cells: _Cells, rows: Sequence[Row], number: str, code: str, message: str, params: dict, *, row: int = 0
) -> RowProblem:
    first = next((r for r in rows if r[0] == row), rows[0])
    return RowProblem(
        row=first[0],
        code=code,
        message=message,
        params=params,
        raw=tuple(first[1]),
        document=number,
        rows=len(rows),
    )
