"""`daifa export`: workbooks for suppliers, dispatch files for stores."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import typer
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from daifa.cli import output
from daifa.lib import clock

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Write purchase runs and dispatch files.")


@app.command("purchases")
def purchases(
    supplier: str = typer.Option(..., help="The supplier's code."),
    out: Path = typer.Option(..., help="Folder to write the workbooks to."),
    store: str = typer.Option("", help="Only this store's; each store has its own workbook anyway."),
    again: int = typer.Option(0, help="Write run number N once more; its name says REPEAT."),
    as_json: bool = output.AS_JSON,
):
    """Put what is ready into workbooks, write them, and count it as placed: you are about to send them.

    A workbook is fixed when it is made: writing it again gives the same bytes.
    """
    from daifa.domain.purchasing import queries
    from daifa.domain.purchasing.models import PurchaseRun
    from daifa.flows import place_purchases

    at, by = clock.now(), output.actor()
    found, of_store = output.supplier_with(supplier), output.store_with(store) if store else None
    if found.kind != "workbook":
        output.fail(
            _("%(name)s takes no workbooks: purchases reach him by themselves (%(kind)s).")
            % {"name": found.name, "kind": found.get_kind_display()}
        )
    _check_outward(at)
    written = []
    with output.sentences():
        out.mkdir(parents=True, exist_ok=True)
        if again:
            runs = PurchaseRun.objects.filter(supplier=found, number=again)
        else:
            place_purchases.fix_runs(
                at=at, by=by, supplier_id=found.pk, store_id=of_store.pk if of_store else None
            )
            # Also those fixed earlier and never handed on: a crash between fixing and writing loses nothing.
            runs = PurchaseRun.objects.filter(supplier=found, state="fixed")
        if of_store:
            runs = runs.filter(store=of_store)
        ids = list(runs.order_by("number").values_list("id", flat=True))
        if again and not ids:
            output.fail(_("%(name)s has no run number %(number)s.") % {"name": found.name, "number": again})
        with output.watched(_("Workbooks"), quiet=as_json) as advance:
            for place, run in enumerate(ids, 1):
                written.append(_write(queries.run_row(output.scope(), run), out, by=by, at=at))
                advance(place, len(ids))
    if as_json:
        output.put_json({"supplier": supplier, "written": written})
    elif written:
        output.table(
            (_("run"), _("file"), _("orders"), _("rows"), _("placed")),
            [(one["run"], one["file"], one["orders"], one["rows"], one["placed"]) for one in written],
            right=(0, 2, 3, 4),
        )
    else:
        typer.echo(_("Nothing is ready for %(name)s. An earlier run: --again NUMBER.") % {"name": found.name})


def _write(run: dict, out: Path, *, by: str, at) -> dict:
    """The file first, then the confirmation: a crash in between writes it again, under the same name."""
    from daifa.domain.purchasing import queries
    from daifa.flows import place_purchases

    _told, content = queries.run_file(output.scope(), run["id"])
    if run["state"] in ("sending", "unknown"):
        output.fail(
            _("Nobody knows yet whether run %(number)s was mailed. Ask the supplier and say so on its page; "
              "then export it again if he has not got it.") % {"number": run["number"]}
        )
    if verdict := place_purchases.run_withheld(run["id"], at=at):
        output.fail(verdict.sentence)
    name = place_purchases.repeat_name(run["name"], run["times_sent"] + 1)
    _into_place(out / name, content)
    placed = place_purchases.confirm_run(run["id"], by=by, at=at)
    return {
        "run": run["number"], "file": str(out / name), "sha256": run["sha256"], "orders": run["orders"],
        "rows": run["rows"], "placed": placed, "repeat": run["times_sent"] > 0,
    }  # fmt: skip


@app.command("dispatches")
def dispatches(
    store: str = typer.Option(..., help="The store's code."),
    out: Path = typer.Option(..., help="File to write, .csv or .xlsx; or a folder."),
    again: int = typer.Option(0, help="Write the file with this number once more."),
    as_json: bool = output.AS_JSON,
):
    """Write what the store has not been told about its parcels; writing it counts as telling."""
    from daifa.flows.dispatch import export_dispatches

    found = output.store_with(store)
    form = "csv" if out.suffix.lower() == ".csv" else "xlsx"
    if not out.is_dir() and out.suffix.lower() not in (".csv", ".xlsx"):
        output.fail(_("%(path)s is no folder and ends neither in .csv nor in .xlsx.") % {"path": out})
    with output.sentences():
        # A folder that cannot be written to is found out before anything counts as told.
        folder = out if out.is_dir() else out.parent
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            output.fail(_("%(path)s cannot be written to. Nothing was exported.") % {"path": folder})
        name, content, rows = export_dispatches(
            found, by=output.actor(), at=clock.now(), again=again or None, form=form
        )
        target = out / name if out.is_dir() else out
        _into_place(target, content)
    if as_json:
        output.put_json({"store": store, "file": str(target), "name": name, "rows": rows})
    else:
        typer.echo(
            ngettext("%(rows)d row in %(path)s.", "%(rows)d rows in %(path)s.", rows) % {"rows": rows, "path": target}
            if rows
            else _("Nothing new to tell %(name)s; %(path)s holds its headings only.") % {"name": found.name, "path": target}
        )


def _into_place(target: Path, content: bytes) -> None:
    """Whole or not at all."""
    handle, aside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(aside, 0o600)  # it holds buyers' addresses
        os.replace(aside, target)
    except BaseException:
        os.unlink(aside)
        raise


def _check_outward(at) -> None:
    from daifa.domain.stores.commands import ensure_installation
    from daifa.domain.stores.queries import why_not_outward

    ensure_installation(at)
    if sentence := why_not_outward(at):
        output.fail(sentence)
