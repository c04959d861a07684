"""`daifa clocks`."""

from __future__ import annotations

from datetime import timedelta

import typer
from django.utils.translation import gettext as _

from daifa.cli import output
from daifa.lib import clock

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Deadlines and their money: list, reckon, dispatch.")


@app.command("list")
def list_(
    store: str = typer.Option("", help="Only this store's."),
    hours: int = typer.Option(0, help="Only what has run out or will within so many hours."),
    limit: int = output.LIMIT,
    as_json: bool = output.AS_JSON,
):
    """List running clocks, soonest first."""
    from daifa.domain.compliance import rules
    from daifa.domain.compliance.queries import open_clocks

    scope = [output.store_with(store).pk] if store else output.scope()
    rows = open_clocks(scope, until=clock.now() + timedelta(hours=hours) if hours else None, limit=limit)
    output.show(
        rows,
        as_json,
        (_("due"), _("clock"), _("of"), _("order"), _("at stake"), _("rule"), _("acts")),
        lambda c: (
            output.when(c.due_at), _(rules.KINDS[c.kind].words), c.thing_number, c.order_number,
            "" if c.stake is None else output.money(c.stake, c.currency), c.rule, _("yes") if c.acts else _("to be checked"),
        ),
        right=(4,),
    )  # fmt: skip


@app.command("reckon")
def reckon(store: str = typer.Option("", help="Only this store's."), as_json: bool = output.AS_JSON):
    """Reckon clocks, findings and figures now."""
    from daifa.flows.keep_clocks import keep_clocks, keep_metrics

    at = clock.now()
    stores = [output.store_with(store).pk] if store else None
    counts = keep_clocks(at=at, by=output.actor(), stores=stores)
    counts["metrics"] = keep_metrics(at=at, stores=stores)
    if as_json:
        output.put_json(counts)
    else:
        typer.echo(
            _("%(clocks)s clocks run; %(changed)s have changed.") % {"clocks": counts["clocks"], "changed": counts["changed"]}
        )


@app.command("dispatch")
def dispatch(
    store: str = typer.Option(..., help="The store's code."),
    mode: str = typer.Option(..., help="spot, bonded, direct, fast_24h, same_day, promised, or unknown to take it back."),
    hours: int = typer.Option(0, help="Hours promised to buyers."),
    origin: str = typer.Option("", help="Province of China the parcels leave from."),
    sku: list[str] = typer.Option([], help="Only for these of our SKUs."),
):
    """Say how a store ships: it decides which of the channel's times hold."""
    from daifa.domain.compliance.commands import set_dispatch_mode
    from daifa.domain.orders.commands import find_variants

    one = output.store_with(store)
    known = find_variants(one.pk, sku)
    if missing := [each for each in sku if known.get(each, (None, None))[1] is None]:
        output.fail(_("No article is known under %(skus)s.") % {"skus": ", ".join(missing[:5])})
    with output.sentences():
        set_dispatch_mode(
            store_id=one.pk, mode=mode, hours=hours or None, origin=origin, variants=[known[each][1] for each in sku],
            by=output.actor(), at=clock.now(),
        )  # fmt: skip
    typer.echo(_("Saved."))
