"""A real Chromium for tests marked `browser`; where there is none they are skipped, and say so."""

import os
import shutil
from collections.abc import Iterator

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Nothing leaves the machine: no updates, no field trials, and names of other hosts lead nowhere.
FLAGS = [
    "--disable-background-networking", "--disable-component-update", "--disable-domain-reliability", "--disable-sync",
    "--no-first-run", "--no-default-browser-check", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]  # fmt: skip


def chromium_path() -> str | None:
    """DAIFA_CHROMIUM, else the first Chromium on the path."""
    given = os.environ.get("DAIFA_CHROMIUM")
    return given or next((found for name in NAMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """A running Chromium (playwright's Browser). `chromium.new_page()` gives a page; use pytest-django's `live_server`."""
    path = chromium_path()
    if path is None:
        pytest.skip(
            "no Chromium found: install Debian's `chromium` (and `fonts-noto-cjk`), or name one in DAIFA_CHROMIUM"
        )
    from playwright.sync_api import sync_playwright

    # Playwright's loop runs in this thread; Django would refuse the ORM beside it.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else FLAGS
            browser = playwright.chromium.launch(executable_path=path, args=flags)
            yield browser
            browser.close()
    finally:
        if before is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        else:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before
