"""`daifa replay`: a past period in one process, with files picked up by their date."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import typer
from django.utils.translation import gettext as _

from daifa.cli import output
from daifa.cli.work import show_counts

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def replay(
    begin: str = typer.Option(..., "--from", help="First day or moment; without a zone it is UTC."),
    end: str = typer.Option(..., "--to", help="Last moment; a day means its end."),
    step: str = typer.Option("1d", help="How far the clock goes at once: 30m, 6h, 1d, 1w."),
    inbox: Path | None = typer.Option(
        None, exists=True, file_okay=False, help="Folder of files: orders/STORE/2010-12-01 name.csv and so on."
    ),
    recipients: str = typer.Option(
        "", help="“generated”: invent recipients where order files hold none (for trying out)."
    ),
    factories: bool = typer.Option(True, help="Let the sample's factories and carriers answer what they were sent."),
    as_json: bool = output.AS_JSON,
):  # fmt: skip
    """Run a past period in one process: the clock is moved, everything due is done. Refused beside a worker."""
    from daifa.flows.replay import replay as run

    if recipients not in ("", "generated"):
        output.fail(_("Recipients are either left as they are, or “generated”."))
    began = time.monotonic()
    with output.sentences(), output.watched(_("Replaying"), quiet=as_json) as advance:

        def progress(moment: datetime, done: int, total: int, counts: Any) -> None:
            advance(done, total)

        first, last = output.moment(begin), output.moment(end)
        assert first is not None and last is not None
        if re.fullmatch(r"\d{4}-\d\d-\d\d", end.strip()):
            last += timedelta(days=1)
        done = run(
            from_=first, to=last, step=_step(step), inbox=inbox, by=output.actor(), factories=factories,
            options={"recipients": recipients} if recipients else {}, progress=progress,
        )  # fmt: skip
    seconds = round(time.monotonic() - began, 1)
    refused = [{"file": str(path), "sentence": sentence} for path, sentence in done.refused]
    if as_json:
        output.put_json(
            {"steps": done.steps, "seconds": seconds, "counts": dict(done.counts), "refused_files": refused}
        )
    else:
        show_counts(done.counts)
        typer.echo(_("%(steps)d steps in %(seconds)s s.") % {"steps": done.steps, "seconds": seconds})
        for file in refused:
            typer.echo(_("Refused: %(file)s: %(sentence)s") % file, err=True)
    if refused:
        raise typer.Exit(1)


def _step(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([mhdw])", text.strip())
    if not found:
        output.fail(_("“%(text)s” is no step. Write it as 30m, 6h, 1d or 1w.") % {"text": text})
    return int(found[1]) * _UNITS[found[2]]
