"""Pictures: what is none is refused, what cameras write is taken out, what is covered is gone."""

import io

import pytest
from PIL import Image, ImageChops

from daifa.lib import pictures


def picture(kind="JPEG", *, turned=6, size=(80, 60)):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x8769] = turned, "GPS 53.8 N", {}
    out = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(out, kind, exif=exif)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_cameras_write_is_taken_out_and_every_dot_stays(kind):
    original = picture(kind)
    plain = pictures.without_metadata(original, pictures.KINDS[kind])
    assert b"GPS 53.8" in original and b"GPS 53.8" not in plain
    before, after = (Image.open(io.BytesIO(content)) for content in (original, plain))
    assert ImageChops.difference(before.convert("RGB"), after.convert("RGB")).getbbox() is None
    if kind == "JPEG":
        assert after.getexif().get(0x0112) == 6, "it lies the same side up"


@pytest.mark.parametrize("progressive", [False, True])
def test_what_hangs_behind_the_end_of_a_jpeg_goes_too(progressive):
    out = io.BytesIO()
    Image.effect_noise((300, 200), 60).convert("RGB").save(out, "JPEG", progressive=progressive)
    plain = pictures.without_metadata(out.getvalue() + b"ftypmp42 a film with GPS", "image/jpeg")
    assert b"GPS" not in plain and Image.open(io.BytesIO(plain)).size == (300, 200)
    assert ImageChops.difference(Image.open(out), Image.open(io.BytesIO(plain))).getbbox() is None
    assert pictures.without_metadata(b"\xff\xd8\xff\xe1", "image/jpeg") == b"\xff\xd8\xff\xe1"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_is_covered_is_gone_from_the_dots(kind):
    copy = pictures.covered(picture(kind), [(0, 0, 500, 500)])
    found = Image.open(io.BytesIO(copy)).convert("RGB")
    assert Image.open(io.BytesIO(copy)).format == kind and b"GPS" not in copy
    assert found.size == (60, 80), "upright: the camera lay on its side"
    assert max(band for x in range(25) for y in range(35) for band in found.getpixel((x, y))) < 40
    assert max(found.getpixel((x, 70))[0] for x in range(35, 60)) > 100


def test_what_is_no_picture_is_refused(monkeypatch):
    good = picture("PNG")
    assert pictures.check(good) == pictures.measure(good) == (80, 60, "image/png")
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, "GIF")
    for bad in (b"", b"<script>", good[:60], picture()[:-200], out.getvalue()):
        with pytest.raises(pictures.NoPicture):
            pictures.check(bad)
    monkeypatch.setattr(pictures, "MOST_PIXELS", 1000)
    with pytest.raises(pictures.TooManyDots):
        pictures.measure(good)
