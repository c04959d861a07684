"""An order's day: from the store's file to the door, the buyer told, the books closed, the audit clean."""

from datetime import timedelta
from decimal import Decimal

import pytest

from daifa.domain.books.models import Posting
from daifa.domain.fulfilment.models import FulfilmentLine, RoutingDecision
from daifa.domain.history.models import PendingReaction
from daifa.domain.messages.models import Message
from daifa.domain.orders.models import Hold, Order
from daifa.domain.purchasing.models import PurchaseLine, PurchaseOrder, PurchaseRun
from daifa.domain.shipping.models import DispatchNotice, Parcel
from daifa.flows.audit import audit
from daifa.flows.work import work_until_idle
from tests import cast

pytestmark = pytest.mark.django_db


def books_in_text() -> dict[tuple[str, str], Decimal]:
    """(account, currency) → balance, zero ones left out."""
    sums: dict[tuple[str, str], Decimal] = {}
    for code, currency, amount in Posting.objects.values_list("account__code", "currency", "amount"):
        sums[code, currency] = sums.get((code, currency), Decimal(0)) + amount
    return {key: amount for key, amount in sorted(sums.items()) if amount}


def test_two_lines_from_two_suppliers_reach_the_buyer(django_capture_on_commit_callbacks):
    shop = cast.open_shop()
    cast.whole_loop(shop, ["1001"])

    order = Order.objects.get(number="1001")
    assert (order.status, order.units, order.allocated, order.purchased, order.shipped, order.delivered) == (
        "delivered", 4, 4, 4, 4, 4,
    )  # fmt: skip
    assert set(PurchaseOrder.objects.values_list("state", flat=True)) == {"closed"}
    assert PurchaseRun.objects.count() == 1
    assert set(Parcel.objects.values_list("state", flat=True)) == {"delivered"}
    assert DispatchNotice.objects.count() == 2
    kinds = list(Message.objects.filter(state="sent").order_by("kind").values_list("kind", flat=True))
    assert kinds.count("order_received") == 1 and kinds.count("dispatched") == 2 and kinds.count("delivered") == 2
    assert not PendingReaction.objects.filter(state__in=["pending", "parked"]).exists()
    assert audit() == []


def test_books_of_a_delivered_order():
    shop = cast.open_shop()
    cast.whole_loop(shop, ["1001"])
    books = books_in_text()
    fee = Decimal("2.74")  # 2.9 % of 84.00 = 2.436 → 2.44, and 0.30
    assert books["1100", "GBP"] == Decimal("84.00") - fee
    assert books["4000", "GBP"] == Decimal("-84.00")
    assert books["6100", "GBP"] == fee
    # two mugs at 28.50 and 8.00 freight in CNY, two lamps at 11.00 in GBP
    assert books["2000", "CNY"] == Decimal("-65.00")
    assert books["2000", "GBP"] == Decimal("-22.00")
    assert ("2100", "GBP") not in books and ("1300", "GBP") not in books
    for currency in ("GBP", "CNY"):
        assert sum(amount for (_, unit), amount in books.items() if unit == currency) == 0


def test_the_same_file_twice_changes_nothing():
    shop = cast.open_shop()
    cast.receive_orders(shop, ["1", "2", "3"])
    work_until_idle(at=cast.MORNING)
    before = (Order.objects.count(), PurchaseOrder.objects.count(), Message.objects.count(), Posting.objects.count())
    again = cast.receive_orders(shop, ["1", "2", "3"])
    work_until_idle(at=cast.MORNING)
    assert again.counts["used"] == {"order_unchanged": 6}
    assert (Order.objects.count(), PurchaseOrder.objects.count(), Message.objects.count(), Posting.objects.count()) == before
    assert audit() == []


def test_short_and_refused_units_are_routed_again_until_nobody_is_left():
    shop = cast.open_shop()
    cast.receive_orders(shop, ["1"], skus=("MUG",))
    work_until_idle(at=cast.MORNING)
    purchase = PurchaseOrder.objects.get()
    reply = f"Our reference,Line,Supplier SKU,Accepted quantity,Reason\n{purchase.reference},1,gifts-factory-MUG,1,short\n"
    file = cast.read_file(
        shop, "replies", "reply.csv", reply.encode(), at=cast.MORNING + timedelta(hours=3), supplier=shop.factory
    )
    assert (file.state, file.rows_used, file.rows_refused) == ("done", 1, 0)
    work_until_idle(at=cast.MORNING + timedelta(hours=3))

    line = PurchaseLine.objects.get()
    assert (line.quantity, line.accepted, line.rejected) == (2, 1, 1)
    fulfilled = FulfilmentLine.objects.get()
    assert (fulfilled.quantity, fulfilled.superseded) == (2, 1)
    order = Order.objects.get()
    assert (order.units, order.allocated, order.status) == (2, 1, "on_hold")
    hold = Hold.objects.get(released_at=None)
    assert (hold.reason, hold.params["units"]) == ("supplier_rejected", 1)
    last = RoutingDecision.objects.order_by("-pk").first().decision
    assert last[0]["lost"][0][1] == "supplier_rejected"
    assert audit() == []


def test_a_line_nobody_mapped_is_held_and_goes_on_once_it_is():
    from daifa.connectors.contract import IncomingOffer, IncomingProduct
    from daifa.domain.catalog.commands import import_products
    from daifa.domain.sourcing.commands import import_offers

    shop = cast.open_shop()
    cast.receive_orders(shop, ["1"], skus=("VASE",))
    work_until_idle(at=cast.MORNING)
    assert Hold.objects.get().reason == "mapping_missing"
    assert PurchaseOrder.objects.count() == 0

    import_products([IncomingProduct(row=1, handle="vase", title="Vase", sku="VASE")], by=cast.BY, at=cast.MORNING)
    import_offers(
        shop.factory, [IncomingOffer(row=1, supplier_sku="F-VASE", sku="VASE", price=Decimal("20"))], by=cast.BY, at=cast.MORNING
    )
    from daifa.flows.intake import route_held_variants

    route_held_variants(list(Order.objects.get().lines.values_list("variant", flat=True)) or [0], at=cast.MORNING)
    from daifa.domain.catalog.models import Variant

    route_held_variants([Variant.objects.get(sku="VASE").pk], at=cast.MORNING)
    work_until_idle(at=cast.MORNING)
    assert Hold.objects.filter(released_at=None).count() == 0
    assert PurchaseLine.objects.get().supplier_sku == "F-VASE"
    assert audit() == []


def test_a_mapping_that_breaks_holds_the_line_and_nothing_is_bought():
    from daifa.domain.sourcing.models import SupplierOffer

    shop = cast.open_shop()
    SupplierOffer.objects.filter(supplier=shop.factory).update(supplier_sku="renamed")
    cast.receive_orders(shop, ["1"], skus=("MUG",))
    work_until_idle(at=cast.MORNING)
    assert Hold.objects.get().reason == "mapping_broken"
    assert PurchaseOrder.objects.count() == 0


def test_marketplaces_are_closed_and_say_why():
    shop = cast.open_shop()
    shop.store.kind = "marketplace"
    shop.store.save()
    cast.receive_orders(shop, ["1"])
    work_until_idle(at=cast.MORNING)
    assert set(Hold.objects.values_list("reason", flat=True)) == {"platform_restricted"}
    assert PurchaseOrder.objects.count() == 0


def test_orders_without_a_recipient_are_held_unless_one_is_generated():
    content = (
        b"Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
        b"536365,85123A,HOLDER,2,2009-12-01 08:26:00,2.55,17850,United Kingdom\n"
        b"536366,85123A,HOLDER,1,2009-12-01 08:28:00,2.55,,United Kingdom\n"
    )
    from daifa.flows import intake

    shop = cast.open_shop()
    for options, held in (({}, 2), ({"recipients": "generated"}, 0)):
        Order.objects.all().delete()
        file = intake.receive_file(
            kind="orders", name="year.csv", content=content, store=shop.store, options=options, by=cast.BY, at=cast.MORNING
        )
        file = intake.read_file(file.pk, by=cast.BY, at=cast.MORNING)
        assert (file.rows_in, file.rows_used) == (2, 2)
        assert Hold.objects.filter(reason="buyer_data_missing", released_at=None).count() == held


def test_a_replaced_number_sends_one_correction():
    shop = cast.open_shop()
    cast.receive_orders(shop, ["1"], skus=("MUG",))
    work_until_idle(at=cast.MORNING)
    at = cast.MORNING + timedelta(hours=5)
    run = PurchaseRun.objects.get()
    cast.answer_run(shop, run.pk, at=at)
    work_until_idle(at=at)
    for _ in range(2):  # the factory sends its correction twice
        cast.answer_run(shop, run.pk, at=at + timedelta(hours=1), number="RM9{:08d}GB")
        work_until_idle(at=at + timedelta(hours=1))
    parcel = Parcel.objects.get()
    assert parcel.number.startswith("RM9") and parcel.numbers.count() == 2
    assert parcel.numbers.get(is_active=True).number == parcel.number
    assert Message.objects.filter(kind="number_changed", state="sent").count() == 1
    assert DispatchNotice.objects.filter(parcel=parcel).count() == 2
    assert audit() == []
