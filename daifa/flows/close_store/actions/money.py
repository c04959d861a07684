"""What daifa books when the platform settles: the last proceeds and the deposit, each with what was kept of it."""

from __future__ import annotations

from decimal import Decimal

from daifa.domain.books import commands as books
from daifa.domain.books import queries as book_queries
from daifa.domain.books.rules import (
    BANK,
    EXCHANGE,
    EXCHANGE_DIFFERENCES,
    FEES,
    RECEIVABLE,
    merged,
)
from daifa.domain.cases import commands as cases
from daifa.domain.cases import queries as case_queries
from daifa.domain.closing import commands, queries
from daifa.domain.closing.models import StepEvidence
from daifa.flows.close_store.step import Doing
from daifa.lib.money import rounded
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _


def _value(doing: Doing, amount: Decimal, currency: str) -> Decimal:
    """What an amount is worth in the store's currency at the books' rate of the day; the rate is kept as a fact."""
    home = doing.store.currency
    if currency == home:
        return rounded(amount, home)
    found = book_queries.rate_on(currency, home, doing.today)
    if found is None:
        raise Refused(
            _("The books know no rate from %(currency)s to %(home)s for %(date)s: enter it under exchange rates, then do this step.")
            % {"currency": currency, "home": home, "date": doing.today},
            code="rate_missing", field=f"amount_{currency}",
        )  # fmt: skip
    doing.facts.setdefault("rates", {})[currency] = f"{found.rate.normalize():f} ({found.source} {found.date})"
    return rounded(amount * found.rate, home)


def book_proceeds(doing: Doing) -> None:
    """What came in goes to the bank; what the channel kept of what it owed is its fees, and needs a reason.

    What is owed in other currencies passes the exchange account at the day's rate; it may be paid in its own or in the
    store's. Where the step was taken back before, only what has moved since is due: an entry of its own.
    """
    store, home = doing.store, doing.store.currency
    due = {money.currency: money.amount for money in queries.proceeds_due(store.pk) if money.amount}
    paid = doing.given.money(home)
    for currency, amount in paid.items():
        if amount < 0 and amount != due.get(currency):
            raise Refused(_("The amount that was paid is not negative."), code="amount_wrong", field=f"amount_{currency}")
    owed_value = {currency: _value(doing, amount, currency) for currency, amount in due.items()}
    paid_value = sum((_value(doing, amount, currency) for currency, amount in paid.items()), Decimal(0))
    owed = sum(owed_value.values(), Decimal(0))
    kept = owed - paid_value
    if kept and not doing.given.note.strip():
        raise Refused(
            _("The books expect %(owed)s %(currency)s. Say why another amount came in.")
            % {"owed": rounded(owed, home), "currency": home},
            code="note_missing", field="note",
        )  # fmt: skip
    legs = [(BANK, home, paid_value), (FEES, home, kept), (RECEIVABLE, home, -due.get(home, Decimal(0)))]
    for currency, amount in due.items():
        if currency != home:
            legs += [
                (RECEIVABLE, currency, -amount), (EXCHANGE, currency, amount), (EXCHANGE, home, -owed_value[currency]),
            ]  # fmt: skip
    books.post_entries(
        [
            books.NewEntry(store.pk, *_fact_of(doing), doing.at, merged(legs), memo=doing.given.note.strip()[:200])
        ],
        by=doing.by,
    )  # fmt: skip
    doing.facts |= {"owed": str(rounded(owed, home)), "paid": str(rounded(paid_value, home)), "currency": home}
    doing.facts["kept" if kept >= 0 else "more"] = str(rounded(abs(kept), home))
    if foreign := {currency: str(amount) for currency, amount in paid.items() if currency != home}:
        doing.facts["paid_in"] = foreign


def _fact_of(doing: Doing) -> tuple[str, int]:
    """The fact its entry is of: the step, or the last time it was taken back."""
    back = StepEvidence.objects.filter(step=doing.row, what="undone").order_by("-pk").first()
    return ("proceeds_settled", doing.row.pk) if back is None else ("proceeds_again", back.pk)


def keep_proceeds(_doing: Doing) -> None:
    """The money came all the same: what is booked stays. The step is open again for what has moved since."""


def return_deposit(doing: Doing) -> None:
    """What of the deposit came back; what did not was kept by the platform, and needs a reason.

    Paid back in another currency it counts at the day's rate; more than was held is an exchange difference.
    """
    store, home = doing.store, doing.store.currency
    paid = doing.given.money(home)
    held = case_queries.deposit(store.pk).held.amount
    amount = sum((_value(doing, one, currency) for currency, one in paid.items()), Decimal(0))
    gain = amount - held if set(paid) - {home} and amount > held else Decimal(0)
    if min(paid.values(), default=Decimal(0)) < 0 or amount - gain > held:
        raise Refused(
            _("Of the deposit %(held)s %(currency)s are held: no more can come back.")
            % {"held": rounded(held, home), "currency": home},
            code="amount_wrong", field=f"amount_{home}",
        )  # fmt: skip
    # When it came is a fact, also where the rule expects it later.
    expected = next(day.on for day in queries.days_of(doing.closing, at=doing.at) if day.code == "deposit")
    returned = amount - gain
    kept = held - returned
    note = doing.given.note.strip()
    moves = [cases.NewMove("returned", returned, doing.at, note=note)] if returned else []
    if kept:
        moves.append(cases.NewMove("deducted", kept, doing.at, note=note))
    done = cases.move_deposit(moves, store=store, by=doing.by, at=doing.at)
    if done.refused:
        raise Refused(done.refused[0].sentence(), code=done.refused[0].code)
    if gain:
        legs = [(BANK, home, gain), (EXCHANGE_DIFFERENCES, home, -gain)]
        books.post_entries([books.NewEntry(store.pk, "proceeds_settled", doing.row.pk, doing.at, legs, memo=note[:200])], by=doing.by)
        doing.facts["gain"] = str(rounded(gain, home))
    commands.note_params(doing.closing, deposit_on=doing.today.isoformat())
    sums = {"held": held, "returned": returned, "kept": kept}
    doing.facts |= {name: str(rounded(amount, home)) for name, amount in sums.items()} | {"currency": home}
    doing.facts["expected"] = expected.isoformat()
    if foreign := {currency: str(one) for currency, one in paid.items() if currency != home}:
        doing.facts["paid_in"] = foreign
