"""Evidence: packs made and downloaded, photos and papers of cases. Only owners and operators: buyers may be in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from daifa.domain.cases import commands, files, queries
from daifa.domain.cases.models import (
    Appeal,
    Complaint,
    EvidencePack,
    Infringement,
    ListingRight,
    Qualification,
    Violation,
)
from daifa.domain.cases.pictures import COLUMNS, DECISIONS, ROWS, WHY_WAITING, box_of, fields_under
from daifa.domain.cases.process import EVIDENCE_PACK
from daifa.domain.orders.queries import order_detail, order_named
from daifa.flows import gather_evidence as flow
from daifa.lib import pictures
from daifa.lib.refusal import Refused
from daifa.web.kit import (
    ActionButton,
    Badge,
    Choice,
    Column,
    DetailPage,
    EmptyPanel,
    Fact,
    FormPage,
    FormPanel,
    HtmlPanel,
    LinkButton,
    ListPage,
    NotePanel,
    Panel,
    ProgressPanel,
    Scope,
    TablePanel,
    after,
    page,
    say,
    states,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import places

PAGE_OF = {"violation": "violation", "complaint": "complaint", "infringement": "infringement"}
CASE_WORDS = {
    "violation": gettext_lazy("Violation"), "complaint": gettext_lazy("Complaint"), "infringement": gettext_lazy("Infringement"),
}  # fmt: skip
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]


class Several(forms.ClearableFileInput):
    allow_multiple_selected = True


class SeveralFiles(forms.FileField):
    """More than one file in one field; cleaned to a list."""

    def __init__(self, **words: Any) -> None:
        super().__init__(widget=Several(attrs={"accept": "image/jpeg,image/png,image/webp,application/pdf"}), **words)

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        return [super(SeveralFiles, self).clean(one, initial) for one in (data or ([] if not self.required else [None]))]


class FilesForm(forms.Form):
    files = SeveralFiles(label=gettext_lazy("Photos and papers"), help_text=gettext_lazy("JPEG, PNG, WebP or PDF, 15 MB each at most."))


def contents(uploaded: Sequence[Any]) -> list[tuple[str, bytes]]:
    """Name and bytes of uploaded files, never more than can be kept."""
    return [(one.name, one.read(files.MAX_BYTES + 1)) for one in uploaded]


def in_groups(text: str) -> str:
    """A text in which long hashes can be broken: in groups of sixteen."""
    return re.sub(r"[0-9a-f]{64}", lambda found: " ".join(found[0][i : i + 16] for i in range(0, 64, 16)), text)


def attach(scope: Scope, uploaded: Sequence[Any], *, store_id: int, kind: str, thing: int) -> list[str]:
    """Keep what was uploaded with a case; the sentences of what was refused."""
    return commands.attach_files(
        contents(uploaded), store_id=store_id, thing_kind=kind, thing=thing, by=scope.by, at=scope.at
    )[1]


# --- Files --------------------------------------------------------------------------------------------------------


def files_panel(found: list[dict[str, Any]], scope: Scope, *, store_id: int, kind: str, thing: int) -> list[Panel]:
    """The photos and papers of a case, small where they are pictures, and the form to add more."""
    if not scope.whole.may("operate", store_id):
        return [NotePanel(_("%(count)s photos and papers; owners and operators may see them.") % {"count": len(found)})] if found else []
    rows = [
        {**one, "url": reverse("web:case_file", args=[one["id"]]), "picture": one["media_type"].startswith("image/")} for one in found
    ]
    shown: list[Panel] = [HtmlPanel("web/pages/case_files.html", {"files": rows}, _("Photos and papers"))] if rows else []
    return [
        *shown,
        FormPanel(
            _("Add photos or papers"), FilesForm(), reverse("web:case_files", args=[kind, thing]), _("Add"), icon="upload",
            reason=scope.why_not("operate", store_id),
        ),
    ]  # fmt: skip


_OWNERS: dict[str, tuple[Any, str, str]] = {
    "violation": (Violation, "store_id", "violation"),
    "complaint": (Complaint, "store_id", "complaint"),
    "infringement": (Infringement, "store_id", "infringement"),
    "qualification": (Qualification, "store_id", "qualification"),
    "appeal": (Appeal, "violation__store_id", "violation"),
    "listing_right": (ListingRight, "listing__store_id", "right"),
}


@page("operate", methods=("POST",))
def add_files(request: HttpRequest, scope: Scope, kind: str, pk: int) -> HttpResponse:
    """Photos and papers for a case of any kind."""
    if kind not in _OWNERS:
        raise Http404
    model, column, name = _OWNERS[kind]
    store_id = model.objects.filter(pk=pk).values_list(column, flat=True).first()
    scope.whole.require(store_id, "operate")
    back = reverse(f"web:{name}", args=[pk if kind != "appeal" else model.objects.get(pk=pk).violation_id])
    uploaded = request.FILES.getlist("files")
    refused = attach(scope, uploaded, store_id=store_id, kind=kind, thing=pk)
    done = len(uploaded) - len(refused)
    return after(
        request, back, _("Kept.") if done else None, refused=refused or ([] if uploaded else [str(_("Choose a file first."))])
    )


@page("operate", methods=("GET", "HEAD"))
def case_file(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """One photo or paper, to be looked at; nothing in it can run."""
    found = queries.case_file(scope.all_store_ids, pk)
    if found is None or not (where := files.path_of(found.sha256)).is_file():
        raise Http404
    response = FileResponse(
        where.open("rb"), as_attachment=found.media_type == files.PDF, filename=found.name, content_type=found.media_type
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response


# --- Packs --------------------------------------------------------------------------------------------------------


def packs_panel(found: list[dict[str, Any]], scope: Scope, *, store_id: int, kind: str, case: int) -> Panel:
    """Packs made for a case, and the button to make one."""
    return TablePanel(
        _("Evidence packs"),
        _PACK_COLUMNS,
        found,
        row_url=lambda row: reverse("web:evidence_pack", args=[row["id"]]),
        empty=_("None was made yet."),
        actions=[
            now_button(scope, store_id=store_id, kind=kind, case=case),
            LinkButton(
                _("With other orders or buyers shown"), f"{reverse('web:evidence_make')}?store={store_id}&kind={kind}&case={case}",
                icon="settings", style="ghost", reason=scope.why_not("operate", store_id),
            ),
        ],
    )  # fmt: skip


def now_button(
    scope: Scope, *, store_id: int, kind: str = "", case: int = 0, order: int = 0, again: bool = False
) -> ActionButton:
    """One click makes the pack of a case or an order."""
    return ActionButton(
        _("Make it again") if again else _("Make an evidence pack"), reverse("web:evidence_now"), icon="checklist",
        style="primary" if kind and not again else "",
        fields={"kind": kind, "case": str(case), "order": str(order)}, reason=scope.why_not("operate", store_id),
    )  # fmt: skip


_PACK_COLUMNS = [
    Column("name", gettext_lazy("Evidence pack"), link=True, hint=lambda row: row["sentence"] if row["state"] == "failed" else ""),
    Column("state", gettext_lazy("State"), "state", states=EVIDENCE_PACK),
    Column("at", gettext_lazy("Made"), "datetime", value=lambda row: row["made_at"] if row["state"] == "made" else None),
    Column("size", gettext_lazy("Kilobytes"), "quantity", value=lambda row: -(-row["size"] // 1024) or None),
    Column("sha256", gettext_lazy("SHA-256"), "code", value=lambda row: row["sha256"][:16] + "…" if row["state"] == "made" else "", phone=False),
    Column(
        "flags", "", "badges", export=False,
        value=lambda row: [
            *([Badge(_("buyers shown"), "warning")] if row["revealed"] else []), *([Badge(_("erased"), "muted")] if row["erased_at"] else []),
        ],
    ),
]  # fmt: skip

PACKS = ListPage(
    title=gettext_lazy("Evidence"),
    intro=gettext_lazy("What a case needs, in one PDF and a ZIP with the hash of every file. Buyers stay masked unless a case needs them."),
    needs="operate",
    order=queries.NEWEST,
    rows=lambda scope, filters, cursor, limit: queries.pack_page(scope.store_ids, cursor=cursor, limit=limit),
    columns=[
        _PACK_COLUMNS[0], Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("case_kind", gettext_lazy("For"), value=lambda row: CASE_WORDS.get(row["case_kind"], gettext_lazy("Orders"))), *_PACK_COLUMNS[1:],
    ],
    row_url=lambda row: reverse("web:evidence_pack", args=[row["id"]]),
    actions=lambda scope: [
        LinkButton(_("Make an evidence pack"), reverse("web:evidence_make"), "plus", "primary", reason=scope.why_not("operate")),
        LinkButton(_("Photos in evidence"), reverse("web:pictures"), "eye"),
    ],
    empty=EmptyPanel(
        gettext_lazy("No pack yet"), gettext_lazy("Make one for a violation, a complaint, a notice of a right, or for orders."), icon="checklist"
    ),
)  # fmt: skip


def _covers_of(found: Any) -> list[dict[str, Any]]:
    """The photos of a pack as they stand now, with their names in it: known by the hash of the original its index tells."""
    named = {hit[0]: row[0] for row in found.contents if (hit := re.search(r"[0-9a-f]{64}", row[3]))}
    covers = queries.covers_of(found.store_id, list(named))
    return [
        {"id": one.pk, "name": named[sha256], "state": one.state, "found": one.found} for sha256, one in sorted(covers.items(), key=lambda item: named[item[0]])
    ]


def _gathering(found: Any) -> ProgressPanel:
    """How far a pack has come that is being gathered."""
    if not found.tries:
        sentence = _("Waits for the worker, which reads its photos: some seconds for each.")
    elif found.photos_done < found.photos:
        sentence = _("%(done)s of %(photos)s photos looked at") % {"done": found.photos_done, "photos": found.photos}
    else:
        sentence = _("The photos are done; the papers are put together.")
    return ProgressPanel(
        _("Being gathered"), reverse("web:evidence_progress", args=[found.pk]), found.photos_done, found.photos,
        found.state == "gathering" and found.erased_at is None, sentence=sentence, name=f"pack-{found.pk}",
    )  # fmt: skip


@page("operate", methods=("GET", "HEAD"))
def progress(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """How far a pack has come; loads its page again once it is made, or could not be."""
    found = queries.pack(scope.all_store_ids, pk)
    if found is None:
        raise Http404
    return _gathering(found).respond(request)


@page("operate", methods=("POST",))
def ask_again(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """A pack that could not be made is asked for once more."""
    found = queries.pack(scope.whole.all_store_ids, pk)
    scope.whole.require(found.store_id if found else None, "operate")
    here = reverse("web:evidence_pack", args=[pk])
    try:
        commands.ask_pack_again(pk, by=scope.by, at=scope.at)
    except Refused as refused:
        return after(request, here, refused=[refused.sentence])
    return after(request, here, _("Asked for again: it is gathered now."))


def _pack_panels(found: Any, scope: Scope) -> list[Panel]:
    panels: list[Panel] = []
    if found.state == "gathering" and not found.erased_at:
        return [_gathering(found)]
    if found.state == "failed" and not found.erased_at:
        panels.append(NotePanel(found.sentence, title=_("It could not be made"), tone="danger"))
    if found.gaps:
        panels.append(NotePanel(" ".join(found.gaps), title=_("What would make the case stronger"), tone="info"))
    if found.erased_at:
        panels.append(NotePanel(_("The pack was erased with the data of its buyers; what it held stays listed."), tone="warning"))
    if found.left_out:
        panels.append(NotePanel(" ".join(found.left_out), title=_("What is left out")))
    if waiting := len(queries.cover_page([found.store_id], state="waiting", limit=20)):
        panels.append(
            NotePanel(
                ngettext("%(count)s photo of this store waits for you to look at it.", "%(count)s photos of this store wait for you to look at them.", waiting)
                % {"count": waiting},
                tone="warning", actions=[LinkButton(_("Look at them"), reverse("web:pictures") + "?state=waiting", "eye")],
            )
        )  # fmt: skip
    covers = _covers_of(found)
    if covers:
        panels.append(
            TablePanel(
                _("Photos"),
                [
                    Column("name", gettext_lazy("File"), link=True, wrap=True),
                    Column("state", gettext_lazy("State"), "badges", value=_decision),
                    Column("found", gettext_lazy("Covered"), value=lambda row: queries.private_words(row["found"]), wrap=True),
                ],
                covers,
                row_url=lambda row: reverse("web:picture", args=[row["id"]]),
                note=_("Look at each copy before you hand the pack in: the reader can miss what is blurred or written by hand."),
            )
        )
    if found.state != "made":
        return panels
    panels.append(
        TablePanel(
            _("Files of this pack"),
            [
                Column("name", gettext_lazy("File"), value=lambda row: row[0], hint=lambda row: in_groups(row[3]), wrap=True),
                Column("size", gettext_lazy("Bytes"), "quantity", value=lambda row: row[2]),
                Column("sha256", gettext_lazy("SHA-256"), value=lambda row: in_groups(row[1]), wrap=True, phone=False),
            ],
            found.contents,
        )
    )
    return panels


def _case_url(found: Any) -> str | None:
    return places.place(PAGE_OF[found.case_kind], found.case) if found.case_kind in PAGE_OF else None


def _why_no_file(found: Any) -> str | None:
    if found.erased_at:
        return _("It was erased.")
    return None if found.state == "made" else _("It is not made yet.") if found.state == "gathering" else _("It could not be made.")


PACK = DetailPage(
    load=lambda scope, pk: queries.pack(scope.all_store_ids, pk),
    needs="operate",
    title=lambda found, scope: found.name,
    back=(gettext_lazy("Evidence"), lambda: reverse("web:evidence")),
    badges=lambda found, scope: [Badge(states.word(EVIDENCE_PACK, found.state), states.tone(EVIDENCE_PACK, found.state))],
    actions=lambda found, scope: [
        LinkButton(
            _("Download"), reverse("web:evidence_file", args=[found.pk]), "download", "primary", download=True, reason=_why_no_file(found),
        ),
        *([ActionButton(_("Ask for it again"), reverse("web:evidence_again", args=[found.pk]), icon="refresh",
                        reason=_("It was erased.") if found.erased_at else scope.why_not("operate", found.store_id))]
          if found.state == "failed" else []),
        *([now_button(scope, store_id=found.store_id, kind=found.case_kind, case=found.case, order=found.orders[0] if found.orders else 0, again=True)]
          if (found.case_kind or len(found.orders) == 1) and not found.revealed and found.state == "made" else []),
    ],
    facts=lambda found, scope: [
        Fact(_("For"), CASE_WORDS.get(found.case_kind, _("Orders")), url=_case_url(found)),
        Fact(_("Orders"), len(found.orders) or None, "quantity"),
        Fact(_("Asked for"), found.at, "datetime", hint=fmt.actor_names([found.by])[found.by], store_id=found.store_id),
        Fact(_("Made"), found.made_at, "datetime", store_id=found.store_id),
        Fact(_("Language"), dict(LANGUAGES).get(found.language, found.language)),
        Fact(_("SHA-256"), in_groups(found.sha256) if found.state == "made" else None),
        *([Fact(_("Why buyers' data stand in it"), found.reason)] if found.revealed else []),
    ],
    panels=_pack_panels,
)  # fmt: skip


@page("operate", methods=("GET", "HEAD"))
def pack_file(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """The ZIP, for those who may work its store."""
    found = queries.pack(scope.all_store_ids, pk)
    if found is None or found.erased_at or found.state != "made" or not (where := files.path_of(found.sha256, "evidence")).is_file():
        raise Http404
    response = FileResponse(where.open("rb"), as_attachment=True, filename=found.name, content_type="application/zip")
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def _asked(scope: Scope, request: HttpRequest) -> tuple[str, int, int | None]:
    """(kind, case, store) of the address the form was opened with."""
    kind, case, store = (request.GET.get(name, "") for name in ("kind", "case", "store"))
    number = int(case) if case.isascii() and case.isdigit() and len(case) < 19 else 0
    return (kind if kind in PAGE_OF else "", number, int(store) if store.isascii() and store.isdigit() and len(store) < 19 else None)


def _make_form(scope: Scope, thing: Any) -> type[forms.Form]:
    class MakeForm(forms.Form):
        store = forms.TypedChoiceField(label=gettext_lazy("Store"), coerce=int, choices=[(one.id, one.name) for one in scope.stores])
        kind = forms.ChoiceField(
            label=gettext_lazy("For"), required=False,
            choices=[("", gettext_lazy("the orders below alone")), *((kind, word) for kind, word in CASE_WORDS.items())],
        )  # fmt: skip
        case = forms.CharField(label=gettext_lazy("Reference of the case"), required=False, max_length=80)
        orders = forms.CharField(
            label=gettext_lazy("Order numbers"), required=False, max_length=4000,
            help_text=gettext_lazy("Further orders; those of the case are in it anyway. Separated by commas or spaces."),
        )  # fmt: skip
        language = forms.ChoiceField(label=gettext_lazy("Language of the pack"), choices=LANGUAGES)
        reveal = forms.BooleanField(
            label=gettext_lazy("Show buyers unmasked"), required=False, help_text=gettext_lazy("Only where the case cannot be shown otherwise.")
        )
        reason = forms.CharField(label=gettext_lazy("Why the case needs it"), required=False, max_length=300)
        costs = forms.BooleanField(label=gettext_lazy("Show what we paid the supplier"), required=False)

    return MakeForm


_CASES: dict[str, Any] = {"violation": Violation, "complaint": Complaint, "infringement": Infringement}


def _make(scope: Scope, data: dict[str, Any], *, by: str, at: datetime) -> EvidencePack:
    store = scope.require(data["store"], "operate")
    case = 0
    if data["kind"]:
        found = _CASES[data["kind"]].objects.filter(store=store, reference=data["case"].strip()).first()
        if found is None:
            raise Refused(_("There is no such case."), code="no_case", field="case")
        case = found.pk
    orders = []
    for number in filter(None, re.split(r"[,;，；、\s]+", data["orders"])):
        ids = order_named([store.id], number)
        if not ids:
            raise Refused(_("This store has no order %(number)s.") % {"number": number}, code="no_order", field="orders")
        orders += ids
    return flow.ask_for_evidence(
        store_id=store.id, order_ids=orders, case_kind=data["kind"], case=case, language=data["language"], reveal=data["reveal"],
        costs=data["costs"], reason=data["reason"] if data["reveal"] else "", by=by, at=at,
    ).pack  # fmt: skip


@page("operate")
def make(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The form of a pack."""
    kind, case, store = _asked(scope, request)
    reference = ""
    if kind and case:
        reference = _CASES[kind].objects.filter(pk=case, store_id__in=scope.all_store_ids).values_list("reference", flat=True).first() or ""
    made: list[EvidencePack] = []

    def save(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: datetime) -> str:
        made.append(_make(scope, data, by=by, at=at))
        return reverse("web:evidence_pack", args=[made[0].pk])

    form = FormPage(
        title=gettext_lazy("Make an evidence pack"), form=_make_form, save=save, submit=gettext_lazy("Make it"), success=lambda thing: _said(made[0]),
        initial=lambda scope, thing: {
            "store": store or (scope.current.id if scope.current else None), "kind": kind, "case": reference,
            "language": "zh-hans" if (get_language() or "").startswith("zh") else "en", "orders": request.GET.get("orders", "")[:4000],
        },
        intro=gettext_lazy("It takes some seconds, longer where photos are to be read. Order, agreement, purchase, waybill trail, messages, photos and the rules as they read then."),
        back=(gettext_lazy("Evidence"), lambda: reverse("web:evidence")),
    )  # fmt: skip
    return form.respond(request, scope)


def _said(pack: EvidencePack) -> str:
    return _("The pack is made.") if pack.state == "made" else _("Asked for: its photos are read first. You may leave this page.")


@page("operate", methods=("POST",))
def make_now(request: HttpRequest, scope: Scope) -> HttpResponse:
    """One click: a pack for a case or an order, in the reader's language, buyers masked, without what we paid."""
    kind, case, order = (request.POST.get(name, "") for name in ("kind", "case", "order"))
    number, order_id = (int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0 for text in (case, order))
    if kind in _CASES:
        store_id = _CASES[kind].objects.filter(pk=number).values_list("store_id", flat=True).first()
        back = places.place(PAGE_OF[kind], number)
    else:
        found = order_detail(scope.whole.all_store_ids, order_id)
        store_id, kind, back = (found.order["store_id"] if found else None), "", places.order(order_id)
    store = scope.whole.require(store_id, "operate")
    try:
        pack = flow.ask_for_evidence(
            store_id=store.id, order_ids=[order_id] if not kind else [], case_kind=kind, case=number if kind else 0,
            language="zh-hans" if (get_language() or "").startswith("zh") else "en", by=scope.by, at=scope.at,
        ).pack  # fmt: skip
    except Refused as refused:
        return after(request, back or reverse("web:evidence"), refused=[refused.sentence])
    say(request, _said(pack))
    return HttpResponseRedirect(reverse("web:evidence_pack", args=[pack.pk]))


# --- Photos in packs ----------------------------------------------------------------------------------------------

TONES = {"waiting": "warning", "read": "info", "as_is": "success", "boxed": "info", "left_out": "muted"}


def _decision(row: dict[str, Any]) -> list[Badge]:
    return [Badge(queries.word(DECISIONS, row["state"]), TONES[row["state"]])]


PICTURES = ListPage(
    title=gettext_lazy("Photos in evidence"),
    intro=gettext_lazy("What tells who a buyer is gets covered on the copies that leave; the originals stay here. Photos nothing can be read on wait for you."),
    needs="operate",
    order=queries.NEWEST,
    rows=lambda scope, filters, cursor, limit: queries.cover_page(scope.store_ids, state=filters.get("state"), cursor=cursor, limit=limit),
    columns=[
        Column("sha256", gettext_lazy("Photo"), "code", link=True, value=lambda row: row["sha256"][:12]),
        Column("state", gettext_lazy("State"), "badges", value=_decision),
        Column("found", gettext_lazy("Covered"), value=lambda row: queries.private_words(row["found"]) or queries.word(WHY_WAITING, row["why"]), wrap=True),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("at", gettext_lazy("When"), "datetime"),
    ],
    filters=[Choice("state", gettext_lazy("State"), lambda scope: [(code, queries.word(DECISIONS, code)) for code in DECISIONS], tabs=True)],
    row_url=lambda row: reverse("web:picture", args=[row["id"]]),
    actions=lambda scope: [LinkButton(_("Evidence"), reverse("web:evidence"), "arrow-left", "ghost")],
    empty=EmptyPanel(gettext_lazy("No photos"), gettext_lazy("Photos stand here once a pack was made that needs them."), icon="checklist"),
)  # fmt: skip


def _picture_panels(found: Any, scope: Scope) -> list[Panel]:
    content = files.read(found.sha256, found.folder)
    if content is None:
        return [NotePanel(_("The photo is not there any more."), tone="warning")]
    marked = fields_under(found.boxes)
    panels: list[Panel] = []
    if found.state == "waiting":
        panels.append(
            NotePanel(_("Look whether it tells who the buyer is: a face, a name, a number, an address. Until you have said so it goes into no pack."), tone="warning",
                      title=queries.word(WHY_WAITING, found.why))
        )  # fmt: skip
    if found.state not in ("left_out", "waiting"):
        panels.append(
            HtmlPanel("web/pages/picture_copy.html", {"url": f"{reverse('web:picture_copy', args=[found.pk])}?{found.at.timestamp():.0f}"}, _("As it goes out"))
        )
    panels.append(
        HtmlPanel(
            "web/pages/picture_grid.html",
            {
                "url": reverse("web:picture_original", args=[found.pk]), "save": reverse("web:picture_decide", args=[found.pk]), "columns": COLUMNS,
                "fields": [
                    {"number": number, "on": number in marked, "label": _("row %(row)s, column %(column)s") % {"row": number // COLUMNS + 1, "column": number % COLUMNS + 1}}
                    for number in range(COLUMNS * ROWS)
                ],
            },
            _("Cover parts by hand"),
        )
    )
    return panels


PICTURE = DetailPage(
    load=lambda scope, pk: queries.cover(scope.all_store_ids, pk),
    needs="operate",
    title=lambda found, scope: _("Photo %(name)s") % {"name": found.sha256[:12]},
    back=(gettext_lazy("Photos in evidence"), lambda: reverse("web:pictures")),
    badges=lambda found, scope: _decision({"state": found.state}),
    actions=lambda found, scope: [
        ActionButton(
            label, reverse("web:picture_decide", args=[found.pk]), icon, style, fields={"decision": decision},
            reason=scope.why_not("operate", found.store_id),
        )
        for decision, label, icon, style in (
            ("as_is", _("Show it as it is"), "eye", "primary" if found.state == "waiting" else ""), ("left_out", _("Leave it out"), "ban", ""),
        )
        if decision != found.state
    ],
    facts=lambda found, scope: [
        Fact(_("Covered"), queries.private_words(found.found) or None),
        Fact(_("Decided"), found.at, "datetime", hint=_("by the reader") if found.basis else fmt.actor_names([found.by])[found.by], store_id=found.store_id),
        Fact(_("SHA-256 of the original"), in_groups(found.sha256)),
    ],
    panels=_picture_panels,
)  # fmt: skip


@page("operate", methods=("POST",))
def decide_picture(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """A person's word on a photo."""
    found = queries.cover(scope.whole.all_store_ids, pk)
    scope.whole.require(found.store_id if found else None, "operate")
    decision = request.POST.get("decision", "")
    chosen = [int(one) for one in request.POST.getlist("field") if one.isascii() and one.isdigit() and int(one) < COLUMNS * ROWS]
    here = reverse("web:picture", args=[pk])
    try:
        commands.decide_pictures([pk], to=decision, boxes=[box_of(one) for one in sorted(set(chosen))], by=scope.by, at=scope.at)
    except Refused as refused:
        return after(request, here, refused=[refused.sentence])
    return after(request, here, _("Kept. It counts from the next pack on."))


@page("operate", methods=("GET", "HEAD"))
def picture_copy(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """The copy as it goes out, smaller."""
    return _shown(scope, pk, covered=True)


@page("operate", methods=("GET", "HEAD"))
def picture_original(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    """The photo as it came, smaller."""
    return _shown(scope, pk, covered=False)


def _shown(scope: Scope, pk: int, *, covered: bool) -> HttpResponse:
    found = queries.cover(scope.all_store_ids, pk)
    content = files.read(found.sha256, found.folder) if found is not None else None
    if found is None or content is None:
        raise Http404
    try:
        shown = pictures.small(pictures.covered(content, found.boxes) if covered and found.boxes else content, 1400)
    except pictures.NoPicture:
        raise Http404 from None
    response = HttpResponse(shown, content_type="image/jpeg")
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response


urlpatterns = [
    path("evidence/now/", make_now, name="evidence_now"),
    path("evidence/photos/", PICTURES.view, name="pictures"),
    path("evidence/photos/<int:pk>/", PICTURE.view, name="picture"),
    path("evidence/photos/<int:pk>/decide/", decide_picture, name="picture_decide"),
    path("evidence/photos/<int:pk>/copy/", picture_copy, name="picture_copy"),
    path("evidence/photos/<int:pk>/original/", picture_original, name="picture_original"),
    path("evidence/", PACKS.view, name="evidence"),
    path("evidence/make/", make, name="evidence_make"),
    path("evidence/<int:pk>/", PACK.view, name="evidence_pack"),
    path("evidence/<int:pk>/file/", pack_file, name="evidence_file"),
    path("evidence/<int:pk>/progress/", progress, name="evidence_progress"),
    path("evidence/<int:pk>/again/", ask_again, name="evidence_again"),
    path("casefiles/<int:pk>/", case_file, name="case_file"),
    path("casefiles/<slug:kind>/<int:pk>/", add_files, name="case_files"),
]
