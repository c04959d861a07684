"""A page is a declaration: what it lists, shows or asks. The machinery is here, once; see docs/walks/console.md.

    ORDERS = ListPage(title=_("Orders"), columns=[…], rows=order_rows, row_url=…)
    urlpatterns = [path("orders/", ORDERS.view, name="orders")]
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from daifa.lib.paging import Cursor, value_of
from daifa.lib.refusal import Refused
from daifa.web.kit import columns as cols
from daifa.web.kit import filters as flt
from daifa.web.kit.actions import BulkAction, allowed, say
from daifa.web.kit.columns import Column
from daifa.web.kit.filters import Asked, Choice, Filter
from daifa.web.kit.panels import Button, EmptyPanel, Event, Fact, FactsPanel, Panel, TimelinePanel
from daifa.web.kit.scope import Scope, page, refusal

EXPORT_MOST = 100_000
EXPORT_CHUNK = 1_000
FEW_ROWS = 20  # so many are shown without a fold


@dataclass(frozen=True)
class Sort:
    """One of the orders of a list; `order` as in `Cursor`: unique at its end, no NULLs."""

    name: str
    label: Any
    order: tuple[str, ...]


def _call(value: Any, *arguments: Any) -> Any:
    return value(*arguments) if callable(value) else value


def _way_back(back: Any, thing: Any) -> tuple[Any, str] | None:
    """(label, address): `back` is (label, function → address), or a function of the thing that gives (label, address)."""
    if back is None:
        return None
    return back(thing) if callable(back) else (back[0], back[1]())


# --- Lists --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ListPage:
    """A long list, read page by page by key; its filters live in the address.

    `rows(scope, filters, cursor, limit)` returns at most `limit` rows in the list's order (`cursor.slice(queryset,
    limit)` does it). `filters` holds typed values of those asked, and "q" for the search. `order`: fields of the row,
    unique at its end; or several `sorts` (the first is the default).
    `row_url`, `row_class`, `selectable`: functions of a row. `actions`: buttons, or a function of the scope.
    `panels(scope, filters)`: what stands over the table. `total(scope, filters)`: (rows, exact) as of `count_up_to`.
    `export`: name of the file people may download; "" for none. `group`: the heading a row stands under, for long lists whose
    rows come group by group; the groups are folded, unless something is searched for or the rows are few.
    """

    title: Any
    columns: Sequence[Column]
    rows: Callable[[Scope, dict[str, Any], Cursor, int], Sequence[Any]]
    order: tuple[str, ...] = ("-id",)
    sorts: Sequence[Sort] = ()
    filters: Sequence[Filter] = ()
    search: Any = None
    needs: str = "view"
    row_url: Callable[[Any], str | None] | None = None
    row_id: str = "id"
    row_class: Callable[[Any], str] | None = None
    selectable: Callable[[Any], bool] | None = None
    bulk: Sequence[BulkAction] = ()
    actions: Sequence[Button] | Callable[[Scope], Sequence[Button]] = ()
    panels: Callable[[Scope, dict[str, Any]], Sequence[Panel]] | None = None
    total: Callable[[Scope, dict[str, Any]], tuple[int, bool]] | None = None
    empty: EmptyPanel | Callable[[Scope], EmptyPanel] | None = None
    export: str = ""
    intro: Any = ""
    limit: int = 50
    group: Callable[[Any], str] | None = None
    template: str = "web/list.html"

    @cached_property
    def view(self) -> Callable[..., HttpResponse]:
        """The Django view."""
        return page(self.needs, methods=("GET", "HEAD"))(self.respond)

    def respond(self, request: HttpRequest, scope: Scope, **_kwargs: Any) -> HttpResponse:
        asked = flt.read(self.filters, request.GET, scope, search=bool(self.search))
        sort = self._sort(request.GET.get("sort", ""), asked)
        order = sort.order if sort else self.order
        if self.export and request.GET.get("format") in ("csv", "xlsx"):
            return self._download(request.GET["format"], scope, asked.filters, order)
        context = self._table(request, scope, asked, order)
        target = request.headers.get("HX-Target", "")
        if request.headers.get("HX-Request") == "true" and target.endswith("#list"):
            response = render(request, "web/parts/list_table.html", context)
            response["HX-Push-Url"] = request.path + (context["here"] if context["here"] != "?" else "")
            return response
        context |= {
            "actions": _call(self.actions, scope),
            "panels": self.panels(scope, asked.filters) if self.panels else (),
            "fields": [self._field(one, scope, asked) for one in self.filters if not self._is_tabs(one)],
            "sort": sort, "asked": asked,
        }  # fmt: skip
        return render(request, self.template, context)

    # --- the table --------------------------------------------------------------------------------------------

    def _sort(self, name: str, asked: Asked) -> Sort | None:
        if not self.sorts:
            return None
        chosen = next((sort for sort in self.sorts if sort.name == name), self.sorts[0])
        if chosen is not self.sorts[0]:
            asked.raw["sort"] = chosen.name
        return chosen

    def _table(self, request: HttpRequest, scope: Scope, asked: Asked, order: tuple[str, ...]) -> dict[str, Any]:
        cursor = Cursor.read(order, after=request.GET.get("after"), before=request.GET.get("before"))
        found = list(self.rows(scope, asked.filters, cursor, self.limit + 1))
        if cursor.back and len(found) <= self.limit:
            # Less than a page lies before: show the first page whole.
            cursor = Cursor(order)
            found = list(self.rows(scope, asked.filters, cursor, self.limit + 1))
        more = len(found) > self.limit
        rows = found[-self.limit:] if cursor.back else found[: self.limit]
        place = {}
        if cursor.key is not None:
            place = {("before" if cursor.back else "after"): request.GET.get("before" if cursor.back else "after")}
        newer = asked.address(before=cursor.token(rows[0])) if rows and cursor.key is not None else None
        older = asked.address(after=cursor.token(rows[-1])) if rows and (more or cursor.back) else None
        bulk = allowed(self.bulk, scope)
        shown = cols.visible(self.columns, scope)

        def body(some: Sequence[Any]) -> Any:
            return cols.body(
                shown, some, scope, row_url=self.row_url, row_class=self.row_class,
                row_id=(lambda row: value_of(row, self.row_id)) if bulk else None, selectable=self.selectable,
            )  # fmt: skip

        groups = [(label, list(some)) for label, some in groupby(rows, self.group)] if self.group else []
        filtered = bool(asked.filters)
        count, exact = self.total(scope, asked.filters) if self.total and rows else (None, True)
        return {
            "page": self, "scope": scope, "columns": shown, "count": len(rows), "bulk": bulk, "width": len(shown) + bool(bulk),
            "parts": [(label, len(some), body(some)) for label, some in groups] if len(groups) > 1 else [("", 0, body(rows))],
            "open": bool(asked.filters.get("q")) or len(rows) <= FEW_ROWS,
            "newer": newer, "older": older, "first": asked.address() if cursor.key is not None else None,
            "here": asked.address(**place), "clear": request.path, "filtered": filtered, "problems": asked.problems,
            "empty": _call(self.empty, scope) or EmptyPanel(_("Nothing here yet")), "total": count, "exact": exact,
            "tabs": [self._tabs(one, scope, asked) for one in self.filters if self._is_tabs(one)],
            "export": [(kind, asked.address(format=kind)) for kind in ("csv", "xlsx")] if self.export else (),
            "hidden": [(one.name, asked.filters.get(one.name, "")) for one in self.filters if self._is_tabs(one)],
        }  # fmt: skip

    @staticmethod
    def _is_tabs(one: Filter) -> bool:
        return isinstance(one, Choice) and one.tabs

    @staticmethod
    def _tabs(one: Choice, scope: Scope, asked: Asked) -> list[dict[str, Any]]:
        chosen = asked.filters.get(one.name, "")
        options = [("", one.all_label or _("All")), *one.options(scope)]
        return [
            {
                "label": label, "active": value == chosen,
                "url": asked.address(**{one.name: None if value == one.default else value}),
            }
            for value, label in options
        ]

    @staticmethod
    def _field(one: Filter, scope: Scope, asked: Asked) -> dict[str, Any]:
        shown: dict[str, Any] = {"name": one.name, "label": one.label, "kind": one.kind}
        if one.kind == "choice":
            shown |= {"options": one.options(scope), "value": asked.filters.get(one.name, ""), "all": one.all_label}
        elif one.kind == "dates":
            shown |= {end: asked.raw.get(f"{one.name}_{end}", "") for end in ("from", "to")}
            shown["value"] = shown["from"] or shown["to"]
        else:
            shown["value"] = asked.raw.get(one.name, "")
        return shown

    # --- the file -----------------------------------------------------------------------------------------------

    def _all_rows(self, scope: Scope, filters: dict[str, Any], order: tuple[str, ...]) -> Iterator[Any]:
        cursor, left = Cursor(order), EXPORT_MOST
        while left > 0:
            rows = list(self.rows(scope, filters, cursor, min(EXPORT_CHUNK, left)))
            yield from rows
            left -= len(rows)
            if len(rows) < EXPORT_CHUNK:
                return
            key = tuple(value_of(rows[-1], name.lstrip("-")) for name in order)
            cursor = Cursor(order, key)

    def _download(self, file_kind: str, scope: Scope, filters: dict[str, Any], order: tuple[str, ...]) -> HttpResponse:
        """The list as the person sees it, as a file; the first `EXPORT_MOST` rows. Formulas are escaped."""
        columns = [column for column in cols.visible(self.columns, scope) if column.export]
        header = [text for column in columns for text in column.export_headers()]
        lines = (
            [value for column in columns for value in column.export_cells(row, scope)]
            for row in self._all_rows(scope, filters, order)
        )
        from daifa.lib import sheets

        file = tempfile.SpooledTemporaryFile(max_size=8_000_000)  # noqa: SIM115  closed by the response
        kinds = [kind for column in columns for kind in column.export_kinds()]
        heads = [sheets.Column(title, kind) for title, kind in zip(header, kinds, strict=True)]
        write = sheets.write_csv if file_kind == "csv" else sheets.write_xlsx
        write(file, sheets.Table(str(self.title)[:31], heads, lines))
        file.seek(0)
        stamp = scope.at.astimezone(scope.zone()).strftime("%Y-%m-%d")
        return FileResponse(file, as_attachment=True, filename=f"{slugify(self.export)}-{stamp}.{file_kind}")


# --- One thing ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class DetailPage:
    """One thing and everything about it. Each function below is given (thing, scope).

    `load(scope, **address)` returns the thing, or None (404). `store_id`: path to the thing's store ("store_id",
    "order__store_id"), None for what all stores share; a thing of a store the person may not see is 404.
    `facts` stand first, `panels` under them, `aside` beside them; `timeline` closes the page.
    """

    load: Callable[..., Any]
    title: Callable[[Any, Scope], Any]
    store_id: str | None = "store_id"
    needs: str = "view"
    pretitle: Any = ""
    back: tuple[Any, Callable[[], str]] | Callable[[Any], tuple[Any, str]] | None = None
    badges: Callable[[Any, Scope], Sequence[Any]] | None = None
    actions: Callable[[Any, Scope], Sequence[Button]] | None = None
    facts: Callable[[Any, Scope], Sequence[Fact]] | None = None
    facts_title: Any = ""
    panels: Callable[[Any, Scope], Sequence[Panel]] | None = None
    aside: Callable[[Any, Scope], Sequence[Panel]] | None = None
    timeline: Callable[[Any, Scope], Sequence[Event]] | None = None
    template: str = "web/detail.html"

    @cached_property
    def view(self) -> Callable[..., HttpResponse]:
        return page(self.needs, methods=("GET", "HEAD"))(self.respond)

    def respond(self, request: HttpRequest, scope: Scope, **address: Any) -> HttpResponse:
        thing = loaded(self.load, scope, address, self.store_id, self.needs)
        store = scope.store(value_of(thing, self.store_id)) if self.store_id else None
        with _clock_of(scope, store.id if store else None):
            return self._shown(request, scope, thing, store)

    def _shown(self, request: HttpRequest, scope: Scope, thing: Any, store: Any) -> HttpResponse:
        facts = self.facts(thing, scope) if self.facts else ()
        panels = list(self.panels(thing, scope)) if self.panels else []
        if facts:
            panels.insert(0, FactsPanel(self.facts_title, facts))
        if self.timeline:
            panels.append(
                TimelinePanel(
                    _("What happened"), self.timeline(thing, scope), empty=_("Nothing has happened yet."),
                    store_id=store.id if store else None,
                )
            )  # fmt: skip
        return render(
            request, self.template,
            {
                "page": self, "thing": thing, "scope": scope, "store": store, "title": self.title(thing, scope),
                "pretitle": _call(self.pretitle, thing, scope),
                "back": _way_back(self.back, thing),
                "badges": self.badges(thing, scope) if self.badges else (),
                "actions": self.actions(thing, scope) if self.actions else (),
                "panels": panels, "aside": self.aside(thing, scope) if self.aside else (),
            },
        )  # fmt: skip


def _clock_of(scope: Scope, store_id: int | None) -> AbstractContextManager[None]:
    """The clock of a store, for whatever on its page does not say whose time it is; the person's own without one."""
    return nullcontext() if store_id is None else timezone.override(scope.zone(store_id))


def loaded(load: Callable[..., Any], scope: Scope, address: dict[str, Any], store_id: str | None, needs: str) -> Any:
    """The thing at an address, for somebody who may see its store and has `needs` there; 404 and 403 otherwise."""
    thing = load(scope, **address)
    if thing is None:
        raise Http404
    if store_id is not None:
        # Asked of the person's whole scope: a store they may see but not act in is 403, not 404.
        scope.whole.require(value_of(thing, store_id), needs)
    return thing


# --- Forms --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class FormPage:
    """A form on a page of its own.

    `form`: a Django form class, or a function (scope, thing) → class or ready-made callable. `load` as in `DetailPage`
    (none for a new thing). `initial(scope, thing)` → dict. `save(scope, thing, data, *, by, at)` calls ONE command; it
    returns the address to go to (or None: `success_url`), and raises `Refused` with the sentence to show.
    Files: give the form a FileField; they are in `data`.
    """

    title: Any
    form: Any
    save: Callable[..., str | None]
    success_url: Callable[[], str] | None = None
    success: Any = ""
    load: Callable[..., Any] | None = None
    store_id: str | None = None
    initial: Callable[[Scope, Any], dict[str, Any]] | None = None
    needs: str = "operate"
    submit: Any = None
    intro: Any = ""
    back: tuple[Any, Callable[[], str]] | Callable[[Any], tuple[Any, str]] | None = None
    panels: Callable[[Scope, Any], Sequence[Panel]] | None = None
    actions: Callable[[Scope, Any], Sequence[Button]] | None = None
    template: str = "web/form.html"
    pretitle: Any = field(default="")

    @cached_property
    def view(self) -> Callable[..., HttpResponse]:
        return page(self.needs)(self.respond)

    def respond(self, request: HttpRequest, scope: Scope, **address: Any) -> HttpResponse:
        thing = loaded(self.load, scope, address, self.store_id, self.needs) if self.load else None
        with _clock_of(scope, value_of(thing, self.store_id) if self.load and self.store_id else None):
            return self._asked(request, scope, thing)

    def _asked(self, request: HttpRequest, scope: Scope, thing: Any) -> HttpResponse:
        form_class = self.form if isinstance(self.form, type) else self.form(scope, thing)
        initial = self.initial(scope, thing) if self.initial else None
        if request.method == "POST":
            form = form_class(request.POST, request.FILES, initial=initial)
            if form.is_valid():
                try:
                    url = self.save(scope, thing, form.cleaned_data, by=scope.by, at=scope.at)
                except Refused as refused:
                    known = refused.field if refused.field in form.fields else None
                    form.add_error(known, refused.sentence)
                else:
                    say(request, _call(self.success, thing) if self.success else None)
                    return redirect(url or (self.success_url() if self.success_url else request.get_full_path()))
        else:
            form = form_class(initial=initial)
        context = {
            "page": self, "form": form, "thing": thing, "scope": scope, "title": _call(self.title, thing, scope),
            "submit": self.submit or _("Save"), "back": _way_back(self.back, thing),
            "panels": self.panels(scope, thing) if self.panels else (), "pretitle": _call(self.pretitle, thing, scope),
            "actions": self.actions(scope, thing) if self.actions else (), "intro": _call(self.intro, thing, scope),
        }  # fmt: skip
        return render(request, self.template, context, status=422 if form.is_bound else 200)


# --- A page of panels ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class PanelPage:
    """Panels under each other: Today, Books. `panels(request, scope)`; with `aside` two columns."""

    title: Any
    panels: Callable[[HttpRequest, Scope], Sequence[Panel]]
    aside: Callable[[HttpRequest, Scope], Sequence[Panel]] | None = None
    actions: Sequence[Button] | Callable[[Scope], Sequence[Button]] = ()
    intro: Any = ""
    pretitle: Any = ""
    needs: str = "view"
    template: str = "web/detail.html"

    @cached_property
    def view(self) -> Callable[..., HttpResponse]:
        return page(self.needs, methods=("GET", "HEAD"))(self.respond)

    def respond(self, request: HttpRequest, scope: Scope, **_address: Any) -> HttpResponse:
        return render(
            request, self.template,
            {
                "page": self, "scope": scope, "title": self.title, "pretitle": self.pretitle, "intro": self.intro,
                "actions": _call(self.actions, scope), "panels": self.panels(request, scope),
                "aside": self.aside(request, scope) if self.aside else (),
            },
        )  # fmt: skip


def forbid(scope: Scope, needs: str, store_id: int | None = None) -> None:
    """403 with the sentence unless the person has `needs`: for views that decide by themselves."""
    if not scope.may(needs, store_id):
        raise PermissionDenied(refusal(needs))
