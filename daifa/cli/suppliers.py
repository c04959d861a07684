"""`daifa suppliers`."""

from __future__ import annotations

from pathlib import Path

import typer
from django.utils.translation import gettext as _

from daifa.cli import output
from daifa.lib import clock

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Suppliers: add, list.")


def _told(supplier) -> dict:
    names = (
        "id", "code", "name", "kind", "delivery", "email", "language", "currency", "country", "parcel_freight",
        "handling_days", "ships_to", "state", "source", "is_sample",
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
    source: str = typer.Option("trade", help="Who he is: trade (factory, wholesaler) or consumer_platform."),
    is_trade: bool = typer.Option(
        False, "--is-trade", help="He is a factory or wholesaler though his name speaks of a consumer platform."
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
    entrusted_on: str = typer.Option(
        "", help="Day on which he signed the entrustment of personal data; without --agreement he ships for all own stores then."
    ),
    as_json: bool = output.AS_JSON,
):
    """Add a supplier. No address goes to him before the entrustment of personal data is signed."""
    from django.db import transaction

    from daifa.domain.sourcing.commands import record_agreement
    from daifa.flows.put_right import add_supplier

    at = clock.now()
    stores = [None if code == "all" else output.store_with(code) for code in agreement]
    valid_from = output.day(agreed_from, at.date()) if agreed_from else None
    signed_on = output.day(entrusted_on, at.date()) if entrusted_on else None
    with output.sentences(), transaction.atomic():
        supplier = add_supplier(
            code=code, name=name or code, currency=currency.upper(), kind=kind, source=source, is_trade=is_trade, delivery=delivery, email=email,
            language=language, country=country.upper(), parcel_freight=output.amount_or_zero(parcel_freight),
            handling_days=handling_days, ships_to=[one.upper() for one in ships_to],
            entrusted_on=None if stores else signed_on, by=output.actor(), at=at,
        )  # fmt: skip
        for store in stores:
            record_agreement(
                supplier_id=supplier.pk, store_id=store.pk if store else None, valid_from=valid_from, entrusted_on=signed_on,
                by=output.actor(), at=at,
            )  # fmt: skip
    if as_json:
        output.put_json(_told(supplier))
    else:
        told = {"code": supplier.code, "kind": supplier.get_kind_display(), "currency": supplier.currency}
        typer.echo(_("Added supplier %(code)s (%(kind)s, %(currency)s).") % told)
        if supplier.source == "consumer_platform":
            typer.echo(_("Nothing is bought there for a buyer, and no agreement changes that. Add the factory behind it as a supplier of its own."))
        elif signed_on is None:
            typer.echo(
                _("No address goes to him before the entrustment of personal data is signed: daifa suppliers entrustment %(code)s "
                  "--out entrustment.pdf, then daifa suppliers entrust %(code)s --on DAY.") % {"code": supplier.code}
            )  # fmt: skip


@app.command("import")
def import_(
    file: Path = typer.Argument(help="CSV or workbook with code, name, currency, email, …, entrusted_on."),
    as_json: bool = output.AS_JSON,
):
    """Add suppliers from a file, with the day on which each signed the entrustment of personal data."""
    from daifa.flows.supplier_files import read_suppliers

    if not file.is_file():
        output.fail(_("There is no file %(name)s.") % {"name": file})
    with output.sentences():
        done = read_suppliers(name=file.name, content=file.read_bytes(), by=output.actor(), at=clock.now())
    refused = [{"row": one.row, "code": one.code, "sentence": one.sentence()} for one in done.refused]
    if as_json:
        output.put_json(
            {"added": len(done.added), "known": done.known, "entrusted": done.entrusted, "routed_again": done.routed, "refused": refused}
        )
        return
    typer.echo(
        _("Suppliers added: %(added)d, known already: %(known)d, entrustments recorded: %(entrusted)d, held orders looked at again: %(routed)d.")
        % {"added": len(done.added), "known": done.known, "entrusted": done.entrusted, "routed": done.routed}
    )
    for one in refused:
        typer.echo(_("Row %(row)d: %(sentence)s") % one, err=True)


@app.command("agree")
def agree(
    code: str = typer.Argument(help="The supplier's code."),
    store: str = typer.Option("all", help="For which store; “all” for all own-site and manual stores."),
    agreed_from: str = typer.Option("", "--from", help="From when it holds; today where left out."),
    until: str = typer.Option("", "--until", help="Its last day; open where left out."),
    authorised: bool = typer.Option(False, help="He is authorised to ship for this store."),
    neutral_packing: bool = typer.Option(True, help="Neutral packing, no other shop's labels."),
    no_cards: bool = typer.Option(False, "--no-cards", help="No cards or leaflets of anybody in the parcel."),
    platform_waybill: bool = typer.Option(False, help="He ships with the platform's own e-waybill."),
    stock_secured: bool = typer.Option(False, help="The goods are bought or reserved in advance."),
    ships_from: str = typer.Option("", help="Places he ships from, as buyers are told, with commas between."),
    returns_to: str = typer.Option("", help="Where returns go."),
    returns_paid_by: str = typer.Option("", help="Who pays for returns: supplier, us or buyer."),
    claim_days: int | None = typer.Option(None, help="Days from delivery in which a claim can be made."),
    entrusted_on: str = typer.Option("", help="Day on which the entrustment of personal data was signed."),
    paper: list[Path] = typer.Option([], help="A signed paper to keep with it: PDF, picture, DOCX or XLSX."),
    note: str = typer.Option("", help="What was agreed, and where it is written."),
    as_json: bool = output.AS_JSON,
):
    """Record that a supplier agreed to ship for a store, and on which terms."""
    from daifa.domain.sourcing.queries import refusals
    from daifa.flows.put_right import record_agreement

    at = clock.now()
    supplier = output.supplier_with(code)
    found = None if store == "all" else output.store_with(store)
    for one in paper:
        if not one.is_file():
            output.fail(_("There is no file %(name)s.") % {"name": one})
    with output.sentences():
        recorded, routed = record_agreement(
            supplier_id=supplier.pk, store_id=found.pk if found else None,
            valid_from=output.day(agreed_from, at.date()) if agreed_from else None,
            valid_until=output.day(until, at.date()) if until else None, is_authorised=authorised,
            neutral_packing=neutral_packing, no_cards=no_cards, platform_waybill=platform_waybill,
            stock_secured=stock_secured, ships_from=ships_from, returns_to=returns_to, returns_paid_by=returns_paid_by,
            claim_days=claim_days, entrusted_on=output.day(entrusted_on, at.date()) if entrusted_on else None,
            papers=[(one.name, one.read_bytes()) for one in paper], note=note, by=output.actor(), at=at,
        )  # fmt: skip
    why = refusals([(found.pk, supplier.pk)], at=at).get((found.pk, supplier.pk)) if found else None
    if as_json:
        output.put_json(
            {"id": recorded.pk, "supplier": code, "store": store, "valid_from": recorded.valid_from, "routed_again": routed,
             "may_serve": not why, "why_not": why.sentence if why else ""}
        )  # fmt: skip
        return
    typer.echo(
        _("Recorded: %(supplier)s ships for %(store)s.") % {"supplier": supplier.name, "store": found.name}
        if found
        else _("Recorded: %(supplier)s ships for all own-site and manual stores.") % {"supplier": supplier.name}
    )
    if why:
        typer.echo(why.sentence)


@app.command("entrust")
def entrust(
    code: str = typer.Argument(help="The supplier's code."),
    on: str = typer.Option(..., "--on", help="The day on which the entrustment of personal data was signed."),
    store: str = typer.Option("all", help="For which store; “all” for every agreement with him."),
    as_json: bool = output.AS_JSON,
):
    """Say when a supplier signed the entrustment of personal data. What was held for it goes on by itself."""
    from daifa.flows.put_right import record_entrustment

    at = clock.now()
    supplier = output.supplier_with(code)
    found = None if store == "all" else output.store_with(store)
    with output.sentences():
        agreements, routed = record_entrustment(
            supplier_id=supplier.pk, signed_on=output.day(on, at.date()), store_id=found.pk if found else None,
            by=output.actor(), at=at,
        )  # fmt: skip
    if as_json:
        output.put_json({"supplier": code, "agreements": [one.pk for one in agreements], "routed_again": routed})
        return
    typer.echo(
        _("Recorded: %(supplier)s signed on %(day)s. Held orders looked at again: %(n)d.")
        % {"supplier": supplier.name, "day": agreements[0].entrusted_on, "n": routed}
    )


@app.command("entrustment")
def entrustment(
    code: str = typer.Argument(help="The supplier's code."),
    out: Path = typer.Option(..., "--out", help="File to write: .pdf to be printed, or .txt to be sent."),
    store: list[str] = typer.Option([], help="For which stores; all where left out."),
    our_name: str = typer.Option("", help="Your name, as on the licence; a line to fill in where left out."),
    language: str = typer.Option("", help="zh-hans or en; the supplier's where left out."),
):
    """Write the entrustment of personal data, ready to be signed."""
    from daifa.domain.stores.models import Store
    from daifa.flows.entrustment import as_pdf, as_text

    at = clock.now()
    supplier = output.supplier_with(code)
    stores = [output.store_with(one) for one in store] or list(Store.objects.filter(is_sample=supplier.is_sample))
    ask = {
        "supplier_id": supplier.pk, "store_ids": [one.pk for one in stores], "language": language or supplier.language, "our_name": our_name,
        "at": at,
    }  # fmt: skip
    with output.sentences():
        content = as_text(**ask).encode() if out.suffix.lower() == ".txt" else as_pdf(**ask)
    out.write_bytes(content)
    typer.echo(_("Written: %(name)s. Have it signed, then: daifa suppliers entrust %(code)s --on DAY") % {"name": out, "code": code})


@app.command("list")
def list_(as_json: bool = output.AS_JSON):
    """List the suppliers."""
    from daifa.domain.sourcing.models import Supplier
    from daifa.domain.sourcing.queries import supplier_page

    output.show(
        [_told(supplier) for supplier in supplier_page(limit=100_000)],
        as_json,
        (_("code"), _("name"), _("kind"), _("workbooks go"), _("currency"), _("days"), _("state"), _("sample")),
        lambda s: (
            s["code"], s["name"], output.word(Supplier.KINDS, s["kind"]), output.word(Supplier.DELIVERY, s["delivery"]),
            s["currency"], s["handling_days"], output.word(Supplier.STATES, s["state"]), _("yes") if s["is_sample"] else "",
        ),
        right=(5,),
    )  # fmt: skip


# --- Samples ------------------------------------------------------------------------------------------------------

samples_app = typer.Typer(no_args_is_help=True, add_completion=False, help="Samples ordered to your own address.")
app.add_typer(samples_app, name="samples")


@samples_app.command("want")
def want_sample(
    code: str = typer.Argument(help="The supplier's code."),
    store: str = typer.Option(..., help="Whose books bear it."),
    send_to: str = typer.Option(..., help="Your own address, as a buyer would write it."),
    sku: str = typer.Option("", help="His SKU, as in his price list."),
    title: str = typer.Option("", help="What it is, where it is not in his list."),
    quantity: int = typer.Option(1, min=1, help="Pieces."),
    note: str = typer.Option("", help="What else he should know."),
    as_json: bool = output.AS_JSON,
):
    """Note a sample to be ordered, and print the order to send to him."""
    from daifa.domain.sourcing import samples
    from daifa.domain.sourcing.models import SupplierOffer
    from daifa.flows.order_samples import want_sample

    supplier, found = output.supplier_with(code), output.store_with(store)
    offer = SupplierOffer.objects.filter(supplier=supplier, supplier_sku=sku).first() if sku else None
    if sku and offer is None and not title:
        output.fail(_("%(supplier)s has no SKU %(sku)s in his list; give --title instead.") % {"supplier": supplier.name, "sku": sku})
    variant = offer.mappings.filter(state__in=("verified", "proposed")).values_list("variant_id", flat=True).first() if offer else None
    with output.sentences():
        sample = want_sample(
            samples.NewSample(found.pk, supplier.pk, send_to, offer.pk if offer else None, variant, title, quantity, note),
            by=output.actor(), at=clock.now(),
        )  # fmt: skip
    row = samples.sample_with_id([found.pk], sample)
    subject, text = samples.letter(row, supplier.language)
    if as_json:
        output.put_json({"id": sample, "number": samples.number_of(sample), "subject": subject, "text": text})
    else:
        typer.echo(f"{subject}\n\n{text}")


@samples_app.command("order")
def order_sample(
    sample: int = typer.Argument(help="Its number, without SMP-."),
    cost: str = typer.Option("0", help="What was paid for goods and freight; it goes to the books as a sample."),
    currency: str = typer.Option("", help="Of the cost; the supplier's where left out."),
):
    """It was ordered and paid."""
    from daifa.flows.order_samples import order_sample

    with output.sentences():
        order_sample(sample_id=sample, cost=output.amount_or_zero(cost), currency=currency, by=output.actor(), at=clock.now())
    typer.echo(_("Noted."))


@samples_app.command("ship")
def ship_sample(
    sample: int = typer.Argument(help="Its number, without SMP-."),
    number: str = typer.Option("", help="Waybill number."),
    carrier: str = typer.Option("", help="Carrier."),
):
    """He sent it."""
    from daifa.domain.sourcing.samples import ship_sample

    with output.sentences():
        ship_sample(sample_id=sample, number=number, carrier=carrier, by=output.actor(), at=clock.now())
    typer.echo(_("Noted."))


@samples_app.command("number")
def number_sample(
    sample: int = typer.Argument(help="Its number, without SMP-."),
    number: str = typer.Argument(help="Waybill number."),
    carrier: str = typer.Option("", help="Carrier; left out, the one that stands there stays."),
):
    """Give a sample that has left its waybill number later, or mend it; until it is judged."""
    from daifa.domain.sourcing.samples import number_sample

    with output.sentences():
        number_sample(sample_id=sample, number=number, carrier=carrier, by=output.actor(), at=clock.now())
    typer.echo(_("Noted."))


@samples_app.command("receive")
def receive_sample(
    sample: int = typer.Argument(help="Its number, without SMP-."),
    photo: list[Path] = typer.Option([], help="A photo of the parcel: label, opened box, everything in it."),
):
    """It is here; photos of its parcel are read like those of complaints. Further photos: call it again."""
    from daifa.domain.sourcing.models import Sample
    from daifa.domain.sourcing.samples import receive_sample
    from daifa.flows.order_samples import add_sample_photos

    for one in photo:
        if not one.is_file():
            output.fail(_("There is no file %(name)s.") % {"name": one})
    at = clock.now()
    with output.sentences():
        if not photo or Sample.objects.filter(pk=sample, state__in=("ordered", "shipped")).exists():
            receive_sample(sample_id=sample, by=output.actor(), at=at)
        kept, refused = add_sample_photos(sample, [(one.name, one.read_bytes()) for one in photo], by=output.actor(), at=at)
    for sentence in refused:
        typer.echo(sentence, err=True)
    typer.echo(_("Noted. Photos kept: %(n)d.") % {"n": len(kept)})


@samples_app.command("judge")
def judge_sample(
    sample: int = typer.Argument(help="Its number, without SMP-."),
    passed: bool = typer.Option(..., "--passed/--failed", help="Passed needs a clean photo of the parcel."),
    verdict: str = typer.Option(..., help="What you saw."),
):
    """Passed or failed, and why. A sample that passed finishes the plan's step."""
    from daifa.flows.order_samples import judge_sample

    with output.sentences():
        judge_sample(sample_id=sample, passed=passed, verdict=verdict, by=output.actor(), at=clock.now())
    typer.echo(_("Noted."))


@samples_app.command("cancel")
def cancel_sample(
    sample: int = typer.Argument(help="Its number, without SMP-."),
    reason: str = typer.Option(..., help="Why it does not come."),
    refunded: bool = typer.Option(False, "--refunded", help="The money came back: reverse its entry."),
):
    """It does not come."""
    from daifa.domain.sourcing.samples import cancel_sample

    with output.sentences():
        cancel_sample(sample_id=sample, refunded=refunded, reason=reason, by=output.actor(), at=clock.now())
    typer.echo(_("Noted."))


@samples_app.command("list")
def list_samples(supplier: str = typer.Option("", help="Of this supplier only."), as_json: bool = output.AS_JSON):
    """List the samples, newest first."""
    from daifa.domain.sourcing.process import SAMPLE
    from daifa.domain.sourcing.samples import number_of, sample_page

    rows = sample_page(output.scope(), supplier_id=output.supplier_with(supplier).pk if supplier else None, limit=100_000)
    output.show(
        rows,
        as_json,
        (_("number"), _("supplier"), _("goods"), _("pieces"), _("state"), _("cost")),
        lambda s: (
            number_of(s["id"]), s["supplier_name"], s["title"] or s["supplier_sku"], s["quantity"], output.state(SAMPLE, s["state"]),
            output.money(s["cost"], s["currency"]) if s["cost"] is not None else "",
        ),
        right=(3, 5),
    )  # fmt: skip
