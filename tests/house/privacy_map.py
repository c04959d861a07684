"""docs/rules/privacy-map.md: the map of buyers' data, printed from `daifa/domain/privacy/places.py`."""

from __future__ import annotations

from daifa.domain.privacy.places import ABOUT, CLASSES, FOLDERS, HOW, PERSONAL, WHO, Place
from tests.house.printed import table


def print_columns() -> str:
    rows = []
    for data in CLASSES:
        rows += [_row(place) for place in PERSONAL if place.data == data]
    return table(["column", "that is", "即", "class", "how it goes", "怎样抹除", "who sees it"], rows)


def _row(place: Place) -> tuple:
    columns = ", ".join(f"`{name}`" for name in place.fields.split())
    return f"`{place.model}` {columns}", *ABOUT[place.model], f"`{place.data}`", HOW[place.how][0], HOW[place.how][1], WHO[place.who][0]


def print_folders() -> str:
    return table(
        ["below DAIFA_HOME", "what", "内容", "class", "how it goes", "who sees it"],
        [
            (f"`{one.pattern}`", one.about, one.about_zh, f"`{one.data}`" if one.data else "", HOW[one.how][0], WHO[one.who][0])
            for one in FOLDERS
        ],
    )  # fmt: skip


def print_classes() -> str:
    return table(["class", "English", "中文"], [(f"`{code}`", *words) for code, words in CLASSES.items()])
