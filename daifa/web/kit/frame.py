"""What the frame around every page does: choose the store, choose the language; and the answers when something is wrong."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import check_for_language
from django.views.decorators.http import require_POST

from daifa.lib import clock
from daifa.web.kit.actions import next_url
from daifa.web.kit.scope import SESSION_KEY, Scope, page


@page("view", methods=("POST",))
def switch_store(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Chooses one store for the lists, or all of them (empty). A store one may not see is 404."""
    wanted = request.POST.get("store", "")
    if wanted:
        request.session[SESSION_KEY] = scope.require(int(wanted) if wanted.isascii() and wanted.isdigit() else None).id
    else:
        request.session.pop(SESSION_KEY, None)
    return HttpResponseRedirect(next_url(request, "/"))


@require_POST
def switch_language(request: HttpRequest) -> HttpResponse:
    """Chooses the language: in a cookie, and with the person when somebody is signed in."""
    response = HttpResponseRedirect(next_url(request, "/"))
    language = request.POST.get("language", "")
    if language in dict(settings.LANGUAGES) and check_for_language(language):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, language, max_age=365 * 24 * 3600, samesite="Lax", httponly=True,
            secure=request.is_secure(),
        )  # fmt: skip
        if request.user.is_authenticated and request.user.language != language:
            from daifa.domain.people import commands

            commands.set_language([request.user.pk], language=language, by=request.user.actor, at=clock.now())
    return response
