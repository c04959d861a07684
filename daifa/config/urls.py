"""Which address belongs to which door."""

from django.urls import include, path

from daifa.web.pages.health import health
from daifa.web.pages.login_once import login_once

urlpatterns = [
    path("healthz", health, name="health"),
    path("login/once/<str:token>/", login_once, name="login_once"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/", include("daifa.api.urls")),
    path("", include("daifa.web.urls")),
]
