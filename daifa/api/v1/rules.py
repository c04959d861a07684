"""The rule book: what platforms and laws ask, with source and date; whether a rule acts, and what it means for a store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Field, Path, Query, Router, Schema

from daifa.api.caller import Caller, caller
from daifa.api.errors import ERRORS, Problem, not_found
from daifa.api.shapes import After, Day, Done, Id, Limit, Number, Page, Words, cursor_of, page_of
from daifa.domain.policy import commands, queries, rules, telling
from daifa.domain.policy.models import RuleOverride
from daifa.domain.stores.models import Store
from daifa.flows import put_right

router = Router(tags=["rules"])
Kind = Literal[tuple(rules.KINDS)]
RuleId = Annotated[str, Path(max_length=60)]
On = Annotated[Day | None, Query(None, description="As it counts on that day; today where left out.")]
BY_ID = ("id",)


class RuleOut(Schema):
    """A rule as it counts on a day. `line` says in words what triggers it; `threshold` is one figure or two."""

    id: str
    channel: str
    kind: str
    metric: str
    metric_words: str
    comparison: str
    threshold: list[Decimal | date] = Field(description="Empty where it triggers because something happens or is missing.")
    unit: str | None
    window_days: int | None
    line: str
    consequence: str
    note: str
    acts: bool
    why_not: str = Field(description="Why it only informs; empty where it acts.")
    recheck: bool = Field(description="Its text was read more than 180 days ago.")
    confidence: str
    source: str
    source_kind: str
    as_of: str | None = Field(description="Date of the source text: a year, a month or a day.")
    read_on: date
    effective: date | None
    status: str | None


class InStoreOut(Schema):
    """What a rule means in one store: whether it acts there, where the store stands, how many clocks hang on it."""

    store_id: int
    line: str
    acts: bool
    why_not: str
    stands_at: Decimal | None
    clocks: int | None


class WordOut(Schema):
    """The owner's word about a rule: fields that read otherwise (none: it was confirmed), until it was withdrawn."""

    id: int
    store_id: int | None
    changes: dict[str, Any]
    reason: str
    valid_from: date
    valid_until: date | None
    by: str
    at: datetime
    withdrawn_at: datetime | None


class FieldChange(Schema):
    field: str
    before: str
    after: str


class ChangeOut(Schema):
    """What will become of a rule on a day."""

    rule: str
    channel: str
    on: date
    what: Literal["new", "ends", "changes"]
    consequence: str
    fields: list[FieldChange]


class ChangeOfStoreOut(ChangeOut):
    """With what it would mean if what is open had begun under the new text; in truth it keeps the text it began under."""

    store_id: int
    clocks: int | None = Field(description="Open clocks of the store that hang on it, before or after; null where it makes none.")
    orders: int = Field(description="Open orders that it touches.")
    order_numbers: list[str] = Field(description="Some of them (50), those that turn first.")
    would_be_overdue: int = Field(description="Clocks that would be overdue and are not.")
    overdue_money: dict[str, Decimal] = Field(description="What they cost, by currency; of each order once.")
    would_be_relaxed: int = Field(description="Overdue clocks that would not be.")
    relaxed_money: dict[str, Decimal]
    at_stake_before: dict[str, Decimal] = Field(description="Of a compensation: what open orders can come to by the text of before.")
    at_stake_after: dict[str, Decimal]
    owed_before: dict[str, Decimal] = Field(description="The part for which a time has run out already.")
    owed_after: dict[str, Decimal]
    line: Literal["", "crossed", "cleared"] = Field(description="Whether the line would be crossed, or crossed no more.")
    stands_at: Decimal | None = Field(description="Where the store stands on it today; null where nothing is counted.")
    means: list[str] = Field(description="The same in sentences.")


class RuleDetailOut(RuleOut):
    cross_check: str | None
    mirror: str | None
    stores: list[InStoreOut]
    words: list[WordOut]
    changes: list[ChangeOut]


class ChannelOut(Schema):
    """A channel, a law or another book of rules."""

    name: str
    title: str
    rules: int
    act: int


class WordIn(Schema):
    """`changes`: field → how it reads, as in a file (threshold, window_days, floor, cap, effective, source, source_kind,
    as_of, confidence); none: the rule is confirmed as it stands."""

    store_id: Id | None = Field(None, description="Only for this store; else for all.")
    reason: str = Field(min_length=1, max_length=500)
    changes: dict[str, str] = Field({}, max_length=20)
    valid_from: Day | None = Field(None, description="Today where left out.")
    valid_until: Day | None = None


def _threshold(rule: Any) -> list[Any]:
    if rule.threshold is None:
        return []
    return list(rule.threshold) if isinstance(rule.threshold, tuple) else [rule.threshold]


def _rule(rule: Any) -> dict[str, Any]:
    names = (
        "id", "channel", "kind", "metric", "comparison", "unit", "window_days", "acts", "recheck", "confidence",
        "source", "source_kind", "as_of", "read_on", "effective", "status",
    )  # fmt: skip
    return {
        **{name: getattr(rule, name) for name in names},
        "metric_words": str(telling.metric(rule.metric)), "threshold": _threshold(rule), "line": str(telling.whole_line(rule)),
        "consequence": str(rule.consequence), "note": str(rule.note), "why_not": str(rule.why_not),
    }  # fmt: skip


def _stores(who: Caller, store_id: int | None) -> Sequence[Store]:
    """The caller's stores, or this one; 404 for strangers and foreign stores."""
    if store_id is None:
        who.require_some()
    else:
        who.require(store_id, "view")
    return Store.objects.filter(pk__in=who.seen(store_id)).order_by("id")


@router.get("/rule-channels", response={200: list[ChannelOut], **ERRORS})
def list_channels(request: HttpRequest, on: On = None):
    """Channels, laws and other books of rules, with how many rules each has and how many of them act."""
    who = caller(request)
    who.require_some()
    known = queries.in_force(on=on or who.at.date()).values()
    return [
        {
            "name": name, "title": str(title), "rules": sum(rule.channel == name for rule in known),
            "act": sum(rule.channel == name and rule.acts for rule in known),
        }
        for name, title in sorted(queries.channel_titles().items())
    ]  # fmt: skip


@router.get("/rules", response={200: Page[RuleOut], **ERRORS})
def list_rules(
    request: HttpRequest,
    channel: Annotated[str | None, Query(None, max_length=40)] = None,
    kind: Kind | None = None,
    acts: bool | None = None,
    recheck: bool | None = None,
    store_id: Number = None,
    on: On = None,
    q: Words = None,
    after: After = None,
    limit: Limit = 50,
):
    """Rules in force, by id. With `store_id` those the store lives under, with its own overrides; else those of `channel`,
    or of the channels and laws of all the caller's stores. `q`: words of a rule, its id, its metric.
    """
    who = caller(request)
    stores = _stores(who, store_id)
    cursor = cursor_of(BY_ID, ("text",), after)
    channels = [channel] if channel else list({name for store in stores for name in queries.channels_of(store)})
    known = queries.in_force(on=on or who.at.date(), store_id=store_id)
    wanted = (q or "").casefold()

    def fits(rule: Any) -> bool:
        if rule.channel not in channels or (kind and rule.kind != kind):
            return False
        if (acts is not None and rule.acts != acts) or (recheck is not None and rule.recheck != recheck):
            return False
        if cursor.key is not None and rule.id <= cursor.key[0]:
            return False
        said = " ".join((rule.id, rule.metric, telling.metric(rule.metric), *rule.consequence, *rule.note))
        return wanted in said.casefold()

    found = sorted((rule for rule in known.values() if fits(rule)), key=lambda rule: rule.id)
    return page_of(found[: limit + 1], limit, cursor, _rule)


@router.get("/rule-changes", response={200: list[ChangeOfStoreOut], **ERRORS})
def list_changes(request: HttpRequest, store_id: Number = None):
    """What is announced to change for the caller's stores, the soonest first: platforms tell a week or so ahead."""
    from daifa.flows import foresee_rules, watch_rules

    who = caller(request)
    found = [
        {**_change(effect.change), "store_id": store.pk, **foresee_rules.as_data(effect)}
        for store in _stores(who, store_id)
        for effect in foresee_rules.effects_of(watch_rules.changes_for(store, on=who.at.date()), store, at=who.at)
    ]
    return sorted(found, key=lambda row: (row["on"], row["rule"], row["store_id"]))


def _change(change: Any) -> dict[str, Any]:
    return {
        "rule": change.rule_id, "channel": change.rule.channel, "on": change.on,
        "what": "new" if change.before is None else "ends" if change.after is None else "changes",
        "consequence": str(change.rule.consequence),
        "fields": [
            {"field": str(field), "before": str(before), "after": str(after)}
            for field, before, after in telling.change_words(change)
        ],
    }  # fmt: skip


@router.get("/rules/{rule_id}", response={200: RuleDetailOut, **ERRORS})
def explain_rule(request: HttpRequest, rule_id: RuleId, store_id: Number = None, on: On = None):
    """One rule: what it says and where it was read, whether it acts and why not, what it means for each of the caller's
    stores, what the owner said about it, what will change. `store_id`: with that store's overrides.
    """
    from daifa.flows import watch_rules

    who = caller(request)
    stores = _stores(who, store_id)
    day: dt.date = on or who.at.date()
    try:
        rule = queries.rule(rule_id, on=day, store_id=store_id)
    except KeyError:
        raise not_found() from None
    meant = []
    for store in stores:
        if rule.channel not in queries.channels_of(store):
            continue
        there = queries.rule(rule_id, on=day, store_id=store.pk)
        meant.append(
            {
                "store_id": store.pk, "line": str(telling.whole_line(there)), "acts": there.acts, "why_not": str(there.why_not),
                "stands_at": watch_rules.stands_at(rule, store), "clocks": watch_rules.clocks_on(rule, store),
            }
        )  # fmt: skip
    names = [name for name in WordOut.model_fields if name != "store_id"]
    return {
        **_rule(rule), "cross_check": rule.cross_check, "mirror": rule.mirror, "stores": meant,
        "words": [
            {**{name: getattr(one, name) for name in names}, "store_id": one.store_id}
            for one in queries.overrides_of(rule_id)
            if one.store_id is None or one.store_id in who.scope
        ],
        "changes": [
            _change(one) for one in queries.announced(on=day, store_id=store_id) if one.rule_id == rule_id
        ],
    }  # fmt: skip


@router.post("/rules/{rule_id}/words", response={200: RuleDetailOut, **ERRORS})
def say_word(request: HttpRequest, rule_id: RuleId, given: WordIn):
    """The owner's word about a rule: confirm it, or say what reads otherwise. Kept beside the files, never in them.

    Orders that a closed channel held go on where it opens it; where it counts from a later day, on that day.
    """
    who = caller(request)
    who.require(given.store_id, "own")
    wanted = commands.NewOverride(
        rule_id, given.reason, given.valid_from or who.at.date(), given.changes, given.store_id, given.valid_until
    )
    done, _routed = put_right.override_rules([wanted], by=who.by, at=who.at)
    if done.refused:
        raise Problem(409, "word_refused", done.refused[0])
    return explain_rule(request, rule_id, store_id=given.store_id, on=None)


@router.post("/rule-words/{word_id}/withdraw", response={200: Done, **ERRORS})
def withdraw_word(request: HttpRequest, word_id: Id):
    """The owner's word counts no more; it stays to be read. Empty `done`: it was withdrawn before."""
    who = caller(request)
    word = RuleOverride.objects.filter(pk=word_id).first()
    if word is None:
        raise not_found()
    who.require(word.store_id, "own")
    return {"done": [word_id] if commands.withdraw_overrides([word_id], by=who.by, at=who.at) else []}
