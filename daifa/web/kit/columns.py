"""A column of a list or table: where its value comes from and how it is shown. Rows are models, mappings or dataclasses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from daifa.lib.paging import value_of
from daifa.web.kit import format as fmt
from daifa.web.kit.scope import Scope

KINDS = (
    "text", "code", "money", "signed_money", "quantity", "percent", "date", "datetime", "ago", "due", "state", "badge",
    "badges", "store", "yes_no", "html", "progress",
)  # fmt: skip
RIGHT = ("money", "signed_money", "quantity", "percent")


@dataclass(frozen=True)
class Badge:
    """A coloured word; `tone` is one of `format.TONES`."""

    label: Any
    tone: str = "neutral"
    title: str = ""

    def __html__(self) -> str:
        return fmt.badge(self.label, self.tone, self.title)

    __str__ = __html__  # templates ask for the text of what is no string


@dataclass(frozen=True)
class Column:
    """`name` is the path of the value ("order__number") unless `value` is given (another path, or a function of the row).

    kind: text · code (fixed width, never broken) · money, signed_money (a `Money`, or a Decimal with `currency` = the
    path of its currency) · quantity · percent (0.125 = 12.5 %) · date · datetime · ago · due · state (`states` = the
    Process or a name in `kit.states`) · badge (a `Badge`) · badges (a list of `Badge`) · store (value: store id) ·
    yes_no · html (a safe string) · progress (done, total).

    `link`: the cell leads to the row's page. `url`: a function of the row, for another address. `hint`: path or function of a
    smaller second line. `phone=False` leaves the column out on phones. `when_many_stores`: only while several stores are shown.
    """

    name: str
    label: Any
    kind: str = "text"
    value: str | Callable[[Any], Any] | None = None
    states: Any = ""
    currency: str | None = None
    link: bool = False
    url: Callable[[Any], str | None] | None = None
    hint: str | Callable[[Any], Any] | None = None
    wrap: bool = False
    phone: bool = True
    export: bool = True
    when_many_stores: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"Column {self.name}: there is no kind {self.kind}.")
        if self.kind == "state" and not self.states:
            raise ValueError(f"Column {self.name}: a state needs to know of which process (states=…).")

    # --- reading ----------------------------------------------------------------------------------------------

    def read(self, row: Any) -> Any:
        if callable(self.value):
            return self.value(row)
        return value_of(row, self.value or self.name)

    def _zone(self, row: Any, scope: Scope | None) -> Any:
        store_id = value_of(row, "store_id")
        return scope.zone(store_id) if scope is not None and store_id is not None else None

    @property
    def css(self) -> str:
        classes = ["text-end"] if self.kind in RIGHT else []
        if not self.wrap and self.kind not in ("text", "html", "badges", "state", "badge"):
            classes.append("text-nowrap")
        if not self.phone:
            classes.append("d-none d-md-table-cell")
        return " ".join(classes)

    # --- showing ----------------------------------------------------------------------------------------------

    def cell(self, row: Any, scope: Scope | None = None, row_url: str | None = None) -> SafeString:
        """The inside of the cell."""
        shown = self.show(self.read(row), row, scope)
        url = self.url(row) if self.url else (row_url if self.link else None)
        if url:
            shown = format_html('<a href="{}" class="{}">{}</a>', url, "cell-link" if self.link else "", shown)
        if self.hint is not None:
            hint = self.hint(row) if callable(self.hint) else value_of(row, self.hint)
            if hint not in (None, ""):
                shown = format_html('{}<div class="text-secondary small">{}</div>', shown, hint)
        return shown

    def show(self, value: Any, row: Any = None, scope: Scope | None = None) -> SafeString:
        """`value` in the form of this kind."""
        if self.kind == "state":
            return fmt.state_badge(self.states, value)
        if self.kind == "yes_no":
            return fmt.icon("check", "text-green") + format_html('<span class="visually-hidden">{}</span>', _("yes")) \
                if value else fmt.EMPTY  # fmt: skip
        if self.kind == "badges":
            badges = format_html_join("", "{}", ((one,) for one in value or ()))
            return format_html('<span class="badges-list">{}</span>', badges) if badges else fmt.EMPTY
        if value is None or value == "":
            return fmt.EMPTY
        match self.kind:
            case "text" | "badge":
                return conditional_escape(value)
            case "html":
                return conditional_escape(value)
            case "code":
                return format_html('<span class="code">{}</span>', value)
            case "money" | "signed_money":
                currency = value_of(row, self.currency) if self.currency else None
                return fmt.money(value, currency, signed=self.kind == "signed_money")
            case "quantity":
                return format_html('<span class="num">{}</span>', fmt.quantity_text(value))
            case "percent":
                return format_html('<span class="num">{}</span>', fmt.percent_text(value))
            case "date":
                return format_html('<span class="text-nowrap">{}</span>', fmt.date_text(value, self._zone(row, scope)))
            case "datetime":
                return fmt.when(value, self._zone(row, scope))
            case "ago":
                return fmt.ago(value, self._zone(row, scope))
            case "due":
                return fmt.due(value, self._zone(row, scope))
            case "store":
                store = scope.store(value) if scope else None
                return conditional_escape(store.name if store else value)
            case "progress":
                done, total = value
                return bar(done, total)
        raise AssertionError(self.kind)

    # --- exporting --------------------------------------------------------------------------------------------

    def export_headers(self) -> list[str]:
        if self.kind in ("money", "signed_money"):
            return [str(self.label), _("%(column)s (currency)") % {"column": self.label}]
        return [str(self.label)]

    def export_kinds(self) -> list[str]:
        """Of which kind the columns of a workbook are (`lib.sheets.Column`); as many as `export_headers`."""
        if self.kind in ("money", "signed_money"):
            return ["money", "text"]
        return ["integer" if self.kind == "quantity" else "money" if self.kind == "percent" else "text"]

    def export_cells(self, row: Any, scope: Scope | None = None) -> list[Any]:
        """Plain values: text, Decimal, int or "". Times in ISO form with their offset, in the store's zone."""
        value = self.read(row)
        if self.kind in ("money", "signed_money"):
            if value is None:
                return ["", ""]
            if self.currency:
                return [value, value_of(row, self.currency)]
            return [value.amount, value.currency]
        if value is None:
            return [""]
        match self.kind:
            case "state":
                return [fmt.state_text(self.states, value)]
            case "badges":
                return [", ".join(str(b.label) for b in value)]
            case "badge":
                return [str(value.label)]
            case "yes_no":
                return [_("yes") if value else _("no")]
            case "datetime" | "ago" | "due":
                zone = self._zone(row, scope)
                return [fmt._here(value, zone).isoformat(timespec="seconds")]
            case "date":
                return [value.isoformat()]
            case "store":
                store = scope.store(value) if scope else None
                return [store.name if store else value]
            case "progress":
                return [f"{value[0]}/{value[1]}"]
            case "quantity" | "percent":
                return [value]
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            return [value]
        return [str(value)]


def bar(done: int, total: int | None, tone: str = "primary") -> SafeString:
    """A progress bar with its figures; without a total it only moves."""
    if not total:
        return mark_safe('<div class="progress progress-sm"><div class="progress-bar progress-bar-indeterminate"></div></div>')
    return format_html(
        '<div class="d-flex align-items-center gap-2"><progress class="progress progress-sm progress-{}" value="{}" '
        'max="{}"></progress><span class="num small text-secondary text-nowrap">{}/{}</span></div>',
        tone, min(done, total), total, fmt.quantity_text(done), fmt.quantity_text(total),
    )  # fmt: skip


def visible(columns: Sequence[Column], scope: Scope | None) -> list[Column]:
    """Without those that only make sense while several stores are shown."""
    many = scope is not None and len(scope.store_ids) > 1
    return [column for column in columns if many or not column.when_many_stores]


def body(
    columns: Sequence[Column], rows: Sequence[Any], scope: Scope | None, *,
    row_url: Callable[[Any], str | None] | None = None, row_id: Callable[[Any], Any] | None = None,
    selectable: Callable[[Any], bool] | None = None, row_class: Callable[[Any], str] | None = None,
) -> SafeString:  # fmt: skip
    """All `<tr>` of a table. Written here and not in a template: a list of fifty rows takes a millisecond or two.

    With `row_id` each row begins with a checkbox of that value; rows for which `selectable` is false have none.
    """
    labels = [(column, conditional_escape(column.label), column.css) for column in columns]
    parts: list[str] = []
    for row in rows:
        url = row_url(row) if row_url else None
        href = format_html(' data-href="{}"', url) if url else ""
        css = format_html(' class="{}"', row_class(row)) if row_class else ""
        parts.append(f"<tr{href}{css}>")
        if row_id is not None:
            box = ""
            if selectable is None or selectable(row):
                box = format_html(
                    '<input type="checkbox" class="form-check-input m-0 align-middle" name="ids" value="{}" form="bulk" '
                    'aria-label="{}">', row_id(row), _("Select this row"),
                )  # fmt: skip
            parts.append(f'<td class="w-1 select-cell">{box}</td>')
        for column, label, column_css in labels:
            inside = column.cell(row, scope, url)
            empty = " is-empty" if inside is fmt.EMPTY else ""
            parts.append(f'<td data-label="{label}" class="{column_css}{empty}">{inside}</td>')
        parts.append("</tr>")
    return mark_safe("".join(parts))  # noqa: S308  every part above is escaped

