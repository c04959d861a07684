"""Pages of a long list by key: "the fifty after this row", never "rows 5,000 to 5,050".

A page far down costs what the first one costs, and rows that arrive meanwhile shift nothing. The order must end in a
unique column and hold no NULLs (wrap those in COALESCE).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


def value_of(row: Any, path: str) -> Any:
    """The value at `path` ("order__number") of a mapping or an object; None where a step is missing."""
    for step in path.split("__"):
        if row is None:
            return None
        row = row.get(step) if isinstance(row, Mapping) else getattr(row, step, None)
    return row


def _pack(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"t": value.isoformat()}
    if isinstance(value, date):
        return {"d": value.isoformat()}
    if isinstance(value, Decimal):
        return {"n": str(value)}
    if isinstance(value, UUID):
        return {"u": str(value)}
    if value is None or isinstance(value, (str, int, bool)):
        return value
    raise TypeError(f"A {type(value).__name__} cannot be part of a page's key.")


def _unpack(value: Any) -> Any:
    if isinstance(value, dict):
        [(kind, text)] = value.items()
        return {"t": datetime.fromisoformat, "d": date.fromisoformat, "n": Decimal, "u": UUID}[kind](text)
    if isinstance(value, (str, int)):
        return value
    raise ValueError(value)


@dataclass(frozen=True)
class Cursor:
    """A place in a list: `order` as Django writes it (("-placed_at", "-id")), and the key of the row beside it.

    `key` None means the beginning (or, with `back`, the end). `back` reads the rows *before* the key; they come
    back in the list's own order all the same.
    """

    order: tuple[str, ...]
    key: tuple[Any, ...] | None = None
    back: bool = False

    # --- to and from an address -------------------------------------------------------------------------------

    @classmethod
    def read(cls, order: Sequence[str], *, after: str | None = None, before: str | None = None) -> Cursor:
        """The cursor named by an address; a token nobody can read (edited, or of another order) means the beginning."""
        cursor = cls(tuple(order))
        token = after or before
        if not token:
            return cursor
        try:
            raw = json.loads(base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4)))
            key = tuple(_unpack(part) for part in raw)
        except (ValueError, KeyError, TypeError, ArithmeticError, binascii.Error):
            return cursor
        if len(key) != len(order):
            return cursor
        return replace(cursor, key=key, back=not after)

    def token(self, row: Any) -> str:
        """The key of `row` as a short word for an address."""
        key = [_pack(value_of(row, name.lstrip("-"))) for name in self.order]
        return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")

    # --- reading rows -----------------------------------------------------------------------------------------

    def _directions(self) -> list[tuple[str, bool]]:
        """(column, descending as it must be read now)."""
        return [(name.lstrip("-"), name.startswith("-") != self.back) for name in self.order]

    def slice(self, queryset: Any, limit: int) -> list[Any]:
        """At most `limit` rows of a Django queryset (models or `.values()`), in the list's own order."""
        from django.db.models import F, Q
        from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

        columns = self._directions()
        if self.key is not None:
            descending = {down for _, down in columns}
            if len(columns) > 1 and len(descending) == 1:
                compare = TupleLessThan if descending == {True} else TupleGreaterThan
                queryset = queryset.filter(compare(Tuple(*(F(name) for name, _ in columns)), self.key))
            else:
                beyond = Q()
                for i, (name, down) in enumerate(columns):
                    same = {columns[j][0]: self.key[j] for j in range(i)}
                    beyond |= Q(**same, **{f"{name}__{'lt' if down else 'gt'}": self.key[i]})
                queryset = queryset.filter(beyond)
        rows = list(queryset.order_by(*(f"-{name}" if down else name for name, down in columns))[:limit])
        return rows[::-1] if self.back else rows

    def sql(self, columns: Mapping[str, str] | None = None) -> tuple[str, list[Any], str]:
        """For SQL written by hand: (condition, its parameters, ORDER BY list).

        `columns` maps the names of `order` to SQL expressions; those not named stand for themselves. With `back`
        the rows come in reverse: pass them through `forwards`.
        """
        named = [((columns or {}).get(name, name), down) for name, down in self._directions()]
        order_by = ", ".join(f"{expression}{' DESC' if down else ''}" for expression, down in named)
        if self.key is None:
            return "TRUE", [], order_by
        if len({down for _, down in named}) == 1:
            left = ", ".join(expression for expression, _ in named)
            right = ", ".join(["%s"] * len(named))
            return f"({left}) {'<' if named[0][1] else '>'} ({right})", list(self.key), order_by
        parts, parameters = [], []
        for i, (expression, down) in enumerate(named):
            same = [f"{named[j][0]} = %s" for j in range(i)]
            parts.append("(" + " AND ".join([*same, f"{expression} {'<' if down else '>'} %s"]) + ")")
            parameters += [*self.key[:i], self.key[i]]
        return "(" + " OR ".join(parts) + ")", parameters, order_by

    def forwards(self, rows: Sequence[Any]) -> list[Any]:
        """Rows read by `sql`, in the list's own order."""
        return list(rows)[::-1] if self.back else list(rows)


def count_up_to(queryset: Any, most: int = 10_000) -> tuple[int, bool]:
    """(number of rows, whether it is exact). Counts no further than `most`; beyond that the planner's estimate."""
    from django.db import connections

    counted = queryset.order_by()[: most + 1].count()
    if counted <= most:
        return counted, True
    plain = queryset.order_by().values("pk")
    sql, parameters = plain.query.sql_with_params()
    with connections[queryset.db].cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + sql, parameters)
        plan = cursor.fetchone()[0]
    if isinstance(plan, str):
        plan = json.loads(plan)
    return max(int(plan[0]["Plan"]["Plan Rows"]), most), False
