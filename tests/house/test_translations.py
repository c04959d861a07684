"""Every sentence a person can meet has its translation, with the same places in it."""

import re
from pathlib import Path

from daifa.lib import strings

# Parts whose sentences are complete; the rest of the house joins when it is.
COMPLETE = ("daifa/web/",)
ROOT = Path(__file__).parents[2]


def test_every_sentence_is_translated():
    wanted = strings.sentences()
    assert len(wanted) > 100
    missing = [line for line in strings.problems(strings.read(), wanted) if any(part in line for part in COMPLETE)]
    assert missing == [], "python -m daifa.lib.strings check"


def test_a_lost_place_and_an_empty_translation_are_found():
    from babel.messages import Catalog

    wanted, known = Catalog(), Catalog(locale="zh_Hans")
    for sentence in ("Order %(number)s", "Save", "%(n)s row"):
        wanted.add(sentence)
    wanted.add(("%(count)d day", "%(count)d days"))
    known.add("Order %(number)s", "订单 %(nummer)s")
    known.add("Save", "")
    known.add("%(n)s row", "%(n)s 行")
    known.add(("%(count)d day", "%(count)d days"), ("%(count)d 天",))
    lines = strings.problems(known, wanted)
    assert len(lines) == 2
    assert "names other places" in lines[0] and "has no translation" in lines[1]


def test_merging_keeps_what_others_wrote():
    from babel.messages import Catalog

    wanted, known, mine = Catalog(), Catalog(locale="zh_Hans"), Catalog(locale="zh_Hans")
    for sentence in ("Save", "Order", "New"):
        wanted.add(sentence)
    known.add("Save", "保存")
    known.add("Order", "排序")
    known.add("Of a change on its way", "还在路上")
    mine.add("Order", "订单")
    result = strings.merged(known, wanted, mine)
    assert {message.id: message.string for message in result if message.id} == {
        "Save": "保存", "Order": "订单", "New": None, "Of a change on its way": "还在路上",
    }  # fmt: skip


def test_chinese_sentences_are_printed_with_chinese_marks():
    for told, printed in (
        ("未说明时按最严的一档,(浙江)除外: %(day)s", "未说明时按最严的一档，（浙江）除外：%(day)s"),
        ("两个字母,如 CN;留空:全部(默认)", "两个字母，如 CN；留空：全部（默认）"),
        ("省份(US-CA, CA-ON)", "省份（US-CA, CA-ON）"),
        ("运行 daifa clocks list (--json) 见 http://example.invalid:80/", "运行 daifa clocks list (--json) 见 http://example.invalid:80/"),
        ("%(n)d 行, %(count)d 处", "%(n)d 行，%(count)d 处"),
        ("%(name)s, nothing: %(why)s", "%(name)s, nothing: %(why)s"),
        ("%(metric)s:%(when)s。", "%(metric)s：%(when)s。"),
        ("%(metric)s: %(when)s。", "%(metric)s：%(when)s。"),
        ("不认识 %(value)s；是否想写 %(near)s?", "不认识 %(value)s；是否想写 %(near)s？"),
        ("Nothing, here (at all)", "Nothing, here (at all)"),
    ):
        assert strings.chinese_marks(told) == printed
    wrong = [
        one for message in strings.read() if message.id
        for one in (message.string if isinstance(message.string, tuple) else (message.string,))
        if one and strings.chinese_marks(one) != one
    ]  # fmt: skip
    assert wrong == [], "python -m daifa.lib.strings update"


def test_chinese_written_in_the_code_has_chinese_marks_too():
    """Words in two languages stand in tables beside the code, where no catalogue mends their marks."""
    half = re.compile(r"[\u4e00-\u9fff][,;:][\u4e00-\u9fff]")
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "daifa" / "domain").rglob("*.py")) if "tests" not in path.parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if half.search(line)
    ]  # fmt: skip
    assert not wrong, wrong
