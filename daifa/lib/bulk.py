"""The one writer of many rows: ids from the sequence in one call, rows as tuples, COPY (INSERT for a few).

COPY is all or nothing and knows no ON CONFLICT: ask first which keys exist. Values go through psycopg's adaptation;
columns left out take their database default. Errors arrive as Django's, with the driver's as their cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from json import loads
from typing import Any, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import JSONField, Model
from psycopg import Cursor, _queries
from psycopg.types.json import Jsonb

from daifa.lib.sentence_field import LongSentenceField, SentenceField
from daifa.lib.sentences import told

Row = Sequence[Any]
M = TypeVar("M", bound=Model)
PREPARED = 1000  # the loop has some 200 statements; psycopg forgets beyond 100 unless told otherwise
# The driver keeps its reading of 128 statements and reads the others anew at each call; the loop has more than that.
_queries._query2pg = lru_cache(PREPARED)(_queries._query2pg_nocache)
FEW = 4  # up to here an INSERT is as cheap as a COPY
MANY = 1000
FEW_VALUES = 50  # the driver keeps the reading of statements with at most so many


def cursor() -> Any:
    """A server-binding psycopg cursor on Django's connection, inside its transaction. Use as a context manager.

    Django's own cursors bind on the client and cannot prepare; jsonb arrives as text on both, and errors as the
    driver's own.
    """
    return _cursor(connections[DEFAULT_DB_ALIAS])


def _cursor(connection: Any) -> Cursor[Any]:
    if connection.connection is None:
        connection.ensure_connection()
    raw = connection.connection
    if raw.prepare_threshold is None and not connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
        # Django switches preparing off for the connection; behind PgBouncer in transaction mode it has to stay off.
        raw.prepare_threshold = 5
        raw.prepared_max = PREPARED
    return Cursor(raw)


def _run(query: str, params: Any) -> Cursor[Any]:
    """The cursor after a prepared statement. Errors arrive as Django's, with the driver's as their cause."""
    connection = connections[DEFAULT_DB_ALIAS]
    c = _kept_cursor(connection)
    try:
        c.execute(query, params, prepare=True)
    except psycopg.Error:
        with connection.wrap_database_errors:
            raise
    if c.rowcount > MANY:  # its result would stay in memory with the cursor
        connection.bulk_cursor = None
    return c


def _kept_cursor(connection: Any) -> Cursor[Any]:
    """One cursor a connection serves all statements whose rows are fetched at once: making one costs a tenth of a statement."""
    kept: Cursor[Any] | None = getattr(connection, "bulk_cursor", None)
    if kept is None or kept.connection is not connection.connection or kept.closed:
        kept = connection.bulk_cursor = _cursor(connection)
    return kept


def next_ids(table: str, count: int) -> list[int]:
    """Reserve `count` ids of `table`'s `id` sequence."""
    if count == 0:
        return []
    c = _run("SELECT nextval(%s::regclass) FROM generate_series(1, %s)", (f"{table}_id_seq", count))
    return [row[0] for row in c.fetchall()]


def copy_rows(table: str, columns: Sequence[str], rows: Iterable[Row]) -> int:
    """Write `rows` into `table`; returns how many. All or nothing."""
    rows = rows if isinstance(rows, list) else list(rows)
    if not rows:
        return 0
    if len(rows) <= FEW and len(rows) * len(columns) <= FEW_VALUES:
        _run(_insert(table, tuple(columns), len(rows)), [value for row in rows for value in row])
        return len(rows)
    connection = connections[DEFAULT_DB_ALIAS]
    with connection.wrap_database_errors, _cursor(connection) as c, c.copy(_copy(table, tuple(columns))) as copy:
        for row in rows:
            copy.write_row(row)
    return len(rows)


def write_rows(table: str, columns: Sequence[str], rows: Sequence[Row]) -> list[int]:
    """As `copy_rows`, for a table that numbers its rows itself; returns their ids in order."""
    if 0 < len(rows) <= FEW and len(rows) * len(columns) <= FEW_VALUES:
        query = f"{_insert(table, tuple(columns), len(rows))} RETURNING id"
        return [row[0] for row in _run(query, [value for row in rows for value in row]).fetchall()]
    ids = next_ids(table, len(rows))
    copy_rows(table, ("id", *columns), [(one, *row) for one, row in zip(ids, rows, strict=True)])
    return ids


@cache
def _insert(table: str, columns: tuple[str, ...], rows: int) -> str:
    one = f"({', '.join(['%s'] * len(columns))})"
    return f"INSERT INTO {_names([table])} ({_names(columns)}) VALUES {', '.join([one] * rows)}"


@cache
def _copy(table: str, columns: tuple[str, ...]) -> str:
    return f"COPY {_names([table])} ({_names(columns)}) FROM STDIN"


def _names(names: Sequence[str]) -> str:
    """Tables and columns, written in the code, as identifiers; a name cannot end its quotes."""
    return ", ".join('"' + name.replace('"', '""') + '"' for name in names)


def fetch(query: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
    """Rows of a prepared raw query."""
    return _run(query, _quick(params)).fetchall()


def fetch_dicts(query: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[dict[str, Any]]:
    """As `fetch`, rows as {column: value}."""
    c = _run(query, _quick(params))
    names = [column.name for column in c.description or ()]
    return [dict(zip(names, row, strict=True)) for row in c.fetchall()]


def instances(model: type[M], where: str, params: Sequence[Any] | dict[str, Any] = ()) -> list[M]:
    """Rows of a model under a written-out condition, by a prepared statement: a third of what the ORM's query costs."""
    names, _ = _columns(model)
    return _instances(model, f'SELECT {names} FROM "{model._meta.db_table}" WHERE {where}', _quick(params))


def insert(model: type[M], values: dict[str, Any]) -> M:
    """Write one row of a model, {column: value}, and return it with what the database filled in."""
    names, _ = _columns(model)
    columns = tuple(values)
    return _instances(model, f"{_insert(model._meta.db_table, columns, 1)} RETURNING {names}", list(values.values()))[0]


def _instances(model: type[M], query: str, params: Any) -> list[M]:
    _, read_at = _columns(model)
    rows = _run(query, params).fetchall()
    for at, read in read_at:
        rows = [(*row[:at], row[at] and read(row[at]), *row[at + 1 :]) for row in rows]
    fields = [field.attname for field in model._meta.concrete_fields]
    return [model.from_db(DEFAULT_DB_ALIAS, fields, row) for row in rows]


@cache
def _columns(model: type[Model]) -> tuple[str, list[tuple[int, Callable[[str], Any]]]]:
    """The columns of a model as written in a query, and how to read what arrives as text and is none: (place, reader)."""
    fields = model._meta.concrete_fields
    read_at: list[tuple[int, Callable[[str], Any]]] = [
        (place, loads if isinstance(field, JSONField) else told)
        for place, field in enumerate(fields)
        if isinstance(field, (JSONField, SentenceField, LongSentenceField))
    ]
    return _names([field.column for field in fields]), read_at


def execute(query: str, params: Sequence[Any] | dict[str, Any] = ()) -> int:
    """Run a prepared raw statement; returns the row count."""
    return _run(query, _quick(params)).rowcount


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
