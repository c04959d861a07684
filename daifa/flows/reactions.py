"""When this happened, do that. THE page to read.

Facts are recorded by commands with `history.commands.record_facts`; each reaction below is then owed. `record` must
happen once for each fact, whatever the thing has become since (unique keys in the target see to it); `act` happens only
if it is still wanted when its turn comes, and is otherwise kept as suppressed with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Literal

Run = Callable[..., dict[int, str]]


@dataclass(frozen=True, slots=True)
class Reaction:
    """`target` = "module:function" below `daifa.flows`, called as run(things, at=, by=) inside a transaction."""

    target: str
    kind: Literal["record", "act"]

    @property
    def name(self) -> str:
        return self.target.partition(":")[2]

    def load(self) -> Run:
        module, _, function = self.target.partition(":")
        return getattr(import_module(f"daifa.flows.{module}"), function)


def record(target: str) -> Reaction:
    return Reaction(target, "record")


def act(target: str) -> Reaction:
    return Reaction(target, "act")


REACTIONS: dict[str, list[Reaction]] = {
    # an order came in, paid
    "orders_received": [
        record("post_to_books:post_orders"),
        act("route_lines:route_orders"),
        act("tell_customers:tell_order_received"),
    ],
    # a hold was released, a supplier refused: open units again
    "orders_to_route": [act("route_lines:route_orders")],
    # a supplier was chosen for some lines
    "fulfilment_released": [act("place_purchases:draft_purchases")],
    # a supplier accepted units: we owe him
    "purchases_answered": [record("post_to_books:post_purchases")],
    # a parcel left the supplier
    "parcels_handed_over": [
        record("dispatch:queue_notices"),
        record("post_to_books:post_handed_over"),
        act("tell_customers:tell_dispatched"),
    ],
    # a later answer put further units into a parcel that is already known
    "parcels_extended": [record("post_to_books:post_handed_over")],
    "parcels_in_transit": [act("tell_customers:tell_in_transit")],
    "parcels_delayed": [act("tell_customers:tell_delayed")],
    "parcels_delivered": [
        record("post_to_books:post_delivered"),
        act("tell_customers:tell_delivered"),
        act("tell_customers:invite_review"),
    ],
    # what a lost or returned parcel asks for is a person's decision: a task was opened with the fact
    "parcels_lost": [record("post_to_books:post_lost")],
    "parcels_returned": [record("post_to_books:post_lost")],
    # the supplier replaced a waybill number
    "numbers_replaced": [record("dispatch:queue_notices"), act("tell_customers:tell_number_changed")],
    # money went back to a buyer
    "refunds_confirmed": [record("post_to_books:post_refunds")],
    # units were cancelled and no money moved with it
    "units_cancelled": [record("post_to_books:post_cancelled")],
    # money went into a deposit, out of it, or was taken by the channel
    "deposits_moved": [record("post_deposits:post_deposits")],
    # a buyer complained
    "complaints_opened": [],
    # a notice of somebody's right took a listing down, or ended
    "infringements_moved": [act("publish_listings:follow_infringements")],
    # a photo came with a complaint: it is read for what should not have been in the parcel
    "complaint_photos_added": [act("check_complaints:check_complaint_photos")],
}


@cache
def by_name() -> dict[str, Reaction]:
    """Reactions by the name under which they are owed."""
    return {reaction.name: reaction for reactions in REACTIONS.values() for reaction in reactions}


@cache
def names_by_fact() -> dict[str, list[str]]:
    """Fact → names of what is owed; asked by `history.commands.record_facts` through the settings."""
    return {fact: [reaction.name for reaction in reactions] for fact, reactions in REACTIONS.items()}
