"""What moves clocks: announcements of the platforms, and what buyers agreed to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.compliance import announced, announced_commands, announced_queries, rules
from daifa.domain.compliance.announced_commands import NewAnnouncement
from daifa.domain.compliance.models import AgreedDispatch, Announcement
from daifa.domain.orders.models import Order
from daifa.domain.policy import queries as policy
from daifa.flows.keep_clocks import keep_clocks
from daifa.lib import regions
from daifa.lib.commas import listed
from daifa.web.kit import (
    ActionButton,
    Badge,
    Column,
    Cursor,
    DetailPage,
    EmptyPanel,
    Fact,
    FormPage,
    LinkButton,
    ListPage,
    Panel,
    Scope,
    TablePanel,
    after,
    page,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import places
from daifa.web.pages.moments import Moment, moment


def _word(words: list[tuple[str, str]], code: str) -> str:
    return _(dict(words).get(code, code))


def _kinds(row: Announcement) -> str:
    return listed(_(rules.KINDS[kind].words) for kind in row.kinds.split() if kind in rules.KINDS) or "–"


def _effect(row: Announcement) -> str:
    word = _word(announced.EFFECTS, row.effect)
    if row.hours:
        word += ": " + _("at least %(hours)s hours") % {"hours": row.hours}
    if row.until:
        word += ": " + _("until %(day)s") % {"day": row.until.isoformat()}
    return word


def _where(row: Announcement) -> str:
    return listed(regions.told(one) for one in f"{row.regions} {row.countries}".split()) or _("everywhere")


def _state(row: Announcement) -> list[Badge]:
    return [Badge(_("counts no more"), "muted")] if row.withdrawn_at else []


def _channels(scope: Scope) -> list[tuple[str, str]]:
    titles = policy.channel_titles()
    mine = dict.fromkeys(name for store in scope.stores if (name := policy.channel_of(store)))
    return [(name, str(titles[name])) for name in mine]


def _shipped_panel(scope: Scope, filters: dict[str, Any]) -> list[Panel]:
    mine = {name for name, _title in _channels(scope)}
    rows = [one for one in announced.shipped() if one.channel in mine]
    if not rows:
        return []
    return [
        TablePanel(
            _("What comes with daifa"),
            [
                Column("rule", _("Rule"), "code", url=lambda one: places.place("rule", one.rule)),
                Column("kinds", _("Clocks"), value=lambda one: listed(_(rules.KINDS[kind].words) for kind in one.kinds) or "–"),
                Column("effect", _("What it does"), wrap=True, value=_shipped_effect),
                Column("first", _("First day"), "date"),
                Column("last", _("Last day"), "date"),
            ],
            rows,
        )
    ]  # fmt: skip


def _shipped_effect(one: announced.Announced) -> str:
    word = _word(announced.EFFECTS, one.effect) if not one.leaves_out else _("left out of: %(what)s") % {"what": _word(announced.LEAVES_OUT, one.leaves_out)}
    if one.seconds:
        word += ": " + _("at least %(hours)s hours") % {"hours": one.seconds // 3600}
    if one.until:
        word += ": " + _("until %(day)s") % {"day": one.until.isoformat()}
    return word


ANNOUNCEMENTS = ListPage(
    title=gettext_lazy("Announcements"),
    intro=gettext_lazy("What platforms announce or grant: longer deadlines, days on which clocks stand still, misses that cost nothing, days left out of the score. The clocks it moves say so."),
    order=announced_queries.NEWEST,
    rows=lambda scope, filters, cursor, limit: _rows(scope, cursor, limit),
    panels=_shipped_panel,
    export="announcements",
    columns=[
        Column("title", gettext_lazy("What was announced"), wrap=True, link=True, hint="source"),
        Column("channel", gettext_lazy("Channel"), value=lambda row: row.store.name if row.store else policy.channel_word(row.channel)),
        Column("effect", gettext_lazy("What it does"), wrap=True, value=_effect, hint=_kinds),
        Column("where", gettext_lazy("Where"), wrap=True, value=_where),
        Column("first", gettext_lazy("First day"), "date"),
        Column("last", gettext_lazy("Last day"), "date"),
        Column("state", "", "badges", export=False, value=_state),
    ],
    row_url=lambda row: reverse("web:announcement", args=[row.pk]),
    actions=lambda scope: [
        LinkButton(_("Enter an announcement"), reverse("web:announcement_add"), icon="plus", style="primary", reason=scope.why_not("own")),
        LinkButton(_("Clocks"), reverse("web:clocks"), icon="arrow-left", style="ghost"),
    ],
    empty=EmptyPanel(
        gettext_lazy("Nothing entered"),
        gettext_lazy("When a platform announces an exception (a storm, a holiday, a region without penalties), enter it here with its source."),
        icon="calendar-due",
    ),
)  # fmt: skip


def _rows(scope: Scope, cursor: Cursor, limit: int) -> list[Announcement]:
    return announced_queries.announcement_page(scope.all_store_ids, cursor=cursor, limit=limit)


def _form(scope: Scope, thing: Any) -> type[forms.Form]:
    date = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")

    def said(words: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(code, _(word)) for code, word in words]

    channels = _channels(scope) if scope.may_shared("own") else []
    stores = [(f"store:{one.id}", _("only %(store)s") % {"store": one.name}) for one in scope.stores if policy.channel_of(one) and scope.may("own", one.id)]

    class AnnouncementForm(forms.Form):
        holds_for = forms.ChoiceField(label=gettext_lazy("It holds for"), choices=[(f"channel:{name}", title) for name, title in channels] + stores)
        title = forms.CharField(label=gettext_lazy("What was announced"), max_length=200, help_text=gettext_lazy("In a few words: the clocks show it."))
        source = forms.CharField(label=gettext_lazy("Source"), max_length=500, help_text=gettext_lazy("Address of the notice, or its number."))
        announced_on = forms.DateField(label=gettext_lazy("Announced on"), required=False, widget=date)
        effect = forms.ChoiceField(label=gettext_lazy("What it does"), choices=said(announced.EFFECTS))
        groups = forms.MultipleChoiceField(
            label=gettext_lazy("Which clocks"), required=False, widget=forms.CheckboxSelectMultiple,
            choices=[(name, _(words)) for name, (words, _kinds) in announced.GROUPS.items()],
        )
        first = forms.DateField(label=gettext_lazy("First day"), widget=date)
        last = forms.DateField(label=gettext_lazy("Last day"), widget=date)
        hours = forms.IntegerField(label=gettext_lazy("At least so many hours"), required=False, min_value=1, help_text=gettext_lazy("For a longer deadline."))
        until = forms.DateField(label=gettext_lazy("Or until the end of"), required=False, widget=date)
        regions = forms.CharField(
            label=gettext_lazy("Only these places"), required=False,
            help_text=gettext_lazy("Provinces (浙江, 浙江/杭州), states (US-CA, CA-ON, AU-NSW) or countries (DE), with commas. Empty: everywhere."),
        )
        side = forms.ChoiceField(label=gettext_lazy("Of parcels"), choices=said(announced.SIDES))
        goes_by = forms.ChoiceField(label=gettext_lazy("A waived miss goes by"), choices=said(announced.GOES_BY))
        leaves_out = forms.ChoiceField(label=gettext_lazy("Left out of the store's figures"), required=False, choices=said(announced.LEAVES_OUT))

    return AnnouncementForm


def _save(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: datetime) -> str:
    kind, _colon, name = data["holds_for"].partition(":")
    store = scope.require(int(name), "own") if kind == "store" else None
    if store is None:
        scope.require_shared("own")
    entries = [one.strip() for one in data["regions"].replace("，", ",").replace("、", ",").split(",") if one.strip()]
    countries = [one for one in entries if regions.region_named(one.partition("/")[0]) is None and regions.country_named(one)]
    row = announced_commands.announce(
        NewAnnouncement(
            channel=store.channel if store else name, title=data["title"], source=data["source"],
            kinds=[one for group in data["groups"] for one in announced.GROUPS[group][1]], effect=data["effect"], first=data["first"],
            last=data["last"], hours=data["hours"], until=data["until"], countries=countries,
            regions=[one for one in entries if one not in countries], side=data["side"], goes_by=data["goes_by"],
            leaves_out=data["leaves_out"], store_id=store.id if store else None, announced_on=data["announced_on"],
        ), by=by, at=at,
    )  # fmt: skip
    keep_clocks(at=at, by=by, stores=scope.all_store_ids)
    return reverse("web:announcement", args=[row.pk])


ADD = FormPage(
    title=gettext_lazy("Enter an announcement"),
    form=_form,
    save=_save,
    needs="own",
    success=gettext_lazy("Entered; the clocks are reckoned anew."),
    initial=lambda scope, thing: {"groups": ["dispatch"], "side": "either", "goes_by": "start"},
    intro=gettext_lazy("Enter it as the platform put it, with its source. Nothing becomes shorter by it. What you enter wrongly is taken back and entered anew."),
    back=(gettext_lazy("Announcements"), lambda: reverse("web:announcements")),
)  # fmt: skip


def _load(scope: Scope, pk: int) -> Announcement | None:
    row = announced_queries.announcement(pk)
    if row is None or (row.store_id is not None and row.store_id not in scope.whole.all_store_ids):
        return None
    return row


def _why_not(scope: Scope, row: Announcement) -> str | None:
    if row.withdrawn_at:
        return _("It counts no more.")
    return scope.why_not("own", row.store_id) if row.store_id else scope.why_not_shared("own")


ANNOUNCEMENT = DetailPage(
    load=_load,
    store_id=None,
    title=lambda row, scope: row.title,
    pretitle=lambda row, scope: row.store.name if row.store else policy.channel_word(row.channel),
    back=(gettext_lazy("Announcements"), lambda: reverse("web:announcements")),
    badges=lambda row, scope: _state(row),
    actions=lambda row, scope: [
        LinkButton(_("The clocks it moves"), places.place("clocks", moved=row.pk), icon="clock"),
        ActionButton(_("Take it back"), reverse("web:announcement_withdraw", args=[row.pk]), icon="arrow-back-up", style="danger",
                     confirm=_("The clocks go back to their plain times."), reason=_why_not(scope, row)),
    ],
    facts=lambda row, scope: [
        Fact(_("Source"), row.source, url=row.source if row.source.startswith(("https://", "http://")) else None),
        Fact(_("Announced on"), row.announced_on, "date"),
        Fact(_("What it does"), _effect(row)),
        Fact(_("Clocks"), _kinds(row)),
        Fact(_("First day"), row.first, "date"),
        Fact(_("Last day"), row.last, "date"),
        Fact(_("Where"), f"{_where(row)} ({_word(announced.SIDES, row.side)})" if row.regions or row.countries else _("everywhere")),
        Fact(_("A waived miss goes by"), _word(announced.GOES_BY, row.goes_by) if row.effect == "waive" else ""),
        Fact(_("Left out of the store's figures"), _word(announced.LEAVES_OUT, row.leaves_out)),
        Fact(_("Entered"), row.at, "datetime"),
        Fact(_("Entered by"), next(iter(fmt.actor_names([row.by]).values()), row.by)),
        Fact(_("Taken back"), row.withdrawn_at, "datetime"),
    ],
)  # fmt: skip


@page("own", methods=("POST",))
def withdraw(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    row = _load(scope, pk)
    if row is None:
        raise Http404
    if row.store_id:
        scope.require(row.store_id, "own")
    else:
        scope.require_shared("own")
    announced_commands.withdraw_announcements([pk], by=scope.by, at=scope.at)
    keep_clocks(at=scope.at, by=scope.by, stores=scope.all_store_ids)
    return after(request, reverse("web:announcements"), _("Taken back; the clocks are reckoned anew."))


# --- What a buyer agreed to ---------------------------------------------------------------------------------------------


class AgreedForm(forms.Form):
    until = Moment(label=gettext_lazy("Dispatch by"))
    agreed_at = Moment(label=gettext_lazy("Agreed on"))
    proof = forms.CharField(label=gettext_lazy("Where it stands"), max_length=200, help_text=gettext_lazy("Chat, mail, the platform's own form; with its number if there is one."))
    said = forms.CharField(label=gettext_lazy("In the buyer's words"), required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 4}))


def _order(scope: Scope, pk: int) -> Order | None:
    return Order.objects.filter(pk=pk).first()


def _save_agreed(scope: Scope, order: Order, data: dict[str, Any], *, by: str, at: datetime) -> str:
    until, agreed_at = (moment(data[name], scope, order.store_id, name) for name in ("until", "agreed_at"))
    assert until is not None and agreed_at is not None
    announced_commands.agree_dispatch(
        order_id=order.pk, until=until, agreed_at=agreed_at, proof=data["proof"],
        said=data["said"], by=by, at=at,
    )  # fmt: skip
    keep_clocks(orders=[order.pk], at=at)
    return reverse("web:order", args=[order.pk])


def _agreed_panels(scope: Scope, order: Order) -> list[Panel]:
    rows = announced_queries.agreed_of(order.pk)
    return [
        TablePanel(
            _("What was agreed before"),
            [
                Column("until", _("Dispatch by"), "datetime"),
                Column("agreed_at", _("Agreed on"), "datetime"),
                Column("proof", _("Where it stands"), wrap=True, hint="said"),
                Column("state", "", "badges", value=lambda row: [Badge(_("counts no more"), "muted")] if row.withdrawn_at else []),
            ],
            rows,
            actions=[
                ActionButton(_("Take it back"), reverse("web:order_agreed_withdraw", args=[order.pk]), icon="arrow-back-up",
                             reason=scope.why_not("operate", order.store_id))
            ] if any(row.withdrawn_at is None for row in rows) else [],
            empty=_("Nothing yet."),
        )
    ]  # fmt: skip


AGREED = FormPage(
    title=lambda order, scope: _("The buyer of order %(number)s agrees to a later dispatch") % {"number": order.number},
    form=AgreedForm,
    load=_order,
    store_id="store_id",
    initial=lambda scope, order: {"agreed_at": scope.at.astimezone(scope.whole.zone(order.store_id)).replace(tzinfo=None, second=0, microsecond=0)},
    save=_save_agreed,
    success=gettext_lazy("Kept with the order. Its clock says whether the channel's rules go by it."),
    intro=gettext_lazy("Ask the buyer first and keep the proof. Where the channel's rules go by it, and it was agreed in time, the deadline moves."),
    back=lambda order: (_("Order %(number)s") % {"number": order.number}, reverse("web:order", args=[order.pk])),
    panels=_agreed_panels,
)  # fmt: skip


@page("operate", methods=("POST",))
def withdraw_agreed(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    order = _order(scope, pk)
    scope.require(order.store_id if order else 0, "operate")
    rows = AgreedDispatch.objects.filter(order_id=pk, withdrawn_at=None).values_list("pk", flat=True)
    done = announced_commands.withdraw_agreed(list(rows), by=scope.by, at=scope.at)
    keep_clocks(orders=[pk], at=scope.at)
    return after(request, reverse("web:order_agreed", args=[pk]), ngettext("%(count)d agreement taken back.", "%(count)d agreements taken back.", done) % {"count": done})


urlpatterns = [
    path("clocks/announcements/", ANNOUNCEMENTS.view, name="announcements"),
    path("clocks/announcements/add/", ADD.view, name="announcement_add"),
    path("clocks/announcements/<int:pk>/", ANNOUNCEMENT.view, name="announcement"),
    path("clocks/announcements/<int:pk>/withdraw/", withdraw, name="announcement_withdraw"),
    path("orders/<int:pk>/agreed/", AGREED.view, name="order_agreed"),
    path("orders/<int:pk>/agreed/withdraw/", withdraw_agreed, name="order_agreed_withdraw"),
]
