"""Who asks: by session (with CSRF protection) or by API token; and what this person may see and do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import pghistory
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja.errors import HttpError
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from daifa.api.errors import forbidden, not_found
from daifa.domain.people.commands import user_of_api_token
from daifa.domain.stores import queries as stores
from daifa.domain.stores.models import Store
from daifa.domain.stores.rules import Need
from daifa.lib import clock


class TokenAuth(HttpBearer):
    """`Authorization: Bearer daifa_…`"""

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        user = user_of_api_token(token=token, at=clock.now()) if "\0" not in token else None
        if user is not None:
            request.user = user
            pghistory.context(user=user.pk)
        return user


class SessionAuth(APIKeyCookie):
    """The session of the console; what changes something needs the CSRF token in `X-CSRFToken`."""

    param_name = settings.SESSION_COOKIE_NAME

    def _get_key(self, request: HttpRequest) -> str | None:
        return request.COOKIES.get(self.param_name)

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        if not key or not request.user.is_authenticated:
            return None
        if check_csrf(request):
            raise HttpError(403, _("The CSRF token is missing or wrong: send it in the header X-CSRFToken."))
        return request.user


AUTH = [TokenAuth(), SessionAuth()]


@dataclass(frozen=True)
class Caller:
    """The person behind a request. `scope`: ids of the stores she may see, the first argument of every query."""

    user: Any
    at: datetime

    @property
    def by(self) -> str:
        return f"user:{self.user.pk}"

    @cached_property
    def scope(self) -> list[int]:
        return stores.scope_of(self.user)

    def scope_for(self, need: Need) -> list[int]:
        """The stores in which she has `need`."""
        return stores.scope_of(self.user, need)

    @cached_property
    def _operated(self) -> set[int]:
        return set(self.scope_for("operate"))

    def knows_buyers(self, store_id: int | None) -> bool:
        """Whether she may read who the buyers are: owners and operators of the store; others see that there is a name."""
        return store_id in self._operated if store_id is not None else stores.may(self.user, None, "operate")

    @cached_property
    def sees_all(self) -> bool:
        """Whether she may see what belongs to no single store but comes from all of them."""
        return stores.may(self.user, None, "view")

    def require(self, store_id: int | None, need: Need) -> None:
        """404 for a store she may not see, 403 where her role is short. None: what all stores share."""
        if store_id is None:
            self.require_some()
            if not stores.may(self.user, None, need):
                raise forbidden(_("This concerns every store: it needs that role in all of them."))
            return
        if store_id not in self.scope:
            raise not_found()
        if not stores.may(self.user, store_id, need):
            raise forbidden()

    def store(self, store_id: int, need: Need = "view") -> Store:
        """The store, as `require`."""
        self.require(store_id, need)
        return Store.objects.get(pk=store_id)

    def stores_for(self, need: Need, store_id: int | None = None) -> list[int]:
        """The stores a list is about: this one, or all in which she has `need`; 403 where it is none, 404 for strangers."""
        if store_id is not None:
            self.require(store_id, need)
            return [store_id]
        self.require_some()
        scope = self.scope_for(need)
        if not scope and not self.user.is_superuser:
            raise forbidden()
        return scope

    def seen(self, store_id: int | None) -> list[int]:
        """The stores a list is about: all she may see, or this one among them; a foreign one leaves none."""
        return self.scope if store_id is None else [one for one in self.scope if one == store_id]

    def may(self, store_id: int, need: Need) -> bool:
        """Whether her role in this store is enough."""
        return stores.may(self.user, store_id, need)

    def require_some(self) -> None:
        """404 for somebody who works in no store: what all stores share is not for strangers."""
        if not self.scope and not self.user.is_superuser:
            raise not_found()


def caller(request: HttpRequest) -> Caller:
    """The caller of this request, asked once."""
    found = getattr(request, "_daifa_caller", None)
    if found is None:
        found = request._daifa_caller = Caller(user=request.user, at=clock.now())
    return found
