"""What a command with many rows did, and the row a command for one thing works on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext_noop as N_

from daifa.domain.stores.models import Store
from daifa.lib import bulk
from daifa.lib.money import rounded
from daifa.lib.refusal import Refused, RowRefused
from daifa.lib.sentences import gettext as _

LARGEST = Decimal(10) ** 13
MOST_POINTS = Decimal(10_000)


@dataclass(slots=True)
class Taken:
    """What a command with many rows did: ids written now, references known before, rows refused.

    `notes`: remarks on rows that were taken (money of a violation that could not be entered, orders not known here).
    `completed`: references known before that got what they lacked: money, orders.
    """

    added: list[int] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    refused: list[RowRefused] = field(default_factory=list)
    notes: list[RowRefused] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)


def locked(model: Any, pk: int) -> Any:
    found = model.objects.select_for_update(no_key=True).filter(pk=pk).first()
    if found is None:
        raise Refused(_("There is no such case."), code="no_case")
    return found


def must_have_moved(moved: Any) -> None:
    if not moved.moved:
        raise Refused(_("This case is not where it was: look at it again."), code="moved_on")


def amount_problem(amount: Decimal, currency: str, refused: Any) -> RowRefused | None:
    """Why an amount cannot be taken; `refused` makes the answer."""
    try:
        exact = rounded(amount, currency)
    except InvalidOperation:
        exact = LARGEST
    if not exact.is_finite() or exact >= LARGEST:
        return refused("amount_too_large", N_("The amount %(amount)s cannot be right."), amount=str(amount))
    if exact <= 0:
        return refused("amount_not_positive", N_("The amount %(amount)s is not above zero."), amount=str(amount))
    if exact != amount:
        return refused(
            "amount_too_fine", N_("The amount %(amount)s has more decimals than %(currency)s has."),
            amount=str(amount), currency=currency,
        )  # fmt: skip
    return None


def orders_named(store: Store, numbers: Iterable[str]) -> dict[str, int]:
    """Number → id, of the orders of a store that are known."""
    wanted = sorted(set(numbers))
    if not wanted:
        return {}
    return dict(
        bulk.fetch(
            "SELECT number, id FROM orders_order WHERE store_id = %s AND number = ANY(%s::text[])", (store.pk, wanted)
        )
    )


def insert_new(
    table: str, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]], key: str, name: str
) -> dict[str, int]:
    """Write rows whose key is not taken: value of `name` → id. Safe against another hand doing the same now."""
    found: dict[str, int] = {}
    one = "(" + ", ".join(["%s"] * len(columns)) + ")"
    for start in range(0, len(rows), 500):
        chunk = rows[start : start + 500]
        found |= dict(
            bulk.fetch(
                f"""INSERT INTO {table} ({", ".join(columns)}) VALUES {", ".join([one] * len(chunk))}
                    ON CONFLICT {key} DO NOTHING RETURNING {name}, id""",
                [value for row in chunk for value in row],
            )
        )
    return found
