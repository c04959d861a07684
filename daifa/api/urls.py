"""Addresses of the API."""

from django.urls import path

from daifa.api.v1 import api

urlpatterns = [path("v1/", api.urls)]
