"""The worked table of docs/rules/alike.md."""

import pytest

from daifa.domain.sourcing.alike import ENOUGH, likeness, looks_of
from tests import worked_tables

ROWS = [row for story in worked_tables.stories("alike.md") for row in story.tables["ours"]]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['ours']} | {row['theirs']}")
def test_how_alike_two_titles_are(row):
    found = likeness(looks_of(row["ours"]), looks_of(row["theirs"]))
    assert (found.points, found.points >= ENOUGH, "; ".join(found.differs)) == (int(row["points"]), row["shown"] == "yes", row["differs"])


def test_likeness_is_the_same_from_both_sides():
    for row in ROWS:
        ours, theirs = looks_of(row["ours"]), looks_of(row["theirs"])
        assert likeness(ours, theirs).points == likeness(theirs, ours).points


def test_nothing_is_like_nothing():
    assert likeness(looks_of(""), looks_of("")).points == 0
    assert likeness(looks_of("wholesale free shipping"), looks_of("wholesale free shipping")).points == 0
