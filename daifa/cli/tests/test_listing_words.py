"""`daifa listings`, from the draft to the file and back."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from daifa.cli import listings
from daifa.domain.catalog.models import ListingVariant, Publication
from tests import cast

pytestmark = pytest.mark.django_db


def run(*words: str):
    return CliRunner().invoke(listings.app, list(words))


def told(*words: str):
    done = run(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_draft_publish_let_out_file_and_settle(tmp_path):
    shop = cast.open_shop()
    assert told("draft", "MUG", "lamp", "--store", "gifts", "--price", "12.50") == {"made": 2}
    told("edit", "MUG", "--store", "gifts", "--title", "全国第一的茶杯")
    stopped = run("publish", "--store", "gifts")
    assert stopped.exit_code == 1 and "must not be said" in stopped.output
    told("edit", "MUG", "--store", "gifts", "--title", "最大的茶杯", "--price", "13")
    assert [row["state"] for row in told("publish", "MUG", "--store", "gifts")] == ["waiting"]
    [waiting] = told("waiting")
    assert waiting["title"] == "最大的茶杯"
    assert run("approve", str(waiting["id"]), "--reason", " ").exit_code == 1
    assert told("approve", str(waiting["id"]), "--reason", "measured")["done"] == [waiting["id"]]
    made = told("file", "--store", "gifts", "--out", str(tmp_path))
    assert made["listings"] == 2 and (tmp_path / "gifts-listings-0001.xlsx").stat().st_size > 1000
    assert told("settle", "1", "--store", "gifts") == {"listings": 2, "uploaded": True}
    assert run("settle", "1", "--store", "gifts").exit_code == 1
    assert set(ListingVariant.objects.filter(store=shop.store).values_list("state", flat=True)) == {"live"}
    assert {row["sku"] for row in told("list", "--state", "live")} == {"MUG", "LAMP"}
    assert told("show", "LAMP", "--store", "gifts")["verdict"] == "ready"
    assert told("watch")["grave"] == 0
    told("pause", "LAMP", "--store", "gifts", "--reason", "no stock")
    assert Publication.objects.latest("id").action == "pause"
    for wrong in (("publish", "NOPE", "--store", "gifts"), ("list", "--state", "lost"), ("file", "--store", "gifts", "--number", "9"),
                  ("draft", "NOPE", "--store", "gifts")):  # fmt: skip
        assert run(*wrong).exit_code == 1, wrong
