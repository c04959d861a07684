"""`daifa backup`, `daifa restore`, and letting a restored copy act again: `daifa quarantine`."""

import getpass
import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path

import typer
from django.utils.translation import ngettext

from daifa.lib import clock
from daifa.lib.refusal import Refused

BY = f"cli:{getpass.getuser()}"
PASSPHRASE = "DAIFA_BACKUP_PASSPHRASE"  # noqa: S105  the name of a variable


def backup(
    file: Path = typer.Argument(help="The file to write; it must not exist yet."),
    passphrase: bool = typer.Option(
        False, help=f"Put the key of the installation in, wrapped by a passphrase (asked for, or ${PASSPHRASE})."
    ),
    as_json: bool = typer.Option(False, "--json", help="One JSON object instead of sentences."),
):
    """Write everything into one file, while the shop goes on working."""
    from daifa.flows.backup import write_backup

    words = _ask_passphrase(confirm=True) if passphrase else ""
    with _sentences(), _progress(as_json) as progress:
        written = write_backup(file, by=BY, at=clock.now(), passphrase=words, progress=progress)
    if as_json:
        typer.echo(json.dumps({
            "file": str(written.path), "taken_at": written.taken_at.isoformat(), "tables": written.tables,
            "rows": written.rows, "files": written.files, "bytes": written.size, "holds_key": written.holds_key,
        }))  # fmt: skip
        return
    typer.echo(
        f"{written.path}: {written.rows:,} rows of {written.tables} tables, {written.files} files, "
        f"{written.size / 1e6:.1f} MB. It holds people's addresses: keep it where only you can read it."
    )
    if not written.holds_key:
        typer.echo("The key of the installation is not in it: keep secret.key as well, in another place.")


def restore(
    file: Path = typer.Argument(help="A file written by `daifa backup`."),
    passphrase: bool = typer.Option(
        False, help=f"Open the key in the backup and put it in place (passphrase asked for, or ${PASSPHRASE})."
    ),
    as_json: bool = typer.Option(False, "--json", help="One JSON object instead of sentences."),
):
    """Read a backup into an empty database. The copy is quarantined: see `daifa quarantine`."""
    from daifa.flows.backup import restore_backup

    words = _ask_passphrase(confirm=False) if passphrase else ""
    with _sentences(), _progress(as_json) as progress:
        restored = restore_backup(file, by=BY, at=clock.now(), passphrase=words, progress=progress)
    if as_json:
        typer.echo(json.dumps({
            "taken_at": restored.taken_at.isoformat(), "rows": restored.rows, "files": restored.files,
            "code": restored.code, "former_code": restored.former_code, "quarantined": True,
            "waiting_messages": restored.waiting_messages, "warnings": restored.warnings,
        }))  # fmt: skip
        return
    typer.echo(f"Restored the state of {restored.taken_at:%Y-%m-%d %H:%M %Z}: {restored.rows:,} rows, {restored.files} files.")
    for warning in restored.warnings:
        typer.echo(warning)
    if count := restored.waiting_messages:
        typer.echo(
            ngettext(
                "%(count)s message was waiting when the backup was taken; whether it was sent since is for you to say.",
                "%(count)s messages were waiting when the backup was taken; whether they were sent since is for you to say.",
                count,
            )
            % {"count": count}
        )
    typer.echo(
        f"This copy is quarantined: nothing leaves it. Its purchase references begin with {restored.code} from now on.\n"
        f"Next: stop the other copy for good, import what came in since, then `daifa quarantine read-back` and "
        f"`daifa quarantine release`. docs/operate/backup.md tells it step by step."
    )


@contextmanager
def _sentences():
    try:
        yield
    except Refused as refused:
        typer.echo(refused.sentence, err=True)
        raise typer.Exit(1) from None


@contextmanager
def _progress(as_json: bool):
    """A bar when a person watches, nothing otherwise."""
    if as_json or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done, total=of)

        yield tell


def _ask_passphrase(*, confirm: bool) -> str:
    words = os.environ.get(PASSPHRASE, "") or typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm)
    if confirm and len(words) < 12:
        typer.echo("Choose a passphrase of at least 12 characters: whoever has the file can try as often as he likes.", err=True)
        raise typer.Exit(1)
    return words
