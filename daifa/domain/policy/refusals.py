"""What daifa will not do, whoever asks: each with the reason and what it does instead. Code, not settings; no rule's age matters.

The places named are where it is refused; `tests/house/test_refusals.py` calls each of them. Printed in docs/refusals.md.
"""

from __future__ import annotations

from typing import NamedTuple

from daifa.domain.policy.rules import Words


class Refusal(NamedTuple):
    """`asked` in the trade, `why_not`, what daifa does `instead`; `rests_on` ids of rules; `places` that refuse it."""

    code: str
    asked: Words
    why_not: Words
    instead: Words
    rests_on: tuple[str, ...]
    places: tuple[str, ...]


REFUSALS: tuple[Refusal, ...] = (
    Refusal(
        "hide_origin",
        Words("隐藏包裹来源，让平台看不出来", "hide the origin of a parcel so that the platform does not notice"),
        Words(
            "属于规避规则；运单信息异常按订单金额 30% 赔付，每单 5 至 200 元",
            "evades the rules; a mismatched number costs 30 % of the order, CNY 5 to 200 each",
        ),
        Words(
            "与供应商约定中性包装、不放卡片、使用平台自己的电子面单；验包裹时发现违约；买家与平台收到的是真实单号",
            "an agreement with the supplier on neutral packing, no cards and the platform's own e-waybill; parcels are checked for "
            "breaches; buyer and channel are told the number that is on the parcel",
        ),
        ("xhs-comp-badtrack", "tb-second-waybill", "pdd-source-label"),
        ("daifa.domain.sourcing.rules.may_serve", "daifa.domain.shipping.models.DispatchNotice"),
    ),
    Refusal(
        "consumer_platform",
        Words("用买家地址到消费平台代拍", "buy on a consumer platform with the buyer's address"),
        Words(
            "属于滥用买家信息；亚马逊、eBay、沃尔玛明文禁止",
            "a misuse of the buyer's data; banned by name at Amazon, eBay and Walmart",
        ),
        Words(
            "只有签了协议的工厂或批发商能供货：没有协议，不派单，订单上写明原因",
            "only factories and wholesalers with an agreement serve a store: no agreement, no route, and the order says so",
        ),
        ("xhs-privacy-daipai", "amz-ds-retail-buy", "ebay-ds-retail", "wm-ds-retail"),
        ("daifa.domain.sourcing.rules.may_serve",),
    ),
    Refusal(
        "off_platform",
        Words("用短信、电话、包裹卡片把平台买家拉到微信", "pull marketplace buyers to WeChat by SMS, phone or parcel card"),
        Words(
            "违反导流与骚扰规则，以及广告法第43条、消费者权益保护法第29条",
            "against the rules on diversion and harassment, Advertising Law art. 43, Consumer Law art. 29",
        ),
        Words(
            "先征得同意；平台内触达；有上限与安静时段；包裹卡片仅限自有站订单",
            "consent first, in-platform outreach, caps and quiet hours; inserts for own-site orders only",
        ),
        ("xhs-divert", "cn-ad-43", "cn-cp-29", "xhs-service-harass"),
        ("daifa.domain.messages.rules.why_not", "daifa.domain.messages.commands.save_templates"),
    ),
    Refusal(
        "three_days",
        Words("三天内关店", "close in three days"),
        Words(
            "法律要求显著公示满 30 日",
            "the law asks for a public notice of 30 days",
        ),
        Words(
            "按真实日历办理，公示期、全程约 40 天、押金退还日都算出来并写明出处",
            "the real calendar with its notice, some 40 days in all, and the day the deposit comes back, each with its source",
        ),
        ("xhs-close-notice", "cn-ec-16", "xhs-seed-close-1to3d"),
        ("daifa.domain.closing.commands.refuse_too_soon",),
    ),
)  # fmt: skip
