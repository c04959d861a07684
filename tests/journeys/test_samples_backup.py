"""Samples in a backup: their rows, their photos' files, their cost in the books, and what may still be done with them."""

from decimal import Decimal

import pytest

from daifa.domain.shipping import checks
from daifa.domain.shipping.checks import judge_photos
from daifa.domain.shipping.models import ParcelCheck
from daifa.domain.sourcing import samples
from daifa.domain.sourcing.models import Sample
from daifa.flows import order_samples
from daifa.flows.audit import audit
from daifa.flows.backup import restore_backup, write_backup
from daifa.lib import keeping
from tests import cast, photos
from tests.journeys.test_backup import as_it_was, contents, emptied, home  # noqa: F401  the fixture

pytestmark = pytest.mark.django_db(transaction=True)
AT, HOME = cast.MORNING, "Wang Li, 1 Own Road, Leeds LS1 4AP"


def test_a_sample_comes_back_with_its_photo_and_goes_on(home, tmp_path):  # noqa: F811
    shop = cast.open_shop()
    wanted = samples.NewSample(shop.store.pk, shop.system.pk, HOME, offer=shop.system.offers.get().pk)
    sample = order_samples.want_sample(wanted, by=cast.BY, at=AT)
    waiting = order_samples.want_sample(wanted, by=cast.BY, at=AT)
    order_samples.order_sample(sample_id=sample, cost=Decimal("14.50"), by=cast.BY, at=AT)
    samples.receive_sample(sample_id=sample, by=cast.BY, at=AT)
    [check], refused = order_samples.add_sample_photos(sample, [("box.png", photos.photo("Thank you"))], by=cast.BY, at=AT)
    assert refused == []
    judge_photos({check: ["Thank you for your order"]}, by=cast.BY, at=AT)
    picture = keeping.path_of(checks.PHOTO_FOLDER, ParcelCheck.objects.get(pk=check).sha256)
    content = picture.read_bytes()

    before = contents()
    write_backup(tmp_path / "shop.daifa", by=cast.BY, at=AT)
    emptied()
    picture.unlink()
    assert not Sample.objects.exists()
    restore_backup(tmp_path / "shop.daifa", by=cast.BY, at=AT)
    as_it_was(before, but=("stores_task", "stores_store", "privacy_backuptaken"))
    assert picture.read_bytes() == content
    assert order_samples.photos_of(sample) == {"clean": 1}
    order_samples.judge_sample(sample_id=sample, passed=True, verdict="as described", by=cast.BY, at=AT)
    order_samples.order_sample(sample_id=waiting, cost=None, by=cast.BY, at=AT)
    assert set(Sample.objects.values_list("pk", "state")) == {(sample, "passed"), (waiting, "ordered")}
    assert order_samples.want_sample(wanted, by=cast.BY, at=AT) > waiting, "ids go on after the last"
    assert audit() == []
