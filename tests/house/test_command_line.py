"""`daifa` itself: quick help, modules found when called, sentences instead of tracebacks."""

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
import typer

from daifa.cli import language
from daifa.cli.main import COMMANDS, daifa
from daifa.config import database
from daifa.lib import strings
from daifa.lib.catalogues import compile_catalogues

# Words other people's scripts rely on; they may be joined by others and do not go away.
STABLE = {
    "up", "work", "replay", "stores", "suppliers", "import", "export", "orders", "purchases", "books", "audit", "backup",
    "restore",
}  # fmt: skip


def run(*words: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "daifa.cli.main", *words],
        env={**os.environ, "COLUMNS": "120", "DAIFA_LANGUAGE": "en", **environment}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_help_lists_every_command_and_imports_none_of_them():
    code = (
        "import sys; sys.argv = ['daifa', '--help']\n"
        "from daifa.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    code = end.code\n"
        "print(code, 'django' in sys.modules, 'psycopg' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True,
        env={**os.environ, "COLUMNS": "120", "DAIFA_LANGUAGE": "en"},
    )  # fmt: skip
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


def called(name: str) -> Any:
    """The command as it is called, in English."""
    module, attribute = COMMANDS[name].target.split(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, FunctionType):
        group = typer.Typer(add_completion=False)
        group.command(name, help=found.__doc__ or COMMANDS[name].help)(found)
        found = group
    return typer.main.get_command(found)


def helps(command: Any, path: str) -> Iterator[tuple[str, str]]:
    """(where, help) of a command, its options and everything below it."""
    for text in {command.help, command.short_help, *(getattr(one, "help", None) for one in command.params)} - {None, ""}:
        yield path, inspect.cleandoc(text)
    for name, inner in getattr(command, "commands", {}).items():
        yield from helps(inner, f"{path} {name}")


def test_no_help_is_missing_in_chinese():
    known = strings.read()
    wanted = [(name, entry.help) for name, entry in COMMANDS.items()]
    wanted += [found for name in COMMANDS for found in helps(called(name), name)]
    wanted += [("daifa", one) for one in (*language.OF_THE_LIBRARY, daifa.__doc__)]
    assert len(wanted) > 400
    missing = [f"{where}: {text}" for where, text in wanted if not (one := known.get(text)) or not one.string]
    assert missing == [], "python -m daifa.lib.strings check"


def test_the_page_of_words_names_what_there_is():
    """docs/cli.md names every command and every word of it, and none that is not there."""
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    named: dict[str, set[str]] = {}
    for name, inner in re.findall(r"`([a-z-]+) ([a-z|\\-]+)", page):
        named.setdefault(name, set()).update(filter(None, inner.replace("\\", "").split("|")))
    for name in COMMANDS:
        assert f"`{name}" in page, name
        inner = set(getattr(called(name), "commands", {}))
        if inner and name != "platform":  # the stand-in's words are for who has read its help
            assert named.get(name, set()) == inner, name


@pytest.mark.parametrize("name", COMMANDS)
def test_help_in_chinese_leaves_no_english_sentence(name, monkeypatch):
    compile_catalogues(language.LOCALE)
    english, chinese = dict.fromkeys(text for _where, text in helps(called(name), name)), called(name)
    language.translate(chinese, "zh-hans")
    left = {text for _where, text in helps(chinese, name)} & set(english)
    assert {text for text in left if " " in text} == set()


@pytest.mark.parametrize(
    ("environment", "heading"),
    [
        ({"DAIFA_LANGUAGE": "zh-hans"}, "用法："),
        ({"DAIFA_LANGUAGE": "", "LC_ALL": "", "LANG": "zh_CN.UTF-8"}, "用法："),
        ({"DAIFA_LANGUAGE": "en", "LANG": "zh_CN.UTF-8"}, "Usage:"),
        ({"DAIFA_LANGUAGE": "", "LC_ALL": "C.UTF-8", "LANG": "zh_CN.UTF-8"}, "Usage:"),
    ],
)
def test_help_comes_in_the_users_language(environment, heading):
    compile_catalogues(language.LOCALE)
    for words in (("--help",), ("violations", "appeal", "--help"), ("policy", "--help")):
        shown = run(*words, **environment).stdout
        assert heading in shown, words
        assert ("Show this message" in shown) == (heading == "Usage:")
    near = run("order", **environment).stderr
    assert "'orders'" in near and ("没有命令" in near) == (heading != "Usage:")


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
