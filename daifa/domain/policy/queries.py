"""Reads of the rule book: what counts on a day for a store, why it acts or not, and what is going to change.

Books and overrides are held in memory, per process; each call asks the database only whether there are newer ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from daifa.domain.policy import book as books
from daifa.domain.policy import words
from daifa.domain.policy.models import (
    OwnWord,
    RuleBook,
    RuleFile,
    RuleOverride,
    TextApproval,
    TextFinding,
    WordLists,
)
from daifa.domain.policy.rules import COMPARED, Change, Override, Rule, Words, apply, difference, judge
from daifa.domain.policy.words import Hit, Publishing
from daifa.lib import bulk

# --- Rules ------------------------------------------------------------------------------------------------------


def rules(
    channel: str, *, metric: str | None = None, kind: str | None = None, on: date, store_id: int | None = None
) -> list[Rule]:
    """The rules of a channel (or of a law: "law_cn" …) in force on that day, in the order of their file.

    Overrides of all stores are applied, and those of `store_id` if one is given. Rules announced for later are left
    out until their day: see `announced`. An unknown channel has none. What began earlier goes by `texts_of`.
    """
    return [
        rule
        for rule in in_force(on=on, store_id=store_id).values()
        if rule.channel == channel and (metric is None or rule.metric == metric) and (kind is None or rule.kind == kind)
    ]


def rule(rule_id: str, *, on: date | None = None, store_id: int | None = None) -> Rule:
    """One rule as it counts on that day; one that is not in force then is given with the verdict "not_yet".

    `on` None = the newest text, judged on the day it was collected. Raises KeyError for an unknown id.
    """
    held = _held()
    if on is not None and (found := in_force(on=on, store_id=store_id).get(rule_id)):
        return found
    for version in reversed(held.versions):
        if found := version.book.rules.get(rule_id):
            day = on or found.read_on
            return judge(apply(found, held.about(rule_id, store_id, day)), day)
    raise KeyError(rule_id)


def newest(rule_ids: Iterable[str]) -> dict[str, Rule]:
    """Rule → the newest text that knows it; unknown ids are not in it. One statement for all."""
    wanted = set(rule_ids) - {""}
    if not wanted:
        return {}
    found: dict[str, Rule] = {}
    for version in _held().versions:
        found |= {one: version.book.rules[one] for one in wanted & version.book.rules.keys()}
    return found


def titles(rule_ids: Iterable[str]) -> dict[str, Words]:
    """Rule → its title, by the newest text that knows it; unknown ids are not in it. One statement for all."""
    return {rule_id: rule.consequence for rule_id, rule in newest(rule_ids).items()}


def in_force(*, on: date, store_id: int | None = None) -> Mapping[str, Rule]:
    """Every rule in force on that day, by id. Do not change the mapping: it is shared."""
    stamp = version_stamp()
    return _in_force(stamp, on, _own(stamp, store_id))


def texts_of(channel: str, *, on: date, today: date, store_id: int | None = None) -> list[Rule]:
    """The rules of a channel as they read on a past day, each with what is known of that text today.

    Whether it may act is no part of the text: a confirmation of today lets the same text act for what began before;
    a text that reads otherwise today keeps the standing it had.
    """
    now = in_force(on=today, store_id=store_id)
    found = []
    for rule in rules(channel, on=on, store_id=store_id):
        same = now.get(rule.id)
        found.append(same if same is not None and _reads_alike(rule, same) else judge(rule, today))
    return found


def days_of_change(channel: str, *, kinds: Collection[str], until: date, store_id: int | None = None) -> list[date]:
    """The days up to `until` on which rules of that channel and of these kinds may begin to read otherwise, in order."""
    stamp = version_stamp()
    found = _days_of_change(stamp, channel, tuple(sorted(kinds)), _own(stamp, store_id))
    return [day for day in found if day <= until]


def _reads_alike(one: Rule, other: Rule) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in COMPARED if name != "verdict")


@lru_cache(maxsize=256)
def _days_of_change(stamp: tuple[Any, ...], channel: str, kinds: tuple[str, ...], store_id: int | None) -> tuple[date, ...]:
    held = _held_at(stamp)
    days = {version.takes_effect_on for version in held.versions if version.takes_effect_on}
    concerned = set()
    for version in held.versions:
        for rule in version.book.rules.values():
            if rule.channel == channel and rule.kind in kinds:
                concerned.add(rule.id)
                days |= {rule.effective} if rule.effective else set()
    for one in held.overrides:
        if one.rule_id in concerned and one.store_id in (None, store_id):
            days |= {one.begins, *([one.valid_until + timedelta(days=1)] if one.valid_until else [])}
    return tuple(sorted(days))


def _own(stamp: tuple[Any, ...], store_id: int | None) -> int | None:
    """The store, if the owner said something for it alone; stores without such a word share what is held in memory."""
    return store_id if any(one.store_id == store_id for one in _held_at(stamp).overrides) else None


def channel_titles() -> dict[str, Words]:
    """The channels, laws and other books of rules there are: name → title, newest book."""
    return dict(_held().versions[-1].book.titles)


EUROPE = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip
LAWS = {"CN": "law_cn", "US": "law_us", **dict.fromkeys(EUROPE, "law_eu_uk")}
OWN_SITE = "own_site"
"""The book of stores that no platform watches: own sites and files by hand."""
BESIDE = ("law_cn", "law_us", "law_eu_uk", "payments", "logistics", OWN_SITE)
"""Books that are no sales channel."""
DOMESTIC = ("xiaohongshu", "douyin", "pinduoduo", "taobao", "wechat_store")
ALIASES = {"red": "xiaohongshu", "xhs": "xiaohongshu", "tiktok": "tiktok_shop", "tmall": "taobao", "wechat": "wechat_store"}


def sales_channels() -> dict[str, Words]:
    """The channels that stores can sell on and the book has rules for: name → title."""
    return {name: title for name, title in channel_titles().items() if name not in BESIDE}


def book_name(channel: str) -> str:
    """The rule book's word for a sales channel, as entered in any case and by any of its names."""
    return ALIASES.get(channel.lower(), channel.lower())


def channel_word(channel: str) -> str:
    """A store's sales channel as people say it; one nobody knows here as it was entered."""
    name, titles = book_name(channel), channel_titles()
    if name in titles:
        return str(titles[name])
    return {"manual": _("manual (files)"), "marketplace": _("marketplace"), "sample": _("sample channel")}.get(name, channel)


def channel_of(store: Any) -> str:
    """The name of the store's channel in the book; "" where the book has none for it (an own site, files by hand)."""
    channel = book_name(store.channel)
    return channel if channel in channel_titles() and channel not in BESIDE else ""


def channels_of(store: Any) -> list[str]:
    """The books of rules a store lives under: its channel, the law of its country, payment and logistics.

    `store` needs `channel`, `kind` and `country`. Where no platform watches it, daifa's own lines stand instead of a channel's. A domestic channel brings Chinese law whatever country is entered.
    """
    channel = channel_of(store)
    law = LAWS.get(store.country) or ("law_cn" if channel in DOMESTIC else "")
    known = channel_titles()
    own = OWN_SITE if not channel and store.kind in ("own_site", "manual") else ""
    return [name for name in (channel, own, law, "payments", "logistics") if name in known]


def country_of(store: Any) -> str:
    """The country by whose working days and clock a store's platform goes: China for a domestic channel, else the store's."""
    return "CN" if channel_of(store) in DOMESTIC else str(store.country)


# --- What is going to change ------------------------------------------------------------------------------------


def announced(*, on: date, store_id: int | None = None, channels: Sequence[str] | None = None) -> list[Change]:
    """What will change after that day, as far as it is known: new books, announced rules, overrides that begin or end.

    By day, then by rule. Each change compares the rule on the day before with the rule on its day.
    """
    held = _held()
    days = {version.takes_effect_on for version in held.versions if version.takes_effect_on}
    for version in held.versions:
        days |= {rule.effective for rule in version.book.rules.values() if rule.effective}
    for one in held.overrides:
        if one.store_id in (None, store_id):
            days |= {one.begins, *([one.valid_until + timedelta(days=1)] if one.valid_until else [])}
    changes = []
    for day in sorted(day for day in days if day > on):
        before = in_force(on=day - timedelta(days=1), store_id=store_id)
        after = in_force(on=day, store_id=store_id)
        changes += [
            change
            for change in difference(_without_age(before), _without_age(after), day)
            if channels is None or change.rule.channel in channels
        ]
    return changes


def _without_age(found: Mapping[str, Rule]) -> Mapping[str, Rule]:
    # That a text grows old on that very day is no change of the book, and one that begins counts from then.
    return {rule_id: judge(rule, max(rule.read_on, rule.effective or rule.read_on)) for rule_id, rule in found.items()}


# --- Words ------------------------------------------------------------------------------------------------------


def screen(texts: Sequence[str], *, lists: Sequence[str] = ("terms",), own_site: bool = False) -> list[list[Hit]]:
    """For each text the restricted words in it, in order, with their places in the text as given.

    `lists`: terms, categories (restricted goods), brands. On an own site (`own_site`) nobody is led off a platform:
    such words are left out. The owner's own words count, and what she allowed does not.
    """
    return _screen(version_stamp(), tuple(lists), own_site).hits(texts)


def may_publish(
    texts: Mapping[str, str], *, own_site: bool = False, held_licences: Sequence[str] = ()
) -> Publishing:
    """May these texts (field → text: title, description, category, brand …) be published? See `words.Publishing`.

    Ask before a listing goes out. What needs a person waits until `commands.approve_texts` was called for its digest;
    what needs a paper says which (`licences`), and does not wait for those that are held.
    """
    lists = ("terms", "categories", "brands")
    found = dict(zip(texts, screen(list(texts.values()), lists=lists, own_site=own_site), strict=True))
    digest = words.digest_of(texts.values())
    approved = approved_words([digest]).get(digest, ())
    return words.judge_texts(dict(texts), found, words.shipped().goods, approved=approved, held_licences=held_licences)


def approved_words(digests: Collection[str]) -> dict[str, frozenset[str]]:
    """Digests (`words.digest_of`) of texts a person let pass → the words for which the lists of that moment asked her to look.

    A word that came into the lists since is not among them: she has not seen it.
    """
    approvals = list(TextApproval.objects.filter(digest__in=list(digests)).values_list("digest", "at"))
    if not approvals:
        return {}
    versions = list(WordLists.objects.order_by("id").values_list("id", "at"))
    counted = {digest: max((pk for pk, noted_at in versions if noted_at <= at), default=versions[0][0] if versions else 0) for digest, at in approvals}
    entries = dict(WordLists.objects.filter(pk__in=set(counted.values())).values_list("id", "entries"))
    asked = {pk: frozenset(term for term, _category, severity in of_version if severity != "hint") for pk, of_version in entries.items()}
    return {digest: asked.get(pk, frozenset()) for digest, pk in counted.items()}


def own_words() -> list[OwnWord]:
    """The owner's own words that count, newest first."""
    return list(OwnWord.objects.filter(withdrawn_at=None).order_by("-id"))


class Lists(NamedTuple):
    """The lists as they read now: `digest` of their entries (word, category, severity), dates of the files, goods."""

    digest: str
    dates: dict[str, str]
    entries: list[list[str]]
    goods_count: int


def lists_now() -> Lists:
    """The lists of words, goods and brands with the owner's own words, as texts are judged by them now."""
    return _lists_at(version_stamp())


@lru_cache(maxsize=4)
def _lists_at(stamp: tuple[Any, ...]) -> Lists:
    screen = _screen(stamp, ("terms", "categories", "brands"), False)
    entries = sorted([term.term, term.category, term.severity] for term in screen.terms)
    shipped = words.shipped()
    said = [
        *entries, *sorted(("exception", term.term, one) for term in screen.terms for one in term.exceptions),
        *sorted(("pattern", term.term, term.pattern.pattern) for term in screen.terms if term.pattern),
    ]  # fmt: skip
    digest = hashlib.sha256(repr(said).encode()).hexdigest()
    return Lists(digest, dict(shipped.dates), entries, len(shipped.goods))


def lists_version() -> WordLists | None:
    """The version of the lists by which texts were judged last; None before the first look."""
    return WordLists.objects.order_by("-id").first()


class ListsChange(NamedTuple):
    """A version of the lists, and the words that came, went, or changed their severity (word, before, after) with it."""

    version: WordLists
    came: list[str]
    went: list[str]
    changed: list[tuple[str, str, str]]


def lists_history(limit: int = 20) -> list[ListsChange]:
    """Versions of the lists, newest first, each compared with the one before it."""
    found = list(WordLists.objects.order_by("-id")[: limit + 1])
    history = []
    for place, version in enumerate(found[:limit]):
        now = {term: severity for term, _category, severity in version.entries}
        before = {term: severity for term, _c, severity in found[place + 1].entries} if place + 1 < len(found) else now
        history.append(
            ListsChange(
                version,
                sorted(now.keys() - before.keys()),
                sorted(before.keys() - now.keys()),
                [(term, before[term], now[term]) for term in sorted(now.keys() & before.keys()) if before[term] != now[term]],
            )
        )
    return history


def findings(scope: Sequence[int], *, shared: bool = True, severity: str = "") -> QuerySet[TextFinding]:
    """What the last look found in texts of these stores; `shared` adds those of no single store (products)."""
    of_scope = Q(store__in=list(scope)) | Q(store=None) if shared else Q(store__in=list(scope))
    found = TextFinding.objects.filter(of_scope)
    return found.filter(severity=severity) if severity else found


@lru_cache(maxsize=16)
def _screen(stamp: tuple[Any, ...], lists: tuple[str, ...], own_site: bool) -> words.Screen:
    without = frozenset({"off_platform_contact"}) if own_site else frozenset()
    own = own_words()
    if not own:
        return words.shipped_screen(lists, without)
    said = {words.normalised(one.term): one for one in reversed(own)}
    shipped = [
        term for term in words.shipped().terms
        if term.term in _listed(lists) and term.category not in without and (words.normalised(term.term) not in said or words.is_kept(term))
    ]  # fmt: skip
    added = [
        words.Term(one.term, "own", one.severity, (), Words(one.reason, one.reason)) for one in said.values() if one.severity != "allow"
    ]
    return words.Screen([*shipped, *added])


@lru_cache(maxsize=8)
def _listed(lists: tuple[str, ...]) -> frozenset[str]:
    return frozenset(term.term for term in words.shipped(lists).terms)


# --- Overrides and versions -------------------------------------------------------------------------------------


def overrides_of(rule_id: str) -> list[RuleOverride]:
    """All words of the owner about a rule, withdrawn ones too, newest first."""
    return list(RuleOverride.objects.filter(rule_id=rule_id).select_related("store").order_by("-id"))


def versions() -> list[RuleBook]:
    """All versions of the book, newest first."""
    return list(RuleBook.objects.order_by("-id"))


def current_version(*, on: date) -> RuleBook | None:
    """The version that counts on that day; None while only what ships with daifa was ever read."""
    return (
        RuleBook.objects.filter(withdrawn_at=None).exclude(takes_effect_on__gt=on).order_by("-id").first()
    )


def overtaken_files() -> list[str]:
    """Names of own files that replace a file of daifa's which has been renewed since: somebody should compare them."""
    newest = RuleBook.objects.filter(withdrawn_at=None).order_by("-id").first()
    if newest is None:
        return []
    shipped = books.shipped_files()
    found = []
    for own in newest.files.filter(is_own=True, name__in=list(shipped)):
        digest = hashlib.sha256(shipped[own.name]).hexdigest()
        if not RuleFile.objects.filter(name=own.name, is_own=False, digest=digest).exists():
            found.append(own.name)
    return sorted(found)


def own_files() -> dict[str, bytes]:
    """The owner's own files of rules in the newest version: name → content."""
    newest = RuleBook.objects.filter(withdrawn_at=None).order_by("-id").first()
    if newest is None:
        return {}
    return {one.name: one.content.encode() for one in newest.files.filter(is_own=True)}


# --- In memory --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Version:
    takes_effect_on: date | None
    book: books.Book


@dataclass(frozen=True, slots=True)
class _Held:
    """All that is known: versions from old to new (the first may be what ships), and the overrides that count."""

    versions: tuple[_Version, ...]
    overrides: tuple[Override, ...]

    def about(self, rule_id: str, store_id: int | None, on: date) -> list[Override]:
        return [one for one in self.overrides if one.rule_id == rule_id and one.counts(store_id, on)]


def version_stamp() -> tuple[Any, ...]:
    """Changes whenever a book, an override or an own word is added or withdrawn: to keep in memory what follows from
    them. One cheap statement."""
    return bulk.fetch(
        """SELECT b.newest, b.withdrawn, b.day, o.newest, o.withdrawn, w.newest, w.withdrawn
           FROM (SELECT max(id), count(withdrawn_at), max(takes_effect_on) FROM policy_rulebook) b (newest, withdrawn, day),
                (SELECT max(id), count(withdrawn_at) FROM policy_ruleoverride) o (newest, withdrawn),
                (SELECT max(id), count(withdrawn_at) FROM policy_ownword) w (newest, withdrawn)"""
    )[0]


def _held() -> _Held:
    return _held_at(version_stamp())


@lru_cache(maxsize=4)
def _held_at(stamp: tuple[Any, ...]) -> _Held:
    versions = []
    for version in RuleBook.objects.filter(withdrawn_at=None).order_by("id"):
        contents = {one.name: one.content.encode() for one in RuleFile.objects.filter(books=version)}
        versions.append(_Version(version.takes_effect_on, _read(version.digest, contents)))
    overrides = tuple(
        Override(
            one.pk, one.rule_id, one.store_id, books.changes_read(one.changes), one.by, one.at.date(), one.reason,
            one.valid_from, one.valid_until,
        )
        for one in RuleOverride.objects.filter(withdrawn_at=None).order_by("id")
    )  # fmt: skip
    return _Held(tuple(versions) or (_Version(None, books.shipped_book()),), overrides)


_READ: dict[str, books.Book] = {}


def _read(digest: str, contents: Mapping[str, bytes]) -> books.Book:
    if digest not in _READ:
        _READ[digest] = books.read_book(contents)
    return _READ[digest]


@lru_cache(maxsize=256)
def _in_force(stamp: tuple[Any, ...], on: date, store_id: int | None) -> dict[str, Rule]:
    held = _held_at(stamp)
    found: dict[str, Rule] = {}
    counting = [version for version in held.versions if version.takes_effect_on is None or version.takes_effect_on <= on]
    if not counting:
        return found
    # An announced text waits for its day; until then the text of an older version goes on counting.
    for rule_id in counting[-1].book.rules:
        for version in reversed(counting):
            text = version.book.rules.get(rule_id)
            if text is None:
                break
            text = apply(text, held.about(rule_id, store_id, on))
            if text.effective is None or text.effective <= on:
                found[rule_id] = judge(text, on)
                break
    return found
