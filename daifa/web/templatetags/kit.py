"""What templates of the console may use: `{% load kit %}`."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from django import forms, template
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from daifa.lib import regions
from daifa.web.kit import format as fmt
from daifa.web.kit import navigation
from daifa.web.kit.scope import scope_of

register = template.Library()

register.filter("country", regions.country)
register.filter("money", fmt.money)
register.filter("quantity", fmt.quantity_text)
register.filter("percent", fmt.percent_text)
register.filter("day", fmt.date_text)
register.filter("month", fmt.month_text)
register.filter("when", fmt.when)
register.filter("ago", fmt.ago)
register.filter("due", fmt.due)
register.simple_tag(fmt.icon, name="icon")
register.simple_tag(fmt.badge, name="badge")
register.simple_tag(fmt.state_badge, name="state_badge")


@register.simple_tag(takes_context=True)
def panel(context: template.Context, one: Any) -> SafeString:
    """Draws a panel."""
    return one.render(context.get("request"))


@register.inclusion_tag("web/parts/button.html", takes_context=True)
def button(context: template.Context, one: Any, small: bool = False) -> dict[str, Any]:
    """An `ActionButton` or `LinkButton`."""
    request = context.get("request")
    return {
        "one": one, "small": small, "request": request, "csrf_token": context.get("csrf_token"),
        "style": {"primary": "btn-primary", "danger": "btn-outline-danger", "warning": "btn-outline-warning",
                  "ghost": "btn-ghost-secondary"}.get(one.style, ""),
        "next": request.get_full_path() if request else "",
    }  # fmt: skip


@register.inclusion_tag("web/parts/sidebar.html", takes_context=True)
def sidebar(context: template.Context) -> dict[str, Any]:
    request = context["request"]
    return {"items": navigation.items(request, scope_of(request)), **_frame(context)}


@register.simple_tag
def sections(items: list[navigation.Item]) -> SafeString:
    """The list of sections. Drawn once for each way it looks: it stands on every page and seldom changes."""
    return _sections(tuple(_plain(one) for one in items))


def _plain(one: navigation.Item) -> navigation.Item:
    """With its label in the reader's language, so that two looks are one thing only where they are the same words."""
    return replace(one, label=str(one.label), items=tuple(_plain(inside) for inside in one.items))


@lru_cache(maxsize=512)
def _sections(items: tuple[navigation.Item, ...]) -> SafeString:
    return render_to_string("web/parts/sections.html", {"items": items})


@register.inclusion_tag("web/parts/topbar.html", takes_context=True)
def topbar(context: template.Context) -> dict[str, Any]:
    request = context["request"]
    scope = scope_of(request)
    return {"scope": scope, "search_url": navigation.address("search"), **_frame(context)}


@register.inclusion_tag("web/parts/switches.html", takes_context=True)
def switches(context: template.Context) -> dict[str, Any]:
    """Language and theme, for pages without the top bar."""
    return _frame(context)


def _frame(context: template.Context) -> dict[str, Any]:
    request = context["request"]
    return {
        "request": request, "user": getattr(request, "user", None), "csrf_token": context.get("csrf_token"),
        "here": request.get_full_path() if request.method in ("GET", "HEAD") else "/",
        "languages": settings.LANGUAGES, "language": get_language() or settings.LANGUAGE_CODE,
    }  # fmt: skip


@register.simple_tag
def url_or_none(name: str) -> str:
    """The address of `name`, "" where there is no such page."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


@register.inclusion_tag("web/parts/field.html")
def field(bound: forms.BoundField, unlabeled: bool = False) -> dict[str, Any]:
    """A form field with its label, help and errors."""
    widget = bound.field.widget
    kind = "input"
    css = "form-control"
    if isinstance(widget, forms.CheckboxInput):
        kind, css = "check", "form-check-input"
    elif isinstance(widget, (forms.RadioSelect, forms.CheckboxSelectMultiple)):
        kind, css = "group", "form-check-input"
    elif isinstance(widget, forms.Select):
        css = "form-select"
    if bound.errors:
        css += " is-invalid"
    attrs = {"class": f"{widget.attrs.get('class', '')} {css}".strip()}
    if bound.errors:
        attrs["aria-invalid"] = "true"
    if kind == "group":
        widget.attrs["class"] = css
    return {
        "bound": bound, "kind": kind, "unlabeled": unlabeled, "css": css,
        "widget": bound.as_widget(attrs=attrs) if kind != "group" else "",
    }  # fmt: skip
