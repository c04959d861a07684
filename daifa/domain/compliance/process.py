from daifa.lib.process import Process

RISK = Process(
    name="risk",
    kind=45,
    table_name="compliance_risk",
    table={
        "open": ["explained", "acted", "gone"],
        "explained": ["open", "acted", "gone"],
        "acted": ["open", "explained", "gone"],
        "gone": [],
    },
    starts=["open"],
    words={
        "open": ("open", "待处理"), "explained": ("explained", "已说明"), "acted": ("remedy begun", "整改中"),
        "gone": ("gone", "已消除"),
    },
)  # fmt: skip

PLAN_STEP = Process(
    name="plan_step",
    kind=47,
    table_name="compliance_planstep",
    table={
        "todo": ["doing", "done", "dropped"],
        "doing": ["done", "failed", "dropped"],
        "failed": ["doing", "dropped"],
        "done": ["doing"],
        "dropped": [],
    },
    starts=["todo"],
    words={
        "todo": ("to do", "待办"), "doing": ("under way", "进行中"), "done": ("done", "已完成"),
        "failed": ("did not work", "未达成"), "dropped": ("dropped", "已放弃"),
    },
)  # fmt: skip
