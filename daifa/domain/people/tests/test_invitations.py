"""Inviting people and keeping them out."""

from datetime import UTC, datetime, timedelta

import pytest

from daifa.domain.people import commands, queries
from daifa.domain.people.models import User
from daifa.lib.refusal import Refused

AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
BY = "user:1"

pytestmark = pytest.mark.django_db


def test_an_invitation_brings_a_person_in_once():
    user, token = commands.invite_user(username="anna", email=" Anna@Example.com ", by=BY, at=AT)
    assert user.email == "anna@example.com" and not user.has_usable_password() and not user.is_superuser
    assert commands.consume_login_token(token=token, at=AT + timedelta(days=6)) == (user, "")
    again, sentence = commands.consume_login_token(token=token, at=AT + timedelta(days=6))
    assert again is None and "used already" in sentence


def test_an_invitation_expires():
    _user, token = commands.invite_user(username="anna", by=BY, at=AT)
    nobody, sentence = commands.consume_login_token(token=token, at=AT + commands.INVITATION_LIVES)
    assert nobody is None and "expired" in sentence


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": "two words"}, "username"),
        ({"username": "boss"}, "username"),
        ({"username": "anna", "email": "nobody"}, "email"),
        ({"username": "anna", "email": "BOSS@example.com"}, "email"),
    ],
)
def test_who_cannot_be_invited(given, field):
    commands.invite_user(username="boss", email="boss@example.com", by=BY, at=AT)
    with pytest.raises(Refused) as refused:
        commands.invite_user(**given, by=BY, at=AT)
    assert refused.value.field == field and refused.value.sentence
    assert User.objects.count() == 1


def test_switching_off_closes_open_links_and_keeps_the_last_owner():
    owner = User.objects.create(username="boss", is_superuser=True, date_joined=AT)
    anna, token = commands.invite_user(username="anna", by=BY, at=AT)
    assert commands.switch_users([anna.pk], is_active=False, by=BY, at=AT) == []
    assert commands.consume_login_token(token=token, at=AT + timedelta(minutes=1))[0] is None
    assert "only owner" in commands.switch_users([owner.pk], is_active=False, by=BY, at=AT)[0]
    owner.refresh_from_db()
    assert owner.is_active
    assert [p.username for p in queries.people()] == ["boss", "anna"]
