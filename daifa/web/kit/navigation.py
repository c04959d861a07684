"""The sections of the side bar. A section appears when a page of its name exists and the person may see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, get_script_prefix, get_urlconf, reverse
from django.utils.translation import gettext_lazy as _

from daifa.web.kit.scope import Scope


@dataclass(frozen=True)
class Section:
    """`name`: of the URL ("web:orders"). `needs`: as of `page`. `inside`: sections folded under a heading."""

    name: str
    label: Any
    icon: str
    needs: str = "view"
    inside: tuple[Section, ...] = ()
    installation: bool = False  # only for the owner of the installation


SECTIONS: tuple[Section, ...] = (
    Section("today", _("Today"), "home"),
    Section("orders", _("Orders"), "shopping-cart"),
    Section("purchases", _("Purchase orders"), "clipboard-list"),
    Section("runs", _("Runs"), "file-spreadsheet"),
    Section("reminders", _("Reminders"), "clock"),
    Section("parcels", _("Parcels"), "truck-delivery"),
    Section("aftersales", _("Aftersales"), "receipt-refund"),
    Section("messages", _("Messages"), "message-2"),
    Section("catalogue", _("Catalogue"), "package"),
    Section("suppliers", _("Suppliers & offers"), "building-factory-2"),
    Section(
        "compliance", _("Compliance"), "shield-lock",
        inside=(
            Section("store_health", _("Store health"), "chart-line"),
            Section("exit_index", _("Exit index"), "trending-down"),
            Section("clocks", _("Clocks"), "clock"),
            Section("risks", _("No-source risk"), "alert-triangle"),
            Section("parcel_checks", _("Parcel checks"), "eye"),
            Section("violations", _("Violations"), "flag"),
            Section("complaints", _("Complaint cases"), "inbox"),
            Section("infringements", _("Infringement"), "ban"),
            Section("qualifications", _("Qualifications"), "file-text"),
            Section("evidence", _("Evidence"), "checklist"),
            Section("findings", _("Words found"), "search"),
            Section("rules", _("Rule book"), "book-2"),
        ),
    ),
    Section("closings", _("Closing"), "calendar-due"),
    Section("imports", _("Imports"), "file-import"),
    Section("books", _("Books"), "book-2"),
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


def count(name: str, counter: Callable[[Scope], int]) -> None:
    """Shows `counter(scope)` beside the section `name` when it is not zero. Called by a page module when it is loaded."""
    _COUNTS[name] = counter


@dataclass(frozen=True)
class Item:
    label: Any
    icon: str
    url: str
    active: bool
    count: int = 0
    items: tuple[Item, ...] = ()


def address(name: str) -> str | None:
    return _address(name, get_urlconf() or settings.ROOT_URLCONF, get_script_prefix())


@lru_cache(maxsize=512)
def _address(name: str, urlconf: Any, _prefix: str) -> str | None:
    """Asked for every section of every page, and always the same."""
    try:
        return reverse(f"web:{name}", urlconf=urlconf)
    except NoReverseMatch:
        return None


def items(request: HttpRequest, scope: Scope) -> list[Item]:
    """What the side bar shows on this request; the section whose address begins like the present one is active."""
    flat = [section for one in SECTIONS for section in (one, *one.inside)]
    known = {section.name: url for section in flat if (url := address(section.name))}
    here = max((url for url in known.values() if request.path.startswith(url)), key=len, default="")
    if here == "/" and request.path != "/":
        here = ""

    def item(section: Section) -> Item | None:
        inside = tuple(found for one in section.inside if (found := item(one)))
        url = known.get(section.name) or (inside[0].url if inside else None)
        if url is None or not scope.may(section.needs) or (section.installation and not scope.is_superuser):
            return None
        counter = _COUNTS.get(section.name)
        return Item(
            section.label, section.icon, url, active=url == here or any(one.active for one in inside),
            count=counter(scope) if counter else 0, items=inside,
        )  # fmt: skip

    return [found for section in SECTIONS if (found := item(section))]
