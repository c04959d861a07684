"""Buyers' data, for owners: what do we hold on a person, hand it over, erase it; how long it is kept; where it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.policy import queries as policy
from daifa.domain.privacy import commands, queries
from daifa.domain.privacy.models import Retention
from daifa.domain.privacy.places import CLASSES, FOLDERS, HOW, PERSONAL, RULES_OF, WHO, place_word, said
from daifa.flows import privacy
from daifa.flows.export_person import export_person
from daifa.lib.commas import listed
from daifa.lib.sentences import joined
from daifa.web.kit import (
    ActionButton,
    Badge,
    BulkAction,
    Column,
    EmptyPanel,
    FormPage,
    FormPanel,
    LinkButton,
    ListPage,
    NotePanel,
    Panel,
    PanelPage,
    Refused,
    Scope,
    TablePanel,
    after,
    chosen_ids,
    page,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import places
from daifa.web.pages.runs import attachment

SESSION = "daifa_person"
SHOWN = 100


class PersonForm(forms.Form):
    email = forms.CharField(label=gettext_lazy("Mail address"), max_length=254, required=False)
    phone = forms.CharField(label=gettext_lazy("Phone"), max_length=40, required=False)
    name = forms.CharField(label=gettext_lazy("Name"), max_length=160, required=False)
    number = forms.CharField(
        label=gettext_lazy("Order number"), max_length=80, required=False,
        help_text=gettext_lazy("A name counts only together with the number of one of the person's orders."),
    )


def data_word(code: str) -> str:
    return privacy.data_word(code)


# --- The entrance -------------------------------------------------------------------------------------------------


def _panels(request: HttpRequest, scope: Scope) -> list[Panel]:
    panels: list[Panel] = []
    answers = queries.answers()
    if open_ones := [store.name for store in scope.stores if answers.missing(store.id)]:
        panels.append(
            NotePanel(
                _("Nobody has said yet how long some classes of data are kept (%(stores)s). Until then nothing is erased.")
                % {"stores": listed(open_ones[:5])},
                tone="warning",
                actions=[LinkButton(_("Answer it"), reverse("web:privacy_answer"), icon="clock", style="primary")],
            )
        )
    panels.append(
        FormPanel(
            _("What do we hold on this person?"), PersonForm(), reverse("web:privacy_look"), _("Look"), icon="search",
            intro=_("By mail address, by phone, or by name and order number. What is found can be handed over or erased."),
        )
    )  # fmt: skip
    panels.append(
        TablePanel(
            _("Erasures"),
            [
                Column("at", gettext_lazy("When"), "datetime"),
                Column("kind", gettext_lazy("Why"), value=lambda row: ERASURES.get(row.kind, row.kind)),
                Column("store", gettext_lazy("Store"), value=lambda row: row.store.name if row.store else "–"),
                Column("orders", gettext_lazy("Orders"), "quantity", value=lambda row: len({i for ids in row.orders.values() for i in ids})),
                Column("rows", gettext_lazy("Rows and files"), "quantity", value=lambda row: sum(row.counts.values())),
                Column("token", gettext_lazy("In place of the name"), "code"),
            ],
            queries.erasures(scope.all_store_ids, shared=scope.may_shared("own"), limit=20),
            empty=_("Nobody was erased yet."),
        )
    )  # fmt: skip
    if scope.is_superuser:
        panels.append(_backups_panel())
    return panels


ERASURES: dict[str, Any] = {
    "person": gettext_lazy("a person asked"),
    "store": gettext_lazy("the store ended"),
    "retention": gettext_lazy("its time was over"),
}


def _backups_panel() -> Panel:
    backups = [backup for backup in queries.all_backups(20) if backup.gone_at is None]
    return TablePanel(
        _("Backups"),
        [
            Column("taken_at", gettext_lazy("Backed up"), "datetime"),
            Column("place", gettext_lazy("Written to"), "code", wrap=True),
            Column("size", gettext_lazy("Bytes"), "quantity"),
        ],
        backups,
        empty=_("No backup was written from here yet."),
        note=_("A backup cannot be edited: it holds what was there at its time. Restoring one does again what was erased since."),
        actions=[LinkButton(_("All backups"), reverse("web:privacy_backups"), icon="device-floppy")] if backups else [],
    )  # fmt: skip


PRIVACY = PanelPage(
    title=gettext_lazy("Buyers' data"),
    panels=_panels,
    needs="own",
    actions=lambda scope: [
        LinkButton(_("How long it is kept"), reverse("web:privacy_retention"), icon="clock"),
        LinkButton(_("Where it is"), reverse("web:privacy_map"), icon="list"),
    ],
)


@page("own", methods=("POST",))
def look(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Find the person. Only numbers and keyed hashes go into the session: no name in an address, a log or a cookie."""
    form = PersonForm(request.POST)
    form.full_clean()
    try:
        found = privacy.find_person(scope.all_store_ids, **{name: form.cleaned_data.get(name, "") for name in form.fields})
    except Refused as refused:
        return after(request, reverse("web:privacy"), refused=[refused.sentence])
    request.session[SESSION] = {
        "orders": found.orders, "customers": found.customers, "digests": found.digests, "why": list(found.why.items()),
    }  # fmt: skip
    return after(request, reverse("web:privacy_person"))


def _person(request: HttpRequest, scope: Scope) -> privacy.Person | None:
    kept = request.session.get(SESSION)
    if not isinstance(kept, dict):
        return None
    found = privacy.Person(**{**kept, "why": dict(kept.get("why", ()))})
    return privacy.within(found, scope.all_store_ids)


# --- One person ---------------------------------------------------------------------------------------------------


def _person_panels(request: HttpRequest, scope: Scope) -> list[Panel]:
    person = _person(request, scope)
    if person is None:
        return [EmptyPanel(_("Nobody was looked for"), _("Begin with the search."), icon="search",
                           actions=[LinkButton(_("Search"), reverse("web:privacy"), icon="search")])]  # fmt: skip
    told = privacy.what_we_hold(person, at=scope.at)
    panels: list[Panel] = [
        NotePanel(
            _("This person was erased on %(date)s; in place of the name stands %(token)s.")
            % {"date": _date(erasure.at, scope), "token": erasure.token}
        )
        for erasure in told.erased
    ]
    if not told.orders and not person.customers:
        panels.append(EmptyPanel(_("Nothing is held on this person"), _("No order, customer or file of your stores leads to them."),
                                 icon="circle-check"))  # fmt: skip
        return panels
    gone = {order for erasure in told.erased for ids in erasure.orders.values() for order in ids}
    panels.append(
        NotePanel(
            ngettext("%(count)d order leads to this person.", "%(count)d orders lead to this person.", len(told.orders))
            % {"count": len(told.orders)},
            actions=_person_actions(),
        )
    )
    panels.append(
        TablePanel(
            _("Orders"),
            [
                Column("number", gettext_lazy("Order"), "code", url=lambda row: places.order(row["id"])),
                Column("store", gettext_lazy("Store")),
                Column("why", gettext_lazy("Why it is theirs"), wrap=True,
                       value=lambda row: _("erased") if row["id"] in gone else person.why_theirs(row["id"]) or "–"),
                Column("status", gettext_lazy("State"), "state", states="order"),
                Column("placed_at", gettext_lazy("Placed"), "datetime"),
                Column("total_amount", gettext_lazy("Total"), "money", currency="currency"),
            ],
            told.orders,
            empty=_("No orders."),
        )
    )
    panels.append(
        TablePanel(
            _("Where it is held"),
            [
                Column("place", gettext_lazy("Held in"), value=lambda row: place_word(row["place"])),
                Column("data", gettext_lazy("Class"), value=lambda row: data_word(row["data"])),
                Column("how", gettext_lazy("How it goes"), wrap=True),
                Column("count", gettext_lazy("Rows and files"), "quantity"),
            ],
            [{"place": place, "count": count, **_about(place)} for place, count in sorted(told.counts.items())],
            empty=_("Nowhere any more."),
        )
    )
    if told.stays:
        panels.append(
            TablePanel(
                _("What stays, and why"),
                [
                    Column("data", gettext_lazy("Class"), value=lambda stay: data_word(stay.data) if stay.data else _("everything")),
                    Column("sentence", gettext_lazy("Why"), value=lambda stay: stay.sentence(), wrap=True),
                    Column("until", gettext_lazy("Until"), "date"),
                ],
                told.stays,
                note=_("What is open comes first: it goes when nothing holds it any more. Erase again then."),
            )
        )
    if told.told:
        panels.append(
            TablePanel(
                _("Suppliers who were given the address"),
                [
                    Column("name", gettext_lazy("Supplier"), url=lambda row: places.place("supplier", row["id"])),
                    Column("orders", gettext_lazy("Orders"), "quantity"),
                    Column("last_at", gettext_lazy("Last"), "datetime"),
                ],
                told.told,
                note=_("Ask them to delete it as well: what they were sent cannot be taken back from here."),
            )
        )
    if told.backups:
        panels.append(
            TablePanel(
                _("Backups that hold it"),
                [
                    Column("taken_at", gettext_lazy("Backed up"), "datetime"),
                    Column("place", gettext_lazy("Written to"), "code", wrap=True),
                    Column("until", gettext_lazy("Kept until"), "date", value=lambda row: row.until),
                ],
                told.backups,
                note=_("A backup cannot be edited. Restoring it does the erasure again, before the copy may act."),
            )
        )
    if held := queries.holds_by_hand(person.orders):
        panels.append(
            NotePanel(
                joined("; ", sorted({hold.reason for hold in held.values()}), chinese="；"), tone="warning", title=_("Held by hand"),
                actions=[ActionButton(_("Release"), reverse("web:privacy_release"), icon="lock",
                                      confirm=_("May these data be erased again?"))],
            )
        )  # fmt: skip
    return panels


def _date(at: datetime, scope: Scope) -> str:
    return fmt.date_text(at, scope.zone())


_HOW_FILES = {"mail": ("letters", "bytes"), "files/imports": ("papers", "bytes"), "files/cases": ("disputes", "delete"),
              "files/photos": ("disputes", "delete")}  # fmt: skip


def _about(place: str) -> dict[str, str]:
    """Class and way of going of a counted place."""
    if place in _HOW_FILES:
        data, how = _HOW_FILES[place]
        return {"data": data, "how": said(HOW[how])}
    found = [one for one in PERSONAL if one.model == place and one.how != "kept"]
    if not found:
        return {"data": "contact", "how": said(HOW["marks"])}
    return {"data": found[0].data, "how": said(HOW[found[0].how])}


def _person_actions() -> list[Any]:
    return [
        ActionButton(_("Hand over"), reverse("web:privacy_export"), icon="download"),
        ActionButton(_("Put a hold on it"), reverse("web:privacy_hold"), icon="lock", ask=_("Why must it be kept?")),
        ActionButton(
            _("Erase"), reverse("web:privacy_erase"), icon="trash", style="danger",
            confirm=_("Erase everything that may go? This cannot be undone: not here, and not by restoring a backup."),
        ),
    ]  # fmt: skip


PERSON = PanelPage(
    title=gettext_lazy("What we hold on this person"),
    panels=_person_panels,
    needs="own",
    pretitle=gettext_lazy("Buyers' data"),
)


@page("own", methods=("POST",))
def export(request: HttpRequest, scope: Scope) -> HttpResponse:
    person = _person(request, scope)
    if person is None or not (person.orders or person.customers):
        return after(request, reverse("web:privacy"), refused=[_("Look for a person first.")])
    name, content = export_person(person, by=scope.by, at=scope.at)
    return attachment(name, content, "application/zip")


@page("own", methods=("POST",))
def erase(request: HttpRequest, scope: Scope) -> HttpResponse:
    person = _person(request, scope)
    if person is None or not (person.orders or person.customers):
        return after(request, reverse("web:privacy"), refused=[_("Look for a person first.")])
    done = privacy.erase_person(person, by=scope.by, at=scope.at)
    stays = [stay.sentence() for stay in done.stays]
    if done.erasure is None:
        return after(request, reverse("web:privacy_person"), refused=stays or [_("There was nothing to erase.")])
    count = sum(done.counts.values())
    said_ = ngettext("Erased: %(count)d row or file.", "Erased: %(count)d rows and files.", count) % {"count": count}
    return after(request, reverse("web:privacy_person"), said_, warning=" ".join(stays) or None)


@page("own", methods=("POST",))
def hold(request: HttpRequest, scope: Scope) -> HttpResponse:
    person = _person(request, scope)
    if person is None or not person.orders:
        return after(request, reverse("web:privacy"), refused=[_("Look for a person first.")])
    try:
        commands.hold_orders(person.orders, reason=request.POST.get("reason", ""), by=scope.by, at=scope.at)
    except Refused as refused:
        return after(request, reverse("web:privacy_person"), refused=[refused.sentence])
    return after(request, reverse("web:privacy_person"), _("Held: nothing of these orders is erased until you release it."))


@page("own", methods=("POST",))
def release(request: HttpRequest, scope: Scope) -> HttpResponse:
    person = _person(request, scope)
    count = commands.release_orders(person.orders, by=scope.by, at=scope.at) if person else 0
    return after(request, reverse("web:privacy_person"), _("Released.") if count else None)


# --- How long -----------------------------------------------------------------------------------------------------


def _may_shared(scope: Scope) -> bool:
    return scope.is_superuser or scope.may_shared("own")


def retention_form(scope: Scope, _thing: Any) -> type[forms.Form]:
    stores = [(str(store.id), store.name) for store in scope.stores]
    if _may_shared(scope):
        stores.insert(0, ("", _("all stores")))
    classes = [(code, data_word(code)) for code in CLASSES if code != "backups" or scope.is_superuser]

    class RetentionForm(forms.Form):
        data = forms.MultipleChoiceField(label=_("Classes of data"), choices=classes, widget=forms.CheckboxSelectMultiple)
        store = forms.ChoiceField(label=_("Store"), choices=stores, required=False)
        country = forms.CharField(
            label=_("Buyers in"), max_length=2, required=False, help_text=_("Two letters, such as CN; empty: in every other country.")
        )
        at_least = forms.IntegerField(
            label=_("At least, days"), initial=0, min_value=0, max_value=commands.MOST_DAYS,
            help_text=_("From the end of the order. Earlier nothing goes, not even when the buyer asks."),
        )
        at_most = forms.IntegerField(
            label=_("At most, days"), required=False, min_value=0, max_value=commands.MOST_DAYS,
            help_text=_("Then it goes by itself. Empty: only when somebody asks."),
        )
        source = forms.CharField(
            label=_("Rests on"), max_length=200, help_text=_("A rule, a contract, your adviser: what the answer can be checked against.")
        )

    return RetentionForm


def _save_retention(scope: Scope, _thing: Any, data: dict[str, Any], *, by: str, at: datetime) -> None:
    store = int(data["store"]) if data["store"] else None
    if store is None and not _may_shared(scope):
        raise Refused(_("Only the owner of every store can answer for all of them."), field="store")
    if store is not None:
        scope.require(store, "own")
    commands.set_retention(
        [
            commands.Kept(code, data["at_least"], data["at_most"], data["source"],
                          None if code == "backups" else store, "" if code == "backups" else data["country"].upper())
            for code in data["data"]
        ],
        by=by, at=at,
    )  # fmt: skip


def _days(number: int | None) -> str:
    return "–" if number is None else ngettext("%(n)d day", "%(n)d days", number) % {"n": number}


def _retention_panels(request: HttpRequest, scope: Scope) -> list[Panel]:
    rows: list[Retention] = queries.retentions(scope.all_store_ids, shared=True)
    answers = queries.answers()
    missing = [
        {"store": store.name, "data": data_word(code)} for store in scope.stores for code in answers.missing(store.id)
    ]
    panels: list[Panel] = [
        TablePanel(
            _("Answers so far"),
            [
                Column("data", gettext_lazy("Class"), value=lambda row: data_word(row.data)),
                Column("store", gettext_lazy("Store"), value=lambda row: row.store.name if row.store else _("all stores")),
                Column("country", gettext_lazy("Buyers in"), value=lambda row: row.country or _("every other country")),
                Column("at_least", gettext_lazy("Kept at least"), value=lambda row: _days(row.at_least)),
                Column("at_most", gettext_lazy("Kept at most"), value=lambda row: _days(row.at_most) if row.at_most is not None else _("until asked")),
                Column("source", gettext_lazy("Rests on"), wrap=True),
                Column("at", gettext_lazy("Answered on"), "datetime"),
            ],
            rows,
            empty=_("Nothing was answered yet: nothing is erased."),
        )
    ]  # fmt: skip
    if missing:
        panels.append(
            TablePanel(_("Still unknown"), [Column("store", gettext_lazy("Store")), Column("data", gettext_lazy("Class"))], missing)
        )
    panels.append(
        TablePanel(
            _("Rules to read before answering"),
            [
                Column("data", gettext_lazy("Class"), wrap=True),
                Column("id", gettext_lazy("Rule"), "code", url=lambda row: row["url"], hint="as_of"),
                Column("note", gettext_lazy("Says"), wrap=True, hint="source"),
                Column("acts", gettext_lazy("Counts as"), "badge"),
            ],
            _rules(scope),
            note=_("None of them says how many days buyers' data are kept: the law says that they go once their purpose ends. The number is yours."),
        )
    )  # fmt: skip
    return panels


def _rules(scope: Scope) -> list[dict[str, Any]]:
    """Rules of the rule book that bear on how long something is kept, of laws and of the channels sold on; one that is not in
    the book is left out."""
    elsewhere = set(policy.sales_channels()) - {policy.channel_of(store) for store in scope.stores}
    found: dict[str, dict[str, Any]] = {}
    for code, ids in RULES_OF.items():
        for rule_id in ids:
            if rule_id in found:
                found[rule_id]["data"] = _("%(first)s; %(more)s") % {"first": found[rule_id]["data"], "more": data_word(code)}
                continue
            try:
                rule = policy.rule(rule_id)
            except LookupError:
                continue
            if rule.channel in elsewhere:
                continue
            found[rule_id] = {
                "id": rule_id, "data": data_word(code), "note": str(rule.note), "source": rule.source,
                "as_of": str(rule.as_of or "–"), "url": places.place("rule", rule_id),
                "acts": Badge(_("counts"), "success") if rule.acts else Badge(_("to be checked"), "muted", rule.why_not),
            }  # fmt: skip
    return list(found.values())


RETENTION = PanelPage(
    title=gettext_lazy("How long buyers' data are kept"),
    panels=_retention_panels,
    needs="own",
    intro=gettext_lazy("Unknown means: ask. Without an answer nothing is erased, neither by itself nor on request. The newest answer for a store and country counts."),
    actions=lambda scope: [
        LinkButton(_("Answer it"), reverse("web:privacy_answer"), icon="pencil", style="primary"),
        LinkButton(_("Buyers' data"), reverse("web:privacy"), icon="arrow-left"),
    ],
)  # fmt: skip

ANSWER = FormPage(
    title=gettext_lazy("Say how long buyers' data are kept"),
    form=retention_form,
    save=_save_retention,
    needs="own",
    success=gettext_lazy("Answered."),
    back=(gettext_lazy("How long buyers' data are kept"), lambda: reverse("web:privacy_retention")),
    success_url=lambda: reverse("web:privacy_retention"),
)


# --- Where --------------------------------------------------------------------------------------------------------


def _map_panels(request: HttpRequest, scope: Scope) -> list[Panel]:
    panels: list[Panel] = []
    for code in CLASSES:
        rows = [one for one in PERSONAL if one.data == code]
        if rows:
            panels.append(
                TablePanel(
                    data_word(code),
                    [
                        Column("about", gettext_lazy("What"), value=lambda one: place_word(one.model), wrap=True),
                        Column("model", gettext_lazy("Table"), "code", hint=lambda one: one.fields.replace(" ", ", ")),
                        Column("how", gettext_lazy("How it goes"), wrap=True, value=lambda one: said(HOW[one.how])),
                        Column("who", gettext_lazy("Who sees it"), wrap=True, value=lambda one: said(WHO[one.who])),
                    ],
                    rows,
                )
            )
    panels.append(
        TablePanel(
            _("Files"),
            [
                Column("pattern", gettext_lazy("Below the home"), "code"),
                Column("about", gettext_lazy("What"), wrap=True, value=lambda one: said((one.about, one.about_zh))),
                Column("data", gettext_lazy("Class"), value=lambda one: data_word(one.data) if one.data else "–"),
                Column("how", gettext_lazy("How it goes"), wrap=True, value=lambda one: said(HOW[one.how])),
                Column("who", gettext_lazy("Who sees it"), wrap=True, value=lambda one: said(WHO[one.who])),
            ],
            FOLDERS,
        )
    )
    return panels


MAP = PanelPage(
    title=gettext_lazy("Where buyers' data are"),
    intro=gettext_lazy("Every column and folder that can hold something that tells who a buyer is. What is not in this list holds none: a test sees to it."),
    panels=_map_panels,
    needs="own",
    actions=lambda scope: [LinkButton(_("Buyers' data"), reverse("web:privacy"), icon="arrow-left")],
)  # fmt: skip


# --- Backups ------------------------------------------------------------------------------------------------------


def _backup_rows(scope: Scope, filters: dict[str, Any], cursor: Any, limit: int) -> list[Any]:
    scope.require_installation()
    return cursor.slice(queries.backups(), limit)


BACKUPS = ListPage(
    title=gettext_lazy("Backups written from here"),
    intro=gettext_lazy("Each holds what was there when it was taken. When every copy of one is deleted, say so here: it is not asked about any more."),
    needs="own",
    order=("-taken_at", "-id"),
    rows=_backup_rows,
    columns=[
        Column("taken_at", gettext_lazy("Backed up"), "datetime"),
        Column("place", gettext_lazy("Written to"), "code", wrap=True),
        Column("size", gettext_lazy("Bytes"), "quantity"),
        Column("gone_at", gettext_lazy("Deleted"), "datetime"),
    ],
    selectable=lambda row: row.gone_at is None,
    bulk=[BulkAction(gettext_lazy("Every copy is deleted"), lambda: reverse("web:privacy_backups_gone"), "trash", needs="own",
                     confirm=gettext_lazy("Are really all copies of these backups deleted?"))],
    empty=EmptyPanel(gettext_lazy("No backup was written from here yet"), icon="device-floppy"),
)  # fmt: skip


@page("own", methods=("POST",))
def backups_gone(request: HttpRequest, scope: Scope) -> HttpResponse:
    scope.require_installation()
    count = commands.note_backups_gone(chosen_ids(request), by=scope.by, at=scope.at)
    done = ngettext("%(n)d backup is noted as deleted.", "%(n)d backups are noted as deleted.", count) % {"n": count}
    return after(request, reverse("web:privacy_backups"), done if count else None)


urlpatterns = [
    path("privacy/", PRIVACY.view, name="privacy"),
    path("privacy/look/", look, name="privacy_look"),
    path("privacy/person/", PERSON.view, name="privacy_person"),
    path("privacy/person/export/", export, name="privacy_export"),
    path("privacy/person/erase/", erase, name="privacy_erase"),
    path("privacy/person/hold/", hold, name="privacy_hold"),
    path("privacy/person/release/", release, name="privacy_release"),
    path("privacy/retention/", RETENTION.view, name="privacy_retention"),
    path("privacy/retention/answer/", ANSWER.view, name="privacy_answer"),
    path("privacy/map/", MAP.view, name="privacy_map"),
    path("privacy/backups/", BACKUPS.view, name="privacy_backups"),
    path("privacy/backups/gone/", backups_gone, name="privacy_backups_gone"),
]
