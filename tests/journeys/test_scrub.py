"""What was erased is gone from the files of the database too, once they were scrubbed; tried on a server of its own."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from daifa.config import database

NAME = b"Zebedee-Quillfeather-of-Marmalade-Mews"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A server of its own and a home."""
    cluster = database.new_temporary(durable=True, extra={"wal_compression": "off"})
    cluster.start()
    top = tmp_path_factory.mktemp("home")
    run(cluster, top, "migrate")
    yield cluster, top
    database.remove_temporary(cluster)


def run(cluster, top: Path, *words: str, code: int = 0) -> str:
    environment = {**os.environ, "DATABASE_URL": cluster.url(), "DAIFA_HOME": str(top), "DJANGO_SETTINGS_MODULE": "daifa.config.settings"}
    called = [sys.executable, "-c", "from daifa.cli.main import main; main()", *words]
    done = subprocess.run(called, env=environment, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def holding(top: Path) -> list[str]:
    """Files below `top` in which the name stands as it is."""
    found = []
    for path in top.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if NAME in content or (content[:2] == b"\x1f\x8b" and NAME in gzip.decompress(content)):
                found.append(path.relative_to(top).as_posix())
    return found


def test_scrubbing_takes_erased_bytes_out_of_the_files(home):
    cluster, top = home
    with psycopg.connect(cluster.url(), autocommit=True) as c:
        c.execute(
            """INSERT INTO history_batch (by, at, reason)
               SELECT 'user:1', now(), 'for ' || %s || CASE WHEN n > 300 THEN n::text ELSE '' END FROM generate_series(1, 400) AS n""",
            (NAME.decode(),),
        )
        c.execute(
            """INSERT INTO procrastinate_jobs (queue_name, task_name, args, status)
               VALUES ('default', 'daifa.odd', jsonb_build_object('to', %s::text), 'failed')""",
            (NAME.decode(),),
        )
        c.execute("ANALYZE history_batch")  # the planner remembers the most common words
        c.execute("CHECKPOINT")
        before = holding(cluster.data)
        assert any(name.startswith("pg_wal/") for name in before) and any(name.startswith("base/") for name in before)
        c.execute("UPDATE history_batch SET reason = 'for ***'")
        c.execute("DELETE FROM procrastinate_jobs")
        c.execute("VACUUM")
        c.execute("CHECKPOINT")
        assert holding(cluster.data), "tidying alone leaves it in the files"
        told = json.loads(run(cluster, top, "privacy", "scrub", "--yes", "--json"))
        assert told["left"] == []
        assert {"customers_customer", "history_batch", "procrastinate_jobs", "orders_addressversion", "shipping_trackingevent"} <= {one["table"] for one in told["tables"]}
        assert holding(cluster.data) == []
        assert c.execute("SHOW wal_recycle").fetchone()[0] == "on", "the server works as before"
        assert c.execute("SELECT count(*) FROM history_batch WHERE reason = 'for ***'").fetchone()[0] == 400
        assert c.execute("SELECT reason FROM history_batch ORDER BY id DESC LIMIT 1").fetchone()[0].startswith("wrote ")


def test_a_table_in_use_is_told(home):
    cluster, top = home
    with psycopg.connect(cluster.url()) as c:
        c.execute("SELECT * FROM customers_customer")
        told = json.loads(run(cluster, top, "privacy", "scrub", "--yes", "--json", "--wait", "1", code=1))
        assert [one["what"] for one in told["left"]] == ["customers_customer"]
