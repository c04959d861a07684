"""The worked tables of docs/rules: the pages that explain a rule are run by its tests."""

import re
from pathlib import Path
from typing import NamedTuple

RULES = Path(__file__).parents[1] / "docs" / "rules"


class Story(NamedTuple):
    """One heading under "Worked tables": its prose, and its tables by the first cell of their heads (rows as dicts)."""

    title: str
    prose: str
    tables: dict[str, list[dict[str, str]]]

    def said(self, pattern: str, default: str) -> str:
        """The first group of `pattern` in the prose, or the default."""
        found = re.search(pattern, self.prose)
        return found[1] if found else default


def stories(page: str) -> list[Story]:
    """The stories of docs/rules/<page>."""
    text = (RULES / page).read_text(encoding="utf-8").split("## Worked tables")[1]
    return [_story(part) for part in re.split(r"^### ", text, flags=re.M)[1:]]


def _story(part: str) -> Story:
    title, body = part.split("\n", 1)
    tables: dict[str, list[dict[str, str]]] = {}
    head: list[str] = []
    prose = []
    for line in body.splitlines():
        if not line.startswith("|"):
            head = []
            prose.append(line)
            continue
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        if not head:
            head = cells
            tables.setdefault(head[0], [])
        elif not set(line) <= set("|-: "):
            assert len(cells) == len(head), f"{title}: {line}"
            tables[head[0]].append(dict(zip(head, cells, strict=True)))
    return Story(title.strip(), "\n".join(prose), tables)
