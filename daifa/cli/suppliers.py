"""`daifa suppliers`."""

from __future__ import annotations

import typer

from daifa.cli import output
from daifa.lib import clock

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Suppliers: add, list.")


def _told(supplier) -> dict:
    names = (
        "id", "code", "name", "kind", "delivery", "email", "language", "currency", "country", "parcel_freight",
        "handling_days", "ships_to", "state", "is_sample",
    )  # fmt: skip
    return {name: getattr(supplier, name) for name in names}


@app.command("add")
def add(
    code: str = typer.Argument(help="Short name, as in file names: yiwu-gifts"),
    name: str = typer.Option("", help="Name for people; the code where left out."),
    currency: str = typer.Option(..., help="In which he is paid, as CNY."),
    kind: str = typer.Option(
        "workbook", help="workbook (XLSX by mail or download) or fake (scripted, for trying out)."
    ),
    delivery: str = typer.Option("download", help="How workbooks go: mail or download."),
    email: str = typer.Option("", help="Where purchases are mailed to."),
    language: str = typer.Option("zh-hans", help="Language of his workbooks: zh-hans or en."),
    country: str = typer.Option("CN", help="ISO 3166."),
    parcel_freight: str = typer.Option("0", help="Freight per parcel, in his currency."),
    handling_days: int = typer.Option(2, help="Working days until he ships."),
    ships_to: list[str] = typer.Option([], help="Countries he ships to; everywhere where left out."),
    agreement: list[str] = typer.Option(
        [],
        help="Record that he agreed to ship for this store (its code); “all” for all own-site and manual stores.",
    ),
    agreed_from: str = typer.Option("", help="From when the agreement holds; today where left out."),
    as_json: bool = output.AS_JSON,
):
    """Add a supplier. Nothing is routed to him before an agreement is recorded."""
    from django.db import transaction

    from daifa.domain.sourcing.commands import add_supplier, record_agreement

    at = clock.now()
    stores = [None if code == "all" else output.store_with(code) for code in agreement]
    valid_from = output.day(agreed_from, at.date())
    with output.sentences(), transaction.atomic():
        supplier = add_supplier(
            code=code, name=name or code, currency=currency.upper(), kind=kind, delivery=delivery, email=email,
            language=language, country=country.upper(), parcel_freight=output.amount_or_zero(parcel_freight),
            handling_days=handling_days, ships_to=[one.upper() for one in ships_to], by=output.actor(), at=at,
        )  # fmt: skip
        for store in stores:
            record_agreement(
                supplier_id=supplier.pk, store_id=store.pk if store else None, valid_from=valid_from, by=output.actor(),
                at=at,
            )  # fmt: skip
    if as_json:
        output.put_json(_told(supplier))
    else:
        typer.echo(f"Added supplier {supplier.code} ({supplier.kind}, {supplier.currency}).")
        if not agreement:
            typer.echo("Nothing is bought from him until an agreement is recorded.")


@app.command("agree")
def agree(
    code: str = typer.Argument(help="The supplier's code."),
    store: str = typer.Option("all", help="For which store; “all” for all own-site and manual stores."),
    agreed_from: str = typer.Option("", "--from", help="From when it holds; today where left out."),
    note: str = typer.Option("", help="What was agreed, and where it is written."),
    as_json: bool = output.AS_JSON,
):
    """Record that a supplier agreed to ship for a store."""
    from daifa.domain.sourcing.commands import record_agreement

    at = clock.now()
    supplier = output.supplier_with(code)
    found = None if store == "all" else output.store_with(store)
    with output.sentences():
        recorded = record_agreement(
            supplier_id=supplier.pk, store_id=found.pk if found else None, valid_from=output.day(agreed_from, at.date()),
            note=note, by=output.actor(), at=at,
        )  # fmt: skip
    if as_json:
        output.put_json(
            {"id": recorded.pk, "supplier": code, "store": store, "valid_from": recorded.valid_from}
        )
    else:
        typer.echo(
            f"Recorded: {supplier.name} ships for {found.name if found else 'all own-site and manual stores'}."
        )


@app.command("list")
def list_(as_json: bool = output.AS_JSON):
    """List the suppliers."""
    from daifa.domain.sourcing.queries import supplier_page

    output.show(
        [_told(supplier) for supplier in supplier_page(limit=100_000)],
        as_json,
        ("code", "name", "kind", "delivery", "currency", "days", "state", "sample"),
        lambda s: (
            s["code"], s["name"], s["kind"], s["delivery"], s["currency"], s["handling_days"], s["state"],
            "yes" if s["is_sample"] else "",
        ),
        right=(5,),
    )  # fmt: skip
