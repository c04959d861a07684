"""What we sell and who can supply it: variants with their sources, offers with what they are mapped to, suppliers.

Products, offers and suppliers are shared by all stores; what is counted per store is counted in the `scope`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from daifa.domain.books.queries import rate_on
from daifa.domain.sourcing.queries import Candidate, offers_for_variants
from daifa.lib import bulk
from daifa.lib.paging import Cursor

BY_SKU = ("sku",)
BY_CODE = ("code",)
BY_SUPPLIER = ("supplier_code", "supplier_sku")


def _like(text: str) -> str:
    """`text` as part of a LIKE pattern."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


# --- Variants -----------------------------------------------------------------------------------------------------


class VariantRow(NamedTuple):
    """A variant; `sources` counts verified mappings, `listings` those in the stores of the scope."""

    id: int
    sku: str
    title: str
    barcode: str
    product_id: int
    product_title: str
    product_state: str
    sources: int
    proposed: int
    broken: int
    listings: int


_MAPPED = "EXISTS (SELECT FROM sourcing_skumapping m WHERE m.variant_id = v.id AND m.state = '{}')"
SOURCING = {
    "missing": f"NOT {_MAPPED.format('verified')}",
    "proposed": _MAPPED.format("proposed"),
    "broken": f"{_MAPPED.format('broken')} AND NOT {_MAPPED.format('verified')}",
    "single": "(SELECT count(*) FROM sourcing_skumapping m WHERE m.variant_id = v.id AND m.state = 'verified') = 1",
}
"""Filters of `variant_list` by sources: none confirmed, one proposed, only broken ones, no backup."""


def variant_list(
    scope: Sequence[int], *, q: str | None = None, sources: str | None = None, state: str | None = None,
    cursor: Cursor | None = None, limit: int = 50,
) -> list[VariantRow]:  # fmt: skip
    """At most `limit` variants by SKU. `q`: the beginning of our, a store's or a supplier's SKU or of the barcode, or
    words of the product's title. `sources`: a key of SOURCING. `state`: of the product."""
    cursor = cursor or Cursor(BY_SKU)
    beyond, params, order_by = cursor.sql({"sku": "v.sku"})
    where = [beyond]
    if q and (q := q.strip()):
        start = _like(q) + "%"
        where.append(
            """(v.sku LIKE %s OR v.barcode LIKE %s OR p.title ILIKE %s
                OR v.id IN (SELECT m.variant_id FROM sourcing_skumapping m WHERE m.supplier_sku LIKE %s AND m.state <> 'superseded')
                OR v.id IN (SELECT g.variant_id FROM catalog_listingvariant g WHERE g.sku LIKE %s AND g.store_id = ANY(%s::bigint[])))"""
        )
        params += [start, start, f"%{_like(q)}%", start, start, list(scope)]
    if sources in SOURCING:
        where.append(SOURCING[sources])
    if state:
        where.append("p.state = %s")
        params.append(state)
    counted = ", ".join(
        f"(SELECT count(*) FROM sourcing_skumapping m WHERE m.variant_id = v.id AND m.state = '{mapping}')"
        for mapping in ("verified", "proposed", "broken")
    )
    rows = bulk.fetch(
        f"""SELECT v.id, v.sku, v.title, v.barcode, p.id, p.title, p.state, {counted},
                   (SELECT count(*) FROM catalog_listingvariant g WHERE g.variant_id = v.id AND g.store_id = ANY(%s::bigint[]))
            FROM catalog_variant v JOIN catalog_product p ON p.id = v.product_id
            WHERE {" AND ".join(where)} ORDER BY {order_by} LIMIT %s""",
        [list(scope), *params, limit],
    )
    return cursor.forwards([VariantRow(*row) for row in rows])


class Offered(NamedTuple):
    """A way to buy a variant, with the supplier's name; `cost` is one sales unit with its freight, without the
    parcel's, in the `currency` of the offer; `home_cost` the same in the currency asked for, None without a rate."""

    candidate: Candidate
    supplier_code: str
    supplier_name: str
    title: str
    currency: str
    cost: Decimal
    home_cost: Decimal | None


def offers_side_by_side(variant_id: int, *, currency: str, on: date) -> list[Offered]:
    """Everything routing may choose from for a variant, by rank; costs also in `currency`."""
    found = offers_for_variants([variant_id], on)
    names = {
        row[0]: row[1:]
        for row in bulk.fetch(
            """SELECT o.id, s.code, s.name, o.title FROM sourcing_supplieroffer o
               JOIN sourcing_supplier s ON s.id = o.supplier_id WHERE o.id = ANY(%s::bigint[])""",
            ([one.offer_id for one in found],),
        )
    }
    rates = {of: rate_on(of, currency, on) if currency else None for of in {one.currency for one in found}}
    result = []
    for one in found:
        cost = (one.price + one.freight) / one.factor
        rate = rates[one.currency]
        result.append(
            Offered(one, *names[one.offer_id], one.currency, cost, cost * rate.rate if rate is not None else None)
        )
    return result


def offers_alike(variant_id: int, *, limit: int = 10) -> list[OfferRow]:
    """Offers not mapped to a variant that have its SKU or its product's very title: for a person to look at, never a guess."""
    rows = bulk.fetch(
        f"""{_OFFER_ROW}, (SELECT v.sku, p.title FROM catalog_variant v JOIN catalog_product p ON p.id = v.product_id WHERE v.id = %s) w
            WHERE o.supplier_id = s.id AND (o.supplier_sku = w.sku OR lower(o.title) = lower(w.title)) AND o.state <> 'removed'
              AND NOT EXISTS (SELECT FROM sourcing_skumapping m WHERE m.offer_id = o.id AND m.variant_id = %s
                              AND m.state IN ('verified', 'superseded'))
            ORDER BY s.code, o.supplier_sku LIMIT %s""",
        (variant_id, variant_id, limit),
    )
    return _with_variants(rows)


# --- Listings -----------------------------------------------------------------------------------------------------


def listing_list(
    scope: Sequence[int], *, q: str | None = None, unlinked: bool = False, cursor: Cursor | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """At most `limit` listings of these stores by SKU, with `variant_sku`."""
    from django.db.models import F, Q

    from daifa.domain.catalog.models import ListingVariant

    found = ListingVariant.objects.filter(store_id__in=list(scope))
    if unlinked:
        found = found.filter(variant=None)
    if q and (q := q.strip()):
        found = found.filter(Q(sku__startswith=q) | Q(title__icontains=q))
    return (cursor or Cursor(("sku", "id"))).slice(
        found.annotate(variant_sku=F("variant__sku")).values(
            "id", "store_id", "sku", "title", "price", "currency", "state", "variant_id", "variant_sku"
        ),
        limit,
    )


# --- Offers -------------------------------------------------------------------------------------------------------


class OfferRow(NamedTuple):
    """An offer; `variants` are (id, our SKU, mapping state) of what it is mapped to now."""

    id: int
    supplier_id: int
    supplier_code: str
    supplier_name: str
    supplier_sku: str
    title: str
    price: Decimal
    freight: Decimal
    currency: str
    stock: int | None
    stock_at: datetime | None
    lead_days: int | None
    state: str
    read_at: datetime
    variants: list[tuple[int, str, str]]


def offer_list(
    *, q: str | None = None, supplier_id: int | None = None, state: str | None = None, unmapped: bool = False,
    cursor: Cursor | None = None, limit: int = 50,
) -> list[OfferRow]:  # fmt: skip
    """At most `limit` offers by supplier and SKU. `q`: the beginning of the supplier's or our SKU, or words of the title."""
    cursor = cursor or Cursor(BY_SUPPLIER)
    beyond, params, order_by = cursor.sql({"supplier_code": "s.code", "supplier_sku": "o.supplier_sku"})
    where = [beyond]
    if q and (q := q.strip()):
        where.append(
            """(o.supplier_sku LIKE %s OR o.title ILIKE %s
                OR o.id IN (SELECT m.offer_id FROM sourcing_skumapping m JOIN catalog_variant v ON v.id = m.variant_id
                            WHERE v.sku LIKE %s AND m.state <> 'superseded'))"""
        )
        params += [_like(q) + "%", f"%{_like(q)}%", _like(q) + "%"]
    if supplier_id is not None:
        where.append("o.supplier_id = %s")
        params.append(supplier_id)
    if state:
        where.append("o.state = %s")
        params.append(state)
    if unmapped:
        where.append(
            "NOT EXISTS (SELECT FROM sourcing_skumapping m WHERE m.offer_id = o.id AND m.state IN ('verified', 'proposed'))"
        )
    rows = bulk.fetch(
        f"""{_OFFER_ROW} WHERE o.supplier_id = s.id AND {" AND ".join(where)} ORDER BY {order_by} LIMIT %s""", [*params, limit]
    )
    return cursor.forwards(_with_variants(rows))


_OFFER_ROW = """SELECT o.id, s.id, s.code, s.name, o.supplier_sku, o.title, o.price, o.freight, s.currency, o.stock, o.stock_at,
                       o.lead_days, o.state, o.read_at
                FROM sourcing_supplieroffer o, sourcing_supplier s"""


def _with_variants(rows: Sequence[tuple[Any, ...]]) -> list[OfferRow]:
    mapped: dict[int, list[tuple[int, str, str]]] = {}
    for offer, variant, sku, state in bulk.fetch(
        """SELECT m.offer_id, v.id, v.sku, m.state FROM sourcing_skumapping m JOIN catalog_variant v ON v.id = m.variant_id
           WHERE m.offer_id = ANY(%s::bigint[]) AND m.state <> 'superseded' ORDER BY m.offer_id, v.sku""",
        ([row[0] for row in rows],),
    ):
        mapped.setdefault(offer, []).append((variant, sku, state))
    return [OfferRow(*row, mapped.get(row[0], [])) for row in rows]


# --- Suppliers ----------------------------------------------------------------------------------------------------


class SupplierRow(NamedTuple):
    """A supplier; `offers` counts live ones, `orders` purchases placed in the scope, `owed` in his currency."""

    id: int
    code: str
    name: str
    kind: str
    delivery: str
    currency: str
    country: str
    state: str
    is_sample: bool
    offers: int
    orders: int
    owed: Decimal | None


def supplier_list(
    scope: Sequence[int], *, q: str | None = None, state: str | None = None, owed: dict[int, Decimal] | None = None,
    cursor: Cursor | None = None, limit: int = 50,
) -> list[SupplierRow]:  # fmt: skip
    """At most `limit` suppliers by code. `q`: part of the code or name. `owed`: supplier → what is owed, as known."""
    cursor = cursor or Cursor(BY_CODE)
    beyond, params, order_by = cursor.sql({"code": "s.code"})
    where = [beyond]
    if q and (q := q.strip()):
        where.append("(s.code ILIKE %s OR s.name ILIKE %s)")
        params += [f"%{_like(q)}%"] * 2
    if state:
        where.append("s.state = %s")
        params.append(state)
    rows = bulk.fetch(
        f"""SELECT s.id, s.code, s.name, s.kind, s.delivery, s.currency, s.country, s.state, s.is_sample,
                   (SELECT count(*) FROM sourcing_supplieroffer o WHERE o.supplier_id = s.id AND o.state = 'live'),
                   (SELECT count(*) FROM purchasing_purchaseorder p WHERE p.supplier_id = s.id AND p.placed_at IS NOT NULL
                                                                      AND p.store_id = ANY(%s::bigint[]))
            FROM sourcing_supplier s WHERE {" AND ".join(where)} ORDER BY {order_by} LIMIT %s""",
        [list(scope), *params, limit],
    )
    return cursor.forwards([SupplierRow(*row, (owed or {}).get(row[0])) for row in rows])


@dataclass(frozen=True, slots=True)
class Performance:
    """How a supplier has done in some stores since a day: purchases, and units by what became of them."""

    placed: int = 0
    units: int = 0
    accepted: int = 0
    rejected: int = 0
    shipped: int = 0
    overdue: int = 0  # purchases past the promised day, not shipped whole
    parcels: int = 0
    late: int = 0
    lost: int = 0

    @staticmethod
    def _share(part: int, whole: int) -> Decimal | None:
        return Decimal(part) / whole if whole else None

    @property
    def accepted_share(self) -> Decimal | None:
        """Accepted units of those answered."""
        return self._share(self.accepted, self.accepted + self.rejected)

    @property
    def late_share(self) -> Decimal | None:
        """Parcels that were late or lost."""
        return self._share(self.late + self.lost, self.parcels)


def performance_of(scope: Sequence[int], supplier_id: int, *, since: datetime, at: datetime) -> Performance:
    """What the counters say of a supplier's purchases placed since `since` in these stores."""
    row = bulk.fetch(
        """SELECT count(*), coalesce(sum(units - cancelled), 0)::int, coalesce(sum(accepted), 0)::int,
                  coalesce(sum(rejected), 0)::int, coalesce(sum(shipped), 0)::int,
                  count(*) FILTER (WHERE state = 'placed' AND ship_due_at < %s AND shipped + rejected + cancelled < units)
           FROM purchasing_purchaseorder
           WHERE supplier_id = %s AND store_id = ANY(%s::bigint[]) AND placed_at >= %s""",
        (at, supplier_id, list(scope), since),
    )[0]
    parcels = bulk.fetch(
        """SELECT count(*), count(*) FILTER (WHERE is_late AND state <> 'lost'), count(*) FILTER (WHERE state = 'lost')
           FROM shipping_parcel
           WHERE supplier_id = %s AND store_id = ANY(%s::bigint[]) AND announced_at >= %s""",
        (supplier_id, list(scope), since),
    )[0]
    return Performance(*row, *parcels)
