"""The parts of the documents that are printed from the code: `python -m tests.house.printed` writes them anew.

A printed part stands between `<!-- printed: NAME -->` and `<!-- end -->`; what is around it is written by hand.
`tests/house/test_printed.py` compares.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCS = ("docs/processes.md", "docs/reactions.md", "docs/glossary.md", "docs/rules/privacy-map.md", "docs/refusals.md")
MARK = re.compile(r"(<!-- printed: ([\w-]+) -->\n).*?(<!-- end -->)", re.S)


def table(headings: list[str], rows: list[tuple]) -> str:
    """A Markdown table; empty cells stay empty."""
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    for row in rows:
        cells = (str(cell).replace("|", "\\|").replace("\n", " ") for cell in row)
        lines.append("|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|")
    return "\n".join(lines) + "\n"


def first_sentence(text: str | None) -> str:
    """Of a docstring, without the line breaks inside it; no full stop at its end."""
    paragraph = " ".join((text or "").split("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) (?=[A-Z`])", paragraph)[0].rstrip(".")


@cache
def chinese() -> dict[str, str]:
    """English msgid → Chinese, as the catalogue has it."""
    from daifa.lib import strings

    return {
        message.id: message.string for message in strings.read() if isinstance(message.id, str) and message.string
    }


def in_both(code: str, word: object) -> tuple[str, str]:
    """A word of a closed list in English and Chinese: as the console's badges have it, else as it is translated."""
    from daifa.web.kit.states import STATES

    return str(word), chinese().get(str(word)) or STATES["*"].get(code, ("", "", ""))[2]


# --- Processes --------------------------------------------------------------------------------------------------


def processes() -> list:
    """Every `Process` of the subjects, in the order of the loop (by kind)."""
    from daifa.lib.process import Process

    found = {}
    for path in sorted((ROOT / "daifa/domain").glob("*/process.py")):
        module = import_module(f"daifa.domain.{path.parent.name}.process")
        for value in vars(module).values():
            if isinstance(value, Process):
                found[value.kind] = (value, path.relative_to(ROOT).as_posix())
    return [found[kind] for kind in sorted(found)]


def print_processes() -> str:
    from django.apps import apps

    models = {model._meta.db_table: model for model in apps.get_models()}
    parts = []
    for process, path in processes():
        model = models[process.table_name]
        about = first_sentence(model.__doc__)
        parts.append(f"## {process.name.replace('_', ' ').capitalize()}\n\n`{model.__name__}`: {about}. `{path}`, kind {process.kind}.\n")
        lines = ["```mermaid", "stateDiagram-v2"]
        lines += [f"    [*] --> {state}" for state in process.starts]
        lines += [f"    {state} --> {to}" for state, followers in process.table.items() for to in followers]
        lines += [f"    {state} --> [*]" for state in process.table if process.is_final(state)]
        parts.append("\n".join([*lines, "```\n"]))
        parts.append(table(
            ["state", "English", "中文", "may become"],
            [
                (f"`{state}`", *process.words[state], ", ".join(f"`{to}`" for to in followers) or "*the end*")
                for state, followers in process.table.items()
            ],
        ))  # fmt: skip
    return "\n".join(parts)


def print_statuses() -> str:
    """The rules by which the database derives an order's status: the first that holds counts."""
    from daifa.domain.orders.models import STATUSES, Order

    cases = Order._meta.get_field("status").expression
    rules: dict[str, list[str]] = {}
    for case in cases.cases:
        rules.setdefault(case.result.value, []).append(" and ".join(_condition(*part) for part in case.condition.children))
    rules.setdefault(cases.default.value, []).append("otherwise")
    words = dict(STATUSES)
    return table(
        ["status", "English", "中文", "when"],
        [(f"`{code}`", *in_both(code, words[code]), ", or ".join(when)) for code, when in rules.items()],
    )


def _condition(lookup: str, value: object) -> str:
    name, _, how = lookup.partition("__")
    sign = {"gte": "≥", "gt": ">", "lte": "≤", "lt": "<", "": "="}[how]
    shown = re.sub(r"F\((\w+)\)", r"\1", str(value)).replace(" - ", " − ")
    return f"`{name}`" if value is True else f"{name} {sign} {shown}"


# --- Reactions --------------------------------------------------------------------------------------------------


def print_reactions() -> str:
    from daifa.flows.reactions import REACTIONS

    comments = _comments_over_facts()
    recorded = _recorded_in()
    rows = []
    for fact, reactions in REACTIONS.items():
        for number, reaction in enumerate(reactions):
            module = reaction.target.partition(":")[0]
            rows.append((
                f"`{fact}`" if number == 0 else "",
                comments.get(fact, "") if number == 0 else "",
                ", ".join(f"`{path}`" for path in recorded.get(fact, ())) if number == 0 else "",
                f"`{module}.{reaction.name}`", reaction.kind, first_sentence(reaction.load().__doc__),
            ))  # fmt: skip
    return table(["fact", "that is", "recorded in", "what follows", "kind", "in words"], rows)


def _comments_over_facts() -> dict[str, str]:
    """The comment that stands over a fact in the dictionary."""
    text = (ROOT / "daifa/flows/reactions.py").read_text()
    return {fact: words for words, fact in re.findall(r'^ +# (.+)\n +"(\w+)": \[', text, re.M)}


def _recorded_in() -> dict[str, list[str]]:
    """Fact → the files in which it is recorded."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "daifa").rglob("*.py")):
        if "tests" in path.parts or "migrations" in path.parts:
            continue
        for fact in re.findall(r'record_facts\(\s*"(\w+)"', path.read_text()):
            found.setdefault(fact, set()).add(path.relative_to(ROOT / "daifa").as_posix())
    return {fact: sorted(paths) for fact, paths in found.items()}


# --- Glossary ---------------------------------------------------------------------------------------------------


def print_holds() -> str:
    from daifa.domain.orders.process import HOLDS

    return table(["code", "English", "中文"], [(f"`{code}`", *words) for code, words in HOLDS.items()])


def print_messages() -> str:
    from daifa.domain.messages.process import KINDS

    return table(["code", "English", "中文"], [(f"`{code}`", *words) for code, words in KINDS.items()])


class _Several(int):
    """More than one, shown as dots."""

    def __str__(self) -> str:
        return "…"


class _Dots(dict):
    def __missing__(self, key: str) -> Any:
        return _Several(2) if key == "count" else "…"


def _of_many(sentence: Any, language: str) -> str:
    """What counts something, as it is said of several."""
    from django.utils import translation

    with translation.override(language):
        return str(sentence % _Dots())


def print_tasks() -> str:
    from daifa.flows.reads.today import TASKS

    rows = []
    for code, (sentence, _advice) in TASKS.items():
        said = (sentence, chinese().get(sentence, "")) if isinstance(sentence, str) else (_of_many(sentence, "en"), _of_many(sentence, "zh-hans"))
        rows.append((f"`{code}`", *(re.sub(r"%\((\w+)\)s", "…", words) for words in said)))
    return table(["code", "English", "中文"], rows)


def print_choices() -> str:
    """Small closed lists of a model's column: roles, kinds, states that are no process."""
    from django.apps import apps

    rows = []
    for label, column in (
        ("stores.Store", "kind"), ("stores.StoreAccess", "role"), ("sourcing.Supplier", "kind"),
        ("sourcing.Supplier", "delivery"), ("sourcing.Supplier", "state"), ("sourcing.SupplierOffer", "state"),
        ("sourcing.SkuMapping", "state"), ("orders.OrderLine", "kind"), ("imports.ImportFile", "kind"),
        ("books.Account", "kind"), ("books.Expense", "kind"), ("history.PendingReaction", "state"),
        ("aftersales.AftersaleCase", "kind"),
    ):  # fmt: skip
        model = apps.get_model(label)
        for code, word in model._meta.get_field(column).choices:
            rows.append((f"`{model.__name__}.{column}`", f"`{code}`", *in_both(code, word)))
    shown, last = [], ""
    for where, *rest in rows:
        shown.append((where if where != last else "", *rest))
        last = where
    return table(["column", "code", "English", "中文"], shown)


# --- Refusals ---------------------------------------------------------------------------------------------------


def print_refusals() -> str:
    from daifa.domain.policy.refusals import REFUSALS

    rows = []
    for one in REFUSALS:
        both = (f"{words.en}<br>{words.zh}" for words in (one.asked, one.why_not, one.instead))
        rows.append((f"`{one.code}`", *both, ", ".join(f"`{rule}`" for rule in one.rests_on), ", ".join(f"`{place}`" for place in one.places)))
    return table(["code", "asked for", "why not", "what daifa does instead", "rests on", "refused in"], rows)


# --- Writing ----------------------------------------------------------------------------------------------------

def _privacy(part: str) -> Callable[[], str]:
    return lambda: getattr(import_module("tests.house.privacy_map"), f"print_{part}")()


PARTS: dict[str, Callable[[], str]] = {
    "privacy-classes": _privacy("classes"),
    "privacy-columns": _privacy("columns"),
    "privacy-folders": _privacy("folders"),
    "processes": print_processes,
    "statuses": print_statuses,
    "reactions": print_reactions,
    "holds": print_holds,
    "messages": print_messages,
    "tasks": print_tasks,
    "choices": print_choices,
    "refusals": print_refusals,
}


def renewed(text: str) -> str:
    """A document with its printed parts as the code says now."""
    return MARK.sub(lambda mark: f"{mark[1]}\n{PARTS[mark[2]]()}\n{mark[3]}", text)


def names_in(paths: list[Path]) -> set[str]:
    """Every name in these Python files: defined, used, an argument, a column, or a word of a string."""
    found: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.arg | ast.keyword) and node.arg:
                found.add(node.arg)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 2000:
                found.update(re.findall(r"[A-Za-z_]\w*", node.value))
    return found


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "daifa.config.settings")
    import django

    django.setup()
    for name in DOCS:
        path = ROOT / name
        path.write_text(renewed(path.read_text()))


if __name__ == "__main__":
    main()
