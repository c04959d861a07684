"""The worked tables of docs/rules/no-source-risk.md."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from daifa.domain.compliance.signals import (
    BY_KIND,
    REMEDIES,
    SIGNALS,
    affiliate_answers,
    differs_from_origin,
    level,
    promised_places,
    settled_stays,
    top_group,
    unrelated_groups,
)
from tests import worked_tables

TABLES = {head: rows for story in worked_tables.stories("no-source-risk.md") for head, rows in story.tables.items()}
AT = datetime(2026, 3, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize("row", TABLES["sign"], ids=lambda row: " ".join(row.values()))
def test_how_serious(row):
    act = Decimal(row["line"]) if row["line"] else None
    assert (level(row["sign"], int(row["count"]), int(row["base"]), act=act) or "–") == row["level"]


@pytest.mark.parametrize("row", TABLES["state"], ids=lambda row: " ".join(row.values()))
def test_whether_it_opens_again(row):
    newest = AT + timedelta(hours=1) if row["newer than settling"] == "yes" else AT - timedelta(hours=1)
    stays = settled_stays(
        state=row["state"], settled_at=AT, settled_count=int(row["settled with"]), count=int(row["now"]), newest=newest
    )
    assert stays == (row["stays"] == "yes")


@pytest.mark.parametrize("row", TABLES["place"], ids=lambda row: " ".join(row.values()))
def test_where_it_left(row):
    assert differs_from_origin(row["place"], promised_places(row["promised"])) == (row["differs"] == "yes")


@pytest.mark.parametrize("row", TABLES["orders by kind"], ids=lambda row: row["orders by kind"])
def test_kinds_of_goods(row):
    orders = {name: int(count) for name, count in (part.rsplit(" ", 1) for part in row["orders by kind"].split(", "))}
    assert (", ".join(unrelated_groups(orders)) or "–") == row["lines of their own"]


def test_the_first_part_of_a_category_counts():
    assert top_group("Home > Kitchen > Mugs") == top_group("home/garden") == "home"
    assert top_group("家居｜厨房") != ""


def test_every_sign_has_what_helps_and_every_table_row_is_one():
    assert all(one.remedies and set(one.remedies) <= set(REMEDIES) for one in SIGNALS)
    assert {row["sign"] for row in TABLES["sign"]} == set(BY_KIND)


def test_what_stands_between_an_account_and_commission():
    assert list(affiliate_answers(999, is_adult=False, is_clean=False, needed=1000)) == ["followers", "adult", "clean"]
    assert list(affiliate_answers(1000, is_adult=True, is_clean=True, needed=1000)) == []
    assert list(affiliate_answers(0, is_adult=True, is_clean=True, needed=None)) == [], "no line in the rule book, none here"
