"""Everything that may be written to the books. One path for all entries: `post_entries`; nothing is ever edited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pghistory
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop as N_

from daifa.domain.books import queries, rules
from daifa.domain.books.models import BookLock, SupplierPayment
from daifa.domain.books.rules import Leg
from daifa.domain.stores.models import Store
from daifa.lib import bulk
from daifa.lib.money import is_currency, rounded
from daifa.lib.refusal import Refused, RowRefused
from daifa.lib.sentences import gettext as _
from daifa.lib.sentences import joined, kept

LARGEST = Decimal(10) ** 13
LONGEST_NOTE, LONGEST_KEY = 200, 80
FOR_GOOD = date(9999, 12, 31)
LOCKED_FOR_GOOD = N_(
    "The books of this store are locked for good. To enter this, first undo the step “Books locked” of its closing; "
    "once the store is archived only a readmission opens them; a refund that comes later is booked on the page of its life."
)


@dataclass(slots=True)
class NewEntry:
    """An entry to be posted. `legs` = (account code, currency, amount), debit positive; `at` decides its month.

    An entry without legs is left out, unless `even_if_empty`: then the fact counts as posted and is worth nothing.
    """

    store_id: int
    fact: str
    fact_id: int
    at: datetime
    legs: Sequence[Leg]
    order_id: int | None = None
    supplier_id: int | None = None
    memo: str = ""
    reversal_of: int | None = None
    even_if_empty: bool = False


@dataclass(slots=True)
class Posted:
    """(fact, fact id) → entry id of what was written now; what had been posted before; what came to nothing."""

    posted: dict[tuple[str, int], int] = field(default_factory=dict)
    already: list[tuple[str, int]] = field(default_factory=list)
    empty: list[tuple[str, int]] = field(default_factory=list)


def account_ids() -> dict[str, int]:
    """Account code → id."""
    return dict(bulk.fetch("SELECT code, id FROM books_account"))


def ensure_accounts() -> None:
    """Add accounts of the chart that are missing; runs after each migration (and after a test has emptied the tables)."""
    bulk.execute(
        """INSERT INTO books_account (code, kind, name, name_zh)
           SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) ON CONFLICT (code) DO NOTHING""",
        (list(rules.CHART), *(list(column) for column in zip(*rules.CHART.values(), strict=True))),
    )


def post_entries(entries: Iterable[NewEntry], *, by: str, at: datetime | None = None) -> Posted:
    """Write balanced entries, all or none; facts that were posted before are left alone.

    Amounts are rounded to the minor unit and legs of zero dropped. The database refuses an entry that does not
    balance per currency. With `at`, the moment of posting, a fact of a day up to which the books are locked, but which
    was heard of later, is dated on the first open day, and its memo says when it happened; else it is refused.
    """
    result = Posted()
    wanted: dict[tuple[str, int], tuple[NewEntry, list[Leg]]] = {}
    for entry in entries:
        legs = [
            (code, currency, amount)
            for code, currency, exact in entry.legs
            if (amount := rounded(exact, currency))
        ]
        if legs or entry.even_if_empty:
            wanted.setdefault((entry.fact, entry.fact_id), (entry, legs))
        else:
            result.empty.append((entry.fact, entry.fact_id))
    if not wanted:
        return result
    with transaction.atomic(savepoint=False):
        for key in queries.posted_facts(wanted):
            del wanted[key]
            result.already.append(key)
        accounts, locks = _accounts_and_locks()
        if at is not None and locks:
            _date_late_facts([entry for entry, _ in wanted.values()], locks, at)
        ids = _write_entries(
            [
                (
                    entry.store_id, entry.fact, entry.fact_id, entry.at, entry.order_id, entry.supplier_id,
                    kept(entry.memo, 200), entry.reversal_of, by,
                )
                for entry, _ in wanted.values()
            ],
        )  # fmt: skip
        postings = []
        for entry_id, (key, (_, legs)) in zip(ids, wanted.items(), strict=True):
            result.posted[key] = entry_id
            postings += [
                (entry_id, number, accounts[code], currency, amount)
                for number, (code, currency, amount) in enumerate(legs, 1)
            ]
        bulk.copy_rows("books_posting", ("entry_id", "line_no", "account_id", "currency", "amount"), postings)
    return result


def _accounts_and_locks() -> tuple[dict[str, int], dict[int, date]]:
    """Account code → id, store → the day its books are locked up to: one question, asked for each batch of the loop."""
    rows = bulk.fetch(
        """SELECT code, id, NULL::date FROM books_account
           UNION ALL SELECT NULL, store_id, locked_until FROM books_booklock"""
    )
    return {row[0]: row[1] for row in rows if row[2] is None}, {row[1]: row[2] for row in rows if row[2] is not None}


def _date_late_facts(entries: Sequence[NewEntry], locks: Mapping[int, date], at: datetime) -> None:
    """Facts of locked days go to the first open day, unless that is still to come."""
    zones = {store.pk: ZoneInfo(store.timezone) for store in _stores(e.store_id for e in entries if e.store_id in locks).values()}
    for entry in entries:
        locked = locks.get(entry.store_id)
        if locked is None or locked == FOR_GOOD:
            continue
        zone = zones[entry.store_id]
        happened = entry.at.astimezone(zone).date()
        first = datetime.combine(locked + timedelta(days=1), time(0), zone)
        if happened <= locked and first <= at:
            entry.at = first
            entry.memo = joined(" · ", filter(None, [entry.memo, str(happened)]))


def _write_entries(rows: list[tuple[Any, ...]]) -> list[int]:
    try:
        return bulk.write_rows("books_entry", _ENTRY_COLUMNS, rows)
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") != "books_locked":
            raise
        for_good = str(FOR_GOOD) in str(error)
        sentence = _("The books of this store are locked: nothing is posted up to the day they were locked to.")
        raise Refused(_(LOCKED_FOR_GOOD) if for_good else sentence, code="books_locked") from error


_ENTRY_COLUMNS = (
    "store_id", "fact", "fact_id", "at", "order_id", "supplier_id", "memo", "reversal_of_id", "by",
)  # fmt: skip


def reverse_entry(*, entry_id: int, by: str, at: datetime, reason: str) -> int:
    """Post the exact opposite of an entry, with the reason as memo; returns the new entry's id.

    Refuses an entry that is not there, was reversed before, or is a reversal itself.
    """
    with transaction.atomic():
        found = bulk.fetch(
            """SELECT e.store_id, e.fact, e.order_id, e.supplier_id, r.id FROM books_entry e
               LEFT JOIN books_entry r ON r.reversal_of_id = e.id WHERE e.id = %s""",
            (entry_id,),
        )
        if not found:
            raise Refused(_("There is no entry %(id)s.") % {"id": entry_id}, code="not_found")
        store_id, fact, order_id, supplier_id, reversed_by = found[0]
        if reversed_by is not None:
            sentence = _("Entry %(id)s was already reversed by entry %(other)s.")
            raise Refused(sentence % {"id": entry_id, "other": reversed_by}, code="already_reversed")
        if fact == "reversal":
            sentence = _(
                "Entry %(id)s is itself a reversal. Enter again what should stand instead of reversing it."
            )
            raise Refused(sentence % {"id": entry_id}, code="is_reversal")
        if not reason.strip():
            raise Refused(
                _("A reversal needs a reason: say what was wrong."), code="reason_missing", field="reason"
            )
        legs = bulk.fetch(
            """SELECT a.code, p.currency, p.amount FROM books_posting p JOIN books_account a ON a.id = p.account_id
               WHERE p.entry_id = %s ORDER BY p.line_no""",
            (entry_id,),
        )
        entry = NewEntry(
            store_id, "reversal", entry_id, at, rules.reversed_legs(legs), order_id, supplier_id,
            memo=reason.strip(), reversal_of=entry_id, even_if_empty=True,
        )  # fmt: skip
        posted = post_entries([entry], by=by).posted
        return posted["reversal", entry_id]


# --- Expenses and supplier payments -------------------------------------------------------------------------------


class NewExpense(NamedTuple):
    """`key` makes repeats harmless: the same key is taken once, whatever else it says. `row` for lists from files."""

    store_id: int
    kind: str  # advertising, platform, tools, samples, other
    amount: Decimal
    currency: str
    date: date
    note: str
    key: str
    row: int = 0


class NewPayment(NamedTuple):
    """Money paid to a supplier, in the currency in which he is owed; `key` as in `NewExpense`.

    `kind`: paid, received (money back from him), credited (a credit note: he charges less), taken_back (one for goods that
    were never handed over).
    """

    store_id: int
    supplier_id: int
    amount: Decimal
    currency: str
    date: date
    note: str
    key: str
    row: int = 0
    kind: str = "paid"


@dataclass(slots=True)
class Written:
    """Ids by key of what was written now, keys that had been taken before, and the rows refused."""

    added: dict[str, int] = field(default_factory=dict)
    already: list[str] = field(default_factory=list)
    refused: list[RowRefused] = field(default_factory=list)


@transaction.atomic
def add_expenses(expenses: Sequence[NewExpense], *, by: str, at: datetime) -> Written:
    """Store expenses and post them on their day, in the store's currency at that day's rate."""
    result = Written()
    stores = _stores(e.store_id for e in expenses)
    kinds = rules.EXPENSE_ACCOUNTS
    usable: dict[str, tuple[NewExpense, Decimal]] = {}
    for wanted in expenses:
        problem: RowRefused | Decimal
        if wanted.kind not in kinds:
            problem = RowRefused(
                wanted.row,
                wanted.key,
                "unknown_kind",
                N_("%(kind)s is no kind of expense; use one of %(kinds)s."),
                {"kind": wanted.kind or "?", "kinds": ", ".join(kinds)},
            )
        else:
            problem = _checked(wanted, stores, at)
        if isinstance(problem, RowRefused):
            result.refused.append(problem)
        elif wanted.key in usable:
            result.already.append(wanted.key)
        else:
            usable[wanted.key] = (wanted, problem)
    added = _insert(
        "books_expense",
        ("store_id", "kind", "amount", "currency", "date", "note", "key", "by"),
        [
            (e.store_id, e.kind, e.amount, e.currency, e.date, e.note[:LONGEST_NOTE], e.key, by)
            for e, _rate in usable.values()
        ],
    )
    result.added = added
    result.already += [key for key in usable if key not in added]
    entries = []
    for key, expense_id in added.items():
        wanted, rate = usable[key]
        store = stores[wanted.store_id]
        entries.append(
            NewEntry(
                store.pk,
                "expense",
                expense_id,
                _on_day(wanted.date, store, at),
                rules.expense(wanted.kind, wanted.amount, wanted.currency, store.currency, rate),
                memo=_memo(wanted, rate, store.currency),
            )
        )
    post_entries(entries, by=by)
    return result


@transaction.atomic
def pay_suppliers(payments: Sequence[NewPayment], *, by: str, at: datetime) -> Written:
    """Store payments to suppliers, money back from them and their credit notes, and post them on their day.

    Another currency than the store's is bought (or sold) at the day's rate; the difference to the rates frozen on the
    purchases goes to exchange differences. Paying more than is owed is paying ahead, and allowed.
    """
    result = Written()
    stores = _stores(p.store_id for p in payments)
    usable: dict[str, tuple[NewPayment, Decimal]] = {}
    for wanted in payments:
        problem = _checked(wanted, stores, at)
        if wanted.kind not in dict(SupplierPayment.KINDS):
            problem = RowRefused(
                wanted.row, wanted.key, "unknown_kind", N_("%(kind)s moves no balance of a supplier; use one of %(kinds)s."),
                {"kind": wanted.kind or "?", "kinds": ", ".join(dict(SupplierPayment.KINDS))},
            )  # fmt: skip
        if isinstance(problem, RowRefused):
            result.refused.append(problem)
        elif wanted.key in usable:
            result.already.append(wanted.key)
        else:
            usable[wanted.key] = (wanted, problem)
    # Two payments at once would both close the same open amount.
    bulk.execute("SELECT pg_advisory_xact_lock(hashtext('pay_suppliers'))")
    added = _insert(
        "books_supplierpayment",
        ("store_id", "supplier_id", "kind", "amount", "currency", "date", "note", "key", "by"),
        [
            (p.store_id, p.supplier_id, p.kind, p.amount, p.currency, p.date, p.note[:LONGEST_NOTE], p.key, by)
            for p, _rate in usable.values()
        ],
    )
    result.added = added
    result.already += [key for key in usable if key not in added]
    foreign = {
        (wanted.store_id, wanted.supplier_id)
        for wanted, _rate in usable.values()
        if wanted.currency != stores[wanted.store_id].currency
    }
    open_ = queries.open_in_exchange(foreign)
    entries = []
    for key, payment_id in sorted(added.items(), key=lambda item: (usable[item[0]][0].date, item[1])):
        wanted, rate = usable[key]
        store = stores[wanted.store_id]
        home, place = store.currency, (wanted.store_id, wanted.supplier_id)
        legs = rules.supplier_moved(
            wanted.kind, wanted.amount, wanted.currency, home, rate,
            open_amount=open_.get((*place, wanted.currency, wanted.currency), rules.NOTHING),
            open_value=-open_.get((*place, wanted.currency, home), rules.NOTHING),
        )  # fmt: skip
        if wanted.currency != home:
            for code, currency, amount in legs:
                if code == rules.EXCHANGE:
                    spot = (*place, wanted.currency, currency)
                    open_[spot] = open_.get(spot, rules.NOTHING) + amount
        entries.append(
            NewEntry(
                store.pk,
                "supplier_paid",
                payment_id,
                _on_day(wanted.date, store, at),
                legs,
                supplier_id=wanted.supplier_id,
                memo=joined(" · ", filter(None, [_KIND_MEMOS[wanted.kind] and _(_KIND_MEMOS[wanted.kind]), _memo(wanted, rate, home)])),
            )
        )
    post_entries(entries, by=by)
    return result


_KIND_MEMOS = {"paid": "", "received": N_("money back"), "credited": N_("credit note"), "taken_back": N_("credit note, goods taken back")}


def import_expenses(records: Iterable[Any], *, store: Store, source: str, by: str, at: datetime) -> Written:
    """Expenses from a file. A record has `row`, `date`, `kind`, `amount`, `currency` ("" = the store's) and `note`.

    The same line (day, kind, amount, currency, note) in the same or a later file is one expense, unless the file
    itself holds it several times: then as often as the fullest file has it. `source` stands in nothing but refusals.
    """
    seen: dict[str, int] = {}
    wanted = []
    for record in records:
        currency = (record.currency or store.currency).strip().upper()
        note = " ".join((record.note or "").split())[:LONGEST_NOTE]
        kind = kind_of_expense(record.kind)
        line = f"{store.pk}|{record.date}|{kind}|{record.amount}|{currency}|{note}"
        seen[line] = seen.get(line, 0) + 1
        key = f"file:{_digest(line)}:{seen[line]}"
        wanted.append(NewExpense(store.pk, kind, record.amount, currency, record.date, note, key, record.row))
    written = add_expenses(wanted, by=by, at=at)
    written.refused = [
        RowRefused(each.row, source, each.code, each.message, each.params) for each in written.refused
    ]
    return written


_KIND_WORDS = {
    "advertising": (
        "advertising", "ads", "ad", "marketing", "ad spend", "广告", "广告费", "推广", "推广费", "投流", "营销",
    ),
    "platform": (
        "platform", "platform fee", "platform fees", "fee", "fees", "payment fee", "payment fees", "commission",
        "平台", "平台费", "佣金", "手续费", "支付手续费", "技术服务费",
    ),
    "tools": ("tools", "tool", "software", "subscription", "subscriptions", "app", "apps", "工具", "软件", "订阅", "工具费"),
    "samples": ("samples", "sample", "test order", "test orders", "样品", "样品费", "打样", "试购"),
    "other": ("other", "others", "misc", "miscellaneous", "sundry", "其他", "其它", "杂费"),
}  # fmt: skip
_KINDS = {word: kind for kind, words in _KIND_WORDS.items() for word in words}


def kind_of_expense(word: str) -> str:
    """Our kind for a word people write in such files (English or Chinese); the word itself where it is unknown."""
    plain = " ".join((word or "").split()).casefold()
    return _KINDS.get(plain, plain)


# --- Exchange rates -----------------------------------------------------------------------------------------------


class NewRate(NamedTuple):
    """Units of `quote` for one unit of `base`, from `date` until the next rate of the pair."""

    date: date
    base: str
    quote: str
    rate: Decimal
    row: int = 0


@transaction.atomic
def set_fx_rates(rates: Sequence[NewRate], *, by: str, at: datetime) -> Written:
    """Enter the merchant's own rates; a second one for the same day and pair replaces the first.

    Documents keep the rate they were frozen with.
    """
    result = Written()
    usable: dict[tuple[date, str, str], NewRate] = {}
    for wanted in rates:
        document = f"{wanted.base}/{wanted.quote}"
        strange = [code for code in (wanted.base, wanted.quote) if not is_currency(code)]
        if strange:
            message = N_("%(currency)s is no currency; use its three letters, as in USD.")
            result.refused.append(
                RowRefused(wanted.row, document, "unknown_currency", message, {"currency": strange[0] or "?"})
            )
        elif wanted.base == wanted.quote:
            message = N_("A rate needs two different currencies.")
            result.refused.append(RowRefused(wanted.row, document, "same_currency", message))
        elif not wanted.rate.is_finite() or not Decimal("0.00000001") <= wanted.rate < Decimal(10) ** 10:
            message = N_("The rate %(rate)s cannot be right: it must be above zero.")
            result.refused.append(
                RowRefused(wanted.row, document, "rate_not_positive", message, {"rate": str(wanted.rate)})
            )
        else:
            usable[wanted.date, wanted.base, wanted.quote] = wanted
    if usable:
        values = list(usable.values())
        for rate_id, base, quote in bulk.fetch(
            """INSERT INTO books_fxrate (date, base, quote, rate, source, by)
               SELECT d, b, q, r, 'hand', %s
               FROM unnest(%s::date[], %s::text[], %s::text[], %s::numeric[]) AS x(d, b, q, r)
               ON CONFLICT (date, base, quote, source) DO UPDATE SET rate = excluded.rate, by = excluded.by
               RETURNING id, base, quote""",
            (by, [r.date for r in values], [r.base for r in values], [r.quote for r in values], [r.rate for r in values]),
        ):  # fmt: skip
            result.added[f"{base}/{quote}"] = rate_id
    return result


# --- Locking ------------------------------------------------------------------------------------------------------


@transaction.atomic
def lock_books(*, store_id: int, until: date, reason: str, by: str, at: datetime) -> None:
    """Nothing is posted to this store up to `until` (inclusive; `FOR_GOOD` = never again). A lock only moves forward.

    Raises `Refused`.
    """
    held = queries.locked_until([store_id]).get(store_id)
    if held is not None and until < held:
        sentence = _("The books are locked up to %(date)s already; unlock them first.")
        if held == FOR_GOOD:
            sentence = _("The books are locked for good already; unlock them first.")
        raise Refused(sentence % {"date": held}, code="locked_further")
    if not reason.strip():
        raise Refused(_("A lock needs a reason."), code="reason_missing", field="reason")
    with pghistory.context(by=by):
        BookLock.objects.update_or_create(
            store_id=store_id, defaults={"locked_until": until, "reason": reason.strip()[:200], "by": by, "at": at}
        )


@transaction.atomic
def unlock_books(*, store_id: int, until: date | None, reason: str, by: str, at: datetime) -> None:
    """Take the lock back to an earlier day; None takes it away. Raises `Refused`."""
    if not reason.strip():
        raise Refused(_("Unlocking books needs a reason."), code="reason_missing", field="reason")
    with pghistory.context(by=by):
        if until is None:
            BookLock.objects.filter(store_id=store_id).delete()
        else:
            BookLock.objects.filter(store_id=store_id).update(
                locked_until=until, reason=reason.strip()[:200], by=by, at=at
            )


# --- Inside -------------------------------------------------------------------------------------------------------


def _stores(ids: Iterable[int]) -> dict[int, Store]:
    return Store.objects.in_bulk(set(ids))


def _checked(wanted: NewExpense | NewPayment, stores: dict[int, Store], at: datetime) -> RowRefused | Decimal:
    """Why this one cannot be taken, or the rate from its currency to the store's."""

    def refused(code: str, message: str, **params: Any) -> RowRefused:
        return RowRefused(wanted.row, wanted.key, code, message, params)

    store = stores.get(wanted.store_id)
    if store is None:
        return refused("no_store", N_("There is no such store."))
    if not wanted.key or len(wanted.key) > LONGEST_KEY:
        return refused("key_missing", N_("It needs a key of its own, at most 80 characters long."))
    if not is_currency(wanted.currency):
        return refused(
            "unknown_currency", N_("%(currency)s is no currency; use its three letters, as in USD."),
            currency=wanted.currency or "?",
        )  # fmt: skip
    try:
        amount = rounded(wanted.amount, wanted.currency)
    except InvalidOperation:
        amount = LARGEST
    if not amount.is_finite():
        amount = LARGEST
    if amount <= 0:
        return refused(
            "amount_not_positive", N_("The amount %(amount)s is not above zero."), amount=str(wanted.amount)
        )
    if amount >= LARGEST:
        return refused(
            "amount_too_large", N_("The amount %(amount)s cannot be right."), amount=str(wanted.amount)
        )
    if amount != wanted.amount:
        return refused(
            "amount_too_fine", N_("The amount %(amount)s has more decimals than %(currency)s has."),
            amount=str(wanted.amount), currency=wanted.currency,
        )  # fmt: skip
    if wanted.date > at.astimezone(ZoneInfo(store.timezone)).date():
        return refused(
            "date_in_future",
            N_("%(date)s lies ahead; enter it on the day it happens."),
            date=str(wanted.date),
        )
    locked = queries.locked_until([store.pk]).get(store.pk)
    if locked == FOR_GOOD:
        return refused("books_locked", LOCKED_FOR_GOOD)
    if locked is not None and wanted.date <= locked:
        return refused(
            "books_locked", N_("The books of this store are locked up to %(date)s: nothing is posted there any more."),
            date=str(locked),
        )  # fmt: skip
    if wanted.date.year < 1990:
        return refused(
            "date_too_early", N_("%(date)s cannot be right; check the year."), date=str(wanted.date)
        )
    rate = queries.rate_on(wanted.currency, store.currency, wanted.date)
    if rate is None:
        return refused(
            "exchange_rate_missing",
            N_("There is no exchange rate from %(base)s to %(quote)s on %(date)s; enter one and try again."),
            base=wanted.currency, quote=store.currency, date=str(wanted.date),
        )  # fmt: skip
    return rate.rate


def _insert(table: str, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> dict[str, int]:
    """Write rows whose `key` is not taken yet: key → id. Safe against another hand doing the same now."""
    if not rows:
        return {}
    one = "(" + ", ".join(["%s"] * len(columns)) + ")"
    found: dict[str, int] = {}
    for start in range(0, len(rows), 1000):
        chunk = rows[start : start + 1000]
        found |= dict(
            bulk.fetch(
                f"""INSERT INTO {table} ({", ".join(columns)}) VALUES {", ".join([one] * len(chunk))}
                    ON CONFLICT (key) DO NOTHING RETURNING key, id""",
                [value for row in chunk for value in row],
            )
        )
    return found


def _on_day(day: date, store: Store, at: datetime) -> datetime:
    """Noon of that day where the store is, but not ahead of now: an entry never lies in the future."""
    noon = datetime.combine(day, time(12), ZoneInfo(store.timezone))
    return min(noon, at)


def _memo(wanted: NewExpense | NewPayment, rate: Decimal, home: str) -> str:
    if wanted.currency == home:
        return wanted.note
    return " · ".join(filter(None, [wanted.note, f"{wanted.amount} {wanted.currency} @ {rate} {home}"]))


def _digest(text: str) -> str:
    from hashlib import blake2b

    return blake2b(text.encode(), digest_size=12).hexdigest()
