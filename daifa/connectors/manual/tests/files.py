"""Small files for tests, and the records they give."""

import io
from pathlib import Path
from zoneinfo import ZoneInfo

from daifa.connectors.manual.connector import read_file

DATA = Path(__file__).resolve().parents[4] / "tests" / "data"
LONDON = ZoneInfo("Europe/London")


def opened(kind, text, *, name="file.csv", **options):
    """A file of `text` (or bytes), opened."""
    content = text.encode() if isinstance(text, str) else text
    return read_file(kind, io.BytesIO(content), name=name, tz=LONDON, **options)


def records(kind, text, **options):
    """All records of a file; fails unless every row ended in exactly one place."""
    file = opened(kind, text, **options)
    found = list(file.account.watch(file.records))
    assert file.account.balances(), file.account.table()
    return found
