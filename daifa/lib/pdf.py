"""A page of HTML as a PDF. Nothing is loaded from outside; pictures stand in the page itself."""

from __future__ import annotations

import base64
import shutil
import subprocess
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

from daifa.lib.refusal import Refused

_PICTURE = "data:image/jpeg;base64,"
FONTS = '"Inter", "Noto Sans", "Noto Sans CJK SC", "Noto Serif CJK SC", sans-serif'


def pdf_of(page: str, *, language: str) -> bytes:
    """The PDF of a whole HTML page. Raises `Refused` naming the Debian package where a library or a font is missing.

    Takes some seconds: call it from a job or a download, not while a page is made.
    """
    weasyprint = _weasyprint()
    if language.startswith("zh") and not has_chinese_font():
        raise Refused(
            _("There is no font with Chinese characters here: install Debian's fonts-noto-cjk."),
            code="font_missing",
        )
    return weasyprint.HTML(string=page, url_fetcher=_only_own_pictures()).write_pdf()


def picture(jpeg: bytes) -> str:
    """The address under which a page shows a JPEG that it carries itself."""
    return _PICTURE + base64.b64encode(jpeg).decode("ascii")


def _only_own_pictures() -> Any:
    from weasyprint.urls import URLFetcher, URLFetcherResponse

    class OwnPictures(URLFetcher):
        def fetch(self, url: str, headers: Any = None) -> Any:
            if url.startswith(_PICTURE):
                body = base64.b64decode(url[len(_PICTURE) :])
                return URLFetcherResponse(url, body=body, headers={"Content-Type": "image/jpeg"})
            raise ValueError("A PDF loads nothing from outside.")

    return OwnPictures(allowed_protocols=())


def _weasyprint() -> Any:
    try:
        import weasyprint
    except OSError as error:  # its bindings load pango when they are imported
        raise Refused(
            _(
                "PDFs need a library that is missing: install Debian's libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0."
            ),
            code="library_missing",
        ) from error
    return weasyprint


@lru_cache(maxsize=1)
def has_chinese_font() -> bool:
    """Whether a font covers Chinese; where nobody can say, yes."""
    tool = shutil.which("fc-list")
    if tool is None:
        return True
    done = subprocess.run([tool, ":lang=zh", "family"], capture_output=True, check=False, timeout=20)
    return done.returncode != 0 or bool(done.stdout.strip())
