from daifa.lib.process import Process

_MOVING = ["in_transit", "out_for_delivery", "attempt_failed", "pickup_ready", "exception"]
_ENDS = ["delivered", "returned_to_sender", "lost"]

PARCEL = Process(
    name="parcel",
    kind=4,
    table_name="shipping_parcel",
    table={
        "announced": ["handed_over", *_MOVING, *_ENDS, "cancelled"],
        "handed_over": [*_MOVING, *_ENDS],
        **{state: [s for s in _MOVING if s != state] + _ENDS for state in _MOVING},
        "lost": [*_MOVING, "delivered", "returned_to_sender"],  # lost ones do turn up
        "delivered": ["returned_to_sender"],
        "returned_to_sender": [],
        "cancelled": [],
    },
    starts=["announced", "handed_over"],
    words={
        "announced": ("announced", "已出单号"),
        "handed_over": ("handed over", "已揽收"),
        "in_transit": ("in transit", "运输中"),
        "out_for_delivery": ("out for delivery", "派送中"),
        "attempt_failed": ("delivery failed", "派送失败"),
        "pickup_ready": ("waiting for pickup", "待取件"),
        "exception": ("in trouble", "物流异常"),
        "delivered": ("delivered", "已签收"),
        "returned_to_sender": ("returned to sender", "已退回"),
        "lost": ("lost", "丢件"),
        "cancelled": ("cancelled", "已取消"),
    },
)

DISPATCH_NOTICE = Process(
    name="dispatch_notice",
    kind=8,
    table_name="shipping_dispatchnotice",
    table={"queued": ["sent", "refused", "suppressed"], "sent": ["confirmed", "refused"], "refused": ["queued"],
           "confirmed": [], "suppressed": []},
    starts=["queued"],
    words={"queued": ("to be told", "待回传"), "sent": ("told", "已回传"), "confirmed": ("confirmed", "平台已确认"),
           "refused": ("refused", "回传被拒"), "suppressed": ("not wanted", "无需回传")},
)  # fmt: skip

PARCEL_CHECK = Process(
    name="parcel_check",
    kind=46,
    table_name="shipping_parcelcheck",
    table={
        "received": ["breach", "clean", "unreadable"],
        "unreadable": ["breach", "clean", "received"],
        "breach": ["clean"],
        "clean": ["breach"],
    },
    starts=["received"],
    words={
        "received": ("to be read", "待识别"), "breach": ("breach", "有违规"), "clean": ("clean", "无违规"),
        "unreadable": ("not readable", "无法识别"),
    },
)  # fmt: skip
