"""What can be wrong with a file or a cell, as stable codes with a sentence each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def N_(message: str) -> str:
    """Marks a sentence for the translators; it is translated when shown. Needs no settings, unlike `gettext_noop`."""
    return message


class SheetRefused(Exception):
    """A file cannot be used at all. `code` is stable; `message` an English msgid with `%(name)s` places.

    `sentence()` is the message in the reader's language with `params` filled in: what is wrong and what to do.
    """

    def __init__(self, code: str, message: str, params: Mapping[str, Any] | None = None) -> None:
        self.code = code
        self.message = message
        self.params = dict(params or {})
        super().__init__(message % self.params)

    def sentence(self) -> str:
        from daifa.lib.sentences import gettext

        return gettext(self.message) % self.params


class CellRefused(ValueError):
    """One cell does not hold what its column should. Carries the same code, message and params as `SheetRefused`.

    Messages name the column; whoever knows it sets `params["column"]` with `in_column`.
    """

    def __init__(self, code: str, message: str, params: Mapping[str, Any] | None = None) -> None:
        self.code = code
        self.message = message
        self.params = {"column": "?", **(params or {})}
        super().__init__(message % self.params)

    def in_column(self, column: str) -> CellRefused:
        """The same refusal, naming the column as the person's file names it."""
        return CellRefused(self.code, self.message, {**self.params, "column": column})
