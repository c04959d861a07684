"""Who works here."""

from daifa.domain.people.models import User


def people() -> list[User]:
    """Everybody with an account, those switched off last."""
    return list(User.objects.order_by("-is_active", "username"))


def person(user_id: int) -> User | None:
    return User.objects.filter(pk=user_id).first()
