"""`daifa policy`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import typer
from django.utils.translation import gettext as _

from daifa.cli import output
from daifa.lib import clock
from daifa.lib.commas import listed
from daifa.lib.sentences import joined

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The rule book: check files, explain a rule, the owner's word, words."
)
STORE = typer.Option("", "--store", help="Code of a store: what counts there.")
ON = typer.Option("", "--on", help="A day, as 2026-05-01; today where left out.")


def _today() -> date:
    return clock.now().date()


def _contents(files: list[Path]) -> dict[str, bytes]:
    twice = {path.name for path in files if sum(path.name == other.name for other in files) > 1}
    if twice:
        output.fail(_("Two files are called %(file)s: give one of them.") % {"file": min(twice)})
    with output.sentences():
        return {path.name: path.read_bytes() for path in files}


@app.command("check")
def check(
    files: list[Path] = typer.Argument(None, help="Files of rules, named after their channel; without any: what daifa uses."),
    as_json: bool = output.AS_JSON,
):
    """Check files of rules and lists of words. Each problem is named with file and line; exit code 1 if there is one."""
    from daifa.domain.policy import book as books
    from daifa.domain.policy import queries, words

    given = _contents(files or [])
    lists = {name: content for name, content in given.items() if name in words.LISTS.values()}
    rules = {**books.shipped_files(), **queries.own_files(), **{k: v for k, v in given.items() if k not in lists}}
    book = books.read_book(rules, own=given or queries.own_files())
    vocabulary = words.read_lists(lists) if lists else words.shipped()
    problems = [one for one in (*book.problems, *vocabulary.problems) if not given or one.file in given]
    problems = problems or [*book.problems, *vocabulary.problems]
    if as_json:
        output.put_json(
            {
                "rules": len(book.rules), "channels": len(book.titles), "words": len(vocabulary.terms),
                "problems": [{"file": one.file, "line": one.line, "sentence": one.sentence()} for one in problems],
            }
        )  # fmt: skip
    else:
        for one in problems:
            typer.echo(one.sentence(), err=True)
        if not problems:
            typer.echo(
                _("%(rules)s rules of %(channels)s channels and laws, %(words)s words: nothing is wrong.")
                % {"rules": len(book.rules), "channels": len(book.titles), "words": len(vocabulary.terms)}
            )
    if problems:
        raise typer.Exit(1)


@app.command("take")
def take(
    files: list[Path] = typer.Argument(help="Your own files of rules; one of the same name as daifa's replaces it."),
    on: str = typer.Option("", "--on", help="The day it counts from; tomorrow where left out."),
    as_json: bool = output.AS_JSON,
):
    """Put in your own files of rules. What they change for each store is shown; they count from their day on."""
    from daifa.domain.policy import commands, queries
    from daifa.flows import watch_rules

    with output.sentences():
        taken = commands.take_book(
            own={**queries.own_files(), **_contents(files)}, by=output.actor(), at=clock.now(),
            takes_effect_on=output.day(on, _today() + timedelta(days=commands.DAYS_TO_LOOK)) if on else None,
        )  # fmt: skip
    if taken.problems:
        for one in taken.problems:
            typer.echo(one.sentence(), err=True)
        output.fail(_("Nothing was taken: the last good rule book goes on counting."))
    watch_rules.watch_rules(at=clock.now(), by=output.actor())
    effects = _effects(taken.book.takes_effect_on) if taken.is_new else {}
    if as_json:
        output.put_json(
            {
                "version": taken.book.pk, "is_new": taken.is_new, "takes_effect_on": taken.book.takes_effect_on,
                "stores": {code: [_effect_told(one) for one in found] for code, found in effects.items()},
            }
        )  # fmt: skip
    elif taken.is_new:
        typer.echo(_("Version %(id)s of the rule book counts from %(day)s.") % {"id": taken.book.pk, "day": taken.book.takes_effect_on or "–"})
        _say_effects(effects)
    else:
        typer.echo(_("These files are in use already; nothing changes."))


@app.command("drop")
def drop(file: str = typer.Argument(help="Name of one of your own files."), as_json: bool = output.AS_JSON):
    """Use one of your own files of rules no more; daifa's file of that name counts again from tomorrow."""
    from daifa.domain.policy import commands
    from daifa.flows import watch_rules

    with output.sentences():
        taken = commands.drop_own_file(name=file, by=output.actor(), at=clock.now())
    if taken.book is None or taken.problems:
        output.fail(_("Nothing was taken: the last good rule book goes on counting."))
    watch_rules.watch_rules(at=clock.now(), by=output.actor())
    effects = _effects(taken.book.takes_effect_on)
    if as_json:
        output.put_json(
            {
                "version": taken.book.pk, "is_new": taken.is_new, "takes_effect_on": taken.book.takes_effect_on,
                "stores": {code: [_effect_told(one) for one in found] for code, found in effects.items()},
            }
        )  # fmt: skip
    else:
        typer.echo(_("Version %(id)s of the rule book counts from %(day)s.") % {"id": taken.book.pk, "day": taken.book.takes_effect_on or "–"})
        _say_effects(effects)


def _effects(day: date | None, rule: str = "") -> dict[str, list[Any]]:
    """What changes from that day on, for each store: code → effects; only stores for which something changes."""
    from daifa.flows import foresee_rules, watch_rules

    if day is None:
        return {}
    now, before = clock.now(), day - timedelta(days=1)
    found = {}
    for store in watch_rules.living_stores():
        changes = [one for one in watch_rules.changes_for(store, on=before) if rule in ("", one.rule_id)]
        if changes:
            found[store.code] = foresee_rules.effects_of(changes, store, at=now)
    return found


def _effect_told(effect: Any) -> dict[str, Any]:
    from daifa.domain.policy import telling
    from daifa.flows import foresee_rules

    return {
        "rule": effect.change.rule_id, "on": effect.change.on,
        "changes": [{"field": name, "before": before, "after": after} for name, before, after in telling.change_words(effect.change)],
        **foresee_rules.as_data(effect),
    }  # fmt: skip


def _say_effects(effects: dict[str, list[Any]]) -> None:
    from daifa.domain.policy import telling

    if not effects:
        typer.echo(_("Nothing changes for any store."))
        return
    for code, found in effects.items():
        typer.echo(f"{code}:")
        for effect in found:
            words = joined("; ", (f"{name}: {before or '–'} → {after or '–'}" for name, before, after in telling.change_words(effect.change)), chinese="；")
            typer.echo(f"  {effect.change.rule_id} · {effect.change.on} · {words}")
            for sentence in effect.sentences():
                typer.echo(f"    {sentence}")
    typer.echo(_("What has begun keeps the text it began under; “would” is as if it had begun under the new one."))


@app.command("list")
def list_(
    channel: str = typer.Argument("", help="xiaohongshu, amazon, law_cn …; all channels where left out."),
    store: str = STORE,
    on: str = ON,
    as_json: bool = output.AS_JSON,
):
    """List the rules in force."""
    from daifa.domain.policy import queries, telling

    found = output.store_with(store) if store else None
    day = output.day(on, _today())
    channels = [channel] if channel else (queries.channels_of(found) if found else list(queries.channel_titles()))
    if channel and channel not in queries.channel_titles():
        output.fail(_("There is no channel %(name)s. There are: %(known)s.") % {"name": channel, "known": listed(queries.channel_titles())})
    rules = [rule for name in channels for rule in queries.rules(name, on=day, store_id=found.pk if found else None)]
    output.show(
        [_told(rule) for rule in rules] if as_json else rules,
        as_json,
        (_("rule"), _("kind"), _("metric"), _("line"), _("acts"), _("date of the text"), _("re-check")),
        lambda rule: (
            rule.id, telling.kind(rule.kind), telling.metric(rule.metric), telling.whole_line(rule), telling.acts(rule),
            rule.as_of or "", _("due") if rule.recheck else "",
        ),
    )  # fmt: skip


def _told(rule: Any) -> dict[str, Any]:
    told = {name: value for name, value in asdict(rule).items() if name not in ("verdict", "recheck")}
    for name in ("consequence", "note"):
        words = getattr(rule, name)
        told[name] = {"zh": words.zh, "en": words.en}
    told["gate"] = rule.gate._asdict() if rule.gate else None
    told["applies_when"] = rule.applies_when._asdict() if rule.applies_when else None
    return {**told, "acts": rule.acts, "why_not": rule.why_not, "verdict": rule.verdict, "recheck_due": rule.recheck}


@app.command("explain")
def explain(rule: str = typer.Argument(help="Id of a rule."), store: str = STORE, on: str = ON, as_json: bool = output.AS_JSON):
    """One rule: what triggers it, where it was read, whether it acts and why, and the owner's word about it."""
    from daifa.domain.policy import queries, telling

    found = output.store_with(store) if store else None
    try:
        one = queries.rule(rule, on=output.day(on, _today()), store_id=found.pk if found else None)
    except KeyError:
        from difflib import get_close_matches

        near = get_close_matches(rule, list(queries.in_force(on=_today())), 3)
        output.fail(
            _("There is no rule %(id)s. Did you mean %(near)s?") % {"id": rule, "near": listed(near)}
            if near
            else _("There is no rule %(id)s.") % {"id": rule}
        )
    if as_json:
        coming = [
            {"on": change.on, "changes": [{"field": name, "before": before, "after": after} for name, before, after in telling.change_words(change)]}
            for change in _coming(rule, output.day(on, _today()), found)
        ]
        output.put_json({**_told(one), "will_change": coming})
        return
    titles = queries.channel_titles()
    typer.echo(f"{one.id} · {telling.channel(one.channel, titles)} · {telling.kind(one.kind)}")
    for label, value in (
        (_("metric"), f"{telling.metric(one.metric)} ({one.metric})"),
        (_("line"), telling.whole_line(one)),
        (_("what follows"), str(one.consequence)),
        (_("note"), str(one.note)),
        (_("in force from"), one.effective),
        (_("source"), one.source),
        (_("kind of source"), telling.source_kind(one)),
        (_("date of the text"), one.as_of or _("none")),
        (_("read on"), one.read_on),
        (_("confidence"), telling.confidence(one)),
        (_("status"), telling.status(one)),
        (_("counts as"), telling.acts(one)),
        (_("why"), one.why_not),
        (_("re-check"), _("due: its text is older than 180 days") if one.recheck else ""),
    ):
        if value:
            typer.echo(f"  {label}: {value}")
    for word in one.overrides:
        said = listed(word.changes) or _("confirmed")
        typer.echo(f"  {_('override')} {word.id}: {said} · {word.by} · {word.on} · {word.reason}")
    for change in _coming(rule, output.day(on, _today()), found):
        words = joined("; ", (f"{name}: {before or '–'} → {after or '–'}" for name, before, after in telling.change_words(change)), chinese="；")
        typer.echo(f"  {_('will change')} {change.on}: {words}")


def _coming(rule: str, day: date, store: Any) -> list[Any]:
    """What is announced to change in a rule after that day."""
    from daifa.domain.policy import queries

    return [one for one in queries.announced(on=day, store_id=store.pk if store else None) if one.rule_id == rule]


@app.command("override")
def override(
    rule: str = typer.Argument(help="Id of a rule."),
    reason: str = typer.Option(..., help="What you read, and where."),
    changes: list[str] = typer.Option([], "--set", help="field=value, as in a file: --set threshold=5. None = confirmed as it stands."),
    store: str = STORE,
    since: str = typer.Option("", "--from", help="First day; today where left out."),
    until: str = typer.Option("", help="Last day; open where left out."),
    as_json: bool = output.AS_JSON,
):
    """The owner's word about a rule: confirm it, or say what reads otherwise. Kept beside the files, with name and date."""
    from daifa.domain.policy.commands import NewOverride
    from daifa.flows.put_right import override_rules

    said = dict(one.partition("=")[::2] for one in changes)
    found = output.store_with(store) if store else None
    row = NewOverride(
        rule, reason, output.day(since, _today()), {name.strip(): value for name, value in said.items()},
        found.pk if found else None, output.day(until, _today()) if until else None,
    )  # fmt: skip
    with output.sentences():
        done, _routed = override_rules([row], by=output.actor(), at=clock.now())
    if done.refused:
        output.fail(done.refused[0])
    effects = _effects(_today() + timedelta(days=1), rule) if said else {}
    if as_json:
        output.put_json({"override": done.ids[0], "stores": {code: [_effect_told(one) for one in those] for code, those in effects.items()}})
    else:
        typer.echo(_("Override %(id)s of %(rule)s is stored.") % {"id": done.ids[0], "rule": rule})
        if effects:
            _say_effects(effects)


@app.command("withdraw")
def withdraw(override: int = typer.Argument(help="Number of an override, as `explain` shows it."), as_json: bool = output.AS_JSON):
    """An override counts no more; it stays to be read."""
    from daifa.domain.policy.commands import withdraw_overrides

    count = withdraw_overrides([override], by=output.actor(), at=clock.now())
    if not count:
        output.fail(_("There is no override %(id)s that counts.") % {"id": override})
    if as_json:
        output.put_json({"withdrawn": override})
    else:
        typer.echo(_("Override %(id)s is withdrawn.") % {"id": override})


@app.command("changes")
def changes(store: str = STORE, as_json: bool = output.AS_JSON):
    """What is going to change, by day: new versions, announced dates, overrides that begin or end; for a store also what it would mean."""
    from daifa.domain.policy import queries, telling
    from daifa.flows import foresee_rules, watch_rules

    if store:
        found = output.store_with(store)
        effects = foresee_rules.effects_of(watch_rules.changes_for(found, on=_today()), found, at=clock.now())
        if as_json:
            output.put_json(
                [
                    {"on": one.change.on, "rule": one.change.rule_id, "field": name, "before": before, "after": after, **foresee_rules.as_data(one)}
                    for one in effects
                    for name, before, after in telling.change_words(one.change)
                ]
            )  # fmt: skip
        else:
            _say_effects({found.code: effects} if effects else {})
        return
    rows = [
        {"on": one.on, "rule": one.rule_id, "field": name, "before": before, "after": after}
        for one in queries.announced(on=_today())
        for name, before, after in telling.change_words(one)
    ]
    output.show(
        rows, as_json, (_("day"), _("rule"), _("field"), _("before"), _("after")),
        lambda row: (row["on"], row["rule"], row["field"], row["before"], row["after"]),
    )  # fmt: skip


@app.command("words")
def words_(
    text: list[str] = typer.Argument(help="Texts; with --file each line of a file."),
    from_file: bool = typer.Option(False, "--file", help="The arguments are files: each line is a text."),
    own_site: bool = typer.Option(False, "--own-site", help="For an own site: nobody is led off a platform there."),
    as_json: bool = output.AS_JSON,
):
    """Find restricted words, goods and brands in texts; exit code 1 if one must be changed before publishing."""
    from daifa.domain.policy import queries
    from daifa.domain.policy.words import category_word

    texts = text
    if from_file:
        with output.sentences():
            texts = [line for name in text for line in Path(name).read_text(encoding="utf-8", errors="replace").splitlines()]
    found = queries.screen(texts, lists=("terms", "categories", "brands"), own_site=own_site)
    rows = [
        {"text": place + 1, "term": hit.term, "category": hit.category, "severity": hit.severity, "start": hit.start,
         "end": hit.end, "basis": list(hit.basis), "note": str(hit.note)}
        for place, hits in enumerate(found)
        for hit in hits
    ]  # fmt: skip
    output.show(
        rows, as_json, (_("text"), _("word"), _("category"), _("severity"), _("note")),
        lambda row: (row["text"], row["term"], category_word(row["category"]), row["severity"], row["note"]),
    )  # fmt: skip
    if any(row["severity"] == "block" for row in rows):
        raise typer.Exit(1)


@app.command("own-words")
def own_words(
    term: str = typer.Argument("", help="A word to add; without one the list is shown."),
    severity: str = typer.Option("review", help="block, review, hint, or allow: a word of the lists you may use."),
    reason: str = typer.Option("", help="Why it is on your list, or which proof you hold."),
    withdraw: int = typer.Option(0, help="Number of a word that shall count no more."),
    as_json: bool = output.AS_JSON,
):
    """Your own words on top of the lists: show, add, withdraw."""
    from daifa.domain.policy import commands, queries
    from daifa.domain.policy.models import OwnWord

    if withdraw and not commands.withdraw_own_words([withdraw], by=output.actor(), at=clock.now()):
        output.fail(_("There is no own word %(id)s that counts.") % {"id": withdraw})
    if term and (refused := commands.add_own_words([(term, severity, reason)], by=output.actor(), at=clock.now())):
        output.fail(refused[0])
    words = queries.own_words()
    output.show(
        [{"id": one.pk, "term": one.term, "severity": one.severity, "reason": one.reason, "by": one.by, "at": one.at} for one in words],
        as_json,
        (_("id"), _("word"), _("severity"), _("reason")),
        lambda one: (one["id"], one["term"], output.word(OwnWord.SEVERITIES, one["severity"]), one["reason"]),
    )
