"""`daifa orders`."""

from __future__ import annotations

import typer
from django.utils.translation import gettext as _

from daifa.cli import output
from daifa.lib.commas import listed

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
    from daifa.domain.orders.process import HOLDS, STATUS_WORDS
    from daifa.flows.reads.orders import order_list

    known = {"open": "open", **STATUS_WORDS}
    status = output.code_of(status, known, _("There is no status “%(text)s”. There are: %(known)s."))
    hold = output.code_of(hold, HOLDS, _("There is no reason “%(text)s”. There are: %(known)s."))
    rows = order_list(
        output.scope(), q=search or None, store_id=output.store_with(store).pk if store else None, status=status or None,
        hold=hold or None, since=output.moment(since), until=output.moment(until), limit=limit,
    )  # fmt: skip
    output.show(
        rows,
        as_json,
        (
            _("id"), _("number"), _("placed"), _("state"), _("country"), _("recipient"), _("units"), _("total"), _("held for"),
        ),
        lambda o: (
            o.id, o.number, output.when(o.placed_at), STATUS_WORDS[o.status][output.side()], o.country, o.name, o.units,
            output.money(o.total_amount, o.currency), listed(HOLDS.get(h, (h, h))[output.side()] for h in o.holds),
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

    from daifa.domain.orders.models import OrderLine
    from daifa.domain.orders.process import STATUS_WORDS
    from daifa.domain.orders.queries import order_named
    from daifa.flows.reads.orders import whole_order
    from daifa.flows.reads.timeline import timeline
    from daifa.lib import regions
    from daifa.lib.commas import listed

    scope = output.scope()
    if number.startswith("id:") and number[3:].isdigit():
        found = [int(number[3:])]
    else:
        found = order_named(scope, number, store_id=output.store_with(store).pk if store else None)
    if len(found) > 1:
        output.fail(
            _("%(count)d stores have an order “%(number)s”: say which with --store.")
            % {"count": len(found), "number": number}
        )
    whole = whole_order(scope, found[0]) if found else None
    if whole is None:
        output.fail(_("There is no order “%(number)s”.") % {"number": number})
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
        _("Order %(number)s · %(state)s · %(total)s · placed %(when)s")
        % {
            "number": order["number"], "state": STATUS_WORDS[order["status"]][output.side()],
            "total": output.money(order["total_amount"], order["currency"]), "when": output.when(order["placed_at"]),
        }
    )  # fmt: skip
    to = [address.get(part, "") for part in ("name", "line1", "line2", "postcode", "city", "region")]
    to.append(regions.country(address.get("country", "")))
    typer.echo(
        _("To %(address)s") % {"address": listed((part for part in to if part), comma="，")} if any(to) else _("No address to ship to.")
    )
    output.table(
        (
            _("line number"), _("kind"), _("SKU"), _("title"), _("ordered"), _("cancelled"), _("routed"), _("purchased"),
            _("accepted"), _("shipped"), _("delivered"),
        ),
        [
            (
                line["line_no"], output.word(OrderLine.KINDS, line["kind"]), line["sku"], line["title"], line["quantity"], line["cancelled"],
                line["allocated"], line["purchased"], line["accepted"], line["shipped"], line["delivered"],
            )
            for line in whole.detail.lines
        ],
        right=(0, *range(4, 11)),
    )  # fmt: skip
    typer.echo()
    output.table(
        (_("when"), _("what"), _("more"), _("who")),
        [
            (
                output.when(one.at),
                one.sentence,
                " · ".join(part for part in (one.detail, one.why) if part),
                one.by,
            )
            for one in happened
        ],
        title=_("What happened"),
    )
