"""Orders with their purchases, answers, parcels and refunds, written straight into the tables: for tests of the books.

Rows are as the loop's commands leave them; only what the books read is filled with care.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from daifa.domain.aftersales.models import Refund, RefundLine
from daifa.domain.catalog.models import Product, Variant
from daifa.domain.fulfilment.models import FulfilmentLine, FulfilmentOrder
from daifa.domain.orders.models import AddressVersion, Order, OrderLine
from daifa.domain.purchasing.models import PurchaseAnswer, PurchaseLine, PurchaseOrder
from daifa.domain.shipping.models import Parcel, ParcelLine
from daifa.domain.sourcing.models import SkuMapping, Supplier, SupplierOffer
from daifa.domain.stores.models import Store

PAID = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
_numbers = count(1)


def store(code: str = "gifts", **fields) -> Store:
    return Store.objects.create(
        **{"code": code, "name": "Example Gifts", "currency": "GBP", "timezone": "Europe/London", "created_at": PAID} | fields
    )  # fmt: skip


def supplier(code: str = "kiln", currency: str = "GBP") -> Supplier:
    return Supplier.objects.get_or_create(
        code=code, defaults={"name": code.title(), "currency": currency, "created_at": PAID}
    )[0]


def order(shop: Store, lines: Sequence[tuple[str, int, str]], **fields) -> Order:
    """A paid order; `lines` are (kind, quantity, amount)."""
    amounts = [Decimal(amount) for _, _, amount in lines]
    row = Order.objects.create(
        **{
            "store": shop, "number": f"B-{next(_numbers)}", "placed_at": PAID, "paid_at": PAID, "currency": shop.currency,
            "total_amount": sum(amounts, Decimal(0)), "content_hash": b"x" * 16, "source": "test", "address_version": 1,
            "units": sum(quantity for kind, quantity, _ in lines if kind == "goods"),
        } | fields
    )  # fmt: skip
    AddressVersion.objects.create(order=row, version=1, name="Anna Wood", digest=b"x" * 32, at=PAID)
    for number, ((kind, quantity, _), amount) in enumerate(zip(lines, amounts, strict=True), 1):
        OrderLine.objects.create(
            order=row, line_no=number, kind=kind, sku=f"SKU-{number}", quantity=quantity,
            unit_price=amount / quantity, amount=amount,
        )  # fmt: skip
    return row


def line(of: Order, number: int) -> OrderLine:
    return of.lines.get(line_no=number)


def _offer(of: Supplier) -> tuple[SupplierOffer, SkuMapping]:
    product, _ = Product.objects.get_or_create(handle="mug", defaults={"title": "Mug", "created_at": PAID})
    variant, _ = Variant.objects.get_or_create(sku="MUG", defaults={"product": product, "created_at": PAID})
    offer, _ = SupplierOffer.objects.get_or_create(
        supplier=of, supplier_sku="K-MUG", defaults={"price": 1, "read_at": PAID}
    )
    mapping, _ = SkuMapping.objects.get_or_create(
        variant=variant, offer=offer, defaults={"supplier_sku": "K-MUG", "by": "test", "at": PAID}
    )
    return offer, mapping


def purchase(
    of: Order, lines: Sequence[tuple[int, int, str, str]], *, of_supplier: Supplier | None = None, rate: str = "1",
    parcel_freight: str = "0", kind: str = "sale",
) -> PurchaseOrder:  # fmt: skip
    """A placed purchase; `lines` are (order line number, supplier units, unit cost, unit freight)."""
    whom = of_supplier or supplier()
    address = of.addresses.get()
    offer, mapping = _offer(whom)
    fulfilment = FulfilmentOrder.objects.create(
        store=of.store, order=of, supplier=whom, address=address, state="assigned", at=PAID
    )
    goods = sum((units * Decimal(cost) for _, units, cost, _ in lines), Decimal(0))
    freight = Decimal(parcel_freight) + sum(
        (units * Decimal(each) for _, units, _, each in lines), Decimal(0)
    )
    row = PurchaseOrder.objects.create(
        store=of.store, order=of, supplier=whom, fulfilment_order=fulfilment, address=address,
        reference=f"TEST-{next(_numbers)}", state="placed", currency=whom.currency, fx_rate=Decimal(rate),
        goods_amount=goods, freight_amount=freight, units=sum(units for _, units, *_ in lines), at=PAID,
    )  # fmt: skip
    for number, (of_line, units, cost, each) in enumerate(lines, 1):
        frozen = {
            "order_line": line(of, of_line), "offer": offer, "mapping": mapping, "mapping_version": 1,
            "supplier_sku": "K-MUG", "quantity": units, "unit_cost": Decimal(cost), "unit_freight": Decimal(each),
        }  # fmt: skip
        wanted = FulfilmentLine.objects.create(fulfilment_order=fulfilment, kind=kind, **frozen)
        PurchaseLine.objects.create(purchase_order=row, line_no=number, fulfilment_line=wanted, **frozen)
    return row


def answer(of: PurchaseOrder, accepted: Mapping[int, int], at: datetime = PAID + DAY) -> int:
    """The supplier accepts units of lines {line number: units}; the parcel's freight falls due with the first."""
    goods = freight = Decimal(0)
    lines = {each.line_no: each for each in of.lines.all()}
    first = not of.answers.exists()
    for number, units in accepted.items():
        goods += units * lines[number].unit_cost
        freight += units * lines[number].unit_freight
        lines[number].accepted += units
        lines[number].save(update_fields=["accepted"])
    if first:
        freight += of.freight_amount - sum(
            (each.quantity * each.unit_freight for each in lines.values()), Decimal(0)
        )
    return PurchaseAnswer.objects.create(
        purchase_order=of, source="test", goods_amount=goods, freight_amount=freight, rows=[], at=at
    ).pk


def parcel(
    of: PurchaseOrder, units: Mapping[int, int], *, handed_over_at: datetime | None = PAID + 2 * DAY,
    delivered_at: datetime | None = None, state: str = "handed_over",
) -> Parcel:  # fmt: skip
    """A parcel with units of purchase lines {line number: units}."""
    row = Parcel.objects.create(
        store=of.store, order=of.order, supplier=of.supplier, number=f"LX{next(_numbers):09d}CN", state=state,
        announced_at=PAID + DAY, handed_over_at=handed_over_at, delivered_at=delivered_at,
    )  # fmt: skip
    put_in(row, of, units)
    return row


def put_in(box: Parcel, of: PurchaseOrder, units: Mapping[int, int]) -> None:
    """Further units of purchase lines in a parcel that is already there."""
    for number, many in units.items():
        of_line = of.lines.get(line_no=number)
        ParcelLine.objects.create(
            parcel=box, purchase_line=of_line, order_line_id=of_line.order_line_id, quantity=many,
            order_quantity=many * of_line.factor,
        )  # fmt: skip


def refund(
    shop: Store,
    of: Order | None,
    amount: str,
    cancels: Mapping[int, int] | None = None,
    at: datetime = PAID + 5 * DAY,
    names: Mapping[int, int] | None = None,
) -> int:
    """A confirmed refund that cancels units of order lines {line number: units} nobody had shipped; `names`: others."""
    row = Refund.objects.create(
        store=shop, order=of, external_ref=f"C-{next(_numbers)}", state="confirmed",
        reason="credit_note" if of else "no_original", amount=Decimal(amount), currency=shop.currency, at=at,
        confirmed_at=at,
    )  # fmt: skip
    for number, units in (cancels or {}).items():
        assert of is not None
        of_line = line(of, number)
        of_line.cancelled += units
        of_line.save(update_fields=["cancelled"])
        RefundLine.objects.create(
            refund=row, order_line=of_line, quantity=units, cancelled=units, amount=units * of_line.unit_price
        )
    for number, units in (names or {}).items():
        assert of is not None
        of_line = line(of, number)
        RefundLine.objects.create(refund=row, order_line=of_line, quantity=units, amount=units * of_line.unit_price)
    return row.pk
