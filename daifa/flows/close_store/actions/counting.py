"""What daifa counts and measures before and while a store ends."""

from __future__ import annotations

from collections.abc import Sequence

from daifa.domain.closing import commands, queries, rules
from daifa.flows.close_store.step import Doing
from daifa.flows.close_store.still_open import open_now
from daifa.lib import bulk
from daifa.lib.commas import listed
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _
from daifa.lib.sentences import joined


def count_open(doing: Doing) -> None:
    found = open_now(doing.closing, at=doing.at)
    doing.facts["open"] = {
        one.code: {"count": one.count, **({"amount": str(one.amount), "currency": one.currency} if one.amount is not None else {})}
        for one in found
    }  # fmt: skip


def count_listings(doing: Doing) -> None:
    doing.facts["listings"] = dict(
        bulk.fetch("SELECT state, count(*) FROM catalog_listingvariant WHERE store_id = %s GROUP BY 1", (doing.store.pk,))
    )


def measure(doing: Doing) -> None:
    months = queries.months_of(doing.store.pk, at=doing.at)
    lines = queries.lines_of(doing.store.pk, at=doing.at)
    doing.facts |= {
        "orders_by_30_days": [month.orders for month in months],
        "sales_by_30_days": [str(month.sales) for month in months],
        "quiet": queries.nobody_comes(doing.store.pk, at=doing.at),
        "line": next(line.line for line in lines if line.measure == "orders"),
    }
    for name in ("visits", "impressions"):
        values = [getattr(month, name) for month in months]
        if any(value is not None for value in values):
            doing.facts[f"{name}_by_30_days"] = ["–" if value is None else value for value in values]
    doing.facts["below"] = [line.measure for line in lines if line.is_below]
    count_listings(doing)
    if doing.row.code == "choose":
        if doing.given.outcome == "stay" and doing.facts["quiet"]:
            raise Refused(
                _("The figures are still below the line, three times thirty days over (%(lines)s): choose another way.")
                % {"lines": _below([line for line in lines if line.is_below])},
                code="still_quiet", field="outcome",
            )  # fmt: skip
        commands.note_params(doing.closing, ruled_on=doing.today.isoformat())


def _below(lines: Sequence[rules.Line]) -> str:
    return listed(joined(" < ", (commands.said(rules.MEASURES[one.measure]), one.line)) for one in lines)
