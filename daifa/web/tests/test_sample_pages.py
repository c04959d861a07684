"""Samples through the pages: noted, ordered, here, with a photo, judged; and what a person may not do."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from daifa.domain.shipping.checks import judge_photos
from daifa.domain.shipping.models import ParcelCheck
from daifa.domain.sourcing.models import Sample
from tests import cast, photos

from .test_supply_pages import NOW, loop  # noqa: F401

pytestmark = pytest.mark.django_db


def test_a_sample_from_the_offer_to_the_verdict(loop, as_, settings, tmp_path):  # noqa: F811
    settings.MEDIA_ROOT = tmp_path / "files"
    client, offer = as_(loop.people["operator"]), loop.shop.system.offers.get()
    url = reverse("web:sample_add_offer", args=[offer.pk])
    assert offer.supplier_sku in client.get(url).content.decode(), "what is known is filled in"
    given = {
        "store": loop.store.pk, "supplier": offer.supplier_id, "supplier_sku": offer.supplier_sku, "quantity": 2, "send_to": "1 Own Road, Leeds",
    }  # fmt: skip
    assert client.post(url, {**given, "send_to": " "}).status_code == 422
    assert client.post(url, {**given, "store": loop.other.pk}).status_code == 422, "not his store"
    client.post(url, given)
    sample = Sample.objects.get()
    assert (sample.offer_id, sample.variant.sku, sample.quantity) == (offer.pk, cast.FROM_SYSTEM, 2)
    page = reverse("web:sample", args=[sample.pk])
    text = client.get(page).content.decode()
    assert "1 Own Road, Leeds" in text and "不放任何卡片" in text, "in his language"

    def take(step, **data):
        return client.post(reverse("web:sample_step", args=[sample.pk, step]), data, follow=True).content.decode()

    take("ordered", cost="9.90", currency="GBP")
    take("shipped", carrier="Royal Mail")
    assert "by now?" in client.get(page).content.decode(), "its number may come later"
    assert "This field is required" in take("number", number="")
    assert "by now?" not in take("number", number="RM1GB", carrier="Royal Mail")
    take("received")
    assert "Add photos of the parcel first" in take("judged", passed="yes", verdict="fine")
    client.post(reverse("web:sample_photos", args=[sample.pk]), {"photo": SimpleUploadedFile("box.png", photos.photo(), "image/png")})
    check = ParcelCheck.objects.get(sample=sample)
    assert "still being read" in take("judged", passed="yes", verdict="fine")
    judge_photos({check.pk: ["Thank you for your order"]}, by="user:1", at=NOW)
    take("judged", passed="yes", verdict="as described, neutral")
    sample.refresh_from_db()
    assert (sample.state, sample.verdict, sample.number) == ("passed", "as described, neutral", "RM1GB")
    assert "as described" in client.get(page).content.decode()
    assert page in client.get(reverse("web:supplier", args=[offer.supplier_id])).content.decode()
    assert page in client.get(reverse("web:samples")).content.decode()
    assert "cannot go there any more" in take("cancelled", reason="too late")
    assert client.post(reverse("web:sample_step", args=[sample.pk, "eaten"])).status_code == 404


def test_a_viewer_reads_and_orders_nothing(loop, as_):  # noqa: F811
    viewer = as_(loop.people["viewer"])
    sample = Sample.objects.create(
        store=loop.store, supplier=loop.shop.factory, state="wanted", title="Mug", send_to="1 Own Road", currency="CNY", by="x", at=NOW
    )
    assert viewer.get(reverse("web:sample", args=[sample.pk])).status_code == 200
    assert viewer.post(reverse("web:sample_step", args=[sample.pk, "ordered"]), {"currency": "CNY"}).status_code == 403
    sample.store = loop.other
    sample.save()
    assert viewer.get(reverse("web:sample", args=[sample.pk])).status_code == 404
