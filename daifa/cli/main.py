"""`daifa`: finds the module of a command, opens the database, hands over.

A new command is one line in COMMANDS: its name, `module:attribute`, the line `daifa --help` shows, and what it needs.
The attribute is a `typer.Typer` (a group, or one command) or a plain function. Its module is imported after Django is
set up and the database runs, so it may import models at the top; `daifa --help` imports none of them.
"""

import os
import signal
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from types import FunctionType

import typer
from typer.core import TyperGroup

from daifa import __version__
from daifa.cli import language, misuse


@dataclass(frozen=True)
class Entry:
    """Where a command lives. `needs`: "nothing", "settings" (Django, no server) or "database" (a migrated one)."""

    target: str
    help: str
    needs: str = "database"


COMMANDS = {
    "up": Entry("daifa.cli.up:up", "Start the shop: database, web and worker.", "nothing"),
    "work": Entry("daifa.cli.work:work", "Run the jobs that are due, here and now."),
    "replay": Entry("daifa.cli.replay:replay", "Run a past period in one process."),
    "sample": Entry("daifa.cli.sample:app", "The sample shop: load, remove."),
    "stores": Entry("daifa.cli.stores:app", "Stores: add, list."),
    "suppliers": Entry("daifa.cli.suppliers:app", "Suppliers: add, list."),
    "import": Entry(
        "daifa.cli.imports:app", "Read products, offers, orders, replies, tracking, expenses or violations from files."
    ),
    "export": Entry("daifa.cli.exports:app", "Write purchase runs and dispatch files."),
    "orders": Entry("daifa.cli.orders:app", "Orders: list, show."),
    "purchases": Entry("daifa.cli.purchases:app", "Purchase orders: list, show."),
    "cases": Entry("daifa.cli.cases:app", "Aftersale cases: list, show, approve, refuse, receive, refund."),
    "violations": Entry("daifa.cli.violations:app", "Violations: list, show, add, points, appeal, deposit."),
    "evidence": Entry("daifa.cli.violations:evidence", "Make an evidence pack: a PDF and a ZIP with hashes."),
    "books": Entry("daifa.cli.books:app", "Trial balance, profit and loss, expenses, supplier payments."),
    "policy": Entry("daifa.cli.policy:app", "The rule book: check, explain, override, changes, words."),
    "exit-index": Entry("daifa.cli.exit_index:exit_index", "How likely stores are to stay open, why, and what to try."),
    "privacy": Entry("daifa.cli.privacy:app", "Buyers' data: show, export, erase, retention, map."),
    "clocks": Entry("daifa.cli.clocks:app", "Deadlines and their money: list, parcels, reckon, dispatch, announce, agreed."),
    "health": Entry("daifa.cli.health:health", "A store's figures against its channel's lines."),
    "listings": Entry("daifa.cli.listings:app", "Listings: draft, publish, pause, what waits, files for channels."),
    "figures": Entry("daifa.cli.figures:app", "Figures the platforms show: list, add, import, table, withdraw."),
    "audit": Entry("daifa.cli.audit:audit", "Recompute the invariants and name each breach."),
    "closing": Entry("daifa.cli.closing:app", "Close a store in good order, and come back."),
    "platform": Entry("daifa.cli.platform_side:app", "The platform's side of closings, as a stand-in."),
    "backup": Entry("daifa.cli.backups:backup", "Write everything into one file."),
    "restore": Entry("daifa.cli.backups:restore", "Read a backup into an empty database, quarantined."),
    "quarantine": Entry(
        "daifa.cli.backups:quarantine", "A restored copy: read back, settle, release."
    ),
    "login-link": Entry("daifa.cli.up:login_link", "Print a new one-time login link."),
    "migrate": Entry("daifa.cli.up:migrate_tables", "Bring the tables up to this version.", "server"),
    "manage": Entry("daifa.cli.up:manage", "Django's own management commands.", "server"),
}


NO_SUCH_COMMAND = language.N_("No such command %(name)s.")
STEPS_MISSING = language.N_(
    "The database of DATABASE_URL lacks %(count)d steps of this version (first: %(first)s). Make a backup, then run `daifa migrate`."
)
DID_YOU_MEAN = language.N_("Did you mean %(names)s?")


class Registry(TyperGroup):
    """Shows COMMANDS without importing them; imports the one that is called."""

    def list_commands(self, ctx):
        return list(COMMANDS)

    def get_command(self, ctx, cmd_name):
        """A stand-in that only knows its help line; enough for `--help` and completion."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        stand_in = typer.Typer(add_completion=False)
        stand_in.command(cmd_name, help=entry.help)(lambda: None)
        return language.translate(typer.main.get_command(stand_in))

    def resolve_command(self, ctx, args):
        entry = COMMANDS.get(args[0])
        if entry is None:
            say = language.words(language.wanted(os.environ))
            near = " / ".join(map(repr, get_close_matches(args[0], COMMANDS)))
            sentence = say(NO_SUCH_COMMAND) % {"name": repr(args[0])}
            ctx.fail(f"{sentence} {say(DID_YOU_MEAN) % {'names': near}}" if near else sentence)
        asks_only = "--help" in args[1:]
        _open("settings" if asks_only and entry.needs != "nothing" else entry.needs)
        module, attribute = entry.target.split(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, FunctionType):
            group = typer.Typer(add_completion=False)
            # `manage` passes everything on, its own --help included.
            group.command(
                args[0], help=found.__doc__ or entry.help, context_settings=getattr(found, "context", None)
            )(found)
            found = group
        command = typer.main.get_command(found)
        command.name = args[0]
        return args[0], language.translate(command), args[1:]

    def make_context(self, *args, **kwargs):
        with misuse.spoken():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx):
        with misuse.spoken():
            return super().invoke(ctx)

    def get_help(self, ctx):
        language.translate(self)
        return super().get_help(ctx)


app = typer.Typer(cls=Registry, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def daifa(
    version: bool = typer.Option(
        False, "--version", is_eager=True, callback=lambda wanted: _print_version(wanted),
        help="Which version this is.",
    ),
):
    """daifa (代发) runs a shop that holds no stock."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"daifa {__version__}")
        raise typer.Exit


def _open(needs: str) -> None:
    """Set up what a command needs, see Entry."""
    if needs == "nothing":
        return
    from daifa.config.database import ensure_database, given_url

    if needs in ("database", "server"):
        ensure_database()
    import django

    django.setup()
    if needs == "database":
        from daifa.config.schema import migrate, missing_migrations

        if missing := missing_migrations():
            if given_url():
                raise _Sentence(
                    language.words(language.wanted(os.environ))(STEPS_MISSING)
                    % {"count": len(missing), "first": sorted(missing)[0]}
                )
            migrate()


class _Sentence(Exception):
    """Ends the program with a sentence and exit code 1."""


def main() -> None:
    """The console script. Exit code 0 only on success; errors a person can mend are one sentence on stderr."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "daifa.config.settings")
    language.speak()
    # A terminated command ends as an interrupted one does: what it opened is closed, the database released.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    from daifa.config.database import DatabaseUnavailable
    from daifa.lib.refusal import Refused

    try:
        app(prog_name="daifa")
    except (DatabaseUnavailable, _Sentence) as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
    except Refused as error:
        typer.echo(error.sentence, err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of a pipe went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
