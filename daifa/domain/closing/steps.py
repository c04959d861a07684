"""The steps of a closing, declared: what each is for, who does it, what must hold, what daifa does, what proves it.

`check` names what must be nothing (`queries.BLOCKERS`), `do` and `undo` what a flow does (`flows/close_store/`),
`due` a day of the calendar (`rules.calendar`). Words are (English, 中文).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from daifa.domain.stores.rules import Need

Who = Literal["merchant", "daifa", "platform"]
Effect = Literal["go_on", "avert", "wind_up"]

WHO_MAY: dict[str, tuple[str, str]] = {
    "own": ("the owner", "店主"),
    "operate": ("the owner and operators", "店主与运营"),
    "books": ("the owner and bookkeepers", "店主与财务"),
}
"""Who may do a step, by its `need`."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `evidence`: what a person must give ("note", "reference", "file", "amount"); `outcomes`: how it may end.

    `after`: steps that must be settled before it. `final`: it cannot be undone. `only`: on whose channels it exists
    ("platform" = where somebody else keeps the shop). `optional`: may be left out, with a reason. `need`: what a person
    must be allowed in the store to do it; what ends the store or its data, or binds it, is its owner's.
    """

    code: str
    title: tuple[str, str]
    what: tuple[str, str]
    who: Who = "merchant"
    check: tuple[str, ...] = ()
    do: str = ""
    undo: str = ""
    evidence: tuple[str, ...] = ()
    outcomes: Mapping[str, tuple[Effect, str, str]] = field(default_factory=dict)  # code → (effect, English, 中文)
    due: str = ""
    after: tuple[str, ...] = ()
    final: bool = False
    only: str = ""
    optional: bool = False
    need: Need = "own"


# --- What comes before: the store may still stay -----------------------------------------------------------------

DECIDE = Step(
    "decide",
    ("Decision", "作出决定"),
    ("Say why the store ends; the application will carry this reason.", "写明闭店原因，申请时会用到。"),
    evidence=("note",),
    final=True,
)
NOTICE = Step(
    "notice",
    ("The platform's notice", "平台通知"),
    (
        "Keep the letter: its day starts the time for appeals. Which rule, which goods or notes, which proof.",
        "保存平台通知：申诉期从通知之日起算。记下依据的规则、涉及的商品或笔记、平台的证据。",
    ),
    who="platform",
    do="warn_store",
    evidence=("note",),
    due="noticed",
    final=True,
    need="operate",
)
APPEAL = Step(
    "appeal",
    ("Appeal", "申诉"),
    (
        "Appeal in time, with proof: agreement, purchase, waybill, corrected texts. The number of appeals is limited.",
        "在期限内带证据申诉：合作协议、采购单、运单、已整改的内容。申诉次数有限。",
    ),
    do="send_appeals",
    undo="withdraw_appeals",
    evidence=("note", "reference"),
    due="appeal_until",
    after=("notice",),
    optional=True,
    need="operate",
)
RULING = Step(
    "ruling",
    ("Ruling", "裁定"),
    (
        "What the platform decided. Reversed: the store goes on. Upheld: it is frozen and wound up.",
        "平台的裁定结果。撤销：继续营业；维持：店铺冻结并进入清退。",
    ),
    who="platform",
    do="hear_ruling",
    evidence=("note",),
    outcomes={
        "reversed": ("avert", "reversed: the store stays", "撤销，继续营业"),
        "again": ("go_on", "one more appeal is allowed", "允许再次申诉"),
        "upheld": ("wind_up", "upheld: the store ends", "维持，进入清退"),
    },
    due="ruling_by",
    after=("notice", "appeal"),
    final=True,
)
FREEZE = Step(
    "freeze",
    ("Account frozen", "账户冻结"),
    (
        "Funds and listing rights are frozen by the platform. What is owed to buyers and suppliers is still owed.",
        "资金与上架权限被平台冻结；对买家和供应商的义务仍然存在。",
    ),
    who="platform",
    do="freeze_store",
    due="frozen",
    after=("ruling",),
    final=True,
)
RULE_NOTICE = Step(
    "rule_notice",
    ("The announced rule", "规则变更通知"),
    (
        "Which category is newly regulated, from which day, which documents are asked for.",
        "哪个类目新增监管、何时生效、需要哪些资质。",
    ),
    who="platform",
    do="warn_store",
    evidence=("note",),
    due="noticed",
    final=True,
    need="operate",
)
SELF_CHECK = Step(
    "self_check",
    ("Self-check", "自查"),
    (
        "Which listings fall under the rule, and which documents are there already.",
        "逐一核对涉及的商品，以及已有的资质文件。",
    ),
    do="count_listings",
    evidence=("note",),
    due="self_check",
    after=("rule_notice",),
    need="operate",
)
LICENCE = Step(
    "licence",
    ("Licence change", "资质变更"),
    (
        "Hand in the documents before the rule takes effect; without documents there is no appeal.",
        "在规则生效前提交资质；没有资质文件无法申诉。",
    ),
    do="hear_ruling",
    evidence=("note",),
    outcomes={
        "granted": ("avert", "granted: the store stays", "资质通过，继续营业"),
        "refused": ("wind_up", "refused: the store ends", "未通过，闭店"),
        "not_asked": ("wind_up", "not applied for: the store ends", "未申请，闭店"),
    },
    due="effective",
    after=("self_check",),
    final=True,
)
MEASURE = Step(
    "measure",
    ("Own figures", "自有数据"),
    (
        "Orders, live listings and margin of the last months from this shop's own data, against the line.",
        "用本店数据看近几个月的订单、在售商品与毛利，对照活跃线。",
    ),
    who="daifa",
    do="measure",
    due="started",
    need="operate",
)
IMPROVE = Step(
    "improve",
    ("Improve", "改进"),
    (
        "Titles, pictures, prices, content, another line of goods: what was tried, and until when it is given time.",
        "标题、图片、价格、内容、换品：写明做了哪些改进、给多长时间。",
    ),
    evidence=("note",),
    due="improve_until",
    after=("measure",),
    need="operate",
)
CHOOSE = Step(
    "choose",
    ("Stay or leave", "去留决定"),
    (
        "The figures again after the time given. Local-life services (in-store, on-site) are another way to stay.",
        "到期后再看数据，决定去留。转做本地生活服务（到店、上门）也是一条出路。",
    ),
    do="measure",
    evidence=("note",),
    outcomes={
        "stay": ("avert", "the figures are back: the store stays", "数据恢复，继续经营"),
        "change_line": ("avert", "another line of goods", "更换经营类目"),
        "local_life": ("avert", "local-life services", "转本地生活服务"),
        "leave": ("wind_up", "leave: the store ends", "离开，闭店"),
    },
    due="improve_until",
    after=("improve",),
    final=True,
)

# --- Winding up ---------------------------------------------------------------------------------------------------

COUNT_OPEN = Step(
    "count_open",
    ("What is still open", "待办盘点"),
    (
        "Counts orders, parcels, after-sales, refunds, balances and appeals that are still open.",
        "盘点未发货、在途、售后、退款、账款与申诉。",
    ),
    who="daifa",
    do="count_open",
    due="started",
    need="operate",
)
SHOP_NOTICE = Step(
    "shop_notice",
    ("Notice on the shop", "店铺公告"),
    (
        "The public page says that the store is closing, until when, and how after-sales go on.",
        "公开状态页说明店铺即将关闭、截止日期，以及售后如何继续。",
    ),
    who="daifa",
    do="publish_notice",
    undo="withdraw_notice",
    due="listings_down",
    need="operate",
)
LISTINGS_DOWN = Step(
    "listings_down",
    ("Listings down", "商品下架"),
    (
        "Takes every listing down; while buyers have open after-sales, outside the shop's busy hours.",
        "全部商品下架；若买家仍有售后，避开高峰时段。",
    ),
    who="daifa",
    do="take_listings_down",
    undo="put_listings_back",
    due="listings_down",
    after=("count_open",),
    need="operate",
)
LINKS_RETIRED = Step(
    "links_retired",
    ("Old links and stale messages retired", "旧链接与过期消息作废"),
    (
        "Listings are closed for good, messages that no longer make sense are not sent; the list of old links is kept.",
        "商品链接作废、不再合适的待发消息取消；保存旧链接清单。",
    ),
    who="daifa",
    do="retire_links",
    due="listings_down",
    after=("listings_down",),
    final=True,
    need="operate",
)
BUYERS_TOLD = Step(
    "buyers_told",
    ("Buyers told", "告知买家"),
    (
        "Buyers with an order on its way or still in its after-sales time are told once, where the channel allows it.",
        "对有在途订单或仍在售后期的买家各通知一次（渠道允许时）。",
    ),
    who="daifa",
    do="tell_buyers",
    due="listings_down",
    after=("shop_notice", "listings_down"),
    final=True,
    need="operate",
)
ORDERS_FINISHED = Step(
    "orders_finished",
    ("Orders finished", "订单完结"),
    ("Everything sold is delivered or given back.", "所有订单均已送达或退款。"),
    check=("unshipped", "in_transit", "lost_unsettled", "not_paid_back"),
    do="count_open",
    due="orders_finished",
    after=("listings_down",),
    need="operate",
)
AFTERSALES_FINISHED = Step(
    "aftersales_finished",
    ("After-sales and refunds finished", "售后退款完结"),
    ("No request is open, no refund unpaid, nobody may still return goods.", "无未结售后、无未付退款、已过无理由退货期。"),
    check=("open_aftersales", "unpaid_refunds", "in_return_time"),
    do="count_open",
    due="aftersales_finished",
    after=("orders_finished",),
    need="operate",
)
APPLICATION = Step(
    "application",
    ("Application", "提交申请"),
    (
        "Ask the platform: back office, store management, close store. Once signed it cannot be taken back.",
        "在平台后台“店铺管理—关店”提交申请；签署后不可撤回。",
    ),
    check=("unshipped", "in_transit", "open_aftersales", "unpaid_refunds", "live_listings", "appeals"),
    do="apply",
    evidence=("note", "reference"),
    due="application",
    after=("orders_finished", "aftersales_finished", "links_retired", "buyers_told"),
    final=True,
    only="platform",
)
OWN_NOTICE = Step(
    "own_notice",
    ("Public notice begins", "公示开始"),
    (
        "The notice stands on the shop's front page without a break from this day on.",
        "从今日起在网站首页显著位置持续公示。",
    ),
    check=("unshipped", "in_transit", "open_aftersales", "unpaid_refunds", "live_listings"),
    do="apply",
    evidence=("note",),
    due="application",
    after=("orders_finished", "aftersales_finished", "shop_notice", "links_retired", "buyers_told"),
    final=True,
    only="own",
)
PUBLIC_NOTICE = Step(
    "public_notice",
    ("Public notice over", "公示期满"),
    ("Nobody objected while the notice stood.", "公示期满且无异议。"),
    who="platform",
    check=("notice_running",),
    due="notice_ends",
    after=("application", "own_notice"),
    need="operate",
)
CLOSED = Step(
    "closed",
    ("Store closed", "店铺关闭"),
    ("The platform closed the store (an own shop: it was switched off).", "平台已关闭店铺（独立站：已下线）。"),
    who="platform",
    do="mark_closed",
    evidence=("reference",),
    due="closed",
    after=("public_notice", "orders_finished", "aftersales_finished", "listings_down"),
    final=True,
)
SUPPLIERS_SETTLED = Step(
    "suppliers_settled",
    ("Suppliers settled", "供应商结清"),
    ("Nothing is owed to a supplier, and nothing is owed by one.", "与所有供应商账款结清。"),
    check=("supplier_balances",),
    do="count_open",
    due="closed",
    after=("orders_finished",),
    need="books",
)
SETTLEMENT = Step(
    "settlement",
    ("Proceeds received", "货款到账"),
    (
        "What the channel still owed has come in. What it kept is booked as its fees, with the reason. Where something moves "
        "later (a refund, a penalty), take the step back: what is booked stays, and what is due then is settled anew.",
        "平台应付货款已到账；平台扣下的部分按手续费入账并写明原因。之后若再有变动（退款、扣罚），撤销本步即可：已入账的保留，届时应付的部分重新结清。",
    ),
    do="book_proceeds",
    undo="keep_proceeds",
    evidence=("amount",),
    due="closed",
    after=("aftersales_finished",),
    need="books",
)
DEPOSIT_BACK = Step(
    "deposit_back",
    ("Deposit back", "保证金退回"),
    (
        "The deposit is paid back, less what was deducted; a deposit kept by the ruling is written down.",
        "保证金退回（扣款除外）；被裁定不退的部分记账注销。",
    ),
    who="platform",
    do="return_deposit",
    evidence=("note", "amount"),
    due="deposit",
    after=("closed",),
    final=True,
    only="platform",
    need="books",
)
EXPORT = Step(
    "export",
    ("Export", "导出存档"),
    ("Books and orders in one file, without names or addresses.", "账簿与订单导出为一个压缩包，不含姓名地址。"),
    who="daifa",
    do="export_all",
    due="closed",
    after=("closed",),
    need="books",
)
SHRED = Step(
    "shred",
    ("Personal data shredded", "个人信息删除"),
    (
        "Names, addresses and what buyers wrote go, as far as retention and open claims allow; what must be kept longer goes on its day. Sums stay.",
        "在留存期与未结纠纷允许的范围内删除姓名、地址与买家文字；需保留更久的到期自动删除。金额保留。",
    ),
    who="daifa",
    check=("retention_unknown",),
    do="shred_personal_data",
    due="shred",
    after=("export", "deposit_back", "aftersales_finished"),
    final=True,
)
BOOKS_LOCKED = Step(
    "books_locked",
    ("Books locked", "账簿锁定"),
    ("Nothing is posted to the books of this store any more.", "本店账簿不再入账。"),
    who="daifa",
    check=("supplier_balances", "settlement_due", "deposit_held", "postings_owed"),
    do="lock_books",
    undo="unlock_books",
    due="archive",
    after=("suppliers_settled", "settlement", "deposit_back", "export"),
    need="books",
)
ARCHIVE = Step(
    "archive",
    ("Archive", "归档"),
    ("The life of this store ends; its record stays.", "店铺生命周期结束，记录保留。"),
    who="daifa",
    check=("supplier_balances", "settlement_due", "deposit_held"),
    do="archive",
    due="archive",
    after=("closed", "shred", "books_locked"),
    final=True,
)

_FINISH = (
    COUNT_OPEN, SHOP_NOTICE, LISTINGS_DOWN, LINKS_RETIRED, BUYERS_TOLD, ORDERS_FINISHED, AFTERSALES_FINISHED,
)  # fmt: skip
_ASK = (APPLICATION, OWN_NOTICE, PUBLIC_NOTICE)
_END = (CLOSED, SUPPLIERS_SETTLED, SETTLEMENT, DEPOSIT_BACK, EXPORT, SHRED, BOOKS_LOCKED, ARCHIVE)

SCENARIOS: dict[str, tuple[Step, ...]] = {
    "choice": (DECIDE, *_FINISH, *_ASK, *_END),
    "forced": (NOTICE, APPEAL, RULING, FREEZE, *_FINISH, *_END),  # the platform acts: nobody asks it
    "rule_change": (RULE_NOTICE, SELF_CHECK, LICENCE, *_FINISH, *_ASK, *_END),
    "no_traffic": (MEASURE, IMPROVE, CHOOSE, *_FINISH, *_ASK, *_END),
}
"""Scenario → its steps in order."""



def who_does(step: Step, *, has_platform: bool) -> Who:
    """Who does a step: what a platform does elsewhere is done by the merchant where nobody else keeps the shop."""
    return "merchant" if step.who == "platform" and not has_platform else step.who


BY_CODE: dict[str, Step] = {step.code: step for steps in SCENARIOS.values() for step in steps}


def opening(scenario: str) -> tuple[str, ...]:
    """Codes of the steps before the winding up: those of a closing that may still be averted."""
    codes = [step.code for step in SCENARIOS[scenario]]
    return tuple(codes[: codes.index("count_open")])


# --- Coming back --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Comeback:
    """A step of a comeback plan; `month` of the plan (of four) at whose end it is due."""

    code: str
    title: tuple[str, str]
    what: tuple[str, str]
    month: int


COMEBACK: tuple[Comeback, ...] = (
    Comeback(
        "cause_named",
        ("Cause named", "找准原因"),
        ("Which rule was broken, by which goods or texts, how often.", "违反了哪条规则、哪些商品或内容、多少次。"),
        1,
    ),
    Comeback(
        "cause_removed",
        ("Cause removed", "根除原因"),
        ("Goods and texts out, supplier replaced or bound by an agreement.", "下架相关商品与内容，更换供应商或签订协议。"),
        1,
    ),
    Comeback(
        "documents",
        ("Documents complete", "资质齐全"),
        ("Licences, authorisations and agreements valid on the day of the application.", "营业执照、授权与协议在申请日均有效。"),
        2,
    ),
    Comeback(
        "test_orders",
        ("Test orders clean", "试单合格"),
        ("Own sample orders: platform e-waybill, no foreign cards, in time.", "自购样品单：平台面单、无他平台卡片、时效达标。"),
        3,
    ),
    Comeback(
        "texts_screened",
        ("Texts screened", "内容筛查"),
        ("Titles, descriptions and notes checked against restricted terms: nothing blocked.", "标题、描述、笔记通过禁限用语检查。"),
        3,
    ),
    Comeback(
        "one_line",
        ("One line of goods", "聚焦一个品类"),
        ("The new store sells one line, with a source for each listing.", "新店只做一个品类，每个商品都有货源。"),
        4,
    ),
)  # fmt: skip
