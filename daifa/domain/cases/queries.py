"""Reads of cases. `scope` (ids of the stores the caller may see) comes first where many stores may be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import F, Q
from django.utils.translation import get_language, gettext

from daifa.domain.cases import rules
from daifa.domain.cases.models import (
    Appeal,
    CaseFile,
    Complaint,
    Consequence,
    DepositMove,
    DepositRequirement,
    EvidencePack,
    Infringement,
    ListingRight,
    PictureCover,
    Qualification,
    QualificationNeed,
    Violation,
)
from daifa.domain.cases.pictures import PRIVATE
from daifa.domain.cases.process import (
    COMPLAINT,
    COMPLAINT_KINDS,
    INFRINGEMENT,
    QUALIFICATIONS,
    VIOLATION,
    VIOLATION_KINDS,
)
from daifa.domain.cases.rules import NOTHING, Missing, Points
from daifa.domain.policy import queries as policy
from daifa.domain.stores.models import Store
from daifa.lib import bulk, workdays
from daifa.lib.commas import listed
from daifa.lib.money import Money
from daifa.lib.paging import Cursor

NEWEST = ("-id",)
OPEN_VIOLATION = ("active", "appealed", "upheld", "reduced")
OPEN_COMPLAINT = ("open", "answered", "escalated")
OPEN_INFRINGEMENT = ("notified", "taken_down", "countered", "forwarded", "sued")


def word(words: dict[str, tuple[str, str]], code: str) -> str:
    """A code of one of the closed lists in `process` in the reader's language."""
    return words.get(code, (code, code))[int((get_language() or "").startswith("zh"))]


# --- The rule book ------------------------------------------------------------------------------------------------


def book(store: Store, *, on: date) -> list[Any]:
    """The rules a store lives under on that day, its channel's first."""
    return [rule for channel in policy.channels_of(store) for rule in policy.rules(channel, on=on, store_id=store.pk)]


def rule(rule_id: str, *, on: date | None = None) -> Any:
    """A rule by its id; None where the book has none of it."""
    try:
        return policy.rule(rule_id, on=on)
    except KeyError:
        return None


def appeal_terms(store: Store, *, kind: str, on: date) -> rules.AppealTerms:
    """Until when and how often a violation of this kind (of `VIOLATION_KINDS`) notified on that day may be appealed, and
    how soon it is answered: the rules that act."""
    return rules.appeal_terms(kind, book(store, on=on))


def points_fall(violation_id: int) -> rules.Fall | None:
    """When the points of a violation fall by the rules as they read on the day of its notice, acting or not."""
    violation = Violation.objects.select_related("store").get(pk=violation_id)
    zone = violation.store.timezone
    day = violation.notified_at.astimezone(ZoneInfo(zone)).date()
    return rules.points_fall(book(violation.store, on=day), violation.notified_at, zone)


def why_not_exact(store: Store, rule_id: str, start: datetime, until: datetime | None) -> str:
    """"" or the sentence why a deadline by this rule may be off: working days of a year that is not announced yet."""
    found = rule(rule_id, on=start.date()) if rule_id and until is not None else None
    if found is None or found.unit not in rules.WORKING:
        return ""
    zone = ZoneInfo(store.timezone)
    code = workdays.why_not_exact(
        policy.country_of(store), start.astimezone(zone).date(), until.astimezone(zone).date()
    )
    return gettext(workdays.WHYS[code]) if code else ""


def currency_of(store_id: int) -> str:
    return Store.objects.values_list("currency", flat=True).get(pk=store_id)


# --- Violations ---------------------------------------------------------------------------------------------------


def violation_page(
    scope: Sequence[int], *, state: str | None = None, kind: str | None = None, q: str | None = None,
    order_id: int | None = None, cursor: Cursor | None = None, limit: int = 50,
) -> list[dict[str, Any]]:  # fmt: skip
    """At most `limit` violations, newest first. `state` "open" = not lifted and not expired. `q`: reference or its beginning."""
    found = Violation.objects.filter(store_id__in=list(scope))
    if state == "open":
        found = found.filter(state__in=OPEN_VIOLATION)
    elif state:
        found = found.filter(state=state) if state in VIOLATION.table else found.none()
    if kind:
        found = found.filter(kind=kind)
    if q and (q := q.strip()):
        found = found.filter(reference__startswith=q) | found.filter(orders__order__number=q)
        found = found.distinct()
    if order_id is not None:
        found = found.filter(orders__order_id=order_id)
    return (cursor or Cursor(NEWEST)).slice(
        found.values(
            "id", "store_id", "reference", "rule", "kind", "state", "title", "points", "points_until", "occurred_at",
            "notified_at", "appeal_due_at", "appeal_until",
        ),
        limit,
    )  # fmt: skip


@dataclass(frozen=True)
class ViolationDetail:
    """A violation as a plain row (with `currency`, `timezone`), and everything that hangs on it.

    `why_not_appeal` is for who asks `commands.why_not_appeal` beside it: "" here.
    """

    violation: dict[str, Any]
    orders: list[dict[str, Any]]
    consequences: list[dict[str, Any]]
    appeals: list[dict[str, Any]]
    moves: list[dict[str, Any]]
    files: list[dict[str, Any]]
    packs: list[dict[str, Any]]
    why_not_appeal: str = ""


def violation_detail(scope: Sequence[int], violation_id: int) -> ViolationDetail | None:
    """One violation; None when it is not there or not in scope."""
    row = (
        Violation.objects.filter(pk=violation_id, store_id__in=list(scope))
        .annotate(currency=F("store__currency"), timezone=F("store__timezone"))
        .values()
        .first()
    )
    if row is None:
        return None
    of_store = {"store_id": F("violation__store_id")}  # times are told on its clock
    appeals = list(Appeal.objects.filter(violation_id=violation_id).order_by("id").annotate(**of_store).values())
    return ViolationDetail(
        violation=row,
        orders=bulk.fetch_dicts(
            """SELECT o.id, o.store_id, o.number, o.placed_at, o.status, o.total_amount, o.currency FROM cases_violationorder v
               JOIN orders_order o ON o.id = v.order_id WHERE v.violation_id = %s ORDER BY o.id""",
            (violation_id,),
        ),
        consequences=list(
            Consequence.objects.filter(violation_id=violation_id).order_by("from_at", "id").annotate(**of_store).values()
        ),
        appeals=appeals,
        moves=list(DepositMove.objects.filter(violation_id=violation_id).order_by("at", "id").values()),
        files=files_of("violation", [violation_id]) + files_of("appeal", [one["id"] for one in appeals]),
        packs=packs_of("violation", violation_id),
    )


def points(store_id: int, *, at: datetime) -> Points:
    """The store's points that count at `at`, what they brought and what they cost next, by its channel's rules."""
    store = Store.objects.get(pk=store_id)
    return rules.standing(
        Violation.objects.filter(store_id=store_id)
        .exclude(state="lifted")
        .values_list("id", "kind", "points", "notified_at", "points_until"),
        rules.ladder(book(store, on=at.astimezone(ZoneInfo(store.timezone)).date())),
        at,
    )


def violations_that_count(scope: Sequence[int]) -> dict[int, int]:
    """Store → how many violations stand on its record: those that were not lifted and have not expired."""
    return dict(
        bulk.fetch(
            """SELECT store_id, count(*) FROM cases_violation
               WHERE store_id = ANY(%s::bigint[]) AND state = ANY(%s::text[]) GROUP BY 1""",
            (list(scope), list(OPEN_VIOLATION)),
        )
    )


def stores_on_record(scope: Sequence[int]) -> list[int]:
    """Stores that have a violation which counts, or any deposit; the one that heard of a violation last comes first."""
    rows = bulk.fetch(
        """SELECT s.id FROM unnest(%s::bigint[]) AS s(id)
           LEFT JOIN LATERAL (SELECT max(v.notified_at) AS at FROM cases_violation v
                              WHERE v.store_id = s.id AND v.state <> 'lifted') v ON true
           WHERE v.at IS NOT NULL OR EXISTS (SELECT FROM cases_depositmove m WHERE m.store_id = s.id)
              OR EXISTS (SELECT FROM cases_depositrequirement r WHERE r.store_id = s.id)
           ORDER BY v.at DESC NULLS LAST, s.id""",
        (list(scope),),
    )
    return [row[0] for row in rows]


def consequences_in_force(scope: Sequence[int], *, at: datetime) -> list[dict[str, Any]]:
    """Limits that hold at `at`, what ends first (or never) first: kind, from_at, until_at, violation, reference, store."""
    return list(
        Consequence.objects.filter(violation__store_id__in=list(scope), lifted_at=None, from_at__lte=at)
        .exclude(until_at__lte=at)
        .exclude(violation__state="lifted")
        .annotate(reference=F("violation__reference"), store_id=F("violation__store_id"), currency=F("violation__store__currency"))
        .order_by(F("until_at").asc(nulls_last=True), "id")
        .values("id", "violation_id", "reference", "store_id", "currency", "kind", "from_at", "until_at", "amount", "note")
    )  # fmt: skip


# --- Deposit ------------------------------------------------------------------------------------------------------


class Deposit(NamedTuple):
    """What the channel holds of us and what it demands (None = nobody said), in the store's currency."""

    held: Money
    required: Money | None
    short: Money | None
    due_at: datetime | None
    rule: str
    deducted: Money
    penalties: Money


def deposit(store_id: int, *, at: datetime | None = None) -> Deposit:
    """The deposit of a store. `at` decides which requirement counts; None = the newest there is."""
    store = Store.objects.only("currency", "timezone").get(pk=store_id)
    currency = store.currency
    sums = dict(
        bulk.fetch("SELECT kind, sum(amount) FROM cases_depositmove WHERE store_id = %s GROUP BY 1", (store_id,))
    )
    found = DepositRequirement.objects.filter(store_id=store_id)
    if at is not None:
        found = found.filter(valid_from__lte=at.astimezone(ZoneInfo(store.timezone)).date())
    wanted = found.order_by("-valid_from").first()
    amount = rules.held(sums.items())
    short = wanted.amount - amount if wanted is not None and wanted.amount > amount else None
    return Deposit(
        held=Money(amount, currency),
        required=Money(wanted.amount, currency) if wanted else None,
        short=Money(short, currency) if short else None,
        due_at=wanted.due_at if wanted else None,
        rule=wanted.rule if wanted else "",
        deducted=Money(sums.get("deducted", NOTHING) - sums.get("given_back", NOTHING), currency),
        penalties=Money(sums.get("penalty", NOTHING) - sums.get("penalty_back", NOTHING), currency),
    )


def taken(violation_id: int | None, way: str = "", *, store_id: int | None = None) -> Decimal:
    """What a violation has cost less what came back; `way` a kind of move: only deposit, or only proceeds.

    Without a violation: what was taken of the store (`store_id`) and belongs to none.
    """
    pairs = {"given_back": ("deducted", "given_back"), "deducted": ("deducted", "given_back"),
             "penalty_back": ("penalty", "penalty_back"), "penalty": ("penalty", "penalty_back")}  # fmt: skip
    kinds = pairs.get(way, ("deducted", "penalty", "given_back", "penalty_back"))
    total = bulk.fetch(
        """SELECT sum(CASE WHEN kind IN ('deducted', 'penalty') THEN amount ELSE -amount END)
           FROM cases_depositmove WHERE kind = ANY(%s::text[])
             AND CASE WHEN %s::bigint IS NULL THEN violation_id IS NULL AND store_id = %s ELSE violation_id = %s END""",
        (list(kinds), violation_id, store_id, violation_id),
    )[0][0]
    return total or NOTHING


def deposit_page(
    scope: Sequence[int], *, kind: str | None = None, cursor: Cursor | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """At most `limit` moves of deposits, newest first, with the reference of the violation they belong to."""
    found = DepositMove.objects.filter(store_id__in=list(scope))
    if kind:
        found = found.filter(kind=kind)
    return (cursor or Cursor(NEWEST)).slice(
        found.annotate(violation_reference=F("violation__reference")).values(
            "id", "store_id", "kind", "amount", "currency", "from_proceeds", "violation_id", "violation_reference", "reference",
            "note", "at", "by",
        ),
        limit,
    )  # fmt: skip


def requirements_of(store_id: int) -> list[dict[str, Any]]:
    """What was demanded since when, newest first."""
    return list(DepositRequirement.objects.filter(store_id=store_id).order_by("-valid_from").values())


# --- Complaints ---------------------------------------------------------------------------------------------------


def complaint_page(
    scope: Sequence[int], *, state: str | None = None, kind: str | None = None, q: str | None = None,
    order_id: int | None = None, cursor: Cursor | None = None, limit: int = 50,
) -> list[dict[str, Any]]:  # fmt: skip
    """At most `limit` complaints, newest first, without their text. `state` "open" = no outcome yet."""
    found = Complaint.objects.filter(store_id__in=list(scope))
    if state == "open":
        found = found.filter(state__in=OPEN_COMPLAINT)
    elif state:
        found = found.filter(state=state) if state in COMPLAINT.table else found.none()
    if kind:
        found = found.filter(kind=kind)
    if q and (q := q.strip()):
        found = found.filter(reference__startswith=q) | found.filter(order__number__startswith=q)
    if order_id is not None:
        found = found.filter(order_id=order_id)
    return (cursor or Cursor(NEWEST)).slice(
        found.annotate(order_number=F("order__number")).values(
            "id", "store_id", "reference", "order_id", "order_number", "kind", "state", "finding", "outcome", "due_at",
            "opened_at", "ended_at",
        ),
        limit,
    )  # fmt: skip


@dataclass(frozen=True)
class ComplaintDetail:
    """A complaint as a plain row (with `order_number`), its photos and the packs made for it."""

    complaint: dict[str, Any]
    files: list[dict[str, Any]]
    packs: list[dict[str, Any]]


def complaint_detail(scope: Sequence[int], complaint_id: int) -> ComplaintDetail | None:
    """One complaint; None when it is not there or not in scope."""
    row = (
        Complaint.objects.filter(pk=complaint_id, store_id__in=list(scope))
        .annotate(order_number=F("order__number"))
        .values()
        .first()
    )
    if row is None:
        return None
    return ComplaintDetail(row, files_of("complaint", [complaint_id]), packs_of("complaint", complaint_id))


def photos_of_complaints(complaint_ids: Sequence[int]) -> dict[int, list[CaseFile]]:
    """Complaint → its photos: what a parcel check reads (`files.path_of(file.sha256)` is where each lies)."""
    found: dict[int, list[CaseFile]] = {}
    for file in CaseFile.objects.filter(thing_kind="complaint", thing__in=list(complaint_ids)).order_by("id"):
        found.setdefault(file.thing, []).append(file)
    return found


# --- Infringement and rights --------------------------------------------------------------------------------------


def infringement_page(
    scope: Sequence[int], *, state: str | None = None, q: str | None = None, cursor: Cursor | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """At most `limit` infringement cases, newest first. `state` "open" = not ended. `q`: reference or listing."""
    found = Infringement.objects.filter(store_id__in=list(scope))
    if state == "open":
        found = found.filter(state__in=OPEN_INFRINGEMENT)
    elif state:
        found = found.filter(state=state) if state in INFRINGEMENT.table else found.none()
    if q and (q := q.strip()):
        found = found.filter(reference__startswith=q) | found.filter(title__icontains=q)
    return (cursor or Cursor(NEWEST)).slice(
        found.values(
            "id", "store_id", "reference", "listing_id", "title", "complainant", "right", "state", "notified_at",
            "answer_due_at", "restore_due_at", "ended_at",
        ),
        limit,
    )  # fmt: skip


@dataclass(frozen=True)
class InfringementDetail:
    """A case as a plain row, the rights recorded on its listing, its papers and packs."""

    case: dict[str, Any]
    rights: list[dict[str, Any]]
    files: list[dict[str, Any]]
    packs: list[dict[str, Any]]


def infringement_detail(scope: Sequence[int], case_id: int) -> InfringementDetail | None:
    """One case; None when it is not there or not in scope."""
    row = (
        Infringement.objects.filter(pk=case_id, store_id__in=list(scope))
        .annotate(sku=F("listing__sku"))
        .values()
        .first()
    )
    if row is None:
        return None
    rights = rights_of([row["listing_id"]]) if row["listing_id"] else []
    return InfringementDetail(
        row, rights,
        files_of("infringement", [case_id]) + files_of("listing_right", [one["id"] for one in rights]),
        packs_of("infringement", case_id),
    )  # fmt: skip


def rights_of(listing_ids: Sequence[int], *, on: date | None = None) -> list[dict[str, Any]]:
    """Rights recorded on these listings; `on` only those that count that day."""
    found = ListingRight.objects.filter(listing_id__in=list(listing_ids))
    if on is not None:
        found = found.filter(valid_from__lte=on).exclude(valid_until__lt=on)
    return list(found.annotate(sku=F("listing__sku")).order_by("listing_id", "id").values())


def right_page(
    scope: Sequence[int], *, right: str | None = None, q: str | None = None, ending_by: date | None = None,
    cursor: Cursor | None = None, limit: int = 50,
) -> list[dict[str, Any]]:  # fmt: skip
    """At most `limit` rights recorded on listings, newest first, with how many `papers` each has.

    `q`: SKU, title or holder. `ending_by`: only those that end by then.
    """
    found = ListingRight.objects.filter(listing__store_id__in=list(scope))
    if right:
        found = found.filter(right=right)
    if ending_by is not None:
        found = found.filter(valid_until__lte=ending_by)
    if q and (q := q.strip()):
        found = found.filter(Q(listing__sku__istartswith=q) | Q(listing__title__icontains=q) | Q(holder__icontains=q))
    rows = (cursor or Cursor(NEWEST)).slice(
        found.annotate(sku=F("listing__sku"), title=F("listing__title"), store_id=F("listing__store_id")).values(), limit
    )
    papers: dict[int, int] = {}
    for file in files_of("listing_right", [row["id"] for row in rows]):
        papers[file["thing"]] = papers.get(file["thing"], 0) + 1
    return [{**row, "papers": papers.get(row["id"], 0)} for row in rows]


def right_detail(scope: Sequence[int], right_id: int) -> dict[str, Any] | None:
    """One recorded right with its listing and `files`; None when it is not there or not in scope."""
    row = (
        ListingRight.objects.filter(pk=right_id, listing__store_id__in=list(scope))
        .annotate(sku=F("listing__sku"), title=F("listing__title"), store_id=F("listing__store_id"))
        .values()
        .first()
    )
    return None if row is None else {**row, "files": files_of("listing_right", [right_id])}


def missing_rights(listing_ids: Sequence[int], right: str, *, on: date) -> list[int]:
    """Those of the listings for which no right of that kind is recorded that counts on that day."""
    have = {one["listing_id"] for one in rights_of(listing_ids, on=on) if one["right"] == right}
    return [listing for listing in listing_ids if listing not in have]


def has_proof(case: Infringement) -> bool:
    """Whether a first proof stands in a case: a right on its listing, or a paper added to it."""
    if case.listing_id and ListingRight.objects.filter(listing_id=case.listing_id).exists():
        return True
    return CaseFile.objects.filter(thing_kind="infringement", thing=case.pk).exists()


# --- Qualifications -----------------------------------------------------------------------------------------------


def qualification_page(
    scope: Sequence[int], *, kind: str | None = None, cursor: Cursor | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """At most `limit` licences, newest first, with how many documents there are."""
    found = Qualification.objects.filter(store_id__in=list(scope))
    if kind:
        found = found.filter(kind=kind)
    rows = (cursor or Cursor(NEWEST)).slice(found.values(), limit)
    papers: dict[int, int] = {}
    for file in files_of("qualification", [row["id"] for row in rows]):
        papers[file["thing"]] = papers.get(file["thing"], 0) + 1
    return [{**row, "papers": papers.get(row["id"], 0)} for row in rows]


def qualification_detail(scope: Sequence[int], qualification_id: int) -> dict[str, Any] | None:
    """One licence with its `files`; None when it is not there or not in scope."""
    row = Qualification.objects.filter(pk=qualification_id, store_id__in=list(scope)).values().first()
    return None if row is None else {**row, "files": files_of("qualification", [qualification_id])}


def missing_qualifications(store_id: int, category: str, on: date) -> list[Missing]:
    """Which licences goods of `category` need in this store and it does not have on that day; [] = publish.

    `blocks` True: the owner confirmed that it is needed, so publishing waits. False: daifa asks, because the law
    names it, but nobody has confirmed it for this channel yet.
    """
    return missing_by_category(Store.objects.get(pk=store_id), [category], on)[category]


def missing_by_category(store: Store, categories: Iterable[str], on: date) -> dict[str, list[Missing]]:
    """`missing_qualifications` of many categories of one store, in two statements."""
    licences = [
        rules.Licence(*row)
        for row in Qualification.objects.filter(store=store).values_list(
            "kind", "category", "valid_from", "valid_until", "withdrawn_on"
        )
    ]
    channel = policy.book_name(store.channel)
    said = _needs_said(channel, store.pk)
    return {category: rules.missing(channel, category, rules.needs_of(category, said), licences, on) for category in set(categories)}


def _needs_said(channel: str, store_id: int | None = None) -> list[rules.Said]:
    return [
        rules.Said(*row)
        for row in QualificationNeed.objects.filter(channel__in=("", channel))
        .filter(Q(store=None) | Q(store=store_id))
        .values_list("kind", "category", "is_needed", "source", "channel", "store_id", "default")
    ]


def said_needs(channel: str | None = None, *, scope: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """What the owner said, by channel and category; `scope`: only about these stores, or all of them."""
    found = QualificationNeed.objects.order_by("default", "channel", "category", "kind", F("store_id").asc(nulls_first=True))
    if scope is not None:
        found = found.filter(Q(store=None) | Q(store__in=list(scope)))
    return list((found.filter(channel=channel) if channel is not None else found).values())


def source_words(need: rules.Need | Missing) -> str:
    """Where a need stands, in the reader's language."""
    return need.source_zh if need.source_zh and (get_language() or "").startswith("zh") else need.source


# --- Files and packs ----------------------------------------------------------------------------------------------


def files_of(thing_kind: str, things: Sequence[int]) -> list[dict[str, Any]]:
    """Photos and papers of cases of one kind, oldest first."""
    if not things:
        return []
    return list(CaseFile.objects.filter(thing_kind=thing_kind, thing__in=list(things)).order_by("id").values())


def case_file(scope: Sequence[int], file_id: int) -> CaseFile | None:
    """One file; None when it is not there or not in scope."""
    return CaseFile.objects.filter(pk=file_id, store_id__in=list(scope)).first()


def covers_of(store_id: int, hashes: Sequence[str]) -> dict[str, PictureCover]:
    """SHA-256 → what is covered on copies of that photo."""
    return {one.sha256: one for one in PictureCover.objects.filter(store_id=store_id, sha256__in=list(hashes))}


def cover_page(
    scope: Sequence[int], *, state: str | None = None, cursor: Cursor | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """At most `limit` photos that went into a pack or wait for a person, newest first."""
    found = PictureCover.objects.filter(store_id__in=list(scope))
    if state:
        found = found.filter(state=state)
    return (cursor or Cursor(NEWEST)).slice(found.values(), limit)


def cover(scope: Sequence[int], cover_id: int) -> PictureCover | None:
    """One photo; None when it is not there or not in scope."""
    return PictureCover.objects.filter(pk=cover_id, store_id__in=list(scope)).first()


def private_words(found: Mapping[str, int]) -> str:
    """What is covered on a photo, in the reader's language: "phone number ×2, receiver's block of a label"."""
    named = [(word(PRIVATE, kind), count) for kind, count in found.items()]
    return listed(name if count == 1 else f"{name} ×{count}" for name, count in named)


_PACK = (
    "id", "store_id", "case_kind", "case", "orders", "state", "name", "sha256", "size", "language", "revealed", "reason", "photos",
    "photos_done", "sentence", "erased_at", "by", "at", "made_at",
)  # fmt: skip


def packs_of(case_kind: str, case: int) -> list[dict[str, Any]]:
    """Evidence packs made for a case, newest first."""
    return list(EvidencePack.objects.filter(case_kind=case_kind, case=case).order_by("-id").values(*_PACK))


def pack_page(scope: Sequence[int], *, cursor: Cursor | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """At most `limit` evidence packs, newest first."""
    return (cursor or Cursor(NEWEST)).slice(
        EvidencePack.objects.filter(store_id__in=list(scope)).values(*_PACK), limit
    )


def pack(scope: Sequence[int], pack_id: int) -> EvidencePack | None:
    """One pack; None when it is not there or not in scope."""
    return EvidencePack.objects.filter(pk=pack_id, store_id__in=list(scope)).first()


def packs_gathering() -> list[int]:
    """Packs that were asked for and are not made yet, in that order."""
    return list(EvidencePack.objects.filter(state="gathering").order_by("id").values_list("pk", flat=True))


# --- What others ask ----------------------------------------------------------------------------------------------


class OpenCase(NamedTuple):
    """Something that is not settled: `kind` violation, complaint or infringement; `words` what it is about."""

    kind: str
    id: int
    reference: str
    state: str
    words: str
    due_at: datetime | None


def open_cases(store_id: int) -> list[OpenCase]:
    """What stands open in a store: appeals under way or still possible, complaints without outcome, notices of rights.

    A violation that was upheld, or whose time to appeal is over, is settled here even while its points count.
    """
    found = [
        OpenCase("violation", one.pk, one.reference, one.state, word(VIOLATION_KINDS, one.kind), one.appeal_due_at)
        for one in Violation.objects.filter(store_id=store_id, state__in=("active", "appealed")).order_by("id")
        if one.state == "appealed" or _may_still_appeal(one)
    ]
    found += [
        OpenCase("complaint", one.pk, one.reference, one.state, word(COMPLAINT_KINDS, one.kind), one.due_at)
        for one in Complaint.objects.filter(store_id=store_id, state__in=OPEN_COMPLAINT).order_by("id")
    ]
    found += [
        OpenCase("infringement", one.pk, one.reference, one.state, one.title, one.restore_due_at or one.answer_due_at)
        for one in Infringement.objects.filter(store_id=store_id, state__in=OPEN_INFRINGEMENT).order_by("id")
    ]
    return found


def _may_still_appeal(violation: Violation) -> bool:
    """The task to appeal is closed when its time ends or a person accepts it: as long as it is open, so is the case."""
    return bool(
        bulk.fetch(
            """SELECT FROM stores_task WHERE kind = 'violation_to_appeal' AND thing_kind = 'violation' AND thing = %s
               AND closed_at IS NULL""",
            (violation.pk,),
        )
    )


class OnHold(NamedTuple):
    """Why data of an order must stay: an open case of `kind` with this reference."""

    kind: str
    id: int
    reference: str


def orders_on_hold(
    *, order_ids: Iterable[int] | None = None, store_ids: Iterable[int] | None = None
) -> dict[int, list[OnHold]]:
    """Orders whose data are evidence in an open case and must not be erased: order → why. Neither given = all orders.

    Violations count until they are lifted or have expired, since they may still be appealed or cost money; complaints
    and infringement cases until they have an outcome.
    """
    found: dict[int, list[OnHold]] = {}
    for order, kind, case, reference in bulk.fetch(
        """SELECT order_id, kind, id, reference FROM (
               SELECT l.order_id, 'violation' AS kind, v.id, v.reference, v.store_id FROM cases_violationorder l
               JOIN cases_violation v ON v.id = l.violation_id WHERE v.state = ANY(%(violations)s::text[])
               UNION ALL
               SELECT order_id, 'complaint', id, reference, store_id FROM cases_complaint
               WHERE order_id IS NOT NULL AND state = ANY(%(complaints)s::text[])
               UNION ALL
               SELECT l.order_id, 'infringement', i.id, i.reference, i.store_id FROM cases_infringement i
               JOIN orders_orderline l ON l.listing_id = i.listing_id WHERE i.state = ANY(%(infringements)s::text[])
           ) AS held
           WHERE (%(any_order)s OR order_id = ANY(%(orders)s::bigint[])) AND (%(any_store)s OR store_id = ANY(%(stores)s::bigint[]))
           GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3""",
        {
            "violations": list(OPEN_VIOLATION), "complaints": list(OPEN_COMPLAINT),
            "infringements": list(OPEN_INFRINGEMENT), "any_order": order_ids is None, "orders": list(order_ids or ()),
            "any_store": store_ids is None, "stores": list(store_ids or ()),
        },
    ):  # fmt: skip
        found.setdefault(order, []).append(OnHold(kind, case, reference))
    return found


class Counts(NamedTuple):
    """How many of each stand open in a scope, for the figures over lists."""

    violations: int
    complaints: int
    infringements: int
    ending: int


def counts(scope: Sequence[int], *, at: datetime) -> Counts:
    """Open violations, complaints and infringement cases, and licences that have ended or end within the reminder."""
    return Counts(
        *bulk.fetch(
            """SELECT (SELECT count(*) FROM cases_violation WHERE store_id = ANY(%(scope)s::bigint[]) AND state IN ('active', 'appealed')),
                      (SELECT count(*) FROM cases_complaint WHERE store_id = ANY(%(scope)s::bigint[]) AND state IN ('open', 'escalated')),
                      (SELECT count(*) FROM cases_infringement WHERE store_id = ANY(%(scope)s::bigint[])
                              AND state NOT IN ('restored', 'upheld', 'conceded', 'retracted')),
                      (SELECT count(*) FROM cases_qualification WHERE store_id = ANY(%(scope)s::bigint[]) AND withdrawn_on IS NULL
                              AND valid_until <= (%(at)s::timestamptz)::date + %(days)s::int)""",
            {"scope": list(scope), "at": at, "days": rules.REMIND_DAYS},
        )[0]
    )


def licence_words(kinds: Iterable[str]) -> str:
    """Names of licences, any of which will do, in the reader's language."""
    return " / ".join(word(QUALIFICATIONS, kind) for kind in kinds)
