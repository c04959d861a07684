"""The exit index of stores for pages, API and command line: chances, what drives them in words, what to try.

It is advice: whoever reads it decides. Stores that are not open, and those without a complete month, say so instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, expm1
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from daifa.domain.closing import queries as closing
from daifa.domain.exit_index import queries, rules
from daifa.domain.exit_index.models import Said, StoreReview
from daifa.domain.exit_index.queries import Stand
from daifa.domain.exit_index.rules import Driver, Model, OwnRate, Reading
from daifa.domain.stores.models import Store

WORSE, BETTER = 1.1, 0.9
"""A figure that changes the hazard by less than a tenth is not worth a sentence."""

FIGURES: dict[str, str] = {
    "margin": N_("Net margin"),
    "orders": N_("Orders a month"),
    "trend": N_("Orders against the months before"),
    "late": N_("Orders that left late"),
    "refunds": N_("Orders with a refund"),
    "points": N_("Violation points, of those with the gravest consequence"),
    "cash": N_("Cash in hand, in months of costs"),
    "activity": N_("Days with something going on"),
    "age": N_("Months since it began"),
}

ADVICE: dict[str, str] = {
    "margin": N_("Look at the profit and loss of the month: raise prices, drop what loses money, bargain over volume with the supplier."),
    "orders": N_("Few orders carry few costs: one product line, one or two ways of advertising, or an end in good order while all is settled."),
    "trend": N_("Orders fall: compare listings and advertising with the months before, and see what the platform changed."),
    "late": N_("See in store health which supplier ships late; agree on dispatch times with him, or switch to a backup."),
    "refunds": N_("See which goods come back and why: order them for a test, correct their page, or take them down."),
    "points": N_("Open the violations: appeal in time where one is wrong, and put right what brought the points."),
    "cash": N_("Suppliers are paid before buyers' money comes: agree on monthly settlement, and take nothing out for now."),
    "activity": N_("Platforms review stores in which nothing happens: list, answer and dispatch on more days, or end it in good order."),
    "age": N_("Stores that end mostly do so young: keep costs small until the figures carry them."),
}

BANDS: dict[str, str] = {"steady": N_("steady"), "watch": N_("to be watched"), "endangered": N_("endangered")}
VERDICTS: dict[str, str] = {"young": N_("too young to judge"), "active": N_("in business"), "quiet": N_("quiet"), "dormant": N_("dormant")}
REASONS: dict[str, str] = {
    "no_orders": N_("no order for %(value)s days"),
    "few_orders": N_("%(value)s orders a month"),
    "few_days": N_("%(value)s active days a month"),
}


@dataclass(frozen=True)
class StoreIndex:
    """A store with what the index says after each of its last months, oldest first; `why_not`: the sentence if nothing."""

    store: Store
    state: str  # of its life
    stands: tuple[Stand, ...]
    review: StoreReview | None
    why_not: str
    said: tuple[Said, ...] = ()  # what was said after each month, oldest first, with the weights of its day

    @property
    def now(self) -> Stand | None:
        return self.stands[-1] if self.stands and not self.why_not else None


def exit_indices(scope: Sequence[int], *, using: Model | None = None) -> list[StoreIndex]:
    """The index of each store, the most endangered first, those that cannot be read last. Four statements for all."""
    using = using or queries.model()
    lives = closing.lifecycles(scope)
    months = queries.store_months(scope)
    reviews = queries.newest_reviews(scope)
    said = queries.said(scope)
    found = [
        StoreIndex(
            store, lives[store.pk], tuple(queries.stands(months.get(store.pk, []), using)), reviews.get(store.pk),
            _why_not(lives[store.pk], bool(months.get(store.pk))), tuple(said.get(store.pk, ())[-13:]),
        )
        for store in Store.objects.filter(pk__in=list(scope)).order_by("name", "id")
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one.now is None, one.now.reading.year.open if one.now else 0.0))


def _why_not(life: str, has_months: bool) -> str:
    if life == "preparing":
        return _("It is not open yet.")
    if life != "open":
        return _("It is being wound up or has ended: there is nothing left to foretell.")
    return "" if has_months else _("It has no complete month yet: the index reads it from the first of next month on.")


def figure_name(code: str) -> str:
    return _(FIGURES[code])


def figure_text(code: str, value: float | None) -> str:
    """A figure as people read it."""
    if value is None:
        return _("unknown")
    if code in ("margin", "late", "refunds", "points", "activity"):
        return f"{value:.0%}"
    if code == "trend":
        return f"{exp(value) - 1:+.0%}"
    if code in ("orders", "age"):
        return f"{expm1(value):.0f}"
    return f"{value:.1f}"


def driver_sentence(one: Driver) -> str:
    """ "Orders that left late: 30% (typical 8%) makes closing 2.1 times as likely." """
    words = {"figure": figure_name(one.figure), "value": figure_text(one.figure, one.value),
             "typical": figure_text(one.figure, one.typical), "times": f"{one.times:.1f}", "less": f"{1 - one.times:.0%}"}  # fmt: skip
    if one.times >= 1:
        return _("%(figure)s: %(value)s (typical %(typical)s) makes closing %(times)s times as likely.") % words
    return _("%(figure)s: %(value)s (typical %(typical)s) makes closing %(less)s less likely.") % words


def worse(reading: Reading) -> list[Driver]:
    """What speaks against the store, the strongest first."""
    return [one for one in reading.drivers if one.times >= WORSE]


def better(reading: Reading) -> list[Driver]:
    """What speaks for it, the strongest first."""
    return [one for one in reading.drivers if one.times <= BETTER]


def advice(reading: Reading) -> list[str]:
    """What to try, for the three strongest figures against the store; and what an endangered one should prepare."""
    found = [_(ADVICE[one.figure]) for one in worse(reading)[:3]]
    if reading.band == "endangered":
        found.append(_("Look at the pre-check of its closing page: an end in good order takes weeks, and saves the deposit."))
    return found or [_("Nothing in its figures calls for anything.")]


def review_text(review: StoreReview | None) -> str:
    """ "dormant: no order for 64 days" """
    if review is None:
        return ""
    reasons = [_(REASONS[code]) % {"value": f"{value:g}"} for code, value in review.reasons]
    if not reasons:
        return _(VERDICTS[review.verdict])
    return _("%(verdict)s: %(reasons)s") % {"verdict": _(VERDICTS[review.verdict]), "reasons": " · ".join(reasons)}


def model_sentence(using: Model) -> str:
    """Which weights were used, in a sentence that every reading carries."""
    words = {"version": using.version, "closings": using.closings, "needed": rules.FEWEST_CLOSINGS}
    if using.uses == "own":
        told = _("Weights version %(version)s from simulated stores, moved by %(closings)s closings of your own.") % words
    else:
        told = _(
            "Weights version %(version)s from simulated stores alone: of your own closings %(closings)s are known, %(needed)s are needed."
        ) % words  # fmt: skip
    return told + " " + base_sentence(using)


def base_sentence(using: Model) -> str:
    """Which base rate was used."""
    if using.base_rate is None:
        return _("Base rate: %(rate)s of typical stores close within a year, an assumption.") % {
            "rate": f"{rules.shipped_base_rate(rules.shipped()):.1%}"
        }
    return _("Base rate: %(rate)s of typical stores close within a year, as entered here.") % {"rate": f"{using.base_rate:.1%}"}


def own_sentence(own: OwnRate | None) -> str:
    """What the merchant's own closings alone say."""
    if own is None:
        return _("No month of your own stores is known to its end yet.")
    words = {"closings": own.closings, "months": own.store_months, "rate": f"{own.yearly:.1%}", "low": f"{own.low:.1%}",
             "high": f"{own.high:.1%}", "needed": rules.FEWEST_CLOSINGS}  # fmt: skip
    if own.is_enough:
        return _("Your own stores: %(closings)s closings in %(months)s store-months, that is %(rate)s a year (%(low)s to %(high)s).") % words
    return _(
        "Your own stores: %(closings)s closings in %(months)s store-months, too few to count on (%(needed)s are needed): between %(low)s and "
        "%(high)s a year."
    ) % words


def as_told(one: StoreIndex, using: Model) -> dict[str, Any]:
    """The index of a store for programs: chances by months, drivers, advice, weights; `why_not` when there is none."""
    told: dict[str, Any] = {"store": one.store.code, "state": one.state, "why_not": one.why_not}
    if one.now is None:
        return told
    reading = one.now.reading
    return told | {
        "month": one.now.row.month,
        "band": reading.band,
        "open_in": {
            str(chance.months): {"chance": round(chance.open, 4), "low": round(chance.low, 4), "high": round(chance.high, 4)}
            for chance in reading.chances
        },
        "figures": {name: None if value is None else round(value, 4) for name, value in one.now.figures.items()},
        "drivers": [
            {"figure": d.figure, "value": round(d.value, 4), "typical": round(d.typical, 4), "times": round(d.times, 3),
             "sentence": driver_sentence(d)}
            for d in reading.drivers
        ],
        "unknown": list(reading.unknown),
        "advice": advice(reading),
        "weights": {
            "version": using.full_version, "uses": using.uses, "own_closings": using.closings,
            "base_rate": round(using.base_rate or rules.shipped_base_rate(rules.shipped()), 4),
            "base_rate_is": "assumed" if using.base_rate is None else "entered",
        },
        "trend": [
            {"month": stand.row.month, "chance_12": round(stand.reading.year.open, 4)} for stand in one.stands
        ],
        "said": [{"month": row.month, "version": row.version, "chances": row.chances, "at": row.at} for row in one.said],
        "review": None if one.review is None else {"month": one.review.month, "verdict": one.review.verdict, "reasons": one.review.reasons},
        "is_advice": True,
    }  # fmt: skip
