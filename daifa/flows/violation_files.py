"""Violations from a file: the platform's list as a person downloads it, under English or Chinese headings.

They come in as every import does (`flows.intake`, kind `violations`). Each row is a violation with its reference, so the
same file again adds only money and orders that could not be entered the first time; further rows of one reference name further orders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_noop as N_

from daifa.connectors.contract import RowProblem
from daifa.domain.cases import queries, rules
from daifa.domain.cases.commands import NewConsequence, NewViolation, add_violations
from daifa.domain.cases.process import VIOLATION_KINDS
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
    "money": ("amount", "money", "fine", "fine amount", "penalty amount", "deducted", "扣款金额", "扣款", "罚款金额", "罚款",
              "罚金", "处罚金额", "违约金", "赔付金额", "赔付", "扣除金额", "扣罚金额", "实扣金额", "金额"),
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


@dataclass(frozen=True, slots=True)
class IncomingViolation:
    """A violation and the rows of the file it stands in; `raw` are the cells of the first. `unknown_kind`: the platform's
    word where nobody here knows it."""

    reference: str
    rows: tuple[int, ...]
    violation: NewViolation
    raw: tuple[str, ...]
    unknown_kind: str = ""


class _Row:
    """A row's cells by what they are; what cannot be read names its column."""

    def __init__(self, cells: Sequence[str], places: Mapping[str, int], header: Sequence[str], zone: ZoneInfo, day_first: Any, mark: str | None) -> None:
        self.cells, self.places, self.header, self.zone, self.day_first, self.mark = cells, places, header, zone, day_first, mark

    def text(self, what: str) -> str:
        place = self.places.get(what, -1)
        return clean_text(self.cells[place]) if 0 <= place < len(self.cells) else ""

    def moment(self, what: str) -> datetime | None:
        return self._read(what, lambda text: parse_datetime(text, self.zone, self.day_first))

    def until(self, what: str) -> datetime | None:
        """The end of something: of a day that is named without a time, its last second."""
        found = self.moment(what)
        if found is None or _CLOCK.search(self.text(what)) or found.astimezone(self.zone).time() != time():
            return found
        return datetime.combine(found.astimezone(self.zone).date() + timedelta(days=1), time(), self.zone) - timedelta(seconds=1)

    def number(self, what: str) -> Decimal | None:
        found = self._read(what, lambda text: parse_decimal(text, self.mark))
        return None if found is None else abs(found)

    def _read(self, what: str, parse: Callable[[str], Any]) -> Any:
        if not (text := self.text(what)):
            return None
        try:
            return parse(text)
        except CellRefused as error:
            raise error.in_column(self.header[self.places[what]]) from None


_CLOCK = re.compile(r"\d\s*[:：点时]")
_UNIT = re.compile(r"[(（\[][^)）\]]*[)）\]]$")  # 罚款金额（元）, amount (CNY)


def find_columns(header: Sequence[str], mapping: Mapping[str, str] | None = None) -> dict[str, int]:
    """Field → column. `mapping`: {field: heading} of a person, "" takes the field out."""
    plain = [_plain(cell) for cell in header]
    places: dict[str, int] = {}
    for what, words in HEADINGS.items():
        wanted = [_plain(mapping[what])] if mapping and what in mapping else words
        found = next((plain.index(word) for word in wanted if word and word in plain), None)
        if found is not None and ((mapping and what in mapping) or found not in places.values()):
            places[what] = found
    return places


def check_columns(header: Sequence[str], places: Mapping[str, int]) -> None:
    """Raises `SheetRefused` naming a column that is needed and not there."""
    for what in NEEDED:
        if what not in places:
            raise SheetRefused(
                "column_missing",
                N_("The file has no column for %(column)s; it has: %(found)s."),
                {"column": HEADINGS[what][0], "found": ", ".join(header)[:200]},
            )


class ViolationReading:
    """A platform's list; iterate it for `IncomingViolation` and `RowProblem`. Raises `SheetRefused` when opened."""

    def __init__(
        self, path: Path, *, name: str, zone: ZoneInfo, mapping: Mapping[str, str] | None = None, worksheet: str = "",
        encoding: str = "", day_first: bool | None = None, decimal_mark: str = "",
    ) -> None:  # fmt: skip
        sheet = read_sheet(path, name=name, worksheet=worksheet, encoding=encoding)
        self.header = list(sheet.header)
        self.places = find_columns(self.header, mapping)
        check_columns(self.header, self.places)
        self.unknown = [name for place, name in enumerate(self.header) if name.strip() and place not in self.places.values()]
        self.rows = []
        for number, cells in sheet.rows():
            if any(cell.strip() for cell in cells):
                self.rows.append((number, cells))
            if len(self.rows) > MOST_ROWS:
                raise SheetRefused("too_many_rows", N_("The file has more than %(limit)s rows. Split it."), {"limit": MOST_ROWS})
        self.rows_in = len(self.rows)
        self.zone, self.decimal_mark = zone, decimal_mark or None
        column = self.places["notified_at"]
        dates = (cells[column] for _number, cells in self.rows if column < len(cells))
        self.day_first = infer_day_first(dates) if day_first is None else day_first

    def __iter__(self) -> Iterator[IncomingViolation | RowProblem]:
        found: dict[str, IncomingViolation | RowProblem] = {}
        for number, cells in self.rows:
            row = _Row(cells, self.places, self.header, self.zone, self.day_first, self.decimal_mark)
            try:
                violation = _violation(number, row)
            except CellRefused as error:
                reference = row.text("reference")[:80]
                found[f"row {number}"] = RowProblem(number, error.code, error.message, error.params, tuple(cells), document=reference)
                continue
            before = found.get(violation.reference)
            if violation.reference and isinstance(before, IncomingViolation):
                if place := _disagreement(before.violation, violation):
                    found[f"row {number}"] = RowProblem(
                        number, "rows_disagree", _DISAGREE,
                        {"column": self.header[self.places[place]], "reference": violation.reference, "row": before.rows[0]},
                        tuple(cells), document=violation.reference[:80],
                    )  # fmt: skip
                else:
                    found[violation.reference] = replace(before, rows=(*before.rows, number), violation=_joined(before.violation, violation))
            else:
                found[violation.reference or f"row {number}"] = IncomingViolation(
                    violation.reference[:80], (number,), violation, tuple(cells), _unknown_kind(violation, row.text("kind"))
                )
        yield from found.values()


_DISAGREE = N_(
    "Column “%(column)s”: row %(row)s says otherwise of %(reference)s. One violation is taken once, so this row is left out: "
    "if both count, add this one on its page."
)
# Field of a violation → column: said differently in two rows, one of them is not what the platform ruled.
_SAID_ONCE = {
    "notified_at": "notified_at", "points": "points", "money": "money", "points_until": "points_until", "appeal_due_at": "appeal_until",
    "occurred_at": "occurred_at",
}  # fmt: skip


def _disagreement(one: NewViolation, other: NewViolation) -> str:
    """The column in which two rows of one violation contradict each other, "" where none does. What is left empty says nothing."""
    for name, column in _SAID_ONCE.items():
        first, second = getattr(one, name), getattr(other, name)
        if first and second and first != second:
            return column
    return ""


def _joined(one: NewViolation, other: NewViolation) -> NewViolation:
    """What two rows say of one violation: orders and consequences of both, the rest of whichever says it."""
    limits = dict.fromkeys(one.consequences + other.consequences)
    return one._replace(
        orders=tuple(dict.fromkeys(one.orders + other.orders)), consequences=tuple(limits),
        **{name: getattr(one, name) or getattr(other, name) for name in _SAID_ONCE},
    )


def apply_violations(batch: Any, file: Any, *, by: str, at: datetime) -> None:
    """Write down one batch of an import of violations; what is known already counts as used and gets only what it lacks.

    Option `without_money`: whoever handed the file in may not book; the money of its rows is left to somebody who may.
    """
    records: dict[int, IncomingViolation] = {}
    for record in batch.records:
        if isinstance(record, RowProblem):
            batch.refuse(record)
        else:
            records[record.violation.row] = record
    if file.options.get("without_money"):
        for row, record in records.items():
            if record.violation.money:
                batch.refuse(RowProblem(row, "money_not_booked", _NOT_BOOKED, rows=0, document=record.reference))
                records[row] = replace(record, violation=record.violation._replace(money=None))
    taken = add_violations(
        [record.violation for record in records.values()], store=file.store, source=f"import:{file.pk}", by=by, at=at
    )
    for row in taken.refused:
        record = records.pop(row.row)
        batch.refuse(RowProblem(row.row, row.code, row.message, row.params, record.raw, row.document, len(record.rows)))
    known, completed = set(taken.known), set(taken.completed)
    for record in records.values():
        batch.used(
            "violation_known" if record.reference in known else "violation_completed" if record.reference in completed else "violation",
            len(record.rows),
        )
        if record.unknown_kind and record.reference not in known | completed:
            params = {"kind": record.unknown_kind}
            batch.refuse(RowProblem(record.violation.row, "kind_unknown", _OTHER, params, rows=0, document=record.reference))
    for note in taken.notes:
        batch.refuse(RowProblem(note.row, note.code, note.message, note.params, rows=0, document=note.document))


_OTHER = N_("The kind “%(kind)s” is not known here; recorded as other, with the platform's word beside its title.")
_SAID_OTHER = ("other", "others", "其他", "其它")


def _unknown_kind(violation: NewViolation, said: str) -> str:
    """The platform's word for a kind that nobody here knows; "" where it is known, or says no more than "other"."""
    return said[:80] if violation.kind == "other" and said and said.casefold() not in _SAID_OTHER else ""


_NOT_BOOKED = N_("Kept without its money: you may not book in this store. Somebody who may imports the list once more, which adds it.")


def _plain(heading: str) -> str:
    return _UNIT.sub("", clean_text(heading).casefold().replace("_", " ")).strip()


def _violation(number: int, row: _Row) -> NewViolation:
    notified_at = row.moment("notified_at")
    if notified_at is None:
        raise CellRefused("date_missing", N_("The row does not say when the notice came."))
    said = row.text("kind")
    kind = said if said in VIOLATION_KINDS else rules.kind_of_words(said or row.text("title")) or "other"
    title, rule = row.text("title") or said, row.text("rule")
    if kind == "other" and said and said not in title:  # a kind nobody here knows is kept in the platform's word
        title = f"{title} ({said})"
    if rule and queries.rule(rule) is None:  # the platform's own name for it, not an id of the rule book
        title, rule = (title if rule in title else f"{title} ({rule})"), ""
    limits: list[NewConsequence] = []
    if consequence := row.text("consequence"):
        plain = consequence.casefold()
        until = row.until("consequence_until")
        codes = [code for code, words in CONSEQUENCE_WORDS.items() if any(word in plain for word in words)] or ["other"]
        limits = [NewConsequence(code, notified_at, until, note=consequence) for code in codes]
    taken_from = row.text("taken_from").casefold()
    return NewViolation(
        reference=clean_id(row.text("reference")), notified_at=notified_at, kind=kind, title=title, rule=rule,
        points=row.number("points") or Decimal(0), points_until=row.until("points_until"), occurred_at=row.moment("occurred_at"),
        appeal_due_at=row.until("appeal_until"),
        orders=tuple(dict.fromkeys(clean_id(one) for one in re.split(r"[,;，；、\s]+", row.text("orders")) if one)),
        consequences=tuple(limits), money=row.number("money") or None,
        from_proceeds="deposit" not in taken_from and "保证金" not in taken_from, row=number,
    )  # fmt: skip
