"""What a change of the rule book would mean for a store, before it counts: for its open orders, its money, its lines.

A foresight, as if what is open had begun under the new text: in truth what has begun keeps the text it began under.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from daifa.domain.compliance import commands, figure_queries, foresight
from daifa.domain.compliance.foresight import Touched, Turn
from daifa.domain.compliance.health import OWN_LINE, Metric, stand_under
from daifa.domain.policy import queries, telling
from daifa.domain.policy.rules import Change, Rule
from daifa.domain.stores.models import Store
from daifa.flows.reads.store_health import complaints_of
from daifa.lib.commas import listed
from daifa.lib.money import rounded

FIRST = 5  # orders named in a sentence


@dataclass(slots=True)
class Effect:
    """What a change means for what a store has open now, and for where it stands.

    `touched`: open clocks and money, None where such a rule makes neither. `stood`, `stands`: the store under the line of
    before and of after, each over the whole window; None where there is no such line. Both None: nothing here counts by it.
    """

    change: Change
    touched: Touched | None = None
    stood: Metric | None = None
    stands: Metric | None = None

    @property
    def clocks(self) -> int | None:
        """How many open clocks hang on it; None where it makes none."""
        return None if self.touched is None or foresight.is_money(self.change.rule) else self.touched.clocks

    @property
    def line(self) -> str:
        """"crossed" or "cleared" where the standing of a line that acts turns, else ""."""
        was, will = _is_crossed(self.stood), _is_crossed(self.stands)
        return "" if was == will else "crossed" if will else "cleared"

    @property
    def value(self) -> Decimal | None:
        """Where the store stands today, by the line of after, or by the one that ends."""
        one = self.stands or self.stood
        if one is None:
            return None
        return one.platform.figure.value if one.missing and one.platform else one.value

    def sentences(self) -> list[str]:
        """What it means in the reader's language."""
        said: list[str] = []
        if self.touched is not None:
            said += _of_money(self.touched) if foresight.is_money(self.change.rule) else _of_clocks(self.change, self.touched)
        if self.stands is not None or self.stood is not None:
            said += _of_line(self)
        after = self.change.after
        beyond = self.stands is not None and self.stands.worst == 100
        if after is not None and not after.acts and said and (self.change.before is None or beyond):
            said.append(_("It would only inform. %(why)s") % {"why": after.why_not})
        if not said and self.touched is None and "threshold" in (self.change.fields or ("threshold",)):
            said.append(_("Nothing here is counted by it: read what follows from it."))
        return said


def _is_crossed(one: Metric | None) -> bool:
    return one is not None and one.acts and one.worst == 100


def _of_clocks(change: Change, one: Touched) -> list[str]:
    said: list[str] = []
    if change.before is None:
        text = ngettext("It would touch %(n)d open order.", "It would touch %(n)d open orders.", one.orders)
        said.append(text % {"n": one.orders})
    elif change.after is None and one.clocks:
        said.append(ngettext("%(n)d open clock would end.", "%(n)d open clocks would end.", one.clocks) % {"n": one.clocks})
    if one.overdue:
        text = ngettext("%(n)d of %(all)d open clocks would be overdue%(money)s.", "%(n)d of %(all)d open clocks would be overdue%(money)s.", one.overdue)
        said.append(text % {"n": one.overdue, "all": one.clocks, "money": _at_stake(one.overdue_money)})
    if one.relaxed:
        text = ngettext("%(n)d overdue clock would not be%(money)s.", "%(n)d overdue clocks would not be%(money)s.", one.relaxed)
        said.append(text % {"n": one.relaxed, "money": _at_stake(one.relaxed_money)})
    if one.clocks and not said:
        text = ngettext("%(n)d open clock is touched, none turns.", "%(n)d open clocks are touched, none turns.", one.clocks)
        said.append(text % {"n": one.clocks})
    if not said:
        said.append(_("No open order hangs on it now."))
    if one.named and (change.before is None or one.overdue or one.relaxed):
        more = one.orders - FIRST
        shown = listed(one.named[:FIRST])
        said.append(
            _("Orders: %(orders)s and %(n)d more.") % {"orders": shown, "n": more} if more > 0 else _("Orders: %(orders)s.") % {"orders": shown}
        )
    return said


def _of_money(one: Touched) -> list[str]:
    if not one.staked:
        return [_("No open order can come to it now.")]
    text = ngettext(
        "%(n)d open order can come to it: %(before)s at stake by the text of before, %(after)s by the new one.",
        "%(n)d open orders can come to it: %(before)s at stake by the text of before, %(after)s by the new one.", one.staked,
    )  # fmt: skip
    said = [text % {"n": one.staked, "before": _amounts(one.before), "after": _amounts(one.after)}]
    if one.owed:
        text = ngettext(
            "For %(n)d of them the time has run out: %(before)s, and %(after)s.",
            "For %(n)d of them the time has run out: %(before)s, and %(after)s.", one.owed,
        )  # fmt: skip
        said.append(text % {"n": one.owed, "before": _amounts(one.owed_before), "after": _amounts(one.owed_after)})
    return said


def _of_line(effect: Effect) -> list[str]:
    one = effect.stands or effect.stood
    assert one is not None
    if one.missing and one.platform is None:
        return [_("Where you stand is not known here. %(why)s") % {"why": one.missing}]
    now = telling.measured(effect.value, effect.change.rule.unit)
    if effect.line:
        text = (
            _("The line would be crossed: you stand at %(now)s.") if effect.line == "crossed"
            else _("The line would be crossed no more: you stand at %(now)s.")
        )  # fmt: skip
        return [text % {"now": now}]
    if effect.value is None:
        return [_("Nothing was counted yet: the line would not be crossed.")]
    if effect.stands is None:
        return [_("The line ends; you stand at %(now)s.") % {"now": now}]
    if one.worst == 100:
        return [_("You stand beyond the line, before and after: at %(now)s.") % {"now": now} if one.acts else _("You stand beyond the line, at %(now)s.") % {"now": now}]
    share = one.platform.said.share if one.missing and one.platform and one.platform.said else one.share_of_line
    way = "" if share is None else f"{share * 100:.0f} %"
    return [_("The line would not be crossed: you stand at %(now)s, %(way)s of the way.") % {"now": now, "way": way or "–"}]


def _amounts(money: Mapping[str, Decimal]) -> str:
    return listed(f"{rounded(amount, code)} {code}" for code, amount in sorted(money.items())) or "0"


def _at_stake(money: Mapping[str, Decimal]) -> str:
    return _(" (%(money)s at stake)") % {"money": _amounts(money)} if money else ""


def effects_of(changes: Iterable[Change], store: Store, *, at: datetime) -> list[Effect]:
    """What these changes would mean in a store at `at`, each for itself, those of one day together with their neighbours.

    The clocks of all days are reckoned in one go, the lines in another: a part of a second for 30,000 open orders. Reads only.
    """
    effects = [Effect(change) for change in changes]
    days: dict[date, list[Effect]] = {}
    for effect in effects:
        if foresight.bears_on_clocks(effect.change.rule) and effect.change.rule.channel in commands.books_of(store):
            days.setdefault(effect.change.on, []).append(effect)
    turns = [
        Turn(*_readings(store, day, {effect.change.rule_id for effect in effects if effect.change.on == day}), [one.change.rule for one in mine])
        for day, mine in days.items()
    ]
    for mine, found in zip(days.values(), foresight.as_if(store.pk, turns, at=at) if turns else (), strict=True):
        for effect in mine:
            effect.touched = found[effect.change.rule_id]
    _stand(effects, store, at)
    return effects


def _readings(store: Store, day: date, changed: set[str]) -> tuple[dict[str, list[Rule]], dict[str, list[Rule]]]:
    """The books that run clocks in a store as they read before a day and on it; that a text grows old is no change."""
    after = queries.in_force(on=day, store_id=store.pk)
    before = {
        rule_id: after.get(rule_id, rule) if rule_id not in changed else rule
        for rule_id, rule in queries.in_force(on=day - timedelta(days=1), store_id=store.pk).items()
    }
    books = commands.books_of(store)
    was, will = (
        {name: [rule for rule in texts.values() if rule.channel == name] for name in books} for texts in (before, after)
    )
    return was, will


def _stand(effects: Sequence[Effect], store: Store, at: datetime) -> None:
    """Where the store stands under the lines of before and after."""
    wanted: list[tuple[Effect, str, Rule]] = []
    for effect in effects:
        change = effect.change
        for side, rule, day in (("stood", change.before, change.on - timedelta(days=1)), ("stands", change.after, change.on)):
            if rule is None or not figure_queries.is_line(rule):
                continue
            unwatched = rule.id == OWN_LINE and queries.OWN_SITE in queries.channels_of(store)
            if unwatched or any(one.id == rule.id for one in figure_queries.book_of(store, on=day)):
                wanted.append((effect, side, rule))
    if wanted:
        complaints = complaints_of(store.pk, at=at)
        found = stand_under(store.pk, [rule for _effect, _side, rule in wanted], at=at, complaints=complaints)
        for (effect, side, _rule), metric in zip(wanted, found, strict=True):
            setattr(effect, side, metric)


def means(effect: Effect) -> str:
    """The sentences of an effect in one."""
    return " ".join(effect.sentences())


def as_data(effect: Effect) -> dict[str, Any]:
    """An effect for programs: figures, and the sentences in the caller's language."""
    one = effect.touched or Touched()
    return {
        "clocks": effect.clocks, "orders": one.orders or one.staked, "order_numbers": one.named,
        "would_be_overdue": one.overdue, "overdue_money": one.overdue_money, "would_be_relaxed": one.relaxed, "relaxed_money": one.relaxed_money,
        "at_stake_before": one.before, "at_stake_after": one.after, "owed_before": one.owed_before, "owed_after": one.owed_after,
        "line": effect.line, "stands_at": effect.value, "means": effect.sentences(),
    }  # fmt: skip
