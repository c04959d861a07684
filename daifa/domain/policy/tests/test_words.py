"""The tables of docs/rules/words.md, and what must hold for every text."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daifa.domain.policy import commands, queries, words
from daifa.domain.policy.models import OwnWord
from daifa.domain.policy.phrases import PHRASES
from daifa.domain.policy.rules import Words
from daifa.lib.refusal import Refused
from tests.worked_tables import stories

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
ALL = ("terms", "categories", "brands")
STORIES = {story.title: story.tables for story in stories("words.md")}


def given_text(cell: str) -> str:
    return cell.replace("␣", " ").replace("⍽", "\u200b")


@pytest.mark.django_db
@pytest.mark.parametrize("row", STORIES["Found in a text"]["text"], ids=lambda row: row["text"])
def test_found_in_a_text(row):
    text = given_text(row["text"])
    (hits,) = queries.screen([text], lists=ALL)
    found = " ".join(f"{hit.term} ({hit.severity})" for hit in hits) or "…"
    where = " ".join(text[hit.start : hit.end] for hit in hits) or "…"
    assert (found, where) == (row["found"], given_text(row["where"]))


LED_AWAY = STORIES["Leading away and bought reviews, in English and mixed"]["text"]


@pytest.mark.django_db
@pytest.mark.parametrize("row", LED_AWAY, ids=lambda row: row["text"])
def test_turns_of_phrase_that_lead_away_or_buy_reviews(row):
    for column, own_site in (("found", False), ("on an own site", True)):
        (hits,) = queries.screen([given_text(row["text"])], lists=ALL, own_site=own_site)
        assert (", ".join(f"{hit.term} ({hit.severity})" for hit in hits) or "…") == row[column]


def test_a_phrase_stands_within_one_paragraph_and_costs_little():
    screen = words.shipped_screen(ALL)
    assert screen.hits(["Leave a review\nand get 5 USD"])[0] and not screen.hits(["Leave a review if you like\n\nGet 5 USD off"])[0]
    texts = ["review " * 1400, "wechat us " * 1000, "refund you for leave a review add our " * 270, "contact us www.a.com pay " * 400]
    began = time.process_time()
    screen.hits(texts)
    assert time.process_time() - began < 1


@pytest.mark.django_db
def test_no_own_word_lets_pass_what_is_refused_on_purpose():
    kept = [("加微信", "allow", "x"), ("add our WeChat", "hint", "x"), ("cash back for a review", "review", "x")]
    assert ["no own word lets it pass" in one for one in commands.add_own_words(kept, by="user:1", at=AT)] == [True] * 3
    OwnWord.objects.create(term="加微信", severity="allow", reason="of an older version", by="user:1", at=AT)
    assert [hit.severity for hit in queries.screen(["请加微信"])[0]] == ["block"]


@pytest.mark.django_db
@pytest.mark.parametrize("row", STORIES["May it be published?"]["text"], ids=lambda row: " ".join(row.values()))
def test_may_it_be_published(row):
    texts = {"title": row["text"]}
    held = [] if row["papers"] == "–" else [row["papers"]]
    if row["approved"] == "yes":
        commands.approve_texts([queries.may_publish(texts).digest], reason="invoice seen", by="user:1", at=AT)
    found = queries.may_publish(texts, held_licences=held)
    verdict = "yes" if found.may else "waits" if found.waits else "no"
    assert (verdict, ", ".join(found.licences) or "–") == (row["verdict"], row["paper missing"])
    assert bool(found.sentence) != found.may


def test_the_lists_that_ship_are_whole():
    lists = words.shipped()
    assert lists.problems == () and len(words.shipped(("terms",)).terms) == 281 + len(PHRASES)
    assert len(lists.goods) >= 19 and sum(term.category == "brand" for term in lists.terms) > 100
    rules = queries.books.shipped_book().rules
    for goods in lists.goods:
        for basis in goods.basis:
            if basis.isascii():
                assert basis in rules or basis in lists.bases, basis


# Screening every word of the lists finds it; its exceptions do not.
def test_every_word_is_found_and_its_exceptions_are_not():
    screen = words.shipped_screen(ALL)
    for term in words.shipped().terms:
        hits = screen.hits([term.term])[0]
        assert hits and hits[0].start == 0 and hits[0].end == len(term.term), term.term
        for exception in term.exceptions:
            assert term.term not in [hit.term for hit in screen.hits([exception])[0]], exception


NAMES = {one.name for one in PHRASES}
ANY = st.text(alphabet=st.one_of(st.characters(), st.sampled_from(" 全國国第一最佳加VＶx\u200b\u3000\ufe0fCT100%％ß①㎏\n")), max_size=60)


@settings(max_examples=400, deadline=None)
@given(ANY)
def test_places_are_places_of_the_text_as_given(text):
    assert words.normalised(text) == text.translate(words._TABLE)
    assert len(words._places(text)) == len(words.normalised(text))
    for hit in words.shipped_screen(ALL).hits([text])[0]:
        assert 0 <= hit.start < hit.end <= len(text)
        assert hit.term in NAMES or words.normalised(text[hit.start : hit.end]) == words.normalised(hit.term)


LIST = """bases:
  law: {zh: 法, en: law, source: s, confidence: high}
terms:
- {term: 好词, category: absolute, basis: [law], severity: block, match: contains, note: {zh: 注, en: note}}
"""
BAD = [
    ("severity: block", "severity: forbid", "The severity is one of"),
    ("category: absolute", "category: other", "The category is one of"),
    ("basis: [law]", "basis: [lore]", "The basis lore is not among the bases."),
    ("match: contains", "match: regex", "Words are matched by contains"),
    ("term: 好词", "term: ' '", "A word is missing."),
    ("en: note", "fr: note", "It has to be said in Chinese (zh) and in English (en)."),
]


@pytest.mark.parametrize(("right", "wrong", "sentence"), BAD, ids=[one[1] for one in BAD])
def test_a_list_with_a_problem_is_refused_with_its_line(right, wrong, sentence):
    text = LIST.replace(right, wrong)
    lists = words.read_lists({"restricted_terms.yaml": text.encode()})
    assert not lists.terms
    assert lists.problems[0].sentence().startswith("restricted_terms.yaml, line 4: ") and sentence in lists.problems[0].sentence()


@pytest.mark.parametrize(("content", "line", "sentence"), [
    ("terms: hello\n", 1, "Below “terms:” stand the entries one after another"),
    ("terms:\n  a: {b: c}\n", 2, "Below “terms:” stand the entries one after another"),
    ("brands:\n", 1, "Below “brands:” stand the entries one after another"),
    ("terms:\n- hello\n", 2, "An entry begins with “- term: …”"),
    ("brands:\n- [a]\n", 2, "An entry begins with “- names: […]”"),
    ("brands:\n- {names: [a], severity: [x], note: {zh: 注, en: note}}\n", 2, "holds what does not belong there"),
    ("brands:\n- {names: [a], severity: hint, note: {zh: [注], en: note}}\n", 2, "in Chinese (zh) and in English (en)"),
    (LIST.replace("category: absolute", "category: {a: b}"), 4, "holds what does not belong there"),
    (LIST.replace("basis: [law]", "basis: [[law], {a: b}]"), 4, "holds what does not belong there"),
    (LIST.replace("term: 好词", "term: [好词]"), 4, "holds what does not belong there"),
])  # fmt: skip
def test_a_list_of_another_shape_is_refused_with_its_line(content, line, sentence):
    lists = words.read_lists({"restricted_terms.yaml": content.encode()})
    assert not lists.terms
    problem = lists.problems[0]
    assert (problem.line, sentence in problem.sentence()) == (line, True), problem.sentence()


def test_a_word_that_stands_twice_is_refused():
    text = LIST + LIST.split("terms:\n")[1]
    (problem,) = words.read_lists({"restricted_terms.yaml": text.encode()}).problems
    assert problem.line == 5 and "line 4 already" in problem.sentence()


# --- Own words and approvals ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_owners_words_come_on_top():
    assert queries.screen(["独家秘方茶杯", "Nike"], lists=ALL)[1]
    refused = commands.add_own_words(
        [("秘 方", "block", "asked by our lawyer"), ("NIKE", "allow", "licence of 2026-03-01"), ("", "block", "x"), ("x", "no", "x"), ("y", "hint", " ")],
        by="user:1", at=AT,
    )  # fmt: skip
    assert len(refused) == 3
    own, brand = queries.screen(["独家秘方茶杯", "Nike"], lists=ALL)
    assert [(hit.term, hit.category, hit.severity, hit.note) for hit in own] == [("秘 方", "own", "block", Words("asked by our lawyer", "asked by our lawyer"))]  # fmt: skip
    assert brand == []
    commands.withdraw_own_words([one.pk for one in queries.own_words()], by="user:1", at=AT)
    assert queries.screen(["独家秘方茶杯"]) == [[]] and queries.screen(["Nike"], lists=ALL)[0]


@pytest.mark.django_db
def test_an_approval_is_of_these_words_only_and_has_a_reason():
    digest = queries.may_publish({"title": "Nike 跑鞋"}).digest
    with pytest.raises(Refused, match="Say why"):
        commands.approve_texts([digest], reason=" ", by="user:1", at=AT)
    assert commands.approve_texts([digest], reason="invoice", by="user:1", at=AT) == 1
    assert commands.approve_texts([digest], reason="invoice", by="user:1", at=AT) == 0
    assert queries.may_publish({"title": "Nike 跑鞋"}).may
    assert queries.may_publish({"title": "Nike 跑鞋 Gucci"}).waits
