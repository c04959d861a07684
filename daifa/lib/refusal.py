"""How a command says no: a sentence a merchant understands, and a stable code for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Refused(Exception):
    """A command that does one thing would not do it. `sentence` is ready to be shown; `field` names the input."""

    def __init__(self, sentence: str, *, code: str = "refused", field: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code
        self.field = field


@dataclass(frozen=True, slots=True)
class RowRefused:
    """One of many rows that a command would not take, or took with a remark: which, why, what to do.

    `message` is an untranslated English msgid with `%(name)s` places, filled from `params`.
    """

    row: int
    document: str  # the SKU or number the row is about
    code: str
    message: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def sentence(self) -> str:
        from daifa.lib.sentences import gettext

        return gettext(self.message) % self.params
