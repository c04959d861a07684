"""Heavy libraries of the extra `exit`, imported where they are used; where one is missing, a sentence says what to do."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from django.utils.translation import gettext as _

from daifa.lib.refusal import Refused


def need(name: str) -> ModuleType:
    """The library, or `Refused` with how to install it. Reading the index needs none of them; fitting it does."""
    try:
        return import_module(name)
    except ImportError:
        raise Refused(
            _("Fitting the exit index needs %(library)s, which is not installed: pip install 'daifa[exit]'.")
            % {"library": name.partition(".")[0]},
            code="extra_missing",
        ) from None
