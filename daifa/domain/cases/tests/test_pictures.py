"""Runs docs/rules/evidence-pictures.md; the grid a person covers fields of."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from daifa.domain.cases import pictures
from daifa.lib.pictures import Box
from tests.worked_tables import stories

(STORY,) = stories("evidence-pictures.md")


class Line(NamedTuple):
    text: str
    box: Box


def lines(text: str) -> list[Line]:
    return [Line(one.strip(), (50, 40 + n * 60, 700, 80 + n * 60)) for n, one in enumerate(text.split("/"))]


@pytest.mark.parametrize("row", STORY.tables["buyers"], ids=lambda row: row["lines"][:30])
def test_lines_and_what_is_covered(row: dict[str, str]) -> None:
    read = lines(row["lines"])
    parts = pictures.private_parts(read, row["buyers"].split(";"))
    found = []
    for line in read:
        kinds = [part.kind for part in parts if part.box[1] <= line.box[1] and line.box[3] <= part.box[3]]
        found.append(kinds[0] if kinds else "–")
    assert " / ".join(found) == row["covered"]


def test_a_block_far_away_is_not_the_receivers() -> None:
    read = [Line("收件人 王五", (50, 100, 400, 130)), Line("五星好评返现", (50, 500, 400, 530)), Line("圆通速递", (700, 100, 900, 130))]
    parts = pictures.private_parts(read, [])
    assert [part.box[1] < 140 for part in parts] == [True] * len(parts) and len(parts) >= 1
    assert not any(part.box[1] > 400 for part in parts)


def test_the_grid() -> None:
    assert pictures.box_of(0) == (0, 0, 62.5, 50)
    assert pictures.box_of(pictures.COLUMNS * pictures.ROWS - 1) == (937.5, 950, 1000, 1000)
    for field in (0, 17, 319):
        assert pictures.fields_under([pictures.box_of(field)]) == {field}
    assert pictures.fields_under([(60, 40, 70, 60)]) == {0, 1, 16, 17}
    assert pictures.fields_under([]) == set()
