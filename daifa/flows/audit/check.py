"""What a check is, and the rows that break one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from daifa.lib import bulk

MOST_IDS = 1000
"""So many rows of one breach are kept; `count` says how many there are."""


class Check(NamedTuple):
    """`sql` returns (id, detail) of each row that breaks the rule; `[[column]]` stands for the scope of stores."""

    code: str
    invariant: str
    thing: str
    rule: str  # an English msgid: what should hold, said as what does not
    sql: str
    whole: bool = (
        False  # says something about the whole installation: left out when only some stores are asked for
    )


def find(check: Check, stores: Sequence[int] | None = None) -> list[tuple[int, str, int]]:
    """The rows that break one rule: (id, detail, how many there are in all), MOST_IDS at most."""
    with bulk.cursor() as cursor:
        cursor.execute(
            f"""SELECT id, detail, count(*) OVER () FROM ({_scoped(check.sql, stores)}) AS found (id, detail)
                ORDER BY id LIMIT {MOST_IDS}""",
            {"stores": list(stores or ())},
        )
        return cursor.fetchall()


def _scoped(sql: str, stores: Sequence[int] | None) -> str:
    # Every % in the checks belongs to format(); the driver wants its own kind doubled.
    parts = sql.replace("%", "%%").split("[[")
    result = parts[0]
    for part in parts[1:]:
        column, _, rest = part.partition("]]")
        result += ("TRUE" if stores is None else f"{column} = ANY(%(stores)s::bigint[])") + rest
    return result
