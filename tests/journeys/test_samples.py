"""A sample ordered to our own address: from the wish to the verdict, its cost in the books, its parcel checked, the plan's step done."""

from datetime import timedelta
from decimal import Decimal

import pytest

from daifa.domain.books.queries import trial_balance
from daifa.domain.compliance import risk_commands
from daifa.domain.compliance.models import PlanStep, Risk
from daifa.domain.history.models import Batch
from daifa.domain.shipping.checks import judge_photos
from daifa.domain.shipping.models import ParcelCheck
from daifa.domain.sourcing import samples
from daifa.domain.sourcing.commands import add_supplier
from daifa.domain.sourcing.models import Sample
from daifa.flows import find_risks, order_samples
from daifa.flows.audit import audit
from daifa.lib.refusal import Refused
from tests import cast, photos

pytestmark = pytest.mark.django_db
AT, HOME = cast.MORNING, "Wang Li, 1 Own Road, Leeds LS1 4AP, 0113 496 0000"


@pytest.fixture
def shop(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    return cast.open_shop()


def want(shop, **facts):
    offer = shop.system.offers.get()
    given = {"store": shop.store.pk, "supplier": shop.system.pk, "send_to": HOME, "offer": offer.pk, "title": "Desk lamp"} | facts
    return order_samples.want_sample(samples.NewSample(**given), by=cast.BY, at=AT)


def spent(shop):
    return {row.code: row.amount for row in trial_balance([shop.store.pk]).rows if row.code in ("6400", "1000")}


def a_photo(sample, text, *, lines=()):
    (check,), refused = order_samples.add_sample_photos(sample, [("box.png", photos.photo(text))], by=cast.BY, at=AT)
    assert refused == []
    judge_photos({check: list(lines)}, by=cast.BY, at=AT)
    return check


def test_from_the_wish_to_the_verdict(shop):
    [step] = risk_commands.plan_steps(store_id=shop.store.pk, steps=[risk_commands.Step("sample_order")], by=cast.BY, at=AT)
    sample = want(shop)
    subject, text = samples.letter(samples.sample_with_id([shop.store.pk], sample), "en")
    assert samples.number_of(sample) in subject
    assert HOME in text and "no cards or leaflets" in text and "gifts-system-LAMP" in text
    assert "不放任何卡片" in samples.letter(samples.sample_with_id([shop.store.pk], sample), "zh-hans")[1]

    order_samples.order_sample(sample_id=sample, cost=Decimal("14.50"), by=cast.BY, at=AT)
    assert spent(shop) == {"6400": Decimal("14.50"), "1000": Decimal("-14.50")}
    assert PlanStep.objects.get(pk=step).state == "doing"
    samples.ship_sample(sample_id=sample, number="rm 0000 7GB", carrier="Royal Mail", by=cast.BY, at=AT + timedelta(days=1))
    samples.receive_sample(sample_id=sample, by=cast.BY, at=AT + timedelta(days=3))
    row = Sample.objects.get(pk=sample)
    assert (row.number, row.state, row.received_at) == ("RM00007GB", "received", AT + timedelta(days=3))

    with pytest.raises(Refused, match="Add photos of the parcel first"):
        order_samples.judge_sample(sample_id=sample, passed=True, verdict="fine", by=cast.BY, at=AT)
    check = a_photo(sample, "Thank you", lines=["RM00007GB", "Thank you for your order"])
    assert ParcelCheck.objects.get(pk=check).supplier_id == shop.system.pk
    order_samples.judge_sample(sample_id=sample, passed=True, verdict="as described, two days", by=cast.BY, at=AT + timedelta(days=3))
    assert Sample.objects.get(pk=sample).state == "passed"
    assert PlanStep.objects.get(pk=step).state == "done"
    assert audit() == []


def test_a_number_may_come_after_the_sample_left(shop):
    sample = want(shop)
    with pytest.raises(Refused, match="on its way or here"):
        samples.number_sample(sample_id=sample, number="SF1234567890123", by=cast.BY, at=AT)
    order_samples.order_sample(sample_id=sample, cost=None, by=cast.BY, at=AT)
    samples.ship_sample(sample_id=sample, number="", carrier="SF", by=cast.BY, at=AT)
    for number, refused in ((" ", "Write down"), ("12", "no waybill number")):
        with pytest.raises(Refused, match=refused):
            samples.number_sample(sample_id=sample, number=number, by=cast.BY, at=AT)
    samples.number_sample(sample_id=sample, number="sf 1234567890123", by=cast.BY, at=AT)
    row = Sample.objects.get(pk=sample)
    assert (row.number, row.carrier, row.state, row.shipped_at) == ("SF1234567890123", "SF", "shipped", AT)
    samples.receive_sample(sample_id=sample, by=cast.BY, at=AT)
    samples.number_sample(sample_id=sample, number="SF1234567890124", carrier="SF Express", by=cast.BY, at=AT)
    a_photo(sample, "box", lines=["SF1234567890124"])
    order_samples.judge_sample(sample_id=sample, passed=True, verdict="fine", by=cast.BY, at=AT)
    with pytest.raises(Refused, match="not judged yet"):
        samples.number_sample(sample_id=sample, number="SF1234567890125", by=cast.BY, at=AT)
    assert Sample.objects.get(pk=sample).number == "SF1234567890124"
    assert Batch.objects.filter(reason__contains="SF1234567890123 → SF1234567890124", by=cast.BY).exists()


def test_a_breach_on_its_parcel_fails_it(shop):
    sample = want(shop)
    order_samples.order_sample(sample_id=sample, cost=None, by=cast.BY, at=AT)
    assert spent(shop) == {}, "a free sample costs nothing"
    samples.receive_sample(sample_id=sample, by=cast.BY, at=AT)
    a_photo(sample, "clean", lines=["Thank you for your order"])
    a_photo(sample, "card", lines=["感谢您在拼多多购买本店商品"])
    with pytest.raises(Refused, match="shows a breach"):
        order_samples.judge_sample(sample_id=sample, passed=True, verdict="fine", by=cast.BY, at=AT)
    order_samples.judge_sample(sample_id=sample, passed=False, verdict="a card of another shop", by=cast.BY, at=AT)
    assert Sample.objects.get(pk=sample).verdict == "a card of another shop"
    find_risks.find_risks(at=AT)
    assert not Risk.objects.exists(), "it reached no buyer: no sign by which a platform takes the store"


def test_another_number_on_its_parcel_is_a_breach(shop):
    sample = want(shop)
    order_samples.order_sample(sample_id=sample, cost=None, by=cast.BY, at=AT)
    samples.ship_sample(sample_id=sample, number="YT8812345678901", by=cast.BY, at=AT)
    check = a_photo(sample, "label", lines=["圆通速递 YT8899999999999"])
    assert ParcelCheck.objects.get(pk=check).state == "breach"


def test_a_cancelled_sample_gives_its_money_back(shop):
    sample = want(shop)
    order_samples.order_sample(sample_id=sample, cost=Decimal("14.50"), by=cast.BY, at=AT)
    samples.cancel_sample(sample_id=sample, refunded=True, reason="out of stock", by=cast.BY, at=AT + timedelta(days=1))
    assert not any(spent(shop).values())
    with pytest.raises(Refused, match="cannot go there"):
        order_samples.order_sample(sample_id=sample, cost=Decimal(3), by=cast.BY, at=AT)
    assert audit() == []


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"send_to": " "}, "your own address"),
        ({"offer": None, "title": ""}, "Say what the sample is"),
        ({"quantity": 0}, "1 to 1000"),
        ({"supplier": 0, "offer": None}, "no such supplier"),
        ({"offer": "factory"}, "not one of System"),
        ({"supplier": "retail", "offer": None}, "consumer platform"),
    ],
)
def test_what_is_refused_says_why(shop, facts, words):
    retail = add_supplier(code="retail", name="Retail", currency="CNY", source="consumer_platform", by=cast.BY, at=AT)
    known = {"factory": shop.factory.offers.get().pk, "retail": retail.pk}
    with pytest.raises(Refused, match=words):
        want(shop, **{name: known.get(value, value) for name, value in facts.items()})
    assert not Sample.objects.exists()


def test_a_cost_nobody_can_convert_is_refused_and_nothing_moves(shop):
    sample = want(shop)
    with pytest.raises(Refused, match="no currency"):
        order_samples.order_sample(sample_id=sample, cost=Decimal(3), currency="XYZ1", by=cast.BY, at=AT)
    assert Sample.objects.get(pk=sample).state == "wanted"
