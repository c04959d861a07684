"""May this be erased now? Pure; worked tables in docs/rules/privacy.md."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """How long a class of data is kept, in days from the end of the order. `at_most` None: until somebody asks."""

    at_least: int
    at_most: int | None


class Verdict(NamedTuple):
    """`code` "" = it may be erased; else why not (a key of WHY_NOT), and until when where that is known."""

    code: str
    until: datetime | None = None

    @property
    def may(self) -> bool:
        return not self.code


def verdict(answer: Answer | None, *, ended_at: datetime, at: datetime, asked: bool, holds: bool = False) -> Verdict:
    """`asked`: a person wants it gone; otherwise its time alone decides. A hold goes before everything."""
    if holds:
        return Verdict("on_hold")
    if answer is None:
        return Verdict("unknown")
    earliest = ended_at + timedelta(days=answer.at_least)
    if at < earliest:
        return Verdict("too_early", earliest)
    if asked:
        return Verdict("")
    if answer.at_most is None:
        return Verdict("only_when_asked")
    latest = ended_at + timedelta(days=answer.at_most)
    return Verdict("still_kept", latest) if at < latest else Verdict("")


def nearest(answers: dict[tuple[int | None, str], Any], store: int, country: str) -> Any:
    """The answer that counts for a store and a buyer's country: the store's own before the general one, and within
    each the country's before that for every other country."""
    for key in ((store, country), (store, ""), (None, country), (None, "")):
        if key in answers:
            return answers[key]
    return None
