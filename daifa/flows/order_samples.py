"""Sample orders across subjects: photos of their parcels are checked, and the plans that wait for one go on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from daifa.domain.compliance import risk_commands
from daifa.domain.shipping.checks import NewPhoto
from daifa.domain.sourcing import samples
from daifa.domain.sourcing.models import Sample
from daifa.flows.check_parcels import add_photos
from daifa.flows.switch_suppliers import finish_switches
from daifa.lib import bulk
from daifa.lib.refusal import Refused


@transaction.atomic
def want_sample(wish: samples.NewSample, *, by: str, at: datetime) -> int:
    """`samples.want_samples` for one; raises `Refused`."""
    ids, refused = samples.want_samples([wish], by=by, at=at)
    if refused:
        raise Refused(refused[wish], code="sample_refused")
    return ids[0]


@transaction.atomic
def order_sample(*, sample_id: int, cost: Decimal | None, currency: str = "", by: str, at: datetime) -> None:
    """`samples.order_sample`; the plan's step "order a sample" is under way."""
    samples.order_sample(sample_id=sample_id, cost=cost, currency=currency, by=by, at=at)
    sample = Sample.objects.get(pk=sample_id)
    risk_commands.move_sample_steps(sample.store_id, sample.supplier_id, to="doing", by=by, at=at)


@transaction.atomic
def judge_sample(*, sample_id: int, passed: bool, verdict: str, by: str, at: datetime) -> None:
    """`samples.judge_sample` with what its photos showed; a sample that passed finishes the plan's step."""
    samples.judge_sample(sample_id=sample_id, passed=passed, verdict=verdict, photos=photos_of(sample_id), by=by, at=at)
    if passed:
        sample = Sample.objects.get(pk=sample_id)
        risk_commands.move_sample_steps(sample.store_id, sample.supplier_id, to="done", by=by, at=at)
        finish_switches(stores=[sample.store_id], by=by, at=at)


def photos_of(sample_id: int) -> dict[str, int]:
    """State of the parcel checks of a sample → how many."""
    return dict(
        bulk.fetch("SELECT state, count(*) FROM shipping_parcelcheck WHERE sample_id = %s GROUP BY 1", (sample_id,))
    )


def add_sample_photos(
    sample_id: int, files: Sequence[tuple[str, bytes]], *, by: str, at: datetime
) -> tuple[list[int], list[str]]:
    """Photos (name, bytes) of a sample's parcel: (the checks, a sentence for each photo refused)."""
    sample = Sample.objects.filter(pk=sample_id).first()
    if sample is None:
        return [], []
    return add_photos(
        [
            NewPhoto(sample.store_id, None, sample.supplier_id, "sample", name, content, samples.number_of(sample_id), sample_id)
            for name, content in files
        ],
        by=by, at=at,
    )  # fmt: skip
