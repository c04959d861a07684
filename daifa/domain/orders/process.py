"""Words for what stops an order. An order has no state of its own: its status is derived from counters and holds."""

from daifa.lib.process import Process

HOLDS: dict[str, tuple[str, str]] = {
    "buyer_data_missing": ("there is no address to ship to", "缺少收件信息"),
    "not_paid": ("the buyer has not paid yet", "买家尚未付款"),
    "address_invalid": ("the address cannot be used", "收件地址无效"),
    "mapping_missing": ("nobody has said which supplier SKU this is", "未关联货源"),
    "mapping_broken": ("the supplier's SKU has changed or gone", "货源关联失效"),
    "agreement_missing": ("no recorded agreement with a supplier for this store", "缺少供货协议"),
    "platform_restricted": ("this channel is closed to drop shipping until its rules are met", "平台限制代发"),
    "agreement_incomplete": ("the agreement does not yet satisfy the channel", "供货协议未满足平台要求"),
    "entrustment_missing": ("the supplier has no signed entrustment of personal data", "缺少个人信息委托处理协议"),
    "consumer_platform": ("only shops on consumer platforms have it; buying there for a buyer is not done", "仅消费平台有货(不代拍)"),
    "store_closing": ("the store takes no new orders: it is closing, closed, frozen or not open yet", "店铺未营业或正在闭店，不再接新单"),
    "destination_refused": ("no supplier ships there", "供应商不发该地区"),
    "out_of_stock": ("every supplier is out of stock", "货源缺货"),
    "price_above_limit": ("every offer is below the margin floor", "低于最低毛利"),
    "exchange_rate_missing": ("there is no exchange rate for the supplier's currency", "缺少汇率"),
    "part_of_pack": ("the quantity is no whole number of the supplier's packs", "数量不是整包装"),
    "supplier_rejected": ("every supplier refused it", "供应商均已拒单"),
    "order_changed": ("the channel changed the order after it was purchased", "采购后订单有变更"),
    "placing_failed": ("the purchase could not be placed", "采购下单失败"),
    "by_hand": ("held by a person", "人工挂起"),
}

# An order is born once; what follows is counted. The table is here so that its birth stands in the history.
ORDER = Process(
    name="order", kind=1, table_name="orders_order", table={"received": []}, starts=["received"],
    words={"received": ("received", "已接收")},
)  # fmt: skip

# The headline of an order is computed from its counters, so it has no process: code → (English, 中文).
STATUS_WORDS: dict[str, tuple[str, str]] = {
    "new": ("new", "新订单"),
    "on_hold": ("on hold", "已挂起"),
    "confirmed": ("confirmed", "待采购"),
    "part_purchased": ("partly purchased", "部分采购"),
    "purchased": ("purchased", "已采购"),
    "part_shipped": ("partly shipped", "部分发货"),
    "shipped": ("shipped", "已发货"),
    "part_delivered": ("partly delivered", "部分签收"),
    "delivered": ("delivered", "已签收"),
    "cancelled": ("cancelled", "已取消"),
    "closed": ("closed", "已完结"),
}
