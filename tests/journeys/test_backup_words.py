"""`daifa backup`, `restore`, `quarantine` and `audit` as a merchant runs them, into another database, as an ordinary role."""

import json
import os
import secrets
import subprocess
import sys
from datetime import timedelta
from urllib.parse import quote

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from daifa.flows.react import react
from tests import cast

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def address(user: str, password: str, database: str) -> str:
    given = connection.settings_dict
    host, port = quote(str(given["HOST"]), safe=""), given["PORT"] or 5432
    who = quote(user) + (f":{quote(password)}" if password else "")
    return f"postgresql://{who}@/{database}?host={host}&port={port}"


@pytest.fixture
def other_database():
    """An empty database that belongs to a role without any special right; gives its address."""
    given = connection.settings_dict
    name, password = f"daifa_restore_{secrets.token_hex(4)}", secrets.token_hex(12)
    with psycopg.connect(address(given["USER"], given["PASSWORD"], "postgres"), autocommit=True) as server:
        try:
            server.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(name), sql.Literal(password)
                )
            )
        except psycopg.errors.InsufficientPrivilege:
            pytest.skip("the role of DATABASE_URL may not create roles")
        server.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(name))
        )
    try:
        yield address(name, password, name)
    finally:
        with psycopg.connect(
            address(given["USER"], given["PASSWORD"], "postgres"), autocommit=True
        ) as server:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            server.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def daifa(*words: str, url: str = "", home=None, code: int = 0) -> str:
    """Run the program; its standard output, or with an expected failure its standard error."""
    given = connection.settings_dict
    environment = os.environ | {
        "DATABASE_URL": url or address(given["USER"], given["PASSWORD"], given["NAME"]), "NO_COLOR": "1",
    }  # fmt: skip
    if home:
        environment["DAIFA_HOME"] = str(home)
    done = subprocess.run(
        [sys.executable, "-m", "daifa.cli.main", *words],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stderr if code else done.stdout


def test_the_words_of_a_restore(other_database, tmp_path):
    shop = cast.open_shop()
    end = cast.whole_loop(shop, ["W1", "W2"])
    cast.receive_orders(shop, ["W3"], skus=(cast.FROM_FACTORY,), at=end + timedelta(hours=1))
    react(at=end + timedelta(hours=1))
    file = tmp_path / "shop.daifa"
    written = json.loads(daifa("backup", str(file), "--json"))
    assert written["rows"] > 100 and written["holds_key"] is False
    assert "never overwrites" in daifa("backup", str(file), code=1)
    assert "holds rows" in daifa("restore", str(file), code=1)

    there = {"url": other_database, "home": tmp_path / "there"}
    daifa("migrate", **there)
    restored = json.loads(daifa("restore", str(file), "--json", **there))
    assert restored["rows"] == written["rows"] and restored["quarantined"] is True
    assert restored["code"] != restored["former_code"]
    assert "rules hold" in daifa("audit", **there)
    status = json.loads(daifa("quarantine", "status", "--json", **there))
    assert status["quarantined"] and "ask the suppliers first" in status["sentence"]
    assert "Ask the suppliers first" in daifa("quarantine", "release", code=1, **there)
    answer = json.loads(daifa("quarantine", "read-back", "--json", **there))
    assert (answer["doubtful"], answer["silent"]) == (1, [])
    [question] = json.loads(daifa("quarantine", "questions", "--json", **there))
    assert question["order"] == "W3"
    assert "Not in doubt" in daifa("quarantine", "settle", "KVBA-000001-2", "--placed", code=1, **there)
    daifa("quarantine", "settle", question["reference"], "--placed", **there)
    assert json.loads(daifa("quarantine", "release", "--json", **there)) == {"released": True, "questions": 0}
    assert json.loads(daifa("quarantine", "status", "--json", **there))["sentence"] == ""
    assert json.loads(daifa("audit", "--json", **there))["breaches"] == []

    with psycopg.connect(other_database) as server:
        server.execute("UPDATE orders_order SET open_holds = 1 WHERE number = 'W1'")
    found = subprocess.run(
        [sys.executable, "-m", "daifa.cli.main", "audit", "--json"], capture_output=True, text=True,
        env=os.environ | {"DATABASE_URL": other_database, "DAIFA_HOME": str(tmp_path / "there")},
    )  # fmt: skip
    assert found.returncode == 1
    assert "open_holds" in {breach["code"] for breach in json.loads(found.stdout)["breaches"]}
