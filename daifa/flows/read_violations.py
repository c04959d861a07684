"""Violations from a file: the platform's list as a person downloads it, under English or Chinese headings.

Each row is a violation with its reference, so the same file again changes nothing. Rows that cannot be used say why;
the rest is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_noop as N_

from daifa.domain.cases import queries, rules
from daifa.domain.cases.commands import NewConsequence, NewViolation, add_violations
from daifa.domain.cases.process import VIOLATION_KINDS
from daifa.domain.stores.models import Store
from daifa.lib.refusal import RowRefused
from daifa.lib.sheets import CellRefused, SheetRefused, infer_day_first, read_sheet
from daifa.lib.sheets.cells import clean_id, clean_text, parse_datetime, parse_decimal

MOST_ROWS = 20_000
HEADINGS: dict[str, tuple[str, ...]] = {
    "reference": ("reference", "violation id", "case id", "violation no", "id", "违规编号", "违规单号", "处罚编号", "处罚单号", "编号", "单号"),
    "notified_at": ("notified at", "notice date", "notice", "date", "violation date", "通知时间", "处罚时间", "违规时间", "时间", "日期"),
    "occurred_at": ("occurred at", "occurred", "happened at", "发生时间", "行为时间"),
    "kind": ("kind", "type", "violation type", "category", "违规类型", "处罚类型", "类型"),
    "title": ("title", "reason", "description", "details", "违规原因", "处罚原因", "违规内容", "原因", "说明", "详情"),
    "rule": ("rule", "policy", "rule id", "规则", "规则编号", "违反规则"),
    "points": ("points", "penalty points", "score", "扣分", "积分", "违规扣分", "扣除分值"),
    "points_until": ("points until", "points expire", "expires", "积分到期", "扣分到期", "到期时间"),
    "appeal_until": ("appeal until", "appeal deadline", "appeal by", "申诉截止", "申诉截止时间"),
    "orders": ("orders", "order", "order number", "order id", "订单号", "订单编号", "涉及订单", "关联订单"),
    "money": ("amount", "money", "fine", "penalty amount", "扣款金额", "扣款", "罚款", "赔付金额", "金额"),
    "taken_from": ("taken from", "source", "扣款来源", "扣款账户", "扣款方式"),
    "consequence": ("consequence", "measure", "penalty", "处罚措施", "处罚结果", "限制"),
    "consequence_until": ("consequence until", "limited until", "处罚截止", "处罚结束时间", "限制截止", "解除时间"),
}  # fmt: skip
NEEDED = ("reference", "notified_at")
CONSEQUENCE_WORDS = {
    "listing_limit": ("listing limit", "no new listing", "限制上新", "限制发布", "上架限制"),
    "listing_removed": ("removed", "taken down", "delist", "商品下架", "下架"),
    "traffic_limit": ("traffic", "demotion", "限流", "降权", "屏蔽"),
    "order_limit": ("order limit", "限制接单", "限单"),
    "funds_frozen": ("frozen funds", "funds frozen", "freeze funds", "货款冻结", "资金冻结", "冻结货款"),
    "withdrawal_limit": ("withdrawal", "限制提现", "提现"),
    "deposit_raised": ("deposit", "保证金"),
    "store_frozen": ("account frozen", "shop frozen", "suspend", "店铺冻结", "清退", "封店", "闭店"),
    "warning": ("warning", "警告"),
}


@dataclass(slots=True)
class Read:
    """What became of a file: rows in = added + further + known + refused. `further`: more orders of a row before."""

    rows_in: int = 0
    added: list[int] = field(default_factory=list)
    further: int = 0
    known: int = 0
    refused: list[RowRefused] = field(default_factory=list)
    notes: list[RowRefused] = field(default_factory=list)  # remarks on rows that were used


class _Row:
    """A row's cells by what they are; what cannot be read names its column."""

    def __init__(self, cells: Sequence[str], places: Mapping[str, int], header: Sequence[str], zone: ZoneInfo, day_first: Any) -> None:
        self.cells, self.places, self.header, self.zone, self.day_first = cells, places, header, zone, day_first

    def text(self, what: str) -> str:
        place = self.places.get(what, -1)
        return clean_text(self.cells[place]) if 0 <= place < len(self.cells) else ""

    def moment(self, what: str) -> datetime | None:
        return self._read(what, lambda text: parse_datetime(text, self.zone, self.day_first))

    def number(self, what: str) -> Decimal | None:
        found = self._read(what, parse_decimal)
        return None if found is None else abs(found)

    def _read(self, what: str, parse: Callable[[str], Any]) -> Any:
        if not (text := self.text(what)):
            return None
        try:
            return parse(text)
        except CellRefused as error:
            raise error.in_column(self.header[self.places[what]]) from None


def read_violations(
    path: Path, *, name: str, store: Store, mapping: Mapping[str, str] | None = None, by: str, at: datetime
) -> Read:
    """Read a file of one store. `mapping` {field of HEADINGS: heading}. Raises `SheetRefused` for a file that is no table."""
    sheet = read_sheet(path, name=name)
    header = list(sheet.header)
    places = _places(header, mapping or {})
    rows = []
    for number, cells in sheet.rows():
        if any(cell.strip() for cell in cells):
            rows.append((number, cells))
        if len(rows) > MOST_ROWS:
            raise SheetRefused("too_many_rows", N_("The file has more than %(limit)s rows. Split it."), {"limit": MOST_ROWS})
    column = places["notified_at"]
    day_first = infer_day_first(cells[column] for _number, cells in rows if column < len(cells))
    zone = ZoneInfo(store.timezone)
    result = Read(rows_in=len(rows))
    wanted: dict[str, NewViolation] = {}
    for number, cells in rows:
        row = _Row(cells, places, header, zone, day_first)
        try:
            violation = _violation(number, row)
        except CellRefused as error:
            result.refused.append(RowRefused(number, row.text("reference"), error.code, error.message, error.params))
            continue
        if violation.reference and (before := wanted.get(violation.reference)):
            wanted[violation.reference] = before._replace(orders=tuple(dict.fromkeys(before.orders + violation.orders)))
            result.further += 1
        else:
            wanted[violation.reference or f"row {number}"] = violation
    taken = add_violations(list(wanted.values()), store=store, source=f"file:{name}"[:60], by=by, at=at)
    result.added, result.known = taken.added, len(taken.known)
    result.refused += taken.refused
    result.notes = taken.notes
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
                "column_missing",
                N_("The file has no column for %(column)s; it has: %(found)s."),
                {"column": HEADINGS[what][0], "found": ", ".join(header)[:200]},
            )
    return places


def _plain(heading: str) -> str:
    return clean_text(heading).casefold().replace("_", " ")


def _violation(number: int, row: _Row) -> NewViolation:
    notified_at = row.moment("notified_at")
    if notified_at is None:
        raise CellRefused("date_missing", N_("The row does not say when the notice came."))
    said = row.text("kind")
    kind = said if said in VIOLATION_KINDS else rules.kind_of_words(said or row.text("title")) or "other"
    title, rule = row.text("title") or said, row.text("rule")
    if rule and queries.rule(rule) is None:  # the platform's own name for it, not an id of the rule book
        title, rule = (title if rule in title else f"{title} ({rule})"), ""
    limits: list[NewConsequence] = []
    if consequence := row.text("consequence"):
        plain = consequence.casefold()
        until = row.moment("consequence_until")
        codes = [code for code, words in CONSEQUENCE_WORDS.items() if any(word in plain for word in words)] or ["other"]
        limits = [NewConsequence(code, notified_at, until, note=consequence) for code in codes]
    taken_from = row.text("taken_from").casefold()
    return NewViolation(
        reference=clean_id(row.text("reference")), notified_at=notified_at, kind=kind, title=title, rule=rule,
        points=row.number("points") or Decimal(0), points_until=row.moment("points_until"), occurred_at=row.moment("occurred_at"),
        appeal_due_at=row.moment("appeal_until"),
        orders=tuple(dict.fromkeys(clean_id(one) for one in re.split(r"[,;，；、\s]+", row.text("orders")) if one)),
        consequences=tuple(limits), money=row.number("money") or None,
        from_proceeds="deposit" not in taken_from and "保证金" not in taken_from, row=number,
    )  # fmt: skip
