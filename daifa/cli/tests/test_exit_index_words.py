"""`daifa exit-index`: a table for eyes, one value for programs, sentences for what is not there."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import typer
from typer.testing import CliRunner

from daifa.cli.exit_index import exit_index
from daifa.domain.exit_index.commands import Measured, record_months
from daifa.domain.exit_index.models import StoreMonth
from daifa.domain.stores.commands import add_store

pytestmark = pytest.mark.django_db
BEGAN = datetime(2025, 1, 1, tzinfo=UTC)

app = typer.Typer()
app.command()(exit_index)


def run(*words: str):
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def cups():
    store = add_store(code="cups", name="Cups", currency="CNY", by="user:1", at=BEGAN)
    record_months(
        [
            Measured(store.pk, date(2025, month, 1), "CNY", 40, Decimal(900), Decimal(-90), Decimal(990), 40, 20, 2, None, None,
                     Decimal(-300), 20, 30, True, True)
            for month in range(1, 7)
        ],
        at=BEGAN,
    )  # fmt: skip
    return store


def test_one_store_for_programs_and_for_eyes(cups):
    found = run("--store", "cups", "--json")
    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert set(told["open_in"]) == {"1", "3", "6", "12"}
    assert told["open_in"]["1"]["chance"] > told["open_in"]["12"]["chance"]
    weights = told["weights"]
    assert (weights["version"], weights["uses"], weights["own_closings"], weights["base_rate_is"]) == ("1", "prior", 0, "assumed")
    assert told["is_advice"] is True

    shown = run("--store", "cups").output
    assert "Orders that left late" in shown
    assert "What to try" in shown
    assert "Weights version 1 from simulated stores alone" in shown


def test_all_stores_and_one_that_cannot_be_read(cups):
    add_store(code="young", name="Young", currency="CNY", by="user:1", at=BEGAN)
    told = json.loads(run("--json").stdout)
    assert [one["store"] for one in told] == ["cups", "young"]
    assert "no complete month yet" in told[1]["why_not"]
    assert "no complete month yet" in run().output


def test_measuring_first(cups):
    assert run("--store", "cups", "--measure", "--json").exit_code == 0
    assert StoreMonth.objects.filter(store=cups).count() > 6


def test_no_such_store(cups):
    found = run("--store", "plates", "--json")
    assert found.exit_code == 1
    assert found.stdout == ""
    assert "plates" in found.stderr
