"""What every reader of pictures needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_ONE_AT_A_TIME = Lock()


@contextmanager
def cut_off_is_an_error() -> Iterator[None]:
    """Inside, a picture whose end is missing is refused by the decoder.

    The library that writes PDF files tells the decoder, for the whole process, to fill what is missing with grey.
    """
    from PIL import ImageFile

    with _ONE_AT_A_TIME:
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before
