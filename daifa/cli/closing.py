"""`daifa closing`: begin a closing, see its days and steps, do them; the public status; coming back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import typer
from django.utils.translation import gettext as _

from daifa.cli import output
from daifa.lib import clock
from daifa.lib.commas import listed

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Close a store in good order, and come back.")
STORE = typer.Argument(help="The store's code.")
AT = typer.Option("", "--at", help="As if it were then; an ISO moment.")
ACT_AT = typer.Option("", "--at", help="When it happened; an ISO moment. Refused beside a live worker, and ahead of time except in the sample shop.")


def _at(text: str) -> Any:
    return output.moment(text) or clock.now()


@contextmanager
def acting(text: str, store: Any = None) -> Iterator[datetime]:
    """The moment a command acts at: now, or `--at`, which excludes live workers and does not lie ahead.

    Ahead of time a closing can be rehearsed in a store of the sample shop; `store` None = all stores are meant.
    """
    from daifa.domain.stores.models import Store
    from daifa.flows.one_clock import moved_clock

    moment = output.moment(text)
    if moment is None:
        with output.sentences():
            yield clock.now()
        return
    meant = Store.objects.all() if store is None else Store.objects.filter(pk=store.pk)
    if moment > clock.now() and meant.filter(is_sample=False).exists():
        output.fail(
            _("%(moment)s lies ahead: nothing has happened then yet. Only in the sample shop can a closing be rehearsed ahead of time.")
            % {"moment": output.when(moment) + " UTC"}
        )
    with output.sentences(), moved_clock(), clock.moved_to(moment):
        yield moment


def _closing(store: Any) -> Any:
    from daifa.domain.closing.queries import closings_of, running_closing

    found = running_closing(store.pk) or next(iter(closings_of([store.pk])), None)
    if found is None:
        output.fail(_("No closing of %(store)s was begun. Begin one: daifa closing start %(store)s …") % {"store": store.code})
    return found


@app.command("check")
def check(store: str = STORE, at: str = AT, as_json: bool = output.AS_JSON):
    """What is still open in a store: orders, parcels, after-sales, money, appeals."""
    from daifa.flows.close_store import blocker_words, pre_check

    found = pre_check(output.store_with(store).pk, at=_at(at))
    output.show([one._asdict() for one in found] if as_json else found, as_json, (_("What is still open"),), lambda one: (blocker_words(one),))


@app.command("start")
def start(
    store: str = STORE,
    scenario: str = typer.Option("choice", help="choice, forced, rule_change, no_traffic."),
    reason: str = typer.Option(..., help="Why; the application will carry it."),
    by_day: str = typer.Option("", "--by", help="Wished for by this day; refused where law and channel need longer."),
    noticed: str = typer.Option("", help="Day of the platform's notice."),
    effective: str = typer.Option("", help="Day on which a changed rule takes effect."),
    appeals: int = typer.Option(1, help="Appeals allowed.", min=1, max=5),
    violation: list[str] = typer.Option([], help="Number of a violation behind a removal; may be given several times."),
    about: str = typer.Option("other", help="What the violations are about: no_source, false_claims, late_dispatch …"),
    at: str = ACT_AT,
    as_json: bool = output.AS_JSON,
):
    """Begin a closing; its days are printed."""
    from datetime import date

    from daifa.flows import close_store

    def day(text: str) -> date | None:
        return output.day(text, date.min) if text else None

    found = output.store_with(store)
    with acting(at, found) as moment:
        closing = close_store.start(
            store_id=found.pk, scenario=scenario, reason=reason, wished_on=day(by_day), noticed_on=day(noticed),
            effective_on=day(effective), most_rounds=appeals, letter=close_store.Letter(tuple(violation), about), by=output.actor(), at=moment,
        )  # fmt: skip
    _print_days(closing, moment, as_json)


@app.command("calendar")
def calendar(
    store: str = STORE,
    scenario: str = typer.Option("choice", help="Where no closing goes on: the days one of this kind would have."),
    at: str = AT,
    as_json: bool = output.AS_JSON,
):
    """The days of a closing, each with the rule it comes from."""
    from daifa.domain.closing.models import SCENARIOS
    from daifa.domain.closing.queries import closings_of, days_if_started, running_closing

    found = output.store_with(store)
    moment = _at(at)
    closing = running_closing(found.pk) or next(iter(closings_of([found.pk])), None)
    if closing is not None:
        _print_days(closing, moment, as_json)
        return
    if scenario not in SCENARIOS:
        output.fail(
            _("There is no scenario “%(scenario)s”. There are: %(known)s.") % {"scenario": scenario, "known": ", ".join(SCENARIOS)}
        )
    _print(days_if_started(found, scenario, at=moment), as_json)


def _print_days(closing: Any, at: Any, as_json: bool) -> None:
    from daifa.domain.closing.queries import days_of

    closing.refresh_from_db()
    _print(days_of(closing, at=at), as_json)


def _print(days: list[Any], as_json: bool) -> None:
    from daifa.domain.closing.rules import DAY_NAMES

    rows = [
        {"day": day.on, "what": day.code, "rule": day.rule_id, "assumed": day.is_assumed, "acts": day.acts, "happened": day.happened} for day in days
    ]
    if as_json:
        output.put_json(rows)
        return
    output.table(
        (_("Day"), _("What"), _("By which rule"), ""),
        [(day.on, DAY_NAMES[day.code][output.side()], day.rule_id or ("daifa" if day.is_assumed else "–"), _(day.words) % dict(day.params)) for day in days],
    )


@app.command("show")
def show(store: str = STORE, at: str = AT, as_json: bool = output.AS_JSON):
    """Where a store is in its life, and the steps of its closing."""
    from daifa.domain.closing import queries
    from daifa.domain.closing.models import SCENARIOS
    from daifa.domain.closing.process import CLOSING, CLOSING_STEP, LIFECYCLE, STANDING
    from daifa.flows.close_store import title

    found = output.store_with(store)
    closing = _closing(found)
    views, standing = queries.steps_of(closing.pk), queries.standing_of(found.pk)
    why = queries.why_words(standing.reason) if standing else ""
    if as_json:
        output.put_json(
            {
                "store": found.code, "lifecycle": queries.lifecycle(found.pk), "standing": queries.standing(found.pk),
                "standing_why": why, "scenario": closing.scenario, "state": closing.state, "reason": closing.reason,
                "steps": [
                    {
                        "step": view.row.code, "state": view.row.state, "who": view.who, "due": view.row.due_on,
                        "asked_at": view.row.asked_at, "parts": view.row.parts, "parts_done": view.row.parts_done, "stopped": view.row.stopped,
                        "rule": view.row.rule_id, "outcome": view.row.outcome, "done_at": view.row.done_at,
                        "evidence": [{"what": one.what, "note": one.note, "facts": one.facts, "sha256": one.sha256} for one in view.evidence],
                    }
                    for view in views
                ],
            }
        )  # fmt: skip
        return
    life, state = queries.lifecycle(found.pk), queries.standing(found.pk)
    typer.echo(
        f"{found.code} · {output.state(LIFECYCLE, life)} · {output.state(STANDING, state)}{f' ({why})' if why else ''} · "
        f"{SCENARIOS[closing.scenario][output.side()]} · {output.state(CLOSING, closing.state)}"
    )
    who = {"merchant": _("you"), "platform": _("the platform")}
    output.table(
        ("", _("Step"), "", _("Who"), _("Due"), _("By which rule"), _("State")),
        [
            (
                view.row.position, view.row.code, title(view.row.code), who.get(view.who, view.who), view.row.due_on,
                view.row.rule_id, _running(view.row) or output.state(CLOSING_STEP, view.row.state),
            )
            for view in views
        ],
    )  # fmt: skip


def _running(row: Any) -> str:
    """How far the worker has come with a step that takes long."""
    if row.state != "waiting" or row.asked_at is None:
        return ""
    return _("running, %(done)s of %(all)s orders") % {"done": row.parts_done, "all": row.parts}


@app.command("step")
def step(
    store: str = STORE,
    code: str = typer.Argument(help="The step, as `daifa closing show` names it."),
    note: str = typer.Option("", help="Evidence in words."),
    reference: str = typer.Option("", help="The platform's number or letter."),
    outcome: str = typer.Option("", help="How it ended, where a step can end in several ways."),
    amount: list[str] = typer.Option([], help="Money that was paid: 12.50, or 12.50 USD; may be given for several currencies."),
    file: Path = typer.Option(None, help="A document as evidence.", exists=True, dir_okay=False),
    undo: bool = typer.Option(False, "--undo", help="Take the step back; --note says why."),
    leave_out: bool = typer.Option(False, "--leave-out", help="It is not needed; --note says why."),
    at: str = ACT_AT,
    as_json: bool = output.AS_JSON,
):
    """Do a step of the closing that goes on."""
    from daifa.domain.closing.process import CLOSING_STEP
    from daifa.flows import close_store

    closing = _closing(output.store_with(store))
    row = closing.steps.filter(code=code).first()
    if row is None:
        output.fail(_("This closing has no step “%(step)s”. See: daifa closing show %(store)s.") % {"step": code, "store": store})
    with acting(at, closing.store) as moment:
        how: dict[str, Any] = {"by": output.actor(), "at": moment}
        if undo:
            close_store.undo_step(row.pk, note=note, **how)
        elif leave_out:
            close_store.leave_out(row.pk, note=note, **how)
        else:
            given = close_store.Given(
                note, reference, outcome, None, (file.name, file.read_bytes()) if file else None, _amounts(amount, closing.store.currency)
            )
            with output.watched(_("Orders"), quiet=as_json) as told:
                close_store.do_step(row.pk, given, progress=told, **how)
    row.refresh_from_db()
    if as_json:
        output.put_json({"step": row.code, "state": row.state, "not_before": row.not_before})
    else:
        planned = _("planned for %(when)s UTC") % {"when": output.when(row.not_before)} if row.not_before else ""
        typer.echo(" · ".join(filter(None, (row.code, output.state(CLOSING_STEP, row.state), planned))))


def _amounts(texts: list[str], home: str) -> dict[str, Decimal]:
    found = {}
    for text in texts:
        number, _space, currency = text.strip().partition(" ")
        value = amount_of(number)
        if value is not None:
            found[currency.strip().upper() or home] = value
    return found


def amount_of(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        output.fail(_("“%(text)s” is no amount. Write it as 12.50.") % {"text": text})


def _read_table(file: Path, read: Any, as_json: bool) -> None:
    from daifa.lib.sheets import SheetRefused

    try:
        done = read(file, name=file.name, by=output.actor(), at=clock.now())
    except SheetRefused as refused:
        output.fail(refused.sentence())
    if as_json:
        output.put_json(
            {"added": done.added, "changed": done.changed, "same": done.same,
             "refused": [{"row": row.row, "code": row.code, "sentence": row.sentence()} for row in done.refused]}
        )  # fmt: skip
        return
    typer.echo(
        _("Rows: %(added)s new, %(changed)s changed, %(same)s as before, %(refused)s refused.")
        % {"added": done.added, "changed": done.changed, "same": done.same, "refused": len(done.refused)}
    )
    for row in done.refused:
        typer.echo(f"{_('Row %(row)s') % {'row': row.row}}: {row.sentence()}", err=True)


@app.command("visits")
def visits(
    file: Path = typer.Argument(help="A table with date, impressions, visits, and the store where it holds several.", exists=True, dir_okay=False),
    store: str = typer.Option("", help="Whose rows they are where the table does not say."),
    as_json: bool = output.AS_JSON,
):
    """Read how often stores were shown and visited: what thresholds of a store that nobody comes to are held against."""
    from functools import partial

    from daifa.flows.read_closing_files import read_traffic

    one = output.store_with(store) if store else None
    _read_table(file, partial(read_traffic, scope=output.scope(), store=one), as_json)


@app.command("past")
def past(
    file: Path = typer.Argument(help="A table with store, cause, begun, closed, currency, deposit held, deposit returned, deposit on.", exists=True, dir_okay=False),
    as_json: bool = output.AS_JSON,
):
    """Read how stores ended before daifa closed any, for the figures of closings by year."""
    from functools import partial

    from daifa.flows.read_closing_files import read_past_closings

    _read_table(file, partial(read_past_closings, scope=output.scope()), as_json)


@app.command("prepare")
def prepare(store: str = STORE):
    """A new store is not open yet: its orders wait until `daifa closing open`."""
    from daifa.domain.closing.commands import prepare_store

    found = output.store_with(store)
    with output.sentences():
        prepare_store(store_id=found.pk, by=output.actor(), at=clock.now())
    typer.echo(_("The store is being prepared; its orders wait until you open it."))


@app.command("open")
def open_(store: str = STORE):
    """A store that was being prepared begins to sell."""
    from daifa.domain.closing.commands import open_store

    found = output.store_with(store)
    with output.sentences():
        open_store(store_id=found.pk, by=output.actor(), at=clock.now())
    typer.echo(_("The store is open."))


@app.command("withdraw")
def withdraw(store: str = STORE, reason: str = typer.Option(..., help="Why the store stays."), at: str = ACT_AT):
    """Take a closing back, before it was applied for."""
    from daifa.flows import close_store

    closing = _closing(output.store_with(store))
    with acting(at, closing.store) as moment:
        close_store.withdraw(closing.pk, reason=reason, by=output.actor(), at=moment)
    typer.echo(_("Withdrawn: the store stays, its listings are back."))


@app.command("status")
def status(
    store: str = STORE,
    on: bool = typer.Option(None, "--on/--off", help="Switch the public page on or off; neither shows it."),
    slug: str = typer.Option("", help="Its address; empty: one nobody can guess."),
    contact: str = typer.Option("", help="Where buyers turn to; public."),
    as_json: bool = output.AS_JSON,
):
    """The public status page of a store."""
    from django.conf import settings

    from daifa.domain.closing import commands, queries

    found = output.store_with(store)
    moment = clock.now()
    if on is not None:
        with output.sentences():
            commands.set_status_page(
                store_id=found.pk, is_on=on, slug=slug, contact=contact, by=output.actor(), at=moment
            )
    kept = queries.status_page(found.pk)
    if kept is None or not kept.is_on:
        output.put_json({"on": False}) if as_json else typer.echo(_("Switched off."))
        return
    shown = queries.public_status(kept.slug, at=moment)
    url = f"{settings.BASE_URL}/status/{kept.slug}/"
    if as_json:
        output.put_json({"on": True, "url": url, **shown._asdict()})
    else:
        typer.echo(f"{url} · {shown.word}")  # the word that programs and the page's address know


@app.command("readmit")
def readmit(
    store: str = STORE,
    cause: str = typer.Option("", help="Make the plan: what is to be healed."),
    months: int = typer.Option(4, help="Months of the plan.", min=1, max=24),
    prove: str = typer.Option("", help="A step of the plan, proved by --note."),
    healed: str = typer.Option("", help="Apply: what was healed."),
    admitted: bool = typer.Option(None, "--admitted/--refused", help="The platform's answer."),
    note: str = typer.Option("", help="Proof, or the words of the answer."),
    paper: list[Path] = typer.Option([], help="A paper or picture beside the proof; may be given several times.", exists=True, dir_okay=False),
    take_away: list[int] = typer.Option([], help="The number of a paper that was kept by mistake: it goes; may be given several times."),
    out: Path = typer.Option(None, help="Write the plan with its proofs and papers to this ZIP.", dir_okay=False),
    at: str = ACT_AT,
    as_json: bool = output.AS_JSON,
):
    """Coming back: plan, proof, application, answer; without an option the plan is shown."""
    from daifa.domain.closing import commands, queries
    from daifa.domain.closing.process import READMISSION
    from daifa.flows import close_store

    found = output.store_with(store)
    with acting(at, found) as moment:
        how: dict[str, Any] = {"by": output.actor(), "at": moment}
        if cause:
            commands.plan_readmission(closing_id=_closing(found).pk, cause=cause, months=months, **how)
        plan = next(iter(queries.readmissions_of([found.pk])), None)
        if plan is None:
            output.fail(_("No way back was planned. Plan one: daifa closing readmit %(store)s --cause …") % {"store": store})
        if prove:
            row = next((one for one in queries.plan_of(plan.pk) if one.code == prove), None)
            if row is None:
                output.fail(_("The plan has no step “%(step)s”.") % {"step": prove})
            papers = [(one.name, one.read_bytes()) for one in paper]
            commands.prove_comeback_step(step_id=row.pk, proof=note, papers=papers, **how)
        elif paper:
            output.fail(_("Say which step the paper proves: --prove, with --note."))
        if take_away:
            if unknown := sorted(set(take_away) - {one.pk for one in queries.papers_of(plan.pk)}):
                output.fail(_("The plan has no paper %(numbers)s.") % {"numbers": listed(unknown)})
            commands.take_papers_away(paper_ids=take_away, **how)
        if healed:
            commands.apply_for_readmission(readmission_id=plan.pk, healed=healed, **how)
        if admitted is not None:
            close_store.readmit(readmission_id=plan.pk, admitted=admitted, answer=note, **how)
    plan.refresh_from_db()
    if out is not None:
        with output.sentences():
            out.write_bytes(close_store.export_readmission(plan))
    rows, papers = queries.plan_of(plan.pk), queries.papers_of(plan.pk)
    if as_json:
        output.put_json({"state": plan.state, "cause": plan.cause, "healed": plan.healed, "answer": plan.answer,
                         "steps": [{"step": row.code, "due": row.due_on, "proof": row.proof, "papers": row.paper_count, "done_at": row.done_at} for row in rows],
                         "papers": [{"number": one.pk, "step": one.step.code, "name": one.name, "sha256": one.sha256, "size": one.size, "at": one.at} for one in papers],
                         "taken_away": [{"step": one.step.code, "sha256": one.sha256, "size": one.size, "recorded_at": one.recorded_at, "at": one.at, "by": one.by}
                                        for one in queries.papers_taken_away(plan.pk)]})  # fmt: skip
        return
    typer.echo(f"{found.code} · {output.state(READMISSION, plan.state)}")
    output.table(
        (_("Step"), _("Due"), _("Proof"), _("Papers"), _("Done")),
        [(r.code, r.due_on, r.proof, r.paper_count or "", output.when(r.done_at)) for r in rows],
    )
    if papers:
        output.table((_("Number"), _("Step"), _("File"), _("When")), [(one.pk, one.step.code, one.name, output.when(one.at)) for one in papers])
