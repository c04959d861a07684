"""Words of files for things that have a house word: what happened to a parcel or an order, which country is meant.

A word that is not here is `unknown`, never "fine".
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from daifa.connectors.contract import TrackingStatus

# ------------------------------------------------------------------------------------------------------ tracking

TRACKING_WORDS: dict[TrackingStatus, tuple[str, ...]] = {
    "announced": (
        "announced",
        "label created",
        "label printed",
        "pre transit",
        "pre-transit",
        "pretransit",
        "info received",
        "information received",
        "shipment information received",
        "order created",
        "booked",
        "已下单",
        "待揽收",
        "待取件揽收",
        "已打单",
        "电子面单已生成",
        "待发货",
        "暂无轨迹",
        "等待揽收",
    ),
    "handed_over": (
        "handed over",
        "picked up",
        "pickup",
        "collected",
        "accepted",
        "acceptance",
        "已揽收",
        "揽收",
        "揽件",
        "已揽件",
        "已收件",
        "收件",
        "已取件",
        "已收寄",
        "收寄",
    ),
    "in_transit": (
        "in transit",
        "transit",
        "intransit",
        "departed",
        "arrived",
        "arrival scan",
        "departure scan",
        "on the way",
        "processed",
        "customs cleared",
        "运输中",
        "在途",
        "已发出",
        "已到达",
        "到达",
        "发往",
        "转运中",
        "转运",
        "中转",
        "清关中",
        "已清关",
        "干线运输",
        "离开",
        "已发往",
        "快件已发出",
    ),
    "out_for_delivery": (
        "out for delivery",
        "out-for-delivery",
        "with courier",
        "on vehicle for delivery",
        "派送中",
        "派件中",
        "派件",
        "派送",
        "正在派送",
        "投递中",
        "配送中",
    ),
    "attempt_failed": (
        "attempt failed",
        "delivery attempt failed",
        "failed attempt",
        "failed delivery",
        "undelivered",
        "not delivered",
        "delivery failed",
        "not home",
        "派送失败",
        "派件失败",
        "派送不成功",
        "投递失败",
        "未妥投",
        "未签收",
        "派件未成功",
        "配送失败",
        "改派",
    ),
    "pickup_ready": (
        "pickup ready",
        "ready for pickup",
        "available for pickup",
        "ready for collection",
        "awaiting collection",
        "待自提",
        "待取件",
        "已到驿站",
        "到站待取",
        "已入柜",
        "已存放驿站",
        "代收点",
        "待取",
    ),
    "delivered": (
        "delivered",
        "signed",
        "signed for",
        "proof of delivery",
        "已签收",
        "签收",
        "妥投",
        "已妥投",
        "本人签收",
        "他人签收",
        "代签收",
        "已送达",
        "已取出",
        "送达",
    ),
    "exception": (
        "exception",
        "alert",
        "problem",
        "held",
        "customs hold",
        "damaged",
        "delayed",
        "address problem",
        "异常",
        "问题件",
        "疑难",
        "疑难件",
        "滞留",
        "滞留件",
        "破损",
        "扣关",
        "海关扣留",
        "延误",
        "地址不详",
    ),
    "returned_to_sender": (
        "returned to sender",
        "return to sender",
        "returned",
        "returning",
        "rts",
        "退回",
        "已退回",
        "退件",
        "退回中",
        "退签",
        "拒收退回",
        "退回签收",
        "退回发件人",
        "拒收",
    ),
    "lost": ("lost", "missing", "丢失", "遗失", "丢件", "快件丢失"),
    "unknown": (),
}
_TRACKING = {word: status for status, words in TRACKING_WORDS.items() for word in words}
# Whole sentences ("【杭州市】快件已由本人签收"): the first line that fits counts, so denials and returns stand before delivery.
_TRACKING_SENTENCES: tuple[tuple[re.Pattern[str], TrackingStatus], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), status)
    for pattern, status in (
        (r"退回|退件|拒收|return(ed|ing)? to sender", "returned_to_sender"),
        (r"丢失|遗失|丢件|\blost\b", "lost"),
        (
            r"未签收|未妥投|未能?(派送|投递|送达)|(派送|派件|投递|配送)(失败|不成功|未成功)|not delivered|undeliver|could not be delivered"
            r"|attempted? (delivery )?fail|delivery attempt",
            "attempt_failed",
        ),
        (
            r"待取|待自提|驿站|快递柜|代收点|ready for (pickup|collection)|available for (pickup|collection)",
            "pickup_ready",
        ),
        (r"即将|将[于由]|预计|请等待|will be|expected|scheduled|待签收|请.{0,6}签收", "unknown"),
        (
            r"已.{0,12}签收|签收人|签收成功|已妥投|^delivered\b|has been delivered|delivered to|delivered,",
            "delivered",
        ),
        (r"异常|疑难|问题件|滞留|破损|扣留|\bexception\b|customs hold|\bdelay", "exception"),
        (r"正在派|派送中|派件中|投递中|out for delivery|with (the )?courier", "out_for_delivery"),
        (r"已揽收|已揽件|已收件|已收寄|picked up|collected by", "handed_over"),
        (
            r"已?离开|已?到达|已?发往|已发出|运输中|转运|中转|in transit|depart(ed)?|arriv(ed|al)",
            "in_transit",
        ),
        (r"待揽收|面单|label (created|printed)|information received", "announced"),
    )
)


def tracking_status(words: str) -> TrackingStatus:
    """House word for what a carrier's file says; `unknown` where it is not known."""
    return _status(words[:300])


@lru_cache(maxsize=8192)
def _status(words: str) -> TrackingStatus:
    plain = _plain(words)
    if plain in _TRACKING:
        return _TRACKING[plain]
    if plain.replace("_", " ") in _TRACKING:
        return _TRACKING[plain.replace("_", " ")]
    for pattern, status in _TRACKING_SENTENCES:
        if pattern.search(plain):
            return status
    return "unknown"


# -------------------------------------------------------------------------------------------------------- orders

ORDER_WORDS: dict[str, tuple[str, ...]] = {
    "unpaid": (
        "unpaid",
        "pending",
        "pending payment",
        "awaiting payment",
        "等待买家付款",
        "待付款",
        "未付款",
        "authorized",
        "voided",
        "expired",
    ),
    "paid": (
        "paid",
        "processing",
        "awaiting fulfillment",
        "awaiting fulfilment",
        "awaiting shipment",
        "unfulfilled",
        "买家已付款",
        "等待卖家发货",
        "待发货",
        "已付款",
        "买家已付款，等待卖家发货",
        "partially_refunded",
        "partially refunded",
        "refunded",
        "partially_paid",
        "partially paid",
        "部分退款",
    ),
    "dispatched": (
        "dispatched",
        "shipped",
        "fulfilled",
        "卖家已发货",
        "已发货",
        "等待买家确认收货",
        "待收货",
        "卖家已发货，等待买家确认",
    ),
    "completed": (
        "completed",
        "complete",
        "delivered",
        "closed and paid",
        "交易成功",
        "已完成",
        "已签收",
        "已收货",
    ),
    "cancelled": (
        "cancelled",
        "canceled",
        "cancelled by buyer",
        "交易关闭",
        "已关闭",
        "已取消",
        "取消",
        "关闭",
    ),
}
_ORDER = {word: status for status, words in ORDER_WORDS.items() for word in words}
REFUND_DONE = frozenset({"退款成功", "退款完成", "已退款", "refunded", "refund completed", "success"})
REFUND_NONE = frozenset({"", "无退款", "没有申请退款", "退款关闭", "无", "none", "no", "no refund", "-"})


def order_status(words: str) -> str:
    """`unpaid`, `paid`, `dispatched`, `completed`, `cancelled`, `""` (nothing said) or `unknown`."""
    plain = _plain(words)
    return _ORDER.get(plain, "unknown") if plain else ""


# ------------------------------------------------------------------------------------------------------- replies

REFUSED_WORDS = (
    "refused",
    "rejected",
    "declined",
    "cancelled",
    "canceled",
    "out of stock",
    "sold out",
    "discontinued",
    "no stock",
    "cannot supply",
    "拒单",
    "拒绝",
    "拒接",
    "不接",
    "缺货",
    "无货",
    "断货",
    "没货",
    "停产",
    "下架",
    "售罄",
    "取消",
    "不能发",
    "无法发货",
)
ACCEPTED_WORDS = (
    "accepted",
    "accept",
    "ok",
    "yes",
    "confirmed",
    "shipped",
    "dispatched",
    "sent",
    "接单",
    "已接单",
    "确认",
    "已确认",
    "可发",
    "已发货",
    "已发",
    "发货",
    "有货",
    "接受",
    "是",
    "partly shipped",
    "部分发货",
)


def reply_status(words: str) -> str:
    """`refused`, `accepted`, `""` (nothing said) or `unknown` for what a factory wrote into its status column."""
    plain = _plain(words)
    if not plain:
        return ""
    if plain in ACCEPTED_WORDS:
        return "accepted"
    if plain in REFUSED_WORDS or (
        "不缺货" not in plain and any(word in plain for word in REFUSED_WORDS if not word.isascii())
    ):
        return "refused"
    return "unknown"


# ----------------------------------------------------------------------------------------------------- countries

_COUNTRY_WORDS = {
    "eire": "IE",
    "rsa": "ZA",
    "uk": "GB",
    "great britain": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "northern ireland": "GB",
    "usa": "US",
    "u.s.a.": "US",
    "u.s.": "US",
    "united states of america": "US",
    "america": "US",
    "korea": "KR",
    "south korea": "KR",
    "republic of korea": "KR",
    "uae": "AE",
    "u.a.e.": "AE",
    "holland": "NL",
    "the netherlands": "NL",
    "czech republic": "CZ",
    "hong kong": "HK",
    "hong kong sar": "HK",
    "macau": "MO",
    "macao": "MO",
    "taiwan": "TW",
    "russia": "RU",
    "viet nam": "VN",
    "prc": "CN",
    "p.r. china": "CN",
    "mainland china": "CN",
    "turkey": "TR",
    "türkiye": "TR",
    "deutschland": "DE",
    "österreich": "AT",
    "schweiz": "CH",
    "españa": "ES",
    "italia": "IT",
    "中国大陆": "CN",
    "中国香港": "HK",
    "香港": "HK",
    "中国澳门": "MO",
    "澳门": "MO",
    "中国台湾": "TW",
    "台湾": "TW",
    "英格兰": "GB",
    "美利坚合众国": "US",
    "大韩民国": "KR",
    "南韩": "KR",
    "阿联酋": "AE",
}
# Words that name no single country. They stay without a code, and the order says so.
NO_COUNTRY = frozenset(
    {"channel islands", "unspecified", "european community", "west indies", "worldwide", "unknown", "other"}
)


@lru_cache(maxsize=1)
def _territories() -> dict[str, str]:
    from babel import Locale

    found: dict[str, str] = {}
    for language in ("en", "zh_Hans"):
        for code, name in Locale.parse(language).territories.items():
            if len(code) == 2 and code.isalpha() and code not in ("EU", "EZ", "UN", "ZZ", "QO", "XA", "XB"):
                found.setdefault(name.casefold(), code)
    return found


def country_code(words: str) -> str:
    """ISO 3166 alpha-2 for a country's name in English or Chinese or its code; `""` where no single country is meant."""
    return _country(words[:100])


@lru_cache(maxsize=4096)
def _country(words: str) -> str:
    plain = _plain(words)
    if not plain or plain in NO_COUNTRY:
        return ""
    if plain in _COUNTRY_WORDS:
        return _COUNTRY_WORDS[plain]
    territories = _territories()
    if plain in territories:
        return territories[plain]
    code = plain.upper()
    return code if len(code) == 2 and code.isascii() and code in territories.values() else ""


def _plain(words: str) -> str:
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", words[:300])).strip(" .。!！").casefold()
