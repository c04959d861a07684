"""`daifa work`: what is due, done here and now instead of by the worker."""

from __future__ import annotations

import typer
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from daifa.cli import output
from daifa.lib import clock

# What was done and counted, by the names of `flows.work`, of a replay and of the sample shop.
DONE = {
    "reacted": N_("steps that followed"), "placed": N_("purchases placed"), "refused": N_("purchases refused"),
    "runs": N_("workbooks made"), "runs_sent": N_("workbooks mailed"), "parcels": N_("parcels announced by suppliers"),
    "late": N_("parcels late"), "lost": N_("parcels lost"), "messages": N_("messages sent"),
    "notices": N_("numbers confirmed to stores"), "files": N_("files read"), "rows": N_("rows read"),
    "rows_refused": N_("rows refused"), "dispatch_files": N_("dispatch files written"),
    "packs": N_("evidence packs made"), "photos": N_("photos read"), "shredded": N_("stores shredded"),
}  # fmt: skip


def show_counts(counts: dict[str, int]) -> None:
    """A table of what was done."""
    rows = sorted((_(DONE[name]) if name in DONE else name.replace("_", " "), count) for name, count in counts.items())
    output.table((_("what"), _("how many")), rows, right=(1,))


def work(
    until_idle: bool = typer.Option(True, "--until-idle", help="Go on until nothing is left to do."),
    at: str = typer.Option("", help="Work as if it were this time; refused beside a live worker."),
    as_json: bool = output.AS_JSON,
):
    """Run everything that is due: react, place, send, ask, watch, until nothing is left."""
    from contextlib import nullcontext

    from daifa.domain.stores.commands import ensure_installation
    from daifa.flows.one_clock import moved_clock
    from daifa.flows.work import work_until_idle

    moment = output.moment(at)
    with output.sentences(), moved_clock() if moment else nullcontext():
        now = moment or clock.now()
        with clock.moved_to(now) if moment else nullcontext():
            ensure_installation(clock.now())
            with output.watched(_("Working"), quiet=as_json) as advance:
                done: dict[str, int] = {}

                def told(kind: str, count: int) -> None:
                    done[kind] = count
                    advance(sum(done.values()), None)

                counts = work_until_idle(at=now, by=output.actor(), progress=told)
    if as_json:
        output.put_json({"at": now, "counts": counts})
    elif counts:
        show_counts(counts)
    else:
        typer.echo(_("Nothing was due."))
