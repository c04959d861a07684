"""Are the tables those of this program? Asked at every start, so it reads file names and one table, no migration code."""

from contextlib import contextmanager
from pathlib import Path

from django.apps import apps
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction

# Any number; the same in every version, so that two versions starting on one database wait for each other.
_MIGRATION_LOCK = 7_212_001


def missing_migrations() -> list[str]:
    """`app.name` of the migrations on disk that the database has not had, in no particular order."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT app, name FROM django_migrations")
            applied = set(cursor.fetchall())
    except ProgrammingError:
        applied = set()
    missing = []
    for config in apps.get_app_configs():
        folder = Path(config.path) / "migrations"
        if folder.is_dir():
            names = (path.stem for path in folder.glob("[0-9a-z]*.py") if path.stem != "__init__")
            missing += [f"{config.label}.{name}" for name in names if (config.label, name) not in applied]
    return missing


def migrate(verbosity: int = 0) -> None:
    """Apply what is missing; of several programs that start at once on one database, one does it and the others wait."""
    with _one_at_a_time():
        if missing_migrations():
            call_command("migrate", interactive=False, verbosity=verbosity)


@contextmanager
def _one_at_a_time():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_MIGRATION_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATION_LOCK])
