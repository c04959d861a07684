"""`daifa purchases`."""

from __future__ import annotations

import typer
from django.utils.translation import gettext as _

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

    state = output.code_of(
        state, {"open": "open", **PURCHASE_ORDER.words}, _("There is no state “%(text)s”. There are: %(known)s.")
    )
    rows = purchase_page(
        output.scope(), q=search or None, state=state or None,
        store_id=output.store_with(store).pk if store else None,
        supplier_id=output.supplier_with(supplier).pk if supplier else None, limit=limit,
    )  # fmt: skip
    output.show(
        rows,
        as_json,
        (
            _("reference"), _("supplier"), _("order"), _("state"), _("units"), _("accepted"), _("refused"), _("shipped"),
            _("amount"), _("made"), _("placed"),
        ),
        lambda p: (
            p.reference, p.supplier_code, p.order_number, output.state(PURCHASE_ORDER, p.state), p.units, p.accepted, p.rejected, p.shipped,
            output.money(p.goods_amount + p.freight_amount, p.currency), output.when(p.at), output.when(p.placed_at),
        ),
        right=(4, 5, 6, 7, 8),
    )  # fmt: skip


@app.command("chase")
def chase(as_json: bool = output.AS_JSON):
    """Remind suppliers now of what is due: writes the letters and sends those that go by mail."""
    from daifa.domain.stores.queries import why_not_outward
    from daifa.flows.chase_suppliers import chase_suppliers
    from daifa.lib import clock

    at = clock.now()
    if why := why_not_outward(at):
        output.fail(why)
    counts = {"asked": 0, "sent": 0, "by_person": 0, "silent": 0} | chase_suppliers(at=at, by=output.actor())
    if as_json:
        output.put_json(counts)
    else:
        typer.echo(
            _("%(asked)d purchase orders asked for, %(sent)d letters sent, %(by_person)d for a person to pass on, %(silent)d suppliers silent.")
            % counts
        )


@app.command("show")
def show(
    reference: str = typer.Argument(help="Our reference."),
    as_json: bool = output.AS_JSON,
):
    """One purchase order with its lines, attempts and answers."""
    from dataclasses import asdict

    from daifa.domain.purchasing.process import ATTEMPT, PURCHASE_ORDER
    from daifa.domain.purchasing.queries import purchase_detail, purchase_named

    scope = output.scope()
    number = purchase_named(scope, reference)
    found = purchase_detail(scope, number) if number else None
    if found is None:
        output.fail(_("There is no purchase order “%(reference)s”.") % {"reference": reference})
    if as_json:
        told = asdict(found)
        output.put_json({**told.pop("purchase"), **told})
        return
    purchase = found.purchase
    typer.echo(
        _("Purchase order %(reference)s · %(state)s · to %(supplier)s · for order %(order)s · %(amount)s")
        % {
            "reference": purchase["reference"], "state": output.state(PURCHASE_ORDER, purchase["state"]),
            "supplier": purchase["supplier_code"], "order": purchase["order_number"],
            "amount": output.money(purchase["goods_amount"] + purchase["freight_amount"], purchase["currency"]),
        }
    )  # fmt: skip
    output.table(
        (
            _("line number"), _("SKU"), _("supplier's SKU"), _("units"), _("cost"), _("accepted"), _("refused"), _("to follow"),
            _("shipped"),
        ),
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
            (_("attempt"), _("state"), _("when"), _("result"), _("proof")),
            [(a["key"], output.state(ATTEMPT, a["state"]), output.when(a["at"]), a["result"], a["proof"]) for a in found.attempts],
            title=_("Attempts to place it"),
        )
