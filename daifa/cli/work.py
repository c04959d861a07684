"""`daifa work`: what is due, done here and now instead of by the worker."""

from __future__ import annotations

import typer

from daifa.cli import output
from daifa.lib import clock


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
            with output.watched("Working", quiet=as_json) as advance:
                done: dict[str, int] = {}

                def told(kind: str, count: int) -> None:
                    done[kind] = count
                    advance(sum(done.values()), None)

                counts = work_until_idle(at=now, by=output.actor(), progress=told)
    if as_json:
        output.put_json({"at": now, "counts": counts})
    elif counts:
        output.table(("work", "done"), sorted(counts.items()), right=(1,))
    else:
        typer.echo("Nothing was due.")
