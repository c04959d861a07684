"""Intake: a file comes in, is kept as it came, read in batches, and every row ends somewhere, with its reason.

Each batch of documents commits together with the count of documents done, so a killed import goes on behind the last
batch: state before or after, never between. Reading the same file again changes nothing.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import OperationalError, transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from daifa.connectors.contract import (
    IncomingCredit,
    IncomingOffer,
    IncomingOrder,
    IncomingProduct,
    NotAnOrder,
    ReplyRow,
    RowProblem,
    TrackingRow,
)
from daifa.connectors.manual.connector import read_file as open_file
from daifa.domain.aftersales import commands as aftersales
from daifa.domain.catalog import commands as catalog
from daifa.domain.history.commands import record_facts, retried
from daifa.domain.imports import commands as imports
from daifa.domain.imports.models import ImportFile, ImportRow
from daifa.domain.orders import commands as orders
from daifa.domain.orders import queries as order_queries
from daifa.domain.orders.rules import content_hash, is_unpaid
from daifa.domain.sourcing import commands as sourcing
from daifa.domain.sourcing.models import Supplier
from daifa.domain.stores.commands import NewTask, open_tasks
from daifa.domain.stores.models import Store
from daifa.flows.by_hand import readdress
from daifa.flows.read_replies import apply_replies
from daifa.flows.track_parcels import apply_tracking
from daifa.lib import bulk
from daifa.lib.refusal import Refused
from daifa.lib.sheets import SheetRefused

BATCH_DOCUMENTS = 500
BATCH_ROWS = 5000
A_CENT = Decimal("0.01")
MAX_BYTES = 512 * 1024 * 1024
OF_A_STORE = ("orders", "expenses", "violations")
"""Kinds of files that say nothing where nobody says whose they are."""
# What one bad document may raise. OperationalError is among them by descent and is let through where it means a lost race.
BAD_ROW = (DatabaseError, ValueError, LookupError, ArithmeticError, TypeError, AttributeError)

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


# --- Receiving ----------------------------------------------------------------------------------------------------


def receive_file(
    *, kind: str, name: str, content: bytes | Path, by: str, at: datetime, store: Store | None = None,
    supplier: Supplier | None = None, options: dict[str, Any] | None = None,
) -> ImportFile:  # fmt: skip
    """Keep a file as it came and say what it is meant to be. Nothing is read yet; raises `Refused`.

    `options`: layout, mapping {field: heading}, worksheet, encoding, day_first, decimal_mark; orders: treat_as
    ("auto", "open", "history"), recipients ("generated": invented, for trying out); offers: full (the list holds all);
    violations: without_money (who hands it in may not book).
    """
    if kind not in dict(ImportFile.KINDS):
        raise Refused(_("There is no import of %(kind)s.") % {"kind": kind}, code="kind_unknown", field="kind")
    if kind in OF_A_STORE and store is None:
        raise Refused(_("Say which store this file belongs to."), code="store_missing", field="store")
    if kind == "offers" and supplier is None:
        raise Refused(_("Say which supplier's list this is."), code="supplier_missing", field="supplier")
    sha256, size = _keep(content)
    with transaction.atomic():
        return imports.receive(
            kind=kind, store=store.pk if store else None, supplier_code=supplier.code if supplier else "",
            name=Path(name).name or "file", sha256=sha256, size=size, options=dict(options or {}), by=by, at=at,
        )  # fmt: skip


def path_of(sha256: str) -> Path:
    """Where a file that came in lies."""
    return Path(settings.MEDIA_ROOT) / "imports" / sha256[:2] / sha256


def _keep(content: bytes | Path) -> tuple[str, int]:
    """Store under the content's hash, in place whole or not at all; (sha256, size)."""
    folder = Path(settings.MEDIA_ROOT) / "imports"
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = folder / f".{os.getpid()}-{os.urandom(6).hex()}.part"
    digest, size = hashlib.sha256(), 0
    try:
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            with (open(content, "rb") if isinstance(content, Path) else _bytes(content)) as source:
                while block := source.read(1 << 20):
                    size += len(block)
                    if size > MAX_BYTES:
                        raise Refused(
                            _("The file is larger than %(limit)s MB. Split it and import the parts.")
                            % {"limit": MAX_BYTES >> 20},
                            code="file_too_big",
                        )
                    digest.update(block)
                    out.write(block)
        target = path_of(digest.hexdigest())
        if not target.parent.is_dir():
            target.parent.mkdir(mode=0o700, exist_ok=True)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return digest.hexdigest(), size


def _bytes(content: bytes) -> Any:
    from io import BytesIO

    return BytesIO(content)


# --- Reading ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Batch:
    """Records of one batch and where their rows go."""

    documents: int = 0
    rows: int = 0
    records: list[Any] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    notes: list[RowProblem] = field(default_factory=list)

    def used(self, reason: str, rows: int, documents: int = 1) -> None:
        self.counts["used"][reason] += rows
        self.counts["documents"][reason] += documents

    def refuse(self, problem: RowProblem) -> None:
        if problem.rows:
            self.counts["refused"][problem.code] += problem.rows
        self.notes.append(problem)


def read_file(import_id: int, *, by: str, at: datetime, progress: Progress | None = None) -> ImportFile:
    """Read a received (or stopped) file to its end; returns it with its counts.

    Where two read it at once, what one of them applied counts and the other gives way: each batch commits only if
    nobody has gone on with the file since it was begun.
    """
    file = _file(import_id)
    if file.state in ("done", "refused"):
        return file
    try:
        _read(file, by=by, at=at, progress=progress)
    except SheetRefused as refused:
        with transaction.atomic():
            imports.refuse(import_id, refused.sentence(), by=by, at=at)
    except Refused as refused:
        with transaction.atomic():
            imports.refuse(import_id, refused.sentence, by=by, at=at)
    except OSError as error:
        with transaction.atomic():
            imports.stop(import_id, _("The file could not be read: %(why)s.") % {"why": error.strerror}, by=by, at=at)
    except imports.ReadElsewhere:
        pass
    else:
        return file
    return _file(import_id)


def _file(import_id: int) -> ImportFile:
    found = bulk.instances(ImportFile, "id = %s", (import_id,))
    if not found:
        raise ImportFile.DoesNotExist(f"There is no import {import_id}.")
    file = found[0]
    if file.store_id is not None:
        file.store = bulk.instances(Store, "id = %s", (file.store_id,))[0]
    return file


def read_later(import_id: int) -> None:
    """Let a worker read a received file: for doors whose caller should not wait. Queued with the caller's transaction."""
    import_string(settings.DAIFA_READ_FILE)(import_id)


def _read(file: ImportFile, *, by: str, at: datetime, progress: Progress | None) -> None:
    supplier = next(iter(bulk.instances(Supplier, "code = %s", (file.supplier_code,))), None) if file.supplier_code else None
    options = dict(file.options)
    reading: Any
    apply: Callable[[_Batch], None]
    if file.kind == "expenses":
        from daifa.flows.expense_files import ExpenseReading, apply_expenses

        reading = ExpenseReading(path_of(file.sha256), name=file.name, mapping=options.get("mapping"))
        layout = "expenses"
        apply = lambda batch: apply_expenses(batch, file, by=by, at=at)  # noqa: E731
    elif file.kind == "violations":
        from daifa.flows.violation_files import ViolationReading, apply_violations

        given = {name: options[name] for name in ("mapping", "worksheet", "encoding", "day_first", "decimal_mark") if name in options}
        reading = ViolationReading(path_of(file.sha256), name=file.name, zone=ZoneInfo(file.store.timezone), **given)
        layout = "violations"
        if reading.unknown:
            options["unknown_columns"] = reading.unknown
            file.options = options
            file.save(update_fields=["options"])
        apply = lambda batch: apply_violations(batch, file, by=by, at=at)  # noqa: E731
    else:
        opened = open_file(
            file.kind, path_of(file.sha256), name=file.name,  # type: ignore[arg-type]
            store_currency=file.store.currency if file.store else supplier.currency if supplier else "",
            tz=ZoneInfo(file.store.timezone) if file.store else UTC,
            mapping=options.get("mapping"), layout=options.get("layout", ""), worksheet=options.get("worksheet", ""),
            encoding=options.get("encoding", ""), day_first=options.get("day_first"),
            decimal_mark=options.get("decimal_mark"),
        )  # fmt: skip
        reading, layout = opened.records, opened.layout.name
        apply = _applier(file, supplier, options, by=by, at=at)
        if opened.layout.unknown:
            options["unknown_columns"] = list(opened.layout.unknown)
            file.options = options
            file.save(update_fields=["options"])
    file.layout, file.rows_expected = layout[:40], reading.rows_in
    batches = _batches(reading, skip=file.documents_done)
    batch, begun, rows_read = next(batches, None) or _Batch(), False, 0
    while batch is not None:
        following = next(batches, None)

        def work(
            batch: _Batch = batch, first: bool = not begun, last: bool = following is None, carefully: bool = False
        ) -> dict[str, Any]:
            # The first batch also begins the import and the last one ends it: a small file is one transaction and one step.
            batch.counts.clear()
            batch.notes.clear()
            if first and not last:
                imports.begin(file.pk, by=by, at=at)
            (_apply_carefully if carefully else _apply_whole)(apply, batch)
            fields = imports.add_progress(
                file, documents=batch.documents, counts=batch.counts, notes=batch.notes, at=at
            )
            if last:
                if file.kind == "offers" and supplier is not None and options.get("full"):
                    sourcing.close_list(supplier, by=by, at=at)
                imports.finish(file.pk, by=by, at=at)
                fields |= {"state": "done", "finished_at": at}
            return fields

        try:
            fields = retried(work)
        except OperationalError:
            raise
        except BAD_ROW:  # rolled back whole: again, by savepoint, so that one bad document does not hold up the rest
            fields = retried(partial(work, carefully=True))
        for name, value in fields.items():
            setattr(file, name, value)
        begun = True
        rows_read += batch.rows
        if progress is not None:
            progress(min(rows_read, file.rows_expected), file.rows_expected)
        batch = following


def _apply_whole(apply: Callable[[_Batch], None], batch: _Batch) -> None:
    apply(batch)


def _apply_carefully(apply: Callable[[_Batch], None], batch: _Batch) -> None:
    """Apply in halves, by savepoint, until what cannot be applied is alone; that is refused, the rest is used."""
    part = _Batch(records=batch.records, documents=len(batch.records))
    try:
        with transaction.atomic():
            apply(part)
    except OperationalError:
        raise  # deadlock, serialisation, broken connection: the whole batch is tried again
    except BAD_ROW as error:
        middle = next(_cuts(batch.records), 0)
        if middle:
            for records in (batch.records[:middle], batch.records[middle:]):
                half = _Batch(records=records)
                _apply_carefully(apply, half)
                _add(batch, half)
            return
        log.warning("A document of an import failed: %s", type(error).__name__, exc_info=error)
        part = _Batch()
        part.refuse(_not_applied(batch.records, error))
    _add(batch, part)


def _cuts(records: Sequence[Any]) -> Iterator[int]:
    """Where a batch can be cut in two, the middle first."""
    middle = len(records) // 2
    for i in sorted(range(1, len(records)), key=lambda i: abs(i - middle)):
        if not _same_row(records[i - 1], records[i]):
            yield i


def _add(batch: _Batch, part: _Batch) -> None:
    for what, reasons in part.counts.items():
        batch.counts[what].update(reasons)
    batch.notes += part.notes


def _not_applied(records: Sequence[Any], error: Exception) -> RowProblem:
    record = records[0]
    rows = tuple(getattr(record, "rows", ()) or ()) or (getattr(record, "row", 0),)
    names = ("number", "reference", "sku", "supplier_sku")
    document = next((str(getattr(record, name)) for name in names if getattr(record, name, "")), "")
    return RowProblem(
        row=rows[0], rows=len(rows), code="not_applied", document=document, raw=tuple(getattr(record, "raw", ())),
        message=N_("This could not be used (%(why)s). Correct it in the file and try it again; the other rows were used."),
        params={"why": f"{error}".splitlines()[0][:200] if f"{error}" else type(error).__name__},
    )  # fmt: skip


def _batches(records: Any, *, skip: int) -> Iterator[_Batch]:
    """Documents in batches; the first `skip` were applied by a reader that died."""
    batch = _Batch()
    for number, record in enumerate(records):
        if number < skip:
            continue
        full = batch.documents >= BATCH_DOCUMENTS or batch.rows >= BATCH_ROWS
        if full and not _same_row(batch.records[-1], record):
            yield batch
            batch = _Batch()
        batch.records.append(record)
        batch.documents += 1
        batch.rows += len(getattr(record, "rows", ()) or ()) if not isinstance(record, RowProblem) else record.rows
        batch.rows += 0 if hasattr(record, "rows") else 1
    if batch.records:
        yield batch


def _same_row(one: Any, other: Any) -> bool:
    """Two records of one row (several waybills in a cell) stay in one batch, so that the row is counted once."""
    return isinstance(one, ReplyRow) and isinstance(other, ReplyRow) and one.row == other.row


def _applier(
    file: ImportFile, supplier: Supplier | None, options: dict[str, Any], *, by: str, at: datetime
) -> Callable[[_Batch], None]:
    source = f"import:{file.pk}"
    kinds: dict[str, Callable[[_Batch], None]] = {
        "orders": lambda batch: _apply_orders(batch, file.store, options, source, by=by, at=at),
        "products": lambda batch: _apply_products(batch, file.store, by=by, at=at),
        "offers": lambda batch: _apply_offers(batch, supplier, by=by, at=at),
        "replies": lambda batch: _apply_replies(batch, supplier, source, by=by, at=at),
        "tracking": lambda batch: _apply_tracking(batch, file.store, source, by=by, at=at),
    }
    return kinds[file.kind]


def _sort(batch: _Batch, *kinds: type) -> list[list[Any]]:
    """Records by type; problems and documents that are no orders are booked at once."""
    result: list[list[Any]] = [[] for _ in kinds]
    for record in batch.records:
        if isinstance(record, RowProblem):
            batch.refuse(record)
        elif isinstance(record, NotAnOrder):
            batch.counts["not_orders"][record.reason] += len(record.rows)
            batch.counts["documents"]["not_an_order"] += 1
        else:
            result[kinds.index(type(record))].append(record)
    return result


# --- Orders and credit notes --------------------------------------------------------------------------------------


def _apply_orders(
    batch: _Batch, store: Any, options: dict[str, Any], source: str, *, by: str, at: datetime
) -> None:
    records, credits = _sort(batch, IncomingOrder, IncomingCredit)
    if options.get("recipients") == "generated":
        records = [_with_recipient(record) for record in records]
    treat_as = options.get("treat_as", "auto")
    if records:
        receive_orders(records, store=store, treat_as=treat_as, source=source, by=by, at=at, batch=batch)
    usable = []
    for credit in credits:
        if credit.currency and credit.currency != store.currency:
            batch.refuse(_other_currency(credit, store))
        else:
            usable.append(credit)
    if usable:
        credited = aftersales.apply_credits(store, usable, by=by, at=at)
        batch.used("credit", sum(len(credit.rows) for credit in usable), len(usable))
        for name in ("matched", "partly", "unmatched", "known"):
            if number := getattr(credited, name):
                batch.counts["credit_lines"][name] += number


def receive_orders(
    records: Sequence[IncomingOrder], *, store: Any, treat_as: str = "auto", source: str, by: str, at: datetime,
    batch: Any = None,
) -> orders.Received:  # fmt: skip
    """Orders of one store, from a file or an API: new ones are stored and set going, changed ones adapted."""
    batch = batch if batch is not None else _Batch()

    def is_history(record: IncomingOrder) -> bool:
        if record.cancelled_at is not None:
            return True  # nobody wants it any more, whatever the file is to be treated as
        return treat_as == "history" or (treat_as != "open" and record.dispatched_at is not None)

    received = orders.receive_orders(store=store, records=records, is_history=is_history, by=by, at=at, source=source)
    record_facts("orders_received", received.live, at=at)
    if received.refunded:
        goods = _goods_of([order for order, record in received.refunded if _is_refunded(record)])
        aftersales.write_refunds(
            [
                aftersales.NewRefund(
                    store.pk, order, f"{record.number}/refunded", "channel_refund", "imported_credit", record.refunded,
                    store.currency, record.paid_at or record.placed_at, goods.get(order, ()),
                )
                for order, record in received.refunded
            ],
            by=by, at=at,
        )  # fmt: skip
    odd = {id(record) for record in received.other_currency}
    became = {record.number: "order_changed" for _, record in received.changed}
    became |= dict.fromkeys(received.new_numbers, "order")
    became |= dict.fromkeys(received.history_numbers, "order_history")
    for record in records:
        if id(record) in odd:
            batch.refuse(_other_currency(record, store))
        else:
            batch.used(became.get(record.number, "order_unchanged"), len(record.rows))
    if received.changed:
        _apply_changes(received.changed, store=store, is_history=is_history, by=by, at=at)
    return received


def _is_refunded(record: IncomingOrder) -> bool:
    """The buyer got everything back: nothing of it is to be bought any more."""
    total = sum((line.amount for line in record.lines), Decimal(0))
    return record.refunded >= total > 0


def _goods_of(order_ids: Sequence[int]) -> dict[int, tuple[tuple[int, str, int, Decimal], ...]]:
    """Order → the parts of a refund that give all of its goods back."""
    parts: dict[int, tuple[tuple[int, str, int, Decimal], ...]] = {}
    for order, line, sku, units in bulk.fetch(
        """SELECT order_id, id, sku, quantity - refunded FROM orders_orderline
           WHERE order_id = ANY(%s::bigint[]) AND kind = 'goods' AND quantity > refunded ORDER BY id""",
        (list(order_ids),),
    ):
        parts[order] = (*parts.get(order, ()), (line, sku, units, Decimal(0)))
    return parts


def _other_currency(record: Any, store: Any) -> RowProblem:
    return RowProblem(
        row=record.rows[0] if record.rows else 0, code="currency_not_of_store", rows=len(record.rows),
        document=record.number,
        message=N_("%(number)s is in %(currency)s, but the store sells in %(store)s. Import it into a store of that currency."),
        params={"number": record.number, "currency": record.currency, "store": store.currency},
    )  # fmt: skip


def _with_recipient(record: IncomingOrder) -> IncomingOrder:
    """An invented recipient where the file holds none (option `recipients: generated`)."""
    if record.address is not None and record.address.is_complete():
        return record
    from daifa.flows.sample_shop.recipients import recipient_for

    return replace(record, address=recipient_for(record.customer_ref, record.number, record.country))


def _apply_payments(
    changed: Sequence[tuple[int, IncomingOrder]], *, store: Any, is_history: Callable[[IncomingOrder], bool], by: str, at: datetime
) -> list[int]:
    """Orders that waited for their payment: what the channel says now counts. Who has paid is worked on, booked and returned."""
    wanted = [(order, record) for order, record in changed if record.cancelled_at is None or record.refunded > 0]
    orders.keep_only(
        [(order, record.paid_at or record.placed_at) for order, record in wanted if record.cancelled_at is None and is_history(record)],
        by=by, at=at,
    )  # fmt: skip
    orders.rewrite_unpaid(wanted, store=store)
    orders.correct_payment(
        [(order, record.paid_at) for order, record in wanted if record.paid_at is not None and record.paid_at != record.placed_at]
    )
    paid = [(order, record.paid_at or record.placed_at) for order, record in wanted if not is_unpaid(record)]
    marked = orders.mark_paid(paid, by=by, at=at)
    record_facts("orders_received", marked, at=at)
    return marked


def _ask_about_payments(
    changed: Sequence[tuple[int, IncomingOrder]], paid: Sequence[int], totals: dict[int, Decimal], *, store: Any, at: datetime
) -> None:
    """Payments that do not fit what was done with the order are for a person, who looks at the channel."""
    said_unpaid = [order for order, record in changed if order in totals and record.cancelled_at is None and is_unpaid(record)]
    waiting = set(order_queries.unpaid(said_unpaid)) if said_unpaid else set()
    numbers = {order: record.number for order, record in changed}

    def about(order: int) -> dict[str, Any]:
        return {
            "store_id": store.pk, "thing_kind": "order", "thing": order, "params": {"number": numbers[order]},
            "stake": totals[order], "currency": store.currency,
        }  # fmt: skip

    tasks = [NewTask(kind="order_unpaid", **about(order)) for order in said_unpaid if order not in waiting]
    tasks += [NewTask(kind="order_paid_after", **about(order)) for order in order_queries.wholly_cancelled(paid)]
    open_tasks(tasks, at=at)


def _apply_changes(
    changed: Sequence[tuple[int, IncomingOrder]], *, store: Any, is_history: Callable[[IncomingOrder], bool], by: str, at: datetime
) -> None:
    """What may still change, changes: the ship-to before placing, units not yet bought. The rest asks a person."""
    ids = sorted(order for order, _ in changed)
    orders.lock_orders(ids)
    paid = _apply_payments(changed, store=store, is_history=is_history, by=by, at=at)
    state = {
        row[0]: row[1:]
        for row in bulk.fetch(
            """SELECT o.id, o.is_history, o.refunded_amount, o.total_amount,
                      EXISTS (SELECT 1 FROM purchasing_purchaseorder p WHERE p.order_id = o.id
                              AND p.state NOT IN ('draft', 'ready', 'cancelled', 'refused', 'failed'))
               FROM orders_order o WHERE o.id = ANY(%s::bigint[])""",
            (ids,),
        )
    }
    lines: dict[int, list[_Line]] = {}
    for order, *line in bulk.fetch(
        """SELECT order_id, id, sku, kind, quantity, quantity - greatest(cancelled, refunded), cancelled
           FROM orders_orderline WHERE order_id = ANY(%s::bigint[]) ORDER BY order_id, line_no""",
        (ids,),
    ):
        lines.setdefault(order, []).append(_Line(*line))
    digests = _newest_addresses(ids)
    moved, again, refunds, cancelled = [], [], [], []
    asked: dict[int, tuple[IncomingOrder, list[str]]] = {}
    expected: dict[int, int] = {}  # line → cancelled units, if nothing of what was given back is on its way
    for order, record in changed:
        is_history, refunded, total, placed = state[order]
        if is_history:
            continue
        what: list[str] = []
        if record.address is not None and digests.get(order) != _digest(record.address):
            if placed:
                what.append("address")
            else:
                moved.append((order, record.address))
                again.append(order)
        fewer, more = _compare(lines.get(order, []), record)
        if more:
            what.append("lines")
        elif not fewer and not record.refunded and abs(sum((item.amount for item in record.lines), Decimal(0)) - total) >= A_CENT / 2:
            what.append("amount")
        if record.cancelled_at is not None or _is_refunded(record):
            fewer = {line.id: line.live for line in lines.get(order, []) if line.kind == "goods" and line.live}
        back = record.refunded - refunded
        if back > 0:
            # The units that nobody was asked to ship go with the refund: it remembers which, for the books.
            by_id = {line.id: line for line in lines.get(order, [])}
            parts = tuple((line, by_id[line].sku, units, Decimal(0)) for line, units in fewer.items())
            refunds.append(_refund(store, order, record, back, parts))
            expected |= {line: by_id[line].cancelled + units for line, units in fewer.items()}
        elif fewer:
            done = aftersales.cancel_units(dict(fewer), by=by, at=at)
            cancelled.append(order)
            if any(done.get(line, 0) < units for line, units in fewer.items()):
                what.append("cancelled")
        asked[order] = (record, what)
    if gone := [order for order, record in changed if record.cancelled_at is not None]:
        orders.release_holds(order_ids=gone, reasons=["not_paid"], by=by, at=at)  # it will never be paid
    orders.set_addresses(moved, by=by, at=at)
    if moved:
        readdress([order for order, _ in moved])
    aftersales.write_refunds(refunds, by=by, at=at)
    record_facts("units_cancelled", cancelled, at=at)
    for order in _still_coming(expected):
        asked[order][1].append("cancelled")
    open_tasks(
        [
            NewTask(
                kind="order_changed", store_id=store.pk, thing_kind="order", thing=order,
                params={"number": record.number, "what": what}, stake=state[order][2], currency=store.currency,
            )
            for order, (record, what) in asked.items()
            if what
        ],
        at=at,
    )  # fmt: skip
    _ask_about_payments(changed, paid, {order: row[2] for order, row in state.items() if not row[0]}, store=store, at=at)
    orders.remember_content([(order, content_hash(record)) for order, record in changed])
    record_facts("orders_to_route", sorted(set(again)), at=at)


def _still_coming(expected: dict[int, int]) -> list[int]:
    """Orders with lines {line: units expected cancelled} of which more is bought and not yet with the buyer."""
    if not expected:
        return []
    rows = bulk.fetch(
        """SELECT DISTINCT l.order_id FROM unnest(%s::bigint[], %s::int[]) AS w(id, cancelled)
           JOIN orders_orderline l ON l.id = w.id
           WHERE l.cancelled < w.cancelled AND l.allocated > l.delivered ORDER BY 1""",
        (list(expected), list(expected.values())),
    )
    return [row[0] for row in rows]


class _Line(NamedTuple):
    """A stored line: `live` units are neither cancelled nor given back."""

    id: int
    sku: str
    kind: str
    quantity: int
    live: int
    cancelled: int


def _refund(store: Any, order: int, record: IncomingOrder, amount: Decimal, parts: tuple) -> aftersales.NewRefund:
    return aftersales.NewRefund(
        store.pk, order, f"{record.number}/refunded/{record.refunded}", "channel_refund", "imported_credit", amount,
        store.currency, record.cancelled_at or record.paid_at or record.placed_at, parts,
    )  # fmt: skip


def _compare(lines: Sequence[_Line], record: IncomingOrder) -> tuple[dict[int, int], bool]:
    """(line → units fewer than are live, whether more is wanted than was ever ordered), SKU by SKU."""
    have: dict[str, list[tuple[int, int]]] = {}
    ordered: Counter[str] = Counter()
    for line in lines:
        if line.kind == "goods":
            have.setdefault(line.sku, []).append((line.id, line.live))
            ordered[line.sku] += line.quantity
    want: Counter[str] = Counter()
    for item in record.lines:
        if item.kind == "goods":
            want[item.sku] += item.quantity
    fewer: dict[int, int] = {}
    more = False
    for sku in {*have, *want}:
        left = sum(quantity for _, quantity in have.get(sku, ())) - want[sku]
        more = more or want[sku] > ordered[sku]
        for line, quantity in reversed(have.get(sku, ())):
            if left > 0 and quantity:
                fewer[line] = min(left, quantity)
                left -= fewer[line]
    return fewer, more


def _newest_addresses(ids: Sequence[int]) -> dict[int, bytes]:
    return {
        order: bytes(digest)
        for order, digest in bulk.fetch(
            """SELECT a.order_id, a.digest FROM orders_addressversion a JOIN orders_order o ON o.id = a.order_id
               WHERE o.id = ANY(%s::bigint[]) AND a.version = o.address_version""",
            (list(ids),),
        )
    }


def _digest(address: Any) -> bytes:
    from daifa.domain.orders.rules import address_text
    from daifa.lib.secret import keyed_digest

    return keyed_digest(address_text(address))


# --- Everything else ----------------------------------------------------------------------------------------------


def _apply_products(batch: _Batch, store: Any, *, by: str, at: datetime) -> None:
    (records,) = _sort(batch, IncomingProduct)
    result = catalog.import_products(records, by=by, at=at, store=store)
    _book(batch, records, result.refused, {n: getattr(result, n) for n in ("created", "updated", "unchanged")})


def _apply_offers(batch: _Batch, supplier: Any, *, by: str, at: datetime) -> None:
    (records,) = _sort(batch, IncomingOffer)
    result = sourcing.import_offers(supplier, records, by=by, at=at)
    _book(batch, records, result.refused, {n: getattr(result, n) for n in ("created", "updated", "unchanged")})
    batch.notes += [_remark(note) for note in result.notes]
    if result.variants:
        route_held_variants(result.variants, at=at)


def route_held_variants(variants: Any, *, at: datetime) -> list[int]:
    """Orders held because these variants had no usable source are routed again; returns them."""
    held = [
        row[0]
        for row in bulk.fetch(
            """SELECT DISTINCT h.order_id FROM orders_hold h JOIN orders_orderline l ON l.id = h.line_id
               LEFT JOIN catalog_variant v ON v.sku = l.sku
               WHERE h.released_at IS NULL
                 AND h.reason IN ('mapping_missing', 'mapping_broken', 'out_of_stock', 'price_above_limit')
                 AND coalesce(l.variant_id, v.id) = ANY(%s::bigint[]) ORDER BY 1""",
            (list(variants),),
        )
    ]
    record_facts("orders_to_route", held, at=at)
    return held


def _book(batch: _Batch, records: Sequence[Any], refused: Sequence[Any], used: dict[str, int]) -> None:
    for row in refused:
        batch.refuse(RowProblem(row.row, row.code, row.message, row.params, document=row.document))
    left = len(records) - len(refused)
    for reason, number in used.items():
        number = min(number, left)
        if number:
            batch.used(reason, number, number)
            left -= number
    if left:
        batch.used("used", left, left)


def _remark(row: Any) -> RowProblem:
    return RowProblem(row.row, row.code, row.message, row.params, document=row.document, rows=0)


def _apply_replies(batch: _Batch, supplier: Any, source: str, *, by: str, at: datetime) -> None:
    (rows,) = _sort(batch, ReplyRow)
    applied = apply_replies(rows, supplier=supplier.pk if supplier else None, source=source, by=by, at=at)
    refused: set[int] = set()
    for problem in applied.problems:
        batch.refuse(replace(problem, rows=0) if problem.row in refused else problem)  # a row is refused once
        if problem.rows:
            refused.add(problem.row)
    # One row of the file may have become several records (several waybills in a cell): count rows, not records.
    used = {row.row for row in rows} - refused
    if used:
        batch.used("reply_row", len(used), len(used))


def _apply_tracking(batch: _Batch, store: Any, source: str, *, by: str, at: datetime) -> None:
    (rows,) = _sort(batch, TrackingRow)
    tracked = apply_tracking(rows, source=source, by=by, at=at, stores=[store.pk] if store else None)
    for problem in tracked.problems:
        batch.refuse(problem)
    if tracked.used:
        batch.used("scan", tracked.used, tracked.used)


# --- Mending refused rows -----------------------------------------------------------------------------------------


def retry_row(
    row_id: int, *, cells: Sequence[str] | None, by: str, at: datetime, without_money: bool = False
) -> ImportFile:
    """Read one refused row again, as it was or with mended `cells`: a small file of its own with the same heading.

    `without_money`: whoever asks may not book (violations only).
    Returns the new import; the refused row is marked as retried when the new one used it.
    """
    row = ImportRow.objects.select_related("file", "file__store").get(pk=row_id)
    if row.state != "open":
        raise Refused(_("This row has been settled already."), code="row_settled")
    file, values = row.file, list(cells) if cells is not None else None
    header, rows = _rows_of_document(row)
    rows = {number: values if number == row.row and values is not None else cells_ for number, cells_ in rows.items()}
    if not any(any(cells_) for cells_ in rows.values()):
        raise Refused(_("The row as it was read is not kept any more; import a mended file instead."), code="row_gone")
    import csv
    from io import StringIO

    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    for cells_ in rows.values():
        writer.writerow([*cells_, *[""] * (len(header) - len(cells_))][: len(header)])
    supplier = Supplier.objects.filter(code=file.supplier_code).first()
    again = receive_file(
        kind=file.kind, name=f"row-{row.row}-{Path(file.name).stem}.csv", content=text.getvalue().encode(),
        store=file.store, supplier=supplier, by=by, at=at,
        # How the first file was written down says nothing about this one.
        options={k: v for k, v in file.options.items() if k not in ("encoding", "worksheet", "unknown_columns", "full", "without_money")}
        | ({"without_money": True} if without_money and file.kind == "violations" else {}),
    )  # fmt: skip
    again = read_file(again.pk, by=by, at=at)
    if again.state == "done" and (again.rows_refused == 0 or values is not None):
        # Rows of the order that are still refused live on in the new import, beside the one mended now.
        settled = [row_id]
        if len(rows) > 1:
            same = ImportRow.objects.filter(file=file, document=row.document, state="open", row__in=list(rows))
            settled += list(same.values_list("pk", flat=True))
        if again.rows_refused == 0 or len(rows) > 1:
            imports.settle_rows(settled, state="retried")
    return again


def _rows_of_document(row: ImportRow) -> tuple[list[str], dict[int, list[str]]]:
    """The heading of a refused row's file and, by number, the rows to read again.

    An order is taken or refused whole, so all of its rows come along; elsewhere a row stands alone.
    """
    file, options = row.file, row.file.options
    from daifa.lib.sheets import read_sheet

    try:
        sheet = read_sheet(
            path_of(file.sha256), name=file.name, worksheet=options.get("worksheet", ""),
            encoding=options.get("encoding", ""),
        )  # fmt: skip
    except OSError:
        raise Refused(
            _("The row as it was read is not kept any more; import a mended file instead."), code="row_gone"
        ) from None
    if file.kind == "orders" and row.document:
        opened = open_file(
            "orders", path_of(file.sha256), name=file.name, mapping=options.get("mapping"),
            layout=options.get("layout", ""), worksheet=options.get("worksheet", ""), encoding=options.get("encoding", ""),
        )  # fmt: skip
        rows = {number: list(cells) for number, cells in opened.records.rows_of(row.document)}
        if row.row in rows:
            return list(sheet.header), rows
    found = {number: list(cells) for number, cells in sheet.rows() if number == row.row}
    return list(sheet.header), found or {row.row: list(row.raw)}
