from daifa.lib.process import Process

IMPORT = Process(
    name="import",
    kind=10,
    table_name="imports_importfile",
    table={
        "received": ["reading", "done", "refused", "stopped"],
        "reading": ["reading", "done", "refused", "stopped"],
        "stopped": ["reading", "done", "refused"],
        "done": [],
        "refused": [],
    },
    starts=["received"],
    words={
        "received": ("received", "已接收"),
        "reading": ("being read", "读取中"),
        "done": ("done", "已完成"),
        "refused": ("refused", "已拒绝"),
        "stopped": ("stopped", "已中断"),
    },
)
