"""`daifa audit`: recomputes the invariants and names each breach."""

import typer
from django.utils.translation import gettext as _

from daifa.cli.output import AS_JSON, put_json, store_with


def audit(
    store: list[str] = typer.Option([], "--store", help="Only these stores (their codes); all without it."),
    as_json: bool = AS_JSON,
):
    """Recompute every invariant from rows and ledger; exit code 1 if any does not hold."""
    from daifa.flows.audit import audit as run
    from daifa.flows.audit import codes

    scope = [store_with(code).pk for code in store] if store else None
    breaches = run(stores=scope)
    rules = list(codes())
    if as_json:
        put_json({
            "clean": not breaches,
            "checks": rules,
            "breaches": [
                {"code": b.code, "invariant": b.invariant, "thing": b.thing, "sentence": b.sentence, "count": b.count, "ids": b.ids}
                for b in breaches
            ],
        })  # fmt: skip
    elif breaches:
        for breach in breaches:
            typer.echo(f"{breach.code}: {breach.sentence}")
        typer.echo(_("%(broken)d of %(all)d rules do not hold.") % {"broken": len(breaches), "all": len(rules)}, err=True)
    else:
        typer.echo(_("All %(all)d rules hold.") % {"all": len(rules)})
    if breaches:
        raise typer.Exit(1)
