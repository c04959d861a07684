"""Generated histories: random carts, suppliers and answers in any order, files repeated and mixed up. What must always
hold (docs/rules, `flows.audit`) holds at the end of each, and where order must not matter it does not.
"""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from daifa.connectors.contract import IncomingOffer, IncomingProduct
from daifa.domain.books.models import Posting
from daifa.domain.catalog.commands import import_products
from daifa.domain.history.models import PendingReaction
from daifa.domain.messages.models import Message
from daifa.domain.orders.models import Order, OrderLine
from daifa.domain.purchasing.models import PurchaseLine, PurchaseOrder, PurchaseRun
from daifa.domain.shipping.models import DispatchNotice, Parcel
from daifa.domain.sourcing.commands import add_supplier, import_offers, record_agreement
from daifa.domain.sourcing.models import Supplier
from daifa.domain.stores.models import Store
from daifa.flows import place_purchases
from daifa.flows.audit import audit
from daifa.flows.react import react
from daifa.flows.work import work_until_idle
from tests import cast

pytestmark = pytest.mark.django_db

AT = cast.MORNING
HOUR = timedelta(hours=1)
SKUS = [f"SKU-{letter}" for letter in "ABCDEFGH"]
PACKS = {"SKU-C": 6, "SKU-F": 2}
QUICK = settings(
    max_examples=12, deadline=None, print_blob=True, phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


@pytest.fixture
def home(tmp_path, settings):
    settings.DAIFA_HOME, settings.EMAIL_FILE_PATH, settings.MEDIA_ROOT = tmp_path, tmp_path / "mail", tmp_path / "files"
    return tmp_path


def afresh(story: Callable[[], None]) -> None:
    """Run a story in a database as it was, and leave it so."""
    sid = transaction.savepoint()
    try:
        story()
    finally:
        transaction.savepoint_rollback(sid)


def a_shop(suppliers: int, dice: random.Random) -> cast.Shop:
    """The shop of the cast with up to six factories, each selling some SKUs, some in packs, in rank order by chance."""
    shop = cast.open_shop()
    import_products(
        [IncomingProduct(row=n, handle=sku, title=sku, sku=sku, price=Decimal(20)) for n, sku in enumerate(SKUS)],
        by=cast.BY, at=AT,
    )  # fmt: skip
    factories = []
    for number in range(suppliers):
        factory = add_supplier(
            code=f"f{number}", name=f"Factory {number}", kind="workbook", delivery=dice.choice(["mail", "download"]),
            currency=dice.choice(["GBP", "CNY"]), email="f@example.invalid", parcel_freight=Decimal(dice.randint(0, 9)),
            by=cast.BY, at=AT,
        )  # fmt: skip
        record_agreement(supplier_id=factory.pk, store_id=shop.store.pk, valid_from=AT.date(), by=cast.BY, at=AT)
        factories.append(factory)
    for sku in SKUS:
        sellers = dice.sample(factories, dice.randint(1, len(factories)))
        for rank, factory in enumerate(sellers, 1):
            offer = IncomingOffer(
                row=1, supplier_sku=f"{factory.code}-{sku}", sku=sku, price=Decimal(dice.randint(100, 900)) / 100,
                stock=dice.choice([None, 0, 3, 500]), rank=rank, pack=PACKS.get(sku, 1),
            )  # fmt: skip
            import_offers(factory, [offer], by=cast.BY, at=AT)
    return shop


HEAD = ["Order number", "Date", "SKU", "Quantity", "Unit price", "Currency", "Customer", "Name", "Address", "City",
        "Country", "Email", "Status", "Refunded"]  # fmt: skip


class Cart:
    """An order as the channel has it, and how it may change there."""

    def __init__(self, number: str, dice: random.Random) -> None:
        self.number, self.street, self.status, self.refunded = number, "1 High Street", "paid", Decimal(0)
        self.lines = {
            sku: dice.randint(1, 3) * PACKS.get(sku, 1) for sku in dice.sample(SKUS, dice.randint(1, 5))
        }
        self.prices = {sku: Decimal(dice.choice([12, 15, 20])) for sku in self.lines}

    def change(self, dice: random.Random) -> None:
        what = dice.choice(["address", "fewer", "cancel", "refund", "cancel and refund", "gone line"])
        total = sum(self.prices[sku] * n for sku, n in self.lines.items())
        if what == "address":
            self.street = f"{dice.randint(2, 99)} Low Street"
        elif what == "fewer":
            sku = dice.choice(sorted(self.lines))
            self.lines[sku] = max(1, self.lines[sku] - dice.randint(1, 2))
        elif what == "gone line" and len(self.lines) > 1:
            del self.lines[dice.choice(sorted(self.lines))]
        elif what == "refund":
            self.refunded = max(self.refunded, min(total, self.refunded + dice.randint(1, 8)))
        elif what.startswith("cancel"):
            self.status = "cancelled"
            if what.endswith("refund"):
                self.refunded = max(self.refunded, total)

    def rows(self) -> list[list]:
        return [
            [self.number, AT.strftime("%Y-%m-%d %H:%M:%S"), sku, quantity, self.prices[sku], "GBP", f"C{self.number}",
             "Anna Wood", self.street, "Leeds", "GB", "a@example.invalid", self.status, self.refunded or ""]
            for sku, quantity in self.lines.items()
        ]  # fmt: skip


def written(head: list[str], rows: list[list]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([head, *rows])
    return text.getvalue().encode()


def read(shop: cast.Shop, kind: str, content: bytes, at: datetime, supplier: Supplier | None = None):
    file = cast.read_file(shop, kind, f"{kind}.csv", content, at=at, supplier=supplier)
    assert file.state == "done", file.sentence
    assert file.rows_in == file.rows_used + file.rows_not_orders + file.rows_refused == file.rows_expected
    return file


REPLY = ["Our reference", "Line", "Accepted quantity", "Shipped", "Tracking number", "Carrier", "Status"]


class Life:
    """A shop under random hands. Each step is something that happens; each may happen at any time."""

    def __init__(self, suppliers: int, carts: int, dice: random.Random) -> None:
        self.dice, self.at = dice, AT
        self.shop = a_shop(suppliers, dice)
        self.carts = [Cart(f"O{n}", dice) for n in range(carts)]
        self.files: list[tuple[str, bytes, Supplier | None]] = []
        self.bring("orders", written(HEAD, [row for cart in self.carts for row in cart.rows()]))

    def bring(self, kind: str, content: bytes, supplier: Supplier | None = None) -> None:
        read(self.shop, kind, content, self.at, supplier)
        self.files.append((kind, content, supplier))

    def go_on(self) -> None:
        self.at += self.dice.randint(1, 40) * HOUR

    def work(self) -> None:
        work_until_idle(at=self.at)
        self.hand_on()

    def hand_on(self) -> None:
        place_purchases.fix_runs(at=self.at, by=cast.BY, delivery="download")
        for run in PurchaseRun.objects.filter(state="fixed", supplier__delivery="download").order_by("pk"):
            if self.dice.random() < 0.8:
                place_purchases.confirm_run(run.pk, by=cast.BY, at=self.at)

    def react(self) -> None:
        react(at=self.at)

    def changed_orders(self) -> None:
        for cart in self.dice.sample(self.carts, self.dice.randint(1, len(self.carts))):
            cart.change(self.dice)
        self.bring("orders", written(HEAD, [row for cart in self.carts for row in cart.rows()]))

    def reply(self) -> None:
        placed = list(PurchaseOrder.objects.filter(supplier__kind="workbook", state="placed").order_by("pk"))
        if not placed:
            return
        chosen = self.dice.sample(placed, self.dice.randint(1, len(placed)))
        for supplier in {purchase.supplier_id: purchase.supplier for purchase in chosen}.values():
            rows = [row for purchase in chosen if purchase.supplier_id == supplier.pk for row in self.said_of(purchase)]
            self.dice.shuffle(rows)
            if rows:
                self.bring("replies", written(REPLY, rows), supplier)

    def said_of(self, purchase: PurchaseOrder) -> list[list]:
        rows = []
        for line in purchase.lines.order_by("line_no"):
            ref, number = purchase.reference, self.dice.choice([f"YT{purchase.pk:012d}", f"YT{line.pk:012d}7"])
            wanted = line.quantity - line.cancelled
            what = self.dice.choice(["accept", "short", "refuse", "ship", "ship", "split", "part", "too many", "nothing", "other number"])
            if what == "accept":
                rows.append([ref, line.line_no, wanted, "", "", "", ""])
            elif what == "short":
                rows.append([ref, line.line_no, max(1, wanted - 1), "", "", "", ""])
            elif what == "refuse":
                rows.append([ref, line.line_no, "", "", "", "", "refused"])
            elif what == "ship":
                rows.append([ref, line.line_no, wanted, "", number, "Royal Mail", ""])
            elif what == "split" and wanted > 1:
                rows.append([ref, line.line_no, wanted, wanted - 1, number, "Royal Mail", ""])
                rows.append([ref, line.line_no, wanted, 1, f"{number}9", "Royal Mail", ""])
            elif what == "part":
                rows.append([ref, line.line_no, "", 1, number, "Royal Mail", ""])
            elif what == "too many":
                rows.append([ref, line.line_no, wanted + 5, wanted + 5, number, "Royal Mail", ""])
            elif what == "other number" and line.shipped:
                rows.append([ref, line.line_no, "", "", f"YT{line.pk:010d}{self.dice.randint(10, 99)}", "Royal Mail", ""])
        return rows

    def scan(self) -> None:
        parcels = list(Parcel.objects.order_by("pk"))
        if not parcels:
            return
        words = ["In transit", "Out for delivery", "Delivered", "Delivered", "Returned to sender", "Exception"]
        rows = []
        for parcel in self.dice.sample(parcels, self.dice.randint(1, len(parcels))):
            for _ in range(self.dice.randint(1, 3)):
                when = self.at - self.dice.randint(0, 30) * HOUR
                rows.append([parcel.number, when.strftime("%Y-%m-%d %H:%M:%S"), self.dice.choice(words), "Leeds"])
        self.bring("tracking", written(["Tracking number", "Time", "Status", "Place"], rows))

    def credit(self) -> None:
        from daifa.connectors.contract import IncomingCredit, IncomingLine
        from daifa.domain.aftersales.commands import apply_credits

        cart = self.dice.choice(self.carts)
        sku = self.dice.choice(sorted(cart.prices))
        units = self.dice.randint(1, 3)
        price = self.dice.choice([cart.prices[sku], cart.prices[sku], Decimal("9.99")])
        line = IncomingLine(row=1, sku=sku, title=sku, quantity=units, unit_price=price, amount=price * units)
        note = IncomingCredit(
            number=f"CN{self.dice.randint(1, 9)}", at=self.at, lines=(line,), currency="GBP", customer_ref=f"C{cart.number}"
        )
        with transaction.atomic():
            apply_credits(self.shop.store, [note], by=cast.BY, at=self.at)

    def read_again(self) -> None:
        kind, content, supplier = self.dice.choice(self.files)
        if kind != "orders":  # an old order file is old news, not a repeat; the newest one is read again by the end
            read(self.shop, kind, content, self.at, supplier)

    def happen(self, what: str) -> None:
        getattr(self, what)()
        possible()


HAPPENINGS = ["work", "work", "react", "changed_orders", "reply", "reply", "reply", "scan", "scan", "credit", "read_again", "go_on", "go_on"]  # fmt: skip


def possible() -> None:
    """What the counters may never say, asked after each step (the whole audit comes at the end)."""
    for line in OrderLine.objects.filter(kind="goods"):
        assert 0 <= line.delivered <= line.shipped <= line.accepted <= line.purchased <= line.allocated
        assert line.cancelled + line.allocated <= line.quantity and 0 <= line.refunded <= line.quantity
    for line in PurchaseLine.objects.all():
        assert line.shipped <= line.accepted <= line.quantity - line.rejected - line.cancelled


def sane() -> None:
    assert audit() == []
    assert not PendingReaction.objects.filter(state="parked").exists(), list(PendingReaction.objects.values_list("reaction", "reason"))


@given(st.integers(1, 6), st.integers(1, 4), st.lists(st.sampled_from(HAPPENINGS), min_size=5, max_size=22), st.integers(0, 10**9))
@QUICK
def test_whatever_happens_in_whatever_order(home, suppliers, carts, story, seed):
    def life():
        life = Life(suppliers, carts, random.Random(seed))
        for what in ["work", *story]:
            life.happen(what)
        sane()
        life.go_on()
        life.work()
        life.bring("orders", life.files[-1][1] if life.files[-1][0] == "orders" else written(HEAD, [r for c in life.carts for r in c.rows()]))  # fmt: skip
        life.work()
        sane()
        assert not PendingReaction.objects.filter(state="pending", not_before=None).exists()

    afresh(life)


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 10**9))
@QUICK
def test_carts_over_many_suppliers_are_bought_once(home, suppliers, carts, seed):
    """Σ allocated = what could be served; the second run makes nothing."""

    def life():
        life = Life(suppliers, carts, random.Random(seed))
        life.work()
        for line in OrderLine.objects.filter(kind="goods"):
            held = line.holds.filter(released_at=None)
            assert line.allocated + sum(hold.params["units"] for hold in held) == line.quantity
        before = state_of_everything()
        again = work_until_idle(at=life.at)
        assert again == {} and state_of_everything() == before
        sane()

    afresh(life)


def state_of_everything() -> dict[str, Counter]:
    """All that matters, without ids: what an order and its purchases, parcels, money and messages came to."""
    counted = ("status", "allocated", "purchased", "accepted", "shipped", "delivered", "cancelled")
    bought = ("order__number", "supplier__code", "state", "accepted", "rejected", "shipped")
    told = Message.objects.filter(kind__in=["order_received", "dispatched"])
    sums = _sums(Posting.objects.values_list("account__code", "currency", "amount"))
    return {
        "orders": Counter(Order.objects.values_list("number", *counted)),
        "purchases": Counter(PurchaseOrder.objects.values_list(*bought)),
        "parcels": Counter(Parcel.objects.values_list("order__number", "number", "state", "units", "delivered_at")),
        "notices": Counter(DispatchNotice.objects.values_list("parcel__number", "version")),
        "messages": Counter(told.values_list("order__number", "kind", "version")),
        "books": Counter({(code, currency): amount for code, currency, amount in sums}),
    }


def _sums(rows) -> list[tuple[str, str, Decimal]]:
    sums: dict[tuple[str, str], Decimal] = {}
    for code, currency, amount in rows:
        sums[code, currency] = sums.get((code, currency), Decimal(0)) + amount
    return [(*key, amount) for key, amount in sums.items()]


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 10**9), st.data())
@QUICK
def test_the_same_files_in_any_order_and_repeated_come_to_the_same(home, suppliers, carts, seed, data):
    """Invariant 13: truthful replies cut into files, then scans cut into files, each mixed up and read one to three times."""
    results = []

    def life(mixed: bool):
        dice = random.Random(seed)
        life = Life(suppliers, carts, dice)
        Store.objects.update(stock_buffer=0)
        life.work()
        for run in PurchaseRun.objects.filter(state="fixed"):
            place_purchases.confirm_run(run.pk, by=cast.BY, at=life.at)
        life.at += 40 * HOUR
        replies: list[tuple[Supplier, bytes]] = []
        for purchase in PurchaseOrder.objects.filter(state="placed").select_related("supplier").order_by("pk"):
            for line in purchase.lines.order_by("line_no"):
                rows, left = [[purchase.reference, line.line_no, line.quantity, "", "", "", ""]], line.quantity
                while left:
                    units = dice.randint(1, left)
                    key = f"{purchase.order.number}{line.order_line.sku}{purchase.supplier.code}{left}"
                    rows.append([purchase.reference, line.line_no, line.quantity, units, f"YT{sum(map(ord, key)):06d}{abs(hash_of(key)) % 10**7:07d}", "Royal Mail", ""])  # fmt: skip
                    left -= units
                replies += [(purchase.supplier, written(REPLY, [row])) for row in rows]
        for supplier, content in shuffled(replies, mixed):
            read(life.shop, "replies", content, life.at, supplier)
            if mixed and data.draw(st.booleans()):
                react(at=life.at)
        work_until_idle(at=life.at)
        life.at += 100 * HOUR
        scans = []
        for parcel in Parcel.objects.order_by("number"):
            hours = [90, 70, 50, 40]
            for status in dice.sample(["In transit", "Out for delivery", "Exception", "Delivered", "Returned to sender"], 3):
                when = life.at - timedelta(hours=dice.choice(hours))
                row = [parcel.number, when.strftime("%Y-%m-%d %H:%M:%S"), status, "Leeds"]
                scans.append((None, written(["Tracking number", "Time", "Status", "Place"], [row])))
        for _, content in shuffled(scans, mixed):
            read(life.shop, "tracking", content, life.at)
        work_until_idle(at=life.at)
        sane()
        results.append(state_of_everything())

    def shuffled(files: list, mixed: bool) -> list:
        if not mixed:
            return files
        order = data.draw(st.permutations(range(len(files)))) if files else []
        return [files[i] for i in order for _ in range(data.draw(st.integers(1, 2)))]

    for mixed in (False, True):
        afresh(lambda mixed=mixed: life(mixed))
    for what, expected in results[0].items():
        assert results[1][what] == expected, what


def hash_of(key: str) -> int:
    from hashlib import blake2b

    return int.from_bytes(blake2b(key.encode(), digest_size=6).digest(), "big")
