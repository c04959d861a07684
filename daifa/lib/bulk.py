"""The one writer of many rows: ids from the sequence in one call, rows as tuples, COPY (INSERT for a few).

COPY is all or nothing and knows no ON CONFLICT: ask first which keys exist. Values go through psycopg's adaptation;
columns left out take their database default. Errors arrive as Django's, with the driver's as their cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from psycopg import Cursor, sql
from psycopg.types.json import Jsonb

Row = Sequence[Any]
PREPARED = 1000  # the loop has some 200 statements; psycopg forgets beyond 100 unless told otherwise
FEW = 4  # up to here an INSERT is as cheap as a COPY


def cursor() -> Any:
    """A server-binding psycopg cursor on Django's connection, inside its transaction. Use as a context manager.

    Django's own cursors bind on the client and cannot prepare; jsonb arrives as text on both, and errors as the
    driver's own.
    """
    connection.ensure_connection()
    raw = connection.connection
    if raw.prepare_threshold is None and not connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
        # Django switches preparing off for the connection; behind PgBouncer in transaction mode it has to stay off.
        raw.prepare_threshold = 5
        raw.prepared_max = PREPARED
    return Cursor(raw)


def next_ids(table: str, count: int) -> list[int]:
    """Reserve `count` ids of `table`'s `id` sequence."""
    if count == 0:
        return []
    with connection.wrap_database_errors, cursor() as c:
        c.execute(
            "SELECT nextval(%s::regclass) FROM generate_series(1, %s)", (f"{table}_id_seq", count), prepare=True
        )
        return [row[0] for row in c.fetchall()]


def copy_rows(table: str, columns: Sequence[str], rows: Iterable[Row]) -> int:
    """Write `rows` into `table`; returns how many. All or nothing."""
    rows = rows if isinstance(rows, list) else list(rows)
    if not rows:
        return 0
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    with connection.wrap_database_errors, cursor() as c:
        if len(rows) <= FEW:
            one = sql.SQL("(") + sql.SQL(", ").join(sql.Placeholder() * len(columns)) + sql.SQL(")")
            statement = sql.SQL("INSERT INTO {} ({}) VALUES ").format(sql.Identifier(table), names)
            statement += sql.SQL(", ").join([one] * len(rows))
            c.execute(statement, [value for row in rows for value in row], prepare=True)
        else:
            with c.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)) as copy:
                for row in rows:
                    copy.write_row(row)
    return len(rows)


def fetch(query: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
    """Rows of a prepared raw query."""
    with connection.wrap_database_errors, cursor() as c:
        c.execute(query, _quick(params), prepare=True)
        return c.fetchall()


def fetch_dicts(query: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[dict[str, Any]]:
    """As `fetch`, rows as {column: value}."""
    with cursor() as c:
        c.execute(query, params, prepare=True)
        names = [column.name for column in c.description or ()]
        return [dict(zip(names, row, strict=True)) for row in c.fetchall()]


def execute(query: str, params: Sequence[Any] | dict[str, Any] = ()) -> int:
    """Run a prepared raw statement; returns the row count."""
    with connection.wrap_database_errors, cursor() as c:
        c.execute(query, _quick(params), prepare=True)
        return c.rowcount


def _quick(params: Sequence[Any] | dict[str, Any]) -> Sequence[Any] | dict[str, Any]:
    """Lists of whole numbers as array texts: a tenth of the driver's cost, and one prepared plan instead of one for
    each width of number. Statements say which array it is (`%s::bigint[]`)."""
    if isinstance(params, dict):
        return {name: _array(value) if type(value) is list else value for name, value in params.items()}
    return [_array(value) if type(value) is list else value for value in params]


def _array(values: list[Any]) -> Any:
    if not values:
        return "{}"
    if type(values[0]) is int and all(type(value) is int for value in values):
        return "{" + ",".join(map(str, values)) + "}"
    return values


def json(value: Any) -> Jsonb:
    """A value for a jsonb column."""
    return Jsonb(value)
