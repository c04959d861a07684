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
