"""What the books say: balances, profit and loss, profit per order, what suppliers are owed, exchange rates, export.

Every query takes a scope, the ids of the stores its reader may see, as its first argument. Months and days are those
of each store's own time zone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from daifa.domain.books import rules
from daifa.domain.books.models import Account, Expense, SupplierPayment
from daifa.domain.books.rules import NOTHING
from daifa.lib import bulk
from daifa.lib.money import rounded
from daifa.lib.sentences import told

# --- Exchange rates -----------------------------------------------------------------------------------------------


class Rate(NamedTuple):
    """Units of the target currency for one of the source; the day the rate is of; hand, ecb, or "" for one currency."""

    rate: Decimal
    date: date | None
    source: str


_EIGHT = Decimal("0.00000001")
_GAP = timedelta(days=10)  # the longest stretch without published rates is a holiday week


def rate_on(base: str, quote: str, day: date) -> Rate | None:
    """The rate that counts on `day`: the merchant's newest own one up to then, else the published one of the nearest
    earlier day, else None.

    Published are the European Central Bank's reference rates up to the release of the installed package; its last day
    serves until a newer release is installed, a currency that is no longer published does not.
    """
    if base == quote:
        return Rate(Decimal(1), None, "")
    own = bulk.fetch(
        """SELECT rate, date, base FROM books_fxrate
           WHERE source = 'hand' AND date <= %s AND ((base = %s AND quote = %s) OR (base = %s AND quote = %s))
           ORDER BY date DESC, (base = %s) DESC LIMIT 1""",
        (day, base, quote, quote, base, base),
    )
    if own:
        rate, of_day, as_base = own[0]
        return Rate(rate if as_base == base else _inverse(rate), of_day, "hand")
    return _published(base, quote, day)


def _inverse(rate: Decimal) -> Decimal:
    return (1 / rate).quantize(_EIGHT, rounding=ROUND_HALF_UP)


@lru_cache(maxsize=1)
def _converter() -> Any:
    from currency_converter import CurrencyConverter

    return CurrencyConverter(decimal=True)


@lru_cache(maxsize=4096)
def _published(base: str, quote: str, day: date) -> Rate | None:
    from currency_converter import RateNotFoundError

    converter = _converter()
    if base not in converter.currencies or quote not in converter.currencies:
        return None
    start = min(day, converter.bounds[converter.ref_currency].last_date)
    for back in range(_GAP.days + 1):
        tried = start - timedelta(days=back)
        try:
            rate = converter.convert(Decimal(1), base, quote, tried)
        except RateNotFoundError:
            continue
        return Rate(rate.quantize(_EIGHT, rounding=ROUND_HALF_UP), tried, "ecb")
    return None


def open_in_exchange(suppliers: Collection[tuple[int, int]]) -> dict[tuple[int, int, str, str], Decimal]:
    """What stands in the exchange account for (store, supplier): by foreign currency and currency of the leg.

    {(store, supplier, "CNY", "CNY"): 100, (store, supplier, "CNY", "GBP"): −11}: 100 CNY owed, booked as 11 GBP.
    """
    if not suppliers:
        return {}
    rows = bulk.fetch(
        """SELECT e.store_id, e.supplier_id, f.currency, sum(f.amount), coalesce(sum(h.amount), 0), s.currency
           FROM books_entry e JOIN stores_store s ON s.id = e.store_id
           JOIN books_posting f ON f.entry_id = e.id AND f.currency <> s.currency
                AND f.account_id = (SELECT id FROM books_account WHERE code = %s)
           LEFT JOIN books_posting h ON h.entry_id = e.id AND h.currency = s.currency AND h.account_id = f.account_id
           WHERE e.fact IN ('purchase_accepted', 'supplier_paid', 'reversal')
             AND e.store_id = ANY(%s::bigint[]) AND e.supplier_id = ANY(%s::bigint[])
           GROUP BY 1, 2, 3, 6""",
        (rules.EXCHANGE, [store for store, _ in suppliers], [supplier for _, supplier in suppliers]),
    )
    result = {}
    for store, supplier, currency, amount, value, home in rows:
        result[store, supplier, currency, currency] = amount
        result[store, supplier, currency, home] = value
    return result


# --- Balances -----------------------------------------------------------------------------------------------------


class Balance(NamedTuple):
    """An account's balance in one currency: debit positive."""

    code: str
    name: str
    name_zh: str
    kind: str
    currency: str
    amount: Decimal


@dataclass(slots=True)
class TrialBalance:
    """All balances, by account and currency; per currency what debits and credits come to."""

    rows: list[Balance] = field(default_factory=list)
    debits: dict[str, Decimal] = field(default_factory=dict)
    credits: dict[str, Decimal] = field(default_factory=dict)

    @property
    def off(self) -> dict[str, Decimal]:
        """Currencies whose balances do not sum to zero, and by how much: always empty, or something is broken."""
        return {
            currency: off
            for currency in self.debits
            if (off := self.debits[currency] - self.credits[currency])
        }


def trial_balance(scope: Sequence[int], at: datetime | None = None) -> TrialBalance:
    """Balances of all accounts of these stores, of everything dated up to `at` (None: everything)."""
    result = TrialBalance()
    rows = bulk.fetch(
        """SELECT a.code, a.name, a.name_zh, a.kind, b.currency, b.amount FROM (
               SELECT p.account_id, p.currency, sum(p.amount) AS amount
               FROM books_entry e JOIN books_posting p ON p.entry_id = e.id
               WHERE e.store_id = ANY(%s::bigint[]) AND (%s::timestamptz IS NULL OR e.at <= %s)
               GROUP BY 1, 2
           ) b JOIN books_account a ON a.id = b.account_id ORDER BY a.code, b.currency""",
        (list(scope), at, at),
    )
    for row in rows:
        balance = Balance(*row[:5], _trimmed(row[5], row[4]))
        result.debits.setdefault(balance.currency, NOTHING)
        result.credits.setdefault(balance.currency, NOTHING)
        if balance.amount > 0:
            result.debits[balance.currency] += balance.amount
        else:
            result.credits[balance.currency] -= balance.amount
        if balance.amount:
            result.rows.append(balance)
    return result


def balances_of_suppliers(scope: Sequence[int]) -> list[tuple[int, str, Decimal]]:
    """(supplier id, currency, what we owe him) of all suppliers not fully paid; negative = paid ahead."""
    rows = bulk.fetch(
        """SELECT e.supplier_id, p.currency, -sum(p.amount) FROM books_entry e
           JOIN books_posting p ON p.entry_id = e.id
                AND p.account_id = (SELECT id FROM books_account WHERE code = %s)
           WHERE e.store_id = ANY(%s::bigint[]) AND e.supplier_id IS NOT NULL
             AND e.fact IN ('purchase_accepted', 'supplier_paid', 'reversal')
           GROUP BY 1, 2 HAVING sum(p.amount) <> 0 ORDER BY 1, 2""",
        (rules.PAYABLE, list(scope)),
    )
    return [(supplier, currency, _trimmed(owed, currency)) for supplier, currency, owed in rows]


# --- Profit and loss ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Pnl:
    """Profit and loss of a month (its first day) in one currency.

    sales − refunds − goods and freight = gross; gross − advertising − platform and tools − other = net.
    `unconverted` lists (currency, net) of stores for whose currency there is no rate: not part of the figures.
    """

    month: date
    currency: str
    sales: Decimal = NOTHING
    refunds: Decimal = NOTHING
    goods: Decimal = NOTHING
    freight: Decimal = NOTHING
    advertising: Decimal = NOTHING
    platform_and_tools: Decimal = NOTHING
    other: Decimal = NOTHING
    unconverted: list[tuple[str, Decimal]] = field(default_factory=list)

    @property
    def goods_and_freight(self) -> Decimal:
        return self.goods + self.freight

    @property
    def gross(self) -> Decimal:
        return self.sales - self.refunds - self.goods_and_freight

    @property
    def costs(self) -> Decimal:
        """Everything below gross profit."""
        return self.advertising + self.platform_and_tools + self.other

    @property
    def net(self) -> Decimal:
        return self.gross - self.costs

    def share_of_sales(self, amount: Decimal) -> Decimal | None:
        """`amount` in percent of sales, one decimal; None without sales."""
        if self.sales <= 0:
            return None
        return (amount * 100 / self.sales).quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)


# Line of the statement and the sign with which a debit balance enters it.
_PLACE = {
    rules.SALES: ("sales", -1),
    rules.FREIGHT_CHARGED: ("sales", -1),
    rules.OTHER_INCOME: ("sales", -1),
    rules.COMMISSION: ("sales", -1),
    rules.REFUNDS: ("refunds", 1),
    rules.COST_OF_GOODS: ("goods", 1),
    rules.FREIGHT_PAID: ("freight", 1),
    rules.ADVERTISING: ("advertising", 1),
    rules.FEES: ("platform_and_tools", 1),
    rules.TOOLS: ("platform_and_tools", 1),
    rules.PENALTIES: ("other", 1),
    rules.SAMPLES: ("other", 1),
    rules.OTHER_COSTS: ("other", 1),
    rules.EXCHANGE_DIFFERENCES: ("other", 1),
}


def pnl(scope: Sequence[int], month: date, currency: str) -> Pnl:
    """Profit and loss of the month in which `month` lies, over these stores, in `currency`.

    Stores with another currency are converted at the rate of the month's last day.
    """
    return pnl_by_month(scope, currency, last=month, months=1)[0]


def pnl_by_month(scope: Sequence[int], currency: str, *, last: date, months: int = 12) -> list[Pnl]:
    """The same for `months` months up to that of `last`, oldest first, months without anything included."""
    ends = [_month_before(last.replace(day=1), back) for back in range(months - 1, -1, -1)]
    after = _month_before(ends[-1], -1)
    rows = bulk.fetch(
        """SELECT x.month, a.code, x.currency, x.amount FROM (
               SELECT date_trunc('month', e.at AT TIME ZONE s.timezone)::date AS month, p.account_id, p.currency,
                      sum(p.amount) AS amount
               FROM stores_store s
               JOIN books_entry e ON e.store_id = s.id AND e.at >= %s::timestamp AT TIME ZONE s.timezone
                                 AND e.at < %s::timestamp AT TIME ZONE s.timezone
               JOIN books_posting p ON p.entry_id = e.id
               WHERE s.id = ANY(%s::bigint[])
                 AND p.account_id = ANY(ARRAY(SELECT id FROM books_account WHERE code = ANY(%s::text[])))
               GROUP BY 1, 2, 3
           ) x JOIN books_account a ON a.id = x.account_id""",
        (ends[0], after, list(scope), list(_PLACE)),
    )
    found = {month: Pnl(month, currency) for month in ends}
    foreign: dict[tuple[date, str], dict[str, Decimal]] = {}
    for month, code, of_currency, amount in rows:
        line, sign = _PLACE[code]
        if of_currency == currency:
            statement = found[month]
            setattr(statement, line, getattr(statement, line) + sign * _trimmed(amount, currency))
        else:
            sums = foreign.setdefault((month, of_currency), {})
            sums[line] = sums.get(line, NOTHING) + sign * amount
    for (month, of_currency), sums in sorted(foreign.items()):
        statement = found[month]
        rate = rate_on(of_currency, currency, _month_before(month, -1) - timedelta(days=1))
        if rate is None:
            net = sum((amount if line == "sales" else -amount for line, amount in sums.items()), NOTHING)
            statement.unconverted.append((of_currency, _trimmed(net, of_currency)))
            continue
        for line, amount in sums.items():
            setattr(statement, line, getattr(statement, line) + rounded(amount * rate.rate, currency))
    return list(found.values())


def _month_before(first: date, months: int) -> date:
    number = first.year * 12 + first.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def months_with_entries(scope: Sequence[int]) -> tuple[date, date] | None:
    """First and last month in which these stores have entries; None without any."""
    rows = bulk.fetch(
        """SELECT min(f.at AT TIME ZONE s.timezone)::date, max(l.at AT TIME ZONE s.timezone)::date FROM stores_store s
           CROSS JOIN LATERAL (SELECT at FROM books_entry WHERE store_id = s.id ORDER BY at LIMIT 1) f
           CROSS JOIN LATERAL (SELECT at FROM books_entry WHERE store_id = s.id ORDER BY at DESC LIMIT 1) l
           WHERE s.id = ANY(%s::bigint[])""",
        (list(scope),),
    )
    first, last = rows[0]
    return None if first is None else (first.replace(day=1), last.replace(day=1))


def currency_of(scope: Sequence[int]) -> str:
    """The currency to show these stores in: that of most of them; the first in the alphabet on a tie."""
    rows = bulk.fetch(
        """SELECT currency FROM stores_store WHERE id = ANY(%s::bigint[])
           GROUP BY currency ORDER BY count(*) DESC, currency LIMIT 1""",
        (list(scope),),
    )
    return rows[0][0] if rows else ""


# --- Locks ---------------------------------------------------------------------------------------------------------


def locked_until(scope: Sequence[int]) -> dict[int, date]:
    """Store → the day up to which (inclusive, in its time zone) nothing is posted any more; unlocked stores are not in it."""
    return dict(
        bulk.fetch("SELECT store_id, locked_until FROM books_booklock WHERE store_id = ANY(%s::bigint[])", (list(scope),))
    )


# --- Facts ---------------------------------------------------------------------------------------------------------


def posted_facts(keys: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Those of the (fact, fact id) that have an entry. One index probe each, whatever the planner knows of the table."""
    wanted = list(keys)
    if not wanted:
        return []
    return bulk.fetch(
        """SELECT w.fact, w.id FROM unnest(%s::text[], %s::bigint[]) AS w(fact, id) CROSS JOIN LATERAL (
               SELECT 1 FROM books_entry WHERE fact = w.fact AND fact_id = w.id OFFSET 0
           ) e""",
        ([fact for fact, _ in wanted], [fact_id for _, fact_id in wanted]),
    )


# --- Per order ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class OrderProfit:
    """What an order has earned so far, in its store's currency; `deferred` and `goods_bought` are still to come."""

    currency: str
    sales: Decimal = NOTHING
    refunds: Decimal = NOTHING
    goods: Decimal = NOTHING
    freight: Decimal = NOTHING
    fees: Decimal = NOTHING
    deferred: Decimal = NOTHING  # paid by the buyer, not yet handed over
    goods_bought: Decimal = NOTHING  # accepted by suppliers, not yet handed over

    @property
    def profit(self) -> Decimal:
        """Earned so far: fees count from the payment on, income and cost from the hand-over on."""
        return self.sales - self.refunds - self.goods - self.freight - self.fees

    @property
    def expected(self) -> Decimal:
        """Once all that was paid for and bought has been handed over."""
        return self.profit + self.deferred - self.goods_bought


_ORDER_PLACE = {
    rules.SALES: ("sales", -1),
    rules.FREIGHT_CHARGED: ("sales", -1),
    rules.OTHER_INCOME: ("sales", -1),
    rules.REFUNDS: ("refunds", 1),
    rules.COST_OF_GOODS: ("goods", 1),
    rules.FREIGHT_PAID: ("freight", 1),
    rules.FEES: ("fees", 1),
    rules.DEFERRED: ("deferred", -1),
    rules.GOODS_BOUGHT: ("goods_bought", 1),
}


def profit_of_orders(scope: Sequence[int], order_ids: Sequence[int]) -> dict[int, OrderProfit]:
    """Profit of those of the orders that have entries and lie in the scope."""
    rows = bulk.fetch(
        """SELECT e.order_id, a.code, s.currency, sum(p.amount) FROM books_entry e
           JOIN stores_store s ON s.id = e.store_id
           JOIN books_posting p ON p.entry_id = e.id AND p.currency = s.currency
           JOIN books_account a ON a.id = p.account_id
           WHERE e.order_id = ANY(%s::bigint[]) AND e.store_id = ANY(%s::bigint[])
           GROUP BY 1, 2, 3""",
        (list(order_ids), list(scope)),
    )
    result: dict[int, OrderProfit] = {}
    for order_id, code, currency, amount in rows:
        profit = result.setdefault(order_id, OrderProfit(currency))
        if code in _ORDER_PLACE:
            line, sign = _ORDER_PLACE[code]
            setattr(profit, line, getattr(profit, line) + sign * _trimmed(amount, currency))
    return result


class EntryLine(NamedTuple):
    """A leg with its entry, for a journal or a timeline."""

    entry_id: int
    store_id: int
    at: datetime
    fact: str
    fact_id: int
    order_id: int | None
    supplier_id: int | None
    memo: str
    by: str
    reversal_of: int | None
    code: str
    name: str
    name_zh: str
    currency: str
    amount: Decimal


_JOURNAL = """SELECT e.id, e.store_id, e.at, e.fact, e.fact_id, e.order_id, e.supplier_id, e.memo, e.by,
                     e.reversal_of_id, a.code, a.name, a.name_zh, p.currency, p.amount
              FROM books_entry e JOIN books_posting p ON p.entry_id = e.id JOIN books_account a ON a.id = p.account_id"""


def _line(row: tuple[Any, ...]) -> EntryLine:
    return EntryLine(*row[:7], told(row[7]), *row[8:14], _trimmed(row[14], row[13]))


def entries_of_orders(scope: Sequence[int], order_ids: Sequence[int]) -> list[EntryLine]:
    """All legs of these orders' entries, by time."""
    rows = bulk.fetch(
        f"""{_JOURNAL} WHERE e.order_id = ANY(%s::bigint[]) AND e.store_id = ANY(%s::bigint[])
            ORDER BY e.at, e.id, p.line_no""",
        (list(order_ids), list(scope)),
    )
    return [_line(row) for row in rows]


def newest_entries(
    scope: Sequence[int], *, limit: int = 50, before: datetime | None = None
) -> list[EntryLine]:
    """Legs of the newest `limit` entries dated before `before` (None: all), newest first."""
    rows = bulk.fetch(
        f"""{_JOURNAL} JOIN (
                SELECT id FROM books_entry WHERE store_id = ANY(%s::bigint[]) AND (%s::timestamptz IS NULL OR at < %s)
                ORDER BY at DESC, id DESC LIMIT %s
            ) n ON n.id = e.id ORDER BY e.at DESC, e.id DESC, p.line_no""",
        (list(scope), before, before, limit),
    )
    return [_line(row) for row in rows]


def expenses_of(scope: Sequence[int]) -> Any:
    """Expenses of these stores, newest first: a queryset to page through."""
    return Expense.objects.filter(store_id__in=list(scope)).order_by("-date", "-id")


def payments_of(scope: Sequence[int]) -> Any:
    """Payments to suppliers, newest first: a queryset to page through."""
    return SupplierPayment.objects.filter(store_id__in=list(scope)).order_by("-date", "-id")


# --- Export -------------------------------------------------------------------------------------------------------

_ROOTS = {
    "asset": "Assets", "liability": "Liabilities", "equity": "Equity", "income": "Income", "expense": "Expenses",
}  # fmt: skip


def export_beancount(scope: Sequence[int]) -> str:
    """The books of these stores as Beancount text: options, accounts, one transaction per entry with its fact."""
    return "\n".join(beancount_lines(scope)) + "\n"


def beancount_lines(scope: Sequence[int], *, chunk: int = 5_000) -> Iterator[str]:
    """The same line by line, for files: reads `chunk` entries at a time. Call it inside a transaction."""
    stores = {
        row[0]: row[1:]
        for row in bulk.fetch(
            "SELECT id, code, currency, timezone FROM stores_store WHERE id = ANY(%s::bigint[]) ORDER BY id",
            (list(scope),),
        )
    }
    yield 'option "title" "daifa"'
    for currency in sorted({row[1] for row in stores.values()}):
        yield f'option "operating_currency" "{currency}"'
    names = {account.code: _account_name(account) for account in Account.objects.order_by("code")}
    first = bulk.fetch(
        """SELECT min(e.at AT TIME ZONE s.timezone)::date FROM books_entry e JOIN stores_store s ON s.id = e.store_id
           WHERE s.id = ANY(%s::bigint[])""",
        (list(scope),),
    )[0][0]
    if first is None:
        return
    yield ""
    for name in names.values():
        yield f"{first} open {name}"
    position = (datetime(1900, 1, 1, tzinfo=UTC), 0)
    while True:
        entries = bulk.fetch(
            """SELECT e.id, e.at, (e.at AT TIME ZONE s.timezone)::date, e.store_id, e.fact, e.fact_id, e.order_id,
                      e.supplier_id, e.memo
               FROM books_entry e JOIN stores_store s ON s.id = e.store_id
               WHERE e.store_id = ANY(%s::bigint[]) AND (e.at, e.id) > (%s::timestamptz, %s)
               ORDER BY e.at, e.id LIMIT %s""",
            (list(scope), *position, chunk),
        )
        if not entries:
            return
        position = (entries[-1][1], entries[-1][0])
        legs: dict[int, list[tuple[str, str, Decimal]]] = {}
        for entry_id, code, currency, amount in bulk.fetch(
            """SELECT p.entry_id, a.code, p.currency, p.amount FROM books_posting p
               JOIN books_account a ON a.id = p.account_id WHERE p.entry_id = ANY(%s::bigint[])
               ORDER BY p.entry_id, p.line_no""",
            ([entry[0] for entry in entries],),
        ):
            legs.setdefault(entry_id, []).append((code, currency, amount))
        for entry_id, _at, day, store_id, fact, fact_id, order_id, supplier_id, memo in entries:
            if entry_id in legs:
                yield ""
                yield from _transaction(
                    entry_id, day, stores[store_id][0], fact, fact_id, order_id, supplier_id, told(memo), legs[entry_id], names
                )  # fmt: skip


def _transaction(
    entry_id: int, day: date, store: str, fact: str, fact_id: int, order_id: int | None, supplier_id: int | None,
    memo: str, legs: Iterable[tuple[str, str, Decimal]], names: dict[str, str],
) -> Iterator[str]:  # fmt: skip
    words = f"{fact.replace('_', ' ')} {fact_id}" + (f": {memo}" if memo else "")
    yield f'{day} * "{_quoted(words)}"'
    yield f"  entry: {entry_id}"
    yield f'  store: "{_quoted(store)}"'
    if order_id is not None:
        yield f"  order: {order_id}"
    if supplier_id is not None:
        yield f"  supplier: {supplier_id}"
    for code, currency, amount in legs:
        yield f"  {names[code]}  {_trimmed(amount, currency):f} {currency}"


def _account_name(account: Account) -> str:
    words = "".join(c if c.isalnum() and c.isascii() else " " for c in account.name).title().split()
    return f"{_ROOTS[account.kind]}:{account.code}-{'-'.join(words)}"


def _quoted(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace('"', '\\"').split())


def _trimmed(amount: Decimal, currency: str) -> Decimal:
    """As many decimals as the currency has: ledger amounts are whole minor units."""
    return rounded(amount, currency)
