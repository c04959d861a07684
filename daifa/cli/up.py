"""`daifa up`: database, tables, sample shop, web and worker, and the address to open. Also the small commands around it."""

import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime

import typer
from django.utils.translation import gettext

from daifa.config import database, home
from daifa.lib.children import end_with_parent

LOOPBACK = ("127.0.0.1", "localhost", "::1")
HEALTHY_SECONDS = 60
STOP_SECONDS = 20
# A part that ends this often within a minute is not started again: something is wrong that a restart does not mend.
MOST_RESTARTS = 5


def up(
    host: str = typer.Option("127.0.0.1", help="Address to listen on."),
    port: int = typer.Option(8000, help="Port to listen on."),
    sample: bool | None = typer.Option(
        None,
        "--sample/--no-sample",
        help="Load the sample shop into an empty database (default: not over DATABASE_URL).",
    ),
    web_workers: int = typer.Option(0, help="Web processes; 0 = one per core, two at most."),
):
    """Start the shop: database, web and worker. Ctrl-C stops everything this started."""
    os.environ.setdefault(
        "DAIFA_BASE_URL", f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"
    )
    began = time.monotonic()
    # A shell that starts a program in the background makes it deaf to SIGINT; whoever sends one means it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Held for the life of this process only; children do not inherit it.
    only_one = _claim_home()
    home.remember_base_url(os.environ["DAIFA_BASE_URL"])
    _wait_for_port(host, port)
    database.ensure_database()

    import django

    django.setup()
    from daifa.config.schema import migrate, missing_migrations
    from daifa.lib import clock

    if missing_migrations():
        typer.echo(gettext("Preparing the tables …"))
        migrate()
    _load_sample(wanted=sample if sample is not None else not database.given_url(), at=clock.now())

    parts = [
        Part("web", _web_command(host, port, web_workers or min(2, os.cpu_count() or 1))),
        Part("worker", [sys.executable, "-m", "daifa.worker"]),
    ]
    try:
        since = _database_time()
        for part in parts:
            part.start()
        _wait_until_healthy(parts, host, port, since)
        _greet(host, port, time.monotonic() - began)
        _supervise(parts)
    except KeyboardInterrupt:
        typer.echo(gettext("Stopping …"))
    finally:
        _stop(parts)
        only_one.close()


def login_link(
    user: str = typer.Option("", help="User name; the owner where none is given."),
):
    """Print a new one-time login link; earlier unused ones stop working."""
    from daifa.domain.people.models import User

    person = None
    if user:
        person = User.objects.filter(username=user, is_active=True).first()
        if person is None:
            typer.echo(gettext("There is no active user named “%(name)s”.") % {"name": user}, err=True)
            raise typer.Exit(1)
    from django.conf import settings

    typer.echo(_login_link(settings.BASE_URL, person))


def migrate_tables():
    """Bring the tables up to this version."""
    from daifa.config.schema import migrate, missing_migrations

    missing = missing_migrations()
    migrate()
    typer.echo(
        gettext("Applied %(count)d steps.") % {"count": len(missing)}
        if missing
        else gettext("The tables are those of this version.")
    )


def manage(ctx: typer.Context):
    """Django's own management commands, for developers: daifa manage makemigrations …"""
    from django.core.management import execute_from_command_line

    execute_from_command_line(["daifa manage", *ctx.args])


manage.context = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


# --- Before -----------------------------------------------------------------------------------------------------


def _claim_home():
    """One `daifa up` a home. Returns the open lock file."""
    file = (home.make_home() / "up.lock").open("a+")
    deadline = time.monotonic() + 5
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise database.DatabaseUnavailable(
                    f"daifa is already running on {home.home()}. Stop that one (Ctrl-C in its window), "
                    f"or give this one another DAIFA_HOME and --port."
                ) from None
            time.sleep(0.2)


def _wait_for_port(host: str, port: int) -> None:
    """Refuse a busy port with a sentence; a web server that is just stopping gets a few seconds."""
    deadline = time.monotonic() + 5
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with closing(socket.socket(family)) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((host, port))
                return
            except PermissionError:
                raise database.DatabaseUnavailable(
                    f"Port {port} is reserved for the system's own services. Choose one from 1024 up: daifa up --port 8000"
                ) from None
            except OSError as error:
                if time.monotonic() > deadline:
                    raise database.DatabaseUnavailable(
                        f"Cannot listen on {host} port {port}: {error.strerror or error}. Stop the program that uses it, "
                        f"or choose another: daifa up --port {port + 1}"
                    ) from None
        time.sleep(0.2)


def _load_sample(*, wanted: bool, at: datetime) -> None:
    from daifa.flows.sample_shop import (
        is_empty_database,
        is_half_loaded,
        load_sample_shop,
        remove_sample_shop,
    )

    # A load that was interrupted left a part of the shop; it is taken out and loaded anew.
    if is_half_loaded():
        typer.echo(gettext("Taking out the half-loaded sample shop …"))
        remove_sample_shop(by="cli:up", at=at)
    if not wanted or not is_empty_database():
        return
    from rich.console import Console
    from rich.progress import Progress

    typer.echo(gettext("Loading the sample shop …"))
    with Progress(transient=True, disable=not sys.stdout.isatty(), console=Console(stderr=True)) as bar:
        task = bar.add_task(gettext("sample shop"), total=None)
        load_sample_shop(by="cli:up", at=at, progress=lambda done, of: bar.update(task, completed=done, total=of))


def _database_time() -> datetime:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


# --- While ------------------------------------------------------------------------------------------------------


def _web_command(host: str, port: int, workers: int) -> list[str]:
    return [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port),
        "--workers", str(workers), "--blocking-threads", "4", "--no-ws", "--log-level", "warning",
        "--respawn-failed-workers", "--workers-kill-timeout", "5", "daifa.config.wsgi:application",
    ]  # fmt: skip


@dataclass
class Part:
    """A child process that is kept alive: the web server, the worker."""

    name: str
    command: list[str]
    process: subprocess.Popen | None = None
    restarts: list[float] = field(default_factory=list)

    def start(self) -> None:
        # A session of its own: Ctrl-C reaches `daifa up` only, which then stops its parts in order. Should `daifa up`
        # be killed, the kernel ends them.
        self.process = subprocess.Popen(
            self.command, start_new_session=True, preexec_fn=end_with_parent, stdin=subprocess.DEVNULL
        )

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def ask_to_end(self) -> None:
        # Only the process itself: it ends its own children in order.
        if self.process is not None and not self.ended():
            self.process.terminate()

    def end(self) -> None:
        """The process and whatever it left behind, at once."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(5)


def _wait_until_healthy(parts: list[Part], host: str, port: int, since: datetime) -> None:
    deadline = time.monotonic() + HEALTHY_SECONDS
    waiting = {"web": lambda: _web_answers(host, port), "worker": lambda: _worker_beats(since)}
    while waiting:
        for part in parts:
            if part.ended():
                raise database.DatabaseUnavailable(
                    f"The {part.name} ended while starting (exit code {part.process.returncode}); its message stands above."
                )
        waiting = {name: healthy for name, healthy in waiting.items() if not healthy()}
        if waiting and time.monotonic() > deadline:
            raise database.DatabaseUnavailable(
                f"The {' and the '.join(waiting)} did not become ready within {HEALTHY_SECONDS} seconds."
            )
        time.sleep(0.2)


def _web_answers(host: str, port: int) -> bool:
    try:
        with closing(http.client.HTTPConnection(_reachable(host), port, timeout=5)) as connection:
            connection.request("GET", "/healthz", headers={"Host": "127.0.0.1"})
            return connection.getresponse().status == 200
    except OSError:
        return False


def _worker_beats(since: datetime) -> bool:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM procrastinate_workers WHERE last_heartbeat >= %s)", [since]
        )
        return cursor.fetchone()[0]


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _login_link(base: str, person=None) -> str:
    from daifa.domain.people.commands import ensure_owner, issue_login_token
    from daifa.lib import clock

    at = clock.now()
    if person is None:
        person, _ = ensure_owner(by="cli:up", at=at)
    return f"{base}/login/once/{issue_login_token(person, by='cli:up', at=at)}/"


def _greet(host: str, port: int, seconds: float) -> None:
    from django.conf import settings

    ready = gettext("daifa is ready (%(seconds)d s)") % {"seconds": round(seconds)}
    typer.echo(f"\n  {ready}   {settings.BASE_URL}/")
    once = gettext("Owner login, works once within 15 minutes:")
    typer.echo(f"  {once}\n  {_login_link(settings.BASE_URL)}")
    typer.echo(f"  {gettext('Another link: daifa login-link      Stop: Ctrl-C')}\n")
    if host not in LOOPBACK and not settings.BASE_URL.startswith("https"):
        note = gettext(
            "Note: this address can be reached from other machines without encryption; see docs/operate/install.md."
        )
        typer.echo(f"  {note}\n")
    sys.stdout.flush()


def _supervise(parts: list[Part]) -> None:
    while True:
        for part in parts:
            if part.ended():
                now = time.monotonic()
                part.restarts = [moment for moment in part.restarts if now - moment < 60] + [now]
                code = part.process.returncode
                part.end()  # what it left behind, so that the port is free
                if len(part.restarts) > MOST_RESTARTS:
                    raise database.DatabaseUnavailable(
                        f"The {part.name} ended {len(part.restarts)} times within a minute (exit code {code}); "
                        f"its message stands above."
                    )
                told = gettext("The %(part)s ended (exit code %(code)s); starting it again.")
                typer.echo(told % {"part": part.name, "code": code}, err=True)
                time.sleep(min(2 ** (len(part.restarts) - 1), 16) * 0.5)
                part.start()
        time.sleep(0.5)


def _stop(parts: list[Part]) -> None:
    """End the parts; a second Ctrl-C does not leave them behind."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for part in parts:
        part.ask_to_end()
    deadline = time.monotonic() + STOP_SECONDS
    for part in parts:
        if part.process is not None:
            with suppress(subprocess.TimeoutExpired):
                part.process.wait(max(0.1, deadline - time.monotonic()))
        part.end()
