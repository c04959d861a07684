"""Why rows of a file were counted as they were is told in words, in both languages."""

import ast
import re
from pathlib import Path

import pytest
from django.utils import translation

from daifa.domain.imports.queries import counted_words, reason_words

DAIFA = Path(__file__).resolve().parent.parent.parent / "daifa"
SAID_IN = [
    *sorted(DAIFA.glob("connectors/manual/*.py")), DAIFA / "lib/sheets/cells.py",
    *(DAIFA / "flows" / name for name in ("intake.py", "expense_files.py", "violation_files.py", "track_parcels.py", "read_replies.py")),
    *(DAIFA / "domain" / name for name in (
        "catalog/commands.py", "sourcing/commands.py", "books/commands.py", "purchasing/answers.py",
        "cases/commands/taking.py", "cases/commands/violations.py",
    )),
]  # fmt: skip
SAYS = {"RowProblem", "CellRefused", "RowRefused", "RowFinding", "NotAnOrder", "refused", "_problem"}


def codes() -> set[str]:
    """What stands as a code in a call that refuses a row or leaves it out."""
    found = set()
    for path in SAID_IN:
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or getattr(call.func, "id", getattr(call.func, "attr", "")) not in SAYS:
                continue
            given = [*call.args, *(word.value for word in call.keywords if word.arg in ("code", "reason"))]
            chosen = [branch for one in given for branch in ((one.body, one.orelse) if isinstance(one, ast.IfExp) else (one,))]
            found |= {
                one.value for one in chosen
                if isinstance(one, ast.Constant) and isinstance(one.value, str) and re.fullmatch("[a-z]+(_[a-z]+)*", one.value)
            }  # fmt: skip
    return found


def test_no_code_of_a_row_lacks_words():
    all_codes = codes()
    assert {"amount_too_fine", "not_a_date", "over_shipped", "stock_adjustment_out", "not_applied"} <= all_codes, "the codes are found"
    with translation.override("zh-hans"):
        lacking = sorted(code for code in all_codes if not re.search("[\u4e00-\u9fff]", reason_words(code)))
    assert lacking == []
    with translation.override("en"):
        assert reason_words("amount_too_fine") == "amounts with more decimals than the currency has"


@pytest.mark.parametrize(
    ("n", "english", "chinese"), [(1, "1 new order", "新订单 1 个"), (1200, "1,200 new orders", "新订单 1,200 个")]
)
def test_so_many_of_a_kind(n, english, chinese):
    with translation.override("en"):
        assert counted_words("order", n) == english
    with translation.override("zh-hans"):
        assert counted_words("order", n) == chinese
