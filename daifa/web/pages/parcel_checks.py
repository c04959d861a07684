"""Parcel checks: photos of parcels that were read and judged; who may read buyers' addresses may see them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import FileResponse, Http404
from django.urls import path, reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from daifa.domain.orders.queries import order_named
from daifa.domain.policy import queries as policy
from daifa.domain.shipping import checks, queries
from daifa.domain.shipping.models import ParcelCheck
from daifa.domain.shipping.process import PARCEL_CHECK
from daifa.flows import check_parcels
from daifa.lib import keeping, ocr
from daifa.lib.commas import listed
from daifa.lib.refusal import Refused
from daifa.web.kit import (
    Badge,
    Choice,
    Column,
    Cursor,
    DetailPage,
    EmptyPanel,
    Fact,
    FormPage,
    HtmlPanel,
    LinkButton,
    ListPage,
    NotePanel,
    Panel,
    Scope,
    TablePanel,
    page,
    states,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import places, private

ABOUTS = dict(ParcelCheck.ABOUTS)

KINDS = {
    "sms": gettext_lazy("an SMS of another platform"),
    "waybill": gettext_lazy("another platform's waybill"),
    "card": gettext_lazy("a card"),
    "name": gettext_lazy("another platform's name"),
    "other_number": gettext_lazy("another waybill number"),
    "order_number": gettext_lazy("another platform's order number"),
}


def _rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[dict[str, Any]]:
    return queries.check_page(
        scope.store_ids, state=filters.get("state"), about=filters.get("about"), q=filters.get("q"), cursor=cursor, limit=limit
    )


def trace_words(found: list[tuple[str, str]]) -> str:
    """Kinds of traces with their words, with the marks of the reader's language: "a card: 拼多多, …"."""
    colon = "：" if fmt.is_chinese() else ": "
    return listed(f"{KINDS.get(kind, kind)}{colon}{word}" if word else str(KINDS.get(kind, kind)) for kind, word in found)


def what_was_found(row: dict[str, Any]) -> str:
    return trace_words([(kind, term) for kind, _platform, term, _excerpt in row["traces"][:3]])


def _add_button(scope: Scope, style: str = "") -> LinkButton:
    return LinkButton(_("Check a photo"), reverse("web:parcel_check_add"), "plus", style, reason=scope.why_not("operate"))


CHECKS = ListPage(
    title=gettext_lazy("Parcel checks"),
    intro=gettext_lazy("Photos of complaints and of test orders are read on this machine: is there another platform's name, a card, another waybill?"),
    search=gettext_lazy("Order number"),
    order=queries.CHECKS_NEWEST,
    rows=_rows,
    columns=[
        Column("id", gettext_lazy("Check"), "code", link=True, hint=lambda row: ABOUTS.get(row["about"], "")),
        Column("order_number", gettext_lazy("Order"), "code", url=lambda row: places.order(row["order_id"])),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("state", gettext_lazy("Verdict"), "state", states=PARCEL_CHECK),
        Column("traces", gettext_lazy("What was found"), value=what_was_found, wrap=True),
        Column("supplier_name", gettext_lazy("Supplier")),
        Column("at", gettext_lazy("Taken in"), "datetime"),
    ],
    filters=[
        Choice("state", gettext_lazy("Verdict"), lambda scope: states.choices(PARCEL_CHECK), tabs=True),
        Choice("about", gettext_lazy("About"), ParcelCheck.ABOUTS),
    ],
    actions=lambda scope: [_add_button(scope, "primary")],
    row_url=lambda row: reverse("web:parcel_check", args=[row["id"]]),
    empty=lambda scope: EmptyPanel(
        _("No photo was checked yet"),
        _("Put in the photo of a complaint, or of a parcel you ordered yourself."),
        icon="eye",
        actions=[_add_button(scope, "primary")],
    ),
)  # fmt: skip


# --- One ----------------------------------------------------------------------------------------------------------


def _load(scope: Scope, pk: int) -> dict[str, Any] | None:
    return queries.check_detail(scope.all_store_ids, pk)


def _platform(name: str) -> str:
    """The platform's title as the rule book has it; one it does not know by its code."""
    title = policy.channel_titles().get(name)
    return name if title is None else (title.zh if (get_language() or "").startswith("zh") else title.en)


def _nothing_found(state: str) -> str:
    """What no traces mean, by the state of the check: only a photo that was read says that nothing is there."""
    if state == "received":
        return _("It is not read yet.")
    if state == "unreadable":
        return _("No text could be read on it: look at it yourself, and judge by eye.")
    return _("No words were found; a person saw it.") if state == "breach" else _("Nothing that should not be there.")


def _panels(check: dict[str, Any], scope: Scope) -> list[Panel]:
    panels: list[Panel] = []
    if check["state"] == "received":
        panels.append(NotePanel(ocr.why_not() or _("The photo is read within a minute or two."), tone="info"))
    if check["reason"]:
        panels.append(NotePanel(check["reason"], title=_("Why")))
    panels.append(
        TablePanel(
            _("What was found"),
            [
                Column("kind", gettext_lazy("Kind"), value=lambda row: str(KINDS.get(row["kind"], row["kind"]))),
                Column("platform", gettext_lazy("Platform"), value=lambda row: _platform(row["platform"])),
                Column("term", gettext_lazy("Word"), "code"),
                Column("excerpt", gettext_lazy("Beside it"), wrap=True),
            ],
            [dict(zip(("kind", "platform", "term", "excerpt"), trace, strict=True)) for trace in check["traces"]],
            empty=_nothing_found(check["state"]),
        )
    )
    if private.may_read(scope, check["store_id"]):
        panels.append(
            HtmlPanel("web/photo.html", {"url": reverse("web:parcel_check_photo", args=[check["id"]]), "alt": check["name"]},
                      title=_("Photo"))
        )  # fmt: skip
    return panels


CHECK = DetailPage(
    load=_load,
    store_id="store_id",
    title=lambda check, scope: _("Parcel check %(id)s") % {"id": check["id"]},
    back=(gettext_lazy("Parcel checks"), lambda: reverse("web:parcel_checks")),
    badges=lambda check, scope: [Badge(states.word(PARCEL_CHECK, check["state"]), states.tone(PARCEL_CHECK, check["state"]))],
    actions=lambda check, scope: [
        LinkButton(_("Judge by eye"), reverse("web:parcel_check_judge", args=[check["id"]]), "eye",
                   reason=scope.why_not("operate", check["store_id"])),
    ],
    facts=lambda check, scope: [
        Fact(_("Order"), check["order_number"], "code", url=places.order(check["order_id"])),
        Fact(_("About"), ABOUTS.get(check["about"], check["about"])),
        Fact(_("Supplier"), check["supplier_name"],
             url=reverse("web:supplier", args=[check["supplier_id"]]) if check["supplier_id"] else None),
        Fact(_("Lines of text read"), check["lines"], "quantity"),
        Fact(_("Taken in"), check["at"], "datetime", store_id=check["store_id"]),
        Fact(_("Read"), check["read_at"], "datetime", store_id=check["store_id"]),
        Fact("SHA-256", f"{check['sha256'][:16]}…", "code"),
        Fact(_("Note"), check["note"] if private.may_read(scope, check["store_id"]) or not check["note"] else private.DOTS),
    ],
    panels=_panels,
)  # fmt: skip


@page("operate", methods=("GET", "HEAD"))
def photo(request, scope, pk: int):
    check = queries.check_detail(scope.all_store_ids, pk)
    file = keeping.path_of(checks.PHOTO_FOLDER, check["sha256"]) if check else None
    if file is None or not file.is_file():
        raise Http404
    response = FileResponse(file.open("rb"), filename=check["name"], content_type=check["media_type"])
    response["X-Content-Type-Options"] = "nosniff"
    return response


# --- Adding and judging -------------------------------------------------------------------------------------------


def _form(scope: Scope, thing: Any) -> type[forms.Form]:
    class PhotoForm(forms.Form):
        store = forms.ChoiceField(label=gettext_lazy("Store"), choices=[(str(one.id), one.name) for one in scope.stores])
        order = forms.CharField(
            label=gettext_lazy("Order number"), required=False, max_length=80,
            help_text=gettext_lazy("The store's order the photo is about; empty for a sample."),
        )  # fmt: skip
        about = forms.ChoiceField(label=gettext_lazy("About"), choices=ParcelCheck.ABOUTS)
        photo = forms.FileField(label=gettext_lazy("Photo"), help_text=gettext_lazy("JPEG, PNG or WebP, up to 12 MB."))
        note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=500)

    return PhotoForm


def _save(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: Any) -> str:
    store = scope.require(int(data["store"]), "operate")
    number = data["order"].strip()
    order = next(iter(order_named([store.id], number)), None) if number else None
    if number and order is None:
        raise Refused(_("There is no order %(number)s in this store.") % {"number": number}, code="order_unknown", field="order")
    content = data["photo"].read(ocr.MOST_BYTES + 1)
    ids, refused = check_parcels.add_photos(
        [checks.NewPhoto(store.id, order, None, data["about"], data["photo"].name, content, data["note"])], by=by, at=at
    )
    if refused:
        raise Refused(refused[0], field="photo")
    return reverse("web:parcel_check", args=[ids[0]])


ADD = FormPage(
    title=gettext_lazy("Check a photo"),
    form=_form,
    load=lambda scope: True,
    initial=lambda scope, thing: {"store": scope.current.id if scope.current else None, "about": "complaint"},
    save=_save,
    submit=gettext_lazy("Check"),
    success=gettext_lazy("Kept. It is read within a minute or two."),
    intro=gettext_lazy("The photo is read on this machine and sent nowhere. It is kept as it is, as proof; of its text only what was found."),
    back=(gettext_lazy("Parcel checks"), lambda: reverse("web:parcel_checks")),
)  # fmt: skip


class JudgeForm(forms.Form):
    state = forms.ChoiceField(
        label=gettext_lazy("It shows"),
        choices=[("breach", gettext_lazy("something that should not be there")), ("clean", gettext_lazy("nothing of the kind"))],
    )
    reason = forms.CharField(label=gettext_lazy("What the photo shows"), max_length=300)


def _judge(scope: Scope, check: dict[str, Any], data: dict[str, Any], *, by: str, at: Any) -> str:
    check_parcels.judge_by_hand(check_id=check["id"], state=data["state"], reason=data["reason"], by=by, at=at)
    return reverse("web:parcel_check", args=[check["id"]])


JUDGE = FormPage(
    title=lambda check, scope: _("Judge photo %(id)s by eye") % {"id": check["id"]},
    form=JudgeForm,
    load=lambda scope, pk: queries.check_detail(scope.whole.all_store_ids, pk),
    store_id="store_id",
    save=_judge,
    success=gettext_lazy("Judged."),
    back=lambda check: (_("Parcel checks"), reverse("web:parcel_check", args=[check["id"]])),
)

urlpatterns = [
    path("parcel-checks/", CHECKS.view, name="parcel_checks"),
    path("parcel-checks/add/", ADD.view, name="parcel_check_add"),
    path("parcel-checks/<int:pk>/", CHECK.view, name="parcel_check"),
    path("parcel-checks/<int:pk>/photo/", photo, name="parcel_check_photo"),
    path("parcel-checks/<int:pk>/judge/", JUDGE.view, name="parcel_check_judge"),
]
