"""Which columns are understood, by which headings, in which kinds of file: the declaration everything else reads.

`recognise` finds the layout of a file from its headings; `docs/connectors/manual.md` is printed from here by
`document()`. Headings are compared without case, spaces, punctuation and what stands in brackets, so `UVP (£)` is
`uvp` and `Lineitem quantity` is `lineitemquantity`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from daifa.lib.sheets import SheetRefused, recognise_currency, shown
from daifa.lib.sheets.problems import N_

from .workbook import COLUMNS as RUN_COLUMNS

FileKind = Literal["orders", "products", "offers", "replies", "tracking"]
CellKind = Literal["id", "text", "amount", "quantity", "time", "currency", "country", "status"]


@dataclass(frozen=True)
class Field:
    """One thing a file can say. `zh` and `en` list the headings understood, the usual one first."""

    name: str
    kind: CellKind
    zh: tuple[str, ...]
    en: tuple[str, ...]
    about: str
    needed: bool = False

    @property
    def label(self) -> str:
        return f"{self.zh[0]} / {self.en[0]}"


def _f(name: str, kind: CellKind, zh: str, en: str, about: str, *, needed: bool = False) -> Field:
    return Field(name, kind, tuple(zh.split("|")), tuple(en.split("|")), about, needed)


_ADDRESS = (
    _f(
        "name",
        "text",
        "收货人|收件人|收货人姓名|收件人姓名|姓名",
        "Recipient|Recipient name|Ship to name|Shipping name|Delivery name|Name",
        "who receives the parcel",
    ),
    _f(
        "phone",
        "text",
        "手机|电话|联系电话|收货人手机|收件人电话|联系手机|手机号",
        "Phone|Telephone|Mobile|Shipping phone|Recipient phone",
        "for the carrier",
    ),
    _f(
        "email",
        "text",
        "邮箱|电子邮件|买家邮箱",
        "Email|E-mail|Buyer email|Customer email",
        "for messages to the buyer",
    ),
    _f(
        "line1",
        "text",
        "详细地址|街道地址|街道|地址1",
        "Address line 1|Address1|Address 1|Street|Shipping address1|Shipping street",
        "street and number",
    ),
    _f(
        "line2",
        "text",
        "地址2",
        "Address line 2|Address2|Address 2|Shipping address2",
        "flat, floor, company",
    ),
    _f("city", "text", "城市|市", "City|Town|Shipping city", ""),
    _f("region", "text", "省|省份|州|省/州", "Region|State|Province|County|Shipping province", ""),
    _f(
        "postcode",
        "text",
        "邮编|邮政编码",
        "Postcode|Zip|Zip code|Postal code|Shipping zip",
        "kept as text, leading zeros stay",
    ),
    _f(
        "country",
        "country",
        "国家|收货国家|国家/地区|目的国",
        "Country|Ship to country|Shipping country|Country code|Destination",
        "name (zh, en) or ISO code",
    ),
    _f(
        "address",
        "text",
        "收货地址|收件地址|地址|完整地址",
        "Address|Shipping address|Full address|Delivery address",
        "the whole address in one cell; a Chinese one is taken apart (province, town, rest), any other is the street",
    ),
)

ORDER_FIELDS = (
    _f(
        "number",
        "id",
        "订单号|订单编号|主订单编号|主订单号|订单ID",
        "Order number|Order no|Order|Order ID|Order reference|Invoice|Invoice no|Invoice number",
        "the store's order number; rows with the same one are one order",
        needed=True,
    ),
    _f(
        "line_id",
        "id",
        "订单行号|子订单号|行号",
        "Line ID|Line number|Order item ID|Item ID",
        "the store's id of the line",
    ),
    _f(
        "placed_at",
        "time",
        "下单时间|订单创建时间|创建时间|订单时间|下单日期",
        "Order date|Ordered at|Placed at|Created at|Date|Purchase date|Order time",
        "when the buyer ordered",
        needed=True,
    ),
    _f(
        "sku",
        "id",
        "商品编码|商家编码|SKU|货号|规格编码|SKU编码|外部系统编号",
        "SKU|Item SKU|Product code|Stock code|Item number|Item code|Variant SKU|Seller SKU",
        "our SKU",
        needed=True,
    ),
    _f(
        "title",
        "text",
        "商品标题|商品名称|宝贝标题|标题|品名",
        "Title|Item|Item name|Product|Product name|Description",
        "",
    ),
    _f(
        "quantity",
        "quantity",
        "数量|购买数量|商品数量|宝贝数量|件数",
        "Quantity|Qty|Units|Quantity purchased|Item quantity",
        "1 to 1,000,000 pieces",
        needed=True,
    ),
    _f(
        "unit_price",
        "amount",
        "单价|商品单价|价格|商品价格",
        "Unit price|Price|Item price|Price each",
        "what one piece cost the buyer (this or the line total)",
    ),
    _f(
        "amount",
        "amount",
        "金额|小计|买家实付金额|实付金额|行金额|总价",
        "Line total|Amount|Subtotal|Line amount|Item total|Item subtotal",
        "the line's total; counts where both are given",
    ),
    _f(
        "currency",
        "currency",
        "币种|货币",
        "Currency|Currency code",
        "ISO code; the store's currency where there is none",
    ),
    _f(
        "shipping",
        "amount",
        "运费|邮费|买家支付运费",
        "Shipping|Postage|Shipping cost|Shipping charge|Shipping price|Carriage|Freight",
        "per order; given on one row or the same on all",
    ),
    _f(
        "discount",
        "amount",
        "优惠|优惠金额|订单优惠|折扣",
        "Discount|Discount amount|Order discount",
        "per order, as above",
    ),
    _f("tax", "amount", "税费|税", "Tax|Taxes|VAT", "per order, on top of the lines"),
    _f("refunded", "amount", "退款金额|已退款金额", "Refunded|Refunded amount|Refund", "per order, as above"),
    _f(
        "paid_at",
        "time",
        "付款时间|支付时间|订单付款时间",
        "Paid at|Payment date|Paid on",
        "empty on every row of an order = not paid",
    ),
    _f(
        "cancelled_at",
        "time",
        "取消时间|关闭时间|订单关闭时间",
        "Cancelled at|Canceled at|Cancellation date",
        "",
    ),
    _f(
        "dispatched_at",
        "time",
        "发货时间",
        "Dispatched at|Shipped at|Fulfilled at|Ship date",
        "already dispatched before it came to us",
    ),
    _f(
        "status",
        "status",
        "订单状态|订单当前状态|状态|交易状态",
        "Status|Order status|Financial status",
        "paid, unpaid, dispatched, completed, cancelled (等待买家付款, 交易成功 …)",
    ),
    _f(
        "customer_ref",
        "id",
        "买家ID|买家昵称|客户编号|会员名|买家会员名",
        "Customer ID|Customer|Buyer|Buyer ID|Customer number",
        "the store's id of the buyer",
    ),
    _f(
        "note",
        "text",
        "买家留言|备注|订单备注|买家备注",
        "Note|Notes|Buyer note|Buyer message|Comment|Order notes",
        "",
    ),
    _f("token", "text", "收件人密文|OAID", "Recipient token|OAID", "where the platform masks its buyers"),
    *_ADDRESS,
)

PRODUCT_FIELDS = (
    _f(
        "sku",
        "id",
        "商品编码|商家编码|SKU|货号|规格编码",
        "SKU|Item SKU|Variant SKU|Product code|Stock code|Item number|Item code|Artikelnummer|Art.-Nr.",
        "our SKU, unique",
        needed=True,
    ),
    _f(
        "title",
        "text",
        "商品标题|商品名称|品名|标题|名称",
        "Title|Name|Product name|Product|Description|Bezeichnung|Artikelbezeichnung",
        "",
        needed=True,
    ),
    _f(
        "handle",
        "id",
        "商品链接名|款号|商品ID",
        "Handle|Slug|Product ID|Parent SKU|Style",
        "same for all variants of a product; the SKU where missing",
    ),
    _f(
        "price",
        "amount",
        "价格|售价|单价|零售价|一口价",
        "Price|Unit price|Sale price|Retail price|RRP|UVP|Preis|Variant price",
        "",
    ),
    _f("currency", "currency", "币种|货币", "Currency|Currency code|Währung", ""),
    _f("cost", "amount", "成本|成本价|进价", "Cost|Cost per item|Unit cost|EK", "what it usually costs us"),
    _f("barcode", "id", "条码|条形码|国际条码", "Barcode|EAN|GTIN|UPC", ""),
    _f(
        "weight_g",
        "quantity",
        "重量(克)|克重",
        "Grams|Weight (g)|Weight in grams|Variant grams",
        "whole grams",
    ),
    _f("brand", "text", "品牌", "Brand|Vendor|Marke", ""),
    _f("category", "text", "类目|分类|品类", "Category|Type|Product type|Kategorie", ""),
    _f(
        "description",
        "text",
        "描述|商品描述|详情",
        "Long description|Body (HTML)|Body|Product description",
        "kept as written",
    ),
    _f("image", "text", "图片|主图|图片链接", "Image|Image Src|Image URL|Picture", ""),
    _f(
        "stock",
        "quantity",
        "库存|库存数量",
        "Stock|Inventory|Stock on hand|Quantity|Bestand|Variant inventory qty",
        "",
    ),
    _f(
        "option",
        "text",
        "规格|销售属性|颜色分类",
        "Option|Variant|Options|Attributes",
        "for example 颜色:红;尺码:M",
    ),
)

OFFER_FIELDS = (
    _f(
        "supplier_sku",
        "id",
        "供应商货号|货号|厂家货号|商品编码|款号|产品编号|编号",
        "Supplier SKU|Item number|Item no|Item code|Article number|Article|Product code|Artikelnummer|Art.-Nr.|Code|SKU",
        "the supplier's number of the article",
        needed=True,
    ),
    _f(
        "price",
        "amount",
        "单价|价格|供货价|代发价|批发价|出厂价|进价|成本价",
        "Price|Unit price|Cost|Unit cost|Net price|Wholesale price|Dropship price|Preis|EK|UVP",
        "for one supplier unit",
        needed=True,
    ),
    _f(
        "currency",
        "currency",
        "币种|货币",
        "Currency|Currency code|Währung",
        "also read from the heading or the cell (`UVP (£)`, `¥12`)",
    ),
    _f(
        "sku",
        "id",
        "我方编码|我方货号|商家编码|我方SKU",
        "Our SKU|Your SKU|Customer SKU|Merchant SKU|Our item number|Your item number|Our article number|Your article number"
        "|Our code|Your code|Our product code|SKU",
        "our SKU, where the list names it (plain `SKU` only beside a column of the supplier's own)",
    ),
    _f(
        "title",
        "text",
        "品名|名称|商品名称|商品标题|产品名称",
        "Title|Name|Description|Product|Product name|Bezeichnung|Artikelbezeichnung",
        "",
    ),
    _f(
        "freight",
        "amount",
        "运费|快递费|邮费",
        "Freight|Shipping|Shipping cost|Postage|Versand|Versandkosten",
        "per supplier unit, on top of the supplier's freight per parcel",
    ),
    _f(
        "stock",
        "quantity",
        "库存|现货|库存数量|可用库存",
        "Stock|Available|Quantity available|Inventory|Bestand|Lagerbestand",
        "缺货 / sold out = 0; other words = not known",
    ),
    _f(
        "lead_days",
        "quantity",
        "发货天数|货期|交期|发货时效",
        "Lead days|Lead time|Handling days|Processing days|Lieferzeit",
        "`3-5` counts as 5",
    ),
    _f(
        "pack",
        "quantity",
        "装箱数|每件数量|换算数量|包装数量",
        "Pack|Pack size|Units per pack|Inner",
        "our sales units in one supplier unit",
    ),
    _f("rank", "quantity", "优先级|排序", "Rank|Priority|Preference", "1 is asked first"),
    _f(
        "ships_to",
        "country",
        "发往|可发国家|配送范围",
        "Ships to|Destinations|Countries",
        "several countries separated by , ; / 、; empty = everywhere",
    ),
)

REPLY_FIELDS = (
    _f(
        "reference",
        "id",
        "参考号|采购单号|订单号|订单编号|客户订单号|我方单号|单号",
        "Reference|Our reference|Purchase order|PO|PO number|Order number|Order reference|Order|Order no",
        "our reference, as it stood in what we sent",
        needed=True,
    ),
    _f("line", "id", "行标|行号", "Line|Row mark|Line number", "our mark of the row, if it was kept"),
    _f(
        "supplier_sku",
        "id",
        "货号|供应商货号|商品编码|款号|产品编号",
        "Supplier SKU|SKU|Item number|Item no|Item code|Article|Article number|Product code",
        "",
    ),
    _f(
        "ordered",
        "quantity",
        "数量|订购数量|采购数量|件数",
        "Quantity|Qty|Ordered|Quantity ordered",
        "what we asked for; counts as the answer only in files without the next two",
    ),
    _f(
        "accepted",
        "quantity",
        "接单数量|可发数量|确认数量",
        "Accepted|Accepted quantity|Confirmed|Quantity accepted|Confirmed quantity",
        "0 = refused",
    ),
    _f(
        "shipped",
        "quantity",
        "实发数量|发货数量|已发数量",
        "Shipped|Shipped quantity|Quantity shipped|Dispatched quantity",
        "how many are in these parcels",
    ),
    _f(
        "status",
        "status",
        "状态|接单状态|处理结果|回复",
        "Status|Answer|Result",
        "接单, 已发货, 缺货, 拒单 … / accepted, shipped, out of stock, refused …",
    ),
    _f("reason", "text", "原因|缺货原因|拒单原因|备注|说明", "Reason|Remarks|Remark|Note|Notes|Comment", ""),
    _f(
        "carrier",
        "text",
        "快递公司|物流公司|承运商|快递|物流",
        "Carrier|Courier|Shipping company|Shipped by|Shipping carrier",
        "",
    ),
    _f(
        "numbers",
        "id",
        "运单号|快递单号|物流单号|快递号|面单号",
        "Tracking number|Tracking numbers|Tracking|Tracking no|Waybill|Waybill number|AWB",
        "several in one cell: separated by , ; / 、 or spaces; `YT1*3` = 3 pieces in it",
    ),
    _f(
        "unit_cost",
        "amount",
        "单价|实际单价|新价|调整单价",
        "Unit cost|New price|Unit price|Price",
        "where it changed",
    ),
    _f(
        "ship_date",
        "time",
        "预计发货|预计发货日期|发货日期|交期",
        "Ship date|Expected ship date|Ready date|ETD",
        "when they will ship",
    ),
    _f(
        "shipped_at",
        "time",
        "发货时间|实际发货时间",
        "Shipped at|Dispatched at|Date shipped",
        "when they shipped",
    ),
    _f(
        "their_reference",
        "id",
        "厂家单号|供应商单号|内部单号",
        "Their reference|Supplier reference|Supplier order number|Sales order",
        "",
    ),
)

TRACKING_FIELDS = (
    _f(
        "number",
        "id",
        "运单号|快递单号|物流单号|快递号",
        "Tracking number|Tracking|Tracking no|Waybill|Waybill number|Number|AWB",
        "",
        needed=True,
    ),
    _f(
        "at",
        "time",
        "时间|扫描时间|轨迹时间|操作时间|更新时间",
        "Time|Date|Scanned at|Event time|Timestamp|At",
        "",
        needed=True,
    ),
    _f(
        "status",
        "status",
        "状态|物流状态|轨迹|轨迹描述|物流轨迹",
        "Status|Event|Description|State",
        "words or whole sentences; what is not known is `unknown`",
        needed=True,
    ),
    _f("place", "text", "地点|网点|城市|所在地", "Place|Location|City|Depot", ""),
    _f("carrier", "text", "快递公司|物流公司|承运商", "Carrier|Courier|Shipping company", ""),
)

FIELDS: dict[FileKind, tuple[Field, ...]] = {
    "orders": ORDER_FIELDS,
    "products": PRODUCT_FIELDS,
    "offers": OFFER_FIELDS,
    "replies": REPLY_FIELDS,
    "tracking": TRACKING_FIELDS,
}
# At least one column of each group must be there.
ONE_OF: dict[FileKind, tuple[tuple[str, ...], ...]] = {
    "orders": (("unit_price", "amount"),),
    "replies": (("ordered", "accepted", "shipped", "status", "numbers", "reason"),),
}


@dataclass(frozen=True)
class Known:
    """A platform's own export. It is recognised when all of `signature` stand among the headings."""

    name: str
    kind: FileKind
    title: str
    signature: tuple[str, ...]
    columns: Mapping[str, str]
    about: str


KNOWN = (
    Known(
        "shopify_orders",
        "orders",
        "Shopify: orders export",
        ("Name", "Lineitem quantity", "Lineitem name", "Lineitem price", "Created at"),
        {
            "number": "Name",
            "email": "Email",
            "status": "Financial Status",
            "paid_at": "Paid at",
            "dispatched_at": "Fulfilled at",
            "fulfilment_status": "Fulfillment Status",
            "accepts_marketing": "Accepts Marketing",
            "currency": "Currency",
            "subtotal": "Subtotal",
            "shipping": "Shipping",
            "tax": "Taxes",
            "total": "Total",
            "discount": "Discount Amount",
            "placed_at": "Created at",
            "quantity": "Lineitem quantity",
            "title": "Lineitem name",
            "unit_price": "Lineitem price",
            "sku": "Lineitem sku",
            "requires_shipping": "Lineitem requires shipping",
            "line_status": "Lineitem fulfillment status",
            "line_discount": "Lineitem discount",
            "name": "Shipping Name",
            "line1": "Shipping Address1",
            "street": "Shipping Street",
            "line2": "Shipping Address2",
            "company": "Shipping Company",
            "city": "Shipping City",
            "postcode": "Shipping Zip",
            "region": "Shipping Province",
            "country": "Shipping Country",
            "phone": "Shipping Phone",
            "note": "Notes",
            "cancelled_at": "Cancelled at",
            "refunded": "Refunded Amount",
            "external_id": "Id",
        },
        "Order facts stand on an order's first row. Shipping, order discount and taxes on top become lines of their own; "
        "the number keeps its `#`. A line whose status is cancelled or restocked, and one that needs no shipping, is money "
        "only: nothing is bought for it.",
    ),
    Known(
        "taobao_suborders",
        "orders",
        "Taobao / 千牛: sub-order export",
        ("子订单编号", "商品编码", "购买数量", "买家实付金额"),
        {
            "line_id": "子订单编号",
            "placed_at": "下单时间",
            "sku": "商品编码",
            "title": "商品标题",
            "quantity": "购买数量",
            "amount": "买家实付金额",
            "refund_status": "退款状态",
            "refunded": "退款金额",
            "status": "订单当前状态",
            "country": "收货国家",
            "name": "收货人姓名",
            "phone": "联系手机",
            "address": "收货地址",
            "note": "买家留言",
            "customer_ref": "买家会员名",
            "paid_at": "订单付款时间",
            "dispatched_at": "发货时间",
            "number": "主订单编号",
        },
        "One row a sub-order. Where the file has no 主订单编号, the sub-order number is the order number × 1000 + the line's number: "
        "490138002 is line 2 of order 490138. The paid amount is the line's total; only refunds that succeeded (退款成功) count, "
        "others are noted.",
    ),
    Known(
        "online_retail_ii",
        "orders",
        "Online Retail II (UCI)",
        ("Invoice", "StockCode", "Quantity", "InvoiceDate", "Price"),
        {
            "number": "Invoice",
            "sku": "StockCode",
            "title": "Description",
            "quantity": "Quantity",
            "placed_at": "InvoiceDate",
            "unit_price": "Price",
            "customer_ref": "Customer ID",
            "country": "Country",
        },
        "An accounting export: invoices, credit notes (C…), bad debts (A…), stock movements. See `docs/rules/online-retail-ii.md`.",
    ),
    Known(
        "shopify_products",
        "products",
        "Shopify: product export",
        ("Handle", "Title", "Variant Price"),
        {
            "handle": "Handle",
            "title": "Title",
            "description": "Body (HTML)",
            "brand": "Vendor",
            "category": "Type",
            "option1_name": "Option1 Name",
            "option1": "Option1 Value",
            "option2_name": "Option2 Name",
            "option2": "Option2 Value",
            "option3_name": "Option3 Name",
            "option3": "Option3 Value",
            "sku": "Variant SKU",
            "weight_g": "Variant Grams",
            "stock": "Variant Inventory Qty",
            "price": "Variant Price",
            "barcode": "Variant Barcode",
            "image": "Image Src",
            "variant_image": "Variant Image",
            "cost": "Cost per item",
            "status": "Status",
            "gift_card": "Gift Card",
        },
        "Rows with the same handle are one product; a row without price and option is a further picture. A variant without "
        "SKU gets one from the handle and its option values (`white-shirt/M`).",
    ),
    Known(
        "vendure_products",
        "products",
        "Vendure: product import file",
        ("name", "slug", "optionGroups", "optionValues", "sku", "price"),
        {
            "title": "name",
            "handle": "slug",
            "description": "description",
            "image": "assets",
            "facets": "facets",
            "option_groups": "optionGroups",
            "option_values": "optionValues",
            "sku": "sku",
            "price": "price",
            "stock": "stockOnHand",
            "variant_image": "variantAssets",
        },
        "A row without a name is a further variant of the product above it. `|` separates lists; facets `category:` and "
        "`brand:` are read.",
    ),
)
KNOWN_BY_NAME = {known.name: known for known in KNOWN}


@dataclass(frozen=True)
class Layout:
    """How a file is laid out: field → column index. `unknown` are headings nobody asked for, to be shown to the person.

    `currency` is what the price heading says (`UVP (£)` → GBP) or "". `day_first` and `decimal_mark` are the person's
    choice where the file itself leaves them open; None = find out from the columns.
    """

    kind: FileKind
    name: str
    header: tuple[str, ...]
    columns: Mapping[str, int]
    unknown: tuple[str, ...] = ()
    currency: str = ""
    day_first: bool | None = None
    decimal_mark: str | None = None

    def heading(self, name: str) -> str:
        """The file's own heading of a field; the field's usual name where the file has none."""
        at = self.columns.get(name)
        if at is not None and at < len(self.header) and self.header[at]:
            return self.header[at]
        found = next((f for f in FIELDS[self.kind] if f.name == name), None)
        return found.label if found else name


@lru_cache(maxsize=4096)
def plain_heading(text: str) -> str:
    """A heading as it is compared: full-width letters made plain, no case, spaces, punctuation or bracketed remark."""
    text = unicodedata.normalize("NFKC", text[:200]).casefold()
    short = re.sub(r"\([^)]*\)|\[[^\]]*\]|【[^】]*】", "", text)
    return re.sub(r"[\W_]+", "", short) or re.sub(r"[\W_]+", "", text)


def recognise(
    header: Sequence[str],
    sample_rows: Sequence[Sequence[str]] = (),
    *,
    kind: FileKind | None = None,
    mapping: Mapping[str, str] | None = None,
    layout: str = "",
    day_first: bool | None = None,
    decimal_mark: str | None = None,
) -> Layout:
    """Finds the layout of a file from its headings.

    `kind` says what the person wants to import; without it the best fitting kind is taken. `mapping` is the person's own
    {field: heading} and goes before everything found; an empty heading takes a field out. `layout` names one of `KNOWN`
    or `generic`. Raises `SheetRefused`: `column_missing` (names the columns and what was found), `mapping_wrong`.
    """
    header = tuple(header)
    if kind is None:
        return _best_kind(header, sample_rows, mapping, layout, day_first, decimal_mark)
    plain = [plain_heading(text) for text in header]
    known = None
    if layout and layout != "generic":
        known = KNOWN_BY_NAME.get(layout)
        if known is None or known.kind != kind:
            raise SheetRefused(
                "mapping_wrong",
                N_("There is no file layout “%(name)s” for this import; there are: %(known)s."),
                {"name": layout, "known": ", ".join(["generic", *(k.name for k in KNOWN if k.kind == kind)])},
            )
    elif not layout:
        present = set(plain)
        known = next(
            (k for k in KNOWN if k.kind == kind and all(plain_heading(s) in present for s in k.signature)),
            None,
        )
    columns: dict[str, int] = {}
    if known:
        for name, heading in known.columns.items():
            if (at := _index(plain, heading)) is not None:
                columns[name] = at
    else:
        columns = dict(_claimed(tuple(plain), FIELDS[kind]))
    for name, heading in (mapping or {}).items():
        _map(name, heading, header=header, plain=plain, columns=columns, kind=kind, known=known)
    _check_needed(kind, known, header, columns)
    used = set(columns.values())
    ours = _our_headings() if kind == "replies" else frozenset()
    unknown = tuple(
        text for at, text in enumerate(header) if text and at not in used and plain[at] not in ours
    )
    price = next((columns[name] for name in ("price", "unit_price", "amount") if name in columns), None)
    currency = recognise_currency(header[price]) if price is not None else ""
    return Layout(
        kind=kind,
        name=known.name if known else "generic",
        header=header,
        columns=columns,
        unknown=unknown,
        currency=currency,
        day_first=day_first,
        decimal_mark=decimal_mark,
    )


def claimed(header: Sequence[str], kind: FileKind, mapping: Mapping[str, str] | None = None) -> dict[str, int]:
    """Field → column as far as headings (and a person's `mapping`) go, complete or not: to be shown and put right."""
    plain = [plain_heading(text) for text in header]
    columns = dict(_claimed(tuple(plain), FIELDS[kind]))
    for name, heading in (mapping or {}).items():
        at = next((i for i, text in enumerate(header) if text == heading), None) if heading else None
        columns = {field: column for field, column in columns.items() if field != name and column != at}
        if at is not None:
            columns[name] = at
    return columns


def _index(plain: Sequence[str], heading: str) -> int | None:
    wanted = plain_heading(heading)
    return next((at for at, text in enumerate(plain) if text == wanted), None)


@lru_cache(maxsize=256)
def _claimed(plain: tuple[str, ...], fields: tuple[Field, ...]) -> dict[str, int]:
    """Headings to fields: the nearer a heading stands to the front of a field's list, the better its claim."""
    claims = []
    for order, one in enumerate(fields):
        for rank, heading in enumerate((*one.zh, *one.en)):
            rank = rank if rank < len(one.zh) else rank - len(one.zh)
            if (at := _index(plain, heading)) is not None:
                claims.append((rank, order, at, one.name))
    columns: dict[str, int] = {}
    taken: set[int] = set()
    for _, _, at, name in sorted(claims):
        if name not in columns and at not in taken:
            columns[name] = at
            taken.add(at)
    return columns


def _map(
    name: str,
    heading: str,
    *,
    header: Sequence[str],
    plain: Sequence[str],
    columns: dict[str, int],
    kind: FileKind,
    known: Known | None,
) -> None:
    allowed = {one.name for one in FIELDS[kind]} | set(known.columns if known else ())
    if name not in allowed:
        raise SheetRefused(
            "mapping_wrong",
            N_("There is no field “%(name)s” in this import; there are: %(known)s."),
            {"name": name, "known": ", ".join(sorted(allowed))},
        )
    if not heading:
        columns.pop(name, None)
        return
    at = next((i for i, text in enumerate(header) if text == heading), None)
    at = _index(plain, heading) if at is None else at
    if at is None:
        raise SheetRefused(
            "mapping_wrong",
            N_("The file has no column “%(heading)s”; it has: %(found)s."),
            {"heading": heading, "found": _found(header)},
        )
    for other in [field for field, column in columns.items() if column == at and field != name]:
        del columns[other]
    columns[name] = at


def _check_needed(
    kind: FileKind, known: Known | None, header: Sequence[str], columns: Mapping[str, int]
) -> None:
    made_up = {"taobao_suborders": {"number"}, "shopify_products": {"sku"}}.get(
        known.name if known else "", set()
    )
    missing = [
        one.label
        for one in FIELDS[kind]
        if one.needed and one.name not in columns and one.name not in made_up
    ]
    by_name = {one.name: one for one in FIELDS[kind]}
    missing += [
        " | ".join(by_name[name].label for name in group)
        for group in ONE_OF.get(kind, ())
        if not any(name in columns for name in group)
    ]
    if missing:
        raise SheetRefused(
            "column_missing",
            N_(
                "A needed column is missing: %(columns)s. The file has these columns: %(found)s. "
                "Rename the column, or say which column it is."
            ),
            {"columns": "; ".join(missing), "found": _found(header)},
        )


def _found(header: Sequence[str]) -> str:
    names = [shown(text) for text in header if text]
    return ", ".join(names[:40]) + (" …" if len(names) > 40 else "")


def _best_kind(
    header: tuple[str, ...],
    sample_rows: Sequence[Sequence[str]],
    mapping: Mapping[str, str] | None,
    layout: str,
    day_first: bool | None,
    decimal_mark: str | None,
) -> Layout:
    fits: list[tuple[float, Layout]] = []
    for kind in FIELDS:
        try:
            found = recognise(
                header,
                sample_rows,
                kind=kind,
                mapping=mapping,
                layout=layout,
                day_first=day_first,
                decimal_mark=decimal_mark,
            )
        except SheetRefused:
            continue
        fits.append(((1000 if found.name != "generic" else 0) + len(found.columns), found))
    if not fits:
        raise SheetRefused(
            "kind_unknown",
            N_(
                "It is not clear what this file holds (orders, products, offers, replies or tracking). Its columns are: %(found)s."
            ),
            {"found": _found(header)},
        )
    best = max(score for score, _ in fits)
    candidates = [layout for score, layout in fits if score == best]
    if len(candidates) > 1:
        raise SheetRefused(
            "kind_unknown",
            N_(
                "It is not clear what this file holds (orders, products, offers, replies or tracking). Its columns are: %(found)s."
            ),
            {"found": _found(header)},
        )
    return candidates[0]


@lru_cache(maxsize=1)
def _our_headings() -> frozenset[str]:
    """Headings of our own runs: they come back with every reply and are nothing to report."""
    return frozenset(plain_heading(text) for column in RUN_COLUMNS for text in column[:2])


# --------------------------------------------------------------------------------------------------- the document

_TITLES: dict[FileKind, str] = {
    "orders": "Orders 订单",
    "products": "Products 商品",
    "offers": "Supplier offers 货源",
    "replies": "Suppliers' replies 供应商回单",
    "tracking": "Tracking events 物流轨迹",
}


def document() -> str:
    """The text of `docs/connectors/manual.md`."""
    out = [
        "# The manual connector: workbooks and CSV files",
        "",
        "<!-- Printed from daifa/connectors/manual/columns.py by `python -m daifa.connectors.manual.columns`; a test compares. -->",
        "",
        "Any CSV (comma, semicolon, tab, pipe; UTF-8, UTF-16, GBK, Windows-1252; also .gz), XLSX, XLS or ODS file is read. Title lines "
        "above the headings do not matter. Headings are compared without case, spaces, punctuation and what stands in brackets. "
        "Columns that are not listed are ignored and reported. Where headings differ, say which column is which: "
        "a mapping of field to heading goes before everything below.",
        "",
    ]
    for kind, fields in FIELDS.items():
        out += [
            f"## {_TITLES[kind]}",
            "",
            "| field | needed | 中文列名 | English headings | meaning |",
            "|---|---|---|---|---|",
        ]
        groups = {name for group in ONE_OF.get(kind, ()) for name in group}
        for one in fields:
            needed = "yes" if one.needed else "one of ¹" if one.name in groups else ""
            out.append(
                f"| `{one.name}` | {needed} | {' · '.join(one.zh)} | {_cell(' · '.join(one.en))} | {_cell(one.about)} |"
            )
        out.append("")
        if groups:
            out += ["¹ At least one of the columns so marked.", ""]
        for known in (k for k in KNOWN if k.kind == kind):
            out += [
                f"### {known.title}",
                "",
                f"Recognised by the columns {', '.join(f'`{s}`' for s in known.signature)}. {known.about}",
                "",
            ]
    out += [
        "## What a purchase run holds 采购单",
        "",
        "| English | 中文 | filled in by the supplier |",
        "|---|---|---|",
    ]
    out += [
        f"| {english} | {chinese} | {'yes' if fill else ''} |" for english, chinese, _, fill in RUN_COLUMNS
    ]
    return "\n".join(out).rstrip() + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    from pathlib import Path

    target = Path(__file__).resolve().parents[3] / "docs" / "connectors" / "manual.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(document(), encoding="utf-8")
