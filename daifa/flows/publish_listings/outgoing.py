"""A publication as it goes to a channel, and the reference it is asked by."""

from __future__ import annotations

from decimal import Decimal

from daifa.connectors.contract import OutgoingListing, OutgoingVariant
from daifa.domain.stores.queries import installation
from daifa.flows.publish_listings.door import Row


def outgoing(row: Row) -> OutgoingListing:
    content = row.content
    return OutgoingListing(
        reference=reference_of(row.pk), action=row.action, handle=content["handle"], title=content["title"],  # type: ignore[arg-type]
        description=content["description"], brand=content["brand"], category=content["category"], image=content["image"],
        variants=tuple(
            OutgoingVariant(
                one["sku"], None if one["price"] is None else Decimal(one["price"]), one["currency"],
                tuple((str(name), str(value)) for name, value in one["options"]), one["barcode"], one["weight_g"],
            )
            for one in content["variants"]
        ),
    )  # fmt: skip


def reference_of(publication: int) -> str:
    """Our reference of a publication: what a channel is asked by."""
    here = installation()
    return f"{here.code if here else ''}L{publication}"
