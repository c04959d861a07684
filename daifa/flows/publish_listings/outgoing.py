"""Publications as they go to a channel, and the references they are asked by."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from daifa.connectors.contract import OutgoingListing, OutgoingVariant
from daifa.domain.stores.queries import installation
from daifa.flows.publish_listings.door import Row


def outgoing(rows: Sequence[Row]) -> list[OutgoingListing]:
    """What the channel is told of each."""
    references = references_of([row.pk for row in rows])
    return [_outgoing(row, references[row.pk]) for row in rows]


def _outgoing(row: Row, reference: str) -> OutgoingListing:
    content = row.content
    return OutgoingListing(
        reference=reference, action=row.action, handle=content["handle"], title=content["title"],  # type: ignore[arg-type]
        description=content["description"], brand=content["brand"], category=content["category"], image=content["image"],
        variants=tuple(
            OutgoingVariant(
                one["sku"], None if one["price"] is None else Decimal(one["price"]), one["currency"],
                tuple((str(name), str(value)) for name, value in one["options"]), one["barcode"], one["weight_g"],
            )
            for one in content["variants"]
        ),
    )  # fmt: skip


def references_of(publications: Sequence[int]) -> dict[int, str]:
    """Our references of publications: what a channel is asked by."""
    here = installation()
    return {pk: f"{here.code if here else ''}L{pk}" for pk in publications}
