from django.apps import AppConfig


class ExitIndexConfig(AppConfig):
    name = "daifa.domain.exit_index"
    label = "exit_index"
    default_auto_field = "django.db.models.BigAutoField"
