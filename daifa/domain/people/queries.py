"""Who works here."""

from daifa.domain.people.models import ApiToken, User


def people() -> list[User]:
    """Everybody with an account, those switched off last."""
    return list(User.objects.order_by("-is_active", "username"))


def person(user_id: int) -> User | None:
    return User.objects.filter(pk=user_id).first()


def api_tokens_of(user: User) -> list[ApiToken]:
    """A person's API tokens, newest first, revoked ones too."""
    return list(ApiToken.objects.filter(user=user).order_by("-id"))
