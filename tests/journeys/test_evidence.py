"""One click gathers what a case needs; what the case does not need stays out, and every file has its hash."""

import hashlib
import io
import json
import zipfile
from datetime import timedelta
from decimal import Decimal

import pytest

from daifa.domain.cases import commands as cases
from daifa.domain.cases import files, queries
from daifa.domain.orders.models import Order
from daifa.flows import gather_evidence as flow
from daifa.lib.refusal import Refused
from tests import cast

pytestmark = pytest.mark.django_db
SECRETS = ("Anna Wood", "1 High Street", "LS1 4AP", "anna77001@example.invalid", "13812345678")


def photo(*, where="GPS 53.8 N", kind="JPEG"):
    from PIL import Image

    picture = Image.effect_noise((80, 60), 60).convert("RGB")
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x8769] = 6, where, {}
    out = io.BytesIO()
    picture.save(out, kind, exif=exif)
    return out.getvalue()


@pytest.fixture
def shop():
    return cast.open_shop()


@pytest.fixture
def case(shop):
    at = cast.whole_loop(shop, ["77001", "77002"])
    violation = cases.add_violations(
        [cases.NewViolation(
            "V-9", at, "invalid_tracking", "Parcel of Anna Wood was never scanned", "xhs-rate-badtrack", Decimal(4), orders=("77001",),
        )],
        store=shop.store, source=cast.BY, by=cast.BY, at=at,
    ).added[0]  # fmt: skip
    complaint = cases.open_complaints(
        [cases.NewComplaint("foreign_card", "I am Anna Wood, ring me: 138 1234 5678. A card of another shop!", at, "C-9", "77001")],
        store=shop.store, source=cast.BY, by=cast.BY, at=at,
    ).added[0]  # fmt: skip
    cases.attach_files([("card.jpg", photo())], store_id=shop.store.pk, thing_kind="complaint", thing=complaint, by=cast.BY, at=at)
    appeal = cases.open_appeal(violation_id=violation, text="It was scanned on the second day.", by=cast.BY, at=at)
    cases.attach_files(
        [("receipt.pdf", b"%PDF-1.4 receipt\n%%EOF")], store_id=shop.store.pk, thing_kind="appeal", thing=appeal.pk, by=cast.BY, at=at
    )
    return violation, complaint, at


def made(**words):
    try:
        return flow.gather_evidence(by=cast.BY, **words)
    except Refused as refused:
        if refused.code in ("library_missing", "font_missing"):
            pytest.skip(refused.sentence)
        raise


def opened(pack):
    content = files.read(pack.sha256, "evidence")
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_pack_for_a_violation(shop, case, language):
    violation, _complaint, at = case
    done = made(store_id=shop.store.pk, case_kind="violation", case=violation, language=language, at=at + timedelta(hours=1))
    inside = opened(done.pack)
    names = set(inside)
    assert {"evidence.pdf", "index.json", "SHA256SUMS", "orders/77001/order.json", "orders/77001/timeline.csv",
            "orders/77001/messages.txt", "orders/77001/purchases.json", "rules/xhs-rate-badtrack.json", "case/receipt.pdf",
            "complaints/C-9/card.jpg"} <= names  # fmt: skip
    assert any(name.startswith("orders/77001/parcel-") for name in names)
    assert not any("77002" in name for name in names), "other orders of the store are no matter of the case"
    # Every file has its hash, in the list of sums and in the index.
    sums = dict(reversed(line.split("  ")) for line in inside["SHA256SUMS"].decode().splitlines())
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in inside.items() if name != "SHA256SUMS"}
    index = json.loads(inside["index.json"])
    assert {row["name"]: row["sha256"] for row in index["files"]} == {n: s for n, s in sums.items() if n != "index.json"}
    # Nobody is named who need not be.
    for name, content in inside.items():
        for secret in SECRETS:
            assert secret.encode() not in content, f"{name} shows {secret}"
        assert b"28.5" not in content or name.endswith((".pdf", ".jpg")), f"{name} shows what we pay"
    assert json.loads(inside["orders/77001/order.json"])["ship_to"]["name"] == "A•••"
    assert inside["evidence.pdf"].startswith(b"%PDF-")
    row = queries.pack([shop.store.pk], done.pack.pk)
    assert len(row.left_out) == 4 and row.left_out == index["left_out"] and not row.revealed
    assert any(ord(c) > 0x4E00 for c in "".join(row.left_out)) == (language == "zh-hans")
    assert row.sha256 == hashlib.sha256(files.read(row.sha256, "evidence")).hexdigest()


def test_what_cameras_write_is_taken_out_and_the_picture_stays(shop, case):
    from PIL import Image, ImageChops

    _violation, complaint, at = case
    original = photo()
    plain = flow.without_metadata(original, "image/jpeg")
    assert b"GPS 53.8" in original and b"GPS 53.8" not in plain
    before, after = (Image.open(io.BytesIO(content)) for content in (original, plain))
    assert ImageChops.difference(before.convert("RGB"), after.convert("RGB")).getbbox() is None
    assert after.getexif().get(0x0112) == 6, "it lies the same side up"
    for kind, media_type in (("PNG", "image/png"), ("WEBP", "image/webp")):
        marked = photo(kind=kind)
        plain = flow.without_metadata(marked, media_type)
        assert b"GPS 53.8" in marked and b"GPS 53.8" not in plain
        assert Image.open(io.BytesIO(plain)).size == (80, 60)
    assert flow.without_metadata(b"\xff\xd8\xff\xe1", "image/jpeg") == b"\xff\xd8\xff\xe1"
    done = made(store_id=shop.store.pk, case_kind="complaint", case=complaint, at=at)
    assert b"GPS 53.8" not in opened(done.pack)["complaints/C-9/card.jpg"]


def test_buyers_data_stand_in_it_only_with_a_reason(shop, case):
    violation, _complaint, at = case
    with pytest.raises(Refused, match="why this case needs"):
        flow.gather_evidence(store_id=shop.store.pk, case_kind="violation", case=violation, reveal=True, by=cast.BY, at=at)
    done = made(
        store_id=shop.store.pk, case_kind="violation", case=violation, reveal=True, reason="The platform asks who signed.", at=at
    )
    inside = opened(done.pack)
    assert b"Anna Wood" in inside["orders/77001/order.json"] and b"77002" not in inside["orders/77001/order.json"]
    assert done.pack.revealed and done.pack.reason and len(done.pack.left_out) == 3


def test_what_is_missing_is_told_to_the_merchant_and_not_to_the_platform(shop):
    cast.receive_orders(shop, ["77003"])
    order = Order.objects.get(number="77003")
    done = made(store_id=shop.store.pk, order_ids=[order.pk], at=cast.MORNING)
    assert any("no parcel" in gap for gap in done.gaps) and any("no purchase" in gap for gap in done.gaps)
    assert not any(gap in " ".join(done.pack.left_out) for gap in done.gaps)


def test_an_infringement_needs_no_order(shop):
    case = cases.open_infringement(
        cases.NewInfringement("I-1", cast.MORNING, "trademark", "Holder", claim="Our mark."), store=shop.store, source=cast.BY,
        by=cast.BY, at=cast.MORNING,
    )  # fmt: skip
    done = made(store_id=shop.store.pk, case_kind="infringement", case=case.pk, at=cast.MORNING)
    assert any("No right" in gap for gap in done.gaps)
    assert not any(name.startswith("rules/") for name in opened(done.pack)), "a law of China is no matter of a British store"
    shop.store.country = "CN"
    shop.store.save(update_fields=["country"])
    done = made(store_id=shop.store.pk, case_kind="infringement", case=case.pk, at=cast.MORNING)
    assert "rules/cn-ec-43.json" in opened(done.pack)


def test_refusals(shop, case):
    violation, _complaint, at = case
    order = Order.objects.get(number="77001")
    other = cast.add_store(code="other", name="Other", currency="GBP", by=cast.BY, at=at)
    for words, sentence in (
        ({"store_id": shop.store.pk}, "Say which orders"),
        ({"store_id": other.pk, "order_ids": [order.pk]}, "not of this store"),
        ({"store_id": other.pk, "case_kind": "violation", "case": violation}, "no such case"),
        ({"store_id": shop.store.pk, "case_kind": "nonsense", "case": 1}, "no such case"),
        ({"store_id": shop.store.pk, "order_ids": range(51)}, "at most 50"),
    ):
        with pytest.raises(Refused, match=sentence):
            flow.gather_evidence(by=cast.BY, at=at, **words)


def test_the_orders_timeline_tells_of_its_cases(shop, case):
    from daifa.flows.reads.timeline import timeline

    order = Order.objects.get(number="77001")
    told = {one.subject: one.sentence for one in timeline([shop.store.pk], order.pk) if one.subject in ("violation", "complaint")}
    assert told == {"violation": "Violation V-9: in force", "complaint": "Complaint C-9: open"}
