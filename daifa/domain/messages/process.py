from daifa.lib.process import Process

MESSAGE = Process(
    name="message",
    kind=5,
    table_name="buyer_messages_message",
    table={
        "queued": ["sending", "suppressed"],
        "sending": ["sent", "unknown", "queued", "failed"],
        "unknown": ["sent", "queued"],  # a person says which; never re-sent by itself
        "failed": ["queued", "suppressed"],
        "suppressed": ["queued"],  # a person lets one go that was held back after a restore
        "sent": [],
    },
    starts=["queued", "suppressed"],
    words={
        "queued": ("queued", "待发送"),
        "sending": ("being sent", "发送中"),
        "unknown": ("not known whether sent", "发送结果未知"),
        "failed": ("failed", "发送失败"),
        "suppressed": ("not sent on purpose", "不发送"),
        "sent": ("sent", "已发送"),
    },
)

KINDS: dict[str, tuple[str, str]] = {
    "order_received": ("Order received", "已收到订单"),
    "dispatched": ("Dispatched", "已发货"),
    "in_transit": ("On its way", "运输中"),
    "delayed": ("Delayed", "物流延迟"),
    "delivered": ("Delivered", "已签收"),
    "number_changed": ("New tracking number", "运单号变更"),
    "review": ("Review invitation", "邀请评价"),
    "store_closing": ("Store is closing", "店铺即将关闭"),
}
