"""Documents that cannot rot: links lead somewhere, files and functions they name are there, commands exist."""

import ast
import re
import shlex
from functools import cache
from importlib import import_module
from pathlib import Path

import click
import pytest
import typer

from daifa.cli.main import COMMANDS
from tests.house import printed
from tests.house.test_house import committed_files

ROOT = printed.ROOT
MOST_BYTES = 1_500_000


def documents() -> list[Path]:
    """Every Markdown file of the repository, committed or about to be."""
    found = [p for p in ROOT.rglob("*.md") if not {".venv", ".git", "node_modules"} & set(p.relative_to(ROOT).parts)]
    return sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(ROOT).parts))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def without_code(text: str) -> str:
    return re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.S | re.M)


# --- Links ------------------------------------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as the usual renderers make them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *$", without_code(path.read_text()), re.M):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 1
        while anchor in found:
            anchor, number = f"{anchor}-{number}", number + 1
        found.add(anchor)
    return found


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_every_link_leads_somewhere(path):
    broken = []
    for target in re.findall(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)", without_code(path.read_text())):
        if re.match(r"[a-z]+:", target):
            continue  # another host; nothing here asks the network
        file, _, anchor = target.partition("#")
        to = (path.parent / file).resolve() if file else path
        if not to.exists():
            broken.append(f"{target}: no such file")
        elif anchor and to.suffix == ".md" and anchor not in anchors(to):
            broken.append(f"{target}: no such heading")
    assert not broken, "\n".join(broken)


def test_documents_named_in_the_code_are_there():
    broken = []
    for path in committed_files():
        if path.suffix == ".py" and "vendor" not in path.parts:
            named = set(re.findall(r"\bdocs/[\w./-]+\.(?:md|json)", path.read_text()))
            broken += [f"{name_of(path)} names {one}" for one in named if not (ROOT / one).exists()]
    assert not broken, "\n".join(broken)


def test_every_document_is_on_the_map():
    """By itself, or by its folder."""
    index = ROOT / "docs/index.md"
    linked = {(index.parent / to).resolve() for to in re.findall(r"\]\(([^)#\s:]+)", index.read_text())}
    missing = [
        name_of(path)
        for path in documents()
        if ROOT / "docs" in path.parents and path != index and not linked & {path, path.parent}
    ]
    assert not missing, f"docs/index.md does not lead to {missing}"


# --- Files and functions ----------------------------------------------------------------------------------------


@cache
def all_files() -> tuple[str, ...]:
    """Every file and folder of the sources, as /path/from/the/root (folders end in a slash)."""
    found = set()
    for top in ("daifa", "tests", "docs", "bench", ".ci"):
        for path in (ROOT / top).rglob("*"):
            if "__pycache__" not in path.parts:
                found.add("/" + name_of(path) + ("/" if path.is_dir() else ""))
        found.add(f"/{top}/")
    found |= {"/" + name_of(path) for path in ROOT.iterdir() if path.is_file()}
    return tuple(found)


@cache
def definitions(path: Path) -> set[str]:
    """Functions, classes, methods and module-level names of a Python file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    found.add(target.id)
    return found


@cache
def modules() -> dict[str, list[Path]]:
    """`intake` and `orders.commands` → the files that may be meant."""
    found: dict[str, list[Path]] = {}
    for top in ("daifa", "tests", "bench"):
        for path in (ROOT / top).rglob("*.py"):
            parts = list(path.relative_to(ROOT).with_suffix("").parts)
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            for start in range(len(parts)):
                found.setdefault(".".join(parts[start:]), []).append(path)
    return found


@cache
def names() -> set[str]:
    return printed.names_in([p for p in (ROOT / "daifa").rglob("*.py") if "migrations" not in p.parts])


PATH = re.compile(r"[\w.*<>-]*/[\w./*<>-]*|[\w-]+\.(?:py|md|toml|html|css|js)")
WITH_NAMES = re.compile(r"([\w./<>-]+\.py): ([\w, ()]+)")
OWN = ("daifa/", "tests/", "docs/", "bench/")


def missing_path(path: str) -> str:
    if "<" in path or "*" in path:
        return ""
    if (found := re.fullmatch(r"(.+/\w+)\.(?!py$)(\w+)", path)) and (ROOT / f"{found[1]}.py").is_file():  # path/module.function
        return "" if found[2] in definitions(ROOT / f"{found[1]}.py") else f"{found[1]}.py has no {found[2]}"
    ending = "/" + path.lstrip("/")
    ending = ending.removesuffix("/")
    return "" if any(f.removesuffix("/").endswith(ending) for f in all_files()) else f"there is no {path}"


def missing_names_of(file: str, names_: str) -> list[str]:
    """What is not there of `path.py: function, function`."""
    if problem := missing_path(file):
        return [problem]
    wanted = [one.partition("(")[0].strip() for one in names_.split(", ")] if "<" not in file else []
    meant = [ROOT / f.lstrip("/") for f in all_files() if f.endswith("/" + file)]
    return [f"{file} has no {one}" for one in wanted if not any(one in definitions(p) for p in meant)]


def missing_name(text: str) -> str:
    """Of `name`, `name(…)`, `module.name`: "" where the code has it."""
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\(.*\))?", text):
        return ""
    called, is_call = text.partition("(")[0], "(" in text
    module, _, name = called.rpartition(".")
    if module in modules():
        meant = modules()[module]
        return "" if any(name in definitions(path) for path in meant) or called in modules() else f"{module} has no {name}"
    if is_call and not module:
        return "" if any(name in definitions(p) for paths in modules().values() for p in paths) else f"nobody defines {name}"
    return "" if set(called.split(".")) <= names() | set(modules()) else f"nothing is called {called}"


def quoted(text: str) -> list[str]:
    return [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", without_code(text))]


@pytest.mark.parametrize("path", sorted((ROOT / "docs/walks").glob("*.md")), ids=name_of)
def test_files_and_functions_of_a_walk_exist(path):
    broken = []
    for text in quoted(path.read_text()):
        if re.match(r"(daifa|make|python|pip|DAIFA_\w+=\S*) ", text) or text == "daifa":
            continue  # a command: checked below
        if found := WITH_NAMES.fullmatch(text):
            broken += missing_names_of(found[1], found[2])
        elif PATH.fullmatch(text):
            broken += filter(None, [missing_path(text)])
        else:
            broken += filter(None, [missing_name(text)])
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_our_own_files_named_in_documents_exist(path):
    broken = []
    for text in quoted(path.read_text()):
        file = text.partition(":")[0]
        if found := WITH_NAMES.fullmatch(text):
            broken += missing_names_of(found[1], found[2])
        elif file.startswith(OWN) and PATH.fullmatch(file):
            broken += filter(None, [missing_path(file)])
        elif re.fullmatch(r"(daifa|tests|bench)(\.\w+)+", text):
            head, _, last = text.rpartition(".")
            if text not in modules() and not any(last in definitions(p) for p in modules().get(head, ())):
                broken.append(f"there is no {text}")
    assert not broken, "\n".join(broken)


# --- Commands ---------------------------------------------------------------------------------------------------


@cache
def command(name: str) -> click.Command:
    module, attribute = COMMANDS[name].target.split(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        group = typer.Typer()
        group.command(name)(found)
        found = group
    return typer.main.get_command(found)


# Sentences and words that only begin like a command.
NO_COMMANDS = {"daifa is already running on …", "daifa sample shop 1"}


def command_lines(text: str) -> list[list[str]]:
    """The `daifa …` commands of a document, from its code blocks and between backticks."""
    lines = []
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.S | re.M):
        lines += block.replace("\\\n", " ").splitlines()
    lines += quoted(text)
    found = []
    for line in set(lines) - NO_COMMANDS:
        line = re.sub(r"^\s*(\$ |[\d*/]+ [\d*]+ \S+ \S+ \S+ +)", "", line)  # a prompt, the times of cron
        line = re.split(r"\s#|\||>|&&|;", line)[0].strip()
        line = re.sub(r"^([A-Z_]+=\S* )+", "", line)
        if re.match(r"(\.venv/bin/)?daifa [a-z]", line):
            try:
                words = shlex.split(line)
            except ValueError:
                words = line.split()
            found.append([word.strip("[]") for word in words[1:]])
    return found


def options_of(found) -> set[str]:
    return {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}


def wrong_command(words: list[str]) -> str:
    shown = "daifa " + " ".join(words)
    if words[0] in ("…", "...") or not re.fullmatch(r"[a-z-]+", words[0]):
        return ""
    if words[0] not in COMMANDS:
        return f"{shown}: there is no command {words[0]}"
    if words[0] == "manage":
        return ""
    found, rest = command(words[0]), words[1:]
    known = options_of(found)
    groups = [found]
    for step, word in enumerate(rest[:2]):  # a group may stand in a group: `suppliers samples want`
        groups = [one for one in groups if hasattr(one, "commands")]
        if not groups or not re.fullmatch(r"[a-z|-]+", word) or word.startswith("-"):
            break
        below = []
        for sub in word.split("|"):
            if sub not in groups[0].commands:
                return f"{shown}: {' '.join(words[: step + 1])} has no {sub}"
            below.append(groups[0].commands[sub])
            known |= options_of(below[-1])
        groups = below
    for word in rest:
        if word.startswith("--") and (option := re.match(r"--[\w-]+", word)) and option[0] not in known | {"--help"}:
            return f"{shown}: there is no option {option[0]}"
    return ""


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_commands_in_documents_exist(path):
    wrong = [problem for words in command_lines(path.read_text()) if (problem := wrong_command(words))]
    assert not wrong, "\n".join(wrong)


def test_a_wrong_command_is_noticed():
    text = "```\n$ daifa import order x.csv --store gift  # orders\n15 3 * * *  daifa backup FILE --jsn\n```\nand `daifa nowhere`"
    assert [bool(wrong_command(words)) for words in command_lines(text)] == [True, True, True]
    assert wrong_command(["import", "orders", "x.csv", "--store", "gift"]) == ""


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_make_targets_in_documents_exist(path):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    text = path.read_text()
    named = set(re.findall(r"`make ([a-z-]+)", text)) | set(re.findall(r"^make ([a-z-]+)", text, re.M))
    assert named <= targets


# --- Floors -----------------------------------------------------------------------------------------------------


def test_decisions_are_numbered_one_after_the_other():
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs/decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
    for path in (ROOT / "docs/decisions").glob("*.md"):
        text = path.read_text()
        assert text.startswith(f"# {int(path.name[:4])} "), f"{path.name}: its heading names another number"
        assert re.search(r"^\*\d{4}-\d\d-\d\d\*$", text, re.M), f"{path.name} has no date"


def test_no_committed_file_is_heavy():
    heavy = [f"{name_of(p)}: {p.stat().st_size}" for p in committed_files() if p.stat().st_size > MOST_BYTES]
    assert not heavy


def _undocumented(path: Path) -> list[str]:
    return [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]


def test_every_command_says_what_it_does():
    files = sorted((ROOT / "daifa/domain").glob("*/commands.py"))
    assert len(files) > 8
    assert [one for path in files for one in _undocumented(path)] == []


def test_every_module_says_what_it_is_for():
    silent = []
    for path in committed_files():
        inside = path.relative_to(ROOT).parts
        if path.suffix != ".py" or inside[0] != "daifa" or {"migrations", "tests"} & set(inside):
            continue
        text = path.read_text()
        # Models, processes and app declarations speak through their classes.
        if text.strip() and path.name not in ("models.py", "process.py", "apps.py") and not ast.get_docstring(ast.parse(text)):
            silent.append(name_of(path))
    assert silent == []
