"""`daifa backup`, `daifa restore`, and letting a restored copy act again: `daifa quarantine …`."""

import os
from contextlib import contextmanager
from pathlib import Path

import typer
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from daifa.cli.output import AS_JSON, actor, fail, put_json, sentences, table, watched, when
from daifa.lib import clock
from daifa.lib.commas import listed

PASSPHRASE = "DAIFA_BACKUP_PASSPHRASE"  # noqa: S105  the name of a variable
SHORTEST = 12


def backup(
    file: Path = typer.Argument(help="The file to write; it must not exist yet."),
    passphrase: bool = typer.Option(
        False,
        "--passphrase",
        help="Put the key of the installation in, wrapped by a passphrase (asked for, or $DAIFA_BACKUP_PASSPHRASE).",
    ),
    as_json: bool = AS_JSON,
):
    """Write everything into one file, while the shop goes on working."""
    from daifa.flows.backup import write_backup

    words = _passphrase(confirm=True) if passphrase else ""
    with sentences(), _bars(as_json) as progress:
        written = write_backup(file, by=actor(), at=clock.now(), passphrase=words, progress=progress)
    if as_json:
        put_json({
            "file": str(written.path), "taken_at": written.taken_at, "tables": written.tables, "rows": written.rows,
            "files": written.files, "bytes": written.size, "holds_key": written.holds_key,
        })  # fmt: skip
        return
    typer.echo(
        _("%(path)s: %(rows)s rows of %(tables)d tables, %(files)d files, %(size)s MB. It holds people's addresses: keep it "
          "where only you can read it.")
        % {
            "path": written.path, "rows": f"{written.rows:,}", "tables": written.tables, "files": written.files,
            "size": f"{written.size / 1e6:.1f}",
        }
    )
    if not written.holds_key:
        typer.echo(_("The key of the installation is not in it: keep secret.key as well, in another place."))


def restore(
    file: Path = typer.Argument(help="A file written by `daifa backup`."),
    passphrase: bool = typer.Option(
        False,
        "--passphrase",
        help="Open the key in the backup and put it in place (passphrase asked for, or $DAIFA_BACKUP_PASSPHRASE).",
    ),
    as_json: bool = AS_JSON,
):
    """Read a backup into an empty database. The copy is quarantined: see `daifa quarantine`."""
    from daifa.flows.backup import restore_backup

    words = _passphrase(confirm=False) if passphrase else ""
    with sentences(), _bars(as_json) as progress:
        restored = restore_backup(file, by=actor(), at=clock.now(), passphrase=words, progress=progress)
    if as_json:
        put_json({
            "taken_at": restored.taken_at, "rows": restored.rows, "files": restored.files, "code": restored.code,
            "former_code": restored.former_code, "quarantined": True, "waiting_messages": restored.waiting_messages,
            "warnings": restored.warnings,
        })  # fmt: skip
        return
    typer.echo(
        _("Restored the state of %(when)s: %(rows)s rows, %(files)d files.")
        % {"when": when(restored.taken_at), "rows": f"{restored.rows:,}", "files": restored.files}
    )
    for warning in restored.warnings:
        typer.echo(warning)
    if restored.waiting_messages:
        typer.echo(
            _("Messages that were waiting when the backup was taken: %(count)d. They may have been sent since; each will "
              "ask you.") % {"count": restored.waiting_messages}
        )
    typer.echo(
        _("This copy is quarantined: nothing leaves it. Its purchase references begin with %(code)s from now on.")
        % {"code": restored.code}
    )
    typer.echo(
        _("Next: stop the other copy for good, import what came in since, then `daifa quarantine read-back` and "
          "`daifa quarantine release`.")
    )


quarantine = typer.Typer(
    no_args_is_help=True, add_completion=False, help="A restored copy: what it must know before it may act."
)


@quarantine.command()
def status(as_json: bool = AS_JSON):
    """Whether this copy is quarantined, since when, and what is still in doubt."""
    from daifa.domain.stores.queries import installation, why_not_outward
    from daifa.flows.quarantine import questions

    here, at = installation(), clock.now()
    open_questions = questions()
    sentence = why_not_outward(at)
    if as_json:
        put_json({
            "quarantined": bool(here and here.quarantined_at and not here.released_at), "sentence": sentence,
            "code": here.code if here else "", "backup_taken_at": here.backup_taken_at if here else None,
            "read_back_at": here.read_back_at if here else None, "released_at": here.released_at if here else None,
            "released_by": here.released_by if here else "", "questions": len(open_questions),
        })  # fmt: skip
        return
    typer.echo(sentence or _("This copy may act."))
    if open_questions:
        typer.echo(
            _("Purchases and workbooks in doubt: %(count)d. See `daifa quarantine questions`.")
            % {"count": len(open_questions)}
        )


@quarantine.command("read-back")
def read_back(as_json: bool = AS_JSON):
    """Ask every supplier that can be asked what it got from us since the backup. May be repeated."""
    from daifa.flows.quarantine import read_back as run

    with sentences():
        result = run(at=clock.now(), by=actor())
    if as_json:
        put_json({
            "placed": result.placed, "absent": result.absent, "doubtful": result.doubtful, "runs": result.runs,
            "foreign": result.foreign, "silent": result.silent,
        })  # fmt: skip
    else:
        typer.echo(
            _("%(placed)d purchases were placed by the other copy; %(absent)d were not and wait to be placed; %(doubtful)d "
              "purchases and %(runs)d workbooks are in doubt: ask the factories (`daifa quarantine questions`).")
            % {"placed": result.placed, "absent": result.absent, "doubtful": result.doubtful, "runs": result.runs}
        )
        for code, references in result.foreign.items():
            typer.echo(
                ngettext(
                    "%(supplier)s has %(count)d purchase of ours that this copy does not know: %(references)s.",
                    "%(supplier)s has %(count)d purchases of ours that this copy does not know: %(references)s.",
                    len(references),
                )
                % {
                    "supplier": code, "count": len(references),
                    "references": listed(references[:5]) + (" …" if len(references) > 5 else ""),
                }
            )
    if result.silent:
        fail(
            _("No answer from %(names)s. Run this again later; until then nothing leaves this copy.")
            % {"names": listed(result.silent)}
        )


@quarantine.command()
def questions(as_json: bool = AS_JSON):
    """What to ask the factories: purchases and workbooks of which nobody knows whether they arrived."""
    from daifa.flows.quarantine import questions as run

    found = run()
    if as_json:
        put_json(found)
    else:
        table(
            [_("supplier"), _("mail"), _("reference or workbook"), _("order"), _("units"), _("since")],
            [(q.supplier, q.email, q.reference, q.order, q.units, when(q.at)) for q in found],
            right=(4,),
        )


@quarantine.command()
def settle(
    references: list[str] = typer.Argument(help="References of purchases, or names of workbooks."),
    placed: bool = typer.Option(..., "--placed/--not-placed", help="Whether the supplier has them."),
    known_as: str = typer.Option(
        "", help="The reference the supplier knows a single purchase by, if another."
    ),
    as_json: bool = AS_JSON,
):
    """Say what the factory answered. What it has is placed, what it has not is sent."""
    from daifa.flows import place_purchases
    from daifa.flows.quarantine import questions as asked
    from daifa.flows.quarantine import settle_purchases

    by_name = {question.reference: question for question in asked()}
    if missing := [reference for reference in references if reference not in by_name]:
        fail(_("Not in doubt: %(names)s. See `daifa quarantine questions`.") % {"names": listed(missing)})
    if known_as and len(references) != 1:
        fail(_("--known-as goes with one reference."))
    at, by = clock.now(), actor()
    purchases = [by_name[reference].purchase for reference in references if by_name[reference].purchase]
    runs = [by_name[reference].run for reference in references if by_name[reference].run]
    with sentences():
        refused = settle_purchases(
            purchases,
            placed=placed,
            by=by,
            at=at,
            references=dict.fromkeys(purchases, known_as) if known_as else None,
        )
        for run in runs:
            place_purchases.settle_run(run, placed, by=by, at=at)
    if refused:
        fail(" ".join(refused.values()))
    if as_json:
        put_json({"purchases": len(purchases), "runs": len(runs), "placed": placed})
    else:
        told = {"purchases": len(purchases), "runs": len(runs)}
        typer.echo(_("Settled: %(purchases)d purchases, %(runs)d workbooks.") % told)


@quarantine.command()
def release(as_json: bool = AS_JSON):
    """Let this copy act again. The other one must have stopped for good."""
    from daifa.flows.quarantine import release as run

    with sentences():
        left = run(by=actor(), at=clock.now())
    if as_json:
        put_json({"released": True, "questions": left})
    else:
        typer.echo(_("Released: this copy acts again."))
        if left:
            typer.echo(_("Still in doubt, and not sent: %(count)d.") % {"count": left})


@contextmanager
def _bars(as_json: bool):
    """One bar at a time for `progress(what, done, of)` of the flows."""
    with watched("", quiet=as_json) as advance:
        yield lambda what, done, of: advance(done, of)


def _passphrase(*, confirm: bool) -> str:
    words = os.environ.get(PASSPHRASE, "") or typer.prompt(
        _("Passphrase"), hide_input=True, confirmation_prompt=confirm, err=True
    )
    if confirm and len(words) < SHORTEST:
        fail(
            _("Choose a passphrase of at least %(least)d characters: whoever has the file can try as often as he likes.")
            % {"least": SHORTEST}
        )
    return words
