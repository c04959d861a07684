"""Which legs a fact posts. Pure; `docs/rules/posting.md` explains each rule with worked tables that the tests run.

A leg is (account code, currency, amount): debit positive, credit negative. Amounts leave here rounded to the
currency's minor unit; what comes in may have four decimals.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

from daifa.lib.money import minor_unit, rounded, shares

Leg = tuple[str, str, Decimal]
Parts = tuple[tuple[str, Decimal], ...]
"""Account code → amount, rounded."""

BANK = "1000"
RECEIVABLE = "1100"
DEPOSIT = "1200"
GOODS_BOUGHT = "1300"
PAYABLE = "2000"
DEFERRED = "2100"
SALES = "4000"
FREIGHT_CHARGED = "4100"
OTHER_INCOME = "4200"
COMMISSION = "4300"
REFUNDS = "4900"
COST_OF_GOODS = "5000"
FREIGHT_PAID = "5100"
ADVERTISING = "6000"
FEES = "6100"
TOOLS = "6200"
PENALTIES = "6300"
SAMPLES = "6400"
OTHER_COSTS = "6900"
EXCHANGE_DIFFERENCES = "7000"
EXCHANGE = "9000"

CHART = {
    BANK: ("asset", "Bank", "银行存款"),
    RECEIVABLE: ("asset", "Receivable from the channel", "应收平台款"),
    DEPOSIT: ("asset", "Deposit with the channel", "平台保证金"),
    GOODS_BOUGHT: ("asset", "Goods bought, not yet handed over", "在途采购商品"),
    PAYABLE: ("liability", "Payable to suppliers", "应付供应商款"),
    DEFERRED: ("liability", "Deferred income", "预收货款（递延收入）"),
    "3000": ("equity", "Equity", "所有者权益"),
    SALES: ("income", "Sales of goods", "商品销售收入"),
    FREIGHT_CHARGED: ("income", "Freight charged to buyers", "运费收入"),
    OTHER_INCOME: ("income", "Discounts and other income", "优惠及其他收入"),
    COMMISSION: ("income", "Commission earned on others' goods", "带货佣金收入"),
    REFUNDS: ("income", "Refunds to buyers", "退款（收入抵减）"),
    COST_OF_GOODS: ("expense", "Cost of goods sold", "商品成本"),
    FREIGHT_PAID: ("expense", "Freight paid to suppliers", "代发运费"),
    ADVERTISING: ("expense", "Advertising", "广告费"),
    FEES: ("expense", "Platform and payment fees", "平台及支付手续费"),
    TOOLS: ("expense", "Tools", "工具软件费"),
    PENALTIES: ("expense", "Penalties and compensation", "违规扣款与赔付"),
    SAMPLES: ("expense", "Samples and test orders", "样品与试购"),
    OTHER_COSTS: ("expense", "Other costs", "其他费用"),
    EXCHANGE_DIFFERENCES: ("expense", "Exchange differences", "汇兑损益"),
    EXCHANGE: ("equity", "Currency exchange", "货币兑换（过渡）"),
}
"""Code → kind, English and Chinese name of every account there is."""

EXPENSE_ACCOUNTS = {
    "advertising": ADVERTISING, "platform": FEES, "tools": TOOLS, "samples": SAMPLES, "other": OTHER_COSTS,
}  # fmt: skip
SHIPPED_KINDS = frozenset({"goods"})
NOTHING = Decimal(0)


def merged(legs: Iterable[Leg]) -> list[Leg]:
    """One leg per account and currency, in order of first appearance; those that come to nothing are left out."""
    sums: dict[tuple[str, str], Decimal] = {}
    for code, currency, amount in legs:
        key = (code, currency)
        sums[key] = sums[key] + amount if key in sums else amount
    return [(code, currency, amount) for (code, currency), amount in sums.items() if amount]


# --- Paid -------------------------------------------------------------------------------------------------------


class Fee(NamedTuple):
    """One line of a store's fee rule, as in force from `valid_from` until the next of the same name."""

    name: str
    percent: Decimal
    fixed: Decimal
    valid_from: date
    refunded_on_refund: bool = False


def fees_on(rules: Iterable[Fee], day: date) -> list[Fee]:
    """The newest rule of each name that was in force on `day`."""
    newest: dict[str, Fee] = {}
    for rule in rules:
        if rule.valid_from <= day and (
            rule.name not in newest or newest[rule.name].valid_from <= rule.valid_from
        ):
            newest[rule.name] = rule
    return list(newest.values())


def fee_of(fees: Iterable[Fee], total: Decimal, currency: str) -> Decimal:
    """What the channel keeps of an order: each fee rounded by itself. Nothing is kept of an order worth nothing."""
    if total <= 0:
        return NOTHING
    return sum((rounded(total * fee.percent / 100 + fee.fixed, currency) for fee in fees), NOTHING)


def fee_given_back(
    fees: Iterable[Fee], total: Decimal, before: Decimal, refund: Decimal, currency: str
) -> Decimal:
    """The percentage that comes back with a refund, where the rule says so; `before` was refunded earlier.

    Never more than was taken: what is refunded beyond the order's total brings nothing back, nor does the fixed part.
    """
    ceiling = max(total, NOTHING)
    first, last = min(before, ceiling), min(before + refund, ceiling)
    return sum(
        (
            rounded(last * fee.percent / 100, currency) - rounded(first * fee.percent / 100, currency)
            for fee in fees
            if fee.refunded_on_refund
        ),
        NOTHING,
    )


def order_paid(total: Decimal, fee: Decimal, currency: str, at_once: Parts = ()) -> list[Leg]:
    """Receivable and deferred income; the fee is kept by the channel. `at_once`: income of an order without goods."""
    total = rounded(total, currency)
    legs: list[Leg] = [(RECEIVABLE, currency, total - fee), (FEES, currency, fee)]
    if at_once:
        legs += [(code, currency, -amount) for code, amount in at_once]
    else:
        legs.append((DEFERRED, currency, -total))
    return merged(legs)


# --- Revenue by units handed over ---------------------------------------------------------------------------------


class Line(NamedTuple):
    """An order line as the books need it. `quantity` in sales units."""

    id: int
    kind: str
    quantity: int
    amount: Decimal


@dataclass(slots=True)
class LineRevenue:
    """A line of goods: its income with its share of the money lines, and how many of its units have got how far."""

    quantity: int
    parts: Parts
    handed: int = 0  # recognised
    cancelled: int = 0
    lost: int = 0  # in parcels that will not arrive and were not recognised
    settled: int = 0  # cancelled units that earlier refunds have paid back
    paid_back: int = 0  # other units that they have: lost ones, or such as came back

    def upto(self, units: int, currency: str) -> list[tuple[str, Decimal]]:
        """Income of the first `units` units, account by account: round(total·k/n)."""
        if units >= self.quantity:
            return list(self.parts)
        if units <= 0:
            return [(code, NOTHING) for code, _ in self.parts]
        return [(code, rounded(amount * units / self.quantity, currency)) for code, amount in self.parts]

    def between(self, first: int, last: int, currency: str) -> Decimal:
        """Income of the units after the first `first` up to `last`, over all accounts."""
        if last <= first:
            return NOTHING
        upper = sum((amount for _, amount in self.upto(last, currency)), NOTHING)
        return upper - sum((amount for _, amount in self.upto(first, currency)), NOTHING)


def income_of(lines: Sequence[Line], total: Decimal, currency: str) -> tuple[dict[int, LineRevenue], Parts]:
    """An order's income: (its lines of goods by id, what belongs to no goods).

    Line amounts are rounded so that they sum to the rounded `total` (largest remainder). Money lines are spread over
    the lines of goods by their amounts, so that postage and discounts become income with the goods they belong to;
    goods worth nothing share by units. The second value is filled only where the order has no goods.
    """
    total = rounded(total, currency)
    amounts = _rounded_to_sum([line.amount for line in lines], currency)
    off = total - sum(amounts, NOTHING)
    goods: list[tuple[Line, Decimal]] = []
    money: dict[str, Decimal] = {OTHER_INCOME: off} if off else {}
    for line, amount in zip(lines, amounts, strict=True):
        if line.kind in SHIPPED_KINDS and line.quantity > 0:
            goods.append((line, amount))
        else:
            code = FREIGHT_CHARGED if line.kind == "shipping" else OTHER_INCOME
            money[code] = money.get(code, NOTHING) + amount
    if not goods:
        return {}, tuple((code, amount) for code, amount in money.items() if amount)
    weights: list[Decimal] = [abs(amount) for _, amount in goods]
    if not any(weights):
        weights = [Decimal(line.quantity) for line, _ in goods]
    spread = [(code, shares(amount, weights, currency)) for code, amount in money.items() if amount]
    return {
        line.id: LineRevenue(
            line.quantity,
            ((SALES, amount), *((code, each[index]) for code, each in spread if each[index])),
        )
        for index, (line, amount) in enumerate(goods)
    }, ()


def _rounded_to_sum(amounts: Sequence[Decimal], currency: str) -> list[Decimal]:
    """Each in minor units, together the rounded sum: rounded down, the rest to the largest remainders, earlier first."""
    unit = minor_unit(currency)
    down = [amount.quantize(unit, rounding=ROUND_FLOOR) for amount in amounts]
    rest = [amount - low for amount, low in zip(amounts, down, strict=True)]
    if any(rest):
        missing = int((rounded(sum(amounts, NOTHING), currency) - sum(down, NOTHING)) / unit)
        for index in sorted(range(len(rest)), key=lambda i: (-rest[i], i))[:missing]:
            down[index] += unit
    return down


def handed_over(
    lines: Mapping[int, LineRevenue],
    units: Iterable[tuple[int, int]],
    currency: str,
    deferred: Decimal | None = None,
    unnamed: Decimal = NOTHING,
) -> list[Leg]:
    """Income of (line, sales units) leaving deferred income; moves `handed` on.

    `deferred` is what is still deferred, told only where refunds have been posted: a refund may have taken what a lost
    parcel that turns up now earns after all; then the refund becomes one of income already earned. `unnamed` as in
    `refund_confirmed`.
    """
    income: dict[str, Decimal] = {}
    for line_id, count in units:
        line = lines.get(line_id)
        if line is None:
            continue
        last = min(line.handed + count, line.quantity)
        for (code, after), (_, before) in zip(
            line.upto(last, currency), line.upto(line.handed, currency), strict=True
        ):
            income[code] = income.get(code, NOTHING) + after - before
        line.handed = last
    total = sum(income.values(), NOTHING)
    taken = total
    if deferred is not None:
        if total > 0:
            taken = min(total, max(deferred, NOTHING))
        left = deferred - taken - _awaited(lines.values(), currency)
        taken += _left_over(lines.values(), left, currency, unnamed)
    return merged(
        [
            (DEFERRED, currency, taken),
            (REFUNDS, currency, total - taken),
            *((code, currency, -amount) for code, amount in income.items()),
        ]
    )


def _awaited(lines: Iterable[LineRevenue], currency: str) -> Decimal:
    """Income of the units that can still be handed over, neither cancelled nor lost; a discount of cents over several
    units can make single ones worth less than nothing: they keep nothing back.
    """
    awaited = sum(
        (line.between(line.handed + line.lost, line.quantity - line.cancelled, currency) for line in lines), NOTHING
    )
    return max(awaited, NOTHING)


def _paid_back_unnamed(lines: Collection[LineRevenue], currency: str, unnamed: Decimal) -> bool:
    """Have refunds that name no units, `unnamed` in all, paid back the goods of every unit that is over and that no
    refund names? Goods count with their share of what was paid, at most their price; postage is the merchant's to keep.
    """
    if unnamed <= 0 or any(line.handed + line.lost + line.cancelled < line.quantity for line in lines):
        return False
    goods = sum((line.parts[0][1] for line in lines), NOTHING)
    total = sum((amount for line in lines for _, amount in line.parts), NOTHING)
    worth = sum(
        (line.parts[0][1] * (line.cancelled - line.settled + max(line.lost - line.paid_back, 0)) / line.quantity for line in lines),
        NOTHING,
    )
    paid = worth * max(min(Decimal(1), total / goods), NOTHING) if goods else worth
    return unnamed >= paid.quantize(minor_unit(currency), rounding=ROUND_FLOOR)


def _left_over(lines: Collection[LineRevenue], left: Decimal, currency: str, unnamed: Decimal) -> Decimal:
    """How much of `left`, deferred and awaited by no unit, nobody waits for any more.

    Nothing while cancelled units wait for their refund. Lost ones wait until a refund names them. Where all units are
    over and refunds that name none (`unnamed`) have paid back the goods, nobody waits.
    """
    if not left:
        return NOTHING
    if _paid_back_unnamed(lines, currency, unnamed):
        return left
    if any(line.cancelled > line.settled for line in lines):
        return NOTHING
    lost = [line for line in lines if line.lost > line.paid_back]
    if not lost:
        awaits = any(line.handed + line.lost + line.cancelled < line.quantity for line in lines)
        return max(left, NOTHING) if awaits else left
    coins = sum((line.lost - line.paid_back) * len(line.parts) for line in lost)
    return left if 0 < left <= coins * minor_unit(currency) else NOTHING


# --- Refunds ------------------------------------------------------------------------------------------------------


def refund_confirmed(
    amount: Decimal,
    currency: str,
    *,
    lines: Mapping[int, LineRevenue] | None = None,
    cancelled: Iterable[tuple[int, int]] = (),
    others: Iterable[tuple[int, int]] = (),
    deferred: Decimal = NOTHING,
    unnamed: Decimal = NOTHING,
    fee_back: Decimal = NOTHING,
) -> list[Leg]:
    """A refund: out of deferred income as far as units will never be handed over, the rest against sales.

    `cancelled` are the (line, units) that this refund pays back before they were shipped; what it leaves of their
    share (a postage kept) is income now, and so it is with units of `others` that are lost. `deferred` is the order's
    balance before; `unnamed` what refunds that name no units, this one with them, have paid back of goods. Moves
    `settled` and `paid_back` on.
    """
    amount = rounded(amount, currency)
    lines = lines or {}
    awaited = _awaited(lines.values(), currency)
    free = max(deferred - awaited, NOTHING)
    released = min(amount, free)
    share = NOTHING
    for line_id, units in cancelled:
        line = lines.get(line_id)
        if line is not None:
            last = line.quantity - line.settled
            share += line.between(max(last - units, line.handed), last, currency)
            line.settled += units
    for line_id, units in others:
        if line_id in lines:
            lines[line_id].paid_back += units
    kept = min(max(share - amount, NOTHING), free - released)
    kept += _left_over(lines.values(), deferred - awaited - released - kept, currency, unnamed)
    return merged(
        [
            (DEFERRED, currency, released + kept),
            (REFUNDS, currency, amount - released),
            (RECEIVABLE, currency, fee_back - amount),
            (OTHER_INCOME, currency, -kept),
            (FEES, currency, -fee_back),
        ]
    )


def over_after_refund(
    lines: Mapping[int, LineRevenue], currency: str, *, deferred: Decimal, refunds: Decimal, unnamed: Decimal = NOTHING
) -> list[Leg]:
    """Units were lost or cancelled after their refund: what had to be posted against sales while they were awaited comes
    out of deferred income now, as if the refund had come later. `refunds` is the order's balance of them, `unnamed` as in
    `refund_confirmed`.
    """
    waiting = NOTHING
    if not _paid_back_unnamed(lines.values(), currency, unnamed):
        waiting = sum(
            (line.between(line.quantity - line.cancelled, line.quantity - line.settled, currency) for line in lines.values()),
            NOTHING,
        )  # fmt: skip
    free = max(deferred - _awaited(lines.values(), currency) - waiting, NOTHING)
    released = min(free, max(refunds, NOTHING))
    kept = _left_over(lines.values(), free - released, currency, unnamed)
    return merged(
        [(DEFERRED, currency, released + kept), (REFUNDS, currency, -released), (OTHER_INCOME, currency, -kept)]
    )


# --- Purchases ----------------------------------------------------------------------------------------------------


class Cost(NamedTuple):
    """Goods and freight of so much of a purchase, in the supplier's currency, unrounded."""

    goods: Decimal = NOTHING
    freight: Decimal = NOTHING


def purchase_accepted(before: Cost, after: Cost, currency: str, home: str, rate: Decimal) -> list[Leg]:
    """What we owe once a supplier has accepted `after` in all, when `before` has been posted.

    Another currency than the store's passes the exchange account at the purchase's frozen `rate` (units of `home` for
    one unit of `currency`), so that each currency balances.
    """
    owed = _difference(before, after, Decimal(1), currency)
    if currency == home:
        return merged([(GOODS_BOUGHT, home, owed), (PAYABLE, currency, -owed)])
    value = _difference(before, after, rate, home)
    return merged(
        [
            (GOODS_BOUGHT, home, value),
            (EXCHANGE, home, -value),
            (EXCHANGE, currency, owed),
            (PAYABLE, currency, -owed),
        ]
    )


def _difference(before: Cost, after: Cost, rate: Decimal, currency: str) -> Decimal:
    return sum(
        (
            rounded(last * rate, currency) - rounded(first * rate, currency)
            for first, last in zip(before, after, strict=True)
        ),
        NOTHING,
    )


def goods_left(before: Cost, after: Cost, home: str, rate: Decimal) -> list[Leg]:
    """Cost of the units that leave with a parcel: handed over in all `after`, `before` has been posted."""
    goods = rounded(after.goods * rate, home) - rounded(before.goods * rate, home)
    freight = rounded(after.freight * rate, home) - rounded(before.freight * rate, home)
    return [
        (COST_OF_GOODS, home, goods),
        (FREIGHT_PAID, home, freight),
        (GOODS_BOUGHT, home, -goods - freight),
    ]


# --- Deposit ------------------------------------------------------------------------------------------------------


def deposit_moved(kind: str, amount: Decimal, currency: str, *, from_proceeds: bool = False) -> list[Leg]:
    """Money into or out of the deposit, charged to it, or a penalty kept from what the channel owes us.

    `kind` as in `cases.process.DEPOSIT_MOVES`; `from_proceeds`: paid in from (or out to) the proceeds, not the bank.
    """
    money = RECEIVABLE if from_proceeds else BANK
    debit, credit = {
        "paid_in": (DEPOSIT, money),
        "topped_up": (DEPOSIT, money),
        "withdrawn": (money, DEPOSIT),
        "returned": (money, DEPOSIT),
        "deducted": (PENALTIES, DEPOSIT),
        "given_back": (DEPOSIT, PENALTIES),
        "penalty": (PENALTIES, RECEIVABLE),
        "penalty_back": (RECEIVABLE, PENALTIES),
    }[kind]
    amount = rounded(amount, currency)
    return merged([(debit, currency, amount), (credit, currency, -amount)])


# --- Money out ----------------------------------------------------------------------------------------------------


def expense(kind: str, amount: Decimal, currency: str, home: str, rate: Decimal) -> list[Leg]:
    """An expense paid from the bank, in the store's currency at the day's rate."""
    value = rounded(amount if currency == home else amount * rate, home)
    return merged([(EXPENSE_ACCOUNTS[kind], home, value), (BANK, home, -value)])


def commission_earned(amount: Decimal, currency: str, home: str, rate: Decimal) -> list[Leg]:
    """Commission on others' goods, owed by the channel, in the store's currency at the day's rate."""
    value = rounded(amount if currency == home else amount * rate, home)
    return merged([(RECEIVABLE, home, value), (COMMISSION, home, -value)])


def supplier_paid(
    amount: Decimal, currency: str, home: str, rate: Decimal, *, open_amount: Decimal, open_value: Decimal
) -> list[Leg]:
    """A payment from the bank, which is in the store's currency, at the day's `rate`.

    `open_amount` (currency) stands in the exchange account at `open_value` (home), from the rates frozen when the
    purchases were accepted; the difference to the rate of today is the exchange difference. What is paid beyond it is
    paid ahead, at the rate of today.
    """
    amount = rounded(amount, currency)
    if currency == home:
        return merged([(PAYABLE, home, amount), (BANK, home, -amount)])
    paid = rounded(amount * rate, home)
    matched = min(max(open_amount, NOTHING), amount)
    booked = rounded(open_value * matched / open_amount, home) if matched else NOTHING
    ahead = rounded((amount - matched) * rate, home)
    return merged(
        [
            (PAYABLE, currency, amount),
            (EXCHANGE, currency, -amount),
            (EXCHANGE, home, booked + ahead),
            (EXCHANGE_DIFFERENCES, home, paid - booked - ahead),
            (BANK, home, -paid),
        ]
    )


def supplier_moved(
    kind: str, amount: Decimal, currency: str, home: str, rate: Decimal, *, open_amount: Decimal, open_value: Decimal
) -> list[Leg]:
    """What moves the balance of a supplier, by kind of `books.models.SupplierPayment`; the rest as in `supplier_paid`.

    Money back closes what was paid ahead in the same way, and what goes beyond it is owed to him. A credit note lowers the
    cost of goods, or the goods bought where he takes back what was never handed over: at the rates of the purchases, so
    that no exchange difference comes of it.
    """
    if kind == "paid":
        return supplier_paid(amount, currency, home, rate, open_amount=open_amount, open_value=open_value)
    if kind == "received":
        return reversed_legs(
            supplier_paid(amount, currency, home, rate, open_amount=-open_amount, open_value=-open_value)
        )
    account = GOODS_BOUGHT if kind == "taken_back" else COST_OF_GOODS
    legs = supplier_paid(amount, currency, home, rate, open_amount=open_amount, open_value=open_value)
    worth = sum((value for code, of, value in legs if of == home and code in (BANK, EXCHANGE_DIFFERENCES)), NOTHING)
    others = [leg for leg in legs if leg[0] not in (BANK, EXCHANGE_DIFFERENCES)]
    return merged([*others, (account, home, worth)])


def reversed_legs(legs: Iterable[Leg]) -> list[Leg]:
    return [(code, currency, -amount) for code, currency, amount in legs]
