"""The map of buyers' data cannot rot: a column that can hold words stands in it, or among what is not personal."""

from collections import Counter

import pytest
from django.apps import apps
from django.db import models

from daifa.domain.privacy.places import (
    ABOUT,
    CLASSES,
    CODES,
    FOLDERS,
    HOW,
    NOT_PERSONAL,
    PERSONAL,
    RULES_OF,
    WHO,
)
from daifa.flows.shred_places import is_text

STAFF = {"auth", "contenttypes", "sessions", "account", "mfa", "people", "pghistory", "procrastinate"}
"""Apps of which a whole model may be declared at once: they know who works here, or are the engine's."""


def can_hold_words(column: models.Field) -> bool:
    return is_text(column) or isinstance(column, (models.BinaryField, models.FileField, models.UUIDField))


def columns() -> list[tuple[str, str]]:
    """(model, column) of every column that can hold a name and is no code."""
    found = []
    for model in apps.get_models(include_auto_created=True):
        if getattr(model, "pgh_tracked_model", None) is not None:
            continue  # histories of edits: erased as what they follow, whatever columns they have
        found += [
            (model._meta.label, column.name)
            for column in model._meta.concrete_fields
            if can_hold_words(column) and not column.choices and column.name not in CODES
        ]
    return found


DECLARED = Counter((place.model, name) for place in PERSONAL for name in place.fields.split())
NOT = Counter((model, name) for model, names in NOT_PERSONAL.items() if names != "*" for name in names.split())
WHOLE = {model for model, names in NOT_PERSONAL.items() if names == "*"}


def test_every_column_is_on_the_map_or_said_not_to_be_personal():
    missing = [f"{model}.{name}" for model, name in columns() if model not in WHOLE and not DECLARED[model, name] and not NOT[model, name]]
    assert not missing, (
        f"{missing} can hold words: say in daifa/domain/privacy/places.py whether buyers' data may stand there (PERSONAL, "
        f"and how it is erased) or not (NOT_PERSONAL)"
    )


def test_nothing_is_declared_twice_or_gone():
    twice = [f"{model}.{name}" for (model, name), times in (DECLARED + NOT).items() if times > 1]
    assert not twice
    here = {(model._meta.label, column.name) for model in apps.get_models() for column in model._meta.concrete_fields}
    assert sorted(set(DECLARED + NOT) - here) == [], "columns that are not there any more"
    labels = {model._meta.label for model in apps.get_models(include_auto_created=True)}
    assert sorted(WHOLE - labels) == []
    assert {model.split(".")[0] for model in WHOLE} <= STAFF, "of our own subjects each column is declared"


@pytest.mark.parametrize("place", PERSONAL, ids=lambda place: f"{place.model}.{place.fields}")
def test_places_use_known_words(place):
    assert place.data in CLASSES and place.how in HOW and place.who in WHO
    assert all(ABOUT[place.model])


def test_folders_and_rules_use_known_words():
    for folder in FOLDERS:
        assert folder.how in HOW and folder.who in WHO and (not folder.data or folder.data in CLASSES)
    assert set(RULES_OF) == set(CLASSES)


def test_what_hangs_on_an_order_by_marks_is_really_text():
    for place in PERSONAL:
        model = apps.get_model(place.model)
        for name in place.fields.split():
            column = model._meta.get_field(name)
            if place.how == "marks":
                assert is_text(column), f"{place.model}.{name} cannot be looked through"
