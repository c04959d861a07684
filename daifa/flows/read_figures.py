"""Figures of platforms' own dashboards from a file: one row a figure, under English or Chinese headings.

The same file again changes nothing; another value for the same figure, window and day takes the place of the one before,
which stays in the history. Rows that cannot be used say why; the rest is taken.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_noop as N_

from daifa.domain.compliance import figure_queries, figure_rules
from daifa.domain.compliance.figure_commands import report_figures, today_in
from daifa.domain.compliance.figure_rules import Figure
from daifa.domain.compliance.health import words_of
from daifa.domain.stores.models import Store
from daifa.lib.commas import listed
from daifa.lib.refusal import RowRefused
from daifa.lib.sheets import CellRefused, SheetRefused, infer_day_first, read_sheet
from daifa.lib.sheets.cells import clean_text, parse_datetime, parse_decimal

MOST_ROWS = 20_000
HEADINGS: dict[str, tuple[str, ...]] = {
    "store": ("store", "store code", "shop", "店铺", "店铺编码"),
    "metric": ("metric", "figure", "name", "指标", "指标名称", "名称"),
    "value": ("value", "rate", "score", "数值", "值", "比率", "得分"),
    "part": ("numerator", "part", "count", "分子", "数量"),
    "base": ("denominator", "base", "of", "total", "分母", "总数"),
    "window_days": ("window days", "window", "days", "统计天数", "周期天数", "周期", "天数"),
    "ended_on": ("until", "window end", "end date", "date", "day", "截止日期", "统计截止", "日期", "截止"),
    "seen_in": ("seen in", "where", "source", "where from", "来源", "出处", "页面"),
}  # fmt: skip
NEEDED = ("metric", "ended_on")


@dataclass(slots=True)
class Read:
    """What became of a file: rows in = added + replaced + known + refused."""

    rows_in: int = 0
    added: int = 0
    replaced: int = 0
    known: int = 0
    refused: list[RowRefused] = field(default_factory=list)

    @property
    def is_repeat(self) -> bool:
        """Everything in it was known already."""
        return bool(self.rows_in) and self.known == self.rows_in


def read_figures(
    path: Path, *, name: str, store: Store, mapping: Mapping[str, str] | None = None, by: str, at: datetime
) -> Read:
    """Read a file of figures of one store. `mapping` {field of HEADINGS: heading}. Raises `SheetRefused` for no table."""
    sheet = read_sheet(path, name=name)
    header = [clean_text(cell) for cell in sheet.header]
    places = _places(header, mapping or {})
    rows = []
    for number, cells in sheet.rows():
        if any(cell.strip() for cell in cells):
            rows.append((number, [clean_text(cell) for cell in cells]))
        if len(rows) > MOST_ROWS:
            raise SheetRefused("too_many_rows", N_("The file has more than %(limit)s rows. Split it."), {"limit": MOST_ROWS})
    known = figure_queries.reportable(store, on=today_in(store, at))
    words = figure_queries.words_in_both(list(known))
    days = [cells[places["ended_on"]] for _number, cells in rows if places["ended_on"] < len(cells)]
    reader = _Rows(places, header, store, known, words, infer_day_first(days))
    result = Read()
    figures: list[Figure] = []
    numbers: list[int] = []
    for number, cells in rows:
        if reader.is_empty(cells):
            continue  # a line of the template that nobody filled in
        result.rows_in += 1
        try:
            figures.append(reader.figure(cells, source=f"file:{name}"))
            numbers.append(number)
        except CellRefused as error:
            result.refused.append(RowRefused(number, reader.text(cells, "metric"), error.code, error.message, error.params))
    taken = report_figures(figures, store=store, source=f"file:{name}", by=by, at=at, rows=numbers)
    result.added, result.replaced, result.known = len(taken.added), len(taken.replaced), taken.known
    result.refused = sorted([*result.refused, *taken.refused], key=lambda one: one.row)
    return result


def _places(header: list[str], mapping: Mapping[str, str]) -> dict[str, int]:
    plain = [_plain(cell) for cell in header]
    places: dict[str, int] = {}
    for what, words in HEADINGS.items():
        wanted = [_plain(mapping[what])] if what in mapping else words
        found = next((plain.index(word) for word in wanted if word in plain), None)
        if found is not None and (what in mapping or found not in places.values()):
            places[what] = found
    for what in NEEDED:
        if what not in places:
            raise SheetRefused(
                "column_missing", N_("The file has no column for %(column)s; it has: %(found)s."),
                {"column": HEADINGS[what][0], "found": listed(header)[:200]},
            )  # fmt: skip
    if "value" not in places and not {"part", "base"} <= places.keys():
        raise SheetRefused(
            "column_missing", N_("The file has no column for %(column)s; it has: %(found)s."),
            {"column": HEADINGS["value"][0], "found": listed(header)[:200]},
        )  # fmt: skip
    return places


def _plain(heading: str) -> str:
    return " ".join(clean_text(heading).casefold().replace("_", " ").split())


class _Rows:
    """Reads the cells of a row by what they are; what cannot be read names its column."""

    def __init__(
        self, places: Mapping[str, int], header: list[str], store: Store, known: Mapping[str, figure_rules.Reportable],
        words: dict[str, tuple[str, ...]], day_first: Any,
    ) -> None:  # fmt: skip
        self.places, self.header, self.store, self.known, self.words = places, header, store, known, words
        self.day_first, self.zone = day_first, ZoneInfo(store.timezone)

    def text(self, cells: list[str], what: str) -> str:
        place = self.places.get(what, -1)
        return cells[place] if 0 <= place < len(cells) else ""

    def is_empty(self, cells: list[str]) -> bool:
        return not any(self.text(cells, what) for what in ("value", "part", "base"))

    def figure(self, cells: list[str], *, source: str) -> Figure:
        if (other := self.text(cells, "store")) and other.casefold() not in (self.store.code.casefold(), self.store.name.casefold()):
            raise CellRefused("other_store", N_("The row is about %(other)s, but the file is read for %(store)s."), {"other": other, "store": self.store.code})
        said = self.text(cells, "metric")
        metric = figure_rules.resolve(said, list(self.known), self.words)
        if metric is None:
            raise CellRefused(
                "metric_unknown", N_("The rules of this store's channel know no figure “%(metric)s”. They know: %(known)s."),
                {"metric": said or "–", "known": listed(self.known)},
            )  # fmt: skip
        about = self.known[metric]
        part, base = (self.whole(cells, what) for what in ("part", "base"))
        value = self.number(cells, "value", percent=about.unit == "percent")
        if value is None and part is not None and base and about.unit == "percent":
            value = Decimal(part) * 100 / base
        if value is None and part is not None and about.unit in ("count", "point"):
            value, part, base = Decimal(part), None, None
        if value is None:
            raise CellRefused("value_missing", N_("The row gives no figure: neither a value nor the part and the whole of a share."))
        return Figure(metric, value, self.day(cells), self.window(cells), part, base, self.text(cells, "seen_in"), source)

    def number(self, cells: list[str], what: str, *, percent: bool = False) -> Decimal | None:
        text = self.text(cells, what)
        if not text:
            return None
        if text.endswith(("%", "％")) and not percent:
            raise self.at(CellRefused("no_percent", N_("%(text)s is a share, but this figure is counted."), {"text": text}), what)
        try:
            return parse_decimal(text.rstrip("%％ ") if percent else text)
        except CellRefused as error:
            raise self.at(error, what) from None

    def whole(self, cells: list[str], what: str) -> int | None:
        value = self.number(cells, what)
        if value is None:
            return None
        if value != value.to_integral_value() or not 0 <= value < 2**31:
            raise self.at(CellRefused("not_whole", N_("%(text)s is no whole number."), {"text": self.text(cells, what)}), what)
        return int(value)

    def window(self, cells: list[str]) -> int | None:
        text = re.sub(r"(days?|d|天|日)$", "", self.text(cells, "window_days"), flags=re.IGNORECASE).strip()
        if not text:
            return None
        if not text.isdigit() or len(text) > 4:
            raise self.at(CellRefused("window_invalid", N_("%(text)s is no number of days."), {"text": text}), "window_days")
        return int(text)

    def day(self, cells: list[str]) -> date:
        text = self.text(cells, "ended_on")
        if not text:
            raise CellRefused("date_missing", N_("The row does not say for which day the figure stands."))
        try:
            moment = parse_datetime(text, self.zone, self.day_first)
        except CellRefused as error:
            raise self.at(error, "ended_on") from None
        return moment.astimezone(self.zone).date()

    def at(self, error: CellRefused, what: str) -> CellRefused:
        return error.in_column(self.header[self.places[what]])


def template(store: Store, *, at: datetime) -> str:
    """A CSV with a row for each figure that may be said of a store, its value left open; read back as it is."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("store", "metric", "name", "value", "numerator", "denominator", "window days", "until", "seen in"))
    today = today_in(store, at).isoformat()
    book = figure_queries.book_of(store, on=today_in(store, at))
    windows: dict[str, list[int | None]] = {}
    for rule in book:
        if figure_queries.is_line(rule):
            windows.setdefault(rule.metric, [])
            if rule.window_days not in windows[rule.metric]:
                windows[rule.metric].append(rule.window_days)
    for metric in figure_rules.reportable(book):
        for window in windows.get(metric, [None]):
            writer.writerow((store.code, metric, words_of(metric), "", "", "", window or "", today, ""))
    return "﻿" + out.getvalue()
