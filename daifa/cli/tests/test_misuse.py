"""A wrong call is answered in the language of the command line, in a sentence and not in the library's English."""

import re

import pytest
from typer.testing import CliRunner

from daifa.cli import language, main, misuse

CHINESE = language.words(language.CHINESE)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (["--nope"], "没有选项 --nope。"),
        (["up", "--port", "many"], "'--port'：请填写整数。"),
        (["up", "--port"], "选项 '--port' 需要一个值。"),
        (["up", "now"], "多出了命令不接受的内容：now"),
        (["up", "--prot", "3"], "没有选项 --prot。"),
        (["login-link", "--user"], "选项 '--user' 需要一个值。"),
    ],
)
def test_a_wrong_call_is_answered_in_chinese(call, sentence, monkeypatch):
    monkeypatch.setenv("DAIFA_LANGUAGE", "zh-hans")
    monkeypatch.setattr(main, "_open", lambda needs: None)  # what a command needs is not reached by a wrong call
    result = CliRunner().invoke(main.app, call, prog_name="daifa")
    assert result.exit_code == 2
    shown = result.stderr
    assert sentence in shown
    assert not re.search(r"Error|Missing|Invalid|No such|Usage:|for help", shown), shown


def test_in_english_the_library_speaks_for_itself(monkeypatch):
    monkeypatch.setenv("DAIFA_LANGUAGE", "en")
    result = CliRunner().invoke(main.app, ["--nope"], prog_name="daifa")
    assert result.exit_code == 2 and "No such option: --nope" in result.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Missing argument 'rule'.", "缺少参数 'rule'。"),
        ("Missing option '--currency'.", "缺少选项 '--currency'。"),
        ("Missing argument 'kind'. Choose from: a, b", "有内容未填写：'kind'。Choose from: a, b"),
        ("No such command 'chek'. Did you mean 'check'?", "没有命令 'chek'。您是指 'check' 吗？"),
        ("Invalid value for '--on': File 'x.csv' does not exist.", "'--on'：'x.csv' 不存在。"),
        ("Invalid value for '--days': Input should be greater than or equal to 1", "'--days'：不得小于 1。"),
        ("Something else went wrong", "Something else went wrong"),
    ],
)
def test_the_sentences_of_the_library(text, told):
    assert misuse.said(text, CHINESE) == told


def test_a_question_that_is_not_answered_ends_in_chinese(monkeypatch):
    import typer
    from typer import rich_utils

    monkeypatch.setattr(rich_utils, "ABORTED_TEXT", "Aborted.")
    monkeypatch.setenv("DAIFA_LANGUAGE", "zh-hans")
    with pytest.raises(typer.Abort), misuse.spoken():
        raise typer.Abort
    assert rich_utils.ABORTED_TEXT == "已中止。"
