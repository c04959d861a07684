"""What is shown of a buyer to those who keep books or look on: that there is a name and an address, not which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DOTS = "•••"
PERSONAL = ("name", "line1", "line2", "city", "postcode", "phone", "email")


def masked(text: str) -> str:
    """The first character and dots; nothing stays nothing."""
    return f"{text[0]}{DOTS}" if text else ""


def masked_address(address: Mapping[str, Any]) -> dict[str, Any]:
    """An address of which only the region and country are left readable."""
    hidden = {name: (DOTS if address.get(name) else "") for name in PERSONAL}
    return {**address, **hidden, "name": masked(address.get("name") or ""), "raw": "", "token": ""}
