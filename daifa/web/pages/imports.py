"""Imports: hand a file in, see how far it is, where its rows went, which were refused and why; mend and retry."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import FileResponse, Http404
from django.urls import path, reverse
from django.utils.html import escape
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from daifa.connectors.manual.columns import KNOWN
from daifa.domain.imports import queries
from daifa.domain.imports.commands import settle_rows
from daifa.domain.imports.models import ImportFile, ImportRow
from daifa.domain.imports.process import IMPORT
from daifa.domain.sourcing.models import Supplier
from daifa.flows import file_shapes, intake
from daifa.lib import sheets
from daifa.lib.commas import listed
from daifa.lib.paging import Cursor
from daifa.web.kit import (
    ActionButton,
    Choice,
    Column,
    DetailPage,
    EmptyPanel,
    Fact,
    FormPage,
    HtmlPanel,
    LinkButton,
    ListPage,
    NotePanel,
    PanelPage,
    ProgressPanel,
    Refused,
    TablePanel,
    after,
    chosen_ids,
    page,
    states,
)
from daifa.web.kit import format as fmt

AT_ONCE = 1 << 20
"""Files up to this many bytes are read while the person waits; larger ones by the worker."""

RUNNING = ("received", "reading")
ROWS_SHOWN = 200

KINDS: dict[str, tuple[Any, Any, str]] = {
    "orders": (_("Orders"), _("What a store's platform exports: orders, cancellations, credit notes."), "shopping-cart"),
    "products": (_("Products"), _("Your catalogue: one row a variant, with its SKU."), "package"),
    "offers": (_("Price lists"), _("What a supplier sells, at which price, in which pack."), "tags"),
    "replies": (_("Supplier replies"), _("The workbook a factory sends back: accepted, short, refused, waybill numbers."), "message-2"),
    "tracking": (_("Tracking"), _("Scans of parcels as the carrier or the supplier exports them."), "truck-delivery"),
    "expenses": (_("Expenses"), _("Advertising, fees, tools and other costs of a store."), "coin"),
    "violations": (_("Violations"), _("What a platform ruled against a store, as its back office lists it."), "flag"),
}  # fmt: skip


# --- Who may ----------------------------------------------------------------------------------------------------


def need_of(kind: str) -> str:
    """What one must be allowed to hand in, retry or dismiss a file of this kind."""
    return "books" if kind == "expenses" else "operate"


def why_not(scope, file) -> Any:
    """None or the sentence why this person may not change what came of a file."""
    need = need_of(file.kind)
    return scope.why_not(need, file.store_id) if file.store_id else scope.why_not_shared(need)


def _file(scope, pk: int) -> ImportFile | None:
    return queries.import_file(scope.whole.all_store_ids, pk, shared=scope.may_shared("view"))


def _allowed_file(scope, pk: int) -> ImportFile:
    file = _file(scope, pk)
    if file is None:
        raise Http404
    if sentence := why_not(scope, file):
        raise PermissionDenied(sentence)
    return file


# --- The list ---------------------------------------------------------------------------------------------------


def _rows(scope, filters, cursor, limit):
    return queries.import_page(
        scope.store_ids, shared=scope.current is None and scope.may_shared("view"), kind=filters.get("kind"),
        state=filters.get("state"), cursor=cursor, limit=limit,
    )  # fmt: skip


def _progress(file: ImportFile) -> ProgressPanel:
    running = file.state in RUNNING
    if file.state == "received":
        sentence = _("Waits for the worker.")
    else:
        sentence = _("%(used)s rows used, %(refused)s refused so far") % {
            "used": fmt.quantity_text(file.rows_used + file.rows_not_orders), "refused": fmt.quantity_text(file.rows_refused),
        }  # fmt: skip
    return ProgressPanel(
        file.name, reverse("web:import_progress", args=[file.pk]), file.rows_in, file.rows_expected, running,
        sentence=sentence, badge=fmt.state_badge(IMPORT, file.state), name=f"import-{file.pk}",
        actions=[LinkButton(_("Open"), reverse("web:import", args=[file.pk]))],
    )  # fmt: skip


def _under_way(scope, filters):
    shared = scope.may_shared("view")
    found = queries.imports_in(scope.store_ids, shared=shared).filter(state__in=RUNNING).order_by("-id")[:4]
    return [_progress(file) for file in found]


def _kind_word(kind: str) -> Any:
    return KINDS[kind][0] if kind in KINDS else kind


IMPORTS = ListPage(
    title=_("Imports"),
    order=queries.NEWEST,
    rows=_rows,
    panels=_under_way,
    columns=[
        Column("name", _("File"), link=True, hint=lambda file: file.supplier_code),
        Column("kind", _("Contents"), value=lambda file: _kind_word(file.kind)),
        Column("store_id", _("Store"), "store", when_many_stores=True),
        Column("state", _("State"), "state", states=IMPORT),
        Column("rows_in", _("Rows"), "quantity"),
        Column("rows_used", _("Used"), "quantity", phone=False),
        Column("rows_not_orders", _("Not orders"), "quantity", phone=False),
        Column("rows_refused", _("Refused"), "html", value=lambda file: _refused_cell(file), export=False),
        Column("at", _("Handed in"), "datetime"),
    ],
    filters=[
        Choice("kind", _("Contents"), [(kind, words[0]) for kind, words in KINDS.items()], tabs=True),
        Choice("state", _("State"), lambda scope: states.choices(IMPORT)),
    ],
    row_url=lambda file: reverse("web:import", args=[file.pk]),
    actions=lambda scope: [LinkButton(_("Import a file"), reverse("web:imports_add"), "upload", "primary", reason=_why_not_any(scope))],
    empty=lambda scope: EmptyPanel(
        _("Nothing was imported yet"),
        _("Hand in the files of your stores and suppliers: CSV or workbooks, as they come."),
        icon="file-import",
        actions=[LinkButton(_("Import a file"), reverse("web:imports_add"), "upload", "primary", reason=_why_not_any(scope))],
    ),
    export="imports",
)  # fmt: skip


def _why_not_any(scope):
    return None if scope.may("operate") or scope.may("books") else scope.why_not("operate")


def _refused_cell(file):
    if not file.rows_refused:
        return fmt.EMPTY
    return fmt.badge(fmt.quantity_text(file.rows_refused), "danger")


@page("view", methods=("GET", "HEAD"))
def progress(request, scope, pk: int):
    file = _file(scope, pk)
    if file is None:
        raise Http404
    return _progress(file).respond(request)


# --- Handing in -------------------------------------------------------------------------------------------------


def _kinds(request, scope):
    cards = []
    for kind, (title, text, icon) in KINDS.items():
        need = need_of(kind)
        sentence = scope.why_not_shared(need) if kind in ("products", "offers", "replies") else scope.why_not(need)
        cards.append({"title": title, "text": text, "icon": icon, "reason": sentence, "url": reverse("web:import_add", args=[kind])})
    return [HtmlPanel("web/pages/import_kinds.html", {"cards": cards})]


CHOOSE = PanelPage(
    title=_("Import a file"),
    intro=_("CSV, TSV, XLSX, XLS or ODS, in any encoding. What cannot be used is listed row by row, with the reason."),
    panels=_kinds,
    actions=lambda scope: [LinkButton(_("Imports"), reverse("web:imports"), "arrow-left")],
)


class _What:
    """What is about to be handed in: the thing of the upload form."""

    def __init__(self, kind: str, about: int | None) -> None:
        self.kind, self.about = kind, about


def _what(scope, kind: str, about: int | None = None) -> _What | None:
    if kind not in KINDS:
        return None
    need = need_of(kind)
    if kind in ("products", "offers", "replies"):
        scope.require_shared(need)
    elif not scope.may(need):
        raise PermissionDenied(str(scope.why_not(need)))
    return _What(kind, about)


def _upload_form(scope, what: _What):
    need = need_of(what.kind)
    stores = [store for store in scope.stores if scope.may(need, store.id)]
    suppliers = Supplier.objects.exclude(state="ended").order_by("name")
    layouts = [(known.name, known.title) for known in KNOWN if known.kind == what.kind]

    class UploadForm(forms.Form):
        if what.kind in intake.OF_A_STORE:
            store = forms.ChoiceField(label=_("Store"), choices=[(store.id, f"{store.name} · {store.currency}") for store in stores])
        elif what.kind == "products":
            store = forms.ChoiceField(
                label=_("Also list them in"), required=False,
                choices=[("", _("no store: catalogue only")), *((store.id, store.name) for store in stores)],
                help_text=_("The rows' SKUs become listings of this store, at the file's prices."),
            )  # fmt: skip
        elif what.kind == "tracking":
            store = forms.ChoiceField(
                label=_("Store"), required=not scope.may_shared(need),
                choices=[*([("", _("parcels of any store"))] if scope.may_shared(need) else []), *((store.id, store.name) for store in stores)],
            )  # fmt: skip
        elif what.kind in ("offers", "replies"):
            supplier = forms.ModelChoiceField(suppliers, label=_("Supplier"), empty_label=None)
        file = forms.FileField(label=_("File"), max_length=200, widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx,.xls,.xlsb,.ods"}))
        if layouts:
            layout = forms.ChoiceField(
                label=_("Layout"), required=False, choices=[("", _("recognise it by its headings")), *layouts, ("generic", _("any headings"))]
            )
        if what.kind == "orders":
            treat_as = forms.ChoiceField(
                label=_("The orders are"),
                choices=[
                    ("auto", _("open, unless the file says they were dispatched or cancelled")),
                    ("open", _("open: buy and ship them")),
                    ("history", _("finished: keep them only, buy nothing, tell nobody")),
                ],
            )  # fmt: skip
            recipients = forms.BooleanField(
                label=_("Invent recipients where the file holds none (only for trying out)"), required=False,
                help_text=_("Purchases of such orders name people who do not exist. Never use it for real orders."),
            )  # fmt: skip
        if what.kind == "offers":
            full = forms.BooleanField(
                label=_("The list holds everything the supplier sells"), required=False,
                help_text=_("What it does not name is not bought any more; after the second such list it counts as gone."),
            )  # fmt: skip
        if what.kind in ("orders", "replies", "tracking", "expenses", "violations"):
            day_first = forms.ChoiceField(
                label=_("Dates such as 03/04/2026"), required=False,
                choices=[("", _("find out from the column")), ("yes", _("day first: 3 April")), ("no", _("month first: March 4"))],
            )  # fmt: skip

        look = forms.BooleanField(
            label=_("Let me see the first rows and choose the columns"), required=False,
            help_text=_("What you choose is remembered for the next file with these headings."),
        )  # fmt: skip

        def clean_store(self) -> Any:
            given = self.cleaned_data["store"]
            return scope.store(int(given)) if given else None

    if what.kind in ("offers", "replies"):
        UploadForm.base_fields["supplier"].label_from_instance = lambda one: f"{one.name} ({one.code})"
    return UploadForm


def _receive(scope, what: _What, data, *, by, at):
    store, supplier = data.get("store"), data.get("supplier")
    need = need_of(what.kind)
    if store is not None:
        scope.require(store.id, need)
    else:
        scope.require_shared(need)
    options: dict[str, Any] = {name: data[name] for name in ("layout", "treat_as") if data.get(name)}
    if data.get("recipients"):
        options["recipients"] = "generated"
    if data.get("full"):
        options["full"] = True
    if data.get("day_first"):
        options["day_first"] = data["day_first"] == "yes"
    if what.kind == "violations" and not scope.whole.may("books", store.id):
        options["without_money"] = True
    file = data["file"]
    # Large uploads lie in a temporary file already; small ones in memory.
    content = Path(file.temporary_file_path()) if hasattr(file, "temporary_file_path") else file.read()
    with transaction.atomic():
        received = intake.receive_file(
            kind=what.kind, name=file.name, content=content, store=store, supplier=supplier, options=options, by=by, at=at
        )
        if not options.get("layout"):
            file_shapes.recall(received.pk)
    if data.get("look"):
        return reverse("web:import_columns", args=[received.pk])
    return _read_now(received, by=by, at=at)


def _read_now(received: ImportFile, *, by, at) -> str:
    """Read a small file while the person waits, leave a large one to the worker; the address of its page."""
    if received.size > AT_ONCE:
        with transaction.atomic():
            intake.read_later(received.pk)
    else:
        intake.read_file(received.pk, by=by, at=at)
    return reverse("web:import", args=[received.pk])


def _first_choice(scope, what: _What) -> dict[str, Any]:
    if what.kind in ("offers", "replies"):
        return {"supplier": what.about}
    chosen = what.about or (scope.current.id if scope.current else None)
    return {"store": chosen, "treat_as": "auto"}


UPLOAD = FormPage(
    title=lambda what, scope: _("Import · %(kind)s") % {"kind": KINDS[what.kind][0]},
    form=_upload_form,
    load=_what,
    initial=_first_choice,
    save=_receive,
    needs="view",
    submit=_("Import"),
    intro=lambda what, scope: KINDS[what.kind][1],
    back=(_("Import a file"), lambda: reverse("web:imports_add")),
    panels=lambda scope, what: [
        NotePanel(_("Handing in the same file twice changes nothing. Rows that cannot be used are listed with the reason, and can be "
                    "mended and tried again one by one. Files over 1 MB are read in the background."), title=_("Good to know"))
    ],
)  # fmt: skip

# --- Its columns ------------------------------------------------------------------------------------------------


class _Looked:
    """A file that was not read yet (or refused as a whole), and the beginning of it."""

    def __init__(self, file: ImportFile) -> None:
        self.file, self.why = file, ""
        self.look: file_shapes.Look | None = None
        try:
            self.look = file_shapes.look_at(file)
        except sheets.SheetRefused as refused:
            self.why = refused.sentence()
        except OSError:
            self.why = str(_("The file is not kept any more: hand it in again."))

    def heading(self, place: int) -> str:
        name = self.look.header[place] if self.look else ""
        return name or str(_("Column %(n)d") % {"n": place + 1})


def _looked(scope, pk: int) -> _Looked | None:
    file = _allowed_file(scope, pk)
    return _Looked(file) if file.state in ("received", "refused") and file.kind in KINDS else None


def _columns_form(scope, thing: _Looked):
    look = thing.look
    fields: dict[str, forms.Field] = {"shown": forms.CharField(widget=forms.HiddenInput, required=False)}
    if look and len(look.worksheets) > 1:
        fields["worksheet"] = forms.ChoiceField(
            label=_("Worksheet"), choices=[(name, name) for name in sorted(look.worksheets)],
            help_text=_("Another one is shown first."),
        )  # fmt: skip
    if thing.file.kind != "expenses":
        if look is None or look.encoding:
            found = _("find out (%(encoding)s)") % {"encoding": look.encoding} if look and look.encoding else _("find out")
            fields["encoding"] = forms.ChoiceField(
                label=_("Characters"), required=False, choices=[("", found), *((name, name) for name in file_shapes.ENCODINGS)],
                help_text=_("Choose another if letters look wrong; it is shown first."),
            )  # fmt: skip
        fields["decimal_mark"] = forms.ChoiceField(
            label=_("Amounts such as 1,234 or 0,85"), required=False,
            choices=[("", _("find out from the column")), (".", _("a point before decimals: 1,234.50")), (",", _("a comma before decimals: 1.234,50"))],
        )  # fmt: skip
        fields["day_first"] = forms.ChoiceField(
            label=_("Dates such as 03/04/2026"), required=False,
            choices=[("", _("find out from the column")), ("yes", _("day first: 3 April")), ("no", _("month first: March 4"))],
        )  # fmt: skip
    if look:
        asked = file_shapes.fields_of(thing.file.kind)
        known = {one.name for one in asked}
        choices = [
            ("", _("– not used –")),
            *((one.name, f"{one.label} *" if one.needed else one.label) for one in asked),
            *((name, name) for name in look.columns if name not in known),
        ]
        for place in range(len(look.header)):
            examples = dict.fromkeys(cells[place][:40] for _number, cells in look.rows if place < len(cells) and cells[place].strip())
            fields[f"column{place}"] = forms.ChoiceField(
                label=thing.heading(place), required=False, choices=choices, help_text=escape(" · ".join(list(examples)[:3]) or "–"),
            )  # fmt: skip
    return type("ColumnsForm", (forms.Form,), fields)


def _first_columns(scope, thing: _Looked) -> dict[str, Any]:
    options = thing.file.options or {}
    day_first = options.get("day_first")
    values = {
        "encoding": options.get("encoding", ""), "decimal_mark": options.get("decimal_mark", ""),
        "day_first": "" if day_first is None else "yes" if day_first else "no",
    }  # fmt: skip
    if thing.look:
        values["worksheet"] = thing.look.worksheet
        values |= {f"column{place}": name for name, place in thing.look.columns.items()}
        values["shown"] = f"{thing.look.worksheet if len(thing.look.worksheets) > 1 else ''}|{values['encoding']}"
    return values


def _choose_columns(scope, thing: _Looked, data, *, by, at) -> str:
    worksheet, encoding = data.get("worksheet", ""), data.get("encoding", "")
    if thing.look is None or f"{worksheet}|{encoding}" != data["shown"]:
        again = file_shapes.show_as(thing.file.pk, worksheet=worksheet, encoding=encoding, by=by, at=at)
        return reverse("web:import_columns", args=[again.pk])
    first = thing.look.worksheets[0] if thing.look.worksheets and not (thing.file.options or {}).get("worksheet") else ""
    chosen = file_shapes.choose(
        thing.file.pk, columns={place: data[f"column{place}"] for place in range(len(thing.look.header))},
        worksheet="" if worksheet == first else worksheet, encoding=encoding, decimal_mark=data.get("decimal_mark", ""),
        day_first=data["day_first"] == "yes" if data.get("day_first") else None, by=by, at=at,
    )  # fmt: skip
    return _read_now(chosen, by=by, at=at)


def _columns_panels(scope, thing: _Looked) -> list[Any]:
    if thing.look is None:
        return [NotePanel(thing.why, tone="danger", title=_("The file could not be used"))]
    panels: list[Any] = []
    if thing.look.missing:
        panels.append(NotePanel(thing.look.missing, tone="warning", title=_("Not yet")))
    columns = [
        Column(f"c{place}", thing.heading(place), value=lambda row, place=place: row[1][place] if place < len(row[1]) else "")
        for place in range(min(len(thing.look.header), 40))
    ]
    above = " / ".join(thing.look.preamble)[:200]
    panels.append(
        TablePanel(
            _("The first rows"), [Column("row", _("Row"), "quantity", value=lambda row: row[0]), *columns], thing.look.rows,
            note=_("Above the headings: %(text)s") % {"text": above} if above else "",
        )
    )  # fmt: skip
    return panels


COLUMNS = FormPage(
    title=_("Columns"),
    pretitle=lambda thing, scope: _kind_word(thing.file.kind),
    form=_columns_form,
    load=_looked,
    initial=_first_columns,
    save=_choose_columns,
    needs="view",
    submit=_("Import"),
    intro=_("Say what each column is. Columns marked * are needed; what is not used stays out. Nothing has been read yet."),
    back=lambda thing: (thing.file.name, reverse("web:import", args=[thing.file.pk])),
    panels=_columns_panels,
)  # fmt: skip


# --- One import -------------------------------------------------------------------------------------------------


class _Part:
    """A line of the account: where how many rows went. `why` "" for the sum of a kind."""

    def __init__(self, what: Any, rows: int, why: str = "") -> None:
        self.what, self.rows, self.why = what, rows, why


def _account(file: ImportFile, examples: dict[str, str]) -> HtmlPanel:
    counts = file.counts or {}
    parts: list[_Part] = []
    for key, title, total in (
        ("used", _("Used"), file.rows_used), ("not_orders", _("Not orders"), file.rows_not_orders), ("refused", _("Refused"), file.rows_refused),
    ):  # fmt: skip
        parts.append(_Part(title, total))
        for code, rows in sorted((counts.get(key) or {}).items(), key=lambda item: -item[1]):
            parts.append(_Part(title, rows, (examples.get(code) if key == "refused" else "") or queries.reason_words(code)))
    return HtmlPanel("web/pages/import_account.html", {"parts": parts, "rows_in": file.rows_in})


def _examples(file: ImportFile) -> dict[str, str]:
    """For each reason of refusal the sentence of its first row."""
    found = ImportRow.objects.filter(file=file).exclude(state="note").order_by("code", "row").distinct("code")
    return {row.code: queries.sentence_of(row) for row in found[:50]}


def _cells(row) -> str:
    return " · ".join(str(cell) for cell in row.raw if str(cell).strip())[:160]


def _row_columns(may_see: bool) -> list[Column]:
    """Cells hold buyers' addresses: only those who may work on the file see them."""
    return [
        Column("row", _("Row"), "quantity", link=True),
        Column("document", _("About"), "code"),
        Column("sentence", _("Why, and what to do"), value=queries.sentence_of, wrap=True,
               hint=(lambda row: _cells(row)) if may_see else None),
        Column("rows", _("Rows"), "quantity", phone=False),
        Column("state", _("State"), "state", states="import_row"),
    ]  # fmt: skip


def _panels(file, scope):
    panels: list[Any] = []
    may = why_not(scope, file) is None
    if file.state in RUNNING:
        panels.append(_progress(file))
    if file.sentence:
        panels.append(NotePanel(file.sentence, tone="danger" if file.state == "refused" else "warning", title=_("The file could not be used")
                                if file.state == "refused" else _("Reading stopped")))  # fmt: skip
    if unknown := (file.options or {}).get("unknown_columns"):
        panels.append(NotePanel(_("These columns were not needed: %(columns)s.") % {"columns": listed(unknown[:20])}))
    if file.rows_in:
        panels.append(_account(file, _examples(file)))
    for title, state, empty in (
        (_("Refused rows"), "open", _("No refused row waits.")), (_("Rows settled"), ("retried", "dismissed"), ""), (_("Remarks"), "note", ""),
    ):  # fmt: skip
        rows = list(ImportRow.objects.filter(file=file, state__in=[state] if isinstance(state, str) else state).order_by("row", "id")[: ROWS_SHOWN + 1])
        if not rows and not (state == "open" and file.rows_refused):
            continue
        more = len(rows) > ROWS_SHOWN
        denied = why_not(scope, file)
        panels.append(
            TablePanel(
                title, _row_columns(may), rows[:ROWS_SHOWN],
                row_url=(lambda row: reverse("web:import_row", args=[row.pk])) if state == "open" else None,
                empty=empty,
                note=_("The first %(n)d are shown; the file holds all.") % {"n": ROWS_SHOWN} if more else "",
                actions=[
                    LinkButton(_("Download"), reverse("web:import_refused", args=[file.pk]), "download", download=True, reason=denied),
                    ActionButton(
                        _("Retry all as they are"), reverse("web:import_retry_all", args=[file.pk]), "refresh", reason=denied,
                        confirm=_("Read up to 50 refused rows again as they are?"),
                    ),
                    ActionButton(
                        _("Dismiss all"), reverse("web:import_dismiss_all", args=[file.pk]), "x", reason=denied,
                        confirm=_("Leave all refused rows of this file out for good?"),
                    ),
                ] if state == "open" and rows else [],
            )
        )  # fmt: skip
    return panels


def _options(file: ImportFile) -> str:
    words = {
        ("treat_as", "open"): _("all open"), ("treat_as", "history"): _("finished orders"), ("recipients", "generated"): _("invented recipients"),
        ("full", True): _("full list"), ("day_first", True): _("day first"), ("day_first", False): _("month first"),
    }  # fmt: skip
    found = [str(words[key, value]) for key, value in (file.options or {}).items() if isinstance(value, (str, bool)) and (key, value) in words]
    return listed(found)


def _actions(file, scope):
    denied = why_not(scope, file)
    buttons: list[Any] = []
    if file.state in ("stopped", "received"):
        buttons.append(
            ActionButton(_("Go on") if file.state == "stopped" else _("Read now"), reverse("web:import_read", args=[file.pk]), "player-play", "primary", reason=denied)
        )
    if file.state in ("received", "refused") and file.kind in KINDS:
        buttons.append(LinkButton(_("Choose columns"), reverse("web:import_columns", args=[file.pk]), "table", reason=denied))
    if file.kind in KINDS:
        buttons.append(LinkButton(_("Import another file"), reverse("web:import_add", args=[file.kind]), "upload", reason=denied))
    return buttons


def _size(size: int) -> str:
    return f"{size / 1048576:,.1f} MB" if size >= 1 << 20 else f"{max(1, round(size / 1024)):,} kB"


IMPORT_PAGE = DetailPage(
    load=_file,
    store_id=None,
    title=lambda file, scope: file.name,
    pretitle=lambda file, scope: _kind_word(file.kind),
    back=(_("Imports"), lambda: reverse("web:imports")),
    badges=lambda file, scope: [fmt.state_badge(IMPORT, file.state)],
    actions=_actions,
    facts=lambda file, scope: [
        Fact(_("Store"), file.store_id, "store") if file.store_id else Fact(_("Supplier"), file.supplier_code or "–", "code"),
        Fact(_("Layout"), _layout(file)),
        Fact(_("Options"), _options(file)),
        Fact(_("Size"), _size(file.size)),
        Fact(_("Handed in"), file.at, "datetime", store_id=file.store_id, hint=fmt.actor_names([file.by])[file.by]),
        Fact(_("Finished"), file.finished_at, "datetime", store_id=file.store_id),
    ],
    panels=_panels,
)  # fmt: skip


def _layout(file: ImportFile) -> Any:
    titles = {known.name: known.title for known in KNOWN}
    if file.layout in ("", "generic"):
        return _("by its headings") if file.layout else ""
    return titles.get(file.layout, file.layout)


@page("view", methods=("POST",))
def read(request, scope, pk: int):
    file = _allowed_file(scope, pk)
    if file.size > AT_ONCE:
        with transaction.atomic():
            intake.read_later(file.pk)
        done = _("The worker reads it.")
    else:
        intake.read_file(file.pk, by=scope.by, at=scope.at)
        done = _("Read.")
    return after(request, reverse("web:import", args=[file.pk]), done)


# --- Refused rows -----------------------------------------------------------------------------------------------


@page("view", methods=("GET", "HEAD"))
def refused_rows(request, scope, pk: int):
    """The refused rows of a file as CSV: what stood in them, and why. Formulas are escaped."""
    file = _allowed_file(scope, pk)
    try:
        header = list(file_shapes.open_sheet(file).header)
    except (sheets.SheetRefused, OSError):
        header = []
    columns = [sheets.Column(str(title)) for title in (_("Row"), _("About"), _("Why, and what to do"), *(header or [_("Cells")]))]
    width = len(header)

    def lines():
        cursor = Cursor(queries.BY_ROW)
        while rows := queries.row_page(file.pk, state="open", cursor=cursor, limit=1000):
            for row in rows:
                cells = [str(cell) for cell in row.raw]
                cells = [*cells, *[""] * (width - len(cells))][:width] if width else [" | ".join(cells)]
                yield [row.row, row.document, queries.sentence_of(row), *cells]
            cursor = Cursor(queries.BY_ROW, (rows[-1].row, rows[-1].pk))

    out = tempfile.SpooledTemporaryFile(max_size=8_000_000)  # noqa: SIM115  closed by the response
    sheets.write_csv(out, sheets.Table("refused", columns, lines()))
    out.seek(0)
    return FileResponse(out, as_attachment=True, filename=f"refused-{file.pk}-{slugify(Path(file.name).stem) or 'rows'}.csv")


def _row(scope, pk: int) -> ImportRow | None:
    row = queries.row_of(scope.whole.all_store_ids, pk, shared=scope.may_shared("view"))
    if row is not None and (sentence := why_not(scope, row.file)):
        raise PermissionDenied(sentence)
    return row


def _header(row: ImportRow) -> list[str]:
    try:
        return list(file_shapes.open_sheet(row.file).header)
    except (sheets.SheetRefused, OSError):
        return []


def _row_form(scope, row: ImportRow):
    header = _header(row)
    width = max(len(header), len(row.raw)) if row.raw else 0
    titles = [header[i] if i < len(header) and header[i] else _("Column %(n)d") % {"n": i + 1} for i in range(width)]
    fields = {
        f"cell{i}": forms.CharField(label=str(title), required=False, max_length=32_000, strip=False)
        for i, title in enumerate(titles)
    }
    return type("RowForm", (forms.Form,), fields)


def _settle_again(again: ImportFile) -> None:
    """The row itself stays open: what its second reading refused must not ask for a person as well."""
    settle_rows(list(ImportRow.objects.filter(file=again, state="open").values_list("id", flat=True)), state="dismissed")


def _may_not_book(scope, file: ImportFile) -> bool:
    return file.store_id is not None and not scope.whole.may("books", file.store_id)


def _retry(scope, row: ImportRow, data, *, by, at):
    cells = [data[f"cell{i}"] for i in range(len(data))]
    again = intake.retry_row(row.pk, cells=cells if cells else None, by=by, at=at, without_money=_may_not_book(scope, row.file))
    if again.state == "done" and again.rows_refused == 0:
        return reverse("web:import", args=[row.file_id])
    problem = ImportRow.objects.filter(file=again, state="open").order_by("id").first()
    _settle_again(again)
    raise Refused(queries.sentence_of(problem) if problem else again.sentence or str(_("The row was refused again.")))


ROW = FormPage(
    title=lambda row, scope: _("Row %(n)d of %(file)s") % {"n": row.row, "file": row.file.name},
    form=_row_form,
    load=_row,
    needs="view",
    initial=lambda scope, row: {f"cell{i}": cell for i, cell in enumerate(row.raw)},
    save=_retry,
    success=_("The row was used. It counts in an import of its own."),
    submit=_("Try again"),
    intro=lambda row, scope: _("Mend what is wrong and try again: only this row is read.") if row.raw
    else _("The row as it was read is not kept any more. Import a mended file instead."),
    back=lambda row: (row.file.name, reverse("web:import", args=[row.file_id])),
    panels=lambda scope, row: [
        NotePanel(queries.sentence_of(row), tone="warning", title=_("Why it was refused")),
    ],
    actions=lambda scope, row: [
        ActionButton(_("Dismiss"), reverse("web:import_row_dismiss", args=[row.pk]), "x",
                     reason=None if row.state == "open" else _("This row has been settled already."),
                     confirm=_("Leave this row out for good?")),
    ],
)  # fmt: skip


@page("view", methods=("POST",))
def dismiss_row(request, scope, pk: int):
    row = _row(scope, pk)
    if row is None:
        raise Http404
    done = settle_rows([pk], state="dismissed")
    response = after(
        request, reverse("web:import", args=[row.file_id]), _("Dismissed.") if done else None,
        refused=[] if done else [_("This row has been settled already.")],
    )  # fmt: skip
    response["Location"] = reverse("web:import", args=[row.file_id])
    return response


@page("view", methods=("POST",))
def dismiss_all(request, scope, pk: int):
    file = _allowed_file(scope, pk)
    ids = list(ImportRow.objects.filter(file=file, state="open").values_list("id", flat=True))
    done = settle_rows(ids, state="dismissed")
    return after(request, reverse("web:import", args=[pk]), ngettext("%(n)d row dismissed.", "%(n)d rows dismissed.", done) % {"n": done})


RETRIED_AT_ONCE = 50


@page("view", methods=("POST",))
def retry_all(request, scope, pk: int):
    file = _allowed_file(scope, pk)
    chosen = chosen_ids(request)
    found = ImportRow.objects.filter(file=file, state="open").order_by("row", "id")
    rows = list(found.filter(pk__in=chosen) if chosen else found)[:RETRIED_AT_ONCE]
    used, refused = 0, []
    for row in rows:
        try:
            again = intake.retry_row(row.pk, cells=None, by=scope.by, at=scope.at, without_money=_may_not_book(scope, file))
        except Refused as why:
            refused.append(f"{row.row}: {why.sentence}")
            continue
        if again.state == "done" and again.rows_refused == 0:
            used += 1
        else:
            _settle_again(again)
            refused.append(f"{row.row}: {queries.sentence_of(row)}")
    done = ngettext("%(n)d row was used now.", "%(n)d rows were used now.", used) % {"n": used} if used else None
    return after(request, reverse("web:import", args=[pk]), done, refused=refused)


urlpatterns = [
    path("imports/", IMPORTS.view, name="imports"),
    path("imports/add/", CHOOSE.view, name="imports_add"),
    path("imports/add/<slug:kind>/", UPLOAD.view, name="import_add"),
    path("imports/add/<slug:kind>/for/<int:about>/", UPLOAD.view, name="import_add_for"),
    path("imports/<int:pk>/", IMPORT_PAGE.view, name="import"),
    path("imports/<int:pk>/columns/", COLUMNS.view, name="import_columns"),
    path("imports/<int:pk>/progress/", progress, name="import_progress"),
    path("imports/<int:pk>/read/", read, name="import_read"),
    path("imports/<int:pk>/refused.csv", refused_rows, name="import_refused"),
    path("imports/<int:pk>/dismiss/", dismiss_all, name="import_dismiss_all"),
    path("imports/<int:pk>/retry/", retry_all, name="import_retry_all"),
    path("imports/rows/<int:pk>/", ROW.view, name="import_row"),
    path("imports/rows/<int:pk>/dismiss/", dismiss_row, name="import_row_dismiss"),
]
