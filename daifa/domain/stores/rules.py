"""Who may do what in a store, decided from the role alone."""

from __future__ import annotations

from typing import Literal

Need = Literal["view", "operate", "books", "own"]

NEEDS: dict[str, frozenset[str]] = {
    "owner": frozenset({"view", "operate", "books", "own"}),
    "operator": frozenset({"view", "operate"}),
    "bookkeeper": frozenset({"view", "books"}),
    "viewer": frozenset({"view"}),
}
"""What each role allows: see it, work it (orders, purchases, parcels), keep its books, change its settings and people."""

KINDS_OF_NEED = frozenset().union(*NEEDS.values())


def allows(role: str, need: Need) -> bool:
    """True when `role` ("" = none) covers `need`. An unknown need is a mistake in the code, never "yes"."""
    if need not in KINDS_OF_NEED:
        raise ValueError(f"No such need: {need}.")
    return need in NEEDS.get(role, frozenset())


def roles_with(need: Need) -> list[str]:
    """The roles that cover `need`."""
    return [role for role in NEEDS if allows(role, need)]
