"""Which language the command line speaks, and its help in that language. Looks at the environment; needs no Django.

Help is written in English where a command is declared, and translated when a command is called: from the same catalogue
as everything else (`daifa.lib.strings` collects it there).
"""

from __future__ import annotations

import gettext
import inspect
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

LOCALE = Path(__file__).resolve().parent.parent / "locale"
CHINESE = "zh-hans"


def wanted(environment: Mapping[str, str]) -> str:
    """zh-hans or en: as DAIFA_LANGUAGE says, else as the system's language is."""
    said = environment.get("DAIFA_LANGUAGE") or environment.get("DAIFA_LANG")
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        said = said or environment.get(name)
    return CHINESE if (said or "").lower().startswith("zh") else "en"


def speak() -> str:
    """Settle the language for this program and all it starts; returns it."""
    os.environ["DAIFA_LANGUAGE"] = wanted(os.environ)
    return os.environ["DAIFA_LANGUAGE"]


def words(language: str) -> Callable[[str], str]:
    """What says a sentence in `language`; itself where there is no catalogue (yet)."""
    file = LOCALE / "zh_Hans" / "LC_MESSAGES" / "django.mo"
    if language != CHINESE or not file.is_file():
        return str
    return _catalogue(file, file.stat().st_mtime_ns).gettext


@lru_cache(maxsize=1)
def _catalogue(file: Path, _changed_at: int) -> gettext.GNUTranslations:
    """Read here, and not through the cache that Django shares: a catalogue that was compiled meanwhile counts."""
    with file.open("rb") as opened:
        return gettext.GNUTranslations(opened)


def translate(command: Any, language: str | None = None) -> Any:
    """Put the help of a command, its options and everything below it into the language; returns the command."""
    language = language or wanted(os.environ)
    if language == CHINESE:
        say = words(language)
        _translate(command, lambda text: say(inspect.cleandoc(text)) if text else text)
        _frame(command, say)
    return command


def _translate(command: Any, say: Callable[[str | None], str | None]) -> None:
    command.help, command.short_help = say(command.help), say(command.short_help)
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = say(parameter.help)
    asked, usage = command.get_help_option, command.get_usage

    def help_option(context: Any) -> Any:
        option = asked(context)
        if option is not None:
            option.help = say(option.help)
        return option

    command.get_help_option = help_option
    command.get_usage = lambda context: usage(context).replace("Usage: ", say("Usage:") or "", 1)
    for inner in getattr(command, "commands", {}).values():
        _translate(inner, say)


def _frame(command: Any, say: Callable[[str], str]) -> None:
    """The headings around help; the module that draws them is heavy and loaded only when help is drawn."""
    drawn = command.format_help

    def format_help(context: Any, formatter: Any) -> None:
        from typer import rich_utils

        for name in (
            "ARGUMENTS_PANEL_TITLE", "OPTIONS_PANEL_TITLE", "COMMANDS_PANEL_TITLE", "ERRORS_PANEL_TITLE", "DEFAULT_STRING",
            "REQUIRED_LONG_STRING", "ENVVAR_STRING",
        ):  # fmt: skip
            setattr(rich_utils, name, say(getattr(rich_utils, name)))
        drawn(context, formatter)

    command.format_help = format_help
    for inner in getattr(command, "commands", {}).values():
        _frame(inner, say)


def N_(text: str) -> str:
    """Marks a sentence of the library that draws the help, so that the catalogue holds it."""
    return text


OF_THE_LIBRARY = (
    N_("Usage:"), N_("Show this message and exit."), N_("Arguments"), N_("Options"), N_("Commands"), N_("Error"),
    N_("[required]"), N_("[default: {}]"), N_("[env var: {}]"),
    N_("Install completion for the current shell."),
    N_("Show completion for the current shell, to copy it or customize the installation."),
)  # fmt: skip
