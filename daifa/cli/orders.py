"""`daifa orders`."""

from __future__ import annotations

import typer

from daifa.cli import output

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Orders: list, show.")


@app.command("list")
def list_(
    search: str = typer.Argument(
        "", help="Order number, SKU, waybill number, reference, customer, or their beginning."
    ),
    store: str = typer.Option("", help="Only this store's."),
    status: str = typer.Option(
        "", help="open, new, on_hold, confirmed, purchased, shipped, delivered, cancelled …"
    ),
    hold: str = typer.Option("", help="Held for this reason, as mapping_missing."),
    since: str = typer.Option("", help="Placed from this day or moment on."),
    until: str = typer.Option("", help="Placed before this day or moment."),
    limit: int = output.LIMIT,
    as_json: bool = output.AS_JSON,
):
    """List orders, newest first."""
    from daifa.domain.orders.models import STATUSES
    from daifa.domain.orders.process import HOLDS
    from daifa.flows.reads.orders import order_list

    known = {"open", *(code for code, _words in STATUSES)}
    if status and status not in known:
        output.fail(f"There is no status {status!r}. There are: {', '.join(sorted(known))}.")
    if hold and hold not in HOLDS:
        output.fail(f"There is no reason {hold!r}. There are: {', '.join(HOLDS)}.")
    rows = order_list(
        output.scope(), q=search or None, store_id=output.store_with(store).pk if store else None, status=status or None,
        hold=hold or None, since=output.moment(since), until=output.moment(until), limit=limit,
    )  # fmt: skip
    output.show(
        rows,
        as_json,
        ("id", "number", "placed", "status", "to", "recipient", "units", "total", "held for"),
        lambda o: (
            o.id, o.number, output.when(o.placed_at), o.status, o.country, o.name, o.units,
            output.money(o.total_amount, o.currency), ", ".join(o.holds),
        ),
        right=(0, 6, 7),
    )  # fmt: skip


@app.command("show")
def show(
    number: str = typer.Argument(help="The store's order number, or id:123."),
    store: str = typer.Option("", help="Of which store, where several have that number."),
    as_json: bool = output.AS_JSON,
):
    """One order with its lines, purchases, parcels, and everything that happened."""
    from dataclasses import asdict

    from daifa.domain.orders.queries import order_named
    from daifa.flows.reads.orders import whole_order
    from daifa.flows.reads.timeline import timeline

    scope = output.scope()
    if number.startswith("id:") and number[3:].isdigit():
        found = [int(number[3:])]
    else:
        found = order_named(scope, number, store_id=output.store_with(store).pk if store else None)
    if len(found) > 1:
        output.fail(f"{len(found)} stores have an order {number!r}: say which with --store.")
    whole = whole_order(scope, found[0]) if found else None
    if whole is None:
        output.fail(f"There is no order {number!r}.")
    happened = timeline(scope, found[0])
    if as_json:
        order = {name: value for name, value in whole.detail.order.items() if name != "content_hash"}
        output.put_json(
            {
                **order, "lines": whole.detail.lines,
                "addresses": [{k: v for k, v in one.items() if k != "digest"} for one in whole.detail.addresses],
                "holds": whole.detail.holds, "purchases": whole.purchases, "parcels": whole.parcels,
                "messages": whole.messages, "refunds": whole.refunds, "timeline": [asdict(one) for one in happened],
            }
        )  # fmt: skip
        return
    order = whole.detail.order
    address = whole.detail.addresses[0] if whole.detail.addresses else {}
    typer.echo(
        f"Order {order['number']} · {order['status']} · {output.money(order['total_amount'], order['currency'])} · "
        f"placed {output.when(order['placed_at'])}"
    )
    to = [
        address.get(part, "") for part in ("name", "line1", "line2", "postcode", "city", "region", "country")
    ]
    typer.echo("To " + ", ".join(part for part in to if part) if any(to) else "No address to ship to.")
    output.table(
        ("line", "kind", "sku", "title", "ordered", "cancelled", "routed", "purchased", "accepted", "shipped", "delivered"),
        [
            (
                line["line_no"], line["kind"], line["sku"], line["title"], line["quantity"], line["cancelled"],
                line["allocated"], line["purchased"], line["accepted"], line["shipped"], line["delivered"],
            )
            for line in whole.detail.lines
        ],
        right=(0, *range(4, 11)),
    )  # fmt: skip
    typer.echo()
    output.table(
        ("when", "what", "more", "who"),
        [
            (
                output.when(one.at),
                one.sentence,
                " · ".join(part for part in (one.detail, one.why) if part),
                one.by,
            )
            for one in happened
        ],
        title="What happened",
    )
