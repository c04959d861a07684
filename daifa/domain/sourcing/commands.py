"""What may be done to suppliers, offers, mappings and agreements. Many at once; a repeat changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop as N_

from daifa.domain.history.commands import open_batch
from daifa.domain.sourcing.models import Agreement, AgreementDocument, Supplier
from daifa.domain.sourcing.queries import day_in
from daifa.domain.sourcing.rules import OWN_KINDS, consumer_words
from daifa.lib import bulk, keeping
from daifa.lib.commas import listed
from daifa.lib.money import is_currency
from daifa.lib.refusal import Refused, RowRefused
from daifa.lib.sentences import gettext as _

LONGEST_SKU, LONGEST_TITLE = 80, 255
MOST_PACK = 100_000
# A "full" list that lacks more than half of a supplier's offers is more likely a cut file than a cleared warehouse.
SHORT_LIST_FROM = 20


# --- Suppliers --------------------------------------------------------------------------------------------------

_EDITABLE = (
    "name", "kind", "source", "delivery", "email", "language", "currency", "country", "parcel_freight", "handling_days",
    "ships_to", "state", "script",
)  # fmt: skip


@transaction.atomic
def add_supplier(
    *, code: str, name: str, currency: str, by: str, at: datetime, is_sample: bool = False, is_trade: bool = False,
    **facts: Any,
) -> Supplier:  # fmt: skip
    """A new supplier; `facts` are further fields of the model. Raises `Refused` with a sentence.

    `is_trade`: a person says that he is a factory or wholesaler though his name speaks of a consumer platform.
    """
    supplier = Supplier(code=code.strip(), is_sample=is_sample, created_at=at)
    _apply(supplier, {"name": name, "currency": currency, **facts})
    _ask_who_he_is(supplier, is_trade=is_trade)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", supplier.code):
        raise Refused(
            _("A supplier's code has up to 40 letters, digits, - or _, and no spaces."),
            code="code_invalid",
            field="code",
        )
    try:
        with transaction.atomic():
            supplier.save(force_insert=True)
    except IntegrityError:
        raise Refused(
            _("There is a supplier with the code %(code)s already; choose another code.")
            % {"code": supplier.code},
            code="code_taken",
            field="code",
        ) from None
    said = " (said to be no shop on a consumer platform)" if is_trade else ""
    open_batch(by=by, at=at, reason=f"add_supplier: {supplier.code}{said}")
    return supplier


def _ask_who_he_is(supplier: Supplier, *, is_trade: bool) -> None:
    """A name such as 淘宝…代拍 is no proof, but nobody ships for buyers under it before a person has said who he is."""
    words = consumer_words(supplier.name)
    if supplier.source == "trade" and words and not is_trade:
        raise Refused(
            _("The name “%(name)s” speaks of a consumer platform (%(words)s). If he sells there, or buys there for others, "
              "record him as a shop on a consumer platform: nothing is bought there for a buyer. If he is a factory or "
              "wholesaler who agrees to ship for you, confirm that.")
            % {"name": supplier.name, "words": listed(words)},
            code="trade_unconfirmed", field="is_trade",
        )  # fmt: skip


@transaction.atomic
def edit_supplier(*, supplier_id: int, by: str, at: datetime, is_trade: bool = False, **facts: Any) -> Supplier:
    """Change fields of a supplier. His currency cannot change once he has offers. Raises `Refused`.

    A new name, or a new word on who he is, is asked about like that of a new supplier (`is_trade`).
    """
    supplier = Supplier.objects.select_for_update().filter(pk=supplier_id).first()
    if supplier is None:
        raise Refused(_("There is no such supplier."), code="not_found")
    before, named = supplier.currency, (supplier.name, supplier.source)
    _apply(supplier, facts)
    if (supplier.name, supplier.source) != named:
        _ask_who_he_is(supplier, is_trade=is_trade)
    if supplier.currency != before and supplier.offers.exists():
        raise Refused(
            _(
                "%(supplier)s has offers in %(currency)s; the currency cannot be changed. Add a new supplier instead."
            )
            % {"supplier": supplier.name, "currency": before},
            code="currency_fixed",
            field="currency",
        )
    supplier.save()
    open_batch(by=by, at=at, reason=f"edit_supplier: {supplier.code} ({', '.join(sorted(facts))})")
    return supplier


def _apply(supplier: Supplier, facts: Mapping[str, Any]) -> None:
    for name, value in facts.items():
        if name not in _EDITABLE:
            raise TypeError(f"A supplier has no field {name} that a command may set.")
        setattr(supplier, name, value)
    supplier.name = supplier.name.strip()
    supplier.currency = supplier.currency.strip().upper()
    supplier.ships_to = sorted({country.strip().upper() for country in supplier.ships_to})
    if not supplier.name:
        raise Refused(_("Give the supplier a name."), code="name_missing", field="name")
    if not is_currency(supplier.currency):
        raise Refused(
            _("“%(currency)s” is no currency; use a code such as CNY, USD or GBP.")
            % {"currency": supplier.currency},
            code="currency_unknown",
            field="currency",
        )
    if Decimal(supplier.parcel_freight) < 0:
        raise Refused(
            _("The freight per parcel cannot be negative."), code="freight_negative", field="parcel_freight"
        )
    for name, choices in (
        ("kind", Supplier.KINDS),
        ("source", Supplier.SOURCES),
        ("delivery", Supplier.DELIVERY),
        ("state", Supplier.STATES),
    ):
        if getattr(supplier, name) not in dict(choices):
            raise Refused(
                _("“%(value)s” is not possible here; choose one of %(choices)s.")
                % {"value": getattr(supplier, name), "choices": listed(dict(choices))},
                code="choice_invalid",
                field=name,
            )


# --- Offers -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class OffersImported:
    """Offers by what became of them; what the list did to mappings; rows refused, and rows used with a remark."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    verified: int = 0  # mappings made because the list names our SKU
    proposed: int = 0  # mappings a person has to look at
    broken: int = 0
    stale: int = 0
    removed: int = 0
    refused: list[RowRefused] = field(default_factory=list)
    notes: list[RowRefused] = field(default_factory=list)
    variants: set[int] = field(
        default_factory=set
    )  # whose sources changed: lines held for them may be routed again


@transaction.atomic
def import_offers(
    supplier: Supplier,
    records: Sequence[Any],
    *,
    by: str,
    at: datetime,
    full: bool = False,
    source: str = "list",
) -> OffersImported:
    """Make or update a supplier's offers from `IncomingOffer` records, and the mappings the list proves.

    A row that names our SKU exactly verifies the mapping, with the list as evidence; where only the supplier's SKU
    happens to equal one of ours a mapping is proposed and waits for a person. Where the list now names another SKU
    of ours than the one verified before, the old mapping breaks and the new one is only proposed.

    `full` says that the list holds everything the supplier sells, see `close_list`; a list read in several parts is
    imported part by part with one `at`, then closed.
    """
    result = OffersImported()
    usable: dict[str, Any] = {}
    for record in records:
        problem = _offer_problem(record, supplier, usable.get(record.supplier_sku))
        if problem is not None:
            result.refused.append(problem)
        else:
            usable.setdefault(record.supplier_sku, record)
    if usable:
        _upsert_offers(supplier, usable, result, at=at, source=source)
        _map_as_listed(usable, result, by=by, at=at)
    if full:
        _close_list(supplier, result, by=by, at=at)
    if result.created or result.updated or result.broken or result.removed:
        open_batch(
            by=by, at=at,
            reason=f"import_offers {supplier.code}: {result.created} new, {result.updated} changed, "
            f"{result.removed} gone",
        )  # fmt: skip
    return result


@transaction.atomic
def close_list(supplier: Supplier, *, by: str, at: datetime) -> OffersImported:
    """What a full list, imported at `at`, no longer names: stale after the first such list, removed after the second.

    A removed offer breaks its mappings and opens a task for each; a stale one is not bought from, and its mapping
    stays, because one list is cut off easily.
    """
    result = OffersImported()
    _close_list(supplier, result, by=by, at=at)
    return result


def _offer_problem(record: Any, supplier: Supplier, seen: Any) -> RowRefused | None:
    sku = record.supplier_sku

    def refused(code: str, message: str, **params: Any) -> RowRefused:
        return RowRefused(record.row, sku[:LONGEST_SKU], code, message, params)

    if not sku or len(sku) > LONGEST_SKU:
        return refused(
            "supplier_sku_invalid",
            N_("The supplier's SKU is missing or longer than %(most)s characters."),
            most=LONGEST_SKU,
        )
    if record.currency and record.currency != supplier.currency:
        return refused(
            "currency_differs",
            N_("The price is in %(currency)s, but %(supplier)s sells in %(own)s; correct the list or the supplier."),
            currency=record.currency, supplier=supplier.name, own=supplier.currency,
        )  # fmt: skip
    if record.price is None or record.price <= 0 or (record.freight is not None and record.freight < 0):
        return refused(
            "price_not_positive", N_("A price must be above zero and freight not below it; correct the row.")
        )
    if not 1 <= record.pack <= MOST_PACK:
        return refused(
            "pack_invalid",
            N_("The pack size %(pack)s is not possible; give the pieces in one unit."),
            pack=record.pack,
        )
    if seen is not None and _offer_content(seen) != _offer_content(record):
        return refused(
            "duplicate_sku",
            N_("SKU %(sku)s stands in row %(first)s already, with other content; keep one of the two."),
            sku=sku, first=seen.row,
        )  # fmt: skip
    return None


def _offer_content(record: Any) -> tuple[Any, ...]:
    return (
        record.price,
        record.freight,
        record.sku,
        record.stock,
        record.lead_days,
        record.pack,
        record.ships_to,
    )


def _upsert_offers(
    supplier: Supplier, usable: Mapping[str, Any], result: OffersImported, *, at: datetime, source: str
) -> None:
    bulk.execute("DROP TABLE IF EXISTS incoming_offer")
    bulk.execute(
        """CREATE TEMP TABLE incoming_offer (
               row int, supplier_sku text, title text, price numeric(19, 4), freight numeric(19, 4), stock int,
               lead_days smallint, ships_to varchar(2)[], sku text, factor int, rank smallint,
               offer_id bigint, variant_id bigint) ON COMMIT DROP"""
    )
    bulk.copy_rows(
        "incoming_offer",
        ("row", "supplier_sku", "title", "price", "freight", "stock", "lead_days", "ships_to", "sku", "factor", "rank"),
        [
            (
                r.row, sku, r.title[:LONGEST_TITLE], r.price, r.freight,
                None if r.stock is None else max(0, min(r.stock, 2_000_000_000)),
                None if r.lead_days is None else max(0, min(r.lead_days, 999)),
                [country.upper() for country in r.ships_to], r.sku, r.pack,
                None if r.rank is None else max(1, min(r.rank, 999)),
            )
            for sku, r in usable.items()
        ],
    )  # fmt: skip
    bulk.execute("ANALYZE incoming_offer")
    # Counted before the upsert, because afterwards old and new look alike.
    known, differs, back = bulk.fetch(
        """
        SELECT count(*),
               count(*) FILTER (WHERE o.price <> i.price OR o.freight <> coalesce(i.freight, o.freight)
                   OR o.stock IS DISTINCT FROM coalesce(i.stock, o.stock)
                   OR o.lead_days IS DISTINCT FROM coalesce(i.lead_days, o.lead_days)
                   OR o.ships_to <> i.ships_to OR i.title NOT IN ('', o.title) OR o.state <> 'live'),
               array_agg(o.id) FILTER (WHERE o.state <> 'live' OR (o.stock = 0 AND i.stock > 0))
        FROM incoming_offer i JOIN sourcing_supplieroffer o ON o.supplier_id = %s AND o.supplier_sku = i.supplier_sku
        """,
        (supplier.pk,),
    )[0]
    bulk.execute(
        """
        UPDATE sourcing_supplieroffer o SET
            title = coalesce(nullif(i.title, ''), o.title), price = i.price, freight = coalesce(i.freight, o.freight),
            stock = coalesce(i.stock, o.stock),
            stock_at = CASE WHEN i.stock IS NULL THEN o.stock_at ELSE %(at)s::timestamptz END,
            lead_days = coalesce(i.lead_days, o.lead_days), ships_to = i.ships_to, state = 'live',
            source = %(source)s, read_at = %(at)s::timestamptz
        FROM incoming_offer i WHERE o.supplier_id = %(supplier)s AND o.supplier_sku = i.supplier_sku
        """,
        {"supplier": supplier.pk, "at": at, "source": source},
    )
    bulk.execute(
        """
        INSERT INTO sourcing_supplieroffer
            (supplier_id, supplier_sku, title, price, freight, stock, stock_at, lead_days, ships_to, state, source, read_at)
        SELECT %(supplier)s::bigint, supplier_sku, title, price, coalesce(freight, 0), stock,
               CASE WHEN stock IS NOT NULL THEN %(at)s::timestamptz END, lead_days, ships_to, 'live', %(source)s,
               %(at)s::timestamptz
        FROM incoming_offer i
        WHERE NOT EXISTS (SELECT FROM sourcing_supplieroffer o
                          WHERE o.supplier_id = %(supplier)s AND o.supplier_sku = i.supplier_sku)
        ORDER BY row
        """,
        {"supplier": supplier.pk, "at": at, "source": source},
    )
    bulk.execute(
        """UPDATE incoming_offer i SET offer_id = o.id FROM sourcing_supplieroffer o
           WHERE o.supplier_id = %s AND o.supplier_sku = i.supplier_sku""",
        (supplier.pk,),
    )
    bulk.execute(
        """UPDATE incoming_offer i SET variant_id = v.id FROM catalog_variant v
           WHERE v.sku = coalesce(nullif(i.sku, ''), i.supplier_sku)"""
    )
    result.created = len(usable) - known
    result.updated = differs
    result.unchanged = known - differs
    if back:
        result.variants.update(
            row[0]
            for row in bulk.fetch(
                "SELECT variant_id FROM sourcing_skumapping WHERE offer_id = ANY(%s::bigint[]) AND state = 'verified'",
                (back,),
            )
        )


def _map_as_listed(usable: Mapping[str, Any], result: OffersImported, *, by: str, at: datetime) -> None:
    """Mappings from the temp table `incoming_offer`, whose offers and variants are known by now."""
    result.notes.extend(
        RowRefused(
            row, sku, "sku_unknown",
            N_("The list names our SKU %(ours)s, which is not in the catalogue; the offer is kept without a mapping."),
            {"ours": ours},
        )
        for row, sku, ours in bulk.fetch(
            "SELECT row, supplier_sku, sku FROM incoming_offer WHERE sku <> '' AND variant_id IS NULL ORDER BY row"
        )
    )  # fmt: skip
    # The list names another SKU of ours than before: whatever was meant, the old link is no longer sure.
    changed = bulk.fetch(
        """UPDATE sourcing_skumapping m SET state = 'broken'
           FROM incoming_offer i WHERE m.offer_id = i.offer_id AND m.state = 'verified' AND i.sku <> ''
             AND i.variant_id IS DISTINCT FROM m.variant_id AND m.evidence ->> 'named_by_list' = 'yes'
           RETURNING m.id, m.variant_id, m.offer_id"""
    )
    _open_broken_tasks([row[0] for row in changed], at=at)
    result.broken += len(changed)
    result.variants.update(row[1] for row in changed)
    rows = bulk.fetch(
        """
        SELECT i.row, i.offer_id, i.variant_id, i.supplier_sku, i.sku <> '', i.factor, i.rank,
               live.id, live.state, live.factor, live.rank, live.supplier_sku,
               coalesce((SELECT max(x.version) FROM sourcing_skumapping x
                         WHERE x.variant_id = i.variant_id AND x.offer_id = i.offer_id), 0),
               coalesce((SELECT max(x.rank) FROM sourcing_skumapping x WHERE x.variant_id = i.variant_id
                         AND x.state IN ('verified', 'proposed') AND x.offer_id <> i.offer_id), 0),
               EXISTS (SELECT FROM sourcing_skumapping x WHERE x.offer_id = i.offer_id
                       AND x.variant_id <> i.variant_id AND x.state IN ('verified', 'broken'))
        FROM incoming_offer i
        LEFT JOIN sourcing_skumapping live ON live.variant_id = i.variant_id AND live.offer_id = i.offer_id
             AND live.state IN ('verified', 'proposed')
        WHERE i.variant_id IS NOT NULL
        ORDER BY i.row
        """
    )
    fresh: list[tuple[Any, ...]] = []
    given_rank: dict[int, int] = {}
    verified_variants = []
    for (row, offer, variant, supplier_sku, named, factor, rank, live, state, live_factor, live_rank, live_sku,
         version, highest, is_elsewhere) in rows:  # fmt: skip
        sure = named and not is_elsewhere
        if live is not None:
            same = live_factor == factor and live_sku == supplier_sku and rank in (None, live_rank)
            if not sure or (state == "verified" and same):
                continue  # a person's word, or the same again
            rank = rank or live_rank
        elif version and not sure:
            continue  # it was broken or taken back before: only a person, or a list that names it, may bring it back
        if rank is None:
            rank = given_rank[variant] = given_rank.get(variant, highest) + 1
        evidence = {"named_by_list": "yes" if named else "no", "row": row}
        fresh.append((variant, offer, version + 1, supplier_sku, factor, min(rank, 999),
                      "verified" if sure else "proposed", bulk.json(evidence), by, at))  # fmt: skip
        if sure:
            verified_variants.append(variant)
    _write_versions(fresh)
    result.verified += len(verified_variants)
    result.proposed += len(fresh) - len(verified_variants)
    result.variants.update(verified_variants)


def _write_versions(rows: Sequence[tuple[Any, ...]]) -> None:
    """New mapping versions (variant, offer, version, …); what stood for the same variant and offer is superseded."""
    if not rows:
        return
    bulk.execute(
        """UPDATE sourcing_skumapping m SET state = 'superseded'
           FROM unnest(%s::bigint[], %s::bigint[]) AS t(variant, offer)
           WHERE m.variant_id = t.variant AND m.offer_id = t.offer AND m.state <> 'superseded'""",
        ([row[0] for row in rows], [row[1] for row in rows]),
    )
    bulk.copy_rows(
        "sourcing_skumapping",
        (
            "variant_id",
            "offer_id",
            "version",
            "supplier_sku",
            "factor",
            "rank",
            "state",
            "evidence",
            "by",
            "at",
        ),
        rows,
    )
    _close_tasks("mapping_broken", "supplier_offer", [row[1] for row in rows if row[6] == "verified"], rows)


def _close_list(supplier: Supplier, result: OffersImported, *, by: str, at: datetime) -> None:
    live, missing = bulk.fetch(
        """SELECT count(*), count(*) FILTER (WHERE read_at < %s) FROM sourcing_supplieroffer
           WHERE supplier_id = %s AND source <> 'hand' AND state IN ('live', 'unavailable')""",
        (at, supplier.pk),
    )[0]
    if live >= SHORT_LIST_FROM and missing * 2 > live:
        result.notes.append(
            RowRefused(
                0, "", "list_too_short",
                N_("The list lacks %(missing)s of %(live)s offers of %(supplier)s and looks cut off: nothing was taken "
                   "out. Mark the offers as unavailable by hand if it is right."),
                {"missing": missing, "live": live, "supplier": supplier.name},
            )
        )  # fmt: skip
        return
    gone = bulk.fetch(
        """UPDATE sourcing_supplieroffer SET state = CASE WHEN state = 'stale' THEN 'removed' ELSE 'stale' END
           WHERE supplier_id = %s AND source <> 'hand' AND state <> 'removed' AND read_at < %s RETURNING id, state""",
        (supplier.pk, at),
    )
    removed = [offer for offer, state in gone if state == "removed"]
    result.removed += len(removed)
    result.stale += len(gone) - len(removed)
    broken = bulk.fetch(
        """UPDATE sourcing_skumapping SET state = 'broken'
           WHERE offer_id = ANY(%s::bigint[]) AND state IN ('verified', 'proposed') RETURNING id, variant_id""",
        (removed,),
    )
    _open_broken_tasks([row[0] for row in broken], at=at)
    result.broken += len(broken)


@transaction.atomic
def set_offers_unavailable(offer_ids: Sequence[int], *, by: str, at: datetime) -> list[int]:
    """A person knows better than the list: these offers are not bought from until a list names them again."""
    changed = bulk.fetch(
        """UPDATE sourcing_supplieroffer SET state = 'unavailable'
           WHERE id = ANY(%s::bigint[]) AND state IN ('live', 'stale') RETURNING id""",
        (list(offer_ids),),
    )
    if changed:
        open_batch(by=by, at=at, reason=f"set_offers_unavailable: {len(changed)}")
    return [row[0] for row in changed]


# --- Mappings ---------------------------------------------------------------------------------------------------


class MappingWish(NamedTuple):
    """`factor` sales units of the variant are one unit of the offer; `rank` 1 is asked first."""

    variant_id: int
    offer_id: int
    factor: int = 1
    rank: int = 1
    note: str = ""


@transaction.atomic
def map_skus(wishes: Sequence[MappingWish], *, by: str, at: datetime) -> dict[MappingWish, str]:
    """Write each mapping as a new verified version; returns the refused ones with the sentence why.

    What stood between the same variant and offer is superseded; lines routed by it keep their version.
    """
    refused: dict[MappingWish, str] = {}
    known = {
        (variant, offer): (supplier_sku, state, version)
        for variant, offer, supplier_sku, state, version in bulk.fetch(
            """SELECT v.id, o.id, o.supplier_sku, o.state,
                      coalesce((SELECT max(m.version) FROM sourcing_skumapping m
                                WHERE m.variant_id = v.id AND m.offer_id = o.id), 0)
               FROM unnest(%s::bigint[], %s::bigint[]) AS t(variant, offer)
               JOIN catalog_variant v ON v.id = t.variant JOIN sourcing_supplieroffer o ON o.id = t.offer""",
            ([w.variant_id for w in wishes], [w.offer_id for w in wishes]),
        )
    }
    fresh: dict[tuple[int, int], tuple[Any, ...]] = {}
    for wish in wishes:
        found = known.get((wish.variant_id, wish.offer_id))
        if found is None:
            refused[wish] = _("The variant or the offer is not there any more.")
        elif found[1] == "removed":
            refused[wish] = _("The supplier has taken this offer out of his list; choose another.")
        elif not 1 <= wish.factor <= MOST_PACK:
            refused[wish] = _("A pack holds at least one piece.")
        elif not 1 <= wish.rank <= 999:
            refused[wish] = _("The rank is a number from 1 (asked first) to 999.")
        else:
            fresh[wish.variant_id, wish.offer_id] = (
                wish.variant_id, wish.offer_id, found[2] + 1, found[0], wish.factor, wish.rank, "verified",
                bulk.json({"note": wish.note} if wish.note else {}), by, at,
            )  # fmt: skip
    _write_versions(list(fresh.values()))
    if fresh:
        open_batch(by=by, at=at, reason=f"map_skus: {len(fresh)}")
    return refused


def map_sku(
    *, variant_id: int, offer_id: int, factor: int = 1, rank: int = 1, note: str = "", by: str, at: datetime
) -> None:
    """`map_skus` for one; raises `Refused`."""
    wish = MappingWish(variant_id, offer_id, factor, rank, note)
    if refused := map_skus([wish], by=by, at=at):
        raise Refused(refused[wish], code="mapping_refused")


@transaction.atomic
def verify_mappings(mapping_ids: Sequence[int], *, by: str, at: datetime) -> list[int]:
    """A person has compared the proposals with the goods: they may be bought by from now on. Returns those verified."""
    verified = bulk.fetch(
        """UPDATE sourcing_skumapping SET state = 'verified', by = %s, at = %s,
                  evidence = evidence || jsonb_build_object('verified_by', %s::text)
           WHERE id = ANY(%s::bigint[]) AND state = 'proposed' RETURNING id""",
        (by, at, by, list(mapping_ids)),
    )
    if verified:
        open_batch(by=by, at=at, reason=f"verify_mappings: {len(verified)}")
    return [row[0] for row in verified]


@transaction.atomic
def break_mappings(mapping_ids: Sequence[int], *, by: str, at: datetime, reason: str = "") -> list[int]:
    """The link does not hold any more: nothing is bought by it, its lines are held, a task asks for a new one."""
    broken = bulk.fetch(
        """UPDATE sourcing_skumapping SET state = 'broken'
           WHERE id = ANY(%s::bigint[]) AND state IN ('proposed', 'verified') RETURNING id""",
        (list(mapping_ids),),
    )
    _open_broken_tasks([row[0] for row in broken], at=at)
    if broken:
        open_batch(by=by, at=at, reason=reason or f"break_mappings: {len(broken)}")
    return [row[0] for row in broken]


def _open_broken_tasks(mapping_ids: Iterable[int], *, at: datetime) -> None:
    """One open task per offer whose mapping broke, unless the variant can still be bought elsewhere."""
    ids = list(mapping_ids)
    if not ids:
        return
    bulk.execute(
        """
        INSERT INTO stores_task (kind, thing_kind, thing, params, opened_at)
        SELECT 'mapping_broken', 'supplier_offer', o.id,
               jsonb_build_object('sku', min(v.sku), 'supplier', min(s.name), 'supplier_sku', min(m.supplier_sku)),
               %(at)s::timestamptz
        FROM sourcing_skumapping m JOIN sourcing_supplieroffer o ON o.id = m.offer_id
        JOIN sourcing_supplier s ON s.id = o.supplier_id JOIN catalog_variant v ON v.id = m.variant_id
        WHERE m.id = ANY(%(ids)s::bigint[])
        GROUP BY o.id
        ON CONFLICT (kind, thing_kind, thing) WHERE closed_at IS NULL DO NOTHING
        """,
        {"ids": ids, "at": at},
    )


def _close_tasks(kind: str, thing_kind: str, things: Sequence[int], rows: Sequence[tuple[Any, ...]]) -> None:
    if things:
        by, at = rows[0][8], rows[0][9]
        bulk.execute(
            """UPDATE stores_task SET closed_at = %s, closed_by = %s
               WHERE kind = %s AND thing_kind = %s AND thing = ANY(%s::bigint[]) AND closed_at IS NULL""",
            (at, by, kind, thing_kind, list(things)),
        )


# --- Agreements -------------------------------------------------------------------------------------------------


_TERMS = (
    "is_authorised", "neutral_packing", "no_cards", "platform_waybill", "stock_secured", "ships_from", "returns_to",
    "returns_paid_by", "claim_days", "entrusted_on", "note", "valid_from", "valid_until", "remind_days",
)  # fmt: skip


@transaction.atomic
def record_agreement(
    *, supplier_id: int, store_id: int | None, valid_from: date | None = None, valid_until: date | None = None, by: str,
    at: datetime, **terms: Any,
) -> Agreement:  # fmt: skip
    """The supplier agreed to ship for a store (None = all own-site and manual stores). Raises `Refused`.

    `valid_from` None: from today, on the store's clock; for all stores from the day it is where the day begins last, so that it
    counts everywhere at once. `terms`: is_authorised, neutral_packing, no_cards, platform_waybill, stock_secured, ships_from, returns_to,
    returns_paid_by, claim_days, entrusted_on, note, remind_days.
    """
    supplier = Supplier.objects.filter(pk=supplier_id).first()
    if supplier is None:
        raise Refused(_("There is no such supplier."), code="not_found", field="supplier")
    if supplier.source == "consumer_platform":
        raise Refused(
            _("%(supplier)s is a shop on a consumer platform; no agreement makes it serve buyers. Record the factory "
              "behind it as a supplier of its own.") % {"supplier": supplier.name},
            code="consumer_platform", field="supplier",
        )  # fmt: skip
    if valid_from is None:
        valid_from = _today_of(store_id, at)
    agreement = Agreement(supplier_id=supplier_id, store_id=store_id, recorded_by=by, recorded_at=at)
    _set_terms(agreement, {"valid_from": valid_from, "valid_until": valid_until, **terms}, at=at)
    agreement.save(force_insert=True)
    open_batch(by=by, at=at, reason=f"record_agreement: supplier {supplier_id}, store {store_id or 'all'}")
    return agreement


@transaction.atomic
def edit_agreement(*, agreement_id: int, by: str, at: datetime, **terms: Any) -> Agreement:
    """Change what was agreed; what it said before stays in its history. Raises `Refused`."""
    agreement = Agreement.objects.select_for_update().filter(pk=agreement_id).first()
    if agreement is None:
        raise Refused(_("There is no such agreement."), code="not_found")
    _set_terms(agreement, terms, at=at)
    agreement.save()
    open_batch(by=by, at=at, reason=f"edit_agreement: {agreement_id} ({', '.join(sorted(terms))})")
    return agreement


def _today_of(store_id: int | None, at: datetime) -> date:
    """The local day of the store; of all own stores the earliest, and the day in UTC where there is none."""
    zones = bulk.fetch(
        "SELECT DISTINCT timezone FROM stores_store WHERE id = %s OR (%s::bigint IS NULL AND kind = ANY(%s::text[]))",
        (store_id, store_id, list(OWN_KINDS)),
    )
    return min((day_in(zone, at) for (zone,) in zones), default=at.astimezone(UTC).date())


def _set_terms(agreement: Agreement, terms: Mapping[str, Any], *, at: datetime) -> None:
    for name, value in terms.items():
        if name not in _TERMS:
            raise TypeError(f"An agreement has no term {name}.")
        setattr(agreement, name, value)
    if agreement.valid_until is not None and agreement.valid_until < agreement.valid_from:
        raise Refused(
            _("The agreement would end before it begins; correct the dates."),
            code="dates_crossed",
            field="valid_until",
        )
    if agreement.entrusted_on is not None and agreement.entrusted_on > at.date() + timedelta(days=1):
        raise Refused(
            _("The entrustment of personal data cannot be signed in the future; enter the day it was signed."),
            code="date_in_future",
            field="entrusted_on",
        )
    if agreement.returns_paid_by and agreement.returns_paid_by not in dict(Agreement.PAYERS):
        raise Refused(
            _("“%(value)s” is not possible here; choose one of %(choices)s.")
            % {"value": agreement.returns_paid_by, "choices": listed(dict(Agreement.PAYERS))},
            code="choice_invalid", field="returns_paid_by",
        )  # fmt: skip


@transaction.atomic
def record_entrustment(
    *, supplier_id: int, signed_on: date, store_id: int | None = None, by: str, at: datetime
) -> list[Agreement]:
    """The entrustment of personal data was signed that day, for a store or (None) for all: written into every agreement
    that has not ended; where there is none, one for own stores (the store) is recorded. Raises `Refused`.
    """
    standing = Agreement.objects.select_for_update().filter(supplier_id=supplier_id).exclude(valid_until__lt=at.date())
    if store_id is not None:
        standing = standing.filter(store_id=store_id)
    found = list(standing.order_by("id"))
    if not found:
        return [
            record_agreement(
                supplier_id=supplier_id, store_id=store_id, valid_from=signed_on, entrusted_on=signed_on, by=by, at=at
            )
        ]
    for agreement in found:
        _set_terms(agreement, {"entrusted_on": signed_on}, at=at)
        agreement.save()
    open_batch(by=by, at=at, reason=f"record_entrustment: supplier {supplier_id}, {signed_on}")
    return found


@transaction.atomic
def end_agreement(*, agreement_id: int, last_day: date, by: str, at: datetime) -> Agreement:
    """The agreement holds until `last_day` (the day before it began = never). What is placed already goes on."""
    agreement = Agreement.objects.select_for_update().filter(pk=agreement_id).first()
    if agreement is None:
        raise Refused(_("There is no such agreement."), code="not_found")
    agreement.valid_until = last_day
    agreement.save(update_fields=["valid_until"])
    open_batch(by=by, at=at, reason=f"end_agreement: {agreement_id} on {last_day}")
    return agreement


# --- Papers -----------------------------------------------------------------------------------------------------

DOCUMENT_FOLDER = "agreements"
MOST_DOCUMENT = 20 * keeping.MEGABYTE
MOST_DOCUMENTS = 50


@transaction.atomic
def add_documents(
    *, agreement_id: int, files: Sequence[tuple[str, bytes]], by: str, at: datetime
) -> tuple[list[AgreementDocument], list[str]]:
    """Keep papers (name, bytes) with an agreement: (those kept now, a sentence for each that was refused).

    The same paper twice is kept once. Raises `Refused` where there is no such agreement.
    """
    agreement = Agreement.objects.select_for_update().filter(pk=agreement_id).first()
    if agreement is None:
        raise Refused(_("There is no such agreement."), code="not_found")
    there = set(AgreementDocument.objects.filter(agreement=agreement).values_list("sha256", flat=True))
    rows, refused = [], []
    for name, content in files:
        try:
            if len(there) >= MOST_DOCUMENTS:
                raise Refused(_("An agreement holds at most %(n)s papers.") % {"n": MOST_DOCUMENTS})
            kept = keeping.keep(DOCUMENT_FOLDER, content, kinds=keeping.DOCUMENTS, most=MOST_DOCUMENT)
        except Refused as no:
            refused.append(f"{Path(name).name[:80] or '?'}: {no.sentence}")
            continue
        if kept.sha256 not in there:
            there.add(kept.sha256)
            rows.append(
                AgreementDocument(
                    agreement=agreement, name=keeping.named(name, kept.media_type), media_type=kept.media_type,
                    sha256=kept.sha256, size=kept.size, by=by, at=at,
                )
            )  # fmt: skip
    AgreementDocument.objects.bulk_create(rows)
    if rows:
        open_batch(by=by, at=at, reason=f"add_documents: agreement {agreement_id}, {len(rows)}")
    return rows, refused
