"""The first thing a person does: open the one-time link and press the button, in a real browser."""

import pytest

from daifa.domain.people.commands import ensure_owner, issue_login_token
from daifa.lib import clock

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(
    ("language", "title", "button"), [("en", "One-time login", "Log in"), ("zh-CN", "一次性登录", "登录")]
)
def test_the_link_logs_the_owner_in(live_server, chromium, language, title, button):
    owner, _ = ensure_owner(by="test", at=clock.now())
    token = issue_login_token(owner, by="test", at=clock.now())
    context = chromium.new_context(locale=language)
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    try:
        page.goto(f"{live_server.url}/login/once/{token}/")
        assert page.get_by_role("heading", name=title).is_visible()
        page.get_by_role("button", name=button, exact=True).click()
        page.wait_for_url(f"{live_server.url}/**")
        assert any(cookie["name"] == "daifa_session" for cookie in context.cookies())
        assert [text for text in complaints if "Content Security Policy" in text] == []
    finally:
        context.close()
