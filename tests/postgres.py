"""One PostgreSQL for a whole test run: a pytest plugin, loaded by `-p tests.postgres` before Django's settings are read.

DATABASE_URL from the environment wins. Otherwise the first pytest process chooses a folder and a password, its xdist
workers inherit them through the environment, and whoever needs the database first starts it; a run of tests without
a database starts none. The home of the run is a temporary folder too, so no test touches a real installation.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from daifa.config import database

CLUSTER = "DAIFA_TEST_CLUSTER"
# The folder of this run, where this process is the one that made it.
_made: dict[str, object] = {}


def cluster() -> database.Cluster | None:
    """The cluster of this run; None when DATABASE_URL was given."""
    top = os.environ.get(CLUSTER)
    return database.Cluster(Path(top), extra=database.FAST_AND_FORGETFUL) if top else None


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config, parser, args):
    # A wrapper runs before pytest-django's own hook of this name, which reads the settings.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        _prepare()
    return (yield)


def _prepare() -> None:
    database.remove_abandoned()
    if not os.environ.get("DATABASE_URL", "").strip():
        made = _made["cluster"] = database.new_temporary()
        os.environ[CLUSTER] = str(made.top)
        os.environ["DATABASE_URL"] = made.url()
    home = _made["home"] = Path(tempfile.mkdtemp(prefix="daifa-home-", dir="/tmp"))
    os.environ["DAIFA_HOME"] = str(home)
    os.environ.setdefault("DAIFA_SECRET_KEY", "only for tests " * 4)
    for name in [name for name in os.environ if name.startswith("SMTP_")]:
        del os.environ[name]


def pytest_unconfigure(config):
    if "cluster" in _made:
        database.remove_temporary(_made.pop("cluster"))
        os.environ.pop("DATABASE_URL", None)
        os.environ.pop(CLUSTER, None)
    if "home" in _made:
        shutil.rmtree(_made.pop("home"), ignore_errors=True)


# --- Tests that commit ------------------------------------------------------------------------------------------
# Django empties the tables of its models after such a test, one statement for all of them, and rows that migrations
# wrote do not come back. Some tables here are partitioned and no model's, and migrations do write rows.

_TABLES = """
    SELECT format('%I', relname) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
      AND relname <> 'django_migrations' ORDER BY relname
"""
_COLUMNS = """
    SELECT string_agg(format('%%I', attname), ', ' ORDER BY attnum) FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""


def _filled(cursor) -> list[str]:
    cursor.execute(_TABLES)
    tables = [row[0] for row in cursor.fetchall()]
    cursor.execute(" UNION ALL ".join(f"SELECT '{t}' WHERE EXISTS (SELECT FROM {t})" for t in tables))
    return [row[0] for row in cursor.fetchall()]


def remember_first_rows(connection) -> None:
    """Keep a copy of what the migrations wrote, in a schema of its own."""
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS first_rows CASCADE")
        cursor.execute("CREATE SCHEMA first_rows")
        for table in _filled(cursor):
            cursor.execute(f"CREATE TABLE first_rows.{table} AS TABLE public.{table}")


def restore_first_rows(connection) -> None:
    """Every table as it was after the migrations; sequences go on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT format('%I', relname) FROM pg_class WHERE relnamespace = 'first_rows'::regnamespace")
        first = [row[0] for row in cursor.fetchall()]
        tables = sorted({*_filled(cursor), *first})
        cursor.execute("BEGIN")
        # No triggers, no order among foreign keys: the rows were consistent when they were copied.
        cursor.execute("SET LOCAL session_replication_role = replica")
        if tables:
            cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
        for table in first:
            cursor.execute(_COLUMNS, [table])
            columns = cursor.fetchone()[0]
            cursor.execute(
                f"INSERT INTO public.{table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM first_rows.{table}"
            )
        cursor.execute("COMMIT")
