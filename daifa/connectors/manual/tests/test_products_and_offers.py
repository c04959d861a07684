"""Product files and price lists."""

import json
from decimal import Decimal

import pytest

from daifa.connectors.contract import IncomingOffer, IncomingProduct, NotAnOrder, RowProblem
from daifa.connectors.manual.connector import read_file
from daifa.lib.sheets import infer_decimal_mark, parse_quantity

from .files import DATA, records

KEY = json.loads((DATA / "awkward-exports" / "expected.json").read_text())
PRICE_LIST = "price_list_cp1252_semicolon_decimal_comma.csv"


@pytest.mark.parametrize("kind", ["offers", "products"])
def test_the_german_price_list_meets_its_answer_key(kind):
    key = KEY[PRICE_LIST]
    file = read_file(kind, DATA / "awkward-exports" / f"{PRICE_LIST}.gz")
    found = list(file.account.watch(file.records))
    assert (file.sheet.encoding, file.sheet.delimiter) == (key["encoding"], key["delimiter"])
    assert file.account.balances()
    assert len(found) == key["products"]
    assert sum(one.price for one in found) == Decimal(str(key["sum_price"]))
    assert {one.currency for one in found} == {"GBP"}
    skus = [one.supplier_sku if kind == "offers" else one.sku for one in found]
    assert sum(not sku.isdigit() for sku in skus) == key["skus_with_letter_suffix"]
    assert found[-1].title and found[0].row == 2


def test_1_672_pieces_in_a_file_whose_prices_read_0_85():
    """Nobody asks for the column of sold pieces, but a person can map it; it is read in the file's style."""
    key = KEY[PRICE_LIST]
    file = read_file(
        "products", DATA / "awkward-exports" / f"{PRICE_LIST}.gz", mapping={"stock": "Verkauft November"}
    )
    found = list(file.records)
    assert sum(one.stock for one in found) == key["sum_units"]
    assert next(one for one in found if one.sku == "15036").stock == 1672
    at = file.sheet.column("UVP (£)")
    mark = infer_decimal_mark(cells[at] for _, cells in file.sheet.rows())
    assert (mark, parse_quantity("1.672", mark)) == (",", 1672)


def test_the_shopify_products():
    file = read_file("products", DATA / "product-feeds" / "shopify_product_data.csv")
    found = list(file.account.watch(file.records))
    assert file.layout.name == "shopify_products" and file.account.balances()
    assert len(found) == 21 and all(isinstance(one, IncomingProduct) for one in found)
    lamp = found[0]
    assert (lamp.handle, lamp.sku, lamp.title, lamp.price, lamp.stock) == (
        "floor-lamp", "floor-lamp", "Floor Lamp", Decimal("69.99"), 1)  # fmt: skip
    assert (lamp.brand, lamp.category, lamp.options, lamp.weight_g) == ("Company 123", "Indoor", (), None)
    assert "<h6>" in found[1].description and "\n" in found[1].description
    assert sum(one.price for one in found) == Decimal("2345.84")


def test_shopify_variants_pictures_and_skus():
    text = (
        "Handle,Title,Vendor,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Option3 Name,Option3 Value,Variant SKU,Variant Grams,"
        "Variant Inventory Qty,Variant Price,Variant Barcode,Image Src,Cost per item\n"
        "shirt,Shirt,Acme,Size,S,Colour,Red,,,SH-S,120,5,10.00,'0401234567890,http://a,4.00\n"
        "shirt,,,,M,,Red,,,,120.4,-2,10.00,,http://b,\n"
        "shirt,,,,,,,,,,,,,,http://c,\n"
        "cup,Cup,,Title,Default Title,,,,,,,,3.00,,,\n"
    )
    small, medium, picture, cup = records("products", text)
    assert small.options == (("Size", "S"), ("Colour", "Red"))
    assert (small.barcode, small.cost, small.weight_g) == ("0401234567890", Decimal("4.00"), 120)
    assert (medium.sku, medium.title, medium.stock, medium.weight_g) == ("shirt/M/Red", "Shirt", 0, 120)
    assert isinstance(picture, NotAnOrder) and (picture.reason, picture.rows) == ("picture_row", (4,))
    assert (cup.sku, cup.options) == ("cup", ())


def test_the_vendure_products():
    file = read_file("products", DATA / "product-feeds" / "vendure_products.csv")
    found = list(file.account.watch(file.records))
    assert file.layout.name == "vendure_products" and file.account.balances()
    products = [one for one in found if isinstance(one, IncomingProduct)]
    assert (len(products), len({one.handle for one in products})) == (86, 54)
    assert sum(one.price for one in products) == Decimal(
        "30189.65"
    )  # 30,389.65 less two repeated SKUs of 100.00
    laptop = products[0]
    assert (laptop.handle, laptop.sku, laptop.price, laptop.stock) == (
        "laptop",
        "L2201308",
        Decimal("1299.00"),
        100,
    )
    assert laptop.options == (("screen size", "13 inch"), ("RAM", "8GB"))
    assert (laptop.brand, laptop.category) == ("Apple", "Electronics / Computers")
    assert [one.title for one in products[:4]] == ["Laptop"] * 4
    # The file itself gives one SKU to three variants: which one an order means could only be guessed.
    problems = [one for one in found if isinstance(one, RowProblem)]
    assert [(p.code, p.row, p.document) for p in problems] == [
        ("duplicate_row", 88, "404.038.96"), ("duplicate_row", 89, "404.038.96"),
    ]  # fmt: skip
    assert "row 87" in problems[0].sentence()


def test_plain_products():
    text = (
        "商品编码,商品名称,价格,币种,库存,规格,重量(克),品牌\n"
        "001,杯子,￥12.50,CNY,有货,颜色:红;尺码:M,250,三人行\n"
        "002,盘子,,,100+,,,\n003,碗,5,,缺货,白,,\n003,碗,5,,缺货,白,,\n003,碗,6,,缺货,白,,\n004,,5,,,,,\n005,锅,-1,,,,,\n006,勺,1,Taler,,,,\n合计,,9,,,,,\n"
    )
    found = records("products", text, store_currency="CNY")
    cup, plate, bowl, again, other, *rest = found
    assert (cup.sku, cup.price, cup.currency, cup.stock, cup.weight_g) == (
        "001",
        Decimal("12.50"),
        "CNY",
        None,
        250,
    )
    assert cup.options == (("颜色", "红"), ("尺码", "M"))
    assert (plate.price, plate.stock, bowl.stock, bowl.options) == (None, 100, 0, (("", "白"),))
    assert (again.reason, other.code) == ("repeated_row", "duplicate_row")
    assert [getattr(one, "code", getattr(one, "reason", "")) for one in rest] == [
        "empty", "amount_negative", "currency_unknown", "total_row",
    ]  # fmt: skip


def test_offers():
    text = (
        "供应商货号,我方编码,品名,单价,运费,库存,货期,装箱数,优先级,发往\n"
        "F-1,00123,杯子,￥8.50,3,>500,3-5天,6,1,英国、爱尔兰\n"
        "F-2,,盘子,1.20,,0,48小时,,,\n"
        "F-2,,盘子,1.20,,0,48小时,,,\n"
        "F-3,,碗,0,,,,,,\n"
        "F-4,,碗,1,,,soon,,,\n"
        "F-5,,碗,1,,,当天,,,全球\n"
        "F-6,,碗,1,,,,,,Narnia\n"
        ",,碗,1,,,,,,\n"
        "F-7,,碗,$1,,,2 weeks,0,,\n"
    )
    found = records("offers", text, store_currency="CNY")
    first = found[0]
    assert first == IncomingOffer(
        row=2, supplier_sku="F-1", price=Decimal("8.50"), currency="CNY", sku="00123", title="杯子", freight=Decimal(3), stock=500,
        lead_days=5, pack=6, rank=1, ships_to=("GB", "IE"))  # fmt: skip
    assert (found[1].lead_days, found[1].stock, found[1].pack, found[1].ships_to) == (2, 0, 1, ())
    assert found[2].reason == "repeated_row"
    assert (found[5].lead_days, found[5].ships_to) == (0, ())
    assert [(one.code, one.row) for one in found if isinstance(one, RowProblem)] == [
        ("price_not_positive", 5), ("not_a_number", 6), ("country_unknown", 8), ("empty", 9), ("quantity_not_positive", 10),
    ]  # fmt: skip
    assert all(one.sentence() for one in found if isinstance(one, RowProblem))


def test_one_article_may_be_offered_twice_for_different_destinations():
    text = "Supplier SKU,Price,Ships to\nF-1,1.00,GB\nF-1,2.00,US; Canada\nF-1,3.00,GB\n"
    british, american, other = records("offers", text)
    assert (british.ships_to, american.ships_to) == (("GB",), ("CA", "US"))
    assert other.code == "duplicate_row"
