"""The table of docs/rules/publishing.md."""

from datetime import date

import pytest

from daifa.domain.catalog.rules import APPROVABLE, GRAVE, STOPS, WAITS, Facts, Hit, Notice, Right, decide
from tests.worked_tables import stories

ON = date(2026, 11, 22)
[GATE] = stories("publishing.md")
GIVEN = {
    "–": {}, "picture": {"has_picture": True}, "no price": {"without_price": ["x"]}, "no source": {"without_source": ["x"]},
    "no sku": {"skus": []}, "no title": {"title": " "}, "retired": {"is_retired": True}, "closing": {"shut": "closing"},
    "limit V-9": {"limit": "V-9"}, "new word": {"allowed_words": ["another"]},
}  # fmt: skip


def facts_of(row) -> Facts:
    hits = [Hit("title", f"word{n}", *one.split()[::-1], 0, 1) for n, one in enumerate(row["words"].split(", ")) if one != "–"]
    rights = [Right(kind, date(2026, 1, 1), None if last == "–" else date.fromisoformat(last)) for kind, last in _pairs(row["rights"])]
    notices = [Notice("N-1", right, "" if state == "open" else state) for right, state in _pairs(row["notice"])]
    said = {
        "on": ON, "hits": hits, "rights": rights, "notices": notices, "goods": {hit.term: "food_licence" for hit in hits},
        "held": [one for one in row["papers held"].split() if one != "–"],
        "papers_missing": [(one,) for one in row["paper asked for by the category"].split() if one != "–"],
        "allowed": [one for one in row["let pass"].split() if one != "–"], "allowed_words": [hit.term for hit in hits],
    }  # fmt: skip
    return Facts(**{**said, **GIVEN[row["else"]]})


def _pairs(cell: str) -> list[list[str]]:
    return [] if cell == "–" else [cell.split()]


@pytest.mark.parametrize("row", GATE.tables["words"], ids=lambda row: " | ".join(row.values()))
def test_the_gate(row):
    verdict = decide(facts_of(row))
    assert (verdict.state, " ".join(code for code, _params in verdict.reasons) or "–") == (row["verdict"], row["because of"])
    codes = {code for code, _params in verdict.reasons}
    assert verdict.approvable == (verdict.state == "waiting" and codes <= set(APPROVABLE))


def test_every_reason_has_its_place():
    assert not set(STOPS) & set(WAITS) and set(APPROVABLE) < set(WAITS) and set(GRAVE) < {*STOPS, *WAITS}
    assert {row["because of"] for row in GATE.tables["words"]} >= {*STOPS, *WAITS} - {"words"}
