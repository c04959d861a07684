from django.apps import AppConfig
from django.db.models.signals import post_migrate


class BooksConfig(AppConfig):
    name = "daifa.domain.books"
    label = "books"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        post_migrate.connect(_ensure_accounts, sender=self, dispatch_uid="books.accounts")


def _ensure_accounts(**signal: object) -> None:
    # Also sent while an older migration is being tried out, when the table may not be there.
    from django.db import connection

    from daifa.domain.books.commands import ensure_accounts

    if "books_account" in connection.introspection.table_names():
        ensure_accounts()
