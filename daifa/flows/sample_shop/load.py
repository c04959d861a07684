"""Loading the sample shop: its orders are moved so that they end today, then lived through day by day.

Every day goes the way a real day goes: files are imported, lines routed, factories sent their workbooks and read back,
parcels tracked, buyers told, books posted. What goes wrong on the way is meant to: see `docs/sample-shop.md`.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from daifa.connectors.contract import IncomingOrder
from daifa.connectors.manual.columns import recognise
from daifa.connectors.manual.translate import read_orders
from daifa.domain.books.commands import NewPayment, pay_suppliers
from daifa.domain.books.queries import balances_of_suppliers
from daifa.domain.history.commands import ensure_months, move, open_batch
from daifa.domain.people.commands import invite_user
from daifa.domain.people.models import User
from daifa.domain.purchasing import commands as purchasing
from daifa.domain.purchasing.process import PURCHASE_RUN
from daifa.domain.sourcing.commands import add_supplier, record_agreement
from daifa.domain.sourcing.models import Supplier
from daifa.domain.stores.commands import add_fee_rule, add_store, ensure_installation, give_access
from daifa.domain.stores.models import Store
from daifa.flows import place_purchases
from daifa.flows.one_clock import moved_clock, unhurried_commits
from daifa.flows.react import react
from daifa.flows.release_holds import hold_orders
from daifa.flows.sample_shop import LOADED, LOADING, goods, is_empty_database
from daifa.flows.sample_shop.cut import DATA
from daifa.flows.sample_shop.factory import Factories
from daifa.flows.sample_shop.living import live_until, read_paper
from daifa.flows.sample_shop.seed import between, share
from daifa.lib import bulk, clock
from daifa.lib.refusal import Refused
from daifa.lib.sheets import read_sheet

ZONE = ZoneInfo("Europe/London")
EVENING = time(20, 45)
MARKETPLACE_SHARE = 0.03
BROKEN_FILE_DAY, CHANGED_ORDER_DAY, PAYING_DAY = 9, 24, 30
USERS = (("sample-operator", "operator"), ("sample-bookkeeper", "bookkeeper"))


class SampleStore(NamedTuple):
    code: str
    name: str
    kind: str
    channel: str
    currency: str
    fee_percent: str
    fee_fixed: str
    facts: dict[str, object]


STORES = (
    SampleStore("sample-gifts", "Sample gift shop", "manual", "manual", "GBP", "2.4", "0.20",
                {"timezone": "Europe/London", "language": "en", "country": "GB", "margin_floor": Decimal(5),
                 "transit_days": 13, "lost_days": 20, "dispatch_hours": 120, "reply_to": "shop@example.invalid", "message_cap": 10}),
    SampleStore("sample-europe", "Sample shop Europe", "own_site", "sample", "EUR", "2.9", "0.30",
                {"timezone": "Europe/London", "language": "en", "country": "DE", "margin_floor": Decimal(5),
                 "transit_days": 15, "lost_days": 22, "dispatch_hours": 120, "reply_to": "europe@example.invalid",
                 "review_invitations": True, "message_cap": 10}),
    SampleStore("sample-market", "Sample marketplace store", "marketplace", "marketplace", "GBP", "15", "0",
                {"timezone": "Europe/London", "language": "en", "country": "GB", "messages_allowed": False}),
)  # fmt: skip


def load(*, by: str, at: datetime, progress: Callable[[int, int], None] | None = None) -> dict[str, int]:
    """See `load_sample_shop`."""
    if not is_empty_database():
        raise Refused(
            _(
                "The sample shop loads only into an empty database; this one holds stores, suppliers, products or orders."
            ),
            code="not_empty",
        )
    counts: Counter[str] = Counter()
    rows = _moved(_rows(), at)
    days = sorted({_day(row) for row in rows})
    first, last = days[0], at.astimezone(ZONE).date()
    began = datetime.combine(first - timedelta(days=1), time(9), ZONE)
    with moved_clock(), unhurried_commits():
        ensure_installation(clock.now())
        open_batch(by=by, at=at, reason=LOADING)
        with clock.moved_to(began):
            ensure_months(began.date(), at.date())
            shop = _Shop.open(rows, by=by, at=began, counts=counts)
        factories = Factories(since=began)
        total = (last - first).days + 1
        for number in range(total):
            day = first + timedelta(days=number)
            moment = at if day == last else datetime.combine(day, EVENING, ZONE)
            with clock.moved_to(moment):
                shop.live_day(number, day, moment, factories, is_last=day == last)
            if number in (1, 4, 12):
                bulk.execute("ANALYZE")  # tables that were empty a moment ago: plans made for those would stay
            if progress is not None:
                progress(number + 1, total)
        open_batch(by=by, at=at, reason=LOADED)
    bulk.execute("ANALYZE")
    return dict(counts)


class _Shop:
    """The sample shop while it is being lived through."""

    def __init__(self, rows: Sequence[dict[str, str]], *, by: str, counts: Counter[str]) -> None:
        self.by = by
        self.counts = counts
        self.stores: dict[str, Store] = {}
        self.suppliers: dict[str, Supplier] = {}
        self.goods = goods_of_rows(rows)
        self.days: dict[date, dict[str, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            self.days[_day(row)][store_of(row)].append(row)

    @classmethod
    def open(cls, rows: Sequence[dict[str, str]], *, by: str, at: datetime, counts: Counter[str]) -> _Shop:
        """Stores, people, suppliers, agreements, catalogue and the first price lists."""
        shop = cls(rows, by=by, counts=counts)
        open_stores(shop.stores, by=by, at=at)
        _add_people(shop.stores.values(), by=by, at=at)
        add_suppliers(shop.suppliers, shop.stores.values(), by=by, at=at)
        main = shop.stores["sample-gifts"]
        shop._read(
            "products", "products.csv", goods.products_csv(shop.goods, main.currency), at=at, store=main
        )
        shop.read_price_lists(0, at=at)
        return shop

    def live_day(self, number: int, day: date, at: datetime, factories: Factories, *, is_last: bool) -> None:
        if number and number % 7 == 0:
            self.read_price_lists(number // 7, at=at)
            self._read_expenses(day - timedelta(days=7), day, at=at)
        for code, rows in sorted(self.days.get(day, {}).items()):
            self._read("orders", f"{day:%Y-%m-%d}-{code}.csv", csv_of(rows), at=at, store=self.stores[code],
                       options={"recipients": "generated"})  # fmt: skip
        if number == BROKEN_FILE_DAY:
            self._read("orders", "orders typed by hand.csv", BROKEN_FILE.format(day=day).encode(), at=at,
                       store=self.stores["sample-gifts"])  # fmt: skip
        if number == CHANGED_ORDER_DAY:
            self._change_an_order(at=at)
        if number == PAYING_DAY:
            self._pay_suppliers(day, at=at)
        if is_last:
            self._hold_by_hand(at=at)
            self._lose_sight_of_a_mail(at=at)
        live_until(at, factories=factories, by=self.by, counts=self.counts, hand_on=not is_last)
        if is_last:
            place_purchases.fix_runs(at=at, by=self.by, delivery="download")

    # -- what is read

    def _read(self, kind, name, content, *, at, store=None, supplier=None, options=None):
        return read_paper(
            kind=kind, name=name, content=content, store=store, supplier=supplier, options=options or {}, by=self.by,
            at=at, counts=self.counts,
        )  # fmt: skip

    def read_price_lists(self, week: int, *, at: datetime) -> None:
        for sample in goods.SUPPLIERS:
            self._read(
                "offers", f"{sample.code}-prices-week-{week}.csv", goods.offers_csv(self.goods, sample, week), at=at,
                supplier=self.suppliers[sample.code], options={"full": True},
            )  # fmt: skip

    def _read_expenses(self, first: date, last: date, *, at: datetime) -> None:
        for code, ads in (("sample-gifts", 620), ("sample-europe", 140)):
            store = self.stores[code]
            rows = [
                (
                    last,
                    "advertising",
                    ads + between(-90, 160, code, last, "ads"),
                    store.currency,
                    "Search and social ads",
                )
            ]
            if first.month != last.month or first.day <= 3:
                rows.append((last, "tools", 79, store.currency, "Shop system and mail tool"))
                rows.append((last, "platform", 35, store.currency, "Monthly plan"))
                rows.append((last, "other", 48, store.currency, "Samples and photographs"))
            out = io.StringIO()
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(["Date", "Kind", "Amount", "Currency", "Note"])
            writer.writerows(rows)
            self._read("expenses", f"expenses-{code}-{last}.csv", out.getvalue().encode(), at=at, store=store)

    # -- what goes wrong on purpose

    def _change_an_order(self, *, at: datetime) -> None:
        """The store sends an order once more, with another quantity, when it has long been purchased."""
        store = self.stores["sample-gifts"]
        found = bulk.fetch(
            """SELECT number FROM orders_order WHERE store_id = %s AND purchased > 0 AND delivered = 0
               AND placed_at < %s ORDER BY id DESC LIMIT 1""",
            (store.pk, at - timedelta(days=2)),
        )
        if not found:
            return
        number = found[0][0]
        rows = [
            dict(row)
            for days in self.days.values()
            for row in days.get("sample-gifts", ())
            if row["Invoice"] == number
        ]
        if rows:
            rows[0]["Quantity"] = str(int(rows[0]["Quantity"]) + 3)
            self._read("orders", f"order {number} changed.csv", csv_of(rows), at=at, store=store,
                       options={"recipients": "generated"})  # fmt: skip

    def _pay_suppliers(self, day: date, *, at: datetime) -> None:
        """Last month's goods are paid this month."""
        code_of = {supplier.pk: code for code, supplier in self.suppliers.items()}
        for store in self.stores.values():
            payments = [
                NewPayment(
                    store.pk,
                    supplier,
                    amount,
                    currency,
                    day,
                    "Monthly settlement",
                    f"sample:{store.code}:{supplier}:{day}",
                )
                for supplier, currency, amount in balances_of_suppliers([store.pk])
                if amount > 0 and code_of.get(supplier) in ("yiwu-craft", "leeds-trade", "jaipur-textile")
            ]
            pay_suppliers(payments, by=self.by, at=at)

    def _hold_by_hand(self, *, at: datetime) -> None:
        rows = bulk.fetch(
            """SELECT id FROM orders_order WHERE store_id = %s AND allocated = 0 AND open_holds = 0 AND units > 0
               ORDER BY id DESC LIMIT 2""",
            (self.stores["sample-gifts"].pk,),
        )
        hold_orders(
            [row[0] for row in rows], by=self.by, at=at, note="Buyer asked to wait for a second order"
        )

    def _lose_sight_of_a_mail(self, *, at: datetime) -> None:
        """What a crash in the middle of mailing a run leaves behind: nobody knows whether it was sent."""
        react(at=at)
        runs = place_purchases.fix_runs(at=at, by=self.by, supplier_id=self.suppliers["leeds-trade"].pk)
        if not runs:
            return
        with transaction.atomic():
            ((sha256,),) = bulk.fetch("SELECT sha256 FROM purchasing_purchaserun WHERE id = %s", (runs[0],))
            bulk.execute("UPDATE purchasing_purchaserun SET times_sent = 1 WHERE id = %s", (runs[0],))
            purchasing.prepare_run_attempt(runs[0], send_number=1, sha256=sha256, at=at)
            move(PURCHASE_RUN, runs[:1], to="sending", by=self.by, at=at)


BROKEN_FILE = """Order number,Order date,SKU,Title,Quantity,Unit price,Recipient,Address line 1,City,Postcode,Country
P-1001,{day} 10:12:00,22423,Regency Cakestand 3 Tier,2,12.75,Tessa Wexcombe,4 Foxglove Avenue,York,YO10 4AB,GB
P-1002,{day} 10:40:00,85123A,White Hanging Heart,ten,2.95,Peter Oakden,17 Millrace Walk,Leeds,LS6 2QT,GB
P-1003,{day} 11:05:00,4.71E+05,Paper Chain Kit,6,2.55,Iris Marlow,8 Orchard Bank,Exeter,EX4 9HH,GB
P-1004,{day} 11:30:00,22086,Paper Chain Kit 50's,0,2.95,Nathan Dunmore,61 Lantern Street,Bristol,BS3 1TT,GB
P-1005,last Tuesday,22086,Paper Chain Kit 50's,3,2.95,Kate Ashdown,2 Harbour Steps,Norwich,NR2 4RD,GB
P-1006,{day} 12:10:00,NO-SUCH-SKU,Something we never sold,1,9.99,Simon Garside,30 Tanner's Yard,Cardiff,CF10 3NP,GB
P-1007,{day} 12:45:00,22086,Paper Chain Kit 50's,2,2.95,,,,,
"""


def open_stores(found: dict[str, Store], *, by: str, at: datetime) -> None:
    for sample in STORES:
        store = add_store(
            code=sample.code, name=sample.name, currency=sample.currency, kind=sample.kind, channel=sample.channel,
            is_sample=True, by=by, at=at, **sample.facts,
        )  # fmt: skip
        found[sample.code] = store
        add_fee_rule(
            store_id=store.pk, name="Payment provider" if sample.kind != "marketplace" else "Marketplace commission",
            percent=sample.fee_percent, fixed=sample.fee_fixed, valid_from=at.date(), by=by, at=at,
        )  # fmt: skip


def add_suppliers(found: dict[str, Supplier], stores: Iterable[Store], *, by: str, at: datetime) -> None:
    """The made-up suppliers, and their agreements with every store that is no marketplace; one has none on purpose."""
    stores = [store for store in stores if store.kind != "marketplace"]
    for sample in goods.SUPPLIERS:
        supplier = add_supplier(
            code=sample.code, name=sample.name, currency=sample.currency, kind=sample.kind, delivery=sample.delivery,
            email=f"orders@{sample.code}.example.invalid", language=sample.language, country=sample.country,
            parcel_freight=sample.parcel_freight, handling_days=sample.handling_days, ships_to=list(sample.ships_to),
            script={"seed": 1, "refuse": 0.02, "short": 0.02, "timeout": 0.03, "ship_hours": 30, "transit_hours": 110,
                    "lost": 0.004, "returned": 0.004, "carrier": sample.carrier} if sample.kind == "fake" else {},
            is_sample=True, by=by, at=at,
        )  # fmt: skip
        found[sample.code] = supplier
        if sample.code == "guangzhou-paper":
            continue
        for store in stores:
            record_agreement(
                supplier_id=supplier.pk, store_id=store.pk, valid_from=at.date(), entrusted_on=at.date(), by=by, at=at,
                note="Sample: ships one by one, neutral packing, no cards",
            )  # fmt: skip


def _add_people(stores: Iterable[Store], *, by: str, at: datetime) -> None:
    stores = list(stores)
    for username, role in USERS:
        if not User.objects.filter(username=username).exists():
            user, _token = invite_user(username=username, by=by, at=at)
            give_access([(user.pk, store.pk, role) for store in stores], by=by, at=at)


# --- The rows ---------------------------------------------------------------------------------------------------


def _rows() -> list[dict[str, str]]:
    with gzip.open(DATA, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _moved(rows: list[dict[str, str]], at: datetime) -> list[dict[str, str]]:
    """The rows with their days moved so that the last one is today; today's times fit into what is past of it."""
    now = at.astimezone(ZONE).replace(tzinfo=None)
    last = max(row["InvoiceDate"] for row in rows)[:10]
    shift = now.date() - date.fromisoformat(last)
    midnight = datetime.combine(now.date(), time())
    part = (now - midnight) / timedelta(days=1)
    moved = []
    for row in rows:
        when = datetime.fromisoformat(row["InvoiceDate"]) + shift
        if when.date() == now.date():
            when = midnight + (when - midnight) * part
        moved.append({**row, "InvoiceDate": when.isoformat(sep=" ", timespec="seconds")})
    return moved


def _day(row: dict[str, str]) -> date:
    return date.fromisoformat(row["InvoiceDate"][:10])


def store_of(row: dict[str, str]) -> str:
    """Which sample store an invoice belongs to: abroad → the European shop, a few → the marketplace, the rest → gifts."""
    if row["Country"] != "United Kingdom":
        return "sample-europe"
    buyer = row["Customer ID"] or row["Invoice"]
    return "sample-market" if share(buyer, "market") < MARKETPLACE_SHARE else "sample-gifts"


def csv_of(rows: Sequence[dict[str, str]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def goods_of_rows(rows: Sequence[dict[str, str]]) -> list[goods.Good]:
    """The catalogue that these rows need, as the importer will read their SKUs."""
    sheet = read_sheet(io.BytesIO(csv_of(rows)), name="orders.csv")
    records = read_orders(sheet, layout=recognise(sheet.header, kind="orders"), store_currency="GBP", tz=ZONE)
    return goods.goods_of(
        line for record in records if isinstance(record, IncomingOrder) for line in record.lines
    )
