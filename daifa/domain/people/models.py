import pghistory
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


@pghistory.track(fields=["username", "email", "first_name", "last_name", "is_active", "is_superuser", "language"])
class User(AbstractUser):
    """A person who works here. A superuser is the owner of the installation and sees every store."""

    language = models.CharField(_("language"), max_length=10, blank=True, default="")  # "" = the browser's

    @property
    def actor(self) -> str:
        """How this person is named as `by` of a command."""
        return f"user:{self.pk}"


class LoginToken(models.Model):
    """A one-time login link. Only the digest (SHA-256 of the token) is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    digest = models.BinaryField(max_length=32, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class ApiToken(models.Model):
    """A key with which a program acts for a user through the API. Only the digest (SHA-256 of the token) is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(_("name"), max_length=80)
    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(_("expires at"), null=True)
    revoked_at = models.DateTimeField(null=True)
