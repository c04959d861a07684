"""One PostgreSQL for a whole test run: a pytest plugin, loaded by `-p tests.postgres` before Django's settings are read.

DATABASE_URL from the environment wins. Otherwise the first pytest process chooses a folder and a password, its xdist
workers inherit them through the environment, and whoever needs the database first starts it; a run of tests without
a database starts none. The home of the run is a temporary folder too, so no test touches a real installation.
"""

import fcntl
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
    home = Path(tempfile.mkdtemp(prefix="daifa-home-", dir="/tmp"))
    _made["home"] = home
    os.environ["DAIFA_HOME"] = str(home)
    os.environ.setdefault("DAIFA_SECRET_KEY", "only for tests " * 4)
    for name in [name for name in os.environ if name.startswith("SMTP_")]:
        del os.environ[name]
    if os.environ.get("DATABASE_URL", "").strip():
        return
    _remove_abandoned()
    made = database.new_temporary()
    handle = os.open(made.top / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    _made["cluster"], _made["lock"] = made, handle
    os.environ[CLUSTER] = str(made.top)
    os.environ["DATABASE_URL"] = made.url()


def _remove_abandoned() -> None:
    """End servers of test runs that were killed: their lock is free."""
    for folder in Path("/tmp").glob("daifa-pg-*"):
        try:
            handle = os.open(folder / "run.lock", os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            database.remove_temporary(database.Cluster(folder))
        except (OSError, database.DatabaseUnavailable):
            continue
        finally:
            os.close(handle)


def pytest_unconfigure(config):
    if "cluster" in _made:
        database.remove_temporary(_made.pop("cluster"))
        os.environ.pop("DATABASE_URL", None)
        os.environ.pop(CLUSTER, None)
    if "home" in _made:
        shutil.rmtree(_made.pop("home"), ignore_errors=True)
