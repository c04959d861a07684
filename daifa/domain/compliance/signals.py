"""When does a store look as if it had no source? Pure decisions over what was counted; docs/rules/no-source-risk.md.

The signs are those a platform goes by. They are shown so that the cause is put right: an agreement, a factory, the
platform's own e-waybill, one line of goods. Nothing here helps to make a sign disappear while the cause stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

LEVELS = [("hint", "hint"), ("warn", "warning"), ("act", "serious")]
RANK = {"": 0, "hint": 1, "warn": 2, "act": 3}
FEW = 20
"""A share of fewer orders than this is a hint at most where a single order makes it large."""


class Signal(NamedTuple):
    """How one sign is counted. Lines are percent of the orders looked at (`unit` %), or orders, or groups of goods.

    `everywhere` False: stores on marketplaces only. `remedies`: codes, the first helps most.
    """

    kind: str
    words: tuple[str, str]
    days: int
    unit: str  # "%", "orders", "groups"
    hint: Decimal
    warn: Decimal
    act: Decimal
    everywhere: bool
    remedies: tuple[str, ...]


def _signal(kind, en, zh, days, unit, hint, warn, act, everywhere, *remedies) -> Signal:
    return Signal(kind, (en, zh), days, unit, Decimal(hint), Decimal(warn), Decimal(act), everywhere, remedies)


SIGNALS = (
    _signal("no_platform_waybill", "sent without the platform's e-waybill", "未用平台电子面单", 30, "%", "0.01", "3.5", "5",
            False, "waybills", "agreement", "substitute"),
    _signal("foreign_trace", "another platform's name, card or waybill reached buyers", "买家收到其他平台痕迹", 90, "orders",
            "1", "1", "3", True, "agreement", "substitute", "samples"),
    _signal("consumer_purchase", "bought from a shop on a consumer platform", "从消费平台采购", 90, "orders", "1", "1", "1",
            True, "substitute", "agreement"),
    _signal("origin_differs", "sent from elsewhere than buyers are told", "发货地与承诺不符", 30, "%", "0.01", "5", "20", True,
            "origin", "agreement"),
    _signal("number_reused", "the same waybill number on several orders", "一单号多订单", 90, "orders", "1", "1", "2", True,
            "agreement", "substitute"),
    _signal("unrelated_categories", "one store with unrelated kinds of goods", "店铺类目杂乱", 90, "groups", "3", "4", "6",
            False, "focus"),
)  # fmt: skip
BY_KIND = {one.kind: one for one in SIGNALS}

REMEDIES: dict[str, tuple[str, str]] = {
    "agreement": ("agree with the supplier: authorised, neutral packing, no cards, the platform's e-waybill", "与供应商签订一件代发协议"),
    "substitute": ("find a factory or wholesaler who agrees to it, and switch with sample orders", "寻找替代厂家，寄样后切换"),
    "waybills": ("let the platform issue the waybills and assign them to the supplier", "使用平台电子面单并分单给厂家"),
    "samples": ("order a sample yourself and check the parcel", "自购样单查验包裹"),
    "origin": ("correct the origin that buyers are told, or the supplier who ships", "更正承诺发货地或更换发货厂家"),
    "focus": ("keep one line of goods in this store", "一店一类目，聚焦经营"),
}

SMALL_GROUP = Decimal("0.05")
"""A kind of goods with less of the orders than this is a by-catch, not a line of its own."""


def level(kind: str, count: int, base: int, *, act: Decimal | None = None) -> str:
    """"", hint, warn or act for so many orders (groups) of so many looked at. `act`: the line of a rule instead of ours.

    The warning stands at 70 % of the line where a rule draws it.
    """
    one = BY_KIND[kind]
    if count <= 0:
        return ""
    hint, warn, serious = one.hint, one.warn, one.act
    if act is not None and act > 0:
        warn, serious = act * Decimal("0.7"), act
    value = Decimal(count)
    if one.unit == "%":
        if base <= 0:
            return ""
        value = Decimal(100) * count / base
    found = "act" if value >= serious else "warn" if value >= warn else "hint" if value >= hint else ""
    if one.unit == "%" and base < FEW and count < 2 and found:
        return "hint"  # one order among a few is no share yet
    return found


def line_of(kind: str, act: Decimal | None = None) -> Decimal:
    """From where on it is serious."""
    return act if act is not None and act > 0 else BY_KIND[kind].act


def settled_stays(
    *, state: str, settled_at: datetime | None, settled_count: int, count: int, newest: datetime | None
) -> bool:
    """Does an explained or acted risk stay so? Explained: until there are more. Acted: until something new is seen."""
    if state == "explained":
        return count <= settled_count
    return newest is None or settled_at is None or newest <= settled_at


def differs_from_origin(place: str, promised: Sequence[str]) -> bool:
    """Was the first scan elsewhere than any of the promised places? Unknown places and promises differ from nothing."""
    place = place.casefold()
    words = [word.strip().casefold() for word in promised if word.strip()]
    return bool(place and words) and not any(word in place or place in word for word in words)


def promised_places(text: str) -> list[str]:
    """The places of an agreement's "ships from": commas of both kinds, and slashes, stand between."""
    return [part.strip() for part in re.split(r"[,，、;/]", text) if part.strip()]


def top_group(category: str) -> str:
    """The first part of a category path: "Home > Kitchen > Mugs" → "home"."""
    return re.split(r"[>/|›»＞]", category, maxsplit=1)[0].strip().casefold()


def unrelated_groups(orders: Mapping[str, int]) -> list[str]:
    """Kinds of goods that are lines of their own, by orders in each; "" (no category) is none. Largest first."""
    total = sum(count for group, count in orders.items() if group)
    return [
        group
        for group, count in sorted(orders.items(), key=lambda item: (-item[1], item[0]))
        if group and count >= 2 and count >= total * SMALL_GROUP
    ]


# --- Plans --------------------------------------------------------------------------------------------------------

STEPS: dict[str, tuple[str, str]] = {
    "negotiate": ("agree with the present supplier", "与现有供应商谈一件代发"),
    "substitute": ("look for a substitute factory", "寻找替代厂家"),
    "sample_order": ("order a sample and check the parcel", "下样单并查验包裹"),
    "switch": ("switch: the new supplier is asked first", "切换首选供应商"),
    "waybills": ("use the platform's e-waybill", "启用平台电子面单"),
    "focus": ("keep one line of goods", "收敛为一个类目"),
    "eligibility": ("check whether the account may earn commission", "核对带货资格"),
    "links": ("choose goods and take commission links", "选品并获取佣金链接"),
    "posts": ("publish posts with the links", "发布带货内容"),
    "earnings": ("record what they earned", "登记佣金收入"),
}
WITHOUT_ORDERS = ("eligibility", "links", "posts", "earnings")


def affiliate_answers(followers: int, *, is_adult: bool, is_clean: bool, needed: int | None) -> Iterable[str]:
    """What still stands between an account and commission links: followers, adult, clean; nothing = it may apply.

    `needed` comes from the rule book; None = it names no line for this channel, and followers do not count.
    """
    if needed is not None and followers < needed:
        yield "followers"
    if not is_adult:
        yield "adult"
    if not is_clean:
        yield "clean"
