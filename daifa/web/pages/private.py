"""Who may read who the buyers are: owners and operators of the store. Others see that there is a name, not which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daifa.web.kit import Scope

FIELDS = ("name", "line1", "line2", "city", "region", "postcode", "phone", "email")
DOTS = "•••"


def may_read(scope: Scope, store_id: int | None) -> bool:
    """Whether this person may see buyers' names, streets, phones and mail in the store."""
    return scope.whole.may("operate", store_id) if store_id is not None else False


def masked(text: str) -> str:
    """The first character and dots; nothing stays nothing."""
    return f"{text[0]}{DOTS}" if text else ""


def masked_address(address: Mapping[str, Any]) -> dict[str, Any]:
    """An address version of which only the region and country are left readable."""
    hidden = {name: (DOTS if address.get(name) else "") for name in FIELDS if name != "region"}
    return {**address, **hidden, "name": masked(address.get("name") or ""), "raw": "", "token": ""}
