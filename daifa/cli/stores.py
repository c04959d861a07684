"""`daifa stores`."""

from __future__ import annotations

import typer
from django.utils.translation import gettext as _

from daifa.cli import output
from daifa.lib import clock

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Stores: add, list.")


def _told(store) -> dict:
    names = (
        "id",
        "code",
        "name",
        "kind",
        "channel",
        "currency",
        "timezone",
        "language",
        "country",
        "is_sample",
    )
    return {name: getattr(store, name) for name in names}


@app.command("add")
def add(
    code: str = typer.Argument(help="Short name, as in file names: gift-shop"),
    name: str = typer.Option("", help="Name for people; the code where left out."),
    currency: str = typer.Option(..., help="ISO 4217, as GBP."),
    kind: str = typer.Option("manual", help="own_site, manual (files) or marketplace."),
    channel: str = typer.Option("", help="Where buyers buy: manual, shopify, xiaohongshu …"),
    timezone: str = typer.Option("UTC", help="As Europe/London."),
    language: str = typer.Option("en", help="Language of its buyers: en or zh-hans."),
    country: str = typer.Option("", help="ISO 3166, as GB."),
    margin_floor: str = typer.Option("0", help="Lowest margin in percent of the line."),
    reply_to: str = typer.Option("", help="Reply address shown to buyers."),
    as_json: bool = output.AS_JSON,
):
    """Add a store."""
    from daifa.flows.open_store import add_store

    with output.sentences():
        store = add_store(
            code=code, name=name or code, currency=currency.upper(), kind=kind, channel=channel or "manual",
            timezone=timezone, language=language, country=country.upper(), margin_floor=margin_floor, reply_to=reply_to,
            by=output.actor(), at=clock.now(),
        )  # fmt: skip
    if as_json:
        output.put_json(_told(store))
    else:
        typer.echo(
            _("Added store %(code)s (%(kind)s, %(currency)s).")
            % {"code": store.code, "kind": store.get_kind_display(), "currency": store.currency}
        )


@app.command("list")
def list_(as_json: bool = output.AS_JSON):
    """List the stores."""
    from daifa.domain.stores.models import Store

    output.show(
        [_told(store) for store in Store.objects.order_by("code")],
        as_json,
        (_("code"), _("name"), _("kind"), _("channel"), _("currency"), _("time zone"), _("sample")),
        lambda s: (
            s["code"], s["name"], output.word(Store.KINDS, s["kind"]), s["channel"], s["currency"], s["timezone"],
            _("yes") if s["is_sample"] else "",
        ),
    )  # fmt: skip
