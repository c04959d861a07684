"""The sample factories and carriers: they read the workbooks they were sent and answer with files of their own.

A factory knows nothing but the run's workbook. What it answers hangs on the row's reference and the seed alone:
accepted, short, refused with a reason, one parcel or several, shipped within its days or late; and each waybill number
has its journey: delivered, or late, lost, returned. The files go the way of every other file: `flows.intake`.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Any, NamedTuple

from daifa.connectors.manual.workbook import COLUMNS, WHERE_MASKED, language_of
from daifa.flows.sample_shop.goods import BY_CODE, SampleSupplier
from daifa.flows.sample_shop.seed import between, choice, digits, number, share
from daifa.lib import bulk
from daifa.lib.sheets import read_sheet
from daifa.lib.sheets.writer import Column, Table, write_xlsx

REFUSED, SHORT = 0.008, 0.018  # up to which share a line is refused, and sent short
SILENT = 0.004  # orders a factory never answers
SLOW = 0.03
MOST_XLSX_ROWS = 150  # longer answers come as CSV
LOOKS_BACK = timedelta(days=75)  # after this a run has nothing left to happen

_REASONS = {
    "zh": ("缺货", "停产", "无货，下周到"),
    "en": ("out of stock", "discontinued", "no stock until next month"),
}


class Paper(NamedTuple):
    """A file that a factory or a carrier sends. `supplier_code` is "" for carriers."""

    kind: str  # replies, tracking
    store_id: int
    supplier_code: str
    name: str
    content: bytes


class Answer(NamedTuple):
    """One row of a factory's reply."""

    reference: str
    line: str
    supplier_sku: str
    title: str
    ordered: int
    accepted: int | None
    shipped: int | None
    numbers: str
    shipped_at: datetime | None
    reason: str


class Scan(NamedTuple):
    """One row of a carrier's file."""

    number: str
    at: datetime
    words: str
    place: str
    carrier: str


class RunLine(NamedTuple):
    """What a factory sees of one row of a run."""

    reference: str
    line: str
    supplier_sku: str
    title: str
    quantity: int
    country: str


def read_run(content: bytes, name: str) -> list[RunLine]:
    """The rows of a run's workbook, as the factory reads them."""
    sheet = read_sheet(io.BytesIO(content), name=name)
    wanted = ("Our reference", "Line", "Supplier SKU", "Item", "Quantity", "Country")
    headings = {english: (english, chinese) for english, chinese, _, _ in COLUMNS}
    at = [next(i for i, text in enumerate(sheet.header) if text in headings[heading]) for heading in wanted]
    found = []
    for _, cells in sheet.rows():
        values = [cells[i] for i in at]
        found.append(RunLine(values[0], values[1], values[2], values[3], int(values[4]), values[5]))
    return found


# --- What a factory does ----------------------------------------------------------------------------------------


def plan_run(
    lines: Sequence[RunLine], supplier: SampleSupplier, placed_at: datetime
) -> list[tuple[datetime, Answer | Scan]]:
    """Everything that will happen because of this run, with the moment at which we are told."""
    plan: list[tuple[datetime, Answer | Scan]] = []
    purchases: dict[str, list[RunLine]] = defaultdict(list)
    for line in lines:
        purchases[line.reference].append(line)
    for reference, rows in purchases.items():
        if share(reference, "silent") < SILENT:
            continue
        plan += _plan_purchase(reference, rows, supplier, placed_at)
    return plan


def _plan_purchase(
    reference: str, rows: Sequence[RunLine], supplier: SampleSupplier, placed_at: datetime
) -> list[tuple[datetime, Answer | Scan]]:
    plan: list[tuple[datetime, Answer | Scan]] = []
    told_at = placed_at + timedelta(hours=between(3, 20, reference, "told"))
    days = max(1, supplier.handling_days + between(-1, 1, reference, "days"))
    if share(reference, "slow") < SLOW:
        days += between(4, 7, reference, "slow days")
    shipped_at = max(told_at, placed_at + timedelta(days=days, hours=between(-6, 4, reference, "hour")))
    two_steps = supplier.handling_days >= 3  # confirms first, sends numbers when it ships
    reasons = _REASONS[language_of(supplier.language)]
    going: list[tuple[RunLine, int, str]] = []
    for row in rows:
        chance = share(reference, row.line, "answer")
        have, reason = row.quantity, ""
        if chance < REFUSED or (chance < SHORT and row.quantity == 1):
            have, reason = 0, choice(reasons, reference, row.line, "reason")
        elif chance < SHORT:
            have, reason = between(1, row.quantity - 1, reference, row.line, "have"), reasons[0]
        if have == 0:
            plan.append((told_at, _answer(row, accepted=0, reason=reason)))
            continue
        if two_steps:
            plan.append((told_at, _answer(row, accepted=have, reason=reason)))
        going.append((row, have, "" if two_steps else reason))
    if not going:
        return plan
    units = sum(have for _, have, _ in going)
    is_split = units > 1 and (units > 240 or share(reference, "split") < 0.04)
    numbers = [waybill_number(supplier, reference, box) for box in range(1 + is_split)]
    boxes = [shipped_at, shipped_at + timedelta(days=between(0, 2, reference, "second box"))]
    if is_split and len(going) == 1:
        row, have, reason = going[0]
        first = have - have // 2
        cell = f"{numbers[0]}*{first}; {numbers[1]}*{have - first}"
        plan.append((boxes[1], _answer(
            row, accepted=None if two_steps else have, shipped=have, numbers=cell, shipped_at=shipped_at, reason=reason
        )))  # fmt: skip
        boxes[0] = boxes[1]
    else:
        for at, (row, have, reason) in enumerate(going):
            box = int(is_split and at >= len(going) // 2)
            plan.append((boxes[box], _answer(
                row, accepted=None if two_steps else have, shipped=have, numbers=numbers[box], shipped_at=boxes[box],
                reason=reason,
            )))  # fmt: skip
    for box, waybill in enumerate(numbers):
        plan += [
            (scan.at, scan)
            for scan in journey(waybill, supplier, rows[0].country, boxes[box], key=(reference, box))
        ]
    return plan


def _answer(
    row: RunLine, *, accepted: int | None, shipped: int | None = None, numbers: str = "",
    shipped_at: datetime | None = None, reason: str = "",
) -> Answer:  # fmt: skip
    return Answer(
        row.reference,
        row.line,
        row.supplier_sku,
        row.title,
        row.quantity,
        accepted,
        shipped,
        numbers,
        shipped_at,
        reason,
    )


def waybill_number(supplier: SampleSupplier, reference: str, box: int) -> str:
    return f"{supplier.prefix}{digits(13, reference, box, 'waybill')}"


# --- What a carrier does ----------------------------------------------------------------------------------------

_WORDS = {
    "zh": {"handed_over": "已揽收", "in_transit": "运输中", "out": "派送中", "failed": "派送失败", "pickup": "待自提", "delivered": "已签收",
           "exception": "清关异常", "returned": "已退回", "lost": "丢件"},
    "en": {"handed_over": "Picked up", "in_transit": "In transit", "out": "Out for delivery", "failed": "Delivery attempt failed",
           "pickup": "Ready for pickup", "delivered": "Delivered", "exception": "Customs hold", "returned": "Returned to sender",
           "lost": "Lost"},
}  # fmt: skip
_TOWNS = {
    "CN": ("义乌", "杭州", "深圳", "宁波"), "GB": ("Leeds", "Bristol", "Daventry"), "IN": ("Jaipur", "Delhi"),
    "VN": ("Hanoi",),
}  # fmt: skip


def journey(
    waybill: str, supplier: SampleSupplier, country: str, left_at: datetime, *, key: Iterable[Any]
) -> list[Scan]:
    """The scans of one parcel from the factory's door on."""
    names = (*key, "journey")
    words = _WORDS["zh" if supplier.country == "CN" else "en"]
    near = supplier.country == country or {supplier.country, country} == {"GB", "IE"}
    days = between(2, 4, *names, "days") if near else between(7, 12, *names, "days")
    fate = share(*names, "fate")
    is_late = fate < 0.02
    if is_late:
        days += between(12, 16, *names, "late days")
    town = choice(_TOWNS[supplier.country], *names, "town")
    begin = left_at + timedelta(hours=between(2, 9, *names, "pickup"))
    scans: list[Scan] = []

    def scan(after: timedelta, word: str, place: str = "") -> None:
        scans.append(Scan(waybill, begin + after, words[word], place, supplier.carrier))

    if 0.05 <= fate < 0.054:
        return []  # a number that is never scanned
    scan(timedelta(0), "handed_over", town)
    scan(timedelta(hours=between(14, 30, *names, "first")), "in_transit", town)
    if 0.02 <= fate < 0.026:  # nothing is heard of it any more
        if share(*names, "found lost") < 0.6:
            scan(timedelta(days=days + 9), "lost")
        return scans
    if not near:
        scan(timedelta(days=days * 0.55), "in_transit", country)
        if fate < 0.03 or fate > 0.99:
            scan(timedelta(days=days * 0.7), "exception", country)
    end = timedelta(days=days, hours=between(-5, 4, *names, "hour"))
    scan(end - timedelta(hours=6), "out", country)
    if 0.03 <= fate < 0.038:
        scan(end, "failed", country)
        scan(end + timedelta(days=1), "failed", country)
        scan(end + timedelta(days=6), "returned", town)
    elif 0.06 <= fate < 0.09:
        scan(end, "pickup", country)
        scan(end + timedelta(days=between(1, 3, *names, "collected")), "delivered", country)
    else:
        scan(end, "delivered", country)
    return scans


# --- Their post -------------------------------------------------------------------------------------------------


@dataclass
class Factories:
    """All sample factories and carriers of this database, with what is still to come from them.

    `since`: what happened up to then has been told already. `code_of` is supplier id → code; only sample suppliers
    that work by workbook are in it.
    """

    since: datetime
    code_of: dict[int, str] = field(default_factory=dict)
    _heard: set[int] = field(default_factory=set)
    _coming: list[tuple[datetime, int, str, int, Answer | Scan]] = field(default_factory=list)

    def __post_init__(self) -> None:
        rows = bulk.fetch("SELECT id, code FROM sourcing_supplier WHERE is_sample AND kind = 'workbook'")
        self.code_of = {supplier: code for supplier, code in rows if code in BY_CODE}

    def answer_runs(self, at: datetime) -> list[Paper]:
        """The files that arrive from after the last call up to `at`, oldest facts first."""
        self._read_new_runs(at)
        answers: dict[tuple[int, str], list[Answer]] = defaultdict(list)
        scans: dict[int, list[Scan]] = defaultdict(list)
        while self._coming and self._coming[0][0] <= at:
            _, _, code, store, fact = heappop(self._coming)
            if isinstance(fact, Scan):
                scans[store].append(fact)
            else:
                answers[store, code].append(fact)
        day = f"{at:%Y-%m-%d-%H%M}"
        papers = [_reply(BY_CODE[code], store, rows, day) for (store, code), rows in sorted(answers.items())]
        papers += [_tracking(store, rows, day) for store, rows in sorted(scans.items())]
        self.since = at
        return papers

    def _read_new_runs(self, at: datetime) -> None:
        rows = bulk.fetch(
            """SELECT id, supplier_id, store_id, name, content, placed_at FROM purchasing_purchaserun
               WHERE supplier_id = ANY(%s::bigint[]) AND state = 'placed' AND placed_at > %s AND placed_at <= %s
                 AND NOT id = ANY(%s::bigint[]) ORDER BY id""",
            (list(self.code_of), self.since - LOOKS_BACK, at, list(self._heard)),
        )
        for run, supplier, store, name, content, placed_at in rows:
            self._heard.add(run)
            code = self.code_of[supplier]
            for due, fact in plan_run(read_run(bytes(content), name), BY_CODE[code], placed_at):
                if due > self.since:
                    heappush(self._coming, (due, number(run, code, *fact[:3]), code, store, fact))


def _reply(supplier: SampleSupplier, store: int, rows: Sequence[Answer], day: str) -> Paper:
    name = f"{supplier.code}-{day}-{store}"
    if supplier.reply == "run":
        place = 1 if language_of(supplier.language) == "zh" else 0
        head = [column[place] for column in COLUMNS if column[0] not in WHERE_MASKED]
        body = [
            (
                a.reference, a.line, a.supplier_sku, a.title, a.ordered, *[None] * 9, a.accepted, a.shipped,
                supplier.carrier if a.numbers else None, a.numbers or None, a.reason or None,
            )
            for a in rows
        ]  # fmt: skip
        if len(rows) <= MOST_XLSX_ROWS:
            buffer = io.BytesIO()
            write_xlsx(buffer, Table("Reply", [Column(title) for title in head], body))
            return Paper("replies", store, supplier.code, f"{name}.xlsx", buffer.getvalue())
        return Paper("replies", store, supplier.code, f"{name}.csv", _csv(head, body))
    if supplier.reply == "zh":
        head = [
            "客户订单号",
            "行标",
            "货号",
            "订购数量",
            "确认数量",
            "实发数量",
            "快递公司",
            "快递单号",
            "实际发货时间",
            "备注",
        ]
    else:
        head = ["PO", "Line number", "Item code", "Qty", "Confirmed quantity", "Shipped quantity", "Courier",
                "Tracking number", "Dispatched at", "Remarks"]  # fmt: skip
    body = [
        (
            a.reference, a.line, a.supplier_sku, a.ordered, a.accepted, a.shipped, supplier.carrier if a.numbers else "",
            a.numbers, _time(a.shipped_at), a.reason,
        )
        for a in rows
    ]  # fmt: skip
    content = _csv(head, body)
    if supplier.reply == "zh":
        content = content.decode().encode("gb18030")
    return Paper("replies", store, supplier.code, f"{name}.csv", content)


def _tracking(store: int, rows: Sequence[Scan], day: str) -> Paper:
    body = [(s.number, _time(s.at), s.words, s.place, s.carrier) for s in rows]
    content = _csv(["Tracking number", "Time", "Status", "Place", "Carrier"], body)
    return Paper("tracking", store, "", f"tracking-{day}-{store}.csv", content)


def _time(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else ""


def _csv(head: Sequence[Any], rows: Iterable[Sequence[Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue().encode()
