"""Out of the database's files too: what was deleted or overwritten stays in pages, statistics and logs until they are written anew.

`VACUUM (FULL)` writes each table that can hold buyers' data anew with its indexes, one after the other; then the
write-ahead log is taken to fresh files and the old ones are dropped. A server that does not let us says so, and what a
person has to do there is told. Blocks the file system has freed, copies and backups are out of reach from here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext as _

from daifa.domain.history.commands import open_batch
from daifa.domain.privacy.places import PERSONAL
from daifa.lib.refusal import Refused

_STATISTICS = ("pg_catalog.pg_statistic", "pg_catalog.pg_statistic_ext_data")
_MOST_SEGMENTS = 500


@dataclass(slots=True)
class Scrubbed:
    """What was written anew (table, bytes before, bytes after), what was not and why, and what is out of reach."""

    tables: list[tuple[str, int, int]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)  # (table or thing, sentence)
    log_files: int = 0  # files of the write-ahead log that were dropped or filled anew

    def advice(self) -> list[str]:
        """What nobody can do from inside the database, as sentences."""
        return [
            _("Blocks that the file system has freed are not overwritten: encrypt the disk, or wipe its free space with the system's own tool."),
            _("Replicas, archived logs, snapshots of the disk and backups are copies of their own: see the list of backups, and delete them in their time."),
        ]


def scrub(*, by: str, at: datetime, wait_s: int = 10) -> Scrubbed:
    """Write anew every table that can hold buyers' data. Must not run inside a transaction. Raises `Refused`.

    Each table is closed to everybody while it is written (a second for some 20 MB); a table that somebody else keeps
    busy for `wait_s` seconds is left and told.
    """
    if connection.in_atomic_block:
        raise Refused(_("Tables cannot be written anew inside a transaction."), code="in_transaction")
    done = Scrubbed()
    with connection.cursor() as c:
        c.execute(f"SET lock_timeout = '{int(wait_s)}s'")
        try:
            for table in tables():
                _write_anew(c, table, done)
            for table in _STATISTICS:  # the most common values of a column, as the planner remembers them
                _write_anew(c, table, done)
            _renew_log(c, done)
        finally:
            c.execute("RESET lock_timeout")
    with transaction.atomic():
        open_batch(by=by, at=at, reason=f"wrote {len(done.tables)} tables anew")
    return done


def tables() -> list[str]:
    """Tables of the map, with the histories of their edits."""
    named = {place.model for place in PERSONAL}
    found = {apps.get_model(name)._meta.db_table for name in named}
    for model in apps.get_models():
        tracked = getattr(model, "pgh_tracked_model", None)
        if tracked is not None and tracked._meta.label in named:
            found.add(model._meta.db_table)
    return sorted(found)


def _size(c, table: str) -> int:
    c.execute(
        "SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM pg_partition_tree(to_regclass(%s)) WHERE isleaf", [table]
    )
    size = c.fetchone()[0]
    if not size:
        c.execute("SELECT coalesce(pg_total_relation_size(to_regclass(%s)), 0)", [table])
        size = c.fetchone()[0]
    return int(size)


def _write_anew(c, table: str, done: Scrubbed) -> None:
    try:
        before = _size(c, table)
        c.execute(f"VACUUM (FULL, ANALYZE) {table}" if "." not in table else f"VACUUM (FULL) {table}")
        done.tables.append((table, before, _size(c, table)))
    except DatabaseError as error:
        done.left.append((table, _why(error)))


def _why(error: DatabaseError) -> str:
    code = getattr(error.__cause__, "sqlstate", "")
    if code == "55P03":
        return _("It was in use: stop daifa, or try again at a quiet hour.")
    if code == "42501":
        return _("The server does not allow it to daifa's user: let its administrator do it.")
    if code == "53100":
        return _("The disk has no room for a second copy of the table: make room first.")
    return str(error).strip().splitlines()[0]


def _renew_log(c, done: Scrubbed) -> None:
    """Take the write-ahead log past every file that exists by now, and let go of those."""
    thing = _("write-ahead log")
    try:
        c.execute("SELECT count(*) FROM pg_ls_waldir()")
        files = min(c.fetchone()[0], _MOST_SEGMENTS)
        c.execute("ALTER SYSTEM SET wal_recycle = off")  # an old file would be used again with what it holds
        try:
            c.execute("SELECT pg_reload_conf()")
            c.execute("CHECKPOINT")
            for _file in range(files + 1):
                c.execute("SELECT pg_logical_emit_message(false, 'daifa', 'scrub')")
                c.execute("SELECT pg_switch_wal()")
            c.execute("CHECKPOINT")
            c.execute("SELECT pg_logical_emit_message(false, 'daifa', 'scrub'), pg_switch_wal()")
            c.execute("CHECKPOINT")
        finally:
            c.execute("ALTER SYSTEM RESET wal_recycle")
            c.execute("SELECT pg_reload_conf()")
        done.log_files = files
    except DatabaseError as error:
        why = _why(error)
        done.left.append((thing, why + " " + _("It goes by itself as the server works on; a checkpoint and a switch of the log make it sooner.")))
