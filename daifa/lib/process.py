"""A process is a table of states, checked when it is imported. No library, no callbacks: guards are asked by commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class BadProcess(Exception):
    """The table names an unknown state, or a state nobody can reach."""


@dataclass(frozen=True)
class Process:
    """`table` maps a state to the states it may move to; `starts` are those in which a row may be born.

    `kind` is the small number under which transitions of this process are stored: never reuse one.
    `table_name` is the SQL table whose `state` column holds the state.
    """

    name: str
    kind: int
    table_name: str
    table: Mapping[str, Sequence[str]]
    starts: Sequence[str]
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # state → (English, 中文)

    def __post_init__(self) -> None:
        known = set(self.table)
        for state, followers in self.table.items():
            for follower in followers:
                if follower not in known:
                    raise BadProcess(f"{self.name}: {state} leads to {follower}, which is not in the table.")
        for start in self.starts:
            if start not in known:
                raise BadProcess(f"{self.name}: it starts in {start}, which is not in the table.")
        reached = set(self.starts)
        todo = list(self.starts)
        while todo:
            for follower in self.table[todo.pop()]:
                if follower not in reached:
                    reached.add(follower)
                    todo.append(follower)
        if unreachable := known - reached:
            raise BadProcess(f"{self.name}: nobody can reach {', '.join(sorted(unreachable))}.")
        if missing := known - set(self.words):
            raise BadProcess(f"{self.name}: no words for {', '.join(sorted(missing))}.")

    def next(self, state: str) -> Sequence[str]:
        return self.table[state]

    def before(self, to: str) -> list[str]:
        """States from which `to` may be entered."""
        if to not in self.table:
            raise BadProcess(f"{self.name} has no state {to}.")
        return [state for state, followers in self.table.items() if to in followers]

    def is_final(self, state: str) -> bool:
        return not self.table[state]

    def choices(self) -> list[tuple[str, str]]:
        return [(state, self.words[state][0]) for state in self.table]
