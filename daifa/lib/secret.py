"""Secrets at rest and keyed digests, all from the one key of the installation (`settings.SECRET_KEY`).

Each use has a key of its own, derived with HKDF, so that none tells anything about another. Rotation: put the old
key into `SECRET_KEY_FALLBACKS`, the new one into `SECRET_KEY`; `renewed` then writes a value under the new key.
"""

from __future__ import annotations

import base64
import hmac
from functools import lru_cache

from django.conf import settings


class SecretUnreadable(Exception):
    """A value was encrypted under a key this installation does not have. The message is a sentence."""


def encrypt(text: str) -> bytes:
    """`text` encrypted and authenticated (Fernet); only this installation's key opens it."""
    return _box().encrypt(text.encode())


def decrypt(token: bytes | memoryview) -> str:
    """The text of a token of `encrypt`; "" for an empty one. Raises SecretUnreadable."""
    token = bytes(token)
    return _open(token).decode() if token else ""


def renewed(token: bytes | memoryview) -> bytes:
    """The same secret under the newest key. Raises SecretUnreadable."""
    token = bytes(token)
    return _box().encrypt(_open(token)) if token else b""


def keyed_digest(text: str) -> bytes:
    """32 bytes (HMAC-SHA256) that say whether two texts are equal and, without the key, nothing else about them."""
    return hmac.digest(_digest_key(settings.SECRET_KEY), text.encode(), "sha256")


def _open(token: bytes) -> bytes:
    from cryptography.fernet import InvalidToken

    try:
        return _box().decrypt(token)
    except InvalidToken:
        raise SecretUnreadable(
            "A stored secret cannot be read with the key of this installation. Put the key it was saved under back "
            "(secret.key or DAIFA_SECRET_KEY), or enter the secret again."
        ) from None


def _box():
    return _box_of((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=4)
def _box_of(secrets: tuple[str, ...]):
    from cryptography.fernet import Fernet, MultiFernet

    keys = (base64.urlsafe_b64encode(_derived(secret, b"daifa.secret")) for secret in secrets)
    return MultiFernet([Fernet(key) for key in keys])


@lru_cache(maxsize=4)
def _digest_key(secret: str) -> bytes:
    return _derived(secret, b"daifa.keyed_digest")


def _derived(secret: str, use: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    # No salt: the installation's key is random already, and the derived key must be the same at every start.
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=use).derive(secret.encode())
