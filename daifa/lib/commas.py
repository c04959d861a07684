"""Commas of the reader's language."""

from __future__ import annotations

from collections.abc import Iterable

from daifa.lib.sentences import joined


def listed(words: Iterable[object], *, comma: str = "、") -> str:
    """The words one after the other, with the comma of the reader's language; `comma` is the Chinese one ("，" between clauses)."""
    return joined(", ", words, chinese=comma)
