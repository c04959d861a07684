"""This copy of daifa: worker, steps waiting, quarantine, sample shop."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from daifa.domain.stores import queries as store_queries
from daifa.flows import by_hand, quarantine, sample_shop
from daifa.flows.reads import installation as reads
from daifa.web.kit import (
    ActionButton,
    BulkAction,
    Choice,
    Column,
    EmptyPanel,
    Fact,
    FactsPanel,
    Kpi,
    KpiPanel,
    LinkButton,
    ListPage,
    NotePanel,
    PanelPage,
    Refused,
    TablePanel,
    after,
    chosen_ids,
    page,
)
from daifa.web.kit import format as fmt

WORKER_SILENT = timedelta(minutes=2)

# --- This installation ------------------------------------------------------------------------------------------


def _installation_panels(request, scope):
    scope.require_installation()
    here = store_queries.installation()
    health = reads.health()
    silent = health.beat_at is None or scope.at - health.beat_at > WORKER_SILENT
    panels: list[Any] = []
    if here is not None and here.quarantined_at and not here.released_at:
        questions = quarantine.questions()
        panels.append(
            NotePanel(
                _("It was restored from a backup, or copied. Nothing leaves it until the suppliers have been asked what was placed since, and you release it."),
                tone="danger", title=_("This copy is quarantined"),
                actions=[
                    ActionButton(_("Ask the suppliers"), reverse("web:installation_read_back"), "question-mark", "" if here.read_back_at else "primary"),
                    ActionButton(
                        _("Release"), reverse("web:installation_release"), "player-play", "primary" if here.read_back_at else "",
                        reason=None if here.read_back_at else _("Ask the suppliers first."),
                        confirm=_("Let this copy place, send and tell again? Be sure that no other copy is at work."),
                    ),
                ],
            )
        )  # fmt: skip
        panels.append(
            TablePanel(
                _("Ask the factories: did you get these?"),
                [Column("supplier", _("Supplier"), "code"), Column("reference", _("Reference"), "code"), Column("order", _("Order"), "code"),
                 Column("units", _("Units"), "quantity"), Column("at", _("Made"), "datetime")],
                questions[:100], empty=_("Nothing is in doubt."),
            )
        )  # fmt: skip
    elif sentence := store_queries.why_not_outward(scope.at):
        panels.append(NotePanel(sentence, tone="warning"))
    if silent:
        panels.append(
            NotePanel(
                _("No worker has been heard of lately: nothing is routed, placed, sent or tracked until one runs. Start it with “daifa up”."),
                tone="warning", title=_("The worker is silent"),
            )
        )
    panels += [
        KpiPanel([
            Kpi(_("Worker"), ngettext("%(n)d at work", "%(n)d at work", health.workers) % {"n": health.workers} if not silent else _("silent"),
                fmt.ago(health.beat_at) if health.beat_at else "", tone="red" if silent else "", icon="robot"),
            Kpi(_("Steps waiting"), fmt.quantity_text(health.owed), fmt.ago(health.owed_since) if health.owed_since else _("all done"),
                icon="hourglass", url=f"{reverse('web:reactions')}?state=pending"),
            Kpi(_("Steps that need you"), fmt.quantity_text(health.parked), _("could not be done"), tone="red" if health.parked else "",
                icon="alert-triangle", url=f"{reverse('web:reactions')}?state=parked"),
            Kpi(_("Messages waiting"), fmt.quantity_text(health.messages_waiting), icon="mail"),
        ]),
        FactsPanel(
            _("This copy"),
            [
                Fact(_("Code"), here.code if here else "–", "code", hint=_("begins our purchase references")),
                Fact(_("Since"), here.created_at if here else None, "datetime"),
                Fact(_("Released"), here.released_at if here else None, "datetime",
                     hint=fmt.actor_names([here.released_by])[here.released_by] if here and here.released_by else ""),
                Fact(_("Jobs waiting"), health.jobs_waiting, "quantity"),
                Fact(_("Jobs that failed"), health.jobs_failed, "quantity"),
                Fact(_("Database"), f"{health.database_bytes / 1048576:,.0f} MB"),
            ],
        ),
    ]  # fmt: skip
    if sample_shop.has_sample_shop():
        panels.append(
            NotePanel(
                _("The sample shop is loaded: made-up suppliers, real orders of a gift shop from long ago. Nothing of it leaves the building. "
                  "Take it out when you begin with your own stores; your own rows stay."),
                tone="info", title=_("Sample shop"),
                actions=[
                    ActionButton(
                        _("Remove the sample shop"), reverse("web:sample_remove"), "trash", "danger",
                        confirm=_("Take out the sample stores with all their orders, purchases and entries? This cannot be undone."),
                    )
                ],
            )
        )  # fmt: skip
    return panels


INSTALLATION = PanelPage(title=_("This installation"), needs="own", panels=_installation_panels)


@page("own", methods=("POST",))
def read_back(request, scope):
    scope.require_installation()
    try:
        result = quarantine.read_back(at=scope.at, by=scope.by)
    except Refused as why:
        return after(request, reverse("web:installation"), refused=[why.sentence])
    if result.silent:
        return after(request, reverse("web:installation"), warning=_("Some suppliers did not answer; ask again later."))
    return after(request, reverse("web:installation"), _("The suppliers were asked. Look at what is in doubt, then release."))


@page("own", methods=("POST",))
def release(request, scope):
    scope.require_installation()
    try:
        left = quarantine.release(by=scope.by, at=scope.at)
    except Refused as why:
        return after(request, reverse("web:installation"), refused=[why.sentence])
    warning = ngettext("%(n)d purchase is still in doubt; it is not sent again before you settle it.",
                       "%(n)d purchases are still in doubt; they are not sent again before you settle them.", left) % {"n": left}  # fmt: skip
    return after(request, reverse("web:installation"), _("Released."), warning=warning if left else None)


@page("own", methods=("POST",))
def remove_sample(request, scope):
    scope.require_installation()
    try:
        rows = sample_shop.remove_sample_shop(by=scope.by, at=scope.at)
    except Refused as why:
        return after(request, reverse("web:installation"), refused=[why.sentence])
    return after(
        request, reverse("web:installation"),
        _("The sample shop was taken out: %(n)s rows.") % {"n": fmt.quantity_text(sum(rows.values()))},
    )  # fmt: skip


def _reactions(scope, filters, cursor, limit):
    scope.require_installation()
    return reads.reaction_list(state=filters.get("state"), cursor=cursor, limit=limit)


REACTIONS = ListPage(
    title=_("Steps waiting and steps that need you"),
    intro=_("Each thing that happens owes steps: routing, booking, telling. One that fails three times waits here for a person."),
    needs="own",
    rows=_reactions,
    columns=[
        Column("reaction", _("Step"), value=lambda row: row.reaction.replace("_", " ")),
        Column("state", _("State"), "state", states="reaction"),
        Column("things", _("Things"), "quantity"),
        Column("first", _("First one"), "code", phone=False),
        Column("at", _("Since"), "datetime"),
        Column("attempts", _("Tries"), "quantity", phone=False),
        Column("reason", _("Why"), wrap=True),
    ],
    filters=[Choice("state", _("State"), [("pending", _("waiting")), ("parked", _("needs you"))], tabs=True)],
    bulk=[BulkAction(_("Try again"), lambda: reverse("web:reactions_retry"), "refresh", "primary", needs="own")],
    selectable=lambda row: row.state == "parked",
    actions=lambda scope: [LinkButton(_("This installation"), reverse("web:installation"), "arrow-left")],
    empty=EmptyPanel(_("Nothing waits"), _("All that was owed has been done."), icon="circle-check"),
)


@page("own", methods=("POST",))
def retry_reactions(request, scope):
    scope.require_installation()
    ids = chosen_ids(request)
    with transaction.atomic():
        count = by_hand.retry_parked(ids=ids, by=scope.by, at=scope.at)
    done = ngettext("%(n)d is tried again.", "%(n)d are tried again.", count) % {"n": count} if count else None
    return after(request, reverse("web:reactions"), done, refused=[] if count else [_("None of them waits for a person any more.")])

urlpatterns = [
    path("installation/", INSTALLATION.view, name="installation"),
    path("installation/read-back/", read_back, name="installation_read_back"),
    path("installation/release/", release, name="installation_release"),
    path("installation/sample/remove/", remove_sample, name="sample_remove"),
    path("installation/steps/", REACTIONS.view, name="reactions"),
    path("installation/steps/retry/", retry_reactions, name="reactions_retry"),
]
