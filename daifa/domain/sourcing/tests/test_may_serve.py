"""The worked table of docs/rules/may-serve.md, row by row."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from daifa.domain.sourcing.queries import AgreementRow
from daifa.domain.sourcing.rules import may_serve

TABLE = Path(__file__).resolve().parents[4] / "docs" / "rules" / "may-serve.md"
FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)
AGREEMENTS = {
    "none": [],
    "this store": [AgreementRow(1, 1, FIRST, LAST, True)],
    "all stores": [AgreementRow(1, None, FIRST, LAST, True)],
    "another store": [AgreementRow(1, 2, FIRST, LAST, True)],
    "another supplier": [AgreementRow(2, 1, FIRST, LAST, True)],
    "open end": [AgreementRow(1, 1, FIRST, None, True)],
}


def rows():
    lines = [line for line in TABLE.read_text().splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_is_there():
    assert len(rows()) > 15


@pytest.mark.parametrize("row", rows(), ids=" ".join)
def test_a_row_of_the_table(row):
    store, supplier, agreement, on, verdict = row
    found = may_serve(
        SimpleNamespace(id=1, kind=store.removeprefix("sample "), is_sample=store.startswith("sample ")),
        SimpleNamespace(
            id=1,
            name="Yiwu",
            state=supplier.removeprefix("sample "),
            is_sample=supplier.startswith("sample "),
        ),
        AGREEMENTS[agreement],
        date.fromisoformat(on),
    )
    assert found == ("" if verdict == "allowed" else verdict)
    assert bool(found) == bool(found.sentence), "a refusal says why"
