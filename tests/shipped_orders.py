"""Orders and parcels written straight into the tables, for tests of what follows them: messages and notices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from daifa.domain.catalog.models import Product, Variant
from daifa.domain.customers.models import Consent, Customer
from daifa.domain.fulfilment.models import FulfilmentLine, FulfilmentOrder
from daifa.domain.orders.models import AddressVersion, Order, OrderLine
from daifa.domain.purchasing.models import PurchaseLine, PurchaseOrder
from daifa.domain.shipping.models import Parcel, ParcelLine, WaybillNumber
from daifa.domain.sourcing.models import SkuMapping, Supplier, SupplierOffer
from daifa.domain.stores.models import Store

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
_numbers = count(1)


def store(code: str = "gifts", **fields) -> Store:
    return Store.objects.create(
        **{
            "code": code,
            "name": "Example Gifts",
            "currency": "GBP",
            "timezone": "Europe/London",
            "created_at": NOON,
        }
        | fields
    )


def order(
    shop: Store,
    *,
    email: str = "anna@buyers.example.com",
    goods=(("MUG", "Ceramic mug", 2),),
    consent=False,
    **fields,
):
    """A paid order for Anna Wood; `goods` are (sku, title, quantity)."""
    number = next(_numbers)
    customer = Customer.objects.create(store=shop, ref=f"c{number}", email=email, first_seen_at=NOON)
    if consent:
        Consent.objects.create(
            customer=customer, purpose="review", granted_at=NOON, proof="ticked at checkout"
        )
    row = Order.objects.create(
        **{
            "store": shop, "number": f"E-{number}", "customer": customer, "placed_at": NOON, "paid_at": NOON, "currency": "GBP",
            "total_amount": Decimal("42.50"), "content_hash": b"x" * 16, "source": "test", "address_version": 1,
            "units": sum(quantity for _sku, _title, quantity in goods),
        } | fields
    )  # fmt: skip
    AddressVersion.objects.create(
        order=row, version=1, name="Anna Wood", line1="1 High Street", city="Leeds", country="GB", email=email,
        digest=b"x" * 32, at=NOON,
    )  # fmt: skip
    for line_no, (sku, title, quantity) in enumerate(goods, 1):
        OrderLine.objects.create(
            order=row, line_no=line_no, sku=sku, title=title, quantity=quantity, unit_price=Decimal("10"),
            amount=Decimal(10) * quantity,
        )  # fmt: skip
    return row


def parcel(of: Order, *, number: str = "LX123456785CN", carrier: str = "China Post", **fields) -> Parcel:
    """A parcel with everything of the order in it, handed over two days after it was placed."""
    supplier, _ = Supplier.objects.get_or_create(
        code="kiln", defaults={"name": "Kiln", "currency": "CNY", "created_at": NOON}
    )
    row = Parcel.objects.create(
        **{
            "store": of.store, "order": of, "supplier": supplier, "carrier": carrier, "number": number, "state": "handed_over",
            "announced_at": NOON + timedelta(days=1), "handed_over_at": NOON + timedelta(days=2),
        } | fields
    )  # fmt: skip
    WaybillNumber.objects.create(
        parcel=row, version=1, number=number, carrier=carrier, source="test", at=NOON
    )
    address = of.addresses.get()
    fulfilment = FulfilmentOrder.objects.create(
        store=of.store, order=of, supplier=supplier, address=address, state="assigned", at=NOON
    )
    purchase = PurchaseOrder.objects.create(
        store=of.store, order=of, supplier=supplier, fulfilment_order=fulfilment, address=address,
        reference=f"TEST-{next(_numbers)}", state="placed", currency="CNY", goods_amount=1, units=1, at=NOON,
    )  # fmt: skip
    for line in of.lines.order_by("line_no"):
        product, _ = Product.objects.get_or_create(
            handle=line.sku, defaults={"title": line.title, "created_at": NOON}
        )
        variant, _ = Variant.objects.get_or_create(
            sku=line.sku, defaults={"product": product, "created_at": NOON}
        )
        offer, _ = SupplierOffer.objects.get_or_create(
            supplier=supplier, supplier_sku=f"K-{line.sku}", defaults={"price": 1, "read_at": NOON}
        )
        mapping, _ = SkuMapping.objects.get_or_create(
            variant=variant,
            offer=offer,
            defaults={"supplier_sku": offer.supplier_sku, "by": "test", "at": NOON},
        )
        frozen = {
            "order_line": line, "offer": offer, "mapping": mapping, "mapping_version": 1, "supplier_sku": offer.supplier_sku,
            "quantity": line.quantity, "unit_cost": 1,
        }  # fmt: skip
        wanted = FulfilmentLine.objects.create(fulfilment_order=fulfilment, **frozen)
        bought = PurchaseLine.objects.create(
            purchase_order=purchase, line_no=line.line_no, fulfilment_line=wanted, **frozen
        )
        ParcelLine.objects.create(
            parcel=row,
            purchase_line=bought,
            order_line=line,
            quantity=line.quantity,
            order_quantity=line.quantity,
        )
    return row


def new_number(of: Parcel, number: str) -> None:
    """The supplier replaces the number of a parcel."""
    version = of.numbers.count() + 1
    WaybillNumber.objects.create(
        parcel=of,
        version=version,
        number=number,
        carrier=of.carrier,
        source="test",
        at=NOON + timedelta(days=3),
    )
    of.numbers.filter(version__lt=version).update(is_active=False)
    of.number = number
    of.save(update_fields=["number"])
