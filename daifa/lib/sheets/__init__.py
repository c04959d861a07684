"""Tables from outside and to outside: reads any CSV, TSV, XLSX, XLS or ODS file a person sends, writes XLSX and CSV.

Knows cells, rows and columns, not what they mean: which column is an order number is the business of
`daifa.connectors.manual`. `reader` finds encoding, delimiter and header and guards against hostile files, `cells` turns
text into values by whole columns, `writer` writes the same bytes for the same rows and never a formula.
"""

from .cells import (
    MAX_QUANTITY,
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
from .problems import CellRefused, SheetRefused
from .reader import Sheet, read_sheet
from .writer import Column, Table, escape_formula, write_csv, write_xlsx

__all__ = [
    "MAX_QUANTITY",
    "CellRefused",
    "Column",
    "Sheet",
    "SheetRefused",
    "Table",
    "clean_id",
    "clean_text",
    "escape_formula",
    "infer_day_first",
    "infer_decimal_mark",
    "parse_datetime",
    "parse_decimal",
    "parse_quantity",
    "read_id",
    "read_sheet",
    "recognise_currency",
    "shown",
    "write_csv",
    "write_xlsx",
]
