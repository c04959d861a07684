from daifa.lib.process import Process

LISTING = Process(
    name="listing",
    kind=34,
    table_name="catalog_listingvariant",
    table={
        "draft": ["live", "delisted", "closed"],
        "live": ["paused", "taken_down", "delisted", "closed"],
        "paused": ["live", "taken_down", "delisted", "closed"],
        "taken_down": ["live", "delisted", "closed"],  # live again only through the gate, once the notice is settled
        "delisted": ["live", "closed"],
        "closed": ["live"],  # a closing that was withdrawn puts its listings back
    },
    starts=["draft", "live"],  # live: the shop had it before daifa
    words={
        "draft": ("not published yet", "未上架"),
        "live": ("on sale", "在售"),
        "paused": ("paused", "已暂停"),
        "taken_down": ("taken down after a notice", "因投诉下架"),
        "delisted": ("taken off sale", "已下架"),
        "closed": ("closed", "已关闭"),
    },
)

PUBLICATION = Process(
    name="publication",
    kind=35,
    table_name="catalog_publication",
    table={
        "waiting": ["ready", "refused", "returned", "withdrawn"],
        "ready": ["filed", "sending", "waiting", "refused", "withdrawn"],  # the gate is asked again at the door
        "filed": ["done", "ready"],  # a person says whether the file was uploaded
        "sending": ["done", "declined", "unknown", "ready"],
        "unknown": ["done", "declined", "ready"],  # ready: the channel was asked and never heard of it
        "done": [],
        "declined": [],
        "refused": [],
        "returned": [],
        "withdrawn": [],
    },
    starts=["waiting", "ready", "refused"],
    words={
        "waiting": ("waits for a person", "待人工确认"),
        "ready": ("may go out", "可发布"),
        "filed": ("in a file to upload", "已生成上传文件"),
        "sending": ("being sent", "发送中"),
        "unknown": ("not known whether the channel has it", "结果未知"),
        "done": ("the channel has it", "渠道已生效"),
        "declined": ("declined by the channel", "渠道拒绝"),
        "refused": ("stopped at the gate", "未通过检查"),
        "returned": ("returned for change", "已退回修改"),
        "withdrawn": ("withdrawn", "已撤回"),
    },
)

LISTING_FILE = Process(
    name="listing_file",
    kind=36,
    table_name="catalog_listingfile",
    table={"fixed": ["uploaded", "dropped"], "uploaded": [], "dropped": []},
    starts=["fixed"],
    words={
        "fixed": ("to be uploaded", "待上传"),
        "uploaded": ("uploaded", "已上传"),
        "dropped": ("not uploaded", "未上传"),
    },
)

ACTIONS: dict[str, tuple[str, str]] = {
    "publish": ("publish", "上架"),
    "pause": ("pause", "暂停"),
    "delist": ("take off sale", "下架"),
}
"""What a publication asks the channel to do."""

OPEN = ("waiting", "ready", "filed", "sending", "unknown")
"""States of a publication that is not over; one a product, store and time."""
