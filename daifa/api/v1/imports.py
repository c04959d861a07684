"""Files handed in: upload, how far it is, which rows were refused and why, retry."""

from __future__ import annotations

from datetime import datetime
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Any, Literal

from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Field, File, Form, Router, Schema, Status
from ninja.files import UploadedFile

from daifa.api.caller import Caller, caller
from daifa.api.errors import ERRORS, Problem, not_found
from daifa.api.shapes import After, Id, Limit, Page, Words, cursor_of, page_of
from daifa.domain.imports import queries
from daifa.domain.imports.models import ImportFile, ImportRow
from daifa.domain.imports.process import IMPORT
from daifa.flows.intake import OF_A_STORE

router = Router(tags=["imports"])
Kind = Literal[tuple(kind for kind, _words in ImportFile.KINDS)]
State = Literal[tuple(IMPORT.table)]
RowState = Literal["open", "retried", "dismissed", "note"]


class ImportOut(Schema):
    """A file and where its rows went: rows_in = rows_used + rows_not_orders + rows_refused."""

    id: int
    kind: str
    store_id: int | None
    supplier: str
    name: str
    sha256: str
    size: int
    layout: str
    state: str
    sentence: str = Field(description="Why the whole file was refused.")
    rows_in: int
    rows_used: int
    rows_not_orders: int
    rows_refused: int
    rows_expected: int | None
    counts: Any = Field(description="Rows by reason: {used, not_orders, refused, documents}.")
    by: str
    at: datetime
    finished_at: datetime | None


class RowOut(Schema):
    """A row that was refused, or used with a remark."""

    id: int
    row: int
    rows: int
    document: str
    code: str
    sentence: str
    raw: Any = Field(description="The cells as they were read; empty for those who may not see buyers.")
    state: str


class UploadIn(Schema):
    kind: Kind
    store: str = Field("", max_length=40, description="A store's code; needed for orders, expenses and violations.")
    supplier: str = Field("", max_length=40, description="A supplier's code; needed for offers and replies.")
    layout: str = Field("", max_length=40, description="How to read it; recognised where left out.")
    treat_as: Literal["auto", "open", "history"] = Field(
        "auto", description="Orders: whether to fulfil them, or only to keep them; auto asks the file."
    )
    full: bool = Field(False, description="Offers: the list holds everything; what it does not name is gone.")
    mapping: str = Field(
        "", max_length=20_000,
        description="Columns by hand, as JSON {field: heading}; an empty heading leaves the field out.",
    )  # fmt: skip
    worksheet: str = Field("", max_length=100, description="Which sheet of a workbook.")
    encoding: str = Field("", max_length=40, description="As gb18030; found out where left out.")
    decimal_mark: Literal["", ".", ","] = Field("", description="Found out from the columns where left out.")
    day_first: bool | None = Field(None, description="Whether 03/04/2026 is 3 April; found out where left out.")
    read: bool = Field(
        True, description="False: only keep it; look at its columns, say what they are, and it is read then."
    )


class AskedOut(Schema):
    """A field that a column can be."""

    name: str
    label: str
    needed: bool


class ColumnsOut(Schema):
    """The beginning of a file, and what its columns are taken for."""

    headings: list[str]
    columns: list[str] = Field(description="For each heading its field, or empty.")
    rows: list[list[str]] = Field(description="The first rows; empty for those who may not see buyers.")
    worksheet: str
    worksheets: list[str]
    encoding: str
    layout: str
    missing: str = Field(description="What stands in the way of reading it so; empty where nothing does.")
    fields: list[AskedOut]


class ColumnsIn(Schema):
    """What the columns are: remembered for the next file with these headings."""

    columns: list[str] = Field(max_length=2_000, description="For each heading, in order, its field, or empty.")
    worksheet: str = Field("", max_length=100)
    encoding: str = Field("", max_length=40)
    decimal_mark: Literal["", ".", ","] = ""
    day_first: bool | None = None


class RetryIn(Schema):
    """The row's cells put right; left out: as they are."""

    cells: list[str] | None = Field(None, max_length=500)


def import_out(file: ImportFile) -> dict[str, Any]:
    names = [name for name in ImportOut.model_fields if name != "supplier"]
    return {**{name: getattr(file, name) for name in names}, "supplier": file.supplier_code}


def _row_out(row: ImportRow, knows_buyers: bool) -> dict[str, Any]:
    names = [name for name in RowOut.model_fields if name != "sentence"]
    return {
        **{name: getattr(row, name) for name in names},
        "sentence": queries.sentence_of(row),
        "raw": row.raw if knows_buyers else [],
    }


def _content(file: UploadedFile) -> bytes | Path:
    """Large uploads lie in a temporary file already; small ones in memory."""
    return Path(file.temporary_file_path()) if hasattr(file, "temporary_file_path") else file.read()


def _file(who: Caller, import_id: int) -> ImportFile:
    found = queries.import_file(who.scope, import_id, shared=who.sees_all)
    if found is None:
        raise not_found()
    return found


@router.get("/imports", response={200: Page[ImportOut], **ERRORS})
def list_imports(
    request: HttpRequest,
    kind: Kind | None = None,
    state: State | None = None,
    after: After = None,
    limit: Limit = 50,
):
    """Imports, newest first."""
    who = caller(request)
    cursor = cursor_of(queries.NEWEST, ("id",), after)
    rows = queries.import_page(
        who.scope, shared=who.sees_all, kind=kind, state=state, cursor=cursor, limit=limit + 1
    )
    return page_of(rows, limit, cursor, import_out)


@router.post("/imports", response={202: ImportOut, **ERRORS})
def upload_file(request: HttpRequest, given: Form[UploadIn], file: File[UploadedFile]):
    """Hand in a file. It is stored and read by the worker: ask for the import until its state is `done` or `refused`."""
    from daifa.domain.sourcing.queries import supplier_with_code
    from daifa.domain.stores.queries import stores_of
    from daifa.flows.intake import read_later, receive_file

    who = caller(request)
    store = supplier = None
    if given.store:
        store = stores_of(who.user).filter(code=given.store).first()
        if store is None:
            raise not_found()
    elif given.kind in OF_A_STORE:
        raise Problem(422, "store_missing", _("Say which store this file is for."), "store")
    who.require(store.id if store else None, "books" if given.kind == "expenses" else "operate")
    if given.supplier:
        supplier = supplier_with_code(given.supplier)
        if supplier is None:
            raise Problem(422, "no_supplier", _("There is no supplier with this code."), "supplier")
    elif given.kind in ("offers", "replies"):
        raise Problem(422, "supplier_missing", _("Say which supplier this file is from."), "supplier")
    options: dict[str, Any] = _reading(given)
    if given.kind == "orders":
        options["treat_as"] = given.treat_as
    elif given.kind == "offers":
        options["full"] = given.full
    elif given.kind == "violations" and not who.may(store.id, "books"):
        options["without_money"] = True
    from daifa.flows.file_shapes import recall

    with transaction.atomic():
        received = receive_file(
            kind=given.kind, name=file.name or "upload", content=_content(file), store=store, supplier=supplier,
            options=options, by=who.by, at=who.at,
        )  # fmt: skip
        recall(received.id)
        if given.read:
            read_later(received.id)
    return Status(202, import_out(received))


def _reading(given: UploadIn) -> dict[str, Any]:
    """The options that say how a file is read."""
    options = {
        name: value
        for name in ("layout", "worksheet", "encoding", "decimal_mark", "day_first")
        if (value := getattr(given, name)) not in ("", None)
    }
    if given.mapping:
        try:
            mapping = loads(given.mapping)
        except (JSONDecodeError, RecursionError):
            mapping = None
        if not isinstance(mapping, dict) or not all(
            isinstance(heading, str) and "\0" not in name + heading for name, heading in mapping.items()
        ):
            raise Problem(422, "mapping_wrong", _("The mapping is no JSON object of field and heading."), "mapping")
        options["mapping"] = mapping
    return options


@router.get("/imports/{import_id}/columns", response={200: ColumnsOut, **ERRORS})
def get_columns(request: HttpRequest, import_id: Id, worksheet: Words = None, encoding: Words = None):
    """The beginning of a file, and what its columns are taken for. `worksheet`, `encoding`: look at it so."""
    from daifa.flows import file_shapes
    from daifa.lib.sheets import SheetRefused

    who = caller(request)
    file = _file(who, import_id)
    if worksheet is None and encoding is None:
        options = file.options
    else:
        options = {"layout": file.options.get("layout", ""), "worksheet": worksheet or "", "encoding": encoding or ""}
    try:
        look = file_shapes.look_at(file, options)
    except SheetRefused as refused:
        raise Problem(409, refused.code, refused.sentence()) from refused
    except OSError:
        raise not_found() from None
    field_of = {place: name for name, place in look.columns.items()}
    return {
        "headings": look.header,
        "columns": [field_of.get(place, "") for place in range(len(look.header))],
        "rows": [cells for _number, cells in look.rows] if who.knows_buyers(file.store_id) else [],
        "worksheet": look.worksheet,
        "worksheets": look.worksheets,
        "encoding": look.encoding,
        "layout": look.layout,
        "missing": look.missing,
        "fields": [one._asdict() for one in file_shapes.fields_of(file.kind)],
    }


@router.post("/imports/{import_id}/columns", response={202: ImportOut, **ERRORS})
def choose_columns(request: HttpRequest, import_id: Id, given: ColumnsIn):
    """Say what the columns of a file are that was not read yet; it is read by the worker then.

    A file that was refused as a whole comes in once more: the answer is the import that is read now.
    """
    from daifa.flows import file_shapes
    from daifa.flows.intake import read_later

    who = caller(request)
    file = _file(who, import_id)
    who.require(file.store_id, "books" if file.kind == "expenses" else "operate")
    with transaction.atomic():
        chosen = file_shapes.choose(
            file.pk, columns=dict(enumerate(given.columns)), worksheet=given.worksheet, encoding=given.encoding,
            decimal_mark=given.decimal_mark, day_first=given.day_first, by=who.by, at=who.at,
        )  # fmt: skip
        read_later(chosen.pk)
    return Status(202, import_out(chosen))


@router.get("/imports/{import_id}", response={200: ImportOut, **ERRORS})
def get_import(request: HttpRequest, import_id: Id):
    """One import: its state, and how far it is."""
    return import_out(_file(caller(request), import_id))


@router.get("/imports/{import_id}/rows", response={200: Page[RowOut], **ERRORS})
def list_rows(
    request: HttpRequest, import_id: Id, state: RowState | None = None, after: After = None, limit: Limit = 50
):
    """Its refused and remarked rows, in the order of the file."""
    who = caller(request)
    file = _file(who, import_id)
    cursor = cursor_of(queries.BY_ROW, ("id", "id"), after)
    return page_of(
        queries.row_page(file.id, state=state, cursor=cursor, limit=limit + 1),
        limit,
        cursor,
        lambda row: _row_out(row, who.knows_buyers(file.store_id)),
    )


@router.post("/imports/rows/{row_id}/retry", response={200: RowOut, **ERRORS})
def retry_row(request: HttpRequest, row_id: Id, given: RetryIn):
    """Try a refused row again, with its cells put right. It stays open, with its new reason, if it is refused again."""
    from daifa.flows.intake import retry_row as retry

    who = caller(request)
    row = queries.row_of(who.scope, row_id, shared=who.sees_all)
    if row is None:
        raise not_found()
    who.require(row.file.store_id, "books" if row.file.kind == "expenses" else "operate")
    may_book = row.file.store_id is None or who.may(row.file.store_id, "books")
    retry(row_id, cells=given.cells, by=who.by, at=who.at, without_money=not may_book)
    row.refresh_from_db()
    return _row_out(row, True)
