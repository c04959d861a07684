"""What may be done about signs of selling without a source, and about the plans against them. Many at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import ngettext

from daifa.domain.books import commands as books
from daifa.domain.books.queries import posted_facts, rate_on
from daifa.domain.books.rules import commission_earned
from daifa.domain.compliance.models import (
    AffiliateCheck,
    AffiliateEarning,
    AffiliateLink,
    AffiliatePost,
    PlanStep,
)
from daifa.domain.compliance.process import PLAN_STEP, RISK
from daifa.domain.compliance.risk_queries import followers_line
from daifa.domain.compliance.signals import RANK, STEPS, WITHOUT_ORDERS, affiliate_answers, settled_stays
from daifa.domain.history.commands import move, open_batch, record_births
from daifa.domain.stores.models import Store
from daifa.lib import bulk
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _

MOST_ORDERS = 1_000
"""So many orders are kept behind a risk; its count says how many there are."""


class Seen(NamedTuple):
    """One thing behind a risk: an order, who supplied it, where it was seen, what, and when."""

    order: int | None
    supplier: int | None
    thing_kind: str
    thing: int
    seen: str
    at: datetime


class Found(NamedTuple):
    """A risk as it was reckoned: level hint, warn or act; `count` of `base`; what is behind it, newest first."""

    store: int
    kind: str
    level: str
    count: int
    base: int
    line: Decimal
    params: dict[str, Any]
    rule: str
    seen: Sequence[Seen]


@transaction.atomic
def keep_risks(found: Sequence[Found], *, stores: Sequence[int], by: str, at: datetime) -> dict[str, int]:
    """Make the risks of these stores what was just found: new ones open, others are brought up to date, the rest is gone.

    One that was explained or is being put right stays so until it grows (`signals.settled_stays`). Counts by outcome.
    """
    bulk.execute("SELECT pg_advisory_xact_lock(hashtext('keep_risks'))")
    there = {
        (row[0], row[1]): row[2:]
        for row in bulk.fetch(
            """SELECT store_id, kind, id, state, settled_at, settled_count FROM compliance_risk
               WHERE gone_at IS NULL AND store_id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE""",
            (list(stores),),
        )
    }
    counts = {"new": 0, "kept": 0, "again": 0, "gone": 0}
    wanted = {(one.store, one.kind): one for one in found}
    fresh = [one for key, one in wanted.items() if key not in there]
    ids = dict(zip([(one.store, one.kind) for one in fresh], bulk.next_ids("compliance_risk", len(fresh)), strict=True))
    bulk.copy_rows(
        "compliance_risk",
        ("id", "store_id", "kind", "state", "level", "count", "base", "line", "params", "rule", "found_at", "seen_at"),
        [
            (ids[one.store, one.kind], one.store, one.kind, "open", one.level, one.count, one.base, one.line,
             bulk.json(one.params), one.rule, at, at)
            for one in fresh
        ],
    )  # fmt: skip
    record_births(RISK, list(ids.values()), "open", by=by, at=at)
    counts["new"] = len(fresh)
    again = []
    for key, (risk, state, settled_at, settled_count) in there.items():
        one = wanted.get(key)
        if one is None:
            continue
        ids[key] = risk
        counts["kept"] += 1
        bulk.execute(
            """UPDATE compliance_risk SET level = %s, count = %s, base = %s, line = %s, params = %s, rule = %s, seen_at = %s
               WHERE id = %s""",
            (one.level, one.count, one.base, one.line, bulk.json(one.params), one.rule, at, risk),
        )
        newest = max((seen.at for seen in one.seen), default=None)
        if state != "open" and not settled_stays(
            state=state, settled_at=settled_at, settled_count=settled_count, count=one.count, newest=newest
        ):
            again.append(risk)
    counts["again"] = len(move(RISK, again, to="open", by=by, at=at, reason="seen again").moved)
    gone = [row[0] for key, row in there.items() if key not in wanted]
    counts["gone"] = len(move(RISK, gone, to="gone", by=by, at=at, reason="not seen any more", set_at="gone_at").moved)
    bulk.execute("DELETE FROM compliance_riskorder WHERE risk_id = ANY(%s::bigint[])", ([*ids.values(), *gone],))
    bulk.copy_rows(
        "compliance_riskorder",
        ("risk_id", "order_id", "supplier_id", "thing_kind", "thing", "seen", "at"),
        [
            (ids[key], seen.order, seen.supplier, seen.thing_kind, seen.thing, seen.seen[:200], seen.at)
            for key, one in wanted.items()
            for seen in one.seen[:MOST_ORDERS]
        ],
    )
    return counts


@transaction.atomic
def settle_risk(*, risk_id: int, state: str, note: str, by: str, at: datetime) -> None:
    """A person explains a risk, or says which remedy was begun. Raises `Refused`.

    A signal that is explained stays counted: only the task goes.
    """
    if state not in ("explained", "acted"):
        raise Refused(_("A risk is explained, or a remedy is begun; choose one."), code="choice_invalid")
    if not note.strip():
        raise Refused(_("Write down what explains it, or what was begun."), code="no_reason", field="note")
    if not move(RISK, [risk_id], to=state, by=by, at=at, reason=note.strip(), set_at="settled_at").moved:
        raise Refused(_("This risk is not open any more."), code="no_change")
    bulk.execute(
        "UPDATE compliance_risk SET settled_count = count, note = %s WHERE id = %s", (note.strip()[:500], risk_id)
    )


def most_serious(levels: Sequence[str]) -> str:
    """The highest of some levels; "" for none."""
    return max(levels, key=lambda level: RANK[level], default="")


# --- Plans --------------------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """A step to be planned. `supplier` where it is about one."""

    kind: str
    supplier: int | None = None
    note: str = ""


@transaction.atomic
def plan_steps(*, store_id: int, steps: Sequence[Step], by: str, at: datetime) -> list[int]:
    """Add steps to a store's plan; those that stand there already (unless dropped) are left as they are. Returns new ids."""
    there = set(
        PlanStep.objects.filter(store_id=store_id).exclude(state="dropped").values_list("kind", "supplier_id")
    )
    fresh = [step for step in dict.fromkeys(steps) if (step.kind, step.supplier) not in there]
    for step in fresh:
        if step.kind not in STEPS:
            raise Refused(_("There is no step “%(kind)s”.") % {"kind": step.kind}, code="choice_invalid")
    ids = bulk.next_ids("compliance_planstep", len(fresh))
    bulk.copy_rows(
        "compliance_planstep",
        ("id", "store_id", "situation", "kind", "state", "supplier_id", "note", "at", "moved_at"),
        [
            (one, store_id, "no_orders" if step.kind in WITHOUT_ORDERS else "orders", step.kind, "todo", step.supplier,
             step.note[:500], at, at)
            for one, step in zip(ids, fresh, strict=True)
        ],
    )  # fmt: skip
    record_births(PLAN_STEP, ids, "todo", by=by, at=at)
    return ids


def steps_done(store_id: int, kind: str, *, before: datetime) -> dict[int | None, int]:
    """Supplier (None = no certain one) → the store's step of that kind that was done before that moment."""
    return dict(PlanStep.objects.filter(store_id=store_id, kind=kind, state="done", moved_at__lt=before).values_list("supplier_id", "id"))


@transaction.atomic
def take_up_again(store_id: int, steps: Sequence[Step], *, before: datetime, by: str, at: datetime) -> list[int]:
    """Those of the steps that were done before that moment are under way once more. Returns their ids."""
    ids = [found for step in dict.fromkeys(steps) if (found := steps_done(store_id, step.kind, before=before).get(step.supplier))]
    return move(PLAN_STEP, sorted(ids), to="doing", by=by, at=at, reason="it was seen again", set_at="moved_at").moved


@transaction.atomic
def move_step(*, step_id: int, state: str, note: str, by: str, at: datetime) -> list[int]:
    """A step goes on. Where the present supplier does not agree, the search for a substitute is planned. New steps' ids.

    Raises `Refused`.
    """
    step = PlanStep.objects.filter(pk=step_id).first()
    if step is not None and state in ("done", "dropped") and not (note.strip() or step.note):
        raise Refused(
            _("Say in the note what shows that it is done, or why it is given up: by itself a step ends only with what it asks for."),
            code="note_missing", field="note",
        )  # fmt: skip
    if step is None or not move(PLAN_STEP, [step_id], to=state, by=by, at=at, reason=note, set_at="moved_at").moved:
        raise Refused(_("This step cannot go there any more; look at the plan again."), code="no_change")
    if note.strip():
        PlanStep.objects.filter(pk=step_id).update(note=note.strip()[:500])
    if step.kind == "negotiate" and state in ("failed", "dropped"):
        return plan_steps(store_id=step.store_id, steps=[Step("substitute", step.supplier_id)], by=by, at=at)
    if step.kind == "substitute" and state == "done":
        return plan_steps(store_id=step.store_id, steps=[Step("sample_order"), Step("switch")], by=by, at=at)
    return []


@transaction.atomic
def finish_negotiations(pairs: Sequence[tuple[int, int]], *, by: str, at: datetime) -> list[int]:
    """(store, supplier) that may serve now: their open "agree with the supplier" steps are done."""
    ids = [
        row[0]
        for row in bulk.fetch(
            """SELECT p.id FROM compliance_planstep p
               JOIN unnest(%s::bigint[], %s::bigint[]) AS d(store, supplier) ON d.store = p.store_id AND d.supplier = p.supplier_id
               WHERE p.kind = 'negotiate' AND p.state IN ('todo', 'doing') ORDER BY p.id""",
            ([store for store, _supplier in pairs], [supplier for _store, supplier in pairs]),
        )
    ]
    return move(PLAN_STEP, ids, to="done", by=by, at=at, reason="the agreement satisfies the channel", set_at="moved_at").moved


@transaction.atomic
def move_sample_steps(store_id: int, supplier_id: int, *, to: str, by: str, at: datetime) -> list[int]:
    """A sample of this supplier was ordered (`doing`) or has passed (`done`): the store's steps that wait for one go on."""
    before = ("todo", "failed") if to == "doing" else ("todo", "doing", "failed")
    ids = [
        row[0]
        for row in bulk.fetch(
            """SELECT id FROM compliance_planstep WHERE store_id = %s AND kind = 'sample_order'
               AND (supplier_id IS NULL OR supplier_id = %s) AND state = ANY(%s::text[]) ORDER BY id""",
            (store_id, supplier_id, list(before)),
        )
    ]
    if to == "done":  # what did not work before goes on before it is done
        move(PLAN_STEP, ids, to="doing", by=by, at=at, reason="a sample was ordered", set_at="moved_at")
    why = "a sample passed" if to == "done" else "a sample was ordered"
    return move(PLAN_STEP, ids, to=to, by=by, at=at, reason=why, set_at="moved_at").moved


@transaction.atomic
def finish_switches(stores: Sequence[int], *, by: str, at: datetime) -> list[int]:
    """In these stores substitutes are asked first by now: the step "switch" is done. Returns the steps."""
    ids = list(
        PlanStep.objects.filter(store_id__in=list(stores), kind="switch", state__in=("todo", "doing")).order_by("id").values_list("id", flat=True)
    )
    return move(PLAN_STEP, ids, to="done", by=by, at=at, reason="the new supplier is asked first", set_at="moved_at").moved


# --- Commission links ---------------------------------------------------------------------------------------------


@transaction.atomic
def record_affiliate_check(
    *, store_id: int, followers: int, is_adult: bool, is_clean: bool, violations: int, by: str, at: datetime
) -> AffiliateCheck:
    """What a person looked up about the account. `violations`: how many stand on its record here; with any, a clean
    record is not taken down. Raises `Refused`."""
    if followers < 0:
        raise Refused(_("Followers are counted from 0."), code="value_invalid", field="followers")
    if is_clean and violations:
        raise Refused(
            ngettext("%(n)d violation of this store is recorded here: its record is not clean.",
                     "%(n)d violations of this store are recorded here: its record is not clean.", violations) % {"n": violations},
            code="not_clean", field="is_clean",
        )  # fmt: skip
    made = AffiliateCheck.objects.create(
        store_id=store_id, followers=followers, is_adult=is_adult, is_clean=is_clean, by=by, at=at
    )
    store = Store.objects.get(pk=store_id)
    line = followers_line(store.channel, on=at.date(), store_id=store_id)
    if not list(affiliate_answers(followers, is_adult=is_adult, is_clean=is_clean, needed=line.needed)):
        _finish(store_id, "eligibility", "the account may apply", by=by, at=at)
    return made


def _finish(store_id: int, kind: str, why: str, *, by: str, at: datetime) -> None:
    """A step of the way without orders is done by what it asked for."""
    ids = list(
        PlanStep.objects.filter(store_id=store_id, kind=kind, state__in=("todo", "doing")).order_by("id").values_list("id", flat=True)
    )
    move(PLAN_STEP, ids, to="done", by=by, at=at, reason=why, set_at="moved_at")


@transaction.atomic
def add_affiliate_link(
    *, store_id: int, name: str, url: str, percent: Decimal | None, by: str, at: datetime
) -> AffiliateLink:
    """A commission link; raises `Refused` where it is there already."""
    if percent is not None and not 0 <= percent <= 100:
        raise Refused(_("A commission lies between 0 and 100 percent."), code="value_invalid", field="percent")
    link, created = AffiliateLink.objects.get_or_create(
        store_id=store_id, url=url, defaults={"name": name.strip()[:160], "percent": percent, "by": by, "at": at}
    )
    if not created:
        raise Refused(_("This link is recorded already, as “%(name)s”.") % {"name": link.name}, code="known", field="url")
    open_batch(by=by, at=at, reason=f"add_affiliate_link: {link.pk}")
    _finish(store_id, "links", "a commission link was taken", by=by, at=at)
    return link


@transaction.atomic
def add_affiliate_post(*, link_id: int, url: str, title: str, posted_on: date, by: str, at: datetime) -> AffiliatePost:
    """A post that carries a link; the same address twice is one."""
    post, _created = AffiliatePost.objects.get_or_create(
        link_id=link_id, url=url, defaults={"title": title.strip()[:200], "posted_on": posted_on, "by": by}
    )
    _finish(post.link.store_id, "posts", "a post carries a link", by=by, at=at)
    return post


@transaction.atomic
def record_affiliate_earning(
    *, link_id: int, day: date, orders: int, amount: Decimal, currency: str, by: str, at: datetime
) -> AffiliateEarning:
    """What a link earned on a day, posted as income of that day: the channel owes it. Told again it replaces the earlier
    figure, whose entry is reversed. Raises `Refused`."""
    if amount < 0 or orders < 0:
        raise Refused(_("Commission and orders are not negative; correct an earlier day instead."), code="value_invalid", field="amount")
    link = AffiliateLink.objects.select_for_update(of=("self",)).select_related("store").get(pk=link_id)
    before = AffiliateEarning.objects.filter(link_id=link_id, day=day).first()
    is_same = before is not None and (before.amount, before.currency) == (amount, currency)
    if is_same:
        AffiliateEarning.objects.filter(pk=before.pk).update(orders=orders, by=by)
        before.orders = orders
        if posted_facts([("commission_earned", before.pk)]):
            return before  # else it was told before commission went to the books
    store = link.store
    today = at.astimezone(ZoneInfo(store.timezone)).date()
    if day > today:
        raise Refused(_("%(date)s lies ahead; enter it on the day it happens.") % {"date": day}, code="date_in_future", field="day")
    rate = rate_on(currency, store.currency, day)
    if rate is None:
        raise Refused(
            _("There is no exchange rate from %(base)s to %(quote)s on %(date)s; enter one and try again.")
            % {"base": currency, "quote": store.currency, "date": day},
            code="exchange_rate_missing", field="amount",
        )  # fmt: skip
    if before is not None and not is_same:
        for (entry,) in bulk.fetch(
            "SELECT id FROM books_entry WHERE fact = 'commission_earned' AND fact_id = %s", (before.pk,)
        ):
            books.reverse_entry(entry_id=entry, by=by, at=at, reason=_("commission of %(day)s corrected") % {"day": day})
        before.delete()
    # A new row each time: an entry is of one row, and rows that were posted are not edited.
    earning = before if is_same else AffiliateEarning.objects.create(
        link_id=link_id, day=day, orders=orders, amount=amount, currency=currency, by=by
    )  # fmt: skip
    noon = min(datetime.combine(day, time(12), ZoneInfo(store.timezone)), at)
    books.post_entries(
        [
            books.NewEntry(
                store.pk, "commission_earned", earning.pk, noon,
                commission_earned(amount, currency, store.currency, rate.rate), memo=link.name,
            )
        ],
        by=by,
    )  # fmt: skip
    _finish(store.pk, "earnings", "the first commission is recorded", by=by, at=at)
    return earning
