"""What is found in the text of a photo or of a complaint: the worked tables of docs/rules/parcel-check.md."""

import pytest

from daifa.domain.shipping.rules import find_traces, terms, verdict
from tests import worked_tables


@pytest.mark.parametrize(
    "row",
    [row for story in worked_tables.stories("parcel-check.md") for row in story.tables["channel"]],
    ids=lambda row: row["text"] or "empty",
)
def test_a_text_and_its_traces(row):
    text = row["text"].replace(" / ", "\n")
    found = find_traces(text, channel=row["channel"], numbers=row["numbers"].split())
    assert ", ".join(f"{t.kind} {t.platform or '–'} {t.term}" for t in found) == row["traces"]
    assert verdict(found, len([line for line in text.splitlines() if line.strip()])) == row["verdict"]


def test_an_excerpt_shows_no_number_of_a_person():
    trace = find_traces("电话13800138000拼多多订单998877", channel="xiaohongshu")[0]
    assert "拼多多" in trace.excerpt and not any(sign.isdigit() for sign in trace.excerpt)


def test_the_words_are_a_table_without_repeats():
    words = [(one.platform, one.term) for one in terms()]
    assert len(words) > 40 and len(words) == len(set(words))
