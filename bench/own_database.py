"""A database of its own for a benchmark, and what its server and we spent.

Set up before Django is: `with own_database() as server: …`. The server keeps fsync: what is measured is real work.
"""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def own_database() -> Iterator[Any]:
    """Start a temporary durable server and a temporary home, set Django up, migrate."""
    from daifa.config.database import temporary_cluster

    with tempfile.TemporaryDirectory(prefix="daifa-bench-") as home, temporary_cluster(durable=True) as cluster:
        os.environ["DATABASE_URL"] = cluster.url()
        os.environ["DAIFA_HOME"] = home
        os.environ.setdefault("DAIFA_LOG_LEVEL", "ERROR")
        os.environ["DJANGO_SETTINGS_MODULE"] = "daifa.config.settings"
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        try:
            yield cluster
        finally:
            connection.close()


def server_cpu(cluster: Any) -> float:
    """CPU seconds that the server and all its processes, ended ones included, have used."""
    main = cluster.running()
    total = 0.0
    for pid in [main, *_children(main)]:
        try:
            parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        own = int(parts[11]) + int(parts[12])
        waited = int(parts[13]) + int(parts[14]) if pid == main else 0  # of children that ended
        total += (own + waited) / TICKS
    return total


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parts = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(parts[1]) == pid:
            found.append(int(entry.parent.name))
    return found


def own_cpu() -> float:
    """CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_rss_mb() -> float:
    """Largest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def database_bytes() -> int:
    from daifa.lib import bulk

    return bulk.fetch("SELECT pg_database_size(current_database())")[0][0]
