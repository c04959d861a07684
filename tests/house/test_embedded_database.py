"""The embedded PostgreSQL: starts, is shared, is taken over after kill -9, refuses what it must."""

import multiprocessing
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import psycopg
import pytest

from daifa.config import database
from daifa.config.database import Cluster, DatabaseUnavailable


@pytest.fixture
def cluster():
    made = database.new_temporary()
    yield made
    database.remove_temporary(made)


def ask(cluster: Cluster, question: str):
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        return connection.execute(question).fetchone()[0]


def until(condition, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_starts_privately_and_stops_with_its_last_user(cluster):
    assert cluster.start() is True
    assert ask(
        cluster, "SELECT current_setting('server_encoding') || ' ' || datcollate FROM pg_database LIMIT 1"
    ) == ("UTF8 C.UTF-8")
    assert ask(cluster, "SHOW listen_addresses") == ""
    for private in (cluster.data, cluster.sockets):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert stat.S_IMODE((cluster.top / "pg.password").stat().st_mode) == 0o600

    second = Cluster(cluster.top, extra=cluster.extra)
    assert second.start() is False, "a second process joins the running server"
    assert cluster.release() is False, "the server stays while another uses it"
    assert ask(second, "SELECT 1") == 1
    assert second.release() is True
    assert second.running() is None


def test_without_the_password_nobody_gets_in(cluster):
    cluster.start()
    with pytest.raises(
        psycopg.OperationalError, match=r"password authentication failed|no password supplied"
    ):
        psycopg.connect(host=str(cluster.sockets), port=5432, user="daifa", dbname="daifa", password="wrong")
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(
            host=str(cluster.sockets), port=5432, user="daifa", dbname="daifa", passfile="/dev/null"
        )


def test_data_survives_kill_9_of_the_server(cluster):
    cluster.extra = {}  # as in real use: a commit is on the disk
    cluster.start()
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    pid = cluster.running()
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: cluster.running() is None)
    assert (cluster.data / "postmaster.pid").exists(), "the dead server left its file"
    again = Cluster(cluster.top, extra=cluster.extra)
    assert again.start() is True
    assert ask(again, "SELECT answer FROM kept") == 42


def test_a_server_left_by_a_killed_program_is_taken_over_and_stopped(cluster):
    program = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from daifa.config.database import Cluster, FAST_AND_FORGETFUL
        Cluster(Path({str(cluster.top)!r}), extra=FAST_AND_FORGETFUL).start()
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    killed = subprocess.run([sys.executable, "-c", program])
    assert killed.returncode == -signal.SIGKILL
    left = cluster.running()
    assert left, "the server outlives the program that started it"
    assert cluster.start() is False
    assert cluster.running() == left
    assert ask(cluster, "SELECT 1") == 1
    assert cluster.release() is True
    assert cluster.running() is None


@pytest.mark.parametrize("dead", [False, True], ids=["another program", "a dead process nobody collected"])
def test_a_pid_file_that_names_no_server_is_cleared(cluster, dead):
    cluster.start()
    cluster.release()
    # As after a reboot in which some other program got the dead server's number, and as in a container in which nobody
    # collects the dead. It runs as the server's own user: only then does PostgreSQL mistake it for a living server.
    owner = cluster.data.stat()
    user = {"user": owner.st_uid} if os.geteuid() == 0 else {}
    stranger = subprocess.Popen(["sleep", "60"], cwd="/", **user)
    try:
        if dead:
            stranger.kill()  # and not waited for
        for file, text in (
            (
                cluster.data / "postmaster.pid",
                f"{cluster.data}\n1\n5432\n{cluster.sockets}\n\n  0  0\nready\n",
            ),
            (cluster.sockets / ".s.PGSQL.5432.lock", f"{cluster.data}\n1\n5432\n{cluster.sockets}\n"),
        ):
            file.write_text(f"{stranger.pid}\n{text}")
            os.chown(file, owner.st_uid, owner.st_gid)
            file.chmod(0o600)
        assert cluster.running() is None
        assert cluster.start() is True
        assert ask(cluster, "SELECT 1") == 1
        assert dead or stranger.poll() is None, "the other program was left alone"
    finally:
        stranger.kill()
        stranger.wait()


def test_many_processes_at_once_start_one_server(cluster):
    program = textwrap.dedent(f"""
        import psycopg, time
        from pathlib import Path
        from daifa.config.database import Cluster, FAST_AND_FORGETFUL
        c = Cluster(Path({str(cluster.top)!r}), extra=FAST_AND_FORGETFUL)
        started = c.start()
        with psycopg.connect(c.url()) as connection:
            connection.execute("SELECT 1")
        time.sleep(0.3)
        print(started, c.release())
    """)
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    starts, stops = [pair[0] for pair in said].count("True"), [pair[1] for pair in said].count("True")
    assert starts == stops >= 1
    assert cluster.running() is None


def test_a_newer_data_folder_is_refused_untouched(cluster):
    cluster.start()
    cluster.release()
    version = cluster.data / "PG_VERSION"
    version.write_text("99\n")
    with pytest.raises(
        DatabaseUnavailable, match=r"written by PostgreSQL 99, which is newer than the built-in 18"
    ):
        cluster.start()
    assert version.read_text() == "99\n"
    version.write_text("14\n")
    with pytest.raises(DatabaseUnavailable, match=r"written by PostgreSQL 14; this daifa brings 18"):
        cluster.start()


def test_a_foreign_folder_is_not_overwritten(cluster):
    cluster.data.mkdir()
    (cluster.data / "letter.txt").write_text("keep me")
    with pytest.raises(DatabaseUnavailable, match="holds files but no PostgreSQL data folder"):
        cluster.start()
    assert (cluster.data / "letter.txt").read_text() == "keep me"


def test_a_long_path_gets_a_short_private_socket_folder():
    long = Path("/srv") / ("x" * 120)
    folder = Cluster(long).sockets
    assert len(os.fsencode(folder)) <= database.LONGEST_SOCKET_FOLDER
    assert folder != long / "run"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_as_root_a_private_parent_is_refused_and_stays_private():
    private = Path(tempfile.mkdtemp(prefix="daifa-private-", dir="/tmp"))  # mode 0700, root's
    try:
        top = private / "home"
        top.mkdir()
        with pytest.raises(DatabaseUnavailable, match=f"may not enter {private}"):
            Cluster(top).start()
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    finally:
        shutil.rmtree(private)


def _as_ordinary_user(top: str, binaries: str, uid: int, results) -> None:
    # In a forked child: from here on an ordinary user, who cannot become root again.
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    try:
        database.programs = lambda: Path(binaries)  # a wheel in a venv this user can read
        cluster = Cluster(Path(top), extra=database.FAST_AND_FORGETFUL)
        started = cluster.start()
        owner = ask(cluster, "SELECT current_user")
        results.put((started, owner, cluster.data.stat().st_uid, cluster.release()))
    except BaseException as error:
        results.put(repr(error))
        raise


@pytest.mark.skipif(
    os.geteuid() != 0, reason="run as root it also becomes an ordinary user; run as one it is the other tests"
)
def test_as_an_ordinary_user_nothing_needs_root():
    uid = pwd.getpwnam("nobody").pw_uid
    binaries = database.programs()
    private = Path(tempfile.mkdtemp(prefix="daifa-user-", dir="/tmp"))
    os.chown(private, uid, uid)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_as_ordinary_user, args=(str(private), str(binaries), uid, results))
    try:
        child.start()
        assert results.get(timeout=60) == (True, "daifa", uid, True)
        child.join(30)
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    finally:
        if child.is_alive():
            child.kill()
        shutil.rmtree(private)


def test_an_unreadable_database_url_says_how_it_looks(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "not an address")
    with pytest.raises(DatabaseUnavailable, match="looks like postgresql://"):
        database.django_settings()


def test_an_absent_server_is_named_without_its_password(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://shop:geheim@127.0.0.1:1/books")
    with pytest.raises(DatabaseUnavailable) as caught:
        database.ensure_database()
    assert "'books' on '127.0.0.1'" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_an_old_server_is_refused(monkeypatch, cluster):
    cluster.start()
    monkeypatch.setenv("DATABASE_URL", cluster.url())
    assert database.ensure_database() == cluster.url()
    monkeypatch.setattr(database, "OLDEST_SERVER", 99)
    with pytest.raises(DatabaseUnavailable, match="daifa needs 99 or newer"):
        database.ensure_database()
