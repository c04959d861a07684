"""`daifa privacy …`: look, hand over, erase, and say how long."""

import stat
import zipfile
from datetime import timedelta

import pytest
from django.utils import translation

from daifa.cli import privacy
from daifa.cli.tests.test_words import Refusal, run
from daifa.domain.orders.models import AddressVersion
from daifa.domain.privacy.models import Erasure, Retention
from daifa.domain.stores.models import Store
from daifa.lib import clock
from tests import cast

pytestmark = pytest.mark.django_db
WHO = ("--email", "anna77@example.invalid")


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.fixture
def shop(tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    settings.DAIFA_HOME = tmp_path
    shop = cast.open_shop(at=clock.now() - timedelta(days=30))
    cast.whole_loop(shop, ["77", "78"], at=clock.now() - timedelta(days=30))
    return tmp_path


def shop_code() -> str:
    return Store.objects.get().code


def test_show_export_answer_erase(shop):
    found = run(privacy.app, "show", *WHO, "--json")
    assert [(order["number"], order["why"]) for order in found["orders"]] == [("77", ["email"])]
    assert "the mail address asked for" in run(privacy.app, "show", *WHO)
    assert found["counts"]["orders.AddressVersion"] == 1 and {stay["code"] for stay in found["stays"]} == {"unknown"}
    assert "addresses of orders" in run(privacy.app, "show", *WHO)
    told = run(privacy.app, "export", *WHO, "--out", shop / "anna.zip", "--json")
    assert zipfile.is_zipfile(told["file"]) and stat.S_IMODE((shop / "anna.zip").stat().st_mode) == 0o600
    assert "is there already" in run(privacy.app, "export", *WHO, "--out", shop / "anna.zip", code=1)

    assert "Nobody has said how long" in run(privacy.app, "erase", *WHO, "--yes", code=1)
    assert not Erasure.objects.exists()
    assert "rests" in run(privacy.app, "retention", "contact", "--at-most", "9", code=1)
    for option in (("--at-least", "0"), ("--at-most", "9"), ("--source", "adviser"), ("--store", shop_code()), ("--country", "GB")):
        assert "for which class of data" in run(privacy.app, "retention", *option, code=1), option
    assert not Retention.objects.exists()
    everything = ("contact", "letters", "papers", "disputes")
    answers = run(privacy.app, "retention", *everything, "--at-most", "900", "--source", "adviser", "--json")
    assert len(answers["answers"]) == 4 and answers["unknown"] == []
    assert "adviser" in run(privacy.app, "retention")
    with pytest.raises(Refusal, match="Abort"):
        run(privacy.app, "erase", *WHO)
    done = run(privacy.app, "erase", "--name", "anna wood", "--order", "77", "--yes", "--json")
    assert done["erased"] and done["stays"] == []
    assert AddressVersion.objects.get(order__number="77").name == done["token"]
    assert AddressVersion.objects.get(order__number="78").name == "Anna Wood"
    assert "Erased on" in run(privacy.app, "show", *WHO)
    assert "Nothing is held" in run(privacy.app, "erase", *WHO, "--yes", code=1)


def test_a_name_alone_is_refused_and_the_map_is_shown(shop):
    assert "together with an order number" in run(privacy.app, "show", "--name", "Anna Wood", code=1)
    rows = run(privacy.app, "map", "--json")
    assert {"where": "orders.AddressVersion", "what": "digest", "class": "contact", "how": "kept", "who": "program"} in rows
    assert "files/imports" in run(privacy.app, "map")
