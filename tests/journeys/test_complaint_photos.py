"""A complaint's photo is read like every parcel photo; what it shows comes back to the complaint."""

from io import BytesIO

import pytest

from daifa.domain.cases import commands as cases
from daifa.domain.cases.models import Complaint
from daifa.domain.orders.models import Order
from daifa.domain.shipping import checks
from daifa.domain.shipping.models import ParcelCheck
from daifa.flows.audit import audit
from daifa.flows.check_complaints import note_checked
from daifa.flows.react import react
from daifa.flows.work import work_until_idle
from tests import cast
from tests.photos import photo as card

pytestmark = pytest.mark.django_db


def photo(colour: str, kind: str = "PNG") -> bytes:
    from PIL import Image

    out = BytesIO()
    Image.new("RGB", (80, 60), colour).save(out, kind)
    return out.getvalue()


@pytest.fixture
def complaint(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    shop = cast.open_shop()
    cast.receive_orders(shop, ["77001"])
    [found] = cases.open_complaints(
        [cases.NewComplaint("foreign_card", "A card of another shop.", cast.MORNING, "C-1", "77001")], store=shop.store, source=cast.BY,
        by=cast.BY, at=cast.MORNING,
    ).added  # fmt: skip
    return shop, found


def attach(shop, complaint, *photos):
    cases.attach_files(list(photos), store_id=shop.store.pk, thing_kind="complaint", thing=complaint, by=cast.BY, at=cast.MORNING)
    while react(at=cast.MORNING):
        pass


def test_one_breach_is_a_breach(complaint):
    shop, pk = complaint
    attach(shop, pk, ("card.png", photo("red")), ("box.png", photo("blue")), ("moving.gif", photo("green", "GIF")))
    first, second = ParcelCheck.objects.order_by("pk")
    assert {first.about, second.about} == {"complaint"} and first.order_id == Order.objects.get().pk
    assert note_checked(at=cast.MORNING) == []
    checks.judge_photos({first.pk: ["拼多多", "好评返现 5 元"]}, by=cast.BY, at=cast.MORNING)
    assert note_checked(at=cast.MORNING) == [pk]
    found = Complaint.objects.get()
    assert found.finding == "breach" and found.found["checks"] == [first.pk, second.pk]
    assert note_checked(at=cast.MORNING) == [], "what was noted once is left to people"
    work_until_idle(at=cast.MORNING)
    assert ParcelCheck.objects.count() == 2 and audit() == []


def test_clean_only_when_every_photo_is(complaint):
    shop, pk = complaint
    attach(shop, pk, ("card.png", photo("red")), ("box.png", photo("blue")))
    first, second = ParcelCheck.objects.order_by("pk")
    for check in (first, second):
        assert note_checked(at=cast.MORNING) == []
        checks.judge_photos({check.pk: ["谢谢惠顾"]}, by=cast.BY, at=cast.MORNING)
    assert note_checked(at=cast.MORNING) == [pk] and Complaint.objects.get().finding == "clean"


def test_what_is_due_includes_the_photos_that_wait(complaint):
    """`daifa work` reads them as the live worker does, and the complaint knows what they showed."""
    pytest.importorskip("rapidocr", reason="the extra “ocr” is not installed: no photo can be read here")
    shop, pk = complaint
    attach(shop, pk, ("card.png", card("感谢您在拼多多购买本店商品")))
    assert work_until_idle(at=cast.MORNING)["photos"] == 1
    assert ParcelCheck.objects.get().state == "breach" and Complaint.objects.get().finding == "breach"
    assert "photos" not in work_until_idle(at=cast.MORNING)
