"""One stretch of time in the life of a shop: files are read, work is done, the sample's other parties answer.

`daifa replay` and the loading of the sample shop live through time with this, by the same flows a live shop uses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from daifa.domain.sourcing.models import Supplier
from daifa.domain.stores.models import Store
from daifa.flows import dispatch, file_shapes, intake, place_purchases
from daifa.flows.sample_shop.factory import Factories, Paper
from daifa.flows.work import work_until_idle
from daifa.lib import bulk

Progress = Callable[[str, int], None]


def read_paper(
    *, kind: str, name: str, content: Any, store: Store | None, supplier: Supplier | None, options: dict[str, Any],
    by: str, at: datetime, counts: Counter[str],
) -> Any:  # fmt: skip
    """Take a file in and read it, as a person would upload it; returns the import. `content`: bytes or a path."""
    file = intake.receive_file(
        kind=kind, name=name, content=content, store=store, supplier=supplier, options=options, by=by, at=at
    )
    file_shapes.recall(file.pk)
    file = intake.read_file(file.pk, by=by, at=at)
    counts["files"] += 1
    counts["rows"] += file.rows_in
    counts["rows_refused"] += file.rows_refused
    return file


def live_until(
    at: datetime, *, factories: Factories | None, by: str, counts: Counter[str], hand_on: bool = True
) -> None:  # fmt: skip
    """Do everything that is due at `at`; with `factories` the sample's factories, carriers and persons act too.

    `hand_on` False leaves out what the sample's person does: runs stay to be downloaded, dispatch files to be taken.
    """
    counts.update(work_until_idle(at=at, by=by))
    if factories is None:
        return
    if hand_on:
        counts["runs"] += hand_on_runs(by=by, at=at)
    papers = factories.answer_runs(at)
    read_papers(papers, by=by, at=at, counts=counts)
    if papers:
        counts.update(
            work_until_idle(at=at, by=by, ask=False)
        )  # suppliers with a system were asked a moment ago
    if hand_on:
        take_dispatch_files(by=by, at=at, counts=counts)


def read_papers(papers: Iterable[Paper], *, by: str, at: datetime, counts: Counter[str]) -> None:
    stores = {store.pk: store for store in Store.objects.filter(is_sample=True)}
    suppliers = {supplier.code: supplier for supplier in Supplier.objects.filter(is_sample=True)}
    for paper in papers:
        read_paper(
            kind=paper.kind, name=paper.name, content=paper.content, store=stores.get(paper.store_id),
            supplier=suppliers.get(paper.supplier_code), options={}, by=by, at=at, counts=counts,
        )  # fmt: skip


def hand_on_runs(*, by: str, at: datetime) -> int:
    """The sample's person downloads the runs of factories served by download and hands them on; returns how many."""
    place_purchases.fix_runs(at=at, by=by, delivery="download")
    runs = bulk.fetch(
        """SELECT r.id FROM purchasing_purchaserun r JOIN sourcing_supplier s ON s.id = r.supplier_id
           WHERE r.state = 'fixed' AND s.is_sample AND s.delivery = 'download' ORDER BY r.id"""
    )
    for (run,) in runs:
        place_purchases.confirm_run(run, by=by, at=at)
    return len(runs)


def take_dispatch_files(*, by: str, at: datetime, counts: Counter[str]) -> None:
    """The sample's person takes the dispatch files of the stores that are told by file."""
    for store in Store.objects.filter(is_sample=True).exclude(channel="sample"):
        rows = bulk.fetch(
            "SELECT EXISTS (SELECT FROM shipping_dispatchnotice WHERE store_id = %s AND state = 'queued')",
            (store.pk,),
        )
        if rows[0][0]:
            dispatch.export_dispatches(store, by=by, at=at, form="csv")
            counts["dispatch_files"] += 1


def answer_sample_runs(*, at: datetime, by: str = "job:sample_factories") -> dict[str, int]:
    """In a live shop: what the sample's factories and carriers have to say since they last spoke. Counts of files.

    Nothing where there is no sample shop. Runs that a person hands on are answered some hours later, as real ones are.
    """
    rows = bulk.fetch(
        """SELECT max(f.at) FROM imports_importfile f JOIN stores_store s ON s.id = f.store_id
           WHERE s.is_sample AND f.kind IN ('replies', 'tracking', 'products')"""
    )
    if rows[0][0] is None:
        return {}
    counts: Counter[str] = Counter()
    read_papers(Factories(since=rows[0][0]).answer_runs(at), by=by, at=at, counts=counts)
    return dict(counts)
