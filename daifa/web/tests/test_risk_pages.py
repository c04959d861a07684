"""The pages of parcel checks, of signs of selling without a source, and of the plans."""

from datetime import timedelta
from decimal import Decimal
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from daifa.domain.compliance.models import AffiliateLink, PlanStep, Risk
from daifa.domain.people.models import User
from daifa.domain.shipping.models import ParcelCheck, PlatformWaybill
from daifa.domain.stores.models import StoreAccess, Task
from daifa.flows import check_parcels, find_risks
from daifa.lib import clock
from tests import shipped_orders

pytestmark = pytest.mark.django_db


def picture() -> bytes:
    out = BytesIO()
    Image.new("RGB", (60, 40), "white").save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def shop(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    return shipped_orders.store(kind="marketplace", channel="xiaohongshu")


@pytest.fixture
def signed_in(client, shop):
    def enter(role: str):
        user = User.objects.create_user(f"{role}-person", password="x", language="en")
        StoreAccess.objects.create(user=user, store=shop, role=role)
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return enter


def body(response) -> str:
    return response.content.decode()


def test_a_photo_is_put_in_judged_by_eye_and_seen_by_those_who_may(signed_in, shop, client):
    operator = signed_in("operator")
    order = shipped_orders.order(shop)
    form = {"store": shop.pk, "order": order.number, "about": "complaint", "note": ""}
    wrong = operator.post(reverse("web:parcel_check_add"), {**form, "order": "NOBODY", "photo": SimpleUploadedFile("a.png", picture())})
    assert wrong.status_code == 422 and "There is no order NOBODY" in body(wrong)
    wrong = operator.post(reverse("web:parcel_check_add"), {**form, "photo": SimpleUploadedFile("a.png", b"<svg/>")})
    assert wrong.status_code == 422 and "no photo that can be read" in body(wrong)
    operator.post(reverse("web:parcel_check_add"), {**form, "photo": SimpleUploadedFile("a.png", picture())})
    check = ParcelCheck.objects.get()
    assert check.order_id == order.pk
    page = body(operator.get(reverse("web:parcel_check", args=[check.pk])))
    assert reverse("web:parcel_check_photo", args=[check.pk]) in page
    assert operator.get(reverse("web:parcel_check_photo", args=[check.pk])).status_code == 200
    operator.post(reverse("web:parcel_check_judge", args=[check.pk]), {"state": "breach", "reason": "a card of another shop"})
    check.refresh_from_db()
    assert (check.state, check.reason) == ("breach", "a card of another shop")
    assert Task.objects.get(kind="parcel_breach").thing == check.pk
    assert "a card of another shop" in body(operator.get(reverse("web:parcel_check", args=[check.pk])))
    viewer = signed_in("viewer")
    assert reverse("web:parcel_check_photo", args=[check.pk]) not in body(viewer.get(reverse("web:parcel_check", args=[check.pk])))
    assert viewer.get(reverse("web:parcel_check_photo", args=[check.pk])).status_code == 403


def test_a_sign_its_plan_and_its_end(signed_in, shop):
    operator = signed_in("operator")
    order = shipped_orders.order(shop, placed_at=clock.now() - timedelta(days=2))
    operator.post(
        reverse("web:parcel_check_add"),
        {"store": shop.pk, "order": order.number, "about": "complaint", "photo": SimpleUploadedFile("a.png", picture())},
    )
    check = ParcelCheck.objects.get()
    check_parcels.judge_by_hand(check_id=check.pk, state="breach", reason="seen", by="user:1", at=clock.now())
    operator.post(reverse("web:risks_count"))
    risk = Risk.objects.get()
    assert (risk.kind, risk.level, risk.count) == ("foreign_trace", "warn", 1)
    assert "Another platform" in body(operator.get(reverse("web:risks")))
    page = body(operator.get(reverse("web:risk", args=[risk.pk])))
    assert order.number in page and reverse("web:parcel_check", args=[check.pk]) in page
    assert operator.post(reverse("web:risk_settle", args=[risk.pk]), {"state": "explained", "note": ""}).status_code == 422
    operator.post(reverse("web:risk_plan", args=[risk.pk]))
    risk.refresh_from_db()
    assert risk.state == "acted" and not Task.objects.filter(kind="no_source_risk", closed_at=None).exists()
    step = PlanStep.objects.get(kind="sample_order")
    assert "Order a sample" in body(operator.get(reverse("web:no_source_plan")))
    operator.post(reverse("web:plan_step", args=[step.pk]), {"state": "doing", "note": "ordered on Monday"})
    step.refresh_from_db()
    assert (step.state, step.note) == ("doing", "ordered on Monday")
    find_risks.find_risks(at=clock.now() + timedelta(days=91))
    risk.refresh_from_db()
    assert risk.state == "gone"


def test_issued_waybills_are_read_from_a_file(signed_in, shop):
    operator = signed_in("operator")
    order = shipped_orders.order(shop)
    url = reverse("web:platform_waybills")
    mixed = f"订单号,运单号\n{order.number},YT8812345678901\nNOBODY,YT8812345678902\n".encode()
    told = operator.post(url, {"store": shop.pk, "file": SimpleUploadedFile("w.csv", mixed)})
    assert told.status_code == 422 and "1 numbers were recorded, 1 rows were not. Row 3" in body(told)
    assert PlatformWaybill.objects.get().order_id == order.pk
    assert operator.post(url, {"store": shop.pk, "file": SimpleUploadedFile("w.csv", b"one\n1\n")}).status_code == 422


def test_the_way_over_commission_links(signed_in, shop):
    operator = signed_in("operator")
    operator.post(reverse("web:plan_affiliate"))
    assert PlanStep.objects.filter(situation="no_orders").count() == 4
    operator.post(reverse("web:affiliate_check"), {"store": shop.pk, "followers": 640, "is_adult": "on", "is_clean": "on"})
    assert "at least 1000 followers" in body(operator.get(reverse("web:no_source_plan")))
    link = {"store": shop.pk, "name": "Mug", "url": "https://example.com/a", "percent": "12"}
    operator.post(reverse("web:affiliate_link_add"), link)
    assert operator.post(reverse("web:affiliate_link_add"), link).status_code == 422, "the same link twice"
    one = AffiliateLink.objects.get()
    operator.post(
        reverse("web:affiliate_link", args=[one.pk]),
        {"post": "https://example.com/p", "title": "My mug", "day": "2026-03-02", "orders": "3", "amount": "4.50"},
    )
    operator.post(reverse("web:affiliate_link", args=[one.pk]), {"day": "2026-03-02", "orders": "4", "amount": "6.00"})
    assert one.posts.count() == 1 and one.earnings.get().amount == Decimal("6.00"), "told again it replaces"
    assert "My mug" in body(operator.get(reverse("web:affiliate_link", args=[one.pk])))
    assert "6.00" in body(operator.get(reverse("web:no_source_plan")))


def test_nothing_is_said_to_be_recorded_that_was_not(signed_in, shop):
    operator = signed_in("operator")
    operator.post(reverse("web:affiliate_link_add"), {"store": shop.pk, "name": "Mug", "url": "https://example.com/a"})
    where = reverse("web:affiliate_link", args=[AffiliateLink.objects.get().pk])
    for form, sentence in (
        ({}, "Enter a post, or the commission of a day"),
        ({"orders": "3"}, "Enter the commission of that day, too"),
        ({"title": "My mug"}, "Give the address of the post, too"),
    ):
        told = operator.post(where, {"day": "2026-03-02", **form})
        assert told.status_code == 422 and sentence in body(told)
    assert operator.post(where, {"day": "2026-03-02", "amount": "0"}).status_code == 302


def test_a_record_is_clean_only_where_daifa_knows_of_no_violation(signed_in, shop):
    from daifa.domain.cases.commands import NewViolation, add_violations

    operator = signed_in("operator")
    operator.post(reverse("web:affiliate_check"), {"store": shop.pk, "followers": 5000, "is_adult": "on", "is_clean": "on"})
    assert "may apply" in body(operator.get(reverse("web:no_source_plan")))
    at = clock.now()
    add_violations([NewViolation("V-1", at, "other", "", "", Decimal(2))], store=shop, source="user:1", by="user:1", at=at)
    page = body(operator.get(reverse("web:no_source_plan")))
    assert "may apply" not in page and "1 violation is recorded here" in page
    told = operator.post(reverse("web:affiliate_check"), {"store": shop.pk, "followers": 5000, "is_adult": "on", "is_clean": "on"})
    assert told.status_code == 422 and "its record is not clean" in body(told)


def test_a_step_that_a_person_ends_says_why(signed_in, shop):
    operator = signed_in("operator")
    operator.post(reverse("web:plan_affiliate"))
    step = PlanStep.objects.get(kind="posts")
    told = operator.post(reverse("web:plan_step", args=[step.pk]), {"state": "done", "note": " "})
    assert told.status_code == 422 and "Say in the note what shows that it is done" in body(told)
    assert operator.post(reverse("web:plan_step", args=[step.pk]), {"state": "done", "note": "posted in another app"}).status_code == 302


def test_a_photo_that_is_cut_off_is_refused_at_the_door(signed_in, shop):
    whole = BytesIO()
    Image.effect_noise((200, 200), 80).save(whole, "PNG")
    form = {"store": shop.pk, "about": "complaint", "photo": SimpleUploadedFile("half.png", whole.getvalue()[:9000])}
    told = signed_in("operator").post(reverse("web:parcel_check_add"), form)
    assert told.status_code == 422 and "half.png: The photo is damaged" in body(told)
    assert not ParcelCheck.objects.exists()


def test_what_the_reader_says_is_said_in_the_language_of_each_person(signed_in, shop):
    operator = signed_in("operator")
    operator.post(reverse("web:parcel_check_add"), {"store": shop.pk, "about": "complaint", "photo": SimpleUploadedFile("a.png", picture())})
    check = ParcelCheck.objects.get()
    check_parcels.keeping.path_of("photos", check.sha256).unlink()
    check_parcels.read_photos(at=clock.now())
    where = reverse("web:parcel_check", args=[check.pk])
    english = body(operator.get(where))
    if "is not there any more" in english:  # the reader is installed here
        assert "Nothing that should not be there" not in english
        operator.cookies["django_language"] = "zh-hans"
        assert "is not there any more" not in body(operator.get(where))


def test_a_step_names_the_supplier_it_is_about_and_is_planned_once(signed_in, shop):
    from daifa.domain.sourcing.commands import add_supplier

    operator = signed_in("operator")
    supplier = add_supplier(code="kiln", name="Kiln", currency="CNY", by="user:1", at=clock.now())
    form = {"store": shop.pk, "kind": "negotiate", "supplier": supplier.pk, "note": ""}
    assert operator.post(reverse("web:plan_step_add"), form).status_code == 302
    step = PlanStep.objects.get(kind="negotiate")
    assert step.supplier_id == supplier.pk
    assert reverse("web:supplier_agreement", args=[supplier.pk]) in body(operator.get(reverse("web:plan_step", args=[step.pk])))
    again = operator.post(reverse("web:plan_step_add"), form)
    assert again.status_code == 422 and "planned already" in body(again)
    operator.post(reverse("web:plan_step", args=[step.pk]), {"state": "dropped", "note": "he wants his cards in"})
    assert PlanStep.objects.get(kind="substitute").supplier_id == supplier.pk
