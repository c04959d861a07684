"""`daifa platform`: the platform's side of closings as a stand-in, where `DAIFA_PLATFORM_SIDE` is on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import typer
from django.utils.translation import gettext as _

from daifa.cli import output
from daifa.cli.closing import ACT_AT, acting
from daifa.lib import clock
from daifa.lib.commas import listed

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The platform's side, for training and demonstrations.")
AT = typer.Option("", "--at", help="As if it were then; an ISO moment.")
CASE = typer.Argument(help="The case, as `daifa platform cases` names it.")


@app.callback()
def _switched_on() -> None:
    from daifa.flows.platform_side import is_on

    if not is_on():
        output.fail(_("The platform's side is a stand-in for training and demonstrations: set DAIFA_PLATFORM_SIDE=1 to use it."))


def _case(reference: str) -> Any:
    from daifa.domain.closing.models import PlatformCase

    found = PlatformCase.objects.filter(reference=reference).first()
    if found is None:
        output.fail(_("There is no case “%(case)s”.") % {"case": reference})
    return found


@contextmanager
def _acting(at: str, store: Any = None) -> Iterator[dict[str, Any]]:
    """When and who, as keywords of commands; refusals end the program as sentences."""
    with acting(at, store) as moment:
        yield {"at": moment, "by": f"platform:{output.actor()}"[:60]}


def _at(text: str) -> Any:
    return output.moment(text) or clock.now()


def _kind(kind: str) -> str:
    from daifa.domain.closing.models import PlatformCase

    return PlatformCase.KINDS[kind][output.side()]


def _told(case: Any, as_json: bool) -> None:
    from daifa.domain.closing.process import PLATFORM_CASE

    case.refresh_from_db()
    if as_json:
        output.put_json({"case": case.reference, "kind": case.kind, "state": case.state, "appeals": case.appeals, "due_at": case.due_at})
    else:
        due = _("due %(when)s UTC") % {"when": output.when(case.due_at)} if case.due_at else ""
        typer.echo(" · ".join(filter(None, (case.reference, _kind(case.kind), output.state(PLATFORM_CASE, case.state), due))))


@app.command("cases")
def cases(as_json: bool = output.AS_JSON):
    """Open cases, what is due first on top."""
    from daifa.domain.closing.process import PLATFORM_CASE
    from daifa.flows.platform_side import open_cases

    rows = [
        {"case": one.reference, "store": one.store.code, "kind": one.kind, "state": one.state, "due_at": one.due_at}
        for one in open_cases()
    ]
    output.show(rows, as_json, (_("File number"), _("Store"), _("Kind"), _("State"), _("Due")),
                lambda row: (row["case"], row["store"], _kind(row["kind"]), output.state(PLATFORM_CASE, row["state"]),
                             output.when(row["due_at"])))  # fmt: skip


@app.command("request")
def request(store: str = typer.Argument(help="The store's code."), reason: str = typer.Option(..., help="Why."), at: str = ACT_AT,
            as_json: bool = output.AS_JSON):  # fmt: skip
    """A store asks to be closed; refused at once where something is open."""
    from daifa.flows import platform_side

    found = output.store_with(store)
    with _acting(at, found) as how:
        case = platform_side.take_request(found.pk, reason=reason, **how)
    _told(case, as_json)
    if case.state == "refused":
        output.fail(case.events.last().note)


@app.command("review")
def review(case: str = CASE, accept: bool = typer.Option(..., "--accept/--refuse"), note: str = typer.Option(""), at: str = ACT_AT,
           as_json: bool = output.AS_JSON):  # fmt: skip
    """Accept a request (the public notice begins) or refuse it."""
    from daifa.flows import platform_side

    found = _case(case)
    with _acting(at, found.store) as how:
        platform_side.review_request(found.pk, accept=accept, note=note, **how)
    _told(found, as_json)


@app.command("object")
def object_(case: str = CASE, note: str = typer.Option(...), at: str = ACT_AT, as_json: bool = output.AS_JSON):
    """Somebody objects while the public notice stands."""
    from daifa.flows import platform_side

    found = _case(case)
    with _acting(at, found.store) as how:
        platform_side.object_to_request(found.pk, note=note, **how)
    _told(found, as_json)


@app.command("notice")
def notice(
    store: str = typer.Argument(help="The store's code."),
    kind: str = typer.Option(..., help="violation, category, dormancy."),
    reason: str = typer.Option(..., help="The rule and what broke it."),
    appeals: int = typer.Option(1, help="Appeals allowed."),
    days: int = typer.Option(None, help="Days until a new rule takes effect, 7 to 15."),
    violation: list[str] = typer.Option([], help="Number of a violation behind a removal; may be given several times."),
    about: str = typer.Option("other", help="What the violations are about: no_source, false_claims, late_dispatch …"),
    points: str = typer.Option("0", help="Points for each violation."),
    at: str = ACT_AT,
    as_json: bool = output.AS_JSON,
):
    """Give a store notice; its closing of that kind begins with it, a removal's violations are written down or linked."""
    from daifa.cli.closing import amount_of
    from daifa.flows import platform_side
    from daifa.flows.close_store import Letter

    found = output.store_with(store)
    with _acting(at, found) as how:
        letter = Letter(tuple(violation), about, points=amount_of(points) or Decimal(0))
        case = platform_side.give_notice(
            found.pk, kind, reason=reason, most_appeals=appeals, days_until_effect=days, letter=letter, **how
        )
    _told(case, as_json)


@app.command("appeal")
def appeal(case: str = CASE, note: str = typer.Option(...), at: str = ACT_AT, as_json: bool = output.AS_JSON):
    """An appeal of the store arrives."""
    from daifa.flows import platform_side

    found = _case(case)
    with _acting(at, found.store) as how:
        platform_side.take_appeal(found.pk, note=note, **how)
    _told(found, as_json)


@app.command("rule")
def rule(case: str = CASE, outcome: str = typer.Option(..., help="upheld, reversed, again."), note: str = typer.Option(...),
         at: str = ACT_AT, as_json: bool = output.AS_JSON):  # fmt: skip
    """Rule on a case; an upheld one takes goods down in a quiet hour."""
    from daifa.flows import platform_side

    found = _case(case)
    with _acting(at, found.store) as how:
        platform_side.rule(found.pk, outcome=outcome, note=note, **how)
    _told(found, as_json)


@app.command("sweep")
def sweep(at: str = ACT_AT, as_json: bool = output.AS_JSON):
    """Read the post (requests, appeals), then carry out what is due: takedowns, stores whose notice is over."""
    from daifa.flows import platform_side

    with _acting(at) as how:
        taken, count = platform_side.take_in(**how), platform_side.sweep(**how)
    told = _("Letters taken in: %(taken)s; cases carried out: %(count)s.") % {"taken": taken, "count": count}
    output.put_json({"taken": taken, "done": count}) if as_json else typer.echo(told)


@app.command("dormant")
def dormant(at: str = AT, as_json: bool = output.AS_JSON):
    """Stores below the line for three stretches of thirty days."""
    from daifa.flows.platform_side import dormancy_review

    rows = [{"store": one.store.code, "orders": one.orders} for one in dormancy_review(at=_at(at))]
    output.show(rows, as_json, (_("Store"), _("orders in 30 days")), lambda row: (row["store"], listed(row["orders"])))


@app.command("risks")
def risks(at: str = AT, as_json: bool = output.AS_JSON):
    """Stores by what is held against them, the worst first."""
    from daifa.domain.closing.process import LIFECYCLE, STANDING
    from daifa.flows.platform_side import risk_list

    rows = [
        {"store": one.store.code, "standing": one.standing, "lifecycle": one.lifecycle, "points": one.points, "open_cases": one.open_cases,
         "dormant": one.is_quiet}
        for one in risk_list(at=_at(at))
    ]  # fmt: skip
    output.show(
        rows, as_json, (_("Store"), _("Standing"), _("Life"), _("Points"), _("Open cases"), _("Dormant")),
        lambda row: (
            row["store"], output.state(STANDING, row["standing"]), output.state(LIFECYCLE, row["lifecycle"]), row["points"],
            row["open_cases"], _("yes") if row["dormant"] else "",
        ),
    )  # fmt: skip


@app.command("history")
def history(store: str = typer.Option("", help="Only this store's."), as_json: bool = output.AS_JSON):
    """What was decided and why, newest first."""
    from daifa.flows.platform_side import EVENTS, dispute_history

    scope = [output.store_with(store).pk] if store else None
    rows = [
        {"at": one.at, "case": one.case.reference, "store": one.case.store.code, "what": one.what, "note": one.note, "by": one.by}
        for one in dispute_history(scope)
    ]
    output.show(rows, as_json, (_("When"), _("File number"), _("Store"), _("What"), _("Grounds")),
                lambda row: (output.when(row["at"]), row["case"], row["store"], _(EVENTS.get(row["what"], row["what"])), row["note"]))  # fmt: skip
