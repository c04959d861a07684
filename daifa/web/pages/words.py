"""Stored codes in the reader's language: holds, why an offer was not chosen, kinds of messages, entries, cases."""

from __future__ import annotations

from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from daifa.domain.aftersales.queries import reason_words as case_words
from daifa.domain.messages.process import KINDS
from daifa.domain.messages.rules import reason_words
from daifa.domain.orders.process import HOLDS
from daifa.domain.sourcing.queries import Between
from daifa.domain.sourcing.rules import TERMS
from daifa.flows.reads.timeline import WHY
from daifa.lib.sentences import told


def _side() -> int:
    return int((get_language() or "").lower().startswith("zh"))


def hold(reason: str) -> str:
    return HOLDS.get(reason, (reason, reason))[_side()]


def hold_choices(*_scope: object) -> list[tuple[str, str]]:
    return [(reason, words[_side()]) for reason, words in HOLDS.items()]


_SHORT = {
    "buyer_data_missing": ("no address", "缺收件信息"),
    "not_paid": ("not paid", "未付款"),
    "address_invalid": ("bad address", "地址无效"),
    "mapping_missing": ("SKU not linked", "未关联货源"),
    "mapping_broken": ("SKU link broken", "关联失效"),
    "agreement_missing": ("no agreement", "缺协议"),
    "platform_restricted": ("channel closed", "平台限制"),
    "agreement_incomplete": ("agreement incomplete", "协议不全"),
    "entrustment_missing": ("no entrustment", "缺委托协议"),
    "consumer_platform": ("consumer platform", "消费平台"),
    "store_closing": ("store not open", "店铺未营业"),
    "destination_refused": ("not shipped there", "不发该地区"),
    "out_of_stock": ("out of stock", "缺货"),
    "price_above_limit": ("below margin floor", "低于毛利线"),
    "exchange_rate_missing": ("no exchange rate", "缺汇率"),
    "part_of_pack": ("part of a pack", "非整包装"),
    "supplier_rejected": ("refused by all", "均拒单"),
    "order_changed": ("changed since", "订单有变更"),
    "placing_failed": ("placing failed", "下单失败"),
    "by_hand": ("by hand", "人工挂起"),
}


def hold_short(reason: str) -> str:
    """Two or three words, for a badge in a list; `hold` says it whole."""
    return _SHORT.get(reason, (reason, reason))[_side()]


PAID_IF_RELEASED = N_("Whoever releases it says that the buyer has paid: it is bought and booked from now on. Release it?")

# What puts an end to a hold, and where.
_ADVICE = {
    "buyer_data_missing": N_("Enter the address; the order goes on by itself."),
    "not_paid": N_("The order goes on by itself once a file says when it was paid; release it if you know that it was."),
    "address_invalid": N_("Correct the address; the order goes on by itself."),
    "mapping_missing": N_("Link the SKU to a supplier's SKU in the catalogue; the order goes on by itself."),
    "mapping_broken": N_("Link the SKU to the supplier's present SKU; the order goes on by itself."),
    "agreement_missing": N_("Record the agreement with the supplier; the order goes on by itself."),
    "platform_restricted": N_(
        "Ship it yourself or cancel it, or confirm in the rule book the channel's rule that lets suppliers ship for you."
    ),
    "agreement_incomplete": N_(
        "Agree with the supplier on what is missing and record it on his agreement; the order goes on by itself."
    ),
    "entrustment_missing": N_("Have the entrustment signed (its text is ready) and enter the day; the order goes on by itself."),
    "consumer_platform": N_("Make an agreement with a factory or wholesaler and link its offer, or cancel and refund."),
    "store_closing": N_(
        "Cancel and refund it, or, once the store is open again, look for suppliers again. Orders paid before go on as ever."
    ),
    "destination_refused": N_("Find a supplier who ships there, or cancel and refund."),
    "out_of_stock": N_("Wait for the next price list, link another supplier, or cancel and refund."),
    "price_above_limit": N_("Lower the store's margin floor, find a cheaper offer, or cancel and refund."),
    "exchange_rate_missing": N_("Enter the exchange rate in the books, then look for suppliers again."),
    "part_of_pack": N_("Link an offer sold by the piece, or cancel what does not fill a pack."),
    "supplier_rejected": N_("Link another supplier, then look for suppliers again; or cancel and refund."),
    "order_changed": N_("Compare with the channel, tell the supplier, then release."),
    "placing_failed": N_("Look at the purchase order, put right what it names, then release."),
    "by_hand": N_("Release it when it may go on."),
}


def hold_advice(reason: str) -> str:
    return _(_ADVICE[reason]) if reason in _ADVICE else ""


FOR_WANT_OF_TERMS = (
    "agreement_missing", "agreement_incomplete", "entrustment_missing", "consumer_platform", "platform_restricted",
)  # fmt: skip
"""Holds behind which a supplier stands who may not serve the store: the order's page says who, and what is missing."""


def term(code: str) -> str:
    """A term that an agreement lacks, in a few words."""
    return _(TERMS[code])


def where_to_agree(between: Between) -> tuple[str, str]:
    """(the page where what stands between a store and a supplier is put right, what the button to it says)."""
    if between.verdict == "entrustment_missing":
        return reverse("web:entrustment", args=[between.supplier_id]), _("Entrustment")
    if between.verdict == "agreement_incomplete" and between.agreement_id:
        return reverse("web:agreement", args=[between.agreement_id]), _("Complete the agreement")
    if between.verdict == "agreement_missing":
        return reverse("web:supplier_agreement", args=[between.supplier_id]), _("Record an agreement")
    if between.verdict.rules:
        return reverse("web:rule_override", args=[between.verdict.rules[0]]), _("Enter what you read")
    return reverse("web:supplier", args=[between.supplier_id]), _("Open the supplier")


_NOT_CHOSEN = {
    "not_first": N_("another offer is ranked before it"),
    "ships_too_late": N_("would ship after the order's time for dispatch"),
    "mapping_broken": N_("its SKU has changed or gone"),
    "agreement_missing": N_("no agreement with this supplier for this store"),
    "platform_restricted": N_("the channel is closed to drop shipping"),
    "agreement_incomplete": N_("the agreement does not yet satisfy the channel"),
    "entrustment_missing": N_("no signed entrustment of personal data"),
    "consumer_platform": N_("a shop on a consumer platform"),
    "destination_refused": N_("does not ship there"),
    "exchange_rate_missing": N_("no exchange rate for its currency"),
    "part_of_pack": N_("the quantity does not fill its packs"),
    "out_of_stock": N_("not enough in stock"),
    "price_above_limit": N_("too dear for the margin floor"),
    "supplier_rejected": N_("refused it before"),
}


def not_chosen(reason: str) -> str:
    return _(_NOT_CHOSEN[reason]) if reason in _NOT_CHOSEN else hold(reason)


def message_kind(kind: str) -> str:
    return KINDS.get(kind, (kind, kind))[_side()]


def message_kinds(*_scope: object) -> list[tuple[str, str]]:
    return [(kind, words[_side()]) for kind, words in KINDS.items()]


def message_reason(reason: str) -> str:
    return reason_words(reason, get_language() or "en") if reason else ""


_ENTRIES = {
    "order_paid": N_("Order paid"),
    "purchase_accepted": N_("Accepted by the supplier"),
    "parcel_handed_over": N_("Parcel handed over"),
    "parcel_delivered": N_("Parcel delivered"),
    "parcel_lost": N_("Parcel lost"),
    "refund_confirmed": N_("Refund"),
    "order_over": N_("Order over"),
    "supplier_paid": N_("Supplier paid or credited"),
    "expense": N_("Expense"),
    "reversal": N_("Reversal"),
}


def entry(fact: str) -> str:
    return _(_ENTRIES[fact]) if fact in _ENTRIES else fact.replace("_", " ")


def account(name: str, name_zh: str) -> str:
    return (name_zh or name) if _side() else name


CASE_REASONS = (
    "changed_mind", "not_arrived", "damaged", "wrong_item", "not_as_described", "cannot_deliver", "other",
)  # fmt: skip


def case_reason(reason: str) -> str:
    return case_words(reason).replace("_", " ")


def case_reasons() -> list[tuple[str, str]]:
    return [(reason, case_reason(reason)) for reason in CASE_REASONS]


def why(reason: str) -> str:
    return _(WHY[reason]) if reason in WHY else case_words(told(reason))
