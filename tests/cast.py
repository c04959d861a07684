"""The shop that journeys play in: one own-site store, a plain factory served by mail, a supplier with a system.

Made with the house's own commands, so that what a journey finds is what a merchant would have.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from daifa.connectors.contract import IncomingOffer, IncomingProduct
from daifa.domain.catalog.commands import import_products
from daifa.domain.history.commands import ensure_months
from daifa.domain.imports.models import ImportFile
from daifa.domain.sourcing.commands import add_supplier, import_offers, record_agreement
from daifa.domain.sourcing.models import Supplier
from daifa.domain.stores.commands import add_fee_rule, add_store, ensure_installation
from daifa.domain.stores.models import Store

MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)
BY = "user:1"
FROM_FACTORY, FROM_SYSTEM = "MUG", "LAMP"
"""SKUs: the first comes from the plain factory, the second from the supplier with a system."""

_HEADING = (
    "Order number", "Date", "SKU", "Title", "Quantity", "Unit price", "Currency", "Customer", "Name", "Address", "City",
    "Postcode", "Country", "Email",
)  # fmt: skip


@dataclass(frozen=True)
class Shop:
    store: Store
    factory: Supplier
    system: Supplier


def open_shop(*, code: str = "gifts", at: datetime = MORNING) -> Shop:
    """Store in GBP with fees; the factory asks CNY and freight a parcel, the system GBP."""
    ensure_installation(at)
    ensure_months(at.date(), (at + timedelta(days=60)).date())
    store = add_store(
        code=code,
        name="Example Gifts",
        currency="GBP",
        kind="own_site",
        country="GB",
        timezone="Europe/London",
        by=BY,
        at=at,
    )
    add_fee_rule(
        store_id=store.pk, name="card", percent="2.9", fixed="0.30", valid_from=at.date(), by=BY, at=at
    )
    import_products(
        [
            IncomingProduct(row=1, handle="mug", title="Ceramic mug", sku=FROM_FACTORY, price=Decimal("12.00")),
            IncomingProduct(row=2, handle="lamp", title="Desk lamp", sku=FROM_SYSTEM, price=Decimal("30.00")),
        ],
        by=BY, at=at,
    )  # fmt: skip
    factory = add_supplier(
        code=f"{code}-factory", name="Factory", kind="workbook", delivery="mail", currency="CNY",
        email="factory@example.invalid", parcel_freight=Decimal("8.00"), by=BY, at=at,
    )  # fmt: skip
    system = add_supplier(
        code=f"{code}-system", name="System", kind="fake", currency="GBP", script={"seed": 3, "ship_hours": 20, "transit_hours": 60},
        by=BY, at=at,
    )  # fmt: skip
    for supplier, sku, price in ((factory, FROM_FACTORY, "28.50"), (system, FROM_SYSTEM, "11.00")):
        record_agreement(supplier_id=supplier.pk, store_id=store.pk, valid_from=at.date(), entrusted_on=at.date(), by=BY, at=at)
        offer = IncomingOffer(
            row=1,
            supplier_sku=f"{supplier.code}-{sku}",
            sku=sku,
            price=Decimal(price),
            stock=100_000,
            lead_days=3,
            rank=1,
        )
        import_offers(supplier, [offer], by=BY, at=at)
    return Shop(store, factory, system)


def order_file(
    numbers: list[str], *, skus: tuple[str, ...] = (FROM_FACTORY, FROM_SYSTEM), at: datetime = MORNING
) -> bytes:
    """What the store exports: one line a SKU, two units each."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_HEADING)
    for number in numbers:
        for sku in skus:
            writer.writerow([
                number, at.strftime("%Y-%m-%d %H:%M:%S"), sku, sku.title(), 2, {"MUG": "12.00"}.get(sku, "30.00"), "GBP",
                f"C{number}", "Anna Wood", "1 High Street", "Leeds", "LS1 4AP", "GB", f"anna{number}@example.invalid",
            ])  # fmt: skip
    return text.getvalue().encode()


def receive_orders(
    shop: Shop,
    numbers: list[str],
    *,
    skus: tuple[str, ...] = (FROM_FACTORY, FROM_SYSTEM),
    at: datetime = MORNING,
) -> ImportFile:
    """Bring an order file in by the front door."""
    return read_file(shop, "orders", "orders.csv", order_file(numbers, skus=skus, at=at), at=at)


def read_file(
    shop: Shop, kind: str, name: str, content: bytes, *, at: datetime, supplier: Supplier | None = None
) -> ImportFile:
    from daifa.flows import intake

    file = intake.receive_file(
        kind=kind,
        name=name,
        content=content,
        store=None if supplier else shop.store,
        supplier=supplier,
        by=BY,
        at=at,
    )
    return intake.read_file(file.pk, by=BY, at=at)


def answer_run(shop: Shop, run_id: int, *, at: datetime, number: str = "RM{:09d}GB") -> ImportFile:
    """The factory sends its workbook back: everything accepted, one waybill a purchase."""
    from python_calamine import CalamineWorkbook

    from daifa.domain.purchasing.models import PurchaseRun
    from daifa.lib.sheets import Column, Table, write_xlsx

    run = PurchaseRun.objects.get(pk=run_id)
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(bytes(run.content))).get_sheet_by_index(0).to_python()
    numbers: dict[str, str] = {}
    rows = []
    for row in sheet[1:]:
        waybill = numbers.setdefault(str(row[0]), number.format(int(str(row[0]).split("-")[1])))
        rows.append(
            [
                row[0],
                str(int(row[1])),
                *(str(cell) for cell in row[2:-5]),
                int(row[4]),
                int(row[4]),
                "Royal Mail",
                waybill,
                "",
            ]
        )
    buffer = io.BytesIO()
    write_xlsx(buffer, Table("Sheet1", [Column(str(title)) for title in sheet[0]], rows))
    return read_file(shop, "replies", "reply.xlsx", buffer.getvalue(), at=at, supplier=shop.factory)


def tell_tracking(shop: Shop, events: list[tuple[str, datetime, str]], *, at: datetime) -> ImportFile:
    """A carrier's file: (number, time, words)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["Tracking number", "Time", "Status", "Place"])
    for number, when, status in events:
        writer.writerow([number, when.strftime("%Y-%m-%d %H:%M:%S"), status, "Leeds"])
    return read_file(shop, "tracking", "tracking.csv", text.getvalue().encode(), at=at)


def whole_loop(shop: Shop, numbers: list[str], *, at: datetime = MORNING) -> datetime:
    """Orders received, bought from both suppliers, shipped, delivered and told; returns the time it ended."""
    from daifa.domain.purchasing.models import PurchaseRun
    from daifa.domain.shipping.models import Parcel
    from daifa.flows.work import work_until_idle

    receive_orders(shop, numbers, at=at)
    work_until_idle(at=at)
    at += timedelta(hours=30)
    for run in PurchaseRun.objects.filter(supplier=shop.factory, state="placed").order_by("pk"):
        answer_run(shop, run.pk, at=at)
    work_until_idle(at=at)
    at += timedelta(hours=120)
    moving = Parcel.objects.filter(store=shop.store, supplier=shop.factory, delivered_at=None).values_list(
        "number", flat=True
    )
    tell_tracking(shop, [(number, at - timedelta(hours=1), "Delivered") for number in moving], at=at)
    work_until_idle(at=at)
    return at


def open_one_case_each(shop: Shop, *, at: datetime, order: str = "") -> dict[str, int]:
    """A violation with an appeal, a deposit, a complaint and an infringement notice; name → id."""
    from daifa.domain.cases import commands as cases

    found = {}
    found["violation"] = cases.add_violations(
        [cases.NewViolation("V-1", at, "late_dispatch", points=Decimal(2), orders=(order,) if order else ())],
        store=shop.store, source=BY, by=BY, at=at,
    ).added[0]  # fmt: skip
    found["appeal"] = cases.open_appeal(violation_id=found["violation"], text="It left in time.", by=BY, at=at).pk
    found["move"] = cases.move_deposit(
        [cases.NewMove("paid_in", Decimal(500), at, "D-1")], store=shop.store, by=BY, at=at
    ).added[0]
    found["complaint"] = cases.open_complaints(
        [cases.NewComplaint("foreign_card", "There was a card of another shop in it.", at, "C-1", order)],
        store=shop.store, source=BY, by=BY, at=at,
    ).added[0]  # fmt: skip
    found["infringement"] = cases.open_infringement(
        cases.NewInfringement("I-1", at, "trademark", "Holder"), store=shop.store, source=BY, by=BY, at=at
    ).pk
    return found
