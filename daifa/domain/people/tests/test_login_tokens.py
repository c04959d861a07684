"""The first owner and one-time login links."""

from datetime import UTC, datetime, timedelta

import pytest

from daifa.domain.people.commands import (
    consume_login_token,
    ensure_owner,
    issue_login_token,
    issue_login_tokens,
)
from daifa.domain.people.models import LoginToken, User

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_an_empty_installation_gets_one_owner_without_a_password():
    owner, made = ensure_owner(by="cli:up", at=AT)
    assert made and owner.username == "owner" and owner.is_superuser
    assert not owner.has_usable_password()
    assert ensure_owner(by="cli:up", at=AT) == (owner, False)
    assert User.objects.count() == 1


def test_a_taken_name_and_a_switched_off_owner_do_not_stop_it():
    User.objects.create(username="owner", is_superuser=True, is_active=False)
    owner, made = ensure_owner(by="cli:up", at=AT)
    assert made and owner.username == "owner2"


def test_a_link_works_once_within_its_quarter_of_an_hour():
    owner, _ = ensure_owner(by="cli:up", at=AT)
    token = issue_login_token(owner, by="cli:up", at=AT)
    assert token.encode() not in bytes(LoginToken.objects.get().digest)
    assert consume_login_token(token=token, at=AT + timedelta(minutes=14)) == (owner, "")
    user, refusal = consume_login_token(token=token, at=AT + timedelta(minutes=14))
    assert user is None and "works once" in refusal


@pytest.mark.parametrize(
    ("spoil", "minutes", "sentence"),
    [
        (lambda owner: None, 15, "has expired"),
        (lambda owner: User.objects.filter(pk=owner.pk).update(is_active=False), 1, "switched off"),
        (lambda owner: issue_login_tokens([owner], by="cli:up", at=AT), 1, "has expired"),
        (lambda owner: LoginToken.objects.all().delete(), 1, "not valid"),
    ],
    ids=["too late", "account off", "a newer link", "unknown"],
)
def test_a_link_that_does_not_work_says_why(spoil, minutes, sentence):
    owner, _ = ensure_owner(by="cli:up", at=AT)
    token = issue_login_token(owner, by="cli:up", at=AT)
    spoil(owner)
    user, refusal = consume_login_token(token=token, at=AT + timedelta(minutes=minutes))
    assert user is None and sentence in refusal


def test_opening_the_page_uses_nothing_up_and_the_button_logs_in(client):
    from daifa.lib import clock

    owner, _ = ensure_owner(by="cli:up", at=clock.now())
    address = f"/login/once/{issue_login_token(owner, by='cli:up', at=clock.now())}/"
    for _ in range(2):
        page = client.get(address)
        assert page.status_code == 200
        assert "no-store" in page["Cache-Control"]
    assert "_auth_user_id" not in client.session
    assert client.post(address).status_code == 302
    assert client.session["_auth_user_id"] == str(owner.pk)
    client.logout()
    again = client.post(address)
    assert again.status_code == 403
    assert "works once" in again.content.decode()
    assert "_auth_user_id" not in client.session
