"""Turns of phrase that lead a buyer off a platform or buy a review, in English and mixed with Chinese, where no single word is the trouble.

Patterns over text in small letters, half width and simplified characters, with single spaces; a line break stands only between
paragraphs. A pattern is tried where one of its cues stands in the text, so that most texts cost nothing. Each phrase is named by an
example of itself. The worked tables are in docs/rules/words.md.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from daifa.domain.policy.rules import Words


class Phrase(NamedTuple):
    """`name` is an example of it; `cues` are written without spaces, small, as `words.normalised` leaves them."""

    name: str
    category: str
    severity: str
    basis: tuple[str, ...]
    note: Words
    cues: tuple[str, ...]
    pattern: re.Pattern[str]


def _spaced(word: str) -> str:
    return r"[ -]?".join(word)


def _gap(most: int) -> str:
    """Whatever stands in the same sentence."""
    return rf"[^.!?。;\n]{{0,{most}}}"


_CHAT = rf"(?:{'|'.join(map(_spaced, ('wechat', 'weixin', 'whatsapp', 'telegram', 'viber', 'kakaotalk', 'zalo', 'skype')))}|微信|vx|wx)"
_CHAT_CUES = (
    "wechat", "we-chat", "weixin", "wei-xin", "whatsapp", "whats-app", "telegram", "viber", "kakaotalk", "zalo", "skype", "微信", "vx", "wx",
)  # fmt: skip
_NOT_GOODS = (
    r"(?! ?(?:pay|sticker|icon|button|emoji|logo|notification|message|call|widget|video|and sms|reminder|compatible|support|alert|支付|提醒|通知|消息))"
)
_NO_ACCOUNT = r"(?!(?:yes|no|not|none|ok|supported|support|available|compatible|works|via|with|pay|android|ios|iphone|usb|and|or|the)(?![a-z0-9]))"
_ACCOUNT = r"(?:[a-z][a-z_-]*\d[a-z0-9_-]+|\+?\d[\d -]{6,}\d)"
_BY = r"(?:contact|message|text|sms|msg|dm|call|phone|ring|reach|ping|write to|chat with|talk to|speak to|get in touch with)"
_US = r"(?:us|me|our|my|the seller|seller|customer service|customer support|the shop|this)(?![a-z])"
_MONEY = r"(?:[$£€¥] ?\d+(?:[.,]\d+)?|\d+(?:[.,]\d+)? ?(?:usd|gbp|eur|rmb|cny|cad|aud|dollars?|pounds?|euros?|quid|bucks|yuan|元|块|\$|£|€|%))"
_REWARD = (
    rf"(?:{_MONEY}|cash ?-?back|gift ?cards?|(?:free|a|our|surprise) gifts?|vouchers?|coupons?|(?:a |your )?rewards?|rebates?|bonus|paypal|"
    r"(?:a |full |partial |your )*refund|free (?:product|sample|item)s?|discount|red packet|store credit)"
)
_REVIEW = r"(?:(?:(?:5|five)[ -]?stars?|positive|good|nice|honest|photo|video|amazon|google|trustpilot)? ?(?:reviews?|feedback|ratings?)|(?:5|five)[ -]?stars?)"
_REVIEW_CUES = ("review", "feedback", "rating", "5star", "5-star", "fivestar", "five-star")
_LINK = r"(?:https?://|www\.)[^\s<>\"]+|[a-z0-9-]+\.(?:com|co\.uk|shop|store|net|cn|top|xyz|online)(?![a-z])(?:/[^\s<>\"]*)?"
_AWAY = (
    r"(?:outside(?: of)?|off|away from|not (?:on|through|via)) (?:of )?(?:the |this )?"
    r"(?:platform|app|site|marketplace|amazon|ebay|etsy|tiktok|shopee|walmart|aliexpress|xiaohongshu|rednote|taobao)"
)
_CLEAN_QR = r"(?![^\n]{0,60}(?:manual|instruction|guide|warranty|set ?up|install|video|pair|app|recipe|menu|wi-?fi|authentic|trace|recycl))"

_LED = Words(
    "把买家带离平台；英文与中英混写同样处理；联系、付款与退款只走平台内",
    "Takes the buyer off the platform, in any language; contact, payment and refunds stay on the platform",
)
_PAID = Words(
    "以钱物换评价；平台与法律都禁止，无论用哪种语言", "Gives something for a review; platforms and laws forbid it in any language"
)
_ASKED = Words("只邀请真实评价，不指定星级", "Ask for an honest review; name no number of stars")
_CASH = Words(
    "以返现换好评时违规；返现促销须走平台的活动",
    "Against the rules where it buys reviews; cash back goes through the platform's own promotions",
)


def _phrase(name: str, category: str, severity: str, note: Words, cues: tuple[str, ...], *patterns: str) -> Phrase:
    basis = ("xhs-divert",) if category == "off_platform_contact" else ("cn-ec-17",)
    whole = rf"(?<![a-z0-9])(?:{'|'.join(patterns)})(?![a-z])"
    return Phrase(name, category, severity, basis, note, cues, re.compile(whole))


def _off(name: str, severity: str, cues: tuple[str, ...], *patterns: str) -> Phrase:
    return _phrase(name, "off_platform_contact", severity, _LED, cues, *patterns)


def _bought(name: str, severity: str, cues: tuple[str, ...], *patterns: str, note: Words = _PAID) -> Phrase:
    return _phrase(name, "fake_review", severity, note, cues, *patterns)


PHRASES: tuple[Phrase, ...] = (
    _off(
        "add our WeChat", "block", _CHAT_CUES,
        rf"(?:add|join|follow|scan|find|{_BY}) {_US}{_gap(25)}(?<![a-z0-9]){_CHAT}(?![a-z]){_NOT_GOODS}(?: (?:id |account |number )?{_ACCOUNT})?",
        rf"(?:add|join|{_BY}) (?:the |on |by |via |through )?{_CHAT}(?![a-z]){_NOT_GOODS}(?: (?:id |account |number )?{_ACCOUNT})?",
        rf"(?:our|my) {_CHAT}(?![a-z]){_NOT_GOODS}(?: (?:id |account |number )?{_ACCOUNT})?",
    ),
    _off(
        "WeChat: abc123", "block", (*_CHAT_CUES, "lineid", "qq"),
        rf"{_CHAT}(?: ?(?:id|account|number|no\.?|号|is))? ?[:=@+] ?{_NO_ACCOUNT}\+?[a-z0-9@][a-z0-9_-]{{2,}}",
        rf"{_CHAT}(?: ?(?:id|account|number|no\.?|号|is))? {_NO_ACCOUNT}(?!sticker|galaxy|pixel|samsung|iphone){_ACCOUNT}",
        rf"{_CHAT} ?(?:id|号)",
        r"line ?id ?[:=]? ?@?[a-z0-9][a-z0-9._-]{2,}",
        r"qq ?(?:号|群|id|number)? ?[:=]? ?\d{5,12}",
    ),
    _off(
        "加 WeChat", "block", _CHAT_CUES,
        rf"(?:加|添加|联系|关注|私聊|扫|进|搜)(?:我们?|一下|个|客服|店主|卖家|的)* ?{_CHAT}(?![a-z]){_NOT_GOODS}", rf"add (?:我们?|客服)?的? ?{_CHAT}",
    ),
    _off(
        "text us on +44 20 7946 0000", "block", (*(verb + whom for verb in ("contact", "message", "text", "sms", "msg", "call", "phone", "ring", "reach", "write to", "chatwith", "talkto", "speakto", "touchwith") for whom in ("us", "me", "our", "my", "customer", "seller", "theseller")), "hotline"),
        rf"(?:{_BY} {_US}|hotline)(?: (?:directly|direct|anytime|now|any time))?(?: service)?(?: (?:at|on|by|via|under))?(?: (?:our|my|this))?"
        r"(?: (?:phone|tel|telephone|mobile|cell|number|hotline))*\.? ?[:,]? ?(?:\+|00|\(|0|1)[\d ()-]{7,}\d",
    ),
    _off(
        "email us at name@example.com", "review", ("@",),
        rf"(?:e-?mail|mail|write to|{_BY}) (?:us|me|our|my|the seller|customer service|customer support){_gap(20)}[\w.+-]+@[\w-]+\.[a-z]{{2,}}",
    ),
    _off(
        "scan the QR code to contact us", "block", ("qrcode", "qr-code"),
        rf"scan (?:the |our |this |my |a )?qr[ -]?code{_CLEAN_QR}{_gap(50)}(?:contact|add us|add me|add our|join|cash|gift|reward|discount|coupon|refund|follow|group|chat|vip)"
        r"[a-z ]{0,15}",
    ),
    _off("scan the QR code", "review", ("qrcode", "qr-code"), rf"scan (?:the |our |this |my )?qr[ -]?code{_CLEAN_QR}"),
    _off(
        "order at www.example.com", "block", ("www.", "http", ".com", ".shop", ".store", ".co.uk", ".net", ".cn", ".top", ".xyz", ".online"),
        rf"(?<!your )(?<!the )(?<!this )(?<!an )(?:order|buy|pay|shop|purchase|check ?out|reorder)(?: (?:it|them|directly|direct|cheaper|now|again|next time|here))*"
        rf" (?:at|on|from|via|through|in)(?: (?:our|my|the|own|official|website|web ?shop|site|shop|store|link))* ?:? ?(?:{_LINK})",
        rf"(?:{_LINK}){_gap(15)} ?(?:pay|order|buy|checkout|purchase|place your order)(?: (?:it|directly|direct))? (?:there|here|direct|directly|cheaper)",
    ),
    _off(
        "pay outside the platform", "block", ("outside", "off", "awayfrom", "noton", "notthrough", "notvia"),
        rf"(?:pay|paid|payment|transfer|refund|refunded|compensat(?:e|ed|ion)|checkout|order|buy|deal|trade|transaction|purchase|contact us|settle){_gap(25)} {_AWAY}",
        r"off[ -]platform (?:payment|deal|refund|order|transaction|contact|transfer)",
    ),
    _off(
        "refund by WeChat or Alipay", "block", ("wechat", "微信", "alipay", "zelle", "venmo", "cashapp", "giftcard", "whatsapp"),
        rf"(?:refund|pay you|pay (?:us|me)|send you|compensate|money back|cash ?-?back){_gap(30)} (?:via|through|by|to your|over|on|with|as an?) ?(?:your )?"
        r"(?:wechat|微信|alipay|zelle|venmo|cash app|gift card|amazon gift card|whatsapp)(?: or (?:wechat|alipay|venmo|zelle))?",
    ),
    _off(
        "refund by PayPal", "review", ("paypal", "banktransfer", "bankaccount"),
        rf"(?:refund|send you|compensate|money back|cash ?-?back){_gap(30)} (?:via|through|by|to your|over) (?:paypal|bank transfer|bank account)",
    ),
    _off("平台外退款", "block", ("平台外", "线下", "私下", "站外"), r"(?:平台外|线下|私下|站外)(?:给您|给你|直接|为您)?(?:付款|转账|退款|交易|打款|补偿|退您|支付)"),
    _off(
        "follow us on Instagram", "review", ("instagram", "facebook", "tiktok", "youtube", "discord", "messenger"),
        r"(?:follow|add|join|contact|message|dm|find|text) (?:us|me|our|my)" + _gap(20) + r" (?:instagram|facebook|tiktok|youtube|discord|messenger)(?: group)?",
    ),
    _bought(
        "leave a 5 star review and get 5 USD", "block", _REVIEW_CUES,
        rf"(?:leave|write|give|post|submit|share|rate|send|add|upload|make|drop|provide){_gap(30)} ?{_REVIEW}(?![a-z]){_gap(40)}"
        rf"(?:get|receive|earn|win|claim|enjoy|we will|we'll|and|for|you'll|obtain|in exchange){_gap(20)} {_REWARD}",
        rf"rate (?:us|it|this|the \w+){_gap(25)}(?:get|receive|earn|claim|for){_gap(20)} {_REWARD}",
    ),
    _bought(
        "cash back for a review", "block", _REVIEW_CUES,
        rf"(?:{_REWARD}|get paid){_gap(30)} ?(?:for|if|when|after|once|in return|in exchange|upon|with){_gap(25)} {_REVIEW}",
    ),
    _bought("cash back", "review", ("cashback", "cash-back"), r"cash ?-?back", note=_CASH),
    _bought(
        "change your review and we refund 5 USD", "block", _REVIEW_CUES,
        rf"(?:change|remove|delete|revise|update|withdraw|edit|raise|improve) (?:your |the |a |this |my )?(?:[a-z0-9-]+ ){{0,2}}(?:review|feedback|rating)s?{_gap(50)} ?{_REWARD}",
        rf"{_REWARD}{_gap(40)} (?:change|remove|delete|revise|update|withdraw|edit) (?:your |the |a |this )?(?:[a-z0-9-]+ ){{0,2}}(?:review|feedback|rating)s?",
    ),
    _bought(
        "leave a 5 star review", "review", _REVIEW_CUES,
        r"(?:leave|write|give|post|submit)(?: [a-z]+){0,4} (?:5|five)[ -]?stars?(?: (?:review|rating|feedback))?",
        r"(?:only|just) (?:positive|good|5[ -]star|five[ -]star) (?:review|rating|feedback)s?", r"(?:buy|bought|paid) (?:positive )?reviews?",
        note=_ASKED,
    ),
    _bought(
        "好评 5 USD", "review", ("好评", "五星", "5星", "晒图", "晒单"),
        rf"(?:好评|五星|5星|晒图|晒单)(?!率|如潮|榜)[^.!?。;,\n]{{0,8}}?(?:{_MONEY}|cash ?-?back|红包|返\d+)",
        r"(?:cash ?-?back|红包)[^.!?。;,\n]{0,8}(?:好评|五星|5星|晒图|晒单)(?!率|如潮|榜)",
    ),
)  # fmt: skip
