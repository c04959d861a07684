"""One word per thing: the glossary names what the code has, and nothing else."""

import re
from functools import cache

import pytest
from django.apps import apps

from tests.house import printed

GLOSSARY = (printed.ROOT / "docs/glossary.md").read_text()


def words_by_hand() -> list[tuple[str, str, str, str]]:
    """(code, English, 中文, meaning) of the tables written by hand."""
    text = printed.MARK.sub("", GLOSSARY)
    rows = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 4:
            rows.append((cells[0].strip("`"), *cells[1:]))
    return rows


@cache
def names() -> set[str]:
    return printed.names_in([p for p in (printed.ROOT / "daifa").rglob("*.py") if "tests" not in p.parts])


@pytest.mark.parametrize("row", words_by_hand(), ids=lambda row: row[0])
def test_every_code_exists_and_has_its_words(row):
    code, english, chinese, meaning = row
    assert set(code.split(".")) <= names() | {"connector"}, f"nothing in the code is called {code}"
    assert english and meaning
    assert re.search(r"[\u4e00-\u9fff]", chinese), f"{code} has no Chinese word"


def test_no_code_stands_twice():
    codes = [row[0] for row in words_by_hand()]
    assert len(codes) > 60
    assert sorted(codes) == sorted(set(codes))


def test_every_model_stands_in_the_glossary():
    known = {row[0] for row in words_by_hand()}
    ours = {
        model.__name__
        for config in apps.get_app_configs()
        if config.name.startswith("daifa.domain.")
        for model in config.get_models()
        if "pgh_id" not in {field.name for field in model._meta.get_fields()}  # rows of the history of edits
    }
    assert len(ours) > 40
    assert ours <= known, f"add to docs/glossary.md: {sorted(ours - known)}"


def test_states_reasons_and_kinds_are_listed():
    from daifa.domain.messages.process import KINDS
    from daifa.domain.orders.models import STATUSES
    from daifa.domain.orders.process import HOLDS
    from daifa.flows.reads.today import TASKS

    states = (printed.ROOT / "docs/processes.md").read_text()
    for process, _path in printed.processes():
        for state, (english, chinese) in process.words.items():
            assert f"| `{state}` | {english} | {chinese} |" in states
    for status, _word in STATUSES:
        assert f"| `{status}` |" in states
    for code in [*HOLDS, *KINDS, *TASKS]:
        assert f"| `{code}` |" in GLOSSARY, f"{code} is not listed: python -m tests.house.printed"


def test_the_words_of_states_are_in_both_languages():
    for process, _path in printed.processes():
        for state, (english, chinese) in process.words.items():
            assert english and re.search(r"[\u4e00-\u9fff]", chinese), f"{process.name}: {state}"
