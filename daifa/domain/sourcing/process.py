from daifa.lib.process import Process

SAMPLE = Process(
    name="sample",
    kind=48,
    table_name="sourcing_sample",
    table={
        "wanted": ["ordered", "cancelled"],
        "ordered": ["shipped", "received", "cancelled"],
        "shipped": ["received", "cancelled"],
        "received": ["passed", "failed"],
        "passed": ["failed"],
        "failed": ["passed"],
        "cancelled": [],
    },
    starts=["wanted"],
    words={
        "wanted": ("wanted", "待下单"), "ordered": ("ordered", "已下单"), "shipped": ("on its way", "运输中"),
        "received": ("here, to be judged", "已收到，待评定"), "passed": ("passed", "合格"), "failed": ("failed", "不合格"),
        "cancelled": ("cancelled", "已取消"),
    },
)  # fmt: skip
"""A sample ordered to our own address."""
