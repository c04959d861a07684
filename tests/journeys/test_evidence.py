"""One click gathers what a case needs; what the case does not need stays out, and every file has its hash."""

import hashlib
import io
import json
import zipfile
from datetime import timedelta
from decimal import Decimal

import pytest
from PIL import Image

from daifa.domain.aftersales.commands import open_case, refund_case
from daifa.domain.cases import commands as cases
from daifa.domain.cases import files, queries
from daifa.domain.cases.models import Appeal, PictureCover
from daifa.domain.orders.models import Order
from daifa.domain.shipping.checks import NewPhoto
from daifa.domain.sourcing.commands import add_documents, record_agreement
from daifa.domain.stores.commands import add_store
from daifa.domain.stores.models import Task
from daifa.flows import gather_evidence as flow
from daifa.flows.check_parcels import add_photos, judge_by_hand
from daifa.flows.gather_evidence import packs
from daifa.flows.gather_evidence import page as pdf_page
from daifa.flows.work import work_until_idle
from daifa.lib import bulk, ocr
from daifa.lib.refusal import Refused
from tests import cast, photos

pytestmark = pytest.mark.django_db
SECRETS = ("Anna Wood", "1 High Street", "LS1 4AP", "anna77001@example.invalid", "13812345678")


LABEL = ("感谢您在拼多多购买本店商品", "收件人 Anna Wood", "1 High Street Leeds LS1 4AP", "寄件人 Factory", "YT8812345678901")


def photo(*lines, where="GPS 53.8 N"):
    """A card or label as somebody would photograph it, with the place the camera wrote into it."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 1, where
    out = io.BytesIO()
    Image.open(io.BytesIO(photos.photo(*lines))).save(out, "JPEG", exif=exif, quality=92)
    return out.getvalue()


def lines_on(content):
    return ocr.read_lines(content)


@pytest.fixture
def shop(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
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
    cases.attach_files([("card.jpg", photo(*LABEL))], store_id=shop.store.pk, thing_kind="complaint", thing=complaint, by=cast.BY, at=at)
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
    happened = inside["orders/77001/timeline.csv"].decode("utf-8-sig")
    assert not any(code in happened for code in ("user:", "job:", "import:", "run 1")), "words for others, no codes of ours"
    # Nobody is named who need not be.
    for name, content in inside.items():
        for secret in SECRETS:
            assert secret.encode() not in content, f"{name} shows {secret}"
        assert b"28.5" not in content or name.endswith((".pdf", ".jpg")), f"{name} shows what we pay"
    assert json.loads(inside["orders/77001/order.json"])["ship_to"]["name"] == "A•••"
    assert inside["evidence.pdf"].startswith(b"%PDF-")
    row = queries.pack([shop.store.pk], done.pack.pk)
    assert len(row.left_out) == 7 and row.left_out == index["left_out"] and not row.revealed
    assert any(ord(c) > 0x4E00 for c in "".join(row.left_out)) == (language == "zh-hans")
    assert row.sha256 == hashlib.sha256(files.read(row.sha256, "evidence")).hexdigest()


def test_what_tells_who_the_buyer_is_is_covered_on_photos(shop, case):
    _violation, complaint, at = case
    original = photo(*LABEL)
    done = made(store_id=shop.store.pk, case_kind="complaint", case=complaint, at=at)
    inside = opened(done.pack)
    copy = inside["complaints/C-9/card.jpg"]
    assert b"GPS 53.8" in original and b"GPS 53.8" not in copy and b"GPS 53.8" not in inside["evidence.pdf"]
    told = " ".join(lines_on(copy))
    assert "拼多多" in told and "YT8812345678901" in told, "the evidence stays"
    assert "Anna" not in told and "High Street" not in told and "LS1" not in told
    index = {row["name"]: row for row in json.loads(inside["index.json"])["files"]}
    row = index["complaints/C-9/card.jpg"]
    assert row["sha256_as_received"] == hashlib.sha256(original).hexdigest() != row["sha256"] == hashlib.sha256(copy).hexdigest()
    assert "buyer's name" in row["covered"] and row["covered"] in row["what"]
    assert any("1 photo parts" in sentence for sentence in done.pack.left_out)
    cover = PictureCover.objects.get()
    assert (cover.state, cover.found["buyer"] >= 1, files.read(cover.sha256)) == ("read", True, original)
    # In Chinese nothing else is said, and nothing is read anew for the same buyers.
    again = made(store_id=shop.store.pk, case_kind="complaint", case=complaint, language="zh-hans", at=at + timedelta(days=1))
    assert opened(again.pack)["complaints/C-9/card.jpg"] == copy and PictureCover.objects.get().at == at


def test_only_what_serves_the_case_is_told(shop, case, monkeypatch):
    """The agreement that counted, not those it replaced; no other violation, no finding of our own against ourselves."""
    violation, complaint, at = case
    day = cast.MORNING.date()
    for store, entrusted, number in ((shop.store, None, 1), (shop.store, day, 2)):  # the first asks for the entrustment still
        record_agreement(
            supplier_id=shop.factory.pk, store_id=store.pk, valid_from=day, entrusted_on=entrusted, neutral_packing=number == 2, by=cast.BY, at=at
        )
    market = add_store(code="red2", name="Red", currency="CNY", kind="marketplace", channel="xiaohongshu", timezone="Asia/Shanghai", by=cast.BY, at=at)
    record_agreement(supplier_id=shop.factory.pk, store_id=market.pk, valid_from=day, entrusted_on=day, no_cards=True, by=cast.BY, at=at)
    cases.add_violations(
        [cases.NewViolation("V-OTHER", at, "late_dispatch", orders=("77001",))], store=shop.store, source=cast.BY, by=cast.BY, at=at
    )
    cases.note_findings({complaint: ("breach", {})}, by=cast.BY, at=at)
    order = Order.objects.get(number="77001")
    ids, _refused = add_photos([NewPhoto(shop.store.pk, order.pk, None, "complaint", "own.jpg", photo("拼多多"))], by=cast.BY, at=at)
    judge_by_hand(check_id=ids[0], state="breach", reason="A card of Pinduoduo", by=cast.BY, at=at)
    pages, pdf_of = [], pdf_page.pdf_of
    monkeypatch.setattr(pdf_page, "pdf_of", lambda page, **how: pages.append(page) or pdf_of(page, **how))
    done = made(store_id=shop.store.pk, case_kind="violation", case=violation, language="en", at=at)
    text, timeline = pages[0], opened(done.pack)["orders/77001/timeline.csv"].decode()
    assert text.count("Neutral packing") == 2  # the factory's and the system's
    assert "V-9" in text and "C-9" in text
    for told in (text, timeline):
        assert "V-OTHER" not in told and "Pinduoduo" not in told and "something foreign" not in told
    assert any("found something foreign" in gap for gap in done.gaps)
    assert any("Other cases about these orders" in one for one in done.pack.left_out)
    made(store_id=shop.store.pk, case_kind="complaint", case=complaint, language="en", at=at)
    assert "something foreign" in pages[1] and "V-9" not in pages[1]


def test_test_orders_from_the_same_supplier_are_told(shop, case):
    from daifa.domain.purchasing.models import PurchaseOrder
    from daifa.domain.sourcing.models import Sample

    violation, _complaint, at = case
    supplier = PurchaseOrder.objects.filter(order__number="77001").first().supplier
    Sample.objects.create(
        store=shop.store, supplier=supplier, supplier_sku="CUP-1", state="passed", send_to="Our own office", currency="GBP",
        cost=Decimal("28.50"), verdict="Clean, no card", ordered_at=at - timedelta(days=9), received_at=at - timedelta(days=2), by=cast.BY, at=at,
    )  # fmt: skip
    inside = opened(made(store_id=shop.store.pk, case_kind="violation", case=violation, at=at).pack)
    (told,) = json.loads(inside["test-orders.json"])
    assert (told["article"], told["result"], told["why"]) == ("CUP-1", "passed", "Clean, no card") and "cost" not in told
    assert b"Our own office" not in inside["test-orders.json"]


def test_a_pack_says_no_more_than_what_happened(shop, case):
    """A refund that failed is none, a purchase nobody placed bought nothing, and papers of agreements are papers too."""
    violation, _complaint, at = case
    order = Order.objects.get(number="77001")
    refund_case(
        case_id=open_case(order_id=order.pk, kind="refund", reason="broken", lines=[(order.lines.filter(kind="goods").first().pk, 1)], note="", by=cast.BY, at=at),
        amount=Decimal(1), no_claim_reason="small", by=cast.BY, at=at,
    )  # fmt: skip
    bulk.execute("UPDATE aftersales_refund SET state = 'failed', confirmed_at = NULL")
    day = cast.MORNING.date()
    agreement = record_agreement(supplier_id=shop.factory.pk, store_id=shop.store.pk, valid_from=day, entrusted_on=day, by=cast.BY, at=at)
    assert add_documents(agreement_id=agreement.pk, files=[("contract.pdf", b"%PDF-1.4 contract\n%%EOF")], by=cast.BY, at=at)[0]
    wanted = {"store_id": shop.store.pk, "case_kind": "violation", "case": violation, "language": "en", "by": cast.BY, "at": at}
    draft = packs._ask(**wanted)[1]
    [rows] = [rows for one in draft.sections for heading, _columns, rows in one.tables if heading == "Refunds"]
    assert [row[-1] for row in rows] == ["failed"]
    assert draft.papers == 2  # the receipt of the appeal, and the contract
    bulk.execute("UPDATE purchasing_purchaseorder SET state = 'cancelled', placed_at = NULL WHERE order_id = %s", (order.pk,))
    draft = packs._ask(**wanted)[1]
    assert any("no purchase behind it" in gap for gap in draft.gaps)
    assert not any(one.title == "Agreements with the suppliers" for one in draft.sections)


def test_names_of_files_tell_no_more_than_their_words(shop, case):
    violation, _complaint, at = case
    appeal = Appeal.objects.get()
    cases.attach_files(
        [("Anna Wood, receipt.pdf", b"%PDF-1.4 a\n%%EOF"), ("tel 13812345678.pdf", b"%PDF-1.4 b\n%%EOF")],
        store_id=shop.store.pk, thing_kind="appeal", thing=appeal.pk, by=cast.BY, at=at,
    )  # fmt: skip
    order = Order.objects.get(number="77001")
    add_photos([NewPhoto(shop.store.pk, order.pk, None, "complaint", "box of Anna Wood.jpg", photo("YT1"))], by=cast.BY, at=at)
    wanted = {"store_id": shop.store.pk, "case_kind": "violation", "case": violation, "by": cast.BY, "at": at}
    masked = packs._ask(**wanted)[1]
    names = {name for name, _content, _what in masked.files} | {one.name for one in masked.photos}
    assert {"case/masked__receipt.pdf", "case/tel_masked.pdf", "case/receipt.pdf"} <= names
    told = " ".join([*names, *(one.caption for one in masked.photos)])
    assert "Anna" not in told and "13812345678" not in told and "box_of_masked.jpg" in told
    shown = packs._ask(**wanted, reveal=True, reason="The platform asks who signed.")[1]
    assert "case/Anna_Wood__receipt.pdf" in {name for name, _content, _what in shown.files}


def test_many_test_orders_push_no_photo_of_the_orders_out(shop, case):
    """Of test orders the newest are told; one that failed weakens nobody's case but ours."""
    from daifa.domain.purchasing.models import PurchaseOrder
    from daifa.domain.shipping.models import ParcelCheck
    from daifa.domain.sourcing.models import Sample

    violation, _complaint, at = case
    order = Order.objects.get(number="77001")
    supplier = PurchaseOrder.objects.filter(order=order).first().supplier
    of_check = {"store": shop.store, "media_type": "image/png", "size": 1, "width": 1, "height": 1, "traces": [], "by": cast.BY}
    ParcelCheck.objects.bulk_create(
        ParcelCheck(**of_check, supplier=supplier, about="test_order", state="clean", name=f"{n}.png", sha256=f"{n:064}", at=at - timedelta(days=90 - n))
        for n in range(42)
    )
    ParcelCheck.objects.create(**of_check, order=order, supplier=supplier, about="complaint", state="clean", name="own.png", sha256="f" * 64,
                               reason="the box of the order itself", at=at)  # fmt: skip
    of_sample = {"store": shop.store, "supplier": supplier, "send_to": "Our own office", "currency": "GBP", "by": cast.BY, "at": at}
    Sample.objects.bulk_create(
        Sample(**of_sample, supplier_sku=f"CUP-{n}", state="passed", ordered_at=at - timedelta(days=90 - n)) for n in range(41)
    )
    Sample.objects.create(**of_sample, supplier_sku="CUP-BAD", state="failed", verdict="a card of another shop", ordered_at=at)
    draft = packs._ask(store_id=shop.store.pk, case_kind="violation", case=violation, language="en", by=cast.BY, at=at)[1]
    [section] = [one for one in draft.sections if one.title == "Parcels checked"]
    checked, ordered = (rows for _heading, _columns, rows in section.tables)
    assert checked[-1][-1] == "the box of the order itself" and len(checked) == 41
    assert [ordered[0][1], ordered[-1][1], len(ordered)] == ["CUP-1", "CUP-40", 40]
    assert [one for one in draft.left_out if "older test order" in one] == [
        "2 older test orders (or photos of them) of the same suppliers are left out.",
        "1 older test order (or photo of one) of the same suppliers is left out.",
    ]
    [told] = [content for name, content, _what in draft.files if name == "test-orders.json"]
    assert b"CUP-BAD" not in told


def test_a_photo_nothing_can_be_read_on_waits_for_a_person(shop, case):
    _violation, complaint, at = case
    blank = photo()
    cases.attach_files([("face.jpg", blank)], store_id=shop.store.pk, thing_kind="complaint", thing=complaint, by=cast.BY, at=at)
    wanted = {"store_id": shop.store.pk, "case_kind": "complaint", "case": complaint}
    done = made(**wanted, at=at)
    assert "complaints/C-9/face.jpg" not in opened(done.pack)
    assert any("1 photo waits" in gap for gap in done.gaps) and any("1 photo is left out" in one for one in done.pack.left_out)
    cover = PictureCover.objects.get(state="waiting")
    task = Task.objects.get(kind="picture_to_look_at", closed_at=None)
    assert (cover.why, task.thing) == ("no_text", cover.pk)
    with pytest.raises(Refused, match="Mark the fields"):
        cases.decide_pictures([cover.pk], to="boxed", by=cast.BY, at=at)
    cases.decide_pictures([cover.pk], to="boxed", boxes=[(0, 0, 500, 500)], by=cast.BY, at=at)
    assert not Task.objects.filter(kind="picture_to_look_at", closed_at=None)
    inside = opened(made(**wanted, at=at).pack)
    copy = Image.open(io.BytesIO(inside["complaints/C-9/face.jpg"]))
    assert max(copy.getpixel((copy.width // 4, copy.height // 4))) < 30 and min(copy.getpixel((copy.width - 5, copy.height - 5))) > 200
    assert "part chosen by a person" in json.loads(inside["index.json"])["files"][-1]["covered"] + inside["index.json"].decode()
    cases.decide_pictures([cover.pk], to="as_is", by=cast.BY, at=at)
    plain = opened(made(**wanted, at=at).pack)["complaints/C-9/face.jpg"]
    assert plain != blank and b"GPS" not in plain, "as it is, without place and device"
    cases.decide_pictures([cover.pk], to="left_out", by=cast.BY, at=at)
    assert "complaints/C-9/face.jpg" not in opened(made(**wanted, at=at).pack)


def test_without_a_reader_every_photo_waits(shop, case, monkeypatch):
    _violation, complaint, at = case
    monkeypatch.setattr(ocr, "why_not", lambda: "not installed")
    wanted = {"store_id": shop.store.pk, "case_kind": "complaint", "case": complaint}
    done = made(**wanted, at=at)
    assert "complaints/C-9/card.jpg" not in opened(done.pack) and PictureCover.objects.get().why == "ocr_missing"
    monkeypatch.undo()
    assert "complaints/C-9/card.jpg" in opened(made(**wanted, at=at).pack), "once there is one, it is read"
    assert PictureCover.objects.get().state == "read" and not Task.objects.filter(kind="picture_to_look_at", closed_at=None)


def test_buyers_data_stand_in_it_only_with_a_reason(shop, case):
    violation, _complaint, at = case
    with pytest.raises(Refused, match="why this case needs"):
        flow.gather_evidence(store_id=shop.store.pk, case_kind="violation", case=violation, reveal=True, by=cast.BY, at=at)
    done = made(
        store_id=shop.store.pk, case_kind="violation", case=violation, reveal=True, reason="The platform asks who signed.", at=at
    )
    inside = opened(done.pack)
    assert "Anna Wood" in " ".join(lines_on(inside["complaints/C-9/card.jpg"]))
    assert b"Anna Wood" in inside["orders/77001/order.json"] and b"77002" not in inside["orders/77001/order.json"]
    assert done.pack.revealed and done.pack.reason and len(done.pack.left_out) == 5


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


# --- As a job -----------------------------------------------------------------------------------------------------


def asked(**words):
    return flow.ask_for_evidence(by=cast.BY, **words).pack


def evidence_files():
    folder = files.path_of("0" * 64, "evidence").parent.parent
    return [path for path in folder.rglob("*") if path.is_file()]


def test_photos_to_be_read_make_it_a_job(shop, case):
    violation, complaint, at = case
    pack = asked(store_id=shop.store.pk, case_kind="complaint", case=complaint, costs=True, language="en", at=at)
    assert (pack.state, pack.photos, pack.made_at, evidence_files()) == ("gathering", 1, None, [])
    assert not PictureCover.objects.exists(), "nothing was read while somebody waits"
    later = at + timedelta(minutes=1)
    assert work_until_idle(at=later)["packs"] == 1
    pack.refresh_from_db()
    assert (pack.state, pack.at, pack.made_at, pack.photos_done) == ("made", at, later, 1)
    inside = opened(pack)
    assert "complaints/C-9/card.jpg" in inside and b"goods_amount" in inside["orders/77001/purchases.json"], "what was asked for is kept"
    assert [row[2:] for row in bulk.fetch("SELECT kind, thing, state_from, state_to FROM history_transition WHERE kind = 54 ORDER BY at")] == [
        ("", "gathering"), ("gathering", "made")]  # fmt: skip
    assert flow.gather_waiting(at=later) == {"made": 0, "failed": 0}
    # What was read for the same buyers is not read twice: the next one is there at once, as is one without photos.
    assert asked(store_id=shop.store.pk, case_kind="complaint", case=complaint, at=later).state == "made"
    cases.decide_pictures([PictureCover.objects.get().pk], to="left_out", by=cast.BY, at=at)
    assert asked(store_id=shop.store.pk, case_kind="violation", case=violation, at=later).state == "made"


def test_a_pack_that_cannot_be_made_says_why_and_stops_nothing_behind_it(shop, case, monkeypatch):
    violation, complaint, at = case
    first = asked(store_id=shop.store.pk, case_kind="complaint", case=complaint, language="en", at=at)
    second = asked(store_id=shop.store.pk, case_kind="violation", case=violation, language="en", at=at)
    calls, pdf_of = [], pdf_page.pdf_of

    def torn(page, **how):
        calls.append(page)
        if len(calls) == 1:
            raise Refused("No font for it.", code="font_missing")
        return pdf_of(page, **how)

    monkeypatch.setattr(pdf_page, "pdf_of", torn)
    assert flow.gather_waiting(at=at) == {"made": 1, "failed": 1}
    first.refresh_from_db()
    assert (first.state, first.sentence, first.sha256) == ("failed", "No font for it.", "")
    assert Task.objects.get(kind="pack_not_made", closed_at=None).params == {"sentence": "No font for it."}
    assert len(evidence_files()) == 1
    cases.ask_pack_again(first.pk, by=cast.BY, at=at)
    assert flow.gather_waiting(at=at) == {"made": 1, "failed": 0}
    assert not Task.objects.filter(kind="pack_not_made", closed_at=None).exists()
    with pytest.raises(Refused, match="only one that could not be made"):
        cases.ask_pack_again(second.pk, by=cast.BY, at=at)
    # What nobody foresaw is no reason to stand still either; what cuts it off again and again is given up.
    third = asked(store_id=shop.store.pk, case_kind="violation", case=violation, reveal=True, reason="asked", at=at)
    assert third.state == "made"
    for number, (error, sentence) in enumerate(((ZeroDivisionError, "ZeroDivisionError"), (KeyboardInterrupt, "5 times"))):
        cases.decide_pictures([PictureCover.objects.get().pk], to="as_is", by=cast.BY, at=at)
        PictureCover.objects.all().delete()

        def broken(page, error=error, **how):
            raise error

        monkeypatch.setattr(pdf_page, "pdf_of", broken)
        pack = asked(store_id=shop.store.pk, case_kind="complaint", case=complaint, language="en", at=at + timedelta(hours=number))
        for _try in range(cases.MOST_TRIES if error is KeyboardInterrupt else 0):
            with pytest.raises(KeyboardInterrupt):
                flow.gather_waiting(at=at)
        assert flow.gather_waiting(at=at) == {"made": 0, "failed": 1}
        pack.refresh_from_db()
        assert pack.state == "failed" and sentence in pack.sentence


def test_what_was_erased_meanwhile_is_not_gathered(shop, case, monkeypatch):
    _violation, complaint, at = case
    pack = asked(store_id=shop.store.pk, case_kind="complaint", case=complaint, language="en", at=at)
    pdf_of = pdf_page.pdf_of

    def erased_now(page, **how):
        bulk.execute("UPDATE cases_evidencepack SET erased_at = %s", (at,))
        return pdf_of(page, **how)

    monkeypatch.setattr(pdf_page, "pdf_of", erased_now)
    assert flow.gather_waiting(at=at) == {"made": 0, "failed": 1}
    pack.refresh_from_db()
    assert (pack.state, evidence_files()) == ("failed", []) and "erased meanwhile" in pack.sentence
    assert not Task.objects.filter(kind="pack_not_made").exists(), "nobody is to do anything about it"
    with pytest.raises(Refused, match="nothing to gather"):
        cases.ask_pack_again(pack.pk, by=cast.BY, at=at)
