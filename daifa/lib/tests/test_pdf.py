"""A PDF carries its own pictures and loads nothing from anywhere."""

from io import BytesIO

import pytest

from daifa.lib import pdf
from daifa.lib.refusal import Refused


def made(page):
    try:
        return pdf.pdf_of(page, language="en")
    except Refused as refused:  # the machine lacks pango, and the sentence says which package
        pytest.skip(refused.sentence)


def jpeg():
    from PIL import Image

    found = BytesIO()
    Image.new("RGB", (20, 20), "red").save(found, "JPEG")
    return found.getvalue()


def test_its_own_pictures_are_in_it():
    found = made(f'<p>x</p><img src="{pdf.picture(jpeg())}">')
    assert found.startswith(b"%PDF-") and b"/Image" in found


@pytest.mark.parametrize("address", ["file:///etc/hostname", "http://127.0.0.1:9/x.jpg", "data:text/plain,x"])
def test_nothing_else_is_loaded(address):
    found = made(f'<p>x</p><img src="{address}"><object data="{address}"></object>')
    assert b"/Image" not in found
