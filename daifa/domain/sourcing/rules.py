"""Decisions about suppliers, given values. The gate `may_serve` stands here: routing asks it from the first day."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.translation import gettext_noop as N_

from daifa.lib.commas import listed
from daifa.lib.sentences import gettext as _
from daifa.lib.sentences import joined

OWN_KINDS = ("own_site", "manual")
SERVING_STATES = ("trial", "active", "watch")


class Refusal(str):
    """The stable code of a hold reason ("" = nothing stands against it), with the sentence a merchant reads.

    `missing` names the terms an agreement lacks, `rules` the ids of rules that would open the channel once confirmed.
    """

    sentence: str
    missing: tuple[str, ...]
    rules: tuple[str, ...]

    def __new__(
        cls, code: str = "", sentence: str = "", missing: tuple[str, ...] = (), rules: tuple[str, ...] = ()
    ) -> Refusal:
        made = super().__new__(cls, code)
        made.sentence = sentence
        made.missing = missing
        made.rules = rules
        return made


ALLOWED = Refusal()

# --- What a channel demands of an agreement -----------------------------------------------------------------------

TERMS: dict[str, str] = {
    "authorised": N_("that he is authorised to ship for this store"),
    "neutral_packing": N_("neutral packing"),
    "no_cards": N_("that nobody's cards or leaflets are put in"),
    "platform_waybill": N_("that he ships with the platform's own e-waybill"),
    "stock_secured": N_("that the goods are bought or reserved in advance"),
    "returns": N_("the address that returns go to"),
    "entrustment": N_("the day on which the entrustment of personal data was signed"),
}
"""Term of an agreement → what has to be recorded."""

ALWAYS = ("authorised", "neutral_packing", "no_cards", "entrustment")
"""Asked for on every marketplace, whatever its rules say and however old they are. The entrustment: of every store."""

OPENING: dict[str, tuple[str, ...]] = {
    "supplier_fulfilment_via_platform_tool": ("platform_waybill",),
    "factory_waybill": ("platform_waybill",),
    "supplier_dropship_api": ("platform_waybill",),
    "seller_of_record_everywhere": (),
    "stock_owned_or_prepurchased": ("stock_secured",),
}
"""Metrics of rules that say a supplier may ship for a store on this channel, and what more they ask for."""

ALSO: dict[str, tuple[str, ...]] = {
    "export_buyer_plaintext": ("platform_waybill",),
    "e_waybill_coverage": ("platform_waybill",),
    "return_address_in_mainland": ("returns",),
    "seller_handles_returns": ("returns",),
}
"""Metrics of rules that do not open a channel but ask for a term where it is open."""

_MET: dict[str, Callable[[Any, date], bool]] = {
    "authorised": lambda one, on: one.is_authorised,
    "neutral_packing": lambda one, on: one.neutral_packing,
    "no_cards": lambda one, on: one.no_cards,
    "platform_waybill": lambda one, on: one.platform_waybill,
    "stock_secured": lambda one, on: one.stock_secured,
    "returns": lambda one, on: bool(one.returns_to.strip()),
    "entrustment": lambda one, on: one.entrusted_on is not None and one.entrusted_on <= on,
}


@dataclass(frozen=True, slots=True)
class ChannelDemands:
    """What a channel's rules ask of an agreement. `opened_by`: ids of the rules that allow it; none = closed.

    `waiting`: rules that would open it but only inform; `terms` → ids of the rules behind each ("" = ours).
    """

    channel: str = ""
    opened_by: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    terms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


CLOSED = ChannelDemands()
OWN = ChannelDemands(terms={"entrustment": ()})
"""Of own-site and manual stores: the law asks, no channel."""


def channel_demands(channel: str, rules: Iterable[Any]) -> ChannelDemands:
    """The terms that the rules of a channel ask for. Rules that only inform (`acts` is False) open and ask nothing."""
    opened: list[str] = []
    waiting: list[str] = []
    terms: dict[str, list[str]] = {term: [] for term in ALWAYS}
    for rule in rules:
        asked = OPENING.get(rule.metric)
        if asked is not None:
            (opened if rule.acts else waiting).append(rule.id)
        else:
            asked = ALSO.get(rule.metric)
        if asked is not None and rule.acts:
            for term in asked:
                terms.setdefault(term, []).append(rule.id)
    return ChannelDemands(channel, tuple(opened), tuple(waiting), {term: tuple(ids) for term, ids in terms.items()})


def missing_terms(agreement: Any, demands: ChannelDemands, on: date) -> tuple[str, ...]:
    """The terms this agreement lacks on that day, in the order of TERMS."""
    return tuple(term for term in TERMS if term in demands.terms and not _MET[term](agreement, on))


# --- The gate -----------------------------------------------------------------------------------------------------


def may_serve(
    store: Any,
    supplier: Any,
    agreements: Iterable[Any],
    on: date,
    channel_rules: ChannelDemands | Iterable[Any] = CLOSED,
) -> Refusal:
    """May `supplier` ship for `store` on that day? "" or the reason code, with `.sentence`.

    `store` needs `id`, `kind`, `is_sample` (and `channel` for a marketplace); `supplier` needs `id`, `name`, `state`,
    `source`, `is_sample` (a missing `is_sample` counts as False). `agreements` may be those of all stores and suppliers;
    only fitting ones count. `channel_rules`: the rules of the store's channel, or `channel_demands` of them; asked for
    by marketplaces only. Without any a marketplace is closed. The entrustment is asked for everywhere.

    Shops on consumer platforms never serve anybody: the buyer's address is not theirs to have.
    """
    if getattr(supplier, "source", "trade") == "consumer_platform":
        return Refusal(
            "consumer_platform",
            _("%(supplier)s is a shop on a consumer platform: buying there with a buyer's address is not done here. "
              "Make an agreement with a factory or wholesaler and record him as a supplier of his own.")
            % {"supplier": supplier.name},
        )  # fmt: skip
    demands = OWN
    is_own = store.kind in OWN_KINDS
    if not is_own:
        demands = channel_rules if isinstance(channel_rules, ChannelDemands) else channel_demands(
            getattr(store, "channel", ""), channel_rules
        )  # fmt: skip
        if not demands.opened_by:
            return _closed(store, demands)
    if supplier.state not in SERVING_STATES:
        return Refusal(
            "agreement_missing",
            _("%(supplier)s is not an active supplier; activate the supplier before anything is bought there.")
            % {"supplier": supplier.name},
        )  # fmt: skip
    if bool(getattr(store, "is_sample", False)) != bool(getattr(supplier, "is_sample", False)):
        return Refusal(
            "agreement_missing",
            _("%(supplier)s and this store do not belong together: one of them is part of the sample shop.")
            % {"supplier": supplier.name},
        )
    found, ended, for_all = [], False, False
    for agreement in agreements:
        if agreement.supplier_id != supplier.id or agreement.store_id not in (None, store.id):
            continue
        if not is_own and agreement.store_id is None:
            for_all = True
        elif agreement.valid_from <= on and (agreement.valid_until is None or on <= agreement.valid_until):
            found.append(agreement)
        else:
            ended = True
    if found:
        return _measured(supplier, found, demands, on)
    if ended:
        return Refusal(
            "agreement_missing",
            _("The agreement with %(supplier)s for this store is not valid on this day. Record a new one to buy there.")
            % {"supplier": supplier.name},
        )  # fmt: skip
    if for_all:
        return Refusal(
            "agreement_missing",
            _("The agreement with %(supplier)s is for own stores. Record one that names this store on a marketplace.")
            % {"supplier": supplier.name},
        )
    return Refusal(
        "agreement_missing",
        _("There is no recorded agreement with %(supplier)s to ship for this store. Record one to buy there.")
        % {"supplier": supplier.name},
    )


def _closed(store: Any, demands: ChannelDemands) -> Refusal:
    if demands.waiting:
        return Refusal(
            "platform_restricted",
            _("This store is on a marketplace whose rule on shipping by suppliers (%(rules)s) nobody has confirmed. Read "
              "it at its source and confirm it in the rule book; until then drop shipping for it stays closed.")
            % {"rules": listed(demands.waiting)},
            rules=demands.waiting,
        )  # fmt: skip
    return Refusal(
        "platform_restricted",
        _("This store is on a marketplace. Drop shipping for it stays closed until the channel's rules are met: the rule "
          "book has none that allows a supplier to ship."),
    )  # fmt: skip


def _measured(supplier: Any, agreements: list[Any], demands: ChannelDemands, on: date) -> Refusal:
    """The agreement that lacks least decides; nothing lacking = allowed."""
    missing = min((missing_terms(one, demands, on) for one in agreements), key=len)
    if not missing:
        return ALLOWED
    if missing == ("entrustment",):
        return Refusal(
            "entrustment_missing",
            _("No buyer's address goes to %(supplier)s before the entrustment of personal data is signed. Its text is ready on "
              "the supplier's page: have it signed and enter the day there; what is held then goes on by itself.")
            % {"supplier": supplier.name},
            missing,
        )  # fmt: skip
    return Refusal(
        "agreement_incomplete",
        _("The agreement with %(supplier)s does not yet satisfy the channel. Record: %(missing)s.")
        % {"supplier": supplier.name, "missing": joined("; ", (_(TERMS[term]) for term in missing), chinese="；")},
        missing,
    )


# --- Who he is, by his name ---------------------------------------------------------------------------------------

_CONSUMER = re.compile(
    r"淘宝|天猫|拼多多|闲鱼|抖音|快手小?店|小红书|唯品会|(?<![北南])京东|1688零售|代拍|代下单"
    r"|(?<![a-z0-9])(?:taobao|tmall|pinduoduo|pdd|xianyu|jd\.com|aliexpress|temu|shein|ebay|amazon|1688 ?retail)(?![a-z0-9])"
)
"""Consumer platforms as they stand in the names of shops there, and of those who buy there for others."""
_BETWEEN_HAN = re.compile(r"(?<=[\u4e00-\u9fff])[\s·・._-]+(?=[\u4e00-\u9fff])")


def consumer_words(name: str) -> tuple[str, ...]:
    """Words of a supplier's name that speak of a consumer platform, in their order: who is named so has to be asked.

    Capitals, full-width letters and gaps between Chinese characters make no difference.
    """
    plain = _BETWEEN_HAN.sub("", unicodedata.normalize("NFKC", name).casefold())
    return tuple(dict.fromkeys(found[0] for found in _CONSUMER.finditer(plain)))
