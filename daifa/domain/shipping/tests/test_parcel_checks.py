"""What is found in the text of a photo or of a complaint: the worked tables of docs/rules/parcel-check.md."""

from importlib.resources import files

import pytest
import yaml

from daifa.domain.policy import queries as policy
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


ELSEWHERE = {"手机号", "二维码", "威信", "私我", "私我拿资源", "主页有惊喜", "vx", "刷单", "代刷"}
"""Restricted in texts, but no proof on a parcel: every label bears a telephone and a code, the rest is not what cards say."""


def test_cards_say_what_the_rule_book_restricts_as_contact_outside_and_bought_reviews():
    listed = yaml.safe_load((files("daifa.domain.policy") / "data" / "restricted_terms.yaml").read_text(encoding="utf-8"))
    wanted = {one["term"].casefold() for one in listed["terms"] if one["category"] in ("off_platform_contact", "fake_review")}
    assert len(wanted) > 20
    missed = {term for term in wanted if not find_traces(term, channel="xiaohongshu")}
    assert missed == ELSEWHERE & wanted


@pytest.mark.django_db
def test_every_platform_of_the_rule_book_is_known_by_name():
    no_names = {"logistics", "payments", "law_cn", "law_us", "law_eu_uk", "shopify", "woocommerce", "own_site"}
    assert set(policy.channel_titles()) - no_names <= {one.platform for one in terms()}
