"""What several pages of closings show: what is open, the calendar, violations, who does a step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from daifa.domain.cases.models import Violation
from daifa.domain.cases.process import VIOLATION, VIOLATION_KINDS
from daifa.domain.closing import queries, rules, steps
from daifa.domain.closing.commands import said
from daifa.domain.closing.models import SCENARIOS, Closing
from daifa.domain.closing.queries import BLOCKERS, Blocker
from daifa.domain.stores.models import Store
from daifa.flows import close_store
from daifa.lib.money import Money
from daifa.web.kit import Badge, Column, Refused, Scope, TablePanel, after
from daifa.web.pages import places
from daifa.web.pages.rule_links import rule_code, rule_link, rule_sentences, rule_title

WHO = {"merchant": gettext_lazy("you"), "daifa": "daifa", "platform": gettext_lazy("the platform")}


def who_may(code: str) -> str:
    """Which people of a store may do (or enter) this step."""
    return said(steps.WHO_MAY[steps.BY_CODE[code].need])


def scenario_words(scenario: str) -> str:
    return said(SCENARIOS[scenario])


def load_store(scope: Scope, pk: int) -> Store | None:
    return scope.whole.store(pk)


def load_closing(scope: Scope, pk: int) -> Closing | None:
    return queries.closing_of(scope.whole.all_store_ids, pk)


def acted(request: HttpRequest, url: str, done: str, act: Any) -> HttpResponse:
    """Do it and say `done` on the page at `url`, or why it was refused."""
    try:
        act()
    except Refused as refused:
        return after(request, url, refused=[refused.sentence])
    return after(request, url, done)


def kept_file(sha256: str, name: str) -> FileResponse:
    """A file that proves something, for the browser to keep; 404 where its bytes are gone."""
    file = close_store.file_of(sha256)
    if not file.is_file():
        raise Http404
    return FileResponse(file.open("rb"), as_attachment=True, filename=name, content_type="application/octet-stream")


def blocker_url(code: str, store_id: int) -> str | None:
    """Where what blocks is settled."""
    name, query = {
        "unshipped": ("orders", {"store": store_id}), "in_transit": ("parcels", {"store": store_id}),
        "lost_unsettled": ("parcels", {"state": "lost", "store": store_id}), "not_paid_back": ("orders", {"store": store_id, "status": "cancelled"}),
        "open_aftersales": ("cases", {"store": store_id}), "unpaid_refunds": ("aftersales", {"store": store_id}), "in_return_time": ("orders", {"store": store_id}),
        "supplier_balances": ("books_pay", {}), "settlement_due": ("books", {}), "deposit_held": ("deposit", {}),
        "appeals": ("violations", {}), "live_listings": ("listings", {}), "postings_owed": ("reactions", {}),
        "retention_unknown": ("privacy_retention", {}),
    }.get(code, ("", {}))  # fmt: skip
    return places.place(name, **query) if name else None


def blockers_panel(found: list[Blocker], store_id: int) -> TablePanel:
    return TablePanel(
        _("What is still open"),
        [
            Column("code", gettext_lazy("What"), value=lambda one: said(BLOCKERS[one.code]), url=lambda one: blocker_url(one.code, store_id)),
            Column("count", gettext_lazy("How many"), "quantity"),
            Column("amount", gettext_lazy("Amount"), "money", value=lambda one: Money(one.amount, one.currency) if one.amount is not None else None),
            Column("until", gettext_lazy("Until"), "date"),
        ],
        found,
        empty=_("Nothing is open: nothing stands in the way of an orderly end."),
    )  # fmt: skip


def calendar_panel(days: list[rules.Day], *, today: date, title: str = "") -> TablePanel:
    """The days of a closing, each with the rule it comes from. With a `title` of its own nothing has begun yet."""
    rule_pages, titles = "rule", rule_sentences(day.rule_id for day in days)

    def source(day: rules.Day) -> str:
        if day.rule_id:
            title = rule_title(day.rule_id, titles)
            return title if day.acts else _("%(rule)s (to be checked)") % {"rule": title}
        return _("daifa's own assumption") if day.is_assumed else ""

    return TablePanel(
        title or _("Calendar"),
        [
            Column("on", gettext_lazy("Day"), "date"),
            Column("name", gettext_lazy("What"), value=lambda day: said(rules.DAY_NAMES[day.code]),
                   hint=lambda day: _(day.words) % dict(day.params)),
            Column("source", gettext_lazy("By which rule"), value=source, hint=lambda day: rule_code(day.rule_id, titles), wrap=True,
                   url=lambda day: places.place(rule_pages, day.rule_id) if day.rule_id else None),
            Column("state", "", "badges", value=lambda day: [
                Badge(_("happened"), "success") if day.happened and not title else Badge(_("past"), "warning") if day.on < today
                else Badge(_("expected"), "neutral")]),
        ],
        days,
        note=_("Expected days move with what is delivered and settled. Nobody can be promised an earlier one."),
    )  # fmt: skip


def short_calendar_panel(days: list[rules.Day]) -> TablePanel:
    """The days of a closing beside a form: each with its rule under it."""
    titles = rule_sentences(day.rule_id for day in days)
    return TablePanel(
        _("Calendar, if it began today"),
        [
            Column("on", gettext_lazy("Day"), "date"),
            Column("name", gettext_lazy("What"), value=lambda day: said(rules.DAY_NAMES[day.code]), hint=lambda day: rule_link(day.rule_id, titles), wrap=True),
        ],
        days,
    )


def violations_panel(
    behind: Sequence[Violation], *, ruled: bool, reads: bool, actions: Sequence[Any] = (), short: bool = False
) -> TablePanel:
    """Which violations a removal is about: their appeals are the removal's. `ruled`: there is nothing left to appeal.

    `reads`: whoever looks may read the platform's words, which can name a buyer. `short` where there is little room.
    """
    still = () if ruled else ("active", "upheld", "reduced")
    columns = [
        Column("reference", gettext_lazy("Violation"), "code", link=True, hint=lambda one: said(VIOLATION_KINDS[one.kind]) if short else one.title if reads else ""),
        Column("kind", gettext_lazy("Kind"), value=lambda one: said(VIOLATION_KINDS[one.kind]), wrap=True, phone=False),
        Column("state", gettext_lazy("State"), "state", states=VIOLATION),
        Column("points", gettext_lazy("Points"), "quantity"),
        Column("appeal_until", gettext_lazy("Appeal until"), "due", value=lambda one: one.appeal_until if one.state in still else None),
    ]  # fmt: skip
    return TablePanel(
        _("Violations behind it"),
        [column for column in columns if not short or column.name in ("reference", "state", "appeal_until")],
        list(behind),
        row_url=lambda one: reverse("web:violation", args=[one.pk]),
        empty=_("None is written down."),
        actions=list(actions),
        note=_("An appeal sent here is sent against each of them, and one sent on their own page counts here. A ruling moves both, once."),
    )  # fmt: skip
