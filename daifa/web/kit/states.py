"""One table: state → colour and word. The words of a `lib.process.Process` go before those written here.

`"*"` holds what a state means wherever it appears; a name above it holds what differs in that process.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any

from django.apps import apps
from django.utils.module_loading import module_has_submodule

from daifa.lib.process import Process
from daifa.web.kit.format import is_chinese

# state: (tone, English, 中文)
STATES: dict[str, dict[str, tuple[str, str, str]]] = {
    "*": {
        "new": ("info", "new", "新建"),
        "draft": ("neutral", "draft", "草稿"),
        "ready": ("info", "ready", "待处理"),
        "planned": ("neutral", "planned", "已计划"),
        "pending": ("info", "waiting", "等待中"),
        "queued": ("info", "queued", "排队中"),
        "waiting": ("info", "waiting", "等待中"),
        "running": ("progress", "running", "进行中"),
        "reading": ("progress", "reading", "读取中"),
        "open": ("info", "open", "进行中"),
        "active": ("success", "active", "启用"),
        "trial": ("info", "trial", "试用"),
        "prospect": ("neutral", "prospect", "意向"),
        "watch": ("warning", "watched", "观察中"),
        "suspended": ("warning", "suspended", "已暂停"),
        "ended": ("muted", "ended", "已终止"),
        "on_hold": ("warning", "on hold", "已挂起"),
        "held": ("warning", "on hold", "已挂起"),
        "released": ("info", "released", "已放行"),
        "assigned": ("progress", "assigned", "已派单"),
        "superseded": ("muted", "superseded", "已被替代"),
        "replaced": ("muted", "replaced", "已被替换"),
        "confirmed": ("info", "confirmed", "已确认"),
        "part_purchased": ("progress", "partly purchased", "部分采购"),
        "purchased": ("progress", "purchased", "已采购"),
        "part_shipped": ("progress", "partly shipped", "部分发货"),
        "shipped": ("progress", "shipped", "已发货"),
        "part_delivered": ("progress", "partly delivered", "部分签收"),
        "delivered": ("success", "delivered", "已签收"),
        "submitting": ("progress", "submitting", "提交中"),
        "unknown": ("danger", "unknown", "结果未知"),
        "placed": ("progress", "placed", "已下单"),
        "accepted": ("success", "accepted", "已接单"),
        "rejected": ("danger", "rejected", "已拒绝"),
        "refused": ("danger", "refused", "已拒绝"),
        "failed": ("danger", "failed", "失败"),
        "cancelled": ("muted", "cancelled", "已取消"),
        "closed": ("muted", "closed", "已完结"),
        "done": ("success", "done", "已完成"),
        "breach": ("danger", "breach", "有违规"),
        "clean": ("success", "clean", "无违规"),
        "unreadable": ("warning", "not readable", "无法识别"),
        "explained": ("neutral", "explained", "已说明"),
        "acted": ("progress", "remedy begun", "整改中"),
        "gone": ("success", "gone", "已消除"),
        "todo": ("info", "to do", "待办"),
        "doing": ("progress", "under way", "进行中"),
        "dropped": ("muted", "dropped", "已放弃"),
        "announced": ("neutral", "announced", "待揽收"),
        "handed_over": ("progress", "handed over", "已揽收"),
        "in_transit": ("progress", "in transit", "运输中"),
        "out_for_delivery": ("progress", "out for delivery", "派送中"),
        "attempt_failed": ("warning", "delivery failed", "派送失败"),
        "pickup_ready": ("warning", "ready for pickup", "待自提"),
        "exception": ("danger", "exception", "异常"),
        "returned_to_sender": ("danger", "returned to sender", "退回寄件人"),
        "returned": ("warning", "returned", "已退回"),
        "lost": ("danger", "lost", "丢件"),
        "late": ("danger", "late", "超时"),
        "expired": ("muted", "expired", "已过期"),
        "sent": ("success", "sent", "已发送"),
        "sending": ("progress", "sending", "发送中"),
        "corrected": ("info", "corrected", "已更正"),
        "suppressed": ("muted", "not sent", "未发送"),
        "requested": ("info", "requested", "已申请"),
        "approved": ("progress", "approved", "已同意"),
        "received": ("progress", "received", "已收货"),
        "refunded": ("success", "refunded", "已退款"),
        "withdrawn": ("muted", "withdrawn", "已撤回"),
        "candidate": ("neutral", "candidate", "候选"),
        "verified": ("info", "verified", "已核实"),
        "live": ("success", "live", "有效"),
        "stale": ("warning", "stale", "信息过旧"),
        "unavailable": ("danger", "unavailable", "缺货"),
        "removed": ("muted", "removed", "已下架"),
        "retired": ("muted", "retired", "已停用"),
        "soft_closed": ("warning", "soft closed", "预结账"),
        "posted": ("success", "posted", "已入账"),
        "reversed": ("muted", "reversed", "已冲销"),
        "preparing": ("neutral", "preparing", "筹备中"),
        "closing": ("warning", "closing", "闭店中"),
        "archived": ("muted", "archived", "已归档"),
        "normal": ("success", "normal", "正常"),
        "warned": ("warning", "warned", "已警告"),
        "restricted": ("danger", "restricted", "受限"),
        "frozen": ("danger", "frozen", "已冻结"),
        "prepared": ("neutral", "prepared", "已准备"),
        "resolved": ("success", "resolved", "已查明"),
        "applied": ("success", "applied", "已应用"),
        "needs_review": ("warning", "needs review", "待核对"),
        "discarded": ("muted", "discarded", "已弃用"),
        "stored": ("info", "stored", "已存档"),
        "ignored": ("muted", "ignored", "已忽略"),
        "exported": ("progress", "exported", "已导出"),
        "stopped": ("warning", "stopped", "已中断"),
        "fixed": ("info", "fixed", "已生成"),
        "absent": ("muted", "proved absent", "确认未收到"),
        "recorded": ("info", "recorded", "已记录"),
        "wanted": ("info", "wanted", "待下单"),
        "ordered": ("progress", "ordered", "已下单"),
        "passed": ("success", "passed", "合格"),
    },
    # The headline of an order is computed from its counters, so it has no process.
    "order": {
        "new": ("info", "new", "新订单"),
        "on_hold": ("warning", "on hold", "已挂起"),
        "confirmed": ("info", "confirmed", "待采购"),
        "part_purchased": ("progress", "partly purchased", "部分采购"),
        "purchased": ("progress", "purchased", "已采购"),
        "part_shipped": ("progress", "partly shipped", "部分发货"),
        "shipped": ("progress", "shipped", "已发货"),
        "part_delivered": ("progress", "partly delivered", "部分签收"),
        "delivered": ("success", "delivered", "已签收"),
        "cancelled": ("muted", "cancelled", "已取消"),
        "closed": ("muted", "closed", "已完结"),
    },
    "reminder": {"due": ("warning", "to be sent", "待发送")},
    "closing": {
        "threatened": ("warning", "may still be averted", "尚可避免"),
        "averted": ("success", "averted", "已避免"),
        "running": ("progress", "winding up", "收尾中"),
        "done": ("muted", "finished", "已完成"),
    },
    "lifecycle": {"open": ("success", "open", "营业中"), "closed": ("muted", "closed", "已闭店")},
    "closing_step": {"not_needed": ("muted", "not needed", "无需办理")},
    "readmission": {
        "applied": ("progress", "applied for", "已申请"),
        "readmitted": ("success", "back", "已重新入驻"),
        "given_up": ("muted", "given up", "已放弃"),
    },
    "platform_case": {
        "review": ("progress", "under review", "审核中"),
        "public_notice": ("progress", "public notice", "公示中"),
        "objected": ("warning", "objection during the notice", "公示期有异议"),
        "noticed": ("warning", "store given notice", "已通知店铺"),
        "appealed": ("warning", "appealed", "已申诉"),
        "ruled": ("danger", "ruled", "已裁定"),
        "executed": ("muted", "executed", "已执行"),
        "dropped": ("success", "dropped", "已撤销"),
    },
    "store": {"open": ("success", "open", "营业中"), "closed": ("muted", "closed", "已闭店")},
    "period": {"open": ("success", "open", "未结账"), "closed": ("muted", "closed", "已结账")},
    "product": {
        "draft": ("neutral", "draft", "草稿"),
        "active": ("success", "active", "在售"),
        "retired": ("muted", "retired", "已停用"),
    },
    "listing": {
        "draft": ("neutral", "not published yet", "未上架"),
        "live": ("success", "on sale", "在售"),
        "paused": ("warning", "paused", "已暂停"),
        "taken_down": ("danger", "taken down after a notice", "因投诉下架"),
        "delisted": ("muted", "taken off sale", "已下架"),
        "closed": ("muted", "closed", "已关闭"),
    },
    "publication": {
        "waiting": ("warning", "waits for a person", "待人工确认"),
        "ready": ("info", "may go out", "可发布"),
        "filed": ("progress", "in a file to upload", "已生成上传文件"),
        "unknown": ("danger", "not known whether the channel has it", "结果未知"),
        "done": ("success", "the channel has it", "渠道已生效"),
        "declined": ("danger", "declined by the channel", "渠道拒绝"),
        "refused": ("danger", "stopped at the gate", "未通过检查"),
        "returned": ("warning", "returned for change", "已退回修改"),
    },
    "listing_file": {
        "fixed": ("warning", "to be uploaded", "待上传"),
        "uploaded": ("success", "uploaded", "已上传"),
    },
    "mapping": {
        "proposed": ("info", "to confirm", "待确认"),
        "verified": ("success", "confirmed", "已确认"),
        "broken": ("danger", "broken", "已失效"),
        "superseded": ("muted", "superseded", "已被替代"),
    },
    "import_row": {
        "open": ("warning", "open", "待处理"),
        "retried": ("success", "retried", "已重试"),
        "dismissed": ("muted", "dismissed", "已忽略"),
        "note": ("info", "remark", "备注"),
    },
    "reaction": {
        "pending": ("info", "waiting", "等待中"),
        "parked": ("danger", "needs you", "待人工处理"),
    },
    "violation": {
        "active": ("danger", "in force", "生效中"),
        "appealed": ("progress", "appealed", "申诉中"),
        "upheld": ("danger", "upheld", "维持处罚"),
        "reduced": ("warning", "reduced", "减轻处罚"),
        "lifted": ("success", "lifted", "已撤销"),
    },
    "appeal": {
        "won": ("success", "won", "申诉成功"),
        "partly_won": ("info", "won in part", "部分成功"),
        "lost": ("danger", "lost", "申诉失败"),
        "sent": ("progress", "sent", "已提交"),
        "note": ("muted", "kept as a note", "仅作备注"),
    },
    "complaint": {
        "open": ("warning", "open", "待处理"),
        "answered": ("progress", "answered", "已回复买家"),
        "escalated": ("danger", "before the platform", "平台介入"),
        "rejected": ("muted", "not upheld", "不成立"),
    },
    "evidence_pack": {
        "gathering": ("progress", "being gathered", "正在生成"),
        "made": ("success", "made", "已生成"),
        "failed": ("danger", "could not be made", "未能生成"),
    },
    "infringement": {
        "notified": ("warning", "notice received", "收到通知"),
        "taken_down": ("danger", "taken down", "已被下架"),
        "countered": ("progress", "counter-notice sent", "已提交不侵权声明"),
        "forwarded": ("progress", "counter-notice forwarded", "平台已转送声明"),
        "sued": ("danger", "complainant went to court or the authority", "对方已起诉或投诉"),
        "restored": ("success", "restored", "已恢复"),
        "upheld": ("danger", "stays down", "维持下架"),
        "conceded": ("muted", "conceded", "我方认可下架"),
        "retracted": ("success", "notice retracted", "对方撤回通知"),
    },
    # Roles are shown as badges too, so they live in the same table.
    "role": {
        "owner": ("progress", "owner", "店主"),
        "operator": ("info", "operator", "运营"),
        "bookkeeper": ("info", "bookkeeper", "财务"),
        "viewer": ("neutral", "viewer", "只读"),
    },
}


@lru_cache(maxsize=1)
def _processes() -> dict[str, Process]:
    """Every process of the subjects, by name."""
    found: dict[str, Process] = {}
    for app in apps.get_app_configs():
        if app.name.startswith("daifa.domain.") and module_has_submodule(app.module, "process"):
            module = import_module(f"{app.name}.process")
            found |= {one.name: one for one in vars(module).values() if isinstance(one, Process)}
    return found


def known(process: Any) -> Any:
    """The `Process` of a name, where there is one; a name of a table here, or a Process, as it is."""
    return process if not isinstance(process, str) or process in STATES else _processes().get(process, process)


def _entry(process: Any, state: str) -> tuple[str, str, str] | None:
    process = known(process)
    name = process if isinstance(process, str) else getattr(process, "name", "")
    return STATES.get(name, {}).get(state) or STATES["*"].get(state)


def word(process: Any, state: str) -> str:
    """The word shown for `state`, in the reader's language; a state nobody named is shown as it is stored."""
    process = known(process)
    words = getattr(process, "words", None) or {}
    if state in words:
        return words[state][1 if is_chinese() else 0]
    entry = _entry(process, state)
    return entry[2 if is_chinese() else 1] if entry else state.replace("_", " ")


def tone(process: Any, state: str) -> str:
    """One of `format.TONES`."""
    entry = _entry(process, state)
    return entry[0] if entry else "neutral"


def choices(process: Any) -> list[tuple[str, str]]:
    """(state, word) of every state of a process, in the order of its table: for a filter."""
    process = known(process)
    table = process.table if hasattr(process, "table") else STATES[process]
    return [(state, word(process, state)) for state in table]
