"""Which layout a file has, and what is said when it has none."""

from pathlib import Path

import pytest

from daifa.connectors.manual import columns
from daifa.connectors.manual.columns import FIELDS, KNOWN, document, plain_heading, recognise
from daifa.connectors.manual.workbook import COLUMNS
from daifa.lib.sheets import SheetRefused

ROOT = Path(__file__).resolve().parents[4]
GERMAN = ("Artikelnummer", "Bezeichnung", "UVP (£)", "Währung", "Verkauft November")


def refusal(*arguments, **named):
    with pytest.raises(SheetRefused) as caught:
        recognise(*arguments, **named)
    return caught.value


def test_the_document_is_up_to_date():
    assert (ROOT / "docs" / "connectors" / "manual.md").read_text(encoding="utf-8") == document(), (
        "run python -m daifa.connectors.manual.columns"
    )


@pytest.mark.parametrize("kind", FIELDS)
def test_every_heading_leads_to_its_field(kind):
    """Beside the other needed columns; a heading that also serves one of those goes there."""
    by_name = {one.name: one for one in FIELDS[kind]}
    shared = {plain_heading(h) for one in FIELDS[kind] if one.needed for h in (*one.zh, *one.en)}
    for one in FIELDS[kind]:
        beside = [other.zh[0] for other in FIELDS[kind] if other.needed and other.name != one.name]
        beside += [by_name[g[0]].zh[0] for g in columns.ONE_OF.get(kind, ()) if one.name not in g]
        for heading in (*one.zh, *one.en):
            if not one.needed and plain_heading(heading) in shared:
                continue
            if plain_heading(heading) in {plain_heading(other) for other in beside}:
                continue
            layout = recognise([heading, *beside], kind=kind, layout="generic")
            assert 0 in layout.columns.values(), (kind, one.name, heading)


def test_chinese_and_english_headings_of_an_order_file():
    layout = recognise(
        ("订单编号", "下单时间", "商家编码", "数量", "单价（元）", "收货人", "我的列"), kind="orders"
    )
    assert layout.columns == {
        "number": 0,
        "placed_at": 1,
        "sku": 2,
        "quantity": 3,
        "unit_price": 4,
        "name": 5,
    }
    assert (layout.name, layout.currency, layout.unknown) == ("generic", "CNY", ("我的列",))
    layout = recognise(("ORDER NO.", "Order_Date", " sku ", "Qty", "Line total", "Post code"), kind="orders")
    assert layout.columns == {
        "number": 0,
        "placed_at": 1,
        "sku": 2,
        "quantity": 3,
        "amount": 4,
        "postcode": 5,
    }


def test_platforms_are_recognised_by_their_own_columns():
    for known in KNOWN:
        header = tuple(known.columns.values())
        assert recognise(header, kind=known.kind).name == known.name
        assert recognise(header).name == known.name, "also when nobody says what the file holds"


def test_a_german_price_list():
    layout = recognise(GERMAN, kind="offers")
    assert layout.columns == {"supplier_sku": 0, "title": 1, "price": 2, "currency": 3}
    assert (layout.currency, layout.unknown) == ("GBP", ("Verkauft November",))


def test_a_missing_column_is_named_and_so_is_what_was_found():
    error = refusal(("订单号", "数量", "金额"), kind="orders")
    assert error.code == "column_missing"
    sentence = error.sentence()
    assert (
        "下单时间 / Order date" in sentence
        and "商品编码 / SKU" in sentence
        and "订单号, 数量, 金额" in sentence
    )
    assert "Order number" not in sentence, "what is there is not missed"
    error = refusal(("Order number", "Order date", "SKU", "Quantity"), kind="orders")
    assert "单价 / Unit price | 金额 / Line total" in error.sentence()


def test_a_persons_own_mapping_goes_first():
    header = ("Ref", "When", "Thing", "How many", "Paid", "SKU")
    mapping = {"number": "Ref", "placed_at": "when", "sku": "Thing", "quantity": "How many", "amount": "Paid"}
    layout = recognise(header, kind="orders", mapping=mapping)
    assert layout.columns == {"number": 0, "placed_at": 1, "sku": 2, "quantity": 3, "amount": 4}
    assert layout.unknown == ("SKU",)
    assert refusal(header, kind="orders", mapping={"number": "Nope"}).code == "mapping_wrong"
    assert refusal(header, kind="orders", mapping={"nonsense": "Ref"}).code == "mapping_wrong"
    assert refusal(header, kind="orders", layout="nonsense").code == "mapping_wrong"
    assert "price" not in recognise((*GERMAN, "EK"), kind="products", mapping={"price": ""}).columns
    assert recognise((*GERMAN, "EK"), kind="offers", mapping={"price": "EK"}).columns["price"] == 5


def test_what_a_file_holds_is_not_guessed_where_it_could_be_two_things():
    assert refusal(("foo", "bar")).code == "kind_unknown"
    assert recognise(("运单号", "时间", "轨迹")).kind == "tracking"


@pytest.mark.parametrize("place", [0, 1])
def test_our_own_run_comes_back_as_a_reply(place):
    header = tuple(column[place] for column in COLUMNS)
    layout = recognise(header, kind="replies")
    found = {name: header[at] for name, at in layout.columns.items()}
    expected = {
        "reference": ("Our reference", "我方单号"), "line": ("Line", "行号"), "supplier_sku": ("Supplier SKU", "货号"),
        "ordered": ("Quantity", "数量"), "accepted": ("Accepted quantity", "接单数量"), "shipped": ("Shipped quantity", "实发数量"),
        "carrier": ("Carrier", "快递公司"), "numbers": ("Tracking numbers", "运单号"), "reason": ("Reason", "原因"),
        "unit_cost": ("Unit price", "单价"),
    }  # fmt: skip
    assert found == {name: pair[place] for name, pair in expected.items()}
    assert layout.unknown == (), "our own columns are nothing to report"
