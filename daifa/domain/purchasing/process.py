from daifa.lib.process import Process

PURCHASE_ORDER = Process(
    name="purchase_order",
    kind=3,
    table_name="purchasing_purchaseorder",
    table={
        "draft": ["ready", "cancelled"],
        "ready": ["submitting", "cancelled"],
        "submitting": ["placed", "unknown", "refused", "failed", "ready"],
        "unknown": ["placed", "ready", "refused", "failed"],
        "placed": ["closed", "refused"],
        "refused": [],
        "failed": ["ready", "cancelled"],
        "cancelled": [],
        "closed": [],
    },
    starts=["draft", "ready"],
    words={
        "draft": ("draft", "草稿"),
        "ready": ("ready", "待下单"),
        "submitting": ("being placed", "下单中"),
        "unknown": ("not known whether placed", "结果未知"),
        "placed": ("placed", "已下单"),
        "refused": ("refused", "已拒单"),
        "failed": ("failed", "下单失败"),
        "cancelled": ("cancelled", "已取消"),
        "closed": ("closed", "已完结"),
    },
)

PURCHASE_RUN = Process(
    name="purchase_run",
    kind=7,
    table_name="purchasing_purchaserun",
    table={
        # Placed straight from fixed: a person downloaded it and said so, or the supplier answered all of it. Unknown
        # straight from fixed: he answered some of it, so he may have it.
        "fixed": ["sending", "placed", "unknown"],
        "sending": ["placed", "unknown", "fixed"],
        "unknown": ["placed", "fixed"],  # a person says which
        "placed": [],
    },
    starts=["fixed"],
    words={
        "fixed": ("fixed, to be sent", "已生成，待发送"),
        "sending": ("being sent", "发送中"),
        "unknown": ("not known whether sent", "发送结果未知"),
        "placed": ("sent", "已发送"),
    },
)

REMINDER = Process(
    name="reminder",
    kind=90,
    table_name="purchasing_reminder",
    table={
        "due": ["sending", "sent", "dropped"],  # sent straight from due: a person passed it on
        "sending": ["sent", "unknown", "due"],
        "unknown": ["sent", "dropped"],  # one letter too few is asked again by the next step, never twice by itself
        "sent": [],
        "dropped": [],
    },
    starts=["due"],
    words={
        "due": ("to be sent", "待发送"),
        "sending": ("being sent", "发送中"),
        "unknown": ("not known whether sent", "发送结果未知"),
        "sent": ("sent", "已发送"),
        "dropped": ("not needed any more", "已不需要"),
    },
)

ATTEMPT = Process(
    name="placement_attempt",
    kind=6,
    table_name="purchasing_placementattempt",
    table={
        "prepared": ["accepted", "refused", "unknown"],
        "unknown": ["accepted", "refused", "absent"],
        "accepted": [],
        "refused": [],
        "absent": [],
    },
    starts=["prepared"],
    words={
        "prepared": ("prepared", "已准备"),
        "unknown": ("unknown", "未知"),
        "accepted": ("accepted", "已接受"),
        "refused": ("refused", "已拒绝"),
        "absent": ("proved absent", "确认未收到"),
    },
)
