"""What the command line's library says of a wrong call, in the reader's language: “Missing argument”, “No such option” …

The library's own words are recognised by their pattern; a sentence nobody foresaw stays as it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from daifa.cli import language
from daifa.cli.language import N_

_Say = Callable[[str], str]

# Pattern of the library's sentence → ours. The groups fill it; `why` and `more` are sentences of this table themselves.
SENTENCES: tuple[tuple[str, str], ...] = (
    (r"Missing (?:argument|parameter) (?P<name>'.+?')\.?", N_("The argument %(name)s is missing.")),
    (r"Missing option (?P<name>'.+')\.?", N_("The option %(name)s is missing.")),
    (r"Missing (?:argument|option|parameter) (?P<name>'.+?')\. (?P<more>.+)", N_("Something is missing: %(name)s. %(more)s")),
    (r"Missing command\.", N_("The command is missing.")),
    (r"No such option: (?P<name>\S+) \(Possible options: (?P<names>.+)\)", N_("There is no option %(name)s. Possible: %(names)s")),
    (r"No such option: (?P<name>\S+)(?: Did you mean (?P<names>.+)\?)?", N_("There is no option %(name)s.")),
    (r"No such command (?P<name>'.+')\. Did you mean (?P<names>.+)\?", N_("There is no command %(name)s. Did you mean %(names)s?")),
    (r"No such command (?P<name>'.+')\.", N_("There is no command %(name)s.")),
    (r"Got unexpected extra arguments?(?:\(s\))? \((?P<names>.+)\)", N_("There is more than the command takes: %(names)s")),
    (r"Option (?P<name>'.+') does not take a value\.", N_("The option %(name)s takes no value.")),
    (r"Option (?P<name>'.+') requires an argument\.?", N_("The option %(name)s needs a value.")),
    (r"Option (?P<name>'.+') requires (?P<count>\d+) arguments\.?", N_("The option %(name)s needs %(count)s values.")),
    (r"Argument (?P<name>'.+') takes (?P<count>\d+) values\.", N_("The argument %(name)s takes %(count)s values.")),
    (r"Invalid value for (?P<name>.+?): (?P<why>.+)", N_("%(name)s: %(why)s")),
    (r"Invalid value: (?P<why>.+)", N_("This value is not possible: %(why)s")),
    (r"Input should be a valid integer.*", N_("A whole number is needed.")),
    (r"Input should be a valid number.*", N_("A number is needed.")),
    (r"Input should be a valid boolean.*", N_("Yes or no is needed.")),
    (r"Input should be a valid date.*", N_("A date is needed, such as 2026-05-01.")),
    (r"Input should be greater than or equal to (?P<count>\S+)", N_("It has to be %(count)s or more.")),
    (r"Input should be less than or equal to (?P<count>\S+)", N_("It has to be %(count)s or less.")),
    (r"Input should be (?P<names>'.+)", N_("Possible is %(names)s.")),
    (r"(?:File|Path|Directory) (?P<name>'.+') does not exist\.", N_("%(name)s does not exist.")),
    (r"(?:File|Path|Directory) (?P<name>'.+') is a directory\.", N_("%(name)s is a folder.")),
    (r"(?:File|Path|Directory) (?P<name>'.+') is a file\.", N_("%(name)s is a file.")),
    (r"(?:File|Path|Directory) (?P<name>'.+') is not (?:readable|writable)\.", N_("%(name)s may not be opened.")),
)  # fmt: skip
ABORTED = N_("Aborted.")
TRY = N_("See %(command)s for how it is used.")


def said(text: str, say: _Say) -> str:
    """The library's sentence by `say`; itself where it is none of SENTENCES."""
    for pattern, ours in SENTENCES:
        if found := re.fullmatch(pattern, text.strip(), re.DOTALL):
            parts = {key: value or "" for key, value in found.groupdict().items()}
            for inner in ("why", "more"):
                if inner in parts:
                    parts[inner] = said(parts[inner], say)
            if "names" in parts:
                parts["names"] = parts["names"].replace(" or ", " / ")
            return say(ours) % parts
    return text


@contextmanager
def spoken() -> Iterator[None]:
    """Within, the library's complaints about how a command was called come out in the language of the command line."""
    from typer._click.exceptions import NoArgsIsHelpError, UsageError
    from typer.exceptions import Abort

    try:
        yield
    except NoArgsIsHelpError:
        raise  # it is the help itself
    except (Abort, KeyboardInterrupt, EOFError):
        from typer import rich_utils

        rich_utils.ABORTED_TEXT = language.words(language.wanted(os.environ))(ABORTED)
        raise
    except UsageError as error:
        if language.wanted(os.environ) == language.CHINESE:
            _translate(error, language.words(language.CHINESE))
        raise


def _translate(error: Any, say: _Say) -> None:
    from typer import rich_utils

    told = said(error.format_message(), say)
    error.format_message = lambda: told
    rich_utils.ERRORS_PANEL_TITLE = say("Error")
    rich_utils.RICH_HELP = say(TRY) % {"command": "[blue]{command_path} {help_option}[/]"}
    if error.ctx is not None:
        usage = error.ctx.command.get_usage
        error.ctx.command.get_usage = lambda context: usage(context).replace("Usage: ", say("Usage:"), 1)
