"""Files about the life of stores: how often they were seen (store, date, impressions, visits), and how stores ended before.

Under English or Chinese headings, in any encoding. The same file again changes nothing; rows that cannot be used say
why, the rest is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_noop as N_

from daifa.domain.closing.commands import (
    NewPast,
    NewTraffic,
    Written,
    record_past_closings,
    record_traffic,
)
from daifa.domain.closing.models import SCENARIOS
from daifa.domain.stores.models import Store
from daifa.lib.commas import listed
from daifa.lib.refusal import RowRefused
from daifa.lib.sheets import CellRefused, SheetRefused, infer_day_first, read_sheet
from daifa.lib.sheets.cells import clean_text, parse_datetime, parse_decimal, parse_quantity

MOST_ROWS = 20_000
TRAFFIC: dict[str, tuple[str, ...]] = {
    "store": ("store", "store code", "shop", "shop name", "store name", "店铺", "店铺编码", "店铺名称"),
    "day": ("date", "day", "日期", "统计日期", "时间"),
    "impressions": ("impressions", "exposure", "exposures", "views", "page views", "pv", "曝光", "曝光量", "曝光次数", "曝光数", "浏览量"),
    "visits": ("visits", "visitors", "sessions", "uv", "访问", "访问量", "访客", "访客数", "访问人数", "店铺访客数"),
}  # fmt: skip
PAST: dict[str, tuple[str, ...]] = {
    "store": ("store", "store code", "shop", "shop name", "store name", "name", "店铺", "店铺编码", "店铺名称"),
    "cause": ("cause", "why", "reason group", "scenario", "原因", "关店原因", "原因分类"),
    "began_on": ("begun", "began", "start", "from", "开始", "开始日期", "停止接单", "停止接单日期"),
    "closed_on": ("closed", "ended", "end", "关店日期", "关闭日期", "结束日期"),
    "currency": ("currency", "币种", "货币"),
    "held": ("deposit held", "deposit", "保证金", "保证金余额"),
    "returned": ("deposit returned", "deposit back", "returned", "退回保证金", "保证金退回", "已退保证金"),
    "deposit_on": ("deposit on", "deposit date", "returned on", "退回日期", "保证金退回日期"),
    "note": ("note", "remark", "remarks", "备注", "说明"),
}  # fmt: skip
CAUSES: dict[str, tuple[str, ...]] = {
    "forced": ("forced", "compliance", "violation", "violations", "违规", "合规", "违规清退", "清退"),
    "choice": ("choice", "by choice", "business", "own decision", "money", "主动", "主动闭店", "经营", "经营原因", "资金"),
    "rule_change": ("rule change", "policy", "rules", "政策", "规则变更", "政策变化", "平台政策"),
    "no_traffic": ("no traffic", "users", "traffic", "用户", "无流量", "流量", "用户流失"),
}  # fmt: skip
"""Scenario → the words for it: its own, and those of the four groups of causes."""


class _File:
    """The rows of a file by what their columns are."""

    def __init__(self, path: Path, name: str, headings: Mapping[str, tuple[str, ...]], needed: Sequence[str], day: str) -> None:
        sheet = read_sheet(path, name=name)
        self.header = [clean_text(cell) for cell in sheet.header]
        plain = [_plain(cell) for cell in self.header]
        self.places = {
            what: next(plain.index(word) for word in words if word in plain)
            for what, words in headings.items()
            if any(word in plain for word in words)
        }
        for what in needed:
            if what not in self.places:
                raise SheetRefused(
                    "column_missing", N_("The file has no column for %(column)s; it has: %(found)s."),
                    {"column": headings[what][0], "found": listed(self.header)[:200]},
                )  # fmt: skip
        self.rows: list[tuple[int, list[str]]] = []
        for number, cells in sheet.rows():
            if any(cell.strip() for cell in cells):
                self.rows.append((number, [clean_text(cell) for cell in cells]))
            if len(self.rows) > MOST_ROWS:
                raise SheetRefused("too_many_rows", N_("The file has more than %(limit)s rows. Split it."), {"limit": MOST_ROWS})
        self.day_first = infer_day_first([self.text(cells, day) for _number, cells in self.rows])

    def text(self, cells: Sequence[str], what: str) -> str:
        place = self.places.get(what, -1)
        return cells[place] if 0 <= place < len(cells) else ""

    def day(self, cells: Sequence[str], what: str, zone: ZoneInfo) -> date | None:
        text = self.text(cells, what)
        if not text:
            return None
        if len(text) == 8 and text.isdigit():  # 20260308, as dashboards write it
            text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
        try:
            return parse_datetime(text, zone, self.day_first).astimezone(zone).date()
        except CellRefused as error:
            raise error.in_column(self.header[self.places[what]]) from None

    def count(self, cells: Sequence[str], what: str) -> int | None:
        text = self.text(cells, what)
        if text in ("", "-", "--", "–", "—"):
            return None
        try:
            return parse_quantity(text) if len(text) < 7 else int(parse_decimal(text))
        except CellRefused as error:
            raise error.in_column(self.header[self.places[what]]) from None

    def amount(self, cells: Sequence[str], what: str) -> Decimal | None:
        text = self.text(cells, what)
        if not text:
            return None
        try:
            return parse_decimal(text)
        except CellRefused as error:
            raise error.in_column(self.header[self.places[what]]) from None


def _plain(heading: str) -> str:
    return " ".join(clean_text(heading).casefold().replace("_", " ").split())


def _stores(scope: Sequence[int]) -> dict[str, Store]:
    found = {}
    for store in Store.objects.filter(pk__in=list(scope)):
        found[store.code.casefold()] = found[store.name.casefold()] = store
    return found


def read_traffic(path: Path, *, name: str, scope: Sequence[int], store: Store | None = None, by: str, at: datetime) -> Written:
    """Read how often stores were seen. Rows without a store are `store`'s; of others than `scope` they are refused.

    Raises `SheetRefused` for a file that is no table.
    """
    needed = ("day",) if store is not None else ("store", "day")
    file = _File(path, name, TRAFFIC, needed, "day")
    if not {"impressions", "visits"} & set(file.places):
        raise SheetRefused(
            "column_missing", N_("The file has no column for %(column)s; it has: %(found)s."),
            {"column": "impressions / visits", "found": listed(file.header)[:200]},
        )  # fmt: skip
    known = _stores(scope)
    refused, wanted = [], []
    for number, cells in file.rows:
        said = file.text(cells, "store")
        one = known.get(said.casefold()) if said else store
        if one is None:
            refused.append(RowRefused(number, said, "no_store", N_("There is no store %(store)s here, or you may not enter its figures."), {"store": said or "–"}))
            continue
        try:
            day = file.day(cells, "day", ZoneInfo(one.timezone))
            if day is None:
                raise CellRefused("date_missing", N_("The row does not say of which day."))
            wanted.append(NewTraffic(one.pk, day, file.count(cells, "impressions"), file.count(cells, "visits"), number))
        except CellRefused as error:
            refused.append(RowRefused(number, said, error.code, error.message, error.params))
    done = record_traffic(wanted, source=f"file:{name}", by=by, at=at)
    done.refused = sorted([*refused, *done.refused], key=lambda one: one.row)
    return done


def read_past_closings(
    path: Path, *, name: str, scope: Sequence[int], unknown: bool = True, by: str, at: datetime
) -> Written:
    """Read how stores ended before. A name that is none of the stores of `scope` stands for a store never kept here;
    without `unknown` it is refused.

    Raises `SheetRefused` for a file that is no table.
    """
    file = _File(path, name, PAST, ("store", "cause", "began_on"), "began_on")
    known = _stores(scope)
    refused, wanted = [], []
    for number, cells in file.rows:
        said = file.text(cells, "store")
        one = known.get(said.casefold())
        if one is None and not unknown:
            refused.append(RowRefused(number, said, "no_store", N_("There is no store %(store)s here, or you may not enter its figures."), {"store": said or "–"}))
            continue
        zone = ZoneInfo(one.timezone) if one else ZoneInfo("UTC")
        try:
            began = file.day(cells, "began_on", zone)
            if began is None:
                raise CellRefused("date_missing", N_("The row does not say of which day."))
            wanted.append(
                NewPast(
                    one.name if one else said, cause_of(file.text(cells, "cause")), began, file.day(cells, "closed_on", zone),
                    (file.text(cells, "currency") or (one.currency if one else "CNY")).upper(), file.amount(cells, "held") or Decimal(0),
                    file.amount(cells, "returned"), file.day(cells, "deposit_on", zone), file.text(cells, "note"),
                    one.pk if one else None, number,
                )
            )  # fmt: skip
        except CellRefused as error:
            refused.append(RowRefused(number, said, error.code, error.message, error.params))
    done = record_past_closings(wanted, source=f"file:{name}", by=by, at=at)
    done.refused = sorted([*refused, *done.refused], key=lambda one: one.row)
    return done


def cause_of(text: str) -> str:
    """The scenario a cell names, by its own word or by that of its group of causes; "" for none."""
    plain = _plain(text)
    if plain in SCENARIOS:
        return plain
    return next((code for code, words in CAUSES.items() if plain in words), "")
