"""Decides what a message says and whether it may go: placeholders, the reasons for keeping silent, when to try again.

Pure: values in, words out. The worked table stands in docs/rules/messages.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from daifa.domain.messages.default_templates import DEFAULTS
from daifa.domain.messages.process import KINDS
from daifa.lib.commas import listed

LANGUAGES = {"en": "English", "zh": "中文"}
MAX_SUBJECT = 200
MAX_BODY = 10_000
MAX_ITEMS = 40  # lines of goods named in one message

# --- Placeholders -----------------------------------------------------------------------------------------------

_OF_ORDER = {
    "store_name": ("the store's name", "店铺名称"),
    "order_number": ("the order number", "订单号"),
    "order_date": ("the day the order was placed", "下单日期"),
    "buyer_name": ("the recipient's name", "收件人姓名"),
    "items": ("the goods, one a line", "商品清单，每行一件"),
}
_OF_PARCEL = {
    **_OF_ORDER,
    "carrier": ("the carrier", "承运商"),
    "number": ("the tracking number", "运单号"),
    "tracking_url": ("a link to follow the parcel", "物流查询链接"),
    "dispatch_date": ("the day the parcel was handed over", "发货日期"),
}
PLACEHOLDERS: dict[str, dict[str, tuple[str, str]]] = {
    "order_received": {**_OF_ORDER, "total": ("the order's total with its currency", "订单总额（含币种）")},
    "dispatched": _OF_PARCEL,
    "in_transit": _OF_PARCEL,
    "delayed": _OF_PARCEL,
    "delivered": {**_OF_PARCEL, "delivery_date": ("the day of delivery", "签收日期")},
    "number_changed": {**_OF_PARCEL, "old_number": ("the number that no longer counts", "原运单号")},
    "review": _OF_ORDER,
    "store_closing": {
        **_OF_ORDER,
        "closing_date": ("the day the store closes", "店铺关闭日期"),
        "claims_until": ("the last day for claims", "售后截止日期"),
    },
}
"""Which placeholders a kind of message knows: {kind: {name: (English, 中文)}}."""

NOBODY = {
    "buyer_name": {"en": "customer", "zh": "尊敬的顾客"},
    "carrier": {"en": "the carrier", "zh": "快递公司"},
}
"""What stands where the value is not known."""

_PLACE = re.compile(r"\{\{[ \t]*([a-z_]+)[ \t]*\}\}")
_BRACES = re.compile(r"\{\{|\}\}|\{%|%\}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")  # all but tab and line feed


def check_words(kind: str, language: str, subject: str, body: str) -> list[str]:
    """Sentences saying what is wrong with a template; empty when it can be used."""
    wrong = []
    if kind not in KINDS:
        return [_("There is no message of the kind %(kind)s.") % {"kind": kind}]
    if language not in LANGUAGES:
        wrong.append(
            _("Messages are written in one of: %(languages)s.") % {"languages": listed(LANGUAGES)}
        )
    if not subject.strip():
        wrong.append(_("The subject is empty."))
    if _CONTROL.search(subject) or "\n" in subject or "\t" in subject:
        wrong.append(_("The subject must be one line without control characters."))
    if len(subject) > MAX_SUBJECT:
        wrong.append(_("The subject is longer than %(limit)s characters.") % {"limit": MAX_SUBJECT})
    if not body.strip():
        wrong.append(_("The text is empty."))
    if _CONTROL.search(body.replace("\r\n", "\n")):
        wrong.append(_("The text holds control characters. Type it anew instead of pasting it."))
    if len(body) > MAX_BODY:
        wrong.append(_("The text is longer than %(limit)s characters.") % {"limit": MAX_BODY})
    known = PLACEHOLDERS[kind]
    for where, text in ((_("subject"), subject), (_("text"), body)):
        wrong += [
            _(
                "There is no placeholder {{ %(name)s }} in this kind of message (%(where)s). You can use: %(known)s."
            )
            % {"name": name, "where": where, "known": listed(known)}
            for name in dict.fromkeys(_PLACE.findall(text))
            if name not in known
        ]
        if _BRACES.search(_PLACE.sub("", text)):
            wrong.append(
                _(
                    "In the %(where)s there are double braces that are no placeholder. Write {{ order_number }}, nothing else between the braces."
                )
                % {"where": where}
            )
    if "items" in _PLACE.findall(subject):
        wrong.append(_("The list of goods has several lines and cannot stand in the subject."))
    return wrong


def render(subject: str, body: str, values: Mapping[str, str], language: str) -> tuple[str, str]:
    """Subject (one line, at most 200 characters) and text with the values filled in.

    Values are put in once and never read as a template again; a name that is not known becomes nothing.
    """

    def fill(place: re.Match[str]) -> str:
        name = place[1]
        value = values.get(name, "")
        if not value and name in NOBODY:
            value = NOBODY[name][language]
        return _CONTROL.sub(" ", value)

    one_line = " ".join(_PLACE.sub(fill, subject).split())
    if len(one_line) > MAX_SUBJECT:
        one_line = one_line[: MAX_SUBJECT - 1] + "…"
    return one_line, _PLACE.sub(fill, body.replace("\r\n", "\n"))


def preview(kind: str, language: str, subject: str, body: str, *, store_name: str = "") -> tuple[str, str]:
    """How a message would look, with invented data. Check the words first."""
    return render(subject, body, example(kind, language, store_name), language)


def example(kind: str, language: str, store_name: str = "") -> dict[str, str]:
    """Invented values for every placeholder of a kind."""
    chinese = language == "zh"
    number = "YT2309876543210" if chinese else "LX123456785CN"
    values = {
        "store_name": store_name or ("示例小店" if chinese else "Example Gifts"),
        "order_number": "E-10042",
        "order_date": day(datetime(2026, 3, 2, 12, tzinfo=ZoneInfo("UTC")), "UTC", language),
        "buyer_name": "李明" if chinese else "Alex Example",
        "items": items(
            [("陶瓷马克杯", 2), ("棉麻抱枕", 1)] if chinese else [("Ceramic mug", 2), ("Linen cushion", 1)]
        ),
        "carrier": "圆通速递" if chinese else "China Post",
        "number": number,
        "old_number": "YT2301111111111" if chinese else "LX999999997CN",
        "tracking_url": tracking_url(number, language),
        "dispatch_date": day(datetime(2026, 3, 4, 12, tzinfo=ZoneInfo("UTC")), "UTC", language),
        "delivery_date": day(datetime(2026, 3, 15, 12, tzinfo=ZoneInfo("UTC")), "UTC", language),
        "closing_date": day(datetime(2026, 4, 24, 12, tzinfo=ZoneInfo("UTC")), "UTC", language),
        "claims_until": day(datetime(2026, 4, 30, 12, tzinfo=ZoneInfo("UTC")), "UTC", language),
        "total": "168.00 CNY" if chinese else "42.50 GBP",
    }
    return {name: values[name] for name in PLACEHOLDERS[kind]}


def language_of(store_language: str) -> str:
    """The language of templates for a store's buyers: `zh` for any Chinese, else `en`."""
    return "zh" if store_language.lower().startswith("zh") else "en"


def default_words(kind: str, language: str) -> tuple[str, str]:
    return DEFAULTS[kind, language]


_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip


def day(at: datetime | None, timezone: str, language: str) -> str:
    """The day of `at` in a time zone, as a buyer reads it; "" when it is not known."""
    if at is None:
        return ""
    local = at.astimezone(ZoneInfo(timezone))
    if language == "zh":
        return f"{local.year}年{local.month}月{local.day}日"
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def items(goods: Sequence[tuple[str, int]]) -> str:
    """Goods as lines "2 × Ceramic mug"; beyond 40 lines an ellipsis."""
    lines = [f"{quantity} × {' '.join(title.split())}" for title, quantity in goods[:MAX_ITEMS]]
    if len(goods) > MAX_ITEMS:
        lines.append("…")
    return "\n".join(lines)


def tracking_url(number: str, language: str) -> str:
    """A page that finds the carrier by itself, so that a wrongly guessed carrier leads nobody astray."""
    return (
        f"https://t.17track.net/{'zh-cn' if language == 'zh' else 'en'}#nums={quote(number, safe='')}"
        if number
        else ""
    )


# --- Whom we write to -------------------------------------------------------------------------------------------

_ADDRESS = re.compile(
    r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,64}@(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_][\w-]*[^\W_]"
)


def is_address(email: str) -> bool:
    """True for one plain e-mail address; lists, names in brackets and line breaks are not."""
    return len(email) <= 254 and _ADDRESS.fullmatch(email) is not None


# --- Whether it may go ------------------------------------------------------------------------------------------

REASONS: dict[str, tuple[str, str]] = {
    "marketplace": (
        "buyers of a marketplace are told by it, not by mail",
        "平台买家由平台通知，不直接发邮件",
    ),
    "not_allowed": ("this store does not write to its buyers", "店铺设置为不给买家发消息"),
    "history": ("the order was finished before daifa saw it", "历史订单，不再通知"),
    "cancelled": ("the order was cancelled", "订单已取消"),
    "nothing_to_ship": ("there is nothing to ship in this order", "订单中没有需要发货的商品"),
    "no_email": ("no e-mail address is known", "没有邮箱地址"),
    "bad_email": ("the e-mail address cannot be used", "邮箱地址无效"),
    "review_off": ("review invitations are switched off for this store", "店铺未开启邀请评价"),
    "consent_missing": ("the buyer has not agreed to be asked", "买家未同意接收评价邀请"),
    "overtaken": ("it was overtaken by what happened since", "已被后续进展取代"),
    "too_late": ("it happened too long ago to be news", "事情已过去太久，不再通知"),
    "cap": ("the order has had as many messages as the store allows", "已达到该订单的消息上限"),
    "dispatch_carries_it": ("a message still waiting carries the new number", "待发送的消息会带上新单号"),
    "not_told_yet": ("the buyer was never told the old number", "买家未收到过原单号"),
    "already_told": ("the buyer was told this number already", "买家已收到该单号"),
    "by_hand": ("a person stopped it", "人工取消"),
    "store_closing": ("the store is closing", "店铺正在关闭"),
    # Of sending.
    "later": ("the mail server asked to try again later", "邮件服务器要求稍后重试"),
    "gave_up": ("the mail server kept putting it off", "多次重试仍未成功"),
    "refused": ("the mail server refused it", "邮件服务器拒收"),
    "interrupted": ("sending was interrupted", "发送过程中断"),
    "no_answer": ("the mail server did not answer at the last step", "邮件服务器最后一步没有应答"),
    "restored": (
        "this copy was restored: it may have been sent since the backup",
        "数据由备份恢复，备份之后可能已发送",
    ),
    "not_sent": ("a person says it was not sent; it waits again", "人工确认未发送，重新排队"),
    "was_sent": ("a person says it was sent", "人工确认已发送"),
    "again": ("a person put it back in line", "人工重新排队"),
}
"""Why a message is where it is: code → (English, 中文). Stored as `code` or `code:detail`."""


def reason_words(reason: str, language: str) -> str:
    """The stored reason in words; `language` as Django names it."""
    code, _colon, detail = reason.partition(":")
    if code not in REASONS:
        return reason
    words = REASONS[code][1 if language.lower().startswith("zh") else 0]
    return f"{words} ({detail})" if detail else words


LATE = timedelta(days=14)
"""What happened longer ago is no news: importing last year's orders writes to nobody."""

PARCEL_KINDS = ("dispatched", "in_transit", "delayed", "delivered", "number_changed")
_OVERTAKEN_BY: dict[str, tuple[str, ...]] = {
    "dispatched": ("delivered", "returned_to_sender", "lost", "cancelled"),
    "in_transit": ("delivered", "returned_to_sender", "lost", "cancelled"),
    "delayed": ("delivered", "returned_to_sender", "lost", "cancelled"),
    "delivered": ("returned_to_sender", "cancelled"),
    "number_changed": ("delivered", "returned_to_sender", "lost", "cancelled"),
}


class Facts(NamedTuple):
    """What decides whether a message may go. Parcel fields are empty for messages about an order."""

    store_kind: str
    messages_allowed: bool
    review_invitations: bool
    is_history: bool
    units: int
    cancelled: int
    delivered: int
    email: str
    happened_at: datetime | None  # None = news by nature (delayed, a changed number)
    has_consent: bool = False
    parcel_state: str = ""


def why_not(kind: str, facts: Facts, at: datetime) -> str:
    """The reason not to send this kind of message at `at`, or "". The first that holds counts, in this order."""
    if facts.store_kind == "marketplace":
        return "marketplace"
    if not facts.messages_allowed:
        return "not_allowed"
    if facts.is_history:
        return "history"
    if facts.units == 0:
        return "nothing_to_ship"
    if facts.cancelled >= facts.units:
        return "cancelled"
    if not facts.email:
        return "no_email"
    if not is_address(facts.email):
        return "bad_email"
    if kind == "review":
        if not facts.review_invitations:
            return "review_off"
        if not facts.has_consent:
            return "consent_missing"
    elif kind == "order_received":
        if facts.delivered >= facts.units - facts.cancelled:
            return "overtaken"
    elif kind in PARCEL_KINDS and facts.parcel_state in _OVERTAKEN_BY[kind]:
        return "overtaken"
    if facts.happened_at is not None and at - facts.happened_at > LATE:
        return "too_late"
    return ""


# --- Trying again -----------------------------------------------------------------------------------------------

PAUSES = (timedelta(minutes=5), timedelta(minutes=20), timedelta(hours=1), timedelta(hours=4), timedelta(hours=12),
          timedelta(hours=24))  # fmt: skip


def tries_in(reason: str) -> int:
    """How often the server has put a message off, read from its stored reason (`later:2`)."""
    code, _colon, detail = reason.partition(":")
    return int(detail) if code == "later" and detail.isdigit() else 0


def next_try(tries: int, at: datetime) -> datetime | None:
    """When to try again after `tries` put-offs; None = give up."""
    return at + PAUSES[tries - 1] if tries <= len(PAUSES) else None
