"""What a request may see: which stores, in which role, and which of them is chosen in the top bar.

A store nobody gave you does not exist (404). A store you may see but not change says so (403, with the sentence).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils import timezone, translation
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import gettext as _

from daifa.domain.stores import queries
from daifa.domain.stores.rules import KINDS_OF_NEED, Need, allows
from daifa.lib import clock

SESSION_KEY = "daifa_store"

def refusal(needs: Need) -> str:
    """The sentence for somebody whose role does not allow what `needs` stands for."""
    return {
        "operate": _("Your role may look but not act here. Ask an owner for the role of operator."),
        "books": _("Only owners and bookkeepers may do this. Ask an owner for that role."),
        "own": _("Only an owner may do this."),
        "view": _("You have no access to any store yet. Ask an owner to give you one."),
    }[needs]


@dataclass(frozen=True)
class Scope:
    """The stores one request is about. Pass `store_ids` to queries; never query without it.

    `stores` are all the person may see (for this page's need), by name. `current` is the one chosen in the top bar,
    None for all of them. `roles` maps store id → role.
    """

    user: Any
    stores: tuple[Any, ...]
    roles: Mapping[int, str]
    current: Any = None
    at: datetime = field(default_factory=clock.now)
    _whole: Scope | None = field(default=None, repr=False)

    @property
    def whole(self) -> Scope:
        """The scope before it was narrowed to what a page needs: every store the person may see."""
        return self._whole or self

    @property
    def store_ids(self) -> list[int]:
        """Ids of the chosen store, or of all of them: what lists are filtered by."""
        return [self.current.id] if self.current else [store.id for store in self.stores]

    @property
    def all_store_ids(self) -> list[int]:
        """Ids of every store the person may see, whatever is chosen in the top bar: for details and searches."""
        return [store.id for store in self.stores]

    @property
    def by(self) -> str:
        """The actor string of this person: "user:3"."""
        return f"user:{self.user.pk}"

    @property
    def is_superuser(self) -> bool:
        return bool(self.user.is_superuser)

    def store(self, store_id: int | None) -> Any:
        """The store, or None when the person may not see it."""
        return next((store for store in self.stores if store.id == store_id), None)

    def may(self, needs: Need, store_id: int | None = None) -> bool:
        """Whether the person has `needs` in this store; without a store: in any store of the scope."""
        if store_id is None:
            return self.is_superuser or any(allows(role, needs) for role in self.roles.values())
        return allows(self.roles.get(store_id, ""), needs)

    def may_shared(self, needs: Need) -> bool:
        """Whether the person may change what belongs to no single store (suppliers, products, merged runs)."""
        return self.is_superuser or queries.may(self.user, None, needs)

    def why_not_shared(self, needs: Need) -> str | None:
        """As `why_not`, for what belongs to no single store."""
        if self.may_shared(needs):
            return None
        return _("This belongs to all stores: only somebody who may do it in every one of them can change it.")

    def require_shared(self, needs: Need) -> None:
        """403 with the sentence unless the person may change what belongs to no single store."""
        if sentence := self.why_not_shared(needs):
            raise PermissionDenied(sentence)

    def why_not_installation(self) -> str | None:
        """As `why_not`, for what only the owner of the installation may do."""
        return None if self.is_superuser else _("Only the owner of this installation may do this.")

    def require_installation(self) -> None:
        """403 with the sentence unless the person owns the installation."""
        if sentence := self.why_not_installation():
            raise PermissionDenied(sentence)

    def why_not(self, needs: Need, store_id: int | None = None) -> str | None:
        """None when allowed, else the sentence to show: what an `ActionButton` takes as its `reason`."""
        return None if self.may(needs, store_id) else refusal(needs)

    def require(self, store_id: int | None, needs: Need = "view") -> Any:
        """The store, for somebody who has `needs` in it; 404 for a store they may not see, 403 when the role is short."""
        store = self.store(store_id)
        if store is None:
            raise Http404
        if not self.may(needs, store_id):
            raise PermissionDenied(refusal(needs))
        return store

    def require_all(self, store_ids: Iterable[int], needs: Need = "view") -> None:
        """As `require`, for the stores of many things at once (bulk actions)."""
        for store_id in set(store_ids):
            self.require(store_id, needs)

    def zone(self, store_id: int | None = None) -> ZoneInfo:
        """Time zone of a store; without one, of the chosen store or of the first."""
        store = self.store(store_id) or self.current or (self.stores[0] if self.stores else None)
        return zone_named(getattr(store, "timezone", "") or "UTC")

    def narrowed(self, needs: Need) -> Scope:
        """Only the stores in which the person has `needs`."""
        if self.is_superuser or needs == "view":
            return self
        stores = tuple(store for store in self.stores if self.may(needs, store.id))
        ids = {store.id for store in stores}
        current = self.current if self.current and self.current.id in ids else None
        roles = {i: r for i, r in self.roles.items() if i in ids}
        return replace(self, stores=stores, current=current, roles=roles, _whole=self.whole)


def zone_named(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def scope_of(request: HttpRequest) -> Scope:
    """The scope of a signed-in request, read once per request."""
    found = getattr(request, "_daifa_scope", None)
    if found is None:
        stores = tuple(queries.stores_of(request.user))
        roles = queries.roles_of(request.user)
        chosen = request.session.get(SESSION_KEY)
        current = next((store for store in stores if store.id == chosen), None)
        if len(stores) == 1:
            current = stores[0]
        found = request._daifa_scope = Scope(user=request.user, stores=stores, roles=roles, current=current)
    return found


def page(needs: Need = "view", *, methods: tuple[str, ...] = ("GET", "HEAD", "POST")) -> Callable[[Callable], Callable]:
    """Makes a function a page: `view(request, scope, **kwargs)`.

    Login is required; the scope is narrowed to the stores in which the person has `needs` (403 with a sentence when
    there is none); times are shown in the store's zone; nothing is cached outside the person's browser.
    """
    if needs not in KINDS_OF_NEED:
        raise ValueError(f"A page needs one of {', '.join(sorted(KINDS_OF_NEED))}, not {needs}.")

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return _to_login(request)
            if request.method not in methods:
                return HttpResponseNotAllowed(methods)
            scope = scope_of(request)
            if not scope.may(needs):
                raise PermissionDenied(refusal(needs if scope.stores else "view"))
            scope = scope.narrowed(needs)
            request.scope = scope
            with timezone.override(scope.zone()), _own_language(request):
                response = view(request, scope, *args, **kwargs)
            patch_vary_headers(response, ("Cookie", "HX-Request"))
            if not response.has_header("Cache-Control"):
                patch_cache_control(response, private=True, no_store=True)
            return response

        wrapped.needs = needs
        return wrapped

    return decorate


def _own_language(request: HttpRequest) -> AbstractContextManager[Any]:
    """The person's language, where this browser has not been told one."""
    own = getattr(request.user, "language", "")
    if own and settings.LANGUAGE_COOKIE_NAME not in request.COOKIES:
        return translation.override(own)
    return nullcontext()


def _to_login(request: HttpRequest) -> HttpResponse:
    response = redirect_to_login(request.get_full_path())
    if request.headers.get("HX-Request") == "true":
        # A fragment must not be answered with the login page inside it: the browser goes there as a whole.
        whole = HttpResponse(status=204)
        whole["HX-Redirect"] = response.url
        return whole
    return response
