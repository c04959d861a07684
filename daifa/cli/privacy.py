"""`daifa privacy`."""

from __future__ import annotations

from pathlib import Path

import typer
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from daifa.cli import output
from daifa.lib import clock

app = typer.Typer(
    no_args_is_help=True, add_completion=False,
    help="Buyers' data: show, export or erase what is held on a person; how long it is kept; where it is.",
)  # fmt: skip

EMAIL = typer.Option("", help="The person's mail address.")
PHONE = typer.Option("", help="The person's phone.")
NAME = typer.Option("", help="The person's name, together with --order.")
ORDER = typer.Option("", help="Number of one of the person's orders, together with --name.")


def _find(email: str, phone: str, name: str, order: str):
    from daifa.flows.privacy import find_person

    with output.sentences():
        return find_person(output.scope(), email=email, phone=phone, name=name, number=order)


@app.command("show")
def show(email: str = EMAIL, phone: str = PHONE, name: str = NAME, order: str = ORDER, as_json: bool = output.AS_JSON):
    """What is held on a person: orders, places with counts, what stays and why, who was told, which backups hold it."""
    from daifa.domain.privacy.places import place_word
    from daifa.flows.privacy import what_we_hold

    found = what_we_hold(_find(email, phone, name, order), at=clock.now())
    stays = [{"data": stay.data, "code": stay.code, "until": stay.until, "sentence": stay.sentence()} for stay in found.stays]
    if as_json:
        output.put_json({
            "orders": [{**one, "why": found.person.why.get(one["id"], [])} for one in found.orders], "customers": found.person.customers, "counts": found.counts, "may_go": found.may_go,
            "stays": stays, "told": found.told,
            "backups": [{"id": b.id, "place": b.place, "taken_at": b.taken_at, "until": b.until} for b in found.backups],
            "erased": [{"at": e.at, "token": e.token} for e in found.erased],
        })  # fmt: skip
        return
    for erasure in found.erased:
        typer.echo(_("Erased on %(date)s; in place of the name stands %(token)s.") % {"date": output.when(erasure.at), "token": erasure.token})
    if not found.orders and not found.person.customers:
        typer.echo(_("Nothing is held on this person."))
        return
    output.table(
        (_("order"), _("store"), _("state"), _("placed"), _("total"), _("why it is theirs")),
        [
            (o["number"], o["store"], o["status"], output.when(o["placed_at"]), output.money(o["total_amount"], o["currency"]),
             found.person.why_theirs(o["id"]))
            for o in found.orders
        ],
        right=(4,),
    )  # fmt: skip
    output.table((_("place"), _("rows and files")), [(place_word(place), count) for place, count in sorted(found.counts.items())], title=_("Where it is held"), right=(1,))
    if stays:
        output.table((_("why it stays"),), [(stay["sentence"],) for stay in stays])
    if found.told:
        output.table(
            (_("supplier who was given the address"), _("orders")), [(t["name"], t["orders"]) for t in found.told], right=(1,)
        )
    if found.backups:
        output.table(
            (_("backup that holds it"), _("taken"), _("kept until")),
            [(b.place, output.when(b.taken_at), output.when(b.until) or _("unknown")) for b in found.backups],
        )


@app.command("export")
def export(
    out: Path = typer.Option(..., help="File to write (a zip), or a folder."),
    email: str = EMAIL, phone: str = PHONE, name: str = NAME, order: str = ORDER, as_json: bool = output.AS_JSON,
):  # fmt: skip
    """Write everything held on a person into one zip: for programs, to read, and his files."""
    import os

    from daifa.flows.export_person import export_person

    person = _find(email, phone, name, order)
    if not person.orders and not person.customers:
        output.fail(_("Nothing is held on this person."))
    file, content = export_person(person, by=output.actor(), at=clock.now())
    target = out / file if out.is_dir() else out
    if target.exists():
        output.fail(_("%(path)s is there already; choose another name.") % {"path": target})
    with output.sentences(), open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
        written.write(content)
    if as_json:
        output.put_json({"file": str(target), "bytes": len(content), "orders": len(person.orders)})
    else:
        typer.echo(_("%(path)s holds everything on this person. Hand it over, then delete it here.") % {"path": target})


@app.command("erase")
def erase(
    email: str = EMAIL, phone: str = PHONE, name: str = NAME, order: str = ORDER,
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    as_json: bool = output.AS_JSON,
):  # fmt: skip
    """Erase a person everywhere, as far as holds and the time data must be kept allow. Exit code 1 if anything stays."""
    from daifa.flows.privacy import erase_person

    person = _find(email, phone, name, order)
    if not person.orders and not person.customers:
        output.fail(_("Nothing is held on this person."))
    if not yes:
        typer.confirm(
            ngettext(
                "Erase the buyer of %(count)s order? This cannot be undone, not even by restoring a backup.",
                "Erase the buyer of %(count)s orders? This cannot be undone, not even by restoring a backup.",
                len(person.orders),
            )
            % {"count": len(person.orders)},
            abort=True,
        )
    done = erase_person(person, by=output.actor(), at=clock.now())
    if as_json:
        output.put_json({
            "erased": bool(done.erasure), "token": done.erasure.token if done.erasure else "", "counts": done.counts,
            "stays": [{"data": stay.data, "code": stay.code, "until": stay.until, "sentence": stay.sentence()} for stay in done.stays],
            "backups": [{"place": b.place, "taken_at": b.taken_at, "until": b.until} for b in done.backups],
        })  # fmt: skip
    else:
        if done.erasure:
            typer.echo(_("Erased: %(count)s rows and files.") % {"count": sum(done.counts.values())})
        for stay in done.stays:
            typer.echo(stay.sentence(), err=True)
        for backup in done.backups:
            typer.echo(
                _("A backup of %(date)s still holds it: %(place)s.") % {"date": output.when(backup.taken_at), "place": backup.place}
            )
    if done.stays:
        raise typer.Exit(1)


@app.command("retention")
def retention(
    data: list[str] = typer.Argument(None, help="Classes: contact, letters, papers, disputes, backups. None: show the answers."),
    at_least: int = typer.Option(None, min=0, show_default="0", help="Days before which nothing goes, not even on request."),
    at_most: int = typer.Option(None, min=-1, show_default="-1", help="Days after which it goes by itself; -1: only when somebody asks."),
    source: str = typer.Option("", help="On what the answer rests: a rule, a contract, your adviser."),
    store: str = typer.Option("", help="Only for this store; else for all."),
    country: str = typer.Option("", help="Only for buyers of this country (two letters)."),
    as_json: bool = output.AS_JSON,
):
    """Show or answer how long each class of buyers' data is kept. What nobody answered is never erased."""
    from daifa.domain.privacy import commands, queries
    from daifa.domain.privacy.places import CLASSES, said

    if data or at_least is not None or at_most is not None or source or store or country:
        found = output.store_with(store).pk if store else None
        most = at_most if at_most is not None and at_most >= 0 else None
        with output.sentences():
            commands.set_retention(
                [commands.Kept(code, at_least or 0, most, source, found, country.upper()) for code in data or ()],
                by=output.actor(), at=clock.now(),
            )  # fmt: skip
    rows = queries.retentions(output.scope(), shared=True)
    answers = queries.answers()
    from daifa.domain.stores.models import Store

    missing = [(one.name, code) for one in Store.objects.order_by("name") for code in answers.missing(one.pk)]
    if as_json:
        output.put_json({
            "answers": [
                {"data": row.data, "store": row.store.code if row.store else "", "country": row.country, "at_least": row.at_least,
                 "at_most": row.at_most, "source": row.source, "at": row.at}
                for row in rows
            ],
            "unknown": [{"store": name, "data": code} for name, code in missing],
        })  # fmt: skip
        return
    output.table(
        (_("class"), _("store"), _("buyers in"), _("at least"), _("at most"), _("rests on"), _("said")),
        [
            (said(CLASSES[row.data]), row.store.name if row.store else _("all"), row.country or _("any"), row.at_least,
             _("until asked") if row.at_most is None else row.at_most, row.source, output.when(row.at))
            for row in rows
        ],
        right=(3, 4),
    )  # fmt: skip
    for name, code in missing:
        typer.echo(_("Unknown: how long %(data)s of %(store)s are kept.") % {"data": said(CLASSES[code]), "store": name})


@app.command("scrub")
def scrub(
    wait: int = typer.Option(10, min=1, help="Seconds to wait for a table that is in use."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    as_json: bool = output.AS_JSON,
):
    """After erasing: write the tables and the log of the database anew, so that its files hold nothing of it any more."""
    from daifa.flows import scrub as flow

    if not yes:
        typer.confirm(
            _("Each table is closed while it is written anew, and needs room for a second copy of itself. Go on?"), abort=True
        )
    with output.sentences():
        done = flow.scrub(by=output.actor(), at=clock.now(), wait_s=wait)
    if as_json:
        output.put_json({
            "tables": [{"table": name, "bytes_before": before, "bytes_after": after} for name, before, after in done.tables],
            "left": [{"what": what, "why": why} for what, why in done.left], "log_files": done.log_files, "advice": done.advice(),
        })  # fmt: skip
    else:
        before, after = (sum(one[n] for one in done.tables) for n in (1, 2))
        typer.echo(
            _("%(count)s tables were written anew: %(before)s MB before, %(after)s MB now; %(files)s files of the log were renewed.")
            % {"count": len(done.tables), "before": round(before / 1e6, 1), "after": round(after / 1e6, 1), "files": done.log_files}
        )
        for what, why in done.left:
            typer.echo(f"{what}: {why}", err=True)
        for sentence in done.advice():
            typer.echo(sentence)
    if done.left:
        raise typer.Exit(1)


@app.command("map")
def map_(as_json: bool = output.AS_JSON):
    """Where buyers' data can stand: columns and folders, their class, how they go, who sees them."""
    from daifa.domain.privacy.places import CLASSES, FOLDERS, HOW, PERSONAL, WHO, said

    rows = [(place.model, place.fields, place.data, place.how, place.who) for place in PERSONAL]
    rows += [("DAIFA_HOME", folder.pattern, folder.data, folder.how, folder.who) for folder in FOLDERS]
    if as_json:
        output.put_json([dict(zip(("where", "what", "class", "how", "who"), row, strict=True)) for row in rows])
        return
    output.table(
        (_("where"), _("what"), _("class"), _("how it goes"), _("who sees it")),
        [
            (where, what, said(CLASSES[data]) if data else "", said(HOW[how]), said(WHO[who]))
            for where, what, data, how, who in rows
        ],
    )
