"""`daifa listings`."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import typer
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from daifa.cli import output
from daifa.lib import clock
from daifa.lib.commas import listed

app = typer.Typer(
    no_args_is_help=True, add_completion=False,
    help="Listings: list, show, draft, edit, publish, pause, delist, waiting, approve, return, file, settle, watch.",
)  # fmt: skip

SKUS = typer.Argument(help="SKUs in the store; one stands for its whole listing.")
STORE = typer.Option(..., help="Of which store.")
REASON = typer.Option(..., help="Why: what you looked at, or which proof you hold.")


@app.command("list")
def list_(
    search: str = typer.Argument("", help="The beginning of a SKU, or words of the title."),
    store: str = typer.Option("", help="Only this store's."),
    state: str = typer.Option("", help="draft, live, paused, taken_down, delisted, closed."),
    against: bool = typer.Option(False, help="Only what is on sale against the rules, or should be looked at."),
    limit: int = output.LIMIT,
    as_json: bool = output.AS_JSON,
):
    """List listings, newest first: a product as one store sells it."""
    from daifa.domain.catalog.process import LISTING, PUBLICATION
    from daifa.domain.catalog.queries import listing_page

    state = output.code_of(state, LISTING.words, _("There is no state “%(text)s”. There are: %(known)s."))
    scope = [output.store_with(store).pk] if store else output.scope()
    rows = listing_page(scope, q=search or None, state=state or None, against=against, limit=limit)
    output.show(
        rows, as_json,
        (_("SKU"), _("listing"), _("SKUs"), _("price"), _("state"), _("publication"), _("against the rules")),
        lambda one: (
            one.sku, one.title, one.skus, output.money(one.price, one.currency) if one.price is not None else "", output.state(LISTING, one.state),
            output.state(PUBLICATION, one.publication_state) if one.publication_state else "",
            "" if one.concern is None else _("yes") if one.concern else _("to be looked at"),
        ),
        right=(2, 3),
    )  # fmt: skip


def _products(skus: list[str], store: Any) -> list[int]:
    """Products of listings named by SKU in a store; ends with a sentence where one is unknown."""
    from daifa.domain.catalog.queries import listings_named
    from daifa.flows.publish_listings import products_of

    found = listings_named([store.pk], skus)
    if unknown := [sku for sku in skus if sku not in found]:
        output.fail(_("This store has no listing %(skus)s.") % {"skus": listed(unknown[:10])})
    products = products_of([pk for ids in found.values() for pk in ids]).get(store.pk, [])
    if not products:
        output.fail(_("It is linked to no variant: say first which one it is."))
    return products


@app.command("show")
def show(sku: str = typer.Argument(help="SKU in the store."), store: str = STORE, as_json: bool = output.AS_JSON):
    """What stands against publishing a listing as it is now."""
    from daifa.domain.catalog.queries import listing_page
    from daifa.flows import publish_listings

    of_store = output.store_with(store)
    [product] = _products([sku], of_store)
    judged = publish_listings.judge(of_store, [product], at=clock.now(), by=output.actor())[product]
    row = listing_page([of_store.pk], product_id=product, limit=1)[0]
    said = publish_listings.sentences(judged.verdict.reasons)
    if as_json:
        output.put_json({**row._asdict(), "verdict": judged.verdict.state, "sentences": said, "content": judged.content})
        return
    typer.echo(f"{row.sku} · {row.title}")
    for one in said or [_("Nothing stands against publishing it as it is now.")]:
        typer.echo(f"  {one}")


@app.command("draft")
def draft(
    products: list[str] = typer.Argument(help="SKUs, or handles of products."),
    store: str = STORE,
    price: str = typer.Option("", help="For every SKU of them, in the store's currency."),
    as_json: bool = output.AS_JSON,
):
    """List products in a store, not published yet."""
    from daifa.flows import publish_listings

    with output.sentences():
        made = publish_listings.draft(
            store_id=output.store_with(store).pk, names=products, price=output.amount(price) if price else None, by=output.actor(), at=clock.now()
        )
    _tell(as_json, {"made": len(made)}, ngettext("%(n)d SKU listed, not published yet.", "%(n)d SKUs listed, not published yet.", len(made)) % {"n": len(made)})


@app.command("edit")
def edit(
    sku: str = typer.Argument(help="SKU in the store."),
    store: str = STORE,
    title: str = typer.Option(None, help="Title of the listing in this store; empty: the product's."),
    price: str = typer.Option("", help="Price of this SKU."),
    as_json: bool = output.AS_JSON,
):
    """Give a listing a title of its own, or a SKU its price."""
    from daifa.domain.catalog import commands
    from daifa.domain.catalog.queries import listing_variants, listings_named

    of_store = output.store_with(store)
    _products([sku], of_store)
    pk = listings_named([of_store.pk], [sku])[sku][0]
    changes: dict[int, tuple[str | None, Decimal | None]] = {one["id"]: (title, None) for one in listing_variants([of_store.pk], pk)}
    changes[pk] = (title, output.amount(price) if price else None)
    with output.sentences():
        changed = commands.edit_listings(changes, store_id=of_store.pk, by=output.actor(), at=clock.now())
    _tell(as_json, {"changed": len(changed)}, _("Saved. The channel shows it once it is published anew."))


def _tell(as_json: bool, told: dict[str, Any], sentence: str) -> None:
    if as_json:
        output.put_json(told)
    else:
        typer.echo(sentence)


def _said(published: Any, as_json: bool) -> None:
    from daifa.domain.catalog.models import Product

    titles = dict(Product.objects.filter(pk__in=list(published.outcomes)).values_list("pk", "title"))
    output.show(
        [{"product": titles[product], **one._asdict()} for product, one in published.outcomes.items()], as_json,
        (_("listing"), _("outcome"), _("why")),
        lambda row: (row["product"], row["state"], " ".join(row["sentences"])),
    )  # fmt: skip
    if published.of("refused") or published.of("busy"):
        raise typer.Exit(1)


@app.command("publish")
def publish(
    skus: list[str] = typer.Argument(None, help="SKUs in the store; one stands for its whole listing. None: all that are not published yet."),
    store: str = STORE,
    as_json: bool = output.AS_JSON,
):
    """Ask for listings to be published; says of each what stands against it. Ends with 1 where one was stopped."""
    from daifa.domain.catalog.queries import listing_page
    from daifa.flows import publish_listings

    of_store = output.store_with(store)
    if skus:
        products = _products(skus, of_store)
    else:
        products = [one.product_id for one in listing_page([of_store.pk], state="draft", limit=5000) if one.product_id]
    _said(publish_listings.publish(store_id=of_store.pk, product_ids=products, by=output.actor(), at=clock.now()), as_json)


def _withdraw(skus: list[str], store: str, action: Any, reason: str, as_json: bool) -> None:
    from daifa.flows import publish_listings

    of_store = output.store_with(store)
    _said(
        publish_listings.withdraw_from_channel(
            store_id=of_store.pk, product_ids=_products(skus, of_store), action=action, reason=reason, by=output.actor(), at=clock.now()
        ),
        as_json,
    )


@app.command("pause")
def pause(skus: list[str] = SKUS, store: str = STORE, reason: str = typer.Option("", help="Why."), as_json: bool = output.AS_JSON):
    """Ask the channel to pause listings."""
    _withdraw(skus, store, "pause", reason, as_json)


@app.command("delist")
def delist(skus: list[str] = SKUS, store: str = STORE, reason: str = typer.Option("", help="Why."), as_json: bool = output.AS_JSON):
    """Ask the channel to take listings off sale."""
    _withdraw(skus, store, "delist", reason, as_json)


@app.command("waiting")
def waiting(
    store: str = typer.Option("", help="Only this store's."),
    state: str = typer.Option("waiting", help="waiting, ready, filed, unknown, refused, done …"),
    limit: int = output.LIMIT,
    as_json: bool = output.AS_JSON,
):
    """What waits for a person, with what stands against it; or publications in another state."""
    from daifa.domain.catalog.process import ACTIONS, PUBLICATION
    from daifa.domain.catalog.queries import publication_page
    from daifa.flows import publish_listings

    state = output.code_of(state, PUBLICATION.words, _("There is no state “%(text)s”. There are: %(known)s."))
    scope = [output.store_with(store).pk] if store else output.scope()
    output.show(
        publication_page(scope, state=state or None, limit=limit), as_json,
        (_("no."), _("listing"), _("what"), _("state"), _("why"), _("asked for")),
        lambda one: (
            one["id"], one["title"], ACTIONS[one["action"]][output.side()], output.state(PUBLICATION, one["state"]),
            " ".join(publish_listings.sentences(one["reasons"])), output.when(one["at"]),
        ),
        right=(0,),
    )  # fmt: skip


def _decided(decided: Any, as_json: bool) -> None:
    if as_json:
        output.put_json({"done": decided.done, "refused": decided.refused})
    else:
        typer.echo(_("%(n)d done.") % {"n": len(decided.done)})
        for pk, sentence in decided.refused.items():
            typer.echo(f"{pk}: {sentence}", err=True)
    if decided.refused:
        raise typer.Exit(1)


NUMBERS = typer.Argument(help="Numbers, as `daifa listings waiting` shows them.")


@app.command("approve")
def approve(numbers: list[int] = NUMBERS, reason: str = REASON, as_json: bool = output.AS_JSON):
    """Let out what waits, with the reason; kept for exactly this text and picture."""
    from daifa.flows import publish_listings

    with output.sentences():
        _decided(publish_listings.approve(numbers, reason=reason, by=output.actor(), at=clock.now()), as_json)


@app.command("return")
def send_back(numbers: list[int] = NUMBERS, reason: str = typer.Option(..., help="What has to be changed."), as_json: bool = output.AS_JSON):
    """Give back what waits, to be changed."""
    from daifa.flows import publish_listings

    with output.sentences():
        _decided(publish_listings.send_back(numbers, reason=reason, by=output.actor(), at=clock.now()), as_json)


@app.command("file")
def make_file(
    store: str = STORE,
    out: Path = typer.Option(Path("."), help="Folder in which the file is put."),
    number: int = typer.Option(0, help="An earlier file, once more."),
    as_json: bool = output.AS_JSON,
):
    """Put what may go out into a file to be uploaded; say afterwards with `settle` that it was."""
    from daifa.domain.catalog.models import ListingFile
    from daifa.flows import publish_listings

    of_store = output.store_with(store)
    with output.sentences():
        if number:
            file = ListingFile.objects.filter(store=of_store, number=number).first()
        else:
            file = publish_listings.make_file(store_id=of_store.pk, by=output.actor(), at=clock.now())
    if file is None:
        output.fail(_("There is no such file.") if number else _("Nothing may go out by file now: publish first, or look at what waits."))
    target = out / file.name
    try:
        target.write_bytes(bytes(file.content))
    except OSError as error:
        output.fail(_("%(file)s cannot be written: %(why)s.") % {"file": target, "why": error.strerror or error})
    _tell(as_json, {"file": str(target), "number": file.number, "listings": file.listing_count}, str(target))


@app.command("settle")
def settle(
    number: int = typer.Argument(help="Number of the file in its store."),
    store: str = STORE,
    uploaded: bool = typer.Option(True, "--uploaded/--not-uploaded", help="Whether the channel took it."),
    as_json: bool = output.AS_JSON,
):
    """Say whether a file was uploaded."""
    from daifa.domain.catalog.models import ListingFile
    from daifa.flows import publish_listings

    file = ListingFile.objects.filter(store=output.store_with(store), number=number).first()
    if file is None:
        output.fail(_("There is no such file."))
    with output.sentences():
        ids = publish_listings.settle_file(file_id=file.pk, uploaded=uploaded, by=output.actor(), at=clock.now())
    _tell(as_json, {"listings": len(ids), "uploaded": uploaded}, ngettext("%(n)d listing settled.", "%(n)d listings settled.", len(ids)) % {"n": len(ids)})


@app.command("watch")
def watch(as_json: bool = output.AS_JSON):
    """Look at all that waits and all that is on sale by the lists, papers and notices as they are now."""
    from daifa.flows import publish_listings, screen_texts

    at = clock.now()
    screen_texts.screen_texts(at=at, by=output.actor())
    again = publish_listings.judge_again(at=at, by=output.actor())
    found = publish_listings.watch_listings(at=at, by=output.actor())
    _tell(
        as_json, {**found, "judged_again": again},
        _("On sale against the rules: %(n)d; to be looked at: %(look)d.") % {"n": found["grave"], "look": found["looked_at"] - found["grave"]},
    )  # fmt: skip
