"""The sections of the side bar, in groups that fold. A section appears when a page of its name exists and the person may see it.

Which groups are unfolded is kept in a cookie that the console's script writes: the page comes as it will stay, nothing jumps,
and without a script a group still folds. The group of the present page is always open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, get_script_prefix, get_urlconf, reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from daifa.web.kit.scope import Scope


@dataclass(frozen=True)
class Section:
    """`name`: of the URL ("web:orders"). `needs`: as of `page`. `inside`: the sections of a group, which has no page itself.

    `also`: a pattern of other addresses that belong to it, though another section's address begins like them.
    """

    name: str
    label: Any
    icon: str
    needs: str = "view"
    inside: tuple[Section, ...] = ()
    installation: bool = False  # only for the owner of the installation
    also: str = ""


SECTIONS: tuple[Section, ...] = (
    Section("today", _("Today"), "home"),
    Section(
        "selling", _("Orders & shipping"), "shopping-cart",
        inside=(
            Section("orders", _("Orders"), "shopping-cart"),
            Section("purchases", _("Purchase orders"), "clipboard-list"),
            Section("runs", _("Runs"), "file-spreadsheet"),
            Section("reminders", _("Reminders"), "clock"),
            Section("parcels", _("Parcels"), "truck-delivery"),
            Section("aftersales", _("Aftersales"), "receipt-refund"),
            Section("messages", _("Messages"), "message-2"),
            Section("imports", _("Imports"), "file-import"),
        ),
    ),
    Section(
        "goods", _("Goods & supply"), "package",
        inside=(
            Section("catalogue", _("Catalogue"), "package"),
            Section("listings", _("Listings"), "tags"),
            Section("suppliers", _("Suppliers & offers"), "building-factory-2"),
            Section("parcel_checks", _("Parcel checks"), "eye"),
        ),
    ),
    Section(
        "compliance", _("Compliance"), "shield-lock",
        inside=(
            Section("store_health", _("Store health"), "chart-line"),
            Section("clocks", _("Clocks"), "clock"),
            Section("risks", _("No-source risk"), "alert-triangle"),
            Section("violations", _("Violations"), "flag"),
            Section("deposit", _("Deposit"), "wallet"),
            Section("complaints", _("Complaint cases"), "inbox"),
            Section("infringements", _("Infringement"), "ban"),
            Section("qualifications", _("Qualifications"), "file-text"),
            Section("evidence", _("Evidence"), "checklist", "operate"),
            Section("findings", _("Words found"), "search"),
            Section("rules", _("Rule book"), "book-2"),
        ),
    ),
    Section(
        "ending", _("Closing"), "calendar-due",
        inside=(
            Section("closings", _("Life of the stores"), "calendar-due", also=r"/stores/\d+/life/"),
            Section("exit_index", _("Exit index"), "trending-down"),
            Section("closures", _("Closings by year"), "chart-bar"),
        ),
    ),
    Section("books", _("Books"), "report-money"),
    Section(
        "settings", _("Settings"), "settings",
        inside=(
            Section("stores", _("Stores"), "building-store"),
            Section("people", _("People"), "users", "own"),
            Section("templates", _("Templates"), "template"),
            Section("privacy", _("Buyers' data"), "lock", "own"),
            Section("installation", _("This installation"), "adjustments", "own", installation=True),
        ),
    ),
)  # fmt: skip

# Small numbers beside a section ("how many wait"): section name → function of the scope. Kept cheap: every page asks.
_COUNTS: dict[str, Callable[[Scope], int]] = {}
_COUNTERS: list[Callable[[Scope], Mapping[str, int]]] = []


def count(name: str, counter: Callable[[Scope], int]) -> None:
    """Shows `counter(scope)` beside the section `name` when it is not zero. Called by a page module when it is loaded."""
    _COUNTS[name] = counter


def counts(counter: Callable[[Scope], Mapping[str, int]]) -> None:
    """As `count`, of many sections in one statement: `counter(scope)` gives section → number."""
    if counter not in _COUNTERS:
        _COUNTERS.append(counter)


COOKIE = "daifa_groups"
"""Names of the unfolded groups, with dots between; "-" before them, so that "none" can be told from "never said"."""
OPEN_AT_FIRST = ("selling",)


@dataclass(frozen=True)
class Item:
    """A section as it is drawn. `items`: of a group, which is `open` or folded; its `count` is that of its sections."""

    label: Any
    icon: str
    url: str
    active: bool
    count: int = 0
    items: tuple[Item, ...] = ()
    name: str = ""
    open: bool = False


def address(name: str) -> str | None:
    return _address(name, get_urlconf() or settings.ROOT_URLCONF, get_script_prefix())


@lru_cache(maxsize=512)
def _address(name: str, urlconf: Any, _prefix: str) -> str | None:
    """Asked for every section of every page, and always the same."""
    try:
        return reverse(f"web:{name}", urlconf=urlconf)
    except NoReverseMatch:
        return None


def unfolded(request: HttpRequest) -> frozenset[str]:
    """Names of the groups this person left open."""
    said = request.COOKIES.get(COOKIE, "")
    return frozenset(said[1:].split(".")) if said.startswith("-") else frozenset(OPEN_AT_FIRST)


def _visible(section: Section, scope: Scope) -> bool:
    return scope.may(section.needs) and (not section.installation or scope.is_superuser)


def items(request: HttpRequest, scope: Scope) -> list[Item]:
    """What the side bar shows on this request; the section whose address begins like the present one is active."""
    flat = [section for one in SECTIONS for section in (one, *one.inside)]
    known = {section.name: url for section in flat if (url := address(section.name))}
    here = max((url for url in known.values() if request.path.startswith(url)), key=len, default="")
    if here == "/" and request.path != "/":
        here = ""
    here = next((known[one.name] for one in flat if one.also and one.name in known and re.search(one.also, request.path)), here)
    left_open = unfolded(request)
    numbers: dict[str, int] = {}
    if scope.store_ids:
        for counter in _COUNTERS:
            numbers.update(counter(scope))
        numbers.update({name: one(scope) for name, one in _COUNTS.items()})

    def item(section: Section) -> Item | None:
        if not _visible(section, scope):
            return None
        if section.inside:
            inside = tuple(found for one in section.inside if (found := item(one)))
            if not inside:
                return None
            active = any(one.active for one in inside)
            return Item(
                section.label, section.icon, "", active, sum(one.count for one in inside), inside, section.name,
                open=active or section.name in left_open,
            )  # fmt: skip
        url = known.get(section.name)
        if url is None:
            return None
        return Item(section.label, section.icon, url, url == here, numbers.get(section.name, 0), name=section.name)

    return [found for section in SECTIONS if (found := item(section))]


def named(words: str, scope: Scope) -> list[tuple[str, str]]:
    """(label, address) of the sections whose name, or whose group's name, holds these words in one of the languages."""
    wanted = words.strip().casefold()
    found: dict[str, str] = {}
    if len(wanted) < 2:
        return []
    for one in SECTIONS:
        for section in one.inside or (one,):
            url = address(section.name)
            if url is None or not _visible(section, scope):
                continue
            if any(wanted in said for label in {one.label, section.label} for said in _in_every_language(label)):
                found[url] = f"{one.label} · {section.label}" if one.inside else str(section.label)
    return [(label, url) for url, label in found.items()]


def _in_every_language(label: Any) -> list[str]:
    said = []
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            said.append(str(label).casefold())
    return said
