"""Who gets in, languages, errors, and what every page keeps to."""

import re
from pathlib import Path

import pytest

from daifa import web

WEB = Path(web.__file__).parent
PAGES = ("/sample/tasks/", "/sample/books/", "/sample/progress/", "/account/password/change/", "/account/2fa/")


@pytest.mark.parametrize("address", ["/sample/tasks/", "/sample/tasks/1/", "/sample/books/", "/sample/stores/1/"])
def test_nobody_enters_without_login(shop, client, address):
    response = client.get(address)
    assert response.status_code == 302 and response.url == f"/account/login/?next={address}"
    fragment = client.get(address, headers={"HX-Request": "true"})
    assert fragment.status_code == 204 and fragment["HX-Redirect"].startswith("/account/login/")


@pytest.mark.parametrize("address", ["/sample/tasks/", "/sample/books/", "/sample/progress/", "/sample/close/"])
def test_somebody_without_a_store_is_told_so(shop, as_, address):
    client = as_(shop.stranger)
    response = client.post(address) if "close" in address else client.get(address)
    assert response.status_code == 403
    assert "You have no access to any store yet." in response.content.decode()


def test_a_stranger_gets_404_for_every_thing(shop, as_):
    from daifa.domain.stores.models import Store, StoreAccess
    from daifa.web.tests.conftest import NOON

    own = Store.objects.create(code="own", name="Own", currency="EUR", created_at=NOON)
    StoreAccess.objects.create(user=shop.stranger, store=own, role="owner")
    client = as_(shop.stranger)
    for task in shop.tasks[:4]:
        assert client.get(f"/sample/tasks/{task.pk}/").status_code == 404
    assert client.get(f"/sample/stores/{shop.gift.pk}/").status_code == 404
    assert "thing" not in re.sub(r'name="[^"]*"', "", client.get("/sample/tasks/?format=csv").getvalue().decode())
    assert client.post("/switch/store/", {"store": shop.gift.pk}).status_code == 404


def test_a_post_without_the_token_changes_nothing(shop):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(shop.root, backend="allauth.account.auth_backends.AuthenticationBackend")
    response = client.post("/sample/close/", {"ids": [shop.tasks[0].pk]})
    assert response.status_code == 403 and "The form was too old" in response.content.decode()
    shop.tasks[0].refresh_from_db()
    assert shop.tasks[0].closed_at is None


def test_get_never_acts(shop, as_):
    assert as_(shop.root).get("/sample/close/").status_code == 405
    assert as_(shop.root).get("/switch/store/").status_code == 405
    assert as_(shop.root).get("/switch/language/").status_code == 405


@pytest.mark.parametrize(("language", "words"), [("en", "All my stores"), ("zh-hans", "全部店铺")])
def test_both_languages(shop, as_, language, words):
    page = as_(shop.root, language).get("/sample/tasks/").content.decode()
    assert words in page and f'<html lang="{language}"' in page


def test_the_language_is_switched_and_remembered_with_the_person(shop, as_, client):
    as_(shop.root)
    response = client.post("/switch/language/", {"language": "zh-hans", "next": "/sample/tasks/"})
    assert response.url == "/sample/tasks/" and client.cookies["django_language"].value == "zh-hans"
    shop.root.refresh_from_db()
    assert shop.root.language == "zh-hans"
    del client.cookies["django_language"]
    assert "全部店铺" in client.get("/sample/tasks/", headers={"Accept-Language": "en"}).content.decode()
    client.post("/switch/language/", {"language": "tlh"})
    shop.root.refresh_from_db()
    assert shop.root.language == "zh-hans"


@pytest.mark.parametrize(("language", "words"), [("en", "There is nothing here"), ("zh-hans", "页面不存在")])
def test_the_page_that_is_not_there(shop, as_, language, words):
    response = as_(shop.root, language).get("/no/such/page/")
    assert response.status_code == 404 and words in response.content.decode()


def test_an_error_page_shows_nothing_of_the_error(shop, as_):
    client = as_(shop.root)
    client.raise_request_exception = False
    response = client.get("/sample/broken/")
    assert response.status_code == 500
    assert "Something broke on our side" in response.content.decode() and "on purpose" not in response.content.decode()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize(
    "address", ["/account/login/", "/account/password/reset/", "/account/signup/", "/account/password/reset/done/"]
)
def test_entrance_pages(shop, client, address, language):
    client.cookies["django_language"] = language
    response = client.get(address)
    page = response.content.decode()
    assert response.status_code == 200 and 'class="page page-center"' in page and "sign up" not in page.lower()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_account_pages_have_the_consoles_look(shop, client, language):
    from django.contrib.auth import get_user_model

    user = get_user_model().objects.create_superuser("keeper", password="a-long-password-9")
    client.cookies["django_language"] = language
    client.post("/account/login/", {"login": "keeper", "password": "a-long-password-9"})
    for address in (
        "/account/password/change/", "/account/2fa/", "/account/2fa/totp/activate/",
        "/account/logout/", "/account/reauthenticate/",
    ):  # fmt: skip
        response = client.get(address, follow=True)
        page = response.content.decode()
        assert response.status_code == 200, address
        assert "daifa.css" in page and 'class="btn' in page, address
    assert user.pk


def test_two_factor_from_activation_to_recovery_codes(shop, client):
    from allauth.mfa.adapter import get_adapter
    from allauth.mfa.models import Authenticator
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
    from django.contrib.auth import get_user_model

    user = get_user_model().objects.create_superuser("keeper", password="a-long-password-9")
    client.post("/account/login/", {"login": "keeper", "password": "a-long-password-9"})
    asked = client.get("/account/2fa/totp/activate/", follow=True)
    assert "Confirm Access" in asked.content.decode()  # the password once more, before security changes
    client.post("/account/reauthenticate/", {"password": "a-long-password-9"})
    page = client.get("/account/2fa/totp/activate/").content.decode()
    assert 'class="qr" src="data:image/svg+xml' in page
    secret = re.search(r'id="authenticator_secret"[^>]*value="([^"]+)"', page)[1]
    code = format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))
    done = client.post("/account/2fa/totp/activate/", {"code": code}, follow=True).content.decode()
    assert Authenticator.objects.filter(user=user).count() == 2 and 'class="form-control code"' in done
    assert "Authenticator App" in client.get("/account/2fa/").content.decode()
    client.post("/account/logout/")
    asked = client.post(
        "/account/login/", {"login": "keeper", "password": "a-long-password-9"}, follow=True
    ).content.decode()
    assert 'name="code"' in asked and 'class="page page-center"' in asked
    assert get_adapter() is not None


# --- What every page keeps to ---------------------------------------------------------------------------------------


def test_no_script_or_handler_inside_a_page():
    """The content policy allows scripts of this server only, and templates do not try anything else."""
    for path in (WEB / "templates").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<[^>]+\son[a-z]+\s*=", text), f"{path.name} has an inline handler"
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", text), f"{path.name} has a script"
        assert "javascript:" not in text and "hx-on" not in text, path.name
        assert not re.search(r"hx-trigger=\"[^\"]*\[", text), path.name  # a filter there would need eval


def test_pages_ask_no_other_host(shop, as_):
    client = as_(shop.root)
    for address in PAGES:
        page = client.get(address, follow=True).content.decode()
        assert not re.findall(r'(?:src|href|action)="(?:https?:)?//[^"]*"', page), address
        assert "default-src 'self'" in client.get(address)["Content-Security-Policy"]


def test_every_icon_named_is_in_the_sprite():
    sprite = set(re.findall(r'<symbol id="([^"]+)"', (WEB / "static/vendor/icons/sprite.svg").read_text()))
    named = set()
    for path in [*(WEB / "templates").rglob("*.html"), *WEB.glob("kit/*.py"), *WEB.glob("pages/*.py")]:
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r"{% icon ['\"]([a-z0-9-]+)['\"]", text))
        named |= set(re.findall(r"\bicon=\"([a-z0-9-]+)\"|fmt\.icon\(\"([a-z0-9-]+)\"", text) and
                     [a or b for a, b in re.findall(r"\bicon=\"([a-z0-9-]+)\"|fmt\.icon\(\"([a-z0-9-]+)\"", text)])  # fmt: skip
    assert named - sprite == set()


def test_vendored_files_come_with_their_licences():
    for folder in (WEB / "static/vendor").iterdir():
        if folder.is_dir():
            assert (folder / "LICENSE").stat().st_size > 200, folder.name


def test_labels_and_fields_belong_together(shop, as_):
    """Each visible input has a label of its own or an aria-label."""
    client = as_(shop.people["owner"])
    for address in ("/sample/tasks/", f"/sample/stores/{shop.gift.pk}/"):
        page = client.get(address).content.decode()
        ids = set(re.findall(r'<label[^>]* for="([^"]+)"', page))
        in_labels = " ".join(re.findall(r"<label.*?</label>", page, re.S))
        for tag in re.findall(r"<(?:input|select|textarea)\b[^>]*>", page):
            if 'type="hidden"' in tag or "aria-label" in tag or tag in in_labels:
                continue
            found = re.search(r'\bid="([^"]+)"', tag)
            assert found and found[1] in ids, tag
