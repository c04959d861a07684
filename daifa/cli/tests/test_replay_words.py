"""`daifa replay` and `daifa sample`, as a person types them."""

import json

import pytest
from typer.testing import CliRunner

from daifa.cli import replay, sample
from daifa.cli.tests import as_app
from daifa.domain.orders.models import Hold, Order
from daifa.domain.sourcing.models import Supplier
from daifa.domain.stores.models import Store
from daifa.flows.sample_shop.load import add_suppliers, open_stores
from daifa.lib import clock

pytestmark = pytest.mark.django_db(transaction=True)
ORDERS = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n" \
         "536001,22423,CAKESTAND,2,2010-11-30 10:00:00,12.75,14441,United Kingdom\n"  # fmt: skip


def run(app, *words):
    return CliRunner().invoke(as_app(app), [str(word) for word in words])


@pytest.fixture
def inbox(tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    settings.DAIFA_HOME = tmp_path
    at, stores = clock.now(), {}
    open_stores(stores, by="t", at=at)
    add_suppliers({}, stores.values(), by="t", at=at)
    folder = tmp_path / "inbox" / "orders" / "sample-gifts"
    folder.mkdir(parents=True)
    (folder / "2010-11-30 shop.csv").write_text(ORDERS)
    return tmp_path / "inbox"


def test_replay_reads_the_files_of_its_days_and_reports_in_json(inbox):
    words = [
        "--from",
        "2010-11-30",
        "--to",
        "2010-12-01",
        "--step",
        "12h",
        "--inbox",
        inbox,
        "--recipients",
        "generated",
    ]
    result = run(replay.replay, *words, "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["steps"], told["counts"]["files"], told["refused_files"]) == (4, 1, [])
    order = Order.objects.get()
    assert order.placed_at.isoformat() == "2010-11-30T10:00:00+00:00"
    assert set(Hold.objects.values_list("reason", flat=True)) == {"mapping_missing"}


def test_a_replay_that_cannot_be_is_a_sentence_and_exit_code_1(inbox):
    for words, sentence in (
        (["--from", "2010-11-30", "--to", "2010-11-01"], "would end before it begins"),
        (["--from", "2010-11-30", "--to", "2010-12-01", "--step", "soon"], "is no step"),
        (["--from", "yesterday", "--to", "2010-12-01"], "is no time"),
        (["--from", "2010-11-30", "--to", "2010-12-01", "--recipients", "real"], "generated"),
    ):
        result = run(replay.replay, *words)
        assert result.exit_code == 1
        assert sentence in result.stderr


def test_a_refused_file_is_named_and_ends_with_exit_code_1(inbox):
    (inbox / "orders" / "sample-gifts" / "2010-11-30 empty.csv").write_text("")
    result = run(replay.replay, "--from", "2010-11-30", "--to", "2010-11-30", "--inbox", inbox)
    assert result.exit_code == 1
    assert "2010-11-30 empty.csv" in result.stderr
    assert Order.objects.count() == 1, "the other file was read"


def test_the_sample_shop_is_not_loaded_over_anything_and_can_be_removed(inbox):
    result = run(sample.app, "load")
    assert result.exit_code == 1
    assert "empty database" in result.stderr
    assert run(sample.app, "remove").exit_code == 1, "asked, and nobody said yes"
    assert Store.objects.count() == 3
    result = run(sample.app, "remove", "--json")
    assert json.loads(result.stdout)["deleted"]["stores_store"] == 3
    assert not Store.objects.exists() and not Supplier.objects.exists()
    assert "There is no sample shop here." in run(sample.app, "remove").stdout
