"""Decisions about suppliers, given values. The gate `may_serve` stands here: routing asks it from the first day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Protocol

from django.utils.translation import gettext as _

ROUTABLE_KINDS = ("own_site", "manual")
SERVING_STATES = ("trial", "active", "watch")


class Refusal(str):
    """The stable code of a hold reason ("" = nothing stands against it), with the sentence a merchant reads."""

    sentence: str

    def __new__(cls, code: str = "", sentence: str = "") -> Refusal:
        made = super().__new__(cls, code)
        made.sentence = sentence
        return made


class _Agreement(Protocol):
    supplier_id: int
    store_id: int | None
    valid_from: date
    valid_until: date | None


ALLOWED = Refusal()


def may_serve(store: Any, supplier: Any, agreements: Iterable[_Agreement], on: date) -> Refusal:
    """May `supplier` ship for `store` on that day? "" or the reason code, with `.sentence`.

    `store` needs `id`, `kind`, `is_sample`; `supplier` needs `id`, `name`, `state`, `is_sample` (a missing
    `is_sample` counts as False). `agreements` may be those of all stores and suppliers; only fitting ones count.

    Marketplaces are closed whatever was agreed: handing their buyers' addresses on is theirs to allow.
    """
    if store.kind not in ROUTABLE_KINDS:
        return Refusal(
            "platform_restricted",
            _(
                "This store is on a marketplace. Drop shipping for it stays closed until the channel's rules are met."
            ),
        )
    if supplier.state not in SERVING_STATES:
        return Refusal(
            "agreement_missing",
            _(
                "%(supplier)s is not an active supplier; activate the supplier before anything is bought there."
            )
            % {"supplier": supplier.name},
        )
    if bool(getattr(store, "is_sample", False)) != bool(getattr(supplier, "is_sample", False)):
        return Refusal(
            "agreement_missing",
            _("%(supplier)s and this store do not belong together: one of them is part of the sample shop.")
            % {"supplier": supplier.name},
        )
    ended = False
    for agreement in agreements:
        if agreement.supplier_id != supplier.id or agreement.store_id not in (None, store.id):
            continue
        if agreement.valid_from <= on and (agreement.valid_until is None or on <= agreement.valid_until):
            return ALLOWED
        ended = True
    if ended:
        return Refusal(
            "agreement_missing",
            _(
                "The agreement with %(supplier)s for this store is not valid on this day. Record a new one to buy there."
            )
            % {"supplier": supplier.name},
        )
    return Refusal(
        "agreement_missing",
        _("There is no recorded agreement with %(supplier)s to ship for this store. Record one to buy there.")
        % {"supplier": supplier.name},
    )
