"""The records and capabilities through which flows and connectors talk.

Records are plain values in house words: no tables, no platform codes. Text is already cleaned, money is `Decimal`
with its currency beside it, datetimes are aware. `row` numbers are those a person sees in the file (1-based,
header included); an API source leaves them empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol, runtime_checkable

LineKind = Literal["goods", "shipping", "discount", "fee", "manual", "sample", "gift_card", "tax"]
"""What an order line is. Only `goods` lines are bought from a supplier; the rest is money."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row (or document) that could not be used: which row, why, what to do.

    `code` is stable (`quantity_not_positive`), `message` an untranslated English msgid with `%(name)s` places filled
    from `params`; `raw` is the row as it was read, so that a person can mend and retry it. `document` is the order
    number, reference or SKU if it could be read.
    """

    row: int
    code: str
    message: str
    params: Mapping[str, Any] = field(default_factory=dict)
    raw: Sequence[str] = ()
    document: str = ""
    rows: int = 1  # how many rows of the file this problem stands for

    def sentence(self) -> str:
        from daifa.lib.sentences import gettext

        return gettext(self.message) % self.params


@dataclass(frozen=True, slots=True)
class NotAnOrder:
    """Rows that are understood but are no order: stock adjustments, bad-debt entries. `reason` is a stable code."""

    document: str
    rows: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Address:
    """A ship-to as the channel gave it. `token` replaces the plain fields where the platform masks its buyers."""

    name: str = ""
    line1: str = ""
    line2: str = ""
    city: str = ""
    region: str = ""
    postcode: str = ""
    country: str = ""  # ISO 3166 alpha-2, upper case; "" = not told
    phone: str = ""
    email: str = ""
    raw: str = ""
    token: str = ""

    def is_complete(self) -> bool:
        """True when a supplier could ship with it: a token, or a name, a street and a country."""
        return bool(self.token or (self.name and self.line1 and self.country))


@dataclass(frozen=True, slots=True)
class IncomingLine:
    """One line of an order. `amount` is the authoritative line total after line discounts, before order discounts.

    `quantity` is in sales units (> 0 for goods); `unit_price` = what one unit cost the buyer.
    """

    row: int
    sku: str
    title: str
    quantity: int
    unit_price: Decimal
    amount: Decimal
    kind: LineKind = "goods"
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class IncomingOrder:
    """An order as the channel has it now. Money lines (`shipping`, `discount`, `fee` …) are lines of their own.

    `currency` is "" where the file does not say (the store's currency then counts). `refunded` is what the channel
    says was given back on this order in all; `address` is None where the source holds no recipient.
    """

    number: str
    placed_at: datetime
    lines: tuple[IncomingLine, ...]
    rows: tuple[int, ...] = ()
    currency: str = ""
    paid_at: datetime | None = None
    cancelled_at: datetime | None = None
    dispatched_at: datetime | None = None  # the channel says it was already dispatched (history, not our work)
    customer_ref: str = ""
    country: str = ""
    address: Address | None = None
    refunded: Decimal = Decimal(0)
    accepts_marketing: bool = False
    note: str = ""
    notes: tuple[str, ...] = ()  # stable codes of what was odd but usable: several_timestamps, …


@dataclass(frozen=True, slots=True)
class IncomingCredit:
    """A credit note or cancellation. Quantities and amounts are positive; `order_number` where the source names it."""

    number: str
    at: datetime
    lines: tuple[IncomingLine, ...]
    rows: tuple[int, ...] = ()
    currency: str = ""
    customer_ref: str = ""
    country: str = ""
    order_number: str = ""


@dataclass(frozen=True, slots=True)
class IncomingProduct:
    """One variant of a product. Variants of one product share `handle`."""

    row: int
    handle: str
    title: str
    sku: str
    price: Decimal | None = None
    currency: str = ""
    options: tuple[tuple[str, str], ...] = ()
    barcode: str = ""
    weight_g: int | None = None
    description: str = ""
    brand: str = ""
    category: str = ""
    image: str = ""
    cost: Decimal | None = None
    stock: int | None = None


@dataclass(frozen=True, slots=True)
class IncomingOffer:
    """What a supplier will sell us, as his price list says. `sku` is our SKU where the list names it."""

    row: int
    supplier_sku: str
    price: Decimal
    currency: str = ""
    sku: str = ""
    title: str = ""
    freight: Decimal | None = None
    stock: int | None = None
    lead_days: int | None = None
    pack: int = 1  # sales units in one supplier unit
    rank: int | None = None
    ships_to: tuple[str, ...] = ()  # ISO alpha-2; empty = everywhere


@dataclass(frozen=True, slots=True)
class ReplyRow:
    """One row of a supplier's answer. `reference` is ours (purchase order reference), `line` our row mark if present.

    `accepted` None = not said. A waybill for a quantity implies its acceptance. Several numbers in a cell become
    several rows with `quantity` None except where the file splits it.
    """

    row: int
    reference: str
    supplier_sku: str = ""
    line: str = ""
    accepted: int | None = None
    refused: bool = False
    reason: str = ""
    unit_cost: Decimal | None = None
    carrier: str = ""
    numbers: tuple[str, ...] = ()
    shipped: int | None = None
    shipped_at: datetime | None = None
    their_reference: str = ""
    ship_date: datetime | None = None
    raw: tuple[str, ...] = ()


TrackingStatus = Literal[
    "announced", "handed_over", "in_transit", "out_for_delivery", "attempt_failed", "pickup_ready", "delivered",
    "exception", "returned_to_sender", "lost", "unknown",
]


@dataclass(frozen=True, slots=True)
class TrackingRow:
    """One scan. `status` in house words; a word that is not known is `unknown`, never "fine"."""

    row: int
    number: str
    at: datetime
    status: TrackingStatus
    raw_status: str = ""
    place: str = ""
    carrier: str = ""


@dataclass(frozen=True, slots=True)
class PurchaseRequest:
    """What a supplier is asked to ship. `reference` is ours, unique, and the key a supplier can be asked by."""

    reference: str
    supplier_code: str
    currency: str
    address: Address
    lines: tuple[PurchaseRequestLine, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class PurchaseRequestLine:
    line: str
    supplier_sku: str
    quantity: int
    unit_cost: Decimal
    title: str = ""


@dataclass(frozen=True, slots=True)
class PurchaseAnswer:
    """What the supplier's system says of one request: accepted (their reference) or refused (sentence and code)."""

    reference: str
    accepted: bool
    their_reference: str = ""
    code: str = ""
    sentence: str = ""


@runtime_checkable
class PlacesPurchases(Protocol):
    """Can be sent purchases and asked about them by our reference."""

    def place(self, requests: Sequence[PurchaseRequest], *, at: datetime) -> list[PurchaseAnswer]:
        """Send. Raises `AnswerMissing` when it is not known whether the supplier got them."""

    def find(self, references: Sequence[str], *, at: datetime) -> dict[str, PurchaseAnswer | None]:
        """Ask by our reference. None = the supplier has never heard of it."""


@runtime_checkable
class AnswersPurchases(Protocol):
    """Can be asked what became of purchases: acceptance, refusals, waybills."""

    def replies(self, references: Sequence[str], *, at: datetime) -> list[ReplyRow]: ...


@runtime_checkable
class TracksParcels(Protocol):
    def track(self, numbers: Sequence[str], *, at: datetime) -> list[TrackingRow]: ...


@runtime_checkable
class PullsOrders(Protocol):
    def orders_since(self, since: datetime, *, at: datetime) -> Iterable[IncomingOrder | IncomingCredit]: ...


@runtime_checkable
class ConfirmsShipments(Protocol):
    def confirm(self, notices: Sequence[Mapping[str, Any]], *, at: datetime) -> dict[int, str]:
        """Tell the channel; returns notice id → "" (accepted) or the refusal's sentence."""


ListingAction = Literal["publish", "pause", "delist"]


@dataclass(frozen=True, slots=True)
class OutgoingVariant:
    """One SKU of a listing as it is to be sold. `options`: (name, value) pairs, empty where there is only one."""

    sku: str
    price: Decimal | None
    currency: str
    options: tuple[tuple[str, str], ...] = ()
    barcode: str = ""
    weight_g: int | None = None


@dataclass(frozen=True, slots=True)
class OutgoingListing:
    """What a channel is asked to show, or no longer to show. `reference` is ours, unique, and the key it can be asked by."""

    reference: str
    action: ListingAction
    handle: str
    title: str
    description: str
    variants: tuple[OutgoingVariant, ...]
    brand: str = ""
    category: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True)
class ListingAnswer:
    """What the channel says of one request: done (`external_ids`: SKU → its own number) or declined (sentence and code)."""

    reference: str
    accepted: bool
    external_ids: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    sentence: str = ""


@runtime_checkable
class PublishesListings(Protocol):
    """Can be sent listings and asked about them by our reference."""

    def publish(self, listings: Sequence[OutgoingListing], *, at: datetime) -> list[ListingAnswer]:
        """Send. Raises `AnswerMissing` when it is not known whether the channel got them."""

    def find_listings(self, references: Sequence[str], *, at: datetime) -> dict[str, ListingAnswer | None]:
        """Ask by our reference. None = the channel has never heard of it."""
