"""Order files: the answer keys of real exports, and bad input that loses nothing."""

import json
import time
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from daifa.connectors.contract import IncomingOrder, NotAnOrder, RowProblem
from daifa.connectors.manual.account import Account
from daifa.connectors.manual.connector import read_file
from daifa.lib.sheets import SheetRefused

from .files import DATA, LONDON, opened, records

KEY = json.loads((DATA / "awkward-exports" / "expected.json").read_text())
HEAD = "Order number,Order date,SKU,Title,Quantity,Unit price"


def awkward(name):
    file = read_file("orders", DATA / "awkward-exports" / f"{name}.gz", store_currency="GBP", tz=LONDON)
    found = list(file.account.watch(file.records))
    assert file.account.balances()
    assert all(isinstance(order, IncomingOrder) for order in found)
    return file, found, KEY[name]


def lines(orders, *kinds):
    return [line for order in orders for line in order.lines if not kinds or line.kind in kinds]


def total(values):
    return sum(values, Decimal(0))


def problem(text, **options):
    """The only problem of a file that is otherwise fine."""
    found = [record for record in records("orders", text, **options) if isinstance(record, RowProblem)]
    assert len(found) == 1, found
    assert found[0].sentence() and "%(" not in found[0].sentence()
    return found[0]


# ---------------------------------------------------------------------------------------------------- real exports


def test_the_shopify_export_meets_its_answer_key():
    file, orders, key = awkward("shopify_orders_export_utf8_bom.csv")
    assert (file.layout.name, file.sheet.encoding) == ("shopify_orders", key["encoding"])
    assert len(orders) == key["orders"]
    assert len(lines(orders, "goods")) == key["lines"]
    assert sum(line.quantity for line in lines(orders, "goods")) == key["units"]
    assert total(line.amount for line in lines(orders, "goods")) == Decimal(str(key["subtotal"]))
    assert total(line.amount for line in lines(orders, "shipping")) == Decimal(str(key["shipping"]))
    assert total(line.amount for line in lines(orders)) == Decimal(str(key["total"]))
    assert total(order.refunded for order in orders) == Decimal(str(key["refunded"]))
    assert sum(order.refunded > 0 for order in orders) == key["partially_refunded_or_refunded_orders"]
    assert sum(order.cancelled_at is not None for order in orders) == key["cancelled_orders"]
    assert {order.currency for order in orders} == {key["currency"]}
    assert not [note for order in orders for note in order.notes]


def test_an_order_of_the_shopify_export_in_full():
    _, orders, _ = awkward("shopify_orders_export_utf8_bom.csv")
    first = orders[0]
    assert (first.number, first.placed_at, first.rows) == (
        "#489434",
        datetime(2009, 12, 1, 7, 45, tzinfo=UTC),
        tuple(range(2, 10)),
    )
    assert (first.paid_at, first.dispatched_at, first.cancelled_at) == (
        first.placed_at,
        first.placed_at,
        None,
    )
    assert first.lines[3].title == 'RECORD FRAME 7" SINGLE SIZE'
    assert (first.lines[3].sku, first.lines[3].quantity, first.lines[3].amount) == (
        "22041",
        48,
        Decimal("100.80"),
    )
    assert (first.country, first.accepts_marketing, first.customer_ref) == (
        "GB",
        False,
        "customer13085@example.com",
    )
    assert (first.address.name, first.address.line1, first.address.email) == (
        "Customer 13085", "1 Sample Street", "customer13085@example.com")  # fmt: skip


def test_the_gbk_export_meets_its_answer_key():
    file, orders, key = awkward("orders_gbk_chinese_headers.csv")
    assert (file.layout.name, file.sheet.encoding) == ("taobao_suborders", "gb18030")
    assert len(orders) == key["orders"]
    assert len(lines(orders)) == key["lines"]
    assert sum(line.quantity for line in lines(orders)) == key["units"]
    assert total(line.amount for line in lines(orders)) == Decimal(str(key["gross"]))
    assert total(order.refunded for order in orders) == Decimal(str(key["refunded"]))
    assert file.layout.unknown == ()


def test_an_order_of_the_gbk_export_in_full():
    _, orders, _ = awkward("orders_gbk_chinese_headers.csv")
    order = next(order for order in orders if order.number == "490138")
    assert len(order.lines) == 14
    assert [line.external_id for line in order.lines] == [f"490138{n:03}" for n in range(1, 15)]
    assert {line.row for line in order.lines} == set(order.rows) == set(range(3, 17))
    # 2009-12-03 19:23:00, 2009/12/03 19:23 and 2009年12月03日 19:23:00 in one order
    assert (order.placed_at, order.notes) == (
        datetime(2009, 12, 3, 19, 23, tzinfo=LONDON),
        ("dispatch_time_unknown",),
    )
    assert order.dispatched_at == order.paid_at == order.placed_at, (
        "交易成功: paid and dispatched, when is not told"
    )
    assert (order.lines[0].sku, order.lines[0].amount, order.lines[0].unit_price) == (
        "16225",
        Decimal("15.00"),
        Decimal("1.25"),
    )
    assert {order.country for order in orders} >= {"GB", "IE", "DE"}


def test_sub_order_numbers_are_order_number_times_1000_plus_line():
    head = "子订单编号,下单时间,商品编码,商品标题,购买数量,买家实付金额,退款状态,退款金额,订单当前状态\n"
    row = "{},2026-01-05 10:00:00,A{},杯子,1,9.90,{},{},{}\n"
    text = (
        head
        + row.format("77001", 1, "无退款", "0", "等待卖家发货")
        + row.format("\t77002", 2, "退款中", "3.00", "等待卖家发货")
    )
    (order,) = records("orders", text)
    assert (order.number, len(order.lines), order.refunded, order.dispatched_at) == (
        "77",
        2,
        Decimal(0),
        None,
    )
    assert order.notes == ("refund_pending",), "a refund that is only asked for is not given"
    # Half of it closed: that line is money only, the other is still to be bought.
    text = (
        head
        + row.format("77001", 1, "无退款", "0", "等待卖家发货")
        + row.format("77002", 2, "退款成功", "9.90", "交易关闭")
    )
    (order,) = records("orders", text)
    assert [line.kind for line in order.lines] == ["goods", "manual"]
    assert (order.refunded, order.cancelled_at, order.notes) == (
        Decimal("9.90"),
        None,
        ("lines_differ_in_status",),
    )
    text = head + row.format("77001", 1, "无退款", "0", "等待买家付款")
    assert records("orders", text)[0].paid_at is None
    text = head + row.format("77001", 1, "无退款", "0", "交易关闭")
    assert records("orders", text)[0].cancelled_at is not None
    assert problem(head + row.format("7A", 1, "无退款", "0", "交易成功")).code == "suborder_number"


SHOPIFY = ("Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,Taxes,"
           "Total,Discount Amount,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Lineitem requires shipping,"
           "Lineitem fulfillment status,Shipping Name,Shipping Address1,Shipping Company,Shipping Zip,Shipping Country,Cancelled at,"
           "Refunded Amount,Lineitem discount\n")  # fmt: skip


def test_shopify_discounts_taxes_cancelled_lines_and_vouchers():
    text = SHOPIFY + (
        "#1,a@example.invalid,paid,2026-01-05 10:00:00 +0800,,,yes,GBP,27.00,4.00,6.20,37.20,3.00,2026-01-05 10:00:00 +0800,2,Mug,10.00,M-1,true,"
        "pending,Ann,1 Road,Acme,'01234,GB,,0.00,0.00\n"
        "#1,a@example.invalid,,,,,,,,,,,,2026-01-05 10:00:00 +0800,1,Gift card,5.00,G-1,false,pending,,,,,,,,0.00\n"
        "#1,a@example.invalid,,,,,,,,,,,,2026-01-05 10:00:00 +0800,1,Plate,6.00,P-1,true,restocked,,,,,,,,1.00\n"
    )
    (order,) = records("orders", text, store_currency="GBP")
    assert [(line.kind, line.amount) for line in order.lines] == [
        ("goods", Decimal("20.00")), ("gift_card", Decimal("5.00")), ("manual", Decimal("5.00")),
        ("shipping", Decimal("4.00")), ("discount", Decimal("-3.00")), ("tax", Decimal("6.20")),
    ]  # fmt: skip
    assert total(line.amount for line in order.lines) == Decimal("37.20")
    assert order.notes == ("line_cancelled",)
    assert order.accepts_marketing and order.dispatched_at is None
    assert (order.address.postcode, order.address.line2) == ("01234", "Acme")
    assert order.placed_at == datetime(2026, 1, 5, 2, 0, tzinfo=UTC)


def test_shopify_prices_that_include_the_tax_get_no_tax_line():
    text = SHOPIFY + (
        "#2,,pending,,,,no,GBP,20.00,0.00,3.33,20.00,0.00,2026-01-05 10:00:00 +0000,2,Mug,10.00,M-1,true,pending,,,,,GB,"
        "2026-01-06 10:00:00 +0000,20.00,0.00\n"
    )
    (order,) = records("orders", text)
    assert [line.kind for line in order.lines] == ["goods"]
    assert (order.paid_at, order.refunded) == (None, Decimal("20.00"))
    assert order.cancelled_at == datetime(2026, 1, 6, 10, tzinfo=UTC)
    assert order.address is None


# ---------------------------------------------------------------------------------------------------- plain tables


def test_a_plain_table_with_everything():
    text = (
        "订单号,下单时间,商品编码,商品标题,数量,单价,运费,优惠,收货人,手机,详细地址,城市,邮编,国家,买家留言\n"
        "1001,2026-01-05 10:00,00123,杯子,2,￥9.90,5.00,1.00,张三,'13800000000,文三路1号,杭州,310000,中国,请快点\n"
        "1001,2026-01-05 10:00,A-7,盘子,1,20,5.00,1.00,张三,'13800000000,文三路1号,杭州,310000,中国,请快点\n"
        "1002,2026-01-06 09:00,A-7,盘子,3,20,,,李四,,解放路2号,上海,,CN,\n"
    )
    first, second = records("orders", text, store_currency="CNY")
    assert [(line.kind, line.sku, line.quantity, line.amount) for line in first.lines] == [
        ("goods", "00123", 2, Decimal("19.80")), ("goods", "A-7", 1, Decimal("20")),
        ("shipping", "", 1, Decimal("5.00")), ("discount", "", 1, Decimal("-1.00")),
    ]  # fmt: skip
    assert (first.currency, first.rows, first.note) == ("CNY", (2, 3), "请快点")
    assert (first.address.phone, first.address.country, first.address.is_complete()) == (
        "13800000000",
        "CN",
        True,
    )
    assert first.paid_at == first.placed_at, "a file that says nothing of payment holds paid orders"
    assert (second.rows, second.lines[0].amount) == ((4,), Decimal("60"))


@pytest.mark.parametrize(
    ("cell", "region", "city", "street", "country"),
    [
        ("浙江省 杭州市 西湖区 文三路 1 号", "浙江省", "杭州市", "西湖区 文三路 1 号", "CN"),
        ("浙江省杭州市西湖区文三路1号", "浙江省", "杭州市", "西湖区文三路1号", "CN"),
        ("上海市浦东新区张杨路500号", "上海市", "上海市", "浦东新区张杨路500号", "CN"),
        ("云南省大理白族自治州大理市古城", "云南省", "大理白族自治州", "大理市古城", "CN"),
        ("广东省 广州市\n番禺区 批发市场3楼", "广东省", "广州市", "番禺区 批发市场3楼", "CN"),
        ("1 High Street\nLeeds LS1", "", "", "1 High Street, Leeds LS1", ""),
        ("东方省建设路1号", "", "", "东方省建设路1号", ""),
    ],
)
def test_a_whole_address_in_one_cell(cell, region, city, street, country):
    head = "订单号,下单时间,商品编码,商品标题,数量,单价,收货人,收货地址\n"
    (one,) = records("orders", f'{head}1,2026-01-05,A,a,1,1,张三,"{cell}"\n', store_currency="CNY")
    address = one.address
    assert (address.region, address.city, address.country) == (region, city, country)
    assert address.line1.replace(", ", " ") == street.replace(", ", " ") and address.raw
    assert address.is_complete() == bool(country)


def test_rows_of_an_order_need_not_stand_together():
    text = f"{HEAD}\n1,2026-01-05,A,a,1,1\n2,2026-01-05,B,b,1,1\n1,2026-01-05,C,c,1,1\n"
    found = records("orders", text)
    assert {order.number: order.rows for order in found} == {"1": (2, 4), "2": (3,)}


def test_several_timestamps_the_earliest_counts():
    text = f"{HEAD}\n1,2026-01-05 10:01,A,a,1,1\n1,2026-01-05 10:00,B,b,1,1\n"
    (order,) = records("orders", text)
    assert (order.placed_at, order.notes) == (
        datetime(2026, 1, 5, 10, tzinfo=LONDON),
        ("several_timestamps",),
    )


def test_line_totals_count_before_prices_and_partial_pennies_stay_exact():
    text = "Order number,Order date,SKU,Quantity,Unit price,Line total\n1,2026-01-05,A,3,3.34,10.00\n2,2026-01-05,A,3,,10.00\n"
    first, second = records("orders", text)
    assert first.lines[0].amount == second.lines[0].amount == Decimal("10.00")
    assert second.lines[0].unit_price == Decimal("3.333333")


def test_an_order_number_with_a_lost_decimal_is_used_and_noted():
    text = f"{HEAD}\n489434.0,2026-01-05,A,a,1,1\n489434,2026-01-05,B,b,1,1\n"
    (order,) = records("orders", text)
    assert (order.number, len(order.lines), order.notes) == ("489434", 2, ("decimal_id",))


def test_dates_are_decided_by_the_whole_column():
    rows = "1,03/12/2009,A,a,1,1\n2,25/11/2009,A,a,1,1\n"
    assert records("orders", f"{HEAD}\n{rows}")[0].placed_at.month == 12
    rows = "1,03/12/2009,A,a,1,1\n2,11/25/2009,A,a,1,1\n"
    assert records("orders", f"{HEAD}\n{rows}")[0].placed_at.month == 3


def test_dates_in_three_styles_in_one_column():
    rows = "1,2009-12-03 19:23:00,A,a,1,1\n2,2009/12/03 19:23,A,a,1,1\n3,2009年12月03日 19:23:00,A,a,1,1\n4,40150.80763888889,A,a,1,1\n"
    assert {order.placed_at for order in records("orders", f"{HEAD}\n{rows}")} == {
        datetime(2009, 12, 3, 19, 23, tzinfo=LONDON)
    }


def test_an_undecidable_date_is_refused_until_a_person_chooses():
    text = f"{HEAD}\n1,03/12/2009,A,a,1,1\n"
    told = problem(text)
    assert (told.code, told.row, told.document) == ("ambiguous_date", 2, "1")
    assert "Order date" in told.sentence() and "03/12/2009" in told.sentence()
    assert records("orders", text, day_first=True)[0].placed_at.month == 12
    assert records("orders", text, day_first=False)[0].placed_at.month == 3


# ---------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("row", "code", "said"),
    [
        ("1,2026-01-05,A,a,0,1", "quantity_not_positive", "Quantity"),
        ("1,2026-01-05,A,a,-2,1", "quantity_not_positive", "-2"),
        ("1,2026-01-05,A,a,1000000000,1", "quantity_too_large", "1,000,000"),
        ("1,2026-01-05,A,a,1.5,1", "quantity_not_whole", "1.5"),
        ("1,2026-01-05,A,a,two,1", "not_a_number", "two"),
        ("1,2026-01-05,A,a,=1+1,1", "not_a_number", "=1+1"),
        ("1,2026-01-05,A,a,,1", "empty", "Quantity"),
        ("1,2026-01-05,A,a,1,", "empty", "Unit price"),
        ("1,2026-01-05,A,a,1,-3", "amount_negative", "-3"),
        ("1,2026-01-05,A,a,1,free", "not_a_number", "free"),
        ("1,2026-01-05,,a,1,1", "empty", "SKU"),
        ("1,2026-01-05,4.89725E+17,a,1,1", "scientific_notation", "4.89725E+17"),
        ("1,2026-01-05,85048.0,a,1,1", "decimal_id", "85048.0"),
        ("1,,A,a,1,1", "empty", "Order date"),
        ("1,yesterday,A,a,1,1", "not_a_date", "yesterday"),
        ("1,1899-01-01,A,a,1,1", "date_out_of_range", "1899"),
        (",2026-01-05,A,a,1,1", "number_missing", "Order number"),
        ("4.89725E+17,2026-01-05,A,a,1,1", "scientific_notation", "4.89725E+17"),
        ("1,2026-01-05,A,a,b,1,1", "cells_beyond_header", "7"),
    ],
)
def test_one_bad_row_is_told_and_the_others_pass(row, code, said):
    text = f"{HEAD}\n0,2026-01-05,A,a,1,1\n{row}\n2,2026-01-05,A,a,1,1\n"
    told = problem(text)
    assert (told.code, told.row) == (code, 3)
    assert said in told.sentence()
    assert list(told.raw) == row.split(","), "the row as it was read, to be mended and tried again"
    assert [r.number for r in records("orders", text) if isinstance(r, IncomingOrder)] == ["0", "2"]


def test_an_order_with_one_bad_row_waits_whole():
    text = f"{HEAD}\n1,2026-01-05,A,a,1,1\n1,2026-01-05,B,b,0,1\n1,2026-01-05,C,c,1,1\n1,2026-01-05,D,d,x,1\n"
    found = records("orders", text)
    assert [(p.code, p.row, p.rows, p.document) for p in found] == [
        ("quantity_not_positive", 3, 3, "1"),
        ("not_a_number", 5, 1, "1"),
    ]


def test_the_same_number_with_different_content():
    head = "Order number,Order date,SKU,Quantity,Unit price,Customer ID,Recipient\n"
    told = problem(head + "1,2026-01-05,A,1,1,17,Ann\n1,2026-01-05,B,1,1,18,Ann\n")
    assert (told.code, told.row, told.rows) == ("order_rows_disagree", 3, 2)
    assert "“17”" in told.sentence() and "“18”" in told.sentence() and "row 2" in told.sentence()
    assert (
        problem(head + "1,2026-01-05,A,1,1,17,Ann\n1,2026-01-05,B,1,1,17,Bob\n").code == "order_rows_disagree"
    )


def test_the_same_line_twice():
    head = "Order number,Line ID,Order date,SKU,Quantity,Unit price\n"
    (order,) = records("orders", head + "1,7,2026-01-05,A,1,1\n1,7,2026-01-05,A,1,1\n")
    assert (len(order.lines), order.rows, order.notes) == (1, (2, 3), ("repeated_line_ignored",))
    assert problem(head + "1,7,2026-01-05,A,1,1\n1,7,2026-01-05,A,2,1\n").code == "line_repeated"
    # Without line ids two equal rows are two lines.
    (order,) = records("orders", f"{HEAD}\n1,2026-01-05,A,a,1,1\n1,2026-01-05,A,a,1,1\n")
    assert len(order.lines) == 2


def test_a_currency_the_store_does_not_use():
    head = "Order number,Order date,SKU,Quantity,Unit price,Currency\n"
    told = problem(head + "1,2026-01-05,A,1,1,USD\n", store_currency="GBP")
    assert told.code == "currency_not_store" and "USD" in told.sentence() and "GBP" in told.sentence()
    assert problem(head + "1,2026-01-05,A,1,$1,GBP\n1,2026-01-05,A,1,€1,GBP\n").code == "currency_conflict"
    assert problem(head + "1,2026-01-05,A,1,1,Taler\n").code == "currency_unknown"
    assert problem(head + "1,2026-01-05,A,1,1,USD\n1,2026-01-05,A,1,1,EUR\n").code == "order_rows_disagree"
    assert records("orders", head + "1,2026-01-05,A,1,¥1,\n", store_currency="JPY")[0].currency == "JPY"


def test_a_total_row_is_no_order():
    found = records("orders", f"{HEAD}\n1,2026-01-05,A,a,1,1\n合计,,,,1,1\n,,Total,,1,1\n")
    assert [r.reason for r in found if isinstance(r, NotAnOrder)] == ["total_row", "total_row"]


def test_mixed_decimal_styles_are_told_apart_or_refused():
    text = "Order number;Order date;SKU;Quantity;Unit price\n1;2026-01-05;A;1;1.234,56\n2;2026-01-05;A;1;1,234.56\n3;2026-01-05;A;1;1.234\n"
    found = records("orders", text)
    assert [r.lines[0].amount for r in found[:2]] == [Decimal("1234.56"), Decimal("1234.56")]
    assert found[2].code == "ambiguous_number"


def test_unknown_columns_are_reported_and_a_missing_one_is_named():
    file = opened("orders", f"{HEAD},Warehouse,Colour\n1,2026-01-05,A,a,1,1,x,y\n")
    assert file.layout.unknown == ("Warehouse", "Colour")
    with pytest.raises(SheetRefused, match="Order date"):
        opened("orders", "Order number,SKU,Quantity,Unit price\n1,A,1,1\n")


def test_a_file_cut_off_in_the_middle_is_refused_before_anything_is_handed_out():
    rows = "".join(f"{n},2026-01-05,A,a,1,1\n" for n in range(50))
    for end in ('99,2026-01-05,A,"cut o', '99,2026-01-05,A,"cut\no'):
        with pytest.raises(SheetRefused) as caught:
            opened("orders", f'{HEAD}\n{rows}98,2026-01-05,A,"one\ntwo",1,1\n{end}')
        assert (caught.value.code, caught.value.params["row"]) == ("quote_not_closed", 53)
    # An inch mark inside a cell is no quotation mark.
    assert len(records("orders", f'{HEAD}\n{rows}99,2026-01-05,A,7" plate,1,1')) == 51


def test_the_account_adds_up_over_several_files():
    account = Account()
    for _ in range(2):
        file = opened(
            "orders", f"{HEAD}\n1,2026-01-05,A,a,1,1\n1,2026-01-05,B,b,2,1\n2,2026-01-05,B,b,0,1\n合计,,,,,\n"
        )
        list(account.watch(file.records))
    assert account.balances() and account.rows_in == 8
    assert Counter({(line.what, line.reason): line.rows for line in account.table()}) == {
        ("used", "order"): 4, ("not_order", "total_row"): 2, ("refused", "quantity_not_positive"): 2,
    }  # fmt: skip
    assert account.table()[0].amount == Decimal(6)


@pytest.mark.parametrize(
    "hostile",
    ["1" + "a" * 400_000 + "1", "1" + " " * 400_000 + "x", "(" * 400_000, "1" * 400_000, "a" * 400_000],
)
def test_a_huge_cell_costs_little_and_is_told_shortly(hostile):
    began = time.process_time()
    for at in range(6):
        cells = ["1", "2026-01-05", "A", "a", "1", "1"]
        cells[at] = hostile
        for record in records("orders", f"{HEAD}\n{','.join(cells)}\n"):
            if isinstance(record, RowProblem):
                assert len(record.sentence()) < 400
    records("replies", f"Reference,Status,Tracking number\nP-1,{hostile},{hostile}\n")
    records("tracking", f"Number,Time,Status\nYT12345,2026-01-05,{hostile}\n")
    assert time.process_time() - began < 5
