"""`daifa clocks`."""

from __future__ import annotations

from datetime import date, timedelta

import typer
from django.utils.translation import gettext as _

from daifa.cli import output
from daifa.lib import clock
from daifa.lib.commas import listed

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Deadlines and their money: list, parcels, reckon, dispatch, announce, agreed.")


@app.command("list")
def list_(
    store: str = typer.Option("", help="Only this store's."),
    hours: int = typer.Option(0, help="Only what has run out or will within so many hours."),
    limit: int = output.LIMIT,
    as_json: bool = output.AS_JSON,
):
    """List running clocks, soonest first."""
    from daifa.domain.compliance import rules
    from daifa.domain.compliance.queries import open_clocks

    scope = [output.store_with(store).pk] if store else output.scope()
    rows = open_clocks(scope, until=clock.now() + timedelta(hours=hours) if hours else None, limit=limit)
    output.show(
        rows,
        as_json,
        (_("due"), _("clock"), _("of"), _("order"), _("at stake"), _("rule"), _("acts")),
        lambda c: (
            output.when(c.due_at), _(rules.KINDS[c.kind].words), c.thing_number, c.order_number,
            "" if c.stake is None else output.money(c.stake, c.currency), rules.source_words(c.rule), _("yes") if c.acts else _("to be checked"),
        ),
        right=(4,),
    )  # fmt: skip


@app.command("parcels")
def parcels(
    store: str = typer.Option("", help="Only this store's."),
    kind: str = typer.Option("", help="Only number_reused, pickup_before_payment, other_destination …"),
    limit: int = output.LIMIT,
    as_json: bool = output.AS_JSON,
):
    """List what is wrong with parcels, the newest first, with what to do; times by each store's clock."""
    from daifa.domain.compliance import rules
    from daifa.domain.compliance.queries import finding_words, open_findings

    if kind and kind not in rules.FINDINGS:
        output.fail(_("%(value)s is not known; there are: %(known)s.") % {"value": kind, "known": listed(rules.FINDINGS)})
    scope = [output.store_with(store).pk] if store else output.scope()
    output.show(
        [
            {
                "store": one.store.code, "order": one.order.number, "parcel": one.parcel.number, "kind": one.kind, "stake": one.stake,
                "currency": one.currency, "found_at": one.found_at,
                **dict(zip(("sentence", "advice"), finding_words(one.kind, one.params, zone=one.store.timezone), strict=True)),
            }
            for one in open_findings(scope, kind=kind or None, limit=limit)
        ],
        as_json,
        (_("found"), _("store"), _("what is wrong"), _("what to do"), _("at stake")),
        lambda row: (
            output.when(row["found_at"]), row["store"], row["sentence"], row["advice"],
            "" if row["stake"] is None else output.money(row["stake"], row["currency"]),
        ),
        right=(4,),
    )  # fmt: skip


@app.command("reckon")
def reckon(store: str = typer.Option("", help="Only this store's."), as_json: bool = output.AS_JSON):
    """Reckon clocks, findings and figures now."""
    from daifa.flows.keep_clocks import keep_clocks, keep_metrics

    at = clock.now()
    stores = [output.store_with(store).pk] if store else None
    counts = keep_clocks(at=at, by=output.actor(), stores=stores)
    counts["metrics"] = keep_metrics(at=at, stores=stores)
    if as_json:
        output.put_json(counts)
    else:
        typer.echo(
            _("%(clocks)s clocks run; %(changed)s have changed.") % {"clocks": counts["clocks"], "changed": counts["changed"]}
        )


@app.command("dispatch")
def dispatch(
    store: str = typer.Option(..., help="The store's code."),
    mode: str = typer.Option(..., help="spot, bonded, direct, fast_24h, same_day, promised, presale, or unknown to take it back."),
    hours: int = typer.Option(0, help="Hours promised to buyers."),
    origin: str = typer.Option("", help="Province of China the parcels leave from."),
    ships_on: str = typer.Option("", help="On presale: the day by which it ships."),
    sku: list[str] = typer.Option([], help="Only for these of our SKUs."),
):
    """Say how a store ships: it decides which of the channel's times hold."""
    from daifa.domain.compliance.commands import set_dispatch_mode
    from daifa.domain.orders.commands import find_variants

    one = output.store_with(store)
    known = find_variants(one.pk, sku)
    if missing := [each for each in sku if known.get(each, (None, None))[1] is None]:
        output.fail(_("No article is known under %(skus)s.") % {"skus": listed(missing[:5])})
    with output.sentences():
        set_dispatch_mode(
            store_id=one.pk, mode=mode, hours=hours or None, origin=origin, variants=[known[each][1] for each in sku],
            ships_on=_day(ships_on), by=output.actor(), at=clock.now(),
        )  # fmt: skip
    typer.echo(_("Saved."))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        output.fail(_("%(text)s is no day; write it as 2026-03-09.") % {"text": text})


@app.command("announce")
def announce(
    title: str = typer.Argument("", help="What was announced, in a few words. Without it: what was entered."),
    channel: str = typer.Option("", help="The channel it holds for; or --store."),
    store: str = typer.Option("", help="Only this store's, granted to it."),
    source: str = typer.Option("", help="Address of the notice, or its number."),
    effect: str = typer.Option("extend", help="extend, pause, waive, or none (only the figures change)."),
    clocks: list[str] = typer.Option(["dispatch"], help="dispatch, scans, answers; or kinds of clocks."),
    first: str = typer.Option("", "--from", help="The first day."),
    last: str = typer.Option("", "--to", help="The last day; the first where left out."),
    hours: int = typer.Option(0, help="extend: at least so many hours."),
    until: str = typer.Option("", help="extend: or until the end of this day."),
    region: list[str] = typer.Option([], help="Only there: 浙江, 浙江/杭州, US-CA."),
    country: list[str] = typer.Option([], help="Only there: DE."),
    side: str = typer.Option("either", help="Parcels to there (destination), from there (origin), or either."),
    goes_by: str = typer.Option("start", help="waive: what began on these days (start), or falls due on them (due)."),
    leaves_out: str = typer.Option("", help="Leave these days out of the score, or of lines (and score)."),
    withdraw: int = typer.Option(0, help="Take the announcement with this number back."),
    as_json: bool = output.AS_JSON,
):
    """Enter what a platform announced or granted, list it, or take it back. The clocks are reckoned anew."""
    from daifa.domain.compliance import announced, announced_commands, announced_queries
    from daifa.flows.keep_clocks import keep_clocks

    at, by = clock.now(), output.actor()
    if withdraw:
        if not announced_commands.withdraw_announcements([withdraw], by=by, at=at):
            output.fail(_("There is no announcement with the number %(number)s that counts.") % {"number": withdraw})
        keep_clocks(at=at, by=by)
        typer.echo(_("Taken back; the clocks are reckoned anew."))
        return
    if not title:
        rows = announced_queries.announcement_page(output.scope(), limit=200)
        output.show(
            [
                {name: getattr(one, name) for name in ("id", "title", "source", "channel", "store_id", "kinds", "effect", "first", "last", "hours",
                                                       "until", "regions", "countries", "side", "goes_by", "leaves_out", "withdrawn_at")}
                for one in rows
            ],
            as_json,
            (_("number"), _("what was announced"), _("channel"), _("what it does"), _("from"), _("to"), _("where"), _("counts")),
            lambda row: (
                str(row["id"]), row["title"], row["channel"], _(dict(announced.EFFECTS)[row["effect"]]), row["first"].isoformat(),
                row["last"].isoformat(), f"{row['regions']} {row['countries']}".strip(), _("no") if row["withdrawn_at"] else _("yes"),
            ),
        )  # fmt: skip
        return
    of_store = output.store_with(store) if store else None
    kinds = [one for name in clocks for one in (announced.GROUPS[name][1] if name in announced.GROUPS else (name,))]
    begins = _day(first)
    if begins is None:
        output.fail(_("Say the first day: --from 2026-03-09."))
    with output.sentences():
        row = announced_commands.announce(
            announced_commands.NewAnnouncement(
                of_store.channel if of_store else channel, title, source, kinds, effect, begins, _day(last) or begins, hours=hours or None,
                until=_day(until), countries=country, regions=region, side=side, goes_by=goes_by, leaves_out=leaves_out,
                store_id=of_store.pk if of_store else None,
            ), by=by, at=at,
        )  # fmt: skip
    done = keep_clocks(at=at, by=by)
    if as_json:
        output.put_json({"id": row.pk, **done})
    else:
        typer.echo(_("Entered with the number %(number)s; %(changed)s clocks have changed.") % {"number": row.pk, "changed": done["changed"]})


@app.command("agreed")
def agreed(
    order: str = typer.Argument(help="The order's number."),
    until: str = typer.Option(..., help="Dispatch by then, as 2026-03-09 18:00."),
    proof: str = typer.Option(..., help="Where the buyer agreed: chat, mail, the platform's form."),
    on: str = typer.Option("", "--on", help="When they agreed; now where left out."),
    said: str = typer.Option("", help="In the buyer's words."),
    store: str = typer.Option("", help="The order's store, where several have this number."),
):
    """Keep that a buyer agreed to a later dispatch; the clock moves where the channel's rules go by it."""
    from daifa.domain.compliance.announced_commands import agree_dispatch
    from daifa.domain.orders.models import Order
    from daifa.flows.keep_clocks import keep_clocks

    at = clock.now()
    scope = [output.store_with(store).pk] if store else output.scope()
    found = list(Order.objects.filter(store__in=scope, number=order)[:2])
    if len(found) != 1:
        output.fail(
            (_("There is no order %(number)s.") if not found else _("Several stores have an order %(number)s: name one with --store.")) % {"number": order}
        )
    due = output.moment(until)
    if due is None:
        output.fail(_("Say until when: --until 2026-03-09."))
    with output.sentences():
        agree_dispatch(order_id=found[0].pk, until=due, agreed_at=output.moment(on) or at, proof=proof, said=said, by=output.actor(), at=at)
    keep_clocks(orders=[found[0].pk], at=at)
    typer.echo(_("Kept."))
