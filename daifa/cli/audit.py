"""`daifa audit`: recomputes the invariants and names each breach."""

import json

import typer

from daifa.domain.stores.models import Store
from daifa.flows.audit import audit as run
from daifa.flows.audit import codes


def audit(
    store: list[str] = typer.Option([], "--store", help="Only these stores (their codes); all without it."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object instead of sentences."),
):
    """Recompute every invariant from rows and ledger; exit code 1 if any does not hold."""
    scope = None
    if store:
        found = dict(Store.objects.filter(code__in=store).values_list("code", "pk"))
        if missing := sorted(set(store) - set(found)):
            typer.echo(f"There is no store {', '.join(missing)}.", err=True)
            raise typer.Exit(1)
        scope = list(found.values())
    breaches = run(stores=scope)
    if as_json:
        typer.echo(json.dumps({
            "clean": not breaches,
            "checks": list(codes()),
            "breaches": [
                {"code": b.code, "invariant": b.invariant, "thing": b.thing, "sentence": b.sentence, "count": b.count, "ids": b.ids}
                for b in breaches
            ],
        }))  # fmt: skip
    elif breaches:
        for breach in breaches:
            typer.echo(f"{breach.code}: {breach.sentence}")
        typer.echo(f"{len(breaches)} of {len(list(codes()))} rules do not hold.", err=True)
    else:
        typer.echo(f"All {len(list(codes()))} rules hold.")
    if breaches:
        raise typer.Exit(1)
