"""The index is advice: whatever places, publishes, tells or closes does not know it."""

import ast
from pathlib import Path

import daifa

ROOT = Path(daifa.__file__).parent
MAY_KNOW_IT = {
    "flows/measure_months.py",  # measures, learns, opens tasks for a person
    "flows/reads/exit_index.py",  # reads for whoever looks
    "flows/reads/closures.py",  # takes the shape of a closing as a figure
    "web/pages/exit_index.py",
    "cli/exit_index.py",
    "api/v1/exit_index.py",
}


LINES = {
    "daifa.domain.exit_index.rules.ReviewLines",
    "daifa.domain.exit_index.queries.review_lines",
    "daifa.domain.exit_index.queries.has_own_lines",
}
"""When a store counts as quiet, which a merchant sets: closings go by it too. It is no part of the index."""


def imports_it(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            names = [name for one in node.names if (name := f"{node.module}.{one.name}") not in LINES]
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        if any(name.startswith(("daifa.domain.exit_index", "daifa.flows.reads.exit_index")) for name in names):
            return True
    return False


def test_only_pages_and_measuring_know_the_index():
    found = set()
    for path in ROOT.rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith("domain/exit_index/") and "tests" not in path.parts and imports_it(path):
            found.add(name)
    assert found == MAY_KNOW_IT


def test_measuring_changes_nothing_but_its_own_rows_and_tasks():
    """It names no command of another subject but those that open and close tasks."""
    source = ast.parse((ROOT / "flows/measure_months.py").read_text(encoding="utf-8"))
    commands = {
        f"{node.module}.{one.name}"
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom)
        for one in node.names
        if ".commands" in f"{node.module}.{one.name}"
    }
    assert commands == {
        "daifa.domain.exit_index.commands", "daifa.domain.exit_index.commands.Measured",
        "daifa.domain.stores.commands.NewTask", "daifa.domain.stores.commands.close_tasks", "daifa.domain.stores.commands.open_tasks",
    }  # fmt: skip
