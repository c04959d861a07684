"""The console's addresses: each module in `web.pages` that has `urlpatterns` adds its own."""

from importlib import import_module
from pkgutil import iter_modules

from django.urls import URLPattern, URLResolver, path

from daifa.web import pages
from daifa.web.kit.frame import switch_language, switch_store

app_name = "web"


def gathered() -> list[URLPattern | URLResolver]:
    """The patterns of every page module, in the order of their names."""
    found: list[URLPattern | URLResolver] = []
    for module in sorted(iter_modules(pages.__path__), key=lambda module: module.name):
        found += getattr(import_module(f"{pages.__name__}.{module.name}"), "urlpatterns", [])
    return found


urlpatterns = [
    path("switch/store/", switch_store, name="switch_store"),
    path("switch/language/", switch_language, name="switch_language"),
    *gathered(),
]
