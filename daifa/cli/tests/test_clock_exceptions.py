"""`daifa clocks announce` and `agreed`; `daifa figures`."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from daifa.cli import clocks, figures
from daifa.domain.compliance.commands import set_dispatch_mode
from daifa.domain.compliance.models import Clock, ReportedFigure
from daifa.flows.keep_clocks import keep_clocks
from daifa.lib import clock
from tests import bought_orders

pytestmark = pytest.mark.django_db


@pytest.fixture
def order():
    at = clock.now()
    shop = bought_orders.store("red", channel="xiaohongshu", kind="marketplace", country="CN", currency="CNY", timezone="Asia/Shanghai")
    set_dispatch_mode(store_id=shop.pk, mode="spot", by="user:1", at=at)
    paid = at - timedelta(hours=10)
    row = bought_orders.order(shop, [("goods", 1, "790.10")], placed_at=paid, paid_at=paid, currency="CNY")
    keep_clocks(at=at)
    return row


def test_what_is_announced_and_agreed_moves_the_clock(order):
    run = lambda *words: CliRunner().invoke(clocks.app, list(words))  # noqa: E731
    today = clock.now().date()
    done = run("announce", "Storm", "--store", "red", "--source", "notice 5", "--effect", "pause", "--from", str(today), "--to",
               str(today + timedelta(days=1)), "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    number = json.loads(done.output)["id"]
    assert Clock.objects.get(kind="dispatch").why == f"announced:{number}"
    assert "Storm" in run("announce").output
    assert run("announce", "x", "--store", "red", "--source", "y", "--from", "soon").exit_code == 1
    assert run("announce", "--withdraw", str(number)).exit_code == 0
    until = (clock.now() + timedelta(days=6)).isoformat()
    assert run("agreed", order.number, "--until", until, "--proof", "chat").exit_code == 0
    assert Clock.objects.get(kind="dispatch").why == "agreed"
    assert run("agreed", "nobody", "--until", until, "--proof", "chat").exit_code == 1


def test_figures_of_the_platform(order, tmp_path):
    run = lambda *words: CliRunner().invoke(figures.app, list(words))  # noqa: E731
    assert run("add", "reply_rate", "85%", "--store", "red", "--days", "7").exit_code == 0
    assert "known already" in run("add", "reply_rate", "85", "--store", "red", "--days", "7").output
    for wrong in (("reply_rate", "many"), ("reply_rate",), ("nonsense", "5"), ("reply_rate", "5", "--until", "soon")):
        assert run("add", *wrong, "--store", "red").exit_code == 1
    table = tmp_path / "table.csv"
    assert run("table", "--store", "red", "--out", str(table)).exit_code == 0
    table.write_text(table.read_text(encoding="utf-8").replace("shop_score,shop score,", "shop_score,shop score,4.8"), encoding="utf-8")
    done = run("import", str(table), "--store", "red", "--json")
    assert (done.exit_code, json.loads(done.output)[0]["added"]) == (0, 1)
    assert "known already" in run("import", str(table), "--store", "red").output
    bad = tmp_path / "bad.csv"
    bad.write_text("metric,value,until\nnonsense,1,2026-01-01\n", encoding="utf-8")
    assert run("import", str(bad), "--store", "red").exit_code == 1
    assert run("import", str(tmp_path / "none.csv"), "--store", "red").exit_code == 1
    assert "4.8" in run("list", "--store", "red").output
    number = ReportedFigure.objects.order_by("id").first().pk
    assert run("withdraw", str(number)).exit_code == 0
    assert run("withdraw", "999999").exit_code == 1
    assert ReportedFigure.objects.filter(withdrawn_at=None).count() == 1
