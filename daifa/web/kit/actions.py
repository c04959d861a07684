"""Buttons that do something, and the answer after they did it.

A button that is not allowed is shown disabled together with the guard's sentence; the server asks the guard again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html, format_html_join
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import ngettext

from daifa.web.kit.scope import Scope


@dataclass(frozen=True)
class ActionButton:
    """Posts to `url` (with CSRF and `fields`).

    `reason`: None when allowed, else the sentence why not. `confirm`: a question asked before. `ask`: the label of a
    text the person must give first; it arrives as POST["reason"]. style: "" · primary · danger · warning · ghost.
    """

    label: Any
    url: str
    icon: str = ""
    style: str = ""
    reason: str | None = None
    confirm: Any = None
    ask: Any = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    method: str = field(default="post", init=False)


@dataclass(frozen=True)
class LinkButton:
    """Leads to `url`; looks like an `ActionButton`. `download` for files."""

    label: Any
    url: str
    icon: str = ""
    style: str = ""
    reason: str | None = None
    download: bool = False
    method: str = field(default="get", init=False)


@dataclass(frozen=True)
class BulkAction:
    """Posts the chosen rows' `ids` (a list of strings) and `next` to `url`. Shown when the person has `needs` in any store."""

    label: Any
    url: str | Callable[[], str]
    icon: str = ""
    style: str = ""
    confirm: Any = None
    ask: Any = None
    needs: str = "operate"
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return self.url() if callable(self.url) else self.url


def chosen_ids(request: HttpRequest, *, most: int = 1000) -> list[int]:
    """The `ids` of a bulk post as whole numbers, each once, in order; anything else is left out."""
    found = (int(text) for text in request.POST.getlist("ids") if text.isascii() and text.isdigit() and len(text) < 19)
    return list(dict.fromkeys(found))[:most]


def next_url(request: HttpRequest, otherwise: str) -> str:
    """Where to go after a post: the form's `next` if it is an address of this server, else `otherwise`."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return wanted if ours and wanted else otherwise


def say(
    request: HttpRequest, done: Any = None, *, refused: Iterable[Any] = (), warning: Any = None, most: int = 10
) -> None:
    """Leaves the sentences for the next page: what was done, and for each thing refused why."""
    sentences = [str(sentence) for sentence in refused]
    if done:
        messages.success(request, str(done))
    if warning:
        messages.warning(request, str(warning))
    if sentences:
        head = ngettext("%(count)d was refused:", "%(count)d were refused:", len(sentences)) % {"count": len(sentences)}
        if len(sentences) == 1:
            messages.error(request, sentences[0])
            return
        items = format_html_join("", "<li>{}</li>", ((s,) for s in sentences[:most]))
        left = len(sentences) - most
        more = format_html("<li>{}</li>", ngettext("and %(count)d more", "and %(count)d more", left) % {"count": left}) \
            if left > 0 else ""  # fmt: skip
        messages.error(request, format_html('{}<ul class="mb-0 mt-1">{}{}</ul>', head, items, more))


def after(
    request: HttpRequest, otherwise: str, done: Any = None, *, refused: Sequence[Any] = (), warning: Any = None
) -> HttpResponse:
    """`say`, then back to the page the button stood on. What a view of an action returns."""
    say(request, done, refused=refused, warning=warning)
    url = next_url(request, otherwise)
    if request.headers.get("HX-Request") == "true":
        response = HttpResponse(status=204)
        response["HX-Redirect"] = url
        return response
    return HttpResponseRedirect(url)


def allowed(actions: Sequence[BulkAction], scope: Scope) -> list[BulkAction]:
    return [action for action in actions if scope.may(action.needs)]
