"""What every page and log line keeps to."""

import logging
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from daifa.config import home
from daifa.config.logs import RowlessFormatter


def test_every_answer_allows_only_this_server(client, db):
    policy = client.get("/account/login/")["Content-Security-Policy"]
    assert "script-src 'self';" in policy and "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy and "script-src 'self' 'unsafe-inline'" not in policy


def test_login_page_sets_the_usual_headers(client, db):
    answer = client.get("/account/login/")
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"


def test_a_host_we_do_not_serve_is_refused(client, db):
    assert client.get("/account/login/", headers={"host": "evil.example"}).status_code == 400


def test_nobody_signs_up_by_himself(client, db):
    from daifa.domain.people.models import User

    words = {
        "username": "x",
        "email": "x@example.invalid",
        "password1": "long enough 1",
        "password2": "long enough 1",
    }
    client.get("/account/signup/")
    client.post("/account/signup/", words)
    assert not User.objects.exists()


def test_a_form_without_its_token_is_refused(db):
    from django.test import Client

    assert (
        Client(enforce_csrf_checks=True).post("/account/login/", {"login": "x", "password": "y"}).status_code
        == 403
    )


def test_passwords_are_not_guessed_for_ever(client, db):
    answers = [
        client.post("/account/login/", {"login": "owner", "password": f"guess {n}"}) for n in range(12)
    ]
    said = " ".join(answer.content.decode() for answer in answers[-2:])
    assert 429 in {answer.status_code for answer in answers} or "Too many failed login attempts" in said


def test_log_lines_carry_no_values_of_rows():
    try:
        raise ValueError(
            "duplicate key\nDETAIL:  Key (email)=(wang@example.invalid) already exists.\nLINE 1: INSERT INTO x"
        )
    except ValueError:
        import sys

        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "could not save", None, sys.exc_info())
    text = RowlessFormatter("%(message)s").format(record)
    assert "could not save" in text and "duplicate key" in text
    assert "wang@" not in text and "INSERT" not in text


def test_a_secret_is_written_once_and_for_its_owner_only(tmp_path):
    path = tmp_path / "secret.key"
    with ThreadPoolExecutor(8) as pool:
        seen = set(pool.map(lambda _: home.read_or_write_secret(path), range(40)))
    assert len(seen) == 1 and len(seen.pop()) > 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"DAIFA_HOME": "/srv/shop"}, "/srv/shop"),
        ({"XDG_DATA_HOME": "/data/me"}, "/data/me/daifa"),
        ({"HOME": "/somewhere/me"}, "/somewhere/me/.local/share/daifa"),
    ],
)
def test_where_an_ordinary_user_keeps_things(monkeypatch, given, expected):
    for name in ("DAIFA_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert str(home.home()) == expected


def test_root_keeps_things_in_var_lib(monkeypatch):
    monkeypatch.delenv("DAIFA_HOME", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert str(home.home()) == "/var/lib/daifa"
