"""The sample shop: six weeks of a real gift shop's orders, bought from made-up factories, in every stage.

It loads only into an empty database and is taken out again by `remove_sample_shop`. Nothing of it leaves the building:
its stores and suppliers are marked `is_sample`, its letters go to the local mail folder.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from daifa.lib import bulk

LOADING, LOADED, REMOVED = "load_sample_shop", "load_sample_shop: done", "remove_sample_shop"
"""Reasons in the history by which it is known whether a loading came to its end."""


def is_empty_database() -> bool:
    """True where there is no store, supplier, product or order: only then may the sample shop be loaded."""
    return not bulk.fetch(
        """SELECT EXISTS (SELECT FROM stores_store) OR EXISTS (SELECT FROM sourcing_supplier)
               OR EXISTS (SELECT FROM catalog_product) OR EXISTS (SELECT FROM orders_order)"""
    )[0][0]


def is_half_loaded() -> bool:
    """True where a loading of the sample shop was broken off (killed, out of power): loading again begins afresh."""
    rows = bulk.fetch(
        "SELECT reason FROM history_batch WHERE reason = ANY(%s::text[]) ORDER BY id DESC LIMIT 1",
        ([LOADING, LOADED, REMOVED],),
    )
    return rows == [(LOADING,)]


def load_sample_shop(
    *, by: str, at: datetime, progress: Callable[[int, int], None] | None = None
) -> dict[str, int]:
    """Load it so that its last day is the day of `at`; returns counts. Raises `Refused` where it may not be loaded.

    What an earlier loading left half-way is taken out first.
    """
    from daifa.flows.sample_shop import load

    if is_half_loaded():
        remove_sample_shop(by=by, at=at)
    return load.load(by=by, at=at, progress=progress)


def remove_sample_shop(*, by: str, at: datetime) -> dict[str, int]:
    """Take everything of the sample shop out; returns rows deleted by table. Repeating changes nothing."""
    from daifa.flows.sample_shop import remove

    return remove.remove(by=by, at=at)


def has_sample_shop() -> bool:
    return bulk.fetch("SELECT EXISTS (SELECT FROM stores_store WHERE is_sample)")[0][0]


__all__: list[Any] = [
    "has_sample_shop",
    "is_empty_database",
    "is_half_loaded",
    "load_sample_shop",
    "remove_sample_shop",
]
