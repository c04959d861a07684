from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from daifa.lib.paging import Cursor, count_up_to, value_of

KEYS = st.tuples(
    st.one_of(
        st.integers(), st.text(), st.booleans(), st.uuids(), st.dates(), st.decimals(allow_nan=False),
        st.datetimes(timezones=st.just(UTC)),
    )
)  # fmt: skip


@given(KEYS)
def test_a_key_survives_the_address(key):
    row = SimpleNamespace(a=key[0])
    read = Cursor.read(("a",), after=Cursor(("a",)).token(row))
    assert read.key == key and type(read.key[0]) is type(key[0]) and not read.back


@given(st.text(max_size=60))
def test_no_token_breaks_the_page(token):
    assert Cursor.read(("a", "b", "c", "d", "e"), before=token).key is None


def test_a_token_of_another_order_is_not_used():
    token = Cursor(("a",)).token({"a": 1})
    assert Cursor.read(("a", "b"), after=token) == Cursor(("a", "b"))


def test_floats_never_enter_a_key():
    with pytest.raises(TypeError):
        Cursor(("a",)).token({"a": 0.5})


def test_values_are_found_along_a_path():
    row = SimpleNamespace(order={"number": "A1"}, nothing=None)
    assert value_of(row, "order__number") == "A1"
    assert value_of(row, "nothing__number") is None and value_of(row, "missing") is None
    assert Cursor(("order__number",)).token(row) == Cursor(("x",)).token({"x": "A1"})


ROWS = [(a, b) for a in (1, 2, 3) for b in "xyz"]


@pytest.mark.django_db
@pytest.mark.parametrize("order", [("a", "b"), ("-a", "-b"), ("-a", "b"), ("a", "-b"), ("b", "a"), ("-b", "a")])
@pytest.mark.parametrize("size", [1, 2, 4, 9])
def test_sql_reads_every_row_once_in_both_directions(order, size):
    def read(cursor):
        where, parameters, order_by = cursor.sql({"a": "t.n"})
        values = ", ".join(f"({a}, '{b}')" for a, b in ROWS)
        with connection.cursor() as database:
            database.execute(
                f"SELECT t.n, b FROM (VALUES {values}) t(n, b) WHERE {where} ORDER BY {order_by} LIMIT {size}", parameters
            )
            return [{"a": a, "b": b} for a, b in cursor.forwards(database.fetchall())]

    everything = sorted(ROWS, key=lambda row: row[1])
    for name in reversed(order):
        everything.sort(key=lambda row, i="ab".index(name[-1]): row[i], reverse=name.startswith("-"))
    forward, cursor = [], Cursor(order)
    while rows := read(cursor):
        forward += rows
        cursor = Cursor.read(order, after=cursor.token(rows[-1]))
    assert [(row["a"], row["b"]) for row in forward] == everything
    backward, cursor = [], Cursor(order, back=True)
    while rows := read(cursor):
        backward = rows + backward
        cursor = Cursor.read(order, before=cursor.token(rows[0]))
    assert backward == forward


@pytest.mark.django_db
@pytest.mark.parametrize("order", [("first_name", "id"), ("-first_name", "-id"), ("-first_name", "id")])
def test_querysets_read_every_row_once_in_both_directions(order):
    from daifa.domain.people.models import User

    User.objects.bulk_create(
        User(username=f"u{i}", first_name="abc"[i % 3], date_joined=datetime(2026, 1, 1, tzinfo=UTC)) for i in range(10)
    )
    wanted = list(User.objects.order_by(*order).values_list("username", flat=True))
    found, cursor = [], Cursor(order)
    while rows := cursor.slice(User.objects.all(), 3):
        found += [row.username for row in rows]
        cursor = Cursor.read(order, after=cursor.token(rows[-1]))
    assert found == wanted
    last = cursor.slice(User.objects.all(), 3)
    assert last == []
    back = Cursor.read(order, before=Cursor(order).token(User.objects.get(username=wanted[5])))
    assert [row.username for row in back.slice(User.objects.all(), 3)] == wanted[2:5]


@pytest.mark.django_db
def test_counting_stops_where_it_becomes_dear():
    from daifa.domain.people.models import User

    User.objects.bulk_create(
        User(username=f"u{i}", date_joined=datetime(2026, 1, 1, tzinfo=UTC)) for i in range(30)
    )
    assert count_up_to(User.objects.all(), 100) == (30, True)
    number, exact = count_up_to(User.objects.filter(username__startswith="u"), 10)
    assert number >= 10 and not exact


def test_kinds_of_values_in_a_key():
    key = (datetime(2026, 1, 2, tzinfo=UTC), date(2026, 1, 2), Decimal("1.50"), UUID(int=5), "字", 7)
    order = tuple("abcdef")
    assert Cursor.read(order, after=Cursor(order).token(dict(zip(order, key, strict=True)))).key == key
