"""The sample shop: six weeks of a real gift shop's orders, bought from made-up factories, in every stage.

It loads only into an empty database and is taken out again by `remove_sample_shop`. Nothing of it leaves the building:
its stores and suppliers are marked `is_sample`, its letters go to the local mail folder.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from daifa.lib import bulk


def is_empty_database() -> bool:
    """True where there is no store, supplier, product or order: only then may the sample shop be loaded."""
    return not bulk.fetch(
        """SELECT EXISTS (SELECT FROM stores_store) OR EXISTS (SELECT FROM sourcing_supplier)
               OR EXISTS (SELECT FROM catalog_product) OR EXISTS (SELECT FROM orders_order)"""
    )[0][0]


def load_sample_shop(
    *, by: str, at: datetime, progress: Callable[[int, int], None] | None = None
) -> dict[str, int]:
    """Load it so that its last day is the day of `at`; returns counts. Raises `Refused` where it may not be loaded."""
    from daifa.flows.sample_shop import load

    return load.load(by=by, at=at, progress=progress)


def remove_sample_shop(*, by: str, at: datetime) -> dict[str, int]:
    """Take everything of the sample shop out; returns rows deleted by table. Repeating changes nothing."""
    from daifa.flows.sample_shop import remove

    return remove.remove(by=by, at=at)


def has_sample_shop() -> bool:
    return bulk.fetch("SELECT EXISTS (SELECT FROM stores_store WHERE is_sample)")[0][0]


__all__: list[Any] = ["has_sample_shop", "is_empty_database", "load_sample_shop", "remove_sample_shop"]
