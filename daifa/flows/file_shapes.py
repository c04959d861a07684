"""A look into a file before it is read: its first rows, what its columns are taken for, and a person's word on it.

What a person says is remembered by the headings (`imports.shapes`) and used for the next file of that shape, whichever
door it comes in by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from daifa.connectors.manual import columns as manual
from daifa.domain.imports import shapes
from daifa.domain.imports.models import ImportFile
from daifa.domain.sourcing.models import Supplier
from daifa.flows import expense_files, intake, violation_files
from daifa.lib.refusal import Refused
from daifa.lib.sheets import Sheet, SheetRefused, read_sheet

ROWS = 6
ENCODINGS = ("utf-8", "gb18030", "utf-16", "cp1252", "big5", "shift_jis")


class Asked(NamedTuple):
    """A field that a column can be. `label` in the reader's language."""

    name: str
    label: str
    needed: bool


@dataclass(frozen=True)
class Look:
    """The beginning of a file. `rows`: (row number, cells); `columns`: field → index of the column it is taken from.

    `missing`: the sentence about what stands in the way of reading it so, "" where nothing does.
    """

    header: tuple[str, ...]
    rows: list[tuple[int, list[str]]]
    preamble: tuple[str, ...]
    worksheet: str
    worksheets: tuple[str, ...]
    encoding: str
    layout: str
    columns: dict[str, int] = field(default_factory=dict)
    missing: str = ""


_OWN: dict[str, Any] = {"expenses": expense_files, "violations": violation_files}
"""Kinds whose columns no connector knows: the modules that do."""


def fields_of(kind: str) -> list[Asked]:
    """What a column of such a file can be, needed ones first."""
    chinese = (get_language() or "").startswith("zh")
    if kind in _OWN:
        return [
            Asked(name, next(word for word in words if word.isascii() != chinese), name in _OWN[kind].NEEDED)
            for name, words in _OWN[kind].HEADINGS.items()
        ]
    found = [Asked(one.name, (one.zh if chinese else one.en)[0], one.needed) for one in manual.FIELDS[kind]]  # type: ignore[index]
    return sorted(found, key=lambda one: not one.needed)


def open_sheet(file: ImportFile, options: Mapping[str, Any] | None = None) -> Sheet:
    """The file as it is read with these options (its own where none are given). Raises `SheetRefused`, OSError."""
    options = file.options if options is None else options
    return read_sheet(
        intake.path_of(file.sha256), name=file.name, worksheet=options.get("worksheet", ""), encoding=options.get("encoding", "")
    )


def look_at(file: ImportFile, options: Mapping[str, Any] | None = None) -> Look:
    """See `Look`. Raises `SheetRefused` where it is no table at all, and OSError."""
    options = file.options if options is None else options
    sheet = open_sheet(file, options)
    columns, layout, missing = _recognised(file.kind, sheet, options)
    return Look(
        header=sheet.header, rows=sheet.sample(ROWS), preamble=sheet.preamble, worksheet=sheet.worksheet,
        worksheets=(sheet.worksheet, *sheet.other_worksheets) if sheet.worksheet else (), encoding=sheet.encoding,
        layout=layout, columns=columns, missing=missing,
    )  # fmt: skip


def _recognised(kind: str, sheet: Sheet, options: Mapping[str, Any]) -> tuple[dict[str, int], str, str]:
    """(field → column, layout, why it cannot be read so)"""
    mapping = options.get("mapping") or {}
    if kind in _OWN:
        columns = _OWN[kind].find_columns(sheet.header, mapping)
        try:
            _OWN[kind].check_columns(sheet.header, columns)
        except SheetRefused as refused:
            return columns, kind, refused.sentence()
        return columns, kind, ""
    try:
        found = manual.recognise(sheet.header, kind=kind, mapping=mapping, layout=options.get("layout", ""))  # type: ignore[arg-type]
    except SheetRefused as refused:
        return manual.claimed(sheet.header, kind, mapping), "", refused.sentence()  # type: ignore[arg-type]
    return dict(found.columns), found.name, ""


def show_as(import_id: int, *, worksheet: str, encoding: str, by: str, at: datetime) -> ImportFile:
    """Look at another worksheet, or in another encoding, before saying what its columns are; returns the import."""
    file = ImportFile.objects.select_related("store").get(pk=import_id)
    options = {name: value for name, value in file.options.items() if name not in shapes.READING}
    options |= {name: value for name, value in (("worksheet", worksheet), ("encoding", encoding)) if value}
    try:
        open_sheet(file, options)
    except SheetRefused as refused:
        raise Refused(refused.sentence(), code=refused.code) from refused
    return _waiting(file, options, by=by, at=at)


def _waiting(file: ImportFile, options: dict[str, Any], *, by: str, at: datetime) -> ImportFile:
    """The import with these options, not read yet; a refused one comes in once more."""
    with transaction.atomic():
        if file.state == "received" and shapes.set_options(file.pk, options):
            file.refresh_from_db()
            return file
        supplier = Supplier.objects.filter(code=file.supplier_code).first() if file.supplier_code else None
        return intake.receive_file(
            kind=file.kind, name=file.name, content=intake.path_of(file.sha256), store=file.store, supplier=supplier,
            options=options, by=by, at=at,
        )  # fmt: skip


def recall(import_id: int) -> bool:
    """Take what a person once said about files of this shape; what this file came with goes before it.

    True where something was taken. Asked by every door between receiving a file and reading it.
    """
    file = ImportFile.objects.get(pk=import_id)
    if file.state != "received" or not shapes.has_shapes(file):
        return False
    try:
        header = open_sheet(file, {}).header
    except (SheetRefused, OSError):
        return False
    known = shapes.remembered(file, header)
    given = {name: value for name, value in file.options.items() if value not in (None, "", {})}
    # A layout or a mapping named for this file replaces the remembered one as a whole.
    if "layout" in given or "mapping" in given:
        known = {name: value for name, value in known.items() if name not in ("layout", "mapping")}
    if not known or all(name in given for name in known):
        return False
    with transaction.atomic():
        return shapes.set_options(file.pk, {**file.options, **known, **given})


def choose(
    import_id: int, *, columns: Mapping[int, str], worksheet: str = "", encoding: str = "", decimal_mark: str = "",
    day_first: bool | None = None, by: str, at: datetime,
) -> ImportFile:  # fmt: skip
    """A person says what the columns are: {index: field or ""}. Remembers it; returns the import to be read.

    A file that was refused as a whole comes in once more, as an import of its own. Raises `Refused`.
    """
    file = ImportFile.objects.select_related("store").get(pk=import_id)
    if file.state not in ("received", "refused"):
        raise Refused(_("Rows of this file were read already: its columns stay as they are."), code="already_read")
    options = {name: value for name, value in file.options.items() if name not in (*shapes.READING, "unknown_columns")}
    said = {"worksheet": worksheet, "encoding": encoding, "decimal_mark": decimal_mark, "day_first": day_first}
    options |= {name: value for name, value in said.items() if value not in (None, "")}
    try:
        sheet = open_sheet(file, options)
        if file.options.get("layout"):
            options["layout"] = file.options["layout"]
        mapping = _mapping(file.kind, sheet, columns, options)
        if mapping:
            options["mapping"] = mapping
        missing = _recognised(file.kind, sheet, options)[2]
    except SheetRefused as refused:
        raise Refused(refused.sentence(), code=refused.code) from refused
    if missing:
        raise Refused(missing, code="column_missing")
    with transaction.atomic():
        try:
            shapes.remember(file, open_sheet(file, {}).header, options, by=by, at=at)
        except SheetRefused:
            pass  # it opens only with these options: the next one will ask again
        return _waiting(file, options, by=by, at=at)


def _mapping(kind: str, sheet: Sheet, columns: Mapping[int, str], options: Mapping[str, Any]) -> dict[str, str]:
    """What the person said beyond what the headings say by themselves: {field: heading, "" = leave it out}."""
    chosen: dict[str, int] = {}
    for place, name in sorted(columns.items()):
        if not name or place >= len(sheet.header):
            continue
        if name in chosen:
            label = next((one.label for one in fields_of(kind) if one.name == name), name)
            raise Refused(_("“%(field)s” can be one column only.") % {"field": label}, code="column_twice")
        chosen[name] = place
    by_itself = _recognised(kind, sheet, options)[0]
    mapping = {
        name: sheet.header[place] for name, place in chosen.items() if by_itself.get(name) != place and sheet.header[place]
    }
    shown = set(columns)
    mapping |= {name: "" for name, place in by_itself.items() if name not in chosen and place in shown}
    return mapping
