"""The console in a real Chromium: swapping, history, keyboard, questions, phone width, the content policy."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def open_page(chromium, live_server, shop, client):
    """open_page(path, user=…, language=…, width=…) → a page whose every complaint fails the test."""
    complaints, contexts = [], []

    def opened(path, user=None, language="en", width=1280):
        client.force_login(user or shop.root, backend="allauth.account.auth_backends.AuthenticationBackend")
        context = chromium.new_context(viewport={"width": width, "height": 800})
        contexts.append(context)
        context.add_cookies([
            {"name": "daifa_session", "value": client.cookies["daifa_session"].value, "url": live_server.url},
            {"name": "django_language", "value": language, "url": live_server.url},
        ])  # fmt: skip
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith((live_server.url, "data:"))
                else complaints.append(f"asked another host: {asked.url}"))  # fmt: skip
        page.goto(live_server.url + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def first(page) -> str:
    return page.inner_text("tbody tr:first-child .cell-link")


def rows_become(page, count: int, *, but_not: str = "") -> None:
    """Waits until the table shows `count` rows (and another first row than `but_not`): the address changes before it."""
    page.wait_for_function(
        """([count, old]) => document.querySelectorAll("tbody tr").length === count
           && document.querySelector("tbody .cell-link").innerText !== old""",
        arg=[count, but_not],
    )


def test_filters_pages_and_the_back_button(open_page):
    page = open_page("/sample/tasks/")
    page.fill("#q", "thing4")
    rows_become(page, 10)
    assert page.url.endswith("/sample/tasks/?q=thing4") and page.evaluate("document.activeElement.id") == "q"
    page.check("text=Open only")
    page.wait_for_selector('.list-tabs a[href*="q=thing4"][href*="open=1"]')
    page.click(".list-tabs >> text=Lost")
    rows_become(page, 3)
    page.fill("#q", "")
    rows_become(page, 20)
    assert "kind=lost" in page.url and "open=1" in page.url and "q=" not in page.url  # the tab stays chosen
    before = first(page)
    page.click("text=Next")
    rows_become(page, 10, but_not=before)
    assert "after=" in page.url
    page.go_back()
    rows_become(page, 20)
    assert first(page) == before and "after=" not in page.url


def test_slash_goes_to_the_search_and_tab_shows_where_one_is(open_page):
    page = open_page("/sample/tasks/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("a/b")
    assert page.input_value("#q") == "a/b"
    page.reload()
    page.keyboard.press("Tab")
    assert page.inner_text(":focus") == "Skip to the content"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_choosing_rows_and_answering_why(open_page, shop):
    page = open_page("/sample/tasks/")
    assert not page.is_visible("[data-bulk]")
    page.locator("tbody input[name=ids]").nth(0).check()
    page.locator("tbody input[name=ids]").nth(3).click(modifiers=["Shift"])
    assert page.inner_text("[data-bulk-count]") == "4"
    page.click("[data-bulk] >> text=Close them")
    dialog = page.locator("dialog#ask")
    assert dialog.is_visible() and dialog.locator("p").inner_text() == "Why?"
    dialog.locator("textarea").fill("all seen")
    dialog.locator("#ask-yes").click()
    page.wait_for_selector(".alert-success")
    assert "4 closed. all seen" in page.inner_text(".alert-success")
    shop.tasks[0].refresh_from_db()


def test_saying_no_changes_nothing(open_page, shop):
    from daifa.domain.stores.models import Task

    page = open_page(f"/sample/tasks/{shop.tasks[0].pk}/")
    page.click("text=Close >> nth=0")
    page.locator("dialog#ask >> text=Cancel").click()
    assert not page.is_visible("dialog#ask")
    assert not Task.objects.exclude(closed_at=None).exists()
    page.hover(".why-not")
    assert "It was <shipped> already" in page.inner_text(".tooltip")


def test_a_row_leads_to_its_page(open_page):
    page = open_page("/sample/tasks/")
    page.click("tbody tr:first-child td:nth-child(5)")
    page.wait_for_url("**/sample/tasks/*/")
    assert "What happened" in page.content()


def test_the_chart_is_drawn_and_the_theme_is_kept(open_page):
    page = open_page("/sample/books/", language="zh-hans")
    page.wait_for_selector("[data-chart] canvas")
    page.click("[data-theme-switch] >> visible=true")
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"
    page.click(".figures summary")
    assert "£2.00" in page.inner_text(".figures")


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("path", ["/sample/tasks/", "/sample/tasks/TASK/", "/sample/books/", "/sample/stores/STORE/"])
def test_nothing_is_wider_than_a_phone(open_page, shop, path, language):
    path = path.replace("TASK", str(shop.tasks[0].pk)).replace("STORE", str(shop.gift.pk))
    page = open_page(path, language=language, width=360)
    assert page.evaluate("document.documentElement.scrollWidth <= 360")
