from daifa.lib.process import Process

AFTERSALE_CASE = Process(
    name="aftersale_case",
    kind=9,
    table_name="aftersales_aftersalecase",
    table={
        "requested": ["approved", "refused", "refunded"],
        # Goods may stand before the door without anybody having been told their number.
        "approved": ["in_transit", "received", "refunded", "expired"],
        "in_transit": ["received", "refunded", "expired"],
        "received": ["refunded", "refused"],
        "refunded": ["closed"],
        "refused": ["closed", "approved"],
        "expired": ["closed"],
        "closed": [],
    },
    starts=["requested", "refunded"],
    words={
        "requested": ("requested", "买家已申请"),
        "approved": ("approved", "已同意"),
        "in_transit": ("coming back", "退货途中"),
        "received": ("received", "已收到退货"),
        "refunded": ("refunded", "已退款"),
        "refused": ("refused", "已拒绝"),
        "expired": ("expired", "已超时"),
        "closed": ("closed", "已关闭"),
    },
)

REFUND = Process(
    name="refund",
    kind=11,
    table_name="aftersales_refund",
    table={
        "requested": ["sent", "confirmed", "failed"],
        "sent": ["confirmed", "failed", "unknown"],
        "unknown": ["confirmed", "failed"],
        "failed": ["requested"],
        "confirmed": [],
    },
    starts=["requested", "confirmed"],
    words={
        "requested": ("requested", "待退款"),
        "sent": ("sent", "退款中"),
        "unknown": ("unknown", "结果未知"),
        "failed": ("failed", "退款失败"),
        "confirmed": ("confirmed", "已退款"),
    },
)
