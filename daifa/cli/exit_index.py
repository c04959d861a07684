"""`daifa exit-index`."""

from __future__ import annotations

import typer
from django.utils.translation import gettext as _

from daifa.cli import output
from daifa.lib import clock


def exit_index(
    store: str = typer.Option("", help="Only this store, with its drivers and advice."),
    measure: bool = typer.Option(False, "--measure", help="Measure the months anew first, as every night."),
    again: bool = typer.Option(False, "--again", help="With --measure: final months, too."),
    base_rate: float = typer.Option(-1, help="Enter a base rate: of a hundred typical stores so many close within a year; 0: as shipped."),
    source: str = typer.Option("", help="With --base-rate: on what it rests."),
    as_json: bool = output.AS_JSON,
):
    """How likely stores are to be open in 1, 3, 6 and 12 months, why, and what to try. Advice only."""
    from daifa.domain.exit_index import queries, rules
    from daifa.flows.measure_months import measure_months
    from daifa.flows.reads import exit_index as reads

    chosen = [output.store_with(store).pk] if store else output.scope()
    if measure or again:
        measure_months(store_ids=chosen, again=again, by=output.actor(), at=clock.now())
    if base_rate >= 0:
        from daifa.domain.exit_index.commands import set_base_rate
        from daifa.flows.measure_months import learn_own

        with output.sentences():
            set_base_rate(yearly=base_rate / 100 or None, source=source, by=output.actor(), at=clock.now())
        learn_own(at=clock.now())
    using = queries.model()
    found = reads.exit_indices(chosen, using=using)
    if as_json:
        told = [reads.as_told(one, using) for one in found]
        output.put_json(told[0] if store else told)
        return

    def cells(one: reads.StoreIndex) -> tuple[object, ...]:
        if one.now is None:
            return (one.store.code, "", *("" for _months in rules.HORIZONS), one.why_not)
        reading = one.now.reading
        return (
            one.store.code, _(reads.BANDS[reading.band]),
            *(f"{chance.open:.1%} ({chance.low:.0%}–{chance.high:.0%})" for chance in reading.chances),
            reads.review_text(one.review),
        )  # fmt: skip

    output.table(
        (_("store"), _("reading"), *(_("in %(n)s mo.") % {"n": months} for months in rules.HORIZONS), _("remark")),
        [cells(one) for one in found],
        right=(2, 3, 4, 5),
    )
    if store and found[0].now is not None:
        reading = found[0].now.reading
        for title, lines in (
            (_("Against it"), [reads.driver_sentence(one) for one in reads.worse(reading)]),
            (_("In its favour"), [reads.driver_sentence(one) for one in reads.better(reading)]),
            (_("What to try"), reads.advice(reading)),
        ):
            if lines:
                typer.echo(f"\n{title}")
                for line in lines:
                    typer.echo(f"- {line}")
    typer.echo("\n" + reads.model_sentence(using))
