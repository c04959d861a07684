"""Which address belongs to which door."""

from django.urls import include, path

from daifa.web.pages.health import health
from daifa.web.pages.login_once import login_once
from daifa.web.pages.status import status_badge, status_json, status_page

urlpatterns = [
    path("healthz", health, name="health"),
    path("login/once/<str:token>/", login_once, name="login_once"),
    path("status/<slug:slug>/", status_page, name="status_page"),
    path("status/<slug:slug>.json", status_json, name="status_json"),
    path("status/<slug:slug>/badge.svg", status_badge, name="status_badge"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/", include("daifa.api.urls")),
    path("", include("daifa.web.urls")),
]
