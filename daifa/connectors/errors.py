"""What a connector raises, named by what has to be done next."""

from __future__ import annotations

from datetime import datetime


class ConnectorError(Exception):
    """Base of all expected connector failures. `sentence` can be shown to a merchant; it holds no personal data."""

    def __init__(self, sentence: str, *, code: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code


class TryLater(ConnectorError):
    """The other side is busy or limits us; ask again not before `not_before` (aware), or after a default pause."""

    def __init__(self, sentence: str, *, not_before: datetime | None = None, code: str = "rate_limited") -> None:
        super().__init__(sentence, code=code)
        self.not_before = not_before


class NeedsPerson(ConnectorError):
    """Only a person can go on; becomes a task on Today."""


class LoginExpired(NeedsPerson):
    """The account link must be renewed by a person."""


class NotSupported(ConnectorError):
    """This platform cannot do that at all."""


class Refused(ConnectorError):
    """The other side understood and said no; asking again will not help."""


class AnswerMissing(ConnectorError):
    """We do not know whether it happened (timeout, broken connection). Never resent: resolved by asking."""
