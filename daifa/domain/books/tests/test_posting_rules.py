"""Runs the stories of docs/rules/posting.md, and what must hold for every order beyond them."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daifa.domain.books import rules
from daifa.domain.books.rules import Cost, Fee, Line
from daifa.lib.money import rounded

PAGE = Path(__file__).parents[4] / "docs/rules/posting.md"


def stories():
    """(title, prose, tables) of every heading under "Worked tables"; a table is a list of rows of cells."""
    text = PAGE.read_text().split("## Worked tables")[1]
    for part in re.split(r"^### ", text, flags=re.M)[1:]:
        title, body = part.split("\n", 1)
        tables, current = {}, None
        for line in body.splitlines():
            if not line.startswith("|"):
                current = None
                continue
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if current is None:
                current = tables.setdefault(cells[0], [])
            elif not set(line) <= set("|- "):
                current.append(cells)
        yield title.strip(), body, tables


STORIES = list(stories())


def number(text):
    return Decimal(text.replace("−", "-").replace("+", ""))


def units(text):
    return [(int(line), int(count)) for count, line in re.findall(r"(\d+) of (\d+)", text)]


def legs_in(text, home):
    found = {}
    for leg in filter(None, re.split(r",\s*", text)):
        code, amount, *currency = leg.split()
        found[code, currency[0] if currency else home] = number(amount)
    return found


class Story:
    """Plays facts in order, as the flow would, over the rules alone."""

    def __init__(self, body, tables):
        self.home = re.search(r"Currency (\w{3})", body)[1]
        lines = [Line(int(r[0]), r[1], int(r[2]), Decimal(r[3])) for r in tables.get("line", [])]
        self.total = sum((line.amount for line in lines), Decimal(0))
        self.income, self.at_once = rules.income_of(lines, self.total, self.home)
        fee = re.search(r"Fees ([\d.]+) % \+ (\d+\.\d+)(, percentage given back)?", body)
        self.fees = (
            [Fee("channel", Decimal(fee[1]), Decimal(fee[2]), date(2020, 1, 1), bool(fee[3]))] if fee else []
        )
        supplier = re.search(r"Supplier in (\w{3}) at ([\d.]+), parcel freight (\d+(?:\.\d+)?)", body)
        if supplier:
            self.currency, self.rate, self.parcel_freight = (
                supplier[1],
                Decimal(supplier[2]),
                Decimal(supplier[3]),
            )
        self.costs = {int(r[0]): (Decimal(r[1]), Decimal(r[2])) for r in tables.get("purchase line", [])}
        self.accepted, self.left = Cost(), Cost()
        self.refunded, self.has_refunds, self.unnamed = Decimal(0), False, Decimal(0)
        self.balance = {}

    def play(self, fact, what):
        legs = getattr(self, fact)(what) or []
        for code, currency, amount in legs:
            assert amount == rounded(amount, currency), "posted amounts are whole minor units"
            self.balance[code, currency] = self.balance.get((code, currency), Decimal(0)) + amount
        return {(code, currency): amount for code, currency, amount in rules.merged(legs)}

    def deferred(self):
        return -self.balance.get((rules.DEFERRED, self.home), Decimal(0))

    def paid(self, what):
        return rules.order_paid(
            self.total, rules.fee_of(self.fees, self.total, self.home), self.home, self.at_once
        )

    def parcel(self, what):
        return rules.handed_over(
            self.income, units(what), self.home, deferred=self.deferred() if self.has_refunds else None, unnamed=self.unnamed
        )

    def cancelled(self, what):
        for line, count in units(what):
            self.income[line].cancelled += count
        over = all(line.handed + line.lost + line.cancelled == line.quantity for line in self.income.values())
        return self.over() if self.has_refunds and over else None

    def lost(self, what):
        for line, count in units(what):
            self.income[line].lost += count
        return self.over() if self.has_refunds else None

    def over(self):
        refunds = self.balance.get((rules.REFUNDS, self.home), Decimal(0))
        return rules.over_after_refund(self.income, self.home, deferred=self.deferred(), refunds=refunds, unnamed=self.unnamed)

    def found(self, what):
        for line, count in units(what):
            self.income[line].lost -= count

    def refund(self, what):
        amount = Decimal(re.match(r"[\d.]+", what)[0])
        gives_back = "gives back" in what
        cancels, others = ([], units(what)) if gives_back else (units(what), [])
        for line, count in cancels:
            if self.income[line].cancelled < self.income[line].settled + count:
                self.income[line].cancelled += count
        back = rules.fee_given_back(self.fees, self.total, self.refunded, amount, self.home)
        self.refunded += amount
        self.has_refunds = True
        if not units(what):
            self.unnamed += amount
        return rules.refund_confirmed(
            amount, self.home, lines=self.income, cancelled=cancels, others=others, deferred=self.deferred(), unnamed=self.unnamed,
            fee_back=back,
        )  # fmt: skip

    def _cost(self, what, so_far):
        goods, freight = so_far
        for line, count in units(what):
            goods += count * self.costs[line][0]
            freight += count * self.costs[line][1]
        return Cost(goods, freight + (Decimal(0) if so_far != Cost() else self.parcel_freight))

    def accepted_(self, what):
        before, self.accepted = self.accepted, self._cost(what, self.accepted)
        return rules.purchase_accepted(before, self.accepted, self.currency, self.home, self.rate)

    def left_(self, what):
        before, self.left = self.left, self._cost(what, self.left)
        return rules.goods_left(before, self.left, self.home, self.rate)

    def pay(self, what, kind="paid"):
        amount, currency, rate = re.match(r"([\d.]+) (\w+) at ([\d.]+)", what).groups()
        return rules.supplier_moved(
            kind, Decimal(amount), currency, self.home, Decimal(rate),
            open_amount=self.balance.get((rules.EXCHANGE, currency), Decimal(0)),
            open_value=-self.balance.get((rules.EXCHANGE, self.home), Decimal(0)),
        )  # fmt: skip

    def received(self, what):
        return self.pay(what, "received")

    def credited(self, what):
        return self.pay(what, "credited")

    def taken_back(self, what):
        return self.pay(what, "taken_back")

    def deposit(self, what):
        kind, amount, proceeds = re.match(r"(\w+) ([\d.]+)( proceeds)?", what).groups()
        return rules.deposit_moved(kind, Decimal(amount), self.home, from_proceeds=bool(proceeds))

    def expense(self, what):
        kind, amount, currency, rate = re.match(r"(\w+) ([\d.]+) (\w+)(?: at ([\d.]+))?", what).groups()
        return rules.expense(kind, Decimal(amount), currency, self.home, Decimal(rate or 1))


@pytest.mark.parametrize(("title", "body", "tables"), STORIES, ids=[s[0] for s in STORIES])
def test_the_stories_of_the_page(title, body, tables):
    story = Story(body, tables)
    for fact, what, legs in tables["fact"]:
        played = story.play(fact + "_" if fact in ("accepted", "left") else fact, what)
        assert played == legs_in(legs, story.home), f"{fact} {what}"
        for currency in {c for _, c in played}:
            assert sum(a for (_, c), a in played.items() if c == currency) == 0
    if story.accepted != Cost() and story.left.goods == story.accepted.goods:
        assert story.balance[rules.GOODS_BOUGHT, story.home] == 0


def test_the_page_has_its_stories():
    assert len(STORIES) >= 15
    assert {"Ten pounds in three", "Yen have no sen", "Part refund after a discount"} <= {
        s[0] for s in STORIES
    }


def test_the_page_the_chart_and_the_migration_name_the_same_accounts():
    from importlib import import_module

    migrated = import_module("daifa.domain.books.migrations.0002_ledger").ACCOUNTS
    first = {code: tuple(rest) for code, *rest in migrated}
    later = {rules.DEPOSIT, rules.PENALTIES, rules.COMMISSION, rules.SAMPLES}  # brought by `ensure_accounts`, which runs after each migration
    assert first == {code: words for code, words in rules.CHART.items() if code not in later}
    assert set(re.findall(r"\b[1-9]\d00\b", PAGE.read_text().split("## The rules")[0])) <= set(rules.CHART)


def test_the_fee_rule_in_force_is_the_newest_of_its_name():
    old, new = (
        Fee("channel", Decimal(p), Decimal(0), d) for p, d in ((5, date(2024, 1, 1)), (6, date(2024, 7, 1)))
    )
    card = Fee("card", Decimal("1.4"), Decimal("0.20"), date(2024, 3, 1))
    assert rules.fees_on([new, old, card], date(2024, 2, 1)) == [old]
    assert set(rules.fees_on([new, old, card], date(2024, 7, 1))) == {new, card}
    assert rules.fees_on([new, old, card], date(2023, 7, 1)) == []
    assert rules.fee_of([old, card], Decimal("10.00"), "GBP") == Decimal("0.84")  # 0.50 + 0.34


# --- Over generated histories --------------------------------------------------------------------------------------

cents = st.decimals(min_value=0, max_value=Decimal("0.05"), places=4)  # of several units: less than a coin each
amounts = st.decimals(min_value=0, max_value=5000, places=4) | cents
signed = st.decimals(min_value=-300, max_value=300, places=4) | cents.map(lambda amount: -amount)
given_back = amounts | st.just(Decimal(0))


@st.composite
def orders(draw):
    currency = draw(st.sampled_from(["GBP", "JPY", "KWD", "CNY"]))
    goods = draw(st.lists(st.tuples(st.integers(1, 7), amounts), min_size=1, max_size=5))
    money = draw(
        st.lists(
            st.tuples(st.sampled_from(["shipping", "discount", "fee", "manual", "tax"]), signed), max_size=3
        )
    )
    lines = [Line(n, "goods", count, amount) for n, (count, amount) in enumerate(goods)]
    lines += [Line(100 + n, kind, 1, amount) for n, (kind, amount) in enumerate(money)]
    return currency, lines


@given(orders(), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_a_wholly_shipped_order_earns_its_total(order, rng):
    currency, lines = order
    total = sum((line.amount for line in lines), Decimal(0))
    income, _ = rules.income_of(lines, total, currency)
    queue = [line.id for line in lines if line.kind == "goods" for _ in range(line.quantity)]
    rng.shuffle(queue)
    legs = rules.order_paid(total, Decimal(0), currency)
    while queue:
        take = queue[: rng.randint(1, 4)]
        del queue[: len(take)]
        parcel = rules.handed_over(income, [(line, 1) for line in take], currency)
        assert sum(amount for *_, amount in parcel) == 0
        legs += parcel
    ledger = {code: amount for code, _, amount in rules.merged(legs)}
    assert ledger.get(rules.DEFERRED, 0) == 0
    earned = -sum(
        ledger.get(code, Decimal(0)) for code in (rules.SALES, rules.FREIGHT_CHARGED, rules.OTHER_INCOME)
    )
    assert earned == rounded(total, currency)


@given(orders(), st.data())
@settings(max_examples=200, deadline=None)
def test_refunds_never_take_what_is_awaited_nor_leave_anything_deferred(order, data):
    """Units are cancelled or lost and refunded, or shipped, in any order and any amount; then the rest ships."""
    currency, lines = order
    total = sum((line.amount for line in lines), Decimal(0))
    income, _ = rules.income_of(lines, total, currency)
    legs = rules.order_paid(total, Decimal(0), currency)
    refunded = Decimal(0)

    def deferred():
        return -sum(amount for code, _, amount in legs if code == rules.DEFERRED)

    waiting = {line.id: line.quantity for line in lines if line.kind == "goods"}
    has_refunds = False
    while any(waiting.values()):
        line = data.draw(st.sampled_from(sorted(k for k, n in waiting.items() if n)))
        count = data.draw(st.integers(1, waiting[line]))
        waiting[line] -= count
        if data.draw(st.booleans()):
            legs += rules.handed_over(
                income, [(line, count)], currency, deferred=deferred() if has_refunds else None
            )
            continue
        has_refunds = True
        refund = rounded(abs(data.draw(given_back)), currency)
        if data.draw(st.booleans()):  # lost, where revenue waits for delivery
            income[line].lost += count
            new = rules.refund_confirmed(
                refund, currency, lines=income, others=[(line, count)], deferred=deferred()
            )
        else:
            income[line].cancelled += count
            new = rules.refund_confirmed(
                refund, currency, lines=income, cancelled=[(line, count)], deferred=deferred()
            )
        assert sum(amount for *_, amount in new) == 0
        legs += new
        refunded += refund
    ledger = {code: amount for code, _, amount in rules.merged(legs)}
    income_of_all = sum(
        -ledger.get(c, Decimal(0)) for c in (rules.SALES, rules.FREIGHT_CHARGED, rules.OTHER_INCOME)
    )
    assert income_of_all - ledger.get(rules.REFUNDS, Decimal(0)) - ledger.get(rules.DEFERRED, Decimal(0)) == (
        rounded(total, currency) - refunded
    )
    assert ledger.get(rules.DEFERRED, 0) == 0


@given(orders())
@settings(max_examples=100, deadline=None)
def test_the_parts_of_an_order_sum_to_its_rounded_total(order):
    currency, lines = order
    total = sum((line.amount for line in lines), Decimal(0))
    income, rest = rules.income_of(lines, total, currency)
    assert rest == ()
    assert sum((a for line in income.values() for _, a in line.parts), Decimal(0)) == rounded(total, currency)
