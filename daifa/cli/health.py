"""`daifa health`: a store's figures against its channel's lines."""

from __future__ import annotations

from dataclasses import asdict

import typer
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from daifa.cli import output
from daifa.lib import clock


def health(
    store: str = typer.Option(..., "--store", help="The store's code."),
    keep: bool = typer.Option(False, "--keep", help="Reckon clocks first, and keep the figures as the day's."),
    as_json: bool = output.AS_JSON,
):
    """How a store stands against each line of its channel, and what breaks next."""
    from daifa.domain.compliance.health import line_words, value_text
    from daifa.flows.keep_clocks import keep_clocks, keep_metrics
    from daifa.flows.reads.store_health import whole_health

    one, at = output.store_with(store), clock.now()
    if keep:
        keep_clocks(at=at, by=output.actor(), stores=[one.pk])
        keep_metrics(at=at, stores=[one.pk])
    found = whole_health(one.pk, at=at)
    first = found.next_break
    if as_json:
        output.put_json({
            "store": one.code, "channel": found.channel, "at": at,
            "metrics": [
                {**asdict(metric), "window": [metric.window.begin, metric.window.end] if metric.window else None}
                for metric in found.metrics
            ],
            "suppliers": [share._asdict() for share in found.suppliers],
            "listings": [share._asdict() for share in found.listings],
            "breaks_next": first.rule if first else None,
        })  # fmt: skip
        return
    output.table(
        (_("rule"), _("figure"), _("value"), _("the platform says"), _("breaks at"), _("of the way"), _("bad ones"), _("of"), _("stands")),
        [
            (
                metric.rule or metric.metric, metric.words, value_text(metric.value, metric.unit), _said(metric),
                line_words(metric.comparison, value_text(metric.line, metric.unit)) if metric.line is not None else "",
                f"{metric.share_of_line * 100:.0f} %" if metric.share_of_line is not None else "", metric.events, metric.base,
                _stands(metric),
            )
            for metric in found.metrics
        ],
        right=(2, 3, 4, 5, 6, 7),
    )  # fmt: skip
    if first is not None and first.breaks is not None:
        typer.echo(
            ngettext(
                "Breaks next: %(figure)s at %(at)s, unless %(count)s goes out before.",
                "Breaks next: %(figure)s at %(at)s, unless %(count)s go out before.",
                first.breaks.needed,
            )
            % {"figure": first.words, "at": output.when(first.breaks.at), "count": first.breaks.needed}
        )


def _said(metric) -> str:
    from daifa.domain.compliance.health import value_text

    if metric.platform is None:
        return ""
    return f"{value_text(metric.platform.figure.value, metric.unit)} ({metric.platform.figure.ended_on.isoformat()})"


def _stands(metric) -> str:
    if metric.missing and metric.platform is None:
        return _("not measured")
    word = _("crossed") if metric.worst == 100 else _("near") if metric.worst else ""
    if metric.verdict == "ended":
        word = _("ended")
    elif word and not metric.acts:
        word = f"{word} ({_('to be checked')})"
    text = ""
    if metric.text_from is not None:
        text = _("text from %(day)s") % {"day": metric.text_from}
    elif metric.text_until is not None:
        text = _("text until %(day)s") % {"day": metric.text_until}
    return " · ".join(filter(None, (word, text)))
