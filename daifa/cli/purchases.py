"""`daifa purchases`."""

from __future__ import annotations

import typer

from daifa.cli import output

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Purchase orders: list, show.")


@app.command("list")
def list_(
    search: str = typer.Argument("", help="Our reference, or its beginning."),
    store: str = typer.Option("", help="Only this store's."),
    supplier: str = typer.Option("", help="Only this supplier's."),
    state: str = typer.Option("", help="open, ready, unknown, placed, refused, closed …"),
    limit: int = output.LIMIT,
    as_json: bool = output.AS_JSON,
):
    """List purchase orders, newest first."""
    from daifa.domain.purchasing.process import PURCHASE_ORDER
    from daifa.domain.purchasing.queries import purchase_page

    if state and state != "open" and state not in PURCHASE_ORDER.table:
        output.fail(f"There is no state {state!r}. There are: open, {', '.join(PURCHASE_ORDER.table)}.")
    rows = purchase_page(
        output.scope(), q=search or None, state=state or None,
        store_id=output.store_with(store).pk if store else None,
        supplier_id=output.supplier_with(supplier).pk if supplier else None, limit=limit,
    )  # fmt: skip
    output.show(
        rows,
        as_json,
        ("reference", "supplier", "order", "state", "units", "accepted", "refused", "shipped", "amount", "made", "placed"),
        lambda p: (
            p.reference, p.supplier_code, p.order_number, p.state, p.units, p.accepted, p.rejected, p.shipped,
            output.money(p.goods_amount + p.freight_amount, p.currency), output.when(p.at), output.when(p.placed_at),
        ),
        right=(4, 5, 6, 7, 8),
    )  # fmt: skip


@app.command("show")
def show(
    reference: str = typer.Argument(help="Our reference."),
    as_json: bool = output.AS_JSON,
):
    """One purchase order with its lines, attempts and answers."""
    from dataclasses import asdict

    from daifa.domain.purchasing.queries import purchase_detail, purchase_named

    scope = output.scope()
    number = purchase_named(scope, reference)
    found = purchase_detail(scope, number) if number else None
    if found is None:
        output.fail(f"There is no purchase order {reference!r}.")
    if as_json:
        told = asdict(found)
        output.put_json({**told.pop("purchase"), **told})
        return
    purchase = found.purchase
    typer.echo(
        f"Purchase order {purchase['reference']} · {purchase['state']} · to {purchase['supplier_code']} · for order "
        f"{purchase['order_number']} · {output.money(purchase['goods_amount'] + purchase['freight_amount'], purchase['currency'])}"
    )
    output.table(
        ("line", "sku", "supplier's sku", "units", "cost", "accepted", "refused", "to follow", "shipped"),
        [
            (
                line["line_no"], line["sku"], line["supplier_sku"], line["quantity"],
                output.money(line["unit_cost"], purchase["currency"]), line["accepted"], line["rejected"],
                line["backordered"], line["shipped"],
            )
            for line in found.lines
        ],
        right=(0, 3, 4, 5, 6, 7, 8),
    )  # fmt: skip
    if found.attempts:
        typer.echo()
        output.table(
            ("attempt", "state", "when", "result", "proof"),
            [(a["key"], a["state"], output.when(a["at"]), a["result"], a["proof"]) for a in found.attempts],
            title="Attempts to place it",
        )
