"""Samples: goods ordered from a supplier to our own address, to see what a buyer would get. Commands and reads.

What was paid for one stands in the books as a sample. Its photos are parcel checks (`shipping`), judged there; a flow
hands their verdicts in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F
from django.utils import translation

from daifa.domain.books import commands as books
from daifa.domain.history.commands import move, open_batch, record_births
from daifa.domain.sourcing.models import Sample, SupplierOffer
from daifa.domain.sourcing.process import SAMPLE
from daifa.domain.sourcing.queries import supplier_with_id
from daifa.domain.stores.models import Store
from daifa.lib import bulk
from daifa.lib.money import is_currency
from daifa.lib.paging import Cursor
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _

MOST = 1_000
NEWEST = ("-id",)
NUMBERED = ("shipped", "received")
"""States in which a waybill number may be given or mended."""


class NewSample(NamedTuple):
    """A sample that is wanted. `offer` where it is one of his list; else say what in `title`. `send_to`: our own address."""

    store: int
    supplier: int
    send_to: str
    offer: int | None = None
    variant: int | None = None
    title: str = ""
    quantity: int = 1
    note: str = ""


@transaction.atomic
def want_samples(wishes: Sequence[NewSample], *, by: str, at: datetime) -> tuple[list[int], dict[NewSample, str]]:
    """Note samples to be ordered: (their ids, wish → the sentence why it was refused)."""
    refused: dict[NewSample, str] = {}
    rows: list[Sample] = []
    offers = SupplierOffer.objects.in_bulk([wish.offer for wish in wishes if wish.offer])
    for wish in wishes:
        supplier, offer = supplier_with_id(wish.supplier), offers.get(wish.offer or 0)
        title = (wish.title.strip() or (offer.title if offer else ""))[:255]
        if supplier is None or not Store.objects.filter(pk=wish.store).exists():
            refused[wish] = _("There is no such supplier, or no such store.")
        elif supplier.source == "consumer_platform":
            refused[wish] = _(
                "%(supplier)s is a shop on a consumer platform: it will not ship for you, a sample proves nothing. Order one of a factory."
            ) % {"supplier": supplier.name}
        elif wish.offer and (offer is None or offer.supplier_id != wish.supplier):
            refused[wish] = _("This offer is not one of %(supplier)s.") % {"supplier": supplier.name}
        elif not (title or offer):
            refused[wish] = _("Say what the sample is: choose an offer of his, or write its title.")
        elif not wish.send_to.strip():
            refused[wish] = _("Say where the sample goes: your own address, as a buyer would write it.")
        elif not 1 <= wish.quantity <= MOST:
            refused[wish] = _("A sample is 1 to %(most)s pieces.") % {"most": MOST}
        else:
            rows.append(
                Sample(
                    store_id=wish.store, supplier_id=wish.supplier, variant_id=wish.variant, offer_id=wish.offer,
                    supplier_sku=offer.supplier_sku if offer else "", title=title, quantity=wish.quantity, state="wanted",
                    send_to=wish.send_to.strip()[:300], note=wish.note.strip()[:500], currency=supplier.currency, by=by, at=at,
                )
            )  # fmt: skip
    ids = [one.pk for one in Sample.objects.bulk_create(rows)]
    record_births(SAMPLE, ids, "wanted", by=by, at=at)
    return ids, refused


@transaction.atomic
def order_sample(*, sample_id: int, cost: Decimal | None, currency: str = "", by: str, at: datetime) -> None:
    """It was ordered and paid; `cost` (goods and freight, None or 0 = free) is posted as a sample on that day. Raises `Refused`."""
    sample = _moved(sample_id, "ordered", by=by, at=at)
    sample.cost = cost or Decimal(0)
    sample.currency = (currency or sample.currency).strip().upper()
    if not is_currency(sample.currency):
        raise Refused(_("“%(currency)s” is no currency; use a code such as CNY, USD or GBP.") % {"currency": currency}, field="currency")
    if sample.cost < 0:
        raise Refused(_("A cost is not negative."), code="cost_negative", field="cost")
    sample.save(update_fields=["cost", "currency"])
    if sample.cost:
        day = at.astimezone(ZoneInfo(Store.objects.get(pk=sample.store_id).timezone)).date()
        written = books.add_expenses(
            [
                books.NewExpense(
                    sample.store_id, "samples", sample.cost, sample.currency, day,
                    f"{number_of(sample.pk)} {sample.supplier.name}: {sample.supplier_sku or sample.title}"[:200], _key(sample.pk),
                )
            ],
            by=by, at=at,
        )  # fmt: skip
        if written.refused:
            raise Refused(written.refused[0].sentence(), code=written.refused[0].code, field="cost")


@transaction.atomic
def ship_sample(*, sample_id: int, number: str, carrier: str = "", by: str, at: datetime) -> None:
    """He sent it, under this waybill number; it may be told later (`number_sample`). Raises `Refused`."""
    number = _waybill(number)
    _moved(sample_id, "shipped", by=by, at=at)
    Sample.objects.filter(pk=sample_id).update(number=number, carrier=carrier.strip()[:40])


@transaction.atomic
def number_sample(*, sample_id: int, number: str, carrier: str = "", by: str, at: datetime) -> None:
    """The waybill number of a sample that has left already, or another one where it was mistyped; until it is judged.
    An empty carrier leaves the one that stands there. Raises `Refused`."""
    if not (number := _waybill(number)):
        raise Refused(_("Write down the waybill number."), code="number_missing", field="number")
    sample = Sample.objects.select_for_update().filter(pk=sample_id, state__in=NUMBERED).first()
    if sample is None:
        raise Refused(
            _("A waybill number is given to a sample that is on its way or here and not judged yet; this one is not."), code="no_change"
        )
    open_batch(by=by, at=at, reason=f"number_sample: {number_of(sample_id)}, {sample.number or '–'} → {number}")
    Sample.objects.filter(pk=sample_id).update(number=number, carrier=carrier.strip()[:40] or sample.carrier)


def _waybill(number: str) -> str:
    number = "".join(number.split()).upper()
    if number and not 4 <= len(number) <= 60:
        raise Refused(_("“%(waybill)s” is no waybill number.") % {"waybill": number[:60]}, code="number_invalid", field="number")
    return number


@transaction.atomic
def receive_sample(*, sample_id: int, by: str, at: datetime) -> None:
    """It is here. Raises `Refused`."""
    _moved(sample_id, "received", by=by, at=at)


@transaction.atomic
def judge_sample(*, sample_id: int, passed: bool, verdict: str, photos: Mapping[str, int], by: str, at: datetime) -> None:
    """Passed or failed, and why. `photos`: state of its parcel checks → how many. Raises `Refused`.

    Passing needs photos of the parcel that prove it clean: at least one clean, none a breach, none still to be read.
    """
    if passed and (sentence := why_not_pass(photos)):
        raise Refused(sentence, code="parcel_not_clean")
    if not verdict.strip():
        raise Refused(_("Write down what you saw: goods, packing, how long it took."), code="no_reason", field="verdict")
    _moved(sample_id, "passed" if passed else "failed", by=by, at=at, stamp="judged_at")
    Sample.objects.filter(pk=sample_id).update(verdict=verdict.strip()[:500])


@transaction.atomic
def cancel_sample(*, sample_id: int, refunded: bool, reason: str, by: str, at: datetime) -> None:
    """It does not come. `refunded`: the money came back, its entry is reversed. Raises `Refused`."""
    sample = _moved(sample_id, "cancelled", by=by, at=at, reason=reason)
    Sample.objects.filter(pk=sample_id).update(verdict=reason.strip()[:500])
    if refunded and sample.cost:
        for (entry,) in bulk.fetch(
            """SELECT e.id FROM books_entry e JOIN books_expense x ON x.id = e.fact_id AND e.fact = 'expense'
               WHERE x.key = %s AND NOT EXISTS (SELECT FROM books_entry r WHERE r.reversal_of_id = e.id)""",
            (_key(sample_id),),
        ):
            books.reverse_entry(entry_id=entry, by=by, at=at, reason=_("sample cancelled, money back"))


def _moved(sample_id: int, to: str, *, by: str, at: datetime, reason: str = "", stamp: str = "") -> Sample:
    sample = Sample.objects.select_related("supplier").filter(pk=sample_id).first()
    if sample is None or not move(SAMPLE, [sample_id], to=to, by=by, at=at, reason=reason, set_at=stamp or f"{to}_at").moved:
        raise Refused(_("This sample cannot go there any more; look at it again."), code="no_change")
    return sample


def _key(sample_id: int) -> str:
    return f"sample:{sample_id}"


# --- Decisions and words ------------------------------------------------------------------------------------------


def number_of(sample_id: int) -> str:
    """As it is named in letters and in the books."""
    return f"SMP-{sample_id}"


def why_not_pass(photos: Mapping[str, int]) -> str:
    """Why the parcel of a sample is not proved clean; "" = it is. `photos`: state of its checks → how many."""
    if photos.get("breach"):
        return _("A photo of the parcel shows a breach: this sample has failed. If the photo was read wrongly, judge it yourself first.")
    if photos.get("received"):
        return _("Its photos are still being read; wait for them, or judge them yourself.")
    if photos.get("unreadable"):
        return _("A photo of the parcel could not be read: look at it and judge it yourself.")
    if not photos.get("clean"):
        return _("Add photos of the parcel first: the label outside and everything that lay in it. They prove that it is clean.")
    return ""


def letter(sample: Sample, language: str) -> tuple[str, str]:
    """(subject, text) of the order to the supplier, to be copied or mailed. Zh-Hans or English."""
    with translation.override(language):
        goods = " · ".join(part for part in (sample.supplier_sku, sample.title) if part)
        number = number_of(sample.pk)
        lines = [
            _("Hello %(name)s,") % {"name": sample.supplier.name},
            _("we would like to order a sample (%(number)s):") % {"number": number},
            f"{goods} × {sample.quantity}",
            *([sample.note] if sample.note else []),
            _("Please send it to: %(address)s") % {"address": sample.send_to},
            _("Pack it just as you would for one of our buyers: neutral packing, no other platform's label, no cards or leaflets, "
              "nothing that names you or another shop."),
            _("Please tell us the price with freight, and the carrier and waybill number once it has left."),
        ]  # fmt: skip
        return _("Sample order %(number)s") % {"number": number}, "\n\n".join(lines)


# --- Reads --------------------------------------------------------------------------------------------------------


def sample_page(
    scope: Sequence[int], *, supplier_id: int | None = None, state: str | None = None, cursor: Cursor | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """At most `limit` samples of these stores, newest first, with `supplier_name` and `sku` (ours)."""
    found = Sample.objects.filter(store_id__in=list(scope))
    if supplier_id is not None:
        found = found.filter(supplier_id=supplier_id)
    if state:
        found = found.filter(state=state)
    return list((cursor or Cursor(NEWEST)).slice(found.annotate(supplier_name=F("supplier__name"), sku=F("variant__sku")).values(), limit))


def sample_with_id(scope: Sequence[int], sample_id: int) -> Sample | None:
    return Sample.objects.select_related("supplier", "variant").filter(pk=sample_id, store_id__in=list(scope)).first()
