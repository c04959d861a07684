"""One file that holds everything: written from a single snapshot, read back only into an empty database.

The file is a zip: `manifest.json`, one member a table (`tables/<name>.copy`, PostgreSQL's COPY text), the uploads
(`files/…`) and local mail (`mail/…`), each with its SHA-256 and size in the manifest. Everything goes through the
driver, in pieces: no tool of the server is needed, any server from 15 on will do, and memory stays small.

The key of the installation is not in it, unless wrapped by a passphrase. What a restored copy may do until a person
releases it is in `flows/quarantine.py`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from psycopg import Cursor, DatabaseError, sql

from daifa import __version__
from daifa.domain.privacy.commands import note_backup
from daifa.domain.stores.commands import LEASE, NewTask, new_code, open_tasks
from daifa.domain.stores.queries import place_of_data
from daifa.flows.privacy import erase_again
from daifa.lib import bulk
from daifa.lib.refusal import Refused
from daifa.lib.secret import keyed_digest

FORMAT = 1
PIECE = 256 * 1024
GAP = 100_000
"""How far ids jump on restore: what the other copy numbered since the backup keeps its numbers."""

LEFT_OUT = ("procrastinate_%", "django_migrations", "django_session", "people_logintoken")
"""Jobs are found again by the sweeps; sessions and login links end with the copy they were given by."""
SEEDED = {"django_content_type", "auth_permission", "books_account", "stores_installation"}
"""Tables that an empty database may have rows in: migrations fill them, and the backup's rows replace them."""
FOLDERS = ("files", "mail")
MOST_MANIFEST = 256 * 1024 * 1024

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Told (what, done, of how many) while the work goes on."""

_DIALECT = (
    "SET LOCAL DateStyle TO ISO, YMD", "SET LOCAL IntervalStyle TO postgres", "SET LOCAL TimeZone TO 'UTC'",
    "SET LOCAL bytea_output TO hex", "SET LOCAL extra_float_digits TO 1", "SET LOCAL client_encoding TO UTF8",
    "SET LOCAL statement_timeout TO 0",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """A finished backup."""

    path: Path
    taken_at: datetime
    tables: int
    rows: int
    files: int
    size: int  # bytes of the file
    holds_key: bool


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back. `warnings` are sentences to show."""

    taken_at: datetime
    rows: int
    files: int
    code: str  # the new one of this copy
    former_code: str
    waiting_messages: int  # when the backup was taken; once released they are in doubt, not sent
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    columns: list[str]
    is_partitioned: bool


# --- Writing ----------------------------------------------------------------------------------------------------


def write_backup(
    target: Path, *, by: str, at: datetime, passphrase: str = "", progress: Progress | None = None
) -> Written:
    """Write everything into `target` (mode 0600), which must not exist yet. The shop goes on working meanwhile.

    With a `passphrase` the key of the installation is put in, wrapped by it. Raises `Refused`.
    """
    target = target.absolute()
    if target.exists():
        raise Refused(
            _("%(file)s is there already; a backup never overwrites one. Choose another name.")
            % {"file": target.name},
            code="file_exists",
        )
    if not target.parent.is_dir():
        raise Refused(_("There is no folder %(folder)s.") % {"folder": target.parent}, code="no_folder")
    handle, aside = tempfile.mkstemp(
        prefix=f".{target.name}.", dir=target.parent
    )  # readable by its owner only
    try:
        with os.fdopen(handle, "wb") as file:
            with zipfile.ZipFile(
                file, "w", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=3
            ) as archive:
                manifest = _write(archive, by=by, at=at, passphrase=passphrase, progress=progress or _silent)
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, target)  # refuses where somebody was quicker
    except FileExistsError:
        raise Refused(
            _("%(file)s is there already; a backup never overwrites one. Choose another name.")
            % {"file": target.name},
            code="file_exists",
        ) from None
    except OSError as error:
        raise Refused(
            _("The backup could not be written to %(folder)s: %(why)s.")
            % {"folder": target.parent, "why": error.strerror or error},
            code="not_written",
        ) from error
    finally:
        os.unlink(aside)
    size = target.stat().st_size
    with transaction.atomic():  # what is erased from now on is still in it
        note_backup(place=str(target), sha256=_hash_of(target), size=size, by=by, at=at)
    return Written(
        target, at, len(manifest["tables"]), sum(table["rows"] for table in manifest["tables"]),
        len(manifest["files"]), size, bool(passphrase),
    )  # fmt: skip


def _write(
    archive: zipfile.ZipFile, *, by: str, at: datetime, passphrase: str, progress: Progress
) -> dict[str, Any]:
    # A connection of its own: the snapshot must not be that of a transaction the caller may be in.
    own = connection.copy()
    try:
        own.ensure_connection()
        raw = own.connection
        raw.autocommit = False
        with Cursor(raw) as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            for line in _DIALECT:
                cursor.execute(line)
            manifest: dict[str, Any] = {
                "program": "daifa",
                "format": FORMAT,
                "version": __version__,
                "taken_at": at.astimezone(UTC).isoformat(),
                "by": by,
                "server": raw.info.server_version,
                "migrations": sorted(_migrations(cursor)),
                "months": _months(cursor),
                "key": {"check": _key_check(), "wrapped": bool(passphrase)},
                "tables": [],
                "files": [],
            }
            cursor.execute("SELECT uuid::text, code FROM stores_installation")
            row = cursor.fetchone()
            manifest["installation"] = {"uuid": row[0], "code": row[1]} if row else None
            tables = _tables(cursor)
            for number, table in enumerate(tables):
                progress(_("tables"), number, len(tables))
                manifest["tables"].append(_write_table(archive, cursor, table))
            progress(_("tables"), len(tables), len(tables))
        raw.rollback()
    finally:
        own.close()
    # After the rows: every file a row names is there by now, and files are never changed.
    paths = list(_stored_files())
    for number, (name, path) in enumerate(paths):
        progress(_("files"), number, len(paths))
        try:
            with path.open("rb") as file:
                entry = _write_member(archive, name, iter(lambda f=file: f.read(PIECE), b""))
        except FileNotFoundError:  # a mail that was sent and taken away meanwhile
            continue
        manifest["files"].append(entry)
    progress(_("files"), len(paths), len(paths))
    if passphrase:
        archive.writestr("key.json", json.dumps(wrap_key(settings.SECRET_KEY, passphrase)))
    archive.writestr("manifest.json", json.dumps(manifest, indent=1))
    return manifest


def _write_table(archive: zipfile.ZipFile, cursor: Any, table: _Table) -> dict[str, Any]:
    names = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    of = sql.Identifier(table.name)
    # A partitioned table can only be copied out through a query.
    what = sql.SQL("(SELECT {} FROM {})") if table.is_partitioned else sql.SQL("{1} ({0})")
    counted = 0

    def pieces() -> Iterator[bytes]:
        nonlocal counted
        waiting: list[bytes] = []
        size = 0
        with cursor.copy(sql.SQL("COPY {} TO STDOUT").format(what.format(names, of))) as copy:
            for row in copy:
                counted += 1  # the server sends a row at a time
                waiting.append(bytes(row))
                size += len(row)
                if size >= PIECE:
                    yield b"".join(waiting)
                    waiting, size = [], 0
        yield b"".join(waiting)

    entry = _write_member(archive, f"tables/{table.name}.copy", pieces())
    return {"table": table.name, "columns": table.columns, "rows": counted, **entry}


def _write_member(archive: zipfile.ZipFile, name: str, pieces: Iterable[bytes]) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
    info._compresslevel = 3  # ZipInfo made by hand does not take the archive's
    with archive.open(info, "w", force_zip64=True) as member:
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            member.write(piece)
    return {"name": name, "sha256": digest.hexdigest(), "bytes": size}


def _stored_files() -> Iterator[tuple[str, Path]]:
    for folder in FOLDERS:
        top = Path(settings.DAIFA_HOME) / folder
        for path in sorted(top.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield str(PurePosixPath(folder) / path.relative_to(top).as_posix()), path


# --- Reading back -----------------------------------------------------------------------------------------------


def restore_backup(
    source: Path, *, by: str, at: datetime, passphrase: str = "", progress: Progress | None = None
) -> Restored:
    """Read a backup into this database, which must be migrated and empty; all or nothing. Raises `Refused`.

    The copy is quarantined from its first moment (`flows/quarantine.py`): it has another code for its references,
    its ids jump, and nothing leaves it until a person releases it.
    """
    progress = progress or _silent
    try:
        archive = zipfile.ZipFile(source)
    except (OSError, zipfile.BadZipFile) as error:
        raise Refused(
            _("%(file)s cannot be read as a backup: %(why)s.") % {"file": source.name, "why": _why(error)},
            code="not_a_backup",
        ) from error
    with archive:
        manifest = _manifest(archive, source.name)
        key = _key_of(archive, manifest, passphrase)
        with bulk.cursor() as cursor:
            _refuse_other_tables(cursor, manifest)
            _refuse_full(cursor)
        _check_members(archive, manifest, progress)
        with transaction.atomic(durable=True):
            code, waiting = _load(archive, manifest, by=by, at=at, progress=progress)
            files = _bring_files(archive, manifest, progress)
    _refresh_statistics()
    warnings = _settle_key(key, manifest)
    warnings += _erase_again(by=by, at=at, beside=source.absolute().parent)
    return Restored(
        _taken_at(manifest), sum(table["rows"] for table in manifest["tables"]), files, code,
        (manifest["installation"] or {}).get("code", ""), waiting, warnings,
    )  # fmt: skip


def _erase_again(*, by: str, at: datetime, beside: Path) -> list[str]:
    """What was erased after the backup was taken is erased from the copy as well. Returns sentences."""
    try:
        count = erase_again(by=by, at=at, beside=beside)
    except Exception as error:  # the copy is there, and quarantined: releasing it tries again and says why not
        log.warning("Erasures could not be done again: %s", type(error).__name__, exc_info=error)
        return [_("What was erased since the backup could not be erased again here; it is tried again before the release.")]
    if not count:
        return []
    return [
        ngettext(
            "%(count)s erasure that was made since the backup was made here as well.",
            "%(count)s erasures that were made since the backup were made here as well.",
            count,
        )
        % {"count": count}
    ]


def _manifest(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    try:
        info = archive.getinfo("manifest.json")
        if info.file_size > MOST_MANIFEST:
            raise ValueError("manifest")
        manifest = json.loads(archive.read(info))
        if manifest["program"] != "daifa":
            raise ValueError("program")
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile, OSError):
        raise Refused(
            _("%(file)s is no backup of daifa, or its table of contents is damaged.") % {"file": name},
            code="not_a_backup",
        ) from None
    if manifest["format"] != FORMAT:
        raise Refused(
            _(
                "This backup is written in format %(theirs)s, and this version reads %(ours)s. Use daifa %(version)s."
            )
            % {"theirs": manifest["format"], "ours": FORMAT, "version": manifest.get("version", "?")},
            code="other_format",
        )
    return manifest


def _refuse_other_tables(cursor: Any, manifest: dict[str, Any]) -> None:
    theirs, ours = {tuple(step) for step in manifest["migrations"]}, set(_migrations(cursor))
    if theirs != ours:
        odd = sorted(theirs ^ ours)
        raise Refused(
            _(
                "The backup was made by daifa %(theirs)s, whose tables differ from those of daifa %(ours)s here "
                "(%(count)s steps, first %(first)s). Restore it with that version, then update."
            )
            % {
                "theirs": manifest.get("version", "?"), "ours": __version__, "count": len(odd),
                "first": ".".join(odd[0]),
            },
            code="other_tables",
        )  # fmt: skip
    here = {table.name: set(table.columns) for table in _tables(cursor)}
    if {table["table"]: set(table["columns"]) for table in manifest["tables"]} != here:
        raise Refused(
            _(
                "The tables of this database are not those of the backup, although the same steps were applied."
            ),
            code="other_tables",
        )


def _refuse_full(cursor: Any) -> None:
    full = []
    for table in _tables(cursor):
        if table.name not in SEEDED:
            cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table.name)))
            if cursor.fetchone()[0]:
                full.append(table.name)
    if full:
        raise Refused(
            _(
                "A backup is restored into an empty database only, and this one holds rows (in %(tables)s). "
                "Choose a new DAIFA_HOME or an empty database for DATABASE_URL, and run the same command again."
            )
            % {"tables": ", ".join(sorted(full)[:3]) + (" …" if len(full) > 3 else "")},
            code="not_empty",
        )


def _check_members(archive: zipfile.ZipFile, manifest: dict[str, Any], progress: Progress) -> None:
    """Every member against its size and hash, before anything is changed."""
    entries = [*manifest["tables"], *manifest["files"]]
    for number, entry in enumerate(entries):
        progress(_("checking"), number, len(entries))
        digest, size = hashlib.sha256(), 0
        try:
            for piece in _pieces(archive, entry["name"], most=entry["bytes"]):
                digest.update(piece)
                size += len(piece)
        except (KeyError, OSError, EOFError, ValueError, zipfile.BadZipFile):
            size = -1
        except Exception as error:  # zlib has an error class of its own
            if type(error).__name__ != "error":
                raise
            size = -1
        if size != entry["bytes"] or digest.hexdigest() != entry["sha256"]:
            raise Refused(
                _("The backup is damaged at %(member)s; nothing was restored. Use another backup.")
                % {"member": entry["name"]},
                code="damaged",
            )
    progress(_("checking"), len(entries), len(entries))


def _pieces(archive: zipfile.ZipFile, name: str, *, most: int) -> Iterator[bytes]:
    read = 0
    with archive.open(name) as member:
        while piece := member.read(PIECE):
            read += len(piece)
            if read > most:
                raise ValueError(f"{name} holds more than its manifest says.")
            yield piece


def _load(
    archive: zipfile.ZipFile, manifest: dict[str, Any], *, by: str, at: datetime, progress: Progress
) -> tuple[str, int]:
    """Fill the tables within the caller's transaction; returns the new code and how many messages were waiting."""
    tables = [_Table(entry["table"], entry["columns"], False) for entry in manifest["tables"]]
    try:
        with bulk.cursor() as cursor:
            for line in _DIALECT:
                cursor.execute(line)
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('daifa.restore'))")
            _refuse_full(cursor)
            everything = sql.SQL(", ").join(sql.Identifier(table.name) for table in tables)
            # References between tables are checked once at the end, which also takes care of circles; triggers
            # would write history a second time. None of this needs more rights than owning the tables.
            references = _references(cursor)
            for table, name, _definition in references:
                cursor.execute(_alter(table, sql.SQL("DROP CONSTRAINT {}").format(sql.Identifier(name))))
            for table in tables:
                cursor.execute(_alter(table.name, sql.SQL("DISABLE TRIGGER USER")))
            cursor.execute(sql.SQL("TRUNCATE {}").format(everything))
            for parent, months in manifest["months"].items():
                for month in months:
                    cursor.execute("SELECT daifa_add_month(%s::text, %s::date)", (parent, month))
            for number, (table, entry) in enumerate(zip(tables, manifest["tables"], strict=True)):
                progress(_("restoring"), number, len(tables))
                _load_table(archive, cursor, table, entry)
            progress(_("restoring"), len(tables), len(tables))
            for table in tables:
                cursor.execute(_alter(table.name, sql.SQL("ENABLE TRIGGER USER")))
            for table, name, definition in references:
                cursor.execute(
                    _alter(
                        table,
                        sql.SQL("ADD CONSTRAINT {} ").format(sql.Identifier(name)) + sql.SQL(definition),
                    )
                )
            _check_balance(cursor)
            _move_sequences(cursor)
            code = _quarantine(cursor, manifest, at=at)
    except DatabaseError as error:
        raise Refused(_not_loaded(error), code="not_loaded") from error
    former = (manifest["installation"] or {}).get("code", "")
    open_tasks(
        [NewTask(kind="quarantined", params={"since": manifest["taken_at"], "former_code": former})], at=at
    )
    waiting = bulk.fetch("SELECT count(*) FROM buyer_messages_message WHERE state IN ('queued', 'sending')")[
        0
    ][0]
    return code, waiting


def _load_table(archive: zipfile.ZipFile, cursor: Any, table: _Table, entry: dict[str, Any]) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), names)) as copy:
        for piece in _pieces(archive, entry["name"], most=entry["bytes"]):
            copy.write(piece)
    if cursor.rowcount != entry["rows"]:
        raise Refused(
            _("Table %(table)s came back with %(got)s rows instead of %(wanted)s; nothing was restored.")
            % {"table": table.name, "got": cursor.rowcount, "wanted": entry["rows"]},
            code="damaged",
        )


def _check_balance(cursor: Any) -> None:
    cursor.execute(
        "SELECT count(*) FROM (SELECT FROM books_posting GROUP BY entry_id, currency HAVING sum(amount) <> 0) off"
    )
    if off := cursor.fetchone()[0]:
        raise Refused(
            ngettext(
                "%(count)s entry of the backup does not balance; nothing was restored.",
                "%(count)s entries of the backup do not balance; nothing was restored.",
                off,
            )
            % {"count": off},
            code="unbalanced",
        )


def _move_sequences(cursor: Any) -> None:
    """Every id goes on behind the highest one, large ones with a gap."""
    cursor.execute(
        """SELECT c.relname, a.attname, s.seqrelid::regclass::text, s.seqmax > 2147483647
           FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid
           JOIN pg_class c ON c.oid = d.refobjid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
           WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
             AND c.relnamespace = current_schema()::regnamespace AND c.relname NOT LIKE 'procrastinate%'"""
    )
    for table, column, sequence, is_large in cursor.fetchall():
        cursor.execute(
            sql.SQL("SELECT setval({}::regclass, greatest(coalesce(max({}), 0) + {}, 1)) FROM {}").format(
                sql.Literal(sequence),
                sql.Identifier(column),
                sql.Literal(GAP if is_large else 0),
                sql.Identifier(table),
            )
        )


def _quarantine(cursor: Any, manifest: dict[str, Any], *, at: datetime) -> str:
    """Mark this copy as restored; returns its new code."""
    former = (manifest["installation"] or {}).get("code", "")
    code = new_code()
    while code == former:
        code = new_code()
    taken_at = _taken_at(manifest)
    cursor.execute(
        """INSERT INTO stores_installation (id, uuid, code, created_at, released_by, lease_holder)
           VALUES (1, gen_random_uuid(), '', %s, '', '') ON CONFLICT (id) DO NOTHING""",
        (at,),
    )
    # A backup of a copy that was itself not released yet: the doubt reaches back to the first backup.
    cursor.execute(
        """UPDATE stores_installation
           SET code = %(code)s, quarantined_at = %(at)s, read_back_at = NULL, released_at = NULL, released_by = '',
               backup_taken_at = CASE WHEN quarantined_at IS NOT NULL AND released_at IS NULL
                                      THEN least(backup_taken_at, %(taken)s::timestamptz) ELSE %(taken)s END,
               lease_holder = %(place)s, lease_until = %(until)s""",
        {"code": code, "at": at, "taken": taken_at, "place": place_of_data(), "until": at + LEASE},
    )
    return code


def _not_loaded(error: DatabaseError) -> str:
    # The server's own words may hold values of a row: only the kind of the error is shown.
    state = error.sqlstate or "?"
    if state == "42501":
        return _(
            "The database role may not change these tables: it has to own them. Use the role that made them "
            "(the one `daifa migrate` ran as)."
        )
    if state == "53100":
        return _("The disk of the database is full; nothing was restored.")
    return _("The database refused the backup's rows (%(state)s); nothing was restored.") % {"state": state}


def _bring_files(archive: zipfile.ZipFile, manifest: dict[str, Any], progress: Progress) -> int:
    """Uploads and mail into the home; what is there with the same content stays. Runs before the rows are committed."""
    top = Path(settings.DAIFA_HOME)
    entries = manifest["files"]
    for number, entry in enumerate(entries):
        progress(_("files"), number, len(entries))
        parts = PurePosixPath(entry["name"]).parts
        if parts[0] not in FOLDERS or len(parts) < 2 or ".." in parts or "\\" in entry["name"]:
            raise Refused(
                _("The backup names a file outside its folders: %(file)s; nothing was restored.")
                % {"file": entry["name"]},
                code="damaged",
            )
        target = top.joinpath(*parts)
        if target.exists():
            if _hash_of(target) == entry["sha256"]:
                continue
            raise Refused(
                _("%(file)s is there already with other content; nothing was restored. Use a new DAIFA_HOME.")
                % {"file": target},
                code="not_empty",
            )
        _make_folders(top, target.parent)
        handle, aside = tempfile.mkstemp(prefix=".restore-", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                for piece in _pieces(archive, entry["name"], most=entry["bytes"]):
                    file.write(piece)
            os.replace(aside, target)
        except BaseException:
            os.unlink(aside)
            raise
    progress(_("files"), len(entries), len(entries))
    return len(entries)


def _make_folders(top: Path, folder: Path) -> None:
    top.mkdir(
        mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True
    )  # as `config.home` makes it
    missing = []
    while folder != top and not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refresh_statistics() -> None:
    # Without them the first hours of a restored shop would be slow: the planner would think every table empty.
    with bulk.cursor() as cursor:
        cursor.execute("ANALYZE")


# --- What both sides ask the database ---------------------------------------------------------------------------


def _tables(cursor: Any) -> list[_Table]:
    """Every table that belongs into a backup, by name, with the columns that can be written."""
    cursor.execute(
        """SELECT c.relname, c.relkind = 'p',
                  array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attgenerated = '')
           FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
             AND c.relnamespace = current_schema()::regnamespace AND NOT c.relname LIKE ANY(%s::text[])
           GROUP BY c.oid, c.relname, c.relkind ORDER BY c.relname""",
        ([name.replace("_", "\\_") for name in LEFT_OUT],),
    )
    return [_Table(name, columns, parted) for name, parted, columns in cursor.fetchall()]


def _migrations(cursor: Any) -> list[tuple[str, str]]:
    cursor.execute("SELECT app, name FROM django_migrations")
    return [tuple(row) for row in cursor.fetchall()]


def _months(cursor: Any) -> dict[str, list[str]]:
    """Partitioned table → first days of the months it has a partition for."""
    cursor.execute(
        """SELECT p.relname, to_char(to_date(right(c.relname, 6), 'YYYYMM'), 'YYYY-MM-DD')
           FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid
           WHERE p.relkind = 'p' AND p.relnamespace = current_schema()::regnamespace AND c.relname ~ '_[0-9]{6}$'
           ORDER BY 1, 2"""
    )
    found: dict[str, list[str]] = {}
    for parent, month in cursor.fetchall():
        found.setdefault(parent, []).append(month)
    return found


def _references(cursor: Any) -> list[tuple[str, str, str]]:
    """(table, name, definition) of every foreign key between tables of the backup."""
    cursor.execute(
        """SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)
           FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
           WHERE k.contype = 'f' AND k.conparentid = 0 AND c.relnamespace = current_schema()::regnamespace
             AND c.relname NOT LIKE 'procrastinate%'
           ORDER BY 1, 2"""
    )
    return cursor.fetchall()


def _alter(table: str, what: sql.Composable) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} {}").format(sql.Identifier(table), what)


def _taken_at(manifest: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(manifest["taken_at"])


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else _("it is no zip file")


def _silent(what: str, done: int, of: int) -> None:
    pass


# --- The key ----------------------------------------------------------------------------------------------------

_SCRYPT = {"n": 2**16, "r": 8, "p": 1}


def wrap_key(key: str, passphrase: str) -> dict[str, Any]:
    """The key encrypted under a passphrase (scrypt, then Fernet), as it is stored in a backup."""
    from cryptography.fernet import Fernet

    salt = secrets.token_bytes(16)
    token = Fernet(_from_passphrase(passphrase, salt, **_SCRYPT)).encrypt(key.encode())
    return {"kdf": "scrypt", **_SCRYPT, "salt": base64.b64encode(salt).decode(), "token": token.decode()}


def unwrap_key(wrapped: dict[str, Any], passphrase: str) -> str:
    """The key out of `wrap_key`. Raises `Refused` for a wrong passphrase."""
    from cryptography.fernet import Fernet, InvalidToken

    try:
        # Bounded: a forged file must not make us compute for hours.
        n, r, p = int(wrapped["n"]), int(wrapped["r"]), int(wrapped["p"])
        if not (n <= 2**20 and n & (n - 1) == 0 and r <= 16 and p <= 4):
            raise ValueError("scrypt")
        derived = _from_passphrase(passphrase, base64.b64decode(wrapped["salt"]), n, r, p)
        return Fernet(derived).decrypt(wrapped["token"].encode()).decode()
    except (InvalidToken, KeyError, ValueError, TypeError):
        raise Refused(
            _("The passphrase does not open the key in this backup; nothing was restored."),
            code="wrong_passphrase",
        ) from None


def _from_passphrase(passphrase: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return base64.urlsafe_b64encode(Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(passphrase.encode()))


def _key_check() -> str:
    """Tells whether two installations have the same key, and nothing about it."""
    return keyed_digest("the key of this installation").hex()[:32]


def _key_of(archive: zipfile.ZipFile, manifest: dict[str, Any], passphrase: str) -> str:
    """The key in the backup, opened; "" where there is none or nobody asked for it. Raises `Refused`."""
    if not passphrase:
        return ""
    if not manifest["key"]["wrapped"]:
        raise Refused(
            _(
                "There is no key in this backup: it was written without a passphrase. Leave the passphrase out."
            ),
            code="no_key",
        )
    return unwrap_key(json.loads(archive.read("key.json")), passphrase)


def _settle_key(key: str, manifest: dict[str, Any]) -> list[str]:
    """Put the backup's key in place, or say what has to be done about it. Returns sentences."""
    if key and key != settings.SECRET_KEY:
        path = Path(settings.DAIFA_HOME) / "secret.key"
        if (
            os.environ.get("DAIFA_SECRET_KEY", "").strip()
            or os.environ.get("DAIFA_SECRET_KEY_FILE", "").strip()
        ):
            return [
                _(
                    "The key of this installation is given by DAIFA_SECRET_KEY or DAIFA_SECRET_KEY_FILE and differs from "
                    "the backup's. Stored secrets stay closed until you set the former key there."
                )
            ]
        if path.exists():
            shutil.copy2(path, path.with_name("secret.key.before-restore"))
        handle, aside = tempfile.mkstemp(prefix=".secret.key.", dir=path.parent)
        with os.fdopen(handle, "w") as file:
            file.write(key + "\n")
        os.replace(aside, path)
        return []
    if not key and manifest["key"]["check"] != _key_check():
        return [
            _(
                "This installation has another key than the one the backup was made under. Stored secrets (keys of "
                "channel accounts) stay closed until you put the former secret.key in place."
            )
        ]
    return []
