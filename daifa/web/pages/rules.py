"""The rule book: what platforms and laws ask of the stores, whether daifa acts on it, what is going to change; words found in texts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from daifa.domain.policy import book as books
from daifa.domain.policy import commands, queries, rules, telling
from daifa.domain.policy.models import OwnWord, RuleOverride, TextFinding
from daifa.domain.policy.words import SEVERITIES, category_word
from daifa.domain.stores.models import Store
from daifa.flows import foresee_rules, put_right, screen_texts, watch_rules
from daifa.lib.sentences import joined
from daifa.web.kit import (
    ActionButton,
    Badge,
    Choice,
    Column,
    DetailPage,
    EmptyPanel,
    Fact,
    FactsPanel,
    FormPage,
    Kpi,
    KpiPanel,
    LinkButton,
    ListPage,
    NotePanel,
    PanelPage,
    Refused,
    TablePanel,
    after,
    page,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import word_lists

# --- The rules of a channel -------------------------------------------------------------------------------------


def _store(scope) -> Store | None:
    """The store that is looked at: the chosen one, or the only one there is."""
    return scope.current or (scope.stores[0] if len(scope.stores) == 1 else None)


def _on(scope):
    return scope.at.astimezone(scope.zone()).date()


def _channels_in_use(scope) -> list[str]:
    """The channels and laws the visible stores live under; without a store on a channel of the book, all."""
    stores = [scope.current] if scope.current else scope.stores
    return list(dict.fromkeys(name for store in stores for name in queries.channels_of(store))) or list(queries.channel_titles())


def _channel_choices(scope) -> list[tuple[str, str]]:
    titles = queries.channel_titles()
    first = _channels_in_use(scope)
    return [(name, str(titles[name])) for name in [*first, *sorted(set(titles) - set(first))]]


def _rows(scope, filters, cursor, limit):
    store = _store(scope)
    known = queries.in_force(on=_on(scope), store_id=store.pk if store else None)
    channels = [filters["channel"]] if filters.get("channel") else _channels_in_use(scope)
    wanted = (filters.get("q") or "").casefold()

    def fits(rule) -> bool:
        if rule.channel not in channels or (filters.get("kind") and rule.kind != filters["kind"]):
            return False
        if (state := filters.get("state")) and not {"acts": rule.acts, "informs": not rule.acts, "recheck": rule.recheck}[state]:
            return False
        said = " ".join((rule.id, rule.metric, telling.metric(rule.metric), *rule.consequence, *rule.note)).casefold()
        return wanted in said

    place = {name: number for number, name in enumerate(channels)}
    found = sorted((rule for rule in known.values() if fits(rule)), key=lambda rule: place[rule.channel])
    return found[:limit]


def _acts(rule) -> Badge:
    return Badge(telling.acts(rule), "success" if rule.acts else "muted", rule.why_not)


def _recheck(rule) -> list[Badge]:
    badges = [Badge(_("re-check"), "warning", _("Its text is older than 180 days."))] if rule.recheck else []
    return [*badges, *([Badge(_("owner's word"), "info")] if rule.overrides else [])]


def _over_the_list(scope, filters):
    store, on = _store(scope), _on(scope)
    stores = [store] if store else scope.stores
    coming = [change for one in stores for change in watch_rules.changes_for(one, on=on)]
    found = _rows(scope, filters, None, 10_000)
    panels: list[Any] = []
    if coming:
        panels.append(
            NotePanel(
                ngettext("%(n)d rule changes, on %(day)s at the earliest.", "%(n)d rules change, the first on %(day)s.", len(coming))
                % {"n": len(coming), "day": coming[0].on},
                tone="warning",
                actions=[LinkButton(_("What will change"), reverse("web:rules_changes"), "calendar-due")],
            )
        )  # fmt: skip
    acting = sum(rule.acts for rule in found)
    panels.append(
        KpiPanel(
            [
                Kpi(_("Rules"), fmt.quantity_text(len(found)), icon="list"),
                Kpi(_("act"), fmt.quantity_text(acting), _("may count, warn and hold"), icon="circle-check"),
                Kpi(_("inform"), fmt.quantity_text(len(found) - acting), _("are shown only; each says why"), icon="info-circle"),
                Kpi(_("to re-check"), fmt.quantity_text(sum(rule.recheck for rule in found)), _("texts older than 180 days"), icon="refresh"),
            ]
        )
    )
    return panels


RULES = ListPage(
    title=_("Rule book"),
    intro=_("What platforms and laws ask, with source, date and confidence. A line says what triggers the rule. It is no legal advice."),
    search=_("Words of a rule, its id, a metric"),
    order=("id",),
    limit=400,
    group=lambda rule: telling.channel(rule.channel, queries.channel_titles()),
    rows=_rows,
    columns=[
        Column("consequence", _("What follows"), value=lambda rule: str(rule.consequence), link=True, hint=lambda rule: str(rule.note), wrap=True),
        Column("metric", _("Metric"), value=lambda rule: telling.metric(rule.metric), hint=lambda rule: telling.kind(rule.kind), wrap=True),
        Column("line", _("Line"), value=telling.whole_line, wrap=True),
        Column("acts", _("Acts"), "badge", value=_acts),
        Column("as_of", _("Date of the text"), "code", value=lambda rule: rule.as_of or "", phone=False),
        Column("confidence", _("Confidence"), value=telling.confidence, phone=False),
        Column("recheck", "", "badges", value=_recheck, export=False, phone=False),
    ],
    filters=[
        Choice("channel", _("Channel"), _channel_choices, all_label=_("of my stores")),
        Choice("kind", _("Kind"), lambda scope: [(code, telling.kind(code)) for code in rules.KINDS]),
        Choice("state", _("Acts"), [("acts", _("acts")), ("informs", _("informs")), ("recheck", _("to re-check"))], tabs=True),
    ],
    row_url=lambda rule: reverse("web:rule", args=[rule.id]),
    actions=lambda scope: [
        LinkButton(_("What will change"), reverse("web:rules_changes"), "calendar-due"),
        LinkButton(_("Words found in texts"), reverse("web:findings"), "search"),
    ],
    panels=_over_the_list,
    empty=EmptyPanel(_("No rule fits"), _("Take a filter off, or choose another channel."), icon="list"),
    export="rules",
)  # fmt: skip

# --- One rule ---------------------------------------------------------------------------------------------------


def _rule(scope, rule_id: str):
    store = _store(scope)
    try:
        return queries.rule(rule_id, on=_on(scope), store_id=store.pk if store else None)
    except KeyError:
        return None


def _is_address(text: str) -> bool:
    return text.startswith(("https://", "http://"))


def _rule_panels(rule, scope):
    on = _on(scope)
    panels: list[Any] = []
    if not rule.acts:
        panels.append(NotePanel(rule.why_not, tone="info", title=_("It informs, and does not act")))
    if rule.recheck:
        panels.append(
            NotePanel(_("Its text is older than 180 days: compare it with its source, then confirm it or enter what reads otherwise."), tone="warning")
        )
    panels.append(
        FactsPanel(
            _("Where it was read"),
            [
                Fact(_("Source"), rule.source, url=rule.source if _is_address(rule.source) else None),
                Fact(_("Kind of source"), telling.source_kind(rule)),
                Fact(_("Second source"), rule.cross_check or ""),
                Fact(_("Copy read"), rule.mirror or ""),
                Fact(_("Date of the text"), rule.as_of or _("none")),
                Fact(_("Read on"), rule.read_on, "date"),
                Fact(_("Confidence"), telling.confidence(rule)),
                Fact(_("Status"), telling.status(rule)),
            ],
        )
    )
    panels.append(_for_stores(rule, scope))
    coming = [one for one in queries.announced(on=on, store_id=_store_id(scope)) if one.rule_id == rule.id]
    if coming:
        panels.append(_changes_table(_("What will change"), coming, None))
    words = [one for one in queries.overrides_of(rule.id) if one.store_id is None or one.store_id in scope.all_store_ids]
    names = fmt.actor_names(one.by for one in words)
    panels.append(
        TablePanel(
            _("The owner's word"),
            [
                Column("at", _("Said"), "datetime", hint=lambda one: names.get(one.by, "")),
                Column("store", _("Store"), value=lambda one: one.store.name if one.store else _("all stores")),
                Column("changes", _("What reads otherwise"), value=_override_words, wrap=True),
                Column("reason", _("Reason"), wrap=True),
                Column("valid_from", _("From"), "date", phone=False),
                Column("valid_until", _("Until"), "date", phone=False),
                Column("state", _("State"), "badge", value=lambda one: _override_state(one, on)),
            ],
            words,
            empty=_("Nothing was said about it: it counts as it stands in the file."),
            note=_("Kept beside the files, never in them; what is withdrawn stays to be read."),
        )
    )
    return panels


def _store_id(scope) -> int | None:
    store = _store(scope)
    return store.pk if store else None


def _override_words(one: RuleOverride) -> str:
    if not one.changes:
        return _("confirmed as it stands")
    return joined("; ", (f"{telling.field(name)}: {value if value is not None else '–'}" for name, value in one.changes.items()), chinese="；")


def _override_state(one: RuleOverride, on) -> Badge:
    if one.withdrawn_at:
        return Badge(_("withdrawn"), "muted")
    if one.valid_from > on:
        return Badge(_("not yet valid"), "info")
    if one.valid_until and one.valid_until < on:
        return Badge(_("ended"), "muted")
    return Badge(_("valid"), "success")


def _for_stores(rule, scope) -> TablePanel:
    """What the rule means for each store it concerns: the line there, and whether it acts there."""
    on = _on(scope)
    rows = []
    for store in scope.stores:
        if rule.channel in queries.channels_of(store):
            there = queries.rule(rule.id, on=on, store_id=store.pk)
            clocks, now = watch_rules.clocks_on(rule, store), watch_rules.stands_at(rule, store)
            rows.append(
                {
                    "store_id": store.pk, "line": telling.whole_line(there), "acts": _acts(there), "why": there.why_not,
                    "clocks": clocks, "now": "" if now is None else telling.measured(now, rule.unit),
                }
            )  # fmt: skip
    return TablePanel(
        _("What it means for your stores"),
        [
            Column("store_id", _("Store"), "store"),
            Column("line", _("Line there"), wrap=True),
            Column("now", _("Where you stand")),
            Column("clocks", _("Running clocks"), "quantity"),
            Column("acts", _("Acts"), "badge"),
            Column("why", _("Why it only informs"), wrap=True, phone=False),
        ],
        rows,
        empty=_("None of your stores is on this channel or under this law."),
    )


RULE = DetailPage(
    load=_rule,
    store_id=None,
    title=lambda rule, scope: str(rule.consequence),
    pretitle=lambda rule, scope: f"{telling.channel(rule.channel, queries.channel_titles())} · {rule.id}",
    back=(_("Rule book"), lambda: reverse("web:rules")),
    badges=lambda rule, scope: [_acts(rule), *_recheck(rule)],
    actions=lambda rule, scope: [
        LinkButton(_("Confirm or override"), reverse("web:rule_override", args=[rule.id]), "pencil", "primary", reason=_why_not_override(scope)),
    ],
    facts=lambda rule, scope: [
        Fact(_("Kind"), telling.kind(rule.kind)),
        Fact(_("Metric"), telling.metric(rule.metric), hint=rule.metric),
        Fact(_("Amount or figure") if rule.comparison == "value" else _("What triggers it"), telling.whole_line(rule)),
        Fact(_("Note"), str(rule.note)),
        Fact(_("In force from"), rule.effective, "date"),
    ],
    panels=_rule_panels,
)  # fmt: skip


def _why_not_override(scope):
    return scope.why_not("own", scope.current.pk) if scope.current else scope.why_not_shared("own")


def _override_form(scope, rule):
    stores = [("", _("all stores"))] if scope.may_shared("own") else []
    stores += [(str(one.pk), one.name) for one in scope.stores if scope.may("own", one.pk)]

    class OverrideForm(forms.Form):
        store = forms.ChoiceField(label=_("Counts for"), choices=stores, required=False)
        reason = forms.CharField(
            label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}),
            help_text=_("What you read, and where. With nothing else filled in, this confirms the rule as it stands."),
        )
        threshold = forms.CharField(label=_("Line"), max_length=60, required=False, help_text=_("A figure, or two as [7, 20]; empty leaves it."))
        window_days = forms.CharField(label=_("Window in days"), max_length=10, required=False)
        floor = forms.CharField(label=_("At least"), max_length=20, required=False)
        cap = forms.CharField(label=_("At most"), max_length=20, required=False)
        effective = forms.CharField(label=_("In force from"), max_length=10, required=False, help_text=_("As 2026-03-09, when the platform announced a day."))
        source = forms.CharField(label=_("Source you read"), max_length=300, required=False)
        source_kind = forms.ChoiceField(
            label=_("Kind of source"), required=False, choices=[("", _("as it stands")), *((code, _(word)) for code, word in rules.SOURCE_KINDS.items())]
        )
        as_of = forms.CharField(label=_("Date of the text"), max_length=10, required=False, help_text=_("As 2026-03-09, 2026-03 or 2026."))
        confidence = forms.ChoiceField(
            label=_("Confidence"), required=False, choices=[("", _("as it stands")), *((code, _(word)) for code, word in rules.CONFIDENCES.items())]
        )
        valid_from = forms.DateField(label=_("Counts from"), initial=_on(scope), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
        valid_until = forms.DateField(label=_("Counts until"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))

    return OverrideForm


OVERRIDABLE = ("threshold", "window_days", "floor", "cap", "effective", "source", "source_kind", "as_of", "confidence")


def _save_override(scope, rule, data, *, by, at):
    store = int(data["store"]) if data["store"] else None
    if (why := scope.why_not("own", store) if store else scope.why_not_shared("own")):
        raise PermissionDenied(str(why))
    changes = {name: data[name].strip() for name in OVERRIDABLE if data[name].strip()}
    if changes.get("confidence") and changes.get("source") and rule.status:
        changes["status"] = ""  # a text was read: the mark of the file is settled by it
    row = commands.NewOverride(rule.id, data["reason"], data["valid_from"], changes, store, data["valid_until"])
    done, _routed = put_right.override_rules([row], by=by, at=at)
    if done.refused:
        raise Refused(done.refused[0])
    return reverse("web:rule", args=[rule.id])


OVERRIDE = FormPage(
    title=lambda rule, scope: _("Your word about %(id)s") % {"id": rule.id},
    pretitle=lambda rule, scope: str(rule.consequence),
    form=_override_form,
    load=_rule,
    store_id=None,
    needs="own",
    save=_save_override,
    success=_("Stored, with your name and the day."),
    submit=_("Save"),
    intro=_("Fill in only what reads otherwise than in the file. The file stays as it is."),
    back=lambda rule: (rule.id, reverse("web:rule", args=[rule.id])),
    panels=lambda scope, rule: [
        FactsPanel(
            _("As it counts now"),
            [
                Fact(_("Amount or figure") if rule.comparison == "value" else _("What triggers it"), telling.whole_line(rule)),
                Fact(_("Note"), str(rule.note)),
                Fact(_("Source"), rule.source, url=rule.source if _is_address(rule.source) else None),
                Fact(_("Date of the text"), rule.as_of or _("none")),
                Fact(_("Counts as"), telling.acts(rule)),
                Fact(_("Why it only informs"), rule.why_not),
            ],
        ),
        *_withdrawable(scope, rule),
    ],
)  # fmt: skip


def _withdrawable(scope, rule) -> list[NotePanel]:
    """Each word that still counts, with the button that takes it back."""
    return [
        NotePanel(
            f"{_override_words(one)} · {one.reason}",
            title=_("Said on %(day)s for %(store)s") % {"day": one.at.date(), "store": one.store.name if one.store else _("all stores")},
            actions=[
                ActionButton(_("Withdraw"), reverse("web:rule_withdraw", args=[one.pk]), "arrow-back-up", confirm=_("Take this word back?"))
            ],
        )
        for one in queries.overrides_of(rule.id)
        if one.withdrawn_at is None and (one.store_id is None or one.store_id in scope.all_store_ids)
    ]


@page("own", methods=("POST",))
def withdraw(request, scope, pk: int):
    word = RuleOverride.objects.filter(pk=pk).first()
    if word is None:
        raise Http404
    if word.store_id is None:
        scope.require_shared("own")
    else:
        scope.whole.require(word.store_id, "own")
    count = commands.withdraw_overrides([pk], by=scope.by, at=scope.at)
    return after(request, reverse("web:rule", args=[word.rule_id]), _("Withdrawn.") if count else None,
                 refused=[] if count else [_("It was withdrawn before.")])  # fmt: skip


# --- What will change -------------------------------------------------------------------------------------------


def _changes_table(title, changes, store: Store | None, at=None) -> TablePanel:
    rows = []
    effects = foresee_rules.effects_of(changes, store, at=at) if store else [None] * len(changes)
    for change, effect in zip(changes, effects, strict=True):
        for number, (name, before, behind) in enumerate(telling.change_words(change)):
            rows.append(
                {
                    "on": change.on, "rule": str(change.rule.consequence), "id": change.rule_id, "field": name, "before": before,
                    "after": behind,
                    "means": foresee_rules.means(effect) if effect and not number else "",
                }
            )  # fmt: skip
    return TablePanel(
        title,
        [
            Column("on", _("Counts from"), "date"),
            Column("rule", _("Rule"), hint="id", link=True, wrap=True),
            Column("field", _("What")),
            Column("before", _("Before"), wrap=True),
            Column("after", _("From then on"), wrap=True),
            *([Column("means", _("What it would mean now"), wrap=True)] if any(row["means"] for row in rows) else []),
        ],
        rows,
        row_url=lambda row: reverse("web:rule", args=[row["id"]]),
        empty=_("Nothing is announced."),
        note=_("What has begun keeps the text it began under; “would” is as if it had begun under the new one.")
        if any(row["means"] for row in rows) else "",
    )  # fmt: skip


def _changes_panels(request, scope):
    on = _on(scope)
    stores = [scope.current] if scope.current else scope.stores
    panels: list[Any] = []
    for store in stores:
        changes = watch_rules.changes_for(store, on=on)
        if changes or len(stores) == 1:
            panels.append(_changes_table(store.name, changes, store, scope.at))
    if not panels:
        panels.append(EmptyPanel(_("Nothing is announced"), _("A new file of rules, an announced day or your own word shows here before it counts."), icon="calendar-due"))
    return [*_file_problems(), *panels, *_own_files(scope), *_versions(scope, on)]


def _own_files(scope) -> list[NotePanel]:
    """Each file of the owner's own, with the way back to daifa's; one that daifa has renewed since says so."""
    overtaken, why = queries.overtaken_files(), scope.why_not_shared("own")
    return [
        NotePanel(
            _("daifa brings a newer text of it: compare both, then keep yours or use daifa's.") if name in overtaken
            else _("It counts instead of daifa's file of that name, or beside it."),
            title=_("Own file %(file)s") % {"file": name},
            tone="warning" if name in overtaken else "info",
            actions=[
                *([ActionButton(_("Keep mine"), reverse("web:rules_own_file", args=["keep"]), "check", fields={"file": name}, reason=why)]
                  if name in overtaken else []),
                ActionButton(_("Use daifa's"), reverse("web:rules_own_file", args=["drop"]), "arrow-back-up", fields={"file": name}, reason=why,
                             confirm=_("Shall your own file count no more, from tomorrow on?")),
            ],
        )
        for name in queries.own_files()
    ]  # fmt: skip


def _file_problems() -> list[NotePanel]:
    """What is wrong with the files that came with the program, while the last good book goes on counting."""
    found = books.read_book({**books.shipped_files(), **(own := queries.own_files())}, own=own).problems
    if not found:
        return []
    return [
        NotePanel(" ".join(problem.sentence() for problem in found[:5]), tone="danger", title=_("A file of rules was refused; the last good rule book goes on counting"))
    ]


def _versions(scope, on) -> list[Any]:
    current = queries.current_version(on=on)
    why = scope.why_not_shared("own")
    waiting = [one for one in queries.versions() if one.withdrawn_at is None and one.takes_effect_on and one.takes_effect_on > on]
    panels: list[Any] = [
        NotePanel(
            _("Version %(id)s with %(rules)s rules counts from %(day)s.")
            % {"id": one.pk, "rules": one.rule_count, "day": one.takes_effect_on},
            title=_("A version of the rule book waits"),
            tone="info",
            actions=[
                ActionButton(_("From today"), reverse("web:rules_book", args=[one.pk, "now"]), "check", "primary", reason=why,
                             confirm=_("Shall this version count from today on?")),
                ActionButton(_("Do not use it"), reverse("web:rules_book", args=[one.pk, "withdraw"]), "ban", "danger", reason=why,
                             confirm=_("Shall this version never count?")),
            ],
        )
        for one in waiting
    ]  # fmt: skip

    def state(one) -> Badge:
        if one.withdrawn_at:
            return Badge(_("withdrawn"), "muted")
        if current and one.pk == current.pk:
            return Badge(_("counts"), "success")
        return Badge(_("not yet valid"), "info") if one in waiting else Badge(_("older"), "muted")

    names = fmt.actor_names(one.by for one in queries.versions())
    panels.append(
        TablePanel(
            _("Versions of the rule book"),
            [
                Column("pk", _("Version"), "code"),
                Column("at", _("Read"), "datetime", hint=lambda one: names.get(one.by, "")),
                Column("rule_count", _("Rules"), "quantity"),
                Column("takes_effect_on", _("Counts from"), "date"),
                Column("state", _("State"), "badge", value=state),
                Column("digest", _("Fingerprint"), "code", value=lambda one: one.digest[:12], phone=False),
            ],
            queries.versions()[:20],
            empty=_("The rules that came with daifa count; they are stored with the next look."),
            note=_("Times are those of %(zone)s.") % {"zone": scope.zone().key},
        )
    )
    return panels


CHANGES = PanelPage(
    title=_("What will change"),
    intro=_("Announced days, new files and your own words, each before it counts. Platforms in China announce a change seven days ahead."),
    panels=_changes_panels,
    actions=lambda scope: [
        LinkButton(_("Rule book"), reverse("web:rules"), "arrow-left"),
        LinkButton(_("Put in a file"), reverse("web:rules_file"), "upload", reason=scope.why_not_shared("own")),
    ],
)


@page("own", methods=("POST",))
def book(request, scope, pk: int, what: str):
    scope.require_shared("own")
    here = reverse("web:rules_changes")
    try:
        if what == "now":
            commands.move_book(book_id=pk, takes_effect_on=scope.at.date(), by=scope.by, at=scope.at)
        elif what == "withdraw":
            commands.withdraw_book(book_id=pk, by=scope.by, at=scope.at)
        else:
            raise Http404
    except Refused as refused:
        return after(request, here, None, refused=[refused.sentence])
    return after(request, here, _("Done."))


class FileForm(forms.Form):
    files = forms.FileField(label=_("File of rules"), widget=forms.ClearableFileInput(attrs={"accept": ".yaml"}),
                            help_text=_("Named after its channel, as xiaohongshu.yaml; it replaces the file of that name."))  # fmt: skip
    day = forms.DateField(label=_("Counts from"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
                          help_text=_("Tomorrow, if left empty: what it changes can be seen before."))  # fmt: skip


def _take(scope, thing, data, *, by, at):
    scope.require_shared("own")
    file = data["files"]
    own = {**queries.own_files(), file.name: file.read(books.MOST_BYTES + 1)}
    taken = commands.take_book(own=own, by=by, at=at, takes_effect_on=data["day"])
    if taken.problems:
        more = len(taken.problems) - 5
        shown = [problem.sentence() for problem in taken.problems[:5]] + ([_("… and %(n)d more.") % {"n": more}] if more > 0 else [])
        raise Refused(" ".join([*shown, str(_("Nothing was taken: the last good rule book goes on counting."))]), field="files")
    if not taken.is_new:
        raise Refused(_("These files are in use already; nothing changes."), field="files")
    watch_rules.watch_rules(at=at, by=by)
    return reverse("web:rules_changes")


FILE = FormPage(
    title=_("Put in a file of rules"),
    form=FileForm,
    needs="own",
    save=_take,
    success=_("Taken. Look at what it will change."),
    submit=_("Put in"),
    intro=_("For a channel whose rules you keep yourself, or a newer text than daifa brings. The file is checked line by line."),
    back=(_("What will change"), lambda: reverse("web:rules_changes")),
)

@page("own", methods=("POST",))
def own_file(request, scope, what: str):
    scope.require_shared("own")
    here, name = reverse("web:rules_changes"), request.POST.get("file", "")[:60]
    try:
        if what == "keep":
            commands.keep_own_file(name=name, by=scope.by, at=scope.at)
        elif what == "drop":
            commands.drop_own_file(name=name, by=scope.by, at=scope.at)
        else:
            raise Http404
    except Refused as refused:
        return after(request, here, None, refused=[refused.sentence])
    watch_rules.watch_rules(at=scope.at, by=scope.by)
    return after(request, here, _("Done."))


# --- Words found in texts ---------------------------------------------------------------------------------------

TONES = {"block": "danger", "review": "warning", "hint": "muted"}


def severity_badge(code: str) -> Badge:
    return Badge(SEVERITIES[code][1 if fmt.is_chinese() else 0], TONES[code])


def _findings(scope, filters, cursor, limit):
    found = queries.findings(scope.store_ids, shared=scope.may_shared("view") or not scope.current, severity=filters.get("severity") or "")
    if filters.get("kind"):
        found = found.filter(kind=filters["kind"])
    if filters.get("q"):
        found = found.filter(name__icontains=filters["q"]) | found.filter(term__icontains=filters["q"])
    return cursor.slice(found, limit)


def _finding_url(row) -> str | None:
    if row.kind == "listing":
        return reverse("web:listing", args=[row.thing])
    if row.kind == "order_note":
        return reverse("web:order", args=[row.thing])
    if row.kind == "template":
        return reverse("web:templates") + (f"?store={row.store_id}" if row.store_id else "?store=all")
    if row.kind == "product":
        return reverse("web:product_words", args=[row.thing])
    return reverse("web:suppliers")


FINDINGS = ListPage(
    title=_("Words found in texts"),
    intro=_("Restricted words, goods and brands in what you publish or send, as of the last look. A finding asks a person to judge."),
    search=_("Name, word"),
    order=("-id",),
    rows=_findings,
    panels=lambda scope, filters: [word_lists.lists_note()],
    columns=[
        Column("name", _("Text of"), link=True, hint=lambda row: f"{row.get_kind_display()} · {screen_texts.field_word(row.field)}", wrap=True),
        Column("term", _("Word")),
        Column("category", _("Why"), value=lambda row: category_word(row.category)),
        Column("severity", _("What to do"), "badge", value=lambda row: severity_badge(row.severity)),
        Column("store_id", _("Store"), "store", when_many_stores=True),
        Column("found_at", _("Found"), "ago", phone=False),
    ],
    filters=[
        Choice("severity", _("What to do"), lambda scope: [(code, SEVERITIES[code][1 if fmt.is_chinese() else 0]) for code in SEVERITIES], tabs=True),
        Choice("kind", _("Kind"), TextFinding.KINDS),
    ],
    row_url=_finding_url,
    actions=lambda scope: [
        LinkButton(_("Own words"), reverse("web:own_words"), "tags", reason=scope.why_not_shared("own")),
        ActionButton(_("Look again"), reverse("web:findings_look"), "refresh", reason=scope.why_not_shared("operate")),
    ],
    empty=EmptyPanel(_("Nothing was found"), _("Titles, descriptions, templates and notes are looked through every hour."), icon="circle-check"),
    export="findings",
)  # fmt: skip


class OwnWordForm(forms.Form):
    term = forms.CharField(label=_("Word"), max_length=80)
    severity = forms.ChoiceField(label=_("What to do"), choices=OwnWord.SEVERITIES)
    reason = forms.CharField(label=_("Reason"), max_length=500, help_text=_("Why it is on your list, or which proof you hold."))


def _own_words_panel(scope):
    words = queries.own_words()
    names = fmt.actor_names(one.by for one in words)
    why = scope.why_not_shared("own")
    table = TablePanel(
        _("Words in use"),
        [
            Column("term", _("Word")),
            Column("severity", _("What to do"), value=lambda one: one.get_severity_display()),
            Column("reason", _("Reason"), wrap=True),
            Column("at", _("Said"), "datetime", hint=lambda one: names.get(one.by, "")),
        ],
        words,
        empty=_("No word of your own yet."),
    )
    takes_back = [
        NotePanel(
            one.term,
            actions=[ActionButton(_("Withdraw"), reverse("web:own_word_withdraw", args=[one.pk]), "arrow-back-up", reason=why,
                                  confirm=_("Take this word back?"))],
        )
        for one in words
    ]  # fmt: skip
    return [table, *takes_back]


def _add_own_word(scope, thing, data, *, by, at):
    scope.require_shared("own")
    refused = commands.add_own_words([(data["term"], data["severity"], data["reason"])], by=by, at=at)
    if refused:
        raise Refused(refused[0])
    screen_texts.screen_texts(at=at, by=by)
    return reverse("web:own_words")


OWN_WORDS = FormPage(
    title=_("Own words"),
    form=OwnWordForm,
    needs="own",
    save=_add_own_word,
    success=_("Stored. Your texts were looked through again."),
    submit=_("Add"),
    intro=_("Words you do not want in your texts, and words of the lists you may use (a brand whose licence you hold)."),
    back=(_("Words found in texts"), lambda: reverse("web:findings")),
    panels=lambda scope, thing: _own_words_panel(scope),
)


@page("own", methods=("POST",))
def withdraw_own_word(request, scope, pk: int):
    scope.require_shared("own")
    count = commands.withdraw_own_words([pk], by=scope.by, at=scope.at)
    return after(request, reverse("web:own_words"), _("Withdrawn.") if count else None, refused=[] if count else [_("It was withdrawn before.")])


@page("operate", methods=("POST",))
def look(request, scope):
    scope.require_shared("operate")
    count = screen_texts.screen_texts(at=scope.at, by=scope.by)
    return after(request, reverse("web:findings"), ngettext("%(n)d word found.", "%(n)d words found.", count) % {"n": count})


urlpatterns = [
    path("rules/", RULES.view, name="rules"),
    path("rules/file/", FILE.view, name="rules_file"),
    path("rules/own-file/<slug:what>/", own_file, name="rules_own_file"),
    path("rules/changes/", CHANGES.view, name="rules_changes"),
    path("rules/book/<int:pk>/<slug:what>/", book, name="rules_book"),
    path("rules/overrides/<int:pk>/withdraw/", withdraw, name="rule_withdraw"),
    path("rules/<slug:rule_id>/", RULE.view, name="rule"),
    path("rules/<slug:rule_id>/override/", OVERRIDE.view, name="rule_override"),
    path("words/", FINDINGS.view, name="findings"),
    path("words/own/", OWN_WORDS.view, name="own_words"),
    path("words/own/<int:pk>/withdraw/", withdraw_own_word, name="own_word_withdraw"),
    path("words/look/", look, name="findings_look"),
]
