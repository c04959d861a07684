"""What every test runs under. The server itself is the business of tests/postgres.py."""

import pytest

from tests import postgres


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix):
    """Start the server when the first test asks for a database (each xdist worker has its own database on it)."""
    shared = postgres.cluster()
    if shared is not None:
        shared.start()


@pytest.fixture(autouse=True, scope="session")
def _quick_passwords():
    """Real password hashing takes a tenth of a second on purpose; the tests log in hundreds of times."""
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
