from django.apps import AppConfig


class StoresConfig(AppConfig):
    name = "daifa.domain.stores"
    label = "stores"
    default_auto_field = "django.db.models.BigAutoField"
