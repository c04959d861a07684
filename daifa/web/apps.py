from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "daifa.web"
    label = "web"
    verbose_name = "console"
