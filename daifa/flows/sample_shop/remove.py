"""Taking the sample shop out again: its stores and suppliers, and every row that hangs on them.

Which rows hang on which is asked of the models, so that a table added later is not forgotten. Goods stay where a store
that is not of the sample sells them or somebody else supplies them.
"""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import datetime
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from daifa.domain.aftersales.process import AFTERSALE_CASE, REFUND
from daifa.domain.cases.process import APPEAL, COMPLAINT, INFRINGEMENT, VIOLATION
from daifa.domain.catalog.process import LISTING, LISTING_FILE, PUBLICATION
from daifa.domain.closing import commands as closing
from daifa.domain.closing.process import (
    CLOSING,
    CLOSING_STEP,
    LIFECYCLE,
    PLATFORM_CASE,
    READMISSION,
    STANDING,
)
from daifa.domain.compliance.process import PLAN_STEP, RISK
from daifa.domain.fulfilment.process import FULFILMENT_ORDER
from daifa.domain.history.commands import open_batch
from daifa.domain.imports.process import IMPORT
from daifa.domain.messages.process import MESSAGE
from daifa.domain.orders.process import ORDER
from daifa.domain.purchasing.process import ATTEMPT, PURCHASE_ORDER, PURCHASE_RUN
from daifa.domain.shipping import checks
from daifa.domain.shipping.process import DISPATCH_NOTICE, PARCEL, PARCEL_CHECK
from daifa.domain.sourcing import commands as sourcing
from daifa.domain.sourcing.process import SAMPLE
from daifa.flows.intake import path_of
from daifa.flows.sample_shop import REMOVED, is_half_loaded
from daifa.flows.sample_shop.load import USERS
from daifa.lib import bulk, keeping
from daifa.lib.refusal import Refused

_PROCESSES = (
    AFTERSALE_CASE, REFUND, FULFILMENT_ORDER, IMPORT, MESSAGE, ORDER, ATTEMPT, PURCHASE_ORDER, PURCHASE_RUN,
    DISPATCH_NOTICE, PARCEL, LIFECYCLE, STANDING, CLOSING, CLOSING_STEP, READMISSION, PLATFORM_CASE,
    PARCEL_CHECK, SAMPLE, RISK, PLAN_STEP, VIOLATION, APPEAL, COMPLAINT, INFRINGEMENT, LISTING, PUBLICATION, LISTING_FILE,
)  # fmt: skip


@transaction.atomic
def remove(*, by: str, at: datetime) -> dict[str, int]:
    """See `remove_sample_shop`."""
    stores = _ids("SELECT id FROM stores_store WHERE is_sample ORDER BY id FOR UPDATE")
    suppliers = _ids("SELECT id FROM sourcing_supplier WHERE is_sample ORDER BY id FOR UPDATE")
    if not stores and not suppliers:
        if is_half_loaded():
            open_batch(by=by, at=at, reason=REMOVED)
        return {}
    # Whoever is about to hang something on an order waits here, and then finds it gone.
    bulk.fetch(
        "SELECT id FROM orders_order WHERE store_id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE", (stores,)
    )
    mixed = bulk.fetch(
        """SELECT EXISTS (SELECT FROM purchasing_purchaseorder
                          WHERE supplier_id = ANY(%s::bigint[]) AND NOT store_id = ANY(%s::bigint[]))""",
        (suppliers, stores),
    )
    if mixed[0][0]:
        raise Refused(
            _(
                "A store that is not of the sample bought from a sample supplier: the sample shop cannot be taken out."
            ),
            code="sample_in_use",
        )
    variants = _sample_variants(stores, suppliers)
    products = _ids("SELECT DISTINCT product_id FROM catalog_variant WHERE id = ANY(%s::bigint[])", variants)
    found = _everything_on(
        {"stores_store": set(stores), "sourcing_supplier": set(suppliers), "catalog_variant": set(variants)}
    )
    found["imports_importfile"] |= set(
        _ids(
            """SELECT f.id FROM imports_importfile f JOIN sourcing_supplier s ON s.code = f.supplier_code
               WHERE f.store_id IS NULL AND s.is_sample"""
        )
    )
    found["imports_importrow"] |= set(
        _ids(
            "SELECT id FROM imports_importrow WHERE file_id = ANY(%s::bigint[])",
            list(found["imports_importfile"]),
        )
    )
    files = _files_of(found["imports_importfile"])
    files += _kept(found, "shipping_parcelcheck", checks.PHOTO_FOLDER)
    files += _kept(found, "sourcing_agreementdocument", sourcing.DOCUMENT_FOLDER)
    files += _kept(found, "cases_casefile", "cases") + _kept(found, "cases_evidencepack", "evidence")
    proofs = _hashes(found, "closing_stepevidence") | _hashes(found, "closing_comebackpaper")
    bulk.execute("SET LOCAL daifa.removing_sample = 'yes'")
    deleted = _delete(found)
    _forget(found)
    bulk.execute(
        """DELETE FROM catalog_product p WHERE id = ANY(%s::bigint[])
           AND NOT EXISTS (SELECT FROM catalog_variant v WHERE v.product_id = p.id)""",
        (products,),
    )
    apps.get_model("people.User").objects.filter(username__in=[name for name, _ in USERS]).delete()
    if not bulk.fetch("SELECT EXISTS (SELECT FROM stores_store)")[0][0]:
        bulk.execute("DELETE FROM history_pendingreaction")
    open_batch(by=by, at=at, reason=REMOVED)
    transaction.on_commit(lambda: _unlink(files))
    transaction.on_commit(lambda: closing.drop_files(proofs))
    return deleted


def _ids(query: str, *params: Any) -> list[int]:
    return [row[0] for row in bulk.fetch(query, params)]


def _sample_variants(stores: list[int], suppliers: list[int]) -> list[int]:
    """Variants that only the sample sells or supplies."""
    return _ids(
        """SELECT v.id FROM catalog_variant v
           WHERE (EXISTS (SELECT FROM catalog_listingvariant l WHERE l.variant_id = v.id AND l.store_id = ANY(%s::bigint[]))
                  OR EXISTS (SELECT FROM sourcing_skumapping m JOIN sourcing_supplieroffer o ON o.id = m.offer_id
                             WHERE m.variant_id = v.id AND o.supplier_id = ANY(%s::bigint[])))
             AND NOT EXISTS (SELECT FROM catalog_listingvariant l
                             WHERE l.variant_id = v.id AND NOT l.store_id = ANY(%s::bigint[]))
             AND NOT EXISTS (SELECT FROM sourcing_skumapping m JOIN sourcing_supplieroffer o ON o.id = m.offer_id
                             WHERE m.variant_id = v.id AND NOT o.supplier_id = ANY(%s::bigint[]))
             AND NOT EXISTS (SELECT FROM orders_orderline ol JOIN orders_order r ON r.id = ol.order_id
                             WHERE ol.variant_id = v.id AND NOT r.store_id = ANY(%s::bigint[]))""",
        stores, suppliers, stores, suppliers, stores,
    )  # fmt: skip


def _references() -> dict[str, list[tuple[str, str, str]]]:
    """Table → (table that refers to it, its column, its own key column or "" where it has a key of several)."""
    found: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for model in apps.get_models(include_auto_created=True):
        if model._meta.proxy or not model._meta.app_config.name.startswith("daifa.domain"):
            continue
        key = model._meta.pk.column if isinstance(model._meta.pk.column, str) else ""
        for each in model._meta.concrete_fields:
            if each.remote_field is not None and each.column:
                target = each.remote_field.model._meta.db_table
                found[target].append((model._meta.db_table, each.column, key or ""))
    return found


def _everything_on(start: dict[str, set[int]]) -> dict[str, set[Any]]:
    """Rows by table that refer to `start`, directly or not. Tables keyed by several columns hold their parents' ids
    under "table.column"."""
    references = _references()
    found: dict[str, set[Any]] = defaultdict(set)
    todo: deque[tuple[str, set[int]]] = deque()
    for table, ids in start.items():
        found[table] |= ids
        todo.append((table, ids))
    while todo:
        table, fresh = todo.popleft()
        for child, column, key in references[table]:
            if not key:
                found[f"{child}.{column}"] |= fresh
                continue
            ids = (
                set(_ids(f'SELECT "{key}" FROM "{child}" WHERE "{column}" = ANY(%s)', list(fresh)))
                - found[child]
            )
            if ids:
                found[child] |= ids
                todo.append((child, ids))
    return found


def _delete(found: dict[str, set[Any]]) -> dict[str, int]:
    """Foreign keys are checked at the commit, so the order does not matter."""
    keys = {
        model._meta.db_table: model._meta.pk.column for model in apps.get_models(include_auto_created=True)
    }
    deleted = {}
    for name in sorted(found, key=lambda name: "." not in name):
        ids = list(found[name])
        table, _dot, column = name.partition(".")
        if ids:
            count = bulk.execute(f'DELETE FROM "{table}" WHERE "{column or keys[table]}" = ANY(%s)', (ids,))
            deleted[table] = deleted.get(table, 0) + count
    return {table: count for table, count in deleted.items() if count}


def _forget(found: dict[str, set[Any]]) -> None:
    """What refers by number only: transitions, tasks without a store."""
    for process in _PROCESSES:
        if ids := list(found.get(process.table_name, ())):
            bulk.execute(
                "DELETE FROM history_transition WHERE kind = %s AND thing = ANY(%s::bigint[])",
                (process.kind, ids),
            )
    bulk.execute(
        """DELETE FROM stores_task WHERE store_id IS NULL AND (
               (thing_kind = 'supplier_offer' AND thing = ANY(%s::bigint[]))
               OR (thing_kind = 'supplier' AND thing = ANY(%s::bigint[])))""",
        (list(found["sourcing_supplieroffer"]), list(found["sourcing_supplier"])),
    )


def _files_of(imports: set[Any]) -> list[Path]:
    """Kept files that no other import has."""
    rows = bulk.fetch(
        """SELECT DISTINCT sha256 FROM imports_importfile f WHERE id = ANY(%s::bigint[]) AND NOT EXISTS (
               SELECT FROM imports_importfile o WHERE o.sha256 = f.sha256 AND NOT o.id = ANY(%s::bigint[]))""",
        (list(imports), list(imports)),
    )
    return [path_of(sha256) for (sha256,) in rows]


def _kept(found: dict[str, set[Any]], table: str, folder: str) -> list[Path]:
    """Files in a folder of their own that no other row of `table` has."""
    ids = list(found[table])
    rows = bulk.fetch(
        f"""SELECT DISTINCT sha256 FROM {table} f WHERE id = ANY(%s::bigint[]) AND NOT EXISTS (
                SELECT FROM {table} o WHERE o.sha256 = f.sha256 AND NOT o.id = ANY(%s::bigint[]))""",
        (ids, ids),
    )
    return [keeping.path_of(folder, sha256) for (sha256,) in rows]


def _hashes(found: dict[str, set[Any]], table: str) -> set[str]:
    rows = bulk.fetch(f"SELECT DISTINCT sha256 FROM {table} WHERE id = ANY(%s::bigint[]) AND sha256 <> ''", (list(found[table]),))
    return {sha256 for (sha256,) in rows}


def _unlink(files: list[Path]) -> None:
    top = Path(settings.MEDIA_ROOT)
    for path in files:
        if top in path.parents:
            path.unlink(missing_ok=True)
