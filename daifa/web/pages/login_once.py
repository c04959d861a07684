"""/login/once/<token>/: the link `daifa up` prints. Works once, for 15 minutes.

Opening the link only shows a button: mail scanners and link previews open links too, and must not use it up.
"""

from django.contrib.auth import login
from django.http import HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables

from daifa.domain.people.commands import consume_login_token
from daifa.lib import clock


@never_cache
@sensitive_variables("token")
def login_once(request, token: str):
    if request.method == "GET":
        return render(request, "account/login_once.html", {"refusal": None})
    if request.method != "POST":
        return HttpResponseNotAllowed(["GET", "POST"])
    user, refusal = consume_login_token(token=token, at=clock.now())
    if user is None:
        return render(request, "account/login_once.html", {"refusal": refusal}, status=403)
    login(request, user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return redirect("/")
