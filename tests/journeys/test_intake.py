"""Bad input gets a clear sentence and loses nothing: what a person sees, and what is in the database afterwards."""

import gzip
import io
import json
import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.db.models import Sum

from daifa.domain.aftersales.models import Refund
from daifa.domain.catalog.models import ListingVariant, Variant
from daifa.domain.imports.models import ImportFile, ImportRow
from daifa.domain.orders.models import AddressVersion, Hold, Order, OrderLine
from daifa.domain.purchasing.models import PurchaseOrder
from daifa.domain.shipping.models import Parcel, TrackingEvent
from daifa.domain.sourcing.models import SupplierOffer
from daifa.domain.stores.models import Task
from daifa.flows import intake
from daifa.flows.audit import audit
from daifa.flows.react import react
from daifa.flows.work import work_until_idle
from daifa.lib.refusal import Refused
from tests import cast

pytestmark = pytest.mark.django_db

AT = cast.MORNING
DATA = Path(__file__).parents[1] / "data"
HEAD = "Order number,Date,SKU,Title,Quantity,Unit price,Currency,Name,Address,City,Postcode,Country,Email"


def row(number="1", sku="MUG", quantity="2", price="12.00", currency="GBP", street="1 High Street", date="2026-03-02 08:00:00"):
    cells = [number, date, sku, sku.title(), quantity, price, currency, "Anna Wood", street, "Leeds", "LS1 4AP", "GB", "a@example.invalid"]  # fmt: skip
    return ",".join(f'"{cell}"' if "," in cell or "\n" in cell else cell for cell in cells)


def orders_csv(*rows: str) -> bytes:
    return "\n".join([HEAD, *rows, ""]).encode()


def read(shop, content, name="orders.csv", kind="orders", **options) -> ImportFile:
    file = intake.receive_file(
        kind=kind, name=name, content=content, store=shop.store, options=options, by=cast.BY, at=AT
    )
    file = intake.read_file(file.pk, by=cast.BY, at=AT)
    balances(file)
    return file


def balances(file: ImportFile) -> None:
    """Every row of the file ended in exactly one place."""
    file.refresh_from_db()
    if file.state == "done":
        assert file.rows_in == file.rows_used + file.rows_not_orders + file.rows_refused == file.rows_expected
        for what, total in (("used", file.rows_used), ("not_orders", file.rows_not_orders), ("refused", file.rows_refused)):
            assert sum(file.counts.get(what, {}).values()) == total
        assert sum(file.rows.exclude(rows=0).values_list("rows", flat=True)) == file.rows_refused


def sentence(problem: ImportRow) -> str:
    return problem.message % problem.params


@pytest.fixture
def shop():
    return cast.open_shop()


# --- Cells that cannot be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"quantity": "0"}, "quantity_not_positive"),
        ({"quantity": "-3"}, "quantity_not_positive"),
        ({"quantity": "1000000000"}, None),
        ({"quantity": "99999999999999999999"}, None),
        ({"quantity": "two"}, None),
        ({"quantity": "1.5"}, None),
        ({"price": "1e400"}, None),
        ({"price": "999999999999999999.99"}, None),
        ({"price": "abc"}, None),
        ({"number": "4.53E+12"}, None),
        ({"date": "31/31/2026"}, None),
        ({"currency": "USD"}, None),
        ({"number": "9" * 90}, None),
        ({"sku": "S" * 90}, None),
        ({"street": "x" * 300}, None),
    ],
)
def test_one_bad_row_names_itself_and_the_rest_is_used(shop, bad, code):
    file = read(shop, orders_csv(row("1"), row(**{"number": "2", **bad}), row("3")))
    assert file.state == "done", file.sentence
    assert (file.rows_used, file.rows_refused) == (2, 1)
    assert set(Order.objects.values_list("number", flat=True)) == {"1", "3"}
    problem = file.rows.get()
    assert problem.row == 3 and problem.state == "open" and sentence(problem)
    if code:
        assert problem.code == code


def test_a_nul_character_is_no_reason_to_stop(shop):
    file = read(shop, orders_csv(row("1", street="1 High\x00 Street"), row("2")))
    assert file.state in ("done", "refused")
    assert Order.objects.count() == (2 if file.state == "done" else 0)


def test_a_currency_the_store_does_not_use_says_what_to_do(shop):
    file = read(shop, orders_csv(row("1", currency="JPY"), row("2")))
    text = sentence(file.rows.get())
    assert "JPY" in text and "GBP" in text and Order.objects.count() == 1


def test_formulas_in_cells_are_text_and_leave_as_text(shop):
    file = read(shop, orders_csv(row("1", sku="MUG", street='=HYPERLINK("http://example.invalid")')))
    assert file.rows_used == 1
    assert AddressVersion.objects.get().line1.startswith("=HYPERLINK")
    work_until_idle(at=AT)
    from python_calamine import CalamineWorkbook

    from daifa.domain.purchasing.models import PurchaseRun

    content = bytes(PurchaseRun.objects.get().content)
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        assert not any(b"<f>" in book.read(name) or b"hyperlink" in book.read(name).lower() for name in book.namelist() if "sheet" in name)  # fmt: skip
    cells = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()[1]
    assert any("HYPERLINK" in str(cell) for cell in cells), "it is shown, not done"


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("orders.csv", b"", "empty"),
        ("orders.xlsx", b"PK\x03\x04 not a workbook", ""),
        ("orders.csv", b"\x00\x01\x02\x03" * 200, ""),
        ("orders.csv", b"Colour,Shape\nred,round\n", ""),
    ],
    ids=["empty", "no workbook", "binary", "unknown columns"],
)
def test_a_file_that_cannot_be_used_says_why_and_leaves_nothing(shop, name, content, word):
    file = read(shop, content, name)
    assert file.state == "refused" and file.sentence and word in file.sentence
    assert (Order.objects.count(), file.rows_in) == (0, 0)


def test_a_zip_bomb_dressed_as_a_workbook_is_refused(shop):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("[Content_Types].xml", "<Types/>")
        book.writestr("xl/workbook.xml", "<workbook/>")
        book.writestr("xl/worksheets/sheet1.xml", b"0" * 300_000_000)
    file = read(shop, bomb.getvalue(), "orders.xlsx")
    assert file.state == "refused" and file.sentence and Order.objects.count() == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "gbk"])
def test_encodings_are_found_out(shop, encoding):
    street = {"gbk": "深圳市南山区科技园路一号", "cp1252": "Straße der Köche 1"}.get(encoding, "Straße 深圳 1")
    rows = [row(str(n), street=street) for n in range(20)]
    file = read(shop, "\n".join([HEAD, *rows, ""]).encode(encoding))
    assert (file.state, file.rows_used) == ("done", 20)
    assert set(AddressVersion.objects.values_list("line1", flat=True)) == {street}


# --- Orders seen again --------------------------------------------------------------------------------------------


def test_the_same_number_twice_in_one_file_with_other_content_is_refused_whole(shop):
    file = read(shop, orders_csv(row("1"), row("1", street="2 Low Street"), row("2")))
    assert (file.rows_used, file.rows_refused) == (1, 2)
    assert set(Order.objects.values_list("number", flat=True)) == {"2"}
    assert "1 High Street" in sentence(file.rows.first())


def test_a_mended_file_after_a_refused_one(shop):
    read(shop, orders_csv(row("1", quantity="0"), row("2")))
    file = read(shop, orders_csv(row("1", quantity="1"), row("2")))
    assert file.counts["used"] == {"order": 1, "order_unchanged": 1} and Order.objects.count() == 2


def test_a_new_address_before_placing_is_followed(shop):
    read(shop, orders_csv(row("1")))
    react(at=AT)
    assert PurchaseOrder.objects.get().state == "ready"
    file = read(shop, orders_csv(row("1", street="2 Low Street")))
    assert file.counts["used"] == {"order_changed": 1} and not Task.objects.exists()
    work_until_idle(at=AT)
    purchase = PurchaseOrder.objects.select_related("address").get()
    assert (purchase.state, purchase.address.line1) == ("placed", "2 Low Street")
    assert audit() == []


def test_a_new_address_after_placing_asks_a_person(shop):
    read(shop, orders_csv(row("1")))
    work_until_idle(at=AT)
    read(shop, orders_csv(row("1", street="2 Low Street")))
    task = Task.objects.get(closed_at=None)
    assert (task.kind, task.params["what"]) == ("order_changed", ["address"])
    assert PurchaseOrder.objects.select_related("address").get().address.line1 == "1 High Street"
    assert read(shop, orders_csv(row("1", street="2 Low Street"))).counts["used"] == {"order_unchanged": 1}
    assert audit() == []


def test_fewer_units_before_placing_are_not_bought(shop):
    read(shop, orders_csv(row("1", quantity="3")))
    react(at=AT)
    read(shop, orders_csv(row("1", quantity="1")))
    work_until_idle(at=AT)
    line = OrderLine.objects.get()
    assert (line.quantity, line.cancelled, line.allocated, line.purchased) == (3, 2, 1, 1)
    assert not Task.objects.exists() and audit() == []


def test_fewer_units_after_placing_ask_a_person(shop):
    read(shop, orders_csv(row("1", quantity="3")))
    work_until_idle(at=AT)
    read(shop, orders_csv(row("1", quantity="1")))
    assert OrderLine.objects.get().cancelled == 0
    assert Task.objects.get().params["what"] == ["cancelled"] and audit() == []


def test_raised_units_ask_a_person(shop):
    read(shop, orders_csv(row("1", quantity="1")))
    read(shop, orders_csv(row("1", quantity="5")))
    assert Task.objects.get().params["what"] == ["lines"]
    work_until_idle(at=AT)
    assert OrderLine.objects.get().purchased == 1 and audit() == []


def with_status(status, refunded="", **cells) -> bytes:
    return f"{HEAD},Status,Refunded\n{row('1', **cells)},{status},{refunded}\n".encode()


def test_a_cancelled_order_is_never_bought(shop):
    for options in ({}, {"treat_as": "open"}):
        Order.objects.all().delete()
        read(shop, with_status("cancelled"), **options)
        work_until_idle(at=AT)
        assert not PurchaseOrder.objects.exists(), options


def test_cancelled_before_placing(shop):
    read(shop, with_status("paid"))
    react(at=AT)
    read(shop, with_status("cancelled"))
    work_until_idle(at=AT)
    assert Order.objects.get().status == "cancelled"
    assert PurchaseOrder.objects.get().state == "cancelled" and not Task.objects.exists() and audit() == []


def test_cancelled_before_placing_with_the_money_given_back(shop):
    read(shop, with_status("paid"))
    react(at=AT)
    read(shop, with_status("cancelled", "24.00"))
    work_until_idle(at=AT)
    refund = Refund.objects.get()
    assert (refund.amount, refund.lines.get().cancelled) == (Decimal(24), 2)
    assert PurchaseOrder.objects.get().state == "cancelled" and not Task.objects.exists() and audit() == []


@pytest.mark.parametrize("refunded", ["", "24.00"])
def test_cancelled_after_placing_asks_a_person(shop, refunded):
    read(shop, with_status("paid"))
    work_until_idle(at=AT)
    read(shop, with_status("cancelled", refunded))
    task = Task.objects.get(closed_at=None)
    assert task.params["what"] == ["cancelled"], "it is on its way, and the buyer does not want it"
    assert OrderLine.objects.get().cancelled == 0 and Refund.objects.count() == (1 if refunded else 0)
    work_until_idle(at=AT)
    assert audit() == []


def test_refunded_a_little_and_then_more(shop):
    read(shop, with_status("paid"))
    work_until_idle(at=AT)
    for so_far in ("5.00", "5.00", "9.00", "9.00"):
        read(shop, with_status("paid", so_far))
    work_until_idle(at=AT)
    assert [refund.amount for refund in Refund.objects.order_by("pk")] == [Decimal(5), Decimal(4)]
    assert Order.objects.get().refunded_amount == 9 and not Task.objects.exists() and audit() == []


def test_wholly_refunded_when_it_came_in_it_is_not_bought(shop):
    read(shop, with_status("paid", "24.00"))
    work_until_idle(at=AT)
    assert not PurchaseOrder.objects.exclude(state="cancelled").exists() and Order.objects.get().status == "cancelled"
    assert audit() == []


def test_an_order_given_back_by_hand_and_then_cancelled_by_the_channel(shop):
    """One unit is refunded already; the cancellation must not give it back a second time."""
    from daifa.flows.by_hand import give_back

    read(shop, with_status("paid"))
    work_until_idle(at=AT)
    order, line = Order.objects.get(), OrderLine.objects.get()
    give_back(order.pk, [(line.pk, 1)], kind="refund", reason="damaged", note="", amount=Decimal("5.00"), no_claim_reason="small", by=cast.BY, at=AT)  # fmt: skip
    file = read(shop, with_status("cancelled", "24.00"))
    assert file.state == "done" and file.rows_refused == 0
    line.refresh_from_db()
    assert line.refunded == 2 and Order.objects.get().refunded_amount == 24
    work_until_idle(at=AT)
    assert audit() == []


def test_what_was_held_is_free_once_the_buyer_cancels(shop):
    read(shop, orders_csv(row("1", sku="VASE", quantity="2"), row("1", sku="MUG", quantity="1")))
    react(at=AT)
    assert Hold.objects.get(released_at=None).reason == "mapping_missing"
    read(shop, orders_csv(row("1", sku="MUG", quantity="1")))
    assert not Hold.objects.filter(released_at=None).exists()
    work_until_idle(at=AT)
    assert Order.objects.get().status == "purchased" and audit() == []


# --- Replies ------------------------------------------------------------------------------------------------------

REPLY = "Our reference,Line,Supplier SKU,Accepted quantity,Shipped,Tracking number,Carrier,Status,Reason"


def reply(shop, *rows: str, supplier=None, at=AT + timedelta(hours=5)) -> ImportFile:
    content = "\n".join([REPLY, *rows, ""]).encode()
    file = cast.read_file(shop, "replies", "reply.csv", content, at=at, supplier=supplier or shop.factory)
    balances(file)
    return file


def test_a_reply_for_another_suppliers_purchase_changes_nothing(shop):
    cast.receive_orders(shop, ["1"])
    work_until_idle(at=AT, ask=False)
    theirs = PurchaseOrder.objects.get(supplier=shop.system)
    file = reply(shop, f"{theirs.reference},1,,2,2,RM000000001GB,Royal Mail,,")
    problem = file.rows.get()
    assert (file.rows_refused, problem.code) == (1, "reference_of_another_supplier")
    theirs.refresh_from_db()
    assert (theirs.state, theirs.accepted, theirs.shipped) == ("placed", 0, 0) and audit() == []


def test_rows_that_fit_nothing_are_listed_each_with_its_reason(shop):
    cast.receive_orders(shop, ["1"], skus=(cast.FROM_FACTORY,))
    work_until_idle(at=AT)
    ref = PurchaseOrder.objects.get().reference
    wrong = ref[:-1] + ("1" if ref[-1] != "1" else "2")
    file = reply(
        shop,
        f"{wrong},1,,2,,,,,", "K7VB-999999-1,1,,2,,,,,", "hello,1,,2,,,,,", f"{ref},7,NO-SUCH,2,,,,,",
        f"{ref},1,,9,,,,,", f"{ref},1,,,9,RM000000001GB,Royal Mail,,",
    )  # fmt: skip
    codes = Counter(file.rows.values_list("code", flat=True))
    assert codes["line_unknown"] == 1 and codes["accepted_too_many"] == 1 and codes["over_shipped"] == 1
    assert codes["reference_unreadable"] + codes["reference_unknown"] == 3
    purchase = PurchaseOrder.objects.get()
    assert (purchase.accepted, purchase.shipped) == (2, 2), "what fits is counted, the rest is told"
    work_until_idle(at=AT + timedelta(hours=6))
    assert audit() == []


def test_a_refusal_read_twice_is_a_repeat(shop):
    cast.receive_orders(shop, ["1"], skus=(cast.FROM_FACTORY,))
    work_until_idle(at=AT)
    ref = PurchaseOrder.objects.get().reference
    for _ in range(2):
        file = reply(shop, f"{ref},1,,,,,,refused,no clay")
        assert (file.rows_used, file.rows_refused) == (1, 0)
    late = reply(shop, f"{ref},1,,2,,,,,")
    assert late.rows.get().code == "purchase_not_placed"
    work_until_idle(at=AT + timedelta(hours=6))
    assert Hold.objects.get(released_at=None).reason == "supplier_rejected" and audit() == []


def test_a_second_line_that_travels_in_a_parcel_known_already(shop):
    """Two lines of one purchase; the second is told a day later, and once more after delivery for a third unit."""
    from decimal import Decimal as D

    from daifa.connectors.contract import IncomingOffer, IncomingProduct
    from daifa.domain.catalog.commands import import_products
    from daifa.domain.shipping.models import Parcel
    from daifa.domain.sourcing.commands import import_offers

    import_products([IncomingProduct(row=1, handle="cup", title="Cup", sku="CUP")], by=cast.BY, at=AT)
    import_offers(shop.factory, [IncomingOffer(row=1, supplier_sku="F-CUP", sku="CUP", price=D(9))], by=cast.BY, at=AT)
    read(shop, orders_csv(row("1", sku="MUG"), row("1", sku="CUP", quantity="3", price="30.00")))
    work_until_idle(at=AT)
    ref = PurchaseOrder.objects.get().reference
    reply(shop, f"{ref},1,,2,2,RM000000001GB,Royal Mail,,")
    work_until_idle(at=AT + timedelta(hours=6))
    reply(shop, f"{ref},2,,3,1,RM000000001GB,Royal Mail,,", at=AT + timedelta(hours=9))
    work_until_idle(at=AT + timedelta(hours=9))
    assert audit() == []
    cast.tell_tracking(shop, [("RM000000001GB", AT + timedelta(hours=40), "Delivered")], at=AT + timedelta(hours=50))
    reply(shop, f"{ref},2,,3,3,RM000000001GB,Royal Mail,,", at=AT + timedelta(hours=60))
    work_until_idle(at=AT + timedelta(hours=60))
    parcel = Parcel.objects.get()
    assert parcel.units == 5 and Order.objects.get().status == "delivered"
    assert audit() == []


def test_a_scan_of_the_future_is_refused_by_the_stores_clock(shop):
    cast.whole_loop(shop, ["1"])
    number = Parcel.objects.filter(supplier=shop.factory).values_list("number", flat=True).get()
    at = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)  # 10:30 in London
    file = cast.tell_tracking(shop, [(number, at, "In transit"), (number, at + timedelta(hours=2), "In transit")], at=at)
    (row,) = file.rows.filter(code="scan_in_future")
    assert (row.row, row.params) == (3, {"number": number, "at": "2026-07-01 11:30", "zone": "Europe/London"})
    assert TrackingEvent.objects.filter(parcel__number=number, at=at - timedelta(hours=1)).exists(), "09:30 there is 08:30 UTC"


@pytest.mark.parametrize(("placed", "due"), [
    ("2026-03-28 10:00:00", datetime(2026, 3, 30, 10, tzinfo=UTC)),  # 11:00 in London: the clocks went forward
    ("2026-10-24 10:00:00", datetime(2026, 10, 26, 9, tzinfo=UTC)),  # 9:00 in London: the clocks went back
])  # fmt: skip
def test_hours_promised_pass_over_a_change_of_clocks(shop, placed, due):
    shop.store.__class__.objects.filter(pk=shop.store.pk).update(dispatch_hours=48)
    shop.store.refresh_from_db()
    content = cast.order_file(["1"], skus=("MUG",), at=datetime.fromisoformat(placed))
    cast.read_file(shop, "orders", "orders.csv", content, at=datetime.fromisoformat(placed).replace(tzinfo=UTC) + timedelta(hours=1))
    assert Order.objects.get(number="1").ship_by_at == due


def test_one_number_on_goods_of_two_suppliers_is_two_parcels(shop):
    from daifa.connectors.contract import ReplyRow
    from daifa.domain.shipping.models import Parcel
    from daifa.flows.read_replies import apply_replies

    cast.receive_orders(shop, ["1"])
    work_until_idle(at=AT)
    for purchase in PurchaseOrder.objects.all():
        said = ReplyRow(row=1, reference=purchase.reference, accepted=2, numbers=("RM000000001GB",), shipped=2)
        apply_replies([said], supplier=purchase.supplier_id, source="t", by="t", at=AT + timedelta(hours=3))
    assert sorted(Parcel.objects.values_list("units", "is_shared_number")) == [(2, True), (2, True)]
    react(at=AT + timedelta(hours=3))
    assert audit() == []


def test_part_of_a_line_under_another_number_is_no_replacement(shop):
    from daifa.domain.shipping.models import Parcel

    cast.receive_orders(shop, ["1"], skus=(cast.FROM_FACTORY,))
    work_until_idle(at=AT)
    ref = PurchaseOrder.objects.get().reference
    reply(shop, f"{ref},1,,2,2,RM000000001GB,Royal Mail,,")
    file = reply(shop, f"{ref},1,,2,1,RM000000002GB,Royal Mail,,")
    assert file.rows.get().code == "over_shipped"
    assert Parcel.objects.get().number == "RM000000001GB"


# --- Halfway ------------------------------------------------------------------------------------------------------


class Died(BaseException):
    pass


@pytest.mark.django_db(transaction=True)
def test_killed_half_way_through_three_thousand_orders(monkeypatch):
    shop = cast.open_shop()
    content = orders_csv(*[row(str(n)) for n in range(3000)])
    received = intake.receive_file(kind="orders", name="big.csv", content=content, store=shop.store, by=cast.BY, at=AT)
    real, calls = intake.imports.add_progress, []

    def mortal(*args, **kwargs):
        calls.append(1)
        if len(calls) in (4, 6):
            raise Died
        return real(*args, **kwargs)

    monkeypatch.setattr(intake.imports, "add_progress", mortal)
    for _ in range(2):
        with pytest.raises(Died):
            intake.read_file(received.pk, by=cast.BY, at=AT)
        file = ImportFile.objects.get(pk=received.pk)
        assert file.state == "reading" and 0 < file.rows_used < 3000
        assert Order.objects.count() == file.rows_used == file.documents_done, "state before or after, never between"
    file = intake.read_file(received.pk, by=cast.BY, at=AT)
    balances(file)
    assert (file.state, file.rows_used, Order.objects.count()) == ("done", 3000, 3000)
    assert file.counts["used"] == {"order": 3000}


def test_one_document_that_cannot_be_stored_is_refused_and_the_rest_is_used(shop, monkeypatch):
    real = intake.orders.receive_orders

    def picky(*, records, **rest):
        if any(record.number == "666" for record in records):
            raise ZeroDivisionError("no such number")
        return real(records=records, **rest)

    monkeypatch.setattr(intake.orders, "receive_orders", picky)
    file = read(shop, orders_csv(*[row(str(n)) for n in range(660, 700)]))
    assert (file.state, file.rows_used, file.rows_refused) == ("done", 39, 1)
    problem = file.rows.get()
    assert (problem.document, problem.row, problem.code) == ("666", 8, "not_applied") and "no such number" in sentence(problem)
    monkeypatch.undo()
    again = intake.retry_row(problem.pk, cells=None, by=cast.BY, at=AT)
    assert again.rows_used == 1 and Order.objects.filter(number="666").exists()


# --- Mending refused rows -----------------------------------------------------------------------------------------


def cells_of(text: str) -> list[str]:
    import csv

    return next(csv.reader([text]))


def test_a_mended_row_brings_its_whole_order(shop):
    file = read(shop, orders_csv(row("1", sku="MUG"), row("1", sku="LAMP", quantity="0", price="30.00"), row("2")))
    assert (file.rows_used, file.rows_refused) == (1, 2)
    problem = file.rows.get()
    again = intake.retry_row(problem.pk, cells=cells_of(row("1", sku="LAMP", quantity="1", price="30.00")), by=cast.BY, at=AT)
    balances(again)
    assert (again.state, again.rows_used) == ("done", 2)
    assert sorted(Order.objects.get(number="1").lines.values_list("sku", "quantity")) == [("LAMP", 1), ("MUG", 2)]
    problem.refresh_from_db()
    assert problem.state == "retried"
    with pytest.raises(Refused, match="settled"):
        intake.retry_row(problem.pk, cells=None, by=cast.BY, at=AT)


def test_an_order_with_two_bad_rows_is_mended_one_after_the_other(shop):
    file = read(shop, orders_csv(row("1", quantity="0"), row("1", sku="LAMP", quantity="0", price="30.00"), row("2")))
    first = file.rows.order_by("row").first()
    between = intake.retry_row(first.pk, cells=cells_of(row("1", quantity="1")), by=cast.BY, at=AT)
    assert between.rows_refused == 2 and not Order.objects.filter(number="1").exists()
    assert not file.rows.filter(state="open").exists(), "the order lives on in the new import"
    left = between.rows.get(state="open")
    done = intake.retry_row(left.pk, cells=cells_of(row("1", sku="LAMP", quantity="1", price="30.00")), by=cast.BY, at=AT)
    assert done.rows_used == 2 and Order.objects.get(number="1").units == 2


def test_a_row_tried_again_as_it_was_stays_refused(shop):
    file = read(shop, orders_csv(row("1", quantity="0"), row("2")))
    problem = file.rows.get()
    assert intake.retry_row(problem.pk, cells=None, by=cast.BY, at=AT).rows_refused == 1
    problem.refresh_from_db()
    assert problem.state == "open"


def test_a_row_of_a_file_in_another_encoding_is_mended_too(shop):
    content = "\n".join([HEAD, row("1", quantity="0", street="深圳市南山区科技园路一号"), row("2", street="深圳市福田区"), ""])
    file = read(shop, content.encode("gbk"), encoding="gbk")
    problem = file.rows.get()
    mended = cells_of(row("1", quantity="1", street="深圳市南山区科技园路一号"))
    again = intake.retry_row(problem.pk, cells=mended, by=cast.BY, at=AT)
    assert again.rows_used == 1
    assert AddressVersion.objects.get(order__number="1").line1 == "深圳市南山区科技园路一号"


# --- The real files -----------------------------------------------------------------------------------------------

AWKWARD = DATA / "awkward-exports"
KEY = json.loads((AWKWARD / "expected.json").read_text())


def unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


@pytest.mark.parametrize(
    ("name", "gross"), [("shopify_orders_export_utf8_bom.csv", "total"), ("orders_gbk_chinese_headers.csv", "gross")]
)
def test_awkward_order_exports_end_in_the_database_with_their_totals(name, gross):
    key = KEY[name]
    shop = cast.open_shop()
    file = read(shop, unpacked(AWKWARD / f"{name}.gz"), name, treat_as="history")
    assert (file.state, file.rows_refused) == ("done", 0)
    assert Order.objects.count() == key["orders"] and OrderLine.objects.filter(kind="goods").count() == key["lines"]
    total = OrderLine.objects.filter(kind="goods").aggregate(Sum("quantity"))["quantity__sum"]
    assert total == key["units"]
    sums = Order.objects.aggregate(Sum("goods_amount"), Sum("shipping_amount"), Sum("total_amount"))
    assert sums["total_amount__sum"] == Decimal(str(key[gross]))
    if "shipping" in key:
        assert sums["shipping_amount__sum"] == Decimal(str(key["shipping"]))
        assert sums["goods_amount__sum"] == Decimal(str(key["subtotal"]))
    assert set(Order.objects.values_list("status", flat=True)) == {"closed"}
    work_until_idle(at=AT)
    assert not PurchaseOrder.objects.exists(), "kept, not worked"
    again = read(shop, unpacked(AWKWARD / f"{name}.gz"), name, treat_as="history")
    assert set(again.counts["used"]) == {"order_unchanged"} and Order.objects.count() == key["orders"]
    assert audit() == []


def test_the_price_list_with_semicolons_and_decimal_commas():
    name = "price_list_cp1252_semicolon_decimal_comma.csv"
    key = KEY[name]
    shop = cast.open_shop()
    before = Variant.objects.count()
    file = read(shop, unpacked(AWKWARD / f"{name}.gz"), name, kind="products")
    assert (file.state, file.rows_in, file.rows_refused) == ("done", key["products"], 0)
    new = Variant.objects.exclude(sku__in=["MUG", "LAMP"])
    assert new.count() == Variant.objects.count() - before == key["products"]
    listed = ListingVariant.objects.filter(store=shop.store, variant__in=new)
    assert listed.aggregate(Sum("price"))["price__sum"] == Decimal(str(key["sum_price"]))
    assert sum(1 for sku in new.values_list("sku", flat=True) if sku[-1:].isalpha()) == key["skus_with_letter_suffix"]


@pytest.mark.parametrize("name", ["shopify_product_data.csv", "vendure_products.csv"])
def test_product_files_of_shops(name):
    shop = cast.open_shop()
    content = (DATA / "product-feeds" / name).read_bytes()
    file = read(shop, content, name, kind="products")
    assert file.state == "done" and file.rows_used > 0
    count = Variant.objects.count()
    again = read(shop, content, name, kind="products")
    assert Variant.objects.count() == count and again.rows_used == file.rows_used


def test_a_cut_of_online_retail_ii_with_its_answer_key():
    """Sold and given back in one file: credits are matched, partly matched, or stand alone with their reason."""
    key = json.loads((DATA / "online-retail-ii" / "expected.json").read_text())
    shop = cast.open_shop()
    content = unpacked(DATA / "online-retail-ii" / "cut.csv.gz")
    file = read(shop, content, "online_retail.csv", recipients="generated")
    assert (file.state, file.rows_in) == ("done", key["rows"])
    by = key["by_reason"]
    assert file.counts["used"] == {"order": by["order"]["rows"], "credit": by["credit"]["rows"]}
    assert file.counts["refused"] == {"credit_line_not_negative": by["credit_line_not_negative"]["rows"]}
    assert file.counts["not_orders"] == {
        reason: by[reason]["rows"] for reason in ("bad_debt", "stock_adjustment_in", "stock_adjustment_out", "test_product")
    }
    assert Order.objects.count() == by["order"]["documents"]
    for kind, one in key["lines"]["order"].items():
        lines = OrderLine.objects.filter(kind=kind)
        assert (lines.count(), lines.aggregate(Sum("amount"))["amount__sum"]) == (one["rows"], Decimal(one["amount"]))
    credited = file.counts["credit_lines"]
    rows = sum(one["rows"] for one in key["lines"]["credit"].values())
    assert sum(credited.values()) == rows and credited["matched"] > 0 and credited["unmatched"] > 0
    total = sum(Decimal(one["amount"]) for one in key["lines"]["credit"].values())
    assert Refund.objects.aggregate(Sum("amount"))["amount__sum"] == total, "every penny given back is somewhere"
    alone = Refund.objects.filter(order=None)
    assert set(alone.values_list("reason", flat=True)) == {"no_original"}
    assert set(Refund.objects.exclude(order=None).values_list("reason", flat=True)) == {"credit_note"}
    lines = sum(refund.lines.count() for refund in alone)
    assert lines == credited["unmatched"] + credited.get("partly", 0)
    react(at=AT)
    assert audit() == []
    again = read(shop, content, "online_retail.csv", recipients="generated")
    assert set(again.counts["used"]) == {"order_unchanged", "credit"} and again.counts["credit_lines"] == {"known": rows}
    assert Refund.objects.aggregate(Sum("amount"))["amount__sum"] == total


def test_offers_of_a_supplier_and_the_full_list(shop):
    content = b"Supplier SKU,SKU,Price,Stock\nF-1,MUG,27.00,5\nF-2,LAMP,9.00,0\n"
    file = intake.receive_file(kind="offers", name="list.csv", content=content, supplier=shop.factory, by=cast.BY, at=AT)
    file = intake.read_file(file.pk, by=cast.BY, at=AT)
    balances(file)
    assert (file.state, file.rows_used) == ("done", 2) and SupplierOffer.objects.filter(supplier=shop.factory).count() == 3
