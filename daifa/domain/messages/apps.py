from django.apps import AppConfig


class MessagesConfig(AppConfig):
    name = "daifa.domain.messages"
    label = "buyer_messages"
    default_auto_field = "django.db.models.BigAutoField"
