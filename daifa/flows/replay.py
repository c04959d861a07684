"""A past period in one process: the clock moved step by step, files picked up by their date, everything due done.

Where a file lies says what it is, its name says when it comes:

    INBOX/orders/<store>/2010-12-01 webshop.csv       INBOX/replies/<supplier>/2010-12-02T1530.xlsx
    INBOX/tracking/[<store>/]2010-12-04.csv           INBOX/offers/<supplier>/…   products, expenses, violations: as orders

A name begins with the day (YYYY-MM-DD), with THHMM after it the moment (UTC); a file of a day comes at the day's
beginning, and is read in the step in which that moment lies. The store may be left out where there is only one. Files
of one moment come in the order products, offers, orders, replies, tracking, expenses, violations.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from daifa.domain.history.commands import ensure_months
from daifa.domain.sourcing.models import Supplier
from daifa.domain.stores.commands import ensure_installation
from daifa.domain.stores.models import Store
from daifa.flows.one_clock import moved_clock, unhurried_commits
from daifa.flows.sample_shop.factory import Factories
from daifa.flows.sample_shop.living import live_until, read_paper
from daifa.lib import bulk, clock
from daifa.lib.commas import listed
from daifa.lib.refusal import Refused

KINDS = ("products", "offers", "orders", "replies", "tracking", "expenses", "violations")
MOST_STEPS = 200_000
LEARNS_AFTER = frozenset({2, 5, 12, 30, 90})  # steps after which the planner hears how large the tables have become
_NAME = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):?(\d\d))?")

Progress = Callable[[datetime, int, int, Counter[str]], None]
"""progress(moment, steps done, steps in all, counts so far)"""


@dataclass(frozen=True, slots=True)
class Dated:
    """A file of the inbox: when it comes and what it is."""

    at: datetime
    kind: str
    path: Path
    store: Store | None
    supplier: Supplier | None


@dataclass(slots=True)
class Replayed:
    """What a replay did. `refused` are files that were refused as a whole: (path, sentence)."""

    steps: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[Path, str]] = field(default_factory=list)


def replay(
    *, from_: datetime, to: datetime, step: timedelta, by: str, inbox: Path | None = None,
    options: dict[str, Any] | None = None, factories: bool = True, progress: Progress | None = None,
) -> Replayed:  # fmt: skip
    """Live through `from_` … `to` (aware) in steps; raises `Refused` with a sentence, also while a worker lives.

    `options` go with every order file (`{"recipients": "generated"}`). With `factories` the sample's factories and
    carriers answer what they were sent, and its person hands runs and dispatch files on; suppliers that are not of
    the sample shop are never answered for.
    """
    if step <= timedelta(0):
        raise Refused(
            _("A step must be longer than nothing, for example 1d or 6h."), code="step_invalid", field="step"
        )
    if to <= from_:
        raise Refused(
            _("The replay would end before it begins; correct the dates."), code="dates_crossed", field="to"
        )
    steps = -(-(to - from_) // step)
    if steps > MOST_STEPS:
        raise Refused(
            _("That would be %(steps)s steps; take longer ones.") % {"steps": steps}, code="step_invalid"
        )
    files = find_files(inbox) if inbox is not None else []
    result = Replayed()
    with moved_clock(), unhurried_commits():
        ensure_installation(clock.now())
        others = Factories(since=from_) if factories else None
        waiting = [file for file in files if file.at >= from_]
        place = 0
        for number in range(1, steps + 1):
            moment = min(from_ + step * number, to)
            with clock.moved_to(moment):
                ensure_months(moment.date(), moment.date())
                while place < len(waiting) and waiting[place].at < moment:
                    _read(waiting[place], result, options or {}, by=by, at=moment)
                    place += 1
                live_until(moment, factories=others, by=by, counts=result.counts)
            result.steps = number
            if number in LEARNS_AFTER:
                bulk.execute("ANALYZE")
            if progress is not None:
                progress(moment, number, steps, result.counts)
    return result


def _read(file: Dated, result: Replayed, options: dict[str, Any], *, by: str, at: datetime) -> None:
    done = read_paper(
        kind=file.kind, name=file.path.name, content=file.path, store=file.store, supplier=file.supplier,
        options=options if file.kind == "orders" else {}, by=by, at=at, counts=result.counts,
    )  # fmt: skip
    if done.state == "refused":
        result.refused.append((file.path, done.sentence))


def find_files(inbox: Path) -> list[Dated]:
    """The files of an inbox in the order in which they come. Raises `Refused` naming the first that cannot be placed."""
    if not inbox.is_dir():
        raise Refused(_("There is no folder %(path)s.") % {"path": inbox}, code="no_inbox", field="inbox")
    stores = {store.code: store for store in Store.objects.all()}
    suppliers = {supplier.code: supplier for supplier in Supplier.objects.all()}
    found = []
    for path in sorted(inbox.rglob("*")):
        inside = path.relative_to(inbox).parts
        if not path.is_file() or any(part.startswith(".") for part in inside):
            continue
        found.append(_dated(path, inside, stores, suppliers))
    return sorted(found, key=lambda file: (file.at, KINDS.index(file.kind), file.path))


def _dated(
    path: Path, inside: tuple[str, ...], stores: dict[str, Store], suppliers: dict[str, Supplier]
) -> Dated:
    kind = inside[0]
    if len(inside) < 2 or kind not in KINDS:
        raise Refused(
            _("%(path)s lies in no folder of the inbox that says what it is; use one of %(kinds)s.")
            % {"path": path, "kinds": listed(KINDS)},
            code="inbox_kind",
        )
    if not (when := _NAME.match(path.name)):
        raise Refused(
            _("The name of %(path)s does not begin with a day such as 2010-12-01.") % {"path": path},
            code="inbox_date",
        )
    try:
        at = datetime(*(int(part or 0) for part in when.groups()), tzinfo=UTC)  # type: ignore[arg-type]
    except ValueError:
        raise Refused(
            _("The name of %(path)s begins with no real day.") % {"path": path}, code="inbox_date"
        ) from None
    code = inside[1] if len(inside) > 2 else ""
    store = supplier = None
    if kind in ("replies", "offers"):
        supplier = suppliers.get(code)
        if supplier is None:
            raise Refused(
                _("%(path)s belongs into a folder named like its supplier; there are: %(codes)s.")
                % {"path": path, "codes": listed(suppliers) or "–"},
                code="inbox_supplier",
            )
    else:
        store = stores.get(code) if code else next(iter(stores.values())) if len(stores) == 1 else None
        if store is None and not (kind == "tracking" and not code):
            raise Refused(
                _("%(path)s belongs into a folder named like its store; there are: %(codes)s.")
                % {"path": path, "codes": listed(stores) or "–"},
                code="inbox_store",
            )
    return Dated(at, kind, path, store, supplier)
