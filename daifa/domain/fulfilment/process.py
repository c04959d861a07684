from daifa.lib.process import Process

FULFILMENT_ORDER = Process(
    name="fulfilment_order",
    kind=2,
    table_name="fulfilment_fulfilmentorder",
    table={
        "released": ["assigned", "superseded", "cancelled"],
        "assigned": ["done", "superseded", "cancelled"],
        "superseded": [],
        "done": [],
        "cancelled": [],
    },
    starts=["released"],
    words={
        "released": ("released", "待采购"),
        "assigned": ("assigned", "已派单"),
        "superseded": ("routed again", "已改派"),
        "done": ("done", "已完成"),
        "cancelled": ("cancelled", "已取消"),
    },
)
