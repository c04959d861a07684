"""Counts the signs of selling without a source from our own data, keeps them as risks, and asks for what helps.

Runs on the schedule; a handful of statements for all stores. Also reminds of agreements that end, and marks
negotiations as done once the agreement satisfies the channel, and switches once the substitutes are asked first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from django.db import transaction

from daifa.domain.cases import queries as cases
from daifa.domain.compliance import risk_commands, risk_queries
from daifa.domain.compliance.models import AffiliateCheck
from daifa.domain.compliance.risk_commands import Found, Seen, Step
from daifa.domain.compliance.signals import (
    BY_KIND,
    SIGNALS,
    differs_from_origin,
    level,
    line_of,
    promised_places,
    top_group,
    unrelated_groups,
)
from daifa.domain.orders.queries import PAID
from daifa.domain.policy import queries as policy
from daifa.domain.shipping.queries import NUMBER_FOR_OTHERS
from daifa.domain.shipping.rules import Trace, find_traces
from daifa.domain.sourcing import queries as sourcing
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.flows.switch_suppliers import finish_switches
from daifa.lib import bulk

BY = "job:find_risks"
PLANNED = "plan"
"""The note of a risk whose remedies stand on the plan."""


def find_risks(*, at: datetime, by: str = BY, stores: Sequence[int] | None = None) -> dict[str, int]:
    """Reckon the risks of these stores (all) anew, and what follows. Counts by outcome; a repeat changes nothing."""
    with transaction.atomic():
        asked = _stores(stores)
        found = [risk for signal in SIGNALS for risk in _LOOKS[signal.kind](_asked(asked, signal.kind), at)]
        counts = risk_commands.keep_risks(found, stores=[store.id for store in asked], by=by, at=at)
        _tell(asked, by=by, at=at)
        _remind(by=by, at=at)
        _agreed([store.id for store in asked], by=by, at=at)
        finish_switches(stores=[store.id for store in asked], by=by, at=at)
    return counts


def _stores(ids: Sequence[int] | None) -> list[SimpleNamespace]:
    names = ("id", "kind", "channel", "currency", "country")
    return [
        SimpleNamespace(**dict(zip(names, row, strict=True)))
        for row in bulk.fetch(
            f"SELECT {', '.join(names)} FROM stores_store WHERE %s::bigint[] IS NULL OR id = ANY(%s::bigint[]) ORDER BY id",
            (None if ids is None else list(ids), None if ids is None else list(ids)),
        )
    ]


def _asked(stores: Sequence[Any], kind: str) -> list[Any]:
    return [store for store in stores if BY_KIND[kind].everywhere or store.kind == "marketplace"]


def _since(kind: str, at: datetime) -> datetime:
    return at - timedelta(days=BY_KIND[kind].days)


def _found(
    kind: str, store: int, seen: Iterable[Seen], count: int, base: int, *, act: Decimal | None = None, rule: str = "",
    **params: Any,
) -> list[Found]:  # fmt: skip
    serious = level(kind, count, base, act=act)
    if not serious:
        return []
    things = sorted(seen, key=lambda one: (one.at, one.thing), reverse=True)
    return [Found(store, kind, serious, count, base, line_of(kind, act), params, rule, things)]


# --- The signs ----------------------------------------------------------------------------------------------------


def _no_platform_waybill(stores: Sequence[Any], at: datetime) -> list[Found]:
    """Orders of channels that demand their own e-waybill, sent under a number the platform never issued."""
    kind = "no_platform_waybill"
    asking, lines = [], {}
    for store in stores:
        if "platform_waybill" in sourcing.demands_of(store, on=at.date()).terms:
            asking.append(store.id)
            channel = policy.book_name(store.channel)
            drawn = [
                rule for rule in policy.rules(channel, metric="e_waybill_coverage", on=at.date(), store_id=store.id)
                if rule.acts and rule.threshold is not None
            ]  # fmt: skip
            if drawn:
                lines[store.id] = (Decimal(100) - Decimal(str(drawn[0].threshold)), drawn[0].id)
    rows = bulk.fetch(
        """SELECT p.store_id, p.order_id, p.supplier_id, p.id, p.number, p.handed_over_at,
                  EXISTS (SELECT FROM shipping_platformwaybill w
                          JOIN shipping_waybillnumber n ON n.parcel_id = p.id AND upper(n.number) = w.number
                          WHERE w.order_id = p.order_id)
           FROM shipping_parcel p
           WHERE p.store_id = ANY(%s::bigint[]) AND p.handed_over_at > %s AND p.handed_over_at <= %s
             AND p.state <> 'cancelled'""",
        (asking, _since(kind, at), at),
    )
    sent: dict[int, set[int]] = {}
    seen: dict[int, list[Seen]] = {}
    for store, order, supplier, parcel, number, when, is_issued in rows:
        sent.setdefault(store, set()).add(order)
        if not is_issued:
            seen.setdefault(store, []).append(Seen(order, supplier, "parcel", parcel, number, when))
    found = []
    for store, things in seen.items():
        line, rule = lines.get(store, (None, ""))
        orders = len({one.order for one in things})
        found += _found(kind, store, things, orders, len(sent[store]), act=line, rule=rule)
    return found


def _foreign_trace(stores: Sequence[Any], at: datetime) -> list[Found]:
    """Photos judged a breach, and buyers' words in cases and complaints that name another platform or its card.

    The parcel of a sample went to ourselves: no buyer saw it.
    """
    kind = "foreign_trace"
    channels = {store.id: store.channel for store in stores}
    scope, since = list(channels), _since(kind, at)
    seen: dict[int, list[Seen]] = {}
    for store, order, supplier, check, traces, when in bulk.fetch(
        """SELECT store_id, order_id, supplier_id, id, traces::text, at FROM shipping_parcelcheck
           WHERE state = 'breach' AND sample_id IS NULL AND store_id = ANY(%s::bigint[]) AND at > %s AND at <= %s""",
        (scope, since, at),
    ):
        import json

        seen.setdefault(store, []).append(
            Seen(order, supplier, "parcel_check", check, _told(Trace(*one) for one in json.loads(traces)), when)
        )
    for store, order, supplier, thing_kind, thing, text, when in bulk.fetch(
        """SELECT c.store_id, c.order_id, s.supplier, c.kind, c.id, c.text, c.at FROM (
               SELECT store_id, order_id, 'aftersale_case' AS kind, id, note AS text, opened_at AS at
               FROM aftersales_aftersalecase WHERE note <> ''
               UNION ALL
               SELECT store_id, order_id, 'complaint', id, text, opened_at FROM cases_complaint WHERE text <> '') c
           LEFT JOIN LATERAL (SELECT min(p.supplier_id) AS supplier FROM shipping_parcel p WHERE p.order_id = c.order_id
                              HAVING count(DISTINCT p.supplier_id) = 1) s ON true
           WHERE c.store_id = ANY(%s::bigint[]) AND c.at > %s AND c.at <= %s""",
        (scope, since, at),
    ):
        traces = find_traces(text, channel=channels[store])
        if traces:
            seen.setdefault(store, []).append(Seen(order, supplier, thing_kind, thing, _told(traces), when))
    base = dict(
        bulk.fetch(
            f"""SELECT o.store_id, count(*) FROM orders_order o WHERE o.store_id = ANY(%s::bigint[]) AND NOT o.is_history
                AND o.placed_at > %s AND o.placed_at <= %s AND {PAID} GROUP BY 1""",
            (scope, since, at),
        )
    )
    found = []
    for store, things in seen.items():
        # What is about no order counts by itself; several things about one order are one.
        count = len({one.order or (one.thing_kind, one.thing) for one in things})
        found += _found(kind, store, things, count, base.get(store, 0))
    return found


def _told(traces: Iterable[Trace]) -> str:
    """Kinds, platforms and words of traces; what a buyer wrote besides is not repeated."""
    return ", ".join(
        dict.fromkeys(" ".join(part for part in (one.kind, one.platform, one.term) if part) for one in traces)
    )


def _consumer_purchase(stores: Sequence[Any], at: datetime) -> list[Found]:
    """Purchases handed to a supplier who is a shop on a consumer platform."""
    kind = "consumer_purchase"
    scope = [store.id for store in stores]
    seen: dict[int, list[Seen]] = {}
    for store, order, supplier, purchase, reference, when in bulk.fetch(
        """SELECT p.store_id, p.order_id, p.supplier_id, p.id, p.reference, p.placed_at
           FROM purchasing_purchaseorder p JOIN sourcing_supplier s ON s.id = p.supplier_id
           WHERE s.source = 'consumer_platform' AND p.store_id = ANY(%s::bigint[]) AND p.placed_at > %s AND p.placed_at <= %s""",
        (scope, _since(kind, at), at),
    ):
        seen.setdefault(store, []).append(Seen(order, supplier, "purchase_order", purchase, reference, when))
    return [
        risk
        for store, things in seen.items()
        for risk in _found(kind, store, things, len({one.order for one in things}), len({one.order for one in things}))
    ]


def _origin_differs(stores: Sequence[Any], at: datetime) -> list[Found]:
    """Parcels whose first scan was elsewhere than the agreement, or the store's way of dispatch, says."""
    kind = "origin_differs"
    scope, since = [store.id for store in stores], _since(kind, at)
    promised: dict[tuple[int, int | None], list[str]] = {}
    for store, supplier, text in bulk.fetch(
        """SELECT store_id, supplier_id, ships_from FROM sourcing_agreement
           WHERE ships_from <> '' AND valid_from <= %(on)s AND (valid_until IS NULL OR valid_until >= %(since)s)
           UNION ALL
           SELECT store_id, NULL, origin FROM compliance_dispatchmode WHERE origin <> '' AND variant_id IS NULL""",
        {"on": at.date(), "since": since.date()},
    ):
        promised.setdefault((store, supplier), []).extend(promised_places(text))
    if not promised:
        return []
    sent: dict[int, set[int]] = {}
    seen: dict[int, list[Seen]] = {}
    for store, order, supplier, parcel, place, when in bulk.fetch(
        """SELECT p.store_id, p.order_id, p.supplier_id, p.id, e.place, e.at
           FROM shipping_parcel p CROSS JOIN LATERAL (
               SELECT place, at FROM shipping_trackingevent e
               WHERE e.parcel_id = p.id AND e.at > %(since)s AND e.place <> '' ORDER BY e.at LIMIT 1) e
           WHERE p.store_id = ANY(%(scope)s::bigint[]) AND p.handed_over_at > %(since)s AND p.handed_over_at <= %(at)s""",
        {"scope": scope, "since": since, "at": at},
    ):
        places = [
            place for key in ((store, supplier), (None, supplier), (store, None)) for place in promised.get(key, ())
        ]
        if not places:
            continue
        sent.setdefault(store, set()).add(order)
        if differs_from_origin(place, places):
            seen.setdefault(store, []).append(Seen(order, supplier, "parcel", parcel, place, when))
    return [
        risk
        for store, things in seen.items()
        for risk in _found(kind, store, things, len({one.order for one in things}), len(sent[store]))
    ]


def _number_reused(stores: Sequence[Any], at: datetime) -> list[Found]:
    """Orders sent under a number that went to another address too, from this store or from another of ours."""
    kind = "number_reused"
    scope, since = [store.id for store in stores], _since(kind, at)
    seen: dict[int, list[Seen]] = {}
    for store, order, supplier, parcel, number, when in bulk.fetch(
        f"""SELECT p.store_id, p.order_id, p.supplier_id, p.id, p.number, p.announced_at FROM shipping_parcel p
           WHERE p.store_id = ANY(%(scope)s::bigint[]) AND p.announced_at > %(since)s AND p.announced_at <= %(at)s
             AND p.state <> 'cancelled' AND p.number <> ''
             AND {NUMBER_FOR_OTHERS.format(more=" AND q.announced_at > %(since)s AND q.announced_at <= %(at)s")}""",
        {"scope": scope, "since": since, "at": at},
    ):
        seen.setdefault(store, []).append(Seen(order, supplier, "parcel", parcel, number, when))
    base = dict(
        bulk.fetch(
            """SELECT store_id, count(DISTINCT order_id) FROM shipping_parcel WHERE store_id = ANY(%s::bigint[])
               AND announced_at > %s AND announced_at <= %s GROUP BY 1""",
            (scope, since, at),
        )
    )
    return [
        risk
        for store, things in seen.items()
        for risk in _found(kind, store, things, len({one.order for one in things}), base.get(store, 0))
    ]


def _unrelated_categories(stores: Sequence[Any], at: datetime) -> list[Found]:
    """Kinds of goods sold side by side: the first part of the products' categories, by orders."""
    kind = "unrelated_categories"
    since = _since(kind, at)
    groups: dict[int, dict[str, int]] = {}
    categories: dict[tuple[int, str], list[str]] = {}
    for store, category, orders in bulk.fetch(
        f"SELECT o.store_id, p.category, count(DISTINCT o.id) {_SOLD} GROUP BY 1, 2", ([one.id for one in stores], since, at)
    ):
        group = top_group(category)
        groups.setdefault(store, {})[group] = groups.setdefault(store, {}).get(group, 0) + orders
        categories.setdefault((store, group), []).append(category)
    found = []
    for store, orders in groups.items():
        names = unrelated_groups(orders)
        if not level(kind, len(names), 0):
            continue
        behind = bulk.fetch(
            f"""SELECT id, category, placed_at FROM (
                    SELECT o.id, p.category, o.placed_at, row_number() OVER (PARTITION BY p.category ORDER BY o.placed_at DESC) AS n
                    {_SOLD} AND p.category = ANY(%s::text[])) x WHERE n <= 50""",
            ([store], since, at, [one for name in names for one in categories[store, name]]),
        )
        seen = [Seen(order, None, "order", order, top_group(category), when) for order, category, when in dict.fromkeys(behind)]
        found += _found(kind, store, seen, len(names), sum(orders.values()), groups=", ".join(names[:8]))
    return found


_SOLD = f"""
FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id JOIN catalog_variant v ON v.id = l.variant_id
JOIN catalog_product p ON p.id = v.product_id
WHERE o.store_id = ANY(%s::bigint[]) AND o.placed_at > %s AND o.placed_at <= %s AND NOT o.is_history
  AND l.kind = 'goods' AND p.category <> '' AND {PAID}"""
"""Goods sold with a category, in a scope of stores and a stretch of time."""

_LOOKS = {
    "no_platform_waybill": _no_platform_waybill,
    "foreign_trace": _foreign_trace,
    "consumer_purchase": _consumer_purchase,
    "origin_differs": _origin_differs,
    "number_reused": _number_reused,
    "unrelated_categories": _unrelated_categories,
}


# --- What follows -------------------------------------------------------------------------------------------------


def _tell(stores: Sequence[Any], *, by: str, at: datetime) -> None:
    """Open risks beyond a hint stand on Today, those that are serious on top; the task goes with its risk, or when somebody
    settles it. An open task tells today's count and level."""
    risks = [one for some in risk_queries.open_risks([store.id for store in stores]).values() for one in some]
    tasks = [
        NewTask(kind="no_source_risk", store_id=one.store_id, thing_kind="risk", thing=one.pk,
                params={"signal": BY_KIND[one.kind].words[0], "kind": one.kind, "count": one.count, "level": one.level})
        for one in risks if one.state == "open" and one.level in ("warn", "act")
    ]  # fmt: skip
    open_tasks(tasks, at=at)
    bulk.execute(
        """UPDATE stores_task t SET params = fresh.params
           FROM unnest(%s::bigint[], %s::jsonb[]) AS fresh (thing, params)
           WHERE t.kind = 'no_source_risk' AND t.thing_kind = 'risk' AND t.thing = fresh.thing AND t.closed_at IS NULL
             AND t.params <> fresh.params""",
        ([one.thing for one in tasks], [bulk.json(one.params) for one in tasks]),
    )
    bulk.execute(
        """UPDATE stores_task t SET closed_at = %s, closed_by = %s WHERE t.kind = 'no_source_risk' AND t.closed_at IS NULL
           AND NOT EXISTS (SELECT FROM compliance_risk r WHERE r.id = t.thing AND r.state = 'open' AND r.level IN ('warn', 'act'))""",
        (at, by),
    )


def _remind(*, by: str, at: datetime) -> None:
    """Agreements that end soon and that no later one follows."""
    ending = sourcing.ending_agreements(at.date())
    open_tasks(
        [
            NewTask(kind="agreement_ending", store_id=row["store_id"], thing_kind="agreement", thing=row["id"],
                    params={"supplier": row["supplier"], "day": row["valid_until"].isoformat()})
            for row in ending
        ],
        at=at,
    )  # fmt: skip
    bulk.execute(
        """UPDATE stores_task SET closed_at = %s, closed_by = %s
           WHERE kind = 'agreement_ending' AND closed_at IS NULL AND thing <> ALL(%s::bigint[])""",
        (at, by, [row["id"] for row in ending]),
    )


def _agreed(stores: Sequence[int], *, by: str, at: datetime) -> None:
    """Negotiations whose agreement satisfies the channel by now are done."""
    pairs = bulk.fetch(
        """SELECT DISTINCT store_id, supplier_id FROM compliance_planstep
           WHERE kind = 'negotiate' AND state IN ('todo', 'doing') AND supplier_id IS NOT NULL AND store_id = ANY(%s::bigint[])""",
        (list(stores),),
    )
    if pairs:
        refused = sourcing.refusals(pairs, at=at)
        risk_commands.finish_negotiations([pair for pair in pairs if pair not in refused], by=by, at=at)


# --- What a person does -------------------------------------------------------------------------------------------


@transaction.atomic
def settle_risk(*, risk_id: int, state: str, note: str, by: str, at: datetime) -> None:
    """`compliance.risk_commands.settle_risk`; its task goes."""
    risk_commands.settle_risk(risk_id=risk_id, state=state, note=note, by=by, at=at)
    close_tasks(kind="no_source_risk", thing_kind="risk", things=[risk_id], by=by, at=at)


@transaction.atomic
def begin_plan(*, risk_id: int, by: str, at: datetime) -> list[int]:
    """Plan what helps against a risk: a negotiation with each supplier behind it, e-waybills, focus. New steps' ids.

    What was done before and did not help is not done: it is taken up again, and a supplier who had agreed is replaced.
    The risk counts as being put right from now on.
    """
    risk = risk_queries.Risk.objects.get(pk=risk_id)
    newest = risk_queries.newest_behind(risk_id)
    had_agreed = risk_commands.steps_done(risk.store_id, "negotiate", before=newest) if newest else {}
    steps: list[Step] = []
    for remedy in BY_KIND[risk.kind].remedies:
        if remedy == "agreement":
            steps += [
                Step("substitute" if supplier in had_agreed else "negotiate", supplier)
                for supplier, _name, _n in risk_queries.suppliers_behind(risk_id)[:20]
            ]
        elif remedy == "substitute" and risk.kind == "consumer_purchase":
            steps += [Step("substitute", supplier) for supplier, _name, _n in risk_queries.suppliers_behind(risk_id)[:20]]
        elif remedy == "waybills":
            steps.append(Step("waybills"))
        elif remedy == "samples":
            steps.append(Step("sample_order"))
        elif remedy == "focus":
            steps.append(Step("focus"))
    planned = risk_commands.plan_steps(store_id=risk.store_id, steps=steps, by=by, at=at)
    if newest:
        planned += risk_commands.take_up_again(risk.store_id, steps, before=newest, by=by, at=at)
    if risk.state == "open":
        settle_risk(risk_id=risk_id, state="acted", note=PLANNED, by=by, at=at)
    return planned


@transaction.atomic
def record_affiliate_check(
    *, store_id: int, followers: int, is_adult: bool, is_clean: bool, by: str, at: datetime
) -> AffiliateCheck:
    """`risk_commands.record_affiliate_check` with the violations that stand on the store's record here. Raises `Refused`."""
    return risk_commands.record_affiliate_check(
        store_id=store_id, followers=followers, is_adult=is_adult, is_clean=is_clean,
        violations=cases.violations_that_count([store_id]).get(store_id, 0), by=by, at=at,
    )  # fmt: skip


def substitutes_for(supplier_id: int, limit: int = 50) -> list[dict[str, Any]]:
    """Other suppliers' offers of the same variants as this supplier serves: who could take over, dearest last.

    Only what is mapped already is found; shops on consumer platforms are left out.
    """
    return bulk.fetch_dicts(
        """SELECT s.id AS supplier_id, s.name AS supplier, v.id AS variant_id, v.sku, o.supplier_sku, o.price, s.currency,
                  s.state AS supplier_state, m.state AS mapping_state
           FROM sourcing_skumapping m JOIN sourcing_supplieroffer o ON o.id = m.offer_id
           JOIN sourcing_supplier s ON s.id = o.supplier_id JOIN catalog_variant v ON v.id = m.variant_id
           WHERE o.supplier_id <> %(supplier)s AND s.source <> 'consumer_platform' AND s.state <> 'ended' AND o.state = 'live'
             AND s.is_sample = (SELECT is_sample FROM sourcing_supplier WHERE id = %(supplier)s)
             AND m.state IN ('verified', 'proposed')
             AND m.variant_id IN (SELECT x.variant_id FROM sourcing_skumapping x JOIN sourcing_supplieroffer y ON y.id = x.offer_id
                                  WHERE y.supplier_id = %(supplier)s AND x.state IN ('verified', 'proposed'))
           ORDER BY v.sku, o.price, s.id LIMIT %(limit)s""",
        {"supplier": supplier_id, "limit": limit},
    )
