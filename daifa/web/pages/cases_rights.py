"""Rights and licences: notices that a listing infringes, by what right listings use pictures and brands, qualifications."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from daifa.domain.cases import commands, queries, rules
from daifa.domain.cases.models import Infringement, Qualification
from daifa.domain.cases.process import BASES, INFRINGEMENT, QUALIFICATIONS, RIGHTS
from daifa.domain.catalog.models import ListingVariant
from daifa.domain.policy import queries as policy
from daifa.lib.commas import listed
from daifa.lib.refusal import Refused
from daifa.web.kit import (
    ActionButton,
    Badge,
    Choice,
    Column,
    Cursor,
    DetailPage,
    EmptyPanel,
    Fact,
    FormPage,
    LinkButton,
    ListPage,
    NotePanel,
    Panel,
    PanelPage,
    Scope,
    TablePanel,
    Toggle,
    after,
    page,
    states,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import cases_evidence as evidence
from daifa.web.pages import places, private
from daifa.web.pages.cases_complaints import words_of
from daifa.web.pages.moments import (
    NOW_IF_EMPTY,
    TODAY_IF_EMPTY,
    Moment,
    moment,
    now_there,
    past_moment,
    today_there,
)
from daifa.web.pages.rule_links import rule_link

DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")

# --- Infringement -------------------------------------------------------------------------------------------------


def _rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[dict[str, Any]]:
    return queries.infringement_page(scope.store_ids, state=filters.get("state"), q=filters.get("q"), cursor=cursor, limit=limit)


INFRINGEMENTS = ListPage(
    title=gettext_lazy("Infringement"),
    intro=gettext_lazy("Notices of original sellers and brands. Concede, or answer with a counter-notice and proof: then the law gives the complainant some days to sue or complain (15 in China)."),
    search=gettext_lazy("Reference or listing"),
    order=queries.NEWEST,
    rows=_rows,
    export="infringements",
    columns=[
        Column("reference", gettext_lazy("Notice"), "code", link=True, hint="title"),
        Column("right", gettext_lazy("Right"), value=lambda row: queries.word(RIGHTS, row["right"])),
        Column("complainant", gettext_lazy("Complainant"), wrap=True),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("state", gettext_lazy("State"), "state", states=INFRINGEMENT),
        Column("notified_at", gettext_lazy("Arrived"), "datetime"),
        Column("due_at", gettext_lazy("Due"), "due", value=lambda row: None if row["ended_at"] else row["restore_due_at"] or row["answer_due_at"]),
    ],
    filters=[Choice("state", gettext_lazy("State"), lambda scope: [("open", _("not ended")), *states.choices(INFRINGEMENT)], tabs=True)],
    actions=lambda scope: [
        LinkButton(_("Enter a notice"), reverse("web:infringement_add"), "plus", "primary", reason=scope.why_not("operate")),
        LinkButton(_("Rights of listings"), reverse("web:rights"), "key"),
    ],
    row_url=lambda row: reverse("web:infringement", args=[row["id"]]),
    empty=EmptyPanel(
        gettext_lazy("No notices"), gettext_lazy("Record by what right your listings use pictures and brands before somebody asks."), icon="ban"
    ),
)  # fmt: skip

STEPS = {
    "taken_down": (gettext_lazy("The platform took it down"), "trash"),
    "countered": (gettext_lazy("Send a counter-notice"), "send"),
    "forwarded": (gettext_lazy("The platform forwarded it"), "arrow-right"),
    "sued": (gettext_lazy("They sued or complained"), "alert-triangle"),
    "restored": (gettext_lazy("It is restored"), "circle-check"),
    "upheld": (gettext_lazy("It stays down"), "circle-x"),
    "conceded": (gettext_lazy("Concede"), "check"),
    "retracted": (gettext_lazy("They took it back"), "arrow-back-up"),
}  # fmt: skip


def _load(scope: Scope, pk: int) -> queries.InfringementDetail | None:
    return queries.infringement_detail(scope.all_store_ids, pk)


def _load_whole(scope: Scope, pk: int) -> queries.InfringementDetail | None:
    return queries.infringement_detail(scope.whole.all_store_ids, pk)


def _actions(found: queries.InfringementDetail, scope: Scope) -> list[Any]:
    row = found.case
    why = scope.why_not("operate", row["store_id"])
    buttons: list[Any] = []
    for to in INFRINGEMENT.next(row["state"]):
        label, icon = STEPS[to]
        if to == "countered":
            reason = why
            if why is None and not queries.has_proof(Infringement(pk=row["id"], listing_id=row["listing_id"])):
                reason = _("Record the right on the listing, or add a document, first.")
            buttons.insert(0, LinkButton(label, reverse("web:infringement_counter", args=[row["id"]]), icon, "primary", reason=reason))
        else:
            buttons.append(
                ActionButton(
                    label, reverse("web:infringement_step", args=[row["id"]]), icon, reason=why, fields={"to": to},
                    ask=_("What was said") if INFRINGEMENT.is_final(to) else None,
                )
            )  # fmt: skip
    return buttons


def _rights_panel(rights: list[dict[str, Any]], scope: Scope, *, listing_id: int | None, store_id: int) -> Panel:
    return TablePanel(
        _("Rights recorded on the listing"),
        [
            Column("right", gettext_lazy("Right"), value=lambda one: queries.word(RIGHTS, one["right"]), hint="number"),
            Column("basis", gettext_lazy("By"), value=lambda one: queries.word(BASES, one["basis"])),
            Column("holder", gettext_lazy("From whom")),
            Column("valid_from", gettext_lazy("Begins"), "date"), Column("valid_until", gettext_lazy("Ends"), "date"),
            Column("note", gettext_lazy("Note"), wrap=True),
        ],
        rights,
        empty=_("No right is recorded on the listing."),
        actions=[
            LinkButton(
                _("Record a right"), f"{reverse('web:right_add')}?listing={listing_id or ''}", "key", reason=scope.why_not("operate", store_id)
            )
        ],
    )  # fmt: skip


def _panels(found: queries.InfringementDetail, scope: Scope) -> list[Panel]:
    row = found.case
    panels: list[Panel] = []
    if private.may_read(scope, row["store_id"]):
        if row["claim"]:
            panels.append(NotePanel(row["claim"], title=_("What is claimed"), tone="warning"))
        if row["counter"]:
            panels.append(NotePanel(row["counter"], title=_("Our counter-notice")))
    if row["state"] == "forwarded" and row["restore_due_at"]:
        panels.append(
            NotePanel(
                _("If the complainant has not sued or complained by then, the platform must end its measure at once (E-Commerce Law 43)."),
                title=fmt.date_text(row["restore_due_at"], scope.zone(row["store_id"])),
            )
        )
    panels.append(_rights_panel(found.rights, scope, listing_id=row["listing_id"], store_id=row["store_id"]))
    panels += evidence.files_panel(found.files, scope, store_id=row["store_id"], kind="infringement", thing=row["id"])
    if private.may_read(scope, row["store_id"]):
        panels.append(evidence.packs_panel(found.packs, scope, store_id=row["store_id"], kind="infringement", case=row["id"]))
    return panels


INFRINGEMENT_PAGE = DetailPage(
    load=_load,
    store_id="case__store_id",
    title=lambda found, scope: _("Notice %(reference)s") % {"reference": found.case["reference"]},
    back=(gettext_lazy("Infringement"), lambda: reverse("web:infringements")),
    badges=lambda found, scope: [Badge(states.word(INFRINGEMENT, found.case["state"]), states.tone(INFRINGEMENT, found.case["state"]))],
    actions=_actions,
    facts=lambda found, scope: [
        Fact(_("Listing"), found.case["title"] or None, url=places.place("listing", found.case["listing_id"]) if found.case["listing_id"] else None),
        Fact(_("Right"), f"{queries.word(RIGHTS, found.case['right'])} {found.case['right_number']}"),
        Fact(_("Complainant"), found.case["complainant"]),
        Fact(_("Arrived"), found.case["notified_at"], "datetime", store_id=found.case["store_id"]),
        Fact(_("To be answered by"), found.case["answer_due_at"], "datetime", store_id=found.case["store_id"]),
        Fact(_("Counter-notice sent"), found.case["countered_at"], "datetime", store_id=found.case["store_id"]),
        Fact(_("Forwarded by the platform"), found.case["forwarded_at"], "datetime", store_id=found.case["store_id"]),
        Fact(_("Complainant's time ends"), found.case["restore_due_at"], "datetime", store_id=found.case["store_id"], hint=rule_link(found.case["rule"])),
        Fact(_("Ended"), found.case["ended_at"], "datetime", store_id=found.case["store_id"]),
    ],
    panels=_panels,
)  # fmt: skip


@page("operate", methods=("POST",))
def step(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """Move a case on, except by a counter-notice, which has a form of its own."""
    found = _load_whole(scope, pk)
    scope.whole.require(found.case["store_id"] if found else None, "operate")
    back = reverse("web:infringement", args=[pk])
    to = request.POST.get("to", "")
    if to not in STEPS or to == "countered":
        return after(request, back, refused=[_("This case is not where it was: look at it again.")])
    try:
        commands.step_infringement(case_id=pk, to=to, text=request.POST.get("reason", ""), by=scope.by, at=scope.at)
    except Refused as refused:
        return after(request, back, refused=[refused.sentence])
    return after(request, back, _("Kept."))


class CounterForm(forms.Form):
    text = forms.CharField(label=gettext_lazy("Why nothing is infringed"), widget=forms.Textarea(attrs={"rows": 8}))


def _save_counter(scope: Scope, found: queries.InfringementDetail, data: dict[str, Any], *, by: str, at: datetime) -> str:
    commands.step_infringement(case_id=found.case["id"], to="countered", text=data["text"], by=by, at=at)
    return reverse("web:infringement", args=[found.case["id"]])


COUNTER = FormPage(
    title=gettext_lazy("Counter-notice"), form=CounterForm, load=_load_whole, store_id="case__store_id", save=_save_counter,
    intro=gettext_lazy("A declaration that nothing is infringed, with first proof. False declarations make liable; the platform forwards it to the complainant."),
    back=lambda found: (found.case["reference"], reverse("web:infringement", args=[found.case["id"]])), success=gettext_lazy("Kept. Hand it in at the platform."),
)  # fmt: skip


def _add_form(scope: Scope, thing: Any) -> type[forms.Form]:
    class NoticeForm(forms.Form):
        store = forms.TypedChoiceField(label=gettext_lazy("Store"), coerce=int, choices=[(one.id, one.name) for one in scope.stores])
        reference = forms.CharField(label=gettext_lazy("Reference of the platform"), max_length=80)
        sku = forms.CharField(label=gettext_lazy("SKU of the listing"), max_length=80, required=False)
        right = forms.ChoiceField(label=gettext_lazy("Right"), choices=words_of(RIGHTS))
        right_number = forms.CharField(label=gettext_lazy("Its number"), max_length=80, required=False)
        complainant = forms.CharField(label=gettext_lazy("Complainant"), max_length=160, required=False)
        claim = forms.CharField(label=gettext_lazy("What is claimed"), widget=forms.Textarea(attrs={"rows": 4}), required=False)
        notified_at = Moment(label=gettext_lazy("Arrived"), required=False, help_text=NOW_IF_EMPTY)
        answer_due_at = Moment(label=gettext_lazy("To be answered by"), required=False, help_text=gettext_lazy("As the notice says."))
        taken_down = forms.BooleanField(label=gettext_lazy("The platform has taken it down already"), required=False)

    return NoticeForm


def _listing(store_id: int, sku: str) -> int | None:
    if not sku.strip():
        return None
    found = ListingVariant.objects.filter(store_id=store_id, sku=sku.strip()).values_list("pk", flat=True).first()
    if found is None:
        raise Refused(
            _("This store has no such listing: list the product there first, or leave the field empty."), code="no_listing", field="sku"
        )
    return found


def _add(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: datetime) -> str:
    store = scope.require(data["store"], "operate")
    due = moment(data["answer_due_at"], scope, store.id, "answer_due_at")
    notified = past_moment(data["notified_at"], scope, store.id, "notified_at")
    case = commands.open_infringement(
        commands.NewInfringement(
            data["reference"], notified, data["right"], data["complainant"], _listing(store.id, data["sku"]), data["right_number"],
            data["claim"], due, data["taken_down"],
        ),
        store=store, source=by, by=by, at=at,
    )  # fmt: skip
    return reverse("web:infringement", args=[case.pk])


ADD = FormPage(
    title=gettext_lazy("Enter a notice"), form=_add_form, save=_add, success=gettext_lazy("Kept."),
    initial=lambda scope, thing: {
        "store": scope.current.id if scope.current else None,
        "notified_at": now_there(scope),
    },
    back=(gettext_lazy("Infringement"), lambda: reverse("web:infringements")),
)  # fmt: skip


def _right_form(scope: Scope, thing: Any) -> type[forms.Form]:
    class RightForm(forms.Form):
        store = forms.TypedChoiceField(label=gettext_lazy("Store"), coerce=int, choices=[(one.id, one.name) for one in scope.stores])
        skus = forms.CharField(label=gettext_lazy("SKUs of the listings"), max_length=4000, help_text=gettext_lazy("Separated by commas or spaces."))
        right = forms.ChoiceField(label=gettext_lazy("Right"), choices=words_of(RIGHTS))
        basis = forms.ChoiceField(label=gettext_lazy("By"), choices=words_of(BASES))
        holder = forms.CharField(label=gettext_lazy("From whom"), max_length=160, required=False)
        number = forms.CharField(label=gettext_lazy("Number"), max_length=80, required=False)
        valid_from = forms.DateField(label=gettext_lazy("Begins"), widget=DAY, required=False, help_text=TODAY_IF_EMPTY)
        valid_until = forms.DateField(label=gettext_lazy("Ends"), widget=DAY, required=False)
        note = forms.CharField(label=gettext_lazy("Note"), max_length=300, required=False)
        files = evidence.SeveralFiles(label=gettext_lazy("Documents"), required=False)

    return RightForm


def _save_right(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: datetime) -> str:
    import re

    from daifa.domain.cases.files import media_type_of

    store = scope.require(data["store"], "operate")
    papers = evidence.contents(data["files"])
    for name, content in papers:
        media_type_of(name, content)
    skus = list(dict.fromkeys(filter(None, re.split(r"[,;，；、\s]+", data["skus"]))))
    found = dict(ListingVariant.objects.filter(store=store, sku__in=skus).values_list("sku", "pk"))
    if missing := [sku for sku in skus if sku not in found]:
        raise Refused(
            _("This store has no listing %(skus)s.") % {"skus": listed(missing[:10])}, code="no_listing", field="skus"
        )
    ids = commands.record_right(
        listing_ids=list(found.values()), store=store, right=data["right"], basis=data["basis"],
        valid_from=data["valid_from"] or at.astimezone(scope.whole.zone(store.id)).date(),
        valid_until=data["valid_until"], holder=data["holder"], number=data["number"], note=data["note"], by=by, at=at,
    )  # fmt: skip
    for right in ids:
        commands.attach_files(papers, store_id=store.id, thing_kind="listing_right", thing=right, by=by, at=at)
    return reverse("web:right", args=[ids[0]]) if len(ids) == 1 else reverse("web:rights")


@page("operate")
def add_right(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Record by what right listings use pictures, brand or design; the listing may be named by the address."""
    asked = request.GET.get("listing", "")
    listing = None
    if asked.isascii() and asked.isdigit() and len(asked) < 19:
        listing = ListingVariant.objects.filter(pk=int(asked), store_id__in=scope.all_store_ids).first()
    return FormPage(
        title=gettext_lazy("Record a right"), form=_right_form, save=_save_right, success=gettext_lazy("Kept."),
        intro=gettext_lazy("By what right listings use their pictures, brand or design. The proof is ready when somebody asks."),
        initial=lambda scope, thing: {
            "store": listing.store_id if listing else scope.current.id if scope.current else None, "skus": listing.sku if listing else "",
            "right": "copyright", "valid_from": today_there(scope),
        },
        back=(gettext_lazy("Rights of listings"), lambda: reverse("web:rights")),
    ).respond(request, scope)  # fmt: skip


def _right_standing(row: dict[str, Any], scope: Scope) -> list[Badge]:
    return _standing({**row, "withdrawn_on": None}, scope)


def _right_rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[dict[str, Any]]:
    soon = scope.at.astimezone(scope.zone()).date() + timedelta(days=rules.REMIND_DAYS) if filters.get("ending") else None
    rows = queries.right_page(
        scope.store_ids, right=filters.get("right"), q=filters.get("q"), ending_by=soon, cursor=cursor, limit=limit
    )
    return [{**row, "standing": _right_standing(row, scope)} for row in rows]


RIGHTS_LIST = ListPage(
    title=gettext_lazy("Rights of listings"),
    intro=gettext_lazy("By what right each listing uses its pictures, brand or design, with the papers: ready before somebody asks."),
    search=gettext_lazy("SKU, title or holder"),
    order=queries.NEWEST,
    rows=_right_rows,
    export="rights",
    columns=[
        Column("sku", gettext_lazy("Listing"), "code", link=True, hint="title"),
        Column("right", gettext_lazy("Right"), value=lambda row: queries.word(RIGHTS, row["right"]), hint="number"),
        Column("basis", gettext_lazy("By"), value=lambda row: queries.word(BASES, row["basis"])),
        Column("holder", gettext_lazy("From whom"), wrap=True),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("valid_until", gettext_lazy("Until"), "date"),
        Column("papers", gettext_lazy("Documents"), "quantity"),
        Column("standing", "", "badges", export=False),
    ],
    filters=[Choice("right", gettext_lazy("Right"), lambda scope: words_of(RIGHTS)), Toggle("ending", gettext_lazy("ended or ending soon"))],
    actions=lambda scope: [
        LinkButton(_("Record a right"), reverse("web:right_add"), "plus", "primary", reason=scope.why_not("operate")),
        LinkButton(_("Infringement"), reverse("web:infringements"), "arrow-left", "ghost"),
    ],
    row_url=lambda row: reverse("web:right", args=[row["id"]]),
    empty=EmptyPanel(
        gettext_lazy("No rights recorded"), gettext_lazy("Record by what right your listings use pictures and brands before somebody asks."), icon="key"
    ),
)  # fmt: skip

RIGHT_PAGE = DetailPage(
    load=lambda scope, pk: queries.right_detail(scope.all_store_ids, pk),
    title=lambda row, scope: f"{queries.word(RIGHTS, row['right'])} · {row['sku']}",
    back=(gettext_lazy("Rights of listings"), lambda: reverse("web:rights")),
    badges=_right_standing,
    facts=lambda row, scope: [
        Fact(_("Listing"), row["title"] or row["sku"], url=places.place("listing", row["listing_id"])),
        Fact(_("By"), queries.word(BASES, row["basis"])), Fact(_("From whom"), row["holder"]), Fact(_("Number"), row["number"], "code"),
        Fact(_("Begins"), row["valid_from"], "date"), Fact(_("Until"), row["valid_until"] or _("without an end"), "date" if row["valid_until"] else "text"),
        Fact(_("Note"), row["note"]), Fact(_("Entered"), row["at"], "datetime", hint=fmt.actor_names([row["by"]])[row["by"]]),
    ],
    panels=lambda row, scope: evidence.files_panel(row["files"], scope, store_id=row["store_id"], kind="listing_right", thing=row["id"]),
)  # fmt: skip


# --- Qualifications -----------------------------------------------------------------------------------------------


def _standing(row: dict[str, Any], scope: Scope) -> list[Badge]:
    today = scope.at.astimezone(scope.zone(row["store_id"])).date()
    if row["withdrawn_on"] and row["withdrawn_on"] <= today:
        return [Badge(_("withdrawn"), "muted")]
    if row["valid_until"] is None:
        return [Badge(_("valid"), "success")]
    left = (row["valid_until"] - today).days
    if left < 0:
        return [Badge(_("ended"), "danger")]
    return [Badge(_("ends soon"), "warning")] if left <= rules.REMIND_DAYS else [Badge(_("valid"), "success")]


def _needs_panels(scope: Scope, filters: dict[str, Any]) -> list[Panel]:
    """What a category asks for, where one was typed."""
    panels: list[Panel] = []
    category = filters.get("q", "")
    stores = [scope.current] if scope.current else scope.stores
    if category:
        rows = [
            {"store_id": store.id, "kinds": queries.licence_words(one.kinds), "source": queries.source_words(one), "blocks": one.blocks, "ended": one.ended_on}
            for store in stores if store is not None
            for one in queries.missing_qualifications(store.id, category, scope.at.astimezone(scope.zone(store.id)).date())
        ]  # fmt: skip
        panels.append(
            TablePanel(
                _("Missing for “%(category)s”") % {"category": category},
                [
                    Column("kinds", gettext_lazy("Licence"), hint="source", wrap=True), Column("store_id", gettext_lazy("Store"), "store"),
                    Column("ended", gettext_lazy("Ended"), "date"),
                    Column("blocks", "", "badges", value=lambda row: [Badge(_("publishing waits"), "danger") if row["blocks"] else Badge(_("asked for"), "info")]),
                ],
                rows[:40],
                empty=_("Nothing that daifa knows of."),
                note=_("What daifa asks for stands in the law; whether the channel asks for more only its own list says. Confirm or strike out what you have checked."),
                actions=[LinkButton(_("What goods need"), reverse("web:qualification_needs"), "list")],
            )
        )
    return panels


def _licence_rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[dict[str, Any]]:
    rows = queries.qualification_page(scope.store_ids, kind=filters.get("kind"), cursor=cursor, limit=limit)
    return [{**row, "standing": _standing(row, scope)} for row in rows]


LICENCES = ListPage(
    title=gettext_lazy("Qualifications"),
    intro=gettext_lazy("Licences of your stores, by category, with their ends. Type a category to see what it asks for."),
    search=gettext_lazy("A category, as 零食 or Toys"),
    order=queries.NEWEST,
    rows=_licence_rows,
    panels=_needs_panels,
    export="qualifications",
    columns=[
        Column("number", gettext_lazy("Number"), "code", link=True, hint=lambda row: row["holder"]),
        Column("kind", gettext_lazy("Licence"), value=lambda row: queries.word(QUALIFICATIONS, row["kind"]), wrap=True),
        Column("category", gettext_lazy("Category"), value=lambda row: row["category"] or _("all")),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("valid_until", gettext_lazy("Until"), "date"),
        Column("papers", gettext_lazy("Documents"), "quantity"),
        Column("standing", "", "badges", export=False),
    ],
    filters=[Choice("kind", gettext_lazy("Licence"), lambda scope: words_of(QUALIFICATIONS))],
    actions=lambda scope: [
        LinkButton(_("Enter a licence"), reverse("web:qualification_add"), "plus", "primary", reason=scope.why_not("operate")),
        LinkButton(_("What goods need"), reverse("web:qualification_needs"), "list"),
    ],
    row_url=lambda row: reverse("web:qualification", args=[row["id"]]),
    empty=EmptyPanel(
        gettext_lazy("No licences"), gettext_lazy("Enter the business licence first; goods of some categories need more."), icon="file-text"
    ),
)  # fmt: skip

LICENCE = DetailPage(
    load=lambda scope, pk: queries.qualification_detail(scope.all_store_ids, pk),
    title=lambda row, scope: queries.word(QUALIFICATIONS, row["kind"]),
    back=(gettext_lazy("Qualifications"), lambda: reverse("web:qualifications")),
    badges=_standing,
    actions=lambda row, scope: [] if row["withdrawn_on"] else [
        ActionButton(_("Withdraw"), reverse("web:qualification_withdraw", args=[row["id"]]), "ban", reason=scope.why_not("operate", row["store_id"]),
                     confirm=_("From today on it does not count. Withdraw it?"))
    ],
    facts=lambda row, scope: [
        Fact(_("Number"), row["number"], "code"), Fact(_("Holder"), row["holder"]), Fact(_("Category"), row["category"] or _("all")),
        Fact(_("Valid from"), row["valid_from"], "date"), Fact(_("Until"), row["valid_until"] or _("without an end"), "date" if row["valid_until"] else "text"),
        Fact(_("Withdrawn"), row["withdrawn_on"], "date"), Fact(_("Note"), row["note"]),
        Fact(_("Entered"), row["at"], "datetime", hint=fmt.actor_names([row["by"]])[row["by"]]),
    ],
    panels=lambda row, scope: evidence.files_panel(row["files"], scope, store_id=row["store_id"], kind="qualification", thing=row["id"]),
)  # fmt: skip


@page("operate", methods=("POST",))
def withdraw(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """A licence counts no more."""
    store_id = Qualification.objects.filter(pk=pk).values_list("store_id", flat=True).first()
    scope.whole.require(store_id, "operate")
    commands.withdraw_qualification(qualification_id=pk, on=scope.at.astimezone(scope.whole.zone(store_id)).date(), by=scope.by, at=scope.at)
    return after(request, reverse("web:qualification", args=[pk]), _("It counts no more."))


def _licence_form(scope: Scope, thing: Any) -> type[forms.Form]:
    class LicenceForm(forms.Form):
        store = forms.TypedChoiceField(label=gettext_lazy("Store"), coerce=int, choices=[(one.id, one.name) for one in scope.stores])
        kind = forms.ChoiceField(label=gettext_lazy("Licence"), choices=words_of(QUALIFICATIONS))
        number = forms.CharField(label=gettext_lazy("Number"), max_length=80)
        holder = forms.CharField(label=gettext_lazy("Holder"), max_length=160, required=False)
        category = forms.CharField(label=gettext_lazy("Category"), max_length=120, required=False, help_text=gettext_lazy("Empty: for the whole store."))
        valid_from = forms.DateField(label=gettext_lazy("Valid from"), widget=DAY)
        valid_until = forms.DateField(label=gettext_lazy("Until"), widget=DAY, required=False, help_text=gettext_lazy("Empty: without an end."))
        note = forms.CharField(label=gettext_lazy("Note"), max_length=300, required=False)
        files = evidence.SeveralFiles(label=gettext_lazy("Documents"), required=False)

    return LicenceForm


def _save_licence(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: datetime) -> str:
    from daifa.domain.cases.files import media_type_of

    store = scope.require(data["store"], "operate")
    papers = evidence.contents(data["files"])
    for name, content in papers:
        media_type_of(name, content)
    found = commands.add_qualification(
        store=store, kind=data["kind"], number=data["number"], category=data["category"], holder=data["holder"], valid_from=data["valid_from"],
        valid_until=data["valid_until"], note=data["note"], by=by, at=at,
    )  # fmt: skip
    commands.attach_files(papers, store_id=store.id, thing_kind="qualification", thing=found.pk, by=by, at=at)
    return reverse("web:qualification", args=[found.pk])


LICENCE_ADD = FormPage(
    title=gettext_lazy("Enter a licence"), form=_licence_form, save=_save_licence, success=gettext_lazy("Kept."),
    initial=lambda scope, thing: {"store": scope.current.id if scope.current else None},
    intro=gettext_lazy("As it stands on the document. The same number again renews it."), back=(gettext_lazy("Qualifications"), lambda: reverse("web:qualifications")),
)  # fmt: skip


# --- What goods need ----------------------------------------------------------------------------------------------

STANDINGS = {"must": gettext_lazy("a must: publishing waits"), "ask": gettext_lazy("asked for"), "not_needed": gettext_lazy("not needed")}
STANDING_TONES = {"must": "danger", "ask": "info", "not_needed": "muted"}
SURE = {"high": gettext_lazy("sure"), "medium": gettext_lazy("fairly sure"), "low": gettext_lazy("to be checked")}


def _where(row: dict[str, Any], scope: Scope) -> str:
    if row["store_id"]:
        store = scope.store(row["store_id"])
        return store.name if store is not None else _("another store")
    return row["channel"] or _("all stores")


def _words_of_needs(scope: Scope) -> list[dict[str, Any]]:
    """daifa's own needs, each with what the owner said about it, nearest word last."""
    said: dict[str, list[dict[str, Any]]] = {}
    for row in queries.said_needs(scope=scope.store_ids):
        if row["default"]:
            said.setdefault(row["default"], []).append(row)
    return [{"need": need, "said": said.get(need.id, [])} for need in rules.default_needs()]


def _goods(words: tuple[str, ...]) -> str:
    """The words of a category's name, those of the reader's language."""
    chinese = (get_language() or "").startswith("zh")
    return ("、" if chinese else ", ").join(word for word in words if word.isascii() != chinese) or _("all")


def _standings(row: dict[str, Any], scope: Scope) -> list[Badge]:
    found = [
        Badge(f"{_where(one, scope)}: {STANDINGS['must' if one['is_needed'] else 'not_needed']}", STANDING_TONES["must" if one["is_needed"] else "not_needed"], one["source"])
        for one in row["said"]
    ]
    everywhere = any(not one["store_id"] and not one["channel"] for one in row["said"])
    return found if everywhere else [Badge(STANDINGS["ask"], "info"), *found]


def _need_panels(request: HttpRequest, scope: Scope) -> list[Panel]:
    own = [row for row in queries.said_needs(scope=scope.store_ids) if not row["default"]]
    return [
        TablePanel(
            _("What daifa knows from the law"),
            [
                Column("kinds", gettext_lazy("Licence"), value=lambda row: queries.licence_words(row["need"].kinds), link=True, wrap=True,
                       hint=lambda row: f"{queries.source_words(row['need'])} · {row['need'].as_of} · {SURE[row['need'].confidence]}"),
                Column("words", gettext_lazy("Goods"), value=lambda row: _goods(row["need"].words), wrap=True),
                Column("channels", gettext_lazy("Channels"), value=lambda row: _("Chinese platforms"), phone=False),
                Column("standing", gettext_lazy("Counts as"), "badges", value=lambda row: _standings(row, scope)),
            ],
            _words_of_needs(scope),
            row_url=lambda row: reverse("web:qualification_default", args=[row["need"].id]),
            note=_("Put together from the laws named; the channels' own lists were not read. Each only asks until you make it a must or strike it out."),
        ),
        TablePanel(
            _("What you said is needed"),
            [
                Column("kind", gettext_lazy("Licence"), value=lambda row: queries.word(QUALIFICATIONS, row["kind"]), hint="source", wrap=True),
                Column("category", gettext_lazy("Category"), value=lambda row: row["category"] or _("all")),
                Column("where", gettext_lazy("For"), value=lambda row: _where(row, scope)),
                Column("standing", gettext_lazy("Counts as"), "badges",
                       value=lambda row: [Badge(STANDINGS["must" if row["is_needed"] else "not_needed"], STANDING_TONES["must" if row["is_needed"] else "not_needed"])]),
                Column("at", gettext_lazy("Said"), "datetime", phone=False),
                Column("forget", "", "html", export=False, value=lambda row: _forget_button(request, scope, row)),
            ],
            own,
            empty=_("Nothing yet. Enter what a channel's own list asks for, by category."),
            actions=[LinkButton(_("Say what is needed"), reverse("web:qualification_need"), "plus", reason=scope.why_not_shared("own"))],
        ),
    ]  # fmt: skip


def _forget_button(request: HttpRequest, scope: Scope, row: dict[str, Any]) -> str:
    button = ActionButton(_("Take back"), reverse("web:qualification_need_forget", args=[row["id"]]), "x", "ghost", reason=scope.why_not_shared("own"))
    return render_to_string("web/pages/buttons.html", {"buttons": [button], "request": request}, request)


NEEDS = PanelPage(
    title=gettext_lazy("What goods need"),
    intro=gettext_lazy("Which papers goods of a category ask for. A must holds publishing back until the licence is in the register."),
    panels=_need_panels,
    actions=lambda scope: [LinkButton(_("Qualifications"), reverse("web:qualifications"), "arrow-left", "ghost")],
)  # fmt: skip


def _store_choices(scope: Scope) -> list[tuple[str, str]]:
    channels = sorted({policy.book_name(store.channel) for store in scope.stores} - {"", "manual", "sample"})
    return [("", _("all stores")), *((f"channel:{one}", _("channel %(name)s") % {"name": one}) for one in channels), *((f"store:{one.id}", one.name) for one in scope.stores)]


def _for(scope: Scope, text: str) -> dict[str, Any]:
    kind, _colon, name = text.partition(":")
    if kind == "store":
        return {"store": scope.require(int(name), "own")}
    scope.require_shared("own")
    return {"channel": name if kind == "channel" else ""}


def _default_form(scope: Scope, need: rules.Need) -> type[forms.Form]:
    class DefaultForm(forms.Form):
        where = forms.ChoiceField(label=gettext_lazy("For"), choices=_store_choices(scope), required=False)
        standing = forms.ChoiceField(label=gettext_lazy("Counts as"), choices=list(STANDINGS.items()), widget=forms.RadioSelect)
        source = forms.CharField(label=gettext_lazy("Where it stands"), max_length=200, required=False, help_text=gettext_lazy("Needed where you strike it out. Empty: the law named above."))

    return DefaultForm


def _save_default(scope: Scope, need: rules.Need, data: dict[str, Any], *, by: str, at: datetime) -> str:
    commands.decide_needs([need.id], standing=data["standing"], source=data["source"], **_for(scope, data["where"]), by=by, at=at)
    return reverse("web:qualification_needs")


DEFAULT = FormPage(
    title=lambda need, scope: queries.licence_words(need.kinds), form=_default_form, needs="own", success=gettext_lazy("Kept."),
    load=lambda scope, key: next((need for need in rules.default_needs() if need.id == key), None), save=_save_default,
    initial=lambda scope, need: {"standing": "must", "where": f"store:{scope.current.id}" if scope.current else ""},
    intro=lambda need, scope: f"{queries.source_words(need)} · {need.as_of} · {SURE[need.confidence]}",
    back=(gettext_lazy("What goods need"), lambda: reverse("web:qualification_needs")),
    panels=lambda scope, need: [NotePanel(listed(need.words) or _("all"), title=_("Goods")), *([NotePanel(listed(need.unless), title=_("Not meant"))] if need.unless else [])],
)  # fmt: skip


def _need_form(scope: Scope, thing: Any) -> type[forms.Form]:
    class NeedForm(forms.Form):
        where = forms.ChoiceField(label=gettext_lazy("For"), choices=_store_choices(scope), required=False)
        category = forms.CharField(label=gettext_lazy("Category"), max_length=120, required=False, help_text=gettext_lazy("A word of its name; empty: every category."))
        kind = forms.ChoiceField(label=gettext_lazy("Licence"), choices=words_of(QUALIFICATIONS))
        is_needed = forms.BooleanField(label=gettext_lazy("It is needed: publishing waits for it"), required=False, initial=True)
        source = forms.CharField(label=gettext_lazy("Where it stands"), max_length=200)

    return NeedForm


def _save_need(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: datetime) -> str:
    where = _for(scope, data["where"])
    commands.say_need(
        channel=where.get("channel", ""), store=where.get("store"), category=data["category"], kind=data["kind"], is_needed=data["is_needed"],
        source=data["source"], by=by, at=at,
    )  # fmt: skip
    return reverse("web:qualification_needs")


NEED = FormPage(
    title=gettext_lazy("Say what is needed"), form=_need_form, save=_save_need, needs="own", success=gettext_lazy("Kept."),
    initial=lambda scope, thing: {"where": f"store:{scope.current.id}" if scope.current else ""},
    back=(gettext_lazy("What goods need"), lambda: reverse("web:qualification_needs")),
)  # fmt: skip


@page("own", methods=("POST",))
def forget_need(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """Take a word back: what daifa knows counts again."""
    row = next((one for one in queries.said_needs(scope=scope.whole.all_store_ids) if one["id"] == pk), None)
    if row is None:
        raise Http404
    if row["store_id"]:
        scope.whole.require(row["store_id"], "own")
    else:
        scope.require_shared("own")
    commands.forget_needs([pk])
    return after(request, reverse("web:qualification_needs"), _("Taken back."))


urlpatterns = [
    path("infringements/", INFRINGEMENTS.view, name="infringements"),
    path("infringements/add/", ADD.view, name="infringement_add"),
    path("infringements/rights/", RIGHTS_LIST.view, name="rights"),
    path("infringements/rights/add/", add_right, name="right_add"),
    path("infringements/rights/<int:pk>/", RIGHT_PAGE.view, name="right"),
    path("infringements/<int:pk>/", INFRINGEMENT_PAGE.view, name="infringement"),
    path("infringements/<int:pk>/counter/", COUNTER.view, name="infringement_counter"),
    path("infringements/<int:pk>/step/", step, name="infringement_step"),
    path("qualifications/", LICENCES.view, name="qualifications"),
    path("qualifications/add/", LICENCE_ADD.view, name="qualification_add"),
    path("qualifications/needs/", NEEDS.view, name="qualification_needs"),
    path("qualifications/needs/add/", NEED.view, name="qualification_need"),
    path("qualifications/needs/<slug:key>/", DEFAULT.view, name="qualification_default"),
    path("qualifications/needs/<int:pk>/forget/", forget_need, name="qualification_need_forget"),
    path("qualifications/<int:pk>/", LICENCE.view, name="qualification"),
    path("qualifications/<int:pk>/withdraw/", withdraw, name="qualification_withdraw"),
]
