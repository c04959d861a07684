from daifa.lib.process import Process

LIFECYCLE = Process(
    name="lifecycle",
    kind=80,
    table_name="closing_lifecycle",
    table={
        "preparing": ["open", "archived"],
        "open": ["closing", "closed"],
        "closing": ["open", "closed"],
        "closed": ["archived"],
        "archived": [],  # coming back is a new lifecycle that names this one
    },
    starts=["preparing", "open"],
    words={
        "preparing": ("preparing", "筹备中"),
        "open": ("open", "营业中"),
        "closing": ("closing", "闭店中"),
        "closed": ("closed", "已闭店"),  # by the platform, or by its owner where nobody else keeps the shop
        "archived": ("archived", "已归档"),
    },
)

STANDING = Process(
    name="standing",
    kind=81,
    table_name="closing_standing",
    table={
        "normal": ["warned", "restricted", "frozen"],
        "warned": ["normal", "restricted", "frozen"],
        "restricted": ["normal", "warned", "frozen"],
        "frozen": ["normal", "warned", "restricted"],
    },
    starts=["normal"],
    words={
        "normal": ("normal", "正常"),
        "warned": ("warned", "已警告"),
        "restricted": ("restricted", "受限"),
        "frozen": ("frozen", "已冻结"),
    },
)

CLOSING = Process(
    name="closing",
    kind=82,
    table_name="closing_closing",
    table={
        "threatened": ["running", "averted"],  # it may still be averted: by an appeal, a licence, better figures
        "running": ["done", "withdrawn"],
        "done": [],
        "averted": [],
        "withdrawn": [],
    },
    starts=["threatened", "running"],
    words={
        "threatened": ("may still be averted", "尚可避免"),
        "running": ("winding up", "收尾中"),
        "done": ("finished", "已完成"),
        "averted": ("averted", "已避免"),
        "withdrawn": ("withdrawn", "已撤回"),
    },
)

CLOSING_STEP = Process(
    name="closing_step",
    kind=83,
    table_name="closing_closingstep",
    table={
        "waiting": ["done", "not_needed"],
        "done": ["waiting"],
        "not_needed": ["waiting"],
    },
    starts=["waiting", "not_needed"],
    words={
        "waiting": ("to do", "待办"),
        "done": ("done", "已完成"),
        "not_needed": ("not needed", "无需办理"),
    },
)

READMISSION = Process(
    name="readmission",
    kind=84,
    table_name="closing_readmission",
    table={
        "planned": ["applied", "given_up"],
        "applied": ["readmitted", "refused"],
        "refused": ["applied", "given_up"],
        "readmitted": [],
        "given_up": [],
    },
    starts=["planned"],
    words={
        "planned": ("being healed", "整改中"),
        "applied": ("applied for", "已申请"),
        "refused": ("refused", "被拒绝"),
        "readmitted": ("back", "已重新入驻"),
        "given_up": ("given up", "已放弃"),
    },
)

PLATFORM_CASE = Process(
    name="platform_case",
    kind=85,
    table_name="closing_platformcase",
    table={
        "received": ["review", "refused"],
        "review": ["public_notice", "noticed", "refused", "dropped"],
        "public_notice": ["executed", "objected", "dropped"],  # dropped: the shop's closing ended another way
        "objected": ["public_notice", "refused"],
        "noticed": ["appealed", "ruled", "dropped"],
        "appealed": ["noticed", "ruled", "dropped"],
        "ruled": ["executed"],
        "executed": [],
        "refused": [],
        "dropped": [],
    },
    starts=["received", "review"],
    words={
        "received": ("received", "已受理"),
        "review": ("under review", "审核中"),
        "public_notice": ("public notice", "公示中"),
        "objected": ("objection during the notice", "公示期有异议"),
        "noticed": ("store given notice", "已通知店铺"),
        "appealed": ("appealed", "已申诉"),
        "ruled": ("ruled: takedown waits for a quiet hour", "已裁定，待低峰下架"),
        "executed": ("executed", "已执行"),
        "refused": ("refused", "已驳回"),
        "dropped": ("dropped", "已撤销"),
    },
)
