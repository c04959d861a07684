"""A bad table of states stops the import of the module that holds it."""

import pytest

from daifa.lib.process import BadProcess, Process

WORDS = {"new": ("new", "新"), "sent": ("sent", "已发"), "done": ("done", "完成")}
GOOD = {"new": ["sent"], "sent": ["done", "new"], "done": []}


def process(**changes) -> Process:
    return Process(**{"name": "letter", "kind": 99, "table_name": "t", "table": GOOD, "starts": ["new"], "words": WORDS} | changes)


def test_a_good_table():
    letter = process()
    assert letter.next("sent") == ["done", "new"] and letter.before("new") == ["sent"] and letter.before("done") == ["sent"]
    assert letter.is_final("done") and not letter.is_final("sent")
    assert letter.choices() == [("new", "new"), ("sent", "sent"), ("done", "done")]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"table": GOOD | {"sent": ["dnoe"]}}, "letter: sent leads to dnoe, which is not in the table."),
        ({"starts": ["begun"]}, "letter: it starts in begun, which is not in the table."),
        ({"table": GOOD | {"lost": ["done"]}, "words": WORDS | {"lost": ("lost", "丢")}}, "letter: nobody can reach lost."),
        ({"words": {"new": ("new", "新")}}, "letter: no words for done, sent."),
        ({"starts": []}, "letter: nobody can reach done, new, sent."),
    ],
)
def test_a_bad_table_is_refused(changes, sentence):
    with pytest.raises(BadProcess) as caught:
        process(**changes)
    assert str(caught.value) == sentence


def test_an_unknown_state_is_refused():
    with pytest.raises(BadProcess, match="no state gone"):
        process().before("gone")
