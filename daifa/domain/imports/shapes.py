"""How files of a shape are read: said once by a person, remembered by the headings. The caller holds the transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from daifa.domain.imports.models import ImportFile, ImportShape
from daifa.lib import bulk

# What a person may say about how a file is read. The other options say what becomes of it.
READING = ("layout", "mapping", "worksheet", "encoding", "decimal_mark", "day_first")


def headings_digest(header: Sequence[str]) -> str:
    """What a shape is known by: the headings in their order, upper case and outer spaces apart."""
    return hashlib.sha256("\x1f".join(cell.strip().casefold() for cell in header).encode()).hexdigest()


def has_shapes(file: ImportFile) -> bool:
    """Whether anything is remembered for files of this kind from there: else the file need not be opened to ask."""
    return ImportShape.objects.filter(
        kind=file.kind, store_id=file.store_id, supplier_code=file.supplier_code
    ).exists()


def remembered(file: ImportFile, header: Sequence[str]) -> dict[str, Any]:
    """The options with which files with these headings are read; {} where nobody said any."""
    found = ImportShape.objects.filter(
        kind=file.kind, store_id=file.store_id, supplier_code=file.supplier_code, headings=headings_digest(header)
    ).first()
    return dict(found.options) if found else {}


def remember(file: ImportFile, header: Sequence[str], options: Mapping[str, Any], *, by: str, at: datetime) -> None:
    """Files of this shape are read so from now on; without options the shape is forgotten."""
    kept = {name: options[name] for name in READING if options.get(name) not in (None, "", {})}
    key = {
        "kind": file.kind, "store_id": file.store_id, "supplier_code": file.supplier_code,
        "headings": headings_digest(header),
    }  # fmt: skip
    if kept:
        ImportShape.objects.update_or_create(**key, defaults={"options": kept, "by": by, "at": at})
    else:
        ImportShape.objects.filter(**key).delete()


def set_options(file_id: int, options: Mapping[str, Any]) -> bool:
    """Other options for a file of which nothing was read yet; False where reading has begun."""
    return bool(
        bulk.execute(
            "UPDATE imports_importfile SET options = %s WHERE id = %s AND state = 'received'",
            (bulk.json(dict(options)), file_id),
        )
    )
