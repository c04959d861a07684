"""`daifa figures`: what the platforms' own dashboards show of a store."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

import typer
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from daifa.cli import output
from daifa.lib import clock
from daifa.lib.commas import listed

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Figures the platforms show: list, add, import, table, withdraw.")

STORE = typer.Option(..., "--store", help="The store's code.")


@app.command("list")
def list_(store: str = STORE, metric: str = typer.Option("", help="Only this figure."), limit: int = output.LIMIT, as_json: bool = output.AS_JSON):
    """What was entered or read, the newest window first; withdrawn ones too."""
    from daifa.domain.compliance import figure_queries
    from daifa.domain.compliance.figure_commands import today_in
    from daifa.domain.compliance.health import value_text, words_of

    of_store = output.store_with(store)
    known = figure_queries.reportable(of_store, on=today_in(of_store, clock.now()))
    rows = figure_queries.figure_page([of_store.pk], metric=metric or None, limit=limit)
    output.show(
        [
            {
                "id": row.pk, "metric": row.metric, "value": row.value, "part": row.part, "base": row.base, "window_days": row.window_days,
                "ended_on": row.ended_on, "seen_in": row.seen_in, "source": row.source, "at": row.at, "withdrawn_at": row.withdrawn_at,
            }
            for row in rows
        ],
        as_json,
        (_("number"), _("figure"), _("value"), _("share"), _("days"), _("until"), _("seen in"), _("counts")),
        lambda row: (
            str(row["id"]), words_of(row["metric"]), value_text(row["value"], known[row["metric"]].unit if row["metric"] in known else ""),
            f"{row['part']}/{row['base']}" if row["base"] else "", str(row["window_days"] or ""), row["ended_on"].isoformat(),
            row["seen_in"] or row["source"], _("no") if row["withdrawn_at"] else _("yes"),
        ),
        right=(2,),
    )  # fmt: skip


@app.command("add")
def add(
    metric: str = typer.Argument(help="The figure: its code, as `daifa figures table` lists them."),
    value: str = typer.Argument("", help="As the platform shows it: 3.2 for 3.2 %."),
    store: str = STORE,
    part: int = typer.Option(-1, help="Where it shows both numbers of a share: the part …"),
    base: int = typer.Option(-1, help="… and the whole."),
    days: int = typer.Option(0, help="Over how many days."),
    until: str = typer.Option("", help="The last day it covers, as 2026-03-09; today where left out."),
    seen_in: str = typer.Option("", help="Where it stands on the platform."),
):
    """Enter what the platform shows of a store."""
    from daifa.domain.compliance.figure_commands import report_figures, today_in
    from daifa.domain.compliance.figure_rules import Figure

    of_store, at = output.store_with(store), clock.now()
    try:
        day = date.fromisoformat(until) if until else today_in(of_store, at)
        number = Decimal(value.rstrip("%％ ")) if value else None
    except (ValueError, InvalidOperation):
        output.fail(_("%(text)s cannot be read: figures are written as 3.2, days as 2026-03-09.") % {"text": f"{value} {until}".strip()})
    if number is None and part >= 0 and base > 0:
        number = Decimal(part) * 100 / base
    if number is None or not number.is_finite():
        output.fail(_("Enter the figure, or the part and the whole of it."))
    figure = Figure(metric, number, day, days or None, part if part >= 0 else None, base if base >= 0 else None, seen_in)
    done = report_figures([figure], store=of_store, source="cli", by=output.actor(), at=at)
    if done.refused:
        output.fail(done.refused[0].sentence())
    typer.echo(_("This figure is known already; nothing has changed.") if done.known else _("Kept."))


@app.command("import")
def import_(
    files: list[Path] = typer.Argument(help="CSV or a workbook with a row for each figure."),
    store: str = STORE,
    mapping: list[str] = typer.Option([], "--map", help="A column by hand: FIELD=HEADING, as --map value=得分."),
    as_json: bool = output.AS_JSON,
):
    """Read figures from files; the same file again changes nothing. Exit code 1 if a row was refused."""
    from daifa.flows.read_figures import HEADINGS, read_figures
    from daifa.lib.sheets import SheetRefused

    columns = {}
    for one in mapping:
        name, equals, heading = one.partition("=")
        if not equals or name.strip() not in HEADINGS:
            output.fail(_("--map %(text)s: write FIELD=HEADING, where FIELD is one of %(known)s.") % {"text": one, "known": listed(HEADINGS)})
        columns[name.strip()] = heading.strip()
    of_store, at, by = output.store_with(store), clock.now(), output.actor()
    told, whole = [], True
    for path in files:
        if not path.is_file():
            output.fail(_("There is no file %(path)s.") % {"path": path})
        try:
            done = read_figures(path, name=path.name, store=of_store, mapping=columns, by=by, at=at)
        except SheetRefused as refused:
            output.fail(f"{path.name}: {refused.sentence()}")
        whole = whole and not done.refused
        told.append({
            "file": path.name, "rows_in": done.rows_in, "added": done.added, "replaced": done.replaced, "known": done.known,
            "refused": [{"row": row.row, "code": row.code, "sentence": row.sentence()} for row in done.refused],
        })  # fmt: skip
        if as_json:
            continue
        if done.is_repeat:
            typer.echo(f"{path.name}: " + _("Every figure of this file is known already; nothing has changed."))
        else:
            words = ngettext("%(count)d figure is new", "%(count)d figures are new", done.added) % {"count": done.added}
            typer.echo(f"{path.name}: {words}; " + _("replaced: %(replaced)s; known: %(known)s") % {"replaced": done.replaced, "known": done.known} + ".")
        for row in done.refused:
            typer.echo(f"  {_('Row %(row)s') % {'row': row.row}}: {row.sentence()}", err=True)
    if as_json:
        output.put_json(told)
    if not whole:
        raise typer.Exit(1)


@app.command("table")
def table(store: str = STORE, out: Path = typer.Option(..., "--out", help="The file to write.")):
    """Write an empty table of the figures this store's channel knows, to fill in and read back."""
    from daifa.flows.read_figures import template

    out.write_text(template(output.store_with(store), at=clock.now()), encoding="utf-8", newline="")
    typer.echo(_("Written: %(path)s") % {"path": out})


@app.command("withdraw")
def withdraw(number: int = typer.Argument(help="As `daifa figures list` shows it.")):
    """Take a figure back; it stays in the history and counts no more."""
    from daifa.domain.compliance.figure_commands import withdraw_figures
    from daifa.domain.compliance.figure_queries import figure_with_id

    row = figure_with_id(number)
    if row is None or row.store_id not in output.scope():
        output.fail(_("There is no figure with the number %(number)s.") % {"number": number})
    withdraw_figures([number], by=output.actor(), at=clock.now())
    typer.echo(_("Taken back; it stays in the history."))
