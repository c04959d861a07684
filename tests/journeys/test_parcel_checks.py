"""Photos of parcels: kept, really read, judged; what is no photo is refused."""

import struct
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from daifa.domain.shipping import checks, queries
from daifa.domain.shipping.models import ParcelCheck, PlatformWaybill
from daifa.domain.stores.models import Task
from daifa.flows import check_parcels
from daifa.lib import keeping, ocr
from daifa.lib.refusal import Refused
from tests import shipped_orders
from tests.photos import photo

AT = datetime(2026, 3, 5, 9, tzinfo=UTC)
BY = "user:1"


@pytest.fixture
def shop(settings, tmp_path, db):
    settings.MEDIA_ROOT = tmp_path / "files"
    return shipped_orders.store(kind="marketplace", channel="xiaohongshu")


@pytest.mark.django_db
def test_a_photo_is_read_and_the_breach_is_found(shop):
    pytest.importorskip("rapidocr", reason="the extra “ocr” is not installed: no photo can be read here")
    order = shipped_orders.order(shop)
    card = photo("感谢您在拼多多购买本店商品", "五星好评 加微信返现3元")
    plain = photo("易碎物品 轻拿轻放", kind="JPEG")
    new = [checks.NewPhoto(shop.pk, order.pk, None, "complaint", name, content) for name, content in
           (("card.png", card), ("plain.jpg", plain), ("white.png", photo()))]  # fmt: skip
    ids, refused = check_parcels.add_photos(new, by=BY, at=AT)
    assert refused == [] and len(ids) == 3
    assert check_parcels.add_photos(new[:1], by=BY, at=AT)[0] == ids[:1], "the same photo on the same order is one check"
    assert check_parcels.read_photos(at=AT) == {"breach": 1, "clean": 1, "unreadable": 1, "waiting": 0}
    breach = ParcelCheck.objects.get(pk=ids[0])
    assert breach.state == "breach" and breach.lines >= 2
    assert {(kind, platform) for kind, platform, _term, _excerpt in breach.traces} == {("card", "pinduoduo"), ("card", "")}
    assert set(Task.objects.filter(closed_at=None).values_list("kind", "thing")) == {
        ("parcel_breach", ids[0]), ("photo_unreadable", ids[2]),
    }  # fmt: skip
    check_parcels.judge_by_hand(check_id=ids[2], state="clean", reason="an empty box, nothing in it", by=BY, at=AT)
    assert not Task.objects.filter(closed_at=None, kind="photo_unreadable").exists()
    with pytest.raises(Refused, match="judged so already"):
        check_parcels.judge_by_hand(check_id=ids[2], state="clean", reason="again", by=BY, at=AT)
    assert check_parcels.read_photos(at=AT + timedelta(hours=1))["breach"] == 0, "nothing is read twice"


@pytest.mark.django_db
def test_without_the_reader_photos_wait_and_a_task_says_so(shop, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    ids, _refused = check_parcels.add_photos(
        [checks.NewPhoto(shop.pk, None, None, "test_order", "a.png", photo())], by=BY, at=AT
    )
    assert check_parcels.read_photos(at=AT)["waiting"] == 1
    assert ParcelCheck.objects.get(pk=ids[0]).state == "received"
    assert "daifa[ocr]" in Task.objects.get(kind="photos_unread").params["sentence"]


def bomb() -> bytes:
    """A PNG of a few kB whose head says 60,000 × 60,000 dots."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" * 100_000)) + chunk(b"IEND", b"")
    )  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jpg", b"<html>no photo</html>", "no photo that can be read"),
        ("b.png", b"", "no photo that can be read"),
        ("c.png", b"\x89PNG\r\n\x1a\n" + b"x" * 99, "no photo that can be read"),
        ("d.gif", b"GIF89a" + b"\0" * 99, "no photo that can be read"),
        ("e.png", bomb(), "million dots"),
        ("f.jpg", b"\xff\xd8\xff" + b"\0" * ocr.MOST_BYTES, "at most 12 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 8 else "",
)
def test_what_is_no_photo_is_refused_in_a_sentence(shop, name, content, words):
    ids, refused = check_parcels.add_photos([checks.NewPhoto(shop.pk, None, None, "complaint", name, content)], by=BY, at=AT)
    assert ids == [] and words in refused[0]
    assert not ParcelCheck.objects.exists()


@pytest.mark.django_db
def test_a_damaged_photo_stops_nobody_behind_it(shop):
    pytest.importorskip("rapidocr", reason="the extra “ocr” is not installed: no photo can be read here")
    first, second = photo("小心轻放"), photo("易碎物品 轻拿轻放")
    ids, refused = check_parcels.add_photos(
        [checks.NewPhoto(shop.pk, None, None, "complaint", name, content)
         for name, content in (("cut.png", first[: len(first) // 2]), ("a.png", first), ("b.png", second))],
        by=BY, at=AT,
    )  # fmt: skip
    assert [sentence.split(":")[0] for sentence in refused] == ["cut.png"] and "damaged" in refused[0], "refused where it is handed in"
    kept = keeping.path_of(checks.PHOTO_FOLDER, ParcelCheck.objects.get(pk=ids[0]).sha256)
    kept.chmod(0o600)
    kept.write_bytes(first[: len(first) // 2])
    check_parcels.read_photos(at=AT)
    states = dict(ParcelCheck.objects.values_list("id", "state"))
    assert [states[one] for one in ids] == ["unreadable", "clean"]
    assert "damaged" in ParcelCheck.objects.get(pk=ids[0]).reason


@pytest.mark.django_db
def test_checks_are_listed_in_scope_only(shop):
    order = shipped_orders.order(shop)
    other = shipped_orders.store(code="other")
    check_parcels.add_photos([checks.NewPhoto(shop.pk, order.pk, None, "complaint", "a.png", photo())], by=BY, at=AT)
    assert [row["order_number"] for row in queries.check_page([shop.pk], q=order.number[:2])] == [order.number]
    assert queries.check_page([other.pk]) == []
    check = ParcelCheck.objects.get()
    assert queries.check_detail([other.pk], check.pk) is None
    assert queries.check_detail([shop.pk], check.pk)["about"] == "complaint"


@pytest.mark.django_db
def test_numbers_the_platform_issued_are_recorded_once(shop):
    order = shipped_orders.order(shop)
    rows = [(2, order.number, "yt 8812345678901"), (3, "NOBODY", "YT1"), (4, order.number, "x")]
    new, refused = checks.record_platform_waybills(shop.pk, rows, by=BY, at=AT)
    assert new == 1 and [(row.row, row.code) for row in refused] == [(3, "order_unknown"), (4, "number_invalid")]
    assert checks.record_platform_waybills(shop.pk, rows[:1], by=BY, at=AT)[0] == 0
    assert PlatformWaybill.objects.get().number == "YT8812345678901"
