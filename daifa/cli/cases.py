"""`daifa cases`."""

from __future__ import annotations

import typer
from django.utils.translation import gettext as _

from daifa.cli import output
from daifa.lib import clock
from daifa.lib.commas import listed

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Aftersale cases: list, show, and their steps.")

CASES = typer.Argument(help="Numbers of cases, as `list` shows them.")


@app.command("list")
def list_(
    search: str = typer.Argument("", help="Order number, or its beginning."),
    state: str = typer.Option("", help="requested, approved, in_transit, received, refunded, refused …"),
    limit: int = output.LIMIT,
    as_json: bool = output.AS_JSON,
):
    """List cases, newest first."""
    from daifa.domain.aftersales.models import AftersaleCase
    from daifa.domain.aftersales.process import AFTERSALE_CASE
    from daifa.domain.aftersales.queries import case_page, reason_words

    state = output.code_of(state, AFTERSALE_CASE.words, _("There is no state “%(text)s”. There are: %(known)s."))
    rows = case_page(output.scope(), state=state or None, q=search or None, limit=limit)
    output.show(
        rows,
        as_json,
        (_("id"), _("order"), _("kind"), _("state"), _("reason"), _("units"), _("opened"), _("due")),
        lambda c: (
            c["id"], c["order_number"], output.word(AftersaleCase.KINDS, c["kind"]), output.state(AFTERSALE_CASE, c["state"]),
            reason_words(c["reason"]), c["units"], output.when(c["opened_at"]), output.when(c["due_at"]),
        ),
        right=(0, 5),
    )  # fmt: skip


@app.command("show")
def show(case: int = typer.Argument(help="Number of the case."), as_json: bool = output.AS_JSON):
    """One case with its lines, its refunds, and where it may go from here."""
    from dataclasses import asdict

    from daifa.domain.aftersales.models import AftersaleLine
    from daifa.domain.aftersales.process import AFTERSALE_CASE, REFUND
    from daifa.domain.aftersales.queries import case_detail, reason_words

    found = case_detail(output.scope(), case)
    if found is None:
        output.fail(_("There is no case %(id)s.") % {"id": case})
    following = list(AFTERSALE_CASE.next(found.case["state"]))
    if as_json:
        told = asdict(found)
        output.put_json({**told.pop("case"), "next": following, **told})
        return
    one = found.case
    typer.echo(
        _("Case %(id)s · %(state)s · order %(order)s · %(reason)s")
        % {
            "id": one["id"], "state": output.state(AFTERSALE_CASE, one["state"]), "order": one["order_number"],
            "reason": reason_words(one["reason"]),
        }
    )  # fmt: skip
    output.table(
        (_("line number"), _("SKU"), _("title"), _("units"), _("came back"), _("condition")),
        [
            (
                line["id"], line["sku"], line["title"], line["quantity"], line["received"],
                output.word(AftersaleLine.OUTCOMES, line["outcome"]),
            )
            for line in found.lines
        ],
        right=(0, 3, 4),
    )  # fmt: skip
    if found.refunds:
        typer.echo()
        output.table(
            (_("refund"), _("state"), _("when"), _("amount")),
            [
                (
                    r["external_ref"], output.state(REFUND, r["state"]), output.when(r["at"]),
                    output.money(r["amount"], r["currency"]),
                )
                for r in found.refunds
            ],
            title=_("Refunds"), right=(3,),
        )  # fmt: skip
    typer.echo()
    words = listed(output.state(AFTERSALE_CASE, one) for one in following)
    typer.echo(_("It may become: %(states)s") % {"states": words or "–"})


@app.command("approve")
def approve(
    cases: list[int] = CASES,
    return_by: str = typer.Option("", help="Until when goods must be sent back; a fortnight where left out."),
    as_json: bool = output.AS_JSON,
):
    """Agree to what these buyers ask."""
    from daifa.domain.aftersales.commands import approve_cases

    until = output.moment(return_by)
    _told(approve_cases(cases, return_by=until, by=output.actor(), at=clock.now()), as_json)


@app.command("refuse")
def refuse(
    cases: list[int] = CASES,
    reason: str = typer.Option(..., help="Why, in writing."),
    as_json: bool = output.AS_JSON,
):
    """Say no to what these buyers ask."""
    from daifa.domain.aftersales.commands import refuse_cases

    with output.sentences():
        _told(refuse_cases(cases, reason=reason, by=output.actor(), at=clock.now()), as_json)


@app.command("returning")
def returning(
    case: int = typer.Argument(help="Number of the case."),
    number: str = typer.Option("", help="The number the goods travel under, where it is known."),
    as_json: bool = output.AS_JSON,
):
    """The buyer sent the goods."""
    from daifa.domain.aftersales.commands import record_returns

    _told(record_returns({case: number}, by=output.actor(), at=clock.now()), as_json)


@app.command("received")
def received(
    case: int = typer.Argument(help="Number of the case."),
    line: list[str] = typer.Option([], help="LINE:UNITS:CONDITION, as 7:1:damaged; everything, as new, where left out."),
    note: str = typer.Option("", help="What else is to be said."),
    as_json: bool = output.AS_JSON,
):
    """The goods came back."""
    from daifa.domain.aftersales.commands import receive_returns
    from daifa.domain.aftersales.queries import case_detail

    found = case_detail(output.scope(), case)
    if found is None:
        output.fail(_("There is no case %(id)s.") % {"id": case})
    lines = [(one["id"], one["quantity"], "resellable") for one in found.lines]
    if line:
        lines = [_line(text) for text in line]
    _told(receive_returns({case: lines}, note=note, by=output.actor(), at=clock.now()), as_json)


def _line(text: str) -> tuple[int, int, str]:
    parts = text.split(":")
    if len(parts) != 3 or not (parts[0].isdigit() and parts[1].isdigit()):
        output.fail(_("“%(text)s” is no line. Write it as 7:1:damaged (line, units, condition).") % {"text": text})
    return int(parts[0]), int(parts[1]), parts[2]


@app.command("refund")
def refund(
    case: int = typer.Argument(help="Number of the case."),
    amount: str = typer.Option("", help="How much; what the buyer paid for the units where left out."),
    no_claim_reason: str = typer.Option(..., help="Why no claim is made on the supplier."),
    as_json: bool = output.AS_JSON,
):
    """Book the refund of a case and end it."""
    from daifa.domain.aftersales.queries import case_detail
    from daifa.flows.by_hand import refund_case

    found = case_detail(output.scope(), case)
    if found is None:
        output.fail(_("There is no case %(id)s.") % {"id": case})
    given = output.amount(amount) if amount else found.worth
    with output.sentences():
        number = refund_case(case, given, no_claim_reason=no_claim_reason, by=output.actor(), at=clock.now())
    if as_json:
        output.put_json({"refund": number, "amount": given, "currency": found.case["currency"]})
    else:
        told = {"amount": output.money(given, found.case["currency"]), "id": case}
        typer.echo(_("Refunded %(amount)s for case %(id)s.") % told)


@app.command("expire")
def expire(cases: list[int] = CASES, as_json: bool = output.AS_JSON):
    """The goods never came back: these cases end without money."""
    from daifa.domain.aftersales.commands import expire_cases

    _told(expire_cases(cases, by=output.actor(), at=clock.now()), as_json)


@app.command("close")
def close(cases: list[int] = CASES, as_json: bool = output.AS_JSON):
    """Nothing more is to be done about these."""
    from daifa.domain.aftersales.commands import close_cases

    _told(close_cases(cases, by=output.actor(), at=clock.now()), as_json)


def _told(stepped, as_json: bool) -> None:
    """What moved; sentences of what did not go to stderr, and then the exit code is 1."""
    if as_json:
        output.put_json({"done": stepped.moved, "refused": stepped.refused})
    elif stepped.moved:
        typer.echo(_("Done: %(ids)s.") % {"ids": listed(stepped.moved)})
    if stepped.refused:
        output.fail("\n".join(stepped.refused.values()))
