import pytest
from cryptography.fernet import Fernet

from daifa.lib import secret


def test_a_secret_comes_back_and_the_stored_form_does_not_show_it():
    stored = secret.encrypt("密码 s3cret")
    assert b"s3cret" not in stored
    assert secret.decrypt(stored) == "密码 s3cret"
    assert secret.decrypt(memoryview(stored)) == "密码 s3cret", "as a binary column gives it"
    assert secret.decrypt(b"") == ""


def test_the_same_secret_is_stored_differently_each_time():
    assert secret.encrypt("same") != secret.encrypt("same")


def test_rotation_reads_old_values_and_writes_under_the_new_key(settings):
    settings.SECRET_KEY = "the old key of this shop"
    stored = secret.encrypt("token")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the new key of this shop", ["the old key of this shop"]
    assert secret.decrypt(stored) == "token"
    renewed = secret.renewed(stored)
    settings.SECRET_KEY_FALLBACKS = []
    assert secret.decrypt(renewed) == "token"
    with pytest.raises(secret.SecretUnreadable, match="key of this installation"):
        secret.decrypt(stored)


def test_a_value_that_was_tampered_with_is_refused():
    stored = bytearray(secret.encrypt("token"))
    stored[20] ^= 1
    with pytest.raises(secret.SecretUnreadable):
        secret.decrypt(bytes(stored))
    with pytest.raises(secret.SecretUnreadable):
        secret.decrypt(Fernet(Fernet.generate_key()).encrypt(b"somebody else's"))


def test_a_digest_depends_on_the_text_and_on_the_key_only(settings):
    settings.SECRET_KEY = "one"
    first = secret.keyed_digest("Zhang San|Hangzhou")
    assert len(first) == 32
    assert secret.keyed_digest("Zhang San|Hangzhou") == first
    assert secret.keyed_digest("Zhang San|Hangzhou ") != first
    settings.SECRET_KEY = "two"
    assert secret.keyed_digest("Zhang San|Hangzhou") != first


def test_the_digest_key_is_not_the_key_that_encrypts(settings):
    settings.SECRET_KEY = "one"
    assert secret._derived("one", b"daifa.secret") != secret._derived("one", b"daifa.keyed_digest")
