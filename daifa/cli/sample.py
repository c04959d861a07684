"""`daifa sample load|remove`: the sample shop, made of real orders and invented factories."""

from __future__ import annotations

import typer
from django.utils.translation import gettext as _

from daifa.cli import output
from daifa.cli.work import show_counts
from daifa.lib import clock

app = typer.Typer(
    no_args_is_help=True, help="The sample shop: load it into an empty database, take it out again."
)


@app.command()
def load(as_json: bool = output.AS_JSON):
    """Load the sample shop into an empty database; its last day is today. Takes about a minute."""
    from daifa.flows.sample_shop import load_sample_shop

    with output.sentences(), output.watched(_("Living through six weeks"), quiet=as_json) as advance:
        counts = load_sample_shop(by=output.actor(), at=clock.now(), progress=advance)
    if as_json:
        output.put_json({"counts": counts})
    else:
        show_counts(counts)


@app.command()
def remove(
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    as_json: bool = output.AS_JSON,
):
    """Take the sample shop out again: its stores, suppliers and everything that hangs on them."""
    from daifa.flows.sample_shop import has_sample_shop, remove_sample_shop

    if has_sample_shop() and not yes and not as_json:
        typer.confirm(
            _("Delete the sample stores, suppliers, orders, parcels, messages and entries?"), abort=True
        )
    with output.sentences():
        deleted = remove_sample_shop(by=output.actor(), at=clock.now())
    if as_json:
        output.put_json({"deleted": deleted})
    elif deleted:
        output.table((_("table"), _("rows deleted")), sorted(deleted.items()), right=(1,))
    else:
        typer.echo(_("There is no sample shop here."))
