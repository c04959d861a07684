import pickle
from decimal import Decimal

import pytest
from django.utils import translation

from daifa.lib.commas import listed
from daifa.lib.refusal import RowRefused
from daifa.lib.sentences import (
    Sentence,
    gettext,
    in_words,
    joined,
    kept,
    kept_params,
    ngettext,
    told,
    told_params,
)


def both(text):
    with translation.override("en"):
        english = told(text)
    with translation.override("zh-hans"):
        return english, told(text)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_sentence_is_kept_in_no_language_and_told_in_any(language):
    with translation.override(language):
        made = gettext("until %(date)s") % {"date": "2026-03-01", "other": "not in it"}
        stored = kept(made)
    assert "other" not in stored
    assert both(stored) == ("until 2026-03-01", "至 2026-03-01")
    assert both(kept(made.strip()[:300])) == both(stored), "a cut that leaves it whole takes nothing from it"
    assert both(kept(told(stored))) == both(stored), "what was read can be kept again"
    assert both(pickle.loads(pickle.dumps(made))) == both(stored)


def test_what_a_person_wrote_and_rows_from_before_are_told_as_they_are():
    for text in ("", "已处理", "until 2026-03-01", '{"say":', '{"say":1}', '{"say":"%(x)s","with":{}}', '{"list":7}', '{"en":"only"}'):
        assert both(kept(text)) == (text, text)
    assert kept("  as typed ", 5) == "as ty"


def test_what_looks_like_a_kept_sentence_cannot_ask_for_a_billion_blanks():
    text = '{"say":"%(x)999999999s %(x)s","with":{"x":"y"}}'
    assert both(text) == ("%(x)999999999s y",) * 2


def test_sentences_stand_in_sentences():
    with translation.override("en"):
        inner = in_words(("orders not shipped", "未发货订单"))
        parts = joined("", [inner, in_words((": ", "：")), 3])
        whole = gettext("Still open: %(what)s.") % {"what": listed([parts, Decimal("1.20")])}
    assert str(whole) == "Still open: orders not shipped: 3, 1.20."
    assert both(kept(whole)) == ("Still open: orders not shipped: 3, 1.20.", "仍未了结：未发货订单：3、1.20。")


def test_counts_have_the_forms_of_each_language():
    with translation.override("zh-hans"):
        one, many = (ngettext("%(count)d order held: %(reason)s", "%(count)d orders held: %(reason)s", n)
                     % {"count": n, "reason": "x"} for n in (1, 2))  # fmt: skip
    assert both(kept(one))[0] == "1 order held: x" and both(kept(many))[0] == "2 orders held: x"
    assert both(kept(many))[1] == str(many)


def test_what_is_too_long_for_its_column_loses_the_end_of_its_longest_value():
    made = gettext("until %(date)s") % {"date": "x" * 400}
    assert len(kept(made, 300)) <= 300 and isinstance(told(kept(made, 300)), Sentence)
    assert both(kept(made, 300))[1].startswith("至 xxx") and both(kept(made, 300))[1].endswith("x…")
    assert kept(made, 30) == str(made)[:30], "a column too small for the words themselves gets today's"


def test_rows_that_are_refused_and_params_of_tasks_are_kept_so():
    with translation.override("en"):
        sentence = RowRefused(3, "A-1", "until", "until %(date)s", {"date": "Monday"}).sentence()
    stored = kept_params({"sentence": sentence, "count": 2})
    assert stored["count"] == 2
    with translation.override("zh-hans"):
        assert told_params(stored) == {"sentence": "至 Monday", "count": 2}
