"""What may be done to people: the first owner, one-time login links."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

import pghistory
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.translation import gettext as _

from daifa.domain.people.models import ApiToken, LoginToken, User
from daifa.lib.refusal import Refused

LOGIN_LINK_LIVES = timedelta(minutes=15)
INVITATION_LIVES = timedelta(days=7)
TOKEN_BEGINS = "daifa_"  # noqa: S105  so that scanners of leaked secrets know it
TOUCHED_EVERY = timedelta(minutes=5)


@transaction.atomic
def ensure_owner(*, by: str, at: datetime) -> tuple[User, bool]:
    """The owner of the installation, and whether this call made her.

    The owner is the first active superuser. Where there is none, `owner` is made without a password: she comes in by a
    one-time link and sets one. A name already taken by somebody else gets a number.
    """
    # Two `daifa up` on one new database: the second waits here and finds the first one's owner.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('daifa.people.ensure_owner'))")
    owner = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if owner is not None:
        return owner, False
    taken = set(User.objects.filter(username__startswith="owner").values_list("username", flat=True))
    name = next(n for n in ("owner", *(f"owner{i}" for i in range(2, len(taken) + 3))) if n not in taken)
    owner = User.objects.create(
        username=name, is_superuser=True, is_staff=True, password=make_password(None), date_joined=at
    )
    return owner, True


@transaction.atomic
def issue_login_tokens(users: Iterable[User], *, by: str, at: datetime) -> dict[int, str]:
    """A one-time token per user, {user id: token}; earlier unused ones of these users stop working.

    The token is the only copy: the database keeps its digest. It works once, for 15 minutes.
    """
    users = list(users)
    LoginToken.objects.filter(user__in=users, used_at=None, expires_at__gt=at).update(expires_at=at)
    tokens = {user.pk: secrets.token_urlsafe(32) for user in users}
    LoginToken.objects.bulk_create(
        LoginToken(user_id=pk, digest=_digest(token), expires_at=at + LOGIN_LINK_LIVES)
        for pk, token in tokens.items()
    )
    return tokens


def issue_login_token(user: User, *, by: str, at: datetime) -> str:
    """A one-time token for one user; see issue_login_tokens."""
    return issue_login_tokens([user], by=by, at=at)[user.pk]


@transaction.atomic
def consume_login_token(*, token: str, at: datetime) -> tuple[User | None, str]:
    """The user a token belongs to, and "" ; or None and the sentence why it does not work. A token works once."""
    row = (
        LoginToken.objects.select_for_update(of=("self",))
        .select_related("user")
        .filter(digest=_digest(token))
        .first()
    )
    if row is None:
        return None, _("This login link is not valid. Ask for a new one.")
    if row.used_at is not None:
        return None, _("This login link was used already; it works once. Ask for a new one.")
    if row.expires_at <= at:
        return None, _("This login link has expired; it works for 15 minutes. Ask for a new one.")
    if not row.user.is_active:
        return None, _("This account is switched off. Ask the owner.")
    row.used_at = at
    row.save(update_fields=["used_at"])
    return row.user, ""


@transaction.atomic
def issue_api_token(
    user: User, *, name: str, by: str, at: datetime, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """A key for programs that act as `user`: its row, and the token, which is shown this once and kept nowhere."""
    token = TOKEN_BEGINS + secrets.token_urlsafe(32)
    row = ApiToken.objects.create(
        user=user, name=name.strip()[:80], digest=_digest(token), created_at=at, expires_at=expires_at
    )
    return row, token


def revoke_api_tokens(ids: Iterable[int], *, by: str, at: datetime) -> int:
    """These tokens stop working now; returns how many did work until then."""
    return ApiToken.objects.filter(id__in=list(ids), revoked_at=None).update(revoked_at=at)


def user_of_api_token(*, token: str, at: datetime) -> User | None:
    """Whom a token stands for; None for one that is unknown, revoked, expired, or of a person switched off."""
    row = ApiToken.objects.select_related("user").filter(digest=_digest(token), revoked_at=None).first()
    if row is None or not row.user.is_active or (row.expires_at is not None and row.expires_at <= at):
        return None
    if row.last_used_at is None or at - row.last_used_at > TOUCHED_EVERY:
        ApiToken.objects.filter(pk=row.pk).update(last_used_at=at)
    return row.user


def set_language(ids: Iterable[int], *, language: str, by: str, at: datetime) -> int:
    """Each of these users reads the console in `language` ("zh-hans", "en"; "" = the browser's). Returns how many changed."""
    return User.objects.filter(pk__in=list(ids)).exclude(language=language).update(language=language)


@transaction.atomic
def invite_user(
    *, username: str, email: str = "", language: str = "", by: str, at: datetime
) -> tuple[User, str]:
    """A new person without a password, and the token of her first login link (7 days, works once).

    What she may see is given with `stores.commands.give_access`. Raises `Refused`.
    """
    user = User(username=username.strip(), email=email.strip().lower(), language=language, date_joined=at)
    user.password = make_password(None)
    try:
        user.full_clean(exclude=["password"])
    except ValidationError as error:
        name, messages = next(iter(error.message_dict.items()))
        raise Refused(" ".join(messages), code="value_invalid", field=name) from None
    if user.email and User.objects.filter(email__iexact=user.email).exists():
        raise Refused(
            _("Somebody with this address has an account already."), code="email_taken", field="email"
        )
    with pghistory.context(by=by):
        user.save(force_insert=True)
    token = secrets.token_urlsafe(32)
    LoginToken.objects.create(user=user, digest=_digest(token), expires_at=at + INVITATION_LIVES)
    return user, token


@transaction.atomic
def switch_users(ids: Iterable[int], *, is_active: bool, by: str, at: datetime) -> list[str]:
    """Let people in or keep them out; what they did stays theirs. Returns a sentence for each one refused.

    The last active superuser cannot be switched off: nobody could come in any more.
    """
    refused = []
    with pghistory.context(by=by):
        for user in User.objects.select_for_update().filter(pk__in=list(ids)).order_by("pk"):
            others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
            if not is_active and user.is_superuser and not others.exists():
                refused.append(
                    _("%(name)s is the only owner of this installation.") % {"name": user.username}
                )
                continue
            user.is_active = is_active
            user.save(update_fields=["is_active"])
            if not is_active:
                LoginToken.objects.filter(user=user, used_at=None, expires_at__gt=at).update(expires_at=at)
    return refused


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
