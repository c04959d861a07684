"""`daifa violations` and `daifa evidence`."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import typer
from django.utils.translation import gettext as _

from daifa.cli import output
from daifa.lib import clock
from daifa.lib.commas import listed

app = typer.Typer(
    no_args_is_help=True, add_completion=False,
    help="Violations: list, show, add, orders, points, appeal, deposit.",
)  # fmt: skip

REFERENCE = typer.Argument(help="The platform's reference.")
STORE = typer.Option("", help="Only this store's; needed where two stores have the same reference.")


@app.command("list")
def list_(
    search: str = typer.Argument("", help="Reference, or its beginning; or an order number."),
    store: str = typer.Option("", help="Only this store's."),
    state: str = typer.Option("open", help="open, all, or active, appealed, upheld, reduced, lifted, expired."),
    limit: int = output.LIMIT,
    as_json: bool = output.AS_JSON,
):
    """List violations, newest first."""
    from daifa.domain.cases import queries
    from daifa.domain.cases.process import VIOLATION, VIOLATION_KINDS
    from daifa.domain.stores.models import Store

    if state not in ("open", "all") and state not in VIOLATION.table:
        output.fail(_("There is no state “%(text)s”. There are: %(known)s.") % {"text": state, "known": listed(("open", "all", *VIOLATION.table))})
    scope = [output.store_with(store).pk] if store else output.scope()
    rows = queries.violation_page(scope, q=search or None, state=None if state == "all" else state, limit=limit)
    codes = dict(Store.objects.filter(pk__in=scope).values_list("pk", "code"))
    output.show(
        rows, as_json,
        (_("violation"), _("store"), _("kind"), _("state"), _("points"), _("notice"), _("appeal by"), _("points until")),
        lambda row: (
            row["reference"], codes[row["store_id"]], queries.word(VIOLATION_KINDS, row["kind"]), output.state(VIOLATION, row["state"]), f"{row['points'].normalize():f}",
            output.when(row["notified_at"]), output.when(row["appeal_due_at"]), output.when(row["points_until"]),
        ),
        right=(4,),
    )  # fmt: skip


@app.command("show")
def show(reference: str = REFERENCE, store: str = STORE, as_json: bool = output.AS_JSON):
    """One violation with its orders, consequences, appeals and money."""
    from dataclasses import asdict

    from daifa.domain.cases import queries
    from daifa.domain.cases.process import APPEAL, CONSEQUENCES, DEPOSIT_MOVES, VIOLATION, VIOLATION_KINDS

    found = queries.violation_detail(output.scope(), _named(reference, store).pk)
    assert found is not None
    if as_json:
        told = asdict(found)
        output.put_json({**told.pop("violation"), **told})
        return
    row = found.violation
    typer.echo(
        " · ".join(
            part for part in (
                row["reference"], queries.word(VIOLATION_KINDS, row["kind"]), output.state(VIOLATION, row["state"]),
                _("%(points)s points") % {"points": f"{row['points'].normalize():f}"}, row["title"],
            ) if part
        )
    )  # fmt: skip
    if row["appeal_due_at"]:
        typer.echo(f"{_('Appeal by')}: {output.when(row['appeal_due_at'])} UTC ({row['appeal_rule'] or _('as the notice says')})")
    if found.orders:
        typer.echo(f"{_('Orders behind it')}: {', '.join(one['number'] for one in found.orders)}")
    if row["unknown_orders"]:
        typer.echo(_("Not known here: %(numbers)s") % {"numbers": listed(row["unknown_orders"])})
    for title, heads, rows in (
        (
            _("Consequences"), (_("what"), _("from"), _("until")),
            [(queries.word(CONSEQUENCES, one["kind"]), output.when(one["from_at"]), output.when(one["until_at"])) for one in found.consequences],
        ),
        (
            _("Appeals"), (_("round"), _("state"), _("sent"), _("answer due")),
            [(one["round"], output.state(APPEAL, one["state"]), output.when(one["sent_at"]), output.when(one["answer_due_at"])) for one in found.appeals],
        ),
        (
            _("Money"), (_("what"), _("when"), _("amount")),
            [(queries.word(DEPOSIT_MOVES, one["kind"]), output.when(one["at"]), output.money(one["amount"], one["currency"])) for one in found.moves],
        ),
    ):  # what is empty is not shown
        if rows:
            output.table(heads, rows, title=title)


@app.command("add")
def add(
    reference: str = REFERENCE,
    store: str = typer.Option(..., help="Whose violation it is."),
    kind: str = typer.Option("other", help="late_dispatch, invalid_tracking, no_source, false_claims, compensation …"),
    notified: str = typer.Option("", help="When the notice came; now where left out."),
    points: str = typer.Option("0", help="Points given."),
    title: str = typer.Option("", help="In the platform's words."),
    rule: str = typer.Option("", help="Id of the rule in the rule book."),
    order: list[str] = typer.Option([], help="An order behind it."),
    money: str = typer.Option("", help="Money taken with it, in the store's currency."),
    taken_from: str = typer.Option("proceeds", help="Where the money was taken: proceeds or deposit."),
    as_json: bool = output.AS_JSON,
):
    """Enter a violation. The deadline to appeal comes from the channel's rules."""
    from daifa.domain.cases.commands import NewViolation, add_violations

    at = clock.now()
    of_store = output.store_with(store)
    if taken_from not in ("proceeds", "deposit"):
        output.fail(_("Money is taken from proceeds or deposit, not from “%(text)s”.") % {"text": taken_from})
    with output.sentences():
        done = add_violations(
            [
                NewViolation(
                    reference, output.moment(notified) or at, kind, title, rule, output.amount_or_zero(points), orders=tuple(order),
                    money=output.amount(money) if money else None, from_proceeds=taken_from == "proceeds",
                )
            ],
            store=of_store, source=output.actor(), whole=True, by=output.actor(), at=at,
        )  # fmt: skip
    if done.refused:
        output.fail(done.refused[0].sentence())
    for note in done.notes:
        typer.echo(note.sentence(), err=True)
    if as_json:
        output.put_json({"id": done.added[0] if done.added else None, "known": not done.added, "completed": bool(done.completed)})
    elif done.completed:
        typer.echo(_("%(reference)s was known already; what it lacked is added.") % {"reference": reference})
    else:
        typer.echo(_("%(reference)s is known already.") % {"reference": reference} if done.known else _("Kept."))


@app.command("orders")
def orders(
    reference: str = REFERENCE,
    numbers: list[str] = typer.Argument(help="Order numbers."),
    store: str = STORE,
    as_json: bool = output.AS_JSON,
):
    """Say which orders are behind a violation."""
    from daifa.domain.cases import commands

    violation = _named(reference, store)
    with output.sentences():
        count = commands.name_orders(violation_id=violation.pk, numbers=numbers, by=output.actor(), at=clock.now())
    if as_json:
        output.put_json({"reference": violation.reference, "attached": count})
    else:
        typer.echo(_("Orders attached: %(count)s.") % {"count": count})


@app.command("points")
def points(store: str = typer.Argument("", help="A store; all where left out."), as_json: bool = output.AS_JSON):
    """Points that count now, what they cost next, and the deposit, store by store."""
    from daifa.domain.cases import queries
    from daifa.domain.stores.models import Store

    at = clock.now()
    stores = [output.store_with(store)] if store else list(Store.objects.filter(pk__in=output.scope()).order_by("code"))
    told = []
    for one in stores:
        found, deposit = queries.points(one.pk, at=at), queries.deposit(one.pk, at=at)
        told.append({
            "store": one.code, "points": found.total, "reached": found.reached.consequence if found.reached else "",
            "next_at": found.next.threshold if found.next else None, "next": found.next.consequence if found.next else "",
            "next_acts": found.next.acts if found.next else None, "falls_at": found.falls_at, "falls": found.falls,
            "deposit_held": deposit.held.amount, "deposit_required": deposit.required.amount if deposit.required else None,
            "currency": one.currency,
        })  # fmt: skip
    if as_json:
        output.put_json(told)
        return
    output.table(
        (_("store"), _("points"), _("next at"), _("what then"), _("fall"), _("deposit held"), _("required")),
        [
            (
                one["store"], f"{one['points'].normalize():f}", one["next_at"], one["next"], output.when(one["falls_at"]),
                output.money(one["deposit_held"], one["currency"]),
                "" if one["deposit_required"] is None else output.money(one["deposit_required"], one["currency"]),
            )
            for one in told
        ],
        right=(1, 2, 5, 6),
    )  # fmt: skip


@app.command("appeal")
def appeal(
    reference: str = REFERENCE,
    store: str = STORE,
    text: str = typer.Option("", help="Why it is wrong: begins an appeal."),
    sent: bool = typer.Option(False, "--sent", help="It was handed in at the platform."),
    handed_in: str = typer.Option("", help="When it was handed in, where that was before now (means --sent)."),
    outcome: str = typer.Option("", help="What the platform answered: won, partly_won or lost."),
    points_left: str = typer.Option("", help="Points left, where it was won in part."),
    note: bool = typer.Option(False, "--keep-as-note", help="Too late for an appeal: keep the text as a note."),
    as_json: bool = output.AS_JSON,
):
    """Begin an appeal, say that it was handed in, or enter what was answered."""
    from daifa.domain.cases import commands
    from daifa.domain.cases.models import Appeal

    violation, at, by = _named(reference, store), clock.now(), output.actor()
    then = output.moment(handed_in)
    if not (text or sent or then or outcome):
        output.fail(_("Give --text, --sent or --outcome."))
    with output.sentences():
        if text:
            commands.open_appeal(violation_id=violation.pk, text=text, keep_as_note=note, handed_in_at=then, by=by, at=at)
        open_ = Appeal.objects.filter(violation=violation, state__in=("draft", "sent")).first()
        if (sent or then or outcome) and open_ is None:
            output.fail(_("No appeal against it is under way."))
        if (sent or then) and not (text and then):
            commands.send_appeal(appeal_id=open_.pk, handed_in_at=then, by=by, at=at)
        if outcome:
            left = Decimal(output.amount_or_zero(points_left)) if points_left else None
            commands.answer_appeal(appeal_id=open_.pk, outcome=outcome, points=left, by=by, at=at)
    violation.refresh_from_db()
    if as_json:
        output.put_json({"reference": violation.reference, "state": violation.state})
    else:
        from daifa.domain.cases.process import VIOLATION

        typer.echo(f"{violation.reference}: {output.state(VIOLATION, violation.state)}")


@app.command("deposit")
def deposit(
    store: str = typer.Argument(help="Whose deposit."),
    kind: str = typer.Option("", help="paid_in, topped_up, deducted, given_back, withdrawn, returned, penalty, penalty_back."),
    amount: str = typer.Option("", help="In the store's currency."),
    reference: str = typer.Option("", help="Of the platform or the bank; the same one is taken once."),
    violation: str = typer.Option("", help="Reference of the violation it belongs to."),
    on: str = typer.Option("", help="The day it moved; now where left out."),
    from_proceeds: bool = typer.Option(False, "--from-proceeds", help="Paid in out of what the channel owed, not from the bank."),
    require: str = typer.Option("", help="What the platform requires from today on."),
    as_json: bool = output.AS_JSON,
):
    """What is held and required; or enter a move, or what is required."""
    from daifa.domain.cases import commands, queries

    of_store, at, by = output.store_with(store), clock.now(), output.actor()
    with output.sentences():
        if require:
            commands.require_deposit(store=of_store, amount=output.amount_or_zero(require), valid_from=at.date(), by=by, at=at)
        if kind:
            about = _named(violation, store).pk if violation else None
            zone = ZoneInfo(of_store.timezone)
            today = at.astimezone(zone).date()
            day = output.day(on, today)
            moment = at if day == today else datetime.combine(day, time(12), zone)
            moved = commands.NewMove(kind, output.amount(amount), moment, reference, about, from_proceeds)
            done = commands.move_deposit([moved], store=of_store, by=by, at=at)
            if done.refused:
                output.fail(done.refused[0].sentence())
            for known in done.known:
                typer.echo(_("%(reference)s is known already.") % {"reference": known}, err=True)
    found = queries.deposit(of_store.pk, at=at)
    told: dict[str, Any] = {
        "store": of_store.code, "held": found.held.amount, "required": found.required.amount if found.required else None,
        "short": found.short.amount if found.short else None, "deducted": found.deducted.amount, "penalties": found.penalties.amount,
        "currency": of_store.currency,
    }  # fmt: skip
    if as_json:
        output.put_json(told)
        return
    output.table(
        (_("held"), _("required"), _("short"), _("deducted"), _("penalties from proceeds")),
        [tuple("" if told[name] is None else output.money(told[name], of_store.currency) for name in ("held", "required", "short", "deducted", "penalties"))],
        right=(0, 1, 2, 3, 4),
    )


def _named(reference: str, store: str) -> Any:
    from daifa.domain.cases.models import Violation

    found = Violation.objects.filter(reference=reference, store_id__in=output.scope()).select_related("store")
    if store:
        found = found.filter(store=output.store_with(store))
    rows = list(found[:2])
    if not rows:
        output.fail(_("There is no violation %(reference)s.") % {"reference": reference})
    if len(rows) > 1:
        output.fail(_("Two stores have a violation %(reference)s: say which with --store.") % {"reference": reference})
    return rows[0]


def _beside(where: Path) -> Path:
    """A name in that folder that no file has yet: a pack made before is never written over."""
    number, free = 1, where
    while free.exists():
        number += 1
        free = where.with_stem(f"{where.stem}-{number}")
    return free


def evidence(
    orders: list[str] = typer.Argument(None, help="Order numbers; none where a case is given."),
    store: str = typer.Option(..., help="Whose orders or case."),
    violation: str = typer.Option("", help="Reference of a violation it is made for."),
    complaint: str = typer.Option("", help="Reference of a complaint it is made for."),
    infringement: str = typer.Option("", help="Reference of a notice of a right it is made for."),
    out: Path = typer.Option(None, "--out", help="Where the ZIP is written, too: a folder, or a file named *.zip."),
    language: str = typer.Option("zh-hans", help="Language of the pack: zh-hans or en."),
    reveal: str = typer.Option("", help="Show buyers unmasked, for this written reason."),
    costs: bool = typer.Option(False, "--costs", help="Show what was paid to suppliers."),
    as_json: bool = output.AS_JSON,
):
    """Gather order, agreement, purchase, waybill trail, messages and photos into a PDF and a ZIP with hashes."""
    from daifa.domain.cases import files
    from daifa.domain.cases.models import Complaint, Infringement, Violation
    from daifa.domain.orders.queries import order_named
    from daifa.flows.gather_evidence import gather_evidence

    if language not in ("zh-hans", "en"):
        output.fail(_("A pack is made in zh-hans or en."))
    of_store = output.store_with(store)
    ids = []
    for number in orders or []:
        found = order_named([of_store.pk], number)
        if not found:
            output.fail(_("This store has no order %(number)s.") % {"number": number})
        ids += found
    kind, case = "", 0
    for name, model, reference in (("violation", Violation, violation), ("complaint", Complaint, complaint), ("infringement", Infringement, infringement)):
        if reference:
            row = model.objects.filter(store=of_store, reference=reference).first()
            if row is None:
                output.fail(_("There is no such case."))
            kind, case = name, row.pk
    if out is not None and out.suffix.lower() != ".zip" and not out.exists():
        out.mkdir(parents=True, exist_ok=True)
    with output.sentences():
        with output.watched(_("Photos"), quiet=as_json) as told:
            done = gather_evidence(
                store_id=of_store.pk, order_ids=ids, case_kind=kind, case=case, language=language, reveal=bool(reveal), reason=reveal,
                costs=costs, by=output.actor(), at=clock.now(), progress=told,
            )  # fmt: skip
        where = None
        if out is not None:
            where = _beside(out / done.pack.name) if out.is_dir() else out
            where.write_bytes(files.read(done.pack.sha256, "evidence") or b"")
    if as_json:
        output.put_json({
            "id": done.pack.pk, "name": done.pack.name, "sha256": done.pack.sha256, "bytes": done.pack.size,
            "written_to": str(where) if where else None, "left_out": done.pack.left_out, "lacks": done.gaps,
        })  # fmt: skip
        return
    typer.echo(f"{where or done.pack.name}  {done.pack.size:,} B  SHA-256 {done.pack.sha256}")
    for sentence in done.gaps:
        typer.echo(f"! {sentence}", err=True)
