"""`daifa` itself: quick help, modules found when called, sentences instead of tracebacks."""

import os
import subprocess
import sys
from importlib import import_module
from types import FunctionType

import pytest
import typer

from daifa.cli.main import COMMANDS
from daifa.config import database

# Words other people's scripts rely on; they may be joined by others and do not go away.
STABLE = {
    "up", "work", "replay", "stores", "suppliers", "import", "export", "orders", "purchases", "books", "audit", "backup",
    "restore",
}  # fmt: skip


def run(*words: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "daifa.cli.main", *words],
        env={**os.environ, "COLUMNS": "120", **environment}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_help_lists_every_command_and_imports_none_of_them():
    code = (
        "import sys; sys.argv = ['daifa', '--help']\n"
        "from daifa.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    code = end.code\n"
        "print(code, 'django' in sys.modules, 'psycopg' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "COLUMNS": "120"}
    )
    assert shown.stdout.splitlines()[-1] == "0 False False"
    for name, entry in COMMANDS.items():
        assert f" {name} " in shown.stdout and entry.help in shown.stdout


def test_the_stable_words_are_there():
    assert set(COMMANDS) >= STABLE


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_its_module(name):
    module, attribute = COMMANDS[name].target.split(":")
    found = getattr(import_module(module), attribute)
    assert isinstance(found, FunctionType | typer.Typer)


def test_an_unknown_command_names_near_ones():
    answer = run("order")
    assert answer.returncode == 2
    assert "No such command 'order'" in answer.stderr and "'orders'" in answer.stderr


def test_an_unreachable_database_is_one_sentence():
    answer = run("migrate", DATABASE_URL="postgresql://shop:geheim@127.0.0.1:1/books")
    assert answer.returncode == 1
    assert "does not answer" in answer.stderr
    assert "Traceback" not in answer.stderr and "geheim" not in answer.stderr


def test_a_foreign_database_without_our_tables_is_not_changed_unasked():
    with database.temporary_cluster() as cluster:
        answer = run("login-link", DATABASE_URL=cluster.url())
        assert answer.returncode == 1
        assert "run `daifa migrate`" in answer.stderr and "Traceback" not in answer.stderr
        assert run("migrate", DATABASE_URL=cluster.url()).returncode == 0
        answer = run("login-link", DATABASE_URL=cluster.url())
        assert answer.returncode == 0 and "/login/once/" in answer.stdout
        answer = run("login-link", "--user", "nobody", DATABASE_URL=cluster.url())
        assert answer.returncode == 1 and "no active user named “nobody”" in answer.stderr
