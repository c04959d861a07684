"""`daifa violations` and `daifa evidence`: from the platform's list to a pack."""

import hashlib
import json
import zipfile
from datetime import UTC, date, datetime

import pytest
import typer
from typer.testing import CliRunner

from daifa.cli import violations
from daifa.domain.history.commands import ensure_months
from daifa.domain.stores.commands import add_store
from daifa.lib import clock
from tests import cast

pytestmark = pytest.mark.django_db
AT = datetime(2026, 4, 1, 2, tzinfo=UTC)


def run(*words, code=0, app=violations.app):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, f"{result.stdout} {result.stderr} {result.exception!r}"
    if code:
        return result.stderr
    return json.loads(result.stdout) if "--json" in words else result.stdout


@pytest.fixture
def store(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    ensure_months(date(2026, 3, 1), date(2026, 6, 1))
    with clock.moved_to(AT):
        yield add_store(
            code="red", name="Red", currency="CNY", kind="marketplace", channel="xiaohongshu", country="CN",
            timezone="Asia/Shanghai", by=cast.BY, at=AT,
        )  # fmt: skip


def test_a_violation_is_entered_listed_and_appealed(store):
    assert run("add", "V-1", "--store", "red", "--kind", "invalid_tracking", "--points", "4", "--money", "15", "--json")["known"] is False
    assert run("add", "V-1", "--store", "red", "--json")["known"] is True
    assert "no kind of violation" in run("add", "V-2", "--store", "red", "--kind", "x", code=1)
    assert "V-1" in run("list") and run("list", "--json")[0]["appeal_due_at"] == "2026-04-02T02:00:00+00:00"
    assert "There is no state" in run("list", "--state", "x", code=1)
    assert run("points", "red", "--json")[0]["points"] == "4.00" and "red" in run("points")
    assert "Give --text" in run("appeal", "V-1", code=1)
    assert "under way" in run("appeal", "V-1", "--sent", code=1)
    assert run("appeal", "V-1", "--text", "Scanned.", "--sent", "--json")["state"] == "appealed"
    assert run("appeal", "V-1", "--outcome", "won", "--json")["state"] == "lifted"
    assert "V-1" in run("show", "V-1") and run("show", "V-1", "--json")["appeals"][0]["state"] == "won"
    assert "no violation V-9" in run("show", "V-9", code=1)


def test_money_that_cannot_be_taken_refuses_the_whole_and_is_booked_the_second_time(store):
    taken = ("add", "V7", "--store", "red", "--money", "500", "--taken-from", "deposit")
    assert "Only 0.00 CNY are held" in run(*taken, code=1) and run("list", "--json") == []
    run("deposit", "red", "--kind", "paid_in", "--amount", "1000", "--reference", "B-1")
    assert "Kept." in run(*taken) and run("deposit", "red", "--json")["held"] == "500.0000"
    # Entered first without its money: the same words with it book it once.
    run("add", "V8", "--store", "red")
    late = ("add", "V8", "--store", "red", "--money", "15", "--json")
    assert run(*late) == {"id": None, "known": True, "completed": True} and run(*late)["completed"] is False
    assert run("deposit", "red", "--json")["penalties"] == "15.0000" and "15.00 CNY" in run("show", "V8")


def test_an_order_that_is_not_known_is_said_and_comes_later(store):
    told = CliRunner().invoke(violations.app, ["add", "V9", "--store", "red", "--order", "528114"])
    assert told.exit_code == 0 and "This store has no order 528114" in told.stderr
    assert "Not known here: 528114" in run("show", "V9")
    assert "no order 528115" in run("orders", "V9", "528115", code=1)


def test_what_is_empty_is_not_shown_and_the_store_is_named(store):
    run("add", "V9", "--store", "red")
    shown = run("show", "V9")
    assert "Nothing here" not in shown and "Appeals" not in shown
    assert "red" in run("list").splitlines()[-1]


def test_too_late_is_said_and_kept_only_when_asked(store):
    run("add", "V-1", "--store", "red", "--notified", "2026-03-20")
    assert "ended on" in run("appeal", "V-1", "--text", "But", code=1)
    assert run("appeal", "V-1", "--text", "But", "--keep-as-note", "--json")["state"] == "active"
    assert run("appeal", "V-1", "--text", "But", "--handed-in", "2026-03-20T20:00", "--json")["state"] == "appealed"
    assert run("appeal", "V-1", "--outcome", "lost", "--json")["state"] == "upheld"


def test_the_deposit(store):
    assert run("deposit", "red", "--require", "1000", "--kind", "paid_in", "--amount", "400", "--reference", "B-1", "--json")["short"] == "600.0000"
    assert run("deposit", "red", "--kind", "paid_in", "--amount", "400", "--reference", "B-1", "--json")["held"] == "400.0000"
    assert "Only 400.00 CNY are held" in run("deposit", "red", "--kind", "deducted", "--amount", "500", code=1)
    assert "400.00 CNY" in run("deposit", "red")


def test_a_pack_is_written_where_it_was_asked_for(store, tmp_path):
    app = typer.Typer()
    app.command()(violations.evidence)
    run("add", "V-1", "--store", "red")
    assert "There is no such case" in run("--store", "red", "--violation", "V-2", code=1, app=app)
    assert "no order 4711" in run("4711", "--store", "red", code=1, app=app)
    out = tmp_path / "new" / "folder"  # a name that is no .zip is a folder, also where it is not there yet
    told = CliRunner().invoke(app, ["--store", "red", "--violation", "V-1", "--out", str(out), "--language", "en", "--json"])
    if told.exit_code and "libpango" in told.stderr:
        pytest.skip(told.stderr)
    told = json.loads(told.stdout)
    content = (out / told["name"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == told["sha256"] and told["lacks"]
    assert "evidence.pdf" in zipfile.ZipFile(out / told["name"]).namelist()
    again = json.loads(CliRunner().invoke(app, ["--store", "red", "--violation", "V-1", "--out", str(out), "--language", "en", "--json"]).stdout)
    assert "V-1" in told["name"] and again["written_to"] != told["written_to"], "a pack made before is never written over"
    assert (out / told["name"]).read_bytes() == content and len(list(out.iterdir())) == 2
