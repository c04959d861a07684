"""What every test runs under. The server itself is the business of tests/postgres.py."""

import pytest

from tests import postgres
from tests.browser import chromium  # noqa: F401  the fixture


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix):
    """Start the server when the first test asks for a database (each xdist worker has its own database on it)."""
    shared = postgres.cluster()
    if shared is not None:
        shared.start()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """After a test that commits, the tables are as the migrations left them."""
    from django.db import connection
    from django.test import TransactionTestCase

    with django_db_blocker.unblock():
        postgres.remember_first_rows(connection)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: postgres.restore_first_rows(connection))
        yield


@pytest.fixture
def own_files(settings, tmp_path):
    """Files and letters of this test lie in folders of its own."""
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"


@pytest.fixture(autouse=True)
def _no_language_left_behind():
    """What a request switched on does not outlast its test."""
    from django.utils import translation

    yield
    translation.deactivate()


@pytest.fixture(autouse=True, scope="session")
def _quick_passwords():
    """Real password hashing takes a tenth of a second on purpose; the tests log in hundreds of times."""
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True, scope="session")
def _flush_cascades():
    """Tables outside Django's models (partitions by month) refer to some inside: emptying those has to cascade."""
    from django.db.backends.postgresql.operations import DatabaseOperations

    plain = DatabaseOperations.sql_flush

    def sql_flush(self, style, tables, *, reset_sequences=False, allow_cascade=False):
        return plain(self, style, tables, reset_sequences=reset_sequences, allow_cascade=True)

    DatabaseOperations.sql_flush = sql_flush
    yield
    DatabaseOperations.sql_flush = plain
