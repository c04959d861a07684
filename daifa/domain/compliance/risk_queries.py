"""Reads of risks and plans. `scope` (ids of the stores the caller may see) comes first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Case, Count, F, IntegerField, Max, Sum, Value, When

from daifa.domain.compliance.models import (
    AffiliateCheck,
    AffiliateLink,
    AffiliatePost,
    PlanStep,
    Risk,
    RiskOrder,
)
from daifa.domain.policy import queries as policy
from daifa.lib import bulk

NEWEST = ("-rank", "-id")
_RANK = Case(
    When(state="gone", then=Value(0)), When(level="act", then=Value(3)), When(level="warn", then=Value(2)),
    default=Value(1), output_field=IntegerField(),
)  # fmt: skip


def risk_page(
    scope: Sequence[int], *, state: str | None = None, kind: str | None = None, cursor: Any = None, limit: int = 50
) -> list[Risk]:
    """At most `limit` risks, the serious ones first; those that are gone only where asked for."""
    from daifa.lib.paging import Cursor

    found = Risk.objects.filter(store_id__in=list(scope)).annotate(rank=_RANK)
    found = found.filter(state=state) if state else found.exclude(state="gone")
    if kind:
        found = found.filter(kind=kind)
    return (cursor or Cursor(NEWEST)).slice(found, limit)


def risk_detail(scope: Sequence[int], risk_id: int) -> Risk | None:
    return Risk.objects.filter(pk=risk_id, store_id__in=list(scope)).first()


def behind(risk_id: int, limit: int = 200) -> list[dict[str, Any]]:
    """What is behind a risk, newest first, with `order_number` and `supplier_name`."""
    return list(
        RiskOrder.objects.filter(risk_id=risk_id)
        .annotate(order_number=F("order__number"), supplier_name=F("supplier__name"))
        .order_by("-at", "-id")
        .values()[:limit]
    )


def suppliers_behind(risk_id: int) -> list[tuple[int, str, int]]:
    """(supplier, name, things) behind a risk, most first."""
    return list(
        RiskOrder.objects.filter(risk_id=risk_id, supplier__isnull=False)
        .values_list("supplier_id", "supplier__name")
        .annotate(n=Count("id"))
        .order_by("-n", "supplier_id")
    )


def newest_behind(risk_id: int) -> datetime | None:
    """When the newest of what is behind a risk was seen."""
    return RiskOrder.objects.filter(risk_id=risk_id).aggregate(at=Max("at"))["at"]


def open_risks(scope: Sequence[int]) -> dict[int, list[Risk]]:
    """Store → its risks that are not gone."""
    found: dict[int, list[Risk]] = {}
    for one in Risk.objects.filter(store_id__in=list(scope), gone_at=None).order_by("store_id", "kind"):
        found.setdefault(one.store_id, []).append(one)
    return found


def steps_of(scope: Sequence[int], situation: str) -> list[dict[str, Any]]:
    """Steps of the plans of one situation, in the order of planning, with `supplier_name`."""
    return list(
        PlanStep.objects.filter(store_id__in=list(scope), situation=situation)
        .annotate(supplier_name=F("supplier__name"))
        .order_by("store_id", "id")
        .values()
    )


def step_of(scope: Sequence[int], step_id: int) -> PlanStep | None:
    return PlanStep.objects.filter(pk=step_id, store_id__in=list(scope)).first()


def affiliate_check(store_id: int) -> AffiliateCheck | None:
    """The newest look at the account."""
    return AffiliateCheck.objects.filter(store_id=store_id).order_by("-at", "-id").first()


class FollowersLine(NamedTuple):
    """How many followers a channel asks of accounts that earn commission, by which rule. `acts` False: it only informs."""

    needed: int | None
    rule: str = ""
    acts: bool = False
    source: str = ""


def followers_line(channel: str, *, on: date, store_id: int | None = None) -> FollowersLine:
    """The line as the rule book has it that day, the owner's own word included; none where no rule names one."""
    for rule in policy.rules(policy.book_name(channel), metric="followers", on=on, store_id=store_id):
        if rule.threshold is not None:
            return FollowersLine(int(rule.threshold), rule.id, rule.acts, rule.source)
    return FollowersLine(None)


class Earned(NamedTuple):
    """Commission of a store in its currency: in all, and in the month of the day asked for."""

    store_id: int
    currency: str
    amount: Decimal
    this_month: Decimal
    orders: int
    posts: int


def affiliate_earned(scope: Sequence[int], *, on: date) -> list[Earned]:
    """What commission links of these stores earned, by store; stores without a link are left out."""
    rows = bulk.fetch(
        """SELECT l.store_id, t.currency, coalesce(sum(e.amount), 0),
                  coalesce(sum(e.amount) FILTER (WHERE e.day >= date_trunc('month', %(on)s::date) AND e.day <= %(on)s), 0),
                  coalesce(sum(e.orders), 0),
                  (SELECT count(*) FROM compliance_affiliatepost p JOIN compliance_affiliatelink x ON x.id = p.link_id
                   WHERE x.store_id = l.store_id)
           FROM compliance_affiliatelink l JOIN stores_store t ON t.id = l.store_id
           LEFT JOIN compliance_affiliateearning e ON e.link_id = l.id
           WHERE l.store_id = ANY(%(scope)s::bigint[]) GROUP BY l.store_id, t.currency ORDER BY 1""",
        {"scope": list(scope), "on": on},
    )
    return list(map(Earned._make, rows))


def affiliate_links(scope: Sequence[int]) -> list[dict[str, Any]]:
    """Links with how many posts carry them and what they earned, by currency of the store's statements."""
    rows = list(
        AffiliateLink.objects.filter(store_id__in=list(scope)).order_by("store_id", "-id")
        .annotate(currency=F("store__currency")).values()
    )  # fmt: skip
    ids = [row["id"] for row in rows]
    posts = dict(
        AffiliatePost.objects.filter(link_id__in=ids).values_list("link_id").annotate(n=Count("id"))
    )
    earned = {
        row[0]: row[1:]
        for row in AffiliateLink.objects.filter(id__in=ids, earnings__isnull=False).values_list("id").annotate(
            amount=Sum("earnings__amount"), orders=Sum("earnings__orders")
        )
    }  # fmt: skip
    for row in rows:
        row["posts"] = posts.get(row["id"], 0)
        row["amount"], row["orders"] = earned.get(row["id"], (None, 0))
    return rows


def affiliate_link(scope: Sequence[int], link_id: int) -> AffiliateLink | None:
    return AffiliateLink.objects.filter(pk=link_id, store_id__in=list(scope)).first()
