"""A column for sentences: each row is told in the language of whoever reads it."""

from __future__ import annotations

from typing import Any

from django.db import models

from daifa.lib.sentences import kept, told


class _Kept(models.Field):
    """Goes in as `kept`, comes out as `told`; in the database, and in migrations, it is the plain column it stands on."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return kept(value, self.max_length) if isinstance(value, str) else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return told(value) if isinstance(value, str) else value

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, f"django.db.models.{type(self).__mro__[2].__name__}", args, kwargs


class SentenceField(_Kept, models.CharField):
    """A sentence of at most `max_length` characters as it is kept, which is longer than as it is read."""


class LongSentenceField(_Kept, models.TextField):
    """A sentence of any length."""
