"""Today: what needs a person, by time and money at stake, each with the place where it is settled. The first page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.books.queries import currency_of, pnl
from daifa.domain.orders.process import HOLDS
from daifa.domain.stores.commands import dismiss_tasks
from daifa.domain.stores.queries import store_of_task
from daifa.flows import by_hand
from daifa.flows.reads import today as reads
from daifa.flows.release_holds import release_holds
from daifa.web.kit import (
    ActionButton,
    ChartPanel,
    EmptyPanel,
    HtmlPanel,
    Kpi,
    KpiPanel,
    LinkButton,
    Panel,
    PanelPage,
    Scope,
    Series,
    after,
    page,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import places, words

FIRST = 8  # of one urgency, before the rest is folded away
SHOWN = 3  # of one kind in one store, before the rest is folded away
# Nobody may tick these off: they are settled where it is said what became of the thing.
NOT_DISMISSED = ("run_unknown", "purchase_unknown", "message_unknown", "quarantined", "purchases_unknown_here")
ICONS = {
    "held": "player-pause", "run_to_send": "download", "rows_refused": "file-import", "purchases_overdue": "hourglass",
    "parcels_late": "clock", "clocks_due": "clock",
    "parcel_faults": "alert-triangle", "metric_near": "shield-lock", "figures_stale": "shield-lock", "parcel_lost": "alert-triangle", "parked": "refresh", "run_unknown": "question-mark",
    "purchase_unknown": "question-mark", "message_unknown": "question-mark", "order_changed": "pencil",
    "cases_answer": "receipt-refund", "cases_goods": "hourglass", "cases_money": "cash",
    "mapping_broken": "link", "mail_not_working": "mail", "quarantined": "shield-lock",
}  # fmt: skip


def _titles() -> tuple[tuple[str, str], ...]:
    """(heading, tone) by urgency."""
    return (
        (_("Clear this up first"), "danger"),
        (_("Overdue"), "warning"),
        (_("Due within a day"), "info"),
        (_("When there is time"), "neutral"),
    )


# --- Buttons ------------------------------------------------------------------------------------------------------


def _buttons(todo: reads.Todo, scope: Scope) -> list[Any]:
    short = (
        scope.why_not("operate", todo.store_id)
        if todo.store_id is not None
        else scope.why_not_shared("operate")
    )
    match todo.kind:
        case "held":
            return _held_buttons(todo, short)
        case "parked":
            return [
                ActionButton(_("Try again"), reverse("web:today_retry"), icon="refresh", style="primary",
                             reason=scope.why_not_shared("operate"), fields={"reaction": todo.name})
            ]  # fmt: skip
        case "purchases_overdue":
            return _link(_("Open"), places.place("purchases", overdue=1, supplier=todo.thing))
        case "parcels_late":
            return _link(_("Open"), places.place("parcels", late=1))
        case "messages_held_back":
            buttons = _link(_("Open"), places.place("messages", held=1))
        case "cases_answer" | "cases_goods" | "cases_money":
            state = {"cases_answer": "requested", "cases_money": "received"}.get(todo.kind, "")
            one = places.of_thing(todo.thing_kind, todo.thing)
            return _link(_("Open"), one or places.place("cases", **({"state": state} if state else {})))
        case "clocks_due":
            return _link(_("Open"), places.place("clocks", kind=todo.name, store=todo.store_id))
        case "parcel_faults":
            return _link(_("Open"), places.place("parcel_findings", kind=todo.name, store=todo.store_id))
        case "metric_near" | "figures_stale":
            return _link(_("Open"), places.place("store_health_of", todo.store_id))
        case "rule_recheck":
            return _link(_("Open"), places.place("rules", state="recheck", store=todo.store_id))
        case "rules_change" | "rules_refused" | "rules_overtaken":
            return _link(_("Open"), places.place("rules_changes"))
        case "words_found":
            return _link(_("Open"), places.place("findings", severity="block"))
        case "listings_wait":
            return _link(_("Open"), places.place("publications", state="waiting", store=todo.store_id))
        case "listings_against_rules":
            return _link(_("Open"), places.place("listings", against=1, store=todo.store_id))
        case "channel_needs_person":
            return _link(_("Open"), places.place("publications", state="ready", store=todo.store_id))
        case "order_changed" | "order_cancelled":
            buttons = _link(_("Open the order"), places.of_thing("order", todo.thing))
        case "run_to_send":
            return _link(_("Download"), places.of_thing("run", todo.thing), icon="download", style="primary")
        case "quarantined" | "purchases_unknown_here":
            return _link(_("Open"), places.place("installation"), style="primary")
        case "late_money":
            return _link(_("Open"), places.place("late_entries", todo.store_id), style="primary")
        case "deposit_short":
            buttons = _link(_("Open"), places.place("deposit"))
        case "retention_unknown":
            buttons = _link(_("Open"), places.place("privacy_retention"))
        case "reply_row":
            buttons = _link(_("Open"), places.place("purchases", supplier=todo.thing) if todo.thing else None)
        case _:
            url = places.of_thing(todo.thing_kind, todo.thing)
            doubt = todo.kind in NOT_DISMISSED
            buttons = _link(_("Settle it") if doubt else _("Open"), url, style="primary" if doubt else "")
    if todo.task_id is not None and todo.kind not in NOT_DISMISSED and todo.store_id is not None:
        buttons.append(
            ActionButton(_("Done"), reverse("web:today_done", args=[todo.task_id]), icon="check", style="ghost",
                         reason=short)
        )  # fmt: skip
    return buttons


def _link(label: str, url: str | None, *, icon: str = "arrow-right", style: str = "") -> list[Any]:
    return [LinkButton(label, url, icon=icon, style=style)] if url else []


def _held_buttons(todo: reads.Todo, short: str | None) -> list[Any]:
    buttons = _link(_("Open the orders"), places.place("orders", hold=todo.name, store=todo.store_id))
    if todo.name in ("mapping_missing", "mapping_broken") and (url := places.place("listings", unlinked=1)):
        buttons.append(LinkButton(_("Link SKUs"), url, icon="link"))
    elif todo.name in ("agreement_missing", "agreement_incomplete", "entrustment_missing") and (url := places.place("suppliers")):
        buttons.append(LinkButton(_("Record an agreement"), url, icon="file-text"))
    elif todo.name == "exchange_rate_missing" and (url := places.place("books_rates")):
        buttons.append(LinkButton(_("Enter the rate"), url, icon="switch-horizontal"))
    buttons.append(
        ActionButton(
            _("Release all"), reverse("web:today_release"), icon="player-play", style="ghost", reason=short,
            fields={"hold": todo.name, "store": todo.store_id},
            confirm=_(words.PAID_IF_RELEASED) if todo.name == "not_paid"
            else _("All orders held for this reason go on; what is still missing holds them again. Release them?"),
        )
    )  # fmt: skip
    return buttons


# --- Panels -------------------------------------------------------------------------------------------------------


def _cards(scope: Scope) -> KpiPanel:
    stores = scope.store_ids
    now = reads.figures(stores, at=scope.at)
    currency = currency_of(stores)
    statement = pnl(stores, scope.at.astimezone(scope.zone()).date(), currency) if currency else None
    kpis = [
        Kpi(_("Open orders"), fmt.quantity_text(now.open_orders), icon="shopping-cart",
            url=places.place("orders", status="open"),
            hint=ngettext("%(count)d held", "%(count)d held", now.held_orders) % {"count": now.held_orders}),
        Kpi(_("To ship"), fmt.quantity_text(now.to_ship + now.overdue), icon="calendar-due",
            tone="red" if now.overdue else "",
            hint=ngettext("%(count)d overdue", "%(count)d overdue", now.overdue) % {"count": now.overdue}),
        Kpi(_("On their way"), fmt.quantity_text(now.in_transit), icon="truck-delivery", url=places.place("parcels"),
            hint=_("parcels not delivered yet")),
        Kpi(_("Late parcels"), fmt.quantity_text(now.late), icon="clock", tone="red" if now.late else "",
            url=places.place("parcels", late=1), hint=_("longer on their way than the store allows")),
    ]  # fmt: skip
    if statement is not None:
        kpis.append(
            Kpi(_("Net this month"), fmt.money_text(statement.net, currency), icon="report-money",
                tone="red" if statement.net < 0 else "", url=places.place("books"),
                hint=_("sales %(amount)s") % {"amount": fmt.money_text(statement.sales, currency)})
        )  # fmt: skip
    return KpiPanel(kpis)


def _chart(scope: Scope) -> ChartPanel:
    rows = reads.last_days(scope.store_ids, at=scope.at, zone=str(scope.zone()))
    return ChartPanel(
        _("The last 30 days"),
        [f"{day.month}-{day.day:02d}" for day, _p, _s in rows],
        [
            Series(_("Orders placed"), [placed for _d, placed, _s in rows], tone="blue"),
            Series(_("Parcels handed over"), [sent for _d, _p, sent in rows], kind="line", tone="green"),
        ],
        name="days",
    )


def _listed(todos: list[reads.Todo], scope: Scope) -> list[HtmlPanel]:
    """The todos by urgency; of many of one kind in one store the later ones are folded away."""
    many = len(scope.store_ids) > 1
    tiers: dict[int, list[dict[str, Any]]] = {}
    seen: dict[tuple[int, str, int | None], list[dict[str, Any]]] = {}
    for todo in todos:
        tier = reads.urgency(todo, scope.at)[0]
        store = scope.store(todo.store_id)
        item = {
            "todo": todo, "advice": words.hold_advice(todo.name) if todo.kind == "held" else todo.advice,
            "icon": ICONS.get(todo.kind, "flag"), "store": store.name if store and many else "",
            "stake": fmt.money(todo.stake, todo.currency) if todo.stake and todo.currency else "",
            "buttons": _buttons(todo, scope), "zone": scope.zone(todo.store_id), "more": [],
        }  # fmt: skip
        alike = seen.setdefault((tier, todo.kind, todo.store_id), [])
        alike.append(item)
        if todo.task_id is not None and len(alike) > SHOWN:
            alike[SHOWN - 1]["more"].append(item)
        else:
            tiers.setdefault(tier, []).append(item)
    titles = _titles()
    return [
        HtmlPanel(
            "web/pages/todos.html",
            {"items": tiers[tier][:FIRST], "rest": tiers[tier][FIRST:], "tone": titles[tier][1]},
            titles[tier][0],
        )
        for tier in sorted(tiers)
    ]


def panels(request: HttpRequest, scope: Scope) -> list[Panel]:
    shared = (scope.may_shared("view") and scope.current is None) or scope.is_superuser
    todos = reads.today(scope.store_ids, shared=shared, at=scope.at)
    found: list[Panel] = [_cards(scope), *_listed(todos, scope)]
    if not todos:
        found.append(
            EmptyPanel(_("Nothing needs you"), _("What cannot go on by itself will be listed here."), icon="circle-check")
        )
    found.append(_chart(scope))
    return found


TODAY = PanelPage(title=gettext_lazy("Today"), panels=panels)


# --- Doing --------------------------------------------------------------------------------------------------------


def _home() -> str:
    return reverse("web:today")


@page("operate", methods=("POST",))
def release_all(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Release every hold of one reason in a store."""
    text, reason = request.POST.get("store", ""), request.POST.get("hold", "")
    store = scope.whole.require(int(text) if text.isascii() and text.isdigit() else None, "operate")
    if reason not in HOLDS:
        return after(request, _home(), refused=[_("There is no hold of this kind.")])
    done = release_holds(reads.open_holds([store.id], reason), by=scope.by, at=scope.at)
    said = ngettext("%(count)d order goes on.", "%(count)d orders go on.", len(done)) % {"count": len(done)}
    return after(request, _home(), said if done else None, refused=[] if done else [_("Nothing was held any more.")])


@page("operate", methods=("POST",))
def done(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """A person says a task is settled."""
    scope.whole.require(store_of_task(pk), "operate")
    count = dismiss_tasks([pk], scope=scope.all_store_ids, by=scope.by, at=scope.at)
    return after(request, _home(), _("Ticked off.") if count else None,
                 refused=[] if count else [_("Somebody settled it already.")])  # fmt: skip


@page("operate", methods=("POST",))
def retry(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Let parked steps be tried again."""
    if sentence := scope.whole.why_not_shared("operate"):
        return after(request, _home(), refused=[sentence])
    count = by_hand.retry_parked(request.POST.get("reaction", ""), by=scope.by, at=scope.at)
    said = ngettext("%(count)d step is tried again.", "%(count)d steps are tried again.", count) % {"count": count}
    return after(request, _home(), said if count else None, refused=[] if count else [_("Nothing is parked any more.")])


urlpatterns = [
    path("", TODAY.view, name="today"),
    path("today/release/", release_all, name="today_release"),
    path("today/retry/", retry, name="today_retry"),
    path("today/<int:pk>/done/", done, name="today_done"),
]
