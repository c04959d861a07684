"""Messages to buyers: what was sent, what waits, what was not sent and why; and those nobody knows about."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.messages import commands, queries
from daifa.domain.messages.models import Message
from daifa.domain.messages.process import MESSAGE
from daifa.domain.orders.queries import order_named
from daifa.web.kit import (
    ActionButton,
    Badge,
    BulkAction,
    Choice,
    Column,
    Cursor,
    DetailPage,
    EmptyPanel,
    Fact,
    HtmlPanel,
    ListPage,
    NotePanel,
    Panel,
    Scope,
    Toggle,
    after,
    chosen_ids,
    page,
    states,
)
from daifa.web.pages import places, private, words


def _is_held(message: dict[str, Any]) -> bool:
    """Held back after a restore, until a person lets it go."""
    return message["state"] == "suppressed" and message["reason"] == "restored"


def message_rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[dict[str, Any]]:
    asked = {"state": filters.get("state"), "kind": filters.get("kind"), "cursor": cursor, "limit": limit}
    if filters.get("held"):
        asked |= {"state": "suppressed", "reason": "restored"}
    if "q" not in filters:
        return queries.message_page(scope.store_ids, **asked)
    orders = order_named(scope.store_ids, filters["q"])
    return queries.message_page(scope.store_ids, order_id=orders[0], **asked) if orders else []


MESSAGES = ListPage(
    title=gettext_lazy("Messages"),
    search=gettext_lazy("Order number"),
    order=queries.NEWEST,
    rows=message_rows,
    export="messages",
    columns=[
        Column("kind", gettext_lazy("Message"), value=lambda row: words.message_kind(row["kind"]), link=True),
        Column("order_number", gettext_lazy("Order"), "code", url=lambda row: places.order(row["order_id"])),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("state", gettext_lazy("State"), "state", states=MESSAGE,
               hint=lambda row: words.message_reason(row["reason"])),
        Column("at", gettext_lazy("Arose"), "datetime"),
        Column("sent_at", gettext_lazy("Sent"), "datetime"),
    ],
    filters=[
        Choice("state", gettext_lazy("State"), lambda scope: states.choices(MESSAGE), tabs=True),
        Choice("kind", gettext_lazy("Message"), words.message_kinds, all_label=gettext_lazy("Every kind")),
        Toggle("held", gettext_lazy("Held back after a restore")),
    ],
    selectable=lambda row: row["state"] in ("queued", "failed", "unknown") or _is_held(row),
    bulk=[
        BulkAction(gettext_lazy("Stop"), lambda: reverse("web:messages_stop"), icon="ban", style="danger",
                   confirm=gettext_lazy("These messages will never be sent. Stop them?")),
        BulkAction(gettext_lazy("Send again"), lambda: reverse("web:messages_retry"), icon="refresh"),
    ],
    row_url=lambda row: reverse("web:message", args=[row["id"]]),
    empty=EmptyPanel(
        gettext_lazy("No messages yet"),
        gettext_lazy("Buyers are told by themselves: order received, dispatched, delayed, delivered, a changed number."),
        icon="message-2",
    ),
)  # fmt: skip


# --- One ----------------------------------------------------------------------------------------------------------


def _actions(message: dict[str, Any], scope: Scope) -> list[Any]:
    reason = scope.why_not("operate", message["store_id"])
    pk = message["id"]
    settle = reverse("web:message_settle", args=[pk])
    match message["state"]:
        case "unknown":
            return [
                ActionButton(_("It was sent"), settle, icon="check", style="primary", reason=reason, fields={"sent": "1"}),
                ActionButton(_("It was not sent"), settle, icon="x", style="warning", reason=reason, fields={"sent": "0"},
                             confirm=_("It will be sent again. Are you sure the buyer did not get it?")),
            ]  # fmt: skip
        case "failed":
            return [
                ActionButton(_("Send again"), reverse("web:message_retry", args=[pk]), icon="refresh", reason=reason),
                ActionButton(_("Leave it"), reverse("web:message_stop", args=[pk]), icon="ban", reason=reason),
            ]
        case "suppressed" if _is_held(message):
            return [
                ActionButton(_("Send it"), reverse("web:message_retry", args=[pk]), icon="send", style="primary", reason=reason,
                             confirm=_("The lost copy may have told the buyer already. Send it all the same?"))
            ]  # fmt: skip
        case "queued":
            return [
                ActionButton(_("Stop"), reverse("web:message_stop", args=[pk]), icon="ban", style="danger", reason=reason,
                             confirm=_("This message will never be sent. Stop it?"))
            ]  # fmt: skip
    return []


def _panels(message: dict[str, Any], scope: Scope) -> list[Panel]:
    panels: list[Panel] = []
    if message["reason"]:
        tone = {"unknown": "danger", "failed": "danger"}.get(message["state"], "info")
        panels.append(NotePanel(words.message_reason(message["reason"]), tone=tone))
    if message["state"] == "suppressed":
        return panels
    if not private.may_read(scope, message["store_id"]):
        panels.append(NotePanel(_("The text names the buyer: it is shown to owners and operators of the store.")))
        return panels
    subject, body, title, note = message["subject"], message["body"], _("As it was sent"), ""
    if message["state"] in ("queued", "failed") or not body:
        title = _("As it would be sent now")
        ready = next(iter(queries.written([message["id"]], at=scope.at)), None)
        if ready is not None:
            subject, body = ready.subject, ready.body
            if ready.unwanted:
                note = _("It would not be sent: %(why)s") % {"why": words.message_reason(ready.unwanted)}
    elif message["state"] != "sent":
        title = _("As it was being sent")
    panels.append(HtmlPanel("web/pages/letter.html", {"subject": subject, "body": body, "note": note}, title))
    return panels


MESSAGE_PAGE = DetailPage(
    load=lambda scope, pk: queries.message_detail(scope.all_store_ids, pk),
    title=lambda message, scope: words.message_kind(message["kind"]),
    back=(gettext_lazy("Messages"), lambda: reverse("web:messages")),
    badges=lambda message, scope: [
        Badge(states.word(MESSAGE, message["state"]), states.tone(MESSAGE, message["state"]))
    ],
    actions=_actions,
    facts=lambda message, scope: [
        Fact(_("Order"), message["order_number"], "code", url=places.order(message["order_id"])),
        Fact(_("Arose"), message["at"], "datetime", store_id=message["store_id"]),
        Fact(_("Sent"), message["sent_at"], "datetime", store_id=message["store_id"]),
        *(
            [Fact(_("Version of the number"), message["version"], "quantity")]
            if message["kind"] == "number_changed"
            else []
        ),
    ],
    panels=_panels,
)


def _asked(request: HttpRequest, scope: Scope, pk: int | None) -> list[int]:
    """The chosen messages that are there for this person; 404 and 403 as for one."""
    ids = [pk] if pk is not None else chosen_ids(request)
    stores = dict(Message.objects.filter(pk__in=ids).values_list("id", "store_id"))
    if pk is not None:
        scope.whole.require(stores.get(pk), "operate")
    mine = [one for one in ids if stores.get(one) in {store.id for store in scope.whole.stores}]
    scope.whole.require_all((stores[one] for one in mine), "operate")
    return mine


def _answer(request: HttpRequest, pk: int | None, ids: list[int], wrong: dict[int, str], said: Any) -> HttpResponse:
    back = reverse("web:message", args=[pk]) if pk is not None else reverse("web:messages")
    done = len(ids) - len(wrong)
    if not ids:
        return after(request, back, refused=[_("Choose at least one message.")])
    return after(request, back, said(done) % {"count": done} if done else None, refused=list(wrong.values()))


@page("operate", methods=("POST",))
def settle(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """A person says whether a message in doubt went out."""
    ids = _asked(request, scope, pk)
    sent = request.POST.get("sent") == "1"
    wrong = commands.settle_messages(ids, sent=sent, by=scope.by, at=scope.at)
    return _answer(request, pk, ids, wrong, lambda _n: _("It counts as sent.") if sent else _("It waits to be sent again."))


@page("operate", methods=("POST",))
def retry(request: HttpRequest, scope: Scope, pk: int | None = None) -> HttpResponse:
    """Put failed messages back in line."""
    ids = _asked(request, scope, pk)
    wrong = commands.retry_messages(ids, by=scope.by, at=scope.at)
    return _answer(
        request, pk, ids, wrong, lambda n: ngettext("%(count)d message waits again.", "%(count)d messages wait again.", n)
    )


@page("operate", methods=("POST",))
def stop(request: HttpRequest, scope: Scope, pk: int | None = None) -> HttpResponse:
    """Stop messages that wait or failed."""
    ids = _asked(request, scope, pk)
    wrong = commands.stop_messages(ids, by=scope.by, at=scope.at)
    return _answer(
        request, pk, ids, wrong, lambda n: ngettext("%(count)d message stopped.", "%(count)d messages stopped.", n)
    )


urlpatterns = [
    path("messages/", MESSAGES.view, name="messages"),
    path("messages/stop/", stop, name="messages_stop"),
    path("messages/retry/", retry, name="messages_retry"),
    path("messages/<int:pk>/", MESSAGE_PAGE.view, name="message"),
    path("messages/<int:pk>/settle/", settle, name="message_settle"),
    path("messages/<int:pk>/stop/", stop, name="message_stop"),
    path("messages/<int:pk>/retry/", retry, name="message_retry"),
]
