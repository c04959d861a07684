"""The words of the command line tell an order's whole day, from the store's file to the books."""

import csv
import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import translation
from typer.testing import CliRunner

from daifa.cli import books, cases, exports, imports, orders, purchases, stores, suppliers, work
from daifa.cli.tests import as_app
from daifa.lib import clock

PRODUCTS = "Handle,Title,Variant SKU,Variant Price\nmug,Mug,MUG-1,12.50\nlamp,Lamp,LAMP-1,30\n"
OFFERS = "supplier sku,our sku,name,price,stock\nYW-1,MUG-1,马克杯,20,500\nYW-2,LAMP-1,灯,50,100\n"
HEADINGS = "order number,date,sku,title,quantity,price,name,address,city,postcode,country,email\n"


class Refusal(AssertionError):
    pass


def run(app, *words, code=0):
    """What a command prints; with --json the value it prints."""
    result = CliRunner().invoke(as_app(app), [str(word) for word in words])
    if result.exit_code != code:
        raise Refusal(f"exit code {result.exit_code}: {result.stdout} {result.stderr} {result.exception!r}")
    if code:
        return result.stderr
    return json.loads(result.stdout) if "--json" in words else result.stdout


@pytest.fixture
def shop(db, tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    settings.DAIFA_HOME = tmp_path
    at = clock.now() - timedelta(days=1)
    address = "Ada Smith,1 High St,Leeds,LS1 1AA,GB,ada@example.invalid"
    files = {
        "products.csv": PRODUCTS,
        "offers.csv": OFFERS,
        "orders.csv": HEADINGS
        + f"1001,{at:%Y-%m-%d %H:%M},MUG-1,Mug,2,12.50,{address}\n"
        + f"1001,{at:%Y-%m-%d %H:%M},LAMP-1,Lamp,1,30,{address}\n"
        + f"1002,{at:%Y-%m-%d %H:%M},MUG-1,Mug,x,12.50,{address}\n",
        "nothing.csv": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    run(stores.app, "add", "gift", "--name", "Gift shop", "--currency", "gbp", "--timezone", "Europe/London")
    run(suppliers.app, "add", "yiwu", "--name", "义乌礼品", "--currency", "CNY", "--agreement", "gift", "--entrusted-on", "2026-03-01")
    return tmp_path


def test_an_orders_day_by_the_words(shop):
    assert run(imports.app, "products", shop / "products.csv", "--json")["rows_used"] == 2
    assert run(imports.app, "offers", shop / "offers.csv", "--supplier", "yiwu", "--json")["rows_used"] == 2
    told = run(imports.app, "orders", shop / "orders.csv", "--store", "gift", "--json")
    assert (told["rows_in"], told["rows_used"], told["rows_not_orders"], told["rows_refused"]) == (3, 2, 0, 1)
    [refused] = told["refused"]
    assert (refused["row"], refused["document"], refused["code"]) == (4, "1002", "not_a_number")
    again = run(imports.app, "orders", shop / "orders.csv", "--store", "gift")
    assert "= 2 used + 0 not orders + 1 refused" in again
    assert "orders known already" in again
    assert "is not a number" in again

    assert run(work.work, "--until-idle", "--json")["counts"]["reacted"] > 0
    assert run(work.work, "--until-idle").strip() == "Nothing was due."
    [order] = run(orders.app, "list", "--store", "gift", "--json")
    assert (order["number"], order["status"], order["total_amount"]) == ("1001", "confirmed", "55.0000")

    out = shop / "out"
    [written] = run(exports.app, "purchases", "--supplier", "yiwu", "--out", out, "--json")["written"]
    assert (written["run"], written["orders"], written["rows"], written["placed"], written["repeat"]) == (
        1,
        1,
        2,
        1,
        False,
    )
    first = (out / "yiwu-run-0001.xlsx").read_bytes()
    assert run(exports.app, "purchases", "--supplier", "yiwu", "--out", out, "--json")["written"] == []
    [repeat] = run(exports.app, "purchases", "--supplier", "yiwu", "--out", out, "--again", 1, "--json")[
        "written"
    ]
    assert repeat["file"].endswith("REPEAT-2-yiwu-run-0001.xlsx")
    assert (repeat["placed"], repeat["repeat"]) == (0, True)
    assert (out / "REPEAT-2-yiwu-run-0001.xlsx").read_bytes() == first
    assert "no run number 9" in run(
        exports.app, "purchases", "--supplier", "yiwu", "--out", out, "--again", 9, code=1
    )

    [purchase] = run(purchases.app, "list", "--state", "placed", "--json")
    reference = purchase["reference"]
    with (shop / "reply.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                (
                    "our reference",
                    "supplier sku",
                    "accepted",
                    "reason",
                    "carrier",
                    "tracking number",
                    "shipped",
                ),
                (reference, "YW-1", 2, "", "圆通", "YT8801234567891", 2),
                (reference, "YW-2", 0, "out of stock", "", "", ""),
                ("XXXX-1", "YW-1", 1, "", "圆通", "YT8801234567892", 1),
            ]
        )
    told = run(imports.app, "replies", shop / "reply.csv", "--supplier", "yiwu", "--json")
    assert (told["rows_used"], told["rows_refused"]) == (2, 1)
    run(work.work, "--until-idle")

    dispatched = run(exports.app, "dispatches", "--store", "gift", "--out", shop / "told.csv", "--json")
    assert dispatched["rows"] == 1
    assert "YT8801234567891" in (shop / "told.csv").read_text()
    number = dispatched["name"].split("-")[-1].removesuffix(".csv")
    run(exports.app, "dispatches", "--store", "gift", "--out", shop / "again.csv", "--again", number)
    assert (shop / "again.csv").read_bytes() == (shop / "told.csv").read_bytes()
    assert "Nothing new" in run(exports.app, "dispatches", "--store", "gift", "--out", shop / "more.csv")

    soon = clock.now()
    (shop / "scans.csv").write_text(
        f"tracking number,time,status,place\nYT8801234567891,{soon:%Y-%m-%d %H:%M},delivered,Leeds\n"
    )
    assert run(imports.app, "tracking", shop / "scans.csv", "--store", "gift", "--json")["rows_used"] == 1
    run(work.work, "--until-idle")

    shown = run(orders.app, "show", "1001", "--json")
    assert [line["delivered"] for line in shown["lines"]] == [2, 0]
    assert [hold["reason"] for hold in shown["holds"] if not hold["released_at"]] == ["supplier_rejected"]
    sentences = [one["sentence"] for one in reversed(shown["timeline"])]
    told_in_order = [
        "Order 1001 received", f"Purchase order {reference} to 义乌礼品: placed", f"义乌礼品 answered on {reference}",
        "Parcel YT8801234567891: delivered",
    ]  # fmt: skip
    assert [sentence for sentence in sentences if sentence in told_in_order] == told_in_order
    assert "Parcel YT8801234567891: delivered" in run(orders.app, "show", "1001")
    for words in ("ada", "YT8801234567891", "mug-1", reference):
        assert [one["number"] for one in run(orders.app, "list", words, "--json")] == ["1001"], words
    assert "out of stock" in run(purchases.app, "show", reference, "--json")["answers"][0]["rows"][1][5]

    [line] = [line["id"] for line in shown["lines"] if line["sku"] == "MUG-1"]
    from daifa.flows.by_hand import give_back

    case = give_back(
        shown["id"], [(line, 1)], kind="return", reason="damaged", note="", amount=None, no_claim_reason="", by="user:1",
        at=clock.now(),
    )  # fmt: skip
    assert [one["state"] for one in run(cases.app, "list", "1001", "--json")] == ["requested"]
    assert "money" not in run(cases.app, "refuse", case, 999, "--reason", "worn", code=1)
    assert run(cases.app, "approve", case, "--json") == {"done": [case], "refused": {}}
    assert "it cannot become" in run(cases.app, "close", case, code=1)
    run(cases.app, "returning", case, "--number", "RM1")
    assert "is no line" in run(cases.app, "received", case, "--line", "x", code=1)
    run(cases.app, "received", case)
    assert "as new" in run(cases.app, "show", case)
    assert run(cases.app, "refund", case, "--no-claim-reason", "small", "--json")["amount"] == "12.50"
    assert run(cases.app, "show", case, "--json")["next"] == ["closed"]
    assert "Refunded" not in run(cases.app, "close", case)

    run(work.work, "--until-idle")
    month = clock.now().strftime("%Y-%m")
    run(books.app, "add-expense", "--store", "gift", "--kind", "tools", "--amount", "5", "--key", "a")
    assert run(books.app, "add-expense", "--store", "gift", "--kind", "tools", "--amount", "5", "--key", "a", "--json") == {
        "id": None, "already": True,
    }  # fmt: skip
    run(books.app, "pay-supplier", "--supplier", "yiwu", "--store", "gift", "--amount", "40")
    balance = run(books.app, "trial-balance", "--json")
    assert balance["off"] == {}
    assert all(Decimal(sums["debits"]) == Decimal(sums["credits"]) for sums in balance["sums"].values())
    pnl = run(books.app, "pnl", "--month", month, "--json")
    assert (pnl["sales"], pnl["refunds"], pnl["platform_and_tools"]) == ("25.00", "12.50", "5.00")
    assert "net profit" in run(books.app, "pnl", "--month", month)


@pytest.mark.parametrize(
    ("app", "words", "sentence"),
    [
        (stores.app, ["add", "gift", "--currency", "GBP"], "already"),
        (stores.app, ["add", "other", "--currency", "pounds"], "currency"),
        (suppliers.app, ["add", "yiwu", "--currency", "CNY"], "already"),
        (
            imports.app,
            ["orders", "orders.csv", "--store", "gone"],
            "There is no store “gone”. There are: gift.",
        ),
        (imports.app, ["orders", "gone.csv", "--store", "gift"], "There is no file"),
        (imports.app, ["orders", "nothing.csv", "--store", "gift"], "nothing.csv"),
        (imports.app, ["orders", "orders.csv", "--store", "gift", "--layout", "gone"], "no file layout"),
        (orders.app, ["list", "--status", "lost"], "There is no status “lost”"),
        (orders.app, ["show", "4711"], "There is no order “4711”"),
        (purchases.app, ["show", "4711"], "There is no purchase order"),
        (books.app, ["pnl", "--month", "May"], "Write it as 2026-05"),
        (books.app, ["add-expense", "--store", "gift", "--kind", "tools", "--amount", "-5"], "is no amount"),
        (books.app, ["add-expense", "--store", "gift", "--kind", "x", "--amount", "5"], "no kind of expense"),
        (work.work, ["--at", "soon"], "is no time"),
        (exports.app, ["dispatches", "--store", "gift", "--out", "told.txt"], "ends neither in .csv"),
        (
            exports.app,
            ["dispatches", "--store", "gift", "--out", "told.csv", "--again", "9"],
            "no dispatch file 9",
        ),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_exit_code_1(shop, monkeypatch, app, words, sentence):
    monkeypatch.chdir(shop)
    assert sentence in run(app, *words, code=1)


CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_tables_speak_the_language_of_the_installation_and_json_does_not(shop):
    run(imports.app, "products", shop / "products.csv")
    run(imports.app, "offers", shop / "offers.csv", "--supplier", "yiwu")
    run(imports.app, "orders", shop / "orders.csv", "--store", "gift")
    run(work.work, "--until-idle")
    in_english = run(orders.app, "list", "--json")
    assert "confirmed" in run(orders.app, "list") and "state" in run(orders.app, "list")
    with translation.override("zh-hans"):
        assert run(orders.app, "list", "--json") == in_english
        listed = run(orders.app, "list", "--status", "待采购")
        assert "状态" in listed and "1001" in listed and "confirmed" not in listed
        shown = run(orders.app, "show", "1001")
        assert "行号" in shown and "红线" not in shown, "the line of an order is none of the rule book"
        assert "没有“丢了”这种状态" in run(orders.app, "list", "--status", "丢了", code=1)
        assert run(orders.app, "list", "--status", "confirmed", "--json") == in_english
        again = run(imports.app, "orders", shop / "orders.csv", "--store", "gift")
        assert "orders known already" not in again and "= 使用 2 + 非订单 0 + 拒绝 1" in again
        for told in (
            run(orders.app, "show", "1001"), run(purchases.app, "list"), run(stores.app, "list"), run(suppliers.app, "list"), run(books.app, "trial-balance"),
            run(books.app, "pnl", "--month", "2026-05"), run(cases.app, "list"), run(work.work, "--until-idle"),
        ):  # fmt: skip
            heading = told.strip().splitlines()[0]
            assert CHINESE.search(heading), heading
            assert not re.search(r"[a-z]{4,}", heading.replace("gift", "").replace("daifa", "")), heading


def test_every_word_of_a_table_is_translated():
    """Headings and sentences of the command line have Chinese words, whoever adds one."""
    with translation.override("zh-hans"):
        for words in work.DONE.values():
            assert CHINESE.search(translation.gettext(words)), words


def test_work_at_another_time_moves_the_clock(shop):
    later = clock.now() + timedelta(days=30)
    assert run(work.work, "--until-idle", "--at", later.isoformat(), "--json")["at"] == later.isoformat()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_as_a_program():
    """Real processes: nothing but JSON on stdout, sentences on stderr, exit codes."""
    given = connection.settings_dict
    url = f"postgresql://{given['USER']}:{given['PASSWORD']}@/{given['NAME']}?host={given['HOST']}&port={given['PORT']}"

    def daifa(*words):
        return subprocess.run(
            [sys.executable, "-m", "daifa.cli.main", *words],
            env={**os.environ, "DATABASE_URL": url}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    assert daifa("--help").returncode == 0
    added = daifa("stores", "add", "till", "--currency", "EUR", "--json")
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["code"] == "till"
    again = daifa("stores", "add", "till", "--currency", "EUR", "--json")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.strip() == "There is a store with the code till already; choose another code."
    assert [store["code"] for store in json.loads(daifa("stores", "list", "--json").stdout)] == ["till"]
    assert daifa("stores", "addd").returncode == 2
